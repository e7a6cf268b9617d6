"""Which elements of a grid are meant: by zone, area, voltage level, tag, index or name."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GridError, TableError
from ..files.columns import read_texts
from ..grids.elements import ElementIndex
from ..study.scenario import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

BUS_COLUMNS = {
    "line": ("from_bus", "to_bus"),
    "trafo": ("hv_bus", "lv_bus"),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus"),
}
"""Columns with the buses of an element; other elements have one bus, in the column ``bus``."""


@dataclass
class Elements:
    """The elements of a grid, with what tells them apart.

    Attributes:
        net: the network; its tables must keep their rows.
        tags: tag -> type -> indices or names of elements.
        index: finds elements by index or name.
    """

    net: pandapowerNet
    tags: Mapping[str, Mapping[str, list[int | str]]]
    index: ElementIndex = field(init=False)

    def __post_init__(self) -> None:
        self.index = ElementIndex(self.net)

    def count(self, element: str) -> int:
        """Return the number of elements in a table."""
        return len(self.net[element])

    def column(self, element: str, name: str) -> NDArray[np.float64]:
        """Return a column of numbers, all NaN if there is no such column, shape (elements,)."""
        table = self.net[element]
        if name not in table:
            return np.full(len(table), np.nan)
        values: NDArray[np.float64] = table[name].to_numpy(np.float64, na_value=np.nan)
        return values

    def ids(self, element: str) -> NDArray[np.int64]:
        """Return the indices of the elements, shape (elements,)."""
        ids: NDArray[np.int64] = self.net[element].index.to_numpy(np.int64)
        return ids

    def live(self, element: str) -> NDArray[np.bool_]:
        """Return whether each element is in service, shape (elements,)."""
        live: NDArray[np.bool_] = self.net[element]["in_service"].to_numpy(bool)
        return live

    def branch(self, label: int | str) -> tuple[str, int]:
        """Return the type and position of a branch by its name or index, whatever its type.

        Raises:
            GridError: if there is none, or more than one.
        """
        return self.any_of(BRANCHES, label, "branch")

    def any_of(self, elements: Iterable[str], label: int | str, what: str) -> tuple[str, int]:
        """Return the type and position of an element by its name or index, among several tables.

        Args:
            elements: names of the tables.
            label: its name or index.
            what: what to call it in messages.

        Raises:
            GridError: if there is none, or more than one.
        """
        found, last = [], None
        for element in elements:
            try:
                found.append((element, self.index.position(element, label)))
            except GridError as fault:
                last = fault
        if len(found) == 1:
            return found[0]
        if found:
            kinds = " and ".join(element for element, _ in found)
            raise GridError(f"{what} {label!r} is a {kinds}", hint="name its type")
        assert last is not None  # noqa: S101 - there are tables to look in
        raise GridError(f"there is no {what} {label!r}", hint=last.hint)

    def chosen(
        self, element: str, where: Mapping[str, Any] | None, *, may_be_none: bool = False
    ) -> NDArray[np.int64]:
        """Return the positions of the elements that meet all conditions.

        Args:
            element: name of the table.
            where: the conditions; a branch meets those on buses if one of its buses does.
            may_be_none: whether it is fine that no element meets them.

        Returns:
            Positions in ascending order.

        Raises:
            GatBatchError: if the grid lacks what a condition names, or no element meets them.
        """
        count = self.count(element)
        meets = np.ones(count, dtype=bool)
        for key, wanted in (where or {}).items():
            if key == "id":
                positions = [self.index.position(element, label) for label in _many(wanted)]
                meets &= np.isin(np.arange(count), positions)
            elif key == "tag":
                meets &= self._tagged(element, [str(tag) for tag in _many(wanted)])
            else:
                meets &= self._at_buses(element, self._buses(key, wanted))
        if not meets.any() and not may_be_none:
            what = f"no {element} meets the conditions" if where else f"the grid has no {element}"
            raise GridError(what)
        return np.flatnonzero(meets)

    def buses_of(self, element: str) -> NDArray[np.int64]:
        """Return positions of the buses that elements are at, shape (elements,)."""
        table = self.net[element]
        at: NDArray[np.int64] = self.net["bus"].index.get_indexer(table["bus"]).astype(np.int64)
        return at

    def groups(self, element: str, column: str) -> NDArray[np.str_]:
        """Return what the buses of elements have in a column, ``zone`` or ``area``, as text.

        Raises:
            GridError: if buses have no such column.
        """
        table = self.net["bus"]
        if column not in table:
            raise GridError(f"the buses of the grid have no {column}", field="each")
        values = table[column].loc[self.net[element]["bus"]]
        return np.array([_plain(value) for value in values], dtype=str)

    def _buses(self, key: str, wanted: Any) -> NDArray[np.bool_]:
        table = self.net["bus"]
        if key not in table:
            raise GridError(f"the buses of the grid have no {key}", field=key)
        if isinstance(wanted, dict):
            values = table[key].to_numpy(np.float64)
            low, high = wanted.get("min", -np.inf), wanted.get("max", np.inf)
            within: NDArray[np.bool_] = (values >= low) & (values <= high)
            return within
        names = {_plain(value) for value in _many(wanted)}
        return np.array([_plain(value) in names for value in table[key]], dtype=bool)

    def _at_buses(self, element: str, buses: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if element == "bus":
            return buses
        meets = np.zeros(self.count(element), dtype=bool)
        for column in BUS_COLUMNS.get(element, ("bus",)):
            at = self.net["bus"].index.get_indexer(self.net[element][column])
            meets |= buses[at] & (at >= 0)
        return meets

    def _tagged(self, element: str, tags: list[str]) -> NDArray[np.bool_]:
        table = self.net[element]
        meets = np.zeros(len(table), dtype=bool)
        if "type" in table:
            meets |= np.array([value in tags for value in table["type"]], dtype=bool)
        for tag in tags:
            for label in self.tags.get(tag, {}).get(element, []):
                meets[self.index.position(element, label)] = True
        return meets


def read_tags(path: Path) -> dict[str, dict[str, list[int | str]]]:
    """Read the tags of elements from a CSV file with the columns tag, type and id.

    Returns:
        Tag -> type -> indices or names of elements.

    Raises:
        TableError: if it can't be read.
    """
    tags: dict[str, dict[str, list[int | str]]] = {}
    for number, (tag, element, label) in enumerate(read_texts(path, ("tag", "type", "id")), 2):
        if not (tag and label) or element not in (*BUS_COLUMNS, "gen", "sgen", "load", "bus"):
            raise TableError(f"row {number} is not tag, type and id of an element", file=path)
        tags.setdefault(tag, {}).setdefault(element, []).append(label)
    return tags


def read_matrix(
    path: Path, elements: Elements, element: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read a symmetric matrix from a CSV file whose first line names the elements.

    Args:
        path: the file; its rows are in the order of its columns.
        elements: the grid's elements.
        element: name of their table.

    Returns:
        Positions of the elements, ascending, and the matrix in that order.

    Raises:
        GatBatchError: if it can't be read, isn't symmetric, or names an element that is unknown or
            named already.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            head, *rows = [row for row in csv.reader(text, strict=True) if row]
        matrix = np.array([[float(cell) for cell in row] for row in rows])
    except (OSError, csv.Error, ValueError) as error:
        raise TableError(f"can't be read as a matrix: {error}", file=path) from None
    if matrix.shape != (len(head), len(head)) or not np.isfinite(matrix).all():
        what = f"is no matrix of {len(head)} rows and columns of finite numbers"
        raise TableError(what, file=path, hint="its first line names the elements")
    if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-12 * max(np.abs(matrix).max(), 1)):
        raise TableError("is not symmetric", file=path)
    positions = np.array([elements.index.position(element, cell.strip()) for cell in head])
    if len(np.unique(positions)) < len(positions):
        raise TableError("names an element twice", file=path, field=element)
    order = np.argsort(positions)
    return positions[order], matrix[np.ix_(order, order)]


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(value: Any) -> str:
    """Return a value as text, so that zone 1, 1.0 and "1" are the same."""
    if isinstance(value, (int, float, np.number)) and float(value).is_integer():
        return str(int(value))
    return str(value)
