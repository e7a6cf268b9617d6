"""Remedial actions of a table, with the elements of a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import nan
from typing import TYPE_CHECKING

from ...errors import GatBatchError, TableError
from ...files.columns import raise_faults
from ...study.action_tables import read_actions
from ...study.scenario import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ...grids.elements import ElementIndex
    from .contingency import Contingency


@dataclass(frozen=True)
class Step:
    """One change of an action: element and position, what is done and by or to how much."""

    change: str
    element: str
    position: int
    value: float | None


@dataclass(frozen=True)
class Action:
    """Changes done at once.

    Attributes:
        name: its name.
        steps: the changes.
        contingency: pattern of names or a category of contingencies, empty for any.
        condition: when it is taken, as in :data:`gat_batch.study.action_tables.CONDITIONS`; or
            the kind and position of an element that is in violation then.
    """

    name: str
    steps: tuple[Step, ...]
    contingency: str
    condition: str | tuple[str, int]

    def is_for(self, contingency: Contingency) -> bool:
        """Tell whether it is meant for a contingency."""
        pattern = self.contingency
        return (
            not pattern or pattern == contingency.category or fnmatchcase(contingency.name, pattern)
        )

    def is_due(self, broken: Mapping[str, NDArray[np.int64]]) -> bool:
        """Tell whether it is to be taken, where some elements are in violation."""
        match self.condition:
            case "always":
                return True
            case "violation":
                return bool(broken)
            case "voltage":
                return "bus" in broken
            case "loading":
                return bool(broken.keys() - {"bus"})
            case (element, position):
                return position in broken.get(element, ())
        return False


def _range(index: ElementIndex, step: Step) -> tuple[float, float]:
    """Return the lowest and highest tap or step of an element, NaN where the grid doesn't tell."""
    table = index.net[step.element]

    def read(name: str) -> float:
        return float(table[name].iloc[step.position]) if name in table else nan

    return (read("tap_min"), read("tap_max")) if step.change == "set_tap" else (0, read("max_step"))


def _check_range(index: ElementIndex, step: Step) -> None:
    """Check that a tap or step is one that the element has.

    Raises:
        TableError: if it isn't.
    """
    value = step.value
    if value is None or step.change not in ("set_tap", "set_step"):
        return
    low, high = _range(index, step)
    if value < low or value > high:
        what = f"{value:g} is no {step.change.removeprefix('set_')} that it has"
        raise TableError(what, hint=f"it has {low:g} to {high:g}")


def actions_of(index: ElementIndex, path: Path) -> list[Action]:
    """Return the actions of a table.

    Args:
        index: the grid's elements.
        path: the table.

    Raises:
        InputErrors: if it is at fault, or names what the grid hasn't got.
    """
    faults: list[GatBatchError] = []
    found: dict[str, Action] = {}
    for row in read_actions(path):
        try:
            step = Step(row.change, row.element, index.position(row.element, row.id), row.value)
            _check_range(index, step)
            condition: str | tuple[str, int] = row.condition
            if ":" in row.condition:
                element, _, label = row.condition.partition(":")
                if element not in ("bus", *BRANCHES):
                    what = f"the condition {row.condition!r} is no element with a limit"
                    raise TableError(what, hint=f"known are bus, {', '.join(BRANCHES)}")
                condition = element, index.position(element, label)
        except GatBatchError as fault:
            faults.append(TableError(f"row {row.row}: {fault}", file=path))
            continue
        action = Action(row.action, (step,), row.contingency, condition)
        known = found.get(row.action)
        if known is not None:
            if (known.contingency, known.condition) != (row.contingency, condition):
                what = f"row {row.row}: {row.action} has another contingency or condition above"
                faults.append(TableError(what, file=path))
            action = replace(known, steps=(*known.steps, step))
        found[row.action] = action
    raise_faults(faults, path)
    return list(found.values())
