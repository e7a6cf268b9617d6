"""A result file of several scenarios: which rows are whose.

Its metadata say of each member what a scenario's own file says of it, and from which row to which
its rows reach. Row groups hold whole members, or a part of a single one.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ResultError
from ..files.parquet.footer import METADATA_KEY
from .schema import RESULT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PART_SCHEMA = RESULT_SCHEMA.set(
    RESULT_SCHEMA.get_field_index("element"),
    pa.field("element", pa.dictionary(pa.int32(), pa.string())),
)
"""Schema of rows as they are read in parts."""

_CONTINGENCY = RESULT_SCHEMA.get_field_index("contingency")


class Piece(NamedTuple):
    """Rows of one row group: its number, the first row and the one behind the last, in the file."""

    group: int
    start: int
    stop: int


class SharedFile:
    """The rows and the metadata of a result file of several scenarios.

    Args:
        path: the file.

    Raises:
        OSError, ValueError, pyarrow.ArrowException: if it is missing or damaged.
        ResultError: if it is a scenario's own, or its columns are not those of a result.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_rows(path)
        content = metadata_of(self._file.metadata, path)
        self.members: dict[str, dict[str, Any]] = content.pop("members", {})
        if not self.members:
            raise unusable(path, "it isn't the result of several scenarios")
        self._common = content
        groups = range(self._file.num_row_groups)
        sizes = (self._file.metadata.row_group(group).num_rows for group in groups)
        self._starts = [0, *accumulate(sizes)]
        self._at_hand: tuple[tuple[int, Sequence[str] | None], pa.Table | None] = (-1, None), None

    def about(self, scenario: str) -> dict[str, Any]:
        """Return the metadata of a member, as its own file would have them."""
        return {key: value for key, value in self.members[scenario].items() if key != "rows"} | {
            "scenario": scenario,
            **self._common,
        }

    def pieces_of(self, start: int, stop: int) -> Iterator[Piece]:
        """Yield rows from one number up to another, cut where row groups begin."""
        group = bisect_right(self._starts, start) - 1
        while start < stop:
            upper = min(stop, self._starts[group + 1])
            yield Piece(group, start, upper)
            start, group = upper, group + 1

    def is_whole(self, piece: Piece) -> bool:
        """Return whether these rows are all of their row group."""
        return self._starts[piece.group : piece.group + 2] == [piece.start, piece.stop]

    def has_contingencies(self, group: int) -> bool:
        """Return whether rows of a row group are of contingencies."""
        column = self._file.metadata.row_group(group).column(_CONTINGENCY)
        known = column.statistics
        return known is None or known.null_count < column.num_values

    def rows(self, start: int, stop: int) -> Iterator[pa.Table]:
        """Yield the rows from one number up to another, a row group at a time."""
        for piece in self.pieces_of(start, stop):
            yield self.read(piece)

    def read(self, piece: Piece, columns: Sequence[str] | None = None) -> pa.Table:
        """Return rows of one row group, all columns of them or some."""
        wanted = piece.group, columns
        if self._at_hand[0] != wanted:
            rows = self._file.read_row_group(piece.group, columns, use_threads=False)
            self._at_hand = wanted, rows
        found = self._at_hand[1]
        assert found is not None  # noqa: S101 - it has just been read
        return found.slice(piece.start - self._starts[piece.group], piece.stop - piece.start)

    def parts(self, scenario: str) -> Iterator[pa.Table]:
        """Yield the rows of a member, at least one table."""
        start, stop = self.members[scenario].get("rows", (0, 0))
        if start == stop:
            yield PART_SCHEMA.empty_table()
        yield from self.rows(start, stop)

    def pieces(self) -> Iterator[tuple[Sequence[str], Piece | None, bool]]:
        """Yield the members in the order of their rows, as many at once as share a row group.

        One that failed comes alone, without rows; one with many comes several times.

        Yields:
            Names, their rows, and whether these are the last.
        """
        together: list[str] = []
        for name, one in self.members.items():
            if "rows" not in one:
                yield from self._piece(together)
                together = []
                yield [name], None, True
                continue
            if together and not self._in_one_group([*together, name]):
                yield from self._piece(together)
                together = []
            together.append(name)
        yield from self._piece(together)

    def _in_one_group(self, names: Sequence[str]) -> bool:
        start, stop = self.members[names[0]]["rows"][0], self.members[names[-1]]["rows"][1]
        return bool(stop <= self._starts[bisect_right(self._starts, start)])

    def _piece(self, names: Sequence[str]) -> Iterator[tuple[Sequence[str], Piece, bool]]:
        if names:
            start, stop = self.members[names[0]]["rows"][0], self.members[names[-1]]["rows"][1]
            for piece in self.pieces_of(start, stop):
                yield names, piece, piece.stop == stop


def shared_file(path: Path) -> SharedFile:
    """Open a result file of several scenarios; one asked for again and again is opened once.

    Args and errors as for :class:`SharedFile`.
    """
    about = path.stat()
    return _opened(path, (about.st_mtime_ns, about.st_size, about.st_ino))


@lru_cache(maxsize=2)
def _opened(path: Path, _seen: tuple[int, int, int]) -> SharedFile:
    return SharedFile(path)


def open_rows(path: Path) -> pq.ParquetFile:
    """Open a file of results, whose kinds of elements are read as numbers into a dictionary.

    Raises:
        ResultError: if its columns are not those of a result.
        OSError, ValueError, pyarrow.ArrowException: if it is missing or damaged.
    """
    # Not pq.read_table: it takes "a=b" in a folder's name for a column.
    file = pq.ParquetFile(
        path, read_dictionary=["element"], pre_buffer=False, page_checksum_verification=True
    )
    if not file.schema_arrow.equals(PART_SCHEMA):
        file.close()
        raise unusable(path, "its columns are not those of a result")
    return file


def metadata_of(stored: pq.FileMetaData, path: Path) -> dict[str, Any]:
    """Return what a file of results says of itself.

    Raises:
        ResultError: if it says nothing.
    """
    content = json.loads((stored.metadata or {}).get(METADATA_KEY.encode(), b"null"))
    if not isinstance(content, dict):
        raise unusable(path, "it has no metadata of gat-batch")
    return content


def unusable(path: Path, reason: object) -> ResultError:
    """Return the fault of a file that is no result."""
    hint = "remove it and run again; only what it holds is solved anew"
    return ResultError(f"not a whole result: {reason}", file=path, hint=hint)
