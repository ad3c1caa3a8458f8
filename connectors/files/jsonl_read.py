"""JSON Lines into records: an object a line; blank lines are none, a broken one is damaged."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from connectors.common import scanned
from connectors.common.gather import OBJECT_ROWS, Part
from connectors.common.records import part
from connectors.common.strict_json import BadRecord, parse_json
from connectors.files import looks
from connectors.files.csv_header import LONGEST_LINE
from connectors.files.skipped import Skipped
from onecard.errors import ProtocolError
from onecard.ports.source import ReadRequest

_NOTHING = b" \t\v\f\r\n\x1a"
"""What a blank line holds; CTRL-Z is where old systems end a text."""


PIECE = 1 << 22
"""Bytes that are read at once, and the rest of the last line."""


def parts(path: Path, origin: str, request: ReadRequest, skipped: Skipped) -> Iterator[Part]:
    """The file's rows, piece by piece.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.
        request: names the columns that the batches have.
        skipped: counts blank lines.

    Raises:
        ProtocolError: the file is of another kind, and what it looks like; or an endless line.
        SchemaMismatch: records hold a key that the contract does not name, or lack one.
    """
    with path.open("rb") as stream:
        _check(stream.read(looks.HEAD), origin)
        stream.seek(0)
        while data := stream.read(PIECE) + _line(stream, origin):
            yield from _parts(data, origin, request, skipped)


def _parts(data: bytes, origin: str, request: ReadRequest, skipped: Skipped) -> Iterator[Part]:
    """The rows of whole lines."""
    while data and (found := scanned.lines(data, _record, request, origin)):
        rows, blank, taken = found
        skipped.blank += blank
        yield rows
        data = data[taken:]
    for some in _some(_lines(io.BytesIO(data), origin, skipped)):
        yield part(some, request, origin)


def records(path: Path, origin: str, skipped: Skipped) -> Iterator[list[Any]]:
    """The file's records as parsed, some thousands at a time; damaged ones as `BadRecord`.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.
        skipped: counts blank lines.

    Raises:
        ProtocolError: the file is of another kind; says what it looks like.
    """
    with path.open("rb") as stream:
        _check(stream.read(looks.HEAD), origin)
        stream.seek(0)
        yield from _some(_lines(stream, origin, skipped))


def count(path: Path, origin: str) -> int:
    """Lines that are not blank."""
    with path.open("rb") as stream:
        _check(stream.read(looks.HEAD), origin)
        stream.seek(0)
        return sum(1 for _ in _lines(stream, origin, Skipped()))


def _some(lines: Iterator[bytes]) -> Iterator[list[Any]]:
    """Lines as records, some thousands at a time."""
    return iter(lambda: [_record(line) for line in islice(lines, OBJECT_ROWS)], [])


def _line(stream: BinaryIO, origin: str) -> bytes:
    """A line, or what is left of one."""
    found = stream.readline(LONGEST_LINE + 1)
    if len(found) > LONGEST_LINE:
        msg = f"{origin}: a line is longer than {LONGEST_LINE} bytes"
        raise ProtocolError(msg)
    return found


def _lines(stream: BinaryIO, origin: str, skipped: Skipped) -> Iterator[bytes]:
    """Lines that hold something, without byte order marks: files are put behind one another."""
    while line := _line(stream, origin):
        text = line.removeprefix(codecs.BOM_UTF8)
        if text.strip(_NOTHING):
            yield text
        else:
            skipped.blank += 1


def _check(head: bytes, origin: str) -> None:
    kind = looks.foreign(head)
    if not kind and head.removeprefix(codecs.BOM_UTF8).lstrip(_NOTHING).startswith(b"["):
        kind = "one JSON list: declare `format: {kind: json, records: $}`"
    if kind:
        msg = f"{origin}: no JSON Lines; it looks like {kind}"
        raise ProtocolError(msg)


def _record(line: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return parse_json(line.rstrip(_NOTHING).decode("utf-8"))
    except (ValueError, RecursionError):
        return BadRecord()
