"""The states that the page holds are those of the results, and are chosen within bounds."""

from __future__ import annotations

import base64
import json

import numpy as np
import pandapower.networks
import pandas as pd
import pytest
from summary_files import files_in, results_of, write_result

from gat_batch.grids.connections import connections_of
from gat_batch.model.violations import Limits
from gat_batch.report.maps import packed as packing
from gat_batch.report.maps.geometry import geometry_of
from gat_batch.report.maps.one_line_diagram import one_line_diagram
from gat_batch.report.page import STATES, _json
from gat_batch.report.states import gathering
from gat_batch.report.states.choice import choose, thinned
from gat_batch.report.summary_tables import read_summary
from gat_batch.study.scenario import Scenario
from gat_batch.summary.batch_summary import summarise

LIMITS = Limits(90.0, (0.95, 1.05))
BUSES, LINES = (3, 5, 7), (0, 2)


def rows_of(rng, scenario, snapshot, contingency=None):
    """Rows of a state as results have them: one line is out in some, a bus cut off in others."""
    keys = {"scenario": scenario, "snapshot": snapshot, "contingency": contingency}
    loading = rng.uniform(0, 120, len(LINES))
    vm = rng.uniform(0.9, 1.1, len(BUSES))
    out, dead = rng.random(2) < 0.3
    loading[0] = np.nan if out else loading[0]
    vm[1] = np.nan if dead else vm[1]
    worst = {"max_loading_percent": np.nanmax(loading), "min_vm_pu": np.nanmin(vm)}
    yield keys | {"element": "system", "status": "ok", "load_mw": rng.uniform(1, 2)} | worst
    for index, value in zip(BUSES, vm, strict=True):
        yield keys | {"element": "bus", "id": index, "name": f"<b>{index}", "vm_pu": value}
    for index, value in zip(LINES, loading, strict=True):
        yield keys | {"element": "line", "id": index, "loading_percent": value}


def violation(scenario, snapshot, contingency, loading):
    keys = {"scenario": scenario, "snapshot": snapshot, "contingency": contingency}
    yield keys | {"element": "system", "status": "ok", "max_loading_percent": loading}
    if loading > 90:
        yield keys | {"element": "line", "id": 2, "loading_percent": loading, "limit": 90.0}


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    folder, rng, results = tmp_path_factory.mktemp("states"), np.random.default_rng(5), []
    for n in range(30):
        snapshots = [f"h{hour}" for hour in range(40)] if n % 10 == 3 else [None]
        rows = []
        for snapshot in snapshots:
            rows += rows_of(rng, f"s{n}", snapshot)
            if n in (2, 13):
                rows += violation(f"s{n}", snapshot, "line:0", 95.0 + n)
                rows += violation(f"s{n}", snapshot, "line:2", 50.0)
        path = folder / f"job_s{n}" / "result.parquet"
        write_result(path, rows)
        results.append((Scenario(f"s{n}", "grid", "ac"), path))
    files = files_in(folder)
    summarise(results_of(results), files, LIMITS)
    files.aggregated.rename(files.aggregated.with_name("aggregated_results.parquet"))
    return read_summary(files.aggregated.parent, LIMITS)


def of(summary, *, most):
    """The states shown, if so many are permitted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "MOST_STATES", most)
        return read_summary(summary.aggregated.parent, LIMITS).found.states["grid"]


def holds(summary, states):
    """Whether every value is that of the rows of all results."""
    rows = pd.read_parquet(summary.aggregated)
    rows = rows[rows["contingency"].isna()].fillna({"snapshot": ""})
    for kind, quantity, ids in (("bus", "vm_pu", BUSES), ("line", "loading_percent", LINES)):
        own = (
            rows[rows["element"] == kind]
            .set_index(["scenario", "snapshot", "id"])[quantity]
            .sort_index()
        )
        told = states.values[kind, quantity]
        assert told.shape == (len(states.table), len(ids))
        keys = states.table[["scenario", "snapshot"]].fillna("").itertuples(index=False, name=None)
        for values, key in zip(told, keys, strict=True):
            assert np.allclose(values, own.loc[key].loc[list(ids)], rtol=1e-6, equal_nan=True)


def test_all_states_are_shown_where_there_is_room(summary):
    states = of(summary, most=4000)
    assert states.total == len(states.table) == 27 + 3 * 40
    assert states.table["even"].all()
    holds(summary, states)


@pytest.mark.parametrize("most", [10, 60, 120])
def test_the_worst_and_an_even_choice_are_shown_where_there_is_not(summary, most):
    states = of(summary, most=most)
    assert states.total == 147
    assert most / 2 < len(states.table) <= most
    holds(summary, states)
    worst = summary.scenarios["max_loading_percent"].idxmax()
    loadings = states.table.set_index("scenario")["max_loading_percent"]
    assert loadings.loc[[worst]].max() == summary.scenarios["max_loading_percent"].max()
    assert 0.4 * most < states.table["even"].sum() < most


def test_scenarios_are_shown_whole_where_many_can_be():
    names = [f"s{n}" for n in range(300)]
    scenarios = pd.DataFrame(
        {
            "scenario": names,
            "snapshots": 24,
            "max_loading_percent": np.arange(300.0),
            "max_loading_snapshot": "h3",
            "min_vm_pu": 1.0,
            "min_vm_snapshot": None,
            "max_vm_pu": 1.0,
            "max_vm_snapshot": None,
        }
    )
    elements = pd.DataFrame(columns=["quantity", "worst_scenario", "worst_snapshot"])
    choice = choose(scenarios, elements, 1000)
    assert choice.total == 7200
    chosen = np.union1d(choice.even, choice.worst)
    assert 500 < len(chosen) <= 1000
    scenarios_chosen, count = np.unique(chosen // 24, return_counts=True)
    assert (count == 24).all()
    assert 299 in scenarios_chosen
    assert choice.scenarios() == {names[n] for n in scenarios_chosen}


def test_only_so_many_points_are_drawn_the_highest_among_them():
    table = pd.DataFrame({"value": np.random.default_rng(1).permutation(1000)})
    drawn = thinned(table, 100, "value")
    assert len(drawn) == 100
    assert set(range(950, 1000)) <= set(drawn["value"])
    assert drawn["value"].min() < 20
    assert thinned(table, 1000, "value") is table


def test_the_page_gets_what_the_states_hold(summary):
    (grid,) = packing.packed(summary, 10**7)
    states = summary.found.states["grid"]
    for part in grid["values"]:
        key = part["element"], part["quantity"]
        number = np.frombuffer(base64.b64decode(part["data"]), "<u2").astype(float)
        number[number == 65_535] = np.nan
        value = part["low"] + part["step"] * number.reshape(states.values[key].shape)
        assert np.allclose(value, states.values[key], atol=0.51 * part["step"], equal_nan=True)
    scenarios = [grid["scenarios"][n] for n in grid["states"]["scenario"]]
    assert scenarios == states.table["scenario"].tolist()
    line = grid["elements"]["line"]
    own = summary.elements[summary.elements["element"] == "line"]
    assert np.allclose(line["max"], own["max"], rtol=1e-4)
    assert [grid["scenarios"][n] for n in line["scenario"]] == own["worst_scenario"].tolist()


def test_contingencies_tell_the_limits_that_they_break(summary):
    (grid,) = packing.packed(summary, 10**7)
    told = grid["contingencies"]
    assert len(told["contingency"]) == 2 * 41
    for name, scenario, broken in zip(
        told["contingency"], told["scenario"], told["violations"], strict=True
    ):
        worst = {"s2": 97, "s13": 108}[grid["scenarios"][scenario]]
        assert broken == ({"line": [2, worst]} if name == "line:0" else {})


def test_fewer_states_are_shown_where_the_page_is_full(summary):
    whole = json.dumps(packing.packed(summary, 10**7), separators=(",", ":"))
    for share in (0.9, 0.7):
        room = int(len(whole) * share)
        (grid,) = packing.packed(summary, room)
        assert len(json.dumps([grid], separators=(",", ":"))) < room
        assert 1 < len(grid["states"]["scenario"]) < 147
    found = [grid]
    while found:
        (grid,) = found
        room = len(json.dumps(found, separators=(",", ":"))) - 1
        found = packing.packed(summary, room)
    # Where not even these few find room, the page does without the grid.
    assert len(grid["states"]["scenario"]) <= 4
    loadings = grid["states"]["max_loading_percent"]
    worst = summary.scenarios["max_loading_percent"].max()
    assert max(loadings) == pytest.approx(worst, rel=1e-4)


def test_without_rows_of_elements_there_are_no_states(tmp_path):
    path = tmp_path / "job_a" / "result.parquet"
    keys = {"scenario": "a", "snapshot": None, "contingency": None, "element": "system"}
    write_result(path, [{**keys, "status": "ok", "load_mw": 1.0}], keep="system")
    files = files_in(tmp_path)
    summarise(results_of([(Scenario("a", "grid", "ac"), path)]), files, LIMITS)
    files.aggregated.rename(files.aggregated.with_name("aggregated_results.parquet"))
    found = read_summary(files.aggregated.parent, LIMITS)
    assert found.found.states == {}
    assert packing.packed(found, 10**7) == []


def test_texts_of_states_end_no_element_of_the_page(summary):
    (grid,) = packing.packed(summary, 10**7)
    assert grid["elements"]["bus"]["name"][0] == "<b>3"
    assert "<" not in _json([grid])
    assert STATES not in _json({"name": STATES})


def test_parallel_branches_lie_apart_and_three_windings_meet():
    net = pandapower.networks.example_multivoltage()
    pandapower.create_line(
        net, net.line.from_bus.iloc[0], net.line.to_bus.iloc[0], 1, "NAYY 4x50 SE"
    )
    drawn = geometry_of(one_line_diagram(connections_of(net)))
    first, last = (
        drawn.lines[drawn.branches.index(("line", int(index)))] for index in net.line.index[[0, -1]]
    )
    assert np.linalg.norm(first[:2] - last[:2]) > 0.5
    legs = drawn.lines[[branch[0] == "trafo3w" for branch in drawn.branches]]
    assert len(legs) == 3 * len(net.trafo3w) == 3
    assert (legs[:, :2] == drawn.stars[0]).all()
    assert len(np.unique(legs[:, 2:], axis=0)) == 3
    closed = net.switch[(net.switch["et"] == "b") & net.switch["closed"]]
    assert 0 < len(drawn.switches) <= len(closed)
    places = drawn.places[np.searchsorted(drawn.buses, closed[["bus", "element"]].iloc[0])]
    assert (drawn.switches[0] == places.ravel()).all()
