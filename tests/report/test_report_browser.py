"""A report made by a run, opened in a browser. Without Chromium skipped, but in CI it fails."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = [pytest.mark.workflow, pytest.mark.browser]

ARGUMENTS = (
    "--force-prefers-reduced-motion",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
)


@pytest.fixture
def browser():
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        reason = "no Chromium with its driver: tests/browser.sh installs them on Debian"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def requests(browser):
    """Addresses that the page asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def test_report_of_a_run_with_a_failure(workspace, browser):
    hours = "".join(f"0,{60 + hour},h{hour}\n" for hour in range(24))
    workspace.write("loads.csv", f"load,p_mw,snapshot\n{hours}")
    scenarios = [{"id": f"s{n}", "load_scale": 0.8 + n / 100} for n in range(60)]
    scenarios += [{"id": "day", "loads": "loads.csv", "description": "</script><i>"}]
    scenarios += [{"id": "n-1", "contingencies": "n-1", "solver": "dc"}]
    slow = {"grid": "pandapower:case118", "contingencies": "n-2", "timeout_secs": 0.2}
    scenarios += [{"id": "slow", **slow}]
    workspace.write(
        "manifest.json", {"grid": "pandapower:case9", "solver": "ac", "scenarios": scenarios}
    )
    workspace.configure(retry_attempts=1)
    assert workspace.run().returncode == 1  # one scenario fails, and has its place in the report
    report = workspace.batch / "summary" / "report.html"
    plots = {path.stem for path in (workspace.batch / "summary" / "plots").glob("*.svg")}
    assert {"map_1", "loadings", "voltages", "contingencies", "duration_load_mw"} <= plots

    browser.get(report.as_uri())
    WebDriverWait(browser, 60).until(
        lambda _: browser.execute_script("return document.documentElement.dataset.ready") == "yes"
    )
    drawn = browser.find_elements(By.CSS_SELECTOR, "[data-figure] svg, [data-figure] canvas")
    assert len(drawn) == len(plots)

    def click(element):
        # The driver itself scrolls no further than to below the page's bar.
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    table = browser.find_element(By.CSS_SELECTOR, "[data-table=scenarios]")

    def column(title):
        heads = [head.text.rstrip(" ↑↓") for head in table.find_elements(By.TAG_NAME, "th")]
        place = heads.index(title)
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
        return place, [row.find_elements(By.TAG_NAME, "td")[place].text for row in rows]

    place, _ = column("worst loading (%)")
    heading = table.find_elements(By.TAG_NAME, "th")[place]
    click(heading.find_element(By.TAG_NAME, "button"))
    assert heading.get_attribute("aria-sort") == "descending"
    falling = [float(text) for text in column("worst loading (%)")[1]]
    assert len(falling) == 25
    assert falling == sorted(falling, reverse=True)
    click(heading.find_element(By.TAG_NAME, "button"))
    rising = [float(text) for text in column("worst loading (%)")[1]]
    assert rising == sorted(rising)
    assert rising[0] < falling[-1]

    filters = table.find_elements(By.CSS_SELECTOR, ".filters input")
    filters[column("status")[0]].send_keys("fail")
    assert column("scenario")[1] == ["slow"]
    click(browser.find_element(By.CSS_SELECTOR, "[data-table=branches] tbody a"))
    marked = browser.find_element(By.CSS_SELECTOR, "tr.marked td").text
    assert marked in {scenario["id"] for scenario in scenarios}
    filters[column("load (MW)")[0]].send_keys("> 330")
    assert column("load (MW)")[1]
    assert all(float(text) > 330 for text in column("load (MW)")[1])

    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = [url for url in requests(browser) if not url.startswith("data:")]
    assert asked == [report.as_uri()]


@pytest.mark.parametrize("width", [1280, 400])
def test_the_first_screen_answers_the_question(workspace, browser, width):
    hours = "".join(f"0,{60 + 5 * hour},{hour:02}:00\n" for hour in range(24))
    workspace.write("loads.csv", f"load,p_mw,snapshot\n{hours}")
    question = "Does <i>it</i> hold?"
    day = {"loads": "loads.csv", "contingencies": "n-1"}
    scenarios = [
        {"id": "a", "tags": ["as it is"], **day},
        {"id": "b", "tags": ["without line 2"], "outages": [{"type": "line", "id": 2}], **day},
    ]
    workspace.write(
        "manifest.json",
        {
            "question": question,
            "compare": ["as it is", "without line 2"],
            "grid": "pandapower:case9",
            "scenarios": scenarios,
        },
    )
    workspace.configure()
    assert workspace.run().returncode == 0
    browser.set_window_size(width, 900)
    browser.get((workspace.batch / "summary" / "report.html").as_uri())
    WebDriverWait(browser, 60).until(
        lambda _: browser.execute_script("return document.documentElement.dataset.ready") == "yes"
    )
    answer = browser.find_element(By.ID, "answer")
    assert answer.find_element(By.TAG_NAME, "h2").text == question
    assert "Answer" in browser.find_element(By.TAG_NAME, "nav").text
    verdicts = answer.find_element(By.CLASS_NAME, "verdicts")
    assert verdicts.text.count("contingencies") == 2
    assert "against as it is:" in verdicts.text
    figure = answer.find_element(By.CSS_SELECTOR, "[data-figure=groups] svg")
    overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(overflow) <= 0
    if width == 1280:
        # Words and picture stand beside each other, and both end on the first screen.
        assert figure.rect["x"] > verdicts.rect["x"] + verdicts.rect["width"]
        for part in (verdicts, figure):
            assert part.rect["y"] + part.rect["height"] < 900
    else:
        assert figure.rect["y"] > verdicts.rect["y"] + verdicts.rect["height"]
    points = figure.find_elements(By.CSS_SELECTOR, ".mark-symbol.role-mark path")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", points[-1])
    points[-1].click()
    assert browser.find_element(By.CSS_SELECTOR, "tr.marked td").text == "b"
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
