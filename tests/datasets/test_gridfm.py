"""Datasets in gridfm-datakit's tables, made of a batch that a run has solved."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pandapower
import pandapower.control
import pandapower.networks
import pandas as pd
import pytest
from conftest import SHARED_GRIDS, Workspace, run_script
from gridfm_rules import check_tables, read_tables

from gat_batch.api import BatchJob

RTS = SHARED_GRIDS / "matpower" / "case_RTS_GMLC.m"

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("gridfm")]

DRAWN = {"demand": {"of": "load", "std": 0.1}, "lines": {"of": "line", "rate": 0.01}}
LOADS = {"demand": {"of": "load", "std": 0.1}}
PAIR, OPTIMA = {"solver": ["ac", "dc"]}, {"solver": ["ac_opf", "dc_opf"]}

FAMILIES = [
    {"id": "pf", "grid": "pandapower:case118", "sweep": PAIR,
     "draws": {"count": 220, "random": DRAWN}},
    {"id": "opf", "grid": "pandapower:case118", "sweep": OPTIMA,
     "draws": {"count": 3, "random": DRAWN}},
    {"id": "at", "grid": "pandapower:case118", "options": {"dispatch": "ac_opf"},
     "each_outage": {"sets": [[{"type": "line", "id": 8}]]},
     "draws": {"count": 3, "random": DRAWN}},
    {"id": "taps", "grid": "taps.json", "options": {"tap_control": True},
     "draws": {"count": 3, "random": LOADS}},
    {"id": "lost", "grid": "taps.json", "each_outage": {}},
    {"id": "nine", "grid": "nine.json",
     "sweep": {"solver": ["ac", "dc", "ac_opf", "dc_opf"], "load_scale": [0.9, 1.0, 5]}},
    {"id": "priced", "grid": "nine.json", "solver": "ac_opf",
     "sweep": {"costs": ["cheap.csv", "dear.csv"]}},
    {"id": "bus", "grid": "nine.json", "outages": [{"type": "bus", "id": 8}]},
    {"id": "units", "grid": "nine.json",
     "outages": [{"type": "gen", "id": 0}, {"type": "sgen", "id": 0}]},
]  # fmt: skip


def tapped():
    """Three windings, open ends of lines, an impedance, joined buses, taps that follow."""
    net = pandapower.networks.example_multivoltage()
    net.xward = net.xward.iloc[:0]
    pandapower.control.DiscreteTapControl(net, 0, 1.01, 1.04, side="mv", element="trafo3w")
    return net


def odd():
    """A DC line, a storage, a shunt, a static generator that an optimum may choose."""
    net = pandapower.networks.case9()
    pandapower.create_dcline(net, 4, 7, 20, 1, 0.1, 1.0, 1.0)
    limits = {"min_p_mw": 0, "max_p_mw": 20, "min_q_mvar": -3, "max_q_mvar": 3}
    pandapower.create_sgen(net, 5, 10, 3, controllable=True, **limits)
    pandapower.create_poly_cost(net, 0, "sgen", cp1_eur_per_mw=3.0)
    pandapower.create_shunt(net, 6, q_mvar=-10, p_mw=1)
    pandapower.create_storage(net, 8, 5, 10)
    return net


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("gridfm"))
    space.configure(manifest="study.yaml")
    space.write("taps.json", pandapower.to_json(tapped()))
    for name, cost in (("cheap", 1), ("dear", 40)):
        space.write(f"{name}.csv", f"element,id,cp1_eur_per_mw\ngen,0,{cost}\n")
    space.write("nine.json", pandapower.to_json(odd()))
    families = [*FAMILIES]
    if RTS.is_file():
        rts = {"id": "rts", "grid": str(RTS), "sweep": PAIR}
        families.append({**rts, "draws": {"count": 5, "random": DRAWN}})
    study = {"version": 1, "seed": 7, "solver": "ac", "scenarios": families}
    space.write("study.yaml", study)
    run = space.run()
    assert run.returncode == 0, run.stdout + run.stderr
    made = export(space, "sets", "--cores", "2")
    assert made.returncode == 0, made.stderr
    return space


def export(space, *arguments):
    arguments = ("runs/batch/study", *arguments, "--to", "gridfm")
    return run_script("export", *arguments, cwd=space.path)


DATASETS = [
    ("case118_ac", "pf"),
    ("case118_ac_opf", "opf"),
    ("taps_ac", "pf"),
    ("nine_ac", "pf"),
    ("nine_ac_opf", "opf"),
    ("case_RTS_GMLC_ac", "pf"),
]


def tables_of(batch, name):
    if name.startswith("case_RTS") and not RTS.is_file():
        pytest.skip("shared/grids isn't beside the checkout")
    return read_tables(batch.path / "sets" / name / "raw")


def card_of(batch, name):
    return json.loads((batch.path / "sets" / name / "data_card.json").read_text())


@pytest.mark.parametrize(("name", "mode"), DATASETS)
def test_tables_keep_the_rules(batch, name, mode):
    tables = tables_of(batch, name)
    check_tables(tables, card_of(batch, name)["grid"]["base_mva"], mode)


def test_what_the_cases_are_chosen_for_is_there(batch):
    """Outages, taps and shifts, several generators at a bus, shunts, star points, open ends."""
    branch = tables_of(batch, "case118_ac")["branch_data"]
    assert (branch["br_status"] == 0).any()
    assert (branch["tap"] != 1).any()
    assert tables_of(batch, "case118_ac")["bus_data"]["BS"].any()
    taps = tables_of(batch, "taps_ac")
    assert taps["branch_data"]["shift"].any()
    assert taps["branch_data"].groupby("idx")["tap"].nunique().max() > 1
    elements = pd.read_parquet(batch.path / "sets" / "taps_ac" / "elements.parquet")
    assert elements.loc[elements["table"] == "bus", "id"].isna().sum() > 1
    assert {"line", "trafo", "trafo3w", "impedance"} <= set(elements["element"])
    nine = tables_of(batch, "nine_ac")["gen_data"]
    assert (nine["in_service"] == 0).any()
    if RTS.is_file():
        rts = tables_of(batch, "case_RTS_GMLC_ac")["gen_data"]
        assert rts.groupby(["scenario", "bus"]).size().max() > 1
        approximated = card_of(batch, "case_RTS_GMLC_ac")["approximations"]
        assert "straight lines" in approximated[0]


@pytest.mark.skipif(not find_spec("gridfm_datakit"), reason="gridfm-datakit isn't installed")
@pytest.mark.parametrize(("name", "mode"), DATASETS)
def test_its_own_validation_passes(batch, name, mode):
    from gridfm_datakit.validation import validate_generated_data

    tables = tables_of(batch, name)
    raw = batch.path / "sets" / name / "raw"
    files = {table: str(raw / f"{table}.parquet") for table in tables}
    assert validate_generated_data(files, mode, card_of(batch, name)["grid"]["base_mva"])


def test_numbers_are_those_of_the_results(batch, monkeypatch):
    monkeypatch.chdir(batch.path)
    rows = BatchJob.resume("runs/batch/study").to_pandas()
    rows = rows.set_index(["scenario", "element", "id"]).sort_index()
    samples = pd.read_parquet("sets/case118_ac/samples.parquet").set_index("sample")
    elements = pd.read_parquet("sets/case118_ac/elements.parquet")
    tables = tables_of(batch, "case118_ac")
    for number in (0, 77, 201):
        sample = samples.loc[number]
        bus, gen = (
            tables[name][tables[name]["scenario"] == number].set_index(column)
            for name, column in (("bus_data", "bus"), ("gen_data", "idx"))
        )
        own = elements[elements["table"] == "bus"].set_index("row")["id"].astype(int)
        found = rows.loc[sample["scenario"], "bus"].loc[own]
        np.testing.assert_allclose(bus["Vm"], found["vm_pu"], rtol=1e-14)
        np.testing.assert_allclose(bus["Va"], found["va_degree"], atol=1e-12)
        beside = rows.loc[sample["beside"], "bus"].loc[own]
        np.testing.assert_allclose(bus["Va_dc"], beside["va_degree"], atol=1e-12)
        units = elements[elements["table"] == "gen"].set_index("row")
        for row, unit in units.iterrows():
            power = rows.loc[(sample["scenario"], unit["element"], unit["id"])]
            assert gen.loc[row, "p_mw"] == power["p_mw"]
        loads = rows.loc[sample["scenario"], "load"]["p_mw"].sum()
        assert bus["Pd"].sum() == pytest.approx(loads, abs=1e-9)
        lines = rows.loc[sample["scenario"], "line"]["p_from_mw"]
        branch = tables["branch_data"][tables["branch_data"]["scenario"] == number]
        np.testing.assert_allclose(branch["pf"].iloc[: len(lines)], lines, atol=1e-9)


def test_partitions_hold_200_samples(batch):
    counts = card_of(batch, "case118_ac")["counts"]
    raw = batch.path / "sets" / "case118_ac" / "raw"
    assert len(list((raw / "bus_data.parquet").iterdir())) == -(-counts["samples"] // 200)


def test_what_has_no_solution_is_a_label(batch):
    samples = pd.read_parquet(batch.path / "sets" / "nine_ac_opf" / "samples.parquet")
    assert samples["scenario"].tolist()[3:] == ["priced-cheap.csv", "priced-dear.csv"]
    samples = samples.iloc[:3]
    assert samples["status"].tolist() == ["ok", "ok", "infeasible"]
    assert samples["sample"].isna().tolist() == [False, False, True]
    assert "lacks" in samples["detail"].iloc[2]
    assert samples["objective"].iloc[0] > 0
    card = card_of(batch, "nine_ac_opf")
    assert card["share_infeasible"] == pytest.approx(1 / 5)
    assert card["counts"]["by_status"] == {"infeasible": 1, "ok": 4}
    flows = pd.read_parquet(batch.path / "sets" / "nine_ac" / "samples.parquet")
    held = flows.set_index("scenario")["sample"].notna()
    # A bus that is out of service has no voltage, and tables are of one size for all samples.
    assert held.to_dict() == {
        "nine-0.9-ac": True,
        "nine-1.0-ac": True,
        "nine-5-ac": False,
        "bus": False,
        "units": True,
    }
    assert flows.set_index("scenario")["beside"]["nine-0.9-ac"] == "nine-0.9-dc"
    assert card_of(batch, "case118_ac")["seeds"] == {"": 7}


def test_costs_are_those_of_the_sample(batch):
    gens = tables_of(batch, "nine_ac_opf")["gen_data"]
    own = gens[gens["idx"] == 0].set_index("scenario")
    assert own["cp1_eur_per_mw"].iloc[2:].tolist() == [1, 40]
    # Cheap power is used to its limit, dear power not at all beyond its least.
    assert own["p_mw"].loc[2] > own["p_mw"].loc[3]
    others = gens[gens["idx"] > 0].groupby("idx")["cp1_eur_per_mw"]
    assert (others.min() == others.max()).all()


def test_samples_share_loads_and_topologies_as_asked(batch):
    lost = pd.read_parquet(batch.path / "sets" / "taps_ac" / "samples.parquet")
    lost = lost[lost["scenario"].str.startswith("lost")]
    assert set(lost["load_scenario_idx"]) == {lost["load_scenario_idx"].iloc[0]}
    assert lost["topology"].is_unique


def test_power_flows_at_an_optimum_meet_its_loads_and_its_dispatch(batch):
    folder = batch.path / "sets"
    flows, best = (
        pd.read_parquet(folder / name / "samples.parquet")
        for name in ("case118_ac", "case118_ac_opf")
    )
    flows = flows[flows["scenario"].str.startswith("at-")]
    assert set(flows["load_scenario_idx"]) == set(best["load_scenario_idx"])
    assert flows["topology"].str.contains("line:8").all()
    # The optimum beside has the drawn outages, and no other dispatch where there are none.
    first, second = (tables_of(batch, name) for name in ("case118_ac", "case118_ac_opf"))
    for _, flow in flows.iterrows():
        if flow["topology"] != "line:8":
            continue
        own = best[best["load_scenario_idx"] == flow["load_scenario_idx"]].iloc[0]
        gens = [
            tables["gen_data"][tables["gen_data"]["scenario"] == number]
            for tables, number in ((first, flow["sample"]), (second, own["sample"]))
        ]
        held = (gens[0]["is_slack_gen"] == 0).to_numpy()
        difference = gens[0]["p_mw"].to_numpy() - gens[1]["p_mw"].to_numpy()
        assert np.abs(difference[held]).max() < 1e-5
        break
    else:
        pytest.fail("no draw is without outages")


def test_the_same_batch_gives_the_same_files(batch):
    again = export(batch, "again")
    assert again.returncode == 0, again.stderr
    first, second = (batch.path / name for name in ("sets", "again"))
    names = sorted(file.relative_to(first) for file in first.rglob("*") if file.is_file())
    assert names == sorted(file.relative_to(second) for file in second.rglob("*") if file.is_file())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_faults_are_told_and_leave_nothing(batch, tmp_path):
    there = export(batch, "sets")
    assert (there.returncode, "--force replaces it" in there.stderr) == (1, True)
    (batch.path / "mine").mkdir(exist_ok=True)
    mine = export(batch, "mine", "--force")
    assert (mine.returncode, "holds no dataset" in mine.stderr) == (1, True)
    assert not [*batch.path.glob(".*.tmp")]
    space = Workspace(tmp_path)
    space.configure()
    net = pandapower.networks.example_multivoltage()
    space.write("grid.json", pandapower.to_json(net))
    scenarios = [{"id": "one", "grid": "grid.json"}]
    space.write("manifest.json", {"solver": "ac", "scenarios": scenarios, "keep": "system"})
    assert space.run().returncode == 0
    refused = export(space, "sets")
    assert (refused.returncode, "has 2 xwards, which no dataset" in refused.stderr) == (1, True)
    scenarios = [{"id": "one", "grid": "pandapower:case9"}]
    space.write("manifest.json", {"solver": "ac", "scenarios": scenarios, "keep": "system"})
    outdated = export(space, "sets")
    assert (outdated.returncode, "run the batch first" in outdated.stderr) == (1, True)
    assert space.run().returncode == 0
    few = export(space, "sets")
    assert (few.returncode, "has no vm_pu of bus" in few.stderr) == (1, True)
    space.write("manifest.json", {"solver": "dc", "scenarios": scenarios})
    assert space.run().returncode == 0
    linear = export(space, "sets")
    assert (linear.returncode, "has no AC study" in linear.stderr) == (1, True)


def test_a_card_tells_the_limit_that_loads_were_drawn_towards(tmp_path):
    space = Workspace(tmp_path)
    space.configure(manifest="study.yaml")
    demand = {"of": "load_scale", "distribution": "uniform", "low": 0.8}
    draws = {"count": 3, "random": {"demand": {**demand, "high": {"loadability": 0.9}}}}
    family = {"id": "up", "grid": "pandapower:case30", "solver": "ac", "draws": draws}
    space.write("study.yaml", {"version": 1, "seed": 1, "scenarios": [family]})
    assert space.run().returncode == 0
    written = run_script("export", str(space.batch), "sets", "--to", "gridfm", cwd=space.path)
    assert written.returncode == 0, written.stderr
    (limit,) = card_of(space, "case30_ac")["loadability"]
    assert limit["study"] == "ac_opf"
    record = json.loads((space.batch / "scenarios" / "made_from.json").read_text())
    assert limit["factor"] == record["loadability"][0]["factor"]
