"""What the lane tries again, and when: edited texts, rejected rows, transfers that are held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from onecard.deliver.volumes import Volumes
from onecard.live import collecting
from onecard.live.collecting import CollectJob
from onecard.live.delivering import DeliverJob
from onecard.live.pace import Pace
from onecard.model.signoffs import SignOff
from onecard.operations.release import release
from onecard.ports.auditor import Finding
from onecard.ports.fakes import FakeRowGate
from onecard.ports.row_gate import Reason
from tests.unit.core.fake_hub import AGREEMENT, ECARDS, KNOWN, FakeHub, ecards
from tests.unit.live.test_jobs import desk_of, taken

DAY = Pace(whole=86_400.0, held=86_400.0)
AT_ONCE = Pace(whole=0.0, held=0.0)
EDITED = replace(
    KNOWN,
    contracts={**KNOWN.contracts, ECARDS: KNOWN.contract(ECARDS).model_copy(update={"lane": "x"})},
    agreements={
        **KNOWN.agreements,
        AGREEMENT: KNOWN.agreement(AGREEMENT).model_copy(update={"title": "another"}),
    },
)
BY = SignOff("值班员", "核对无误")
HELD = "SELECT count(*) FROM ledger.transfer WHERE status = 'held'"


@pytest.fixture
def hub(hub_database: str, tmp_path: Path) -> FakeHub:
    found = FakeHub.at(hub_database, tmp_path)
    found.with_people()
    found.offers(ecards(1))
    return found


def settled(hub: FakeHub, pace: Pace) -> CollectJob:
    """A collect job that has seen its source, which has not changed since."""
    job, lease = CollectJob(desk_of(hub), ECARDS, pace), taken(hub, f"collect {ECARDS}")
    hub.system.news = "1"
    job.run(lease)
    job.run(lease)
    return job


def test_a_text_that_is_edited_while_its_source_is_read_makes_the_lane_look_anew(
    hub: FakeHub,
) -> None:
    job, read = settled(hub, DAY), hub.system.read
    assert not job.due(woken=False)

    def edited(*arguments: Any) -> Any:
        job.adopt(desk_of(hub, EDITED))
        return read(*arguments)

    hub.system.read = edited  # type: ignore[method-assign]
    job.run(taken(hub, job.name))
    assert job.due(woken=False)
    job.adopt(desk_of(hub))
    assert job.due(woken=False), "another text is another source"


def test_a_desk_whose_text_is_the_same_makes_nothing_be_read_again(hub: FakeHub) -> None:
    job = settled(hub, DAY)
    job.adopt(desk_of(hub))
    assert not job.due(woken=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of the jobs' own clock."""
    now = [1000.0]
    monkeypatch.setattr(collecting, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_rejected_rows_are_read_again_while_they_lie_behind_the_watermark(
    hub: FakeHub, clock: list[float]
) -> None:
    overlap = KNOWN.contract(ECARDS).source.overlap.span.total_seconds()
    whole = overlap / 3
    pace = Pace(whole=whole)
    hub.rows = FakeRowGate({2: (Reason("sign_date", "sign_date_not_future"),)})
    hub.offers(ecards(1, 2))
    job = settled(hub, pace)
    lease, again = taken(hub, job.name), 0
    for _ in range(20):
        clock[0] += whole / 2
        if job.due(woken=False):
            again += 1
            job.run(lease)
    assert again == 2
    hub.system.news = "2"
    assert job.due(woken=False)
    hub.rows = FakeRowGate()
    job.run(lease)
    clock[0] += whole
    assert not job.due(woken=False), "all rows passed"


FAILED = Finding("shrinkage", "critical", passed=False, observed=0.1)


def test_a_collect_that_is_held_waits_for_news_or_a_word_and_ever_longer(hub: FakeHub) -> None:
    for pace, tried in ((DAY, False), (AT_ONCE, True)):
        hub.auditor.findings, hub.system.news = (), "1"
        job = settled(hub, pace)
        lease = taken(hub, job.name)
        hub.auditor.findings, hub.system.news = (FAILED,), "2"
        (before,) = hub.ask(HELD)[0]
        assert job.due(woken=False)
        assert job.run(lease) is False
        assert hub.ask(HELD) == [(before + 1,)]
        assert not job.due(woken=False)
        assert job.due(woken=True) is tried
        hub.system.news = "3"
        assert job.due(woken=False) is tried
        job.adopt(desk_of(hub, EDITED))
        assert job.due(woken=False), "another text is tried at once"


@pytest.fixture
def held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every delivery is unusual until a person has released one."""

    def refuse(volumes: Volumes, _counted: object) -> None:
        if not volumes._released():
            what = "many rows are due"
            raise volumes._hold(what)

    monkeypatch.setattr(Volumes, "refuse_rows", refuse)


def held_delivery(hub: FakeHub, pace: Pace) -> DeliverJob:
    hub.collect().run()
    job = DeliverJob(desk_of(hub), AGREEMENT, pace)
    assert job.due(woken=True)
    job.run(taken(hub, job.name))
    assert hub.ask(HELD) == [(1,)]
    return job


@pytest.mark.usefixtures("held_once")
def test_a_delivery_that_is_held_goes_on_when_a_person_releases_it(hub: FakeHub) -> None:
    job = held_delivery(hub, DAY)
    for woken in (False, True, False):
        assert not job.due(woken=woken)
    release(job._desk, str(hub.ask("SELECT max(id) FROM ledger.transfer")[0][0]), BY)
    assert job.due(woken=False)
    job.run(taken(hub, job.name))
    assert len(hub.system.arrived) == 1
    assert not job.due(woken=False)
    assert hub.ask(HELD) == [(1,)]


@pytest.mark.usefixtures("held_once")
def test_a_delivery_that_is_held_is_tried_again_after_a_publication_or_an_edit(
    hub: FakeHub,
) -> None:
    job = held_delivery(hub, AT_ONCE)
    assert not job.due(woken=False)
    assert job.due(woken=True)
    job.run(taken(hub, job.name))
    assert hub.ask(HELD) == [(2,)]
    assert not job.due(woken=False)
    job.adopt(desk_of(hub, EDITED))
    assert job.due(woken=False)


@pytest.mark.usefixtures("held_once")
def test_a_publication_is_not_forgotten_while_a_hold_is_waited_for(hub: FakeHub) -> None:
    job = held_delivery(hub, DAY)
    assert not job.due(woken=True)
    job._hold.until = 0.0
    assert job.due(woken=False)
