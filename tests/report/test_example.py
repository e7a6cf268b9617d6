"""What the report of the example claims, computed again from the rows of its results alone."""

from __future__ import annotations

import html
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("example")]

BRANCHES = ("line", "trafo")
HAIR = 1e-4
FLOWS = {"today": "today", "data centre": "data-centre", "new line": "new-line"}
OPTIMA = {group: f"{flow}-secured" for group, flow in FLOWS.items()}
GROUPS = {group: {FLOWS[group], OPTIMA[group]} for group in FLOWS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The summary of the example, run as it is."""
    space = Workspace(tmp_path_factory.mktemp("example"))
    shutil.copytree(ROOT / "examples" / "data_centre", space.path / "data_centre")
    space.configure(manifest="data_centre/data_centre.json", name="example")
    run = space.run()
    assert run.returncode == 0, run.stdout + run.stderr
    return space.path / "runs" / "batch" / "example" / "summary"


@pytest.fixture(scope="module")
def rows(folder):
    table = pd.read_parquet(folder / "aggregated_results.parquet")
    table["after"] = table["contingency"].fillna("")
    table["at"] = table["element"] + ":" + table["id"].map("{:.0f}".format, na_action="ignore")
    return table


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def claims(page):
    """Group -> its sentences; the first one without a lead."""
    section = page.split('<section id="answer">')[1].split("</section>")[0]
    found = {}
    for group, cell in re.findall(
        r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>', section, re.DOTALL
    ):
        head = re.search(r'<b class="status \w+">(.*?)</b>', cell)[1]
        lines = re.findall(r"<p><span>(.*?)</span>(.*?)</p>", cell)
        told = {"": head, **dict(lines)}
        found[html.unescape(group)] = {
            html.unescape(lead): html.unescape(text).strip() for lead, text in told.items()
        }
    return found


def embedded(page, kind, name):
    pattern = rf'<script type="application/json" id="{kind}-{name}">(.*?)</script>'
    return json.loads(re.search(pattern, page, re.DOTALL)[1])


def broken(rows, scenarios):
    """Rows of violations: loadings above 100 %, voltages outside 0.9 to 1.1 p.u."""
    own = rows[rows["scenario"].isin(scenarios)]
    over = own["element"].isin(BRANCHES) & (own["loading_percent"] > 100 + HAIR)
    outside = (own["element"] == "bus") & ((own["vm_pu"] < 0.9) | (own["vm_pu"] > 1.1))
    return own[over | outside]


def single(rows, group):
    """Violations of a group by solver, snapshot, element and contingency."""
    own = broken(rows, GROUPS[group])
    secured = own["scenario"] == OPTIMA[group]
    return own.assign(secured=secured).set_index(["secured", "snapshot", "at", "after"])[
        "loading_percent"
    ]


def named(rows, element):
    name = rows.loc[rows["at"] == element, "name"].iloc[0]
    return f"{element} ({name})" if isinstance(name, str) else element


def item(rows, element, after):
    return f"{named(rows, element)} after {named(rows, after)}"


def test_limits_that_are_broken_are_counted(claims, rows):
    assert list(claims) == list(GROUPS)
    for group, told in claims.items():
        states = rows[(rows["element"] == "system") & (rows["after"] == "")]
        flows, optima = (
            states[states["scenario"] == one[group]]["snapshot"].nunique()
            for one in (FLOWS, OPTIMA)
        )
        assert (flows, optima) == (24, 24)
        after = rows[rows["scenario"].isin(GROUPS[group]) & (rows["after"] != "")][
            "after"
        ].nunique()
        found = broken(rows, GROUPS[group])
        if found.empty:
            text = f"passes: no limit is broken in {flows} states and {optima} optimal power flows"
            assert told[""] == f"{text}, nor after any of {after} contingencies"
            continue
        # All are of power flows, and after a contingency.
        assert set(found["scenario"]) == {FLOWS[group]}
        assert (found["after"] != "").all()
        text = (
            f"fails: limits are broken in {found['snapshot'].nunique()} of {flows} states, after "
        )
        assert told[""] == f"{text}{found['after'].nunique()} of {after} contingencies"


def test_the_example_tells_a_story(claims):
    assert [told[""].split(":")[0] for told in claims.values()] == ["fails", "fails", "passes"]


def test_the_highest_loading_is_where_the_words_say(claims, rows):
    for group, told in claims.items():
        system = rows[(rows["element"] == "system") & (rows["scenario"] == FLOWS[group])]
        row = system.loc[system["max_loading_percent"].idxmax()]
        place = item(rows, row["max_loading_element"], row["after"])
        text = f"{row['max_loading_percent']:.1f} %, {place}, {row['snapshot']} in {FLOWS[group]}"
        assert told["highest loading:"] == text


def test_the_new_the_worse_and_the_gone_are_those_of_the_rows(claims, rows):
    before = single(rows, "today")
    known = set(rows.loc[rows["scenario"].isin(GROUPS["today"]), "after"])
    assert not any(lead.startswith("against") for lead in claims["today"])
    for group in ("data centre", "new line"):
        own = single(rows, group)
        own = own[own.index.get_level_values("after").isin(known)]
        both = own.index.intersection(before.index)
        more = own[both] - before[both]
        lists = {
            "new": own.drop(both).sort_values(ascending=False),
            "worse": own[both][more > 0.05].sort_values(ascending=False),
            "better": own[both][more < -0.05],
            "gone": before.drop(both).sort_values(ascending=False),
        }
        text = claims[group]["against today, state by state:"]
        for kind, found in lists.items():
            if found.empty:
                assert (f"none {kind}" in text) == (kind in {"new", "gone"})
                assert not re.search(rf"\d {kind}", text)
                continue
            (count, states, place, value) = re.search(
                rf"(\d+) {kind} in (\d+) states? \((.*?), ([\d.→ ]+) %", text
            ).groups()
            assert int(count) == len(found)
            assert int(states) == len(found.index.droplevel(["at", "after"]).unique())
            shown = [float(number) for number in value.split(" → ")]
            if kind == "worse":
                assert shown[0] == pytest.approx(before[found.index[0]], abs=0.05)
            assert shown[-1] == pytest.approx(found.iloc[0], abs=0.05)
            # Which of two that are as bad is named doesn't matter.
            alike = found[found > found.iloc[0] - 0.05].index
            places = {f"{item(rows, at, after)}, {hour}" for _, hour, at, after in alike}
            assert place in places
            assert (f"; {len(found) - 1} more)" in text) or len(found) == 1
        same = len(both) - len(lists["worse"]) - len(lists["better"])
        assert ("as bad" in text) == (same > 0)


@pytest.mark.browser
def test_a_state_of_a_group_is_held_against_its_counterpart_on_the_map(folder, rows, opened):
    link = "#state=data-centre&snapshot=09%3A00&difference=data%20centre"
    page = opened(folder / "report.html", link=link)
    assert page.ask("report.maps[0].difference.name") == "data centre"
    before, now = (
        rows[(rows["scenario"] == FLOWS[group]) & (rows["snapshot"] == "09:00")]
        .query("after == ''")
        .set_index("at")["loading_percent"]
        for group in ("today", "data centre")
    )
    for row in page.drawn("branches"):
        at = f"{row['kind']}:{row['id']}"
        if row["out"] == 1:
            assert named(rows, at) == "line:33 (14-15)"
            continue
        assert row["before"] == pytest.approx(before[at], abs=0.051)
        assert row["now"] == pytest.approx(now[at], abs=0.051)
    # After a contingency, too; its row in the table leads there.
    page.open()
    link = page.find("[data-table=pairs_1] tbody a[href*='contingency=']")
    page.click(link)
    page.until("report.maps[0].shown.contingency !== null")
    state, snapshot, contingency = page.ask(
        "['state', 'snapshot', 'contingency'].map((name) => report.maps[0].shown[name])"
    )
    told = single(rows, "data centre").xs((False, snapshot), level=("secured", "snapshot"))
    told = told.xs(contingency, level="after")
    assert state == "data-centre"
    drawn = {f"{row['kind']}:{row['id']}": row["now"] for row in page.drawn("branches")}
    for at, loading in told.items():
        assert drawn[at] == pytest.approx(loading, rel=1e-4)
    page.is_clean()


def test_costs_are_sums_over_the_optima(claims, rows):
    cost = {
        group: rows[(rows["scenario"] == name) & (rows["after"] == "")]["objective"].sum()
        for group, name in OPTIMA.items()
    }
    for group, told in claims.items():
        text = f"{cost[group]:,.0f} for 24 optimal power flows"
        if group != "today":
            more = cost[group] - cost["today"]
            assert more > 0
            text += f", {more:,.0f} ({100 * more / cost['today']:.1f} %) more"
        assert told["cost:"] == text
    # It is worth building: what the data centre costs, the line gives a part of back.
    assert cost["today"] < cost["new line"] < cost["data centre"]


def test_words_are_of_known_kinds(claims):
    """So that no sentence is left unchecked."""
    known = {"", "highest loading:", "against today, state by state:", "cost:"}
    assert all(set(told) <= known for told in claims.values())


def test_the_figure_shows_the_worst_loading_of_each_hour(page, rows):
    points = pd.DataFrame(embedded(page, "figure", "groups")["data"]["values"])
    assert len(points) == 3 * 24
    system = rows[rows["element"] == "system"]
    for group, scenario in FLOWS.items():
        own = (
            system[system["scenario"] == scenario].groupby("snapshot")["max_loading_percent"].max()
        )
        drawn = points[points["group"] == group].set_index("snapshot")
        assert list(drawn.index) == [f"{hour:02}:00" for hour in range(24)]
        assert np.allclose(drawn["loading"], own[drawn.index], rtol=1e-6)
        for hour, point in drawn.iterrows():
            at = system[(system["scenario"] == scenario) & (system["snapshot"] == hour)]
            row = at.loc[at["max_loading_percent"].idxmax()]
            assert point["at"] == named(rows, row["max_loading_element"])
            assert point["scenario"] == scenario
            assert point["after"] == (row["after"] or "no contingency")


def test_the_table_of_violations_has_each_once(page, rows):
    table = embedded(page, "table", "broken_loadings")
    told = {(line[0], line[1]): line[2:] for line in table["rows"]}
    assert len(told) == len(table["rows"])
    columns = [column["title"] for column in table["columns"]]
    assert columns[2::2] == [f"{group} (%)" for group in GROUPS]
    expected = {}
    for place, group in enumerate(GROUPS):
        found = broken(rows, GROUPS[group]).groupby(["at", "after"])["loading_percent"]
        for (at, after), values in found:
            key = (named(rows, at), named(rows, after))
            expected.setdefault(key, [None] * 6)[2 * place : 2 * place + 2] = (
                values.max(),
                len(values),
            )
    assert told.keys() == expected.keys()
    for key, line in expected.items():
        for value, wanted in zip(told[key], line, strict=True):
            assert value == (None if wanted is None else pytest.approx(wanted, rel=1e-6))


def test_the_table_of_groups_has_voltages_load_and_losses(page, rows):
    table = embedded(page, "table", "groups")
    figures = {line[0]: dict(zip(GROUPS, line[1:], strict=True)) for line in table["rows"]}
    system = rows[rows["element"] == "system"]
    losses = {}
    for group in GROUPS:
        own = system[system["scenario"].isin(GROUPS[group])]
        base = own[(own["after"] == "") & (own["scenario"] == FLOWS[group])]
        losses[group] = base["loss_mw"].mean()
        for name, column, bus, row in (
            ("lowest voltage", "min_vm_pu", "min_vm_bus", own.loc[own["min_vm_pu"].idxmin()]),
            ("highest voltage", "max_vm_pu", "max_vm_bus", own.loc[own["max_vm_pu"].idxmax()]),
        ):
            text = f"{row[column]:.3f} p.u., bus:{row[bus]:.0f} after {named(rows, row['after'])}"
            assert figures[name][group] == f"{text}, {row['snapshot']} in {row['scenario']}"
        row = own.loc[own["unserved_mw"].idxmax()]
        text = (
            f"{row['unserved_mw']:.1f} MW, after {named(rows, row['after'])}, {row['snapshot']} in "
        )
        assert figures["most load cut off"][group].startswith(text)
        text = figures["mean losses of AC"][group]
        assert float(text.split()[0]) == pytest.approx(losses[group], abs=0.05)
        if group != "today":
            change = losses[group] - losses["today"]
            amount, share, word = re.search(r", ([\d.]+) MW \(([\d.]+) %\) (\w+)", text).groups()
            assert float(amount) == pytest.approx(abs(change), abs=0.05)
            assert float(share) == pytest.approx(100 * abs(change) / losses["today"], abs=0.05)
            assert word == ("more" if change > 0 else "less")
    assert set(figures) == {
        "scenarios", "states of power flows", "optimal power flows", "contingencies",
        "highest loading", "lowest voltage", "highest voltage", "most load cut off", "cost",
        "mean losses of AC",
    }  # fmt: skip
