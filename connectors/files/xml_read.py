"""XML files: rows as `connectors.common.xml_rows` has them, in the encoding that they declare."""

from __future__ import annotations

import codecs
import ctypes
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain, islice
from typing import BinaryIO

from connectors.common import xml_cut, xml_scanned, xml_stream
from connectors.common.gather import OBJECT_ROWS, Part, regrouped
from connectors.common.xml_cut import CutDocument
from connectors.common.xml_names import Names
from connectors.common.xml_rows import MOST_SHOWN, Columns, Record, Rows
from connectors.files import looks
from connectors.files.fixed_cells import checked
from connectors.files.layouts import Xml
from connectors.files.text_file import Text
from onecard import native
from onecard.base.shown import file_name, is_like_a_value
from onecard.errors import ProtocolError
from onecard.ports.source import Chunk, ReadRequest

PIECE = 1 << 17
"""Bytes that are parsed at once; the rows that they make stand in memory as objects."""
_DECLARED = re.compile(rb"^<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_GB = frozenset({"gb2312", "gbk", "gb18030", "cp936", "gb_2312-80"})
_UTF = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def chunks(file: Text, options: Xml, request: ReadRequest) -> Iterator[Chunk]:
    """The document's rows as text by contract names.

    Args:
        file: a local copy.
        options: path of the rows, namespaces and encoding.
        request: names the columns.

    Raises:
        SchemaMismatch: rows hold an element or attribute that the contract does not name, or none
            of them one that is required; in a single row that is NULL.
        ProtocolError: no XML, not whole, with a document type, of another encoding, without the
            element around the rows, or without rows where something else stands in their place.
    """
    columns, library = Columns(request, file.origin), native.library()
    parts: Iterator[Part] = (
        map(columns.part, records(file, options))
        if library is None
        else _scanned(file, options, columns, library)
    )
    yield from regrouped(parts, file.origin, request.batch_rows)
    columns.check()


def count(file: Text, options: Xml) -> int:
    """Rows of the document, damaged ones included.

    Args:
        file: a local copy.
        options: path of the rows, namespaces and encoding.
    """
    return sum(len(some) for some in records(file, options))


def records(file: Text, options: Xml) -> Iterator[list[Record]]:
    """The rows as dictionaries by path, some thousands at a time.

    Args:
        file: a local copy.
        options: path of the rows, namespaces and encoding.

    Raises:
        ProtocolError: as `chunks`.
    """
    handler = Rows(options.record.split("/")[1:], Names(options.namespaces))
    with file.path.open("rb") as stream:
        data = document_text(stream, file.origin, options)
        with closing(xml_stream.fed(handler, data, file.origin, handler.ready)) as found:
            made = chain.from_iterable(found)
            yield from iter(lambda: list(islice(made, OBJECT_ROWS)), [])
    _check(file, options, handler)


def _scanned(
    file: Text, options: Xml, columns: Columns, library: ctypes.CDLL
) -> Generator[Part, None, None]:
    """The rows as batches, those that are plain by the library; raises as `records`."""
    handler = Rows(options.record.split("/")[1:], Names(options.namespaces))
    row = re.split("[/:]", options.record)[-1]
    with file.path.open("rb") as stream:
        text = document_text(stream, file.origin, options, xml_cut.PIECE)
        pieces = (piece.encode() for piece in text)
        with closing(text), CutDocument(handler, pieces, row, file.origin, decoded=True) as cut:
            yield from xml_scanned.parts(library, cut, handler, columns)
    _check(file, options, handler)


def _check(file: Text, options: Xml, handler: Rows) -> None:
    """Whether rows could stand in the document; raises ProtocolError."""
    file.skipped.beside += handler.beside
    if not handler.around:
        where = options.record.rpartition("/")[0] or "/"
        msg = (
            f"{file.origin}: no element {where} stands in the document, in which rows would be;"
            f" it has {_listed(handler.there)}"
        )
        raise ProtocolError(msg)
    if not handler.rows and (instead := [n for n in handler.parted if n not in options.beside]):
        around = options.record.rpartition("/")[0]
        msg = (
            f"{file.origin}: no element {options.record} stands in the document, but"
            f" {_listed(f'{around}/{name}' for name in instead)} does: are those the rows? If the"
            " list is empty, name them in `beside`"
        )
        raise ProtocolError(msg)


def _listed(paths: Iterable[str]) -> str:
    """Paths of elements as a message may show them."""
    found = ["/".join(map(_shown, path.split("/"))) for path in paths]
    return ", ".join(found[:MOST_SHOWN]) + (" …" if len(found) > MOST_SHOWN else "")


def _shown(name: str) -> str:
    return "(name not shown)" if is_like_a_value(name) else file_name(name)


def document_text(
    stream: BinaryIO, origin: str, options: Xml, size: int = PIECE
) -> Generator[str, None, None]:
    """The document as text, in the encoding that contract and declaration agree on.

    Args:
        stream: the file from its beginning; it can be sought.
        origin: name of the file, for messages.
        options: the encoding.
        size: bytes of a piece.

    Raises:
        ProtocolError: no XML, or of another encoding.
    """
    head = stream.read(looks.HEAD)
    bare = head.removeprefix(codecs.BOM_UTF8)
    kind = looks.foreign(head)
    if kind and kind != looks.MARKUP:
        msg = f"{origin}: no XML; it looks like {kind}"
        raise ProtocolError(msg)
    said = _DECLARED.match(bare)
    name = said[1].decode("ascii").lower() if said else "utf-8"
    if name not in (_GB if options.encoding == "gb18030" else _UTF):
        instead = "gb18030" if name in _GB else "utf-8" if name in _UTF else "an encoding not read"
        msg = f"{origin}: the document declares {instead}; the contract {options.encoding}"
        raise ProtocolError(msg)
    stream.seek(len(head) - len(bare))
    decoder = codecs.getincrementaldecoder(options.codec)()
    try:
        for piece in checked(iter(partial(stream.read, size), b""), origin, options.encoding):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        msg = f"{origin}: the document is not {options.encoding}, as it says it is"
        raise ProtocolError(msg) from None
