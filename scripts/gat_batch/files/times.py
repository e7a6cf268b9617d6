"""Times of profiles and time series: their names as snapshots, and which are meant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import TableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMATS = ("%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S")


def time_name(value: Any) -> str:
    """Return the name of a snapshot for a time: dates in ISO form and UTC, others as they are."""
    if isinstance(value, datetime):
        return _iso(value)
    text = str(value).strip()
    for form in FORMATS:
        try:
            return _iso(datetime.strptime(text, form))
        except ValueError:
            continue
    try:
        return _iso(datetime.fromisoformat(text)) if not text.isdecimal() else text
    except ValueError:
        return text


def _iso(moment: datetime) -> str:
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds")


def chosen_times(asked: Any, times: Sequence[str], file: Path | str) -> list[int]:
    """Return which times are meant.

    Args:
        asked: ``all``, a list of times, or a mapping with any of ``first``, ``last`` and ``every``.
        times: all times by name, in order.
        file: where they come from, for messages.

    Returns:
        Positions in ``times``, at least one.

    Raises:
        TableError: if there is no such time, or the last one comes before the first.
    """
    if asked == "all":
        return list(range(len(times)))
    position = {time: number for number, time in enumerate(times)}

    def found(value: Any) -> int:
        name = time_name(value)
        if name not in position:
            hint = f"it goes from {times[0]} to {times[-1]}"
            raise TableError(f"has no time {name}", file=file, field="time", hint=hint)
        return position[name]

    if not isinstance(asked, dict):
        positions = [found(time) for time in asked]
        for number, one in enumerate(positions):
            if one in positions[:number]:
                raise TableError(f"time {times[one]} is asked twice", file=file, field="time")
        return positions
    first = found(asked["first"]) if "first" in asked else 0
    last = found(asked["last"]) if "last" in asked else len(times) - 1
    if first > last:
        what = f"time_slices go from {times[first]} back to {times[last]}"
        raise TableError(what, file=file, hint="first comes before last")
    return list(range(first, last + 1, asked.get("every", 1)))
