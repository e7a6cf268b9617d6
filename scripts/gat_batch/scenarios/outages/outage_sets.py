"""Sets of outages that a family goes through, and whether they cut buses off."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import SpecificationError
from ...files.columns import read_texts
from ...model.contingencies.outage_sets import COLUMNS, psse_sets
from ...study.con_files import is_con
from ...study.scenario import BRANCHES
from ..selection import BUS_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from ..selection import Elements

OutageSet = tuple[tuple[str, int], ...]
"""Type and position of each element that is out."""

MOST_SETS = 5_000_000

DEEPEST = 2
"""Most elements of sets that are enumerated."""


def set_faults(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Yield what is wrong with an ``each_outage`` that has passed the schema, and the key."""
    if "count" not in entry:
        if "sizes" in entry:
            yield "is for sets drawn at random", "sizes", "give a count as well"
        if entry.get("depth", 1) > DEEPEST:
            yield f"more than {DEEPEST} are for sets drawn at random", "depth", "give a count"
        return
    if "sets" in entry:
        yield "are not drawn at random", "sets", "take out count"
    if "sizes" in entry and "depth" in entry:
        yield "says how many fail already", "sizes", "take out depth"
    if not sum(entry.get("sizes", [1])):
        yield "are all 0", "sizes", None


def outage_sets(
    elements: Elements, entry: Mapping[str, Any], folder: Path
) -> Iterator[tuple[str, OutageSet]]:
    """Yield the sets that an ``each_outage`` stands for.

    Args:
        elements: the grid's elements.
        entry: its keys.
        folder: where its files lie.

    Yields:
        A name for each set, which may be a part of a scenario's name, and its outages.

    Raises:
        GatBatchError: if elements don't exist, or there are too many sets.
    """
    supply = Supply(elements) if entry.get("connected") else None
    for outages in _sets(elements, entry, folder):
        if supply is None or not supply.buses_lost(outages):
            names = [f"{kind}-{elements.ids(kind)[position]}" for kind, position in outages]
            yield "+".join(names), outages


def _sets(elements: Elements, entry: Mapping[str, Any], folder: Path) -> Iterable[OutageSet]:
    given = entry.get("sets")
    if isinstance(given, str):
        file = folder / given
        if is_con(file):
            return [tuple(sorted(outages)) for _, outages in psse_sets(file, elements.index)]
        sets: dict[str, list[dict[str, Any]]] = {}
        for name, kind, label in read_texts(file, COLUMNS):
            sets.setdefault(name, []).append({"type": kind, "id": label})
        given = list(sets.values())
    if given is not None:
        return [found(elements, outages) for outages in given]
    single = single_outages(elements, entry)
    depth = int(entry.get("depth", 1))
    if len(single) ** depth > MOST_SETS * depth:
        hint = "choose fewer elements by where, or use the manifest's contingencies"
        raise SpecificationError(f"makes more than {MOST_SETS} sets of outages", hint=hint)
    return combinations(single, depth)


def single_outages(elements: Elements, entry: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return type and position of the elements that may fail.

    Args:
        elements: the grid's elements.
        entry: keys of an ``each_outage``: types and where.

    Raises:
        SpecificationError: if there are none.
    """
    single = []
    for kind in entry.get("types", BRANCHES):
        if elements.count(kind):
            chosen = elements.chosen(kind, entry.get("where"), may_be_none=True)
            live = elements.live(kind)
            single += [(kind, int(position)) for position in chosen if live[position]]
    if not single:
        raise SpecificationError("no element meets the conditions")
    return single


def found(elements: Elements, outages: Iterable[Mapping[str, Any]]) -> OutageSet:
    """Find the elements that outages name, each once.

    Args:
        elements: the grid's elements.
        outages: the outages as specified: a type, or ``branch`` for any of them, and an id.

    Raises:
        GatBatchError: if an element doesn't exist.
    """
    result = []
    for outage in outages:
        kind, label = outage["type"], outage["id"]
        if kind == "branch":
            result.append(elements.branch(label))
        elif kind in (*BUS_COLUMNS, "gen", "sgen", "load", "bus"):
            result.append((kind, elements.index.position(kind, label)))
        else:
            raise SpecificationError(f"{kind!r} is no type of element")
    return tuple(dict.fromkeys(result))


@dataclass
class Supply:
    """Which buses have a path to a slack, as the grid is and after outages.

    Attributes:
        elements: the grid's elements.
    """

    elements: Elements
    _edges: NDArray[np.int64] = field(init=False)
    _owner: dict[tuple[str, int], list[int]] = field(init=False)
    _slack: list[int] = field(init=False)
    _before: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        from pandapower.topology import create_nxgraph

        net = self.elements.net
        graph = create_nxgraph(net, multi=True, nogobuses=None, notravbuses=None)
        at = {bus: position for position, bus in enumerate(net.bus.index)}
        edges: list[tuple[int, int]] = []
        self._owner = {}
        for start, end, (kind, index) in graph.edges(keys=True):
            if start in at and end in at:
                place = self.elements.index.position(kind, int(index)) if kind in BRANCHES else -1
                self._owner.setdefault((kind, place), []).append(len(edges))
                edges.append((at[start], at[end]))
        self._edges = np.array(edges, dtype=np.int64).reshape(-1, 2)
        slack = [*net.ext_grid.bus[net.ext_grid.in_service.astype(bool)]]
        slack += [*net.gen.bus[net.gen.slack.astype(bool) & net.gen.in_service.astype(bool)]]
        self._slack = [at[bus] for bus in slack if bus in at]
        self._before = self._supplied(np.ones(len(self._edges), dtype=bool))

    def _supplied(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return whether each bus has a path to a slack over the edges that are kept."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        size = self.elements.count("bus")
        start, end = self._edges[kept].T
        graph = coo_array((np.ones(len(start), dtype=np.int8), (start, end)), shape=(size, size))
        _, part = connected_components(graph, directed=False)
        return np.isin(part, part[self._slack])

    def buses_lost(self, outages: Iterable[tuple[str, int]]) -> int:
        """Count the buses that have no path to a slack after outages, but had one before.

        Args:
            outages: type and position of each element that is out. A bus that is itself out is
                not counted.
        """
        kept = np.ones(len(self._edges), dtype=bool)
        out = []
        for kind, position in outages:
            if kind == "bus":
                kept &= ~(self._edges == position).any(axis=1)
                out.append(position)
            else:
                kept[self._owner.get((kind, position), [])] = False
        if kept.all():
            return 0
        lost = self._before & ~self._supplied(kept)
        lost[out] = False
        return int(lost.sum())
