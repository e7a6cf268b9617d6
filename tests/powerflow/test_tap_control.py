"""Taps settle where pandapower's controllers leave them, on both roads, read as data from files."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandapower
import pandapower.control
import pandapower.networks
import pandas as pd
import pytest
from power_flow_studies import AS_GIVEN, Study, assert_same, grid

from gat_batch.errors import GridError
from gat_batch.grids.elements import ElementIndex
from gat_batch.grids.pandapower_json import read_json, write_json
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import Change, State, scenario_states
from gat_batch.solvers.study import solve
from gat_batch.study.scenario import Outage

OPTIONS = {"tap_control": True, "tolerance_mva": 1e-10}


def tapped(net, transformers, *, low=0.99, high=1.01, side="lv", step=1.25):
    """Give transformers a tap changer and a discrete controller each."""
    for index in transformers:
        row = {"tap_side": "hv", "tap_neutral": 0, "tap_min": -9, "tap_max": 9, "tap_pos": 0}
        for name, value in row.items():
            net.trafo.loc[index, name] = value
        net.trafo.loc[index, ["tap_step_percent", "tap_changer_type"]] = [step, "Ratio"]
        pandapower.control.DiscreteTapControl(net, int(index), low, high, side=side)
    return net


def feeders():
    net = grid("mv_oberrhein")
    return tapped(net, net.trafo.index, low=1.0, high=1.02)


def one_at_an_array():
    net = grid("mv_oberrhein")
    bands = {"vm_lower_pu": 1.0, "vm_upper_pu": 1.02}
    pandapower.control.DiscreteTapControl(net, list(net.trafo.index), **bands)
    return net


def transmission():
    net = grid("case118")
    return tapped(net, net.trafo.index, low=0.97, high=1.0)


def many():
    net = grid("case300")
    held = set(net.gen["bus"]) | set(net.ext_grid["bus"])
    chosen = net.trafo.index[~net.trafo["lv_bus"].isin(held)][:20]
    assert len(chosen) == 20
    return tapped(net, chosen, low=0.98, high=1.03, step=0.8)


def three_windings():
    net = pandapower.networks.example_multivoltage()
    pandapower.control.DiscreteTapControl(net, 0, 1.01, 1.04, side="mv", element="trafo3w")
    return tapped(net, net.trafo.index[:1], low=1.0, high=1.025)


def levels():
    net = grid("case118")
    for level, index in enumerate(net.trafo.index[:4]):
        tapped(net, [index], low=0.98, high=1.0)
        net.controller.loc[level, "level"] = level % 2
    return net


GRIDS = [feeders, one_at_an_array, transmission, many, three_windings, levels]


def stored(net, folder):
    """The network as a batch gets it: from a file."""
    path = folder / "net.json"
    path.write_text(pandapower.to_json(net), encoding="utf-8")
    return read_json(path)


@pytest.mark.parametrize("made", GRIDS)
def test_taps_settle_where_pandapower_leaves_them(made, tmp_path):
    net = made()
    model = prepare(stored(net, tmp_path))
    assert not len(model.net.controller)
    # The largest grid doesn't reach more digits.
    tolerance_mva = 1e-9 if made is many else 1e-10
    # Nor does it stand as much.
    spread = (0.9, 1.0) if made is many else (0.4, 1.15)
    options = OPTIONS | {"tolerance_mva": tolerance_mva}
    rng = np.random.default_rng(4)
    moved = 0
    for number in range(100):
        scale = rng.uniform(*spread, len(net.load)) if number else 1.0
        power = [net.load[name].to_numpy() * scale for name in ("p_mw", "q_mvar")]
        changes = (Change("load", "p_mw", power[0]), Change("load", "q_mvar", power[1]))
        fast = solve(model, State(None, changes), "ac", options)
        assert fast.engine == "lightsim2grid"
        # pandapower takes a while: a tenth of the states is compared in full.
        if number % 10 and number > 10:
            assert fast.status in ("ok", "not_converged")
            continue
        plain = deepcopy(net)
        plain.load["p_mw"], plain.load["q_mvar"] = power
        pandapower.runpp(plain, run_control=True, numba=False, tolerance_mva=tolerance_mva)
        assert_same(fast, plain, "ac")
        for element in ("trafo", "trafo3w"):
            if len(net[element]):
                taps = fast.elements[element]["tap_pos"]
                np.testing.assert_array_equal(taps, plain[element]["tap_pos"])
                moved += (taps != net[element]["tap_pos"]).sum()
        if number < 2:
            slow = solve(model, State(None, changes), "ac", options, engine="pandapower")
            assert_same(slow, plain, "ac")
            np.testing.assert_array_equal(slow.elements["trafo"]["tap_pos"], plain.trafo["tap_pos"])
    assert moved > 3


def test_outages_and_other_options_go_with_it(tmp_path):
    net = transmission()
    model = prepare(stored(net, tmp_path))
    outages = (Outage("line", 5), Outage("trafo", 2))
    (state,) = scenario_states(ElementIndex(model.net), Study(outages), None, None)
    options = OPTIONS | {"enforce_q_lims": True}
    fast = solve(model, state, "ac", options)
    plain = deepcopy(net)
    plain.line.loc[5, "in_service"] = plain.trafo.loc[2, "in_service"] = False
    pandapower.runpp(plain, run_control=True, numba=False, tolerance_mva=1e-10, enforce_q_lims=True)
    assert fast.engine == "lightsim2grid"
    assert_same(fast, plain, "ac")
    np.testing.assert_array_equal(fast.elements["trafo"]["tap_pos"], plain.trafo["tap_pos"])


def test_a_hunt_ends_and_is_named(tmp_path):
    net = tapped(grid("mv_oberrhein"), [114], low=1.0, high=1.001, step=3.0)
    model = prepare(stored(net, tmp_path))
    fast, slow = (solve(model, AS_GIVEN, "ac", OPTIONS, engine=e) for e in ("auto", "pandapower"))
    assert (fast.status, slow.status) == ("not_converged", "not_converged")
    assert fast.detail.startswith("tap control doesn't settle in 30 rounds: trafo 114 between taps")
    assert "Maximum number of iterations per controller" in slow.detail
    # Without control the same grid is solved.
    assert solve(model, AS_GIVEN, "ac", {}).status == "ok"


def test_continuous_control_is_left_to_pandapower(tmp_path):
    net = grid("mv_oberrhein")
    pandapower.control.ContinuousTapControl(net, list(net.trafo.index), 1.01)
    model = prepare(stored(net, tmp_path))
    before = model.net.trafo.copy()
    solution = solve(model, AS_GIVEN, "ac", OPTIONS)
    pandapower.runpp(net, run_control=True, numba=False, tolerance_mva=1e-10)
    assert solution.engine == "pandapower"
    assert solution.left
    assert_same(solution, net, "ac")
    np.testing.assert_allclose(solution.elements["trafo"]["tap_pos"], net.trafo["tap_pos"])
    assert model.net.trafo.equals(before)


def test_controllers_are_kept_when_a_grid_is_written(tmp_path):
    first = stored(feeders(), tmp_path)
    write_json(first, tmp_path / "again.json")
    again = read_json(tmp_path / "again.json")
    assert again["tap_control"].astype(str).equals(first["tap_control"].astype(str))


def test_other_controllers_are_still_refused(tmp_path):
    net = feeders()
    pandapower.control.ConstControl(net, "load", "p_mw", 0)
    with pytest.raises(GridError, match=r"pandapower\.control\.controller\.const_control"):
        stored(net, tmp_path)


def test_a_batch_controls_taps_and_tells_them(workspace):
    workspace.write("net.json", pandapower.to_json(feeders()))
    scenarios = [{"id": "free"}, {"id": "held", "options": {"tap_control": True}}]
    content = {"grid": "net.json", "solver": "ac", "scenarios": scenarios}
    workspace.write("manifest.json", content)
    assert workspace.run().returncode == 0
    net = feeders()
    pandapower.runpp(net, run_control=True, numba=False)
    rows = pd.read_parquet(workspace.result("held"))
    taps = rows[rows["element"] == "trafo"].set_index("id")["tap_pos"]
    assert taps.to_dict() == net.trafo["tap_pos"].to_dict()
    assert pd.read_parquet(workspace.result("free"))["tap_pos"].isna().all()
