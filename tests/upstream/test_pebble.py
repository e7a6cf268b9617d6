"""What an upgrade of pebble breaks, in a sentence."""

from __future__ import annotations

import inspect
import os
import signal
import time

from pebble import CONSTS, ProcessPool
from pebble.pool import base_pool
from pebble.pool.process import PoolManager

from gat_batch.run import supervision
from gat_batch.upstream.pebble import END_SECS


def test_the_end_of_a_pool_waits_as_long_as_the_constant_says():
    assert supervision
    told = "pebble waits by another constant: the end of each pool takes 0.1 s again"
    assert CONSTS.sleep_unit == END_SECS, told
    assert "CONSTS.sleep_unit" in inspect.getsource(base_pool), told
    assert ProcessPool


def die(_name: str, _attempt: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_before_its_message_is_read_costs_its_task_alone(monkeypatch):
    read = PoolManager.process_next_message

    def read_late(pool, timeout):
        time.sleep(0.05)
        read(pool, timeout)

    monkeypatch.setattr(PoolManager, "process_next_message", read_late)
    tasks = [supervision.Task(f"{n}", 5.0) for n in range(12)]
    once = supervision.RetryPolicy(attempts=1)
    outcomes = list(supervision.supervise(tasks, die, workers=2, policy=once))
    assert [one.failures[0].verdict for one in outcomes] == ["crash"] * 12, (
        "pebble looks a dead worker's task up by another name: a pool breaks where one task dies"
    )
