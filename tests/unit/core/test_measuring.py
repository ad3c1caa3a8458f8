"""How long events take to their consumer: what counts once, what counts apart, and why one is late.

The hub's clock stands still between the moments that a test sets, so that seconds are known but for
those that the test itself takes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from onecard.base.times import ZONE
from onecard.crypto import keys
from onecard.deliver.context import Replay
from onecard.errors import HoldError, SourceUnavailable
from onecard.model.reaction import ERROR, Breach, ReactionTimes
from onecard.operations import housekeeping
from onecard.ports.auditor import Finding
from onecard.ports.fakes import FakeAuditor, FakePrivacyGate
from onecard.ports.privacy_gate import PrivacyBlock
from onecard.store import agreement_lives, database, folding, leases, reaction, transfers
from schemas.models.reaction import Events, Expectation, Kind, Limit
from tests.unit.core.fake_hub import AGREEMENT, ECARDS, KNOWN, NOW, FakeHub, ecards

EVENTS = Events(
    since="source_updated_at",
    kinds={
        "loss": Kind(title="停用", title_en="Loss", when={"ecard_status": ("2",)}),
        "restore": Kind(title="启用", title_en="Restored", when={"ecard_status": ("1",)}),
    },
)
EXPECTED = Expectation(EVENTS, {"loss": Limit("PT60S")})
OWN = 60.0
"""Seconds that a test may take itself, on a slow machine."""


@pytest.fixture
def filled(hub: FakeHub) -> FakeHub:
    """Two e-cards are with their consumer: from now on what happens is measured."""
    hub.with_people()
    hub.expectation = EXPECTED
    hub.offers(ecards(1, 2))
    hub.collect().run()
    hub.deliver().run()
    return hub


def clock(hub: FakeHub, seconds: float) -> None:
    """So many seconds after the beginning."""
    at = NOW + timedelta(seconds=seconds)
    hub.settings = hub.settings.model_copy(update={"fixed_now": at})


def happens(hub: FakeHub, number: int, seconds: float, status: str = "2") -> None:
    """An event of that moment is published now."""
    hub.offers(ecards(number, status=status, at=NOW + timedelta(seconds=seconds)))
    hub.collect().run()


def times(hub: FakeHub) -> dict[str, ReactionTimes]:
    with database.connect(hub.address, autocommit=True) as connection:
        day = timedelta(days=1)
        return {t.kind: t for t in reaction.times(connection, NOW - day, NOW + day)}


def breaches(hub: FakeHub) -> list[Breach]:
    with database.connect(hub.address, autocommit=True) as connection:
        return reaction.breaches(connection, NOW - timedelta(days=1), NOW + timedelta(days=1))


def took(found: ReactionTimes, seconds: float) -> bool:
    """Whether the slowest took so long, but for the error that is stated and the test's own time."""
    told = found.quantile(1.0)
    return told is not None and seconds * (1 - ERROR) <= told <= (seconds + OWN) * (1 + ERROR)


def test_the_first_delivery_brings_a_history_that_is_not_measured(filled: FakeHub) -> None:
    assert times(filled) == {}


def test_an_event_is_counted_once_by_its_kind(filled: FakeHub) -> None:
    clock(filled, 1_000)
    happens(filled, 3, 0)
    happens(filled, 4, 500, status="1")
    filled.deliver().run()
    found = times(filled)
    assert {kind: t.events for kind, t in found.items()} == {"loss": 1, "restore": 1}
    assert took(found["loss"], 1_000)
    assert took(found["restore"], 500)
    for again in (None, Replay(whole=True), Replay(keys=("E00003",))):
        filled.deliver().run(again)
    assert times(filled) == found


def test_a_row_that_is_only_changed_is_no_event(filled: FakeHub) -> None:
    happens(filled, 2, 0)
    assert filled.deliver().run().rows == 1
    assert times(filled) == {}


def test_a_row_that_changed_before_a_new_quarantine_key_is_no_event(filled: FakeHub) -> None:
    happens(filled, 2, 0)
    happens(filled, 3, -100)
    file, today = filled.settings.keys_file, filled.settings.now().date()
    keys.rotate(file, "quarantine", "2027", timedelta(days=30), today)
    assert filled.deliver().run().rows == 2
    found = times(filled)["loss"]
    assert (found.events, found.later) == (1, 0)


def test_what_a_replay_brings_first_is_counted_by_it_alone(filled: FakeHub) -> None:
    happens(filled, 3, -100)
    assert filled.deliver().run(Replay(keys=("E00003",))).rows == 1
    filled.deliver().run(Replay(keys=("E00003",)))
    filled.deliver().run()
    assert times(filled)["loss"].events == 1


def test_what_is_rolled_back_was_never_counted(
    filled: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(filled, 3, -100)

    def breaks(*_arguments: object) -> None:
        msg = "the database is gone"
        raise SourceUnavailable(msg)

    with monkeypatch.context() as patched:
        patched.setattr(transfers, "record_confirmed", breaks)
        with pytest.raises(SourceUnavailable):
            filled.deliver().run()
    assert (times(filled), breaches(filled)) == ({}, [])
    filled.deliver().run()
    assert times(filled)["loss"].events == 1
    assert sum(b.events for b in breaches(filled)) == 1


def test_an_event_that_is_published_before_it_happens_is_counted_apart(filled: FakeHub) -> None:
    happens(filled, 3, 3_600)
    happens(filled, 4, -1)
    filled.deliver().run()
    happens(filled, 5, 600)
    clock(filled, 1_000)  # it is delivered after its time, and says nothing all the same
    filled.deliver().run()
    found = times(filled)["loss"]
    assert (found.events, found.ahead) == (1, 2)
    assert took(found, 1)


def test_a_consumer_that_was_away_for_days_has_the_same_figures(
    filled: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "NEWEST", 1)
    monkeypatch.setattr(folding, "LEAST", 1)
    days = 86_400
    for number, seconds in ((3, 4 * days), (4, -3 * days), (5, 0), (6, -1)):
        happens(filled, number, seconds)
    filled.ask("UPDATE ledger.transfer SET whole = false RETURNING 1")
    clock(filled, 5 * days)
    now, lane = filled.settings.now(), folding.LaneSubject("collect", ECARDS, ECARDS)
    with database.connect(filled.address, autocommit=True) as connection:
        with connection.transaction():
            folded = folding.fold(connection, lane, now, NOW.astimezone(ZONE).date())
        assert folded is not None
        assert folded.transfers == 3
        filled.deliver().run()
        (found,) = reaction.times(connection, NOW, NOW + timedelta(days=10))
        late = reaction.breaches(connection, NOW, NOW + timedelta(days=10))
    assert (found.events, found.ahead) == (3, 1)
    assert {b.cause: b.events for b in late} == {"delivery": 3}


def test_what_comes_within_reach_later_is_counted_apart(filled: FakeHub) -> None:
    happens(filled, 3, -100)
    filled.privacy = FakePrivacyGate(withholds=frozenset({0}))
    assert filled.deliver().run().withheld == 1
    filled.privacy = FakePrivacyGate()
    clock(filled, 7_200)
    filled.deliver().run(Replay(whole=True))
    found = times(filled)["loss"]
    assert (found.events, found.later) == (0, 1)
    assert breaches(filled) == []


def late(hub: FakeHub) -> list[tuple[str, str, int]]:
    """Delivers; what was late."""
    hub.deliver().run()
    return [(b.kind, b.cause, b.events) for b in breaches(hub)]


def test_what_keeps_its_limit_or_has_none_is_not_late(filled: FakeHub) -> None:
    clock(filled, 3_600)
    happens(filled, 3, 3_600)
    happens(filled, 4, 0, status="1")
    assert late(filled) == []


def test_a_late_event_is_noted_with_its_limit_and_seconds(filled: FakeHub) -> None:
    clock(filled, 1_000)
    both = (ecards(n, status="2", at=NOW + timedelta(seconds=s)) for n, s in ((3, 0), (4, 400)))
    filled.offers(pl.concat(both))
    filled.collect().run()
    filled.deliver().run()
    (found,) = breaches(filled)
    assert (found.agreement, found.kind, found.allowed, found.events) == (
        AGREEMENT,
        "loss",
        "PT60S",
        2,
    )
    assert 1_000 <= found.worst <= 1_000 + OWN
    assert found.first_at == found.last_at
    assert found.since <= found.last_at < found.since + timedelta(hours=1)


def nobody_collected(hub: FakeHub) -> None:
    clock(hub, 1_000)
    happens(hub, 3, 100)


def offered_late(hub: FakeHub) -> None:
    clock(hub, 600)
    happens(hub, 9, 600, status="1")
    clock(hub, 1_000)
    happens(hub, 3, 100)


def lane_looked_all_the_time(hub: FakeHub) -> None:
    with database.connect(hub.address, autocommit=True) as connection:
        assert leases.take(connection, f"collect {ECARDS}", "a process", 600.0)
        connection.execute("UPDATE ledger.lease SET taken_at = taken_at - interval '1 day'")
    nobody_collected(hub)


def collects_failed(hub: FakeHub) -> None:
    clock(hub, 600)
    hub.offers(ecards(3), fails=SourceUnavailable("away"))
    with pytest.raises(SourceUnavailable):
        hub.collect().run()
    nobody_collected(hub)


def a_collect_was_held(hub: FakeHub) -> None:
    clock(hub, 600)
    hub.offers(ecards(8, status="1"))
    hub.auditor = FakeAuditor((Finding("shrinkage", "critical", passed=False),))
    with pytest.raises(HoldError):
        hub.collect().run()
    hub.auditor = FakeAuditor()
    nobody_collected(hub)


def nobody_delivered(hub: FakeHub) -> None:
    happens(hub, 3, -1)
    clock(hub, 1_000)


def consumer_was_away(hub: FakeHub) -> None:
    happens(hub, 3, -1)
    clock(hub, 300)
    hub.system.fails = SourceUnavailable("away")
    with pytest.raises(SourceUnavailable):
        hub.deliver().run()
    hub.system.fails = None
    clock(hub, 1_000)


def gate_stopped_it(hub: FakeHub) -> None:
    happens(hub, 3, -1)
    clock(hub, 300)
    hub.privacy = FakePrivacyGate(blocks="PR-03")
    with pytest.raises(PrivacyBlock):
        hub.deliver().run()
    hub.ask(
        "INSERT INTO ledger.privacy_result (transfer, rule, action, outcome, checked, hits)"
        " SELECT max(id), 'PR-03', 'block', 'hit', 1, 1 FROM ledger.transfer RETURNING 1"
    )
    hub.privacy = FakePrivacyGate()
    clock(hub, 1_000)


def a_person_had_to_decide(hub: FakeHub) -> None:
    happens(hub, 3, -1)
    clock(hub, 300)
    with database.connect(hub.address, autocommit=True) as connection:
        at = hub.settings.now()
        held = transfers.open_transfer(connection, "deliver", AGREEMENT, "1.1.0", at)
        transfers.record_end(connection, held, "held", "far more rows than usual")
    clock(hub, 1_000)


def agreement_was_suspended(hub: FakeHub) -> None:
    happens(hub, 3, -1)
    agreement = KNOWN.agreement(AGREEMENT)
    with database.connect(hub.address, autocommit=True) as connection:
        agreement_lives.suspend(connection, agreement, "值班员", "演练")
        agreement_lives.approve(connection, agreement, "批准人", "批〔2〕号")
    clock(hub, 1_000)


def deliveries_were_stopped(hub: FakeHub) -> None:
    happens(hub, 3, -1)
    with database.connect(hub.address, autocommit=True) as connection:
        for stopped in (True, False):
            agreement_lives.set_stop(connection, "operator", "值班员", "演练", stopped=stopped)
    clock(hub, 1_000)


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        (nobody_collected, "collect"),
        (offered_late, "source"),
        (lane_looked_all_the_time, "source"),
        (collects_failed, "collect_failed"),
        (a_collect_was_held, "collect_held"),
        (nobody_delivered, "delivery"),
        (consumer_was_away, "consumer"),
        (gate_stopped_it, "blocked"),
        (a_person_had_to_decide, "held"),
        (agreement_was_suspended, "suspended"),
        (deliveries_were_stopped, "suspended"),
    ],
)
def test_the_longest_part_of_the_way_names_the_cause(
    filled: FakeHub, what: Callable[[FakeHub], None], cause: str
) -> None:
    what(filled)
    assert late(filled) == [("loss", cause, 1)]


def test_days_are_folded_and_their_figures_stay(filled: FakeHub) -> None:
    clock(filled, 1_000)
    for number, hours in ((3, 0), (4, 1), (5, 30)):
        clock(filled, 3_600 * hours + 1_000)
        happens(filled, number, 3_600 * hours)
        filled.deliver().run()
    days = [datetime(2026, 11, n, tzinfo=NOW.tzinfo) - timedelta(hours=8) for n in (24, 25, 26)]

    def figures() -> list[list[ReactionTimes]]:
        with database.connect(filled.address, autocommit=True) as connection:
            spans = pairwise(days)
            return [reaction.times(connection, *span) for span in (*spans, (days[0], days[2]))]

    before, lines = figures(), "SELECT count(DISTINCT since) FROM ledger.reaction"
    assert [[t.events for t in found] for found in before] == [[2], [1], [3]]
    assert filled.ask(lines) == [(3,)]
    for later in (0, 9, 10, 40):
        clock(filled, 86_400 * later)
        with database.connect(filled.address, autocommit=True) as connection:
            housekeeping.fold_figures(filled, connection)
        assert figures() == before
    assert filled.ask(lines) == [(2,)]
