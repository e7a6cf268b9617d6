"""A grid read through any form gives the same power flow, and damage is noticed."""

from __future__ import annotations

import hashlib
import json
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandapower
import pandapower.networks
import pyarrow as pa
import pyarrow.ipc
import pytest
import scipy.io
from conftest import run_script
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandapower.toolbox import nets_equal

from gat_batch.errors import GatBatchError
from gat_batch.grids import grid_ref, read_grid, write_grid

# Multi-voltage networks have three-winding transformers, switches, impedances, xwards.
NAMES = ["case14", "case118", "case300", "case1354pegase", "mv_oberrhein", "example_multivoltage"]


def bundled(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_grid(grid_ref(f"pandapower:{name}", Path()))


def reread(net, path):
    dropped = write_grid(net, path)
    return read_grid(grid_ref(str(path), Path())), dropped


def solved(net, run=pandapower.runpp):
    net = deepcopy(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(net, calculate_voltage_angles=True) if run is pandapower.runpp else run(net)
    return net


def assert_same_flow(before, after, run=pandapower.runpp, *, bus_shift=0, iron_losses=True):
    """Voltages of shared buses and flows of lines and transformers are equal."""
    one, two = solved(before, run), solved(after, run)
    shared = [bus for bus in one.bus.index if bus + bus_shift in two.bus.index]
    # Closed switches merge buses.
    assert len(shared) > len(one.bus) / 3
    first = one.res_bus.loc[shared]
    second = two.res_bus.loc[[bus + bus_shift for bus in shared]]
    for column, tolerance in (("vm_pu", 1e-9), ("va_degree", 1e-6)):
        assert_allclose(second[column], first[column], rtol=0, atol=tolerance, err_msg=column)
    for element, ends in (("line", ("from", "to")), ("trafo", ("hv", "lv"))):
        if len(one[element]) and len(one[element]) == len(two[element]):
            for column in [f"p_{end}_mw" for end in ends] + [f"q_{end}_mvar" for end in ends]:
                if run is pandapower.rundcpp and column.startswith("q"):
                    continue
                one_flow, two_flow = (
                    net[f"res_{element}"][column].to_numpy() for net in (one, two)
                )
                live = one[element]["in_service"].to_numpy(bool)
                if element == "trafo" and not iron_losses:
                    live &= (one.trafo[["pfe_kw", "i0_percent"]] == 0).all(axis=1).to_numpy()
                assert_allclose(two_flow[live], one_flow[live], rtol=0, atol=1e-6, err_msg=column)
    slack = [net.res_ext_grid["p_mw"].sum() for net in (one, two)]
    assert slack[0] == pytest.approx(slack[1], abs=1e-6)


@pytest.mark.parametrize("run", [pandapower.runpp, pandapower.rundcpp])
@pytest.mark.parametrize("name", NAMES)
def test_arrow_keeps_the_power_flow(tmp_path, name, run):
    net = bundled(name)
    after, _ = reread(net, tmp_path / "net.arrow")
    assert_same_flow(net, after, run)


@pytest.mark.parametrize("suffix", ["m", "mat"])
@pytest.mark.parametrize("name", NAMES)
def test_matpower_keeps_the_power_flow(tmp_path, name, suffix):
    net = bundled(name)
    after, _ = reread(net, tmp_path / f"net.{suffix}")
    # MATPOWER numbers buses from 1, and has iron losses at buses.
    shift = int((net.bus.index == 0).any())
    assert_same_flow(net, after, bus_shift=shift, iron_losses=False)


@pytest.mark.parametrize("name", NAMES)
def test_json_keeps_everything(tmp_path, name):
    net = bundled(name)
    after, dropped = reread(net, tmp_path / "net.json")
    assert not dropped
    assert nets_equal(net, after)


def test_arrow_keeps_indices_names_limits_and_costs(tmp_path):
    net = bundled("case118")
    net.line.loc[7, "name"] = "seven"
    after, _ = reread(net, tmp_path / "net.arrow")
    for element in ("bus", "line", "trafo", "gen", "ext_grid", "load", "shunt"):
        assert list(after[element].index) == list(net[element].index), element
    assert after.line["name"][7] == "seven"
    for column in ("min_p_mw", "max_p_mw", "min_q_mvar", "max_q_mvar"):
        assert_allclose(after.gen[column], net.gen[column], atol=1e-9)

    def costs(grid):
        table = grid.poly_cost.sort_values(["et", "element"])
        return table[["cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2"]].to_numpy(float)

    assert_allclose(costs(after), costs(net))


def test_what_a_form_cannot_hold_is_said(tmp_path):
    said = " ".join(write_grid(bundled("example_multivoltage"), tmp_path / "net.arrow"))
    for word in ("trafo3w", "switches", "impedance", "xward", "tap changers"):
        assert word in said, word


def test_columns_that_a_form_cannot_hold_are_said_and_no_name_stays_none(tmp_path):
    net = bundled("case9")
    net.bus["zone"] = "north"
    net.bus.loc[0, "name"] = None
    net.line["name"] = None
    net.line["max_loading_percent"] = 80.0
    net.gen["slack_weight"] = 0.5
    net.gen["controllable"] = False
    net.load.loc[net.load.index[0], "scaling"] = 0.5
    after, dropped = reread(net, tmp_path / "net.arrow")
    for said in (
        "bus: zone",
        "max_loading_percent",
        "slack_weight",
        "controllable",
        "scaling of 1",
    ):
        assert said in "; ".join(dropped), said
    assert after.bus["name"].isna().tolist() == [True] + [False] * 8
    assert after.line["name"].isna().all()
    net.bus["zone"] = None
    assert reread(net, tmp_path / "net.arrow")[0].bus["zone"].isna().all()
    _, plain = reread(bundled("case9"), tmp_path / "plain.arrow")
    assert "zone" not in " ".join(plain)


# ---- The letter of schema 2.0.0, by a dataset that none of our code wrote -----------


def hand_written(folder, **replaced):
    """Two buses, a line and a transformer, as another program would write them."""
    text = pa.dictionary(pa.uint8(), pa.string())
    tables = {
        "system": {"base_mva": [100.0], "base_frequency_hz": [50.0], "name": [None],
                   "description": [None]},
        "buses": {"id": [10, 20, 35], "name": ["a", "b", "c"], "voltage_kv": [110.0, 110.0, 20.0],
                  "voltage_pu": [1.02, 1.0, 1.0], "angle_rad": [0.1, 0.0, 0.0],
                  "bus_type": pa.array(["Slack", "PV", "PQ"]).dictionary_encode().cast(text),
                  "vmin_pu": [0.9, None, 0.9], "vmax_pu": [1.1, None, 1.1],
                  "area_id": pa.array([1, None, 2], pa.int64()),
                  "zone_id": pa.nulls(3, pa.int64())},
        "generators": {"id": [5, 6], "name": ["g", "h"], "bus": [10, 20], "status": [True, True],
                       "active_power_mw": [0.0, 12.0], "reactive_power_mvar": [0.0, 0.0],
                       "pmin_mw": [0.0, 0.0], "pmax_mw": [99.0, 20.0],
                       "qmin_mvar": [-9.0, -9.0], "qmax_mvar": [9.0, 9.0],
                       "voltage_setpoint_pu": [1.02, 1.01],
                       "mbase_mva": pa.nulls(2, pa.float64()),
                       "cost_model": pa.array([2, 1], pa.int32()), "cost_startup": [None, 1.0],
                       "cost_shutdown": [None, 0.0], "cost_coeffs": [[3.0, 2.0, 1.0], [0.0, 20.0]],
                       "cost_values": [None, [0.0, 60.0]],
                       "is_synchronous_condenser": [False, False]},
        "loads": {"id": [3, 4], "name": ["x", "y"], "bus": [35, 35], "status": [True, False],
                  "active_power_mw": [25.0, 99.0], "reactive_power_mvar": [8.0, 9.0]},
        "branches": {"id": [1, 9], "name": ["l", "t"],
                     "element_type": pa.array(["line", "transformer"]).dictionary_encode()
                     .cast(text),
                     "from_bus": [10, 20], "to_bus": [20, 35], "status": [True, True],
                     "resistance_pu": [0.01, 0.002], "reactance_pu": [0.05, 0.1],
                     "charging_b_pu": [0.03, 0.004], "tap_ratio": [1.0, 0.97],
                     "phase_shift_rad": [0.0, 0.2], "rate_a_mva": [100.0, None],
                     "rate_b_mva": pa.nulls(2, pa.float64()),
                     "rate_c_mva": pa.nulls(2, pa.float64()),
                     "angle_min_rad": pa.nulls(2, pa.float64()),
                     "angle_max_rad": pa.nulls(2, pa.float64())},
    }  # fmt: skip
    folder.mkdir(parents=True)
    listed = {}
    for name, columns in tables.items():
        file = folder / f"{name}.arrow"
        table = pa.table(columns | replaced.get(name, {}))
        with pa.ipc.new_file(file, table.schema) as sink:
            sink.write_table(table)
        listed[name] = {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "row_count": len(table),
            "file_size_bytes": file.stat().st_size,
        }
    content = {
        "schema_version": "2.0.0",
        "created_at": "2026-01-01T00:00:00Z",
        "gat_version": "0.5.0",
        "source": {"file": "x", "format": "matpower", "file_hash": "0"},
        "tables": listed,
    }
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def power_mismatch(net):
    """Largest mismatch of a solution with the textbook equations of the hand-written dataset."""
    net = solved(net)
    voltage = (net.res_bus["vm_pu"] * np.exp(1j * np.radians(net.res_bus["va_degree"]))).to_numpy()
    admittance = np.zeros((3, 3), complex)
    branches = [
        (0, 1, 0.01 + 0.05j, 0.03, 1.0),
        (1, 2, 0.002 + 0.1j, 0.004, 0.97 * np.exp(0.2j)),
    ]
    for start, end, z, b, tap in branches:
        series, shunt = 1 / z, 1j * b / 2
        admittance[start, start] += (series + shunt) / abs(tap) ** 2
        admittance[start, end] -= series / np.conj(tap)
        admittance[end, start] -= series / tap
        admittance[end, end] += series + shunt
    power = 100 * voltage * np.conj(admittance @ voltage)
    grid = net.res_ext_grid.iloc[0]
    gen = net.res_gen.iloc[0]
    wanted = [
        complex(grid["p_mw"], grid["q_mvar"]),
        complex(gen["p_mw"], gen["q_mvar"]),
        -25 - 8j,
    ]
    return np.abs(power - wanted).max(), voltage


def test_dataset_of_another_program_is_read_to_the_letter(tmp_path):
    net = read_grid(grid_ref("d.arrow", hand_written(tmp_path / "d.arrow").parent))
    assert list(net.bus.index) == [10, 20, 35]
    assert list(net.bus["name"]) == ["a", "b", "c"]
    assert list(net.load.index) == [3, 4]
    mismatch, voltage = power_mismatch(net)
    assert mismatch < 1e-5
    assert voltage[0] == pytest.approx(1.02 * np.exp(0.1j))
    assert abs(voltage[1]) == pytest.approx(1.01)
    assert net.poly_cost[["cp0_eur", "cp1_eur_per_mw", "cp2_eur_per_mw2"]].to_numpy().tolist() == [
        [3.0, 2.0, 1.0]
    ]
    assert net.pwl_cost["points"].iloc[0] == [[0.0, 20.0, 3.0]]


def test_generator_of_a_dataset_at_a_pq_bus_holds_no_voltage(tmp_path):
    hand_written(tmp_path / "d.arrow", buses={"bus_type": ["Slack", "PQ", "PQ"]})
    net = read_grid(grid_ref("d.arrow", tmp_path))
    assert len(net.gen) == 0
    assert net.sgen.loc[6, ["bus", "p_mw", "q_mvar"]].tolist() == [20, 12, 0]


@pytest.mark.parametrize(
    ("damage", "fragment"),
    [
        (lambda d: (d / "loads.arrow").unlink(), "loads.arrow"),
        (lambda d: (d / "loads.arrow").write_bytes(b"x"), "checksum"),
        (lambda d: flip(d / "buses.arrow"), "checksum"),
        (lambda d: edit(d, schema_version="3.0.0"), "3.0.0"),
        (lambda d: edit(d, schema_version="new"), "not the manifest"),
        (lambda d: edit(d, tables={}), "system"),
        (lambda d: edit(d, tables=[1]), "not the manifest"),
        (lambda d: (d / "manifest.json").write_text("{"), "not the manifest"),
        (lambda d: (d / "manifest.json").write_text("[" * 100_000), "not the manifest"),
    ],
)
def test_damaged_dataset_is_refused(tmp_path, damage, fragment):
    folder = hand_written(tmp_path / "d.arrow")
    damage(folder)
    with pytest.raises(GatBatchError, match=fragment):
        read_grid(grid_ref("d.arrow", tmp_path))


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def edit(folder, **keys):
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


@pytest.mark.parametrize(
    ("replaced", "fragments"),
    [
        ({"loads": {"bus": [35, 77]}}, ["load 4", "77"]),
        ({"buses": {"id": [10, 10, 35]}}, ["id 10", "two"]),
        ({"buses": {"bus_type": ["Slack", "PV", "XY"]}}, ["XY", "bus_type"]),
        ({"buses": {"voltage_kv": [110.0, 0.0, 20.0]}}, ["bus 20"]),
        ({"branches": {"reactance_pu": [float("nan"), 0.1]}}, ["branch 1"]),
        ({"branches": {"resistance_pu": [0.0, 0.1], "reactance_pu": [0.0, 0.1]}}, ["impedance"]),
        ({"system": {"base_mva": [0.0]}}, ["0.0 MVA"]),
        ({"loads": {"status": ["yes", "no"]}}, ["loads.arrow"]),
        ({"loads": {"active_power_mw": [1.0, None]}}, ["active_power_mw", "empty"]),
    ],
)
def test_contradictory_dataset_is_refused(tmp_path, replaced, fragments):
    hand_written(tmp_path / "d.arrow", **replaced)
    with pytest.raises(GatBatchError) as caught:
        read_grid(grid_ref("d.arrow", tmp_path))
    assert all(fragment in str(caught.value) for fragment in fragments), caught.value


# ---- Hostile and broken files ------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"_module": "os", "_class": "system", "_object": "touch %s"}',
        '{"\\u005fmodule": "os", "\\u005fclass": "system", "_object": "touch %s"}',
        '{"_module": "builtins", "_class": "eval", "_object": "open(\'%s\', \'w\')"}',
        '{"a": [{"_module": "pandapower.control", "_class": "ConstControl", "_object": "%s"}]}',
        '{"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": '
        '{"x": "{\\"_module\\": \\"os\\", \\"_class\\": \\"system\\", \\"_object\\": \\"%s\\"}"}}',
        '{"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": '
        '{"x": "{\\"\\\\u005fmodule\\": \\"os\\", \\"\\\\u005fclass\\": \\"f\\"}", "y": "%s"}}',
    ],
)
def test_grid_files_never_run_code(tmp_path, text):
    trap = tmp_path / "trap"
    (tmp_path / "net.json").write_text(text % trap)
    with pytest.raises(GatBatchError, match=r"net\.json"):
        read_grid(grid_ref("net.json", tmp_path))
    assert not trap.exists()


@settings(max_examples=150, deadline=None)
@given(
    suffix=st.sampled_from([".json", ".m", ".mat"]),
    content=st.binary(max_size=80) | st.text(max_size=80).map(str.encode),
)
def test_no_bytes_end_in_a_traceback(tmp_path_factory, suffix, content):
    path = tmp_path_factory.mktemp("g") / f"net{suffix}"
    path.write_bytes(content)
    with pytest.raises(GatBatchError, match="net"):
        read_grid(grid_ref(str(path), Path()))


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda text: text[: len(text) // 2], "net.m"),
        (lambda text: text.replace("mpc.branch = [", "mpc.brunch = ["), "branch"),
        (lambda text: text.replace("mpc.bus = [", "mpc.bus = [\n1 2;"), "net.m"),
        (lambda text: text + "\nmpc.gen(1, 2) *= 7;\n", "can.t be followed"),
    ],
)
def test_broken_matpower_text_is_refused(tmp_path, change, fragment):
    path = tmp_path / "net.m"
    write_grid(bundled("case14"), path)
    path.write_text(change(path.read_text()))
    with pytest.raises(GatBatchError, match=fragment):
        read_grid(grid_ref("net.m", tmp_path))


def test_mat_without_a_case_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "net.mat", {"other": np.eye(3)})
    with pytest.raises(GatBatchError, match="mpc"):
        read_grid(grid_ref("net.mat", tmp_path))


# ---- Which grid it is ------------------------------------------------------------


def test_hash_of_a_dataset_is_of_its_content_not_of_its_writing(tmp_path):
    def written(grid):
        write_grid(grid, tmp_path / "net.arrow")
        return grid_ref("net.arrow", tmp_path).content_hash()

    net = bundled("case9")
    first = written(net)
    assert written(net) == first
    edit(tmp_path / "net.arrow", schema_version="2.1.0")
    assert grid_ref("net.arrow", tmp_path).content_hash() != first
    net.load.loc[0, "p_mw"] += 1.0
    assert written(net) != first


# ---- The command -----------------------------------------------------------------


def convert(*arguments, cwd):
    return run_script("convert_grid", *arguments, cwd=cwd)


def test_convert_grid_writes_says_and_does_not_overwrite(tmp_path):
    run = convert("pandapower:mv_oberrhein", "net.arrow", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "179 bus" in run.stdout
    assert "not kept as it was" in run.stdout
    again = convert("pandapower:case14", "net.arrow", cwd=tmp_path)
    assert again.returncode == 1
    assert "exists" in again.stderr
    assert convert("pandapower:case14", "net.arrow", "--force", cwd=tmp_path).returncode == 0
    assert convert("net.arrow", "net.m", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("arguments", [("no.json", "x.m"), ("pandapower:case14", "x.txt")])
def test_convert_grid_refuses_in_one_line(tmp_path, arguments):
    run = convert(*arguments, cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_grids_that_ship_are_known_without_reading_them():
    folder = Path(pandapower.networks.__file__).parent / "power_system_test_case_jsons"
    named = {file.stem for file in folder.glob("*.json")}
    shipped = {name for name in named if grid_ref(f"pandapower:{name}", Path()).ships}
    assert shipped == {name for name in named if hasattr(pandapower.networks, name)}
    assert {"case118", "case9241pegase"} < shipped < named
    for name in ("case119", "mv_oberrhein", "../case118", ""):
        assert not grid_ref(f"pandapower:{name}", Path()).ships
