"""The branches of a case, with the parameters that pandapower's power flow solves with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...upstream.pandapower import branch_columns
from .case import frame
from .solved_network import name_or, number

if TYPE_CHECKING:
    import pandas as pd

    from .solved_network import Source

br = branch_columns()

NO_RATING_KA = 9e4
"""Current limits from this one on, in kA or for transformers in MVA, mean that there is none."""


def branches_of(source: Source) -> pd.DataFrame:
    """Make the table of branches.

    What doesn't fit into it is added to ``source.g`` and ``source.b``, for shunts at their ends.
    """
    net, rows = source.net, []
    lines = source.lookups["branch"].get("line", (0, 0))[0]
    for n, index in enumerate(net.line.index):
        line = net.line.loc[index]
        kv = float(net.bus["vn_kv"][line["from_bus"]])
        ka = number(line.get("max_i_ka")) * float(line["df"]) * float(line["parallel"])
        rate = ka * kv * np.sqrt(3) if ka < NO_RATING_KA else np.nan
        row = _branch(source, lines + n, index, name_or(line["name"], ""), rate)
        row |= _further_ratings(line, "ka", kv * np.sqrt(3))
        rows.append(row | _status(source, "l", index, row, line) | _angles(line))
    offset = max((int(str(row["id"])) for row in rows), default=-1) + 1
    trafos = source.lookups["branch"].get("trafo", (0, 0))[0]
    for n, index in enumerate(net.trafo.index):
        trafo = net.trafo.loc[index]
        mva = float(trafo["sn_mva"]) * float(trafo["df"]) * float(trafo["parallel"])
        rate = mva if mva < NO_RATING_KA else np.nan
        row = _branch(source, trafos + n, index, name_or(trafo["name"], ""), rate)
        row |= {"id": offset + int(index), "transformer": True}
        row |= _further_ratings(trafo, "mva", 1.0)
        rows.append(row | _status(source, "t", index, row, trafo) | _angles(trafo))
    rows += _other_branches(source, offset + int(net.trafo.index.max() if len(net.trafo) else -1))
    return frame("branch", rows)


def _further_ratings(element: pd.Series, unit: str, mva: float) -> dict[str, float]:
    """Return the ratings for emergencies in MVA, NaN where there are none."""
    circuits = float(element["df"]) * float(element["parallel"])
    return {
        name: number(element.get(f"{name}_{unit}")) * circuits * mva
        for name in ("rate_b", "rate_c")
    }


def _angles(element: pd.Series) -> dict[str, float]:
    return {
        "angle_min": number(element.get("min_angle_degree")),
        "angle_max": number(element.get("max_angle_degree")),
    }


def _status(
    source: Source, kind: str, index: int, row: dict[str, object], element: pd.Series
) -> dict[str, bool]:
    """Return whether a branch is in service and connected by its switches, whatever its buses."""
    switches = source.net.switch
    switched = ((switches["et"] == kind) & (switches["element"] == index)).any()
    return {"status": bool(row["status"] if switched else element["in_service"])}


def _other_branches(source: Source, last: int) -> list[dict[str, object]]:
    """Return rows for windings, impedances and whatever else became a branch."""
    rows: list[dict[str, object]] = []
    next_index = int(source.net.trafo.index.max()) + 1 if len(source.net.trafo) else 0
    for kind, (start, end) in source.lookups["branch"].items():
        if kind in ("line", "trafo"):
            continue
        for row in range(start, end):
            name = f"{kind} {row - start}"
            branch = _branch(source, row, next_index + len(rows), name, np.nan)
            branch |= {"id": last + 1 + len(rows), "transformer": True}
            rows.append(branch)
        source.dropped.append(f"{end - start} branches of {kind} are written as transformers")
    return rows


def _branch(source: Source, row: int, index: int, name: str, rate: float) -> dict[str, object]:
    values = source.ppc["branch"][row]
    ends = [int(values[br.F_BUS].real), int(values[br.T_BUS].real)]
    tap = float(values[br.TAP].real) or 1.0
    status = bool(values[br.BR_STATUS].real)
    if status:
        # What the second end has beyond the first finds room in a shunt there.
        source.g[ends[1]] += values[br.BR_G_ASYM].real / 2 * source.base_mva
        source.b[ends[1]] += values[br.BR_B_ASYM].real / 2 * source.base_mva
    if values[br.BR_R_ASYM].real or values[br.BR_X_ASYM].real:
        source.dropped.append(f"{name}: different impedances in its two directions")
    return {
        "id": int(index),
        "index": int(index),
        "name": name,
        "transformer": False,
        "from_bus": source.bus_id[ends[0]],
        "to_bus": source.bus_id[ends[1]],
        "status": status,
        "r": float(values[br.BR_R].real),
        "x": float(values[br.BR_X].real),
        "b": float(values[br.BR_B].real),
        "g": float(values[br.BR_G].real),
        "tap": tap,
        "shift_degree": float(values[br.SHIFT].real),
        "rate_a": rate,
    }
