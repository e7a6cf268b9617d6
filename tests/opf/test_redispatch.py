"""Redispatch: the least cost of deviating from a given dispatch."""

from __future__ import annotations

import numpy as np
import pandapower
import pytest
from opf_studies import AS_GIVEN, change, prepared, states_of
from pandapower.pypower.makePTDF import makePTDF
from power_flow_studies import Study, grid
from scipy.optimize import linprog

from gat_batch.errors import InputErrors
from gat_batch.model.grid_model import prepare
from gat_batch.solvers.study import solve
from gat_batch.study.opf_tables import read_element_table

OPTIONS = {"objective": "redispatch"}


@pytest.mark.parametrize("solver", ["dc_opf", "ac_opf"])
@pytest.mark.parametrize("name", ["case14", "case118"])
def test_nothing_moves_where_nothing_is_congested(name, solver):
    net = grid(name)
    # Voltages and reactive power leave the given dispatch alone.
    net.bus["min_vm_pu"], net.bus["max_vm_pu"] = 0.8, 1.2
    for table in (net.gen, net.ext_grid):
        table["min_q_mvar"], table["max_q_mvar"] = -1e4, 1e4
        table["min_p_mw"], table["max_p_mw"] = -1e4, 1e4
    found = solve(prepare(net), AS_GIVEN, solver, OPTIONS)
    assert found.status == "ok"
    # By AC the balance may move by what other voltages lose less.
    allowed = 1e-6 if solver == "dc_opf" else 0.02 * net.load["p_mw"].sum()
    assert found.objective + 1e-6 >= 0
    assert found.objective <= allowed
    if solver == "dc_opf":
        np.testing.assert_allclose(found.elements["gen"]["p_mw"], net.gen["p_mw"], atol=1e-6)


def cheapest_deviation(net, up, down):
    """The least cost of a DC redispatch by scipy, in injections and PTDF alone."""
    pandapower.rundcpp(net)
    ppc = net._ppc["internal"]
    factors = makePTDF(ppc["baseMVA"], ppc["bus"], ppc["branch"], using_sparse_solver=False)
    rows = net._pd2ppc_lookups["bus"]
    units = [*net.ext_grid["bus"], *net.gen["bus"]]
    given = np.concatenate([net.res_ext_grid["p_mw"], net.res_gen["p_mw"]])
    low = np.concatenate([net.ext_grid["min_p_mw"], net.gen["min_p_mw"]])
    high = np.concatenate([net.ext_grid["max_p_mw"], net.gen["max_p_mw"]])
    effect = factors[:, rows[units]]
    flow = np.concatenate([net.res_line["p_from_mw"], net.res_trafo["p_hv_mw"]])
    ampere = net.line["max_i_ka"] * net.line["df"] * net.line["parallel"]
    kv = net.bus.loc[net.line["from_bus"], "vn_kv"].to_numpy()
    rated = [np.sqrt(3) * kv * ampere, net.trafo["sn_mva"] * net.trafo["df"]]
    most = [table["max_loading_percent"] / 100 for table in (net.line, net.trafo)]
    limit = np.concatenate([rate * share for rate, share in zip(rated, most, strict=True)])
    moved = np.hstack([effect, -effect])
    count = len(units)
    answer = linprog(
        np.concatenate([up, down]),
        A_ub=np.vstack([moved, -moved]),
        b_ub=np.concatenate([limit - flow, limit + flow]),
        A_eq=np.concatenate([np.ones(count), -np.ones(count)])[None],
        b_eq=[0.0],
        bounds=[
            *[(0, top - now) for top, now in zip(high, given, strict=True)],
            *[(0, now - bottom) for bottom, now in zip(low, given, strict=True)],
        ],
    )
    assert answer.success
    return answer.fun


def congested():
    """The grid with lines that the given dispatch overloads, and unlike prices."""
    net = grid("case118")
    pandapower.rundcpp(net)
    net.ext_grid["min_p_mw"], net.ext_grid["max_p_mw"] = 0.0, 900.0
    net.line["max_loading_percent"] = 100.0
    net.trafo["max_loading_percent"] = 1e4
    for line in net.res_line["loading_percent"].nlargest(6).index[::2]:
        net.line.loc[line, "max_loading_percent"] = 0.8 * net.res_line.at[line, "loading_percent"]
    rng = np.random.default_rng(2)
    for table in (net.ext_grid, net.gen):
        table["redispatch_up"] = rng.uniform(20, 60, len(table))
        table["redispatch_down"] = rng.uniform(1, 10, len(table))
    return net


def test_congestion_is_relieved_at_least_cost():
    net = congested()
    found = solve(prepare(net), AS_GIVEN, "dc_opf", OPTIONS)
    up, down = (
        np.concatenate([net.ext_grid[f"redispatch_{way}"], net.gen[f"redispatch_{way}"]])
        for way in ("up", "down")
    )
    wanted = cheapest_deviation(net, up, down)
    assert wanted > 100
    assert found.objective == pytest.approx(wanted, rel=1e-6)
    ac = solve(prepare(net), AS_GIVEN, "ac_opf", OPTIONS)
    assert ac.status == "ok"
    assert ac.objective > 0


def test_prices_come_from_a_cost_table_too(tmp_path):
    net = congested()
    model = prepare(net)
    wanted = solve(model, AS_GIVEN, "dc_opf", OPTIONS).objective
    prices = [
        f"{element},{index},{row.redispatch_up},{row.redispatch_down}"
        for element in ("gen", "ext_grid")
        for index, row in net[element].iterrows()
    ]
    path = tmp_path / "costs.csv"
    path.write_text("\n".join(["element,id,redispatch_up,redispatch_down", *prices]))
    for table in (net.gen, net.ext_grid):
        table[["redispatch_up", "redispatch_down"]] = np.nan
    (state,) = states_of(model, Study(), costs=read_element_table(path, "costs"))
    assert solve(model, state, "dc_opf", OPTIONS).objective == pytest.approx(wanted)
    path.write_text("element,id,redispatch_up\ngen,0,-1")
    with pytest.raises(InputErrors, match="0 or more"):
        read_element_table(path, "costs")


def test_a_dispatch_without_a_power_flow_says_so():
    model = prepared("case9")
    overload = change("load", "p_mw", model.net.load["p_mw"] * 100)
    state = AS_GIVEN.__class__(None, (overload,))
    found = solve(model, state, "ac_opf", OPTIONS)
    assert found.status in ("not_converged", "infeasible")
