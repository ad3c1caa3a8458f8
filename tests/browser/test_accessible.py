"""Every page of the portal by axe, WCAG 2.2 AA: both widths, light and dark, both languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.browser.served import PREFIX, ServedPortal
from tests.browser.things import AGENCY, WRONG, addresses, made
from tests.browser.walk import log_in
from tests.browser.wcag import PRACTICE, broken

pytestmark = [
    pytest.mark.nightly,
    # Greenlets of Playwright leave their sockets to the collector at the end.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")


@pytest.fixture(scope="module")
def things(portal: ServedPortal) -> Iterator[Mapping[str, str]]:
    with made(portal) as found:
        yield found


class Looker:
    """Looks at whatever page stands in the browser, at each width and in each colour scheme."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self.found: list[tuple[object, ...]] = []

    def look(self, what: str, schemes: tuple[str, ...] = SCHEMES) -> None:
        for width in WIDTHS:
            self._page.set_viewport_size({"width": width, "height": 900})
            across = self._page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            if across > 0:
                self.found.append((what, width, "is too wide by", across))
            for scheme in schemes:
                self._page.emulate_media(color_scheme=scheme)
                self.found += [
                    (what, width, scheme, *rule) for rule in broken(self._page, PRACTICE)
                ]
        self._page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_of_the_table_of_routes(
    chromium: Any, portal: ServedPortal, things: Mapping[str, str], language: str
) -> None:
    schemes = SCHEMES if language == "zh" else ("light",)  # colours do not differ by language
    found: list[tuple[object, ...]] = []
    for user in (AGENCY, "admin"):
        page = log_in(chromium, portal, user)
        looker = Looker(page)
        for path, whose in addresses(things):
            if whose == user and not path.endswith(".html"):  # reports are in test_reports
                page.goto(f"{portal.url}{PREFIX}{path}?lang={language}")
                looker.look(path, schemes)
        found += looker.found
        page.context.close()
    assert found == []


def test_pages_that_answer_a_form(
    chromium: Any, portal: ServedPortal, things: Mapping[str, str]
) -> None:
    page = log_in(chromium, portal, AGENCY)
    looker = Looker(page)
    here = f"{portal.url}{PREFIX}/{AGENCY}"
    for name, content in (("deaths.csv", WRONG), ("deaths.exe", "MZ")):
        page.goto(f"{here}/self_check?dataset=health/death_notice")
        sent = {"name": name, "mimeType": "text/plain", "buffer": content.encode()}
        page.set_input_files("input[type=file]", sent)
        page.click("button:has-text('查看检查结果')")
        assert page.locator("#found, #refused").count() == 1
        looker.look(f"self-check of {name}")
    page.goto(f"{here}/problems/{things['problem']}/rows/{things['record']}")
    page.fill("#reason", "核对源系统")
    page.click("button:has-text('查看原值')")
    looker.look("a row in clear")
    page.goto(f"{here}/problems?q=没有这样的问题")
    looker.look("an empty list")
    assert looker.found == []


def test_pages_of_errors(chromium: Any, portal: ServedPortal, things: Mapping[str, str]) -> None:
    page = log_in(chromium, portal, AGENCY)
    looker = Looker(page)
    page.goto(f"{portal.url}{PREFIX}/nowhere/at/all")
    looker.look("404")
    ticket = f"{portal.url}{PREFIX}/{AGENCY}/tickets/{things['ticket']}"
    for code, change in (
        (403, "csrf"),
        (409, "version"),
    ):
        page.goto(ticket)
        page.eval_on_selector_all(
            f"input[name={change}]", "found => found.forEach(e => { e.value = '999999' })"
        )
        with page.expect_navigation() as moved:
            page.click("button:has-text('受理')")
        assert moved.value.status == code
        looker.look(str(code))
    page.goto(ticket)
    page.eval_on_selector_all("[required]", "found => found.forEach(e => { e.required = false })")
    with page.expect_navigation() as moved:
        page.click("button:has-text('提交答复')")
    assert moved.value.status == 422
    looker.look("422")
    assert looker.found == []
