"""A solution of kept equations mapped back to pandapower's elements, by pandapower's formulas.

Compare ``pandapower.results_branch`` and ``pandapower.results_bus``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .readout import REACTIVE, voltage_extremes, worst_loading
from .solution import Solution

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model import Model
    from .arrays import Arrays
    from .fast import Demand

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Quantities = dict[str, Reals]

SQRT3 = np.sqrt(3.0)


def solution_of(
    model: Model,
    arrays: Arrays,
    demand: Demand,
    voltage: Complexes,
    *,
    dc: bool,
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
        iterations: iterations of the solver, if it iterates.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        The solution; no bus is cut off in it.
    """
    flows = _dc_flows(arrays, voltage) if dc else _ac_flows(arrays, voltage)
    vm, va = np.full((2, len(arrays.kv)), np.nan)
    vm[: arrays.buses] = demand.vm[: arrays.buses] if dc else np.abs(voltage)
    held = np.concatenate([arrays.ref, arrays.pv])
    vm[held] = demand.vm[held]
    va[: arrays.buses] = np.degrees(voltage.real if dc else np.angle(voltage))
    net_power = _bus_power(arrays, voltage, dc=dc) + demand.bus
    gen, grid = _held_power(arrays, demand, net_power)
    elements = _branches(model, arrays, flows, vm, trafo_loading)
    elements |= _sources(arrays, demand, gen, grid, (vm, va))
    drawn = {
        "load": demand.load,
        "shunt": _shunts(model, arrays, vm),
        "sgen": -demand.sgen,
        "gen": -gen,
        "ext_grid": -grid,
    }
    elements |= _buses(model, arrays, (vm, va), drawn)
    impedance = slice(*arrays.span.get("impedance", (0, 0)))
    totals = {
        "load_mw": float(demand.load.real.sum()),
        "generation_mw": float(sum(power.real.sum() for power in (gen, grid, demand.sgen))),
        "loss_mw": float(flows[impedance].real.sum())
        + sum(float(np.nansum(e["pl_mw"])) for e in elements.values() if "pl_mw" in e),
        "unserved_mw": 0.0,
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
    return Solution(
        status="ok",
        engine="scipy" if dc else "lightsim2grid",
        iterations=iterations,
        elements=elements,
        system={
            **totals,
            **worst_loading(model, elements),
            **({} if dc else voltage_extremes(model, elements["bus"]["vm_pu"])),
        },
    )


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
    slack = np.isin(rows, arrays.ref)
    gen[running[slack]] = net_power[rows[slack]]
    grid = np.zeros(len(arrays.row["ext_grid"]), np.complex128)
    fed = np.isin(arrays.row["ext_grid"], arrays.ref)
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
    current = apparent / (vm[arrays.ends] * arrays.kv[arrays.ends]) / SQRT3
    elements: dict[str, Quantities] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for element in ("line", "trafo", "trafo3w"):
            if element not in arrays.span:
                continue
            span = slice(*arrays.span[element])
            parts = (flows[span], apparent[span], current[span])
            if element == "line":
                elements[element] = _lines(model, *parts)
            elif element == "trafo":
                elements[element] = _trafos(model, *parts, trafo_loading)
            else:
                elements[element] = _trafos3w(model, *parts, trafo_loading)
    return elements


def _ends(first: Complexes, second: Complexes) -> Quantities:
    return {
        "p_from_mw": first.real,
        "q_from_mvar": first.imag,
        "p_to_mw": second.real,
        "q_to_mvar": second.imag,
    }


def _lines(model: Model, flow: Complexes, _apparent: Reals, current: Reals) -> Quantities:
    line = model.net.line
    limit = np.prod([line[name].to_numpy(float) for name in ("max_i_ka", "df", "parallel")], axis=0)
    worst = current.max(axis=1)
    return {
        **_ends(flow[:, 0], flow[:, 1]),
        "pl_mw": flow.real.sum(axis=1),
        "i_ka": worst,
        "loading_percent": np.where(limit != 0, worst / limit, np.inf) * 100,
    }


def _trafos(
    model: Model,
    flow: Complexes,
    apparent: Reals,
    current: Reals,
    trafo_loading: str,
) -> Quantities:
    trafo = model.net.trafo
    rated = trafo["sn_mva"].to_numpy(float)[:, None]
    if trafo_loading == "current":
        kv = trafo[["vn_hv_kv", "vn_lv_kv"]].to_numpy(float)
        apparent = current * kv * SQRT3
    loading = (apparent / rated * 100).max(axis=1)
    units = trafo["parallel"].to_numpy(float) * trafo["df"].to_numpy(float)
    return {
        **_ends(flow[:, 0], flow[:, 1]),
        "pl_mw": flow.real.sum(axis=1),
        "i_ka": current[:, 0],
        "loading_percent": loading / units,
    }


def _trafos3w(
    model: Model,
    flow: Complexes,
    apparent: Reals,
    current: Reals,
    trafo_loading: str,
) -> Quantities:
    """The three windings lie one after the other, the high-voltage one turned the other way."""
    trafo = model.net.trafo3w
    count = len(trafo)
    sides = list(zip(("hv", "mv", "lv"), (0, 1, 1), (0, 1, 2), strict=True))

    def winding(values: NDArray[Any]) -> list[NDArray[Any]]:
        return [values[n * count : (n + 1) * count, end] for _, end, n in sides]

    power, strength, amperes = winding(flow), winding(apparent), winding(current)
    if trafo_loading == "current":
        strength = [
            ka * trafo[f"vn_{side}_kv"].to_numpy(float) * SQRT3
            for (side, _, _), ka in zip(sides, amperes, strict=True)
        ]
    loadings = [
        mva / trafo[f"sn_{side}_mva"].to_numpy(float) * 100
        for (side, _, _), mva in zip(sides, strength, strict=True)
    ]
    return {
        **_ends(power[0], power[1]),
        "pl_mw": np.sum(power, axis=0).real,
        "i_ka": amperes[0],
        "loading_percent": np.max(loadings, axis=0),
    }


def _buses(
    model: Model, arrays: Arrays, voltage: tuple[Reals, Reals], drawn: dict[str, Complexes]
) -> dict[str, Quantities]:
    """Buses draw what their elements draw, in pandapower's convention."""
    table = model.net.bus
    total = np.zeros(len(table), complex)
    for element, power in drawn.items():
        np.add.at(total, model.position[element], power)
    total[~table["in_service"].to_numpy(bool)] = np.nan
    vm, va = (values[arrays.row["bus"]] for values in voltage)
    return {"bus": {"vm_pu": vm, "va_degree": va, **_power(total)}}


def _sources(
    arrays: Arrays,
    demand: Demand,
    gen: Complexes,
    grid: Complexes,
    voltage: tuple[Reals, Reals],
) -> dict[str, Quantities]:
    vm, va = (np.where(demand.running, values[arrays.row["gen"]], 0.0) for values in voltage)
    return {
        "load": _power(demand.load),
        "sgen": _power(demand.sgen),
        "ext_grid": _power(grid),
        "gen": {"vm_pu": vm, "va_degree": va, **_power(gen)},
    }


def _power(power: Complexes) -> Quantities:
    return {"p_mw": power.real, "q_mvar": np.where(np.isnan(power.real), np.nan, power.imag)}


def _shunts(model: Model, arrays: Arrays, vm: Reals) -> Complexes:
    shunt = model.net.shunt
    rows = arrays.row["shunt"]
    power = shunt["p_mw"].to_numpy(float) + 1j * shunt["q_mvar"].to_numpy(float)
    ratio = (arrays.kv[rows] / shunt["vn_kv"].to_numpy(float)) ** 2
    live = shunt["in_service"].to_numpy(bool) & (rows < arrays.buses)
    scale = np.nan_to_num(vm[rows]) ** 2 * ratio * shunt["step"].to_numpy(float)
    return np.where(live, power * scale, 0.0)
