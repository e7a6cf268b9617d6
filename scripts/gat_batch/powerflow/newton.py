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
    """Solve AC equations by Newton's method.

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
    start = first_voltages(admittances, injection, vm) if start is None else start.copy()
    held = admittances.held
    start[held] *= vm[held] / np.abs(start[held])
    ratio = start[admittances.ref[1:]] / start[admittances.ref[0]]
    kept = admittances.solvers
    if "newton" not in kept or not np.array_equal(kept["newton"].ratio, ratio):
        kept["newton"] = _Posed.of(admittances, ratio)
    posed: _Posed = kept["newton"]
    ref, pv, pq = posed.ref, posed.pv, posed.pq
    tolerance = float(options.get("tolerance_mva", 1e-8)) / admittances.base_mva
    power = injection[posed.live]
    iterations = options.get("max_iteration", "auto")
    most = MOST_ITERATIONS if iterations == "auto" else int(iterations)
    begin = start[posed.live]
    share = np.ones(len(begin))
    done = posed.solver.solve(posed.bus, begin, power, ref, share, pv, pq, most, tolerance)
    solved = posed.solver.get_V()
    if not done:
        del kept["newton"]
        if len(solved) != len(begin) or not np.isfinite(solved).all():
            return None
    mismatch = solved * np.conj(posed.bus @ solved) - power
    allowed: float | Reals = SAFETY * tolerance
    if not done:
        # Beside a branch of next to no impedance the flow is a small difference of large numbers.
        magnitude = np.abs(solved)
        rounding = ROUNDING * magnitude * (np.abs(posed.bus) @ magnitude)
        allowed = np.maximum(allowed, np.where(rounding > tolerance, rounding, 0.0))
    real, imaginary = np.abs(mismatch.real) <= allowed, np.abs(mismatch.imag) <= allowed
    if not (real[pv].all() and real[pq].all() and imaginary[pq].all()):
        return None
    voltage = np.zeros(admittances.buses, complex)
    voltage[posed.live] = solved
    voltage[admittances.ref] = start[admittances.ref]
    return voltage, int(posed.solver.get_nb_iter())


def first_voltages(admittances: AdmittanceModel, injection: Complexes, vm: Reals) -> Complexes:
    """Return voltages to start from, as pandapower's power flow does.

    Angles are those of a DC power flow of the same state, magnitudes what is held and elsewhere the
    mean of that. From voltages of another state Newton's method may end at a solution of low
    voltage: it did in 170 of 960 quarter hours of SimBench's 1-EHV-mixed--0-sw.

    Args:
        admittances: the equations.
        injection: power that is injected at each bus in p.u.
        vm: setpoint of each row's voltage in p.u.
    """
    held, free = admittances.held, admittances.free
    kept = admittances.solvers
    if "first" not in kept:
        kept["first"] = *_dc_equations(admittances, free), np.angle(admittances.start)
    solver, fixed, angle = kept["first"]
    if solver is None:
        return admittances.start.copy()
    angle = angle.copy()
    angle[free] = solver.solve(injection.real[free] - fixed)
    if not np.isfinite(angle).all():
        return admittances.start.copy()
    magnitude = np.full(len(angle), vm[held].mean())
    magnitude[held] = vm[held]
    return np.asarray(magnitude * np.exp(1j * angle))


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
