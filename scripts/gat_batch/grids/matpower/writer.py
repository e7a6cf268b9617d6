"""Writes MATPOWER cases, version 2: ``.m`` text and ``.mat`` files.

The number of a bus is its index, or one more for all of them if there is a bus 0.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import numpy as np
import scipy.io

from ...errors import GridError
from ..case.case import BUS_TYPES, Case
from ..case.from_network import case_of
from .reader import PIECEWISE, POLYNOMIAL

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet


def write_matpower(net: pandapowerNet, path: Path) -> list[str]:
    """Write a case; the file appears under its name when it is complete.

    Args:
        net: the network.
        path: a ``.m`` or ``.mat`` file; replaced if it exists.

    Returns:
        What the case can't hold, one sentence each.

    Raises:
        GridError: if the network holds what no case can, or the file can't be written.
    """
    case = case_of(net)
    shift = int(case.bus["id"].min() < 1)
    names = case.bus["name"].tolist() if _named(case, "bus", shift) else []
    tables = _tables(case)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".mat":
            with temporary.open("wb") as file:
                struct = {"version": "2", "baseMVA": case.base_mva, **tables}
                if names:
                    struct["bus_name"] = np.array(names, object)[:, None]
                scipy.io.savemat(file, {"mpc": struct})
        else:
            temporary.write_text(_text(path.stem, case.base_mva, tables, names), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise GridError(f"can't be written: {error.strerror}", file=path) from None
    finally:
        temporary.unlink(missing_ok=True)
    return case.dropped


def _tables(case: Case) -> dict[str, NDArray[np.float64]]:
    """Return the case as MATPOWER's tables; note in ``case.dropped`` what has no column there."""
    shift = 1 if case.bus["id"].min() < 1 else 0
    if shift:
        case.dropped.append("bus numbers are one higher than indices: MATPOWER's start at 1")
    named = [name for name in ("load", "shunt", "gen", "branch") if _named(case, name, shift)]
    if named:
        case.dropped.append(f"names in {', '.join(named)}; MATPOWER's elements are numbered")
    position = {ident: row for row, ident in enumerate(case.bus["id"])}
    bus = np.zeros((len(case.bus), 13))
    bus[:, 0] = case.bus["id"] + shift
    bus[:, 1] = [BUS_TYPES.index(kind) + 1 for kind in case.bus["type"]]
    bus[:, 6:9] = np.column_stack(
        [case.bus["area"].fillna(1), case.bus["vm"], case.bus["va_degree"]]
    )
    bus[:, 9:11] = np.column_stack([case.bus["kv"], case.bus["zone"].fillna(1)])
    bus[:, 11] = case.bus["vmax"].fillna(2.0)
    bus[:, 12] = case.bus["vmin"].fillna(0.0)
    _add(bus, (2, 3), case.load, ("p_mw", "q_mvar"), position)
    _add(bus, (4, 5), case.shunt, ("g_mw", "b_mvar"), position)
    _note_merged(case)
    gen = case.gen
    gens = np.zeros((len(gen), 21))
    gens[:, :10] = np.column_stack([
        gen["bus"] + shift, gen["p_mw"], gen["q_mvar"], gen["qmax"], gen["qmin"], gen["vm"],
        gen["mbase"].fillna(case.base_mva), gen["status"], gen["pmax"], gen["pmin"],
    ])  # fmt: skip
    branch = case.branch
    branches = np.zeros((len(branch), 13))
    tap = np.where(branch["transformer"], branch["tap"], 0.0)
    branches[:, :11] = np.column_stack([
        branch["from_bus"] + shift, branch["to_bus"] + shift, branch["r"], branch["x"],
        branch["b"], *(branch[name].fillna(0.0) for name in ("rate_a", "rate_b", "rate_c")),
        tap, branch["shift_degree"], branch["status"],
    ])  # fmt: skip
    branches[:, 11:] = np.column_stack(
        [branch["angle_min"].fillna(-360.0), branch["angle_max"].fillna(360.0)]
    )
    tables = {"bus": bus, "gen": gens, "branch": branches}
    _conductances(case, bus, position)
    if gen["cost"].notna().any():
        tables["gencost"] = _gencost(gen["cost"])
    return tables


def _named(case: Case, table: str, shift: int) -> bool:
    """Return whether any element has another name than its number."""
    data: pd.DataFrame = getattr(case, table)
    number = data["id"] + (shift if table == "bus" else 0)
    return bool((data["name"].ne("") & data["name"].ne(number.astype(str))).any())


def _add(
    bus: NDArray[np.float64],
    columns: tuple[int, int],
    data: pd.DataFrame,
    names: tuple[str, str],
    position: dict[int, int],
) -> None:
    live = data[data["status"].astype(bool)]
    rows = [position[ident] for ident in live["bus"]]
    for column, name in zip(columns, names, strict=True):
        np.add.at(bus[:, column], rows, live[name])


def _note_merged(case: Case) -> None:
    for name, data in (("load", case.load), ("shunt", case.shunt)):
        off = int((~data["status"].astype(bool)).sum())
        if off:
            case.dropped.append(f"{off} {name}s out of service")
        shared = int(data["bus"].duplicated().sum())
        if shared:
            case.dropped.append(f"{shared} {name}s are added to another one at their bus")


def _conductances(case: Case, bus: NDArray[np.float64], position: dict[int, int]) -> None:
    """Add the conductances of branches, their iron losses, to the shunts of their two buses."""
    lossy = case.branch[(case.branch["g"] != 0) & case.branch["status"].astype(bool)]
    half = lossy["g"].to_numpy(float) / 2 * case.base_mva
    ends = [[position[bus] for bus in lossy[name]] for name in ("from_bus", "to_bus")]
    np.add.at(bus[:, 4], ends[0], half / lossy["tap"].to_numpy(float) ** 2)
    np.add.at(bus[:, 4], ends[1], half)
    if len(lossy):
        what = "branches with conductance; it is added to the shunts of their buses"
        case.dropped.append(f"{len(lossy)} {what}, which a DC power flow counts as load")


def _gencost(costs: pd.Series) -> NDArray[np.float64]:
    rows = []
    for cost in costs:
        if cost is None:
            rows.append([POLYNOMIAL, 0.0, 0.0, 1, 0.0])
        elif cost.points:
            numbers = [number for point in cost.points for number in point]
            rows.append([PIECEWISE, cost.startup, cost.shutdown, len(cost.points), *numbers])
        else:
            numbers = list(cost.coefficients[::-1])
            rows.append([POLYNOMIAL, cost.startup, cost.shutdown, len(numbers), *numbers])
    table = np.zeros((len(rows), max(len(row) for row in rows)))
    for row, numbers in zip(table, rows, strict=True):
        row[: len(numbers)] = numbers
    return table


def _text(
    name: str, base_mva: float, tables: dict[str, NDArray[np.float64]], names: list[str]
) -> str:
    safe = re.sub(r"\W", "_", name)
    lines = [f"function mpc = {safe if safe[:1].isalpha() else f'case_{safe}'}"]
    lines += ["mpc.version = '2';", f"mpc.baseMVA = {base_mva!r};"]
    for table, values in tables.items():
        lines.append(f"mpc.{table} = [")
        lines += ["\t" + "\t".join(_digits(value) for value in row) + ";" for row in values]
        lines.append("];")
    if names:
        quoted = ["\t'" + re.sub(r"\s", " ", one).replace("'", "''") + "';" for one in names]
        lines += ["mpc.bus_name = {", *quoted, "};"]
    return "\n".join(lines) + "\n"


def _digits(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
