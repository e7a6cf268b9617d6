"""All contingencies of a batch, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..model.violations import HAIR_PU
from ..study.scenario import FOLLOWS
from .overloads import Overloads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..model.violations import Limits

CONTINGENCY_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "rank": (pa.int64(), "1 is the worst: no convergence, then load cut off, then loading"),
    "scenario": (pa.string(), "id of the scenario"),
    "snapshot": (pa.string(), "its snapshot"),
    "contingency": (pa.string(), "what fails, as line:12, several joined by +"),
    "category": (pa.string(), "its category"),
    "status": (pa.string(), "ok, islanded or not_converged"),
    "unserved_mw": (pa.float64(), "load cut off, MW"),
    "lost_generation_mw": (pa.float64(), "generation cut off, MW"),
    "max_loading_percent": (pa.float64(), "worst loading, percent of the category's ratings"),
    "max_loading_element": (pa.string(), "that branch"),
    "min_vm_pu": (pa.float64(), "lowest voltage, p.u."),
    "min_vm_bus": (pa.int64(), "its bus"),
    "max_vm_pu": (pa.float64(), "highest voltage, p.u."),
    "max_vm_bus": (pa.int64(), "its bus"),
    "worst_vm_pu": (pa.float64(), "voltage furthest outside its band, p.u."),
    "worst_vm_bus": (pa.int64(), "its bus"),
    "worst_vm_limit": (pa.float64(), "the limit that it breaks, p.u."),
    "loading_violations": (pa.int64(), "branches above the loading limit"),
    "voltage_violations": (pa.int64(), "buses outside their voltage band"),
    "new": (pa.bool_(), "whether it breaks a limit of its category that its base case keeps"),
    "last": (pa.bool_(), "whether nothing follows it: no remedial action, no round of a cascade"),
    "engine": (pa.string(), "what solved it"),
    "detail": (pa.string(), "why it isn't ok"),
}
"""Columns of the table of contingencies: type and meaning."""

_SCHEMA = pa.schema([(name, kind) for name, (kind, _) in CONTINGENCY_COLUMNS.items()])


class ContingencyRanking:
    """Collects contingencies and ranks them.

    Args:
        limits: what counts as a violation of a base case.

    Attributes:
        overloads: the branches that they overload.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: list[pa.Table] = []
        self.overloads = Overloads()

    def add(self, table: pa.Table, keep: object = "all") -> None:
        """Add rows of one result.

        Args:
            table: whole contingencies, each with its system row in front.
            keep: which rows it keeps; of ``system`` ones alone violations are told by their
                extremes, and count once.
        """
        rows = table.filter(pc.is_valid(table["contingency"])).combine_chunks()
        is_system = pc.equal(rows["element"], "system")
        system = rows.filter(is_system)
        if not len(system):
            return
        broken = pc.is_valid(rows["limit"])
        bus = pc.equal(rows["element"], "bus")
        loaded = pc.and_(broken, pc.invert(bus))
        self.overloads.add(rows.filter(loaded))
        number = np.cumsum(is_system.to_numpy()) - 1
        for name, bad in (
            ("loading_violations", loaded),
            ("voltage_violations", pc.and_(broken, bus)),
        ):
            counts = np.bincount(number[bad.to_numpy().astype(bool)], minlength=len(system))
            if keep == "system":
                counts = self._by_extremes(system, name)
            system = system.append_column(name, pa.array(counts, pa.int64()))
        where = np.flatnonzero(broken.to_numpy().astype(bool))
        of, worst = rows.take(where), number[where]
        fresh = np.zeros(len(system), bool)
        fresh[worst[self._is_new(of)]] = True
        unknown = np.full(len(system), keep == "system")
        system = system.append_column("new", pa.array(fresh, mask=unknown))
        for name, values in _worst_voltages(of, worst, len(system)).items():
            system = system.append_column(name, values)
        system = system.append_column("last", pa.nulls(len(system), pa.bool_()))
        system = system.append_column("rank", pa.nulls(len(system), pa.int64()))
        self._parts.append(system.select(_SCHEMA.names).cast(_SCHEMA))

    def _by_extremes(self, system: pa.Table, name: str) -> Any:
        """Tell from system rows whether limits are broken, 1 or 0 for each."""
        if name == "loading_violations":
            over = pc.greater(system["max_loading_percent"], self._limits.most_percent)
        else:
            low, high = self._limits.band_pu
            over = pc.or_kleene(
                pc.less(system["min_vm_pu"], low), pc.greater(system["max_vm_pu"], high)
            )
        return over.fill_null(fill_value=False).to_numpy().astype(np.int64)

    def _is_new(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Tell of rows of violations whether the limit held before the contingency."""
        before, limit = (np.array(rows[name], float) for name in ("before", "limit"))
        bus = pc.equal(rows["element"], "bus").to_numpy().astype(bool)
        low = np.array(rows["vm_pu"], float) < limit
        broken = np.where(bus & low, before < limit - HAIR_PU, before > limit + HAIR_PU)
        broken = np.where(bus, broken, before > self._limits.most_percent)
        new: NDArray[np.bool_] = np.isnan(before) | ~broken
        return new

    def table(self) -> pa.Table:
        """Return all contingencies, the worst first."""
        if not self._parts:
            return _SCHEMA.empty_table()
        table = _with_last(pa.concat_tables(self._parts))
        known = pa.array(["ok", "islanded"])
        lost = pc.cast(pc.invert(pc.is_in(table["status"], known)), pa.int8())
        order = pc.sort_indices(
            table.append_column("lost", lost),
            sort_keys=[
                ("lost", "descending"),
                ("unserved_mw", "descending"),
                ("max_loading_percent", "descending"),
            ],
        )
        ranks = pa.array(range(1, len(table) + 1), pa.int64())
        return table.take(order).set_column(0, "rank", ranks)


def _worst_voltages(rows: pa.Table, number: NDArray[np.int64], count: int) -> dict[str, pa.Array]:
    """Return the voltage furthest outside its band after each contingency.

    Args:
        rows: rows of violations.
        number: contingency of each.
        count: number of contingencies.
    """
    bus = np.flatnonzero(pc.equal(rows["element"], "bus").to_numpy().astype(bool))
    own = rows.take(bus)
    vm, limit = (np.array(own[name], float) for name in ("vm_pu", "limit"))
    order = np.lexsort((-np.abs(vm - limit), number[bus]))
    which, first = np.unique(number[bus][order], return_index=True)
    at = np.full(count, -1)
    at[which] = order[first]
    taken = own.take(pa.array(at, mask=at < 0)).combine_chunks()
    names = {"worst_vm_pu": "vm_pu", "worst_vm_bus": "id", "worst_vm_limit": "limit"}
    return {name: taken[source] for name, source in names.items()}


def _with_last(table: pa.Table) -> pa.Table:
    """Tell after which states nothing follows, where those of a contingency stand in order."""
    first = pc.list_element(pc.split_pattern(table["contingency"], FOLLOWS, max_splits=1), 0)
    place = [np.asarray(table[name].fill_null("")) for name in ("scenario", "snapshot")]
    place.append(np.asarray(first))
    same = np.ones(len(table), bool)
    for values in place:
        same[:-1] &= values[1:] == values[:-1]
    same[-1:] = False
    index = table.schema.get_field_index("last")
    return table.set_column(index, "last", pa.array(~same))
