"""A browser that opens a report and says what the page asked for."""

from __future__ import annotations

import atexit
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

ARGUMENTS = (
    "--force-prefers-reduced-motion",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
)


@dataclass
class OpenedPage:
    """A report in a browser."""

    browser: webdriver.Chrome
    report: Path

    def open(self, link: str = "") -> None:
        self.browser.get("about:blank")
        self.browser.get(self.report.as_uri() + link)
        self.until("document.documentElement.dataset.ready === 'yes'")

    def until(self, condition: str) -> None:
        """Wait until a condition of the page holds."""
        WebDriverWait(self.browser, 60).until(lambda _: self.ask(condition), condition)

    def ask(self, expression: str) -> Any:
        return self.browser.execute_script(f"return {expression}")

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def click(self, element: WebElement | str) -> None:
        # The driver itself scrolls no further than to below the page's bar.
        element = self.find(element) if isinstance(element, str) else element
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def drawn(self, name: str) -> list[dict[str, Any]]:
        """Rows that the map draws now."""
        return self.ask(f"report.maps[0].view.data('{name}').map((row) => ({{...row}}))")

    def is_clean(self) -> None:
        """Hold that nothing went wrong and nothing was asked for but the file."""
        severe = [entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert severe == []
        messages = [
            json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")
        ]
        asked = {
            message["params"]["request"]["url"].split("#")[0]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        }
        local = ("data:", "blob:", "about:")
        assert {url for url in asked if not url.startswith(local)} == {self.report.as_uri()}


_free: dict[bool, list[webdriver.Chrome]] = {False: [], True: []}
"""Browsers that no test has now, in light and in dark: to start one takes longer than a test."""


def _new(chromium: str, driver: str, *, dark: bool) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ARGUMENTS:
        options.add_argument(argument)
    if dark:
        options.add_argument("--blink-settings=preferredColorScheme=0")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    atexit.register(browser.quit)
    return browser


def _as_new(browser: webdriver.Chrome, saved: Path, width: int) -> None:
    """Leave nothing of an earlier test: a blank page, empty logs, a screen of this size."""
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    place = {"behavior": "allow", "downloadPath": str(saved)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", place)


@contextmanager
def opening(saved):
    """Yield what opens reports; what they save goes into a folder."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        reason = "no Chromium with its driver: tests/browser.sh installs them on Debian"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    taken = []

    def open_one(report, *, width=1280, dark=False, link=""):
        browser = _free[dark].pop() if _free[dark] else _new(chromium, driver, dark=dark)
        taken.append((dark, browser))
        _as_new(browser, saved, width)
        page = OpenedPage(browser, report)
        page.open(link)
        return page

    yield open_one
    # Not after a failure: who knows what the browser is at.
    for dark, browser in taken:
        _free[dark].append(browser)
