"""Contingencies laid over kept equations."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..model.admittances import Arrays
    from ..powerflow.islands import Cut, Topology
    from ..powerflow.sweep import Demand


class Contingent(NamedTuple):
    """One contingency laid over some equations.

    Attributes:
        cut: what it takes out of them.
        branches: branches that no longer carry anything through, positions among the live ones.
        lost_rows: rows that are cut off.
        failing: element -> positions of what fails.
        injected: rows that are still supplied, and what is injected there in addition, in p.u.
    """

    cut: Cut
    branches: tuple[int, ...]
    lost_rows: frozenset[int]
    failing: Mapping[str, Sequence[int]]
    injected: Sequence[tuple[int, complex]]


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
    power = {"load": demand.load, "sgen": demand.sgen, "gen": demand.gen}
    injected = []
    for element in failing.keys() & power.keys():
        sign = 1.0 if element == "load" else -1.0
        for position in failing[element]:
            row = int(arrays.row[element][position])
            if row >= arrays.buses:
                return None
            if row not in lost:
                injected.append((row, sign * complex(power[element][position]) / arrays.base_mva))
    branches = (*cut.gone, *(place for place, _ in cut.hanging))
    return Contingent(cut, branches, lost, failing, injected)
