"""Files: CSV, JSON, Parquet, Excel, DBF, XML, fixed widths, ZIP; local, SFTP, FTPS; manifests."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, ClassVar

from connectors.files import held, news, partition, write
from connectors.files.options import FilesSink, FilesSource
from connectors.files.partition import FilesPart
from connectors.files.read import FilesReading
from onecard.base.connections import Connection
from onecard.ports.inbox import Arrivals, Held
from onecard.ports.news import SourceState
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
    seals: ClassVar[bool] = True

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read the files that are new since the checkpoint."""
        return (FilesPart if request.part else FilesReading)(connection, request)

    def state(self, connection: Connection, request: ReadRequest) -> SourceState:
        """The folder's list; only files that are new are ever read.

        Args:
            connection: of the agency's system.
            request: names folder and pattern.
        """
        return news.state(connection, request)

    def mark(self, connection: Connection, request: ReadRequest) -> str:
        """A digest of which files are there, and in which order; raises as `partition.mark`."""
        return partition.mark(connection, request)

    def shared(self, connection: Connection) -> AbstractContextManager[str]:  # noqa: ARG002 - the port's
        """No state of a folder can be held; each partition holds it against its mark.

        Args:
            connection: of the agency's system.
        """
        return nullcontext("")

    def confirm(self, connection: Connection, request: ReadRequest, rows: int) -> None:
        """Nothing is left to compare: each partition has seen the same folder.

        Args:
            connection: of the agency's system.
            request: as for `mark`.
            rows: that all partitions gave together.
        """

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
