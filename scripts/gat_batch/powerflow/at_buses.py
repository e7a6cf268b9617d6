"""Sums of what is at each bus, of one state or of each state of a block."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

FEW = 4
"""States that are summed one by one, as finding what stands at the same bus takes a while."""


def add_at(total: NDArray[Any], rows: Rows, values: NDArray[Any]) -> None:
    """Add values to the rows that they are at, in their order, so that no sum depends on the block.

    Args:
        total: what is added to, shape (..., rows).
        rows: row of each value, shape (values,).
        values: the values, shape (..., values), or (values,) for all states alike.
    """
    if total.ndim == 1:
        np.add.at(total, rows, values)
        return
    if len(total) < FEW:
        for state, own in enumerate(np.broadcast_to(values, (len(total), len(rows)))):
            np.add.at(total[state], rows, own)
        return
    for those in _one_a_row(rows.astype(np.int64).tobytes()):
        total[:, rows[those]] += values[..., those]


# What is in service is the same in block after block.
@lru_cache(maxsize=32)
def _one_a_row(content: bytes) -> tuple[Rows, ...]:
    """Return the first value of each row, then the second of each, and so on."""
    rows = np.frombuffer(content, np.int64)
    order = np.argsort(rows, kind="stable")
    starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
    turn = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    return tuple(order[turn == number] for number in range(int(turn.max(initial=-1)) + 1))
