"""Columns of CSV and Parquet files, checked cell by cell, with row numbers for messages."""

from __future__ import annotations

import csv
import math
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import GatBatchError, InputErrors, TableError, UnreadableError
from .csv_files import read_csv, read_names
from .words import numbered
from .workbooks import read_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MOST_FAULTS = 20
"""Most faults of one table that are reported one by one."""


def read_columns(path: Path) -> pa.Table:
    """Read all columns of a file: as text from CSV, in their own types from others.

    Args:
        path: a Parquet file with the suffix ``.parquet`` or ``.pq``, an Excel workbook with
            ``.xlsx``, of which the first sheet is read, else CSV.

    Returns:
        The columns, with at least one row.

    Raises:
        TableError: if the file is missing or damaged, has no rows or gives two columns one name.
        UnreadableError: if the system fails to read it.
    """
    with _refusals(path):
        match path.suffix.lower():
            case ".parquet" | ".pq":
                table = pq.ParquetFile(path).read(use_threads=False)
            case ".xlsx":
                table = read_sheet(path)
            case _:
                table = read_csv(path)
    names = Counter(table.column_names)
    for name, count in names.items():
        if count > 1:
            raise TableError(f"the column is there {count} times", file=path, field=name)
    if not len(table):
        raise TableError("has no rows", file=path)
    return table


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a file, without reading its rows.

    Args:
        path: as for :func:`read_columns`.

    Raises:
        TableError, UnreadableError: as for :func:`read_columns`.
    """
    with _refusals(path):
        match path.suffix.lower():
            case ".parquet" | ".pq":
                names = pq.read_schema(path).names
            case ".xlsx":
                names = read_sheet(path, rows=1).column_names
            case _:
                names = read_names(path)
    return list(names)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    """Say of a file that can't be read why it can't."""
    try:
        if path.is_dir():
            raise TableError("is a folder, not a table", file=path)
        yield
    except FileNotFoundError:
        hint = "paths are relative to the manifest's folder"
        raise TableError("no such file", file=path, hint=hint) from None
    except (OSError, pa.ArrowException, csv.Error, ValueError) as error:
        # pyarrow calls damaged content an OSError too, one without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise UnreadableError(f"can't be read: {error.strerror}", file=path) from None
        raise TableError(f"can't be read: {error}", file=path) from None


def codes(
    column: pa.ChunkedArray, name: str, path: Path, faults: list[GatBatchError]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Encode a column of text as its distinct texts, in the order of their appearance, and codes.

    Args:
        column: the column.
        name: its name, for the messages.
        path: its file.
        faults: where a fault is added for each empty cell, or for a column that isn't text.

    Returns:
        The texts, and the position of each row's text among them, shape (rows,).
    """
    texts = _texts(column.combine_chunks())
    if texts is None:
        faults.append(TableError(f"is of type {column.type}, not text", file=path, field=name))
        return (), np.zeros(len(column), dtype=np.int64)
    # Most tables are clean: their few distinct texts tell so sooner than all cells.
    encoded = texts.dictionary_encode()
    labels = encoded.dictionary.to_pylist()
    if not texts.null_count and all(label and label == label.strip() for label in labels):
        return tuple(labels), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    texts = pc.utf8_trim_whitespace(texts)
    empty = pc.or_kleene(pc.is_null(texts), pc.equal(texts, ""))
    faults.extend(
        TableError(f"row {position + 2}: {name} is empty", file=path)
        for position in np.flatnonzero(empty.to_numpy(zero_copy_only=False))
    )
    encoded = texts.fill_null("").dictionary_encode()
    labels = tuple(str(label) for label in encoded.dictionary.to_pylist())
    return labels, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def read_texts(
    path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()
) -> list[tuple[str, ...]]:
    """Read the rows of a table that has these columns and no others, as text.

    Args:
        path: as for :func:`read_columns`.
        columns: names of the columns, in the order wanted.
        optional: names of columns that may be left out, or have empty cells; they come last.

    Raises:
        InputErrors: if cells are empty.
        TableError, UnreadableError: as for :func:`read_columns`, or if it has other columns.
    """
    raw = read_columns(path)
    given = [name for name in raw.column_names if name not in optional]
    if sorted(given) != sorted(columns):
        raise TableError(f"the columns are not {', '.join(columns)}", file=path)
    faults: list[GatBatchError] = []
    texts = []
    for name in (*columns, *optional):
        if name not in raw.column_names:
            texts.append([""] * len(raw))
            continue
        column = raw[name]
        if name in optional:
            texts.append(column.cast(pa.string()).fill_null("").to_pylist())
            continue
        if pa.types.is_floating(column.type) and _texts(column.combine_chunks()) is None:
            column = column.cast(pa.string())
        labels, positions = codes(column, name, path, faults)
        texts.append([labels[position] for position in positions] if labels else [])
    raise_faults(faults, path)
    return list(zip(*texts, strict=True))


def _texts(column: pa.Array) -> pa.StringArray | None:
    """Return a column as text, or None if it can't be: no decimal point, times in ISO form."""
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
    column: pa.ChunkedArray,
    name: str,
    path: Path,
    faults: list[GatBatchError],
    quantity: str | None = None,
) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where a cell is empty.

    Args:
        column: the column.
        name: its name, for the messages.
        path: its file.
        faults: where a fault is added for each cell that is no finite number.
        quantity: what it holds, if its name doesn't say so; a ``vm_pu`` must be positive.

    Returns:
        The numbers, shape (rows,); infinite where a fault was added.
    """
    cells = column.combine_chunks()
    if pa.types.is_boolean(cells.type):
        faults.append(TableError("is of type bool, not a number", file=path, field=name))
        return np.zeros(len(cells))
    try:
        values = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
            cells = pc.utf8_trim_whitespace(cells)
            cells = pc.if_else(pc.equal(cells, ""), None, cells)
        texts = cells.to_pylist()
        values = np.array([math.nan if cell is None else _number(cell) for cell in texts])
    given = cells.is_valid().to_numpy(zero_copy_only=False)
    wrong = given & ~np.isfinite(values)
    positive = (quantity or name) == "vm_pu"
    if positive:
        wrong |= given & (values <= 0)
    for position in np.flatnonzero(wrong):
        what = f"row {position + 2}: {name} is {cells[position].as_py()!r}"
        hint = "a positive number is needed" if positive else "a finite number is needed"
        if {".", ","} <= set(str(cells[position])):
            hint += ", without a sign between thousands"
        faults.append(TableError(what, file=path, hint=hint))
    return np.where(given, np.where(wrong, np.inf, values), np.nan)


def _number(cell: object) -> float:
    text = str(cell)
    try:
        # Python's own numbers may have underscores and digits of any script.
        return math.nan if "_" in text or not text.isascii() else float(text)
    except ValueError:
        return math.nan


def raise_faults(faults: list[GatBatchError], path: Path) -> None:
    """Raise the faults of a table, if there are any, the first :data:`MOST_FAULTS` one by one.

    Args:
        faults: the faults.
        path: the table's file.

    Raises:
        InputErrors: if there are any.
    """
    if faults:
        raise InputErrors(first_faults(faults, path))


def first_faults(faults: list[GatBatchError], path: Path) -> list[GatBatchError]:
    """Return the first :data:`MOST_FAULTS` faults of a table, and one that counts the others.

    Args:
        faults: the faults.
        path: the table's file.
    """
    hidden = len(faults) - MOST_FAULTS
    more = [TableError(f"and {numbered(hidden, 'more fault')}", file=path)] if hidden > 0 else []
    return [*faults[:MOST_FAULTS], *more]
