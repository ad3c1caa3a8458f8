"""Rows of single persons in the registry, all of one state of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.string import TextLoader

from onecard.store.database import Connection
from onecard.store.together import Sent, send

Kind = Literal["text", "date", "instant", "integer", "boolean"]
_KINDS: dict[int, Kind] = {
    16: "boolean",
    20: "integer",
    21: "integer",
    23: "integer",
    25: "text",
    1042: "text",
    1043: "text",
    1082: "date",
    1184: "instant",
    1700: "text",
}
"""Types of PostgreSQL (pg_type.oid) that registry columns and control columns have. A numeric is
read as text, as a delivery reads it, and the treatment makes a decimal of it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as they were selected.

    Attributes:
        kinds: of the columns, by their names, in order.
        lines: values in that order.
    """

    kinds: Mapping[str, Kind]
    lines: list[tuple[Any, ...]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DatasetState:
    """A dataset in the registry.

    Attributes:
        version: grows with each publication.
        published_at: of the newest publication.
    """

    dataset: str
    version: int
    published_at: datetime | None


def prepare(connection: Connection) -> None:
    """Make a session ready to ask for persons again and again.

    Each of its statements is planned once, perhaps while a table is still empty: what it looks up
    it looks up by an index, however many rows there are when it runs.
    """
    connection.prepare_threshold = 2
    for setting in _SETTINGS:
        connection.execute(setting)


_SETTINGS: tuple[LiteralString, ...] = (
    "SET jit = off",  # half a second of compiling for one row
    "SET timezone = 'UTC'",
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
)


def ask_states(connection: Connection, datasets: Sequence[str]) -> Sent[DatasetState]:
    """Ask what the registry has of some datasets; those never collected are left out.

    Args:
        connection: of the hub's database.
        datasets: their ids.
    """
    return send(
        connection,
        DatasetState,
        "SELECT dataset, version, published_at FROM ledger.dataset WHERE dataset = ANY(%s)",
        (list(datasets),),
    )


@dataclass(frozen=True, slots=True)
class AskedRows:
    """Rows of persons that were asked for; read them when the answers are there."""

    _cursor: psycopg.RawCursor[tuple[Any, ...]] = field(repr=False)

    def read(self) -> Rows:
        """The rows, once."""
        described = self._cursor.description or []
        kinds: dict[str, Kind] = {c.name: _KINDS[c.type_code] for c in described}
        return Rows(kinds, self._cursor.fetchall())


def ask_rows(connection: Connection, statement: sql.Composed, persons: Sequence[str]) -> AskedRows:
    """Ask for the rows of some persons.

    Args:
        connection: of the hub's database.
        statement: as `onecard.deliver.query.Selection.of_persons` makes it.
        persons: their ID numbers.
    """
    cursor = psycopg.RawCursor(connection)  # `%` in a literal of the statement is itself
    cursor.adapters.register_loader("numeric", TextLoader)
    return AskedRows(cursor.execute(statement, (list(persons),)))
