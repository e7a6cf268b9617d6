"""`keep`: which rows of states results hold, through the front door and in the summary."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Workspace
from numpy.testing import assert_allclose

from gat_batch.model.quantities import COLUMNS, QUANTITIES
from gat_batch.summary.element_statistics import QUANTITY

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("kept")]

CHOSEN = {"bus": ["vm_pu"], "line": ["loading_percent"]}
SCENARIOS = [
    {"id": "whole"},
    {"id": "system", "keep": "system"},
    {"id": "violations", "keep": "violations"},
    {"id": "chosen", "keep": CHOSEN},
    {"id": "outages", "keep": "system", "contingencies": "n-1"},
]


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("kept"))
    space.configure(loading_limit_percent=60, voltage_band_pu=[0.98, 1.04])
    space.write("loads.csv", "snapshot,load,p_mw\na,0,90\nb,0,150\n")
    scenarios = [{**one, "loads": "loads.csv"} for one in SCENARIOS]
    space.write(
        "manifest.json", {"grid": "pandapower:case9", "solver": "ac", "scenarios": scenarios}
    )
    run = space.run()
    assert run.returncode == 0, run.stderr
    return space


@pytest.fixture(scope="module")
def rows(batch):
    return {
        one["id"]: pd.read_parquet(batch.result(one["id"])).drop(columns="scenario")
        for one in SCENARIOS
    }


def test_system_rows_are_the_same_whatever_is_kept(rows):
    def system(name):
        table = rows[name]
        own = table[(table["element"] == "system") & table["contingency"].isna()]
        return own.reset_index(drop=True)

    for name in ("system", "violations", "chosen", "outages"):
        pd.testing.assert_frame_equal(system(name), system("whole"), check_dtype=False)


def test_what_is_kept_is_what_the_whole_result_has(rows):
    whole = rows["whole"].set_index(["snapshot", "element", "id"])
    assert set(rows["system"]["element"]) == {"system"}
    assert len(rows["outages"]) == 2 * (1 + 9)  # base cases, then nine branches on each
    assert set(rows["outages"]["element"]) == {"system"}

    chosen = rows["chosen"].set_index(["snapshot", "element", "id"])
    kinds = chosen.index.get_level_values("element")
    assert set(kinds) == {"system", "bus", "line"}
    for kind, (quantity,) in CHOSEN.items():
        own = chosen[kinds == kind]
        assert len(own) == 2 * 9
        assert_allclose(own[quantity], whole.loc[own.index, quantity], rtol=0, atol=0)
        others = [name for name in QUANTITIES if name != quantity]
        assert own[others].isna().all(axis=None)

    found = rows["violations"][rows["violations"]["element"] != "system"]
    found = found.set_index(["snapshot", "element", "id"])
    vm, loading = whole["vm_pu"], whole["loading_percent"]
    # The common band counts, too: the case's own bands are 0.9 to 1.1.
    out = whole[((vm < 0.98) | (vm > 1.04)) & (whole.index.get_level_values("element") == "bus")]
    over = whole[loading > 60]
    assert len(over)
    assert len(out)
    assert set(found.index) == {*out.index, *over.index}
    assert len(found) == len(out) + len(over)
    assert_allclose(found.loc[out.index, "vm_pu"], out["vm_pu"], rtol=0, atol=0)
    assert_allclose(found.loc[over.index, "pl_mw"], over["pl_mw"], rtol=0, atol=0)


def test_the_summary_counts_what_it_can_see(batch):
    table = pd.read_parquet(batch.batch / "summary" / "scenarios.parquet").set_index("scenario")
    counts = table[["loading_violations", "voltage_violations"]]
    assert counts.loc["violations"].tolist() == counts.loc["whole"].tolist()
    assert counts.loc["chosen"].tolist() == counts.loc["whole"].tolist()
    assert counts.loc[["system", "outages"]].isna().all(axis=None)
    same = ["status", "load_mw", "loss_mw", "max_loading_percent", "min_vm_pu", "min_vm_bus"]
    for name in table.index:
        assert table.loc[name, same].tolist() == table.loc["whole", same].tolist()


def test_statistics_are_of_states_that_kept_all_elements_of_a_kind(batch, rows):
    table = pd.read_parquet(batch.batch / "summary" / "elements.parquet")
    assert not table.duplicated(["grid", "element", "id"]).any()
    count = table.groupby("element")["count"].unique()
    assert count["bus"].tolist() == [4]
    assert count["line"].tolist() == [4]
    assert count["gen"].tolist() == [2]
    whole = rows["whole"]
    for row in table.itertuples():
        own = whole[(whole["element"] == row.element) & (whole["id"] == row.id)]
        values = own[QUANTITY[row.element]]
        assert_allclose([row.min, row.max], [values.min(), values.max()], rtol=0, atol=0)
        assert row.mean == pytest.approx(values.mean())
        assert row.worst_scenario == "whole"


def test_another_choice_is_another_result(batch):
    """What is kept is a part of the fingerprint; the default is as if there were no choice."""
    before = batch.solved()
    manifest = json.loads((batch.path / "manifest.json").read_text())
    manifest["keep"] = "violations"
    batch.write("manifest.json", manifest)
    assert batch.run().returncode == 0
    after = batch.solved()
    assert [name for name in after if after[name] != before[name]] == ["whole"]


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("everything", "keep"),
        ({"bus": ["vm_kv"]}, "vm_kv"),
        ({"buss": ["vm_pu"]}, "buss"),
        ({"line": ["vm_pu"]}, "vm_pu"),
    ],
)
def test_what_cannot_be_kept_is_refused(workspace, keep, message):
    workspace.write(
        "manifest.json", {"grid": "pandapower:case9", "scenarios": [{"id": "a", "keep": keep}]}
    )
    workspace.configure()
    run = workspace.run("-n")
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("name", ["manifest", "config", "scenario_specification"])
def test_the_schemas_know_every_quantity(name):
    schema = json.loads((ROOT / "workflow" / "schemas" / f"{name}.schema.json").read_text())
    keep = (schema["properties"] if name == "config" else schema["$defs"])["keep"]
    known = keep["anyOf"][1]["properties"]
    assert {kind: entry["items"]["enum"] for kind, entry in known.items()} == {
        kind: list(columns) for kind, columns in COLUMNS.items()
    }
    assert np.isin(list(QUANTITY), list(known)).all()
