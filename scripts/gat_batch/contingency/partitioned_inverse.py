"""Sparse equations solved for many right-hand sides by partitioned inverses of their factors.

A triangular factor is a product of a few, each made of columns that depend little on one another.
The inverse of each has hardly more entries than the factor itself, so that solving is a handful of
products of matrices. Source: Alvarado, Yu and Betancourt, Partitioned sparse A^-1 methods, IEEE
Transactions on Power Systems 5 (1990), 452-459.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]

PIVOT = 0.01
"""How small a diagonal pivot may be beside the largest entry of its column: reactances of one sign
need no other, those of series capacitors may."""

HEIGHTS = (0, 4, 12)
"""Heights in the elimination tree at which a part begins: most columns are near the leaves."""

GROWTH = 10.0
"""Largest entry of an inverse that rounds off no more than SuperLU does. Those of reactances of one
sign have none above 1; series capacitors may bring about larger ones."""


class PartitionedInverse:
    """Solves equations with a matrix of symmetric structure.

    Args:
        matrix: the matrix, square. One that isn't symmetric, or not without loss of digits, is
            solved by SuperLU, which takes longer.

    Raises:
        RuntimeError: if it is singular.
    """

    def __init__(self, matrix: Any) -> None:
        self._lu = linalg.splu(
            matrix.tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=PIVOT,
            options={"SymmetricMode": True},
        )
        lower, pivots = self._lu.L, self._lu.U.diagonal()
        other = (sparse.diags(1.0 / pivots) @ self._lu.U).T
        self._good = bool((self._lu.perm_r == self._lu.perm_c).all())
        self._good = self._good and abs(other - lower).max() <= GROWTH * np.finfo(float).eps
        if not self._good:
            return
        order, parts = _parts(lower)
        whole = reduce(lambda done, part: part[1] @ done, parts, sparse.identity(len(order)))
        self._good = all(abs(one).max() <= GROWTH for one in (whole, *(part[1] for part in parts)))
        self._place = np.argsort(order)[self._lu.perm_c]
        # Right-hand sides are so sparse that they meet few columns of the whole inverse.
        self._forward = (sparse.diags(1.0 / pivots[order]) @ whole[:, self._place]).tocsc()
        # Rows below those of a part are left as they are.
        self._backward = [
            (rows, inverse[rows.start :, rows].T.tocsr()) for rows, inverse in reversed(parts)
        ]

    def solve(self, right: Reals) -> Reals:
        """Solve for one dense right-hand side, shape (equations,)."""
        solution: Reals = self._lu.solve(right)
        return solution

    def solve_sparse(self, right: Any) -> Reals:
        """Solve for a sparse matrix of right-hand sides, shape (equations, right-hand sides)."""
        if not self._good:
            return np.ascontiguousarray(self._lu.solve(right.toarray(order="F")))
        solution: Reals = (self._forward @ right).toarray(order="C")
        for rows, inverse in self._backward:
            solution[rows] = inverse @ solution[rows.start :]
        ordered: Reals = solution[self._place]
        return ordered


def _parts(factor: Any) -> tuple[Rows, list[tuple[slice, Any]]]:
    """Return the parts of a lower triangular factor with ones on its diagonal.

    Returns:
        The order of its rows, and of each part the rows, in this order, and the inverse.
    """
    factor = factor.tocsc()
    height = _heights(factor)
    order = np.argsort(height, kind="stable")
    count = len(order)
    one = sparse.identity(count, format="csc")
    below = (factor - one)[order][:, order].tocsc()
    bounds = [*np.searchsorted(height[order], HEIGHTS).tolist(), count]
    parts = []
    for start, stop in pairwise(bounds):
        mine = np.zeros(count)
        mine[start:stop] = 1.0
        power = (below @ sparse.diags(mine)).tocsc()
        power.eliminate_zeros()
        # (1 + N)^-1 = (1 - N)(1 + N^2)(1 + N^4)... and some power of N is zero.
        inverse = one - power
        while power.nnz:
            power = power @ power
            inverse = inverse + inverse @ power
        parts.append((slice(start, stop), inverse.tocsc()))
    return order, parts


def _heights(factor: Any) -> Rows:
    """Return the height of each column above the leaves: it depends on lower ones only."""
    height = [0] * factor.shape[1]
    begin, rows = factor.indptr.tolist(), factor.indices.tolist()
    for column, own in enumerate(height):
        for row in rows[begin[column] : begin[column + 1]]:
            if row > column and height[row] <= own:
                height[row] = own + 1
    return np.array(height, np.int64)
