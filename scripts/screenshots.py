"""Pictures of the page for the documentation; needs Chromium and its driver.

Usage: screenshots.py RUNS_FOLDER RUN_ID OUT_FOLDER
"""

from __future__ import annotations

import io
import shutil
import sys
import threading
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from agentsys.report.view.server import serve

WIDE, PHONE = (1100, 800), (400, 800)
SHOTS = (
    ("view-overview.png", "overview", WIDE, False),
    ("view-requirement.png", "requirement/R4", WIDE, False),
    ("view-phone-dark.png", "rounds", PHONE, True),
)


def main(runs: Path, run: str, out: Path) -> None:
    """Serve the runs from a thread that ends with this process, and take each picture."""
    ready = threading.Event()
    address: list[str] = []

    def tell(found: str) -> None:
        address.append(found)
        ready.set()

    threading.Thread(target=serve, args=(runs, 0, tell), daemon=True).start()
    ready.wait(30)
    base = address[0].partition("/?")[0]
    for name, view, size, dark in SHOTS:
        options = webdriver.ChromeOptions()
        for word in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
            options.add_argument(word)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
            driver.get(address[0])
            driver.get(f"{base}/runs/{run}/{view}")
            picture = Image.open(io.BytesIO(driver.get_screenshot_as_png()))
            picture.convert("RGB").quantize(64).save(out / name, optimize=True)
        finally:
            driver.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
