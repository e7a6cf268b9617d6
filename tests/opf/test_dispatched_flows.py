"""Power flows whose dispatch an optimal power flow chooses (option ``dispatch``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandapower
import pandapower.networks
import pytest
from opf_studies import AS_GIVEN, change, optimum, prepared

from gat_batch.errors import GatBatchError
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State
from gat_batch.solvers.study import solve

if TYPE_CHECKING:
    from conftest import Workspace


def assert_equal(first, second, *, mw=1e-5, pu=1e-9):
    for element, quantities in second.elements.items():
        for name in {"vm_pu", "va_degree", "p_mw", "q_mvar", "p_from_mw"} & quantities.keys():
            atol = pu if name == "vm_pu" else mw
            wanted = quantities[name]
            np.testing.assert_allclose(first.elements[element][name], wanted, atol=atol)


def mixed():
    """Generators that are scaled, a static one and a storage that may be chosen."""
    net = pandapower.networks.case9()
    net.gen["scaling"] = 0.5
    limits = {"min_p_mw": 0, "max_p_mw": 20, "min_q_mvar": -3, "max_q_mvar": 3}
    pandapower.create_sgen(net, 5, 10, 3, controllable=True, scaling=2.0, **limits)
    pandapower.create_poly_cost(net, 0, "sgen", cp1_eur_per_mw=3.0)
    pandapower.create_sgen(net, 6, 5, 1)
    return net


def with_several_references():
    net = pandapower.networks.case30()
    pandapower.create_ext_grid(net, 9, vm_pu=1.0, min_p_mw=0, max_p_mw=30)
    pandapower.create_poly_cost(net, 1, "ext_grid", cp1_eur_per_mw=3.2, cp2_eur_per_mw2=0.02)
    return net


GRIDS = {
    "case118": lambda: prepared("case118"),
    "mixed": lambda: prepare(mixed()),
    "references": lambda: prepare(with_several_references()),
}


@pytest.mark.parametrize("name", GRIDS)
def test_at_the_dispatch_of_an_ac_optimum_the_power_flow_is_the_optimum(name):
    model = GRIDS[name]()
    flow = solve(model, AS_GIVEN, "ac", {"dispatch": "ac_opf"})
    assert flow.status == "ok"
    assert_equal(flow, optimum(model, "ac_opf"))


def test_of_a_dc_optimum_powers_are_given_and_voltages_stay():
    model = GRIDS["mixed"]()
    best = optimum(model, "dc_opf")
    assert_equal(solve(model, AS_GIVEN, "dc", {"dispatch": "dc_opf"}), best)
    flow = solve(model, AS_GIVEN, "ac", {"dispatch": "dc_opf"})
    np.testing.assert_allclose(flow.elements["gen"]["p_mw"], best.elements["gen"]["p_mw"])
    np.testing.assert_allclose(flow.elements["gen"]["vm_pu"], model.net.gen["vm_pu"])
    np.testing.assert_allclose(
        flow.elements["sgen"]["q_mvar"], model.net.sgen.eval("q_mvar * scaling")
    )


def test_what_fails_fails_after_the_dispatch():
    model = prepared("case118")
    lines = np.ones(len(model.net.line), bool)
    gens = np.ones(len(model.net.gen), bool)
    lines[3] = gens[5] = False
    loads = model.net.load["p_mw"].to_numpy() * 1.05
    state = (change("load", "p_mw", loads), change("line", "in_service", lines))
    state += (change("gen", "in_service", gens),)
    flow = solve(model, State(None, state), "ac", {"dispatch": "ac_opf"})
    best = optimum(model, "ac_opf", state[0])
    assert flow.status == "ok"
    powers, chosen = (one.elements["gen"]["p_mw"] for one in (flow, best))
    assert powers[5] == 0.0
    np.testing.assert_allclose(powers[gens], chosen[gens], atol=1e-9)
    assert abs(flow.elements["ext_grid"]["p_mw"] - best.elements["ext_grid"]["p_mw"]).max() > 1
    assert flow.elements["line"]["p_from_mw"][3] == 0.0


def test_the_network_is_afterwards_as_before():
    model = prepare(mixed())
    before = {name: model.net[name].copy() for name in ("gen", "sgen", "ext_grid", "load")}
    solve(model, AS_GIVEN, "ac", {"dispatch": "ac_opf"})
    for name, table in before.items():
        assert model.net[name].equals(table)


def test_without_an_optimum_there_is_no_power_flow_but_a_reason():
    model = prepared("case9")
    load = model.net.load["p_mw"].to_numpy() * 4
    flow = solve(model, State(None, (change("load", "p_mw", load),)), "ac", {"dispatch": "dc_opf"})
    assert flow.status == "infeasible"
    assert not flow.elements
    assert "chooses the dispatch: no dispatch keeps all limits" in flow.detail


def test_dc_lines_are_refused():
    net = pandapower.networks.case9()
    pandapower.create_dcline(net, 4, 7, 20, 1, 0.1, 1.0, 1.0)
    with pytest.raises(GatBatchError, match="power of DC lines"):
        solve(prepare(net), AS_GIVEN, "ac", {"dispatch": "ac_opf"})


@pytest.mark.workflow
def test_pairs_and_snapshots_in_a_batch(workspace: Workspace):
    workspace.configure(verify=1)
    workspace.write("loads.csv", "snapshot,load,p_mw\na,0,60\nb,0,95\nc,0,900\n")
    workspace.write("limits.csv", "element,id,max_p_mw\ngen,0,150\n")
    common = {"loads": "loads.csv", "limits": "limits.csv"}
    options = {"dispatch": "ac_opf"}
    scenarios = [
        {"id": "flow", "solver": "ac", "options": options, **common},
        {"id": "linear", "solver": "dc", "options": options, **common},
        {"id": "best", "solver": "ac_opf", **common},
    ]
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    from gat_batch.results.reader import read_result

    flow, linear, best = (
        read_result(workspace.result(name)).to_pandas() for name in ("flow", "linear", "best")
    )
    status = best.loc[best["element"] == "system", "status"].tolist()
    assert status == ["ok", "ok", "infeasible"]
    for rows in (flow, linear):
        assert rows.loc[rows["element"] == "system", "status"].tolist() == status
    powers = [one.loc[one["element"] == "gen", "p_mw"].to_numpy() for one in (flow, linear, best)]
    np.testing.assert_allclose(powers[0], powers[2], atol=1e-6)
    np.testing.assert_allclose(powers[1], powers[2], atol=1e-6)
    scenarios[0]["contingencies"] = "n-1"
    scenarios[1]["options"] = {}
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    told = workspace.run("-n")
    assert told.returncode != 0
    text = told.stdout + told.stderr
    assert "'flow': options: dispatch is chosen for one state" in text
    assert "'linear': limits: means nothing to dc" in text
