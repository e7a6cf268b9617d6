"""Violations of the same scenarios in two batches, held against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ...model.solution import SOLVED
from ..groups.changes import changes
from ..groups.judged_rows import judged_rows
from ..groups.violations import ITEM, summed, violations_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..groups.changes import Changes
    from ..summary_tables import Summary

ITEM_OF_SCENARIO = ["scenario", *ITEM]
"""What makes a violation the same one in another snapshot or batch."""

MOST_PARTS = 16
"""Most tables of violations that are kept before they are summed up."""


@dataclass(frozen=True)
class ViolationChanges:
    """How violations differ between two batches.

    Attributes:
        changes: what is new, worse, better and gone, indexed by :data:`ITEM_OF_SCENARIO`.
        lost, lost_before: contingencies of scenarios that have no solution in this batch alone, and
            in the other one alone.
        only_here, only_there: names of contingencies that only one of them has.
    """

    changes: Changes
    lost: int
    lost_before: int
    only_here: int
    only_there: int


@dataclass(frozen=True)
class _Found:
    """Violations of a batch, names of its contingencies, and those without a solution."""

    violations: pd.DataFrame
    contingencies: set[str]
    lost: set[tuple[str, str]]


def violation_changes(summary: Summary, other: Summary) -> ViolationChanges:
    """Compare the violations of the scenarios that both batches have solved.

    Contingencies that only one batch has, or that have no solution in one, are left out. What is
    kept in memory depends on the number of violations.

    Args:
        summary: the summary of the batch.
        other: that of the other one, to be judged by the same limits.
    """
    here, there = (_found(one, summary.common) for one in (summary, other))
    both = (here.contingencies & there.contingencies) | {""}
    lost = here.lost | there.lost
    told = changes(
        _comparable(there.violations, both, lost), _comparable(here.violations, both, lost)
    )
    return ViolationChanges(
        told,
        len(here.lost - there.lost),
        len(there.lost - here.lost),
        len(here.contingencies - there.contingencies),
        len(there.contingencies - here.contingencies),
    )


def _found(summary: Summary, chosen: Sequence[str]) -> _Found:
    table = summary.scenarios
    counts = ["loading_violations", "voltage_violations"]
    bare = set(table.index[table[counts].isna().any(axis=1)])
    found = _Found(pd.DataFrame(), set(), set())
    parts: list[pd.DataFrame] = []
    for rows in judged_rows(summary.aggregated, chosen, summary.limits):
        after = rows[(rows["element"] == "system") & (rows["contingency"] != "")]
        found.contingencies.update(after["contingency"])
        lost = after[~after["status"].isin(SOLVED)]
        found.lost.update(zip(lost["scenario"], lost["contingency"], strict=True))
        violations = violations_in(rows, summary.limits, bare)
        if len(violations):
            parts.append(summed(violations.assign(states=1), ITEM_OF_SCENARIO))
        if len(parts) > MOST_PARTS:
            parts = [summed(pd.concat(parts), ITEM_OF_SCENARIO)]
    every = summed(pd.concat(parts), ITEM_OF_SCENARIO) if parts else pd.DataFrame()
    return _Found(every, found.contingencies, found.lost)


def _comparable(
    violations: pd.DataFrame, names: set[str], lost: set[tuple[str, str]]
) -> pd.DataFrame:
    if violations.empty:
        return violations
    scenario, contingency = (
        violations.index.get_level_values(name) for name in ("scenario", "contingency")
    )
    kept = contingency.isin(names)
    if lost:
        kept &= ~pd.MultiIndex.from_arrays([scenario, contingency]).isin(list(lost))
    return violations[kept]
