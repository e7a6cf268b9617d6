"""Storages over snapshots and DC lines in optimal power flow, against other formulations."""

from __future__ import annotations

import copy

import numpy as np
import pandapower
import pandapower.networks
import pandas as pd
import pytest
from opf_studies import AS_GIVEN, change
from storage_studies import cheapest_day

from gat_batch.contingency.solver import ContingencySolver
from gat_batch.errors import SolverError
from gat_batch.grids.bundled import read_bundled
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State
from gat_batch.model.violations import Limits
from gat_batch.solvers.study import Study, solve, solve_together
from gat_batch.study.scenario import Contingencies

LOSSY = {
    "charge_efficiency_percent": [95.0, 90.0, 100.0],
    "discharge_efficiency_percent": [92.0, 95.0, 100.0],
    "self_discharge_percent_per_hour": [0.0, 0.5, 0.0],
}


def with_storages(net, **columns):
    """Three storages; the first one begins half full, the second holds at the end what at first."""
    for bus, size, first, power in ((10, 300, 50, 80), (50, 200, np.nan, 60), (80, 400, 25, 90)):
        pandapower.create_storage(
            net, bus, 0.0, size, soc_percent=first, min_e_mwh=10, min_p_mw=-power, max_p_mw=power
        )
    for name, values in columns.items():
        net.storage[name] = values
    return net


def hours(net, count=24):
    """A day whose load rises by half from night to evening."""
    wave = 1 + 0.25 * np.sin(np.arange(count) / count * 2 * np.pi - 2)
    load = net.load["p_mw"].to_numpy()
    return [State(f"h{n}", (change("load", "p_mw", load * part),)) for n, part in enumerate(wave)]


def of_storages(solutions, quantity):
    return np.array([one.elements["storage"][quantity] for one in solutions])


def flows_in(net, solutions, snapshot_hours):
    """What storages must hold after each snapshot, by their power alone."""
    table = net.storage
    power = of_storages(solutions, "p_mw") * snapshot_hours
    efficiency = [
        table[f"{way}_efficiency_percent"].to_numpy() / 100 for way in ("charge", "discharge")
    ]
    left = (1 - table["self_discharge_percent_per_hour"].to_numpy() / 100) ** snapshot_hours
    held = [(table["soc_percent"] / 100 * table["max_e_mwh"]).fillna(0.0).to_numpy()]
    cyclic = table["soc_percent"].isna().to_numpy()
    held[0][cyclic] = of_storages(solutions, "e_mwh")[-1, cyclic]
    for row in power:
        moved = np.where(row > 0, row * efficiency[0], row / efficiency[1])
        held.append(held[-1] * left + moved)
    return np.array(held[1:])


@pytest.fixture(scope="module")
def day():
    net = with_storages(read_bundled("case118"), **LOSSY)
    net.line["max_loading_percent"] = 100.0
    net.line.loc[net.line.index[:40], "max_i_ka"] = 0.5
    return net


@pytest.mark.parametrize("snapshot_hours", [1.0, 0.5])
def test_a_day_with_storages_costs_what_all_hours_at_once_cost(day, snapshot_hours):
    """Angles and HiGHS here; distribution factors, tangents and scipy there."""
    model, states = prepare(day), hours(day)
    options = {"storage": True, "snapshot_hours": snapshot_hours}
    solutions = solve_together(model, states, "dc_opf", options)
    assert {one.status for one in solutions} == {"ok"}
    ours = sum(one.objective for one in solutions)
    loads = [state.changes[0].values for state in states]
    assert ours == pytest.approx(cheapest_day(day, loads, snapshot_hours), rel=1e-6)
    held = of_storages(solutions, "e_mwh")
    np.testing.assert_allclose(held, flows_in(day, solutions, snapshot_hours), atol=1e-3)
    assert (held >= 10 - 1e-4).all()
    assert (held <= day.storage["max_e_mwh"].to_numpy() + 1e-4).all()
    assert (held[-1, [0, 2]] >= [150 - 1e-4, 100 - 1e-4]).all()


@pytest.mark.parametrize("solver", ["dc_opf", "ac_opf"])
def test_storages_make_a_day_no_dearer_and_keep_account(day, solver):
    model, states = prepare(day), hours(day, 6)
    solutions = solve_together(model, states, solver, {"storage": True, "snapshot_hours": 4.0})
    assert {one.status for one in solutions} == {"ok"}
    without = [solve(model, state, solver, {}) for state in states]
    assert sum(one.objective for one in solutions) < sum(one.objective for one in without)
    np.testing.assert_allclose(
        of_storages(solutions, "e_mwh"), flows_in(day, solutions, 4.0), atol=1e-3
    )
    assert np.ptp(of_storages(solutions, "p_mw")) > 10
    for one in solutions:
        used = one.system["load_mw"] + one.system["loss_mw"]
        assert one.system["generation_mw"] == pytest.approx(used, abs=1e-4)


def test_hours_of_different_length_and_an_end_that_is_given(day):
    model, states = prepare(day), hours(day, 4)
    last = change("storage", "end_soc_percent", [100.0, 80.0, 60.0])
    states = [State(one.snapshot, (*one.changes, last)) for one in states]
    options = {"storage": True, "snapshot_hours": [1.0, 2.0, 8.0, 1.0]}
    solutions = solve_together(model, states, "dc_opf", options)
    held = of_storages(solutions, "e_mwh")
    assert (held[-1] >= np.array([300.0, 160.0, 240.0]) - 1e-4).all()
    lengths = np.array(options["snapshot_hours"])
    moved = of_storages(solutions, "p_mw")[:, 2] * lengths
    np.testing.assert_allclose(np.diff(held[:, 2], prepend=100.0), moved, atol=1e-3)
    with pytest.raises(SolverError, match="3 entries for 4 snapshots"):
        solve_together(model, states, "dc_opf", options | {"snapshot_hours": [1.0, 2.0, 3.0]})


def test_what_a_storage_can_never_hold_is_said(day):
    model = prepare(day)
    first = change("storage", "end_soc_percent", [100.0, 100.0, 100.0])
    low = change("storage", "max_e_mwh", [300.0, 200.0, 9.0])
    states = [State(one.snapshot, (*one.changes, first, low)) for one in hours(day, 2)]
    solution = solve_together(model, states, "dc_opf", {"storage": True})[0]
    assert solution.status == "infeasible"
    assert "what storage 2 is to hold is more than it can" in solution.detail
    wrong = change("storage", "discharge_efficiency_percent", [90.0, 0.0, 90.0])
    states = [State(one.snapshot, (*one.changes, wrong)) for one in hours(day, 2)]
    with pytest.raises(SolverError, match="discharge_efficiency_percent of storage 1"):
        solve_together(model, states, "dc_opf", {"storage": True})


@pytest.mark.parametrize("solver", ["dc_opf", "ac_opf"])
def test_no_storage_burns_power_by_charging_and_discharging_at_once(solver):
    """Where power costs less than nothing, the losses of doing both would pay."""
    net = pandapower.networks.case9()
    net.poly_cost["cp2_eur_per_mw2"] = 0.0
    net.poly_cost["cp1_eur_per_mw"] = -5.0
    pandapower.create_storage(net, 4, 0.0, 40.0, soc_percent=50, min_p_mw=-30, max_p_mw=30)
    net.storage["charge_efficiency_percent"] = 80.0
    net.storage["discharge_efficiency_percent"] = 80.0
    net.storage["self_discharge_percent_per_hour"] = 0.0
    states = [State(f"h{n}", ()) for n in range(4)]
    solutions = solve_together(prepare(net), states, solver, {"storage": True})
    assert {one.status for one in solutions} == {"ok"}
    assert "held to one of the two" in solutions[0].detail
    np.testing.assert_allclose(
        of_storages(solutions, "e_mwh"), flows_in(net, solutions, 1.0), atol=1e-3
    )


# ---- DC lines --------------------------------------------------------------------------------


def with_dc_line(net, p_mw, loss_percent, loss_mw, *, cost=0.0):
    pandapower.create_dcline(
        net, 21, 20, p_mw, loss_percent, loss_mw, 1.0, 1.0, max_p_mw=12,
        min_q_from_mvar=-10, max_q_from_mvar=10, min_q_to_mvar=-10, max_q_to_mvar=10,
    )  # fmt: skip
    for end in ("from_bus", "to_bus"):
        held = net.gen.loc[net.gen["bus"] == net.dcline[end].iloc[0], "vm_pu"]
        if len(held):
            net.dcline[f"vm_{end.removesuffix('_bus')}_pu"] = held.iloc[0]
    pandapower.create_poly_cost(net, 0, "dcline", cp1_eur_per_mw=cost)
    return net


@pytest.mark.parametrize("solver", ["dc_opf", "ac_opf"])
@pytest.mark.parametrize("cost", [-0.5, 0.05])
def test_a_dc_line_is_dispatched_as_by_pandapower(solver, cost):
    """pandapower's optimal power flow has other losses than its power flow: here there are none."""
    options = {"ext_grid_voltage": "held"} if solver == "ac_opf" else {}
    model = prepare(with_dc_line(pandapower.networks.case30(), 5.0, 0.0, 0.0, cost=cost))
    ours = solve(model, AS_GIVEN, solver, options)
    theirs = solve(model, AS_GIVEN, solver, options, engine="pandapower")
    assert ours.engine in ("highs", "ipopt")
    assert ours.objective == pytest.approx(theirs.objective, rel=2e-6)
    np.testing.assert_allclose(
        ours.elements["dcline"]["p_from_mw"], theirs.elements["dcline"]["p_from_mw"], atol=0.05
    )


@pytest.mark.parametrize("solver", ["dc_opf", "ac_opf"])
@pytest.mark.parametrize("p_mw", [5.0, -5.0])
def test_a_dc_line_loses_what_it_loses_in_a_power_flow(solver, p_mw):
    net = with_dc_line(pandapower.networks.case30(), p_mw, 3.0, 0.2, cost=-2.0)
    optimum = solve(prepare(net), AS_GIVEN, solver, {})
    assert optimum.status == "ok"
    line = {name: values[0] for name, values in optimum.elements["dcline"].items()}
    drawn = line["p_from_mw"] if p_mw > 0 else line["p_to_mw"]
    fed = -(line["p_to_mw"] if p_mw > 0 else line["p_from_mw"])
    assert drawn > 1
    assert fed == pytest.approx(0.97 * drawn - 0.2, abs=1e-6)
    again = copy.deepcopy(net)
    again.dcline["p_mw"] = drawn if p_mw > 0 else -drawn
    again.gen["p_mw"] = optimum.elements["gen"]["p_mw"]
    if solver == "dc_opf":
        pandapower.rundcpp(again)
    else:
        vm = pd.Series(optimum.elements["bus"]["vm_pu"], again.bus.index)
        again.gen["vm_pu"] = vm[again.gen["bus"]].to_numpy()
        again.ext_grid["vm_pu"] = vm[again.ext_grid["bus"]].to_numpy()
        again.dcline["vm_from_pu"] = vm[again.dcline["from_bus"]].to_numpy()
        again.dcline["vm_to_pu"] = vm[again.dcline["to_bus"]].to_numpy()
        pandapower.runpp(again)
    np.testing.assert_allclose(
        again.res_ext_grid["p_mw"], optimum.elements["ext_grid"]["p_mw"], atol=1e-4
    )
    np.testing.assert_allclose(
        again.res_line["p_from_mw"], optimum.elements["line"]["p_from_mw"], atol=1e-4
    )


@pytest.mark.parametrize("solver", ["dc_opf", "ac_opf"])
def test_a_grid_that_its_dc_line_alone_can_t_feed_is_infeasible(solver):
    """Two parts: what one lacks comes by the DC line, and more than 12 MW doesn't."""
    net = pandapower.networks.case9()
    far = pandapower.create_bus(net, 345.0, min_vm_pu=0.9, max_vm_pu=1.1)
    away = pandapower.create_bus(net, 345.0, min_vm_pu=0.9, max_vm_pu=1.1)
    pandapower.create_line_from_parameters(net, far, away, 1, 0.1, 1.0, 1.0, 1.0)
    pandapower.create_gen(
        net, far, 0.0, min_p_mw=0, max_p_mw=5, min_q_mvar=-50, max_q_mvar=50, slack=True
    )
    pandapower.create_dcline(
        net, 4, away, 5.0, 0.0, 0.0, 1.0, 1.0, max_p_mw=12,
        min_q_from_mvar=-10, max_q_from_mvar=10, min_q_to_mvar=-10, max_q_to_mvar=10,
    )  # fmt: skip
    load = pandapower.create_load(net, away, 16.0)
    assert solve(prepare(net), AS_GIVEN, solver, {}).status == "ok"
    net.load.loc[load, "p_mw"] = 20.0
    short = solve(prepare(net), AS_GIVEN, solver, {})
    assert short.status == "infeasible"
    assert "lacks" in short.detail


# ---- Through a job ---------------------------------------------------------------------------

ANGLES = np.arange(12)
PYPSA = {
    "buses": "name,v_nom\nA,110\nB,110\nC,110\n",
    "lines": "name,bus0,bus1,x,r,s_nom\nAB,A,B,10,1,60\nBC,B,C,10,1,60\nCA,C,A,10,1,60\n",
    "generators": (
        "name,bus,control,p_nom,marginal_cost\ng,A,Slack,150,20\nh,B,PQ,150,50\nw,C,PQ,60,0\n"
    ),
    "loads": "name,bus\nl,B\n",
    "storage_units": (
        "name,bus,p_nom,state_of_charge_initial,cyclic_state_of_charge,max_hours,"
        "efficiency_store,efficiency_dispatch,standing_loss\n"
        "s,B,25,0,True,4,0.9,0.95,0.01\nt,C,15,30,False,6,0.95,0.9,0\n"
    ),
    "snapshots": "snapshot\n" + "".join(f"2030-01-01 {n:02}:00\n" for n in ANGLES),
    "loads-p_set": "snapshot,l\n"
    + "".join(f"2030-01-01 {n:02}:00,{float(90 + 40 * np.cos(n / 2))}\n" for n in ANGLES),
    "generators-p_max_pu": "snapshot,w\n"
    + "".join(f"2030-01-01 {n:02}:00,{float(0.5 + 0.5 * np.sin(n))}\n" for n in ANGLES),
}
FOUND_BY_PYPSA = 13407.57987895836
"""What ``n.optimize()`` of PyPSA 1.4 finds for this network, by linopy and HiGHS."""


@pytest.mark.workflow
def test_half_a_day_costs_what_pypsa_finds(workspace):
    (workspace.path / "north").mkdir()
    for name, text in PYPSA.items():
        (workspace.path / "north" / f"{name}.csv").write_text(text)
    workspace.write("limits.csv", "element,id,max_e_mwh,end_soc_percent\nstorage,t,20,50\n")
    common = {"solver": "dc_opf", "time_slices": "all"}
    scenarios = [
        {"id": "stored", **common, "options": {"storage": True}},
        {"id": "held", **common},
        {"id": "small", **common, "options": {"storage": True}, "limits": "limits.csv"},
        {"id": "ac", **common, "options": {"storage": True}, "solver": "ac_opf"},
    ]
    workspace.write("manifest.json", {"grid": "north", "scenarios": scenarios})
    workspace.configure()
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    rows = {
        one["id"]: pd.read_parquet(workspace.batch / f"job_{one['id']}" / "result.parquet")
        for one in scenarios
    }
    assert {status for table in rows.values() for status in table["status"].dropna()} == {"ok"}
    cost = {name: table["objective"].sum() for name, table in rows.items()}
    assert cost["stored"] == pytest.approx(FOUND_BY_PYPSA, rel=1e-9)
    assert cost["stored"] < cost["small"] < cost["held"]
    held = rows["small"][(rows["small"]["element"] == "storage") & (rows["small"]["id"] == 1)]
    assert held["e_mwh"].max() <= 20 + 1e-6
    assert held["e_mwh"].iloc[-1] >= 10 - 1e-6
    assert rows["held"]["e_mwh"].isna().all()


def test_costs_count_by_the_hours_that_a_snapshot_lasts():
    """Four dear hours and a cheap one: power is moved from the cheap hour to the dear ones."""
    net = pandapower.create_empty_network()
    for _ in range(2):
        pandapower.create_bus(net, 110.0)
    pandapower.create_ext_grid(net, 0, min_p_mw=0, max_p_mw=60)
    pandapower.create_gen(net, 1, 0.0, min_p_mw=0, max_p_mw=100)
    pandapower.create_load(net, 1, 50.0)
    pandapower.create_line_from_parameters(net, 0, 1, 1.0, 0.1, 5.0, 0.0, 9.0)
    pandapower.create_poly_cost(net, 0, "ext_grid", cp1_eur_per_mw=10.0)
    pandapower.create_poly_cost(net, 0, "gen", cp1_eur_per_mw=12.0)
    pandapower.create_storage(net, 1, 0.0, 100.0, soc_percent=50, min_p_mw=-40, max_p_mw=40)
    model = prepare(net)
    states = [State(f"h{n}", (change("load", "p_mw", [mw]),)) for n, mw in enumerate((50.0, 70.0))]
    options = {"storage": True, "snapshot_hours": [1.0, 4.0]}
    for solver in ("dc_opf", "ac_opf"):
        solutions = solve_together(model, states, solver, options)
        without = [solve(model, state, solver, {}) for state in states]
        hours = np.array(options["snapshot_hours"])
        cost = hours @ [one.objective for one in solutions]
        assert cost < hours @ [one.objective for one in without]
        # Charging 10 MW in the cheap hour saves 2.5 MW at 12 in each of the dear ones.
        if solver == "dc_opf":
            assert cost == pytest.approx(600 + 4 * (600 + 12 * 7.5), rel=1e-6)
            assert solutions[1].elements["bus"]["lam_p"] == pytest.approx([12.0] * 2, abs=1e-4)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("self_discharge_percent_per_hour", [0.0, 120.0, 0.0]),
        ("self_discharge_percent_per_hour", [0.0, -5.0, 0.0]),
        ("soc_percent", [50.0, -10.0, 50.0]),
        ("max_e_mwh", [300.0, 200.0, np.nan]),
    ],
)
def test_what_a_storage_can_t_be_is_refused(day, column, values):
    wrong = change("storage", column, values)
    states = [State(one.snapshot, (*one.changes, wrong)) for one in hours(day, 2)]
    with pytest.raises(SolverError, match="out of range"):
        solve_together(prepare(day), states, "dc_opf", {"storage": True})


def test_what_may_be_chosen_is_the_same_in_tied_snapshots(day):
    states = hours(day, 2)
    fixed = change("storage", "controllable", [False, True, True])
    states[1] = State("h1", (*states[1].changes, fixed))
    with pytest.raises(SolverError, match="what may be chosen differs"):
        solve_together(prepare(day), states, "dc_opf", {"storage": True})


def test_redispatch_costs_nothing_for_what_is_out_of_service():
    net = pandapower.networks.case9()
    pandapower.create_gen(net, 4, 33.0, min_p_mw=0, max_p_mw=50, in_service=False)
    net.line["max_loading_percent"] = 1000.0
    solution = solve(prepare(net), AS_GIVEN, "dc_opf", {"objective": "redispatch"})
    assert solution.objective == pytest.approx(0.0, abs=1e-6)


def test_a_secured_dispatch_has_its_dc_lines_after_contingencies_too():
    """A ring of lines of 95 MW feeds 110 MW: after a loss the DC line has to carry 15 MW."""
    net = pandapower.create_empty_network()
    for _ in range(3):
        pandapower.create_bus(net, 110.0)
    pandapower.create_ext_grid(net, 0, min_p_mw=0, max_p_mw=500)
    pandapower.create_load(net, 2, 110.0)
    for first, second in ((0, 1), (1, 2), (0, 2)):
        pandapower.create_line_from_parameters(net, first, second, 1, 0.1, 5.0, 0.0, 0.5)
    net.line["max_loading_percent"] = 100.0
    pandapower.create_dcline(net, 0, 2, 1.0, 0.0, 0.0, 1.0, 1.0, max_p_mw=60)
    model = prepare(net)
    found = contingencies_of(ElementIndex(net), Contingencies(1, ("line",)))
    criteria = {"": Criteria.of(net, Limits())}
    study = Study("dc_opf", {"secure": True}, contingencies=found, criteria=criteria)
    solver = ContingencySolver(model, AS_GIVEN, study, criteria)
    assert solver.base.status == "ok", solver.base.detail
    assert solver.base.elements["dcline"]["p_from_mw"][0] > 14
    solved = solver.solve(found)
    for numbers, block in solved.found:
        for number, loading, status in zip(
            numbers, block.system["max_loading_percent"], block.system["status"], strict=True
        ):
            assert status == "islanded" or loading <= 100 + 1e-3, solved.names[number]
