"""What power costs: cost curves of the elements of a grid, under pandapower's conventions.

A curve says what an element's own power costs an hour, in the grid's currency: ``p_mw`` of a
generator is what it feeds in, ``p_mw`` of a load what it takes. A load that is served because it
is worth something has a negative cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SolverError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandapower.auxiliary import pandapowerNet

FEEDING = ("ext_grid", "gen", "sgen")

RELATIVE_DENT = 1e-4
"""How far, of the largest slope, a slope may fall below the one before it by rounding: files give
costs to some six digits. case_RTS_GMLC has 8.10345 after 8.10352."""


@dataclass(frozen=True)
class Curve:
    """Cost of an element's active or reactive power, in currency an hour.

    Attributes:
        polynomial: coefficients of 1, the power and its square, in MW or MVAr.
        lines: slope and offset of the lines whose maximum is added to that; convex by nature.
    """

    polynomial: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lines: tuple[tuple[float, float], ...] = ()

    def at(self, power: float) -> float:
        """Return the cost of a power in MW or MVAr, in currency an hour."""
        c0, c1, c2 = self.polynomial
        pieces = (slope * power + offset for slope, offset in self.lines)
        return c0 + c1 * power + c2 * power**2 + max(pieces, default=0.0)


Costs = dict[tuple[str, int, str], Curve]
"""Element, position in its table and ``p`` or ``q`` -> its curve."""


def polynomial_curve(c0: float, c1: float, c2: float) -> Curve:
    """Return the curve of a polynomial.

    Raises:
        SolverError: if it isn't convex: no optimum of it can be proved.
    """
    if c2 < 0:
        raise SolverError(
            f"its cost falls with the square of its power ({c2:g})",
            hint="costs must be convex: a factor of 0 or more",
        )
    return Curve((c0, c1, c2))


def curve_through(points: list[tuple[float, float]]) -> Curve:
    """Return the curve that joins points; its first and last piece go on beyond them.

    Args:
        points: power in MW or MVAr and cost of each, in rising order.

    Raises:
        SolverError: if there are fewer than two, they don't rise, or the curve isn't convex.
    """
    if len(points) < 2:
        raise SolverError("one point makes no curve", hint="two points or more are needed")
    slopes = []
    for (p1, c1), (p2, c2) in pairwise(points):
        if p2 <= p1:
            raise SolverError(f"{p2:g} comes after {p1:g}", hint="powers must rise")
        slopes.append((c2 - c1) / (p2 - p1))
    dent = RELATIVE_DENT * max(1.0, *map(abs, slopes))
    for before, after in pairwise(slopes):
        if after < before - dent:
            raise SolverError(
                f"its cost rises by {before:g} and then by {after:g} a unit",
                hint="costs must be convex: each piece as steep as the one before it, or steeper",
            )
    return Curve(
        lines=tuple((slope, c - slope * p) for slope, (p, c) in zip(slopes, points, strict=False))
    )


def grid_costs(net: pandapowerNet) -> Costs:
    """Return the cost curves that a grid holds itself.

    Where it holds none at all, every MW that is fed in costs 1, as pandapower has it: the
    optimum is then the one with the least generation.

    Args:
        net: the grid.

    Returns:
        A curve for each element that has one.

    Raises:
        SolverError: if a curve isn't convex.
    """
    if not len(net.poly_cost) and not len(net.pwl_cost):
        return {
            (element, position, "p"): Curve((0.0, 1.0, 0.0))
            for element in FEEDING
            for position in range(len(net[element]))
        }
    costs: Costs = {}
    for row in net.poly_cost.fillna({"cq0_eur": 0.0}).to_dict("records"):
        place = _position(net, row)
        if place is not None:
            costs[*place, "p"] = _checked(
                row, (row["cp0_eur"], row["cp1_eur_per_mw"], row["cp2_eur_per_mw2"])
            )
            reactive = (row["cq0_eur"], row["cq1_eur_per_mvar"], row["cq2_eur_per_mvar2"])
            if np.any(np.nan_to_num(reactive)):
                costs[*place, "q"] = _checked(row, reactive)
    for row in net.pwl_cost.to_dict("records"):
        place = _position(net, row)
        if place is not None:
            pieces = row["points"]
            # pandapower anchors the first piece at the origin.
            points = [(float(pieces[0][0]), float(pieces[0][0] * pieces[0][2]))]
            for low, high, slope in pieces:
                points.append((float(high), points[-1][1] + (high - low) * slope))
            try:
                costs[*place, row["power_type"]] = curve_through(points)
            except SolverError as fault:
                raise fault.at(field=f"{row['et']} {row['element']}") from None
    return costs


def _checked(row: Mapping[str, object], coefficients: tuple[float, ...]) -> Curve:
    c0, c1, c2 = (float(value) for value in np.nan_to_num(coefficients))
    try:
        return polynomial_curve(c0, c1, c2)
    except SolverError as fault:
        raise fault.at(field=f"{row['et']} {row['element']}") from None


def _position(net: pandapowerNet, row: Mapping[str, object]) -> tuple[str, int] | None:
    """Element and position that a row of costs is for; costs of lost elements are no costs."""
    element = str(row["et"])
    position = int(net[element].index.get_indexer([row["element"]])[0])
    return None if position < 0 else (element, position)
