"""Scenarios from a specification: family by family, draw by draw, outage set by outage set.

A member's name is the family's, followed by what it has of each kind of variation, in this order:
values of sweep and zip, number of the draw, time slice, outages.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GatBatchError, InputErrors
from ..files.json_lines import JsonLines
from ..study.manifest_faults import SETS
from .draws import drawn
from .injection_factors import KIND_OF, MOST_NAMES, SharedTables, changed
from .quantities import SCALARS
from .tables.impedances import impedance_rows
from .variants import MOST_SCENARIOS, Variant, safe, variants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from .draws import Draws
    from .named.sources import Sources
    from .specification import Specification

MOST_CELLS = 500_000
"""Most numbers of a kind that are in memory at a time."""

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")

CARRIED = (
    "solver",
    "timeout_secs",
    "options",
    "load_scale",
    "gen_scale",
    "outages",
    "cascade",
    "keep",
    "weight",
    "tags",
    "description",
    "metadata",
)
"""Keys of a scenario that the manifest takes as they are."""

PATHS = (
    "grid",
    "loads",
    "gens",
    "costs",
    "limits",
    "impedances",
    "contingencies",
    "actions",
    "categories",
)
"""Keys whose values may name files."""

FILES = ("grid", "loads", "gens", "costs", "limits", "impedances", "actions", "sets", "table")
"""Keys, of values within those too, whose text is a path."""


def expand(
    sources: Sources, out: Path, keep: Callable[[str, str, pa.Table], None]
) -> dict[str, Any]:
    """Make the scenarios of a specification.

    Args:
        sources: the specification, with what it names.
        out: folder that the manifest will lie in.
        keep: called with the name, the kind and the rows of each table that the manifest names.

    Returns:
        The manifest's content, the scenarios as text.

    Raises:
        InputErrors: if the specification can't be followed; it holds all faults.
    """
    specification, tables = sources.specification, SharedTables(keep)
    faults: list[GatBatchError] = []

    def entries() -> Iterator[dict[str, Any]]:
        count = 0
        for family in specification.families:
            try:
                for variant in variants(specification, sources, family):
                    if count + variant.count > MOST_SCENARIOS:
                        what = f"makes more than {MOST_SCENARIOS} scenarios in all"
                        hint = "cut it into several specifications"
                        raise specification.fault(what, family.id, hint=hint)
                    for entry in _members(variant, tables, out):
                        count += 1
                        yield entry
            except InputErrors as many:
                faults.extend(fault.at(scenario=family.id) for fault in many.faults)
            except GatBatchError as fault:
                fault.file = fault.file or str(specification.file)
                faults.append(fault.at(scenario=family.id))

    made = JsonLines.of(entries())
    if not faults and not made:
        hint = "no outage that each_outage asks for is left"
        faults.append(specification.fault("makes no scenario", hint=hint))
    if faults:
        raise InputErrors(faults)
    tables.close()
    top = {
        key: _seen_from(out, specification, key, value) for key, value in specification.top.items()
    }
    return {**top, "scenarios": made}


def _members(variant: Variant, tables: SharedTables, out: Path) -> Iterator[dict[str, Any]]:
    """Yield the manifest's entry of each member."""
    common = _common(variant, out)
    count = variant.design.count if variant.design else 1
    step = _draws_at_a_time(variant)
    for first in range(0, count, step):
        draws = drawn(variant, range(first, min(first + step, count)))
        named = _tables(variant, draws, tables)
        for row, draw in enumerate(draws.numbers):
            entry = dict(common)
            sets = [
                (suffix, [(kind, int(variant.elements.ids(kind)[at])) for kind, at in outages])
                for suffix, outages in variant.sets_of(draw)
            ]
            for key, factors in draws.parameters.items():
                entry[key] = round(float(entry.get(key, 1) * factors[row]), 9)
            if draws.weights[row] != 1:
                entry["weight"] = float(entry.get("weight", 1) * draws.weights[row])
            if not all(math.isfinite(entry.get(key, 1)) for key in (*SCALARS, "weight")):
                raise variant.specification.fault("leads to a factor that is not finite")
            for member, time in _names(variant, draw):
                tabled = {key: {"file": file, "rows": member} for key, file in named.items()}
                facts = dict(variant.chosen)
                facts |= {"draw": draw + 1} if variant.design else {}
                facts |= {"time": time} if time else {}
                for suffix, outages in sets:
                    ident = f"{member}-{suffix}" if suffix else member
                    _check_id(variant, ident)
                    yield _entry(ident, {**entry, **tabled}, [*draws.outages[row], *outages], facts)


def _draws_at_a_time(variant: Variant) -> int:
    """Return how many draws to make at a time, so that their injections take little memory."""
    quantities = sum(quantity.dimensions for quantity in variant.quantities)
    fixed = sum(len(one.positions) for many in variant.factors.values() for one in many)
    most = MOST_CELLS // max(1, (quantities + fixed) * max(1, len(variant.times)))
    return min(max(1, most), MOST_NAMES // 2)


def _names(variant: Variant, draw: int) -> list[tuple[str, str]]:
    """Return the name and the time of each member of a draw, as far as injections differ."""
    name = f"{variant.name}-{draw + 1:05}" if variant.design else variant.name
    if not variant.times or variant.snapshots:
        return [(name, "")]
    return [(f"{name}-{safe(time)}", time) for time in variant.times]


def _tables(variant: Variant, draws: Draws, tables: SharedTables) -> dict[str, str]:
    """Put the injections of some draws into tables.

    Returns:
        Key of a scenario, ``loads`` or the like -> name of the table.
    """
    kinds = [
        kind
        for kind in KIND_OF
        if kind in {*variant.factors, *draws.factors, *draws.setpoints, *variant.dispatch}
    ]
    if "gen" in kinds and "sgen" in kinds:
        what = "changes gens and sgens, and a table of generators can name only one of them"
        raise variant.specification.fault(what, hint="use gen_scale for one of them")
    members = [member for draw in draws.numbers for member, _ in _names(variant, draw)]
    gen_scale = np.full(len(draws.numbers), float(variant.values.get("gen_scale", 1)))
    gen_scale *= draws.parameters.get("gen_scale", 1.0)
    named = {}
    for kind in kinds:
        factors = [*variant.factors.get(kind, []), *draws.factors.get(kind, [])]
        over_time = any(one.over_time for one in factors)
        each = len(members) // len(draws.numbers)
        block = changed(
            variant.elements,
            kind,
            factors,
            variant.dispatch.get(kind, {}),
            draws.setpoints.get(kind, []),
            gen_scale=gen_scale,
            times=len(variant.times) if over_time else each,
        )
        if not variant.snapshots:
            block = block.by_scenario()
        times = variant.times if variant.snapshots and over_time else ()
        named[f"{KIND_OF[kind]}s"] = tables.add(members, times, block)
    if draws.costs is not None:
        each = len(members) // len(draws.numbers)
        by, order = draws.costs
        repeated = np.repeat(by, each, axis=0), np.repeat(order, each, axis=0)
        rows = variant.cost_curves.table(members, *repeated)
        named["costs"] = tables.add_costs(members, rows)
    if draws.impedances:
        each = len(members) // len(draws.numbers)
        scaled = {
            element: [replace(one, factors=np.repeat(one.factors, each, axis=0)) for one in many]
            for element, many in draws.impedances.items()
        }
        rows = impedance_rows(variant.elements, members, scaled)
        named["impedances"] = tables.add_impedances(members, rows)
    return named


def _entry(
    ident: str, entry: dict[str, Any], outages: list[tuple[str, int]], facts: dict[str, Any]
) -> dict[str, Any]:
    result = {"id": ident, **entry}
    if outages:
        own = entry.get("outages", [])
        known = {(one["type"], one["id"]) for one in own}
        new = [pair for pair in dict.fromkeys(outages) if pair not in known]
        result["outages"] = [*own, *({"type": kind, "id": label} for kind, label in new)]
    if facts:
        result["metadata"] = {**entry.get("metadata", {}), **facts}
    return result


def _check_id(variant: Variant, ident: str) -> None:
    if not SAFE_ID.fullmatch(ident):
        hint = "at most 128 characters: letters, digits and . _ + -"
        raise variant.specification.fault(f"leads to the id {ident!r}", field="id", hint=hint)


def _common(variant: Variant, out: Path) -> dict[str, Any]:
    """Return what all members of a variant have in common in the manifest."""
    values = variant.values
    common = {key: values[key] for key in CARRIED if key in values}
    for key in PATHS:
        if key in values:
            common[key] = _seen_from(out, variant.specification, key, values[key])
    others = "each_outage" in values or "draws" in values
    if others or any(outage["type"] == "branch" for outage in values.get("outages", ())):
        # By index, so that none of them is taken for another one.
        common["outages"] = [
            {"type": kind, "id": int(variant.elements.ids(kind)[at])}
            for kind, at in variant.outages
        ]
    if not common.get("outages", True):
        del common["outages"]
    if variant.times and not variant.factors:
        common["metadata"] = {**common.get("metadata", {}), "time_slices": list(variant.times)}
    return common


def _seen_from(out: Path, specification: Specification, key: str, value: Any) -> Any:
    """Return a value whose paths, the specification's, are seen from the folder ``out``."""
    if isinstance(value, list):
        return [_seen_from(out, specification, key, one) for one in value]
    if isinstance(value, dict):
        return {name: _seen_from(out, specification, name, one) for name, one in value.items()}
    if not isinstance(value, str) or not _is_path(key, value):
        return value
    path = specification.path(value)
    # Links are followed, since .. behind a link leads elsewhere.
    here, there = os.path.realpath(path.parent), os.path.realpath(out)
    return os.path.join(os.path.relpath(here, there), path.name)  # noqa: PTH118 - keeps the dots


def _is_path(key: str, value: str) -> bool:
    if key == "contingencies":
        return value.lower().endswith(SETS)
    return key in FILES and not value.startswith("pandapower:")
