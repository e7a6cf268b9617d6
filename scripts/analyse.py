"""Analyse a batch: python scripts/analyse.py --analysis NAME --settings '{...}'."""

from __future__ import annotations

import argparse
import os
import sys

from gat_batch.errors import GatBatchError
from gat_batch.front import job_plan


def main() -> int:
    """Parse the arguments and do the analysis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--analysis", required=True, help="its name in the configuration")
    parser.add_argument("--settings", required=True, help="configuration values as JSON")
    parser.add_argument("--workers", type=int, default=1, help="parts done at a time")
    parser.add_argument("--memory-mb", type=float, required=True, help="memory of the job, in MB")
    arguments = parser.parse_args()
    # pandapower compiles some loops whenever it starts, which takes longer than they ever do here.
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
    # Snakemake gives each process the threads of the whole job: linear algebra would start as many
    # in every worker, and they wait for each other.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

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
