"""The page has at most 6 MB, whatever the batch; what it leaves out it says."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from made_batches import LIMITS, made_batch, written_page
from summary_files import state, summary_of

from gat_batch.report.summary_tables import read_summary
from gat_batch.study.scenario import Scenario

MOST_BYTES = 6_000_000


def embedded(text, name):
    found = re.search(
        rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL
    )
    return json.loads(found[1])


@pytest.mark.parametrize(
    ("scenarios", "buses", "lines"),
    [(100, 8, 12), (10_000, 8, 12), (10_000, 30, 40), (100_000, 2, 2)],
)
def test_of_any_number_of_scenarios(tmp_path, scenarios, buses, lines):
    summary = read_summary(made_batch(tmp_path, scenarios, buses=buses, lines=lines), LIMITS)
    text = written_page(summary)
    assert len(text.encode()) <= MOST_BYTES
    (grid,) = embedded(text, "grids")
    assert grid["total"] == scenarios
    assert len(grid["states"]["scenario"]) >= min(scenarios, 1000)
    table = embedded(text, "table-scenarios")
    assert len(table["rows"]) >= min(scenarios, 4000)
    listed = len(table["rows"])
    assert listed == scenarios or f"These are the {listed:,} of {scenarios:,} with" in text
    # What is left out has lower loadings than all that is listed.
    shown = {row[0] for row in table["rows"]}
    loading = summary.scenarios["max_loading_percent"]
    left = loading[~loading.index.isin(shown)]
    assert left.empty or left.max() <= loading[list(shown)].min()


def test_of_long_ids_descriptions_and_metadata_compared_with_another_batch(tmp_path):
    words = "w" * 1000
    made_batch(tmp_path / "other", 4000, words=words, seed=1)
    folder = made_batch(tmp_path / "own", 4000, words=words)
    ids = pd.read_parquet(folder / "scenarios.parquet", columns=["scenario"])["scenario"].tolist()
    groups = {f"group {n}": ids[n::6] for n in range(6)}
    summary = read_summary(folder, LIMITS, groups=groups, other=tmp_path / "other")
    text = written_page(summary)
    assert len(text.encode()) <= MOST_BYTES
    (grid,) = embedded(text, "grids")
    assert len(grid["differences"]) == 6
    assert len(grid["states"]["scenario"]) > 500
    points = embedded(text, "figure-load_and_loading")["layer"][0]
    assert points["mark"]["type"] == "point"
    assert "an even choice of the others" in text


def test_of_many_scenarios_with_counterparts(tmp_path):
    folder = made_batch(tmp_path, 6000, words="w" * 100)
    ids = pd.read_parquet(folder / "scenarios.parquet", columns=["scenario"])["scenario"].tolist()
    groups = {f"group {n}": ids[n::6] for n in range(6)}
    first, *others = groups
    pairs = {name: dict(zip(groups[name], groups[first], strict=True)) for name in others}
    text = written_page(read_summary(folder, LIMITS, groups=groups), pairs)
    assert len(text.encode()) <= MOST_BYTES
    assert text.count("state by state:") == 5
    for number in range(1, 6):
        table = embedded(text, f"table-pairs_{number}")
        assert 50 <= len(table["rows"]) <= 100
    (grid,) = embedded(text, "grids")
    assert all(len(one["counterparts"]) > 50 for one in grid["differences"])
    assert len(grid["states"]["scenario"]) > 1000


def test_of_a_grid_that_leaves_no_room_for_all_differences(tmp_path):
    folder = made_batch(tmp_path, 12, buses=15_000, lines=22_000)
    ids = [f"s{n}" for n in range(12)]
    groups = {f"group {n}": ids[n::6] for n in range(6)}
    summary = read_summary(folder, LIMITS, groups=groups)
    text = written_page(summary)
    assert len(text.encode()) <= MOST_BYTES
    (grid,) = embedded(text, "grids")
    assert 1 <= len(grid["states"]["scenario"]) <= 4
    names = [one["name"] for one in grid["differences"]]
    assert names == [f"group {n}" for n in range(1, 1 + len(names))]
    assert len(names) < 5


def test_of_scenarios_that_failed(tmp_path):
    rows = state(loading=[50], vm=[1.0])
    results = [(Scenario(f"s{n}", "case9", "ac"), None if n else rows) for n in range(1200)]
    summary = summary_of(tmp_path, results, LIMITS)
    summary.scenarios["error"] = "for a reason " * 1000
    text = written_page(summary)
    assert len(text.encode()) <= MOST_BYTES
    troubles = embedded(text, "table-troubles")
    assert len(troubles["rows"]) == 1000
    assert "1,000 of 1,199; scenarios.csv has all." in text
    assert {row[1] for row in troubles["rows"]} == {"failed"}
    assert np.unique([len(row[-1]) for row in troubles["rows"]]).tolist() == [500]
