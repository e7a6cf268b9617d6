"""Results of several scenarios joined into one file, and taken out of one again."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..files.parquet.footer import read_fingerprints
from .reader import read_metadata, read_parts
from .rows_file import LEAST_ROWS, large_groups
from .schema import RESULT_SCHEMA
from .shared_file import shared_file, unusable
from .writer import ResultWriter

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..files.parquet.row_groups import RowGroup


def join_results(
    path: Path,
    scenarios: Sequence[str],
    sources: Mapping[str, Path],
    failed: Mapping[str, Mapping[str, Any]],
    common: Mapping[str, Any],
    *,
    trusted: Container[Path] = (),
) -> None:
    """Write the results of several scenarios into one file.

    Args:
        path: the file.
        scenarios: the scenarios, in the order that they are to have there.
        sources: scenario -> file that has its rows: its own, or one of several.
        failed: why and how each of the others failed.
        common: metadata that all have in common.
        trusted: sources of which large row groups are copied as they are; others are read, which
            tells whether they are damaged.

    Raises:
        ResultError: if a source is damaged.
        OSError: if the file can't be written.
    """
    members: dict[str, dict[str, Any]] = {}
    count = 0
    metadata = {"members": members, **common}
    with ResultWriter(path, metadata, rows_per_group=LEAST_ROWS) as writer:
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
            parts = _parts(source, names, copying=source in trusted)
            while (part := _next(parts, source)) is not None:
                if isinstance(part, pa.Table):
                    writer.add_rows(part.cast(RESULT_SCHEMA))
                else:
                    writer.copy(source, part)


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


def _next(parts: Iterator[pa.Table | RowGroup], source: Path) -> pa.Table | RowGroup | None:
    """Return the next part of a source, None if there are no more.

    Raises:
        ResultError: if the source is damaged.
    """
    try:
        return next(parts, None)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unusable(source, error) from None


def _reach(source: Path, scenario: str) -> int:
    """Return how many rows a scenario has in a file."""
    if scenario in read_fingerprints(source):
        start, stop = shared_file(source).members[scenario]["rows"]
        return int(stop - start)
    return sum(len(part) for _, part in read_parts(source))


def _parts(source: Path, names: Sequence[str], *, copying: bool) -> Iterator[pa.Table | RowGroup]:
    """Yield the rows of scenarios from one file, or row groups of it where they are copied."""
    if names[0] not in read_fingerprints(source):
        for _, part in read_parts(source):
            yield part
        return
    shared = shared_file(source)
    large = large_groups(source) if copying else {}
    reaches = [shared.members[name]["rows"] for name in names]
    for start, stop in _side_by_side(reaches):
        for piece in shared.pieces_of(start, stop):
            if piece.group in large and shared.is_whole(piece):
                yield large[piece.group]
            else:
                yield shared.read(piece)


def _side_by_side(reaches: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield reaches of rows, those that follow each other as one."""
    start, stop = reaches[0]
    for first, last in reaches[1:]:
        if first != stop:
            yield start, stop
            start = first
        stop = last
    yield start, stop
