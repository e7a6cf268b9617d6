"""A grid's own time series as snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandapower
import pandas as pd
import pytest
from conftest import Workspace
from numpy.testing import assert_allclose

from gat_batch.errors import GatBatchError
from gat_batch.grids.elements import ElementIndex
from gat_batch.grids.time_series import KEY
from gat_batch.model.state import check_scenario, scenario_states
from gat_batch.model.tables.time_series import course_of
from gat_batch.study.manifest import batch_of

HOURS = tuple(f"2030-01-01T{hour:02}:00:00" for hour in range(24))
SCALED = SimpleNamespace(load_scale=2.0, gen_scale=0.5, outages=())


@dataclass(frozen=True)
class Series:
    """Loads grow by 1 MW an hour; what a generator may give falls by 1 MW."""

    file: Path = Path("grid")
    times: tuple[str, ...] = HOURS

    def values(self, net, times):
        hours = np.array(times, float)[:, None]
        return {
            ("load", "p_mw"): net.load["p_mw"].to_numpy() + hours,
            ("gen", "max_p_mw"): net.gen["max_p_mw"].to_numpy() - hours,
        }


@pytest.fixture
def index():
    net = pandapower.networks.case9()
    net[KEY] = Series()
    return ElementIndex(net)


def states(index, asked):
    course = course_of(index.net, asked)
    check_scenario(index, SCALED, None, None, course=course)
    return {
        state.snapshot: {(change.element, change.column): change.values for change in state.changes}
        for state in scenario_states(index, SCALED, None, None, course=course)
    }


def test_every_time_is_a_snapshot_and_scales_multiply_powers_alone(index, monkeypatch):
    monkeypatch.setattr("gat_batch.model.tables.time_series.AT_ONCE", 7)
    found = states(index, "all")
    assert tuple(found) == HOURS
    net = index.net
    for hour, columns in enumerate(found.values()):
        assert_allclose(columns["load", "p_mw"], (net.load["p_mw"] + hour) * 2)
        assert_allclose(columns["load", "q_mvar"], net.load["q_mvar"] * 2)
        assert_allclose(columns["gen", "p_mw"], net.gen["p_mw"] / 2)
        assert_allclose(columns["gen", "max_p_mw"], net.gen["max_p_mw"] - hour)


def test_times_are_chosen_by_name(index):
    chosen = {"first": "2030-01-01 06:00", "last": "01.01.2030 18:00", "every": 6}
    assert list(states(index, chosen)) == [HOURS[6], HOURS[12], HOURS[18]]
    assert list(states(index, {"every": 12})) == [HOURS[0], HOURS[12]]
    assert list(states(index, ["2030-01-01T05:00", "2030-01-01"])) == [HOURS[5], HOURS[0]]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"first": "2031-01-01"}, "grid: time: has no time 2031-01-01T00:00:00.*it goes from"),
        ({"first": HOURS[3], "last": HOURS[2]}, "from 2030-01-01T03:00:00 back to"),
        ([HOURS[3], "2030-01-01 03:00"], "is asked twice"),
    ],
)
def test_times_that_are_not_there(index, asked, message):
    with pytest.raises(GatBatchError, match=message):
        course_of(index.net, asked)


def test_a_grid_without_time_series_says_so(index):
    del index.net[KEY]
    with pytest.raises(GatBatchError, match="the grid has no time series"):
        course_of(index.net, "all")
    assert course_of(index.net, None) is None


def test_tables_of_injections_contradict_time_slices():
    entry = {"id": "a", "time_slices": "all", "loads": "loads.csv", "gens": "gens.csv"}
    schema = {"type": "object"}
    with pytest.raises(GatBatchError, match="take loads and generation from the grid's") as raised:
        batch_of({"grid": "pandapower:case9", "scenarios": [entry]}, Path("m.json"), schema)
    assert [fault.field for fault in raised.value.faults] == ["loads", "gens"]


def test_a_week_of_simbench_from_a_manifest_of_five_lines(tmp_path):
    """Held against pandapower with SimBench's own absolute values."""
    simbench = pytest.importorskip("simbench", reason="simbench isn't installed")
    space = Workspace(tmp_path)
    text = """{
  "grid": "simbench:1-MV-rural--1-sw",
  "solver": "ac",
  "scenarios": [{"id": "w", "time_slices": {"first": "2016-06-06", "last": "2016-06-12T23:45"}}]
}"""
    space.configure()
    space.write("manifest.json", text)
    run = space.run()
    assert run.returncode == 0, run.stderr
    rows = pd.read_parquet(space.path / "runs/batch/study/job_w/result.parquet")
    assert rows["snapshot"].nunique() == 7 * 96
    assert not len(rows[rows["status"].notna() & ~rows["status"].isin(["ok"])])
    net = simbench.get_simbench_net("1-MV-rural--1-sw")
    powers = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    clock = net.profiles["load"]["time"].tolist()
    for day, hour in ((6, 0), (9, 12), (12, 19)):
        position = clock.index(f"{day:02}.06.2016 {hour:02}:00")
        for (element, column), values in powers.items():
            net[element][column] = values.iloc[position]
        pandapower.runpp(net, tolerance_mva=1e-9, numba=False)
        state = rows[rows["snapshot"] == f"2016-06-{day:02}T{hour:02}:00:00"].set_index("id")
        for element in ("bus", "line", "trafo", "storage"):
            own = state[state["element"] == element]
            column = "loading_percent" if element in ("line", "trafo") else "p_mw"
            assert len(own) == len(net[element])
            wanted = net[f"res_{element}"].loc[own.index, column]
            assert_allclose(own[column], wanted, rtol=0, atol=1e-6)
