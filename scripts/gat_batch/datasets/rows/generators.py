"""The generators of a dataset: which they are, their limits and their costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ...model.costs import Costs, Curve
    from ...powerflow.injections.state_columns import Columns
    from .grid_arrays import GridArrays

    Rows = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Generators:
    """Generators in the order of their rows.

    Attributes:
        kind: table that each is from: ``gen``, ``ext_grid`` or ``sgen``, shape (generators,).
        position: its position in that table, shape (generators,).
        row: row of its bus, shape (generators,).
    """

    kind: NDArray[np.str_]
    position: Rows
    row: Rows

    def of(self, kind: str) -> Rows:
        """Return the generators from a table."""
        return np.flatnonzero(self.kind == kind)

    def gathered(self, values: Mapping[str, NDArray[np.generic]]) -> NDArray[np.generic]:
        """Return values of tables as those of generators, along the last axis."""
        parts = [values[kind][..., self.position[self.of(kind)]] for kind in _kinds(self)]
        return np.concatenate(parts, axis=-1)


def _kinds(generators: Generators) -> list[str]:
    return [kind for kind in ("gen", "ext_grid", "sgen") if len(generators.of(kind))]


def generators_of(net: pandapowerNet, grid: GridArrays, *, dispatched: bool) -> Generators:
    """Return the generators of a grid.

    Static generators are among them only where an optimal power flow may choose them; others draw
    negative power.

    Args:
        net: the grid.
        grid: its rows.
        dispatched: whether the states are optimal power flows.
    """
    kinds, positions, rows = [], [], []
    for kind in ("gen", "ext_grid", "sgen"):
        table = net[kind]
        row = grid.row[net.bus.index.get_indexer(table["bus"])]
        chosen = row >= 0
        if kind == "sgen":
            free = table.get("controllable")
            chosen &= dispatched and free is not None
            if free is not None:
                chosen &= free.isin([True]).to_numpy()
        position = np.flatnonzero(chosen)
        kinds.append(np.full(len(position), kind, "<U8"))
        positions.append(position)
        rows.append(row[position])
    return Generators(np.concatenate(kinds), np.concatenate(positions), np.concatenate(rows))


def running(generators: Generators, column: Columns) -> Flags:
    """Return which are in service in a state, shape (generators,)."""
    flags = {kind: column(kind, "in_service").astype(bool) for kind in ("gen", "ext_grid", "sgen")}
    found: Flags = generators.gathered(flags).astype(bool)
    return found


def power_limits(
    generators: Generators, column: Columns, *, dispatched: bool
) -> tuple[Reals, Reals]:
    """Return limits of active and reactive power in a state, infinite where there are none.

    Args:
        generators: the generators.
        column: the state.
        dispatched: whether it is an optimal power flow, which leaves what isn't controllable as it
            is given.

    Returns:
        In MW and MVAr, each of shape (generators, 2).
    """
    limits = []
    for unit in ("p_mw", "q_mvar"):
        ends = []
        for end, none in (("min", -np.inf), ("max", np.inf)):
            own = {}
            for kind in _kinds(generators):
                values = column.numbers(kind, f"{end}_{unit}")
                if dispatched and kind != "ext_grid":
                    power = column.numbers(kind, unit) * column.numbers(kind, "scaling")
                    if kind == "sgen":
                        most = np.fmin(power, 0.0) if end == "min" else np.fmax(power, 0.0)
                        values = np.where(np.isnan(values), most, values)
                    elif unit == "p_mw":
                        free = column.flags(kind, "controllable", default=True)
                        values = np.where(free, values, power)
                own[kind] = np.where(np.isnan(values), none, values)
            ends.append(generators.gathered(own).astype(np.float64))
        limits.append(np.stack(ends, axis=-1))
    return limits[0], limits[1]


def voltage_limits(grid: GridArrays, generators: Generators, column: Columns) -> Reals:
    """Return the narrowest limits of buses and generators in p.u., 0 to 2 without any.

    Returns:
        Shape (rows, 2).
    """
    found = np.tile([0.0, 2.0], (len(grid.kv), 1))
    at = {"bus": grid.row, "gen": np.full(len(column("gen", "in_service")), -1)}
    own = generators.of("gen")
    at["gen"][generators.position[own]] = generators.row[own]
    for element, rows in at.items():
        there = (rows >= 0) & column(element, "in_service").astype(bool)
        low, high = (column.numbers(element, f"{end}_vm_pu")[there] for end in ("min", "max"))
        np.fmax.at(found[:, 0], rows[there], low)
        np.fmin.at(found[:, 1], rows[there], high)
    return found


def approximated(generators: Generators, costs: Costs) -> int:
    """Return how many generators have a cost curve of several straight lines."""
    curves = [
        costs.get((kind, position, "p"))
        for kind, position in zip(
            generators.kind.tolist(), generators.position.tolist(), strict=True
        )
    ]
    return sum(curve is not None and len(curve.lines) > 1 for curve in curves)


def cost_coefficients(generators: Generators, costs: Costs, p: Reals) -> Reals:
    """Return costs of active power as polynomials.

    A curve of straight lines becomes the one between its costs at the limits of power.

    Args:
        generators: the generators.
        costs: the curves of a state.
        p: limits of active power in MW, shape (generators, 2).

    Returns:
        Coefficients of 1, p and p squared, shape (generators, 3).
    """
    found = np.zeros((len(generators.kind), 3))
    for at, (kind, position) in enumerate(
        zip(generators.kind.tolist(), generators.position.tolist(), strict=True)
    ):
        curve = costs.get((kind, position, "p"))
        if curve is not None:
            found[at] = curve.polynomial
            if curve.lines:
                found[at, :2] += _chord(curve, *p[at].tolist())
    return found


def _chord(curve: Curve, low: float, high: float) -> tuple[float, float]:
    """Return offset and slope of the line that stands for a curve's lines."""
    slope, offset = curve.lines[0]
    if np.isfinite([low, high]).all() and high > low:
        first, last = (
            max(slope * power + offset for slope, offset in curve.lines) for power in (low, high)
        )
        slope = (last - first) / (high - low)
        offset = first - slope * low
    return offset, slope
