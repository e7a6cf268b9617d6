"""A solution mapped back from rows of the admittance model to pandapower's elements.

Compare ``pandapower.results_branch`` and ``pandapower.results_bus``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.quantities import REACTIVE
from ..model.solution import BlockSolution, Solution
from .branch_flows import ac_flows, branch_results, dc_flows, product
from .extremes import voltage_extremes, worst_loading
from .nodal_results import (
    bus_results,
    nodal_results,
    through_results,
    voltage_dependent_powers,
)
from .plain.results import (
    CONSUMPTION,
    GENERATION,
    cut_off,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from ..model.grid_model import GridModel
    from .injections.demand import Demand

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Quantities = dict[str, Reals]


@dataclass(frozen=True)
class Powers:
    """What elements draw and inject.

    Attributes:
        of: element -> power of each in MVA, in pandapower's sign convention, 0 where they don't,
            shape (..., elements); ``dcline_from`` and ``dcline_to`` of DC lines.
        running: generators that take part, shape (gens,).
    """

    of: dict[str, Complexes]
    running: NDArray[np.bool_]


def solution_of(
    model: GridModel,
    admittances: AdmittanceModel,
    demand: Demand,
    voltage: Complexes,
    injected: Complexes,
    *,
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
        injected: power of the units that hold voltages in MVA, shape (units,).
        engine: what solved it.
        iterations: iterations of the solver, if it iterates.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        The solution.
    """
    dc = admittances.dc
    vm, va = voltages_of(admittances, demand, voltage)
    lost = demand.bus_in & ~admittances.supplied[admittances.row["bus"]] & ~model.cut_off
    power = powers_of(admittances, demand, injected)
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


def block_solution_of(
    model: GridModel,
    admittances: AdmittanceModel,
    demand: Demand,
    voltage: Complexes,
    injected: Complexes,
    *,
    engine: str,
    iterations: NDArray[np.int64] | None,
    trafo_loading: str,
) -> BlockSolution:
    """Map the solutions of a block back.

    Arguments as for :func:`solution_of`, of each state: voltages of shape (states, buses), powers
    of shape (states, units).
    """
    states = len(voltage)
    found = solution_of(
        model,
        admittances,
        demand,
        voltage,
        injected,
        engine=engine,
        iterations=None,
        trafo_loading=trafo_loading,
    )
    return BlockSolution(
        status=found.status,
        engine=engine,
        iterations=iterations,
        elements={
            element: {
                name: values if values.ndim > 1 else np.tile(values, (states, 1))
                for name, values in quantities.items()
            }
            for element, quantities in found.elements.items()
        },
        system={
            name: np.broadcast_to(np.asarray(values), states)
            for name, values in found.system.items()
        },
        detail=found.detail,
    )


def voltages_of(
    admittances: AdmittanceModel, demand: Demand, voltage: Complexes
) -> tuple[Reals, Reals]:
    """Return voltage in p.u. and angle in degrees of every row, NaN where it isn't supplied.

    Args:
        admittances: the equations.
        demand: what the state asked of them.
        voltage: AC: complex voltages in p.u.; DC: angles in radians; shape (..., buses).
    """
    dc, buses = admittances.dc, admittances.buses
    vm, va = np.full((2, *voltage.shape[:-1], len(admittances.kv)), np.nan)
    vm[..., :buses] = demand.vm[..., :buses] if dc else np.abs(voltage)
    held = admittances.held
    vm[..., held] = demand.vm[..., held]
    va[..., :buses] = np.degrees(voltage.real if dc else np.angle(voltage))
    vm[..., ~admittances.supplied] = va[..., ~admittances.supplied] = np.nan
    return vm, va


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
) -> tuple[dict[str, Quantities], dict[str, Any]]:
    """Return the quantities of all elements, and the figures of the system, as pandapower has them.

    Args:
        model: the model.
        admittances: the equations.
        voltage: AC: complex voltages in p.u.; DC: angles in radians; shape (..., buses).
        rows: voltage in p.u. and angle in degrees of every row, NaN where it isn't supplied.
        power: what the elements inject and draw.
        bus_in: buses that are in service, shape (table of buses,).
        dc: whether the equations are those of a DC power flow.
        trafo_loading: what a transformer's loading refers to: ``current`` or ``power``.

    Returns:
        Element -> quantity -> values, and load, generation, loss, worst loading and voltages; of
        a block with a value for each state.
    """
    flows = dc_flows(admittances, voltage) if dc else ac_flows(admittances, voltage)
    elements = branch_results(model, admittances, flows, rows[0], trafo_loading)
    of = power.of | voltage_dependent_powers(model, admittances, power.of, flows, rows[0])
    elements |= nodal_results(admittances, of, power.running, rows)
    elements |= through_results(admittances, of, flows, rows[0])
    elements |= bus_results(model, admittances, bus_in, rows, of)
    states = flows.shape[:-2]
    losses = (_sum(np.nan_to_num(e["pl_mw"])) for e in elements.values() if "pl_mw" in e)
    switches = flows[..., slice(*admittances.span.get("switch", (0, 0))), :].real
    through = _sum(switches.reshape(*states, -1))
    totals = {
        "load_mw": total_mw(of, CONSUMPTION),
        "generation_mw": total_mw(of, GENERATION),
        "loss_mw": sum(losses, np.zeros(states)) + through,
    }
    if not states:
        totals = {name: float(total) for name, total in totals.items()}
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


def bus_power(admittances: AdmittanceModel, voltage: Complexes) -> Complexes:
    """Return power that flows from each supplied bus into branches and shunts, in MVA.

    Args:
        admittances: the equations.
        voltage: AC: complex voltages in p.u.; DC: angles in radians; shape (..., buses).
    """
    if admittances.dc:
        drawn = product(admittances.bus, voltage.real) + admittances.bus_shift
        return (drawn * admittances.base_mva).astype(np.complex128)
    current: Complexes = product(admittances.bus, voltage)
    power: Complexes = voltage * current.conj() * admittances.base_mva
    return power


def powers_of(admittances: AdmittanceModel, demand: Demand, injected: Complexes) -> Powers:
    """Return what elements draw and inject.

    Args:
        admittances: the equations.
        demand: what the state asks of them.
        injected: power of the units that hold voltages in MVA, shape (units,).
    """
    span = admittances.units.span
    of = {
        **demand.power,
        "gen": injected[..., span["gen"]],
        "ext_grid": injected[..., span["ext_grid"]],
    }
    lines = injected[..., span["dcline"]]
    if lines.shape[-1]:
        of |= {"dcline_from": -lines[..., 1::2], "dcline_to": -lines[..., ::2]}
    return Powers(of, demand.running[span["gen"]])


def total_mw(power: dict[str, Complexes], elements: Sequence[str]) -> Any:
    """Return the sum of active power over elements, in MW, shape (...)."""
    return sum(_sum(power[element].real) for element in elements if element in power)


def _sum(values: Reals) -> Any:
    """Return the sum over the last axis, rounded alike whatever the other ones are."""
    return np.ascontiguousarray(values).sum(axis=-1)
