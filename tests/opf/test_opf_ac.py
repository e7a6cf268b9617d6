"""AC optimal power flow: published optima, prices, limits, and what pandapower says of them."""

from __future__ import annotations

import re
from copy import deepcopy

import numpy as np
import pandapower
import pandapower.networks
import pypower.api
import pytest
from opf_studies import (
    AS_GIVEN,
    RATED,
    TIGHT,
    angle_across,
    change,
    day,
    hour_by_hour,
    optimum,
    powers,
    prepared,
    published,
    rating_of,
)

from gat_batch.grids.bundled import read_bundled
from gat_batch.model.costs import curve_through
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State
from gat_batch.opf import solve as opf_solve
from gat_batch.opf.ac import ladder
from gat_batch.opf.optimum import Optimum
from gat_batch.solvers.study import solve, solve_together

PUBLISHED = {
    "case9": 5296.69,
    "case14": 8081.53,
    "case30": 576.89,
    "case57": 41737.79,
    "case118": 129660.70,
    "case300": 719725.11,
}
"""Optima in currency an hour, as MATPOWER's documentation and tests have them."""


@pytest.mark.parametrize("name", ["case9", "case14", "case30", "case118"])
def test_bundled_grids_have_the_published_optima(name):
    solution = solve(prepared(name), AS_GIVEN, "ac_opf", {})
    assert (solution.status, solution.engine) == ("ok", "ipopt")
    assert solution.residual < 1e-6
    assert solution.objective == pytest.approx(PUBLISHED[name], rel=1e-4)


@pytest.mark.parametrize("name", ["case57", "case118", "case300"])
def test_published_data_have_the_published_optima(name):
    model = prepare(published(getattr(pypower.api, name)()))
    solution = solve(model, AS_GIVEN, "ac_opf", {})
    assert solution.status == "ok"
    assert solution.objective == pytest.approx(PUBLISHED[name], rel=2e-7)


def test_taps_at_the_wrong_bus_make_published_data_infeasible():
    """As pandapower's converter has them in the bundled grid, at the bus of higher voltage."""
    case = pypower.api.case57()
    kv = dict(zip(case["bus"][:, 0], read_bundled("case57").bus["vn_kv"], strict=True))
    branch = case["branch"]
    for row in np.flatnonzero(branch[:, 8]):
        if kv[branch[row, 0]] < kv[branch[row, 1]]:
            branch[row, :2] = branch[row, 1::-1]
    turned = solve(prepare(published(case)), AS_GIVEN, "ac_opf", {})
    bundled = solve(prepared("case57"), AS_GIVEN, "ac_opf", {})
    assert (turned.status, bundled.status) == ("infeasible", "infeasible")
    amounts = [re.findall(r"[\d.]+ MVAr", one.detail) for one in (turned, bundled)]
    assert amounts[0] == amounts[1] != []


def test_a_grid_whose_limits_cant_be_kept_is_infeasible_and_says_where():
    solution = solve(prepared("case57"), AS_GIVEN, "ac_opf", {})
    assert solution.status == "infeasible"
    assert "MVAr" in solution.detail
    assert not solution.elements


@pytest.mark.parametrize("name", ["case9", "case14", "case118", "case300"])
def test_a_power_flow_at_the_optimum_gives_its_voltages(name):
    """Generators at the optimum's powers and voltages: pandapower finds the very same state."""
    net = read_bundled(name) if name != "case300" else published(pypower.api.case300())
    solution = solve(prepare(net), AS_GIVEN, "ac_opf", {})
    gen, bus = solution.elements["gen"], solution.elements["bus"]
    plain = deepcopy(net)
    plain.gen["p_mw"], plain.gen["vm_pu"] = gen["p_mw"], gen["vm_pu"]
    at = plain.bus.index.get_indexer(plain.ext_grid["bus"])
    plain.ext_grid["vm_pu"] = bus["vm_pu"][at]
    plain.ext_grid["va_degree"] = bus["va_degree"][at]
    pandapower.runpp(plain, tolerance_mva=1e-9, calculate_voltage_angles=True, init="dc")
    np.testing.assert_allclose(bus["vm_pu"], plain.res_bus["vm_pu"], atol=1e-7)
    np.testing.assert_allclose(bus["va_degree"], plain.res_bus["va_degree"], atol=1e-5)
    for element, quantity in (("gen", "q_mvar"), ("line", "p_from_mw"), ("line", "i_ka")):
        ours, theirs = solution.elements[element][quantity], plain[f"res_{element}"][quantity]
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-3, err_msg=quantity)
    limits = net.bus[["min_vm_pu", "max_vm_pu"]].to_numpy().T
    assert (bus["vm_pu"] > limits[0] - 1e-7).all()
    assert (bus["vm_pu"] < limits[1] + 1e-7).all()


@pytest.mark.parametrize("name", ["case9", "case14", "case30"])
def test_pandapowers_conventions_give_pandapowers_optimum(name):
    model = prepared(name)
    options = {"ext_grid_voltage": "held", "flow_limit": "current"}
    ours = solve(model, AS_GIVEN, "ac_opf", options)
    plain = solve(model, AS_GIVEN, "ac_opf", options, engine="pandapower")
    assert (ours.status, plain.status) == ("ok", "ok")
    assert plain.engine == "pandapower"
    assert ours.objective == pytest.approx(plain.objective, rel=1e-5)
    free = solve(model, AS_GIVEN, "ac_opf", {})
    assert free.objective < ours.objective + 1e-4
    for quantity, tolerance in (("vm_pu", 1e-3), ("va_degree", 1e-2), ("lam_p", 1e-2)):
        values = plain.elements["bus"][quantity]
        np.testing.assert_allclose(ours.elements["bus"][quantity], values, atol=tolerance)


@pytest.mark.parametrize(("name", "limits", "every"), [("case30", TIGHT, 6), ("case118", (), 30)])
def test_prices_are_what_one_more_mw_or_mvar_costs(name, limits, every):
    model = prepared(name)
    solution = optimum(model, "ac_opf", *limits)
    if limits:
        assert solution.elements["line"]["mu_flow"].max() > 0.01
    for position in range(0, len(model.net.load), every):
        bus = model.position["load"][position]
        for column, price in (("p_mw", "lam_p"), ("q_mvar", "lam_q")):
            costs = []
            for step in (-0.01, 0.01):
                power = model.net.load[column].to_numpy(copy=True)
                power[position] += step
                changed = change("load", column, power)
                costs.append(optimum(model, "ac_opf", *limits, changed).objective)
            slope = (costs[1] - costs[0]) / 0.02
            assert solution.elements["bus"][price][bus] == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_prices_of_limits_are_what_they_would_save():
    model = prepared("case30")
    base = optimum(model, "ac_opf", *TIGHT)
    line = int(np.argmax(base.elements["line"]["mu_flow"]))
    rated = rating_of(model, line)
    costs = []
    for step in (-0.01, 0.01):
        wider = RATED.values.copy()
        wider[line] += 100 * step / rated
        limits = (change("line", "max_loading_percent", wider), TIGHT[1])
        costs.append(optimum(model, "ac_opf", *limits).objective)
    slope = (costs[0] - costs[1]) / 0.02
    assert base.elements["line"]["mu_flow"][line] == pytest.approx(slope, rel=1e-3)
    bus = int(np.argmax(base.elements["bus"]["mu_vm"]))
    costs = []
    for step in (-1e-5, 1e-5):
        highest = model.net.bus["max_vm_pu"].to_numpy(copy=True)
        highest[bus] += step
        limits = (*TIGHT, change("bus", "max_vm_pu", highest))
        costs.append(optimum(model, "ac_opf", *limits).objective)
    slope = (costs[0] - costs[1]) / 2e-5
    assert base.elements["bus"]["mu_vm"][bus] == pytest.approx(slope, rel=1e-2)


def test_load_stays_unserved_where_that_is_cheaper():
    model = prepared("case9")
    twice = change("load", "p_mw", model.net.load["p_mw"] * 3)
    reactive = change("load", "q_mvar", model.net.load["q_mvar"] * 3)
    assert optimum(model, "ac_opf", twice, reactive).status == "infeasible"
    solution = optimum(model, "ac_opf", twice, reactive, value_of_lost_load=5000.0)
    assert solution.status == "ok"
    load = solution.elements["load"]
    asked = model.net.load["p_mw"].to_numpy() * 3
    assert solution.system["unserved_mw"] == pytest.approx(asked.sum() - load["p_mw"].sum())
    assert solution.system["unserved_mw"] > 1
    np.testing.assert_allclose(
        load["q_mvar"] / load["p_mw"], model.net.load["q_mvar"] / model.net.load["p_mw"]
    )
    normal = optimum(model, "ac_opf", value_of_lost_load=5000.0)
    assert normal.system["unserved_mw"] == pytest.approx(0, abs=1e-4)
    assert normal.objective == pytest.approx(PUBLISHED["case9"], rel=1e-5)


def test_costs_by_straight_lines_reactive_costs_and_dispatchable_loads():
    net = read_bundled("case9")
    net.load["controllable"] = [True, False, False]
    net.poly_cost.loc[0, "cq2_eur_per_mvar2"] = 0.5
    pandapower.create_poly_cost(net, 0, "load", -24.0)
    model = prepare(net)
    points = [(10.0, 200.0), (100.0, 2000.0), (300.0, 10000.0)]
    solution = optimum(model, "ac_opf", costs={("gen", 0, "p"): curve_through(points)})
    assert solution.status == "ok"
    gen, load = solution.elements["gen"], solution.elements["load"]
    cost = dict.fromkeys(("ext_grid", "gen", "load"), 0.0)
    for row in net.poly_cost.itertuples():
        power = solution.elements[row.et]
        p, q = (power[name][row.element] for name in ("p_mw", "q_mvar"))
        if (row.et, row.element) != ("gen", 0):
            cost[row.et] += row.cp0_eur + row.cp1_eur_per_mw * p + row.cp2_eur_per_mw2 * p**2
            cost[row.et] += row.cq2_eur_per_mvar2 * q**2
    cost["gen"] += np.interp(gen["p_mw"][0], *np.transpose(points))
    assert solution.objective == pytest.approx(sum(cost.values()), rel=1e-7)
    assert load["q_mvar"][0] / load["p_mw"][0] == pytest.approx(
        net.load["q_mvar"].iloc[0] / net.load["p_mw"].iloc[0]
    )


def test_outages_need_no_other_program_and_islands_are_told():
    model = prepared("case9")
    first = solve(model, AS_GIVEN, "ac_opf", {})
    out = np.ones(len(model.net.line), bool)
    out[1] = False
    ours = optimum(model, "ac_opf", change("line", "in_service", out))
    net = deepcopy(model.net)
    net.line["in_service"] = out
    fresh = solve(prepare(net), AS_GIVEN, "ac_opf", {})
    assert ours.objective == pytest.approx(fresh.objective, rel=1e-8)
    assert ours.objective > first.objective
    assert ours.elements["line"]["p_from_mw"][1] == 0
    at_load = model.net.load["bus"].iloc[0]
    cut = ~(model.net.line[["from_bus", "to_bus"]] == at_load).any(axis=1).to_numpy()
    island = optimum(model, "ac_opf", change("line", "in_service", cut))
    assert island.status == "islanded"
    assert np.isnan(island.elements["bus"]["vm_pu"][at_load])
    again = solve(model, AS_GIVEN, "ac_opf", {})
    assert again.objective == first.objective


def test_angle_limits_and_fixed_generators_bind():
    model = prepared("case9")
    free = solve(model, AS_GIVEN, "ac_opf", {})
    across = angle_across(free, model.net, 0)
    limit = np.full(len(model.net.line), np.nan)
    limit[0] = across / 2
    column = "max_angle_degree" if across > 0 else "min_angle_degree"
    bound = optimum(model, "ac_opf", change("line", column, limit))
    assert angle_across(bound, model.net, 0) == pytest.approx(across / 2, abs=1e-5)
    assert bound.elements["line"]["mu_angle"][0] * across > 0
    fixed = (
        change("gen", "controllable", np.array([False, True])),
        change("gen", "p_mw", [111.0, 50.0]),
        change("gen", "vm_pu", [1.03, 1.0]),
    )
    solution = optimum(model, "ac_opf", *fixed)
    assert solution.elements["gen"]["p_mw"][0] == pytest.approx(111.0)
    assert solution.elements["gen"]["vm_pu"][0] == pytest.approx(1.03)


def test_three_winding_transformers_and_switches_are_pandapowers():
    net = read_bundled("example_multivoltage")
    for element in ("xward", "ward"):
        net[element] = net[element].iloc[:0]
    net.gen[["min_p_mw", "max_p_mw", "min_q_mvar", "max_q_mvar"]] = 0.0, 200.0, -100.0, 100.0
    pandapower.create_poly_cost(net, 0, "ext_grid", 30.0)
    for index in net.gen.index:
        pandapower.create_poly_cost(net, index, "gen", 20.0, cp2_eur_per_mw2=0.1)
    net.bus["min_vm_pu"], net.bus["max_vm_pu"] = 0.9, 1.1
    model = prepare(net)
    solution = solve(model, AS_GIVEN, "ac_opf", {})
    assert solution.status == "ok"
    assert solution.engine == "ipopt"
    plain = deepcopy(net)
    gen, bus = solution.elements["gen"], solution.elements["bus"]
    plain.gen["p_mw"], plain.gen["vm_pu"] = gen["p_mw"], gen["vm_pu"]
    at = plain.bus.index.get_indexer(plain.ext_grid["bus"])
    plain.ext_grid["vm_pu"] = bus["vm_pu"][at]
    pandapower.runpp(plain, tolerance_mva=1e-9, calculate_voltage_angles=True, init="dc")
    np.testing.assert_allclose(bus["vm_pu"], plain.res_bus["vm_pu"], atol=1e-7)
    assert solution.elements["trafo3w"]["p_from_mw"] == pytest.approx(
        plain.res_trafo3w["p_hv_mw"].to_numpy(), abs=1e-4
    )


@pytest.mark.parametrize("solver", ["ac_opf", "dc_opf"])
def test_of_several_external_grids_of_an_island_one_keeps_its_angle(solver):
    """Kept angles would fix what flows between them, as in case6495rte."""
    net = read_bundled("case9")
    first = solve(prepare(net), AS_GIVEN, solver, {})
    gen = net.gen.loc[0]
    limits = gen[["min_p_mw", "max_p_mw", "min_q_mvar", "max_q_mvar"]].to_dict()
    added = pandapower.create_ext_grid(net, int(gen["bus"]), **limits, controllable=True)
    net.gen = net.gen.drop(index=0)
    net.poly_cost.loc[net.poly_cost.eval("et == 'gen' and element == 0"), ["et", "element"]] = (
        "ext_grid",
        added,
    )
    model = prepare(net)
    assert solve(model, AS_GIVEN, solver, {}).objective == pytest.approx(first.objective, rel=1e-7)
    if solver == "ac_opf":
        held = solve(model, AS_GIVEN, solver, {"ext_grid_voltage": "held"})
        assert held.objective > first.objective * 1.001


def test_contradicting_voltages_are_named():
    model = prepared("case9")
    low = model.net.bus["max_vm_pu"].to_numpy() + 0.01
    solution = optimum(model, "ac_opf", change("bus", "min_vm_pu", low))
    assert solution.status == "infeasible"
    assert "the lowest voltage of bus 0 is above the highest" in solution.detail


def test_ramps_tie_the_hours_of_a_day_together():
    model = prepared("case118")
    # Every third hour: power rises, falls and rises again.
    free = day(model, np.nan, every=3)
    hourly = [solve(model, state, "ac_opf", {}) for state in free]
    steepest = np.abs(np.diff(powers(hourly), axis=0)).max()
    loose = solve_together(model, day(model, steepest * 1.01, every=3), "ac_opf", {"ramps": True})
    for one, other in zip(loose, hourly, strict=True):
        assert one.objective == pytest.approx(other.objective, rel=1e-6)
    ramp = steepest * 0.8
    tight = solve_together(model, day(model, ramp, every=3), "ac_opf", {"ramps": True})
    assert {solution.status for solution in tight} == {"ok"}
    assert np.abs(np.diff(powers(tight), axis=0)).max() <= ramp + 1e-5
    total = sum(solution.objective for solution in tight)
    assert total > sum(solution.objective for solution in hourly)
    assert total <= hour_by_hour(model, free, ramp, "ac_opf") * (1 + 1e-7)


def test_a_warm_start_leads_to_the_same_optimum():
    model = prepared("case118")
    load = model.net.load["p_mw"].to_numpy()
    before = optimum(model, "ac_opf", change("load", "p_mw", load * 0.97))
    state = State(None, (change("load", "p_mw", load * 0.98),))
    cold = solve(model, state, "ac_opf", {})
    warm = solve(model, state, "ac_opf", {}, before=before)
    assert warm.objective == pytest.approx(cold.objective, rel=1e-7)


def test_further_starts_find_what_the_first_one_does_not(monkeypatch):
    model = prepare(pandapower.networks.case9())
    wanted = solve(model, AS_GIVEN, "ac_opf", {})
    original = ladder.solve_ac_opf
    tried = []

    def stubborn(snapshots, *, before=None, ipopt=None):
        """Fail on the first rungs, as on a grid where Ipopt creeps along."""
        tried.append(dict(ipopt or {}))
        if len(tried) < 3:
            return [Optimum("not_converged", engine="ipopt") for _ in snapshots]
        return original(snapshots, before=before, ipopt=ipopt)

    monkeypatch.setattr(ladder, "solve_ac_opf", stubborn)
    monkeypatch.setattr(
        opf_solve, "_optimiser", lambda _: lambda *_, **__: [Optimum("not_converged")]
    )
    found = solve(model, AS_GIVEN, "ac_opf", {})
    assert (found.status, found.engine) == ("ok", "ipopt:adaptive")
    assert found.objective == pytest.approx(wanted.objective, rel=1e-7)
    assert tried[2]["mu_strategy"] == "adaptive"


def test_ac_infeasibility_is_called_a_local_verdict_and_dc_a_proved_one():
    net = pandapower.networks.case9()
    net.line["max_loading_percent"] = 1.0
    model = prepare(net)
    ac, dc = (solve(model, AS_GIVEN, solver, {}) for solver in ("ac_opf", "dc_opf"))
    assert (ac.status, dc.status) == ("infeasible", "infeasible")
    assert ac.detail.startswith("no dispatch was found that keeps all limits (a local verdict)")
    assert dc.detail.startswith("no dispatch keeps all limits; at the least")


@pytest.mark.parametrize("solver", ["dc_opf", "ac_opf"])
def test_storages_motors_and_wards_are_part_of_the_program(solver):
    net = pandapower.networks.case14()
    pandapower.create_storage(net, 4, 5.0, 10, q_mvar=1.0)
    pandapower.create_motor(net, 5, 2.0, 0.9, efficiency_percent=95, loading_percent=90)
    pandapower.create_ward(net, 8, 1, 1, 1, 2)
    model = prepare(net)
    options = {"ext_grid_voltage": "held"} if solver == "ac_opf" else {}
    ours = solve(model, AS_GIVEN, solver, options)
    theirs = solve(model, AS_GIVEN, solver, options, engine="pandapower")
    assert ours.engine in ("highs", "ipopt")
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-6)
    for element in ("storage", "motor", "ward", "bus"):
        np.testing.assert_allclose(
            ours.elements[element]["p_mw"], theirs.elements[element]["p_mw"], atol=0.02
        )
    used = ours.system["load_mw"] + ours.system["loss_mw"]
    assert ours.system["generation_mw"] == pytest.approx(used, abs=1e-5)
    net.storage["controllable"] = True
    net.storage["min_p_mw"], net.storage["max_p_mw"] = -7.0, 4.0
    net.storage["min_q_mvar"], net.storage["max_q_mvar"] = -1.0, 1.0
    chosen = prepare(net)
    ours = solve(chosen, AS_GIVEN, solver, options)
    theirs = solve(chosen, AS_GIVEN, solver, options, engine="pandapower")
    assert ours.engine in ("highs", "ipopt")
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-6)
    np.testing.assert_allclose(ours.elements["storage"]["p_mw"], [-7.0], atol=1e-4)
    assert "e_mwh" not in ours.elements["storage"]


def test_asymmetric_elements_count_as_loads_and_generators_with_their_sums():
    """pandapower's own optimal power flow leaves them out."""
    net = pandapower.networks.case14()
    equal = pandapower.networks.case14()
    phases = {"p_a_mw": 1.0, "p_b_mw": 2.0, "p_c_mw": 3.0, "q_a_mvar": 0.4, "q_c_mvar": 0.2}
    pandapower.create_asymmetric_load(net, 4, **phases)
    pandapower.create_asymmetric_sgen(net, 5, p_a_mw=1.0, p_c_mw=0.5, q_b_mvar=0.1)
    pandapower.create_load(equal, 4, 6.0, 0.6)
    pandapower.create_sgen(equal, 5, 1.5, 0.1)
    ours, theirs = (solve(prepare(one), AS_GIVEN, "ac_opf", {}) for one in (net, equal))
    assert ours.engine == "ipopt"
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-7)
