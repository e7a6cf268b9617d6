"""Inner names of pebble 5: how long the end of a pool waits, and whose task a dead worker had.

A worker tells the pool which task it took, by a message. Where it dies at once, pebble may see it
dead before it reads that message: it then takes the whole pool for broken, or waits for the task's
deadline. Here it reads what was said first.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pebble import CONSTS
from pebble.pool.process import PoolManager

if TYPE_CHECKING:
    from pebble.pool.base_pool import Task


END_SECS = 0.005
"""pebble's own 0.1 s are many power flows."""

MESSAGE_SECS = 2.0
"""Seconds that the last message of a dead worker may take on a busy machine."""

_find_expired_task = PoolManager.find_expired_task


def end_pools_quickly() -> None:
    """Have the end of a pool take pebble :data:`END_SECS`."""
    CONSTS.sleep_unit = END_SECS


def hear_dead_workers_out() -> None:
    """Have a pool read a dead worker's last message before it decides which task it had."""
    setattr(PoolManager, "find_expired_task", _find_task_told)  # noqa: B010 - typed as read-only


def _find_task_told(pool: PoolManager, worker_id: int) -> Task:
    """Find the task of a worker that died.

    Raises:
        LookupError: if it had none.
        BrokenProcessPool: if no worker takes the tasks that there are.
    """
    deadline = time.monotonic() + MESSAGE_SECS
    while True:
        tasks = tuple(pool.task_manager.tasks.copy().values())
        for task in tasks:
            if task.worker_id == worker_id:
                return task
        if all(task.started for task in tasks):
            raise LookupError(worker_id)
        if time.monotonic() > deadline:
            return _find_expired_task(pool, worker_id)
        time.sleep(END_SECS)
