"""Generators and external grids, of all that may hold a voltage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandapower as pp

from .source import columns
from .units import MOST_MVA, Unit, finite

if TYPE_CHECKING:
    from .source import Row, Source


def add_units(source: Source, units: list[Unit]) -> None:
    """Add units that feed in: as external grid, generator or static generator.

    Args:
        source: the network.
        units: the units, with setpoints that agree.
    """
    slacks = _slacks(source, units)
    for unit in slacks:
        held = unit.vm_pu if unit.vm_pu is not None else _solved(source, unit)
        low_p, high_p, low_q, high_q = unit.limits
        pp.create_ext_grid(
            source.net,
            unit.bus,
            vm_pu=held,
            va_degree=finite(source.va_degree.get(unit.bus, np.nan)),
            name=unit.name,
            min_p_mw=low_p,
            max_p_mw=high_p,
            min_q_mvar=low_q,
            max_q_mvar=high_q,
        )
    others = [unit for unit in units if not any(unit is slack for slack in slacks)]
    holding = [unit for unit in others if unit.vm_pu is not None]
    feeding = [unit for unit in others if unit.vm_pu is None]
    if holding:
        pp.create_gens(
            source.net,
            **columns({**_row(unit), "vm_pu": unit.vm_pu} for unit in holding),
        )
    if feeding:
        pp.create_sgens(
            source.net, **columns({**_static(unit), "q_mvar": unit.q_mvar} for unit in feeding)
        )


def _solved(source: Source, unit: Unit) -> float:
    """Return the voltage of a slack that holds none in the file."""
    value = finite(source.vm_pu.get(unit.bus, np.nan), finite(unit.target_pu, 1.0))
    source.note(f"generator {unit.name} is the slack, so it holds its bus at {value:.5g} p.u.")
    return value


def _row(unit: Unit) -> Row:
    low_p, high_p, low_q, high_q = unit.limits
    return {
        "buses": unit.bus,
        "p_mw": unit.p_mw,
        "sn_mva": unit.sn_mva,
        "name": unit.name,
        "in_service": unit.on,
        "min_p_mw": low_p,
        "max_p_mw": high_p,
        "min_q_mvar": low_q,
        "max_q_mvar": high_q,
        "controllable": unit.kind == "generator",
    }


def _static(unit: Unit) -> Row:
    """Return columns of a static generator, which without limits could only be curtailed."""
    row = _row(unit)
    for name, most in zip(
        ("min_p_mw", "max_p_mw", "min_q_mvar", "max_q_mvar"), (-1, 1) * 2, strict=True
    ):
        row[name] = finite(row[name], most * MOST_MVA)
    return row


def _slacks(source: Source, units: list[Unit]) -> list[Unit]:
    """Return the units that are slacks: those the file names, else the largest of an island."""
    able = [
        unit for unit in units if unit.on and unit.kind == "generator" and source.node[unit.bus]
    ]
    named = source.extension("slackTerminal")
    found: list[Unit] = []
    for node in dict.fromkeys(map(str, named.get("bus_id", []))):
        at = [unit for unit in able if source.node[unit.bus] == node]
        holding = [unit for unit in at if unit.vm_pu is not None]
        if at:
            found.append((holding or at)[0])
        elif node:
            source.note(f"slack bus {node} has no generator in service")
    found += _preferred(source, units, found)
    islands = _islands(source)
    fed = {islands.get(source.node[unit.bus]) for unit in found}
    for island in dict.fromkeys(islands.values()):
        mine = [unit for unit in able if islands.get(source.node[unit.bus]) == island]
        holding = [unit for unit in mine if unit.vm_pu is not None]
        if island in fed:
            continue
        place = _described(source, {node for node, own in islands.items() if own == island})
        if not (holding or mine):
            source.note(f"nothing supplies {place}: no generator is there")
            continue
        largest = max(holding or mine, key=lambda unit: (finite(unit.limits[1]), unit.p_mw))
        found.append(largest)
        source.note(
            f"generator {largest.name} is the slack of {place}, as the file names none and it is"
            " the largest"
        )
    return found


def _preferred(source: Source, units: list[Unit], found: list[Unit]) -> list[Unit]:
    """Return the generator of the first priority (CGMES), if the file names no slack otherwise."""
    table = source.extension("referencePriorities")
    if found or not len(table):
        return []
    order = table["priority"][table["priority"] > 0].sort_values()
    names = {key: name for key, name, _ in source.rows("generators")}
    able = {
        unit.name: unit
        for unit in units
        if unit.kind == "generator" and unit.on and source.node[unit.bus]
    }
    ranked = [able[name] for key in order.index if (name := names.get(str(key), "")) in able]
    return ranked[:1]


def _described(source: Source, nodes: set[str]) -> str:
    """Return an island for people, by the name of its first bus."""
    buses = [bus for bus, node in source.node.items() if node in nodes]
    more = f" and {len(buses) - 1} more" if len(buses) > 1 else ""
    return f"the island of bus {source.name_of_bus(buses[0])}{more}"


def _islands(source: Source) -> dict[str, int]:
    """Return which synchronous island each node is in."""
    table = source.frame("bus_breaker_view_buses")
    return {
        str(node): int(island)
        for node, island in zip(table["bus_id"], table["synchronous_component"], strict=True)
        if node
    }
