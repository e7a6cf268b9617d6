"""What happened to a shard's members, JSON objects in lines, appended as it happens.

The shard appends, and before it the start of a run; whoever wants to know the state of the batch
reads. A line is written by one call, and readers skip a line cut short by a crash. Results are the
truth; the journal adds what they can't say: what is running, what was tried how often, and what was
given up.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        """Append the same event for several scenarios, each with facts of its own, in one line.

        Args:
            event: as for :meth:`write`.
            facts: scenario -> whatever belongs to its event; plain values, the same keys for all.
            at: as for :meth:`write_all`.
        """
        if not facts:
            return
        record: dict[str, Any] = {"event": event, "time": time.time() if at is None else at}
        if len(facts) == 1:
            [(record["id"], own)] = facts.items()
            record |= own
        else:
            record["ids"] = [*facts]
            columns = {
                key: [own[key] for own in facts.values()] for key in next(iter(facts.values()))
            }
            alike = {key: values[0] for key, values in columns.items() if _all_alike(values)}
            record |= alike
            record["each"] = {key: own for key, own in columns.items() if key not in alike}
        text = json.dumps(record, separators=(",", ":")) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def _all_alike(values: Sequence[Any]) -> bool:
    first = values[0]
    return all(value == first for value in values)


@dataclass
class JournalReader:
    """Reads the journals of a folder again and again, each time only what is new.

    Of a million scenarios it keeps no more than their names and the lines that they are in.

    Attributes:
        folder: the folder of the journals.
    """

    folder: Path
    _offsets: dict[str, int] = field(default_factory=dict)
    _last: dict[str, tuple[dict[str, Any], int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything was read yet."""
        return bool(self._last)

    def last(self, scenario: str) -> dict[str, Any]:
        """Return what was read last of a scenario: the event that happened last; empty if none."""
        line, place = self._last.get(scenario, (None, 0))
        return {} if line is None else _event(line, place)

    def told(self, scenario: str) -> object:
        """Return what was told of a scenario, apart from its name and its iterations.

        Scenarios that are told of in one line compare equal if it says the same of them.

        Returns:
            Something to compare, or None if the line tells of this scenario alone.
        """
        line, place = self._last.get(scenario, ({}, 0))
        if "ids" not in line:
            return None
        own = [values[place] for key, values in line["each"].items() if key != "iterations"]
        return id(line), own

    def update(self) -> None:
        """Read what is new."""
        for line in self._news():
            for place, name in enumerate(_names(line)):
                known = self._last.get(name)
                if known is None or line["time"] >= known[0]["time"]:
                    self._last[name] = line, place

    def _news(self) -> Iterator[dict[str, Any]]:
        """Yield the lines that are new since the last call, in the order of each file."""
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


def events_in(line: bytes) -> list[dict[str, Any]]:
    """Return the events that a line of a journal tells of; none if it was cut short."""
    record = _parse(line)
    return [] if record is None else [_event(record, n) for n in range(len(_names(record)))]


def _names(line: Mapping[str, Any]) -> Sequence[str]:
    return line["ids"] if "ids" in line else (line["id"],)


def _event(line: Mapping[str, Any], place: int) -> dict[str, Any]:
    if "ids" not in line:
        return {**line}
    own = {key: values[place] for key, values in line["each"].items()}
    shared = {key: value for key, value in line.items() if key not in ("ids", "each")}
    return {**shared, **own, "id": line["ids"][place]}


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    known = (
        isinstance(record, dict)
        and "event" in record
        and (isinstance(record.get("id"), str) or {"ids", "each"} <= record.keys())
        and isinstance(record.get("time"), int | float)
    )
    return record if known else None
