"""Which rows are kept of states and contingencies beside their system rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..model.violations import in_violation, violations
from .rows import VOLTAGES, Judged, rows_of, rows_of_block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.solution import BlockSolution, Solution

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
        elements = {
            element: {name: values[None] for name, values in known.items()}
            for element, known in solution.elements.items()
        }
        chosen = self._chosen(model, elements, 1)
        kept = None
        if chosen is not None:
            kept = {element: np.flatnonzero(rows[0]) for element, rows in chosen.items()}
        return rows_of(model, keys, solution, kept, self._quantities)

    def of_block(
        self,
        model: GridModel,
        scenarios: Sequence[str],
        snapshots: Sequence[str | None],
        block: BlockSolution,
    ) -> pa.Table:
        """Return the rows of states of a block without contingency, one after the other.

        Args:
            model: the grid that they are of.
            scenarios: scenario of each.
            snapshots: name of each.
            block: their solutions.
        """
        chosen = self._chosen(model, block.elements, len(snapshots))
        return rows_of_block(
            model, scenarios, snapshots, block, chosen=chosen, quantities=self._quantities
        )

    @property
    def _quantities(self) -> Mapping[str, Sequence[str]]:
        if isinstance(self.states, str):
            return OF_VIOLATIONS if self.states == "violations" else {}
        return dict(self.states)

    def _chosen(
        self,
        model: GridModel,
        elements: Mapping[str, Mapping[str, NDArray[np.float64]]],
        states: int,
    ) -> dict[str, NDArray[np.bool_]] | None:
        """Tell which rows of elements are kept, shape (states, elements); None for all."""
        match self.states:
            case "all":
                return None
            case "system":
                return {}
            case "violations":
                # By each bus's own band and by the common one, which the summary counts by.
                own = self.criteria[""]
                common = own.limits.voltage_band_pu
                bands = np.maximum(own.bands[0], common[0]), np.minimum(own.bands[1], common[1])
                return in_violation(elements, own.limits, bands)
        return {
            element: np.ones((states, len(ids)), bool)
            for element, ids in model.ids.items()
            if element in self.states and element in elements
        }

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
