"""The dispatch adjusted after a loss: at least deviation, so that ratings hold."""

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

    from ..model.criteria import Criteria
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
    posed = with_ratings(model, state)
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


def with_ratings(model: GridModel, state: State, criteria: Criteria | None = None) -> State:
    """Return a state in which a DC program keeps the ratings by which loadings are judged.

    A program counts currents at 1 p.u., a DC power flow at the voltages that generators hold, and
    the worse end of a branch counts.

    Args:
        model: the model.
        state: the state.
        criteria: what counts as a violation; None for the normal ratings, each branch with its
            own most loading, if the grid has one.
    """
    column = Columns(model, state)
    held = np.ones(len(model.net.bus))
    for element in ("gen", "ext_grid"):
        live = column(element, "in_service").astype(bool)
        held[model.position[element][live]] = column.numbers(element, "vm_pu")[live]
    changes = []
    for element in BRANCHES:
        table = model.net[element]
        if not len(table):
            continue
        most = column.numbers(element, "max_loading_percent")
        if criteria is None:
            most = np.nan_to_num(most, nan=100.0)
        else:
            limit = criteria.limits.loading_percent
            most = limit / criteria.share.get(element, np.ones(len(table)))
        lowest = np.min(
            [held[model.net.bus.index.get_indexer(table[side])] for side in ENDS[element]], axis=0
        )
        values = most * np.minimum(lowest, 1.0)
        changes.append(Change(element, "max_loading_percent", values))
    return replace(state, changes=(*state.changes, *changes))


ENDS = {
    "line": ("from_bus", "to_bus"),
    "trafo": ("hv_bus", "lv_bus"),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus"),
}
"""Columns of the buses of branches."""


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
