"""Load and generator tables: long form, one row a value set, from CSV or Parquet.

A load table names its elements in a column ``load`` or ``bus``; a generator table in ``gen``,
``sgen`` or ``bus``. ``p_mw`` and ``q_mvar`` are MW and MVAr, ``vm_pu`` the voltage setpoint of a
generator; a cell left empty leaves that value alone. With a column ``snapshot`` the table holds
one state after the other.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from .documents import nearest
from .errors import GatBatchError, InputErrors, TableError, UnreadableError

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

MOST_FAULTS = 20
"""Faults of one table that are reported one by one."""


@dataclass(frozen=True)
class InjectionTable:
    """A load or generator table.

    Attributes:
        file: where it was read from.
        element: what the table names: ``load``, ``gen``, ``sgen`` or ``bus``.
        labels: distinct indices or names of elements, as text.
        label: position of each row's element in ``labels``, shape (rows,).
        values: for each value column that the table has, shape (rows,); NaN where left empty.
        snapshots: distinct snapshots in the order of their appearance; empty without the column.
        snapshot: position of each row's snapshot, shape (rows,); all 0 without the column.
    """

    file: Path
    element: str
    labels: tuple[str, ...]
    label: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    snapshots: tuple[str, ...]
    snapshot: NDArray[np.int64]

    def row(self, position: int) -> str:
        """Name of a row for people: the first one below the header is row 2."""
        return f"row {position + 2}"


def read_injections(path: Path, kind: Kind) -> InjectionTable:
    """Read a table.

    Args:
        path: a CSV file, or Parquet with the suffix ``.parquet``.
        kind: whether it is a load or a generator table.

    Returns:
        The table.

    Raises:
        InputErrors: if the table has faults: all of them, but no more than 20 one by one.
        TableError: if the file can't be read at all.
    """
    raw = _read(path)
    element = _element_column(raw, path, kind)
    faults: list[GatBatchError] = []
    labels, label = _codes(raw[element], element, path, faults)
    values = {
        name: _numbers(raw[name], name, path, faults)
        for name in VALUE_COLUMNS[kind]
        if name in raw.column_names
    }
    snapshots: tuple[str, ...] = ()
    snapshot = np.zeros(len(raw), dtype=np.int64)
    if "snapshot" in raw.column_names:
        snapshots, snapshot = _codes(raw["snapshot"], "snapshot", path, faults)
    table = InjectionTable(path, element, labels, label, values, snapshots, snapshot)
    if not faults:
        faults = _repeated_rows(table)
    if faults:
        hidden = len(faults) - MOST_FAULTS
        if hidden > 0:
            faults[MOST_FAULTS:] = [TableError(f"and {hidden} more faults", file=path)]
        raise InputErrors(faults)
    return table


def _read(path: Path) -> pa.Table:
    """Read all columns of a CSV as text, of Parquet as they are."""
    try:
        if path.is_dir():
            raise TableError("is a folder, not a table", file=path)
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pq.ParquetFile(path).read(use_threads=False)
        else:
            table = _read_csv(path)
    except FileNotFoundError:
        hint = "paths are relative to the manifest's folder"
        raise TableError("no such file", file=path, hint=hint) from None
    except (OSError, pa.ArrowException, csv.Error, ValueError) as error:
        # pyarrow calls damaged content an OSError too, one without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise UnreadableError(f"can't be read: {error.strerror}", file=path) from None
        raise TableError(f"can't be read: {error}", file=path) from None
    names = Counter(table.column_names)
    for name, count in names.items():
        if count > 1:
            raise TableError(f"the column is there {count} times", file=path, field=name)
    if not len(table):
        raise TableError("has no rows", file=path)
    return table


def _read_csv(path: Path) -> pa.Table:
    text = path.read_text(encoding="utf-8-sig")
    if not text.strip():
        raise TableError("is empty", file=path, hint="the first line names the columns")
    names = next(csv.reader(io.StringIO(text)))
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    table = pyarrow.csv.read_csv(
        pa.BufferReader(text.encode()),
        read_options=pyarrow.csv.ReadOptions(use_threads=False),
        convert_options=convert,
    )
    return table.rename_columns([name.strip() for name in table.column_names])


def _element_column(raw: pa.Table, path: Path, kind: Kind) -> str:
    """The column that names the elements; faults of the header are raised here."""
    elements, values = ELEMENT_COLUMNS[kind], VALUE_COLUMNS[kind]
    known = [*elements, *values, "snapshot"]
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


def _codes(
    column: pa.ChunkedArray, name: str, path: Path, faults: list[GatBatchError]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Distinct texts of a column in the order of their appearance, and the code of each row."""
    texts = _texts(column.combine_chunks())
    if texts is None:
        faults.append(TableError(f"is of type {column.type}, not text", file=path, field=name))
        return (), np.zeros(len(column), dtype=np.int64)
    texts = pc.utf8_trim_whitespace(texts)
    empty = pc.or_kleene(pc.is_null(texts), pc.equal(texts, ""))
    faults.extend(
        TableError(f"row {position + 2}: {name} is empty", file=path, field=name)
        for position in np.flatnonzero(empty.to_numpy(zero_copy_only=False))
    )
    encoded = texts.fill_null("").dictionary_encode()
    labels = tuple(str(label) for label in encoded.dictionary.to_pylist())
    return labels, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _texts(column: pa.Array) -> pa.StringArray | None:
    """A column as text: whole numbers without a decimal point, times in ISO form."""
    if pa.types.is_floating(column.type):
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid:
            return None
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _numbers(
    column: pa.ChunkedArray, name: str, path: Path, faults: list[GatBatchError]
) -> NDArray[np.float64]:
    """A column as numbers, NaN where a cell is empty."""
    cells = column.combine_chunks()
    if pa.types.is_boolean(cells.type):
        faults.append(TableError("is of type bool, not a number", file=path, field=name))
        return np.zeros(len(cells))
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = pc.utf8_trim_whitespace(cells)
        cells = pc.if_else(pc.equal(cells, ""), None, cells)
    try:
        values = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = np.array([_number(cell) for cell in cells.to_pylist()])
    given = cells.is_valid().to_numpy(zero_copy_only=False)
    wrong = given & ~np.isfinite(values)
    if name == "vm_pu":
        wrong |= given & (values <= 0)
    for position in np.flatnonzero(wrong):
        what = f"row {position + 2}: {name} is {cells[position].as_py()!r}"
        hint = "a positive number is needed" if name == "vm_pu" else "a finite number is needed"
        faults.append(TableError(what, file=path, field=name, hint=hint))
    return np.where(given, values, np.nan)


def _number(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return math.nan


def _repeated_rows(table: InjectionTable) -> list[GatBatchError]:
    keys = table.snapshot * len(table.labels) + table.label
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
