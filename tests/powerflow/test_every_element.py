"""Grids with every kind of element and every option: both roads equal pandapower."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandapower
import pandas as pd
import pytest
from conftest import SHARED_GRIDS
from hypothesis import given, settings
from hypothesis import strategies as st
from power_flow_studies import (
    Study,
    assert_same,
    every_element,
    grid,
    plain_solution,
    random_study,
)

from gat_batch.errors import SolverError
from gat_batch.grids.elements import ElementIndex
from gat_batch.grids.matpower.reader import read_matpower
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State, scenario_states
from gat_batch.powerflow.injections.unit_powers import reactive_shares
from gat_batch.solvers.study import solve
from gat_batch.study.scenario import Outage

FAST = {"dc": "scipy", "ac": "lightsim2grid"}

TIGHT = {"dc": {}, "ac": {"tolerance_mva": 1e-9}}


def asymmetric():
    net = every_element()
    pandapower.create_asymmetric_load(net, 11, 0.1, 0.2, 0.3, 0.01, 0.02, 0.03, scaling=1.1)
    pandapower.create_asymmetric_sgen(net, 13, 0.1, 0.2, 0.3, 0.01, 0.02, 0.03)
    return net


def solved(net, study, solver, engine="auto", **options):
    model = prepare(deepcopy(net))
    (state,) = scenario_states(ElementIndex(model.net), study, None, None)
    return solve(model, state, solver, options, engine=engine)


def assert_as_by_pandapower(net, study, solver, **options):
    options |= TIGHT[solver]
    plain = plain_solution(net, study, solver, **options)
    ours = solved(net, study, solver, **options)
    assert (ours.status, ours.engine) == ("ok", FAST[solver])
    assert_same(ours, plain, solver)
    theirs = solved(net, study, solver, "pandapower", **options)
    assert_same(theirs, plain, solver)
    assert theirs.system.keys() == ours.system.keys()
    for name, value in theirs.system.items():
        if isinstance(value, float):
            assert ours.system[name] == pytest.approx(value, abs=1e-6), name
    return ours


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("seed", range(4))
def test_every_element_is_solved_as_by_pandapower(seed, solver):
    net = asymmetric()
    solution = assert_as_by_pandapower(net, random_study(net, seed), solver)
    kinds = {"storage", "shunt", "ward", "xward", "motor", "dcline", "impedance"}
    assert kinds | {"asymmetric_load", "asymmetric_sgen"} < solution.elements.keys()


def test_generation_is_load_and_loss():
    for net in (asymmetric(), grid("example_multivoltage"), grid("mv_oberrhein")):
        system = solved(net, Study(load_scale=0.9), "ac", tolerance_mva=1e-9).system
        used = system["load_mw"] + system["loss_mw"]
        assert system["generation_mw"] == pytest.approx(used, abs=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"enforce_q_lims": True},
        {"enforce_q_lims": True, "delta_q": 0.5},
        {"enforce_p_lims": True},
        {"distributed_slack": True},
        {"enforce_q_lims": True, "enforce_p_lims": True, "distributed_slack": True},
    ],
    ids="+".join,
)
@pytest.mark.parametrize("name", ["case14", "case118", "every element"])
def test_options_are_kept_as_by_pandapower(name, options):
    net = every_element(wards="distributed_slack" not in options) if " " in name else grid(name)
    rng = np.random.default_rng(3)
    net.gen["max_p_mw"] *= 0.8
    net.sgen["max_p_mw"], net.sgen["max_q_mvar"] = 0.1, 0.01
    net.gen["slack_weight"] = rng.uniform(0, 1, len(net.gen))
    for seed in range(3):
        solution = assert_as_by_pandapower(net, random_study(net, seed), "ac", **options)
    if options == {"enforce_q_lims": True} and name == "case118":
        held = solution.elements["gen"]["vm_pu"] - net.gen["vm_pu"].to_numpy()
        assert (np.abs(held) > 1e-4).sum() > 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("case118", {}),
        ("case118", {"distributed_slack": True}),
        ("case118", {"enforce_q_lims": True}),
        ("mv_oberrhein", {}),
        ("mv_oberrhein", {"enforce_q_lims": True}),
    ],
)
def test_loads_follow_the_voltage_as_in_pandapower(name, options):
    net = grid(name)
    rng = np.random.default_rng(1)
    for part, power in (("z", "p"), ("i", "p"), ("z", "q"), ("i", "q")):
        net.load[f"const_{part}_{power}_percent"] = rng.uniform(0, 45, len(net.load))
    net.gen["slack_weight"] = 1.0
    # pandapower's Jacobian knows nothing of the voltage, so it needs more iterations.
    options |= {"max_iteration": 40}
    if options.get("enforce_q_lims") and name == "case118":
        # What a generator gives at its limit follows the voltage too: left to pandapower.
        assert solved(net, Study(), "ac", **options).engine == "pandapower"
        return
    assert_as_by_pandapower(net, random_study(net, 1), "ac", **options)


@pytest.mark.skipif(not SHARED_GRIDS.is_dir(), reason="shared/grids isn't beside the checkout")
@pytest.mark.parametrize("options", [{}, {"enforce_q_lims": True}, {"distributed_slack": True}])
@pytest.mark.parametrize("name", ["case_RTS_GMLC", "case24_ieee_rts", "case5"])
def test_files_with_several_generators_at_a_bus(name, options):
    net = read_matpower(SHARED_GRIDS / "matpower" / f"{name}.m")
    net.gen["slack_weight"] = np.random.default_rng(0).uniform(0, 1, len(net.gen))
    for seed in (1, 2):
        assert_as_by_pandapower(net, random_study(net, seed), "ac", **options)
    if not options:
        assert_as_by_pandapower(net, random_study(net, 1), "dc")


def test_a_unit_that_is_off_gives_nothing_where_others_reach_their_limits():
    net = every_element()
    net.gen["min_q_mvar"], net.gen["max_q_mvar"] = 1.0, 1.5
    options = {"enforce_q_lims": True}
    solution = assert_as_by_pandapower(net, Study((Outage("gen", 0),)), "ac", **options)
    assert solution.elements["gen"]["q_mvar"][0] == 0


def test_shunts_with_a_table_of_steps():
    net = grid("case14")
    shunt = pandapower.create_shunt(net, 4, 1.0, step=2, max_step=3, id_characteristic_table=7)
    pandapower.create_shunt(net, 5, 2.0, 0.3, step=2)
    net.shunt["step_dependency_table"] = net.shunt.index == shunt
    net["shunt_characteristic_table"] = pd.DataFrame(
        {
            "id_characteristic": 7,
            "step": [1, 2, 3],
            "q_mvar": [2.0, 5.0, 9.0],
            "p_mw": [0.1, 0.3, 1],
        }
    )
    for solver in ("ac", "dc"):
        assert_as_by_pandapower(net, Study(load_scale=0.9), solver)


@pytest.mark.parametrize("outage", [Outage("gen", 0), Outage("gen", 5), Outage("ext_grid", 1)])
@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_one_of_several_at_a_bus_may_fail(outage, solver):
    net = every_element()
    if outage.type == "gen":
        assert_as_by_pandapower(net, Study((outage,)), solver)
        return
    service = np.array([True, False])
    model = prepare(deepcopy(net))
    ours = solve(model, State(None, (Change("ext_grid", "in_service", service),)), solver, {})
    net.ext_grid["in_service"] = service
    assert_same(ours, plain_solution(net, Study(), solver), solver)


def test_different_setpoints_at_one_bus_are_refused_as_by_pandapower():
    net = every_element()
    setpoints = net.gen["vm_pu"].to_numpy().copy()
    setpoints[0] += 0.01
    model = prepare(net)
    with pytest.raises(SolverError, match="different setpoints"):
        solve(model, State(None, (Change("gen", "vm_pu", setpoints),)), "ac", {})


def test_what_is_cut_off_is_told_of_every_element():
    net = every_element()
    bus = pandapower.create_bus(net, 135)
    line = pandapower.create_line_from_parameters(net, 10, bus, 1, 0.1, 0.3, 0, 1)
    pandapower.create_motor(net, bus, 1.0, 0.9, efficiency_percent=100)
    pandapower.create_storage(net, bus, -0.7, 5)
    pandapower.create_storage(net, bus, 0.2, 5)
    pandapower.create_asymmetric_load(net, bus, 0.1, 0.1, 0.1)
    for engine in ("auto", "pandapower"):
        solution = solved(net, Study((Outage("line", int(line)),)), "ac", engine)
        assert solution.status == "islanded"
        assert solution.system["unserved_mw"] == pytest.approx(1.0 + 0.2 + 0.3)
        assert solution.system["lost_generation_mw"] == pytest.approx(0.7)


limits = st.tuples(st.floats(-100, 0), st.floats(0, 100))


@settings(max_examples=50)
@given(st.lists(limits, min_size=1, max_size=5), st.floats(-1e3, 1e3))
def test_units_share_all_that_their_bus_needs(bounds, needed):
    bounds = np.array(bounds)
    count = len(bounds)
    row, on = np.zeros(count, int), np.arange(count)
    shares = reactive_shares(row, bounds, on, np.array([needed]))
    assert shares.sum() == pytest.approx(needed, abs=1e-9)
    low, high = bounds.T
    if low.sum() <= needed <= high.sum() and count > 1:
        # As much of each one's range as of all of them together.
        assert (shares >= low - 1e-9).all()
        assert (shares <= high + 1e-9).all()
