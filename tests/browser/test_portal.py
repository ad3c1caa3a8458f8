"""A steward's day in a real browser on a real Airflow: login, report, problems, ticket, approval."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from onecard.model.attachments import NewAttachment
from onecard.model.tickets import NewTicket
from onecard.portal import app
from onecard.ports.row_gate import Reason
from onecard.store import agreement_lives, attachments, database, tickets
from tests.browser.conftest import Server
from tests.browser.walk import PATIENCE_MS
from tests.rejected import Row, reject

pytestmark = [
    pytest.mark.nightly,
    # Greenlets of Playwright leave their sockets to the collector at the end.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
AGREEMENT = "f20-health-hrss-death"
REPORT = "monthly-2026-10.zh.html"
NOBODY = "410105190001010010"
"""An invented number."""
DESK = (
    *("engineer", "engineer/lineage", "engineer/audit", "engineer/audit/1"),
    *("engineer/receipts", "engineer/receipt_check", "engineer/lineage?dataset=hrss/card_master"),
)


@pytest.fixture(scope="module")
def ticket(airflow_server: Server) -> int:
    """Something to see: a report, a collect with problems, a ticket, an agreement that waits."""
    hub = airflow_server.stage.hub(0)
    now = hub.settings.now()
    for agency in ("health", "hrss"):
        folder = hub.settings.home / "reports" / agency
        folder.mkdir(parents=True)
        page = f"<!doctype html><html lang=zh-CN><title>月报</title><h1>{agency} 月报</h1></html>"
        (folder / REPORT).write_text(page, encoding="utf-8")
        (folder / "problems-2026-10.xlsx").write_bytes(b"PK")
    with database.connect(hub.address, autocommit=True) as connection:
        values = {"person_id18": NOBODY, "person_name": None, "death_date": "2026-11-01"}
        nameless = Row(values, (Reason("person_name", "required"),))
        reject(connection, hub, "health/death_notice", [nameless], now)
        agreement = hub.catalogue.agreement(AGREEMENT)
        agreement_lives.suspend(connection, agreement, "演练", "演练中止")
        number = tickets.open_ticket(
            connection,
            NewTicket(
                agency="health",
                opened_for="hrss",
                opened_by="hrss",
                kind="finding",
                dataset="health/death_notice",
                statement="<script>document.title='x'</script>\u202e死亡日期不对" + "长" * 200,
                opened_at=now - timedelta(days=1),
                due_on=now.date(),
                rule="required",
                field="name",
            ),
        )
        new = NewAttachment("txt", "核对记录".encode(), "hrss", "hrss", now)
        with connection.transaction():
            attachments.add(connection, number, new, hub.keys, hub.suite)
        return number


class Visit:
    """One visitor's browser window; notes what the pages ask for and complain about."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.url = url
        self.elsewhere: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", self._requested)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:")):
            self.elsewhere.append(request.url)

    def portal(self, path: str = "") -> Any:
        return self.page.goto(f"{self.url}/onecard/{path}")

    def log_in(self, user: str, password: str) -> None:
        self.portal()
        self.page.wait_for_selector("input[name=username]")
        self.page.fill("input[name=username]", user)
        self.page.fill("input[name=password]", password)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"{self.url}/onecard/")
        self.errors.clear()  # Airflow's own login page is not ours to judge
        self.elsewhere.clear()


@pytest.fixture
def visit(chromium: Any, airflow_server: Server) -> Iterator[Visit]:
    context = chromium.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield Visit(context, airflow_server.url)
    context.close()


def test_a_stewards_day(visit: Visit, airflow_server: Server, ticket: int) -> None:
    page = visit.page
    visit.log_in("health", airflow_server.passwords["health"])
    assert "市卫生健康委员会" in page.inner_text("main")
    assert "市教育局" not in page.inner_text("main")

    page.click("main a:has-text('质量报告')")
    page.click(f"a:has-text('{REPORT}')")
    assert page.inner_text("h1") == "health 月报"

    visit.portal("health/problems")
    page.click("a:has-text('姓名：必填项为空')")
    assert "规则说明" in page.inner_text("main")
    page.click("button:has-text('受理')")
    assert "已受理" in page.inner_text("main .lead")
    page.click("table a[href*='/rows/']")
    assert NOBODY not in page.inner_text("main")
    page.fill("#reason", "核对源系统")
    page.click("button:has-text('查看原值')")
    assert NOBODY in page.inner_text("main")
    page.click("main .lead a")
    with page.expect_download() as begun:
        page.check("input[value=csv]")
        page.click("button:has-text('下载以便更正')")
    assert NOBODY not in begun.value.path().read_text(encoding="utf-8")

    visit.portal("health/tickets")
    page.click(f"a:has-text('#{ticket}')")
    assert "<script>" in page.inner_text("main")
    assert "⟨U+202E⟩" in page.inner_text("main")
    page.click("button:has-text('受理')")
    page.check("input[value=corrected]")
    page.fill("textarea", "已在源系统更正。")
    page.click("button:has-text('提交答复')")
    assert "已答复" in page.inner_text("main .lead")

    visit.portal("health/agreements")
    page.click(f'a[href$="/health/agreements/{AGREEMENT}"] >> nth=0')
    page.fill("#document", "郑卫〔2026〕8号")
    page.click("button:has-text('批准本协议')")
    assert "生效" in page.inner_text("main .lead")
    assert "郑卫〔2026〕8号" in page.inner_text("main")

    assert visit.elsewhere == []
    assert visit.errors == []
    page.click("text=退出登录")
    page.wait_for_selector("input[name=username]")
    visit.portal("health/problems")
    page.wait_for_selector("input[name=username]")
    hub = airflow_server.stage.hub(0)
    with database.connect(hub.address, autocommit=True) as connection:
        found = tickets.get(connection, ticket)
        life = agreement_lives.life(
            connection, hub.catalogue.agreement(AGREEMENT), hub.settings.now().date()
        )
    assert found is not None
    assert (found.status, found.outcome) == ("answered", "corrected")
    assert life.approval is not None
    assert life.approval.actor == "health"


def addresses(ticket: int) -> Iterator[tuple[str, str]]:
    """Every route below health's pages, with an object that is there."""
    values = {
        "agency": "health",
        "report": REPORT,
        "agreement": AGREEMENT,
        "ticket": str(ticket),
        "problem": "1",
        "record": "1",
        "receipt": "1",
        "attachment": "1",
    }
    for method, path, _ in app.ROUTES:
        if "{agency}" in path:
            yield method, re.sub(r"\{(\w+)\}", lambda m: values[m[1]], path)


def test_another_agencys_steward_is_refused_on_every_route(
    visit: Visit, airflow_server: Server, ticket: int
) -> None:
    visit.log_in("education", airflow_server.passwords["education"])
    for method, address in addresses(ticket):
        found = visit.page.request.fetch(f"{visit.url}/onecard{address}", method=method)
        assert found.status in ((404,) if method == "GET" else (403, 404, 415)), address
    # The same page that its own steward gets.
    assert visit.portal("education/problems").status == 200


def test_an_anonymous_visitor_is_refused_on_every_route(visit: Visit, ticket: int) -> None:
    for method, address in [("GET", "/"), *addresses(ticket)]:
        found = visit.page.request.fetch(
            f"{visit.url}/onecard{address}", method=method, max_redirects=0
        )
        assert found.status == 401, address
    visit.portal("health/problems")
    visit.page.wait_for_selector("input[name=username]")
    assert urlsplit(visit.page.url).path.startswith("/auth/login")


def test_an_engineer_finds_the_portal_in_airflows_menu(
    visit: Visit, airflow_server: Server, ticket: int
) -> None:
    visit.log_in("admin", airflow_server.passwords["admin"])
    assert "市教育局" in visit.page.inner_text("main")
    visit.page.goto(f"{visit.url}/plugin/onecard-quality")
    frame = visit.page.frame_locator("iframe")
    assert "今天要办的事" in frame.locator("h1").inner_text()
    frame.locator("a", has_text="数据问题").first.click()
    frame.locator("h1", has_text="数据问题").wait_for()


def look(visit: Visit, address: str) -> None:
    """A page has no grave fault of accessibility, and is no wider than the window."""
    from axe_core_python.sync_playwright import Axe

    visit.portal(address)
    found = Axe().run(visit.page)["violations"]
    grave = [
        (v["id"], [n["html"] for n in v["nodes"]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert grave == [], address
    wide = visit.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, address


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_engineers_pages_are_accessible_and_fit(
    visit: Visit, airflow_server: Server, ticket: int, width: int, colours: Any
) -> None:
    visit.log_in("admin", airflow_server.passwords["admin"])
    visit.page.set_viewport_size({"width": width, "height": 900})
    visit.page.emulate_media(color_scheme=colours)
    for path in DESK:
        look(visit, path)
    visit.portal("engineer/lineage")
    box = visit.page.locator("section:has(#picture) .wrap")
    room, wide = box.evaluate("b => [b.clientWidth, b.scrollWidth]")
    assert (wide > room) == (width == 390)  # it scrolls in its own box
    visit.portal("engineer/audit/1")
    visit.page.click("button:has-text('验证')")
    assert "验证结果" in visit.page.inner_text("main")
    assert visit.elsewhere == []
    assert visit.errors == []
