"""Databases: PostgreSQL by COPY (the fast path), the others over SQLAlchemy.

SQLAlchemy is loaded where it is needed: reading PostgreSQL does without.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from connectors.sql import dialects
from connectors.sql.errors import translated
from connectors.sql.options import SqlSink, SqlSource
from connectors.sql.read_postgres import PostgresReading
from onecard.base.connections import Connection
from onecard.base.times import OFFSET
from onecard.ports.inbox import Arrivals, Held
from onecard.ports.news import SourceState
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Reading, ReadRequest

if TYPE_CHECKING:
    from pydantic import BaseModel

    from onecard.ports.comparison import RowKey
    from onecard.ports.sql_side import SqlSide
    from schemas.models.contract import Contract


class SqlConnector:
    """Implements `onecard.ports.connector.Connector` for SQL databases."""

    kind: ClassVar[str] = "sql"
    source_options: ClassVar[type[BaseModel]] = SqlSource
    sink_options: ClassVar[type[BaseModel]] = SqlSink

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read the table's named columns in one consistent snapshot."""
        options = SqlSource.model_validate(request.options.model_dump(by_alias=True))
        if dialects.of(connection).copies:
            return PostgresReading(connection, request, options)
        from connectors.sql.read_generic import GenericReading  # noqa: PLC0415 - see above

        return GenericReading(connection, request, options)

    def state(self, connection: Connection, request: ReadRequest) -> SourceState:
        """Keys and cursors of the rows behind the bound, and the latest cursor.

        Args:
            connection: of the agency's system.
            request: names cursor and bound.
        """
        from connectors.sql import news  # noqa: PLC0415 - only where sources are watched

        return news.state(self.read, connection, request)

    def mark(self, connection: Connection, request: ReadRequest) -> str:  # noqa: ARG002 - the port's
        """Nothing: each row fulfils the condition of one partition, whenever it is asked.

        Args:
            connection: of the agency's system.
            request: of the whole.
        """
        return ""

    def shared(self, connection: Connection) -> AbstractContextManager[str]:
        """Hold one state of a PostgreSQL database while the block lasts; else the name is empty."""
        from connectors.sql import partition  # noqa: PLC0415 - only for partitions

        return partition.shared(connection)

    def confirm(self, connection: Connection, request: ReadRequest, rows: int) -> None:
        """Nothing is left to compare: the conditions of the partitions make up the whole.

        Args:
            connection: of the agency's system.
            request: as for `mark`.
            rows: that all partitions gave together.
        """

    def side(
        self, connection: Connection, request: ReadRequest, contract: Contract
    ) -> AbstractContextManager[SqlSide | None]:
        """The table's side of a reconciliation; None where streaming must do.

        Args:
            connection: of the agency's system.
            request: dataset, columns and the table's options.
            contract: fields, their types and the key.
        """
        from connectors.sql.compare import side  # noqa: PLC0415 - only for reconciliations

        return side(connection, request, contract)

    def read_keys(
        self, connection: Connection, request: ReadRequest, key: RowKey, wanted: Collection[RowKey]
    ) -> Reading:
        """The rows of the `wanted` keys; only where `side` gave one.

        Args:
            connection: of the agency's system.
            request: dataset, columns and the table's options.
            key: names of the key fields.
            wanted: their values, in that order.
        """
        from connectors.sql.compare import KeyedReading  # noqa: PLC0415 - as above

        return KeyedReading(connection, request, key, wanted)

    def held(
        self,
        connection: Connection,
        request: ReadRequest,
        arrivals: Arrivals,  # noqa: ARG002 - the table holds what all of them left
    ) -> Held:
        """The rows of an inbox table; none when there is no such table.

        Args:
            connection: of the inbox.
            request: agreement, columns, and the sink's options.
            arrivals: not needed: the table holds what all of them left.
        """
        from connectors.sql import write  # noqa: PLC0415 - see above

        sink = SqlSink.model_validate(request.options.model_dump(by_alias=True))
        with translated(f"{request.dataset} in {sink.table}", connection):
            inbox = write.there(connection, sink.schema_, sink.table)
        if not inbox.there:
            return Held(iter(()))
        written = {**sink.model_dump(by_alias=True), "timezone": OFFSET}
        options = SqlSource.model_validate(written)
        rows = self.read(connection, replace(request, options=options))
        return Held(iter(rows), blank_is_null=inbox.blank_is_null)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """Upsert the parcel by its key in one transaction.

        Args:
            connection: of the inbox.
            options: the sink's options, of this kind's model.
            parcel: delivery id, schema, key, rows and deletes as Arrow batches.
        """
        from connectors.sql import write  # noqa: PLC0415 - see above

        sink = SqlSink.model_validate(options.model_dump(by_alias=True))
        with translated(f"{parcel.agreement} into {sink.table}", connection):
            return write.send(connection, sink.schema_, sink.table, parcel)
