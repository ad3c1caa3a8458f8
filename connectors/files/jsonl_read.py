"""JSON Lines into records: an object a line; blank lines are none, a broken one is damaged."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from connectors.common.gather import OBJECT_ROWS
from connectors.common.strict_json import BadRecord, parse_json
from connectors.files import looks
from connectors.files.skipped import Skipped
from onecard.errors import ProtocolError

_NOTHING = b" \t\v\f\r\n\x1a"
"""What a blank line holds; CTRL-Z is where old systems end a text."""


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
        lines = _lines(stream, skipped)
        yield from iter(lambda: [_record(line) for line in islice(lines, OBJECT_ROWS)], [])


def count(path: Path, origin: str) -> int:
    """Lines that are not blank."""
    with path.open("rb") as stream:
        _check(stream.read(looks.HEAD), origin)
        stream.seek(0)
        return sum(1 for _ in _lines(stream, Skipped()))


def _lines(stream: Iterator[bytes], skipped: Skipped) -> Iterator[bytes]:
    """Lines that hold something, without byte order marks: files are put behind one another."""
    for line in stream:
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
