"""Tables of what changed against another batch, of a bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..figures import rounded
from ..tables import Listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from ..groups.changes import Changes
    from .scenario_changes import Compared

MOST_OF_A_KIND = 125
"""Most rows of each kind of change that a table lists."""

VIOLATIONS = {
    "change": ("change", None),
    "element": ("element", None),
    "name": ("name", None),
    "contingency": ("after", None),
    "scenario": ("scenario", None),
    "snapshot": ("in snapshot", None),
    "unit": ("unit", None),
    "before": ("before", 3),
    "now": ("now", 3),
    "difference": ("difference", 3),
    "states": ("states", 0),
}

FIGURES = {
    "scenario": ("scenario", None),
    "figure": ("figure", None),
    "change": ("change", None),
    "before": ("before", 3),
    "now": ("now", 3),
    "difference": ("difference", 3),
}

KINDS = ("element", "contingency", "scenario", "snapshot")
"""Columns that lead somewhere."""


def violation_listing(told: Changes, names: Mapping[str, str]) -> Listing:
    """Return the violations that are new, worse, gone and better, those furthest outside first.

    Args:
        told: how violations differ, indexed by scenario, too.
        names: ``line:12`` -> name of the element.
    """
    found = [(what, getattr(told, what)) for what in ("new", "worse", "gone", "better")]
    rows = [
        [what, *_violation(key, row, what, names)]
        for what, own in found
        for key, row in zip(own.index, own.head(MOST_OF_A_KIND).to_dict("records"), strict=False)
    ]
    text = _counted([len(own) for _, own in found])
    content = _without_empty({"columns": list(_columns(VIOLATIONS)), "rows": rows})
    return Listing("against_violations", content, "Violations that changed", text)


def figure_listing(statuses: pd.DataFrame, figures: Mapping[Compared, pd.DataFrame]) -> Listing:
    """Return the statuses and figures of scenarios that changed, the worst first.

    Args:
        statuses: as from ``status_changes``.
        figures: figure -> its changes, as from ``figure_changes``.
    """
    rows: list[list[Any]] = [
        [scenario, f"status: {row['before']} → {row['status']}".replace("_", " "), _word(row)]
        + [None] * 3
        for scenario, row in statuses.head(MOST_OF_A_KIND).iterrows()
    ]
    for figure, own in figures.items():
        title = f"{figure.title} ({figure.unit})" if figure.unit else figure.title
        half = MOST_OF_A_KIND // 2
        worst = own if len(own) <= MOST_OF_A_KIND else own.iloc[[*range(half), *range(-half, 0)]]
        rows += [
            [scenario, title, _word(row)]
            + [rounded(row[name]) for name in ("before", "value", "difference")]
            for scenario, row in worst.iterrows()
        ]
    text = _counted([len(statuses), *map(len, figures.values())])
    content = {"columns": list(_columns(FIGURES)), "rows": rows}
    return Listing("against_scenarios", content, "Scenarios that changed", text)


def _violation(
    key: Any, row: Mapping[Any, Any], what: str, names: Mapping[str, str]
) -> Iterator[Any]:
    scenario, element, number, _, contingency = key
    now = None if what == "gone" else float(row["value"])
    before = float(row["value"]) if what == "gone" else row.get("reference")
    yield f"{element}:{int(number)}"
    yield names.get(f"{element}:{int(number)}")
    yield contingency or None
    yield scenario
    yield row["snapshot"] or None
    yield "p.u." if element == "bus" else "%"
    yield rounded(before)
    yield rounded(now)
    yield None if now is None or before is None else rounded(now - float(before))
    yield int(row["states"])


def _word(row: pd.Series) -> str:
    return "worse" if row["worse"] else "better"


def _columns(columns: Mapping[str, tuple[str, int | None]]) -> Iterator[dict[str, Any]]:
    for key, (title, digits) in columns.items():
        kind = key if key in KINDS else "plain"
        told = {"key": key, "title": title, "meaning": "", "kind": kind}
        yield told if digits is None else told | {"digits": digits}


def _without_empty(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out columns in which no row has anything."""
    rows = content["rows"]
    told = [n for n in range(len(VIOLATIONS)) if any(row[n] is not None for row in rows)]
    columns = [content["columns"][n] for n in told]
    return {"columns": columns, "rows": [[row[n] for n in told] for row in rows]}


def _counted(counts: list[int]) -> str:
    """Say so if rows are left out."""
    if max(counts, default=0) <= MOST_OF_A_KIND:
        return ""
    return f"At most {MOST_OF_A_KIND} of each kind; {sum(counts):,} in all."
