"""The page in a real Chromium, served and as one file: seen, used without a mouse, narrow, dark, and measured."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.rundir import RunDir, process_start
from agentsys.report.data import collect
from agentsys.report.view.onefile import html
from unit.report.made import RUN_ID, record
from unit.report.shown import HOSTILE, Seen, large, shown

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("chromedriver")), reason="needs Chromium"),
]
VIEWS = (
    "overview", "numbers", "number/E1", "requirements", "requirement/R1", "claim/C1", "rounds", "round/1", "commands",
    "calls", "audit", "files", "file/repo/made/core.py", "file/rounds/01/pytest.log", "search?q=the",
)  # fmt: skip
FIRST_CONTENT, A_VIEW, MEMORY = 1000, 300, 80e6
"""Milliseconds, milliseconds, bytes."""


@dataclass
class Served:
    """A server of its own process."""

    process: subprocess.Popen[str]
    address: str

    @property
    def base(self) -> str:
        return self.address.partition("/?")[0]

    def url(self, view: str) -> str:
        return f"{self.base}/runs/{RUN_ID}/{view}"

    @property
    def memory(self) -> int:
        """The most that the process has ever held, in bytes."""
        words = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in words.splitlines() if line.startswith("VmHWM"))) * 1024


@contextmanager
def serving(place: Path) -> Generator[Served]:
    command = [sys.executable, "-m", "agentsys", "view", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Served(process, process.stdout.readline().strip())
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shown(tmp_path_factory.mktemp("runs"), words=HOSTILE).path.parent


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    with serving(folder) as server:
        yield server


@pytest.fixture(scope="module")
def one_file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    page = tmp_path_factory.mktemp("page") / "report.html"
    page.write_text(html(collect(RunDir(folder / RUN_ID))), encoding="utf-8")
    return page.as_uri()


@pytest.fixture
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--window-size=1200,900"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(300)  # axe-core takes long on a busy machine
    yield driver
    driver.quit()


def narrow(browser: Any, *, dark: bool) -> None:
    screen = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})


def until(browser: Any, condition: Callable[[Any], Any]) -> Any:
    """Wait for what follows a key: a new page takes its time."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 30).until(condition)


def fits(browser: Any) -> None:
    """Nothing is wider than a phone. The width that the browser pretends to have may reach a new page late."""
    until(browser, lambda page: page.execute_script("return document.documentElement.scrollWidth") <= 400)


def faults(browser: Any) -> list[str]:
    """What axe-core finds wrong, without what it calls minor."""
    from axe_core_python.selenium import Axe

    found = Axe().run(browser)["violations"]
    return [
        f"{row['id']}: {row['nodes'][0]['html'][:200]}" for row in found if row["impact"] in ("serious", "critical")
    ]


def test_every_view_has_no_serious_finding_fits_a_phone_and_takes_no_words_for_markup(
    browser: Any, served: Served
) -> None:
    browser.get(served.address)
    assert faults(browser) == []
    for dark in (False, True):
        narrow(browser, dark=dark)
        for view in VIEWS:
            browser.get(served.url(view))
            fits(browser)
            assert (view, faults(browser)) == (view, [])
            assert "taken" not in browser.title[:5]
            back = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert back == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    # The browser reports what the content policy blocked: nothing of ours, and nothing of strangers was markup.
    assert [row["message"] for row in browser.get_log("browser") if row["level"] == "SEVERE"] == []


def test_the_one_file_has_no_serious_finding_fits_a_phone_and_finds_words(browser: Any, one_file: str) -> None:
    for dark in (False, True):
        narrow(browser, dark=dark)
        browser.get(one_file)
        fits(browser)
        assert faults(browser) == []
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    field = browser.find_element(By.ID, "q")
    field.send_keys("write made/main.py", Keys.ENTER)
    found = browser.find_element(By.CSS_SELECTOR, "[data-found]")
    until(browser, lambda _: "Found in 1 places" in found.text)
    found.find_element(By.TAG_NAME, "a").send_keys(Keys.ENTER)
    until(browser, lambda page: page.current_url.rpartition("#")[2].startswith("call-"))
    assert [row["message"] for row in browser.get_log("browser") if row["level"] == "SEVERE"] == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map(row => row.name)") == []


def test_a_reader_without_a_mouse_reaches_a_requirement_and_the_search(browser: Any, served: Served) -> None:
    from selenium.webdriver.common.keys import Keys

    def press(*keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(browser).send_keys(*keys).perform()

    def go(words: str) -> None:
        """Press Tab until the link with these words has the focus, which must be seen, then Enter."""
        for _ in range(60):
            press(Keys.TAB)
            here = browser.switch_to.active_element
            if here.text.startswith(words):
                style = "return getComputedStyle(document.activeElement).outlineStyle"
                assert browser.execute_script(style) != "none"
                break
        else:
            raise AssertionError(f"no link `{words}` by the keyboard")
        press(Keys.ENTER)

    browser.get(served.address)
    for words, end in (("A Made-up Paper", "/overview"), ("Requirements", "/requirements"), ("R1", "/requirement/R1")):
        go(words)
        until(browser, lambda page, end=end: page.current_url.endswith(end))
    browser.get(served.url("overview"))
    press(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the content"
    press(Keys.ENTER)
    until(browser, lambda page: page.switch_to.active_element.get_attribute("id") == "main")
    browser.get(served.url("overview"))
    for _ in range(20):
        press(Keys.TAB)
        if browser.switch_to.active_element.get_attribute("id") == "q":
            break
    press("stopping rule", Keys.ENTER)
    until(browser, lambda page: "plan/plan.json" in page.page_source)


def test_a_run_is_seen_to_go_on_and_to_end_without_a_reload_by_hand(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By

    run = shown(tmp_path)
    started = process_start(os.getpid())
    run.write(record("running", stage="verify", exit_code=None, pid=os.getpid(), pid_started=started))
    with serving(run.path.parent) as server:
        browser.get(server.address)
        browser.get(server.url("overview"))
        assert "running: verify" in browser.find_element(By.CSS_SELECTOR, "[data-live]").text
        event = {
            "v": 1,
            "seq": 9,
            "ts": "2026-01-02T03:06:07Z",
            "type": "warning",
            "data": {"message": f"new {HOSTILE}"},
        }
        with run.events_file.open("a") as file:
            file.write(json.dumps(event) + "\n")
        until(browser, lambda page: "warning: new" in page.page_source)
        run.write(record("unverified", rounds=1, reason="pytest failed"))
        until(browser, lambda page: not page.find_elements(By.CSS_SELECTOR, "[data-live]"))
        assert "not verified" in browser.find_element(By.CSS_SELECTOR, ".verdict").text
        assert browser.title.startswith("Overview")


def test_the_largest_run_is_shown_within_a_second_a_view_within_300_ms_and_in_80_mb(
    browser: Any, tmp_path: Path
) -> None:
    run = large(tmp_path)
    with serving(run.path.parent) as server:
        browser.get(server.address)
        browser.get(server.url("overview"))
        script = "return performance.getEntriesByName('first-contentful-paint').map(row => row.startTime)"
        [first] = until(browser, lambda page: page.execute_script(script))
        took: dict[str, float] = {}
        for view in (*VIEWS, "calls?sort=seconds", f"call/{_call(run)}"):
            times: list[float] = []
            for _ in range(3):
                browser.get(server.url(view))
                script = "const [row] = performance.getEntriesByType('navigation'); return row.domContentLoadedEventEnd"
                times.append(browser.execute_script(script))
            took[view] = min(times)
        print(f"first content {first:.0f} ms; slowest view {max(took.items(), key=lambda row: row[1])}; {took}")
        print(f"server {server.memory / 1e6:.1f} MB")
        assert first < FIRST_CONTENT
        assert {view: time for view, time in took.items() if time > A_VIEW} == {}
        assert server.memory < MEMORY


def _call(run: RunDir) -> str:
    return json.loads((run.llm / "ledger.jsonl").read_text().splitlines()[-1])["id"]


def test_every_picture_is_drawn(browser: Any, served: Served, one_file: str) -> None:
    script = "return [...document.images].map(image => image.complete && image.naturalWidth > 20)"
    browser.get(served.address)
    for address in (served.url("requirement/R1"), served.url("overview"), one_file):
        browser.get(address)
        drawn = browser.execute_script(script)
        assert drawn and all(drawn), address
    assert Seen(browser.page_source).sources
