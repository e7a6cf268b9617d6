"""Violations among the rows of results, and each once: how often it occurs, where it is worst."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...model.violations import HAIR_PERCENT, HAIR_PU
from .judged_rows import STATE, among

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ...model.violations import Limits

ITEM = ["element", "id", "side", "contingency"]
"""What makes a violation the same one in another state or group: ``side`` is ``low`` or ``high`` of
a bus, and empty of a branch."""


def violations_in(rows: pd.DataFrame, limits: Limits, bare: Collection[str] = ()) -> pd.DataFrame:
    """Return the violations among rows, with what is violated by how much.

    Args:
        rows: as ``judged_rows`` yields them.
        limits: what counts as a violation.
        bare: ids of scenarios that left out rows that tell of limits; of these the extremes of each
            state tell whether it is violated.

    Returns:
        A row each: scenario, snapshot, :data:`ITEM`, ``value``, ``limit`` and ``excess``.
    """
    system = rows["element"] == "system"
    violations = _told(rows[~system])
    left_out = rows[system & among(rows["scenario"], bare)]
    if len(left_out):
        every = pd.concat([violations, _by_extremes(left_out, limits)])
        violations = every.drop_duplicates([*STATE, *ITEM])
    return violations


def summed(violations: pd.DataFrame, item: Sequence[str] = ITEM) -> pd.DataFrame:
    """Return each violation once: in how many states it occurs, and where it is worst.

    Args:
        violations: of single states, or summed up before.
        item: what makes two of them the same one.
    """
    rows = violations.reset_index(drop=not set(item) <= set(violations.index.names))
    groups = rows.groupby(list(item), sort=False)
    worst = rows.loc[groups["excess"].idxmax()].set_index(list(item))
    return worst.assign(states=groups["states"].sum())


def extreme_rows(system: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Return highest loading, lowest and highest voltage of each state, and the element ``at``."""
    keys = system[[*STATE, "contingency"]]
    most = keys.assign(value=system["max_loading_percent"], at=system["max_loading_element"])
    low, high = (
        keys.assign(
            value=system[f"{end}_vm_pu"],
            at=system[f"{end}_vm_bus"].map("bus:{:.0f}".format, na_action="ignore").astype(object),
        )
        for end in ("min", "max")
    )
    return tuple(rows.dropna(subset=["value", "at"]) for rows in (most, low, high))


def _told(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of violations with what is violated by how much."""
    bus = rows["element"] == "bus"
    value = rows["loading_percent"].where(~bus, rows["vm_pu"])
    low = bus & (value < rows["limit"])
    side = np.where(low, "low", np.where(bus, "high", ""))
    excess = (value - rows["limit"]).where(~low, rows["limit"] - value)
    told = rows.assign(side=side, value=value, excess=excess)
    return told[[*STATE, *ITEM, "value", "limit", "excess"]]


def _by_extremes(bare: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """Return violations of states that kept no other rows, as far as their extremes tell."""
    low, high = limits.voltage_band_pu
    made = []
    for rows, side, limit in zip(
        extreme_rows(bare),
        ("", "low", "high"),
        (limits.loading_percent, low, high),
        strict=True,
    ):
        part = rows["at"].astype(str).str.extract(r"(\w+):(\d+)")
        told = rows.assign(element=part[0], id=part[1].astype(float), side=side, limit=limit)
        told["excess"] = (told["value"] - limit) * (-1 if side == "low" else 1)
        made.append(told)
    every: pd.DataFrame = pd.concat(made)[[*STATE, *ITEM, "value", "limit", "excess"]]
    hair = np.where(every["side"] == "", HAIR_PERCENT, HAIR_PU)
    return every.loc[every["excess"] > hair]
