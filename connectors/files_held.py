"""Inbox folders read back: the parcels that still lie there, as far as all of them do."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from connectors import file_formats
from connectors.files_options import FilesSink
from connectors.folders import Folder, TooLarge, opened
from onecard.connections import Connection
from onecard.errors import ConfigError, InboxTaken, ProtocolError
from onecard.ports import Chunk, ReadRequest
from onecard.read_back import Sending


def chunks(
    connection: Connection, sink: FilesSink, request: ReadRequest, sendings: tuple[Sending, ...]
) -> Iterator[Chunk]:
    """The rows of all parcels, oldest first; rows that cannot be split are left out.

    A parcel without its manifest is one that the consumer does not take: it is not there.
    """
    with opened(connection) as folder:
        there = [s.id for s in sendings if _lies(folder, sink, request.dataset, s)]
        for delivery in there:
            path = sink.path(request.dataset, delivery)
            try:
                with folder.local(path) as copy:
                    if not copy.is_file():
                        raise InboxTaken(_gone(request.dataset, delivery))
                    for part in file_formats.chunks(copy, delivery, sink.format, request):
                        yield _sound(part)
            except (pa.ArrowException, OSError) as error:
                where = f"{request.dataset}: parcel {delivery}"
                msg = f"{where} cannot be read back ({type(error).__name__})"
                raise ProtocolError(msg) from None
            except ConfigError:  # gone since its manifest was read
                raise InboxTaken(_gone(request.dataset, delivery)) from None


def _lies(folder: Folder, sink: FilesSink, agreement: str, sending: Sending) -> bool:
    """Whether a parcel is in the folder; InboxTaken when it should be and is not."""
    try:
        found = folder.read(sink.path(agreement, sending.id) + sink.manifest.suffix)
    except TooLarge:
        msg = f"{agreement}: the manifest of parcel {sending.id} is too large for one"
        raise ProtocolError(msg) from None
    if found is None and sending.confirmed:
        raise InboxTaken(_gone(agreement, sending.id))
    return found is not None


def _gone(agreement: str, delivery: str) -> str:
    return (
        f"{agreement}: parcel {delivery} does not lie in its folder any more: the consumer has"
        " taken it, and what it holds cannot be seen from here"
    )


def _sound(part: Chunk) -> Chunk:
    """Without the rows that no reader can split into their columns."""
    if not part.damaged:
        return part
    keep = pa.array([i not in part.damaged for i in range(part.batch.num_rows)], pa.bool_())
    return Chunk(part.batch.filter(keep), part.origin, part.first_row)
