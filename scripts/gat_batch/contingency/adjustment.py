"""The dispatch adjusted after a loss: at least deviation, so that normal ratings hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.state import Change
from ..opf.secured import dc_line_power, dispatched
from ..opf.solve import solve_opf
from ..opf.units import DISPATCHED
from ..powerflow.injections.state_columns import Columns
from ..study.scenario import BRANCHES
from ..study.solver_options import DC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.grid_model import GridModel
    from ..model.solution import Solution
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
    posed = with_normal_ratings(model, state)
    found = solve_opf(model, (posed,), "dc_opf", {**plain, "objective": "redispatch"})
    if isinstance(found, str):
        return state, f"not adjusted: {found}"
    solution = found[0]
    if not solution.elements:
        return state, f"not adjusted: {solution.detail or 'there is no dispatch to adjust'}"
    moved = moved_mw(model, state, solution)
    if moved < LEAST_MW:
        return state, ""
    return dispatched(model, state, solution), f"after a redispatch of {moved:.4g} MW"


def with_normal_ratings(model: GridModel, state: State) -> State:
    """Return a state in which branches that say nothing else may be loaded by 100 %.

    Args:
        model: the model.
        state: the state.
    """
    column = Columns(model, state)
    changes = []
    for element in BRANCHES:
        most = column.numbers(element, "max_loading_percent")
        if np.isnan(most).any():
            changes.append(Change(element, "max_loading_percent", np.nan_to_num(most, nan=100.0)))
    return replace(state, changes=(*state.changes, *changes))


def moved_mw(model: GridModel, state: State, solution: Solution) -> float:
    """Return the MW that an optimum moves in all, external grids apart.

    Args:
        model: the model.
        state: the state before.
        solution: the optimum.
    """
    column = Columns(model, state)
    moved = 0.0
    for element in DISPATCHED:
        if element != "ext_grid" and len(model.net[element]):
            given = column(element, "p_mw").astype(float) * column(element, "scaling")
            live = column(element, "in_service").astype(bool)
            chosen = solution.elements[element]["p_mw"]
            moved += float(np.nansum(np.abs(chosen - given)[live]))
    if len(model.net.dcline):
        change = dc_line_power(column, solution) - column.numbers("dcline", "p_mw")
        moved += float(np.abs(change)[column("dcline", "in_service").astype(bool)].sum())
    return moved
