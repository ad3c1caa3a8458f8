"""Figures of calls: counted at the door, added up in the ledger, shown by every face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from onecard.base.times import ZONE
from onecard.daemon.serving import serve
from onecard.model.call_figures import AnsweredCalls, RefusedCalls
from onecard.operations import attention, calls, housekeeping
from onecard.serve import codes
from onecard.serve.door import create_app
from onecard.serve.keeper import Keeper
from onecard.serve.metrics import create_page
from onecard.serve.service import Service
from onecard.store import call_figures, database, expiry, retention
from onecard.store.call_figures import Timed
from onecard.store.question_counts import Refused
from tests import forked
from tests.asked import APP, BANK, F09, F10, F11, FUND, HIS, AskedHub, asked_hub, person
from tests.waiting import until

LI, NOBODY = person(1), person(900)
NOW = datetime(2026, 11, 24, 10, tzinfo=ZONE)
TIMED = (
    "SELECT agreement, caller, found, sum(calls)::int FROM ledger.question_time GROUP BY 1, 2, 3"
)
REFUSED = "SELECT agreement, caller, code, calls::int FROM ledger.question_refusal"


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        found.card(LI)
        yield found


def look_up(asked: AskedHub) -> int:
    body = {"request_id": "resident-0001", "id_number": LI.id_number}
    return asked.post("", body, sid=APP, path="/v1/disclosures").status_code


def test_every_call_is_counted_by_how_it_ended(asked: AskedHub) -> None:
    with asked.serving():
        body = json.dumps(asked.body(F09, LI)).encode()
        assert [asked.code(F09, body) for _ in range(2)] == ["00", "00"]  # the second a repetition
        assert asked.result(F09, NOBODY)["outcome"] == "none"
        assert asked.result(F10, LI)["outcome"] == "answered"
        assert look_up(asked) == 200
        assert asked.code(F09, asked.body(F09, LI, purpose="A7-04")) == codes.PURPOSE.code
        assert asked.code(F10, asked.body(F10, LI), sid=HIS) == codes.NO_AGREEMENT.code
        assert asked.code("f99-nobody-has-it", asked.body(F09, LI)) == codes.NO_AGREEMENT.code
        for _ in range(3):
            assert asked.code(F09, b"{}", headers={"x": "y"}) == codes.NOT_PROVED.code
        health = requests.get(asked.url + "/v1/health", timeout=60).json()
    # the end of a process adds what it has not added yet
    assert set(asked.execute(TIMED)) == {
        (F09, HIS, True, 2),
        (F09, HIS, False, 1),
        (F10, BANK, True, 1),
        ("", APP, True, 1),
    }
    assert set(asked.execute(REFUSED)) == {
        (F09, HIS, codes.PURPOSE.code, 1),
        (F10, HIS, codes.NO_AGREEMENT.code, 1),
        ("", HIS, codes.NO_AGREEMENT.code, 1),
        ("", "", codes.NOT_PROVED.code, 3),
    }
    assert (health["answered"], health["refused"]) == (5, {"40": 3, "61": 2, "64": 1})
    shown = health["milliseconds"]
    assert 0 < shown["p50"] <= shown["p95"] <= shown["p99"] <= 60_000
    assert set(health) == {"answered", "milliseconds", "ready", "refused"}


def test_an_answer_that_says_nothing_takes_its_steps_in_the_figures_too(asked: AskedHub) -> None:
    with asked.serving():
        assert asked.result(F09, NOBODY)["outcome"] == "none"
    assert all(
        bound >= 25 for (bound,) in asked.execute("SELECT at_most_ms FROM ledger.question_time")
    )


def test_several_processes_add_up(asked: AskedHub) -> None:
    with asked.serving():
        first = asked.url
        with asked.serving():
            for number, url in enumerate((first, asked.url, first)):
                asked.url = url
                assert asked.code(F09, asked.body(F09, LI, operator=f"N{number:04}")) == "00"
    assert asked.execute(TIMED) == [(F09, HIS, True, 3)]


def kept(asked: AskedHub) -> Keeper:
    """A keeper whose beats a test decides."""
    return Keeper(asked.address, asked.hub().settings, lambda: asked.hub().signer)


def test_a_flood_is_one_statement_a_second_and_a_beat_that_fails_loses_nothing(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, written = kept(asked), []
    add = call_figures.add

    def noted(*of: Any) -> None:
        written.append(len(of[2]))
        add(*of)

    monkeypatch.setattr(call_figures, "add", noted)
    for _ in range(5_000):
        keeper.figures.refused(codes.FAILED_TOO_OFTEN, "", "")
        keeper.figures.answered(F09, HIS, 0.03, found=True)
    asked.execute("ALTER TABLE ledger.question_refusal RENAME TO gone")
    keeper.beat()
    assert asked.execute(TIMED) == [], "both or none"
    asked.execute("ALTER TABLE ledger.gone RENAME TO question_refusal")
    keeper.figures.answered(F09, HIS, 0.03, found=True)
    keeper.beat()
    keeper.beat()
    assert asked.execute(TIMED) == [(F09, HIS, True, 5_001)]
    assert asked.execute(REFUSED) == [("", "", codes.FAILED_TOO_OFTEN.code, 5_000)]
    assert written == [1, 1, 0]


def filled(asked: AskedHub) -> None:
    """Calls of today, of the week before, of a month ago and of the night between two days."""
    midnight = NOW.replace(hour=0)
    with database.connect(asked.address, autocommit=True) as connection:
        for back, number in ((0, 7), (24 * 3, 5), (24 * 20 + 3, 3), (24 * 20 + 4, 2)):
            at = midnight - timedelta(hours=back)
            timed = {
                Timed(at, F09, HIS, True, 25): number,
                Timed(at, F09, HIS, False, 1_000): 1,
                Timed(at, F11, FUND, True, 800): number,
            }
            refused = {Refused(at, HIS, F09, "66"): number, Refused(at, "", "", "40"): 2}
            call_figures.add(connection, timed, refused)


def test_days_are_folded_and_their_sums_stay(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(asked)
    midnight = NOW.replace(hour=0)

    def sums() -> list[object]:
        with database.connect(asked.address, autocommit=True) as connection:
            days = [midnight - timedelta(days=back) for back in range(30, -2, -1)]
            spans = list(pairwise(days))
            return [
                *(call_figures.answered_calls(connection, *span) for span in spans),
                *(call_figures.refused_calls(connection, *span) for span in spans),
            ]

    before, hours = sums(), "SELECT count(DISTINCT since) FROM ledger.question_time"
    assert asked.execute(hours) == [(4,)]
    with database.connect(asked.address, autocommit=True) as connection:
        for _ in range(2):
            housekeeping.fold_figures(asked.hub(), connection)
    assert sums() == before
    assert asked.execute(hours) == [(3,)]
    assert asked.execute("SELECT count(DISTINCT hour) FROM ledger.question_refusal") == [(3,)]
    with database.connect(asked.address, autocommit=True) as connection:
        monkeypatch.setattr(retention, "oldest_month", lambda _: date(2026, 11, 4))
        expiry.expire(connection, NOW)
    assert asked.execute("SELECT sum(calls)::int FROM ledger.question_time") == [(26,)]


def test_lately_is_a_line_for_each_who_may_ask_and_each_who_tried(asked: AskedHub) -> None:
    filled(asked)
    with database.connect(asked.address, autocommit=True) as connection:
        at = NOW.replace(hour=9)
        call_figures.add(connection, {}, {Refused(at, BANK, F09, "61"): 4})
        known = asked.hub().catalogue
        found = calls.lately(connection, known, NOW)
        broken = replace(known, root=asked.home)
        (asked.home / "callers.yaml").write_text("callers: nobody\n")
        without = calls.lately(connection, broken, NOW)
    lines = {(line.name[:3], line.caller): line for line in found.lines}
    assert set(lines) == {
        *(("f09", HIS), ("f09", BANK), ("f10", BANK), ("f11", FUND), ("f12", FUND), ("", APP)),
    }
    assert list(lines)[-1] == ("", APP)
    his = lines["f09", HIS]
    assert his.answered == AnsweredCalls(F09, HIS, 7, 1, {25: 7, 1_000: 1})
    assert (his.refused, his.in_time, his.kept) == (7, 7, False), "7 of 8 are less than 95%"
    assert (lines["f11", FUND].in_time, lines["f11", FUND].kept) == (7, True)
    assert lines["f09", BANK].refusals == (RefusedCalls(F09, BANK, "61", 4),)
    assert (lines["f10", BANK].called, lines["f10", BANK].kept) == (False, True)
    assert RefusedCalls("", "", "40", 2) in found.refused
    told = {(line.name[:3], line.caller) for line in without.lines}
    assert told == {("f09", HIS), ("f09", BANK), ("f11", FUND)}, "a broken file hides no call"


def test_an_agreement_that_breaks_its_promise_is_slow(asked: AskedHub) -> None:
    hub = asked.hub()
    with database.connect(asked.address, autocommit=True) as connection:

        def slow() -> list[tuple[str, int]]:
            return [(i.subject, i.times) for i in attention.issues(connection, hub, ("slow",))]

        at = NOW.replace(hour=9)
        call_figures.add(connection, {Timed(at, F09, HIS, False, 1_000): 10}, {})
        assert slow() == [], "ten answers say little"
        call_figures.add(connection, {Timed(at, F09, HIS, True, 800): 180}, {})
        assert slow() == [(F09, 10)], "180 of 190 are less than 95%"
        assert "10 of 190 answers" in attention.issues(connection, hub, ("slow",))[0].says
        call_figures.add(connection, {Timed(at, F09, BANK, True, 5): 10}, {})
        assert slow() == [], "190 of 200 are not"


def test_the_command_shows_calls_in_every_form(asked: AskedHub) -> None:
    filled(asked)

    def run(*options: str) -> str:
        done = forked.onecard(asked.variables | {"COLUMNS": "250"}, "status", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = json.loads(run("--json"))["calls"]
    (line,) = [x for x in said["answered"] if x["caller"] == HIS]
    assert line == {
        "agreement": F09,
        "caller": HIS,
        "answered": 7,
        "none": 1,
        "refused": 7,
        "p50_ms": 25,
        "p95_ms": 1_000,
        "p99_ms": 1_000,
        "promise": "p95 800ms",
        "within_promise": 7,
        "kept": False,
    }
    assert {"agreement": "", "caller": "", "code": "40", "calls": 2} in said["refused"]
    text = run("--prometheus")
    assert f'onecard_calls{{agreement="{F09}",caller="{HIS}",outcome="answered"}} 7.0' in text
    assert f'onecard_calls_refused{{agreement="{F09}",caller="{HIS}",code="66"}} 7.0' in text
    where = f'agreement="{F09}",caller="{HIS}",quantile="0.95"'
    assert f"onecard_call_seconds{{{where}}} 1.0" in text
    assert f'onecard_call_promise_seconds{{agreement="{F09}",caller="{HIS}"}} 0.8' in text
    assert f'onecard_calls_within_promise{{agreement="{F09}",caller="{HIS}"}} 7.0' in text
    page = run()
    assert "calls about single persons of the last 24 h" in page
    assert "this operator has used up the quota" in page
    assert "7/8" in page


def test_the_page_for_prometheus_stands_beside_the_door(asked: AskedHub) -> None:
    with asked.serving() as service:
        page = serve(create_page(service), "127.0.0.1", 0)
        try:
            assert asked.code(F09, asked.body(F09, LI)) == "00"
            assert asked.code(F09, b"{}", headers={"x": "y"}) == codes.NOT_PROVED.code
            answer = requests.get(f"http://127.0.0.1:{page.port}/metrics", timeout=60)
            assert requests.get(f"{asked.url}/metrics", timeout=60).status_code == 404
        finally:
            page.close()
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    labels = f'agreement="{F09}",caller="{HIS}",outcome="answered"'
    assert f"onecard_serve_calls_total{{{labels}}} 1.0" in answer.text
    assert 'onecard_serve_refused_total{agreement="",caller="",code="40"} 1.0' in answer.text
    assert not any(value in answer.text for value in LI.values)


@pytest.mark.parametrize(
    ("proxies", "code"),
    [
        (("127.0.0.1",), codes.BLOCKED.code),
        (("127.0.0.0/8",), codes.BLOCKED.code),
        (("172.18.0.0/16",), "00"),
    ],
)
def test_only_a_proxy_that_is_named_is_believed(
    asked: AskedHub, proxies: tuple[str, ...], code: str
) -> None:
    """PR-20: what came to a believed proxy in the clear from elsewhere is not answered."""
    service = Service(asked.hub)
    service.start()
    door = serve(create_app(service), "127.0.0.1", 0, proxies)
    asked.url = f"http://127.0.0.1:{door.port}"
    try:
        until(service.ready, "it is ready")
        data = json.dumps(asked.body(F09, LI)).encode()
        says = {"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "http"}
        headers = asked.headers(f"/v1/{F09}/query", data, HIS) | says
        assert asked.code(F09, data, headers=headers) == code
    finally:
        door.close()
        service.end()
