"""The dispatch adjusted after a loss: at least deviation, so that normal ratings hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..opf.secured import dispatched
from ..opf.solve import solve_opf
from ..opf.units import DISPATCHED
from ..powerflow.injections.state_columns import Columns
from ..study.solver_options import DC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.grid_model import GridModel
    from ..model.state import State

LEAST_MW = 1e-6
"""Redispatch below which there is none."""


def redispatched(model: GridModel, state: State, options: Mapping[str, Any]) -> tuple[State, str]:
    """Adjust the dispatch of a state.

    Args:
        model: the model, with no state laid over its network.
        state: the state after a loss.
        options: solver options of the study; those that DC power flows know count.

    Returns:
        The state with the least redispatch by a DC optimal power flow that keeps all ratings, or
        as it was if there is none; and what was done, in words.
    """
    plain = {name: value for name, value in options.items() if name in DC}
    found = solve_opf(model, (state,), "dc_opf", {**plain, "objective": "redispatch"})
    if isinstance(found, str):
        return state, f"not adjusted: {found}"
    solution = found[0]
    if not solution.elements:
        return state, f"not adjusted: {solution.detail or 'there is no dispatch to adjust'}"
    column = Columns(model, state)
    moved = 0.0
    for element in DISPATCHED:
        if element != "ext_grid" and len(model.net[element]):
            given = column(element, "p_mw").astype(float) * column(element, "scaling")
            live = column(element, "in_service").astype(bool)
            chosen = solution.elements[element]["p_mw"]
            moved += float(np.nansum(np.abs(chosen - given)[live]))
    if moved < LEAST_MW:
        return state, ""
    return dispatched(model, state, solution), f"after a redispatch of {moved:.4g} MW"
