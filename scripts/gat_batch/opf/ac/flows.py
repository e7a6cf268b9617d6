"""Power into branches within a non-linear program, with exact derivatives.

Voltages are in polar form. Power flows from bus f into a branch with admittances y by
``v_f**2 conj(y_ff) + v_f v_t conj(y_ft) exp(j (a_f - a_t))``, and as much at its other end with f
and t exchanged (MATPOWER User's Manual, sections 3.2 and 6.1).

A branch depends on four variables alone. So its derivatives are made once, in the symbols of one
branch, and added up where they belong: casadi's own way, by colouring all of a program's matrices,
takes seconds for thousands of buses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import casadi
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

VARIABLES, VALUES, ENTRIES = 4, 6, 8
"""Of a branch: angles and voltages of both its ends; active and reactive power into both and the
squares that ratings limit; real and imaginary parts of its admittances."""

NOWHERE = -1


@dataclass(frozen=True)
class Places:
    """Where what branches depend on, and what they add to, lies in a program.

    Attributes:
        variables: angle at either end and voltage at either end, shape (branches, 4).
        rows: row that each value adds to, or :data:`NOWHERE`, shape (branches, 6).
        entries: parameters that are the admittances, shape (branches, 8).
    """

    variables: Rows
    rows: Rows
    entries: Rows

    def repeated(self, count: int, variables: int, rows: int, parameters: int) -> Places:
        """Return the places in several programs one after the other.

        Args:
            count: number of programs.
            variables: how many variables each of them has.
            rows: how many rows.
            parameters: how many parameters.
        """

        def shifted(places: Rows, size: int) -> Rows:
            each = [np.where(places == NOWHERE, NOWHERE, places + n * size) for n in range(count)]
            return np.concatenate(each)

        return Places(
            shifted(self.variables, variables),
            shifted(self.rows, rows),
            shifted(self.entries, parameters),
        )


@dataclass(frozen=True)
class Program:
    """A program that Ipopt can solve, for any numbers.

    Attributes:
        solver: Ipopt on it.
        conditions: gradient of the Lagrangian, objective and rows, of variables, parameters and
            multipliers of the rows.
        another: makes another Ipopt on it, of other options.
    """

    solver: Any
    conditions: Any
    another: Callable[[dict[str, Any]], Any]
    _others: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def with_options(self, ipopt: Mapping[str, Any]) -> Any:
        """Return Ipopt on the same program with other options, kept for the next time.

        Args:
            ipopt: options in which it differs.
        """
        key = tuple(sorted(ipopt.items()))
        if not key:
            return self.solver
        if key not in self._others:
            self._others[key] = self.another(dict(ipopt))
        return self._others[key]


def program_of(
    rest: dict[str, Any], places: Places, *, by_current: bool, options: dict[str, Any]
) -> Program:
    """Add the branches to the rest of a program.

    Args:
        rest: variables ``x``, parameters ``p``, objective ``f`` and rows ``g`` without them.
        places: where they lie in it.
        by_current: whether the squares are those of the current, at 1 p.u. voltage.
        options: of casadi's solver.
    """
    values, first, second = _derived(rest)
    x, p = (casadi.MX.sym(name, rest[name].numel()) for name in ("x", "p"))
    weight, dual = casadi.MX.sym("weight"), casadi.MX.sym("dual", rest["g"].numel())
    flow, flow_jacobian, flow_hessian = _added(x, p, dual, places, by_current=by_current)
    f, g = values(x, p)
    gradient, jacobian = first(x, p)
    g, jacobian = g + flow, jacobian + flow_jacobian
    hessian = second(x, p, weight, dual) + flow_hessian
    given = {
        "grad_f": casadi.Function("nlp_grad_f", [x, p], [f, gradient]),
        "jac_g": casadi.Function("nlp_jac_g", [x, p], [g, jacobian]),
        "hess_lag": casadi.Function("nlp_hess_l", [x, p, weight, dual], [hessian]),
    }
    nlp = {"x": x, "p": p, "f": f, "g": g}
    lagrangian = gradient + jacobian.T @ dual

    def solver(ipopt: dict[str, Any]) -> Any:
        own = {**options, "ipopt": {**options["ipopt"], **ipopt}}
        return casadi.nlpsol("opf", "ipopt", nlp, {**own, **given, "no_nlp_grad": True})

    conditions = casadi.Function("conditions", [x, p, dual], [lagrangian, f, g])
    return Program(solver({}), conditions, solver)


def spread(rows: Rows, count: int) -> casadi.DM:
    """Sums what lies at rows: ones at (row, position), nothing at :data:`NOWHERE`."""
    there = np.flatnonzero(rows != NOWHERE)
    shape = casadi.Sparsity.triplet(count, len(rows), rows[there].tolist(), there.tolist())
    return casadi.DM(shape, np.ones(len(there)))


def _derived(rest: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return functions for the values, the first and the second derivatives of the rest."""
    x, p, f, g = (rest[name] for name in ("x", "p", "f", "g"))
    weight, dual = casadi.SX.sym("weight"), casadi.SX.sym("dual", g.numel())
    hessian, _ = casadi.hessian(weight * f + casadi.dot(dual, g), x)
    first = [casadi.densify(casadi.gradient(f, x)), casadi.jacobian(g, x)]
    return (
        casadi.Function("values", [x, p], [f, g]),
        casadi.Function("first", [x, p], first),
        casadi.Function("second", [x, p, weight, dual], [casadi.triu(hessian)]),
    )


def _branch(*, by_current: bool) -> tuple[Any, Any, Any]:
    """Return functions for the values of one branch, and for their derivatives by its variables."""
    x, y = casadi.SX.sym("x", VARIABLES), casadi.SX.sym("y", ENTRIES)
    weight = casadi.SX.sym("weight", VALUES)
    a_f, a_t, v_f, v_t = casadi.vertsplit(x)
    g_ff, b_ff, g_ft, b_ft, g_tf, b_tf, g_tt, b_tt = casadi.vertsplit(y)
    cosine, sine = casadi.cos(a_f - a_t), casadi.sin(a_f - a_t)
    p_f = v_f * (g_ff * v_f + v_t * (g_ft * cosine + b_ft * sine))
    q_f = v_f * (-b_ff * v_f + v_t * (g_ft * sine - b_ft * cosine))
    p_t = v_t * (g_tt * v_t + v_f * (g_tf * cosine - b_tf * sine))
    q_t = v_t * (-b_tt * v_t - v_f * (g_tf * sine + b_tf * cosine))
    squares = [p_f**2 + q_f**2, p_t**2 + q_t**2]
    if by_current:
        squares = [squares[0] / v_f**2, squares[1] / v_t**2]
    values = casadi.vertcat(p_f, q_f, p_t, q_t, *squares)
    jacobian = casadi.densify(casadi.jacobian(values, x))
    hessian = casadi.densify(casadi.hessian(casadi.dot(weight, values), x)[0])
    return (
        casadi.Function("branch", [x, y], [values]),
        casadi.Function("branch_first", [x, y], [jacobian]),
        casadi.Function("branch_second", [x, y, weight], [hessian]),
    )


def _added(x: Any, p: Any, dual: Any, places: Places, *, by_current: bool) -> tuple[Any, Any, Any]:
    """Tell what all branches add to the rows, the Jacobian and the Hessian's upper triangle."""
    count = len(places.rows)
    values, first, second = (part.map(count) for part in _branch(by_current=by_current))
    own = casadi.reshape(x[places.variables.ravel().tolist()], VARIABLES, count)
    y = casadi.reshape(p[places.entries.ravel().tolist()], ENTRIES, count)
    at_rows = spread(places.rows.ravel(), dual.numel())
    weight = casadi.reshape(at_rows.T @ dual, VALUES, count)
    variables = places.variables
    jacobian = _summed(
        first(own, y), places.rows[:, None], variables[:, :, None], (dual.numel(), x.numel())
    )
    before, after = np.broadcast_arrays(variables[:, None], variables[:, :, None])
    hessian = _summed(
        second(own, y, weight),
        np.where(before <= after, before, NOWHERE),
        after,
        (x.numel(), x.numel()),
    )
    return at_rows @ casadi.vec(values(own, y)), jacobian, hessian


def _summed(local: Any, rows: Rows, columns: Rows, shape: tuple[int, int]) -> Any:
    """Return a sparse matrix of entries that are added up where they share a place.

    Args:
        local: the entries, one column a branch.
        rows: row of each, or :data:`NOWHERE`; of shape (branches, columns of a branch's matrix,
            rows of it), or broadcast to that.
        columns: column of each, likewise.
        shape: of the sparse matrix.
    """
    row, column = (part.ravel() for part in np.broadcast_arrays(rows, columns))
    key = np.where(row == NOWHERE, NOWHERE, column * shape[0] + row)
    places = np.unique(key[key != NOWHERE])
    entry = np.where(key == NOWHERE, NOWHERE, np.searchsorted(places, key))
    column_of, row_of = np.divmod(places, shape[0])
    sparsity = casadi.Sparsity.triplet(*shape, row_of.tolist(), column_of.tolist())
    return casadi.MX(sparsity, spread(entry, len(places)) @ casadi.vec(local))
