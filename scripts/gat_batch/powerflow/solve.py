"""Power flows on the admittance model: no tables are turned into arrays and back for each state.

AC: Newton's method on pandapower's own admittances. DC: one factorisation a topology. A state that
the equations can't represent is left to pandapower.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import linalg

from ..model.solution import Solution
from ..model.voltage_units import reactive_limits
from .element_results import bus_power, solution_of
from .injections.demand import demand_of, injection_of
from .injections.state_columns import Columns
from .injections.unit_powers import active_powers, reactive_shares
from .outages import without
from .settled import settled
from .tap_control.controllers import has_controllers
from .tap_control.hold import held
from .tap_control.taps import tap_model_of
from .topology import Topology

ENGINE = "lightsim2grid"
"""What solves AC states."""

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
    from ..model.state import State
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
    demand = demand_of(model, own, column, options)
    if demand.contradictory:
        return None
    loading = str(options.get("trafo_loading", "current"))
    if not dc:
        return _ac_solution(own, demand, column, options, loading)
    angle = _angles(own, injection_of(own, demand))
    if angle is None:
        return None
    injected = dc_powers(own, demand, angle)
    return solution_of(
        model, own, demand, angle, injected, engine="scipy", iterations=None, trafo_loading=loading
    )


def _ac_solution(
    own: AdmittanceModel,
    demand: Demand,
    column: Columns,
    options: Mapping[str, Any],
    trafo_loading: str,
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
        trafo_loading=trafo_loading,
    )
    for element, positions in taps.items():
        solution.elements[element]["tap_pos"] = positions
    return solution


def dc_powers(
    admittances: AdmittanceModel, demand: Demand, angle: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """Return power of units in MW by the angles of a DC power flow, shape (units,)."""
    given = demand.running, demand.unit_mw
    needed = bus_power(admittances, angle).real + demand.bus.real
    power = active_powers(admittances.units, given, needed, admittances.ref, dc=True)
    return power.astype(np.complex128)


def ac_powers(
    admittances: AdmittanceModel,
    demand: Demand,
    voltage: NDArray[np.complex128],
    limits: NDArray[np.float64] | None,
) -> NDArray[np.complex128]:
    """Return power of units in MVA by the voltages of an AC power flow, shape (units,)."""
    needed = bus_power(admittances, voltage) + demand.bus
    units, on = admittances.units, np.flatnonzero(demand.running)
    power = active_powers(
        units, (demand.running, demand.unit_mw), needed.real, admittances.ref
    ).astype(np.complex128)
    power[on] += 1j * reactive_shares(units.row[on], limits, on, needed.imag)
    return power


def reactive_limits_of(
    admittances: AdmittanceModel, columns: Columns, options: Mapping[str, Any]
) -> NDArray[np.float64] | None:
    """Return limits of reactive power in MVAr, None if none share a bus and none is enforced."""
    units = admittances.units
    if not units.shared and not options.get("enforce_q_lims"):
        return None
    delta = float(options.get("delta_q", 0.0))
    if columns.changes("gen") or columns.changes("dcline"):
        return reactive_limits(units, columns.numbers, delta)
    return columns.once(
        ("reactive limits", delta), lambda: reactive_limits(units, columns.numbers, delta)
    )


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
        The equations, or None if the state loses a reference or, where nothing is held, if it is
        more than lines and transformers that leave the islands as they are.
    """
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


def _angles(
    admittances: AdmittanceModel, injection: NDArray[np.complex128]
) -> NDArray[np.complex128] | None:
    free = np.concatenate([admittances.pv, admittances.pq])
    angle = np.angle(admittances.start)
    kept = admittances.solvers
    if "lu" not in kept:
        try:
            kept["lu"] = linalg.splu(admittances.bus[free][:, free].tocsc())
        except RuntimeError:  # singular: pandapower says how it takes that
            return None
        kept["fixed"] = admittances.bus[free][:, admittances.ref] @ angle[admittances.ref]
    power = injection.real - admittances.bus_shift
    angle[free] = kept["lu"].solve(power[free] - kept["fixed"])
    if not np.isfinite(angle).all():
        return None
    # An angle may turn more than once: magnitudes carry the setpoints, angles stay as they are.
    return angle.astype(complex)
