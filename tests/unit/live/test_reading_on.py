"""A source that says where it ends is read on from there, and what lies before it now and then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from onecard.base.connections import Connection
from onecard.errors import ProtocolError, SourceUnavailable
from onecard.live import collecting
from onecard.live.collecting import CollectJob
from onecard.live.pace import Pace
from onecard.ports.auditor import Finding
from onecard.ports.fakes import FakeReading, FakeRowGate, FakeSystem
from onecard.ports.news import SourcePlace, SourceState
from onecard.ports.row_gate import Reason
from onecard.ports.source import ReadRequest
from tests.unit.core.fake_hub import ECARDS, NOW, FakeHub, ecards
from tests.unit.live.test_jobs import desk_of, taken

PACE = Pace(whole=60.0, held=60.0)
WATERMARK = (
    "SELECT checkpoint ->> 'cursor' FROM ledger.dataset WHERE dataset = 'hrss/ecard_binding'"
)
ENDS = [SourcePlace((NOW - timedelta(minutes=n)).isoformat()) for n in (3, 2, 1)]
FAILED = Finding("shrinkage", "critical", passed=False, observed=0.1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of the job's own clock."""
    now = [1000.0]
    monkeypatch.setattr(collecting, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def hub(hub_database: str, tmp_path: Path, clock: list[float]) -> FakeHub:
    found = FakeHub.at(hub_database, tmp_path)
    found.with_people()
    earlier = pl.lit(NOW - timedelta(minutes=9), pl.Datetime("us", "UTC"))
    found.offers(ecards(1).with_columns(source_updated_at=earlier))
    found.system.news, found.system.end = "1", ENDS[0]
    return found


def settled(hub: FakeHub) -> CollectJob:
    """A job that has read all of its source, where nothing has come since."""
    job, lease = CollectJob(desk_of(hub), ECARDS, PACE), taken(hub, f"collect {ECARDS}")
    job.run(lease)
    job.run(lease)
    hub.system.requests.clear()
    hub.system.looks.clear()
    return job


def bounds(hub: FakeHub) -> list[str | None]:
    """From where the source was read since it was settled."""
    return [request.since for request in hub.system.requests]


def come(hub: FakeHub, job: CollectJob, *, news: str, end: SourcePlace = ENDS[1]) -> bool:
    """Something comes at the end; returns whether the job then reads."""
    hub.system.news, hub.system.end = news, end
    if not job.due(woken=False):
        return False
    job.run(taken(hub, job.name))
    return True


def test_where_nothing_has_come_only_the_end_is_looked_at(hub: FakeHub) -> None:
    job = settled(hub)
    assert not job.due(woken=False)
    assert hub.system.looks == [ENDS[0].since]


def test_what_comes_is_read_from_the_end_on_and_the_watermark_stays(hub: FakeHub) -> None:
    job, before = settled(hub), hub.ask(WATERMARK)
    hub.offers(ecards(2))
    assert come(hub, job, news="2")
    assert bounds(hub) == [ENDS[0].since]
    hub.offers(ecards(3))
    assert come(hub, job, news="3", end=ENDS[2])
    assert bounds(hub) == [ENDS[0].since, ENDS[1].since]
    assert hub.ask(WATERMARK) == before
    assert hub.ask("SELECT count(*) FROM registry.hrss__ecard_binding") == [(3,)]
    assert not job.due(woken=False)


def test_all_behind_the_watermark_is_read_once_a_minute_while_anything_comes(
    hub: FakeHub, clock: list[float]
) -> None:
    job = settled(hub)
    for number in range(2, 9):
        clock[0] += 25.0
        hub.offers(ecards(number))
        assert come(hub, job, news=str(number))
    whole = [since for since in bounds(hub) if since not in {p.since for p in ENDS}]
    assert len(whole) == 2
    clock[0] += 25.0
    assert not job.due(woken=True), "what is read on leaves nothing to look at before its minute"
    clock[0] += 60.0
    hub.system.requests.clear()
    assert job.due(woken=False), "the last minute's late rows"
    job.run(taken(hub, job.name))
    assert bounds(hub)[0] not in {place.since for place in ENDS}
    clock[0] += 120.0
    assert not job.due(woken=False)


def test_a_row_that_comes_late_is_found_within_the_minute_or_by_a_wake_up(
    hub: FakeHub, clock: list[float]
) -> None:
    for woken in (False, True):
        job = settled(hub)
        clock[0] += 1.0
        assert not job.due(woken=False)
        hub.system.late += "late"
        hub.offers(ecards(8, 9))
        assert not job.due(woken=False), "the end is the same"
        clock[0] += 0.0 if woken else 60.0
        assert job.due(woken=woken)
        job.run(taken(hub, job.name))
        assert bounds(hub)[-1] not in {place.since for place in ENDS}
        assert not job.due(woken=False)


def test_a_reading_that_failed_is_done_again_from_the_same_place(hub: FakeHub) -> None:
    job = settled(hub)
    hub.offers(ecards(2), fails=SourceUnavailable("it is away"))
    with pytest.raises(SourceUnavailable):
        come(hub, job, news="2")
    hub.offers(ecards(2))
    assert come(hub, job, news="2")
    assert bounds(hub) == [ENDS[0].since] * 2
    assert hub.ask("SELECT count(*) FROM registry.hrss__ecard_binding") == [(2,)]


@pytest.mark.parametrize(
    ("error", "times"), [(ProtocolError("no such cursor"), 1), (SourceUnavailable("HTTP 500"), 3)]
)
@pytest.mark.parametrize("at", ["look", "reading"])
def test_a_source_that_forgets_where_it_ended_is_read_from_the_watermark_again(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, error: Exception, times: int, at: str
) -> None:
    job, looks, reads = settled(hub), FakeSystem.state, FakeSystem.read

    def state(system: FakeSystem, connection: Connection, request: ReadRequest) -> SourceState:
        if at == "look" and request.since == ENDS[0].since:
            raise error
        return looks(system, connection, request)

    def read(system: FakeSystem, connection: Connection, request: ReadRequest) -> FakeReading:
        found = reads(system, connection, request)
        gone = at == "reading" and request.since == ENDS[0].since
        return replace(found, fails=error) if gone else found

    monkeypatch.setattr(FakeSystem, "state", state)
    monkeypatch.setattr(FakeSystem, "read", read)
    hub.offers(ecards(2))
    hub.system.news = "2"
    for _ in range(times):
        with pytest.raises(type(error)):
            come(hub, job, news="2", end=ENDS[0])
    assert come(hub, job, news="2")
    assert bounds(hub)[-1] != ENDS[0].since
    assert hub.ask("SELECT count(*) FROM registry.hrss__ecard_binding") == [(2,)]


def test_another_process_begins_with_all_behind_the_watermark(hub: FakeHub) -> None:
    job = settled(hub)
    hub.offers(ecards(2))
    assert come(hub, job, news="2")
    other = CollectJob(desk_of(hub), ECARDS, PACE)
    assert other.due(woken=False)
    hub.system.requests.clear()
    other.run(taken(hub, other.name))
    assert bounds(hub)[0] not in {place.since for place in ENDS}


def test_an_end_in_the_future_hides_nothing(hub: FakeHub) -> None:
    ahead = SourcePlace((NOW + timedelta(days=1)).isoformat())
    hub.system.end = ahead
    job = settled(hub)
    hub.system.looks.clear()
    hub.system.news = "2"
    assert job.due(woken=False)
    assert hub.system.looks == [NOW.isoformat()]


def test_rows_that_were_rejected_while_reading_on_are_read_again(
    hub: FakeHub, clock: list[float]
) -> None:
    job = settled(hub)
    hub.rows = FakeRowGate({1: (Reason("sign_date", "sign_date_not_future"),)})
    hub.offers(ecards(2))
    assert come(hub, job, news="2")
    hub.rows = FakeRowGate()
    clock[0] += 60.0
    assert job.due(woken=False)
    job.run(taken(hub, job.name))
    assert hub.ask("SELECT count(*) FROM registry.hrss__ecard_binding") == [(2,)]


def test_after_a_hold_all_behind_the_watermark_is_read(
    hub: FakeHub, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = settled(hub)
    hub.auditor.findings = (FAILED,)
    hub.offers(ecards(2))
    assert come(hub, job, news="2")
    hub.auditor.findings = ()
    assert not job.due(woken=False)
    monkeypatch.setattr(job._hold, "until", 0.0)
    hub.system.requests.clear()
    hub.offers(ecards(2, 3))
    assert come(hub, job, news="3")
    assert bounds(hub)[0] not in {place.since for place in ENDS}
    assert hub.ask("SELECT count(*) FROM registry.hrss__ecard_binding") == [(3,)]


def test_a_page_is_part_of_the_place(hub: FakeHub) -> None:
    hub.system.end = replace(ENDS[0], page="p7")
    job = settled(hub)
    assert come(hub, job, news="2")
    assert [request.page for request in hub.system.requests] == ["p7"]


def test_more_than_one_look_has_seen_is_read_on_without_another(
    hub: FakeHub, clock: list[float]
) -> None:
    job = settled(hub)
    hub.system.more = True
    clock[0] += 120.0
    assert come(hub, job, news="2") is True
    hub.system.requests.clear()
    assert job.due(woken=False), "pages follow"
    job.run(taken(hub, job.name))
    assert bounds(hub) == [ENDS[1].since], "from where the last look has ended"
    assert not job.due(woken=False), "a source that says so of the same place for ever"
