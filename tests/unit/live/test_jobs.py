"""The lane's work on a hub of fakes: when it is due, what it leaves behind, what a fence stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from onecard.base import timeouts
from onecard.collect.run import Collect
from onecard.deliver.run import Deliver
from onecard.errors import PolicyError, SupersededError
from onecard.live.collecting import CollectJob
from onecard.live.delivering import DeliverJob
from onecard.live.job import LaneDesk, under
from onecard.live.pace import Pace
from onecard.store import agreement_lives, database, leases
from onecard.store.leases import Guard, Lease
from schemas.models.catalogue import Catalogue
from tests.unit.core.fake_hub import AGREEMENT, ECARDS, KNOWN, FakeHub, ecards

PACE = Pace(whole=3600.0)
TRACES = "SELECT (SELECT count(*) FROM ledger.transfer), (SELECT count(*) FROM ledger.audit)"


@dataclass(frozen=True)
class Desk:
    """The fake hub as the lane sees it."""

    hub: FakeHub
    catalogue: Catalogue = KNOWN
    read_back = ()

    @property
    def address(self) -> str:
        return self.hub.address

    def guarded(self, guard: Guard, holder: str) -> LaneDesk:
        address = timeouts.named(self.hub.address, holder)
        return desk_of(replace(self.hub, guard=guard, address=address), self.catalogue)

    def collect(self, dataset: str) -> Collect:
        return self.hub.collect(dataset)

    def deliver(self, _agreement: str) -> Deliver:
        return self.hub.deliver()

    def left_alone(self, _connection: str) -> float:
        return 0.0


def desk_of(hub: FakeHub, catalogue: Catalogue = KNOWN) -> LaneDesk:
    return cast("LaneDesk", Desk(hub, catalogue))


@pytest.fixture
def hub(hub_database: str, tmp_path: Path) -> FakeHub:
    found = FakeHub.at(hub_database, tmp_path)
    found.with_people()
    found.listener.told.clear()
    return found


def taken(hub: FakeHub, name: str, holder: str = "a") -> Lease:
    with database.connect(hub.address, autocommit=True) as connection:
        found = leases.take(connection, name, holder, 3600.0)
    assert found is not None
    return found


def fallen(hub: FakeHub, lease: Lease) -> None:
    """Another process takes it."""
    with database.connect(hub.address, autocommit=True) as connection:
        leases.give_back(connection, lease)
        assert leases.take(connection, lease.name, "b", 3600.0) is not None


def no_listener_is_told(hub: FakeHub, look: Callable[[], Any]) -> Any:
    """What a look finds; neither ledger nor listeners know of it."""
    before, told = hub.ask(TRACES), list(hub.listener.told)
    found = look()
    assert hub.ask(TRACES) == before
    assert hub.listener.told == told
    return found


def test_a_look_that_finds_nothing_new_leaves_no_trace(hub: FakeHub) -> None:
    job, lease = CollectJob(desk_of(hub), ECARDS, PACE), taken(hub, f"collect {ECARDS}")
    hub.system.news = "1"
    hub.offers(ecards(1))
    assert job.due(woken=False)
    assert job.run(lease)  # the first watermark: only now there is anything to look behind
    assert job.due(woken=False)
    assert not job.run(lease)
    assert no_listener_is_told(hub, lambda: job.due(woken=False)) is False
    assert no_listener_is_told(hub, lambda: job.due(woken=True)) is False
    hub.system.news = "2"
    assert no_listener_is_told(hub, lambda: job.due(woken=False)) is True


def test_what_comes_while_a_collect_reads_is_news(hub: FakeHub) -> None:
    job, lease = CollectJob(desk_of(hub), ECARDS, PACE), taken(hub, f"collect {ECARDS}")
    hub.offers(ecards(1))
    job.run(lease)
    hub.system.news = "before"
    read = hub.system.read

    def changing(*arguments: Any) -> Any:
        hub.system.news = "while it was read"
        return read(*arguments)

    hub.system.read = changing  # type: ignore[method-assign]
    job.run(lease)
    assert job.due(woken=False)


def test_a_source_that_cannot_tell_is_collected_now_and_then(hub: FakeHub) -> None:
    lease = taken(hub, f"collect {ECARDS}")
    hub.offers(ecards(1))
    for pace, due in ((PACE, False), (Pace(whole=0.0), True)):
        job = CollectJob(desk_of(hub), ECARDS, pace)
        job.run(lease)
        job.run(lease)
        assert job.due(woken=False) is due
        assert job.due(woken=True)


def test_a_collect_whose_lease_has_fallen_publishes_nothing(hub: FakeHub) -> None:
    job, lease = CollectJob(desk_of(hub), ECARDS, PACE), taken(hub, f"collect {ECARDS}")
    hub.offers(ecards(1))
    fallen(hub, lease)
    with pytest.raises(SupersededError):
        job.run(lease)
    published = f"SELECT to_regclass('registry.{KNOWN.contract(ECARDS).table}') IS NULL"
    assert hub.ask(published) == [(True,)]
    last = "SELECT status FROM ledger.transfer ORDER BY id DESC LIMIT 1"
    assert hub.ask(last) == [("failed",)]


def test_who_has_lost_a_lease_cuts_off_nobody_who_has_it(hub: FakeHub) -> None:
    job, lease = CollectJob(desk_of(hub), ECARDS, PACE), taken(hub, f"collect {ECARDS}")
    hub.offers(ecards(1))
    fallen(hub, lease)
    other = hub.collect()
    transfer = other.stage()
    with pytest.raises(SupersededError, match="has taken this work over"):
        job.run(lease)
    other.audit(transfer)
    assert other.publish(transfer).counts.published == 1


def test_a_delivery_is_due_once_and_looked_at_without_a_trace(hub: FakeHub) -> None:
    job, lease = DeliverJob(desk_of(hub), AGREEMENT, PACE), taken(hub, f"deliver {AGREEMENT}")
    hub.offers(ecards(1, 2))
    hub.collect().run()
    assert no_listener_is_told(hub, lambda: job.due(woken=False)) is True
    job.run(lease)
    assert len(hub.system.arrived) == 1
    later = DeliverJob(desk_of(hub), AGREEMENT, PACE)
    assert no_listener_is_told(hub, lambda: later.due(woken=True)) is False


def test_an_agreement_that_is_stopped_is_refused_without_a_trace(hub: FakeHub) -> None:
    job, lease = DeliverJob(desk_of(hub), AGREEMENT, PACE), taken(hub, f"deliver {AGREEMENT}")
    hub.offers(ecards(1))
    hub.collect().run()
    consumer = KNOWN.agreement(AGREEMENT).consumer

    def stop(*, stopped: bool) -> None:
        with database.connect(hub.address, autocommit=True) as connection:
            agreement_lives.set_stop(connection, consumer, "值班员", "演练", stopped=stopped)

    stop(stopped=True)
    with pytest.raises(PolicyError, match="are stopped"):
        no_listener_is_told(hub, lambda: job.due(woken=True))
    stop(stopped=False)
    assert job.due(woken=True)
    stop(stopped=True)  # after the look, before anything leaves
    with pytest.raises(PolicyError, match="are stopped"):
        job.run(lease)
    assert hub.system.arrived == {}


def test_a_delivery_whose_lease_has_fallen_sends_nothing(hub: FakeHub) -> None:
    job, lease = DeliverJob(desk_of(hub), AGREEMENT, PACE), taken(hub, f"deliver {AGREEMENT}")
    hub.offers(ecards(1))
    hub.collect().run()
    fallen(hub, lease)
    with pytest.raises(SupersededError):
        job.run(lease)
    assert hub.system.arrived == {}


def test_a_delivery_whose_lease_falls_while_it_sends_confirms_nothing(hub: FakeHub) -> None:
    job, lease = DeliverJob(desk_of(hub), AGREEMENT, PACE), taken(hub, f"deliver {AGREEMENT}")
    hub.offers(ecards(1))
    hub.collect().run()
    send = hub.system.send

    def then_fall(*arguments: Any) -> Any:
        found = send(*arguments)
        fallen(hub, lease)
        return found

    hub.system.send = then_fall  # type: ignore[method-assign]
    with pytest.raises(SupersededError):
        job.run(lease)
    (sent,) = hub.system.arrived
    confirmed = "SELECT count(*) FROM ledger.transfer WHERE status = 'confirmed'"
    assert hub.ask(confirmed) == [(0,)]
    hub.system.send = send  # type: ignore[method-assign]
    other = DeliverJob(desk_of(hub), AGREEMENT, PACE)
    other.run(leases.Lease(lease.name, "b", lease.fence + 1))
    assert list(hub.system.arrived) == [sent]  # the same delivery, which was there already
    assert hub.ask(confirmed) == [(1,)]


def test_a_transfer_under_a_lease_works_in_sessions_of_its_holder(hub: FakeHub) -> None:
    desk = under(desk_of(hub), taken(hub, f"collect {ECARDS}", "one-machine/7/0a"))
    with database.connect(desk.address) as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("one-machine/7/0a",)
