"""The report's map of a grid, its branches coloured by their highest loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .figures import BLUE, GREY, ORANGE, RED, SCHEMA, anchor, axis, rounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from ..model.violations import Limits
    from .figures import Spec
    from .one_line_diagram import OneLineDiagram

MAP_WIDTH = 960

SHARE_OF_LIMIT = (0.5, 0.8, 1.0)
"""Shares of the loading limit at which the map's colours change."""


def grid_map(drawn: OneLineDiagram, elements: pd.DataFrame, limits: Limits) -> Spec:
    """Draw a grid, its branches coloured by their highest loading.

    Args:
        drawn: where its buses and branches lie.
        elements: its rows of the table of elements.
        limits: what counts as a violation.
    """
    known = elements.set_index(["element", "id"])
    low, high = drawn.position.min(axis=0), drawn.position.max(axis=0)
    size = np.maximum(high - low, (high - low).max() / 5)
    height = int(np.clip(MAP_WIDTH * size[1] / size[0], 240, 760))
    places = np.round((drawn.position - low) * (MAP_WIDTH / size[0]), 1)
    return {
        "$schema": SCHEMA,
        "width": MAP_WIDTH,
        "height": height,
        "view": {"stroke": None},
        "layer": [
            {
                "data": {"values": list(_branches(drawn, places, known, limits))},
                "mark": {"type": "rule", "strokeCap": "round"},
                "encoding": {
                    "x": _place("x"),
                    "y": _place("y"),
                    "x2": {"field": "x2"},
                    "y2": {"field": "y2"},
                    "color": {"field": "color", "scale": None},
                    "strokeWidth": {"field": "width", "type": "quantitative", "scale": None},
                    "href": {"field": "href"},
                    "tooltip": [
                        {"field": "branch"},
                        axis("max", "highest loading (%)", format=".1f"),
                        axis("mean", "mean loading (%)", format=".1f"),
                        {"field": "scenario", "title": "worst scenario"},
                    ],
                },
            },
            {
                "data": {"values": list(_buses(drawn, places, known))},
                "mark": {"type": "point", "filled": True, "opacity": 1},
                "encoding": {
                    "x": _place("x"),
                    "y": _place("y"),
                    "color": {"field": "color", "scale": None},
                    "size": {"field": "size", "type": "quantitative", "scale": None},
                    "href": {"field": "href"},
                    "tooltip": [
                        {"field": "bus"},
                        axis("low", "lowest voltage (p.u.)", format=".4f"),
                        axis("high", "highest voltage (p.u.)", format=".4f"),
                        {"field": "scenario", "title": "worst scenario"},
                    ],
                },
            },
        ],
    }


def map_colour(loading: float, limits: Limits) -> tuple[str, float]:
    """Return colour and width in pixels of a branch with this highest loading in percent."""
    rank = sum(loading > part * limits.most_percent for part in SHARE_OF_LIMIT)
    return (GREY, BLUE, ORANGE, RED)[rank], (1.4, 1.8, 2.6, 3.6)[rank]


def _branches(
    drawn: OneLineDiagram, places: NDArray[np.float64], known: pd.DataFrame, limits: Limits
) -> Iterable[dict[str, Any]]:
    facts = known[["max", "mean", "worst_scenario"]].to_dict("index")
    for branch, (start, end) in zip(drawn.branches, drawn.ends, strict=True):
        fact = facts.get(branch, {"max": np.nan, "mean": np.nan, "worst_scenario": None})
        color, width = map_colour(fact["max"], limits)
        yield {
            "branch": f"{branch[0]} {branch[1]}",
            "x": places[start, 0],
            "y": places[start, 1],
            "x2": places[end, 0],
            "y2": places[end, 1],
            "max": rounded(fact["max"]),
            "mean": rounded(fact["mean"]),
            "scenario": fact["worst_scenario"],
            "href": anchor(fact["worst_scenario"]),
            "color": color,
            "width": width,
        }


def _buses(
    drawn: OneLineDiagram, places: NDArray[np.float64], known: pd.DataFrame
) -> Iterable[dict[str, Any]]:
    columns = ["min", "max", "worst_scenario", "violation_probability"]
    facts = known[columns].to_dict("index")
    small = 9 if len(drawn.buses) > 1000 else 18
    for bus, feeding, place in zip(drawn.buses, drawn.feeding, places, strict=True):
        fact = facts.get(("bus", int(bus)), dict.fromkeys(columns))
        violated = (fact["violation_probability"] or 0) > 0
        yield {
            "bus": f"bus {bus}",
            "x": place[0],
            "y": place[1],
            "low": rounded(fact["min"]),
            "high": rounded(fact["max"]),
            "scenario": fact["worst_scenario"],
            "href": anchor(fact["worst_scenario"]),
            "color": RED if violated else GREY,
            "size": small * (3 if feeding else 1),
        }


def _place(field: str) -> dict[str, Any]:
    scale = {"zero": False, "nice": False, "padding": 12}
    return {"field": field, "type": "quantitative", "axis": None, "scale": scale}
