"""Load and generator tables in the wide form: a row for each snapshot, a column for each element.

A column ``time`` or ``snapshot`` names the rows. Every other column is headed by the name or index
of a load, or in generator tables of a generator or static generator, and holds MW; with `` q_mvar``
or `` vm_pu`` behind it, MVAr or p.u. ``gen:``, ``sgen:`` or ``bus:`` in front says what is meant.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import GatBatchError, InputErrors, TableError, UnreadableError
from ..files.columns import codes, column_names, numbers
from ..files.csv_files import recognised
from ..files.words import first_of
from .injections import ELEMENT_COLUMNS, VALUE_COLUMNS, InjectionTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from .injections import Kind
    from .scenario import Scenario

TIMES = ("time", "snapshot")
"""Columns that name the rows."""

UNIT = "unit"
"""What a generator table names whose columns may be generators and static generators."""


@dataclass(frozen=True)
class _Column:
    """What a column gives."""

    header: str
    label: str
    quantity: str


def is_wide(raw: pa.Table, kind: Kind) -> bool:
    """Tell whether a table has a column for each element."""
    return _names_elements(raw.column_names, kind)


def _names_elements(names: Iterable[str], kind: Kind) -> bool:
    there = set(names)
    long = {*ELEMENT_COLUMNS[kind], *VALUE_COLUMNS[kind]}
    return not there.isdisjoint(TIMES) and there.isdisjoint(long)


def wide_table(
    raw: pa.Table, path: Path, kind: Kind, faults: list[GatBatchError]
) -> InjectionTable:
    """Make a table of columns in the wide form.

    Args:
        raw: the columns.
        path: their file.
        kind: whether it is a load or a generator table.
        faults: where faults of cells are added.

    Returns:
        The table; cells left empty leave the grid's values alone.

    Raises:
        InputErrors: if the header has faults.
    """
    key, element, columns = _header(raw, path, kind)
    snapshots, snapshot = codes(raw[key], key, path, faults)
    labels = tuple(dict.fromkeys(column.label for column in columns))
    position = {label: number for number, label in enumerate(labels)}
    shape = (len(raw), len(labels))
    values = {column.quantity: np.full(shape, np.nan) for column in columns}
    for column in columns:
        cells = raw[column.header]
        found = numbers(cells, column.header, path, faults, quantity=column.quantity)
        values[column.quantity][:, position[column.label]] = found
    given = ~np.all([np.isnan(cells) for cells in values.values()], axis=0)
    faults += [
        TableError(f"column {label!r} gives no value", file=path, hint="take it out")
        for label, there in zip(labels, given.any(axis=0), strict=True)
        if not there
    ]
    faults += [
        TableError(f"row {row + 2} gives no value", file=path, hint="take it out")
        for row in np.flatnonzero(~given.any(axis=1))
    ]
    row, label = np.nonzero(given)
    return InjectionTable(
        path,
        element,
        labels,
        label,
        {quantity: cells[row, label] for quantity, cells in values.items()},
        snapshots,
        snapshot[row],
        row,
        wide=True,
    )


def repeated_times(table: InjectionTable, scenario: NDArray[np.int64]) -> list[GatBatchError]:
    """Find rows of a file for a snapshot that another row is for already.

    Args:
        table: a table in the wide form.
        scenario: position of the scenario of each of its rows, shape (rows,).
    """
    assert table.numbers is not None  # noqa: S101 - so wide_table makes it
    rows, first = np.unique(table.numbers, return_index=True)
    seen: dict[tuple[int, int], int] = {}
    faults: list[GatBatchError] = []
    for row, position in zip(rows.tolist(), first.tolist(), strict=True):
        key = (int(scenario[position]), int(table.snapshot[position]))
        before = seen.setdefault(key, row)
        if before != row:
            what = f"row {row + 2}: {table.snapshots[key[1]]!r} stands in row {before + 2} already"
            faults.append(TableError(what, file=table.file))
    return faults


def _header(raw: pa.Table, path: Path, kind: Kind) -> tuple[str, str, list[_Column]]:
    """Return the column of the times, what the table names, and its other columns.

    Raises:
        InputErrors: if the header has faults.
    """
    keys = [name for name in TIMES if name in raw.column_names]
    columns = [_column(name, kind) for name in raw.column_names if name not in (*keys, "scenario")]
    faults: list[GatBatchError] = []
    if len(keys) > 1:
        faults.append(TableError("has the columns time and snapshot", file=path, hint="keep one"))
    if not columns:
        faults.append(TableError("names no elements", file=path, hint="each needs a column"))
    seen: dict[tuple[str, str], str] = {}
    for column in columns:
        other = seen.setdefault((column.label, column.quantity), column.header)
        if other != column.header:
            what = f"the columns {other!r} and {column.header!r} give the same"
            faults.append(TableError(what, file=path))
    buses = [column for column in columns if column.label.startswith("bus:")]
    if 0 < len(buses) < len(columns):
        what = f"column {buses[0].header!r} is for a bus, others are for elements"
        faults.append(TableError(what, file=path, hint="a table names buses or elements, not both"))
    if faults:
        raise InputErrors(faults)
    element = "bus" if buses else "load" if kind == "load" else UNIT
    if element != UNIT:
        columns = [_without_kind(column, element) for column in columns]
    return keys[0], element, columns


def _column(header: str, kind: Kind) -> _Column:
    quantities = "|".join(VALUE_COLUMNS[kind])
    found = re.fullmatch(rf"(.*[^\s._:])[\s._:]+({quantities})", header)
    return _Column(header, *found.groups()) if found else _Column(header, header, "p_mw")


def _without_kind(column: _Column, kind: str) -> _Column:
    return _Column(column.header, column.label.removeprefix(f"{kind}:"), column.quantity)


def recognised_forms(scenarios: Sequence[Scenario]) -> Iterator[str]:
    """Tell which tables of scenarios have another form than the plain one.

    Args:
        scenarios: those whose tables are looked at; any that can't be read are left out.

    Yields:
        A sentence for each such form.
    """
    tables = recognised(table for one in scenarios for table in one.tables)
    wide = recognised_wide(
        (path, kind) for one in scenarios for kind, path, _ in one.injections if path is not None
    )
    yield from filter(None, (tables, wide))


def recognised_wide(tables: Iterable[tuple[Path, Kind]]) -> str | None:
    """Tell which tables have a column for each element.

    Args:
        tables: tables and their kinds; any that can't be read are left out.

    Returns:
        A sentence that names the first one, or None if there is none.
    """
    found = []
    for path, kind in dict.fromkeys(tables):
        with suppress(TableError, UnreadableError):
            if _names_elements(column_names(path), kind):
                found.append(path.name)
    if not found:
        return None
    return f"{first_of(found, 'table')}: a column for each element, a row for each snapshot"
