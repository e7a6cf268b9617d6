"""What a worker does: solve scenarios, one by one or several together, on a grid prepared once.

:func:`prepare` runs in the shard before its workers are forked; :func:`solve_member` and
:func:`solve_members` run in a worker, on the grid that it inherited. Only names and small records
cross between the two.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import GatBatchError
from ..grids import read_grid
from ..grids.approximations import write_approximations
from ..grids.connections import write_connections
from ..grids.elements import ElementIndex
from ..model.contingencies.actions import actions_of
from ..model.contingencies.every import contingencies_of
from ..model.criteria import Criteria
from ..model.grid_model import GridModel, with_own_impedances
from ..model.grid_model import prepare as prepare_model
from ..model.scenario_tables import alike_tables, own_grid, read_states
from ..model.violations import Limits
from ..plan.fingerprints import solver_versions
from ..results.kept import KeptRows
from ..results.writer import ResultWriter
from ..solvers.study import Study
from .solving.base_cases import Summed
from .solving.record import found_of, solved_of
from .solving.several import solved_together
from .solving.snapshots import snapshots_in_parts
from .solving.state import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from ..model.scenario_tables import Tables
    from ..plan.plan import Plan
    from ..study.scenario import Scenario
    from .solving.record import Solved
    from .solving.several import Together


@dataclass(frozen=True)
class _Worker:
    plan: Plan
    members: dict[str, Scenario]
    parts: Path
    model: GridModel
    index: ElementIndex
    threads: int
    memory_mb: float | None
    criteria: Criteria


BETWEEN = "\n"
"""Stands between the ids of scenarios that are solved together; none has it in it."""

SHARE_TO_READ, SHARE_TO_SOLVE = 0.25, 0.5
"""Shares of a scenario's time limit after which no more are read, and solved, together."""

_worker: _Worker | None = None


def prepare(
    plan: Plan,
    members: Sequence[Scenario],
    *,
    threads: int = 1,
    memory_mb: float | None = None,
) -> None:
    """Read and prepare the grid that the members share.

    Args:
        plan: the batch.
        members: scenarios with the same grid.
        threads: processes that solve one scenario's snapshots or contingencies at the same time.
        memory_mb: memory that one scenario may take, in MB; None for no limit.

    Raises:
        GridError: if the grid can't be read.
        OSError: if its connections or approximations can't be written.
    """
    global _worker  # noqa: PLW0603 - forked workers inherit it; a pickled grid costs more than a solve
    if any(member.contingencies for member in members):
        # Only then, as it takes a while; and here, so that workers inherit it.
        from .solving import contingencies  # noqa: F401
    net = read_grid(plan.grid(members[0]))
    write_connections(plan.connections(members[0]), net)
    write_approximations(plan.approximations(members[0]), net)
    by_id = {member.id: member for member in members}
    prepared = prepare_model(net), ElementIndex(net)
    limits = Limits(plan.config.loading_limit_percent, plan.config.voltage_band_pu)
    criteria = Criteria.of(net, limits)
    parts = plan.parts(plan.holder(members[0].id))
    _worker = _Worker(plan, by_id, parts, *prepared, threads, memory_mb, criteria)


def solve_member(scenario_id: str, attempt: int) -> dict[str, Solved]:
    """Solve one scenario and write its result. Runs in a worker.

    Args:
        scenario_id: one of the members that :func:`prepare` was called with.
        attempt: number of the attempt, from 1.

    Returns:
        The record of the solve, by the scenario.

    Raises:
        GatBatchError: if the scenario's data are at fault.
        OSError: if a file can't be read or written.
    """
    assert _worker is not None, "prepare() comes first"  # noqa: S101 - not for users
    began = time.time()
    scenario = _worker.members[scenario_id]
    own = _metadata(scenario, attempt, began)
    run = _run_of(scenario)
    plan, summed, count = _worker.plan, Summed(), 0
    path, metadata = plan.result(scenario_id), own
    if plan.in_blocks:
        path, metadata = _part(), {"members": {scenario_id: own}}
    else:
        own |= {"scenario": scenario_id, "solver": scenario.solver}
    with ResultWriter(path, metadata) as writer:
        for rows in _solved(run, summed):
            writer.add_rows(rows)
            count += len(rows)
        own |= found_of(summed, time.time() - began)
        if plan.in_blocks:
            own["rows"] = [0, count]
    return {scenario_id: solved_of(own, summed)}


def _solved(run: Run, summed: Summed) -> Iterator[pa.Table]:
    """Solve a scenario, and yield its rows."""
    if not run.contingencies:
        return snapshots_in_parts(run, summed)
    from .solving.contingencies import solved_in_parts

    return solved_in_parts(run, summed.note, summed.verify, summed.report)


def solve_members(names: str, _attempt: int) -> dict[str, Solved]:
    """Solve several scenarios without contingencies, and write their results. Runs in a worker.

    It stops when it has taken a good share of the time that one of them may take, as a deadline
    ends the worker and what it hasn't written.

    Args:
        names: ids of members that :func:`prepare` was called with, joined by :data:`BETWEEN`.

    Returns:
        The records of those that were solved; the others are to be solved one by one, which will
        say what is wrong with them.

    Raises:
        OSError: if a file can't be read or written.
    """
    assert _worker is not None, "prepare() comes first"  # noqa: S101 - not for users
    began = time.time()
    members = [_worker.members[name] for name in names.split(BETWEEN)]
    limit = min(member.timeout_secs for member in members)
    tables = alike_tables(members)
    runs = []
    for member in members:
        if time.time() - began > limit * SHARE_TO_READ:
            break
        if member.impedances is None:
            with suppress(GatBatchError, OSError):
                runs.append(_run_of(member, tables))
    alone = (member for member in members if member.impedances is not None)
    about: dict[str, dict[str, Any]] = {}
    found: dict[str, Solved] = {}
    common = {"solver": members[0].solver}
    first, now = 0, began
    with ExitStack() as stack:
        part = None
        if _worker.plan.in_blocks:
            part = stack.enter_context(ResultWriter(_part(), {"members": about, **common}))
        for together in chain(solved_together(runs), _solved_alone(alone)):
            since, now = now, time.time()
            duration = (now - since) / len(together.runs)
            for run, summed, start, stop in together.each():
                own = _metadata(_worker.members[run.scenario], 1, began)
                own |= found_of(summed, duration)
                found[run.scenario] = solved_of(own, summed)
                about[run.scenario] = {**own, "rows": [first + start, first + stop]}
                if part is None:
                    metadata = {**own, "scenario": run.scenario, **common}
                    with ResultWriter(_worker.plan.result(run.scenario), metadata) as writer:
                        writer.add_rows(together.rows.slice(start, stop - start))
            if part is not None:
                part.add_rows(together.rows)
            first += len(together.rows)
            if now - began > limit * SHARE_TO_SOLVE:
                break
    return found


def _solved_alone(members: Iterable[Scenario]) -> Iterator[Together]:
    """Solve scenarios that have grids of their own, of which one is in memory at a time."""
    for member in members:
        try:
            run = _run_of(member)
        except (GatBatchError, OSError):
            continue
        yield from solved_together([run])


def _part() -> Path:
    """Return a new file for a part of the shard's result."""
    assert _worker is not None  # noqa: S101 - its callers have looked
    return _worker.parts / f"{time.time_ns()}-{os.getpid()}.parquet"


def _metadata(scenario: Scenario, attempt: int, began: float) -> dict[str, Any]:
    """Return what is known of a result before it is solved."""
    assert _worker is not None  # noqa: S101 - its callers have looked
    plan = _worker.plan
    keep = plan.keep(scenario)
    return {
        "fingerprint": plan.fingerprint(scenario),
        "versions": solver_versions(scenario.options.get("dispatch", scenario.solver)),
        "attempt": attempt,
        "solved": began,
        **({} if keep == "all" else {"keep": keep}),
    }


def _run_of(scenario: Scenario, tables: Tables = MappingProxyType({})) -> Run:
    """Read the tables of a scenario that haven't been read, and return what is to be solved.

    Raises:
        GatBatchError: if they are at fault.
    """
    assert _worker is not None  # noqa: S101 - its callers have looked
    plan, keep = _worker.plan, _worker.plan.keep(scenario)
    states = read_states(_worker.index, scenario, tables)
    asked = scenario.contingencies
    contingencies = contingencies_of(_worker.index, asked) if asked else ()
    model = _worker.model
    if scenario.impedances is not None:
        model = with_own_impedances(model, own_grid(_worker.index, scenario))
    common = _worker.criteria
    criteria = {"": common}
    if asked is not None:
        judged = {one.name: common.for_category(_worker.index, one) for one in asked.categories}
        criteria |= judged
    return Run(
        scenario=scenario.id,
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
        count=states.count,
        outages=scenario.outages,
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
