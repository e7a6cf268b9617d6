"""The specification of a map, without its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..figures import GREY, SCHEMA, axis

if TYPE_CHECKING:
    from ..figures import Spec
    from .geometry import MapGeometry


def map_spec(geometry: MapGeometry) -> Spec:
    """Return the specification of a map, whose sources of data are named and empty."""
    x, y = (_place(name, size) for name, size in zip("xy", geometry.size, strict=True))
    look = {"href": {"field": "href"}, "color": {"field": "color", "scale": None}}
    loading = {
        "data": {"name": "branches"},
        # A bare wheel moves the page.
        "params": [
            {
                "name": "view",
                "select": {"type": "interval", "zoom": "wheel![event.ctrlKey || event.metaKey]"},
                "bind": "scales",
            }
        ],
        "mark": {"type": "rule", "strokeCap": "butt", "cursor": "pointer"},
        "encoding": {
            **look,
            "x": x,
            "y": y,
            "x2": {"field": "x2"},
            "y2": {"field": "y2"},
            "strokeWidth": {"field": "width", "type": "quantitative", "scale": None},
            "strokeDash": {
                "field": "out",
                "type": "nominal",
                "scale": {"domain": [0, 1, 2], "range": [[1, 0], [4, 3], [9, 2, 2, 2]]},
                "legend": None,
            },
            "tooltip": [
                {"field": "branch"},
                axis("max", "highest loading (%)", format=".1f"),
                axis("mean", "mean loading (%)", format=".1f"),
                axis("power", "power (MW)", format=".1f"),
            ],
        },
    }
    points = {
        **look,
        "x": x,
        "y": y,
        "size": {"field": "size", "type": "quantitative", "scale": None},
        "shape": {"field": "shape", "scale": None},
    }
    mark = {"type": "point", "filled": True, "opacity": 1, "cursor": "pointer"}
    switches = {
        "data": {"name": "switches"},
        "mark": {"type": "rule", "color": GREY, "strokeWidth": 1, "strokeDash": [1.5, 2.5]},
        "encoding": {"x": x, "y": y, "x2": {"field": "x2"}, "y2": {"field": "y2"}},
    }
    stars = {
        "data": {"name": "marks"},
        "mark": mark,
        "encoding": {**points, "tooltip": [{"field": "branch"}]},
    }
    voltage = {
        "data": {"name": "buses"},
        "mark": mark,
        "encoding": {
            **points,
            "tooltip": [
                {"field": "bus"},
                axis("low", "lowest voltage (p.u.)", format=".4f"),
                axis("high", "highest voltage (p.u.)", format=".4f"),
            ],
        },
    }
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": round(720 * geometry.size[1] / geometry.size[0]),
        "view": {"stroke": None},
        "layer": [loading, switches, stars, voltage],
    }


def _place(field: str, size: float) -> dict[str, Any]:
    scale = {"domain": [0, size], "zero": False, "nice": False}
    return {"field": field, "type": "quantitative", "axis": None, "scale": scale}
