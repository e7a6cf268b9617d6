"""Figures from Python are those of the report; the map shows any state of the results."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest

from gat_batch.api import BatchJob
from gat_batch.errors import ResultError
from gat_batch.report.figures import GREY
from gat_batch.report.maps.differences import FALLING, RISING

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("drawing")]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A batch of case30 with an outage that cuts a bus off, hours and contingencies."""
    from conftest import Workspace

    space = Workspace(tmp_path_factory.mktemp("drawing"))
    space.write("loads.csv", "load,p_mw,snapshot\n7,10,h0\n7,40,h1\n")
    scenarios = [
        {"id": "day", "loads": "loads.csv"},
        {"id": "cut", "outages": [{"type": "line", "id": 15}]},
        {"id": "n-1", "contingencies": "n-1"},
        {"id": "dc", "solver": "dc", "outages": [{"type": "line", "id": 15}]},
    ]
    space.write(
        "manifest.json", {"grid": "pandapower:case30", "solver": "ac", "scenarios": scenarios}
    )
    space.configure(loading_limit_percent=40)
    before = os.getcwd()  # noqa: PTH109 - what chdir goes back to
    os.chdir(space.path)
    try:
        settings = {"manifest": "manifest.json", "name": "study", "loading_limit_percent": 40}
        job = BatchJob(settings, 1)
        with pytest.raises(ResultError, match="run the batch first"):
            job.plot()
        assert space.run().returncode == 0
        yield job
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A batch with and without a line at three loads, held against one with a tenth less load."""
    from conftest import Workspace

    space = Workspace(tmp_path_factory.mktemp("compared"))
    for name, scale in (("before", 0.9), ("study", 1.0)):
        scenarios = [
            {"id": f"{group}{n}", "tags": [group], "load_scale": scale + n / 10, **more}
            for group, more in (("whole", {}), ("cut", {"outages": [{"type": "line", "id": 5}]}))
            for n in range(3)
        ]
        manifest = {"grid": "pandapower:case30", "solver": "ac", "scenarios": scenarios}
        manifest |= {"contingencies": "n-1", "compare": ["whole", "cut"]}
        space.write("manifest.json", manifest)
        settings = {"name": name, "loading_limit_percent": 40}
        settings |= {"against": "runs/batch/before"} if name == "study" else {}
        space.configure(**settings)
        assert space.run().returncode == 0
    before = os.getcwd()  # noqa: PTH109 - what chdir goes back to
    os.chdir(space.path)
    try:
        yield BatchJob({"manifest": "manifest.json", **settings}, 1)
    finally:
        os.chdir(before)


def loadings(table, scenarios, contingency=None):
    own = table[table["scenario"].isin(scenarios) & table["element"].isin(["line", "trafo"])]
    after = own["contingency"]
    own = own[
        after.isna() if contingency is None else (after == contingency) & own["limit"].notna()
    ]
    return own.groupby(["element", "id"])["loading_percent"].max()


def holds(drawing, before, now, out=()):
    """Hold that a map shows these loadings, in the colours of their change."""
    for row in drawing.spec["datasets"]["branches"]:
        kind, index = row["branch"].split()
        if (row["branch"]) in out:
            assert row["out"] == 1
            continue
        old, new = (one.get((kind, int(index))) for one in (before, now))
        for name, value in (("before", old), ("now", new)):
            assert row[name] == (None if value is None else pytest.approx(value, rel=1e-4))
        if old is None or new is None:
            change = 0 if old is new else 1000 if old is None else -1000
        else:
            change = new - old
        rank = sum(abs(change) > step for step in (1, 10))
        assert row["color"] == ((RISING if change > 0 else FALLING)[rank - 1] if rank else GREY)


def test_a_difference_of_groups_and_batches(compared, tmp_path):
    here = compared.to_pandas()
    there = pd.read_parquet("runs/batch/before/summary/aggregated_results.parquet")
    groups = {group: [f"{group}{n}" for n in range(3)] for group in ("whole", "cut")}
    both = [*groups["whole"], *groups["cut"]]
    drawing = compared.plot(difference="this batch")
    assert drawing.spec["title"] == "this batch against before"
    holds(drawing, loadings(there, both), loadings(here, both))
    holds(
        compared.plot(difference="this batch", scenario="cut1"),
        loadings(there, ["cut1"]),
        loadings(here, ["cut1"]),
        ["line 5"],
    )
    drawing = compared.plot(difference="cut")
    assert drawing.spec["title"] == "cut against whole"
    holds(drawing, *(loadings(here, groups[group]) for group in ("whole", "cut")))
    # A scenario is held against the one with the same load.
    drawing = compared.plot(difference="cut", scenario="cut2")
    holds(drawing, loadings(here, ["whole2"]), loadings(here, ["cut2"]), ["line 5"])
    drawing.save(tmp_path / "cut.svg")
    assert "cut against whole, cut2" in (tmp_path / "cut.svg").read_text()
    with pytest.raises(ResultError, match="'whole1' has no counterpart in whole"):
        compared.plot(difference="cut", scenario="whole1")
    with pytest.raises(ResultError, match="known are this batch, cut"):
        compared.plot(difference="xyz")


def test_a_difference_after_a_contingency(compared):
    here = compared.to_pandas()
    groups = {group: [f"{group}{n}" for n in range(3)] for group in ("whole", "cut")}
    worst = compared.to_pandas("contingencies", filters=[("status", "==", "ok")])
    name = worst[worst["loading_violations"] > 0]["contingency"].iloc[0]
    drawing = compared.plot(difference="cut", contingency=name)
    sides = [loadings(here, groups[group], name) for group in ("whole", "cut")]
    out = [name.replace(":", " ")]
    holds(drawing, *sides, out)
    drawing = compared.plot(difference="cut", scenario="cut1", contingency=name)
    sides = [loadings(here, [one], name) for one in ("whole1", "cut1")]
    holds(drawing, *sides, [*out, "line 5"])
    assert drawing.spec["title"] == f"cut against whole, cut1, after {name}"
    with pytest.raises(ResultError, match="no limit is broken after 'line:999'"):
        compared.plot(difference="cut", contingency="line:999")


def data(drawing, name):
    return pd.DataFrame(drawing.spec["datasets"][name])


@pytest.mark.parametrize(
    ("scenario", "snapshot"), [("day", "h0"), ("day", "h1"), ("cut", None), ("dc", None)]
)
def test_a_state_on_the_map(job, scenario, snapshot):
    drawing = job.plot(scenario=scenario, snapshot=snapshot)
    rows = job.to_pandas(filters=[("scenario", "==", scenario)])
    own = rows if snapshot is None else rows[rows["snapshot"] == snapshot]
    own = own.set_index(["element", "id"])
    branches = data(drawing, "branches")
    for row in branches.itertuples():
        kind, index = row.branch.split()
        loading = own["loading_percent"][kind, int(index)]
        assert row.out == np.isnan(loading)
        if row.out:
            assert np.isnan(row.max)
        else:
            assert row.max == pytest.approx(loading, rel=1e-6)
    buses = data(drawing, "buses")
    dead = own.loc["bus"]["va_degree"].isna()
    told = {int(row.bus.split()[1]) for row in buses.itertuples() if row.shape == "cross"}
    assert told == set(dead.index[dead])
    assert bool(told) == (scenario != "day")


def test_a_contingency_on_the_map(job):
    worst = job.to_pandas("contingencies", filters=[("scenario", "==", "n-1")])
    worst = worst[worst["loading_violations"] > 0].iloc[0]
    drawing = job.plot(scenario="n-1", contingency=worst["contingency"])
    branches = data(drawing, "branches").set_index("branch")
    assert list(branches.index[branches["out"] == 1]) == [worst["contingency"].replace(":", " ")]
    element = worst["max_loading_element"].replace(":", " ")
    assert branches["max"][element] == pytest.approx(worst["max_loading_percent"], rel=1e-6)
    assert branches["color"][element] == "#d1432b"
    assert branches["max"].notna().sum() == worst["loading_violations"]


def test_figures_are_those_of_the_report(job, tmp_path):
    drawing = job.plot("loadings")
    drawing.save(tmp_path / "loadings.svg")
    plots = job.folder / "summary" / "plots"
    assert (tmp_path / "loadings.svg").read_text() == (plots / "loadings.svg").read_text()
    drawing.save(tmp_path / "loadings.json")
    assert json.loads((tmp_path / "loadings.json").read_text()) == drawing.spec
    job.plot().save(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert job.plot().spec == job.plot("map_1").spec
    with pytest.raises(ValueError, match=r"saved as .svg, .png or .json"):
        drawing.save(tmp_path / "loadings.gif")


def test_a_notebook_gets_a_specification_and_a_picture(job):
    shown = job.plot("voltages")._repr_mimebundle_()
    assert shown["image/svg+xml"].startswith("<svg")
    spec = shown["application/vnd.vegalite.v6+json"]
    assert spec["$schema"].endswith("/v6.json")
    assert spec["width"] == 720
    json.dumps(spec, allow_nan=False)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"figure": "loading"}, "did you mean 'loadings'"),
        ({"scenario": "days"}, "did you mean 'day'"),
        ({"scenario": "day", "snapshot": "h9"}, "no rows of a state with snapshot 'h9'"),
        ({"scenario": "day"}, "no snapshot"),
        ({"figure": "loadings", "scenario": "day"}, "shows no single state"),
        ({"difference": "day"}, "compare groups or another batch first"),
    ],
)
def test_what_is_not_there_is_named(job, asked, said):
    with pytest.raises(ResultError, match=said):
        job.plot(**asked)
