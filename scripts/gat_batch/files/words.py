"""Words for messages: what somebody may have meant, and values as they were written."""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LONGEST_SHOWN = 60
"""Most characters of a value that a message shows."""

MOST_OFFERED = 3
"""Most words that a hint offers."""

MOST_KNOWN = 40
"""Most words that a hint lists where none is near."""

ALIKE, SIMILAR, TIE = 0.85, 0.6, 0.1
"""Similarity of a word that is most likely meant, of one that may be, and a difference of ties."""

FEWEST_LETTERS = 2
"""Fewest letters by which the beginning of a word is known."""


def nearest(word: str, known: Mapping[str, Any] | list[str]) -> str:
    """Return a hint that names the known words nearest to an unknown one, or what is known."""
    if hint := meant(word, known):
        return hint
    more = len(known) - MOST_KNOWN
    listed = ", ".join(islice(known, MOST_KNOWN))
    return f"known are {listed} and {more} more" if more > 0 else f"known are {listed}"


def meant(word: str, known: Collection[str]) -> str:
    """Return a hint that names the known words nearest to an unknown one; empty if none is near."""
    close = [repr(name) for name in closest(word, known)]
    if not close:
        return ""
    return f"did you mean {' or '.join(close)}?"


def closest(word: str, known: Collection[str]) -> list[str]:
    """Return the known words that are nearest to an unknown one, whatever their case.

    One that is nearly the same comes before those that begin alike (``case24`` and
    ``case24_ieee_rts``), and these before those that are merely similar, of which all that are as
    similar are named.
    """
    asked = word.casefold()
    matcher = SequenceMatcher(b=asked)
    found: list[tuple[float, str]] = []
    for name in known:
        matcher.set_seq1(name.casefold())
        if matcher.real_quick_ratio() >= SIMILAR and matcher.quick_ratio() >= SIMILAR:
            found.append((matcher.ratio(), name))
    best = max((ratio for ratio, _ in found), default=0.0)
    if best >= ALIKE:
        return [name for ratio, name in found if ratio == best][:MOST_OFFERED]
    begun = [name for name in known if len(asked) > FEWEST_LETTERS and _begins(name, asked)]
    shorter = [name for name in known if len(name) >= FEWEST_LETTERS and _begins(asked, name)]
    if begun or shorter:
        return sorted(begun)[:MOST_OFFERED] or [max(shorter, key=len)]
    near = [(ratio, name) for ratio, name in found if ratio >= max(SIMILAR, best - TIE)]
    return [name for _, name in sorted(near, key=lambda pair: -pair[0])[:MOST_OFFERED]]


def _begins(word: str, beginning: str) -> bool:
    return word.casefold().startswith(beginning.casefold())


def first_of(names: list[str], noun: str) -> str:
    """Return the first of some names, and how many more there are."""
    more = len(names) - 1
    return f"{names[0]} and {numbered(more, f'more {noun}')}" if more else names[0]


def numbered(count: int, noun: str) -> str:
    """Return a number with its noun, as ``1 scenario`` or ``2 scenarios``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shown(value: Any) -> str:
    """Return a value of a document as JSON, cut short if it is long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
