"""Reading a folder: the files that are new since the checkpoint, each held against its manifest."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.common.strict_json import at, parse_json
from connectors.files import formats, manifest
from connectors.files.folder import Folder, ListedFile, TooLarge
from connectors.files.folders import opened
from connectors.files.options import FilesSource
from onecard.base.connections import Connection
from onecard.errors import ConfigError, ProtocolError
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Chunk, ReadRequest, Refusal

log = logging.getLogger(__name__)


class FilesReading:
    """One pass over the new files of a folder, in order of name."""

    def __init__(self, connection: Connection, request: ReadRequest) -> None:
        self._connection, self._request = connection, request
        self._options = FilesSource.model_validate(request.options.model_dump())
        known = request.checkpoint.get("files")
        self._taken: dict[str, str] = dict(known) if isinstance(known, dict) else {}
        self._refused: list[Refusal] = []
        self._waiting: list[str] = []

    @property
    def checkpoint(self) -> Checkpoint:
        """Digest of every file taken, by name."""
        return {"files": dict(sorted(self._taken.items()))}

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """Files that are not what their manifest says, or too large."""
        return tuple(self._refused)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Files without a manifest."""
        return tuple(self._waiting)

    def __iter__(self) -> Iterator[Chunk]:
        options = self._options
        note = options.manifest.suffix if options.manifest else None
        with opened(self._connection) as folder:
            for entry in folder.entries(options.directory):
                wanted = fnmatch.fnmatchcase(entry.name, options.pattern)
                if wanted and not (note and entry.name.endswith(note)):
                    yield from self._file(folder, entry)

    def _file(self, folder: Folder, entry: ListedFile) -> Iterator[Chunk]:
        options, path = self._options, f"{self._options.directory}/{entry.name}"
        promise: dict[str, Any] = {}
        if options.manifest:
            found = self._promise(folder, path + options.manifest.suffix)
            if found is None:
                self._waiting.append(entry.name)
                return
            promise = found
            if self._taken.get(entry.name) == manifest.promised_digest(promise, options.manifest):
                return
        if entry.size > options.max_bytes:
            self._refused.append(Refusal(entry.name, "file.size"))
            return
        try:
            with folder.local(path, options.max_bytes) as copy:
                yield from self._copy(copy, entry.name, promise)
        except TooLarge:  # more than its folder's list said
            self._refused.append(Refusal(entry.name, "file.size"))

    def _promise(self, folder: Folder, path: str) -> dict[str, Any] | None:
        try:
            return manifest.parsed(folder.read(path), path)
        except TooLarge:
            msg = f"{self._request.dataset}: the manifest {path} is too large for one"
            raise ProtocolError(msg) from None

    def _copy(self, copy: Path, name: str, promise: dict[str, Any]) -> Iterator[Chunk]:
        try:
            digest = manifest.file_digest(copy)
        except OSError as error:
            msg = f"{self._request.dataset}: file {name} cannot be read ({type(error).__name__})"
            raise ConfigError(msg) from None
        if self._taken.get(name) == digest:
            return
        problem = self._broken_promise(copy, name, digest, promise)
        if problem:
            self._refused.append(Refusal(name, problem))
            return
        if name in self._taken:
            log.warning("%s: file %s was replaced; it is read again", self._request.dataset, name)
        yield from self._chunks(copy, name)
        self._taken[name] = digest

    def _broken_promise(self, copy: Path, name: str, digest: str, promise: dict[str, Any]) -> str:
        """The rule that the file breaks against its manifest, or an empty text."""
        note = self._options.manifest
        if note is None:
            return ""
        if manifest.promised_digest(promise, note) != digest:
            return "manifest.digest"
        promised = promise.get(note.rows)
        if promised is None:
            return ""
        return "" if str(self._count(copy, name)) == str(promised) else "manifest.rows"

    def _count(self, copy: Path, name: str) -> int | None:
        """Rows of the file, damaged ones included."""
        layout = self._options.format
        if layout.kind != "json":
            return formats.count_rows(copy, layout)
        document = _document(copy, f"{self._request.dataset}: file {name}")
        found = at(document, layout.records)
        return len(found) if isinstance(found, list) else None

    def _chunks(self, copy: Path, name: str) -> Iterator[Chunk]:
        options = self._options.format
        where = f"{self._request.dataset}: file {name}"
        if options.kind == "json":
            document = _document(copy, where)
            yield from formats.json_chunks(at(document, options.records), name, self._request)
            return
        parts = formats.chunks(copy, name, options, self._request)
        while True:
            try:
                part = next(parts, None)
            except (pa.ArrowException, OSError) as error:
                msg = f"{where} cannot be read as {options.kind} ({type(error).__name__})"
                raise ProtocolError(msg) from None
            if part is None:
                return
            yield part


def _document(copy: Path, where: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return parse_json(copy.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        msg = f"{where} is not JSON"
        raise ProtocolError(msg) from None
