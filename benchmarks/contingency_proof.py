"""Contingencies held against pandapower with the elements switched off: one table of deviations.

    python benchmarks/contingency_proof.py [--grids case14 case118] [--solvers dc ac] [--sample 200]
    python benchmarks/contingency_proof.py --grids case118 --solvers dc --depth 2 --sample 500
    python benchmarks/contingency_proof.py --grids grid.m --types line trafo gen

Every single outage of small grids, ``--sample`` random ones of those with more than 2,000: lines,
transformers, generators, static generators, loads and buses, or those of ``--types``; or pairs of
branches. pandapower solves each by itself, to 1e-9 MVA, from a flat start where it finds nothing
from its own. Exit code 1 if a status differs or a deviation is larger than ``MOST``.

With a bus out of service pandapower takes its transformers for links still, and doesn't notice
what is cut off behind them. Where a graph search agrees with us on what is cut off, pandapower is
told to take that out too; the table counts these as hinted.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gat_batch.process import set_up_solving

set_up_solving()

import numpy as np
from contingencies import grid_of
from pandapower.topology import unsupplied_buses
from plain import solved_without, switched_off

from gat_batch.contingency.solver import ContingencySolver
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.contingency import TYPES, Contingency
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.quantities import COLUMNS
from gat_batch.model.state import State
from gat_batch.model.violations import Limits
from gat_batch.solvers.study import Study
from gat_batch.study.scenario import BRANCHES, Contingencies

if TYPE_CHECKING:
    from collections.abc import Collection

    from gat_batch.model.solution import Solution

GRIDS = ("case14", "case118", "case300", "case1354pegase", "case2869pegase")

MANY = 2000
"""Outages above which a grid is sampled."""

MOST = {"MW": 1e-5, "p.u.": 1e-8, "degree": 1e-6, "kA": 1e-6, "%": 1e-4}
"""Largest deviations that two convergent solutions may have."""

UNIT = {"vm_pu": "p.u.", "va_degree": "degree", "i_ka": "kA", "loading_percent": "%"}
"""Units of quantities; all others are MW or MVAr."""


def main() -> int:
    """Compare every grid and solver asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--grids", nargs="+", default=GRIDS)
    parser.add_argument("--solvers", nargs="+", default=["dc", "ac"])
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--types", nargs="+", choices=TYPES)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    depth = arguments.depth
    types = tuple(arguments.types or (TYPES if depth == 1 else BRANCHES))
    wrong = [
        compared(grid, solver, Contingencies(depth, types), arguments.sample)
        for grid, solver in product(arguments.grids, arguments.solvers)
    ]
    return int(any(wrong))


def compared(grid: str, solver: str, asked: Contingencies, sample: int) -> bool:
    """Compare the outages of one grid, print a line, and say whether something is wrong."""
    began = time.perf_counter()
    net = grid_of(grid)
    every = contingencies_of(ElementIndex(net), asked)
    chosen = list(range(len(every)))
    if len(every) > MANY:
        chosen = sorted(np.random.default_rng(1).choice(len(every), sample, replace=False))
    contingencies = [every[int(n)] for n in chosen]
    criteria = {"": Criteria.of(net, Limits())}
    ours = ContingencySolver(prepare(net), State(None, ()), Study(solver, {}), criteria)
    proof = Proof(grid, solver)
    for start in range(0, len(contingencies), ours.block_size):
        block = contingencies[start : start + ours.block_size]
        solved = ours.solve(block, whole=True)
        by_name = {contingency.name: contingency for contingency in block}
        for number, solution in solved.single:
            proof.hold(by_name[solved.names[number]], solution)
    deviations = ", ".join(f"{value:.1e} {unit}" for unit, value in proof.worst.items())
    print(
        f"{grid:15} {solver}  {len(contingencies):4} of {len(every):5}: {proof.wrong} wrong, "
        f"at most {deviations} off; {dict(proof.found)}; {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    return proof.wrong > 0 or any(value > MOST[unit] for unit, value in proof.worst.items())


class Proof:
    """Solutions of one grid held against pandapower's.

    Args:
        grid: its name among those bundled with pandapower.
        solver: ``dc`` or ``ac``.
    """

    def __init__(self, grid: str, solver: str) -> None:
        self._net, self._name = grid_of(grid), f"{grid} {solver}"
        self._solver = solver
        base = solved_without(self._net, solver, ())
        self._supplied = np.isfinite(base.res_bus["va_degree"].to_numpy())
        self.worst = dict.fromkeys(MOST, 0.0)
        self.found: Counter[str] = Counter()
        self.wrong = 0

    def hold(self, contingency: Contingency, ours: Solution) -> None:
        """Hold one solution against pandapower's."""
        try:
            self.found[self._held(contingency, ours)] += 1
        except AssertionError as error:
            self.wrong += 1
            print(f"  {self._name} {contingency.name}: {error}", flush=True)

    def _held(self, contingency: Contingency, ours: Solution) -> str:
        net = self._net
        outages = [
            (element, int(net[element].index[position]))
            for element, position in contingency.outages
        ]
        out = [position for element, position in contingency.outages if element == "bus"]
        plain = self._by_pandapower(outages)
        if not ours.elements:
            _assert(plain is None, f"{ours.status}, but not by pandapower")
            return f"both without solution, {ours.status}"
        lost = np.isnan(ours.elements["bus"]["va_degree"])
        hinted = ""
        if out and (plain is None or (np.isnan(plain.res_bus["va_degree"]) != lost).any()):
            found = searched(net, outages)
            _assert(set(net.bus.index[lost]) == found, "a graph search finds other buses cut off")
            behind = [("bus", int(bus)) for bus in net.bus.index[lost]]
            plain, hinted = self._by_pandapower((*outages, *behind)), ", hinted"
        _assert(plain is not None, "pandapower doesn't solve it")
        _assert((np.isnan(plain.res_bus["va_degree"]) == lost).all(), "other buses are cut off")
        cut = lost & self._supplied
        cut[out] = False
        status = "islanded" if cut.any() else "ok"
        _assert(status == ours.status, f"{ours.status}, by pandapower {status}")
        for element, quantities in ours.elements.items():
            for quantity, values in quantities.items():
                theirs = plain[f"res_{element}"][COLUMNS[element][quantity]].to_numpy(float)
                # Buses that are out have no power, buses that are cut off draw none.
                mine = np.where(np.isnan(theirs), np.nan, values) if hinted else values
                same = (np.isnan(theirs) == np.isnan(mine)).all()
                _assert(bool(same), f"{quantity} of {element} isn't there in both")
                with np.errstate(invalid="ignore"):
                    apart = np.where(theirs == mine, 0.0, np.abs(theirs - mine))
                unit = UNIT.get(quantity, "MW")
                worst = np.nanmax(apart, initial=0.0)
                self.worst[unit] = max(self.worst[unit], float(worst))
        return f"{status}{hinted}"

    def _by_pandapower(self, outages: Collection[tuple[str, int]]) -> Any:
        """Return pandapower's solution without some elements, None if it finds none."""
        found = solved_without(self._net, self._solver, outages)
        if found is None and self._solver == "ac":
            return solved_without(self._net, "ac", outages, init="flat")
        return found


def _assert(holds: bool, message: str) -> None:  # noqa: FBT001 - what assert does, also with -O
    if not holds:
        raise AssertionError(message)


def searched(net: Any, outages: Any) -> set[int]:
    """Buses that a graph search from the external grids doesn't reach without some elements."""
    with switched_off(net, outages):
        out = set(net.bus.index[~net.bus["in_service"]])
        return {int(bus) for bus in unsupplied_buses(net)} | out


if __name__ == "__main__":
    sys.exit(main())
