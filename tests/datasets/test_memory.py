"""Datasets take no more memory with more samples than these take as a row of a table."""

from __future__ import annotations

import math
import tracemalloc

import pytest
from conftest import Workspace

from gat_batch.datasets import dataset, dataset_grid
from gat_batch.datasets.samples import sample_sets
from gat_batch.datasets.splits import Splitting
from gat_batch.run.monitor import read_status
from gat_batch.run.start import plan_batch

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("memory")]

DRAWS, HOURS = 400, 800

A_SAMPLE = 1000
"""Bytes that may be known of a sample: 100 MB for 100,000."""


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    space = Workspace(tmp_path_factory.mktemp("memory"))
    space.configure(manifest="study.yaml")
    hours = "".join(f"h{hour:04},{1 + math.sin(hour) / 5:.6f}\n" for hour in range(HOURS))
    (space.path / "hours.csv").write_text(f"time,all\n{hours}")
    total = {"of": "load_scale", "distribution": "uniform", "low": 0.7, "high": 1.2}
    content = {
        "version": 1,
        "grid": "pandapower:case9",
        "layout": "block",
        "solver": "ac",
        "profiles": {"hours": {"file": "hours.csv", "of": "load", "column": "all"}},
        "scenarios": [
            {"id": "draw", "draws": {"count": DRAWS, "random": {"total": total}}},
            {"id": "year", "time_slices": "all"},
        ],
    }
    space.write("study.yaml", content)
    run = space.run()
    assert run.returncode == 0, run.stdout + run.stderr
    return space


@pytest.fixture
def plan(batch, monkeypatch):
    monkeypatch.chdir(batch.path)
    return plan_batch(read_status(batch.batch)["settings"])


def test_what_is_known_of_a_sample_is_small(plan):
    splitting = Splitting(0, (0.8, 0.1, 0.1))
    # What a plan keeps of scenarios has an end, and is there then.
    sample_sets(plan, splitting)
    tracemalloc.start()
    try:
        (samples,) = sample_sets(plan, splitting)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(samples.held) == DRAWS + HOURS
    assert peak < A_SAMPLE * (DRAWS + HOURS)


def test_hours_of_a_scenario_are_gone_through_once(plan, tmp_path, monkeypatch):
    begun, real = [], dataset_grid.read_states

    def noted(index, scenario):
        begun.append(scenario.id)
        return real(index, scenario)

    monkeypatch.setattr(dataset_grid, "read_states", noted)
    dataset.write_datasets(plan, tmp_path / "out", "numpy", Splitting(0, (0.8, 0.1, 0.1)))
    assert begun.count("year") == 1


@pytest.mark.parametrize("layout", ["numpy", "pglearn", "gridfm"])
def test_the_last_part_takes_no_more_memory_than_the_second(plan, layout, tmp_path, monkeypatch):
    peaks, real = [], dataset._Work.part

    def noted(work, number):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        made = real(work, number)
        _, peak = tracemalloc.get_traced_memory()
        peaks.append((before, peak))
        return made

    monkeypatch.setattr(dataset._Work, "part", noted)
    tracemalloc.start()
    try:
        dataset.write_datasets(plan, tmp_path / "out", layout, Splitting(0, (0.8, 0.1, 0.1)))
        _, last = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(peaks) == (DRAWS + HOURS) // 200
    # Draws and hours lie in groups of rows of their own, and the first part fills what is kept.
    kept, most = zip(*peaks[DRAWS // 200 + 1 :], strict=True)
    assert kept[-1] - kept[0] < 100_000
    assert max(*most, last) < 1.1 * most[0]
