"""Files: CSV, JSON and Parquet, local or over SFTP, with manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from connectors.files import held, write
from connectors.files.options import FilesSink, FilesSource
from connectors.files.read import FilesReading
from onecard.base.connections import Connection
from onecard.ports.inbox import Arrivals, Held
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Reading, ReadRequest

if TYPE_CHECKING:
    from pydantic import BaseModel


class FilesConnector:
    """Implements `onecard.ports.connector.Connector` for folders of files."""

    kind: ClassVar[str] = "files"
    source_options: ClassVar[type[BaseModel]] = FilesSource
    sink_options: ClassVar[type[BaseModel]] = FilesSink
    in_order: ClassVar[bool] = True

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read the files that are new since the checkpoint."""
        return FilesReading(connection, request)

    def held(self, connection: Connection, request: ReadRequest, arrivals: Arrivals) -> Held:
        """The rows of the parcels that lie in an inbox folder, in the order of their sending.

        Args:
            connection: of the inbox.
            request: agreement, columns, and the sink's options.
            arrivals: what may have come, and the key.
        """
        sink = FilesSink.model_validate(request.options.model_dump())
        blank = sink.format.kind == "csv"
        return Held(held.chunks(connection, sink, request, arrivals), blank)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """Write one file and its manifest; the same content under the same id is a no-op.

        Args:
            connection: of the inbox.
            options: the sink's options, of this kind's model.
            parcel: delivery id, schema, key, rows and deletes as Arrow batches.
        """
        return write.send(connection, FilesSink.model_validate(options.model_dump()), parcel)
