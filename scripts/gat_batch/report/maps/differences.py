"""Two groups of states on one map: by how much each element differs between them.

Groups are those that a manifest compares, or the same scenarios of two batches. Of each branch the
highest value counts, of each bus the lowest and the highest voltage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..figures import GREY
from ..section import Sign
from ..states.gathering import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from ..summary_tables import Summary

STEPS_PERCENT, STEPS_PU = (1.0, 10.0), (0.002, 0.02)
"""Changes from which an element is drawn as changed, and as much changed."""

FALLING, RISING = ("#6cb8f0", "#2163b0"), ("#e6a545", "#b5500a")
"""Colours of what is lower and of what is higher, a little and much."""


@dataclass(frozen=True)
class Difference:
    """Two groups of states.

    Attributes:
        name: of the group that is looked at.
        reference: of the one that it is held against.
        before, after: lowest and highest values of the reference and of the group, as from
            ``Extremes``.
        other_batch: whether the reference is another batch.
    """

    name: str
    reference: str
    before: pd.DataFrame
    after: pd.DataFrame
    other_batch: bool = False


def differences(summary: Summary) -> Iterator[Difference]:
    """Yield what can be compared: each group with the first one, the batch with the other one."""
    extremes = summary.found.extremes
    if summary.other is not None:
        other, own = summary.before.extremes, extremes[""]
        yield Difference("this batch", summary.other.name, other, own, other_batch=True)
    names = list(summary.groups)
    for name in names[1:]:
        yield Difference(name, names[0], extremes[names[0]], extremes[name])


def content(found: list[Difference], grid: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what the page's script knows of differences in a grid.

    Args:
        found: the differences.
        grid: the grid's rows of the table of elements.
    """
    return [
        {
            "name": one.name,
            "reference": one.reference,
            "batch": one.other_batch,
            "elements": dict(_elements(one, grid)),
        }
        for one in found
    ]


def _elements(one: Difference, grid: pd.DataFrame) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    for kind, own in grid.groupby("element", sort=False):
        if kind not in SHOWN:
            continue
        told: dict[str, list[Any]] = {}
        for when, table in (("before", one.before), ("after", one.after)):
            rows = table.reindex([(kind, index) for index in own["id"]])
            told[when] = [_short(value) for value in rows["high"]]
            if kind == "bus":
                told[f"{when}_low"] = [_short(value) for value in rows["low"]]
        yield str(kind), told


def _short(value: float) -> float | None:
    """Return a number of six digits, None for none."""
    return float(f"{value:.6g}") if value == value else None  # noqa: PLR0124 - NaN differs


def difference_legend() -> tuple[Sign, ...]:
    """Return what colours and shapes of a map of differences mean."""
    little, much = STEPS_PERCENT
    small, large = STEPS_PU
    return (
        Sign(f"loading lower by more than {much:g} percentage points", FALLING[1], 4.6),
        Sign(f"by more than {little:g}", FALLING[0], 3.6),
        Sign("about the same", GREY, 2.4),
        Sign(f"higher by more than {little:g}", RISING[0], 3.6),
        Sign(f"by more than {much:g}", RISING[1], 4.6),
        Sign(f"voltage lower by more than {small:g} p.u.", FALLING[0], shape="low"),
        Sign(f"by more than {large:g}", FALLING[1], shape="low"),
        Sign(f"voltage higher by more than {small:g} p.u.", RISING[0], shape="high"),
        Sign(f"by more than {large:g}", RISING[1], shape="high"),
    )
