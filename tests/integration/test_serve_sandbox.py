"""The sandbox: declared persons for systems that are being built, and no way to anybody else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onecard.crypto import answers
from onecard.serve import codes, sandbox
from onecard.serve.calls import Call
from onecard.serve.case import Reply
from onecard.serve.service import Service
from onecard.store import agreement_lives, database, persons, question_audit
from schemas.models import catalogue
from schemas.models.sandbox import SandboxPerson
from tests.asked import APP, F09, F10, F11, F12, SIDS, AskedHub, asked_hub, person
from tests.waiting import until

PEOPLE = catalogue.load().sandbox.people
FINE, LOST, NO_CARD, NO_ACCOUNT, CHILD, DEAD = PEOPLE
TRIAL = {F09: "health-sandbox", F10: "bank-sandbox", F11: "hf-sandbox", F12: "hf-sandbox"}
LI = person(1)
NONE: dict[str, object] = {"fields": {}, "outcome": "none", "sequence": None}
CARD = "hrss/card_master"
SAID_OF_FINE: dict[str, dict[str, object]] = {
    F09: {"card_status": "1", "card_no": "H90000001"},
    F10: {"bank_account": "match", "fin_status": "match"},
    F11: {"retired": "1", "retire_date": "1995-03-31"},
    F12: {"emp_status": "4", "end_date": "1995-03-31"},
}


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        found.card(LI)
        found.insert("hrss/pension_status", person_id18=LI.id_number, retired="1")
        found.insert("hrss/employment_status", person_id18=LI.id_number, emp_status="1")
        yield found


@pytest.fixture
def served(asked: AskedHub) -> Iterator[Service]:
    with asked.serving() as service:
        yield service


def about(agreement: str, who: SandboxPerson) -> dict[str, Any]:
    """What a body says of a person."""
    name = who.rows.get(CARD, {}).get("person_name", "无名")
    named = {"person_name": name} if agreement in (F09, F10) else {}
    found: dict[str, Any] = {"person": {"id_number": who.id_number, **named}}
    if agreement == F10:
        row = who.rows.get(CARD, {})
        found["values"] = {
            "bank_account": row.get("bank_account", "6222"),
            "fin_status": row.get("fin_status", "2"),
        }
    return found


def tried(asked: AskedHub, agreement: str, who: SandboxPerson, **changes: object) -> Any:
    """What the sandbox says of a person."""
    body = asked.body(agreement, **{**about(agreement, who), **changes})
    answer = asked.post(agreement, body, sid=TRIAL[agreement])
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def code(asked: AskedHub, body: dict[str, Any] | bytes, sid: str = TRIAL[F09], **more: Any) -> str:
    return asked.code(F09, body, sid=sid, **more)


# --- what is answered


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("agreement", TRIAL)
def test_each_agreement_has_somebody_to_try_it_with(asked: AskedHub, agreement: str) -> None:
    assert tried(asked, agreement, FINE) == {
        "fields": SAID_OF_FINE[agreement],
        "outcome": "answered",
        "sequence": {F09: 3, F10: 3, F11: 2, F12: 5}[agreement],
    }
    assert tried(asked, agreement, DEAD) == NONE


@pytest.mark.usefixtures("served")
def test_persons_are_declared_for_what_can_happen(asked: AskedHub) -> None:
    assert tried(asked, F09, LOST)["fields"]["card_status"] == "2"
    dotted = {"id_number": LOST.id_number, "person_name": " 测试•阿依古丽 "}
    assert tried(asked, F09, LOST, person=dotted)["outcome"] == "answered"
    other = {"id_number": LOST.id_number, "person_name": "测试阿依古丽"}
    assert tried(asked, F09, LOST, person=other) == NONE
    assert tried(asked, F10, LOST) == NONE
    assert [tried(asked, a, NO_CARD)["outcome"] for a in TRIAL] == [
        "none",
        "none",
        "answered",
        "answered",
    ]
    verified = tried(asked, F10, NO_ACCOUNT)["fields"]
    assert verified == {"bank_account": "undecidable", "fin_status": "match"}
    wrong = {"bank_account": "6222021701990000020", "fin_status": "1"}
    verified = tried(asked, F10, FINE, values=wrong)["fields"]
    assert verified == {"bank_account": "no_match", "fin_status": "no_match"}
    assert [tried(asked, a, CHILD)["outcome"] for a in TRIAL] == [
        "answered",
        "answered",
        "none",
        "none",
    ]


@pytest.mark.usefixtures("served")
def test_an_answer_has_the_form_of_a_real_one_and_says_that_it_is_none(asked: AskedHub) -> None:
    body = json.dumps(asked.body(F09, **about(F09, FINE))).encode()
    trial, real = asked.post(F09, body, sid=TRIAL[F09]), asked.post(F09, asked.body(F09, LI))
    assert answers.problem(trial.json(), body, asked.hub().signer.verify) == ""
    assert list(trial.json()) == list(real.json())
    assert dict(trial.headers).keys() == dict(real.headers).keys()
    tried_, given = (json.loads(a.json()["receipt"]) for a in (trial, real))
    assert set(tried_) == set(given) | {"profile"}
    assert (tried_["profile"], tried_["approvedBy"], tried_["versions"]) == ("sandbox", None, {})
    nobody = asked.post(F09, asked.body(F09, **about(F09, DEAD)), sid=TRIAL[F09])
    assert nobody.json()["result"] == NONE


# --- neither side meets the other


@pytest.mark.usefixtures("served")
def test_a_system_of_the_sandbox_reaches_no_resident(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    rows = persons.ask_rows

    def noted(*arguments: Any) -> persons.AskedRows:
        looked.append(arguments)
        return rows(*arguments)

    monkeypatch.setattr(persons, "ask_rows", noted)
    for agreement, sid in TRIAL.items():
        answer = asked.post(agreement, asked.body(agreement, LI), sid=sid)
        assert answer.json()["result"] == NONE
        assert not any(value in answer.text for value in LI.values)
    resident = {"request_id": "resident-1", "id_number": LI.id_number}
    for sid in TRIAL.values():
        assert asked.code("", resident, sid=sid, path="/v1/disclosures") == codes.NO_AGREEMENT.code
    assert looked == []
    assert asked.code(F09, asked.body(F09, LI)) == "00"
    assert looked, "else nothing was noted at all"


def test_whoever_looks_into_the_registry_refuses_the_sandbox(
    asked: AskedHub, served: Service
) -> None:
    systems = catalogue.load().callers

    def call(sid: str) -> Call:
        who = LI.name if sid == SIDS[F09] else FINE.rows[CARD]["person_name"]
        number = LI.id_number if sid == SIDS[F09] else FINE.id_number
        about = {"id_number": number, "person_name": who}
        body = json.dumps(asked.body(F09, person=about)).encode()
        return Call(sid, systems[sid], F09, "query", body, "00", f"rid-{sid}", "127.0.0.1", False)

    with database.connect(asked.address, autocommit=True) as connection:
        persons.prepare(connection)
        (reply,) = served.answer(connection, [call(TRIAL[F09])])
        assert reply == Reply(codes.NO_AGREEMENT)
        (reply,) = served.answer(connection, [call(SIDS[F09])])
        assert reply.code is codes.ANSWERED
        own = sandbox.Sandbox(asked.hub, served.keys, lambda: True)
        first, second = own.answer(connection, [call(SIDS[F09]), call(TRIAL[F09])])
    assert first == Reply(codes.NO_AGREEMENT)
    assert second.code is codes.ANSWERED


@pytest.mark.usefixtures("served")
def test_a_caller_never_meets_a_person_of_the_sandbox(asked: AskedHub) -> None:
    for agreement, sid in SIDS.items():
        for who in PEOPLE:
            body = asked.body(agreement, **about(agreement, who))
            answer = asked.post(agreement, body, sid=sid)
            assert answer.json()["result"] == NONE, (agreement, who.title_en)
    told = asked.post(
        "", {"request_id": "resident-1", "id_number": FINE.id_number}, sid=APP, path=TOLD
    )
    kinds = {(entry["kind"], entry["status"]) for entry in told.json()["entries"]}
    assert kinds == {("call", "none")}, "a resident's app is told of the calls of real systems only"


TOLD = "/v1/disclosures"


# --- every code on demand


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    "wished", [c for c in codes.CODES if c is not codes.ANSWERED], ids=lambda c: c.code
)
def test_each_code_is_given_on_demand_in_its_own_form(asked: AskedHub, wished: codes.Code) -> None:
    body = asked.body(F09, operator=f"sandbox-{wished.code}", **about(F09, FINE))
    answer = asked.post(F09, body, sid=TRIAL[F09])
    assert (answer.status_code, answer.content) == (
        wished.status,
        f'{{"code":"{wished.code}"}}'.encode(),
    )
    more = {
        401: {"WWW-Authenticate": "Platform-Signature"},
        405: {"Allow": "POST"},
        413: {"Connection": "close"},
        431: {"Connection": "close"},
        503: {"Retry-After": "1"},
    }.get(wished.status, {})
    assert {name: answer.headers.get(name) for name in more} == more
    real = asked.post(F09, asked.body(F09, LI, operator=f"sandbox-{wished.code}"))
    assert real.json()["code"] == "00", "a real call is not asked what it would like"


@pytest.mark.usefixtures("served")
def test_real_mistakes_have_their_codes_too_and_come_before_wishes(asked: AskedHub) -> None:
    sound = asked.body(F09, operator="sandbox-72", **about(F09, FINE))
    assert code(asked, sound) == "72"
    assert code(asked, {**sound, "purpose": "A7-04"}) == codes.PURPOSE.code
    assert code(asked, {**sound, "case": "XX20261124000123"}) == codes.CASE.code
    assert code(asked, {**sound, "more": 1}) == codes.MALFORMED.code
    assert code(asked, sound, sid=TRIAL[F10]) == codes.NO_AGREEMENT.code
    assert code(asked, sound, path=f"/v1/{F09}/verify") == codes.MODE.code
    assert code(asked, {**sound, "operator": "sandbox-99"}) == "00", "no such code: an operator"
    assert code(asked, {**sound, "operator": "sandbox-00", "request_id": "request-00"}) == "00"


@pytest.mark.usefixtures("served")
def test_repetitions_replays_and_conflicts_are_as_of_real_calls(asked: AskedHub) -> None:
    body = json.dumps(asked.body(F09, **about(F09, FINE))).encode()
    headers = asked.headers(f"/v1/{F09}/query", body, TRIAL[F09])
    first = asked.post(F09, body, headers=headers)
    assert first.status_code == 200
    assert asked.post(F09, body, headers=headers).json() == {"code": codes.REPLAYED.code}
    assert asked.post(F09, body, sid=TRIAL[F09]).content == first.content
    assert code(asked, body + b" ") == codes.CONFLICT.code


def test_a_system_has_its_rate(asked: AskedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "AT_ONCE", 3)
    monkeypatch.setattr(sandbox, "PER_SECOND", 0.01)
    with asked.serving():
        found = [code(asked, asked.body(F09, **about(F09, FINE))) for _ in range(5)]
        assert found == ["00"] * 3 + [codes.QUOTA_CALLER.code] * 2
        assert tried(asked, F10, FINE)["outcome"] == "answered", "another has its own"
        assert asked.code(F09, asked.body(F09, LI)) == "00"


# --- on record


@pytest.mark.usefixtures("served")
def test_it_is_on_record_as_sandbox_and_nowhere_else(asked: AskedHub) -> None:
    for agreement in TRIAL:
        assert tried(asked, agreement, FINE)["outcome"] == "answered"
    assert code(asked, asked.body(F09, operator="sandbox-60", **about(F09, FINE))) == "60"
    for table in ("question", "question_group", "question_count"):
        assert asked.execute(f"SELECT count(*) FROM ledger.{table}") == [(0,)], table
    entries = asked.execute(
        "SELECT subject, body FROM ledger.audit WHERE kind = 'sandbox.recorded'"
    )
    assert {subject for subject, _ in entries} == {"sandbox"}
    bodies = [json.loads(text) for _, text in entries]
    assert sum(body["size"] for body in bodies) == 4
    assert {sid for body in bodies for sid in body["callers"]} == set(TRIAL.values())
    resident = {"request_id": "resident-1", "id_number": FINE.id_number}
    assert asked.post("", resident, sid=APP, path=TOLD).json()["entries"] == []
    counted = "SELECT caller, agreement, code, calls FROM ledger.question_refusal"
    assert asked.code(F09, asked.body(F09, LI), sid=SIDS[F10]) == "61"
    until(lambda: bool(asked.execute(counted)), "the figures are written")
    assert asked.execute(counted) == [(SIDS[F10], F09, "61", 1)], "of real calls only"
    with database.connect(asked.address, autocommit=True) as connection:
        verdict = question_audit.verify_all(connection, asked.home / "audit", asked.hub().signer)
    assert verdict.ok, verdict.problem


@pytest.mark.usefixtures("served")
def test_it_is_open_before_an_approval_and_while_all_is_stopped(asked: AskedHub) -> None:
    with database.connect(asked.address, autocommit=True) as connection:
        agreement_lives.suspend(connection, catalogue.load().agreement(F09), "a", "b")
        agreement_lives.set_stop(connection, "*", "a", "b", stopped=True)
    assert asked.code(F09, asked.body(F09, LI)) == codes.STOPPED.code
    assert tried(asked, F09, FINE)["outcome"] == "answered"


def test_a_broken_file_of_persons_closes_the_sandbox_alone(asked: AskedHub, tmp_path: Path) -> None:
    root = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, root, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    file = root / "sandbox.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("410199", "410102"), encoding="utf-8")
    asked.environment["ONECARD_SCHEMAS"] = str(root)
    with asked.serving() as service:
        assert code(asked, asked.body(F09, **about(F09, FINE))) == codes.UNAVAILABLE.code
        assert asked.code(F09, asked.body(F09, LI)) == "00"
        assert service.ready()
