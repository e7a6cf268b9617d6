"""Kept equations without what outages take out of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.admittance_model import AdmittanceModel
    from .topology import Cut

    Rows = NDArray[np.int64]


def without(admittances: AdmittanceModel, cut: Cut) -> AdmittanceModel:
    """Return the equations without what a cut takes out.

    Args:
        admittances: the equations, with nothing taken out of them.
        cut: what is taken out.

    Returns:
        Equations of the same rows and branches. Those of rows that are cut off are still there,
        but nothing links them to the others.
    """
    ends = admittances.ends[admittances.live]
    dead = np.zeros(admittances.buses, bool)
    dead[cut.dead] = True
    lines, sides = np.array(cut.hanging, np.int64).reshape(-1, 2).T
    gone = np.isin(np.arange(len(ends)), cut.gone)
    hangs = np.isin(np.arange(len(ends)), lines)
    first = np.flatnonzero(gone | hangs)
    bus = admittances.bus - _blocks(admittances.at_from, first, ends[first, 0], admittances.buses)
    bus = bus - _blocks(admittances.at_to, first, ends[first, 1], admittances.buses)
    shift = admittances.bus_shift.copy()
    np.subtract.at(shift, ends[first, 0], admittances.branch_shift[first])
    np.add.at(shift, ends[first, 1], admittances.branch_shift[first])
    at_from, at_to = admittances.at_from, admittances.at_to
    if len(lines):
        left = stub_admittances(admittances, lines, sides)
        rows = ends[lines, sides]
        bus = bus + sparse.csr_matrix((left, (rows, rows)), bus.shape)
        at_from, at_to = (
            _with_stubs(matrix, lines, sides == side, rows, left)
            for side, matrix in enumerate((at_from, at_to))
        )
    holders = np.array(cut.holders, np.int64)
    lost = np.union1d(holders, cut.dead)
    pq = np.union1d(admittances.pq, np.intersect1d(admittances.pv, holders))
    return replace(
        admittances,
        bus=bus.tocsc(),
        at_from=at_from,
        at_to=at_to,
        bus_shift=shift,
        open=gone | (dead[ends].any(axis=1) & ~hangs),
        dead=dead,
        hanging=np.column_stack([admittances.live[lines], sides]),
        pv=np.setdiff1d(admittances.pv, lost),
        pq=np.setdiff1d(pq, cut.dead),
    )


def branch_admittances(admittances: AdmittanceModel) -> NDArray[Any]:
    """Return admittances of each live branch between its ends in p.u., shape (live, 2, 2)."""
    ends = admittances.ends[admittances.live]
    every = np.arange(len(ends))
    own = [
        [np.asarray(matrix[every, ends[:, end]]).ravel() for end in range(2)]
        for matrix in (admittances.at_from, admittances.at_to)
    ]
    return np.moveaxis(np.array(own), 2, 0)


def stub_admittances(admittances: AdmittanceModel, lines: Rows, sides: Rows) -> NDArray[Any]:
    """Return the admittance of lines of which only one end is connected, seen from there, in p.u.

    Args:
        admittances: the equations; in those of a DC power flow nothing flows into such lines.
        lines: positions among the live branches.
        sides: the end that is connected, 0 or 1.
    """
    own = branch_admittances(admittances)[lines]
    every, far = np.arange(len(lines)), 1 - sides
    across = own[every, sides, far] * own[every, far, sides]
    seen: NDArray[Any] = own[every, sides, sides] - across / own[every, far, far]
    return seen


def _with_stubs(
    matrix: Any, lines: Rows, here: NDArray[np.bool_], rows: Rows, admittances: NDArray[Any]
) -> Any:
    """Return a branch matrix in which lines have only their stubs' admittances."""
    kept = np.ones(matrix.shape[0])
    kept[lines] = 0.0
    stubs = (admittances[here], (lines[here], rows[here]))
    return sparse.diags(kept) @ matrix + sparse.csr_matrix(stubs, matrix.shape)


def _blocks(matrix: Any, branches: Rows, rows: Rows, buses: int) -> Any:
    """Tell what rows of a branch matrix put into the rows of their buses."""
    ones = np.ones(len(branches))
    place = sparse.csr_matrix((ones, (rows, np.arange(len(branches)))), (buses, len(branches)))
    return place @ matrix[branches]
