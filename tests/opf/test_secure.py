"""Preventive security: ratings hold after every contingency, at the least cost."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pandapower
import pandas as pd
import pytest
from opf_studies import AS_GIVEN
from pandapower.pypower.makePTDF import makePTDF
from power_flow_studies import grid
from scipy.optimize import linprog

from gat_batch.contingency.solver import ContingencySolver
from gat_batch.errors import SolverError
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.violations import Limits
from gat_batch.solvers.study import Study
from gat_batch.study.scenario import Category, Contingencies
from gat_batch.study.solver_options import check_options

LIMITS = Limits(100.0, (0.9, 1.1))


def limited(name, share):
    """A grid of linear costs, its ratings a share above the flows of its cheapest dispatch."""
    net = grid(name)
    net.poly_cost = net.poly_cost.drop(net.poly_cost.index)
    rng = np.random.default_rng(1)
    for element in ("ext_grid", "gen"):
        net[element]["min_p_mw"] = net[element]["min_p_mw"].clip(0, 0)
        net[element]["max_p_mw"] = 1.5 * net.load["p_mw"].sum() / (1 + len(net.gen))
        for index in net[element].index:
            cost = {"cp1_eur_per_mw": rng.uniform(10, 50)}
            pandapower.create_poly_cost(net, index, element, **cost)
    net.ext_grid["max_p_mw"] = net.load["p_mw"].sum()
    pandapower.rundcpp(net)
    for branch, flow in (("line", "p_from_mw"), ("trafo", "p_hv_mw")):
        carried = net[f"res_{branch}"][flow].abs() + 0.15 * net.load["p_mw"].sum()
        if branch == "line":
            kv = net.bus.loc[net.line["from_bus"], "vn_kv"].to_numpy()
            net.line["max_i_ka"] = share * carried / np.sqrt(3) / kv
            net.line["df"] = net.line["parallel"] = 1
        elif len(net.trafo):
            net.trafo["sn_mva"], net.trafo["vk_percent"] = rescaled(net, share * carried)
            net.trafo["df"] = net.trafo["parallel"] = 1
        net[branch]["max_loading_percent"] = 100.0
    return net


def rescaled(net, rating):
    """Another rated power of transformers, and the impedances in percent that go with it."""
    factor = rating / net.trafo["sn_mva"]
    net.trafo["vkr_percent"] *= factor
    return rating, net.trafo["vk_percent"] * factor


def ratings(net):
    kv = net.bus.loc[net.line["from_bus"], "vn_kv"].to_numpy()
    return np.concatenate([np.sqrt(3) * kv * net.line["max_i_ka"], net.trafo["sn_mva"]])


def cheapest_with_all_constraints(net):
    """The least cost by scipy, every rating after every outage written out, in PTDF and LODF."""
    net = deepcopy(net)
    pandapower.rundcpp(net)
    ppc = net._ppc["internal"]
    factors = makePTDF(ppc["baseMVA"], ppc["bus"], ppc["branch"], using_sparse_solver=False)
    rows = net._pd2ppc_lookups["bus"]
    ends = ppc["branch"][:, :2].real.astype(int)
    tables = [net.ext_grid, net.gen]
    units = np.concatenate([rows[table["bus"]] for table in tables])
    given = np.concatenate([net.res_ext_grid["p_mw"], net.res_gen["p_mw"]])
    costs = net.poly_cost.set_index(["et", "element"])["cp1_eur_per_mw"]
    price = [
        costs[element, index] for element in ("ext_grid", "gen") for index in net[element].index
    ]
    flow = np.concatenate([net.res_line["p_from_mw"], net.res_trafo["p_hv_mw"]])
    most = ratings(net)
    effect = factors[:, units]
    fixed = flow - effect @ given
    blocks, bounds = [effect], [(fixed, most)]
    transfer = factors[:, ends[:, 0]] - factors[:, ends[:, 1]]
    for lost in range(len(flow)):
        if abs(1 - transfer[lost, lost]) < 1e-6:
            continue
        share = transfer[:, lost] / (1 - transfer[lost, lost])
        after = effect + np.outer(share, effect[lost])
        rest = fixed + share * fixed[lost]
        after[lost], rest[lost] = 0.0, 0.0
        blocks.append(after)
        bounds.append((rest, most))
    every = np.vstack(blocks)
    rest, top = (np.concatenate(parts) for parts in zip(*bounds, strict=True))
    low, high = (
        np.concatenate([table[f"{end}_p_mw"] for table in tables]) for end in ("min", "max")
    )
    answer = linprog(
        price,
        A_ub=np.vstack([every, -every]),
        b_ub=np.concatenate([top - rest, top + rest]),
        A_eq=np.ones((1, len(price))),
        b_eq=[given.sum()],
        bounds=list(zip(low, high, strict=True)),
    )
    assert answer.success, answer.message
    return answer.fun


def secured(net, types=("line", "trafo")):
    model = prepare(deepcopy(net))
    found = contingencies_of(ElementIndex(model.net), Contingencies(1, types))
    study = Study("dc_opf", {"secure": True}, contingencies=found)
    criteria = {"": Criteria.of(model.net, LIMITS)}
    return ContingencySolver(model, AS_GIVEN, study, criteria), found


@pytest.mark.parametrize(("name", "share"), [("case14", 0.9), ("case30", 1.0), ("case118", 1.0)])
def test_security_costs_what_all_constraints_written_out_cost(name, share):
    net = limited(name, share)
    solver, found = secured(net)
    wanted = cheapest_with_all_constraints(net)
    free = Study("dc_opf", {}).solve(prepare(deepcopy(net)), AS_GIVEN)
    assert solver.base.status == "ok"
    assert solver.base.objective == pytest.approx(wanted, rel=1e-6)
    assert solver.base.objective > free.objective * (1 + 1e-4)
    assert "binding: " in solver.base.detail
    assert "by AC" in solver.base.detail
    # No contingency of the dispatch above its rating, by pandapower with the branch off.
    plain = deepcopy(net)
    for element in ("ext_grid", "gen"):
        plain[element]["p_mw"] = solver.base.elements[element]["p_mw"]
    solved = solver.solve(found, whole=True)
    limit = 100 * (1 + 1e-6)
    for number, solution in solved.single:
        if solution.status != "ok":
            continue
        element, index = solved.names[number].split(":")
        plain[element].loc[int(index), "in_service"] = False
        pandapower.rundcpp(plain)
        plain[element].loc[int(index), "in_service"] = True
        through = np.concatenate([plain.res_line["p_from_mw"], plain.res_trafo["p_hv_mw"]])
        assert (100 * np.abs(np.nan_to_num(through)) / ratings(net) <= limit).all()
        ours = [solution.elements["line"]["p_from_mw"]]
        ours += [solution.elements["trafo"]["p_from_mw"]] if len(net.trafo) else []
        np.testing.assert_allclose(
            np.nan_to_num(np.concatenate(ours)), np.nan_to_num(through), atol=1e-6
        )


def test_lost_generators_are_taken_over_by_the_slack():
    net = limited("case14", 1.2)
    solver, found = secured(net, ("gen", "line", "load"))
    assert solver.base.status == "ok"
    solved = solver.solve(found, whole=True)
    for _, solution in solved.single:
        if solution.status == "ok":
            power = np.abs(solution.elements["line"]["p_from_mw"])
            assert (power <= ratings(net)[: len(net.line)] * (1 + 1e-6)).all()


def test_what_cannot_be_secured_says_so():
    net = limited("case14", 0.05)
    solver, _ = secured(net)
    assert solver.base.status == "infeasible"
    with pytest.raises(SolverError, match="no contingencies"):
        Study("dc_opf", {"secure": True}).solve(prepare(net), AS_GIVEN)
    assert check_options("ac_opf", {"secure": True})
    assert check_options("dc_opf", {"secure": True, "ramps": True})


def test_a_batch_secures_its_dispatch(workspace):
    workspace.write("net.json", pandapower.to_json(limited("case14", 0.9)))
    scenarios = [{"id": "free"}, {"id": "secure", "options": {"secure": True}}]
    content = {"grid": "net.json", "solver": "dc_opf", "contingencies": "n-1"}
    workspace.write("manifest.json", json.dumps({**content, "scenarios": scenarios}))
    workspace.configure(contingency_rows="violations")
    assert workspace.run().returncode == 0
    free, secure = (
        pd.read_parquet(workspace.result(name)).query("element == 'system'")
        for name in ("free", "secure")
    )
    base = secure[secure["contingency"].isna()].iloc[0]
    assert base["objective"] > free[free["contingency"].isna()].iloc[0]["objective"]
    assert base["detail"].startswith("secured against 20 contingencies at ")
    after = secure[secure["contingency"].notna()]
    assert len(after) == 20
    assert (after["max_loading_percent"].dropna() <= 100.0001).all()
    assert after["objective"].isna().all()


def test_what_no_dispatch_can_keep_is_told_by_how_much():
    """Two lines feed a load of 100 MW: without one the other has 100 of its 60 MW."""
    net = pandapower.create_empty_network()
    for _ in range(2):
        pandapower.create_bus(net, 110.0)
    pandapower.create_ext_grid(net, 0, min_p_mw=0, max_p_mw=500)
    pandapower.create_load(net, 1, 100.0)
    for _ in range(2):
        kiloampere = 60 / (np.sqrt(3) * 110.0)
        pandapower.create_line_from_parameters(net, 0, 1, 1.0, 0.1, 10.0, 0.0, kiloampere)
    net.line["max_loading_percent"] = 100.0
    solver, _ = secured(net, ("line",))
    assert solver.base.status == "infeasible"
    assert "line 1 is 40 MW above its rating after line:0" in solver.base.detail
    assert "line 0 is 40 MW above its rating after line:1" in solver.base.detail


def test_a_category_keeps_its_own_ratings():
    """As if all ratings were larger by its share, and the base case kept its own."""
    net = limited("case30", 1.0)
    model = prepare(deepcopy(net))
    found = contingencies_of(ElementIndex(model.net), Contingencies(1, ("line",), category="P1"))
    common = Criteria.of(model.net, LIMITS)
    costs = []
    for percent in (100.0, 1000.0):
        category = Category("P1", rating_percent=percent)
        criteria = {"": common, "P1": common.for_category(ElementIndex(model.net), category)}
        study = Study("dc_opf", {"secure": True}, contingencies=found, criteria=criteria)
        solver = ContingencySolver(model, AS_GIVEN, study, criteria)
        if percent == 100.0 and solver.base.status == "infeasible":
            costs.append(np.inf)
            continue
        assert solver.base.status == "ok"
        costs.append(solver.base.objective)
        solved = solver.solve(found)
        worst = [w for _, block in solved.found for w in block.system["max_loading_percent"]]
        worst += [one.system["max_loading_percent"] for _, one in solved.single if one.elements]
        parted = [s for _, block in solved.found for s in block.system["status"]]
        held = [w for w, s in zip(worst, parted, strict=False) if s == "ok"]
        assert max(held) <= 100 + 1e-3
    assert costs[0] > costs[1]
