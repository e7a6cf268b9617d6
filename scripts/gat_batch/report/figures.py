"""The report's figures, as Vega-Lite specifications that carry their data.

One specification is drawn twice: by the browser that opens the report, and into an SVG file for
Snakemake's own report. The colour-blind can tell the colours apart, on light and dark paper; text,
axes and grids get theirs from the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from .states.choice import fitting, thinned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..model.violations import Limits
    from .histogram import Histogram

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

BLUE, ORANGE, RED, GREY = "#3d85c6", "#e08a00", "#d1432b", "#8795a8"
VIOLET = "#901ee6"
PALE = "#fbeee6"
KINDS = {"line": BLUE, "trafo": ORANGE, "trafo3w": VIOLET, "bus": BLUE}
STATUS = {"ok": BLUE, "islanded": ORANGE, "infeasible": VIOLET, "not_converged": RED}
SERIES = (BLUE, ORANGE, "#2a9d8f", RED, VIOLET, GREY)

HEIGHT = 240
MOST_BARS = 15
MOST_POINTS = 5000
POINT_BYTES = 700_000
"""Most bars, most points, and most bytes of the points of a figure."""


def figure(values: list[dict[str, Any]], height: int = HEIGHT, **spec: Any) -> Spec:
    """Make a figure as wide as its place on the page."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "data": {"values": values},
        **spec,
    }


def axis(field: str, title: str, **more: Any) -> dict[str, Any]:
    """Make a quantitative channel with a title that names its unit."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def histogram(found: Histogram, title: str, limits: Sequence[float]) -> Spec:
    """Draw how often values occur, stacked by kind of element, with lines at the limits."""
    edges = found.edges.tolist()
    values = [
        {"from": edges[n], "to": edges[n + 1], "element": kind, "count": int(count)}
        for kind, counts in found.counts.items()
        for n, count in enumerate(counts)
        if count
    ]
    inside = [limit for limit in limits if edges[0] <= limit <= edges[-1]]
    bars = {
        "mark": {"type": "bar", "binSpacing": 1},
        "encoding": {
            "x": axis("from", title, bin={"binned": True}, scale={"zero": False, "nice": False}),
            "x2": {"field": "to"},
            "y": axis("count", "elements in all states"),
            "color": _kinds(list(found.counts)),
            "tooltip": [
                axis("from", "from", format="~g"),
                axis("to", "to", format="~g"),
                {"field": "element", "title": "element"},
                axis("count", "count", format=","),
            ],
        },
    }
    return figure(values, layer=[bars, *_limit_lines("x", inside)])


def most_points(scenarios: pd.DataFrame) -> int:
    """Return of how many scenarios there is room for a point in a figure."""
    return fitting(scenarios["scenario"], MOST_POINTS, POINT_BYTES)


def load_and_loading(scenarios: pd.DataFrame, limits: Limits) -> Spec:
    """Draw every scenario as a point, by its load and its worst loading."""
    known = scenarios.dropna(subset=["load_mw", "max_loading_percent"])
    columns = ["scenario", "load_mw", "max_loading_percent", "max_loading_element", "status"]
    drawn = thinned(known, most_points(known), "max_loading_percent")
    values = records(drawn[[*columns, "max_loading_snapshot"]])
    for row in values:
        row["href"] = anchor(row["scenario"], row.pop("max_loading_snapshot"))
    top = known["max_loading_percent"].max() if len(known) else 0.0
    seen = [status for status in STATUS if (known["status"] == status).any()]
    points = {
        "mark": {"type": "point", "filled": True, "size": 34, "opacity": 0.75, "cursor": "pointer"},
        "encoding": {
            "x": axis("load_mw", "load supplied, mean over snapshots (MW)", scale={"zero": False}),
            "y": axis("max_loading_percent", "worst loading (%)"),
            "color": {
                "field": "status",
                "scale": {"domain": seen, "range": [STATUS[status] for status in seen]},
                "legend": {"title": None} if seen[1:] else None,
            },
            "href": {"field": "href"},
            "tooltip": [
                {"field": "scenario", "title": "scenario"},
                axis("load_mw", "load (MW)", format=",.1f"),
                axis("max_loading_percent", "worst loading (%)", format=".1f"),
                {"field": "max_loading_element", "title": "at"},
            ],
        },
    }
    lines = _limit_lines("y", [limits.loading_percent] if top > limits.loading_percent / 2 else [])
    return figure(values, layer=[points, *lines])


def worst_elements(elements: pd.DataFrame, limits: Limits) -> Spec:
    """Draw the branches that are loaded highest, each from its lowest to its highest loading."""
    branches = elements[elements["quantity"] == "loading_percent"]
    worst = branches.nlargest(MOST_BARS, "max", keep="first")
    columns = ["min", "mean", "p95", "max", "worst_scenario", "worst_snapshot"]
    values = records(worst[columns])
    for row, label in zip(values, labels(worst), strict=True):
        link = anchor(row["worst_scenario"], row.pop("worst_snapshot"))
        row |= {"branch": label, "href": link}
    y = {"field": "branch", "type": "nominal", "sort": None, "title": None}
    tips = [
        {"field": "branch"},
        *(axis(name, f"{name} (%)", format=".1f") for name in ("min", "mean", "p95", "max")),
        {"field": "worst_scenario", "title": "worst scenario"},
    ]
    shared = {"tooltip": tips, "href": {"field": "href"}, "y": y}
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "strokeWidth": 6, "opacity": 0.35, "color": BLUE},
            "encoding": {**shared, "x": axis("min", "loading (%)"), "x2": {"field": "max"}},
        }
    ]
    for name, shape in (("mean", "circle"), ("p95", "diamond"), ("max", "triangle-right")):
        mark = {"type": "point", "filled": True, "shape": shape, "size": 60}
        mark["color"] = RED if name == "max" else BLUE
        layers.append({"mark": mark, "encoding": {**shared, "x": axis(name, "loading (%)")}})
    inside = [limits.loading_percent] if worst["max"].max() > limits.loading_percent / 2 else []
    return figure(values, 22 * max(len(values), 1), layer=[*layers, *_limit_lines("x", inside)])


def bars(
    rows: Iterable[Mapping[str, Any]], label: str, value: str, title: str, color: str = BLUE
) -> Spec:
    """Draw a bar for each row, the first on top, which links to its ``scenario`` if it has one."""
    values = [dict(row) for row in rows]
    for row in values:
        row["href"] = anchor(row.get("scenario"), row.pop("snapshot", None), row.get("contingency"))
    encoding = {
        "y": {"field": label, "type": "nominal", "sort": None, "title": None},
        "x": axis(value, title),
        "href": {"field": "href"},
        "tooltip": [
            {"field": label},
            axis(value, title, format=".4~g"),
            *([{"field": "scenario"}] if values and values[0].get("scenario") else []),
        ],
    }
    mark = {"type": "bar", "color": color, "height": 13}
    return figure(values, 22 * max(len(values), 1), mark=mark, encoding=encoding)


def spread(found: Histogram, title: str) -> Spec:
    """Draw how many scenarios have which value."""
    spec = histogram(found, title, ())
    layer = spec["layer"][0]
    layer["encoding"]["y"]["title"] = "scenarios"
    layer["encoding"]["color"] = {"value": BLUE}
    layer["encoding"]["tooltip"].pop(2)
    return spec


def labels(elements: pd.DataFrame) -> list[str]:
    """Return names of elements: kind and index, and the grid if there are several."""
    several = len(elements["grid"].unique()) > 1
    return [
        f"{row.element} {row.id}{f' · {row.grid}' if several else ''}"
        for row in elements[["element", "id", "grid"]].itertuples()
    ]


def anchor(scenario: Any, snapshot: Any = None, contingency: Any = None) -> str | None:
    """Return the link to a state on the page's map, or None if there is no scenario."""
    if not isinstance(scenario, str):
        return None
    keys = {"state": scenario, "snapshot": snapshot, "contingency": contingency}
    told = {key: quote(value, safe="") for key, value in keys.items() if isinstance(value, str)}
    return "#" + "&".join(f"{key}={value}" for key, value in told.items())


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values that JSON can hold, None if not finite."""
    return [
        {key: rounded(value) if isinstance(value, float) else _plain(value) for key, value in row}
        for row in (zip(table.columns, line, strict=True) for line in table.itertuples(index=False))
    ]


def rounded(value: Any) -> float | None:
    """Return a number rounded to seven digits, or None if it isn't finite."""
    return float(f"{value:.7g}") if value is not None and np.isfinite(value) else None


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA:
        return None
    return value.item() if isinstance(value, np.generic) else value


def _kinds(kinds: list[str]) -> dict[str, Any]:
    return {
        "field": "element",
        "scale": {"domain": kinds, "range": [KINDS.get(kind, BLUE) for kind in kinds]},
        "legend": {"title": None} if len(kinds) > 1 else None,
    }


def _limit_lines(channel: str, limits: Sequence[float]) -> list[Spec]:
    return [
        {
            "data": {"values": [{"limit": limit}]},
            "mark": {"type": "rule", "color": RED, "strokeDash": [5, 4], "strokeWidth": 1.5},
            "encoding": {channel: {"field": "limit", "type": "quantitative"}},
        }
        for limit in limits
    ]
