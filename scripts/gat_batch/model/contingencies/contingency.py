"""One contingency, and the state that follows from it.

A set of outages is named ``TYPE:ID``, several joined by ``+`` in the order of types below and of
ids. Elements that are out of service anyway are no contingency.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..state import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ...grids.elements import ElementIndex
    from ..state import State

TYPES = ("line", "trafo", "trafo3w", "gen", "sgen", "load", "bus", "shunt", "dcline")


@dataclass(frozen=True)
class Contingency:
    """Outages that happen together.

    Attributes:
        name: ``line:12``, or several joined by ``+``.
        outages: element and position in its table of each; shunts that are parts of failing
            branches come last.
        category: what it counts as, ``P1`` say; empty for none.
        before: those outages after which the dispatch is adjusted, before the others happen.
    """

    name: str
    outages: tuple[tuple[str, int], ...]
    category: str = ""
    before: tuple[tuple[str, int], ...] = ()


def service_of(net: pandapowerNet, state: State) -> dict[str, NDArray[np.bool_]]:
    """Tell what is in service in a state, by element, shape (elements,)."""
    given = {element: net[element]["in_service"].to_numpy(bool, copy=True) for element in TYPES}
    return given | {
        change.element: change.values.astype(bool)
        for change in state.changes
        if change.column == "in_service"
    }


def after(
    contingency: Contingency, state: State, service: Mapping[str, NDArray[np.bool_]]
) -> State:
    """Return the state that follows from another one by a contingency.

    Args:
        contingency: what fails.
        state: the state before.
        service: what is in service then, as from :func:`service_of`.
    """
    others = tuple(change for change in state.changes if change.column != "in_service")
    changed = {change.element for change in state.changes if change.column == "in_service"}
    failing = {element for element, _ in contingency.outages}
    left = {element: service[element].copy() for element in sorted(changed | failing)}
    for element, position in contingency.outages:
        left[element][position] = False
    outages = tuple(Change(element, "in_service", values) for element, values in left.items())
    return replace(state, changes=(*others, *outages))


def is_possible(contingency: Contingency, service: Mapping[str, NDArray[np.bool_]]) -> bool:
    """Tell whether all that fails was in service before."""
    return all(service[element][position] for element, position in contingency.outages)


def named(
    index: ElementIndex, outages: Collection[tuple[str, int]], category: str = ""
) -> Contingency:
    """Return the contingency of some outages.

    Args:
        index: the grid's elements.
        outages: element and position of each.
        category: what it counts as.
    """
    ordered = sorted(outages, key=lambda outage: (TYPES.index(outage[0]), outage[1]))
    names = [f"{element}:{index.net[element].index[position]}" for element, position in ordered]
    if index.has_parts:
        parts = [part for outage in ordered for part in index.parts_of(*outage)]
        ordered += [("shunt", part) for part in sorted(parts)]
    return Contingency("+".join(names), tuple(ordered), category)
