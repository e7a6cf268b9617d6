"""The summary of a batch: every row of every result, one row a scenario, one row an element.

Results are read once, in the order of the manifest; no more than a few of them are in memory,
and what the statistics need is kept on disk.
"""

from __future__ import annotations

import json
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from .contingency_ranking import ContingencyRanking
from .element_statistics import ElementStatistics
from .errors import ResultError
from .results import REPEATING, RESULT_SCHEMA, SYSTEM, open_result
from .solvers.solution import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .manifest import Scenario
    from .violations import Limits

SCENARIO_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "scenario": (pa.string(), "id of the scenario"),
    "solver": (pa.string(), "kind of study"),
    "status": (pa.string(), "worst status of its snapshots; failed if there is no result"),
    "grid": (pa.string(), "grid as named in the manifest"),
    "weight": (pa.float64(), "weight in statistics"),
    "tags": (pa.string(), "tags, joined by semicolons"),
    "description": (pa.string(), "description from the manifest"),
    "metadata": (pa.string(), "metadata from the manifest, as JSON"),
    "snapshots": (pa.int64(), "snapshots solved, with or without convergence"),
    "not_converged": (pa.int64(), "snapshots without convergence"),
    "infeasible": (pa.int64(), "snapshots whose limits can't all be kept"),
    "islanded": (pa.int64(), "snapshots in which buses were cut off"),
    "contingencies": (pa.int64(), "contingencies solved"),
    "load_mw": (pa.float64(), "load supplied, mean over snapshots, MW"),
    "generation_mw": (pa.float64(), "generation, mean over snapshots, MW"),
    "loss_mw": (pa.float64(), "losses of branches, mean over snapshots, MW"),
    "unserved_mw": (pa.float64(), "load cut off, mean over snapshots, MW"),
    "max_unserved_mw": (pa.float64(), "load cut off in the worst snapshot, MW"),
    "objective": (pa.float64(), "cost, sum over snapshots"),
    "congestion_rent": (pa.float64(), "rent of binding ratings, sum over snapshots"),
    "max_loading_percent": (pa.float64(), "worst loading of a branch, percent"),
    "max_loading_element": (pa.string(), "that branch"),
    "max_loading_snapshot": (pa.string(), "its snapshot"),
    "min_vm_pu": (pa.float64(), "lowest voltage, p.u."),
    "min_vm_bus": (pa.int64(), "its bus"),
    "min_vm_snapshot": (pa.string(), "its snapshot"),
    "max_vm_pu": (pa.float64(), "highest voltage, p.u."),
    "max_vm_bus": (pa.int64(), "its bus"),
    "max_vm_snapshot": (pa.string(), "its snapshot"),
    "loading_violations": (pa.int64(), "branches and snapshots above the loading limit"),
    "voltage_violations": (pa.int64(), "buses and snapshots outside the voltage band"),
    "iterations": (pa.int64(), "most iterations of a snapshot"),
    "engine": (pa.string(), "what solved it; after a colon the rung of the ladder that it took"),
    "detail": (pa.string(), "why its worst snapshot isn't ok"),
    "attempts": (pa.int64(), "attempts that it took"),
    "duration_secs": (pa.float64(), "time of the last attempt, s"),
    "error": (pa.string(), "why the scenario failed"),
    "result": (pa.string(), "its result file"),
    "fingerprint": (pa.string(), "hash of all that the result depends on"),
}
"""Columns of the table of scenarios: type and meaning."""

READ_AHEAD = 3
"""Results read before they are summed up."""

MOST_ROW_GROUPS = 1000
"""Row groups of all results; a larger batch has several scenarios in each. Whoever opens a file
reads about 3 kB a row group before anything else, and whoever writes it holds ten times that."""

_SCENARIO_SCHEMA = pa.schema([(name, kind) for name, (kind, _) in SCENARIO_COLUMNS.items()])


@dataclass(frozen=True)
class SummaryFiles:
    """Where the summary goes.

    Attributes:
        aggregated: every row of every result.
        scenarios: one row a scenario.
        scenarios_csv: the same as text.
        elements: one row an element.
        contingencies: one row a contingency, the worst first.
        overloads: one row a branch that contingencies overload.
    """

    aggregated: Path
    scenarios: Path
    scenarios_csv: Path
    elements: Path
    contingencies: Path
    overloads: Path


def summarise(
    results: Sequence[tuple[Scenario, Path]], files: SummaryFiles, limits: Limits
) -> None:
    """Summarise the results of a batch.

    Args:
        results: each scenario with its result file, which may be the placeholder of a scenario
            that failed.
        files: where the summary goes; all files appear together when they are complete.
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
    )
    temporary = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in wanted]
    try:
        files.aggregated.parent.mkdir(parents=True, exist_ok=True)
        with ElementStatistics(files.aggregated.parent, limits) as statistics:
            ranking = ContingencyRanking(limits)
            rows = _aggregate(results, temporary[0], (statistics, ranking), limits)
            scenarios = pa.Table.from_pylist(rows, _SCENARIO_SCHEMA)
            pq.write_table(scenarios, temporary[1], compression="zstd")
            pyarrow.csv.write_csv(scenarios, temporary[2])
            pq.write_table(statistics.table(), temporary[3], compression="zstd")
            pq.write_table(ranking.table(), temporary[4], compression="zstd")
            pq.write_table(ranking.overloads(), temporary[5], compression="zstd")
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


def _aggregate(
    results: Sequence[tuple[Scenario, Path]],
    target: Path,
    collectors: tuple[ElementStatistics, ContingencyRanking],
    limits: Limits,
) -> list[dict[str, Any]]:
    rows = []
    statistics, ranking = collectors
    with _RowGroups(target, -(-len(results) // MOST_ROW_GROUPS)) as groups:
        for (scenario, path), (metadata, table) in zip(results, _read_ahead(results), strict=True):
            row = _about(scenario, path)
            if "failed" in metadata:
                failed = metadata["failed"]
                row |= {
                    "status": "failed",
                    "attempts": failed.get("attempts"),
                    "error": failed.get("error"),
                    "result": None,
                }
            else:
                groups.add(table)
                base = table
                if table["contingency"].null_count < len(table):
                    base = table.filter(pc.is_null(table["contingency"]))
                    ranking.add(table)
                statistics.add(scenario, base)
                row |= _figures(table, base, limits) | {
                    "fingerprint": metadata.get("fingerprint"),
                    "attempts": metadata.get("attempt"),
                    "duration_secs": metadata.get("duration_secs"),
                }
            rows.append(row)
    return rows


class _RowGroups:
    """Writes results into one file, some in each row group, while others are summed up."""

    def __init__(self, target: Path, size: int) -> None:
        self._size = size
        self._tables: list[pa.Table] = []
        self._written: Future[None] | None = None
        self._writer = pq.ParquetWriter(
            target, RESULT_SCHEMA, compression="zstd", use_dictionary=REPEATING
        )
        self._scribe = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._writer, self._scribe:
            if kind is None:
                self._write()
                self._wait()

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)
        if len(self._tables) >= self._size:
            self._write()

    def _write(self) -> None:
        if self._tables:
            self._wait()  # no more than one at a time: what waits is in memory
            self._written = self._scribe.submit(
                self._writer.write_table, pa.concat_tables(self._tables)
            )
        self._tables = []

    def _wait(self) -> None:
        if self._written is not None:
            self._written.result()


def _read_ahead(
    results: Sequence[tuple[Scenario, Path]],
) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """The results one after the other, a few of them read while others are summed up."""
    with ThreadPoolExecutor(1) as reader:
        coming: deque[Future[tuple[dict[str, Any], pa.Table]]] = deque()
        try:
            for _, path in results:
                coming.append(reader.submit(open_result, path))
                if len(coming) > READ_AHEAD:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()


def _about(scenario: Scenario, path: Path) -> dict[str, Any]:
    return {
        "scenario": scenario.id,
        "solver": scenario.solver,
        "grid": scenario.grid,
        "weight": scenario.weight,
        "tags": ";".join(scenario.tags),
        "description": scenario.description,
        "metadata": json.dumps(scenario.metadata, sort_keys=True) if scenario.metadata else None,
        "result": str(path),
    }


def _figures(table: pa.Table, base: pa.Table, limits: Limits) -> dict[str, Any]:
    """What a result says in one row."""
    kinds = base["element"].combine_chunks()
    system = base.select(["snapshot", *SYSTEM]).filter(pc.equal(kinds, "system"))
    statuses = system["status"].to_pylist()
    loading = base["loading_percent"].to_numpy()
    vm = base["vm_pu"].to_numpy()[pc.equal(kinds, "bus").to_numpy(zero_copy_only=False)]
    low, high = limits.voltage_band_pu
    worst = max(statuses, key=SEVERITY.index)
    return {
        "status": worst,
        "detail": system["detail"][statuses.index(worst)].as_py(),
        "snapshots": len(system),
        "not_converged": statuses.count("not_converged"),
        "infeasible": statuses.count("infeasible"),
        "islanded": statuses.count("islanded"),
        "contingencies": 0 if base is table else _contingencies(table),
        **{
            name: pc.mean(system[name]).as_py()
            for name in ("load_mw", "generation_mw", "loss_mw", "unserved_mw")
        },
        "max_unserved_mw": pc.max(system["unserved_mw"]).as_py(),
        "objective": pc.sum(system["objective"]).as_py(),
        "congestion_rent": pc.sum(system["congestion_rent"]).as_py(),
        **_extreme(system, "max_loading", "percent", "element", highest=True),
        **_extreme(system, "min_vm", "pu", "bus", highest=False),
        **_extreme(system, "max_vm", "pu", "bus", highest=True),
        "loading_violations": int((loading > limits.most_percent).sum()),
        "voltage_violations": int(((vm < low) | (vm > high)).sum()),
        "iterations": pc.max(system["iterations"]).as_py(),
        "engine": ";".join(sorted(pc.unique(system["engine"].drop_null()).to_pylist())),
    }


def _contingencies(table: pa.Table) -> int:
    rows = table.select(["element"]).filter(pc.is_valid(table["contingency"]))
    return int(pc.sum(pc.equal(rows["element"], "system")).as_py() or 0)


def _extreme(
    system: pa.Table, name: str, unit: str, where: str, *, highest: bool
) -> dict[str, Any]:
    """The extreme of a column of the system rows, with its place and its snapshot."""
    column = system[f"{name}_{unit}"]
    value = (pc.max if highest else pc.min)(column)
    names = (f"{name}_{unit}", f"{name}_{where}", f"{name}_snapshot")
    if not value.is_valid:
        return dict.fromkeys(names)
    row = pc.index(column, value).as_py()
    place = system[f"{name}_{where}"][row].as_py()
    return dict(zip(names, (value.as_py(), place, system["snapshot"][row].as_py()), strict=True))
