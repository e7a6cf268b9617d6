"""What rows draw beside generators and shunts: as results have it, and as a state asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ...model.nodal_power import SIGN, given_power
from ..sample_arrays import summed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ...powerflow.injections.state_columns import Columns
    from ..result_values import Values
    from .generators import Generators
    from .grid_arrays import GridArrays

    Reals = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Number = TypeVar("Number", np.float64, np.complex128)
    Positions = Mapping[str, NDArray[np.int64]]

ENDS = ("from", "to")


def demand_solved(
    grid: GridArrays, generators: Generators, position: Positions, values: Values
) -> Complexes:
    """Return what rows draw in MVA, shape (samples, rows).

    Args:
        grid: the rows.
        generators: the generators, whose static ones draw nothing.
        position: element -> position of each one's bus among pandapower's buses.
        values: values of results.
    """

    def part(quantity: str) -> Reals:
        total = np.zeros((len(values["bus", "va_degree"]), len(grid.kv)))
        for element, sign in SIGN.items():
            if (element, quantity) in values:
                power = sign * np.nan_to_num(values[element, quantity])
                if element == "sgen":
                    power[:, generators.position[generators.of("sgen")]] = 0.0
                _add(total, grid, position[element], power)
        for end in ENDS:
            name = quantity.replace("_m", f"_{end}_m")
            if ("dcline", name) in values:
                power = np.nan_to_num(values["dcline", name])
                _add(total, grid, position[f"dcline_{end}"], power)
        return total

    return part("p_mw") + 1j * part("q_mvar")


def demand_asked(grid: GridArrays, generators: Generators, column: Columns) -> Complexes:
    """Return what rows are asked to draw in MVA, at a voltage of 1 p.u., shape (rows,).

    What DC lines carry is left out, as an optimum chooses it.
    """
    total = np.zeros((1, len(grid.kv)), complex)
    for element, sign in SIGN.items():
        if len(column.net[element]):
            power = sign * given_power(element, column.numbers, {})
            if element == "sgen":
                power[generators.position[generators.of("sgen")]] = 0.0
            _add(total, grid, column.model.position[element], power[None])
    drawn: Complexes = total[0]
    return drawn


def drawing_rows(grid: GridArrays, position: Positions) -> NDArray[np.int64]:
    """Return the rows with anything that draws power, in ascending order."""
    names = (*SIGN, *(f"dcline_{end}" for end in ENDS))
    rows = np.concatenate([grid.row[position[name]] for name in names])
    return np.unique(rows[rows >= 0])


def _add(
    total: NDArray[Number], grid: GridArrays, buses: NDArray[np.int64], power: NDArray[Number]
) -> None:
    rows = grid.row[buses]
    there = rows >= 0
    total += summed(power[:, there], rows[there], total.shape[1])
