"""Figures of groups of scenarios beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import figures
from .sentences import label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...model.violations import Limits
    from ..figures import Spec
    from .standing import Standing

MOST_POINTS = 300
"""Most snapshots that are drawn; of more, the worst of several."""

SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def course(found: Mapping[str, Standing], limits: Limits, names: Mapping[str, str]) -> Spec | None:
    """Draw the worst loading of each group in each snapshot.

    Args:
        found: the groups.
        limits: what counts as a violation.
        names: ``line:12`` -> name of the element.

    Returns:
        The figure, or None if the groups haven't the same snapshots, or only one.
    """
    order = [list(one.course.get("snapshot", ())) for one in found.values()]
    if len(order[0]) < 2 or any(set(one) != set(order[0]) for one in order):
        return None
    step = -(-len(order[0]) // MOST_POINTS)
    place = {snapshot: number // step for number, snapshot in enumerate(order[0])}
    shown = [order[0][start] for start in range(0, len(order[0]), step)]
    values: list[dict[str, Any]] = []
    for name, one in found.items():
        points = one.course["snapshot"].map(place)
        worst = one.course.loc[one.course.groupby(points)["value"].idxmax()]
        values += [
            _point(name, row, names) | {"snapshot": shown[point]}
            for point, row in zip(sorted(set(points)), worst.to_dict("records"), strict=True)
        ]
    x = {
        "field": "snapshot",
        "type": "ordinal",
        "sort": None,
        "title": None,
        "axis": {"labelOverlap": True, "labelAngle": 0},
    }
    shared = {"x": x, "y": figures.axis("loading", "worst loading (%)", scale={"zero": False})}
    line = {
        "mark": {"type": "line", "strokeWidth": 2, "interpolate": "linear"},
        "encoding": {**shared, "color": _colours(found)},
    }
    points_ = {
        "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1, "cursor": "pointer"},
        "encoding": {**shared, **_by_group(found), "href": {"field": "href"}, "tooltip": _tips()},
    }
    return figures.figure(values, 300, layer=[line, points_, _limit("y", limits)])


def worst_branches(
    found: Mapping[str, Standing], limits: Limits, names: Mapping[str, str]
) -> Spec | None:
    """Draw the worst loading of the branches that are loaded highest, in each group.

    Args:
        found: the groups.
        limits: what counts as a violation.
        names: ``line:12`` -> name of the element.

    Returns:
        The figure, or None if no loading is known.
    """
    rows = pd.concat([_loadings(one).assign(group=name) for name, one in found.items()])
    if rows.empty:
        return None
    rows = rows.reset_index(drop=True)
    rows = rows.loc[rows.groupby(["group", "element"], sort=False)["value"].idxmax()]
    top = rows.groupby("element")["value"].max().nlargest(figures.MOST_BARS, keep="first").index
    ranked = rows[rows["element"].isin(top)].sort_values("value", ascending=False, kind="stable")
    values = [
        _point(row["group"], row, names) | {"branch": label(row["element"], names)}
        for row in ranked.to_dict("records")
    ]
    mark = {"type": "point", "filled": True, "size": 90, "opacity": 0.9, "cursor": "pointer"}
    encoding = {
        "y": {"field": "branch", "type": "nominal", "sort": None, "title": None},
        "x": figures.axis("loading", "worst loading (%)", scale={"zero": False}),
        **_by_group(found),
        "href": {"field": "href"},
        "tooltip": _tips(),
    }
    points = {"mark": mark, "encoding": encoding}
    return figures.figure(values, 24 * len(top), layer=[points, _limit("x", limits)])


def _loadings(one: Standing) -> pd.DataFrame:
    """Return loadings of branches: the highest of each snapshot, and all that are violations."""
    columns = ["element", "value", "contingency", "scenario", "snapshot"]
    rows = [one.course.rename(columns={"at": "element"}).reindex(columns=columns)]
    if len(one.violations):
        told = one.violations.reset_index()
        told = told[told["element"] != "bus"]
        element = told["element"] + ":" + told["id"].astype(int).astype(str)
        rows.append(told.assign(element=element)[columns])
    return pd.concat([part for part in rows if len(part)] or rows[:1])


def _point(group: str, row: Mapping[Any, Any], names: Mapping[str, str]) -> dict[str, Any]:
    element = row.get("at", row.get("element", ""))
    return {
        "group": group,
        "loading": figures.rounded(row["value"]),
        "at": label(str(element), names),
        "after": row["contingency"] or "no contingency",
        "snapshot": row["snapshot"],
        "scenario": row["scenario"],
        "href": figures.anchor(row["scenario"]),
    }


def _colours(found: Mapping[str, Standing]) -> dict[str, Any]:
    names = list(found)
    scale = {"domain": names, "range": list(figures.SERIES[: len(names)])}
    legend = {"title": None, "orient": "top", "symbolSize": 80} if names[1:] else None
    return {"field": "group", "scale": scale, "legend": legend}


def _by_group(found: Mapping[str, Standing]) -> dict[str, Any]:
    """Return channels that tell groups apart by colour and by shape."""
    colours = _colours(found)
    scale = {"domain": list(found), "range": list(SYMBOLS[: len(found)])}
    return {"color": colours, "shape": {**colours, "scale": scale}}


def _tips() -> list[dict[str, Any]]:
    return [
        {"field": "group"},
        figures.axis("loading", "loading (%)", format=".1f"),
        {"field": "at"},
        {"field": "after"},
        {"field": "snapshot"},
        {"field": "scenario"},
    ]


def _limit(channel: str, limits: Limits) -> Spec:
    return {
        "data": {"values": [{"limit": limits.loading_percent}]},
        "mark": {"type": "rule", "color": figures.RED, "strokeDash": [5, 4], "strokeWidth": 1.5},
        "encoding": {channel: {"field": "limit", "type": "quantitative"}},
    }
