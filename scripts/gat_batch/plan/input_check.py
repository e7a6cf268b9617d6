"""What a manifest names, checked against the files: grids, tables and the elements in them.

All faults of all scenarios are collected, so that a user can mend them in one go. Nothing is
solved and nothing is written here.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ConfigError, GatBatchError, InputErrors, ManifestError, TableError
from ..parallel import apart
from ..process import set_up_solving, without_garbage_collection
from ..study.batch.scenarios import Members
from .analysis_check import analysis_faults
from .folder_check import folder_faults
from .shards import names_elements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..study.scenario import Scenario
    from .plan import Plan
    from .shards import Shard


def check_input(plan: Plan) -> Members:
    """Check the files that a batch names, and its own folders.

    Args:
        plan: the batch.

    Returns:
        The scenarios that have no right result yet. Only their grids and tables are read, as those
        of the others have passed before.

    Raises:
        InputErrors: if there are faults; it holds all of them.
    """
    faults = [*_file_faults(plan), *folder_faults(plan), *analysis_faults(plan)]
    faults += _comparison_faults(plan)
    unsolved = _others(plan, faults) if faults else plan.unsolved()
    faults += (_in_manifest(fault, plan) for fault in _study_faults(plan, unsolved))
    if faults:
        raise InputErrors(faults)
    return unsolved


def _others(plan: Plan, faults: Sequence[GatBatchError]) -> Members:
    """Return the scenarios that no fault names."""
    named = {fault.scenario for fault in faults}
    ids = plan.batch.outlines.ids
    numbers = [number for number, name in enumerate(ids) if name not in named]
    return Members(plan.batch.scenarios, numbers)


def _comparison_faults(plan: Plan) -> Iterator[GatBatchError]:
    """Yield a fault if there is no summary in the folder of the batch to compare with."""
    other = plan.config.against
    if other is None:
        return
    if other.resolve() == plan.folder.resolve():
        what = f"{other}: is this batch itself"
    elif not all(file.is_file() for file in plan.other_summary()):
        what = f"{other}: {'holds no summary' if other.is_dir() else 'no such folder'}"
    elif not {"{", "}"}.isdisjoint(str(other)):
        what = f"{other}: has braces in it, which Snakemake takes for a wildcard"
    else:
        return
    hint = "name the folder of a batch that has run, relative to the working directory"
    yield ConfigError(what, file="config", field="against", hint=hint)


def _in_manifest(fault: GatBatchError, plan: Plan) -> GatBatchError:
    """Name the manifest in a fault of what it asks of a grid, which belongs to no other file."""
    if fault.file is None:
        fault.file = str(plan.config.manifest)
    return fault


def _file_faults(plan: Plan) -> Iterator[GatBatchError]:
    """Yield a fault for each file that is missing or of an unknown kind; none is read."""
    made = set(plan.made())
    for shard in plan.shards:
        if not _is_there(plan, shard, made):
            yield from _named_faults(plan, shard, made)


def _is_there(plan: Plan, shard: Shard, made: set[Path]) -> bool:
    """Return whether the grid and all tables of a shard are there, under names without braces."""
    first, tables = shard.scenarios[0], set(shard.needs.tables) - made
    names = "".join(map(str, (first.grid, *shard.needs.tables)))
    try:
        plan.grid(first)
    except GatBatchError:
        return False
    return {"{", "}"}.isdisjoint(names) and all(path.is_file() for path in tables)


def _named_faults(plan: Plan, shard: Shard, made: set[Path]) -> Iterator[GatBatchError]:
    for scenario in shard.scenarios:
        if not {"{", "}"}.isdisjoint("".join(map(str, (scenario.grid, *scenario.tables)))):
            what = "the name of its grid or of a table has braces in it"
            hint = "Snakemake takes what stands in braces for a wildcard"
            yield ManifestError(what, file=plan.batch.file, scenario=scenario.id, hint=hint)
        try:
            plan.grid(scenario)
        except GatBatchError as fault:
            yield fault.at(scenario=scenario.id, field="grid")
        yield from _missing_tables(scenario, made)


def _missing_tables(scenario: Scenario, made: set[Path]) -> Iterator[GatBatchError]:
    sets = scenario.contingencies.files if scenario.contingencies else ()
    named = ("loads", "gens", "costs", "limits", "impedances")
    tables = [*((key, getattr(scenario, key)) for key in named)]
    tables += [("contingencies", file) for file in sets]
    for key, path in tables:
        if path is not None and path not in made and not path.is_file():
            what = "is a folder, not a table" if path.is_dir() else "no such file"
            hint = "paths are relative to the manifest's folder"
            yield TableError(what, file=path, scenario=scenario.id, field=key, hint=hint)


def _study_faults(plan: Plan, scenarios: Members) -> Iterator[GatBatchError]:
    """Yield faults of grids and tables that can't be read or don't fit together."""
    outlines = plan.batch.outlines
    by_grid: dict[str, list[int]] = {}
    for place, number in enumerate(scenarios.numbers):
        by_grid.setdefault(outlines.kind(number).grid, []).append(place)
    named = {outlines.kind(shard.numbers[0]).grid for shard in plan.shards if shard.needs.elements}
    for grid, places in sorted(by_grid.items()):
        members = Members(scenarios, places)
        asked = grid in named and any(map(names_elements, members))
        if asked or not plan.grid(members[0]).ships:
            yield from apart(partial(_grid_faults, plan, members))


def _grid_faults(plan: Plan, members: Sequence[Scenario]) -> Sequence[GatBatchError]:
    """Return faults of scenarios that share a grid, found in a process that is set up as jobs are.

    Snakemake's isn't ours alone, and stays as small as it is.
    """
    with without_garbage_collection():
        if "pandapower" not in sys.modules:
            set_up_solving()
        # Imported late: a batch with nothing to solve needs no pandapower.
        import pandapower  # noqa: F401 - by the grid's reader anyway

        from .study_check import grid_faults

    return list(grid_faults(plan, members))
