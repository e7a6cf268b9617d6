"""HVDC lines between converter stations, and converters of DC grids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower as pp

from .units import Unit, finite, hold, limit

if TYPE_CHECKING:
    from .source import Source

Ends = tuple[Unit, Unit]


def hvdc_lines(source: Source) -> tuple[list[Unit], list[tuple[str, Any, Ends]]]:
    """Return converters that feed on their own, and lines whose converters both hold voltages.

    Returns:
        The units, and name, row and converters (rectifier first) of the lines.
    """
    droop = source.extension("hvdcAngleDroopActivePowerControl")
    units: list[Unit] = []
    pairs: list[tuple[str, Any, Ends]] = []
    for key, name, line in source.rows("hvdc_lines"):
        ends = _ends(source, name, line)
        if key in droop.index and bool(droop["enabled"][key]):
            source.note(f"HVDC line {name} keeps its power, whatever the angles at its ends")
        if all(unit.vm_pu is not None for unit in ends):
            pairs.append((name, line, ends))
        else:
            units += ends
            what = "doesn't hold the voltages at both ends"
            source.note(
                f"HVDC line {name} {what}: it is a unit at either end, {ends[0].name} and"
                f" {ends[1].name}, with powers that don't depend on each other"
            )
    return units, pairs


def add_hvdc_lines(source: Source, pairs: list[tuple[str, Any, Ends]]) -> None:
    """Add lines whose converters both hold voltages as DC lines, with their losses.

    A share of the power is lost in converters; what the line loses is that at the given power.
    """
    for name, line, (first, second) in pairs:
        lost, share = _losses(source, line)
        pp.create_dcline(
            source.net,
            first.bus,
            second.bus,
            p_mw=-first.p_mw,
            loss_percent=100 * share,
            loss_mw=lost,
            vm_from_pu=first.vm_pu,
            vm_to_pu=second.vm_pu,
            max_p_mw=limit(line.max_p),
            min_q_from_mvar=first.limits[2],
            max_q_from_mvar=first.limits[3],
            min_q_to_mvar=second.limits[2],
            max_q_to_mvar=second.limits[3],
            name=name,
            in_service=first.on and second.on,
        )
        if lost:
            source.note(f"HVDC line {name}: its line loses {lost:.6g} MW at any power")


def _station(source: Source, key: str) -> tuple[Any, bool]:
    """Return the row of a converter station, and whether it is line-commutated."""
    for kind in ("vsc", "lcc"):
        table = source.frame(f"{kind}_converter_stations")
        if key in table.index:
            row = next(table.loc[[key]].itertuples(index=False))
            return row, kind == "lcc"
    raise KeyError(key)


def _order(line: Any) -> tuple[str, str]:
    """Return the converter stations of a line, the rectifier first."""
    ends = str(line.converter_station1_id), str(line.converter_station2_id)
    return ends if str(line.converters_mode).startswith("SIDE_1_RECTIFIER") else ends[::-1]


def _losses(source: Source, line: Any) -> tuple[float, float]:
    """Return the MW that a line loses on its way to the inverter's AC side, and the share of power.

    The current is that of the rectifier's power at the line's nominal voltage.
    """
    first, second = (_station(source, key)[0].loss_factor / 100 for key in _order(line))
    dc_mw = line.target_p * (1 - first)
    heat = line.r * (dc_mw / line.nominal_v) ** 2
    return float(heat * (1 - second)), float(1 - (1 - first) * (1 - second))


def _ends(source: Source, name: str, line: Any) -> Ends:
    lost, share = _losses(source, line)
    on = bool(line.connected1) and bool(line.connected2)
    powers = -line.target_p, line.target_p * (1 - share) - lost
    found = []
    for key, p_mw, side in zip(_order(line), powers, ("rectifier", "inverter"), strict=True):
        row, commutated = _station(source, key)
        bus = source.at(row.bus_breaker_bus_id, row.voltage_level_id)
        unit = Unit(
            "converter",
            f"{name} {side}",
            bus,
            float(p_mw) if on else 0.0,
            0.0,
            None,
            bool(row.connected),
            (np.nan,) * 4,
        )
        if commutated:
            # It draws reactive power whichever way the active power flows.
            unit.q_mvar = -abs(unit.p_mw * np.tan(np.arccos(row.power_factor)))
        else:
            unit.q_mvar = finite(row.target_q)
            unit.limits = (
                np.nan,
                np.nan,
                limit(row.min_q_at_target_p),
                limit(row.max_q_at_target_p),
            )
            if row.voltage_regulator_on:
                hold(source, unit, row)
        found.append(unit)
    return found[0], found[1]


def dc_converters(source: Source) -> list[Unit]:
    """Return converters of DC grids, which feed their given powers here."""
    units: list[Unit] = []
    given: list[tuple[str, Any]] = [
        (name, row) for _, name, row in source.rows("voltage_source_converters")
    ]
    # One converter of a DC grid keeps its voltage, and with it the balance of powers.
    powers = [
        finite(row.target_p) if str(row.control_mode) == "P_PCC" else np.nan for _, row in given
    ]
    balance = -np.nansum(powers) / max(int(np.isnan(powers).sum()), 1) if given else 0.0
    for (name, row), power in zip(given, powers, strict=True):
        bus = source.at(row.bus_breaker_bus1_id, row.voltage_level_id)
        drawn = finite(row.p_ac, finite(power, balance))
        unit = Unit(
            "converter", name, bus, -drawn, -finite(row.target_q), None, bool(row.connected1),
            (np.nan,) * 4,
        )  # fmt: skip
        if row.voltage_regulator_on:
            unit.vm_pu = finite(row.target_v_ac / source.kv[bus], 1.0)
        units.append(unit)
        source.note(f"converter {name} of a DC grid feeds {-drawn:g} MW, whatever the DC grid does")
    for row in source.document.converters:
        level = source.frame("bus_breaker_view_buses")["voltage_level_id"]
        bus = source.at(row.get("bus1", ""), level.iloc[0])
        drawn = float(row.get("targetP", 0.0)) if row.get("controlMode") == "P_PCC" else 0.0
        factor = float(row.get("powerFactor", 1.0))
        q_mvar = -abs(drawn * np.tan(np.arccos(factor)))
        units.append(
            Unit("converter", row["id"], bus, -drawn, q_mvar, None, "bus1" in row, (np.nan,) * 4)
        )
        source.note(
            f"converter {row['id']} of a DC grid feeds {-drawn:g} MW, whatever the DC grid does"
        )
    return units
