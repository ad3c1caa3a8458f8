"""The report files in Debian's Chromium: nothing loaded, nothing said, nothing cut off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.history import live
from onecard.operations.application_list import write_page
from onecard.operations.night_report import write_report
from onecard.operations.reports import write_daily, write_monthly, write_weekly
from tests.cities import Cities

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.nightly
WIDTHS = (1280, 390)
NIGHTS = (0, 1, 6)
GRAVE = {"resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Path:
    """Reports of a small city: of the first days of a month, of everybody, in both languages."""
    home = tmp_path_factory.mktemp("pages")
    with cities.start(home / "stage", persons=1_000, seed=5) as stage:
        hub = live(stage, NIGHTS)
        write_monthly(hub, date(2026, 10, 1))
        write_weekly(hub, date(2026, 10, 19))
        write_daily(hub, hub.settings.now().date())
        write_report(hub)
        write_page(hub)
        return Path(shutil.copytree(stage.home / "reports", home / "reports"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium absent: install Debian's chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


def pages(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.html"))


def test_everybody_has_every_page(folder: Path) -> None:
    from schemas.models import catalogue

    providers = {c.agency for c in catalogue.load().contracts.values()}
    assert {f.parent.name for f in pages(folder)} == {*providers, "bureau", "reports"}
    assert len(providers) == 6
    for agency in (*providers, "bureau"):
        names = {f.name.split("-")[0] + f.suffixes[-2] for f in (folder / agency).glob("*.html")}
        kinds = ("monthly", "weekly", "daily")
        assert names == {f"{kind}.{language}" for kind in kinds for language in ("zh", "en")}
        assert list((folder / agency).glob("problems-*.xlsx"))
        assert list((folder / agency).glob("weekly-*.xlsx"))
    assert len(pages(folder)) == 7 * 6 + 2


def test_pages_load_nothing_say_nothing_and_fit(folder: Path, browser: Browser) -> None:
    for width in WIDTHS:
        context = browser.new_context(viewport={"width": width, "height": 900})
        for file in pages(folder):
            page = context.new_page()
            asked: list[str] = []
            said: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, said=said: said.append(message.text))
            page.on("pageerror", lambda error, said=said: said.append(str(error)))
            page.goto(file.as_uri())
            across = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert (asked, said) == ([file.as_uri()], []), file.name
            assert across[0] <= across[1], (file.name, width)
            page.close()
        context.close()


def test_the_night_is_three_screens_at_most(folder: Path, browser: Browser) -> None:
    """Folded, at the width of a desk; on a telephone no longer than twice that."""
    (night,) = folder.glob("night-*.html")
    for width, screens in ((1280, 3), (390, 6)):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(night.as_uri())
        assert page.evaluate("document.documentElement.scrollHeight") <= screens * 900, width
        head = page.locator("#s2").bounding_box()
        assert head is not None
        assert head["y"] < 900, "what needs a person begins on the first screen"
        page.locator(".collects details").first.locator("summary").click()
        assert page.locator(".collects details .more").first.is_visible()
        page.close()


def test_a_printed_night_has_open_what_is_wrong(folder: Path, browser: Browser) -> None:
    (night,) = folder.glob("night-*.html")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(night.as_uri())
    wrong, right = page.locator("details.unfold .more"), page.locator("details:not(.unfold) .more")
    assert wrong.count()
    assert right.count()
    for printed in (False, True):
        page.emulate_media(media="print" if printed else "screen")
        for found in wrong.all():
            assert found.evaluate("e => e.checkVisibility()") is printed
        assert not right.first.evaluate("e => e.checkVisibility()")
    page.close()


def test_pages_are_accessible(folder: Path, browser: Browser) -> None:
    from axe_core_python.sync_playwright import Axe

    axe = Axe()
    page = browser.new_context(bypass_csp=True).new_page()
    for file in pages(folder):
        width = WIDTHS[".en." in file.name]  # the layouts differ in width, not in language
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(file.as_uri())
        grave = [
            (v["id"], v["nodes"][0]["html"][:120])
            for v in axe.run(page, options=GRAVE)["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert grave == [], (file.name, width)
