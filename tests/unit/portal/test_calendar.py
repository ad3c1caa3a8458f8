"""The calendar of freshness on the page: whose datasets, which days, marks in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from onecard.store import arrivals, transfers
from onecard.store.database import Connection
from tests.unit.portal.conftest import NOW, Portal

DEATHS, VISITS = "health/death_notice", "health/health_visit"


def collected(connection: Connection, dataset: str, at: datetime, status: str) -> int:
    """A collect of that moment that ended so."""
    transfer = transfers.open_transfer(connection, "collect", dataset, "1", at)
    connection.execute(
        "UPDATE ledger.transfer SET status = %s, finished_at = %s WHERE id = %s",
        (status, at, transfer),
    )
    return transfer


@pytest.fixture
def connection(portal: Portal) -> Iterator[Connection]:
    with portal.connect() as found:
        found.execute("ALTER TABLE ledger.lane_day DISABLE TRIGGER ALL")
        found.execute("DELETE FROM ledger.lane_day")
        for table in ("rule_count", "finding"):
            found.execute(f"DELETE FROM ledger.{table}".encode())
        found.execute("DELETE FROM ledger.transfer")
        yield found
        found.execute("DELETE FROM ledger.lane_day")
        found.execute("ALTER TABLE ledger.lane_day ENABLE TRIGGER ALL")
        found.execute("DELETE FROM ledger.transfer")


def line(page: str, title: str) -> list[str]:
    """The marks of a dataset's row."""
    (row,) = [r for r in page.split("<tr>") if f'<th scope="row">{title}' in r]
    return [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]


def days(portal: Portal, address: str, user: str) -> str:
    found = portal.client(user).get(address)
    assert found.status_code == 200
    return found.text


def test_a_row_for_each_dataset_and_a_column_for_each_day(
    portal: Portal, connection: Connection
) -> None:
    for back in (1, 4, 5):  # Monday, Friday, Thursday
        collected(connection, VISITS, NOW - timedelta(days=back), "published")
    collected(connection, VISITS, NOW - timedelta(days=2), "held")
    collected(connection, VISITS, NOW - timedelta(hours=1), "failed")
    page = days(portal, "/health/calendar", "health")
    known = portal.site.catalogue()
    marks = line(page, known.contract(VISITS).title)
    assert len(marks) == 43
    assert marks[29:43] == [*"?时时·人时败", *"应应应··应应"]
    assert set(line(page, known.contract(DEATHS).title)) == {"?"}
    assert known.contract("education/edu_enrolment").title not in page
    assert "待人工或失败 1 项" in page
    assert page.count('aria-current="date"') == 1
    cell = re.search(
        r'<td class="a-failed"><a href="([^"]+)" aria-label="败 失败 2026-11-24">', page
    )
    assert cell
    assert portal.client("health").get(cell[1].replace("&amp;", "&")).status_code == 200
    english = days(portal, "/health/calendar?lang=en", "health")
    assert line(english, VISITS)[34:36] == ["T", "F"]
    assert not re.search(r"[一-鿿]", english.partition("<main")[2])


def test_folded_transfers_and_days_before_the_first_column_count(
    portal: Portal, connection: Connection
) -> None:
    events, first = "hrss/card_status_event", NOW.date() - timedelta(weeks=5)
    for number, day in ((1, first - timedelta(days=3)), (2, first), (3, NOW.date())):
        connection.execute(
            "INSERT INTO ledger.lane_day VALUES ('collect', %s, %s, %s, %s, 4, %s,"
            " 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}', '{}', '\\x00')",
            (events, day, number, number, NOW),
        )
    collected(connection, VISITS, NOW - timedelta(days=300), "published")
    collected(connection, VISITS, NOW - timedelta(days=200), "published")
    found = arrivals.days_of_collects(connection, [VISITS, events], first, NOW.date())
    assert [(f.dataset, f.day, f.came) for f in found] == [
        (VISITS, (NOW - timedelta(days=200)).date(), True),
        (events, first - timedelta(days=3), True),
        (events, first, True),
        (events, NOW.date(), True),
    ]
    title = portal.site.catalogue().contract(events).title
    marks = line(days(portal, "/hrss/calendar", "hrss"), title)
    assert (marks[0], marks[1], marks[35], marks[36]) == ("迟", "缺", "迟", "应")


def test_days_are_those_of_beijing_and_replays_say_nothing(
    portal: Portal, connection: Connection
) -> None:
    midnight = NOW.replace(hour=0)
    collected(connection, VISITS, midnight, "published")
    collected(connection, VISITS, midnight - timedelta(minutes=1), "published")
    again = collected(connection, VISITS, midnight - timedelta(days=2), "published")
    connection.execute("UPDATE ledger.transfer SET replay = true WHERE id = %s", (again,))
    found = arrivals.days_of_collects(connection, [VISITS], date(2026, 11, 1), NOW.date())
    assert [(f.day.day, f.came) for f in found] == [(23, True), (24, True)]


def test_engineers_see_every_dataset_that_is_collected(
    portal: Portal, connection: Connection
) -> None:
    page = days(portal, "/engineer/calendar", "li/Admin")
    for contract in portal.site.catalogue().collected.values():
        assert contract.title in page
    assert "/engineer/calendar" in days(portal, "/engineer", "li/Admin")
    assert portal.client("health").get("/engineer/calendar").status_code == 404


def test_an_agency_without_datasets_has_none(portal: Portal) -> None:
    portal.users.write_text("users: {bank: [bank]}\n")
    page = days(portal, "/bank/calendar", "bank")
    assert "<table" not in page


def test_a_daily_report_is_behind_its_day(portal: Portal) -> None:
    name = "daily-2026-11-20.zh.html"
    (portal.home / "reports" / "health" / name).write_text("<p>日报</p>", encoding="utf-8")
    page = days(portal, "/health/calendar", "health")
    assert f'href="/health/reports/{name}" aria-label="日报 2026-11-20"' in page
    assert name not in days(portal, "/health/calendar?lang=en", "health")


def test_holidays_that_are_not_published_yet_are_said_to_be_unknown(portal: Portal) -> None:
    assert "只按周一至周五计算" not in days(portal, "/health/calendar", "health")
    later = portal.site.settings.model_copy(update={"fixed_now": NOW.replace(year=2096)})
    portal.site = replace(portal.site, settings=later)
    assert "只按周一至周五计算" in days(portal, "/health/calendar", "health")
