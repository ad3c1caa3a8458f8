"""The order of one card's events at each consumer: in bursts, through failures and lost answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from connectors.rest.connector import RestConnector
from onecard.errors import SourceUnavailable
from onecard.live.lane import Lane
from onecard.live.pace import Pace
from onecard.ports.sink import Sent
from tests.card_town import BUSES, FOUND, HOSPITALS, INSURANCE, LOSS, CardTown, card_town
from tests.cities import Cities
from tests.sampling import how_often
from tests.waiting import until

PACE = Pace(look=0.05, busy=0.02, whole=0.3, first=0.05, most=0.2, span=30.0, renew=0.1)
CONSUMERS = (BUSES, INSURANCE, HOSPITALS)
CARDS = 6
BURSTS = how_often(4, long=40)
EACH = 3
"""Events of each card in a burst."""


@contextmanager
def unreliable() -> Iterator[None]:
    """HTTP consumers of which one call in four never comes, and one comes and is not answered."""
    send, calls = RestConnector.send, count()

    def sent(self: RestConnector, *arguments: Any) -> Sent:
        number = next(calls) % 4
        msg = "the test's consumer is away"
        if number == 1:
            raise SourceUnavailable(msg)
        found = send(self, *arguments)
        if number == 2:
            raise SourceUnavailable(msg)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RestConnector, "send", sent)
        yield


@contextmanager
def running(town: CardTown) -> Iterator[None]:
    lane = Lane(lambda: town.hub, PACE)
    lane.start()
    try:
        until(lane.ready, "leases")
        yield
    finally:
        lane.end()


def first_arrivals(town: CardTown, agreement: str) -> dict[str, list[int]]:
    """By card, the numbers of its events, each where it came for the first time."""
    found: dict[str, list[int]] = {}
    for card, _, number in town.arrived(agreement):
        known = found.setdefault(card, [])
        if number not in known:
            known.append(number)
    return found


def test_each_consumer_gets_a_cards_events_in_their_order(tmp_path: Path, cities: Cities) -> None:
    whole = list(range(1, BURSTS * EACH + 1))
    with card_town(cities, tmp_path, CONSUMERS) as town:
        cards = town.cards(CARDS)
        with unreliable(), running(town):
            for burst in range(BURSTS):
                numbers = range(burst * EACH + 1, (burst + 1) * EACH + 1)
                events = [
                    town.happen(card, LOSS if n % 2 else FOUND, n)
                    for n in numbers
                    for card in cards
                ]
                if burst % 2:
                    with town.without_buses():
                        town.tell(*reversed(events))  # the source gives them as it likes
                        until(lambda n=numbers[-1]: reached(town, INSURANCE, n), "the insurance")  # type: ignore[misc]
                else:
                    town.tell(*events[: len(events) // 2])
                    town.tell(*events[len(events) // 2 :])
            for agreement in CONSUMERS:
                until(lambda a=agreement: reached(town, a, whole[-1]), agreement)  # type: ignore[misc]
        for agreement in CONSUMERS:
            found = first_arrivals(town, agreement)
            assert list(found.values()) == [whole] * CARDS, agreement


def reached(town: CardTown, agreement: str, number: int) -> bool:
    """Whether the consumer has an event of that number of each card."""
    return [n for _, _, n in town.arrived(agreement)].count(number) >= CARDS
