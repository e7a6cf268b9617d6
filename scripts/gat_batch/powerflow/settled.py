"""AC states that follow from more than one set of equations.

Demand that follows the voltage, a slack that many units share, and units that leave their voltage
at a limit of reactive power, as pandapower decides it (``run_newton_raphson_pf``): all that are
beyond a limit are held there, their buses give up their voltage, until none is beyond.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .injections.unit_powers import active_powers, reactive_shares, weighted_powers
from .injections.varying_loads import varying_loads
from .newton import SAFETY, newton

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from .injections.demand import Demand
    from .injections.state_columns import Columns
    from .injections.varying_loads import VaryingLoads

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Flags = NDArray[np.bool_]

MOST_ROUNDS = 60
"""Rounds after which injections that follow voltages count as not converging."""

MOST_KEPT = 16
"""Sets of units at their limits whose equations are kept with those of their topology."""


@dataclass(frozen=True)
class Settled:
    """A solved AC state.

    Attributes:
        admittances: the equations in the end: buses of units at a limit hold no voltage.
        demand: what the state asks, loads at their voltage.
        voltage: complex voltages in p.u., shape (buses,).
        iterations: those of the last solution of equations.
        injected: power of each unit in MVA, shape (units,).
    """

    admittances: AdmittanceModel
    demand: Demand
    voltage: Complexes
    iterations: int
    injected: Complexes


@dataclass(frozen=True)
class _Limited:
    """Units whose reactive power is given.

    Attributes:
        at_limit: units at a limit, shape (units,).
        given: those and others at buses that hold no voltage any more, shape (units,).
        mvar: what is given in MVAr, else 0, shape (units,).
    """

    at_limit: Flags
    given: Flags
    mvar: Reals


def follows_solution(
    admittances: AdmittanceModel, column: Columns, options: Mapping[str, Any]
) -> bool:
    """Tell whether what a state asks of the equations depends on their solution."""
    varying = options.get("voltage_depend_loads", True)
    return bool(
        options.get("tap_control")
        or options.get("distributed_slack")
        or options.get("enforce_q_lims")
        or (varying and varying_loads(admittances, column) is not None)
    )


def settled(
    admittances: AdmittanceModel,
    demand: Demand,
    column: Columns,
    limits: Reals | None,
    options: Mapping[str, Any],
) -> Settled | None:
    """Solve one AC state.

    Args:
        admittances: the equations of the state's topology.
        demand: what the state asks of them.
        column: the state.
        limits: lowest and highest reactive power of units in MVAr, shape (units, 2); None if none
            share a bus and none is held within its limits.
        options: solver options.

    Returns:
        The solution; None if the equations don't converge, or can't represent this state.
    """
    loads = None
    if options.get("voltage_depend_loads", True):
        loads = varying_loads(admittances, column)
    weight = None
    if options.get("distributed_slack"):
        weight = _slack_weights(admittances, demand)
        if weight is None:
            return None
    units, count = admittances.units, len(admittances.units.row)
    limited = _Limited(np.zeros(count, bool), np.zeros(count, bool), np.zeros(count))
    start: Complexes | None = None
    while True:
        equations = _equations(admittances, limited.given, shared_slack=weight is not None)
        posed = replace(demand, bus=demand.bus - 1j * _at_rows(admittances, limited.mvar))
        solved = _balanced(equations, posed, (loads, weight), start, options)
        if solved is None:
            return None
        start, iterations = solved
        needed = start * np.conj(admittances.bus @ start) * admittances.base_mva + posed.bus
        reactive = limited.mvar.copy()
        free = np.flatnonzero(demand.running & ~limited.given)
        reactive[free] = reactive_shares(units.row[free], limits, free, needed.imag)
        if limits is None or not options.get("enforce_q_lims"):
            break
        beyond = demand.running & ~limited.at_limit & ~units.slack
        beyond &= (reactive < limits[:, 0]) | (reactive > limits[:, 1])
        if not beyond.any():
            break
        limited = _held(admittances, demand, limited, beyond, np.clip(reactive, *limits.T))
        if loads is not None and loads.bus[:, units.row[limited.at_limit]].any():
            # pandapower lets what such a unit gives follow the voltage, too.
            return None
    given = demand.running, demand.unit_mw
    if weight is not None:
        active = weighted_powers(units, given, needed.real)
    else:
        active = active_powers(units, given, needed.real, admittances.ref)
    injected: Complexes = active + 1j * reactive
    if loads is not None:
        rows = admittances.row["load"]
        at = np.zeros(len(admittances.kv))
        at[: admittances.buses] = np.abs(start)
        own = loads.of_loads(demand.power["load"], at[rows])
        demand = replace(demand, power={**demand.power, "load": own})
    return Settled(equations, demand, start, iterations, injected)


def _held(
    admittances: AdmittanceModel, demand: Demand, limited: _Limited, beyond: Flags, mvar: Reals
) -> _Limited:
    """Hold units at their limits; what others give at their buses stays what it is."""
    rows = admittances.units.row
    freed = np.setdiff1d(rows[beyond], admittances.ref)
    given = limited.given | beyond | (demand.running & np.isin(rows, freed))
    return _Limited(limited.at_limit | beyond, given, np.where(given, mvar, 0.0))


def _at_rows(admittances: AdmittanceModel, power: Reals) -> Reals:
    """Return the sum of some power of units at each row, shape (buses,)."""
    total = np.bincount(admittances.units.row, power, minlength=len(admittances.kv))
    return total[: admittances.buses].astype(np.float64)


def _equations(
    admittances: AdmittanceModel, given: Flags, *, shared_slack: bool
) -> AdmittanceModel:
    """Return equations in which rows of units with given reactive power hold no voltage."""
    if not shared_slack and not given.any():
        return admittances
    kept = admittances.solvers.setdefault("limited", {})
    key = (shared_slack, given.tobytes())
    if key not in kept:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        ref, pv = admittances.ref, admittances.pv
        if shared_slack:
            ref, pv = ref[:1], np.union1d(pv, ref[1:])
        freed = np.setdiff1d(np.intersect1d(pv, admittances.units.row[given]), admittances.ref)
        pq = np.union1d(admittances.pq, freed)
        kept[key] = replace(admittances, ref=ref, pv=np.setdiff1d(pv, freed), pq=pq)
    own: AdmittanceModel = kept[key]
    return own


def _balanced(
    admittances: AdmittanceModel,
    demand: Demand,
    following: tuple[VaryingLoads | None, Reals | None],
    start: Complexes | None,
    options: Mapping[str, Any],
) -> tuple[Complexes, int] | None:
    """Solve equations whose injections may follow from their solution.

    Args:
        admittances: the equations.
        demand: what the state asks of them.
        following: how demand follows the voltage, if it does, and the share of each row in the
            slack, if it is shared, shape (buses,).
        start: voltages to start from in p.u., or None.
        options: solver options.
    """
    (loads, weight), base, ref = following, admittances.base_mva, admittances.ref[:1]
    tolerance = float(options.get("tolerance_mva", 1e-8)) / base
    given = _at_rows(admittances, demand.unit_mw)

    def power_at(voltage: Complexes) -> Complexes:
        drawn = demand.bus if loads is None else loads.at_buses(demand.bus, np.abs(voltage))
        return (given - drawn) / base

    power = power_at(admittances.start if start is None else start)
    slack, last = 0.0, None
    for _ in range(MOST_ROUNDS):
        injected = power if weight is None else power + weight * slack
        solved = newton(admittances, injected, demand.vm, options, start=start)
        if solved is None or (loads is None and weight is None):
            return solved
        start = solved[0]
        off = 0.0
        if loads is not None:
            now = power_at(start)
            wrong, power = now - power, now
            free = admittances.free
            off = np.abs(wrong.real[free]).max(initial=0.0)
            off = max(off, np.abs(wrong.imag[admittances.pq]).max(initial=0.0))
        if weight is not None:
            flow = start[ref] * np.conj(admittances.bus[ref] @ start)
            missing = float((flow - power[ref] - weight[ref] * slack).real[0])
            off = max(off, abs(missing))
            slack, last = _next_slack(slack, missing, last)
        if off <= SAFETY * tolerance:
            return solved
    return None


def _next_slack(
    slack: float, missing: float, last: tuple[float, float] | None
) -> tuple[float, tuple[float, float]]:
    """Return the slack that leaves nothing missing, by the secant through the last two."""
    step = missing
    if last is not None and missing != last[1]:
        step = -missing * (slack - last[0]) / (missing - last[1])
    return slack + step, (slack, missing)


def _slack_weights(admittances: AdmittanceModel, demand: Demand) -> Reals | None:
    """Return the share of each row in the slack, None if pandapower has to say what is wrong."""
    units, running = admittances.units, demand.running
    if running[units.span["xward"]].any():
        return None
    total = np.zeros(len(admittances.kv))
    np.add.at(total, units.row[running], units.weight[running])
    share = total[: admittances.buses]
    if share.sum() <= 0 or (len(admittances.ref) > 1 and _islands(admittances) > 1):
        return None
    weights: Reals = share / share.sum()
    return weights


def _islands(admittances: AdmittanceModel) -> int:
    """Return how many parts of the grid there are that a reference supplies."""
    ends = admittances.ends[admittances.live][~admittances.open]
    count = admittances.buses
    joined = sparse.coo_matrix((np.ones(len(ends)), ends.T), (count, count))
    part = connected_components(joined, directed=False)[1]
    return len(np.unique(part[admittances.ref]))
