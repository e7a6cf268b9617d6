"""The section of the report on scenarios with snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..section import Figure, Section
from .curves import MOST_POINTS, courses, duration_curves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..summary_tables import Summary

CURVES = (
    ("max_loading_percent", "worst loading (%)", "Worst loading", False),
    ("load_mw", "load supplied (MW)", "Load", False),
    ("min_vm_pu", "lowest voltage (p.u.)", "Lowest voltage", True),
)
"""Column, its title, that of its figure, and whether low values are the worst."""


SAME = 1e-6
"""Share of a value by which it must change over all snapshots to be drawn."""


def over_time(summary: Summary) -> Section | None:
    """Return the values of scenarios with snapshots over these, and sorted."""
    curves = summary.found.curves
    if curves.empty:
        return None
    varying = int((summary.scenarios["snapshots"] > 1).sum())
    shown = curves["scenario"].nunique()
    text = "" if shown == varying else f"The {shown} of {varying:,} with the highest loading."
    return Section("time", "Over time", text, tuple(_figures(summary)))


def _figures(summary: Summary) -> Iterator[Figure]:
    curves = summary.found.curves
    spread = {column: curves[column].max() - curves[column].min() for column, *_ in CURVES}
    known = [one for one in CURVES if spread[one[0]] > SAME * abs(curves[one[0]].max())]
    many = curves["scenario"].value_counts().max() > MOST_POINTS
    for column, title, heading, _ in known[:2]:
        caption = "A point leads to its state on the map."
        caption += " Band: from the lowest to the highest of several snapshots." * bool(many)
        yield Figure(f"course_{column}", courses(curves, column, title), caption, heading)
    for column, title, heading, rising in known:
        caption = "Values of all snapshots, sorted from the lowest."
        if not rising:
            caption = (
                "Values of all snapshots, sorted; at 5 % lies what is exceeded in 5 % of them."
            )
        drawn = duration_curves(curves, column, title, rising=rising)
        yield Figure(f"duration_{column}", drawn, caption, f"{heading}, duration curve")
