"""Functions called in processes forked from this one: over many pieces, or apart."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import EndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_function: Callable[[Any], Any] | None = None
"""What a forked process calls, which it inherits: only pieces and results cross."""

_PR_SET_PDEATHSIG = 1


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

    Raises:
        EndedError: if a process was ended from outside.
    """
    workers = min(workers, len(pieces))
    if workers <= 1:
        yield from map(function, pieces)
        return
    with _forked(function, workers) as pool:
        yield from pool.map(_called, pieces)


def apart(function: Callable[[], Result]) -> Result:
    """Return what a function returns in a process of its own.

    Modules that it imports and memory that it takes are gone afterwards.

    Args:
        function: called with all that this process has in memory; its result can be pickled.

    Raises:
        EndedError: if that process was ended from outside.
    """
    with _forked(lambda _: function(), 1) as pool:
        result: Result = pool.submit(_called, None).result()
    return result


@contextmanager
def _forked(function: Callable[[Any], Any], workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield processes that call a function which they inherit."""
    try:
        begin = (function, os.getpid())
        with ProcessPoolExecutor(workers, get_context("fork"), _begin, begin) as pool:
            yield pool
    except BrokenProcessPool:
        hint = "mostly for lack of memory: free some, then run again"
        raise EndedError("a process ended before its work was done", hint=hint) from None


def _begin(function: Callable[[Any], Any], parent: int) -> None:
    global _function  # noqa: PLW0603 - inherited; a pickled grid costs more than many pieces
    # Else it would wait for ever for a parent that was killed, and report a Ctrl-C beside it.
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What was there before is left alone, or looking for garbage would copy it.
    gc.freeze()
    _function = function


def _called(piece: Any) -> Any:
    assert _function is not None  # noqa: S101 - set when the process began
    return _function(piece)


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere do nothing.

    Args:
        parent: process id of the parent, to notice if it is dead already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "prctl"):
        return
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
