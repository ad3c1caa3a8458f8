"""F46: wake-ups and notifications of the live lane that are lost, forged, replayed, or too many.

A wake-up is only a reason to look. What does not come costs a second; what comes without a right
leads to nothing; a thousand a second cost looks, and no collect.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection

import pytest
import requests

from onecard.base.platform_signature import Credential, SignatureForm, signature, signed_headers
from onecard.live.pace import Pace
from onecard.store import database, notifications
from tests.cities import Cities
from tests.faults.lane_process import PACE, LaneProcess, none_left
from tests.faults.lane_town import EVENTS, LaneTown, settled
from tests.sampling import how_often
from tests.waiting import until

CALLS = how_often(1_000, 10_000)
CALLERS = 4
COLLECTS = "SELECT count(*) FROM ledger.transfer WHERE direction = 'collect' AND subject = %s"
DEAFENED = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND query LIKE 'LISTEN %%' AND pid <> pg_backend_pid()"
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[LaneTown]:
    home = tmp_path_factory.mktemp("lane-wakes")
    with cities.start(home / "stage", persons=300, seed=5) as stage, settled(stage, home) as found:
        yield found


@pytest.fixture
def pace() -> Pace:
    """Of the lane, where a test does not have its own."""
    return PACE


@pytest.fixture
def lane(town: LaneTown, pace: Pace) -> Iterator[LaneProcess]:
    """A process with its door open, that has its leases and nothing to do."""
    running = town.lane(door=True, pace=pace)
    with none_left(running):
        until(lambda: town.works(running), "its leases")
        town.report()
        town.arrived()
        yield running
        town.report()
        town.arrived()
        running.end()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()


def agency(town: LaneTown, key: str = "") -> Credential:
    """The agency's own credential, or one with another key."""
    known = json.loads(town.stage.environment["AIRFLOW_CONN_HRSS_WAKE"])
    return Credential(known["login"], (key or known["password"]).encode(), SignatureForm())


def call(lane: LaneProcess, headers: dict[str, str]) -> tuple[int, str]:
    """Status and code of the answer to a call."""
    url = f"http://127.0.0.1:{lane.port}/events/{EVENTS}"
    answer = requests.post(url, headers=headers, timeout=30)
    return answer.status_code, answer.json()["code"]


@pytest.mark.fault("F46", "no wake-up comes and no notification is heard: all arrives by the look")
def test_wake_ups_and_notifications_that_are_lost(town: LaneTown, lane: LaneProcess) -> None:
    for _ in range(5):
        town.report()
        town.number(DEAFENED)
        town.arrived()


@pytest.mark.fault("F46", "forged, of another's dataset or replayed: refused, and nothing is read")
@pytest.mark.parametrize("pace", [replace(PACE, whole=3600.0)], ids=["no whole reading"])
def test_wake_ups_that_are_forged_or_replayed(town: LaneTown, lane: LaneProcess) -> None:
    before = town.number(COLLECTS, EVENTS)
    good = signed_headers(agency(town))
    assert call(lane, signed_headers(agency(town, "another key of 16"))) == (401, "40")
    assert call(lane, {}) == (401, "40")
    assert call(lane, good)[1] in {"00", "01"}
    for _ in range(3):
        assert call(lane, good) == (409, "42")
    assert town.number(COLLECTS, EVENTS) == before
    with database.connect(town.address, autocommit=True) as connection:
        for dataset in ("hrss/card_master", "no/such", "", EVENTS):  # by whoever may log in there
            notifications.tell_woken(connection, dataset)
    town.report()
    town.arrived()


@pytest.mark.fault("F48", "a caller whose clock is ten minutes off is refused; its news arrive")
@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_caller_whose_clock_is_off(town: LaneTown, lane: LaneProcess, minutes: int) -> None:
    credential = agency(town)
    rid, rtime = f"off-{minutes}", str(round((time.time() + 60 * minutes) * 1000))
    values = {"sid": credential.sid, "rid": rid, "rtime": rtime}
    values["sign"] = signature(credential, rid, rtime)
    headers = {credential.form.header_prefix + name: value for name, value in values.items()}
    town.report()
    assert call(lane, headers) == (401, "41")
    town.arrived()


@pytest.mark.fault("F46", "thousands of calls at once: answered, bounded, and the lane goes on")
def test_a_thousand_wake_ups_a_second(town: LaneTown, lane: LaneProcess) -> None:
    answers: Counter[str] = Counter()
    lock, before = threading.Lock(), town.number(COLLECTS, EVENTS)

    def caller(credential: Credential) -> None:
        link, found = HTTPConnection("127.0.0.1", lane.port, timeout=30), Counter[str]()
        for _ in range(CALLS // CALLERS):
            link.request("POST", f"/events/{EVENTS}", headers=signed_headers(credential))
            found[json.loads(link.getresponse().read())["code"]] += 1
        link.close()
        with lock:
            answers.update(found)

    keys = ("", "", "", "another key of 16")
    threads = [threading.Thread(target=caller, args=(agency(town, key),)) for key in keys]
    for thread in threads:
        thread.start()
    town.report()
    town.arrived()
    for thread in threads:
        thread.join()
    assert answers.total() == CALLS
    assert set(answers) <= {"00", "01", "40", "44", "45"}
    assert answers["00"] + answers["01"] >= 1
    assert answers["45"] > 0, "its rate is bounded"
    assert answers["40"] + answers["44"] == CALLS // CALLERS
    until(lambda: requests.get(f"http://127.0.0.1:{lane.port}/readyz", timeout=30).ok, "readiness")
    assert town.number(COLLECTS, EVENTS) <= before + 10, "looks, and no collects"
