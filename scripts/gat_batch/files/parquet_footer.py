"""The fingerprint of a result, read straight from its footer.

A run asks every result whether it is whole and right before anything else happens, ten thousand
of them in one go, so this reads only the end of the file and imports no Parquet library. The layout
is that of the Parquet format: magic, data, footer, four bytes of footer length, magic. Metadata lie
in the footer in Thrift's compact protocol, where a field's key and value follow each other as plain
text, each behind a type byte and its length.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"PAR1"

METADATA_KEY = "gat_batch"

TAIL_BYTES = 16_384
"""Bytes read in one go; the footer of a scenario with one snapshot is smaller."""

_STORED = rb"\x18\x09" + METADATA_KEY.encode() + rb"\x18[\x80-\xff]*[\x00-\x7f]\{"
_FINGERPRINT = re.compile(_STORED + rb'"fingerprint": "([0-9a-f]{64})"')


def read_fingerprint(path: Path) -> str | None:
    """Return the fingerprint in a result file.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits, or None if the file is missing, cut short, damaged or stands for a
        scenario that failed.
    """
    footer = _footer(path)
    found = footer and _FINGERPRINT.search(footer)
    return found.group(1).decode() if found else None


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
