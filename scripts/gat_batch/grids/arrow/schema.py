"""The tables of a GAT Arrow dataset, schema 2.0.0, and how they map to those of a case.

Two tables extend the schema, and its readers may ignore them: ``shunts``, and
``branch_conductances`` for the iron losses of transformers. Both are written only if needed. Where
one table holds elements of two kinds, its schema metadata say which indices they have in
pandapower.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = "2.0.0"

_F64, _I64, _TEXT, _BOOL = pa.float64(), pa.int64(), pa.string(), pa.bool_()
_KIND = pa.dictionary(pa.uint8(), pa.string())
_NUMBERS = pa.list_(pa.field("item", pa.float64(), nullable=False))


def _schema(required: dict[str, pa.DataType], optional: tuple[str, ...] = ()) -> pa.Schema:
    return pa.schema([pa.field(name, kind, name in optional) for name, kind in required.items()])


SCHEMAS: dict[str, pa.Schema] = {
    "system": _schema(
        {"base_mva": _F64, "base_frequency_hz": _F64, "name": _TEXT, "description": _TEXT},
        ("name", "description"),
    ),
    "buses": _schema(
        {
            "id": _I64, "name": _TEXT, "voltage_kv": _F64, "voltage_pu": _F64,
            "angle_rad": _F64, "bus_type": _KIND, "vmin_pu": _F64, "vmax_pu": _F64,
            "area_id": _I64, "zone_id": _I64,
        },
        ("vmin_pu", "vmax_pu", "area_id", "zone_id"),
    ),
    "generators": _schema(
        {
            "id": _I64, "name": _TEXT, "bus": _I64, "status": _BOOL, "active_power_mw": _F64,
            "reactive_power_mvar": _F64, "pmin_mw": _F64, "pmax_mw": _F64, "qmin_mvar": _F64,
            "qmax_mvar": _F64, "voltage_setpoint_pu": _F64, "mbase_mva": _F64,
            "cost_model": pa.int32(), "cost_startup": _F64, "cost_shutdown": _F64,
            "cost_coeffs": _NUMBERS, "cost_values": _NUMBERS,
            "is_synchronous_condenser": _BOOL,
        },
        (
            "voltage_setpoint_pu", "mbase_mva", "cost_startup", "cost_shutdown", "cost_coeffs",
            "cost_values",
        ),
    ),
    "loads": _schema(
        {
            "id": _I64, "name": _TEXT, "bus": _I64, "status": _BOOL, "active_power_mw": _F64,
            "reactive_power_mvar": _F64,
        }
    ),
    "branches": _schema(
        {
            "id": _I64, "name": _TEXT, "element_type": _KIND, "from_bus": _I64, "to_bus": _I64,
            "status": _BOOL, "resistance_pu": _F64, "reactance_pu": _F64,
            "charging_b_pu": _F64, "tap_ratio": _F64, "phase_shift_rad": _F64,
            "rate_a_mva": _F64, "rate_b_mva": _F64, "rate_c_mva": _F64, "angle_min_rad": _F64,
            "angle_max_rad": _F64,
        },
        ("rate_a_mva", "rate_b_mva", "rate_c_mva", "angle_min_rad", "angle_max_rad"),
    ),
}  # fmt: skip
"""The tables of schema 2.0.0."""

EXTENSIONS: dict[str, pa.Schema] = {
    "shunts": _schema(
        {"id": _I64, "name": _TEXT, "bus": _I64, "status": _BOOL, "g_mw": _F64, "b_mvar": _F64}
    ),
    "branch_conductances": _schema({"branch": _I64, "conductance_g_pu": _F64}),
}
"""Tables beyond the schema, for what it can't hold. Shunts draw g_mw and inject b_mvar at 1 p.u."""

NAMES: dict[str, dict[str, str]] = {
    "buses": {
        "id": "id", "name": "name", "voltage_kv": "kv", "voltage_pu": "vm", "vmin_pu": "vmin",
        "vmax_pu": "vmax", "area_id": "area", "zone_id": "zone", "bus_type": "type",
    },
    "loads": {
        "id": "id", "name": "name", "bus": "bus", "status": "status",
        "active_power_mw": "p_mw", "reactive_power_mvar": "q_mvar",
    },
    "shunts": {name: name for name in ("id", "name", "bus", "status", "g_mw", "b_mvar")},
    "generators": {
        "id": "id", "name": "name", "bus": "bus", "status": "status",
        "active_power_mw": "p_mw", "reactive_power_mvar": "q_mvar", "pmin_mw": "pmin",
        "pmax_mw": "pmax", "qmin_mvar": "qmin", "qmax_mvar": "qmax",
        "voltage_setpoint_pu": "vm", "mbase_mva": "mbase",
    },
    "branches": {
        "id": "id", "name": "name", "from_bus": "from_bus", "to_bus": "to_bus",
        "status": "status", "resistance_pu": "r", "reactance_pu": "x", "charging_b_pu": "b",
        "tap_ratio": "tap", "rate_a_mva": "rate_a", "rate_b_mva": "rate_b",
        "rate_c_mva": "rate_c",
    },
}  # fmt: skip
"""For each table: column there -> column of a case."""

RADIANS: dict[str, dict[str, str]] = {
    "buses": {"angle_rad": "va_degree"},
    "branches": {
        "phase_shift_rad": "shift_degree",
        "angle_min_rad": "angle_min",
        "angle_max_rad": "angle_max",
    },
}
"""The same for angles: column there in radians -> column of a case in degrees."""

INDEX_KEY = b"gat_batch.pandapower_index"
EXTERNAL_KEY = b"gat_batch.external_grids"
