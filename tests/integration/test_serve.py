"""Calls about one person over real HTTP: what is answered, what is refused, what is on record."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from onecard.base.platform_signature import AHEAD_MS, WINDOW_MS, system_ms
from onecard.crypto import answers, keys
from onecard.errors import PolicyError, StorageError
from onecard.model import gate_inputs
from onecard.operations import housekeeping
from onecard.ports.privacy_gate import Admitted, Batch, PrivacyBlock
from onecard.serve import codes, keeper
from onecard.serve.groups import Groups
from onecard.serve.keeper import Keeper
from onecard.store import agreement_lives, audit, database, persons, question_audit
from quality.privacy.gate import Gate
from schemas.models import catalogue
from tests.asked import (
    APP,
    BANK,
    CASES,
    F09,
    F10,
    F11,
    F12,
    FUND,
    HIS,
    AskedHub,
    asked_hub,
    person,
)
from tests.waiting import until

LI = person(1, "李测·阿依")
DEAD, CHILD, IDLE = person(2), person(3, born=date(2020, 5, 1)), person(4)
NOBODY = person(900)
TOLD = "/v1/disclosures"
PAGE = Path(__file__).parents[2] / "docs"
COPIED = (
    "INSERT INTO ledger.question_group (month, size, statement, suite, key_epoch, signature)"
    " SELECT month, size, statement, suite, key_epoch, signature FROM ledger.question_group"
)
"""A group that nobody has recorded."""
STRAY = (
    "INSERT INTO ledger.question SELECT month, group_id + 1, place, at, agreement, caller, operator,"
    " case_no, request_id || 'x', request_mac, key_epoch, person, found, receipt"
    " FROM ledger.question"
)
"""A call of no group."""
WRITTEN = (
    "ALTER TABLE ledger.audit DISABLE TRIGGER ALL;"
    "UPDATE ledger.audit SET body = '{}' WHERE kind = 'questions.recorded'"
)
"""An entry that names no group."""
NONE = {"fields": {}, "outcome": "none", "sequence": None}
BLOCK = PrivacyBlock("PR-16", "a rule blocks")


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        found.card(LI)
        found.card(DEAD)
        found.insert("health/death_notice", person_id18=DEAD.id_number)
        found.card(CHILD)
        found.card(IDLE, fin_status="1")
        found.insert(
            "hrss/pension_status", person_id18=LI.id_number, retired="1", retire_date="2025-06-01"
        )
        found.insert("hrss/pension_status", person_id18=CHILD.id_number, retired="0")
        found.insert(
            "hrss/employment_status", person_id18=LI.id_number, emp_status="1", source_seq=3
        )
        with found.serving():
            yield found


def recorded(asked: AskedHub) -> list[tuple[Any, ...]]:
    """Request ids on record, and whether something was said."""
    return asked.execute("SELECT request_id, found FROM ledger.question ORDER BY group_id, place")


# --- what is answered


def test_a_query_gives_the_fields_of_the_agreement_and_no_other(asked: AskedHub) -> None:
    fields = {"card_status": "1", "card_no": LI.card_no}
    assert asked.result(F09, LI) == {"fields": fields, "outcome": "answered", "sequence": 7}
    assert asked.result(F11, LI)["fields"] == {"retired": "1", "retire_date": "2025-06-01"}
    assert asked.result(F12, LI)["fields"] == {"emp_status": "1", "end_date": None}


def test_of_several_cards_the_newest_counts(asked: AskedHub) -> None:
    asked.card(LI, card_no="H99999999", card_status="2", issue_date=date(2026, 1, 1))
    asked.card(LI, card_no="H88888888", card_status="9", issue_date=date(2010, 1, 1))
    assert asked.result(F09, LI)["fields"] == {"card_status": "2", "card_no": "H99999999"}


def test_verify_says_match_or_not_and_never_the_value(asked: AskedHub) -> None:
    right = asked.result(F10, LI)
    assert right["fields"] == {"bank_account": "match", "fin_status": "match"}
    values = {"bank_account": "6222021700000000000", "fin_status": "2"}
    wrong = asked.post(F10, asked.body(F10, LI, values=values))
    assert wrong.json()["result"]["fields"] == {"bank_account": "no_match", "fin_status": "match"}
    assert not any(value in wrong.text for value in LI.values)
    asked.execute("UPDATE registry.hrss__card_master SET bank_account = NULL")
    assert asked.result(F10, LI) != right


def test_names_are_compared_by_the_declared_rule(asked: AskedHub) -> None:
    about = {"id_number": LI.id_number, "person_name": " 李测•阿依 "}
    assert asked.result(F09, LI, person=about)["outcome"] == "answered"
    assert asked.result(F09, LI, person=about | {"person_name": "李测阿依"}) == NONE


def test_who_is_not_there_not_in_scope_or_restricted_is_one_answer(asked: AskedHub) -> None:
    asked.card(person(5), _deleted_at="2026-01-01T00:00:00+08:00")
    bodies = {
        "no such person": asked.post(F10, asked.body(F10, NOBODY)),
        "another name": asked.post(F10, asked.body(F10, person(1, "李测阿依"))),
        "deleted": asked.post(F10, asked.body(F10, person(5))),
        "outside the scope": asked.post(F10, asked.body(F10, IDLE)),
        "dead": asked.post(F10, asked.body(F10, DEAD)),
        "a child, no rules for children": asked.post(F11, asked.body(F11, CHILD)),
    }
    assert {name: a.json()["result"] for name, a in bodies.items()} == dict.fromkeys(bodies, NONE)
    assert len({len(a.content) for name, a in bodies.items() if "child" not in name}) == 1
    assert {a.json()["receipt"].count("answered") for a in bodies.values()} == {0}


def test_a_row_that_a_rule_blocks_costs_no_other_call(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [person(n) for n in range(10, 18)]
    for who in people:
        asked.card(who)
    check, blocked = Gate.check, people[3]

    def strict(gate: Gate, batch: Batch) -> Admitted:
        if blocked.id_number in batch.raw[gate_inputs.SUBJECT].to_list():
            raise BLOCK
        return check(gate, batch)

    monkeypatch.setattr(Gate, "check", strict)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda who: asked.result(F10, who)["outcome"], people))
    assert found == ["none" if who is blocked else "answered" for who in people]


def test_a_defect_that_a_call_meets_costs_no_other_group(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rested: list[object] = []
    rows, rest = persons.ask_rows, Groups._rest

    def broken(connection: database.Connection, *rest: Any) -> persons.AskedRows:
        found = rows(connection, *rest)
        if LI.id_number in rest[-1]:
            raise KeyError(LI.id_number)
        return found

    def noted(groups: Groups) -> bool:
        rested.append(groups)
        return rest(groups)

    monkeypatch.setattr(persons, "ask_rows", broken)
    monkeypatch.setattr(Groups, "_rest", noted)
    assert asked.code(F09, asked.body(F09, LI)) == codes.UNAVAILABLE.code
    assert asked.result(F09, NOBODY) == NONE
    assert (rested, LI.id_number in caplog.text) == ([], False)
    assert "KeyError" in caplog.text


def test_a_rule_about_the_agreement_answers_nobody(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_gate: Gate) -> None:
        raise BLOCK

    assert asked.code(F09, asked.body(F09, LI)) == "00"
    monkeypatch.setattr(Gate, "open", closed)
    assert asked.code(F09, asked.body(F09, LI)) == codes.BLOCKED.code


# --- what is refused: each check fires, and is silent for a sound call


def refused_after(asked: AskedHub, change: Callable[[], object], agreement: str = F09) -> str:
    assert asked.code(agreement, asked.body(agreement, LI)) == "00"
    change()
    return asked.code(agreement, asked.body(agreement, LI))


def test_stop_and_suspension_hold_at_once(asked: AskedHub) -> None:
    def stop(*, stopped: bool) -> None:
        with database.connect(asked.address, autocommit=True) as connection:
            agreement_lives.set_stop(connection, "health", "a", "b", stopped=stopped)

    assert refused_after(asked, lambda: stop(stopped=True)) == codes.STOPPED.code
    stop(stopped=False)
    assert asked.code(F09, asked.body(F09, LI)) == "00"

    def suspend() -> None:
        with database.connect(asked.address, autocommit=True) as connection:
            agreement_lives.suspend(connection, catalogue.load().agreement(F09), "a", "b")

    assert refused_after(asked, suspend) == codes.NO_AGREEMENT.code


def test_nothing_is_said_after_a_stop_that_came_while_the_call_waited(asked: AskedHub) -> None:
    assert asked.code(F09, asked.body(F09, LI)) == "00"
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND query LIKE '%%audit_head%%FOR UPDATE%%'"
    )
    with ThreadPoolExecutor(1) as pool, database.connect(asked.address) as other:
        audit.head(other, lock=True)
        answer = pool.submit(asked.code, F09, asked.body(F09, LI))
        until(lambda: asked.execute(waiting)[0][0] >= 2, "the call waits, and the keeper")
        agreement_lives.set_stop(other, "health", "a", "b", stopped=True)
        other.commit()
        assert answer.result() == codes.STOPPED.code
    assert len(recorded(asked)) == 1


def test_nobody_asks_under_the_agreement_of_another(asked: AskedHub) -> None:
    assert asked.code(F09, asked.body(F09, LI), sid=BANK) == codes.NO_AGREEMENT.code
    assert asked.code("f99-nothing", asked.body(F09, LI), sid=HIS) == codes.NO_AGREEMENT.code
    delivered = "f03-hrss-health-card-status"
    assert asked.code(delivered, asked.body(F09, LI), sid=HIS) == codes.NO_AGREEMENT.code
    assert asked.code(F09, asked.body(F09, LI), sid=APP) == codes.NO_AGREEMENT.code


def test_mode_purpose_and_case_are_the_agreements(asked: AskedHub) -> None:
    path = f"/v1/{F09}/verify"
    assert asked.code(F09, asked.body(F09, LI), path=path, sid=HIS) == codes.MODE.code
    assert asked.code(F09, asked.body(F09, LI, purpose="A7-04")) == codes.PURPOSE.code
    assert asked.code(F09, asked.body(F09, LI, case="XX20261124000123")) == codes.CASE.code
    assert recorded(asked) == []


def test_the_checks_come_in_their_order(asked: AskedHub) -> None:
    wrong = asked.body(F09, LI, purpose="A7-04", case="XX20261124000123")
    assert asked.code(F09, wrong) == codes.PURPOSE.code
    assert asked.code(F09, {**wrong, "more": 1}) == codes.MALFORMED.code
    path = f"/v1/{F09}/verify"
    assert asked.code(F09, {**wrong, "more": 1}, path=path, sid=HIS) == codes.MODE.code
    with database.connect(asked.address, autocommit=True) as connection:
        agreement_lives.set_stop(connection, "*", "a", "b", stopped=True)
    assert asked.code(F09, {**wrong, "more": 1}, path=path, sid=HIS) == codes.STOPPED.code


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ("operator", codes.QUOTA_OPERATOR),
        ("caller", codes.QUOTA_CALLER),
        ("agreement", codes.QUOTA_AGREEMENT),
        ("person", codes.QUOTA_PERSON),
    ],
)
def test_each_quota_is_held_and_not_before(asked: AskedHub, scope: str, code: codes.Code) -> None:
    body = asked.body(F09, LI)
    assert asked.code(F09, body) == "00"
    limit = catalogue.load().agreement(F09).asking.quotas[scope].hour  # type: ignore[union-attr]
    asked.execute(
        "UPDATE ledger.question_count SET calls = %s WHERE scope = %s AND span = 3600",
        limit - 1,
        scope,
    )
    assert asked.code(F09, asked.body(F09, LI)) == "00"
    assert asked.code(F09, asked.body(F09, LI)) == code.code
    assert asked.code(F09, body) == "00", "a repetition counts for no quota"


def test_a_quota_is_held_between_processes(asked: AskedHub) -> None:
    limit = catalogue.load().agreement(F09).asking.quotas["person"].hour  # type: ignore[union-attr]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: asked.code(F09, asked.body(F09, LI)), range(limit + 12)))
    assert found.count("00") == limit
    assert found.count(codes.QUOTA_PERSON.code) == 12


# --- signatures


def test_a_signature_is_of_this_path_body_time_and_caller(asked: AskedHub) -> None:
    path = f"/v1/{F09}/query"
    body = json.dumps(asked.body(F09, LI)).encode()
    good = asked.headers(path, body, HIS)
    assert asked.code(F09, body + b" ", headers=good) == codes.NOT_PROVED.code
    assert asked.code(F11, body, headers=good) == codes.NOT_PROVED.code
    cut = {**good, "gjgxjhpt_sign": good["gjgxjhpt_sign"][:-2]}
    assert asked.code(F09, body, headers=cut) == codes.NOT_PROVED.code
    assert asked.code(F09, body, headers=asked.headers(path, body, HIS, sid=FUND)) == "40"
    assert asked.code(F09, body, headers=asked.headers(path, body, HIS, sid="nobody")) == "40"
    for at_ms in (system_ms() - WINDOW_MS - 5_000, system_ms() + AHEAD_MS + 60_000):
        late = asked.headers(path, body, HIS, at_ms=str(at_ms))
        assert asked.code(F09, body, headers=late) == codes.OUT_OF_TIME.code
    assert asked.code(F09, body, headers=good) == "00"


def test_an_earlier_key_is_good_until_its_window_ends(asked: AskedHub) -> None:
    path, file = f"/v1/{F09}/query", asked.home / "keys.json"
    from datetime import timedelta

    body = json.dumps(asked.body(F09, LI)).encode()
    before = asked.headers(path, body, HIS)
    keys.rotate(file, "caller/health-his", "2027", timedelta(days=1), date(2026, 11, 24))
    new = json.dumps(asked.body(F09, LI)).encode()
    until(lambda: asked.code(F09, new) == "00", "the new key is taken")
    assert asked.code(F09, body, headers=before) == "00"
    other = json.dumps(asked.body(F09, LI)).encode()
    document = json.loads(file.read_text())
    document["purposes"]["caller/health-his"]["epochs"]["2026"]["until"] = "2026-11-23"
    late = _signed_by(asked, "2026", path, other)
    file.write_text(json.dumps(document))
    until(lambda: asked.code(F09, other, headers=late) == "40", "the old key is refused")


def _signed_by(asked: AskedHub, epoch: str, path: str, body: bytes) -> dict[str, str]:
    from onecard.base.platform_signature import Credential, bound, signed_headers

    store = keys.KeyStore(asked.home / "keys.json")
    key = next(
        k for k in store.epochs(["caller/health-his"])["caller/health-his"] if k.epoch == epoch
    )
    form = catalogue.load().callers[HIS]
    credential = Credential(HIS, keys.app_key(key), form)
    return signed_headers(credential, bound(form, path, body))


def test_the_id_of_a_call_may_not_be_the_persons(asked: AskedHub) -> None:
    told_of = {"request_id": "resident-1", "id_number": LI.id_number}
    for sid, path, body in ((HIS, f"/v1/{F09}/query", asked.body(F09, LI)), (APP, TOLD, told_of)):
        data = json.dumps(body).encode()
        for rid, code in ((f"r-{LI.id_number}", codes.MALFORMED.code), ("r-1", "00")):
            headers = asked.headers(path, data, sid, rid=rid)
            assert asked.code("", data, headers=headers, path=path) == code
    taken = {**told_of, "request_id": LI.id_number}
    assert asked.code("", taken, sid=APP, path=TOLD) == codes.MALFORMED.code


# --- repetitions


def test_a_repetition_gives_the_same_bytes_and_no_second_record(asked: AskedHub) -> None:
    body = asked.body(F09, LI)
    first, again = asked.post(F09, body), asked.post(F09, body)
    assert (again.status_code, again.content) == (200, first.content)
    assert len(recorded(asked)) == 1
    assert asked.execute("SELECT repeated FROM ledger.question_call ORDER BY repeated") == [
        (False,),
        (True,),
    ]


def test_another_body_under_the_same_id_is_a_conflict(asked: AskedHub) -> None:
    body = asked.body(F09, LI)
    assert asked.code(F09, body) == "00"
    assert asked.code(F09, {**body, "operator": "N0124"}) == codes.CONFLICT.code
    assert asked.post(F09, {**body, "operator": "N0124"}).status_code == 409


def test_a_repetition_that_would_say_something_else_is_refused(asked: AskedHub) -> None:
    known, unknown = asked.body(F09, LI), asked.body(F09, NOBODY)
    assert [asked.code(F09, b) for b in (known, unknown)] == ["00", "00"]
    asked.execute("UPDATE registry.hrss__card_master SET card_status = '2'")
    assert asked.code(F09, known) == codes.CHANGED.code
    assert asked.code(F09, unknown) == "00"
    asked.card(NOBODY)
    assert asked.code(F09, unknown) == codes.CHANGED.code


def test_a_repetition_comes_within_a_day(asked: AskedHub) -> None:
    body = asked.body(F09, LI)
    assert asked.code(F09, body) == "00"
    for now, code in (("25T10:00:00", "00"), ("25T10:00:01", codes.CHANGED.code)):
        asked.environment["ONECARD_NOW"] = f"2026-11-{now}+08:00"
        with asked.serving():
            assert asked.code(F09, body) == code
            assert asked.code(F09, {**body, "operator": "N0124"}) == codes.CONFLICT.code


def test_a_signed_call_is_taken_once_by_whichever_process(asked: AskedHub) -> None:
    body = json.dumps(asked.body(F09, LI)).encode()
    headers = asked.headers(f"/v1/{F09}/query", body, HIS)
    assert asked.code(F09, body, headers=headers) == "00"
    assert asked.code(F09, body, headers=headers) == codes.REPLAYED.code
    with asked.serving():
        assert asked.code(F09, body, headers=headers) == codes.REPLAYED.code
    assert len(recorded(asked)) == 1


# --- on record


def test_what_is_answered_is_on_record_and_proved(asked: AskedHub) -> None:
    bodies = [asked.body(F09, LI), asked.body(F10, NOBODY)]
    for agreement, body in zip((F09, F10), bodies, strict=True):
        assert asked.code(agreement, body) == "00"
    assert recorded(asked) == [(bodies[0]["request_id"], True), (bodies[1]["request_id"], False)]
    hub = asked.hub()
    with database.connect(asked.address, autocommit=True) as connection:
        verdict = question_audit.verify_all(connection, asked.home / "audit", hub.signer)
    assert verdict.ok, verdict.problem
    assert asked.execute("SELECT count(*) FROM ledger.audit WHERE kind = 'questions.recorded'") == [
        (2,)
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE ledger.question SET receipt = replace(receipt, 'N0123', 'N0999')", "receipt"),
        ("UPDATE ledger.question SET operator = 'N0999'", "receipt"),
        ("UPDATE ledger.question SET at = at - interval '1 hour'", "receipt"),
        ("UPDATE ledger.question SET receipt = 'none'", "receipts"),
        ("UPDATE ledger.question SET person = '\\x0000000000000000'", "receipt"),
        ("DELETE FROM ledger.question", "recorded"),
        ("DELETE FROM ledger.question_group", "missing"),
        ("UPDATE ledger.question_group SET statement = replace(statement, '2026', '2025')", "sign"),
        (COPIED, "not in the audit log"),
        (STRAY, "not in the audit log"),
        (WRITTEN, "cannot be read"),
    ],
)
def test_audit_verify_finds_a_record_that_was_changed(
    asked: AskedHub, change: str, says: str
) -> None:
    assert asked.code(F09, asked.body(F09, LI)) == "00"
    asked.execute(change.replace("%", "%%"))
    with database.connect(asked.address, autocommit=True) as connection:
        verdict = question_audit.verify_all(connection, asked.home / "audit", asked.hub().signer)
    assert not verdict.ok
    assert says in verdict.problem


def test_calls_that_come_together_share_one_entry(asked: AskedHub) -> None:
    with ThreadPoolExecutor(24) as pool:
        found = list(pool.map(lambda _: asked.result(F12, LI)["outcome"], range(20)))
    assert found == ["answered"] * 20
    ((groups, calls),) = asked.execute("SELECT count(*), sum(size) FROM ledger.question_group")
    assert calls == 20
    assert groups < 20


@pytest.mark.parametrize(
    "broken",
    [
        "ALTER TABLE ledger.question RENAME TO question_gone",
        "ALTER TABLE ledger.question_group ADD CHECK (size < 0) NOT VALID",
        "ALTER TABLE ledger.audit ADD CHECK (kind <> 'questions.recorded') NOT VALID",
    ],
)
def test_what_cannot_be_recorded_is_not_answered(asked: AskedHub, broken: str) -> None:
    assert asked.code(F09, asked.body(F09, LI)) == "00"
    asked.execute(broken)
    answer = asked.post(F09, asked.body(F09, LI))
    assert (answer.status_code, answer.json()) == (503, {"code": "50"})
    assert answer.headers["Retry-After"] == "1"


def test_without_a_sound_audit_log_nobody_is_answered(asked: AskedHub) -> None:
    body = asked.body(F09, LI)
    assert asked.code(F09, body) == "00"
    asked.execute("ALTER TABLE ledger.audit DISABLE TRIGGER ALL")
    asked.execute("UPDATE ledger.audit SET body = '{}' WHERE kind = 'questions.recorded'")

    def code() -> str:
        asked.execute("DELETE FROM ledger.question_count")  # a quota is none of the reasons
        return asked.code(F09, asked.body(F09, LI))

    until(lambda: code() != "00", "it is noticed")
    assert code() in (codes.BLOCKED.code, codes.UNAVAILABLE.code)


def test_while_the_log_cannot_be_anchored_nobody_is_answered(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[bool] = []
    kept = Keeper(asked.address, asked.hub().settings, lambda: asked.hub().signer)

    def full(*_what: object) -> None:
        before.append(kept.sound())
        msg = "no room"
        raise StorageError(msg)

    monkeypatch.setattr(keeper, "anchor", full)
    kept.beat()
    kept.beat()
    assert (before, kept.sound()) == ([False, False], False)
    monkeypatch.undo()
    kept.beat()
    assert kept.sound()


def test_refusals_are_counted_on_record_without_the_call(asked: AskedHub) -> None:
    for _ in range(3):
        assert asked.code(F09, asked.body(F09, LI, purpose="A7-04")) == codes.PURPOSE.code
    counted = "SELECT caller, agreement, code, calls FROM ledger.question_refusal"
    until(lambda: asked.execute(counted), "they are counted")
    until(lambda: asked.execute(counted) == [(HIS, F09, codes.PURPOSE.code, 3)], "all of them")


# --- the proof


def test_an_answer_is_verified_without_the_hubs_code(asked: AskedHub, tmp_path: Path) -> None:
    body = json.dumps(asked.body(F09, LI)).encode()
    answer = asked.post(F09, body)
    signer = asked.hub().signer
    assert answers.problem(answer.json(), body, signer.verify) == ""
    public = tmp_path / "keys.json"
    public.write_text(json.dumps(signer.public_keys()))
    (tmp_path / "request").write_bytes(body)

    def verified(content: bytes, request: bytes = body) -> int:
        (tmp_path / "answer.json").write_bytes(content)
        (tmp_path / "request").write_bytes(request)
        files = [tmp_path / "answer.json", public, tmp_path / "request"]
        command = [sys.executable, PAGE / "verify_answer.py", *files]
        return subprocess.run(command, check=False, capture_output=True).returncode

    assert verified(answer.content) == 0
    assert verified(answer.content, body + b" ") == 1
    for old, new in (
        (b'"card_status":"1"', b'"card_status":"2"'),
        (b'"sequence":7', b'"sequence":8'),
        (b"N0123", b"N0124"),
        (b'"salt":"', b'"salt":"0'),
        (answer.json()["signature"]["value"][:8].encode(), b"00000000"),
        (b'\\"size\\":1', b'\\"size\\":2'),
    ):
        changed = answer.content.replace(old, new)
        assert changed != answer.content, old
        assert verified(changed) == 1, old


def test_an_answer_that_lacks_anything_is_not_believed(asked: AskedHub) -> None:
    body = json.dumps(asked.body(F09, LI)).encode()
    answer, verify = asked.post(F09, body).json(), asked.hub().signer.verify
    for member in ("result", "receipt", "salt", "proof", "statement", "signature"):
        assert answers.problem({**answer, member: {}}, body, verify) != ""
        for inner in answer[member] if isinstance(answer[member], dict) else ():
            if member == "result" or inner == "size":
                continue
            lacking = {**answer, member: {**answer[member], inner: None}}
            assert answers.problem(lacking, body, verify) != "", (member, inner)


def test_an_answer_of_a_group_is_verified_too(asked: AskedHub) -> None:
    bodies = [json.dumps(asked.body(F12, LI)).encode() for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda b: asked.post(F12, b).json(), bodies))
    verify = asked.hub().signer.verify
    assert [answers.problem(a, b, verify) for a, b in zip(found, bodies, strict=True)] == [""] * 20
    assert answers.problem(found[0], bodies[1], verify) != ""


# --- residents


def test_a_resident_sees_who_asked_within_a_second(asked: AskedHub) -> None:
    assert asked.result(F09, LI)["outcome"] == "answered"
    entries = told(asked, LI.id_number)
    assert [(e["kind"], e["status"], e["fields"]) for e in entries] == [
        ("call", "answered", ["card_status", "card_no"])
    ]
    assert entries[0]["agency"] == "市卫生健康委员会"
    assert told(asked, NOBODY.id_number) == []


def told(asked: AskedHub, number: str, sid: str = APP) -> Any:
    body = {"request_id": f"resident-{number[-4:]}-1", "id_number": number}
    answer = asked.post("", body, sid=sid, path="/v1/disclosures")
    return answer.json().get("entries", answer.json()["code"])


def test_only_the_citys_app_asks_for_residents(asked: AskedHub) -> None:
    assert told(asked, LI.id_number, HIS) == codes.NO_AGREEMENT.code
    assert told(asked, "410199", APP) == codes.MALFORMED.code


def test_a_resident_is_told_of_agreements_whose_file_is_gone(
    asked: AskedHub, tmp_path: Path
) -> None:
    asked.result(F09, LI)
    before = told(asked, LI.id_number)
    root = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, root, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    (root / "agreements" / f"{F09}.yaml").unlink()
    asked.environment["ONECARD_SCHEMAS"] = str(root)
    with asked.serving():
        assert asked.code(F09, asked.body(F09, LI)) == codes.NO_AGREEMENT.code
        assert told(asked, LI.id_number) == before


def test_a_resident_is_told_through_tls_only(asked: AskedHub) -> None:
    path, body = "/v1/disclosures", {"request_id": "resident-1", "id_number": LI.id_number}
    data = json.dumps(body).encode()

    def code(**proxied: str) -> str:
        named = {f"X-Forwarded-{name}": value for name, value in proxied.items()}
        headers = asked.headers(path, data, APP) | named
        return asked.code("", data, headers=headers, path=path)

    assert code() == "00"
    assert code(For="192.0.2.7") == codes.BLOCKED.code
    assert code(For="192.0.2.7", Proto="https") == "00"


def test_a_lawful_delay_hides_an_entry_until_it_ends(asked: AskedHub) -> None:
    asked.result(F09, LI)
    delay = "INSERT INTO ledger.disclosure_delay (agreement, case_no, until, basis, actor) VALUES (%s, %s, %s, 'b', 'a')"
    asked.execute(delay, F09, CASES[F09], date(2026, 11, 25))
    assert told(asked, LI.id_number) == []
    (body,) = asked.execute("SELECT body FROM ledger.audit WHERE kind = 'resident.disclosures'")
    assert (json.loads(body[0])["entries"], json.loads(body[0])["delayed"]) == (0, 1)
    asked.environment["ONECARD_NOW"] = "2026-11-25T08:00:00+08:00"
    with asked.serving():
        assert len(told(asked, LI.id_number)) == 1


def test_housekeeping_makes_the_next_month_and_drops_what_is_kept_for_a_day(
    asked: AskedHub,
) -> None:
    assert asked.code(F09, asked.body(F09, LI)) == "00"
    kept = "SELECT (SELECT count(*) FROM ledger.question_call), (SELECT count(*) FROM"
    kept += " ledger.question_count), to_regclass('ledger.question_2026_12') IS NOT NULL"
    housekeeping.keep_house(asked.hub())
    assert asked.execute(kept) == [(1, 8, True)]
    asked.environment["ONECARD_NOW"] = "2026-11-26T10:00:01+08:00"
    housekeeping.keep_house(asked.hub())
    assert asked.execute(kept) == [(0, 0, True)]
    assert asked.execute("SELECT count(*) FROM ledger.question") == [(1,)]


# --- deliveries know of it


def test_nothing_is_delivered_under_an_agreement_of_calls(asked: AskedHub) -> None:
    with pytest.raises(PolicyError, match="answers calls"):
        asked.hub().deliver(F09).run()
