"""What a worker does: solve one scenario after another on a grid prepared once.

:func:`prepare` runs in the shard before its workers are forked; :func:`solve_member` runs in a
worker, on the grid that it inherited. Only names and small records cross between the two.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..grids import read_grid
from ..grids.approximations import write_approximations
from ..grids.connections import write_connections
from ..grids.elements import ElementIndex
from ..model.contingencies.actions import actions_of
from ..model.contingencies.every import contingencies_of
from ..model.criteria import Criteria
from ..model.grid_model import GridModel
from ..model.grid_model import prepare as prepare_model
from ..model.scenario_tables import read_states
from ..model.solution import SEVERITY
from ..model.violations import Limits
from ..plan.fingerprints import solver_versions
from ..results.kept import KeptRows
from ..results.writer import ResultWriter
from ..solvers.study import Study
from .solving.base_cases import Summed, base_cases
from .solving.contingencies import solved_in_parts
from .solving.state import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..plan.plan import Plan
    from ..study.scenario import Scenario
    from .journal import Journal

KILL_MARGIN_SECS = 10.0
"""How long after its deadline an attempt may still be reported as running."""


@dataclass(frozen=True)
class Solved:
    """What the shard needs to know of a solved scenario.

    Attributes:
        status: the worst status of its snapshots.
        iterations: most iterations of any snapshot, or None.
        duration_secs: time for reading tables, solving and writing, in seconds.
        verified: largest deviations from pandapower, the fields of :class:`Deviation`.
        residual: largest relative residual of the conditions of an optimum, or None.
        left: what was left to pandapower: ``states``, and the ``reason`` of the first one; or None.
        reports: lines for the log on how states and contingencies that hung, died or failed ended.
    """

    status: str
    iterations: int | None
    duration_secs: float
    verified: dict[str, float]
    residual: float | None
    left: dict[str, Any] | None
    reports: list[str]


@dataclass(frozen=True)
class _Worker:
    plan: Plan
    journal: Journal
    members: dict[str, Scenario]
    model: GridModel
    index: ElementIndex
    threads: int
    memory_mb: float | None
    criteria: Criteria


_worker: _Worker | None = None


def prepare(
    plan: Plan,
    members: Sequence[Scenario],
    journal: Journal,
    *,
    threads: int = 1,
    memory_mb: float | None = None,
) -> None:
    """Read and prepare the grid that the members share.

    Args:
        plan: the batch.
        members: scenarios with the same grid.
        journal: where attempts are noted.
        threads: processes that solve the contingencies of one scenario at the same time.
        memory_mb: memory that one scenario may take, in MB; None for no limit.

    Raises:
        GridError: if the grid can't be read.
        OSError: if its connections or approximations can't be written.
    """
    global _worker  # noqa: PLW0603 - forked workers inherit it; a pickled grid costs more than a solve
    net = read_grid(plan.grid(members[0]))
    write_connections(plan.connections(members[0]), net)
    write_approximations(plan.approximations(members[0]), net)
    by_id = {member.id: member for member in members}
    prepared = prepare_model(net), ElementIndex(net)
    limits = Limits(plan.config.loading_limit_percent, plan.config.voltage_band_pu)
    criteria = Criteria.of(net, limits)
    _worker = _Worker(plan, journal, by_id, *prepared, threads, memory_mb, criteria)


def solve_member(scenario_id: str, attempt: int) -> Solved:
    """Solve one scenario and write its result. Runs in a worker.

    Args:
        scenario_id: one of the members that :func:`prepare` was called with.
        attempt: number of the attempt, from 1.

    Returns:
        The record of the solve.

    Raises:
        GatBatchError: if the scenario's data are at fault.
        OSError: if a file can't be read or written.
    """
    assert _worker is not None, "prepare() comes first"  # noqa: S101 - not for users
    began = time.time()
    scenario = _worker.members[scenario_id]
    until = began + scenario.timeout_secs + KILL_MARGIN_SECS
    _worker.journal.write("started", scenario_id, attempt=attempt, until=until)
    states = read_states(_worker.index, scenario)
    plan, model = _worker.plan, _worker.model
    metadata: dict[str, Any] = {
        "fingerprint": plan.fingerprint(scenario),
        "scenario": scenario_id,
        "solver": scenario.solver,
        "attempt": attempt,
        "versions": solver_versions(scenario.solver),
    }
    keep = plan.keep(scenario)
    if keep != "all":
        metadata["keep"] = keep
    asked = scenario.contingencies
    contingencies = contingencies_of(_worker.index, asked) if asked else ()
    common = _worker.criteria
    criteria = {"": common}
    if asked is not None:
        judged = {one.name: common.for_category(_worker.index, one) for one in asked.categories}
        criteria |= judged
    run = Run(
        scenario=scenario_id,
        model=model,
        study=Study(
            scenario.solver,
            scenario.options,
            plan.config.engine,
            tuple(plan.config.ac_ladder),
            contingencies,
            criteria,
        ),
        states=states,
        contingencies=contingencies,
        criteria=criteria,
        kept=KeptRows(
            keep,
            "system" if keep == "system" else plan.config.contingency_rows,
            criteria,
        ),
        cascade=asked.cascade if asked else None,
        actions=actions_of(_worker.index, asked.actions) if asked and asked.actions else (),
        choose=asked.choose if asked else "in_order",
        screen=asked is not None and asked.screen == "dc",
        verify=plan.config.verify,
        timeout_secs=scenario.timeout_secs,
        threads=_worker.threads,
        memory_mb=_worker.memory_mb,
    )
    summed = Summed()
    with ResultWriter(plan.result(scenario_id), scenario_id, model, metadata) as writer:
        if run.contingencies:
            for rows in solved_in_parts(run, summed.note, summed.verify, summed.report):
                writer.add_rows(rows)
        else:
            for rows in base_cases(run, summed):
                writer.add_rows(rows)
        metadata |= {
            "verified": asdict(summed.deviation),
            "status": SEVERITY[summed.worst],
            "iterations": summed.iterations,
            "residual": summed.residual,
            "left": summed.left,
            "duration_secs": time.time() - began,
            "solved": began,
        }
    duration = time.time() - began
    return Solved(
        SEVERITY[summed.worst],
        summed.iterations,
        duration,
        asdict(summed.deviation),
        summed.residual,
        summed.left,
        list(summed.reports),
    )
