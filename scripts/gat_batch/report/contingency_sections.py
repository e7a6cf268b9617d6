"""What the report has to say of contingencies: which categories fail, and which are the worst."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ..files.words import numbered
from . import figures
from .section import Figure, Section, Verdict
from .tables import CATEGORIES, CONTINGENCIES, REMEDIES, listing

if TYPE_CHECKING:
    from .summary_tables import ContingencyCounts, Summary
    from .tables import Listing


def categories(summary: Summary) -> Section | None:
    """Return which categories pass and which fail, in a sentence each."""
    every = summary.categories[summary.categories["scenario"].isna()].fillna({"new": 0})
    if every.empty:
        return None
    verdicts = {}
    for row in every.itertuples():
        category: Any = row.category
        reasons = {
            "where:": _where(row),
            "overloaded most often:": _most_often(summary, category),
            "what helps:": _what_helps(summary, category),
        }
        told = {lead: reason for lead, reason in reasons.items() if reason}
        verdict = Verdict(_verdict(row, summary), row.verdict == "pass", told)
        verdicts[str(category or "none")] = verdict
    each = summary.categories[summary.categories["scenario"].notna()]
    order = {name: place for place, name in enumerate(summary.scenarios["scenario"])}
    each = each.sort_values("scenario", key=lambda names: names.map(order), kind="stable")
    drawn = (_over_scenarios(each),) if 1 < each["scenario"].nunique() <= MOST_COLUMNS else ()
    fail = [name for name, verdict in verdicts.items() if not verdict.good]
    text = f"{', '.join(fail)} {'fails' if len(fail) == 1 else 'fail'}." if fail else "All pass."
    return Section("categories", "Categories", text, drawn, verdicts=verdicts)


MOST_COLUMNS = 60
"""Most scenarios that categories are drawn over, beside each other."""


def _over_scenarios(each: pd.DataFrame) -> Figure:
    """Draw how many contingencies of each category fail in each scenario."""
    columns = ["scenario", "category", "verdict", "failing", "relieved", "contingencies"]
    values = figures.records(each[columns].fillna({"category": "none"}))
    for row in values:
        row["left"] = row["failing"] - row["relieved"]
        row["share"] = row["left"] / row["contingencies"]
        row["href"] = figures.anchor(row["scenario"])
    tips = [{"field": name} for name in (*columns, "left")]
    encoding = {
        "x": {
            "field": "scenario",
            "type": "nominal",
            "sort": None,
            "title": None,
            "axis": {"labelAngle": -90, "labelLimit": 120, "labelSeparation": 1},
        },
        "y": {"field": "category", "type": "nominal", "title": None},
        "href": {"field": "href"},
        "tooltip": tips,
    }
    count = figures.axis("left", "left")
    layer = [
        {
            "mark": {"type": "rect", "stroke": figures.GREY, "strokeWidth": 0.3},
            "encoding": {
                "color": {
                    **figures.axis("share", "share"),
                    "scale": {"range": [figures.PALE, figures.RED], "domainMin": 0},
                    "legend": None,
                }
            },
        },
        {
            "mark": {"type": "text", "fontSize": 10, "color": "#1b2430"},
            "encoding": {"text": {**count, "format": "d"}},
        },
    ]
    height = 26 * each["category"].fillna("none").nunique()
    return Figure(
        "categories",
        figures.figure(values, height, layer=layer, encoding=encoding),
        "Contingencies that fail in each scenario, and that no action relieves; the darker, the "
        "larger their share.",
    )


def _by_scenario(summary: Summary) -> tuple[Listing, ...]:
    """Return the table of categories in each scenario, the failing ones first."""
    each = summary.categories[summary.categories["scenario"].notna()]
    if each.empty:
        return ()
    worst = each.sort_values("failing", ascending=False, kind="stable").head(MOST_FAILING)
    return (listing("categories", worst, CATEGORIES, "Categories in each scenario"),)


MOST_FAILING = 500
"""Most rows of scenario and category that the page lists."""


def _verdict(row: Any, summary: Summary) -> str:
    """Return in a few words how a category stands."""
    if row.verdict == "pass" and row.relieved:
        return f"passes: remedial actions relieve all {row.failing:,} that fail without"
    if row.verdict == "pass":
        return f"passes: {row.contingencies:,} contingencies, none fails"
    of = numbered(len(summary.scenarios), "scenario")
    text = f"fails: {row.failing:,} of {row.contingencies:,} contingencies"
    text += f", in {row.scenarios_failing:,} of {of}"
    parts = []
    if row.scenarios_unsolved:
        count = numbered(row.scenarios_unsolved, "base case")
        parts.append(f"{count} {'has' if row.scenarios_unsolved == 1 else 'have'} no solution")
    if row.new:
        count = "all" if row.new == row.failing else f"{row.new:,.0f}"
        parts.append(f"{count} break limits that hold before them")
    if row.not_converged:
        parts.append(f"{row.not_converged:,} have no solution")
    if row.relieved:
        parts.append(f"actions relieve {row.relieved:,}")
    return f"{text} ({', '.join(parts)})" if parts else text


MOST_NAMED = 3
"""Most branches and actions that a sentence on a category names."""


def _where(row: Any) -> str:
    """Return where a category is at its worst."""
    parts = []
    if row.loading_violations:
        worst = f"{row.max_loading_element} reaches {row.max_loading_percent:.1f} %"
        parts.append(f"{worst} after {row.max_loading_contingency}")
    if row.voltage_violations and row.worst_vm_contingency:
        moves = "falls" if row.worst_vm_pu < row.worst_vm_limit else "rises"
        worst = f"bus {row.worst_vm_bus:.0f} {moves} to {row.worst_vm_pu:.3f} p.u."
        parts.append(f"{worst} after {row.worst_vm_contingency}")
    return "; ".join(parts)


def _most_often(summary: Summary, category: str | None) -> str:
    """Return which branches the contingencies of a category overload most often."""
    table = _of_category(summary.overloads, category).head(MOST_NAMED)
    if len(table) < 2:
        return ""
    return ", ".join(
        f"{row.element}:{row.id} after {row.overloads:,}" for row in table.itertuples(index=False)
    )


def _what_helps(summary: Summary, category: str | None) -> str:
    """Return which actions help after contingencies of a category, and after how many none does."""
    table = _of_category(summary.remedies, category)
    helpful = table[table["action"].notna() & (table["relieved"] > 0)].head(MOST_NAMED)
    hopeless = table.loc[table["action"].isna(), "contingencies"].sum()
    named = [f"{row.action} after {row.relieved:,}" for row in helpful.itertuples()]
    if hopeless:
        named.append(f"what is tried doesn't suffice after {hopeless:,}")
    return ", ".join(named)


def _of_category(table: pd.DataFrame, category: str | None) -> pd.DataFrame:
    own = table["category"].isna() if category is None else table["category"] == category
    return table[own]


def contingencies(summary: Summary) -> Section | None:
    """Return the worst contingencies."""
    table = summary.contingencies
    if table.empty:
        return None
    rows = _new_overloads(summary)
    caption = "What fails → a branch that it overloads, and that is within its limit before."
    if not rows:
        rows = _highest(table)
        caption = (
            "What fails → which branch is then loaded highest, among the contingencies listed."
        )
    drawn = Figure(
        "contingencies",
        figures.bars(rows, "outage", "loading", "loading after the outage (%)", figures.RED),
        caption,
    )
    total = int(summary.scenarios["contingencies"].sum())
    text = f"{len(table):,} of {total:,}: the worst, and those that newly break a limit."
    text *= len(table) < total
    made = listing("contingencies", table, CONTINGENCIES, "Ranked", text)
    tables = (*_by_scenario(summary), *_actions(summary), made)
    told = _in_words(summary.counted)
    return Section("contingencies", "Contingencies", told, (drawn,), tables)


def _new_overloads(summary: Summary) -> list[dict[str, Any]]:
    """Return the highest loadings of branches that contingencies newly overload, once each."""
    rows = pd.concat([own.after for own in summary.found.states.values()])
    if rows.empty:
        return []
    kept = rows["before"].isna() | (rows["before"] <= summary.limits.most_percent)
    rows = rows[kept & (rows["element"] != "bus")].sort_values("value", ascending=False)
    top = rows.drop_duplicates(["contingency", "element", "id"]).head(figures.MOST_BARS)
    return [
        {
            "outage": f"{row.contingency} → {row.element}:{row.id}",
            "loading": figures.rounded(row.value),
            "scenario": row.scenario,
            "snapshot": row.snapshot,
            "contingency": row.contingency,
        }
        for row in top.itertuples()
    ]


def _highest(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the contingencies with the highest loadings."""
    loaded = table.dropna(subset=["max_loading_percent"])
    top = loaded.nlargest(figures.MOST_BARS, "max_loading_percent", keep="first")
    return [
        {
            "outage": f"{row.contingency} → {row.max_loading_element}",
            "loading": figures.rounded(row.max_loading_percent),
            "scenario": row.scenario,
            "snapshot": row.snapshot,
            "contingency": row.contingency,
        }
        for row in top.drop_duplicates(["contingency", "max_loading_element"]).itertuples()
    ]


def _in_words(counted: ContingencyCounts) -> str:
    """Return how many contingencies break limits, cut buses off and have no solution."""
    total = f"{counted.total:,} contingencies"
    parts = []
    if counted.new is not None:
        many = f"{counted.new:,}" if counted.new else "none"
        one = counted.new == 1
        limit = (
            "breaks a limit that holds before it" if one else "break a limit that holds before them"
        )
        parts.append(f"{many} of {total} {limit}")
    if counted.cut:
        parts.append(f"{counted.cut:,} {'cuts' if counted.cut == 1 else 'cut'} buses off")
    if counted.lost:
        parts.append(f"{counted.lost:,} {'has' if counted.lost == 1 else 'have'} no solution")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _actions(summary: Summary) -> tuple[Listing, ...]:
    """Return the table of remedial actions."""
    table = summary.remedies.fillna({"action": "not relieved by any"})
    if table.empty:
        return ()
    text = "What each action leaves; last, of contingencies that no action relieves, themselves."
    return (listing("remedies", table, REMEDIES, "Remedial actions", text),)
