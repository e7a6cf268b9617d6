"""What a specification would become, and what is odd about it, before anything is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ..errors import GatBatchError, InputErrors, SpecificationError
from ..files.documents import read_document
from ..files.words import numbered
from ..model.contingencies.every import contingencies_of
from ..study.manifest import batch_of
from .named.sources import Sources
from .outages.outage_sets import Supply, found
from .product import MANIFEST, expanded, specified
from .variants import variants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..study.scenario import Contingencies, Scenario
    from .loadability import Limit
    from .outages.outage_sets import OutageSet
    from .selection import Elements
    from .specification import Specification

SECONDS = {"dc": (1e-3, 1.3e-6), "ac": (4e-3, 3.5e-6)}
"""Seconds that a power flow takes, at least and for each row of its result: an order of magnitude,
from runs on 118 and 2,869 buses."""

SECONDS_ELSE = (5e-2, 1e-4)

BYTES_A_ROW = {"dc": 21.0, "ac": 40.0}
BYTES_A_FILE = 3000.0

CONTINGENCY_ROWS = 2
"""Rows that are kept of a contingency: its own, and one violation."""

MOST_CHECKED = 20_000
"""Most sets of outages that are checked for islands."""

ROW_TABLES = ("bus", "line", "trafo", "trafo3w", "gen", "sgen", "ext_grid", "load")


@dataclass(frozen=True)
class Forecast:
    """What a specification would become.

    Attributes:
        families: entry of the specification -> its number of scenarios.
        scenarios: the scenarios.
        states: power flows to be solved: snapshots, and contingencies on top of each.
        table_rows: rows of the tables.
        seconds: time that one core takes, roughly, in seconds.
        size: space that results and summary take on disk, roughly, in bytes.
        limits: loadability limits that loads are drawn towards.
        warnings: what may not be intended.
    """

    families: dict[str, int]
    scenarios: Sequence[Scenario]
    states: int
    table_rows: int
    seconds: float
    size: float
    limits: tuple[Limit, ...]
    warnings: tuple[str, ...]


def forecast(file: Path) -> Forecast:
    """Expand a specification in memory, and look at what comes out.

    Args:
        file: the specification.

    Raises:
        GatBatchError: if the specification is at fault, or names elements that a grid doesn't have.
    """
    specification = specified(read_document(file), file)
    sources = Sources(specification)
    grids = specification.grids()
    # A table doesn't tell which grid its scenarios are on.
    alone = sources.elements(grids[0]) if len(grids) == 1 else None
    snapshots: dict[str, int] = {}
    more_load: dict[str, float] = {}
    table_rows = 0

    def keep(_: str, kind: str, table: pa.Table) -> None:
        nonlocal table_rows
        table_rows += len(table)
        snapshots.update(_snapshots(table))
        if kind == "load" and alone:
            more_load.update(_more_load(table, alone))

    # As if it were written next to the specification, so that paths stay as they are.
    folder = file.parent
    batch = batch_of(expanded(sources, folder, keep), folder / MANIFEST)
    families = {
        family.id: sum(variant.count for variant in variants(specification, sources, family))
        for family in specification.families
    }
    states, seconds, size = 0, 0.0, 0.0
    for scenario in batch.scenarios:
        elements = alone or sources.elements(scenario.grid)
        rows = 1 + sum(elements.count(table) for table in ROW_TABLES)
        times = snapshots.get(scenario.load_rows or "", snapshots.get(scenario.gen_rows or "", 1))
        each = 1 + _contingencies(scenario.contingencies, elements)
        least, a_row = SECONDS.get(scenario.solver, SECONDS_ELSE)
        states += times * each
        seconds += times * each * (least + a_row * rows)
        kept = times * (rows + CONTINGENCY_ROWS * (each - 1))
        size += BYTES_A_FILE + 2 * kept * BYTES_A_ROW.get(scenario.solver, 40.0)
    warnings = [*_general_warnings(specification)]
    if alone:
        warnings += _balance_warnings(batch.scenarios, alone, more_load)
        warnings += _island_warnings(_outages_on(batch.scenarios, alone, file), alone)
    else:
        warnings.append("several grids: balances and islands were not looked at")
    limits = tuple(sources.limits)
    return Forecast(
        families, batch.scenarios, states, table_rows, seconds, size, limits, tuple(warnings)
    )


def _snapshots(table: pa.Table) -> dict[str, int]:
    """Return the number of snapshots of each scenario of a table."""
    if "snapshot" not in table.column_names:
        return {}
    pairs = table.group_by(["scenario", "snapshot"]).aggregate([])
    return dict(Counter(pairs["scenario"].to_pylist()))


def _more_load(table: pa.Table, elements: Elements) -> dict[str, float]:
    """Return the load of each scenario beyond the grid's own, in its worst snapshot, in MW."""
    ids = elements.ids("load")
    order = np.argsort(ids)
    at = order[np.searchsorted(ids, table["load"].to_numpy(), sorter=order)]
    before = elements.column("load", "p_mw")
    difference = (table["p_mw"].to_numpy() - before[at]) * _counting(elements, "load")[at]
    keys = [name for name in ("scenario", "snapshot") if name in table.column_names]
    sums = table.select(keys).append_column("more", pa.array(difference))
    sums = sums.group_by(keys).aggregate([("more", "sum")])
    worst = sums.group_by("scenario").aggregate([("more_sum", "max")])
    return dict(zip(worst["scenario"].to_pylist(), worst["more_sum_max"].to_pylist(), strict=True))


def _counting(elements: Elements, element: str) -> NDArray[np.float64]:
    """Return the factor on the power of each element: its scaling, or 0 if out of service."""
    scaling = elements.column(element, "scaling")
    return np.where(np.isfinite(scaling), scaling, 1.0) * elements.live(element)


def _contingencies(asked: Contingencies | None, elements: Elements) -> int:
    if asked is None:
        return 0
    if asked.sets is not None or asked.parts or asked.rules or asked.sequence:
        return len(contingencies_of(elements.index, asked))
    return comb(sum(elements.count(kind) for kind in asked.types), asked.depth)


def _general_warnings(specification: Specification) -> Iterator[str]:
    for family in specification.families:
        draws = family.values.get("draws")
        if draws and draws.get("method") == "sobol" and draws["count"] & (draws["count"] - 1):
            yield f"{family.id}: Sobol points are balanced for counts that are powers of 2"
        priced = [one for one in family.values.get("dispatch", ()) if "cost_multiplier" in one]
        if priced:
            yield f"{family.id}: cost_multiplier has no effect on a power flow"


def _balance_warnings(
    scenarios: Iterable[Scenario], elements: Elements, more_load: dict[str, float]
) -> Iterator[str]:
    """Warn of scenarios with more load than generators can give, where limits are known."""
    own = elements.column("load", "p_mw") @ _counting(elements, "load")
    limits = {}
    for element in ("gen", "sgen", "ext_grid"):
        given = elements.column(element, "max_p_mw")
        limits[element] = np.where(np.isnan(given), np.inf, given)
        if element == "sgen":
            present = elements.column(element, "p_mw") * _counting(elements, element)
            limits[element] = np.where(np.isnan(given), present, given)
        limits[element] = np.where(elements.live(element), limits[element], 0.0)
    total = sum(float(limit.sum()) for limit in limits.values())
    short = []
    for scenario in scenarios:
        load = (own + more_load.get(scenario.load_rows or "", 0.0)) * scenario.load_scale
        out = [outage for outage in scenario.outages if outage.type in limits]
        lost = sum(
            limits[outage.type][elements.index.position(outage.type, outage.id)] for outage in out
        )
        if load > (available := total - lost):
            short.append((load - available, scenario.id, load, available))
    if short:
        _, name, load, available = max(short)
        count = numbered(len(short), "scenario")
        yield (
            f"{count} with more load than generators can give; most of all {name}: "
            f"{load:.0f} MW of {available:.0f} MW"
        )


def _outages_on(
    scenarios: Iterable[Scenario], elements: Elements, file: Path
) -> dict[OutageSet, list[str]]:
    """Group scenarios by the set of elements that are out in them.

    Returns:
        Set of outages -> ids of scenarios.

    Raises:
        InputErrors: if elements don't exist; it holds all faults.
    """
    sets: dict[OutageSet, list[str]] = {}
    faults: list[GatBatchError] = []
    for scenario in scenarios:
        try:
            out = found(elements, [vars(outage) for outage in scenario.outages])
        except GatBatchError as fault:
            place = {"scenario": scenario.id, "field": "outages", "hint": fault.hint}
            faults.append(SpecificationError(fault.what, file=file, **place))
            continue
        sets.setdefault(out, []).append(scenario.id)
    if faults:
        raise InputErrors(faults)
    return sets


def _island_warnings(sets: dict[OutageSet, list[str]], elements: Elements) -> Iterator[str]:
    """Warn of scenarios whose outages cut buses off."""
    supply = Supply(elements)
    lost = [
        (supply.buses_lost(out), names) for out, names in list(sets.items())[:MOST_CHECKED] if out
    ]
    cut = [(buses, names) for buses, names in lost if buses]
    if cut:
        buses, names = max(cut)
        count = numbered(sum(len(some) for _, some in cut), "scenario")
        yield (
            f"{count} with buses cut off; most of all {names[0]}, {buses} of them "
            "(each_outage can leave such sets out: connected)"
        )
    if len(sets) > MOST_CHECKED:
        yield f"only {MOST_CHECKED} of {len(sets)} sets of outages were looked at for islands"
