"""Contingencies: which elements fail together, on top of a scenario's own state.

A set of outages is named ``TYPE:ID``, several joined by ``+`` in the order of types below and of
ids. Elements that are out of service anyway are no contingency.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from .errors import GatBatchError, InputErrors, TableError
from .state import Change, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .elements import ElementIndex
    from .manifest import Contingencies

TYPES = ("line", "trafo", "trafo3w", "gen", "sgen", "load", "bus")

COLUMNS = ("contingency", "type", "id")


@dataclass(frozen=True)
class Contingency:
    """Outages that happen together.

    Attributes:
        name: ``line:12``, or several joined by ``+``.
        outages: element and position in its table of each.
    """

    name: str
    outages: tuple[tuple[str, int], ...]


def contingencies_of(index: ElementIndex, asked: Contingencies) -> tuple[Contingency, ...]:
    """The contingencies of a grid, in a fixed order.

    Args:
        index: the grid's elements.
        asked: as the manifest has them.

    Returns:
        Each one once.

    Raises:
        InputErrors: if a table of outage sets is at fault.
    """
    if asked.sets is not None:
        found = _read_sets(asked.sets, index)
    else:
        single = [
            (element, position)
            for element in TYPES
            if element in asked.types
            for position in range(len(index.net[element]))
        ]
        found = [frozenset(outages) for outages in combinations(single, asked.depth)]
    return tuple(dict.fromkeys(_named(index, outages) for outages in found))


def contingent_states(
    index: ElementIndex, state: State, contingencies: tuple[Contingency, ...]
) -> Iterator[tuple[str, State]]:
    """The states that follow from a state by each contingency.

    Args:
        index: the grid's elements.
        state: the state before.
        contingencies: what may happen.

    Yields:
        Name and state of each contingency of which every element is in service before.
    """
    service = {element: index.net[element]["in_service"].to_numpy(bool) for element in TYPES} | {
        change.element: change.values.astype(bool)
        for change in state.changes
        if change.column == "in_service"
    }
    others = tuple(change for change in state.changes if change.column != "in_service")
    changed = {change.element for change in state.changes if change.column == "in_service"}
    for contingency in contingencies:
        if not all(service[element][position] for element, position in contingency.outages):
            continue
        failing = {element for element, _ in contingency.outages}
        after = {element: service[element].copy() for element in sorted(changed | failing)}
        for element, position in contingency.outages:
            after[element][position] = False
        outages = tuple(Change(element, "in_service", values) for element, values in after.items())
        yield contingency.name, State(state.snapshot, (*others, *outages))


def _named(index: ElementIndex, outages: frozenset[tuple[str, int]]) -> Contingency:
    ordered = sorted(outages, key=lambda outage: (TYPES.index(outage[0]), outage[1]))
    names = [f"{element}:{index.net[element].index[position]}" for element, position in ordered]
    return Contingency("+".join(names), tuple(ordered))


def _read_sets(file: Path, index: ElementIndex) -> list[frozenset[tuple[str, int]]]:
    """Sets of outages from a CSV: rows with the same name form a set."""
    faults: list[GatBatchError] = []
    sets: dict[str, list[tuple[str, int]]] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                hint = "rows with the same contingency fail together"
                raise TableError(f"the columns are not {', '.join(COLUMNS)}", file=file, hint=hint)
            for number, row in enumerate(reader, 2):
                fault = _add_outage(row, sets, index)
                if fault is not None:
                    faults.append(TableError(f"row {number}: {fault}", file=file))
    except (OSError, csv.Error, ValueError) as error:
        raise TableError(f"can't be read: {error}", file=file) from None
    if not sets and not faults:
        raise TableError("has no rows", file=file)
    if faults:
        raise InputErrors(faults)
    return [frozenset(outages) for outages in sets.values()]


def _add_outage(
    row: dict[str, str], sets: dict[str, list[tuple[str, int]]], index: ElementIndex
) -> str | None:
    """Add one row to its set; what is wrong with it, if anything."""
    if None in row or None in row.values() or not row["contingency"]:
        return "it doesn't have three filled cells"
    if row["type"] not in TYPES:
        return f"{row['type']!r} is none of {', '.join(TYPES)}"
    try:
        outage = row["type"], index.position(row["type"], row["id"])
    except GatBatchError as error:
        return str(error)
    members = sets.setdefault(row["contingency"], [])
    if outage in members:
        return f"{row['type']} {row['id']} is in the set twice"
    members.append(outage)
    return None
