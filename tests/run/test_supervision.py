"""Tasks that hang, die, starve or fail are contained, and tried again where that may help."""

import ctypes
import faulthandler
import itertools
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from gat_batch.errors import GridError
from gat_batch.run.supervision import RetryPolicy, Task, supervise

FAST = RetryPolicy(attempts=3, backoff_secs=0.01)


def behave(name: str, attempt: int) -> tuple[str, int, int]:
    """What a worker does for a task of that name: 'crash', 'crash-once', 'fine-7', ..."""
    faulthandler.disable()
    kind, _, when = name.partition("-")
    if when == "once" and attempt > 1:
        return name, attempt, os.getpid()
    match kind:
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(60)
        case "gil":
            # PyDLL keeps the GIL for the whole call.
            ctypes.PyDLL(None).sleep(60)
        case "memory":
            raise MemoryError
        case "eat":
            # Touched, so that it is memory in use.
            hoard = bytearray(int(when) * 10**6)
            hoard[::4096] = b"x" * len(hoard[::4096])
        case "io":
            Path("/proc/self/nowhere").read_text()
        case "bad":
            raise GridError("no slack", file="grid.json")
        case "bug":
            raise ZeroDivisionError("division by zero")
    return name, attempt, os.getpid()


def outcomes(names, *, workers=2, policy=FAST, timeout_secs=5.0, **keywords):
    tasks = [Task(name, timeout_secs) for name in names]
    done = list(supervise(tasks, behave, workers=workers, policy=policy, **keywords))
    assert sorted(outcome.task.name for outcome in done) == sorted(names)
    return {outcome.task.name: outcome for outcome in done}


def test_each_task_is_done_once_by_few_long_lived_workers():
    names = [f"fine-{n}" for n in range(50)]
    done = outcomes(names)
    assert all(outcome.value[:2] == (name, 1) for name, outcome in done.items())
    assert len({outcome.value[2] for outcome in done.values()}) <= 2


@pytest.mark.parametrize(
    ("kind", "verdict", "text"),
    [
        ("segfault", "crash", "SIGSEGV"),
        ("kill", "crash", "SIGKILL"),
        ("exit", "crash", "exit code 3"),
        ("io", "io", "nowhere"),
    ],
)
def test_a_passing_fault_costs_one_attempt_of_one_task(kind, verdict, text):
    done = outcomes([f"{kind}-once", *(f"fine-{n}" for n in range(10))])
    outcome = done.pop(f"{kind}-once")
    assert outcome.value[1] == 2
    assert [failure.verdict for failure in outcome.failures] == [verdict]
    assert text in outcome.failures[0].message
    assert all(other.value[1] == 1 and not other.failures for other in done.values())


@pytest.mark.parametrize("kind", ["hang", "gil"])
def test_a_hanging_task_is_ended_at_its_deadline(kind):
    done = outcomes([f"{kind}-once", "fine-1", "fine-2"], timeout_secs=0.5)
    outcome = done[f"{kind}-once"]
    assert outcome.value[1] == 2
    assert outcome.failures[0].verdict == "timeout"
    assert "timeout_secs = 0.5 s" in outcome.failures[0].message


@pytest.mark.parametrize(
    ("kind", "verdict"), [("bad", "bad data"), ("bug", "internal"), ("memory", "memory")]
)
def test_what_does_not_pass_by_waiting_is_final(kind, verdict):
    outcome = outcomes([kind, "fine-1"])[kind]
    assert outcome.failed
    assert [failure.verdict for failure in outcome.failures] == [verdict]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_worker_may_not_take_more_memory_than_it_is_given():
    # A worker is forked from this process, which all tests before have made large.
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    occupied_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    done = outcomes(["eat-2000", "eat-100", "fine-1"], memory_mb=occupied_mb + 1000.0)
    assert [failure.verdict for failure in done["eat-2000"].failures] == ["memory"]
    assert not done["eat-100"].failed
    assert not done["fine-1"].failures


def test_a_task_that_keeps_failing_is_given_up_after_the_last_attempt():
    outcome = outcomes(["kill", "fine-1"])["kill"]
    assert outcome.failed
    assert len(outcome.failures) == 3


def test_waits_double_up_to_the_cap_and_jitter_shortens_them():
    policy = RetryPolicy(attempts=9, backoff_secs=1.0, backoff_max_secs=10.0)
    assert [policy.wait_secs(n, 0.0) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert policy.wait_secs(3, 0.5) == 3.0
    assert policy.wait_secs(10_000, 0.0) == 10.0


def test_attempts_follow_each_other_by_the_announced_growing_waits():
    announced = []
    policy = RetryPolicy(attempts=4, backoff_secs=0.1)
    outcome = outcomes(
        ["kill"],
        policy=policy,
        jitter=lambda: 0.0,
        on_failure=lambda _task, _failure, wait: announced.append(wait),
    )["kill"]
    assert announced == [0.1, 0.2, 0.4, None]
    starts = [failure.started for failure in outcome.failures]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert all(gap >= wait for gap, wait in zip(gaps, announced, strict=False))


def test_other_tasks_go_on_while_one_waits_for_its_next_attempt():
    tasks = [Task("kill-once", 5.0), *(Task(f"fine-{n}", 5.0) for n in range(5))]
    policy = RetryPolicy(attempts=2, backoff_secs=1.0)
    done = supervise(tasks, behave, workers=1, policy=policy, jitter=lambda: 0.0)
    assert [outcome.task.name for outcome in done] == [
        *(f"fine-{n}" for n in range(5)),
        "kill-once",
    ]


def test_an_attempt_is_told_of_before_the_end_of_the_one_whose_place_it_takes():
    told = []

    def tell(task, attempt):
        told.append((task.name, attempt))

    tasks = [Task(name, 5.0) for name in ("fine-0", "fine-1", "kill-once")]
    for outcome in supervise(tasks, behave, workers=1, policy=FAST, on_start=tell):
        tell(outcome.task, "done")
    assert told == [
        ("fine-0", 1),
        ("fine-1", 1),
        ("fine-0", "done"),
        ("kill-once", 1),
        ("fine-1", "done"),
        ("kill-once", 2),
        ("kill-once", "done"),
    ]


def test_workers_die_with_their_supervisor():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)

        def tell(_name: str, _attempt: int) -> None:
            os.write(writer, f"{os.getpid()}\n".encode())
            time.sleep(60)

        globals()["behave_and_tell"] = tell
        tell.__qualname__ = "behave_and_tell"
        list(supervise([Task("hang", 60.0)], tell, workers=1, policy=FAST))
        os._exit(0)
    os.close(writer)
    worker = int(os.read(reader, 32))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
