"""AC contingencies screened by DC: only what a DC power flow finds severe is solved by AC."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..breakdown import Breakdown, contained
from ..solvers.study import Study
from ..study.solver_options import OPTIONS
from .solver import ContingencySolver, Solved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.contingencies.contingency import Contingency
    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.state import State

SEVERE = 0.8
"""Share of the loading limit from which on a loading that a contingency raised is severe: reactive
power and losses, which DC leaves out, make up the rest."""


class ScreenedSolver:
    """Solves contingencies on top of one state as :class:`ContingencySolver`, the severe ones only.

    Severe is what cuts load off, and what raises the loading of a branch to ``SEVERE`` times the
    limit. The others keep what DC says of them. What DC can't see, low voltages above all, is
    missed unless it comes with such loadings. Where DC has no solution of the state itself, all are
    solved by AC.

    Args:
        model: the model.
        state: the state.
        exact: solves contingencies on top of it by AC.
        criteria: by what contingencies of each category are judged.

    Attributes:
        breakdown: the bug for which all contingencies are solved by AC, or one by one by DC, or
            None.
    """

    def __init__(
        self,
        model: GridModel,
        state: State,
        exact: ContingencySolver,
        criteria: Mapping[str, Criteria],
    ) -> None:
        self._exact = exact
        study = exact.study
        options = {name: v for name, v in study.options.items() if name in OPTIONS["dc"]}
        rough = Study("dc", options, study.engine)
        found = contained(partial(ContingencySolver, model, state, rough, criteria, raised=True))
        self._rough: ContingencySolver | None = None
        self.breakdown: Breakdown | None = None
        if isinstance(found, Breakdown):
            self.breakdown = found
        else:
            self.breakdown = found.breakdown
            self._rough = found if found.base.elements else None
        self._limit = SEVERE * criteria[""].limits.loading_percent

    @property
    def block_size(self) -> int:
        """Contingencies that are best solved together."""
        return (self._rough or self._exact).block_size

    def solve(self, contingencies: Sequence[Contingency], *, whole: bool = False) -> Solved:
        """Solve some contingencies; as :meth:`ContingencySolver.solve`."""
        if not self._exact.base.elements or self._rough is None:
            return self._exact.solve(contingencies, whole=whole)
        rough = self._rough.solve(contingencies)
        place = {name: number for number, name in enumerate(rough.names)}
        harmless = {
            number
            for numbers, block_results in rough.found
            for number, raised, unserved in zip(
                numbers,
                block_results.system["max_raised_percent"],
                block_results.system["unserved_mw"],
                strict=True,
            )
            if not raised >= self._limit and unserved <= self._rough.unserved_mw
        }
        severe = [one for one in contingencies if place.get(one.name) not in {*harmless, None}]
        size = self._exact.block_size
        solved = [
            self._exact.solve(severe[start : start + size], whole=whole)
            for start in range(0, len(severe), size)
        ]
        if whole:
            rough = self._rough.solve(contingencies, whole=True)
        found = [
            ([numbers[n] for n in kept], block_results.only(kept))
            for numbers, block_results in rough.found
            if len(kept := np.flatnonzero([number in harmless for number in numbers]))
        ]
        single = [(number, one) for number, one in rough.single if number in harmless]
        for part in solved:
            places = [place[name] for name in part.names]
            found += [([places[n] for n in numbers], f) for numbers, f in part.found]
            single += [(places[number], solution) for number, solution in part.single]
        return Solved(rough.possible, found, single)
