"""All contingencies of a batch, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .overloads import Overloads

if TYPE_CHECKING:
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
    "loading_violations": (pa.int64(), "branches above the loading limit"),
    "voltage_violations": (pa.int64(), "buses outside their voltage band"),
    "new": (pa.bool_(), "whether it breaks a limit that its base case keeps"),
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
        self._before: pa.Array = pa.array([], pa.string())
        self._scenario = ""
        self.overloads = Overloads()

    def add(self, table: pa.Table, keep: object = "all") -> None:
        """Add rows of one result.

        Args:
            table: whole contingencies, each with its system row in front.
            keep: which rows it keeps; of ``system`` ones alone violations are told by their
                extremes, and count once.
        """
        base = pc.is_null(table["contingency"])
        self._note_base(table.filter(base))
        rows = table.filter(pc.invert(base)).combine_chunks()
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
        fresh = np.zeros(len(system), bool)
        found = np.flatnonzero(broken.to_numpy().astype(bool))
        known = pc.is_in(_places(rows.take(found)), self._before).to_numpy(zero_copy_only=False)
        fresh[number[found[~known.astype(bool)]]] = True
        system = system.append_column("new", pa.array(fresh))
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

    def _note_base(self, rows: pa.Table) -> None:
        """Note what breaks a limit in states without contingencies."""
        if not len(rows):
            return
        low, high = self._limits.band_pu
        vm = rows["vm_pu"]
        outside = pc.and_(
            pc.equal(rows["element"], "bus"), pc.or_(pc.less(vm, low), pc.greater(vm, high))
        )
        loaded = pc.greater(rows["loading_percent"], self._limits.most_percent)
        bad = pc.or_(outside.fill_null(fill_value=False), loaded.fill_null(fill_value=False))
        places = _places(rows.filter(bad))
        self._before = pa.concat_arrays([self._before, places]) if self._same(rows) else places

    def _same(self, rows: pa.Table) -> bool:
        """Tell whether rows are of the scenario of the rows before."""
        before, self._scenario = self._scenario, str(rows["scenario"][0].as_py())
        return before == self._scenario

    def table(self) -> pa.Table:
        """Return all contingencies, the worst first."""
        if not self._parts:
            return _SCHEMA.empty_table()
        table = pa.concat_tables(self._parts)
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


def _places(rows: pa.Table) -> pa.Array:
    """Return which element of which snapshot each row is about, as text."""
    names = ("snapshot", "element", "id")
    parts = [pc.cast(rows[name], pa.string()).fill_null("") for name in names]
    joined = pc.binary_join_element_wise(*parts, "\x00")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
