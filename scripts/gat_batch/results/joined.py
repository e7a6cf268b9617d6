"""Results of several scenarios joined into one file, and taken out of one again."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..files.parquet_footer import read_fingerprints
from .reader import read_metadata, read_parts
from .schema import RESULT_SCHEMA
from .shared_file import shared_file, unusable
from .writer import ResultWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ROWS_PER_GROUP = 20_000
"""Rows of a row group: a reader of one scenario reads the others of its group, too."""


def join_results(
    path: Path,
    scenarios: Sequence[str],
    sources: Mapping[str, Path],
    failed: Mapping[str, Mapping[str, Any]],
    common: Mapping[str, Any],
) -> None:
    """Write the results of several scenarios into one file.

    Args:
        path: the file.
        scenarios: the scenarios, in the order that they are to have there.
        sources: scenario -> file that has its rows: its own, or one of several.
        failed: why and how each of the others failed.
        common: metadata that all have in common.

    Raises:
        ResultError: if a source is damaged.
        OSError: if the file can't be written.
    """
    members: dict[str, dict[str, Any]] = {}
    count = 0
    metadata = {"members": members, **common}
    with ResultWriter(path, metadata, rows_per_group=ROWS_PER_GROUP) as writer:
        for source, group in groupby(scenarios, key=sources.get):
            names = list(group)
            if source is None:
                members |= {name: {"failed": dict(failed[name])} for name in names}
                continue
            for name in names:
                own = read_metadata(source, name)
                rows = _reach(source, name)
                own = {key: value for key, value in own.items() if key not in common}
                own.pop("scenario", None)
                members[name] = {**own, "rows": [count, count + rows]}
                count += rows
            tables = _tables(source, names)
            while (table := _next(tables, source)) is not None:
                writer.add_rows(table.cast(RESULT_SCHEMA))


def copy_result(source: Path, scenario: str, target: Path) -> None:
    """Write a scenario's own result from one that it shares with others.

    Args:
        source: the file of several scenarios.
        scenario: the scenario.
        target: its own file.

    Raises:
        ResultError: if the source is damaged.
        OSError: if the file can't be written.
    """
    with ResultWriter(target, read_metadata(source, scenario)) as writer:
        for _, part in read_parts(source, scenario):
            writer.add_rows(part.cast(RESULT_SCHEMA))


def _next(tables: Iterator[pa.Table], source: Path) -> pa.Table | None:
    """Return the next table of a source, None if there are no more.

    Raises:
        ResultError: if the source is damaged.
    """
    try:
        return next(tables, None)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unusable(source, error) from None


def _reach(source: Path, scenario: str) -> int:
    """Return how many rows a scenario has in a file."""
    if scenario in read_fingerprints(source):
        start, stop = shared_file(source).members[scenario]["rows"]
        return int(stop - start)
    return sum(len(part) for _, part in read_parts(source))


def _tables(source: Path, names: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of scenarios from one file, as many at once as lie side by side."""
    if names[0] not in read_fingerprints(source):
        for _, part in read_parts(source):
            yield part
        return
    shared = shared_file(source)
    start, stop = shared.members[names[0]]["rows"]
    for name in names[1:]:
        first, last = shared.members[name]["rows"]
        # No row group of the target may be much larger than asked for.
        if first != stop or last - start > ROWS_PER_GROUP:
            yield from shared.rows(start, stop)
            start = first
        stop = last
    yield from shared.rows(start, stop)
