"""Files of rows being written: rows are encoded, and large row groups of others copied as they are.

Copying takes a sixth of what it takes to read rows and to encode them again.
"""

from __future__ import annotations

import io
from functools import cache
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from ..files.parquet.row_groups import CopiedGroups, read_footer
from .schema import COMPRESSION, KEYS, REPEATING, RESULT_SCHEMA, ROWS_PER_GROUP
from .shared_file import unusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..files.parquet.row_groups import RowGroup

LEAST_ROWS = 20_000
"""Rows of a row group; smaller ones take longer to write and to read than to search, so they are
put together, which larger ones needn't be."""

LEAST_BYTES = 2**18
"""Size of a file that may have so many rows."""

VALUES_AT_ONCE = 2**15
"""Values of a column that are encoded in one go; pyarrow's own 1,024 take a twentieth longer."""


class RowsFile:
    """Writes rows of results into a file.

    Args:
        sink: the file, open for writing and reading.
        schema: columns of the tables, those of results; kinds of elements may be encoded.
    """

    def __init__(self, sink: IO[bytes], schema: pa.Schema = RESULT_SCHEMA) -> None:
        self._writer = pq.ParquetWriter(
            sink,
            schema,
            compression=COMPRESSION,
            use_dictionary=REPEATING,
            write_statistics=list(KEYS),
            # Quicker to write and to read where many columns are empty.
            data_page_version="2.0",
            write_batch_size=VALUES_AT_ONCE,
            max_rows_per_page=ROWS_PER_GROUP,
            # So damage is told from numbers.
            write_page_checksum=True,
            # Without Arrow's schema readers get plain texts.
            store_schema=False,
        )
        self._copied = CopiedGroups(sink)

    def write(self, rows: pa.Table) -> None:
        """Write rows as one row group.

        Raises:
            OSError: if the file can't be written.
        """
        self._writer.write_table(rows, row_group_size=len(rows))

    def copy(self, source: Path, group: RowGroup) -> None:
        """Copy a row group of another file.

        Raises:
            ResultError: if the source is damaged.
            OSError: if the file can't be written.
        """
        try:
            with source.open("rb") as file:
                self._copied.copy(file, group)
        except ValueError as error:
            raise unusable(source, error) from None

    def finish(self, metadata: Mapping[str, str] = MappingProxyType({})) -> None:
        """Complete the file.

        Args:
            metadata: what it says of itself.

        Raises:
            OSError: if it can't be written.
        """
        if metadata:
            self._writer.add_key_value_metadata(dict(metadata))
        self._writer.close()
        self._copied.finish()

    def close(self) -> None:
        """Let go of a file that needn't be complete."""
        self._writer.close()


def large_groups(path: Path) -> dict[int, RowGroup]:
    """Return the row groups of a result that are copied rather than encoded again.

    Args:
        path: a result file.

    Returns:
        Number of the row group -> what the footer says of it. None of them if the file was written
        in another way than results are, or can't be read: whoever reads its rows says so.
    """
    try:
        if path.stat().st_size < LEAST_BYTES:
            return {}
        with path.open("rb") as file:
            footer = read_footer(file)
    except (OSError, ValueError):
        return {}
    if footer.head != _head():
        return {}
    return {n: group for n, group in enumerate(footer.groups) if group.rows >= LEAST_ROWS}


@cache
def _head() -> bytes:
    """Return how the footer of a result begins: by its columns."""
    sink = io.BytesIO()
    RowsFile(sink).finish()
    return read_footer(sink).head
