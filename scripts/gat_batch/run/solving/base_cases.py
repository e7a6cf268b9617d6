"""The states of a scenario without contingencies: in blocks, one by one, or tied together.

A block at fault is cut in half until the state at fault is alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...breakdown import Breakdown, contained
from ...model.solution import SEVERITY
from ...solvers.study import solve_together
from ...solvers.verification import Deviation, chosen, verified
from .state import solved_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from ...model.grid_model import GridModel
    from ...model.solution import BlockSolution, Solution
    from ...model.state import State
    from .state import Run, SolvedState

MOST_ROWS = 30_000
"""Rows of a block: arrays that stay in the processor's caches are computed fastest."""

MOST_REPORTS = 20
"""Most bugs of one scenario that the log reports; its result has a row for each."""


@dataclass
class Summed:
    """What is remembered of all states of a scenario.

    Attributes:
        worst: severity of the worst status.
        iterations: most iterations of any state, or None.
        residual: largest relative residual of the conditions of an optimum, or None.
        deviation: largest deviations from pandapower.
        left: what was left to pandapower: ``states``, and the ``reason`` of the first; or None.
        reports: lines for the log.
    """

    worst: int = 0
    iterations: int | None = None
    residual: float | None = None
    deviation: Deviation = field(default_factory=Deviation)
    left: dict[str, Any] | None = None
    reports: tuple[str, ...] = ()

    def note(self, solution: Solution) -> None:
        """Note a solution."""
        self.worst = max(self.worst, SEVERITY.index(solution.status))
        if solution.iterations is not None:
            self.iterations = max(self.iterations or 0, solution.iterations)
        if solution.residual is not None:
            self.residual = max(self.residual or 0.0, solution.residual)
        if solution.left:
            before = self.left or {"states": 0, "reason": solution.left}
            self.left = {**before, "states": before["states"] + 1}

    def note_block(self, block: BlockSolution, number: int | None = None) -> None:
        """Note the solutions of a block, or that of one of its states."""
        self.worst = max(self.worst, SEVERITY.index(block.status))
        if block.iterations is not None:
            found = block.iterations if number is None else block.iterations[number]
            self.iterations = max(self.iterations or 0, int(found.max()))

    def verify(self, deviation: Deviation) -> None:
        """Note how far a solution is from pandapower's."""
        self.deviation |= deviation

    def report(self, line: str) -> None:
        """Keep a line for the log, unless there are too many."""
        if len(self.reports) < MOST_REPORTS:
            self.reports += (line,)

    def add(self, later: Summed) -> None:
        """Add what is remembered of later states."""
        self.worst = max(self.worst, later.worst)
        for name in ("iterations", "residual"):
            found = [one for one in (getattr(self, name), getattr(later, name)) if one is not None]
            setattr(self, name, max(found, default=None))
        self.deviation |= later.deviation
        if later.left:
            before = self.left or {**later.left, "states": 0}
            self.left = {**before, "states": before["states"] + later.left["states"]}
        for line in later.reports:
            self.report(line)

    def note_state(self, snapshot: str | None, solved: SolvedState) -> None:
        """Note a state that was solved alone."""
        self.note(solved.solution)
        self.verify(solved.deviation)
        if solved.breakdown is not None:
            self.report(solved.breakdown.line(snapshot))


@dataclass(frozen=True)
class SolvedBlock:
    """States of a scenario that were solved together, and whose rows are yet to be made.

    Attributes:
        snapshots: the name of each.
        block: their solutions.
    """

    snapshots: Sequence[str | None]
    block: BlockSolution

    def rows(self, run: Run) -> pa.Table:
        """Return their rows, one state after the other."""
        scenarios = [run.scenario] * len(self.snapshots)
        return run.kept.of_block(run.model, scenarios, self.snapshots, self.block)


def block_size(model: GridModel) -> int:
    """Return how many states of a grid are solved together."""
    return max(1, MOST_ROWS // len(model.element))


def base_cases(
    run: Run, summed: Summed, start: int = 0, stop: int | None = None
) -> Iterator[pa.Table]:
    """Solve a scenario without contingencies, or some of its states.

    Args:
        run: what to solve.
        summed: what is to be remembered of the states is noted there.
        start: number of the first state.
        stop: number of the one after the last; all that there are if None.

    Yields:
        Rows of the states, in their order.
    """
    yield from made(run, solved_cases(run, summed, start, stop))


def made(run: Run, found: Iterable[pa.Table | SolvedBlock]) -> Iterator[pa.Table]:
    """Yield the rows of what :func:`solved_cases` found, made where they aren't yet."""
    for one in found:
        yield one.rows(run) if isinstance(one, SolvedBlock) else one


def solved_cases(
    run: Run, summed: Summed, start: int = 0, stop: int | None = None, *, bare: bool = False
) -> Iterator[pa.Table | SolvedBlock]:
    """Solve states as :func:`base_cases` does.

    Args:
        run: what to solve.
        summed: what is to be remembered of the states is noted there.
        start: number of the first state.
        stop: number of the one after the last; all that there are if None.
        bare: whether to leave it to others to make the rows of states that are solved together.

    Yields:
        Rows of the states, in their order, or what they are made of.
    """
    study, states = run.study, run.states(start, stop)
    if study.ties:
        yield from _tied(run, list(states), summed)
        return
    size = block_size(run.model)
    before = None
    while block := list(islice(states, size)):
        if len(block) > 1 and study.in_blocks:
            yield from _block(run, block, summed, bare=bare)
            continue
        for state in block:
            solve = partial(study.solve, run.model, state, before=before)
            solved = solved_state(run, state, solve)
            before = solved.solution
            summed.note_state(state.snapshot, solved)
            yield solved.rows


def _tied(run: Run, states: Sequence[State], summed: Summed) -> Iterator[pa.Table]:
    """Solve states that an optimal power flow ties together."""
    study = run.study
    solve = partial(solve_together, run.model, states, study.solver, study.options)
    found = contained(partial(solve, engine=study.engine))
    solutions: list[Solution | Breakdown] = (
        [found] * len(states) if isinstance(found, Breakdown) else [*found]
    )
    for state, one in zip(states, solutions, strict=True):
        solved = solved_state(run, state, partial(_as_it_is, one))
        summed.note_state(state.snapshot, solved)
        yield solved.rows


def _as_it_is(found: Solution | Breakdown) -> Solution | Breakdown:
    return found


@dataclass(frozen=True)
class _Part:
    """Those states of a block that were solved together: their numbers, solutions and rows."""

    numbers: NDArray[np.int64]
    block: BlockSolution | None
    rows: pa.Table | SolvedBlock | None
    deviation: Deviation


def _block(
    run: Run, states: Sequence[State], summed: Summed, *, bare: bool
) -> Iterator[pa.Table | SolvedBlock]:
    """Solve some states together, and those that can't be alone."""
    found = contained(partial(_together, run, states, bare=bare))
    if isinstance(found, Breakdown) and len(states) > 1:
        middle = len(states) // 2
        yield from _block(run, states[:middle], summed, bare=bare)
        yield from _block(run, states[middle:], summed, bare=bare)
        return
    if isinstance(found, Breakdown):
        numbers, rows, starts = np.empty(0, np.int64), None, np.empty(0, np.int64)
    else:
        numbers, rows = found.numbers, found.rows
        if found.block is not None:
            summed.note_block(found.block)
        summed.verify(found.deviation)
        if rows is not None and len(numbers) == len(states):
            yield rows
            return
        starts = begins(rows)
    place = {int(number): n for n, number in enumerate(numbers)}
    for number, state in enumerate(states):
        if number in place and isinstance(rows, pa.Table):
            n = place[number]
            yield rows.slice(starts[n], starts[n + 1] - starts[n])
            continue
        solved = solved_state(run, state, partial(run.study.solve, run.model, state))
        summed.note_state(state.snapshot, solved)
        yield solved.rows


def _together(run: Run, states: Sequence[State], *, bare: bool) -> _Part:
    """Solve what can be solved together, make its rows, and verify states whose turn has come."""
    numbers, block = run.study.solve_block(run.model, states)
    if block is None:
        return _Part(numbers, None, None, Deviation())
    study, deviation = run.study, Deviation()
    for n, number in enumerate(numbers):
        state = states[number]
        if chosen(run.verify, run.scenario, state.snapshot, None):
            solution = block.solution(n)
            deviation |= verified(run.model, state, study.solver, study.options, solution)
    solved = SolvedBlock([states[number].snapshot for number in numbers], block)
    whole = bare and len(numbers) == len(states)
    return _Part(numbers, block, solved if whole else solved.rows(run), deviation)


def begins(rows: pa.Table | None) -> NDArray[np.int64]:
    """Return where the rows of each state begin, and where the last ones end."""
    if rows is None:
        return np.empty(0, np.int64)
    system = pc.equal(rows["element"], "system").to_numpy()
    return np.append(np.flatnonzero(system), len(rows))
