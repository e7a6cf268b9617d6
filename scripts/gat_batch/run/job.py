"""A shard solved: what is done already is skipped, the rest is solved under supervision.

The grid is read and prepared once, before the workers are forked, so that all scenarios share
it. A worker solves one scenario at a time and writes its result; the shard itself only keeps
the record: journal, status of the batch, and what remains of a scenario that failed for good.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ..breakdown import contained
from ..errors import GatBatchError, ResultError
from ..files.durable import replace_json
from ..files.words import numbered
from ..grids.approximations import read_approximations, told
from .batch_record import progress_line
from .journal import Journal
from .memory import without_garbage_collection
from .status import StatusBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..plan.plan import Plan
    from ..plan.shards import Shard
    from ..study.scenario import Scenario
    from .supervision import Failure, Outcome, Task


@dataclass
class ShardRun:
    """One run of one shard.

    Attributes:
        plan: the batch.
        shard: the members.
        workers: processes at work at the same time, on scenarios or on their contingencies.
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

    def run(self) -> None:
        """Solve the members that aren't solved.

        Raises:
            ResultError: if the batch's folder can't be written to.
            MemoryError: if members need more memory, and the job will be tried again with more.
        """
        path = self.journal.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.with_suffix(".lock"), self.log), self._true_status():
                unsolved = [member for member in self.shard.scenarios if not self._skip(member)]
                if unsolved:
                    self._solve(unsolved)
        except OSError as error:
            raise ResultError(
                f"can't be written: {error.strerror or error}",
                file=error.filename or path.parent,
                hint="finished results are untouched; free the space or permit writing, "
                "then run again",
            ) from error

    @contextlib.contextmanager
    def _true_status(self) -> Iterator[None]:
        """Bring the status up to date at the end, even if the shard is interrupted."""
        try:
            yield
        finally:
            self.board.update(force=True)

    def _skip(self, member: Scenario) -> bool:
        """Return whether a member is solved already.

        If so, make its result newer than its inputs, and complete the journal.
        """
        if not self.plan.is_solved(member):
            return False
        result = self.plan.result(member.id)
        inputs = (*self.plan.grid(member).files, *member.tables)
        if result.stat().st_mtime < max((path.stat().st_mtime for path in inputs), default=0.0):
            os.utime(result)
        self.board.restore_record(member.id, self.journal)
        return True

    def _solve(self, members: Sequence[Scenario]) -> None:
        for member in members:
            self.plan.job_folder(member.id).mkdir(parents=True, exist_ok=True)
            self.plan.error(member.id).unlink(missing_ok=True)
        # Cores that scenarios leave are for the contingencies of each.
        workers = min(self.workers, len(members))
        memory_mb = self.memory_mb / workers
        try:
            with without_garbage_collection():
                # Imported only where there is something to solve: this is what takes seconds.
                from ..files.csv_files import recognised
                from ..files.durable import Durable
                from ..study.wide_tables import recognised_wide
                from . import worker
                from .supervision import RetryPolicy, Task, supervise

                prepare = partial(worker.prepare, self.plan, members, self.journal)
                broken = contained(
                    partial(prepare, threads=self.workers // workers, memory_mb=memory_mb)
                )
        except GatBatchError as fault:
            self._give_all_up(members, "bad data", str(fault))
            return
        if broken is not None:
            self.log(broken.line())
            self._give_all_up(members, "internal", broken.detail.removeprefix("internal: "))
            return
        for line in told(read_approximations(self.plan.approximations(members[0]))):
            self.log(line)
        tables = recognised(table for member in members for table in member.tables)
        wide = recognised_wide(
            (path, kind)
            for member in members
            for kind, path, _ in member.injections
            if path is not None
        )
        for line in filter(None, (tables, wide)):
            self.log(line)
        self.log(f"{numbered(len(members), 'scenario')} to solve, {workers} at a time")
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
                on_failure=self._note_failure,
            ):
                if outcome.failed and outcome.failures[-1].verdict == "memory" and not self.last:
                    short.append(outcome.task.name)
                    continue
                member = by_id[outcome.task.name]
                self._conclude(member, outcome)
                durable.add(self.plan.result(member.id))
                self._show_progress()
        if short:
            raise MemoryError(
                f"{self.memory_mb:g} MB are too little for {', '.join(short)}; "
                "the job is tried again with more"
            )

    def _note_failure(self, task: Task, failure: Failure, wait_secs: float | None) -> None:
        then = "given up" if wait_secs is None else f"tried again in {wait_secs:.1f} s"
        self.log(f"{task.name}: {failure.verdict}: {failure.message}; {then}")
        if failure.detail:
            self.log(failure.detail)
        if wait_secs is not None:
            until = time.time() + wait_secs + task.timeout_secs
            self.journal.write("retry", task.name, error=failure.message, until=until)

    def _conclude(self, member: Scenario, outcome: Outcome) -> None:
        attempt = len(outcome.failures) + 1
        if outcome.failed:
            last = outcome.failures[-1]
            self._give_up(member, last.verdict, last.message, outcome.failures)
            return
        record = asdict(outcome.value)
        for line in record.pop("reports"):
            self.log(f"{member.id}: {line}")
        self.journal.write("solved", member.id, attempt=attempt, **record)
        left = record["left"]
        by = f", by pandapower as {left['reason']}" if left else ""
        self.log(f"{member.id}: {record['status']} in {record['duration_secs']:.3f} s{by}")

    def _give_all_up(self, members: Sequence[Scenario], verdict: str, message: str) -> None:
        for member in members:
            self._give_up(member, verdict, message, ())

    def _give_up(
        self, member: Scenario, verdict: str, message: str, failures: Sequence[Failure]
    ) -> None:
        """Record why a scenario failed for good, and put a placeholder in place of its result."""
        from ..results.writer import write_placeholder

        attempts = max(len(failures), 1)
        content: dict[str, Any] = {
            "scenario": member.id,
            "verdict": verdict,
            "error": message,
            "attempts": attempts,
            "tries": [
                {
                    "started": datetime.fromtimestamp(failure.started, UTC).isoformat(),
                    "duration_secs": round(failure.duration_secs, 3),
                    "verdict": failure.verdict,
                    "error": failure.message,
                }
                for failure in failures
            ],
        }
        replace_json(self.plan.error(member.id), content)
        # First the record: what takes the result's place must not be taken for one.
        self.journal.write("failed", member.id, attempt=attempts, error=message)
        write_placeholder(self.plan.result(member.id), content)

    def _show_progress(self) -> None:
        content = self.board.update()
        if content is None:
            return
        now, done = time.monotonic(), content["completed"] + content["failed"]
        since, before = self._pace or (now, done)
        self._pace = (since, before)
        rate = (done - before) / (now - since) if now > since else None
        self.say(progress_line(content, rate))


@contextlib.contextmanager
def _alone(path: Path, log: Callable[[str], None]) -> Iterator[None]:
    """Hold the shard's lock, waiting for any other process, say one that outlived its Snakemake."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another process is solving this shard; waiting for it to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
