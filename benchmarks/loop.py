"""The loop that a user would write: one process, apply loads, run, write Parquet.

python benchmarks/loop.py GRID SOLVER SCENARIOS FOLDER [WORKERS]; with workers, the same loop on
several cores by multiprocessing. GRID ships with pandapower, or is a file of its JSON.
"""

from __future__ import annotations

import sys
from functools import cache
from multiprocessing import Pool
from pathlib import Path

import pandapower
import pandapower.networks

RESULTS = ("bus", "line", "trafo", "trafo3w", "gen", "ext_grid", "load")


@cache
def grid(name: str) -> pandapower.pandapowerNet:
    """The network and its loads as given; read once a process."""
    made = pandapower.from_json if name.endswith(".json") else None
    net = made(name) if made else getattr(pandapower.networks, name)()
    return net, net.load[["p_mw", "q_mvar"]].copy()


def solve(task: tuple[str, str, int, float, Path]) -> None:
    """Solve one scenario and write its result tables, one file each."""
    name, solver, number, scale, folder = task
    net, loads = grid(name)
    net.load[["p_mw", "q_mvar"]] = loads * scale
    (pandapower.runpp if solver == "ac" else pandapower.rundcpp)(net)
    target = folder / str(number)
    target.mkdir(parents=True)
    for element in RESULTS:
        if len(net[element]):
            net[f"res_{element}"].to_parquet(target / f"{element}.parquet")


def main() -> None:
    """Solve all scenarios, in this process or in several."""
    name, solver, count, folder, *workers = sys.argv[1:]
    scales = [0.8 + 0.3 * n / int(count) for n in range(int(count))]
    tasks = [(name, solver, n, scale, Path(folder)) for n, scale in enumerate(scales)]
    if workers:
        with Pool(int(workers[0])) as pool:
            pool.map(solve, tasks, chunksize=16)
    else:
        for task in tasks:
            solve(task)


if __name__ == "__main__":
    main()
