"""A report made by a run, opened in a browser. Without Chromium skipped, but in CI it fails."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By

pytestmark = [pytest.mark.workflow, pytest.mark.browser]


def test_report_of_a_run_with_a_failure(workspace, opened):
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

    page = opened(report)
    drawn = page.all("[data-figure] svg, [data-figure] canvas")
    assert len(drawn) == len(plots)
    click = page.click
    table = page.find("[data-table=scenarios]")

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
    page.ask("report.tables.scenarios.reveal('s7')")
    assert page.find("tr.marked td").text == "s7"
    filters[column("load (MW)")[0]].send_keys("> 330")
    assert column("load (MW)")[1]
    assert all(float(text) > 330 for text in column("load (MW)")[1])

    page.is_clean()


@pytest.mark.parametrize("width", [1280, 400])
def test_the_first_screen_answers_the_question(workspace, opened, width):
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
    page = opened(workspace.batch / "summary" / "report.html", width=width)
    answer = page.find("#answer")
    assert answer.find_element(By.TAG_NAME, "h2").text == question
    assert "Answer" in page.find("nav").text
    verdicts = answer.find_element(By.CLASS_NAME, "verdicts")
    assert verdicts.text.count("contingencies") == 2
    assert "against as it is, state by state:" in verdicts.text
    figure = answer.find_element(By.CSS_SELECTOR, "[data-figure=groups] svg")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.ask(overflow) <= 0
    if width == 1280:
        # Words and picture stand beside each other, and both end on the first screen.
        assert figure.rect["x"] > verdicts.rect["x"] + verdicts.rect["width"]
        for part in (verdicts, figure):
            assert part.rect["y"] + part.rect["height"] < 900
    else:
        assert figure.rect["y"] > verdicts.rect["y"] + verdicts.rect["height"]
    points = figure.find_elements(By.CSS_SELECTOR, ".mark-symbol.role-mark path")
    page.click(points[-1])
    page.until("location.hash === '#state=b'")
    page.is_clean()
