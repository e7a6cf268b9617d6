"""Cost and limit tables held against a grid: what they change in each snapshot."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...errors import GatBatchError, SolverError
from ...study.opf_tables import POINT, POLYNOMIALS
from ..costs import Costs, curve_through, polynomial_curve

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ...grids.elements import ElementIndex
    from ...study.opf_tables import ElementTable

    Columns = dict[tuple[str, str], NDArray[np.float64] | NDArray[np.bool_]]


@dataclass(frozen=True)
class Placed:
    """A table whose elements have been found in a grid.

    Attributes:
        table: the table.
        position: position of each row's element in its table, shape (rows,).
    """

    table: ElementTable
    position: NDArray[np.int64]

    def rows(self, snapshot: str | None) -> NDArray[np.int64]:
        """Return the rows of a snapshot; a table without snapshots holds for all."""
        return self._rows_of.get(snapshot if self.table.snapshots else None, self._rows_of[""])

    @cached_property
    def _rows_of(self) -> dict[str | None, NDArray[np.int64]]:
        table = self.table
        none = np.array([], dtype=np.int64)
        if not table.snapshots:
            return {None: np.arange(len(table.label)), "": none}
        order = np.argsort(table.snapshot, kind="stable")
        ends = np.cumsum(np.bincount(table.snapshot, minlength=len(table.snapshots)))
        pieces = np.split(order, ends[:-1])
        return {"": none, **dict(zip(table.snapshots, pieces, strict=True))}


def place(index: ElementIndex, table: ElementTable, faults: list[GatBatchError]) -> Placed:
    """Find the elements that a table names.

    Args:
        index: the grid's elements.
        table: the table.
        faults: faults are added here.

    Returns:
        The table with its elements; of no use if faults were added.
    """
    found: dict[tuple[str, str], int] = {}
    position = np.full(len(table.label), -1)
    owners: dict[tuple[str, int], str] = {}
    for row in range(len(table.label)):
        element, label = table.place(row)
        if (element, label) not in found:
            try:
                found[element, label] = index.position(element, label)
            except GatBatchError as fault:
                faults.append(table.fault(row, fault.what, "id", fault.hint))
                found[element, label] = -1
        position[row] = found[element, label]
        owner = owners.setdefault((element, int(position[row])), label)
        if position[row] >= 0 and owner != label:
            what = f"{element} {label!r} and {owner!r} are the same one"
            faults.append(table.fault(row, what, "id"))
    return Placed(table, position)


def given_columns(
    net: pandapowerNet, limits: Placed, snapshot: str | None, names: Collection[str] | None = None
) -> Columns:
    """Return columns of a grid as a table has them in one snapshot.

    Args:
        net: the grid as given.
        limits: the table.
        snapshot: the snapshot.
        names: the table's columns that are the grid's too; None for all.

    Returns:
        Whole columns by (element, column), NaN where there is no limit.
    """
    table, rows = limits.table, limits.rows(snapshot)
    columns: Columns = {}
    for code, element in enumerate(table.elements):
        own = rows[table.element[rows] == code]
        for name, values in table.values.items():
            if names is not None and name not in names:
                continue
            given = own[np.isfinite(values[own])]
            if not len(given):
                continue
            column = _column(net, element, name)
            column[limits.position[given]] = values[given]
            columns[element, name] = column
    return columns


def _column(net: pandapowerNet, element: str, name: str) -> NDArray[np.float64] | NDArray[np.bool_]:
    """Return a copy of a column, or what stands for one that isn't there."""
    default = element == "gen" if name == "controllable" else np.nan
    column: NDArray[np.float64] | NDArray[np.bool_] = np.full(len(net[element]), default)
    if name in net[element]:
        known = net[element][name].to_numpy(object)
        there = net[element][name].notna().to_numpy()
        column[there] = known[there].astype(column.dtype)
    return column


@contextmanager
def _at(table: ElementTable, row: int) -> Iterator[None]:
    """Give what is wrong with a curve its place."""
    try:
        yield
    except SolverError as fault:
        raise table.fault(row, fault.what, "element", fault.hint) from None


def cost_curves(costs: Placed, snapshot: str | None) -> Costs:
    """Return the curves that a table gives in one snapshot.

    Args:
        costs: the table.
        snapshot: the snapshot.

    Returns:
        A curve for each power that the table gives a cost.

    Raises:
        TableError: if a curve isn't convex, or its points don't rise.
    """
    table = costs.table
    points: dict[tuple[str, int, str], list[tuple[float, float]]] = {}
    first: dict[tuple[str, int, str], int] = {}
    curves: Costs = {}
    for row in costs.rows(snapshot).tolist():
        place = table.place(row)[0], int(costs.position[row])
        values = {name: float(column[row]) for name, column in table.values.items()}
        for power, names in POLYNOMIALS.items():
            given = [values.get(name, np.nan) for name in names]
            if not np.isnan(given).all():
                c0, c1, c2 = (float(value) for value in np.nan_to_num(given))
                with _at(table, row):
                    curves[*place, power] = polynomial_curve(c0, c1, c2)
        power_mw, cost = (values.get(name, np.nan) for name in POINT)
        if not np.isnan(power_mw):
            points.setdefault((*place, "p"), []).append((power_mw, cost))
            first.setdefault((*place, "p"), row)
    for key, curve in points.items():
        with _at(table, first[key]):
            curves[key] = curve_through(curve)
    return curves
