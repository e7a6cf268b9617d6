"""PyPSA networks: their own equations hold, over time too, from CSV and from NetCDF."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from gat_batch.errors import GatBatchError, GridError
from gat_batch.grids import grid_ref, read_grid
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import scenario_states
from gat_batch.model.tables.time_series import course_of
from gat_batch.solvers.study import solve

FILES = {
    "buses": """name,v_nom,carrier,v_mag_pu_set
A,380,AC,1.02
B,380,AC,1
C,110,AC,1
D,110,AC,1
E,380,AC,1
L,380,AC,1
M,380,AC,1
H,1,H2,1
""",
    "lines": """name,bus0,bus1,type,x,r,g,b,s_nom,active,length,num_parallel
AB,A,B,,10,1,1e-06,1e-05,500,True,0,1
AB2,A,B,Al/St 240/40 4-bundle 380.0,0,0,0,0,1000,True,50,2
AE,A,E,own,0,0,0,0,1000,True,30,1
EB,E,B,,9,2,0,0,1000,True,0,1
CD,C,D,149-AL1/24-ST1A 110.0,0,0,0,0,200,True,12,1
LM,L,M,,9,2,0,0,100,True,0,1
off,A,M,,9,2,0,0,100,False,0,1
""",
    "line_types": """name,f_nom,r_per_length,x_per_length,c_per_length
own,50,0.03,0.25,14
""",
    "transformers": """\
name,bus0,bus1,type,model,x,r,g,b,s_nom,tap_ratio,tap_side,tap_position,phase_shift
BC,B,C,,t,0.1,0.01,0.001,-0.01,200,1.02,0,0,5
DE,D,E,,pi,0.12,0.01,0,0.01,150,0.97,1,0,-5
CE,E,C,160 MVA 380/110 kV,t,0,0,0,0,0,1,0,3,5
""",
    "generators": """name,bus,control,p_nom,p_set,q_set,marginal_cost
w,C,PQ,50,,2,3
pv,E,PV,100,,0,30
g,A,Slack,500,,0,0
g2,A,PQ,50,20,5,0
gl,L,PQ,50,,0,0
""",
    "loads": """name,bus,p_set,q_set,sign
l0,C,0,10,-1
l1,D,40,12,-1
l2,E,0,13,-1
l3,M,20,14,-1
neg,D,5,0,1
h,H,1,0,-1
""",
    "storage_units": "name,bus,p_nom,max_hours\ns,D,10,5\n",
    "stores": "name,bus,e_nom,p_set\nst,C,7,1.5\n",
    "shunt_impedances": "name,bus,g,b\nsh,D,1e-05,0.0002\n",
    "links": "name,bus0,bus1,efficiency,p_nom,p_set\nk,A,C,0.9,10,\nel,D,H,0.7,10,3\n",
    "snapshots": ",snapshot,objective\n0,2030-01-01 00:00,1\n1,2030-01-01 01:00,1\n",
    "loads-p_set": ",l0,l2\n0,75.5,39.25\n1,72.75,26.5\n",
    "generators-p_set": ",w,pv\n0,5,30\n1,10,20\n",
    "generators-p_max_pu": ",w\n0,0.2\n1,0.4\n",
    "links-p_set": ",k\n0,5\n1,7\n",
    "storage_units-p_set": ",s\n0,4\n1,-3\n",
}
SCENARIO = SimpleNamespace(load_scale=1.0, gen_scale=1.0, outages=())
INJECTED = {  # MW and MVAr at the buses whose powers are given, worked out by hand from the tables
    "B": ([0, 0], 0),
    "C": ([5 + 1.5 + 4.5 - 75.5, 10 + 1.5 + 6.3 - 72.75], 2 - 10),
    "D": ([4 + 5 - 3 - 40, -3 + 5 - 3 - 40], -12),
    "E": ([30 - 39.25, 20 - 26.5], None),
    "M": ([-20, -20], -14),
}


def written(folder, files=FILES):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def read(path):
    return read_grid(grid_ref(str(path), Path()))


def admittances():
    """The bus admittance matrix of PyPSA's documentation, in S kV^2, and the order of buses."""
    tables = {
        name: pd.read_csv(io.StringIO(FILES[name]), index_col=0, keep_default_na=False)
        for name in ("buses", "lines", "transformers", "shunt_impedances")
    }
    kv = tables["buses"]["v_nom"]
    order = [bus for bus in kv.index if bus != "H"]
    y = pd.DataFrame(0j, order, order)

    def add(bus0, bus1, series, shunt, *ratios):
        tau0, tau1, shift = ratios
        phase = np.exp(1j * np.deg2rad(shift))
        y.loc[bus0, bus0] += (series + shunt / 2) / tau0**2
        y.loc[bus1, bus1] += (series + shunt / 2) / tau1**2
        y.loc[bus0, bus1] -= series / (tau0 * tau1 * np.conj(phase))
        y.loc[bus1, bus0] -= series / (tau0 * tau1 * phase)

    per_km = {
        "Al/St 240/40 4-bundle 380.0": (0.03, 0.246, 13.8),
        "own": (0.03, 0.25, 14),
        "149-AL1/24-ST1A 110.0": (0.194, 0.41, 8.75),
    }
    for line in tables["lines"].itertuples():
        z, shunt = line.r + 1j * line.x, line.g + 1j * line.b
        if line.type:
            r, x, nf = per_km[line.type]
            z = (r + 1j * x) * line.length / line.num_parallel
            shunt = 2j * np.pi * 50 * nf * 1e-9 * line.length * line.num_parallel
        if str(line.active) == "True":
            base = kv[line.bus0] ** 2
            add(line.bus0, line.bus1, base / z, base * shunt, 1, 1, 0)
    # The T circuit by the star-delta transformation; the type's data are pandapower's.
    z, shunt = (0.01 + 0.1j) / 200, (0.001 - 0.01j) * 200
    star = (z / 2) ** 2 + z / shunt
    add("B", "C", 1 / (star * shunt), 2 / (star / (z / 2)), 1.02, 1, 5)
    add("D", "E", 150 / (0.01 + 0.12j), 0.01j * 150, 1, 0.97, -5)
    r, g = 0.25 / 100, 60 / (1000 * 160)
    z = (r + 1j * np.sqrt(0.122**2 - r**2)) / 160
    shunt = (g - 1j * np.sqrt(max(0.0006**2 - g**2, 0))) * 160
    star = (z / 2) ** 2 + z / shunt
    add("E", "C", 1 / (star * shunt), 2 / (star / (z / 2)), 1 + 3 * 0.015, 1, 0)
    y.loc["D", "D"] += (1e-5 + 2e-4j) * 110**2
    return y


def netcdf(path):
    """The same network as PyPSA exports it: lists, columns and series as variables."""
    netCDF4 = pytest.importorskip("netCDF4", reason="netCDF4 isn't installed")  # noqa: N806 - its name
    with netCDF4.Dataset(path, "w") as data:
        data.createDimension("snapshots", 2)
        times = data.createVariable("snapshots", "i8", ("snapshots",))
        times.units, times.calendar = "hours since 2030-01-01 00:00:00", "proleptic_gregorian"
        times[:] = [0, 1]

        def fill(name, values, *dimensions):
            values = np.asarray(values)
            text = values.dtype.kind in "OUT"
            variable = data.createVariable(name, str if text else values.dtype, dimensions)
            variable[:] = values.astype(object) if text else values

        for name, text in FILES.items():
            kind, over_time, attribute = name.partition("-")
            table = pd.read_csv(io.StringIO(text), index_col=0)
            if over_time:
                key = f"{kind}_t_{attribute}"
                data.createDimension(f"{key}_i", len(table.columns))
                fill(f"{key}_i", table.columns.to_numpy(object), f"{key}_i")
                fill(key, table.to_numpy(float), "snapshots", f"{key}_i")
            elif name != "snapshots":
                data.createDimension(f"{kind}_i", len(table))
                fill(f"{kind}_i", table.index.to_numpy(object), f"{kind}_i")
                for column in table:
                    values = table[column]
                    if values.dtype == bool:
                        values = values.astype("i1")
                    elif values.dtype.kind not in "if":
                        values = values.fillna("")
                    fill(f"{kind}_{column}", values.to_numpy(), f"{kind}_i")
    return path


@pytest.mark.parametrize("form", ["folder", "netcdf"])
def test_every_snapshot_satisfies_the_equations_of_pypsa(tmp_path, form):
    net = read(written(tmp_path / "n") if form == "folder" else netcdf(tmp_path / "n.nc"))
    model, y = prepare(net), admittances()
    course = course_of(net, "all")
    states = list(scenario_states(ElementIndex(net), SCENARIO, None, None, course=course))
    assert [state.snapshot for state in states] == ["2030-01-01T00:00:00", "2030-01-01T01:00:00"]
    for hour, state in enumerate(states):
        found = solve(model, state, "ac", {"tolerance_mva": 1e-9}).elements["bus"]
        voltage = pd.Series(
            found["vm_pu"] * np.exp(1j * np.deg2rad(found["va_degree"])), net.bus["name"]
        )[y.index]
        power = voltage * np.conj(y.to_numpy() @ voltage)
        for bus, (p_mw, q_mvar) in INJECTED.items():
            assert power[bus].real == pytest.approx(p_mw[hour], abs=1e-6), bus
            if q_mvar is not None:
                assert power[bus].imag == pytest.approx(q_mvar, abs=1e-6), bus
        assert_allclose(voltage[["A", "L"]], [1.02, 1.0], atol=1e-12)
        assert abs(voltage["E"]) == pytest.approx(1.0)


def test_names_limits_and_costs(tmp_path):
    net = read(written(tmp_path / "n"))
    assert net.ext_grid["name"].tolist() == ["g", "gl"]
    assert net.sgen["name"].tolist() == ["w", "g2", "k bus0", "el bus0", "k bus1"]
    assert net.sgen["max_p_mw"].tolist()[:2] == [10.0, 50.0]
    assert net.sgen["controllable"].tolist() == [True, True, False, False, False]
    costs = net.poly_cost.set_index(["et", "element"])["cp1_eur_per_mw"]
    assert (costs["gen", 0], costs["sgen", 0]) == (30.0, 3.0)
    assert net.storage["max_e_mwh"].tolist() == [50.0, 7.0]
    assert net.storage["p_mw"].tolist() == [-4.0, -1.5]
    assert net.line["max_i_ka"].iloc[0] == pytest.approx(500 / np.sqrt(3) / 380)
    told = net["approximations"]
    assert "buses of H2 are left out: 1" in told
    assert "loads at other buses are left out: 1" in told
    assert any(sentence.startswith("links are static generators") for sentence in told)
    assert "what varies is as at 2030-01-01T00:00:00 without time_slices" in told


def test_the_slack_is_chosen_as_pypsa_does(tmp_path):
    """The first generator without a ``Slack``; a second one holds its voltage only."""
    generators = FILES["generators"].replace("pv,E,PV", "pv,E,Slack").replace("g,A,Slack", "g,A,PV")
    net = read(written(tmp_path / "a", FILES | {"generators": generators}))
    assert net.ext_grid["name"].tolist() == ["pv", "gl"]
    assert net.gen["name"].tolist() == ["g"]
    both = FILES["generators"].replace("pv,E,PV", "pv,E,Slack")
    net = read(written(tmp_path / "b", FILES | {"generators": both}))
    assert net.ext_grid["name"].tolist() == ["pv", "gl"]
    assert net.gen["name"].tolist() == ["g"]
    lone = FILES["generators"].replace("gl,L,PQ,50,,0,0\n", "")
    net = read(written(tmp_path / "c", FILES | {"generators": lone}))
    assert net.ext_grid["name"].tolist() == ["g", "slack at L"]
    assert net.ext_grid["max_p_mw"].iloc[1] == 0
    assert any("around bus L" in sentence for sentence in net["approximations"])


def test_types_are_those_of_pypsa(tmp_path):
    """Of six transformers pandapower's library has other values than PyPSA 1.4."""
    text = "name,bus0,bus1,type\nT,E,C,63 MVA 110/20 kV\n"
    net = read(written(tmp_path / "n", FILES | {"transformers": text}))
    trafo = net.trafo.iloc[0]
    assert trafo["sn_mva"] == 63
    assert trafo["vk_percent"] == pytest.approx(11.2, abs=1e-4)
    assert trafo["vkr_percent"] == pytest.approx(0.322, abs=1e-4)
    assert trafo["pfe_kw"] == pytest.approx(33.0, abs=1e-2)
    assert trafo["shift_degree"] == 150


def test_setpoints_of_voltage_over_time(tmp_path):
    series = {"buses-v_mag_pu_set": ",A,E\n0,1.02,1.0\n1,1.04,0.99\n"}
    net = read(written(tmp_path / "n", FILES | series))
    states = list(
        scenario_states(ElementIndex(net), SCENARIO, None, None, course=course_of(net, "all"))
    )
    for state, (a, e) in zip(states, [(1.02, 1.0), (1.04, 0.99)], strict=True):
        vm = solve(prepare(net), state, "ac", {}).elements["bus"]["vm_pu"]
        assert_allclose([vm[0], vm[4]], [a, e], atol=1e-9)


def test_storage_holds_no_voltage_and_open_setpoints_are_zero(tmp_path):
    """As in ``Network.pf``, whatever the control of a storage unit."""
    changed = {
        "storage_units": "name,bus,p_nom,max_hours,control\ns,D,10,5,PV\n",
        "storage_units-state_of_charge_set": ",s\n0,\n1,3\n",
        "generators-p_set": ",w,pv\n0,,30\n1,10,20\n",
    }
    net = read(written(tmp_path / "n", FILES | changed))
    assert net.storage["name"].tolist() == ["s", "st"]
    assert net.gen["name"].tolist() == ["pv"]
    assert net.sgen["p_mw"].iloc[0] == 0
    told = "state_of_charge_set of storage_units over time isn't followed: 1"
    assert told in net["approximations"]


def test_a_unit_of_negative_sign_draws(tmp_path):
    generators = "name,bus,control,p_nom,p_min_pu,sign,marginal_cost\ng,A,Slack,50,0,1,10\n"
    generators += "f,C,PQ,20,0.5,-1,1\n"
    changed = {
        "generators": generators,
        "generators-p_max_pu": ",f\n0,1\n1,0.8\n",
        "generators-p_set": ",f\n0,15\n1,12\n",
    }
    net = read(written(tmp_path / "n", FILES | changed))
    flexible = net.sgen.iloc[0]
    assert flexible[["p_mw", "min_p_mw", "max_p_mw"]].tolist() == [-15, -20, -10]
    assert net.poly_cost["cp1_eur_per_mw"].tolist()[-1] == -1
    values = net["time_series"].values(net, [1])
    assert values["sgen", "min_p_mw"][0, 0] == -16
    assert values["sgen", "p_mw"][0, 0] == -12


def test_what_no_state_can_heed_is_told(tmp_path):
    changed = {
        "generators": FILES["generators"]
        .replace("_cost\n", "_cost,committable\n", 1)
        .replace("\npv,E,PV,100,,0,30", "\npv,E,PV,100,,0,30,True"),
        "links": "name,bus0,bus1,bus12,efficiency,efficiency12,p_set\nk,A,C,D,0.9,0.5,\n",
        "links-efficiency12": ",k\n0,0.5\n1,0.4\n",
        "transformers-s_max_pu": ",BC\n0,1\n1,0.8\n",
    }
    net = read(written(tmp_path / "n", FILES | changed))
    assert {
        "committable of generators isn't followed: 1",
        "efficiency12 of links over time isn't followed: 1",
        "s_max_pu of transformers over time isn't followed: 1",
    } <= set(net["approximations"])
    assert net.sgen.set_index("name")["p_mw"]["k bus12"] == 2.5


def test_a_network_of_buses_alone(tmp_path):
    net = read(written(tmp_path / "n", {"buses": FILES["buses"]}))
    assert len(net.bus) == 7
    assert not len(net.ext_grid)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lines": FILES["lines"].replace("own", "oun")}, "no line type 'oun'.*did you mean 'own'"),
        ({"lines": FILES["lines"].replace("AB,A,B,,10", "AB,A,B,,ten")}, "'AB': x is 'ten', not a"),
        ({"lines": FILES["lines"].replace("EB,E,B,,9,2", "EB,E,B,,0,0")}, "has no impedance"),
        ({"buses": FILES["buses"] + "A,380,AC,1\n"}, "gives the name 'A' to two buses"),
        ({"loads-p_set": ",l0\n0,1\n"}, "loads-p_set has 1 rows for 2 snapshots"),
        ({"loads-p_set": ",l0\n0,1\n1,x\n"}, "loads-p_set has cells that are no finite numbers"),
        ({"investment_periods": "period\n2030\n"}, "investment periods or scenarios"),
        ({"buses": "name,v_nom\n"}, "it has no buses"),
    ],
)
def test_faults_say_what_and_where(tmp_path, changed, message):
    with pytest.raises(GridError, match=message):
        read(written(tmp_path / "n", FILES | changed))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(FILES)), st.integers(0, 400), st.text(max_size=6))
def test_any_text_is_read_or_refused(tmp_path_factory, name, position, text):
    whole = FILES[name]
    damaged = whole[:position] + text + whole[position + 2 :]
    folder = tmp_path_factory.mktemp("pypsa") / "n"
    folder.mkdir()
    for key, content in (FILES | {name: damaged}).items():
        (folder / f"{key}.csv").write_bytes(content.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(GatBatchError):
        read(folder)


@pytest.mark.workflow
def test_a_batch_on_a_pypsa_network(workspace):
    """A power flow, and an optimal one in which the wind gives all that the hour allows."""
    generators = FILES["generators"].replace("g,A,Slack,500,,0,0", "g,A,Slack,500,,0,50")
    written(workspace.path / "north", FILES | {"generators": generators})
    scenarios = [
        {"id": "flow", "solver": "ac", "time_slices": "all"},
        {"id": "dispatch", "solver": "dc_opf", "time_slices": "all"},
        {"id": "first", "solver": "ac"},
    ]
    workspace.configure()
    workspace.write("manifest.json", {"grid": "north", "scenarios": scenarios})
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    rows = {
        one["id"]: pd.read_parquet(
            workspace.path / "runs/batch/study" / f"job_{one['id']}" / "result.parquet"
        )
        for one in scenarios
    }
    first = rows["flow"][rows["flow"]["snapshot"] == "2030-01-01T00:00:00"]
    columns = ["element", "id", "vm_pu", "p_mw", "p_from_mw"]
    assert_allclose(
        first[columns[2:]].to_numpy(float), rows["first"][columns[2:]].to_numpy(float), atol=1e-9
    )
    optimum = rows["dispatch"]
    assert set(optimum["status"].dropna()) == {"ok"}
    wind = optimum[(optimum["element"] == "sgen") & (optimum["id"] == 0)]
    assert_allclose(wind["p_mw"], [0.2 * 50, 0.4 * 50], atol=1e-5)
    status = json.loads((workspace.path / "runs/batch/study/batch_manifest.json").read_text())
    assert "buses of H2 are left out: 1" in status["approximations"]["north"]


def test_a_file_that_is_no_netcdf_is_refused(tmp_path):
    pytest.importorskip("netCDF4", reason="netCDF4 isn't installed")
    (tmp_path / "n.nc").write_bytes(b"no")
    with pytest.raises(GridError, match=r"n.nc: can't be read"):
        read(tmp_path / "n.nc")
