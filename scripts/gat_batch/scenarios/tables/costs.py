"""Costs of generated scenarios: the grid's own curves, scaled or permuted, as rows of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ...errors import SpecificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..selection import Elements

COST = "cost"
"""What random quantities of costs are of."""

PRICED = ("gen", "ext_grid", "sgen")
"""Elements whose costs are drawn."""

COEFFICIENTS = ("cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2")
POINT = ("p_mw", "cost_eur")


@dataclass(frozen=True)
class CostCurves:
    """The cost curves of a grid's generators that cost more the more they give.

    Attributes:
        element: table of the generator that each curve is of, shape (curves,).
        id: its index, shape (curves,).
        rows: the curve, as rows of a table of costs: NaN where a row is no polynomial or no point,
            each of shape (rows, 5), columns as in :data:`COEFFICIENTS` and :data:`POINT`.
    """

    element: list[str]
    id: list[int]
    rows: list[NDArray[np.float64]]

    def table(
        self, names: Sequence[str], factors: NDArray[np.float64], order: NDArray[np.int64]
    ) -> pa.Table:
        """Return the costs of some scenarios.

        Args:
            names: entries of the rows in the column ``scenario``, one for each draw.
            factors: on the costs of each curve, shape (draws, curves).
            order: which curve each generator has, shape (draws, curves).
        """
        sizes = np.array([len(rows) for rows in self.rows])
        parts, owners, draws = [], [], []
        for draw in range(len(names)):
            for at, curve in enumerate(order[draw].tolist()):
                parts.append(self.rows[curve] * _scaling(factors[draw, at]))
                owners.append(np.full(sizes[curve], at))
                draws.append(np.full(sizes[curve], draw))
        owner, values = np.concatenate(owners), np.concatenate(parts)
        columns: dict[str, pa.Array] = {
            "scenario": pa.array(names).take(np.concatenate(draws)),
            "element": pa.array(self.element).take(owner),
            "id": pa.array(np.array(self.id)[owner]),
        }
        for at, name in enumerate((*COEFFICIENTS, *POINT)):
            if not np.isnan(values[:, at]).all():
                columns[name] = pa.array(values[:, at], from_pandas=True)
        return pa.table(columns)


def _scaling(factor: float) -> NDArray[np.float64]:
    return np.array([factor, factor, factor, 1.0, factor])


def cost_curves(elements: Elements) -> CostCurves:
    """Return the cost curves of a grid.

    Raises:
        SpecificationError: if it has none that rise.
    """
    net = elements.net
    known = {kind: {int(index) for index in net[kind].index} for kind in PRICED}
    found = CostCurves([], [], [])

    def add(row: Mapping[str, Any], rows: list[list[float]]) -> None:
        if int(row["element"]) in known.get(str(row["et"]), ()):
            found.element.append(str(row["et"]))
            found.id.append(int(row["element"]))
            found.rows.append(np.array(rows, np.float64))

    for row in net.poly_cost.to_dict("records"):
        own = np.nan_to_num([float(row[name]) for name in COEFFICIENTS])
        # What costs the same whatever it gives is left as it is.
        if own[1:].any():
            add(row, [[*own, np.nan, np.nan]])
    for row in net.pwl_cost.to_dict("records"):
        if row["power_type"] == "p":
            pieces = row["points"]
            # pandapower anchors the first piece at the origin.
            points = [(float(pieces[0][0]), float(pieces[0][0] * pieces[0][2]))]
            for low, high, slope in pieces:
                points.append((float(high), points[-1][1] + (high - low) * slope))
            add(row, [[np.nan, np.nan, np.nan, *point] for point in points])
    if not found.id:
        raise SpecificationError("the grid has no cost curves that could be drawn")
    return found


def permuted(uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return permutations that numbers from 0 to 1 stand for, each as likely as the others.

    Args:
        uniform: shape (draws, curves).
    """
    return np.argsort(uniform, axis=1, kind="stable").astype(np.int64)
