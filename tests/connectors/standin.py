"""A stand-in for servers that nobody here has: a driver's module that takes down what it is asked.

It answers questions to the catalogue with what a test has said, and every other one with rows of
values as the real driver would give them. What a server makes of a statement it cannot tell: the
statements themselves are compared with texts that people have reviewed (`dialect_texts`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from unittest import mock

from connectors.sql import dialects
from onecard.base.connections import Connection
from tests.connectors.systems import conn

Rows = Sequence[Sequence[Any]]
Answer = tuple[Sequence[str], Rows] | Callable[["Server"], tuple[Sequence[str], Rows]]


@dataclass
class Server:
    """What was asked, and what is answered.

    Attributes:
        answers: a pattern of a statement → names of columns and rows, or what makes them of what
            was asked before; the first that fits.
        asked: statements with their parameters, in order.
        commits: where the statements before were made to last.
        fails: the error that every statement raises.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    fails: Exception | None = None

    def answer(self, statement: str) -> tuple[Sequence[str], Rows]:
        for pattern, found in self.answers.items():
            if re.search(pattern, statement, re.IGNORECASE | re.DOTALL):
                return found(self) if callable(found) else found
        return (["x"] if statement.lstrip().upper().startswith("SELECT") else ()), ()

    @property
    def statements(self) -> list[str]:
        return [" ".join(statement.split()) for statement, _ in self.asked]


class Cursor:
    """A cursor of DB-API 2.0."""

    arraysize = 100

    def __init__(self, server: Server) -> None:
        self._server = server
        self._rows: list[Sequence[Any]] = []
        self.description: Any = None
        self.rowcount = -1
        self.outputtypehandler = None

    def setinputsizes(self, *_: Any, **__: Any) -> None:
        return

    def execute(self, statement: str, parameters: Any = None, **_: Any) -> None:
        self._server.asked.append((statement, parameters))
        if self._server.fails is not None:
            raise self._server.fails
        names, rows = self._server.answer(statement)
        self._rows = list(rows)
        self.description = [(n, None, None, None, None, None, True) for n in names] or None

    def executemany(self, statement: str, parameters: Any, **_: Any) -> None:
        self.execute(statement, list(parameters))

    def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = 100) -> list[Any]:
        found, self._rows = self._rows[:size], self._rows[size:]
        return found

    def fetchall(self) -> list[Any]:
        found, self._rows = self._rows, []
        return found

    def close(self) -> None:
        return

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class Session:
    """A connection of DB-API 2.0."""

    version = "19.3.0.0.0"
    max_identifier_length = 128
    thin = True
    call_timeout = 0
    outputtypehandler = None

    def __init__(self, server: Server) -> None:
        self._server = server

    def cursor(self, *_: Any, **__: Any) -> Cursor:
        return Cursor(self._server)

    def commit(self) -> None:
        self._server.commits.append(len(self._server.asked))

    def rollback(self) -> None:
        return

    def close(self) -> None:
        return


SETTLING: dict[str, dict[str, Answer]] = {
    "oracle": {
        r"SELECT 1\.1 FROM DUAL": (["x"], [["1.1"]]),
        "current_schema' ?\\) from dual$": (["x"], [["BUREAU"]]),
        "dbms_transaction|v\\$transaction|v\\$session": (["x"], [["READ COMMITTED"]]),
    },
    "dm": {"current_schema' ?\\) from dual$": (["x"], [["BUREAU"]])},
    "mssql": {
        "@@version": (["x"], [["Microsoft SQL Server 2019 - 15.0.2000.5 (X64)"]]),
        "test max support": (["x"], [["test max support"]]),
        "fn_listextendedproperty": (["x"], []),
        "sys\\.(dm_exec_sessions|system_views)|transaction_isolation": (
            ["x"],
            [["READ COMMITTED"]],
        ),
        "schema_name\\(\\)$": (["x"], [["dbo"]]),
        "snapshot_isolation_state": (["x"], [[1]]),
    },
}
"""What SQLAlchemy asks a server of itself when it meets it."""

CATALOGUES = {
    "oracle": (
        "all_tab_columns",
        [
            "owner",
            "table_name",
            "column_name",
            "data_type",
            "data_length",
            "char_length",
            "data_precision",
            "data_scale",
            "nullable",
        ],
    ),
    "dm": (
        "all_tab_columns",
        [
            "owner",
            "table_name",
            "column_name",
            "data_type",
            "data_length",
            "char_length",
            "data_precision",
            "data_scale",
            "nullable",
        ],
    ),
    "mssql": (
        "sys.columns",
        [
            "name",
            "kind",
            "max_length",
            "precision",
            "scale",
            "is_nullable",
            "is_identity",
            "is_computed",
            "default_object_id",
            "collation_name",
            "generated_always_type",
        ],
    ),
}


def connection(name: str, **more: Any) -> Connection:
    """A connection of that dialect; nothing is ever called there."""
    told = {"host": "db.example", "port": 1, "login": "hub", "password": "secret"}
    return conn(conn_type=name, schema="city", **(told | more))


def catalogue(name: str, columns: Mapping[str, Mapping[str, Any]]) -> tuple[Sequence[str], Rows]:
    """The catalogue's answer for a table `rows_` of the columns that are told."""
    names = CATALOGUES[name][1]
    usual: dict[str, Any] = {
        "owner": "BUREAU",
        "table_name": "T_ROWS",
        "nullable": "Y",
        "is_nullable": 1,
        "max_length": 8,
        "precision": 0,
        "scale": 0,
    }
    return names, [
        [(usual | {"column_name": c, "name": c} | dict(told)).get(n) for n in names]
        for c, told in columns.items()
    ]


@contextmanager
def served(name: str, **answers: Answer) -> Iterator[Server]:
    """The dialect's driver, whose `connect` leads to a stand-in.

    Args:
        name: of the dialect.
        answers: pattern → answer, asked before those of SQLAlchemy's own questions.
    """
    settling = {k: v for k, v in SETTLING.get(name, {}).items() if k not in answers}
    server = Server({**answers, **settling})
    driver = import_module(dialects.called(name).module)
    with mock.patch.object(driver, "connect", lambda *_, **__: Session(server)):
        yield server
