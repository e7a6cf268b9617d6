"""Datasets as arrays: the loader, and samples told apart for training and test."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pandapower
import pandapower.control
import pandapower.networks
import pandas as pd
import pytest
from conftest import ROOT, Workspace, run_script
from gridfm_rules import read_tables

from gat_batch.datasets.array_dataset import BESIDE, INPUTS, TARGETS, ArrayDataset
from gat_batch.datasets.splits import SPLITS, Splitting
from gat_batch.errors import GatBatchError

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("arrays")]


def study(draws):
    demand = {"of": "load", "std": 0.1}
    sets = {"count": 3, "sizes": [1, 1, 1], "types": ["line", "trafo"], "connected": True}
    flows = {"id": "flow", "sweep": {"solver": ["ac", "dc"]}, "each_outage": sets}
    flows["draws"] = {"count": draws, "random": {"demand": demand}}
    taps = {"id": "taps", "solver": "ac", "grid": "taps.json", "options": {"tap_control": True}}
    taps["draws"] = {"count": 4, "random": {"demand": {**demand, "std": 0.3}}}
    dark = {"id": "dark", "solver": "ac_opf", "load_scale": 9.0}
    scenarios = [flows, taps, dark]
    return {"version": 1, "seed": 1, "grid": "pandapower:case14", "scenarios": scenarios}


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("arrays"))
    space.configure(manifest="study.yaml")
    net = pandapower.networks.example_multivoltage()
    net.xward = net.xward.iloc[:0]
    pandapower.control.DiscreteTapControl(net, 0, 1.01, 1.04, side="mv", element="trafo3w")
    space.write("taps.json", pandapower.to_json(net))
    content = study(40)
    space.write("study.yaml", {**content, "scenarios": content["scenarios"][:2]})
    run = space.run()
    assert run.returncode == 0, run.stdout + run.stderr
    for layout in ("numpy", "gridfm"):
        made = export(space, layout, "--to", layout, "--cores", "2")
        assert made.returncode == 0, made.stderr
    return space


def export(space, *arguments):
    return run_script("export", "runs/batch/study", *arguments, cwd=space.path)


def opened(batch, split=None, name="case14_ac", **keywords):
    return ArrayDataset(batch.path / "numpy" / name, split, dtype=np.float64, **keywords)


def test_every_sample_has_the_numbers_of_the_tables(batch):
    tables = read_tables(batch.path / "gridfm" / "case14_ac" / "raw")
    dataset = opened(batch)
    assert len(dataset) == tables["bus_data"]["scenario"].nunique() == 120
    assert dataset.names == (*INPUTS, *TARGETS, *BESIDE)
    by_sample = {name: table.groupby("scenario", sort=True) for name, table in tables.items()}
    for n in (0, 57, 119):
        sample = dataset[n]
        assert sample["sample"] == n
        bus, gen, branch = (
            by_sample[name].get_group(n) for name in ("bus_data", "gen_data", "branch_data")
        )
        for name, frame, columns in (
            ("demand", bus, ["Pd", "Qd"]),
            ("shunt", bus, ["GS", "BS"]),
            ("voltage", bus, ["Vm", "Va"]),
            ("voltage_limits", bus, ["min_vm_pu", "max_vm_pu"]),
            ("generation", gen, ["p_mw", "q_mvar"]),
            ("cost", gen, ["cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2"]),
            ("power_limits", gen, ["min_p_mw", "max_p_mw", "min_q_mvar", "max_q_mvar"]),
            ("flow", branch, ["pf", "qf", "pt", "qt"]),
            ("angle_limits", branch, ["ang_min", "ang_max"]),
            ("dc_angle", bus, "Va_dc"),
            ("dc_generation", gen, "p_mw_dc"),
            ("dc_flow", branch, "pf_dc"),
            ("rating", branch, "rate_a"),
            ("live", branch, "br_status"),
            ("running", gen, "in_service"),
        ):
            wanted = frame[columns].to_numpy()
            # Angles of DC are turned into the range of the tables.
            np.testing.assert_allclose(sample[name], wanted, rtol=0, atol=1e-12, err_msg=name)
        own = [f"Y{pair}_{part}" for pair in ("ff", "ft", "tf", "tt") for part in "ri"]
        masked = sample["admittance"] * sample["live"][:, None]
        np.testing.assert_array_equal(masked, branch[own].to_numpy())
        kinds = bus[["PQ", "PV", "REF"]].to_numpy().argmax(axis=1) + 1
        np.testing.assert_array_equal(sample["type"], kinds)
        np.testing.assert_array_equal(dataset.ends, branch[["from_bus", "to_bus"]])
        np.testing.assert_array_equal(dataset.generator_row, gen["bus"])


def test_what_never_varies_is_stored_once(batch):
    folder = batch.path / "numpy"

    def stored(dataset, name):
        return len(np.load(folder / dataset / "arrays" / f"{name}.npy", mmap_mode="r"))

    assert [stored("case14_ac", name) for name in ("cost", "admittance", "rating")] == [1, 1, 1]
    assert [stored("case14_ac", name) for name in ("demand", "live", "flow")] == [120] * 3
    # Taps that follow the voltage change admittances.
    assert stored("taps_ac", "admittance") == 4
    mesh = opened(batch, name="taps_ac")
    assert any((mesh[0]["admittance"] != mesh[n]["admittance"]).any() for n in (1, 2, 3))


def test_no_topology_is_in_two_splits(batch):
    samples = pd.read_parquet(batch.path / "numpy" / "case14_ac" / "samples.parquet")
    failing = samples[samples["topology"] != ""]
    assert failing["topology"].nunique() > 40
    assert failing.groupby("topology")["split"].nunique().max() == 1
    assert samples.groupby(["topology", "load_scenario_idx"])["split"].nunique().max() == 1
    assert set(samples["split"]) == set(SPLITS)
    datasets = [opened(batch, split) for split in SPLITS]
    together = np.concatenate([dataset.numbers for dataset in datasets])
    assert sorted(together) == list(range(120))
    assert len(datasets[0]) > len(datasets[1])
    card = json.loads((batch.path / "numpy" / "case14_ac" / "data_card.json").read_text())
    assert card["counts"]["by_split"] == {
        split: len(dataset) for split, dataset in zip(SPLITS, datasets, strict=True)
    }


def test_shares_and_seed_of_a_split():
    names = [f"line:{n}" for n in range(4000)]
    found = [Splitting(3, (0.7, 0.2, 0.1)).of(name, "") for name in names]
    for split, share in zip(SPLITS, (0.7, 0.2, 0.1), strict=True):
        assert found.count(split) / len(names) == pytest.approx(share, abs=0.03)
    assert found != [Splitting(4, (0.7, 0.2, 0.1)).of(name, "") for name in names]
    assert Splitting().of("line:1", "a") == Splitting().of("line:1", "b")
    assert {Splitting(0, (0.5, 0.5, 0)).of("", f"{n}") for n in range(50)} == {*SPLITS[:2]}
    for wrong in ((0.5, 0.5), (0.5, 0.6, -0.1), (0.5, 0.2, 0.2)):
        with pytest.raises(GatBatchError, match="are no shares"):
            Splitting(0, wrong)


def test_added_samples_solve_what_is_added_and_move_no_other(batch, tmp_path):
    space = Workspace(tmp_path)
    space.take_over(batch)
    before = space.solved()
    space.write("study.yaml", study(45))
    run = space.run()
    assert run.returncode == 0, run.stdout + run.stderr
    after = space.solved()
    assert {name: after[name] for name in before} == before
    # 5 draws of 3 topologies by AC and DC, and an optimum.
    assert len(after) == len(before) + 31
    made = export(space, "more", "--to", "numpy")
    assert (made.returncode, "dark" in made.stderr) == (1, False), made.stderr
    assert "has no sample with a solution" in made.stderr
    made = export(space, "more", "--to", "gridfm")
    assert made.returncode == 0, made.stderr
    first, second = (
        pd.read_parquet(space.path / name / "case14_ac" / "samples.parquet")
        for name in ("numpy", "more")
    )
    assert len(second) == len(first) + 15
    merged = first.merge(second, on="scenario", suffixes=("", "_then"))
    assert len(merged) == len(first)
    for column in ("split", "topology", "sample"):
        assert (merged[column] == merged[f"{column}_then"]).all()
    labels = pd.read_parquet(space.path / "more" / "case14_ac_opf" / "samples.parquet")
    assert labels["status"].tolist() == ["infeasible"]
    assert labels["sample"].isna().all()


def test_a_dataset_is_a_sequence_that_workers_can_take(batch):
    dataset = opened(batch, "train")
    first = dataset[0]
    again = pickle.loads(pickle.dumps(dataset))[0]  # noqa: S301 - our own
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
    assert dataset[-1]["sample"] == dataset.numbers[-1]
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    assert len([*dataset]) == len(dataset)
    single = ArrayDataset(batch.path / "numpy" / "case14_ac", names=("voltage", "live"))
    assert {*single[0]} == {"sample", "voltage", "live"}
    assert (single[0]["voltage"].dtype, single[0]["live"].dtype) == (np.float32, np.bool_)


def test_what_is_not_there_is_named(batch):
    folder = batch.path / "numpy" / "case14_ac"
    for arguments, keywords, told in (
        ((batch.path,), {}, "holds no arrays"),
        ((folder, "tests"), {}, "no split 'tests'"),
        ((folder,), {"names": ("volts",)}, "no quantity 'volts'"),
    ):
        with pytest.raises(GatBatchError, match=told):
            ArrayDataset(*arguments, **keywords)


def test_data_loaders_with_workers(batch):
    torch = pytest.importorskip("torch", reason="torch isn't installed")
    from torch.utils.data import DataLoader

    dataset = opened(batch)
    loader = DataLoader(dataset, batch_size=32, num_workers=2, shuffle=False)
    found = list(loader)
    numbers = torch.cat([one["sample"] for one in found])
    assert numbers.tolist() == list(range(120))
    voltage = torch.cat([one["voltage"] for one in found]).numpy()
    np.testing.assert_array_equal(voltage, np.stack([dataset[n]["voltage"] for n in range(120)]))


def test_a_sample_as_a_graph(batch):
    pytest.importorskip("torch_geometric", reason="torch_geometric isn't installed")
    dataset = opened(batch)
    number = next(n for n in range(120) if not dataset[n]["live"].all())
    sample, graph = dataset[number], dataset.graph(number)
    graph.validate()
    live = sample["live"]
    branch = graph["bus", "branch", "bus"]
    assert branch.edge_index.shape[1] == 2 * live.sum()
    # The graph alone gives each bus's injection: Kirchhoff's law from nodes and edges.
    vm, va = graph["bus"].y.numpy().T
    voltage = vm * np.exp(1j * np.radians(va))
    first, second = branch.edge_index.numpy()
    y = branch.edge_attr.numpy()[:, :4].view(np.complex128)
    power = np.zeros(len(voltage), complex)
    np.add.at(
        power, first, voltage[first] * np.conj(y[:, 0] * voltage[first] + y[:, 1] * voltage[second])
    )
    demand, shunt = (
        graph["bus"].x.numpy()[:, at : at + 2].copy().view(np.complex128)[:, 0] for at in (0, 2)
    )
    power += np.conj(shunt) * vm**2
    given = -demand / dataset.base_mva
    units, at = graph["generator", "at", "bus"].edge_index.numpy()
    generation = graph["generator"].y.numpy()[units].view(np.complex128)[:, 0]
    np.add.at(given, at, generation / dataset.base_mva)
    np.testing.assert_allclose(power, given, atol=1e-6)


def test_the_example_trains(batch):
    pytest.importorskip("torch", reason="torch isn't installed")
    command = [sys.executable, str(ROOT / "examples" / "train_voltages.py")]
    run = subprocess.run(
        [*command, str(batch.path / "numpy" / "case14_ac"), "--epochs", "30", "--workers", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = run.stdout.splitlines()
    first, last = (float(line.split(": ")[1].split()[0]) for line in (lines[0], lines[-1]))
    assert len(lines) == 30
    assert last < first
