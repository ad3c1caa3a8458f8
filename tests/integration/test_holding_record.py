"""The record of what consumers hold: attempts that failed, new keys, old hubs, its size."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from onecard.base import failpoints
from onecard.crypto import keys
from onecard.deliver import attempt
from onecard.deliver.attempt import Attempt
from onecard.deliver.context import Replay
from onecard.errors import PolicyError
from onecard.model.signoffs import SignOff
from onecard.operations.release import release
from onecard.reconcile.inbox import reconcile_inbox
from onecard.store import agreement_lives, database, holding
from onecard.store.holding import Head
from schemas.models import catalogue
from tests.cities import Cities
from tests.faults.harness import Harness
from tests.integration.test_holding import ACCOUNTS, EVENTS, F02, F06, Side, edit

TABLE = "inbox_f06_hrss_housing_fund_card_status"
SMALL = ("options: {path: /inbox/f02", "options: {batch_rows: 3, path: /inbox/f02")
LEFT = "the delivery ended after its rows had left"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city whose datasets are collected; F02 is sent in small requests."""
    home = tmp_path_factory.mktemp("record")
    changed = home / "schemas"
    shutil.copytree(catalogue.ROOT, changed)
    edit(changed, F02, SMALL)
    with cities.start(home / "stage", persons=400, seed=23) as stage:
        stage.environment["ONECARD_SCHEMAS"] = str(changed)
        hub = stage.hub(0)
        for dataset in hub.catalogue.contracts:
            hub.collect(dataset).run()
        with database.connect(hub.address, autocommit=True) as connection:
            agreement_lives.approve(connection, hub.catalogue.agreement(F02), "演练", "批复1号")
        with Harness.of(stage) as made:
            yield made


@pytest.fixture
def side(city: Harness) -> Iterator[Side]:
    city.fresh()
    yield Side(city, city.hub())
    city.drop()


def fail_after_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next deliveries end when the consumer has everything and the hub has noted nothing."""
    reached = failpoints.reach

    def ending(name: str) -> None:
        if name == "send.after":
            raise PolicyError(LEFT)
        reached(name)

    monkeypatch.setattr(failpoints, "reach", ending)


@pytest.mark.parametrize("few", [attempt.MANY_ROWS, 0], ids=["in turn", "at the same time"])
def test_what_an_unconfirmed_delivery_brought_is_withdrawn_when_it_leaves_the_scope(
    side: Side, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer has it, the record has not: that it may be there was noted before it left."""
    monkeypatch.setattr(attempt, "MANY_ROWS", few)
    with monkeypatch.context() as patched, pytest.raises(PolicyError, match=LEFT):
        fail_after_sending(patched)
        side.deliver(F06)
    rows = len(side.table(TABLE))
    assert rows >= 3
    assert noted(side, F06) == [(True, rows)]
    persons = "SELECT sum(octet_length(refs)) / 8 FROM ledger.disclosure WHERE transfer = %s"
    (last,) = side.ask("SELECT max(id) FROM ledger.transfer WHERE subject = %s", F06)
    assert side.ask(persons, *last)[0][0] > 0
    side.publish(ACCOUNTS, "grzhzt IN ('01', '02', '06')", grzhzt="'04'")
    assert side.told(F06) == (0, rows)
    assert side.table(TABLE) == []
    assert noted(side, F06) == []
    assert stray(side) == 0


@pytest.mark.parametrize("agreement", [F06, F02], ids=["known before the first leaves", "not"])
def test_two_unconfirmed_deliveries_then_one(
    side: Side, agreement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record is written once where all rows are known, and is nobody's until it counts."""
    for status in ("'1'", "'9'"):
        side.publish(EVENTS, "true", to_status=status)
        with monkeypatch.context() as patched, pytest.raises(PolicyError, match=LEFT):
            fail_after_sending(patched)
            side.deliver(agreement)
    whole = agreement == F06
    earlier, (last, rows) = noted(side, agreement)
    assert (earlier, last) == ((False, rows), whole), "what was noted before is listed, once"
    assert side.ask("SELECT count(*) FROM ledger.holding_head WHERE agreement = %s", agreement) == [
        (0,)
    ]
    assert side.deliver(agreement).rows == rows
    with database.connect(side.hub.address, autocommit=True) as connection:
        found = holding.head(connection, agreement)
        assert found is not None
        stored = holding.whole(connection, found.number)
    assert (found.rows, len(stored), stored["transfer"].n_unique()) == (rows, rows, 1)
    assert (noted(side, agreement), stray(side)) == ([], 0)
    assert side.deliver(agreement).transfer is None


@pytest.mark.case("holding-9", "two lines and one record, however often it is cut off")
def test_what_unconfirmed_deliveries_leave_does_not_grow_with_their_number(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Night after night cut off at the end: two lines, and one record that is not confirmed."""
    kept = "SELECT count(*), count(DISTINCT holder), coalesce(sum(octet_length(refs)), 0)"
    kept += " FROM ledger.holding_pending WHERE agreement = %s"
    staged = "SELECT count(DISTINCT holder) FROM ledger.holding"
    sizes = []
    for status in ("'1'", "'9'") * 2:
        side.publish(EVENTS, "true", to_status=status)
        with monkeypatch.context() as patched, pytest.raises(PolicyError, match=LEFT):
            fail_after_sending(patched)
            side.deliver(F06)
        sizes.append((*side.ask(kept, F06), *side.ask(staged)))
    rows = len(side.table(TABLE))
    assert sizes[1:] == [((2, 1, 16 * rows), (1,))] * 3
    assert side.deliver(F06).rows == rows
    assert (noted(side, F06), stray(side)) == ([], 0)


def test_a_whole_delivery_that_fails_leaves_the_record_as_it_was(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the record as it would have been only what was sent is uncertain."""
    rows = side.deliver(F06).rows
    before = record(side, F06)
    with monkeypatch.context() as patched, pytest.raises(PolicyError, match=LEFT):
        fail_after_sending(patched)
        side.deliver(F06, Replay(whole=True))
    assert record(side, F06).equals(before)
    assert noted(side, F06) == [(True, rows)]
    assert side.deliver(F06, Replay(whole=True)).rows == rows
    after, keys_ = record(side, F06), list(holding.KEY)
    assert after.select(keys_).sort(keys_).equals(before.select(keys_).sort(keys_))
    assert {*after["transfer"]}.isdisjoint(before["transfer"])
    assert (noted(side, F06), stray(side)) == ([], 0)


def noted(side: Side, agreement: str) -> list[tuple[bool, int]]:
    """What is noted of unconfirmed deliveries: whether as a record, and of how many rows."""
    with database.connect(side.hub.address, autocommit=True) as connection:
        lines = connection.execute(
            "SELECT holder, transfer, octet_length(refs) / 16 FROM ledger.holding_pending"
            " WHERE agreement = %s ORDER BY transfer",
            (agreement,),
        ).fetchall()
        found = []
        for holder, transfer, refs in lines:
            if holder is None:
                found.append((False, int(str(refs))))
            else:
                entries_ = holding.whole(connection, int(str(holder)))
                found.append((True, int((entries_["transfer"] == transfer).sum())))
        return found


def stray(side: Side) -> int:
    """Buckets that stand under a number that is nobody's."""
    ((count,),) = side.ask(
        "SELECT count(*) FROM ledger.holding h WHERE NOT EXISTS"
        " (SELECT FROM ledger.holding_head d WHERE d.number = h.holder) AND NOT EXISTS"
        " (SELECT FROM ledger.holding_pending p WHERE p.holder = h.holder)"
    )
    return int(count)


def record(side: Side, agreement: str) -> pl.DataFrame:
    """The entries of an agreement's record."""
    with database.connect(side.hub.address, autocommit=True) as connection:
        found = holding.head(connection, agreement)
        assert found is not None
        return holding.whole(connection, found.number)


def test_a_value_that_an_unconfirmed_delivery_changed_is_sent_back(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New value unconfirmed, then the old one again: the record alone would say unchanged."""

    def statuses() -> set[str]:
        return {row["to_status"] for row in side.table(TABLE)}

    side.publish(EVENTS, "true", to_status="'1'")
    side.deliver(F06)
    side.publish(EVENTS, "true", to_status="'9'")
    with monkeypatch.context() as patched, pytest.raises(PolicyError, match=LEFT):
        fail_after_sending(patched)
        side.deliver(F06)
    assert statuses() == {"9"}
    side.publish(EVENTS, "true", to_status="'1'")
    assert side.deliver(F06).rows > 0
    assert statuses() == {"1"}


def test_a_new_quarantine_key_sends_nothing_again(side: Side) -> None:
    rows = side.deliver(F06).rows
    settings = side.hub.settings
    keys.rotate(
        settings.keys_file, keys.QUARANTINE, "q2", timedelta(days=30), settings.now().date()
    )
    again = side.at(settings.now())
    assert again.told(F06) == (0, 0)
    assert again.ask("SELECT key FROM ledger.holding_head WHERE agreement = %s", F06) == [
        ("international/q2",)
    ]
    assert again.deliver(F06).transfer is None
    again.publish(ACCOUNTS, "grzhzt IN ('01', '02', '06')", grzhzt="'04'")
    assert again.told(F06) == (0, rows)


def test_new_tokens_replace_the_old_ones(side: Side) -> None:
    rows = side.deliver(F06).rows
    old = {row["person_token_hf"] for row in side.table(TABLE)}
    settings = side.hub.settings
    keys.rotate(
        settings.keys_file,
        keys.token_purpose("housing_fund"),
        "t2",
        timedelta(days=30),
        settings.now().date(),
    )
    again = side.at(settings.now())
    assert again.told(F06) == (rows, rows)
    new = {row["person_token_hf"] for row in again.table(TABLE)}
    assert (len(again.table(TABLE)), old & new) == (rows, set())
    assert reconcile_inbox(again.hub, F06).outcome == "agreed"
    assert again.deliver(F06).transfer is None


@pytest.mark.case("screen-3", "a suspended delivery's receipt counts what left")
def test_a_suspended_delivery_tells_what_left(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    permitted, left = Attempt._leave, []

    def leave(attempt: Attempt, rows: int = 0) -> None:
        if len(left) == 2:
            agreement = side.hub.catalogue.agreement(F02)
            with database.connect(side.hub.address, autocommit=True) as connection:
                agreement_lives.suspend(connection, agreement, "演练", "核查")
        permitted(attempt, rows)
        left.append(rows)

    monkeypatch.setattr(Attempt, "_leave", leave)
    with pytest.raises(PolicyError):
        side.deliver(F02)
    (body,) = side.ask(
        "SELECT r.body FROM ledger.receipt r JOIN ledger.transfer t ON t.id = r.transfer"
        " WHERE t.subject = %s ORDER BY t.id DESC LIMIT 1",
        F02,
    )[0]
    told = json.loads(body)
    there = sum(len(b["rows"]) for b in side.batches(F02, "medical_insurance_api"))
    assert (told["outcome"], told["rows_left"]) == ("failed", there)
    assert there == 6
    assert "rows_passed" not in told


def test_more_than_is_usual_is_held_by_the_difference(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecard.deliver.volumes.FEW_DELETES", 1)
    monkeypatch.setattr("onecard.deliver.volumes.deliveries.usual_rows", lambda *_: [2])
    rows = side.deliver(F06).rows
    side.publish(ACCOUNTS, "grzhzt IN ('01', '02', '06')", grzhzt="'04'")
    with pytest.raises(Exception, match=f"told to drop {rows} rows"):
        side.deliver(F06)
    (held,) = side.ask("SELECT max(id) FROM ledger.transfer WHERE status = 'held'")[0]
    release(side.hub, str(held), SignOff("演练", "核实"))
    assert side.told(F06) == (0, rows)


def entries(count: int, seed: int) -> pl.DataFrame:
    made = np.random.default_rng(seed)
    high, low, digest = (made.integers(1, 2**bits, count, np.uint64) for bits in (64, 64, 48))
    frame = pl.DataFrame({"high": high, "low": low, "digest": digest})
    return frame.with_columns(pl.lit(1, pl.UInt32).alias("transfer"))


def test_the_record_stays_small_and_exact_through_changes(side: Side) -> None:
    """100,000 rows, then twenty nights of a thousand changes and a hundred withdrawals each."""
    agreement, today = "f99-record", side.hub.settings.now().date()
    head = Head(agreement, "k", "b", "s", "", 1, 0, {}, today)
    held = entries(100_000, 1)
    none = holding.no_entries()
    with database.connect(side.hub.address, autocommit=True) as connection:
        with connection.transaction():
            holding.write(connection, head, held, none, anew=True)
        for night in range(20):
            changed = held[night * 1000 : night * 1000 + 900].with_columns(pl.col("digest") ^ 1)
            new, gone = entries(100, night + 2), held[-100 * (night + 1) :][:100]
            found = holding.head(connection, agreement)
            assert found is not None
            with connection.transaction():
                told = pl.concat([changed, new])
                written = holding.write(connection, found, told, gone, anew=False)
            holding.give_place_back(connection, written)
            told_keys = pl.concat([told.select(holding.KEY), gone.select(holding.KEY)])
            rest = held.join(told_keys, on=list(holding.KEY), how="anti", maintain_order="left")
            held = pl.concat([rest, told])
        found = holding.head(connection, agreement)
        assert found is not None
        stored = holding.whole(connection, found.number)
        some = holding.of(connection, found, held[:50])
        size = connection.execute("SELECT pg_total_relation_size('ledger.holding')").fetchone()
    keys_ = list(holding.KEY)
    assert stored.sort(keys_).equals(held.select(stored.columns).sort(keys_))
    assert some.sort(keys_).equals(held[:50].select(some.columns).sort(keys_))
    assert found.rows == len(held) == 100_000
    assert size is not None
    assert int(str(size[0])) / found.rows < 40
