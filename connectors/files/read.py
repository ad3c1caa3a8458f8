"""Reading a folder: the files that are new since the checkpoint, each held against its manifest.

Whatever leaves of a file's name (checkpoint, origin of rows, remarks, messages) is the name as it
may be shown (`onecard.base.shown.file_name`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from connectors.files import contents, manifest
from connectors.files.folder import Folder, Growing, ListedFile, TooLarge
from connectors.files.folders import opened
from connectors.files.options import FilesSource
from connectors.files.order import FilePlaces, FoundFile
from connectors.files.text_file import Text
from onecard.base.connections import Connection
from onecard.base.shown import file_name
from onecard.errors import ConfigError, ProtocolError
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Chunk, ReadRequest, Refusal

log = logging.getLogger(__name__)


class FilesReading:
    """One pass over the new files of a folder, oldest first.

    Where the contract orders files, those that were taken before and are newer than a new one are
    read again behind it: what they say of a row stands against the older file.
    """

    def __init__(self, connection: Connection, request: ReadRequest) -> None:
        self._connection, self._request = connection, request
        self._options = FilesSource.model_validate(request.options.model_dump())
        known = request.checkpoint.get("files")
        taken: dict[str, str] = known if isinstance(known, dict) else {}
        self._taken = {file_name(name, digest): digest for name, digest in taken.items()}
        self._places = FilePlaces(request, self._options.manifest)
        self._new = False
        self._refused: list[Refusal] = []
        self._waiting: list[str] = []
        self._remarks: list[str] = []

    @property
    def checkpoint(self) -> Checkpoint:
        """Digest of every file taken, by its name as it may be shown; and what orders the files."""
        return self._places.checkpoint(self._taken)

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """Files that are not what their manifest says, or too large."""
        return tuple(self._refused)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Files without a manifest, or that grow while they are fetched."""
        return tuple(self._waiting)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines that were left out, by file."""
        return tuple(self._remarks)

    def __iter__(self) -> Iterator[Chunk]:
        with opened(self._connection) as folder:
            for file in self.in_order(folder):
                yield from self._file(folder, file)

    def in_order(self, folder: Folder) -> list[FoundFile]:
        """The files that are there and can be taken, oldest first.

        Args:
            folder: of the connection.
        """
        entries = self._wanted(folder)
        self._places.look({entry.name for entry in entries})
        found = [file for file in map(partial(self._found, folder), entries) if file]
        return sorted(found, key=lambda f: f.place)

    def _taking(self, file: FoundFile, *, known: bool) -> None:
        """A file is about to be taken that is new, or has other content than it had."""

    def _wanted(self, folder: Folder) -> list[ListedFile]:
        entries = folder.entries(self._options.directory)
        self._remarks += [
            f"{file_name(e.name)}: an annotated copy of `onecard check`, not read: hand the mended"
            " list in under a name of its own"
            for e in entries
            if self._options.is_copy(e.name)
        ]
        return [entry for entry in entries if self._options.names(entry.name)]

    def _found(self, folder: Folder, entry: ListedFile) -> FoundFile | None:
        """A file with its manifest's promise and its place among the others; None: not yet, or not.

        A file without its manifest waits; one whose place cannot be told is refused.
        """
        promise: dict[str, Any] = {}
        told = ""
        if self._options.manifest:
            path = f"{self._options.directory}/{self._options.manifest.path(entry.name)}"
            found = self._promise(folder, path)
            if found is None:
                self._waiting.append(file_name(entry.name))
                return None
            if self._options.manifest.content == "json":
                promise, told = found, manifest.promised_digest(found, self._options.manifest)
        place = self._places.place(entry.name, promise, told)
        if place is None:
            self._refused.append(Refusal(file_name(entry.name, told), "manifest.time"))
            return None
        return FoundFile(entry, promise, told, place)

    def _file(self, folder: Folder, file: FoundFile) -> Iterator[Chunk]:
        options, entry, told = self._options, file.entry, file.told
        known = bool(told) and self._taken.get(file_name(entry.name, told)) == told
        if known and not self._again:
            return
        if entry.size > options.max_bytes:
            self._refused.append(Refusal(file_name(entry.name, told), "file.size"))
            return
        try:
            with folder.local(f"{options.directory}/{entry.name}", options.max_bytes) as copy:
                yield from self._copy(copy, file)
        except TooLarge:  # more than its folder's list said
            self._refused.append(Refusal(file_name(entry.name, told), "file.size"))
        except Growing:
            self._waiting.append(file_name(entry.name, told))

    @property
    def _again(self) -> bool:
        """Whether files taken before are read again: an older one, new to the hub, came first."""
        return self._new and self._request.file_order is not None

    def _promise(self, folder: Folder, path: str) -> dict[str, Any] | None:
        try:
            found = folder.read(path)
            if self._options.manifest and self._options.manifest.content == "none":
                return None if found is None else {}
            return manifest.parsed(found, file_name(path))
        except TooLarge:
            msg = f"{self._request.dataset}: the manifest {file_name(path)} is too large for one"
            raise ProtocolError(msg) from None

    def _copy(self, copy: Path, found: FoundFile) -> Iterator[Chunk]:
        listed, promise = found.entry.name, found.promise
        try:
            digest = manifest.file_digest(copy)
        except OSError as error:
            name = file_name(listed)
            msg = f"{self._request.dataset}: file {name} cannot be read ({type(error).__name__})"
            raise ConfigError(msg) from None
        name = file_name(listed, digest)
        same = self._taken.get(name) == digest
        if same and not self._again:
            return
        file = Text(copy, name, limit=self._options.max_bytes)
        problem = self._broken_promise(file, digest, promise)
        if problem:
            self._refused.append(Refusal(name, problem))
            return
        if not same:
            self._taking(found, known=name in self._taken)
        if name in self._taken:
            why = "an older file came after it" if same else "it was replaced"
            log.warning("%s: file %s is read again: %s", self._request.dataset, name, why)
        self._new = self._new or not same
        late = self._places.late(found.place)
        for chunk in contents.chunks(file, self._options.format, self._request):
            yield replace(chunk, late=True) if late else chunk
        self._taken[name] = digest
        self._remarks += file.skipped.remarks(name)

    def _broken_promise(self, file: Text, digest: str, promise: dict[str, Any]) -> str:
        """The rule that the file breaks against what it promises, or an empty text."""
        note, layout = self._options.manifest, self._options.format
        if note is not None and note.content == "json":
            if manifest.promised_digest(promise, note) != digest:
                return "manifest.digest"
            promised = promise.get(note.rows)
            rows = None if promised is None else contents.count(file, layout, self._request.dataset)
            if str(rows) != str(promised):
                return "manifest.rows"
        return "file.total" if contents.broken_total(file, layout) else ""
