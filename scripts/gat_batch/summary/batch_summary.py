"""The summary of a batch: every row of every result, one row per scenario, one row per element.

Results are read once; no more than a few parts of them are in memory, and what the statistics need
is kept on disk. Large row groups of results get into the file of all rows as they are.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import ResultError
from ..files.csv_files import write_csv
from ..results.rows_file import LEAST_ROWS, RowsFile
from ..results.schema import ROWS_PER_GROUP
from ..results.shared_file import PART_SCHEMA
from .base_states import Gathering
from .categories import by_category
from .contingency_ranking import ContingencyRanking
from .element_statistics import ElementStatistics
from .remedies import by_action
from .result_parts import result_parts
from .scenario_rows import ScenarioTable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from ..model.violations import Limits
    from .result_parts import ResultPart, Results

BUFFER_BYTES = 2**20

MOST_WITH_OWN_GROUPS = 1000
"""Most scenarios of a batch that have row groups of their own in the file of all rows, unless they
are large. A reader begins with about 3 kB per row group, and a writer holds ten times that of each
that isn't copied until the end."""


@dataclass(frozen=True)
class SummaryFiles:
    """Where the summary goes.

    Attributes:
        aggregated: every row of every result.
        scenarios: one row per scenario.
        scenarios_csv: the same as text.
        elements: one row per element.
        contingencies: one row per contingency, the worst first.
        overloads: one row per branch that contingencies overload.
        categories: one row per category of contingencies, in all scenarios and in each.
        remedies: one row per remedial action and category.
    """

    aggregated: Path
    scenarios: Path
    scenarios_csv: Path
    elements: Path
    contingencies: Path
    overloads: Path
    categories: Path
    remedies: Path


def summarise(results: Results, files: SummaryFiles, limits: Limits) -> None:
    """Summarise the results of a batch.

    Args:
        results: the results.
        files: where the summary goes; all files appear together, when they are complete.
        limits: what counts as a violation.

    Raises:
        ResultError: if a result is damaged, or the summary can't be written.
    """
    wanted = (
        files.aggregated,
        files.scenarios,
        files.scenarios_csv,
        files.elements,
        files.contingencies,
        files.overloads,
        files.categories,
        files.remedies,
    )
    temporary = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in wanted]
    try:
        files.aggregated.parent.mkdir(parents=True, exist_ok=True)
        with ElementStatistics(files.aggregated.parent, limits) as statistics:
            ranking, table = ContingencyRanking(limits), ScenarioTable(limits)
            _aggregate(results, temporary[0], statistics, ranking, table)
            scenarios = table.table()
            pq.write_table(scenarios, temporary[1], compression="zstd")
            write_csv(scenarios, temporary[2])
            pq.write_table(statistics.table(), temporary[3], compression="zstd")
            contingencies = ranking.table()
            pq.write_table(contingencies, temporary[4], compression="zstd")
            pq.write_table(ranking.overloads.table(), temporary[5], compression="zstd")
            unsolved = _unsolved(results, scenarios)
            pq.write_table(by_category(contingencies, unsolved), temporary[6], compression="zstd")
            pq.write_table(by_action(contingencies), temporary[7], compression="zstd")
        for source, target in zip(temporary, wanted, strict=True):
            source.replace(target)
    except OSError as error:
        raise ResultError(
            f"can't be written: {error.strerror or error}",
            file=error.filename or files.aggregated.parent,
            hint="the results are untouched; free the space, then run again",
        ) from error
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)


def _unsolved(results: Results, scenarios: pa.Table) -> int:
    """Return how many scenarios with contingencies have a base case without a solution."""
    return sum(
        found not in ("ok", "islanded") and results.scenarios[number].contingencies is not None
        for number, found in enumerate(scenarios["status"].to_pylist())
    )


def _aggregate(
    results: Results,
    target: Path,
    statistics: ElementStatistics,
    ranking: ContingencyRanking,
    scenarios: ScenarioTable,
) -> None:
    """Write the file of all rows, and sum them up."""
    size = -(-len(results.paths) // MOST_WITH_OWN_GROUPS)
    with target.open("w+b", BUFFER_BYTES) as sink, _RowGroups(sink, size) as groups:
        _sum_up(result_parts(results), results.paths, (statistics, ranking, scenarios), groups)


def _sum_up(
    parts: Generator[ResultPart, None, None],
    paths: Sequence[Path],
    tables: tuple[ElementStatistics, ContingencyRanking, ScenarioTable],
    groups: _RowGroups,
) -> None:
    """Add the rows of all results to tables, and to the file of all rows."""
    statistics, ranking, scenarios = tables
    gathering = Gathering()

    def hand_on() -> None:
        states = gathering.states()
        if states:
            statistics.add(states)
            scenarios.add(states)

    with closing(parts):
        for part in parts:
            metadata = part.metadata[0]
            for number, scenario in zip(part.numbers, part.scenarios, strict=True):
                scenarios.begin(number, scenario, paths[number])
            if "failed" in metadata:
                scenarios.failed(part.scenarios[0], metadata["failed"])
                continue
            keep = metadata.get("keep", "all")
            if not gathering.takes(part.scenarios[0], keep):
                hand_on()
            states, counts = part.rows, part.counts
            contingency = states["contingency"]
            if contingency.null_count < len(states):
                # Scenarios with contingencies come alone.
                states = states.filter(pc.is_null(contingency))
                counts = [len(states)]
                scenarios.add_contingencies(part.scenarios[0], part.rows)
                ranking.add(part.rows, keep)
            gathering.add(part.scenarios, states, counts, keep)
            groups.add(part)
            if part.last:
                for scenario, about in zip(part.scenarios, part.metadata, strict=True):
                    scenarios.solved(scenario, about)
        hand_on()


class _RowGroups:
    """Writes results into one file, some to a row group, while others are summed up."""

    def __init__(self, sink: IO[bytes], size: int) -> None:
        self._size = size
        self._tables: list[pa.Table] = []
        self._rows = self._results = 0
        self._waiting: deque[tuple[int, Future[None]]] = deque()
        self._file = RowsFile(sink, PART_SCHEMA)
        self._scribe = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with self._scribe:
                if kind is None:
                    self._write()
                    self._wait(0)
            if kind is None:
                self._file.finish()
        finally:
            self._file.close()

    def add(self, part: ResultPart) -> None:
        """Add a part of results."""
        if part.copied is not None:
            self._write()
            for path, group in part.copied:
                self._hand_over(group.rows, partial(self._file.copy, path, group))
            return
        self._tables.append(part.rows)
        self._rows += len(part.rows)
        self._results += len(part.scenarios) if part.last else 0
        enough = self._results >= self._size and self._rows >= LEAST_ROWS
        if enough or self._rows >= ROWS_PER_GROUP:
            self._write()

    def _write(self) -> None:
        if self._tables:
            rows = pa.concat_tables(self._tables)
            self._hand_over(len(rows), partial(self._file.write, rows))
        self._tables, self._rows, self._results = [], 0, 0

    def _hand_over(self, rows: int, task: Callable[[], None]) -> None:
        # What waits is in memory: some small row groups, or a single large one.
        self._wait(ROWS_PER_GROUP - rows)
        self._waiting.append((rows, self._scribe.submit(task)))

    def _wait(self, most_rows: int) -> None:
        """Wait until no more than so many rows are yet to be written."""
        while self._waiting and sum(rows for rows, _ in self._waiting) > most_rows:
            self._waiting.popleft()[1].result()
