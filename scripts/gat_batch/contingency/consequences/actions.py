"""Remedial actions: what is done after a contingency, in order, until nothing is violated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...files.words import numbered
from ...model.state import Change
from ...model.violations import violations
from ...opf.secured import dispatched
from ...opf.solve import solve_opf
from ...powerflow.injections.state_columns import Columns
from ...study.opf_tables import REDISPATCH
from ...study.solver_options import DC
from ..adjustment import LEAST_MW, moved_mw, with_ratings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ...model.contingencies.actions import Action, Step
    from ...model.criteria import Criteria
    from ...model.grid_model import GridModel
    from ...model.solution import Solution
    from ...model.state import State
    from ...solvers.study import Study
    from .cascade import Judge

LAST_RESORT = 1e3
"""What a MW costs in a redispatch of an element that isn't of the group, where one of the group
costs 1."""


@dataclass(frozen=True)
class Remedy:
    """What actions are tried on.

    Attributes:
        model: the model, with no state laid over its network.
        study: how states are solved.
        criteria: what counts as a violation after the contingency.
        judged: puts the loadings of a solution in percent of the ratings that count.
    """

    model: GridModel
    study: Study
    criteria: Criteria
    judged: Judge

    def in_order(
        self, actions: Sequence[Action], state: State, solution: Solution
    ) -> Iterator[tuple[str, Solution]]:
        """Take actions one after the other, each if it is due, until nothing is violated.

        Args:
            actions: those that are meant for the contingency.
            state: the state after it.
            solution: its solution.

        Yields:
            Name and solution after each action that is taken; ``detail`` tells how it ended.
        """
        taken = []
        for action in actions:
            broken = self._broken(solution)
            if not broken and action.condition != "always":
                continue
            if not action.is_due(broken):
                continue
            following, found, told = self._after(action, state)
            if not found.elements:
                yield action.name, _told(found, f"{action.name} leads to no solution", told)
                continue
            state, solution = following, found
            taken.append(action.name)
            left = sum(map(len, self._broken(solution).values()))
            end = f"{numbered(left, 'violation')} left" if left else "nothing is violated"
            yield action.name, _told(solution, f"after {', '.join(taken)}: {end}", told)

    def best(
        self, actions: Sequence[Action], state: State, solution: Solution
    ) -> Iterator[tuple[str, Solution]]:
        """Take the one action that relieves most; arguments and yields as :meth:`in_order`."""
        before = self.burden(solution)
        if before <= 0:
            return
        tried = [(action, *self._after(action, state)[1:]) for action in actions]
        solved = [(self.burden(one[1]), n) for n, one in enumerate(tried) if one[1].elements]
        least, number = min(solved, default=(np.inf, -1))
        if least >= before:
            yield "none", _told(solution, f"none of {numbered(len(actions), 'action')} helps", "")
            return
        action, found, told = tried[number]
        left = sum(map(len, self._broken(found).values()))
        end = f"{numbered(left, 'violation')} left" if left else "nothing is violated"
        most = f"{action.name} relieves most of {numbered(len(actions), 'action')}: {end}"
        yield action.name, _told(found, most, told)

    def burden(self, solution: Solution) -> float:
        """Return the sum of violations: percent of loading, and of voltage in p.u."""
        total = 0.0
        for element, positions in self._broken(solution).items():
            if element == "bus":
                vm = solution.elements["bus"]["vm_pu"][positions]
                low, high = (band[positions] for band in self.criteria.bands)
                total += 100 * float(np.maximum(low - vm, vm - high).sum())
            else:
                loading = solution.elements[element]["loading_percent"][positions]
                total += float((loading - self.criteria.limits.loading_percent).sum())
        return total

    def _broken(self, solution: Solution) -> Mapping[str, NDArray[np.int64]]:
        return violations(solution, self.criteria.limits, self.criteria.bands)

    def _after(self, action: Action, state: State) -> tuple[State, Solution, str]:
        """Return the state after an action, its solution, and what is to be told of it."""
        told = ""
        following = changed(self.model, state, action.steps)
        group = [step for step in action.steps if step.change == "redispatch"]
        if group:
            following, told = self._redispatched(following, group)
        # What the equations at hand don't have is pandapower's, whatever engine is asked for.
        study = self.study
        if study.engine != "pandapower":
            study = replace(study, engine="auto")
        found = self.judged(study.solve(self.model, following))
        return following, found, told

    def _redispatched(self, state: State, group: Sequence[Step]) -> tuple[State, str]:
        """Redispatch a group at least deviation, so that the ratings that count hold."""
        net = self.model.net
        inside = {(step.element, step.position) for step in group}
        changes = list(state.changes)
        for element in ("gen", "sgen", "ext_grid", "load", "storage"):
            count = len(net[element])
            mine = np.array([(element, n) in inside for n in range(count)], bool)
            if element == "ext_grid":
                price = np.where(mine, 1.0, LAST_RESORT)
                changes += [Change(element, name, price) for name in REDISPATCH]
            elif count:
                changes.append(Change(element, "controllable", mine))
        options = {name: v for name, v in self.study.options.items() if name in DC}
        posed = with_ratings(self.model, replace(state, changes=tuple(changes)), self.criteria)
        found = solve_opf(self.model, (posed,), "dc_opf", {**options, "objective": "redispatch"})
        if isinstance(found, str) or not found[0].elements:
            return state, "no redispatch of the group keeps all ratings"
        moved = moved_mw(self.model, state, found[0])
        if moved < LEAST_MW:
            return state, "there is nothing to redispatch"
        return dispatched(self.model, state, found[0]), f"{moved:.4g} MW redispatched"


def _told(solution: Solution, *texts: str) -> Solution:
    return replace(solution, detail="; ".join(filter(None, (*texts, solution.detail))))


def changed(model: GridModel, state: State, steps: Sequence[Step]) -> State:
    """Return a state with the changes of an action, redispatch apart.

    Args:
        model: the model.
        state: the state before.
        steps: the changes.
    """
    for step in steps:
        column = Columns(model, state)
        own: dict[str, float | bool] = {}
        switched = "closed" if step.element == "switch" else "in_service"
        match step.change:
            case "open" | "close":
                own[switched] = step.change == "close"
            case "set_mw" | "change_mw":
                scaling = float(column(step.element, "scaling")[step.position]) or 1.0
                before = float(column(step.element, "p_mw")[step.position])
                change = (step.value or 0.0) / scaling
                own["p_mw"] = change + (before if step.change == "change_mw" else 0.0)
            case "shed_percent":
                share = 1 - (step.value or 0.0) / 100
                for name in ("p_mw", "q_mvar"):
                    own[name] = float(column("load", name)[step.position]) * share
            case "set_tap":
                own["tap_pos"] = step.value or 0.0
            case "set_step":
                own["step"] = step.value or 0.0
        for name, value in own.items():
            boolean = isinstance(value, bool)
            values = column(step.element, name).astype(bool if boolean else float).copy()
            values[step.position] = value
            others = [c for c in state.changes if (c.element, c.column) != (step.element, name)]
            state = replace(state, changes=(*others, Change(step.element, name, values)))
    return state
