"""HTTP JSON APIs: paginated reading, idempotent delivery."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from connectors.rest import news
from connectors.rest.client import Client
from connectors.rest.options import RestSink, RestSource
from connectors.rest.read import ChosenReading, RestReading
from connectors.rest.write import RestSending
from onecard.base.connections import Connection
from onecard.errors import NotDivisible
from onecard.ports.choice import Only
from onecard.ports.news import SourceState
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Reading, ReadRequest

if TYPE_CHECKING:
    from pydantic import BaseModel


class RestConnector:
    """Implements `onecard.ports.connector.Connector` for HTTP JSON APIs."""

    kind: ClassVar[str] = "rest"
    source_options: ClassVar[type[BaseModel]] = RestSource
    sink_options: ClassVar[type[BaseModel]] = RestSink
    seals: ClassVar[bool] = True

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read page after page."""
        return RestReading(connection, request)

    def read_only(self, connection: Connection, request: ReadRequest, only: Only) -> Reading | None:
        """Read page after page of each value; None where the options name no parameter for it.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            only: a field, and its values.
        """
        param = RestSource.model_validate(request.options.model_dump()).by.get(only.name)
        return None if param is None else ChosenReading(connection, request, param, only.values)

    def state(self, connection: Connection, request: ReadRequest) -> SourceState:
        """The rows behind the bound, and their last page.

        Args:
            connection: of the agency's system.
            request: names the bound, and the page to begin with.
        """
        return news.state(connection, request)

    def mark(self, connection: Connection, request: ReadRequest) -> str:
        """How many rows the API says it has, whatever the parameter; empty without a total.

        Args:
            connection: of the agency's system.
            request: of the whole.
        """
        total = RestReading(connection, replace(request, part=None)).total()
        return "" if total is None else str(total)

    def shared(self, connection: Connection) -> AbstractContextManager[str]:  # noqa: ARG002 - the port's
        """An API holds no state for a reader.

        Args:
            connection: of the agency's system.
        """
        return nullcontext("")

    def confirm(self, connection: Connection, request: ReadRequest, rows: int) -> None:
        """Compare the rows of all partitions with the API's total, before and now.

        Args:
            connection: of the agency's system.
            request: as for `mark`, with that mark.
            rows: that all partitions gave together.

        Raises:
            NotDivisible: they are more or fewer: a value of the parameter is not listed, or the
                API does not know the parameter.
        """
        before = request.part.mark if request.part else ""
        now = self.mark(connection, request)
        if not before or not now:
            return
        least, most = sorted((int(before), int(now)))
        if not least <= rows <= most:
            msg = f"{request.dataset}: its partitions gave {rows} row(s), it tells of {now}"
            raise NotDivisible(msg)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """POST the rows in batches, then the manifest.

        Args:
            connection: of the inbox.
            options: the sink's options, of this kind's model.
            parcel: delivery id, schema, key, rows and deletes as Arrow batches.
        """
        sink = RestSink.model_validate(options.model_dump())
        client = Client(connection, sink, f"{parcel.agreement}")
        try:
            return RestSending(client, sink, parcel).run()
        finally:
            client.close()
