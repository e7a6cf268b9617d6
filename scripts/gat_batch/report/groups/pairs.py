"""Groups whose scenarios have counterparts in the reference, held against it state by state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .changes import changes

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    import pandas as pd

    from .changes import Changes
    from .scenario_violations import ScenarioViolations


@dataclass(frozen=True)
class Pairs:
    """A group and the reference, state by state.

    Attributes:
        counterparts: id of each scenario of the group -> id of its counterpart.
        before, now: violations of the reference, under the ids of the group, and of the group, in
            the states that both have solved and after the contingencies that both have.
        changes: what is new, worse, better and gone.
        states: how many states are held against each other.
        left_out: states that only one of both has or has solved.
        lost: contingencies of these states that have no solution in one of both.
    """

    counterparts: Mapping[str, str]
    before: pd.DataFrame
    now: pd.DataFrame
    changes: Changes
    states: int
    left_out: int
    lost: int


def paired(
    found: ScenarioViolations,
    violations: pd.DataFrame,
    counterparts: Mapping[str, str],
    contingencies: Set[str],
) -> Pairs:
    """Hold the states of a group against those of its counterparts.

    Args:
        found: what is solved of both.
        violations: their violations.
        counterparts: id of each scenario of the group -> id of its counterpart.
        contingencies: names of those that both have.
    """
    own = {one: one for one in counterparts}
    own_of = {there: here for here, there in counterparts.items()}
    solved, lost = (
        [{(names[one], *more) for one, *more in places if one in names} for names in (own_of, own)]
        for places in (found.solved, found.lost)
    )
    both = solved[0] & solved[1]
    states = {(scenario, snapshot) for scenario, snapshot, _ in both}
    unsure = lost[0] | lost[1]
    before, now = (
        _comparable(_named(violations, names), states, contingencies | {""}, unsure)
        for names in (own_of, own)
    )
    return Pairs(
        counterparts,
        before,
        now,
        changes(before, now),
        len(both),
        len(solved[0] ^ solved[1]),
        len({place for place in unsure if place[:2] in states}),
    )


def _named(violations: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return the violations of some scenarios, under other names."""
    if violations.empty:
        return violations
    own = violations[violations.index.get_level_values("scenario").isin(names)]
    return own.rename(index=names, level="scenario")


def _comparable(
    violations: pd.DataFrame,
    states: Set[tuple[str, str]],
    contingencies: Set[str],
    lost: Set[tuple[str, ...]],
) -> pd.DataFrame:
    if violations.empty:
        return violations
    levels = ("scenario", "snapshot", "contingency")
    places = zip(*(violations.index.get_level_values(name) for name in levels), strict=True)
    kept = [
        place[:2] in states and place[2] in contingencies and place not in lost for place in places
    ]
    return violations[kept]
