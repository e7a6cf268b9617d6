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

from ..results.reader import read_parts
from ..results.shared_file import SharedFile, unusable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

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

AT_FIRST = 2
"""Parts of a file that are read with it."""

_Begun = tuple[list["ResultPart"], "Iterator[ResultPart]"]
"""The first parts of a file, and those that come behind them."""

_Group = list[tuple["Path", list[int]]]
"""Files, and the numbers of the scenarios whose results each has."""

BYTES_PER_GROUP = 2**19
"""Size of the files of a group, as handing over single small ones takes as long as reading them."""

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
    """

    numbers: Sequence[int]
    scenarios: Sequence[Scenario]
    metadata: Sequence[Mapping[str, Any]]
    counts: Sequence[int]
    rows: pa.Table
    last: bool = True


def result_parts(
    results: Results, columns: Sequence[str] | None = None
) -> Generator[ResultPart, None, None]:
    """Yield the rows of all results.

    Args:
        results: the results.
        columns: the columns that are wanted of files of a single scenario; all if None.

    Raises:
        ResultError: if a result is missing or damaged.
    """
    groups = _groups(results.paths)

    def begin(group: _Group) -> Future[list[_Begun]]:
        return readers.submit(_begun, group, results, columns)

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
    """Yield parts of a file, the next of which is read meanwhile."""
    coming = readers.submit(next, parts, None)
    while (part := coming.result()) is not None:
        coming = readers.submit(next, parts, None)
        yield part


def _begun(group: _Group, results: Results, columns: Sequence[str] | None) -> list[_Begun]:
    """Begin to read files: return the first parts of each, and the others, yet to be read."""
    found = [
        _own(path, numbers[0], results.scenarios[numbers[0]], columns)
        if len(numbers) == 1
        else _shared(path, numbers, results)
        for path, numbers in group
    ]
    return [(list(islice(parts, AT_FIRST)), parts) for parts in found]


def _own(
    path: Path, number: int, scenario: Scenario, columns: Sequence[str] | None
) -> Iterator[ResultPart]:
    before: ResultPart | None = None
    for metadata, rows in read_parts(path, scenario.id, columns):
        if before is not None:
            yield before
        before = ResultPart([number], [scenario], [metadata], [len(rows)], rows, last=False)
    if before is not None:
        yield replace(before, last=True)


def _shared(path: Path, numbers: Sequence[int], results: Results) -> Iterator[ResultPart]:
    known = {results.ids[number]: number for number in numbers}
    try:
        shared = SharedFile(path)
        if not known.keys() <= shared.members.keys():
            raise unusable(path, "it isn't the result of the scenarios of its job")
        for names, rows, last in shared.pieces():
            # One that failed once, and has been taken out of the manifest.
            if names[0] not in known:
                continue
            members = [shared.members[name] for name in names]
            reaches = (one.get("rows", (0, 0)) for one in members)
            # One with many rows comes in several parts.
            counts = [len(rows)] if len(names) == 1 else [stop - start for start, stop in reaches]
            those, firsts = [known[name] for name in names], [0, *accumulate(counts)]
            for some in _alike(those, members, results.scenarios):
                yield ResultPart(
                    those[some],
                    [results.scenarios[number] for number in those[some]],
                    members[some],
                    counts[some],
                    rows.slice(firsts[some.start], sum(counts[some])),
                    last,
                )
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
