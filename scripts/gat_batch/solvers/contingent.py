"""Contingencies laid over kept equations."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .arrays import Arrays
    from .fast import Demand
    from .topology import Cut, Topology


@dataclass(frozen=True)
class Contingent:
    """One contingency laid over some equations.

    Attributes:
        cut: what it takes out of them.
        buses: positions of the buses that fail.
        loads, sgens, gens: positions of those that fail and took part before.
        injected: rows that are still supplied, and what is injected there in addition, in p.u.
    """

    cut: Cut
    buses: tuple[int, ...]
    loads: tuple[int, ...]
    sgens: tuple[int, ...]
    gens: tuple[int, ...]
    injected: tuple[tuple[int, complex], ...]

    @cached_property
    def lost_rows(self) -> frozenset[int]:
        """Rows that are cut off."""
        return frozenset(self.cut.dead.tolist())

    @cached_property
    def branches(self) -> tuple[int, ...]:
        """Branches that no longer carry anything through, positions among the live ones."""
        return (*self.cut.gone, *(place for place, _ in self.cut.hanging))


def laid_over(
    outages: Iterable[tuple[str, int]], topology: Topology, arrays: Arrays, demand: Demand
) -> Contingent | None:
    """Lay a contingency over the equations of a state.

    Args:
        outages: element and position in its table of what fails.
        topology: the graph of the equations.
        arrays: the equations.
        demand: what the state asks of them.

    Returns:
        The contingency, or None if the equations can't represent it; they know nothing of what
        isn't supplied before.
    """
    failing: dict[str, list[int]] = defaultdict(list)
    for element, position in outages:
        failing[element].append(position)
    cut = topology.cut(failing)
    if cut is None:
        return None
    lost = frozenset(cut.dead.tolist())
    injected = []
    for element, power, sign in (
        ("load", demand.load, 1.0),
        ("sgen", demand.sgen, -1.0),
        ("gen", demand.gen, -1.0),
    ):
        for position in failing.get(element, ()):
            row = int(arrays.row[element][position])
            if row >= arrays.buses:
                return None
            if row not in lost:
                injected.append((row, sign * complex(power[position]) / arrays.base_mva))
    failed = [tuple(failing.get(element, ())) for element in ("bus", "load", "sgen", "gen")]
    return Contingent(cut, failed[0], failed[1], failed[2], failed[3], tuple(injected))
