"""A batch watched from outside: what its files say.

Only files are read, so this works from another terminal or machine, while a batch runs, after
it and when nothing runs.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import ResultError
from ..files.run_lock import is_held
from .batch_record import Tally, job_record
from .journal import JournalReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_SLOW = 5
"""Most slow scenarios that are named."""


@dataclass(frozen=True)
class BatchStatus:
    """How far a batch is.

    Attributes:
        total: scenarios in all.
        completed: scenarios solved, converged or not.
        failed: scenarios that the last run gave up on.
        running: scenarios being solved.
        pending: the others.
        active: whether a run is at work.
        jobs: what ``batch_manifest.json`` says of each scenario.
    """

    total: int
    completed: int
    failed: int
    running: int
    pending: int
    active: bool
    jobs: tuple[dict[str, Any], ...] = field(repr=False)


def batch_status(folder: Path) -> BatchStatus:
    """Return how far a batch is; arguments and errors as for :func:`read_status`."""
    content = read_status(folder)
    names = ("total", "completed", "failed", "running", "pending", "active")
    return BatchStatus(**{name: content[name] for name in names}, jobs=tuple(content["jobs"]))


def read_status(folder: Path) -> dict[str, Any]:
    """Read the state of a batch.

    Args:
        folder: the batch's folder.

    Returns:
        The content of ``batch_manifest.json``, and ``active``: whether a run is at work;
        ``rate``: scenarios per second in this run, or None; ``left_secs``: time left in seconds, or
        None, as where scenarios differ in their contingencies; ``elapsed_secs``: how long this
        run has taken, or the last one; ``quiet_secs``: time since the last news; ``slowest`` and
        ``failures``: ids with durations in ms or errors; ``reasons``: each ``error`` with the
        ``ids`` that failed by it, the most frequent first; ``otherwise``: how many were solved
        with a status other than ok; ``at_work``: ids of scenarios being solved; ``look_at``: what
        is where.

    Raises:
        ResultError: if the folder holds no batch, or its file can't be read.
    """
    file = folder / "batch_manifest.json"
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        jobs = content["jobs"]
    except FileNotFoundError:
        raise ResultError("no batch here: no such file", file=file, hint=_hint(folder)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"can't be read: {error}", file=file) from None
    active = is_held(folder / "logs" / "run.lock")
    if not active and content.get("jobs_left_out"):
        # Not all are listed, so the counts are those of the last moments.
        waiting = content["pending"] + content["running"]
        content |= {"running": 0, "pending": waiting}
    elif not active:
        # What a run was at when it was killed waits for the next one.
        jobs = [
            job | {"state": "pending"} if job["state"] == "running" else job
            for job in _from_journals(folder, jobs, shared=content.get("layout") == "block")
        ]
        tally = Tally(len(jobs))
        for number, job in enumerate(jobs):
            tally.add(number, job)
        content |= {"jobs": jobs, **tally.counted()}
    rate = _rate(content)
    left = content["total"] - content["completed"] - content["failed"]
    started, updated = (
        datetime.fromisoformat(when) for when in (content["run"]["started"], content["updated"])
    )
    now = max(datetime.now(UTC), updated) if active else updated
    slowest = sorted(jobs, key=lambda job: job["duration_ms"] or 0.0, reverse=True)
    return content | {
        "active": active,
        "rate": rate,
        "left_secs": left / rate if active and rate and content.get("alike", True) else None,
        "slowest": [
            {"id": job["id"], "duration_ms": job["duration_ms"]}
            for job in slowest[:MOST_SLOW]
            if job["duration_ms"]
        ],
        "failures": [
            {"id": job["id"], "error": job["error"]} for job in jobs if job["state"] == "failed"
        ],
        "elapsed_secs": (now - started).total_seconds(),
        "quiet_secs": (now - updated).total_seconds(),
        "reasons": _reasons(jobs),
        "otherwise": dict(
            Counter(job["status"] for job in jobs if job["status"] not in (None, "ok"))
        ),
        "at_work": [job["id"] for job in jobs if job["state"] == "running"],
        "look_at": _look_at(folder, jobs),
    }


def _hint(folder: Path) -> str:
    """Return what to do about a folder without a status."""
    if is_held(folder / "logs" / "run.lock"):
        return "a run has just begun: ask again in a moment"
    batches = sorted(file.parent.name for file in folder.glob("*/batch_manifest.json"))
    if batches:
        return f"it holds batches: name one, as {folder / batches[0]}"
    return "name a folder such as runs/batch/NAME"


def _reasons(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return why scenarios failed, the most frequent reason first."""
    ids: dict[str, list[str]] = {}
    for job in jobs:
        if job["state"] == "failed":
            ids.setdefault(str(job["error"]), []).append(job["id"])
    found = [{"error": error, "ids": names} for error, names in ids.items()]
    return sorted(found, key=lambda reason: len(reason["ids"]), reverse=True)


def _look_at(folder: Path, jobs: list[dict[str, Any]]) -> dict[str, str]:
    """Return what to open: what is there of tries that failed, logs and the report."""
    failed = [
        folder / f"job_{job['id']}" / "error.json" for job in jobs if job["state"] == "failed"
    ]
    # Where scenarios share a file, one of a job names them all.
    shared = sorted(folder.glob("job_*/error.json")) if failed else []
    places = {
        "why, in full": next((file for file in (*failed, *shared) if file.is_file()), None),
        "logs": folder / "logs",
        "report": folder / "summary" / "report.html",
    }
    return {what: str(path) for what, path in places.items() if path is not None and path.exists()}


def _from_journals(
    folder: Path, jobs: list[dict[str, Any]], *, shared: bool
) -> list[dict[str, Any]]:
    """Make the records anew from the journals: a killed run couldn't replace the file any more."""
    reader = JournalReader(folder / "logs" / "journal")
    reader.update()
    return [
        job_record(
            job["id"],
            job["solver"],
            reader.last(job["id"]),
            folder / f"job_{job['id']}" / "result.parquet",
            shared=shared,
        )
        for job in jobs
    ]


def _rate(content: dict[str, Any]) -> float | None:
    run = content["run"]
    done = content["completed"] + content["failed"] - run["done_before"]
    started, updated = map(datetime.fromisoformat, (run["started"], content["updated"]))
    seconds = (updated - started).total_seconds()
    return done / seconds if done > 0 and seconds > 0 else None


def watch(folder: Path, interval_secs: float = 0.5) -> Iterator[dict[str, Any]]:
    """Yield the state of a batch again and again, until no run is at work.

    A run that has just begun is waited for.

    Args:
        folder: the batch's folder.
        interval_secs: time between two looks, in seconds.

    Yields:
        As :func:`read_status`.

    Raises:
        ResultError: if the folder holds no batch.
    """
    while is_held(folder / "logs" / "run.lock") and not (folder / "batch_manifest.json").exists():
        time.sleep(interval_secs)
    while True:
        status = read_status(folder)
        yield status
        if not status["active"]:
            return
        time.sleep(interval_secs)
