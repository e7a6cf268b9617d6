"""How a process is set up before it imports pandapower; jobs, tests and benchmarks share it.

A test in a process that was set up differently would say nothing about jobs. Nothing here imports
more than numpy.
"""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def set_up_solving() -> None:
    """Set up a process that solves or converts; call it before numpy or pandapower is imported.

    numba can't be imported afterwards: it takes longer to start than it ever saves here. pandapower
    then uses its own loops and would say so again and again; that message is left out. Nor is there
    what no power flow uses: pandapower's state estimation, its way to workbooks and its
    annotations' pandera, and numpy's interface to Fortran.
    """
    from .upstream.pandapower import (
        keep_f2py_out,
        keep_numba_out,
        keep_openpyxl_out,
        keep_pandera_out,
        keep_state_estimation_out,
    )

    _use_one_thread()
    keep_numba_out()
    keep_state_estimation_out()
    keep_f2py_out()
    keep_openpyxl_out()
    keep_pandera_out()


def set_up_analysing() -> None:
    """Set up a process that analyses results; call it before numpy or pandapower is imported.

    A user's own function may import numba, and may compile with it if the environment variable
    ``NUMBA_DISABLE_JIT`` is 0. By default nothing is compiled: pandapower compiles some loops
    whenever it starts, which takes longer than they ever do here.
    """
    _use_one_thread()
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Suspend garbage collection, and exempt all that is made meanwhile from it for good.

    For modules and tables, which last: the more objects are made, the more often Python looks for
    garbage, which takes an eighth of a job's start. And forked processes would have to copy what
    the collector touches later.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _use_one_thread() -> None:
    """Let linear algebra use the thread that calls it, and no other.

    Snakemake gives each process the threads of the whole job. Linear algebra would start that many
    in every worker, and they would wait for each other.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
