"""The start page: one line of words, what waits, what got worse."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from onecard.store import quality_problems, tickets
from tests.unit.portal.conftest import NOW, WAITING, Portal, row
from tests.unit.portal.test_pages import text
from tests.unit.portal.test_problems import DEATHS, known


@pytest.fixture(autouse=True)
def nothing_waits(portal: Portal) -> None:
    portal.forget()
    with portal.connect() as connection:
        for ticket in tickets.listed(connection, None):
            if ticket.status != "closed":
                connection.execute("ALTER TABLE ledger.ticket DISABLE TRIGGER ALL")
                connection.execute(
                    "UPDATE ledger.ticket SET status = 'closed', outcome = 'confirmed',"
                    " closed_at = now(), evidence = '{\"seen\": 1}' WHERE id = %s",
                    (ticket.id,),
                )
                connection.execute("ALTER TABLE ledger.ticket ENABLE TRIGGER ALL")


def lead(portal: Portal, user: str, language: str = "") -> str:
    page = portal.client(user).get(f"/?lang={language}").text
    found = re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)
    assert found
    return found[1]


def test_one_line_says_what_waits_and_until_when(portal: Portal) -> None:
    portal.users.write_text("users: {health: [health], bank: [bank]}\n")
    assert "今天没有待办事项" in lead(portal, "bank")
    portal.ticket()
    portal.reject(DEATHS, [row("a")])
    said = lead(portal, "health")
    assert "待答复工单 1 张（逾期 0 张）" in said
    assert "未消除的问题 1 个（逾期 0 个）" in said
    assert "下一个期限是 2026-11-24" in said
    assert "Tickets to answer: 1 (0 overdue)" in lead(portal, "health", "en")


def test_what_is_late_is_said_and_leads_to_its_page(portal: Portal) -> None:
    number = portal.ticket()
    portal.reject(DEATHS, [row("a")])
    later = portal.site.settings.model_copy(update={"fixed_now": NOW + timedelta(days=30)})
    portal.site = replace(portal.site, settings=later)
    assert "逾期 1 张" in lead(portal, "health")
    page = portal.client("health").get("/").text
    assert f'href="/health/tickets/{number}"' in page
    assert f'href="/health/problems/{known(portal).id}"' in page
    assert "近期没有到期的事项" in page
    assert f"/health/problems/{known(portal).id}" not in portal.client("education").get("/").text


def test_what_got_worse_stands_there_with_a_chart(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a")], NOW - timedelta(days=9))
    portal.reject(DEATHS, [row(f"b{n}") for n in range(5)], NOW - timedelta(days=1))
    page = portal.client("health").get("/").text
    (line,) = [p for p in page.split("<tr>") if 'class="trend"' in p]
    assert re.findall(r'class="n(?: bad)?">([^<]+)<', line) == ["5", "1"]
    assert line.count("<rect") == 2
    assert "最近七天 5 行，此前七天 1 行" in line
    with portal.connect() as connection:
        day = NOW.date()
        start = day - timedelta(days=14)
        weeks = quality_problems.Weeks(start, day - timedelta(days=7), day, start)
        (found,) = quality_problems.worse(connection, [DEATHS], weeks, 9).all()
    assert (found.now, found.before) == (5, 1)


def test_approvals_wait_for_the_provider_only(portal: Portal) -> None:
    assert WAITING in portal.client("education").get("/?lang=en").text
    assert WAITING not in portal.client("hrss").get("/?lang=en").text


def test_other_agencies_problems_are_not_counted(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a")])
    assert "未消除的问题 0 个" in text(lead(portal, "x/onecard-transport"))
    assert "未消除的问题 1 个" in text(lead(portal, "health"))
