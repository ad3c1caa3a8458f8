"""What a file holds, whatever it is packed in: its rows, and how many they are."""

from __future__ import annotations

import codecs
import fnmatch
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyarrow as pa

from connectors.common import scanned
from connectors.common.gather import regrouped
from connectors.common.strict_json import parse_json
from connectors.files import formats, looks, unzip
from connectors.files.folder import private_file
from connectors.files.options import Format, JsonDocument, PlainFormat, Zip
from connectors.files.text_file import Text
from onecard.base.shown import file_name
from onecard.errors import ProtocolError
from onecard.ports.source import Chunk, ReadRequest


def chunks(file: Text, options: Format, request: ReadRequest) -> Iterator[Chunk]:
    """The file's rows; of an archive those of each of its files, in the order of their names.

    Args:
        file: a local copy.
        options: of the file's format.
        request: names the columns that the batches have.

    Raises:
        SchemaMismatch: its columns are not the contract's.
        ProtocolError: it cannot be read as what the contract says it is.
    """
    if not isinstance(options, Zip):
        yield from _plain(file, options, request)
        return
    for member in members(file, options):
        with member as inner:
            yield from _plain(inner, options.of, request)


def broken_total(file: Text, options: Format) -> bool:
    """Whether a file has another number of rows than a line above them says.

    Args:
        file: a local copy.
        options: of the file's format.
    """
    if not isinstance(options, Zip):
        return not formats.is_total_kept(file, options)
    if getattr(options.of, "total", None) is None:
        return False
    kept = True
    for member in members(_counting(file), options):
        with member as inner:
            kept = kept and formats.is_total_kept(inner, options.of)
    return not kept


def count(file: Text, options: Format, dataset: str) -> int | None:
    """Rows of the file, damaged ones included; None where it has no list of rows.

    Args:
        file: a local copy.
        options: of the file's format.
        dataset: for messages.
    """
    if not isinstance(options, Zip):
        return _count(file, options, dataset)
    counts = []
    for member in members(_counting(file), options):
        with member as inner:
            counts.append(_count(inner, options.of, dataset))
    known = [number for number in counts if number is not None]
    return sum(known) if len(known) == len(counts) else None


def members(file: Text, options: Zip) -> Generator[AbstractContextManager[Text], None, None]:
    """The files of an archive that are read, by name, each to be entered as a local copy.

    The archive is open as long as the generator is: hold it until the last copy is left.

    Args:
        file: the archive.
        options: pattern of names; files of other names are counted.

    Raises:
        ProtocolError: no archive, not whole, with a password, or with no file of such a name; or
            its files unpack to more bytes than may be, all together.
    """
    with unzip.opened(file.path, file.origin) as archive:
        there = [m for m in archive.infolist() if not m.is_dir()]
        files = sorted((m for m in there if not _of_macos(m)), key=lambda m: m.filename)
        file.skipped.of_macos += len(there) - len(files)
        wanted = [m for m in files if fnmatch.fnmatchcase(_last(m), options.members)]
        file.skipped.unread += len(files) - len(wanted)
        if not wanted:
            msg = f"{file.origin}: no file of the archive has a name like {options.members}"
            raise ProtocolError(msg)
        left, seen = [file.limit], Counter[str]()
        for member in wanted:
            name = file_name(_last(member))
            seen[name] += 1  # in another folder, or another one whose name is masked to the same
            again = f"#{seen[name]}" if seen[name] > 1 else ""
            own = Text(file.path, f"{file.origin}/{name}{again}", file.skipped, file.limit)
            yield _unpacked(archive, member, own, left)


@contextmanager
def _unpacked(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: Text, left: list[int]
) -> Iterator[Text]:
    """A member as a local copy without a name; `left` are the bytes that all may still have.

    Args:
        archive: an open one.
        member: one of its files.
        file: the archive, by the member's name.
        left: one number, which becomes less.
    """
    with private_file() as copy:
        with copy.open("wb") as stream:
            for piece in unzip.pieces(archive, member, file.origin, left[0]):
                stream.write(piece)
                left[0] -= len(piece)
        yield Text(copy, file.origin, file.skipped, file.limit)


def _last(member: zipfile.ZipInfo) -> str:
    """A member's name without its folders; it is no path here."""
    return member.filename.replace("\\", "/").rpartition("/")[2]


def _of_macos(member: zipfile.ZipInfo) -> bool:
    """Whether macOS has put it there: no file of the office's, whatever its name ends in."""
    return member.filename.startswith("__MACOSX/") or _last(member) == ".DS_Store"


def _counting(file: Text) -> Text:
    """The same file, read only to be counted: what is left out is remarked on when it is read."""
    return Text(file.path, file.origin, limit=file.limit)


def _count(file: Text, options: PlainFormat, dataset: str) -> int | None:
    if not isinstance(options, JsonDocument):
        return formats.count_rows(file, options)
    found = options.rows_of(_document(file, dataset))
    return len(found) if isinstance(found, list) else None


def _plain(file: Text, options: PlainFormat, request: ReadRequest) -> Iterator[Chunk]:
    dataset = request.dataset
    if isinstance(options, JsonDocument):
        batch = _scanned(file, options, request)
        if batch is not None:
            yield from regrouped([(batch, {})], file.origin, request.batch_rows)
            return
        found = options.rows_of(_document(file, dataset))
        yield from formats.json_chunks(found, file.origin, request)
        return
    parts = formats.chunks(file, options, request)
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
