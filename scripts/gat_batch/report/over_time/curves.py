"""Values of the states of scenarios, in the order of the snapshots, and sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import figures

if TYPE_CHECKING:
    import pandas as pd

    from ..figures import Spec

MOST_POINTS = 400
"""Most points of a curve over snapshots."""

MOST_SPANS = 120
"""Of more snapshots, so many spans of equal length are drawn, from the lowest to the highest."""


def courses(curves: pd.DataFrame, column: str, title: str) -> Spec:
    """Draw the values of each scenario's states in their order."""
    values: list[dict[str, Any]] = []
    names = list(dict.fromkeys(curves["scenario"].astype(str)))
    for name in names:
        own = curves[curves["scenario"] == name].reset_index(drop=True)
        known = own[column].dropna()
        step = 1 if len(own) <= MOST_POINTS else -(-len(own) // MOST_SPANS)
        spans = known.groupby(known.index // step)
        values += [
            {
                "place": start * step + 1,
                "value": figures.rounded(own[column][at]),
                "lowest": figures.rounded(low),
                "scenario": name,
                "snapshot": own["snapshot"][at],
                "href": figures.anchor(name, own["snapshot"][at]),
            }
            for start, at, low in zip(
                spans.min().index.tolist(), spans.idxmax().tolist(), spans.min(), strict=True
            )
        ]
    shared = len({tuple(curves["snapshot"][curves["scenario"] == name]) for name in names}) == 1
    x = figures.axis("place", "snapshots, in their order", scale={"nice": False, "zero": False})
    if shared:
        x = {
            "field": "snapshot",
            "type": "ordinal",
            "sort": {"field": "place"},
            "title": None,
            "axis": {"labelOverlap": True, "labelAngle": 0},
        }
    y = figures.axis("value", title, scale={"zero": False})
    shown = {
        "x": x,
        "color": _colours(names),
        "href": {"field": "href"},
        "tooltip": [
            *({"field": field} for field in ("scenario", "snapshot")),
            figures.axis("value", title, format=".4~g"),
        ],
    }
    line = {"type": "line", "strokeWidth": 1.5, "interpolate": "linear", "point": {"size": 14}}
    layer = [{"mark": line, "encoding": {"y": y}}]
    if any(row["value"] != row["lowest"] for row in values):
        band = {"y": y, "y2": {"field": "lowest"}}
        layer.insert(0, {"mark": {"type": "area", "opacity": 0.25}, "encoding": band})
    return figures.figure(values, layer=layer, encoding=shown)


def duration_curves(curves: pd.DataFrame, column: str, title: str, *, rising: bool) -> Spec:
    """Draw the values of each scenario's states, sorted, over the share of its states."""
    values: list[dict[str, Any]] = []
    names = list(dict.fromkeys(curves["scenario"].astype(str)))
    for name in names:
        own = curves[curves["scenario"] == name].dropna(subset=[column])
        own = own.sort_values(column, ascending=rising, kind="stable")
        ordered, snapshots = own[column].to_numpy(), own["snapshot"].tolist()
        places = np.unique(np.linspace(0, len(own) - 1, min(len(own), 200)).round().astype(int))
        values += [
            {
                "share": figures.rounded(100 * (place + 0.5) / len(ordered)),
                "value": figures.rounded(ordered[place]),
                "scenario": name,
                "snapshot": snapshots[place],
                "href": figures.anchor(name, snapshots[place]),
            }
            for place in places.tolist()
        ]
    encoding = {
        "x": figures.axis("share", "share of snapshots (%)", scale={"domain": [0, 100]}),
        "y": figures.axis("value", title, scale={"zero": False}),
        "color": _colours(names),
        "href": {"field": "href"},
        "tooltip": [
            *({"field": field} for field in ("scenario", "snapshot")),
            figures.axis("share", "share of snapshots (%)", format=".1f"),
            figures.axis("value", title, format=".4~g"),
        ],
    }
    mark = {"type": "line", "strokeWidth": 2, "interpolate": "linear", "point": {"size": 12}}
    return figures.figure(values, mark=mark, encoding=encoding)


def _colours(names: list[str]) -> dict[str, Any]:
    return {
        "field": "scenario",
        "scale": {"domain": names, "range": list(figures.SERIES[: len(names)])},
        "legend": {"title": None, "columns": 3} if names[1:] else None,
    }
