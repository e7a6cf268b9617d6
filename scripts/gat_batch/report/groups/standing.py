"""How a group of scenarios stands: what is violated, where, how often, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...model.solution import SOLVED
from ...study.scenario import OPTIMAL
from .judged_rows import STATE, among
from .violations import extreme_rows, summed, violations_in

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..summary_tables import Summary

MOST_PARTS = 16
"""Most tables of violations that are kept before they are summed up."""


@dataclass(frozen=True)
class Extreme:
    """The worst value of a quantity in a group.

    Attributes:
        value: the value.
        element: what it is of, as ``line:12``; empty for a whole state.
        contingency: after what; empty before any contingency.
        scenario: in which scenario.
        snapshot: in which of its snapshots; empty if it has none.
    """

    value: float
    element: str
    contingency: str
    scenario: str
    snapshot: str


@dataclass
class Standing:
    """How a group stands.

    Attributes:
        scenarios: its scenarios.
        failed: those without a result.
        states, optima: base cases and snapshots of its power flows, and of its optimal ones.
        unsolved: those of either that have no solution.
        contingencies: names of all contingencies on top of them.
        lost: how often one had no solution.
        lost_ones: names of these.
        broken_states, broken_optima: states of either kind in which a limit is broken, before or
            after a contingency.
        broken_before: those of either in which one is broken before any.
        violations: the violations, indexed by :data:`ITEM`: ``states`` in which each occurs, and
            of the worst ``value``, ``limit``, ``excess``, ``scenario`` and ``snapshot``.
        loading, lowest, highest, unserved: the worst loading in percent (of its power flows, if it
            has any), voltages in p.u., load cut off in MW; None where there are none.
        course: that loading in each snapshot, in the order of the results: ``snapshot``,
            ``value``, ``at``, ``contingency`` and ``scenario``.
        cost: objective of its optimal power flows, sum over snapshots; None without any, or if
            one has no optimum.
        priced: snapshots of these.
        losses: losses of its AC states in MW, mean; None without any.
        balanced: number of these.
        partial: whether rows that tell of limits were left out in any of its scenarios.
    """

    scenarios: int
    failed: int = 0
    states: int = 0
    optima: int = 0
    unsolved: int = 0
    contingencies: set[str] = field(default_factory=set)
    lost: int = 0
    lost_ones: set[str] = field(default_factory=set)
    broken_states: int = 0
    broken_optima: int = 0
    broken_before: int = 0
    violations: pd.DataFrame = field(default_factory=pd.DataFrame)
    loading: Extreme | None = None
    lowest: Extreme | None = None
    highest: Extreme | None = None
    unserved: Extreme | None = None
    course: pd.DataFrame = field(default_factory=pd.DataFrame)
    cost: float | None = None
    priced: int = 0
    losses: float | None = None
    balanced: int = 0
    partial: bool = False

    @property
    def whole(self) -> bool:
        """Whether all violations are known: all of it is solved, and no rows were left out."""
        return not (self.failed or self.unsolved or self.lost or self.partial)

    @property
    def holds(self) -> bool:
        """Whether all of it is solved and nothing violated."""
        return not (self.failed or self.unsolved or self.lost or len(self.violations))


class Tally:
    """Adds up the rows of a group.

    Args:
        summary: the summary.
        ids: the scenarios of the group.
        bare: ids of scenarios that left out rows that tell of limits; of these the extremes of each
            state tell whether it is violated.
    """

    def __init__(self, summary: Summary, ids: Sequence[str], bare: Collection[str]) -> None:
        self._ids, self._bare, self._limits = set(ids), set(bare), summary.limits
        table = summary.scenarios.loc[list(ids)]
        self._optimal = set(table.index[table["solver"].isin(OPTIMAL)])
        self._flows = len(self._optimal) < len(table)
        self._found = _of_table(table)
        self._found.partial = not self._bare.isdisjoint(self._ids)
        self._violations: list[pd.DataFrame] = []
        self._broken: list[pd.DataFrame] = []
        self._course = pd.DataFrame()

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows as :func:`judged_rows` yields them."""
        own = rows[among(rows["scenario"], self._ids)]
        system = own[own["element"] == "system"]
        base, after = system[system["contingency"] == ""], system[system["contingency"] != ""]
        found = self._found
        optima = int(among(base["scenario"], self._optimal).sum())
        found.states += len(base) - optima
        found.optima += optima
        found.contingencies |= set(after["contingency"])
        lost = after["contingency"][~after["status"].isin(SOLVED)]
        found.lost += len(lost)
        found.lost_ones |= set(lost)
        most, low, high = extreme_rows(system)
        if self._flows:  # Where there are power flows, optima lie at their limits as they should.
            most = most[~among(most["scenario"], self._optimal)]
        found.loading = _worse(found.loading, most, 1)
        found.lowest = _worse(found.lowest, low, -1)
        found.highest = _worse(found.highest, high, 1)
        cut = system.assign(value=system["unserved_mw"], at="")
        found.unserved = _worse(found.unserved, cut[cut["value"] > 0], 1)
        self._course = _worst(pd.concat([self._course, most]), ["snapshot"], "value")
        violations = violations_in(own, self._limits, self._bare)
        if len(violations):
            states = violations[STATE].assign(before=violations["contingency"] == "")
            self._broken.append(states.groupby(STATE, sort=False).max().reset_index())
            self._violations.append(summed(violations.assign(states=1)))
        if len(self._violations) > MOST_PARTS:
            self._violations = [summed(pd.concat(self._violations))]

    def standing(self) -> Standing:
        """Return what all rows come to."""
        found = self._found
        if self._violations:
            found.violations = summed(pd.concat(self._violations))
            broken = pd.concat(self._broken).groupby(STATE, sort=False)["before"].max()
            optimal = broken.index.get_level_values("scenario").isin(self._optimal)
            found.broken_states, found.broken_optima = int((~optimal).sum()), int(optimal.sum())
            found.broken_before = int(broken.sum())
        found.course = self._course
        return found


def _of_table(scenarios: pd.DataFrame) -> Standing:
    """Return what the table of scenarios says of a group."""
    found = Standing(len(scenarios), failed=int((scenarios["status"] == "failed").sum()))
    found.unsolved = int(scenarios[["not_converged", "infeasible"]].sum().sum())
    optimal = scenarios[scenarios["solver"].isin(OPTIMAL)]
    if len(optimal) and optimal["status"].isin(SOLVED).all():
        found.cost = float(optimal["objective"].sum())
        found.priced = int(optimal["snapshots"].sum())
    lossy = scenarios[(scenarios["solver"] == "ac") & scenarios["loss_mw"].notna()]
    if len(lossy):
        solved = lossy["snapshots"] - lossy["not_converged"]
        found.losses = float(np.average(lossy["loss_mw"], weights=solved))
        found.balanced = int(solved.sum())
    return found


def _worse(known: Extreme | None, rows: pd.DataFrame, sign: int) -> Extreme | None:
    """Return the extreme of what is known and of more rows: the highest, or with -1 the lowest."""
    if rows.empty:
        return known
    row = rows.iloc[int((sign * rows["value"]).to_numpy().argmax())]
    if known is not None and sign * known.value >= sign * row["value"]:
        return known
    place = (str(row[name]) for name in ("at", "contingency", "scenario", "snapshot"))
    return Extreme(float(row["value"]), *place)


def _worst(rows: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Return the row with the highest value for each key, in the order in which keys appear."""
    if rows.empty:
        return rows
    rows = rows.reset_index(drop=True)
    return rows.loc[rows.groupby(by, sort=False)[column].idxmax()]
