"""AC optimal power flow by Ipopt, with exact derivatives by casadi."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import casadi
import numpy as np

from ..dc.quadratic import QUIET
from ..optimum import IPOPT, LARGEST_RESIDUAL, Optimum, residual_of
from ..ties.every import ties_of
from .flows import program_of
from .program import bounds, form_of, parameters, places_of, rest_of
from .start import start_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ...model.solution import Status
    from ..dispatch import Dispatch
    from ..ties.ties import Ties
    from .flows import Program
    from .program import Form

    Reals = NDArray[np.float64]

MOST_ITERATIONS = 200

LOCALLY_INFEASIBLE = "Infeasible_Problem_Detected"

OPTIONS = {
    **QUIET,
    "error_on_fail": False,
    "calc_lam_p": False,
    "ipopt": {**QUIET["ipopt"], "max_iter": MOST_ITERATIONS, "bound_relax_factor": 1e-10},
}

CURVED = {**OPTIONS, "ipopt": {**OPTIONS["ipopt"], "neg_curv_test_tol": 1e-11}}
"""Steps are judged by the curvature along them, not by the inertia of the whole system: grids of
RTE take 40 iterations so, and otherwise creep along for hundreds."""


def _program_of(form: Form, ties: Ties, count: int) -> Program:
    """Return the program of one snapshot, or of several that are tied together.

    Args:
        form: what a snapshot consists of.
        ties: what ties them together.
        count: number of snapshots.
    """
    rest, places = rest_of(form), places_of(form)
    if count > 1:
        sizes = [rest[name].numel() for name in ("x", "g", "p")]
        snapshot = casadi.Function("snapshot", [rest["x"], rest["p"]], [rest["f"], rest["g"]])
        x, p = casadi.SX.sym("x", sizes[0], count), casadi.SX.sym("p", sizes[2], count)
        f, g = snapshot.map(count)(x, p)
        rest = {"x": casadi.vec(x), "p": casadi.vec(p), "f": casadi.sum2(f), "g": casadi.vec(g)}
        places = places.repeated(count, *sizes)
    if ties.count:
        own = casadi.SX.sym("own", len(ties.low))
        power = casadi.reshape(rest["x"], -1, count)[int(form.columns[2]) : int(form.columns[3]), :]
        rows = casadi.DM(ties.units) @ casadi.vec(power) + casadi.DM(ties.own) @ own
        rest["x"] = casadi.vertcat(rest["x"], own)
        rest["g"] = casadi.vertcat(rest["g"], rows)
    return program_of(rest, places, by_current=form.by_current, options=CURVED)


def solve_ac_opf(
    snapshots: Sequence[Dispatch], *, before: Any = None, ipopt: Mapping[str, Any] | None = None
) -> list[Optimum]:
    """Solve the optimal power flow of one snapshot, or of several that are tied together.

    Args:
        snapshots: the snapshots; their units are the same.
        before: the ``start`` of an earlier optimum of a program of the same form, if any.
        ipopt: options of Ipopt in which it differs from the usual ones.

    Returns:
        The optimum of each.
    """
    form = form_of(snapshots[0])
    ties = ties_of(snapshots)
    program = _kept(snapshots[0], form, ties, len(snapshots))
    x_low, x_high, low, high = _joined([bounds(d, form) for d in snapshots], ties)
    given = np.concatenate([parameters(dispatch, form) for dispatch in snapshots])
    start = np.concatenate([*(start_of(dispatch, form) for dispatch in snapshots), ties.start])
    if before is not None and len(before) == len(start):
        start = before
    elif before is not None and len(before) + len(ties.low) == len(start):
        start = np.concatenate([before, ties.start])
    end = run_ipopt(program, start, given, (x_low, x_high, low, high), ipopt)
    if end.success and end.residual <= LARGEST_RESIDUAL:
        tied = end.value[len(end.value) - len(ties.low) :]
        common = Optimum(
            "ok",
            end.iterations,
            residual=end.residual,
            engine=IPOPT,
            start=end.value,
            tied=tied,
        )
        return _optima(snapshots, form, (end.value, end.reduced, end.dual), common)
    status: Status = "infeasible" if end.verdict == LOCALLY_INFEASIBLE else "not_converged"
    return [Optimum(status, end.iterations, end.reason, IPOPT) for _ in snapshots]


@dataclass(frozen=True)
class End:
    """Where Ipopt ended.

    Attributes:
        success: whether it says that this is an optimum.
        verdict: what it says.
        iterations: number of steps.
        value: the variables.
        reduced: multipliers of their bounds.
        dual: multipliers of the rows.
        residual: how far all this is from the conditions of an optimum, as
            :func:`gat_batch.opf.optimum.residual_of` tells.
    """

    success: bool
    verdict: str
    iterations: int
    value: Reals
    reduced: Reals
    dual: Reals
    residual: float

    @property
    def reason(self) -> str:
        """Why it is no optimum, for people."""
        if self.success:
            return f"Ipopt: the conditions of an optimum are off by {self.residual:.1e}"
        return f"Ipopt: {self.verdict}"


def run_ipopt(
    program: Program,
    start: Reals,
    given: Reals,
    limits: tuple[Reals, Reals, Reals, Reals],
    ipopt: Mapping[str, Any] | None = None,
) -> End:
    """Minimise a program.

    Args:
        program: the program.
        start: its variables where Ipopt starts.
        given: its parameters.
        limits: lower and upper bounds of the variables, then of the rows.
        ipopt: options of Ipopt in which it differs from the usual ones.
    """
    x_low, x_high, low, high = limits
    solver = program.with_options(ipopt or {})
    found = solver(x0=start, p=given, lbx=x_low, ubx=x_high, lbg=low, ubg=high)
    stats = solver.stats()
    value, reduced, dual = (np.array(found[name]).ravel() for name in ("x", "lam_x", "lam_g"))
    gradient, objective, rows = (
        np.array(part).ravel() for part in program.conditions(value, given, dual)
    )
    residual = residual_of(
        gradient + reduced,
        (
            np.concatenate([x_low, low]),
            np.concatenate([value, rows]),
            np.concatenate([x_high, high]),
            np.concatenate([reduced, dual]),
        ),
        objective=float(objective[0]),
    )
    success, verdict = bool(stats["success"]), str(stats["return_status"])
    return End(success, verdict, int(stats["iter_count"]), value, reduced, dual, residual)


def _kept(dispatch: Dispatch, form: Form, ties: Ties, count: int) -> Program:
    kept = dispatch.admittances.shared
    key = (form.key, ties.key, count)
    if kept.get("ac_key") != key:
        kept["ac_key"], kept["ac_program"] = key, _program_of(form, ties, count)
    program: Program = kept["ac_program"]
    return program


def _joined(
    parts: list[tuple[Reals, Reals, Reals, Reals]], ties: Ties
) -> tuple[Reals, Reals, Reals, Reals]:
    """Return bounds of all snapshots, those of what ties them together last."""
    x_low, x_high, low, high = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    return (
        np.concatenate([x_low, ties.low]),
        np.concatenate([x_high, ties.high]),
        np.concatenate([low, ties.row_low]),
        np.concatenate([high, ties.row_high]),
    )


def _optima(
    snapshots: Sequence[Dispatch],
    form: Form,
    found: tuple[Reals, Reals, Reals],
    common: Optimum,
) -> list[Optimum]:
    """Return the optimum of each snapshot.

    Args:
        snapshots: the snapshots.
        form: what the program of each consists of.
        found: values of the variables, their multipliers and those of the rows.
        common: what is the same in all.
    """
    value, reduced, dual = found
    columns, lines = form.columns, form.rows
    optima = []
    for n, dispatch in enumerate(snapshots):
        x, price = (
            np.split(part[n * columns[-1] : (n + 1) * columns[-1]], columns[1:-1])
            for part in (value, reduced)
        )
        own = dual[n * lines[-1] : (n + 1) * lines[-1]]
        lam_p, lam_q, at_from, at_to, angle, _ = np.split(own, lines[1:-1])
        q, mu_q = dispatch.units.ratio * x[2], np.zeros(form.units)
        q[form.free], mu_q[form.free] = x[3], price[3]
        mu_flow, mu_angle = np.zeros((2, len(dispatch.rating)))
        # Rows hold squares: a price of the rating itself follows by the chain rule.
        mu_flow[form.rated] = 2 * dispatch.rating[form.rated] * (at_from + at_to)
        mu_angle[form.spread] = angle
        injected = np.concatenate([x[2], q])
        prices = dispatch.prices
        cost = prices.linear @ injected + prices.quadratic @ injected**2 + x[4].sum()
        optima.append(
            replace(
                common,
                objective=float(cost + prices.constant),
                angle=x[0],
                vm=x[1],
                p=x[2],
                q=q,
                lam_p=lam_p,
                lam_q=lam_q,
                mu_p=price[2],
                mu_q=mu_q,
                mu_vm=price[1],
                mu_flow=mu_flow,
                mu_angle=mu_angle,
            )
        )
    return optima
