"""Where the time of solving goes, in one process: import, read and prepare, solve, write.

python benchmarks/split.py [--grids case118 ...] [--solvers ac dc] [--scenarios 200]

The same calls as in a job, without Snakemake and without supervision; user and system time of the
process, which other processes on the machine disturb less than wall time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure every combination in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--grids", nargs="+", default=["case118", "case1354pegase"])
    parser.add_argument("--solvers", nargs="+", default=["ac", "dc"])
    parser.add_argument("--scenarios", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{'':22}{'import':>9}{'prepare':>9}  s {'solve':>9}{'write':>9}  ms a scenario")
    for grid, solver in product(arguments.grids, arguments.solvers):
        child = multiprocessing.get_context("spawn").Process(
            target=measure, args=(grid, solver, arguments.scenarios)
        )
        child.start()
        child.join()
        if child.exitcode:
            sys.exit(child.exitcode)


def measure(grid: str, solver: str, count: int) -> None:
    """Solve scenarios of a grid and print the split."""
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    sys.path.insert(0, str(ROOT / "scripts"))
    began = time.process_time()
    from gat_batch.grids import grid_ref, read_grid
    from gat_batch.grids.elements import ElementIndex
    from gat_batch.model.grid_model import prepare
    from gat_batch.model.state import scenario_states
    from gat_batch.results.rows import rows_of
    from gat_batch.results.writer import ResultWriter
    from gat_batch.run import worker as bench  # noqa: F401 - what a job imports
    from gat_batch.solvers.study import solve
    from gat_batch.study.scenario import Scenario

    imported = time.process_time()
    model = prepare(read_grid(grid_ref(f"pandapower:{grid}", Path())))
    index = ElementIndex(model.net)
    studies = [Scenario(f"s{n}", grid, load_scale=0.8 + 0.3 * n / count) for n in range(count)]
    states = [next(scenario_states(index, study, None, None)) for study in studies]
    solve(model, states[0], solver, {})
    prepared = time.process_time()
    solutions = [solve(model, state, solver, {}) for state in states]
    solved = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for study, solution in zip(studies, solutions, strict=True):
            with ResultWriter(Path(folder, study.id), {}) as writer:
                writer.add_rows(rows_of(model, (study.id, None, None), solution))
    written = time.process_time()
    each = 1000 / count
    print(
        f"{grid + ', ' + solver:22}{imported - began:9.2f}{prepared - imported:9.2f}    "
        f"{(solved - prepared) * each:9.2f}{(written - solved) * each:9.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
