"""End a run: python scripts/finish.py --settings '{...}'. Exit code 1 if too much failed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gat_batch.errors import GatBatchError
from gat_batch.files.words import numbered
from gat_batch.run.finish import finish
from gat_batch.run.start import job_plan


def main() -> int:
    """Parse the arguments, sum up the run and decide its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="configuration values as JSON")
    parser.add_argument("--log", type=Path, required=True, help="where to write the same lines")
    arguments = parser.parse_args()
    try:
        plan = job_plan(arguments.settings)
        verdict = finish(plan)
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    text = "\n".join(verdict.lines)
    arguments.log.write_text(f"{text}\n", encoding="utf-8")
    print(text, file=sys.stderr)
    if not verdict.acceptable:
        limit = plan.config.max_failures
        print(
            f"error: {numbered(verdict.failed, 'scenario')} failed, max_failures is {limit}; "
            "the next run tries what failed again",
            file=sys.stderr,
        )
        return 1
    plan.finished.write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
