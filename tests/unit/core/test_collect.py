"""The rules of a collect, proved without a system: what is published, kept, held and failed."""

from __future__ import annotations

import pytest

from onecard.errors import AuditFailed, SourceUnavailable
from onecard.ports.auditor import Finding
from onecard.ports.fakes import FakeAuditor, FakeRowGate
from onecard.ports.row_gate import Reason
from onecard.store import database, holds
from tests.unit.core.fake_hub import ECARDS, KNOWN, NOW, FakeHub, ecards, typed

PUBLISHED = "SELECT count(*), max(_version) FROM registry.hrss__ecard_binding"
SHRUNK = (Finding("shrinkage", "critical", passed=False, observed=0.1),)


def test_what_passes_is_published_and_what_fails_is_quarantined(hub: FakeHub) -> None:
    hub.offers(ecards(1, 2, 3))
    hub.rows = FakeRowGate({2: (Reason("sign_level", "codes"),)})
    done = hub.collect().run()
    assert (done.counts.rows_read, done.counts.published, done.counts.quarantined) == (3, 2, 1)
    assert hub.ask(PUBLISHED)[0][0] == 2
    kept = hub.ask("SELECT dataset, status FROM quarantine.record")
    assert [dataset for dataset, _ in kept] == [ECARDS]
    assert b"410199194901010014" not in str(hub.ask("SELECT * FROM quarantine.record")).encode()


def test_rows_that_are_known_by_their_hash_are_not_published_again(hub: FakeHub) -> None:
    hub.offers(ecards(1, 2))
    hub.collect().run(whole=True)
    version = hub.ask(PUBLISHED)[0][1]
    again = hub.collect().run(whole=True)
    assert (again.counts.published, again.counts.unchanged) == (0, 2)
    assert hub.ask(PUBLISHED) == [(2, version)]


def test_the_next_reading_begins_where_the_last_one_was_published(hub: FakeHub) -> None:
    hub.offers(ecards(1))
    hub.collect().run()
    hub.collect().run()
    first, second = hub.system.requests
    assert first.since is None
    assert second.since is not None
    assert second.since < ecards(1)["source_updated_at"][0].isoformat(), "some overlap is read"


def test_a_source_that_fails_in_the_middle_leaves_nothing(hub: FakeHub) -> None:
    hub.offers(ecards(1))
    hub.collect().run()
    before = hub.ask(PUBLISHED)
    hub.offers(ecards(2), fails=SourceUnavailable("the source went away"))
    with pytest.raises(SourceUnavailable, match="went away"):
        hub.collect().run()
    assert hub.ask(PUBLISHED) == before
    assert hub.ask("SELECT status FROM ledger.transfer ORDER BY id")[-1] == ("failed",)
    assert hub.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'") == [(0,)]
    assert ("failed", "collect.stage", SourceUnavailable) in hub.listener.told


def test_a_critical_finding_holds_the_transfer_for_a_person(hub: FakeHub) -> None:
    hub.offers(ecards(1))
    hub.auditor = FakeAuditor(SHRUNK)
    with pytest.raises(AuditFailed, match="is held: shrinkage"):
        hub.collect().run()
    assert hub.ask("SELECT to_regclass('registry.hrss__ecard_binding') IS NULL") == [(True,)]
    with database.connect(hub.address, autocommit=True) as connection:
        (hold,) = holds.holds(connection, KNOWN)
    assert (hold.kind, hold.subject, hold.findings) == ("collect", ECARDS, ("shrinkage",))


def test_a_finding_that_is_not_critical_is_on_record_and_holds_nothing(hub: FakeHub) -> None:
    hub.offers(ecards(1))
    hub.auditor = FakeAuditor((Finding("volume", "warning", passed=False),))
    assert hub.collect().run().counts.published == 1
    assert hub.ask("SELECT name, passed FROM ledger.finding") == [("volume", False)]


def test_rows_are_counted_once_by_county(hub: FakeHub) -> None:
    at, subsidies = "410101", "hrss/subsidy_payment"
    rows = [
        {
            "pay_id": f"P{number}",
            "person_id18": "410199194901010014",
            "subsidy_item": "A",
            "period": period,
            "division9": f"{at}001",
            "source_updated_at": NOW,
            "source_seq": number,
        }
        for number, period in enumerate(("202601", "202601", "202602", "202603"), start=1)
    ]
    hub.offers(typed(KNOWN.contract(subsidies), rows))
    hub.rows = FakeRowGate({4: (Reason("amount", "amount_positive"),)})
    counts = hub.collect(subsidies).run().counts
    assert (counts.rows_read, counts.published, counts.quarantined) == (4, 2, 2)
    found = hub.ask("SELECT sum(rows_read), sum(quarantined) FROM ledger.county_count")
    assert found == [(4, 2)], "one rejected by the gate, one for what it repeats"


def test_a_listener_is_told_of_all_three_steps_in_order(hub: FakeHub) -> None:
    hub.offers(ecards(1))
    hub.collect().run()
    ends = [(event, step) for event, step, _ in hub.listener.told if event in ("started", "ended")]
    steps = ("collect.stage", "collect.audit", "collect.publish")
    assert ends == [(event, step) for step in steps for event in ("started", "ended")]


def test_each_step_tells_its_counts_once(hub: FakeHub) -> None:
    hub.offers(ecards(1))
    hub.collect().run()
    counted = [step for event, step, _ in hub.listener.told if event == "counted"]
    assert counted == ["collect.stage", "collect.publish"]
