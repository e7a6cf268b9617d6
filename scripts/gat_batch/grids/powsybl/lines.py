"""Lines, and boundary lines with what is behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower as pp

from .buses import add_switch_rows
from .source import SQRT3, UNLIMITED, columns
from .transformers import Circuit, add_circuits

if TYPE_CHECKING:
    from .source import Row, Source

NEGLIGIBLE_PU = 1e-8
"""Impedance on the system base below which a branch counts as none, as for powsybl."""


def add_lines(source: Source) -> None:
    """Add lines, and as two lines each the tie lines."""
    limits = source.permanent_limits
    lines = _Lines(source)
    for key, name, line in source.rows("lines"):
        lines.add(
            name,
            (
                source.at(line.bus_breaker_bus1_id, line.voltage_level1_id),
                source.at(line.bus_breaker_bus2_id, line.voltage_level2_id),
            ),
            ohm=complex(line.r, line.x),
            siemens=(complex(line.g1, line.b1), complex(line.g2, line.b2)),
            connected=(bool(line.connected1), bool(line.connected2)),
            limit_ka=limits.get(key),
        )
    _add_boundary_lines(source, lines, limits)
    lines.finish()


class _Lines:
    """Lines on their way into tables: what can't be a line becomes something else."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.rows: list[Row] = []
        self.open: list[tuple[str, int]] = []
        self.circuits: list[Circuit] = []
        self.switches: list[Row] = []

    def add(
        self,
        name: str,
        ends: tuple[int, int],
        *,
        ohm: complex,
        siemens: tuple[complex, complex],
        connected: tuple[bool, bool],
        limit_ka: float | None,
    ) -> None:
        """Add a line.

        Args:
            name: its name.
            ends: its buses.
            ohm: its series impedance in ohm.
            siemens: its shunt admittance at either end in S.
            connected: whether either end is.
            limit_ka: what it may carry in kA; None for no limit.
        """
        source = self.source
        kv = [source.kv[bus] for bus in ends]
        any_end = any(connected)
        if abs(ohm) * source.net.sn_mva / (kv[0] * kv[1]) < NEGLIGIBLE_PU:
            self._short(name, ends, siemens, connected)
            return
        if kv[0] != kv[1]:
            self.circuits.append(
                Circuit(name, ends, ohm, connected, rated_kv=(kv[1], kv[1]), limit_ka=limit_ka)
            )
            for bus, admittance, on in zip(ends, siemens, connected, strict=True):
                source.add_shunt(f"shunt of {name}", bus, admittance, in_service=on)
            source.note(
                f"line {name} joins {kv[0]:g} and {kv[1]:g} kV: it is a transformer without a"
                " ratio, its charging is shunts at both buses"
            )
            return
        common = _common(*siemens)
        for bus, admittance, on in zip(ends, siemens, connected, strict=True):
            rest = admittance - common
            if rest:
                source.add_shunt(f"shunt of {name}", bus, rest, in_service=on)
                source.note(
                    f"line {name} has another shunt at bus {source.name_of_bus(bus)} than at its"
                    " other end: what it has more is a shunt there, which outages of the line leave"
                )
        if any_end and not all(connected):
            self.open.append((name, ends[connected.index(False)]))
        self.rows.append(
            {
                "from_buses": ends[0],
                "to_buses": ends[1],
                "length_km": 1.0,
                "r_ohm_per_km": ohm.real,
                "x_ohm_per_km": ohm.imag,
                "c_nf_per_km": 2 * common.imag / (2 * np.pi * source.net.f_hz) * 1e9,
                "g_us_per_km": 2 * common.real * 1e6,
                "max_i_ka": limit_ka or UNLIMITED,
                "max_loading_percent": 100.0,
                "name": name,
                "in_service": any_end,
                **self._other_ratings(name, kv[0]),
            }
        )

    def _other_ratings(self, name: str, kv: float) -> Row:
        if self.source.raw is None or not self.source.raw.ratings:
            return {}
        ratings = self.source.raw.ratings.get(name, (0.0, 0.0))
        return {
            column: rating / (SQRT3 * kv) if rating else np.nan
            for column, rating in zip(("rate_b_ka", "rate_c_ka"), ratings, strict=True)
        }

    def _short(
        self,
        name: str,
        ends: tuple[int, int],
        siemens: tuple[complex, complex],
        connected: tuple[bool, bool],
    ) -> None:
        """Add a line without impedance: a switch, and its charging as shunts."""
        source = self.source
        for bus, admittance, on in zip(ends, siemens, connected, strict=True):
            source.add_shunt(f"shunt of {name}", bus, admittance, in_service=on)
        self.switches.append(
            {
                "buses": ends[0],
                "elements": ends[1],
                "et": "b",
                "closed": all(connected),
                "type": "CB",
                "name": name,
            }
        )
        source.note(f"line {name} has no impedance: it is a switch between its buses")

    def finish(self) -> None:
        """Fill the tables."""
        source, net = self.source, self.source.net
        if self.rows:
            pp.create_lines_from_parameters(net, **columns(self.rows))
        position = {name: index for index, name in net.line["name"].items()}
        self.switches += [
            {
                "buses": bus,
                "elements": position[name],
                "et": "l",
                "closed": False,
                "type": "CB",
                "name": f"open end of {name}",
            }
            for name, bus in self.open
        ]
        add_switch_rows(source, self.switches)
        add_circuits(source, self.circuits)


def _common(first: complex, second: complex) -> complex:
    """Return the admittance that both ends have."""

    def part(one: float, other: float) -> float:
        # An end is left as it is, so that only the other one needs a shunt.
        return one if abs(one) <= abs(other) else other

    return complex(part(first.real, second.real), part(first.imag, second.imag))


def _add_boundary_lines(source: Source, lines: _Lines, limits: dict[str, float]) -> None:
    """Add each boundary line as a line to a bus of its own; the halves of a tie line share one."""
    shared: dict[str, int] = {}
    pair = _pairs(source)
    taken = set(source.net.bus["name"])
    for key, name, line in source.rows("boundary_lines"):
        here = source.at(line.bus_breaker_bus_id, line.voltage_level_id)
        tie = pair.get(key)
        if tie in shared:
            boundary = shared[tie]
        else:
            node = str(line.pairing_key).strip()
            label = node if node and node not in taken else f"boundary of {name}"
            taken.add(label)
            boundary = source.add_bus(label, source.kv[here])
            source.boundary[key] = boundary
            if tie:
                shared[tie] = boundary
        on = bool(line.connected)
        # powsybl has the whole shunt of such a line at its bus, none at the boundary.
        lines.add(
            name,
            (here, boundary),
            ohm=complex(line.r, line.x),
            siemens=(complex(line.g, line.b), 0j),
            connected=(on, on),
            limit_ka=limits.get(key),
        )
        source.boundary[key] = boundary


def _pairs(source: Source) -> dict[str, str]:
    """Return boundary line -> the tie line that it is a half of."""
    found: dict[str, str] = {}
    for key, _, tie in source.rows("tie_lines"):
        found[str(tie.boundary_line1_id)] = found[str(tie.boundary_line2_id)] = key
    return found


def lone_boundaries(source: Source) -> list[tuple[str, Any]]:
    """Return name and row of boundary lines that are no half of a tie line, with their bus."""
    pair = _pairs(source)
    return [
        (name, (line, source.boundary[key], key))
        for key, name, line in source.rows("boundary_lines")
        if key not in pair
    ]
