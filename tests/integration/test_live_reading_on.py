"""The lane reads a source on from its last page, and loses nothing that comes late."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.rest.client import Client
from onecard.base import failpoints
from onecard.collect import window
from onecard.live.lane import Lane
from tests.cities import Cities
from tests.integration.test_live import EVENTS, PACE, Town, town_of
from tests.waiting import until

SLOW = replace(PACE, whole=3600.0)
"""All behind the watermark is read at the start, and then not before the test has ended."""
SIZE = 5
WATERMARK = "SELECT checkpoint ->> 'cursor' FROM ledger.dataset WHERE dataset = %s"
PUBLISHED = "SELECT event_seq FROM registry.hrss__card_status_event WHERE event_seq > 1"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Town]:
    """A town whose API gives its events on pages of five."""
    with town_of(tmp_path_factory.mktemp("reading_on"), cities) as found:
        schemas = Path(found.stage.environment["ONECARD_SCHEMAS"])
        file = schemas / "contracts" / "hrss" / "card_status_event.odcs.yaml"
        text = file.read_text(encoding="utf-8")
        assert "size: 1000" in text
        file.write_text(text.replace("size: 1000", f"size: {SIZE}"), encoding="utf-8")
        yield found


@contextmanager
def running(town: Town, lane: Lane) -> Iterator[Lane]:
    lane.start()
    try:
        until(lane.ready, "leases")
        until(lambda: town.under_way() == 0, "what was to be done at the start")
        yield lane
    finally:
        lane.end()


def lane(town: Town, **more: float) -> Lane:
    return Lane(lambda: town.stage.hub(0), replace(SLOW, **more))


def published(town: Town) -> set[int]:
    return {int(n) for (n,) in town.ask(PUBLISHED)}


def settle(town: Town) -> None:
    """Some pages of events are published and read on from."""
    numbers = {town.report() for _ in range(3 * SIZE)}
    until(lambda: numbers <= published(town), "the events")
    until(lambda: numbers <= set(town.at_the_buses()), "the events at the buses")


@pytest.fixture
def cursors(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The cursors by which pages of events are asked for."""
    asked: list[str | None] = []
    read = Client.read

    def noted(client, path, params, parse):  # type: ignore[no-untyped-def]
        if path == "/card-status/events":
            asked.append(params.get("after"))
        return read(client, path, params, parse)

    monkeypatch.setattr(Client, "read", noted)
    return asked


def hidden(town: Town) -> tuple[int, tuple[object, ...]]:
    """An event that has its number and position, and whose transaction has not ended yet."""
    with closing(sqlite3.connect(town.events)) as source, source:
        (number,) = town.put(source, 1)
        (row,) = source.execute(
            "DELETE FROM rows WHERE position = last_insert_rowid() RETURNING position, moment, body"
        ).fetchall()
    return number, tuple(row)


def committed(town: Town, row: tuple[object, ...]) -> None:
    """It is there, on the page where it always belonged."""
    with closing(sqlite3.connect(town.events)) as source, source:
        source.execute("INSERT INTO rows (position, moment, body) VALUES (?, ?, ?)", row)


def late(town: Town) -> tuple[int, tuple[object, ...]]:
    """An event that was numbered, and comes only when others after it are published."""
    number, row = hidden(town)
    settle(town)
    assert number not in published(town)
    return number, row


def test_events_are_read_from_the_last_page_on_and_the_watermark_stays(
    town: Town, cursors: list[str | None]
) -> None:
    with running(town, lane(town)):
        settle(town)
        before, watermark = len(cursors), town.ask(WATERMARK, EVENTS)
        settle(town)
        assert None not in cursors[before:], "the first page is not asked for again"
        assert town.ask(WATERMARK, EVENTS) == watermark
    assert len(town.at_the_buses()) == len(set(town.at_the_buses()))


def test_a_burst_is_read_in_several_batches(town: Town) -> None:
    with running(town, lane(town)):
        settle(town)
        before, count = town.collects(), 3 * window.MOST_PAGES * SIZE
        ((last,),) = town.ask("SELECT max(id) FROM ledger.transfer")
        numbers = set(town.burst(count))
        until(lambda: numbers <= published(town), "the burst")
        until(lambda: numbers <= set(town.at_the_buses()), "the burst at the buses")
        assert town.collects() >= before + 3
    most = "SELECT max(rows_read) FROM ledger.transfer WHERE subject = %s AND id > %s"
    assert int(town.ask(most, EVENTS, last)[0][0]) <= window.MOST_PAGES * SIZE
    assert len(town.at_the_buses()) == len(set(town.at_the_buses()))


def test_an_event_that_is_committed_late_is_published_within_the_pace(town: Town) -> None:
    with running(town, lane(town, whole=1.0)):
        number, row = late(town)
        committed(town, row)
        until(lambda: number in published(town), "the late event")
        until(lambda: number in town.at_the_buses(), "the late event at the buses")
    assert len(town.at_the_buses()) == len(set(town.at_the_buses()))


def test_an_event_that_came_late_before_a_crash_is_found_by_the_next_process(town: Town) -> None:
    with running(town, lane(town)):
        number, row = late(town)
        committed(town, row)
    assert number not in published(town), "all of it is read once an hour here"
    with running(town, lane(town)):
        until(lambda: number in published(town), "the late event")


def test_a_collect_that_breaks_off_while_reading_on_loses_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[str] = []
    reach = failpoints.reach

    def once(name: str) -> None:
        if name == "publish.merged" and not broken:
            broken.append(name)
            msg = "the process is gone"
            raise RuntimeError(msg)
        reach(name)

    with running(town, lane(town)):
        settle(town)
        monkeypatch.setattr(failpoints, "reach", once)
        settle(town)
    assert broken
    assert len(town.at_the_buses()) == len(set(town.at_the_buses()))


def test_the_night_finds_nothing_after_a_day_of_reading_on(town: Town) -> None:
    with running(town, lane(town)):
        number, row = late(town)
        committed(town, row)
    found = town.stage.hub(0).collect(EVENTS).run(whole=True)
    assert (found.counts.published, number in published(town)) == (1, True)
    assert town.stage.hub(0).collect(EVENTS).run(whole=True).counts.published == 0
