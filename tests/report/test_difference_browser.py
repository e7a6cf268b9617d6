"""Two batches, and two groups of scenarios, held against each other in a browser, by clicks."""

from __future__ import annotations

import json
import re

import pandapower.networks
import pandas as pd
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = [pytest.mark.workflow, pytest.mark.browser, pytest.mark.xdist_group("explore")]

NASTY = "</script><img src=x onerror=alert(1)>"
LIMIT = 40.0
COMMON = ["s0", "s1", "s2", "day"]
BATCH = "this batch"
PAPER = {"width": 718, "height": 1000, "deviceScaleFactor": 1, "mobile": False}


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """A batch on case30, and one before it with less load and a line more."""
    from conftest import Workspace

    space = Workspace(tmp_path_factory.mktemp("difference"))
    net = pandapower.networks.case30()
    net.bus["name"] = [f"{NASTY}{index}" for index in net.bus.index]
    pandapower.create_impedance(net, 5, 27, 0.02, 0.06, 100)
    pandapower.create_dcline(net, 0, 29, 5.0, 1.0, 0.1, 1.0, 1.0)
    pandapower.to_json(net, str(space.path / "grid.json"))
    hours = "".join(f"7,{10 + 5 * hour},h{hour}\n" for hour in range(4))
    space.write("loads.csv", f"load,p_mw,snapshot\n{hours}")
    for name, scale, outages in (("before", 0.9, []), ("study", 1.1, [{"type": "line", "id": 5}])):
        scenarios = [
            {"id": f"s{n}", "load_scale": scale + n / 20, "tags": ["peak" if n else "night"]}
            for n in range(3)
        ]
        scenarios[0]["outages"] = outages
        for number in (0, 1):
            scenarios[number]["contingencies"] = "n-1"
        scenarios += [{"id": "day", "loads": "loads.csv", "load_scale": scale}]
        scenarios += [{"id": f"only-{name}"}]
        manifest = {"grid": "grid.json", "solver": "ac", "scenarios": scenarios}
        manifest |= {"compare": ["night", "peak"]} if name == "study" else {}
        space.write("manifest.json", manifest)
        more = {"against": "runs/batch/before"} if name == "study" else {}
        space.configure(name=name, loading_limit_percent=LIMIT, **more)
        assert space.run().returncode == 0
    return [space.path / "runs" / "batch" / name / "summary" for name in ("before", "study")]


@pytest.fixture(scope="module")
def rows(batches):
    """Rows of base cases of both batches."""
    found = [pd.read_parquet(folder / "aggregated_results.parquet") for folder in batches]
    return [one[one["contingency"].isna()] for one in found]


def highest(rows, scenarios):
    own = rows[rows["scenario"].isin(scenarios)]
    return own.groupby(["element", "id"])["loading_percent"].max()


def choose(page, words):
    label = next(one for one in page.all(".chooser label") if one.text.startswith("difference"))
    Select(label.find_element("tag name", "select")).select_by_visible_text(words)
    page.until(f"(report.maps[0].difference || {{title: 'none'}}).title === {json.dumps(words)}")


def shows(page, before, now):
    """Hold that the map shows how loadings differ, in colours and words."""
    state = page.ask("report.maps[0].shown.state")
    changes = []
    falling, rising = page.ask("Object.values(report.maps[0].content.difference).slice(2)")
    for row in page.drawn("branches"):
        key = row["kind"], row["id"]
        if key[0] not in ("line", "trafo"):
            continue
        old, new = before.get(key), now.get(key)
        if key == ("line", 5) and state == "s0":
            assert (row["out"], row["note"]) == (1, "out of service here")
            continue
        change = new - old
        assert row["change"] == pytest.approx(change, abs=0.021)
        changes.append(change)
        if min(abs(abs(change) - step) for step in (1, 10)) < 0.05:
            continue
        rank = int(abs(change) > 1) + int(abs(change) > 10)
        expected = (rising if change > 0 else falling)[rank - 1] if rank else None
        assert expected is None or row["color"] == expected
        note = "above its limit now" if new > LIMIT >= old else None
        note = "within its limit now" if old > LIMIT >= new else note
        assert row["note"] == note
    told = page.find(".told").text
    counts = re.search(r"(\d+) branch\w* loaded higher .* percentage point, (\d+) lower", told)
    for count, sign in zip(counts.groups(), (1, -1), strict=True):
        # The page holds the values of a state to 0.01 %.
        bounds = [sum(sign * change > step for change in changes) for step in (1.05, 0.95)]
        assert bounds[0] <= int(count) <= bounds[1]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False)])
def test_another_batch_on_the_map(batches, rows, opened, width, dark):
    page = opened(batches[1] / "report.html", width=width, dark=dark)
    assert page.find("#against h2").text == "Against before"
    legends = page.all("#grid .legend")
    assert [legend.is_displayed() for legend in legends] == [True, False]
    choose(page, "this batch against before")
    assert [legend.is_displayed() for legend in legends] == [False, True]
    shows(page, *(highest(one, COMMON) for one in rows))
    assert f"difference={BATCH.replace(' ', '%20')}" in page.browser.current_url
    states = Select(page.find(".chooser select"))
    states.select_by_visible_text("s0")
    page.until("report.maps[0].shown.state === 's0'")
    shows(page, *(highest(one, ["s0"]) for one in rows))
    for row in page.drawn("buses"):
        old, new = (
            one[(one["scenario"] == "s0") & (one["element"] == "bus") & (one["id"] == row["id"])]
            for one in rows
        )
        change = new["vm_pu"].item() - old["vm_pu"].item()
        assert row["change"] == pytest.approx(change, abs=1.01e-4)
        if abs(change) > 0.0022:
            assert row["shape"] == ("triangle-up" if change > 0 else "triangle-down")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.ask(overflow) <= 0
    choose(page, "none")
    assert page.ask("report.maps[0].shown.state") == "s0"
    notes = {(row["kind"], row["id"]): row["note"] for row in page.drawn("branches")}
    assert [key for key, note in notes.items() if note == "out of service"] == [("line", 5)]
    states.select_by_visible_text("worst of all states")
    page.until("report.maps[0].shown.state === null")
    page.is_clean()


def test_through_the_hours_of_both(batches, rows, opened):
    page = opened(batches[1] / "report.html", link=f"#state=day&difference={BATCH}")
    slider = page.find(".chooser input[type=range]")
    slider.send_keys(Keys.HOME)
    page.until("report.maps[0].shown.snapshot === 'h0'")
    slider.send_keys(Keys.RIGHT)
    page.until("report.maps[0].shown.snapshot === 'h1'")
    assert page.ask("report.maps[0].difference.name") == BATCH
    shows(page, *(highest(one[one["snapshot"] == "h1"], ["day"]) for one in rows))
    assert "difference=" in page.browser.current_url
    page.is_clean()


def test_groups_on_the_map(batches, rows, opened, tmp_path):
    page = opened(batches[1] / "report.html")
    choose(page, "peak against night")
    night, peak = (highest(rows[1], one) for one in (["s0"], ["s1", "s2"]))
    for row in page.drawn("branches"):
        key = row["kind"], row["id"]
        if key[0] == "line":
            assert row["change"] == pytest.approx(peak[key] - night[key], abs=1e-3)
    page.click("#grid figcaption button.save")
    file = tmp_path / "saved" / "map_1.csv"
    WebDriverWait(page.browser, 30).until(lambda _: file.exists())
    saved = pd.read_csv(file).set_index(["element", "id"])
    assert set(saved["group"]) == {"peak"}
    assert set(saved["reference"]) == {"night"}
    assert saved["difference"]["line", 7] == pytest.approx(
        peak["line", 7] - night["line", 7], abs=1e-3
    )
    # No single state can be held against a group.
    Select(page.find(".chooser select")).select_by_visible_text("s2")
    page.until("report.maps[0].shown.state === 's2'")
    assert page.ask("report.maps[0].difference") is None
    page.is_clean()


def broken(batches, scenarios, contingency):
    """Loadings above their limits after a contingency, and voltages outside, the worst of each."""
    for folder in batches:
        found = pd.read_parquet(folder / "aggregated_results.parquet")
        found = found[found["scenario"].isin(scenarios) & (found["contingency"] == contingency)]
        found = found[found["limit"].notna()]
        value = found["loading_percent"].where(found["element"] != "bus", found["vm_pu"])
        far = (value - 1).abs().where(found["element"] == "bus", value)
        found = found.assign(value=value).loc[far.sort_values().index]
        yield found.groupby(["element", "id"])["value"].last().to_dict()


def shows_after(page, before, now, out):
    """Hold that the map shows which limits are newly broken, broken no more, worse and better."""
    falling, rising = page.ask("Object.values(report.maps[0].content.difference).slice(2)")
    for row in page.drawn("branches") + page.drawn("buses"):
        key = row["kind"], row["id"]
        old, new = before.get(key), now.get(key)
        told = [None if row[name] is None else float(row[name]) for name in ("before", "now")]
        if key in out:
            assert row["note"] == "out of service"
            continue
        assert told == [None if one is None else pytest.approx(one, rel=1e-4) for one in (old, new)]
        if key[0] == "bus":
            continue
        if old is None and new is not None:
            assert (row["note"], row["color"]) == ("breaks its limit now", rising[1])
            assert "within its limit" in row["tip"]["loading, " + page.ask(REFERENCE)]
        elif new is None and old is not None:
            assert (row["note"], row["color"]) == ("within its limit now", falling[1])
        elif new is not None:
            rank = sum(abs(new - old) > step for step in (1, 10))
            expected = (rising if new > old else falling)[rank - 1] if rank else None
            assert expected is None or row["color"] == expected
    counts = {
        "newly broken": len(set(now) - set(before)),
        "broken no more": len(set(before) - set(now)),
    }
    text = page.find(".told").text
    for words, count in counts.items():
        found = re.search(rf"(\d+) (?:limits? )?{words}", text)
        assert (int(found[1]) if found else 0) == count


REFERENCE = "report.maps[0].difference.reference"


def contingencies(page):
    """The chooser of contingencies, and names of those that can be chosen."""
    chooser = next(one for one in page.all(".chooser label") if one.text.startswith("contingency"))
    select = Select(chooser.find_element("tag name", "select"))
    return select, [option.text.split(" (")[0] for option in select.options[1:]]


@pytest.mark.parametrize("difference", ["this batch against before", "peak against night"])
@pytest.mark.parametrize("width", [1280, 400])
def test_a_contingency_of_both(batches, opened, difference, width):
    page = opened(batches[1] / "report.html", width=width)
    choose(page, difference)
    select, names = contingencies(page)
    assert len(names) > 5
    own, reference = [["s0", "s1"]] * 2
    folders = batches
    if difference.startswith("peak"):
        own, reference, folders = ["s1"], ["s0"], [batches[1]] * 2
    for number in (0, len(names) - 1):
        select.select_by_index(1 + number)
        page.until(f"report.maps[0].shown.contingency === '{names[number]}'")
        now = next(iter(broken(folders[1:], own, names[number])))
        before = next(iter(broken(folders[:1], reference, names[number])))
        kind, index = names[number].split(":")
        shows_after(page, before, now, {(kind, int(index))})
        assert f"contingency={kind}%3A{index}" in page.browser.current_url
        select, _ = contingencies(page)
    select.select_by_visible_text("none")
    page.until("report.maps[0].shown.contingency === null")
    assert page.ask("report.maps[0].difference.title") == difference
    page.is_clean()


def test_a_contingency_of_a_state_of_both(batches, opened, tmp_path):
    page = opened(batches[1] / "report.html", link=f"#state=s0&difference={BATCH}")
    select, names = contingencies(page)
    select.select_by_index(1)
    page.until(f"report.maps[0].shown.contingency === '{names[0]}'")
    before, now = broken(batches, ["s0"], names[0])
    kind, index = names[0].split(":")
    shows_after(page, before, now, {(kind, int(index)), ("line", 5)})
    assert "this state" in page.find(".told").text
    page.click("#grid figcaption button.save")
    file = tmp_path / "saved" / "map_1.csv"
    WebDriverWait(page.browser, 30).until(lambda _: file.exists())
    saved = pd.read_csv(file)
    assert set(saved["contingency"]) == {names[0]}
    told = saved.set_index(["element", "id"])["now"].dropna().to_dict()
    assert told == {key: pytest.approx(value, rel=1e-4) for key, value in now.items()}
    # Without the difference the same contingency is shown as it is here.
    choose(page, "none")
    assert page.ask("report.maps[0].shown.contingency") == names[0]
    page.is_clean()


def test_tables_lead_to_the_map(batches, opened):
    page = opened(batches[1] / "report.html")
    link = page.find("[data-table=against_scenarios] tbody a")
    scenario = link.text
    page.click(link)
    page.until(f"report.maps[0].shown.state === '{scenario}'")
    assert page.ask("report.maps[0].difference.name") == BATCH
    page.open("#against")
    link = page.find("[data-table=against_violations] tbody a[href*='contingency=']")
    page.click(link)
    page.until(f"report.maps[0].shown.contingency === '{link.text}'")
    assert page.ask("report.maps[0].difference.name") == BATCH
    assert f"after {link.text}" in page.find(".told").text
    assert not page.find("#own").is_displayed()
    page.open("#element=line:7")
    assert "this batch against before" in page.find("#own .facts").text
    page.open("#scenario=s1")
    page.click("#own a[href*='difference=']")
    page.until("report.maps[0].shown.state === 's1'")
    assert page.ask("report.maps[0].difference.name") == BATCH
    page.is_clean()


def test_a_difference_is_told_under_the_pointer(batches, rows, opened):
    page = opened(batches[1] / "report.html", link=f"#difference={BATCH}")
    row = next(row for row in page.drawn("buses") if row["id"] == 29)
    left, top = page.ask(
        f"[report.maps[0].view.scale('x')({row['x']}), report.maps[0].view.scale('y')({row['y']})]"
    )
    edge = page.ask("report.maps[0].view.padding().left")
    place = page.find("[data-figure=map_1] svg")
    page.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", place)
    wide, high = place.size["width"], place.size["height"]
    ActionChains(page.browser).move_to_element_with_offset(
        place, round(left + edge - wide / 2), round(top + edge - high / 2)
    ).perform()
    page.until("document.querySelector('#vg-tooltip-element.visible')")
    tip = page.find("#vg-tooltip-element").text
    assert f"{NASTY}29" in tip
    lowest = [
        one[(one["scenario"].isin(COMMON)) & (one["element"] == "bus") & (one["id"] == 29)]
        for one in rows
    ]
    assert f"{lowest[0]['vm_pu'].min():.4f}" in tip or f"{lowest[0]['vm_pu'].max():.4f}" in tip
    assert "voltage, before" in tip
    page.is_clean()


def test_branches_without_a_rating_are_drawn_with_their_power(batches, rows, opened):
    page = opened(batches[1] / "report.html", link="#state=s2")
    told = {(row["kind"], row["id"]): row for row in page.drawn("branches")}
    own = rows[1][rows[1]["scenario"] == "s2"].set_index(["element", "id"])["p_from_mw"]
    widest = max(("impedance", "dcline"), key=lambda kind: abs(own[kind, 0]))
    for kind in ("impedance", "dcline"):
        row = told[kind, 0]
        assert row["power"] == pytest.approx(own[kind, 0], abs=0.01)
        assert (row["loading"], row["out"]) == (None, 2)
        assert row["tip"]["power at its first end (MW)"] == f"{row['power']:.1f}"
        assert row["width"] <= told[widest, 0]["width"]
    assert "branch without a rating" in page.find("#grid .legend").text
    # The impedance lies beside a line between the same buses.
    ends = {tuple(sorted((row["x"], row["x2"]))) for row in told.values()}
    assert len(ends) == len(told)
    page.open("#element=dcline:0")
    assert f"{own['dcline', 0]:.1f}".rstrip("0").rstrip(".") in page.find("#own .facts").text
    page.is_clean()


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_printed(batches, opened, dark):
    page = opened(batches[1] / "report.html", dark=dark)
    media = page.browser.execute_cdp_cmd
    media("Emulation.setDeviceMetricsOverride", PAPER)
    media("Emulation.setEmulatedMedia", {"media": "print"})
    shown = page.ask("getComputedStyle(document.body)['background-color']")
    assert shown == "rgb(255, 255, 255)"
    wide = page.find("#answer h2").size["width"]
    for selector in ("#answer [data-figure] svg", "#against .verdicts", "#grid [data-figure] svg"):
        assert page.find(selector).size["width"] == pytest.approx(wide, abs=4)
    assert page.ask("document.documentElement.scrollWidth") <= PAPER["width"]
    for selector in ("nav", ".chooser", ".save", ".filters"):
        assert not page.find(selector).is_displayed()
    # A figure and what is said of it are on one page, below their heading.
    assert page.ask("getComputedStyle(document.querySelector('figure')).breakInside") == "avoid"
    assert page.ask("getComputedStyle(document.querySelector('h2')).breakAfter") == "avoid"
    media("Emulation.setEmulatedMedia", {"media": ""})
    page.is_clean()
