"""Fingerprints of results, read straight from the footers of their files.

A run asks every result whether it is whole and right before anything else happens, ten thousand
of them in one go, so this reads only the end of the file and imports no Parquet library. The layout
is that of the Parquet format: magic, data, footer, four bytes of footer length, magic. Metadata lie
in the footer in Thrift's compact protocol, where a field's key and value follow each other as plain
text, each behind a type byte and its length.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAGIC = b"PAR1"

METADATA_KEY = "gat_batch"

TAIL_BYTES = 16_384
"""Bytes read in one go; the footer of a scenario with one snapshot is smaller."""

_STORED = rb"\x18\x09" + METADATA_KEY.encode() + rb"\x18([\x80-\xff]*[\x00-\x7f])\{"
_FINGERPRINT = re.compile(_STORED + rb'"fingerprint": "([0-9a-f]{64})"')
_MEMBERS = re.compile(_STORED + rb'"members": ')


def read_fingerprint(path: Path) -> str | None:
    """Return the fingerprint in a scenario's own result file.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits, or None if the file is missing, cut short, damaged, stands for a
        scenario that failed, or is the result of several.
    """
    footer = _footer(path)
    found = footer and _FINGERPRINT.search(footer)
    return found.group(2).decode() if found else None


def read_fingerprints(path: Path) -> Mapping[str, str]:
    """Return the fingerprints in a result file of several scenarios.

    Args:
        path: the file.

    Returns:
        Scenario -> its fingerprint; none of a scenario that failed, and none at all if the file is
        missing, cut short, damaged, or a scenario's own.
    """
    try:
        about = path.stat()
    except OSError:
        return {}
    return _fingerprints(path, (about.st_mtime_ns, about.st_size, about.st_ino))


@cache
def _fingerprints(path: Path, _seen: tuple[int, int, int]) -> Mapping[str, str]:
    members = read_members(path)
    return {name: one["fingerprint"] for name, one in members.items() if "fingerprint" in one}


def read_members(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a result file of several scenarios says of each; nothing if it isn't one."""
    footer = _footer(path)
    found = footer and _MEMBERS.search(footer)
    if not footer or not found:
        return {}
    start = found.end(1)
    try:
        content = json.loads(footer[start : start + _number(found.group(1))])
        members: dict[str, dict[str, Any]] = content["members"]
    except (ValueError, KeyError):
        return {}
    return members


def _number(varint: bytes) -> int:
    """Return the number in Thrift's variable form: seven bits a byte, the lowest first."""
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))


def _footer(path: Path) -> bytes | None:
    """Return the footer of a Parquet file, or None if the file isn't whole."""
    try:
        # A FIFO in place of a result must not block.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        size = os.fstat(descriptor).st_size
        start = max(size - TAIL_BYTES, 0)
        tail = os.pread(descriptor, TAIL_BYTES, start)
        length = int.from_bytes(tail[-8:-4], "little")
        begin = size - 8 - length
        if tail[-4:] != MAGIC or begin < len(MAGIC) or os.pread(descriptor, 4, 0) != MAGIC:
            return None
        if begin >= start:
            return tail[begin - start : -8]
        return os.pread(descriptor, length, begin)
    except OSError:
        return None
    finally:
        os.close(descriptor)
