"""The manifest of a batch: which scenarios to solve, on which grids, and how.

A manifest is checked in two steps: its form against ``workflow/schemas/manifest.schema.json``,
then what a schema can't say (unique ids, options a solver knows). All faults are reported
together. Whether files exist and hold what is named in them is the concern of ``check``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..errors import GatBatchError, InputErrors, ManifestError
from ..files.documents import named_file, read_document, scenario_name, schema_faults
from .solver_options import OPTIONS, check_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from .injection_tables import Kind

OPTIMAL = ("dc_opf", "ac_opf")
"""Studies in which generation is chosen and not given."""


Engine = Literal["auto", "pandapower", "lightsim2grid"]


Solver = Literal["dc", "ac", "dc_opf", "ac_opf"]
OutageType = Literal["line", "trafo", "trafo3w", "gen", "sgen", "load", "bus"]

BRANCHES = ("line", "trafo", "trafo3w")

DEPTHS = {"n-1": 1, "n-2": 2}
"""Contingencies by name: how many branches fail together."""


@dataclass(frozen=True)
class Outage:
    """One element out of service.

    Attributes:
        type: the pandapower element table.
        id: its index, or its name.
    """

    type: OutageType
    id: int | str


@dataclass(frozen=True)
class Contingencies:
    """Which outages are solved on top of a scenario.

    Attributes:
        depth: elements that fail together.
        types: element tables that they come from.
        vn_kv: lowest and highest nominal voltage of what fails in kV, or None for any.
        names: pattern that its names match, with ``*`` and ``?``, or None for any.
        sets: table of outage sets in place of all that, or None.
        screen: ``dc`` to solve by AC only what a DC power flow finds severe, or None.
    """

    depth: int = 1
    types: tuple[str, ...] = BRANCHES
    vn_kv: tuple[float, float] | None = None
    names: str | None = None
    sets: Path | None = None
    screen: Literal["dc"] | None = None


@dataclass(frozen=True)
class Scenario:
    """One scenario, with the manifest's defaults filled in.

    Attributes:
        id: unique name; it names the scenario's folder.
        grid: grid reference as written in the manifest.
        solver: kind of study.
        timeout_secs: wall-clock limit of one attempt, in seconds.
        options: solver options by pandapower's names.
        loads: table of changed loads, or None.
        gens: table of changed generators, or None.
        load_rows: which rows of a load table that several scenarios share, or None for all.
        gen_rows: the same of the generator table.
        costs: table of cost curves, or None.
        limits: table of limits, or None.
        load_scale: factor on every load.
        gen_scale: factor on every generator.
        outages: elements out of service.
        contingencies: outages solved on top of that, or None.
        weight: weight in statistics over scenarios.
        tags: labels carried into the summaries.
        description: text carried into the summaries.
        metadata: anything else carried into the summaries.
    """

    id: str
    grid: str
    solver: Solver = "dc"
    timeout_secs: float = 60.0
    options: Mapping[str, Any] = field(default_factory=dict)
    loads: Path | None = None
    gens: Path | None = None
    load_rows: str | None = None
    gen_rows: str | None = None
    costs: Path | None = None
    limits: Path | None = None
    load_scale: float = 1.0
    gen_scale: float = 1.0
    outages: tuple[Outage, ...] = ()
    contingencies: Contingencies | None = None
    weight: float = 1.0
    tags: tuple[str, ...] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def injections(self) -> tuple[tuple[Kind, Path | None, str | None], ...]:
        """Kind, file and rows of the load table and the generator table."""
        return ("load", self.loads, self.load_rows), ("gen", self.gens, self.gen_rows)

    @property
    def tables(self) -> tuple[Path, ...]:
        """The tables that the scenario reads."""
        sets = self.contingencies.sets if self.contingencies else None
        named = (self.loads, self.gens, self.costs, self.limits, sets)
        return tuple(path for path in named if path is not None)


@dataclass(frozen=True)
class Batch:
    """A manifest that has passed its checks.

    Attributes:
        file: the manifest.
        scenarios: the scenarios, in the manifest's order.
        max_jobs: most scenarios solved at the same time, or None for no cap.
    """

    file: Path
    scenarios: tuple[Scenario, ...]
    max_jobs: int | None = None

    @property
    def folder(self) -> Path:
        """The folder that the manifest's paths are relative to."""
        return self.file.parent


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
        InputErrors: if the content has faults: all of them.
    """
    return batch_of(read_document(file), file, schema)


def batch_of(document: Any, file: Path, schema: Mapping[str, Any] | None = None) -> Batch:
    """The batch that a manifest's content stands for.

    Args:
        document: the content.
        file: where it lies, or will lie.
        schema: as for :func:`read_manifest`.

    Returns:
        The batch.

    Raises:
        InputErrors: if the content has faults: all of them.
    """
    if schema is not None:
        faults = schema_faults(document, schema, file)
        if not faults:
            faults = list(content_faults(document, file))
        elif (rest := without_faulty(document, faults)) is not None:
            # What is said of all scenarios can't be judged by some of them.
            faults += [fault for fault in content_faults(rest, file) if fault.scenario]
        if faults:
            raise InputErrors(faults)
    entries = document["scenarios"]
    return Batch(
        file=file,
        scenarios=tuple(_scenario(entry, document, file.parent) for entry in entries),
        max_jobs=document.get("max_jobs"),
    )


def without_faulty(document: Any, faults: Sequence[GatBatchError]) -> dict[str, Any] | None:
    """A manifest without its faulty scenarios, so that all faults of the others are found, too.

    Args:
        document: the content.
        faults: what was found in it so far.

    Returns:
        The rest; None if nothing is left, or if a fault isn't one of a scenario.
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


def content_faults(document: Mapping[str, Any], file: Path) -> Iterator[GatBatchError]:
    """What is wrong with a manifest of the right form.

    Args:
        document: the content, which keeps to the schema.
        file: the file to name in the faults.

    Yields:
        Each fault.
    """
    common_faults = list(_common_option_faults(document, file))
    yield from common_faults
    counts = Counter(entry["id"] for entry in document["scenarios"])
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
        options = entry.get("options", {}) if common_faults else _options(entry, document)
        for fault in check_options(_solver(entry, document), options):
            fault.file = str(file)
            yield fault.at(scenario=name, field="options")
        spec = _contingency_entry(entry, document)
        if isinstance(spec, str) and spec not in DEPTHS and not spec.lower().endswith(".csv"):
            yield ManifestError(
                f"{spec!r} is none of the allowed forms",
                file=file,
                scenario=name,
                field="contingencies",
                hint="n-1, n-2, a depth with types, or a CSV file of outage sets",
            )
        if isinstance(spec, dict):
            for fault in _filter_faults(spec, _solver(entry, document)):
                fault.file = str(file)
                yield fault.at(scenario=name, field="contingencies")
        outages = [(outage["type"], outage["id"]) for outage in entry.get("outages", [])]
        for (kind, element), count in Counter(outages).items():
            if count > 1:
                yield ManifestError(
                    f"{kind} {element!r} is given {count} times",
                    file=file,
                    scenario=name,
                    field="outages",
                )


def _filter_faults(spec: Mapping[str, Any], solver: Solver) -> Iterator[GatBatchError]:
    if "vn_kv" in spec and spec["vn_kv"][0] > spec["vn_kv"][1]:
        what = f"vn_kv: {spec['vn_kv'][0]} is above {spec['vn_kv'][1]}"
        yield ManifestError(what, hint="the lowest voltage comes first")
    if "screen" in spec and solver != "ac":
        yield ManifestError(f"screen means nothing to solver {solver}", hint="use it with ac")


def _needless(
    entry: Mapping[str, Any], document: Mapping[str, Any], file: Path
) -> Iterator[GatBatchError]:
    """Keys that say nothing to the scenario's solver, or contradict each other."""
    solver = _solver(entry, document)
    for key in ("costs", "limits"):
        if key in entry and solver not in OPTIMAL:
            yield ManifestError(
                f"means nothing to {solver}",
                file=file,
                scenario=entry["id"],
                field=key,
                hint=f"it is for {' and '.join(OPTIMAL)}",
            )
    if _options(entry, document).get("ramps") and _contingency_entry(entry, document) is not None:
        yield ManifestError(
            "ramps tie snapshots together, contingencies are solved on top of each",
            file=file,
            scenario=entry["id"],
            field="contingencies",
            hint="make two scenarios of it",
        )


def _common_option_faults(document: Mapping[str, Any], file: Path) -> Iterator[GatBatchError]:
    """Faults of the options for all scenarios: each must mean something to one of their solvers."""
    common = document.get("options", {})
    solvers = sorted({_solver(entry, document) for entry in document["scenarios"]})
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


def _solver(entry: Mapping[str, Any], document: Mapping[str, Any]) -> Solver:
    solver: Solver = entry.get("solver", document.get("solver", "dc"))
    return solver


def _options(entry: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a scenario: its own, and those of all that its solver knows."""
    known = OPTIONS.get(_solver(entry, document), {})
    common = {name: value for name, value in document.get("options", {}).items() if name in known}
    return {**common, **entry.get("options", {})}


def _contingency_entry(entry: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    return entry.get("contingencies", document.get("contingencies"))


def _contingencies(entry: Any, folder: Path) -> Contingencies | None:
    if entry is None:
        return None
    if isinstance(entry, str):
        depth = DEPTHS.get(entry)
        return (
            Contingencies(sets=named_file(folder, entry)) if depth is None else Contingencies(depth)
        )
    return Contingencies(
        depth=int(entry["depth"]),
        types=tuple(entry.get("types", BRANCHES)),
        vn_kv=tuple(entry["vn_kv"]) if "vn_kv" in entry else None,
        names=entry.get("names"),
        screen=entry.get("screen"),
    )


def _scenario(entry: Mapping[str, Any], document: Mapping[str, Any], folder: Path) -> Scenario:
    def table(key: str) -> Path | None:
        named = _table(entry.get(key))[0]
        return None if named is None else named_file(folder, named)

    return Scenario(
        id=entry["id"],
        grid=entry.get("grid") or document["grid"],
        solver=_solver(entry, document),
        timeout_secs=float(entry.get("timeout_secs", document.get("timeout_secs", 60))),
        options=_options(entry, document),
        loads=table("loads"),
        gens=table("gens"),
        load_rows=_table(entry.get("loads"))[1],
        gen_rows=_table(entry.get("gens"))[1],
        costs=table("costs"),
        limits=table("limits"),
        load_scale=float(entry.get("load_scale", 1)),
        gen_scale=float(entry.get("gen_scale", 1)),
        outages=tuple(
            Outage(outage["type"], _element_id(outage["id"])) for outage in entry.get("outages", ())
        ),
        contingencies=_contingencies(_contingency_entry(entry, document), folder),
        weight=float(entry.get("weight", 1)),
        tags=tuple(entry.get("tags", ())),
        description=entry.get("description", ""),
        metadata=entry.get("metadata", {}),
    )


def _table(entry: Any) -> tuple[str | None, str | None]:
    """Name of a table, and which of its rows are meant."""
    return (entry["file"], entry["rows"]) if isinstance(entry, dict) else (entry, None)


def _element_id(value: float | str) -> int | str:
    # JSON Schema takes 7.0 for an integer.
    return value if isinstance(value, str) else int(value)
