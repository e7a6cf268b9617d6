"""Tables of what changed against another batch, of a bounded length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..figures import rounded
from ..groups.changes import THIS_BATCH
from ..groups.violation_listing import MOST_OF_A_KIND, columns_of, counted
from ..tables import Listing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from .scenario_changes import Compared

FIGURES = {
    "scenario": ("scenario", None),
    "figure": ("figure", None),
    "change": ("change", None),
    "before": ("before", 3),
    "now": ("now", 3),
    "difference": ("difference", 3),
}


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
    text = counted([len(statuses), *map(len, figures.values())], MOST_OF_A_KIND)
    columns = list(columns_of(FIGURES))
    content = {"columns": columns, "rows": rows, "difference": THIS_BATCH}
    return Listing("against_scenarios", content, "Scenarios that changed", text)


def _word(row: pd.Series) -> str:
    return "worse" if row["worse"] else "better"
