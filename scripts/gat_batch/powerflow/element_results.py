"""A solution of kept equations mapped back to pandapower's elements, by pandapower's formulas.

Compare ``pandapower.results_branch`` and ``pandapower.results_bus``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..model.quantities import BRANCHES, REACTIVE
from ..model.solution import Solution
from .pandapower_results import cut_off, voltage_extremes, worst_loading
from .ratings import SQRT3, WINDINGS, by_power, ratings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.admittances import Arrays
    from ..model.grid_model import Model
    from .sweep import Demand

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
    model: Model,
    arrays: Arrays,
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
        arrays: the equations.
        demand: what the state asked of them.
        voltage: AC: complex voltages in p.u.; DC: angles in radians; shape (buses,).
        dc: whether it is a DC power flow.
        engine: what solved it.
        iterations: iterations of the solver, if it iterates.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        The solution.
    """
    vm, va = np.full((2, len(arrays.kv)), np.nan)
    vm[: arrays.buses] = demand.vm[: arrays.buses] if dc else np.abs(voltage)
    held = np.concatenate([arrays.ref, arrays.pv])
    vm[held] = demand.vm[held]
    va[: arrays.buses] = np.degrees(voltage.real if dc else np.angle(voltage))
    vm[~arrays.supplied] = va[~arrays.supplied] = np.nan
    lost = demand.bus_in & ~arrays.supplied[arrays.row["bus"]] & ~model.cut_off
    net_power = _bus_power(arrays, voltage, dc=dc) + demand.bus
    gen, grid = _held_power(arrays, demand, net_power)
    power = Powers(demand.load, demand.sgen, gen, grid, demand.running)
    elements, totals = readings(
        model,
        arrays,
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
    model: Model,
    arrays: Arrays,
    voltage: Complexes,
    rows: tuple[Reals, Reals],
    power: Powers,
    *,
    bus_in: NDArray[np.bool_],
    dc: bool,
    trafo_loading: str,
) -> tuple[dict[str, Quantities], dict[str, float | int | str | None]]:
    """The quantities of all elements, and the figures of the system, as pandapower has them.

    Args:
        model: the model.
        arrays: the equations.
        voltage: AC: complex voltages in p.u.; DC: angles in radians; shape (buses,).
        rows: voltage in p.u. and angle in degrees of every row, NaN where it isn't supplied.
        power: what the elements inject and draw.
        bus_in: buses that are in service, shape (table of buses,).
        dc: whether the equations are those of a DC power flow.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        Element -> quantity -> values, and load, generation, loss, worst loading and voltages.
    """
    flows = _dc_flows(arrays, voltage) if dc else _ac_flows(arrays, voltage)
    elements = _branches(model, arrays, flows, rows[0], trafo_loading)
    elements |= _sources(arrays, power, rows)
    drawn = {
        "load": power.load,
        "shunt": _shunts(model, arrays, rows[0]),
        "sgen": -power.sgen,
        "gen": -power.gen,
        "ext_grid": -power.ext_grid,
    }
    elements |= _buses(model, arrays, bus_in, rows, drawn)
    impedance = slice(*arrays.span.get("impedance", (0, 0)))
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


def _ac_flows(arrays: Arrays, voltage: Complexes) -> Complexes:
    """Power into either end of each branch in MVA, shape (branches, 2)."""
    ends = arrays.ends[arrays.live]
    flows = np.zeros((len(arrays.ends), 2), complex)
    for side, matrix in enumerate((arrays.at_from, arrays.at_to)):
        power = voltage[ends[:, side]] * np.conj(matrix @ voltage) * arrays.base_mva
        flows[arrays.live, side] = np.where(arrays.open, 0.0, power)
    return flows


def _dc_flows(arrays: Arrays, angle: Complexes) -> Complexes:
    power = (arrays.at_from @ angle.real + arrays.branch_shift) * arrays.base_mva
    flows = np.zeros((len(arrays.ends), 2), complex)
    flows[arrays.live, 0] = np.where(arrays.open, 0.0, power)
    flows[arrays.live, 1] = -flows[arrays.live, 0]
    return flows


def _bus_power(arrays: Arrays, voltage: Complexes, *, dc: bool) -> Complexes:
    """Power that flows from each supplied bus into branches and shunts, in MVA."""
    power: Complexes
    if dc:
        power = (arrays.bus @ voltage.real + arrays.bus_shift) * arrays.base_mva + 0j
    else:
        power = voltage * np.conj(arrays.bus @ voltage) * arrays.base_mva
    return power


def _held_power(
    arrays: Arrays, demand: Demand, net_power: Complexes
) -> tuple[Complexes, Complexes]:
    """Power of generators and external grids in MVA; one of them at most holds a bus."""
    gen = demand.gen.astype(np.complex128)
    running = np.flatnonzero(demand.running)
    rows = arrays.row["gen"][running]
    gen[running] += 1j * net_power[rows].imag
    held = np.zeros(len(arrays.kv), bool)
    held[arrays.ref] = True
    slack = held[rows]
    gen[running[slack]] = net_power[rows[slack]]
    grid = np.zeros(len(arrays.row["ext_grid"]), np.complex128)
    fed = demand.fed & held[arrays.row["ext_grid"]]
    grid[fed] = net_power[arrays.row["ext_grid"][fed]]
    return gen, grid


def _branches(
    model: Model,
    arrays: Arrays,
    flows: Complexes,
    vm: Reals,
    trafo_loading: str,
) -> dict[str, Quantities]:
    apparent = np.abs(flows)
    elements: dict[str, Quantities] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        current = apparent / (vm[arrays.ends] * arrays.kv[arrays.ends]) / SQRT3
        current[arrays.hanging[:, 0], 1 - arrays.hanging[:, 1]] = 0.0
        strength = np.where(by_power(arrays, trafo_loading)[:, None], apparent, current)
        loading = loading_of(strength, ratings(model.net, arrays, trafo_loading))
    for element in BRANCHES:
        places = branches_of(arrays, element)
        if len(places):
            elements[element] = branch_quantities(
                element, flows[places], current[places], loading[places]
            )
    return elements


def branches_of(arrays: Arrays, element: str) -> NDArray[np.int64]:
    """Branches of each element of a kind, one after the other, shape (elements, branches)."""
    turns = len(WINDINGS) if element == "trafo3w" else 1
    return np.arange(*arrays.span.get(element, (0, 0))).reshape(turns, -1).T


def loading_of(strength: Reals, percent: Reals) -> Reals:
    """Loading of branches in percent, of the worse end.

    Args:
        strength: what flows at either end, in the unit that the ratings refer to.
        percent: as from :func:`ratings`.
    """
    with np.errstate(invalid="ignore"):
        either = strength * percent
    # Much faster than max(axis=-1), as are sums below.
    loading: Reals = np.maximum(either[..., 0], either[..., 1])
    loading[..., np.isinf(percent).any(axis=-1)] = np.inf
    return loading


def branch_quantities(
    element: str, flow: Complexes | Reals, current: Reals, loading: Reals
) -> Quantities:
    """Quantities of branches.

    Args:
        element: their kind.
        flow: power into either end of the branches of each in MVA, shape (elements, branches, 2).
        current: current there in kA.
        loading: loading of the branches in percent, shape (elements, branches).
    """
    if element == "trafo3w":
        sides = [end for _, end in WINDINGS]
        outer = flow[:, range(len(sides)), sides]
        first, second, loss = outer[:, 0], outer[:, 1], outer.sum(axis=1).real
    else:
        first, second = flow[:, 0].T
        loss = first.real + second.real
    return {
        "p_from_mw": first.real,
        "q_from_mvar": first.imag,
        "p_to_mw": second.real,
        "q_to_mvar": second.imag,
        "pl_mw": loss,
        "i_ka": strongest(element, current),
        "loading_percent": loading.max(axis=1) if loading.shape[1] > 1 else loading[:, 0],
    }


def strongest(element: str, current: Reals) -> Reals:
    """The current that stands for each element of a kind: pandapower names one of both ends.

    Args:
        element: their kind.
        current: current at both ends in kA, shape (elements, branches, 2).
    """
    first, second = current[:, 0].T
    stands: Reals = np.maximum(first, second) if element == "line" else first
    return stands


def _buses(
    model: Model,
    arrays: Arrays,
    bus_in: NDArray[np.bool_],
    voltage: tuple[Reals, Reals],
    drawn: dict[str, Complexes],
) -> dict[str, Quantities]:
    """Buses draw what their elements draw, in pandapower's convention."""
    total = np.zeros(len(bus_in), complex)
    for element, power in drawn.items():
        np.add.at(total, model.position[element], power)
    total[~bus_in] = np.nan
    vm, va = (values[arrays.row["bus"]] for values in voltage)
    return {"bus": {"vm_pu": vm, "va_degree": va, **_power(total)}}


def _sources(arrays: Arrays, power: Powers, voltage: tuple[Reals, Reals]) -> dict[str, Quantities]:
    vm, va = (np.where(power.running, values[arrays.row["gen"]], 0.0) for values in voltage)
    return {
        "load": _power(power.load),
        "sgen": _power(power.sgen),
        "ext_grid": _power(power.ext_grid),
        "gen": {"vm_pu": vm, "va_degree": va, **_power(power.gen)},
    }


def _power(power: Complexes) -> Quantities:
    return {"p_mw": power.real, "q_mvar": np.where(np.isnan(power.real), np.nan, power.imag)}


def _shunts(model: Model, arrays: Arrays, vm: Reals) -> Complexes:
    kept, rows = arrays.shared, arrays.row["shunt"]
    if "shunts" not in kept:
        shunt = model.net.shunt
        power = shunt["p_mw"].to_numpy(float) + 1j * shunt["q_mvar"].to_numpy(float)
        ratio = (arrays.kv[rows] / shunt["vn_kv"].to_numpy(float)) ** 2
        kept["shunts"] = (
            power * ratio * shunt["step"].to_numpy(float),
            shunt["in_service"].to_numpy(bool),
        )
    power, in_service = kept["shunts"]
    live = in_service & arrays.supplied[rows]
    return np.where(live, power * np.nan_to_num(vm[rows]) ** 2, 0.0)
