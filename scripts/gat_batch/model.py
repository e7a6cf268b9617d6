"""The prepared grid: what every scenario on it shares.

A solution is one array a quantity over the rows of the model: all buses, then all lines,
transformers and so on, each in the order of its pandapower table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pandapower import topology

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

ELEMENTS = ("bus", "line", "trafo", "trafo3w", "gen", "sgen", "ext_grid", "load")
"""The elements that results tell of, in the order of their rows."""

BRANCHES = ("line", "trafo", "trafo3w")
"""Elements that have a loading."""


@dataclass(frozen=True)
class Model:
    """A grid with what its scenarios share.

    Attributes:
        net: the network; scenarios are laid over it and taken off again.
        spans: where an element's rows lie.
        element: element of each row, shape (rows,).
        index: pandapower index of each row, shape (rows,).
        name: name of each row, null where it has none, shape (rows,).
        cut_off: buses that the grid as given doesn't supply, shape (buses,).
        load_bus: position of each load's bus among the buses, shape (loads,).
    """

    net: pandapowerNet
    spans: dict[str, slice]
    element: pa.StringArray
    index: NDArray[np.int64]
    name: pa.StringArray
    cut_off: NDArray[np.bool_]
    load_bus: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Number of rows of a solution."""
        return len(self.index)

    def row_name(self, row: int) -> str:
        """A row in short, as ``line:12``."""
        return f"{self.element[row]}:{self.index[row]}"


def prepare(net: pandapowerNet) -> Model:
    """Prepare a grid for many scenarios.

    Args:
        net: the grid, which the model keeps.

    Returns:
        The model.
    """
    sizes = [len(net[element]) for element in ELEMENTS]
    ends = np.cumsum(sizes)
    spans = {
        element: slice(int(end) - size, int(end))
        for element, size, end in zip(ELEMENTS, sizes, ends, strict=True)
    }
    names = [_names(net, element) for element in ELEMENTS]
    return Model(
        net=net,
        spans=spans,
        element=pa.array(np.repeat(ELEMENTS, sizes), pa.string()),
        index=np.concatenate([net[element].index.to_numpy(np.int64) for element in ELEMENTS]),
        name=pa.array([name for column in names for name in column], pa.string()),
        cut_off=net.bus.index.isin(list(topology.unsupplied_buses(net))),
        load_bus=net.bus.index.get_indexer(net.load["bus"]).astype(np.int64),
    )


def _names(net: pandapowerNet, element: str) -> list[str | None]:
    if "name" not in net[element]:
        return [None] * len(net[element])
    column = net[element]["name"]
    return [
        None if missing else str(name) for name, missing in zip(column, column.isna(), strict=True)
    ]
