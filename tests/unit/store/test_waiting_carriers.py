"""Carriers that wait: since when, for whom, and who was not waited for any longer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from onecard.store import database, deliveries, holding, holding_heads, transfers, waiting_carriers
from onecard.store.database import Connection
from onecard.store.deliveries import DeliveredVersion
from onecard.store.holding import Head
from onecard.store.waiting_carriers import Ahead, WaitingCarrier, Waits
from tests.unit.core.fake_hub import NOW

DATASET, MINE, OTHER = "hrss/card_status_event", "f01-a-b", "f02-a-c"
LONG, NOT_AT_ALL = timedelta(hours=1), timedelta()


@pytest.fixture
def connection(hub_database: str) -> Iterator[Connection]:
    with database.connect(hub_database, autocommit=True) as found:
        yield found


def confirmed(connection: Connection, agreement: str, version: int) -> None:
    day = date(2026, 11, 24)
    holding.put_head(connection, Head(agreement, "", "", "", "", 1, 0, {DATASET: version}, day))


def left_out(connection: Connection) -> dict[str, bool]:
    """Whether each of two agreements' last delivery left carriers out."""
    for agreement in (MINE, OTHER):
        line = DeliveredVersion(DATASET, 7, date(2026, 11, 24), "")
        deliveries.advance(connection, agreement, line)
    found = deliveries.ask_had(connection, [OTHER, MINE], [DATASET]).all()
    assert {(had.dataset, had.version, len(had.published)) for had in found} == {(DATASET, 7, 0)}
    return {had.agreement: had.left_out for had in found}


@pytest.mark.parametrize(
    ("versions", "in_force", "over", "released"),
    [
        ({"a": 7, "b": 6}, {"a", "b"}, False, False),
        ({"a": 7, "b": 7}, {"a", "b"}, False, True),
        ({"a": 7, "b": 6}, {"a"}, False, True),
        ({"a": 7}, {"a", "b"}, False, True),
        ({"a": 7, "b": 6}, {"a", "b"}, True, True),
    ],
)
def test_a_carrier_is_released_when_nobody_is_left_to_wait_for(
    versions: dict[str, int], in_force: set[str], over: bool, released: bool
) -> None:
    assert Waits(7, ["a", "b"], 1, over).released(versions, in_force) is released


def test_the_time_of_a_carrier_that_goes_on_waiting_stays(connection: Connection) -> None:
    since = "SELECT carrier, since FROM registry.waiting_carrier ORDER BY carrier"
    first, second = WaitingCarrier("A1", 7, (OTHER,)), WaitingCarrier("A2", 7, (OTHER,))
    waiting_carriers.note(connection, MINE, DATASET, [first, second], {DATASET: 6})
    before = dict(connection.execute(since).fetchall())
    assert waiting_carriers.noted(connection, MINE, LONG) == [Waits(7, [OTHER], 2, over=False)]
    later = WaitingCarrier("A2", 8, (OTHER, "f03-a-d"))
    waiting_carriers.note(connection, MINE, DATASET, [later], {DATASET: 7})
    assert dict(connection.execute(since).fetchall()) == {"A2": before["A2"]}
    (found,) = waiting_carriers.noted(connection, MINE, NOT_AT_ALL)
    assert found == Waits(8, [OTHER, "f03-a-d"], 1, over=True)
    seen = connection.execute("SELECT seen FROM registry.waiting_carrier").fetchall()
    assert seen == [({DATASET: 6},)], "what it had before it waited"
    assert waiting_carriers.waited_for(connection, OTHER)
    assert not waiting_carriers.waited_for(connection, MINE)
    assert left_out(connection) == {MINE: True, OTHER: False}
    waiting_carriers.note(connection, MINE, DATASET, [], {})
    assert waiting_carriers.noted(connection, MINE, LONG) == []
    assert left_out(connection) == {MINE: False, OTHER: False}


def test_no_carrier_stands_in_what_is_shown_of_it() -> None:
    assert "A1" not in repr(WaitingCarrier("A1", 7, (OTHER,)))


def test_who_was_not_waited_for_is_known_until_it_confirms(connection: Connection) -> None:
    confirmed(connection, OTHER, 6)
    for agreement, carriers in ((MINE, 2), ("f03-a-d", 3)):
        made = transfers.open_transfer(connection, "deliver", agreement, "1.0.0", NOW)
        waiting_carriers.went_ahead(connection, made, DATASET, [Ahead(OTHER, 7, carriers)])
    (found,) = waiting_carriers.unconfirmed(connection)
    assert (found.agreement, found.carriers) == (OTHER, 3)
    confirmed(connection, OTHER, 7)
    assert waiting_carriers.unconfirmed(connection) == []


def test_versions_of_those_that_have_got_anything(connection: Connection) -> None:
    confirmed(connection, OTHER, 6)
    known = holding_heads.confirmed_versions(connection, DATASET, [MINE, OTHER])
    assert known == {OTHER: 6}
    assert holding_heads.confirmed_versions(connection, "hrss/card_master", [OTHER]) == {}
