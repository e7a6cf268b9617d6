"""Variants: a family for one choice of its swept parameters, with what it names of the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GatBatchError, SpecificationError
from ..files.times import chosen_times, time_name
from .injection_factors import Factors, dispatch_of
from .loadability import bounded, shares, study_of
from .outages.outage_sets import found, outage_sets
from .outages.random_sets import RandomSets
from .profiles import profile_factors
from .quantities import INJECTIONS, order_faults
from .sampling import Design, Quantity, quantity_on
from .tables.costs import COST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .named.sources import Sources
    from .outages.outage_sets import OutageSet
    from .selection import Elements
    from .specification import Family, Specification
    from .tables.costs import CostCurves

MOST_SCENARIOS = 1_000_000
"""Most scenarios of one specification."""


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
    def grid(self) -> str:
        """The reference to its grid."""
        return str(self.values.get("grid", self.specification.top.get("grid")))

    @property
    def elements(self) -> Elements:
        """The elements of its grid."""
        return self.sources.elements(self.grid)

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
        return self.sources.cost_curves(self.grid)

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
                result.append(quantity_on(elements, name, self._bounded(entry), folder))
            except GatBatchError as fault:
                raise fault.at(field=f"draws.random.{name}") from None
        return tuple(result)

    def _bounded(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a random quantity with numbers in place of shares of the loadability limit."""
        if not any(shares(entry)):
            return entry
        study = study_of(self.values, self.specification.top.get("solver", "dc"))
        limit = self.sources.limit(self.grid, study)
        result = bounded(entry, limit)
        for what, _, _ in order_faults(result):
            hint = f"the loadability limit of {self.grid} is {limit.factor}"
            raise SpecificationError(what, hint=hint)
        return result

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
