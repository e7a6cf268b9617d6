"""What a state asks of a grid's equations: powers drawn and injected, voltages held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...model.nodal_power import AC_ONLY, SIGN, UNSERVED, given_power
from ...model.voltage_units import unit_state
from ..at_buses import add_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ...model.admittance_model import AdmittanceModel
    from ...model.grid_model import GridModel
    from .state_columns import Columns

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Demand:
    """What a state asks of the equations, or each state of a block, which comes first in shapes.

    Attributes:
        power: element -> power of each in MVA, in its table's sign, 0 where it has none, shape
            (..., elements); of elements that no state changes without the states.
        unit_mw: active power that units holding voltages are given, in MW, shape (..., units).
        running: units that take part, shape (units,).
        bus: demand of each row in MVA, these units left out, shape (..., buses).
        vm: setpoint of each row's voltage in p.u., 1 where there is none, shape (..., rows).
        contradictory: whether units at one bus ask for different voltages, in any state.
        bus_in: buses that are in service, shape (table of buses,).
        unserved_mw: load that the state cuts off, in MW, shape (...).
        lost_generation_mw: generation that it cuts off, in MW, shape (...).
    """

    power: Mapping[str, Complexes]
    unit_mw: Reals
    running: Flags
    bus: Complexes
    vm: Reals
    contradictory: bool
    bus_in: Flags
    unserved_mw: Any
    lost_generation_mw: Any

    def only(self, numbers: NDArray[np.int64]) -> Demand:
        """Return what some states of a block ask, by their numbers."""
        wide = {
            name: getattr(self, name) for name in ("bus", "vm", "unserved_mw", "lost_generation_mw")
        }
        return replace(
            self,
            power={
                element: power[numbers] if power.ndim > 1 else power
                for element, power in self.power.items()
            },
            unit_mw=self.unit_mw[numbers] if self.unit_mw.ndim > 1 else self.unit_mw,
            **{name: values[numbers] for name, values in wide.items()},
        )


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
        column: the state, or states of a block with the same elements in service.
        options: solver options; those that hold units within their limits count.
    """
    options = options or {}
    supplied, units = admittances.supplied, admittances.units
    lost = {}
    power: dict[str, Complexes] = {}
    bus = np.zeros((*column.states, admittances.buses), np.complex128)
    for element, sign in SIGN.items():
        rows = admittances.row.get(element)
        if rows is None:
            continue
        values = _given(element, column, options)
        here = supplied[rows]
        power[element] = np.where(here, values, 0.0)
        lost[element] = values.real[..., ~here & ~model.cut_off[model.position[element]]]
        if not (admittances.dc and element in AC_ONLY):
            met = rows < admittances.buses
            add_at(bus, rows[met], sign * power[element][..., met])
    given = unit_state(units, column.numbers, options)
    running = given.in_service & supplied[units.row]
    generators = units.span["gen"]
    gone = (given.in_service & ~running)[generators] & ~model.cut_off[model.position["gen"]]
    lost["gen"] = given.p_mw[..., generators][..., gone]
    rows, setpoints = units.row[running], given.vm_pu[..., running]
    vm = np.ones((*column.states, len(admittances.kv)))
    vm[..., rows] = setpoints
    stored = lost.get("storage", np.zeros(0))
    lost["storage"] = np.maximum(stored, 0.0)
    return Demand(
        power=power,
        unit_mw=np.where(running, given.p_mw, 0.0),
        running=running,
        bus=bus,
        vm=vm,
        # As pandapower compares them.
        contradictory=units.shared and not np.allclose(setpoints, vm[..., rows]),
        bus_in=column("bus", "in_service").astype(bool),
        unserved_mw=_total(lost, (*UNSERVED, "storage"), column.states),
        lost_generation_mw=_total(lost, ("gen", "sgen", "asymmetric_sgen"), column.states)
        - _total({"storage": np.minimum(stored, 0.0)}, ("storage",), column.states),
    )


def _total(lost: Mapping[str, Reals], elements: Sequence[str], states: tuple[int, ...]) -> Any:
    """Return the sum over elements in MW, shape (...)."""
    total = np.zeros(states)
    for element in elements:
        if element in lost:
            # Sums of rows that lie apart would be rounded otherwise.
            total = total + np.ascontiguousarray(lost[element]).sum(axis=-1)
    return total if states else float(total)


def _given(element: str, column: Columns, options: Mapping[str, Any]) -> Complexes:
    """Return the power of elements; of those that no state changes once and for all."""
    held = element == "sgen" and (options.get("enforce_p_lims"), options.get("enforce_q_lims"))
    if column.changes(element):
        return given_power(element, column.numbers, options)
    return column.once(
        (element, "power", held), lambda: given_power(element, column.numbers, options)
    )


def injection_of(admittances: AdmittanceModel, demand: Demand) -> Complexes:
    """Return power that is injected at each supplied bus, in p.u., shape (..., buses)."""
    power = -demand.bus
    running = demand.running
    add_at(power, admittances.units.row[running], demand.unit_mw[..., running])
    return power / admittances.base_mva
