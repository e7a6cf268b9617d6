"""Violations of scenarios, each scenario by itself, as they are held against others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ...model.solution import SOLVED
from .judged_rows import among
from .violations import ITEM, summed, violations_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from ...model.violations import Limits

ITEM_OF_SCENARIO = ["scenario", *ITEM]
ITEM_OF_STATE = ["scenario", "snapshot", *ITEM]
"""What makes a violation the same one in another snapshot or batch, and in another group."""

MOST_PARTS = 16
"""Most tables of violations that are kept before they are summed up."""

Place = tuple[str, str, str]
"""A scenario, its snapshot or nothing, and a contingency or nothing."""


class ScenarioViolations:
    """Adds up the violations of scenarios, and what of them has no solution.

    What is kept in memory depends on the number of violations and states.

    Args:
        ids: the scenarios.
        limits: what counts as a violation.
        bare: ids of scenarios that left out rows that tell of limits.
        of_states: whether each snapshot is told by itself; else the worst of all counts.

    Attributes:
        contingencies: names of all contingencies.
        solved: states with a solution.
        lost: contingencies without one.
    """

    def __init__(
        self,
        ids: Collection[str],
        limits: Limits,
        bare: Collection[str],
        *,
        of_states: bool = False,
    ) -> None:
        self._ids, self._limits, self._bare = set(ids), limits, set(bare)
        self._item = ITEM_OF_STATE if of_states else ITEM_OF_SCENARIO
        self.contingencies: set[str] = set()
        self.solved: set[Place] = set()
        self.lost: set[Place] = set()
        self._parts: list[pd.DataFrame] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows as ``judged_rows`` yields them."""
        if not self._ids:
            return
        own = rows[among(rows["scenario"], self._ids)]
        system = own[own["element"] == "system"]
        after = system["contingency"] != ""
        solved = system["status"].isin(SOLVED)
        self.contingencies.update(system["contingency"][after])
        self.solved.update(_places(system[solved & ~after]))
        self.lost.update(_places(system[~solved & after]))
        violations = violations_in(own, self._limits, self._bare)
        if len(violations):
            self._parts.append(summed(violations.assign(states=1), self._item))
        if len(self._parts) > MOST_PARTS:
            self._parts = [self.table()]

    def table(self) -> pd.DataFrame:
        """Return each violation once, indexed by what it is of; empty without any."""
        return summed(pd.concat(self._parts), self._item) if self._parts else pd.DataFrame()


def _places(system: pd.DataFrame) -> list[Place]:
    columns = ("scenario", "snapshot", "contingency")
    return list(zip(*(system[name] for name in columns), strict=True))
