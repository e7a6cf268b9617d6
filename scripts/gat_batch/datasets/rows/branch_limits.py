"""Ratings of branches, and limits of the angles across them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...opf.limits import NO_ANGLE_DEGREE, NO_RATING_MVA

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ...powerflow.injections.state_columns import Columns
    from .grid_arrays import GridArrays

    Reals = NDArray[np.float64]


def ratings(net: pandapowerNet, grid: GridArrays, column: Columns, *, limits: bool) -> Reals:
    """Return the most apparent power of branches in MVA, 0 without a limit, shape (branches,).

    Args:
        net: the grid.
        grid: its rows.
        column: a state.
        limits: whether loadings are limited, as optimal power flows have it: to
            ``max_loading_percent``, and not at all without.
    """
    found = np.zeros(len(grid.kind))
    for element in ("line", "trafo", "trafo3w"):
        own = np.flatnonzero(grid.kind == element)
        if len(own):
            at = grid.position[own]
            size = partial(_size, net, element, grid.winding[own], at)
            rated = column.once(("rows", element, "size"), size)
            if limits:
                rated = rated * column.numbers(element, "max_loading_percent")[at] / 100
            found[own] = np.where((rated > 0) & (rated < NO_RATING_MVA), rated, 0.0)
    return found


def _size(
    net: pandapowerNet, element: str, winding: NDArray[np.str_], at: NDArray[np.int64]
) -> Reals:
    """Return power at 100 % loading in MVA."""
    table = net[element]
    if element == "trafo3w":
        sides = {side: table[f"sn_{side}_mva"].to_numpy(float) for side in ("hv", "mv", "lv")}
        return np.array([sides[side][n] for side, n in zip(winding, at, strict=True)])
    if element == "line":
        kv = net.bus["vn_kv"].loc[table["from_bus"]].to_numpy(float)
        size = np.sqrt(3) * kv * table["max_i_ka"].to_numpy(float)
    else:
        size = table["sn_mva"].to_numpy(float)
    rated: Reals = size * table["df"].to_numpy(float) * table["parallel"].to_numpy(float)
    return rated[at]


def angle_limits(grid: GridArrays, column: Columns) -> Reals:
    """Return lowest and highest angles across branches in degrees, shape (branches, 2)."""
    found = np.tile([-NO_ANGLE_DEGREE, NO_ANGLE_DEGREE], (len(grid.kind), 1))
    for element in ("line", "trafo"):
        own = np.flatnonzero(grid.kind == element)
        if len(own):
            for side, end in enumerate(("min", "max")):
                values = column.numbers(element, f"{end}_angle_degree")[grid.position[own]]
                found[own, side] = np.where(np.isnan(values), found[own, side], values)
    return np.clip(found, -NO_ANGLE_DEGREE, NO_ANGLE_DEGREE)
