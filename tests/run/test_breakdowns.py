"""A bug costs the one contingency, state or scenario that it happened in: by real jobs."""

from __future__ import annotations

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


def solved(workspace, scenario, *, code=0, **configuration):
    """Run one scenario through the workflow; its rows and what its log says."""
    workspace.write("manifest.json", {"scenarios": [{"id": "a", **scenario}]})
    workspace.configure(loading_limit_percent=1, **configuration)
    run = workspace.run()
    assert run.returncode == code, run.stdout + run.stderr
    log = "".join(file.read_text() for file in (workspace.batch / "logs").glob("*.log"))
    return pd.read_parquet(workspace.result("a")), log


def broken(workspace, monkeypatch, step, scenario, **configuration):
    """The rows without and with a bug in a step, and what the log says of it."""
    sound, _ = solved(workspace, scenario, **configuration)
    workspace.result("a").unlink()
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    monkeypatch.setenv("BROKEN", step)
    return sound, *solved(workspace, scenario, **configuration)


def assert_only(rows, sound, hit, of):
    """All rows are as without the bug, but for those that were hit, of which one says why."""
    own = rows[rows[of] == hit]
    assert own["element"].tolist() == ["system"]
    assert own["status"].tolist() == ["not_converged"]
    assert own["detail"].str.contains("internal: KeyError: 'broken on purpose'").all()
    others = (frame[frame[of] != hit].reset_index(drop=True) for frame in (rows, sound))
    pd.testing.assert_frame_equal(*others)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("step", ["contingency", "reduction", "rows"])
def test_a_bug_in_one_contingency_costs_that_one(workspace, monkeypatch, step, workers):
    scenario = {"grid": "pandapower:case14", "solver": "dc", "contingencies": "n-1"}
    sound, rows, log = broken(workspace, monkeypatch, step, scenario, workers_per_job=workers)
    assert (sound["contingency"] == "line:3").sum() > 1
    assert_only(rows, sound, "line:3", "contingency")
    assert "Traceback" in log
    assert "line:3" in log


@pytest.mark.parametrize("contingencies", [None, "n-1"])
def test_a_bug_in_one_state_costs_that_one(workspace, monkeypatch, contingencies):
    table = "load,p_mw,snapshot\n0,20,a\n0,21,b\n0,22,c\n"
    workspace.write("hours.csv", table)
    scenario = {"grid": "pandapower:case14", "solver": "ac", "loads": "hours.csv"}
    if contingencies:
        scenario["contingencies"] = contingencies
    sound, rows, log = broken(workspace, monkeypatch, "state", scenario)
    assert_only(rows, sound, "b", "snapshot")
    assert "Traceback" in log


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
