"""Numbered pages that shift while they are read: read again, or nothing is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from onecard.errors import UnstableSource
from tests.json_api import serving
from tests.office import Office

Row = dict[str, Any]


@dataclass
class Api:
    """An API of numbered pages of three rows.

    Attributes:
        rows: what it holds, in its order.
        before: is called before each page with the number of pages given so far.
        asked: the query of each call.
    """

    rows: list[Row] = field(default_factory=list)
    before: Callable[[int], None] = lambda _: None
    asked: list[dict[str, str]] = field(default_factory=list)

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        self.before(len(self.asked))
        self.asked.append(query)
        size, number = int(query["size"]), int(query["page"])
        return {"total": len(self.rows), "list": self.rows[(number - 1) * size : number * size]}


@pytest.fixture
def api() -> Iterator[tuple[Api, int]]:
    found = Api()
    with serving(found.page) as port:
        yield found, port


@pytest.fixture
def office(api: tuple[Api, int], hub_database: str, tmp_path: Path) -> Office:
    options = {
        "path": "/things",
        "records": "list",
        "paginator": {
            "kind": "page_number",
            "page_param": "page",
            "size_param": "size",
            "size": 3,
            "total": "total",
            "order": {"sort": "k"},
        },
    }
    connection = {"conn_type": "http", "host": "127.0.0.1", "port": api[1], "schema": "http"}
    source = {"connector": "rest", "options": options}
    custom = {"sequence": "seq"}
    return Office(hub_database, tmp_path, source, connection, ("k", "v", "seq"), custom)


def things(*names: str) -> list[Row]:
    return [{"k": name, "v": "x", "seq": 1} for name in names]


@pytest.mark.case("page-1", "seven told, seven read, two of them twice: nothing is published")
def test_pages_without_a_stable_order_publish_nothing(api: tuple[Api, int], office: Office) -> None:
    api[0].rows = things("a", "b", "c", "a", "b", "d", "e")
    with pytest.raises(UnstableSource, match=r"2 row\(s\) stood on two pages"):
        office.night()
    assert len(api[0].asked) == 3 * 3, "read three times"
    assert office.ask("SELECT to_regclass('registry.hrss__thing') IS NULL") == [(True,)]
    (status,) = office.ask("SELECT status, message FROM ledger.transfer")
    assert status[0] == "failed"
    assert "not in a stable order" in status[1]
    assert office.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'") == [(0,)]


@pytest.mark.case("page-1", "the order's parameters are sent with every page")
def test_the_order_is_asked_for(api: tuple[Api, int], office: Office) -> None:
    api[0].rows = things("a", "b", "c", "d")
    assert office.counts() == {"rows_read": 4, "published": 4}
    assert [call["sort"] for call in api[0].asked] == ["k"] * 4, "and confirmed"


@pytest.mark.case("page-2", "one row came and one went between two pages: read again, all there")
def test_a_row_inserted_and_one_deleted_between_pages(api: tuple[Api, int], office: Office) -> None:
    source = api[0]
    source.rows = things("b", "c", "d", "e", "f", "g", "h")

    def shift(given: int) -> None:
        if given == 1:
            source.rows = things("a", "b", "c", "d", "e", "f", "h")

    source.before = shift
    done = office.night()
    assert sorted(office.published) == ["a", "b", "c", "d", "e", "f", "h"]
    assert (done.counts.rows_read, done.counts.deduplicated) == (7, 0)
    assert len(source.asked) == 9, "three pages, three again, and these confirmed"


@pytest.mark.case("page-2", "one row lost and none twice: seen when the pages are confirmed")
@pytest.mark.parametrize("confirm", [None, 0])
def test_a_row_deleted_before_and_one_appended(
    api: tuple[Api, int], office: Office, confirm: int | None
) -> None:
    source = api[0]
    source.rows = things("a", "b", "c", "d", "e", "f", "g")

    def shift(given: int) -> None:
        if given == 1:
            source.rows = things("b", "c", "d", "e", "f", "g", "h")

    source.before = shift
    if confirm is not None:
        office.source["options"]["paginator"]["confirm"] = confirm
    office.night()
    lost = set() if confirm is None else {"d"}
    assert set(office.published) - {"a"} == set("bcdefgh") - lost
    assert ("a" in office.published) == (confirm == 0)


@pytest.mark.case("page-2", "a row appended while it is read is no shift")
def test_a_row_appended_while_pages_are_confirmed(api: tuple[Api, int], office: Office) -> None:
    source = api[0]
    source.rows = things("a", "b", "c", "d")

    def append(given: int) -> None:
        if given == 3:
            source.rows = [{"k": "a", "v": "z", "seq": 2}, *source.rows[1:], *things("e")]

    source.before = append
    assert office.counts() == {"rows_read": 4, "published": 4}
    assert office.counts() == {"rows_read": 5, "published": 2, "unchanged": 3}


@pytest.mark.case("page-2", "a total that falls: the reading is begun again")
def test_a_row_deleted_between_pages(api: tuple[Api, int], office: Office) -> None:
    source = api[0]
    source.rows = things("a", "b", "c", "d", "e", "f")

    def shift(given: int) -> None:
        if given == 1:
            source.rows = source.rows[1:]

    source.before = shift
    office.night()
    assert sorted(office.published) == ["b", "c", "d", "e", "f"]


@pytest.mark.case("page-1", "older versions of a row may be listed; the same version may not")
def test_an_api_that_lists_versions(api: tuple[Api, int], office: Office) -> None:
    source = api[0]
    office.source["options"]["paginator"]["versions"] = True
    rows = things("a", "b", "c", "d")
    source.rows = [*rows, {"k": "a", "v": "y", "seq": 2}]
    assert office.counts() == {"rows_read": 5, "published": 4, "deduplicated": 1}
    assert office.published["a"] == "y"
    source.rows = [*rows, rows[0]]
    with pytest.raises(UnstableSource, match=r"1 row\(s\) stood on two pages"):
        office.night()
    assert office.published["a"] == "y"


def test_a_row_twice_on_one_page_and_records_without_a_key_are_no_shift(
    api: tuple[Api, int], office: Office
) -> None:
    bad: list[Any] = [7, {"k": None, "v": "x", "seq": 1}]
    api[0].rows = [*things("a", "a"), *bad, *bad]
    done = office.night()
    assert (done.counts.deduplicated, done.counts.quarantined) == (1, 4)
