"""One run per batch, and one job per shard: locks that are held as long as a process lives.

The kernel releases it however the process ends, so nothing has to be unlocked by hand.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from ..errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_held: dict[Path, IO[str]] = {}


def hold(path: Path) -> None:
    """Take the lock of a batch and keep it until this process ends; safe to repeat.

    Args:
        path: the lock file.

    Raises:
        ResultError: if another run holds it, or the batch's folder can't be written to.
    """
    key = path.absolute()
    if key in _held:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Kept open on purpose: closing it would let go of the lock.
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        hint = "the batch's folder must be writable"
        raise ResultError(f"can't be written: {error.strerror}", file=path, hint=hint) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise ResultError(
            f"another run is at work on this batch: {holder}",
            file=path.parents[1],
            hint="wait for its end, or watch it by scripts/status.py",
        ) from None
    except OSError:
        pass  # a file system without locks can't tell
    _held[key] = file
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    record = {"host": socket.gethostname(), "pid": os.getpid(), "started": started}
    try:
        file.truncate(0)
        file.write(json.dumps(record))
        file.flush()
    except OSError as error:
        raise ResultError(f"can't be written: {error.strerror}", file=path) from None


def is_held(path: Path) -> bool:
    """Return whether any living process holds a lock."""
    try:
        with path.open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def alone(path: Path, log: Callable[[str], None]) -> Iterator[None]:
    """Hold a shard's lock, waiting for any other process, say one that outlived its Snakemake.

    Args:
        path: the lock.
        log: told if there is one to wait for.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another process is solving this shard; waiting for it to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
