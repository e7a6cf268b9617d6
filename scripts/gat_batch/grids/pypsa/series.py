"""A PyPSA network's time series as those of the pandapower network made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .tables import FOLLOWED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from .tables import Components
    from .units import Units

RESULTS = re.compile(
    r"[pq]\d*|r|e|v_ang|v_mag_pu|marginal_price|state_of_charge|spill|mu_.*|status|start_up|shut_down"
    r"|p_dispatch|p_store|n_mod"
)
"""Attributes over time that PyPSA finds and nobody gives."""

COLUMNS = {
    "p_set": "p_mw", "q_set": "q_mvar", "p_max_pu": "max_p_mw", "p_min_pu": "min_p_mw",
    "v_mag_pu_set": "vm_pu",
}  # fmt: skip


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
        if attribute not in FOLLOWED.get(kind, ()):
            if len(table.columns) and not RESULTS.fullmatch(attribute):
                what = f"{attribute} of {kind} over time isn't followed"
                components.notes.append(f"{what}: {len(table.columns)}")
            continue
        for name in map(str, table.columns):
            values = table[name].to_numpy(np.float64)
            for element, column, position, factor in _followers(
                components, units, kind, attribute, name
            ):
                found.setdefault((element, column), {})[position] = values * factor
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
) -> Iterator[tuple[str, str, int, float]]:
    """Yield table, column, position and factor of what follows an attribute of a component."""
    column = COLUMNS[attribute]
    if kind == "buses":
        for element, position in units.holders(name):
            yield element, column, position, 1.0
        return
    if kind == "links":
        row = components.table(kind).index.get_loc(name)
        for end in units.link_ends:
            if (kind, name, end) in units.places:
                element, position = units.places[kind, name, end]
                yield element, column, position, float(units.link_share(end)[row])
        return
    place = units.places.get((kind, name, ""))
    if place is None:
        return
    element, position = place
    sign = components.numbers(kind, "sign", -1.0 if kind == "loads" else 1.0)[name]
    if attribute in ("p_max_pu", "p_min_pu"):
        nominal = components.numbers(kind, "p_nom", 0.0)[name]
        if sign < 0:
            column = {"max_p_mw": "min_p_mw", "min_p_mw": "max_p_mw"}[column]
        yield element, column, position, float(nominal * sign)
    elif not (element == "ext_grid" or (element == "gen" and attribute == "q_set")):
        drawn = element in ("load", "storage")
        yield element, column, position, float(-sign if drawn else sign)
