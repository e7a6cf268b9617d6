"""The loop that a user would write: one process, apply loads, run, write Parquet.

    python benchmarks/loop.py GRID SOLVER SCENARIOS FOLDER [--workers N] [--spread LOW HIGH]
        [--tables FOLDER]

With workers, the same loop on several cores by multiprocessing. GRID ships with pandapower, or is a
file of its JSON. Loads are scaled from LOW to HIGH, or read from a CSV table for each scenario, and
then only buses and lines are written.
"""

from __future__ import annotations

import argparse
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

import pandapower
import pandapower.networks
import pandas as pd

RESULTS = ("bus", "line", "trafo", "trafo3w", "gen", "ext_grid", "load")


class Task(NamedTuple):
    """One scenario: its grid, how it is solved, its loads, and where its results go."""

    grid: str
    solver: str
    scale: float
    table: Path | None
    target: Path


@cache
def grid(name: str) -> pandapower.pandapowerNet:
    """The network and its loads as given; read once a process."""
    made = pandapower.from_json if name.endswith(".json") else None
    net = made(name) if made else getattr(pandapower.networks, name)()
    return net, net.load[["p_mw", "q_mvar"]].copy()


def solve(task: Task) -> None:
    """Solve one scenario and write its result tables, one file each; none without a solution."""
    net, loads = grid(task.grid)
    if task.table is None:
        net.load[["p_mw", "q_mvar"]] = loads * task.scale
    else:
        table = pd.read_csv(task.table).set_index("load")
        net.load.loc[table.index, ["p_mw", "q_mvar"]] = table[["p_mw", "q_mvar"]]
    try:
        (pandapower.runpp if task.solver == "ac" else pandapower.rundcpp)(net)
    except pandapower.LoadflowNotConverged:
        return
    task.target.mkdir(parents=True)
    for element in RESULTS if task.table is None else RESULTS[:2]:
        if len(net[element]):
            net[f"res_{element}"].to_parquet(task.target / f"{element}.parquet")


def main() -> None:
    """Solve all scenarios, in this process or in several."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("grid")
    parser.add_argument("solver")
    parser.add_argument("scenarios", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--spread", nargs=2, type=float, default=[0.8, 1.1])
    parser.add_argument("--tables", type=Path)
    given = parser.parse_args()
    low, high = given.spread
    tasks = [
        Task(
            given.grid,
            given.solver,
            low + (high - low) * n / given.scenarios,
            given.tables and given.tables / f"s{n}.csv",
            given.folder / str(n),
        )
        for n in range(given.scenarios)
    ]
    if given.workers > 1:
        with Pool(given.workers) as pool:
            pool.map(solve, tasks, chunksize=16)
    else:
        for task in tasks:
            solve(task)


if __name__ == "__main__":
    main()
