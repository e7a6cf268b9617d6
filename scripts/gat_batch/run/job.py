"""A shard solved: what is done already is skipped, the rest is solved under supervision.

The grid is read and prepared once, before the workers are forked, so that all scenarios share
it. A worker solves one scenario at a time and writes its result; the shard itself only keeps
the record: journal, status of the batch, and what remains of a scenario that failed for good.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ..breakdown import contained
from ..errors import GatBatchError, ResultError
from ..files.durable import Durable
from ..files.run_lock import alone
from ..files.words import numbered
from ..grids.approximations import read_approximations, told
from ..process import without_garbage_collection
from ..study.scenario import OPTIMAL
from .batch_record import MOST_LISTED, failure_record, progress_line
from .journal import Journal
from .layouts import layout_of
from .status import StatusBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..plan.plan import Plan
    from ..plan.shards import Shard
    from ..study.scenario import Scenario
    from .solving.record import Solved
    from .supervision import Failure, Task

MOST_PER_PART = 100
"""Most scenarios that are solved together: what a job that is killed has to solve again."""

KILL_MARGIN_SECS = 10.0
"""How long after its deadline an attempt may still be reported as running."""

LEAST_PARTS = 4
"""Parts of a shard for each of its workers, so that they end at about the same time."""


@dataclass
class ShardRun:
    """One run of one shard.

    Attributes:
        plan: the batch.
        shard: the members.
        workers: processes at work at the same time, on scenarios or on their snapshots or
            contingencies.
        memory_mb: memory of the job, which its workers share, in MB.
        last: whether the job won't be tried again with more memory.
        say: shows a line of progress to the user.
        log: writes a line into the shard's log.
    """

    plan: Plan
    shard: Shard
    workers: int
    memory_mb: float
    last: bool
    say: Callable[[str], None]
    log: Callable[[str], None]
    _pace: tuple[float, int] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.board = StatusBoard(self.plan)
        self.journal = Journal(self.plan.journal(self.shard.name))
        self.layout = layout_of(self.plan, self.shard)

    def run(self) -> None:
        """Solve the members that aren't solved.

        Raises:
            ResultError: if the batch's folder can't be written to.
            MemoryError: if members need more memory, and the job will be tried again with more.
        """
        path = self.journal.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with alone(path.with_suffix(".lock"), self.log), self._true_status():
                unsolved = self.layout.unsolved()
                names = {member.id for member in unsolved}
                done = (member.id for member in self.shard.scenarios if member.id not in names)
                self._restore_records(done)
                if unsolved:
                    self.layout.begin(unsolved)
                    self._solve(unsolved)
                with Durable() as durable:
                    for path in self.layout.complete():
                        durable.add(path)
        except OSError as error:
            raise ResultError(
                f"can't be written: {error.strerror or error}",
                file=error.filename or path.parent,
                hint="finished results are untouched; free the space or permit writing, "
                "then run again",
            ) from error

    @contextlib.contextmanager
    def _true_status(self) -> Iterator[None]:
        """Bring the status up to date at the end, even if the shard is interrupted.

        Of a large batch this takes seconds, and the next shard may do it.
        """
        try:
            yield
        finally:
            self.board.update(force=len(self.plan.batch.outlines) <= MOST_LISTED)

    def _restore_records(self, solved: Iterable[str]) -> None:
        """Complete the journal of members that are solved already."""
        for name in solved:
            self.board.restore_record(name, self.layout.source(name), self.journal)

    def _solve(self, members: Sequence[Scenario]) -> None:
        # Cores that scenarios leave are for the snapshots or contingencies of each.
        workers = min(self.workers, len(members))
        threads = self.workers // workers
        memory_mb = self.memory_mb / workers
        try:
            with without_garbage_collection():
                # Imported only where there is something to solve: this is what takes seconds.
                from ..study.wide_tables import recognised_forms
                from . import worker

                prepare = partial(worker.prepare, self.plan, members)
                broken = contained(partial(prepare, threads=threads, memory_mb=memory_mb))
        except GatBatchError as fault:
            self._give_all_up(members, "bad data", str(fault))
            return
        if broken is not None:
            self.log(broken.line())
            self._give_all_up(members, "internal", broken.detail.removeprefix("internal: "))
            return
        approximations = read_approximations(self.plan.approximations(members[0]))
        for line in (*told(approximations), *recognised_forms(members)):
            self.log(line)
        self.log(f"{numbered(len(members), 'scenario')} to solve, {workers} at a time")
        rest = members if threads > 1 else self._solve_together(members, workers, memory_mb)
        short = self._solve_alone(rest, workers, memory_mb) if rest else []
        if short:
            raise MemoryError(
                f"{self.memory_mb:g} MB are too little for {', '.join(short)}; "
                "the job is tried again with more"
            )

    def _solve_together(
        self, members: Sequence[Scenario], workers: int, memory_mb: float
    ) -> Sequence[Scenario]:
        """Solve scenarios without contingencies in parts of the shard.

        Returns:
            Those that weren't solved so: alone, each has its own deadline, attempts and verdict.
        """
        from . import worker
        from .supervision import RetryPolicy, Task, supervise

        able = [
            member
            for member in members
            if member.contingencies is None and member.solver not in OPTIMAL
        ]
        size = min(MOST_PER_PART, -(-len(able) // (workers * LEAST_PARTS)) or 1)
        parts = [able[start : start + size] for start in range(0, len(able), size)]
        tasks = [
            Task(
                worker.BETWEEN.join(member.id for member in part),
                min(member.timeout_secs for member in part),
            )
            for part in parts
        ]
        solved: set[str] = set()
        with Durable() as durable:
            for outcome in supervise(
                tasks,
                worker.solve_members,
                workers=workers,
                policy=RetryPolicy(attempts=1),
                memory_mb=memory_mb,
                on_start=self._note_start,
                on_failure=self._note_failed_part,
            ):
                if not outcome.failed:
                    self._conclude(outcome.value)
                    solved |= outcome.value.keys()
                    for path in self.layout.written(outcome.value):
                        durable.add(path)
                    self._show_progress()
        rest = [member for member in members if member.id not in solved]
        # Whoever was killed may have written more than it could say.
        there = self.layout.solved(rest) if len(solved) < len(able) else set()
        self._restore_records(member.id for member in rest if member.id in there)
        return [member for member in rest if member.id not in there]

    def _note_start(self, task: Task, attempt: int) -> None:
        # Not by the worker: one that hasn't come to it yet would be missing from the status.
        from .worker import BETWEEN

        until = time.time() + task.timeout_secs + KILL_MARGIN_SECS
        names = task.name.split(BETWEEN)
        self.journal.write_all("started", names, attempt=attempt, until=until)

    def _note_failed_part(self, task: Task, failure: Failure, _wait_secs: float | None) -> None:
        count = numbered(task.name.count("\n") + 1, "scenario")
        self.log(f"{failure.verdict}: {failure.message}; {count} to be solved one by one")
        if failure.detail:
            self.log(failure.detail)

    def _solve_alone(
        self, members: Sequence[Scenario], workers: int, memory_mb: float
    ) -> Sequence[str]:
        """Solve scenarios one by one, each under its deadline, and give up those that fail.

        Returns:
            Names of those that need more memory than the job has, but for its last attempt.
        """
        from . import worker
        from .supervision import RetryPolicy, Task, supervise

        config = self.plan.config
        policy = RetryPolicy(
            config.retry_attempts, config.retry_backoff_secs, config.retry_backoff_max_secs
        )
        by_id = {member.id: member for member in members}
        tasks = [Task(member.id, member.timeout_secs) for member in members]
        short: list[str] = []
        with Durable() as durable:
            for outcome in supervise(
                tasks,
                worker.solve_member,
                workers=workers,
                policy=policy,
                memory_mb=memory_mb,
                on_start=self._note_start,
                on_failure=self._note_failure,
            ):
                if outcome.failed and outcome.failures[-1].verdict == "memory" and not self.last:
                    short.append(outcome.task.name)
                    continue
                if outcome.failed:
                    last = outcome.failures[-1]
                    member = by_id[outcome.task.name]
                    self._give_up(member, last.verdict, last.message, outcome.failures)
                else:
                    self._conclude(outcome.value)
                for path in self.layout.written([outcome.task.name]):
                    durable.add(path)
                self._show_progress()
        return short

    def _note_failure(self, task: Task, failure: Failure, wait_secs: float | None) -> None:
        then = "given up" if wait_secs is None else f"tried again in {wait_secs:.1f} s"
        self.log(f"{task.name}: {failure.verdict}: {failure.message}; {then}")
        if failure.detail:
            self.log(failure.detail)
        if wait_secs is not None:
            until = time.time() + wait_secs + task.timeout_secs
            self.journal.write("retry", task.name, error=failure.message, until=until)

    def _conclude(self, solved: Mapping[str, Solved]) -> None:
        """Note scenarios that were solved in the journal and in the log."""
        records = {name: {**vars(one)} for name, one in solved.items()}
        for name, record in records.items():
            for line in record.pop("reports"):
                self.log(f"{name}: {line}")
        self.journal.write_each("solved", records)
        for name, record in records.items():
            left = record["left"]
            by = f", by pandapower as {left['reason']}" if left else ""
            self.log(f"{name}: {record['status']} in {record['duration_secs']:.3f} s{by}")

    def _give_all_up(self, members: Sequence[Scenario], verdict: str, message: str) -> None:
        for member in members:
            self._give_up(member, verdict, message, ())

    def _give_up(
        self, member: Scenario, verdict: str, message: str, failures: Sequence[Failure]
    ) -> None:
        """Record why a scenario failed for good, and put a placeholder in place of its result."""
        record = failure_record(member.id, verdict, message, failures)
        # First the record: what takes the result's place must not be taken for one.
        self.journal.write("failed", member.id, attempt=record["attempts"], error=message)
        self.layout.fail(member.id, record)

    def _show_progress(self) -> None:
        content = self.board.update()
        if content is None:
            return
        now, done = time.monotonic(), content["completed"] + content["failed"]
        since, before = self._pace or (now, done)
        self._pace = (since, before)
        rate = (done - before) / (now - since) if now > since else None
        self.say(progress_line(content, rate))
