"""Contingencies: which elements fail together, on top of a scenario's own state.

A set of outages is named ``TYPE:ID``, several joined by ``+`` in the order of types below and of
ids. Elements that are out of service anyway are no contingency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, overload

import numpy as np

from ..errors import GatBatchError, TableError
from ..files.columns import raise_faults, read_texts
from ..grids.psse_names import PsseNames
from ..study.con_files import Automatic, is_con, read_con, read_sub, subsystem_file
from .state import Change

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..grids.elements import ElementIndex
    from ..study.scenario import Contingencies
    from .state import State

TYPES = ("line", "trafo", "trafo3w", "gen", "sgen", "load", "bus")

SIDE = {"line": "from_bus", "trafo": "hv_bus", "trafo3w": "hv_bus"} | dict.fromkeys(
    ("gen", "sgen", "load"), "bus"
)
"""The bus whose nominal voltage counts as that of an element."""

COLUMNS = ("contingency", "type", "id")


@dataclass(frozen=True)
class Contingency:
    """Outages that happen together.

    Attributes:
        name: ``line:12``, or several joined by ``+``.
        outages: element and position in its table of each; shunts that are parts of failing
            branches come last.
    """

    name: str
    outages: tuple[tuple[str, int], ...]


class Pairs(Sequence["Contingency"]):
    """All pairs of some outages, each made when it is asked for: large grids have millions.

    Args:
        index: the grid's elements.
        single: the outages.
    """

    def __init__(self, index: ElementIndex, single: Sequence[tuple[str, int]]) -> None:
        self._index, self._single = index, single
        partners = np.arange(len(single) - 1, 0, -1)
        self._ends = np.cumsum(partners)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, number: int) -> Contingency: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Contingency]: ...
    def __getitem__(self, number: int | slice) -> Contingency | Sequence[Contingency]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        first = int(np.searchsorted(self._ends, number, side="right"))
        second = number - int(self._ends[first]) + len(self._single)
        return _named(self._index, frozenset((self._single[first], self._single[second])))


def contingencies_of(index: ElementIndex, asked: Contingencies) -> Sequence[Contingency]:
    """Return the contingencies of a grid, in a fixed order.

    Args:
        index: the grid's elements.
        asked: as the manifest has them.

    Returns:
        Each one once.

    Raises:
        InputErrors: if a table of outage sets is at fault.
    """
    if asked.sets is not None:
        read = psse_sets if is_con(asked.sets) else _read_sets
        sets = read(asked.sets, index)
        return tuple(dict.fromkeys(_named(index, outages) for outages in sets))
    single = [
        (element, position)
        for element in TYPES
        if element in asked.types
        for position in np.flatnonzero(_meant(index.net, element, asked)).tolist()
    ]
    if asked.depth == 1:
        return tuple(_named(index, frozenset((outage,))) for outage in single)
    return Pairs(index, single)


def _meant(net: pandapowerNet, element: str, asked: Contingencies) -> NDArray[np.bool_]:
    """Return elements of a type that the filters leave."""
    table = net[element]
    meant = np.ones(len(table), bool)
    if asked.vn_kv is not None:
        low, high = asked.vn_kv
        kv = net.bus.loc[table.index if element == "bus" else table[SIDE[element]], "vn_kv"]
        meant &= (kv.to_numpy(float) >= low) & (kv.to_numpy(float) <= high)
    if asked.names is not None:
        names = table["name"] if "name" in table else [None] * len(table)
        matching = [name is not None and fnmatchcase(str(name), asked.names) for name in names]
        meant &= np.array(matching, bool)
    return meant


def service_of(net: pandapowerNet, state: State) -> dict[str, NDArray[np.bool_]]:
    """Tell what is in service in a state, by element, shape (elements,)."""
    given = {
        element: net[element]["in_service"].to_numpy(bool, copy=True)
        for element in (*TYPES, "shunt")
    }
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


def _named(index: ElementIndex, outages: frozenset[tuple[str, int]]) -> Contingency:
    ordered = sorted(outages, key=lambda outage: (TYPES.index(outage[0]), outage[1]))
    names = [f"{element}:{index.net[element].index[position]}" for element, position in ordered]
    if index.has_parts:
        parts = [part for outage in ordered for part in index.parts_of(*outage)]
        ordered += [("shunt", part) for part in sorted(parts)]
    return Contingency("+".join(names), tuple(ordered))


def psse_sets(file: Path, index: ElementIndex) -> list[frozenset[tuple[str, int]]]:
    """Return sets of outages from PSS/E's files.

    Args:
        file: the ``.con`` file; a ``.sub`` of the same name beside it has its subsystems.
        index: the grid's elements.

    Raises:
        TableError: if a file is at fault, or names what the grid hasn't got.
    """
    beside = subsystem_file(file)
    names = PsseNames(index.net, file, read_sub(beside) if beside else {})
    sets: list[frozenset[tuple[str, int]]] = []
    for one in read_con(file):
        if isinstance(one, Automatic):
            sets += names.automatic(one)
        else:
            sets.append(frozenset(names.outage(opened) for opened in one))
    if not sets:
        raise TableError("holds no contingency", file=file)
    return sets


def _read_sets(file: Path, index: ElementIndex) -> list[frozenset[tuple[str, int]]]:
    """Return sets of outages from a table: rows with the same name form a set."""
    faults: list[GatBatchError] = []
    sets: dict[str, list[tuple[str, int]]] = {}
    for number, row in enumerate(read_texts(file, COLUMNS), 2):
        fault = _add_outage(row, sets, index)
        if fault is not None:
            faults.append(TableError(f"row {number}: {fault}", file=file))
    raise_faults(faults, file)
    return [frozenset(outages) for outages in sets.values()]


def _add_outage(
    row: tuple[str, ...], sets: dict[str, list[tuple[str, int]]], index: ElementIndex
) -> str | None:
    """Add one row to its set; what is wrong with it, if anything."""
    contingency, element, label = row
    if element not in TYPES:
        return f"{element!r} is none of {', '.join(TYPES)}"
    try:
        outage = element, index.position(element, label)
    except GatBatchError as error:
        return str(error)
    members = sets.setdefault(contingency, [])
    if outage in members:
        return f"{element} {label} is in the set twice"
    members.append(outage)
    return None
