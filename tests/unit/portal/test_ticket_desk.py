"""Tickets in the browser: opened by a receiver, handed over, answered, closed, opened again."""

from __future__ import annotations

import re
from html import unescape

import pytest

from onecard.model.tickets import Ticket
from onecard.portal import app, security, ticket_views
from onecard.portal.ticket_views import LONGEST_OWNER
from onecard.ports.row_gate import Reason
from onecard.store import quarantine, tickets
from tests.rejected import Row
from tests.unit.portal.conftest import NOW, Portal, row
from tests.unit.portal.test_pages import sealed, text, token

DEATHS = "health/death_notice"
PERSON = "410105190001010010"


def opened(portal: Portal, **form: str) -> tuple[int, str]:
    page = portal.client("hrss").get(f"/hrss/tickets?about={DEATHS}").text
    sent = {"csrf": token(page), "dataset": DEATHS, "statement": "死亡日期不对", **form}
    done = portal.client("hrss").post("/hrss/tickets", data=sent)
    return done.status_code, done.text


def newest(portal: Portal) -> Ticket:
    with portal.connect() as connection:
        return max(tickets.listed(connection, None), key=lambda t: t.id)


def step(portal: Portal, user: str, number: int, name: str, **form: str) -> tuple[int, str]:
    """What a person does who has just read the page."""
    client, address = portal.client(user), f"/{user}/tickets/{number}"
    sent = {**sealed(client.get(address).text), **form}
    done = client.post(f"{address}/{name}", data=sent)
    return done.status_code, text(done.text)


def test_a_receiver_opens_a_ticket_about_a_record_that_is_named_masked(portal: Portal) -> None:
    code, page = opened(portal, **{"key-person_id18": PERSON, "field": "death_date"})
    assert code == 200
    found = newest(portal)
    assert (found.opened_for, found.opened_by, found.agency) == ("hrss", "hrss", "health")
    assert (found.kind, found.shown_key) == ("record", "410***********0010")
    assert str(found.due_on) == "2026-12-08"  # ten working days after 24 November
    for shown in (page, portal.client("health").get("/health/tickets").text):
        assert "410***********0010" in shown
        assert found.reference in shown
        assert "死亡日期" in shown
    with portal.connect() as connection:
        rows = connection.execute("SELECT t::text FROM ledger.ticket t").fetchall()
    assert PERSON not in page + str(rows) + str(portal.audit())


@pytest.mark.parametrize(
    "form",
    [
        {"key-person_id18": ""},
        {"key-person_id18": "x" * 201},
        {"key-person_id18": PERSON, "field": "nothing"},
        {"key-person_id18": PERSON, "dataset": "education/edu_enrolment"},
        {"key-person_id18": PERSON, "dataset": "hrss/card_master"},
        {"key-person_id18": PERSON, "statement": ""},
        {"key-person_id18": PERSON, "statement": f"{PERSON} 已故"},
    ],
)
def test_a_ticket_that_cannot_be_is_refused_and_nothing_is_kept(
    portal: Portal, form: dict[str, str]
) -> None:
    before = portal.audit()
    code, page = opened(portal, **form)
    assert code == 422
    assert PERSON not in page
    assert portal.audit() == before


def test_who_receives_nothing_cannot_open_one(portal: Portal) -> None:
    page = portal.client("x/onecard-transport").get(f"/transport/tickets?about={DEATHS}").text
    assert "key-" not in page
    form = {"csrf": security.token(portal.site.secret, "x", NOW), "dataset": DEATHS}
    done = portal.client("x/onecard-transport").post("/transport/tickets", data=form)
    assert done.status_code == 422


def test_the_whole_way_of_a_ticket(portal: Portal) -> None:
    number = portal.ticket()
    assert step(portal, "health", number, "acknowledge")[0] == 200
    assert newest(portal).owner == "health"
    code, page = step(portal, "health", number, "hand_over", owner="li.health")
    assert (code, "li.health" in page) == (200, True)
    for owner in ("", "x" * (LONGEST_OWNER + 1), PERSON):
        assert step(portal, "health", number, "hand_over", owner=owner)[0] == 422
    assert step(portal, "health", number, "answer", outcome="corrected", text="已更正")[0] == 200
    assert step(portal, "hrss", number, "close", how="seen")[0] == 409  # no collect has seen it
    assert step(portal, "hrss", number, "reopen", reason="仍不对")[0] == 200
    found = newest(portal)
    assert (found.status, found.outcome, str(found.due_on)) == ("open", "", "2026-12-01")
    assert step(portal, "health", number, "answer", outcome="confirmed", text="无误")[0] == 200
    code, page = step(portal, "hrss", number, "close", how="reason", reason="电话核实")
    assert (code, "已办结" in page) == (200, True)
    assert step(portal, "hrss", number, "reopen", reason="又出现")[0] == 200
    with portal.connect() as connection:
        events = [e.event for e in tickets.events(connection, number)]
    assert events == [
        *("opened", "acknowledged", "handed_over", "answered", "reopened", "answered"),
        *("closed", "reopened"),
    ]
    kinds = [str(e[0]) for e in portal.audit() if str(e[0]).startswith("ticket.")]
    assert kinds[-8:] == [f"ticket.{e}" for e in events]
    assert "电话核实" not in str(portal.audit())


def test_a_correction_that_a_collect_has_seen_closes_it(portal: Portal) -> None:
    number = portal.ticket()
    transfer = portal.collect(DEATHS, 10, {})
    step(portal, "health", number, "answer", outcome="corrected", text="已更正")
    with portal.connect() as connection:
        tickets.saw(connection, number, transfer, {"how": "fewer"}, NOW)
    code, page = step(portal, "hrss", number, "close", how="seen")
    assert (code, "已办结" in page) == (200, True)
    assert newest(portal).evidence == {"seen": transfer, "how": "fewer"}


def test_who_did_not_challenge_neither_closes_nor_opens_again(portal: Portal) -> None:
    number = portal.ticket()
    step(portal, "health", number, "answer", outcome="confirmed", text="无误")
    form = {"csrf": security.token(portal.site.secret, "health", NOW), "version": "1"}
    for name in ("close", "reopen"):
        done = portal.client("health").post(f"/health/tickets/{number}/{name}", data=form)
        assert done.status_code == 403
        assert "只有提出部门" in done.text


def test_the_second_of_two_people_is_told(portal: Portal) -> None:
    number = portal.ticket()
    first, second = portal.client("health"), portal.client("both")
    address = f"/health/tickets/{number}"
    mine, theirs = sealed(first.get(address).text), sealed(second.get(address).text)
    done = first.post(f"{address}/hand_over", data={**mine, "owner": "li"})
    assert done.status_code == 200
    late = second.post(f"{address}/answer", data={**theirs, "outcome": "rejected", "text": "不"})
    assert (late.status_code, "已由他人办理" in late.text) == (409, True)
    assert newest(portal).status == "open"
    for version in ("", "x", "9" * 40):
        done = first.post(f"{address}/acknowledge", data={**mine, "version": version})
        assert done.status_code == 422


ACTS = {
    "acknowledge": ("health", {}),
    "hand_over": ("health", {"owner": "li"}),
    "answer": ("health", {"outcome": "rejected", "text": "不"}),
    "comment": ("health", {"comment": "补充"}),
    "close": ("hrss", {"how": "reason", "reason": "核实"}),
    "reopen": ("hrss", {"reason": "仍不对"}),
}
"""Each act with who does it and what its form sends besides."""


def test_every_act_is_tried_by_two_people() -> None:
    acts = {path.rpartition("/")[2] for _, path, view in app.ROUTES if "{ticket}/" in path}
    assert set(ACTS) == acts - {"{attachment}"}


@pytest.mark.parametrize("act", ACTS)
def test_the_second_of_two_people_is_told_whatever_they_do(portal: Portal, act: str) -> None:
    """Both have read the same page; the second has done nothing."""
    user, form = ACTS[act]
    number = portal.ticket()
    if user == "hrss":
        step(portal, "health", number, "answer", outcome="confirmed", text="无误")
    address = f"/{user}/tickets/{number}"
    first, second = portal.client(user), portal.client(user)
    mine, theirs = sealed(first.get(address).text), sealed(second.get(address).text)
    said = {**mine, "comment": "我先办"}
    assert first.post(f"{address}/comment", data=said).status_code == 200
    before = [e for e in portal.audit() if str(e[0]).startswith("ticket.")]
    late = second.post(f"{address}/{act}", data={**theirs, **form})
    assert (late.status_code, "已由他人办理" in late.text) == (409, True)
    assert [e for e in portal.audit() if str(e[0]).startswith("ticket.")] == before
    assert step(portal, user, number, act, **form)[0] == 200  # once it was read again


def test_both_agencies_comment_until_it_is_closed(portal: Portal) -> None:
    number = portal.ticket()
    for user in ("health", "hrss"):
        code, page = step(portal, user, number, "comment", comment=f"{user} 补充说明")
        assert (code, f"{user} 补充说明" in page) == (200, True)
    assert step(portal, "health", number, "comment", comment=f"{PERSON} 已故")[0] == 422
    step(portal, "health", number, "answer", outcome="confirmed", text="无误")
    read = sealed(portal.client("hrss").get(f"/hrss/tickets/{number}").text)
    step(portal, "hrss", number, "close", how="reason", reason="核实")
    form = {**read, "comment": "再说", "version": str(newest(portal).version)}
    done = portal.client("hrss").post(f"/hrss/tickets/{number}/comment", data=form)
    assert (done.status_code, "当前的状态不允许" in done.text) == (409, True)


def test_markup_and_wide_characters_come_back_as_they_are(portal: Portal) -> None:
    number = portal.ticket()
    said = '<b onclick="x">𠮷野家\U0001f600</b>'
    code, page = step(portal, "health", number, "answer", outcome="confirmed", text=said)
    assert code == 200
    assert "𠮷野家\U0001f600" in page
    shown = portal.client("hrss").get(f"/hrss/tickets/{number}").text
    assert "<b onclick" not in shown
    assert re.search(r"&lt;b onclick=", shown)


def test_a_long_list_goes_on_behind_its_last_ticket(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticket_views, "PAGE", 2)
    made = {portal.ticket() for _ in range(5)}
    client, address, seen = portal.client("health"), "/health/tickets", []
    while address:
        part = client.get(address).text.partition('id="raised"')[0]
        seen += [int(n) for n in re.findall(r">#(\d+)<", part)]
        more = re.search(r'href="([^"]+)" rel="next"', part)
        address = unescape(more[1]) if more else ""
    assert len(seen) == len(set(seen))
    assert made <= set(seen)
    assert client.get("/health/tickets?to_answer_after=x").status_code == 200


def test_what_was_seen_before_it_was_opened_again_closes_nothing(portal: Portal) -> None:
    number = portal.ticket()
    first, later = portal.collect(DEATHS, 10, {}), portal.collect(DEATHS, 10, {})
    step(portal, "health", number, "answer", outcome="corrected", text="已更正")
    with portal.connect() as connection:
        assert tickets.saw(connection, number, first, {"how": "fewer"}, NOW)
    code, page = step(portal, "hrss", number, "reopen", reason="仍不对")
    assert (code, f"见第 {first} 次传输" in page) == (200, False)
    step(portal, "health", number, "answer", outcome="corrected", text="再次更正")
    assert step(portal, "hrss", number, "close", how="seen")[0] == 409
    with portal.connect() as connection:
        assert not tickets.saw(connection, number, first, {"how": "fewer"}, NOW)
        assert tickets.saw(connection, number, later, {"how": "fewer"}, NOW)
    assert step(portal, "hrss", number, "close", how="seen")[0] == 200
    assert newest(portal).evidence == {"seen": later, "how": "fewer"}


def test_a_page_does_not_go_on_behind_another_agencys_ticket(portal: Portal) -> None:
    """Where it began would tell when the other's answer is due."""
    portal.ticket()
    theirs, nowhere = portal.ticket(agency="education"), 10**17
    client = portal.client("health")
    pages = [client.get(f"/health/tickets?to_answer_after={n}").text for n in (theirs, nowhere)]
    shown = [re.findall(r">#(\d+)<", page.partition('id="raised"')[0]) for page in pages]
    assert shown[0] == shown[1]


def test_a_ticket_finds_its_rejected_row_without_opening_all_others(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (Reason("person_name", "required"),)
    portal.reject(DEATHS, [Row({"person_id18": f" {PERSON}"}, broken), row("another")])
    opened_at_once: list[int] = []
    whole = quarantine.revealed

    def revealed(connection, records, keys):
        opened_at_once.extend(records)
        return whole(connection, records, keys)

    monkeypatch.setattr(quarantine, "revealed", revealed)
    monkeypatch.delattr(quarantine, "reveal")  # one by one
    assert opened(portal, **{"key-person_id18": PERSON})[0] == 200
    (found,) = newest(portal).baseline["quarantined"]
    assert not opened_at_once
    with portal.connect() as connection:  # as it was rejected before there were references
        connection.execute("UPDATE quarantine.record SET record_ref = NULL")
    assert opened(portal, **{"key-person_id18": PERSON})[0] == 200
    assert newest(portal).baseline["quarantined"] == [found]
    assert found in opened_at_once
