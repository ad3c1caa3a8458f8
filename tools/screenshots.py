"""Pictures of the main pages for the documents: `make screenshots` writes docs/screenshots/*.png.

A small simulated city runs a few nights; its report files are opened in Debian's Chromium.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

TARGET = ROOT / "docs" / "screenshots"
NIGHTS = (0, 1, 2, 6, 12)
HEIGHT = 1500
PAGES = (
    ("monthly-hrss.png", "hrss/monthly-2026-10.zh.html", 1280),
    ("monthly-city.png", "bureau/monthly-2026-10.zh.html", 1280),
    ("monthly-phone.png", "health/monthly-2026-10.zh.html", 390),
    ("weekly-city.png", "bureau/weekly-2026-W44.zh.html", 1280),
    ("daily-transport.png", "transport/daily-2026-10-28.zh.html", 1280),
    ("night.png", "night-2026-10-28.html", 1280),
    ("applications.png", "applications.html", 1280),
)


def main() -> int:
    """Write the pictures; 1 without a browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only here

    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("install Debian's chromium\n")
        return 1
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        reports = _reports(Path(home))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, file, width in PAGES:
            page = browser.new_page(viewport={"width": width, "height": HEIGHT})
            page.goto((reports / file).as_uri())
            page.screenshot(path=TARGET / name)
            page.close()
        browser.close()
    return 0


def _reports(home: Path) -> Path:
    """The reports of a small city, copied out of it."""
    from demo.history import live  # noqa: PLC0415 - after the path is set
    from demo.rehearsal import start  # noqa: PLC0415
    from onecard.operations.application_list import write_page  # noqa: PLC0415
    from onecard.operations.night_report import write_report  # noqa: PLC0415
    from onecard.operations.reports import (  # noqa: PLC0415
        write_daily,
        write_monthly,
        write_weekly,
    )

    with start(home / "stage", persons=2_000, seed=249) as stage:
        hub = live(stage, NIGHTS)
        write_monthly(hub, date(2026, 10, 1))
        write_weekly(hub, date(2026, 10, 26))
        write_daily(hub, hub.settings.now().date())
        write_report(hub)
        write_page(hub)
        return Path(shutil.copytree(stage.home / "reports", home / "reports"))


if __name__ == "__main__":
    sys.exit(main())
