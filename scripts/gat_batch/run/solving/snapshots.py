"""A scenario's snapshots solved in parts, by supervised workers on several cores.

Each part is a number of whole blocks, so rows, and the row groups that they are written in, are the
same for any number of workers. What a worker doesn't solve, as it dies or meets a fault, the
scenario's own process solves when its turn comes: what then becomes of it is as with one worker.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from ...results.schema import RESULT_SCHEMA, ROWS_PER_GROUP
from ...study.scenario import OPTIMAL
from ..memory import keep_freed_memory
from ..supervision import RetryPolicy, Task, supervise
from .base_cases import Summed, base_cases, block_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..supervision import Outcome
    from .state import Run

FEWEST_BLOCKS, FEWEST_ALONE = 8, 20
"""Fewest blocks of states, and states solved one by one, that are worth workers of their own: to
start these takes as long as a few blocks of a small grid."""

PARTS = 8
"""Parts for each worker, so that they end at about the same time."""

ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True)
class _Shared:
    """What workers inherit: what to solve, and files without a name for the rows of parts."""

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
    solved: dict[int, tuple[Outcome, list[pa.Table]]] = {}
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
    run: Run, outcome: Outcome, rows: Sequence[pa.Table], summed: Summed
) -> Iterator[pa.Table]:
    """Yield the rows of a part, which is solved here if no worker has."""
    if not outcome.failed:
        summed.add(outcome.value)
        yield from rows
        return
    start, stop, _ = map(int, outcome.task.name.split(":"))
    failure = outcome.failures[-1]
    summed.report(
        f"snapshots {start + 1} to {stop}: {failure.verdict}: {failure.message}; solved again"
    )
    yield from base_cases(run, summed, start, stop)


def _solve_part(name: str, _attempt: int) -> Summed:
    """Solve one part. Runs in a worker."""
    assert _shared is not None, "snapshots_in_parts() comes first"  # noqa: S101 - not for users
    start, stop, slot = map(int, name.split(":"))
    summed = Summed()
    _write(_shared.files[slot], base_cases(_shared.run, summed, start, stop))
    return summed


def _write(file: IO[bytes], tables: Iterable[pa.Table]) -> None:
    """Write tables as Arrow streams, one after the other, without columns that hold nothing."""
    file.seek(0)
    with open(file.fileno(), "wb", closefd=False) as sink:
        for table in tables:
            there = [name for name in table.schema.names if table[name].null_count < len(table)]
            stored = table.select(there)
            with pa.ipc.new_stream(sink, stored.schema) as writer:
                writer.write_table(stored)
        # Only now: pages that are there needn't be made again.
        sink.truncate()


def _read(file: IO[bytes]) -> list[pa.Table]:
    """Read the tables that another process has written."""
    file.seek(0)
    content = file.read()
    source = pa.BufferReader(content)
    tables = []
    while source.tell() < len(content):
        found = pa.ipc.open_stream(source).read_all()
        there = set(found.schema.names)
        empty = {kind: pa.nulls(len(found), kind) for kind in {*RESULT_SCHEMA.types}}
        columns = [
            found[one.name] if one.name in there else empty[one.type] for one in RESULT_SCHEMA
        ]
        tables.append(pa.Table.from_arrays(columns, schema=RESULT_SCHEMA))
    return tables
