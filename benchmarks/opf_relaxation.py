"""Proof that no dispatch of a grid keeps all its limits, wherever one looks.

Squares of voltages and the products of those at the ends of branches stand in place of voltages and
angles (Jabr, IEEE Trans. Power Systems 21(3), 2006). So power balances are linear, and what remains
are cones and the circles of ratings; planes cut off points outside them until HiGHS finds that some
bus must lack power or have too much of it (Kelley's cutting planes). Whatever satisfies the
equations satisfies all of this too.

HiGHS isn't trusted: any multipliers of the balances and planes give a lower bound by weak duality,
which is summed up here. Those close to zero are left out as long as the bound stays above zero:
what remains are the constraints that contradict each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from gat_batch.opf.ac.program import branch_parameters
from gat_batch.opf.dc.program import Program
from gat_batch.opf.dc.solve import run_highs

if TYPE_CHECKING:
    from gat_batch.opf.dispatch import Dispatch

MOST_ROUNDS = 60

PROVED = 1e-4
"""Imbalance in p.u. that counts as proof, a hundred times what an optimum may be off by."""

SHARES = (0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 0.0)
"""Of the largest multiplier, below which others are tried to be left out."""

NO_RATING = -1

OUTSIDE = 1e-7
"""How far a point is from a cone or circle before a plane cuts it off, relative and in p.u."""


@dataclass(frozen=True)
class Ball:
    """Convex constraints: the length of vectors is at most a radius, all linear in the variables.

    Attributes:
        parts: the vectors' components, each of shape (constraints, variables).
        radius, constant: the radius is ``radius @ variables + constant``.
        branch: live branch whose rating each one is, or :data:`NO_RATING`.
    """

    parts: list[sparse.csr_matrix]
    radius: sparse.csr_matrix
    constant: np.ndarray
    branch: np.ndarray


@dataclass(frozen=True)
class Planes:
    """Planes that keep to one side of balls: ``matrix @ variables`` is at most ``most``.

    Attributes:
        matrix, most: the planes.
        branch: as of the balls that they touch.
    """

    matrix: sparse.csr_matrix
    most: np.ndarray
    branch: np.ndarray

    @classmethod
    def joined(cls, parts: list[Planes]) -> Planes:
        """Planes one after the other."""
        return cls(
            sparse.vstack([part.matrix for part in parts], format="csr"),
            np.concatenate([part.most for part in parts]),
            np.concatenate([part.branch for part in parts]),
        )


@dataclass(frozen=True)
class Relaxation:
    """The convex relaxation of an optimal power flow, in p.u.

    Variables are squares of voltages, real and imaginary parts of the product of the voltages at
    the ends of branches, active and reactive injections of units.

    Attributes:
        first: first variable of each kind, and their number.
        low, high: limits of the variables.
        balance, need: what leaves the buses, active and then reactive, must be the need.
        balls: the cones of the products, and the ratings at either end.
    """

    first: np.ndarray
    low: np.ndarray
    high: np.ndarray
    balance: sparse.csr_matrix
    need: np.ndarray
    balls: list[Ball]

    def planes(self, point: np.ndarray) -> Planes:
        """Planes between a point and the balls that it is outside of."""
        planes = []
        for ball in self.balls:
            vector = np.array([part @ point for part in ball.parts])
            length = np.maximum(np.linalg.norm(vector, axis=0), 1e-12)
            radius = ball.radius @ point + ball.constant
            outside = np.flatnonzero(length > radius * (1 + OUTSIDE) + OUTSIDE)
            plane = sum(
                sparse.diags(x / length) @ part for x, part in zip(vector, ball.parts, strict=True)
            )
            matrix = (plane - ball.radius).tocsr()[outside]
            planes.append(Planes(matrix, ball.constant[outside], ball.branch[outside]))
        return Planes.joined(planes)


@dataclass(frozen=True)
class Proof:
    """Multipliers, and the imbalance that follows from them by weak duality.

    Attributes:
        relaxation, planes: what they are of.
        bound: what some bus lacks or has too much, at least, in p.u.
        balance: multipliers of the balances, shape (2 * buses,).
        cuts: those of the planes, from 0 up.
        reduced: those of the variables' limits, positive at a lower one.
    """

    relaxation: Relaxation
    planes: Planes
    bound: float
    balance: np.ndarray
    cuts: np.ndarray
    reduced: np.ndarray


def relaxation_of(dispatch: Dispatch) -> Relaxation:
    """The relaxation of an optimal power flow."""
    units, ends, buses = dispatch.units, dispatch.ends, dispatch.buses
    entries, shunt = branch_parameters(dispatch)
    first = np.cumsum([0, buses, len(ends), len(ends), len(units.row), len(units.row)])
    every = sparse.identity(int(first[-1]), format="csr")
    w, real, imaginary, p, q = (every[a:b] for a, b in pairwise(first))
    w_f, w_t = (w[side] for side in ends.T)
    y_ff, y_ft, y_tf, y_tt = (sparse.diags(entry.conj()) for entry in entries.T)
    flows = [
        y_ff @ w_f + y_ft @ (real + 1j * imaginary),
        y_tt @ w_t + y_tf @ (real - 1j * imaginary),
    ]
    balance = sparse.diags(shunt.conj()) @ w
    for side, flow in zip(ends.T, flows, strict=True):
        balance = balance + _sums(side, buses) @ flow
    chosen = sparse.diags(1 + 1j * units.ratio) @ p + 1j * q
    balance = balance - _sums(units.row, buses) @ chosen
    vm = dispatch.vm.clip(0.0)
    product = (vm[ends[:, 0], 1] * vm[ends[:, 1], 1])[:, None] * [-1.0, 1.0]
    free = np.where(units.follows[:, None], 0.0, units.q)
    cones = Ball(
        [2 * real, 2 * imaginary, w_f - w_t],
        w_f + w_t,
        np.zeros(len(ends)),
        np.full(len(ends), NO_RATING),
    )
    rated = np.flatnonzero(np.isfinite(dispatch.rating))
    nothing = sparse.csr_matrix((len(rated), int(first[-1])))
    circles = [
        Ball([flow.real[rated], flow.imag[rated]], nothing, dispatch.rating[rated], rated)
        for flow in flows
    ]
    low, high = np.concatenate([vm**2, product, product, units.p, free]).T
    return Relaxation(
        first=first,
        low=low,
        high=high,
        balance=sparse.vstack([balance.real, balance.imag], format="csr"),
        need=-np.concatenate([dispatch.demand.real, dispatch.demand.imag]),
        balls=[cones, *circles],
    )


def _sums(rows: np.ndarray, count: int) -> sparse.csr_matrix:
    """Adds up what belongs to the same row."""
    there = (rows, np.arange(len(rows)))
    return sparse.csr_matrix((np.ones(len(rows)), there), (count, len(rows)))


def proof_of(dispatch: Dispatch) -> Proof | None:
    """A proof that no dispatch keeps all limits; None if the relaxation doesn't hold one."""
    relaxation = relaxation_of(dispatch)
    planes = relaxation.planes(np.zeros(int(relaxation.first[-1])))
    for _ in range(MOST_ROUNDS):
        point, *multipliers = _solved(relaxation, planes)
        proof = _sparsest(relaxation, planes, *multipliers)
        if proof.bound > PROVED:
            return proof
        fresh = relaxation.planes(point)
        if not len(fresh.most):
            break
        planes = Planes.joined([planes, fresh])
    return None


def _solved(relaxation: Relaxation, planes: Planes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The point with the least largest imbalance, and multipliers of balances and planes.

    By an interior point: amid all points that are equally good, its planes cut deepest.
    """
    balance, need = relaxation.balance, relaxation.need
    count = len(need)
    column = np.ones((count, 1))
    no_column = sparse.csr_matrix((len(planes.most), 1))
    rows = [[balance, column], [balance, -column], [planes.matrix, no_column]]
    matrix = sparse.bmat(rows, format="csc")
    free, cuts = np.full(count, np.inf), np.full(len(planes.most), -np.inf)
    columns = len(relaxation.low) + 1
    program = Program(
        linear=np.eye(1, columns, columns - 1).ravel(),
        quadratic=np.zeros(columns),
        low=np.append(relaxation.low, 0.0),
        high=np.append(relaxation.high, np.inf),
        matrix=matrix,
        row_low=np.concatenate([need, -free, cuts]),
        row_high=np.concatenate([free, need, planes.most]),
    )
    solution = run_highs(program, method="ipm").getSolution()
    dual = -np.array(solution.row_dual)
    return (
        np.array(solution.col_value)[:-1],
        dual[:count] + dual[count : 2 * count],
        dual[2 * count :].clip(0.0),
    )


def _sparsest(
    relaxation: Relaxation, planes: Planes, balance: np.ndarray, cuts: np.ndarray
) -> Proof:
    """The bound by as few multipliers as still prove something."""
    largest = np.abs(balance).max(initial=0.0)
    for share in SHARES:
        kept = [np.where(np.abs(y) > share * largest, y, 0.0) for y in (balance, cuts)]
        proof = _bound(relaxation, planes, *kept)
        if proof.bound > PROVED:
            break
    return proof


def _bound(relaxation: Relaxation, planes: Planes, balance: np.ndarray, cuts: np.ndarray) -> Proof:
    """What follows from multipliers by weak duality.

    With imbalances e of a point z that keeps limits and planes, ``balance @ e`` is at least
    ``reduced @ z - balance @ need - cuts @ most``, and at most the largest imbalance times the
    sum of the multipliers.
    """
    low, high = relaxation.low, relaxation.high
    # Where a unit without a limit can balance anything, no imbalance follows.
    endless = np.where(relaxation.balance.T @ balance > 0, low, high)
    units = np.flatnonzero(~np.isfinite(endless))
    touched = np.unique(relaxation.balance[:, units].nonzero()[0])
    balance = balance.copy()
    balance[touched] = 0.0
    reduced = relaxation.balance.T @ balance + planes.matrix.T @ cuts
    total = np.abs(balance).sum()
    if not total:
        return Proof(relaxation, planes, 0.0, balance, cuts, reduced)
    least = np.where(reduced > 0, low, high)
    used = reduced != 0
    bound = reduced[used] @ least[used] - balance @ relaxation.need - cuts @ planes.most
    return Proof(relaxation, planes, float(bound / total), balance, cuts, reduced)
