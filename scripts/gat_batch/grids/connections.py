"""Which buses of a grid are connected by what: all that its map is drawn from.

The jobs that solve on a grid keep this in the batch, so that the report needn't read the grid.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files.durable import replace_json

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

WINDINGS = {
    "line": (("from_bus", "to_bus"),),
    "trafo": (("hv_bus", "lv_bus"),),
    "trafo3w": (("hv_bus", "mv_bus"), ("hv_bus", "lv_bus")),
    **dict.fromkeys(("impedance", "dcline", "tcsc"), (("from_bus", "to_bus"),)),
}
"""Columns with the buses that a branch joins; a three-winding transformer is drawn twice."""


@dataclass(frozen=True)
class GridConnections:
    """Buses and what joins them. Buses are given by their position, unless said otherwise.

    Attributes:
        buses: pandapower's index of each bus.
        coordinates: horizontal and vertical coordinate of each as the grid gives them, or None if
            a bus has none.
        fed: buses with a generator or an external grid.
        branches: element and index of each branch drawn.
        ends: the two buses that each of them joins.
        joined: pairs of buses that a closed switch joins.
    """

    buses: list[int]
    coordinates: list[list[float]] | None
    fed: list[int]
    branches: list[tuple[str, int]]
    ends: list[list[int]]
    joined: list[list[int]]


def connections_of(net: pandapowerNet) -> GridConnections:
    """Return the connections of a grid.

    Args:
        net: the network; coordinates are GeoJSON points in the column ``geo`` of its buses.
    """
    branches, pairs = [], []
    for element, windings in WINDINGS.items():
        for columns in windings:
            branches += [(element, int(index)) for index in net[element].index]
            pairs.append(net[element][list(columns)].to_numpy(np.int64))
    closed = net.switch[(net.switch["et"] == "b") & net.switch["closed"]]
    points = [_point(value) for value in net.bus.get("geo", [])]
    known = [point for point in points if point is not None]
    feeding = np.concatenate([net[name]["bus"].to_numpy() for name in ("gen", "ext_grid", "sgen")])
    return GridConnections(
        buses=net.bus.index.astype(int).tolist(),
        coordinates=known if known and len(known) == len(points) else None,
        fed=np.flatnonzero(net.bus.index.isin(feeding)).tolist(),
        branches=branches,
        ends=_positions(net, np.concatenate(pairs)),
        joined=_positions(net, closed[["bus", "element"]].to_numpy(np.int64)),
    )


def write_connections(path: Path, net: pandapowerNet) -> None:
    """Write the connections of a grid to a file, unless it exists."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_json(path, asdict(connections_of(net)))


def read_connections(path: Path) -> GridConnections | None:
    """Read the connections from a file; return None if it is missing or damaged."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        branches = [(element, index) for element, index in content["branches"]]
        return GridConnections(**{**content, "branches": branches})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _positions(net: pandapowerNet, buses: NDArray[np.int64]) -> list[list[int]]:
    found: list[list[int]] = net.bus.index.get_indexer(buses.ravel()).reshape(-1, 2).tolist()
    return found


def _point(value: Any) -> list[float] | None:
    try:
        point = json.loads(value)["coordinates"]
        return [float(point[0]), float(point[1])]
    except (ValueError, TypeError, KeyError, IndexError):
        return None
