"""A PyPSA network's time series as those of the pandapower network made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...files.words import numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from .tables import Components
    from .units import Units

FOLLOWED = {
    "loads": ("p_set", "q_set"),
    "generators": ("p_set", "q_set", "p_max_pu", "p_min_pu"),
    "storage_units": ("p_set", "q_set", "p_max_pu", "p_min_pu"),
    "stores": ("p_set", "q_set"),
    "links": ("p_set",),
}
"""Attributes over time that snapshots follow."""

INPUTS = {
    "lines": ("s_max_pu",),
    "generators": ("marginal_cost", "marginal_cost_quadratic", "stand_by_cost"),
    "links": ("p_max_pu", "p_min_pu", "efficiency", "marginal_cost"),
    "storage_units": ("inflow", "state_of_charge_set", "marginal_cost"),
    "stores": ("e_min_pu", "e_max_pu", "marginal_cost"),
}
"""Others that are given, not found by PyPSA, and that snapshots don't follow."""

COLUMNS = {"p_set": "p_mw", "q_set": "q_mvar", "p_max_pu": "max_p_mw", "p_min_pu": "min_p_mw"}


@dataclass(frozen=True)
class PypsaSeries:
    """The time series of a network.

    Attributes:
        file: where they were read from.
        times: names of the times.
        parts: element and column -> positions of elements, shape (elements,), and their values,
            shape (times, elements), in MW and MVAr.
    """

    file: Path
    times: tuple[str, ...]
    parts: Mapping[tuple[str, str], tuple[NDArray[np.int64], NDArray[np.float64]]]

    def values(
        self, net: pandapowerNet, times: Sequence[int]
    ) -> Mapping[tuple[str, str], NDArray[np.float64]]:
        """Return what varies at some times, as ``grids.time_series`` has it."""
        found = {}
        for (element, column), (positions, values) in self.parts.items():
            steady = net[element][column].to_numpy(np.float64)
            whole = np.tile(steady, (len(times), 1))
            whole[:, positions] = values[list(times)]
            found[element, column] = whole
        return found


def time_series(components: Components, units: Units, net: pandapowerNet) -> PypsaSeries | None:
    """Return the time series of a network, or None if it has none; give it their first values.

    Args:
        components: the network; what isn't followed is added to its notes.
        units: its units.
        net: the network made of it.
    """
    found: dict[tuple[str, str], dict[int, NDArray[np.float64]]] = {}
    for (kind, attribute), table in components.series.items():
        if attribute in INPUTS.get(kind, ()) and len(table.columns):
            what = f"{attribute} of {numbered(len(table.columns), kind[:-1])}"
            components.notes.append(f"{what} over time isn't followed")
        if attribute not in FOLLOWED.get(kind, ()):
            continue
        for name in map(str, table.columns):
            values = table[name].to_numpy(np.float64)
            for element, position, factor in _followers(components, units, kind, attribute, name):
                columns = found.setdefault((element, COLUMNS[attribute]), {})
                columns[position] = values * factor
    if not found:
        return None
    parts = {}
    for (element, column), columns in found.items():
        if column not in net[element]:
            net[element][column] = np.nan
        positions = np.array(sorted(columns), np.int64)
        values = np.column_stack([columns[n] for n in positions])
        parts[element, column] = positions, values
        net[element][column] = net[element][column].astype(float)
        net[element].iloc[positions, net[element].columns.get_loc(column)] = values[0]
    components.notes.append(f"what varies is as at {components.snapshots[0]} without time_slices")
    return PypsaSeries(components.file, components.snapshots, parts)


def _followers(
    components: Components, units: Units, kind: str, attribute: str, name: str
) -> Iterator[tuple[str, int, float]]:
    """Yield table, position and factor of what follows an attribute of a component."""
    if kind == "links":
        for (list_, own, end), (element, position) in units.places.items():
            if list_ == kind and own == name:
                row = components.table(kind).index.get_loc(name)
                yield element, position, float(units.link_share(end)[row])
        return
    place = units.places.get((kind, name, ""))
    if place is None:
        return
    element, position = place
    if attribute in ("p_max_pu", "p_min_pu"):
        if element != "storage":
            yield element, position, float(components.numbers(kind, "p_nom", 0.0)[name])
    elif not (element == "ext_grid" or (element == "gen" and attribute == "q_set")):
        sign = components.numbers(kind, "sign", -1.0 if kind == "loads" else 1.0)[name]
        yield element, position, float(-sign if element in ("load", "storage") else sign)
