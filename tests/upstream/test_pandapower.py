"""What an upgrade of pandapower breaks, in a sentence."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pandapower
import pandapower.networks
import pytest
from conftest import ROOT
from pandapower.toolbox import nets_equal
from scipy.sparse import csr_matrix

from gat_batch.upstream.pandapower import (
    array_rows,
    branch_columns,
    bus_columns,
    drop_empty_tables,
    power_limits_on_new_scipy,
    solved_arrays,
    usual_start,
)


@pytest.fixture(scope="module")
def solved():
    net = pandapower.networks.case9()
    pandapower.runpp(net)
    return net


def test_the_arrays_of_a_power_flow_are_where_the_admittance_model_takes_them_from(solved):
    arrays, br, bi = solved_arrays(solved), branch_columns(), bus_columns()
    told = "pandapower keeps the arrays of a solved power flow elsewhere, or names them otherwise"
    assert {"bus", "branch", "baseMVA", "success", "internal", "iterations"} <= arrays.keys(), told
    matrices = {"bus", "branch", "branch_is", "Ybus", "Yf", "Yt", "V", "ref", "pv", "pq"}
    assert matrices <= arrays["internal"].keys(), told
    voltage = arrays["internal"]["V"]
    power = voltage * np.conj(arrays["internal"]["Ybus"] @ voltage) * arrays["baseMVA"]
    rows = array_rows(solved)["bus"][solved.load["bus"].to_numpy()]
    assert power.real[rows] == pytest.approx(-solved.load["p_mw"].to_numpy()), told
    first, last = array_rows(solved)["branch"]["line"]
    ends = arrays["branch"][first:last, [br.F_BUS, br.T_BUS]].real.astype(int)
    buses = array_rows(solved)["bus"][solved.line[["from_bus", "to_bus"]].to_numpy()]
    assert (ends == buses).all(), told
    assert arrays["bus"][:, bi.BASE_KV].real == pytest.approx(345.0), told


@pytest.mark.parametrize("name", ["case118", "case300", "example_multivoltage", "iceland"])
def test_a_power_flow_starts_from_the_mean_setpoint(name):
    net = getattr(pandapower.networks, name)()
    net.gen.loc[net.gen.index[-1:], ["vm_pu", "in_service"]] = 0.7, False
    start = usual_start(net, {})
    pandapower.runpp(net, numba=False)
    told = (
        "pandapower starts elsewhere than powerflow/plain and powerflow/admittances have it start"
    )
    assert start == {"init_vm_pu": net["_options"]["init_vm_pu"]}, told


def test_where_pandapower_starts_is_left_to_it_where_more_than_setpoints_count():
    net = pandapower.networks.case9()
    assert usual_start(net, {"tolerance_mva": 1e-9})
    assert not usual_start(net, {"init": "flat"})
    net["user_pf_options"] = {"init": "flat"}
    assert not usual_start(net, {})
    net = pandapower.networks.case9()
    net.ext_grid["in_service"] = net.gen["in_service"] = False
    assert not usual_start(net, {})


def test_the_arrays_of_a_dc_power_flow_have_its_matrices():
    net = pandapower.networks.case9()
    pandapower.rundcpp(net)
    internal = solved_arrays(net)["internal"]
    told = "pandapower's DC power flow keeps its matrices elsewhere, or names them otherwise"
    assert {"Bbus", "Bf", "Pbusinj", "Pfinj"} <= internal.keys(), told


def test_numba_is_kept_out_without_a_message():
    assert sys.modules["numba"] is None
    record = logging.LogRecord("pandapower", 30, "", 0, "numba cannot be imported", (), None)
    told = "pandapower's message about numba comes from another logger: each job would show it"
    assert not logging.getLogger("pandapower.auxiliary").filter(record), told


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (
            "scipy.stats",
            "more of pandapower imports scipy's statistics now: keep_state_estimation_out",
        ),
        (
            "numpy.f2py.f2py2e",
            "scipy takes numpy's interface to Fortran in another way: keep_f2py_out",
        ),
        ("openpyxl", "pandapower looks for openpyxl in another way: keep_openpyxl_out"),
        ("pandera.api", "pandapower takes more of pandera than a name: keep_pandera_out"),
    ],
)
def test_what_no_power_flow_uses_is_kept_out(module, told):
    code = "from gat_batch.process import set_up_solving; set_up_solving(); import pandapower, sys"
    later = "import numpy.f2py, importlib.util as u; u.find_spec('openpyxl')"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; print({module!r} in sys.modules); {later}"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "False\n", f"{told} is in vain"
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", ["case118", "mv_oberrhein", "example_multivoltage"])
def test_empty_tables_are_no_loss(name):
    text = pandapower.to_json(getattr(pandapower.networks, name)())
    document = json.loads(text)
    before = set(document["_object"])
    drop_empty_tables(document)
    dropped = before - set(document["_object"])
    assert len(dropped) > 40, "pandapower writes empty tables in another way: grids take longer"
    whole, lean = map(pandapower.from_json_string, (text, json.dumps(document)))
    assert set(whole) == set(lean)
    assert not any(len(whole[table]) for table in dropped)
    assert nets_equal(whole, lean)


def test_other_documents_stay_as_they_are():
    for document in ({}, {"_object": []}, {"_object": {"bus": 1, "load": {"_object": {}}}}):
        copy = deepcopy(document)
        drop_empty_tables(copy)
        assert copy == document


def test_optimal_power_flow_still_needs_what_scipy_took_away():
    told = (
        "pandapower or scipy have changed: if runopp works without it, remove "
        "power_limits_on_new_scipy"
    )
    assert not hasattr(csr_matrix, "H"), told
    net = pandapower.networks.case9()
    with pytest.raises(AttributeError, match="has no attribute 'H'"):
        pandapower.runopp(net, OPF_FLOW_LIM=0)
    with power_limits_on_new_scipy():
        pandapower.runopp(net, OPF_FLOW_LIM=0)
    assert net.OPF_converged
