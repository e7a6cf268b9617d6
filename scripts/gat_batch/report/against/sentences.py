"""What changed against another batch, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...files.words import numbered
from ..groups.sentences import after, label

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from ..summary_tables import Summary
    from .scenario_changes import Compared
    from .violation_changes import ViolationChanges


def scenario_sentence(summary: Summary, other: Summary) -> str:
    """Return how many scenarios are compared, and how many only one batch has."""
    here, there = summary.scenarios.index, other.scenarios.index
    both = int(here.isin(there).sum())
    parts = [f"{both:,} in both"]
    if len(summary.common) < both:
        parts[0] += f", {len(summary.common):,} of them solved in both"
    for count, where in ((len(here) - both, "here"), (len(there) - both, f"in {other.name}")):
        if count:
            parts.append(f"{count:,} only {where}")
    return "; ".join(parts)


def status_sentence(statuses: pd.DataFrame) -> str:
    """Return how many statuses are worse and better, each with an example."""
    parts = []
    for rows, what in (
        (statuses[statuses["worse"]], "worse"),
        (statuses[~statuses["worse"]], "better"),
    ):
        if len(rows):
            first = rows.iloc[0]
            change = f"{first['before']} → {first['status']}".replace("_", " ")
            parts.append(f"{len(rows):,} {what} ({rows.index[0]}: {change})")
    return "; ".join(parts)


def violation_sentence(found: ViolationChanges, names: Mapping[str, str]) -> str:
    """Return how many violations are new, worse, better and gone, each with the worst of them."""
    told = found.changes
    parts = []
    for rows, what in (
        (told.new, "new"),
        (told.worse, "worse"),
        (told.better, "better"),
        (told.gone, "gone"),
    ):
        if len(rows):
            parts.append(f"{len(rows):,} {what} ({_named(rows.index[0], rows.iloc[0], names)})")
    if told.same:
        parts.append(f"{told.same:,} as bad")
    if not parts:
        parts.append("none in either")
    for count, what in ((found.newly_lost, "no solution any more"), (found.found_now, "one now")):
        if count:
            have = "has" if count == 1 else "have"
            parts.append(f"{_contingencies(count)} {have} {what}")
    alone = found.only_here + found.only_there
    if alone:
        parts.append(f"{_contingencies(alone)} of one batch alone left out")
    return "; ".join(parts)


def _contingencies(count: int) -> str:
    return "1 contingency" if count == 1 else f"{count:,} contingencies"


def _named(key: Any, row: pd.Series, names: Mapping[str, str]) -> str:
    scenario, element, number, _, contingency = key
    unit, digits = ("p.u.", 3) if element == "bus" else ("%", 1)
    value = f"{row['value']:.{digits}f} {unit}"
    if "reference" in row:
        value = f"{row['reference']:.{digits}f} → {value}"
    follows = f" after {after(contingency, names)}" if contingency else ""
    when = f", {row['snapshot']}" if row["snapshot"] else ""
    return f"{label(f'{element}:{int(number)}', names)}{follows}{when} in {scenario}, {value}"


def figure_sentence(figure: Compared, rows: pd.DataFrame, summary: Summary, other: Summary) -> str:
    """Return in how many scenarios a figure is higher and lower, by how much at most."""
    if rows.empty:
        return ""
    unit = f" {figure.unit}" if figure.unit else ""
    parts = []
    for own, what in ((rows["difference"] > 0, "higher"), (rows["difference"] < 0, "lower")):
        if own.any():
            most = rows.loc[rows["difference"][own].abs().idxmax()]
            values = f"{most['before']:,.{figure.digits}f} → {most['value']:,.{figure.digits}f}"
            many = numbered(int(own.sum()), "scenario")
            parts.append(f"{what} in {many}, most in {most.name} ({values}{unit})")
    if figure.column == "objective":
        both = summary.common
        before, value = (one.scenarios["objective"][both].sum() for one in (other, summary))
        share = f" ({abs(value / before - 1):.2%})".replace("%", " %") if before else ""
        more = "more" if value > before else "less"
        parts.append(f"{abs(value - before):,.0f}{share} {more} in all")
    return "; ".join(parts)
