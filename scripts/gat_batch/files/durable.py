"""Files that outlast a power failure, and files that are replaced in one step."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

EVERY_SECS = 5.0


class Durable:
    """Syncs files to the disk every few seconds, in a thread, while others are written.

    Not one by one, as the file to be created next would wait each time, and not all at the end,
    when nothing else goes on. A result that isn't synced yet may come out of a power failure empty
    or cut off; it then counts as missing. An ``OSError`` of the disk is raised by one of the next
    calls. Used as a context manager, it syncs the rest at the end.
    """

    def __init__(self) -> None:
        self._scribe = ThreadPoolExecutor(1)
        self._waiting: list[Path] = []
        self._under_way: Future[None] | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._scribe:
            if kind is None:
                self._begin()
                self._end()

    def add(self, path: Path) -> None:
        """Add a file that is complete; it is no fault if it has gone by the time it is synced."""
        self._waiting.append(path)
        idle = self._under_way is None or self._under_way.done()
        if idle and time.monotonic() - self._began >= EVERY_SECS:
            self._begin()

    def _begin(self) -> None:
        self._end()
        self._under_way = self._scribe.submit(_to_disk, self._waiting)
        self._waiting, self._began = [], time.monotonic()

    def _end(self) -> None:
        if self._under_way is not None:
            self._under_way.result()


def _to_disk(paths: Sequence[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError), path.open("rb") as file:
            os.fsync(file.fileno())


def replace_json(path: Path, content: Any) -> None:
    """Replace a JSON file so that a reader sees the old or the new content, nothing between.

    Args:
        path: the file.
        content: plain values.

    Raises:
        OSError: if it can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
