"""What the report's figures show, from the summary's files, in bounded memory.

The rows of all results are read once, in batches; what is kept depends on the grids, not on the
number of scenarios, but for the states of the few scenarios whose duration curves are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..study.scenario import BRANCHES
from ..summary.congestion import AT_LIMIT, congestion_shares, congestion_sums
from .histogram import histogram_of
from .states.extremes import Extremes
from .states.gathering import StateGathering
from .states.reading import BATCH_ROWS, base_rows, taken

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from ..model.violations import Limits
    from .histogram import Histogram
    from .states.gathering import ShownStates

SYSTEM = ("load_mw", "max_loading_percent", "min_vm_pu")
"""Columns of the ``system`` rows that have duration curves."""

MOST_CURVES = 6
"""Most scenarios whose duration curves are drawn."""


@dataclass
class Digest:
    """What the rows of all results come to, without contingencies.

    Attributes:
        loading: loadings of branches in percent, by element; None without any.
        voltage: voltages of buses in p.u.; None without any.
        curves: a row per state of the scenarios with duration curves: ``scenario``, ``snapshot``
            and :data:`SYSTEM`.
        prices: a row per bus with prices, ``lam_p`` in cost/MWh over all states: ``grid``, ``id``,
            ``count``, ``mean``, ``low``, ``low_scenario``, ``high``, ``high_scenario``.
        congestion: a row per branch that was at its limit at least once: ``grid``, ``element``,
            ``id``, ``states`` and ``probability``, the weight of those states over that of all
            states in which it was computed.
        states: grid -> its states that the page shows.
        extremes: group of scenarios -> the lowest and highest values of each element in its
            states, as from ``Extremes``.
    """

    loading: Histogram | None
    voltage: Histogram | None
    curves: pd.DataFrame
    prices: pd.DataFrame
    congestion: pd.DataFrame
    states: dict[str, ShownStates]
    extremes: dict[str, pd.DataFrame]


def digest(
    aggregated: Path,
    scenarios: pd.DataFrame,
    elements: pd.DataFrame,
    contingencies: pd.DataFrame,
    limits: Limits,
    *,
    groups: Mapping[str, Collection[str]],
) -> Digest:
    """Read the rows of all results once, and sum them up for the figures.

    Args:
        aggregated: ``aggregated_results.parquet``.
        scenarios: the table of scenarios, indexed by id.
        elements: the table of elements.
        contingencies: the contingencies that are shown.
        limits: what counts as a violation.
        groups: name -> ids of the scenarios whose extremes are wanted.

    Returns:
        The digest.
    """
    loading = histogram_of(elements[elements["quantity"] == "loading_percent"], from_zero=True)
    voltage = histogram_of(elements[elements["quantity"] == "vm_pu"], from_zero=False)
    varying = scenarios[scenarios["snapshots"] > 1]
    drawn = varying.nlargest(MOST_CURVES, "max_loading_percent", keep="first").index
    congested = _ever_at_limit(elements, limits)
    curves, prices = [], pd.DataFrame()
    loads = _Congestion(scenarios, limits)
    gathering = StateGathering(scenarios, elements, contingencies)
    extremes = {name: Extremes(ids) for name, ids in groups.items()}
    priced = scenarios["objective"].notna().any()
    for table, after in base_rows(aggregated, ["contingency", *gathering.columns]):
        gathering.add(table)
        gathering.add_after(after)
        for group in extremes.values():
            group.add(table)
        kinds = table["element"].combine_chunks()
        at = {
            kind: np.flatnonzero(kinds.indices.to_numpy() == code)
            for code, kind in enumerate(kinds.dictionary.to_pylist())
        }
        if loading:
            percent = table["loading_percent"].to_numpy()
            for kind in BRANCHES:
                if kind in at:
                    loading.add(kind, percent[at[kind]])
        if voltage and "bus" in at:
            voltage.add("bus", table["vm_pu"].to_numpy()[at["bus"]])
        if len(drawn) and "system" in at:
            system = taken(table, at["system"])
            curves.append(system[system["scenario"].isin(drawn)][["scenario", "snapshot", *SYSTEM]])
        if priced and "bus" in at:
            prices = _added(prices, _prices(taken(table, at["bus"]), scenarios))
        index = table["id"].to_numpy()
        for kind, ids in congested.items():
            if len(ids) and kind in at:
                # Much faster than numpy, which sorts.
                rows = at[kind][pd.Index(index[at[kind]]).isin(ids)]
                loads.add(table.take(pa.array(rows)))
    return Digest(
        loading,
        voltage,
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=["scenario"]),
        _mean_prices(prices),
        loads.shares(),
        gathering.shown(),
        {name: group.table() for name, group in extremes.items()},
    )


def _ever_at_limit(elements: pd.DataFrame, limits: Limits) -> dict[str, NDArray[np.int64]]:
    """Return kind of branch -> ids of those that were at their limit at least once."""
    least = AT_LIMIT * limits.loading_percent
    found = elements[(elements["quantity"] == "loading_percent") & (elements["max"] >= least)]
    return {kind: found["id"][found["element"] == kind].to_numpy() for kind in BRANCHES}


def _added(known: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Add up two tables by their index: sums of some columns, extremes of others."""
    if known.empty or new.empty:
        return new if known.empty else known
    both = pd.concat([known, new])
    keys = list(both.index.names)
    sums = both[[name for name in ("count", "sum", "weight", "at_limit", "states") if name in both]]
    total = sums.groupby(level=keys, sort=False).sum()
    for extreme, better in (("low", "idxmin"), ("high", "idxmax")):
        if extreme in both:
            flat = both.reset_index()
            best = flat.loc[getattr(flat.groupby(keys, sort=False)[extreme], better)()]
            best = best.set_index(keys)[[extreme, f"{extreme}_scenario"]]
            total = total.join(best)
    return total


def _prices(buses: pd.DataFrame, scenarios: pd.DataFrame) -> pd.DataFrame:
    buses = buses.dropna(subset=["lam_p"]).reset_index(drop=True)
    if not len(buses):
        return pd.DataFrame()
    buses["grid"] = _of_scenario(buses["scenario"], scenarios["grid"])
    buses["scenario"] = _plain(buses["scenario"])
    buses["id"] = buses["id"].astype(np.int64)
    groups = buses.groupby(["grid", "id"], sort=False)["lam_p"]
    found = groups.agg(["count", "sum"])
    for extreme, better in (("low", groups.idxmin()), ("high", groups.idxmax())):
        found[extreme] = buses["lam_p"].to_numpy()[better.to_numpy()]
        found[f"{extreme}_scenario"] = buses["scenario"].to_numpy()[better.to_numpy()]
    return found


def _mean_prices(prices: pd.DataFrame) -> pd.DataFrame:
    if prices.empty:
        return prices
    prices["mean"] = prices.pop("sum") / prices["count"]
    return prices.reset_index()


class _Congestion:
    """Adds up how often branches are at their limit, many rows at a time."""

    def __init__(self, scenarios: pd.DataFrame, limits: Limits) -> None:
        self._weight = scenarios["weight"] / scenarios["snapshots"]
        self._grid = scenarios["grid"]
        self._threshold = AT_LIMIT * limits.loading_percent
        self._waiting: list[pa.Table] = []
        self._sums = pd.DataFrame()

    def add(self, branches: pa.Table) -> None:
        """Add rows of branches."""
        self._waiting.append(branches.select(["scenario", "element", "id", "loading_percent"]))
        if sum(map(len, self._waiting)) >= BATCH_ROWS:
            self._settle()

    def shares(self) -> pd.DataFrame:
        """Return how often each branch was at its limit."""
        self._settle()
        return congestion_shares(self._sums) if len(self._sums) else self._sums

    def _settle(self) -> None:
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting).unify_dictionaries().to_pandas()
        self._waiting = []
        branches = rows.dropna(subset=["loading_percent"])
        if len(branches):
            weight = _of_scenario(branches["scenario"], self._weight)
            grid = _of_scenario(branches["scenario"], self._grid)
            told = branches.assign(element=_plain(branches["element"]))
            self._sums = _added(self._sums, congestion_sums(told, grid, weight, self._threshold))


def _plain(column: pd.Series) -> NDArray[Any]:
    """Return a column of categories as text."""
    text: NDArray[Any] = column.cat.categories.to_numpy()[column.cat.codes.to_numpy()]
    return text


def _of_scenario(scenario: pd.Series, values: pd.Series) -> NDArray[Any]:
    """Return for each row the value that belongs to its scenario, shape (rows,)."""
    known: NDArray[Any] = values.reindex(scenario.cat.categories).to_numpy()
    return known[scenario.cat.codes.to_numpy()]
