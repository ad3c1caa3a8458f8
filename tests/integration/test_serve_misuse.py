"""Misuse over real HTTP: who is suspended is not answered, and everybody hears of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from onecard.operations import alarm_file, attention, housekeeping
from onecard.operations.alarm_channels import SENDERS
from onecard.serve import codes, watch
from onecard.store import audit, database, persons, question_audit
from schemas.models import catalogue
from tests import forked, webhook
from tests.asked import APP, F09, F12, HIS, NOW, AskedHub, asked_hub, person
from tests.waiting import until

LI = person(1)
TOLD = "/v1/disclosures"
OPERATORS = ("operators: 6", "operators: 3")
SUSPENDED = (
    "INSERT INTO ledger.operator_suspension (agency, caller, operator, rule, at, until, number,"
    " allowed, agreements, line) VALUES ('health', %s, %s, 'order', %s, %s, 10, 10, '{}', 0)"
)


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        found.card(LI)
        yield found


def suspend(asked: AskedHub, operator: str, until_: str, caller: str = HIS) -> None:
    asked.execute(SUSPENDED, caller, operator, NOW, until_)


def code(asked: AskedHub, operator: str, agreement: str = F09) -> str:
    return asked.code(agreement, asked.body(agreement, LI, operator=operator))


def own_files(asked: AskedHub, folder: Path, *changes: tuple[str, str]) -> Path:
    """Schemas of this hub's own, with other rules; returns the file of rules."""
    root = folder / "schemas"
    shutil.copytree(catalogue.ROOT, root, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    file = root / "misuse.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    asked.environment["ONECARD_SCHEMAS"] = str(root)
    return file


def test_who_is_suspended_is_refused_before_the_registry_is_read(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    rows = persons.ask_rows

    def noted(*arguments: Any) -> persons.AskedRows:
        read.append(arguments)
        return rows(*arguments)

    monkeypatch.setattr(persons, "ask_rows", noted)
    suspend(asked, "N1", "2026-11-24T12:00:00+08:00")
    suspend(asked, "N2", "2026-11-24T12:00:00+08:00", caller="bank-payment")
    with asked.serving():
        answer = asked.post(F09, asked.body(F09, LI, operator="N1"))
        assert (answer.status_code, answer.json()) == (403, {"code": codes.SUSPENDED.code})
        assert read == []
        assert code(asked, "N2") == "00", "a number means something at its caller only"
        assert read, "else nothing was noted at all"
        assert code(asked, "n1") == "00"
        wrong = asked.body(F09, LI, operator="N1", case="XX20261124000123")
        assert asked.code(F09, wrong) == codes.CASE.code
    counted = "SELECT caller, agreement, calls FROM ledger.question_refusal WHERE code = %s"
    assert asked.execute(counted, codes.SUSPENDED.code) == [(HIS, F09, 1)]


def test_it_comes_before_quotas_and_for_repetitions_too(asked: AskedHub) -> None:
    body = asked.body(F09, LI, operator="N1")
    with asked.serving():
        assert asked.code(F09, body) == "00"
        asked.execute("UPDATE ledger.question_count SET calls = 1000000")
        assert code(asked, "N1") == codes.QUOTA_OPERATOR.code
        suspend(asked, "N1", "2026-11-24T12:00:00+08:00")
        assert code(asked, "N1") == codes.SUSPENDED.code
        assert asked.code(F09, body) == codes.SUSPENDED.code


def test_nothing_is_said_to_who_was_suspended_while_the_call_waited(asked: AskedHub) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND query LIKE '%%audit_head%%FOR UPDATE%%'"
    )
    with asked.serving(), ThreadPoolExecutor(1) as pool:
        with database.connect(asked.address) as other:
            audit.head(other, lock=True)
            answer = pool.submit(code, asked, "N1")
            until(lambda: asked.execute(waiting)[0][0] >= 2, "the call waits, and the keeper")
            other.execute(SUSPENDED.encode(), (HIS, "N1", NOW, "2026-11-24T12:00:00+08:00"))
            other.commit()
        assert answer.result() == codes.SUSPENDED.code
    assert asked.execute("SELECT count(*) FROM ledger.question") == [(0,)]


@pytest.mark.parametrize(
    ("now", "expected"),
    [("11:59:59", codes.SUSPENDED.code), ("12:00:00", "00")],
)
def test_it_ends_at_its_time(asked: AskedHub, now: str, expected: str) -> None:
    suspend(asked, "N1", "2026-11-24T12:00:00+08:00")
    asked.environment["ONECARD_NOW"] = f"2026-11-24T{now}+08:00"
    with asked.serving():
        assert code(asked, "N1") == expected


def test_calls_of_two_processes_add_up_and_lead_to_a_suspension(
    asked: AskedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    own_files(asked, tmp_path, OPERATORS)
    with asked.serving():
        assert [code(asked, operator) for operator in ("N1", "N2")] == ["00", "00"]
        with asked.serving():
            assert code(asked, "N3") == "00"
            until(lambda: code(asked, "N3") == codes.SUSPENDED.code, "the third is suspended")
            assert [code(asked, operator) for operator in ("N1", "N2")] == ["00", "00"]
    found = asked.execute(
        "SELECT agency, operator, rule, number, allowed, agreements FROM ledger.operator_suspension"
    )
    assert found == [("health", "N3", "person", 3, 3, [F09])]
    with database.connect(asked.address, autocommit=True) as connection:
        verdict = question_audit.verify_all(connection, asked.home / "audit", asked.hub().signer)
    assert verdict.ok, verdict.problem


def test_persons_in_order_are_known_by_their_series(
    asked: AskedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    own_files(asked, tmp_path, ("persons: 10", "persons: 4"))
    with asked.serving():
        for number in range(9):  # each of another day of birth
            who = person(number, born=date(1990, 5, 2 + number))
            assert asked.code(F09, asked.body(F09, who, operator="N2")) == "00"
        for number in range(3):
            assert asked.code(F09, asked.body(F09, person(number), operator="N1")) == "00"

        def fourth() -> str:
            return asked.code(F09, asked.body(F09, person(4), operator="N1"))

        assert fourth() == "00"
        until(lambda: fourth() == codes.SUSPENDED.code, "it is suspended")
        assert code(asked, "N2") == "00"
    assert asked.execute("SELECT operator, rule FROM ledger.operator_suspension") == [
        ("N1", "order")
    ]


def test_repetitions_and_refused_calls_are_not_watched(asked: AskedHub) -> None:
    body = asked.body(F12, LI)
    with asked.serving():
        assert [asked.code(F12, body) for _ in range(3)] == ["00"] * 3
        assert asked.code(F12, asked.body(F12, LI, case="XX")) == codes.MALFORMED.code
        assert asked.code(F12, {**body, "operator": "N0124"}) == codes.CONFLICT.code
    kept = "SELECT caller, operator, agreement, answered, length(person), length(series)"
    assert asked.execute(f"{kept} FROM ledger.question_watch") == [
        ("hf-withdrawal", "N0123", F12, False, 8, 8)
    ]
    same = (
        "SELECT count(*) FROM ledger.question_watch JOIN ledger.question USING (person, operator)"
    )
    assert asked.execute(same) == [(1,)]
    asked.environment["ONECARD_NOW"] = "2026-11-25T10:00:01+08:00"
    housekeeping.keep_house(asked.hub())
    assert asked.execute("SELECT count(*) FROM ledger.question_watch") == [(0,)]


def test_without_readable_rules_nobody_is_answered(asked: AskedHub, tmp_path: Path) -> None:
    file = own_files(asked, tmp_path)
    sound = file.read_text(encoding="utf-8")
    body = asked.body(F09, LI)  # repeated: it counts for no quota, however often it is asked
    with asked.serving():
        assert asked.code(F09, body) == "00"
        file.write_text(sound.replace("persons: 10", "persons: 1"), encoding="utf-8")
        until(lambda: asked.code(F09, body) == codes.UNAVAILABLE.code, "nobody is answered")
        told = {"request_id": "resident-1", "id_number": LI.id_number}
        assert asked.code("", told, sid=APP, path=TOLD) == codes.UNAVAILABLE.code
        assert requests.get(f"{asked.url}/readyz", timeout=60).status_code == 503
        file.write_text(sound, encoding="utf-8")
        until(lambda: asked.code(F09, body) == "00", "it goes on")


# --- who hears of it


def onecard(asked: AskedHub, *arguments: str) -> tuple[int, str]:
    done = forked.onecard(asked.variables, *arguments)
    return done.returncode, done.stdout + done.stderr


def test_a_person_lists_and_lifts_it(asked: AskedHub) -> None:
    suspend(asked, "N1", "2026-11-24T12:00:00+08:00")
    exit_code, said = onecard(asked, "misuse", "list", "--json")
    (line,) = json.loads(said)
    assert (exit_code, line["operator"], line["until"]) == (0, "N1", "2026-11-24T12:00:00+08:00")
    exit_code, said = onecard(asked, "misuse", "list")
    assert (exit_code, "health-his" in said, "2026-11-24 12:00:00" in said) == (0, True, True), said
    exit_code, said = onecard(asked, "status", "--json")
    (issue,) = [i for i in json.loads(said)["attention"] if i["kind"] == "misuse"]
    assert (exit_code, issue["subject"], issue["agency"]) == (0, "health-his N1 order", "health")
    lift = ("misuse", "lift", HIS, "--by", "值班科长", "--reason")
    assert onecard(asked, *lift, LI.id_number, "N1")[0] != 0, "a reason holds nobody's data"
    exit_code, said = onecard(asked, *lift, "核实为集中办理", "N9")
    assert (exit_code, "health-his N1" in said) == (2, True), said
    with asked.serving():
        assert code(asked, "N1") == codes.SUSPENDED.code
        assert onecard(asked, *lift, "核实为集中办理", "N1")[0] == 0
        assert code(asked, "N1") == "00"
    lifted = "SELECT lifted_by, reason FROM ledger.operator_suspension"
    assert asked.execute(lifted) == [("值班科长", "核实为集中办理")]
    entry = "SELECT actor, subject FROM ledger.audit WHERE kind = 'operator.released'"
    assert asked.execute(entry) == [("值班科长", HIS)]


def test_the_alarms_are_told_once_and_once_more_when_it_is_over(
    asked: AskedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "TELL_S", 0.05)
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    file = tmp_path / "alarms.yaml"
    file.write_text(f"channels: [{webhook.HOOK}]\n", encoding="utf-8")
    monkeypatch.setenv("ONECARD_ALARMS", str(file))
    with webhook.listening() as hook:
        for name, value in webhook.to_hook(hook).items():
            asked.environment[name] = value
        own_files(asked, tmp_path, OPERATORS)
        with asked.serving():
            for operator in ("N1", "N2", "N3"):
                assert code(asked, operator) == "00"
            until(lambda: hook.bodies, "the alarm is told")
            lift = ("misuse", "lift", HIS, "N3", "--by", "official", "--reason", "need")
            assert onecard(asked, *lift)[0] == 0
            until(lambda: len(hook.bodies) > 1, "its end is told")
    first, second = hook.bodies
    ((new,), ended) = first["new"], first["ended"]
    assert (new["kind"], new["subject"], ended) == ("misuse", "health-his N3 person", [])
    assert (new["who"], "onecard misuse lift health-his N3" in new["todo"]) == ("health", True)
    assert ([e["subject"] for e in second["ended"]], second["new"]) == ([new["subject"]], [])
    assert not any(value in json.dumps(hook.bodies) for value in LI.values)


def test_calls_that_nobody_looks_at_are_told(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unseen() -> list[str]:
        hub = asked.hub()
        with database.connect(asked.address, autocommit=True) as connection:
            return [i.subject for i in attention.issues(connection, hub, ["misuse"])]

    with monkeypatch.context() as patch:
        patch.setattr(watch.Watch, "look", lambda _: None)
        with asked.serving():
            assert code(asked, "N1") == "00"
    asked.environment["ONECARD_NOW"] = "2026-11-24T10:00:59+08:00"
    assert unseen() == []
    asked.environment["ONECARD_NOW"] = "2026-11-24T10:01:00+08:00"
    assert unseen() == [attention.SINGLE_CALLS]
    with asked.serving():
        pass  # looks once more when it ends
    assert unseen() == []


def test_alarms_of_this_kind_are_told_by_default() -> None:
    found = alarm_file.AlarmFile.model_validate(
        {"channels": [{"kind": "webhook", "connection": "alarm_hook"}]}
    )
    assert "misuse" in found.kinds
    assert set(SENDERS) == {"email", "webhook"}


# --- residents


@pytest.mark.parametrize(
    ("scope", "refusal"), [("caller", codes.QUOTA_CALLER), ("person", codes.QUOTA_PERSON)]
)
def test_looks_at_what_became_of_data_have_quotas(
    asked: AskedHub, scope: str, refusal: codes.Code
) -> None:
    allowed = getattr(catalogue.load().misuse.disclosures, scope).hour

    def look(number: str = LI.id_number) -> str:
        body = {"request_id": "resident-1", "id_number": number}
        return asked.code("", body, sid=APP, path=TOLD)

    with asked.serving():
        assert look() == "00"
        used = "UPDATE ledger.question_count SET calls = %s WHERE scope = %s AND span = 3600"
        asked.execute(used, allowed - 1, f"resident.{scope}")
        assert look() == "00"
        assert look() == refusal.code
        other = look(person(2).id_number)
        assert other == ("00" if scope == "person" else refusal.code)
        assert code(asked, "N1") == "00", "they count for no quota of an agreement"
    assert asked.execute(
        "SELECT count(*) FROM ledger.audit WHERE kind = 'resident.disclosures'"
    ) == [(3 if scope == "person" else 2,)]
    assert LI.id_number not in str(asked.execute("SELECT name FROM ledger.question_count"))


def test_the_quota_of_a_resident_is_held_between_calls_at_once(asked: AskedHub) -> None:
    allowed = catalogue.load().misuse.disclosures.person.hour

    def look(_: int) -> str:
        body = {"request_id": "resident-1", "id_number": LI.id_number}
        return asked.code("", body, sid=APP, path=TOLD)

    with asked.serving(), ThreadPoolExecutor(8) as pool:
        found = list(pool.map(look, range(allowed + 6)))
    assert found.count("00") == allowed
    assert found.count(codes.QUOTA_PERSON.code) == 6
