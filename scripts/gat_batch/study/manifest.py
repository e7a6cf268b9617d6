"""The manifest of a batch: which scenarios to solve, on which grids, and how.

A manifest is checked in two steps: its form against ``workflow/schemas/manifest.schema.json``,
then what a schema can't say (unique ids, options a solver knows). All faults are reported
together. Whether files exist and hold what is named in them is checked by ``plan.input_check``.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ..errors import GatBatchError, InputErrors
from ..files.documents import named_file, read_document
from ..files.json_lines import JsonLines
from ..files.schema_check import scenario_name, schema_faults
from .batch.entries import (
    contingencies_of_entry,
    keep_of_entry,
    options_of,
    solver_of,
    timeout_of,
)
from .batch.outlines import Kind, Outlines
from .batch.scenarios import Batch, Scenarios
from .manifest_faults import content_faults, id_faults, other_faults
from .scenario import (
    BRANCHES,
    DEPTHS,
    Cascade,
    Category,
    Contingencies,
    Outage,
    Scenario,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

NAMING = frozenset(
    ("loads", "gens", "costs", "limits", "impedances", "time_slices", "outages", "contingencies")
)
"""Keys of a scenario that may name tables, or elements of its grid."""

TABLES = {
    "loads": "load_rows",
    "gens": "gen_rows",
    "costs": "cost_rows",
    "limits": "",
    "impedances": "impedance_rows",
}
"""Keys of a scenario that name tables, and the field of :class:`Scenario` for those of their rows
that are meant."""

LABELS = ("id", "grid", "weight", "tags", "description", "metadata")
"""Keys of a scenario that its result is labelled with."""


def read_manifest(file: Path, schema: Mapping[str, Any] | None = None) -> Batch:
    """Read a manifest.

    Args:
        file: a JSON or YAML file.
        schema: the manifest's JSON Schema. Left out only where the same manifest has passed it
            already, as in the jobs of a running workflow.

    Returns:
        The batch.

    Raises:
        ManifestError: if the file can't be read or is malformed.
        InputErrors: if the content has faults; it holds all of them.
    """
    return batch_of(read_document(file), file, schema)


def batch_of(
    document: Any,
    file: Path,
    schema: Mapping[str, Any] | None = None,
    outlines: Outlines | None = None,
) -> Batch:
    """Check a manifest's content, and make a batch of it.

    Args:
        document: the content.
        file: where it lies, or will lie.
        schema: as for :func:`read_manifest`.
        outlines: those of its scenarios, if they are known.

    Returns:
        The batch.

    Raises:
        InputErrors: if the content has faults; it holds all of them.
    """
    if schema is not None:
        faults = schema_faults(document, schema, file)
        if not faults:
            faults = list(content_faults(document, file))
        else:
            rest = without_faulty(document, faults)
            faults += id_faults(document, file)
            if rest is not None:
                # What is said of all scenarios can't be judged by some of them.
                faults += [fault for fault in other_faults(rest, file) if fault.scenario]
        if faults:
            raise InputErrors(faults)
    entries = document["scenarios"]
    if not isinstance(entries, JsonLines):
        document = {**document, "scenarios": JsonLines.of(entries)}
    return outlined_batch(document, file, outlines or _outlines(entries, document))


def _outlines(entries: Iterable[Mapping[str, Any]], document: Mapping[str, Any]) -> Outlines:
    ids: list[str] = []
    codes = array("L")
    numbers: dict[Kind, int] = {}
    labels, text = hashlib.sha256(), json.JSONEncoder(sort_keys=True)
    for entry in entries:
        contingent = contingencies_of_entry(entry, document) is not None
        kind = Kind(
            solver_of(entry, document),
            entry.get("grid") or document["grid"],
            contingent,
            not contingent and NAMING.isdisjoint(entry),
            timeout_of(entry, document),
            "" if (keep := keep_of_entry(entry, document)) is None else text.encode(keep),
        )
        ids.append(entry["id"])
        codes.append(numbers.setdefault(kind, len(numbers)))
        labels.update(text.encode([entry.get(key) for key in LABELS]).encode())
    return Outlines(ids, tuple(numbers), codes, labels.hexdigest())


def outlined_batch(document: Mapping[str, Any], file: Path, outlines: Outlines) -> Batch:
    """Make a batch of a manifest that has passed all checks.

    Args:
        document: the content, the scenarios as text.
        file: where it lies, or will lie.
        outlines: an outline of each scenario.
    """
    compare = document.get("compare", ())
    return Batch(
        file=file,
        scenarios=Scenarios(
            document["scenarios"], lambda entry: _scenario(entry, document, file.parent)
        ),
        outlines=outlines,
        document=document,
        max_jobs=document.get("max_jobs"),
        layout=document.get("layout"),
        question=document.get("question", ""),
        compare=compare if isinstance(compare, str) else tuple(compare),
    )


def without_faulty(document: Any, faults: Sequence[GatBatchError]) -> dict[str, Any] | None:
    """Return a manifest without its faulty scenarios, so that the others can be checked too.

    Args:
        document: the content.
        faults: what was found in it so far.

    Returns:
        The rest, or None if nothing is left or a fault belongs to no scenario.
    """
    faulty = {fault.scenario for fault in faults}
    if None in faulty:
        return None
    entries = [
        entry
        for position, entry in enumerate(document["scenarios"])
        if scenario_name(entry, position) not in faulty
    ]
    return {**document, "scenarios": entries} if entries else None


def _contingencies(
    entry: Mapping[str, Any], document: Mapping[str, Any], folder: Path
) -> Contingencies | None:
    given = contingencies_of_entry(entry, document)
    if given is None:
        return None
    categories = {**document.get("categories", {}), **entry.get("categories", {})}
    judged = tuple(_category(name, by, folder) for name, by in categories.items())
    if isinstance(given, list):
        parts = tuple(_some_contingencies(part, folder, judged) for part in given)
        screens = {part.screen for part in parts}
        asked = Contingencies(parts=parts, screen=next(iter(screens)), categories=judged)
    else:
        asked = _some_contingencies(given, folder, judged)
    return _with_consequences(asked, {**document, **entry}, folder)


def _category(name: str, by: Mapping[str, Any], folder: Path) -> Category:
    found = Category(
        name,
        rating_percent=float(by.get("rating_percent", 100.0)),
        voltage_band_pu=tuple(by["voltage_band_pu"]) if "voltage_band_pu" in by else None,
    )
    rating = by.get("rating", "normal")
    if isinstance(rating, str):
        return replace(found, rating=rating)
    if "table" in rating:
        table = named_file(folder, rating["table"])
        return replace(found, rating=table.name, table=table)
    columns = tuple(sorted(rating.items()))
    return replace(found, rating=", ".join(column for _, column in columns), columns=columns)


def _with_consequences(
    asked: Contingencies, given: Mapping[str, Any], folder: Path
) -> Contingencies:
    """Add what follows contingencies: a cascade, or remedial actions."""
    if given.get("cascade"):
        asked = replace(asked, cascade=Cascade(**given["cascade"]))
    actions = given.get("actions")
    if actions:
        table = actions if isinstance(actions, str) else actions["table"]
        best = not isinstance(actions, str) and actions.get("choose") == "best"
        choose: Literal["in_order", "best"] = "best" if best else "in_order"
        asked = replace(asked, actions=named_file(folder, table), choose=choose)
    return asked


def _some_contingencies(
    entry: Any, folder: Path, categories: tuple[Category, ...]
) -> Contingencies:
    if isinstance(entry, str):
        depth = DEPTHS.get(entry)
        if depth is None:
            return Contingencies(sets=named_file(folder, entry), categories=categories)
        return Contingencies(depth, categories=categories)
    return Contingencies(
        depth=int(entry.get("depth", 1)),
        types=tuple(entry.get("types", BRANCHES)),
        vn_kv=tuple(entry["vn_kv"]) if "vn_kv" in entry else None,
        names=entry.get("names"),
        sets=named_file(folder, entry["sets"]) if "sets" in entry else None,
        screen=entry.get("screen"),
        category=entry.get("category", ""),
        rules=tuple(entry.get("rules", ())),
        sequence=tuple(_some_contingencies(one, folder, ()) for one in entry.get("sequence", ())),
        adjust=entry.get("adjust", "none"),
        categories=categories,
    )


def _scenario(entry: Mapping[str, Any], document: Mapping[str, Any], folder: Path) -> Scenario:
    # Where there are a million scenarios, most have none of these.
    named = [key for key in TABLES if entry.get(key) is not None]
    tables: dict[str, Any] = {key: named_file(folder, _table(entry[key])[0]) for key in named}
    tables |= {TABLES[key]: _table(entry[key])[1] for key in named if TABLES[key]}
    return Scenario(
        id=entry["id"],
        grid=entry.get("grid") or document["grid"],
        solver=solver_of(entry, document),
        timeout_secs=timeout_of(entry, document),
        options=options_of(entry, document),
        time_slices=entry.get("time_slices"),
        keep=keep_of_entry(entry, document),
        load_scale=float(entry.get("load_scale", 1)),
        gen_scale=float(entry.get("gen_scale", 1)),
        outages=tuple(
            Outage(outage["type"], _element_id(outage["id"])) for outage in entry.get("outages", ())
        ),
        contingencies=_contingencies(entry, document, folder),
        weight=float(entry.get("weight", 1)),
        tags=tuple(entry.get("tags", ())),
        description=entry.get("description", ""),
        metadata=entry.get("metadata", {}),
        **tables,
    )


def _table(entry: Any) -> tuple[str, str | None]:
    """Return the name of a table, and which of its rows are meant, if not all."""
    return (entry["file"], entry["rows"]) if isinstance(entry, dict) else (entry, None)


def _element_id(value: float | str) -> int | str:
    # JSON Schema takes 7.0 for an integer.
    return value if isinstance(value, str) else int(value)
