"""The one-line map of a grid: where its buses lie, and which branches join them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .layout import laid_out

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    Reals = NDArray[np.float64]

WINDINGS = {
    "line": (("from_bus", "to_bus"),),
    "trafo": (("hv_bus", "lv_bus"),),
    "trafo3w": (("hv_bus", "mv_bus"), ("hv_bus", "lv_bus")),
}
"""Columns with the buses that a branch joins; a three-winding transformer is drawn twice."""


@dataclass(frozen=True)
class OneLine:
    """A map.

    Attributes:
        given: whether the positions are the grid's own, or laid out from its topology.
        buses: index of each bus, shape (buses,).
        position: horizontal and vertical position of each, shape (buses, 2), up is positive.
        feeding: whether a bus has a generator or an external grid, shape (buses,).
        branches: element and index of each branch drawn.
        ends: position of either end among the buses, shape (branches drawn, 2).
    """

    given: bool
    buses: NDArray[np.int64]
    position: Reals
    feeding: NDArray[np.bool_]
    branches: list[tuple[str, int]]
    ends: NDArray[np.int64]


def one_line(net: pandapowerNet) -> OneLine:
    """Draw a grid.

    Args:
        net: the network; coordinates are GeoJSON points in the column ``geo`` of its buses, and
            count only if every bus has some.

    Returns:
        The map.
    """
    buses = net.bus.index.to_numpy(np.int64)
    branches: list[tuple[str, int]] = []
    pairs = []
    for element, windings in WINDINGS.items():
        for columns in windings:
            branches += [(element, int(index)) for index in net[element].index]
            pairs.append(net[element][list(columns)].to_numpy(np.int64))
    ends = _rows(net, np.concatenate(pairs))
    position = _coordinates(net)
    given = position is not None
    if position is None:
        closed = net.switch[(net.switch["et"] == "b") & net.switch["closed"]]
        joined = _rows(net, closed[["bus", "element"]].to_numpy(np.int64))
        position = laid_out(len(buses), np.vstack([ends, joined]))
    fed = np.concatenate([net[name]["bus"].to_numpy() for name in ("gen", "ext_grid", "sgen")])
    return OneLine(given, buses, position, np.isin(buses, fed), branches, ends)


def _rows(net: pandapowerNet, buses: NDArray[np.int64]) -> NDArray[np.int64]:
    rows: NDArray[np.int64] = net.bus.index.get_indexer(buses.ravel()).astype(np.int64)
    return rows.reshape(-1, 2)


def _coordinates(net: pandapowerNet) -> Reals | None:
    """The buses' own coordinates, or None if one has none or all are the same."""
    points = [_point(value) for value in net.bus.get("geo", [])]
    if not points or any(point is None for point in points):
        return None
    position = np.array(points, float)
    if not np.isfinite(position).all() or (np.ptp(position, axis=0) == 0).all():
        return None
    latitude = position[:, 1]
    if np.abs(position[:, 0]).max() <= 180 and np.abs(latitude).max() <= 85:
        # Degrees of longitude are shorter than those of latitude.
        position[:, 0] *= np.cos(np.radians(latitude.mean()))
    return position


def _point(value: Any) -> list[float] | None:
    try:
        point = json.loads(value)["coordinates"]
        return [float(point[0]), float(point[1])]
    except (ValueError, TypeError, KeyError, IndexError):
        return None
