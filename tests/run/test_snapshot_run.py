"""Snapshots in parts: the same rows for any number of workers, and real faults contained."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from power_flow_studies import Study as Outline
from power_flow_studies import grid

from gat_batch.errors import DeviationError
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State, scenario_states
from gat_batch.model.violations import Limits
from gat_batch.results import kept
from gat_batch.results.kept import KeptRows
from gat_batch.results.reader import read_metadata
from gat_batch.run.solving import base_cases, snapshots
from gat_batch.run.solving.base_cases import Summed
from gat_batch.run.solving.snapshots import snapshots_in_parts
from gat_batch.run.solving.state import Run
from gat_batch.run.supervision import RetryPolicy, Task, supervise
from gat_batch.solvers import verification
from gat_batch.solvers.study import Study

HOURS = 40


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Blocks of three states of case14, which are worth workers of their own."""
    monkeypatch.setattr(base_cases, "MOST_ROWS", 3 * len(MODEL.element))


MODEL = prepare(grid("case14"))
STATES = [
    State(f"h{hour}", state.changes)
    for hour, factor in enumerate(np.linspace(0.8, 1.2, HOURS))
    for state in scenario_states(
        ElementIndex(MODEL.net), Outline(load_scale=50.0 if hour == 30 else factor), None, None
    )
]


def run_of(solver="ac", keep="all", engine="auto", **options):
    criteria = {"": Criteria.of(MODEL.net, Limits(3.0, (0.95, 1.05)))}
    return Run(
        scenario="day",
        model=MODEL,
        study=Study(solver, options, engine),
        states=lambda start=0, stop=None: iter(STATES[start:stop]),
        count=HOURS,
        contingencies=(),
        criteria=criteria,
        kept=KeptRows(keep, "violations", criteria),
        screen=False,
        verify=0.2,
        timeout_secs=60.0,
    )


def solved(run, threads):
    summed = Summed()
    rows = pa.concat_tables(snapshots_in_parts(replace(run, threads=threads), summed))
    return rows, summed


@pytest.mark.parametrize(
    "asked",
    [
        {"solver": "dc"},
        {"keep": "system"},
        {"keep": "violations"},
        {"keep": {"bus": ["vm_pu"]}},
        {"enforce_q_lims": True},
        {"engine": "pandapower"},
    ],
)
def test_any_number_of_workers_gives_the_same_rows(asked, monkeypatch):
    parts, note = [], Summed.add
    monkeypatch.setattr(Summed, "add", lambda *both: (parts.append(both), note(*both))[1])
    run = run_of(**asked)
    one, noted = solved(run, 1)
    assert not parts
    for threads in (2, 3):
        rows, summed = solved(run, threads)
        assert rows.equals(one)
        assert summed == noted
    assert len(parts) > 10
    status = dict(zip(one["snapshot"].to_pylist(), one["status"].to_pylist(), strict=True))
    assert len(status) == HOURS
    assert (noted.deviation.states > 0) == ("engine" not in asked)
    if asked.get("solver") != "dc":
        assert noted.worst == 3
        assert noted.iterations >= 3


def test_what_has_memory_stays_in_order(monkeypatch):
    monkeypatch.setattr(snapshots, "supervise", None)
    states = [state for state in STATES if state.snapshot != "h30"][:21]
    run = replace(
        run_of("dc_opf"), states=lambda start=0, stop=None: iter(states[start:stop]), verify=0.0
    )
    assert len(solved(run, 3)[0]) == 21 * len(MODEL.element)


STRUCK = Study.solve_block


def strike(fault, marks, study, model, states):
    """What comes in place of solving a block, in the snapshot that is at fault."""
    (marks / f"worker-{os.getpid()}").touch()
    if any(state.snapshot == "h13" for state in states):
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "kill once" and not (marks / "struck").exists():
            (marks / "struck").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "memory once" and not (marks / "struck").exists():
            (marks / "struck").touch()
            raise MemoryError
        elif fault == "hang":
            time.sleep(60)
    return STRUCK(study, model, states)


def put_fault(monkeypatch, fault, marks):
    def struck(study, model, states):
        return strike(fault, marks, study, model, states)

    monkeypatch.setattr(Study, "solve_block", struck)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("kill once", "crash: the worker died (SIGKILL, often for lack of memory)"),
        ("memory once", "memory: the worker ran out of memory"),
    ],
)
def test_what_a_worker_loses_is_solved_again(monkeypatch, tmp_path, fault, told):
    run = run_of()
    sound, noted = solved(run, 1)
    put_fault(monkeypatch, fault, tmp_path)
    rows, summed = solved(run, 2)
    assert rows.equals(sound)
    (line,) = summed.reports
    assert line.startswith("snapshots ")
    assert line.endswith(f": {told}; solved again")
    assert replace(summed, reports=()) == noted


def test_rows_that_cannot_be_made_together_are_made_alone(monkeypatch):
    """Of what workers solved, too, whose rows the scenario's own process makes."""
    sound, noted = solved(run_of(), 1)
    make, met = kept.rows_of_block, []

    def broken(model, scenarios, snapshots, *arguments, **keywords):
        if "h13" in snapshots:
            met.append(os.getpid())
            raise KeyError("h13")
        return make(model, scenarios, snapshots, *arguments, **keywords)

    monkeypatch.setattr(kept, "rows_of_block", broken)
    rows, summed = solved(run_of(), 2)
    assert os.getpid() in met
    assert rows.equals(sound)
    assert summed == noted


def rows_of(solver, _attempt):
    """How many rows a scenario has that is solved by two workers of its worker."""
    return len(solved(run_of(solver), 2)[0])


@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_a_snapshot_that_kills_or_hangs_costs_its_scenario(monkeypatch, tmp_path, fault):
    put_fault(monkeypatch, fault, tmp_path)
    (outcome,) = supervise(
        [Task("ac", 4.0)], rows_of, workers=1, policy=RetryPolicy(attempts=2, backoff_secs=0.01)
    )
    verdict = {"kill": "crash", "hang": "timeout"}[fault]
    assert outcome.failed
    assert [failure.verdict for failure in outcome.failures] == [verdict] * 2
    workers = [int(mark.name.removeprefix("worker-")) for mark in tmp_path.glob("worker-*")]
    assert len(workers) >= 4
    ended = time.monotonic() + 5
    while alive := [pid for pid in workers if Path(f"/proc/{pid}/cmdline").exists()]:
        assert time.monotonic() < ended, alive
        time.sleep(0.05)


def test_a_wrong_solution_is_noticed(monkeypatch):
    real = verification.solve

    def wrong(model, state, *arguments, **keywords):
        solution = real(model, state, *arguments, **keywords)
        if state.snapshot == "h25":
            solution.elements["line"]["p_from_mw"][3] += 1.0
        return solution

    monkeypatch.setattr(verification, "solve", wrong)
    with pytest.raises(DeviationError):
        solved(replace(run_of(), verify=1.0), 2)


def test_jobs_with_any_number_of_workers_write_the_same_results(workspace):
    """A job of one scenario, of AC and of DC: 600 snapshots of case118, one without a solution."""
    net = grid("case118")
    factors = np.linspace(0.8, 1.1, 600)
    factors[333] = 50.0
    columns = {
        "load": np.tile(net.load.index, len(factors)),
        "snapshot": np.repeat([f"h{hour}" for hour in range(len(factors))], len(net.load)),
        "p_mw": np.outer(factors, net.load["p_mw"]).ravel(),
    }
    pq.write_table(pa.table(columns), workspace.path / "hours.parquet")
    common = {"grid": "pandapower:case118", "loads": "hours.parquet"}
    content = [{"id": solver, "solver": solver, **common} for solver in ("ac", "dc")]
    workspace.write("manifest.json", {"scenarios": content})
    found = []
    for workers in (1, 2, 3):
        name = f"with-{workers}"
        workspace.configure(name=name, workers_per_job=workers, scenarios_per_job=1)
        folder = workspace.path / "runs" / "batch" / name
        results = [folder / f"job_{solver}" / "result.parquet" for solver in ("ac", "dc")]
        asked = [str(result.relative_to(workspace.path)) for result in results]
        run = workspace.run(*asked, cores=workers)
        assert run.returncode == 0, run.stdout + run.stderr
        found.append([facts_of(result) for result in results])
    assert found[0] == found[1] == found[2]
    (ac, about, _), (dc, _, groups) = found[0]
    statuses = [row["status"] for row in ac.select(["status"]).to_pylist() if row["status"]]
    assert [n for n, status in enumerate(statuses) if status != "ok"] == [333]
    assert about["status"] == "not_converged"
    assert len(dc) == 600 * len(prepare(net).element)
    assert len(groups) > 1


def facts_of(result):
    """Rows, metadata but for times, and sizes of the row groups of a result."""
    about = read_metadata(result)
    del about["solved"], about["duration_secs"]
    file = pq.ParquetFile(result)
    groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    return file.read(), about, groups
