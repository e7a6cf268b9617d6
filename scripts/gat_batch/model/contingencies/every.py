"""All contingencies that a manifest asks for."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from ...study.con_files import is_con
from .contingency import TYPES, named
from .outage_sets import labelled_category, psse_sets, table_sets
from .pairs import Joined, Listed, Pairs, Sequences
from .rules import by_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ...grids.elements import ElementIndex
    from ...study.scenario import Contingencies
    from .contingency import Contingency

SIDE = {"line": "from_bus", "trafo": "hv_bus", "trafo3w": "hv_bus", "dcline": "from_bus"}
SIDE |= dict.fromkeys(("gen", "sgen", "load", "shunt"), "bus")
"""The bus whose nominal voltage counts as that of an element."""


def contingencies_of(index: ElementIndex, asked: Contingencies) -> Sequence[Contingency]:
    """Return the contingencies of a grid, in a fixed order.

    Args:
        index: the grid's elements.
        asked: as the manifest has them.

    Returns:
        Each one once; names are unique.

    Raises:
        InputErrors: if a table of outage sets is at fault.
    """
    if asked.parts:
        return _distinct([contingencies_of(index, part) for part in asked.parts])
    if asked.sets is not None:
        return _of_file(index, asked)
    if asked.rules:
        adjusted = asked.adjust == "redispatch"

        def single(types: tuple[str, ...]) -> list[tuple[str, int]]:
            return _single(index, replace(asked, types=types))

        return _distinct([by_rule(index, rule, single, adjusted=adjusted) for rule in asked.rules])
    if asked.sequence:
        first, then = (_single(index, one) for one in asked.sequence)
        adjusted = asked.adjust == "redispatch"
        return Sequences(index, first, then, asked.category, adjusted=adjusted)
    outages = _single(index, asked)
    if asked.depth == 1:
        return tuple(named(index, (outage,), asked.category) for outage in outages)
    return Pairs(index, outages, asked.category)


def _of_file(index: ElementIndex, asked: Contingencies) -> Sequence[Contingency]:
    assert asked.sets is not None  # noqa: S101 - that is why it is asked
    if is_con(asked.sets):
        known = [category.name for category in asked.categories]
        sets = [
            (labelled_category(label, known), outages)
            for label, outages in psse_sets(asked.sets, index)
        ]
    else:
        sets = table_sets(asked.sets, index)
    found = dict.fromkeys(
        named(index, outages, category or asked.category) for category, outages in sets
    )
    return _distinct([[one] for one in found])


def _distinct(parts: Sequence[Sequence[Contingency]]) -> Sequence[Contingency]:
    """Return all of some lists; a name that occurs again has its category, too."""
    taken: dict[str, Contingency] = {}
    listed: list[Listed] = []
    within = [one for part in parts for one in (part.parts if isinstance(part, Joined) else [part])]
    for part in within:
        if isinstance(part, Listed):
            listed.append(part)
            continue
        for one in part:
            name = one.name
            if name in taken and taken[name].category != one.category:
                name = f"{name}@{one.category or 'none'}"
            taken.setdefault(name, replace(one, name=name))
    every = tuple(taken.values())
    return Joined([every, *listed]) if listed else every


def _single(index: ElementIndex, asked: Contingencies) -> list[tuple[str, int]]:
    """Return single outages of the types that are asked for."""
    return [
        (element, position)
        for element in TYPES
        if element in asked.types
        for position in np.flatnonzero(_meant(index, element, asked)).tolist()
    ]


def _meant(index: ElementIndex, element: str, asked: Contingencies) -> NDArray[np.bool_]:
    """Return elements of a type that the filters leave."""
    net = index.net
    table = net[element]
    meant = np.ones(len(table), bool)
    if element == "shunt" and index.has_parts:
        # What fails with its branch doesn't fail alone.
        meant = np.array([not index.is_part(n) for n in range(len(table))])
    if asked.vn_kv is not None:
        low, high = asked.vn_kv
        kv = net.bus.loc[table.index if element == "bus" else table[SIDE[element]], "vn_kv"]
        meant &= (kv.to_numpy(float) >= low) & (kv.to_numpy(float) <= high)
    if asked.names is not None:
        names = table["name"] if "name" in table else [None] * len(table)
        matching = [name is not None and fnmatchcase(str(name), asked.names) for name in names]
        meant &= np.array(matching, bool)
    return meant
