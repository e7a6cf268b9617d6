"""The linear or quadratic program that a DC optimal power flow is.

A branch carries its angle difference over its reactance and tap ratio, less its phase shift:
pandapower's DC equations, which are MATPOWER's. Formulation: MATPOWER User's Manual, section 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..dispatch import Dispatch
    from ..ties.ties import Ties

    Reals = NDArray[np.float64]
    Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Where things lie in the program of one snapshot.

    Variables are angles, injections, and costs of injections by straight lines. Rows are the
    balance of each bus, flows, angle differences and straight lines.

    Attributes:
        buses, units: numbers of angles and injections.
        priced: injections that cost by straight lines, shape (priced,).
        rated: live branches with a rating, shape (rated,).
        spread: live branches with a limit of the angle across them, shape (spread,).
        lines: straight lines of active power, of all, shape (lines,).
    """

    buses: int
    units: int
    priced: Rows
    rated: Rows
    spread: Rows
    lines: Rows

    @property
    def size(self) -> int:
        """Number of variables."""
        return self.buses + self.units + len(self.priced)

    @property
    def blocks(self) -> Rows:
        """First row of each kind, and the number of rows."""
        return np.cumsum([0, self.buses, len(self.rated), len(self.spread), len(self.lines)])


@dataclass(frozen=True)
class Program:
    """A linear or quadratic program.

    Attributes:
        linear, quadratic: coefficients of the objective, shape (variables,).
        low, high: bounds of the variables, shape (variables,).
        matrix: of the rows, shape (rows, variables).
        row_low, row_high: bounds of the rows, shape (rows,).
    """

    linear: Reals
    quadratic: Reals
    low: Reals
    high: Reals
    matrix: Any
    row_low: Reals
    row_high: Reals


def layout_of(dispatch: Dispatch) -> Layout:
    """Tell where things lie in the program of a snapshot."""
    units = len(dispatch.units.row)
    lines = np.flatnonzero(dispatch.prices.unit < units)
    return Layout(
        buses=dispatch.buses,
        units=units,
        priced=np.unique(dispatch.prices.unit[lines]),
        rated=np.flatnonzero(np.isfinite(dispatch.rating) & ~dispatch.admittances.open),
        spread=np.flatnonzero(np.isfinite(dispatch.angle).any(axis=1) & ~dispatch.admittances.open),
        lines=lines,
    )


def program_of(dispatch: Dispatch, layout: Layout) -> Program:
    """Return the program of one snapshot."""
    admittances, units, prices = dispatch.admittances, dispatch.units, dispatch.prices
    at = np.arange(layout.units)
    angle = np.tile([-np.inf, np.inf], (layout.buses, 1))
    angle[dispatch.ref] = np.angle(admittances.start[dispatch.ref])[:, None]
    bounds = np.concatenate([angle, units.p, np.tile([-np.inf, np.inf], (len(layout.priced), 1))])
    balance = admittances.bus_shift + dispatch.demand.real
    shift = admittances.branch_shift[layout.rated]
    rating = dispatch.rating[layout.rated]
    spread = dispatch.angle[layout.spread]
    offset = prices.offset[layout.lines]
    none = np.full(len(offset), -np.inf)
    return Program(
        linear=np.concatenate(
            [np.zeros(layout.buses), prices.linear[at], np.ones(len(layout.priced))]
        ),
        quadratic=np.concatenate(
            [np.zeros(layout.buses), prices.quadratic[at], np.zeros(len(layout.priced))]
        ),
        low=bounds[:, 0],
        high=bounds[:, 1],
        matrix=_kept_matrix(dispatch, layout),
        row_low=np.concatenate([-balance, -rating - shift, spread[:, 0], none]),
        row_high=np.concatenate([-balance, rating - shift, spread[:, 1], -offset]),
    )


def _kept_matrix(dispatch: Dispatch, layout: Layout) -> Any:
    """Return the rows' matrix of the last program, where this one has the same."""
    prices = dispatch.prices
    parts = (
        dispatch.units.row,
        layout.rated,
        layout.spread,
        prices.unit[layout.lines],
        prices.slope[layout.lines],
    )
    key = tuple(part.tobytes() for part in parts)
    kept = dispatch.admittances.solvers
    if kept.get("opf_rows") != key:
        kept["opf_rows"], kept["opf_matrix"] = key, _matrix(dispatch, layout)
    return kept["opf_matrix"]


def _matrix(dispatch: Dispatch, layout: Layout) -> Any:
    admittances, prices = dispatch.admittances, dispatch.prices
    ones = np.ones(layout.units)
    places = (dispatch.units.row, np.arange(layout.units))
    fed = sparse.csr_matrix((-ones, places), (layout.buses, layout.units))
    count = len(layout.spread)
    ends = dispatch.ends[layout.spread]
    across = sparse.csr_matrix(
        (
            np.repeat([1.0, -1.0], count),
            (np.tile(np.arange(count), 2), ends.T.ravel()),
        ),
        (count, layout.buses),
    )
    lines = np.arange(len(layout.lines))
    unit = prices.unit[layout.lines]
    slope = sparse.csr_matrix(
        (prices.slope[layout.lines], (lines, unit)), (len(lines), layout.units)
    )
    cost = sparse.csr_matrix(
        (-np.ones(len(lines)), (lines, np.searchsorted(layout.priced, unit))),
        (len(lines), len(layout.priced)),
    )
    flows = admittances.at_from[layout.rated]
    return sparse.bmat(
        [
            [admittances.bus, fed, sparse.csr_matrix((layout.buses, len(layout.priced)))],
            [flows, sparse.csr_matrix((flows.shape[0], layout.units)), None],
            [across, None, None],
            [sparse.csr_matrix((len(lines), layout.buses)), slope, cost],
        ],
        format="csc",
    )


def tied(programs: list[Program]) -> Program:
    """Return one program of several that don't touch each other."""
    if len(programs) == 1:
        return programs[0]
    vectors = ("linear", "quadratic", "low", "high", "row_low", "row_high")
    return Program(
        matrix=sparse.block_diag([program.matrix for program in programs], format="csc"),
        **{name: np.concatenate([getattr(p, name) for p in programs]) for name in vectors},
    )


def with_ties(program: Program, ties: Ties, layouts: Sequence[Layout]) -> Program:
    """Return the program of several snapshots with what ties their units together, added last."""
    if not ties.count:
        return program
    first = np.cumsum([0, *(layout.size for layout in layouts)])
    places = [
        start + own.buses + np.arange(own.units)
        for start, own in zip(first[:-1], layouts, strict=True)
    ]
    columns = np.concatenate(places)
    at = sparse.csr_matrix(
        (np.ones(len(columns)), (np.arange(len(columns)), columns)),
        (len(columns), program.matrix.shape[1]),
    )
    nothing = np.zeros(len(ties.low))
    return Program(
        linear=np.concatenate([program.linear, nothing]),
        quadratic=np.concatenate([program.quadratic, nothing]),
        low=np.concatenate([program.low, ties.low]),
        high=np.concatenate([program.high, ties.high]),
        matrix=sparse.bmat([[program.matrix, None], [ties.units @ at, ties.own]], format="csc"),
        row_low=np.concatenate([program.row_low, ties.row_low]),
        row_high=np.concatenate([program.row_high, ties.row_high]),
    )


def with_rows(program: Program, rows: Any, low: Reals, high: Reals) -> Program:
    """Return a program with further rows.

    Args:
        program: the program.
        rows: coefficients of its first variables, shape (rows, variables).
        low: lowest value of each row.
        high: highest value of each row.
    """
    wide = sparse.csr_matrix(rows)
    wide.resize(wide.shape[0], program.matrix.shape[1])
    return replace(
        program,
        matrix=sparse.vstack([program.matrix, wide], format="csc"),
        row_low=np.concatenate([program.row_low, low]),
        row_high=np.concatenate([program.row_high, high]),
    )


def elastic(program: Program, first: int, count: int) -> Program:
    """Return the program that finds by how much some rows of another one give way at the least.

    Args:
        program: the other one.
        first: its first row that may give way.
        count: number of such rows.

    Returns:
        A linear program with two variables more for each row: what is added to it, for all of
        them, and then what is taken from it. Their sum is the least.
    """
    rows, columns = program.matrix.shape
    places = (first + np.arange(count), np.arange(count))
    slack = sparse.csc_matrix((np.ones(count), places), (rows, count))
    return Program(
        linear=np.concatenate([np.zeros(columns), np.ones(2 * count)]),
        quadratic=np.zeros(columns + 2 * count),
        low=np.concatenate([program.low, np.zeros(2 * count)]),
        high=np.concatenate([program.high, np.full(2 * count, np.inf)]),
        matrix=sparse.hstack([program.matrix, slack, -slack], format="csc"),
        row_low=program.row_low,
        row_high=program.row_high,
    )
