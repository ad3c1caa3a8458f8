"""The header row of a CSV: read, held against the contract, refused with what it looks like."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from connectors.common.records import check_columns
from connectors.files import looks
from connectors.files.layouts import Titled
from connectors.files.options import Csv
from onecard.base import shown
from onecard.errors import ProtocolError, SchemaMismatch
from onecard.ports.source import ReadRequest

BOM = "\ufeff"
LONGEST_LINE = 1 << 26
"""Bytes of one line; a longer one is no CSV."""

EARLY = 10
"""Lines among which a header row is looked for that is not the first, below a title."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first row that is not blank, behind the titles.

    Attributes:
        names: of the columns.
        line: as it stands in the file, for what it looks like.
        head: the file's beginning, for the same.
        blank: blank lines before it.
        titles: lines above it, as many as the contract says.
    """

    names: list[str]
    line: str
    head: bytes
    blank: int
    titles: tuple[str, ...] = ()


def read(stream: BinaryIO, origin: str, options: Csv) -> Header:
    """The header row; the stream stands behind it.

    Args:
        stream: the file from its beginning; it can be sought.
        origin: name of the file, for messages.
        options: encoding and delimiter.

    Raises:
        ProtocolError: there is none, or not in the declared encoding; says what the file looks
            like instead.
    """
    head = stream.read(looks.HEAD)
    stream.seek(0)
    if not head:
        msg = f"{origin}: the file is empty: it has no header row"
        raise ProtocolError(msg)
    if head.startswith(codecs.BOM_UTF8) and options.encoding != "utf-8":
        msg = (
            f"{origin}: the file is UTF-8 (it begins with a byte order mark); "
            f"the contract declares {options.encoding}"
        )
        raise ProtocolError(msg)
    titles = tuple(_titles(stream, options))
    line, blank = _first(stream, origin, options)
    try:
        text = line.decode(options.codec).removeprefix(BOM)
    except UnicodeDecodeError:
        hint = looks.other_encoding(head, options.encoding)
        msg = f"{origin}: the header row is not {options.encoding}{hint}"
        raise ProtocolError(msg) from None
    try:
        names = next(csv.reader([text], delimiter=options.delimiter), [])
    except csv.Error:  # a lone CR, which some take for a line's end
        msg = f"{origin}: the header row is no CSV{looks.unlike_csv(head)}"
        raise ProtocolError(msg) from None
    if not names:
        msg = f"{origin}: no header row{looks.unlike_csv(head)}"
        raise ProtocolError(msg)
    return Header(names, text, head, blank, titles)


def check(header: Header, origin: str, request: ReadRequest, options: Csv) -> None:
    """Compare the header with the contract; a first row of data is never named in a message.

    Args:
        header: as it was read.
        origin: name of the file, for messages.
        request: names the contract's columns.
        options: the delimiter.

    Raises:
        SchemaMismatch: no column of the contract, or unknown, missing, nameless or repeated ones.
    """
    natives = [c.native for c in request.columns]
    check_form(header, f"{request.dataset} from {origin}", natives, options)
    check_columns(header.names, request, origin)


def check_form(header: Header, where: str, natives: Collection[str], options: Csv) -> None:
    """Whether it is a header row: names of the contract, each once, none empty at the end.

    Args:
        header: as it was read.
        where: dataset and file, for messages.
        natives: names that the contract has for columns.
        options: the delimiter.

    Raises:
        SchemaMismatch: it is not; says what it looks like.
    """
    names = header.names
    if not shown.is_header(names, natives):
        hint = _unlike_header(header, natives, options)
        msg = f"{where}: the first row names no column of the contract{hint}"
        raise SchemaMismatch(msg)
    if not names[-1]:
        msg = (
            f"{where}: column {len(names)} has no name; it looks like a delimiter at the end of "
            "the header row (and of every line): the file must end its lines without one"
        )
        raise SchemaMismatch(msg)
    twice = [place for place, name in enumerate(names) if name in names[:place]]
    if twice:
        msg = f"{where}: column {shown.columns(names, natives, twice)} stands twice"
        raise SchemaMismatch(msg)


def _unlike_header(header: Header, natives: Collection[str], options: Csv) -> str:
    """What a first row looks like that names no column, as the end of a message."""
    hint = (
        looks.unlike_csv(header.head)
        or looks.other_encoding(header.head, options.encoding)
        or looks.other_delimiter(header.line, options.delimiter, natives)
    )
    if hint:
        return hint
    lines = header.head.decode(options.codec, "replace").splitlines()[:EARLY]
    for number, line in enumerate(lines, start=1):
        if shown.is_header(line.split(options.delimiter), natives):
            return f"; the header row looks to be line {number}: say `above: {number - 1}`"
    return "; has the file a header row?"


def _titles(stream: BinaryIO, options: Csv) -> Iterator[str]:
    """The lines above the header, blank ones too."""
    above = options.above if isinstance(options, Titled) else 0
    for _ in range(above):
        line = stream.readline(LONGEST_LINE)
        yield line.decode(options.codec, "replace").removeprefix(BOM).rstrip("\r\n")


def _first(stream: BinaryIO, origin: str, options: Csv) -> tuple[bytes, int]:
    """The first line that is not blank, and how many are before it."""
    blank = 0
    while line := stream.readline(LONGEST_LINE):
        if not options.is_blank(line.removeprefix(codecs.BOM_UTF8)):
            return line.removesuffix(b"\n").removesuffix(b"\r"), blank
        blank += 1
    msg = f"{origin}: the file holds blank lines alone: it has no header row"
    raise ProtocolError(msg)
