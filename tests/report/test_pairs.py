"""Groups whose scenarios have counterparts are held against each other state by state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summary_files import state, summary_of

from gat_batch.model.violations import Limits
from gat_batch.report.groups import judging
from gat_batch.report.groups.comparison import comparison
from gat_batch.report.groups.judging import Asked, judge
from gat_batch.report.maps import after_contingencies
from gat_batch.report.maps.differences import differences
from gat_batch.report.maps.packed import packed
from gat_batch.study.batch.scenarios import Batch
from gat_batch.study.scenario import Outage, Scenario

LIMITS = Limits(90.0, (0.95, 1.05))
HOURS = ("h0", "h1", "h2")
CONTINGENCIES = (None, "line:1", "trafo:0")


def scenario(name, solver="ac", **more):
    return Scenario(name, "case9", solver, **more)


def matched(scenarios, compare):
    batch = Batch(Path("m.json"), tuple(scenarios), compare=compare)
    return batch.counterparts(batch.groups)


def test_counterparts_differ_in_nothing_but_the_group():
    out = (Outage("line", 3),)
    scenarios = [
        scenario(f"{group}-{hour}", tags=(group,), metadata={"hour": hour}, outages=outages)
        for group, outages in (("without", out), ("with", ()))
        for hour in (1, 2)
    ]
    assert matched(scenarios, ("without", "with")) == {
        "with": {"with-1": "without-1", "with-2": "without-2"}
    }
    # Another reference is held the other way around.
    assert matched(scenarios, ("with", "without"))["without"]["without-2"] == "with-2"
    # An hour that the reference hasn't got has no counterpart.
    alone = scenario("more", tags=("with",), metadata={"hour": 3})
    assert matched([*scenarios, alone], ("without", "with")) == {}
    # Two that are alike in all that is told of them can't be told apart.
    twin = scenario("twin", tags=("without",), metadata={"hour": 1}, outages=out)
    assert matched([*scenarios, twin], ("without", "with")) == {}
    # A scenario that only the reference has keeps no other from its counterpart.
    fewer = [one for one in scenarios if one.id != "with-2"]
    assert matched(fewer, ("without", "with")) == {"with": {"with-1": "without-1"}}


@pytest.mark.parametrize(
    ("field", "values", "apart"),
    [
        ("solver", ("ac", "dc"), True),
        ("load_scale", (0.9, 1.1), True),
        ("options", ({"secure": True}, {}), True),
        ("description", ("one", "two"), False),
    ],
)
def test_what_is_alike_in_both_groups_tells_counterparts(field, values, apart):
    scenarios = [
        Scenario(f"{year}-{n}", "case9", **{field: value}, metadata={"year": year})
        for year in (2030, 2040)
        for n, value in enumerate(values)
    ]
    pairs = {"2040": {"2040-0": "2030-0", "2040-1": "2030-1"}}
    assert matched(scenarios, "year") == (pairs if apart else {})


def test_groups_that_grow_have_no_counterparts_unless_labels_tell():
    scales = {("now", "noon"): 0.9, ("now", "evening"): 1.0, ("later", "noon"): 0.99}
    scales |= {("later", "evening"): 1.1}
    plain = [
        scenario(f"{when}-{hour}", tags=(when,), load_scale=scale)
        for (when, hour), scale in scales.items()
    ]
    assert matched(plain, ("now", "later")) == {}
    told = [
        scenario(f"{when}-{hour}", tags=(when, hour), load_scale=scale)
        for (when, hour), scale in scales.items()
    ]
    assert matched(told, ("now", "later")) == {
        "later": {"later-noon": "now-noon", "later-evening": "now-evening"}
    }
    assert matched(told, ()) == {}


@pytest.fixture
def made(tmp_path):
    """Groups of two scenarios each, whose rows are drawn; one state and one contingency fail."""
    rng = np.random.default_rng(7)
    results, every = [], []
    for name in ("a0", "a1", "b0", "b1"):
        rows = []
        for hour in HOURS:
            failed = (name, hour) == ("b0", "h1")
            for contingency in CONTINGENCIES if not failed else (None,):
                lost = (name, hour, contingency) == ("a1", "h2", "line:1")
                values = [np.nan] * 4, [np.nan] * 3
                if not (failed or lost):
                    values = rng.uniform(60, 105, 4), rng.uniform(0.87, 1.13, 3)
                status = "not_converged" if failed or lost else "ok"
                rows += state(hour, contingency, *values, status=status)
        results.append((scenario(name), rows))
        every += [{"scenario": name, **row} for row in rows]
    groups = {"before": ["a0", "a1"], "after": ["b0", "b1"]}
    asked = Asked("", groups, counterparts={"after": {"b0": "a0", "b1": "a1"}})
    summary = summary_of(tmp_path, results, LIMITS, groups=groups)
    frame = pd.DataFrame(every).fillna({"contingency": ""})
    return summary, asked, frame


def excess(rows):
    """How far rows of violations are outside, in percent or p.u., by state and item."""
    base = rows["contingency"] == ""
    top, low, high = np.where(base, 90, 80), np.where(base, 0.95, 0.9), np.where(base, 1.05, 1.1)
    over = np.where(rows["element"] == "line", rows["loading_percent"] - top, np.nan)
    under = np.where(rows["element"] == "bus", low - rows["vm_pu"], np.nan)
    above = np.where(rows["element"] == "bus", rows["vm_pu"] - high, np.nan)
    most = np.nanmax([over, under, above, np.full(len(rows), -1.0)], axis=0)
    side = np.where(rows["element"] == "line", "", np.where(under > 0, "low", "high"))
    keys = ["pair", "snapshot", "contingency", "element", "id", "side"]
    told = rows.assign(excess=most, side=side)[most > 0]
    return told.set_index(keys)["excess"]


def expected(frame):
    rows = frame[frame["element"] != "system"].assign(pair=frame["scenario"].str[1])
    # What one of both has no solution for is left out.
    rows = rows[~((rows["pair"] == "0") & (rows["snapshot"] == "h1"))]
    place = (rows["snapshot"] == "h2") & (rows["contingency"] == "line:1")
    rows = rows[~((rows["pair"] == "1") & place)]
    before, now = (excess(rows[rows["scenario"].str[0] == name]) for name in "ab")
    both = before.index.intersection(now.index)
    more = now[both] - before[both]
    least = np.where(both.get_level_values("element") == "line", 0.05, 0.0005)
    return {
        "new": len(now.index.difference(both)),
        "gone": len(before.index.difference(both)),
        "worse": int((more > least).sum()),
        "better": int((more < -least).sum()),
    }


def test_every_state_is_held_against_its_counterpart(made):
    summary, asked, frame = made
    pairs = judge(summary, asked).pairs["after"]
    told = {kind: len(getattr(pairs.changes, kind)) for kind in ("new", "gone", "worse", "better")}
    assert told == expected(frame)
    assert min(told.values()) > 0
    assert (pairs.states, pairs.left_out, pairs.lost) == (5, 1, 1)


def test_the_report_says_which_kind_of_comparison_it_is(made, monkeypatch):
    summary, asked, frame = made
    section = comparison(summary, asked, judge(summary, asked))
    (lead,) = (lead for lead in section.verdicts["after"].reasons if lead.startswith("against"))
    assert lead == "against before, state by state:"
    text = section.verdicts["after"].reasons[lead]
    for kind, count in expected(frame).items():
        assert f"{count} {kind} in " in text
    assert "1 state that one of both hasn't got or solved is left out" in text
    assert "1 contingency without a solution left out" in text
    (listing,) = (one for one in section.tables if one.name == "pairs_1")
    assert listing.title == "after against before, state by state"
    assert listing.content["difference"] == "after"
    assert len(listing.content["rows"]) == sum(expected(frame).values())
    # Without counterparts, or with too many violations, the worst of each group counts.
    monkeypatch.setattr(judging, "MOST_VIOLATIONS", 3)
    section = comparison(summary, asked, judge(summary, asked))
    assert "against before, worst of each:" in section.verdicts["after"].reasons
    assert "pairs_1" not in [table.name for table in section.tables]


def test_the_page_holds_what_contingencies_do_in_both(made):
    summary, asked, frame = made
    judged = judge(summary, asked)
    (grid,) = packed(summary, 10**6, list(differences(summary, judged)))
    (told,) = grid["differences"]
    names = grid["scenarios"]
    pairs = {names[int(own)]: names[other] for own, other in told["counterparts"].items()}
    assert pairs == {"b0": "a0", "b1": "a1"}
    found = {(one["scenario"], one["snapshot"], one["contingency"]): one for one in told["after"]}
    # The worst of each group; line:1 has no solution in a state of the reference.
    assert found[None, None, "line:1"]["lost"] == [1, 0]
    whole, own = found[None, None, "trafo:0"], found["b1", "h0", "trafo:0"]
    after = frame[(frame["contingency"] == "trafo:0") & (frame["element"] == "line")]
    for when, group in (("before", "a"), ("now", "b")):
        rows = after[after["scenario"].str[0] == group]
        worst = rows.groupby("id")["loading_percent"].max()
        values = whole[when]["line"]
        told_worst = dict(zip(values[::2], values[1::2], strict=True))
        assert told_worst == pytest.approx(worst[worst > 80].to_dict(), rel=1e-4)
        rows = rows[(rows["scenario"].str[1] == "1") & (rows["snapshot"] == "h0")]
        single = rows.set_index("id")["loading_percent"]
        values = own[when].get("line", [])
        told_single = dict(zip(values[::2], values[1::2], strict=True))
        assert told_single == pytest.approx(single[single > 80].to_dict(), rel=1e-4)


def change(key, *values):
    """By how much an element is further outside its limits, relative to them."""
    low, high = (0.9, 1.1) if key[0] == "bus" else (1e-9, 80)
    outside = [0 if np.isnan(one) else max(one / high - 1, 1 - one / low) for one in values]
    return abs(outside[1] - outside[0])


def test_what_differs_most_is_held_and_the_rest_counted(made, monkeypatch):
    summary, asked, _ = made
    (told,) = differences(summary, judge(summary, asked))
    worst, _ = told.contingencies
    whole = {one["contingency"]: one for one in worst.entries()}
    monkeypatch.setattr(after_contingencies, "MOST_OF_ONE", 2)
    for entry in worst.entries():
        name = entry["contingency"]
        if any(entry["lost"]):
            assert entry["more"] == 0
            continue
        every = worst.of(name)
        held = {
            (kind, index)
            for when in ("before", "now")
            for kind, pairs in entry[when].items()
            for index in pairs[::2]
        }
        assert 1 <= len(held) <= 2
        assert whole[name]["more"] == 0
        assert entry["more"] == len(every) - 2
        assert every.index.is_unique
        changes = {row[0]: change(*row) for row in every.itertuples(name=None)}
        assert held == set(sorted(changes, key=changes.get)[-2:])
    monkeypatch.setattr(after_contingencies, "MOST_CONTINGENCIES", 1)
    assert len([one for one in worst.entries() if not any(one["lost"])]) == 1
