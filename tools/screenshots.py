"""Pictures of the main pages for the documents: `make screenshots` writes docs/screenshots/*.png.

Of reports: a small simulated city runs a few nights, the same each time, and its files are opened
in Debian's Chromium, also as they are printed. Of the portal: a steward goes the way that
`tests/browser/test_walk.py` tests, through the same city. `python tools/screenshots.py portal` (or
`reports`) takes one of the two.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from onecard.app.wiring import Hub

TARGET = ROOT / "docs" / "screenshots"
PERSONS, SEED = 2_000, 249
NIGHTS = (0, 1, 2, 6, 12)
WALKED_PERSONS, WALKED_SEED = 1_000, 5
"""Of the city that the steward's way leads through, after its first night."""
DESK, PHONE = 1280, 390
HEIGHT, LONGEST = 900, 1_600
"""Dots of a window, and of a picture: what stands lower is left out."""
A4 = (794, 1_123)
MARGIN = 45
"""Dots of CSS, 96 to an inch."""
PAGES = (
    ("monthly-hrss", "hrss/monthly-2026-10.zh.html", DESK),
    ("monthly-city", "bureau/monthly-2026-10.zh.html", DESK),
    ("monthly-phone", "health/monthly-2026-10.zh.html", PHONE),
    ("weekly-city", "bureau/weekly-2026-W44.zh.html", DESK),
    ("daily-transport", "transport/daily-2026-10-28.zh.html", DESK),
    ("night", "night-2026-10-28.html", DESK),
    ("applications", "applications.html", DESK),
)
PRINTED = (
    ("monthly-printed", "hrss/monthly-2026-10.zh.html"),
    ("weekly-printed", "bureau/weekly-2026-W44.zh.html"),
)
Keep = Callable[[str, bytes], None]
"""Keeps a picture under a name."""


def main() -> int:
    """Write the pictures; 1 without a browser, 2 for parts that there are not."""
    wanted = sys.argv[1:] or list(PARTS)
    if not set(wanted) <= set(PARTS):
        sys.stderr.write(f"parts: {', '.join(PARTS)}\n")
        return 2
    from palette import small  # noqa: PLC0415 - after the path is set
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only here

    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("install Debian's chromium\n")
        return 1
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--lang=zh-CN"],
            env={**os.environ, "LANGUAGE": "zh_CN"},  # the browser's own words on a page
        )
        counter = browser.new_page()

        def keep(name: str, picture: bytes) -> None:
            (TARGET / f"{name}.png").write_bytes(small(counter, picture))

        for part in wanted:
            PARTS[part](Path(home) / part, browser, keep)
        browser.close()
    return 0


def _reports(home: Path, browser: Browser, keep: Keep) -> None:
    """A city's nights, and what is written of them."""
    from demo.history import live  # noqa: PLC0415 - after the path is set
    from demo.rehearsal import start  # noqa: PLC0415
    from tests.browser.walk import beside  # noqa: PLC0415

    with start(home, persons=PERSONS, seed=SEED) as stage:
        hub = beside(lambda: live(stage, NIGHTS))
        beside(lambda: _write(hub))
        reports = stage.home / "reports"
        for name, file, width in PAGES:
            page = browser.new_page(viewport={"width": width, "height": LONGEST})
            page.goto((reports / file).as_uri())
            keep(name, page.screenshot())
            page.close()
        for name, file in PRINTED:
            keep(name, _first_sheet(browser, reports / file))


def _portal(home: Path, browser: Browser, keep: Keep) -> None:
    """A steward's way through the portal."""
    from demo.history import live  # noqa: PLC0415 - after the path is set
    from demo.rehearsal import start  # noqa: PLC0415
    from tests.browser.served import served  # noqa: PLC0415
    from tests.browser.walk import Way, beside  # noqa: PLC0415

    with start(home, persons=WALKED_PERSONS, seed=WALKED_SEED) as stage:
        beside(lambda: live(stage, (0,)))
        with served(stage, 0) as portal:
            for stop in Way(browser, portal, home).stops():
                keep(f"portal-{stop.name}", _shown(stop.page, DESK))
                keep(f"portal-{stop.name}-phone", _shown(stop.page, PHONE))


def _write(hub: Hub) -> None:
    """The files of which there are pictures, and those that the portal lists."""
    from onecard.operations.application_list import write_page  # noqa: PLC0415 - see above
    from onecard.operations.night_report import write_report  # noqa: PLC0415
    from onecard.operations.reports import (  # noqa: PLC0415
        write_daily,
        write_monthly,
        write_weekly,
    )

    write_monthly(hub, date(2026, 10, 1))
    write_weekly(hub, date(2026, 10, 26))
    write_daily(hub, hub.settings.now().date())
    write_report(hub)
    write_page(hub)


def _shown(page: Page, width: int) -> bytes:
    """The page from its top; it is wide again afterwards."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    tall = page.evaluate("document.documentElement.scrollHeight")
    clip: Any = {"x": 0, "y": 0, "width": width, "height": min(tall, LONGEST)}
    picture = page.screenshot(full_page=True, clip=clip)
    page.set_viewport_size({"width": DESK, "height": HEIGHT})
    return picture


def _first_sheet(browser: Browser, file: Path) -> bytes:
    """The first sheet of a report as it is printed: what stands before the first page break."""
    page = browser.new_context(
        viewport={"width": A4[0], "height": A4[1]}, bypass_csp=True
    ).new_page()
    page.emulate_media(media="print")
    page.goto(file.as_uri())
    page.add_style_tag(content=f"html {{ padding: {MARGIN}px }}")
    end = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll("main *, body > *")]
          .filter(e => getComputedStyle(e).breakBefore === "page")
          .map(e => e.getBoundingClientRect().top + scrollY), 1e6)"""
    )
    tall = min(A4[1], int(end) + MARGIN)
    page.add_style_tag(content=f"html {{ height: {int(end)}px; overflow: hidden }}")
    picture = page.screenshot(clip={"x": 0, "y": 0, "width": A4[0], "height": tall})
    page.context.close()
    return picture


PARTS: Mapping[str, Callable[[Path, Browser, Keep], None]] = {
    "reports": _reports,
    "portal": _portal,
}

if __name__ == "__main__":
    sys.exit(main())
