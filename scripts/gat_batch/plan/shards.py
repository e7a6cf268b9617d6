"""Which scenarios one job solves, and how long it may take.

Both follow from the manifest and the configuration alone, never from the number of cores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..study.configuration import Config
    from ..study.scenario import Scenario, Solver

MOST_PER_JOB: dict[Solver, int] = {"dc": 1250, "ac": 1250, "dc_opf": 250, "ac_opf": 25}
"""Most scenarios of a job: starting Python takes seconds, a light study milliseconds."""


MOST_WITH_CONTINGENCIES = 4
"""Most scenarios of a job if they have contingencies: each is hundreds of power flows or more."""


FEWEST_JOBS = 8
"""Jobs that a batch is cut into even if fewer could hold it, so that cores have work."""


FEWEST_PER_JOB = 500
"""Fewer light scenarios than this aren't worth a job of their own, which takes as long to start."""


EXPECTED_SHARE = 0.1
"""Share of its timeout that a scenario is expected to take: a limit is no estimate, and clusters
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


def shards_of(scenarios: Sequence[Scenario], config: Config) -> tuple[Shard, ...]:
    """Form the shards, by solver and grid, in the manifest's order within each.

    Args:
        scenarios: all scenarios of a batch.
        config: how the batch is run.
    """

    def kind(scenario: Scenario) -> tuple[Solver, str, bool]:
        return scenario.solver, scenario.grid, scenario.contingencies is not None

    def size(solver: Solver, *, contingent: bool) -> int:
        wanted = config.scenarios_per_job
        if wanted != "auto":
            return wanted
        if contingent:
            return MOST_WITH_CONTINGENCIES
        spread = -(-len(scenarios) // FEWEST_JOBS)
        return min(max(spread, FEWEST_PER_JOB), MOST_PER_JOB[solver])

    pieces = [
        piece
        for (solver, _, contingent), members in groupby(sorted(scenarios, key=kind), key=kind)
        for piece in _cut(tuple(members), size(solver, contingent=contingent))
    ]
    return tuple(Shard(f"{piece[0].solver}_{n:04}", piece) for n, piece in enumerate(pieces, 1))


def job_minutes(shard: Shard, config: Config, *, workers: int, attempt: int) -> int:
    """Return the time limit of a job in minutes.

    A job that runs into it is continued by the next attempt.

    Args:
        shard: what the job solves.
        config: how the batch is run.
        workers: scenarios that the job solves at the same time.
        attempt: which start of the job it is, from 1; the time to solve grows with it.
    """
    waits = config.retry_backoff_max_secs * (config.retry_attempts - 1)
    limits = [member.timeout_secs for member in shard.scenarios]
    worst = max(limits) * config.retry_attempts + waits
    expected = sum(limits) * EXPECTED_SHARE / workers
    return START_MINUTES + math.ceil(attempt * (worst + expected) / 60)


def _cut(members: tuple[Scenario, ...], size: int) -> list[tuple[Scenario, ...]]:
    """Cut scenarios into pieces of even sizes, none larger than ``size``."""
    pieces = -(-len(members) // size)
    even = -(-len(members) // pieces)
    return [members[start : start + even] for start in range(0, len(members), even)]
