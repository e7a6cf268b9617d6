"""The fingerprint of a result, read straight from its footer.

A run asks every result whether it is whole and right before anything else happens, ten thousand
of them in one go, so this reads a few hundred bytes and imports nothing. The layout is that of
the Parquet format: magic, data, footer, four bytes of footer length, magic.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"PAR1"

_FINGERPRINT = re.compile(rb'"fingerprint": "([0-9a-f]{64})"')


def read_fingerprint(path: Path) -> str | None:
    """The fingerprint in a result file.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits, or None if the file is missing, cut short, damaged or stands for a
        scenario that failed.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                return None
            end = file.seek(-8, 2)
            tail = file.read(8)
            length = int.from_bytes(tail[:4], "little")
            if tail[4:] != MAGIC or not 0 < length <= end - 4:
                return None
            file.seek(end - length)
            footer = file.read(length)
    except OSError:
        return None
    found = _FINGERPRINT.search(footer)
    return found.group(1).decode() if found else None
