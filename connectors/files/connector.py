"""Files: CSV, JSON and Parquet, local or over SFTP, with manifests."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from connectors.files import formats, held
from connectors.files.folders import Entry, Folder, TooLarge, opened, private_file
from connectors.files.options import FilesSink, FilesSource, Manifest
from connectors.rest.client import parse_json
from connectors.rest.connector import at
from onecard.base.connections import Connection
from onecard.errors import ConfigError, ProtocolError
from onecard.ports.inbox import Arrivals, Held
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Checkpoint, Chunk, Reading, ReadRequest, Refusal

if TYPE_CHECKING:
    from pydantic import BaseModel

log = logging.getLogger(__name__)


class FilesConnector:
    """Implements `onecard.ports.connector.Connector` for folders of files."""

    kind: ClassVar[str] = "files"
    source_options: ClassVar[type[BaseModel]] = FilesSource
    sink_options: ClassVar[type[BaseModel]] = FilesSink

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read the files that are new since the checkpoint."""
        return _FilesReading(connection, request)

    def held(self, connection: Connection, request: ReadRequest, arrivals: Arrivals) -> Held:
        """The rows of the parcels that lie in an inbox folder, in the order of their sending."""
        sink = FilesSink.model_validate(request.options.model_dump())
        blank = sink.format.kind == "csv"
        return Held(held.chunks(connection, sink, request, arrivals), blank)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """Write one file and its manifest; the same content under the same id is a no-op.

        Keys of deleted rows go into a file of their own, which the manifest names.
        """
        sink = FilesSink.model_validate(options.model_dump())
        path = sink.path(parcel.agreement, parcel.delivery_id)
        with (
            opened(connection) as folder,
            private_file() as draft,
            private_file() as gone,
            private_file() as note,
        ):
            folder.sweep(path.rpartition("/")[0])
            deletes = _deletes(gone, sink, parcel)
            deleted = int(deletes.get(sink.manifest.rows, 0))
            rows = formats.write(draft, sink.format, parcel)
            digest = file_digest(draft)
            manifest_path = path + sink.manifest.suffix
            before = _manifest(folder.read(manifest_path), manifest_path)
            same = before and before.get("deletes", {}) == deletes
            if before and same and before.get(sink.manifest.digest) == digest:
                return Sent(rows, 1, 1, digest, deleted)
            parcel.leave()
            folder.write(path, draft)
            if deleted:
                parcel.leave()
                folder.write(sink.deletes_path(parcel.agreement, parcel.delivery_id), gone)
            manifest = parcel.sign(
                {
                    "columns": list(parcel.schema.names),
                    **dict(parcel.manifest),
                    sink.manifest.rows: rows,
                    sink.manifest.digest: digest,
                    "file": Path(path).name,
                    "deliveryId": parcel.delivery_id,
                    **({"deletes": deletes} if deletes else {}),
                }
            )
            note.write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
            parcel.leave()  # without its manifest the consumer does not take the file
            folder.write(manifest_path, note)
        return Sent(rows, 1, 0, digest, deleted)


def _deletes(file: Path, sink: FilesSink, parcel: Parcel) -> dict[str, Any]:
    """Write the keys of deleted rows; returns what the manifest says of them."""
    if parcel.deletes is None:
        return {}
    keys = replace(parcel, schema=parcel.key_schema, batches=parcel.deletes)
    rows = formats.write(file, sink.format, keys)
    if not rows:
        return {sink.manifest.rows: 0}
    path = sink.deletes_path(parcel.agreement, parcel.delivery_id)
    return {
        sink.manifest.rows: rows,
        sink.manifest.digest: file_digest(file),
        "file": Path(path).name,
    }


class _FilesReading:
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

    def _file(self, folder: Folder, entry: Entry) -> Iterator[Chunk]:
        options, path = self._options, f"{self._options.directory}/{entry.name}"
        promise: dict[str, Any] = {}
        if options.manifest:
            found = self._promise(folder, path + options.manifest.suffix)
            if found is None:
                self._waiting.append(entry.name)
                return
            promise = found
            if self._taken.get(entry.name) == _digest_in(promise, options.manifest):
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
            return _manifest(folder.read(path), path)
        except TooLarge:
            msg = f"{self._request.dataset}: the manifest {path} is too large for one"
            raise ProtocolError(msg) from None

    def _copy(self, copy: Path, name: str, promise: dict[str, Any]) -> Iterator[Chunk]:
        try:
            digest = file_digest(copy)
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
        manifest = self._options.manifest
        if manifest is None:
            return ""
        if _digest_in(promise, manifest) != digest:
            return "manifest.digest"
        promised = promise.get(manifest.rows)
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


def _digest_in(promise: dict[str, Any], manifest: Manifest) -> str:
    return str(promise.get(manifest.digest)).lower()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _manifest(content: bytes | None, path: str) -> dict[str, Any] | None:
    if content is None:
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        msg = f"the manifest of {path} is not a JSON object"
        raise ProtocolError(msg)
    return found
