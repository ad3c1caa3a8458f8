"""Inbox folders read back: the parcels that still lie there, as far as all of them do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa

from connectors.files import formats
from connectors.files.folder import Folder, TooLarge
from connectors.files.folders import opened
from connectors.files.options import FilesSink
from connectors.files.text_file import Text
from onecard.base.connections import Connection
from onecard.errors import ConfigError, InboxTaken, ProtocolError
from onecard.ports.inbox import Arrivals, Dropped, Sending
from onecard.ports.source import Chunk, ReadRequest


def chunks(
    connection: Connection, sink: FilesSink, request: ReadRequest, arrivals: Arrivals
) -> Iterator[Chunk | Dropped]:
    """Deletes and rows of all parcels, oldest first; rows that cannot be split are left out.

    A parcel without its manifest is one that the consumer does not take: it is not there.

    Args:
        connection: of the inbox.
        sink: where its files lie, and their format.
        request: agreement and columns.
        arrivals: tell which deliveries they are, and the key.
    """
    with opened(connection) as folder:
        agreement = request.dataset
        sendings = arrivals.sendings(_there(folder, sink, agreement))
        notes = [(s.id, _note(folder, sink, agreement, s)) for s in sendings]
        keys = replace(request, columns=tuple(c for c in request.columns if c.name in arrivals.key))
        for delivery, note in notes:
            if note is None:
                continue
            if "file" in (note.get("deletes") or {}):
                path = sink.deletes_path(agreement, delivery)
                yield from (Dropped(p.batch) for p in _parts(folder, path, sink, keys))
            yield from _parts(folder, sink.path(agreement, delivery), sink, request)


def _there(folder: Folder, sink: FilesSink, agreement: str) -> list[str]:
    """Ids of the parcels whose manifests lie in the folder."""
    directory, _, ending = sink.path(agreement, "").rpartition("/")
    ending += sink.manifest.suffix
    try:
        names = [entry.name for entry in folder.entries(directory)]
    except ConfigError:  # no such folder: nothing was sent yet, or somebody has taken all of it
        return []
    return [name.removesuffix(ending) for name in names if name.endswith(ending)]


def _parts(folder: Folder, path: str, sink: FilesSink, request: ReadRequest) -> Iterator[Chunk]:
    """The sound rows of one file of a parcel."""
    name = path.rpartition("/")[2]
    try:
        with folder.local(path) as copy:
            if not copy.is_file():
                raise InboxTaken(_gone(request.dataset, name))
            for part in formats.chunks(Text(copy, name), sink.format, request):
                yield _sound(part)
    except (pa.ArrowException, OSError) as error:
        msg = f"{request.dataset}: {name} cannot be read back ({type(error).__name__})"
        raise ProtocolError(msg) from None
    except ConfigError:  # gone since its manifest was read
        raise InboxTaken(_gone(request.dataset, name)) from None


def _note(
    folder: Folder, sink: FilesSink, agreement: str, sending: Sending
) -> dict[str, Any] | None:
    """A parcel's manifest, None when it is not there; InboxTaken when it should be."""
    try:
        found = folder.read(sink.path(agreement, sending.id) + sink.manifest.suffix)
    except TooLarge:
        msg = f"{agreement}: the manifest of parcel {sending.id} is too large for one"
        raise ProtocolError(msg) from None
    if found is None and sending.confirmed:
        raise InboxTaken(_gone(agreement, sending.id))
    if found is None:
        return None
    try:
        note = json.loads(found)
    except (ValueError, RecursionError):
        note = None
    if not isinstance(note, dict):
        msg = f"{agreement}: the manifest of parcel {sending.id} is not a JSON object"
        raise ProtocolError(msg)
    return note


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
