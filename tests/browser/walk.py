"""A steward's way through the portal, from the worst problem to its end.

The same steps are tested (`test_walk`) and photographed (`tools/screenshots.py`): whoever follows
`Way.stops` sees the browser's page at each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from onecard.model.holds import agency_of
from onecard.model.quality_problems import KnownProblem
from onecard.model.tickets import Ticket
from onecard.operations import night
from onecard.portal.today import WEEK
from onecard.stewardship import challenges
from onecard.stewardship.challenges import Challenge
from onecard.store import database, quality_problems, tickets
from onecard.store.database import Connection
from onecard.store.quality_problems import Weeks
from tests.browser.corrections import Office, Row
from tests.browser.served import PREFIX, ServedPortal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

T = TypeVar("T")
PATIENCE_MS = 120_000
"""For a page or a part of it to come."""
STEWARD = "education"
"""Whose office hands in files: origin and row number lead back to a row."""
REASON = "对照学籍档案核实"
ANSWER = "已对照学籍档案逐行更正，并重新报送。"


@dataclass(frozen=True)
class Stop:
    """A page on the way.

    Attributes:
        name: says what is seen.
    """

    name: str
    page: Page


def beside(work: Callable[[], T]) -> T:
    """Do what runs loops of its own: a browser's loop runs in this thread already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@contextmanager
def ledger(portal: ServedPortal) -> Iterator[Connection]:
    """A connection to the database of the portal's hub."""
    hub = portal.stage.hub(portal.day)
    with database.connect(hub.address, autocommit=True) as connection:
        yield connection


def worst(portal: ServedPortal, agency: str) -> KnownProblem:
    """The problem of an agency that has grown most in the last seven days, by the ledger.

    Args:
        portal: names the day.
        agency: its id.
    """
    hub = portal.stage.hub(portal.day)
    day = hub.settings.now().date()
    datasets = [c.id for c in hub.catalogue.datasets_of(agency)]
    with ledger(portal) as connection:
        weeks = Weeks(day - 2 * WEEK, day - WEEK, day, day - 2 * WEEK)
        (first,) = quality_problems.worse(connection, datasets, weeks, 1).all()
        found = quality_problems.get(connection, first.problem)
    assert found is not None
    return found


def challenge(portal: ServedPortal, problem: KnownProblem) -> Ticket:
    """A consumer's ticket about a problem, as `onecard challenge open` does it.

    Args:
        portal: names the day.
        problem: a rule's.
    """
    hub = portal.stage.hub(portal.day)
    receiving = (a.consumer for a in hub.catalogue.receiving(problem.dataset))
    consumer = next(c for c in receiving if c != agency_of(problem.dataset))
    text = "本部门比对发现该项不合格行较多，请在源系统更正。"
    wanted = Challenge(
        problem.dataset,
        consumer,
        text,
        rule=problem.rule,
        at_field=problem.field,
        opened_by=consumer,
    )
    return beside(lambda: challenges.open_challenge(hub, wanted))


def log_in(browser: Browser, portal: ServedPortal, user: str) -> Page:
    """A window of a user's own, logged in, at the start page.

    Args:
        browser: Chromium.
        portal: that is visited.
        user: one of its own.
    """
    context = browser.new_context(
        locale="zh-CN", viewport={"width": 1280, "height": 900}, timezone_id="Asia/Shanghai"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{portal.url}{PREFIX}/")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", portal.passwords[user])
    page.click("button")
    page.wait_for_url(f"{portal.url}{PREFIX}/")
    return page


class Way:
    """The way of one steward; each stop is a page that the steward, or the challenger, sees.

    Args:
        browser: Chromium.
        portal: whose newest night has found problems.
        folder: for what is downloaded.

    Attributes:
        problem: the worst one, as it was at the beginning.
        ticket: about it.
        record: the row that is looked at.
        book: the downloaded workbook.
        rows: as they were corrected.
    """

    def __init__(self, browser: Browser, portal: ServedPortal, folder: Path) -> None:
        self._browser, self.portal, self._folder = browser, portal, folder
        self.problem = worst(portal, STEWARD)
        self.ticket = challenge(portal, self.problem).id
        self.record = 0
        self.book = folder / "rows.xlsx"
        self.rows: list[Row] = []

    def stops(self) -> Iterator[Stop]:
        """Everything, in order."""
        page = log_in(self._browser, self.portal, STEWARD)
        yield Stop("home", page)
        yield from self._looks(page)
        yield from self._corrects(page)
        yield from self._answers(page)
        self._hands_in()
        yield from self._sees_the_end(page)

    def _looks(self, page: Page) -> Iterator[Stop]:
        """From the start page to the worst problem and one of its rows."""
        page.click("section[aria-labelledby=worse] tbody a >> nth=0")
        page.click("button:has-text('受理')")
        yield Stop("problem", page)
        link = page.locator("section[aria-labelledby=rows] tbody a").first
        self.record = int(link.inner_text())
        link.click()
        yield Stop("row", page)
        page.fill("#reason", REASON)
        page.click("button:has-text('查看原值')")
        yield Stop("row-in-clear", page)
        page.click("main .lead a")

    def _corrects(self, page: Page) -> Iterator[Stop]:
        """Rows are downloaded, checked as they are, corrected in the workbook, checked again."""
        with page.expect_download() as begun:
            page.check("input[name=format][value=xlsx]")
            page.click("button:has-text('下载以便更正')")
        begun.value.save_as(self.book)
        page.click("a:has-text('自查更正后的文件')")
        self._check(page)
        yield Stop("self-check-found", page)
        self.rows = self.office.correct(self.book)
        self._check(page)
        yield Stop("self-check-right", page)

    def _check(self, page: Page) -> None:
        page.set_input_files("input[type=file]", self.book)
        page.click("button:has-text('查看检查结果')")

    @property
    def office(self) -> Office:
        """The steward's."""
        stage = self.portal.stage
        contract = stage.hub(self.portal.day).catalogue.contract(self.problem.dataset)
        return Office(stage.city, contract, tuple(range(self.portal.day + 1)))

    def _answers(self, page: Page) -> Iterator[Stop]:
        """The ticket about the problem, which the start page lists, is answered."""
        page.click("nav a:has-text('首页')")
        page.click(f"section[aria-labelledby=waits] a:has-text('#{self.ticket}')")
        page.click("button:has-text('受理')")
        yield Stop("ticket", page)
        page.check("input[name=outcome][value=corrected]")
        page.fill("#text", ANSWER)
        page.click("button:has-text('提交答复')")
        yield Stop("ticket-answered", page)

    def _hands_in(self) -> None:
        """The corrected rows go into the office's outbox; then the next night is run."""
        office, day = self.office, self.portal.day + 1
        self.portal.stage.city.prepare(day)
        office.hand_in(self.rows)
        outcome = beside(lambda: night.run(self.portal.stage.hub(day)))
        assert (outcome.failed, outcome.held) == ({}, {})
        self.portal.move_to(day)

    def _sees_the_end(self, page: Page) -> Iterator[Stop]:
        """The problem is over, by evidence, and whoever challenged closes the ticket by it."""
        page.goto(f"{self.portal.url}{PREFIX}/{STEWARD}/problems/{self.problem.id}")
        yield Stop("problem-ended", page)
        with ledger(self.portal) as connection:
            ticket = tickets.get(connection, self.ticket)
        assert ticket is not None
        page.context.close()
        other = log_in(self._browser, self.portal, ticket.opened_for)
        other.click("section[aria-labelledby=mine] tbody a[href*='/tickets']")
        other.click(f"section[aria-labelledby=raised] a:has-text('#{self.ticket}')")
        yield Stop("ticket-seen", other)
        other.click("button:has-text('办结')")
        yield Stop("ticket-closed", other)
        other.context.close()
