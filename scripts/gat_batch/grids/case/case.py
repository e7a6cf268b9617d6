"""A grid as plain tables in MATPOWER's conventions: the middle between networks and files.

Impedances are in p.u. on the system base and the buses' voltages. A branch is a pi circuit at its
to-bus, behind an ideal transformer ``tap`` : 1 with a phase shift at its from-bus (MATPOWER
User's Manual, section 3.2). Loads and shunts stand on their own; a shunt draws ``g_mw`` and
injects ``b_mvar`` at 1 p.u. Beyond MATPOWER a branch may have a conductance ``g``, half of it at
each end like its charging ``b``: the iron losses of transformers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ...errors import GridError

UNLIMITED = 1e9
"""Stands for a limit that isn't there, in MW and MVAr, where a format demands a number."""

BUS_TYPES = ("PQ", "PV", "Slack", "Isolated")

COLUMNS: dict[str, dict[str, type]] = {
    "bus": {
        "id": int, "name": str, "kv": float, "vm": float, "va_degree": float, "type": str,
        "vmin": float, "vmax": float, "area": float, "zone": float,
    },
    "load": {"id": int, "name": str, "bus": int, "status": bool, "p_mw": float, "q_mvar": float},
    "shunt": {
        "id": int, "name": str, "bus": int, "status": bool, "g_mw": float, "b_mvar": float,
        "part_of_index": float,
    },
    "gen": {
        "id": int, "name": str, "bus": int, "status": bool, "p_mw": float, "q_mvar": float,
        "pmin": float, "pmax": float, "qmin": float, "qmax": float, "vm": float, "mbase": float,
        "external": bool, "cost": object,
    },
    "branch": {
        "id": int, "name": str, "transformer": bool, "from_bus": int, "to_bus": int,
        "status": bool, "r": float, "x": float, "b": float, "g": float, "tap": float,
        "shift_degree": float,
        "rate_a": float, "rate_b": float, "rate_c": float,
        "angle_min": float, "angle_max": float,
    },
}  # fmt: skip
"""Columns of each table. NaN stands for what isn't known, an empty text for no name; angles
are in degrees.

``external`` marks generators that pandapower has as external grids. The index of a table, where
it isn't simply counted, is the one that the element has in pandapower.
"""


@dataclass(frozen=True)
class Cost:
    """Cost of a generator in currency per hour.

    Attributes:
        points: pairs of MW and cost, for a piecewise linear cost; empty for a polynomial.
        coefficients: those of a polynomial in MW, the constant first; empty without one.
        startup: cost of a start, in currency.
        shutdown: cost of a stop, in currency.
    """

    points: tuple[tuple[float, float], ...] = ()
    coefficients: tuple[float, ...] = ()
    startup: float = 0.0
    shutdown: float = 0.0


@dataclass
class Case:
    """A grid.

    Attributes:
        name: its name, may be empty.
        base_mva: system base in MVA.
        frequency_hz: system frequency in Hz.
        bus, load, shunt, gen, branch: tables with the columns of :data:`COLUMNS`.
        dropped: what of the source the tables don't hold, one sentence each.
    """

    name: str
    base_mva: float
    frequency_hz: float
    bus: pd.DataFrame
    load: pd.DataFrame
    shunt: pd.DataFrame
    gen: pd.DataFrame
    branch: pd.DataFrame
    dropped: list[str] = field(default_factory=list)


def frame(table: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Make a table of a case of its rows, with all columns in their types.

    Args:
        table: its name, a key of :data:`COLUMNS`.
        rows: column -> value, and ``index`` where the table isn't simply counted. A number that is
            left out is NaN.
    """
    columns = COLUMNS[table]
    index = [row.get("index", position) for position, row in enumerate(rows)]
    data = {
        name: pd.Series(
            [row.get(name, np.nan if kind is float else None) for row in rows], dtype=kind
        )
        for name, kind in columns.items()
    }
    return pd.DataFrame(data).set_axis(pd.Index(index, dtype=np.int64), axis=0)


def check_case(case: Case, source: str) -> None:
    """Check what a file can get wrong, before a network is made of it.

    Args:
        case: the grid.
        source: the file, for the messages.

    Raises:
        GridError: if there are no buses, ids repeat, buses don't exist, required numbers aren't
            finite, or a branch has no impedance.
    """
    if not len(case.bus):
        raise GridError("has no buses", file=source)
    if not (np.isfinite(case.base_mva) and case.base_mva > 0):
        raise GridError(f"base of {case.base_mva} MVA", file=source)
    if not (np.isfinite(case.frequency_hz) and case.frequency_hz > 0):
        raise GridError(f"frequency of {case.frequency_hz} Hz", file=source)
    required = {
        "bus": ("kv", "vm", "va_degree"),
        "load": ("p_mw", "q_mvar"),
        "shunt": ("g_mw", "b_mvar"),
        "gen": ("p_mw", "q_mvar"),
        "branch": ("r", "x", "b", "tap", "shift_degree"),
    }
    for table, columns in required.items():
        data: pd.DataFrame = getattr(case, table)
        if not data["id"].is_unique:
            twice = data["id"][data["id"].duplicated()].iloc[0]
            raise GridError(f"gives the id {twice} to two {table}s", file=source, field=table)
        for column in (name for name in ("bus", "from_bus", "to_bus") if name in data):
            lost = ~data[column].isin(case.bus["id"])
            if lost.any():
                what = f"{table} {data['id'][lost].iloc[0]} is at bus {data[column][lost].iloc[0]}"
                raise GridError(f"{what}, which doesn't exist", file=source, field=column)
        for column in columns:
            bad = ~np.isfinite(data[column])
            if bad.any():
                what = f"{table} {data['id'][bad].iloc[0]}: {column} is not a finite number"
                raise GridError(what, file=source, field=column)
    if (case.bus["kv"] <= 0).any():
        worst = case.bus["id"][case.bus["kv"] <= 0].iloc[0]
        raise GridError(f"bus {worst} has no nominal voltage above zero", file=source, field="kv")
    shorted = (case.branch["r"] == 0) & (case.branch["x"] == 0)
    if shorted.any():
        worst = case.branch["id"][shorted].iloc[0]
        hint = "merge its buses, or give it a small reactance"
        raise GridError(f"branch {worst} has no impedance", file=source, field="branch", hint=hint)
