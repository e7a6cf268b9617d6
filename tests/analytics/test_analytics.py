"""Each analysis against an independent computation; users' functions contained and named."""

from __future__ import annotations

import copy

import numpy as np
import pandapower
import pandapower.networks
import pandas as pd
import pytest
from conftest import run_script
from hypothesis import given, settings
from hypothesis import strategies as st

from gat_batch.analytics.comparison import compare_results
from gat_batch.analytics.reliability import indices
from gat_batch.analytics.shift_factors import lodf, ptdf
from gat_batch.errors import ConfigError, SolverError
from gat_batch.model.grid_model import prepare
from gat_batch.results.reader import read_result
from gat_batch.study.analyses import analyses_of


def flows(net):
    pandapower.rundcpp(net)
    return pd.concat(
        {"line": net.res_line["p_from_mw"], "trafo": net.res_trafo["p_hv_mw"]}
    ).rename_axis(["element", "id"])


@pytest.mark.parametrize("case", ["case14", "case118", "mv_oberrhein"])
def test_ptdf_equals_a_power_flow_with_more_injected(case):
    net = getattr(pandapower.networks, case)()
    factors = ptdf(prepare(copy.deepcopy(net)), 0.0)
    before = flows(net)
    for bus in np.random.default_rng(1).choice(factors["bus"].unique(), 6, replace=False):
        more = copy.deepcopy(net)
        pandapower.create_sgen(more, bus, p_mw=1.0)
        change = (flows(more) - before).dropna()
        told = factors[factors["bus"] == bus].set_index(["element", "id"])["ptdf"]
        assert np.abs(told - change.reindex(told.index)).max() < 1e-8
        assert np.abs(change.drop(told.index)).max() < 1e-8 or len(change) == len(told)


@pytest.mark.parametrize("case", ["case14", "case118", "case57"])
def test_lodf_equals_a_power_flow_without_the_branch(case):
    net = getattr(pandapower.networks, case)()
    factors = lodf(prepare(copy.deepcopy(net)), 0.0)
    before = flows(net)
    outages = factors[["outage_element", "outage_id"]].drop_duplicates()
    for outage in outages.sample(8, random_state=2).itertuples(index=False):
        carried = before[tuple(outage)]
        after = copy.deepcopy(net)
        after[outage.outage_element].loc[outage.outage_id, "in_service"] = False
        change = flows(after) - before
        here = (factors[["outage_element", "outage_id"]] == tuple(outage)).all(axis=1)
        told = factors[here].set_index(["element", "id"])["lodf"] * carried
        assert np.abs(told - change.reindex(told.index)).max() < 1e-7


def test_outages_that_split_the_grid_have_no_factors():
    net = pandapower.networks.case9()
    radial = lodf(prepare(net), 0.0)
    assert set(radial["outage_id"]) == {1, 2, 4, 5, 7, 8}  # the ring; the others feed it


def test_grid_without_shift_factors_says_why():
    net = pandapower.networks.case9()
    pandapower.create_svc(net, 4, 5, -15, 1.0, 150)
    with pytest.raises(SolverError, match="no shift factors: it has elements of type"):
        ptdf(prepare(net), 0.0)


@settings(deadline=None)  # other work on the machine is no fault
@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.lists(st.none() | st.integers(0, 3), min_size=1)),
        min_size=1,
        max_size=6,
    )
)
def test_reliability_equals_a_sum_over_states(batch):
    rows, states = [], []
    total = sum(weight for weight, _ in batch)
    for n, (weight, unserved) in enumerate(batch):
        known = [value for value in unserved if value is not None]
        rows.append(
            {
                "scenario": f"s{n}",
                "weight": float(weight),
                "states": len(unserved),
                "unsolved": len(unserved) - len(known),
                "lost": sum(value > 0 for value in known),
                "unserved_mw": float(sum(known)),
            }
        )
        states += [(weight / total / len(unserved), value) for value in unserved]
    together = indices(pd.DataFrame(rows), 8760.0).iloc[0]
    solved = [(p, value) for p, value in states if value is not None]
    mass = sum(p for p, _ in solved)
    assert together["unsolved_probability"] == pytest.approx(1 - mass, abs=1e-12)
    if solved:
        assert together["lolp"] == pytest.approx(sum(p for p, v in solved if v > 0) / mass)
        assert together["lole_hours"] == pytest.approx(together["lolp"] * 8760)
        assert together["eue_mwh"] == pytest.approx(8760 * sum(p * v for p, v in solved) / mass)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ([{"name": "a", "kind": "ptdf"}, {"name": "a", "kind": "lodf"}], "two analyses"),
        ([{"name": "a", "kind": "ptdf", "options": {"lest": 1}}], "unknown option 'lest'"),
        ([{"name": "a", "kind": "ptdf", "options": {"least": "x"}}], "least is 'x'"),
        ([{"name": "a", "kind": "reliability", "options": {"hours": -1}}], "hours is -1"),
        ([{"name": "a", "kind": "compare"}], "other is missing"),
        ([{"name": "a", "kind": "lodf", "over": "batch"}], "over is for functions"),
    ],
)
def test_faults_of_the_configuration_are_named(entries, what):
    with pytest.raises(ConfigError, match=what):
        analyses_of(entries)


OWN = """
import os, time
import pandas as pd

def peaks(table, factor=1.0):
    open("called", "a").write("x")
    rows = table.to_pandas().query("element == 'line'")
    return pd.DataFrame({"peak": [rows["loading_percent"].max() * factor]})

def everything(table):
    return table.group_by("scenario").aggregate([("loading_percent", "max")])

def hangs(table):
    if table["scenario"][0].as_py() == "b":
        time.sleep(600)
    return table.slice(0, 1)

def dies(table):
    os._exit(3)

def raises(table):
    return 1 / 0

def nonsense(table):
    return "no table"

def unlike(table):
    name = table["scenario"][0].as_py()
    return pd.DataFrame({"x": [1.0 if name == "a" else "one"]})

def missing(table):
    pass

del missing  # which shows in a run only
"""


def batch(scenarios, **top):
    return {"grid": "pandapower:case9", "solver": "ac", "scenarios": scenarios, **top}


def table(workspace, name):
    return pd.read_parquet(workspace.batch / "summary" / "analytics" / f"{name}.parquet")


@pytest.mark.workflow
def test_analyses_of_a_run(workspace):
    loads = "load,p_mw,snapshot\n" + "".join(f"0,{60 + 25 * n},h{n}\n" for n in range(6))
    workspace.write("loads.csv", loads)
    cut_off = [{"type": "line", "id": 8}, {"type": "line", "id": 2}]
    scenarios = [
        {"id": "a", "weight": 3},
        {"id": "b", "load_scale": 1.4},
        {"id": "day", "loads": "loads.csv", "weight": 2, "contingencies": "n-1"},
        {"id": "dark", "outages": [{"type": "bus", "id": 4}, *cut_off[:1]], "weight": 0.5},
    ]
    workspace.write("manifest.json", batch(scenarios))
    workspace.write("own.py", OWN)
    analytics = [
        {"name": "factors", "kind": "ptdf"},
        {"name": "busy", "kind": "congestion", "options": {"threshold_percent": 40}},
        {"name": "risk", "kind": "reliability", "options": {"hours": 100}},
        {"name": "peaks", "function": "own:peaks", "options": {"factor": 2.0}},
        {"name": "all_peaks", "function": "own:everything", "over": "batch"},
        {"name": "changes", "kind": "compare", "options": {"other": "runs/batch/study"}},
    ]
    workspace.configure(analytics=analytics)
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr

    rows = pd.read_parquet(workspace.batch / "summary" / "aggregated_results.parquet")
    rows = rows[rows["contingency"].isna()]
    system = rows[rows["element"] == "system"]
    states = system.groupby("scenario").size()
    share = {one["id"]: one.get("weight", 1) / states[one["id"]] for one in scenarios}
    lines = rows[rows["element"] == "line"].dropna(subset=["loading_percent"])
    weight = lines["scenario"].map(share)
    full = lines["loading_percent"] >= 40
    expected = (weight * full).groupby(lines["id"]).sum() / weight.groupby(lines["id"]).sum()
    busy = table(workspace, "busy").set_index("id")
    assert busy["probability"].to_dict() == pytest.approx(expected[expected > 0].to_dict())
    assert busy["states"].to_dict() == full.groupby(lines["id"]).sum()[busy.index].to_dict()

    risk = table(workspace, "risk").set_index("scenario")
    weight = system["scenario"].map(share)
    lost = system["unserved_mw"] > 1e-3
    assert lost.any()
    batch_row = risk[risk.index.isna()].iloc[0]
    assert batch_row["lolp"] == pytest.approx((weight * lost).sum() / weight.sum())
    unserved = (weight * system["unserved_mw"]).sum() / weight.sum()
    assert batch_row["eue_mwh"] == pytest.approx(100 * unserved)

    assert len(table(workspace, "factors")) > 20
    peaks = table(workspace, "peaks").set_index("scenario")["peak"]
    everything = read_rows(workspace)
    top = everything[everything["element"] == "line"].groupby("scenario")["loading_percent"].max()
    assert peaks.to_dict() == pytest.approx((2 * top).to_dict())
    assert len(table(workspace, "all_peaks")) == 4
    assert len(table(workspace, "changes")) == 0

    # One scenario changes: its part is done again, the others are kept.
    assert (workspace.path / "called").read_text() == "x" * 4
    scenarios[0]["load_scale"] = 1.1
    workspace.write("manifest.json", batch(scenarios))
    assert workspace.run().returncode == 0
    assert (workspace.path / "called").read_text() == "x" * 5
    assert "Nothing to be done" in workspace.run("-n").stdout


def read_rows(workspace):
    return pd.read_parquet(workspace.batch / "summary" / "aggregated_results.parquet")


@pytest.mark.parametrize(
    ("analysis", "told"),
    [
        ({"function": "own:peakz"}, "own.py has no function 'peakz' (did you mean 'peaks'?)"),
        ({"function": "owm:peaks"}, "there is no module 'owm' (modules are looked for beside"),
        ({"function": "broken:f"}, "broken.py: can't be read: "),
        ({"kind": "compare", "options": {"other": "runs/batch/no"}}, "no: no such folder (name"),
        ({"kind": "compare", "options": {"other": "config"}}, "config: holds no results"),
    ],
)
def test_analyses_that_are_bound_to_fail_are_refused_before_the_run(workspace, analysis, told):
    workspace.write("manifest.json", batch([{"id": "a"}]))
    workspace.write("own.py", OWN)
    workspace.write("broken.py", "def f(table:\n")
    workspace.configure(analytics=[{"name": "mine", **analysis}])
    run = workspace.run("-n")
    assert run.returncode == 1
    assert "config: analytics: mine: " in run.stdout + run.stderr
    assert told in run.stdout + run.stderr


@pytest.mark.parametrize(
    "text",
    [
        "from numpy import *",
        "import numpy as peak",
        "if True:\n    def peak(table):\n        return table",
        "peak = lambda table: table",
        "globals()['peak'] = print",
        "def __getattr__(name):\n    return print",
    ],
)
def test_functions_that_may_be_there_are_left_to_the_run(workspace, text):
    workspace.write("manifest.json", batch([{"id": "a"}]))
    workspace.write("own.py", text)
    workspace.configure(analytics=[{"name": "mine", "function": "own:peak"}])
    assert workspace.run("-n").returncode == 0


@pytest.mark.workflow
def test_functions_that_misbehave_are_contained_and_named(workspace):
    workspace.write("manifest.json", batch([{"id": "a"}, {"id": "b"}]))
    workspace.write("own.py", OWN)
    names = ("hangs", "dies", "raises", "nonsense", "unlike", "missing", "everything")
    analytics = [{"name": name, "function": f"own:{name}", "timeout_secs": 3} for name in names]
    workspace.configure(analytics=analytics, retry_attempts=2, retry_backoff_secs=0)
    run = workspace.run()
    assert run.returncode == 1
    assert (workspace.batch / "logs" / "finished").exists()  # solving and summing up went on
    assert len(table(workspace, "everything")) == 2
    told = {name: (workspace.batch / "logs" / f"analyse_{name}.log").read_text() for name in names}
    for name, reason in (
        ("hangs", "failed for 1 of 2 parts: b: took longer than timeout_secs = 3 s"),
        ("dies", "failed for 2 of 2 parts: a: the worker died (exit code 3)"),
        ("raises", "a: ZeroDivisionError: division by zero"),
        ("nonsense", "a: function own:nonsense returned str, not a table"),
        ("unlike", "the tables of a and b don't fit together"),
        ("missing", "has no attribute 'missing'"),
    ):
        assert reason in told[name], told[name]
        # It is shown where the run is watched, too, and where the rest is.
        assert reason in run.stderr
        assert f"Look at: runs/batch/study/logs/analyse_{name}.log" in run.stderr
        assert not (workspace.batch / "summary" / "analytics" / f"{name}.parquet").exists()
    assert "tried again" in told["hangs"]
    assert "tried again" not in told["raises"]
    assert 'own.py", line' in told["raises"]
    assert (workspace.batch / "analytics" / "hangs" / "a.parquet").exists()  # what is done stays


@pytest.mark.workflow
def test_batches_are_compared(workspace):
    scenarios = [{"id": "same"}, {"id": "changed"}, {"id": "dropped"}]
    workspace.write("manifest.json", batch(scenarios))
    assert workspace.run().returncode == 0
    scenarios = [{"id": "same"}, {"id": "changed", "load_scale": 1.01}, {"id": "new"}]
    workspace.write("manifest.json", batch(scenarios))
    entry = {"name": "c", "kind": "compare", "options": {"other": "runs/batch/study"}}
    workspace.configure(name="second", analytics=[entry])
    assert workspace.run().returncode == 0
    second = workspace.batch.with_name("second")
    told = pd.read_parquet(second / "summary" / "analytics" / "c.parquet")
    ends = told[told["change"] != "value"]
    assert dict(zip(ends["scenario"], ends["change"], strict=True)) == {
        "new": "only here",
        "dropped": "only there",
    }
    values = told[told["change"] == "value"]
    assert set(values["scenario"]) == {"changed"}
    mine, theirs = (
        read_result(folder / "job_changed" / "result.parquet").to_pandas()
        for folder in (second, workspace.batch)
    )
    for name in ("vm_pu", "p_from_mw", "loading_percent", "load_mw"):
        gap = (mine[name] - theirs[name]).abs()
        found = values[values["quantity"] == name]["difference"].abs()
        assert sorted(found) == pytest.approx(sorted(gap[gap > 1e-6]))

    def compare(*arguments):
        return run_script("compare_batches", second, *arguments, cwd=workspace.path)

    run = compare(workspace.batch, "--tolerance", "1e9")
    assert run.returncode == 1
    assert "4 scenarios, 2 with changes\n  only here, rows or scenarios: 1\n" in run.stdout
    assert "nan" not in run.stdout
    for folder, why in (("config", "holds no results"), ("nowhere", "no such folder")):
        run = compare(workspace.path / folder)
        assert run.returncode == 2
        assert f"{folder}: {why}" in run.stderr
    same = second / "job_same" / "result.parquet"
    assert len(compare_results("same", same, workspace.result("same"), 1e-9)) == 0
