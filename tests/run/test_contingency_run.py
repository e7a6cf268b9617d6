"""Contingencies in parts: the same rows for any number of workers, and real faults contained."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from power_flow_studies import Study as Outline
from power_flow_studies import grid

from gat_batch.contingency import blocks as solving
from gat_batch.errors import DeviationError
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State, scenario_states
from gat_batch.model.violations import Limits
from gat_batch.results.kept import KeptRows
from gat_batch.run.solving import contingencies as contingency_run
from gat_batch.run.solving.contingencies import solved_in_parts
from gat_batch.run.solving.state import Run
from gat_batch.solvers import study
from gat_batch.solvers.study import Study
from gat_batch.solvers.verification import Deviation
from gat_batch.study.scenario import Contingencies


@pytest.fixture
def run():
    """N-1 of case118 with generators, on top of two states."""
    net = grid("case118")
    index = ElementIndex(net)
    asked = Contingencies(1, ("line", "trafo", "gen"))

    def states():
        for name, factor in (("h0", 0.9), ("h1", 1.0)):
            (state,) = scenario_states(index, Outline(load_scale=factor), None, None)
            yield State(name, state.changes)

    model = prepare(net)
    criteria = {"": Criteria.of(net, Limits(3.0, (0.95, 1.05)))}
    return Run(
        scenario="a",
        model=model,
        study=Study("ac", {}),
        states=states,
        contingencies=contingencies_of(index, asked),
        criteria=criteria,
        kept=KeptRows("all", "violations", criteria),
        screen=False,
        verify=0.0,
        timeout_secs=60.0,
    )


def rows_of(run):
    return pa.concat_tables(solved_in_parts(run, lambda _: None, lambda _: None))


def assert_alike(one, other):
    """The same rows, but for the last digits: blocks end where parts do."""
    assert one.num_rows == other.num_rows
    for name in one.schema.names:
        first, second = (table[name].to_pandas() for table in (one, other))
        if first.dtype == float:
            np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-7, err_msg=name)
        else:
            assert first.equals(second), name


def test_any_number_of_workers_gives_the_same_rows(run):
    one, three = rows_of(run), rows_of(replace(run, threads=3))
    assert one.equals(three)
    system = one.filter(pa.compute.equal(one["element"], "system")).to_pandas()
    names = [None, *(contingency.name for contingency in run.contingencies)]
    assert list(system["contingency"]) == names * 2
    assert list(system["snapshot"]) == ["h0"] * len(names) + ["h1"] * len(names)
    assert one.num_rows > 2 * len(names)


def strike(fault, outages, *arguments):
    """What comes in place of laying a contingency over the equations."""
    if ("line", 7) in outages:
        faulthandler.disable()
        if fault == "segfault":
            ctypes.string_at(0)
        elif fault == "hang":
            # PyDLL keeps the GIL for the whole call.
            ctypes.PyDLL(None).sleep(60)
        elif fault == "exit":
            os._exit(3)
        elif fault == "bug":
            raise KeyError("line")
    return LAID_OVER(outages, *arguments)


LAID_OVER = solving.effect_of


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("segfault", "crash: the worker died (SIGSEGV)"),
        ("exit", "crash: the worker died (exit code 3)"),
        ("hang", "timeout: took longer than timeout_secs = 1 s"),
        ("bug", "internal: KeyError: 'line'"),
    ],
)
def test_a_contingency_that_hangs_dies_or_fails_costs_itself(run, monkeypatch, fault, told):
    run = replace(run, contingencies=run.contingencies[:60], threads=2)
    expected = rows_of(run)
    monkeypatch.setattr(contingency_run, "LEAST_SECS", 1.0)
    monkeypatch.setattr(solving, "effect_of", partial(strike, fault))
    found = rows_of(replace(run, timeout_secs=10.0))
    lost = pa.compute.fill_null(pa.compute.equal(found["contingency"], "line:7"), fill_value=False)
    rows = found.filter(lost).to_pylist()
    assert [(row["element"], row["status"], row["detail"]) for row in rows] == [
        ("system", "not_converged", told)
    ] * 2
    left = pa.compute.fill_null(
        pa.compute.equal(expected["contingency"], "line:7"), fill_value=False
    )
    assert_alike(found.filter(pa.compute.invert(lost)), expected.filter(pa.compute.invert(left)))
    order = [row["contingency"] for row in found.to_pylist() if row["element"] == "system"]
    assert order == [None, *(one.name for one in run.contingencies)] * 2


def struck(fault, original, model, state, *arguments, **keywords):
    """What comes in place of solving a state by itself, as pandapower does."""
    changed = {change.element: change.values for change in state.changes}
    if "line" in changed and not changed["line"][7]:
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    return original(model, state, *arguments, **keywords)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("kill", "crash: the worker died (SIGKILL, often for lack of memory)"),
        ("sleep", "timeout: took longer than timeout_secs = 2 s"),
    ],
)
def test_what_hangs_or_dies_in_pandapower_costs_itself(run, monkeypatch, fault, told):
    asked = Study("ac", {"enforce_q_lims": True}, "pandapower")
    states = lambda: iter([State(None, ())])  # noqa: E731
    few = replace(run, study=asked, states=states, contingencies=run.contingencies[5:9])
    monkeypatch.setattr(contingency_run, "LEAST_SECS", 2.0)
    monkeypatch.setattr(study, "solve", partial(struck, fault, study.solve))
    rows = rows_of(replace(few, timeout_secs=1.0)).to_pylist()
    system = {row["contingency"]: row for row in rows if row["element"] == "system"}
    assert list(system) == [None, "line:5", "line:6", "line:7", "line:8"]
    assert (system["line:7"]["status"], system["line:7"]["detail"]) == ("not_converged", told)
    left = [row["status"] for name, row in system.items() if name != "line:7"]
    assert left == ["ok", "ok", "islanded", "ok"]


def test_a_state_without_solution_is_told_once(run):
    index = ElementIndex(run.model.net)
    overload = partial(scenario_states, index, Outline(load_scale=50.0), None, None)
    noted = []
    rows = list(solved_in_parts(replace(run, states=overload), noted.append, lambda _: None))
    assert [row["status"] for table in rows for row in table.to_pylist()] == ["not_converged"]
    assert [solution.status for solution in noted] == ["not_converged"]


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_a_share_of_contingencies_is_verified(run, solver):
    run = replace(run, study=Study(solver, {}), verify=0.05)
    found = []
    list(solved_in_parts(run, lambda _: None, found.append))
    total = Deviation()
    for deviation in found:
        total |= deviation
    assert 3 < total.states < 40
    assert 0 < total.mw < 1e-5


def test_a_wrong_solution_of_a_contingency_is_noticed(run, monkeypatch):
    solved = solving.solution_of

    def wrong(*arguments, **keywords):
        solution = solved(*arguments, **keywords)
        solution.elements["line"]["p_from_mw"][7] += 0.001
        return solution

    monkeypatch.setattr(solving, "solution_of", wrong)
    with pytest.raises(DeviationError, match=r"differs from pandapower by 0\.001"):
        rows_of(replace(run, verify=0.05))


def test_states_with_outages_of_their_own_have_contingencies(run):
    service = run.model.net.line["in_service"].to_numpy(bool, copy=True)
    service[3] = False
    states = lambda: iter([State(None, (Change("line", "in_service", service),))])  # noqa: E731
    rows = rows_of(replace(run, states=states)).to_pylist()
    system = [row for row in rows if row["element"] == "system"]
    assert len(system) == len(run.contingencies)
    assert "line:3" not in {row["contingency"] for row in system}
