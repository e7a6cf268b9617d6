"""The states of a batch that were asked for, one after the other, and how they ended."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..plan.plan import Plan
    from ..study.scenario import Scenario

TOLD = ["scenario", "snapshot", "contingency", "status", "detail", "objective"]


@dataclass(slots=True)
class Sample:
    """A state that was asked for; there may be a million, so that it holds no scenario.

    Attributes:
        scenarios: those of the batch, each made when it is asked for.
        at: number of its own among them.
        name: its id.
        snapshot: its snapshot, if the scenario has any.
        status: how it ended; ``failed`` where there is no result.
        detail: why it isn't ``ok``, or empty.
        objective: cost of an optimum.
        seconds: time that it took.
        groups: row groups of the table of all results in which it lies.
        weight: how much it counts.
        load: number of its loads: samples with the same ones share it.
        split: what it is for: ``train``, ``validation`` or ``test``.
        topology: what is out of service, as ``line:7+trafo:3``.
        number: its number in the dataset, or None if the tables can't hold it.
        counterpart: the state that asks the same by DC, if there is one.
    """

    scenarios: Sequence[Scenario]
    at: int
    name: str
    snapshot: str | None
    status: str
    detail: str = ""
    objective: float | None = None
    seconds: float = 0.0
    groups: range = range(0)
    weight: float = 1.0
    load: int = 0
    split: str = ""
    topology: str = ""
    number: int | None = None
    counterpart: Sample | None = None

    @property
    def scenario(self) -> Scenario:
        """Its scenario."""
        return self.scenarios[self.at]

    @property
    def beside(self) -> Sample | None:
        """Its DC counterpart, if that was solved."""
        other = self.counterpart
        return other if other is not None and other.status == "ok" else None


def base_cases(plan: Plan, table: Path) -> list[Sample]:
    """Return all base cases of a batch in the order of the manifest, failed ones included.

    Args:
        plan: the batch.
        table: the summary's table of scenarios.
    """
    ids, scenarios = plan.batch.outlines.ids, plan.batch.scenarios
    number = {name: at for at, name in enumerate(ids)}
    columns = ["scenario", "error", "duration_secs", "snapshots"]
    about = pq.read_table(table, columns=columns, partitioning=None)
    row = {name: at for at, name in enumerate(about["scenario"].to_pylist())}
    seconds = pc.divide(
        about["duration_secs"].fill_null(0.0).cast(pa.float64()),
        pc.max_element_wise(about["snapshots"].fill_null(1).cast(pa.float64()), 1.0),
    ).to_numpy()
    states: dict[tuple[int, str | None], Sample] = {}
    solved = bytearray(len(ids))
    for groups, told in _system_rows(plan):
        at = number.get(told["scenario"])
        if at is None or told["contingency"] is not None:
            continue
        solved[at] = True
        states[at, told["snapshot"]] = Sample(
            scenarios,
            at,
            ids[at],
            told["snapshot"],
            sys.intern(told["status"]),
            sys.intern(told["detail"] or ""),
            told["objective"],
            float(seconds[row[ids[at]]]),
            groups,
        )
    for at, name in enumerate(ids):
        if not solved[at]:
            why = about["error"][row[name]].as_py() or ""
            states[at, None] = Sample(scenarios, at, name, None, "failed", why)
    return sorted(states.values(), key=attrgetter("at"))


def _system_rows(plan: Plan) -> Iterator[tuple[range, dict[str, Any]]]:
    """Yield the system rows of all results, with the row groups that the rows of each may be in."""
    last: dict[str, Any] | None = None
    first = group = 0
    with pq.ParquetFile(plan.summary("aggregated_results.parquet")) as file:
        for group in range(file.num_row_groups):
            part = file.read_row_group(group, columns=TOLD)
            for row in part.filter(pc.is_valid(part["status"])).to_pylist():
                if last is not None:
                    # Rows of a state that a group begins with may go on from the one before.
                    yield range(first, group + 1), last
                last, first = row, group
    if last is not None:
        yield range(first, group + 1), last
