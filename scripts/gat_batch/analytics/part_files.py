"""Tables of parts of an analysis: written whole or not at all, and put together."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import SolverError
from ..files.parquet.footer import METADATA_KEY

if TYPE_CHECKING:
    from pathlib import Path


def concatenated(parts: dict[str, pa.Table]) -> pa.Table:
    """Put tables below each other; a column may be missing or empty in some.

    Args:
        parts: name of each part -> its table.

    Raises:
        SolverError: if the types of a column don't fit together.
    """
    try:
        return pa.concat_tables(parts.values(), promote_options="permissive")
    except pa.ArrowException:
        (first, expected), *others = parts.items()
        for name, table in others:
            try:
                pa.unify_schemas([expected.schema, table.schema], promote_options="permissive")
            except pa.ArrowException as error:
                what = f"the tables of {first} and {name} don't fit together: {error}"
                raise SolverError(what, hint="give each column one type") from None
        raise


def read_part(path: Path) -> pa.Table:
    """Read the table of a part."""
    # Not pq.read_table: it takes "a=b" in a folder's name for a column.
    with pq.ParquetFile(path) as file:
        return file.read()


def write_part(path: Path, table: pa.Table, metadata: dict[str, str]) -> None:
    """Write the table of a part so that it is there whole or not at all, with its metadata."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with pq.ParquetWriter(temporary, table.schema, compression="zstd") as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({METADATA_KEY: json.dumps(metadata)})
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
