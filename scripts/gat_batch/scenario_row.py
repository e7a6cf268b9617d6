"""One row a scenario: what the manifest says of it, and what its result comes to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from .results import SYSTEM
from .solvers.solution import SEVERITY

if TYPE_CHECKING:
    from pathlib import Path

    from .manifest import Scenario
    from .violations import Limits

SCENARIO_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "scenario": (pa.string(), "id of the scenario"),
    "solver": (pa.string(), "kind of study"),
    "status": (pa.string(), "worst status of its snapshots; failed if there is no result"),
    "grid": (pa.string(), "grid as named in the manifest"),
    "weight": (pa.float64(), "weight in statistics"),
    "tags": (pa.string(), "tags, joined by semicolons"),
    "description": (pa.string(), "description from the manifest"),
    "metadata": (pa.string(), "metadata from the manifest, as JSON"),
    "snapshots": (pa.int64(), "snapshots solved, with or without convergence"),
    "not_converged": (pa.int64(), "snapshots without convergence"),
    "infeasible": (pa.int64(), "snapshots whose limits can't all be kept"),
    "islanded": (pa.int64(), "snapshots in which buses were cut off"),
    "contingencies": (pa.int64(), "contingencies solved"),
    "load_mw": (pa.float64(), "load supplied, mean over snapshots, MW"),
    "generation_mw": (pa.float64(), "generation, mean over snapshots, MW"),
    "loss_mw": (pa.float64(), "losses of branches, mean over snapshots, MW"),
    "unserved_mw": (pa.float64(), "load cut off, mean over snapshots, MW"),
    "max_unserved_mw": (pa.float64(), "load cut off in the worst snapshot, MW"),
    "objective": (pa.float64(), "cost, sum over snapshots"),
    "congestion_rent": (pa.float64(), "rent of binding ratings, sum over snapshots"),
    "max_loading_percent": (pa.float64(), "worst loading of a branch, percent"),
    "max_loading_element": (pa.string(), "that branch"),
    "max_loading_snapshot": (pa.string(), "its snapshot"),
    "min_vm_pu": (pa.float64(), "lowest voltage, p.u."),
    "min_vm_bus": (pa.int64(), "its bus"),
    "min_vm_snapshot": (pa.string(), "its snapshot"),
    "max_vm_pu": (pa.float64(), "highest voltage, p.u."),
    "max_vm_bus": (pa.int64(), "its bus"),
    "max_vm_snapshot": (pa.string(), "its snapshot"),
    "loading_violations": (pa.int64(), "branches and snapshots above the loading limit"),
    "voltage_violations": (pa.int64(), "buses and snapshots outside the voltage band"),
    "iterations": (pa.int64(), "most iterations of a snapshot"),
    "engine": (pa.string(), "what solved it; after a colon the rung of the ladder that it took"),
    "detail": (pa.string(), "why its worst snapshot isn't ok"),
    "attempts": (pa.int64(), "attempts that it took"),
    "duration_secs": (pa.float64(), "time of the last attempt, s"),
    "error": (pa.string(), "why the scenario failed"),
    "result": (pa.string(), "its result file"),
    "fingerprint": (pa.string(), "hash of all that the result depends on"),
}
"""Columns of the table of scenarios: type and meaning."""


def about(scenario: Scenario, path: Path) -> dict[str, Any]:
    """What a row says of a scenario and of its result file before that is read."""
    return {
        "scenario": scenario.id,
        "solver": scenario.solver,
        "grid": scenario.grid,
        "weight": scenario.weight,
        "tags": ";".join(scenario.tags),
        "description": scenario.description,
        "metadata": json.dumps(scenario.metadata, sort_keys=True) if scenario.metadata else None,
        "result": str(path),
    }


class ResultFigures:
    """What a result says in one row, from its parts.

    Args:
        limits: what counts as a violation.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._system: list[pa.Table] = []
        self._loading = self._voltage = self._contingencies = 0

    def add(self, part: pa.Table, base: pa.Table) -> None:
        """Add some rows.

        Args:
            part: whole states and contingencies.
            base: those of them without contingencies.
        """
        kinds = base["element"].combine_chunks()
        system = base.select(["snapshot", *SYSTEM]).filter(pc.equal(kinds, "system"))
        self._system.append(system)
        loading = base["loading_percent"].to_numpy()
        vm = base["vm_pu"].to_numpy()[pc.equal(kinds, "bus").to_numpy(zero_copy_only=False)]
        low, high = self._limits.voltage_band_pu
        self._loading += int((loading > self._limits.most_percent).sum())
        self._voltage += int(((vm < low) | (vm > high)).sum())
        rows = pc.sum(pc.equal(part["element"], "system")).as_py() or 0
        self._contingencies += rows - len(system)

    def row(self) -> dict[str, Any]:
        """The figures of all that was added."""
        system = pa.concat_tables(self._system)
        statuses = system["status"].to_pylist()
        worst = max(statuses, key=SEVERITY.index)
        return {
            "status": worst,
            "detail": system["detail"][statuses.index(worst)].as_py(),
            "snapshots": len(system),
            "not_converged": statuses.count("not_converged"),
            "infeasible": statuses.count("infeasible"),
            "islanded": statuses.count("islanded"),
            "contingencies": self._contingencies,
            **{
                name: pc.mean(system[name]).as_py()
                for name in ("load_mw", "generation_mw", "loss_mw", "unserved_mw")
            },
            "max_unserved_mw": pc.max(system["unserved_mw"]).as_py(),
            "objective": pc.sum(system["objective"]).as_py(),
            "congestion_rent": pc.sum(system["congestion_rent"]).as_py(),
            **_extreme(system, "max_loading", "percent", "element", highest=True),
            **_extreme(system, "min_vm", "pu", "bus", highest=False),
            **_extreme(system, "max_vm", "pu", "bus", highest=True),
            "loading_violations": self._loading,
            "voltage_violations": self._voltage,
            "iterations": pc.max(system["iterations"]).as_py(),
            "engine": ";".join(sorted(pc.unique(system["engine"].drop_null()).to_pylist())),
        }


def _extreme(
    system: pa.Table, name: str, unit: str, where: str, *, highest: bool
) -> dict[str, Any]:
    """The extreme of a column of the system rows, with its place and its snapshot."""
    column = system[f"{name}_{unit}"]
    value = (pc.max if highest else pc.min)(column)
    names = (f"{name}_{unit}", f"{name}_{where}", f"{name}_snapshot")
    if not value.is_valid:
        return dict.fromkeys(names)
    row = pc.index(column, value).as_py()
    place = system[f"{name}_{where}"][row].as_py()
    return dict(zip(names, (value.as_py(), place, system["snapshot"][row].as_py()), strict=True))
