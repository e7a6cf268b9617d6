"""Faults of a manifest of the right form: those that a JSON Schema can't find."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..errors import GatBatchError, ManifestError
from ..files.json_lines import JsonLines
from ..files.words import nearest, numbered, shown
from .batch.entries import contingencies_of_entry, options_of, solver_of
from .scenario import DEPTHS, FOLLOWS, MOST_GROUPS, OPTIMAL, is_no_category
from .solver_options import OPTIONS, TYING, check_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from .scenario import Solver

SETS = (".csv", ".parquet", ".pq", ".xlsx", ".con")
"""Suffixes of tables of outage sets, and of PSS/E's files."""


def content_faults(document: Mapping[str, Any], file: Path) -> Iterator[GatBatchError]:
    """Find the faults of a manifest that has passed its schema.

    Args:
        document: the content, which keeps to the schema.
        file: the file to name in the faults.

    Yields:
        Each fault.
    """
    yield from id_faults(document, file)
    yield from other_faults(document, file)


def id_faults(document: Any, file: Path) -> Iterator[GatBatchError]:
    """Find ids that more than one scenario has, in a manifest of any form.

    Args:
        document: the content; what isn't of the right form is passed over.
        file: the file to name in the faults.

    Yields:
        Each fault.
    """
    entries = document.get("scenarios") if isinstance(document, dict) else None
    if not isinstance(entries, list | JsonLines):
        return
    ids = [entry.get("id") for entry in entries if isinstance(entry, dict)]
    counts = Counter(name for name in ids if isinstance(name, str))
    for name, count in counts.items():
        if count > 1:
            yield ManifestError(
                f"the id is given to {count} scenarios",
                file=file,
                scenario=name,
                field="id",
                hint="ids name folders and must be unique",
            )
    folded = Counter(name.casefold() for name in counts)
    for name in counts:
        if folded[name.casefold()] > 1:
            yield ManifestError(
                "the id differs from another one only by upper and lower case",
                file=file,
                scenario=name,
                field="id",
                hint="some file systems don't tell their folders apart",
            )


def other_faults(document: Mapping[str, Any], file: Path) -> Iterator[GatBatchError]:
    """Find the faults beside those of ids; otherwise as :func:`content_faults`."""
    common_faults = list(_common_option_faults(document, file))
    yield from common_faults
    yield from _category_faults(document.get("categories", {}), file, None)
    yield from _mistaken_categories(document, file)
    yield from _group_faults(document, file)
    for entry in document["scenarios"]:
        name = entry["id"]
        yield from _needless(entry, document, file)
        if "grid" not in entry and "grid" not in document:
            yield ManifestError(
                "missing",
                file=file,
                scenario=name,
                field="grid",
                hint="name a grid for the scenario or one for the whole batch",
            )
        options = entry.get("options", {}) if common_faults else options_of(entry, document)
        for fault in check_options(solver_of(entry, document), options):
            fault.file = str(file)
            yield fault.at(scenario=name, field="options")
        spec = contingencies_of_entry(entry, document)
        yield from _category_faults(entry.get("categories", {}), file, name)
        for fault in _contingency_faults(spec, solver_of(entry, document)):
            fault.file = str(file)
            yield fault.at(scenario=name, field="contingencies")
        outages = [(outage["type"], outage["id"]) for outage in entry.get("outages", [])]
        for (kind, element), count in Counter(outages).items():
            if count > 1:
                what = f"{kind} {element!r} is given {count} times"
                yield ManifestError(what, file=file, scenario=name, field="outages")


def _category_faults(
    categories: Mapping[str, Any], file: Path, scenario: str | None
) -> Iterator[GatBatchError]:
    """Yield faults of categories as written."""
    for name, by in categories.items():
        field = f"categories.{name}"
        if is_no_category(name):
            what = f"{name!r} can't be the name of a category"
            hint = f"results say none where there is no category, and {FOLLOWS} before what follows"
            yield ManifestError(what, file=file, scenario=scenario, field="categories", hint=hint)
        low, high = by.get("voltage_band_pu", (0.0, 1.0))
        if low > high:
            yield ManifestError(
                f"voltage_band_pu: {low:g} is above {high:g}",
                file=file,
                scenario=scenario,
                field=field,
                hint="the lowest voltage comes first",
            )


def _mistaken_categories(document: Mapping[str, Any], file: Path) -> Iterator[GatBatchError]:
    """Yield faults of categories that no contingency has, where none comes from a table."""
    if not document.get("categories"):
        return
    specs = [contingencies_of_entry(entry, document) for entry in document["scenarios"]]
    sets = [one for spec in specs for one in (spec if isinstance(spec, list) else [spec])]
    if any(
        "sets" in one if isinstance(one, dict) else str(one).lower().endswith(SETS)
        for one in sets
        if one is not None
    ):
        return
    used = {name for one in sets if isinstance(one, dict) for name in one.get("rules", ())}
    used |= {one["category"] for one in sets if isinstance(one, dict) and "category" in one}
    for name in document["categories"]:
        if name not in used:
            what = f"no contingency has the category {name!r}"
            hint = nearest(name, sorted(used)) or (
                f"there are {', '.join(sorted(used))}" if used else "contingencies have none"
            )
            yield ManifestError(what, file=file, field="categories", hint=hint)


def _group_faults(document: Mapping[str, Any], file: Path) -> Iterator[GatBatchError]:
    """Yield faults of the groups that are to be compared: each needs scenarios."""
    compare, entries = document.get("compare", []), document["scenarios"]
    if compare == []:
        return
    if isinstance(compare, list):
        tags = sorted({tag for entry in entries for tag in entry.get("tags", [])})
        for tag in (tag for tag in compare if tag not in tags):
            hint = nearest(tag, tags) if tags else "give scenarios tags"
            what = f"no scenario has the tag {tag!r}"
            yield ManifestError(what, file=file, field="compare", hint=hint)
        return
    told = [entry.get("metadata", {}) for entry in entries]
    values = {shown(known[compare]) for known in told if known.get(compare) is not None}
    what = f"scenarios have {numbered(len(values), 'value')} of {compare!r}"
    hint = f"2 to {MOST_GROUPS} groups can be compared"
    if not values:
        keys = sorted({key for known in told for key in known})
        hint = nearest(compare, keys) if keys else "give scenarios metadata, or name tags in a list"
        what = f"no scenario has metadata {compare!r}"
    if not 1 < len(values) <= MOST_GROUPS:
        yield ManifestError(what, file=file, field="compare", hint=hint)


def _form_meant(spec: str) -> str:
    """Return a hint that names the form that contingencies in words are meant to have, if any."""
    bare = spec.casefold().replace(" ", "").replace("-", "")
    return "".join(f"did you mean {name!r}?" for name in DEPTHS if name.replace("-", "") == bare)


def _contingency_faults(spec: Any, solver: Solver) -> Iterator[GatBatchError]:
    """Yield faults of contingencies as written: a list, one form of many, or nothing."""
    if isinstance(spec, list):
        for number, one in enumerate(spec, 1):
            for fault in _contingency_faults(one, solver):
                fault.what = f"entry {number} of the list: {fault.what}"
                yield fault
        if len({one.get("screen") if isinstance(one, dict) else None for one in spec}) > 1:
            yield ManifestError("screen is given for some only", hint="give it to all, or to none")
    if isinstance(spec, str) and spec not in DEPTHS and not spec.lower().endswith(SETS):
        what = f"{spec!r} is none of the allowed forms"
        forms = "n-1, n-2, a depth with types, rules, a table of outage sets, or PSS/E's .con"
        yield ManifestError(what, hint=_form_meant(spec) or forms)
    if isinstance(spec, dict):
        yield from _filter_faults(spec, solver)


WHOLE = ("depth", "rules", "sequence", "sets")
"""What says by itself which contingencies are meant; one of them is."""


def _filter_faults(spec: Mapping[str, Any], solver: Solver) -> Iterator[GatBatchError]:
    given = [name for name in WHOLE if name in spec]
    if len(given) != 1:
        said = " and ".join(given) or "none of them"
        what = f"one of {', '.join(WHOLE)} is needed: there is {said}"
        alone = "depth 1 is one element at a time, depth 2 each pair"
        yield ManifestError(what, hint="give a list to have several" if given else alone)
        return
    needless = {
        "types": ("rules", "sequence", "sets"),
        "category": ("rules",),
        "adjust": ("depth", "sets"),
        "vn_kv": ("sequence", "sets"),
        "names": ("sequence", "sets"),
    }
    for name, forms in needless.items():
        if name in spec and given[0] in forms:
            yield ManifestError(f"{name} means nothing to {given[0]}", hint="leave it out")
    if "sets" in spec and not spec["sets"].lower().endswith(SETS):
        yield ManifestError(f"{spec['sets']!r} is no table", hint=f"known are {', '.join(SETS)}")
    if is_no_category(spec.get("category", "")):
        what = f"{spec['category']!r} can't be the name of a category"
        hint = f"results say none where there is no category, and {FOLLOWS} before what follows"
        yield ManifestError(what, hint=hint)
    for one in spec.get("sequence", ()):
        yield from _filter_faults({"depth": 1, **one}, solver)
    if "vn_kv" in spec and spec["vn_kv"][0] > spec["vn_kv"][1]:
        what = f"vn_kv: {spec['vn_kv'][0]} is above {spec['vn_kv'][1]}"
        yield ManifestError(what, hint="the lowest voltage comes first")
    if "screen" in spec and solver != "ac":
        yield ManifestError(f"screen means nothing to solver {solver}", hint="use it with ac")


def _needless(
    entry: Mapping[str, Any], document: Mapping[str, Any], file: Path
) -> Iterator[GatBatchError]:
    """Yield a fault for each key that means nothing to the solver or contradicts another one."""
    solver, options = solver_of(entry, document), options_of(entry, document)
    for key in ("costs", "limits"):
        if key in entry and solver not in OPTIMAL and "dispatch" not in options:
            yield ManifestError(
                f"means nothing to {solver}",
                file=file,
                scenario=entry["id"],
                field=key,
                hint=f"it is for {' and '.join(OPTIMAL)}",
            )
    if "dispatch" in options and contingencies_of_entry(entry, document) is not None:
        what = "dispatch is chosen for one state, contingencies are solved on top of each"
        hint = "make a scenario of each outage, by each_outage say"
        yield ManifestError(what, file=file, scenario=entry["id"], field="options", hint=hint)
    follows = [key for key in ("cascade", "actions") if entry.get(key, document.get(key))]
    if follows and solver in OPTIMAL and contingencies_of_entry(entry, document) is not None:
        what = f"{follows[0]} means nothing to solver {solver}"
        hint = "it is for dc and ac: name it in those scenarios alone"
        yield ManifestError(what, file=file, scenario=entry["id"], field=follows[0], hint=hint)
    for key in ("loads", "gens") if "time_slices" in entry else ():
        if key in entry:
            what = "time_slices take loads and generation from the grid's time series"
            hint = "keep one of the two"
            yield ManifestError(what, file=file, scenario=entry["id"], field=key, hint=hint)
    if (tying := [name for name in TYING if options.get(name)]) and contingencies_of_entry(
        entry, document
    ) is not None:
        yield ManifestError(
            f"{tying[0]} tie snapshots together, contingencies are solved on top of each",
            file=file,
            scenario=entry["id"],
            field="contingencies",
            hint="make two scenarios of it",
        )


def _common_option_faults(document: Mapping[str, Any], file: Path) -> Iterator[GatBatchError]:
    """Yield faults of the options for all scenarios: one of their solvers must know each."""
    common = document.get("options", {})
    if not common:
        return
    solvers = sorted({solver_of(entry, document) for entry in document["scenarios"]})
    known = {name for solver in solvers for name in OPTIONS.get(solver, {})}
    for solver in solvers:
        own = {
            name: value
            for name, value in common.items()
            if name in OPTIONS.get(solver, {}) or (name not in known and solver == solvers[0])
        }
        for fault in check_options(solver, own):
            fault.file = str(file)
            yield fault.at(field="options")
