"""A process's memory: a limit on what it may take, and what it keeps of what it frees."""

from __future__ import annotations

import resource
from pathlib import Path

LEAST_BYTES = 64 * 2**20
"""Bytes that a process may always take: without them Python can't even report a failure."""

LARGEST_FREED_BYTES = 31 * 2**20
"""Largest freed block that glibc takes into account: it ignores those of 32 MiB and more."""

STATUS = Path("/proc/self/status")


def limit_memory(megabytes: float) -> None:
    """Make allocations of this process fail once it occupies that much memory; Linux only.

    The kernel limits what is allocated, not what is in use, and libraries allocate generously when
    they start. So the limit is what is allocated now, plus what may be added to what is in use now.

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


def keep_freed_memory() -> None:
    """Make this process, and those forked from it, reuse freed memory instead of returning it.

    glibc returns memory to the system once about twice the largest block freed so far lies free.
    Arrays of megabytes, made and dropped thousands of times, are then mapped anew each time, page
    by page, which takes longer than computing them. Freeing one large block puts an end to that.
    """
    bytearray(LARGEST_FREED_BYTES)


def _field(line: str) -> tuple[str, str]:
    key, _, rest = line.partition(":")
    return key, rest
