"""Which states of a batch are samples of a dataset, and which one is whose DC counterpart.

A sample is a base case of an AC power flow or an AC optimal power flow. A state that asks the same
of the same grid by DC belongs to it: a family with ``sweep: {solver: [ac, dc]}`` has such pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import ResultError
from ..files.words import numbered
from ..plan.fingerprints import digest, scenario_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..plan.plan import Plan
    from ..study.scenario import Scenario, Solver
    from .splits import Splitting

COUNTERPART: dict[str, Solver] = {"ac": "dc", "ac_opf": "dc_opf"}
"""Solver of samples -> that of the states beside them."""

SOLVING = (
    "format", "program", "versions", "solver", "options", "engine", "ladder", "contingencies",
    "keep",
)  # fmt: skip
"""What two states may differ in that ask the same."""

TOLD = ["scenario", "snapshot", "contingency", "status", "detail", "objective"]

MOST_NAMED = 3


@dataclass
class Sample:
    """A state that was asked for.

    Attributes:
        scenario: its scenario.
        snapshot: its snapshot, if the scenario has any.
        status: how it ended; ``failed`` where there is no result.
        detail: why it isn't ``ok``, or empty.
        objective: cost of an optimum.
        seconds: time that it took.
        groups: row groups of the table of all results in which it lies.
        load: number of its loads: samples with the same ones share it.
        split: what it is for: ``train``, ``validation`` or ``test``.
        topology: what is out of service, as ``line:7+trafo:3``.
        number: its number in the dataset, or None if the tables can't hold it.
        counterpart: the state that asks the same by DC, if there is one.
    """

    scenario: Scenario
    snapshot: str | None
    status: str
    detail: str = ""
    objective: float | None = None
    seconds: float = 0.0
    groups: set[int] = field(default_factory=set)
    load: int = 0
    split: str = ""
    topology: str = ""
    number: int | None = None
    counterpart: Sample | None = None

    @property
    def beside(self) -> Sample | None:
        """Its DC counterpart, if that was solved."""
        other = self.counterpart
        return other if other is not None and other.status == "ok" else None


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
    states = _states(plan)
    keys = {scenario.id: _asked(plan, scenario) for scenario in plan.batch.scenarios}
    loads: dict[object, int] = {}
    found: dict[tuple[str, str], SampleSet] = {}
    beside = {
        (keys[state.scenario.id][0], state.snapshot, state.scenario.solver): state
        for state in states
        if state.scenario.solver in COUNTERPART.values()
    }
    for state in states:
        scenario, solver = state.scenario, state.scenario.solver
        if solver not in COUNTERPART:
            continue
        same, load, drawn = keys[scenario.id]
        state.load = loads.setdefault((load, state.snapshot), len(loads))
        state.topology = "+".join(sorted(f"{one.type}:{one.id}" for one in scenario.outages))
        state.split = splitting.of(state.topology, f"{load} {state.snapshot}{drawn}")
        state.counterpart = beside.get((same, state.snapshot, COUNTERPART[solver]))
        key = str(plan.grid(scenario)), solver
        if key not in found:
            names = {one.name for one in found.values()}
            found[key] = SampleSet(_name(plan.grid_name(scenario), solver, names), solver, [])
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
    return state.status == "ok" and all(one.type != "bus" for one in state.scenario.outages)


def _asked(plan: Plan, scenario: Scenario) -> tuple[str, str, str]:
    """Return hashes of what a scenario asks, whatever solves it.

    Returns:
        One of all, one of its loads, and one of its impedances if they were drawn, else nothing.
    """
    made = plan.product.tables if plan.product else {}
    facts = scenario_facts(scenario, plan.config, plan.grid(scenario), made)
    same = {name: value for name, value in facts.items() if name not in SOLVING}
    same["dispatch"] = scenario.options.get("dispatch")
    load = [facts["grid"], facts["loads"], facts["load_scale"], facts.get("time_slices")]
    drawn = f" {facts['impedances']}" if scenario.impedance_rows else ""
    return digest(same), digest(load), drawn


def _name(grid: str, solver: str, taken: Iterable[str]) -> str:
    """Return a folder's name that isn't taken."""
    stem = grid.partition(":")[2] if ":" in grid else grid.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    name = safe = f"{stem or 'grid'}_{solver}"
    count = 1
    while name in taken:
        count += 1
        name = f"{safe}_{count}"
    return name


def _states(plan: Plan) -> list[Sample]:
    """Return all base cases of a batch in the order of the manifest, failed ones included."""
    table = plan.summary("scenarios.parquet")
    try:
        columns = ["scenario", "status", "error", "fingerprint", "duration_secs", "snapshots"]
        rows = pq.read_table(table, columns=columns, partitioning=None).to_pylist()
    except FileNotFoundError:
        raise ResultError("no such file", file=table, hint="run the batch first") from None
    about = {row["scenario"]: row for row in rows}
    outdated = [
        scenario.id
        for scenario in plan.batch.scenarios
        if scenario.id not in about
        or about[scenario.id]["fingerprint"] not in (None, plan.fingerprint(scenario))
    ]
    if outdated:
        which = ", ".join(outdated[:MOST_NAMED])
        what = f"doesn't tell of {numbered(len(outdated), 'scenario')} as they are now: {which}"
        raise ResultError(what, file=table, hint="run the batch first")
    by_id = {scenario.id: scenario for scenario in plan.batch.scenarios}
    states: dict[str, dict[str | None, Sample]] = {name: {} for name in by_id}
    for group, row in _system_rows(plan):
        name = row["scenario"]
        if name not in by_id or row["contingency"] is not None:
            continue
        seconds = (about[name]["duration_secs"] or 0.0) / max(1, about[name]["snapshots"] or 1)
        states[name][row["snapshot"]] = Sample(
            by_id[name],
            row["snapshot"],
            row["status"],
            row["detail"] or "",
            row["objective"],
            seconds,
            group,
        )
    for name, scenario in by_id.items():
        if not states[name]:
            states[name][None] = Sample(scenario, None, "failed", about[name]["error"] or "")
    return [state for name in by_id for state in states[name].values()]


def _system_rows(plan: Plan) -> Iterator[tuple[set[int], dict[str, Any]]]:
    """Yield the system rows of all results, with the row groups that the rows of each may be in."""
    last: dict[str, Any] | None = None
    groups: set[int] = set()
    with pq.ParquetFile(plan.summary("aggregated_results.parquet")) as file:
        for group in range(file.num_row_groups):
            # Rows of a state that a group begins with may go on from the one before.
            groups.add(group)
            part = file.read_row_group(group, columns=TOLD)
            for row in part.filter(pc.is_valid(part["status"])).to_pylist():
                if last is not None:
                    yield groups, last
                last, groups = row, {group}
    if last is not None:
        yield groups, last


def sample_table(samples: SampleSet) -> pa.Table:
    """Return the table of samples: a row for each state that was asked for.

    Those that the tables of the dataset don't hold have no number: they are labels, with how they
    ended and why.
    """
    rows = samples.samples
    return pa.table(
        {
            "sample": pa.array([one.number for one in rows], pa.int64()),
            "scenario": pa.array([one.scenario.id for one in rows], pa.string()),
            "snapshot": pa.array([one.snapshot for one in rows], pa.string()),
            "status": pa.array([one.status for one in rows], pa.string()),
            "detail": pa.array([one.detail or None for one in rows], pa.string()),
            "objective": pa.array([one.objective for one in rows], pa.float64()),
            "load_scenario_idx": pa.array([one.load for one in rows], pa.int64()),
            "split": pa.array([one.split for one in rows], pa.string()),
            "topology": pa.array([one.topology for one in rows], pa.string()),
            "weight": pa.array([one.scenario.weight for one in rows], pa.float64()),
            "beside": pa.array(
                [one.beside and one.beside.scenario.id for one in rows], pa.string()
            ),
        }
    )
