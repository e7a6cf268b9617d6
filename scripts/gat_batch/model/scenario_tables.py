"""The tables of a scenario, read, and its states made of them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import InputErrors
from ..study.injection_tables import read_alike, read_injections
from ..study.opf_tables import read_element_table
from .state import scenario_states
from .tables.opf_changes import given_columns, place
from .tables.time_series import course_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pandapower.auxiliary import pandapowerNet

    from ..errors import GatBatchError
    from ..grids.elements import ElementIndex
    from ..study.injections import InjectionTable, Kind
    from ..study.scenario import Scenario
    from .state import State

    Tables = Mapping[tuple[Kind, Path | None], InjectionTable]


@dataclass(frozen=True)
class States:
    """The states of a scenario, made anew whenever they are asked for.

    Attributes:
        make: makes them in the same order each time; ``start`` and ``stop`` ask for some of them.
        count: how many there are.
    """

    make: Callable[..., Iterator[State]]
    count: int

    def __call__(self, start: int = 0, stop: int | None = None) -> Iterator[State]:
        """Make the states from one number up to another."""
        return self.make(start=start, stop=stop)


def alike_tables(scenarios: Iterable[Scenario]) -> Tables:
    """Read load and generator tables of many scenarios, as far as those are alike."""
    paths: dict[Kind, list[Path]] = {}
    for scenario in scenarios:
        for kind, path, rows in scenario.injections:
            if path is not None and rows is None:
                paths.setdefault(kind, []).append(path)
    return {
        (kind, path): table
        for kind, known in paths.items()
        for path, table in read_alike(known, kind).items()
    }


def read_states(
    index: ElementIndex, scenario: Scenario, known: Tables = MappingProxyType({})
) -> States:
    """Read the tables of a scenario.

    Args:
        index: the elements of its grid.
        scenario: the scenario.
        known: tables that have been read, as from :func:`alike_tables`.

    Returns:
        Its states.

    Raises:
        GatBatchError: if a table is at fault.
    """
    loads, gens = (
        (known.get((kind, path)) or read_injections(path, kind, rows)) if path else None
        for kind, path, rows in scenario.injections
    )
    costs = (
        read_element_table(scenario.costs, "costs", scenario.cost_rows) if scenario.costs else None
    )
    limits = read_element_table(scenario.limits, "limits") if scenario.limits else None
    course = course_of(index.net, scenario.time_slices)
    make = partial(
        scenario_states, index, scenario, loads, gens, costs=costs, limits=limits, course=course
    )
    tables = (table for table in (loads, gens, costs, limits, course) if table is not None)
    return States(make, max((len(table.snapshots) for table in tables), default=0) or 1)


def own_grid(index: ElementIndex, scenario: Scenario) -> pandapowerNet:
    """Return the grid of a scenario: the one given, or one with other impedances.

    What its states lay over it is the same in either. Tables without impedances of its own are
    those of the grid given.

    Args:
        index: the elements of the grid given.
        scenario: the scenario.

    Raises:
        GatBatchError: if its table of impedances is at fault.
    """
    net = index.net
    if scenario.impedances is None:
        return net
    table = read_element_table(scenario.impedances, "impedances", scenario.impedance_rows)
    faults: list[GatBatchError] = []
    placed = place(index, table, faults)
    if faults:
        raise InputErrors(faults)
    own = copy(net)
    columns = given_columns(net, placed, None)
    for element in {element for element, _ in columns}:
        own[element] = net[element].copy()
    for (element, column), values in columns.items():
        own[element][column] = values
    return own
