"""Receipts in the portal: found by whom they concern, and documents that somebody holds verified."""

from __future__ import annotations

import json
import re
from pathlib import Path
from runpy import run_path
from typing import Any

import psycopg
import pytest

from onecard.portal import security
from onecard.stewardship import receipt_check
from onecard.store import receipts
from tests.unit.portal.conftest import APPROVED, NOW, WAITING, Portal
from tests.unit.portal.test_pages import text, token

ENGINEER = "li/Admin"
SCRIPT = Path(__file__).parents[3] / "docs" / "verify_manifest.py"
"""As a consumer runs it."""
CHECK = "/hrss/receipt_check"


def signed(**said: str) -> bytes:
    """A receipt, as far as anybody can see, with that in its signature."""
    signature = {"suite": "", "epoch": "", "value": "", **said}
    found = {"kind": "deliver", "transfer": 1, "agreement": "a", "signature": signature}
    return json.dumps(found).encode()


SIGNED_ODDLY = signed(value="xyz")


def listed(portal: Portal, address: str, user: str = ENGINEER) -> list[int]:
    page = portal.client(user).get(address)
    assert page.status_code == 200
    return [int(n) for n in re.findall(r'receipts/(\d+)(?:\?lang=en)?">', page.text)]


def document(portal: Portal, number: int, user: str = "hrss") -> dict[str, Any]:
    found = portal.client(user).get(f"/hrss/receipts/{number}/file")
    assert found.status_code == 200
    assert found.headers["content-disposition"] == (f'attachment; filename="receipt-{number}.json"')
    made: dict[str, Any] = found.json()
    return made


def send(
    portal: Portal, data: bytes | None, user: str = "hrss", address: str = CHECK, typed: str = ""
) -> Any:
    name = user.partition("/")[0]
    form = {"csrf": security.token(portal.site.secret, name, NOW), "text": typed}
    file = ("receipt.json", data or b"") if data is not None else ("", b"")
    return portal.client(user).post(address, data=form, files={"file": file})


def test_receipts_are_found_by_whom_they_concern(portal: Portal) -> None:
    given, other = portal.receipt(APPROVED), portal.receipt(WAITING)
    with portal.connect() as connection:
        stored = receipts.load(connection, given)
    assert stored is not None
    delivery = json.loads(stored.body)["delivery"]
    assert {given, other} <= set(listed(portal, "/engineer/receipts"))
    for agency in ("health", "hrss"):  # who gives and who receives
        assert given in listed(portal, f"/{agency}/receipts", agency)
    assert given not in listed(portal, "/education/receipts", "education")
    for query in (
        f"delivery={delivery}",
        f"transfer={given}",
        f"transfer={given}&subject={APPROVED}",
    ):
        assert listed(portal, f"/hrss/receipts?{query}", "hrss") == [given], query
        assert listed(portal, f"/education/receipts?{query.partition('&')[0]}", "education") == []
    assert given in listed(portal, f"/hrss/receipts?day=2026-11-24&subject={APPROVED}", "hrss")
    assert listed(portal, "/hrss/receipts?day=2026-11-23", "hrss") == []
    assert listed(portal, "/hrss/receipts?delivery=nothing", "hrss") == []
    strange = portal.client("education").get(f"/education/receipts?subject={APPROVED}")
    assert strange.status_code == 404


def test_receipts_follow_each_other_page_by_page(portal: Portal) -> None:
    made = [portal.receipt() for _ in range(55)]
    seen: list[int] = []
    address = f"/engineer/receipts?subject={APPROVED}"
    while address:
        page = portal.client(ENGINEER).get(address).text
        seen += [int(n) for n in re.findall(r'receipts/(\d+)">', page)]
        more = re.search(r'<a href="([^"]+)" rel="next"', page)
        address = more[1].replace("&amp;", "&") if more else ""
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)


def test_a_receipt_says_in_words_what_was_sent(portal: Portal) -> None:
    number = portal.receipt()
    page = portal.client("health").get(f"/health/receipts/{number}")
    said = text(page.text)
    assert "签名有效" in said
    assert "发出行" in said
    assert "5a" * 32 in said
    assert "PR-01" in said
    assert "/engineer/audit" not in page.text
    sent = portal.client("health").post(
        f"/health/receipts/{number}/verify", data={"csrf": token(page.text)}
    )
    proof = text(sent.text)
    assert "成立。" in proof
    assert "不成立" not in proof
    english = portal.client("health").get(f"/health/receipts/{number}?lang=en").text
    rows = english.partition("</style>")[2].partition("<details>")[0]
    data = portal.site.catalogue().agreement(APPROVED)
    for own in (data.responsible, data.basis.statute, data.basis.article):
        rows = rows.replace(own, "")
    assert not re.search(r"[一-鿿]", text(rows).replace("中文", "")), text(rows)


def test_who_looks_is_on_record(portal: Portal) -> None:
    number, before = portal.receipt(), len(portal.audit())
    document(portal, number)
    portal.client("hrss").get(f"/hrss/receipts/{number}")
    portal.client("hrss").get(f"/hrss/receipts?transfer={number}")
    looks = [(k, s, a, json.loads(str(b))) for k, s, a, b in portal.audit()[before:]]
    assert {kind for kind, *_ in looks} == {"access.receipt"}
    assert [body for *_, body in looks] == [
        {"transfer": number, "file": True},
        {"transfer": number},
        {"transfer": str(number), "before": 0, "shown": 1},
    ]


def test_a_kept_receipt_is_verified_by_anybody(portal: Portal) -> None:
    """By the portal, and without our code by whoever has the public keys."""
    number = portal.receipt()
    kept = document(portal, number)
    keys = portal.site.desk().signer.public_keys()
    assert run_path(str(SCRIPT))["refusal"](kept, keys, "hrss") == ""
    for data, typed in (
        (json.dumps(kept).encode(), ""),
        (b"\xef\xbb\xbf" + json.dumps(kept, indent=4, ensure_ascii=False).encode(), ""),
        (None, json.dumps(kept)),
    ):
        found = send(portal, data, typed=typed)
        assert found.status_code == 200
        said = text(found.text)
        assert "成立。" in said
        assert "不成立" not in said
        assert f"回执 {number}" in said
    assert "It holds." in send(portal, json.dumps(kept).encode(), address=f"{CHECK}?lang=en").text
    kinds = [(k, json.loads(str(b))) for k, _, _, b in portal.audit()][-1]
    told = {"document": "receipt", "signed": True, "recorded": "same", "verified": True}
    assert kinds == ("access.receipt", told)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sent_rows": 4}, ("签名无效", "与此不同")),
        ({"transfer": 10**15}, ("签名无效", "台账中没有这次传输")),
        ({"signature": {"suite": "international", "epoch": "1999", "value": "00"}}, ("签名无效",)),
        ({"signature": {"suite": "none", "epoch": "2026", "value": ""}}, ("签名无效",)),
    ],
)
def test_a_changed_receipt_is_named(
    portal: Portal, changed: dict[str, Any], says: tuple[str, ...]
) -> None:
    kept = document(portal, portal.receipt()) | changed
    found = text(send(portal, json.dumps(kept).encode()).text)
    assert "不成立" in found
    for word in says:
        assert word in found


def test_a_receipt_that_was_changed_in_the_ledger_is_named(portal: Portal) -> None:
    number = portal.receipt()
    kept = document(portal, number)
    with psycopg.connect(portal.address, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger.receipt DISABLE TRIGGER ALL")
        connection.execute(
            "UPDATE ledger.receipt SET body = replace(body, '\"sent_rows\":3', '\"sent_rows\":9')"
            " WHERE transfer = %s",
            (number,),
        )
        connection.execute("ALTER TABLE ledger.receipt ENABLE TRIGGER ALL")
    found = text(send(portal, json.dumps(kept).encode()).text)
    assert "不成立" in found
    assert "签名有效" in found
    assert "与此不同" in found
    assert "审计日志中没有本回执的摘要" in found
    page = text(portal.client("hrss").get(f"/hrss/receipts/{number}").text)
    assert "签名无效，请立即报告" in page


def test_a_manifest_is_held_against_the_receipt_of_its_delivery(portal: Portal) -> None:
    number = portal.receipt()
    desk = portal.site.desk()
    said = document(portal, number)
    manifest = {
        "agreement": APPROVED,
        "agreementVersion": said["agreementVersion"],
        "consumer": "hrss",
        "purpose": said["purpose"],
        "deliveryId": said["delivery"],
        "attempt": number,
        "rows": 3,
        "sha256": "5a" * 32,
    }
    good = receipts.signed_manifest(manifest, desk.signer)
    found = text(send(portal, json.dumps(good).encode()).text)
    assert "成立。" in found
    assert "不成立" not in found
    assert "提供清单" in found
    other = receipts.signed_manifest({**manifest, "sha256": "5b" * 32}, desk.signer)
    found = text(send(portal, json.dumps(other).encode()).text)
    assert "签名有效" in found
    assert "与此不同" in found
    strange = receipts.signed_manifest({**manifest, "deliveryId": "x"}, desk.signer)
    assert "台账中没有这次传输" in text(send(portal, json.dumps(strange).encode()).text)
    meddled = {**good, "rows": 4}
    assert "签名无效" in text(send(portal, json.dumps(meddled).encode()).text)


def test_a_document_about_nothing_of_the_agency_is_refused_in_words(portal: Portal) -> None:
    """Whether or not the ledger has it."""
    kept = document(portal, portal.receipt())
    for made in (kept, {**kept, "transfer": 10**15}, {**kept, "agreement": "f99-nothing"}):
        data = json.dumps(made).encode()
        found = send(portal, data, "education", "/education/receipt_check")
        assert found.status_code == 422
        assert "与本部门的数据资源和协议无关" in text(found.text)
    assert send(portal, json.dumps(kept).encode(), ENGINEER, "/engineer/receipt_check").is_success


def test_another_agencys_receipt_is_not_told_of_through_a_forged_one(portal: Portal) -> None:
    """The document names a subject of mine and a transfer of somebody else's."""
    theirs = portal.receipt(WAITING)  # education gives, hrss receives
    forged = {"kind": "deliver", "transfer": theirs, "agreement": APPROVED}
    forged["signature"] = {"suite": "international", "epoch": "2026", "value": "00"}
    found = send(portal, json.dumps(forged).encode(), "health", "/health/receipt_check")
    said = text(found.text)
    assert "台账中没有这次传输" in said
    assert f"回执 {theirs}" not in said


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "没有选择文件"),
        (b"no json", "不是 UTF-8 编码的 JSON 对象"),
        (b"[1]", "不是 UTF-8 编码的 JSON 对象"),
        (b"\xff\xfe{}", "不是 UTF-8 编码的 JSON 对象"),
        (b"[" * 100_000, "不是 UTF-8 编码的 JSON 对象"),
        (b'{"transfer": ' + b"9" * 10_000 + b"}", "不是 UTF-8 编码的 JSON 对象"),
        (b"{}", "既不是回执，也不是提供清单"),
        (b'{"kind": "deliver", "transfer": true, "agreement": "a"}', "既不是回执"),
        (b'{"kind": "deliver", "transfer": 1.5, "agreement": "a"}', "既不是回执"),
        (b'{"kind": "deliver", "transfer": 1, "agreement": ["a"]}', "既不是回执"),
        (b'{"kind": "deliver", "transfer": 1, "agreement": "a"}', "没有签名"),
        (
            b'{"kind":"deliver","transfer":1,"agreement":"a","signature":{"suite":1,"epoch":""}}',
            "没有签名",
        ),
        (SIGNED_ODDLY, "没有签名"),
        (signed(suite="x" * 201), "没有签名"),
        (signed(epoch="x" * 201), "没有签名"),
        (signed(value="00" * 10_001), "没有签名"),
        (b'{"agreement": "a", "deliveryId": "\\u0000"}', "既不是回执"),
        (b'{"agreement": "a", "deliveryId": "a-2026112\\ud800-b"}', "既不是回执"),
        (b'{"agreement": "\\ud800", "deliveryId": "a"}', "既不是回执"),
        (b'{"kind": "deliver", "transfer": 1, "agreement": "a\\u0000"}', "既不是回执"),
        (b'{"transfer": 1, "dataset": "' + b"x" * 201 + b'"}', "既不是回执"),
        (b" " * (receipt_check.LONGEST + 1), "文件过长"),
    ],
)
def test_what_is_no_such_document_is_refused_in_words(
    portal: Portal, data: bytes, says: str
) -> None:
    before = portal.audit()
    found = send(portal, data)
    assert found.status_code == 422
    assert says in text(found.text)
    assert portal.audit() == before


def test_a_document_of_half_a_character_is_not_signed(portal: Portal) -> None:
    kept = document(portal, portal.receipt())
    data = json.dumps(kept).replace('"hrss"', '"hr\\ud800ss"').encode()
    found = send(portal, data)
    assert found.status_code == 200
    assert "签名无效" in text(found.text)


def test_a_large_upload_is_refused_before_it_is_read(portal: Portal) -> None:
    assert send(portal, b"x" * 2_000_000).status_code == 413
