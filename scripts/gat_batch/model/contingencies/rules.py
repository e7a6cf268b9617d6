"""Contingencies of the categories of NERC's standard TPL-001, made by rule of a grid's elements.

P1: each generator, line, transformer, shunt and DC line alone. P2: each bus, and both sides of each
closed breaker between buses. P3: a generator, and then another element of P1. P4: all at a bus, as
after a breaker that doesn't open. P6: a line, transformer, shunt or DC line, and then another one.
P7: two lines between the same two buses, as on a common tower. What follows from relays (P5), or
from towers that a grid doesn't tell, needs a table.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from .contingency import named
from .pairs import Sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...grids.elements import ElementIndex
    from .contingency import Contingency

    Outages = list[tuple[str, int]]
    Sets = list[tuple[tuple[str, int], ...]]

GENERATORS = ("gen", "sgen")

CIRCUITS = ("line", "trafo", "trafo3w", "shunt", "dcline")

RULES = ("P1", "P2", "P3", "P4", "P6", "P7")


def by_rule(
    index: ElementIndex, rule: str, single: Callable[[tuple[str, ...]], Outages], *, adjusted: bool
) -> Sequence[Contingency]:
    """Return the contingencies of a category.

    Args:
        index: the grid's elements.
        rule: one of :data:`RULES`.
        single: returns the outages of some types of elements, one by one.
        adjusted: whether the dispatch is adjusted between two losses.
    """
    sets: Sets
    match rule:
        case "P1":
            sets = [(one,) for one in single((*GENERATORS, *CIRCUITS))]
        case "P2" | "P4":
            sets = [(one,) for one in single(("bus",))]
            if rule == "P2":
                sets += _breakers(index, set(single(("bus",))))
        case "P3":
            first, then = single(GENERATORS), single((*GENERATORS, *CIRCUITS))
            return Sequences(index, first, then, rule, adjusted=adjusted)
        case "P6":
            circuits = single(CIRCUITS)
            return Sequences(index, circuits, circuits, rule, adjusted=adjusted)
        case _:
            sets = _side_by_side(index, single(("line",)))
    return tuple(dict.fromkeys(named(index, outages, rule) for outages in sets))


def _breakers(index: ElementIndex, meant: set[tuple[str, int]]) -> Sets:
    """Return the buses at either side of each closed circuit breaker between buses."""
    switch, buses = index.net.switch, index.net.bus.index
    mine = switch[(switch["et"] == "b") & (switch["type"] == "CB") & switch["closed"].astype(bool)]
    sides = [
        tuple(("bus", int(place)) for place in buses.get_indexer(pair))
        for pair in mine[["bus", "element"]].to_numpy()
    ]
    return [pair for pair in sides if meant.intersection(pair)]


def _side_by_side(index: ElementIndex, lines: Outages) -> Sets:
    """Return pairs of lines between the same two buses."""
    ends = np.sort(index.net.line[["from_bus", "to_bus"]].to_numpy(np.int64), axis=1)
    alike: dict[tuple[int, ...], Outages] = {}
    for outage in lines:
        alike.setdefault(tuple(ends[outage[1]].tolist()), []).append(outage)
    return [pair for group in alike.values() for pair in combinations(group, 2)]
