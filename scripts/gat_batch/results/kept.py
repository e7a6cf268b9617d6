"""Which rows are kept of states and contingencies beside their system rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..model.violations import violations
from .rows import VOLTAGES, Judged, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.solution import Solution

Keys = tuple[str | None, str | None, str | None]
"""Scenario, snapshot and contingency."""

OF_VIOLATIONS = {"bus": VOLTAGES}
"""Quantities that are kept of elements in violation; all of those that aren't named."""


@dataclass(frozen=True)
class KeptRows:
    """Which rows are kept.

    Attributes:
        states: ``all``, ``system``, ``violations``, or quantities by kind of element.
        contingencies: ``all``, ``violations`` or ``system``.
        criteria: by what contingencies of each category are judged; ``""`` is for states.
    """

    states: Any
    contingencies: Literal["all", "violations", "system"]
    criteria: Mapping[str, Criteria]

    def of_state(self, model: GridModel, keys: Keys, solution: Solution) -> pa.Table:
        """Return the rows of a state without contingency, the system row first.

        Args:
            model: the grid that it is of.
            keys: its keys.
            solution: its solution.
        """
        match self.states:
            case "all":
                return rows_of(model, keys, solution)
            case "system":
                return rows_of(model, keys, solution, {})
            case "violations":
                # By each bus's own band and by the common one, which the summary counts by.
                own = self.criteria[""]
                common = own.limits.voltage_band_pu
                low, high = (
                    np.maximum(own.bands[0], common[0]),
                    np.minimum(own.bands[1], common[1]),
                )
                found = violations(solution, own.limits, (low, high))
                return rows_of(model, keys, solution, found, OF_VIOLATIONS)
        positions = {
            element: np.arange(len(ids))
            for element, ids in model.ids.items()
            if element in self.states and element in solution.elements
        }
        return rows_of(model, keys, solution, positions, self.states)

    def of_contingency(
        self, model: GridModel, keys: Keys, solution: Solution, category: str = ""
    ) -> pa.Table:
        """Return the rows of a contingency of a category; arguments as for :meth:`of_state`."""
        judged = self.judged(category)
        if self.contingencies == "all":
            return rows_of(model, keys, solution, judged=judged)
        found = {}
        if self.contingencies == "violations":
            found = violations(solution, judged.criteria.limits, judged.criteria.bands)
        return rows_of(model, keys, solution, found, OF_VIOLATIONS, judged=judged)

    def judged(self, category: str) -> Judged:
        """Return a category with its criteria; the common ones where it has none."""
        return Judged(category, self.criteria.get(category, self.criteria[""]))
