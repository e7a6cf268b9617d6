"""Which states of a batch are samples of a dataset, and which one is whose DC counterpart.

A sample is a base case of an AC power flow or an AC optimal power flow. A state that asks the same
of the same grid by DC belongs to it: a family with ``sweep: {solver: [ac, dc]}`` has such pairs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ResultError
from ..files.words import numbered
from ..plan.fingerprints import digest, scenario_facts
from .sample import base_cases

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..plan.plan import Plan
    from ..study.scenario import Scenario, Solver
    from .sample import Sample
    from .splits import Splitting

COUNTERPART: dict[str, Solver] = {"ac": "dc", "ac_opf": "dc_opf"}
"""Solver of samples -> that of the states beside them."""

SOLVING = (
    "format", "program", "versions", "solver", "options", "engine", "ladder", "contingencies",
    "keep",
)  # fmt: skip
"""What two states may differ in that ask the same."""

MOST_NAMED = 3


@dataclass(frozen=True)
class SampleSet:
    """The samples of one dataset.

    Attributes:
        name: name of the dataset: its grid and its solver.
        solver: ``ac`` or ``ac_opf``.
        samples: what was asked for, in the order of the manifest.
        paired: whether any of them has a counterpart.
    """

    name: str
    solver: str
    samples: list[Sample]

    @property
    def paired(self) -> bool:
        """Whether any sample has a counterpart."""
        return any(sample.beside for sample in self.samples)

    @property
    def first(self) -> Scenario:
        """A scenario of the dataset: its grid is that of all."""
        return self.samples[0].scenario

    @property
    def held(self) -> list[Sample]:
        """The samples that the tables hold, by their number."""
        return [sample for sample in self.samples if sample.number is not None]


def sample_sets(plan: Plan, splitting: Splitting) -> list[SampleSet]:
    """Return the datasets of a batch, one for each grid and kind of AC study.

    Args:
        plan: the batch.
        splitting: how samples are told apart.

    Raises:
        ResultError: if the batch has no summary of its input as it is now, or no AC study.
    """
    table = plan.summary("scenarios.parquet")
    asked = _asked(plan, table)
    states = base_cases(plan, table)
    loads: dict[object, int] = {}
    found: dict[tuple[str, str], SampleSet] = {}
    beside = {
        (asked[state.at].same, state.snapshot, asked[state.at].solver): state
        for state in states
        if asked[state.at].solver in COUNTERPART.values()
    }
    for state in states:
        own = asked[state.at]
        if own.solver not in COUNTERPART:
            continue
        state.load = loads.setdefault((own.load, state.snapshot), len(loads))
        state.topology, state.weight = own.topology, own.weight
        state.split = splitting.of(own.topology, f"{own.load} {state.snapshot}{own.drawn}")
        state.counterpart = beside.get((own.same, state.snapshot, COUNTERPART[own.solver]))
        key = own.grid, own.solver
        if key not in found:
            names = {one.name for one in found.values()}
            name = _name(plan.grid_name(state.scenario), own.solver, names)
            found[key] = SampleSet(name, own.solver, [])
        found[key].samples.append(state)
    if not found:
        hint = "datasets are made of scenarios whose solver is ac or ac_opf"
        raise ResultError("has no AC study", file=plan.batch.file, hint=hint)
    for samples in found.values():
        for number, state in enumerate(filter(_is_whole, samples.samples)):
            state.number = number
    return [*found.values()]


def _is_whole(state: Sample) -> bool:
    """Tell whether a state has a voltage at every bus, as tables of one size for all need."""
    return state.status == "ok" and not f"+{state.topology}".count("+bus:")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a scenario asks, whatever solves it.

    Attributes:
        solver: what does.
        grid: its grid.
        same: a hash of all that it asks.
        load: a hash of its loads.
        drawn: one of its impedances if they were drawn, else empty.
        topology: what is out of service.
        weight: how much it counts.
    """

    solver: Solver
    grid: str
    same: str
    load: str
    drawn: str
    topology: str
    weight: float


def _asked(plan: Plan, table: Path) -> list[_Asked]:
    """Return what each scenario of a batch asks.

    Args:
        plan: the batch.
        table: the summary's table of scenarios.

    Raises:
        ResultError: if the table isn't that of the batch as it is now.
    """
    try:
        rows = pq.read_table(table, columns=["scenario", "fingerprint"], partitioning=None)
    except FileNotFoundError:
        raise ResultError("no such file", file=table, hint="run the batch first") from None
    solved = dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))
    outdated, asked = [], []
    for scenario in plan.batch.scenarios:
        if solved.get(scenario.id, "") not in (None, plan.fingerprint(scenario)):
            outdated.append(scenario.id)
        asked.append(_asked_by(plan, scenario))
    if outdated:
        which = ", ".join(outdated[:MOST_NAMED])
        what = f"doesn't tell of {numbered(len(outdated), 'scenario')} as they are now: {which}"
        raise ResultError(what, file=table, hint="run the batch first")
    return asked


def _asked_by(plan: Plan, scenario: Scenario) -> _Asked:
    made = plan.product.tables if plan.product else {}
    facts = scenario_facts(scenario, plan.config, plan.grid(scenario), made)
    same = {name: value for name, value in facts.items() if name not in SOLVING}
    same["dispatch"] = scenario.options.get("dispatch")
    load = [facts["grid"], facts["loads"], facts["load_scale"], facts.get("time_slices")]
    return _Asked(
        solver=scenario.solver,
        grid=sys.intern(str(plan.grid(scenario))),
        same=digest(same),
        load=sys.intern(digest(load)),
        drawn=f" {facts['impedances']}" if scenario.impedance_rows else "",
        topology="+".join(sorted(f"{one.type}:{one.id}" for one in scenario.outages)),
        weight=scenario.weight,
    )


def _name(grid: str, solver: str, taken: Iterable[str]) -> str:
    """Return a folder's name that isn't taken."""
    stem = grid.partition(":")[2] if ":" in grid else grid.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    name = safe = f"{stem or 'grid'}_{solver}"
    count = 1
    while name in taken:
        count += 1
        name = f"{safe}_{count}"
    return name


def sample_table(samples: SampleSet) -> pa.Table:
    """Return the table of samples: a row for each state that was asked for.

    Those that the tables of the dataset don't hold have no number: they are labels, with how they
    ended and why.
    """
    rows = samples.samples
    return pa.table(
        {
            "sample": pa.array([one.number for one in rows], pa.int64()),
            "scenario": pa.array([one.name for one in rows], pa.string()),
            "snapshot": pa.array([one.snapshot for one in rows], pa.string()),
            "status": pa.array([one.status for one in rows], pa.string()),
            "detail": pa.array([one.detail or None for one in rows], pa.string()),
            "objective": pa.array([one.objective for one in rows], pa.float64()),
            "load_scenario_idx": pa.array([one.load for one in rows], pa.int64()),
            "split": pa.array([one.split for one in rows], pa.string()),
            "topology": pa.array([one.topology for one in rows], pa.string()),
            "weight": pa.array([one.weight for one in rows], pa.float64()),
            "beside": pa.array([one.beside and one.beside.name for one in rows], pa.string()),
        }
    )
