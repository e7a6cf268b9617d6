"""A scenario laid over a network: which values differ, not a copy of the network.

- Table values of elements are pandapower's own ``p_mw`` and ``q_mvar`` columns; an element's
  ``scaling`` still applies on top. Only elements that the table names change.
- Where a load's or static generator's ``q_mvar`` is left out, its power factor is kept; where
  its ``p_mw`` is zero in the grid there is none to keep, and its ``q_mvar`` stays.
- A row for a bus gives the bus's total, ``scaling`` included. It is shared among the loads in
  service there (or the generators and static generators) in proportion to their power in the
  grid, or equally where those powers have both signs or are all zero.
- ``load_scale`` then multiplies p and q of every load, ``gen_scale`` p of every generator and
  p and q of every static generator. External grids take up the difference.
- Outages take elements out of service.
- A limit table sets columns of limits, a cost table replaces the curves of the elements it names.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ..errors import GatBatchError, InputErrors, TableError
from ..study.opf_tables import REDISPATCH
from .tables.injections import Injections, resolve
from .tables.opf_changes import cost_curves, given_columns, place
from .tables.time_series import SCALED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ..grids.elements import ElementIndex
    from ..study.injections import InjectionTable
    from ..study.opf_tables import ElementTable
    from .costs import Costs
    from .tables.opf_changes import Placed
    from .tables.time_series import GridCourse


class _Outage(Protocol):
    @property
    def type(self) -> str: ...
    @property
    def id(self) -> int | str: ...


class _Scenario(Protocol):
    @property
    def load_scale(self) -> float: ...
    @property
    def gen_scale(self) -> float: ...
    @property
    def outages(self) -> Sequence[_Outage]: ...


@dataclass(frozen=True)
class Change:
    """New values in one column of an element table.

    Attributes:
        element: the table.
        column: the column.
        values: the whole column, shape (elements,).
    """

    element: str
    column: str
    values: NDArray[np.float64] | NDArray[np.bool_]


@dataclass(frozen=True)
class State:
    """One state of a grid.

    Attributes:
        snapshot: its name, or None if the scenario doesn't vary over time.
        changes: what differs from the grid as given.
        costs: cost curves in place of the grid's own.
    """

    snapshot: str | None
    changes: tuple[Change, ...]
    costs: Costs = field(default_factory=dict)


def scenario_states(
    index: ElementIndex,
    scenario: _Scenario,
    loads: InjectionTable | None,
    gens: InjectionTable | None,
    *,
    costs: ElementTable | None = None,
    limits: ElementTable | None = None,
    course: GridCourse | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[State]:
    """Return the states of a scenario, one a snapshot.

    Args:
        index: the grid's elements.
        scenario: scales and outages.
        loads: the scenario's load table.
        gens: the scenario's generator table.
        costs: its table of costs.
        limits: its table of limits.
        course: the snapshots that it has of its grid's time series.
        start: number of the first state wanted.
        stop: number of the one after the last; all that there are if None.

    Yields:
        A state for each snapshot in the order of the tables, or one without a snapshot.

    Raises:
        InputErrors: if the scenario doesn't fit the grid: all faults.
    """
    tables = _Tables(loads, gens, costs, limits, course)
    injections, outages, snapshots, priced, limited = _resolved(index, scenario, tables)
    steady = _curves(priced, None) if priced and not priced.table.snapshots else None
    for snapshot in (snapshots or (None,))[start:stop]:
        changes = [
            change
            for injection in injections
            for change in _injection_changes(index.net, injection, snapshot, scenario)
        ]
        named = {change.element for change in changes}
        changes += _scale_changes(index.net, scenario, named)
        for table, names in ((limited, None), (priced, REDISPATCH)):
            if table is not None:
                columns = given_columns(index.net, table, snapshot, names)
                changes += [Change(*place, values) for place, values in columns.items()]
        curves = _curves(priced, snapshot) if steady is None else steady
        yield State(snapshot, (*changes, *outages), curves)


def check_scenario(
    index: ElementIndex,
    scenario: _Scenario,
    loads: InjectionTable | None,
    gens: InjectionTable | None,
    *,
    costs: ElementTable | None = None,
    limits: ElementTable | None = None,
    course: GridCourse | None = None,
) -> None:
    """Check that a scenario fits a grid, without building its states.

    Raises:
        InputErrors: if it doesn't: all faults.
        TableError: if a curve of costs is at fault.
    """
    tables = _Tables(loads, gens, costs, limits, course)
    _, _, snapshots, priced, _ = _resolved(index, scenario, tables)
    for snapshot in snapshots or (None,):
        _curves(priced, snapshot)


@contextmanager
def applied(net: pandapowerNet, state: State) -> Iterator[None]:
    """Lay a state over a network, and take it off again whatever happens.

    Args:
        net: the network; afterwards exactly as before, types of columns included.
        state: the state.
    """
    originals = []
    try:
        for change in state.changes:
            table = net[change.element]
            known = change.column in table
            originals.append((change, table, table[change.column].copy() if known else None))
            table[change.column] = change.values
        yield
    finally:
        for change, table, values in reversed(originals):
            # A solver may have put another table in its place.
            net[change.element] = table
            if values is None:
                del table[change.column]
            else:
                table[change.column] = values


class _Tables(NamedTuple):
    """The tables of a scenario."""

    loads: InjectionTable | None
    gens: InjectionTable | None
    costs: ElementTable | None
    limits: ElementTable | None
    course: GridCourse | None


def _curves(priced: Placed | None, snapshot: str | None) -> Costs:
    return {} if priced is None else cost_curves(priced, snapshot)


def _resolved(
    index: ElementIndex, scenario: _Scenario, tables: _Tables
) -> tuple[
    list[Injections | GridCourse], list[Change], tuple[str, ...], Placed | None, Placed | None
]:
    """Return tables and outages held against the grid: positions instead of names."""
    faults: list[GatBatchError] = []
    injections: list[Injections | GridCourse] = []
    if tables.course is not None:
        injections.append(tables.course)
    if tables.loads is not None:
        injections.append(resolve(index, tables.loads, "load", faults))
    if tables.gens is not None:
        injections.append(resolve(index, tables.gens, "gen", faults))
    priced = place(index, tables.costs, faults) if tables.costs else None
    limited = place(index, tables.limits, faults) if tables.limits else None
    outages = _outage_changes(index, scenario.outages, faults)
    snapshots = _common_snapshots(tables, faults)
    if faults:
        raise InputErrors(faults)
    return injections, outages, snapshots, priced, limited


def _common_snapshots(tables: _Tables, faults: list[GatBatchError]) -> tuple[str, ...]:
    """Return the snapshots of the first table that has any; the others must have the same."""
    varying = [table for table in tables if table is not None and table.snapshots]
    for first, table in pairwise(varying):
        if set(first.snapshots) != set(table.snapshots):
            lonely = sorted(set(first.snapshots) ^ set(table.snapshots))[0]
            what = f"snapshot {lonely!r} is in only one of {first.file.name} and {table.file.name}"
            faults.append(TableError(what, file=table.file, field="snapshot"))
    return varying[0].snapshots if varying else ()


def _outage_changes(
    index: ElementIndex, outages: Sequence[_Outage], faults: list[GatBatchError]
) -> list[Change]:
    in_service: dict[str, NDArray[np.bool_]] = {}
    seen: set[tuple[str, int]] = set()
    for outage in outages:
        try:
            position = index.position(outage.type, outage.id)
        except GatBatchError as fault:
            faults.append(fault.at(field="outages"))
            continue
        if (outage.type, position) in seen:
            what = f"{outage.type} {outage.id!r} is given twice"
            faults.append(GatBatchError(what, field="outages"))
        seen.add((outage.type, position))
        if outage.type not in in_service:
            column = index.net[outage.type]["in_service"]
            in_service[outage.type] = column.to_numpy(bool, copy=True)
        in_service[outage.type][position] = False
        parts = index.parts_of(outage.type, position)
        if parts:
            live = index.net["shunt"]["in_service"].to_numpy(bool, copy=True)
            in_service.setdefault("shunt", live)[parts] = False
    return [Change(element, "in_service", values) for element, values in in_service.items()]


def _injection_changes(
    net: pandapowerNet,
    injections: Injections | GridCourse,
    snapshot: str | None,
    scenario: _Scenario,
) -> Iterator[Change]:
    columns = injections.columns(net, snapshot)
    for (element, column), values in columns.items():
        scaled = column in SCALED.get(element, ())
        factor = _factor(scenario, element) if scaled else 1.0
        yield Change(element, column, values if factor == 1.0 else values * factor)


def _factor(scenario: _Scenario, element: str) -> float:
    return scenario.load_scale if element == "load" else scenario.gen_scale


def _scale_changes(net: pandapowerNet, scenario: _Scenario, done: set[str]) -> list[Change]:
    """Return changes of elements that no table names, but a scale multiplies all the same."""
    return [
        Change(element, column, net[element][column].to_numpy(np.float64) * factor)
        for element, columns in SCALED.items()
        if element not in done
        and (factor := _factor(scenario, element)) != 1.0
        and len(net[element])
        for column in columns
    ]
