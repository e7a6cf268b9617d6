"""Cascades worked out by hand, and on larger grids by what holds in every state that rests."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pandapower
import pandas as pd
import pytest

from gat_batch.contingency.consequences.islands import spread
from gat_batch.contingency.solver import ContingencySolver
from gat_batch.grids.bundled import read_bundled
from gat_batch.grids.elements import ElementIndex
from gat_batch.model.contingencies.every import contingencies_of
from gat_batch.model.criteria import Criteria
from gat_batch.model.grid_model import prepare
from gat_batch.model.state import State
from gat_batch.model.violations import Limits
from gat_batch.solvers.study import Study
from gat_batch.study.scenario import Cascade, Contingencies

AS_GIVEN = State(None, ())


def grid(*buses):
    """Buses at 110 kV and nothing else."""
    net = pandapower.create_empty_network()
    for name in buses:
        pandapower.create_bus(net, 110.0, name=name)
    return net


def line(net, first, second, x_ohm=10.0, mw=50.0):
    kiloampere = mw / (np.sqrt(3) * 110.0)
    return pandapower.create_line_from_parameters(
        net, first, second, 1.0, 0.001, x_ohm, 0.0, kiloampere
    )


def rounds(net, name, trip, *, solver="dc", most=20):
    model = prepare(deepcopy(net))
    criteria = {"": Criteria.of(model.net, Limits())}
    contingencies = ContingencySolver(model, AS_GIVEN, Study(solver, {}), criteria)
    asked = Contingencies(1, ("line", "trafo", "gen"))
    one = next(c for c in contingencies_of(ElementIndex(net), asked) if c.name == name)
    return model, list(contingencies.following(one, Cascade(trip, most)))


def test_two_of_three_lines_can_t_carry_what_three_can():
    """90 MW over three lines of 50 MW: 45 each after the first loss, which is 90 %."""
    net = grid("a", "b")
    pandapower.create_ext_grid(net, 0)
    pandapower.create_load(net, 1, 90.0)
    for _ in range(3):
        line(net, 0, 1)
    _, none = rounds(net, "line:0", 95.0)
    assert none == []
    _, (end,) = rounds(net, "line:0", 85.0)
    assert end.status == "islanded"
    assert end.system["unserved_mw"] == pytest.approx(90.0)
    assert "line:1, line:2 trip" in end.detail
    assert end.detail.startswith("round 1")
    assert "it rests" in end.detail


def test_a_part_that_is_cut_off_lives_on_its_generator_and_sheds():
    """Two parallel ways of unlike reactance feed b, whose own generator makes up to 30 of 70 MW.

    50 MW come from a: 2/3 and 1/3 over 10 and 20 ohms, ratings 50 and 30 MW. Without the first
    way the second has 50 of 30 MW, trips at 120 %, and b is alone: its generator goes from 20 to
    30 MW, and 40 MW of load are shed.
    """
    net = grid("a", "b")
    pandapower.create_ext_grid(net, 0)
    pandapower.create_gen(net, 1, 20.0, min_p_mw=5.0, max_p_mw=30.0, vm_pu=1.0)
    pandapower.create_load(net, 1, 70.0, 10.0)
    line(net, 0, 1, 10.0, 50.0)
    line(net, 0, 1, 20.0, 30.0)
    for solver in ("dc", "ac"):
        _, (end,) = rounds(net, "line:0", 120.0, solver=solver)
        assert "line:1 trip" in end.detail
        assert "2 islands" in end.detail
        assert "40 MW shed" in end.detail
        assert end.system["unserved_mw"] == pytest.approx(40.0, abs=1e-3)
        assert end.elements["gen"]["p_mw"] == pytest.approx([30.0], abs=1e-3)
        assert end.elements["load"]["p_mw"] == pytest.approx([30.0], abs=1e-3)
        if solver == "ac":
            assert end.elements["load"]["q_mvar"] == pytest.approx([30 / 7], abs=1e-3)


def test_what_is_too_much_goes_down_in_proportion():
    """A chain a-b-c that breaks at a-b: b and c have 60 MW of generation for 30 MW of load."""
    net = grid("a", "b", "c")
    pandapower.create_ext_grid(net, 0)
    pandapower.create_load(net, 0, 50.0)
    pandapower.create_gen(net, 1, 40.0, min_p_mw=0.0, max_p_mw=50.0)
    pandapower.create_gen(net, 2, 20.0, min_p_mw=0.0, max_p_mw=30.0)
    pandapower.create_load(net, 2, 30.0)
    line(net, 0, 1, mw=100.0)
    line(net, 1, 2, mw=100.0)
    _, (end,) = rounds(net, "line:0", 150.0)
    assert end.elements["gen"]["p_mw"] == pytest.approx([20.0, 10.0])
    assert end.elements["line"]["p_from_mw"][1] == pytest.approx(20.0)
    assert end.system["unserved_mw"] == pytest.approx(0.0, abs=1e-9)
    assert "2 islands" in end.detail


def test_round_after_round_until_there_are_no_more():
    """Four ways of growing rating: each loss puts more on the rest, one trips at a time."""
    net = grid("a", "b")
    pandapower.create_ext_grid(net, 0)
    pandapower.create_load(net, 1, 120.0)
    for rating in (40.0, 39.0, 59.0, 125.0):
        line(net, 0, 1, mw=rating)
    model, found = rounds(net, "line:0", 100.0)
    # 40 each on three: line 1 trips; 60 each on two: line 2 trips; 120 of 125 on the last one.
    assert len(found) == 2
    assert "round 1; line:1 trip" in found[0].detail
    assert "round 2; line:2 trip; it rests" in found[1].detail
    assert found[1].system["max_loading_percent"] == pytest.approx(96.0)
    _, one = rounds(net, "line:0", 100.0, most=1)
    assert "it still trips" in one[0].detail
    assert model.net.line["in_service"].all()


@pytest.mark.parametrize(
    ("low", "high", "missing", "chosen", "left"),
    [
        ([0, 0], [20, 40], 15, [15, 30], 0),
        ([0, 0], [20, 40], 45, [20, 40], 15),
        ([5, 0], [20, 40], -25, [5, 0], 0),
        ([5, 0], [20, 40], -40, [5, 0], -15),
        ([0, 0], [20, np.inf], 45, [10, 65], 0),
        ([10, 20], [10, 20], 0, [10, 20], 0),
    ],
)
def test_power_is_spread_by_the_room_that_limits_leave(low, high, missing, chosen, left):
    given = np.array([10.0, 20.0])
    found = spread(given, *(np.array(one, float) for one in (low, high)), float(missing))
    assert found[0] == pytest.approx(chosen)
    assert found[1] == pytest.approx(left)


@pytest.mark.parametrize(
    ("name", "solver", "count"),
    [("case118", "dc", 12), ("case118", "ac", 8), ("case1354pegase", "dc", 4)],
)
def test_what_rests_is_balanced_and_within_limits(name, solver, count):
    """In every last state generation is load and losses, and no generator is above its limit."""
    net = read_bundled(name)
    pandapower.rundcpp(net)
    net.line["max_i_ka"] = np.maximum(net.res_line["i_ka"] * 1.25, 0.1)
    if name == "case118":
        net.gen["max_p_mw"] = np.maximum(net.gen["max_p_mw"], net.gen["p_mw"])
        net.ext_grid["max_p_mw"] = 900.0
    else:
        net.ext_grid["max_p_mw"] = net.res_ext_grid["p_mw"].to_numpy() + 300.0
        net.gen["max_p_mw"] = np.maximum(net.gen["max_p_mw"], net.gen["p_mw"])
    model = prepare(deepcopy(net))
    criteria = {"": Criteria.of(model.net, Limits())}
    study = ContingencySolver(model, AS_GIVEN, Study(solver, {}), criteria)
    found = contingencies_of(ElementIndex(net), Contingencies(1, ("line",)))
    cascade = Cascade(120.0, 30)
    solved = study.solve(found[:200])
    numbers = solved.setting_off(120.0)[:count]
    assert len(numbers) >= count // 2
    ended = 0
    for number in numbers:
        turns = list(study.following(solved.possible[number], cascade))
        assert turns
        end = turns[-1]
        if not end.elements:
            continue
        ended += 1
        assert "it rests" in end.detail or "it still trips" in end.detail
        used = end.system["load_mw"] + end.system["loss_mw"]
        assert end.system["generation_mw"] == pytest.approx(used, abs=1e-4)
        for element in ("gen", "ext_grid"):
            power = np.nan_to_num(end.elements[element]["p_mw"])
            assert (power <= net[element]["max_p_mw"].to_numpy() + 0.01).all()
        total = net.load["p_mw"][net.load["in_service"]].sum()
        served = np.nansum(end.elements["load"]["p_mw"])
        assert served + end.system["unserved_mw"] == pytest.approx(total, abs=1e-3)
    assert ended > 0


@pytest.mark.workflow
def test_every_round_is_in_the_result(workspace):
    net = grid("a", "b")
    pandapower.create_ext_grid(net, 0)
    pandapower.create_load(net, 1, 120.0)
    for rating in (40.0, 39.0, 59.0, 125.0):
        line(net, 0, 1, mw=rating)
    pandapower.to_json(net, str(workspace.path / "grid.json"))
    manifest = {
        "grid": "grid.json",
        "contingencies": "n-1",
        "cascade": {"trip_above_percent": 100},
        "scenarios": [
            {"id": "dc", "solver": "dc"},
            {"id": "light", "solver": "ac", "load_scale": 0.2},
        ],
    }
    workspace.write("manifest.json", manifest)
    run = workspace.run()
    assert run.returncode == 0, run.stderr
    rows = pd.read_parquet(workspace.result("dc"))
    system = rows[rows["element"] == "system"]
    names = system["contingency"].dropna().tolist()
    assert [name for name in names if name.startswith("line:0")] == [
        "line:0",
        "line:0|1",
        "line:0|2",
    ]
    assert "it rests" in system.set_index("contingency").loc["line:0|2", "detail"]
    light = pd.read_parquet(workspace.result("light"))
    assert not light["contingency"].dropna().str.contains("|", regex=False).any()
    status = json.loads((workspace.batch / "batch_manifest.json").read_text())
    assert status["completed"] == 2
