"""Sequences whose items are made when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

Item = TypeVar("Item")


class OnDemand(Sequence[Item]):
    """A sequence of which :meth:`item` makes each item."""

    @abstractmethod
    def item(self, number: int) -> Item:
        """Return an item by its number, from 0."""

    @overload
    def __getitem__(self, number: int) -> Item: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, number: int | slice) -> Item | tuple[Item, ...]:
        """Return an item, or some of them.

        Raises:
            IndexError: if there is none of that number.
        """
        if isinstance(number, slice):
            return tuple(map(self.item, range(*number.indices(len(self)))))
        return self.item(range(len(self))[number])

    def __iter__(self) -> Iterator[Item]:
        return map(self.item, range(len(self)))
