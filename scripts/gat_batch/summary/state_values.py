"""What every element had in every state, kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

BLOCK_BYTES = 4 * 2**20
"""Size of the values that are in memory at once."""


@dataclass
class StateValues:
    """The values of a grid's elements, a row for each state.

    Attributes:
        element, index, name: kind, index and name of each element.
        places: quantity -> positions of the elements that it is of.
        file: the values, float64.
        scenarios, snapshots, weights: of each state.
    """

    element: pa.Array
    index: pa.Array
    name: pa.Array
    places: dict[str, NDArray[np.int64]]
    file: IO[bytes]
    scenarios: list[str] = field(default_factory=list)
    snapshots: list[str | None] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    @property
    def kinds(self) -> NDArray[np.str_]:
        """Kind of each element, shape (elements,)."""
        return np.array(self.element.to_pylist())

    def values(self) -> NDArray[np.float64]:
        """Return the values as they lie on the disk, shape (states, elements)."""
        self.file.flush()
        shape = (len(self.scenarios), len(self.index))
        return np.memmap(self.file, np.float64, "r", shape=shape)


def of_kind(kind: str, grids: Sequence[StateValues], file: IO[bytes]) -> StateValues:
    """Join the values of one kind of elements, from states that were kept in different ways.

    Args:
        kind: the kind.
        grids: values of the same grid; some have all elements of the kind, others none.
        file: where the values go.
    """
    chosen = [(grid, np.flatnonzero(grid.kinds == kind)) for grid in grids]
    chosen = [(grid, columns) for grid, columns in chosen if len(columns)]
    first, columns = chosen[0]
    labels = [column.take(columns) for column in (first.element, first.index, first.name)]
    joined = StateValues(labels[0], labels[1], labels[2], {}, file)
    for grid, own in chosen:
        step = max(1, BLOCK_BYTES // (8 * len(grid.index)))
        values = grid.values()
        for start in range(0, len(values), step):
            file.write(values[start : start + step, own].tobytes())
        joined.scenarios += grid.scenarios
        joined.snapshots += grid.snapshots
        joined.weights += grid.weights
    return joined
