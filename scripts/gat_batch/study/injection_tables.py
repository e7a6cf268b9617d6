"""Load and generator tables, CSV, Parquet or Excel: a row for each element and snapshot.

``wide_tables`` reads those with a column for each element and a row for each snapshot.

A load table names its elements in a column ``load`` or ``bus``; a generator table in ``gen``,
``sgen`` or ``bus``. ``p_mw`` and ``q_mvar`` are MW and MVAr, ``vm_pu`` the voltage setpoint of a
generator; a cell left empty leaves that value alone. With a column ``snapshot`` the table holds
one state after the other; with a column ``scenario`` several scenarios share it, each its rows.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ..errors import GatBatchError, InputErrors, TableError
from ..files.columns import codes, first_faults, numbers, raise_faults, read_columns
from ..files.csv_files import plain_csv, read_csv_text
from ..files.words import nearest
from .injections import ELEMENT_COLUMNS, VALUE_COLUMNS, InjectionTable, SharedTable
from .wide_tables import is_wide, repeated_times, wide_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from .injections import Kind


def read_injections(
    path: Path, kind: Kind, rows: str | None = None, faults: list[GatBatchError] | None = None
) -> InjectionTable:
    """Read a table.

    Args:
        path: CSV, or by its suffix Parquet (``.parquet``) or Excel (``.xlsx``).
        kind: whether it is a load or a generator table.
        rows: the entry in the column ``scenario`` of the rows wanted, if the table is shared.
        faults: where faults of rows are added, if they aren't to be raised; not for shared tables.

    Returns:
        The table; if faults were added, only of use to check the elements that it names.

    Raises:
        InputErrors: if the table has faults; it holds all of them, no more than 20 one by one.
        TableError: if the file is no table at all, or has no such rows.
        UnreadableError: if the system fails to read it.
    """
    if rows is not None:
        own = read_shared(path, kind).rows_of(rows)
        raise_faults(_empty_rows(own), path)
        return own
    raw = read_columns(path)
    if "scenario" in raw.column_names:
        hint = 'say which rows are meant: {"file": ..., "rows": ...}'
        raise TableError("is shared by scenarios", file=path, field="scenario", hint=hint)
    found: list[GatBatchError] = []
    table = _parse(raw, path, kind, found)
    if found:
        table = table.part(_naming(table))
    found += [*_empty_rows(table), *_repeated_rows(table, np.zeros_like(table.label))]
    if faults is None:
        raise_faults(found, path)
    else:
        faults += first_faults(found, path)
    return table


def read_alike(paths: Iterable[Path], kind: Kind) -> dict[Path, InjectionTable]:
    """Read tables of one form together: small CSV files whose rows name the same elements.

    Where each scenario has a table of its own, to read one alone takes eight times as long.

    Args:
        paths: the files.
        kind: whether they are load or generator tables.

    Returns:
        File -> its table, as :func:`read_injections` returns it. Others are left out, and those in
        which anything may be at fault: read alone, they say what.
    """
    groups: dict[tuple[bytes, int], dict[Path, bytes]] = {}
    for path in dict.fromkeys(paths):
        with suppress(OSError):
            head, rows = plain_csv(path)
            groups.setdefault((head, rows.count(b"\n")), {})[path] = rows
    found: dict[Path, InjectionTable] = {}
    for (head, count), alike in groups.items():
        if count and len(alike) > 1:
            with suppress(GatBatchError, pa.ArrowException):
                found |= _parsed_together(head, count, alike, kind)
    return found


def _parsed_together(
    head: bytes, count: int, alike: dict[Path, bytes], kind: Kind
) -> dict[Path, InjectionTable]:
    """Parse files of one header and so many rows each.

    Raises:
        GatBatchError: if any of them is at fault.
    """
    first = next(iter(alike))
    raw = read_csv_text(b"".join([head, b"\n", *alike.values()]).decode(), first)
    names = raw.column_names
    if len(set(names)) < len(names) or not {"snapshot", "scenario", "time"}.isdisjoint(names):
        return {}
    if len(raw) != len(alike) * count:
        return {}
    faults: list[GatBatchError] = []
    table = _parse(raw, first, kind, faults)
    raise_faults(faults, first)
    label = table.label.reshape(len(alike), count)
    values = {name: column.reshape(label.shape) for name, column in table.values.items()}
    empty = np.all([np.isnan(column) for column in values.values()], axis=0).any(axis=1)
    # Those that name what the first one does, in its order, each once.
    same = (label == np.arange(count)).all(axis=1) & ~empty
    labels, rows, snapshot = table.labels[:count], np.arange(count), np.zeros(count, np.int64)
    return {
        path: InjectionTable(
            path,
            table.element,
            labels,
            rows,
            {name: column[number] for name, column in values.items()},
            (),
            snapshot,
        )
        for number, path in enumerate(alike)
        if same[number]
    }


def read_shared(path: Path, kind: Kind) -> SharedTable:
    """Read a table that several scenarios share.

    The last few are kept, as one scenario after the other asks for the same table.

    Args:
        path: as for :func:`read_injections`.
        kind: whether it is a load or a generator table.

    Raises:
        GatBatchError: as for :func:`read_injections`.
    """
    try:
        state = path.stat()
    except OSError:
        return shared_table(read_columns(path), path, kind)
    return _read_shared(path, kind, (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=4)
def _read_shared(path: Path, kind: Kind, state: tuple[int, int]) -> SharedTable:  # noqa: ARG001 - a changed file is another one
    return shared_table(read_columns(path), path, kind)


def shared_table(raw: pa.Table, path: Path, kind: Kind) -> SharedTable:
    """Make a shared table of its columns.

    Args:
        raw: the columns.
        path: the file that holds them, or will hold them.
        kind: whether it is a load or a generator table.

    Raises:
        GatBatchError: as for :func:`read_injections`.
    """
    if "scenario" not in raw.column_names:
        hint = "rows are chosen by this column; name the file alone if all are meant"
        raise TableError("the column is missing", file=path, field="scenario", hint=hint)
    faults: list[GatBatchError] = []
    table = _parse(raw, path, kind, faults)
    scenarios, scenario = codes(raw["scenario"], "scenario", path, faults)
    if table.numbers is not None:
        scenario = scenario[table.numbers]
    if not faults:
        faults = _repeated_rows(table, scenario)
    raise_faults(faults, path)
    return SharedTable(table, scenarios, scenario)


def _parse(raw: pa.Table, path: Path, kind: Kind, faults: list[GatBatchError]) -> InjectionTable:
    if is_wide(raw, kind):
        return wide_table(raw, path, kind, faults)
    element = _element_column(raw, path, kind)
    labels, label = codes(raw[element], element, path, faults)
    values = {
        name: numbers(raw[name], name, path, faults)
        for name in VALUE_COLUMNS[kind]
        if name in raw.column_names
    }
    snapshots: tuple[str, ...] = ()
    snapshot = np.zeros(len(raw), dtype=np.int64)
    if "snapshot" in raw.column_names:
        snapshots, snapshot = codes(raw["snapshot"], "snapshot", path, faults)
    return InjectionTable(path, element, labels, label, values, snapshots, snapshot)


def _empty_rows(table: InjectionTable) -> list[GatBatchError]:
    """Find rows that name an element and change nothing, which hardly anybody means."""
    empty = np.all([np.isnan(column) for column in table.values.values()], axis=0)
    hint = f"fill {' or '.join(table.values)}, or take the row out"
    rows = map(table.row, np.flatnonzero(empty))
    return [TableError(f"{row} gives no value", file=table.file, hint=hint) for row in rows]


def _naming(table: InjectionTable) -> NDArray[np.int64]:
    """Return the rows that name an element and, where there are snapshots, one of these."""
    labels, snapshots = np.array(table.labels or [""]), np.array(table.snapshots or ["any"])
    return np.flatnonzero((labels[table.label] != "") & (snapshots[table.snapshot] != ""))


def _element_column(raw: pa.Table, path: Path, kind: Kind) -> str:
    """Return the column that names the elements.

    Raises:
        InputErrors: if the header has faults.
    """
    elements, values = ELEMENT_COLUMNS[kind], VALUE_COLUMNS[kind]
    known = [*elements, *values, "snapshot", "scenario"]
    faults: list[GatBatchError] = [
        TableError("unknown column", file=path, field=name, hint=nearest(name, known))
        for name in raw.column_names
        if name not in known
    ]
    found = [name for name in elements if name in raw.column_names]
    if len(found) != 1:
        what = f"has the columns {' and '.join(found)}" if found else "names no elements"
        hint = f"exactly one of the columns {', '.join(elements)} is needed"
        faults.append(TableError(what, file=path, hint=hint))
    if not any(name in raw.column_names for name in values):
        hint = f"at least one of the columns {', '.join(values)} is needed"
        faults.append(TableError("changes nothing", file=path, hint=hint))
    if faults:
        raise InputErrors(faults)
    return found[0]


def _repeated_rows(table: InjectionTable, scenario: NDArray[np.int64]) -> list[GatBatchError]:
    if len(table.labels) == len(table.label):
        return []
    if table.wide:
        return repeated_times(table, scenario)
    keys = table.snapshot * len(table.labels) + table.label
    keys = scenario * (keys.max(initial=0) + 1) + keys
    # As most tables are: sorted, so none stands twice.
    if (keys[1:] > keys[:-1]).all():
        return []
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    repeated = np.flatnonzero(first[inverse] != np.arange(len(keys)))
    return [
        TableError(
            f"{table.row(position)}: {table.element} {table.labels[table.label[position]]!r} "
            f"stands in {table.row(first[inverse[position]])} already",
            file=table.file,
            field=table.element,
        )
        for position in repeated
    ]
