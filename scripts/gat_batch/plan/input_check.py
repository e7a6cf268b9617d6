"""What a manifest names, checked against the files: grids, tables and the elements in them.

All faults of all scenarios are collected, so that a user can mend them in one go. Nothing is
solved and nothing is written here.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ..errors import ConfigError, GatBatchError, InputErrors, ManifestError, TableError
from ..study.scenario import OPTIMAL
from .analysis_check import analysis_faults
from .folder_check import folder_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..study.scenario import Scenario
    from .plan import Plan


def check_input(plan: Plan) -> list[Scenario]:
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
    named = {fault.scenario for fault in faults}
    others = [scenario for scenario in plan.batch.scenarios if scenario.id not in named]
    unsolved = others if faults else plan.unsolved()
    faults += (_in_manifest(fault, plan) for fault in _study_faults(plan, unsolved))
    if faults:
        raise InputErrors(faults)
    return unsolved


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
    for scenario in plan.batch.scenarios:
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
    named = ("loads", "gens", "costs", "limits")
    tables = [*((key, getattr(scenario, key)) for key in named)]
    tables += [("contingencies", file) for file in sets]
    for key, path in tables:
        if path is not None and path not in made and not path.is_file():
            what = "is a folder, not a table" if path.is_dir() else "no such file"
            hint = "paths are relative to the manifest's folder"
            yield TableError(what, file=path, scenario=scenario.id, field=key, hint=hint)


def _study_faults(plan: Plan, scenarios: Sequence[Scenario]) -> Iterator[GatBatchError]:
    """Yield faults of grids and tables that can't be read or don't fit together."""
    for _, group in groupby(sorted(scenarios, key=lambda s: s.grid), key=lambda s: s.grid):
        members = list(group)
        if any(map(_depends_on_elements, members)) or not plan.grid(members[0]).ships:
            # Imported late: a batch with nothing to solve needs no pandapower.
            from .study_check import grid_faults

            yield from grid_faults(plan, members)


def _depends_on_elements(scenario: Scenario) -> bool:
    """Return whether a scenario may name what its grid doesn't have; scaling all of it can't."""
    named = scenario.tables or scenario.outages or scenario.contingencies or scenario.time_slices
    return bool(named) or scenario.solver in OPTIMAL
