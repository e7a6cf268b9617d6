"""Contingencies held against a grid: an N-1 of nothing would look like one without violations."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ..errors import GridError
from ..model.contingencies.actions import actions_of
from ..model.contingencies.contingency import TYPES
from ..model.contingencies.every import SIDE, contingencies_of
from ..model.criteria import Criteria
from ..model.violations import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..grids.elements import ElementIndex
    from ..study.scenario import Contingencies

MOST_SHOWN = 8
"""Most voltages or names that a message shows."""


def check_contingencies(index: ElementIndex, asked: Contingencies) -> None:
    """Check that there is at least one contingency.

    Args:
        index: the grid's elements.
        asked: as the manifest has them.

    Raises:
        InputErrors: if a table of outage sets is at fault.
        GridError: if the grid has nothing that the types and filters mean; it says what there is.
    """
    if asked.actions is not None:
        actions_of(index, asked.actions)
    for number, part in enumerate(asked.parts, 1):
        if not len(contingencies_of(index, part)):
            what = f"the grid has no contingency of entry {number} of the list"
            raise GridError(what, field="contingencies", hint="leave it out, or widen its filters")
    for second in (part.sequence[1] for part in (asked, *asked.parts) if part.sequence):
        if not len(contingencies_of(index, second)):
            what = "the grid has nothing that a sequence has after the first loss"
            raise GridError(what, field="contingencies", hint="leave it out, or widen its filters")
    for category in asked.categories:
        Criteria.of(index.net, Limits()).for_category(index, category)
    if len(contingencies_of(index, asked)):
        return
    if asked.rules or asked.sequence or asked.parts or asked.sets:
        named = ", ".join(asked.rules) or ("a sequence" if asked.sequence else "what is asked for")
        what = f"the grid has no contingency of {named}"
        raise GridError(what, field="contingencies", hint="leave it out, or widen the filters")
    if len(contingencies_of(index, replace(asked, depth=1))):
        hint = "depth 2 is for pairs; widen the filters, or use depth 1"
        raise GridError("only one element is meant", field="contingencies", hint=hint)
    present = [element for element in asked.types if len(index.net[element])]
    if not present:
        others = ", ".join(element for element in TYPES if len(index.net[element]))
        what = f"the grid has no {_either(asked.types)}"
        raise GridError(what, field="contingencies", hint=f"types that it has are {others}")
    if not len(contingencies_of(index, replace(asked, depth=1, names=None))):
        assert asked.vn_kv is not None  # noqa: S101 - no other filter is left
        low, high = asked.vn_kv
        what = f"no {_either(present)} has a nominal voltage from {low:g} to {high:g} kV"
        hint = f"there are {_voltages(index, present)} kV"
        raise GridError(what, field="contingencies.vn_kv", hint=hint)
    meant = "" if asked.vn_kv is None else " of these voltages"
    what = f"no {_either(present)}{meant} has a name like {asked.names!r}"
    raise GridError(what, field="contingencies.names", hint=_names(index, present, asked))


def _either(elements: Sequence[str]) -> str:
    return " or ".join(elements)


def _voltages(index: ElementIndex, elements: Sequence[str]) -> str:
    """Return the nominal voltages of elements in words."""
    net = index.net
    buses = [
        net[element].index if element == "bus" else net[element][SIDE[element]]
        for element in elements
    ]
    found = sorted({float(kv) for group in buses for kv in net.bus.loc[group, "vn_kv"]})
    if len(found) > MOST_SHOWN:
        return f"{found[0]:g} to {found[-1]:g}"
    return ", ".join(f"{kv:g}" for kv in found)


def _names(index: ElementIndex, elements: Sequence[str], asked: Contingencies) -> str:
    """Return names of elements as a hint, those that are nearest to the pattern first."""
    tables = [index.net[element] for element in elements]
    names = [str(name) for table in tables if "name" in table for name in table["name"].dropna()]
    names = [name for name in dict.fromkeys(names) if name]
    if not names:
        return "they have no names"
    close = get_close_matches(asked.names or "", names, n=MOST_SHOWN, cutoff=0.5)
    shown = ", ".join(repr(name) for name in (close or names)[:MOST_SHOWN])
    return f"{'names like it are' if close else 'there are such as'} {shown}"
