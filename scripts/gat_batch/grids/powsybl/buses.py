"""Buses and switches."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pandapower as pp

from .names import bus_number
from .source import columns

if TYPE_CHECKING:
    from .source import Row, Source

NUMBERED = ("raw", "rawx", "cdf")
"""Forms of files whose buses have numbers."""


def add_buses(source: Source) -> None:
    """Add the buses of powsybl's bus/breaker view; PSS/E's and CDF's keep their number as index."""
    levels = source.frame("voltage_levels")
    keys, rows = [], []
    numbered = _numbers(source)
    for key, name, bus in source.rows("bus_breaker_view_buses"):
        level = levels.loc[bus.voltage_level_id]
        kv = float(level["nominal_v"])
        rows.append(
            {
                "name": numbered.get(key, name),
                "vn_kv": kv,
                "in_service": bool(bus.bus_id),
                "min_vm_pu": float(level["low_voltage_limit"]) / kv,
                "max_vm_pu": float(level["high_voltage_limit"]) / kv,
                "zone": str(bus.voltage_level_id),
                "vm": float(bus.v_mag) / kv,
                "va": float(bus.v_angle),
                "node": str(bus.bus_id),
            }
        )
        keys.append(key)
    names = [str(row["name"]) for row in rows]
    counted = source.form in NUMBERED
    numbers = [int(name) if counted and name.isdecimal() else None for name in names]
    known = [value for value in numbers if value is not None]
    first = max(known, default=-1) + 1
    if len(set(known)) < len(known) or not known:
        numbers, first = [None] * len(keys), 0
    spare = iter(range(first, first + len(keys)))
    index = [next(spare) if value is None else value for value in numbers]
    table = columns(rows)
    solved = {name: table.pop(name, []) for name in ("vm", "va", "node")}
    if rows:
        pp.create_buses(source.net, len(rows), index=np.array(index), **table)
    source.bus = dict(zip(keys, index, strict=True))
    source.kv = dict(zip(index, table.get("vn_kv", []), strict=True))
    source.node = dict(zip(index, solved["node"], strict=True))
    source.vm_pu = dict(zip(index, solved["vm"], strict=True))
    source.va_degree = dict(zip(index, solved["va"], strict=True))
    _add_raw_facts(source)
    _note_details(source)


def _numbers(source: Source) -> dict[str, str]:
    """Return numbers of buses that powsybl makes of nodes and switches of a PSS/E file.

    Elements have the number of their bus in their name. Where switches split a bus, the part with
    the most elements has the number, and others are counted: ``101 (2)``.
    """
    if source.form not in ("raw", "rawx"):
        return {}
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for kind in ("loads", "generators", "shunt_compensators"):
        for _, name, row in source.rows(kind):
            votes[str(row.bus_breaker_bus_id)][name.split("-")[0]] += 1
    for kind, ends in (
        ("lines", 2),
        ("2_windings_transformers", 2),
        ("3_windings_transformers", 3),
    ):
        for _, name, row in source.rows(kind):
            for n in range(ends):
                bus = str(getattr(row, f"bus_breaker_bus{n + 1}_id"))
                votes[bus][name.split("-")[n]] += 1
    keys = source.frame("bus_breaker_view_buses").index
    taken = {str(bus_number(key)) for key in keys} - {"None"}
    found: dict[str, str] = {}
    split: Counter[str] = Counter()
    open_ones = [key for key in keys if bus_number(key) is None and votes.get(key)]
    for key in sorted(open_ones, key=lambda key: -votes[key].total()):
        own = votes[key].most_common(1)[0][0]
        split[own] += 1
        first = split[own] == 1 and own not in taken
        found[key] = own if first else f"{own} ({split[own] + (own in taken)})"
    return found


def _add_raw_facts(source: Source) -> None:
    """Add areas, zones, limits and names of buses of a PSS/E file."""
    if source.raw is None:
        return
    net, known = source.net, source.raw.buses
    for column, name in (("area", "area"), ("zone", "zone"), ("bus_name", "name")):
        net.bus[column] = [
            known.get(int(bus), {}).get(name, "").strip() or None for bus in net.bus.index
        ]
    for bus, fields in known.items():
        solved = _value(fields, "vm")
        if bus in source.vm_pu and solved > 0:
            # Where switches make up a bus, powsybl has no voltage of its own for it.
            base = _value(fields, "baskv")
            source.vm_pu[bus] = solved * (base / source.kv[bus] if base > 0 else 1.0)
            source.va_degree[bus] = _value(fields, "va")
    for column, name in (("min_vm_pu", "nvlo"), ("max_vm_pu", "nvhi")):
        own = np.array([_value(known.get(int(bus), {}), name) for bus in net.bus.index])
        if np.isfinite(own).any():
            net.bus[column] = np.where(np.isnan(own), net.bus.get(column, np.nan), own)


def _value(fields: dict[str, str], name: str) -> float:
    """Return a number of a record, NaN where it has none."""
    try:
        return float(fields.get(name, ""))
    except ValueError:
        return float("nan")


def _note_details(source: Source) -> None:
    """List what of the detail of substations is merged into buses."""
    switches = source.frame("switches")
    if len(switches):
        merged = switches[~switches["retained"].astype(bool)]
        for level, count in merged.groupby("voltage_level_id").size().items():
            source.note(
                f"voltage level {level}: {count} switches are merged into buses, closed or open as"
                " the file has them"
            )


def add_switches(source: Source) -> None:
    """Add switches between buses."""
    rows: list[Row] = []
    for _, name, switch in source.rows("switches"):
        if not switch.retained:
            continue
        ends = [
            source.at(bus, switch.voltage_level_id)
            for bus in (switch.bus_breaker_bus1_id, switch.bus_breaker_bus2_id)
        ]
        kind = {"BREAKER": "CB", "DISCONNECTOR": "DS", "LOAD_BREAK_SWITCH": "LBS"}
        rows.append(
            {
                "buses": ends[0],
                "elements": ends[1],
                "et": "b",
                "closed": not switch.open,
                "type": kind.get(str(switch.kind)),
                "name": name,
            }
        )
    add_switch_rows(source, rows)


def add_switch_rows(source: Source, rows: list[Row]) -> None:
    """Add rows to the table of switches."""
    if rows:
        pp.create_switches(source.net, **columns(rows))
