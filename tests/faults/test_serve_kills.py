"""The service is killed under load: every answer that a client got is on record, none twice."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from onecard.crypto import answers
from onecard.store import database, question_audit
from tests.asked import F09, F12, AskedHub, asked_hub, person
from tests.listening import Listening
from tests.sampling import how_often
from tests.waiting import until

CLIENTS = 6
QUICK_KILLS = 4
"""In `make test`."""
RANDOM_KILLS = int(os.environ.get("ONECARD_RANDOM_KILLS") or how_often(12, 500))
KILL_LOG = os.environ.get("ONECARD_KILL_LOG")
"""A file that gets, for each random kill, the last point that was reached (`make serve-kills`)."""
PEOPLE = [person(n) for n in range(1, 40)]


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        for who in PEOPLE:
            found.card(who)
            found.insert("hrss/employment_status", person_id18=who.id_number, emp_status="1")
        yield found


def serving(asked: AskedHub, folder: Path, **more: str) -> Listening:
    """`onecard serve` in a process of its own, which is asked from now on."""
    found = Listening.start({**asked.variables, **more}, folder, "serve")
    asked.url = found.url
    return found


class Load:
    """Clients that ask until they are told to stop, and keep what they were told."""

    def __init__(self, asked: AskedHub) -> None:
        self.asked, self.told = asked, list[tuple[bytes, str]]()
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _ask(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self.stop.is_set():
            agreement = chance.choice((F09, F12))
            who = chance.choice(PEOPLE)
            # A person has few operators, and an operator few persons: else they would be suspended.
            operator = f"N{PEOPLE.index(who):02}{chance.randrange(4)}"
            body = json.dumps(self.asked.body(agreement, who, operator=operator)).encode()
            self._until_told(agreement, body)

    def _until_told(self, agreement: str, body: bytes) -> None:
        """Repeat a request until it is answered, as docs/asking.md says."""
        while not self.stop.is_set():
            with suppress(requests.RequestException, ValueError):
                answer = self.asked.post(agreement, body)
                if answer.status_code == 200:
                    self.told.append((body, answer.text))
                    return
                assert answer.json()["code"] in ("50", "69"), answer.text
                if answer.json()["code"] == "69":
                    return
            time.sleep(0.01)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


def check(asked: AskedHub, told: list[tuple[bytes, str]]) -> None:
    """Each answer is proved and on record once; the record is that of the audit log."""
    signer = asked.hub().signer
    on_record = asked.execute("SELECT request_id, receipt FROM ledger.question")
    receipts = dict(on_record)
    assert len(receipts) == len(on_record), "a request is on record twice"
    for body, text in told:
        answer = json.loads(text)
        assert answers.problem(answer, body, signer.verify) == ""
        assert receipts[json.loads(body)["request_id"]] == answer["receipt"]
    with database.connect(asked.address, autocommit=True) as connection:
        verdict = question_audit.verify_all(connection, asked.home / "audit", signer)
    assert verdict.ok, verdict.problem


def note(trace: Path) -> None:
    """Write the last point that a killed process has reached where it is wanted; begin anew."""
    if KILL_LOG:
        reached = trace.read_text().split() if trace.exists() else []
        with Path(KILL_LOG).open("a", encoding="utf-8") as log:
            log.write((reached or ["before the first"])[-1] + "\n")
    trace.unlink(missing_ok=True)


@pytest.mark.timeout(900 + 30 * RANDOM_KILLS)
@pytest.mark.fault("F01", "the service killed under load: every answer is on record, none is twice")
@pytest.mark.parametrize(
    "kills", [QUICK_KILLS, pytest.param(RANDOM_KILLS - QUICK_KILLS, marks=pytest.mark.nightly)]
)
def test_what_was_answered_is_on_record_once_whenever_it_is_killed(
    asked: AskedHub, kills: int, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    more = {"ONECARD_TRACE_POINTS": str(trace)} if KILL_LOG else {}
    chance, process = random.Random(kills), serving(asked, tmp_path, **more)
    load = Load(asked)
    try:
        for _ in range(kills):
            before = len(load.told)
            until(lambda before=before: len(load.told) > before, "somebody is answered")  # type: ignore[misc]
            asked.execute("DELETE FROM ledger.question_count")  # no quota ends the load
            time.sleep(chance.uniform(0, 0.2))  # the moment of the kill is what varies
            process.kill()
            note(trace)
            process = serving(asked, tmp_path, **more)
    finally:
        load.end()
        code = process.end()
    assert code == 0
    assert load.told
    check(asked, load.told)


@pytest.mark.parametrize("point", ["before_record", "before_commit", "after_commit"])
def test_a_kill_at_each_step_of_recording_is_mended_by_a_repetition(
    asked: AskedHub, point: str, tmp_path: Path
) -> None:
    process = serving(asked, tmp_path, ONECARD_KILL_AT=f"questions.{point}")
    body = json.dumps(asked.body(F09, PEOPLE[0])).encode()
    with pytest.raises(requests.RequestException):
        asked.post(F09, body)
    assert process.gone() == -signal.SIGKILL
    assert len(asked.execute("SELECT 1 FROM ledger.question")) == (point == "after_commit")
    process = serving(asked, tmp_path)
    answer = asked.post(F09, body)
    assert answer.status_code == 200
    assert process.end() == 0
    check(asked, [(body, answer.text)])


def test_sigterm_answers_the_calls_in_hand(asked: AskedHub, tmp_path: Path) -> None:
    process = serving(asked, tmp_path)
    load = Load(asked)
    until(lambda: len(load.told) > 20, "they are answered")
    load.stop.set()
    assert process.end() == 0
    load.end()
    check(asked, load.told)
