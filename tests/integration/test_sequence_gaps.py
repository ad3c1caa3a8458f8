"""A source that repeats, reorders or skips the numbers of a card's events."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.rest.client import Client
from connectors.rest.connector import RestConnector
from onecard.collect import gaps
from onecard.errors import SourceUnavailable
from onecard.model.row_order import GAP
from onecard.operations import attention
from onecard.store import database
from tests.card_town import (
    CANCEL,
    EVENTS,
    FOUND,
    INSURANCE,
    LOSS,
    REPORT,
    CardTown,
    card_town,
)
from tests.cities import Cities


@pytest.fixture
def town(tmp_path: Path, cities: Cities) -> Iterator[CardTown]:
    with card_town(cities, tmp_path, (INSURANCE,)) as found:
        yield found


@pytest.fixture
def dumb(tmp_path: Path, cities: Cities) -> Iterator[CardTown]:
    """Its source cannot be asked for one card."""
    with card_town(cities, tmp_path, (INSURANCE,)) as found:
        contract = found.schemas / "contracts" / "hrss" / "card_status_event.odcs.yaml"
        text = contract.read_text(encoding="utf-8")
        assert "by: {card_no: cardNo}" in text
        contract.write_text(text.replace("by: {card_no: cardNo}", "by: {}"), encoding="utf-8")
        yield found


def long_ago(town: CardTown, event: dict[str, Any], hours: float = 2) -> dict[str, Any]:
    """The event as it would be some hours earlier: behind the watermark and its overlap."""
    at = (town.opening - timedelta(hours=hours)).isoformat()
    return {**event, "occurred_at": at, "effective_at": at}


def numbers(town: CardTown, card: str) -> list[int]:
    """Numbers of a card's published events."""
    found = town.ask(
        "SELECT event_seq FROM registry.hrss__card_status_event WHERE card_no = %s"
        " AND _deleted_at IS NULL ORDER BY event_seq",
        card,
    )
    return [number for (number,) in found]


def findings(town: CardTown, transfer: int) -> int:
    """Cards that skip a number, as the collect's findings say."""
    found = town.ask(
        "SELECT coalesce(sum(failed), 0) FROM ledger.rule_count WHERE transfer = %s AND rule = %s",
        transfer,
        GAP,
    )
    return int(found[0][0])


def known_gaps(town: CardTown) -> list[attention.Issue]:
    with database.connect(town.hub.address, autocommit=True) as connection:
        return [i for i in attention.issues(connection, town.hub) if i.kind == "gap"]


def look_again(town: CardTown) -> None:
    """Let the time pass until known gaps are looked at again."""
    town.ask("UPDATE registry.carrier_gap SET next_look = clock_timestamp() RETURNING 1")


@pytest.mark.fault("F50", "a gap is filled by asking for that card, before anything is published")
def test_a_number_that_is_skipped_is_asked_for_before_anything_is_published(town: CardTown) -> None:
    (card,) = town.cards(1)
    town.tell(town.happen(card, LOSS, 1))
    town.collect()
    town.deliver(INSURANCE)
    late = long_ago(town, town.happen(card, FOUND, 2), hours=0.5)
    town.tell(late, town.happen(card, REPORT, 3))
    done = town.collect()
    assert (done.counts.published, findings(town, done.transfer)) == (2, 0)
    assert numbers(town, card) == [1, 2, 3]
    versions = town.ask(
        "SELECT count(DISTINCT _version) FROM registry.hrss__card_status_event"
        " WHERE card_no = %s AND event_seq > 1",
        card,
    )
    assert versions == [(1,)]
    town.deliver(INSURANCE)
    assert known_gaps(town) == []


@pytest.mark.fault("F50", "where the source cannot be asked for a card, it is read further back")
def test_a_source_that_knows_no_cards_is_read_further_back(dumb: CardTown) -> None:
    card, other = dumb.cards(2)
    dumb.tell(long_ago(dumb, dumb.happen(card, LOSS, 1), hours=1), dumb.happen(other, LOSS, 1))
    dumb.collect()
    late = long_ago(dumb, dumb.happen(card, FOUND, 2), hours=0.5)
    dumb.tell(late, dumb.happen(card, REPORT, 3))
    done = dumb.collect()
    assert (numbers(dumb, card), findings(dumb, done.transfer)) == ([1, 2, 3], 0)


@pytest.mark.fault("F50", "who reads on from the last page asks for the card from the first one on")
@pytest.mark.parametrize("how", ["town", "dumb"])
def test_a_gap_is_filled_from_an_earlier_page_than_is_read_on_from(
    how: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []
    read = Client.read

    def noted(client, path, params, parse):  # type: ignore[no-untyped-def]
        asked.append(dict(params))
        return read(client, path, params, parse)

    town: CardTown = request.getfixturevalue(how)
    contract = town.schemas / "contracts" / "hrss" / "card_status_event.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    assert "size: 1000" in text
    contract.write_text(text.replace("size: 1000", "size: 2"), encoding="utf-8")
    card, *others = town.cards(6)
    town.tell(town.happen(card, LOSS, 1), town.happen(card, FOUND, 2))
    town.tell(*(town.happen(other, LOSS, 1) for other in others))
    late = taken_out(town, card, 2)
    town.collect()
    look = town.hub.collect(EVENTS).look()
    assert look is not None
    place = look.state().end
    assert place is not None
    assert place.page is not None
    put_back(town, late)
    town.tell(town.happen(card, REPORT, 3))
    monkeypatch.setattr(Client, "read", noted)
    done = town.hub.collect(EVENTS).run(place=place)
    assert (numbers(town, card), findings(town, done.transfer)) == ([1, 2, 3], 0)
    assert known_gaps(town) == []
    assert asked[0]["after"] == place.page, "it reads on"
    beside = [a for a in asked if "cardNo" in a or "after" not in a]
    assert beside
    assert all("after" not in a for a in beside), "an API may heed its cursor for one card too"


def taken_out(town: CardTown, card: str, number: int) -> tuple[Any, ...]:
    """Take an event out of the source again, as one whose transaction has not ended yet."""
    with closing(sqlite3.connect(town.source)) as source, source:
        found = source.execute(
            "SELECT position, moment, body FROM rows WHERE json_extract(body, '$.AAZ500') = ?"
            " AND json_extract(body, '$.event_seq') = ?",
            (card, number),
        ).fetchone()
        source.execute("DELETE FROM rows WHERE position = ?", (found[0],))
    return tuple(found)


def put_back(town: CardTown, row: tuple[Any, ...]) -> None:
    """It is there, on the page where it always belonged."""
    with closing(sqlite3.connect(town.source)) as source, source:
        source.execute("INSERT INTO rows (position, moment, body) VALUES (?, ?, ?)", row)


@pytest.mark.fault(
    "F50", "a gap that stays is a finding, and is looked at again until it is filled"
)
def test_a_gap_that_stays_is_a_finding_and_is_looked_at_again(
    town: CardTown, caplog: pytest.LogCaptureFixture
) -> None:
    (card,) = town.cards(1)
    town.tell(town.happen(card, LOSS, 1))
    town.collect()
    missing = town.happen(card, FOUND, 2)
    town.tell(town.happen(card, LOSS, 3))
    with caplog.at_level(logging.WARNING):
        done = town.collect()
    assert (done.counts.published, findings(town, done.transfer)) == (1, 1), (
        "a loss waits for nobody"
    )
    said = [r.getMessage() for r in caplog.records if GAP in r.getMessage()]
    assert len(said) == 1
    assert card not in said[0]
    (issue,) = known_gaps(town)
    assert (issue.subject, issue.times, issue.agency) == (EVENTS, 1, "hrss")
    assert card not in issue.says
    assert issue.says.split()[-1] in said[0], "the same keyed reference"
    town.deliver(INSURANCE)
    assert [n for _, _, n in town.arrived(INSURANCE)] == [1, 3]

    quiet = town.collect()
    assert findings(town, quiet.transfer) == 0, "it is not yet time to look again"
    town.tell(long_ago(town, missing))
    assert town.collect().counts.published == 0
    look_again(town)
    assert town.collect().counts.published == 1
    assert (numbers(town, card), known_gaps(town)) == ([1, 2, 3], [])
    town.deliver(INSURANCE)
    assert [n for _, _, n in town.arrived(INSURANCE)] == [1, 3], "the old one is of another hour"
    assert town.deliver(INSURANCE).transfer is None


@pytest.mark.fault("F50", "events that come twice or in another order change nothing")
def test_repeats_and_another_order_leave_the_same_rows(town: CardTown) -> None:
    card, other = town.cards(2)
    events = [town.happen(card, LOSS, 1), town.happen(card, FOUND, 2), town.happen(card, LOSS, 3)]
    town.tell(events[2], events[0], events[1], events[0])
    done = town.collect()
    assert (done.counts.published, done.counts.deduplicated) == (3, 1)
    town.tell(*events)
    assert town.collect().counts.published == 0
    town.deliver(INSURANCE)
    assert [n for _, _, n in town.arrived(INSURANCE)] == [1, 2, 3]
    assert known_gaps(town) == []
    town.tell(town.happen(other, CANCEL, 7, f"B{other[1:]}"))
    done = town.collect()
    assert (done.counts.published, findings(town, done.transfer)) == (1, 0), "it may begin with any"


def test_a_source_that_fails_when_it_is_asked_costs_no_other_row(
    town: CardTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        msg = "the test's source is away"
        raise SourceUnavailable(msg)

    (card,) = town.cards(1)
    town.tell(town.happen(card, LOSS, 1))
    town.collect()
    town.tell(long_ago(town, town.happen(card, FOUND, 2)), town.happen(card, LOSS, 3))
    monkeypatch.setattr(RestConnector, "read_only", fails)
    done = town.collect()
    assert (done.counts.published, findings(town, done.transfer)) == (1, 1)
    monkeypatch.undo()
    look_again(town)
    assert town.collect().counts.published == 1
    assert known_gaps(town) == []


def test_no_more_cards_are_asked_for_at_a_time_than_may_be(
    town: CardTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "MOST_CARRIERS", 2)
    cards = town.cards(3)
    town.tell(*(town.happen(card, LOSS, 1) for card in cards))
    town.collect()
    town.tell(*(long_ago(town, town.happen(card, FOUND, 2)) for card in cards))
    town.tell(*(town.happen(card, LOSS, 3) for card in cards))
    done = town.collect()
    assert (done.counts.published, findings(town, done.transfer)) == (5, 1)
    assert town.ask("SELECT looks FROM registry.carrier_gap") == [(0,)]
    done = town.collect()
    assert (done.counts.published, known_gaps(town)) == (1, []), "it had its turn"
