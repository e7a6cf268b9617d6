"""A bug costs the one contingency, state or scenario that it happened in: by real jobs."""

from __future__ import annotations

import json
import sys

import pandapower.networks
import pandas as pd
import pytest
from conftest import ROOT

from gat_batch.grids import write_grid
from gat_batch.grids.bundled import read_bundled

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.skipif(sys.platform != "linux", reason="workers are forked as on Linux"),
]

RTS_GMLC = ROOT.parent / "shared" / "grids" / "matpower" / "case_RTS_GMLC.m"


HOURS = "load,p_mw,snapshot\n0,20,a\n0,21,b\n0,22,c\n"

WAY = ["engine", "iterations"]
"""Columns that tell how something was solved."""


def solve(workspace, scenarios, **configuration):
    """Run scenarios through the workflow, up to their results; what the log says."""
    manifest = [{"id": name, **scenario} for name, scenario in scenarios.items()]
    workspace.write("manifest.json", {"scenarios": manifest})
    workspace.configure(loading_limit_percent=1, **configuration)
    results = [workspace.result(name).relative_to(workspace.path) for name in scenarios]
    run = workspace.run(*map(str, results))
    assert run.returncode == 0, run.stdout + run.stderr
    return logged(workspace)


def logged(workspace):
    return "".join(file.read_text() for file in (workspace.batch / "logs").glob("*.log"))


def solved(workspace, scenario, **configuration):
    """The rows of one scenario, and what its log says."""
    log = solve(workspace, {"a": scenario}, **configuration)
    return pd.read_parquet(workspace.result("a")), log


def put_bugs_into(monkeypatch, *steps):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    monkeypatch.setenv("BROKEN", ",".join(steps))


def broken(workspace, monkeypatch, steps, scenario, **configuration):
    """The rows without and with bugs in some steps, and what the log says of them."""
    sound, _ = solved(workspace, scenario, **configuration)
    workspace.result("a").unlink()
    put_bugs_into(monkeypatch, *([steps] if isinstance(steps, str) else steps))
    return sound, *solved(workspace, scenario, **configuration)


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
def test_a_bug_in_one_contingency_costs_that_one(workspace, monkeypatch, solver, step, workers):
    scenario = {"grid": "pandapower:case14", "solver": solver, "contingencies": "n-1"}
    sound, rows, log = broken(workspace, monkeypatch, step, scenario, workers_per_job=workers)
    assert (sound["contingency"] == "line:3").sum() > 1
    assert_only(rows, sound, "line:3", "contingency")
    assert "Traceback" in log
    assert "line:3" in log


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_a_bug_in_making_blocks_costs_only_what_has_a_bug_alone_too(workspace, monkeypatch, solver):
    scenario = {"grid": "pandapower:case14", "solver": solver, "contingencies": "n-1"}
    steps = ("blocks", "contingency alone")
    sound, rows, log = broken(workspace, monkeypatch, steps, scenario)
    assert_only(rows, sound, "line:3", "contingency", but=WAY)
    # All parts meet the bug in making blocks; it is told once.
    assert log.count("Traceback") == 1


def test_a_bug_in_one_contingency_of_an_optimal_power_flow_costs_that_one(workspace, monkeypatch):
    scenario = {"grid": "pandapower:case9", "solver": "ac_opf", "contingencies": "n-1"}
    sound, rows, _ = broken(workspace, monkeypatch, "contingency alone", scenario)
    assert (sound["contingency"] == "line:3").sum() > 1
    assert_only(rows, sound, "line:3", "contingency")


@pytest.mark.parametrize("step", ["reduction", "screening"])
def test_a_bug_in_screening_one_contingency_costs_that_one(workspace, monkeypatch, step):
    screened = {"depth": 1, "screen": "dc"}
    scenario = {"grid": "pandapower:case14", "solver": "ac", "contingencies": screened}
    sound, rows, _ = broken(workspace, monkeypatch, step, scenario)
    assert_only(rows, sound, "line:3", "contingency")


def compared_with_unscreened(workspace, grid):
    """Rows of contingencies screened by DC and of the same by AC alone, and the log."""
    scenario = {"grid": grid, "solver": "ac"}
    asked = {"a": {"depth": 1, "screen": "dc"}, "b": {"depth": 1}}
    scenarios = {name: {**scenario, "contingencies": one} for name, one in asked.items()}
    log = solve(workspace, scenarios)
    return *(pd.read_parquet(workspace.result(name)) for name in scenarios), log


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
    ("solver", "contingencies", "step"),
    [
        ("ac", None, "state"),
        ("ac", "n-1", "state"),
        ("ac_opf", None, "state"),
        ("dc_opf", None, "state's rows"),
    ],
)
def test_a_bug_in_one_state_costs_that_one(workspace, monkeypatch, solver, contingencies, step):
    workspace.write("hours.csv", HOURS)
    scenario = {"grid": "pandapower:case14", "solver": solver, "loads": "hours.csv"}
    if contingencies:
        scenario["contingencies"] = contingencies
    sound, rows, log = broken(workspace, monkeypatch, step, scenario)
    # What comes after it can't start from its optimum.
    but = WAY if solver == "ac_opf" else ()
    assert_only(rows, sound, "b", "snapshot", but)
    assert "Traceback" in log


@pytest.mark.parametrize("step", ["ramps", "state's rows"])
def test_a_bug_where_ramps_tie_states_costs_them_and_no_other_scenario(
    workspace, monkeypatch, step
):
    workspace.write("hours.csv", HOURS)
    workspace.write("others.csv", HOURS.replace("b", "d"))
    tied = {"grid": "pandapower:case14", "solver": "dc_opf", "options": {"ramps": True}}
    scenarios = {"a": {**tied, "loads": "hours.csv"}, "other": {**tied, "loads": "others.csv"}}
    solve(workspace, scenarios)
    sound = {name: pd.read_parquet(workspace.result(name)) for name in scenarios}
    for name in scenarios:
        workspace.result(name).unlink()
    put_bugs_into(monkeypatch, step)
    solve(workspace, scenarios)
    rows = {name: pd.read_parquet(workspace.result(name)) for name in scenarios}
    assert_alike(rows["other"], sound["other"])
    if step == "ramps":
        assert_lost(rows["a"])
        assert rows["a"]["snapshot"].tolist() == ["a", "b", "c"]
    else:
        assert_only(rows["a"], sound["a"], "b", "snapshot")


@pytest.mark.parametrize("screen", [None, "dc"])
@pytest.mark.parametrize("times", ["", " once"])
def test_a_worker_that_fails_to_prepare_a_state_does_not_take_another_states_solver(
    workspace, monkeypatch, screen, times
):
    workspace.write("hours.csv", HOURS.replace("21", "90"))
    contingencies = {"depth": 1, **({"screen": screen} if screen else {})}
    scenario = {
        "grid": "pandapower:case14",
        "solver": "ac",
        "loads": "hours.csv",
        "contingencies": contingencies,
    }
    step = "preparing to screen" if screen else "preparing"
    sound, rows, _ = broken(workspace, monkeypatch, f"{step}{times}", scenario)
    hit = (rows["snapshot"] == "b") & rows["contingency"].notna()
    if times:
        # Contingencies in twos: the first two come back one by one, and the first of them fails.
        hit &= rows["contingency"] == "line:0"
        assert hit.sum() == 1
    assert_lost(rows[hit])
    keys = ["snapshot", "contingency"]
    lost = pd.MultiIndex.from_frame(rows.loc[hit, keys])
    assert_alike(rows[~hit], sound[~pd.MultiIndex.from_frame(sound[keys]).isin(lost)])


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
    rows, _ = solved(workspace, scenario)
    named = rows.loc[rows["element"] == "system", "contingency"].dropna()
    assert named.tolist() == [f"line:{n}" for n in net.line.index]


@pytest.mark.skipif(not RTS_GMLC.is_file(), reason="shared/grids isn't beside the checkout")
@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_contingencies_of_a_grid_with_several_generators_at_a_bus(workspace, solver):
    types = {"depth": 1, "types": ["line", "trafo", "gen", "sgen", "load"]}
    scenario = {"grid": str(RTS_GMLC), "solver": solver, "contingencies": types}
    rows, _ = solved(workspace, {**scenario, "timeout_secs": 600}, workers_per_job=2)
    system = rows[rows["element"] == "system"]
    assert system["status"].isin(["ok", "islanded"]).all(), system["detail"].dropna().unique()
    assert system["contingency"].nunique() > 200
