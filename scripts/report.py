"""Write a batch's report from its summary: python scripts/report.py --settings '{...}'."""

from __future__ import annotations

import argparse
import sys

from gat_batch.errors import GatBatchError
from gat_batch.vega.svg import draughtsman


def main() -> int:
    """Parse the arguments and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="configuration values as JSON")
    arguments = parser.parse_args()
    try:
        with draughtsman() as drawing:
            # Only now, as it takes about as long until the first figure can be drawn.
            from gat_batch.report import write_report
            from gat_batch.run.start import job_plan

            write_report(job_plan(arguments.settings), drawing)
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
