"""All contingencies of a batch in one table, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from .violations import Limits

CONTINGENCY_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "rank": (pa.int64(), "1 is the worst: no convergence, then load cut off, then loading"),
    "scenario": (pa.string(), "id of the scenario"),
    "snapshot": (pa.string(), "its snapshot"),
    "contingency": (pa.string(), "what fails, as line:12, several joined by +"),
    "status": (pa.string(), "ok, islanded or not_converged"),
    "unserved_mw": (pa.float64(), "load cut off, MW"),
    "max_loading_percent": (pa.float64(), "worst loading of a branch, percent"),
    "max_loading_element": (pa.string(), "that branch"),
    "min_vm_pu": (pa.float64(), "lowest voltage, p.u."),
    "min_vm_bus": (pa.int64(), "its bus"),
    "max_vm_pu": (pa.float64(), "highest voltage, p.u."),
    "max_vm_bus": (pa.int64(), "its bus"),
    "loading_violations": (pa.int64(), "branches above the loading limit"),
    "voltage_violations": (pa.int64(), "buses outside their voltage band"),
    "engine": (pa.string(), "what solved it"),
}
"""Columns of the table of contingencies: type and meaning."""

_SCHEMA = pa.schema([(name, kind) for name, (kind, _) in CONTINGENCY_COLUMNS.items()])
_KEY = ["snapshot", "contingency"]


class ContingencyRanking:
    """Collects contingencies and ranks them.

    Args:
        limits: what counts as a violation.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parts: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Add the contingencies of one result."""
        rows = table.filter(pc.is_valid(table["contingency"]))
        is_system = pc.equal(rows["element"], "system")
        system = rows.filter(is_system)
        if not len(system):
            return
        others = rows.filter(pc.invert(is_system))
        loading = pc.greater(others["loading_percent"], self._limits.loading_percent)
        part = _with_count(system, others.filter(loading), "loading_violations")
        part = _with_count(part, others.filter(self._bad_voltage(others)), "voltage_violations")
        part = part.append_column("rank", pa.nulls(len(part), pa.int64()))
        self._parts.append(part.select(_SCHEMA.names).cast(_SCHEMA))

    def _bad_voltage(self, rows: pa.Table) -> Any:
        """Where only violations were kept, a bus is there because it is one, by its own band."""
        buses = pc.equal(rows["element"], "bus")
        vm = rows["vm_pu"]
        low, high = self._limits.voltage_band_pu
        inside = pc.and_(pc.greater_equal(vm, low), pc.less_equal(vm, high))
        # With everything kept there are loads and generators too, and the common band decides.
        everything = pc.any(pc.equal(rows["element"], "ext_grid")).as_py()
        return pc.and_(buses, pc.invert(inside)) if everything else buses

    def table(self) -> pa.Table:
        """All contingencies, the worst first."""
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


def _with_count(system: pa.Table, violations: pa.Table, name: str) -> pa.Table:
    """The system rows with the number of violations that belong to each."""
    counted: dict[tuple[Any, Any], int] = {}
    for key in zip(*(violations[column].to_pylist() for column in _KEY), strict=True):
        counted[key] = counted.get(key, 0) + 1
    keys = zip(*(system[column].to_pylist() for column in _KEY), strict=True)
    return system.append_column(name, pa.array([counted.get(key, 0) for key in keys], pa.int64()))
