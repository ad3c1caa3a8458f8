"""Loads Arrow batches into a staging table by one binary COPY, in a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa
from psycopg import sql

from onecard.base import failpoints, interrupts, timeouts
from onecard.base.sql_text import names, query
from onecard.errors import FatalError, as_onecard_error
from onecard.native import copy_in
from onecard.store import arrow, database

if TYPE_CHECKING:
    import polars as pl
    from adbc_driver_manager.dbapi import Connection as DriverConnection

    from onecard.native.copy_in import Encoder

DATABASE = "the hub's database"
_BRIEFLY_S = 0.2
"""Where the process ends: the server rolls back what it did not get whole."""


class Loader:
    """A thread that ingests batches as they come; use as a context manager.

    Leaving the block waits for the commit; an error inside it rolls the load back.
    """

    def __init__(self, address: str, table: str, depth: int = 1) -> None:
        self._address = address
        self._table = table
        self._queue: queue.Queue[pl.DataFrame | None] = queue.Queue(maxsize=depth)
        self._error: Exception | None = None
        self._abort = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"load-{table}", daemon=True)

    def __enter__(self) -> Loader:
        self._thread.start()
        return self

    def put(self, batch: pl.DataFrame) -> None:
        """Hand over a batch; waits when the database is slower than the gate.

        Args:
            batch: in the columns of the staging table.

        Raises:
            SourceUnavailable: the database has taken nothing for too long.
            OnecardError: the load has failed already.
        """
        limit = timeouts.seconds()
        end = time.monotonic() + limit
        while True:
            self._raise()
            if time.monotonic() > end:
                raise timeouts.silent(DATABASE, limit)
            try:
                self._queue.put(batch, timeout=0.5)
            except queue.Full:
                continue
            return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._abort.set()
        end = time.monotonic() + (_BRIEFLY_S if interrupts.pending() else timeouts.seconds())
        while self._thread.is_alive() and time.monotonic() < end:
            try:
                self._queue.put(None, timeout=0.5)  # the end
                break
            except queue.Full:
                if self._abort.is_set():
                    self._drain()
        limit = 2 * timeouts.seconds()
        self._thread.join(_BRIEFLY_S if interrupts.pending() else limit)
        if error is None:
            self._raise()
            if self._thread.is_alive():  # it hangs in the driver; it is left behind
                raise timeouts.silent(DATABASE, limit)

    def _drain(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    def _raise(self) -> None:
        if self._error is not None:
            raise as_onecard_error(self._error)

    def _run(self) -> None:
        try:
            self._load()
        except Exception as error:  # noqa: BLE001 - handed to the caller's thread by _raise
            self._error = error
            self._drain()

    def _load(self) -> None:
        first = self._queue.get()
        if first is None:
            return
        encoder = copy_in.encoder(_views(first).schema)
        if encoder is None:
            self._ingest(first)
        else:
            self._copy(first, encoder)

    def _copy(self, first: pl.DataFrame, encoder: Encoder) -> None:
        """The library encodes; psycopg sends."""
        statement = query(
            "COPY {t} ({columns}) FROM STDIN (FORMAT binary)",
            t=sql.Identifier("staging", self._table),
            columns=names(first.columns),
        )
        with database.connect(self._address) as connection, connection.cursor() as cursor:
            connection.execute("SET LOCAL synchronous_commit = off")
            rows = 0
            with cursor.copy(statement) as copy:
                copy.write(copy_in.HEADER)
                for frame in self._frames(first):
                    rows += len(frame)
                    for batch in _views(frame).to_batches():
                        for chunk in encoder.chunks(batch):
                            copy.write(chunk)
                copy.write(copy_in.TRAILER)
            if cursor.rowcount != rows:
                msg = f"{self._table}: {rows} rows were sent, the database took {cursor.rowcount}"
                raise FatalError(msg)
            self._end(connection)

    def _ingest(self, first: pl.DataFrame) -> None:
        """The plain path: ADBC encodes and sends."""
        with arrow.connect(self._address) as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
            batches = (b for frame in self._frames(first) for b in _plain(frame).to_batches())
            reader = pa.RecordBatchReader.from_batches(_plain(first).schema, batches)
            cursor.adbc_ingest(self._table, reader, mode="append", db_schema_name="staging")
            self._end(connection)

    def _frames(self, first: pl.DataFrame) -> Iterator[pl.DataFrame]:
        frame: pl.DataFrame | None = first
        while frame is not None and not self._abort.is_set():
            yield frame
            frame = self._queue.get()

    def _end(self, connection: database.Connection | DriverConnection) -> None:
        if self._abort.is_set():
            connection.rollback()
            return
        failpoints.reach("load.before_commit")
        connection.commit()
        failpoints.reach("load.after_commit")


def _views(frame: pl.DataFrame) -> pa.Table:
    """The frame as Arrow with Polars' own buffers."""
    from polars import CompatLevel  # noqa: PLC0415 - the caller has it loaded

    return frame.to_arrow(compat_level=CompatLevel.newest())


def _plain(frame: pl.DataFrame) -> pa.Table:
    """The frame as Arrow with plain (not view) strings, which ADBC's encoder reads."""
    from polars import CompatLevel  # noqa: PLC0415 - the caller has it loaded

    return frame.to_arrow(compat_level=CompatLevel.oldest())
