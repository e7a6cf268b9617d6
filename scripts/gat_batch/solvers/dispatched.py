"""The dispatch of a power flow chosen by an optimal power flow before it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SolverError
from ..model.solution import Solution
from ..study.solver_options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from ..model.grid_model import GridModel
    from ..model.state import Change, State

SAME_DEGREE = 1e-9
"""Angles that differ by less are the same: an optimum has them in radians."""

FIXED = ("sgen", "load", "storage")
"""Elements that an optimum may choose only if their column ``controllable`` says so."""


def dispatched(
    model: GridModel,
    state: State,
    options: Mapping[str, Any],
    optimise: Callable[[State, str, dict[str, Any]], Solution],
) -> State | Solution:
    """Return a state with the dispatch that is cheapest before its outages.

    Args:
        model: the model, with no state laid over its network.
        state: the state; what it takes out of service is there while the dispatch is chosen.
        options: options of its power flow, among them ``dispatch``.
        optimise: solves an optimal power flow, given a state, a solver and options.

    Returns:
        The state with powers of an optimum, and those voltages of an AC one that generators hold;
        or, if there is no optimum, a solution that says why.

    Raises:
        SolverError: if the grid has DC lines, whose power an optimum chooses too.
    """
    solver = str(options["dispatch"])
    if len(model.net.dcline):
        what = "an optimum chooses the power of DC lines, and a power flow can't be given it"
        raise SolverError(what, field="options.dispatch", hint="leave dispatch out")
    whole = replace(
        state, changes=tuple(one for one in state.changes if one.column != "in_service")
    )
    own = {name: value for name, value in options.items() if name in OPTIONS[solver]}
    optimum = optimise(whole, solver, own)
    if not optimum.elements:
        detail = f"the optimal power flow that chooses the dispatch: {optimum.detail}"
        return Solution(optimum.status, optimum.engine, optimum.iterations, detail=detail)
    chosen = tuple(_chosen(model, whole, optimum, dc=solver == "dc_opf"))
    return replace(state, changes=(*state.changes, *chosen))


def _chosen(model: GridModel, state: State, optimum: Solution, *, dc: bool) -> Iterator[Change]:
    """Yield what an optimum chose, as columns of tables."""
    from ..model.state import Change
    from ..powerflow.injections.state_columns import Columns

    column = Columns(model, state)

    def power(element: str, name: str) -> Iterator[Change]:
        scaling = column(element, "scaling").astype(float)
        given = column(element, name).astype(float)
        values = optimum.elements[element][name]
        free = (scaling != 0) & ~np.isnan(values)
        if element in FIXED:
            free &= column.flags(element, "controllable", default=False)
        if free.any():
            divided = np.divide(values, scaling, out=given.copy(), where=free)
            yield Change(element, name, divided)

    if len(model.net.gen):
        yield from power("gen", "p_mw")
    for element in FIXED:
        if len(model.net[element]):
            yield from power(element, "p_mw")
            if not dc:
                yield from power(element, "q_mvar")
    if dc:
        return
    for element, name, quantity in (
        ("gen", "vm_pu", "vm_pu"),
        ("ext_grid", "vm_pu", "vm_pu"),
        ("ext_grid", "va_degree", "va_degree"),
    ):
        values = optimum.elements["bus"][quantity][model.position[element]]
        given = column(element, name).astype(float)
        live = column(element, "in_service").astype(bool) & ~np.isnan(values)
        if quantity == "va_degree":
            live &= np.abs(values - given) > SAME_DEGREE
        if live.any():
            yield Change(element, name, _replaced(given, values, live))


def _replaced(
    given: NDArray[np.float64], values: NDArray[np.float64], which: NDArray[np.bool_]
) -> NDArray[np.float64]:
    return np.where(which, values, given)
