"""Values of inner rows: star points and open ends of lines, which nothing but branches is at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .grid_arrays import GridArrays

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]


def fill_voltages(
    grid: GridArrays, voltage: Complexes, admittance: Complexes, shunt: Complexes
) -> None:
    """Fill in the voltages of inner rows.

    Args:
        grid: the rows.
        voltage: complex voltages in p.u., 0 of inner rows, shape (samples, rows).
        admittance: of branches in p.u., shape (samples, branches, 4).
        shunt: of shunts in p.u., shape (samples, rows).
    """
    if not len(grid.inner):
        return
    first, last = grid.ends.T
    places = np.concatenate([first, first, last, last]), np.concatenate([first, last] * 2)
    shape = (len(grid.kv),) * 2
    for at in range(len(voltage)):
        matrix = sparse.csr_matrix((admittance[at].T.ravel(), places), shape)
        matrix += sparse.diags(shunt[at])
        voltage[at, grid.inner] = _solved(matrix, grid.inner, voltage[at], 0.0, alone=1.0)


def fill_angles(grid: GridArrays, va: Reals, strength: Reals, shift: Reals) -> None:
    """Fill in the angles of inner rows in a DC power flow.

    Args:
        grid: the rows.
        va: angles in degrees, shape (samples, rows).
        strength: susceptance of branches behind their ratio, in any unit, shape (samples,
            branches).
        shift: their phase shift in degrees, shape (samples, branches).
    """
    if not len(grid.inner):
        return
    va[:, grid.inner] = 0.0
    every, ones = np.arange(len(grid.ends)), np.ones(len(grid.ends))
    sides = np.concatenate([ones, -ones]), (np.tile(every, 2), grid.ends.T.ravel())
    across = sparse.csr_matrix(sides, (len(grid.ends), len(grid.kv)))
    for at in range(len(va)):
        matrix = (across.T @ sparse.diags(strength[at]) @ across).tocsr()
        right = (across.T @ (strength[at] * shift[at]))[grid.inner]
        va[at, grid.inner] = _solved(matrix, grid.inner, va[at], right, alone=0.0)


def _solved(
    matrix: Any, inner: NDArray[np.int64], values: NDArray[Any], right: Any, *, alone: float
) -> NDArray[Any]:
    """Solve the equations of inner rows for their values.

    Args:
        matrix: the equations of all rows.
        inner: the inner rows.
        values: values of all rows, 0 for inner ones.
        right: right-hand side of the inner rows.
        alone: value of a row that nothing is connected to.
    """
    own = matrix[inner][:, inner].tocsc()
    lonely = own.diagonal() == 0
    own += sparse.diags(lonely.astype(float))
    found: NDArray[Any] = np.atleast_1d(linalg.spsolve(own, right - matrix[inner] @ values))
    return np.where(lonely, alone, found)
