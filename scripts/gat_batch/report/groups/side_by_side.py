"""Tables of what is violated in any group of scenarios, a column for each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ..figures import rounded
from ..tables import Listing
from .sentences import after, cost, label, loading, losses, parts_of, unserved, voltage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .standing import Standing

MOST_VIOLATIONS = 500
"""Most violations that a table lists."""


def figures_of(found: Mapping[str, Standing], names: Mapping[str, str]) -> Listing:
    """Return the table of what groups come to.

    Args:
        found: the groups.
        names: ``line:12`` -> name of the element.
    """
    reference = next(iter(found.values()))
    told: dict[str, list[str]] = {
        "scenarios": [f"{one.scenarios:,}" for one in found.values()],
        "states of power flows": [_share(one.broken_states, one.states) for one in found.values()],
        "optimal power flows": [_share(one.broken_optima, one.optima) for one in found.values()],
        "contingencies": [_broken_after(one) for one in found.values()],
        "highest loading": [loading(one, names) for one in found.values()],
        "lowest voltage": [voltage(one.lowest, names) for one in found.values()],
        "highest voltage": [voltage(one.highest, names) for one in found.values()],
        "most load cut off": [unserved(one, names) for one in found.values()],
        "cost": [cost(one, None if one is reference else reference) for one in found.values()],
        "mean losses of AC": [
            losses(one, None if one is reference else reference) for one in found.values()
        ],
    }
    columns = [{"key": "figure", "title": "figure", "meaning": "what is compared", "kind": "plain"}]
    columns += [
        {"key": f"group_{number}", "title": group, "meaning": f"of {group}", "kind": "plain"}
        for number, group in enumerate(found)
    ]
    rows = [[lead, *(text or None for text in texts)] for lead, texts in told.items() if any(texts)]
    return Listing("groups", {"columns": columns, "rows": rows}, "The groups in figures")


def _share(broken: int, states: int) -> str:
    return f"limits broken in {broken:,} of {states:,}" if states else ""


def _broken_after(one: Standing) -> str:
    if not one.contingencies:
        return ""
    by = one.violations.index.get_level_values("contingency") if len(one.violations) else ()
    return f"limits broken after {len(set(by) - {''}):,} of {len(one.contingencies):,}"


def side_by_side(found: Mapping[str, Standing], names: Mapping[str, str]) -> Iterator[Listing]:
    """Yield tables of violated branches and buses, those furthest outside their limits first.

    Args:
        found: the groups.
        names: ``line:12`` -> name of the element.
    """
    parts = [one.violations.assign(group=name) for name, one in found.items()]
    parts = [part for part in parts if len(part)]
    if not parts:
        return
    every = pd.concat(parts)
    every["share"] = every["excess"] / every["limit"]
    bus = every.index.get_level_values("element") == "bus"
    for rows, unit, title in (
        (every[~bus], "%", "Branches above their limit"),
        (every[bus], "p.u.", "Buses outside their voltage band"),
    ):
        if len(rows):
            name = "broken_voltages" if unit == "p.u." else "broken_loadings"
            content = {
                "columns": list(_columns(list(found), unit)),
                "rows": list(_rows(rows, list(found), names)),
            }
            text = "The worst value in each group, and the states in which the limit is broken."
            yield Listing(name, content, title, text)


def _columns(groups: list[str], unit: str) -> Iterator[dict[str, Any]]:
    for key, meaning in (("element", "what is violated"), ("after", "the contingency")):
        yield {"key": key, "title": key, "meaning": meaning, "kind": "plain"}
    for number, group in enumerate(groups):
        meaning = f"worst value of {group}; none where the limit holds"
        title = f"{group} ({unit})"
        digits = 4 if unit == "p.u." else 1
        own = {"title": title, "meaning": meaning, "kind": "plain", "digits": digits}
        yield {"key": f"worst_{number}", **own}
        meaning = f"states of {group} in which it is so"
        own = {"title": "states", "meaning": meaning, "kind": "plain", "digits": 0}
        yield {"key": f"states_{number}", **own}


def _rows(rows: pd.DataFrame, groups: list[str], names: Mapping[str, str]) -> Iterator[list[Any]]:
    order = rows.groupby(level=list(range(rows.index.nlevels)))["share"].max()
    order = order.sort_values(ascending=False, kind="stable").head(MOST_VIOLATIONS)
    known = {
        group: rows[rows["group"] == group]
        .reindex(order.index)[["value", "states"]]
        .to_numpy(float)
        for group in groups
    }
    for place, key in enumerate(order.index):
        element, number, _, contingency = parts_of(key)
        line: list[Any] = [label(f"{element}:{number}", names), after(contingency, names)]
        for told in known.values():
            value, states = told[place]
            line += [rounded(value), rounded(states)]
        yield line
