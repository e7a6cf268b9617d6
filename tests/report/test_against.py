"""A batch held against another one: what is new, gone, better and worse, in words and a file."""

from __future__ import annotations

import base64

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from summary_files import state, summary_of

from gat_batch.analytics.comparison import CHANGES
from gat_batch.model.violations import Limits
from gat_batch.report.against import comparison, listings
from gat_batch.report.against.comparison import against
from gat_batch.report.groups import violation_listing
from gat_batch.report.groups.judging import Asked, judge
from gat_batch.report.maps import differences as on_maps
from gat_batch.report.maps import packed as packing
from gat_batch.report.maps.packed import MISSING
from gat_batch.report.page import page
from gat_batch.study.scenario import Scenario

LIMITS = Limits(90.0, (0.95, 1.05))
NASTY = "</script><b>&"


@pytest.fixture
def pair(tmp_path):
    """Make the summary of a batch that is compared with another one."""

    def make(before, now, **more):
        folders = [tmp_path / name for name in ("old", "new")]
        summary_of(folders[0], before, LIMITS)
        return summary_of(folders[1], now, LIMITS, other=folders[0], **more)

    return make


def scenario(name, solver="ac", **more):
    return Scenario(name, "case9", solver, **more)


def compare(summary, other):
    return comparison.compare(summary, other, judge(summary, Asked()))


def differences(summary):
    judged = judge(summary, Asked("", summary.groups))
    compared = comparison.compare(summary, summary.other, judged)
    return list(on_maps.differences(summary, judged, compared.violations))


def packed(summary, room):
    return packing.packed(summary, room, differences(summary))


def told(summary):
    found = compare(summary, summary.other)
    ((lead, verdict),) = against(summary, summary.other, found).verdicts.items()
    assert lead == "new against old"
    rows = found.table()
    assert rows.schema == CHANGES
    return verdict, rows.to_pandas()


def test_violations_of_the_same_scenarios_are_compared(pair):
    summary = pair(
        [
            (scenario("a"), state(loading=[91, 92, 93, 50], vm=[0.94, 1.06])),
            (scenario("b"), state(loading=[50] * 4, vm=[1, 1])),
            (scenario("only there"), state(loading=[150] * 4, vm=[1, 1])),
        ],
        [
            (scenario("a"), state(loading=[91.04, 92.1, 80, 95], vm=[0.9396, 1.07])),
            (scenario("b"), state(loading=[96, 50, 50, 50], vm=[1, 1])),
            (scenario("only here"), state(loading=[160] * 4, vm=[1, 1])),
        ],
    )
    verdict, rows = told(summary)
    assert verdict.text == "better and worse: " + "; ".join(
        ("2 violations are new", "2 violations are worse", "1 violation is gone")
    )
    assert not verdict.good
    assert verdict.reasons["scenarios:"] == "2 in both; 1 only here; 1 only in old"
    assert verdict.reasons["violations:"] == (
        "2 new (line:0 (L0) in b, 96.0 %); 2 worse (line:1 (L1) in a, 92.0 → 92.1 %); "
        "1 gone (line:2 (L2) in a, 93.0 %); 2 as bad"
    )
    limited = rows[rows["element"] != "system"]
    keys = ["change", "scenario", "element", "id", "quantity", "here", "there"]
    assert set(map(tuple, limited[keys].fillna("").to_numpy().tolist())) == {
        ("new", "a", "line", 3, "loading_percent", 95.0, ""),
        ("new", "b", "line", 0, "loading_percent", 96.0, ""),
        ("worse", "a", "line", 1, "loading_percent", 92.1, 92.0),
        ("worse", "a", "bus", 1, "vm_pu", 1.07, 1.06),
        ("gone", "a", "line", 2, "loading_percent", "", 93.0),
    }
    assert limited["difference"].dropna().tolist() == pytest.approx([0.1, 0.01])


def test_of_snapshots_the_worst_counts(pair):
    hours = [*state("h0", None, [95]), *state("h1", None, [99]), *state("h2", None, [50])]
    later = [*state("h0", None, [97]), *state("h1", None, [50]), *state("h2", None, [50])]
    verdict, rows = told(pair([(scenario("a"), hours)], [(scenario("a"), later)]))
    assert verdict.good
    assert verdict.reasons["violations:"] == "1 better (line:0 (L0), h0 in a, 99.0 → 97.0 %)"
    (row,) = rows[rows["element"] == "line"].to_dict("records")
    assert (row["snapshot"], row["difference"]) == ("h0", -2)


def test_contingencies_of_both_that_are_solved_are_compared(pair):
    summary = pair(
        [
            (
                scenario("a"),
                [
                    *state(None, None, [50]),
                    *state(None, "line:1", [85]),
                    *state(None, "line:2", [95]),
                    *state(None, "line:3", [99]),
                    *state(None, "line:4", status="not_converged"),
                ],
            )
        ],
        [
            (
                scenario("a"),
                [
                    *state(None, None, [50]),
                    *state(None, "line:1", [88]),
                    *state(None, "line:2", status="not_converged"),
                    *state(None, "line:4", [99]),
                ],
            )
        ],
    )
    verdict, _ = told(summary)
    assert verdict.reasons["violations:"] == (
        "1 worse (line:0 (L0) after line:1 in a, 85.0 → 88.0 %); "
        "1 contingency has no solution any more; 1 contingency has one now; "
        "1 contingency of one batch alone left out"
    )
    assert verdict.text == "better and worse: 1 violation is worse"


def test_statuses_figures_and_costs(pair):
    summary = pair(
        [
            (scenario("a", "ac_opf"), state(loading=[80], vm=[1.0], objective=100.0)),
            (scenario("b"), state(loading=[80], vm=[1.0], loss_mw=2.0)),
            (scenario("c"), state(loading=[99], vm=[1.0])),
            (scenario("d"), None),
        ],
        [
            (scenario("a", "ac_opf"), state(loading=[80.04], vm=[1.0], objective=110.0)),
            (scenario("b"), state(loading=[70], vm=[0.99], loss_mw=1.5)),
            (scenario("c"), state(None, None, [np.nan], [np.nan], status="not_converged")),
            (scenario("d"), state(loading=[10], vm=[1.0])),
        ],
    )
    verdict, rows = told(summary)
    assert verdict.text == "better and worse: 2 scenarios have other statuses"
    reasons = verdict.reasons
    assert reasons["scenarios:"] == "4 in both, 2 of them solved in both"
    # What c violated isn't gone: it has no solution.
    assert reasons["violations:"] == "none in either"
    assert reasons["statuses:"] == "1 worse (c: ok → not converged); 1 better (d: failed → ok)"
    assert reasons["worst loading:"] == "lower in 1 scenario, most in b (80.0 → 70.0 %)"
    assert reasons["lowest voltage:"] == "lower in 1 scenario, most in b (1.000 → 0.990 p.u.)"
    assert reasons["cost:"] == (
        "higher in 1 scenario, most in a (100 → 110); 10 (10.00 %) more in all"
    )
    known = rows.set_index(["scenario", "quantity"])["change"].to_dict()
    assert known == {
        ("c", "status"): "worse",
        ("d", "status"): "better",
        ("b", "max_loading_percent"): "better",
        ("b", "min_vm_pu"): "worse",
        ("b", "max_vm_pu"): "better",
        ("a", "objective"): "worse",
        ("b", "loss_mw"): "better",
    }


def test_nothing_may_have_changed(pair):
    same = [(scenario("a"), state(loading=[99]))]
    verdict, rows = told(pair(same, same))
    assert (verdict.text, verdict.good, len(rows)) == ("as before", True, 0)


def test_batches_may_have_no_scenario_in_common(pair):
    rows = state(loading=[99])
    summary = pair([(scenario("a"), rows)], [(scenario("z"), rows)])
    verdict, changed = told(summary)
    assert verdict.reasons["scenarios:"] == "0 in both; 1 only here; 1 only in old"
    assert (verdict.text, len(changed)) == ("no scenario is solved in both", 0)
    assert against(summary, summary.other, compare(summary, summary.other)).tables == ()
    ((grid,), names) = packed(summary, 10**6), ("before", "after")
    assert [grid["differences"][0]["elements"]["line"][name] for name in names] == [[None]] * 2


def test_scenarios_that_keep_system_rows_alone_are_compared_by_their_extremes(pair):
    def bare(solver, *values):
        rows = state(None, None, *values)
        return (scenario(solver, solver, keep="system"), rows[:1])

    summary = pair(
        [bare("ac", [95], [1.0]), bare("dc", [91])], [bare("ac", [80]), bare("dc", [99])]
    )
    verdict, _ = told(summary)
    assert verdict.reasons["violations:"] == (
        "1 worse (line:0 in dc, 91.0 → 99.0 %); 1 gone (line:0 in ac, 95.0 %)"
    )


def test_tables_are_bounded_and_say_so(pair, monkeypatch):
    monkeypatch.setattr(listings, "MOST_OF_A_KIND", 4)
    monkeypatch.setattr(violation_listing, "MOST_OF_A_KIND", 4)
    rng = np.random.default_rng(3)
    before, now = (
        [(scenario(f"s{n}"), state(loading=rng.uniform(0, 120, 5))) for n in range(40)]
        for _ in range(2)
    )
    summary = pair(before, now)
    found = compare(summary, summary.other)
    section = against(summary, summary.other, found)
    violations, figures = section.tables
    changed = [len(getattr(found.violations.changes, kind)) for kind in ("new", "worse", "gone")]
    assert min(changed) > 4
    assert [row[0] for row in violations.content["rows"][:12]] == (
        ["new"] * 4 + ["worse"] * 4 + ["gone"] * 4
    )
    now_at = [column["key"] for column in violations.content["columns"]].index("now")
    new = [row[now_at] for row in violations.content["rows"][:4]]
    worst = found.violations.changes.new["value"].nlargest(4)
    assert new == pytest.approx(worst.tolist())
    rows = found.table().to_pandas()
    count = (rows["element"] != "system").sum()
    assert violations.text == f"At most 4 of each kind; {count:,} in all."
    loading = [row for row in figures.content["rows"] if row[1].startswith("worst loading")]
    assert [row[2] for row in loading] == ["worse", "worse", "better", "better"]


def test_the_page_holds_the_same_states_of_the_other_batch(pair):
    rng = np.random.default_rng(4)

    def made(names):
        for name in names:
            hours = [None] if name != "day" else ["h0", "h1", "h2"]
            rows = [
                row
                for hour in hours
                for row in state(hour, None, rng.uniform(10, 120, 3), rng.uniform(0.9, 1.1, 2))
            ]
            yield scenario(name), rows

    old, new = list(made(["a", "day", "x"])), list(made(["y", "day", "b", "a"]))
    summary = pair(old, new, groups={"one": ["a", "b"], "two": ["day"]})
    (grid,) = packed(summary, 10**6)
    known = {
        (scenario.id, row["snapshot"], row["element"], row.get("id")): row
        for scenario, rows in old
        for row in rows
    }
    states = grid["states"]
    for block in grid["before"]:
        ids = grid["elements"][block["element"]]["id"]
        numbers = np.frombuffer(base64.b64decode(block["data"]), "<u2").reshape(-1, len(ids))
        for at, (name, hour) in enumerate(zip(states["scenario"], states["snapshot"], strict=True)):
            when = grid["snapshots"][hour] if hour >= 0 else None
            for index, number in zip(ids, numbers[at].tolist(), strict=True):
                row = known.get((grid["scenarios"][name], when, block["element"], index))
                if row is None:
                    assert number == MISSING
                else:
                    value = block["low"] + number * block["step"]
                    assert value == pytest.approx(row[block["quantity"]], abs=block["step"])
    batches, groups = grid["differences"]
    assert (batches["name"], batches["reference"]) == ("this batch", "old")
    assert (groups["name"], groups["reference"]) == ("two", "one")
    for content, before, now in (
        (batches, ("a", "day"), ("a", "day")),
        (groups, ("a", "b"), ("day",)),
    ):
        results = dict.fromkeys(("before", "after"))
        source = {"before": old if content is batches else new, "after": new}
        for when, names in (("before", before), ("after", now)):
            rows = [row for one, own in source[when] if one.id in names for row in own]
            results[when] = pd.DataFrame(rows).groupby(["element", "id"])
        for when, found in results.items():
            line = found["loading_percent"].max().loc["line"]
            assert content["elements"]["line"][when] == pytest.approx(line.tolist(), rel=1e-5)
            low, high = found["vm_pu"].min().loc["bus"], found["vm_pu"].max().loc["bus"]
            assert content["elements"]["bus"][when] == pytest.approx(high.tolist(), rel=1e-5)
            assert content["elements"]["bus"][f"{when}_low"] == pytest.approx(
                low.tolist(), rel=1e-5
            )


def test_extremes_of_many_parts_are_those_of_all(pair, monkeypatch):
    from gat_batch.report.states import extremes, reading

    monkeypatch.setattr(reading, "BATCH_ROWS", 1)
    monkeypatch.setattr(extremes, "MOST_PARTS", 2)
    names = [f"s{n}" for n in range(9)]
    results = [(scenario(name), state(loading=[10.0 + n])) for n, name in enumerate(names)]
    summary = pair(results, results, groups={"first": names[:5], "last": names[5:]})
    found = {one.name: one for one in differences(summary)}
    assert found["last"].before.loc[("line", 0)].tolist() == [10, 14]
    assert found["last"].after.loc[("line", 0)].tolist() == [15, 18]
    assert found["this batch"].after.loc[("line", 0)].tolist() == [10, 18]


def test_names_of_elements_and_batches_stay_text(pair):
    rows = state(loading=[99])
    rows[1]["name"] = NASTY
    summary = pair([(scenario("a"), state(loading=[50]))], [(scenario("a"), rows)])
    section = against(summary, summary.other, compare(summary, summary.other))
    status = {"name": NASTY, "updated": "2026-01-02T03:04:05.678+00:00"}
    text = page(summary, status, [section], "")
    assert NASTY not in text
    assert "line:0 (&lt;/script&gt;&lt;b&gt;&amp;)" in text


@pytest.mark.workflow
def test_to_compare_solves_nothing_again(workspace):
    def solve(name, **settings):
        workspace.configure(name=name, **settings)
        run = workspace.run()
        return run.returncode, run.stdout + run.stderr

    scenarios = [{"id": "a"}, {"id": "b", "load_scale": 1.1}]
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    assert solve("before")[0] == 0
    scenarios[1]["load_scale"] = 1.4
    workspace.write("manifest.json", {"grid": "pandapower:case9", "scenarios": scenarios})
    assert solve("study")[0] == 0
    summary = workspace.batch / "summary"
    solved = workspace.solved()
    assert 'id="against"' not in (summary / "report.html").read_text()
    code, output = solve("study", against="runs/batch/before")
    assert code == 0, output
    assert "<h2>Against before</h2>" in (summary / "report.html").read_text()
    changed = pq.read_table(summary / "against.parquet").to_pandas()
    assert set(changed["scenario"]) == {"b"}
    own, other = (
        pd.read_parquet(workspace.path / f"runs/batch/{name}/summary/scenarios.parquet")
        for name in ("study", "before")
    )
    row = changed[changed["quantity"] == "max_loading_percent"].iloc[0]
    assert row["here"] == own["max_loading_percent"][1]
    assert row["there"] == other["max_loading_percent"][1]
    assert workspace.solved() == solved
    # The report follows the other batch.
    scenarios[1]["load_scale"] = 1.4
    assert solve("before")[0] == 0
    assert solve("study", against="runs/batch/before")[0] == 0
    assert len(pq.read_table(summary / "against.parquet")) == 0
    assert solve("study")[0] == 0
    assert not (summary / "against.parquet").exists()
    for other, why in (
        ("runs/batch/nowhere", "no such folder"),
        ("runs/batch/study", "is this batch itself"),
        ("config", "holds no summary"),
    ):
        code, output = solve("study", against=other)
        assert code == 1
        assert f"against: {other}: {why}" in output
