"""PSS/E's contingency description files (``.con``) and subsystem files (``.sub``), as written.

Known are named contingencies that open branches, disconnect buses, remove machines and loads, and
the automatic sets of one or two branches, ties, machines or buses of a subsystem. Anything else is
named with its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORD = re.compile(r"'[^']*'|\S+")

OPENING = ("OPEN", "TRIP", "DISCONNECT", "REMOVE")

UNITS = {"MACHINE": "machine", "UNIT": "machine", "LOAD": "load"}

AUTOMATIC = {
    "BRANCH": "branch", "LINE": "branch", "TIE": "tie", "MACHINE": "machine", "UNIT": "machine",
    "BUS": "bus",
}  # fmt: skip

RANGES = {
    "BUS": (1, "bus"), "BUSES": (2, "bus"), "AREA": (1, "area"), "AREAS": (2, "area"),
    "ZONE": (1, "zone"), "ZONES": (2, "zone"), "KV": (1, "kv"), "KVRANGE": (2, "kv"),
}  # fmt: skip
"""Word of a subsystem -> how many values it has, two are a range; and what they are of."""


@dataclass(frozen=True)
class Opened:
    """An element that a contingency takes out.

    Attributes:
        kind: ``branch``, ``bus``, ``machine`` or ``load``.
        buses: the buses that it is at.
        id: its circuit or identifier, or None.
        line: line of the file, from 1.
    """

    kind: str
    buses: tuple[str, ...]
    id: str | None
    line: int


@dataclass(frozen=True)
class Labelled:
    """A contingency that the file names.

    Attributes:
        label: its name.
        opened: what it takes out.
    """

    label: str
    opened: list[Opened]


@dataclass(frozen=True)
class Automatic:
    """Contingencies made of a subsystem's elements.

    Attributes:
        count: elements that fail together, 1 or 2.
        kind: ``branch``, ``tie``, ``machine`` or ``bus``.
        subsystem: name of the subsystem.
        line: line of the file, from 1.
    """

    count: int
    kind: str
    subsystem: str
    line: int


@dataclass(frozen=True)
class Condition:
    """What makes buses belong to a subsystem.

    Attributes:
        column: ``bus``, ``area``, ``zone`` or ``kv``.
        low, high: the values from one to the other.
    """

    column: str
    low: float
    high: float


Subsystem = list[list[Condition]]
"""Groups of conditions: a bus belongs to it that meets all of a group."""


def is_con(path: Path) -> bool:
    """Tell whether a file of outage sets is one of PSS/E."""
    return path.suffix.lower() == ".con"


def subsystem_file(path: Path) -> Path | None:
    """Return the subsystem file of a contingency file, if it is one: the same name, ``.sub``."""
    if not is_con(path):
        return None
    for suffix in (".sub", ".SUB"):
        if path.with_suffix(suffix).is_file():
            return path.with_suffix(suffix)
    return None


def read_con(path: Path) -> list[Labelled | Automatic]:
    """Read a contingency file.

    Args:
        path: the file.

    Returns:
        The named contingencies and the automatic sets, in their order.

    Raises:
        TableError: if it can't be read, or at the first statement that isn't known.
    """
    found: list[Labelled | Automatic] = []
    opened: list[Opened] | None = None
    label = ""
    for number, words in _statements(path):
        first = words[0].upper()
        if first == "CONTINGENCY":
            if opened is not None:
                raise _fault(path, number, words, "the contingency before has no END")
            opened, label = [], _plain(" ".join(words[1:]))
        elif first == "END":
            if opened == []:
                raise _fault(path, number, words, "the contingency takes nothing out")
            if opened is not None:
                found.append(Labelled(label, opened))
            opened = None
        elif opened is not None:
            opened.append(_opened(path, number, words))
        else:
            found.append(_automatic(path, number, words))
    if opened is not None:
        raise TableError("the last contingency has no END", file=path)
    return found


def read_sub(path: Path) -> dict[str, Subsystem]:
    """Read a subsystem file.

    Args:
        path: the file.

    Returns:
        Name of each subsystem, in capitals -> what makes buses belong to it.

    Raises:
        TableError: if it can't be read, or at the first statement that isn't known.
    """
    found: dict[str, Subsystem] = {}
    current: Subsystem | None = None
    joined: list[Condition] | None = None
    for number, words in _statements(path):
        first = words[0].upper()
        if first in ("SUBSYSTEM", "SYSTEM") and current is None and len(words) > 1:
            current = found.setdefault(_plain(words[1]).upper(), [])
        elif first == "JOIN" and current is not None:
            joined = []
        elif first == "END":
            if joined is not None and current is not None:
                current.append(joined)
                joined = None
            else:
                current = None
        elif current is not None and first in RANGES and len(words) - 1 == RANGES[first][0]:
            condition = _condition(path, number, words)
            if joined is not None:
                joined.append(condition)
            else:
                current.append([condition])
        else:
            raise _fault(path, number, words, "it isn't known here")
    if current is not None:
        raise TableError("the last subsystem has no END", file=path)
    return found


def _statements(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and words of each statement; what follows a slash is a comment."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise TableError(f"can't be read: {error.strerror}", file=path) from None
    for number, line in enumerate(text.splitlines(), 1):
        words = WORD.findall(re.sub(r"^((?:[^'/]|'[^']*')*)/.*$", r"\1", line))
        if words:
            yield number, words


def _opened(path: Path, number: int, words: list[str]) -> Opened:
    """Return what a statement within a contingency takes out."""
    upper = [word.upper() for word in words]
    buses = tuple(_plain(words[n + 1]) for n in range(len(words) - 1) if upper[n] == "BUS")
    if upper[0] not in OPENING or not buses:
        raise _fault(path, number, words, "it isn't known here")
    named = {word: _plain(words[n + 1]) for n, word in enumerate(upper[:-1])}
    unit = next((word for word in UNITS if word in named and word == upper[1]), None)
    if unit is not None:
        return Opened(UNITS[unit], buses, named[unit], number)
    if len(buses) == 1 and upper[1] == "BUS":
        return Opened("bus", buses, None, number)
    if len(buses) in (2, 3):
        circuit = named.get("CIRCUIT", named.get("CKT"))
        return Opened("branch", buses, circuit, number)
    raise _fault(path, number, words, "it isn't known here")


def _automatic(path: Path, number: int, words: list[str]) -> Automatic:
    upper = [word.upper() for word in words]
    counts = {"SINGLE": 1, "DOUBLE": 2}
    place = next((n for n, word in enumerate(upper) if word in ("SUBSYSTEM", "SYSTEM")), None)
    known = len(words) > 2 and upper[0] in counts and upper[1] in AUTOMATIC
    if not known or place is None or place + 1 >= len(words):
        raise _fault(path, number, words, "it isn't known here")
    return Automatic(
        counts[upper[0]], AUTOMATIC[upper[1]], _plain(words[place + 1]).upper(), number
    )


def _condition(path: Path, number: int, words: list[str]) -> Condition:
    try:
        values = [float(word) for word in words[1:]]
    except ValueError:
        raise _fault(path, number, words, "a number is needed") from None
    return Condition(RANGES[words[0].upper()][1], values[0], values[-1])


def _plain(word: str) -> str:
    return word.strip("'").strip()


def _fault(path: Path, number: int, words: list[str], why: str) -> TableError:
    return TableError(f"line {number}: {' '.join(words)[:60]!r}: {why}", file=path)
