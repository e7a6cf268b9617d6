"""What the status of a batch says of its scenarios: states, counts, durations."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .supervision import Failure


MOST_LISTED = 20_000
"""Scenarios of a batch up to which its status lists each."""

LISTED_OF_MORE = 1000
"""Scenarios of a larger batch that are listed."""


def listed(jobs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the records that the status lists.

    Of a large batch these are those that failed, are running or didn't end well, then the slowest,
    and an even sample of the others.

    Args:
        jobs: the records of all scenarios, in the order of the manifest.
    """
    if len(jobs) <= MOST_LISTED:
        return [*jobs]

    def urgency(number: int) -> tuple[int, float]:
        job = jobs[number]
        ended = 3 if job["converged"] else 2
        rank = {"failed": 0, "running": 1, "completed": ended, "pending": 4}[job["state"]]
        return rank, -(job["duration_ms"] or 0.0)

    chosen = sorted(range(len(jobs)), key=urgency)[: LISTED_OF_MORE // 2]
    every = -(-len(jobs) // (LISTED_OF_MORE - len(chosen)))
    return [jobs[number] for number in sorted({*chosen, *range(0, len(jobs), every)})]


def counted(jobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Count the records of scenarios by state, and sum up their durations.

    Args:
        jobs: the records, as from :func:`job_record`.
    """
    states = [job["state"] for job in jobs]
    counts = {state: states.count(state) for state in ("completed", "failed", "running")}
    durations = [job["duration_ms"] for job in jobs if job["state"] == "completed"]
    return {
        "total": len(states),
        **counts,
        "pending": len(states) - sum(counts.values()),
        "statuses": Counter(job["status"] for job in jobs if job["status"]),
        "duration_ms": _spread([value for value in durations if value is not None]),
    }


def job_record(
    scenario_id: str, solver: str, event: Mapping[str, Any], result: Path, *, shared: bool
) -> dict[str, Any]:
    """Return the record of one scenario in the status.

    Args:
        scenario_id: the scenario.
        solver: its solver.
        event: what the journals last said of it; empty if nothing.
        result: the file that its result is in.
        shared: whether that has the results of others, too: while a job is at work it isn't there
            yet, and what the journal says of a scenario counts.
    """
    state = _state(event, None if shared else result)
    solved = state == "completed" and event.get("event") == "solved"
    status = event.get("status") if solved else None
    return {
        "id": scenario_id,
        "state": state,
        "solver": solver,
        "status": status,
        "converged": status in ("ok", "islanded") if status else None,
        "attempts": event.get("attempt"),
        "duration_ms": _milliseconds(event.get("duration_secs")) if solved else None,
        "iterations": event.get("iterations") if solved else None,
        "residual": event.get("residual") if solved else None,
        "left_to_pandapower": event.get("left") if solved else None,
        "error": event.get("error") if state == "failed" else None,
        "output": str(result) if state == "completed" else None,
    }


def failure_record(
    scenario_id: str, verdict: str, message: str, failures: Sequence[Failure]
) -> dict[str, Any]:
    """Return what ``error.json`` says of a scenario that failed for good.

    Args:
        scenario_id: the scenario.
        verdict: what kind of failure it was in the end.
        message: one line for people.
        failures: the attempts at it.
    """
    return {
        "scenario": scenario_id,
        "verdict": verdict,
        "error": message,
        "attempts": max(len(failures), 1),
        "tries": [
            {
                "started": datetime.fromtimestamp(failure.started, UTC).isoformat(),
                "duration_secs": round(failure.duration_secs, 3),
                "verdict": failure.verdict,
                "error": failure.message,
            }
            for failure in failures
        ],
    }


def _state(event: Mapping[str, Any], result: Path | None) -> str:
    match event.get("event"):
        case "failed":
            return "failed"
        case "solved" if result is None or result.exists():
            return "completed"
        case "started" | "retry" if result is not None and _is_newer(result, event["time"]):
            # Whoever placed it was killed before the shard could write that down.
            return "completed"
        case "started" | "retry" if time.time() < event.get("until", 0):
            return "running"
        case None if result is not None and result.exists():
            return "completed"
    return "pending"


def _is_newer(path: Path, seconds: float) -> bool:
    try:
        return path.stat().st_mtime >= seconds
    except FileNotFoundError:
        return False


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    ordered = sorted(values)
    return {
        "min": ordered[0],
        "mean": statistics.fmean(ordered),
        "median": statistics.median(ordered),
        "p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
        "max": ordered[-1],
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def progress_line(content: dict[str, Any], rate: float | None) -> str:
    """Return a line that says how far a batch is.

    Args:
        content: the status, as from ``StatusBoard.update``.
        rate: scenarios per second in this run, or None if not known yet.

    Returns:
        The line, without a line end.
    """
    done = content["completed"] + content["failed"]
    parts = [f"{done} of {content['total']} scenarios done"]
    if content["failed"]:
        parts.append(f"{content['failed']} failed")
    if rate:
        left = content["total"] - done
        parts.append(f"{rate:.3g}/s")
        if content["alike"]:
            parts.append(f"about {span(left / rate)} left")
    return f"gat-batch: {', '.join(parts)}"


def span(seconds: float) -> str:
    """Return a time span as text: hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
