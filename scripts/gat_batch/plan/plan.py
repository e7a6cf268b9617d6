"""The plan of a batch: where every file lies, and which scenarios form a shard.

The plan follows from the manifest and the configuration alone, never from the state of the
disk or the number of cores, so that every process of a run arrives at the same one. Snakemake
parses it again in every job of a cluster: nothing here imports pandas or pandapower.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import version
from itertools import groupby
from typing import TYPE_CHECKING

from ..errors import ManifestError, TableError
from ..files.parquet_footer import read_fingerprint
from ..grids import GridRef, grid_ref
from ..study.analyses import analyses_of
from ..study.manifest import OPTIMAL

if TYPE_CHECKING:
    from pathlib import Path

    from ..scenarios.product import Product
    from ..study.analyses import Analysis
    from ..study.configuration import Config
    from ..study.injection_tables import Kind
    from ..study.manifest import Batch, Contingencies, Scenario, Solver

RESULT_FORMAT = 3
"""Raised when the same study would be written differently; old results are then solved again."""

PROGRAM = 2
"""Raised when optimal power flows of the same data get another optimum, likewise."""

MOST_PER_JOB: dict[Solver, int] = {"dc": 1250, "ac": 1250, "dc_opf": 250, "ac_opf": 25}
"""Scenarios a job holds at most: starting Python takes seconds, a light study milliseconds."""

MOST_WITH_CONTINGENCIES = 4
"""Each of them is hundreds of power flows or more."""

FEWEST_JOBS = 8
"""A batch too small to fill this many jobs is still cut into as many, for the sake of cores."""

FEWEST_PER_JOB = 500
"""Fewer light scenarios than this are not worth a job of their own: it takes as long to start."""

JOB_RETRIES = 2
"""How often Snakemake starts a job again that died or lacked memory, each time with more of it."""

ANALYSIS_WORKERS = 4
"""Parts of an analysis that are done at the same time, as far as there are cores."""

EXPECTED_SHARE = 0.1
"""Part of its timeout that a scenario may be expected to take: a limit is no estimate, and clusters
let short jobs start first."""

START_MINUTES = 10
"""Time allowed for a job to start and to read its grid."""


@dataclass(frozen=True)
class Shard:
    """Scenarios that one Snakemake job solves: one grid, one solver.

    Attributes:
        name: name of the job, unique in the batch.
        scenarios: the members, in the manifest's order.
    """

    name: str
    scenarios: tuple[Scenario, ...]

    @property
    def solver(self) -> Solver:
        """The members' solver."""
        return self.scenarios[0].solver


@dataclass(frozen=True)
class Plan:
    """Files and shards of a batch.

    Attributes:
        batch: the scenarios.
        config: how the batch is run.
        product: what the run makes of a specification, if the batch comes from one.
    """

    batch: Batch
    config: Config
    product: Product | None = None

    @cached_property
    def folder(self) -> Path:
        """The batch's folder, relative to the working directory."""
        return self.config.output_dir / self.config.name

    def job_folder(self, scenario_id: str) -> Path:
        """The folder of one scenario."""
        return self.folder / f"job_{scenario_id}"

    def result(self, scenario_id: str) -> Path:
        """The result file of one scenario."""
        return self.job_folder(scenario_id) / "result.parquet"

    def error(self, scenario_id: str) -> Path:
        """The file that says why the last run gave up on a scenario."""
        return self.job_folder(scenario_id) / "error.json"

    def log(self, stage: str) -> Path:
        """The log of a shard or of another stage."""
        return self.folder / "logs" / f"{stage}.log"

    def journal(self, shard: str) -> Path:
        """The record of what happened to a shard's members, one JSON object a line."""
        return self.folder / "logs" / "journal" / f"{shard}.jsonl"

    @property
    def status(self) -> Path:
        """Status and metadata of the batch."""
        return self.folder / "batch_manifest.json"

    @property
    def lock(self) -> Path:
        """Held by the run that is at work on the batch."""
        return self.folder / "logs" / "run.lock"

    @property
    def finished(self) -> Path:
        """Marks a run that ended within the permitted failures."""
        return self.folder / "logs" / "finished"

    def summary(self, name: str) -> Path:
        """A file of the summary."""
        return self.folder / "summary" / name

    @cached_property
    def analyses(self) -> tuple[Analysis, ...]:
        """What the configuration asks of the analytics stage."""
        return analyses_of(self.config.analytics)

    def analysis(self, name: str) -> Analysis:
        """The analysis of that name."""
        return next(analysis for analysis in self.analyses if analysis.name == name)

    def analytics(self, name: str) -> Path:
        """The table of an analysis."""
        return self.summary("analytics") / f"{name}.parquet"

    @property
    def analysis_workers(self) -> int:
        """Parts of an analysis that one job does at the same time."""
        return min(ANALYSIS_WORKERS, self.batch.max_jobs or ANALYSIS_WORKERS)

    def analysis_fingerprint(self, analysis: Analysis) -> str:
        """Hash of what an analysis is asked to do, beside the results that it reads."""
        return _digest([asdict(analysis), self.summary_fingerprint()])

    def grid(self, scenario: Scenario) -> GridRef:
        """The grid of a scenario."""
        return grid_ref(scenario.grid, self.batch.folder)

    def wiring(self, scenario: Scenario) -> Path:
        """What the map of a scenario's grid is drawn from, kept by those who solve on it."""
        return self.folder / "logs" / "wiring" / f"{_grid_hash(self.grid(scenario))}.json"

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """The shards, by solver and grid, in the manifest's order within each."""

        def kind(scenario: Scenario) -> tuple[Solver, str, bool]:
            return scenario.solver, scenario.grid, scenario.contingencies is not None

        groups = groupby(sorted(self.batch.scenarios, key=kind), key=kind)
        pieces = [
            piece
            for (solver, _, contingent), members in groups
            for piece in _cut(tuple(members), self._shard_size(solver, contingent=contingent))
        ]
        return tuple(Shard(f"{piece[0].solver}_{n:04}", piece) for n, piece in enumerate(pieces, 1))

    def shard(self, name: str) -> Shard:
        """The shard of that name.

        Raises:
            ManifestError: if there is none, as another run has begun with another manifest.
        """
        for shard in self.shards:
            if shard.name == name:
                return shard
        hint = "start the run again"
        raise ManifestError(f"makes no job {name} any more", file=self.batch.file, hint=hint)

    def _shard_size(self, solver: Solver, *, contingent: bool) -> int:
        wanted = self.config.scenarios_per_job
        if wanted != "auto":
            return wanted
        if contingent:
            return MOST_WITH_CONTINGENCIES
        spread = -(-len(self.batch.scenarios) // FEWEST_JOBS)
        return min(max(spread, FEWEST_PER_JOB), MOST_PER_JOB[solver])

    @property
    def workers(self) -> int:
        """Scenarios that one job solves at the same time."""
        cap = self.batch.max_jobs
        wanted = self.config.workers_per_job
        return wanted if cap is None else min(wanted, cap)

    def job_minutes(self, shard: Shard, attempt: int = 1) -> int:
        """Time limit of a job in minutes; one that runs into it goes on in the next attempt.

        Args:
            shard: what the job solves.
            attempt: how often the job has been started; each time it gets as much again.
        """
        config = self.config
        waits = config.retry_backoff_max_secs * (config.retry_attempts - 1)
        limits = [member.timeout_secs for member in shard.scenarios]
        worst = max(limits) * config.retry_attempts + waits
        expected = sum(limits) * EXPECTED_SHARE / self.workers
        return START_MINUTES + math.ceil(attempt * (worst + expected) / 60)

    def inputs(self, shard: Shard) -> list[Path]:
        """The grid that a shard reads, and of its tables the one that was changed last.

        Snakemake keeps with each result the names of all inputs of its job: with a table for each
        scenario that grows with the square of their number. What tables hold is in the
        fingerprints; whether any of them is newer than a result, the newest one tells for all.
        """
        made = set(self.made(shard))
        tables = {path for scenario in shard.scenarios for path in scenario.tables} - made
        newest = sorted(tables, key=lambda path: (_changed_at(path), path))[-1:]
        return list(dict.fromkeys([*self.grid(shard.scenarios[0]).files, *newest]))

    def made(self, shard: Shard | None = None) -> list[Path]:
        """Files that the run makes of a specification: the manifest, and tables that a shard reads.

        Args:
            shard: the shard; without one, all files.
        """
        if self.product is None:
            return []
        if shard is None:
            return [*self.product.outputs]
        read = {path for scenario in shard.scenarios for path in scenario.tables}
        return [self.product.manifest, *(path for path in self.product.outputs if path in read)]

    def fingerprint(self, scenario: Scenario) -> str:
        """Hash of all that a scenario's result depends on.

        Returns:
            64 hexadecimal digits. Equal fingerprints mean equal results, whatever machine,
            path or day they come from.

        Raises:
            GatBatchError: if a grid or table can't be read.
        """
        facts = {
            "format": RESULT_FORMAT,
            **({"program": PROGRAM} if scenario.solver in OPTIMAL else {}),
            "versions": solver_versions(scenario.solver),
            "solver": scenario.solver,
            "options": scenario.options,
            "engine": self.config.engine,
            "ladder": self.config.ac_ladder if scenario.solver == "ac" else (),
            "grid": _grid_hash(self.grid(scenario)),
            "loads": self._injections_hash("load", scenario.loads, scenario.load_rows),
            "gens": self._injections_hash("gen", scenario.gens, scenario.gen_rows),
            "costs": _table_hash(scenario.costs),
            "limits": _table_hash(scenario.limits),
            "load_scale": scenario.load_scale,
            "gen_scale": scenario.gen_scale,
            "contingencies": self._contingency_facts(scenario.contingencies),
            "outages": sorted([outage.type, repr(outage.id)] for outage in scenario.outages),
        }
        return _digest(facts)

    def _injections_hash(self, kind: Kind, path: Path | None, rows: str | None) -> str | None:
        """Hash of a table, or of the rows that the scenario has in a shared one."""
        if path is None or rows is None:
            return _table_hash(path)
        made = self.product.tables.get(path) if self.product else None
        digests = _row_hashes(path, kind) if made is None else made
        if rows not in digests:
            raise TableError(f"no row has {rows!r} there", file=path, field="scenario")
        return digests[rows]

    def _contingency_facts(self, asked: Contingencies | None) -> object:
        if asked is None:
            return None
        config = self.config
        kept = [config.contingency_rows, config.loading_limit_percent, config.voltage_band_pu]
        filters = [asked.vn_kv, asked.names, asked.screen]
        return [asked.depth, sorted(asked.types), filters, _table_hash(asked.sets), kept]

    def shard_fingerprint(self, shard: Shard) -> str:
        """Hash over the members' fingerprints, for Snakemake to notice any change."""
        return _digest({member.id: self.fingerprint(member) for member in shard.scenarios})

    def summary_fingerprint(self) -> str:
        """Hash of what the summary says beside the results: weights, tags, limits."""
        facts = [
            [s.id, s.weight, s.tags, s.description, s.metadata, s.grid]
            for s in self.batch.scenarios
        ]
        limits = [self.config.loading_limit_percent, self.config.voltage_band_pu]
        return _digest([facts, limits])

    def unsolved(self) -> list[Scenario]:
        """The scenarios without a right result."""
        return [scenario for scenario in self.batch.scenarios if not self.is_solved(scenario)]

    def is_solved(self, scenario: Scenario) -> bool:
        """Whether a whole result with the right fingerprint is there already."""
        found = read_fingerprint(self.result(scenario.id))
        return found is not None and found == self.fingerprint(scenario)


def _cut(members: tuple[Scenario, ...], size: int) -> list[tuple[Scenario, ...]]:
    """Pieces of even sizes, none larger than asked for."""
    pieces = -(-len(members) // size)
    even = -(-len(members) // pieces)
    return [members[start : start + even] for start in range(0, len(members), even)]


def _digest(facts: object) -> str:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def solver_versions(solver: Solver) -> dict[str, str]:
    """Versions of the packages that a result of a solver depends on."""
    optimisers = {"dc_opf": ("highspy",), "ac_opf": ("casadi",)}
    names = ("pandapower", "lightsim2grid", "numpy", "scipy", *optimisers.get(solver, ()))
    return {name: version(name) for name in names}


def _changed_at(path: Path) -> float:
    """When a file, or a link to it, was changed last; a missing one comes after all others."""
    try:
        return max(path.stat().st_mtime_ns, path.lstat().st_mtime_ns)
    except OSError:
        return math.inf


@cache
def _grid_hash(grid: GridRef) -> str:
    return grid.content_hash()


@cache
def _table_hash(path: Path | None) -> str | None:
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _row_hashes(path: Path, kind: Kind) -> dict[str, str]:
    # Imported late: most plans have no shared tables and do without.
    from ..study.injection_tables import read_shared

    return read_shared(path, kind).digests()
