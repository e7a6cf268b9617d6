"""An optimum mapped back to pandapower's elements, with the prices that its limits have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..model.solution import Solution
from ..powerflow.element_results import Powers, readings
from ..powerflow.plain.results import cut_off, cut_off_mw
from .units import DC_LINE_ENDS, DISPATCHED, DRAWING, FIXED, UNSERVED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.grid_model import GridModel
    from .dispatch import Dispatch
    from .optimum import Optimum

    Reals = NDArray[np.float64]
    Quantities = dict[str, dict[str, Reals]]


def solution_at(
    model: GridModel, dispatch: Dispatch, optimum: Optimum, *, dc: bool, trafo_loading: str
) -> Solution:
    """Map an optimum back.

    Args:
        model: the model, with whatever the state puts out of service laid over its network if it
            cuts buses off.
        dispatch: the optimal power flow in numbers.
        optimum: its end.
        dc: whether it is a DC one.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        The solution.
    """
    if optimum.status != "ok":
        return Solution(optimum.status, optimum.engine, optimum.iterations, detail=optimum.detail)
    admittances = dispatch.admittances
    power, unserved = _powers(dispatch, optimum)
    vm, va = np.full((2, len(admittances.kv)), np.nan)
    vm[: admittances.buses] = 1.0 if dc else optimum.vm
    va[: admittances.buses] = np.degrees(optimum.angle)
    voltage = optimum.angle + 0j if dc else optimum.vm * np.exp(1j * optimum.angle)
    elements, totals = readings(
        model,
        admittances,
        voltage,
        (vm, va),
        power,
        bus_in=dispatch.asked.bus_in,
        dc=dc,
        trafo_loading=trafo_loading,
    )
    _add_prices(elements, dispatch, optimum)
    if optimum.stored is not None:
        _add_content(elements["storage"], dispatch, optimum.stored)
    supplied = admittances.row["bus"] < admittances.buses
    lost = int((dispatch.asked.bus_in & ~supplied & ~model.cut_off).sum())
    left = cut_off_mw(model, supplied)
    bound = optimum.mu_flow > 0
    rent = float(optimum.mu_flow[bound] @ dispatch.rating[bound])
    return Solution(
        status="islanded" if lost else "ok",
        engine=optimum.engine,
        iterations=optimum.iterations,
        objective=optimum.objective,
        elements=elements,
        system={
            **totals,
            "unserved_mw": unserved + left["unserved_mw"],
            "lost_generation_mw": left["lost_generation_mw"],
            "congestion_rent": rent,
        },
        detail="; ".join(filter(None, [cut_off(lost), optimum.detail])),
        residual=optimum.residual,
        start=optimum.start,
    )


def _powers(dispatch: Dispatch, optimum: Optimum) -> tuple[Powers, float]:
    """Tell what elements draw and inject in MVA, and the load that isn't served in MW."""
    admittances, asked, units = dispatch.admittances, dispatch.asked, dispatch.units
    reactive = np.zeros(len(units.row)) if optimum.q is None else optimum.q
    chosen = (optimum.p + 1j * reactive) * admittances.base_mva
    power = {
        **asked.power,
        **{element: asked.power[element].copy() for element in asked.power.keys() & set(FIXED)},
        **{
            end: np.zeros(len(rows), complex)
            for end in DC_LINE_ENDS
            if len(rows := admittances.row[end])
        },
        "gen": np.zeros(len(admittances.row["gen"]), complex),
        "ext_grid": np.zeros(len(admittances.row["ext_grid"]), complex),
    }
    lost = units.of(UNSERVED)
    if len(lost):
        # What isn't served of a bus's load, each of its loads lacks in the same proportion.
        share = np.zeros(len(admittances.kv))
        most = units.p[lost, 1]
        share[units.row[lost]] = np.divide(
            optimum.p[lost], most, out=np.zeros(len(lost)), where=most > 0
        )
        short = (asked.power["load"].real > 0) & (admittances.row["load"] < admittances.buses)
        short[units.position[units.of("load")]] = False
        power["load"][short] *= 1 - share[admittances.row["load"][short]]
    for element in power.keys() & {*DISPATCHED, *DC_LINE_ENDS}:
        values, own = power[element], units.of(element)
        values[units.position[own]] = -chosen[own] if element in DRAWING else chosen[own]
    running = asked.running[admittances.units.span["gen"]]
    return Powers(power, running), float(chosen[lost].real.sum())


def _add_content(storage: dict[str, Reals], dispatch: Dispatch, stored: Reals) -> None:
    """Add what storages hold after the snapshot, in MWh; in place."""
    storage["e_mwh"] = np.full(len(storage["p_mw"]), np.nan)
    place = dispatch.units.position[dispatch.stores.unit]
    storage["e_mwh"][place] = stored * dispatch.admittances.base_mva


def _add_prices(elements: Quantities, dispatch: Dispatch, optimum: Optimum) -> None:
    """Add the prices in currency per MWh, per MVArh, and so on; in place."""
    admittances, units = dispatch.admittances, dispatch.units
    base = admittances.base_mva

    def at_buses(values: Reals) -> Reals:
        rows = np.full(len(admittances.kv), np.nan)
        rows[: admittances.buses] = values
        return rows[admittances.row["bus"]]

    bus = elements["bus"]
    bus["lam_p"] = at_buses(optimum.lam_p / base)
    if optimum.lam_q is not None:
        bus["lam_q"] = at_buses(optimum.lam_q / base)
        bus["mu_vm"] = at_buses(optimum.mu_vm)
    for element in elements.keys() & set(DISPATCHED):
        own = units.of(element)
        sign = -1.0 if element in DRAWING else 1.0
        for name, prices in (("mu_p", optimum.mu_p), ("mu_q", optimum.mu_q)):
            if prices is not None and len(own):
                column = np.full(len(admittances.row[element]), np.nan)
                column[units.position[own]] = sign * prices[own] / base
                elements[element][name] = column
    per_unit = {"mu_flow": 1 / base, "mu_angle": np.pi / 180}
    for name, factor in per_unit.items():
        every = np.zeros(len(admittances.ends))
        every[admittances.live] = getattr(optimum, name) * factor
        for element in elements.keys() & {"line", "trafo", "trafo3w"}:
            windings = every[slice(*admittances.span[element])]
            # Windings of a transformer lie one after the other.
            count = len(elements[element]["pl_mw"])
            elements[element][name] = windings.reshape(-1, count).sum(axis=0)
