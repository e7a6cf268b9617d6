"""Results read for the summary: some rows at a time, ahead of what is made of them.

Each scenario's own file is read in the order of the manifest; files that scenarios share, in the
order of the first of each.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..files.parquet.footer import read_fingerprints
from ..results.reader import read_parts
from ..results.rows_file import large_groups
from ..results.shared_file import PART_SCHEMA, SharedFile, unusable
from .base_states import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..files.parquet.row_groups import RowGroup
    from ..study.scenario import Scenario


@dataclass(frozen=True)
class Results:
    """The results of a batch.

    Attributes:
        ids: ids of the scenarios.
        scenarios: the scenarios; each may be made when it is asked for.
        paths: the file that each one's result is in, or a placeholder if it failed.
    """

    ids: Sequence[str]
    scenarios: Sequence[Scenario]
    paths: Sequence[Path]


READERS = 2
READ_AHEAD = 2
"""Threads that read results, and groups of results that are read before they are summed up."""

AT_FIRST = AT_ONCE = 2
"""Parts of a file that are read with it, and later in one go: some take longer to sum up."""

_Begun = tuple[list["ResultPart"], "Iterator[ResultPart]"]
"""The first parts of a file, and those that come behind them."""

_Group = list[tuple["Path", list[int]]]
"""Files, and the numbers of the scenarios whose results each has."""

BYTES_PER_GROUP = 2**19
"""Size of the files of a group, as handing over single small ones takes as long as reading them."""

_BARE = (*COLUMNS, "contingency")
"""Columns that are read of rows that are copied: those of which figures are made."""

MOST_TOGETHER = 2_000
"""Most scenarios of a part: of a file that thousands share only these are made at a time."""


@dataclass(frozen=True)
class ResultPart:
    """Some rows of results.

    Attributes:
        numbers: the scenarios' numbers in the manifest.
        scenarios: the scenarios; several only if they have no contingencies, and keep the same.
        metadata: those of each.
        counts: number of rows of each.
        rows: the rows of the first, then those of the next.
        last: whether no more rows of these scenarios come.
        copied: files and row groups that hold them, and are copied as they are, no more than once;
            None if they are to be written. Then, without contingencies, only columns of which
            figures are made have been read.
    """

    numbers: Sequence[int]
    scenarios: Sequence[Scenario]
    metadata: Sequence[Mapping[str, Any]]
    counts: Sequence[int]
    rows: pa.Table
    last: bool = True
    copied: Sequence[tuple[Path, RowGroup]] | None = None


def result_parts(results: Results) -> Generator[ResultPart, None, None]:
    """Yield the rows of all results.

    Args:
        results: the results.

    Raises:
        ResultError: if a result is missing or damaged.
    """
    groups = _groups(results.paths)

    def begin(group: _Group) -> Future[list[_Begun]]:
        return readers.submit(_begun, group, results)

    with ThreadPoolExecutor(READERS) as readers:
        coming = deque(map(begin, islice(groups, READ_AHEAD)))
        try:
            while coming:
                begun = coming.popleft().result()
                coming.extend(map(begin, islice(groups, 1)))
                for first, rest in begun:
                    yield from first
                    # Hardly any result has more.
                    if len(first) == AT_FIRST:
                        yield from _ahead(rest, readers)
        finally:
            for future in coming:
                future.cancel()


def _groups(paths: Sequence[Path]) -> Iterator[_Group]:
    """Yield groups of files that are read together; large ones are alone."""
    files: dict[Path, list[int]] = {}
    for number, path in enumerate(paths):
        files.setdefault(path, []).append(number)
    group: _Group = []
    size = 0
    for path, numbers in files.items():
        group.append((path, numbers))
        # Reading it will say that the file isn't there.
        with suppress(FileNotFoundError):
            size += path.stat().st_size
        if size >= BYTES_PER_GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _ahead(
    parts: Iterator[ResultPart], readers: ThreadPoolExecutor
) -> Generator[ResultPart, None, None]:
    """Yield parts of a file, the next of which are read meanwhile."""

    def some() -> list[ResultPart]:
        return list(islice(parts, AT_ONCE))

    coming = readers.submit(some)
    while found := coming.result():
        coming = readers.submit(some)
        yield from found


def _begun(group: _Group, results: Results) -> list[_Begun]:
    """Begin to read files: return the first parts of each, and the others, yet to be read."""
    found = [
        _own(path, numbers[0], results.scenarios[numbers[0]])
        if len(numbers) == 1
        else _shared(path, numbers, results)
        for path, numbers in group
    ]
    return [(list(islice(parts, AT_FIRST)), parts) for parts in found]


def _own(path: Path, number: int, scenario: Scenario) -> Iterator[ResultPart]:
    before: ResultPart | None = None
    # A file that others shared is read as far as it is this one's.
    large = {} if read_fingerprints(path) else large_groups(path)
    columns = dict.fromkeys(large, _BARE) if scenario.contingencies is None else {}
    for group, (metadata, rows) in enumerate(read_parts(path, scenario.id, columns)):
        if before is not None:
            yield before
        about = [number], [scenario], [metadata], [len(rows)]
        copied = [(path, large[group])] if group in large else None
        before = ResultPart(*about, rows, last=False, copied=copied)
    if before is not None:
        yield replace(before, last=True)


def _shared(path: Path, numbers: Sequence[int], results: Results) -> Iterator[ResultPart]:
    known = {results.ids[number]: number for number in numbers}
    try:
        shared = SharedFile(path)
        if not known.keys() <= shared.members.keys():
            raise unusable(path, "it isn't the result of the scenarios of its job")
        large = large_groups(path)
        for names, piece, last in shared.pieces():
            # One that failed once, and has been taken out of the manifest.
            if names[0] not in known:
                continue
            members = [shared.members[name] for name in names]
            reaches = (one.get("rows", (0, 0)) for one in members)
            those = [known[name] for name in names]
            copied = None
            if piece is None:
                rows = PART_SCHEMA.empty_table()
            else:
                if piece.group in large and shared.is_whole(piece):
                    copied = [(path, large[piece.group])]
                bare = copied and not shared.has_contingencies(piece.group)
                rows = shared.read(piece, _BARE if bare else None)
            # One with many rows comes in several parts.
            counts = [len(rows)] if len(names) == 1 else [stop - start for start, stop in reaches]
            firsts = [0, *accumulate(counts)]
            for some in _alike(those, members, results.scenarios):
                yield ResultPart(
                    those[some],
                    [results.scenarios[number] for number in those[some]],
                    members[some],
                    counts[some],
                    rows.slice(firsts[some.start], sum(counts[some])),
                    last,
                    copied,
                )
                copied = copied and []
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unusable(path, error) from None


def _alike(
    numbers: Sequence[int], members: Sequence[Mapping[str, Any]], scenarios: Sequence[Scenario]
) -> Iterator[slice]:
    """Cut scenarios where they differ in what is kept of them, or have contingencies."""

    def kind(place: int) -> tuple[int, int, str]:
        number = numbers[place]
        alone = number if scenarios[number].contingencies is not None else -1
        return place // MOST_TOGETHER, alone, repr(members[place].get("keep"))

    for _, group in groupby(range(len(numbers)), key=kind):
        places = list(group)
        yield slice(places[0], places[-1] + 1)
