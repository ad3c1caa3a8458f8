"""The audit log in the portal: looked up, each entry verified; who looks is on record."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import psycopg
import pytest

from onecard.app.hub_desk import HubDesk
from onecard.portal import proofs, security
from onecard.store import audit
from tests.unit.portal.conftest import HOSTILE, NOW, Portal
from tests.unit.portal.test_pages import text, token

ENGINEER = "li/Admin"
PERSON = "410105190001010010"
"""An invented number."""


@pytest.fixture
def own(portal: Portal, hub_database: str) -> Portal:
    """A portal before a hub of the test's own, whose log may be tampered with."""
    settings = portal.site.settings.model_copy(update={"database_url": hub_database})
    site = replace(portal.site, address=lambda: hub_database, desk=lambda: HubDesk(settings))
    return Portal(site, portal.home, hub_database, portal.users)


def write(portal: Portal, kind: str, subject: str, actor: str, body: dict[str, object]) -> int:
    with portal.connect() as connection, connection.transaction():
        return audit.append(connection, kind, subject, actor, body)


def sign(portal: Portal) -> None:
    with portal.connect() as connection:
        audit.checkpoint(connection, portal.site.desk().signer)


def numbers(page: str) -> list[int]:
    """Of the entries that the list shows."""
    return [int(n) for n in re.findall(r'<a href="/engineer/audit/(\d+)', page)]


def verify(portal: Portal, entry: int) -> str:
    client = portal.client(ENGINEER)
    address = f"/engineer/audit/{entry}"
    sent = client.post(f"{address}/verify", data={"csrf": token(client.get(address).text)})
    assert sent.status_code == 200
    return sent.text


def test_entries_are_found_by_what_is_known_of_them(portal: Portal) -> None:
    first = write(portal, "sought.published", "hrss/card_master", "night", {"transfer": 1})
    second = write(portal, "sought.failed", "hrss/card_master", "night", {"transfer": 2})
    third = write(portal, "sent.confirmed", "f99-sought", "王五", {"transfer": 3})
    client = portal.client(ENGINEER)
    for query, expected in (
        ("kind=sought", [second, first]),
        ("kind=sought.failed", [second]),
        ("subject=f99-sought", [third]),
        ("actor=王五&kind=sent", [third]),
        ("kind=sough", []),
        ("kind=sought&since=2020-01-01&until=2020-01-02", []),
        ("kind=sought&since=2020-01-01", [second, first]),
    ):
        page = client.get(f"/engineer/audit?{query}")
        assert page.status_code == 200, query
        assert numbers(page.text) == expected, query
    assert 'value="f99-sought"' in client.get("/engineer/audit?subject=f99-sought").text
    found = client.get(f"/engineer/audit?entry={third}", follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, f"/engineer/audit/{third}")
    assert client.get("/engineer/audit?entry=999999").status_code == 404


def test_pages_follow_each_other_by_number(portal: Portal) -> None:
    written = [write(portal, "paged", "s", "a", {"n": n}) for n in range(120)]
    client, seen, address = portal.client(ENGINEER), [], "/engineer/audit?kind=paged"
    while address:
        page = client.get(address).text
        seen += numbers(page)
        more = re.search(r'<a href="([^"]+)" rel="next"', page)
        address = more[1].replace("&amp;", "&") if more else ""
    assert seen == written[::-1]


def test_who_looks_is_on_record(portal: Portal) -> None:
    entry = write(portal, "looked", "s", "a", {})
    client = portal.client(ENGINEER)
    client.get("/engineer/audit?kind=looked")
    client.get(f"/engineer/audit/{entry}")
    verify(portal, entry)
    looks = [(k, a, json.loads(str(b))) for k, _, a, b in portal.audit()[entry:]]
    assert {(kind, actor) for kind, actor, _ in looks} == {("access.audit", "li")}
    bodies = [body for *_, body in looks]
    assert bodies[0] == {"kind": "looked", "before": 0, "shown": 1}
    assert bodies[1] == {"entry": entry}
    assert bodies[-1] == {"entry": entry, "verified": "unsigned"}


@pytest.mark.parametrize(
    ("address", "boxes"),
    [
        ("/engineer/audit", ("kind", "subject", "actor", "since", "until", "entry", "before")),
        ("/engineer/receipts", ("transfer", "delivery", "subject", "day", "before")),
        ("/health/receipts", ("transfer", "delivery", "subject", "day", "before")),
        ("/health/lineage", ("dataset",)),
    ],
)
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (PERSON, "含身份证号"),
        (f"王五 {PERSON[:6]} {PERSON[6:]}", "含身份证号"),
        ("13812345678", "含身份证号"),
        ("a\u202eb", "控制字符"),
        ("长" * 101, "超过最大长度"),
    ],
)
def test_no_persons_data_may_be_looked_for(
    portal: Portal, address: str, boxes: tuple[str, ...], typed: str, says: str
) -> None:
    """And what was typed is not said again, in no part of the page."""
    before = portal.audit()
    for box in boxes:
        page = portal.client(ENGINEER).get(address, params={box: typed})
        assert page.status_code == 422, box
        assert says in text(page.text)
        assert typed not in page.text
        assert PERSON[6:] not in page.text
    assert portal.audit() == before


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("audit", "since=yesterday"),
        ("audit", "until=2026-13-01"),
        ("audit", "before=x"),
        ("audit", "entry=-1"),
        ("audit", "since=0001-01-01"),
        ("audit", "since=1999-12-31"),
        ("audit", "until=2200-01-01"),
        ("audit", "until=9999-12-31"),
        ("receipts", "day=0001-01-01"),
        ("receipts", "day=9999-12-31"),
    ],
)
def test_what_is_no_day_or_number_is_refused_in_words(
    portal: Portal, page: str, query: str
) -> None:
    """Nor is a day beside which there is none, or none of use."""
    refused = portal.client(ENGINEER).get(f"/engineer/{page}?{query}")
    assert refused.status_code == 422
    assert "请填写" in text(refused.text)


def test_the_first_and_the_last_day_are_taken(portal: Portal) -> None:
    client = portal.client(ENGINEER)
    for address in ("audit?since=2000-01-01&until=2199-12-31", "receipts?day=2199-12-31"):
        assert client.get(f"/engineer/{address}").status_code == 200


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_entries_are_harmless(portal: Portal, hostile: str) -> None:
    entry = write(portal, hostile[:60], hostile[:60], hostile[:60], {"said": hostile})
    client = portal.client(ENGINEER)
    for address in ("/engineer/audit", f"/engineer/audit/{entry}"):
        page = client.get(address).text
        assert "<script" not in page
        assert "\u202e" not in page
        assert "<img" not in page
        assert "style=" not in page


def test_an_entry_shows_its_hash_and_what_vouches_for_it(portal: Portal) -> None:
    entry = write(portal, "test", "对象", "王五", {"said": "内容"})
    client = portal.client(ENGINEER)
    unsigned = text(client.get(f"/engineer/audit/{entry}").text)
    assert "尚无检查点覆盖本条" in unsigned
    assert "尚不能验证" in text(verify(portal, entry))
    sign(portal)
    page = client.get(f"/engineer/audit/{entry}").text
    with portal.connect() as connection:
        stored = audit.entry(connection, entry)
    assert stored is not None
    assert stored.leaf.hex() in page
    assert "与内容一致" in page
    assert "内容" in page
    found = text(verify(portal, entry))
    assert "成立。" in found
    assert "不成立" not in found
    english = client.get(f"/engineer/audit/{entry}?lang=en").text.partition("</style>")[2]
    said = text(english).replace("中文", "")
    for data in ("对象", "王五", "内容"):
        said = said.replace(data, "")
    assert not re.search(r"[一-鿿]", said)


def test_a_tampered_log_is_named(own: Portal) -> None:
    """Each time by itself: afterwards it is as it was."""
    for number in range(3):
        entry = write(own, "test", "s", "a", {"number": number})
    sign(own)
    keep = "CREATE TABLE kept AS TABLE ledger.audit; CREATE TABLE signed AS TABLE"
    tamper(own, f"{keep} ledger.audit_checkpoint")
    for change, says in (
        ("UPDATE ledger.audit SET actor = 'x' WHERE seq = {0}", "第 {0} 条与签名时不同"),
        ("UPDATE ledger.audit SET leaf = sha256('x') WHERE seq = {0} - 1", "自第 1 条起"),
        ("DELETE FROM ledger.audit WHERE seq = {0} - 1", "自第 {1} 条起"),
        ("UPDATE ledger.audit_checkpoint SET signature = 'x'", "检查点的签名或范围不对"),
    ):
        tamper(own, change.format(entry))
        page = text(verify(own, entry))
        assert "不成立" in page, change
        assert says.format(entry, entry - 1) in page, change
        assert "onecard audit verify" in page
        tamper(
            own,
            "DELETE FROM ledger.audit WHERE seq <= (SELECT max(seq) FROM kept);"
            "INSERT INTO ledger.audit TABLE kept; DELETE FROM ledger.audit_checkpoint;"
            "INSERT INTO ledger.audit_checkpoint TABLE signed",
        )
    assert "不成立" not in text(verify(own, entry))


def tamper(portal: Portal, statement: str) -> None:
    with psycopg.connect(portal.address, autocommit=True) as connection:
        for table in ("audit", "audit_checkpoint"):
            connection.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL".encode())
        connection.execute(statement.encode())


def test_few_proofs_are_made_at_once(portal: Portal) -> None:
    entry = write(portal, "test", "s", "a", {})
    form = {"csrf": security.token(portal.site.secret, "li", NOW)}
    taken = [proofs.AT_ONCE.acquire(blocking=False) for _ in range(2)]
    try:
        assert all(taken)
        busy = portal.client(ENGINEER).post(f"/engineer/audit/{entry}/verify", data=form)
        assert busy.status_code == 429
        assert "正在进行其他验证" in text(busy.text)
    finally:
        for _ in taken:
            proofs.AT_ONCE.release()
    assert "尚不能验证" in text(verify(portal, entry))
