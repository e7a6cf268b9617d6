"""Two groups of states on one map: by how much each element differs between them.

Groups are those that a manifest compares, or the same scenarios of two batches. Of each branch the
highest value counts, of each bus the lowest and the highest voltage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..figures import GREY
from ..groups.changes import THIS_BATCH
from ..groups.violations import ITEM, summed
from ..section import Sign
from ..states.gathering import SHOWN
from .after_contingencies import AfterContingencies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from ..against.violation_changes import ViolationChanges
    from ..groups.judging import Judged
    from ..groups.standing import Standing
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
        contingencies: what they do in both: the worst of each first, then scenario by scenario.
        counterparts: scenario of the group -> the one of the reference that its states can be held
            against.
        other_batch: whether the reference is another batch, with the same scenarios.
    """

    name: str
    reference: str
    before: pd.DataFrame
    after: pd.DataFrame
    contingencies: tuple[AfterContingencies, ...] = ()
    counterparts: Mapping[str, str] = field(default_factory=dict)
    other_batch: bool = False


def differences(
    summary: Summary, judged: Judged, changed: ViolationChanges | None = None
) -> Iterator[Difference]:
    """Yield what can be compared: each group with the first one, the batch with the other one.

    Args:
        summary: the summary.
        judged: how the groups stand.
        changed: how violations differ from those of the other batch, if there is one.
    """
    extremes = summary.found.extremes
    if summary.other is not None and changed is not None:
        yield Difference(
            THIS_BATCH,
            summary.other.name,
            summary.before.extremes,
            extremes[""],
            (_worst(changed), AfterContingencies(changed.before, changed.now)),
            other_batch=True,
        )
    groups = list(judged.standings.items()) if summary.groups else []
    for name, now in groups[1:]:
        reference, before = groups[0]
        pairs = judged.pairs.get(name)
        worst = _worst_of_each(before, now)
        yield Difference(
            name,
            reference,
            extremes[reference],
            extremes[name],
            (worst, AfterContingencies(pairs.before, pairs.now)) if pairs else (worst,),
            pairs.counterparts if pairs else {},
        )


def _worst_of_each(before: Standing, now: Standing) -> AfterContingencies:
    """Return the worst of two groups after the contingencies that both have."""
    both = before.contingencies & now.contingencies
    there, here = (
        one.violations[one.violations.index.get_level_values("contingency").isin(both)]
        if len(one.violations)
        else one.violations
        for one in (before, now)
    )
    return AfterContingencies(there, here, before.lost_ones & both, now.lost_ones & both)


def _worst(changed: ViolationChanges) -> AfterContingencies:
    """Return the worst of all scenarios that both batches have solved."""
    before, now = (summed(one, ITEM) if len(one) else one for one in (changed.before, changed.now))
    lost_before, lost = (
        {contingency for _, contingency in one} for one in (changed.lost_before, changed.lost)
    )
    return AfterContingencies(before, now, lost_before, lost)


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
            "after": [entry for told in one.contingencies for entry in told.entries()],
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


def difference_legend(*, voltages: bool) -> tuple[Sign, ...]:
    """Return what colours and shapes of a map of differences mean."""
    little, much = STEPS_PERCENT
    small, large = STEPS_PU
    loadings = (
        Sign(f"loading lower by more than {much:g} percentage points", FALLING[1], 4.6),
        Sign(f"by more than {little:g}", FALLING[0], 3.6),
        Sign("about the same", GREY, 2.4),
        Sign(f"higher by more than {little:g}", RISING[0], 3.6),
        Sign(f"by more than {much:g}", RISING[1], 4.6),
    )
    if not voltages:
        return loadings
    return (
        *loadings,
        Sign(f"voltage lower by more than {small:g} p.u.", FALLING[0], shape="low"),
        Sign(f"by more than {large:g}", FALLING[1], shape="low"),
        Sign(f"voltage higher by more than {small:g} p.u.", RISING[0], shape="high"),
        Sign(f"by more than {large:g}", RISING[1], shape="high"),
    )
