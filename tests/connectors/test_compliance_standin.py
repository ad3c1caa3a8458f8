"""What every connector must do, for databases that only a stand-in plays here: reading, and sending.

The stand-in holds rows in the form in which the driver gives them, and understands of a statement
which columns it names and which bound it has. What is particular to a dialect stands in
`test_dialect_texts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

import connectors
from connectors.sql.options import SqlSink
from onecard.errors import PolicyError
from tests.connectors import dialect_texts, standin
from tests.connectors.systems import COLUMNS, ZONE, Row, System
from tests.connectors.test_compliance import (
    test_a_missing_column_is_named,
    test_a_source_is_read_on_from_where_a_look_has_seen_it_end,
    test_a_state_tells_whether_anything_came_and_shows_no_value,
    test_an_unknown_column_is_refused_or_never_read,
    test_every_row_arrives_once_at_every_page_boundary,
    test_reading_goes_on_from_a_bound_or_a_checkpoint,
    test_small_batches_hold_the_same_rows,
    test_two_reads_are_equal,
    test_what_is_not_there_is_named,
)

__all__ = [
    "test_a_missing_column_is_named",
    "test_a_source_is_read_on_from_where_a_look_has_seen_it_end",
    "test_a_state_tells_whether_anything_came_and_shows_no_value",
    "test_an_unknown_column_is_refused_or_never_read",
    "test_every_row_arrives_once_at_every_page_boundary",
    "test_reading_goes_on_from_a_bound_or_a_checkpoint",
    "test_small_batches_hold_the_same_rows",
    "test_two_reads_are_equal",
    "test_what_is_not_there_is_named",
]
ALONE = tuple(standin.CATALOGUES)
SQL = connectors.connector("sql")
TYPES = dict(
    zip(COLUMNS, ("string", "string", "number", "date", "timestamp", "integer"), strict=True)
)
_BOUND = re.compile(r">= .*?'(\d{4}-\d\d-\d\d[ T][\d:.]+)")


def _of(kind: str, **more: Any) -> dict[str, Any]:
    return {"data_type": kind, "kind": kind.lower(), **more}


@dataclass(frozen=True)
class Form:
    """How a dialect's driver gives the columns, for the questions that the hub asks.

    Attributes:
        told: what the catalogue says of each.
        values: makes of a value what the driver gives.
        utc: whether a bound is a moment at UTC, or as clocks show it.
    """

    told: Sequence[dict[str, Any]]
    values: Sequence[Callable[[Any], Any]]
    utc: bool


def _same(value: Any) -> Any:
    return value


def _clock(value: datetime) -> str:
    return f"{value.astimezone(ZONE):%Y-%m-%d %H:%M:%S.%f}"


def _at_utc(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}000"


def _midnight(value: Any) -> str:
    return f"{value} 00:00:00"


_WORD = _of("VARCHAR2", char_length=200)
FORMS = {
    "oracle": Form(
        (
            _WORD,
            _WORD,
            _of("NUMBER", data_precision=16, data_scale=2),
            _of("DATE"),
            _of("TIMESTAMP(6) WITH TIME ZONE"),
            _of("NUMBER", data_precision=18, data_scale=0),
        ),
        (_same, _same, str, _midnight, _at_utc, str),
        utc=True,
    ),
    "dm": Form(
        (
            _WORD,
            _WORD,
            _of("DECIMAL", data_precision=16, data_scale=2),
            _of("DATE"),
            _of("TIMESTAMP", data_scale=6),
            _of("BIGINT"),
        ),
        (_same, _same, str, _midnight, _clock, str),
        utc=False,
    ),
    "mssql": Form(
        (
            _of("NVARCHAR", max_length=80),
            _of("NVARCHAR", max_length=400),
            _of("DECIMAL", precision=16, scale=2),
            _of("DATE"),
            _of("DATETIME2", scale=7),
            _of("BIGINT"),
        ),
        (_same, _same, _same, str, lambda v: f"{_clock(v)}0", _same),
        utc=False,
    ),
}


class Table:
    """The rows of a stand-in, which are asked for as statements ask."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.rows: list[Row] = []

    def fill(self, items: list[Row]) -> None:
        self.rows = list(items)

    def answer(self, server: standin.Server) -> tuple[Sequence[str], standin.Rows]:
        """The rows behind the statement's bound, with the columns that it names."""
        statement = server.asked[-1][0]
        head, _, tail = statement.partition("FROM")
        if "count(" in head.lower():
            return ["n"], [[len(self.rows)]]
        places = {m.start(): m[1].lower() for m in re.finditer(r"[\"\[](\w+)[\"\]]", head)}
        names = list(dict.fromkeys(places[place] for place in sorted(places)))
        assert set(names) <= set(COLUMNS), statement
        bound = _BOUND.search(tail)
        since = datetime.min.replace(tzinfo=UTC)
        if bound:
            zone = UTC if self._form.utc else ZONE
            since = datetime.fromisoformat(bound[1]).replace(tzinfo=zone)
        makes = dict(zip(COLUMNS, self._form.values, strict=True))
        return names, [
            tuple(None if row[n] is None else makes[n](row[n]) for n in names)
            for row in self.rows
            if row["at"] >= since
        ]


@contextmanager
def played(name: str) -> Iterator[System]:
    """A system of a dialect that only a stand-in plays."""
    form = FORMS[name]
    table = Table(form)
    told = dict(zip(COLUMNS, form.told, strict=True))

    def catalogue(server: standin.Server) -> tuple[Sequence[str], standin.Rows]:
        _, parameters = server.asked[-1]
        if "nowhere" in str(parameters).lower() + server.asked[-1][0].lower():
            return standin.CATALOGUES[name][1], []
        return standin.catalogue(name, told)

    answers: dict[str, standin.Answer] = {
        standin.CATALOGUES[name][0]: catalogue,
        r"FROM .*t_rows": table.answer,
    }
    with standin.served(name, **answers):
        system = System("sql", standin.connection(name), {"table": "t_rows"}, {}, table.fill, list)
        yield replace(system, types=TYPES)


@pytest.fixture(params=ALONE)
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with played(request.param) as found:
        yield found


def test_the_stand_in_itself_tells_a_bound() -> None:
    """Else every test of a bound here would pass for nothing."""
    from tests.connectors.test_compliance import read, rows

    for name in ALONE:
        with played(name) as system:
            system.fill(rows(9))
            assert len(read(system, since=rows(9)[4]["at"].isoformat())) == 5, name


@pytest.mark.parametrize("name", ALONE)
def test_nothing_is_sent_when_deliveries_are_stopped(name: str) -> None:
    def stopped(_rows: int = 0) -> None:
        msg = "stopped"
        raise PolicyError(msg)

    with standin.served(name, **dialect_texts.inbox(name)) as server:
        parcel = replace(dialect_texts.parcel(), leave=stopped)
        with pytest.raises(PolicyError, match="stopped"):
            SQL.send(standin.connection(name), SqlSink(table="card_status"), parcel)
    said = [n for n, s in enumerate(server.statements, 1) if s.startswith(("INSERT", "DELETE"))]
    assert not said or max(server.commits, default=0) < min(said), "nothing of it lasts"


@pytest.mark.parametrize("name", ALONE)
def test_a_delivery_that_arrived_is_not_sent_again(name: str) -> None:
    where, sink = standin.connection(name), SqlSink(table="card_status")
    with standin.served(name, **dialect_texts.inbox(name)) as server:
        first = SQL.send(where, sink, dialect_texts.parcel())
        before = len(server.statements)
        again = SQL.send(where, sink, dialect_texts.parcel())
    assert (first.already, again.already) == (0, again.parts)
    assert again.digest == first.digest
    changes = [n for n, s in enumerate(server.statements, 1) if s.startswith(("INSERT", "DELETE"))]
    later = [n for n in changes if n > before]
    assert not later or max(server.commits) < min(later), "nothing of it lasts"
