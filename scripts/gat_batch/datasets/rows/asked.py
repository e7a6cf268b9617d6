"""What a state asks of buses, branches and generators."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...powerflow.nodal_results import by_step
from .branch_limits import angle_limits, ratings
from .generators import cost_coefficients, power_limits, running, voltage_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...model.costs import Costs
    from ...powerflow.injections.state_columns import Columns
    from .generators import Generators
    from .grid_arrays import GridArrays


def asked_of(
    grid: GridArrays, generators: Generators, column: Columns, costs: Costs, *, limits: bool
) -> dict[str, NDArray[Any]]:
    """Return what a state asks.

    Args:
        grid: the rows.
        generators: the generators.
        column: the state.
        costs: its cost curves.
        limits: whether its limits are those of an optimal power flow.

    Returns:
        ``running``, ``p``, ``q``, ``cost``, ``type``, ``vm``, ``live``, ``rating`` and ``angle`` as
        in ``SampleArrays``, without samples, and ``shunt``, of shunts alone.
    """
    on = running(generators, column)
    p, q = power_limits(generators, column, dispatched=limits)
    return {
        "running": on,
        "p": p,
        "q": q,
        "cost": cost_coefficients(generators, costs, p),
        "type": _types(grid, generators, column, on),
        "vm": voltage_limits(grid, generators, column),
        "shunt": _shunts(grid, column),
        "live": _live(grid, column),
        "rating": ratings(column.net, grid, column, limits=limits),
        "angle": angle_limits(grid, column),
    }


def _types(
    grid: GridArrays, generators: Generators, column: Columns, on: NDArray[np.bool_]
) -> NDArray[np.int8]:
    types = np.ones(len(grid.kv), np.int8)
    types[generators.row[on]] = 2
    slack = generators.kind == "ext_grid"
    own = generators.of("gen")
    slack[own] = column("gen", "slack").astype(bool)[generators.position[own]]
    holders = generators.row[on & slack]
    types[holders if len(holders) else np.flatnonzero(grid.reference)] = 3
    return types


def _shunts(grid: GridArrays, column: Columns) -> NDArray[np.complex128]:
    rows = grid.row[column.model.position["shunt"]]
    there = (rows >= 0) & column("shunt", "in_service").astype(bool)
    drawn = column.once(("rows", "shunt"), partial(_drawn_by_shunts, grid, column))
    total = np.zeros(len(grid.kv), complex)
    np.add.at(total, rows[there], drawn[there])
    return total


def _drawn_by_shunts(grid: GridArrays, column: Columns) -> NDArray[np.complex128]:
    """Return the admittance of each shunt in p.u., shape (shunts,)."""
    table = by_step(column.net)
    kv = column("bus", "vn_kv")[column.model.position["shunt"]]
    factor = table["step"].to_numpy(float) * (kv / table["vn_kv"].to_numpy(float)) ** 2
    power = (table["p_mw"] - 1j * table["q_mvar"]).to_numpy(complex)
    drawn: NDArray[np.complex128] = power * factor / grid.base_mva
    return drawn


def _live(grid: GridArrays, column: Columns) -> NDArray[np.bool_]:
    live = grid.live.copy()
    for element in ("line", "trafo", "trafo3w", "impedance"):
        own = np.flatnonzero(grid.kind == element)
        if len(own):
            live[own] &= column(element, "in_service").astype(bool)[grid.position[own]]
    return live
