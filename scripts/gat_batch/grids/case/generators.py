"""The generators of a case: generators, external grids, and what else holds a voltage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .case import UNLIMITED, Cost, frame
from .solved_network import name_or, number

if TYPE_CHECKING:
    import pandas as pd

    from .solved_network import Source


def generators_of(source: Source) -> pd.DataFrame:
    """Make the table of generators, external grids among them."""
    net, rows = source.net, []
    for index, gen in net.gen.iterrows():
        rows.append(_generator(source, index, gen, "gen") | {"p_mw": gen["p_mw"] * gen["scaling"]})
    offset = int(net.gen.index.max()) + 1 if len(net.gen) else 0
    for index, grid in net.ext_grid.iterrows():
        row = _generator(source, index, grid, "ext_grid")
        rows.append(row | {"id": offset + int(index), "external": True})
    rows += _inner_voltages(
        source, offset + int(net.ext_grid.index.max() if len(net.ext_grid) else 0)
    )
    first = max((int(str(row["id"])) for row in rows), default=-1) + 1
    static = dispatchable_sgens(source)
    for n, (index, (_, sgen)) in enumerate(zip(static.index, static.iterrows(), strict=True)):
        row = _generator(source, index, sgen, "sgen")
        power = {name: sgen[name] * sgen["scaling"] for name in ("p_mw", "q_mvar")}
        rows.append(row | {"id": first + n, "vm": 1.0, **power})
    return frame("gen", rows)


def dispatchable_sgens(source: Source) -> pd.DataFrame:
    """Return the static generators that a case holds as generators at buses of type PQ.

    They are in service, an optimal power flow may choose them within limits of their own, and
    nothing holds the voltage of their bus.
    """
    sgen: pd.DataFrame = source.net.sgen
    if not {"controllable", "min_q_mvar", "max_q_mvar"} <= set(sgen.columns):
        return sgen.iloc[:0]
    free = sgen["in_service"].astype(bool) & sgen["controllable"].isin([True])
    free &= sgen["min_q_mvar"].notna() & sgen["max_q_mvar"].notna()
    own: pd.DataFrame = sgen[free & ~sgen["bus"].map(source.at).isin(source.held)]
    return own


def _inner_voltages(source: Source, last: int) -> list[dict[str, object]]:
    """Return rows for the voltage sources inside extended wards, each at a bus of its own."""
    xward = source.net.xward
    buses = source.lookups["bus"][source.lookups["aux"].get("xward", [])]
    first = int(source.net.gen.index.max()) + 1 if len(source.net.gen) else 0
    return [
        {
            "id": last + 1 + n,
            "index": first + n,
            "name": f"xward {index}",
            "bus": source.bus_id[int(buses[n])],
            "status": bool(xward["in_service"].iloc[n]),
            "p_mw": 0.0,
            "q_mvar": 0.0,
            "pmin": 0.0,
            "pmax": 0.0,
            "qmin": -UNLIMITED,
            "qmax": UNLIMITED,
            "vm": float(xward["vm_pu"].iloc[n]),
            "external": False,
        }
        for n, index in enumerate(xward.index)
    ]


def _generator(source: Source, index: int, gen: pd.Series, element: str) -> dict[str, object]:
    return {
        "id": int(index),
        "index": int(index),
        "name": name_or(gen["name"], ""),
        "bus": source.at(gen["bus"]),
        "status": bool(gen["in_service"]),
        "p_mw": 0.0,
        "q_mvar": 0.0,
        "pmin": number(gen.get("min_p_mw"), -UNLIMITED),
        "pmax": number(gen.get("max_p_mw"), UNLIMITED),
        "qmin": number(gen.get("min_q_mvar"), -UNLIMITED),
        "qmax": number(gen.get("max_q_mvar"), UNLIMITED),
        "vm": number(gen.get("vm_pu")),
        "mbase": number(gen.get("sn_mva")),
        "external": False,
        "cost": _cost(source, index, element),
    }


def _cost(source: Source, index: int, element: str) -> Cost | None:
    poly, pwl = source.net.poly_cost, source.net.pwl_cost
    found = poly[(poly["element"] == index) & (poly["et"] == element)]
    if len(found):
        names = ("cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2")
        return Cost(coefficients=tuple(float(found[name].iloc[0]) for name in names))
    found = pwl[(pwl["element"] == index) & (pwl["et"] == element)]
    if not len(found):
        return None
    pieces = found["points"].iloc[0]
    points = [(float(pieces[0][0]), 0.0)]
    for start, end, slope in pieces:
        points.append((float(end), points[-1][1] + (float(end) - float(start)) * float(slope)))
    return Cost(points=tuple(points))
