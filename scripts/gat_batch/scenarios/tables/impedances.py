"""Impedances of generated scenarios: those of the grid's branches, scaled, as rows of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ...errors import SpecificationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..selection import Elements

    Reals = NDArray[np.float64]

BRANCHES = ("line", "trafo")
"""Elements whose impedances are drawn."""

PARTS = ("r", "x", "b")
"""What a branch is made of: resistance, reactance, and its admittance across."""


@dataclass(frozen=True)
class Scaled:
    """Factors on a part of some branches.

    Attributes:
        positions: positions of the branches, shape (branches,).
        part: one of :data:`PARTS`, or ``all`` of them.
        factors: the factors, shape (draws, branches).
    """

    positions: NDArray[np.int64]
    part: str
    factors: Reals


def impedance_rows(
    elements: Elements, names: Sequence[str], scaled: Mapping[str, Sequence[Scaled]]
) -> pa.Table:
    """Return the impedances of some scenarios.

    Args:
        elements: the grid's elements.
        names: entries of the rows in the column ``scenario``, one for each draw.
        scaled: element -> factors.

    Raises:
        SpecificationError: if a factor isn't above 0.
    """
    tables = []
    for element, many in scaled.items():
        own = np.unique(np.concatenate([one.positions for one in many]))
        by = {part: np.ones((len(names), len(own))) for part in PARTS}
        for one in many:
            _check(elements, element, one)
            place = np.searchsorted(own, one.positions)
            for part in PARTS if one.part == "all" else (one.part,):
                by[part][:, place] *= one.factors
        given = {name: elements.column(element, name)[own] for name in _COLUMNS[element]}
        values = _line(given, by) if element == "line" else _transformer(given, by)
        columns = {
            "scenario": pa.array(names).take(np.repeat(np.arange(len(names)), len(own))),
            "element": pa.array(np.full(len(names) * len(own), element)),
            "id": pa.array(np.tile(elements.ids(element)[own], len(names))),
        }
        columns |= {name: pa.array(value.ravel()) for name, value in values.items()}
        tables.append(pa.table(columns))
    return pa.concat_tables(tables, promote_options="default")


def _check(elements: Elements, element: str, one: Scaled) -> None:
    for draw, at in np.argwhere(~(one.factors > 0))[:1].tolist():
        name = elements.ids(element)[one.positions[at]]
        what = f"leads to a factor of {one.factors[draw, at]:g} on {element} {name}"
        hint = "impedances take factors above 0, as of a uniform or lognormal distribution"
        raise SpecificationError(what, field="impedance", hint=hint)


_COLUMNS = {
    "line": ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "g_us_per_km"),
    "trafo": ("vk_percent", "vkr_percent", "i0_percent", "pfe_kw"),
}


def _line(given: Mapping[str, Reals], by: Mapping[str, Reals]) -> dict[str, Reals]:
    return {
        "r_ohm_per_km": given["r_ohm_per_km"] * by["r"],
        "x_ohm_per_km": given["x_ohm_per_km"] * by["x"],
        "c_nf_per_km": given["c_nf_per_km"] * by["b"],
        "g_us_per_km": given["g_us_per_km"] * by["b"],
    }


def _transformer(given: Mapping[str, Reals], by: Mapping[str, Reals]) -> dict[str, Reals]:
    """Return a transformer's values: its short-circuit voltage is that of both parts together."""
    whole, real = given["vk_percent"], given["vkr_percent"]
    reactive = np.sqrt(np.maximum(whole**2 - real**2, 0.0)) * by["x"]
    real = real * by["r"]
    return {
        "vk_percent": np.copysign(np.hypot(real, reactive), whole),
        "vkr_percent": real,
        "i0_percent": given["i0_percent"] * by["b"],
        "pfe_kw": given["pfe_kw"] * by["b"],
    }
