"""Export from a batch: python scripts/export.py runs/batch/NAME OUT [--scenario ID ...].

With a scenario, OUT is its grid in one state with the results filled in: pandapower .json, MATPOWER
.m or .mat, or .arrow. With --to, OUT is a folder of datasets for machine learning. Without either,
OUT is the summary as an Excel workbook, .xlsx.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gat_batch.api import BatchJob
from gat_batch.datasets import LAYOUTS
from gat_batch.errors import GatBatchError, ResultError
from gat_batch.grids import WRITABLE, write_grid
from gat_batch.process import set_up_solving
from gat_batch.run.monitor import read_status
from gat_batch.run.start import plan_batch
from gat_batch.summary.workbook import write_summary


def main() -> int:
    """Parse the arguments and export."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("batch", type=Path, help="folder of a batch")
    parser.add_argument("out", metavar="OUT", type=Path, help="the file or folder")
    parser.add_argument("--to", choices=LAYOUTS, help="layout of datasets for machine learning")
    parser.add_argument(
        "--split",
        type=float,
        nargs=3,
        metavar=("TRAIN", "VALIDATION", "TEST"),
        default=(0.8, 0.1, 0.1),
        help="shares of samples",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    parser.add_argument("--cores", type=int, default=1, help="processes that make datasets")
    parser.add_argument("--scenario", metavar="ID", help="which scenario")
    parser.add_argument("--snapshot", help="which of its snapshots, if it has any")
    parser.add_argument("--contingency", help="a contingency as in the results, as line:3")
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    arguments = parser.parse_args()
    set_up_solving()
    try:
        lost = export(arguments)
    except (GatBatchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {arguments.out}")
    for sentence in lost:
        print(f"not kept as it was: {sentence}")
    return 0


def export(arguments: argparse.Namespace) -> list[str]:
    """Write the file, and return what its format can't hold, a sentence each."""
    out: Path = arguments.out
    if arguments.to:
        return _export_datasets(arguments)
    known = [*WRITABLE] if arguments.scenario else [".xlsx"]
    if not arguments.scenario and (arguments.snapshot or arguments.contingency):
        raise ResultError("no scenario is named", hint="--scenario says whose state is meant")
    if out.suffix.lower() not in known:
        wanted = "a scenario's network" if arguments.scenario else "the summary"
        hint = f"known are {', '.join(known)}; --scenario says which network is meant"
        raise ResultError(f"{wanted} can't be written so", file=out, hint=hint)
    if out.exists() and not arguments.force:
        raise ResultError("exists", file=out, hint="--force replaces it")
    job = BatchJob.resume(arguments.batch)
    if arguments.scenario:
        state = (arguments.scenario, arguments.snapshot, arguments.contingency)
        return write_grid(job.network(*state), out)
    write_summary(job.folder, out)
    return []


def _export_datasets(arguments: argparse.Namespace) -> list[str]:
    if arguments.scenario or arguments.snapshot or arguments.contingency:
        raise ResultError("datasets are of all scenarios", hint="leave out --scenario or --to")
    # Imported late, as it imports pandapower.
    from gat_batch.datasets.dataset import write_datasets
    from gat_batch.datasets.splits import Splitting

    plan = plan_batch(read_status(arguments.batch)["settings"])
    cores, force = arguments.cores, arguments.force
    split = Splitting(arguments.seed, tuple(arguments.split))
    write_datasets(plan, arguments.out, arguments.to, split, workers=cores, replace=force)
    return []


if __name__ == "__main__":
    sys.exit(main())
