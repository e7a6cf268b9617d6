"""Contingencies on top of one state: in blocks where that is exact, one by one where it isn't."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..breakdown import Breakdown, contained
from ..errors import GatBatchError
from ..model.contingencies import after, is_possible, service_of
from ..model.solution import Solution
from ..opf.secured import ac_check, dispatched
from ..study.solver_options import DC
from .blocks import Blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..model.contingencies import Contingency
    from ..model.grid_model import GridModel
    from ..model.state import State
    from ..model.violations import Limits
    from ..solvers.study import Study
    from .block_results import BlockResults

    Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Solved:
    """A block of contingencies solved.

    Attributes:
        names: their names, those left out that were out of service before.
        found: numbers of some, and what was found of them as a block.
        single: the others' numbers and solutions.
    """

    names: list[str]
    found: list[tuple[list[int], BlockResults]]
    single: list[tuple[int, Solution]]


class ContingencySolver:
    """Solves contingencies on top of one state.

    Args:
        model: the model.
        state: the state.
        study: how it is solved.
        limits: what counts as a violation.
        raised: whether to find the highest loading that each contingency raises, by DC.

    Attributes:
        breakdown: the bug for which contingencies are solved one by one, or None.

    Raises:
        SolverError: as by :func:`gat_batch.solvers.study.solve`, for the state itself.
    """

    def __init__(
        self, model: GridModel, state: State, study: Study, limits: Limits, *, raised: bool = False
    ) -> None:
        self._model, self._state, self.study = model, state, study
        self._service = service_of(model.net, state)
        self.base = study.solve(model, state)
        if study.secure and self.base.elements:
            # Contingencies meet the dispatch as it is: that is what makes it a preventive one.
            self._state = state = dispatched(model, state, self.base)
            self.base = replace(
                self.base, detail="; ".join((self.base.detail, ac_check(model, state)))
            )
            plain = {name: value for name, value in study.options.items() if name in DC}
            self.study = study = replace(study, solver="dc", options=plain)
        self.breakdown: Breakdown | None = None
        self._blocks: Blocks | None = None
        if self.base.elements:
            blocks = contained(partial(Blocks.of, model, state, study, limits, raised=raised))
            if isinstance(blocks, Breakdown):
                self.breakdown = blocks
            else:
                self._blocks = blocks

    @property
    def unserved_mw(self) -> float:
        """Load that the state itself cuts off, in MW."""
        return float(self.base.system.get("unserved_mw") or 0.0)

    @property
    def block_size(self) -> int:
        """Contingencies that are best solved together."""
        return self._blocks.size if self._blocks else 1

    def solve(self, contingencies: Sequence[Contingency], *, whole: bool = False) -> Solved:
        """Solve some contingencies.

        Args:
            contingencies: those, not many more than :attr:`block_size`.
            whole: whether to hand out whole solutions and no block_results.

        Returns:
            The solutions; none on top of a state without one.
        """
        if not self.base.elements:
            return Solved([], [], [])
        possible = [one for one in contingencies if is_possible(one, self._service)]
        names = [one.name for one in possible]
        found: list[tuple[list[int], BlockResults]] = []
        single: list[tuple[int, Solution]] = []
        if self._blocks and possible:
            found, single = self._blocks.solve(possible, whole=whole)
        done = {number for numbers, _ in found for number in numbers}
        done |= {number for number, _ in single}
        single += [
            (number, self.alone(one)) for number, one in enumerate(possible) if number not in done
        ]
        return Solved(names, found, single)

    def alone(self, contingency: Contingency) -> Solution:
        """Solve one contingency as any other state; a failure is told in its solution."""
        try:
            found = contained(lambda: self.study.solve(self._model, self.state_after(contingency)))
        except GatBatchError as error:
            return Solution("not_converged", "", detail=str(error))
        if isinstance(found, Breakdown):
            return Solution("not_converged", "", detail=found.detail)
        return found

    def state_after(self, contingency: Contingency) -> State:
        """Return the state that a contingency leads to."""
        return after(contingency, self._state, self._service)
