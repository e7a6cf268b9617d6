"""Tasks under a deadline, in worker processes that may die, tried again with growing waits.

The processes and their deadlines are pebble's. What is added here is the verdict: a timeout, a
dead worker or an I/O error may not happen again, so the task is tried again after a wait that
doubles each time, while the other tasks go on; anything else is final at once. A lack of memory
doesn't pass by waiting: the caller may try again with more.
"""

from __future__ import annotations

import gc
import heapq
import itertools
import multiprocessing
import os
import random
import signal
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pebble import ProcessExpired, ProcessPool

from ..errors import GatBatchError, UnreadableError, described
from ..parallel import die_with_parent
from ..upstream.pebble import end_pools_quickly, hear_dead_workers_out
from .memory import limit_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Verdict = Literal["timeout", "crash", "memory", "io", "bad data", "internal"]

TRANSIENT: frozenset[Verdict] = frozenset({"timeout", "crash", "io"})
"""Verdicts that may be different next time."""
end_pools_quickly()
hear_dead_workers_out()


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed task is tried again.

    Attributes:
        attempts: most attempts in all, the first included.
        backoff_secs: wait before the second attempt, in seconds; doubled for each further one.
        backoff_max_secs: longest wait, in seconds.
    """

    attempts: int = 3
    backoff_secs: float = 1.0
    backoff_max_secs: float = 60.0

    def wait_secs(self, failures: int, jitter: float) -> float:
        """Return how long to wait after a number of failures.

        Args:
            failures: attempts that failed so far, at least one.
            jitter: a random number in [0, 1): shortens the wait by up to half, so that tasks
                that failed together are not all tried again together.

        Returns:
            The wait in seconds.
        """
        # The exponent is bounded, as a float overflows beyond 2**1023.
        full = self.backoff_secs * 2.0 ** min(failures - 1, 1000)
        return min(full, self.backoff_max_secs) * (1 - jitter / 2)


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes:
        name: name of the task, passed to the work function.
        timeout_secs: wall-clock limit of one attempt, in seconds.
    """

    name: str
    timeout_secs: float


@dataclass(frozen=True)
class Failure:
    """An attempt that failed.

    Attributes:
        verdict: what kind of failure it was.
        message: one line for people.
        started: when it began, in seconds since the epoch.
        duration_secs: how long it took, in seconds.
        detail: traceback, for the log.
    """

    verdict: Verdict
    message: str
    started: float
    duration_secs: float
    detail: str = ""


@dataclass(frozen=True)
class Outcome:
    """A task that is done, in one way or another.

    Attributes:
        task: the task.
        value: what the work function returned; None if the task failed for good.
        failures: the attempts that failed, in order.
    """

    task: Task
    value: Any
    failures: tuple[Failure, ...]

    @property
    def failed(self) -> bool:
        """Whether the task failed for good."""
        return self.value is None


@dataclass
class _Entry:
    task: Task
    failures: list[Failure] = field(default_factory=list)
    submitted: float = 0.0


def supervise(
    tasks: Iterable[Task],
    work: Callable[[str, int], Any],
    *,
    workers: int,
    policy: RetryPolicy,
    memory_mb: float | None = None,
    on_start: Callable[[Task, int], None] = lambda *_: None,
    on_failure: Callable[[Task, Failure, float | None], None] = lambda *_: None,
    jitter: Callable[[], float] = random.random,
) -> Iterator[Outcome]:
    """Do tasks in worker processes, each under its deadline, and try transient failures again.

    Args:
        tasks: what to do; taken when a worker is free.
        work: called in a worker with the task's name and the number of the attempt, from 1; what
            it returns must be picklable and not None. Workers are forked, so they have what the
            caller prepared, too.
        workers: tasks done at the same time.
        policy: when to try again.
        memory_mb: memory that a worker may occupy, in MB; None for no limit.
        on_start: called for each attempt when it is handed to a worker, with its number from 1.
        on_failure: called for each failed attempt with the wait in seconds before the next one,
            or None if there is none.
        jitter: source of random numbers in [0, 1).

    Yields:
        An outcome for each task, as they come.
    """
    waiting: list[tuple[float, int, _Entry]] = []
    order = itertools.count()
    running: dict[Future[Any], _Entry] = {}
    pool = ProcessPool(
        max_workers=workers,
        initializer=_start_worker,
        initargs=(os.getpid(), memory_mb),
        context=multiprocessing.get_context("fork"),
    )

    def submit(entry: _Entry) -> None:
        attempt = len(entry.failures) + 1
        on_start(entry.task, attempt)
        entry.submitted = time.time()
        arguments = (entry.task.name, attempt)
        future = pool.schedule(work, args=arguments, timeout=entry.task.timeout_secs)
        running[future] = entry

    fresh = iter(tasks)
    ended: list[Outcome] = []
    try:
        while True:
            # No more than one task a worker is handed out, so that an attempt starts when it is
            # submitted; tasks whose wait is over go before those never tried.
            while len(running) < workers:
                if waiting and waiting[0][0] <= time.monotonic():
                    submit(heapq.heappop(waiting)[2])
                elif (task := next(fresh, None)) is not None:
                    submit(_Entry(task))
                else:
                    break
            # Only now, as whoever takes them may be busy with them for a while.
            yield from ended
            ended = []
            if not running and not waiting:
                return
            pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            if not running:
                time.sleep(pause or 0.0)
                continue
            for future in wait(running, timeout=pause, return_when=FIRST_COMPLETED).done:
                entry = running.pop(future)
                failure = _failure(future, entry)
                if failure is None:
                    ended.append(Outcome(entry.task, future.result(), tuple(entry.failures)))
                    continue
                entry.failures.append(failure)
                if failure.verdict in TRANSIENT and len(entry.failures) < policy.attempts:
                    delay = policy.wait_secs(len(entry.failures), jitter())
                    on_failure(entry.task, failure, delay)
                    heapq.heappush(waiting, (time.monotonic() + delay, next(order), entry))
                else:
                    on_failure(entry.task, failure, None)
                    ended.append(Outcome(entry.task, None, tuple(entry.failures)))
    finally:
        pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it out
        pool.join()


def _failure(future: Future[Any], entry: _Entry) -> Failure | None:
    error = future.exception()
    if error is None:
        return None
    verdict, message = _verdict(error, entry.task)
    detail = "".join(traceback.format_exception(error)) if verdict == "internal" else ""
    duration = time.time() - entry.submitted
    if verdict == "timeout":
        duration = min(duration, entry.task.timeout_secs)
    return Failure(verdict, message, time.time() - duration, duration, detail)


def _verdict(error: BaseException, task: Task) -> tuple[Verdict, str]:
    match error:
        case TimeoutError():
            return "timeout", f"took longer than timeout_secs = {task.timeout_secs:g} s"
        case ProcessExpired():
            return "crash", f"the worker died ({_cause_of_death(error.exitcode)})"
        case MemoryError():
            return "memory", "the worker ran out of memory"
        case GatBatchError():
            return "io" if isinstance(error, UnreadableError) else "bad data", str(error)
        case OSError():
            return "io", f"{error.strerror or error}: {error.filename or 'no file named'}"
        case _:
            return "internal", described(error)


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    name = signal.Signals(-exitcode).name
    hint = ", often for lack of memory" if -exitcode == signal.SIGKILL else ""
    return f"{name}{hint}"


def _start_worker(parent: int, memory_mb: float | None) -> None:
    """Set up a worker: the supervisor alone ends it, and it doesn't outlive the supervisor."""
    if memory_mb is not None:
        limit_memory(memory_mb)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent(parent)
    # What was inherited stays shared with the parent, if no garbage is looked for in it.
    gc.freeze()
