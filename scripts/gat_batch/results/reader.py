"""Results read back, whole or in parts, and files refused that are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ResultError
from ..files.parquet_footer import METADATA_KEY
from .schema import RESULT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART_SCHEMA = RESULT_SCHEMA.set(
    RESULT_SCHEMA.get_field_index("element"),
    pa.field("element", pa.dictionary(pa.int32(), pa.string())),
)
"""Schema of what :func:`read_parts` yields."""


def read_parts(path: Path) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """Read a result in the parts it was written in, each of whole states and contingencies.

    Args:
        path: the result file, or a placeholder for one.

    Yields:
        Its metadata (fingerprint, status, duration, or why the scenario failed), the same each
        time, and some of its rows; for a placeholder once, without rows. Kinds of elements are
        encoded by a dictionary, so that millions of rows can be told apart by numbers.

    Raises:
        ResultError: if it is missing, damaged or not a result.
    """
    try:
        # Not pq.read_table: it takes "a=b" in a folder's name for a column.
        with pq.ParquetFile(path, read_dictionary=["element"], pre_buffer=False) as file:
            content = _metadata(file.metadata, path)
            if not file.schema_arrow.equals(PART_SCHEMA):
                raise _unusable(path, "its columns are not those of a result")
            for group in range(file.num_row_groups):
                yield content, file.read_row_group(group, use_threads=False)
            if not file.num_row_groups:
                yield content, PART_SCHEMA.empty_table()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unusable(path, error) from None


def read_result(path: Path) -> pa.Table:
    """Read all rows of a result.

    Arguments and errors as for :func:`read_parts`.
    """
    return pa.concat_tables(table for _, table in read_parts(path)).cast(RESULT_SCHEMA)


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata of a result, without its rows.

    Arguments and errors as for :func:`read_parts`.
    """
    try:
        return _metadata(pq.read_metadata(path), path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unusable(path, error) from None


def _metadata(stored: pq.FileMetaData, path: Path) -> dict[str, Any]:
    content = json.loads((stored.metadata or {}).get(METADATA_KEY.encode(), b"null"))
    if not isinstance(content, dict):
        raise _unusable(path, "it has no metadata of gat-batch")
    return content


def _unusable(path: Path, reason: object) -> ResultError:
    hint = "remove it and run again; only this scenario is solved anew"
    return ResultError(f"not a whole result: {reason}", file=path, hint=hint)
