"""What is held is released in the portal: real rows, two persons at once, a source read again."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.errors import AuditFailed, HoldError, SupersededError
from onecard.model.holds import Hold
from onecard.model.signoffs import SignOff
from onecard.operations.hold_release import release_hold
from onecard.operations.night_report import write_report
from onecard.portal.site import Site
from onecard.reconcile.dataset import reconcile
from onecard.store import database, hold_facts, holds, receipts
from quality.rows.rule_titles import title
from tests.small_hub import DATASET, SmallHub, small_hub
from tests.unit.portal.conftest import TestClient, create_app, whoever

AT = "2026-11-09T10:00:00+08:00"
REASON = "来函核实，口径调整"
SECRET = secrets.token_bytes(32)
ALSO = {
    "name": "mostly_right",
    "description": "多数行合格",
    "type": "custom",
    "engine": "onecard",
    "dimension": "conformity",
    "severity": "critical",
    "implementation": {"check": "rejected_share", "max_share": 0.1, "at_least": 5},
}


@pytest.fixture
def small(tmp_path: Path, hub_database: str, private_database: str) -> Iterator[SmallHub]:
    with small_hub(tmp_path, hub_database, private_database) as found:
        (tmp_path / "users.yaml").write_text('users: {zhang: ["*"], li: ["*"]}\n')
        yield found


def site(small: SmallHub) -> Site:
    """The portal of a hub as it is at this night."""

    def hub(actor: str) -> Hub:
        settings = small.hub.settings.model_copy(update={"actor": actor})
        return Hub(settings, EnvironmentConnections(small.variables))

    return Site(
        settings=small.hub.settings,
        address=lambda: small.hub_url,
        catalogue=lambda: small.hub.catalogue,
        desk=lambda: small.hub,
        hub=hub,
        identity=whoever,
        secret=SECRET,
        rule_title=title,
        users=small.home / "users.yaml",
    )


def client(small: SmallHub, user: str = "zhang") -> TestClient:
    headers = {"accept": "text/html", "x-user": user}
    return TestClient(create_app(site(small)), headers=headers, follow_redirects=False)


def held(small: SmallHub) -> list[str]:
    with database.connect(small.hub_url, autocommit=True) as connection:
        return [hold.key for hold in holds.holds(connection, small.hub.catalogue)]


def form(page: str) -> dict[str, str]:
    """What the page's form sends."""
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', page))
    return fields | {"reason": REASON}


def audited(small: SmallHub, kind: str) -> list[tuple[Any, ...]]:
    return small.ask("SELECT actor, body FROM ledger.audit WHERE kind = %s ORDER BY seq", kind)


def rejected(small: SmallHub, *, quality: list[dict[str, Any]] | None = None) -> str:
    """A first load of 100 rows of which 60 are rejected: held; the address of its page."""
    small.table(quality=quality or [])
    small.insert([(f"K{n:03}", "x" if n < 60 else "1", AT) for n in range(100)])
    with pytest.raises(AuditFailed):
        small.hub.collect(DATASET).run()
    (key,) = held(small)
    return f"/engineer/holds/{key}"


@pytest.mark.fault("F15", "released in the portal: published, with who released it on record")
def test_a_held_collect_is_published(small: SmallHub) -> None:
    address = rejected(small)
    write_report(small.hub)
    visitor = client(small)
    assert f'<a href="{address}">办理</a>' in visitor.get("/engineer/night").text
    page = visitor.get(address).text
    assert "检查未通过" in page
    assert re.findall(r"<dt>(?:本次读取|已暂存[^<]*|不合格[^<]*)</dt><dd>(\d+)</dd>", page) == [
        *("100", "40", "60")
    ]
    done = visitor.post(f"{address}/release", data=form(page))
    assert (done.status_code, done.headers["location"]) == (303, address)
    assert len(small.amounts()) == 40
    assert len(small.records()) == 60
    assert held(small) == []

    after = visitor.get(address).text
    assert "发布 40 行，未变 0 行，隔离 60 行，第 1 版" in after
    assert "rejected_share：放行人 zhang" in after
    assert "<form" not in after
    assert REASON not in after
    ((actor, body),) = audited(small, "collect.released")
    assert (actor, json.loads(body)["reason"]) == ("zhang", REASON)
    ((publisher, _),) = audited(small, "collect.published")
    assert publisher == "zhang"
    with database.connect(small.hub_url, autocommit=True) as connection:
        receipt = receipts.load(connection, 1)
    assert receipt
    assert [r["by"] for r in json.loads(receipt.body)["released"]] == ["zhang"]


def test_of_two_persons_the_second_is_told(small: SmallHub) -> None:
    """Both have the page open; they send at once, and one of them once more."""
    address, people = rejected(small), ("zhang", "li")
    visitors = {who: client(small, who) for who in people}
    forms = {who: form(visitors[who].get(address).text) for who in people}
    at_once = Barrier(len(people))

    def send(who: str) -> int:
        at_once.wait(30)
        return visitors[who].post(f"{address}/release", data=forms[who]).status_code

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(send, people)) == [303, 409]
    assert len(small.amounts()) == 40
    assert len(audited(small, "collect.released")) == 1
    for who in people:
        late = visitors[who].post(f"{address}/release", data=forms[who])
        assert (late.status_code, "已由他人放行" in late.text) == (409, True)
    assert len(audited(small, "collect.published")) == 1


def test_what_fails_another_check_is_held_again(small: SmallHub) -> None:
    """Only what the page showed is released: here the contract asks for more meanwhile."""
    address = rejected(small)
    small.table(quality=[ALSO])
    visitor = client(small)
    before = form(visitor.get(address).text)
    again = visitor.post(f"{address}/release", data=before)
    assert again.status_code == 409
    assert "未能放行" in again.text
    assert "is held: mostly_right" in again.text
    assert small.ask("SELECT to_regclass('registry.hrss__small')::text") == [(None,)]
    stale = visitor.post(f"{address}/release", data=before)
    assert (stale.status_code, "已有变化" in stale.text) == (409, True)
    assert visitor.post(f"{address}/release", data=form(again.text)).status_code == 303
    assert len(small.amounts()) == 40


def meanwhile(patched: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have something done when a release has looked at the page, and has not taken its lock."""
    looked = hold_facts.under_way

    def under_way(_connection: database.Connection, _hold: Hold) -> bool:
        patched.setattr(hold_facts, "under_way", looked)
        act()
        return False

    patched.setattr(hold_facts, "under_way", under_way)


def test_what_fails_another_check_while_a_release_waits_is_refused(
    small: SmallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two persons with one page the second would vouch for what neither has seen."""
    address = rejected(small)
    small.table(quality=[ALSO])
    people = ("zhang", "li")
    visitors = {who: client(small, who) for who in people}
    forms = {who: form(visitors[who].get(address).text) for who in people}

    def first() -> None:
        again = visitors["zhang"].post(f"{address}/release", data=forms["zhang"])
        assert "is held: mostly_right" in again.text

    meanwhile(monkeypatch, first)
    second = visitors["li"].post(f"{address}/release", data=forms["li"])
    assert (second.status_code, "已有变化" in second.text) == (409, True)
    assert small.ask("SELECT actor, finding FROM ledger.release") == [("zhang", "rejected_share")]
    assert small.ask("SELECT to_regclass('registry.hrss__small')::text") == [(None,)]


def test_a_hold_that_is_released_by_its_dataset_is_one_that_was_seen(small: SmallHub) -> None:
    """Of the event lane a newer transfer may stand in its place, and fail other checks."""
    rejected(small)
    with database.connect(small.hub_url, autocommit=True) as connection:
        (seen,) = holds.holds(connection, small.hub.catalogue)
    small.table(quality=[ALSO])
    small.night += 1
    with pytest.raises(AuditFailed):
        small.hub.collect(DATASET).run()
    fast, how = replace(seen, fast=True), SignOff("张主任", REASON)
    with pytest.raises(SupersededError, match="something else by now"):
        release_hold(small.hub, fast, how)
    assert audited(small, "collect.released") == []
    both = replace(fast, findings=(*seen.findings, "mostly_right"))
    assert release_hold(small.hub, both, how).collected is not None
    assert len(small.amounts()) == 40


def test_a_reconciliation_that_came_while_a_release_waits_is_not_released(
    small: SmallHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then more is gone than the page said."""
    small.table()
    small.insert([(f"K{n:03}", "1", AT) for n in range(300)])
    small.collect()

    def gone(first: str) -> None:
        small.agency("DELETE FROM small WHERE code >= %s", first)
        with pytest.raises(HoldError):
            reconcile(small.hub, DATASET).check()

    gone("K100")
    (key,) = held(small)
    visitor = client(small)
    before = form(visitor.get(f"/engineer/holds/{key}").text)
    meanwhile(monkeypatch, lambda: gone("K050"))
    late = visitor.post(f"/engineer/holds/{key}/release", data=before)
    assert (late.status_code, "已有变化" in late.text) == (409, True)
    assert len(small.amounts()) == 300
    (newer,) = held(small)
    page = visitor.get(f"/engineer/holds/{newer}").text
    assert visitor.post(f"/engineer/holds/{newer}/release", data=form(page)).status_code == 303


def test_the_night_takes_a_hold_over_while_its_page_is_open(small: SmallHub) -> None:
    address = rejected(small)
    visitor = client(small)
    before = form(visitor.get(address).text)
    small.night += 1
    with pytest.raises(AuditFailed):
        small.hub.collect(DATASET).run()
    late = visitor.post(f"{address}/release", data=before)
    assert (late.status_code, "已被之后的传输取代" in late.text) == (409, True)
    assert audited(small, "collect.released") == []


@pytest.mark.fault(
    "F15", "a held reconciliation is released in the portal: what is gone is deleted"
)
def test_a_held_reconciliation_deletes_what_is_gone(small: SmallHub) -> None:
    small.table()
    small.insert([(f"K{n:03}", "1", AT) for n in range(300)])
    small.collect()
    small.agency("DELETE FROM small WHERE code >= 'K100'")
    with pytest.raises(HoldError):
        reconcile(small.hub, DATASET).check()
    (key,) = held(small)
    address, visitor = f"/engineer/holds/{key}", client(small)
    page = visitor.get(address).text
    counts = re.findall(r"<dt>(?:已发布|放行后最少剩余|来源现有)</dt><dd>(\d+)</dd>", page)
    assert counts == ["300", "100", "100"]
    done = visitor.post(f"{address}/release", data=form(page))
    assert (done.status_code, done.headers["location"]) == (303, address)
    assert len(small.amounts()) == 100
    assert held(small) == []
    after = visitor.get(address).text
    assert "按删除发布 200 行" in after
    assert "放行人 zhang" in after
    ((actor, body),) = audited(small, "reconcile.healed")
    said = json.loads(body)
    assert (actor, said["released_by"], said["reason"]) == ("zhang", "zhang", REASON)
    late = visitor.post(f"{address}/release", data=form(page))
    assert late.status_code == 409


def test_a_source_that_is_away_is_said_and_nothing_is_deleted(small: SmallHub) -> None:
    small.table()
    small.insert([(f"K{n:03}", "1", AT) for n in range(300)])
    small.collect()
    small.agency("DELETE FROM small WHERE code >= 'K100'")
    with pytest.raises(HoldError):
        reconcile(small.hub, DATASET).check()
    (key,) = held(small)
    visitor = client(small)
    page = visitor.get(f"/engineer/holds/{key}").text
    small.agency("ALTER TABLE small RENAME TO elsewhere")
    failed = visitor.post(f"/engineer/holds/{key}/release", data=form(page))
    assert failed.status_code in (409, 503)
    assert "未能放行" in failed.text
    assert held(small) == [key]
    assert len(small.amounts()) == 300
