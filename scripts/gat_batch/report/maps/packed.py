"""States, elements and contingencies of each grid as the page's script takes them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..figures import records, rounded
from ..states.gathering import SYSTEM
from .differences import content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from ..states.gathering import ShownStates
    from ..summary_tables import Summary
    from .differences import Difference

MISSING = 65_535
"""Number that stands for no value, among unsigned numbers of 16 bits."""

STEPS = {"loading_percent": (0.01, 0.02, 0.05, 0.1), "vm_pu": (0.0001,)}
"""Steps of values, in percent and p.u., of which the first that suffices is taken; what is beyond
the last is drawn at its end. Of other quantities their range is divided."""

FEWEST = 4
"""States of a grid that are held if the grid is."""

MOST_VIOLATIONS = 20_000
MOST_OVERLOADED = 2000
"""Most violations after contingencies, and most branches that contingencies overload, of a grid."""


def packed(
    summary: Summary, room: int, differences: Sequence[Difference] = ()
) -> list[dict[str, Any]]:
    """Return what the page's script knows of each grid.

    Args:
        summary: the summary.
        room: characters that it may take. If necessary fewer states are shown, then fewer
            differences, then fewer grids.
        differences: what the maps can show the difference of.
    """
    states = dict(summary.found.states)
    if summary.other is not None:
        values = summary.before.values
        states = {grid: replace(own, before=values[grid]) for grid, own in states.items()}
    found = list(differences)
    elements = {
        str(grid): own
        for grid, own in summary.elements.groupby("grid", sort=False)
        if str(grid) in states
    }
    compared = {grid: content(found, own) for grid, own in elements.items()}
    while True:
        grids = [
            _with_counterparts(_grid(grid, own, summary, states[grid]), compared[grid], found)
            for grid, own in elements.items()
            if grid in states
        ]
        over = len(json.dumps(grids, separators=(",", ":"))) / max(room, 1)
        if over <= 1 or not states:
            return grids
        if any(len(own.table) > FEWEST for own in states.values()):
            share = min(0.95, 1 / over)
            states = {grid: thinned(own, share) for grid, own in states.items()}
        elif found:
            found.pop()
        else:
            states.popitem()


def _grid(
    grid: str, elements: pd.DataFrame, summary: Summary, states: ShownStates
) -> dict[str, Any]:
    names = _Names()
    found = _known(names, grid, elements, summary) | _states(names, states)
    lists = names.lists()
    about = summary.scenarios.reindex(lists["scenarios"])
    texts = {
        key: about[column].fillna("").astype(str).tolist()
        for key, column in (("descriptions", "description"), ("metadata", "metadata"))
        if about[column].notna().any() and (about[column].fillna("") != "").any()
    }
    return found | lists | texts | {"outages": outages(lists["scenarios"], elements, summary)}


def _with_counterparts(
    grid: dict[str, Any], compared: list[dict[str, Any]], found: Sequence[Difference]
) -> dict[str, Any]:
    """Add differences to a grid, each with the numbers of scenarios and of their counterparts."""
    number = {name: n for n, name in enumerate(grid["scenarios"])}
    pairs = (
        {
            number[own]: number[other]
            for own, other in one.counterparts.items()
            if own in number and other in number
        }
        for one in found
    )
    told = [one | {"counterparts": own} for one, own in zip(compared, pairs, strict=False)]
    return grid | {"differences": told}


def outages(scenarios: list[str], elements: pd.DataFrame, summary: Summary) -> dict[int, list[str]]:
    """Return what is out of service: number of a scenario -> elements, as ``line:12``."""
    named = elements.drop_duplicates(["element", "name"], keep=False)
    number = named.set_index(["element", "name"])["id"].to_dict()
    found: dict[int, list[str]] = {}
    for n, scenario in enumerate(scenarios):
        for one in summary.outages.get(scenario, ()):
            index = one.id if isinstance(one.id, int) else number.get((one.type, one.id))
            if index is not None:
                found.setdefault(n, []).append(f"{one.type}:{index}")
    return found


def thinned(states: ShownStates, share: float) -> ShownStates:
    """Leave out states evenly, so that about a share of them is left.

    Those at the extremes of loading and voltage stay, and of those that were chosen as the worst
    as many as there is room for.
    """
    table = states.table
    even = table["even"].to_numpy(bool)
    worst, others = np.flatnonzero(~even), np.flatnonzero(even)
    # The three extremes come on top, and it is to become fewer each time.
    room = max(1, min(int(len(table) * share), len(table) - 4))
    if len(worst) >= room:
        worst, others = np.arange(0), np.arange(len(table))
    chosen = np.linspace(0, len(others) - 1, room - len(worst)).astype(np.int64)
    known = table[["max_loading_percent", "min_vm_pu", "max_vm_pu"]]
    extremes = [
        int(values.argmin() if name == "min_vm_pu" else values.argmax())
        for name, values in known.items()
        if values.notna().any()
    ]
    kept = np.unique(np.concatenate([worst, others[chosen], np.array(extremes, np.int64)]))
    values, before = (
        {key: value[kept] for key, value in own.items()} for own in (states.values, states.before)
    )
    table = table.iloc[kept].reset_index(drop=True)
    return replace(states, table=table, values=values, before=before)


class _Names:
    """Texts that are named by numbers."""

    def __init__(self) -> None:
        self._scenarios: dict[str, int] = {}
        self._snapshots: dict[str, int] = {}

    def scenarios(self, column: Iterable[Any]) -> list[int]:
        """Return the number of each scenario, -1 for none."""
        return self._numbers(self._scenarios, column)

    def snapshots(self, column: Iterable[Any]) -> list[int]:
        """Return the number of each snapshot, -1 for none."""
        return self._numbers(self._snapshots, column)

    def lists(self) -> dict[str, list[str]]:
        """Return the names by their numbers."""
        return {"scenarios": list(self._scenarios), "snapshots": list(self._snapshots)}

    def _numbers(self, known: dict[str, int], column: Iterable[Any]) -> list[int]:
        return [
            known.setdefault(name, len(known)) if isinstance(name, str) else -1 for name in column
        ]


def _known(names: _Names, grid: str, elements: pd.DataFrame, summary: Summary) -> dict[str, Any]:
    """Return what is known of a grid beside its states."""
    in_grid = summary.scenarios["grid"] == grid
    mine = set(summary.scenarios.index[in_grid])
    overloads = summary.overloads[summary.overloads["scenario"].isin(mine)]
    ranked = summary.contingencies[summary.contingencies["scenario"].isin(mine)]
    limits = summary.limits
    kinds = {str(kind): _elements(names, own) for kind, own in elements.groupby("element")}
    return {
        "name": grid,
        "limit": limits.most_percent,
        "band": list(limits.voltage_band_pu),
        "elements": kinds,
        "overloads": _columns(overloads.head(MOST_OVERLOADED)),
        "contingencies": _contingencies(names, ranked, summary.found.states[grid].after),
        "solvers": sorted(set(summary.scenarios.loc[in_grid, "solver"])),
        "dc": sorted(mine & set(_direct(summary.scenarios))),
    }


def _direct(scenarios: pd.DataFrame) -> Sequence[str]:
    """Return the scenarios without voltages, if there are others."""
    direct = scenarios["solver"].isin(["dc", "dc_opf"])
    return [] if direct.all() else scenarios.index[direct].tolist()


def _elements(names: _Names, own: pd.DataFrame) -> dict[str, Any]:
    told = own["name"].fillna("").astype(str)
    found: dict[str, Any] = {
        "quantity": own["quantity"].iloc[0],
        "id": own["id"].tolist(),
        "name": told.tolist() if (told != "").any() else None,
        "count": own["count"].tolist(),
        "scenario": names.scenarios(own["worst_scenario"]),
        "snapshot": names.snapshots(own["worst_snapshot"]),
        "probability": [rounded(value) for value in own["violation_probability"].round(4)],
    }
    for name in ("min", "mean", "p95", "max", "worst"):
        found[name] = [_short(value) for value in own[name]]
    if own["violation_probability"].isna().all():
        found["probability"] = None
    return found


def _contingencies(names: _Names, ranked: pd.DataFrame, after: pd.DataFrame) -> dict[str, Any]:
    """Return contingencies in the order of their rank, each with the limits that it breaks."""
    broken: dict[Any, list[list[Any]]] = {}
    columns = ["scenario", "snapshot", "contingency", "element", "id", "value"]
    rows_of_after = after.reindex(columns=columns).fillna({"snapshot": ""})
    for scenario, snapshot, contingency, element, index, value in rows_of_after.itertuples(
        index=False, name=None
    ):
        key = (scenario, snapshot, contingency)
        broken.setdefault(key, []).append([element, int(index), _short(value)])
    left, rows = MOST_VIOLATIONS, []
    keys = ranked[["scenario", "snapshot", "contingency"]].fillna({"snapshot": ""})
    for key in keys.itertuples(index=False, name=None):
        own = broken.get(key, [])[:left]
        left -= len(own)
        by_kind: dict[str, list[Any]] = {}
        for kind, index, value in own:
            by_kind.setdefault(kind, []).extend([index, value])
        rows.append(by_kind)
    return {
        "contingency": ranked["contingency"].tolist(),
        "scenario": names.scenarios(ranked["scenario"]),
        "snapshot": names.snapshots(ranked["snapshot"]),
        "status": ranked["status"].tolist(),
        "loading": [_short(value) for value in ranked["max_loading_percent"]],
        "unserved": [_short(value) for value in ranked["unserved_mw"]],
        "violations": rows,
    }


def _states(names: _Names, states: ShownStates) -> dict[str, Any]:
    table = states.table
    shown = {
        "scenario": names.scenarios(table["scenario"]),
        "snapshot": names.snapshots(table["snapshot"]),
        "even": table["even"].astype(int).tolist(),
        **_columns(table[[name for name in SYSTEM if table[name].notna().any()]]),
    }
    values = [_values(kind, quantity, own) for (kind, quantity), own in states.values.items()]
    before = [_values(kind, quantity, own) for (kind, quantity), own in states.before.items()]
    return {"total": states.total, "states": shown, "values": values, "before": before}


def _values(kind: str, quantity: str, own: NDArray[np.float32]) -> dict[str, Any]:
    """Return values as numbers of 16 bits, state by state."""
    there = np.isfinite(own)
    low = float(own[there].min()) if there.any() and quantity not in STEPS else 0.0
    top = float(own[there].max()) if there.any() else 0.0
    steps = STEPS.get(quantity, (max((top - low) / (MISSING - 1), 1e-6),))
    step = next((step for step in steps if step * (MISSING - 1) >= top - low), steps[-1])
    number = np.where(there, np.clip(np.round((own - low) / step), 0, MISSING - 1), MISSING)
    data = base64.b64encode(number.astype("<u2").tobytes()).decode()
    return {"element": kind, "quantity": quantity, "low": low, "step": step, "data": data}


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    rows = records(table)
    found = {name: [row[name] for row in rows] for name in table.columns}
    return {
        name: [_short(value) if isinstance(value, float) else value for value in column]
        for name, column in found.items()
    }


def _short(value: Any) -> float | int | None:
    """Return a number of five digits, without a point if it needs none."""
    if value is None or not np.isfinite(value):
        return None
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() else short
