"""Linear rows over the active power of all snapshots' units, with variables of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Ties:
    """Rows that the programs of snapshots have in common.

    Attributes:
        units: coefficients of the units' active power in p.u., those of the first snapshot first,
            shape (rows, snapshots * units).
        own: coefficients of variables of their own, shape (rows, own).
        low, high: bounds of these variables, shape (own,).
        row_low, row_high: bounds of the rows, shape (rows,).
    """

    units: Any
    own: Any
    low: Reals
    high: Reals
    row_low: Reals
    row_high: Reals

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.row_low)

    @property
    def start(self) -> Reals:
        """What these variables may start from: what is nearest to zero."""
        start: Reals = np.clip(0.0, self.low, self.high)
        return start

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for ties with the same coefficients."""
        parts = (self.units, self.own)
        return tuple(
            (part.shape, part.indptr.tobytes(), part.indices.tobytes(), part.data.tobytes())
            for part in parts
        )


def joined(parts: Sequence[Ties]) -> Ties:
    """Return all rows of some ties, one after the other."""
    vectors = ("low", "high", "row_low", "row_high")
    return Ties(
        units=sparse.vstack([part.units for part in parts], format="csr"),
        own=sparse.block_diag([part.own for part in parts], format="csr"),
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in vectors},
    )


def rows_over(
    entries: Sequence[tuple[Any, Any, Any]], rows: int, columns: int
) -> sparse.csr_matrix:
    """Return a matrix of entries, each a value or values, its rows and its columns."""
    value, row, column = (
        np.concatenate([np.broadcast_to(entry[n], np.shape(entry[1])).ravel() for entry in entries])
        for n in range(3)
    )
    return sparse.csr_matrix((value, (row, column)), (rows, columns))
