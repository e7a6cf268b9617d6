"""States of one topology, solved together on its equations.

Newton's method, or the triangular solves of a DC power flow, run state by state; everything else is
computed for all states at once. No state's numbers depend on the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import linalg

from ..model.voltage_units import reactive_limits
from .element_results import block_solution_of, bus_power, solution_of
from .injections.demand import demand_of, injection_of
from .injections.unit_powers import active_powers, reactive_shares
from .newton import newton_each

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.solution import BlockSolution, Solution
    from .injections.demand import Demand
    from .injections.state_columns import Columns

ENGINE = "lightsim2grid"
"""What solves AC states."""


def no_block() -> tuple[NDArray[np.int64], BlockSolution | None]:
    """Return what says that no state of a block was solved with the others."""
    return np.empty(0, np.int64), None


def solved_together(
    own: AdmittanceModel, column: Columns, options: Mapping[str, Any]
) -> tuple[NDArray[np.int64], BlockSolution | None]:
    """Solve the states of a block on the equations of their topology."""
    demand = demand_of(column.model, own, column, options)
    if demand.contradictory:
        return no_block()
    solved, voltage, iterations = _solved(own, injection_of(own, demand), demand.vm, options)
    numbers = np.flatnonzero(solved)
    if not len(numbers):
        return no_block()
    if len(numbers) < len(solved):
        demand, voltage, iterations = demand.only(numbers), voltage[numbers], iterations[numbers]
    solution = block_solution_of(
        column.model,
        own,
        demand,
        voltage,
        _injected(own, demand, voltage, column, options),
        engine="scipy" if own.dc else ENGINE,
        iterations=None if own.dc else iterations,
        trafo_loading=loading_by(options),
    )
    return numbers, solution


def solved_alone(
    own: AdmittanceModel, column: Columns, options: Mapping[str, Any]
) -> Solution | None:
    """Solve one state: the same steps without the axis of states, which small grids would feel."""
    demand = demand_of(column.model, own, column, options)
    if demand.contradictory:
        return None
    power = injection_of(own, demand)
    solved, voltages, iterations = _solved(own, power[None], demand.vm[None], options)
    if not solved[0]:
        return None
    voltage = voltages[0]
    return solution_of(
        column.model,
        own,
        demand,
        voltage,
        _injected(own, demand, voltage, column, options),
        engine="scipy" if own.dc else ENGINE,
        iterations=None if own.dc else int(iterations[0]),
        trafo_loading=loading_by(options),
    )


def loading_by(options: Mapping[str, Any]) -> str:
    """Return what a transformer's loading refers to: ``current`` or ``power``."""
    return str(options.get("trafo_loading", "current"))


def _solved(
    own: AdmittanceModel,
    power: NDArray[np.complex128],
    vm: NDArray[np.float64],
    options: Mapping[str, Any],
) -> tuple[NDArray[np.bool_], NDArray[np.complex128], NDArray[np.int64]]:
    """Solve the equations of states: which are solved, voltages or angles of DC, iterations."""
    if not own.dc:
        return newton_each(own, power, vm, options)
    angle = _angles(own, power)
    solved = np.logical_and.reduce(np.isfinite(angle), axis=1)
    return solved, angle, np.zeros(len(angle), np.int64)


def _injected(
    own: AdmittanceModel,
    demand: Demand,
    voltage: NDArray[np.complex128],
    column: Columns,
    options: Mapping[str, Any],
) -> NDArray[np.complex128]:
    """Return power of the units that hold voltages in MVA, shape (..., units)."""
    if own.dc:
        return dc_powers(own, demand, voltage)
    return ac_powers(own, demand, voltage, reactive_limits_of(own, column, options))


def dc_powers(
    admittances: AdmittanceModel, demand: Demand, angle: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """Return power of units in MW by the angles of a DC power flow, shape (..., units)."""
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
    """Return power of units in MVA by the voltages of an AC power flow, shape (..., units)."""
    needed = bus_power(admittances, voltage) + demand.bus
    units, on = admittances.units, np.flatnonzero(demand.running)
    power = active_powers(
        units, (demand.running, demand.unit_mw), needed.real, admittances.ref
    ).astype(np.complex128)
    power[..., on] += 1j * reactive_shares(units.row[on], limits, on, needed.imag)
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


def _angles(
    admittances: AdmittanceModel, injection: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """Return angles of a DC power flow, shape (states, buses), NaN if there is no solution."""
    free = admittances.free
    given = np.angle(admittances.start)
    angle = np.tile(given, (len(injection), 1))
    kept = admittances.solvers
    if "lu" not in kept:
        try:
            kept["lu"] = linalg.splu(admittances.bus[free][:, free].tocsc())
        except RuntimeError:  # singular: pandapower says how it takes that
            angle[:] = np.nan
            return angle.astype(complex)
        kept["fixed"] = admittances.bus[free][:, admittances.ref] @ given[admittances.ref]
    power = (injection.real - admittances.bus_shift).take(free, axis=1) - kept["fixed"]
    # One by one: of several together the last digits would depend on how many there are.
    angle[:, free] = [kept["lu"].solve(one) for one in power]
    # An angle may turn more than once: magnitudes carry the setpoints, angles stay as they are.
    return angle.astype(complex)
