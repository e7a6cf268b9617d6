"""What optimal power flows come to: costs, dispatch, prices."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from ..study.scenario import OPTIMAL
from . import figures
from .figures import BLUE, MOST_BARS, ORANGE, anchor, axis, figure, labels, most_points, records
from .histogram import spread_of
from .section import Figure, Section
from .states.choice import thinned
from .states.gathering import UNITS
from .tables import MOST_ELEMENTS, PRICES, listing

if TYPE_CHECKING:
    import pandas as pd

    from .figures import Spec
    from .summary_tables import Summary


MOST_PRICED = 1500
"""Most buses whose prices are drawn."""


def costs(summary: Summary) -> Section | None:
    """Return the section of costs, dispatch and prices; None if nothing was optimised.

    Args:
        summary: the summary.
    """
    table, buses = summary.scenarios, summary.found.prices
    known = table.dropna(subset=["objective"])
    drawn = []
    if len(known):
        drawn.append(
            Figure(
                "costs",
                figures.spread(
                    spread_of(known["objective"]), "cost of a scenario, sum over snapshots"
                ),
                "Objective of the optimal power flow, in the currency of the cost curves.",
                "Costs",
            )
        )
    if len(known) > 1:
        text = "Each point is a scenario and leads to its page."
        most = most_points(known) // 2  # half of what its sister shows of loadings
        if len(known) > most:
            text += (
                f" Of {len(known):,} the {most // 2:,} with the highest cost and an even "
                "choice of the others."
            )
        drawn.append(
            Figure(
                "load_and_cost",
                _load_and_cost(thinned(known, most, "objective")),
                text,
                "Load and cost",
            )
        )
    units = summary.elements[summary.elements["element"].isin(UNITS)]
    units = units[(units["count"] > 0) & (units["min"] < units["max"])]
    if table["solver"].isin(OPTIMAL).all() and len(units):
        units = units.assign(range=units["max"] - units["min"])
        widest = units.nlargest(MOST_BARS, "range", keep="first")
        text = "Bar: lowest to highest power over all states; dot: mean."
        if len(units) > MOST_BARS:
            text += f" The {MOST_BARS} units of {len(units):,} that vary most."
        drawn.append(Figure("dispatch", _dispatch(widest), text, "Dispatch"))
    if len(buses):
        drawn.append(
            Figure(
                "prices",
                _prices(buses),
                "Dot: mean price of a bus; bar: its range over all states."
                + f" An even choice of {len(buses):,} buses." * (len(buses) > MOST_PRICED),
                "Prices at the buses",
            )
        )
    tables = (listing("prices", buses.head(MOST_ELEMENTS), PRICES),) if len(buses) else ()
    return Section("costs", "Costs and prices", "", tuple(drawn), tables, short="Costs")


def _load_and_cost(scenarios: pd.DataFrame) -> Spec:
    """Draw every scenario as a point, by its load and its cost."""
    values = records(scenarios[["scenario", "load_mw", "objective"]])
    for row in values:
        row["href"] = f"#scenario={quote(row['scenario'], safe='')}"
    mark = {"type": "point", "filled": True, "size": 34, "opacity": 0.75, "cursor": "pointer"}
    encoding = {
        "x": axis("load_mw", "load supplied, mean over snapshots (MW)", scale={"zero": False}),
        "y": axis("objective", "cost, sum over snapshots", scale={"zero": False}),
        "href": {"field": "href"},
        "tooltip": [
            {"field": "scenario"},
            axis("load_mw", "load (MW)", format=",.1f"),
            axis("objective", "cost", format=",.2f"),
        ],
    }
    return figure(values, mark=mark | {"color": BLUE}, encoding=encoding)


def _dispatch(units: pd.DataFrame) -> Spec:
    """Draw the power of units, each from its lowest to its highest."""
    values = records(units[["min", "mean", "max", "worst_scenario", "worst_snapshot"]])
    for row, label in zip(values, labels(units), strict=True):
        row |= {"unit": label, "href": anchor(row["worst_scenario"], row.pop("worst_snapshot"))}
    tips = [
        {"field": "unit"},
        *(axis(name, f"{name} (MW)", format=",.1f") for name in ("min", "mean", "max")),
        {"field": "worst_scenario", "title": "highest in"},
    ]
    y = {"field": "unit", "type": "nominal", "sort": None, "title": None}
    shared = {"tooltip": tips, "href": {"field": "href"}, "y": y}
    bar = {
        "mark": {"type": "rule", "strokeWidth": 6, "opacity": 0.35, "color": BLUE},
        "encoding": {**shared, "x": axis("min", "power (MW)"), "x2": {"field": "max"}},
    }
    dot = {
        "mark": {"type": "point", "filled": True, "size": 60, "color": BLUE, "cursor": "pointer"},
        "encoding": {**shared, "x": axis("mean", "power (MW)")},
    }
    return figure(values, 22 * len(values), layer=[bar, dot])


def _prices(buses: pd.DataFrame) -> Spec:
    """Draw the price at each bus, the dearest first: its mean and its range over all states."""
    ordered = buses.sort_values("mean", ascending=False, kind="stable")
    places = np.unique(np.linspace(0, len(buses) - 1, min(len(buses), MOST_PRICED)).round())
    shown = ordered.iloc[places.astype(int)]
    values = records(shown[["id", "low", "mean", "high", "high_scenario"]])
    for place, row in zip(places.tolist(), values, strict=True):
        row |= {"place": int(place) + 1, "href": anchor(row["high_scenario"])}
    tips = [
        axis("id", "bus"),
        *(axis(name, f"{name} (cost/MWh)", format=".4~g") for name in ("low", "mean", "high")),
        {"field": "high_scenario", "title": "highest in"},
    ]
    x = axis("place", "buses, the dearest first")
    y = "price at the bus, lam_p (cost/MWh)"
    band = {
        "mark": {"type": "rule", "opacity": 0.4, "color": BLUE, "strokeWidth": 3},
        "encoding": {
            "x": x,
            "y": axis("low", y, scale={"zero": False}),
            "y2": {"field": "high"},
            "tooltip": tips,
            "href": {"field": "href"},
        },
    }
    mean = {
        "mark": {"type": "point", "filled": True, "size": 16, "color": ORANGE},
        "encoding": {"x": x, "y": axis("mean", y), "tooltip": tips},
    }
    return figure(values, layer=[band, mean])
