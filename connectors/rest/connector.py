"""HTTP JSON APIs: paginated reading, idempotent delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from connectors.http.connector import PagedConnector
from connectors.rest.client import Client
from connectors.rest.options import RestSink, RestSource
from connectors.rest.read import RestReading
from connectors.rest.write import RestSending
from onecard.base.connections import Connection
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import ReadRequest

if TYPE_CHECKING:
    from pydantic import BaseModel


class RestConnector(PagedConnector):
    """Implements `onecard.ports.connector.Connector` for HTTP JSON APIs."""

    kind: ClassVar[str] = "rest"
    source_options: ClassVar[type[BaseModel]] = RestSource
    sink_options: ClassVar[type[BaseModel]] = RestSink
    seals: ClassVar[bool] = True

    def reading(
        self, connection: Connection, request: ReadRequest, more: Mapping[str, str] | None = None
    ) -> RestReading:
        """One pass over all pages.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            more: parameters besides those of the options.
        """
        return RestReading(connection, request, more)

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
