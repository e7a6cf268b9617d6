"""The grids, profiles and tags of a specification, and what is found out about the grids."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...errors import GatBatchError, SolverError, SpecificationError
from ...grids import grid_ref, read_grid
from ..loadability import Limit
from ..profiles import read_profiles
from ..selection import Elements, read_tags
from ..tables.costs import cost_curves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...opf.loadability.limit import Study
    from ..profiles import Profiles
    from ..specification import Specification
    from ..tables.costs import CostCurves


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
    _limits: dict[tuple[str, Study], Limit] = field(default_factory=dict)

    @property
    def limits(self) -> list[Limit]:
        """The loadability limits that were needed."""
        return [*self._limits.values()]

    @property
    def records(self) -> list[dict[str, Any]]:
        """Records of these limits."""
        return [limit.record for limit in self.limits]

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

    def limit(self, grid: str, study: Study) -> Limit:
        """Return the loadability limit of a grid, given by its reference.

        Raises:
            SpecificationError: if it has none.
        """
        if (grid, study) not in self._limits:
            # Imported late: few specifications need it, and jobs have no use for it.
            from ...opf.loadability.limit import loadability_limit

            reference = grid_ref(grid, self.specification.file.parent)
            try:
                # Read anew, as it loses its options.
                factor = loadability_limit(read_grid(reference), study)
            except SolverError as fault:
                what = f"the loadability limit of {grid} is not known: {fault.what}"
                raise SpecificationError(what, hint=fault.hint) from None
            self._limits[grid, study] = Limit(grid, reference.content_hash(), study, factor)
        return self._limits[grid, study]

    def profiles(self, name: str) -> Profiles:
        """Return the profiles of a file, given by its name."""
        if name not in self._profiles:
            self._profiles[name] = read_profiles(self.specification.path(name))
        return self._profiles[name]
