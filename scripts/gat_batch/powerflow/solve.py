"""Power flows on the admittance model: no tables are turned into arrays and back for each state.

AC: Newton's method on pandapower's own admittances. DC: one factorisation a topology. A state that
the equations can't represent is left to pandapower.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.nodal_power import SIGN
from ..model.solution import Solution
from ..model.state import State
from .block import (
    ENGINE,
    loading_by,
    no_block,
    reactive_limits_of,
    solved_alone,
    solved_together,
)
from .element_results import solution_of
from .injections.demand import demand_of
from .injections.state_columns import Columns
from .outages import without
from .settled import follows_solution, settled
from .tap_control.controllers import has_controllers
from .tap_control.hold import held
from .tap_control.taps import tap_model_of
from .topology import Topology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
    from ..model.solution import BlockSolution
    from .injections.demand import Demand


def solve_power_flow(
    model: GridModel,
    state: State,
    admittances: AdmittanceModel,
    options: Mapping[str, Any],
    *,
    dc: bool,
) -> Solution | None:
    """Solve one state on the admittance model.

    Args:
        model: the model; its network isn't touched.
        state: what differs from the grid as given.
        admittances: the equations of the grid as given.
        options: solver options, all of them as :func:`equations.cached_admittances` takes them.
        dc: whether the equations are those of a DC power flow.

    Returns:
        The solution, or None if pandapower has to solve this state.
    """
    column = Columns(model, state)
    own = topology_of(admittances, column)
    if own is None:
        return None
    if dc or not follows_solution(own, column, options):
        return solved_alone(own, column, options)
    demand = demand_of(model, own, column, options)
    if demand.contradictory:
        return None
    return _ac_solution(own, demand, column, options)


def solve_block(
    model: GridModel,
    states: Sequence[State],
    admittances: AdmittanceModel,
    options: Mapping[str, Any],
    *,
    dc: bool,
) -> tuple[NDArray[np.int64], BlockSolution | None]:
    """Solve states that have one topology, all together.

    Newton's method runs state by state, everything else for all of them at once. What a state's
    solution is doesn't depend on the others.

    Args:
        model: the model; its network isn't touched.
        states: the states.
        admittances: the equations of the grid as given.
        options: solver options, as for :func:`solve_power_flow`.
        dc: whether the equations are those of a DC power flow.

    Returns:
        Numbers of the states that were solved, ascending, and their solutions; the others have to
        be solved one by one.
    """
    state = stacked(states)
    if state is None:
        return no_block()
    column = Columns(model, state, (len(states),))
    own = topology_of(admittances, column)
    if own is None or (not dc and follows_solution(own, column, options)):
        return no_block()
    return solved_together(own, column, options)


def stacked(states: Sequence[State]) -> State | None:
    """Return states as one with values of shape (states, elements), None if they are of two kinds.

    What they share, outages above all, stays as it is.
    """
    first = states[0]
    places = [(change.element, change.column) for change in first.changes]
    if any(
        [(change.element, change.column) for change in state.changes] != places for state in states
    ):
        return None
    changes = []
    for alike in zip(*(state.changes for state in states), strict=True):
        values = alike[0].values
        if not all(change.values is values for change in alike):
            if alike[0].column not in VARYING:
                if not all(np.array_equal(change.values, values) for change in alike):
                    return None
                changes.append(alike[0])
                continue
            values = np.array([change.values for change in alike])
        changes.append(replace(alike[0], values=values))
    return State(None, tuple(changes))


VARYING = ("p_mw", "q_mvar", "vm_pu", "scaling")
"""Columns that may differ between states of a block: they don't touch the equations."""


def _ac_solution(
    own: AdmittanceModel,
    demand: Demand,
    column: Columns,
    options: Mapping[str, Any],
) -> Solution | None:
    """Solve an AC state, with taps that controllers hold if that is asked for."""
    limits = reactive_limits_of(own, column, options)
    solve = partial(settled, demand=demand, column=column, limits=limits, options=options)
    taps: dict[str, NDArray[np.float64]] = {}
    if options.get("tap_control") and has_controllers(column):
        controlled = held(own, column, tap_model_of(column.model, options), solve)
        if controlled is None:
            return None
        if controlled.hunting:
            iterations = controlled.settled.iterations
            return Solution("not_converged", ENGINE, iterations, detail=controlled.hunting)
        found, taps = controlled.settled, controlled.taps
    else:
        alone = solve(own)
        if alone is None:
            return None
        found = alone
    solution = solution_of(
        column.model,
        found.admittances,
        found.demand,
        found.voltage,
        found.injected,
        engine=ENGINE,
        iterations=found.iterations,
        trafo_loading=loading_by(options),
    )
    for element, positions in taps.items():
        solution.elements[element]["tap_pos"] = positions
    return solution


def topology_of(
    admittances: AdmittanceModel, columns: Columns, *, held: bool = True
) -> AdmittanceModel | None:
    """Return the equations of a state's topology.

    Args:
        admittances: the equations of the grid as given.
        columns: the state.
        held: whether generators hold voltages. Where they don't, equations with buses cut off are
            of no use.

    Returns:
        The equations, or None if the state loses a reference or changes more than outages do; and
        where nothing is held, if it is more than lines and transformers that leave the islands as
        they are.
    """
    if not _is_of_outages(columns):
        return None
    outages = _outages_of(columns)
    if outages.get("dcline"):  # its ends no longer hold voltages, which a cut knows of generators
        return None
    if not held:
        rows = admittances.row["gen"][list(outages.pop("gen", ()))]
        if np.isin(rows, admittances.ref).any():
            return None
    if not any(outages.values()):
        return admittances
    kept = admittances.solvers
    # Snapshots of a scenario share their outages.
    if kept.get("outages") != outages:
        if "topology" not in kept:
            kept["topology"] = Topology(admittances, columns.net)
        cut = kept["topology"].cut(outages)
        whole = cut is not None and not len(cut.dead) and not len(cut.hanging)
        plain = outages.keys() <= {"line", "trafo"}
        kept["outages"] = outages
        kept["own"] = (
            None if cut is None or not (held or (whole and plain)) else without(admittances, cut)
        )
    own: AdmittanceModel | None = kept["own"]
    return own


INJECTING = (*SIGN, "gen", "ext_grid", "dcline")
"""Elements whose columns are read for each state."""

EQUATIONS = {"gen": ("slack",), "ext_grid": ("va_degree",), "ward": ("pz_mw", "qz_mvar")}
EQUATIONS["xward"] = ("pz_mw", "qz_mvar", "r_ohm", "x_ohm")
"""Columns of these that stand in the equations all the same."""


def _is_of_outages(columns: Columns) -> bool:
    """Tell whether equations of another topology are all that a state's changes need.

    Taps, steps, switches, and what goes into service are no outages.
    """
    for (element, column), values in columns.changed.items():
        if column == "in_service":
            given = columns.net[element]["in_service"].to_numpy(bool)
            if element not in SIGN and (values.astype(bool) & ~given).any():
                return False
        elif element in INJECTING and column not in EQUATIONS.get(element, ()):
            continue
        elif not column.startswith(("max_", "min_")):
            given = columns.numbers_as_given(element, column)
            if not np.array_equal(np.nan_to_num(values.astype(float)), np.nan_to_num(given)):
                return False
    return True


def _outages_of(columns: Columns) -> dict[str, tuple[int, ...]]:
    """Element -> positions of what a state takes out of service, injections left out."""
    return {
        element: tuple(
            np.flatnonzero(
                columns.net[element]["in_service"].to_numpy(bool) & ~values.astype(bool)
            ).tolist()
        )
        for (element, column), values in columns.changed.items()
        if column == "in_service" and element not in ("load", "sgen")
    }
