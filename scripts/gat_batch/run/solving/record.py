"""What is said of a solved scenario: in its result's metadata, and to the shard."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ...model.solution import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base_cases import Summed


@dataclass(frozen=True)
class Solved:
    """What the shard needs to know of a solved scenario.

    Attributes:
        attempt: number of the attempt that solved it.
        status: the worst status of its snapshots.
        iterations: most iterations of any snapshot, or None.
        duration_secs: time for reading tables, solving and writing, in seconds.
        verified: largest deviations from pandapower, the fields of :class:`Deviation`.
        residual: largest relative residual of the conditions of an optimum, or None.
        left: what was left to pandapower: ``states``, and the ``reason`` of the first one; or None.
        reports: lines for the log on how states and contingencies that hung, died or failed ended.
    """

    attempt: int
    status: str
    iterations: int | None
    duration_secs: float
    verified: dict[str, float]
    residual: float | None
    left: dict[str, Any] | None
    reports: list[str]


def found_of(summed: Summed, duration_secs: float) -> dict[str, Any]:
    """Return what a result's metadata say of its states.

    Args:
        summed: what is remembered of the states.
        duration_secs: time that they took, in seconds.
    """
    return {
        "verified": {**vars(summed.deviation)},
        "status": SEVERITY[summed.worst],
        "iterations": summed.iterations,
        "residual": summed.residual,
        "left": summed.left,
        "duration_secs": duration_secs,
    }


def solved_of(metadata: Mapping[str, Any], summed: Summed) -> Solved:
    """Return the record of a scenario by its result's metadata, complete with lines for the log."""
    facts = {one.name: metadata[one.name] for one in fields(Solved) if one.name != "reports"}
    return Solved(**facts, reports=list(summed.reports))
