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
    "status": (pa.string(), "ok, islanded or not_converged"),
    "unserved_mw": (pa.float64(), "load cut off, MW"),
    "lost_generation_mw": (pa.float64(), "generation cut off, MW"),
    "max_loading_percent": (pa.float64(), "worst loading of a branch, percent"),
    "max_loading_element": (pa.string(), "that branch"),
    "min_vm_pu": (pa.float64(), "lowest voltage, p.u."),
    "min_vm_bus": (pa.int64(), "its bus"),
    "max_vm_pu": (pa.float64(), "highest voltage, p.u."),
    "max_vm_bus": (pa.int64(), "its bus"),
    "loading_violations": (pa.int64(), "branches above the loading limit"),
    "voltage_violations": (pa.int64(), "buses outside their voltage band"),
    "engine": (pa.string(), "what solved it"),
    "detail": (pa.string(), "why it isn't ok"),
}
"""Columns of the table of contingencies: type and meaning."""

_SCHEMA = pa.schema([(name, kind) for name, (kind, _) in CONTINGENCY_COLUMNS.items()])


class ContingencyRanking:
    """Collects contingencies and ranks them.

    Args:
        limits: what counts as a violation.

    Attributes:
        overloads: the branches that they overload.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: list[pa.Table] = []
        self.overloads = Overloads()

    def add(self, table: pa.Table) -> None:
        """Add rows of one result: whole contingencies, each with its system row in front."""
        rows = table.filter(pc.is_valid(table["contingency"])).combine_chunks()
        is_system = pc.equal(rows["element"], "system")
        system = rows.filter(is_system)
        if not len(system):
            return
        loaded = pc.greater(rows["loading_percent"], self._limits.most_percent).fill_null(
            fill_value=False
        )
        self.overloads.add(rows.filter(loaded))
        number = np.cumsum(is_system.to_numpy()) - 1
        for name, bad in (
            ("loading_violations", loaded),
            ("voltage_violations", self._bad_voltage(rows)),
        ):
            counts = np.bincount(number[bad.to_numpy().astype(bool)], minlength=len(system))
            system = system.append_column(name, pa.array(counts, pa.int64()))
        system = system.append_column("rank", pa.nulls(len(system), pa.int64()))
        self._parts.append(system.select(_SCHEMA.names).cast(_SCHEMA))

    def _bad_voltage(self, rows: pa.Table) -> Any:
        """Return which rows are buses outside their voltage band.

        Where only violations were kept, every bus that is there is one, by a band of its own.
        """
        buses = pc.equal(rows["element"], "bus")
        vm = rows["vm_pu"]
        low, high = self._limits.band_pu
        inside = pc.and_(pc.greater_equal(vm, low), pc.less_equal(vm, high))
        # If all rows were kept, there are external grids too, and the common band decides.
        everything = pc.any(pc.equal(rows["element"], "ext_grid")).as_py()
        bad = pc.and_(buses, pc.invert(inside)) if everything else buses
        return bad.fill_null(fill_value=False)

    def table(self) -> pa.Table:
        """Return all contingencies, the worst first."""
        if not self._parts:
            return _SCHEMA.empty_table()
        table = pa.concat_tables(self._parts)
        lost = pc.cast(pc.equal(table["status"], "not_converged"), pa.int8())
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
