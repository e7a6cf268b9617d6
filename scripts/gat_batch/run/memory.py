"""A process's memory: a limit on what it may still take, and what it keeps when freed."""

from __future__ import annotations

import gc
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_BYTES = 64 * 2**20
"""A process may always take as much as this: without it Python can't even report a failure."""

LARGEST_FREED_BYTES = 31 * 2**20
"""glibc heeds freed blocks below 32 MiB."""

STATUS = Path("/proc/self/status")


def limit_memory(megabytes: float) -> None:
    """Have allocations of this process fail once it occupies that much; Linux only.

    The kernel limits what is allocated, not what is in use, and libraries allocate generously
    when they start. So the limit is set to what is allocated now and what may be added to what is
    in use now.

    Args:
        megabytes: memory that the process may occupy, in MB.
    """
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    kilobytes = {key: int(rest.split()[0]) for key, rest in map(_field, lines) if "kB" in rest}
    spare = int(megabytes * 1e6) - kilobytes["VmRSS"] * 1024
    limit = kilobytes["VmData"] * 1024 + max(spare, LEAST_BYTES)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Take all that is made meanwhile for lasting: modules, tables.

    Python looks for garbage the more often the more is made: among the imports of a job for an
    eighth of its start. Whatever it looked at later, forked processes would have to copy.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def keep_freed_memory() -> None:
    """Have this process, and those forked from it, keep freed memory for what they allocate next.

    glibc hands memory back once some twice the largest block freed so far lies free. Arrays of
    megabytes, made and dropped thousands of times, are then mapped anew each time, page by page,
    which takes longer than computing them. A large block that is freed once puts an end to that.
    """
    bytearray(LARGEST_FREED_BYTES)


def _field(line: str) -> tuple[str, str]:
    key, _, rest = line.partition(":")
    return key, rest
