"""F07 to F12, F15: an HTTP source that misbehaves, through real collects into PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from onecard.errors import (
    ConfigError,
    OnecardError,
    ProtocolError,
    SchemaMismatch,
    SourceUnavailable,
)
from tests.cities import Cities
from tests.faults.proxy import (
    Fault,
    HttpProxy,
    busy,
    edited,
    http_proxy,
    repeated,
    says,
    travels,
)
from tests.faults.sources import PAGE, World, world

EVENTS, SETTLEMENTS = "hrss/card_status_event", "medical_insurance/med_settlement"
APIS = {EVENTS: "hrss_api", SETTLEMENTS: "medical_insurance_api"}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("http"), cities) as found:
        yield found


@pytest.fixture(scope="module")
def proxies(city: World) -> Iterator[dict[str, HttpProxy]]:
    with (
        http_proxy(city.connection(APIS[EVENTS])["port"]) as events,
        http_proxy(city.connection(APIS[SETTLEMENTS])["port"]) as settlements,
    ):
        found = {EVENTS: events, SETTLEMENTS: settlements}
        for dataset, proxy in found.items():
            city.through(APIS[dataset], proxy.server_address[1])
        yield found


@pytest.fixture(scope="module")
def wanted(city: World, proxies: dict[str, HttpProxy]) -> dict[str, tuple[Any, ...]]:
    """What each dataset is after a collect without faults, and how many pages that takes."""
    found = {}
    for dataset, proxy in proxies.items():
        city.collect(dataset)
        assert len(proxy.asked) >= 4, "the faults below need several pages"
        found[dataset] = city.state(dataset)
    return found


@pytest.fixture
def clean(
    city: World, proxies: dict[str, HttpProxy], wanted: dict[str, tuple[Any, ...]]
) -> Iterator[Callable[[str], HttpProxy]]:
    """A dataset as if never collected, behind its proxy; at the end a sound run must equal."""
    used: list[str] = []

    def start(dataset: str) -> HttpProxy:
        used.append(dataset)
        city.forget(dataset)
        proxies[dataset].clean()
        return proxies[dataset]

    yield start
    for dataset in used:
        proxies[dataset].clean()
        city.collect(dataset, whole=True)
        assert city.state(dataset) == wanted[dataset]


Start = Callable[[str], HttpProxy]


@pytest.mark.fault("F07", "one page breaks off: fetched again, the result is the same")
@pytest.mark.parametrize("how", ["truncated", "reset", "stalled"])
@pytest.mark.parametrize("dataset", [EVENTS, SETTLEMENTS])
def test_a_page_that_breaks_off_once_is_fetched_again(
    city: World, clean: Start, wanted: dict[str, Any], dataset: str, how: Any
) -> None:
    proxy = clean(dataset)
    proxy.faults[2] = travels(how)
    city.collect(dataset)
    assert city.state(dataset) == wanted[dataset]
    assert proxy.asked[1] == proxy.asked[2]


def spoil(page: int, fault: Fault) -> Callable[[HttpProxy], None]:
    """That page and every one after it."""

    def apply(proxy: HttpProxy) -> None:
        proxy.faults.update(dict.fromkeys(range(page, page + 40), fault))

    return apply


def first_cursor(document: Any) -> None:
    document["data"]["next"] = str(PAGE)


HTML = b"<html><body>410199199001010014 maintenance</body></html>"
FAILING: list[Any] = [
    pytest.param(spoil(2, travels(how)), SourceUnavailable, "cannot be reached", id=f"F07 {how}")
    for how in ("truncated", "reset", "stalled")
] + [
    pytest.param(spoil(3, busy(429)), SourceUnavailable, "HTTP 429 after 3", id="F08 429"),
    pytest.param(spoil(3, busy(503)), SourceUnavailable, "HTTP 503 after 3", id="F08 503"),
    pytest.param(spoil(2, busy(403)), ConfigError, "HTTP 403", id="F08 403"),
    pytest.param(
        spoil(2, says(HTML, "text/html")), ProtocolError, "instead of JSON", id="F09 html"
    ),
    pytest.param(spoil(2, says(HTML)), ProtocolError, "is not JSON", id="F09 html as JSON"),
    pytest.param(spoil(2, says(b'{"code":"99"}')), ProtocolError, "code = 00", id="F09 error body"),
    pytest.param(spoil(2, says(b'{"code":"00"}')), ProtocolError, "no list", id="F09 no list"),
    pytest.param(spoil(2, repeated), ProtocolError, "repeated", id="F11 repeated"),
    pytest.param(spoil(2, edited(first_cursor)), ProtocolError, "loop", id="F11 loop"),
]


@pytest.mark.fault("F07", "a source that stays broken: nothing published, watermark unmoved")
@pytest.mark.fault("F08", "bounded attempts, 403 asked once; nothing published")
@pytest.mark.fault("F09", "HTML or an error body in mid-reading: failed, not 0 rows")
@pytest.mark.fault("F11", "a repeated page or cursor loop ends the reading, nothing published")
@pytest.mark.parametrize(("spoilt", "error", "words"), FAILING)
def test_what_stays_broken_publishes_nothing(
    city: World,
    clean: Start,
    spoilt: Callable[[HttpProxy], None],
    error: type[OnecardError],
    words: str,
) -> None:
    proxy = clean(EVENTS)
    spoilt(proxy)
    said = city.fails(EVENTS, error, words)
    assert "410199199001010014" not in said
    assert len(proxy.asked) <= 5, "it is not tried for ever"


@pytest.mark.fault("F08", "Retry-After within bounds is waited for, then the page is taken")
def test_a_source_that_is_busy_now_and_then(
    city: World, clean: Start, wanted: dict[str, Any]
) -> None:
    proxy = clean(EVENTS)
    proxy.faults = {1: busy(429, "3600"), 2: busy(503), 4: busy(429), 6: busy(502)}
    city.collect(EVENTS)
    assert city.state(EVENTS) == wanted[EVENTS]


@pytest.mark.fault("F08", "a token that dies in mid-reading is renewed, the rows are the same")
def test_a_token_that_dies_in_the_middle_is_renewed(
    city: World, clean: Start, wanted: dict[str, Any]
) -> None:
    proxy = clean(SETTLEMENTS)
    proxy.faults[2] = busy(401)
    city.collect(SETTLEMENTS)
    assert city.state(SETTLEMENTS) == wanted[SETTLEMENTS]


def emptied(document: Any) -> None:
    document["data"]["items"] = []


def ended(document: Any) -> None:
    document["list"] = []


@pytest.mark.fault("F12", "an empty page with a cursor is not the end; only its rows are missing")
def test_an_empty_page_is_not_the_end(city: World, clean: Start) -> None:
    proxy = clean(EVENTS)
    whole = city.collect(EVENTS).rows_read
    city.forget(EVENTS)
    proxy.clean()
    proxy.faults[2] = edited(emptied)
    assert 0 < whole - city.collect(EVENTS).rows_read <= PAGE


@pytest.mark.fault("F10", "a numbered page without rows before the total is refused")
def test_pages_that_stop_before_the_total_are_refused(city: World, clean: Start) -> None:
    proxy = clean(SETTLEMENTS)
    proxy.always = edited(lambda d: d.update(total=d["total"] + 7))
    city.fails(SETTLEMENTS, ProtocolError, "promised")
    proxy.clean()
    proxy.faults[3] = edited(ended)
    city.fails(SETTLEMENTS, ProtocolError, "promised")


@pytest.mark.fault("F10", "a row deleted between numbered pages is noticed by the total")
def test_a_row_deleted_between_numbered_pages_is_noticed(
    city: World, clean: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Every later row moves up by one, the first of the next page would be missed: read again."""
    proxy = clean(SETTLEMENTS)
    file = city.stage.city.home / "http" / "med_settlement.sqlite"
    with closing(sqlite3.connect(file, check_same_thread=False)) as database:
        kept = database.execute("SELECT * FROM rows ORDER BY position LIMIT 1").fetchone()

        def delete(page: int) -> None:
            if page == 2:
                database.execute("DELETE FROM rows WHERE position = ?", kept[:1])
                database.commit()

        proxy.between = delete
        try:
            counts = city.collect(SETTLEMENTS)
            (left,) = database.execute("SELECT count(*) FROM rows").fetchone()
            assert counts.rows_read == left
            assert "the number of its rows fell while they were read" in caplog.text
        finally:
            proxy.clean()
            database.execute("INSERT INTO rows VALUES (?, ?, ?)", kept)
            database.commit()


@pytest.mark.fault("F10", "keyset pages: a row inserted while reading loses no other")
def test_a_row_inserted_between_keyset_pages_loses_no_other(city: World, clean: Start) -> None:
    proxy = clean(EVENTS)
    whole = city.collect(EVENTS).rows_read
    city.forget(EVENTS)
    proxy.clean()
    file = city.stage.city.home / "http" / "card_status_event.sqlite"
    with closing(sqlite3.connect(file, check_same_thread=False)) as database:
        copied = database.execute("SELECT moment, body FROM rows LIMIT 1").fetchone()

        def insert(page: int) -> None:
            if page == 2:
                database.execute(
                    "INSERT INTO rows (position, moment, body) VALUES (-1, ?, ?)", copied
                )
                database.execute("INSERT INTO rows (moment, body) VALUES (?, ?)", copied)
                database.commit()

        proxy.between = insert
        try:
            counts = city.collect(EVENTS)
            assert counts.rows_read == whole + 1, "the one behind the cursor; not the one before it"
        finally:
            proxy.clean()
            database.execute("DELETE FROM rows WHERE position = -1")
            database.execute("DELETE FROM rows WHERE position = (SELECT max(position) FROM rows)")
            database.commit()


@pytest.mark.fault("F32", "a key that the contract does not name stops the reading midway")
def test_an_unknown_key_on_a_later_page_publishes_nothing(city: World, clean: Start) -> None:
    proxy = clean(EVENTS)
    proxy.faults[3] = edited(lambda d: d["data"]["items"][0].update(mobile="13812345678"))
    said = city.fails(EVENTS, SchemaMismatch, "mobile")
    assert "13812345678" not in said
