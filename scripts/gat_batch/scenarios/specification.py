"""The specification of scenarios: what is asked for, with inheritance resolved.

A specification is checked as a manifest is: its form against
``workflow/schemas/scenario_specification.schema.json``, then what a schema can't say. Whether the
grid has what is named is found out when the scenarios are made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..errors import GatBatchError, InputErrors, SpecificationError
from ..files.schema_check import schema_faults
from ..files.words import nearest
from ..study.con_files import subsystem_file
from .gat_scenarios import translated
from .outages.outage_sets import set_faults
from .quantities import combination_faults, quantity_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MANIFEST_KEYS = (
    "grid", "solver", "timeout_secs", "max_jobs", "options", "contingencies", "categories",
    "cascade", "actions", "keep", "layout", "question", "compare",
)  # fmt: skip
"""Keys for all scenarios that the manifest takes as they are."""

MERGED_KEYS = ("scale", "options", "metadata")
"""Keys whose values are merged with those of the base; all others replace them."""

TABLES = ("costs", "limits", "impedances")

PARAMETERS = ("load_scale", "gen_scale", "weight", "solver", "timeout_secs", "grid", *TABLES)
"""What a sweep can vary, beside ``scale.NAME`` and ``options.NAME``."""

LONGEST_TIMEOUT_SECS = 31_536_000
"""A year in seconds, as in the schemas."""

SOLVERS = ("dc", "ac", "dc_opf", "ac_opf")


@dataclass(frozen=True)
class Family:
    """One entry of a specification: a scenario, or many that are made alike.

    Attributes:
        id: its name, or the beginning of its members' names.
        values: its keys, with those of its bases and the defaults filled in.
    """

    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Specification:
    """A specification that has passed its checks.

    Attributes:
        file: where it was read from.
        top: keys that the manifest takes as they are.
        seed: start of all random numbers.
        element_tags: tag -> type -> elements, or a file with them.
        profiles: name -> factors over time.
        families: what scenarios to make, in the specification's order.
    """

    file: Path
    top: Mapping[str, Any]
    seed: int
    element_tags: Mapping[str, Any] | str
    profiles: Mapping[str, Mapping[str, Any]]
    families: tuple[Family, ...]

    def path(self, name: str) -> Path:
        """Return the path of a file that the specification names."""
        return self.file.parent / name

    def grids(self) -> list[str]:
        """Return the references to all grids, as written, each once."""
        found = []
        for family in self.families:
            swept = [family.values.get(key, {}).get("grid", []) for key in ("sweep", "zip")]
            own = family.values.get("grid", self.top.get("grid"))
            found += [name for names in swept for name in names] or [own]
        return list(dict.fromkeys(found))

    def named_files(self) -> list[str]:
        """Return the names of the files that scenarios are made from, without grids, each once."""
        found = [profile["file"] for profile in self.profiles.values()]
        found.append(self.element_tags)
        for family in self.families:
            sets = family.values.get("each_outage", {}).get("sets")
            found.append(sets)
            if isinstance(sets, str) and (beside := subsystem_file(self.path(sets))) is not None:
                found.append(str(PurePath(sets).with_suffix(beside.suffix)))
            for quantity in family.values.get("draws", {}).get("random", {}).values():
                files = ("correlation", "covariance", "rate", "file")
                found += [quantity.get(key) for key in files]
        return list(dict.fromkeys(name for name in found if isinstance(name, str)))

    def fault(
        self,
        what: str,
        scenario: str | None = None,
        field: str | None = None,
        hint: str | None = None,
    ) -> SpecificationError:
        """Make a fault of this specification."""
        return SpecificationError(what, file=self.file, scenario=scenario, field=field, hint=hint)


def read_specification(document: Any, file: Path, schema: Mapping[str, Any]) -> Specification:
    """Make a specification of a document, and check it.

    Args:
        document: the content of the file.
        file: where it was read from.
        schema: ``workflow/schemas/scenario_specification.schema.json``.

    Raises:
        InputErrors: if the content has faults; it holds all of them.
    """
    document = translated(document)
    faults = schema_faults(document, schema, file)
    if faults:
        raise InputErrors(faults)
    specification = Specification(
        file=file,
        top={key: document[key] for key in MANIFEST_KEYS if key in document},
        seed=int(document.get("seed", 0)),
        element_tags=document.get("element_tags", {}),
        profiles=document.get("profiles", {}),
        families=(),
    )
    faults = list(_inheritance_faults(specification, document["scenarios"]))
    if faults:
        raise InputErrors(faults)
    families = tuple(_families(document))
    for family in families:
        faults.extend(_family_faults(specification, family))
    if not families:
        faults.append(specification.fault("has only templates", hint="nothing would be made"))
    if faults:
        raise InputErrors(faults)
    return Specification(**{**vars(specification), "families": families})


def _inheritance_faults(
    specification: Specification, entries: list[dict[str, Any]]
) -> Iterator[GatBatchError]:
    by_id = {entry["id"]: entry for entry in entries}
    for name, count in Counter(entry["id"] for entry in entries).items():
        if count > 1:
            yield specification.fault(f"the id is given {count} times", name, "id")
    for name, entry in by_id.items():
        seen, base = [name], entry.get("base")
        while base is not None:
            if base not in by_id:
                if len(seen) == 1:
                    hint = nearest(base, list(by_id))
                    yield specification.fault(f"there is no scenario {base!r}", name, "base", hint)
                break
            if base in seen:
                if base == name:
                    what = f"goes in a circle: {' -> '.join([*seen, base])}"
                    yield specification.fault(what, name, "base")
                break
            seen.append(base)
            base = by_id[base].get("base")


def _families(document: Mapping[str, Any]) -> Iterator[Family]:
    by_id = {entry["id"]: entry for entry in document["scenarios"]}
    for name, entry in by_id.items():
        if entry.get("template"):
            continue
        line, base = [entry], entry.get("base")
        while base is not None:
            line.append(by_id[base])
            base = by_id[base].get("base")
        values: dict[str, Any] = dict(document.get("defaults", {}))
        for ancestor in reversed(line):
            merged = {
                key: {**values[key], **ancestor[key]}
                for key in MERGED_KEYS
                if key in values and key in ancestor
            }
            values |= ancestor | merged
        own = {key: value for key, value in values.items() if key not in ("id", "base", "template")}
        yield Family(name, own)


def _family_faults(specification: Specification, family: Family) -> Iterator[GatBatchError]:
    values = family.values

    def fault(what: str, field: str, hint: str | None = None) -> GatBatchError:
        return specification.fault(what, family.id, field, hint)

    if "grid" not in values and "grid" not in specification.top:
        yield fault("missing", "grid", "name a grid for the scenario or one for all")
    scales = values.get("scale", {})
    for key in ("sweep", "zip"):
        for name, choices in values.get(key, {}).items():
            yield from (
                fault(what, f"{key}.{name}", hint)
                for what, hint in _parameter_faults(name, choices, scales)
            )
    for name in values.get("sweep", {}).keys() & values.get("zip", {}).keys():
        yield fault("varies in sweep and in zip", f"zip.{name}")
    lengths = {len(choices) for choices in values.get("zip", {}).values()}
    if len(lengths) > 1:
        yield fault("the lists are of different lengths", "zip", "one value of each a scenario")
    yield from _time_faults(specification, family, fault)
    for what, key, hint in set_faults(values.get("each_outage", {})):
        yield fault(what, f"each_outage.{key}", hint)
    for name, quantity in values.get("draws", {}).get("random", {}).items():
        for what, field, hint in quantity_faults(quantity, scales):
            yield fault(what, ".".join(filter(None, ["draws.random", name, field])), hint)
    yield from (fault(what, key, hint) for what, key, hint in combination_faults(values))
    for key, kinds in (("loads", ("load",)), ("gens", ("gen", "sgen"))):
        if key in values and _changes(specification, family, kinds):
            what = "does not combine with other changes of the same elements"
            yield fault(what, key, "take out the table, or scale, profiles, dispatch and draws")


def _parameter_faults(
    name: str, choices: list[Any], scales: Mapping[str, Any]
) -> Iterator[tuple[str, str | None]]:
    head, _, tail = name.partition(".")
    if head == "scale" and tail:
        if tail not in scales:
            yield f"there is no scale {tail!r}", nearest(tail, scales) if scales else None
    elif not (head == "options" and tail) and name not in PARAMETERS:
        known = [*PARAMETERS, "scale.NAME", "options.NAME"]
        yield "is no parameter", nearest(name, known)
    for value in choices:
        if not _may_be(name, value):
            yield f"{value!r} is not a value of this parameter", None


def _may_be(name: str, value: Any) -> bool:
    """Return whether a parameter can have a value, as far as that follows from its kind."""
    if name == "solver":
        return value in SOLVERS
    if name in ("grid", *TABLES):
        return isinstance(value, str) and value != ""
    if name.startswith("options."):
        return isinstance(value, (str, int, float))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if name == "timeout_secs":
        return 0 < value <= LONGEST_TIMEOUT_SECS
    return value >= 0 or name not in ("weight", "load_scale", "gen_scale")


def _time_faults(
    specification: Specification, family: Family, fault: Any
) -> Iterator[GatBatchError]:
    slices = family.values.get("time_slices")
    if family.values.get("each_slice") and slices is None:
        yield fault("missing", "time_slices", "each_slice makes a scenario of each of them")
    if slices is not None and not isinstance(slices, list) and not specification.profiles:
        yield fault("there are no profiles to take the times from", "time_slices")
    if isinstance(slices, list) and len({str(name) for name in slices}) < len(slices):
        yield fault("a time is given twice", "time_slices")


def _changes(specification: Specification, family: Family, kinds: tuple[str, ...]) -> bool:
    """Return whether a family changes injections of these kinds by what it specifies itself."""
    values = family.values
    named = [*values.get("scale", {}).values()]
    named += values.get("draws", {}).get("random", {}).values()
    if values.get("time_slices"):
        named += specification.profiles.values()
    of_outages = [entry for entry in named if "rate" in entry]
    if any(entry["of"] in kinds for entry in named if entry not in of_outages):
        return True
    snapshots = values.get("time_slices") and not values.get("each_slice")
    return bool("gen" in kinds and values.get("dispatch")) or bool("load" in kinds and snapshots)
