"""Load and generator tables as they have been read: which element gets which values, and when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import TableError
from ..files.words import nearest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Kind = Literal["load", "gen"]

ELEMENT_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "load": ("load", "bus"),
    "gen": ("gen", "sgen", "bus"),
}
VALUE_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "load": ("p_mw", "q_mvar"),
    "gen": ("p_mw", "q_mvar", "vm_pu"),
}


@dataclass(frozen=True)
class InjectionTable:
    """A load or generator table, or the rows of one scenario in it.

    Attributes:
        file: where it was read from.
        element: what the table names: ``load``, ``gen``, ``sgen`` or ``bus``, or ``unit`` for
            generators and static generators.
        labels: distinct indices or names of elements, as text.
        label: position of each row's element in ``labels``, shape (rows,).
        values: for each value column that the table has, shape (rows,); NaN where left empty.
        snapshots: distinct snapshots in the order of their appearance; empty without the column.
        snapshot: position of each row's snapshot, shape (rows,); all 0 without the column.
        numbers: position of each row in the file, shape (rows,); None if it is the same here.
        wide: whether the file has a column for each element.
    """

    file: Path
    element: str
    labels: tuple[str, ...]
    label: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    snapshots: tuple[str, ...]
    snapshot: NDArray[np.int64]
    numbers: NDArray[np.int64] | None = None
    wide: bool = False

    def row(self, position: int) -> str:
        """Return the name of a row for people: the first one below the header is row 2."""
        return f"row {(position if self.numbers is None else int(self.numbers[position])) + 2}"

    @cached_property
    def rows_by_snapshot(self) -> dict[str | None, NDArray[np.int64]]:
        """Rows of each snapshot, of all by None if there are none.

        Found once: a year of hours would search the table for each.
        """
        if not self.snapshots:
            return {None: np.arange(len(self.label))}
        order = np.argsort(self.snapshot, kind="stable")
        ends = np.cumsum(np.bincount(self.snapshot, minlength=len(self.snapshots)))
        return dict(zip(self.snapshots, np.split(order, ends[:-1]), strict=True))

    def place(self, position: int) -> str:
        """Return where the file names the element of a row: in that row, or on top of a column."""
        if self.wide:
            return f"column {self.labels[self.label[position]]!r}"
        return self.row(position)

    def part(self, rows: NDArray[np.int64]) -> InjectionTable:
        """Return some of the rows as a table of their own."""
        labels, label = _renumbered(self.labels, self.label[rows])
        snapshots, snapshot = _renumbered(self.snapshots, self.snapshot[rows])
        values = {name: column[rows] for name, column in self.values.items()}
        numbers = rows if self.numbers is None else self.numbers[rows]
        return InjectionTable(
            self.file, self.element, labels, label, values, snapshots, snapshot, numbers, self.wide
        )


@dataclass(frozen=True)
class SharedTable:
    """A table that several scenarios share.

    Attributes:
        table: all of its rows.
        scenarios: distinct entries of the column ``scenario``, in the order of their appearance.
        scenario: position of each row's scenario, shape (rows,).
    """

    table: InjectionTable
    scenarios: tuple[str, ...]
    scenario: NDArray[np.int64]

    @cached_property
    def _rows(self) -> dict[str, NDArray[np.int64]]:
        order = np.argsort(self.scenario, kind="stable")
        ends = np.cumsum(np.bincount(self.scenario, minlength=len(self.scenarios)))
        return dict(zip(self.scenarios, np.split(order, ends[:-1]), strict=True))

    def rows_of(self, name: str) -> InjectionTable:
        """Return the rows of one scenario.

        Raises:
            TableError: if it has none.
        """
        if name not in self._rows:
            hint = nearest(name, list(self.scenarios))
            what = f"no row has {name!r} there"
            raise TableError(what, file=self.table.file, field="scenario", hint=hint)
        return self.table.part(self._rows[name])

    def digests(self) -> dict[str, str]:
        """Return a hash of each scenario's rows, whatever else the file holds.

        Returns:
            Scenario -> 64 hexadecimal digits.
        """
        table = self.table
        labels, snapshots = np.array(table.labels, object), np.array(table.snapshots, object)
        head = "\0".join([table.element, *table.values])
        digests = {}
        for name, rows in self._rows.items():
            texts = [head, *labels[table.label[rows]]]
            if table.snapshots:
                texts += snapshots[table.snapshot[rows]].tolist()
            digest = hashlib.sha256("\0".join(texts).encode())
            for column in table.values.values():
                digest.update(column[rows].tobytes())
            digests[name] = digest.hexdigest()
        return digests


def _renumbered(
    texts: tuple[str, ...], codes: NDArray[np.int64]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return only the texts that occur, in the order of their appearance, and the new codes."""
    if not texts:
        return (), codes
    used, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return tuple(texts[code] for code in used[order]), rank[inverse]
