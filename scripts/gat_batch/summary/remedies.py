"""What remedial actions do for contingencies: which help, after what, and what none helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..study.scenario import FOLLOWS

if TYPE_CHECKING:
    import pandas as pd

REMEDY_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "category": (pa.string(), "category of the contingencies; null for those without one"),
    "action": (
        pa.string(),
        "the action; null where what was tried leaves violations",
    ),
    "contingencies": (pa.int64(), "contingencies after which it was taken"),
    "relieved": (pa.int64(), "those after which nothing is violated with it"),
    "violations": (pa.int64(), "branches and buses in violation that are left, over all of them"),
    "max_loading_percent": (pa.float64(), "worst loading that is left, percent of the ratings"),
    "max_loading_element": (pa.string(), "that branch"),
    "scenario": (pa.string(), "where that was"),
    "contingency": (pa.string(), "the contingency that did it"),
}
"""Columns of the table of remedial actions: type and meaning."""

_SCHEMA = pa.schema([(name, kind) for name, (kind, _) in REMEDY_COLUMNS.items()])

_COUNTED = ("loading_violations", "voltage_violations")


def with_relief(contingencies: pa.Table) -> pd.DataFrame:
    """Return contingencies and what follows them, and whether each fails and is relieved.

    Rounds of cascades, which have numbers for names, relieve nothing.

    Args:
        contingencies: the table of contingencies.

    Returns:
        Columns of the table, and ``violated``, ``failing`` (violated, or so in the end), ``tried``
        (any action), ``relieved``, ``first`` (the contingency alone) and ``action`` (what was done
        after it, empty for itself).
    """
    names = ["scenario", "snapshot", "contingency", "category", "status", "new", "last"]
    worst = ["max_loading_percent", "max_loading_element", *WORST_VOLTAGE]
    table: pd.DataFrame = contingencies.select([*names, *_COUNTED, *worst]).to_pandas()
    parts = table["contingency"].str.partition(FOLLOWS)
    violated = ~table["status"].isin(["ok", "islanded"])
    for name in _COUNTED:
        violated |= table[name] > 0
    table = table.assign(violated=violated, first=parts[0], action=parts[2])
    place = [table["scenario"], table["snapshot"].fillna(""), parts[0]]
    acted = is_action(table)
    tried = (acted | (table["action"] == "none")).groupby(place).transform("any")
    # What the last action leaves is what counts.
    left = (violated & acted & table["last"].astype(bool)).groupby(place).transform("any")
    taken = acted.groupby(place).transform("any")
    return table.assign(failing=violated | left, tried=tried, relieved=violated & taken & ~left)


WORST_VOLTAGE = ("worst_vm_pu", "worst_vm_bus", "worst_vm_limit")


def is_action(table: pd.DataFrame) -> pd.Series:
    """Tell which rows are what an action led to, and not a contingency or round of a cascade."""
    action = table["action"]
    return (action != "") & (action != "none") & ~action.str.isdecimal()


def by_action(contingencies: pa.Table) -> pa.Table:
    """Return what the actions of a batch did.

    Args:
        contingencies: the table of contingencies.

    Returns:
        For each category a row an action, those that relieve most first, and one for the
        contingencies that none relieves; no row if no action was taken.
    """
    if not pc.any(pc.match_substring(contingencies["contingency"], FOLLOWS)).as_py():
        return _SCHEMA.empty_table()
    table = with_relief(contingencies)
    taken = table[is_action(table)].assign(relieved=lambda rows: ~rows["violated"])
    alone = table["action"] == ""
    hopeless = table[alone & table["tried"] & table["failing"] & ~table["relieved"]]
    rows = [
        _row(members, category, action)
        for (category, action), members in taken.groupby(
            [taken["category"].fillna(""), taken["action"]], sort=False
        )
    ]
    rows += [
        _row(members, category, None)
        for category, members in hopeless.groupby(hopeless["category"].fillna(""))
    ]
    # Categories in order, those without one last, and what helps most in front.
    rows.sort(
        key=lambda row: (
            not row["category"],
            row["category"] or "",
            row["action"] is None,
            -row["relieved"],
            row["action"] or "",
        )
    )
    return pa.Table.from_pylist(rows, _SCHEMA)


def _row(members: pd.DataFrame, category: Any, action: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "category": category or None,
        "action": action,
        "contingencies": len(members),
        "relieved": int(members["relieved"].sum()),
        "violations": int(members[list(_COUNTED)].to_numpy().sum()),
    }
    loading = members["max_loading_percent"]
    if loading.notna().any():
        worst = members.loc[loading.idxmax()]
        for name in ("max_loading_percent", "max_loading_element", "scenario"):
            row[name] = worst[name]
        row["contingency"] = worst["first"]
    return row
