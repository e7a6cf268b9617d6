"""Results read back, whole or in parts, and files refused that are none."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..files.parquet.footer import read_fingerprint, read_fingerprints, read_members
from .schema import RESULT_SCHEMA
from .shared_file import PART_SCHEMA, metadata_of, open_rows, shared_file, unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


LARGE = 50_000
"""Rows of a row group that are worth a thread for each column."""


def read_parts(
    path: Path, scenario: str = "", columns: Mapping[int, Sequence[str]] = MappingProxyType({})
) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """Read a result in the parts it was written in, each of whole states and contingencies.

    Args:
        path: the result file, or a placeholder for one.
        scenario: whose result is wanted of a file of several; all rows if empty.
        columns: row group of a file of its own -> the columns that are wanted of its rows; all of
            others.

    Yields:
        Its metadata (fingerprint, status, duration, or why the scenario failed), the same each
        time, and some of its rows; for a placeholder once, without rows. Kinds of elements are
        encoded by a dictionary, so that millions of rows can be told apart by numbers.

    Raises:
        ResultError: if it is missing, damaged or not a result.
    """
    try:
        if scenario in read_fingerprints(path):
            shared = shared_file(path)
            about = shared.about(scenario)
            for rows in shared.parts(scenario):
                yield about, rows
            return
        with open_rows(path) as file:
            content = metadata_of(file.metadata, path)
            if scenario and "members" in content:
                failed = content["members"].get(scenario)
                if failed is None:
                    raise unusable(path, f"it holds nothing of {scenario!r}")
                yield failed, PART_SCHEMA.empty_table()
                return
            for group in range(file.num_row_groups):
                large = file.metadata.row_group(group).num_rows >= LARGE
                yield content, file.read_row_group(group, columns.get(group), use_threads=large)
            if not file.num_row_groups:
                yield content, PART_SCHEMA.empty_table()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unusable(path, error) from None


def read_result(path: Path, scenario: str = "") -> pa.Table:
    """Read all rows of a result.

    Arguments and errors as for :func:`read_parts`.
    """
    return pa.concat_tables(table for _, table in read_parts(path, scenario)).cast(RESULT_SCHEMA)


def read_metadata(path: Path, scenario: str = "") -> dict[str, Any]:
    """Read the metadata of a result, without its rows.

    Arguments and errors as for :func:`read_parts`.
    """
    try:
        if scenario in read_fingerprints(path):
            return shared_file(path).about(scenario)
        content = metadata_of(pq.read_metadata(path), path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unusable(path, error) from None
    found: dict[str, Any] = content.get("members", {}).get(scenario, content)
    return found


def results_in(folder: Path) -> dict[str, Path]:
    """Return scenario -> the file that its result, or the placeholder of one, is in.

    Args:
        folder: a batch's folder.
    """
    own: dict[str, Path] = {}
    found: dict[str, Path] = {}
    for path in folder.glob("job_*/result.parquet"):
        shared = read_members(path)
        if shared:
            found |= dict.fromkeys(shared, path)
        else:
            own[path.parent.name.removeprefix("job_")] = path
    return found | own


def result_fingerprint(path: Path, scenario: str) -> str | None:
    """Return the fingerprint of a scenario's result, None if there is no whole one.

    Args:
        path: its own file, or one of several scenarios.
        scenario: the scenario.
    """
    return read_fingerprint(path) or read_fingerprints(path).get(scenario)
