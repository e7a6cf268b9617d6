"""Prices of optima as rows of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..sample_arrays import Prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..result_values import Values
    from .generators import Generators
    from .grid_arrays import GridArrays

    Reals = NDArray[np.float64]


def prices_of(
    grid: GridArrays,
    generators: Generators,
    ids: Mapping[str, NDArray[np.int64]],
    values: Values,
    count: int,
) -> Prices:
    """Return the prices that results have.

    Rows that are no bus of pandapower's have none, nor have windings of transformers with three of
    them, of which results tell one sum.

    Args:
        grid: the rows.
        generators: the generators.
        ids: element -> pandapower's indices.
        values: values of results.
        count: number of samples.
    """

    def known(element: str, quantity: str) -> Reals:
        found = values.get((element, quantity))
        return np.full((count, len(ids.get(element, ()))), np.nan) if found is None else found

    def at_rows(quantity: str) -> Reals:
        found = known("bus", quantity)[:, grid.bus]
        found[:, grid.inner] = np.nan
        return found

    def at_generators(quantity: str) -> Reals:
        kinds = {kind: known(kind, quantity) for kind in ("gen", "ext_grid", "sgen")}
        return generators.gathered(kinds).astype(np.float64)

    def on_branches(quantity: str) -> Reals:
        found = np.full((count, len(grid.kind)), np.nan)
        for element in ("line", "trafo"):
            own = np.flatnonzero(grid.kind == element)
            found[:, own] = known(element, quantity)[:, grid.position[own]]
        found[:, grid.kind == "impedance"] = 0.0
        return found

    return Prices(
        p=at_rows("lam_p"),
        q=at_rows("lam_q"),
        vm=at_rows("mu_vm"),
        generator_p=at_generators("mu_p"),
        generator_q=at_generators("mu_q"),
        flow=on_branches("mu_flow"),
        angle=on_branches("mu_angle"),
    )
