"""A scenario laid over a network: which values differ, not a copy of the network.

- Table values are pandapower's own ``p_mw`` and ``q_mvar`` columns; an element's ``scaling``
  still applies on top. Only elements that the table names change.
- Where a load's or static generator's ``q_mvar`` is left out, its power factor is kept; where
  its ``p_mw`` is zero in the grid there is none to keep, and its ``q_mvar`` stays.
- A row for a bus gives the bus's total. It is shared among the loads in service there (or the
  generators and static generators) in proportion to their ``p_mw`` in the grid, or equally where
  that sums to zero.
- ``load_scale`` then multiplies p and q of every load, ``gen_scale`` p of every generator and
  p and q of every static generator. External grids take up the difference.
- Outages take elements out of service.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .errors import GatBatchError, InputErrors, TableError
from .injections import Injections, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from .elements import ElementIndex
    from .tables import InjectionTable


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
    """

    snapshot: str | None
    changes: tuple[Change, ...]


def scenario_states(
    index: ElementIndex,
    scenario: _Scenario,
    loads: InjectionTable | None,
    gens: InjectionTable | None,
) -> Iterator[State]:
    """The states of a scenario, one a snapshot.

    Args:
        index: the grid's elements.
        scenario: scales and outages.
        loads: the scenario's load table.
        gens: the scenario's generator table.

    Yields:
        A state for each snapshot in the order of the tables, or one without a snapshot.

    Raises:
        InputErrors: if the scenario doesn't fit the grid: all faults.
    """
    injections, outages, snapshots = _resolved(index, scenario, loads, gens)
    for snapshot in snapshots or (None,):
        changes = [
            change
            for injection in injections
            for change in _injection_changes(index.net, injection, snapshot, scenario)
        ]
        named = {change.element for change in changes}
        changes += _scale_changes(index.net, scenario, named)
        yield State(snapshot, (*changes, *outages))


def check_scenario(
    index: ElementIndex,
    scenario: _Scenario,
    loads: InjectionTable | None,
    gens: InjectionTable | None,
) -> None:
    """Check that a scenario fits a grid, without building its states.

    Raises:
        InputErrors: if it doesn't: all faults.
    """
    _resolved(index, scenario, loads, gens)


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
            originals.append((change, table, table[change.column].copy()))
            table[change.column] = change.values
        yield
    finally:
        for change, table, values in reversed(originals):
            # A solver may have put another table in its place.
            net[change.element] = table
            table[change.column] = values


def _resolved(
    index: ElementIndex,
    scenario: _Scenario,
    loads: InjectionTable | None,
    gens: InjectionTable | None,
) -> tuple[list[Injections], list[Change], tuple[str, ...]]:
    """Tables and outages held against the grid: positions instead of names."""
    faults: list[GatBatchError] = []
    injections = []
    if loads is not None:
        injections.append(resolve(index, loads, "load", faults))
    if gens is not None:
        injections.append(resolve(index, gens, "gen", faults))
    outages = _outage_changes(index, scenario.outages, faults)
    snapshots = _common_snapshots(loads, gens, faults)
    if faults:
        raise InputErrors(faults)
    return injections, outages, snapshots


def _common_snapshots(
    loads: InjectionTable | None, gens: InjectionTable | None, faults: list[GatBatchError]
) -> tuple[str, ...]:
    first = loads.snapshots if loads else ()
    second = gens.snapshots if gens else ()
    if loads and gens and first and second and set(first) != set(second):
        lonely = sorted(set(first) ^ set(second))[0]
        faults.append(
            TableError(
                f"snapshot {lonely!r} is in only one of {loads.file.name} and {gens.file.name}",
                file=gens.file,
                field="snapshot",
            )
        )
    return first or second


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
    return [Change(element, "in_service", values) for element, values in in_service.items()]


def _injection_changes(
    net: pandapowerNet, injections: Injections, snapshot: str | None, scenario: _Scenario
) -> Iterator[Change]:
    columns = injections.columns(net, snapshot)
    for (element, column), values in columns.items():
        factor = 1.0 if column == "vm_pu" else _factor(scenario, element)
        yield Change(element, column, values * factor)


def _factor(scenario: _Scenario, element: str) -> float:
    return scenario.load_scale if element == "load" else scenario.gen_scale


SCALED = {"load": ("p_mw", "q_mvar"), "gen": ("p_mw",), "sgen": ("p_mw", "q_mvar")}
"""Columns that the scales multiply."""


def _scale_changes(net: pandapowerNet, scenario: _Scenario, done: set[str]) -> list[Change]:
    """Changes of elements that no table names, but a scale multiplies all the same."""
    return [
        Change(element, column, net[element][column].to_numpy(np.float64) * factor)
        for element, columns in SCALED.items()
        if element not in done
        and (factor := _factor(scenario, element)) != 1.0
        and len(net[element])
        for column in columns
    ]
