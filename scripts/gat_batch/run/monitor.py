"""A batch watched from outside: what its files say, and how that looks on a screen.

Only files are read, so this works from another terminal or machine, while a batch runs, after
it and when nothing runs.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..errors import ResultError
from ..files.run_lock import is_held
from .batch_record import counted, job_record, span
from .journal import JournalReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType

MOST_SHOWN = 5
"""Most failures, and most slow scenarios, that the screen shows."""


def read_status(folder: Path) -> dict[str, Any]:
    """Read the state of a batch.

    Args:
        folder: the batch's folder.

    Returns:
        The content of ``batch_manifest.json``, and ``active``: whether a run is at work;
        ``rate``: scenarios per second in this run, or None; ``left_secs``: time left in seconds, or
        None, as where scenarios differ in their contingencies; ``slowest`` and ``failures``: ids
        with durations in ms or errors.

    Raises:
        ResultError: if the folder holds no batch, or its file can't be read.
    """
    file = folder / "batch_manifest.json"
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        jobs = content["jobs"]
    except FileNotFoundError:
        hint = "name a folder such as runs/batch/NAME"
        raise ResultError("no batch here: no such file", file=file, hint=hint) from None
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
        content |= {"jobs": jobs, **counted(jobs)}
    rate = _rate(content)
    left = content["total"] - content["completed"] - content["failed"]
    slowest = sorted(jobs, key=lambda job: job["duration_ms"] or 0.0, reverse=True)
    return content | {
        "active": active,
        "rate": rate,
        "left_secs": left / rate if active and rate and content.get("alike", True) else None,
        "slowest": [
            {"id": job["id"], "duration_ms": job["duration_ms"]}
            for job in slowest[:MOST_SHOWN]
            if job["duration_ms"]
        ],
        "failures": [
            {"id": job["id"], "error": job["error"]} for job in jobs if job["state"] == "failed"
        ],
    }


def _from_journals(
    folder: Path, jobs: list[dict[str, Any]], *, shared: bool
) -> list[dict[str, Any]]:
    """Make the records anew from the journals: a killed run couldn't replace the file any more."""
    last: dict[str, dict[str, Any]] = {}
    JournalReader(folder / "logs" / "journal").update(last)
    return [
        job_record(
            job["id"],
            job["solver"],
            last.get(job["id"], {}),
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


def screen(status: dict[str, Any]) -> RenderableType:
    """Lay out the state of a batch on one screen.

    Args:
        status: as from :func:`read_status`.
    """
    done = status["completed"] + status["failed"]
    title = Text.assemble((status["name"], "bold"), f": {done} of {status['total']} scenarios done")
    counts = [f"{status['completed']} solved"]
    counts += [f"{status[key]} {key}" for key in ("failed", "running", "pending") if status[key]]
    pace = []
    if status["rate"] and status["active"]:
        pace.append(f"{status['rate']:.3g} scenarios/s")
    if status["left_secs"] is not None:
        pace.append(f"about {span(status['left_secs'])} left")
    pace.append("a run is at work" if status["active"] else "no run is at work")
    bar = Table.grid()
    bar.add_row(ProgressBar(total=max(status["total"], 1), completed=done, width=60))
    lines: list[RenderableType] = [
        title,
        bar,
        Text(", ".join(counts)),
        Text("; ".join(pace), style="dim"),
    ]
    if status["slowest"]:
        table = Table.grid(padding=(0, 2))
        for job in status["slowest"]:
            table.add_row(Text(job["id"]), f"{job['duration_ms'] / 1000:.3f} s")
        lines += [Text("slowest", style="bold"), table]
    if status["failures"]:
        table = Table.grid(padding=(0, 2))
        for job in status["failures"][-MOST_SHOWN:]:
            table.add_row(Text(job["id"]), Text(str(job["error"])))
        lines += [Text(f"failed ({status['failed']})", style="bold red"), table]
    return Group(*lines)


def watch(folder: Path, interval_secs: float = 0.5) -> Iterator[dict[str, Any]]:
    """Yield the state of a batch again and again, until no run is at work.

    Args:
        folder: the batch's folder.
        interval_secs: time between two looks, in seconds.

    Yields:
        As :func:`read_status`.

    Raises:
        ResultError: if the folder holds no batch.
    """
    while True:
        status = read_status(folder)
        yield status
        if not status["active"]:
            return
        time.sleep(interval_secs)
