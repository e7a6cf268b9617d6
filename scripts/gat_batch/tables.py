"""Load and generator tables: long form, one row a value set, from CSV or Parquet.

A load table names its elements in a column ``load`` or ``bus``; a generator table in ``gen``,
``sgen`` or ``bus``. ``p_mw`` and ``q_mvar`` are MW and MVAr, ``vm_pu`` the voltage setpoint of a
generator; a cell left empty leaves that value alone. With a column ``snapshot`` the table holds
one state after the other. With a column ``scenario`` several scenarios share it, each with rows of
its own.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
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
    """A load or generator table, or the rows of one scenario in it.

    Attributes:
        file: where it was read from.
        element: what the table names: ``load``, ``gen``, ``sgen`` or ``bus``.
        labels: distinct indices or names of elements, as text.
        label: position of each row's element in ``labels``, shape (rows,).
        values: for each value column that the table has, shape (rows,); NaN where left empty.
        snapshots: distinct snapshots in the order of their appearance; empty without the column.
        snapshot: position of each row's snapshot, shape (rows,); all 0 without the column.
        numbers: position of each row in the file, shape (rows,); None if it is the same.
    """

    file: Path
    element: str
    labels: tuple[str, ...]
    label: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    snapshots: tuple[str, ...]
    snapshot: NDArray[np.int64]
    numbers: NDArray[np.int64] | None = None

    def row(self, position: int) -> str:
        """Name of a row for people: the first one below the header is row 2."""
        return f"row {(position if self.numbers is None else int(self.numbers[position])) + 2}"

    def part(self, rows: NDArray[np.int64]) -> InjectionTable:
        """Some of the rows as a table of their own."""
        labels, label = _renumbered(self.labels, self.label[rows])
        snapshots, snapshot = _renumbered(self.snapshots, self.snapshot[rows])
        values = {name: column[rows] for name, column in self.values.items()}
        return InjectionTable(
            self.file, self.element, labels, label, values, snapshots, snapshot, rows
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
        """The rows of one scenario.

        Raises:
            TableError: if there are none.
        """
        if name not in self._rows:
            hint = nearest(name, list(self.scenarios[:MOST_FAULTS]))
            what = f"no row has {name!r} there"
            raise TableError(what, file=self.table.file, field="scenario", hint=hint)
        return self.table.part(self._rows[name])

    def digests(self) -> dict[str, str]:
        """Hash of what each scenario's rows say, whatever else the file holds.

        Returns:
            64 hexadecimal digits a scenario.
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


def read_injections(path: Path, kind: Kind, rows: str | None = None) -> InjectionTable:
    """Read a table.

    Args:
        path: a CSV file, or Parquet with the suffix ``.parquet``.
        kind: whether it is a load or a generator table.
        rows: what the rows wanted have in the column ``scenario`` of a shared table.

    Returns:
        The table.

    Raises:
        InputErrors: if the table has faults: all of them, but no more than 20 one by one.
        TableError: if the file can't be read at all.
    """
    if rows is not None:
        return read_shared(path, kind).rows_of(rows)
    raw = read_columns(path)
    if "scenario" in raw.column_names:
        hint = 'say which rows are meant: {"file": ..., "rows": ...}'
        raise TableError("is shared by scenarios", file=path, field="scenario", hint=hint)
    faults: list[GatBatchError] = []
    table = _parse(raw, path, kind, faults)
    if not faults:
        faults = _repeated_rows(table, np.zeros_like(table.label))
    raise_faults(faults, path)
    return table


def read_shared(path: Path, kind: Kind) -> SharedTable:
    """Read a table that several scenarios share; scenario after scenario asks for the same one.

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
    """A shared table from its columns.

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
    if not faults:
        faults = _repeated_rows(table, scenario)
    raise_faults(faults, path)
    return SharedTable(table, scenarios, scenario)


def _parse(raw: pa.Table, path: Path, kind: Kind, faults: list[GatBatchError]) -> InjectionTable:
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


def raise_faults(faults: list[GatBatchError], path: Path) -> None:
    """Report the faults of a table, if there are any: no more than 20 one by one.

    Raises:
        InputErrors: if there are.
    """
    if faults:
        hidden = len(faults) - MOST_FAULTS
        if hidden > 0:
            faults[MOST_FAULTS:] = [TableError(f"and {hidden} more faults", file=path)]
        raise InputErrors(faults)


def _renumbered(
    texts: tuple[str, ...], codes: NDArray[np.int64]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Those texts that occur, in the order of their appearance, and the codes that follow."""
    if not texts:
        return (), codes
    used, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return tuple(texts[code] for code in used[order]), rank[inverse]


def read_columns(path: Path) -> pa.Table:
    """Read all columns of a CSV as text, of Parquet as they are.

    Args:
        path: a CSV file, or Parquet with the suffix ``.parquet``.

    Returns:
        The columns, at least one row of them.

    Raises:
        TableError: if the file can't be read, has no rows or gives a name to two columns.
    """
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


def codes(
    column: pa.ChunkedArray, name: str, path: Path, faults: list[GatBatchError]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Distinct texts of a column in the order of their appearance, and the code of each row.

    Args:
        column: the column.
        name: its name, for the messages.
        path: its file.
        faults: a fault is added here for each empty cell.

    Returns:
        The texts, and the position of each row's among them, shape (rows,).
    """
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


def numbers(
    column: pa.ChunkedArray, name: str, path: Path, faults: list[GatBatchError]
) -> NDArray[np.float64]:
    """A column as numbers, NaN where a cell is empty.

    Args:
        column: the column.
        name: its name; a ``vm_pu`` must be positive.
        path: its file.
        faults: a fault is added here for each cell that is no number.

    Returns:
        The numbers, shape (rows,).
    """
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
    text = str(cell)
    try:
        # Python's own numbers may have underscores and digits of any script.
        return math.nan if "_" in text or not text.isascii() else float(text)
    except ValueError:
        return math.nan


def _repeated_rows(table: InjectionTable, scenario: NDArray[np.int64]) -> list[GatBatchError]:
    keys = table.snapshot * len(table.labels) + table.label
    keys = scenario * (keys.max(initial=0) + 1) + keys
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
