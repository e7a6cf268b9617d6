"""A scenario's snapshots solved in parts, by supervised workers on several cores.

Each part is a number of whole blocks, so rows, and the row groups that they are written in, are the
same for any number of workers. What a worker doesn't solve, as it dies or meets a fault, the
scenario's own process solves when its turn comes: what then becomes of it is as with one worker.
"""

from __future__ import annotations

import pickle
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ...breakdown import Breakdown, contained
from ...results.schema import ROWS_PER_GROUP
from ...study.scenario import OPTIMAL
from ..memory import keep_freed_memory
from ..supervision import RetryPolicy, Task, supervise
from .base_cases import Summed, base_cases, block_size, made, solved_cases

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from ..supervision import Outcome
    from .base_cases import SolvedBlock
    from .state import Run

FEWEST_BLOCKS, FEWEST_ALONE = 8, 20
"""Fewest blocks of states, and states solved one by one, that are worth workers of their own: to
start these takes as long as a few blocks of a small grid."""

PARTS = 8
"""Parts for each worker, so that they end at about the same time."""

ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class _Shared:
    """What workers inherit: what to solve, and files without a name for what they find."""

    run: Run
    files: Sequence[IO[bytes]]


_shared: _Shared | None = None


def snapshots_in_parts(run: Run, summed: Summed) -> Iterator[pa.Table]:
    """Solve a scenario without contingencies, on as many cores as it may use.

    Args:
        run: what to solve.
        summed: what is to be remembered of the states is noted there.

    Yields:
        Rows of the states, in their order.

    Raises:
        GatBatchError: if the data are at fault, or a solution deviates from pandapower's.
        MemoryError, OSError: as raised by any of this.
    """
    global _shared  # noqa: PLW0603 - forked workers inherit it; a pickled grid costs more than a solve
    unit = block_size(run.model) if run.study.in_blocks else 1
    fewest = FEWEST_BLOCKS * unit if run.study.in_blocks else FEWEST_ALONE
    # An optimum starts from that of the snapshot before, or is tied to it.
    if run.threads == 1 or run.study.solver in OPTIMAL or run.count < fewest:
        yield from base_cases(run, summed)
        return
    keep_freed_memory()
    # Workers, which are forked later, inherit the equations and factors that these states need.
    yield from base_cases(run, summed, stop=unit)
    with ExitStack() as stack:
        # One for each part at work, and for each that has ended and isn't read yet.
        files = [
            stack.enter_context(tempfile.TemporaryFile(buffering=0)) for _ in range(2 * run.threads)
        ]
        _shared = _Shared(run, files)
        yield from _rest(_shared, unit, summed)


def _rest(shared: _Shared, unit: int, summed: Summed) -> Iterator[pa.Table]:
    """Solve the states behind the first unit by workers."""
    run, free = shared.run, list(range(len(shared.files)))
    most = max(1, ROWS_PER_GROUP // (unit * len(run.model.element)))
    even = -(-run.count // (unit * run.threads * PARTS))
    starts = range(unit, run.count, unit * min(even, most))
    solved: dict[int, tuple[Outcome, list[pa.Table | SolvedBlock]]] = {}
    turn = 0

    def tasks() -> Iterator[Task]:
        for start in starts:
            stop = min(start + starts.step, run.count)
            yield Task(f"{start}:{stop}:{free.pop()}", run.timeout_secs)

    for outcome in supervise(
        tasks(),
        _solve_part,
        workers=run.threads,
        policy=ONCE,
        memory_mb=run.memory_mb and run.memory_mb / run.threads,
    ):
        start, _, slot = map(int, outcome.task.name.split(":"))
        solved[start] = outcome, [] if outcome.failed else _read(shared.files[slot])
        free.append(slot)
        while turn < len(starts) and starts[turn] in solved:
            yield from _rows(run, *solved.pop(starts[turn]), summed)
            turn += 1


def _rows(
    run: Run, outcome: Outcome, found: Sequence[pa.Table | SolvedBlock], summed: Summed
) -> Iterator[pa.Table]:
    """Yield the rows of a part, which is solved here if no worker has or they can't be made."""
    if not outcome.failed:
        rows = contained(lambda: list(made(run, found)))
        if not isinstance(rows, Breakdown):
            summed.add(outcome.value)
            yield from rows
            return
    start, stop, _ = map(int, outcome.task.name.split(":"))
    if outcome.failed:
        failure = outcome.failures[-1]
        summed.report(
            f"snapshots {start + 1} to {stop}: {failure.verdict}: {failure.message}; solved again"
        )
    yield from base_cases(run, summed, start, stop)


def _solve_part(name: str, _attempt: int) -> Summed:
    """Solve one part. Runs in a worker."""
    assert _shared is not None, "snapshots_in_parts() comes first"  # noqa: S101 - not for users
    run, summed = _shared.run, Summed()
    start, stop, slot = map(int, name.split(":"))
    # All rows of a block take five times the memory of the numbers that they are made of.
    bare = run.kept.states == "all"
    _write(_shared.files[slot], solved_cases(run, summed, start, stop, bare=bare))
    return summed


def _write(file: IO[bytes], found: Iterator[pa.Table | SolvedBlock]) -> None:
    """Write what was found into a file, which is emptied first."""
    file.seek(0)
    with open(file.fileno(), "wb", closefd=False) as sink:
        for one in found:
            pickle.dump(one, sink, protocol=5)
        # Only now: pages that are there needn't be made again.
        sink.truncate()


def _read(file: IO[bytes]) -> list[pa.Table | SolvedBlock]:
    """Read what another process has written."""
    found = []
    file.seek(0)
    with open(file.fileno(), "rb", closefd=False) as source:
        while source.peek(1):
            found.append(pickle.load(source))  # noqa: S301 - a file without a name, written by us
    return found
