"""Many JSON objects kept as text, a line each; an object is made when it is asked for.

A million small objects take a gigabyte in Python, and a tenth of that as text, which a file's
readers share.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from array import array
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..on_demand import OnDemand
from .documents import read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Self


class JsonLines(OnDemand[dict[str, Any]]):
    """Objects in the order of their lines.

    Args:
        text: the lines, each with an end; after an object there may be a comma.
        start: where the first one begins.
        stop: where the last one ends; at the text's end if None.
    """

    def __init__(self, text: bytes | mmap.mmap, start: int = 0, stop: int | None = None) -> None:
        self._text = text
        self._starts = array("Q", [start])
        stop = len(text) if stop is None else stop
        while start < stop:
            start = text.find(b"\n", start, stop) + 1 or stop
            self._starts.append(start)

    @classmethod
    def of(cls, objects: Iterable[dict[str, Any]]) -> Self:
        """Keep objects as text, one by one as they come.

        Raises:
            TypeError: if JSON can't hold what is in one of them.
        """
        text = bytearray()
        for one in objects:
            text += json.dumps(one).encode()
            text += b"\n"
        return cls(bytes(text))

    @classmethod
    def of_file(cls, path: Path) -> tuple[dict[str, Any], Self]:
        """Read what :meth:`write` has written; of the objects only those that are asked for.

        Returns:
            The head, and the objects.

        Raises:
            OSError: if the file can't be read.
        """
        with path.open("rb") as file:
            text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        start = text.find(b"\n") + 1
        return json.loads(text[:start]), cls(text, start)

    def write(self, path: Path, head: dict[str, Any]) -> None:
        """Write a head, as the first line, and the objects.

        Raises:
            OSError: if the file can't be written.
        """
        with path.open("wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            file.write(self._text[self._starts[0] : self._starts[-1]])

    def __len__(self) -> int:
        return len(self._starts) - 1

    def item(self, number: int) -> dict[str, Any]:
        """Return an object by its number."""
        return _object(self.line(number))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(_object, self.lines())

    def line(self, number: int) -> bytes:
        """Return the text of an object."""
        return self._text[self._starts[number] : self._starts[number + 1]].strip(b" ,\n")

    @cached_property
    def digest(self) -> str:
        """A hash of the text of all objects."""
        found = hashlib.sha256()
        for line in self.lines():
            found.update(line + b"\n")
        return found.hexdigest()

    def lines(self) -> Iterator[bytes]:
        """Yield the text of each object."""
        return map(self.line, range(len(self)))


_decoded = json.JSONDecoder().raw_decode


def _object(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = _decoded(line.decode())[0]
    return found


END = b"\n ]\n}\n"


def write_with_lines(path: Path, document: Mapping[str, Any], name: str) -> None:
    """Write a JSON document of which one value is a long list, last, with a line for each object.

    Args:
        path: the file.
        document: the content.
        name: key of the :class:`JsonLines` among it.

    Raises:
        OSError: if the file can't be written.
    """
    head = "".join(
        f" {json.dumps(key)}: {json.dumps(value)},\n"
        for key, value in document.items()
        if key != name
    )
    with path.open("wb") as file:
        file.write(f"{{\n{head}".encode() + _before(name))
        for number, line in enumerate(document[name].lines()):
            file.write((b",\n  " if number else b"  ") + line)
        file.write(END)


def read_with_lines(path: Path, name: str) -> Any:
    """Read what :func:`write_with_lines` has written; the list's objects are left as text.

    Where somebody has edited it, it is read like any other document.

    Raises:
        ManifestError: if it can't be read.
    """
    text = path.read_bytes() if path.is_file() else b""
    before = text.find(_before(name)) + len(_before(name))
    try:
        head = json.loads(text[:before] + b"]}")
    except ValueError:
        head = None
    if head is None or not text.endswith(END):
        return read_document(path)
    return {**head, name: JsonLines(text, before, len(text) - len(END) + 1)}


def _before(name: str) -> bytes:
    return f" {json.dumps(name)}: [\n".encode()
