"""Two-winding transformers.

powsybl has an ideal ratio at side 1, then the shunt, then the series impedance, which is referred
to side 2. pandapower has its ratio at the high-voltage bus and refers the impedance to the other
one, and doesn't mind which of both has the higher voltage: side 1 is its high-voltage side here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandapower as pp

from .source import SQRT3, UNLIMITED, columns
from .taps import Taps, add_taps, taps_of_two

if TYPE_CHECKING:
    from .source import Row, Source
    from .taps import TapStep

LEAST_PU = 1e-6
"""Impedance on the system base of transformers that have none in the file."""


@dataclass
class Circuit:
    """A branch that becomes a transformer: ratio and shift at its first bus, impedance behind.

    Attributes:
        name: its name.
        ends: its buses.
        ohm: series impedance in ohm, referred to the second bus.
        connected: whether either end is.
        rated_kv: voltages without load at either end, tap changers apart.
        shift_degree: by how much the voltage at the second bus lags, tap changers apart.
        rated_mva: rated power in MVA; None if unknown.
        limit_ka: current that it may carry at its first bus in kA; None for no limit.
        taps: its tap changer; None without one.
    """

    name: str
    ends: tuple[int, int]
    ohm: complex
    connected: tuple[bool, bool]
    rated_kv: tuple[float, float]
    shift_degree: float = 0.0
    rated_mva: float | None = None
    limit_ka: float | None = None
    taps: Taps | None = None


def add_transformers(source: Source) -> None:
    """Add the two-winding transformers."""
    limits = source.permanent_limits
    circuits: list[Circuit] = []
    for key, name, trafo in source.rows("2_windings_transformers"):
        ends = (
            source.at(trafo.bus_breaker_bus1_id, trafo.voltage_level1_id),
            source.at(trafo.bus_breaker_bus2_id, trafo.voltage_level2_id),
        )
        connected = (bool(trafo.connected1), bool(trafo.connected2))
        behind = complex(trafo.g_at_current_tap, trafo.b_at_current_tap)
        if behind:
            source.add_shunt(
                f"no-load part of {name}", ends[0], behind * trafo.rho**2, in_service=connected[0]
            )
            source.note(
                f"trafo {name}: its no-load part at the current tap is a shunt at bus"
                f" {source.name_of_bus(ends[0])}, which outages and taps leave as it is"
            )
        ohm = complex(trafo.r_at_current_tap, trafo.x_at_current_tap)
        taps = taps_of_two(source, key, name, ends)
        circuits.append(
            Circuit(
                name,
                ends,
                ohm,
                connected,
                rated_kv=(trafo.rated_u2 / (trafo.rho * taps.at_current), trafo.rated_u2),
                shift_degree=-trafo.alpha - taps.angle_at_current,
                rated_mva=trafo.rated_s if trafo.rated_s > 0 else None,
                limit_ka=limits.get(key),
                taps=taps,
            )
        )
    add_circuits(source, circuits)


def add_circuits(source: Source, circuits: list[Circuit]) -> None:
    """Add transformers to their table."""
    if not circuits:
        return
    net = source.net
    first = int(net.trafo.index.max()) + 1 if len(net.trafo) else 0
    rows = [_row(source, circuit) for circuit in circuits]
    ratings = source.raw.ratings if source.raw else {}
    for row in rows if ratings else []:
        pair = ratings.get(row["name"], (0.0, 0.0))
        row |= {
            column: rating or np.nan
            for column, rating in zip(("rate_b_mva", "rate_c_mva"), pair, strict=True)
        }
    pp.create_transformers_from_parameters(net, **columns(rows))
    for index, circuit in enumerate(circuits, first):
        if circuit.taps is not None:
            add_taps(source, "trafo", index, circuit.taps, partial(_at_step, source, circuit))
        if any(circuit.connected) and not all(circuit.connected):
            open_bus = circuit.ends[circuit.connected.index(False)]
            pp.create_switch(
                net, open_bus, index, "t", closed=False, name=f"open end of {circuit.name}"
            )


def _size(source: Source, circuit: Circuit) -> float:
    """Return the rating in MVA."""
    if circuit.limit_ka:
        return SQRT3 * circuit.limit_ka * source.kv[circuit.ends[0]]
    return circuit.rated_mva or UNLIMITED


def _percent(source: Source, circuit: Circuit) -> float:
    """Return how many percent of the rated impedance an ohm is."""
    return 100.0 * _size(source, circuit) / circuit.rated_kv[1] ** 2


def _at_step(source: Source, circuit: Circuit, step: TapStep) -> Row:
    """Return the impedance of a transformer at a step of its tap changer."""
    ohm, percent = step.of(circuit.ohm), _percent(source, circuit)
    return {"vk_percent": signed(ohm) * percent, "vkr_percent": ohm.real * percent}


def _row(source: Source, circuit: Circuit) -> Row:
    ohm = circuit.ohm
    base = circuit.rated_kv[1] ** 2 / source.net.sn_mva
    if abs(ohm) < LEAST_PU * base:
        source.note(f"trafo {circuit.name} has no impedance: it has {LEAST_PU:g} p.u. instead")
        ohm = 1j * LEAST_PU * base
    percent = _percent(source, circuit)
    return {
        "hv_buses": circuit.ends[0],
        "lv_buses": circuit.ends[1],
        "sn_mva": _size(source, circuit),
        "vn_hv_kv": circuit.rated_kv[0],
        "vn_lv_kv": circuit.rated_kv[1],
        "vk_percent": signed(ohm) * percent,
        "vkr_percent": ohm.real * percent,
        "pfe_kw": 0.0,
        "i0_percent": 0.0,
        "shift_degree": circuit.shift_degree,
        "max_loading_percent": 100.0,
        "name": circuit.name,
        "in_service": any(circuit.connected),
    }


def signed(impedance: complex) -> float:
    """Return the absolute value of an impedance with the sign of its reactance.

    A reactance that the digits of the absolute value can't hold is left out.
    """
    if abs(impedance.imag) < 1e-7 * abs(impedance.real):
        return abs(impedance.real)
    return abs(impedance) * (-1.0 if impedance.imag < 0 else 1.0)
