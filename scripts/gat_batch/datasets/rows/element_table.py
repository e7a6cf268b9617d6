"""The table that tells which element of pandapower's each row of a dataset is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

    from .generators import Generators
    from .grid_arrays import GridArrays


def element_table(net: pandapowerNet, grid: GridArrays, generators: Generators) -> pa.Table:
    """Return the table: a row for each bus, generator and branch of a dataset.

    Args:
        net: the grid.
        grid: its rows.
        generators: its generators.
    """
    bus = np.where(grid.bus < 0, -1, net.bus.index.to_numpy()[grid.bus])
    parts = [("bus", np.full(len(bus), "bus"), bus, np.full(len(bus), ""))]
    for table, own in (("gen", generators), ("branch", grid)):
        ids = [
            int(net[kind].index[at]) if kind in net else at
            for kind, at in zip(own.kind.tolist(), own.position.tolist(), strict=True)
        ]
        winding = grid.winding if own is grid else np.full(len(ids), "")
        parts.append((table, own.kind, np.array(ids, np.int64), winding))
    return pa.concat_tables(
        pa.table(
            {
                "table": pa.repeat(table, len(ids)),
                "row": pa.array(range(len(ids)), pa.int64()),
                "element": pa.array(kinds.tolist(), pa.string()),
                "id": pa.array(ids, pa.int64(), mask=ids < 0),
                "winding": pa.array([one or None for one in winding.tolist()], pa.string()),
            }
        )
        for table, kinds, ids, winding in parts
    )
