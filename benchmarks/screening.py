"""What screening by DC misses: one table for each grid.

    python benchmarks/screening.py [--grids case118 case1354pegase] [--loading 100]

Full N-1 by AC tells which contingencies are severe: those that bring a branch above the loading
limit, or a bus out of its band, that were within before, or have no solution. For each share of
the limit from which on a DC loading counts as severe (``screening.SEVERE``), the table says how
many contingencies are then solved by AC, and how many severe ones are not.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.process import set_up_solving

set_up_solving()

import numpy as np
import pandapower.networks

from gat_batch.contingency.solver import ContingencySolver
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import GridModel, prepare
from gat_batch.model.state import State
from gat_batch.model.violations import Limits, violations, voltage_bands
from gat_batch.solvers.study import Study
from gat_batch.study.scenario import Contingencies

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def main() -> None:
    """Measure every grid asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--grids", nargs="+", default=["case118", "case1354pegase"])
    parser.add_argument("--loading", type=float, default=100.0, help="loading limit in percent")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for grid in arguments.grids:
        measure(grid, Limits(arguments.loading))


def measure(grid: str, limits: Limits) -> None:
    """Print the table of one grid."""
    model = prepare(getattr(pandapower.networks, grid)())
    names = [one.name for one in contingencies_of(ElementIndex(model.net), Contingencies())]
    raised, unserved = by_dc(model, limits)
    overloads, voltages, unsolved = by_ac(model, limits)
    kinds = {"overloads": overloads, "voltages": voltages, "without solution": unsolved}
    told = ", ".join(f"{len(those)} {kind}" for kind, those in kinds.items())
    print(f"{grid}, limit {limits.loading_percent:g} %: {len(names)} contingencies; by AC {told}")
    for share in SHARES:
        chosen = {
            name
            for name in names
            if name not in raised
            or raised[name] >= share * limits.loading_percent
            or unserved[name] > 0
        }
        missed = ", ".join(f"{len(those - chosen)} {kind}" for kind, those in kinds.items())
        print(f"  from {share:4.0%} on: {len(chosen):5} solved by AC; missed: {missed}", flush=True)


def by_dc(model: GridModel, limits: Limits) -> tuple[dict[str, float], dict[str, float]]:
    """The highest raised loading in percent and the MW unserved of each contingency."""
    criteria = {"": Criteria.of(model.net, limits)}
    raised: dict[str, float] = {}
    unserved: dict[str, float] = {}
    for names, solved in blocks(
        model, ContingencySolver(model, AS_GIVEN, Study("dc", {}), criteria, raised=True)
    ):
        for numbers, block_results in solved.found:
            own = [names[number] for number in numbers]
            raised |= dict(zip(own, block_results.system["max_raised_percent"], strict=True))
            unserved |= dict(zip(own, block_results.system["unserved_mw"], strict=True))
    return raised, unserved


def by_ac(model: GridModel, limits: Limits) -> tuple[set[str], set[str], set[str]]:
    """Contingencies that bring overloads, bad voltages, or no solution."""
    criteria = {"": Criteria.of(model.net, limits)}
    solver = ContingencySolver(model, AS_GIVEN, Study("ac", {}), criteria)
    before = violations(solver.base, limits, voltage_bands(model.net, limits))
    overloads: set[str] = set()
    voltages: set[str] = set()
    unsolved: set[str] = set()
    for names, solved in blocks(model, solver):
        for numbers, block_results in solved.found:
            for element, found in block_results.violations.items():
                fresh = ~np.isin(found.position, before.get(element, ()))
                where = voltages if element == "bus" else overloads
                where |= {names[numbers[n]] for n in np.unique(found.number[fresh])}
        for number, solution in solved.single:
            if not solution.elements:
                unsolved.add(names[number])
                continue
            after = violations(solution, limits, voltage_bands(model.net, limits))
            for element, positions in after.items():
                if np.setdiff1d(positions, before.get(element, ())).size:
                    (voltages if element == "bus" else overloads).add(names[number])
    return overloads, voltages, unsolved


def blocks(model: GridModel, solver: ContingencySolver) -> Any:
    """Names and solutions of all contingencies, block by block."""
    every = contingencies_of(ElementIndex(model.net), Contingencies())
    for start in range(0, len(every), solver.block_size):
        solved = solver.solve(every[start : start + solver.block_size])
        yield solved.names, solved


AS_GIVEN = State(None, ())

if __name__ == "__main__":
    main()
