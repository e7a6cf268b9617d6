"""Scenarios held against their grid: tables that can't be read, elements that it doesn't have."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import GatBatchError, InputErrors
from ..grids import read_grid
from ..grids.elements import ElementIndex
from ..grids.grid_check import check_study
from ..model.costs import grid_costs
from ..model.scenario_tables import alike_tables
from ..model.state import check_scenario
from ..model.tables.opf_changes import place
from ..model.tables.time_series import course_of
from ..parallel import cores, in_processes
from ..study.injection_tables import read_injections
from ..study.opf_tables import read_element_table
from ..study.scenario import OPTIMAL
from .contingency_check import check_contingencies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..model.scenario_tables import Tables
    from ..study.injections import InjectionTable
    from ..study.injections import Kind as Injected
    from ..study.opf_tables import ElementTable, Kind
    from ..study.scenario import Scenario
    from .plan import Plan

Result = TypeVar("Result")

PART = 1000
"""Scenarios that are checked in one go: those of a small batch take less time than a fork."""

MOST_PROCESSES = 4
"""Most processes that check: it is done where a run is started, which others may use as well."""


def grid_faults(plan: Plan, members: Sequence[Scenario]) -> Iterator[GatBatchError]:
    """Yield faults of scenarios that share a grid: its own, and what they ask of it.

    Args:
        plan: the batch.
        members: the scenarios.
    """
    try:
        net = read_grid(plan.grid(members[0]))
    except GatBatchError as fault:
        count = "" if len(members) == 1 else f"; {len(members)} scenarios use this grid"
        fault.what += count
        yield fault.at(scenario=members[0].id, field="grid")
        return
    if any(scenario.solver in OPTIMAL for scenario in members):
        try:
            grid_costs(net)
        except GatBatchError as fault:
            yield fault.at(scenario=members[0].id, field="grid")
    first = {scenario.solver: scenario for scenario in reversed(members)}
    for solver, scenario in first.items():
        try:
            check_study(net, str(plan.grid(scenario)), solver)
        except GatBatchError as fault:
            yield fault.at(scenario=scenario.id, field="grid")
    made = set(plan.made())
    check = _ScenarioCheck(ElementIndex(net), made)

    def faults_of(part: range) -> list[GatBatchError]:
        scenarios = [members[number] for number in part]
        tables = alike_tables(one for one in scenarios if made.isdisjoint(one.tables))
        found = ((scenario, check.faults(scenario, tables)) for scenario in scenarios)
        return [fault.at(scenario=scenario.id) for scenario, faults in found for fault in faults]

    numbers = range(len(members))
    parts = [numbers[first : first + PART] for first in numbers[::PART]]
    for faults in in_processes(faults_of, parts, min(cores(), MOST_PROCESSES)):
        yield from faults


class _ScenarioCheck:
    """Checks scenarios of one grid.

    Args:
        index: the grid's elements.
        made: tables that the run makes, which name what was found in this grid.
    """

    def __init__(self, index: ElementIndex, made: set[Path]) -> None:
        self._index, self._made = index, made
        # Neighbours in a manifest often share a table, a DC and an AC study of one hour say.
        self._injections = lru_cache(maxsize=16)(read_injections)
        self._elements = lru_cache(maxsize=16)(read_element_table)
        self._contingencies = lru_cache(maxsize=16)(partial(check_contingencies, index))

    def faults(self, scenario: Scenario, known: Tables) -> Sequence[GatBatchError]:
        """Return all faults of a scenario: one table's hide none of another's.

        Args:
            scenario: the scenario.
            known: tables that have been read, and have no faults of their own.
        """
        found: list[GatBatchError] = []

        def tried(work: Callable[[], Result]) -> Result | None:
            try:
                return work()
            except InputErrors as many:
                found.extend(many.faults)
            except GatBatchError as fault:
                found.append(fault)
            return None

        loads, gens = (
            known.get((kind, path))
            or tried(partial(self._injection_table, kind, path, rows, found))
            for kind, path, rows in scenario.injections
        )
        costs = tried(partial(self._element_table, "costs", scenario.costs, scenario.cost_rows))
        limits = tried(partial(self._element_table, "limits", scenario.limits))
        tried(partial(self._impedances, scenario, found))
        course = tried(partial(course_of, self._index.net, scenario.time_slices))
        named = partial(check_scenario, self._index, scenario, loads, gens)
        tried(partial(named, costs=costs, limits=limits, course=course))
        if scenario.contingencies is not None:
            tried(partial(self._contingencies, scenario.contingencies))
        return found

    def _injection_table(
        self, kind: Injected, path: Path | None, rows: str | None, found: list[GatBatchError]
    ) -> InjectionTable | None:
        if path is None or path in self._made:
            return None
        try:
            return self._injections(path, kind, rows)
        except InputErrors:
            # Read once more, for what its rows without faults name.
            return read_injections(path, kind, rows, found)

    def _element_table(
        self, kind: Kind, path: Path | None, rows: str | None = None
    ) -> ElementTable | None:
        if path is None or path in self._made:
            return None
        return self._elements(path, kind, rows)

    def _impedances(self, scenario: Scenario, found: list[GatBatchError]) -> None:
        rows = scenario.impedance_rows
        table = self._element_table("impedances", scenario.impedances, rows)
        if table is not None:
            place(self._index, table, found)
