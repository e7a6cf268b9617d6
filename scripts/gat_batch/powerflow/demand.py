"""What a state asks of a grid's equations: powers drawn and injected, voltages held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
    from .state_columns import Columns


@dataclass(frozen=True)
class Demand:
    """What a state asks of the equations.

    Attributes:
        load: demand of each load in MVA, 0 where it has none, shape (loads,).
        sgen: generation of each static generator in MVA, shape (sgens,).
        gen: active power of each generator in MW, shape (gens,).
        running: generators that take part, shape (gens,).
        fed: external grids that take part, shape (external grids,).
        bus: demand of each row in MVA, generators left out, shape (buses,).
        vm: setpoint of each row's voltage in p.u., 1 where there is none.
        bus_in: buses that are in service, shape (table of buses,).
        unserved_mw: load that the state cuts off, in MW.
        lost_generation_mw: generation that it cuts off, in MW.
    """

    load: NDArray[np.complex128]
    sgen: NDArray[np.complex128]
    gen: NDArray[np.float64]
    running: NDArray[np.bool_]
    fed: NDArray[np.bool_]
    bus: NDArray[np.complex128]
    vm: NDArray[np.float64]
    bus_in: NDArray[np.bool_]
    unserved_mw: float
    lost_generation_mw: float


def demand_of(model: GridModel, admittances: AdmittanceModel, column: Columns) -> Demand:
    """Tell what a state asks of some equations.

    Args:
        model: the model.
        admittances: the equations of the state's topology.
        column: the state.
    """
    supplied = admittances.supplied
    power, lost = {}, {}
    bus = admittances.rest.copy()
    for element, sign in (("load", 1.0), ("sgen", -1.0)):
        rows = admittances.row[element]
        live = column(element, "in_service").astype(bool)
        values = column(element, "p_mw").astype(float) + 1j * column(element, "q_mvar")
        values = np.where(live, values * column(element, "scaling"), 0.0)
        power[element] = np.where(supplied[rows], values, 0.0)
        lost[element] = values.real[~supplied[rows] & ~model.cut_off[model.position[element]]]
        met = rows < admittances.buses
        np.add.at(bus, rows[met], sign * power[element][met])
    bus[admittances.dead] = 0.0
    rows = admittances.row["gen"]
    given = column("gen", "in_service").astype(bool)
    output = column("gen", "p_mw").astype(float) * column("gen", "scaling")
    running = given & supplied[rows]
    lost["gen"] = output[given & ~running & ~model.cut_off[model.position["gen"]]]
    gen = np.where(running, output, 0.0)
    vm = np.ones(len(admittances.kv))
    vm[rows[running]] = column("gen", "vm_pu")[running]
    grids = admittances.row["ext_grid"]
    fed = column("ext_grid", "in_service").astype(bool) & supplied[grids]
    vm[grids[fed]] = column("ext_grid", "vm_pu")[fed]
    return Demand(
        load=power["load"],
        sgen=power["sgen"],
        gen=gen,
        running=running,
        fed=fed,
        bus=bus,
        vm=vm,
        bus_in=column("bus", "in_service").astype(bool),
        unserved_mw=float(lost["load"].sum()),
        lost_generation_mw=float(lost["sgen"].sum() + lost["gen"].sum()),
    )


def injection_of(admittances: AdmittanceModel, demand: Demand) -> NDArray[np.complex128]:
    """Return power that is injected at each supplied bus, in p.u."""
    power = -demand.bus
    np.add.at(power, admittances.row["gen"][demand.running], demand.gen[demand.running])
    return power / admittances.base_mva
