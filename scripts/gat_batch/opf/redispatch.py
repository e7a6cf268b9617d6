"""Redispatch: what it costs to deviate from the dispatch that is given, up and down.

For congestion: the market's dispatch breaks limits of the grid, and the least change is wanted that
keeps them. Each MW more costs a unit's price ``redispatch_up``, each MW less ``redispatch_down``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.costs import Curve
from ..powerflow.admittances import SHAPING, cached_admittances
from ..powerflow.injections.state_columns import Columns
from ..powerflow.solve import solve_power_flow
from ..study.opf_tables import REDISPATCH
from .units import DISPATCHED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.costs import Costs
    from ..model.grid_model import GridModel
    from ..model.state import State

USUAL_PRICE = 1.0
"""Where there is none, so that the least number of MW is moved."""


def with_deviations(
    model: GridModel, state: State, options: Mapping[str, Any], *, dc: bool
) -> State | str:
    """Return a state in which power costs what it deviates from what is given.

    Args:
        model: the model, with no state laid over its network.
        state: the state.
        options: options of an optimal power flow.
        dc: whether it is a DC optimal power flow.

    Returns:
        The state, or why there is no dispatch to deviate from.
    """
    column = Columns(model, state)
    given = {
        element: column(element, "p_mw").astype(float) * column(element, "scaling")
        for element in DISPATCHED
        if element != "ext_grid"
    }
    if len(model.net.ext_grid):
        balance = _external_grids(model, state, options, dc=dc)
        if balance is None:
            return "the dispatch that is given has no power flow"
        given["ext_grid"] = balance
    if len(model.net.dcline):
        given["dcline"] = np.abs(column.numbers("dcline", "p_mw"))
    costs: Costs = {}
    for element, powers in given.items():
        up, down = (_prices(column, element, name) for name in REDISPATCH)
        for position, power in enumerate(powers.tolist()):
            more, less = up[position], down[position]
            lines = ((more, -more * power), (-less, less * power))
            costs[element, position, "p"] = Curve(lines=lines)
    return replace(state, costs=costs)


def _prices(column: Columns, element: str, name: str) -> list[float]:
    values = column.numbers(element, name)
    usual: list[float] = np.where(np.isnan(values), USUAL_PRICE, values).tolist()
    return usual


def _external_grids(
    model: GridModel, state: State, options: Mapping[str, Any], *, dc: bool
) -> NDArray[np.float64] | None:
    """Return what external grids give in MW by the power flow of the dispatch that is given.

    By an AC power flow if there is one, else by DC.
    """
    shape = {name: value for name, value in options.items() if name in SHAPING}
    for solver in ("dc",) if dc else ("ac", "dc"):
        kept = cached_admittances(model, solver, shape)
        if isinstance(kept, str):
            continue
        found = solve_power_flow(model, state, kept, shape, dc=solver == "dc")
        if found is not None and found.elements:
            return found.elements["ext_grid"]["p_mw"]
    return None
