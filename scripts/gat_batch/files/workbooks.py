"""Excel workbooks: the first sheet read as a table; tables written, a sheet each."""

from __future__ import annotations

import math
import re
import zipfile
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..errors import TableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_BYTES = 2**30
"""Most that a workbook may hold once it is unpacked; a small file can grow without limit."""


MOST_ROWS = 2**20
"""Rows of a sheet, the names of the columns included."""

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Characters that no cell can hold."""


def read_sheet(path: Path, rows: int | None = None) -> pa.Table:
    """Read the first sheet of a workbook; formulas count as the values they had when it was saved.

    Args:
        path: the file.
        rows: most rows that are read, the names of the columns included, or None for all.

    Returns:
        The columns, named by the first row: of integers or numbers where all cells are, else of
        text, with times in ISO form; null where a cell is empty. Empty rows and unnamed empty
        columns at the end are left out.

    Raises:
        TableError: if openpyxl isn't installed, or it is no workbook or too large.
        OSError: if it can't be read.
    """
    try:
        import openpyxl
    except ImportError:
        hint = 'pip install "gat-batch[formats]", or save it as CSV'
        raise TableError("needs openpyxl to be read", file=path, hint=hint) from None
    try:
        _check_size(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # which some programs write wrong
            cells = [[*row] for row in islice(sheet.iter_rows(values_only=True), rows)]
        finally:
            book.close()
    except (OSError, TableError):
        raise
    except Exception as error:  # noqa: BLE001 - the parser fails in many ways on other content
        reason = f"{type(error).__name__}: {error}"
        raise TableError(f"is not an Excel workbook: {reason}", file=path) from None
    while cells and all(map(_is_empty, cells[-1])):
        cells.pop()
    if not cells:
        raise TableError("is empty", file=path, hint="the first row names the columns")
    return _table(cells, path)


def write_workbook(tables: Mapping[str, pa.Table], path: Path) -> None:
    """Write tables as a workbook, a sheet each; no text in it is a formula.

    Args:
        tables: name of each sheet -> its table.
        path: the file, which is replaced.

    Raises:
        TableError: if openpyxl isn't installed, or a table has more rows than a sheet can.
        OSError: if it can't be written.
    """
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    except ImportError:
        hint = 'pip install "gat-batch[formats]"'
        raise TableError("needs openpyxl to be written", file=path, hint=hint) from None
    book = Workbook(write_only=True)
    for name, table in tables.items():
        if len(table) >= MOST_ROWS:
            what = f"{name} has {len(table)} rows, more than a sheet of Excel can hold"
            raise TableError(what, file=path, hint="read its Parquet file, or leave it out")
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        sheet.append(table.column_names)
        for batch in table.to_batches(max_chunksize=1000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                cells = [WriteOnlyCell(sheet, value=_written(value)) for value in row]
                for cell in cells:
                    if cell.data_type == "f":
                        cell.data_type = "s"
                sheet.append(cells)
    book.save(path)


def _written(value: Any) -> Any:
    """Return a value as a cell can hold it: no list, no infinity, no control characters."""
    match value:
        case list():
            return _written(", ".join(map(str, value)))
        case float() if not math.isfinite(value):
            return None if math.isnan(value) else str(value)
        case str():
            return CONTROL.sub("", value)
        case None | bool() | int() | float() | datetime() | date():
            return value
        case _:
            return _written(str(value))


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
    if size > MOST_BYTES:
        what = f"holds {size / 2**20:.0f} MB, more than the {MOST_BYTES >> 20} that are read"
        raise TableError(what, file=path, hint="save it as Parquet or CSV")


def _table(cells: list[list[Any]], path: Path) -> pa.Table:
    width = max(len(row) for row in cells)
    columns = list(zip(*([*row] + [None] * (width - len(row)) for row in cells), strict=True))
    while columns and all(map(_is_empty, columns[-1])):
        columns.pop()
    names = [_text(column[0]) for column in columns]
    if None in names:
        what = f"column {names.index(None) + 1} has no name"
        raise TableError(what, file=path, hint="the first row names the columns")
    return pa.table([_column(column[1:]) for column in columns], names=names)


def _column(cells: tuple[Any, ...]) -> pa.Array:
    cells = tuple(None if _is_empty(cell) else cell for cell in cells)
    if all(isinstance(cell, int | float | None) and not isinstance(cell, bool) for cell in cells):
        if all(cell is None or float(cell).is_integer() for cell in cells):
            return pa.array(cells, pa.float64()).cast(pa.int64(), safe=False)
        return pa.array(cells, pa.float64())
    return pa.array([_text(cell) for cell in cells], pa.string())


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _text(cell: Any) -> str | None:
    match cell:
        case None:
            return None
        case datetime():
            return cell.isoformat(timespec="seconds")
        case date():
            return cell.isoformat()
        case float() if cell.is_integer():
            return str(int(cell))
        case _:
            return str(cell).strip() or None
