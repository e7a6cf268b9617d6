"""Contingencies on top of one state: in blocks where that is exact, one by one where it isn't."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from ..breakdown import Breakdown, contained
from ..errors import GatBatchError
from ..model.contingencies.contingency import Contingency, after, is_possible, service_of
from ..model.solution import Solution
from ..opf.secured import ac_check, dispatched
from ..powerflow.extremes import worst_loading
from ..study.solver_options import DC
from .adjustment import redispatched
from .blocks import Blocks
from .consequences.actions import Remedy
from .consequences.cascade import rounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..model.contingencies.actions import Action
    from ..model.criteria import Criteria
    from ..model.grid_model import GridModel
    from ..model.state import State
    from ..solvers.study import Study
    from ..study.scenario import Cascade
    from .block_results import BlockResults

    Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Solved:
    """A block of contingencies solved.

    Attributes:
        possible: the contingencies, those left out that were out of service before.
        found: numbers of some, and what was found of them as a block.
        single: the others' numbers and solutions.
    """

    possible: Sequence[Contingency]
    found: list[tuple[list[int], BlockResults]]
    single: list[tuple[int, Solution]]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [one.name for one in self.possible]

    @property
    def in_violation(self) -> set[int]:
        """Numbers of those with a violation, or solved outside of a block."""
        blocks = {
            numbers[own]
            for numbers, block in self.found
            for found in block.violations.values()
            for own in found.number.tolist()
        }
        return blocks | {number for number, _ in self.single}

    def setting_off(self, level_percent: float) -> list[int]:
        """Return the numbers of those that overload a branch by a level, or part the grid."""
        found = [
            number
            for numbers, block in self.found
            for number, loading, status in zip(
                numbers, block.system["max_loading_percent"], block.system["status"], strict=True
            )
            if loading > level_percent or status == "islanded"
        ]
        found += [
            number
            for number, one in self.single
            if one.elements
            and (
                float(one.system.get("max_loading_percent") or 0.0) > level_percent
                or one.status == "islanded"
            )
        ]
        return sorted(found)


class ContingencySolver:
    """Solves contingencies on top of one state.

    Args:
        model: the model.
        state: the state.
        study: how it is solved.
        criteria: by what contingencies of each category are judged.
        raised: whether to find the highest loading that each contingency raises, by DC.

    Attributes:
        breakdown: the bug for which contingencies are solved one by one, or None.

    Raises:
        SolverError: as by :func:`gat_batch.solvers.study.solve`, for the state itself.
    """

    def __init__(
        self,
        model: GridModel,
        state: State,
        study: Study,
        criteria: Mapping[str, Criteria],
        *,
        raised: bool = False,
    ) -> None:
        self._criteria, self._raised = criteria, raised
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
        self._adjusted: tuple[tuple[tuple[str, int], ...], ContingencySolver, str] | None = None
        self.breakdown: Breakdown | None = None
        self._blocks: Blocks | None = None
        if self.base.elements:
            blocks = contained(partial(Blocks.of, model, state, study, criteria, raised=raised))
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
        solved = Solved(possible, [], [])
        start = 0
        for _, group in groupby(possible, lambda one: (one.category, one.before)):
            members = list(group)
            found, single = self._alike(members, whole=whole)
            solved.found.extend(([start + n for n in those], block) for those, block in found)
            solved.single.extend((start + number, solution) for number, solution in single)
            start += len(members)
        return solved

    def _alike(
        self, members: Sequence[Contingency], *, whole: bool
    ) -> tuple[list[tuple[list[int], BlockResults]], list[tuple[int, Solution]]]:
        """Solve contingencies of one category that follow the same loss, if any."""
        if members[0].before:
            return self._after_adjustment(members, whole=whole)
        found: list[tuple[list[int], BlockResults]] = []
        single: list[tuple[int, Solution]] = []
        if self._blocks:
            found, single = self._blocks.solve(members, whole=whole)
        done = {number for numbers, _ in found for number in numbers}
        done |= {number for number, _ in single}
        single += [
            (number, self.alone(one)) for number, one in enumerate(members) if number not in done
        ]
        criteria = self._criteria.get(members[0].category, self._criteria[""])
        judged = [(number, judged_by(criteria, self._model, one)) for number, one in single]
        return found, judged

    def _after_loss(self, before: tuple[tuple[str, int], ...]) -> tuple[ContingencySolver, str]:
        """Return what solves contingencies on top of a state adjusted after a loss; how it was."""
        if self._adjusted is None or self._adjusted[0] != before:
            lost = after(Contingency("", before), self._state, self._service)
            state, told = redispatched(self._model, lost, self.study.options)
            solver = ContingencySolver(
                self._model, state, self.study, self._criteria, raised=self._raised
            )
            self._adjusted = before, solver, told
        return self._adjusted[1:]

    def _after_adjustment(
        self, members: Sequence[Contingency], *, whole: bool
    ) -> tuple[list[tuple[list[int], BlockResults]], list[tuple[int, Solution]]]:
        """Solve contingencies on top of a state that is adjusted after their first loss."""
        solver, told = self._after_loss(members[0].before)
        if not solver.base.elements:
            return [], [(n, told_of(solver.base, told)) for n in range(len(members))]
        solved = solver.solve([second(one) for one in members], whole=whole)
        place = {one.name: number for number, one in enumerate(members)}
        numbers = [place[one.name] for one in solved.possible]
        blocks = [([numbers[n] for n in own], told_in(block, told)) for own, block in solved.found]
        return blocks, [(numbers[n], told_of(one, told)) for n, one in solved.single]

    def following(self, contingency: Contingency, cascade: Cascade) -> Iterator[Solution]:
        """Yield the rounds of a cascade that a contingency sets off."""
        if contingency.before:
            solver, _ = self._after_loss(contingency.before)
            yield from solver.following(second(contingency), cascade)
            return
        state, solution, remedy = self._begun(contingency)
        if solution.elements:
            first = self._state, state, solution
            yield from rounds(self._model, self.study, cascade, first, remedy.judged)

    def relieved(
        self, contingency: Contingency, actions: Sequence[Action], choose: str
    ) -> Iterator[tuple[str, Solution]]:
        """Yield name and solution of each remedial action that is taken after a contingency."""
        if contingency.before:
            solver, _ = self._after_loss(contingency.before)
            yield from solver.relieved(second(contingency), actions, choose)
            return
        state, solution, remedy = self._begun(contingency)
        if solution.elements:
            take = remedy.best if choose == "best" else remedy.in_order
            yield from take(actions, state, solution)

    def _begun(self, contingency: Contingency) -> tuple[State, Solution, Remedy]:
        """Return the state after a contingency, its solution, and its criteria."""
        criteria = self._criteria.get(contingency.category, self._criteria[""])

        def judged(solution: Solution) -> Solution:
            return judged_by(criteria, self._model, solution)

        state = self.state_after(contingency)
        remedy = Remedy(self._model, self.study, criteria, judged)
        return state, judged(self.study.solve(self._model, state)), remedy

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
        if contingency.before:
            return self._after_loss(contingency.before)[0].state_after(second(contingency))
        return after(contingency, self._state, self._service)


def second(one: Contingency) -> Contingency:
    """Return what of a contingency happens after its first loss."""
    return replace(one, outages=tuple(o for o in one.outages if o not in one.before), before=())


def judged_by(criteria: Criteria, model: GridModel, solution: Solution) -> Solution:
    """Return a solution whose loadings are in percent of the ratings of a category.

    Args:
        criteria: the category's criteria.
        model: the model.
        solution: the solution, with loadings in percent of normal ratings.
    """
    if not criteria.share or not solution.elements:
        return solution
    elements = dict(solution.elements)
    for element, share in criteria.share.items():
        loading = elements.get(element, {}).get("loading_percent")
        if loading is not None:
            elements[element] = elements[element] | {"loading_percent": loading * share}
    return replace(
        solution, elements=elements, system={**solution.system, **worst_loading(model, elements)}
    )


def told_of(solution: Solution, told: str) -> Solution:
    """Return a solution whose detail tells something more."""
    return replace(solution, detail="; ".join(filter(None, (solution.detail, told))))


def told_in(block: BlockResults, told: str) -> BlockResults:
    """Return results of a block in which every contingency's detail tells something more."""
    details = ["; ".join(filter(None, (detail, told))) for detail in block.system["detail"]]
    return replace(block, system={**block.system, "detail": details})
