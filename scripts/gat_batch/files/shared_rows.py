"""Tables that several scenarios share, each its rows, told apart by a column ``scenario``."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa

from ..errors import TableError
from .columns import read_columns
from .words import nearest

if TYPE_CHECKING:
    from pathlib import Path


def rows_of_scenario(path: Path, name: str) -> pa.Table:
    """Read the rows of one scenario, without the column ``scenario``.

    The last few files are kept, as one scenario after the other asks for the same table.

    Args:
        path: the table.
        name: what the rows have in the column.

    Raises:
        TableError: if the file can't be read, lacks the column or has no such rows.
        UnreadableError: if the system fails to read it.
    """
    try:
        state = path.stat()
    except OSError:
        parts = by_scenario(read_columns(path), path)
    else:
        parts = _read(path, (state.st_mtime_ns, state.st_size))
    if name not in parts:
        hint = nearest(name, list(parts))
        raise TableError(f"no row has {name!r} there", file=path, field="scenario", hint=hint)
    return parts[name]


def row_digests(path: Path) -> dict[str, str]:
    """Return a hash of each scenario's rows in a table, whatever else the file holds.

    Raises:
        TableError, UnreadableError: as for :func:`rows_of_scenario`.
    """
    return digests_of(read_columns(path), path)


def digests_of(table: pa.Table, path: Path) -> dict[str, str]:
    """Return the same of a table that is yet to be written.

    Args:
        table: its columns.
        path: the file that will hold it.

    Raises:
        TableError: if it lacks the column ``scenario``.
    """
    return {
        name: hashlib.sha256(json.dumps(part.to_pydict()).encode()).hexdigest()
        for name, part in by_scenario(table, path).items()
    }


def by_scenario(table: pa.Table, path: Path) -> dict[str, pa.Table]:
    """Return the rows of each scenario, in their order.

    Raises:
        TableError: if the table lacks the column ``scenario``.
    """
    if "scenario" not in table.column_names:
        hint = "rows are chosen by this column; name the file alone if all are meant"
        raise TableError("the column is missing", file=path, field="scenario", hint=hint)
    names = [str(name) for name in table["scenario"].to_pylist()]
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    rest = table.drop_columns(["scenario"]).combine_chunks()
    return {name: rest.take(pa.array(own)) for name, own in places.items()}


@lru_cache(maxsize=4)
def _read(path: Path, state: tuple[int, int]) -> dict[str, pa.Table]:  # noqa: ARG001 - a changed file is another one
    return by_scenario(read_columns(path), path)
