"""A map that shows by how much each element differs between two groups, or two states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..figures import GREY, axis, rounded
from ..states.gathering import UNRATED
from .differences import FALLING, RISING, STEPS_PERCENT, STEPS_PU
from .geometry import geometry_of
from .grid_map import OUT, dot_size, line_widths, stars, switches
from .map_spec import map_spec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..figures import Spec
    from .differences import Difference
    from .geometry import MapGeometry
    from .one_line_diagram import OneLineDiagram

WIDTH_OF_RANK = (0, 2, 3)
"""Which of the widths of a map a branch has: the same, a little and much otherwise."""


def extreme_values(one: Difference) -> pd.DataFrame:
    """Return ``before`` and ``now`` of each element over all states.

    They are the highest values, and the lowest voltages of buses where these change more.
    """
    both = one.before.join(one.after, how="outer", lsuffix="_before", rsuffix="_now")
    low, high = both["low_now"] - both["low_before"], both["high_now"] - both["high_before"]
    falls = (both.index.get_level_values(0) == "bus") & (low.abs() > high.abs()).to_numpy()
    return pd.DataFrame(
        {
            name: both[f"high_{name}"].where(~falls, both[f"low_{name}"])
            for name in ("before", "now")
        }
    )


def state_values(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return ``before`` and ``now`` of each element in two states, from their rows."""
    told = {}
    for name, rows in (("before", before), ("now", now)):
        own = rows.astype({"element": object}).set_index(["element", "id"])
        bus = own.index.get_level_values(0) == "bus"
        told[name] = own["vm_pu"].where(bus, own["loading_percent"]).dropna()
    return pd.DataFrame(told)


def difference_map(
    drawn: OneLineDiagram, values: pd.DataFrame, out: Collection[str], *, kept: bool
) -> Spec:
    """Draw by how much elements differ.

    Args:
        drawn: where buses and branches lie.
        values: ``before`` and ``now`` of elements, in percent or p.u., by kind and id.
        out: what is out of service, as ``line:12``.
        kept: whether all values are kept; else what has none keeps its limits.

    Returns:
        The Vega-Lite specification with its data.
    """
    geometry = geometry_of(drawn)
    rows = values.assign(difference=values["now"] - values["before"])
    if not kept:  # What breaks a limit in one of both alone changes much.
        rows["change"] = rows["difference"].fillna(_beyond(rows))
    else:
        rows["change"] = rows["difference"]
    known = rows.to_dict("index")
    spec = map_spec(geometry)
    told = ("before", "now", "difference")
    for layer, first, unit, form in (
        (spec["layer"][0], "branch", "%", ".1f"),
        (spec["layer"][3], "bus", "p.u.", ".4f"),
    ):
        tips = [axis(name, f"{name} ({unit})", format=form) for name in told]
        layer["encoding"]["tooltip"] = [{"field": first}, *tips]
    datasets = {
        "branches": _branches(geometry, known, set(out), kept=kept),
        "switches": switches(geometry),
        "marks": stars(geometry),
        "buses": _buses(geometry, known),
    }
    return {**spec, "datasets": datasets}


def _beyond(rows: pd.DataFrame) -> pd.Series:
    """Return a large change for what has one value alone: outward if it is new, else inward."""
    bus = rows.index.get_level_values(0) == "bus"
    value = rows["now"].fillna(rows["before"])
    outward = np.where(bus & (value < 1), -1, 1) * np.where(rows["now"].notna(), 1, -1)
    return pd.Series(np.where(bus, 1.0, 1000.0) * outward, rows.index)


def _look(change: float, steps: Sequence[float]) -> tuple[int, str]:
    rank = sum(abs(change) > step for step in steps)
    return rank, (RISING if change > 0 else FALLING)[rank - 1] if rank else GREY


def _branches(
    geometry: MapGeometry, known: Mapping[Any, Any], out: set[str], *, kept: bool
) -> list[dict[str, Any]]:
    widths, found = line_widths(geometry), []
    for (kind, index), (x, y, x2, y2) in zip(
        geometry.branches, geometry.lines.tolist(), strict=True
    ):
        fact = known.get((kind, index), {})
        gone = kept and fact and np.isnan(fact["now"]) and not np.isnan(fact["before"])
        rank, color = (0, GREY) if kind in UNRATED else _look(fact.get("change", 0), STEPS_PERCENT)
        place = {"branch": f"{kind} {index}", "x": x, "y": y, "x2": x2, "y2": y2}
        look: dict[str, Any] = {
            "color": color,
            "width": widths[WIDTH_OF_RANK[rank]],
            "out": 2 if kind in UNRATED else 0,
        }
        if gone or f"{kind}:{index}" in out:
            look = {"color": OUT, "width": 2.0, "out": 1}
        found.append(place | _told(fact) | look)
    return sorted(found, key=lambda row: float(row["width"]))


def _buses(geometry: MapGeometry, known: Mapping[Any, Any]) -> list[dict[str, Any]]:
    found, size = [], dot_size(geometry)
    for bus, (x, y) in zip(geometry.buses.tolist(), geometry.places.tolist(), strict=True):
        fact = known.get(("bus", bus), {})
        change = fact.get("change", 0)
        rank, color = _look(change, STEPS_PU)
        shape = ("triangle-up" if change > 0 else "triangle-down") if rank else "circle"
        look = {"color": color, "shape": shape, "size": size * (4 if rank else 1)}
        found.append({"bus": f"bus {bus}", "x": x, "y": y} | _told(fact) | look)
    return found


def _told(fact: Mapping[str, float]) -> dict[str, float | None]:
    return {name: rounded(fact[name]) if fact else None for name in ("before", "now", "difference")}
