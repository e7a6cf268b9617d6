"""Injections of generated scenarios: the grid's own times factors, as rows of shared tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..errors import GatBatchError, SpecificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..study.injections import Kind
    from .selection import Elements

KIND_OF: dict[str, Kind] = {"load": "load", "gen": "gen", "sgen": "gen"}

DECIMALS = 6
"""Power in MW is written to the watt; digits beyond that differ between machines."""

MOST_NAMES, MOST_ROWS = 1000, 2_000_000
"""Most scenarios and rows of one table, as a shard reads the tables of its members whole."""


@dataclass(frozen=True)
class Factors:
    """Factors on some elements of a kind.

    Attributes:
        positions: the elements, shape (elements,).
        active: factors of active power, to be broadcast to (draws, times, elements).
        reactive: the same of reactive power.
        over_time: whether they belong to time slices, even if only to one.
    """

    positions: NDArray[np.int64]
    active: NDArray[np.float64]
    reactive: NDArray[np.float64]
    over_time: bool = False


@dataclass(frozen=True)
class Setpoints:
    """Values that generators are given, whatever the grid has.

    Attributes:
        positions: the generators, shape (generators,).
        column: ``p_mw`` or ``vm_pu``.
        values: in MW or p.u., shape (draws, generators).
    """

    positions: NDArray[np.int64]
    column: str
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """New injections of some elements of a kind.

    Attributes:
        element: the kind.
        ids: indices of the elements, shape (elements,).
        p_mw: active power, shape (draws, times, elements), MW.
        q_mvar: reactive power, the same shape, MVAr; None for generators, whose voltage sets it.
        vm_pu: voltages, the same shape, p.u., NaN where they stay; None if all do.
    """

    element: str
    ids: NDArray[np.int64]
    p_mw: NDArray[np.float64]
    q_mvar: NDArray[np.float64] | None
    vm_pu: NDArray[np.float64] | None = None

    def by_scenario(self) -> Block:
        """Return the same injections with each time as a draw of its own."""
        shape = (-1, 1, len(self.ids))
        q_mvar, vm_pu = (
            None if values is None else values.reshape(shape)
            for values in (self.q_mvar, self.vm_pu)
        )
        return Block(self.element, self.ids, self.p_mw.reshape(shape), q_mvar, vm_pu)


def changed(
    elements: Elements,
    element: str,
    factors: Sequence[Factors],
    dispatch: Mapping[int, Mapping[str, Any]],
    setpoints: Sequence[Setpoints] = (),
    *,
    gen_scale: NDArray[np.float64],
    times: int,
) -> Block:
    """Return the injections of a kind of element after all factors and orders.

    Args:
        elements: the grid's elements.
        element: the kind.
        factors: what multiplies them.
        dispatch: position of a generator -> its limits and set values.
        setpoints: what generators are set to, in place of what factors make of them.
        gen_scale: what the manifest multiplies on top, shape (draws,).
        times: number of times.

    Returns:
        The injections of all elements that factors or orders name, changed or not.

    Raises:
        SpecificationError: if a power isn't finite, or orders meet a ``gen_scale`` of 0.
    """
    drawn = [one.positions for one in factors] + [one.positions for one in setpoints]
    named = [*drawn, np.array(sorted(dispatch), dtype=np.int64)]
    positions = np.unique(np.concatenate(named))
    p_mw = np.empty((len(gen_scale), times, len(positions)))
    p_mw[:] = elements.column(element, "p_mw")[positions]
    q_mvar = None
    if element != "gen":
        q_mvar = np.empty_like(p_mw)
        q_mvar[:] = elements.column(element, "q_mvar")[positions]
    for one in factors:
        at = np.searchsorted(positions, one.positions)
        p_mw[:, :, at] *= one.active
        if q_mvar is not None:
            q_mvar[:, :, at] *= one.reactive
    vm_pu = None
    for setpoint in setpoints:
        at = np.searchsorted(positions, setpoint.positions)
        if setpoint.column == "vm_pu":
            vm_pu = np.full_like(p_mw, np.nan) if vm_pu is None else vm_pu
            vm_pu[:, :, at] = setpoint.values[:, None, :]
            continue
        scaling = elements.column(element, "scaling")[setpoint.positions]
        if not gen_scale.all() or not scaling.all():
            raise SpecificationError("p_mw can't be set where it is scaled by 0")
        p_mw[:, :, at] = setpoint.values[:, None, :] / scaling / gen_scale[:, None, None]
    limits = elements.column(element, "min_p_mw")
    for position, order in dispatch.items():
        place = int(np.searchsorted(positions, position))
        before = p_mw[:, :, place].copy()
        p_mw[:, :, place] = _dispatched(before, order, limits[position], gen_scale[:, None])
        if q_mvar is not None:
            ratio = np.ones_like(before)
            np.divide(p_mw[:, :, place], before, out=ratio, where=before != 0)
            q_mvar[:, :, place] *= ratio
    if not np.isfinite(p_mw).all() or not (q_mvar is None or np.isfinite(q_mvar).all()):
        raise SpecificationError(f"leads to power of a {element} that is not finite")
    return Block(element, elements.ids(element)[positions], p_mw, q_mvar, vm_pu)


def _dispatched(
    p_mw: NDArray[np.float64],
    order: Mapping[str, Any],
    least: float,
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the power in MW that a generator is told to give, divided by the manifest's scale."""
    if not scale.all():
        raise SpecificationError("does not go with a gen_scale of 0", field="dispatch")
    low, high = order.get("min_p_mw", -np.inf), order.get("max_p_mw", np.inf)
    if order.get("must_run"):
        low = max(low, least if np.isfinite(least) else -np.inf)
    told = np.full_like(p_mw, order["p_mw"]) if "p_mw" in order else p_mw * scale
    result: NDArray[np.float64] = np.clip(told, low, max(low, high)) / scale
    return result


def dispatch_of(
    elements: Elements, orders: Iterable[Mapping[str, Any]]
) -> dict[str, dict[int, Mapping[str, Any]]]:
    """Find the generators that orders name.

    Returns:
        Kind -> position -> the order, without orders that set nothing.

    Raises:
        GatBatchError: if a generator doesn't exist, is named twice, must run but is out of service,
            or has limits that contradict each other.
    """
    result: dict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for order in orders:
        kinds = [order["type"]] if "type" in order else ["gen", "sgen"]
        try:
            element, position = elements.any_of(kinds, order["id"], "generator")
        except GatBatchError as fault:
            raise fault.at(field="dispatch") from None
        name = f"{element} {order['id']!r}"
        if position in result[element]:
            raise SpecificationError(f"{name} is given twice", field="dispatch")
        if order.get("min_p_mw", -np.inf) > order.get("max_p_mw", np.inf):
            raise SpecificationError(f"{name}: min_p_mw is above max_p_mw", field="dispatch")
        if order.get("must_run") and not elements.live(element)[position]:
            what = f"{name} is out of service in the grid and can't be run"
            raise SpecificationError(what, field="dispatch")
        if order.keys() & {"p_mw", "min_p_mw", "max_p_mw"} or order.get("must_run"):
            result[element][position] = order
    return {element: told for element, told in result.items() if told}


@dataclass
class SharedTables:
    """Tables of injections that scenarios share, handed on when they are full.

    Attributes:
        keep: called with the name, the kind and the rows of each table.
    """

    keep: Callable[[str, str, pa.Table], None]
    _rows: dict[tuple[str, bool, bool], list[pa.Table]] = field(default_factory=dict)
    _count: dict[tuple[str, bool, bool], int] = field(default_factory=dict)
    _names_in: dict[tuple[str, bool, bool], int] = field(default_factory=dict)
    _names: dict[tuple[str, bool, bool], str] = field(default_factory=dict)
    _tables: dict[str, int] = field(default_factory=dict)

    def add(self, names: Sequence[str], times: tuple[str, ...], block: Block) -> str:
        """Add the rows of some scenarios.

        Args:
            names: entries of the rows in the column ``scenario``, one for each draw.
            times: names of the snapshots; empty for a table without that column.
            block: the injections.

        Returns:
            The name of the table that will hold them.
        """
        key = (block.element, bool(times), block.vm_pu is not None)
        return self._added(key, len(names), _rows(names, times, block))

    def add_costs(self, names: Sequence[str], rows: pa.Table) -> str:
        """Add the costs of some scenarios; as :meth:`add`."""
        points = "p_mw" in rows.column_names
        return self._added(
            ("cost", points, "cp1_eur_per_mw" in rows.column_names), len(names), rows
        )

    def add_impedances(self, names: Sequence[str], rows: pa.Table) -> str:
        """Add the impedances of some scenarios; as :meth:`add`."""
        lines = "r_ohm_per_km" in rows.column_names
        return self._added(
            ("impedance", lines, "vk_percent" in rows.column_names), len(names), rows
        )

    def _added(self, key: tuple[str, bool, bool], names: int, rows: pa.Table) -> str:
        if key in self._rows and (
            self._names_in[key] + names > MOST_NAMES or self._count[key] + len(rows) > MOST_ROWS
        ):
            self._close(key)
        if key not in self._rows:
            plural = f"{key[0]}s"
            self._tables[plural] = self._tables.get(plural, 0) + 1
            self._rows[key], self._count[key], self._names_in[key] = [], 0, 0
            self._names[key] = f"{plural}_{self._tables[plural]:04}.parquet"
        self._rows[key].append(rows)
        self._count[key] += len(rows)
        self._names_in[key] += names
        return self._names[key]

    def close(self) -> None:
        """Hand on what is left."""
        for key in list(self._rows):
            self._close(key)

    def _close(self, key: tuple[str, bool, bool]) -> None:
        kind = KIND_OF.get(key[0], key[0])
        self.keep(self._names[key], kind, pa.concat_tables(self._rows.pop(key)))


def _rows(names: Sequence[str], times: tuple[str, ...], block: Block) -> pa.Table:
    draws, slices, count = block.p_mw.shape
    columns = {"scenario": pa.array(names).take(np.repeat(np.arange(draws), slices * count))}
    if times:
        every = np.tile(np.repeat(np.arange(slices), count), draws)
        columns["snapshot"] = pa.array(times).take(every)
    columns[block.element] = pa.array(np.tile(block.ids, draws * slices))
    columns["p_mw"] = pa.array(_rounded(block.p_mw))
    if block.q_mvar is not None:
        columns["q_mvar"] = pa.array(_rounded(block.q_mvar))
    if block.vm_pu is not None:
        columns["vm_pu"] = pa.array(_rounded(block.vm_pu), from_pandas=True)
    return pa.table(columns)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Adding zero turns -0.0 into 0.0.
    return values.round(DECIMALS).ravel() + 0.0
