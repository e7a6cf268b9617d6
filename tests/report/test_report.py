"""The report's figures equal what pandas computes from the rows of all results."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pandapower.networks
import pandas as pd
import pytest
from summary_files import files_in, results_of, state, summary_of, write_result

from gat_batch.grids.connections import connections_of, read_connections, write_connections
from gat_batch.model.violations import Limits
from gat_batch.report import summary_tables
from gat_batch.report.contingency_sections import contingencies
from gat_batch.report.maps.bus_layout import bus_positions
from gat_batch.report.maps.one_line_diagram import one_line_diagram
from gat_batch.report.optimum_sections import costs
from gat_batch.report.over_time import curves
from gat_batch.report.page import page
from gat_batch.report.sections import sections_of
from gat_batch.report.summary_tables import read_summary
from gat_batch.results.writer import write_placeholder
from gat_batch.study.scenario import Scenario
from gat_batch.summary.batch_summary import summarise
from gat_batch.vega.library import drawing_library
from gat_batch.vega.svg import svg

LIMITS = Limits(90.0, (0.95, 1.05))
NET = pandapower.networks.case9()
BRANCHES = ("line", "trafo", "trafo3w")
NASTY = "</script><b>&"
STATUS = {
    "name": "study",
    "updated": "2026-01-02T03:04:05.678+00:00",
    "created": "2026-01-02T03:04:05.678+00:00",
    "manifest": "manifest.json",
    "manifest_sha256": "ab" * 32,
    "git_commit": None,
    "versions": {"gat-batch": "0"},
    "settings": {"engine": "auto"},
}


def optimal_rows(rng, scenario, snapshots, contingencies):
    """Rows as an optimal power flow of case9 with contingencies might leave them."""
    rows = []
    for snapshot in snapshots:
        for contingency in (None, *contingencies):
            loading = rng.uniform(10, 100, len(NET.line))
            loading[loading > 85] = 90.0
            vm = rng.uniform(0.93, 1.07, len(NET.bus))
            keys = {"scenario": scenario, "snapshot": snapshot, "contingency": contingency}
            rows.append(
                keys
                | {
                    "element": "system",
                    "status": "ok",
                    "objective": rng.uniform(4000, 6000),
                    "load_mw": rng.uniform(250, 350),
                    "unserved_mw": float(rng.integers(0, 3)),
                    "max_loading_percent": loading.max(),
                    "max_loading_element": f"line:{loading.argmax()}",
                    "min_vm_pu": vm.min(),
                    "max_vm_pu": vm.max(),
                }
            )
            rows += [
                keys | {"element": "bus", "id": n, "vm_pu": v, "lam_p": rng.uniform(10, 40)}
                for n, v in enumerate(vm)
            ]
            rows += [
                keys | {"element": "line", "id": n, "loading_percent": v}
                for n, v in enumerate(loading)
            ]
    return rows


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Twelve scenarios, some time-varying, one with contingencies, two failed: rows and page."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(3)
    results, rows = [], []
    for n in range(12):
        scenario = Scenario(f"s{n}", "case9", "ac_opf", weight=float(n % 3 + 1), description=NASTY)
        snapshots = [f"h{hour}" for hour in range(30)] if n % 5 == 0 else [None]
        own = optimal_rows(rng, scenario.id, snapshots, ["line:1", "line:2"] if n == 3 else [])
        path = folder / f"job_s{n}" / "result.parquet"
        write_result(path, own)
        rows += [row | {"weight": scenario.weight / len(snapshots)} for row in own]
        results.append((scenario, path))
    for name, reason in (("gone", "took too long"), ("odd", NASTY)):
        path = folder / f"job_{name}" / "result.parquet"
        path.parent.mkdir()
        write_placeholder(path, {"error": reason, "attempts": 3})
        results.append((Scenario(name, "case9", "ac_opf"), path))
    files = files_in(folder)
    summarise(results_of(results), files, LIMITS)
    files.aggregated.rename(files.aggregated.with_name("aggregated_results.parquet"))
    summary = read_summary(files.aggregated.parent, LIMITS)
    maps, hashes = {"case9": one_line_diagram(connections_of(NET))}, {"case9": "cd" * 32}
    sections = list(sections_of(summary, STATUS, maps, hashes))
    text = page(summary, STATUS, sections, "")
    stored = pd.read_parquet(files.aggregated.with_name("aggregated_results.parquet"))
    weights = pd.Series({row["scenario"]: row["weight"] for row in rows})
    return stored.assign(weight=stored["scenario"].map(weights)), text, sections, summary


@pytest.fixture(scope="module")
def rows(batch):
    return batch[0]


@pytest.fixture(scope="module")
def base(rows):
    return rows[rows["contingency"].isna()]


@pytest.fixture(scope="module")
def figures(batch):
    return embedded(batch[1], "figure")


def embedded(text, kind):
    """What the page says, read from the page alone."""
    pattern = rf'<script type="application/json" id="{kind}-(\w+)">(.*?)</script>'
    return {name: json.loads(content) for name, content in re.findall(pattern, text, re.DOTALL)}


def weighted_mean(rows, column):
    return np.average(rows[column], weights=rows["weight"])


def values(spec):
    return pd.DataFrame(spec["data"]["values"])


def test_every_figure_is_checked_here(figures):
    checked = {"map_1", "loadings", "voltages", "load_and_loading", "worst_branches", "congestion"}
    checked |= {"course_max_loading_percent", "course_load_mw"}
    checked |= {"duration_max_loading_percent", "duration_load_mw", "duration_min_vm_pu"}
    assert set(figures) == checked | {
        "contingencies",
        "costs",
        "load_and_cost",
        "prices",
        "durations",
    }


@pytest.mark.parametrize(
    ("name", "column", "kinds"),
    [("loadings", "loading_percent", BRANCHES), ("voltages", "vm_pu", ("bus",))],
)
def test_distributions(figures, base, name, column, kinds):
    told = values(figures[name])
    for kind in kinds:
        own = base.loc[base["element"] == kind, column].dropna()
        bars = told[told["element"] == kind]
        assert bars["count"].sum() == len(own)
        for bar in bars.itertuples():
            assert bar.count == ((own >= bar[1]) & (own < bar.to)).sum()
    assert len(told) > 5


def test_map(batch, base):
    (drawn,) = (figure for section in batch[2] for figure in section.figures if figure.datasets)
    lines, buses = (pd.DataFrame(drawn.datasets[name]) for name in ("branches", "buses"))
    own_rows = base[base["element"] == "line"]
    own = own_rows.groupby("id")["loading_percent"]
    assert sorted(lines["branch"]) == sorted(f"line {index}" for index in NET.line.index)
    for line in lines.itertuples():
        index = int(line.branch.removeprefix("line "))
        assert line.max == pytest.approx(own.max()[index], rel=1e-6)
        mean = weighted_mean(own_rows[own_rows["id"] == index], "loading_percent")
        assert line.mean == pytest.approx(mean, rel=1e-6)
        worst = base.loc[own.idxmax()[index]]
        assert line.href == state_link(worst)
        part = line.max / LIMITS.loading_percent
        assert line.width == (1.4 if part <= 0.5 else 1.8 if part <= 0.8 else 2.6)
    voltages = base[base["element"] == "bus"].groupby("id")["vm_pu"]
    assert np.allclose(buses["low"], voltages.min(), rtol=1e-6)
    assert np.allclose(buses["high"], voltages.max(), rtol=1e-6)


def state_link(row):
    link = f"#state={row['scenario']}"
    return link if row["snapshot"] is None else f"{link}&snapshot={row['snapshot']}"


def test_scenarios_by_load_and_loading(figures, base):
    told = pd.DataFrame(figures["load_and_loading"]["data"]["values"]).set_index("scenario")
    system = base[base["element"] == "system"].groupby("scenario")
    assert np.allclose(told["load_mw"], system["load_mw"].mean()[told.index], rtol=1e-6)
    worst = system["max_loading_percent"].max()[told.index]
    assert np.allclose(told["max_loading_percent"], worst, rtol=1e-6)


def test_worst_branches(figures, base):
    told = values(figures["worst_branches"])
    lines = base[base["element"] == "line"]
    for row in told.itertuples():
        own = lines[lines["id"] == int(row.branch.removeprefix("line "))]
        mine = own["loading_percent"]
        mean = weighted_mean(own, "loading_percent")
        expected = (mine.min(), mean, mine.quantile(0.95), mine.max())
        assert (row.min, row.mean, row.p95, row.max) == pytest.approx(expected, rel=1e-6)
    assert told["max"].is_monotonic_decreasing


@pytest.mark.parametrize("column", ["max_loading_percent", "load_mw", "min_vm_pu"])
def test_duration_curves(figures, base, column):
    told = values(figures[f"duration_{column}"])
    assert set(told["scenario"]) == {"s0", "s5", "s10"}
    system = base[base["element"] == "system"]
    for name, curve in told.groupby("scenario"):
        own = np.sort(system.loc[system["scenario"] == name, column])
        expected = own if column == "min_vm_pu" else own[::-1]
        assert np.allclose(curve["value"], expected, rtol=1e-6)
        assert np.allclose(curve["share"], (np.arange(30) + 0.5) / 0.3)
        rows = system[system["scenario"] == name].set_index("snapshot")
        assert np.allclose(rows[column][curve["snapshot"]], curve["value"], rtol=1e-6)
        assert list(curve["href"]) == [f"#state={name}&snapshot={one}" for one in curve["snapshot"]]


@pytest.mark.parametrize("column", ["max_loading_percent", "load_mw"])
@pytest.mark.parametrize("spans", [None, 7])
def test_courses(batch, base, monkeypatch, column, spans):
    system = base[base["element"] == "system"]
    if spans:
        monkeypatch.setattr(curves, "MOST_POINTS", 10)
        monkeypatch.setattr(curves, "MOST_SPANS", spans)
    told = values(curves.courses(batch[3].found.curves, column, "value"))
    assert spans or told.equals(values(embedded(batch[1], "figure")[f"course_{column}"]))
    for name, own in told.groupby("scenario", sort=False):
        rows = system[system["scenario"] == name]
        step = 5 if spans else 1
        parts = [rows.iloc[start : start + step] for start in range(0, 30, step)]
        assert np.allclose(own["value"], [part[column].max() for part in parts], rtol=1e-6)
        assert np.allclose(own["lowest"], [part[column].min() for part in parts], rtol=1e-6)
        at = rows.set_index("snapshot")[column]
        assert np.allclose(at[own["snapshot"]], own["value"], rtol=1e-6)
        assert list(own["href"]) == [f"#state={name}&snapshot={one}" for one in own["snapshot"]]
    assert set(told["scenario"]) == {"s0", "s5", "s10"}


def broken(contingency, *pairs):
    """Rows of a contingency after which lines have these loadings, and had those before it."""
    rows = state(None, contingency, [now for _, now in pairs])
    befores = dict(enumerate(before for before, _ in pairs))
    return [row | {"before": befores.get(row.get("id"))} for row in rows]


def test_contingencies_that_newly_break_limits_come_first(tmp_path, monkeypatch):
    """Line 0 is above its limit throughout; most contingencies do no more."""
    monkeypatch.setattr(summary_tables, "MOST_CONTINGENCIES", 4)
    rows = state(None, None, [150, 70, 60])
    for n in range(8):
        more = 95.0 + n if n < 3 else 60.0
        rows += broken(f"line:{n + 10}", (150.0, 160.0 + n), (70.0, more), (60.0, 60.0))
    rows += [{**rows[0], "contingency": "line:99", "status": "not_converged"}]
    summary = summary_of(tmp_path, [(Scenario("a", "case9", "ac"), rows)], LIMITS)
    assert summary.counted == summary_tables.ContingencyCounts(9, 3, 1, 0)
    # Half are those that are new, the worst of them first; the rest are the worst of all.
    assert summary.contingencies["contingency"].tolist() == [
        "line:99", "line:17", "line:12", "line:11"
    ]  # fmt: skip
    section = contingencies(summary)
    assert section.text == (
        "3 of 9 contingencies break a limit that holds before them; 1 has no solution."
    )
    (figure,) = section.figures
    told = {row["outage"]: row["loading"] for row in figure.spec["data"]["values"]}
    assert told == {"line:12 → line:1": 97, "line:11 → line:1": 96}


@pytest.mark.parametrize("voltages", [True, False])
def test_the_legend_tells_of_voltages_where_there_are_any(tmp_path, voltages):
    vm = np.where(voltages, [1.0] * len(NET.bus), np.nan)
    rows = state(None, None, [50] * len(NET.line), vm)
    other = [(Scenario("b", "case9", "ac"), rows)]
    summary = summary_of(tmp_path, [(Scenario("a", "case9", "ac"), rows), *other], LIMITS)
    summary = dataclasses.replace(summary, groups={"x": ["a"], "y": ["b"]})
    maps = {"case9": one_line_diagram(connections_of(NET))}
    sections = {one.id: one for one in sections_of(summary, STATUS, maps, {"case9": "cd"})}
    (drawn,) = sections["grid"].figures
    for signs in (drawn.legend, drawn.second_legend):
        assert any("p.u." in sign.meaning for sign in signs) == voltages
        assert any("%" in sign.meaning or "loading" in sign.meaning for sign in signs)


def test_contingencies(figures, rows):
    told = values(figures["contingencies"])
    system = rows[(rows["element"] == "system") & rows["contingency"].notna()]
    worst = system.groupby(["contingency", "max_loading_element"])["max_loading_percent"].max()
    expected = {f"{outage} → {branch}": value for (outage, branch), value in worst.items()}
    assert 1 < len(told) <= 15
    assert dict(zip(told["outage"], told["loading"], strict=True)) == pytest.approx(expected)


def test_costs_and_times(figures, base):
    cost = base.groupby("scenario")["objective"].sum(min_count=1).dropna()
    told = values(figures["costs"])
    for bar in told.itertuples():
        assert bar.count == ((cost >= bar[1]) & (cost < bar.to)).sum()
    assert told["count"].sum() == len(cost) == 12
    assert values(figures["durations"])["count"].sum() == 12


def test_load_and_cost(figures, base):
    system = base[base["element"] == "system"].groupby("scenario", sort=False)
    told = values(figures["load_and_cost"]).set_index("scenario")
    assert told["objective"].to_dict() == pytest.approx(system["objective"].sum().to_dict())
    assert told["load_mw"].to_dict() == pytest.approx(system["load_mw"].mean().to_dict())
    assert told["href"]["s3"] == "#scenario=s3"


def test_units_that_vary_most_are_drawn_if_all_is_optimised(tmp_path):
    rng = np.random.default_rng(6)
    power = rng.uniform(0, 100, (4, 20)) * np.linspace(0, 1, 20)

    def summary(folder, *solvers):
        results = []
        for n, (own, solver) in enumerate(zip(power, solvers, strict=True)):
            rows = state(loading=[50], objective=100.0 + n)
            unit = {"snapshot": None, "contingency": None, "element": "gen"}
            rows += [unit | {"id": index, "p_mw": value} for index, value in enumerate(own)]
            results.append((Scenario(f"s{n}", "case9", solver), rows))
        return summary_of(tmp_path / folder, results, LIMITS)

    section = costs(summary("optimal", *["dc_opf"] * 4))
    told = values(next(one for one in section.figures if one.name == "dispatch").spec)
    most = np.argsort(-np.ptp(power, axis=0))[:15]
    assert told["unit"].tolist() == [f"gen {index}" for index in most]
    for name, expected in (("min", power.min(0)), ("mean", power.mean(0)), ("max", power.max(0))):
        assert told[name].to_numpy() == pytest.approx(expected[most], rel=1e-6)
    section = costs(summary("mixed", "ac", *["dc_opf"] * 3))
    assert "dispatch" not in [one.name for one in section.figures]


def test_prices(figures, base):
    told = values(figures["prices"]).set_index("id")
    own = base[base["element"] == "bus"].groupby("id")["lam_p"]
    for name, expected in (("low", own.min()), ("mean", own.mean()), ("high", own.max())):
        assert np.allclose(told[name], expected[told.index], rtol=1e-6)
    assert list(told["high_scenario"]) == list(base.loc[own.idxmax()[told.index], "scenario"])
    assert told["mean"].is_monotonic_decreasing


def test_congestion(figures, base):
    told = values(figures["congestion"])
    lines = base[base["element"] == "line"]
    for row in told.itertuples():
        own = lines[lines["id"] == int(row.branch.removeprefix("line "))]
        full = own["loading_percent"] >= 0.999 * 90.0
        share = own.loc[full, "weight"].sum() / own["weight"].sum()
        assert row.probability == pytest.approx(share, rel=1e-6)
    assert len(told) > 1


def test_tables_hold_the_summary_and_link(batch, base):
    tables = embedded(batch[1], "table")
    scenarios = tables["scenarios"]
    keys = [column["key"] for column in scenarios["columns"]]
    listed = pd.DataFrame(scenarios["rows"]).iloc[:, : len(keys)].set_axis(keys, axis=1)
    listed = listed.set_index("scenario")
    assert len(listed) == 14
    assert list(listed.loc[["gone", "odd"], "status"]) == ["failed", "failed"]
    worst = base.groupby("scenario")["loading_percent"].max()
    solved = listed.loc[worst.index, "max_loading_percent"].astype(float)
    assert np.allclose(solved, worst, rtol=1e-6)
    reasons = {row[0]: row[-1] for row in tables["troubles"]["rows"]}
    assert reasons == {"gone": "took too long", "odd": NASTY}
    congested = {(row[0], row[1]): row[3] for row in tables["congested"]["rows"]}
    full = base[(base["element"] == "line") & (base["loading_percent"] >= 0.999 * 90.0)]
    assert congested == {("line", n): len(own) for n, own in full.groupby("id")}


def test_page_is_whole_and_data_stay_data(batch):
    text = batch[1]
    assert NASTY not in text
    own, *scripts = text.split("<script>")
    assert len(scripts) == 2
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", own)
    assert len(text) < 1_500_000


def test_a_page_stays_below_its_size(batch, monkeypatch):
    summary, sections = batch[3], batch[2]
    most = len(batch[1]) - 5000
    monkeypatch.setitem(page.__globals__, "MOST_BYTES", most)
    smaller = page(summary, STATUS, sections, "")
    assert most - 3000 < len(smaller.encode()) <= most
    (grid,) = json.loads(re.search(r'id="grids">(.*?)</script>', smaller)[1])
    assert len(grid["states"]["scenario"]) < grid["total"]


def test_figures_become_svg_files(batch):
    for section in batch[2]:
        for figure in section.figures:
            assert re.fullmatch(r"<svg .*</svg>", svg(figure.whole()).strip(), re.DOTALL)


def test_batch_in_which_everything_failed_has_a_report(tmp_path):
    path = tmp_path / "job_a" / "result.parquet"
    path.parent.mkdir()
    write_placeholder(path, {"error": "no luck", "attempts": 1})
    files = files_in(tmp_path)
    summarise(results_of([(Scenario("a", "case9"), path)]), files, LIMITS)
    files.aggregated.rename(files.aggregated.with_name("aggregated_results.parquet"))
    summary = read_summary(files.aggregated.parent, LIMITS)
    text = page(summary, STATUS, list(sections_of(summary, STATUS, {}, {})), "")
    assert embedded(text, "table")["troubles"]["rows"] == [["a", "failed", "no luck"]]


def test_wiring_is_kept_once_and_read_back(tmp_path):
    path = tmp_path / "logs" / "wiring.json"
    for net in (pandapower.networks.example_multivoltage(), pandapower.networks.case118()):
        assert read_connections(path) is None
        write_connections(path, net)
        assert read_connections(path) == connections_of(net)
        path.unlink()
    path.write_text(json.dumps({"buses": [1]})[:-1])
    assert read_connections(path) is None


def test_grid_without_coordinates_is_laid_out_the_same_way_each_time():
    net = pandapower.networks.case118()
    assert one_line_diagram(connections_of(net)).given
    net.bus["geo"] = None
    first, second = one_line_diagram(connections_of(net)), one_line_diagram(connections_of(net))
    assert not first.given
    assert np.array_equal(first.position, second.position)
    apart = np.linalg.norm(first.position[:, None] - first.position[None], axis=2)
    assert apart[np.triu_indices(118, 1)].min() > 0.2
    length = np.linalg.norm(np.diff(first.position[first.ends], axis=1), axis=2)
    assert length.max() < 4


def test_parts_of_a_grid_lie_side_by_side():
    ends = np.array([[0, 1], [1, 2], [2, 0], [3, 4]])
    position = bus_positions(6, ends)
    right = [position[part, 0].max() for part in ([0, 1, 2], [3, 4])]
    assert position[[3, 4], 0].min() > right[0]
    assert position[5, 0] > right[1]


def test_the_drawing_library_is_kept_and_made_anew_where_that_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []
    monkeypatch.setattr(
        "vl_convert.javascript_bundle", lambda _: made.append(1) or "vega </script> è"
    )
    assert [drawing_library() for _ in range(2)] == ["vega <\\/script> è"] * 2
    assert len(made) == 1
    (kept,) = (tmp_path / "gat-batch").iterdir()
    for damaged in (b"", kept.read_bytes()[:-3], b"\xff\n"):
        kept.write_bytes(damaged)
        assert drawing_library() == "vega <\\/script> è"
    assert len(made) == 4
    kept.unlink()
    kept.parent.rmdir()
    kept.parent.write_text("a file where the folder should be")
    assert drawing_library() == "vega <\\/script> è"
