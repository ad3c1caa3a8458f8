"""One state of the registry, read as Arrow: all rows of a delivery come from one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from onecard.store import arrow

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the hub's database.

    Attributes:
        versions: of every dataset's registry table.
    """

    versions: Mapping[str, int]
    _cursor: Any = field(repr=False)

    def batches(self, statement: sql.Composed) -> pa.RecordBatchReader:
        """The rows of a SELECT on registry tables, with its columns, batch by batch."""
        self._cursor.execute(statement.as_string(None))
        return self._cursor.fetch_record_batch()


@contextmanager
def snapshot(address: str) -> Iterator[Snapshot]:
    """The state of the hub's database at this moment; raises as `onecard.store.arrow.connect`."""
    with arrow.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL jit = off")  # half a second of compiling for little
        cursor.execute("SELECT dataset, version FROM ledger.dataset")
        yield Snapshot(dict(cursor.fetchall()), cursor)
