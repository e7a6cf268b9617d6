"""Datasets in PGLearn's HDF5 files, made of a batch that a run has solved."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandapower
import pandapower.control
import pandapower.networks
import pandas as pd
import pytest
from conftest import Workspace, run_script

from gat_batch.datasets.layouts.hdf5_arrays import require_hdf5
from gat_batch.errors import ResultError

pytest.importorskip("h5py", reason="h5py isn't installed")

from pglearn_rules import (
    balance_error,
    check_types,
    dual_error,
    flow_error,
    read_case,
    read_split,
)

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("pglearn")]

SPLITS = ("train", "validation", "test", "infeasible")
LOADS = {"of": "load", "std": 0.1}
LINES = {"of": "line", "rate": 0.01}
PRICES = {"of": "cost", "distribution": "uniform", "low": 0.8, "high": 1.2}
OPTIMA = {"solver": ["ac_opf", "dc_opf"]}

FAMILIES = [
    {"id": "pf", "sweep": {"solver": ["ac", "dc"]},
     "draws": {"count": 210, "random": {"demand": LOADS, "lines": LINES}}},
    {"id": "opf", "sweep": OPTIMA,
     "draws": {"count": 12, "random": {"demand": LOADS, "lines": LINES, "price": PRICES}}},
    {"id": "alone", "solver": "ac_opf", "load_scale": 1.03},
    {"id": "dark", "sweep": OPTIMA, "load_scale": 9.0},
    {"id": "dear", "sweep": OPTIMA, "load_scale": 1.0},
    {"id": "twice", "solver": "ac_opf", "load_scale": 1.0},
    {"id": "far", "solver": "ac", "load_scale": 30.0},
    {"id": "taps", "grid": "taps.json", "solver": "ac", "options": {"tap_control": True},
     "draws": {"count": 3, "random": {"demand": {**LOADS, "std": 0.3}}}},
]  # fmt: skip


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("pglearn"))
    space.configure(manifest="study.yaml")
    net = pandapower.networks.example_multivoltage()
    net.xward = net.xward.iloc[:0]
    pandapower.control.DiscreteTapControl(net, 0, 1.01, 1.04, side="mv", element="trafo3w")
    space.write("taps.json", pandapower.to_json(net))
    content = {"version": 1, "seed": 4, "grid": "pandapower:case30", "scenarios": FAMILIES}
    space.write("study.yaml", content)
    run = space.run()
    assert run.returncode == 0, run.stdout + run.stderr
    made = export(space, "sets", "--cores", "2")
    assert made.returncode == 0, made.stderr
    return space


def export(space, out, *arguments):
    arguments = ("runs/batch/study", out, "--to", "pglearn", *arguments)
    return run_script("export", *arguments, cwd=space.path)


def opened(batch, name, formulation, splits=SPLITS[:3]):
    """All samples of some splits, by file and name, and the case."""
    folder = batch.path / "sets" / name
    parts = [read_split(folder / split, formulation) for split in splits]
    together = {
        file: {key: np.concatenate([part[file][key] for part in parts]) for key in parts[0][file]}
        for file in parts[0]
    }
    return read_case(folder), together


def card(batch, name):
    return json.loads((batch.path / "sets" / name / "data_card.json").read_text())


def test_names_shapes_and_types_are_those_of_pglearn(batch):
    for name, formulations, duals in (
        ("case30_ac", ("ACPF", "DCPF"), False),
        ("case30_ac_opf", ("ACOPF", "DCOPF"), True),
        ("taps_ac", ("ACPF",), False),
    ):
        folder = batch.path / "sets" / name
        case = read_case(folder)
        for split in SPLITS:
            assert {one.name for one in (folder / split).iterdir()} == {"input.h5", *formulations}
            for formulation in formulations:
                check_types(folder / split, formulation, case, duals=duals)
        assert {one.name for one in folder.iterdir()} == {
            "case.json", "data_card.json", "samples.parquet", "elements.parquet", *SPLITS
        }  # fmt: skip


def test_every_sample_has_the_values_of_the_results(batch):
    results = pd.read_parquet(batch.path / "runs/batch/study/summary/aggregated_results.parquet")
    results = results[results["contingency"].isna()].set_index(["scenario", "element", "id"])
    for name, ac, dc in (("case30_ac", "ACPF", "DCPF"), ("case30_ac_opf", "ACOPF", "DCOPF")):
        folder = batch.path / "sets" / name
        rows = pd.read_parquet(folder / "samples.parquet")
        parts = pd.read_parquet(folder / "elements.parquet").groupby("table")
        where = {table: part.set_index(["element", "id"]).index for table, part in parts}
        beside = 0
        for split in SPLITS[:3]:
            solved, linear = (read_split(folder / split, one) for one in (ac, dc))
            seeds = solved["meta"]["seed"]
            assert (solved["input"]["seed"] == seeds).all()
            assert (linear["meta"]["seed"] == seeds).all()
            own = rows.iloc[seeds]
            assert (own["split"] == split).all()
            assert len(own) == ((rows["split"] == split) & rows["sample"].notna()).sum()
            for place, row in enumerate(own.to_dict("records")):
                _hold(results.loc[row["scenario"]], where, solved["primal"], place)
                _hold_dual(results.loc[row["scenario"]], where, solved["dual"], place)
                if row["beside"]:
                    beside += 1
                    _hold(results.loc[row["beside"]], where, linear["primal"], place)
                    _hold_dual(results.loc[row["beside"]], where, linear["dual"], place)
                else:
                    assert all(np.isnan(one[place]).all() for one in linear["primal"].values())
                    ended = linear["meta"]["termination_status"][place]
                    assert ended == "OPTIMIZE_NOT_CALLED"
            if ac == "ACOPF":
                cost = solved["meta"]["primal_objective_value"]
                np.testing.assert_array_equal(cost, own["objective"])
        assert beside == (rows["beside"].notna() & rows["sample"].notna()).sum() > 0


def _hold(results, where, primal, place):
    for name, table, column, factor in (
        ("vm", "bus", "vm_pu", 1), ("va", "bus", "va_degree", np.pi / 180),
        ("pg", "gen", "p_mw", 0.01), ("qg", "gen", "q_mvar", 0.01),
        ("pf", "branch", "p_from_mw", 0.01), ("qf", "branch", "q_from_mvar", 0.01),
        ("pt", "branch", "p_to_mw", 0.01), ("qt", "branch", "q_to_mvar", 0.01),
    ):  # fmt: skip
        if name in primal:
            known = results[column].loc[where[table]].fillna(0.0) * factor
            np.testing.assert_allclose(primal[name][place], known, rtol=0, atol=1e-10, err_msg=name)


def _hold_dual(results, where, dual, place):
    for name, table, column, factor in (
        ("kcl_p", "bus", "lam_p", 100), ("kcl_q", "bus", "lam_q", 100),
        ("vm", "bus", "mu_vm", -1), ("pg", "gen", "mu_p", -100), ("qg", "gen", "mu_q", -100),
        ("va_diff", "branch", "mu_angle", -180 / np.pi),
    ):  # fmt: skip
        if name in dual:
            known = results[column].loc[where[table]].fillna(0.0) * factor
            np.testing.assert_allclose(dual[name][place], known, rtol=1e-12, err_msg=name)


def test_equations_hold_from_the_files_alone(batch):
    for name, formulation in (
        ("case30_ac", "ACPF"),
        ("case30_ac_opf", "ACOPF"),
        ("taps_ac", "ACPF"),
    ):
        case, samples = opened(batch, name, formulation)
        assert flow_error(case, samples) < 1e-9
        assert balance_error(case, samples) < 1e-6
    case, samples = opened(batch, "case30_ac_opf", "ACOPF")
    size = np.hypot(samples["primal"]["pf"], samples["primal"]["qf"])
    assert (size <= np.array(case["smax"]) + 1e-6).all()
    assert (samples["primal"]["pg"] <= np.array(case["pgmax"]) + 1e-6).all()


def test_duals_have_the_signs_of_pglearn(batch):
    for formulation in ("ACOPF", "DCOPF"):
        case, samples = opened(batch, "case30_ac_opf", formulation)
        for values in samples.values():
            known = np.flatnonzero(samples["meta"]["termination_status"] != "OPTIMIZE_NOT_CALLED")
            values.update({name: own[known] for name, own in values.items()})
        assert dual_error(case, samples) < 1e-2
        price = samples["dual"]["kcl_p"]
        assert price.min() > 50
    # Prices differ between buses as a rating binds; its dual has the sign opposite to the flow's.
    bound = np.abs(samples["dual"]["pf"]) > 1
    assert bound.any()
    smax = np.broadcast_to(case["smax"], bound.shape)
    flow = samples["primal"]["pf"]
    np.testing.assert_allclose(np.abs(flow[bound]), smax[bound], rtol=1e-6)
    assert (np.sign(samples["dual"]["pf"][bound]) == -np.sign(flow[bound])).all()


def test_what_varies_is_in_the_inputs(batch):
    case, samples = opened(batch, "case30_ac_opf", "ACOPF")
    assert {*samples["input"]} == {
        "seed", "pd", "qd", "gen_status", "branch_status", "c1", "c2"
    }  # fmt: skip
    rows = pd.read_parquet(batch.path / "sets/case30_ac_opf/samples.parquet")
    drawn = rows["scenario"].str.startswith("opf").to_numpy()[samples["input"]["seed"]]
    share = samples["input"]["c1"] / np.array(case["c1"])
    assert (share[~drawn] == 1).all()
    assert (np.abs(share[drawn] - 1) > 1e-6).all()
    case, samples = opened(batch, "taps_ac", "ACPF")
    assert {"gff", "bff", "gtf"} <= {*samples["input"]}
    told = card(batch, "taps_ac")["approximations"]
    assert any("input.h5 has" in one and "gff" in one for one in told)


def test_the_case_is_the_grid_as_given(batch):
    net = pandapower.networks.case30()
    case = read_case(batch.path / "sets" / "case30_ac_opf")
    at = {bus: sum(case["pd"][n - 1] for n in own) for bus, own in enumerate(case["bus_loads"])}
    for bus, power in (net.load.groupby("bus")["p_mw"].sum() / 100).items():
        assert at[bus] == pytest.approx(power)
    assert case["ref_bus"] == net.ext_grid.bus[0] + 1
    assert case["base_mva"] == 100
    assert case["vnom"] == net.bus.vn_kv.tolist()


def test_samples_without_a_solution_are_labels(batch):
    case, samples = opened(batch, "case30_ac_opf", "ACOPF", SPLITS[3:])
    rows = pd.read_parquet(batch.path / "sets/case30_ac_opf/samples.parquet")
    seeds = samples["meta"]["seed"]
    names = rows.iloc[seeds]["scenario"].tolist()
    assert names == rows[rows["status"] == "infeasible"]["scenario"].tolist()
    assert {*samples["meta"]["termination_status"]} == {"LOCALLY_INFEASIBLE"}
    assert {*samples["meta"]["primal_status"]} == {"NO_SOLUTION"}
    assert np.isnan(samples["primal"]["vm"]).all()
    dark = names.index("dark-ac_opf")
    np.testing.assert_allclose(samples["input"]["pd"][dark], 9 * np.array(case["pd"]))
    _, linear = opened(batch, "case30_ac_opf", "DCOPF", SPLITS[3:])
    assert linear["meta"]["termination_status"][dark] == "INFEASIBLE"
    solved = linear["meta"]["termination_status"] == "OPTIMAL"
    assert (np.isnan(linear["primal"]["va"]).any(axis=1) == ~solved).all()
    _, flows = opened(batch, "case30_ac", "ACPF", SPLITS[3:])
    assert flows["meta"]["termination_status"].tolist() == ["ITERATION_LIMIT"]


def test_one_process_makes_the_same_files(batch):
    made = export(batch, "again")
    assert made.returncode == 0, made.stderr
    for name, formulation in (
        ("case30_ac", "ACPF"),
        ("taps_ac", "ACPF"),
        ("case30_ac_opf", "DCOPF"),
    ):
        for split in SPLITS:
            first, second = (
                read_split(batch.path / out / name / split, formulation)
                for out in ("sets", "again")
            )
            for part, values in first.items():
                assert {*values} == {*second[part]}
                for key, own in values.items():
                    np.testing.assert_array_equal(own, second[part][key])


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ResultError, match=r"needs h5py.*gat-batch\[datasets\]"):
        require_hdf5()
