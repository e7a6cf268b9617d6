"""Parts of a scenario's contingencies, and their rows put in order, whichever comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa


@dataclass(frozen=True, order=True)
class Part:
    """Contingencies from one number up to another, of one state.

    Attributes:
        state: number of the state.
        start, stop: numbers of the first contingency, and of the one after the last.
    """

    state: int
    start: int
    stop: int

    @classmethod
    def named(cls, name: str) -> Part:
        """Return the part that has this name."""
        return cls(*map(int, name.split(":")))

    @property
    def name(self) -> str:
        """A name from which :meth:`named` makes the same part."""
        return f"{self.state}:{self.start}:{self.stop}"

    def cut(self, pieces: int) -> list[Part]:
        """Cut it into pieces of about the same size, at most this many."""
        size = -(-(self.stop - self.start) // pieces)
        starts = range(self.start, self.stop, size) if size else ()
        return [Part(self.state, n, min(n + size, self.stop)) for n in starts]


class Order:
    """Keeps rows until all that comes before them is there."""

    def __init__(self) -> None:
        self._waited: set[Part] = set()
        self._there: dict[Part, pa.Table] = {}

    def expect(self, part: Part) -> None:
        """Begin to wait for the rows of a part."""
        self._waited.add(part)

    def put(self, part: Part, rows: pa.Table) -> None:
        """Take the rows of a part, and stop waiting for them."""
        self._waited.discard(part)
        self._there[part] = rows

    def forget(self, part: Part) -> None:
        """Stop waiting for a part, as it is cut up."""
        self._waited.discard(part)

    def ready(self, failed: Sequence[Part]) -> Iterator[pa.Table]:
        """Yield the rows whose turn has come, up to the first part that is waited for or failed."""
        first = min((*self._waited, *failed), default=None)
        for part in sorted(self._there):
            if first is None or part < first:
                yield self._there.pop(part)
