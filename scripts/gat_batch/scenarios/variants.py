"""Variants: a family for one choice of its swept parameters, with what it names of the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GatBatchError
from ..files.times import chosen_times, time_name
from ..grids import grid_ref, read_grid
from .injection_factors import Factors, dispatch_of
from .outages.outage_sets import found, outage_sets
from .outages.random_sets import RandomSets
from .profiles import Profiles, profile_factors, read_profiles
from .quantities import INJECTIONS
from .sampling import Design, Quantity, quantity_on
from .selection import Elements, read_tags
from .tables.costs import COST, CostCurves, cost_curves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .outages.outage_sets import OutageSet
    from .specification import Family, Specification

MOST_SCENARIOS = 1_000_000
"""Most scenarios of one specification."""


@dataclass
class Sources:
    """The grids, profiles and tags that a specification names, each read once and only if needed.

    Attributes:
        specification: what names them.
    """

    specification: Specification
    _elements: dict[str, Elements] = field(default_factory=dict)
    _curves: dict[str, CostCurves] = field(default_factory=dict)
    _profiles: dict[str, Profiles] = field(default_factory=dict)

    @cached_property
    def tags(self) -> Mapping[str, Any]:
        """Tag -> type -> indices or names of elements."""
        tags = self.specification.element_tags
        return read_tags(self.specification.path(tags)) if isinstance(tags, str) else tags

    def elements(self, grid: str) -> Elements:
        """Return the elements of a grid, given by its reference."""
        if grid not in self._elements:
            try:
                net = read_grid(grid_ref(grid, self.specification.file.parent))
            except GatBatchError as fault:
                raise fault.at(field="grid") from None
            self._elements[grid] = Elements(net, self.tags)
        return self._elements[grid]

    def cost_curves(self, grid: str) -> CostCurves:
        """Return the cost curves of a grid, given by its reference."""
        if grid not in self._curves:
            self._curves[grid] = cost_curves(self.elements(grid))
        return self._curves[grid]

    def profiles(self, name: str) -> Profiles:
        """Return the profiles of a file, given by its name."""
        if name not in self._profiles:
            self._profiles[name] = read_profiles(self.specification.path(name))
        return self._profiles[name]


@dataclass(frozen=True)
class Variant:
    """A family for one choice of its swept parameters.

    Attributes:
        name: the family's name and that of the choice.
        values: the family's keys, the chosen values filled in.
        chosen: the choice, by parameter.
        specification: where it comes from.
        sources: grids and profiles.
    """

    name: str
    values: Mapping[str, Any]
    chosen: Mapping[str, Any]
    specification: Specification
    sources: Sources

    @property
    def elements(self) -> Elements:
        """The elements of its grid."""
        return self.sources.elements(
            str(self.values.get("grid", self.specification.top.get("grid")))
        )

    @cached_property
    def times(self) -> tuple[str, ...]:
        """Its time slices, in order; none if it doesn't vary over time."""
        asked = self.values.get("time_slices")
        if asked is None:
            return ()
        if isinstance(asked, list):
            return tuple(time_name(time) for time in asked)
        first = next(iter(self.specification.profiles.values()))
        known = self.sources.profiles(first["file"])
        return tuple(
            known.times[position] for position in chosen_times(asked, known.times, known.file)
        )

    @property
    def snapshots(self) -> bool:
        """Whether its time slices are snapshots of one scenario."""
        return bool(self.times) and not self.values.get("each_slice")

    @cached_property
    def factors(self) -> dict[str, list[Factors]]:
        """Kind of element -> what multiplies its injections in all draws."""
        result: dict[str, list[Factors]] = {}
        for scale in self.values.get("scale", {}).values():
            positions = self.elements.chosen(scale["of"], scale.get("where"))
            by = np.full((1, 1, 1), float(scale.get("by", 1)))
            result.setdefault(scale["of"], []).append(Factors(positions, by, by))
        for entry in self.specification.profiles.values() if self.times else ():
            profiles = self.sources.profiles(entry["file"])
            positions, active, reactive = profile_factors(
                self.elements, entry, profiles, self.times
            )
            factors = Factors(positions, active[None], reactive[None], over_time=True)
            result.setdefault(entry["of"], []).append(factors)
        if self.snapshots and not self.specification.profiles and len(self.times) > 1:
            # Times that nothing varies over are still as many states.
            positions = self.elements.chosen("load", None)
            ones = np.ones((1, len(self.times), 1))
            result.setdefault("load", []).append(Factors(positions, ones, ones, over_time=True))
        return result

    @cached_property
    def dispatch(self) -> dict[str, dict[int, Mapping[str, Any]]]:
        """Kind of generator -> position -> the order that it is given."""
        orders = self.values.get("dispatch", [])
        return dispatch_of(self.elements, orders) if orders else {}

    @cached_property
    def sets(self) -> list[tuple[str, OutageSet]]:
        """Names of outage sets and their outages; one without either if none are asked for.

        Sets with an element that is out in all of its scenarios are left out.
        """
        entry = self.values.get("each_outage")
        if entry is None or "count" in entry:
            return [("", ())]
        folder = self.specification.file.parent
        try:
            own = set(self.outages)
            return [
                (name, outages)
                for name, outages in outage_sets(self.elements, entry, folder)
                if own.isdisjoint(outages)
            ]
        except GatBatchError as fault:
            raise fault.at(field="each_outage") from None

    @cached_property
    def random_sets(self) -> RandomSets | None:
        """What draws sets of outages for each of its draws; None if they are the same for all."""
        entry = self.values.get("each_outage", {})
        if "count" not in entry:
            return None
        seed = self.values.get("draws", {}).get("seed", self.specification.seed)
        try:
            return RandomSets(self.elements, entry, int(seed), self.outages)
        except GatBatchError as fault:
            raise fault.at(field="each_outage") from None

    def sets_of(self, draw: int) -> list[tuple[str, OutageSet]]:
        """Return the names and outages of the sets of a draw, given by its number from 0."""
        if self.random_sets is None:
            return self.sets
        try:
            return self.random_sets.of_draw(draw)
        except GatBatchError as fault:
            raise fault.at(field="each_outage") from None

    @cached_property
    def outages(self) -> OutageSet:
        """The outages that all of its scenarios have."""
        own = self.values.get("outages")
        return found(self.elements, own) if own else ()

    @cached_property
    def cost_curves(self) -> CostCurves:
        """The cost curves of its grid."""
        return self.sources.cost_curves(
            str(self.values.get("grid", self.specification.top.get("grid")))
        )

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Its random quantities."""
        folder = self.specification.file.parent
        result = []
        for name, entry in self.values.get("draws", {}).get("random", {}).items():
            try:
                if entry["of"] == COST:
                    known = np.arange(len(self.cost_curves.id))
                    correlation = entry.get("correlation")
                    result.append(Quantity(name, entry, known, correlation and float(correlation)))
                    continue
                on_branches = "rate" in entry or "impedance" in entry
                parameter = entry["of"] not in INJECTIONS and not on_branches
                elements = None if parameter else self.elements
                result.append(quantity_on(elements, name, entry, folder))
            except GatBatchError as fault:
                raise fault.at(field=f"draws.random.{name}") from None
        return tuple(result)

    @cached_property
    def design(self) -> Design | None:
        """Where its draws lie in the unit cube; None if it has none."""
        draws = self.values.get("draws")
        if draws is None:
            return None
        design = Design(
            draws.get("method", "random"),
            int(draws.get("seed", self.specification.seed)),
            int(draws["count"]),
            {quantity.name: quantity.dimensions for quantity in self.quantities},
        )
        if fault := design.fault():
            raise self.specification.fault(fault, field="draws.method")
        return design

    @cached_property
    def count(self) -> int:
        """Number of scenarios that it stands for."""
        slices = len(self.times) if self.times and not self.snapshots else 1
        sets = int(self.values.get("each_outage", {}).get("count", len(self.sets)))
        return sets * slices * (self.design.count if self.design else 1)


def variants(specification: Specification, sources: Sources, family: Family) -> Iterator[Variant]:
    """Yield the variants of a family: all combinations of swept values, with each zipped choice.

    Raises:
        SpecificationError: if there are too many.
    """
    swept, zipped = family.values.get("sweep", {}), family.values.get("zip", {})
    rows = list(zip(*zipped.values(), strict=True)) if zipped else [()]
    if math.prod(len(choices) for choices in swept.values()) * len(rows) > MOST_SCENARIOS:
        raise specification.fault(f"makes more than {MOST_SCENARIOS} scenarios", field="sweep")
    for combination in product(*swept.values()):
        for row in rows:
            chosen = dict(zip([*swept, *zipped], [*combination, *row], strict=True))
            values = dict(family.values)
            for name, value in chosen.items():
                _set(values, name, value)
            name = "-".join([family.id, *(safe(value) for value in chosen.values())])
            yield Variant(name, values, chosen, specification, sources)


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    head, _, tail = name.partition(".")
    if head == "scale":
        values[head] = {**values[head], tail: {**values[head][tail], "by": value}}
    elif head == "options":
        values[head] = {**values.get(head, {}), tail: value}
    else:
        values[head] = value


def safe(value: Any) -> str:
    """Return a value as part of a scenario's name, with a point for each unsafe character."""
    return "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in "._+-") else "."
        for sign in str(value)
    )
