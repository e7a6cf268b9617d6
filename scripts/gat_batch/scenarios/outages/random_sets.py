"""Sets of outages drawn at random, others for each draw.

As with all random numbers those of a set have an address: the seed, the draw, and its number among
the sets of the draw. More draws or more sets of each change none of those there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import SpecificationError
from ..sampling import generator
from .outage_sets import Supply, single_outages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..selection import Elements
    from .outage_sets import OutageSet

NAME = "each_outage"
"""What the random numbers of sets are told apart by from those of quantities."""

NONE = "none"
"""Name of the set without outages."""

TRIES = 1000
"""Sets that are drawn for each that is wanted, before there are too few."""


@dataclass
class RandomSets:
    """Draws sets of outages.

    Attributes:
        elements: the grid's elements.
        entry: the keys of an ``each_outage`` that has a ``count``.
        seed: start of all random numbers.
        own: what is out of service anyway.
    """

    elements: Elements
    entry: Mapping[str, Any]
    seed: int
    own: OutageSet
    _single: list[tuple[str, int]] = field(init=False)
    _supply: Supply | None = field(init=False)
    _lost: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        taken = set(self.own)
        self._single = [
            one for one in single_outages(self.elements, self.entry) if one not in taken
        ]
        self._supply = Supply(self.elements) if self.entry.get("connected") else None
        if self._supply is not None:
            self._lost = self._supply.buses_lost(self.own)

    def of_draw(self, draw: int) -> list[tuple[str, OutageSet]]:
        """Return the names and the outages of the sets of a draw, given by its number from 0.

        Raises:
            SpecificationError: if there aren't as many as are wanted.
        """
        count = int(self.entry["count"])
        if self._different() < count:
            raise _too_few(f"only {self._different()} different sets of outages", count)
        found: dict[str, OutageSet] = {}
        for outages in self._drawn(draw, count * TRIES):
            names = [f"{kind}-{self.elements.ids(kind)[at]}" for kind, at in outages]
            name = "+".join(names) or NONE
            if name not in found and self._keeps_connected(outages):
                found[name] = outages
                if len(found) == count:
                    return [*found.items()]
        whole = " that leave all buses supplied" if self._supply is not None else ""
        what = f"only {len(found)} different sets of outages{whole} were found for a draw"
        raise _too_few(what, count)

    def _different(self) -> int:
        """Return how many sets of the sizes wanted there are, connected or not."""
        sizes = self.entry.get("sizes", ())
        wanted = [size for size, weight in enumerate(sizes) if weight]
        many = len(self._single)
        return sum(comb(many, size) for size in wanted or [int(self.entry.get("depth", 1))])

    def _drawn(self, draw: int, most: int) -> Iterator[OutageSet]:
        sizes = np.cumsum(self.entry.get("sizes", ()))
        for number in range(most):
            uniform = generator(self.seed, NAME, draw, number).random(1 + len(self._single))
            size = int(self.entry.get("depth", 1))
            if len(sizes):
                size = int(np.searchsorted(sizes, uniform[0] * sizes[-1], side="right"))
            if size > len(self._single):
                continue
            first = np.argsort(uniform[1:], kind="stable")[:size]
            yield tuple(self._single[place] for place in sorted(first.tolist()))

    def _keeps_connected(self, outages: OutageSet) -> bool:
        if self._supply is None:
            return True
        return self._supply.buses_lost((*self.own, *outages)) <= self._lost


def _too_few(what: str, count: int) -> SpecificationError:
    return SpecificationError(what, hint=f"{count} are wanted: lower count, or raise depth")
