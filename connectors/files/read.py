"""Reading a folder: the files that are new since the checkpoint, each held against its manifest.

Whatever leaves of a file's name (checkpoint, origin of rows, remarks, messages) is the name as it
may be shown (`onecard.base.shown.file_name`).
"""

from __future__ import annotations

import codecs
import fnmatch
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.common import scanned
from connectors.common.gather import regrouped
from connectors.common.strict_json import parse_json
from connectors.files import formats, looks, manifest
from connectors.files.folder import Folder, ListedFile, TooLarge
from connectors.files.folders import opened
from connectors.files.formats import Text
from connectors.files.options import FilesSource, JsonDocument
from connectors.files.order import FilePlaces, FoundFile
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
        """Files without a manifest."""
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
        options = self._options
        note = options.manifest.suffix if options.manifest else None
        return [
            entry
            for entry in folder.entries(options.directory)
            if fnmatch.fnmatchcase(entry.name, options.pattern)
            and not (note and entry.name.endswith(note))
        ]

    def _found(self, folder: Folder, entry: ListedFile) -> FoundFile | None:
        """A file with its manifest's promise and its place among the others; None: not yet, or not.

        A file without its manifest waits; one whose place cannot be told is refused.
        """
        promise: dict[str, Any] = {}
        told = ""
        if self._options.manifest:
            path = f"{self._options.directory}/{entry.name}{self._options.manifest.suffix}"
            found = self._promise(folder, path)
            if found is None:
                self._waiting.append(file_name(entry.name))
                return None
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

    @property
    def _again(self) -> bool:
        """Whether files taken before are read again: an older one, new to the hub, came first."""
        return self._new and self._request.file_order is not None

    def _promise(self, folder: Folder, path: str) -> dict[str, Any] | None:
        try:
            return manifest.parsed(folder.read(path), file_name(path))
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
        file = Text(copy, name)
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
        for chunk in self._chunks(file):
            yield replace(chunk, late=True) if late else chunk
        self._taken[name] = digest
        self._remarks += file.skipped.remarks(name)

    def _broken_promise(self, file: Text, digest: str, promise: dict[str, Any]) -> str:
        """The rule that the file breaks against its manifest, or an empty text."""
        note = self._options.manifest
        if note is None:
            return ""
        if manifest.promised_digest(promise, note) != digest:
            return "manifest.digest"
        promised = promise.get(note.rows)
        if promised is None:
            return ""
        return "" if str(self._count(file)) == str(promised) else "manifest.rows"

    def _count(self, file: Text) -> int | None:
        """Rows of the file, damaged ones included."""
        layout = self._options.format
        if layout.kind != "json":
            return formats.count_rows(file, layout)
        found = layout.rows_of(_document(file, self._request.dataset))
        return len(found) if isinstance(found, list) else None

    def _chunks(self, file: Text) -> Iterator[Chunk]:
        options, dataset = self._options.format, self._request.dataset
        if options.kind == "json":
            batch = _scanned(file, options, self._request)
            if batch is not None:
                yield from regrouped([(batch, {})], file.origin, self._request.batch_rows)
                return
            found = options.rows_of(_document(file, dataset))
            yield from formats.json_chunks(found, file.origin, self._request)
            return
        parts = formats.chunks(file, options, self._request)
        while True:
            try:
                part = next(parts, None)
            except (pa.ArrowException, OSError) as error:
                kind = f"{options.kind} ({type(error).__name__})"
                msg = f"{dataset}: file {file.origin} cannot be read as {kind}"
                raise ProtocolError(msg) from None
            if part is None:
                return
            yield part


def _scanned(file: Text, options: JsonDocument, request: ReadRequest) -> pa.RecordBatch | None:
    """The rows of a document that is sound throughout; None: it is for the strict reader."""
    if options.records == "$":
        return None
    data = file.path.read_bytes().removeprefix(codecs.BOM_UTF8).rstrip(b"\x1a")
    try:
        found = scanned.document(data, options.records, request)
    except (ValueError, RecursionError):
        return None
    return found.batch if found else None


def _document(file: Text, dataset: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return parse_json(file.path.read_text(encoding="utf-8-sig").rstrip("\x1a"))
    except (ValueError, RecursionError):
        kind = looks.foreign(looks.head(file.path))
        hint = f"; it looks like {kind}" if kind else ""
        msg = f"{dataset}: file {file.origin} is not JSON{hint}"
        raise ProtocolError(msg) from None
