"""What a state asks of a grid's equations: powers drawn and injected, voltages held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...model.nodal_power import AC_ONLY, SIGN, UNSERVED, given_power
from ...model.voltage_units import unit_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ...model.admittance_model import AdmittanceModel
    from ...model.grid_model import GridModel
    from .state_columns import Columns

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Demand:
    """What a state asks of the equations.

    Attributes:
        power: element -> power of each in MVA, in its table's sign, 0 where it has none.
        unit_mw: active power that units holding voltages are given, in MW, shape (units,).
        running: units that take part, shape (units,).
        bus: demand of each row in MVA, these units left out, shape (buses,).
        vm: setpoint of each row's voltage in p.u., 1 where there is none.
        contradictory: whether units at one bus ask for different voltages.
        bus_in: buses that are in service, shape (table of buses,).
        unserved_mw: load that the state cuts off, in MW.
        lost_generation_mw: generation that it cuts off, in MW.
    """

    power: Mapping[str, Complexes]
    unit_mw: Reals
    running: Flags
    bus: Complexes
    vm: Reals
    contradictory: bool
    bus_in: Flags
    unserved_mw: float
    lost_generation_mw: float


def demand_of(
    model: GridModel,
    admittances: AdmittanceModel,
    column: Columns,
    options: Mapping[str, Any] | None = None,
) -> Demand:
    """Tell what a state asks of some equations.

    Args:
        model: the model.
        admittances: the equations of the state's topology.
        column: the state.
        options: solver options; those that hold units within their limits count.
    """
    options = options or {}
    supplied, units = admittances.supplied, admittances.units
    lost = {}
    power: dict[str, Complexes] = {}
    bus = np.zeros(admittances.buses, np.complex128)
    for element, sign in SIGN.items():
        rows = admittances.row.get(element)
        if rows is None:
            continue
        values = _given(element, column, options)
        here = supplied[rows]
        power[element] = np.where(here, values, 0.0)
        lost[element] = values.real[~here & ~model.cut_off[model.position[element]]]
        if not (admittances.dc and element in AC_ONLY):
            met = rows < admittances.buses
            np.add.at(bus, rows[met], sign * power[element][met])
    given = unit_state(units, column.numbers, options)
    running = given.in_service & supplied[units.row]
    generators = units.span["gen"]
    gone = (given.in_service & ~running)[generators] & ~model.cut_off[model.position["gen"]]
    lost["gen"] = given.p_mw[generators][gone]
    rows, setpoints = units.row[running], given.vm_pu[running]
    vm = np.ones(len(admittances.kv))
    vm[rows] = setpoints
    stored = lost.get("storage", np.zeros(0))
    lost["storage"] = np.maximum(stored, 0.0)
    return Demand(
        power=power,
        unit_mw=np.where(running, given.p_mw, 0.0),
        running=running,
        bus=bus,
        vm=vm,
        # As pandapower compares them.
        contradictory=units.shared and not np.allclose(setpoints, vm[rows]),
        bus_in=column("bus", "in_service").astype(bool),
        unserved_mw=float(sum(lost[name].sum() for name in (*UNSERVED, "storage") if name in lost)),
        lost_generation_mw=float(
            sum(lost[name].sum() for name in ("gen", "sgen", "asymmetric_sgen") if name in lost)
            - np.minimum(stored, 0.0).sum()
        ),
    )


def _given(element: str, column: Columns, options: Mapping[str, Any]) -> Complexes:
    """Return the power of elements; of those that no state changes once and for all."""
    held = element == "sgen" and (options.get("enforce_p_lims"), options.get("enforce_q_lims"))
    if column.changes(element):
        return given_power(element, column.numbers, options)
    return column.once(
        (element, "power", held), lambda: given_power(element, column.numbers, options)
    )


def injection_of(admittances: AdmittanceModel, demand: Demand) -> Complexes:
    """Return power that is injected at each supplied bus, in p.u."""
    power = -demand.bus
    running = demand.running
    np.add.at(power, admittances.units.row[running], demand.unit_mw[running])
    return power / admittances.base_mva
