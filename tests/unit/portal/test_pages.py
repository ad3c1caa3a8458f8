"""What a steward finds on the pages: own reports, problems, agreements, tickets; and can do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from onecard.model.reaction import Breach
from onecard.portal import security
from onecard.portal.access import Person
from onecard.ports.auditor import Finding
from onecard.store import (
    agreement_lives,
    call_figures,
    findings,
    reaction,
    tickets,
    transfers,
)
from onecard.store.call_figures import Timed
from onecard.store.question_counts import Refused
from tests.unit.portal.conftest import APPROVED, HOSTILE, NOW, WAITING, Portal


def token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, "the page has no form"
    return found[1]


def sealed(page: str) -> dict[str, str]:
    """What every form of a ticket or a problem sends: its token and the version that was read."""
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found, "no form names a version"
    return {"csrf": token(page), "version": found[1]}


def forms(page: str) -> list[str]:
    """What the forms of a page do, by the last part of their addresses."""
    return re.findall(r'<form[^>]*action="[^"?]*/(\w+)', page)


def text(page: str) -> str:
    """The page without its tags."""
    return re.sub(r"<[^>]+>", "", page)


def test_home_lists_only_my_agencies(portal: Portal) -> None:
    page = portal.client("both").get("/").text.partition('id="mine"')[2]
    assert "市卫生健康委员会" in page
    assert "市教育局" in page
    assert "市人力资源和社会保障局" not in page


def test_an_engineer_sees_every_agency(portal: Portal) -> None:
    page = portal.client("anyone/Admin").get("/").text
    for agency in portal.site.catalogue().agencies.values():
        assert agency.title in page


def test_a_page_shows_how_fast_events_reach_the_consumers_of_my_agencies(portal: Portal) -> None:
    cards = "f03-hrss-health-card-status"
    hour = NOW.replace(minute=0)
    late = Breach(cards, "loss", "consumer", "PT60S", hour, 2, 95.0, NOW, NOW)
    with portal.connect() as connection:
        reaction.add(connection, cards, hour, {("loss", 50): 97, ("loss", 93): 3})
        reaction.add_breaches(connection, [late])
    page = portal.client("health").get("/live").text
    found = text(page)
    assert "实时共享：从挂失到确认" in found
    title = f">{portal.site.catalogue().agreement(cards).title}<"
    (line,) = [row for row in page.split("<tr>") if title in row]
    cells = re.findall(r'class="n(?: bad)?">([^<]*)<', line)
    assert cells == ["100", "1.4", "1.4", "104.7", "—", "60", "2"]
    assert portal.site.catalogue().agreement(APPROVED).title in page
    assert portal.site.catalogue().agreement("f05-hrss-bank-card-event").title not in page
    assert "样本少" not in found
    assert title not in portal.client("education").get("/live").text
    english = portal.client("health").get("/live?lang=en").text
    assert "from loss to confirmation" in english
    assert cards in english
    assert "Loss, lock, cancellation" in english


def test_a_page_shows_calls_under_the_agreements_of_my_agencies(portal: Portal) -> None:
    asked, hour = "f09-hrss-health-card-query", NOW.replace(minute=0)
    timed = {
        Timed(hour, asked, "health-his", True, 25): 1_940,
        Timed(hour, asked, "health-his", True, 1_000): 60,
        Timed(hour, asked, "health-his", False, 50): 3,
    }
    with portal.connect() as connection:
        call_figures.add(connection, timed, {Refused(hour, "health-his", asked, "66"): 12})
    page = portal.client("health").get("/live").text
    assert "单人查询与核验" in text(page)
    title = portal.site.catalogue().agreement(asked).title
    (line,) = [row for row in page.split("<tr>") if title in row]
    assert "医疗机构信息平台" in line
    cells = re.findall(r'class="n(?: bad)?">([^<]*)<', line)
    assert cells == ["2,000", "3", "12", "25", "P95 ≤ 800 ms", "1,943 / 2,003"]
    assert "bad" not in line
    assert portal.site.catalogue().agreement("f10-hrss-bank-payee-verify").title not in page
    with portal.connect() as connection:
        call_figures.add(connection, {Timed(hour, asked, "health-his", True, 2_000): 100}, {})
    english = portal.client("hrss").get("/live?lang=en").text
    (line,) = [row for row in english.split("<tr>") if asked in row]
    assert "Hospital information platform" in line
    assert 'class="n bad">1,943 / 2,103<' in line
    assert "f12-hrss-housing_fund-employment-query" in english
    assert title not in portal.client("education").get("/live").text


def test_reports_of_known_names_are_listed_and_served(portal: Portal) -> None:
    client = portal.client("health")
    listing = client.get("/health/reports").text
    assert "monthly-2026-10.zh.html" in listing
    assert "secret.html" not in listing
    found = client.get("/health/reports/monthly-2026-10.zh.html")
    assert "health 月报" in found.text
    assert "script-src" not in found.headers["content-security-policy"]
    assert found.headers["content-security-policy"].startswith("default-src 'none'; style-src")
    assert found.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name",
    [
        "secret.html",
        "monthly-2026-11.zh.html",
        "..%2Fhrss%2Fmonthly-2026-10.zh.html",
        "%2e%2e/night-2026-11-24.html",
        "monthly-2026-10.zh.html%00",
        "monthly-2026-10.zh.html%0a",
    ],
)
def test_no_other_file_is_served(portal: Portal, name: str) -> None:
    assert portal.client("health").get(f"/health/reports/{name}").status_code == 404


def test_a_link_to_elsewhere_is_no_report(portal: Portal) -> None:
    link = portal.home / "reports" / "health" / "daily-2026-11-01.zh.html"
    link.symlink_to(portal.home / "reports" / "hrss" / "monthly-2026-10.zh.html")
    client = portal.client("health")
    assert client.get(f"/health/reports/{link.name}").status_code == 404
    assert link.name not in client.get("/health/reports").text


def test_a_workbook_is_downloaded_and_audited(portal: Portal) -> None:
    found = portal.client("hrss").get("/hrss/reports/problems-2026-10.xlsx")
    assert found.content == b"PK workbook"
    assert found.headers["content-disposition"].startswith("attachment")
    kind, subject, actor, _ = portal.audit()[-1]
    assert (kind, subject, actor) == ("access.report", "hrss", "hrss")


def test_a_silent_dataset_is_not_perfect(portal: Portal) -> None:
    portal.collect("education/edu_enrolment", 0, {})
    page = portal.client("education").get("/education/problems").text
    assert "未报送" in page
    assert "100%" not in text(page.partition("<main")[2])


def test_what_is_held_is_shown_to_its_own_agency_with_the_command(portal: Portal) -> None:
    transfer = portal.collect("transport/transit_ride", 5, {})
    with portal.connect() as connection:
        finding = Finding("shrinkage", "critical", passed=False, observed=0.1)
        findings.record(connection, transfer, [finding])
        transfers.record_end(connection, transfer, "held", "x")
    command = f"onecard release {transfer} --by … --reason …"
    mine, theirs = portal.client("x/onecard-transport"), portal.client("hrss")
    assert "待人工处理 1 项" in text(mine.get("/").text)
    assert "待人工处理 0 项" in text(theirs.get("/").text)
    page = mine.get("/transport/problems").text
    assert command in page
    assert "shrinkage" in page
    assert command not in theirs.get("/hrss/problems").text
    assert "Held for a person" in mine.get("/transport/problems?lang=en").text
    with portal.connect() as connection:
        findings.record(connection, transfer, [replace(finding, name="key_unique")])
    page = mine.get("/transport/problems").text
    assert command not in page
    assert "不可放行" in page
    portal.collect("transport/transit_ride", 5, {})
    assert "待人工处理 0 项" in text(mine.get("/").text)


def test_agreements_say_who_receives_what(portal: Portal) -> None:
    page = portal.client("health").get("/health/agreements").text
    gives, receives = page.split('id="receives"')
    assert APPROVED in gives
    assert APPROVED not in receives
    assert "f03-hrss-health-card-status" in receives
    detail = portal.client("hrss").get(f"/hrss/agreements/{APPROVED}").text
    for shared in portal.site.catalogue().agreement(APPROVED).names:
        assert shared in detail
    assert "<form" not in detail


def test_a_broken_contract_takes_out_its_own_pages_only(portal: Portal) -> None:
    whole = portal.site.catalogue()
    rest = {name: c for name, c in whole.contracts.items() if name != "health/death_notice"}
    broken = replace(whole, contracts=rest)
    portal.site = replace(portal.site, catalogue=lambda: broken)
    client = portal.client("health")
    for address in ("/", "/health/problems", "/health/agreements", "/health/tickets"):
        assert client.get(address).status_code == 200, address
    assert client.get(f"/health/agreements/{APPROVED}").status_code == 500


def test_the_provider_approves_once(portal: Portal) -> None:
    client, address = portal.client("education"), f"/education/agreements/{WAITING}"
    page = client.get(address).text
    assert "新增流出" in page
    form = {
        "csrf": token(page),
        "fingerprint": portal.site.catalogue().agreement(WAITING).fingerprint,
        "document": "郑教〔2026〕8号",
    }
    changed = client.post(f"{address}/approve", data={**form, "fingerprint": "0" * 64})
    assert changed.status_code == 409
    done = client.post(f"{address}/approve", data=form, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, address)
    with portal.connect() as connection:
        found = portal.site.catalogue().agreement(WAITING)
        life = agreement_lives.life(connection, found, NOW.date())
        assert life.state == "in_force"
        assert life.approval is not None
        assert (life.approval.actor, life.approval.document) == ("education", "郑教〔2026〕8号")
        agreement_lives.suspend(connection, found, "t", "back to where it was")
    again = client.get(address).text
    assert "郑教〔2026〕8号" in again


def test_only_the_provider_approves(portal: Portal) -> None:
    client = portal.client("hrss")
    form = {
        "csrf": csrf(portal, "hrss"),
        "fingerprint": portal.site.catalogue().agreement(WAITING).fingerprint,
        "document": "x",
    }
    refused = client.post(f"/hrss/agreements/{WAITING}/approve", data=form)
    assert refused.status_code == 403
    assert "只有提供方" in refused.text


def csrf(portal: Portal, user: str) -> str:
    return security.token(portal.site.secret, user, NOW)


def test_a_ticket_is_acknowledged_and_answered(portal: Portal) -> None:
    number = portal.ticket()
    client, address = portal.client("health"), f"/health/tickets/{number}"
    assert f"#{number}" in client.get("/health/tickets").text
    page = client.get(address).text
    client.post(f"{address}/acknowledge", data=sealed(page))
    page = client.get(address).text
    form = {**sealed(page), "outcome": "corrected", "text": "已在源系统更正。"}
    answered = client.post(f"{address}/answer", data=form)
    assert "已答复" in answered.text
    assert forms(answered.text) == ["comment"]
    with portal.connect() as connection:
        found = tickets.get(connection, number)
        steps = [(e.event, e.actor) for e in tickets.events(connection, number)]
    assert found is not None
    assert (found.outcome, found.answer) == ("corrected", "已在源系统更正。")
    assert steps == [("opened", "hrss"), ("acknowledged", "health"), ("answered", "health")]
    late = client.post(f"{address}/answer", data=form)
    assert late.status_code == 409
    assert "已由他人办理" in late.text


def test_looking_at_a_ticket_is_audited(portal: Portal) -> None:
    number = portal.ticket()
    portal.client("health").get(f"/health/tickets/{number}")
    kind, subject, actor, body = portal.audit()[-1]
    assert (kind, subject, actor) == ("access.ticket", "health/death_notice", "health")
    assert str(number) in str(body)


def test_only_the_answering_agency_answers(portal: Portal) -> None:
    number = portal.ticket()
    page = portal.client("hrss").get(f"/hrss/tickets/{number}").text
    assert forms(page) == ["comment"]
    form = {"csrf": csrf(portal, "hrss"), "outcome": "confirmed", "text": "对", "version": "1"}
    for step in ("acknowledge", "answer", "hand_over"):
        refused = portal.client("hrss").post(f"/hrss/tickets/{number}/{step}", data=form)
        assert refused.status_code == 403


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "必填项为空"),
        ("持卡人 110101199003074530 有误", "身份证号"),
        ("请打 138 0013 8000", "身份证号"),
        ("\u202e反转", "书写方向"),
        ("响铃\x07", "控制字符"),
        ("长" * 2_001, "超过最大长度"),
    ],
)
def test_an_answer_that_may_not_be_kept_is_refused(portal: Portal, said: str, why: str) -> None:
    number = portal.ticket()
    form = {"csrf": csrf(portal, "health"), "outcome": "confirmed", "text": said, "version": "1"}
    refused = portal.client("health").post(f"/health/tickets/{number}/answer", data=form)
    assert refused.status_code == 422
    assert why in refused.text
    assert not said or said not in refused.text
    with portal.connect() as connection:
        found = tickets.get(connection, number)
    assert found is not None
    assert found.status == "open"


@pytest.mark.fault("F41", "HTML in any text of the portal is escaped")
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_are_harmless(portal: Portal, hostile: str) -> None:
    number = portal.ticket(hostile)
    page = portal.client("health").get(f"/health/tickets/{number}").text
    assert "\u202e" not in page
    assert "<script" not in page
    assert "<img" not in page
    assert "onerror" not in re.sub(r">[^<]*<", "><", page)
    if hostile.startswith("\u202e"):
        assert "⟨U+202E⟩口令" in page
    else:
        escaped = hostile.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert escaped.replace('"', "&#34;") in page


def test_a_hostile_user_name_is_harmless(portal: Portal) -> None:
    def hostile() -> Person:
        return Person("<script>alert(1)</script>\u202e")

    portal.site = replace(portal.site, identity=hostile)
    refused = portal.client().get("/")
    assert refused.status_code == 403
    assert "<script" not in refused.text
    assert "\u202e" not in refused.text


def test_english_is_complete(portal: Portal) -> None:
    number = portal.ticket("the date is wrong")
    client = portal.client("health")
    for address in ("/", "/health/reports", "/health/problems", f"/health/tickets/{number}"):
        page = client.get(f"{address}?lang=en")
        assert page.status_code == 200
        assert '<html lang="en">' in page.text
        words = text(page.text).replace("中文", "").replace("月报", "")
        if address in ("/", "/health/reports"):
            assert not re.search(r"[一-鿿]", words.partition("</style>")[2] or words)
        assert all(
            "lang=en" in a for a in re.findall(r'href="(/health[^"]*)"', page.text) if "lang" in a
        )


def test_pages_make_no_request_and_hold_no_script(portal: Portal) -> None:
    found = portal.client("health").get("/health/problems")
    policy = found.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'self'" in policy
    assert not re.search(r"(src|srcset|@import|url\()", found.text)
    assert "<script" not in found.text
    assert "style=" not in found.text
