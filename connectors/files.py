"""Files: CSV, JSON and Parquet, local or over SFTP, with manifests."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from connectors import file_formats
from connectors.files_options import FilesSink, FilesSource
from connectors.folders import Entry, Folder, opened, private_file
from connectors.rest import at
from connectors.rest_client import parse_json
from onecard.connections import Connection
from onecard.errors import ProtocolError
from onecard.ports import Checkpoint, Chunk, Parcel, Reading, ReadRequest, Refusal, Sent

if TYPE_CHECKING:
    from pydantic import BaseModel

log = logging.getLogger(__name__)


class FilesConnector:
    """Implements `onecard.ports.Connector` for folders of files."""

    kind: ClassVar[str] = "files"
    source_options: ClassVar[type[BaseModel]] = FilesSource
    sink_options: ClassVar[type[BaseModel]] = FilesSink

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read the files that are new since the checkpoint."""
        return _FilesReading(connection, request)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """Write one file and its manifest; the same content under the same id is a no-op."""
        sink = FilesSink.model_validate(options.model_dump())
        path = f"{sink.directory}/{parcel.agreement}/{parcel.delivery_id}.{sink.format.kind}"
        with opened(connection) as folder, private_file() as draft, private_file() as note:
            rows = file_formats.write(draft, sink.format, parcel)
            digest = file_digest(draft)
            manifest_path = path + sink.manifest.suffix
            before = _manifest(folder.read(manifest_path), manifest_path)
            if before and before.get(sink.manifest.digest) == digest:
                return Sent(rows, 1, 1, digest)
            folder.write(path, draft)
            note.write_text(
                json.dumps(
                    {
                        sink.manifest.rows: rows,
                        sink.manifest.digest: digest,
                        "file": Path(path).name,
                        "deliveryId": parcel.delivery_id,
                        **dict(parcel.manifest),
                    },
                    ensure_ascii=False,
                )
            )
            folder.write(manifest_path, note)
        return Sent(rows, 1, 0, digest)


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
        with opened(self._connection) as folder:
            for entry in folder.entries(options.directory):
                if fnmatch.fnmatchcase(entry.name, options.pattern):
                    yield from self._file(folder, entry)

    def _file(self, folder: Folder, entry: Entry) -> Iterator[Chunk]:
        options, path = self._options, f"{self._options.directory}/{entry.name}"
        promise: dict[str, Any] = {}
        if options.manifest:
            found = _manifest(folder.read(path + options.manifest.suffix), path)
            if found is None:
                self._waiting.append(entry.name)
                return
            promise = found
            if self._taken.get(entry.name) == promise.get(options.manifest.digest):
                return
        if entry.size > options.max_bytes:
            self._refused.append(Refusal(entry.name, "file.size"))
            return
        with folder.local(path) as copy:
            digest = file_digest(copy)
            if self._taken.get(entry.name) == digest:
                return
            problem = self._broken_promise(copy, digest, promise)
            if problem:
                self._refused.append(Refusal(entry.name, problem))
                return
            if entry.name in self._taken:
                log.warning(
                    "%s: file %s was replaced; it is read again", self._request.dataset, entry.name
                )
            yield from self._chunks(copy, entry.name)
            self._taken[entry.name] = digest

    def _broken_promise(self, copy: Path, digest: str, promise: dict[str, Any]) -> str:
        """The rule that the file breaks against its manifest, or an empty text."""
        manifest = self._options.manifest
        if manifest is None:
            return ""
        if promise.get(manifest.digest) != digest:
            return "manifest.digest"
        rows = file_formats.count_rows(copy, self._options.format)
        promised = promise.get(manifest.rows)
        return "" if promised is None or str(rows) == str(promised) else "manifest.rows"

    def _chunks(self, copy: Path, name: str) -> Iterator[Chunk]:
        options = self._options.format
        if options.kind == "json":
            try:
                document = parse_json(copy.read_text(encoding="utf-8-sig"))
            except (ValueError, RecursionError):
                msg = f"{self._request.dataset}: file {name} is not JSON"
                raise ProtocolError(msg) from None
            yield from file_formats.json_chunks(at(document, options.records), name, self._request)
        else:
            yield from file_formats.chunks(copy, name, options, self._request)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _manifest(content: bytes | None, path: str) -> dict[str, Any] | None:
    if content is None:
        return None
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        msg = f"the manifest of {path} is not a JSON object"
        raise ProtocolError(msg)
    return found
