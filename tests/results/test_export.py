"""What a batch gives out again: networks that pandapower solves to the same results, workbooks."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandapower
import pandapower.control
import pandapower.networks
import pandas as pd
import pyarrow as pa
import pytest
from conftest import Workspace, run_script

from gat_batch.api import BatchJob
from gat_batch.errors import GatBatchError
from gat_batch.files.workbooks import write_workbook

pytestmark = pytest.mark.xdist_group("export")

STATES = [
    ("plain", None, None),
    ("days", "a", None),
    ("days", "b", None),
    ("outages", None, "line:0"),
    ("outages", None, None),
    ("taps", None, None),
]


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("export"))
    space.configure(contingency_rows="all")
    space.write("loads.csv", "snapshot,load,p_mw\na,0,1.5\nb,0,2.5\nb,1,0.5\n")
    scenarios = [
        {"id": "plain", "load_scale": 0.9},
        {"id": "days", "loads": "loads.csv", "outages": [{"type": "line", "id": 1}]},
        {"id": "outages", "contingencies": {"depth": 1, "types": ["line"]}},
        {"id": "taps", "grid": "taps.json", "options": {"tap_control": True}},
    ]
    net = pandapower.networks.example_multivoltage()
    pandapower.control.DiscreteTapControl(net, 0, 1.01, 1.04, side="mv", element="trafo3w")
    space.write("taps.json", pandapower.to_json(net))
    grid = {"grid": "pandapower:example_multivoltage", "solver": "ac", "scenarios": scenarios}
    space.write("manifest.json", grid)
    run = space.run()
    assert run.returncode == 0, run.stderr
    return space


@pytest.fixture
def job(batch, monkeypatch):
    monkeypatch.chdir(batch.path)
    return BatchJob.resume("runs/batch/study")


def export(batch, *arguments):
    return run_script("export", "runs/batch/study", *arguments, cwd=batch.path)


@pytest.mark.parametrize(("scenario", "snapshot", "contingency"), STATES)
def test_pandapower_solves_a_network_to_its_results(job, scenario, snapshot, contingency):
    net = job.network(scenario, snapshot, contingency)
    again = deepcopy(net)
    pandapower.runpp(again, tolerance_mva=1e-9, calculate_voltage_angles=True)
    for element in ("bus", "line", "trafo", "trafo3w", "load", "sgen", "ext_grid", "gen"):
        results = net[f"res_{element}"]
        assert len(results) == len(net[element]) > 0
        wanted = again[f"res_{element}"][results.columns]
        for column in results:
            # What is off has no row of numbers here, and zeros there.
            there = results[column].notna()
            np.testing.assert_allclose(
                results.loc[there, column], wanted.loc[there, column], atol=1e-5, rtol=1e-6
            )
        assert results["p_mw" if "p_mw" in results else "pl_mw"].notna().sum() > 0


def test_taps_are_where_the_control_left_them(job):
    net = pandapower.networks.example_multivoltage()
    assert job.network("taps").trafo3w["tap_pos"].tolist() != net.trafo3w["tap_pos"].tolist()


def test_states_differ_as_the_scenario_says(job):
    first, second = (job.network("days", snapshot) for snapshot in "ab")
    assert (first.load["p_mw"].iloc[0], second.load["p_mw"].iloc[0]) == (1.5, 2.5)
    assert not first.line["in_service"].loc[1]
    failed = job.network("outages", contingency="line:0")
    assert not failed.line["in_service"].loc[0]
    assert (
        failed.line["in_service"]
        .drop(index=0)
        .equals(job.network("outages").line["in_service"].drop(index=0))
    )


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("nope",), "has no scenario 'nope'"),
        (("days",), "has several snapshots, and none is named (the first one is 'a')"),
        (("days", "c"), "has no snapshot 'c'"),
        (("plain", None, "line:0"), "has no contingency 'line:0'"),
        (("outages", None, "line:999"), "has no contingency 'line:999'"),
    ],
)
def test_a_state_that_is_not_there_is_named(job, arguments, fragment):
    with pytest.raises(GatBatchError) as caught:
        job.network(*arguments)
    assert fragment in str(caught.value)


def test_a_result_of_older_input_is_none(batch, tmp_path, monkeypatch):
    space = Workspace(tmp_path)
    space.take_over(batch)
    space.write("loads.csv", "snapshot,load,p_mw\na,0,7\n")
    monkeypatch.chdir(space.path)
    with pytest.raises(GatBatchError, match="is not solved with the input as it is now"):
        BatchJob.resume("runs/batch/study").network("days", "a")


def test_networks_from_the_command_line(batch):
    first = export(batch, "days.json", "--scenario", "days", "--snapshot", "b")
    assert first.returncode == 0, first.stderr
    net = pandapower.from_json(batch.path / "days.json")
    assert net.load["p_mw"].iloc[0] == 2.5
    assert net.res_bus["vm_pu"].notna().all()
    again = export(batch, "days.json", "--scenario", "days", "--snapshot", "b")
    assert again.returncode == 1
    assert "--force replaces it" in again.stderr
    case = export(batch, "plain.m", "--scenario", "plain")
    assert case.returncode == 0, case.stderr
    assert "mpc.bus" in (batch.path / "plain.m").read_text()
    wrong = export(batch, "plain.txt", "--scenario", "plain")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (1, False)
    assert ".json" in wrong.stderr
    nobodys = export(batch, "summary.xlsx", "--snapshot", "a")
    assert (nobodys.returncode, "--scenario" in nobodys.stderr) == (1, True)


def test_the_summary_as_a_workbook(batch, job):
    pytest.importorskip("openpyxl", reason="openpyxl isn't installed")
    run = export(batch, "summary.xlsx")
    assert run.returncode == 0, run.stderr
    sheets = pd.read_excel(batch.path / "summary.xlsx", sheet_name=None)
    assert {"scenarios", "elements", "contingencies"} <= {*sheets}
    for name, sheet in sheets.items():
        wanted = job.to_pandas(name)
        assert list(sheet) == list(wanted)
        assert len(sheet) == len(wanted) > 0
    np.testing.assert_allclose(
        sheets["scenarios"]["max_loading_percent"],
        job.to_pandas("scenarios")["max_loading_percent"],
    )


def test_cells_of_any_content_are_kept_or_made_harmless(tmp_path, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl isn't installed")
    texts = ["=1+1", "a\x07b", "", "@x", None]
    numbers = [np.inf, np.nan, -1.5, 0.0, None]
    table = pa.table({"text": texts, "number": numbers, "list": [["x", "y"]] * 5})
    write_workbook({"one": table}, tmp_path / "t.xlsx")
    rows = list(openpyxl.load_workbook(tmp_path / "t.xlsx")["one"].iter_rows())
    assert [cell.value for cell in rows[1]] == ["=1+1", "inf", "x, y"]
    assert rows[1][0].data_type == "s"
    assert [row[0].value for row in rows[2:4]] == ["ab", None]
    monkeypatch.setattr("gat_batch.files.workbooks.MOST_ROWS", 5)
    with pytest.raises(GatBatchError, match="one has 5 rows, more than a sheet"):
        write_workbook({"one": table}, tmp_path / "t.xlsx")
