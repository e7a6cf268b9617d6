"""The fast engine gives pandapower's answers, or leaves the study to it."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import numpy as np
import pandapower
import pandapower.networks
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from power_flow_studies import AS_GIVEN, Study, assert_same, grid, plain_solution, random_study

from gat_batch.errors import SolverError
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State, scenario_states
from gat_batch.powerflow.admittances import OFF, SHAPING, SOLVING
from gat_batch.solvers.study import solve
from gat_batch.solvers.verification import chosen, verified
from gat_batch.study.scenario import Outage
from gat_batch.study.solver_options import GIVEN, OPTIONS

FAST = {"dc": "scipy", "ac": "lightsim2grid"}

LARGE = [
    "case_illinois200",
    "case1888rte",
    "case2848rte",
    "case2869pegase",
    "case3120sp",
    "case6470rte",
    "case9241pegase",
]


@cache
def prepared(name):
    return prepare(grid(name))


def solved(name, study, solver, engine="auto", options=None):
    model = prepared(name)
    (state,) = scenario_states(ElementIndex(model.net), study, None, None)
    return solve(model, state, solver, options or {}, engine=engine)


@pytest.mark.parametrize("solver", ["dc", "ac"])
@pytest.mark.parametrize("name", LARGE)
def test_large_grids_with_outages_are_solved_as_by_pandapower(name, solver):
    net = grid(name)
    study = random_study(net, seed=2)
    solution = solved(name, study, solver)
    assert (solution.status, solution.engine) == ("ok", FAST[solver])
    # The slack takes up the mismatches of thousands of buses, so the other side must be tight.
    tight = {"tolerance_mva": 1e-9} if solver == "ac" else {}
    assert_same(solution, plain_solution(net, study, solver, **tight), solver)


@st.composite
def studies(draw):
    """A grid and a study on it, islands, lost generators and overloads included."""
    name = draw(st.sampled_from(["case14", "case30", "case118", "case300", "iceland"]))
    net = prepared(name).net
    outages = set()
    for kind in ("line", "trafo", "gen", "load", "sgen", "bus"):
        if len(net[kind]):
            few = 3 if kind in ("line", "load") else 1
            index = st.sampled_from(net[kind].index.tolist())
            outages |= {Outage(kind, n) for n in draw(st.sets(index, max_size=few))}
    scales = st.floats(0.0, 1.3)
    return name, Study(tuple(outages), draw(scales), draw(scales))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=studies(), solver=st.sampled_from(["dc", "ac"]))
def test_any_study_is_solved_as_by_pandapower(drawn, solver):
    name, study = drawn
    # The mismatches of all buses add up at the slack.
    tight = {"tolerance_mva": 1e-10} if solver == "ac" else {}
    fast, plain = (solved(name, study, solver, engine, tight) for engine in ("auto", "pandapower"))
    if plain.status == "not_converged":
        # A start from the solved grid may find what pandapower's own start doesn't.
        return
    if any(outage.type == "bus" for outage in study.outages) and fast.detail != plain.detail:
        # pandapower takes transformers at such buses for links; test_contingency_solvers tells it.
        assert fast.status == "islanded"
        return
    assert fast.status == plain.status
    assert fast.system.keys() == plain.system.keys()
    for key, value in plain.system.items():
        if isinstance(value, float):
            assert fast.system[key] == pytest.approx(value, abs=2e-6, rel=1e-8), key
    for element, quantities in plain.elements.items():
        for quantity, values in quantities.items():
            ours = fast.elements[element][quantity]
            np.testing.assert_allclose(
                ours, values, rtol=1e-8, atol=2e-6, err_msg=f"{element} {quantity}"
            )


def test_setpoints_of_generators_reach_both_engines():
    model = prepared("case118")
    setpoints = model.net.gen["vm_pu"].to_numpy() - 0.01
    state = State(None, (Change("gen", "vm_pu", setpoints),))
    fast, plain = (solve(model, state, "ac", {}, engine=e) for e in ("auto", "pandapower"))
    assert fast.engine == "lightsim2grid"
    for quantity in ("vm_pu", "q_mvar"):
        ours, theirs = (s.elements["gen"][quantity] for s in (fast, plain))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def with_a_compensator(net):
    pandapower.create_svc(net, 6, 5, -15, 1.0, 150)


def with_slacks_of_two_kinds(net):
    slack = net.ext_grid.iloc[0]
    pandapower.create_gen(net, slack["bus"], 1.0, vm_pu=slack["vm_pu"], slack=True)


def with_voltage_dependence_across_a_switch(net):
    net.load["const_z_p_percent"] = 20.0
    bus = pandapower.create_bus(net, 135)
    pandapower.create_switch(net, net.load["bus"].iloc[0], bus, et="b")
    pandapower.create_load(net, bus, 1.0)


def as_given(_net):
    pass


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (with_a_compensator, {}),
        (with_slacks_of_two_kinds, {}),
        (with_voltage_dependence_across_a_switch, {}),
        (as_given, {"algorithm": "iwamoto_nr"}),
    ],
)
def test_what_it_cannot_represent_is_left_to_pandapower(change, options):
    net = grid("case30")
    change(net)
    model = prepare(deepcopy(net))
    solution = solve(model, AS_GIVEN, "ac", options)
    assert (solution.status, solution.engine) == ("ok", "pandapower")
    assert_same(solution, plain_solution(net, Study(), "ac", **options), "ac")
    with pytest.raises(SolverError, match="can't solve this exactly"):
        solve(model, AS_GIVEN, "ac", options, engine="lightsim2grid")


def test_an_overload_is_told_as_pandapower_tells_it():
    fast, plain = (
        solved("case118", Study(load_scale=50.0), "ac", e) for e in ("auto", "pandapower")
    )
    assert (fast.status, fast.engine, fast.detail) == (plain.status, plain.engine, plain.detail)


@pytest.mark.parametrize("solver", ["dc", "ac"])
def test_verifying_finds_no_deviation_and_a_wrong_solution(solver):
    model = prepared("case118")
    (state,) = scenario_states(ElementIndex(model.net), Study(load_scale=0.9), None, None)
    solution = solve(model, state, solver, {})
    found = verified(model, state, solver, {}, solution)
    assert found.states == 1
    assert found.mw < 1e-5
    assert found.pu < 1e-9
    solution.elements["line"]["p_from_mw"][7] += 0.001
    with pytest.raises(SolverError, match=r"differs from pandapower by 0\.001 MW"):
        verified(model, state, solver, {}, solution)
    solution.elements["line"]["p_from_mw"][7] = np.nan
    with pytest.raises(SolverError, match="inf MW"):
        verified(model, state, solver, {}, solution)


def test_share_that_is_verified_is_as_asked_and_the_same_each_time():
    names = [f"s{n}" for n in range(10_000)]
    for share in (0.0, 0.01, 0.3, 1.0):
        picked = [name for name in names if chosen(share, name, None)]
        assert abs(len(picked) - share * 10_000) < 150
        assert picked == [name for name in names if chosen(share, name, None)]


def test_a_batch_tells_what_was_verified(workspace):
    scenarios = [{"id": f"s{n}", "load_scale": 0.8 + n / 50} for n in range(10)]
    content = {"grid": "pandapower:case14", "solver": "ac", "scenarios": scenarios}
    workspace.write("manifest.json", content)
    workspace.configure(verify=1)
    assert workspace.run().returncode == 0
    told = workspace.status()["verified"]
    assert told["states"] == 10
    assert 0 < told["largest_mw"] < 1e-4


def test_one_state_leaves_no_trace_in_the_next():
    first = solved("case118", Study(), "ac")
    for study in (Study((Outage("line", 3), Outage("gen", 4))), Study(load_scale=50.0)):
        solved("case118", study, "ac")
    again = solved("case118", Study(), "ac")
    for element, quantities in first.elements.items():
        for quantity, values in quantities.items():
            np.testing.assert_array_equal(values, again.elements[element][quantity])


def test_every_option_is_one_that_the_equations_know():
    known = {*SHAPING, *SOLVING, *OFF}
    for solver in ("dc", "ac"):
        # An option that is in none of these sends every scenario that has it to pandapower.
        # What chooses the dispatch is no option of the power flow at it.
        assert set(OPTIONS[solver]) - {*GIVEN} <= known


def test_a_batch_tells_what_was_left_to_pandapower_and_why(workspace):
    plain = {"id": "plain", "grid": "pandapower:case14"}
    decoupled = [
        {"id": f"decoupled-{n}", "grid": "pandapower:case14", "options": {"algorithm": "fdbx"}}
        for n in range(2)
    ]
    workspace.write("manifest.json", {"solver": "ac", "scenarios": [plain, *decoupled]})
    assert workspace.run().returncode == 0
    status = workspace.status()
    reason = "it is solved with algorithm: fdbx"
    assert status["left_to_pandapower"] == {"scenarios": 2, "reasons": {reason: 2}}
    told = {job["id"]: job["left_to_pandapower"] for job in status["jobs"]}
    left = {"states": 1, "reason": reason}
    assert told == {"plain": None, "decoupled-0": left, "decoupled-1": left}
    assert (
        f"by pandapower as {reason}" in next(workspace.batch.glob("logs/solve_*.log")).read_text()
    )
