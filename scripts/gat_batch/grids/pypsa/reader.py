"""Reads a PyPSA network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..approximations import APPROXIMATIONS
from ..case.case import Case, frame
from ..case.to_network import network_of
from ..time_series import KEY
from .branches import branch_rows
from .series import time_series
from .standard_types import FREQUENCY_HZ
from .tables import read_components
from .units import Units, add_to

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pandapower.auxiliary import pandapowerNet

    from .tables import Components

BASE_MVA = 100.0
"""No result depends on it."""

AT_BUS = ("generators", "loads", "storage_units", "stores", "shunt_impedances")

LEFT_OUT = {
    "global_constraints": "global constraints are left out",
    "processes": "processes are left out",
}


UNHEEDED = {
    "generators": (
        "p_nom_extendable", "committable", "start_up_cost", "shut_down_cost", "stand_by_cost",
        "ramp_limit_up", "ramp_limit_down", "e_sum_min", "e_sum_max",
    ),
    "lines": ("s_nom_extendable",),
    "transformers": ("s_nom_extendable",),
    "links": ("p_nom_extendable",),
    "storage_units": ("p_nom_extendable", "inflow"),
    "stores": ("e_nom_extendable",),
}  # fmt: skip
"""Attributes of optimisations over time that no state can heed."""

NOTHING = ("", "nan", "false", "0", "0.0", "inf", "-inf")
"""Cells of such an attribute that ask for nothing."""


def read_pypsa(path: Path) -> pandapowerNet:
    """Read a network.

    Args:
        path: a folder of CSV files as PyPSA exports them, or a NetCDF file.

    Returns:
        The network with its time series; ``approximations`` lists what isn't exact.

    Raises:
        GridError: if it can't be read or contradicts itself.
    """
    components = read_components(path)
    carriers = components.texts("buses", "carrier", "AC")
    buses = {name: number for number, name in enumerate(carriers.index[carriers == "AC"])}
    _note_what_is_left_out(components, buses)
    branches = branch_rows(components, buses, BASE_MVA)
    slacks, lone = _slacks(components, buses, branches)
    units = Units(components, buses, frozenset(slacks))
    units.add_generators()
    units.add_storage()
    units.add_links()
    units.cases += _supplies(components, buses, lone, len(units.cases))
    loads = _loads(components, buses)
    for position, load in enumerate(loads):
        units.places["loads", str(load["name"]), ""] = "load", position
    net = network_of(
        Case(
            name=path.stem,
            base_mva=BASE_MVA,
            frequency_hz=FREQUENCY_HZ,
            bus=frame("bus", _buses(components, buses, units)),
            load=frame("load", loads),
            shunt=frame("shunt", _shunts(components, buses)),
            gen=frame("gen", units.cases),
            branch=frame("branch", branches),
        ),
        str(path),
    )
    add_to(net, units)
    _place_in_tables(net, units)
    series = time_series(components, units, net)
    if series is not None:
        net[KEY] = series
    if components.notes:
        net[APPROXIMATIONS] = components.notes
    return net


def _note_what_is_left_out(components: Components, buses: Mapping[str, int]) -> None:
    count = len(components.table("buses")) - len(buses)
    if count:
        carriers = set(components.texts("buses", "carrier", "AC")) - {"AC"}
        components.notes.append(f"buses of {', '.join(sorted(carriers))} are left out: {count}")
    for kind in AT_BUS:
        outside = (~components.texts(kind, "bus").isin(list(buses))).sum()
        if outside:
            components.notes.append(f"{kind} at other buses are left out: {outside}")
    for kind in ("lines", "transformers"):
        ends = [components.texts(kind, end).isin(list(buses)) for end in ("bus0", "bus1")]
        outside = (~(ends[0] & ends[1])).sum()
        if outside:
            components.notes.append(f"{kind} at other buses are left out: {outside}")
    for kind, attributes in UNHEEDED.items():
        for attribute in attributes:
            cells = components.texts(kind, attribute).str.casefold()
            asked = (~cells.isin(NOTHING)).sum() if len(cells) else 0
            if asked:
                components.notes.append(f"{attribute} of {kind} isn't followed: {asked}")
    for kind in ("lines", "transformers"):
        free = (components.numbers(kind, "s_nom", 0.0) == 0).sum()
        typed = (components.texts(kind, "type") != "").sum() if kind == "transformers" else 0
        if free > typed:
            components.notes.append(f"{kind} without s_nom have no rating: {free - typed}")
    components.notes += [what for kind, what in LEFT_OUT.items() if len(components.table(kind))]


def _slacks(
    components: Components, buses: Mapping[str, int], branches: list[dict[str, object]]
) -> tuple[list[str], list[str]]:
    """Return the slack of each part that branches connect, as PyPSA chooses it.

    Returns:
        Generators: of each part the first one of control ``Slack``, or else the first one; and
        the first buses of parts that have loads, links or storage, but no generator.
    """
    live = [row for row in branches if row["status"]]
    start, end = ([row[key] for row in live] for key in ("from_bus", "to_bus"))
    graph = coo_array((np.ones(len(live)), (start, end)), shape=(len(buses), len(buses)))
    _, part = connected_components(graph, directed=False)
    on = components.truths("generators", "active", default=True)
    at = components.texts("generators", "bus")
    control = components.texts("generators", "control", "PQ")
    chosen: dict[int, str] = {}
    for wanted in ("Slack", None):
        for name, bus, how, active in zip(at.index, at, control, on, strict=True):
            if active and bus in buses and (wanted is None or how == wanted):
                chosen.setdefault(int(part[buses[bus]]), str(name))
    busy = [bus for kind in AT_BUS[1:-1] for bus in components.texts(kind, "bus")]
    links = components.table("links")
    busy += [bus for end in links if str(end).startswith("bus") for bus in links[end]]
    asking = {int(part[buses[bus]]) for bus in busy if bus in buses} - set(chosen)
    names = list(buses)
    first = {number: names[int(np.flatnonzero(part == number)[0])] for number in sorted(asking)}
    return list(chosen.values()), list(first.values())


def _supplies(
    components: Components, buses: Mapping[str, int], lone: list[str], count: int
) -> list[dict[str, object]]:
    """Return external grids at buses that PyPSA takes for slacks, though no generator is there."""
    voltage = components.numbers("buses", "v_mag_pu_set", 1.0)
    components.notes += [
        f"no generator is in the part of the grid around bus {bus}: an external grid balances it"
        for bus in lone
    ]
    return [
        {
            "id": count + position, "name": f"slack at {bus}", "bus": buses[bus], "status": True,
            "p_mw": 0.0, "q_mvar": 0.0, "vm": voltage[bus], "pmin": 0.0, "pmax": 0.0,
            "external": True, "cost": None,
        }
        for position, bus in enumerate(lone)
    ]  # fmt: skip


def _buses(
    components: Components, buses: Mapping[str, int], units: Units
) -> list[dict[str, object]]:
    kv = components.numbers("buses", "v_nom", 1.0)
    low = components.numbers("buses", "v_mag_pu_min", 0.0)
    high = components.numbers("buses", "v_mag_pu_max", np.inf)
    voltage = components.numbers("buses", "v_mag_pu_set", 1.0)
    slack = {row["bus"] for row in units.cases if row["external"] and row["status"]}
    held = {row["bus"] for row in units.cases if row["status"]}
    return [
        {
            "id": number,
            "name": name,
            "kv": kv[name],
            "vm": voltage[name],
            "va_degree": 0.0,
            "type": "Slack" if number in slack else "PV" if number in held else "PQ",
            "vmin": low[name] or np.nan,
            "vmax": high[name] if np.isfinite(high[name]) else np.nan,
        }
        for name, number in buses.items()
    ]


def _loads(components: Components, buses: Mapping[str, int]) -> list[dict[str, object]]:
    at = components.texts("loads", "bus")
    sign = components.numbers("loads", "sign", -1.0)
    power = [components.numbers("loads", key, 0.0) for key in ("p_set", "q_set")]
    on = components.truths("loads", "active", default=True)
    rows: list[dict[str, object]] = []
    for position, (name, bus) in enumerate(at.items()):
        if bus in buses:
            p_mw, q_mvar = (-sign.iloc[position] * values.iloc[position] for values in power)
            rows.append(
                {"id": len(rows), "name": name, "bus": buses[bus], "status": bool(on[position]),
                 "p_mw": p_mw, "q_mvar": q_mvar}
            )  # fmt: skip
    return rows


def _shunts(components: Components, buses: Mapping[str, int]) -> list[dict[str, object]]:
    kind = "shunt_impedances"
    at = components.texts(kind, "bus")
    kv = components.numbers("buses", "v_nom", 1.0)
    siemens = [components.numbers(kind, key, 0.0) for key in ("g", "b")]
    on = components.truths(kind, "active", default=True)
    rows: list[dict[str, object]] = []
    for position, (name, bus) in enumerate(at.items()):
        if bus in buses:
            g_mw, b_mvar = (values.iloc[position] * kv[bus] ** 2 for values in siemens)
            rows.append(
                {"id": len(rows), "name": name, "bus": buses[bus], "status": bool(on[position]),
                 "g_mw": g_mw, "b_mvar": b_mvar}
            )  # fmt: skip
    return rows


def _place_in_tables(net: pandapowerNet, units: Units) -> None:
    """Turn numbers of the case's generators into positions in their tables."""
    for key, (element, number) in units.places.items():
        if element in ("gen", "ext_grid"):
            units.places[key] = element, int(pd.Index(net[element].index).get_loc(number))
