"""A bug costs the one contingency, state or scenario that it happened in: by real jobs."""

from __future__ import annotations

import json
import sys

import pandapower.networks
import pandas as pd
import pytest
from conftest import ROOT, Workspace

from gat_batch.grids import write_grid
from gat_batch.grids.bundled import read_bundled

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.xdist_group("breakdowns"),  # one worker solves what all are compared with
    pytest.mark.skipif(sys.platform != "linux", reason="workers are forked as on Linux"),
]

RTS_GMLC = ROOT.parent / "shared" / "grids" / "matpower" / "case_RTS_GMLC.m"


HOURS = "load,p_mw,snapshot\n0,20,a\n0,21,b\n0,22,c\n"
TABLES = {
    "hours.csv": HOURS,
    "others.csv": HOURS.replace("b", "d"),
    "unlike.csv": HOURS.replace("21", "90"),
}
SCREENED = {"depth": 1, "screen": "dc"}
TIED = {"grid": "pandapower:case14", "solver": "dc_opf", "options": {"ramps": True}}
SCENARIOS = {
    "dc": {"grid": "pandapower:case14", "solver": "dc", "contingencies": "n-1"},
    "ac": {"grid": "pandapower:case14", "solver": "ac", "contingencies": "n-1"},
    "screened": {"grid": "pandapower:case14", "solver": "ac", "contingencies": SCREENED},
    "optimal": {"grid": "pandapower:case9", "solver": "ac_opf", "contingencies": "n-1"},
    "hours": {"grid": "pandapower:case14", "solver": "ac", "loads": "hours.csv"},
    "hours-n-1": {
        "grid": "pandapower:case14",
        "solver": "ac",
        "loads": "hours.csv",
        "contingencies": "n-1",
    },
    "hours-ac_opf": {"grid": "pandapower:case14", "solver": "ac_opf", "loads": "hours.csv"},
    "hours-dc_opf": {"grid": "pandapower:case14", "solver": "dc_opf", "loads": "hours.csv"},
    "unlike": {
        "grid": "pandapower:case14",
        "solver": "ac",
        "loads": "unlike.csv",
        "contingencies": {"depth": 1},
    },
    "unlike-screened": {
        "grid": "pandapower:case14",
        "solver": "ac",
        "loads": "unlike.csv",
        "contingencies": SCREENED,
    },
    "tied": {**TIED, "loads": "hours.csv"},
    "tied-others": {**TIED, "loads": "others.csv"},
}
"""What is solved once without any bug, and in each test with one."""

WAY = ["engine", "iterations"]
"""Columns that tell how something was solved."""


def solve(workspace, scenarios, **configuration):
    """Run scenarios through the workflow, up to their results; what the log says."""
    manifest = [{"id": name, **scenario} for name, scenario in scenarios.items()]
    workspace.write("manifest.json", {"scenarios": manifest})
    for name, text in TABLES.items():
        workspace.write(name, text)
    workspace.configure(loading_limit_percent=1, **configuration)
    results = [workspace.result(name).relative_to(workspace.path) for name in scenarios]
    run = workspace.run(*map(str, results))
    assert run.returncode == 0, run.stdout + run.stderr
    return logged(workspace)


def logged(workspace):
    return "".join(file.read_text() for file in (workspace.batch / "logs").glob("*.log"))


def rows_of(workspace, name):
    return pd.read_parquet(workspace.result(name))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The rows of each scenario without any bug."""
    space = Workspace(tmp_path_factory.mktemp("sound"))
    solve(space, SCENARIOS)
    return {name: rows_of(space, name) for name in SCENARIOS}


def put_bugs_into(monkeypatch, *steps):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    monkeypatch.setenv("BROKEN", ",".join(steps))


def broken(workspace, monkeypatch, steps, name, **configuration):
    """The rows of a scenario with bugs in some steps, and what the log says of them."""
    put_bugs_into(monkeypatch, *([steps] if isinstance(steps, str) else steps))
    log = solve(workspace, {name: SCENARIOS[name]}, **configuration)
    return rows_of(workspace, name), log


def assert_alike(rows, sound, but=()):
    """The same rows, numbers but for their last digits."""
    frames = (frame.drop(columns=[*but]).reset_index(drop=True) for frame in (rows, sound))
    pd.testing.assert_frame_equal(*frames, rtol=1e-7, atol=1e-5)  # multipliers tell of the start


def assert_lost(rows):
    """There is nothing but what happened to each."""
    assert len(rows)
    assert (rows["element"] == "system").all()
    assert (rows["status"] == "not_converged").all()
    assert rows["detail"].str.contains("internal: KeyError: 'broken on purpose'").all()


def assert_only(rows, sound, hit, of, but=()):
    """All rows are as without the bug, but for those that were hit, of which one says why."""
    own = rows[rows[of] == hit]
    assert len(own) == 1
    assert_lost(own)
    assert_alike(*(frame[frame[of] != hit] for frame in (rows, sound)), but)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("solver", "step"),
    [("dc", "contingency"), ("dc", "reduction"), ("dc", "rows"), ("ac", "reduction")],
)
def test_a_bug_in_one_contingency_costs_that_one(
    workspace, monkeypatch, sound, *, solver, step, workers
):
    rows, log = broken(workspace, monkeypatch, step, solver, workers_per_job=workers)
    assert (sound[solver]["contingency"] == "line:3").sum() > 1
    assert_only(rows, sound[solver], "line:3", "contingency")
    assert "Traceback" in log
    assert "line:3" in log


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_a_bug_in_making_blocks_costs_only_what_has_a_bug_alone_too(
    workspace, monkeypatch, sound, solver
):
    rows, log = broken(workspace, monkeypatch, ("blocks", "contingency alone"), solver)
    assert_only(rows, sound[solver], "line:3", "contingency", but=WAY)
    # All parts meet the bug in making blocks; it is told once.
    assert log.count("Traceback") == 1


def test_a_bug_in_one_contingency_of_an_optimal_power_flow_costs_that_one(
    workspace, monkeypatch, sound
):
    rows, _ = broken(workspace, monkeypatch, "contingency alone", "optimal")
    assert (sound["optimal"]["contingency"] == "line:3").sum() > 1
    assert_only(rows, sound["optimal"], "line:3", "contingency")


@pytest.mark.parametrize("step", ["reduction", "screening"])
def test_a_bug_in_screening_one_contingency_costs_that_one(workspace, monkeypatch, sound, step):
    rows, _ = broken(workspace, monkeypatch, step, "screened")
    assert_only(rows, sound["screened"], "line:3", "contingency")


def compared_with_unscreened(workspace, grid):
    """Rows of contingencies screened by DC and of the same by AC alone, and the log."""
    scenario = {"grid": grid, "solver": "ac"}
    asked = {"a": SCREENED, "b": {"depth": 1}}
    scenarios = {name: {**scenario, "contingencies": one} for name, one in asked.items()}
    log = solve(workspace, scenarios)
    return *(rows_of(workspace, name) for name in scenarios), log


@pytest.mark.parametrize("step", ["base of DC", "blocks of DC"])
def test_where_screening_has_a_bug_all_contingencies_are_solved_by_ac(workspace, monkeypatch, step):
    put_bugs_into(monkeypatch, step)
    rows, plain, log = compared_with_unscreened(workspace, "pandapower:case14")
    assert plain["contingency"].nunique() == 20
    assert_alike(rows, plain, but=["scenario", *WAY])
    assert "broken on purpose" in log


def test_where_dc_has_no_solution_all_contingencies_are_solved_by_ac(workspace):
    """Reactances of two lines cancel: without losses, nothing holds the angle behind them."""
    net = read_bundled("case9")
    bus = pandapower.create_bus(net, 345.0)
    for sign in (1, -1):
        pandapower.create_line_from_parameters(net, 4, bus, 1.0, 20.0, sign * 50.0, 0.0, 1.0)
    pandapower.create_load(net, bus, p_mw=5.0)
    write_grid(net, workspace.path / "grid.json")
    rows, plain, _ = compared_with_unscreened(workspace, "grid.json")
    system = plain[plain["element"] == "system"]
    assert (system["status"] == "ok").sum() > 5
    assert_alike(rows, plain, but=["scenario"])


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("hours", "state"),
        ("hours", "state's rows"),
        ("hours-n-1", "state"),
        ("hours-ac_opf", "state"),
        ("hours-dc_opf", "state's rows"),
    ],
)
def test_a_bug_in_one_state_costs_that_one(workspace, monkeypatch, sound, name, step):
    rows, log = broken(workspace, monkeypatch, step, name)
    # What comes after it can't start from its optimum.
    but = WAY if name == "hours-ac_opf" else ()
    assert_only(rows, sound[name], "b", "snapshot", but)
    assert "Traceback" in log


@pytest.mark.parametrize("step", ["ramps", "state's rows"])
def test_a_bug_where_ramps_tie_states_costs_them_and_no_other_scenario(
    workspace, monkeypatch, sound, step
):
    put_bugs_into(monkeypatch, step)
    solve(workspace, {name: SCENARIOS[name] for name in ("tied", "tied-others")})
    assert_alike(rows_of(workspace, "tied-others"), sound["tied-others"])
    rows = rows_of(workspace, "tied")
    if step == "ramps":
        assert_lost(rows)
        assert rows["snapshot"].tolist() == ["a", "b", "c"]
    else:
        assert_only(rows, sound["tied"], "b", "snapshot")


@pytest.mark.parametrize("screen", [None, "dc"])
@pytest.mark.parametrize("times", ["", " once"])
def test_a_worker_that_fails_to_prepare_a_state_does_not_take_another_states_solver(
    workspace, monkeypatch, sound, screen, times
):
    step, name = ("preparing to screen", "unlike-screened") if screen else ("preparing", "unlike")
    # Which parts there are, and which is the first, depends on the workers.
    rows, _ = broken(workspace, monkeypatch, f"{step}{times}", name, workers_per_job=1)
    hit = (rows["snapshot"] == "b") & rows["contingency"].notna()
    if times:
        # Contingencies in twos: the first two come back one by one, and the first of them fails.
        hit &= rows["contingency"] == "line:0"
        assert hit.sum() == 1
    assert_lost(rows[hit])
    keys = ["snapshot", "contingency"]
    lost = pd.MultiIndex.from_frame(rows.loc[hit, keys])
    whole = sound[name]
    assert_alike(rows[~hit], whole[~pd.MultiIndex.from_frame(whole[keys]).isin(lost)])


def test_a_bug_in_preparing_a_grid_costs_the_scenarios_on_it_until_it_is_cured(
    workspace, monkeypatch
):
    scenarios = [{"id": f"case{n}", "grid": f"pandapower:case{n}"} for n in (9, 14)]
    workspace.write("manifest.json", {"scenarios": scenarios})
    put_bugs_into(monkeypatch, "grid")
    run = workspace.run()
    assert run.returncode != 0
    assert "failed: case14: KeyError: 'broken on purpose'" in run.stdout + run.stderr
    error = json.loads((workspace.batch / "job_case14" / "error.json").read_text())
    assert error["verdict"] == "internal"
    assert "Traceback" in logged(workspace)
    first = workspace.solved()
    assert list(first) == ["case9"]

    monkeypatch.delenv("BROKEN")
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    assert workspace.solved().keys() == {"case9", "case14"}
    assert workspace.solved()["case9"] == first["case9"]


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_contingencies_of_what_is_out_of_service_have_no_rows(workspace, solver):
    """There are so many that whole blocks have none."""
    net = read_bundled("case9")
    for _ in range(40):
        pandapower.create_sgen(net, 4, p_mw=1.0, in_service=False)
    write_grid(net, workspace.path / "grid.json")
    types = {"depth": 1, "types": ["sgen", "line"]}
    scenario = {"grid": "grid.json", "solver": solver, "contingencies": types}
    solve(workspace, {"a": scenario})
    rows = rows_of(workspace, "a")
    named = rows.loc[rows["element"] == "system", "contingency"].dropna()
    assert named.tolist() == [f"line:{n}" for n in net.line.index]


@pytest.mark.skipif(not RTS_GMLC.is_file(), reason="shared/grids isn't beside the checkout")
@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_contingencies_of_a_grid_with_several_generators_at_a_bus(workspace, solver):
    types = {"depth": 1, "types": ["line", "trafo", "gen", "sgen", "load"]}
    scenario = {"grid": str(RTS_GMLC), "solver": solver, "contingencies": types}
    solve(workspace, {"a": {**scenario, "timeout_secs": 600}}, workers_per_job=2)
    rows = rows_of(workspace, "a")
    system = rows[rows["element"] == "system"]
    assert system["status"].isin(["ok", "islanded"]).all(), system["detail"].dropna().unique()
    assert system["contingency"].nunique() > 200
