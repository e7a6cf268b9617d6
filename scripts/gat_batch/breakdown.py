"""A bug of ours, kept to the contingency, the state or the scenario that it happened in."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .errors import GatBatchError, described

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

NO_BUGS = (GatBatchError, MemoryError, OSError)
"""Exceptions that say what is wrong: with the data, or for the moment."""


@dataclass(frozen=True)
class Breakdown:
    """What ended some work before it had a result.

    Attributes:
        detail: what happened, on one line.
        trace: the traceback, for the log; empty where there is none.
    """

    detail: str
    trace: str = ""

    def line(self, *place: str | None) -> str:
        """Return the text for the log: the place and what happened, then the traceback, if any.

        Args:
            place: names of what it happened in; those that are None are left out.
        """
        told = ": ".join([*filter(None, place), self.detail])
        return f"{told}\n{self.trace}" if self.trace else told


def contained(work: Callable[[], Result]) -> Result | Breakdown:
    """Do some work, and catch exceptions that only a bug can raise.

    Args:
        work: a function without arguments.

    Returns:
        What the function returns, or a breakdown if a bug ended it.

    Raises:
        GatBatchError: if the data are at fault.
        MemoryError, OSError: if memory runs out, or if a file can't be read or written.
    """
    try:
        return work()
    except NO_BUGS:
        raise
    except Exception as error:  # noqa: BLE001 - it must cost no more than this work
        trace = "".join(traceback.format_exception(error))
        return Breakdown(f"internal: {described(error)}", trace)
