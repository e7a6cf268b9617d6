"""What the report has to say of contingencies: which categories fail, and which are the worst."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..files.words import numbered
from . import figures
from .section import Figure, Section
from .tables import CATEGORIES, CONTINGENCIES, listing

if TYPE_CHECKING:
    from .summary_tables import Summary
    from .tables import Listing


def categories(summary: Summary) -> Section | None:
    """Return which categories pass and which fail, in a sentence each."""
    every = summary.categories[summary.categories["scenario"].isna()]
    if every.empty:
        return None
    names = every["category"].fillna("none")
    facts = {name: _verdict(row) for name, row in zip(names, every.itertuples(), strict=True)}
    return Section("categories", "Categories", facts=facts)


def _by_scenario(summary: Summary) -> tuple[Listing, ...]:
    """Return the table of categories in each scenario, the failing ones first."""
    each = summary.categories[summary.categories["scenario"].notna()]
    if each.empty:
        return ()
    worst = each.sort_values("failing", ascending=False, kind="stable").head(MOST_FAILING)
    return (listing("categories", worst, CATEGORIES, "Categories in each scenario"),)


MOST_FAILING = 500
"""Most rows of scenario and category that the page lists."""


def _verdict(row: Any) -> str:
    if row.verdict == "pass" and row.relieved:
        return f"passes: remedial actions relieve all {row.failing:,} that fail without"
    if row.verdict == "pass":
        return f"passes: {row.contingencies:,} contingencies, none fails"
    parts = [f"{row.failing:,} of {row.contingencies:,} contingencies fail"]
    if row.new:
        parts[0] += f", {row.new:,} break limits that hold before them"
    if row.relieved:
        parts.append(f"remedial actions relieve {row.relieved:,} of them")
    if row.not_converged:
        parts.append(f"{row.not_converged:,} have no solution")
    if row.loading_violations:
        worst = f"{row.max_loading_element} reaches {row.max_loading_percent:.1f} %"
        parts.append(f"{worst} after {row.max_loading_contingency}")
    if row.voltage_violations and row.min_vm_contingency:
        lowest = f"bus {row.min_vm_bus:.0f} falls to {row.min_vm_pu:.3f} p.u."
        parts.append(f"{lowest} after {row.min_vm_contingency}")
    return f"fails in {numbered(row.scenarios_failing, 'scenario')}: {'; '.join(parts)}"


def contingencies(summary: Summary) -> Section | None:
    """Return the worst contingencies."""
    table = summary.contingencies
    if table.empty:
        return None
    loaded = table.dropna(subset=["max_loading_percent"])
    top = loaded.nlargest(figures.MOST_BARS, "max_loading_percent", keep="first")
    rows = [
        {
            "outage": f"{row.contingency} → {row.max_loading_element}",
            "loading": figures.rounded(row.max_loading_percent),
            "scenario": row.scenario,
        }
        for row in top.drop_duplicates(["contingency", "max_loading_element"]).itertuples()
    ]
    drawn = Figure(
        "contingencies",
        figures.bars(rows, "outage", "loading", "worst loading after the outage (%)", figures.RED),
        "What fails → which branch is then loaded highest, among the contingencies listed.",
    )
    total = int(summary.scenarios["contingencies"].sum())
    text = f"The {len(table):,} worst of {total:,}." if len(table) < total else ""
    made = listing("contingencies", table, CONTINGENCIES, "Ranked", text)
    return Section("contingencies", "Contingencies", "", (drawn,), (*_by_scenario(summary), made))
