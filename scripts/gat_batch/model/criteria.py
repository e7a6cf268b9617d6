"""By what a state is judged: which ratings, which loading limit, which voltages.

A category of contingencies has its set of ratings and its voltage band. Loadings of its
contingencies are in percent of that set: one limit then holds for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..study.scenario import BRANCHES
from .violations import HAIR_PU, Limits, voltage_bands

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..study.scenario import Category

    Reals = NDArray[np.float64]
    Rows = NDArray[np.integer[Any]]

COLUMNS = {
    "long_term": {"line": "rate_b_ka", "trafo": "rate_b_mva"},
    "short_term": {"line": "rate_c_ka", "trafo": "rate_c_mva"},
}
"""Set of ratings -> element -> column with it; a branch without a value has its normal rating."""

NORMAL = {"line": "max_i_ka", "trafo": "sn_mva"}


@dataclass(frozen=True)
class Criteria:
    """What counts as a violation after contingencies of one category.

    Attributes:
        limits: loading limit, and the voltage band where a bus has none.
        bands: lowest and highest voltage of each bus in p.u.
        rating: the set of ratings that loadings refer to.
        share: element -> percent of that set for one percent of the normal rating, by position;
            nothing where both are the same.
    """

    limits: Limits
    bands: tuple[Reals, ...]
    rating: str = "normal"
    share: Mapping[str, Reals] = field(default_factory=dict)

    @classmethod
    def of(cls, net: pandapowerNet, limits: Limits) -> Criteria:
        """Return those of a grid where no category says otherwise."""
        return cls(limits, voltage_bands(net, limits))

    def for_category(self, net: pandapowerNet, category: Category) -> Criteria:
        """Return those of a category.

        Args:
            net: the grid.
            category: the category.
        """
        band = category.voltage_band_pu
        count = len(net.bus)
        bands = self.bands if band is None else tuple(np.full(count, edge) for edge in band)
        limits = self.limits if band is None else replace(self.limits, voltage_band_pu=band)
        percent = 100 / category.rating_percent
        columns = COLUMNS.get(category.rating, {})
        share = {
            element: percent * _ratio(net, element, columns.get(element))
            for element in BRANCHES
            if len(net[element])
        }
        share = {element: values for element, values in share.items() if (values != 1).any()}
        return Criteria(limits, bands, category.rating, share)

    def limit_of(self, element: str, values: Mapping[str, Reals], positions: Rows) -> Reals:
        """Return the limit that elements in violation break.

        Args:
            element: kind of element.
            values: their quantities.
            positions: their positions in the table, shape (elements,).

        Returns:
            In percent of the rating, of buses in p.u., shape (elements,).
        """
        if element != "bus":
            return np.full(len(positions), self.limits.loading_percent)
        low, high = (band[positions] for band in self.bands)
        limit: Reals = np.where(values["vm_pu"] < low - HAIR_PU, low, high)
        return limit


def _ratio(net: pandapowerNet, element: str, column: str | None) -> Reals:
    """Return normal rating over that of a set, 1 where the set has none."""
    table = net[element]
    ratio = np.ones(len(table))
    if column is None or column not in table:
        return ratio
    normal, other = (table[name].to_numpy(float) for name in (NORMAL[element], column))
    known = np.isfinite(other) & (other > 0)
    ratio[known] = normal[known] / other[known]
    return ratio
