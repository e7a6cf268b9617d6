"""Loads, batteries and shunts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandapower as pp
import pandas as pd

from .lines import lone_boundaries
from .source import columns
from .units import finite

if TYPE_CHECKING:
    from .source import Row, Source


def add_loads(source: Source) -> None:
    """Add loads, those behind boundary lines and what powsybl keeps at buses included."""
    rows: list[Row] = []
    for key, name, load in source.rows("loads"):
        bus = source.at(load.bus_breaker_bus_id, load.voltage_level_id)
        rows.append(_load(name, bus, load.p0, load.q0, on=bool(load.connected)))
        model = source.document.loads.get(key)
        if model is not None:
            rows[-1] |= {
                "const_z_p_percent": 100 * model.z_p,
                "const_i_p_percent": 100 * model.i_p,
                "const_z_q_percent": 100 * model.z_q,
                "const_i_q_percent": 100 * model.i_q,
            }
            if not model.exact:
                source.note(
                    f"load {name}: its exponents become shares of constant impedance and current"
                    " with the same slope at 1 p.u."
                )
        _note_raw_load(source, name)
    for name, (line, bus, _) in lone_boundaries(source):
        rows.append(_load(f"load behind {name}", bus, line.p0, line.q0, on=bool(line.connected)))
        source.note(
            f"boundary line {name} ends at bus {source.name_of_bus(bus)}, which has its load"
        )
    for key, name, bus in source.rows("bus_breaker_view_buses"):
        if bus.fictitious_p0 or bus.fictitious_q0:
            power = bus.fictitious_p0, bus.fictitious_q0
            rows.append(_load(f"injection at {name}", source.bus[key], *power, on=True))
    if rows:
        table = columns(rows)
        shares = {
            column: np.nan_to_num(np.array(table.pop(column), float))
            for column in list(table)
            if column.startswith("const_")
        }
        pp.create_loads(source.net, **table)
        for column, values in shares.items():
            source.net.load[column] = values


def _note_raw_load(source: Source, name: str) -> None:
    if source.raw is not None and name in source.raw.admittances:
        source.note(f"load {name}: YQ counts as drawn where it is positive, as powsybl reads it")
    if source.raw is not None and name in source.raw.distributed:
        source.note(f"load {name}: its distributed generation isn't read")


def _load(name: str, bus: int, p_mw: float, q_mvar: float, *, on: bool) -> Row:
    return {"buses": bus, "p_mw": p_mw, "q_mvar": q_mvar, "name": name, "in_service": on}


def add_batteries(source: Source) -> None:
    """Add batteries as storages, which draw where batteries feed."""
    regulating = source.extension("voltageRegulation")
    for key, name, battery in source.rows("batteries"):
        pp.create_storage(
            source.net,
            source.at(battery.bus_breaker_bus_id, battery.voltage_level_id),
            p_mw=-battery.target_p,
            q_mvar=-battery.target_q,
            max_e_mwh=np.nan,
            min_p_mw=-battery.max_p,
            max_p_mw=-battery.min_p,
            name=name,
            in_service=bool(battery.connected),
        )
        if key in regulating.index and regulating["voltage_regulator_on"][key]:
            source.note(f"battery {name} holds no voltage but feeds its given reactive power")


def add_shunts(source: Source) -> None:
    """Add shunts with their sections as steps, and those that stand for parts of branches."""
    rows: list[Row] = []
    tables: list[pd.DataFrame] = []
    for key, name, shunt in source.rows("shunt_compensators"):
        bus = source.at(shunt.bus_breaker_bus_id, shunt.voltage_level_id)
        row = {
            "name": name,
            "bus": bus,
            "vn_kv": source.kv[bus],
            "step": int(shunt.section_count),
            "max_step": int(shunt.max_section_count),
            "in_service": bool(shunt.connected),
        }
        sections = _sections(source, key, shunt)
        power = np.conj(sections) * source.kv[bus] ** 2  # drawn by each count of sections
        if np.allclose(sections, np.arange(len(sections)) * sections[1], rtol=1e-12, atol=0):
            row |= {"p_mw": power[1].real, "q_mvar": power[1].imag}
        else:
            now = power[int(shunt.section_count)] / max(int(shunt.section_count), 1)
            number = len(tables)
            row |= {"p_mw": now.real, "q_mvar": now.imag, "table": number}
            tables.append(
                pd.DataFrame({
                    "id_characteristic": number, "step": np.arange(len(sections)),
                    "q_mvar": power.imag, "p_mw": power.real,
                })
            )  # fmt: skip
        _add_rest(source, name, row, sections[int(shunt.section_count)].imag)
        if shunt.voltage_regulation_on:
            source.note(f"shunt {name} holds no voltage: it stays at step {row['step']}")
        rows.append(row)
    _write_shunts(source, rows + source.shunts(), tables)


def _add_rest(source: Source, name: str, row: Row, siemens: float) -> None:
    """Add what a switched shunt of a PSS/E file has beside its step: powsybl takes the nearest."""
    number, switched, own = name.partition("-switched-")
    if source.raw is None or not switched:
        return
    step_mvar = siemens * row["vn_kv"] ** 2
    rest = source.raw.switched.get(f"{number}-{own}", step_mvar) - step_mvar
    if abs(rest) > 1e-6:
        susceptance = 1j * rest / row["vn_kv"] ** 2
        source.add_shunt(f"rest of {name}", row["bus"], susceptance, in_service=row["in_service"])
        source.note(
            f"shunt {name} has {step_mvar + rest:g} MVAr in the file, which is none of its steps:"
            f" it is at step {row['step']} ({step_mvar:g} MVAr), and another shunt has the rest"
        )


def _sections(source: Source, key: str, shunt: Any) -> np.ndarray:
    """Return the admittance in S of no section, of the first, of the first two, and so on."""
    if str(shunt.model_type) == "LINEAR":
        row = source.frame("linear_shunt_compensator_sections").loc[key]
        each = complex(finite(row["g_per_section"]), finite(row["b_per_section"]))
        return np.arange(max(int(shunt.max_section_count), 1) + 1) * each
    table = source.frame("non_linear_shunt_compensator_sections").loc[[key]].droplevel(0)
    table = table.sort_index()
    values = np.nan_to_num(table[["g", "b"]].to_numpy(float))
    return np.concatenate([[0j], values[:, 0] + 1j * values[:, 1]])


def _write_shunts(source: Source, rows: list[Row], tables: list[pd.DataFrame]) -> None:
    if not rows:
        return
    net = source.net
    number = [row.pop("table", None) for row in rows]
    table = columns(rows)
    table["buses"] = table.pop("bus")
    pp.create_shunts(net, **table)
    if tables:
        net["shunt_characteristic_table"] = pd.concat(tables, ignore_index=True)
        net.shunt["id_characteristic_table"] = pd.array(number, dtype="Int64")
        net.shunt["step_dependency_table"] = [value is not None for value in number]
