"""Outages in twos, each made when it is asked for: large grids have millions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, overload

import numpy as np

from .contingency import Contingency, named

if TYPE_CHECKING:
    from ...grids.elements import ElementIndex


class Listed(Sequence[Contingency]):
    """Contingencies that are made when they are asked for."""

    @abstractmethod
    def _made(self, number: int) -> Contingency:
        """Return the contingency of a number, from 0."""

    @overload
    def __getitem__(self, number: int) -> Contingency: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Contingency]: ...
    def __getitem__(self, number: int | slice) -> Contingency | Sequence[Contingency]:
        if isinstance(number, slice):
            return [self._made(n) for n in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._made(number)


class Pairs(Listed):
    """All pairs of some outages.

    Args:
        index: the grid's elements.
        single: the outages.
        category: what the pairs count as.
    """

    def __init__(
        self, index: ElementIndex, single: Sequence[tuple[str, int]], category: str = ""
    ) -> None:
        self._index, self._single, self._category = index, single, category
        partners = np.arange(len(single) - 1, 0, -1)
        self._ends = np.cumsum(partners)

    def shares(self, other: Pairs) -> bool:
        """Tell whether any pair is another list's, too."""
        return len({*self._single} & {*other._single}) > 1

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def _made(self, number: int) -> Contingency:
        first = int(np.searchsorted(self._ends, number, side="right"))
        second = number - int(self._ends[first]) + len(self._single)
        return named(self._index, {self._single[first], self._single[second]}, self._category)


class Sequences(Listed):
    """Some outages, and others after each of them: first each loss alone, then with each other one.

    Args:
        index: the grid's elements.
        first: the outages that happen first.
        then: those that happen after one of them, but for itself.
        category: what they count as.
        adjusted: whether the dispatch is adjusted in between.
    """

    def __init__(
        self,
        index: ElementIndex,
        first: Sequence[tuple[str, int]],
        then: Sequence[tuple[str, int]],
        category: str = "",
        *,
        adjusted: bool = False,
    ) -> None:
        self._index, self._first, self._then = index, first, then
        self._category, self._adjusted = category, adjusted
        place = {outage: number for number, outage in enumerate(then)}
        self._self = [place.get(outage, len(then)) for outage in first]
        self._ends = np.cumsum([1 + len(then) - (own < len(then)) for own in self._self])

    def shares(self, other: Sequences) -> bool:
        """Tell whether any of two losses are another list's, too."""
        first = {*self._first} & {*other._first}
        return bool(first and {*self._then} & {*other._then})

    @property
    def alone(self) -> list[str]:
        """Names of the first losses."""
        return [f"{element}:{self._index.net[element].index[n]}" for element, n in self._first]

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def _made(self, number: int) -> Contingency:
        turn = int(np.searchsorted(self._ends, number, side="right"))
        before = self._first[turn]
        one = named(self._index, (before,), self._category)
        begin = int(self._ends[turn - 1]) if turn else 0
        second = number - begin - 1
        if second < 0:
            return one
        second += second >= self._self[turn]
        two = named(self._index, (self._then[second],), self._category)
        outages = tuple(dict.fromkeys(chain(one.outages, two.outages)))
        held = one.outages if self._adjusted else ()
        return Contingency(f"{one.name}>{two.name}", outages, self._category, held)


class Joined(Listed):
    """Contingencies of several lists; a name that may occur before has its category, too.

    Args:
        parts: the lists.
    """

    def __init__(self, parts: Sequence[Sequence[Contingency]]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        # Names that were taken, and the mark of those of each list that were.
        self._taken: list[set[str]] = [set()]
        self._marks: list[str] = []
        used: set[tuple[str, str]] = set()
        for turn, part in enumerate(parts):
            before = [other for other in parts[:turn] if _may_share_names(other, part)]
            kind = type(part).__name__
            mark = f"@{_category(part)}" if before else ""
            if mark and (kind, mark) in used:
                mark += f".{turn}"
            used.add((kind, mark or f"@{_category(part)}"))
            self._marks.append(mark)
            own = part.alone if isinstance(part, Sequences) else ()
            names = own if isinstance(part, Listed) else (one.name for one in part)
            self._taken.append(self._taken[-1] | set(names))

    @property
    def parts(self) -> Sequence[Sequence[Contingency]]:
        """Its lists."""
        return self._parts

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def _made(self, number: int) -> Contingency:
        turn = int(np.searchsorted(self._ends, number, side="right"))
        part = self._parts[turn]
        one = part[number - (int(self._ends[turn - 1]) if turn else 0)]
        mark = self._marks[turn]
        if not mark and isinstance(part, Listed) and one.name in self._taken[turn]:
            mark = f"@{one.category or turn}"
        return replace(one, name=one.name + mark)


def _category(part: Sequence[Contingency]) -> str:
    return (part[0].category if len(part) else "") or "none"


def _may_share_names(one: Sequence[Contingency], other: Sequence[Contingency]) -> bool:
    """Tell whether two lists that are made when asked for may have contingencies of one name."""
    if isinstance(one, Pairs) and isinstance(other, Pairs):
        return one.shares(other)
    return isinstance(one, Sequences) and isinstance(other, Sequences) and one.shares(other)
