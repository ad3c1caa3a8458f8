"""The bytes of a binary COPY TO as Arrow record batches."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from psycopg import errors, generators, pq
from psycopg.abc import PQGen
from psycopg.pq.abc import PGresult

from onecard import native
from onecard.base import timeouts
from onecard.base.timeouts import BoundedConnection
from onecard.errors import ProtocolError
from onecard.native import libpq
from onecard.native.arrays import Filling
from onecard.native.libpq import Libpq

KINDS: dict[int, tuple[int, pa.DataType]] = {
    25: (0, pa.string()),
    1042: (0, pa.string()),
    1043: (0, pa.string()),
    1700: (1, pa.string()),
    1082: (2, pa.date32()),
    1114: (3, pa.timestamp("us")),
    1184: (3, pa.timestamp("us", "UTC")),
    21: (4, pa.int16()),
    23: (5, pa.int32()),
    20: (6, pa.int64()),
}
"""OID of a type (pg_type.dat): what copy_out.c calls it, and what it is in Arrow."""
_MORE, _FULL, _GROW, _SILENT, _ENDED, _FAILED, _BROKEN = range(7)
_PATIENCE_MS = 500
"""So long C waits before Python looks how long the server has been silent."""


class _Stream(ctypes.Structure):
    """As `stream` in copy_out.c."""

    _fields_ = (
        ("columns", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("count", "most_rows", "most_bytes", "rows", "bytes")),
        ("needed", ctypes.c_int64),
        ("wanting", ctypes.c_int64),
        ("message", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("size", "at", "begun", "closed")),
    )


class _Source(ctypes.Structure):
    """As `source` in copy_out.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("get", "consume", "release", "connection")),
        ("socket", ctypes.c_int64),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is full: by rows, or by bytes of the stream, whichever comes first."""

    rows: int
    bytes: int


class Decoder:
    """Decodes one stream into batches.

    Attributes:
        stream: where it stands, for C.
    """

    def __init__(self, columns: Sequence[tuple[str, int]], limits: Limits) -> None:
        """Begin.

        Args:
            columns: name and OID of the type, one of `KINDS`.
            limits: of a batch.
        """
        self._names = [name for name, _ in columns]
        self._kinds = [KINDS[oid] for _, oid in columns]
        self._limits = limits
        self.stream = _Stream(count=len(columns), most_rows=limits.rows, most_bytes=limits.bytes)
        self._begin([])

    def _begin(self, rooms: Sequence[int]) -> None:
        self._filling = Filling(self._kinds, self._limits.rows, rooms)
        self.stream.columns = ctypes.addressof(self._filling.columns)
        self.stream.rows = self.stream.bytes = 0

    def grow(self) -> None:
        """Make the room that C has asked for."""
        self._filling.grow(self.stream.wanting, self.stream.needed)

    def taken(self) -> pa.RecordBatch:
        """The rows so far, in the columns of the stream; a new batch begins."""
        rows, filled = self.stream.rows, self._filling
        self._begin(filled.rooms(rows))
        return filled.batch(self._names, rows)


def available() -> bool:
    """Whether streams can be decoded here at all."""
    return native.library() is not None and libpq.loaded() is not None


def batches(
    connection: BoundedConnection, statement: str, limits: Limits, what: str
) -> Iterator[pa.RecordBatch] | None:
    """The rows of a SELECT; None, and nothing is read: the caller takes its plain path.

    Args:
        connection: in a transaction, which holds the columns as they are described; until the last
            batch nothing else is asked of it.
        statement: the SELECT.
        limits: of a batch.
        what: gives the rows, for messages.

    Raises:
        psycopg.Error: the server refuses the statement, or breaks off.
        ProtocolError: what comes is no COPY stream of these columns.
        SourceUnavailable: nothing has come for twice as long as the hub has patience.
    """
    library, driver = native.library(), libpq.loaded()
    if library is None or driver is None:
        return None
    described = f"SELECT * FROM ({statement}) AS found LIMIT 0"  # noqa: S608 - the caller's own
    found = connection.execute(described.encode()).description or []
    columns = [(column.name, column.type_code) for column in found]
    if not columns or not all(oid in KINDS for _, oid in columns):
        return None
    return _Copy(connection, library, driver, what).batches(statement, Decoder(columns, limits))


class _Copy:
    """One COPY TO on a connection."""

    def __init__(
        self, connection: BoundedConnection, library: ctypes.CDLL, driver: Libpq, what: str
    ) -> None:
        self._connection, self._what = connection, what
        self._fetch = library.onecard_fetch
        self._fetch.restype = ctypes.c_int64
        self._fetch.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
        self._release = library.onecard_release
        self._release.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self._source = _Source(
            get=driver.get_copy_data,
            consume=driver.consume_input,
            release=driver.freemem,
            connection=getattr(connection.pgconn, "pgconn_ptr"),  # noqa: B009 - untyped
            socket=connection.pgconn.socket,
        )

    def batches(self, statement: str, decoder: Decoder) -> Iterator[pa.RecordBatch]:
        text = f"COPY ({statement}) TO STDOUT (FORMAT binary)"
        self._connection.pgconn.send_query(text.encode())
        self._ask(pq.ExecStatus.COPY_OUT, generators.execute(self._connection.pgconn))
        rows, more = 0, True
        try:
            while more:
                more = self._filled(decoder)
                if decoder.stream.rows:
                    rows += decoder.stream.rows
                    yield decoder.taken()
        finally:
            self._release(ctypes.byref(decoder.stream), ctypes.byref(self._source))
        done = self._ask(pq.ExecStatus.COMMAND_OK, generators.fetch_many(self._connection.pgconn))
        if done.command_tuples != rows:
            msg = f"{self._what}: {rows} rows came, the server says {done.command_tuples}"
            raise ProtocolError(msg)

    def _filled(self, decoder: Decoder) -> bool:
        """Fill a batch; False: the stream has ended before it was full."""
        heard = time.monotonic()
        arguments = (ctypes.byref(decoder.stream), ctypes.byref(self._source), _PATIENCE_MS)
        while (outcome := self._fetch(*arguments)) not in (_FULL, _ENDED):
            if outcome == _SILENT:
                limit = 2 * timeouts.seconds()
                if time.monotonic() - heard > limit:
                    raise timeouts.silent(self._what, limit)
                continue
            heard = time.monotonic()
            if outcome == _GROW:
                decoder.grow()
            else:
                self._broken(outcome)
        return bool(outcome == _FULL)

    def _broken(self, outcome: int) -> None:
        """Say what has ended the stream: the server's own error, or bytes that are none of it."""
        if outcome == _FAILED:
            self._ask(pq.ExecStatus.COMMAND_OK, generators.fetch_many(self._connection.pgconn))
        msg = f"{self._what}: what the server sends is no COPY stream of these columns"
        raise ProtocolError(msg)

    def _ask(self, status: pq.ExecStatus, generator: PQGen[list[PGresult]]) -> PGresult:
        """The answer, which has that status."""
        (result,) = self._connection.wait(generator)
        if result.status != status:
            raise errors.error_from_result(result)
        return result
