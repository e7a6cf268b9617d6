"""Solutions equal those of plain pandapower, on every kind of grid and state."""

from __future__ import annotations

from copy import deepcopy

import pandapower
import pandapower.networks
import pandas as pd
import pytest
from power_flow_studies import (
    AS_GIVEN,
    Study,
    assert_same,
    grid,
    plain_solution,
    random_study,
)

from gat_batch.errors import SolverError
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State, scenario_states
from gat_batch.solvers.study import solve
from gat_batch.study.scenario import Outage
from gat_batch.study.solver_options import OPTIONS, rungs

GRIDS = [
    "case14",
    "case118",
    "case300",
    "case1354pegase",
    "mv_oberrhein",
    "example_multivoltage",
    "create_cigre_network_mv",
]


def our_solution(net, study, solver, *, engine="auto", **options):
    model = prepare(net)
    (state,) = scenario_states(ElementIndex(net), study, None, None)
    return solve(model, state, solver, options, engine=engine)


@pytest.mark.parametrize("engine", ["auto", "pandapower"])
@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("name", GRIDS)
def test_grid_as_given_is_solved_as_by_pandapower(name, solver, engine):
    net = grid(name)
    solution = our_solution(net, Study(), solver, engine=engine)
    assert solution.status == "ok"
    assert_same(solution, plain_solution(net, Study(), solver), solver)


@pytest.mark.parametrize("engine", ["auto", "pandapower"])
@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GRIDS)
def test_outages_and_scales_are_solved_as_by_pandapower(name, seed, solver, engine):
    net = grid(name)
    study = random_study(net, seed)
    assert study.outages
    tight = {"tolerance_mva": 1e-9} if solver == "ac" else {}
    solution = our_solution(net, study, solver, engine=engine, **tight)
    assert solution.status == "ok"
    assert_same(solution, plain_solution(net, study, solver, **tight), solver)


@pytest.fixture
def odd_net():
    """Shared buses, disabled elements, gaps in the indices, tap, shift, switch and shunt."""
    net = pandapower.create_empty_network()
    for index, kv in ((3, 110.0), (7, 110.0), (20, 20.0), (21, 20.0), (40, 110.0)):
        pandapower.create_bus(net, kv, index=index, name=f"bus {index}")
    net.bus.loc[40, "in_service"] = False
    pandapower.create_ext_grid(net, 3, vm_pu=1.02)
    pandapower.create_line(net, 3, 7, 30, "243-AL1/39-ST1A 110.0", index=11)
    pandapower.create_line(net, 3, 7, 35, "243-AL1/39-ST1A 110.0", index=5, in_service=False)
    pandapower.create_line(net, 7, 40, 10, "243-AL1/39-ST1A 110.0", index=6)
    pandapower.create_transformer(net, 7, 20, "25 MVA 110/20 kV", index=9, tap_pos=3)
    pandapower.create_switch(net, 20, 21, et="b", closed=True)
    pandapower.create_shunt(net, 20, q_mvar=-1.2, step=2)
    for index, p_mw, live in ((2, 4.0, True), (8, 2.5, True), (9, 50.0, False)):
        pandapower.create_load(net, 21, p_mw, 0.3 * p_mw, index=index, in_service=live, scaling=0.9)
    pandapower.create_sgen(net, 21, 1.5, 0.2, index=4)
    pandapower.create_gen(net, 7, 6.0, vm_pu=1.01, index=13)
    return net


@pytest.mark.parametrize("engine", ["auto", "pandapower"])
@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("outages", [(), (Outage("load", 8),), (Outage("gen", 13),)])
def test_odd_grid_is_solved_as_by_pandapower(odd_net, solver, outages, engine):
    study = Study(outages, load_scale=1.1)
    solution = our_solution(odd_net, study, solver, engine=engine)
    assert solution.status == "ok"
    assert_same(solution, plain_solution(odd_net, study, solver), solver)


@pytest.mark.parametrize(
    "options",
    [
        {"enforce_q_lims": True},
        {"trafo_model": "pi"},
        {"trafo_loading": "power"},
        {"algorithm": "iwamoto_nr"},
        {"init": "flat", "max_iteration": 25},
        {"calculate_voltage_angles": False},
        {"distributed_slack": True},
        {"tolerance_mva": 1e-3},
    ],
)
def test_options_reach_pandapower(options):
    net = grid("case118")
    solution = our_solution(net, Study(), "ac", engine="pandapower", **options)
    assert_same(solution, plain_solution(net, Study(), "ac", **options), "ac")


@pytest.mark.parametrize("solver", OPTIONS)
def test_every_documented_option_is_one_that_pandapower_takes(solver):
    net = grid("case9")
    given = {"int": 20, "float": 1.0}
    for name, option in OPTIONS[solver].items():
        if option.choices:
            value = option.choices[0]
        else:
            value = False if option.boolean else given[option.number.__name__]
        solution = our_solution(net, Study(), solver, **{name: value})
        assert solution.status == "ok", name


def test_several_references_are_solved_without_pandapower():
    net = grid("case14")
    pandapower.create_ext_grid(net, 9, vm_pu=1.01, va_degree=-12.0)
    pandapower.create_ext_grid(net, 13, vm_pu=1.02, va_degree=-15.0)
    model = prepare(net)
    for vm_pu in (1.01, 1.03):
        net.ext_grid.loc[1, "vm_pu"] = vm_pu
        state = State(None, (Change("ext_grid", "vm_pu", net.ext_grid["vm_pu"].to_numpy()),))
        solution = solve(model, state, "ac", {})
        assert solution.engine == "lightsim2grid"
        assert_same(solution, plain_solution(net, Study(), "ac"), "ac")


def test_ladder_finds_a_solution_and_names_its_rung():
    net = grid("mv_oberrhein")
    flat = our_solution(net, Study(), "ac", engine="pandapower", init="flat")
    assert flat.status == "not_converged"
    ladder = ("flat", "dc", "iwamoto")
    solution = solve(
        prepare(net), AS_GIVEN, "ac", {"init": "flat"}, engine="pandapower", ladder=ladder
    )
    assert (solution.status, solution.engine) == ("ok", "pandapower:dc")
    assert_same(solution, plain_solution(net, Study(), "ac"), "ac")


def test_ladder_keeps_the_tolerance_and_leaves_out_what_options_rule_out():
    ladder = ("flat", "dc", "iwamoto")
    asked = {"distributed_slack": True, "tolerance_mva": 1e-3, "init_vm_pu": 1.02}
    assert dict(rungs(asked, ladder)) == {
        "": asked,
        "flat": {"distributed_slack": True, "tolerance_mva": 1e-3, "init": "flat"},
        "dc": {"distributed_slack": True, "tolerance_mva": 1e-3, "init": "dc"},
    }


def test_whole_ladder_in_vain_is_told_as_the_first_attempt():
    model = prepare(grid("case118"))
    options = {"max_iteration": 1}
    ladder = ("flat", "dc", "iwamoto")
    solution = solve(model, AS_GIVEN, "ac", options, engine="pandapower", ladder=ladder)
    assert (solution.status, solution.engine) == ("not_converged", "pandapower")
    assert solution.iterations == 1
    assert solution.detail.endswith("iterations! Nor did it by flat, dc, iwamoto.")


def test_overload_does_not_converge_and_leaves_no_quantities():
    solution = our_solution(grid("case118"), Study(load_scale=50.0), "ac")
    assert solution.status == "not_converged"
    assert solution.iterations == 10
    assert not solution.elements


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_cut_off_load_is_islanded_and_the_rest_is_solved(odd_net, solver):
    study = Study((Outage("trafo", 9),))
    solution = our_solution(odd_net, study, solver)
    assert solution.status == "islanded"
    assert solution.system["unserved_mw"] == pytest.approx((4.0 + 2.5) * 0.9)
    assert_same(solution, plain_solution(odd_net, study, solver), solver)


def test_load_at_a_bus_that_is_out_counts_as_unserved(odd_net):
    solution = our_solution(odd_net, Study((Outage("bus", 21), Outage("load", 2))), "ac")
    assert solution.system["unserved_mw"] == pytest.approx(2.5 * 0.9)


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_without_the_slack_everything_is_unserved(odd_net, solver):
    solution = our_solution(odd_net, Study((Outage("bus", 3),)), solver)
    assert solution.status == "islanded"
    assert not solution.elements
    sources = pd.concat([odd_net.gen, odd_net.sgen])
    running = sources["in_service"].astype(bool)
    lost = (sources["p_mw"] * sources["scaling"])[running].sum()
    assert solution.system == {
        "unserved_mw": pytest.approx((4.0 + 2.5) * 0.9),
        "lost_generation_mw": pytest.approx(lost),
    }


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_system_figures_balance(solver):
    net = grid("case118")
    solution = our_solution(net, Study(load_scale=0.9), solver)
    system, plain = solution.system, plain_solution(net, Study(load_scale=0.9), solver)
    supplied = system["load_mw"] + system["loss_mw"]
    assert system["generation_mw"] == pytest.approx(supplied, abs=1e-6)
    drawn = plain.res_load["p_mw"].sum() + plain.res_shunt["p_mw"].sum()
    assert system["load_mw"] == pytest.approx(drawn, abs=1e-9)
    loading = plain.res_line["loading_percent"]
    if loading.max() > plain.res_trafo["loading_percent"].max():
        assert system["max_loading_element"] == f"line:{loading.idxmax()}"
        assert system["max_loading_percent"] == pytest.approx(loading.max())
    if solver == "ac":
        assert system["min_vm_bus"] == plain.res_bus["vm_pu"].idxmin()
        assert system["max_vm_pu"] == pytest.approx(plain.res_bus["vm_pu"].max())


def test_data_that_pandapower_rejects_are_named_and_the_grid_is_restored():
    net = grid("case9")
    net.line["x_ohm_per_km"] = net.line["x_ohm_per_km"].astype(object)
    net.line.loc[0, "x_ohm_per_km"] = "long"
    before = net.load["p_mw"].copy()
    with pytest.raises(SolverError, match="pandapower can't solve this grid"):
        our_solution(net, Study(load_scale=2.0), "ac")
    assert net.load["p_mw"].equals(before)


@pytest.fixture
def dcline_net():
    """A grid with a DC line, for which pandapower adds generators while it solves."""
    net = grid("case9")
    pandapower.create_dcline(
        net, 4, 8, p_mw=10, loss_percent=1, loss_mw=0.1, vm_from_pu=1.0, vm_to_pu=1.0
    )
    return net


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_dc_lines_are_solved_as_by_pandapower(dcline_net, solver):
    study = Study(gen_scale=0.9)
    solution = our_solution(dcline_net, study, solver)
    assert_same(solution, plain_solution(dcline_net, study, solver), solver)


@pytest.mark.parametrize("load_scale", [1.0, 50.0])
def test_dc_lines_leave_no_generators_behind(dcline_net, load_scale):
    before = deepcopy(dcline_net)
    for _ in range(2):
        our_solution(dcline_net, Study(load_scale=load_scale, gen_scale=0.5), "ac")
    for element in ("gen", "load", "dcline", "bus"):
        assert dcline_net[element].equals(before[element]), element


def test_singular_dc_equations_are_not_converged():
    net = grid("case9")
    # Two parallel paths whose reactances cancel leave a bus without any admittance.
    pandapower.create_bus(net, 345, index=99)
    for x_ohm in (10.0, -10.0):
        pandapower.create_line_from_parameters(net, 8, 99, 1, 0, x_ohm, 0, 1)
    pandapower.create_load(net, 99, 5)
    solution = our_solution(net, Study(), "dc")
    assert solution.status == "not_converged"
    assert not solution.elements


def test_options_stored_in_a_grid_do_not_link_one_scenario_to_the_next():
    net = grid("case9")
    model = prepare(net)
    pandapower.set_user_pf_options(net, init="results", recycle={"bus_pq": True}, max_iteration=7)
    model = prepare(net)
    assert model.net.user_pf_options == {"max_iteration": 7}
    first = solve(model, AS_GIVEN, "ac", {})
    assert first.iterations == solve(model, AS_GIVEN, "ac", {}).iterations
