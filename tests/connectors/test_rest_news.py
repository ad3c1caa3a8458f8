"""The REST connector looks whether there is anything new, and reads on from where it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.http import news
from connectors.rest import page
from connectors.rest.connector import RestConnector
from onecard.errors import ProtocolError
from onecard.ports.news import UNTOLD, SourceState
from onecard.ports.source import Column, ReadRequest
from tests.connectors.rest_server import KEYSET, NUMBERED, Server, keyset, one, rows, system


def request_behind(
    page: str | None = None, since: str = "2026-11-01T00:00:00+08:00", **options: Any
) -> ReadRequest:
    """A request for the rows behind a bound, from a page on."""
    given = {"path": "/rows", "records": "data.items", "paginator": KEYSET, "attempts": 1}
    found = RestConnector.source_options.model_validate(
        {**given, "since_param": "since", **options}
    )
    columns = (Column("x", "X"), Column("y", "Y", required=False))
    return ReadRequest("agency/dataset", columns, found, since=since, page=page)


def look(server: Server, page: str | None = None, **options: Any) -> SourceState:
    """The state of the rows behind a bound, from a page on."""
    return RestConnector().state(system(server), request_behind(page, **options))


def asked(server: Server) -> list[str | None]:
    """The cursors that were asked for since the last time."""
    found = [call["query"].get("after") for call in server.seen]
    server.seen.clear()
    return found


def test_a_source_of_many_pages_is_looked_at_from_its_last_one_on(server: Server) -> None:
    items = [{"X": str(n)} for n in range(7)]
    server.answer = keyset(items)
    place = look(server).end
    assert place is not None
    assert (place.since, place.page) == ("2026-11-01T00:00:00+08:00", "6")
    assert asked(server) == [None, "2", "4", "6"]
    states = [look(server, place.page)]
    assert states[0].end == place
    assert asked(server) == ["6"]
    for name in ("7", "8"):  # the last page is full, then there is one more
        items.append({"X": name})
        states.append(look(server, place.page))
        assert look(server, place.page) == states[-1]
    assert len({state.digest for state in states}) == 3
    assert [state.end.page for state in states if state.end] == ["6", "6", "8"]


def test_what_stands_before_a_page_is_seen_from_the_first_one_on(server: Server) -> None:
    items = [{"X": str(n)} for n in range(5)]
    server.answer = keyset(items)
    whole, end = look(server), look(server, "4")
    items[0] = {"X": "late"}
    assert look(server, "4") == end
    assert look(server).digest != whole.digest


def test_a_reading_goes_on_from_a_page(server: Server) -> None:
    server.answer = keyset([{"X": str(n)} for n in range(7)])
    found = list(RestConnector().read(system(server), request_behind("4")))
    assert rows(found) == [{"x": str(n), "y": None} for n in (4, 5, 6)]
    assert asked(server) == ["4", "6"]


def test_so_many_pages_are_read_at_most_and_the_last_of_them_is_read_on_from(
    server: Server,
) -> None:
    server.answer = keyset([{"X": str(n)} for n in range(7)])
    request = replace(request_behind("2"), most_pages=2)
    state = RestConnector().state(system(server), request)
    assert asked(server) == ["2", "4"]
    assert state.end is not None
    assert (state.end.page, state.more) == ("4", True)
    found = list(RestConnector().read(system(server), request))
    assert rows(found) == [{"x": str(n), "y": None} for n in (2, 3, 4, 5)]
    last = RestConnector().state(system(server), replace(request, page="6"))
    assert last.end is not None
    assert (last.end.page, last.more) == ("6", False)


def test_a_page_that_has_not_changed_is_not_parsed_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    parse = page.parsed

    def noted(content: bytes, *rest: Any) -> page.Reply:
        parsed.append(content)
        return parse(content, *rest)

    monkeypatch.setattr(page, "parsed", noted)
    items = [{"X": str(n)} for n in range(2)]
    server.answer = keyset(items)
    first = look(server)
    again = len(parsed)
    assert look(server) == first
    assert len(parsed) == again, "the same bytes"
    items[1] = {"X": "changed"}
    changed = look(server)
    assert changed.digest != first.digest
    items[1] = {"X": "1"}
    assert look(server) == first


def test_a_page_that_is_refused_stops_the_look(server: Server) -> None:
    server.answer = lambda _: (400, {}, {})
    with pytest.raises(ProtocolError):
        look(server, "4")


def test_what_a_reply_says_beside_its_rows_is_no_news(server: Server) -> None:
    def answer(call: dict[str, Any]) -> Any:
        return {**one({"X": "1"}, {"X": "2", "x": 1}), "served": len(server.seen)}

    server.answer = answer
    assert look(server) == look(server)


def test_a_source_without_a_bound_or_of_many_numbered_pages_says_nothing(server: Server) -> None:
    assert look(server, since_param=None) == SourceState()
    assert server.seen == []
    server.answer = lambda call: {
        "total": "100",
        "data": {"items": [{"X": call["query"]["page"]}, {"X": "of two"}]},
    }
    assert look(server, paginator={**NUMBERED, "order": "stable"}) == SourceState(UNTOLD)
    assert len(server.seen) == news.MOST_NUMBERED + 1
