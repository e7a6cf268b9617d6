"""The report explored in a browser, by clicks and keys; what it shows are the results."""

from __future__ import annotations

import csv
import json
import re

import pandapower.networks
import pandas as pd
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from gat_batch.report.figures import BLUE, GREY, ORANGE, RED

pytestmark = [pytest.mark.workflow, pytest.mark.browser, pytest.mark.xdist_group("explore")]

NASTY = "</script><img src=x onerror=alert(1)>"
LIMIT = 40.0


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """A day, outages that cut buses off, contingencies, and an optimum of case30; another grid."""
    from conftest import Workspace

    space = Workspace(tmp_path_factory.mktemp("explore"))
    hours = "".join(f"7,{10 + 3 * abs(12 - hour)},h{hour:02d}\n" for hour in range(24))
    space.write("loads.csv", f"load,p_mw,snapshot\n{hours}")
    net = pandapower.networks.case30()
    net.bus["name"] = [f"{NASTY}{index}" for index in net.bus.index]
    pandapower.to_json(net, str(space.path / "grid.json"))
    scenarios = [{"id": f"s{n}", "load_scale": 0.9 + n / 20} for n in range(4)]
    scenarios += [
        {"id": "day", "loads": "loads.csv", "description": NASTY},
        {"id": "cut", "outages": [{"type": "line", "id": 15}]},
        {"id": "n-1", "contingencies": "n-1"},
        {"id": "cheap", "solver": "ac_opf"},
        {"id": "direct", "solver": "dc", "outages": [{"type": "line", "id": 15}]},
        {"id": "cheap-day", "solver": "dc_opf", "loads": "loads.csv"},
        {"id": "other", "grid": "pandapower:case9"},
    ]
    space.write("manifest.json", {"grid": "grid.json", "solver": "ac", "scenarios": scenarios})
    space.configure(loading_limit_percent=LIMIT)
    assert space.run().returncode == 0
    return space.batch / "summary"


@pytest.fixture(scope="module")
def rows(batch):
    return pd.read_parquet(batch / "aggregated_results.parquet")


def state(rows, scenario, snapshot=None, contingency=None):
    own = rows[rows["scenario"] == scenario]
    for column, value in (("snapshot", snapshot), ("contingency", contingency)):
        own = own[own[column].isna() if value is None else own[column] == value]
    return own.set_index(["element", "id"])


def shows(page, own):
    """Hold that the map shows what the rows of a state hold."""
    for row in page.drawn("branches"):
        loading = own["loading_percent"].get((row["kind"], row["id"]))
        if pd.isna(loading):
            assert (row["loading"], row["out"]) == (None, 1)
        else:
            assert row["loading"] == pytest.approx(loading, abs=0.051)
            assert row["color"] == page.ask(
                f"report.maps[0].content.colours[{sum(loading > f * LIMIT for f in (0.5, 0.8, 1))}]"
            )
    for row in page.drawn("buses"):
        voltage = own["vm_pu"][("bus", row["id"])]
        if pd.isna(voltage) and pd.notna(own["va_degree"][("bus", row["id"])]):
            assert (row["voltage"], row["shape"], row["note"]) == (None, "circle", None)
        elif pd.isna(voltage):
            assert (row["voltage"], row["shape"], row["note"]) == (None, "cross", "cut off")
        else:
            assert row["voltage"] == pytest.approx(voltage, abs=5.1e-5)
            assert row["color"] == (
                RED
                if not 0.9 <= voltage <= 1.1
                else BLUE
                if voltage < 0.95
                else ORANGE
                if voltage > 1.05
                else GREY
            )


def test_worst_of_all_is_the_start(batch, rows, opened):
    page = opened(batch / "report.html")
    base = rows[rows["contingency"].isna() & (rows["scenario"] != "other")]
    worst = base.groupby(["element", "id"])["loading_percent"].max()
    told = {(row["kind"], row["id"]): row["loading"] for row in page.drawn("branches")}
    assert told == {key: pytest.approx(worst[key], rel=1e-4) for key in told}
    assert page.find(".told").text == "Worst of all states."
    page.is_clean()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False)])
def test_a_scenario_goes_to_the_map(batch, rows, opened, width, dark):
    page = opened(batch / "report.html", width=width, dark=dark)
    page.click("[data-table=branches] tbody a[href^='#state=']")
    # The browser tells the page of its new address when it comes to it.
    page.until("report.maps[0].shown.state !== null")
    scenario = page.ask("report.maps[0].shown.state")
    assert scenario in set(rows["scenario"])
    page.until("document.querySelector('.told').textContent.includes('load')")
    snapshot = page.ask("report.maps[0].shown.snapshot")
    shows(page, state(rows, scenario, snapshot))
    chooser = Select(page.find(".chooser select"))
    assert chooser.first_selected_option.text == scenario
    chooser.select_by_visible_text("cut")
    page.until("report.maps[0].shown.state === 'cut'")
    shows(page, state(rows, "cut"))
    assert "cut off" in page.find(".told").text
    chooser.select_by_visible_text("direct")
    page.until("report.maps[0].shown.state === 'direct'")
    shows(page, state(rows, "direct"))
    assert "cut off" in page.find(".told").text
    page.browser.back()
    overflow = page.ask(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    page.browser.back()
    page.until(f"report.maps[0].shown.state === '{scenario}'")
    page.is_clean()


def test_the_slider_goes_through_the_hours(batch, rows, opened):
    page = opened(batch / "report.html", link="#state=day")
    worst = rows[(rows["scenario"] == "day") & (rows["element"] == "system")]
    worst = worst.loc[worst["max_loading_percent"].idxmax(), "snapshot"]
    assert page.ask("report.maps[0].shown.snapshot") == worst
    slider = page.find(".chooser input[type=range]")
    slider.send_keys(Keys.HOME)
    page.until("report.maps[0].shown.snapshot === 'h00'")
    slider.send_keys(Keys.RIGHT)
    page.until("report.maps[0].shown.snapshot === 'h01'")
    shows(page, state(rows, "day", "h01"))
    page.click("button[aria-label=play]")
    page.until("report.maps[0].shown.snapshot === 'h03'")
    page.click("button[aria-label=pause]")
    shown = page.ask("report.maps[0].shown.snapshot")
    assert f"snapshot={shown}" in page.browser.current_url
    shows(page, state(rows, "day", shown))
    page.is_clean()


def test_a_contingency_goes_to_the_map(batch, rows, opened):
    page = opened(batch / "report.html")
    link = page.find("[data-table=contingencies] tbody a[href*='contingency=line']")
    name = link.text
    page.click(link)
    page.until(f"report.maps[0].shown.contingency === '{name}'")
    own = state(rows, "n-1", None, name)
    broken = own[own["limit"].notna()]
    told = {(row["kind"], row["id"]): row for row in page.drawn("branches")}
    kind, index = name.split(":")
    assert told[kind, int(index)]["out"] == 1
    over = {key for key, row in told.items() if row["note"] == "above its limit"}
    assert over == {key for key in broken.index if key[0] != "bus"}
    for key in over:
        assert told[key]["loading"] == pytest.approx(own["loading_percent"][key], rel=1e-4)
    page.is_clean()


def test_what_is_under_the_pointer_is_told(batch, rows, opened):
    page = opened(batch / "report.html", link="#state=s2")
    for name, kind, quantity in (
        ("buses", "bus", "vm_pu"),
        ("branches", "line", "loading_percent"),
    ):
        row = page.drawn(name)[5]
        x, y = (
            (row["x"], row["y"])
            if kind == "bus"
            else ((row["x"] + row["x2"]) / 2, (row["y"] + row["y2"]) / 2)
        )
        left, top = page.ask(
            f"[report.maps[0].view.scale('x')({x}), report.maps[0].view.scale('y')({y})]"
        )
        edge = page.ask("report.maps[0].view.padding().left")
        place = page.find("[data-figure=map_1] svg, [data-figure=map_1] canvas")
        page.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", place)
        wide, high = place.size["width"], place.size["height"]
        mouse = ActionChains(page.browser)
        mouse.move_to_element_with_offset(
            place, round(left + edge - wide / 2), round(top + edge - high / 2)
        ).perform()
        page.until("document.querySelector('#vg-tooltip-element.visible')")
        tip = page.find("#vg-tooltip-element").text
        told = re.search(rf"{kind} (\d+)$", tip, re.MULTILINE)  # another may lie above it
        value = state(rows, "s2")[quantity][kind, int(told[1])]
        assert f"{value:.{4 if kind == 'bus' else 1}f}" in tip
        assert kind != "bus" or f"{NASTY}{told[1]}" in tip
        mouse.move_to_element(page.find("h1")).perform()
    page.is_clean()


def test_each_grid_has_its_map(batch, rows, opened):
    page = opened(batch / "report.html", link="#state=other")
    assert page.ask("report.maps.map((map) => map.shown.state)") == [None, "other"]
    own = state(rows, "other")
    told = page.ask("report.maps[1].view.data('buses').map((row) => [row.id, row.voltage])")
    for index, voltage in told:
        assert voltage == pytest.approx(own["vm_pu"]["bus", index], abs=5.1e-5)
    page.open("#element=bus:3&grid=pandapower%3Acase9")
    assert "pandapower:case9" in page.find("#own .lead").text
    page.is_clean()


def test_the_map_by_keyboard(batch, opened):
    page = opened(batch / "report.html")
    window = "report.maps[0].view.signal('view_x')"
    whole = page.ask(window)
    place = page.find("[data-figure=map_1]")
    place.send_keys("+")
    low, high = page.ask(window)
    assert high - low == pytest.approx((whole[1] - whole[0]) / 1.6)
    place.send_keys(Keys.RIGHT)
    assert page.ask(window)[0] > low
    place.send_keys("0")
    assert page.ask(window) == whole
    page.is_clean()


def test_points_of_figures_by_keyboard(batch, opened):
    page = opened(batch / "report.html")
    place = page.find("[data-figure=worst_branches]")
    spec = json.loads(page.ask("document.getElementById('figure-worst_branches').textContent"))
    place.send_keys(Keys.RIGHT)
    assert page.ask("document.activeElement.dataset.figure") == "worst_branches"
    first = page.find("[data-figure=worst_branches] + .key-told").text
    place.send_keys(Keys.RIGHT)
    assert page.find("[data-figure=worst_branches] + .key-told").text not in {"", first}
    outline = "getComputedStyle(document.querySelector('.at-key')).outlineStyle"
    assert page.ask(outline) == "solid"
    place.send_keys(Keys.LEFT)
    assert page.find("[data-figure=worst_branches] + .key-told").text == first
    place.send_keys(Keys.END, Keys.HOME, Keys.ENTER)
    page.until("report.maps[0].shown.state !== null")
    links = {row["href"] for row in spec["data"]["values"] if row.get("href")}
    assert page.browser.current_url.split("report.html")[1] in links
    page.is_clean()


def test_all_is_reached_by_tab_and_seen(batch, opened):
    page = opened(batch / "report.html")
    page.browser.execute_script("document.querySelector('.tile a').focus()")
    told = """(() => {
      const at = document.activeElement, style = getComputedStyle(at);
      const { top, bottom } = at.getBoundingClientRect();
      return [at.tagName, at.dataset.figure || "", style.outlineStyle === "solid",
              bottom > 0 && top < innerHeight];
    })()"""
    found = []
    while (not found or found[-1][0] != "BODY") and len(found) < 350:
        ActionChains(page.browser).send_keys(Keys.TAB).perform()
        found.append(page.ask(told))
    inside = [one for one in found if one[0] != "BODY"]
    assert all(outlined and in_sight for _, _, outlined, in_sight in inside)
    figures = [name for _, name, _, _ in inside if name]
    assert [name for name in figures if name in {"map_1", "worst_branches"}] == [
        "map_1", "worst_branches"
    ]  # fmt: skip
    assert {tag for tag, *_ in inside} >= {"A", "SELECT", "INPUT", "BUTTON", "DIV"}
    page.is_clean()


def figure(page, name):
    """Rows of a figure that is drawn on a page of its own."""
    page.until(f"document.querySelector('#own [data-figure={name}] svg')")
    element = page.find(f"[data-figure={name}]").find_element(By.XPATH, "..")
    return element.find_element(By.CSS_SELECTOR, "button.save")


def saved(page, tmp_path, name):
    """What the figure's button saves."""
    page.click(figure(page, name))
    file = tmp_path / "saved" / f"{name}.csv"
    WebDriverWait(page.browser, 30).until(lambda _: file.exists())
    return pd.read_csv(file)


def listed(page, name):
    """Rows of a table on a page of its own."""
    lines = page.all(f"#own [data-table={name}] tbody tr")
    return [[cell.text for cell in line.find_elements(By.TAG_NAME, "td")] for line in lines]


@pytest.mark.parametrize("width", [1280, 400])
def test_an_element_has_its_own_page(batch, rows, opened, tmp_path, width):
    page = opened(batch / "report.html", width=width)
    link = page.find("[data-table=branches] tbody a[href^='#element=']")
    element = link.get_attribute("href").split("element=")[1].split("&")[0].replace("%3A", ":")
    page.click(link)
    page.until("document.body.classList.contains('in-own')")
    kind, index = element.split(":")
    base = rows[rows["contingency"].isna()]
    own = base[(base["element"] == kind) & (base["id"] == int(index))].dropna(
        subset=["loading_percent"]
    )
    assert page.find("#own h2").text == f"{kind} {index}"
    facts = page.find("#own .facts").text
    for value in (own["loading_percent"].min(), own["loading_percent"].max()):
        assert f"{value:.2f}".rstrip("0").rstrip(".") in facts
    curve = saved(page, tmp_path, "element_duration")
    falling = own["loading_percent"].sort_values(ascending=False).to_numpy()
    assert curve["value"].to_numpy() == pytest.approx(falling, abs=0.0051)
    worst = own.loc[own["loading_percent"].idxmax()]
    first = listed(page, "element_states")[0]
    assert first[0] == worst["scenario"]
    after = rows[rows["limit"].notna() & (rows["element"] == kind) & (rows["id"] == int(index))]
    told = [row[0] for row in listed(page, "element_contingencies")]
    assert (
        told == after.sort_values("loading_percent", ascending=False)["contingency"].tolist()[:25]
    )
    assert not page.find("#scenarios").is_displayed()
    page.click(page.find("#own a[href^='#show=']"))
    page.until("!document.body.classList.contains('in-own')")
    (ring,) = (row for row in page.drawn("marks") if row["color"] == "#1b9e77")
    (line,) = (row for row in page.drawn("branches") if row["branch"] == f"{kind} {index}")
    assert ring["x"] == pytest.approx((line["x"] + line["x2"]) / 2)
    assert page.ask("document.documentElement.scrollWidth") <= width
    page.is_clean()


def test_a_scenario_has_its_own_page(batch, rows, opened, tmp_path):
    page = opened(batch / "report.html")
    cell = page.find("#s-day a")
    page.click(cell)
    page.until("document.body.classList.contains('in-own')")
    assert page.find("#own h2").text == "day"
    assert page.find("#own .lead").text == NASTY
    own = rows[(rows["scenario"] == "day")]
    system = own[own["element"] == "system"]
    table = saved(page, tmp_path, "scenario_max_loading_percent")
    assert table["snapshot"].tolist() == system["snapshot"].tolist()
    assert table["value"].to_numpy() == pytest.approx(system["max_loading_percent"], rel=1e-4)
    over = own[own["loading_percent"] > LIMIT].groupby(["element", "id"])["loading_percent"]
    low, high = page.ask("report.grids[0].band")
    off = own[(own["element"] == "bus") & ((own["vm_pu"] < low) | (own["vm_pu"] > high))]
    told = {(row[0], int(row[1])): row for row in listed(page, "scenario_violations")}
    assert over.ngroups > 0
    assert set(told) == set(over.groups) | {("bus", index) for index in off["id"]}
    for key, values in over:
        assert float(told[key][3]) == pytest.approx(values.max(), abs=0.0051)
        assert told[key][6] == str(len(values))
    page.click(page.find("#own [data-table=scenario_violations] tbody a[href*=snapshot]"))
    page.until("report.maps[0].shown.state === 'day'")
    assert not page.find("#own").is_displayed()
    page.is_clean()


def test_an_optimum_tells_its_dispatch_and_prices(batch, rows, opened, tmp_path):
    page = opened(batch / "report.html", link="#scenario=cheap")
    own = rows[rows["scenario"] == "cheap"]
    table = saved(page, tmp_path, "scenario_dispatch").set_index("unit")["power"]
    for row in own[own["element"].isin(["gen", "ext_grid"])].itertuples():
        assert table[f"{row.element} {int(row.id)}"] == pytest.approx(row.p_mw, abs=0.01)
    prices = saved(page, tmp_path, "scenario_prices").set_index("bus")["price"]
    buses = own[own["element"] == "bus"].set_index("id")["lam_p"]
    assert prices[buses.index].to_numpy() == pytest.approx(buses.to_numpy(), abs=0.001)
    page.is_clean()


def test_optima_over_snapshots_tell_theirs(batch, rows, opened, tmp_path):
    page = opened(batch / "report.html", link="#scenario=cheap-day")
    own = rows[rows["scenario"] == "cheap-day"]
    units = own[own["element"].isin(["gen", "ext_grid", "sgen", "storage"])]
    table = saved(page, tmp_path, "scenario_dispatch").groupby("snapshot")["power"].sum()
    total = units.groupby("snapshot")["p_mw"].sum()
    assert table[total.index].to_numpy() == pytest.approx(total.to_numpy(), abs=0.05)
    prices = saved(page, tmp_path, "scenario_prices").set_index("snapshot")
    buses = own[own["element"] == "bus"].groupby("snapshot")["lam_p"]
    for column, expected in (("low", buses.min()), ("mean", buses.mean()), ("high", buses.max())):
        found = prices[column][expected.index].to_numpy()
        assert found == pytest.approx(expected.to_numpy(), abs=0.002)
    page.is_clean()


def test_what_the_page_does_not_hold_is_said(batch, opened):
    page = opened(batch / "report.html", link="#element=load:999")
    assert "no rows of this element" in page.find("#own").text
    page.click(".back a")
    page.until("!document.body.classList.contains('in-own')")
    assert page.find("#scenarios").is_displayed()
    page.open("#scenario=nobody")
    assert "doesn't list it" in page.find("#own").text
    page.open("#state=nobody")
    assert "isn't among" in page.find(".told").text
    page.open("#element=load:3")
    assert "highest" in page.find("#own .facts").text
    page.is_clean()


def test_data_of_figures_can_be_saved(batch, rows, opened, tmp_path):
    page = opened(batch / "report.html", link="#state=day&snapshot=h07")
    content = page.ask("report.maps[0].data()")
    told = list(csv.DictReader(content.splitlines()))
    own = state(rows, "day", "h07")
    for row in told:
        key = row["element"], int(row["id"])
        column = "vm_pu" if row["element"] == "bus" else "loading_percent"
        assert float(row[column]) == pytest.approx(own[column][key], abs=0.051)
        assert (row["scenario"], row["snapshot"]) == ("day", "h07")
    place = page.find("[data-figure=worst_branches]").find_element(By.XPATH, "..")
    page.click(place.find_element(By.CSS_SELECTOR, "button.save"))
    file = tmp_path / "saved" / "worst_branches.csv"
    WebDriverWait(page.browser, 30).until(lambda _: file.exists())
    spec = json.loads(page.ask("document.getElementById('figure-worst_branches').textContent"))
    table = pd.read_csv(file)
    assert table["max"].tolist() == [row["max"] for row in spec["data"]["values"]]
    assert page.ask("report.csv(['a'], [['=1+1'], ['x,\"y']])") == 'a\n\'=1+1\n"x,""y"\n'
    page.is_clean()
