"""Row groups of Parquet files put into another file as they are, without reading a value.

Encoding rows takes most of the time of joining files, so large row groups are copied byte for byte.
Only what the footer says of where their columns lie has to be written anew. The names of structures
and fields are those of the Parquet format.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NamedTuple

from .footer import MAGIC
from .thrift import I64, LIST, STRUCT, UNUSUAL, fields_of, items_of, number_at, number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

NUM_ROWS, ROW_GROUPS = 3, 4
"""Fields of ``FileMetaData``."""

COLUMNS, GROUP_ROWS, FILE_OFFSET, ORDINAL = 1, 3, 5, 7
"""Fields of ``RowGroup``. The ordinal only matters where files are encrypted; it is left out."""

CHUNK_OFFSET, META_DATA = 2, 3
"""Fields of ``ColumnChunk``."""

COMPRESSED_SIZE, DATA_OFFSET, DICTIONARY_OFFSET = 7, 9, 11
"""Fields of ``ColumnMetaData``."""

CHUNK_FIELDS = frozenset({CHUNK_OFFSET, META_DATA})
COLUMN_FIELDS = frozenset({*range(1, 10), DICTIONARY_OFFSET, 12, 13, 16, 17})
"""Fields of both that may be copied: no indices of pages, Bloom filters or encryption, which lie
elsewhere in the file."""

BYTES_AT_ONCE = 2**20


@dataclass(frozen=True)
class RowGroup:
    """A row group of a file.

    Attributes:
        rows: number of its rows.
        begin, end: where its bytes lie in the file.
        text: what the footer says of it.
        places: where in the text a place in the file stands: begin, end, and that place.
    """

    rows: int
    begin: int
    end: int
    text: bytes
    places: tuple[tuple[int, int, int], ...]

    def moved(self, begin: int) -> bytes:
        """Return what a footer says of it where its bytes begin at this place of a file."""
        by, done = begin - self.begin, 0
        parts: list[bytes] = []
        for start, stop, place in self.places:
            parts += self.text[done:start], number_text(2 * (place + by))
            done = stop
        return b"".join([*parts, self.text[done:]])


@dataclass(frozen=True)
class Footer:
    """The footer of a file.

    Attributes:
        head: the version of the format, and the columns.
        groups: the row groups.
        tail: what comes behind these.
    """

    head: bytes
    groups: tuple[RowGroup, ...]
    tail: bytes


def read_footer(file: IO[bytes]) -> Footer:
    """Read what a file says of its row groups.

    Raises:
        ValueError: if it isn't whole, or says something of its columns that ties them to it.
        OSError: if it can't be read.
    """
    try:
        file.seek(_begin_of_footer(file))
        return _parsed(file.read()[:-8])
    except (IndexError, KeyError) as error:
        raise ValueError(f"its footer can't be read: {error}") from None


class _Copied(NamedTuple):
    """A copied row group: how many bytes of others lie before it, its own, rows, and its text."""

    behind: int
    size: int
    rows: int
    text: bytes


class CopiedGroups:
    """Row groups that are copied into a file while a writer of its own adds others to it.

    Args:
        sink: the file, open for writing and reading. A writer of pyarrow's may write whole row
            groups to it between two copies; it doesn't know of these, and counts its own bytes.
    """

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self._copied: list[_Copied] = []
        self._bytes = 0

    def copy(self, source: IO[bytes], group: RowGroup) -> None:
        """Copy a row group.

        Raises:
            ValueError: if the source ends before the row group does.
            OSError: if the file can't be written.
        """
        begin = self._sink.tell()
        source.seek(group.begin)
        size = left = group.end - group.begin
        while left:
            piece = source.read(min(left, BYTES_AT_ONCE))
            if not piece:
                raise ValueError("it ends in the middle of a row group")
            self._sink.write(piece)
            left -= len(piece)
        text = group.moved(begin)
        self._copied.append(_Copied(begin - self._bytes, size, group.rows, text))
        self._bytes += size

    def finish(self) -> None:
        """Tell of the copied row groups in the footer that the writer has left.

        Raises:
            OSError: if the file can't be written.
        """
        if not self._copied:
            return
        footer = read_footer(self._sink)
        waiting, before, texts = deque(self._copied), 0, []
        for group in footer.groups:
            while waiting and waiting[0].behind <= group.begin:
                copied = waiting.popleft()
                before += copied.size
                texts.append(copied.text)
            texts.append(group.moved(group.begin + before))
        texts += [copied.text for copied in waiting]
        rows = sum(group.rows for group in footer.groups) + sum(one.rows for one in self._copied)
        text = _footer_text(footer, rows, texts)
        self._sink.seek(_begin_of_footer(self._sink))
        self._sink.write(text + len(text).to_bytes(4, "little") + MAGIC)
        self._sink.truncate()


def _begin_of_footer(file: IO[bytes]) -> int:
    end = file.seek(-8, os.SEEK_END)
    length, magic = file.read(4), file.read(4)
    if magic != MAGIC:
        raise ValueError("it isn't a whole Parquet file")
    return end - int.from_bytes(length, "little")


def _footer_text(footer: Footer, rows: int, groups: Sequence[bytes]) -> bytes:
    """Return the text of a footer with other row groups, of so many rows."""
    number, items = bytes([1 << 4 | I64]), bytes([1 << 4 | LIST, 15 << 4 | STRUCT])
    counts = number + number_text(2 * rows) + items + number_text(len(groups))
    return b"".join([footer.head, counts, *groups, footer.tail])


def _parsed(text: bytes) -> Footer:
    fields, _ = fields_of(text, 0)
    rows, groups = fields[NUM_ROWS][0], fields[ROW_GROUPS]
    # The fields must follow each other: the last byte before a value says what it is.
    if text[rows - 1] != 1 << 4 | I64 or text[groups[0] - 1] != 1 << 4 | LIST:
        raise ValueError(UNUSUAL)
    at, count = items_of(text, groups[0])
    found = []
    for _ in range(count):
        group, at = _group(text, at)
        found.append(group)
    return Footer(text[: rows - 1], tuple(found), text[groups[1] :])


def _group(text: bytes, begin: int) -> tuple[RowGroup, int]:
    """Return a row group and where the next one begins."""
    fields, end = fields_of(text, begin)
    stop = end - 1
    if ORDINAL in fields:
        if fields[ORDINAL][1] != stop or max(fields) != ORDINAL:
            raise ValueError(UNUSUAL)
        stop = fields[ORDINAL][0] - 1
    places, firsts, lasts = [], [], []
    at, count = items_of(text, fields[COLUMNS][0])
    for _ in range(count):
        chunk, at = fields_of(text, at)
        if not chunk.keys() <= CHUNK_FIELDS:
            raise ValueError("it has indices of its pages")
        column, _ = fields_of(text, chunk[META_DATA][0])
        if not column.keys() <= COLUMN_FIELDS:
            raise ValueError("it has indices of its columns")
        places += [chunk[CHUNK_OFFSET]]
        starts = [column[name] for name in (DATA_OFFSET, DICTIONARY_OFFSET) if name in column]
        places += starts
        first = min(filter(None, (number_at(text, start) for start, _ in starts)))
        firsts.append(first)
        lasts.append(first + number_at(text, column[COMPRESSED_SIZE][0]))
    if FILE_OFFSET in fields:
        places.append(fields[FILE_OFFSET])
    numbers = ((start - begin, stop - begin, number_at(text, start)) for start, stop in places)
    # A place of 0 says that there is none.
    told = tuple(sorted(one for one in numbers if one[2]))
    rows = number_at(text, fields[GROUP_ROWS][0])
    return RowGroup(rows, min(firsts), max(lasts), text[begin:stop] + b"\0", told), end
