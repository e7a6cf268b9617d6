"""Tables of remedial actions: after which contingencies, under which condition, which change.

Rows with the same ``action`` are one action, done at once. A cell left empty says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import GatBatchError, TableError
from ..files.columns import raise_faults, read_texts
from ..files.words import nearest

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("action", "change", "element", "id")

OPTIONAL = ("value", "contingency", "condition")

BRANCHES = ("line", "trafo", "trafo3w", "impedance", "switch", "dcline")
INJECTIONS = ("gen", "sgen", "load", "storage")

CHANGES: dict[str, tuple[tuple[str, ...], bool]] = {
    "open": ((*BRANCHES, *INJECTIONS, "shunt", "bus"), False),
    "close": ((*BRANCHES, *INJECTIONS, "shunt"), False),
    "set_mw": (INJECTIONS, True),
    "change_mw": (INJECTIONS, True),
    "shed_percent": (("load",), True),
    "set_tap": (("trafo", "trafo3w"), True),
    "set_step": (("shunt",), True),
    "redispatch": (("gen", "sgen", "ext_grid"), False),
}
"""Change -> elements that it is for, and whether it has a value."""

CONDITIONS = ("violation", "loading", "voltage", "always")
"""When an action is taken; the first one where a table doesn't say, beside ``TYPE:ID``, an element
that is in violation itself."""


@dataclass(frozen=True)
class ActionRow:
    """One row of a table.

    Attributes:
        action: name of the action.
        change: one of :data:`CHANGES`.
        element, id: what is changed.
        value: by or to how much, or None.
        contingency: pattern of names or a category, empty for any.
        condition: one of :data:`CONDITIONS`, or ``TYPE:ID``.
        row: row of the file, for messages.
    """

    action: str
    change: str
    element: str
    id: str
    value: float | None
    contingency: str
    condition: str
    row: int


def read_actions(path: Path) -> list[ActionRow]:
    """Read a table of actions.

    Args:
        path: CSV, Parquet or Excel.

    Returns:
        Its rows, in their order.

    Raises:
        InputErrors: if rows are at fault.
        TableError, UnreadableError: if it can't be read, or has other columns.
    """
    faults: list[GatBatchError] = []
    rows = []
    for number, cells in enumerate(read_texts(path, COLUMNS, OPTIONAL), 2):
        action, change, element, label, value, contingency, condition = cells
        fault = _fault(change, element, value, condition) or _odd(action, change, value)
        if fault is not None:
            faults.append(TableError(f"row {number}: {fault[0]}", file=path, hint=fault[1]))
            continue
        amount = float(value) if value else None
        given = condition or CONDITIONS[0]
        rows.append(ActionRow(action, change, element, label, amount, contingency, given, number))
    raise_faults(faults, path)
    return rows


def _fault(change: str, element: str, value: str, condition: str) -> tuple[str, str | None] | None:
    """Return what is wrong with a row and what to do about it, if anything."""
    if change not in CHANGES:
        return f"{change!r} is no change", nearest(change, CHANGES)
    elements, valued = CHANGES[change]
    if element not in elements:
        return f"{change} isn't for {element!r}", f"it is for {', '.join(elements)}"
    if valued != bool(value):
        return f"{change} {'needs a' if valued else 'has no'} value", None
    if value and not _is_number(value):
        return f"{value!r} is no number", None
    if condition and condition not in CONDITIONS and ":" not in condition:
        hint = f"known are {', '.join(CONDITIONS)}, and an element as line:12"
        return f"{condition!r} is no condition", hint
    return None


def _odd(action: str, change: str, value: str) -> tuple[str, str | None] | None:
    """Return what would be misread or makes no sense."""
    if change == "shed_percent" and not 0 <= float(value) <= MOST_PERCENT:
        return f"{value} % can't be shed", "give 0 to 100"
    if action == "none" or action.isdecimal():
        hint = "results call rounds of cascades by number, and none where no action helps"
        return f"{action!r} can't be the name of an action", hint
    return None


MOST_PERCENT = 100.0


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
