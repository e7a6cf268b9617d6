"""Analyse a batch: python scripts/analyse.py --analysis NAME --settings '{...}'."""

from __future__ import annotations

import argparse
import sys

from gat_batch.errors import GatBatchError
from gat_batch.process import set_up_analysing
from gat_batch.run.start import job_plan


def main() -> int:
    """Parse the arguments and do the analysis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--analysis", required=True, help="its name in the configuration")
    parser.add_argument("--settings", required=True, help="configuration values as JSON")
    parser.add_argument("--workers", type=int, default=1, help="parts done at a time")
    parser.add_argument("--memory-mb", type=float, required=True, help="memory of the job, in MB")
    arguments = parser.parse_args()
    set_up_analysing()

    def log(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        from gat_batch.analytics.stage import Stage

        plan = job_plan(arguments.settings)
        analysis = plan.analysis(arguments.analysis)
        Stage(plan, analysis, arguments.workers, arguments.memory_mb, log).run()
    except GatBatchError as error:
        log(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
