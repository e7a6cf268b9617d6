"""States of several results, gathered so that their figures are computed for all at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..results.schema import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..study.scenario import Scenario

QUANTITIES = ("vm_pu", "loading_percent", "p_mw", "q_mvar", "p_from_mw")

COLUMNS = ("snapshot", "element", "id", "name", *QUANTITIES, *SYSTEM)
"""Columns that are kept of states, as no figure needs others."""

MOST_ROWS = 40_000
"""Rows that are gathered before they are handed on; one part of a result may have more."""

MOST_SCENARIOS = 10_000
"""Scenarios that are gathered likewise; of those that keep little each takes more than its rows."""


@dataclass(frozen=True)
class BaseStates:
    """Whole states of scenarios on one grid, without contingencies.

    Attributes:
        scenarios: the scenarios, in the order of the manifest.
        owner: position among them of each row's scenario, ascending, shape (rows,).
        table: the rows, as in results, with :data:`COLUMNS`.
        keep: which rows were kept of the states, as the manifest has it.
    """

    scenarios: Sequence[Scenario]
    owner: NDArray[np.int64]
    table: pa.Table
    keep: Any = "all"

    @cached_property
    def _kinds(self) -> tuple[list[str], NDArray[np.int32]]:
        kinds = self.table["element"].combine_chunks().dictionary_encode()
        return kinds.dictionary.to_pylist(), kinds.indices.to_numpy()

    def are(self, *elements: str) -> NDArray[np.bool_]:
        """Return whether each row is of one of some kinds of elements, shape (rows,)."""
        names, codes = self._kinds
        told: NDArray[np.bool_] = np.array([name in elements for name in names], bool)[codes]
        return told

    def values(self, quantity: str) -> NDArray[np.float64]:
        """Return a quantity of all rows, NaN where a row has none, shape (rows,)."""
        column: NDArray[np.float64] = self.table[quantity].to_numpy()
        return column

    def count(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count how many of the rows marked each scenario has, shape (scenarios,).

        Args:
            rows: whether each row counts, shape (rows,).
        """
        return np.bincount(self.owner[rows], minlength=len(self.scenarios))


@dataclass
class Gathering:
    """Gathers parts of results until there are enough, or the grid changes."""

    _scenarios: list[Scenario] = field(default_factory=list)
    _parts: list[pa.Table] = field(default_factory=list)
    _owners: list[int] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)
    _rows: int = 0
    _keep: Any = "all"

    def takes(self, scenario: Scenario, keep: Any) -> bool:
        """Return whether a part of this scenario may be added before the states are handed on."""
        if not self._scenarios:
            return True
        enough = self._rows >= MOST_ROWS or len(self._scenarios) >= MOST_SCENARIOS
        return not enough and self._scenarios[-1].grid == scenario.grid and self._keep == keep

    def add(
        self, scenarios: Sequence[Scenario], part: pa.Table, counts: Sequence[int], keep: Any
    ) -> None:
        """Add whole states of scenarios, without their contingencies.

        Args:
            scenarios: the scenarios.
            part: the rows.
            counts: number of rows of each scenario.
            keep: which rows were kept of their states.
        """
        self._keep = keep
        for scenario, count in zip(scenarios, counts, strict=True):
            if not self._scenarios or self._scenarios[-1] is not scenario:
                self._scenarios.append(scenario)
            self._owners.append(len(self._scenarios) - 1)
            self._counts.append(count)
        self._parts.append(part)
        self._rows += len(part)

    def states(self) -> BaseStates | None:
        """Hand on what was gathered, None if nothing was, and begin anew."""
        if not self._parts:
            return None
        owner = np.repeat(self._owners, self._counts)
        # Columns are selected of all parts at once, as it takes as long for a single one.
        if len({part.num_columns for part in self._parts}) > 1:
            self._parts = [part.select(COLUMNS) for part in self._parts]
        rows = pa.concat_tables(self._parts).select(COLUMNS).combine_chunks()
        states = BaseStates(self._scenarios, owner, rows, self._keep)
        self._scenarios, self._parts, self._rows = [], [], 0
        self._owners, self._counts = [], []
        return states
