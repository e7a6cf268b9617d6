"""What a network loses when its case is read back as a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

REWRITTEN: dict[str, tuple[str, ...]] = {
    "bus": (),
    "load": ("bus", "p_mw", "q_mvar", "scaling"),
    "shunt": ("bus", "p_mw", "q_mvar", "vn_kv", "step", "max_step"),
    "gen": ("bus", "p_mw", "scaling", "slack"),
    "ext_grid": ("bus",),
    "line": (
        "from_bus", "to_bus", "length_km", "parallel", "df", "r_ohm_per_km",
        "x_ohm_per_km", "c_nf_per_km", "g_us_per_km", "max_i_ka", "in_service",
    ),
    "trafo": (
        "hv_bus", "lv_bus", "parallel", "df", "sn_mva", "vn_hv_kv", "vn_lv_kv",
        "vk_percent", "vkr_percent", "pfe_kw", "i0_percent", "shift_degree", "in_service",
        "tap_side", "tap_neutral", "tap_min", "tap_max", "tap_pos", "tap_step_percent",
        "tap_step_degree", "tap_changer_type",
    ),
}  # fmt: skip
"""Columns that have other values for the same power flow, or that other sentences mention."""

WHOLE = ("measurement", "controller", "group", "characteristic")
"""Tables without a place in a case."""


def losses(before: pandapowerNet, after: pandapowerNet) -> list[str]:
    """Compare a network with the one that is read back from its case.

    Args:
        before: the network.
        after: the network of its case.

    Returns:
        What is lost, one sentence for each kind of element or table.
    """
    result = []
    for element, rewritten in REWRITTEN.items():
        one, two = before[element], after[element]
        shared = one.index.intersection(two.index)
        lost = [
            str(name)
            for name in one.columns
            if name not in rewritten and _differ(one.loc[shared, name], two, str(name))
        ]
        if lost:
            result.append(f"columns of {element}: {', '.join(lost)}")
    for element in ("load", "gen"):
        scaled = int((before[element]["scaling"] != 1).sum())
        if scaled:
            what = "is multiplied into their power, which tables then replace whole"
            result.append(f"scaling of {scaled} {element}s; it {what}")
    for table in ("poly_cost", "pwl_cost"):
        counts, kept = (grid[table]["et"].value_counts() for grid in (before, after))
        gone = {kind: count - int(kept.get(kind, 0)) for kind, count in counts.items()}
        result += [f"{table} of {count} {kind}s" for kind, count in gone.items() if count > 0]
    result += [
        f"{len(before[name])} rows of {name}"
        for name in WHOLE
        if name in before and len(before[name])
    ]
    return result


def _differ(values: pd.Series, table: pd.DataFrame, name: str) -> bool:
    other = table[name] if name in table else pd.Series(None, table.index, dtype=object)
    return any(
        not _same(one, two) for one, two in zip(values, other.loc[values.index], strict=True)
    )


def _same(one: Any, two: Any) -> bool:
    """Return whether two cells are equal as texts, or as numbers to a billionth.

    A missing value equals an empty text.
    """
    texts = [
        "" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value)
        for value in (one, two)
    ]
    if texts[0] == texts[1]:
        return True
    try:
        first, second = (float(text) for text in texts)
    except ValueError:
        return False
    return abs(first - second) <= 1e-9 * max(1.0, abs(first))
