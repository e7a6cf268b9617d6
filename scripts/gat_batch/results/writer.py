"""Result files, each written whole or not at all."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from ..files.parquet.footer import METADATA_KEY
from .rows_file import RowsFile
from .schema import RESULT_SCHEMA, ROWS_PER_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from ..files.parquet.row_groups import RowGroup

BUFFER_BYTES = 2**17

MOST_BATCHES = 2000
"""Small batches that are kept before they are put together."""


class ResultWriter:
    """Writes one file of results as its rows come; a context manager whose clean exit completes it.

    Rows are written by a thread while others are computed: writing leaves Python to them.

    An exception leaves nothing behind, and what was there before untouched. An ``OSError``, for
    lack of space say, names the result, and writing may be tried again.

    Args:
        path: the result file.
        metadata: plain values, stored in the file as JSON; may be completed until the context is
            left.
        rows_per_group: rows kept in memory before they are written as a row group.
    """

    def __init__(
        self, path: Path, metadata: Mapping[str, Any], *, rows_per_group: int = ROWS_PER_GROUP
    ) -> None:
        self._path = path
        self._metadata = metadata
        self._rows_per_group = rows_per_group
        self._batches: list[pa.RecordBatch] = []
        self._rows = self._merged = 0
        self._scribe: ThreadPoolExecutor | None = None
        self._written: Future[None] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._file = stack.enter_context(_new_file(self._path, self._metadata))
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add_rows(self, rows: pa.Table) -> None:
        """Add rows of results as they are."""
        self._batches += rows.to_batches()
        self._rows += len(rows)
        if len(self._batches) - self._merged > MOST_BATCHES:
            # A row alone takes as much memory as a thousand together: each has 60 columns.
            small = pa.Table.from_batches(self._batches[self._merged :]).combine_chunks()
            self._batches[self._merged :] = small.to_batches()
            self._merged = len(self._batches)
        if self._rows >= self._rows_per_group:
            if self._scribe is None:
                self._scribe = ThreadPoolExecutor(1)
            self._wait()
            self._written = self._scribe.submit(self._write, self._batches)
            self._batches, self._rows, self._merged = [], 0, 0

    def copy(self, source: Path, group: RowGroup) -> None:
        """Add a row group of another result as it is.

        Raises:
            ResultError: if the source is damaged.
        """
        self._write_rest()
        self._file.copy(source, group)

    def _write(self, batches: list[pa.RecordBatch]) -> None:
        # Whole states in one row group, so that readers can take one at a time.
        self._file.write(pa.Table.from_batches(batches, RESULT_SCHEMA))

    def _write_rest(self) -> None:
        self._wait()
        if self._batches:
            self._write(self._batches)
            self._batches, self._rows, self._merged = [], 0, 0

    def _wait(self) -> None:
        """Wait until what was handed over is written.

        Raises:
            OSError: if it couldn't be.
        """
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def _finish(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._scribe is not None:
            self._scribe.shutdown()
        if kind is None:
            self._write_rest()


def write_placeholder(path: Path, failure: Mapping[str, Any]) -> None:
    """Write a placeholder for the result of a scenario that failed for good.

    It has the schema of a result but no rows. Nothing takes it for a result, as it has no
    fingerprint.

    Args:
        path: the result file.
        failure: why and how the scenario failed; plain values.

    Raises:
        OSError: if it can't be written.
    """
    with _new_file(path, {"failed": dict(failure)}):
        pass


@contextmanager
def _new_file(path: Path, metadata: Mapping[str, Any]) -> Iterator[RowsFile]:
    """Yield a writer of a file that takes its name only when it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _remove_remains(path)
        with temporary.open("w+b", BUFFER_BYTES) as sink:
            file = RowsFile(sink)
            try:
                yield file
                file.finish({METADATA_KEY: _json(metadata)})
            finally:
                file.close()
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _remove_remains(path: Path) -> None:
    """Remove what killed writers of this result left, as there is only one writer at a time."""
    for name in os.listdir(path.parent):  # noqa: PTH208 - once a result, where a glob takes longer
        if name.startswith(f".{path.name}.") and name.endswith(".tmp"):
            (path.parent / name).unlink(missing_ok=True)


def _json(metadata: Mapping[str, Any]) -> str:
    # Readers of footers expect fingerprints in front.
    first = {key: metadata[key] for key in ("fingerprint", "members") if key in metadata}
    return json.dumps({**first, **metadata})
