"""The summary as an Excel workbook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ResultError
from ..files.workbooks import write_workbook

if TYPE_CHECKING:
    from pathlib import Path

SHEETS = ("scenarios", "elements", "contingencies", "overloads", "categories", "remedies")
"""Tables of the summary that the workbook has, unless they are empty; single rows are too many."""


def write_summary(folder: Path, path: Path) -> None:
    """Write the tables of a summary, a sheet each.

    Args:
        folder: the batch's folder.
        path: the file, which is replaced.

    Raises:
        ResultError: if there is no summary yet, or it is damaged.
        TableError: if openpyxl isn't installed, or a table has too many rows for Excel.
        OSError: if the file can't be written.
    """
    tables = {}
    for name in SHEETS:
        file = folder / "summary" / f"{name}.parquet"
        try:
            tables[name] = pq.ParquetFile(file).read()
        except FileNotFoundError:
            raise ResultError("no such file", file=file, hint="run the batch first") from None
        except (OSError, pa.ArrowException) as error:
            raise ResultError(f"can't be read: {error}", file=file) from None
    write_workbook({name: table for name, table in tables.items() if len(table)}, path)
