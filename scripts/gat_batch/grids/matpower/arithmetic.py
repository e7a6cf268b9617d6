"""The arithmetic of MATPOWER's data files on tables of numbers; nothing else is ever evaluated.

All values are tables, a number is one of one cell. Indices count from 1, as in MATLAB.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from .functions import CONSTANTS, KNOWN, Table, applied, combined, number_range, signed
from .syntax import Node, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

Value = Table | str | tuple[str, ...] | None
"""A table, a text, a list of texts, or None for a list that holds more."""


@contextmanager
def _only_unreadable() -> Iterator[None]:
    """Say of whatever goes wrong in a calculation that it can't be read."""
    try:
        with np.errstate(all="ignore"):
            yield
    except Unreadable:
        raise
    except (ValueError, IndexError, OverflowError, MemoryError, RecursionError) as error:
        raise Unreadable(str(error) or type(error).__name__) from None


class Scope:
    """Names and their values while a file is read.

    Args:
        struct: name of the case.
        fields: its fields.
    """

    def __init__(self, struct: str, fields: dict[str, Value]) -> None:
        self.struct, self.fields = struct, fields
        self.names: dict[str, Value] = {}

    def value(self, node: Node) -> Value:
        """Evaluate an expression.

        Raises:
            Unreadable: if it is more than is known here.
        """
        with _only_unreadable():
            return self._value(node, None)

    def numbers(self, node: Node) -> Table:
        """Evaluate an expression that has to be a table."""
        return _table(self.value(node))

    def assign(self, target: Node, value: Value) -> None:
        """Give a name, a field, or cells of one a value.

        Raises:
            Unreadable: if the target is none of these, or cells lie outside.
        """
        with _only_unreadable():
            self._assign(target, value)

    def _assign(self, target: Node, value: Value) -> None:
        if target.kind == "call":
            whole = _table(self.value(target.parts[0])).copy()
            self._assign(target.parts[0], self._changed(whole, target.parts[1:], value))
        elif target.kind == "name" and target.value != self.struct:
            self.names[str(target.value)] = value
        elif (field := self._field(target)) is not None:
            self.fields[field] = value
        else:
            raise Unreadable("it gives a value to something else than a field")

    def _changed(self, whole: Table, indices: Sequence[Node], value: Value) -> Table:
        places = self._places(whole, indices)
        cells = _table(value)
        if not cells.size:
            axis = next((n for n, node in enumerate(indices) if node.kind != "colon"), 0)
            return np.delete(whole, places[axis], axis=axis)
        if len(places) == 1:
            flat = whole.ravel(order="F").astype(np.float64)
            flat[places[0]] = cells.ravel(order="F") if cells.size > 1 else cells.item()
            return flat.reshape(whole.shape, order="F")
        changed = whole.astype(np.float64)
        changed[np.ix_(*places)] = cells if cells.size > 1 else cells.item()
        return changed

    def _field(self, node: Node) -> str | None:
        """Return the name of a field of the case, None if it is something else."""
        names: list[str] = []
        while node.kind == "field":
            names.append(str(node.value))
            (node,) = node.parts
        is_field = names and node.kind == "name" and node.value == self.struct
        return ".".join(reversed(names)) if is_field else None

    def _value(self, node: Node, within: tuple[Table, int | None] | None) -> Value:
        """Evaluate an expression; ``end`` is the last index of the table that it is within."""
        match node.kind:
            case "number":
                return one_cell(float(node.value))
            case "text":
                return str(node.value)
            case "name":
                return self._named(str(node.value))
            case "field":
                return self._named_field(node)
            case "call":
                return self._called(node, within)
        return self._computed(node, within)

    def _computed(self, node: Node, within: tuple[Table, int | None] | None) -> Table:
        if node.kind == "end" and within is not None:
            table, axis = within
            return one_cell(table.size if axis is None else table.shape[axis])
        parts = [_table(self._value(part, within)) for part in node.parts]
        match node.kind:
            case "table":
                return _joined(parts, node.rows)
            case "transpose":
                return parts[0].T
            case "range":
                return number_range(*(float(part.flat[0]) for part in parts))
            case "unary":
                return signed(str(node.value), parts[0])
            case "binary":
                return combined(str(node.value), *parts)
        raise Unreadable("a colon or an end stands alone")

    def _named(self, name: str) -> Value:
        if name in self.names:
            return self.names[name]
        if name in CONSTANTS:
            return one_cell(CONSTANTS[name])
        raise Unreadable(f"{name!r} is unknown")

    def _named_field(self, node: Node) -> Value:
        field = self._field(node)
        if field not in self.fields:
            raise Unreadable(f"there is no field {field or node.value!r}")
        return self.fields[field]

    def _called(self, node: Node, within: tuple[Table, int | None] | None) -> Value:
        target, *arguments = node.parts
        name = str(target.value) if target.kind == "name" else ""
        if not name or name in self.names:
            whole = _table(self._value(target, within))
            places = self._places(whole, arguments)
            if len(places) == 1:
                found = whole.ravel(order="F")[places[0]]
                return found[None, :] if whole.shape[0] == 1 else found[:, None]
            cells: Table = whole[np.ix_(*places)]
            return cells
        if name not in KNOWN:
            raise Unreadable(f"{name!r} is unknown")
        given = [_table(self._value(part, within)) for part in arguments]
        return applied(name, given)

    def _places(self, whole: Table, indices: Sequence[Node]) -> list[NDArray[np.int64]]:
        """Return positions along each axis, from 0."""
        if not 1 <= len(indices) <= 2:
            raise Unreadable("it has one or two indices")
        places = []
        for axis, index in enumerate(indices):
            size = whole.size if len(indices) == 1 else whole.shape[axis]
            if index.kind == "colon":
                places.append(np.arange(size))
                continue
            own = _table(self._value(index, (whole, None if len(indices) == 1 else axis)))
            flat = own.ravel(order="F")
            if flat.dtype == bool:
                flat = np.flatnonzero(flat) + 1
            place = flat.astype(np.int64) - 1
            if (place + 1 != flat).any() or (place < 0).any() or (place >= size).any():
                raise Unreadable("an index is outside the table")
            places.append(place)
        return places


def _joined(cells: Sequence[Table], counts: Sequence[int]) -> Table:
    """Return a table of cells that are tables themselves, so many in each row."""
    rows, first = [], 0
    for count in counts:
        row = [cell for cell in cells[first : first + count] if cell.size]
        if row:
            rows.append(np.concatenate(row, axis=1))
        first += count
    return np.concatenate(rows, axis=0) if rows else np.empty((0, 0))


def one_cell(value: float) -> Table:
    """Return a number as a table of one cell."""
    return np.array([[float(value)]])


def _table(value: Value) -> Table:
    if isinstance(value, np.ndarray):
        return value
    raise Unreadable("a text stands where numbers are needed")
