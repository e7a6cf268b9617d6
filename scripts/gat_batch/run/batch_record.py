"""What the status of a batch says of its scenarios: states, counts, durations."""

from __future__ import annotations

import heapq
import statistics
import time
from array import array
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


MOST_REASONS = 10
"""Reasons for leaving scenarios to pandapower that are told apart."""


class Tally:
    """What the records of all scenarios come to, added one by one and not kept.

    Args:
        total: number of scenarios.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._states: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._durations = array("d")
        self._residuals = array("d")
        self._verified = {"states": 0, "largest_mw": 0.0, "largest_pu": 0.0}
        self._every = 1 if total <= MOST_LISTED else -(-total // (LISTED_OF_MORE // 2))
        self._urgent: list[tuple[tuple[int, float], int, Mapping[str, Any]]] = []
        self._sample: dict[int, Mapping[str, Any]] = {}

    def add(
        self,
        number: int,
        job: Mapping[str, Any],
        verified: Mapping[str, float] | None = None,
        *,
        times: int = 1,
    ) -> None:
        """Add a scenario, or several that went alike.

        Args:
            number: its number in the manifest.
            job: its record, as from :func:`job_record`.
            verified: how many of its states were solved twice, and how far their solutions
                differ at most.
            times: how many there are of its kind.
        """
        state, duration = job["state"], job["duration_ms"]
        self._states[state] += times
        if job["status"]:
            self._statuses[job["status"]] += times
        if state == "completed" and duration is not None:
            self._durations.extend([duration] * times)
        if job["residual"] is not None:
            self._residuals.extend([job["residual"]] * times)
        if job["left_to_pandapower"]:
            self._reasons[job["left_to_pandapower"]["reason"]] += times
        if verified:
            self._verified["states"] += verified["states"] * times
            for name in ("mw", "pu"):
                largest = self._verified[f"largest_{name}"]
                self._verified[f"largest_{name}"] = max(largest, verified[name])
        self.keep(number, job)

    def lists(self, number: int, job: Mapping[str, Any]) -> bool:
        """Return whether a scenario that went like another one would be listed.

        Args:
            number: its number in the manifest.
            job: the record of the other one.
        """
        return number % self._every == 0 or self._is_urgent((_urgency(job), -number))

    def _is_urgent(self, key: tuple[tuple[int, float], int]) -> bool:
        room = len(self._urgent) < LISTED_OF_MORE // 2
        return self._every > 1 and (room or key > self._urgent[0][:2])

    def keep(self, number: int, job: Mapping[str, Any]) -> None:
        """Keep the record of a scenario if it is listed, as far as can be told yet."""
        if number % self._every == 0:
            self._sample[number] = job
        entry = _urgency(job), -number, job
        if self._is_urgent(entry[:2]):
            heapq.heappush(self._urgent, entry)
            if len(self._urgent) > LISTED_OF_MORE // 2:
                heapq.heappop(self._urgent)

    def listed(self) -> list[Mapping[str, Any]]:
        """Return the records that the status lists, in the order of the manifest.

        Of a large batch these are those that failed, are running or didn't end well, then the
        slowest, and an even sample of the others.
        """
        chosen = self._sample | {-minus: job for _, minus, job in self._urgent}
        return [chosen[number] for number in sorted(chosen)]

    def counted(self) -> dict[str, Any]:
        """Return how many scenarios are in which state and have which status, and durations."""
        counts = {state: self._states[state] for state in ("completed", "failed", "running")}
        return {
            "total": self.total,
            **counts,
            "pending": self.total - sum(counts.values()),
            "statuses": self._statuses,
            "duration_ms": _spread(self._durations),
        }

    def verified(self) -> dict[str, float]:
        """Return how many states were solved twice, and how far their solutions differ at most."""
        return self._verified

    def optimality(self) -> dict[str, float]:
        """Return how many optima were proved, and their largest residual."""
        largest = max(self._residuals, default=0.0)
        return {"scenarios": len(self._residuals), "largest_residual": largest}

    def left(self) -> dict[str, Any]:
        """Return how many scenarios were left to plain pandapower, by reason, most frequent first.

        Beyond :data:`MOST_REASONS` reasons the rest is counted together.
        """
        counts = self._reasons.most_common()
        reasons = dict(counts[:MOST_REASONS])
        if len(counts) > MOST_REASONS:
            reasons["others"] = sum(count for _, count in counts[MOST_REASONS:])
        return {"scenarios": self._reasons.total(), "reasons": reasons}


def _urgency(job: Mapping[str, Any]) -> tuple[int, float]:
    """Order those first that failed, are running or didn't end well, then the slowest."""
    ended = 1 if job["converged"] else 2
    rank = {"failed": 4, "running": 3, "completed": ended, "pending": 0}[job["state"]]
    return rank, job["duration_ms"] or 0.0


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


def _spread(values: Sequence[float]) -> dict[str, float] | None:
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
