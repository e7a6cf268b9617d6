"""The report's map of a grid: its branches coloured by their loading, its buses by their voltage.

The specification draws what is in its sources of data. An SVG file is drawn with the worst of all
states; on the page a script fills them with the state that was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..figures import BLUE, GREY, ORANGE, RED, VIOLET, anchor, rounded
from ..section import Sign
from ..states.gathering import UNRATED
from .differences import FALLING, RISING, STEPS_PERCENT, STEPS_PU
from .geometry import geometry_of
from .map_spec import map_spec

if TYPE_CHECKING:
    import pandas as pd

    from ...model.violations import Limits
    from ..figures import Spec
    from .geometry import MapGeometry
    from .one_line_diagram import OneLineDiagram

SHARE_OF_LIMIT = (0.5, 0.8, 1.0)
"""Shares of the loading limit at which the map's colours change."""

COLOURS = (GREY, BLUE, ORANGE, RED)
WIDTHS = (1.4, 1.8, 2.6, 3.6)
OUT = VIOLET
"""Colour of what is out of service or cut off."""

DOTS = {
    "fine": ("circle", GREY),
    "lower": ("circle", BLUE),
    "upper": ("circle", ORANGE),
    "low": ("triangle-down", RED),
    "high": ("triangle-up", RED),
    "dead": ("cross", OUT),
}
"""Shape and colour of a bus: inside the voltage band, in its lowest or highest quarter, outside."""

INSIDE = ("fine", "lower", "upper")

MANY_BUSES = 1000
MOST_BUSES_DRAWN = 4000
"""Buses beyond which dots and lines are smaller, and beyond which only those are drawn that break a
limit or are cut off."""

THINNER = 0.6
"""Widths on such a map, relative to others."""


@dataclass(frozen=True)
class GridMap:
    """A map.

    Attributes:
        spec: its Vega-Lite specification, whose sources ``branches``, ``switches``, ``marks`` and
            ``buses`` are empty.
        datasets: what they hold for the worst of all states.
        content: what the page's script draws from.
    """

    spec: Spec
    datasets: dict[str, list[dict[str, Any]]]
    content: dict[str, Any]


def grid_map(drawn: OneLineDiagram, elements: pd.DataFrame, limits: Limits) -> GridMap:
    """Draw a grid.

    Args:
        drawn: where its buses and branches lie.
        elements: its rows of the table of elements; a column ``out`` marks what is out of service
            or cut off.
        limits: what counts as a violation.
    """
    geometry = geometry_of(drawn)
    known = elements.set_index(["element", "id"])
    return GridMap(
        map_spec(geometry),
        {
            "branches": _branches(geometry, known, limits),
            "switches": switches(geometry),
            "marks": stars(geometry),
            "buses": _buses(geometry, known, limits),
        },
        _content(geometry),
    )


def legend(drawn: OneLineDiagram, limits: Limits, *, voltages: bool) -> tuple[Sign, ...]:
    """Return what the map's colours, widths and shapes mean; those of voltages if there are any."""
    bounds = [f"{part * limits.loading_percent:g}" for part in SHARE_OF_LIMIT]
    texts = (
        f"up to {bounds[0]} %",
        f"{bounds[0]} to {bounds[1]} %",
        f"{bounds[1]} to {bounds[2]} %",
        f"above {bounds[2]} %, the limit",
    )
    loadings = (
        Sign(text, color, width + 1)
        for text, color, width in zip(texts, COLOURS, WIDTHS, strict=True)
    )
    low, high = limits.voltage_band_pu
    in_band = (
        Sign("bus in the lowest quarter of the voltage band", BLUE, shape="lower"),
        Sign("in the highest", ORANGE, shape="upper"),
        Sign(f"bus below {low:g} p.u.", RED, shape="low"),
        Sign(f"bus above {high:g} p.u.", RED, shape="high"),
    )
    return (
        *loadings,
        *(in_band if voltages else ()),
        Sign("out of service", OUT, 2.5, "dash"),
        Sign("bus that is cut off", OUT, shape="dead"),
        *(
            [Sign("branch without a rating, the wider the more it carries", GREY, 2.5, "dots")]
            if any(kind in UNRATED for kind, _ in drawn.branches)
            else []
        ),
        *([Sign("closed switch", GREY, 1, "dash")] if len(drawn.joined) else []),
        *(
            [Sign("transformer of three windings", GREY, shape="diamond")]
            if any(kind == "trafo3w" for kind, _ in drawn.branches)
            else []
        ),
    )


def _branches(geometry: MapGeometry, known: pd.DataFrame, limits: Limits) -> list[dict[str, Any]]:
    facts = _facts(known, "min", "max", "mean")
    missing: dict[str, Any] = {"max": np.nan, "mean": np.nan}
    widths = line_widths(geometry)
    found = []
    for branch, (x, y, x2, y2) in zip(geometry.branches, geometry.lines.tolist(), strict=True):
        fact = facts.get(branch, missing)
        if branch[0] in UNRATED:
            found.append(_unrated(branch, (x, y, x2, y2), fact, widths[0]))
            continue
        rank = sum(fact["max"] > part * limits.most_percent for part in SHARE_OF_LIMIT)
        found.append(
            {
                "branch": f"{branch[0]} {branch[1]}",
                "x": x,
                "y": y,
                "x2": x2,
                "y2": y2,
                "max": rounded(fact["max"]),
                "mean": rounded(fact["mean"]),
                "href": anchor(fact.get("worst_scenario"), fact.get("worst_snapshot")),
                **(
                    {"color": OUT, "width": 2.0, "out": 1}
                    if fact.get("out")
                    else {"color": COLOURS[rank], "width": widths[rank], "out": 0}
                ),
            }
        )
    return sorted(found, key=lambda row: float(row["width"]))


def _unrated(
    branch: tuple[str, int], line: tuple[float, ...], fact: dict[str, Any], width: float
) -> dict[str, Any]:
    """Return the row of a branch that has no loading."""
    out = bool(fact.get("out"))
    x, y, x2, y2 = line
    return {
        "branch": f"{branch[0]} {branch[1]}",
        "x": x,
        "y": y,
        "x2": x2,
        "y2": y2,
        "power": rounded(max(fact.get("min", np.nan), fact["max"], key=abs)),
        "href": anchor(fact.get("worst_scenario"), fact.get("worst_snapshot")),
        "color": OUT if out else GREY,
        "width": width,
        "out": 1 if out else 2,
    }


def _facts(known: pd.DataFrame, *columns: str) -> dict[Any, dict[str, Any]]:
    names = [*columns, "worst_scenario", "worst_snapshot", *(["out"] if "out" in known else [])]
    rows = known[names].itertuples(index=False, name=None)
    return {
        key: dict(zip(names, row, strict=True)) for key, row in zip(known.index, rows, strict=True)
    }


def switches(geometry: MapGeometry) -> list[dict[str, Any]]:
    """Return the rows of closed switches."""
    ends = ("x", "y", "x2", "y2")
    return [dict(zip(ends, place, strict=True)) for place in geometry.switches.tolist()]


def stars(geometry: MapGeometry) -> list[dict[str, Any]]:
    """Return the rows of transformers of three windings."""
    return [
        {
            "branch": f"{kind} {index}",
            "x": x,
            "y": y,
            "color": GREY,
            "shape": "diamond",
            "size": 40,
        }
        for (kind, index), (x, y) in zip(geometry.three, geometry.stars.tolist(), strict=True)
    ]


def _buses(geometry: MapGeometry, known: pd.DataFrame, limits: Limits) -> list[dict[str, Any]]:
    facts = _facts(known, "min", "max")
    missing: dict[str, Any] = {"min": np.nan, "max": np.nan}
    found, size = [], dot_size(geometry)
    places = zip(geometry.buses, geometry.feeding, geometry.places.tolist(), strict=True)
    for bus, feeding, (x, y) in places:
        fact = facts.get(("bus", int(bus)), missing)
        state = "dead" if fact.get("out") else _in_band(fact["min"], fact["max"], limits)
        shape, color = DOTS[state]
        found.append(
            {
                "bus": f"bus {bus}",
                "x": x,
                "y": y,
                "low": rounded(fact["min"]),
                "high": rounded(fact["max"]),
                "href": anchor(fact.get("worst_scenario"), fact.get("worst_snapshot")),
                "color": color,
                "shape": shape,
                "size": size * (3 if feeding else 1) * (1 if state in INSIDE else 2.5),
            }
        )
    if len(found) > MOST_BUSES_DRAWN:
        found = [row for row in found if row["shape"] != "circle"]
    return found


def _in_band(lowest: float, highest: float, limits: Limits) -> str:
    """Tell where voltages between two in p.u. lie in the band."""
    low, high = limits.band_pu
    if lowest < low or highest > high:
        return "low" if lowest < low else "high"
    quarter = (high - low) / 4
    if lowest < low + quarter or highest > high - quarter:
        return "lower" if lowest - low <= high - highest else "upper"
    return "fine"


def dot_size(geometry: MapGeometry) -> int:
    """Return the size of a bus."""
    return 6 if len(geometry.buses) > MANY_BUSES else 18


def line_widths(geometry: MapGeometry) -> list[float]:
    """Return widths of branches in pixels, by how much they matter."""
    many = len(geometry.buses) > MANY_BUSES
    return [round(width * (THINNER if many else 1), 2) for width in WIDTHS]


def _content(geometry: MapGeometry) -> dict[str, Any]:
    """Return what the page's script needs to draw any state."""
    kinds = list(dict.fromkeys(kind for kind, _ in geometry.branches))
    return {
        "size": list(geometry.size),
        "kinds": kinds,
        "kind": [kinds.index(kind) for kind, _ in geometry.branches],
        "id": [index for _, index in geometry.branches],
        "lines": geometry.lines.ravel().tolist(),
        "switches": geometry.switches.ravel().tolist(),
        "three": [index for _, index in geometry.three],
        "stars": geometry.stars.ravel().tolist(),
        "buses": geometry.buses.tolist(),
        "feeding": np.flatnonzero(geometry.feeding).tolist(),
        "places": geometry.places.ravel().tolist(),
        "dot": dot_size(geometry),
        "most_buses": MOST_BUSES_DRAWN,
        "shares": list(SHARE_OF_LIMIT),
        "colours": list(COLOURS),
        "widths": line_widths(geometry),
        "out": OUT,
        "unrated": list(UNRATED),
        "dots": DOTS,
        "difference": {
            "percent": list(STEPS_PERCENT),
            "pu": list(STEPS_PU),
            "falling": list(FALLING),
            "rising": list(RISING),
        },
    }
