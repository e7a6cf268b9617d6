"""A scenario's contingencies solved in parts, by supervised workers on several cores.

A part that hangs, dies or fails, or whose rows can't be made, is cut up until the contingency at
fault is alone. That one is recorded with what happened to it, the others as if nothing had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import chain, islice
from typing import TYPE_CHECKING

import pyarrow as pa

from ...breakdown import Breakdown, contained
from ...contingency.screening import ScreenedSolver
from ...contingency.solver import ContingencySolver
from ...errors import DeviationError
from ...model.contingencies.contingency import is_possible, service_of
from ...model.solution import Solution
from ...results.contingency_rows import ContingencyRows
from ...results.rows import rows_of
from ...results.schema import RESULT_SCHEMA
from ...solvers.verification import Deviation, chosen, verified
from ...study.scenario import FOLLOWS
from ..memory import keep_freed_memory
from ..supervision import RetryPolicy, Task, supervise
from .contingency_parts import Order, Part
from .state import solved_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ...contingency.solver import Solved
    from ...model.contingencies.contingency import Contingency
    from ...model.grid_model import GridModel
    from ...model.state import State
    from ..supervision import Outcome
    from .state import Run

SHARE = 0.1
"""Share of a scenario's time limit after which a part of its contingencies counts as hanging."""

LEAST_SECS = 10.0
"""Least such time in seconds, as a worker's first part prepares the state."""

PARTS, FEW_PER_PART, MOST_PER_PART = 16, 20, 1024
"""Parts of a state's contingencies, for cores, and pieces of a part at fault; contingencies of a
part, as handing one to a worker takes as long as to solve ten of a small grid."""

ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class _Answer:
    """What a worker found of a part.

    Attributes:
        kept: what is kept of each block.
        deviation: largest deviations from pandapower.
        breakdowns: bugs that were worked around.
    """

    kept: list[ContingencyRows]
    deviation: Deviation
    breakdowns: list[Breakdown]

    def rows(self, model: GridModel) -> pa.Table:
        return pa.concat_tables(block.rows(model) for block in self.kept)


class _Worker:
    """What a worker keeps from one part to the next."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._number = self._prepared = -1
        self._states = run.states()

    def base(self, number: int) -> Solution:
        """Return the solution of a state by its number."""
        self._turn_to(number)
        return self._exact.base

    @property
    def breakdowns(self) -> list[Breakdown]:
        """Bugs because of which contingencies of the present state are solved in another way."""
        solvers = {self._exact, self._solver}
        return [solver.breakdown for solver in solvers if solver.breakdown is not None]

    def solve(self, part: Part) -> _Answer:
        self._turn_to(part.state)
        run, solver = self.run, self._solver
        kept, deviation = [], Deviation()
        size = solver.block_size
        for start in range(part.start, part.stop, size):
            block = run.contingencies[start : min(start + size, part.stop)]
            keys = (run.scenario, self._state.snapshot)
            solved = solver.solve(block, whole=run.kept.contingencies == "all")
            rows = ContingencyRows.of(run.model, keys, solved, run.kept, self._exact.base)
            kept.append(replace(rows, following=list(self._following(solved))))
            deviation |= self._verified(block)
        return _Answer(kept, deviation, self.breakdowns)

    def _turn_to(self, number: int) -> None:
        if number == self._prepared:
            return
        # If this fails, the solvers at hand are those of another state.
        self._prepared = -1
        if number < self._number:
            self._number, self._states = -1, self.run.states()
        while self._number < number:
            self._state = next(self._states)
            self._number += 1
        run = self.run
        self._exact = ContingencySolver(run.model, self._state, run.study, run.criteria)
        self._solver = (
            ScreenedSolver(run.model, self._state, self._exact, run.criteria)
            if run.screen
            else self._exact
        )
        self._prepared = number

    def _following(self, solved: Solved) -> Iterator[tuple[int, pa.Table]]:
        """Yield the rows of what follows contingencies, and the number of each."""
        run, cascade = self.run, self.run.cascade
        tripping = set(solved.setting_off(cascade.trip_above_percent)) if cascade else set()
        violating = solved.in_violation if run.actions else set()
        for number, one in enumerate(solved.possible):
            found: Iterable[tuple[str, Solution]] = ()
            if cascade and number in tripping:
                turns = self._exact.following(one, cascade)
                found = ((str(turn), solution) for turn, solution in enumerate(turns, 1))
            actions = [action for action in run.actions if action.is_for(one)]
            if number in violating or any(action.condition == "always" for action in actions):
                found = chain(found, self._exact.relieved(one, actions, run.choose))
            for name, solution in found:
                keys = (run.scenario, self._state.snapshot, f"{one.name}{FOLLOWS}{name}")
                yield number, run.kept.of_contingency(run.model, keys, solution, one.category)

    def _verified(self, block: Sequence[Contingency]) -> Deviation:
        """Solve a share of a block by pandapower, too, and return how far the solutions differ."""
        run, study = self.run, self.run.study
        names = run.scenario, self._state.snapshot
        picked = {one.name: one for one in block if chosen(run.verify, *names, one.name)}
        deviation = Deviation()
        if picked:
            solved = self._exact.solve(list(picked.values()), whole=True)
            for number, solution in solved.single:
                state = self._exact.state_after(picked[solved.names[number]])
                deviation |= verified(run.model, state, study.solver, study.options, solution)
        return deviation


_worker: _Worker | None = None


def solved_in_parts(
    run: Run,
    note: Callable[[Solution], None],
    verify: Callable[[Deviation], None],
    report: Callable[[str], None] = lambda _: None,
) -> Iterator[pa.Table]:
    """Solve all states of a scenario, and all contingencies on top of each.

    Args:
        run: what to solve.
        note: called with the solution of each state, without contingency.
        verify: called with deviations from pandapower.
        report: called with a line for the log on how each state or contingency that hung, died or
            failed ended.

    Yields:
        Rows of the result, in the order of states and contingencies, whatever the number of
        workers.

    Raises:
        GatBatchError: if the data of a state without contingency are at fault, or any solution
            deviates from pandapower's.
        MemoryError: if a contingency alone needs more memory.
    """
    global _worker  # noqa: PLW0603 - forked workers inherit it; a pickled grid costs more than a solve
    keep_freed_memory()
    _worker = _Worker(run)
    order = Order()
    once = _once(report)
    parts: Iterator[Part] = _first_parts(_worker, order, note, verify, once)
    while True:
        failed: list[Part] = []
        limit = max(SHARE * run.timeout_secs, LEAST_SECS)
        for outcome in supervise(
            (Task(part.name, limit) for part in parts),
            _solve_part,
            workers=run.threads,
            policy=ONCE,
            memory_mb=run.memory_mb and run.memory_mb / run.threads,
        ):
            part = Part.named(outcome.task.name)
            rows = _rows_of_part(run, outcome)
            if not isinstance(rows, Breakdown):
                verify(outcome.value.deviation)
                for breakdown in outcome.value.breakdowns:
                    once(breakdown.line(_state(run, part.state).snapshot))
                order.put(part, rows)
            elif part.stop - part.start > 1:
                order.forget(part)
                failed.append(part)
            else:
                order.put(part, _given_up(run, part, outcome, rows, once))
            yield from order.ready(failed)
        yield from order.ready(failed)
        if not failed:
            return
        pieces = [piece for part in failed for piece in part.cut(PARTS)]
        for piece in pieces:
            order.expect(piece)
        parts = iter(pieces)


def _once(report: Callable[[str], None]) -> Callable[[str], None]:
    """Make a function that reports each line once, as every part of a state meets the same bug."""
    return lru_cache(maxsize=None)(report)


def _first_parts(
    worker: _Worker,
    order: Order,
    note: Callable[[Solution], None],
    verify: Callable[[Deviation], None],
    report: Callable[[str], None],
) -> Iterator[Part]:
    """Solve each state, and yield the parts of its contingencies."""
    run = worker.run
    count = len(run.contingencies)
    pieces = max(min(PARTS, -(-count // FEW_PER_PART)), -(-count // MOST_PER_PART))
    for number, state in enumerate(run.states()):
        # Workers, which are forked later, inherit what the first state's contingencies need.
        solve = (
            partial(worker.base, 0) if number == 0 else partial(run.study.solve, run.model, state)
        )
        solved = solved_state(run, state, solve)
        if solved.breakdown is not None:
            report(solved.breakdown.line(state.snapshot))
        note(solved.solution)
        verify(solved.deviation)
        order.put(Part(number, -1, -1), solved.rows)
        # Nothing can be said of what comes on top of no solution.
        if solved.solution.elements and count:
            parts = Part(number, 0, count).cut(pieces)
            for part in parts:
                order.expect(part)
            yield from parts


def _rows_of_part(run: Run, outcome: Outcome) -> pa.Table | Breakdown:
    """Return the rows of a part, or why there are none.

    Raises:
        DeviationError: if a solution deviates from pandapower's.
    """
    if outcome.failed:
        failure = outcome.failures[-1]
        return Breakdown(f"{failure.verdict}: {failure.message}", failure.detail)
    if isinstance(outcome.value, DeviationError):
        raise outcome.value
    return contained(partial(outcome.value.rows, run.model))


def _given_up(
    run: Run, part: Part, outcome: Outcome, breakdown: Breakdown, report: Callable[[str], None]
) -> pa.Table:
    """Return the row of a contingency that hung, died or failed; none if it isn't possible.

    Raises:
        MemoryError: if it was memory that it lacked.
    """
    if outcome.failed and outcome.failures[-1].verdict == "memory":
        raise MemoryError(outcome.failures[-1].message)
    state = _state(run, part.state)
    contingency = run.contingencies[part.start]
    report(breakdown.line(state.snapshot, contingency.name))
    if not is_possible(contingency, service_of(run.model.net, state)):
        return RESULT_SCHEMA.empty_table()
    solution = Solution("not_converged", "", detail=breakdown.detail)
    return rows_of(run.model, (run.scenario, state.snapshot, contingency.name), solution)


def _state(run: Run, number: int) -> State:
    return next(islice(run.states(), number, None))


def _solve_part(name: str, _attempt: int) -> _Answer | DeviationError:
    """Solve one part. Runs in a worker."""
    assert _worker is not None, "solved_in_parts() comes first"  # noqa: S101 - not for users
    try:
        return _worker.solve(Part.named(name))
    except DeviationError as fault:
        return fault
