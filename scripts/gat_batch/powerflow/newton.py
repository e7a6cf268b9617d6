"""Newton's method with KLU, as lightsim2grid has it, on the admittance model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from ..upstream.lightsim2grid import klu_newton
from .outages import branch_admittances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

MOST_ITERATIONS = 10
"""As pandapower has it for Newton's method."""

SAFETY = 10.0
"""How far over the tolerance a solution may be when it is checked once more."""

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""What rounding may leave of a mismatch, relative to the largest terms that it is the sum of."""


@dataclass(frozen=True)
class _Posed:
    """Equations as the solver takes them, which knows one reference.

    Other references follow the first one at fixed ratios of voltages, so their columns are added to
    its own. What flows into references is no equation, so their rows may go.

    Attributes:
        solver: the solver. It analyses the equations anew in each call, which is a good part of a
            state's time (``benchmarks/newton.py``); lightsim2grid offers no way to tell it not to.
        bus: admittances in p.u.
        live: rows that take part.
        ref, pv, pq: positions among these.
        ratio: voltage of each other reference beside that of the first.
    """

    solver: Any
    bus: Any
    live: NDArray[np.int64]
    ref: NDArray[np.int32]
    pv: NDArray[np.int32]
    pq: NDArray[np.int32]
    ratio: Complexes

    @classmethod
    def of(cls, admittances: AdmittanceModel, ratio: Complexes) -> _Posed:
        first, others = admittances.ref[:1], admittances.ref[1:]
        taking = ~admittances.dead
        taking[others] = False
        live, place = np.flatnonzero(taking), np.cumsum(taking) - 1
        bus = admittances.bus if taking.all() else admittances.bus[live][:, live].tocsc()
        if len(others):
            bus = bus.tolil()
            bus[:, place[first]] += (admittances.bus[live][:, others] @ ratio)[:, None]
            bus = bus.tocsc()
        ref, pv, pq = (
            place[rows].astype(np.int32) for rows in (first, admittances.pv, admittances.pq)
        )
        return cls(klu_newton(), bus, live, ref, pv, pq, ratio)


def newton(
    admittances: AdmittanceModel,
    injection: Complexes,
    vm: Reals,
    options: Mapping[str, Any],
    *,
    start: Complexes | None = None,
) -> tuple[Complexes, int] | None:
    """Solve AC equations of one state by Newton's method.

    Args:
        admittances: the equations.
        injection: power that is injected at each bus in p.u.
        vm: setpoint of each row's voltage in p.u.
        options: solver options.
        start: complex voltages in p.u. to start from, or None for :func:`first_voltages`.

    Returns:
        Complex voltages in p.u., 0 where nothing is supplied, and iterations; None if it doesn't
        converge.
    """
    begin = None if start is None else start[None].copy()
    solved, voltage, iterations = newton_each(
        admittances, injection[None], vm[None], options, start=begin
    )
    return (voltage[0], int(iterations[0])) if solved[0] else None


def newton_each(
    admittances: AdmittanceModel,
    injection: Complexes,
    vm: Reals,
    options: Mapping[str, Any],
    *,
    start: Complexes | None = None,
) -> tuple[NDArray[np.bool_], Complexes, NDArray[np.int64]]:
    """Solve AC equations of several states by Newton's method, one state after the other.

    Args:
        admittances: the equations.
        injection: power that is injected at each bus in p.u., shape (states, buses).
        vm: setpoint of each row's voltage in p.u., shape (states, rows).
        options: solver options.
        start: complex voltages in p.u. to start from, shape (states, buses), which are overwritten;
            None for :func:`first_voltages`.

    Returns:
        Which states converge, shape (states,); complex voltages in p.u., 0 where nothing is
        supplied, shape (states, buses); and iterations, shape (states,). No state's numbers depend
        on the others.
    """
    if start is None:
        start = first_voltages(admittances, injection, vm)
    held, ref = admittances.held, admittances.ref
    at_held = start.take(held, axis=1)
    start[:, held] = at_held * (vm.take(held, axis=1) / np.abs(at_held))
    ratio = start[:, ref[1:]] / start[:, ref[:1]]
    voltage = np.zeros((len(start), admittances.buses), complex)
    solved = np.zeros(len(start), bool)
    iterations = np.zeros(len(start), np.int64)
    first = 0
    while first < len(start):
        # Equations as the solver takes them serve all states that have one ratio.
        other = (ratio[first:] != ratio[first]).any(axis=1)
        last = first + int(other.argmax()) if other.any() else len(start)
        now = slice(first, last)
        kept = admittances.solvers
        if "newton" not in kept or not np.array_equal(kept["newton"].ratio, ratio[first]):
            kept["newton"] = _Posed.of(admittances, ratio[first])
        posed: _Posed = kept["newton"]
        power = injection[now].take(posed.live, axis=1)
        begin = start[now].take(posed.live, axis=1)
        solved[now], iterations[now] = _stepped(admittances, posed, begin, power, options)
        voltage[now, posed.live] = begin
        first = last
    voltage[:, ref] = start[:, ref]
    return solved, voltage, iterations


def _stepped(
    admittances: AdmittanceModel,
    posed: _Posed,
    voltage: Complexes,
    power: Complexes,
    options: Mapping[str, Any],
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Take Newton's steps from voltages of states, which are overwritten.

    Returns:
        Which states converge, and iterations, shape (states,).
    """
    tolerance = float(options.get("tolerance_mva", 1e-8)) / admittances.base_mva
    most = options.get("max_iteration", "auto")
    limits = MOST_ITERATIONS if most == "auto" else int(most), tolerance
    where = posed.ref, np.ones(len(posed.live)), posed.pv, posed.pq
    solver = posed.solver
    done = np.zeros(len(voltage), bool)
    iterations = np.zeros(len(voltage), np.int64)
    for number, (begin, given) in enumerate(zip(voltage, power, strict=True)):
        done[number] = solver.solve(posed.bus, begin, given, *where, *limits)
        found = solver.get_V()
        iterations[number] = solver.get_nb_iter()
        if not done[number]:
            # One that has failed may be of no use any more.
            solver = klu_newton()
            if len(found) != len(begin) or not np.isfinite(found).all():
                found = np.nan
        voltage[number] = found
    if solver is not posed.solver:
        del admittances.solvers["newton"]
    mismatch = voltage * np.conj((posed.bus @ voltage.T).T) - power
    allowed: float | Reals = SAFETY * tolerance
    if not done.all():
        # Beside a branch of next to no impedance the flow is a small difference of large numbers.
        magnitude = np.abs(voltage[~done])
        rounding = ROUNDING * magnitude * (np.abs(posed.bus) @ magnitude.T).T
        allowed = np.full(voltage.shape, allowed)
        allowed[~done] = np.maximum(allowed[~done], np.where(rounding > tolerance, rounding, 0.0))
    # What isn't finite is not within.
    real, imaginary = np.abs(mismatch.real) <= allowed, np.abs(mismatch.imag) <= allowed
    within = real[:, posed.pv].all(axis=1) & real[:, posed.pq].all(axis=1)
    return within & imaginary[:, posed.pq].all(axis=1), iterations


def first_voltages(admittances: AdmittanceModel, injection: Complexes, vm: Reals) -> Complexes:
    """Return voltages to start from, as pandapower's power flow does, shape (states, buses).

    Angles are those of a DC power flow of the same state, magnitudes what is held and elsewhere the
    mean of that. From voltages of another state Newton's method may end at a solution of low
    voltage: it did in 170 of 960 quarter hours of SimBench's 1-EHV-mixed--0-sw.

    Args:
        admittances: the equations.
        injection: power that is injected at each bus in p.u., shape (states, buses).
        vm: setpoint of each row's voltage in p.u., shape (states, rows).
    """
    held, free = admittances.held, admittances.free
    kept = admittances.solvers
    if "first" not in kept:
        kept["first"] = *_dc_equations(admittances, free), np.angle(admittances.start)
    solver, fixed, angle = kept["first"]
    start = np.tile(admittances.start, (len(injection), 1))
    if solver is None:
        return start
    angle = np.tile(angle, (len(injection), 1))
    # One by one: of several together the last digits would depend on how many there are.
    power = injection.real.take(free, axis=1) - fixed
    angle[:, free] = [solver.solve(one) for one in power]
    setpoints = vm.take(held, axis=1)
    magnitude = np.repeat(setpoints.mean(axis=1)[:, None], admittances.buses, axis=1)
    magnitude[:, held] = setpoints
    known = np.isfinite(angle).all(axis=1)
    start[known] = (magnitude * np.exp(1j * angle))[known]
    return start


def _dc_equations(
    admittances: AdmittanceModel, free: NDArray[np.int64]
) -> tuple[Any, NDArray[np.float64]]:
    """Return a solver of the DC equations of free rows, and what is fixed in them, in p.u.

    The solver is None if the equations are singular.
    """
    closed = ~admittances.open
    susceptance = admittances.circuits.susceptance[closed]
    shift = admittances.circuits.shift[closed]
    start, end = admittances.ends[admittances.live][closed].T
    rows = np.concatenate([start, end, start, end])
    columns = np.concatenate([start, end, end, start])
    values = np.concatenate([susceptance, susceptance, -susceptance, -susceptance])
    size = admittances.buses
    whole = sparse.csr_matrix((values, (rows, columns)), (size, size))
    # What shunts draw at 1 p.u.: of a bus's admittance all that no branch has.
    own = branch_admittances(admittances)[closed].real
    fixed = admittances.bus.diagonal().real.copy()
    np.subtract.at(fixed, start, own[:, 0, 0])
    np.subtract.at(fixed, end, own[:, 1, 1])
    np.subtract.at(fixed, start, susceptance * shift)
    np.add.at(fixed, end, susceptance * shift)
    ref = admittances.ref
    fixed += whole[:, ref] @ np.angle(admittances.start[ref])
    try:
        solver = linalg.splu(whole[free][:, free].tocsc())
    except RuntimeError:  # singular
        solver = None
    return solver, fixed[free]
