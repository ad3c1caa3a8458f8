"""F2, F3, F4: double runs, runs that sleep and wake, clears of a scheduler, an anchor that fails."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.rehearsal import Rehearsal
from onecard.base import failpoints
from onecard.deliver.delivery_log import DeliveryLog
from onecard.errors import FatalError, OnecardError, SupersededError
from onecard.store import database, datasets, registry, staging, transfer_history, transfers
from tests.cities import Cities
from tests.faults.harness import Harness, stopped
from tests.forked import LIMIT_S

EVENTS = "hrss/card_status_event"
INSURANCE = "f02-hrss-medical_insurance-card-status"


@pytest.fixture
def small(tmp_path: Path, cities: Cities) -> Iterator[Rehearsal]:
    """A city of 300 persons."""
    with cities.start(tmp_path / "stage", persons=300, seed=5) as found:
        yield found


def statuses(stage: Rehearsal) -> dict[int, str]:
    """State of every transfer."""
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        return {t.id: t.status for t in transfer_history.since(connection)}


@pytest.mark.fault("F04", "a run that sleeps blocks nobody, and publishes nothing when it wakes")
@pytest.mark.parametrize("point", ["stage.created", "stage.settled", "publish.locked"])
def test_a_zombie_publishes_nothing(small: Rehearsal, point: str) -> None:
    with Harness.of(small) as harness:
        harness.fresh()
        process = harness.start(ONECARD_STOP_AT=point)
        pid = stopped(process)
        if point == "publish.locked":  # its lock goes with its connection, as in a partition
            with database.connect(harness.address, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        harness.rerun()
        good = harness.state()
        os.kill(pid, signal.SIGCONT)
        process.join(LIMIT_S)
        assert process.exitcode == 1
        assert harness.state() == good
        assert harness.problems() == []


@pytest.mark.fault("F04", "of two collects at once one publishes, the other one is superseded")
def test_two_collects_at_once(small: Rehearsal) -> None:
    ends: list[object] = []

    def collect() -> None:
        try:
            ends.append(small.hub(0).collect(EVENTS).run())
        except OnecardError as error:
            ends.append(error)

    threads = [threading.Thread(target=collect) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert len(ends) == 2
    assert all(not isinstance(e, OnecardError) or isinstance(e, SupersededError) for e in ends)
    assert any(not isinstance(e, OnecardError) for e in ends)
    assert "published" in statuses(small).values()
    assert set(statuses(small).values()) <= {"published", "failed"}


@pytest.mark.fault("F04", "of two deliveries at once the second finds nothing due")
def test_two_deliveries_at_once(small: Rehearsal) -> None:
    for dataset in (EVENTS, "hrss/card_master", "health/death_notice"):
        small.hub(0).collect(dataset).run()
    done: list[int | None] = []
    threads = [
        threading.Thread(target=lambda: done.append(small.hub(0).deliver(INSURANCE).run().transfer))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(done, key=str)[1] is None
    assert list(statuses(small).values()).count("confirmed") == 1


def test_only_what_was_audited_is_published(small: Rehearsal) -> None:
    collect = small.hub(0).collect(EVENTS)
    transfer = collect.stage()
    with pytest.raises(FatalError, match="only audited"):
        collect.publish(transfer)
    assert statuses(small)[transfer] == "failed"


@pytest.mark.fault("F03", "a scheduler's clear of any step after the publication is a no-op")
def test_steps_run_again_after_the_publication_change_nothing(small: Rehearsal) -> None:
    collect = small.hub(0).collect(EVENTS)
    transfer = collect.stage()
    collect.audit(transfer)
    collect.audit(transfer)
    first = collect.publish(transfer)
    collect.audit(transfer)
    assert collect.publish(transfer) == first
    assert statuses(small) == {transfer: "published"}


@pytest.mark.fault("F04", "two runs of one audit at once: the transfer is audited, and published")
def test_an_audit_that_runs_twice_at_once(
    small: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect, reached = small.hub(0).collect(EVENTS), list[str]()
    transfer = collect.stage()

    def reach(point: str) -> None:
        reached.append(point)
        if reached.count("audit.found") == 1 and point == "audit.found":
            small.hub(0).collect(EVENTS).audit(transfer)

    with monkeypatch.context() as patch:
        patch.setattr(failpoints, "reach", reach)
        collect.audit(transfer)
    assert reached.count("audit.recorded") == 2
    assert statuses(small) == {transfer: "audited"}
    collect.publish(transfer)
    assert statuses(small) == {transfer: "published"}


def test_staging_twice_ends_the_first_as_failed(small: Rehearsal) -> None:
    collect = small.hub(0).collect(EVENTS)
    first, second = collect.stage(), collect.stage()
    assert statuses(small) == {first: "failed", second: "staged"}
    with database.connect(small.hub(0).address, autocommit=True) as connection:
        contract = small.hub(0).catalogue.contract(EVENTS)
        left = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' ORDER BY 1"
        ).fetchall()
    name = staging.table_name(contract, second)
    assert [t for (t,) in left] == [name, name + "__bad", name + "__mended"]


@pytest.mark.fault("F02", "an anchor that cannot be written fails the run; the next one mends it")
def test_an_anchor_that_fails_undoes_no_confirmation(
    small: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for dataset in (EVENTS, "hrss/card_master", "health/death_notice"):
        small.hub(0).collect(dataset).run()
    folder, confirmed = small.home / "audit", DeliveryLog.confirmed

    def broken(*arguments: Any) -> None:
        """It breaks after the rows have left: before, nothing would have."""
        folder.rename(small.home / "kept")
        folder.write_text("in the way of the folder")
        confirmed(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(DeliveryLog, "confirmed", broken)
        with pytest.raises(FatalError, match="anchor"):
            small.hub(0).deliver(INSURANCE).run()
    assert list(statuses(small).values()).count("confirmed") == 1
    folder.unlink()
    (small.home / "kept").rename(folder)
    assert small.hub(0).deliver(INSURANCE).run().transfer is None


@pytest.mark.fault("F01", "an attempt that was cut off is ended also when nothing is due")
def test_an_attempt_that_was_cut_off_is_ended_when_nothing_is_due(small: Rehearsal) -> None:
    for dataset in (EVENTS, "hrss/card_master", "health/death_notice"):
        small.hub(0).collect(dataset).run()
    hub = small.hub(0)
    hub.deliver(INSURANCE).run()
    before = small.city.inbox("medical_insurance")[INSURANCE]
    with database.connect(hub.address, autocommit=True) as connection:
        dead = transfers.open_transfer(connection, "deliver", INSURANCE, "1", hub.settings.now())
    assert hub.deliver(INSURANCE).run().rows == 0
    assert statuses(small)[dead] == "failed"
    assert small.city.inbox("medical_insurance")[INSURANCE].equals(before)
    assert hub.deliver(INSURANCE).run().transfer is None


@pytest.mark.fault("F04", "the fencing token makes the older writer fail")
def test_an_older_transfer_cannot_publish_after_a_newer_one_claimed(small: Rehearsal) -> None:
    old = small.hub(0).collect(EVENTS)
    transfer = old.stage()
    small.hub(0).collect(EVENTS).run()
    with pytest.raises(SupersededError, match="overtaken"):
        old.publish(transfer)
    assert statuses(small)[transfer] == "failed"


@pytest.mark.fault("F04", "a newer claim alone, before anything else of it, stops the older writer")
def test_a_newer_claim_alone_stops_an_audited_transfer(small: Rehearsal) -> None:
    collect = small.hub(0).collect(EVENTS)
    transfer = collect.stage()
    collect.audit(transfer)
    with database.connect(small.hub(0).address, autocommit=True) as connection:
        datasets.claim(connection, EVENTS, transfer + 1)
        with pytest.raises(SupersededError, match="overtaken"):
            collect.publish(transfer)
        assert not registry.exists(connection, small.hub(0).catalogue.contract(EVENTS))
    assert statuses(small)[transfer] == "failed"


@pytest.mark.fault("F03", "sent again under its id; the inbox is unchanged")
def test_an_unconfirmed_delivery_is_sent_again_under_the_same_id(
    small: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for dataset in (EVENTS, "hrss/card_master"):
        small.hub(0).collect(dataset).run()

    def lost(*_: object, **__: object) -> None:
        msg = "killed before the confirmation"
        raise KeyboardInterrupt(msg)

    with monkeypatch.context() as patch:
        patch.setattr(DeliveryLog, "confirmed", lost)
        with pytest.raises(KeyboardInterrupt):
            small.hub(0).deliver(INSURANCE).run()
    before = small.city.inbox("medical_insurance")[INSURANCE]
    again = small.hub(0).deliver(INSURANCE).run()
    assert again.already == again.parts > 0
    assert small.city.inbox("medical_insurance")[INSURANCE].equals(before)
    assert small.hub(0).deliver(INSURANCE).run().transfer is None
