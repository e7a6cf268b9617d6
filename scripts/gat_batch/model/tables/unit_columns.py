"""Columns of a generator table in the wide form: which are generators, and which static ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import GatBatchError, GridError, TableError

if TYPE_CHECKING:
    from ...grids.elements import ElementIndex
    from ...study.injections import InjectionTable

KINDS = ("gen", "sgen")

FOREIGN = {
    "gen": ("q_mvar", "a gen has no q_mvar", "its reactive power follows from vm_pu"),
    "sgen": ("vm_pu", "an sgen has no vm_pu", "it injects p and q"),
}
"""What an element can't be given, why, and what it has in place of that."""


def unit_positions(
    index: ElementIndex, table: InjectionTable, faults: list[GatBatchError]
) -> dict[str, list[tuple[int, int]]]:
    """Find the generators and static generators that columns are headed by.

    Args:
        index: the grid's elements.
        table: the table.
        faults: where a fault is added for each column that stands for none, or for more than one.

    Returns:
        Kind of element -> label and position of each.
    """
    found: dict[str, list[tuple[int, int]]] = {kind: [] for kind in KINDS}
    seen: dict[tuple[str, int], str] = {}
    for code, label in enumerate(table.labels):
        hits, misses = _places(index, label)
        place = f"column {label!r}"
        if len(hits) > 1:
            what = f"{place}: both a gen and an sgen are called so"
            hint = f"write gen:{label} or sgen:{label}"
            faults.append(TableError(what, file=table.file, hint=hint))
        elif not hits:
            what = f"{place}: {'; '.join(fault.what for fault in misses)}"
            faults.append(TableError(what, file=table.file, hint=misses[0].hint))
        else:
            kind, position = hits[0]
            other = seen.setdefault(hits[0], label)
            if other != label:
                what = f"{place}: {kind} {index.net[kind].index[position]} is {other!r} already"
                faults.append(TableError(what, file=table.file))
            quantity, why, hint = FOREIGN[kind]
            given = table.values.get(quantity)
            if given is not None and not np.isnan(given[table.label == code]).all():
                faults.append(TableError(f"{place}: {why}", file=table.file, hint=hint))
            found[kind].append((code, position))
    return {kind: pairs for kind, pairs in found.items() if pairs}


def _places(index: ElementIndex, label: str) -> tuple[list[tuple[str, int]], list[GridError]]:
    kind, _, name = label.partition(":")
    kinds, name = ((kind,), name) if kind in KINDS and name else (KINDS, label)
    hits, misses = [], []
    for one in kinds:
        try:
            hits.append((one, index.position(one, name)))
        except GridError as fault:
            misses.append(fault)
    return hits, misses
