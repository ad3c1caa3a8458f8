"""The portal without a mouse: every page and every act by Tab, Enter, Space and the arrows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from onecard.portal import app
from onecard.store import agreement_lives, quality_problems, tickets
from tests.browser.keys import Keyboard
from tests.browser.served import PREFIX, ServedPortal
from tests.browser.things import AGENCY, AGREEMENT, WRONG, addresses, made
from tests.browser.walk import ledger, log_in

pytestmark = [
    pytest.mark.nightly,
    # Greenlets of Playwright leave their sockets to the collector at the end.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def things(portal: ServedPortal) -> Iterator[Mapping[str, str]]:
    with made(portal) as found:
        yield found


@pytest.fixture
def keyboard(chromium: Any, portal: ServedPortal) -> Iterator[Keyboard]:
    page = log_in(chromium, portal, AGENCY)
    yield Keyboard(page)
    page.context.close()


def test_the_focus_goes_everywhere_in_reading_order_and_is_seen(
    chromium: Any, portal: ServedPortal, things: Mapping[str, str]
) -> None:
    linked: set[str] = set()
    for user in (AGENCY, "admin"):
        page = log_in(chromium, portal, user)
        keyboard = Keyboard(page)
        for path, whose in addresses(things):
            if whose != user or path.endswith(".html"):
                continue
            page.goto(f"{portal.url}{PREFIX}{path}")
            hrefs = page.eval_on_selector_all("a[href]", "found => found.map(e => e.href)")
            linked |= {urlsplit(href).path.removeprefix(PREFIX) for href in hrefs}
            wanted = keyboard.wanted()
            stops = keyboard.walk()
            places = [stop.place for stop in stops]
            assert set(wanted) <= set(places), (path, missing(page, set(wanted) - set(places)))
            assert places == sorted(places), path
            assert [s for s in stops if not (s.outlined and s.seen)] == [], path
            back = [stop.place for stop in keyboard.walk("Shift+Tab")]
            assert back == places[::-1], path
        page.context.close()
    routes = {route for method, route, _ in app.ROUTES if method == "GET"}
    assert {route for route in routes if not any(map(shape(route).fullmatch, linked))} == set()


def missing(page: Any, places: set[int]) -> list[str]:
    return [
        page.evaluate("n => document.querySelectorAll('*')[n].outerHTML.slice(0, 120)", place)
        for place in sorted(places)
    ]


def shape(route: str) -> re.Pattern[str]:
    """What addresses of a route look like."""
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", route))


def test_the_skip_link_leads_past_the_menu(keyboard: Keyboard) -> None:
    keyboard.press("Tab")
    first = keyboard.focus()
    assert first is not None
    assert first.shown == "跳到正文"
    assert first.seen
    assert first.outlined
    keyboard.press("Enter")
    keyboard.press("Tab")
    after = keyboard.focus()
    assert after is not None
    assert after.inside


def test_details_open_and_close(
    keyboard: Keyboard, portal: ServedPortal, things: Mapping[str, str]
) -> None:
    keyboard.page.goto(f"{portal.url}{PREFIX}/{AGENCY}/problems/{things['problem']}")
    keyboard.to("summary")
    assert keyboard.page.locator("details[open]").count() == 0
    keyboard.press("Enter")
    assert keyboard.page.locator("details[open]").count() == 1
    keyboard.press("Tab")
    inside = keyboard.page.evaluate("Boolean(document.activeElement.closest('details[open]'))")
    assert inside
    keyboard.press("Shift+Tab")
    keyboard.press("Space")
    assert keyboard.page.locator("details[open]").count() == 0


def test_problems_are_found_filtered_and_cared_for(
    keyboard: Keyboard, portal: ServedPortal, things: Mapping[str, str]
) -> None:
    page, day = keyboard.page, portal.stage.hub(portal.day).settings.now().date()
    until = (day + timedelta(days=30)).isoformat()
    keyboard.go("nav a[href$='/problems'], main a[href$='/problems']")
    keyboard.write("#q", "必填")
    keyboard.to("#sort")
    keyboard.press("ArrowDown")
    keyboard.go("form.find button")
    assert "q=%E5%BF%85%E5%A1%AB" in page.url
    assert "sort=rows" in page.url
    keyboard.go("thead a[href*='sort=since']")
    keyboard.to("td.c input")
    keyboard.press("Space")
    chosen = str(page.get_attribute("td.c input:checked", "name")).removeprefix("problem-")
    keyboard.choose("action", "accept")
    keyboard.write_date("#until", until)
    keyboard.write("#reason", "来源系统正在改造")
    keyboard.go("form.list fieldset button", "Space")
    with ledger(portal) as connection:
        found = quality_problems.get(connection, int(chosen))
    assert found is not None
    assert (found.state, found.accepted_until) == ("accepted", date.fromisoformat(until))

    one = f"{portal.url}{PREFIX}/{AGENCY}/problems/{chosen}"
    page.goto(one)
    keyboard.write("#reopen", "改造已完成")
    keyboard.go("form[action$='/reopen'] button")
    keyboard.go("form[action$='/acknowledge'] button", "Space")
    assert "已受理" in page.inner_text("main .lead")
    keyboard.write_date("#until", until)
    keyboard.write("#reason", "再次改造")
    keyboard.go("form[action$='/accept'] button")
    keyboard.write("#text", "已与开发单位联系")
    keyboard.go("form[action$='/comment'] button")
    assert "已与开发单位联系" in page.inner_text("#history ~ .wrap")
    with ledger(portal) as connection:
        said = [e.event for e in quality_problems.events(connection, int(chosen))]
    assert said == ["accepted", "reopened", "acknowledged", "accepted", "commented"]


def test_rows_are_seen_downloaded_and_checked(
    keyboard: Keyboard, portal: ServedPortal, things: Mapping[str, str], tmp_path: Path
) -> None:
    page = keyboard.page
    # Somebody listens from the beginning: else a key may be quicker than the browser's word that
    # choosing a file is not to open a window of its own.
    page.on("filechooser", lambda _: None)
    page.goto(f"{portal.url}{PREFIX}/{AGENCY}/problems/{things['problem']}")
    keyboard.choose("format", "csv")
    keyboard.to("form[action$='/rows'] button")
    with page.expect_download() as begun:
        keyboard.press("Enter")
    assert begun.value.suggested_filename.endswith(".csv")
    keyboard.go("a[href*='/rows/']")
    keyboard.write("#reason", "核对源系统")
    keyboard.go("main form button")
    assert "原值" in page.inner_text("main")

    keyboard.go("nav a[href$='/self_check']")
    keyboard.to("#dataset")
    while page.input_value("#dataset") != "health/death_notice":
        keyboard.press("ArrowDown")
    file = tmp_path / "deaths.csv"
    file.write_text(WRONG, encoding="utf-8")
    keyboard.to("#file")
    with page.expect_file_chooser() as asked:
        keyboard.press("Space")
    asked.value.set_files(file)
    keyboard.go("form button:not([formaction])")
    assert "不合格 1 行" in page.inner_text("main .lead")
    keyboard.to("#file")
    with page.expect_file_chooser() as asked:
        keyboard.press("Enter")
    asked.value.set_files(file)
    keyboard.to("button[formaction]")
    with page.expect_download() as begun:
        keyboard.press("Space")
    assert begun.value.suggested_filename == "checked-health-death_notice.xlsx"


def test_an_agreement_is_approved(
    keyboard: Keyboard, portal: ServedPortal, things: Mapping[str, str]
) -> None:
    keyboard.go(f"a[href$='/agreements/{AGREEMENT}']")
    keyboard.write("#document", "郑卫〔2026〕8号")
    keyboard.go("form button")
    assert "生效" in keyboard.page.inner_text("main .lead")
    hub = portal.stage.hub(portal.day)
    with ledger(portal) as connection:
        agreement = hub.catalogue.agreement(AGREEMENT)
        life = agreement_lives.life(connection, agreement, hub.settings.now().date())
        agreement_lives.suspend(connection, agreement, "演练", "演练中止")
    assert life.approval is not None
    assert life.approval.actor == AGENCY


def test_tickets_are_raised_handed_over_answered_and_closed(
    chromium: Any, keyboard: Keyboard, portal: ServedPortal, things: Mapping[str, str]
) -> None:
    page, number = keyboard.page, things["ticket"]
    with ledger(portal) as connection:
        ticket = tickets.get(connection, int(number))
    assert ticket is not None
    here = f"{portal.url}{PREFIX}/{AGENCY}/tickets"
    page.goto(here)
    keyboard.go(f"a[href$='/tickets/{number}']")
    keyboard.go("form[action$='/acknowledge'] button")
    keyboard.write("#owner", "wang.health")
    keyboard.go("form[action$='/hand_over'] button", "Space")
    assert "wang.health" in page.inner_text("main dl")
    keyboard.choose("outcome", "confirmed")
    keyboard.write("#text", "核实无误")
    keyboard.go("form[action$='/answer'] button")
    assert "已答复" in page.inner_text("main .lead")

    other = Keyboard(log_in(chromium, portal, ticket.opened_for))
    theirs = f"{portal.url}{PREFIX}/{ticket.opened_for}/tickets"
    other.page.goto(f"{theirs}/{number}")
    other.write("#again", "仍有不符")
    other.go("form[action$='/reopen'] button")
    page.reload()
    keyboard.choose("outcome", "rejected")
    keyboard.write("#text", "不属于本部门")
    keyboard.go("form[action$='/answer'] button")
    other.page.reload()
    other.write("#why", "双方已当面核对")
    other.go("form[action$='/close'] button")
    assert "已办结" in other.page.inner_text("main .lead")

    page.goto(here)
    keyboard.to("#about")
    keyboard.press("ArrowDown")
    keyboard.go("#new ~ form.find button")
    for name in page.eval_on_selector_all("input[name^=key-]", "found => found.map(e => e.name)"):
        keyboard.write(f"input[name='{name}']", "N0001")
    keyboard.write("#statement", "与本部门掌握的情况不符")
    code = keyboard.go("#new ~ form[method=post] button")
    assert code == 200
    assert "待受理" in page.inner_text("main .lead")
    other.page.context.close()
