"""What waits for a person on the engineer's desk: listed, read, released once, refused when stale."""

from __future__ import annotations

import json
import re

import pytest

from onecard.ports.auditor import Finding
from onecard.store import database, findings, locks, transfers
from onecard.store.locks import Kind
from tests.unit.portal.conftest import HELD, NOW, Portal
from tests.unit.portal.test_pages import text, token

ENGINEER = "li/Admin"
REASON = "来函核实，口径调整"


def address(key: str) -> str:
    return f"/engineer/holds/{key}"


def form(page: str, reason: str = REASON) -> dict[str, str]:
    """What the page's form sends."""
    found = re.search(r'name="seen" value="([0-9a-f]+)"', page)
    assert found, "the page offers no release"
    return {"csrf": token(page), "seen": found[1], "reason": reason}


def reconciliation(portal: Portal, outcome: str, *, held: int, there: int) -> int:
    """A reconciliation of the dataset, as the hub writes it."""
    with portal.connect() as connection:
        row = connection.execute(
            "INSERT INTO ledger.reconciliation (kind, subject, hub_time, outcome, held, rows_hub,"
            " rows_other, method) VALUES ('dataset', %s, %s, %s, %s, 100, %s, 'sql') RETURNING id",
            (HELD, NOW, outcome, held, there),
        ).fetchone()
    assert row
    return int(str(row[0]))


def test_the_list_says_why_how_much_and_who_waits(portal: Portal) -> None:
    portal.collect(HELD, 90, {})
    collect, deliver = portal.held_collect(), portal.held_delivery()
    number = reconciliation(portal, "held", held=40, there=60)
    client = portal.client(ENGINEER)
    page = client.get("/engineer/holds").text
    for key in (collect, deliver, f"reconcile-{number}"):
        assert f'href="{address(key)}"' in page
    (line,) = [row for row in page.split("<tr>") if f"/reconcile-{number}" in row]
    assert "来源缺少已发布的 40 行" in line
    assert re.findall(r'<td class="n">([^<]*)</td>', line) == ["100", "60"]
    assert all(a.id in line for a in portal.site.catalogue().receiving(HELD)), (
        "who waits for the dataset"
    )
    english = text(client.get("/engineer/holds?lang=en").text).partition("@media print")[2]
    assert not re.search(r"[一-鿿]", english.replace("中文", ""))
    reconciliation(portal, "agreed", held=0, there=100)


def test_nothing_held_is_said(portal: Portal) -> None:
    portal.collect(HELD, 90, {})
    with portal.connect() as connection:
        connection.execute("UPDATE ledger.transfer SET status = 'failed' WHERE status = 'held'")
    assert "没有待放行的事项" in portal.client(ENGINEER).get("/engineer/holds").text


def test_a_delivery_is_released_once_and_on_record(portal: Portal) -> None:
    key = portal.held_delivery()
    client = portal.client(ENGINEER)
    page = client.get(address(key)).text
    assert "待提供行数远超往常" in page
    assert "9000 rows are due" in page
    sent = form(page)
    done = client.post(f"{address(key)}/release", data=sent, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, address(key))
    kind, subject, actor, body = portal.audit()[-1]
    number = key.partition("-")[2]
    assert (kind, subject, actor) == ("delivery.released", number, "li")
    assert json.loads(str(body))["reason"] == REASON
    after = client.get(address(key)).text
    assert "放行人 li" in text(after)
    assert "下一次提供时送出" in after
    assert "<form" not in after
    assert REASON not in after, "the reason stands in ledger and audit log"
    for who in (client, portal.client("wang/Admin")):
        stamp = sent | ({"csrf": csrf(portal, "wang")} if who is not client else {})
        late = who.post(f"{address(key)}/release", data=stamp)
        assert (late.status_code, "已由他人放行" in late.text) == (409, True)
    assert portal.audit()[-1][:3] == (kind, subject, actor)


def csrf(portal: Portal, user: str) -> str:
    return token(portal.client(f"{user}/Admin").get(address(portal.held_collect())).text)


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("", "必填项为空"),
        ("  ", "必填项为空"),
        ("经 110101199003074530 核实", "身份证号"),
        ("请打 13800138000", "身份证号"),
        ("长" * 501, "超过最大长度"),
    ],
)
def test_a_reason_that_may_not_be_kept_releases_nothing(
    portal: Portal, reason: str, why: str
) -> None:
    key = portal.held_delivery()
    client, before = portal.client(ENGINEER), len(portal.audit())
    page = client.get(address(key)).text
    refused = client.post(f"{address(key)}/release", data=form(page, reason))
    assert (refused.status_code, why in refused.text) == (422, True)
    assert not reason.strip() or reason not in refused.text
    assert len(portal.audit()) == before
    assert "下一次提供时送出" not in client.get(address(key)).text


def test_a_form_of_another_state_is_refused(portal: Portal) -> None:
    """Another expectation has failed since, or the form was made up."""
    key = portal.held_collect()
    client = portal.client(ENGINEER)
    sent = form(client.get(address(key)).text)
    with portal.connect() as connection:
        missed = Finding("rejected_share", "critical", passed=False, observed=0.9)
        findings.record(connection, int(key.partition("-")[2]), [missed])
    before = len(portal.audit())
    for stale in (sent, sent | {"seen": ""}, sent | {"seen": "0" * 16}):
        refused = client.post(f"{address(key)}/release", data=stale)
        assert (refused.status_code, "已有变化" in refused.text) == (409, True)
    assert len(portal.audit()) == before
    assert form(client.get(address(key)).text)["seen"] != sent["seen"]


def test_what_a_newer_transfer_took_over_is_released_no_more(portal: Portal) -> None:
    older = portal.held_collect()
    client = portal.client(ENGINEER)
    sent = form(client.get(address(older)).text)
    newer = portal.held_collect()
    refused = client.post(f"{address(older)}/release", data=sent)
    assert (refused.status_code, "已被之后的传输取代" in refused.text) == (409, True)
    assert "不再等待放行" in client.get(address(older)).text
    assert form(client.get(address(newer)).text)


def test_what_nobody_can_release_offers_no_form(portal: Portal) -> None:
    key = portal.held_collect("key_unique")
    number = reconciliation(portal, "held", held=100, there=0)
    client = portal.client(ENGINEER)
    stamp = token(client.get(address(portal.held_delivery())).text)
    for found in (key, f"reconcile-{number}"):
        page = client.get(address(found)).text
        assert "不可放行" in page
        assert "<form" not in page
        forced = {"csrf": stamp, "reason": REASON}
        refused = client.post(f"{address(found)}/release", data=forced)
        assert refused.status_code == 409
    reconciliation(portal, "agreed", held=0, there=100)


def test_while_somebody_releases_it_nobody_else_does(portal: Portal) -> None:
    key = portal.held_collect()
    client = portal.client(ENGINEER)
    sent = form(client.get(address(key)).text)
    with database.connect(portal.address, autocommit=True) as other:
        locks.hold(other, Kind.RELEASE, int(key.partition("-")[2]))
        busy = client.get(address(key)).text
        assert "正在放行" in busy
        assert "<form" not in busy
        assert "正在放行" in client.get("/engineer/holds").text
        refused = client.post(f"{address(key)}/release", data=sent)
        assert (refused.status_code, "他人正在放行" in refused.text) == (409, True)
    assert form(client.get(address(key)).text)


def test_a_reconciliation_that_is_over_says_what_ended_it(portal: Portal) -> None:
    number = reconciliation(portal, "held", held=40, there=60)
    page = portal.client(ENGINEER).get(address(f"reconcile-{number}")).text
    assert "放行后最少剩余" in page
    assert form(page)
    reconciliation(portal, "healed", held=0, there=60)
    after = portal.client(ENGINEER).get(address(f"reconcile-{number}")).text
    assert "不再等待放行" in after
    assert "<form" not in after


@pytest.mark.parametrize(
    "key",
    ["collect-0", "collect-999999999", "deliver-1x", "reconcile-0", "x-1", "collect", "collect--1"],
)
def test_what_never_waited_is_nowhere(portal: Portal, key: str) -> None:
    assert portal.client(ENGINEER).get(address(key)).status_code == 404


def test_a_transfer_that_was_never_held_or_is_of_another_kind_is_nowhere(portal: Portal) -> None:
    published = portal.collect(HELD, 5, {})
    held = portal.held_collect().partition("-")[2]
    with portal.connect() as connection:
        failed = transfers.open_transfer(connection, "collect", HELD, "1", NOW)
        transfers.record_end(connection, failed, "failed", "away")
    for key in (f"collect-{published}", f"collect-{failed}", f"deliver-{held}"):
        assert portal.client(ENGINEER).get(address(key)).status_code == 404, key


def test_pages_of_stewards_lead_engineers_there(portal: Portal) -> None:
    key = portal.held_collect()
    link = f'href="{address(key)}"'
    for path in ("/", "/housing_fund/problems"):
        assert link in portal.client(ENGINEER).get(path).text, path
    portal.users.write_text("users: {hf: [housing_fund]}\n")
    for path in ("/", "/housing_fund/problems"):
        assert link not in portal.client("hf").get(path).text, path
