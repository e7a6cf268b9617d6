"""The report's tables: which columns of the summary they show, under which titles and units."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..summary.categories import CATEGORY_COLUMNS
from ..summary.contingency_ranking import CONTINGENCY_COLUMNS
from ..summary.element_statistics import ELEMENT_COLUMNS
from ..summary.remedies import REMEDY_COLUMNS
from ..summary.scenario_rows import SCENARIO_COLUMNS
from .figures import records

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 10_000
MOST_BYTES = 1_250_000
"""Most scenarios that the page lists, and most bytes of their table."""

MOST_TROUBLES = 1000
"""Most scenarios that are listed as they went otherwise than well."""

MOST_ELEMENTS = 1000
FINGERPRINT_SHOWN = 12
"""Digits of a fingerprint that tables show."""

MOST_CONTINGENCIES = 500

MEANINGS = {
    name: meaning
    for columns in (
        REMEDY_COLUMNS,
        CATEGORY_COLUMNS,
        CONTINGENCY_COLUMNS,
        ELEMENT_COLUMNS,
        SCENARIO_COLUMNS,
    )
    for name, (_, meaning) in columns.items()
}

SCENARIOS = {
    "scenario": "scenario",
    "status": "status",
    "solver": "solver",
    "load_mw": "load (MW)",
    "loss_mw": "losses (MW)",
    "max_unserved_mw": "unserved (MW)",
    "objective": "cost",
    "max_loading_percent": "worst loading (%)",
    "max_loading_element": "at branch",
    "max_loading_snapshot": "in snapshot",
    "min_vm_pu": "lowest voltage (p.u.)",
    "min_vm_bus": "at bus",
    "max_vm_pu": "highest voltage (p.u.)",
    "loading_violations": "overloads",
    "voltage_violations": "voltage violations",
    "snapshots": "snapshots",
    "contingencies": "contingencies",
    "iterations": "iterations",
    "duration_secs": "time (s)",
    "attempts": "attempts",
    "tags": "tags",
    "fingerprint": "fingerprint",
}
FAILURES = {"scenario": "scenario", "status": "status", "attempts": "attempts", "error": "reason"}
ELEMENTS = {
    "element": "element",
    "id": "id",
    "name": "name",
    "grid": "grid",
    "quantity": "quantity",
    "min": "min",
    "mean": "mean",
    "p95": "p95",
    "max": "max",
    "worst_scenario": "worst scenario",
    "worst_snapshot": "in snapshot",
    "violation_probability": "P(violation)",
}
CONTINGENCIES = {
    "rank": "rank",
    "contingency": "contingency",
    "category": "category",
    "scenario": "scenario",
    "snapshot": "snapshot",
    "status": "status",
    "unserved_mw": "unserved (MW)",
    "max_loading_percent": "worst loading (%)",
    "max_loading_element": "at branch",
    "worst_vm_pu": "worst voltage (p.u.)",
    "worst_vm_bus": "at bus",
    "loading_violations": "overloads",
    "voltage_violations": "voltage violations",
}
CATEGORIES = {
    "category": "category",
    "scenario": "scenario",
    "verdict": "verdict",
    "contingencies": "contingencies",
    "failing": "failing",
    "relieved": "relieved",
    "new": "new",
    "not_converged": "without solution",
    "max_loading_percent": "worst loading (%)",
    "max_loading_element": "at branch",
    "max_loading_contingency": "after",
    "worst_vm_pu": "worst voltage (p.u.)",
    "worst_vm_bus": "at bus",
    "worst_vm_limit": "limit (p.u.)",
    "worst_vm_contingency": "after",
}
REMEDIES = {
    "category": "category",
    "action": "action",
    "contingencies": "taken after",
    "relieved": "relieved",
    "violations": "violations left",
    "max_loading_percent": "worst loading left (%)",
    "max_loading_element": "at branch",
    "scenario": "scenario",
    "contingency": "after",
}
PRICES = {
    "id": "bus",
    "grid": "grid",
    "mean": "mean (cost/MWh)",
    "low": "lowest (cost/MWh)",
    "low_scenario": "lowest in",
    "high": "highest (cost/MWh)",
    "high_scenario": "highest in",
}
CONGESTION = {
    "element": "element",
    "id": "id",
    "grid": "grid",
    "probability": "P(at limit)",
    "states": "states at limit",
}

DIGITS = {
    "pu": 4,
    "mw": 1,
    "percent": 1,
    "secs": 3,
    "probability": 3,
    "objective": 2,
    **dict.fromkeys(("min", "mean", "p95", "max", "worst"), 3),
    **dict.fromkeys(("low", "high"), 2),
}
"""Name of a column, or its last word -> decimals; other numbers are shown as whole ones."""

LONGEST_REASON = 500
"""Most characters of the reason why a scenario failed."""

ALWAYS = ("scenario", "status", "contingency", "element", "id")


@dataclass(frozen=True)
class Listing:
    """A table of the page.

    Attributes:
        name: its name.
        content: columns and rows, as the page's script takes them.
        title: its heading, or empty.
        text: what to know, or empty.
    """

    name: str
    content: dict[str, Any]
    title: str = ""
    text: str = ""


def listing(
    name: str, table: pd.DataFrame, columns: dict[str, str], title: str = "", text: str = ""
) -> Listing:
    """Make a table of the page, without columns that are empty or say the same everywhere.

    Args:
        name: its name.
        table: the rows.
        columns: column -> its title.
        title: the heading of the table, or empty.
        text: what to know, or empty.

    Returns:
        The table.
    """
    wanted = [column for column in columns if column in ALWAYS or _tells(table[column])]
    shown = table[wanted]
    rows = [list(row.values()) for row in records(shown)]
    numeric = [column for column in wanted if shown[column].dtype.kind in "if"]
    content = {
        "columns": [
            {
                "key": column,
                "title": columns[column],
                "meaning": MEANINGS.get(column, ""),
                "kind": _kind(column),
                **({"digits": _digits(column)} if column in numeric else {}),
            }
            for column in wanted
        ],
        "rows": rows,
    }
    return Listing(name, content, title, text)


def troubles(scenarios: pd.DataFrame) -> Listing:
    """Return scenarios that went otherwise than well, and why, the failed ones first."""
    order = np.argsort(scenarios["status"].to_numpy() != "failed", kind="stable")
    text = ""
    if len(scenarios) > MOST_TROUBLES:
        text = f"{MOST_TROUBLES:,} of {len(scenarios):,}; scenarios.csv has all."
    table = scenarios.iloc[order[:MOST_TROUBLES]]
    table = table.assign(error=table["error"].str.slice(0, LONGEST_REASON))
    return listing("troubles", table, FAILURES, "What went otherwise", text)


def all_scenarios(scenarios: pd.DataFrame) -> Listing:
    """Make the table of scenarios, to which everything else links."""
    most = MOST_ROWS
    while True:
        table, text = scenarios, "Click a heading to sort; filter by text or as > 90."
        if len(table) > most:
            # Of the column alone: of the table it would make a copy.
            loading = table["max_loading_percent"].reset_index(drop=True)
            table = table.iloc[loading.nlargest(most, keep="first").index]
            text += f" These are the {most:,} of {len(scenarios):,} with the highest loading."
        made = listing("scenarios", table, SCENARIOS, text=text)
        over = len(json.dumps(made.content["rows"])) / MOST_BYTES
        if over <= 1:
            break
        most = int(len(table) / over * 0.95)
    where = [column["key"] for column in made.content["columns"]].index("status")
    # Without a result there is no fingerprint to link to; a failed scenario says so.
    for row in made.content["rows"]:
        row.append(None if row[where] == "failed" else 1)
    made.content["files"] = len(made.content["columns"])
    return made


def _tells(column: pd.Series) -> bool:
    known = column.dropna()
    if known.empty or (column.dtype == object and (known == "").all()):
        return False
    return (
        column.name not in ("grid", "solver", "attempts", "snapshots", "quantity")
        or len(known.unique()) > 1
    )


def _kind(column: str) -> str:
    """Return what a column names: what the page links to."""
    if column in ("status", "id", "element"):
        return column
    last = column.rsplit("_", 1)[-1]
    return last if last in ("scenario", "snapshot", "contingency", "element", "bus") else "plain"


def _digits(column: str) -> int:
    return DIGITS.get(column, DIGITS.get(column.rsplit("_", 1)[-1], 0))


def elements(name: str, table: pd.DataFrame, by: str, kind: str) -> Listing:
    """Return the statistics of elements that were computed, those of the highest value first.

    Args:
        name: name of the table.
        table: rows of the summary's table of elements.
        by: the column that counts.
        kind: what they are, for the caption.
    """
    worst = table[table["count"] > 0].nlargest(MOST_ELEMENTS, by, keep="first")
    text = "" if len(table) <= MOST_ELEMENTS else f"The {MOST_ELEMENTS:,} worst of {len(table):,}."
    return listing(name, worst, ELEMENTS, f"{kind}, the worst first", text)


def powers(table: pd.DataFrame) -> Listing:
    """Return the statistics of what is neither a bus nor rated: units, loads, DC lines and so on.

    Args:
        table: the summary's table of elements.
    """
    own = table[table["quantity"].isin(("p_mw", "q_mvar", "p_from_mw"))]
    own = own.assign(size=own[["min", "max"]].abs().max(axis=1))
    return elements("powers", own, "size", "Elements")
