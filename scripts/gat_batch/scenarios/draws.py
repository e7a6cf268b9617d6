"""Some draws of a variant: what its random quantities come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SpecificationError
from .injection_factors import Factors, Setpoints
from .quantities import SCALARS, on_powers, with_total_kept
from .tables.costs import COST, permuted
from .tables.impedances import Scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sampling import Quantity
    from .selection import Elements
    from .variants import Variant


@dataclass(frozen=True)
class Draws:
    """Some draws of a variant.

    Attributes:
        numbers: their numbers, from 0.
        factors: factors on injections, by kind of element.
        parameters: factors on parameters of the scenario, each of shape (draws,).
        setpoints: values that are set, by kind of element.
        impedances: factors on what branches are made of, by kind of element.
        costs: factors on cost curves, and which curve each generator has, both of shape (draws,
            curves); None if costs aren't drawn.
        outages: type and index of the elements out of service, a list for each draw.
        weights: weights, shape (draws,).
    """

    numbers: range
    factors: dict[str, list[Factors]]
    parameters: dict[str, NDArray[np.float64]]
    setpoints: dict[str, list[Setpoints]]
    impedances: dict[str, list[Scaled]]
    costs: tuple[NDArray[np.float64], NDArray[np.int64]] | None
    outages: list[list[tuple[str, int]]]
    weights: NDArray[np.float64]


def drawn(variant: Variant, numbers: range) -> Draws:
    """Draw the random quantities of some draws, given by their numbers from 0."""
    points = variant.design.points(numbers.start, numbers.stop) if variant.design else {}
    factors: dict[str, list[Factors]] = {}
    parameters: dict[str, NDArray[np.float64]] = {}
    setpoints: dict[str, list[Setpoints]] = {}
    impedances: dict[str, list[Scaled]] = {}
    costs: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None
    outages: list[list[tuple[str, int]]] = [[] for _ in numbers]
    weights = np.ones(len(numbers))
    for quantity in variant.quantities:
        of = quantity.entry["of"]
        if quantity.rates is not None:
            out, weight = quantity.outages(points[quantity.name])
            weights *= weight
            ids = variant.elements.ids(of)[quantity.positions].tolist()
            for draw, place in zip(*np.nonzero(out), strict=True):
                outages[draw].append((of, ids[place]))
            continue
        if of == COST:
            known = len(variant.cost_curves.id)
            by, order = costs or (
                np.ones((len(numbers), known)),
                np.tile(np.arange(known), (len(numbers), 1)),
            )
            if quantity.entry.get("permute"):
                order = np.take_along_axis(order, permuted(points[quantity.name]), axis=1)
            else:
                by = by * quantity.values(points[quantity.name])
            costs = by, order
            continue
        values = quantity.values(points[quantity.name])
        if "impedance" in quantity.entry:
            one = Scaled(quantity.positions, quantity.entry["impedance"], values)
            impedances.setdefault(of, []).append(one)
            continue
        if of in SCALARS:
            parameters[of] = parameters.get(of, 1.0) * values[:, 0]
            continue
        element, positions = of, quantity.positions
        if of.startswith("scale."):
            scale = variant.values["scale"][of.removeprefix("scale.")]
            element = scale["of"]
            positions = variant.elements.chosen(element, scale.get("where"))
        if "set" in quantity.entry:
            column, span = quantity.entry["set"], limits_of(variant.elements, quantity)
            chosen = span[:, 0] + values * (span[:, 1] - span[:, 0])
            setpoints.setdefault(of, []).append(Setpoints(positions, column, chosen))
            continue
        if quantity.entry.get("keep_total"):
            values = with_total_kept(values, variant.elements.column(of, "p_mw")[positions])
        factors.setdefault(element, []).append(
            Factors(positions, *on_powers(values[:, None, :], quantity.entry))
        )
    return Draws(numbers, factors, parameters, setpoints, impedances, costs, outages, weights)


def limits_of(elements: Elements, quantity: Quantity) -> NDArray[np.float64]:
    """Return the limits between which generators are set, shape (generators, 2).

    Args:
        elements: the grid's elements.
        quantity: what sets them; of voltages those of their bus count where they have none.

    Raises:
        SpecificationError: if a generator has none.
    """
    of, column = quantity.entry["of"], quantity.entry["set"]
    positions = quantity.positions
    span = np.stack(
        [elements.column(of, f"{end}_{column}")[positions] for end in ("min", "max")], axis=1
    )
    if column == "vm_pu":
        at = elements.buses_of(of)[positions]
        ends = [elements.column("bus", f"{end}_{column}")[at] for end in ("min", "max")]
        span = np.where(np.isnan(span), np.stack(ends, axis=1), span)
    without = np.flatnonzero(~np.isfinite(span).all(axis=1))
    if len(without):
        name = elements.ids(of)[positions[without[0]]]
        hint = "set others by where, or draw factors"
        raise SpecificationError(f"{of} {name} has no limits of {column}", hint=hint)
    return span
