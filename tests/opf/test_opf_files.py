"""Optimal power flow of files that nobody here made, and of the kinds of grids found in them."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandapower
import pyarrow.parquet as pq
import pypower.api
import pytest
from conftest import ROOT
from numpy.testing import assert_allclose
from opf_studies import AS_GIVEN, change, prepared, published

from gat_batch.grids import grid_ref, read_grid, write_grid
from gat_batch.grids.bundled import read_bundled
from gat_batch.grids.slack import references
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State
from gat_batch.opf.ac.start import unwrapped
from gat_batch.opf.dispatch import dispatch_of
from gat_batch.opf.optimum import residual_of
from gat_batch.powerflow.admittances import cached_admittances
from gat_batch.solvers.study import solve

PGLIB = ROOT.parent / "shared" / "grids" / "pglib"

PUBLISHED = {
    "case5_pjm": 1.7552e4,
    "case30_as": 8.0313e2,
    "case39_epri": 1.3842e5,
    "case179_goc": 7.5427e5,
    "case240_pserc": 3.3297e6,
    "case300_ieee": 5.6522e5,
    "case500_goc": 4.5495e5,
}
"""Optima in currency an hour, from BASELINE.md of PGLib-OPF."""


@pytest.mark.workflow
@pytest.mark.skipif(not PGLIB.is_dir(), reason="shared/grids isn't beside the checkout")
def test_files_of_pglib_have_their_published_optima(workspace):
    """Generators at PQ buses, wrapped angles, no generator at the reference, unsolved starts."""
    scenarios = [
        {"id": name, "grid": str(PGLIB / f"pglib_opf_{name}.m"), "solver": "ac_opf"}
        for name in PUBLISHED
    ]
    workspace.write("manifest.json", {"scenarios": scenarios})
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    for name, cost in PUBLISHED.items():
        system = pq.read_table(workspace.result(name)).to_pylist()[0]
        assert system["status"] == "ok", (name, system["detail"])
        assert system["objective"] == pytest.approx(cost, rel=1e-4), name


def thirty(bus_type):
    """The published case of 30 buses with its generators but the first at buses of one type."""
    case = deepcopy(pypower.api.case30())
    case["bus"][np.isin(case["bus"][:, 0], case["gen"][1:, 0]), 1] = bus_type
    return published(case)


@pytest.mark.parametrize("solver", ["ac_opf", "dc_opf"])
def test_type_of_a_bus_is_of_no_account_to_the_optimum(solver):
    held, loose = (prepare(thirty(kind)) for kind in (2, 1))
    assert (len(held.net.sgen), len(loose.net.gen)) == (0, 0)
    before, after = (solve(model, AS_GIVEN, solver, {}) for model in (held, loose))
    assert after.objective == pytest.approx(before.objective, rel=1e-6)
    tolerance = {"rtol": 0, "atol": 1e-3}
    assert_allclose(after.elements["sgen"]["p_mw"], before.elements["gen"]["p_mw"], **tolerance)
    if solver == "ac_opf":
        assert after.objective == pytest.approx(576.89, rel=1e-4)


def test_generator_at_a_pq_bus_still_injects_its_power_in_a_power_flow():
    case = deepcopy(pypower.api.case30())
    case["gen"][1, 2] = 7.0
    case["bus"][np.isin(case["bus"][:, 0], case["gen"][1:, 0]), 1] = 1
    net = published(case)
    solution = solve(prepare(net), AS_GIVEN, "ac", {})
    assert solution.elements["sgen"]["p_mw"].tolist() == case["gen"][1:, 1].tolist()
    assert solution.elements["sgen"]["q_mvar"][0] == 7.0


@pytest.mark.parametrize("name", ["grid.arrow", "grid.m", "grid.json"])
def test_generators_at_pq_buses_survive_conversion(tmp_path, name):
    net = thirty(1)
    dropped = write_grid(net, tmp_path / name)
    assert not any("sgen" in text for text in dropped)
    again = read_grid(grid_ref(name, tmp_path))
    assert len(again.sgen) == len(net.sgen)
    optima = [solve(prepare(grid), AS_GIVEN, "ac_opf", {}).objective for grid in (net, again)]
    assert optima[1] == pytest.approx(optima[0], rel=1e-8)
    flows = []
    for grid in (net, again):
        pandapower.runpp(grid, tolerance_mva=1e-10, numba=False)
        flows.append(grid.res_ext_grid[["p_mw", "q_mvar"]].to_numpy())
    assert_allclose(flows[1], flows[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("engine", ["auto", "pandapower"])
@pytest.mark.parametrize("solver", ["ac_opf", "dc_opf"])
def test_what_is_fixed_costs_too(solver, engine):
    net = read_bundled("case9")
    pandapower.create_sgen(net, 4, p_mw=20.0, q_mvar=2.0, scaling=0.5)

    def cost(*changes):
        model = prepare(net)
        solution = solve(model, State(None, changes), solver, {}, engine=engine)
        assert (solution.engine == "pandapower") == (engine == "pandapower")
        return solution.objective

    out = change("sgen", "in_service", [False])
    before = cost(), cost(out)
    pandapower.create_poly_cost(net, 0, "sgen", cp1_eur_per_mw=3.0, cp0_eur=5.0)
    pandapower.create_pwl_cost(net, 1, "load", [[0.0, 50.0, -1.0], [50.0, 100.0, 2.0]])
    served = net.load["p_mw"].iloc[1]
    assert served > 50
    load = -50.0 + 2.0 * (served - 50.0)
    after = cost(), cost(out)
    assert after == pytest.approx((before[0] + 35.0 + load, before[1] + load), rel=1e-7)


def without_a_generator_at_the_reference():
    """The published case of 30 buses, with the generator of its reference bus moved to bus 3."""
    case = deepcopy(pypower.api.case30())
    case["gen"][0, 0] = 3
    case["bus"][2, 1], case["bus"][0, 8] = 2, 4.0
    return case


@pytest.mark.parametrize("solver", ["ac_opf", "dc_opf"])
def test_reference_needs_no_generator(solver):
    case = without_a_generator_at_the_reference()
    model = prepare(published(case))
    assert not len(model.net.ext_grid)
    solution = solve(model, AS_GIVEN, solver, {})
    case["bus"][0, 1], case["bus"][2, 1] = 2, 3
    other = solve(prepare(published(case)), AS_GIVEN, solver, {})
    assert solution.objective == pytest.approx(other.objective, rel=1e-6)
    assert solution.elements["bus"]["va_degree"][0] == pytest.approx(4.0)
    assert not model.cut_off.any()
    assert not len(model.net.ext_grid)


@pytest.mark.parametrize("name", ["grid.arrow", "grid.m", "grid.json"])
def test_reference_without_a_generator_survives_conversion(tmp_path, name):
    net = published(without_a_generator_at_the_reference())
    write_grid(net, tmp_path / name)
    again = read_grid(grid_ref(name, tmp_path))
    assert list(references(again).values()) == [4.0]
    optima = [solve(prepare(grid), AS_GIVEN, "ac_opf", {}).objective for grid in (net, again)]
    assert optima[1] == pytest.approx(optima[0], rel=1e-8)


@pytest.mark.workflow
def test_power_flow_without_a_slack_is_refused_and_an_optimal_one_is_not(workspace):
    write_grid(published(without_a_generator_at_the_reference()), workspace.path / "grid.m")
    scenarios = [{"id": kind, "grid": "grid.m", "solver": kind} for kind in ("dc", "ac_opf")]
    workspace.write("manifest.json", {"scenarios": scenarios})
    run = workspace.run()
    assert run.returncode != 0
    assert "has no slack" in run.stdout + run.stderr
    assert not workspace.batch.exists()
    workspace.write("manifest.json", {"scenarios": scenarios[1:]})
    run = workspace.run()
    assert run.returncode == 0, run.stdout + run.stderr
    system = pq.read_table(workspace.result("ac_opf")).to_pylist()[0]
    assert system["status"] == "ok"


def test_start_that_does_not_converge_is_no_start():
    """Newton's method leaves nonsense where it fails; then phase shifts alone give the angles."""
    net = read_bundled("mv_oberrhein")
    net.load["p_mw"] *= 50
    assert (net.trafo["shift_degree"] == 150).all()
    admittances = cached_admittances(prepare(net), "ac", {"calculate_voltage_angles": True})
    assert_allclose(np.abs(admittances.start), 1.0)
    rows = admittances.row["bus"]
    angle = np.degrees(np.angle(admittances.start))
    hv, lv = (rows[net.bus.index.get_indexer(net.trafo[side])] for side in ("hv_bus", "lv_bus"))
    across = (angle[hv] - angle[lv]) % 360
    assert_allclose(across, 150.0, atol=1e-6)


def test_angles_of_a_start_follow_the_branches():
    model = prepared("case39")
    admittances = cached_admittances(
        model, "ac", {"calculate_voltage_angles": True}, dispatched=True
    )
    dispatch = dispatch_of(model, AS_GIVEN, admittances, {})
    admittances.solvers.pop("unwrapped", None)
    true = np.angle(admittances.start)
    turned = true + np.linspace(0, 3.0, len(true))
    wrapped = np.angle(np.exp(1j * 2.5 * turned))
    admittances.start[:] = np.abs(admittances.start) * np.exp(1j * wrapped)
    try:
        angle = unwrapped(dispatch)
    finally:
        admittances.start[:] = np.abs(admittances.start) * np.exp(1j * true)
        admittances.solvers.pop("unwrapped")
    assert_allclose(np.exp(1j * angle), np.exp(1j * wrapped))
    ends = dispatch.ends
    assert (np.abs(angle[ends[:, 0]] - angle[ends[:, 1]]) <= np.pi).mean() > 0.8


def test_multiplier_of_a_bound_that_is_not_there_is_a_residual_of_its_size():
    inf = np.array([-np.inf]), np.array([1.0]), np.array([np.inf])
    assert residual_of(np.zeros(1), (*inf, np.array([1e-12])), objective=1.0) == 1e-12
    assert residual_of(np.zeros(1), (*inf, np.array([0.5])), objective=1.0) == 0.5


@pytest.mark.parametrize("solver", ["ac", "ac_opf", "dc_opf"])
def test_branch_without_reactance(solver):
    """AC can represent it; a DC power flow, which divides by the reactance, has a tiny one."""
    net = read_bundled("case9")
    net.line.loc[0, ["x_ohm_per_km", "r_ohm_per_km"]] = [0.0, 0.5]
    model = prepare(net)
    assert not model.cut_off.any()
    solution = solve(model, AS_GIVEN, solver, {})
    assert solution.status == "ok"
    if solver == "ac":
        plain = deepcopy(net)
        pandapower.runpp(plain, init="flat", tolerance_mva=1e-10, numba=False)
        for column in ("vm_pu", "va_degree"):
            mine = solution.elements["bus"][column]
            assert_allclose(mine, plain.res_bus[column], rtol=0, atol=1e-8)


@pytest.mark.workflow
def test_dc_study_of_a_branch_without_reactance_is_refused_by_its_name(workspace):
    net = read_bundled("case14")
    net.line.loc[2, "x_ohm_per_km"] = 0.0
    write_grid(net, workspace.path / "line.json")
    net.trafo.loc[2, ["vk_percent", "vkr_percent"]] = 1.0
    write_grid(net, workspace.path / "grid.json")
    scenarios = [{"id": kind, "grid": "grid.json", "solver": kind} for kind in ("dc_opf", "ac")]
    workspace.write("manifest.json", {"scenarios": scenarios})
    run = workspace.run()
    assert run.returncode != 0
    assert "trafo 2 has no reactance" in run.stdout + run.stderr
    alone = {"id": "line", "grid": "line.json", "solver": "dc_opf"}
    workspace.write("manifest.json", {"scenarios": [*scenarios[1:], alone]})
    assert workspace.run().returncode == 0
    # From no start it has a power flow: that is a result, and no failure.
    assert pq.read_table(workspace.result("ac"))["status"][0].as_py() == "not_converged"
    assert pq.read_table(workspace.result("line"))["status"][0].as_py() == "ok"
