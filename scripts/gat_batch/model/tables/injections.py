"""A load or generator table held against a grid: who gets which share of every row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...errors import GatBatchError, GridError, TableError
from ...study.wide_tables import UNIT
from .unit_columns import unit_positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pandapower.auxiliary import pandapowerNet

    from ...grids.elements import ElementIndex
    from ...study.injections import InjectionTable, Kind

TARGETS: dict[str, tuple[str, ...]] = {"load": ("load",), "gen": ("gen", "sgen")}
"""Elements that a row for a bus is shared among."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "load": ("p_mw", "q_mvar"),
    "gen": ("p_mw", "vm_pu"),
    "sgen": ("p_mw", "q_mvar"),
}
"""Columns that a table can set. A generator's reactive power follows from its voltage."""

AT_ONCE = 64
"""Snapshots whose values are computed together; those of a year don't fit in memory."""

_NO_ROWS = np.array([], dtype=np.int64)


@dataclass(frozen=True)
class Shares:
    """The elements of one kind that the labels of a table stand for.

    Attributes:
        label: label of each share, shape (shares,), sorted.
        position: position of the element in its table, shape (shares,).
        fraction: factor from the label's power to the element's ``p_mw``, shape (shares,).
    """

    label: NDArray[np.int64]
    position: NDArray[np.int64]
    fraction: NDArray[np.float64]


@dataclass
class Injections:
    """A table whose labels have been found in a grid.

    Attributes:
        table: the table.
        shares: for each kind of element, who gets which part of a label's value.
    """

    table: InjectionTable
    shares: dict[str, Shares]
    _begin: int = field(default=-1, init=False, repr=False)
    _columns: dict[tuple[str, str], NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False
    )

    def columns(
        self, net: pandapowerNet, snapshot: str | None
    ) -> dict[tuple[str, str], NDArray[np.float64]]:
        """Return columns as the table has them in one snapshot.

        Args:
            net: the grid as given.
            snapshot: the snapshot; a table without snapshots holds for all.

        Returns:
            Whole columns by (element, column), for every kind of element that the table sets.
        """
        begin, within = 0, 0
        if self.table.snapshots:
            begin, within = divmod(self._number[snapshot], AT_ONCE)
        if begin != self._begin:
            names = (self.table.snapshots or (None,))[begin * AT_ONCE :][:AT_ONCE]
            self._columns = self._of_snapshots(net, names)
            self._begin = begin
        return {place: values[within] for place, values in self._columns.items()}

    @cached_property
    def _number(self) -> dict[str | None, int]:
        return {name: number for number, name in enumerate(self.table.snapshots)}

    def _of_snapshots(
        self, net: pandapowerNet, names: Sequence[str | None]
    ) -> dict[tuple[str, str], NDArray[np.float64]]:
        """Return whole columns in several snapshots, shape (snapshots, elements)."""
        rows = [self.table.rows_by_snapshot.get(name, _NO_ROWS) for name in names]
        given = {
            name: _by_label(self.table, rows, values) for name, values in self.table.values.items()
        }
        result = {}
        for element, shares in self.shares.items():
            as_given = {name: net[element][name].to_numpy(np.float64) for name in COLUMNS[element]}
            new = {name: np.tile(values, (len(names), 1)) for name, values in as_given.items()}
            _set(new, given, shares)
            result.update({(element, column): values for column, values in new.items()})
        return result


def _by_label(
    table: InjectionTable, rows: Sequence[NDArray[np.int64]], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the values of rows of several snapshots, shape (snapshots, labels)."""
    result = np.full((len(rows), len(table.labels)), np.nan)
    snapshot, together = np.repeat(np.arange(len(rows)), [*map(len, rows)]), np.concatenate(rows)
    result[snapshot, table.label[together]] = values[together]
    return result


def _set(
    new: dict[str, NDArray[np.float64]], given: dict[str, NDArray[np.float64]], shares: Shares
) -> None:
    """Write what a table gives into copies of the grid's columns, shapes (snapshots, ...)."""
    label, position = shares.label, shares.position
    p_old = new["p_mw"][:, position]
    if "p_mw" in given:
        p_new = given["p_mw"][:, label] * shares.fraction
        _write(new["p_mw"], position, p_new)
        if "q_mvar" in new:
            ratio = np.divide(p_new, p_old, out=np.ones_like(p_old), where=p_old != 0)
            _write(new["q_mvar"], position, new["q_mvar"][:, position] * ratio)
    if "q_mvar" in given and "q_mvar" in new:
        _write(new["q_mvar"], position, given["q_mvar"][:, label] * shares.fraction)
    if "vm_pu" in given and "vm_pu" in new:
        _write(new["vm_pu"], position, given["vm_pu"][:, label])


def _write(
    column: NDArray[np.float64], position: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    """Write values that there are, shape (snapshots, positions), into a column."""
    column[:, position] = np.where(np.isfinite(values), values, column[:, position])


def resolve(
    index: ElementIndex, table: InjectionTable, kind: Kind, faults: list[GatBatchError]
) -> Injections:
    """Find the elements that a table names.

    Args:
        index: the grid's elements.
        table: the table.
        kind: whether it is a load or a generator table.
        faults: faults are added here.

    Returns:
        The table with its elements; of no use if faults were added.
    """
    if table.element == UNIT:
        units = unit_positions(index, table, faults)
        return Injections(table, {element: _whole(pairs) for element, pairs in units.items()})
    faults.extend(_unusable_columns(table, kind))
    positions = _positions(index, table, faults)
    found = np.flatnonzero(positions >= 0)
    if len(np.unique(positions[found])) < len(found):
        what = f"one {table.element} is named in two ways, by index and by name"
        faults.append(TableError(what, file=table.file, field=table.element))
    if table.element != "bus":
        shares = Shares(found, positions[found], np.ones(len(found)))
        return Injections(table, {table.element: shares})
    return Injections(table, _bus_shares(index.net, table, kind, positions, faults))


def _whole(pairs: list[tuple[int, int]]) -> Shares:
    """Return shares of elements that get all that their labels give."""
    label, position = np.array(pairs, dtype=np.int64).T
    return Shares(label, position, np.ones(len(pairs)))


def _positions(
    index: ElementIndex, table: InjectionTable, faults: list[GatBatchError]
) -> NDArray[np.int64]:
    """Return the position of each label's element, shape (labels,).

    -1 for those that add a fault.
    """
    labels, positions = index.found.get(table.element, ((), np.empty(0, np.int64)))
    if labels != table.labels:
        positions = np.array(
            [_position(index, table, label, faults) for label in table.labels], dtype=np.int64
        )
        if (positions >= 0).all():
            index.found[table.element] = table.labels, positions
    return positions


def _unusable_columns(table: InjectionTable, kind: Kind) -> list[GatBatchError]:
    if table.element == "gen" and "q_mvar" in table.values:
        hint = "its reactive power follows from vm_pu; take the column out"
        return [TableError("a gen has no q_mvar", file=table.file, field="q_mvar", hint=hint)]
    if table.element == "sgen" and "vm_pu" in table.values:
        hint = "it injects p and q; take the column out"
        return [TableError("an sgen has no vm_pu", file=table.file, field="vm_pu", hint=hint)]
    if table.element == "bus" and kind == "gen" and "q_mvar" in table.values:
        hint = "name the sgens whose q_mvar is meant"
        what = "a bus row can't say which element's q_mvar it gives"
        return [TableError(what, file=table.file, field="q_mvar", hint=hint)]
    return []


def _position(
    index: ElementIndex, table: InjectionTable, label: str, faults: list[GatBatchError]
) -> int:
    try:
        return index.position(table.element, label)
    except GridError as fault:
        place = table.place(int(np.argmax(table.label == table.labels.index(label))))
        what = f"{place}: {fault.what}"
        faults.append(TableError(what, file=table.file, field=table.element, hint=fault.hint))
        return -1


def _bus_shares(
    net: pandapowerNet,
    table: InjectionTable,
    kind: Kind,
    buses: NDArray[np.int64],
    faults: list[GatBatchError],
) -> dict[str, Shares]:
    """Share the values of buses among their elements in service.

    Each gets a part in proportion to its power in the grid, ``p_mw * scaling``; all get the same
    if their powers have both signs or are all zero, as proportions of a difference may be of any
    size. What an element gets is divided by its scaling, so that the total is true.
    """
    label_of_bus = {int(bus): label for label, bus in enumerate(buses) if bus >= 0}
    found: list[tuple[int, str, int, float, float]] = []
    for element in TARGETS[kind]:
        frame = net[element]
        at = net.bus.index.get_indexer(frame["bus"])
        scaling = frame["scaling"].to_numpy(np.float64)
        power = frame["p_mw"].to_numpy(np.float64) * scaling
        live = frame["in_service"].to_numpy(bool) & (scaling != 0)
        found += [
            (label_of_bus[bus], element, position, power[position], scaling[position])
            for position, bus in enumerate(at)
            if live[position] and bus in label_of_bus
        ]
    totals, sizes, counts = (np.zeros(len(buses)) for _ in range(3))
    for label, _, _, p_mw, _ in found:
        totals[label] += p_mw
        sizes[label] += abs(p_mw)
        counts[label] += 1
    for label in label_of_bus.values():
        if not counts[label]:
            what = f"bus {table.labels[label]!r} has no {' or '.join(TARGETS[kind])} in service"
            faults.append(TableError(what, file=table.file, field="bus"))
    if kind == "gen":
        holders = {label for label, element, *_ in found if element == "gen"}
        faults.extend(_useless_voltages(table, set(label_of_bus.values()) - holders))
    alike = (totals != 0) & (np.abs(totals) == sizes)
    shares = {}
    for element in TARGETS[kind]:
        own = sorted(share for share in found if share[1] == element)
        shares[element] = Shares(
            np.array([label for label, *_ in own], dtype=np.int64),
            np.array([position for _, _, position, *_ in own], dtype=np.int64),
            np.array(
                [
                    (p_mw / totals[label] if alike[label] else 1 / counts[label]) / scaling
                    for label, _, _, p_mw, scaling in own
                ]
            ),
        )
    return {element: share for element, share in shares.items() if len(share.label)}


def _useless_voltages(table: InjectionTable, labels: set[int]) -> list[GatBatchError]:
    """Return faults of voltages given for buses where no generator could hold them."""
    given = np.isfinite(table.values.get("vm_pu", np.full(len(table.label), np.nan)))
    useless = [label for label in np.unique(table.label[given]) if int(label) in labels]
    hint = "leave its vm_pu empty, or take the column out"
    return [
        TableError(
            f"bus {table.labels[label]!r} has no gen in service that could hold a voltage",
            file=table.file,
            field="vm_pu",
            hint=hint,
        )
        for label in useless
    ]
