"""A scenario's contingencies solved in parts, by supervised workers on several cores.

A part that hangs, dies or fails is cut up until the contingency at fault is alone. That one is
recorded with what happened to it, all others as if nothing had.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from .contingency_rows import Kept
from .errors import DeviationError
from .memory import keep_freed_memory
from .results import rows_of
from .solvers.contingency import ContingencySolver
from .solvers.screening import ScreenedSolver
from .solvers.solution import Solution
from .solvers.verify import Deviation, chosen, verified
from .supervise import RetryPolicy, Task, supervise
from .violations import voltage_bands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .contingencies import Contingency
    from .errors import GatBatchError
    from .model import Model
    from .solvers.contingency import Study
    from .state import State
    from .supervise import Outcome
    from .violations import Limits

SHARE = 0.1
"""Part of a scenario's time limit after which a part of its contingencies counts as hanging."""

LEAST_SECS = 10.0
"""But never before that: a worker's first part prepares the state."""

PARTS = 16
"""Parts that a state's contingencies are cut into, for cores; pieces of a part at fault."""

MOST_PER_PART = 1024

ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class Run:
    """What the contingencies of a scenario have in common.

    Attributes:
        scenario: its id.
        model: the grid.
        study: how states are solved.
        states: hands out the scenario's states, in the same order each time.
        contingencies: what may happen in each of them.
        limits: what counts as a violation.
        whole: whether all rows are kept.
        screen: whether to solve by AC only what DC finds severe.
        verify: share of contingencies that pandapower solves too.
        timeout_secs: time limit of the scenario, in seconds.
        threads: workers at a time.
        memory_mb: memory that they may take together, in MB; None for no limit.
    """

    scenario: str
    model: Model
    study: Study
    states: Callable[[], Iterator[State]]
    contingencies: Sequence[Contingency]
    limits: Limits
    whole: bool
    screen: bool
    verify: float
    timeout_secs: float
    threads: int = 1
    memory_mb: float | None = None


@dataclass(frozen=True, order=True)
class _Part:
    """Contingencies from one number up to another, of one state."""

    state: int
    start: int
    stop: int

    @classmethod
    def named(cls, name: str) -> _Part:
        return cls(*map(int, name.split(":")))

    @property
    def name(self) -> str:
        return f"{self.state}:{self.start}:{self.stop}"

    def cut(self, pieces: int) -> list[_Part]:
        size = -(-(self.stop - self.start) // pieces)
        starts = range(self.start, self.stop, size) if size else ()
        return [_Part(self.state, n, min(n + size, self.stop)) for n in starts]


class _Worker:
    """What a worker keeps from one part to the next."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.bands = voltage_bands(run.model.net, run.limits)
        self._number = -1
        self._states = run.states()

    def base(self, number: int) -> Solution:
        """The solution of a state by its number."""
        self._turn_to(number)
        return self._exact.base

    def solve(self, part: _Part) -> tuple[list[Kept], Deviation]:
        self._turn_to(part.state)
        run, solver = self.run, self._solver
        kept, deviation = [], Deviation()
        size = solver.block_size
        for start in range(part.start, part.stop, size):
            block = run.contingencies[start : min(start + size, part.stop)]
            keys = (run.scenario, self._state.snapshot)
            solved = solver.solve(block, whole=run.whole)
            limits = None if run.whole else run.limits
            kept.append(Kept.of(run.model, keys, solved, limits, self.bands))
            deviation |= self._verified(block)
        return kept, deviation

    def _turn_to(self, number: int) -> None:
        if number == self._number:
            return
        if number < self._number:
            self._number, self._states = -1, self.run.states()
        while self._number < number:
            self._state = next(self._states)
            self._number += 1
        run = self.run
        self._exact = ContingencySolver(run.model, self._state, run.study, run.limits)
        self._solver = (
            ScreenedSolver(run.model, self._state, self._exact, run.limits)
            if run.screen
            else self._exact
        )

    def _verified(self, block: Sequence[Contingency]) -> Deviation:
        """Solve a share of a block by pandapower too."""
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
    run: Run, note: Callable[[Solution], None], verify: Callable[[Deviation], None]
) -> Iterator[pa.Table]:
    """Solve all states of a scenario, and all contingencies on top of each.

    Args:
        run: what to solve.
        note: told of the solution of each state, without contingency.
        verify: told of deviations from pandapower.

    Yields:
        Rows of the result, in the order of states and contingencies, whatever the number of
        workers.

    Raises:
        GatBatchError: as by the solver, for a state without contingency; or if a solution of a
            contingency deviates from pandapower's.
        MemoryError: if a contingency alone needs more memory.
    """
    global _worker  # noqa: PLW0603 - forked workers inherit it; a pickled grid costs more than a solve
    keep_freed_memory()
    _worker = _Worker(run)
    order = _Order()
    parts: Iterator[_Part] = _first_parts(_worker, order, note, verify)
    while True:
        failed: list[_Part] = []
        limit = max(SHARE * run.timeout_secs, LEAST_SECS)
        for outcome in supervise(
            (Task(part.name, limit) for part in parts),
            _solve_part,
            workers=run.threads,
            policy=ONCE,
            memory_mb=run.memory_mb and run.memory_mb / run.threads,
        ):
            part = _Part.named(outcome.task.name)
            if not outcome.failed:
                kept, deviation, fault = outcome.value
                if fault is not None:
                    raise fault
                verify(deviation)
                order.put(part, pa.concat_tables(block.rows(run.model) for block in kept))
            elif part.stop - part.start > 1:
                order.forget(part)
                failed.append(part)
            else:
                order.put(part, _given_up(run, part, outcome))
            yield from order.ready(failed)
        yield from order.ready(failed)
        if not failed:
            return
        pieces = [piece for part in failed for piece in part.cut(PARTS)]
        for piece in pieces:
            order.expect(piece)
        parts = iter(pieces)


class _Order:
    """Rows kept until all that comes before them is there."""

    def __init__(self) -> None:
        self._waited: set[_Part] = set()
        self._there: dict[_Part, pa.Table] = {}

    def expect(self, part: _Part) -> None:
        self._waited.add(part)

    def put(self, part: _Part, rows: pa.Table) -> None:
        self._waited.discard(part)
        self._there[part] = rows

    def forget(self, part: _Part) -> None:
        self._waited.discard(part)

    def ready(self, failed: Sequence[_Part]) -> Iterator[pa.Table]:
        """Rows whose turn has come; those behind parts that failed have to wait."""
        first = min((*self._waited, *failed), default=None)
        for part in sorted(self._there):
            if first is None or part < first:
                yield self._there.pop(part)


def _first_parts(
    worker: _Worker,
    order: _Order,
    note: Callable[[Solution], None],
    verify: Callable[[Deviation], None],
) -> Iterator[_Part]:
    """Solve each state and hand out the parts of its contingencies."""
    run = worker.run
    count = len(run.contingencies)
    pieces = max(PARTS, -(-count // MOST_PER_PART))
    for number, state in enumerate(run.states()):
        # Workers, which are forked later, inherit what the first state's contingencies need.
        base = worker.base(number) if number == 0 else run.study.solve(run.model, state)
        note(base)
        if chosen(run.verify, run.scenario, state.snapshot, None):
            verify(verified(run.model, state, run.study.solver, run.study.options, base))
        rows = rows_of(run.model, (run.scenario, state.snapshot, None), base)
        order.put(_Part(number, -1, -1), rows)
        # Nothing can be said of what comes on top of no solution.
        if base.elements and count:
            parts = _Part(number, 0, count).cut(pieces)
            for part in parts:
                order.expect(part)
            yield from parts


def _given_up(run: Run, part: _Part, outcome: Outcome) -> pa.Table:
    """The row of a contingency that hung, died or failed."""
    failure = outcome.failures[-1]
    if failure.verdict == "memory":
        raise MemoryError(failure.message)
    state = next(islice(run.states(), part.state, None))
    name = run.contingencies[part.start].name
    solution = Solution("not_converged", "", detail=f"{failure.verdict}: {failure.message}")
    return rows_of(run.model, (run.scenario, state.snapshot, name), solution)


def _solve_part(
    name: str, _attempt: int
) -> tuple[list[Kept] | None, Deviation, GatBatchError | None]:
    """Solve one part. Runs in a worker."""
    assert _worker is not None, "solved_in_parts() comes first"  # noqa: S101 - not for users
    try:
        return *_worker.solve(_Part.named(name)), None
    except DeviationError as fault:
        return None, Deviation(), fault
