"""Tables of impedances: scenarios whose branches are made of something else."""

from __future__ import annotations

import numpy as np
import pandapower
import pandapower.networks
import pandas as pd
import pytest
from conftest import Workspace, run_script
from gridfm_rules import check_tables, read_tables

from gat_batch.api import BatchJob
from gat_batch.datasets.array_dataset import ArrayDataset

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("impedances")]

COLUMNS = {
    "line": ["r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km"],
    "trafo": ["vk_percent", "vkr_percent", "i0_percent", "pfe_kw"],
    "trafo3w": ["vk_hv_percent", "vkr_lv_percent"],
    "impedance": ["rft_pu", "xft_pu", "rtf_pu", "xtf_pu"],
}

SCENARIOS = [
    {"id": "ac", "solver": "ac"},
    {"id": "dc", "solver": "dc"},
    {"id": "given", "solver": "ac", "impedances": None},
    {"id": "n1", "solver": "ac", "contingencies": {"depth": 1, "types": ["line"]}},
    {"id": "out", "solver": "ac", "outages": [{"type": "line", "id": 3}], "load_scale": 0.9},
    {"id": "ac_opf", "solver": "ac_opf"},
    {"id": "dc_opf", "solver": "dc_opf"},
    {"id": "file", "solver": "ac_opf", "grid": "one.json", "impedances": None},
    {"id": "shared", "solver": "ac", "impedances": {"file": "many.csv", "rows": "b"}},
    {"id": "mesh", "solver": "ac", "grid": "mesh.json", "impedances": "mesh.csv"},
]


def changed(net, seed, columns=COLUMNS):
    """A copy with other impedances, and the table that says so."""
    rng, rows = np.random.default_rng(seed), []
    other = pandapower.from_json_string(pandapower.to_json(net))
    for element, names in columns.items():
        table = other[element]
        if not len(table):
            continue
        factor = rng.uniform(0.8, 1.25, len(table))
        table[names] = table[names].mul(factor, axis=0)
        part = table[names].rename_axis("id").reset_index()
        rows.append(part.assign(element=element))
    return other, pd.concat(rows)


def mesh():
    net = pandapower.networks.example_multivoltage()
    net.xward = net.xward.iloc[:0]
    return net


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("impedances"))
    space.configure()
    net = pandapower.networks.case30()
    other, table = changed(net, 1)
    space.write("one.json", pandapower.to_json(other))
    table.to_csv(space.path / "one.csv", index=False)
    parts = [changed(net, seed)[1].assign(scenario=name) for name, seed in (("a", 5), ("b", 6))]
    pd.concat(parts).to_csv(space.path / "many.csv", index=False)
    space.write("mesh.json", pandapower.to_json(mesh()))
    changed(mesh(), 2)[1].to_csv(space.path / "mesh.csv", index=False)
    entries = [{"impedances": "one.csv", **entry} for entry in SCENARIOS]
    for entry in entries:
        if entry["impedances"] is None:
            del entry["impedances"]
    space.write("manifest.json", {"grid": "pandapower:case30", "scenarios": entries})
    run = space.run()
    assert run.returncode == 0, run.stdout + run.stderr
    return space


def results(batch, name):
    return pd.read_parquet(batch.path / f"runs/batch/study/job_{name}/result.parquet")


def of(rows, element, column):
    own = rows[(rows["element"] == element) & rows["contingency"].isna()]
    return own[column].to_numpy()


def hold(rows, net, *, va=True):
    """Hold a result against pandapower's."""
    np.testing.assert_allclose(of(rows, "bus", "vm_pu"), net.res_bus.vm_pu, atol=1e-8)
    if va:
        np.testing.assert_allclose(of(rows, "bus", "va_degree"), net.res_bus.va_degree, atol=1e-6)
    for column in ("p_from_mw", "q_from_mvar"):
        np.testing.assert_allclose(of(rows, "line", column), net.res_line[column], atol=1e-5)


def test_power_flows_are_those_of_the_changed_network(batch):
    net, _ = changed(pandapower.networks.case30(), 1)
    pandapower.runpp(net)
    hold(results(batch, "ac"), net)
    given = of(results(batch, "given"), "line", "p_from_mw")
    assert np.abs(given - net.res_line.p_from_mw).max() > 0.1
    pandapower.rundcpp(net)
    rows = results(batch, "dc")
    np.testing.assert_allclose(of(rows, "line", "p_from_mw"), net.res_line.p_from_mw, atol=1e-8)
    net.load[["p_mw", "q_mvar"]] *= 0.9
    net.line.loc[3, "in_service"] = False
    pandapower.runpp(net)
    hold(results(batch, "out"), net)
    net, _ = changed(pandapower.networks.case30(), 6)
    pandapower.runpp(net)
    hold(results(batch, "shared"), net)


def test_every_kind_of_branch(batch):
    net, table = changed(mesh(), 2)
    assert {*table["element"]} == {*COLUMNS}
    pandapower.runpp(net)
    hold(results(batch, "mesh"), net)


def test_contingencies_lie_on_top_of_them(batch):
    rows = results(batch, "n1")
    system = rows[rows["contingency"].notna() & (rows["element"] == "system")]
    net, _ = changed(pandapower.networks.case30(), 1)
    compared = 0
    for line in net.line.index:
        found = system[system["contingency"] == f"line:{line}"].iloc[0]
        if found["status"] == "ok":
            net.line.loc[line, "in_service"] = False
            pandapower.runpp(net)
            net.line.loc[line, "in_service"] = True
            assert found["min_vm_pu"] == pytest.approx(net.res_bus.vm_pu.min(), abs=1e-6)
            compared += 1
    assert compared > 30


def cost(batch, name):
    rows = results(batch, name)
    return rows.loc[rows["element"] == "system", "objective"].iloc[0]


def test_optima_are_those_of_the_changed_network(batch):
    net, _ = changed(pandapower.networks.case30(), 1)
    pandapower.rundcopp(net)
    assert cost(batch, "dc_opf") == pytest.approx(net.res_cost, rel=1e-5)
    assert cost(batch, "ac_opf") == pytest.approx(cost(batch, "file"), rel=1e-7)
    pandapower.runopp(net)
    assert 0.99 * net.res_cost < cost(batch, "ac_opf") < net.res_cost * (1 + 1e-6)


def test_scenarios_that_share_a_result_have_the_same(batch, tmp_path):
    space = Workspace(tmp_path)
    space.take_over(batch)
    space.configure(layout="block", name="shared")
    assert space.run().returncode == 0
    first, second = (
        pd.read_parquet(space.path / "runs/batch" / name / "summary/aggregated_results.parquet")
        .sort_values(["scenario", "contingency", "element", "id"], ignore_index=True)
        .drop(columns=["detail", "iterations"])
        for name in ("study", "shared")
    )
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_an_exported_network_has_them(batch, monkeypatch):
    monkeypatch.chdir(batch.path)
    net = BatchJob.resume(batch.path / "runs" / "batch" / "study").network("ac")
    wanted, _ = changed(pandapower.networks.case30(), 1)
    np.testing.assert_allclose(net.line.x_ohm_per_km, wanted.line.x_ohm_per_km)
    before = net.res_line.p_from_mw.to_numpy().copy()
    pandapower.runpp(net)
    np.testing.assert_allclose(net.res_line.p_from_mw, before, atol=1e-6)


def test_datasets_have_the_admittances_of_each_sample(batch):
    made = run_script("export", "runs/batch/study", "sets", "--to", "gridfm", cwd=batch.path)
    assert made.returncode == 0, made.stderr
    folder = batch.path / "sets" / "case30_ac"
    tables, rows = read_tables(folder / "raw"), pd.read_parquet(folder / "samples.parquet")
    # Flows against voltages and admittances, and balance at every bus within 1e-6 p.u.
    check_tables(tables, 100.0, "pf")
    branch = tables["branch_data"]
    elements = pd.read_parquet(folder / "elements.parquet").set_index("table").loc["branch"]
    for name, seed in (("ac", 1), ("shared", 6)):
        number = rows.set_index("scenario").loc[name, "sample"]
        own = branch[branch["scenario"] == number]
        net, _ = changed(pandapower.networks.case30(), seed)
        x = own["x"].to_numpy()[(elements["element"] == "line").to_numpy()]
        ohm = net.line.x_ohm_per_km * net.line.length_km
        base = net.bus.vn_kv.loc[net.line.from_bus].to_numpy() ** 2 / 100
        np.testing.assert_allclose(x, ohm / base, rtol=1e-9)
    assert rows.set_index("scenario").loc["ac", "beside"] == "dc"
    check_tables(read_tables(batch.path / "sets" / "case30_ac_opf" / "raw"), 100.0, "opf")
    check_tables(read_tables(batch.path / "sets" / "mesh_ac" / "raw"), 1.0, "pf")


def test_changed_impedances_are_solved_again(batch, tmp_path):
    space = Workspace(tmp_path)
    space.take_over(batch)
    before = space.solved()
    table = pd.read_csv(space.path / "many.csv", float_precision="round_trip")
    table.loc[table["scenario"] == "a", "r_ohm_per_km"] *= 2
    table.to_csv(space.path / "many.csv", index=False)
    assert space.run().returncode == 0
    assert space.solved() == before
    table.loc[table["scenario"] == "b", "r_ohm_per_km"] *= 2
    table.to_csv(space.path / "many.csv", index=False)
    assert space.run().returncode == 0
    after = space.solved()
    assert {name for name in before if after[name] != before[name]} == {"shared"}


def test_drawn_impedances_are_solved_and_exported(tmp_path):
    space = Workspace(tmp_path)
    space.configure(manifest="study.yaml")
    uniform = {"distribution": "uniform", "low": 0.8, "high": 1.2}
    random = {"r": {"of": "line", "impedance": "r", **uniform}}
    random |= {"x": {"of": "line", "impedance": "x", **uniform}}
    draws = {"count": 12, "random": random}
    family = {"id": "d", "sweep": {"solver": ["ac", "dc"]}, "draws": draws}
    content = {"version": 1, "grid": "pandapower:case30", "scenarios": [family]}
    space.write("study.yaml", content)
    run = space.run()
    assert run.returncode == 0, run.stdout + run.stderr
    for layout in ("gridfm", "numpy"):
        asked = ("runs/batch/study", layout, "--to", layout, "--split", "0.4", "0.3", "0.3")
        made = run_script("export", *asked, cwd=tmp_path)
        assert made.returncode == 0, made.stderr
    tables = read_tables(tmp_path / "gridfm" / "case30_ac" / "raw")
    check_tables(tables, 100.0, "pf")
    branch = tables["branch_data"].set_index(["scenario", "idx"])[["r", "x"]]
    factors = (branch / branch.loc[0]).dropna()
    assert factors["x"].std() > 0.1
    assert abs(factors.corr().loc["r", "x"]) < 0.9
    dataset = ArrayDataset(tmp_path / "numpy" / "case30_ac")
    assert (dataset[0]["admittance"] != dataset[1]["admittance"]).any()
    assert not np.isnan(tables["bus_data"]["Va_dc"]).any()
    samples = pd.read_parquet(tmp_path / "numpy" / "case30_ac" / "samples.parquet")
    assert {*samples["load_scenario_idx"]} == {0}
    assert len({*samples["split"]}) > 1


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("element,id,x_ohm_per_km\nline,99,1\n", "99"),
        ("element,id,x_ohm\nline,0,1\n", "unknown column"),
        ("element,id,vk_percent\nline,0,1\n", "a line has no vk_percent"),
        ("element,id,x_ohm_per_km,snapshot\nline,0,1,noon\n", "the same in all snapshots"),
        ("element,id,x_ohm_per_km\nline,0,1\nline,0,2\n", "stands in row 2 already"),
    ],
)
def test_faults_are_named_before_anything_runs(tmp_path, rows, told):
    space = Workspace(tmp_path)
    space.configure()
    (tmp_path / "wrong.csv").write_text(rows)
    scenario = {"id": "s", "impedances": "wrong.csv"}
    space.write("manifest.json", {"grid": "pandapower:case30", "scenarios": [scenario]})
    run = space.run()
    assert run.returncode == 1
    assert told in run.stdout + run.stderr
    assert not (tmp_path / "runs").exists()
