"""One row per scenario: what the manifest says of it, and what its result comes to.

Figures are computed for many scenarios at once, from the ``system`` rows of their states.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..model.solution import SEVERITY
from ..results.schema import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..model.violations import Limits
    from ..study.scenario import Scenario
    from .base_states import BaseStates

    Rows = NDArray[np.int64]
    Reals = NDArray[np.float64]

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
    "loading_violations": (
        pa.int64(),
        "branches and snapshots above the loading limit, as far as their rows are kept",
    ),
    "voltage_violations": (
        pa.int64(),
        "buses and snapshots outside the voltage band, as far as their rows are kept",
    ),
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

_SCHEMA = pa.schema([(name, kind) for name, (kind, _) in SCENARIO_COLUMNS.items()])

MEANS = ("load_mw", "generation_mw", "loss_mw", "unserved_mw")
SUMS = ("objective", "congestion_rent")
EXTREMES = (("max_loading", "percent", "element"), ("min_vm", "pu", "bus"), ("max_vm", "pu", "bus"))
"""Extremes of a state: the names of their columns begin so, have these units, and say where."""

MOST_STATES = 20_000
"""States that are kept before they are summed up; one scenario may have more."""


class ScenarioTable:
    """The table of scenarios, filled as results are read.

    Args:
        limits: what counts as a violation.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows: dict[str, dict[str, Any]] = {}
        self._numbers: dict[str, int] = {}
        self._ended = [_SCHEMA.empty_table()]
        self._order: list[int] = []
        self._names: list[str] = []
        self._systems: list[pa.Table] = []
        self._owners: list[NDArray[np.int64]] = []

    def begin(self, number: int, scenario: Scenario, path: Path) -> None:
        """Begin the row of a scenario, if that hasn't been done.

        Args:
            number: the scenario's number in the manifest.
            scenario: the scenario.
            path: its result file.
        """
        if scenario.id not in self._rows:
            self._rows[scenario.id] = _about(scenario, path)
            self._numbers[scenario.id] = number

    def add(self, states: BaseStates) -> None:
        """Add states; those of one scenario must follow each other."""
        system = states.are("system")
        low, high = self._limits.band_pu
        vm = states.values("vm_pu")
        found = {"snapshots": system}
        if tells(states.keep, "loading_percent"):
            loading = states.values("loading_percent")
            found["loading_violations"] = loading > self._limits.most_percent
        if tells(states.keep, "vm_pu"):
            found["voltage_violations"] = states.are("bus") & ((vm < low) | (vm > high))
        for name, rows in found.items():
            for scenario, count in zip(states.scenarios, states.count(rows).tolist(), strict=True):
                row = self._rows[scenario.id]
                row[name] = row.get(name, 0) + count
        self._systems.append(states.table.select(["snapshot", *SYSTEM]).filter(pa.array(system)))
        names = [scenario.id for scenario in states.scenarios]
        first = len(self._names) - (self._names[-1:] == names[:1])
        self._names[first:] = names
        self._owners.append(states.owner[system] + first)
        if sum(map(len, self._owners)) >= MOST_STATES:
            self._settle(keep=1)

    def add_contingencies(self, scenario: Scenario, part: pa.Table) -> None:
        """Count the contingencies among some rows of a scenario."""
        system = pc.equal(part["element"], "system")
        count = pc.sum(pc.and_(system, pc.is_valid(part["contingency"]))).as_py()
        row = self._rows[scenario.id]
        row["contingencies"] = row.get("contingencies", 0) + (count or 0)

    def solved(self, scenario: Scenario, metadata: Mapping[str, Any]) -> None:
        """Complete the row of a scenario whose result has been added whole."""
        row = self._rows[scenario.id]
        row.setdefault("contingencies", 0)
        row["fingerprint"] = metadata.get("fingerprint")
        row["attempts"] = metadata.get("attempt")
        row["duration_secs"] = metadata.get("duration_secs")

    def failed(self, scenario: Scenario, failure: dict[str, Any]) -> None:
        """Complete the row of a scenario that has no result."""
        self._rows[scenario.id] |= {
            "status": "failed",
            "attempts": failure.get("attempts"),
            "error": failure.get("error"),
            "result": None,
        }

    def table(self) -> pa.Table:
        """Return the table; nothing can be added afterwards."""
        self._settle(keep=0)
        self._end([*self._rows])
        table = pa.concat_tables(self._ended)
        self._ended.clear()
        if (np.diff(self._order) > 0).all():
            return table  # a copy of a million rows is left out
        return table.take(pa.array(np.argsort(self._order)))

    def _end(self, names: Sequence[str]) -> None:
        """Take rows that nothing will be added to for the table."""
        rows = [self._rows.pop(name) for name in names]
        self._ended.append(pa.Table.from_pylist(rows, _SCHEMA))
        self._order += [self._numbers.pop(name) for name in names]

    def _settle(self, keep: int) -> None:
        """Sum up the states of all scenarios but the last ones, which may have more to come."""
        if not self._names:
            return
        system, owner = pa.concat_tables(self._systems), np.concatenate(self._owners)
        whole = len(self._names) - keep
        end = int(np.searchsorted(owner, whole))
        if end:
            figures = _figures(system.slice(0, end).combine_chunks(), owner[:end])
            names = [self._names[number] for number in np.unique(owner[:end]).tolist()]
            for name, row in zip(names, zip(*figures.values(), strict=True), strict=True):
                self._rows[name] |= dict(zip(figures, row, strict=True))
        self._end(self._names[:whole])
        self._names = self._names[whole:]
        self._systems, self._owners = [system.slice(end)], [owner[end:] - whole]


def tells(keep: Any, quantity: str) -> bool:
    """Return whether violations by a quantity can be counted in the rows that were kept."""
    if isinstance(keep, str):
        return keep != "system"
    return any(quantity in chosen for chosen in keep.values())


_as_text = json.JSONEncoder(sort_keys=True).encode


def _about(scenario: Scenario, path: Path) -> dict[str, Any]:
    """Return what a row says of a scenario and its result file before that is read."""
    return {
        "scenario": scenario.id,
        "solver": scenario.solver,
        "grid": scenario.grid,
        "weight": scenario.weight,
        "tags": ";".join(scenario.tags),
        "description": scenario.description,
        "metadata": _as_text(scenario.metadata) if scenario.metadata else None,
        "result": str(path),
    }


def _figures(system: pa.Table, owner: Rows) -> dict[str, list[Any]]:
    """Compute figures of scenarios from their states.

    Args:
        system: the ``system`` rows of the states.
        owner: number of the scenario of each, ascending, shape (states,).

    Returns:
        Column -> a value for each scenario.
    """
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    status = pc.index_in(system["status"], pa.array(SEVERITY)).to_numpy()
    counts = {
        name: np.add.reduceat(status == SEVERITY.index(name), starts, dtype=np.int64).tolist()
        for name in ("not_converged", "infeasible", "islanded")
    }
    worst = _extreme(status.astype(float), starts)
    figures = {
        "status": system["status"].take(worst).to_pylist(),
        "detail": system["detail"].take(worst).to_pylist(),
        **counts,
    }
    for name in MEANS:
        figures[name] = _numbers(_sums(system, name, starts, mean=True))
    for name in SUMS:
        figures[name] = _numbers(_sums(system, name, starts, mean=False))
    unserved = _extreme(system["unserved_mw"].to_numpy(), starts)
    figures["max_unserved_mw"] = system["unserved_mw"].take(unserved).to_pylist()
    for name, unit, place in EXTREMES:
        value = system[f"{name}_{unit}"].to_numpy()
        rows = _extreme(-value if name.startswith("min") else value, starts)
        figures[f"{name}_{unit}"] = system[f"{name}_{unit}"].take(rows).to_pylist()
        figures[f"{name}_{place}"] = system[f"{name}_{place}"].take(rows).to_pylist()
        figures[f"{name}_snapshot"] = system["snapshot"].take(rows).to_pylist()
    iterations = system["iterations"].cast(pa.float64()).to_numpy()
    figures["iterations"] = system["iterations"].take(_extreme(iterations, starts)).to_pylist()
    engines = system["engine"].to_pylist()
    ends = [*starts[1:].tolist(), len(engines)]
    figures["engine"] = [
        ";".join(sorted({name for name in engines[start:end] if name is not None}))
        for start, end in zip(starts.tolist(), ends, strict=True)
    ]
    return figures


def _sums(system: pa.Table, name: str, starts: Rows, *, mean: bool) -> Reals:
    """Return sums or means of a column over each scenario's states, NaN where none has a value."""
    values: Reals = system[name].to_numpy()
    known = np.isfinite(values)
    count = np.add.reduceat(known, starts, dtype=np.int64)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    return np.where(count, total / np.maximum(count, 1) if mean else total, np.nan)


def _extreme(values: Reals, starts: Rows) -> pa.Array:
    """Return the first row of each scenario with its highest value, null where it has none."""
    highest = np.fmax.reduceat(values, starts)
    rows = np.arange(len(values))
    sizes = np.diff(starts, append=len(values))
    there = values == np.repeat(highest, sizes)
    first = np.minimum.reduceat(np.where(there, rows, len(values)), starts)
    return pa.array(first, mask=first == len(values))


def _numbers(values: Reals) -> list[Any]:
    found: list[Any] = pa.array(values, from_pandas=True).to_pylist()
    return found
