"""The analytics stage: one analysis cut into parts, done under supervision, kept, put together.

A part is about a few scenarios, one scenario, a grid or the batch. Each is done in a worker that
may hang or die, and written with a fingerprint of all that it depends on, so that the next run
does only what is missing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ResultError, SolverError
from ..files.parquet.footer import read_fingerprint
from ..files.words import numbered
from ..grids import read_grid
from ..results.reader import read_result, result_fingerprint, results_in
from ..run.supervision import RetryPolicy, Task, supervise
from ..study.scenario import BRANCHES
from ..summary.congestion import AT_LIMIT, BRANCH, congestion_shares, congestion_sums
from .comparison import CHANGES, compare_results
from .own_function import call, source_hash
from .part_files import concatenated, read_part, write_part
from .reliability import indices, shortfall

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..plan.plan import Plan
    from ..run.supervision import Failure
    from ..study.analyses import Analysis
    from ..study.scenario import Scenario

CHUNK = 200
"""Most scenarios in a part of an analysis that takes a millisecond for each."""

MOST_NAMED = 10


@dataclass
class Stage:
    """One analysis of a batch.

    Attributes:
        plan: the batch.
        analysis: what to do.
        workers: parts done at the same time.
        memory_mb: memory of the job, which its workers share, in MB.
        log: writes a line into the log.
    """

    plan: Plan
    analysis: Analysis
    workers: int
    memory_mb: float
    log: Callable[[str], None]

    def __post_init__(self) -> None:
        self.parts = self._parts()

    def run(self) -> None:
        """Do what is missing, and write the table.

        Raises:
            ResultError: if parts failed for good, or a file can't be read or written; parts that
                are done stay.
        """
        folder = self.part("any").parent
        table = self.plan.analytics(self.analysis.name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            table.unlink(missing_ok=True)
            failed = self._do([name for name in self.parts if not self._is_done(name)])
            if failed:
                raise self._failure(failed)
            write_part(table, self._together(), {})
        except (OSError, pa.ArrowException) as error:
            raise ResultError(f"analysis {self.analysis.name}: {error}", file=table) from error

    def part(self, name: str) -> Path:
        """Return the file of a part."""
        return self.plan.folder / "analytics" / self.analysis.name / f"{name}.parquet"

    def work(self, name: str) -> int:
        """Do a part, and write its table.

        Returns:
            The number of its rows.
        """
        done = getattr(self, f"_{self.analysis.kind}")(self.parts[name])
        write_part(self.part(name), done, {"fingerprint": self._fingerprint(name)})
        return int(done.num_rows)

    def _do(self, missing: list[str]) -> dict[str, Failure]:
        global _stage  # noqa: PLW0603 - forked workers inherit it; only names cross
        _stage = self
        config = self.plan.config
        policy = RetryPolicy(
            config.retry_attempts, config.retry_backoff_secs, config.retry_backoff_max_secs
        )
        parts = numbered(len(self.parts), "part")
        self.log(f"{parts}, {len(missing)} to do, {self.workers} at a time")

        def note(task: Task, failure: Failure, wait_secs: float | None) -> None:
            then = "given up" if wait_secs is None else f"tried again in {wait_secs:.1f} s"
            self.log(f"{task.name}: {failure.verdict}: {failure.message}; {then}")
            if failure.detail:
                self.log(failure.detail)

        outcomes = supervise(
            [Task(name, self.analysis.timeout_secs) for name in missing],
            _work,
            workers=self.workers,
            policy=policy,
            memory_mb=self.memory_mb / self.workers,
            on_failure=note,
        )
        failed = {one.task.name: one.failures[-1] for one in outcomes if one.failed}
        return {name: failed[name] for name in self.parts if name in failed}

    def _failure(self, failed: dict[str, Failure]) -> ResultError:
        what = self.analysis.function or self.analysis.kind
        named = [f"{name}: {one.message}" for name, one in list(failed.items())[:MOST_NAMED]]
        more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
        return ResultError(
            f"analysis {self.analysis.name} ({what}) failed for {len(failed)} of "
            f"{numbered(len(self.parts), 'part')}: {'; '.join(named)}{more}",
            file=self.plan.analytics(self.analysis.name),
            hint="the other parts are kept; the next run tries these again",
        )

    def _parts(self) -> dict[str, list[Scenario]]:
        """Cut the analysis into parts.

        Returns:
            Name of each part -> the scenarios that it is about.
        """
        plan, analysis = self.plan, self.analysis
        if analysis.kind in ("ptdf", "lodf"):
            first: dict[str, Scenario] = {}
            for scenario in plan.batch.scenarios:
                first.setdefault(scenario.grid, scenario)
            return {f"grid_{n}": [one] for n, one in enumerate(first.values(), 1)}
        scenarios = [
            scenario
            for scenario in plan.batch.scenarios
            if analysis.kind == "compare" or plan.result_fingerprint(scenario)
        ]
        if analysis.kind == "compare":
            known = {scenario.id for scenario in scenarios}
            self._other = results_in(Path(analysis.options["other"]))
            self._elsewhere = sorted(self._other.keys() - known)
        if analysis.kind == "function" and analysis.over == "scenario":
            return {scenario.id: [scenario] for scenario in scenarios}
        size = CHUNK if analysis.kind != "function" else max(len(scenarios), 1)
        return {
            f"{n + 1}_to_{min(n + size, len(scenarios))}": scenarios[n : n + size]
            for n in range(0, len(scenarios), size)
        }

    def _is_done(self, name: str) -> bool:
        return read_fingerprint(self.part(name)) == self._fingerprint(name)

    def _fingerprint(self, name: str) -> str:
        plan, analysis = self.plan, self.analysis
        facts: dict[str, Any] = {
            "kind": analysis.kind,
            "options": dict(analysis.options),
            "function": [analysis.function, source_hash(analysis.function, self._folders)],
            "weights": [[one.id, plan.grid_name(one), one.weight] for one in self.parts[name]],
            "limit": plan.config.loading_limit_percent,
        }
        if analysis.kind in ("ptdf", "lodf"):
            facts["grid"] = plan.grid(self.parts[name][0]).content_hash()
            facts["pandapower"] = version("pandapower")
        else:
            facts["results"] = [plan.result_fingerprint(one) for one in self.parts[name]]
        if analysis.kind == "compare":
            there = [(self._other.get(one.id), one.id) for one in self.parts[name]]
            facts["other"] = [path and result_fingerprint(path, name) for path, name in there]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @property
    def _folders(self) -> tuple[Path, Path]:
        return self.plan.batch.folder, Path.cwd()

    # One method for each kind of analysis: the scenarios of a part in, its table out.

    def _ptdf(self, part: list[Scenario]) -> pa.Table:
        return self._factors(part[0])

    def _lodf(self, part: list[Scenario]) -> pa.Table:
        return self._factors(part[0])

    def _factors(self, scenario: Scenario) -> pa.Table:
        # Imported here as only these analyses need pandapower, which takes seconds.
        from ..model.grid_model import prepare
        from .shift_factors import lodf, ptdf

        made = {"ptdf": ptdf, "lodf": lodf}[self.analysis.kind]
        model = prepare(read_grid(self.plan.grid(scenario)))
        table = made(model, self.analysis.options["least"])
        table.insert(0, "grid", self.plan.grid_name(scenario))
        return pa.Table.from_pandas(table, preserve_index=False)

    def _congestion(self, part: list[Scenario]) -> pa.Table:
        threshold = self.analysis.options["threshold_percent"]
        if threshold is None:
            threshold = AT_LIMIT * self.plan.config.loading_limit_percent
        columns = ["element", "id", "loading_percent"]
        sums = []
        for scenario in part:
            result = read_result(self.plan.result(scenario.id), scenario.id)
            base = result.filter(pc.is_null(result["contingency"]))
            states = pc.sum(pc.equal(base["element"], "system")).as_py()
            asked = pc.is_in(base["element"], value_set=pa.array(BRANCHES))
            rows = base.select(columns).filter(asked).to_pandas().dropna()
            grid = self.plan.grid_name(scenario)
            weight = np.full(len(rows), scenario.weight / states)
            sums.append(congestion_sums(rows, grid, weight, threshold))
        return pa.Table.from_pandas(_summed(sums).reset_index(), preserve_index=False)

    def _reliability(self, part: list[Scenario]) -> pa.Table:
        tolerance = self.analysis.options["tolerance_mw"]
        rows = [
            {
                "scenario": scenario.id,
                "weight": scenario.weight,
                **shortfall(read_result(self.plan.result(scenario.id), scenario.id), tolerance),
            }
            for scenario in part
        ]
        return pa.Table.from_pylist(rows)

    def _compare(self, part: list[Scenario]) -> pa.Table:
        tolerance = self.analysis.options["tolerance"]
        return pa.concat_tables(
            compare_results(one.id, self.plan.result(one.id), self._other.get(one.id), tolerance)
            for one in part
        )

    def _function(self, part: list[Scenario]) -> pa.Table:
        rows = pa.concat_tables(read_result(self.plan.result(one.id), one.id) for one in part)
        analysis = self.analysis
        made = call(analysis.function, self._folders, rows, analysis.options)
        if analysis.over == "scenario" and "scenario" not in made.column_names:
            names = pa.array([part[0].id] * len(made), pa.string())
            made = made.add_column(0, "scenario", names)
        return made

    def _together(self) -> pa.Table:
        parts = [read_part(self.part(name)) for name in self.parts]
        match self.analysis.kind:
            case "congestion" if parts:
                sums = _summed([part.to_pandas().set_index(BRANCH) for part in parts])
                return pa.Table.from_pandas(congestion_shares(sums), preserve_index=False)
            case "reliability" if parts:
                scenarios = pa.concat_tables(parts).to_pandas()
                table = indices(scenarios, self.analysis.options["hours"])
                return pa.Table.from_pandas(table, preserve_index=False)
            case "compare":
                new = [{"scenario": one, "change": "only there"} for one in self._elsewhere]
                return pa.concat_tables([*parts, pa.Table.from_pylist(new, CHANGES)])
        if not parts:
            raise SolverError("no scenario was solved, so there is nothing to analyse")
        return concatenated(dict(zip(self.parts, parts, strict=True)))


_stage: Stage | None = None


def _work(name: str, _attempt: int) -> int:
    assert _stage is not None  # noqa: S101 - set before the workers are forked
    return _stage.work(name)


def _summed(sums: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(sums).groupby(level=BRANCH, sort=False).sum()
