"""A solution mapped back from rows of the admittance model to pandapower's elements.

Compare ``pandapower.results_branch`` and ``pandapower.results_bus``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..model.quantities import REACTIVE
from ..model.solution import Solution
from .branch_flows import ac_flows, branch_results, dc_flows
from .pandapower_results import cut_off, voltage_extremes, worst_loading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
    from .demand import Demand

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Quantities = dict[str, Reals]


@dataclass(frozen=True)
class Powers:
    """What elements draw and inject, in MVA, 0 where they don't.

    Attributes:
        load, sgen, gen, ext_grid: of each element, in pandapower's sign convention.
        running: generators that take part, shape (gens,).
    """

    load: Complexes
    sgen: Complexes
    gen: Complexes
    ext_grid: Complexes
    running: NDArray[np.bool_]


def solution_of(
    model: GridModel,
    admittances: AdmittanceModel,
    demand: Demand,
    voltage: Complexes,
    *,
    dc: bool,
    engine: str,
    iterations: int | None,
    trafo_loading: str,
) -> Solution:
    """Map a solution back.

    Args:
        model: the model.
        admittances: the equations.
        demand: what the state asked of them.
        voltage: AC: complex voltages in p.u.; DC: angles in radians; shape (buses,).
        dc: whether it is a DC power flow.
        engine: what solved it.
        iterations: iterations of the solver, if it iterates.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        The solution.
    """
    vm, va = np.full((2, len(admittances.kv)), np.nan)
    vm[: admittances.buses] = demand.vm[: admittances.buses] if dc else np.abs(voltage)
    held = np.concatenate([admittances.ref, admittances.pv])
    vm[held] = demand.vm[held]
    va[: admittances.buses] = np.degrees(voltage.real if dc else np.angle(voltage))
    vm[~admittances.supplied] = va[~admittances.supplied] = np.nan
    lost = demand.bus_in & ~admittances.supplied[admittances.row["bus"]] & ~model.cut_off
    net_power = _bus_power(admittances, voltage, dc=dc) + demand.bus
    gen, grid = _held_power(admittances, demand, net_power)
    power = Powers(demand.load, demand.sgen, gen, grid, demand.running)
    elements, totals = readings(
        model,
        admittances,
        voltage,
        (vm, va),
        power,
        bus_in=demand.bus_in,
        dc=dc,
        trafo_loading=trafo_loading,
    )
    return Solution(
        status="islanded" if lost.any() else "ok",
        engine=engine,
        iterations=iterations,
        elements=elements,
        system={
            **totals,
            "unserved_mw": demand.unserved_mw,
            "lost_generation_mw": demand.lost_generation_mw,
        },
        detail=cut_off(int(lost.sum())),
    )


def readings(
    model: GridModel,
    admittances: AdmittanceModel,
    voltage: Complexes,
    rows: tuple[Reals, Reals],
    power: Powers,
    *,
    bus_in: NDArray[np.bool_],
    dc: bool,
    trafo_loading: str,
) -> tuple[dict[str, Quantities], dict[str, float | int | str | None]]:
    """Return the quantities of all elements, and the figures of the system, as pandapower has them.

    Args:
        model: the model.
        admittances: the equations.
        voltage: AC: complex voltages in p.u.; DC: angles in radians; shape (buses,).
        rows: voltage in p.u. and angle in degrees of every row, NaN where it isn't supplied.
        power: what the elements inject and draw.
        bus_in: buses that are in service, shape (table of buses,).
        dc: whether the equations are those of a DC power flow.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        Element -> quantity -> values, and load, generation, loss, worst loading and voltages.
    """
    flows = dc_flows(admittances, voltage) if dc else ac_flows(admittances, voltage)
    elements = branch_results(model, admittances, flows, rows[0], trafo_loading)
    elements |= _sources(admittances, power, rows)
    drawn = {
        "load": power.load,
        "shunt": _shunts(model, admittances, rows[0]),
        "sgen": -power.sgen,
        "gen": -power.gen,
        "ext_grid": -power.ext_grid,
    }
    elements |= _buses(model, admittances, bus_in, rows, drawn)
    impedance = slice(*admittances.span.get("impedance", (0, 0)))
    loss = sum(float(np.nansum(e["pl_mw"])) for e in elements.values() if "pl_mw" in e)
    fed = (power.gen, power.ext_grid, power.sgen)
    totals = {
        "load_mw": float(power.load.real.sum()),
        "generation_mw": float(sum(source.real.sum() for source in fed)),
        "loss_mw": float(flows[impedance].real.sum()) + loss,
    }
    elements = {
        element: {
            name: values
            for name, values in elements[element].items()
            if not (dc and name in REACTIVE)
        }
        for element in model.ids
        if len(model.ids[element])
    }
    extremes = {} if dc else voltage_extremes(model, elements["bus"]["vm_pu"])
    return elements, {**totals, **worst_loading(model, elements), **extremes}


def _bus_power(admittances: AdmittanceModel, voltage: Complexes, *, dc: bool) -> Complexes:
    """Return power that flows from each supplied bus into branches and shunts, in MVA."""
    power: Complexes
    if dc:
        power = (admittances.bus @ voltage.real + admittances.bus_shift) * admittances.base_mva + 0j
    else:
        power = voltage * np.conj(admittances.bus @ voltage) * admittances.base_mva
    return power


def _held_power(
    admittances: AdmittanceModel, demand: Demand, net_power: Complexes
) -> tuple[Complexes, Complexes]:
    """Return power of generators and external grids in MVA; one of them at most holds a bus."""
    gen = demand.gen.astype(np.complex128)
    running = np.flatnonzero(demand.running)
    rows = admittances.row["gen"][running]
    gen[running] += 1j * net_power[rows].imag
    held = np.zeros(len(admittances.kv), bool)
    held[admittances.ref] = True
    slack = held[rows]
    gen[running[slack]] = net_power[rows[slack]]
    grid = np.zeros(len(admittances.row["ext_grid"]), np.complex128)
    fed = demand.fed & held[admittances.row["ext_grid"]]
    grid[fed] = net_power[admittances.row["ext_grid"][fed]]
    return gen, grid


def _buses(
    model: GridModel,
    admittances: AdmittanceModel,
    bus_in: NDArray[np.bool_],
    voltage: tuple[Reals, Reals],
    drawn: dict[str, Complexes],
) -> dict[str, Quantities]:
    """Buses draw what their elements draw, in pandapower's convention."""
    total = np.zeros(len(bus_in), complex)
    for element, power in drawn.items():
        np.add.at(total, model.position[element], power)
    total[~bus_in] = np.nan
    vm, va = (values[admittances.row["bus"]] for values in voltage)
    return {"bus": {"vm_pu": vm, "va_degree": va, **_power(total)}}


def _sources(
    admittances: AdmittanceModel, power: Powers, voltage: tuple[Reals, Reals]
) -> dict[str, Quantities]:
    vm, va = (np.where(power.running, values[admittances.row["gen"]], 0.0) for values in voltage)
    return {
        "load": _power(power.load),
        "sgen": _power(power.sgen),
        "ext_grid": _power(power.ext_grid),
        "gen": {"vm_pu": vm, "va_degree": va, **_power(power.gen)},
    }


def _power(power: Complexes) -> Quantities:
    return {"p_mw": power.real, "q_mvar": np.where(np.isnan(power.real), np.nan, power.imag)}


def _shunts(model: GridModel, admittances: AdmittanceModel, vm: Reals) -> Complexes:
    kept, rows = admittances.shared, admittances.row["shunt"]
    if "shunts" not in kept:
        shunt = model.net.shunt
        power = shunt["p_mw"].to_numpy(float) + 1j * shunt["q_mvar"].to_numpy(float)
        ratio = (admittances.kv[rows] / shunt["vn_kv"].to_numpy(float)) ** 2
        kept["shunts"] = (
            power * ratio * shunt["step"].to_numpy(float),
            shunt["in_service"].to_numpy(bool),
        )
    power, in_service = kept["shunts"]
    live = in_service & admittances.supplied[rows]
    return np.where(live, power * np.nan_to_num(vm[rows]) ** 2, 0.0)
