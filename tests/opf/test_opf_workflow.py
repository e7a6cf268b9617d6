"""Optimal power flow from the manifest to the summary, tables of costs and limits included."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ready_python
from hypothesis import given, settings
from hypothesis import strategies as st
from opf_studies import AS_GIVEN, prepared, states_of

from gat_batch.api import BatchJob
from gat_batch.errors import InputErrors, TableError
from gat_batch.grids import grid_ref, read_grid, write_grid
from gat_batch.grids.bundled import read_bundled
from gat_batch.model.grid_model import prepare
from gat_batch.results.reader import read_metadata, read_result
from gat_batch.solvers.study import solve
from gat_batch.study.manifest import read_manifest
from gat_batch.study.opf_tables import read_element_table


class Plain:
    load_scale = gen_scale = 1.0
    outages = ()


BATCH = {
    "grid": "pandapower:case30",
    "solver": "dc_opf",
    "scenarios": [
        {"id": "base"},
        {"id": "ac", "solver": "ac_opf"},
        {"id": "tight", "limits": "limits.csv"},
        {"id": "priced", "costs": "costs.csv"},
        {"id": "day", "limits": "day.csv", "options": {"ramps": True}},
        {"id": "too_much", "load_scale": 3},
        {"id": "unserved", "load_scale": 3, "options": {"value_of_lost_load": 5000}},
        {"id": "n-1", "contingencies": "n-1", "solver": "ac_opf"},
        {"id": "plain", "solver": "dc"},
    ],
}

LIMITS = "element,id,max_p_mw,max_loading_percent\ngen,0,20,\nline,0,,20\n"
COSTS = (
    "element,id,cp1_eur_per_mw,p_mw,cost_eur\ngen,0,7,,\ngen,1,,0,0\ngen,1,,20,20\ngen,1,,60,100\n"
)
DAY = "element,id,max_p_mw,max_ramp_mw,snapshot\ngen,0,60,5,h0\ngen,0,10,5,h1\ngen,0,60,5,h2\n"


@pytest.fixture
def study(workspace):
    for name, text in (("limits", LIMITS), ("costs", COSTS), ("day", DAY)):
        workspace.write(f"{name}.csv", text)
    workspace.write("manifest.json", BATCH)
    return workspace


@pytest.mark.workflow
def test_optima_from_the_manifest_to_the_summary(study):
    run = study.run()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 infeasible" in run.stdout + run.stderr
    table = pd.read_csv(study.batch / "summary" / "scenarios.csv").set_index("scenario")
    assert table["status"].drop("too_much").eq("ok").all()
    assert table["status"]["too_much"] == "infeasible"
    assert " lacks " in table["detail"]["too_much"]
    assert table["objective"]["ac"] == pytest.approx(576.89, rel=1e-4)
    assert table["objective"]["tight"] > table["objective"]["base"]
    assert table["congestion_rent"]["tight"] > 1
    assert table["unserved_mw"]["unserved"] > 100
    assert table["contingencies"]["n-1"] > 30
    assert table["loading_violations"]["tight"] == 0  # at its rating, not above it

    rows = read_result(study.result("tight")).to_pandas()
    bound = rows[rows["mu_flow"] > 1e-6]
    assert set(bound["element"]) == {"line"}
    assert 0 in set(bound["id"])
    assert rows.loc[rows["element"] == "bus", "lam_p"].notna().all()
    rows = read_result(study.result("too_much")).to_pandas()
    assert list(rows["status"]) == ["infeasible"]
    assert " lacks " in rows["detail"][0]
    rows = read_result(study.result("day")).to_pandas()
    power = rows[(rows["element"] == "gen") & (rows["id"] == 0)]["p_mw"].to_numpy()
    assert len(power) == 3
    assert power[1] <= 10 + 1e-6
    assert np.abs(np.diff(power)).max() <= 5 + 1e-6

    status = study.status()
    solved = [job for job in status["jobs"] if job["solver"] != "dc" and job["id"] != "too_much"]
    assert status["optimality"]["scenarios"] == len(solved)
    assert 0 < status["optimality"]["largest_residual"] < 1e-6
    assert all(0 <= job["residual"] < 1e-6 for job in solved)
    metadata = read_metadata(study.result("ac"))
    assert metadata["residual"] < 1e-6
    assert "casadi" in metadata["versions"]
    assert "casadi" not in read_metadata(study.result("plain"))["versions"]

    before = study.solved()
    study.write("costs.csv", COSTS.replace("gen,0,7", "gen,0,6"))
    assert study.run().returncode == 0
    after = study.solved()
    assert {name for name in after if after[name] != before[name]} == {"priced"}


@pytest.mark.workflow
def test_faults_of_tables_are_told_before_anything_is_solved(study):
    study.write("limits.csv", "element,id,max_p_mw\ngen,99,20\n")
    study.write("costs.csv", "element,id,p_mw,cost_eur\ngen,0,0,0\ngen,0,10,100\ngen,0,20,110\n")
    run = study.run()
    output = run.stdout + run.stderr
    assert run.returncode
    assert "limits.csv: scenario 'tight': id: row 2: there is no gen '99'" in output
    assert "costs must be convex" in output
    assert not study.batch.exists()


def test_a_batch_of_optima_from_python(study, monkeypatch):
    monkeypatch.chdir(study.path)
    monkeypatch.setattr(sys, "executable", str(ready_python()))
    study.write("manifest.json", BATCH | {"scenarios": BATCH["scenarios"][:2]})
    job = BatchJob.opf("manifest.json", max_workers=2)
    job.run()
    assert job.to_pandas("scenarios")["objective"].round(2).tolist() == [565.21, 576.89]


@pytest.mark.parametrize("name", ["grid.m", "grid.arrow"])
def test_ratings_angle_limits_and_costs_survive_conversion(tmp_path, name):
    net = read_bundled("case9")
    net.line["max_angle_degree"] = np.nan
    net.line.loc[2, "max_angle_degree"] = 5.0
    net.line["min_angle_degree"] = -net.line["max_angle_degree"]
    net.line.loc[0, "max_i_ka"] *= 0.3
    model = prepare(net)
    solution = solve(model, AS_GIVEN, "dc_opf", {})
    assert solution.elements["line"]["mu_angle"].any() or solution.elements["line"]["mu_flow"].any()
    write_grid(net, tmp_path / name)
    again = prepare(read_grid(grid_ref(name, tmp_path)))
    other = solve(again, AS_GIVEN, "dc_opf", {})
    assert other.objective == pytest.approx(solution.objective, rel=1e-9)


def test_transformers_without_a_rating_in_the_published_data_have_none():
    trafo = read_bundled("case1354pegase").trafo
    unrated = np.isclose(trafo["sn_mva"], 99.999)
    assert unrated.sum() == 64
    assert trafo["max_loading_percent"][unrated].isna().all()
    assert trafo["max_loading_percent"][~unrated].eq(100).all()


FAULTS = {
    "element,id,max_p_mw\ngen,0,5\ngen,0,6\n": "row 3: gen '0' stands in row 2 already",
    "element,id,max_p_mw\nline,0,5\n": "row 2: a line has no max_p_mw",
    "element,id,max_p_mw\nvalve,0,5\n": "'valve' is no element",
    "element,id,max_pmw\ngen,0,5\n": "did you mean 'max_p_mw'",
    "id,max_p_mw\n0,5\n": "element: missing",
    "element,id\ngen,0\n": "says nothing",
    "element,id,max_p_mw\ngen,0,\n": "row 2: says nothing",
    "element,id,max_p_mw\ngen,0,lots\n": "row 2: max_p_mw is 'lots'",
    "element,id,max_p_mw,min_p_mw\ngen,0,5,6\n": "row 2: min_p_mw is above max_p_mw",
    "element,id,max_ramp_mw\ngen,0,-5\n": "row 2: max_ramp_mw is -5",
    "element,id,controllable\nsgen,0,2\n": "row 2: controllable is 2",
    "element,id,max_p_mw\ngen,,5\n": "row 2: id is empty",
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_faults_of_a_limit_table_name_their_row(tmp_path, text, fault):
    (tmp_path / "limits.csv").write_text(text)
    with pytest.raises(InputErrors) as caught:
        read_element_table(tmp_path / "limits.csv", "limits")
    assert fault in str(caught.value)


COST_FAULTS = {
    "element,id,p_mw\ngen,0,5\n": "a point needs p_mw and cost_eur",
    "element,id,p_mw,cost_eur,cp1_eur_per_mw\ngen,0,5,6,7\n": "both a point and a polynomial",
    "element,id,cp1_eur_per_mw\nbus,0,7\n": "'bus' is no element",
    "element,id,cp1_eur_per_mw\ngen,0,7\ngen,0,8\n": "stands in row 2 already",
}


@pytest.mark.parametrize(("text", "fault"), COST_FAULTS.items())
def test_faults_of_a_cost_table_name_their_row(tmp_path, text, fault):
    (tmp_path / "costs.csv").write_text(text)
    with pytest.raises(InputErrors) as caught:
        read_element_table(tmp_path / "costs.csv", "costs")
    assert fault in str(caught.value)


def test_curves_that_are_none_name_their_row(tmp_path):
    for text, fault in (
        ("element,id,p_mw,cost_eur\ngen,0,5,6\n", "row 2: one point makes no curve"),
        ("element,id,p_mw,cost_eur\ngen,0,5,6\ngen,0,4,7\n", "row 2: 4 comes after 5"),
        ("element,id,cp2_eur_per_mw2\ngen,0,-1\n", "row 2: its cost falls"),
    ):
        (tmp_path / "costs.csv").write_text(text)
        table = read_element_table(tmp_path / "costs.csv", "costs")
        with pytest.raises(TableError, match=fault):
            states_of(prepared("case9"), Plain(), costs=table)


def test_tables_of_several_snapshots_change_only_what_they_name(tmp_path):
    model = prepared("case9")
    (tmp_path / "limits.csv").write_text(
        "element,id,max_p_mw,snapshot\ngen,0,50,night\ngen,1,60,day\n"
    )
    limits = read_element_table(tmp_path / "limits.csv", "limits")
    (tmp_path / "costs.csv").write_text(
        "element,id,cp1_eur_per_mw,snapshot\ngen,0,1,night\ngen,0,1000,day\n"
    )
    costs = read_element_table(tmp_path / "costs.csv", "costs")
    night, day = states_of(model, Plain(), costs=costs, limits=limits)
    assert (night.snapshot, day.snapshot) == ("night", "day")
    dark, bright = (solve(model, state, "dc_opf", {}) for state in (night, day))
    assert dark.elements["gen"]["p_mw"][0] == pytest.approx(50.0)
    assert bright.elements["gen"]["p_mw"][0] == pytest.approx(model.net.gen["min_p_mw"].iloc[0])
    assert bright.elements["gen"]["p_mw"][1] == pytest.approx(60.0)
    assert "snapshot" not in model.net.gen


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.floats(0, 300), st.sampled_from(["a", "b"])),
        min_size=1,
        max_size=6,
    )
)
def test_any_limit_table_is_read_back_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "limits.csv"
    lines = [f"gen,{gen},{power!r},{snapshot}" for gen, power, snapshot in rows]
    path.write_text("\n".join(["element,id,max_p_mw,snapshot", *lines]) + "\n")
    places = [(gen, snapshot) for gen, _, snapshot in rows]
    if len(set(places)) < len(places):
        with pytest.raises(InputErrors, match="already"):
            read_element_table(path, "limits")
        return
    table = read_element_table(path, "limits")
    assert list(table.values["max_p_mw"]) == [power for _, power, _ in rows]
    model = prepared("case9")
    states = {state.snapshot: state for state in states_of(model, Plain(), limits=table)}
    for gen, power, snapshot in rows:
        (change,) = states[snapshot].changes
        assert change.values[gen] == power
        untouched = {0, 1} - {other for other, _, name in rows if name == snapshot}
        for other in untouched:
            assert change.values[other] == model.net.gen["max_p_mw"].iloc[other]


def test_keys_for_other_solvers_and_ramps_with_contingencies_are_refused(tmp_path):
    import json

    from gat_batch.files.workflow_files import SCHEMAS

    schema = json.loads((SCHEMAS / "manifest.schema.json").read_text())
    batch = {
        "grid": "pandapower:case9",
        "scenarios": [
            {"id": "a", "solver": "ac", "limits": "limits.csv"},
            {
                "id": "b",
                "solver": "dc_opf",
                "options": {"ramps": True},
                "contingencies": "n-1",
            },
            {"id": "c", "solver": "dc_opf", "options": {"flow_limit": "current"}},
        ],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(batch))
    with pytest.raises(InputErrors) as caught:
        read_manifest(tmp_path / "manifest.json", schema)
    text = str(caught.value)
    assert "'a': limits: means nothing to ac" in text
    assert "'b': contingencies: ramps tie snapshots together" in text
    assert "'c': options: dc_opf has no option 'flow_limit'" in text
