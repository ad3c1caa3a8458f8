"""On replacement the old card is blocked everywhere before the new one is enabled anywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from onecard.deliver.context import Delivered, Replay
from onecard.deliver.waiting import Waits
from onecard.live.delivering import DeliverJob
from onecard.live.lane import Lane
from onecard.live.pace import Pace
from onecard.operations import attention, night
from onecard.store import agreement_lives, database, locks
from tests.card_town import (
    BANK,
    BUSES,
    CANCEL,
    ENABLE,
    FOUND,
    HOSPITALS,
    INSURANCE,
    LOSS,
    OPERATOR,
    REPORT,
    CardTown,
    card_town,
)
from tests.cities import Cities
from tests.waiting import until

PACE = Pace(look=0.05, busy=0.02, whole=0.3, first=0.05, most=0.2, span=30.0, renew=0.1)
BLOCKED, ENABLED = [("2", 1), ("9", 2)], [("1", 1)]


@pytest.fixture
def town(tmp_path: Path, cities: Cities) -> Iterator[CardTown]:
    """Three consumers; a new card waits for as long as it must."""
    with card_town(cities, tmp_path, (BUSES, INSURANCE, HOSPITALS)) as found:
        yield found


@pytest.fixture
def hasty(tmp_path: Path, cities: Cities) -> Iterator[CardTown]:
    """Three consumers; a new card waits for two seconds."""
    with card_town(cities, tmp_path, (BUSES, INSURANCE, HOSPITALS), wait="PT2S") as found:
        yield found


@contextmanager
def running(town: CardTown) -> Iterator[Lane]:
    lane = Lane(lambda: town.hub, PACE)
    lane.start()
    try:
        until(lane.ready, "leases")
        yield lane
    finally:
        lane.end()


def seen(town: CardTown, agreement: str) -> list[tuple[str, int]]:
    """Status and sequence of what a consumer got, as it came."""
    return [(status, number) for _, status, number in town.arrived(agreement)]


def replaced(town: CardTown) -> tuple[str, str]:
    """One card is lost, cancelled and replaced; the hub has read it. Returns old and new card."""
    (old,) = town.cards(1)
    new = town.issue(old)
    town.tell(*town.replacement(old, new))
    assert town.collect().counts.published == 3
    return old, new


@pytest.mark.fault("F49", "the new card waits until the last consumer has blocked the old one")
def test_the_old_card_is_blocked_everywhere_before_the_new_one_is_enabled(town: CardTown) -> None:
    replaced(town)
    for agreement in (BUSES, INSURANCE):
        done = town.deliver(agreement)
        assert (done.rows, done.waiting) == (2, 1)
        assert seen(town, agreement) == BLOCKED
        assert any(HOSPITALS in remark for remark in done.remarks)
        assert town.deliver(agreement) == Delivered(agreement, None, waiting=1), "nothing is due"
    last = town.deliver(HOSPITALS)
    assert (last.rows, last.waiting) == (3, 0), "all others have blocked the old card"
    for agreement in (INSURANCE, BUSES):
        assert (town.deliver(agreement).rows, seen(town, agreement)) == (1, BLOCKED + ENABLED)
        assert town.deliver(agreement).transfer is None
    assert (town.waiting(), town.went_ahead()) == (0, [])


def test_what_waited_counts_as_news_with_the_time_that_it_waited(town: CardTown) -> None:
    measured = "SELECT coalesce(sum(events), 0), count(*) FILTER (WHERE bucket < 0)"
    measured += " FROM ledger.reaction WHERE agreement = %s"
    replaced(town)
    assert town.deliver(INSURANCE).waiting == 1
    (before,) = town.ask(measured, INSURANCE)
    assert waits(town, INSURANCE) == [1]
    for agreement in (BUSES, HOSPITALS, INSURANCE):
        town.deliver(agreement)
    assert waits(town, INSURANCE) == []
    (after,) = town.ask(measured, INSURANCE)
    assert (after[0] - before[0], after[1]) == (1, 0), "in a percentile, not among what came later"


def waits(town: CardTown, agreement: str) -> list[int]:
    """How many events of each kind wait for a consumer."""
    text, known = town.hub.catalogue.agreement(agreement), town.hub.catalogue.contracts
    expected = town.hub.catalogue.reaction.expected(text, known[text.dataset])
    assert expected is not None
    looks = Waits(text, known, expected.events, town.hub.settings.now().date())
    with database.connect(town.hub.address, autocommit=True) as connection:
        return [found.events for found in looks.of(connection)]


@pytest.mark.fault("F49", "a dead consumer holds the new card for so long as the contract allows")
def test_a_dead_consumer_does_not_hold_the_others_for_ever(hasty: CardTown) -> None:
    replaced(hasty)
    with hasty.without_buses():
        assert hasty.deliver(HOSPITALS).waiting == hasty.deliver(INSURANCE).waiting == 1
        until(lambda: hasty.hub.deliver(INSURANCE).due(), "the wait is over")
        done = hasty.deliver(INSURANCE)
        assert done.rows == 1
        assert any(BUSES in remark and "PT2S" in remark for remark in done.remarks)
        assert seen(hasty, INSURANCE) == BLOCKED + ENABLED
        assert hasty.went_ahead() == [(INSURANCE, BUSES, 1)]
        (issue,) = unblocked(hasty)
        assert (issue.subject, issue.agency, issue.times) == (BUSES, "transport", 1)
        assert unblocked(hasty, ended=True) == [], "nobody can confirm under what has ended"
        assert hasty.deliver(INSURANCE).transfer is None
    assert hasty.deliver(BUSES).rows == 3, "everybody else has blocked the old card"
    assert unblocked(hasty) == []
    assert hasty.deliver(HOSPITALS).rows == 1
    assert hasty.went_ahead() == [(INSURANCE, BUSES, 1)], "nobody lags any more"
    assert seen(hasty, BUSES) == seen(hasty, HOSPITALS) == BLOCKED + ENABLED


def test_the_limit_holds_for_a_process_that_takes_over(hasty: CardTown) -> None:
    replaced(hasty)
    with hasty.without_buses():
        assert hasty.deliver(INSURANCE).waiting == 1
        job = DeliverJob(hasty.hub, INSURANCE, replace(PACE, whole=3600.0))
        until(lambda: job.due(woken=False), "the wait is over")


def unblocked(town: CardTown, *, ended: bool = False) -> list[attention.Issue]:
    """What is said of carriers that may still be accepted; `ended`: years later."""
    hub = town.hub
    if ended:
        left = hub.catalogue.agreement(BUSES).validity.last - hub.settings.now().date()
        later = hub.settings.now() + left + timedelta(days=1)
        hub.settings = hub.settings.model_copy(update={"fixed_now": later})
    with database.connect(hub.address, autocommit=True) as connection:
        return list(attention.issues(connection, hub, ["unblocked"]))


@pytest.mark.parametrize("how", ["suspended", "stopped", "gone"])
def test_who_gets_nothing_any_more_is_not_waited_for(town: CardTown, how: str) -> None:
    replaced(town)
    assert town.deliver(INSURANCE).waiting == 1
    assert town.deliver(HOSPITALS).waiting == 1
    if how == "suspended":
        town.suspend(BUSES)
    elif how == "stopped":
        with database.connect(town.hub.address, autocommit=True) as connection:
            agreement_lives.set_stop(connection, "transport", "值班员", "演练", stopped=True)
    else:
        (town.schemas / "agreements" / f"{BUSES}.yaml").unlink()
    assert town.deliver(INSURANCE).rows == 1
    assert seen(town, INSURANCE) == BLOCKED + ENABLED


def test_who_never_held_the_old_card_is_not_waited_for(tmp_path: Path, cities: Cities) -> None:
    with card_town(cities, tmp_path, (INSURANCE, BANK)) as town:
        replaced(town)
        assert town.deliver(INSURANCE).rows == 3, "the card is of another bank"
        (old,) = town.cards(1, bank=True)
        town.tell(*town.replacement(old, town.issue(old)))
        town.collect()
        assert town.deliver(INSURANCE).waiting == 1


def test_what_blocks_the_new_card_waits_for_nobody(town: CardTown) -> None:
    _, new = replaced(town)
    assert town.deliver(INSURANCE).waiting == 1
    town.tell(town.happen(new, REPORT, 2), town.happen(new, LOSS, 3))
    town.collect()
    done = town.deliver(INSURANCE)
    assert (done.rows, done.waiting) == (3, 0)
    assert seen(town, INSURANCE) == [*BLOCKED, ("1", 1), ("1", 2), ("2", 3)], "in their order"
    town.tell(town.happen(new, FOUND, 4))
    town.collect()
    assert town.deliver(INSURANCE).waiting == 1, "in use again, and the old card is not blocked"
    assert len(seen(town, INSURANCE)) == 5


def test_what_a_consumer_has_is_not_taken_from_it(town: CardTown) -> None:
    old, new = town.cards(2)
    town.tell(town.happen(new, ENABLE, 1))
    town.collect()
    assert [town.deliver(a).rows for a in (BUSES, INSURANCE, HOSPITALS)] == [1, 1, 1]
    _, cancel, _ = town.replacement(old, new)
    town.tell(cancel)
    town.collect()
    done = town.deliver(INSURANCE)
    assert (done.rows, done.deleted, done.waiting) == (1, 0, 0)


def test_events_that_a_consumer_has_do_not_wait_with_later_ones_of_their_card(
    town: CardTown,
) -> None:
    (old,) = town.cards(1)
    new = town.issue(old)
    town.tell(town.happen(new, ENABLE, 1))
    town.collect()
    assert [town.deliver(a).rows for a in (BUSES, INSURANCE, HOSPITALS)] == [1, 1, 1]
    town.tell(town.happen(old, LOSS, 1), town.happen(old, CANCEL, 2, new))
    town.tell(town.happen(new, ENABLE, 2))
    town.collect()
    done = town.deliver(INSURANCE)
    assert (done.rows, done.waiting) == (2, 1)
    assert waits(town, INSURANCE) == [1]
    for agreement in (INSURANCE, HOSPITALS):  # that has noted the card, and that has not yet
        before = len(town.arrived(agreement))
        done = town.hub.deliver(agreement).run(Replay(whole=True))
        assert done.waiting == 1
        assert seen(town, agreement)[before:] == [("1", 1), *BLOCKED], "all that it has"
    assert town.deliver(BUSES).rows == 3
    for agreement in (INSURANCE, HOSPITALS):
        assert (town.deliver(agreement).rows, seen(town, agreement)[-1]) == (1, ("1", 2))
    assert town.waiting() == 0


@pytest.mark.fault("F49", "a slow consumer: the lane goes on by itself when it has confirmed")
def test_the_lane_waits_for_a_slow_consumer_and_goes_on_by_itself(
    tmp_path: Path, cities: Cities
) -> None:
    agreements = (BUSES, INSURANCE, HOSPITALS, OPERATOR)
    with card_town(cities, tmp_path, agreements) as town, running(town):
        (old,) = town.cards(1)
        new = town.issue(old)
        with database.connect(town.hub.address, autocommit=True) as connection:
            locks.hold(connection, locks.Kind.DELIVERY, BUSES)
            town.tell(*town.replacement(old, new))
            until(lambda: town.waiting() == 3, "all others have blocked the old card and wait")
            quiet = town.ask("SELECT max(id) FROM ledger.transfer WHERE direction = 'deliver'")
            end = time.monotonic() + 10 * PACE.look
            while time.monotonic() < end:
                assert seen(town, INSURANCE) == seen(town, HOSPITALS) == BLOCKED
            newest = town.ask("SELECT max(id) FROM ledger.transfer WHERE direction = 'deliver'")
            assert newest == quiet, "to wait leaves no transfers"
        for agreement in (BUSES, INSURANCE, HOSPITALS):
            until(lambda a=agreement: seen(town, a) == BLOCKED + ENABLED, agreement)  # type: ignore[misc]
        until(lambda: len(town.arrived(OPERATOR)) == 3, "the operator")
        until(lambda: town.waiting() == 0, "nobody waits")
        assert town.went_ahead() == []


@pytest.mark.fault("F49", "a day of the lane and a night without it end in the same inboxes")
def test_a_night_ends_as_the_lane_does(tmp_path: Path, cities: Cities) -> None:
    agreements, held = (BUSES, INSURANCE, HOSPITALS), []
    for way in ("lane", "night"):
        with card_town(cities, tmp_path / way, agreements) as town:
            for old in town.cards(3):
                town.tell(*town.replacement(old, town.issue(old)))
            if way == "lane":
                with running(town):
                    for agreement in agreements:
                        until(lambda a=agreement: len(town.arrived(a)) == 9, agreement)  # type: ignore[misc]
                    until(lambda: town.waiting() == 0, "nobody waits")
            outcome = night.run(town.hub)
            assert (outcome.failed, outcome.held, town.waiting()) == ({}, {}, 0)
            before = town.ask("SELECT count(*) FROM ledger.transfer WHERE direction = 'deliver'")
            assert night.run(town.hub).exit_code == 0
            assert before == town.ask(
                "SELECT count(*) FROM ledger.transfer WHERE direction = 'deliver'"
            ), "nothing is left to deliver"
            held.append({a: inbox_of(town, a) for a in agreements})
    assert held[0] == held[1]


def inbox_of(town: CardTown, agreement: str) -> list[tuple[object, ...]]:
    consumer = town.hub.catalogue.agreement(agreement).consumer
    found: pl.DataFrame = town.stage.city.inbox(consumer)[agreement]
    return sorted(found.rows())
