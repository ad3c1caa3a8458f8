"""Inbox folders that are read back: what lies there is asked for, and nothing else is opened."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

import connectors
from onecard.base.connections import Connection
from onecard.errors import InboxTaken
from onecard.ports.inbox import Arrivals, Sending
from onecard.ports.source import Chunk, Column, ReadRequest
from tests.connectors.systems import COLUMNS, conn
from tests.connectors.test_compliance import parcel

FILES = connectors.connector("files")
SINK = {"directory": "in", "format": {"kind": "parquet"}}
FIRST, SECOND = "f00-test-00000001-aaaa", "f00-test-00000002-bbbb"


@pytest.fixture
def inbox(tmp_path: Path) -> Connection:
    """A folder with two parcels of one row and of two, and with files of others."""
    connection = conn(conn_type="fs", extra={"path": str(tmp_path)})
    (tmp_path / "in").mkdir()
    for rows, delivery in enumerate((FIRST, SECOND), start=1):
        FILES.send(connection, FILES.sink_options.model_validate(SINK), parcel(rows, delivery))
    folder = tmp_path / "in" / "f00-test"
    (folder / "notes.txt").write_text("not ours")
    (folder / "f00-test-00000003-cccc.parquet").write_bytes(b"its manifest never came")
    return connection


def read(connection: Connection, told: list[Sending], asked: list[str]) -> int:
    """Rows that are read where the ledger tells of these deliveries; `asked` gets its question."""

    def sendings(there: Collection[str]) -> list[Sending]:
        asked.extend(there)
        return told

    options = FILES.sink_options.model_validate(SINK)
    request = ReadRequest("f00-test", tuple(Column(n, n) for n in COLUMNS), options)
    held = FILES.held(connection, request, Arrivals(("key",), sendings))  # type: ignore[attr-defined]
    return sum(c.batch.num_rows for c in held.chunks if isinstance(c, Chunk))


def test_the_ledger_is_asked_for_what_lies_there_whole(inbox: Connection) -> None:
    asked: list[str] = []
    told = [Sending(FIRST, confirmed=True), Sending(SECOND, confirmed=False)]
    assert read(inbox, told, asked) == 3
    assert sorted(asked) == [FIRST, SECOND]


def test_a_parcel_that_nobody_sent_is_not_read(inbox: Connection) -> None:
    assert read(inbox, [Sending(FIRST, confirmed=True)], []) == 1


def test_a_confirmed_parcel_that_is_missing_is_told(inbox: Connection) -> None:
    gone = Sending("f00-test-00000009-ffff", confirmed=True)
    with pytest.raises(InboxTaken, match="00000009"):
        read(inbox, [Sending(FIRST, confirmed=True), gone], [])


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    asked: list[str] = []
    assert read(conn(conn_type="fs", extra={"path": str(tmp_path)}), [], asked) == 0
    assert asked == []
