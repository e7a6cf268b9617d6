"""Optimal power flow by pandapower's own interior-point solver (PIPS)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower
import pandas as pd
from pandapower.auxiliary import OPFNotConverged

from ..errors import SolverError
from ..model.solution import Solution
from ..model.unharmed import ENGINE, unharmed
from ..powerflow.plain.results import results_of_network
from ..upstream.pandapower import power_limits_on_new_scipy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pandapower.auxiliary import pandapowerNet

    from ..model.costs import Costs
    from ..model.grid_model import GridModel

OWN = (
    "objective",
    "secure",
    "value_of_lost_load",
    "ramps",
    "storage",
    "snapshot_hours",
    "flow_limit",
    "ext_grid_voltage",
    "trafo_loading",
)
"""Options that pandapower's solver doesn't have."""

REFUSED = ("value_of_lost_load", "ramps", "storage", "objective", "secure")

FLOW_LIMITS = {"power": 0, "current": 2}
"""pandapower's numbers for them."""

FARTHEST_MW = 1e6
"""How far the first and the last piece of a curve reach."""


def solve_by_pandapower(
    model: GridModel, costs: Costs, options: Mapping[str, Any], *, dc: bool
) -> Solution:
    """Solve the model's network as it stands, by pandapower's conventions where it has its own.

    Args:
        model: the model, with a state laid over its network.
        costs: cost curves in place of the grid's own.
        options: solver options.
        dc: whether it is a DC optimal power flow.

    Returns:
        The optimum, or ``not_converged``: this solver can't tell that there is none.

    Raises:
        SolverError: if the study can't be posed, or asks for what pandapower doesn't have.
    """
    net = model.net
    for name in REFUSED:
        if options.get(name) not in (None, False, "cost"):
            hint = "engine: auto has it, unless the grid has elements that only pandapower knows"
            raise SolverError(f"pandapower's optimal power flow has no {name}", hint=hint)
    every = {**model.costs, **costs}
    fixed = {place: curve for place, curve in every.items() if _is_fixed(net, *place[:2])}
    chosen = {place: curve for place, curve in every.items() if place not in fixed}
    shaping = {name: value for name, value in options.items() if name not in OWN}
    try:
        with _priced(net, chosen), unharmed(net):
            if dc:
                pandapower.rundcopp(net, **shaping)
            else:
                limit = FLOW_LIMITS[options.get("flow_limit", "power")]
                free = options.get("ext_grid_voltage") != "held"
                with _free_voltage(net, free=free), power_limits_on_new_scipy():
                    pandapower.runopp(net, numba=False, OPF_FLOW_LIM=limit, **shaping)
    except OPFNotConverged:
        detail = "pandapower's interior-point solver found no optimum"
        return Solution("not_converged", ENGINE, detail=detail)
    solution = results_of_network(model, dc=dc)
    for name in ("lam_p",) if dc else ("lam_p", "lam_q"):
        solution.elements["bus"][name] = net.res_bus[name].to_numpy(np.float64)
    constant = sum(curve.lines[0][1] for curve in chosen.values() if curve.lines)
    constant += _cost_of_the_fixed(net, fixed)
    return replace(solution, objective=float(net.res_cost) + constant)


def _is_fixed(net: pandapowerNet, element: str, position: int) -> bool:
    """Tell whether pandapower leaves an element as it is, and its cost out."""
    if element not in ("sgen", "load", "storage"):
        return False
    table = net[element]
    return "controllable" not in table or not table["controllable"].isin([True]).iloc[position]


def _cost_of_the_fixed(net: pandapowerNet, costs: Costs) -> float:
    """Tell what elements cost that can't be chosen, in currency an hour."""
    total = 0.0
    supplied = net.bus.index[net.res_bus["va_degree"].notna()]
    for (element, position, power), curve in costs.items():
        row = net[element].iloc[position]
        if row["in_service"] and row["bus"] in supplied:
            own = net[f"res_{element}"]["p_mw" if power == "p" else "q_mvar"]
            total += curve.at(float(own.iloc[position]))
    return total


@contextmanager
def _free_voltage(net: pandapowerNet, *, free: bool) -> Iterator[None]:
    """Let the voltage of external grids be chosen."""
    table = net.ext_grid
    if free:
        net.ext_grid = table.assign(controllable=True)
    try:
        yield
    finally:
        net.ext_grid = table


@contextmanager
def _priced(net: pandapowerNet, costs: Costs) -> Iterator[None]:
    """Lay cost curves over a network in place of its own."""
    tables = {name: net[name] for name in ("poly_cost", "pwl_cost")}
    polynomials: list[dict[str, Any]] = []
    pieces: list[dict[str, Any]] = []
    for (element, position, power), curve in costs.items():
        place = {"et": element, "element": int(net[element].index[position])}
        if curve.lines:
            pieces.append({**place, "power_type": power, "points": _pieces(curve.lines)})
        elif power == "p":
            c0, c1, c2 = curve.polynomial
            q0, q1, q2 = (
                costs[element, position, "q"].polynomial
                if (element, position, "q") in costs
                else (0.0, 0.0, 0.0)
            )
            polynomials.append(
                {
                    **place,
                    "cp0_eur": c0,
                    "cp1_eur_per_mw": c1,
                    "cp2_eur_per_mw2": c2,
                    "cq0_eur": q0,
                    "cq1_eur_per_mvar": q1,
                    "cq2_eur_per_mvar2": q2,
                }
            )
    for name, rows in (("poly_cost", polynomials), ("pwl_cost", pieces)):
        net[name] = pd.DataFrame(rows, columns=tables[name].columns)
    try:
        yield
    finally:
        for name, table in tables.items():
            net[name] = table


def _pieces(lines: tuple[tuple[float, float], ...]) -> list[list[float]]:
    """Lower end, upper end and slope of each piece of a convex curve."""
    corners = [
        (offset - after) / (steeper - slope)
        for (slope, offset), (steeper, after) in pairwise(lines)
        if steeper != slope
    ]
    ends = [-FARTHEST_MW, *corners, FARTHEST_MW]
    slopes = list(dict.fromkeys(slope for slope, _ in lines))
    return [[low, high, slope] for (low, high), slope in zip(pairwise(ends), slopes, strict=True)]
