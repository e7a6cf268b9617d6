"""What a job asks for: workers, memory and time. No result depends on any of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .shards import MOST_PER_JOB

if TYPE_CHECKING:
    from ..study.configuration import Config
    from .shards import Shard

EXPECTED_SHARE = 0.1
"""Share of its timeout that a scenario is expected to take: a limit is no estimate, and clusters
let short jobs start first."""


START_MINUTES = 10
"""Time allowed for a job to start and to read its grid."""


MOST_WORKERS = 8
"""Most workers of a job that doesn't say how many: one process writes what they solve."""


def workers_per_job(config: Config, *, most: int | None, jobs: int, cores: int) -> int:
    """Return how many scenarios a job solves at the same time.

    Args:
        config: how the batch is run.
        most: most scenarios of the batch that are solved at the same time, or None.
        jobs: jobs of the batch.
        cores: cores of this machine that these share; 1 where they run on others.
    """
    asked = config.workers_per_job
    wanted = min(max(1, cores // jobs), MOST_WORKERS) if asked == "auto" else asked
    return wanted if most is None else min(wanted, most)


def job_memory_mb(config: Config, *, workers: int, attempt: int) -> int:
    """Return the memory of a job in MB.

    Args:
        config: how the batch is run. Each worker that ``auto`` gives a job has ``mem_mb``; those
            that the configuration asks for share it.
        workers: scenarios that the job solves at the same time.
        attempt: which start of the job it is, from 1.
    """
    times = workers if config.workers_per_job == "auto" else 1
    return config.mem_mb * times * attempt


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
    worst = shard.needs.longest_secs * config.retry_attempts + waits
    # More than an ordinary job has are only put into one if each takes next to no time.
    ordinary = min(1.0, MOST_PER_JOB[shard.solver] / len(shard.ids))
    expected = shard.needs.total_secs * ordinary * EXPECTED_SHARE / workers
    return START_MINUTES + math.ceil(attempt * (worst + expected) / 60)
