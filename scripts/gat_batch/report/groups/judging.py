"""How groups and scenarios stand: all that is made of the rows that tell of limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .judged_rows import judged_rows
from .pairs import paired
from .scenario_violations import ScenarioViolations
from .standing import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..summary_tables import Summary
    from .pairs import Pairs
    from .standing import Standing

MOST_VIOLATIONS = 2_000_000
"""Most violations of scenarios with counterparts; beyond them the worst of each group counts."""


@dataclass(frozen=True)
class Asked:
    """What a manifest asks of the report.

    Attributes:
        question: what the batch is to answer, or empty.
        groups: name -> ids of its scenarios, the reference first; may be empty.
        bare: ids of scenarios that left out rows that tell of limits.
        counterparts: name of a group -> id of each of its scenarios -> id of the one of the
            reference that differs from it in nothing but the group.
    """

    question: str = ""
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    bare: frozenset[str] = frozenset()
    counterparts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """How the groups and scenarios of a batch stand.

    Attributes:
        standings: group -> how it stands; all scenarios are one if a question names no groups.
        pairs: group -> it and the reference, state by state, where it can be told so.
        common: violations of the scenarios that another batch has solved, too.
    """

    standings: Mapping[str, Standing]
    pairs: Mapping[str, Pairs]
    common: ScenarioViolations


def judge(summary: Summary, asked: Asked) -> Judged:
    """Read the rows that tell of limits, once.

    Args:
        summary: the summary.
        asked: what the manifest asks.
    """
    groups = dict(asked.groups)
    if asked.question and not groups:
        groups["all scenarios"] = list(summary.scenarios["scenario"])
    tallies = {name: Tally(summary, ids, asked.bare) for name, ids in groups.items()}
    common = ScenarioViolations(summary.common, summary.limits, without_counts(summary))
    matched = {
        one for pairs in asked.counterparts.values() for both in pairs.items() for one in both
    }
    states = ScenarioViolations(matched, summary.limits, asked.bare, of_states=True)
    chosen = dict.fromkeys([*(one for ids in groups.values() for one in ids), *summary.common])
    if chosen:
        for rows in judged_rows(summary.aggregated, list(chosen), summary.limits):
            for tally in tallies.values():
                tally.add(rows)
            for violations in (common, states):
                violations.add(rows)
    standings = {name: tally.standing() for name, tally in tallies.items()}
    return Judged(standings, _pairs(states, asked, standings), common)


def without_counts(summary: Summary) -> set[str]:
    """Return scenarios whose rows don't tell how often limits are broken."""
    counts = summary.scenarios[["loading_violations", "voltage_violations"]]
    return set(summary.scenarios.index[counts.isna().any(axis=1)])


def _pairs(
    states: ScenarioViolations, asked: Asked, standings: Mapping[str, Standing]
) -> dict[str, Pairs]:
    violations = states.table()
    if len(violations) > MOST_VIOLATIONS or not asked.counterparts:
        return {}
    reference = next(iter(standings.values()))
    return {
        name: paired(
            states, violations, pairs, reference.contingencies & standings[name].contingencies
        )
        for name, pairs in asked.counterparts.items()
    }
