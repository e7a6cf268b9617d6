"""By what a state is judged: which ratings, which loading limit, which voltages.

A category of contingencies has its set of ratings and its voltage band. Loadings of its
contingencies are in percent of that set: one limit then holds for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import GatBatchError, GridError, TableError
from ..files.columns import raise_faults
from ..study.rating_tables import read_ratings
from .violations import HAIR_PU, Limits, voltage_bands

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..grids.elements import ElementIndex
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
        rating: the ratings that loadings refer to.
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

    def for_category(self, index: ElementIndex, category: Category) -> Criteria:
        """Return those of a category.

        Args:
            index: the grid's elements.
            category: the category.

        Raises:
            GridError: if the grid hasn't got a column of ratings that is named.
            InputErrors, TableError: if a table of ratings is at fault.
        """
        band = category.voltage_band_pu
        count = len(index.net.bus)
        bands = self.bands if band is None else tuple(np.full(count, edge) for edge in band)
        limits = self.limits if band is None else replace(self.limits, voltage_band_pu=band)
        percent = 100 / category.rating_percent
        share = {
            element: percent * normal / np.where(rating > 0, rating, normal)
            for element, (normal, rating) in _ratings(index, category).items()
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


def _ratings(index: ElementIndex, category: Category) -> dict[str, tuple[Reals, Reals]]:
    """Return normal ratings and those of a category, which are no number where it has none.

    Returns:
        Element -> both, in kA of lines and MVA of transformers, shape (elements,).
    """
    net = index.net
    named = dict(category.columns)
    table = _of_table(index, category.table) if category.table else {}
    found = {}
    for element in ("line", "trafo", "trafo3w"):
        ones = np.ones(len(net[element]))
        if element not in NORMAL or not len(ones):
            found[element] = ones, ones
            continue
        normal = net[element][NORMAL[element]].to_numpy(float)
        column = named.get(element) or COLUMNS.get(category.rating, {}).get(element)
        if element in named and column not in net[element]:
            what = f"{element} has no column {column!r} with ratings"
            hint = "name a column of the grid, or a table"
            raise GridError(what, field=f"categories.{category.name}.rating", hint=hint)
        if column in net[element]:
            values = pd.to_numeric(net[element][column], errors="coerce").to_numpy(float)
            if element in named and not (values > 0).any():
                what = f"the column {column!r} of {element} has no ratings"
                hint = "give kA of lines and MVA of transformers"
                field = f"categories.{category.name}.rating"
                raise GridError(what, field=field, hint=hint)
            found[element] = normal, values
        else:
            found[element] = normal, table.get(element, np.full(len(normal), np.nan))
    return {element: both for element, both in found.items() if len(both[0])}


def _of_table(index: ElementIndex, path: Path) -> dict[str, Reals]:
    """Return the ratings of a table; a branch that it doesn't name has none."""
    net, faults = index.net, list[GatBatchError]()
    found = {element: np.full(len(net[element]), np.nan) for element in NORMAL}
    for row in read_ratings(path):
        try:
            position = index.position(row.element, row.id)
        except GatBatchError as error:
            what = f"row {row.row}: {error.what}"
            faults.append(TableError(what, file=path, hint=error.hint))
            continue
        rating = row.rating
        if row.element == "line" and row.unit == "rating_mva":
            bus = net.line["from_bus"].iloc[position]
            rating /= np.sqrt(3) * float(net.bus.loc[bus, "vn_kv"])
        if np.isfinite(found[row.element][position]):
            what = f"row {row.row}: {row.element} {row.id} has a rating above"
            faults.append(TableError(what, file=path))
        found[row.element][position] = rating
    raise_faults(faults, path)
    return found
