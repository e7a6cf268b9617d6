"""Results read for the summary: some rows at a time, ahead of what is made of them.

Each scenario's own file is read in the order of the manifest; files that scenarios share, in the
order of the first of each.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..results.reader import read_parts
from ..results.shared_file import SharedFile, unusable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..study.scenario import Scenario

READERS = 2
READ_AHEAD = 4
"""Threads that read results, and groups of results that are read before they are summed up."""

BYTES_PER_GROUP = 2**19
"""Size of the files of a group, as handing over single small ones takes as long as reading them."""


@dataclass(frozen=True)
class ResultPart:
    """Some rows of results.

    Attributes:
        scenarios: the scenarios; several only if they have no contingencies, and keep the same.
        metadata: those of each.
        counts: number of rows of each.
        rows: the rows of the first, then those of the next.
        last: whether no more rows of these scenarios come.
    """

    scenarios: Sequence[Scenario]
    metadata: Sequence[Mapping[str, Any]]
    counts: Sequence[int]
    rows: pa.Table
    last: bool = True


def result_parts(
    results: Sequence[tuple[Scenario, Path]],
) -> Generator[ResultPart, None, None]:
    """Yield the rows of all results.

    Args:
        results: each scenario with the file that its result is in.

    Raises:
        ResultError: if a result is missing or damaged.
    """
    groups = _groups(results)
    with ThreadPoolExecutor(READERS) as readers:
        coming = deque(readers.submit(_begun, group) for group in islice(groups, READ_AHEAD))
        try:
            while coming:
                begun = coming.popleft().result()
                coming.extend(readers.submit(_begun, group) for group in islice(groups, 1))
                for parts in begun:
                    yield from parts
        finally:
            for future in coming:
                future.cancel()


def _groups(
    results: Sequence[tuple[Scenario, Path]],
) -> Iterator[list[tuple[Path, list[Scenario]]]]:
    """Yield groups of files that are read together, and whose they are; large ones are alone."""
    files: dict[Path, list[Scenario]] = {}
    for scenario, path in results:
        files.setdefault(path, []).append(scenario)
    group: list[tuple[Path, list[Scenario]]] = []
    size = 0
    for path, scenarios in files.items():
        group.append((path, scenarios))
        # Reading it will say that the file isn't there.
        with suppress(FileNotFoundError):
            size += path.stat().st_size
        if size >= BYTES_PER_GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _begun(group: Sequence[tuple[Path, list[Scenario]]]) -> list[Iterator[ResultPart]]:
    """Begin to read files: return the parts of each, of which the first two have been read.

    Hardly any result has more.
    """
    found = [
        _own(path, scenarios[0]) if len(scenarios) == 1 else _shared(path, scenarios)
        for path, scenarios in group
    ]
    return [chain(list(islice(parts, 2)), parts) for parts in found]


def _own(path: Path, scenario: Scenario) -> Iterator[ResultPart]:
    before: ResultPart | None = None
    for metadata, rows in read_parts(path, scenario.id):
        if before is not None:
            yield before
        before = ResultPart([scenario], [metadata], [len(rows)], rows, last=False)
    if before is not None:
        yield ResultPart(before.scenarios, before.metadata, before.counts, before.rows)


def _shared(path: Path, scenarios: Sequence[Scenario]) -> Iterator[ResultPart]:
    known = {scenario.id: scenario for scenario in scenarios}
    try:
        shared = SharedFile(path)
        if not known.keys() <= shared.members.keys():
            raise unusable(path, "it isn't the result of the scenarios of its job")
        for names, rows, last in shared.pieces():
            # One that failed once, and has been taken out of the manifest.
            if names[0] not in known:
                continue
            yield from _alike(shared, [known[name] for name in names], rows, last=last)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unusable(path, error) from None


def _alike(
    shared: SharedFile, scenarios: Sequence[Scenario], rows: pa.Table, *, last: bool
) -> Iterator[ResultPart]:
    """Cut rows where scenarios differ in what is kept of them, or have contingencies."""
    members, first = shared.members, 0

    def kind(numbered: tuple[int, Scenario]) -> tuple[int, str]:
        number, scenario = numbered
        alone = number + 1 if scenario.contingencies is not None else 0
        return alone, repr(members[scenario.id].get("keep"))

    for _, group in groupby(enumerate(scenarios), key=kind):
        alike = [scenario for _, scenario in group]
        about = [members[scenario.id] for scenario in alike]
        reaches = [one.get("rows", (0, 0)) for one in about]
        counts = [stop - start for start, stop in reaches]
        if len(scenarios) == 1:
            # One with many rows comes in several parts.
            counts = [len(rows)]
        yield ResultPart(alike, about, counts, rows.slice(first, sum(counts)), last)
        first += sum(counts)
