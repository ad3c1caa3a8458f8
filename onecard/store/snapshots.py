"""One state of the registry, read as Arrow: all rows of a delivery come from one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any

from psycopg import sql

from onecard.base.prefetch import beside, prefetch
from onecard.store import arrow

if TYPE_CHECKING:
    from concurrent.futures import Future

    import polars as pl
    import pyarrow as pa

WHAT = "the hub's database"
_END = object()
_BACK_S = 0.1
"""Long enough for a thread that is on its way out of the driver."""


class Snapshot:
    """One state of the hub's database, asked one statement after the other.

    Nothing in it changes the database: what it makes is temporary, and gone when it is closed. Each
    statement runs in a thread of its own, as the driver waits for a silent server for ever; one
    that hangs is left behind with its connection.

    Attributes:
        versions: of every dataset's registry table.
    """

    def __init__(self, address: str, state: str = "") -> None:
        """Nothing is asked yet.

        Args:
            address: of the hub's database.
            state: that another snapshot has exported, while that is open; empty: the present one.
        """
        self._address, self._state = address, state
        self._stack = ExitStack()
        self._connection: Any = None
        self._cursor: Any = None
        self._driver = Lock()
        self._left = False
        self.versions: Mapping[str, int] = {}

    def __enter__(self) -> Snapshot:
        """Take it; raises as `onecard.store.arrow.connect`."""
        self._ask(self._open)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; after an error nobody uses its session again.

        A thread that is still in the driver, because that hangs or an interrupt lets nobody wait,
        would go on in memory that closing frees: it closes when it comes back.
        """
        if value is None and not self._driver.locked():
            self._ask(self._stack.close)
            return
        self._left = True
        if self._driver.acquire(timeout=_BACK_S):
            try:
                self._end()
            finally:
                self._driver.release()

    def batches(self, statement: sql.Composed) -> Iterator[pa.RecordBatch]:
        """The rows of a SELECT, with its columns, batch by batch; a few ahead of the caller."""
        yield from self._running(self._read(statement))

    def frame(self, statement: sql.Composed) -> pl.DataFrame:
        """All rows of a SELECT that gives few.

        Args:
            statement: the SELECT; its columns are the frame's.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        found: list[pa.Table] = []
        self._ask(lambda: found.append(self._table(statement)))
        return pl.DataFrame(pl.from_arrow(found[0]))

    def frame_beside(self, statement: sql.Composed) -> Future[pl.DataFrame]:
        """As `frame`, in another session that sees the same state, while this one is asked more.

        Args:
            statement: the SELECT; its columns are the frame's.
        """
        exported: list[str] = []

        def export() -> None:
            self._cursor.execute("SELECT pg_export_snapshot()")
            exported.append(self._cursor.fetchone()[0])

        def read() -> pl.DataFrame:
            with Snapshot(self._address, exported[0]) as other:
                return other.frame(statement)

        self._ask(export)
        return beside(read)

    def do(self, statement: sql.Composed) -> None:
        """Run a statement that makes something temporary."""
        self._ask(lambda: self._cursor.execute(statement.as_string(None)))

    def number(self, *statements: sql.Composed) -> int:
        """Run statements that make something temporary; the last of them gives one number."""
        found: list[int] = []

        def asked() -> None:
            for statement in statements:
                self._cursor.execute(statement.as_string(None))
            found.append(int(self._cursor.fetchone()[0]))

        self._ask(asked)
        return found[0]

    def _open(self) -> None:
        self._connection = self._stack.enter_context(arrow.connect(self._address))
        cursor = self._cursor = self._stack.enter_context(self._connection.cursor())
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if self._state:
            taken = sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._state))
            cursor.execute(taken.as_string(None))
        cursor.execute("SELECT dataset, version FROM ledger.dataset")
        self.versions = dict(cursor.fetchall())

    def _table(self, statement: sql.Composed) -> pa.Table:
        self._cursor.execute(statement.as_string(None))
        return self._cursor.fetch_arrow_table()

    def _read(self, statement: sql.Composed) -> Iterator[pa.RecordBatch]:
        with arrow.refused():
            self._cursor.execute(statement.as_string(None))
            yield from self._cursor.fetch_record_batch()

    def _ask(self, done: Callable[[], object]) -> None:
        def once() -> Iterator[None]:
            with arrow.refused():
                done()
            yield

        for _ in self._running(once()):
            pass

    def _running(self, items: Iterator[Any]) -> Iterator[Any]:
        yield from prefetch(self._steps(items), WHAT)

    def _steps(self, items: Iterator[Any]) -> Iterator[Any]:
        """Each item, in the thread that is in the driver for it."""
        item = None
        while item is not _END:
            with self._driver:
                if self._left:
                    return
                try:
                    item = next(items, _END)
                finally:
                    if self._left:
                        self._end()
            if item is not _END:
                yield item

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._stack.close()
