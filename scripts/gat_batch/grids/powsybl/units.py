"""What may hold a voltage, and the setpoints of what shares a bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .lines import lone_boundaries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .source import Source

MOST_MVA = 1e9
"""Limits from here on are none."""

SAME_PU = 1e-7
"""Setpoints that differ by less are equal."""


@dataclass
class Unit:
    """A generator, compensator or converter.

    Attributes:
        kind: ``generator``, ``svc``, ``converter`` or ``boundary``.
        name: its name.
        bus: index of its bus.
        p_mw, q_mvar: what it feeds in; ``q_mvar`` counts if it holds no voltage.
        vm_pu: voltage that it holds; None if it holds none.
        on: whether it is connected.
        limits: least and most of MW and MVAr, NaN for none.
        sn_mva: its rating, NaN if unknown.
        remote: whether the voltage held in the file is that of another bus.
        target_pu: setpoint in the file, whether or not it is held.
    """

    kind: str
    name: str
    bus: int
    p_mw: float
    q_mvar: float
    vm_pu: float | None
    on: bool
    limits: tuple[float, float, float, float]
    sn_mva: float = np.nan
    remote: bool = False
    target_pu: float = np.nan


def finite(value: Any, otherwise: float = 0.0) -> float:
    """Return a number, or another one where the file has none."""
    return float(value) if np.isfinite(value) else otherwise


def limit(value: Any) -> float:
    """Return a limit, NaN where there is none."""
    return float(value) if abs(value) < MOST_MVA else float("nan")


def generators(source: Source) -> Iterator[Unit]:
    """Yield the generators."""
    mbase = source.raw.mbase if source.raw else {}
    for _, name, row in source.rows("generators"):
        bus = source.at(row.bus_breaker_bus_id, row.voltage_level_id)
        if str(row.reactive_limits_kind) == "CURVE":
            source.note(
                f"generator {name}: its reactive limits are those of its curve at the given power"
            )
        unit = Unit(
            "generator",
            name,
            bus,
            finite(row.target_p),
            finite(row.target_q),
            None,
            bool(row.connected),
            (limit(row.min_p), limit(row.max_p), *_reactive(row)),
            sn_mva=row.rated_s if row.rated_s > 0 else mbase.get(name, np.nan),
            target_pu=float(row.target_v) / source.kv[bus],
        )
        if row.voltage_regulator_on:
            hold(source, unit, row)
        yield unit


def compensators(source: Source) -> Iterator[Unit]:
    """Yield the static VAr compensators."""
    for _, name, row in source.rows("static_var_compensators"):
        bus = source.at(row.bus_breaker_bus_id, row.voltage_level_id)
        mode = str(row.regulation_mode) if row.regulating else "OFF"
        # powsybl counts what a compensator draws; infinite susceptances are no limits.
        q_mvar = -finite(row.target_q) if mode == "REACTIVE_POWER" else 0.0
        unit = Unit("svc", name, bus, 0.0, q_mvar, None, bool(row.connected), (0.0, 0.0, 0.0, 0.0))
        if mode == "VOLTAGE":
            hold(source, unit, row)
            kv = (unit.vm_pu or 1.0) * source.kv[bus]
            unit.limits = (0.0, 0.0, limit(row.b_min * kv**2), limit(row.b_max * kv**2))
            source.note(
                f"SVC {name} is a generator without active power, with the reactive limits of its"
                " susceptances at its setpoint"
            )
        else:
            source.note(f"SVC {name} holds no voltage: it feeds {q_mvar:g} MVAr")
        yield unit


def boundary_units(source: Source) -> Iterator[Unit]:
    """Yield generation behind boundary lines."""
    table = source.frame("boundary_lines_generation")
    if not len(table):
        return
    for name, (line, bus, key) in lone_boundaries(source):
        if key not in table.index:
            continue
        row = table.loc[key]
        target = float(row["target_v"]) / source.kv[bus]
        yield Unit(
            "boundary",
            f"generation behind {name}",
            bus,
            finite(row["target_p"]),
            finite(row["target_q"]),
            target if row["voltage_regulator_on"] and np.isfinite(target) else None,
            bool(line.connected),
            (limit(row["min_p"]), limit(row["max_p"]), np.nan, np.nan),
        )


def _reactive(row: Any) -> tuple[float, float]:
    return limit(row.min_q_at_target_p), limit(row.max_q_at_target_p)


def hold(source: Source, unit: Unit, row: Any) -> None:
    """Have a unit hold a voltage: its own bus's, or for another's what its own has in the file.

    Args:
        source: the network.
        unit: the unit; changed.
        row: its row in powsybl's table, with the target in kV and the regulated bus.
    """
    own, other = source.node[unit.bus], str(row.regulated_bus_id)
    kv = source.kv[unit.bus]
    if not other or not own or other == own:
        unit.vm_pu = unit.target_pu = finite(float(row.target_v) / kv, 1.0)
        return
    where = source.bus.get(str(row.regulated_bus_breaker_bus_id))
    where = (
        where
        if where is not None
        else next((bus for bus, node in source.node.items() if node == other), unit.bus)
    )
    target = finite(float(row.target_v) / source.kv[where], 1.0)
    nearby = float(getattr(row, "equivalent_local_target_v", np.nan)) / kv
    unit.vm_pu = finite(source.vm_pu.get(unit.bus, np.nan), finite(nearby, target))
    unit.target_pu, unit.remote = unit.vm_pu, True
    source.note(
        f"{unit.kind} {unit.name} holds the voltage of bus {source.name_of_bus(where)}: it holds"
        f" its own bus at {unit.vm_pu:.5g} p.u. instead"
    )


def place(source: Source, bus: int) -> str:
    """Return what closed switches make a bus part of."""
    return source.node[bus] or f"bus {bus}"


def agree(source: Source, units: list[Unit]) -> None:
    """Give units at the same bus the same setpoint; where they contradict, the file's voltage."""
    groups: dict[str, list[Unit]] = {}
    for unit in units:
        if unit.on and unit.vm_pu is not None:
            groups.setdefault(place(source, unit.bus), []).append(unit)
    for group in groups.values():
        wanted = [unit.vm_pu for unit in group if not unit.remote and unit.vm_pu is not None]
        wanted = wanted or [unit.vm_pu for unit in group if unit.vm_pu is not None]
        value = wanted[0]
        if max(wanted) - min(wanted) > SAME_PU:
            value = finite(source.vm_pu.get(group[0].bus, np.nan), value)
            names = ", ".join(unit.name for unit in group)
            source.note(
                f"{names} contradict each other at bus {source.name_of_bus(group[0].bus)}: they"
                f" hold it at {value:.5g} p.u."
            )
        for unit in group:
            unit.vm_pu = value
