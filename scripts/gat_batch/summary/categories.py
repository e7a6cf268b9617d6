"""Categories of contingencies: which pass and which fail, in each scenario and in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .remedies import WORST_VOLTAGE, with_relief

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

CATEGORY_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "scenario": (pa.string(), "id of the scenario; null for all scenarios together"),
    "category": (pa.string(), "category of the contingencies; null for those without one"),
    "verdict": (pa.string(), "pass, or fail if any contingency fails that no action relieves"),
    "contingencies": (pa.int64(), "contingencies solved, on top of all snapshots"),
    "failing": (pa.int64(), "those with a violation or without a solution"),
    "relieved": (pa.int64(), "failing ones after which remedial actions leave nothing violated"),
    "not_converged": (pa.int64(), "those without a solution"),
    "new": (pa.int64(), "those with a violation that their base case hasn't got"),
    "islanded": (pa.int64(), "those that cut a part of the grid off"),
    "loading_violations": (pa.int64(), "branches above their limit, over all of them"),
    "voltage_violations": (pa.int64(), "buses outside their voltage band, over all of them"),
    "max_loading_percent": (pa.float64(), "worst loading, percent of the category's ratings"),
    "max_loading_element": (pa.string(), "that branch"),
    "max_loading_contingency": (pa.string(), "the contingency that did it"),
    "worst_vm_pu": (pa.float64(), "voltage furthest outside its band, p.u."),
    "worst_vm_bus": (pa.int64(), "its bus"),
    "worst_vm_limit": (pa.float64(), "the limit that it breaks, p.u."),
    "worst_vm_contingency": (pa.string(), "the contingency that did it"),
    "scenarios_failing": (pa.int64(), "scenarios in which the category fails"),
    "scenarios_unsolved": (
        pa.int64(),
        "scenarios with contingencies whose base case has no solution; the category fails in them",
    ),
}
"""Columns of the table of categories: type and meaning."""

_SCHEMA = pa.schema([(name, kind) for name, (kind, _) in CATEGORY_COLUMNS.items()])


def by_category(contingencies: pa.Table, unsolved: int = 0) -> pa.Table:
    """Return how the categories of contingencies stand.

    Args:
        contingencies: the table of contingencies.
        unsolved: scenarios with contingencies of which a base case has no solution.

    Returns:
        For each category a row for all scenarios together, then one for each scenario, in the
        order of the table; no row if no contingency has a category.
    """
    if contingencies["category"].null_count == len(contingencies):
        return _SCHEMA.empty_table()
    table = with_relief(contingencies)
    rows = list(_rows(table[table["action"] == ""], unsolved))
    return pa.Table.from_pylist(rows, _SCHEMA)


_COUNTED = ("loading_violations", "voltage_violations")


def _rows(table: pd.DataFrame, unsolved: int) -> Iterator[dict[str, Any]]:
    groups = dict(list(table.groupby(table["category"].fillna(""))))
    # Those without a category come last.
    for category in sorted(groups, key=lambda name: (not name, name)):
        own = groups[category]
        each = [
            _row(members, category, scenario)
            for scenario, members in own.groupby("scenario", sort=False)
        ]
        failing = sum(row["verdict"] == "fail" for row in each)
        whole = _row(own, category, None)
        whole |= {"scenarios_failing": failing, "scenarios_unsolved": unsolved}
        yield whole | ({"verdict": "fail"} if unsolved else {})
        yield from each


def _row(members: pd.DataFrame, category: str, scenario: Any) -> dict[str, Any]:
    failing, relieved = int(members["failing"].sum()), int(members["relieved"].sum())
    row = {
        "scenario": scenario,
        "category": category or None,
        "verdict": "fail" if failing > relieved else "pass",
        "contingencies": len(members),
        "failing": failing,
        "relieved": relieved,
        "not_converged": int((~members["status"].isin(["ok", "islanded"])).sum()),
        "new": None
        if members["new"].isna().all()
        else int(members["new"].fillna(value=False).sum()),
        "islanded": int((members["status"] == "islanded").sum()),
        "scenarios_failing": int(failing > relieved),
        **{name: int(members[name].sum()) for name in _COUNTED},
    }
    loading = members["max_loading_percent"]
    if loading.notna().any():
        worst = members.loc[loading.idxmax()]
        row |= {name: worst[name] for name in ("max_loading_percent", "max_loading_element")}
        row["max_loading_contingency"] = worst["contingency"]
    outside = (members["worst_vm_pu"] - members["worst_vm_limit"]).abs()
    if outside.notna().any():
        worst = members.loc[outside.idxmax()]
        row |= {name: worst[name] for name in WORST_VOLTAGE}
        row["worst_vm_contingency"] = worst["contingency"]
    return row
