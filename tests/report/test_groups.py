"""Groups of scenarios held against each other: what is counted, and what is said of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from summary_files import state, summary_of

from gat_batch.model.violations import Limits
from gat_batch.report.groups import comparison as answering
from gat_batch.report.groups import drawings, judged_rows, standing
from gat_batch.report.groups.changes import changes
from gat_batch.report.groups.judging import Asked, judge
from gat_batch.report.groups.sentences import verdict
from gat_batch.report.groups.standing import Extreme, Standing
from gat_batch.report.groups.violations import ITEM
from gat_batch.report.material import tells_limits
from gat_batch.report.page import page
from gat_batch.study.batch.scenarios import Batch
from gat_batch.study.scenario import BRANCHES, Scenario

LIMITS = Limits(90.0, (0.95, 1.05))
NASTY = "</script><b>&"


@pytest.fixture
def summed(tmp_path):
    """Make the summary of scenarios with rows; None is a scenario that failed."""

    def make(*results):
        return summary_of(tmp_path, results, LIMITS)

    return make


def scenario(name, solver="ac", **more):
    return Scenario(name, "case9", solver, **more)


def standings(summary, groups, bare=()):
    return judge(summary, Asked("", groups, frozenset(bare))).standings


def comparison(summary, asked):
    return answering.comparison(summary, asked, judge(summary, asked))


def said(section, group):
    verdict = section.verdicts[group]
    return verdict.text, verdict.reasons


def test_what_is_gone_is_told_only_where_all_is_known():
    rows = pd.DataFrame(
        {"value": [120.0, 0.8], "limit": [100.0, 0.9], "excess": [20.0, 0.1], "states": [1, 1]},
        index=pd.MultiIndex.from_tuples([("line", 2, "", ""), ("bus", 4, "low", "")], names=ITEM),
    ).assign(scenario="a", snapshot="")
    low = Extreme(0.8, "bus:4", "", "a", "")
    before = Standing(1, states=1, violations=rows, lowest=low)

    def against(group):
        told = verdict(group, {}, ("base", before))
        return next(text for lead, text in told.reasons.items() if lead.startswith("against"))

    assert "2 gone" in against(Standing(1, states=1, lowest=low))
    for unknown in ({"failed": 1}, {"unsolved": 1}, {"lost": 1}, {"partial": True}):
        told = against(Standing(2, states=1, lowest=low, **unknown))
        assert "what is gone can't be told" in told
        assert "none new" in told
    assert "1 gone (line:2, 120.0 %)" in against(Standing(1, states=1))  # DC has no voltages


@pytest.mark.parametrize(
    ("keep", "whole"),
    [
        ("all", True),
        ("violations", True),
        ("system", False),
        ({"line": ["p_from_mw"]}, False),
        ({"bus": ["vm_pu"]}, False),
        ({kind: ["loading_percent"] for kind in BRANCHES} | {"bus": ["vm_pu"]}, True),
    ],
)
def test_rows_that_are_kept_tell_of_limits_or_not(keep, whole):
    assert tells_limits(keep) == whole


def test_groups_are_tags_or_values_of_metadata():
    scenarios = (
        scenario("a", tags=("x", "y"), metadata={"limit": 90}),
        scenario("b", tags=("y",), metadata={"limit": "90"}),
        scenario("c", metadata={"limit": None}),
        scenario("d", tags=("z",), metadata={"limit": 100}),
    )
    by_tag = Batch("m.json", scenarios, compare=("y", "x"))
    assert list(by_tag.groups.items()) == [("y", ("a", "b")), ("x", ("a",))]
    by_value = Batch("m.json", scenarios, compare="limit")
    assert list(by_value.groups.items()) == [("90", ("a", "b")), ("100", ("d",))]
    assert Batch("m.json", scenarios).groups == {}


@pytest.mark.parametrize("batch_rows", [7, 200_000])
def test_every_count_and_extreme_equals_pandas(summed, monkeypatch, batch_rows):
    monkeypatch.setattr(judged_rows, "BATCH_ROWS", batch_rows)
    monkeypatch.setattr(standing, "MOST_PARTS", 3)
    rng = np.random.default_rng(5)
    groups = {"one": ["s0", "s1", "s4"], "two": ["s2", "s3", "s4"]}
    results, every = [], []
    for n in range(5):
        rows = []
        for hour in ("h0", "h1", "h2"):
            for contingency in (None, "line:1", "line:2+line:3", "trafo:0"):
                loading, vm = rng.uniform(40, 95, 4), rng.uniform(0.88, 1.12, 3)
                rows += state(hour, contingency, loading, vm, unserved_mw=rng.integers(0, 3))
        results.append((scenario(f"s{n}"), rows))
        every += [{"scenario": f"s{n}", **row} for row in rows]
    found = standings(summed(*results), groups)
    frame = pd.DataFrame(every)
    frame["contingency"] = frame["contingency"].fillna("")
    for group, ids in groups.items():
        own, told = frame[frame["scenario"].isin(ids)], found[group]
        base = own["contingency"] == ""
        line, bus, vm = own["element"] == "line", own["element"] == "bus", own["vm_pu"]
        over = line & (own["loading_percent"] > np.where(base, 90, 80))
        low = bus & (vm < np.where(base, 0.95, 0.9))
        high = bus & (vm > np.where(base, 1.05, 1.1))
        side = np.where(low, "low", np.where(high, "high", ""))
        broken = own.assign(side=side)[over | low | high]
        assert told.states == 9
        assert told.optima == 0
        assert told.contingencies == set(own["contingency"]) - {""}
        states = broken.drop_duplicates(["scenario", "snapshot"])
        before = broken[broken["contingency"] == ""].drop_duplicates(["scenario", "snapshot"])
        assert (told.broken_states, told.broken_before) == (len(states), len(before))
        keys = ["element", "id", "side", "contingency"]
        counts = broken.groupby(keys).size()
        assert told.violations["states"].sort_index().to_dict() == counts.to_dict()
        worst = broken.groupby(keys).agg({"loading_percent": "max", "vm_pu": ["min", "max"]})
        for key, row in told.violations.iterrows():
            column = ("loading_percent", "max")
            if key[0] == "bus":
                column = ("vm_pu", "min" if key[2] == "low" else "max")
            assert row["value"] == worst.loc[key, column]
            there = own[(own["scenario"] == row["scenario"]) & (own["snapshot"] == row["snapshot"])]
            there = there[(there["contingency"] == key[3]) & (there["id"] == key[1])]
            assert row["value"] in there[column[0]].to_numpy()
        system = own[own["element"] == "system"]
        assert told.loading.value == system["max_loading_percent"].max()
        assert told.lowest.value == system["min_vm_pu"].min()
        assert told.highest.value == system["max_vm_pu"].max()
        assert told.unserved.value == system["unserved_mw"].max()
        course = system.groupby("snapshot")["max_loading_percent"].max()
        assert told.course.set_index("snapshot")["value"].to_dict() == course.to_dict()


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 200_000])
def test_what_an_action_leaves_is_what_counts(summed, monkeypatch, batch_rows):
    monkeypatch.setattr(judged_rows, "BATCH_ROWS", batch_rows)
    rows = [
        *state(None, None, [50, 60]),
        *state(None, "line:1", [50, 85]),
        *state(None, "line:1|open tie", [50, 70]),
        *state(None, "line:2", [95, 60]),
        *state(None, "line:2|open tie", [88, 60]),
        *state(None, "line:3", [50, 99]),
        *state(None, "line:3|none", [50, 99]),
        *state(None, "line:4", [86, 60]),
        *state(None, "line:4|1", [50, 60]),
    ]
    found = standings(summed((scenario("a"), rows)), {"all": ["a"]})["all"]
    assert set(found.violations.index.get_level_values("contingency")) == {
        "line:2|open tie",
        "line:3",
        "line:3|none",
        "line:4",  # rounds of a cascade relieve nothing
    }


def test_scenarios_with_system_rows_alone_are_judged_by_their_extremes(summed):
    rows = [row for row in state(None, None, [95, 60], [0.94, 1.06]) if row["element"] == "system"]
    rows += [row for row in state(None, "line:1", [50, 91], [1.0]) if row["element"] == "system"]
    summary = summed((scenario("a", keep="system"), rows), (scenario("b"), state(loading=[40])))
    found = standings(summary, {"all": ["a", "b"]}, bare={"a"})["all"]
    told = found.violations.reset_index()[["element", "id", "side", "contingency", "value"]]
    assert sorted(map(tuple, told.to_numpy().tolist())) == [
        ("bus", 0, "low", "", 0.94),
        ("bus", 1, "high", "", 1.06),
        ("line", 0, "", "", 95),
        ("line", 1, "", "line:1", 91),
    ]
    assert standings(summary, {"b": ["b"]}, bare={"a"})["b"].holds


def test_words_say_what_is_broken_before_any_contingency_and_what_has_no_solution(summed):
    summary = summed(
        (scenario("fine"), state(loading=[50, 60], vm=[1.0, 1.01], loss_mw=4.0)),
        (
            scenario("bad"),
            [
                *state("h0", None, [95, 60], [0.94, 1.0], loss_mw=6.0),
                *state("h0", "line:1", [50, 81.26], [0.85, 1.0]),
                *state("h0", "line:2", status="not_converged"),
                *state("h1", None, [np.nan] * 2, [np.nan] * 2, status="not_converged"),
            ],
        ),
        (scenario("gone"), None),
    )
    groups = {"fine": ["fine"], "bad": ["bad", "gone"]}
    section = comparison(summary, Asked("Well?", groups))
    assert (section.title, section.text, section.short) == ("Well?", "", "Answer")
    assert said(section, "fine") == (
        "passes: no limit is broken in 1 state",
        {"highest loading:": "60.0 %, line:1 (L1), in fine"},
    )
    text, reasons = said(section, "bad")
    assert text == (
        "fails: limits are broken in 1 of 2 states, after 1 of 2 contingencies and in 1 before "
        "any; 1 of 2 states has no solution; 1 contingency has no solution; "
        "1 of 2 scenarios failed"
    )
    assert reasons == {
        "highest loading:": "95.0 %, line:0 (L0), h0 in bad",
        "voltages:": "0.850 p.u., bus:0 after line:1 (L1), h0 in bad",
        "against fine, worst of each:": (
            "4 new (bus:0 after line:1 (L1), 0.850 p.u.; 3 more); none gone"
        ),
    }
    figures = {row[0]: row[1:] for row in section.tables[0].content["rows"]}
    # The states are not as many, so that their losses aren't compared.
    assert figures["mean losses of AC"] == ["4.0 MW", "6.0 MW, 2.0 MW (50.0 %) more"]
    assert figures["scenarios"] == ["1", "2"]
    names = [table.name for table in section.tables]
    assert names == ["groups", "broken_loadings", "broken_voltages"]


def test_changes_are_new_worse_better_gone_or_the_same(summed):
    before = state(loading=[91, 92, 93, 94, 50], vm=[0.94, 1.06])
    after = state(loading=[91.04, 92.06, 80, 92, 95], vm=[0.9396, 1.07])
    groups = {"before": ["a"], "after": ["b"]}
    found = standings(summed((scenario("a"), before), (scenario("b"), after)), groups)
    told = changes(found["before"].violations, found["after"].violations)
    kinds = {
        kind: [key[:2] for key in getattr(told, kind).index]
        for kind in ("new", "worse", "better", "gone")
    }
    assert kinds == {
        "new": [("line", 4)],
        "worse": [("line", 1), ("bus", 1)],
        "better": [("line", 3)],
        "gone": [("line", 2)],
    }
    assert told.same == 2


def test_the_voltage_named_is_outside_its_own_band(summed):
    """Bus 0 may have 0.85 p.u., bus 1 has a limit at 0.9 p.u."""
    rows = state(None, None, [50], [1.0, 1.0])
    rows += state(None, "line:1", [50], [0.85, 0.89])
    rows = [row for row in rows if (row.get("vm_pu"), row["element"]) != (0.85, "bus")]
    section = comparison(summed((scenario("a"), rows)), Asked("Well?"))
    assert said(section, "all scenarios")[1]["voltages:"] == "0.890 p.u., bus:1 after line:1, in a"


def test_a_group_may_have_failed_whole(summed):
    summary = summed((scenario("a"), None), (scenario("b"), state(loading=[99])))
    for groups in ({"x": ["a"], "y": ["b"]}, {"y": ["b"], "x": ["a"]}, {"x": ["a"]}):
        section = comparison(summary, Asked("", groups))
        assert said(section, "x")[0] == "fails: 1 of 1 scenario failed"
        assert len(section.figures) == len(groups) - 1


@pytest.mark.parametrize(("status", "cost"), [("ok", True), ("infeasible", False)])
def test_costs_are_compared_if_all_optima_are_there(summed, status, cost):
    known = {"objective": 110.0} if status == "ok" else {}
    optima = [
        (scenario("a", "dc_opf"), state(loading=[90], objective=100.0)),
        (scenario("b", "dc_opf"), state(loading=[90], status=status, **known)),
        (scenario("c", "dc_opf"), state(loading=[90], objective=100.0)),
    ]
    section = comparison(summed(*optima), Asked("", {"x": ["a"], "y": ["b"], "z": ["c"]}))
    assert section.title == "Comparison"
    assert said(section, "x") == (
        "passes: no limit is broken in 1 optimal power flow",
        {"highest loading:": "90.0 %, line:0 (L0), in a", "cost:": "100 for 1 optimal power flow"},
    )
    text, reasons = said(section, "y")
    told = "110 for 1 optimal power flow, 10 (10.0 %) more" if cost else None
    assert reasons.get("cost:") == told
    assert text.startswith("passes" if cost else "fails: 1 of 1 state has no solution")
    assert said(section, "z")[1]["cost:"] == "100 for 1 optimal power flow, as before"


def test_scenarios_of_no_group_are_counted(summed):
    summary = summed(*((scenario(name), state(loading=[50])) for name in "abc"))
    section = comparison(summary, Asked("", {"x": ["a"], "y": ["a", "b"]}))
    assert section.text == "1 of 3 scenarios are in none of these groups."


def test_a_question_alone_is_answered_for_all_scenarios(summed):
    summary = summed((scenario("a"), state(loading=[50])), (scenario("b"), state(loading=[99])))
    section = comparison(summary, Asked("Does it hold?"))
    assert list(section.verdicts) == ["all scenarios"]
    assert said(section, "all scenarios")[0] == "fails: limits are broken in 1 of 2 states"
    assert comparison(summary, Asked()) is None


def test_without_common_snapshots_the_worst_branches_are_drawn(summed):
    rows = [*state(None, None, [50, 91]), *state(None, "line:2", [85, 60, 82])]
    summary = summed((scenario("a"), rows), (scenario("b"), state(loading=[70, 60])))
    section = comparison(summary, Asked("", {"x": ["a"], "y": ["b"]}))
    (figure,) = section.figures
    values = pd.DataFrame(figure.spec["data"]["values"])
    told = values.set_index(["branch", "group"])["loading"].to_dict()
    assert told == {
        ("line:1 (L1)", "x"): 91,
        ("line:0 (L0)", "x"): 85,
        ("line:2", "x"): 82,
        ("line:0 (L0)", "y"): 70,
    }
    assert "keeps the limit there" in figure.caption


def test_of_many_snapshots_the_worst_of_several_are_drawn(summed, monkeypatch):
    monkeypatch.setattr(drawings, "MOST_POINTS", 4)
    rng = np.random.default_rng(2)
    loadings = {name: rng.uniform(50, 99, 10) for name in "ab"}
    results = [
        (
            scenario(name),
            [row for n, value in enumerate(own) for row in state(f"h{n}", None, [value])],
        )
        for name, own in loadings.items()
    ]
    section = comparison(summed(*results), Asked("", {"x": ["a"], "y": ["b"]}))
    values = pd.DataFrame(section.figures[0].spec["data"]["values"])
    for group, name in (("x", "a"), ("y", "b")):
        own = values[values["group"] == group]
        assert list(own["snapshot"]) == ["h0", "h3", "h6", "h9"]
        expected = [loadings[name][start : start + 3].max() for start in (0, 3, 6, 9)]
        assert own["loading"].to_numpy() == pytest.approx(expected)


def test_markup_in_names_stays_text(summed):
    rows = state(loading=[99])
    rows[1]["name"] = NASTY
    summary = summed((scenario("a"), rows))
    section = comparison(summary, Asked(NASTY, {NASTY: ["a"]}))
    status = {"name": "study", "updated": "2026-01-02T03:04:05.678+00:00"}
    text = page(summary, status, [section], "")
    assert NASTY not in text
    assert "&lt;/script&gt;&lt;b&gt;&amp;" in text


@pytest.mark.workflow
def test_another_question_makes_another_report_and_solves_nothing(workspace):
    manifest = {
        "grid": "pandapower:case9",
        "scenarios": [
            {"id": "a", "tags": ["now"], "metadata": {"year": 2030}},
            {"id": "b", "tags": ["then"], "metadata": {"year": 2040}, "load_scale": 1.2},
        ],
    }
    report = workspace.batch / "summary" / "report.html"

    def answered(**asked):
        workspace.write("manifest.json", {**manifest, **asked})
        run = workspace.run()
        assert run.returncode == 0, run.stdout + run.stderr
        return report.read_text()

    workspace.configure()
    assert 'id="answer"' not in answered()
    solved = workspace.solved()
    asked = answered(question="Does it hold?", compare=["now", "then"])
    assert "<h2>Does it hold?</h2>" in asked
    assert "against now, worst of each:" in asked
    assert "against 2030, worst of each:" in answered(question="Does it hold?", compare="year")
    assert "<h2>And now?</h2>" in answered(question="And now?")
    assert workspace.solved() == solved
