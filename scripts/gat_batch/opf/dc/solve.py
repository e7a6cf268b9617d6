"""DC optimal power flow by HiGHS.

Where HiGHS's method for quadratic programs gives up or takes long, Ipopt solves the same program.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import highspy
import numpy as np

from ..optimum import HIGHS, IPOPT, LARGEST_RESIDUAL, Optimum, residual_of
from ..ties.every import ties_of
from .program import layout_of, program_of, tied, with_rows, with_ties
from .quadratic import solve_quadratic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..dispatch import Dispatch
    from .program import Layout, Program

    Reals = NDArray[np.float64]
    Rows = NDArray[np.int64]

INFEASIBLE = (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible)
MOST_CURVED = 200
"""Quadratic terms beyond which HiGHS's active-set method isn't tried: its time grows fast."""

UNBOUNDED = "its cost has no lower bound; generators without limits of active power allow that"


class Silent(highspy.Highs):
    """HiGHS without callbacks: making them prints a banner before it can be told not to."""

    def enableCallbacks(self) -> None:  # noqa: N802 - HiGHS names it
        """Leave them out."""


def solve_dc_opf(
    snapshots: Sequence[Dispatch],
    *,
    before: Any = None,
    guarded: tuple[Any, Reals, Reals] | None = None,
) -> list[Optimum]:
    """Solve the optimal power flow of one snapshot, or of several that are tied together.

    Args:
        snapshots: the snapshots; their units are the same.
        before: the ``start`` of an earlier optimum of a program of the same form, if any.
        guarded: further rows of a single snapshot's program: coefficients of its angles and
            injections, lowest and highest value.

    Returns:
        The optimum of each.
    """
    layouts = [layout_of(dispatch) for dispatch in snapshots]
    program = tied([program_of(d, own) for d, own in zip(snapshots, layouts, strict=True)])
    ties = ties_of(snapshots)
    program = with_ties(program, ties, layouts)
    if guarded is not None:
        program = with_rows(program, *guarded)
    optimum = None
    if np.count_nonzero(program.quadratic) <= MOST_CURVED:
        optimum, found = _by_simplex(program, before)
    if optimum is None or (optimum.status == "not_converged" and not optimum.unbounded):
        interior = solve_quadratic(program, snapshots[0].admittances.solvers)
        if interior is not None:
            *point, iterations = interior
            found = (point[0], point[1], point[2])
            residual = _residual(program, *found)
            if residual <= LARGEST_RESIDUAL:
                optimum = Optimum("ok", iterations, residual=residual, engine=IPOPT)
    if optimum is None:
        optimum = Optimum("not_converged", detail="Ipopt found no optimum", engine=IPOPT)
    if optimum.status == "ok":
        own = slice(sum(layout.size for layout in layouts), None)
        optimum = replace(optimum, tied=found[0][own])
        if guarded is not None:
            optimum = replace(optimum, mu_guarded=found[2][-len(guarded[1]) :])
        return _optima(program, snapshots, layouts, found, optimum)
    return [optimum for _ in snapshots]


def _by_simplex(program: Program, before: Any) -> tuple[Optimum, tuple[Reals, Reals, Reals]]:
    """What HiGHS makes of a program: its end, values, their multipliers and those of the rows."""
    solver = run_highs(program, before=before)
    status, info = solver.getModelStatus(), solver.getInfo()
    iterations = max(info.simplex_iteration_count, 0) + max(info.qp_iteration_count, 0)
    solution = solver.getSolution()
    # HiGHS has the derivative of the objective in a bound; a price rises with an upper one.
    found = (
        np.array(solution.col_value),
        -np.array(solution.col_dual),
        -np.array(solution.row_dual),
    )
    if status in INFEASIBLE:
        return Optimum("infeasible", iterations, engine=HIGHS), found
    if status == highspy.HighsModelStatus.kUnbounded:
        return Optimum("not_converged", iterations, UNBOUNDED, HIGHS, unbounded=True), found
    reason = f"HiGHS: {solver.modelStatusToString(status)}"
    if status == highspy.HighsModelStatus.kOptimal:
        residual = _residual(program, *found)
        if residual <= LARGEST_RESIDUAL:
            start = solver.getBasis()
            return Optimum("ok", iterations, residual=residual, engine=HIGHS, start=start), found
        reason = f"HiGHS: the conditions of an optimum are off by {residual:.1e}"
    return Optimum("not_converged", iterations, reason, HIGHS), found


def run_highs(program: Program, *, before: Any = None, method: str = "choose") -> highspy.Highs:
    """HiGHS, after it has minimised a program.

    Args:
        program: the program.
        before: a basis to start from, if any.
        method: HiGHS's name for the method; ``ipm`` ends at an interior point.
    """
    solver = Silent()  # type: ignore[no-untyped-call]
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("solver", method)
    if method == "ipm":
        solver.setOptionValue("run_crossover", "off")
    model = highspy.HighsModel()
    lp = model.lp_
    lp.num_row_, lp.num_col_ = program.matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.linear, program.low, program.high
    lp.row_lower_, lp.row_upper_ = program.row_low, program.row_high
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = program.matrix.indptr
    lp.a_matrix_.index_ = program.matrix.indices
    lp.a_matrix_.value_ = program.matrix.data
    curved = np.flatnonzero(program.quadratic)
    if len(curved):
        hessian = model.hessian_
        hessian.dim_ = lp.num_col_
        hessian.format_ = highspy.HessianFormat.kTriangular
        hessian.start_ = np.concatenate([[0], np.cumsum(program.quadratic != 0)])
        hessian.index_ = curved
        hessian.value_ = 2 * program.quadratic[curved]
    solver.passModel(model)
    if before is not None:
        solver.setBasis(before)
    solver.run()
    return solver


def linear_optimum(program: Program) -> Reals | None:
    """Return values of the variables at the optimum of a linear program; None if there is none."""
    solver = run_highs(program)
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(solver.getSolution().col_value)


def _residual(program: Program, value: Reals, reduced: Reals, dual: Reals) -> float:
    """Tell how far values and multipliers are from the conditions of an optimum."""
    gradient = program.linear + 2 * program.quadratic * value
    return residual_of(
        gradient + program.matrix.T @ dual + reduced,
        (
            np.concatenate([program.low, program.row_low]),
            np.concatenate([value, program.matrix @ value]),
            np.concatenate([program.high, program.row_high]),
            np.concatenate([reduced, dual]),
        ),
        objective=float(program.linear @ value + program.quadratic @ value**2),
    )


def _optima(
    program: Program,
    snapshots: Sequence[Dispatch],
    layouts: Sequence[Layout],
    found: Sequence[Reals],
    common: Optimum,
) -> list[Optimum]:
    """Return the optimum of each snapshot.

    Args:
        program: the program of all.
        snapshots: the snapshots.
        layouts: where things lie in each.
        found: values of the variables, their multipliers and those of the rows.
        common: what is the same in all.
    """
    value, reduced, dual = found
    optima = []
    column, line = 0, 0
    for dispatch, layout in zip(snapshots, layouts, strict=True):
        flow, angle, straight, end = layout.blocks[1:] + line
        units = slice(column + layout.buses, column + layout.buses + layout.units)
        own = slice(column, column + layout.size)
        mu_flow, mu_angle = np.zeros((2, len(dispatch.rating)))
        mu_flow[layout.rated] = np.abs(dual[flow:angle])
        mu_angle[layout.spread] = dual[angle:straight]
        cost = program.linear[own] @ value[own] + program.quadratic[own] @ value[own] ** 2
        optima.append(
            replace(
                common,
                objective=float(cost + dispatch.prices.constant),
                angle=value[column : column + layout.buses],
                p=value[units],
                lam_p=dual[line : line + layout.buses],
                mu_p=reduced[units],
                mu_flow=mu_flow,
                mu_angle=mu_angle,
            )
        )
        column, line = own.stop, end
    return optima
