"""Whether a folder has anything new: the list of its files and manifests, as a digest."""

from __future__ import annotations

import hashlib

from connectors.files.folders import opened
from connectors.files.options import FilesSource
from onecard.base.connections import Connection
from onecard.ports.news import SourceState
from onecard.ports.source import ReadRequest


def state(connection: Connection, request: ReadRequest) -> SourceState:
    """A digest of names, sizes and times; nothing is opened.

    Args:
        connection: of the agency's system.
        request: names folder and pattern.
    """
    options = FilesSource.model_validate(request.options.model_dump())
    note = options.manifest.suffix if options.manifest else None
    seen = hashlib.sha256()
    with opened(connection) as folder:
        for file in folder.entries(options.directory):
            promised = note is not None and file.name.endswith(note)
            if promised or options.names(file.name):
                line = f"{file.name}\0{file.size}\0{file.modified}\n"
                seen.update(line.encode("utf-8", "surrogateescape"))
    return SourceState(seen.hexdigest())
