"""Every plain grid at hand: what solves it, how far from pandapower, and how fast.

    python benchmarks/engines.py [--grids case118 case_RTS_GMLC.m] [--seeds 2] [--buses 10000]

Grids: those of ``pandapower.networks``, MATPOWER's files in ``shared/grids`` beside the checkout,
and SimBench's if the package ``simbench`` is installed. Each is solved as given and with random
outages and scaled loads (a seed each), by DC and by AC, by AC also with every option that our own
equations represent; then by pandapower, to 1e-9 MVA. A line says what solved it, the largest
deviations of any quantity of any element, the time of a state, and its ratio to pandapower's in the
same run.

Exit code 1 if a deviation is larger than ``MOST``, or a grid is left to pandapower at default
options.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from copy import deepcopy
from importlib.util import find_spec
from inspect import isfunction
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "tests"))

from gat_batch.process import set_up_solving

set_up_solving()

import numpy as np
import pandapower
import pandapower.networks
from pandapower.auxiliary import LoadflowNotConverged
from power_flow_studies import AS_GIVEN, Study, plain_solution, random_study

from gat_batch.errors import GatBatchError
from gat_batch.grids.elements import ElementIndex
from gat_batch.grids.matpower.reader import read_matpower
from gat_batch.model.grid_model import prepare
from gat_batch.model.quantities import COLUMNS, REACTIVE
from gat_batch.model.state import scenario_states
from gat_batch.solvers.study import solve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandapower.auxiliary import pandapowerNet

    from gat_batch.model.solution import Solution

SHARED = ROOT.parent / "shared" / "grids" / "matpower"

CODES = ("1-EHV-mixed--0-sw", "1-HV-mixed--0-sw", "1-MV-comm--2-sw", "1-LV-rural1--0-sw")
"""A SimBench grid of each voltage."""

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"enforce_q_lims": True},
    {"enforce_p_lims": True},
    {"distributed_slack": True},
)

MOST = {"MW": 1e-5, "p.u.": 1e-8}
"""Largest deviations; those of a power are told relative to 1 GW where a grid carries more."""


def main() -> int:
    """Compare every grid asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--grids", nargs="+")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--buses", type=int, default=10_000)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(
        f"{'grid':38} {'buses':>6} study{'':18} {'engine':14} {'MW':>8} {'p.u.':>8} "
        f"{'ms':>8} {'of pandapower':>13}"
    )
    wrong = False
    for name, net in grids(arguments.grids):
        if len(net.bus) <= arguments.buses:
            wrong |= compared(name, net, arguments.seeds)
    return int(wrong)


def grids(asked: list[str] | None) -> Iterator[tuple[str, pandapowerNet]]:
    """Yield name and network of each grid that is asked for, of all if none is."""
    bundled = [
        name
        for name, made in vars(pandapower.networks).items()
        if isfunction(made) and made.__module__.startswith("pandapower.networks")
    ]
    for name in bundled:
        if asked is None or name in asked:
            try:
                net = getattr(pandapower.networks, name)()
            except (TypeError, OSError, ValueError, ImportError):
                continue  # it needs arguments, or a package that isn't there
            if isinstance(net, pandapower.pandapowerNet) and len(net.bus):
                yield name, net
    for path in sorted(SHARED.glob("*.m")):
        if asked is None or path.name in asked:
            try:
                yield path.name, read_matpower(path)
            except GatBatchError as fault:
                print(f"{path.name:38} is refused: {fault}")
    if find_spec("simbench"):
        import simbench

        for code in CODES:
            if asked is None or code in asked:
                yield code, simbench.get_simbench_net(code)


def compared(name: str, net: pandapowerNet, seeds: int) -> bool:
    """Solve one grid in every way, and say whether anything is wrong."""
    wrong = False
    for solver, options in [("dc", {}), *(("ac", options) for options in OPTIONS)]:
        own = deepcopy(net)
        if options.get("distributed_slack"):
            own.gen["slack_weight"] = np.random.default_rng(0).uniform(0.1, 1, len(own.gen))
        studies = [Study(), *(random_study(own, seed) for seed in range(1, seeds + 1))]
        told = f"{solver} {' '.join(options)}"
        try:
            found = [one(own, study, solver, options) for study in studies]
        except GatBatchError as fault:
            print(f"{name:38} {len(net.bus):6} {told:23} {fault}"[:150])
            continue
        known = [one for one in found if one is not None]
        if not known:
            print(f"{name:38} {len(net.bus):6} {told:23} pandapower doesn't solve it")
            continue
        engines, mw, pu, ours, plain = zip(*known, strict=True)
        engine = "+".join(sorted(set(engines)))
        left = any(one.startswith("pandapower") for one in engines) and not options
        off = max(mw) > MOST["MW"] or max(pu) > MOST["p.u."] or left
        print(
            f"{name:38} {len(net.bus):6} {told:23} {engine:14} {max(mw):8.1e} {max(pu):8.1e} "
            f"{np.median(ours):8.2f} {np.median(ours) / np.median(plain):13.3f}"
            f"{'  <-- wrong' if off else ''}",
            flush=True,
        )
        wrong |= off
    return wrong


def one(
    net: pandapowerNet, study: Study, solver: str, options: dict[str, Any]
) -> tuple[str, float, float, float, float] | None:
    """Solve one state both ways: engine, deviations in MW and p.u., and times in ms.

    None where pandapower doesn't converge.
    """
    # Most grids don't reach the tightest tolerance.
    for tolerance in (1e-12, 1e-9, 1e-8):
        tight = {**options, **({"tolerance_mva": tolerance} if solver == "ac" else {})}
        try:
            plain = plain_solution(net, study, solver, **tight)
            break
        except LoadflowNotConverged:
            continue
        except (NotImplementedError, ValueError, UserWarning):
            return None  # islands or wards, with a distributed slack
    else:
        return None
    model = prepare(deepcopy(net))
    (state,) = scenario_states(ElementIndex(model.net), study, None, None)
    solve(model, AS_GIVEN, solver, options)
    solution = solve(model, state, solver, tight)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        usual = solve(model, state, solver, options)
        times.append(time.perf_counter() - began)
    began = time.perf_counter()
    solve(model, state, solver, options, engine="pandapower")
    theirs = time.perf_counter() - began
    mw, pu = deviations(solution, plain, solver)
    return usual.engine, mw, pu, 1e3 * float(np.median(times)), 1e3 * theirs


def deviations(solution: Solution, plain: pandapowerNet, solver: str) -> tuple[float, float]:
    """Return the largest deviations of powers in MW, relative above 1 GW, and voltages in p.u."""
    largest = {"mw": 0.0, "mvar": 0.0, "pu": 0.0}
    for element, columns in COLUMNS.items():
        for quantity, column in columns.items():
            unit = quantity.rsplit("_", 1)[-1]
            skipped = solver == "dc" and quantity in REACTIVE
            if unit not in largest or skipped or not len(plain.get(element, ())):
                continue
            theirs = plain[f"res_{element}"][column].to_numpy(float)
            ours = solution.elements[element][quantity]
            one_sided = np.isnan(ours) != np.isnan(theirs)
            scale = 1.0 if unit == "pu" else np.maximum(np.abs(theirs) / 1e3, 1.0)
            difference = np.where(one_sided, np.inf, np.nan_to_num(np.abs(ours - theirs) / scale))
            largest[unit] = max(largest[unit], float(difference.max(initial=0.0)))
    return max(largest["mw"], largest["mvar"]), largest["pu"]


if __name__ == "__main__":
    raise SystemExit(main())
