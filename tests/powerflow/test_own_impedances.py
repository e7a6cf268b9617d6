"""Equations of a grid with other impedances, made of those of the grid as given."""

from __future__ import annotations

from copy import copy, deepcopy

import numpy as np
import pandapower
import pandapower.control
import pandapower.networks
import pandas as pd
import pytest
from power_flow_studies import assert_same

from gat_batch.grids.bundled import read_bundled
from gat_batch.grids.pandapower_json import read_json
from gat_batch.model.grid_model import prepare, with_own_impedances
from gat_batch.model.state import Change, State
from gat_batch.powerflow import admittances
from gat_batch.solvers.study import solve

COLUMNS = {
    "line": ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "g_us_per_km"),
    "trafo": ("vk_percent", "vkr_percent", "i0_percent", "pfe_kw"),
    "trafo3w": ("vk_hv_percent", "vkr_lv_percent"),
    "impedance": ("rft_pu", "xft_pu"),
}
TWO_WINDINGS = ("line", "trafo")


def mesh():
    """Taps, phase shifts, parallel branches, iron losses, open ends, windings, star points."""
    net = pandapower.networks.example_multivoltage()
    net.xward = net.xward.iloc[:0]
    net.trafo["i0_percent"] = 0.3
    net.line["parallel"] = 2
    net.line["g_us_per_km"] = 1.5
    return net


GRIDS = {
    "case30": lambda: read_bundled("case30"),
    "case118": lambda: read_bundled("case118"),
    "mesh": mesh,
    "simple": pandapower.networks.example_simple,
}


def changed(net, elements=TWO_WINDINGS, seed=0):
    rng = np.random.default_rng(seed)
    own = copy(net)
    for element in elements:
        own[element] = net[element].copy()
        for name in COLUMNS[element]:
            # Short-circuit voltages must stay above their real part.
            span = (0.8, 1.0) if name.startswith("vkr") else (1.0, 1.25)
            own[element][name] = net[element][name] * rng.uniform(*span, len(net[element]))
    return own


@pytest.fixture
def posed(monkeypatch):
    """Networks whose equations pandapower posed."""
    nets, real = [], admittances.admittances_of

    def noted(net, *arguments, **keywords):
        nets.append(net)
        return real(net, *arguments, **keywords)

    monkeypatch.setattr(admittances, "admittances_of", noted)
    return nets


@pytest.mark.parametrize("trafo_model", ["t", "pi"])
@pytest.mark.parametrize("solver", ["ac", "dc"])
@pytest.mark.parametrize("name", GRIDS)
def test_they_are_those_that_pandapower_poses(name, solver, trafo_model, posed):
    model = prepare(GRIDS[name]())
    for seed in range(2):
        own = changed(model.net, seed=seed)
        found = solve(
            with_own_impedances(model, own), State(None, ()), solver, {"trafo_model": trafo_model}
        )
        run = pandapower.rundcpp if solver == "dc" else pandapower.runpp
        net = deepcopy(own)
        angles = {} if solver == "dc" else {"tolerance_mva": 1e-10}
        run(net, trafo_model=trafo_model, **angles)
        assert_same(found, net, solver)
    assert len(posed) == 1
    assert posed[0] is model.net


@pytest.mark.parametrize("solver", ["ac_opf", "dc_opf"])
def test_optima_are_those_of_equations_posed_anew(solver, posed):
    model = prepare(read_bundled("case118"))
    own = changed(model.net)
    found = solve(with_own_impedances(model, own), State(None, ()), solver, {})
    wanted = solve(prepare(deepcopy(own)), State(None, ()), solver, {})
    assert found.objective == pytest.approx(wanted.objective, rel=1e-7)
    assert sum(net is own for net in posed) == 0


def test_outages_and_taps_lie_on_top_of_them():
    model = prepare(mesh())
    own = changed(model.net)
    out = own.line["in_service"].to_numpy(copy=True)
    out[1] = False
    taps = own.trafo["tap_pos"].to_numpy(float) + 1
    state = State(None, (Change("line", "in_service", out), Change("trafo", "tap_pos", taps)))
    found = solve(with_own_impedances(model, own), state, "ac", {})
    net = deepcopy(own)
    net.line["in_service"], net.trafo["tap_pos"] = out, taps
    pandapower.runpp(net, tolerance_mva=1e-10)
    assert_same(found, net, "ac")


def by_tap(net):
    net.trafo["tap_dependency_table"] = True
    net.trafo["id_characteristic_table"] = 0
    steps = np.arange(-10, 11)
    net["trafo_characteristic_table"] = pd.DataFrame(
        {
            "id_characteristic": 0,
            "step": steps,
            "voltage_ratio": 1 + steps / 100,
            "angle_deg": 0.0,
            "vk_percent": 12 + steps / 10,
            "vkr_percent": 0.3,
        }
    )


@pytest.mark.parametrize(
    ("elements", "options", "also"),
    [
        (("trafo3w",), {}, None),
        (("impedance",), {}, None),
        (TWO_WINDINGS, {"consider_line_temperature": True}, "warm"),
        (("trafo",), {}, "leakage"),
        (("line",), {}, "new capacitance"),
    ],
)
def test_what_does_not_follow_is_posed_anew(elements, options, also, posed):
    net = mesh()
    if also == "warm":
        net.line["temperature_degree_celsius"] = 60.0
        net.line["alpha"] = 0.004
    if also == "leakage":
        net.trafo["leakage_resistance_ratio_hv"] = 0.3
        net.trafo["leakage_reactance_ratio_hv"] = 0.3
    if also == "new capacitance":
        net.line.loc[[0, 2], ["c_nf_per_km", "g_us_per_km"]] = 0.0
    model = prepare(net)
    own = changed(net, elements)
    if also == "new capacitance":
        own.line.loc[0, "c_nf_per_km"] = 200.0
    found = solve(with_own_impedances(model, own), State(None, ()), "ac", options)
    assert any(one is own for one in posed)
    net = deepcopy(own)
    pandapower.runpp(net, tolerance_mva=1e-10, **options)
    assert_same(found, net, "ac")


def test_impedances_that_follow_from_taps_are_left_to_pandapower(posed):
    net = mesh()
    by_tap(net)
    model = prepare(net)
    own = changed(net, ("trafo",))
    found = solve(with_own_impedances(model, own), State(None, ()), "ac", {})
    assert any(one is own for one in posed)
    net = deepcopy(own)
    pandapower.runpp(net, tolerance_mva=1e-10)
    assert_same(found, net, "ac")


def test_taps_that_hold_voltages_are_those_of_each_grid(tmp_path):
    net = pandapower.networks.mv_oberrhein()
    for index in net.trafo.index:
        pandapower.control.DiscreteTapControl(net, int(index), 1.0, 1.02, side="lv")
    pandapower.to_json(net, tmp_path / "net.json")
    model = prepare(read_json(tmp_path / "net.json"))
    options = {"tap_control": True}
    given = solve(model, State(None, ()), "ac", options)
    for seed in range(2):
        own = changed(model.net, seed=seed)
        found = solve(with_own_impedances(model, own), State(None, ()), "ac", options)
        wanted = solve(prepare(deepcopy(own)), State(None, ()), "ac", options)
        assert found.engine == wanted.engine != "pandapower"
        for element in ("bus", "line", "trafo"):
            for name, values in wanted.elements[element].items():
                ours = found.elements[element][name]
                np.testing.assert_allclose(ours, values, rtol=1e-7, atol=1e-6)
    again = solve(model, State(None, ()), "ac", options)
    np.testing.assert_array_equal(again.elements["bus"]["vm_pu"], given.elements["bus"]["vm_pu"])
