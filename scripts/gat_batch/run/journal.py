"""What happened to a shard's members, one JSON object per line, appended as it happens.

The shard and its workers append; whoever wants to know the state of the batch reads. A line is
written by one call, so that lines of several writers don't mix, and readers skip a line cut short
by a crash. Results are the truth; the journal adds what they can't say: what is running, what was
tried how often, and what was given up.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Journal:
    """The journal of one shard.

    Attributes:
        path: its file.
    """

    path: Path

    def write(self, event: str, scenario: str, **facts: Any) -> None:
        """Append one event.

        Args:
            event: ``pending``, ``started``, ``retry``, ``solved`` or ``failed``.
            scenario: id of the scenario.
            facts: whatever belongs to the event; plain values.
        """
        self.write_all(event, [scenario], **facts)

    def write_all(
        self, event: str, scenarios: Iterable[str], *, at: float | None = None, **facts: Any
    ) -> None:
        """Append the same event for several scenarios.

        Args:
            event: as for :meth:`write`.
            scenarios: their ids.
            at: when it happened, in seconds since the epoch; now if None. The event that happened
                last counts, whenever it was written.
            facts: whatever belongs to the event; plain values.
        """
        self.write_each(event, dict.fromkeys(scenarios, facts), at=at)

    def write_each(
        self, event: str, facts: Mapping[str, Mapping[str, Any]], *, at: float | None = None
    ) -> None:
        """Append the same event for several scenarios, each with facts of its own.

        Args:
            event: as for :meth:`write`.
            facts: scenario -> whatever belongs to its event; plain values.
            at: as for :meth:`write_all`.
        """
        when = time.time() if at is None else at
        records = [{"event": event, "id": name, "time": when, **own} for name, own in facts.items()]
        text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


@dataclass
class JournalReader:
    """Reads the journals of a folder again and again, each time only what is new.

    Attributes:
        folder: the folder of the journals.
    """

    folder: Path
    _offsets: dict[str, int] = field(default_factory=dict)

    def update(self, last: dict[str, dict[str, Any]]) -> None:
        """Read what is new, and update the last event of each scenario.

        Args:
            last: scenario -> its last event; changed.
        """
        for event in self.news():
            known = last.get(event["id"])
            if known is None or event["time"] >= known["time"]:
                last[event["id"]] = event

    def news(self) -> Iterator[dict[str, Any]]:
        """Yield the events that are new since the last call, in the order of each file."""
        try:
            entries = sorted(os.scandir(self.folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            offset = self._offsets.get(entry.name, 0)
            if not entry.name.endswith(".jsonl") or entry.stat().st_size <= offset:
                continue
            with open(entry.path, "rb") as file:  # noqa: PTH123 - a DirEntry is at hand
                file.seek(offset)
                content = file.read()
            whole = content.rfind(b"\n") + 1
            self._offsets[entry.name] = offset + whole
            for line in content[:whole].splitlines():
                record = _parse(line)
                if record is not None:
                    yield record


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    known = (
        isinstance(record, dict)
        and "event" in record
        and isinstance(record.get("id"), str)
        and isinstance(record.get("time"), int | float)
    )
    return record if known else None
