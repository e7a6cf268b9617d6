"""What an optimiser hands back, and how far it is from satisfying the conditions of an optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.solution import Status

    Reals = NDArray[np.float64]

HIGHS, IPOPT = "highs", "ipopt"
"""Names of the solvers."""

LARGEST_RESIDUAL = 1e-6
"""Relative residual of the conditions above which a point doesn't count as an optimum."""


@dataclass(frozen=True)
class Optimum:
    """The end of an optimisation.

    Attributes:
        status: ``ok``, ``infeasible`` or ``not_converged``; only the first has what follows.
        iterations: iterations of the solver.
        detail: why it isn't ``ok``, for people.
        engine: what solved it.
        objective: cost in currency an hour.
        residual: largest relative residual of the Karush-Kuhn-Tucker conditions.
        angle, vm: of each row, in radians and p.u., shape (buses,).
        p, q: injection of each unit in p.u., shape (units,).
        lam_p, lam_q: cost of one more p.u. of demand in each row, shape (buses,).
        mu_p, mu_q: what one more p.u. of a unit's limits would save, negative at a lower limit,
            shape (units,).
        mu_vm: the same for voltage limits, shape (buses,).
        mu_flow: the same for ratings, from 0 up, shape (live,).
        mu_angle: the same for angle limits in radians, shape (live,).
        mu_guarded: the same for ratings after contingencies in p.u., as they were asked for.
        tied: the variables of what ties snapshots together, the same in all of them.
        stored: what storages hold after the snapshot, in hours at 1 p.u., shape (stores,).
        start: what the next optimisation may start from.
        unbounded: whether it isn't ``ok`` for lack of limits.
    """

    status: Status
    iterations: int | None = None
    detail: str = ""
    engine: str = ""
    objective: float = np.nan
    residual: float = np.nan
    angle: Any = None
    vm: Any = None
    p: Any = None
    q: Any = None
    lam_p: Any = None
    lam_q: Any = None
    mu_p: Any = None
    mu_q: Any = None
    mu_vm: Any = None
    mu_flow: Any = None
    mu_angle: Any = None
    mu_guarded: Any = None
    tied: Any = None
    stored: Any = None
    start: Any = None
    unbounded: bool = False


def residual_of(
    gradient: Reals,
    bounded: tuple[Reals, Reals, Reals, Reals],
    *,
    objective: float,
) -> float:
    """Return the largest relative residual of the Karush-Kuhn-Tucker conditions of a minimum.

    Stationarity is relative to the largest multiplier, feasibility is in the constraints' own
    units, which are p.u., and complementarity relative to the objective. The multiplier of a bound
    that isn't there has to vanish: what is left of it counts as if it weren't stationary.

    Args:
        gradient: of the Lagrangian in the variables, shape (variables,).
        bounded: lower bound, value, upper bound and multiplier of all variables and constraints;
            a multiplier is positive at the upper bound.
        objective: the objective.

    Returns:
        The largest of the three.
    """
    low, value, high, multiplier = bounded
    scale = max(1.0, float(np.abs(multiplier).max(initial=0.0)))
    absent = np.isinf(np.where(multiplier > 0, high, low))
    unbalanced = np.concatenate([gradient, multiplier[absent]])
    stationary = float(np.abs(unbalanced).max(initial=0.0)) / scale
    feasible = float(np.maximum(low - value, value - high).max(initial=0.0))
    slack = np.where(multiplier > 0, high - value, value - low)[~absent]
    product = np.abs(multiplier[~absent]) * np.abs(slack)
    complementary = float(product.max(initial=0.0)) / max(1.0, abs(objective))
    return max(stationary, feasible, complementary)
