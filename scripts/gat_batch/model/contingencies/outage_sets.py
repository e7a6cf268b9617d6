"""Sets of outages from tables and from PSS/E's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import GatBatchError, TableError
from ...files.columns import raise_faults, read_texts
from ...grids.psse_names import PsseNames
from ...study.con_files import Automatic, read_con, read_sub, subsystem_file
from ...study.scenario import is_no_category
from .contingency import TYPES

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from ...grids.elements import ElementIndex

COLUMNS = ("contingency", "type", "id")

OPTIONAL = ("category",)


def psse_sets(file: Path, index: ElementIndex) -> list[tuple[str, frozenset[tuple[str, int]]]]:
    """Return sets of outages from PSS/E's files.

    Args:
        file: the ``.con`` file; a ``.sub`` of the same name beside it has its subsystems.
        index: the grid's elements.

    Returns:
        Label, empty for those of automatic sets, and outages of each.

    Raises:
        TableError: if a file is at fault, or names what the grid hasn't got.
    """
    beside = subsystem_file(file)
    names = PsseNames(index.net, file, read_sub(beside) if beside else {})
    sets: list[tuple[str, frozenset[tuple[str, int]]]] = []
    for one in read_con(file):
        if isinstance(one, Automatic):
            sets += [("", outages) for outages in names.automatic(one)]
        else:
            sets.append((one.label, frozenset(names.outage(opened) for opened in one.opened)))
    if not sets:
        raise TableError("holds no contingency", file=file)
    return sets


def labelled_category(label: str, categories: Collection[str]) -> str:
    """Return the category with which a label begins, the longest one; empty if it is none."""
    found = [name for name in categories if label.startswith(name)]
    return max(found, key=len, default="")


def table_sets(file: Path, index: ElementIndex) -> list[tuple[str, frozenset[tuple[str, int]]]]:
    """Return category and outages of each set of a table: rows with the same name form a set.

    Args:
        file: the table.
        index: the grid's elements.

    Raises:
        InputErrors: if it has faults.
    """
    faults: list[GatBatchError] = []
    sets: dict[str, list[tuple[str, int]]] = {}
    category: dict[str, str] = {}
    for number, (*row, own) in enumerate(read_texts(file, COLUMNS, OPTIONAL), 2):
        fault = _add_outage(tuple(row), sets, index)
        if is_no_category(own):
            fault = f"{own!r} can't be the name of a category"
        if fault is None and category.setdefault(row[0], own) != own:
            fault = f"{row[0]} is {category[row[0]]!r} above, and {own!r} here"
        if fault is not None:
            faults.append(TableError(f"row {number}: {fault}", file=file))
    raise_faults(faults, file)
    return [(category[name], frozenset(outages)) for name, outages in sets.items()]


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
