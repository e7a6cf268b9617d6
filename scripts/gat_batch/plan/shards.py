"""Which scenarios one job solves.

That follows from the manifest and the configuration alone, never from the number of cores.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ..study.batch.scenarios import Members
from ..study.scenario import OPTIMAL

if TYPE_CHECKING:
    from pathlib import Path

    from ..study.batch.scenarios import Batch
    from ..study.configuration import Config
    from ..study.scenario import Scenario, Solver

MOST_PER_JOB: dict[Solver, int] = {"dc": 1250, "ac": 1250, "dc_opf": 1250, "ac_opf": 250}
"""Most scenarios of a job, which is started again if its machine fails."""


MOST_IN_BLOCKS = 25_000
"""Most scenarios of a job that solves them in blocks, less than half a millisecond each."""


MOST_WITH_CONTINGENCIES = 4
"""Most scenarios of a job if they have contingencies: each is hundreds of power flows or more."""


FEWEST_JOBS = 8
"""Jobs that a batch is cut into even if fewer could hold it, so that cores have work."""


FEWEST_PER_JOB: dict[Solver, int] = {"dc": 500, "ac": 500, "dc_opf": 250, "ac_opf": 25}
"""Fewer scenarios than this aren't worth a job of their own: starting Python takes seconds, a light
study milliseconds."""


@dataclass(frozen=True)
class Shard:
    """Scenarios that one Snakemake job solves: one grid, one solver.

    Attributes:
        name: name of the job, unique in the batch.
        solver: the members' solver.
        ids: the members, in the manifest's order.
        numbers: their numbers there.
        batch: the batch.
    """

    name: str
    solver: Solver
    ids: tuple[str, ...]
    numbers: tuple[int, ...]
    batch: Batch = field(repr=False)

    @cached_property
    def scenarios(self) -> Members:
        """The members."""
        return Members(self.batch.scenarios, self.numbers)

    @cached_property
    def needs(self) -> Needs:
        """What the members need; only those that may name something are gone through."""
        outlines = self.batch.outlines
        kinds = {
            outlines.kinds[code]: count
            for code, count in Counter(outlines.codes[number] for number in self.numbers).items()
        }
        longest = max(kind.timeout_secs for kind in kinds)
        total = sum(kind.timeout_secs * count for kind, count in kinds.items())
        if all(kind.plain for kind in kinds):
            return Needs((), longest, total, elements=self.solver in OPTIMAL)
        tables = dict.fromkeys(path for member in self.scenarios for path in member.tables)
        return Needs(tuple(tables), longest, total, any(map(names_elements, self.scenarios)))


@dataclass(frozen=True)
class Needs:
    """What the members of a shard need.

    Attributes:
        tables: the tables that they name, each once.
        longest_secs: the longest of their timeouts, in seconds.
        total_secs: the sum of these.
        elements: whether any may name what its grid doesn't have.
    """

    tables: tuple[Path, ...]
    longest_secs: float
    total_secs: float
    elements: bool


def names_elements(scenario: Scenario) -> bool:
    """Return whether a scenario may name what its grid doesn't have; scaling all of it can't."""
    named = scenario.tables or scenario.outages or scenario.contingencies or scenario.time_slices
    return bool(named) or scenario.solver in OPTIMAL


def shards_of(batch: Batch, config: Config, *, in_blocks: bool) -> tuple[Shard, ...]:
    """Form the shards, by solver and grid, in the manifest's order within each.

    Args:
        batch: the scenarios.
        config: how the batch is run.
        in_blocks: whether the scenarios of a shard share a result.
    """
    outlines = batch.outlines
    groups = [(kind.solver, kind.grid, kind.contingent) for kind in outlines.kinds]
    by_group: dict[tuple[Solver, str, bool], list[int]] = {group: [] for group in groups}
    for number, code in enumerate(outlines.codes):
        by_group[groups[code]].append(number)

    def size(solver: Solver, *, contingent: bool) -> int:
        wanted = config.scenarios_per_job
        if wanted != "auto":
            return wanted
        if contingent:
            return MOST_WITH_CONTINGENCIES
        spread = -(-len(outlines) // FEWEST_JOBS)
        most = MOST_IN_BLOCKS if in_blocks and solver not in OPTIMAL else MOST_PER_JOB[solver]
        return min(max(spread, FEWEST_PER_JOB[solver]), most)

    pieces = [
        (solver, piece)
        for (solver, _, contingent), numbers in sorted(by_group.items())
        for piece in _cut(tuple(numbers), size(solver, contingent=contingent))
    ]
    return tuple(
        Shard(f"{solver}_{count:04}", solver, tuple(outlines.ids[n] for n in piece), piece, batch)
        for count, (solver, piece) in enumerate(pieces, 1)
    )


def _cut(members: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """Cut numbers into pieces of even sizes, none larger than ``size``."""
    pieces = -(-len(members) // size)
    even = -(-len(members) // pieces)
    return [members[start : start + even] for start in range(0, len(members), even)]
