"""Scenarios without contingencies solved together: one block of states, of several scenarios.

Only those that have one state each are joined, and the same options, outages and rows to keep. The
others are solved one after the other. No scenario's numbers depend on the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ...breakdown import Breakdown, contained
from ...errors import GatBatchError
from ...results.schema import ROWS_PER_GROUP
from ...solvers.verification import chosen, verified
from .base_cases import Summed, base_cases, begins, block_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...model.state import State
    from .state import Run


@dataclass(frozen=True)
class Together:
    """Scenarios that were solved together.

    Attributes:
        runs: what was solved.
        summed: what is to be remembered of each.
        rows: rows of all, one scenario after the other.
        stops: number of the row behind the last one of each.
    """

    runs: Sequence[Run]
    summed: Sequence[Summed]
    rows: pa.Table
    stops: Sequence[int]

    def each(self) -> Iterator[tuple[Run, Summed, int, int]]:
        """Yield each scenario with the numbers of its first row, and of the one behind its last."""
        starts = (0, *self.stops)
        yield from zip(self.runs, self.summed, starts, self.stops, strict=False)


def solved_together(runs: Sequence[Run]) -> Iterator[Together]:
    """Solve scenarios that have no contingencies, as many at once as can be.

    Args:
        runs: what to solve, on one grid by one solver.

    Yields:
        What was found. A scenario whose data are at fault is left out: solved alone, it says why;
        and one of many snapshots: its rows needn't fit in memory then.
    """
    for key, alike in groupby(sorted(runs, key=_kind), key=_kind):
        members = list(alike)
        size = block_size(members[0].model)
        if not key[0]:
            size = 1
        for start in range(0, len(members), size):
            yield from _solved(members[start : start + size])


def _kind(run: Run) -> tuple[bool, str]:
    """Return what scenarios that are solved together must have in common."""
    facts = run.study.options, run.kept.states, sorted(map(repr, run.outages))
    return run.study.in_blocks and not run.study.ties, repr(facts)


def _solved(runs: Sequence[Run]) -> Iterator[Together]:
    single: list[tuple[Run, State]] = []
    others: list[Run] = []
    for run in runs:
        if run.count * len(run.model.element) > ROWS_PER_GROUP:
            continue
        try:
            states = list(islice(run.states(), 2)) if len(runs) > 1 else []
        except GatBatchError:
            continue
        if len(states) == 1:
            single.append((run, states[0]))
        else:
            others.append(run)
    yield from _block(single)
    for run in others:
        yield from _alone(run)


def _alone(run: Run) -> Iterator[Together]:
    summed = Summed()
    try:
        rows = pa.concat_tables(base_cases(run, summed))
    except GatBatchError:
        return
    yield Together([run], [summed], rows, [len(rows)])


def _block(single: Sequence[tuple[Run, State]]) -> Iterator[Together]:
    """Solve states together, and those that can't be alone."""
    if len(single) < 2:
        for run, _ in single:
            yield from _alone(run)
        return
    try:
        found = contained(partial(_together, single))
    except GatBatchError:
        # Whose deviation from pandapower it is shows when each is alone.
        found = Breakdown("")
    if isinstance(found, Breakdown):
        middle = len(single) // 2
        yield from _block(single[:middle])
        yield from _block(single[middle:])
        return
    numbers, together = found
    if together is not None:
        yield together
    done = set(numbers)
    for number, (run, _) in enumerate(single):
        if number not in done:
            yield from _alone(run)


def _together(single: Sequence[tuple[Run, State]]) -> tuple[list[int], Together | None]:
    first = single[0][0]
    found, block = first.study.solve_block(first.model, [state for _, state in single])
    if block is None:
        return [], None
    numbers = found.tolist()
    runs = [single[number][0] for number in numbers]
    summed = [Summed() for _ in runs]
    for n, (number, one) in enumerate(zip(numbers, summed, strict=True)):
        run, state = single[number]
        one.note_block(block, n)
        if chosen(run.verify, run.scenario, state.snapshot, None):
            study, solution = run.study, block.solution(n)
            one.verify(verified(run.model, state, study.solver, study.options, solution))
    scenarios = [run.scenario for run in runs]
    snapshots = [single[number][1].snapshot for number in numbers]
    rows = first.kept.of_block(first.model, scenarios, snapshots, block)
    stops: list[int] = begins(rows)[1:].astype(np.int64).tolist()
    return numbers, Together(runs, summed, rows, stops)
