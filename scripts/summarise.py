"""Summarise a batch: python scripts/summarise.py --settings '{...}'."""

from __future__ import annotations

import argparse
import sys

from gat_batch.errors import GatBatchError
from gat_batch.model.violations import Limits
from gat_batch.run.start import job_plan
from gat_batch.summary.batch_results import batch_results
from gat_batch.summary.batch_summary import SummaryFiles, summarise
from gat_batch.upstream.pyarrow import keep_pandas_out


def main() -> int:
    """Parse the arguments and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="configuration values as JSON")
    arguments = parser.parse_args()
    try:
        plan = job_plan(arguments.settings)
        files = SummaryFiles(
            aggregated=plan.summary("aggregated_results.parquet"),
            scenarios=plan.summary("scenarios.parquet"),
            scenarios_csv=plan.summary("scenarios.csv"),
            elements=plan.summary("elements.parquet"),
            contingencies=plan.summary("contingencies.parquet"),
            overloads=plan.summary("overloads.parquet"),
            categories=plan.summary("categories.parquet"),
            remedies=plan.summary("remedies.parquet"),
        )
        if not any(kind.contingent for kind in plan.batch.outlines.kinds):
            # Nothing else that is summed up takes it, and it takes a while.
            keep_pandas_out()
        limits = Limits(plan.config.loading_limit_percent, plan.config.voltage_band_pu)
        summarise(batch_results(plan), files, limits)
    except GatBatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
