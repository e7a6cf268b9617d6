"""Quadratic programs by Ipopt, for those on which HiGHS's active-set method loses its way.

Of 100 random states of case300 HiGHS 1.16 gives up on 15, by its own check of its solution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import casadi
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .program import Program

    Reals = NDArray[np.float64]

QUIET: dict[str, Any] = {"print_time": False, "ipopt": {"print_level": 0, "sb": "yes"}}
"""Options that keep casadi and Ipopt from printing."""

CONSTANT = {"jac_c_constant": "yes", "jac_d_constant": "yes", "hessian_constant": "yes"}

TOLERANCE = 1e-9


def solve_quadratic(
    program: Program, kept: dict[str, Any]
) -> tuple[Reals, Reals, Reals, int] | None:
    """Solve a convex quadratic program.

    Args:
        program: the program.
        kept: where its solver is kept for the next one of the same form.

    Returns:
        Values of the variables, their multipliers and those of the rows, positive at an upper
        bound, and the number of iterations; None if it found no optimum.
    """
    matrix = program.matrix
    matrix.sort_indices()
    curved = np.flatnonzero(program.quadratic)
    key = (matrix.shape, matrix.indptr.tobytes(), matrix.indices.tobytes(), curved.tobytes())
    if kept.get("conic_key") != key:
        rows, columns = matrix.shape
        places = (matrix.indptr.tolist(), matrix.indices.tolist())
        form: dict[str, Any] = {
            "h": casadi.Sparsity.triplet(columns, columns, curved.tolist(), curved.tolist()),
            "a": casadi.Sparsity(rows, columns, *places),
        }
        ipopt = {**QUIET["ipopt"], **CONSTANT, "tol": TOLERANCE}
        options: dict[str, Any] = {
            "nlpsol": "ipopt",
            "nlpsol_options": {**QUIET, "ipopt": ipopt},
            "error_on_fail": False,
        }
        kept["conic_key"] = key
        kept["conic"] = form, casadi.conic("opf", "nlpsol", form, options)
    form, solver = kept["conic"]
    found = solver(
        h=casadi.DM(form["h"], 2 * program.quadratic[curved]),
        g=program.linear,
        a=casadi.DM(form["a"], matrix.data),
        lba=program.row_low,
        uba=program.row_high,
        lbx=program.low,
        ubx=program.high,
    )
    stats = solver.stats()
    if not stats["success"]:
        return None
    value, reduced, dual = (np.array(found[name]).ravel() for name in ("x", "lam_x", "lam_a"))
    return value, reduced, dual, int(stats["solver_stats"]["iter_count"])
