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
    """Contingencies of several lists; a name that occurs again has its category, too.

    Args:
        parts: the lists; the first one is a tuple.
    """

    def __init__(self, parts: Sequence[Sequence[Contingency]]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self._taken: list[set[str]] = [set()]
        for part in parts[:-1]:
            own = part.alone if isinstance(part, Sequences) else {}
            names = own if isinstance(part, Listed) else {one.name for one in part}
            self._taken.append(self._taken[-1] | set(names))

    @property
    def parts(self) -> list[Listed]:
        """Those of its lists that are made when they are asked for."""
        return [part for part in self._parts if isinstance(part, Listed)]

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def _made(self, number: int) -> Contingency:
        turn = int(np.searchsorted(self._ends, number, side="right"))
        one = self._parts[turn][number - (int(self._ends[turn - 1]) if turn else 0)]
        if one.name not in self._taken[turn]:
            return one
        return replace(one, name=f"{one.name}@{one.category or turn}")
