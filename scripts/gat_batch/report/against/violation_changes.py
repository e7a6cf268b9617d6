"""Violations of the same scenarios in two batches, held against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ..groups.changes import changes
from ..groups.judged_rows import judged_rows
from ..groups.judging import without_counts
from ..groups.scenario_violations import ScenarioViolations

if TYPE_CHECKING:
    from ..groups.changes import Changes
    from ..summary_tables import Summary


@dataclass(frozen=True)
class ViolationChanges:
    """How violations differ between two batches.

    Attributes:
        changes: what is new, worse, better and gone, indexed by ``ITEM_OF_SCENARIO``.
        before, now: all violations of the other batch and of this one that can be compared.
        lost, lost_before: scenarios and contingencies that have no solution in this batch, and in
            the other one.
        only_here, only_there: names of contingencies that only one of them has.
    """

    changes: Changes
    before: pd.DataFrame
    now: pd.DataFrame
    lost: frozenset[tuple[str, str]]
    lost_before: frozenset[tuple[str, str]]
    only_here: int
    only_there: int

    @property
    def newly_lost(self) -> int:
        """How many contingencies have no solution any more."""
        return len(self.lost - self.lost_before)

    @property
    def found_now(self) -> int:
        """How many that had no solution have one now."""
        return len(self.lost_before - self.lost)


def violation_changes(
    here: ScenarioViolations, summary: Summary, other: Summary
) -> ViolationChanges:
    """Compare the violations of the scenarios that both batches have solved.

    Contingencies that only one batch has, or that have no solution in one, are left out. What is
    kept in memory depends on the number of violations.

    Args:
        here: the violations of the batch.
        summary: its summary.
        other: that of the other one, to be judged by the same limits.
    """
    there = ScenarioViolations(summary.common, summary.limits, without_counts(other))
    for rows in judged_rows(other.aggregated, summary.common, summary.limits):
        there.add(rows)
    both = (here.contingencies & there.contingencies) | {""}
    lost, lost_before = (
        {(scenario, contingency) for scenario, _, contingency in one.lost} for one in (here, there)
    )
    before, now = (_comparable(one.table(), both, lost | lost_before) for one in (there, here))
    return ViolationChanges(
        changes(before, now),
        before,
        now,
        frozenset(lost),
        frozenset(lost_before),
        len(here.contingencies - there.contingencies),
        len(there.contingencies - here.contingencies),
    )


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
