"""CSV files: read as text, or refused with a message that says what they look like; written."""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ..errors import TableError
from .words import first_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

EXPECTED = "save it as CSV (UTF-8) with commas between cells and points in numbers"

SEPARATORS = {"\t": "tabs", "|": "bars"}
"""What cells may not be separated by."""

DECIMAL_POINT = r"^\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*$"
DECIMAL_COMMA = r"^(\s*[+-]?\d+),(\d+(?:[eE][+-]?\d+)?\s*)$"

SIGNATURES = {
    b"PK\x03\x04": "is an Excel workbook or an archive, not CSV",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook, not CSV",
    b"\xff\xfe": "is UTF-16 text, not UTF-8",
    b"\xfe\xff": "is UTF-16 text, not UTF-8",
}
"""First bytes of files that people take for CSV -> what such a file is."""

SMALL = 2**16
"""Characters below which Python reads a file faster than Arrow."""

FORMULA = r"^([=+\-@\t\r\n])"
"""The start of a cell that spreadsheets take for a formula."""


def read_csv(path: Path) -> pa.Table:
    """Read all columns of a CSV file as text, null where a cell is empty.

    Where semicolons separate the cells, as spreadsheets write them in many countries, numbers may
    have decimal commas, which become points; not if others have points, as either could then
    stand between thousands.

    Args:
        path: the file, UTF-8 with or without a byte order mark.

    Returns:
        The columns, named by the first line.

    Raises:
        TableError: if it isn't CSV with commas or semicolons; the message says what it looks like.
        OSError, csv.Error, ArrowException: if it can't be read.
    """
    return read_csv_text(_text_of(path), path)


def read_csv_text(text: str, path: Path) -> pa.Table:
    """Read all columns of CSV text as :func:`read_csv` does.

    Args:
        text: the text.
        path: the file that it is from, for messages.
    """
    if not text.strip():
        raise TableError("is empty", file=path, hint="the first line names the columns")
    separator = separator_of(text)
    names = next(row for row in _reader(text, separator) if row)
    if len(names) == 1:
        _check_separator(text, path)
    if len(text) < SMALL:
        table = _small(text, separator, path)
    else:
        table = _large(text, separator, names, path)
    if separator == ";":
        table = _with_decimal_points(table)
    return table.rename_columns([name.strip() for name in table.column_names])


def plain_csv(path: Path) -> tuple[bytes, bytes]:
    """Read a small CSV file of which each line is a row, with commas between cells without quotes.

    Returns:
        Its first line, and the others; nothing if it may be of another form.

    Raises:
        OSError: if it can't be read.
    """
    if path.suffix.lower() != ".csv":
        return b"", b""
    content = path.read_bytes()
    head, _, rows = content.partition(b"\n")
    unusual = any(mark in content for mark in (b'"', b"\r", b";", b"\n\n", b"\0"))
    if unusual or len(content) > SMALL or not content.isascii() or not head.strip():
        return b"", b""
    return head, rows if rows.endswith(b"\n") or not rows else rows + b"\n"


def read_names(path: Path) -> list[str]:
    """Read the names of the columns of a CSV file, and no more of it.

    Args:
        path: as for :func:`read_csv`.

    Raises:
        OSError, csv.Error: if it can't be read.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        line = next((line for line in file if line.strip()), "")
    return [name.strip() for name in next(_reader(line, separator_of(line)), [])]


def separator_of(text: str) -> str:
    """Return what separates the cells: semicolons if the first line has them and no comma."""
    header = text.lstrip().partition("\n")[0]
    return ";" if ";" in header and "," not in header else ","


def recognised(paths: Iterable[Path]) -> str | None:
    """Tell which tables are read as those that spreadsheets write in many countries.

    Args:
        paths: tables; any that can't be read are left out.

    Returns:
        A sentence that names the first one, or None if there is none.
    """
    found = []
    for path in dict.fromkeys(paths):
        if path.suffix.lower() == ".csv":
            with suppress(OSError), path.open("rb") as file:
                if separator_of(file.readline(SMALL).decode("utf-8-sig", "replace")) == ";":
                    found.append(path.name)
    if not found:
        return None
    what = "semicolons separate the cells, and numbers may have decimal commas"
    return f"{first_of(found, 'table')}: {what}"


def _with_decimal_points(table: pa.Table) -> pa.Table:
    columns = table.columns
    if any(pc.any(pc.match_substring_regex(one, DECIMAL_POINT)).as_py() for one in columns):
        return table
    columns = [pc.replace_substring_regex(one, DECIMAL_COMMA, r"\1.\2") for one in columns]
    return pa.table(columns, names=table.column_names)


def _reader(text: str, separator: str) -> Any:
    return csv.reader(io.StringIO(text, newline=None), delimiter=separator)


def _rows(text: str, separator: str, path: Path) -> list[list[str]]:
    """Return the rows that aren't blank, the names of the columns first.

    Raises:
        TableError: if a row has more or fewer cells than there are names; it says which line.
    """
    reader = _reader(text, separator)
    rows: list[list[str]] = []
    for row in reader:
        if row and rows and len(row) != len(rows[0]):
            what = f"has {len(row)} cells, the first line names {len(rows[0])}"
            decimals = "a number with a decimal comma counts as two cells; points are needed"
            hint = decimals if separator == "," else None
            raise TableError(f"line {reader.line_num} {what}", file=path, hint=hint)
        if row:
            rows.append(row)
    return rows


def _small(text: str, separator: str, path: Path) -> pa.Table:
    names, *rows = _rows(text, separator, path)
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    texts = [pa.array([cell or None for cell in column], pa.string()) for column in columns]
    return pa.table(texts, names=names)


def _large(text: str, separator: str, names: list[str], path: Path) -> pa.Table:
    """Read the columns by Arrow, which takes longer to start than a small file needs.

    Where Arrow refuses the text, the rows are read again to say which line is at fault.
    """
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(text.encode()),
            read_options=pyarrow.csv.ReadOptions(use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(delimiter=separator),
            convert_options=convert,
        )
    except pa.ArrowInvalid:
        _rows(text, separator, path)
        raise


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV, guarding texts that spreadsheets would take for formulas.

    A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break gets an apostrophe in
    front, after which spreadsheets show it as it is.

    Args:
        table: the table.
        path: the file, which is replaced.

    Raises:
        OSError: if it can't be written.
    """
    columns = [
        pc.replace_substring_regex(column, FORMULA, r"'\1") if _is_text(column.type) else column
        for column in table.columns
    ]
    pyarrow.csv.write_csv(pa.table(columns, names=table.column_names), path)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text_of(path: Path) -> str:
    content = path.read_bytes()
    for signature, what in SIGNATURES.items():
        if content.startswith(signature):
            raise TableError(what, file=path, hint=EXPECTED)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"line {line}: byte 0x{content[error.start]:02x} is no UTF-8 text"
        raise TableError(what, file=path, hint=EXPECTED) from None


def _check_separator(text: str, path: Path) -> None:
    """Refuse a file whose one column is really several, separated by something but commas."""
    header, _, rest = text.partition("\n")
    for separator, name in SEPARATORS.items():
        if separator in header:
            number = rf"(^|[{separator}])\s*-?\d+,\d+\s*([{separator}]|$)"
            decimals = re.search(number, rest, re.MULTILINE)
            also = " and has decimal commas" if decimals else ""
            raise TableError(f"is separated by {name}{also}", file=path, hint=EXPECTED)
