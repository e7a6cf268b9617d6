"""The plan of a batch: where every file lies, and which scenarios form a shard.

The plan follows from the manifest and the configuration alone, never from the state of the
disk or the number of cores, so that every process of a run arrives at the same one. Snakemake
parses it again in every job of a cluster: nothing here imports pandas or pandapower.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, Any

from ..errors import ManifestError
from ..files.documents import named_file
from ..files.parquet.footer import read_fingerprint, read_fingerprints
from ..grids import GridRef, grid_ref
from ..grids.reference import NAMED
from ..study.analyses import analyses_of
from ..study.batch.scenarios import MOST_MADE, Members
from .batch_files import BatchFiles
from .fingerprints import digest, grid_hash, keep_of, scenario_facts
from .job_needs import workers_per_job
from .shards import Shard, shards_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..scenarios.product import Product
    from ..study.analyses import Analysis
    from ..study.batch.scenarios import Batch
    from ..study.configuration import Config
    from ..study.scenario import Scenario


JOB_RETRIES = 2
"""How often Snakemake restarts a job that died or ran out of memory, each time with more of it."""

MOST_IN_FILES = 20_000
"""Scenarios of a batch up to which each has a result file of its own, if nothing else is said."""


ANALYSIS_WORKERS = 4
"""Parts of an analysis that are done at the same time, as far as there are cores."""


@dataclass(frozen=True)
class Plan(BatchFiles):
    """Files and shards of a batch.

    Attributes:
        batch: the scenarios.
        config: how the batch is run.
        product: the files made of a specification, if the batch comes from one.
        known: fingerprints of shards that are known from an earlier run.
    """

    batch: Batch
    config: Config
    product: Product | None = None
    known: Mapping[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def folder(self) -> Path:
        """The batch's folder, relative to the working directory."""
        return self.config.output_dir / self.config.name

    @cached_property
    def analyses(self) -> tuple[Analysis, ...]:
        """What the configuration asks of the analytics stage."""
        return analyses_of(self.config.analytics)

    def analysis(self, name: str) -> Analysis:
        """Return the analysis of that name."""
        return next(analysis for analysis in self.analyses if analysis.name == name)

    @property
    def analysis_workers(self) -> int:
        """Parts of an analysis that one job does at the same time."""
        return min(ANALYSIS_WORKERS, self.batch.max_jobs or ANALYSIS_WORKERS)

    def analysis_fingerprint(self, analysis: Analysis) -> str:
        """Return a hash of all that an analysis depends on beside the results that it reads."""
        return digest([asdict(analysis), self.summary_fingerprint()])

    def grid(self, scenario: Scenario) -> GridRef:
        """Return the grid of a scenario."""
        return grid_ref(scenario.grid, self.batch.folder)

    def keep(self, scenario: Scenario) -> Any:
        """Return which rows of a scenario's states are kept."""
        return keep_of(scenario, self.config)

    def grid_name(self, scenario: Scenario) -> str:
        """Return the name of a scenario's grid in tables, as the user wrote it."""
        return self._grid_names.get(scenario.grid, scenario.grid)

    @cached_property
    def _grid_names(self) -> dict[str, str]:
        """Names of grids as seen from a specification, whose product lies in another folder."""
        if self.product is None:
            return {}
        folder = os.path.realpath(self.config.manifest.parent)
        grids = {kind.grid for kind in self.batch.outlines.kinds}
        paths = {grid: named_file(self.batch.folder, grid) for grid in grids}
        return {
            grid: os.path.relpath(path, folder)
            for grid, path in paths.items()
            if not (grid.startswith(tuple(NAMED)) or os.path.isabs(grid))  # noqa: PTH117 - it is a text
        }

    def other_summary(self) -> list[Path]:
        """Return the files of the summary that the report compares this one with, if any."""
        if self.config.against is None:
            return []
        names = ("scenarios", "elements", "aggregated_results")
        return [self.config.against / "summary" / f"{name}.parquet" for name in names]

    def connections(self, scenario: Scenario) -> Path:
        """Return the file that the map of a scenario's grid is drawn from; jobs on it write it."""
        return self.folder / "logs" / "wiring" / f"{grid_hash(self.grid(scenario))}.json"

    def approximations(self, scenario: Scenario) -> Path:
        """Return the file that lists what is approximated of a scenario's grid, if anything is."""
        return self.connections(scenario).with_suffix(".approximations.json")

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """The shards, by solver and grid, in the manifest's order within each."""
        return shards_of(self.batch, self.config, in_blocks=self.in_blocks)

    def shard(self, name: str) -> Shard:
        """Return the shard of that name.

        Raises:
            ManifestError: if there is none, as a later run has begun with another manifest.
        """
        for shard in self.shards:
            if shard.name == name:
                return shard
        hint = "start the run again"
        raise ManifestError(f"makes no job {name} any more", file=self.batch.file, hint=hint)

    @cached_property
    def in_blocks(self) -> bool:
        """Whether the scenarios of a shard share a result file."""
        layout = self.batch.layout or self.config.layout
        return layout == "block" or (layout == "auto" and len(self.batch.scenarios) > MOST_IN_FILES)

    def holder(self, scenario_id: str) -> str:
        """Return whose folder a scenario's result lies in: its own, or that of its shard."""
        return self._holders.get(scenario_id, scenario_id) if self.in_blocks else scenario_id

    @cached_property
    def _holders(self) -> dict[str, str]:
        return {name: shard.name for shard in self.shards for name in shard.ids}

    def results(self, shard: Shard | None = None) -> list[Path]:
        """Return the result files of a shard, or of all, each once."""
        shards = self.shards if shard is None else (shard,)
        if self.in_blocks:
            return [self.result(one.ids[0]) for one in shards]
        names = self.batch.outlines.ids if shard is None else shard.ids
        return [self.result(name) for name in names]

    def workers(self, cores: int) -> int:
        """Return how many scenarios one job solves at the same time.

        Args:
            cores: cores of this machine that jobs share; 1 where they run on others.
        """
        most, jobs = self.batch.max_jobs, len(self.shards)
        return workers_per_job(self.config, most=most, jobs=jobs, cores=cores)

    def inputs(self, shard: Shard) -> list[Path]:
        """Return the files of a shard's grid, and of its tables only the one that was changed last.

        Snakemake keeps with each result the names of all inputs of its job; with a table for each
        scenario, these grow with the square of their number. What tables hold is in the
        fingerprints, and if any of them is newer than a result, the newest one is.
        """
        made = set(self.made(shard))
        tables = {*shard.needs.tables} - made
        newest = sorted(tables, key=lambda path: (_changed_at(path), path))[-1:]
        return list(dict.fromkeys([*self.grid(shard.scenarios[0]).files, *newest]))

    def made(self, shard: Shard | None = None) -> list[Path]:
        """Return the files made of a specification: the tables that a shard reads.

        The manifest isn't among them, as jobs read what the run began with.

        Args:
            shard: the shard; all files, the manifest first, if None.
        """
        if self.product is None:
            return []
        if shard is None:
            return [*self.product.outputs]
        read = set(shard.needs.tables)
        return [path for path in self.product.outputs if path in read]

    def fingerprint(self, scenario: Scenario) -> str:
        """Return a hash of all that a scenario's result depends on.

        Returns:
            64 hexadecimal digits. Equal fingerprints mean equal results, whatever machine,
            path or day they come from.

        Raises:
            GatBatchError: if a grid or shared table can't be read.
            OSError: if another table can't be read.
        """
        known = self._fingerprints.get(scenario.id)
        if known is None:
            made = self.product.tables if self.product else {}
            facts = scenario_facts(scenario, self.config, self.grid(scenario), made)
            if len(self._fingerprints) == MOST_MADE:
                self._fingerprints.clear()
            known = self._fingerprints[scenario.id] = digest(facts)
        return known

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        """Fingerprints asked for so far, by scenario: what they cover is read once, too."""
        return {}

    @cached_property
    def _shard_fingerprints(self) -> dict[str, str]:
        return dict(self.known)

    def shard_fingerprint(self, shard: Shard) -> str:
        """Return a hash over the members' fingerprints, by which Snakemake notices any change."""
        if shard.name not in self._shard_fingerprints:
            self._members_fingerprints(shard)
        return self._shard_fingerprints[shard.name]

    def _members_fingerprints(self, shard: Shard) -> dict[str, str]:
        found = {member.id: self.fingerprint(member) for member in shard.scenarios}
        self._shard_fingerprints[shard.name] = digest(found)
        return found

    def summary_fingerprint(self) -> str:
        """Return a hash of what the summary depends on beside results: weights, tags, limits."""
        outlines = self.batch.outlines
        grids = sorted({kind.grid for kind in outlines.kinds})
        limits = [self.config.loading_limit_percent, self.config.voltage_band_pu]
        return digest([outlines.labels, grids, self._grid_names, limits])

    def unsolved(self) -> Members:
        """Return the scenarios that have no right result yet, in the manifest's order."""
        numbers: list[int] = []
        for shard in self.shards:
            if not self.in_blocks:
                found = [not self.is_solved(member) for member in shard.scenarios]
            elif not (there := self.whole_result(shard)):
                found = [True] * len(shard.ids)
            elif len(there) == len(shard.ids) and digest(there) == self.shard_fingerprint(shard):
                continue
            else:
                right = self._members_fingerprints(shard)
                found = [there.get(name) != right[name] for name in shard.ids]
            numbers += compress(shard.numbers, found)
        return Members(self.batch.scenarios, sorted(numbers))

    def whole_result(self, shard: Shard) -> Mapping[str, str]:
        """Return the fingerprints in a shard's shared result; none if others are in it, too."""
        there = read_fingerprints(self.result(shard.ids[0]))
        return there if there.keys() <= set(shard.ids) else {}

    def is_solved(self, scenario: Scenario) -> bool:
        """Return whether there is a whole result with the right fingerprint already."""
        found = self.result_fingerprint(scenario)
        return found is not None and found == self.fingerprint(scenario)

    def result_fingerprint(self, scenario: Scenario) -> str | None:
        """Return the fingerprint of a scenario's result, None if there is no whole one."""
        path = self.result(scenario.id)
        return (
            read_fingerprints(path).get(scenario.id) if self.in_blocks else read_fingerprint(path)
        )


def _changed_at(path: Path) -> float:
    """Return when a file, or a link to it, was last changed, in ns; infinity if it is missing."""
    try:
        return max(path.stat().st_mtime_ns, path.lstat().st_mtime_ns)
    except OSError:
        return math.inf
