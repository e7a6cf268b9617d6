"""The one-line map of a grid: where its buses lie, and which branches join them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...grids.connections import GridConnections

    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class OneLineDiagram:
    """A map.

    Attributes:
        given: whether the positions are the grid's own and not laid out from its topology.
        buses: index of each bus, shape (buses,).
        position: horizontal and vertical position of each, shape (buses, 2), up is positive.
        feeding: whether a bus has a generator or an external grid, shape (buses,).
        branches: element and index of each branch drawn.
        ends: position of either end in ``buses``, shape (branches drawn, 2).
        joined: positions of the buses that a closed switch joins, shape (switches, 2).
    """

    given: bool
    buses: NDArray[np.int64]
    position: Reals
    feeding: NDArray[np.bool_]
    branches: list[tuple[str, int]]
    ends: NDArray[np.int64]
    joined: NDArray[np.int64]


def one_line_diagram(wiring: GridConnections) -> OneLineDiagram:
    """Make the map of a grid.

    Args:
        wiring: what its buses are connected by, with coordinates if every bus has some.

    Returns:
        The map.
    """
    buses = np.array(wiring.buses, np.int64)
    ends = np.array(wiring.ends, np.int64).reshape(-1, 2)
    joined = np.array(wiring.joined, np.int64).reshape(-1, 2)
    position = None if wiring.coordinates is None else _usable(np.array(wiring.coordinates))
    given = position is not None
    if position is None:
        from .bus_layout import bus_positions  # its solvers take long to import

        position = bus_positions(len(buses), np.vstack([ends, joined]))
    feeding = np.isin(np.arange(len(buses)), wiring.fed)
    return OneLineDiagram(given, buses, position, feeding, wiring.branches, ends, joined)


def _usable(position: Reals) -> Reals | None:
    """Return coordinates to draw at, or None if all are the same or one isn't finite."""
    if not np.isfinite(position).all() or (np.ptp(position, axis=0) == 0).all():
        return None
    latitude = position[:, 1]
    if np.abs(position[:, 0]).max() <= 180 and np.abs(latitude).max() <= 85:
        # Degrees of longitude are shorter than those of latitude.
        position[:, 0] *= np.cos(np.radians(latitude.mean()))
    return position
