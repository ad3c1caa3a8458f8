"""One partition of a folder: the files whose names fall to it, at their places among all files."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from connectors.files.folders import opened
from connectors.files.order import FoundFile
from connectors.files.read import FilesReading
from onecard.base.connections import Connection
from onecard.base.shown import file_name
from onecard.errors import ConfigError, NotDivisible
from onecard.ports.source import Chunk, ReadPart, ReadRequest
from schemas.models.partition import ByName


def mark(connection: Connection, request: ReadRequest) -> str:
    """A digest of which files are there, and in which order.

    Args:
        connection: of the agency's system.
        request: of the whole, with its first partition.

    Raises:
        NotDivisible: files taken before must be read again behind a new one, which is older.
    """
    reading = FilesPart(connection, request)
    with opened(connection) as folder:
        files = reading.in_order(folder)
    reading.require_news_last(files)
    return reading.mark_of(files)


class FilesPart(FilesReading):
    """One pass over the new files of one partition.

    Which file was read where cannot be compared later, as names of files are not kept. So every
    partition looks at the whole folder, and says NotDivisible when it is not the one that was
    marked, or when a file must be read again because of one that another partition reads.
    """

    def __init__(self, connection: Connection, request: ReadRequest) -> None:
        super().__init__(connection, request)
        if request.part is None or not isinstance(request.part.partition, ByName):
            msg = f"{request.dataset}: a folder is read by name, in partitions that are named"
            raise ConfigError(msg)
        self._part: ReadPart = request.part
        self._files: Sequence[FoundFile] = ()

    def __iter__(self) -> Iterator[Chunk]:
        with opened(self._connection) as folder:
            self._files = self.in_order(folder)
            if self.mark_of(self._files) != self._part.mark:
                raise NotDivisible(self._said("files came or went while it was read in partitions"))
            for place, file in enumerate(self._files):
                if self._is_mine(file):
                    for chunk in self._file(folder, file):
                        yield replace(chunk, place=place)

    def mark_of(self, files: Sequence[FoundFile]) -> str:
        """What tells two looks at the folder apart; names are in it as they may be shown.

        Args:
            files: in their order.
        """
        seen = [(f.place[0], self._shown(f), f.entry.size, f.told) for f in files]
        return hashlib.sha256(json.dumps([seen, self.waiting]).encode()).hexdigest()

    def require_news_last(self, files: Sequence[FoundFile]) -> None:
        """Check that no file must be read again for a new one that comes before it.

        Args:
            files: in their order.

        Raises:
            NotDivisible: one must.
        """
        known = [self._is_known(f) for f in files]
        if self._request.file_order and known != sorted(known, reverse=True):
            raise NotDivisible(self._said("a new file is older than files that were taken before"))

    def _taking(self, file: FoundFile, *, known: bool) -> None:
        """A file under a known name has other content: those behind it would be read again."""
        behind = [f for f in self._files if f.place > file.place and self._is_known(f)]
        if known and behind and self._request.file_order:
            raise NotDivisible(self._said("a file that was taken before has been replaced"))

    def _is_known(self, file: FoundFile) -> bool:
        return self._shown(file) in self._taken

    def _shown(self, file: FoundFile) -> str:
        return file_name(file.entry.name, file.told)

    def _is_mine(self, file: FoundFile) -> bool:
        number = zlib.crc32(file.entry.name.encode("utf-8", "surrogateescape"))
        return number % self._part.partition.count == self._part.number

    def _said(self, why: str) -> str:
        return f"{self._request.dataset}: {why}"
