"""Files of tickets: looked through, kept encrypted, given to two agencies, erased in time."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from fastapi import HTTPException

from onecard.errors import PolicyError
from onecard.model.attachments import (
    KEPT,
    KEPT_UNCLOSED,
    MOST_BYTES,
    Attachment,
    NewAttachment,
)
from onecard.model.tickets import Acting, Answer
from onecard.operations import housekeeping
from onecard.portal import attachment_views, security, uploads
from onecard.portal.attachment_views import POLICY
from onecard.store import attachments, tickets
from onecard.store.database import Connection
from tests.attached import jpeg, pdf, png, workbook
from tests.unit.portal.conftest import NOW, Portal
from tests.unit.portal.test_pages import sealed, text, token
from tests.unit.portal.test_self_check import FILE_BEGINS, Sender, trusted
from tests.unit.portal.test_ticket_desk import DEATHS, PERSON, newest, step

EVIDENCE = f"{PERSON} 的死亡证明编号有误\n".encode()
"""A file may hold what a text may not: it is evidence."""


def send(
    portal: Portal,
    number: int,
    data: bytes,
    user: str = "health",
    act: str = "comment",
    **form: str,
) -> Any:
    """A file as the form of a ticket's page sends it, under a name that tells a person."""
    client, address = portal.client(user), f"/{user}/tickets/{number}"
    said = {"comment": {"comment": "见附件"}, "answer": {"outcome": "confirmed", "text": "见附件"}}
    sent = {**sealed(client.get(address).text), **said[act], **form}
    return client.post(f"{address}/{act}", data=sent, files={"file": (f"{PERSON}.exe", data)})


def kept(portal: Portal, number: int) -> list[Attachment]:
    with portal.connect() as connection:
        return attachments.listed(connection, number)


def test_a_file_goes_with_an_answer_and_comes_back_as_a_download(portal: Portal) -> None:
    number = portal.ticket()
    done = send(portal, number, EVIDENCE, act="answer")
    assert done.status_code == 200
    (found,) = kept(portal, number)
    assert (found.name, found.kind, found.bytes) == (f"ticket-{number}-1.txt", "txt", len(EVIDENCE))
    assert (found.added_by, found.added_for) == ("health", "health")
    assert found.name in done.text
    address = f"/hrss/tickets/{number}/attachments/1"
    given = portal.client("hrss").get(address)
    assert (given.status_code, given.content) == (200, EVIDENCE)
    assert given.headers["content-disposition"] == f'attachment; filename="{found.name}"'
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers["content-security-policy"] == POLICY
    assert given.headers["cache-control"] == "no-store"
    assert given.headers["content-type"] == "application/octet-stream"
    english = portal.client("hrss").get(f"/hrss/tickets/{number}?lang=en").text
    said = text(english.partition('id="files"')[2].partition("</section>")[0])
    assert "Each download is on record" in said


@pytest.mark.parametrize(
    ("data", "kind", "media"),
    [
        (pdf(), "pdf", "application/pdf"),
        (png(), "png", "image/png"),
        (jpeg(), "jpg", "image/jpeg"),
        (workbook(), "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a,b\n1,甲\n".encode("gb18030"), "csv", "application/octet-stream"),
    ],
)
def test_each_kind_comes_back_byte_for_byte(
    portal: Portal, data: bytes, kind: str, media: str
) -> None:
    number = portal.ticket()
    assert send(portal, number, data).status_code == 200
    given = portal.client("health").get(f"/health/tickets/{number}/attachments/1")
    assert (given.content, given.headers["content-type"]) == (data, media)
    assert given.headers["content-disposition"].endswith(f'ticket-{number}-1.{kind}"')


def test_a_receiver_opens_a_ticket_with_a_file(portal: Portal) -> None:
    client = portal.client("hrss")
    page = client.get(f"/hrss/tickets?about={DEATHS}").text
    assert page.index('name="csrf"', page.index("multipart")) < page.index('type="file"')
    form = {"csrf": token(page), "dataset": DEATHS, "key-person_id18": PERSON}
    sent = {**form, "statement": "死亡日期不对"}
    done = client.post("/hrss/tickets", data=sent, files={"file": ("a.txt", EVIDENCE)})
    assert done.status_code == 200
    (found,) = kept(portal, newest(portal).id)
    assert (found.number, found.added_for) == (1, "hrss")
    before = newest(portal).id
    bad = client.post("/hrss/tickets", data=sent, files={"file": ("a.txt", b"MZ\0\0")})
    assert (bad.status_code, "按文件内容识别" in bad.text) == (422, True)
    assert newest(portal).id == before


def test_nothing_of_it_stands_in_the_clear_but_what_the_ticket_shows(portal: Portal) -> None:
    number, before = portal.ticket(), len(portal.audit())
    page = send(portal, number, EVIDENCE).text
    portal.client("hrss").get(f"/hrss/tickets/{number}/attachments/1")
    (found,) = kept(portal, number)
    entries = [e for e in portal.audit()[before:] if "attach" in str(e[0])]
    assert [(kind, subject, actor) for kind, subject, actor, _ in entries] == [
        ("ticket.attached", DEATHS, "health"),
        ("access.attachment", DEATHS, "hrss"),
    ]
    facts = {"ticket": number, "attachment": 1, "kind": "txt", "bytes": len(EVIDENCE)}
    facts |= {"digest": found.digest, "suite": "international"}
    assert [json.loads(str(body)) for *_, body in entries] == [facts, facts]
    with portal.connect() as connection:
        row = connection.execute(
            "SELECT content, a::text FROM ledger.ticket_attachment a WHERE ticket = %s", (number,)
        ).fetchone()
    assert row is not None
    assert PERSON.encode() not in bytes(row[0])
    assert PERSON not in page + str(row[1]) + str(portal.audit())
    assert ".exe" not in page + str(row[1])


def test_a_sealed_file_cannot_be_moved_or_changed(portal: Portal) -> None:
    first, second = portal.ticket(), portal.ticket()
    for number in (first, second):
        send(portal, number, EVIDENCE)
    with portal.connect() as connection:
        connection.execute("ALTER TABLE ledger.ticket_attachment DISABLE TRIGGER USER")
        connection.execute(
            "UPDATE ledger.ticket_attachment SET content = (SELECT content FROM"
            " ledger.ticket_attachment WHERE ticket = %s) WHERE ticket = %s",
            (first, second),
        )
        connection.execute("ALTER TABLE ledger.ticket_attachment ENABLE TRIGGER USER")
        found = attachments.get(connection, second, 1)
        assert found is not None
        with pytest.raises(PolicyError):
            attachments.content(connection, found, portal.site.desk().keys)


@pytest.mark.parametrize(
    "statement",
    [
        b"DELETE FROM ledger.ticket_attachment",
        b"UPDATE ledger.ticket_attachment SET bytes = 1",
        b"UPDATE ledger.ticket_attachment SET content = '\\x00'",
        b"TRUNCATE ledger.ticket_attachment",
    ],
)
def test_the_database_lets_nobody_change_a_file(portal: Portal, statement: bytes) -> None:
    portal.attach(portal.ticket())
    with portal.connect() as connection, pytest.raises(Exception, match=r"attachment|append"):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"MZ\x90\0" * 50, "按文件内容识别"),
        (b"<html><script>alert(1)</script>", "按文件内容识别"),
        (workbook(**{"xl/vbaProject.bin": b"x"}), "宏、脚本"),
        (pdf(b"<< /S /JavaScript /JS (x) >>"), "宏、脚本"),
        (png() + b"MZ", "还有其他内容"),
        (png()[:-4], "不完整"),
        (png(40_000, 1), "尺寸过大"),
        (pdf(more=b"/Encrypt 3 0 R "), "已加密"),
        (b"", "文件是空的"),
    ],
)
def test_an_unfit_file_is_refused_in_words_and_nothing_is_done(
    portal: Portal, data: bytes, says: str
) -> None:
    number = portal.ticket()
    for act in ("answer", "comment"):
        done = send(portal, number, data, act=act)
        assert (done.status_code, says in text(done.text)) == (422, True)
    assert (newest(portal).status, kept(portal, number)) == ("open", [])
    refused = [e for e in portal.audit() if e[0] == "access.attachment_refused"]
    assert PERSON not in str(refused)
    with portal.connect() as connection:
        assert [e.event for e in tickets.events(connection, number)] == ["opened"]


def test_that_a_file_was_refused_is_on_record(portal: Portal) -> None:
    before = len(portal.audit())
    send(portal, portal.ticket(), b"MZ\x90\0")
    (entry,) = [e for e in portal.audit()[before:] if e[0] == "access.attachment_refused"]
    assert json.loads(str(entry[3])) == {"reason": "kind", "bytes": 4}


def test_a_file_and_a_ticket_have_a_size(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    number = portal.ticket()
    large = send(portal, number, b"a" * (MOST_BYTES + 1))
    assert (large.status_code, "超过允许的大小" in large.text) == (413, True)
    assert send(portal, number, b"a" * (MOST_BYTES + security.LONGEST_FORM + 1)).status_code == 413
    monkeypatch.setattr(attachments, "MOST_OF_TICKET", 100)
    assert send(portal, number, b"a" * 60).status_code == 200
    full = send(portal, number, b"a" * 60, act="answer")
    assert (full.status_code, "已达上限" in full.text) == (422, True)
    assert newest(portal).status == "open"  # neither answer nor file
    assert send(portal, number, b"a" * 40).status_code == 200
    assert [f.number for f in kept(portal, number)] == [1, 2]


def test_a_gigabyte_is_refused_when_it_is_announced(portal: Portal) -> None:
    """And whoever sends more than was announced is heard no longer."""
    client, number = portal.client("health"), portal.ticket()
    headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(1 << 30)}
    address = f"/health/tickets/{number}/comment"
    told = client.post(address, content=FILE_BEGINS, headers=headers)
    assert (told.status_code, "超过允许的大小" in told.text) == (413, True)
    endless = Sender(FILE_BEGINS, 1 << 40)

    async def reading() -> None:
        async with uploads.read(endless.request, trusted, MOST_BYTES):
            pytest.fail("it has no end")

    with pytest.raises(HTTPException) as refused:
        asyncio.run(reading())
    assert refused.value.status_code == 413
    assert endless.sent < MOST_BYTES + 2 * security.LONGEST_FORM


def test_only_people_of_the_two_agencies_get_a_file(portal: Portal) -> None:
    number = portal.ticket()
    send(portal, number, EVIDENCE)
    before = portal.audit()
    for user, agency, code in (
        ("education", "education", 404),
        ("education", "health", 404),
        ("stranger", "health", 403),
        ("li/Admin", "health", 403),  # an engineer sees the ticket, and no file of it
        ("x/onecard-transport", "transport", 404),
    ):
        given = portal.client(user).get(f"/{agency}/tickets/{number}/attachments/1")
        assert given.status_code == code, user
        assert PERSON not in given.text
    page = portal.client("li/Admin").get(f"/health/tickets/{number}").text
    assert f"ticket-{number}-1.txt" in page
    assert "/attachments/1" not in page
    assert [e for e in portal.audit() if e[0] == "access.attachment"] == [
        e for e in before if e[0] == "access.attachment"
    ]
    portal.users.write_text('users:\n  li: [health, "*"]\n')  # an engineer and a steward
    assert portal.client("li").get(f"/health/tickets/{number}/attachments/1").status_code == 200


@pytest.mark.parametrize("name", ["0", "2", "-1", "1.txt", "..%2f1", "x", "9" * 30])
def test_what_is_no_file_of_the_ticket_is_nowhere(portal: Portal, name: str) -> None:
    number = portal.ticket()
    portal.attach(number)
    other = portal.ticket(agency="education")
    portal.attach(other)
    client = portal.client("both")
    assert client.get(f"/health/tickets/{number}/attachments/{name}").status_code == 404
    assert client.get(f"/health/tickets/{other}/attachments/1").status_code == 404


def test_others_go_on_while_files_are_looked_through(portal: Portal) -> None:
    number = portal.ticket()
    taken = [attachment_views.AT_ONCE.acquire(blocking=False) for _ in range(2)]
    assert taken == [True, True]
    try:
        assert send(portal, number, EVIDENCE).status_code == 429
        assert step(portal, "health", number, "comment", comment="无附件")[0] == 200
    finally:
        for _ in taken:
            attachment_views.AT_ONCE.release()
    assert send(portal, number, EVIDENCE).status_code == 200


def closed(portal: Portal, number: int, days: int) -> None:
    """Close a ticket so many days ago."""
    acting = Acting("health", NOW - timedelta(days=days))
    with portal.connect() as connection:
        tickets.answer(connection, number, Answer("confirmed", "无误"), acting)
        tickets.close(connection, number, {"without_correction": "核实"}, acting)


def test_a_file_is_erased_some_time_after_its_ticket_was_closed(portal: Portal) -> None:
    old, young, still = portal.ticket(), portal.ticket(), portal.ticket()
    for number in (old, young, still):
        send(portal, number, EVIDENCE)
    closed(portal, old, KEPT.days + 1)
    closed(portal, young, KEPT.days - 1)
    (known,) = kept(portal, old)
    done = housekeeping.keep_house(portal.site.desk())
    assert done.attachments >= 1
    with portal.connect() as connection:
        assert contents(connection, [old, young, still]) == [False, True, True]
    gone = portal.client("hrss").get(f"/hrss/tickets/{old}/attachments/1")
    assert (gone.status_code, "保存期限" in gone.text) == (410, True)
    page = portal.client("hrss").get(f"/hrss/tickets/{old}").text
    assert "已删除" in page
    assert re.search(r"/attachments/1\b", page) is None
    (entry,) = [
        json.loads(str(body))
        for kind, *_, body in portal.audit()
        if kind == "ticket.erased" and json.loads(str(body))["ticket"] == old
    ]
    assert entry["digest"] == known.digest
    assert housekeeping.keep_house(portal.site.desk()).attachments == 0


def test_a_file_of_a_ticket_that_nobody_closes_is_erased_too(portal: Portal) -> None:
    old, young, waiting, late = (portal.ticket() for _ in range(4))
    for number in (old, young, waiting):
        send(portal, number, EVIDENCE)
    for number, days in ((old, 1), (young, 0), (late, 1)):
        acting = Acting("health", NOW + timedelta(days=1 - days))
        with portal.connect() as connection:
            tickets.answer(connection, number, Answer("confirmed", "无误"), acting)
    desk = portal.site.desk()
    with portal.connect() as connection:
        new = NewAttachment("txt", b"a", "hrss", "hrss", NOW + timedelta(days=1))
        with connection.transaction():
            attachments.add(connection, late, new, desk.keys, desk.suite)
        attachments.erase(connection, NOW + KEPT_UNCLOSED + timedelta(hours=1), "hub")
        assert contents(connection, [old, young, waiting, late]) == [False, True, True, True]


def test_what_stays_of_a_file_does_not_tell_what_it_was(portal: Portal) -> None:
    """One identity number has few guesses: a plain digest would be as good as the number."""
    first, second = portal.ticket(), portal.ticket()
    for number in (first, second):
        send(portal, number, EVIDENCE)
    (found,), (same,) = kept(portal, first), kept(portal, second)
    assert found.digest == same.digest
    desk = portal.site.desk()
    plain = desk.suite.hash(EVIDENCE).hex()
    assert plain not in str(portal.audit())
    named = f"attachment|{plain}"
    digests = {
        key: desk.suite.digests(key, [named])[0].hex()
        for key in (desk.keys.quarantine().secret, b"another")
    }
    assert [key for key, made in digests.items() if made == found.digest] == [
        desk.keys.quarantine().secret
    ]


def contents(connection: Connection, numbers: list[int]) -> list[bool]:
    return [
        connection.execute(
            "SELECT content IS NOT NULL FROM ledger.ticket_attachment WHERE ticket = %s", (n,)
        ).fetchone()
        == (True,)
        for n in numbers
    ]


def test_a_ticket_that_was_opened_again_keeps_its_files(portal: Portal) -> None:
    number = portal.ticket()
    send(portal, number, EVIDENCE)
    closed(portal, number, KEPT.days - 1)
    assert step(portal, "hrss", number, "reopen", reason="又出现")[0] == 200
    with portal.connect() as connection:
        attachments.erase(connection, NOW + KEPT, "hub")
        assert contents(connection, [number]) == [True]


def test_a_file_of_a_stale_form_is_not_kept(portal: Portal) -> None:
    number = portal.ticket()
    done = send(portal, number, EVIDENCE, version="0")
    assert done.status_code == 409
    assert kept(portal, number) == []


def test_two_files_at_once_get_two_numbers(portal: Portal) -> None:
    number = portal.ticket()
    desk = portal.site.desk()
    new = NewAttachment("txt", b"a", "hrss", "hrss", NOW)
    with portal.connect() as first, portal.connect() as second:
        with first.transaction():
            assert attachments.add(first, number, new, desk.keys, desk.suite).number == 1
            second.execute("SET lock_timeout = '100ms'")
            with pytest.raises(Exception, match="lock"), second.transaction():
                attachments.add(second, number, new, desk.keys, desk.suite)
        with second.transaction():
            assert attachments.add(second, number, new, desk.keys, desk.suite).number == 2
