"""Which rows are kept of states and contingencies beside their system rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..model.violations import violations
from .rows import VOLTAGES, rows_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from ..model.grid_model import GridModel
    from ..model.solution import Solution
    from ..model.violations import Limits

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
        limits: what counts as a violation.
        bands: lowest and highest voltage of each bus in p.u.
    """

    states: Any
    contingencies: Literal["all", "violations", "system"]
    limits: Limits
    bands: tuple[NDArray[np.float64], ...]

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
                common = self.limits.voltage_band_pu
                low, high = (
                    np.maximum(self.bands[0], common[0]),
                    np.minimum(self.bands[1], common[1]),
                )
                found = violations(solution, self.limits, (low, high))
                return rows_of(model, keys, solution, found, OF_VIOLATIONS)
        positions = {
            element: np.arange(len(ids))
            for element, ids in model.ids.items()
            if element in self.states and element in solution.elements
        }
        return rows_of(model, keys, solution, positions, self.states)

    def of_contingency(self, model: GridModel, keys: Keys, solution: Solution) -> pa.Table:
        """Return the rows of a contingency; arguments as for :meth:`of_state`."""
        if self.contingencies == "all":
            return rows_of(model, keys, solution)
        found = {}
        if self.contingencies == "violations":
            found = violations(solution, self.limits, self.bands)
        return rows_of(model, keys, solution, found, OF_VIOLATIONS)
