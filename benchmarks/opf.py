"""Optimal power flows against the loop that a user would write around pandapower.

python benchmarks/opf.py [--grid case118] [--dc 1000] [--ac 100] [--loop 100]

The loop solves every n-th of the states, and its time is scaled up to all of them. Prints wall and
processor times as ratios to it, optima found by either side, and how much dearer the loop's are.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.process import set_up_solving

set_up_solving()

import numpy as np
import pandapower
from pandapower.auxiliary import OPFNotConverged

from gat_batch.grids.bundled import read_bundled
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State
from gat_batch.solvers.study import solve


def main() -> None:
    """Run both solvers and print their lines."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--grid", default="case118")
    parser.add_argument("--dc", type=int, default=1000, help="states of DC")
    parser.add_argument("--ac", type=int, default=100, help="states of AC")
    parser.add_argument("--loop", type=int, default=100, help="states that the loop solves, most")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for solver, count in (("dc_opf", arguments.dc), ("ac_opf", arguments.ac)):
        if count:
            compare(arguments.grid, solver, count, max(count // arguments.loop, 1))


def compare(grid: str, solver: str, count: int, every: int) -> None:
    """Solve the states in both ways; the loop every n-th of them."""
    net = read_bundled(grid)
    rng = np.random.default_rng(1)
    factors = rng.uniform(0.7, 1.05, (count, 1)) * rng.uniform(0.95, 1.05, (count, len(net.load)))
    base = net.load[["p_mw", "q_mvar"]].to_numpy()
    began = clocks()
    model = prepare(read_bundled(grid))
    ours = {}
    for n, factor in enumerate(factors):
        changes = tuple(
            Change("load", column, base[:, place] * factor)
            for place, column in enumerate(("p_mw", "q_mvar"))
        )
        ours[n] = solve(model, State(None, changes), solver, {})
    secs = clocks() - began
    began = clocks()
    loop = {n: plain_cost(net, base * factors[n][:, None], solver) for n in range(0, count, every)}
    loop_secs = (clocks() - began) * count / len(loop)
    found = {n: cost for n, cost in loop.items() if cost is not None}
    dearer = [
        cost / objective - 1
        for n, cost in found.items()
        if (objective := ours[n].objective) is not None
    ]
    optima = sum(solution.status == "ok" for solution in ours.values())
    print(
        f"{grid} {solver}: {count} states, {secs[0]:.1f} s, {1000 * secs[0] / count:.1f} ms each; "
        f"loop {loop_secs[0]:.1f} s, {1000 * loop_secs[0] / count:.1f} ms each; "
        f"ratio {secs[0] / loop_secs[0]:.3f}, of processor time {secs[1] / loop_secs[1]:.3f}"
    )
    print(
        f"  optima: {optima} of {count}, loop {len(found)} of {len(loop)}; "
        f"the loop's cost {min(dearer):+.2e} to {max(dearer):+.2e} more; "
        f"largest residual {max(s.residual or 0 for s in ours.values()):.1e}",
        flush=True,
    )


def clocks() -> np.ndarray:
    """Wall and processor time in seconds."""
    return np.array([time.monotonic(), time.process_time()])


def plain_cost(net: pandapower.pandapowerNet, load: np.ndarray, solver: str) -> float | None:
    """The cost that pandapower finds, or None if it finds none."""
    net.load[["p_mw", "q_mvar"]] = load
    try:
        if solver == "dc_opf":
            pandapower.rundcopp(net)
        else:
            pandapower.runopp(net)
    except OPFNotConverged:
        return None
    return float(net.res_cost)


if __name__ == "__main__":
    main()
