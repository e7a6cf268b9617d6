"""One function over many pieces, in processes forked from this one."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_function: Callable[[Any], Any] | None = None
"""What a forked process calls, which it inherits: only pieces and results cross."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_processes(
    function: Callable[[Piece], Result], pieces: Sequence[Piece], workers: int
) -> Iterator[Result]:
    """Yield a function's result for each piece, in order.

    Args:
        function: called once for each piece, with all that this process has in memory by now.
        pieces: its arguments, which can be pickled as its results can.
        workers: most processes; with one, or one piece, it is called in this process.
    """
    workers = min(workers, len(pieces))
    if workers <= 1:
        yield from map(function, pieces)
        return
    with ProcessPoolExecutor(workers, get_context("fork"), _begin, (function,)) as pool:
        yield from pool.map(_called, pieces)


def _begin(function: Callable[[Any], Any]) -> None:
    global _function  # noqa: PLW0603 - inherited; a pickled grid costs more than many pieces
    # What was there before is left alone, or looking for garbage would copy it.
    gc.freeze()
    _function = function


def _called(piece: Any) -> Any:
    assert _function is not None  # noqa: S101 - set when the process began
    return _function(piece)
