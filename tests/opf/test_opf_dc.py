"""DC optimal power flow: optima, prices and limits against independent computations."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandapower
import pandapower.networks
import pytest
from opf_studies import (
    AS_GIVEN,
    RATED,
    TIGHT,
    angle_across,
    change,
    cheapest_by_ptdf,
    day,
    hour_by_hour,
    optimum,
    powers,
    prepared,
    rating_of,
)

from gat_batch.errors import SolverError
from gat_batch.grids.bundled import read_bundled
from gat_batch.model.costs import Curve, curve_through, polynomial_curve
from gat_batch.model.grid_model import prepare
from gat_batch.solvers.study import solve, solve_together

GRIDS = ["case5", "case14", "case39", "case118", "case300", "case1354pegase"]


@pytest.mark.parametrize("name", GRIDS)
def test_optimum_is_that_of_a_formulation_in_injections(name):
    solution = solve(prepared(name), AS_GIVEN, "dc_opf", {})
    assert solution.status == "ok"
    assert solution.residual < 1e-6
    plain = cheapest_by_ptdf(read_bundled(name), near=solution)
    assert solution.objective == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["case14", "case30", "case118", "case300"])
def test_random_states_have_the_optimum_of_a_formulation_in_injections(name, seed):
    """Loads, ratings and capacities at random: HiGHS's quadratic solver gives up on some."""
    model = prepared(name)
    net = deepcopy(model.net)
    rng = np.random.default_rng(seed)
    changes = [
        change("load", "p_mw", net.load["p_mw"] * rng.uniform(0.5, 1.0, len(net.load))),
        change("line", "max_loading_percent", np.full(len(net.line), rng.uniform(5, 100))),
        change("gen", "max_p_mw", net.gen["max_p_mw"] * rng.uniform(0.8, 1, len(net.gen))),
    ]
    solution = optimum(model, "dc_opf", *changes)
    for one in changes:
        net[one.element][one.column] = one.values
    if solution.status == "infeasible":
        with pytest.raises(AssertionError, match=r"(?i)infeasible"):
            cheapest_by_ptdf(net)
    else:
        assert solution.status == "ok"
        assert solution.objective == pytest.approx(cheapest_by_ptdf(net, near=solution), rel=1e-6)


@pytest.mark.parametrize("name", ["case30", "case118", "example_multivoltage"])
def test_dispatch_flows_and_prices_are_those_of_pandapower(name):
    net = read_bundled(name)
    if name == "example_multivoltage":
        for element in ("xward", "ward", "impedance"):
            net[element] = net[element].iloc[:0]
        net.poly_cost = net.poly_cost.iloc[:0]
        net.gen[["min_p_mw", "max_p_mw"]] = 0.0, 200.0
        for index, price in ((0, 30.0), *((n, 20.0 + n) for n in net.gen.index)):
            et = "ext_grid" if price == 30.0 else "gen"
            pandapower.create_poly_cost(net, index, et, price, cp2_eur_per_mw2=0.1)
    model = prepare(net)
    ours = solve(model, AS_GIVEN, "dc_opf", {})
    plain = solve(model, AS_GIVEN, "dc_opf", {}, engine="pandapower")
    assert (ours.status, plain.status) == ("ok", "ok")
    assert ours.engine in ("highs", "ipopt")
    assert ours.objective == pytest.approx(plain.objective, rel=1e-6)
    for element, quantities in plain.elements.items():
        for quantity, values in quantities.items():
            np.testing.assert_allclose(
                ours.elements[element][quantity],
                values,
                rtol=1e-4,
                atol=1e-2,
                err_msg=f"{element} {quantity}",
            )


def test_prices_are_what_one_more_mw_costs():
    model = prepared("case30")
    solution = optimum(model, "dc_opf", *TIGHT)
    prices = solution.elements["bus"]["lam_p"]
    assert prices.max() - prices.min() > 0.1  # a rating binds
    for position in range(0, len(model.net.load), 4):
        costs = []
        for step in (-0.01, 0.01):
            power = model.net.load["p_mw"].to_numpy(copy=True)
            power[position] += step
            costs.append(optimum(model, "dc_opf", *TIGHT, change("load", "p_mw", power)).objective)
        bus = model.position["load"][position]
        assert prices[bus] == pytest.approx((costs[1] - costs[0]) / 0.02, rel=1e-3)


def test_prices_of_limits_are_what_they_would_save():
    model = prepared("case30")
    base = optimum(model, "dc_opf", *TIGHT)
    line = int(np.argmax(base.elements["line"]["mu_flow"]))
    rated = rating_of(model, line)
    costs = []
    for step in (-0.01, 0.01):
        wider = RATED.values.copy()
        wider[line] += 100 * step / rated
        limits = (change("line", "max_loading_percent", wider), TIGHT[1])
        costs.append(optimum(model, "dc_opf", *limits).objective)
    price = base.elements["line"]["mu_flow"][line]
    assert price == pytest.approx((costs[0] - costs[1]) / 0.02, rel=1e-3)
    assert base.elements["gen"]["p_mw"][0] == pytest.approx(20.0)
    costs = []
    for step in (-0.01, 0.01):
        capacity = TIGHT[1].values.copy()
        capacity[0] += step
        costs.append(optimum(model, "dc_opf", RATED, change("gen", "max_p_mw", capacity)).objective)
    price = base.elements["gen"]["mu_p"][0]
    assert price == pytest.approx((costs[0] - costs[1]) / 0.02, rel=1e-3)


def test_rent_is_what_loads_pay_beyond_what_generators_get():
    solution = optimum(prepared("case30"), "dc_opf", *TIGHT)
    bus = solution.elements["bus"]
    assert solution.system["congestion_rent"] > 1
    assert solution.system["congestion_rent"] == pytest.approx(bus["lam_p"] @ bus["p_mw"], rel=1e-6)


def test_phase_shifts_and_angle_limits_count():
    net = read_bundled("case9")
    net.trafo = net.trafo.iloc[:0]
    pandapower.create_transformer_from_parameters(
        net, 3, 4, 250, 345, 345, 0.1, 10, 0, 0, shift_degree=5, max_loading_percent=100
    )
    model = prepare(net)
    ours = solve(model, AS_GIVEN, "dc_opf", {})
    plain = solve(model, AS_GIVEN, "dc_opf", {}, engine="pandapower")
    assert ours.objective == pytest.approx(plain.objective, rel=1e-6)
    flow = ours.elements["trafo"]["p_from_mw"]
    np.testing.assert_allclose(flow, plain.elements["trafo"]["p_from_mw"], atol=1e-3)

    case9 = prepared("case9")
    free = solve(case9, AS_GIVEN, "dc_opf", {})
    across = angle_across(free, case9.net, 0)
    limit = np.full(len(case9.net.line), np.nan)
    limit[0] = across / 2 if across > 0 else np.nan
    other = np.full(len(case9.net.line), np.nan)
    other[0] = across / 2 if across < 0 else np.nan
    limits = (change("line", "max_angle_degree", limit), change("line", "min_angle_degree", other))
    bound = optimum(case9, "dc_opf", *limits)
    assert angle_across(bound, case9.net, 0) == pytest.approx(across / 2)
    assert bound.objective > free.objective
    wider = [change(one.element, one.column, one.values + np.sign(across) * 1e-3) for one in limits]
    saved = bound.objective - optimum(case9, "dc_opf", *wider).objective
    price = bound.elements["line"]["mu_angle"][0]
    assert abs(price) == pytest.approx(saved / 1e-3, rel=1e-2)
    assert np.sign(price) == np.sign(across)


def test_costs_by_straight_lines_equal_the_polynomials_that_they_are():
    model = prepared("case9")
    slopes = {"gen": [20.0, 35.0], "ext_grid": [25.0]}
    straight, polynomial = {}, {}
    for element, prices in slopes.items():
        for position, price in enumerate(prices):
            line = curve_through([(0.0, 7.0), (50.0, 7.0 + 50 * price), (90, 7.0 + 90 * price)])
            straight[element, position, "p"] = line
            polynomial[element, position, "p"] = polynomial_curve(7.0, price, 0.0)
    ours = optimum(model, "dc_opf", costs=straight)
    assert ours.objective == pytest.approx(optimum(model, "dc_opf", costs=polynomial).objective)
    steps = {"gen": [[(0, 0), (50, 1000), (300, 11000)], [(0, 0), (300, 9000)]]}
    curves = {("gen", n, "p"): curve_through(points) for n, points in enumerate(steps["gen"])}
    curves["ext_grid", 0, "p"] = Curve((0.0, 1000.0, 0.0))
    cheap = optimum(model, "dc_opf", costs=curves)
    # The first 50 MW for 20, then the other one up to its 270 MW for 30, nothing for 40.
    assert cheap.objective == pytest.approx(50 * 20 + 255 * 30 + 10 * 1000, rel=1e-6)


def test_costs_that_fall_by_the_piece_are_refused():
    with pytest.raises(SolverError, match="convex"):
        curve_through([(0, 0), (10, 100), (20, 150)])
    with pytest.raises(SolverError, match="must rise"):
        curve_through([(0, 0), (0, 100)])
    net = read_bundled("case9")
    net.poly_cost.loc[1, "cp2_eur_per_mw2"] = -0.1
    with pytest.raises(SolverError, match=r"gen 0: .*convex"):
        solve(prepare(net), AS_GIVEN, "dc_opf", {})


def test_without_any_costs_the_least_generation_is_found():
    net = read_bundled("case9")
    net.poly_cost = net.poly_cost.iloc[:0]
    solution = solve(prepare(net), AS_GIVEN, "dc_opf", {})
    assert solution.objective == pytest.approx(net.load["p_mw"].sum())


def test_dispatchable_loads_and_static_generators_are_used_as_far_as_they_pay():
    net = read_bundled("case9")
    net.load["controllable"] = [True, False, False]
    pandapower.create_poly_cost(net, 0, "load", -21.0)
    pandapower.create_sgen(net, 5, 30.0, 3.0, controllable=True)
    pandapower.create_sgen(net, 6, 5.0, 0.0)
    pandapower.create_poly_cost(net, 0, "sgen", 1.0)
    solution = solve(prepare(net), AS_GIVEN, "dc_opf", {})
    load, sgen, prices = (solution.elements[e] for e in ("load", "sgen", "bus"))
    assert list(sgen["p_mw"]) == pytest.approx([30.0, 5.0])
    assert sgen["mu_p"][0] == pytest.approx(prices["lam_p"][5] - 1.0)
    assert 0 < load["p_mw"][0] < net.load["p_mw"].iloc[0]  # served until the price is its worth
    assert prices["lam_p"][net.load["bus"].iloc[0]] == pytest.approx(21.0, rel=1e-6)
    assert list(load["p_mw"][1:]) == list(net.load["p_mw"].iloc[1:])
    assert solution.system["unserved_mw"] == 0


def test_generators_that_are_not_controllable_keep_their_power():
    model = prepared("case9")
    fixed = (
        change("gen", "controllable", np.array([False, True])),
        change("gen", "p_mw", [111.0, 50.0]),
    )
    solution = optimum(model, "dc_opf", *fixed)
    assert solution.elements["gen"]["p_mw"][0] == pytest.approx(111.0)


def test_load_beyond_all_capacity_is_infeasible_or_unserved_at_its_price():
    model = prepared("case9")
    three = change("load", "p_mw", model.net.load["p_mw"] * 3)
    capacity = model.net.gen["max_p_mw"].sum() + model.net.ext_grid["max_p_mw"].sum()
    short = model.net.load["p_mw"].sum() * 3 - capacity
    free = change("line", "max_loading_percent", np.full(len(model.net.line), np.nan))
    infeasible = optimum(model, "dc_opf", three, free)
    assert infeasible.status == "infeasible"
    assert not infeasible.elements
    lacking = sum(
        float(part.split(" lacks ")[1].split()[0])
        for part in infeasible.detail.split(", ")
        if " lacks " in part
    )
    assert lacking == pytest.approx(short, rel=1e-3)
    solution = optimum(model, "dc_opf", three, free, value_of_lost_load=3000.0)
    assert solution.status == "ok"
    assert solution.system["unserved_mw"] == pytest.approx(short, rel=1e-6)
    assert solution.system["load_mw"] == pytest.approx(capacity, rel=1e-6)
    assert solution.elements["load"]["p_mw"].sum() == pytest.approx(capacity, rel=1e-6)
    assert solution.elements["bus"]["lam_p"].max() == pytest.approx(3000.0, rel=1e-6)


def test_violated_ratings_and_contradicting_limits_are_named():
    model = prepared("case9")
    tight = np.full(len(model.net.line), 100.0)
    at_load = model.net.load["bus"].iloc[0]
    ends = model.net.line[["from_bus", "to_bus"]].to_numpy()
    tight[(ends == at_load).any(axis=1)] = 5.0
    solution = optimum(model, "dc_opf", change("line", "max_loading_percent", tight))
    assert solution.status == "infeasible"
    named = [line for line in np.flatnonzero(tight == 5.0) if f"line {line} " in solution.detail]
    assert named or f"bus {at_load} lacks" in solution.detail
    crossed = change("gen", "min_p_mw", model.net.gen["max_p_mw"] + 1)
    solution = optimum(model, "dc_opf", crossed)
    assert solution.status == "infeasible"
    assert "the lowest active power of gen 0 is above the highest" in solution.detail


def test_outages_islands_and_blackouts():
    model = prepared("case9")
    net = model.net
    out = np.ones(len(net.line), bool)
    out[1] = False
    ours = optimum(model, "dc_opf", change("line", "in_service", out))
    changed = deepcopy(net)
    changed.line["in_service"] = out
    assert ours.objective == pytest.approx(cheapest_by_ptdf(changed), rel=1e-6)
    at_load = net.load["bus"].iloc[0]
    cut = ~(net.line[["from_bus", "to_bus"]] == at_load).any(axis=1).to_numpy()
    island = optimum(model, "dc_opf", change("line", "in_service", cut))
    assert island.status == "islanded"
    assert island.system["unserved_mw"] == pytest.approx(net.load["p_mw"].iloc[0])
    assert np.isnan(island.elements["bus"]["lam_p"][at_load])
    served = net.load["p_mw"].iloc[1:].sum()
    assert island.system["generation_mw"] == pytest.approx(served)
    no_grid = change("ext_grid", "in_service", np.array([False]))
    other = deepcopy(net)
    other.ext_grid["in_service"], other.gen.loc[0, "slack"] = False, True
    left = optimum(model, "dc_opf", no_grid)
    assert left.objective == pytest.approx(cheapest_by_ptdf(other), rel=1e-6)
    assert left.elements["ext_grid"]["p_mw"].tolist() == [0.0]
    no_gens = change("gen", "in_service", np.zeros(len(net.gen), bool))
    dark = optimum(model, "dc_opf", no_grid, no_gens)
    assert (dark.status, dark.elements) == ("islanded", {})
    gone = optimum(model, "dc_opf", change("gen", "in_service", np.array([True, False])))
    assert gone.elements["gen"]["p_mw"][1] == 0


def test_no_result_depends_on_what_was_solved_before():
    fresh = prepare(read_bundled("case118"))
    model = prepared("case118")
    scaled = change("load", "p_mw", model.net.load["p_mw"] * 0.9)
    first = optimum(fresh, "dc_opf", scaled)
    for factor in (0.7, 1.0):
        optimum(model, "dc_opf", change("load", "p_mw", model.net.load["p_mw"] * factor))
    again = optimum(model, "dc_opf", scaled)
    np.testing.assert_array_equal(again.elements["gen"]["p_mw"], first.elements["gen"]["p_mw"])


def test_ramps_tie_the_hours_of_a_day_together():
    model = prepared("case118")
    hourly = [solve(model, state, "dc_opf", {}) for state in day(model, np.nan)]
    steepest = np.abs(np.diff(powers(hourly), axis=0)).max()
    loose = solve_together(model, day(model, steepest * 1.01), "dc_opf", {"ramps": True})
    for one, other in zip(loose, hourly, strict=True):
        assert one.objective == pytest.approx(other.objective, rel=1e-6)
    ramp = steepest * 0.8
    tight = solve_together(model, day(model, ramp), "dc_opf", {"ramps": True})
    assert {solution.status for solution in tight} == {"ok"}
    assert np.abs(np.diff(powers(tight), axis=0)).max() <= ramp + 1e-6
    total = sum(solution.objective for solution in tight)
    assert total > sum(solution.objective for solution in hourly)
    assert total <= hour_by_hour(model, day(model, np.nan), ramp, "dc_opf") * (1 + 1e-6)


def test_ramps_that_no_schedule_keeps_are_named():
    model = prepared("case9")
    hours = day(model, 0.1)[:3]
    solutions = solve_together(model, hours, "dc_opf", {"ramps": True})
    assert {solution.status for solution in solutions} == {"infeasible"}
    assert "not one together with the other snapshots" in solutions[0].detail
