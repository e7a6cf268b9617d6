"""Contingencies beside lightsim2grid's own analysis and pandapower's: one table of times.

    python benchmarks/contingencies.py [--grids case2869pegase] [--solvers dc ac] [--workers 1 2]

All times are of solving, in one run on one machine, start-up aside. Ours include flows, statuses
and rows of violations of every contingency; lightsim2grid's are those of its bare
``ContingencyAnalysis``, its flows apart; pandapower's ``run_contingency`` is timed on a few and
scaled up, and is what ours are held against where lightsim2grid can't represent a grid. Grids ship
with pandapower, or are files, as case2746wp.m. Beside the ratio of times stands that of CPU times,
of all processes together: it is the one to look at where other programs are at work.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections import Counter
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.process import set_up_solving

set_up_solving()

import numpy as np
import pandapower
import pandapower.networks
from pandapower.contingency import run_contingency

from gat_batch.grids import grid_ref, read_grid
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import GridModel, prepare
from gat_batch.model.state import State
from gat_batch.model.violations import Limits
from gat_batch.results.kept import KeptRows
from gat_batch.run.solving.contingencies import solved_in_parts
from gat_batch.run.solving.state import Run
from gat_batch.solvers.study import Study
from gat_batch.study.scenario import Contingencies

FEW = 20
"""Contingencies that pandapower's own analysis is timed on."""


def main() -> None:
    """Time every grid and solver asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--grids", nargs="+", default=["case118", "case1354pegase"])
    parser.add_argument("--solvers", nargs="+", default=["dc", "ac"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, os.cpu_count() or 1])
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="leave the others out")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    packages = ("pandapower", "lightsim2grid", "numpy", "scipy")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"; {os.cpu_count()} cores")
    for grid, solver in product(arguments.grids, arguments.solvers):
        net = grid_of(grid)
        print(f"\n{grid}, {solver}, N-{arguments.depth}")
        bare = None
        if not arguments.alone and arguments.depth == 1:
            bare = lightsim2grid(net, solver)
        if not arguments.alone and arguments.depth == 1 and solver == "ac":
            loop = by_pandapower(net)
            bare = bare or (loop, loop)
        for workers in arguments.workers:
            ours(net, solver, arguments.depth, workers, bare)


def grid_of(name: str) -> Any:
    """Return a grid that ships with pandapower, or one from a file."""
    if Path(name).suffix:
        return read_grid(grid_ref(name, Path()))
    return getattr(pandapower.networks, name)()


def ours(net: Any, solver: str, depth: int, workers: int, bare: tuple[float, float] | None) -> None:
    """Time our own and print a line."""
    model: GridModel = prepare(net)
    found = contingencies_of(ElementIndex(net), Contingencies(depth))
    criteria = {"": Criteria.of(net, Limits())}
    run = Run(
        scenario="bench",
        model=model,
        study=Study(solver, {}),
        states=lambda: iter([State(None, ())]),
        contingencies=found,
        criteria=criteria,
        kept=KeptRows("all", "violations", criteria),
        screen=False,
        verify=0.0,
        timeout_secs=3600.0,
        threads=workers,
    )
    # The kept equations are made once for all scenarios of a grid.
    run.study.solve(model, State(None, ()))
    began, at_work = time.perf_counter(), sum(os.times()[:4])
    # Rows are taken as they come, as by what writes them into a result.
    rows, statuses = 0, Counter[str]()
    for table in solved_in_parts(run, lambda _: None, lambda _: None):
        rows += len(table)
        statuses.update(table["status"].drop_null().to_pylist())
    secs, processor = time.perf_counter() - began, sum(os.times()[:4]) - at_work
    ratio = f"{secs / bare[0]:6.2f} x ({processor / bare[1]:.2f} x in CPU time)" if bare else ""
    more = f"{ratio}  {rows} rows, {dict(statuses)}"
    line(f"gat-batch, {workers} workers", secs, len(found), more)


def lightsim2grid(net: Any, solver: str) -> tuple[float, float] | None:
    """Time lightsim2grid's analysis of all branches, print a line; seconds, and those of CPU.

    None if its converter can't represent the grid, or its power flow fails on what it made of it.
    """
    from lightsim2grid.contingencyAnalysis import ContingencyAnalysisCPP
    from lightsim2grid.gridmodel import init_from_pandapower
    from lightsim2grid.solver import SolverType

    pandapower.runpp(net, numba=False, lightsim2grid=False)
    try:
        grid = init_from_pandapower(net)
        start = grid.ac_pf(np.ones(len(net.bus), complex), 10, 1e-8)
    except Exception as error:  # noqa: BLE001 - whatever it says, the pandapower loop counts then
        print(f"  lightsim2grid can't represent it: {str(error)[:60]}")
        return None
    if not len(start):
        print("  lightsim2grid can't represent it: its power flow fails")
        return None
    analysis = ContingencyAnalysisCPP(grid)
    analysis.change_solver(SolverType.KLUSingleSlack if solver == "ac" else SolverType.KLUDC)
    analysis.add_all_n1()
    began, at_work = time.perf_counter(), time.process_time()
    analysis.compute(start, 10, 1e-8)
    secs, processor = time.perf_counter() - began, time.process_time() - at_work
    began = time.perf_counter()
    analysis.compute_flows()
    flows = time.perf_counter() - began
    count = len(analysis.my_defaults())
    line("lightsim2grid, bare", secs, count, f"flows {flows:.2f} s more; 1 thread")
    return secs, processor


def by_pandapower(net: Any) -> float:
    """Time pandapower's analysis of a few lines, scale it up, print a line; seconds."""
    few = net.line.index[:FEW].to_numpy()
    began = time.perf_counter()
    run_contingency(net, {"line": {"index": few}}, numba=False)
    each = (time.perf_counter() - began) / (len(few) + 1)
    count = len(net.line) + len(net.trafo)
    line("pandapower", each * count, count, f"scaled up from {len(few)}")
    return each * count


def line(name: str, secs: float, count: int, more: str) -> None:
    """Print one line."""
    print(f"  {name:24} {secs:8.2f} s  {1000 * secs / count:8.3f} ms each  {more}", flush=True)


if __name__ == "__main__":
    main()
