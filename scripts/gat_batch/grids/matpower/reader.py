"""Reads MATPOWER cases, version 2: ``.m`` text and ``.mat`` files.

A bus keeps its number as its index; loads, shunts, generators and branches are counted from 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.io

from ...errors import GridError
from ..approximations import APPROXIMATIONS
from ..case.case import BUS_TYPES, Case, Cost, frame
from ..case.to_network import network_of
from .text import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

FREQUENCY_HZ = 50.0
"""MATPOWER cases don't say theirs; it has no influence on a power flow."""

WIDTHS = {"bus": 13, "gen": 10, "branch": 11}
"""Table -> the number of columns that it has at least."""

LEFT_OUT = {
    "dcline": "DC lines are left out",
    "if": "limits of interfaces are left out",
    "reserves": "reserves are left out",
    "softlims": "soft limits are left out, those of the elements are hard",
    "A": "constraints of the user's own are left out",
    "N": "costs of the user's own are left out",
}
"""Tables that a network can't hold -> what is told of them. MATPOWER heeds most on demand only."""

PIECEWISE, POLYNOMIAL = 1, 2
"""MATPOWER's cost models."""


def read_matpower(path: Path) -> pandapowerNet:
    """Read a case.

    Args:
        path: a ``.m`` or ``.mat`` file.

    Returns:
        The network; ``approximations`` lists tables that it doesn't hold.

    Raises:
        GridError: if it can't be read, is no MATPOWER case or contradicts itself.
    """
    raw = _read_mat(path) if path.suffix.lower() == ".mat" else _read_m(path)
    tables = {}
    for name, width in WIDTHS.items():
        table = _matrix(raw.get(name), name, path)
        if table.shape[1] < width:
            what = f"has {table.shape[1]} columns, {width} are needed"
            raise GridError(what, file=path, field=name)
        tables[name] = table
    base = _matrix(raw.get("baseMVA"), "baseMVA", path)
    costs = raw.get("gencost")
    gencost = None if costs is None or not np.size(costs) else _matrix(costs, "gencost", path)
    case = _case(path.stem, float(base[0, 0]), tables, gencost, path)
    _name_buses(case, raw.get("bus_name"))
    net = network_of(case, str(path))
    left_out = [
        f"mpc.{name}: {what}" for name, what in LEFT_OUT.items() if np.size(raw.get(name, ()))
    ]
    if left_out:
        net[APPROXIMATIONS] = left_out
    return net


def _name_buses(case: Case, names: Any) -> None:
    """Give buses the names of the file, if it has one for each."""
    if isinstance(names, np.ndarray) and names.dtype == object:
        names = tuple(str(name.flat[0]) if np.size(name) else "" for name in names.flat)
    if isinstance(names, tuple) and len(names) == len(case.bus):
        own = [name.strip() for name in names]
        case.bus["name"] = [
            name or number for name, number in zip(own, case.bus["name"], strict=True)
        ]


def _read_m(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror}", file=path) from None
    return read_text(text, path)


def _read_mat(path: Path) -> dict[str, Any]:
    try:
        content = scipy.io.loadmat(path, struct_as_record=True, squeeze_me=False)
        struct = content["mpc"][0, 0]
        names = struct.dtype.names or ()
        return {name: struct[name] for name in names}
    except OSError as error:
        raise GridError(f"can't be read: {error.strerror or error}", file=path) from None
    except Exception as error:  # noqa: BLE001 - the parser fails in many ways on other content
        reason = f"{type(error).__name__}: {error}"
        hint = "it needs a struct named mpc"
        raise GridError(f"is not a MATPOWER case: {reason}", file=path, hint=hint) from None


def _matrix(values: Any, name: str, path: Path) -> NDArray[np.float64]:
    try:
        matrix = np.atleast_2d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise GridError("is not a table of numbers", file=path, field=name) from None
    if values is None or matrix.ndim != 2 or not matrix.size:
        raise GridError("the table is missing", file=path, field=name)
    return matrix


def _case(
    name: str,
    base_mva: float,
    tables: dict[str, NDArray[np.float64]],
    gencost: NDArray[np.float64] | None,
    path: Path,
) -> Case:
    bus, gen, branch = tables["bus"], tables["gen"], tables["branch"]
    for table, columns in ((bus, [0, 1]), (gen, [0]), (branch, [0, 1])):
        if not np.all(np.isfinite(table[:, columns])) or np.any(np.abs(table[:, columns]) > 2**53):
            raise GridError("holds a bus number or type that is no whole number", file=path)
    if not np.isin(bus[:, 1], (1, 2, 3, 4)).all():
        raise GridError("holds a bus type other than 1 to 4", file=path, field="bus")
    number = bus[:, 0].astype(int)
    loaded = [(i, row) for i, row in zip(number, bus, strict=True) if row[2] or row[3]]
    shunted = [(i, row) for i, row in zip(number, bus, strict=True) if row[4] or row[5]]
    base_kv = np.where(bus[:, 9] > 0, bus[:, 9], 1.0)
    return Case(
        name=name,
        base_mva=base_mva,
        frequency_hz=FREQUENCY_HZ,
        bus=frame("bus", [
            {"id": int(row[0]), "index": int(row[0]), "name": str(int(row[0])), "kv": kv,
             "vm": row[7], "va_degree": row[8], "type": BUS_TYPES[int(row[1]) - 1],
             "vmax": row[11], "vmin": row[12], "area": row[6], "zone": row[10]}
            for row, kv in zip(bus, base_kv, strict=True)
        ]),
        load=frame("load", [
            {"id": n, "name": f"load {i}", "bus": i, "status": True, "p_mw": row[2],
             "q_mvar": row[3]}
            for n, (i, row) in enumerate(loaded)
        ]),
        shunt=frame("shunt", [
            {"id": n, "name": f"shunt {i}", "bus": i, "status": True, "g_mw": row[4],
             "b_mvar": row[5]}
            for n, (i, row) in enumerate(shunted)
        ]),
        gen=frame("gen", [
            {"id": n, "name": f"gen {n}", "bus": int(row[0]), "status": bool(row[7] > 0),
             "p_mw": row[1], "q_mvar": row[2], "qmax": row[3], "qmin": row[4], "vm": row[5],
             "mbase": row[6], "pmax": row[8], "pmin": row[9], "external": False,
             "cost": _cost(gencost, n)}
            for n, row in enumerate(gen)
        ]),
        branch=frame("branch", [
            {"id": n, "name": f"branch {n}", "from_bus": int(row[0]), "to_bus": int(row[1]),
             "transformer": bool(row[8]), "status": bool(row[10] > 0), "r": row[2], "x": row[3],
             "b": row[4], "g": 0.0, "tap": row[8], "shift_degree": row[9], "rate_a": row[5],
             "rate_b": row[6], "rate_c": row[7],
             **dict(zip(("angle_min", "angle_max"), row[11:13], strict=False))}
            for n, row in enumerate(branch)
        ]),
    )  # fmt: skip


def _cost(gencost: NDArray[np.float64] | None, generator: int) -> Cost | None:
    if gencost is None or generator >= len(gencost):
        return None
    model, startup, shutdown, count = gencost[generator, :4]
    numbers = gencost[generator, 4:]
    if model == POLYNOMIAL and 0 < count <= len(numbers):
        coefficients = tuple(float(c) for c in numbers[: int(count)][::-1])
        return Cost(coefficients=coefficients, startup=startup, shutdown=shutdown)
    if model == PIECEWISE and 1 < count <= len(numbers) / 2:
        pairs = numbers[: 2 * int(count)].reshape(-1, 2)
        points = tuple((float(p), float(c)) for p, c in pairs)
        return Cost(points=points, startup=startup, shutdown=shutdown)
    return None
