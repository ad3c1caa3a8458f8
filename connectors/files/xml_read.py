"""Rows of an XML document: an element each; its leaves and attributes are the columns."""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain, islice
from typing import BinaryIO

import pyarrow as pa

from connectors.common.gather import OBJECT_ROWS, Part, regrouped
from connectors.common.records import check_columns, part
from connectors.common.strict_json import BadRecord
from connectors.files import looks, xml_stream
from connectors.files.fixed_cells import checked
from connectors.files.layouts import Xml
from connectors.files.text_file import Text
from connectors.files.xml_stream import DEEPEST, LONGEST_ROW, SEPARATOR, Handler
from onecard.base.shown import LONGEST, file_name, is_like_a_value
from onecard.errors import ProtocolError
from onecard.ports.source import Chunk, ReadRequest

RULE = "record.xml"
MOST_SHOWN = 10
"""Paths of elements that a message shows."""
PIECE = 1 << 17
"""Bytes that are parsed at once; the rows that they make stand in memory as objects."""
_DECLARED = re.compile(rb"^<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_GB = frozenset({"gb2312", "gbk", "gb18030", "cp936", "gb_2312-80"})
_UTF = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})

Record = dict[str, str | None] | BadRecord


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
    absent: dict[str, str | None] = {c.native: None for c in request.columns}
    names, seen = [c.name for c in request.columns], set[str]()

    def parts() -> Iterator[Part]:
        for some in records(file, options):
            sound = [r for r in some if isinstance(r, dict)]
            seen.update(*sound)
            if len(sound) < len(some) or not seen <= absent.keys():
                filled = [r if isinstance(r, BadRecord) else absent | r for r in some]
                yield part(filled, request, file.origin, RULE)
                continue
            arrays = [pa.array([r.get(n) for r in sound], pa.string()) for n in absent]
            yield pa.RecordBatch.from_arrays(arrays, names=names), {}

    yield from regrouped(parts(), file.origin, request.batch_rows)
    if seen:
        optional = (c.native for c in request.columns if not c.required)
        check_columns(seen.union(optional), request, file.origin)


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
    handler = _Rows(options)
    with file.path.open("rb") as stream:
        data = _text(stream, file.origin, options)
        with closing(xml_stream.fed(handler, data, file.origin, handler.ready)) as found:
            made = chain.from_iterable(found)
            yield from iter(lambda: list(islice(made, OBJECT_ROWS)), [])
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


def _text(stream: BinaryIO, origin: str, options: Xml) -> Generator[str, None, None]:
    """The document as text, in the encoding that contract and declaration agree on."""
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
        for piece in checked(iter(partial(stream.read, PIECE), b""), origin, options.encoding):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        msg = f"{origin}: the document is not {options.encoding}, as it says it is"
        raise ProtocolError(msg) from None


class _Rows(Handler):
    """Rows as they end.

    Attributes:
        around: whether the element in which rows stand was there.
        beside: elements of other names in it.
        rows: that have begun.
        there: paths of elements, no deeper than rows would be, outside of rows.
        parted: names of elements beside the rows that have attributes or elements of their own.
    """

    def __init__(self, options: Xml) -> None:
        super().__init__()
        self._prefixes = {uri: prefix for prefix, uri in options.namespaces.items()}
        self._path = options.record.split("/")[1:]
        self._fits = 0
        self._found: list[Record] = []
        self._names: dict[str, str] = {}
        self._open: list[_Element] = []
        self._values: dict[str, str | None] = {}
        self._bad = False
        self._leaf: str | None = None
        self._parts: list[str] = []
        self._outer: list[str] = []
        self.around = False
        self.beside = self.rows = 0
        self.there: dict[str, None] = {}
        self.parted: dict[str, None] = {}

    def ready(self) -> list[Record]:
        """The rows that have ended and were not given yet."""
        found, self._found = self._found, []
        return found

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """An element of a row without attributes waits until it is known whether others are in it.

        Most elements hold text alone and are done with when they end.
        """
        if self._leaf is not None:
            leaf, self._leaf = self._leaf, None
            self.start(leaf, {})
            self._open[-1].parts, self._parts = self._parts, []
        if self._open and not attributes and self.depth < DEEPEST:
            self.depth += 1
            self._leaf = name
            return
        super().opened(name, attributes)

    def closed(self, name: str) -> None:
        if self._leaf is None:
            super().closed(name)
            return
        self.depth -= 1
        self._leaf = None
        path, above = self._names.get(name) or self._named(name), self._open[-1]
        above.leaf = False
        if above.path:
            path = f"{above.path}/{path}"
        text = None
        if self._parts:
            text, self._parts = "".join(self._parts), []
        values = self._values  # as `_put`, without a call: this is done for each value
        self._bad = self._bad or path in values
        values[path] = text

    def said(self, text: str) -> None:
        if self._leaf is None or self.text + len(text) > LONGEST_ROW:
            super().said(text)
            return
        self.text += len(text)
        self._parts.append(text)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        own = self._names.get(name) or self._named(name)
        if self._open:
            above = self._open[-1]
            above.leaf = False
            path = f"{above.path}/{own}" if above.path else own
            self._begin(path, attributes)
            return
        fits = self._fits
        if fits == self.depth - 1 and fits < len(self._path) and own == self._path[fits]:
            self._fits += 1
        if self._fits == self.depth == len(self._path):
            self._values, self._bad, self.text = {}, False, 0
            self.rows += 1
            self._begin("", attributes)
        else:
            self._outside(own, attributes)
        self.around = self.around or self._fits == self.depth >= len(self._path) - 1

    def end(self, name: str) -> None:  # noqa: ARG002 - expat's
        if not self._open:
            self._outer.pop()
            self._fits = min(self._fits, self.depth)
            return
        element = self._open.pop()
        text = "".join(element.parts)
        if element.leaf and element.path:
            self._put(element.path, text or None)
        elif text.strip(" \t\r\n"):
            self._bad = True  # text between elements: of which column?
        if not self._open:
            self._found.append(BadRecord() if self._bad else self._values)
            self._fits = self.depth
            self.text = 0

    def characters(self, text: str) -> None:
        if self._open:
            self._open[-1].parts.append(text)

    def _outside(self, own: str, attributes: dict[str, str]) -> None:
        """An element that is no row and stands in none."""
        self._outer.append(own[:LONGEST])
        rows = len(self._path)
        if self.depth <= rows and len(self.there) <= MOST_SHOWN:
            self.there["/" + "/".join(self._outer)] = None
        if self._fits != rows - 1:
            return
        self.beside += self.depth == rows
        part = self.depth == rows + 1 or (self.depth == rows and bool(attributes))
        if part and len(self.parted) <= MOST_SHOWN:
            self.parted[self._outer[rows - 1]] = None

    def _begin(self, path: str, attributes: dict[str, str]) -> None:
        self._open.append(_Element(path))
        for name, value in attributes.items():
            own = self._names.get(name) or self._named(name)
            if own not in ("xsi:nil", "xml:space"):  # say how a value is written, and are none
                self._put(f"{path}/@{own}" if path else f"@{own}", value or None)

    def _put(self, path: str, value: str | None) -> None:
        if path in self._values:
            self._bad = True  # twice: which one counts?
        self._values[path] = value

    def _named(self, name: str) -> str:
        """An element's name with the options' prefix; of an unknown namespace with its URI."""
        uri, separator, local = name.rpartition(SEPARATOR)
        if not separator:
            found = local
        elif uri in _RESERVED:
            found = f"{_RESERVED[uri]}:{local}"
        else:
            prefix = self._prefixes.get(uri)
            found = name if prefix is None else f"{prefix}:{local}" if prefix else local
        self._names[name] = found
        return found


_RESERVED = {
    "http://www.w3.org/2001/XMLSchema-instance": "xsi",
    "http://www.w3.org/XML/1998/namespace": "xml",
}
"""Namespaces whose prefixes mean the same in every document."""


class _Element:
    """An element of a row that is open."""

    __slots__ = ("leaf", "parts", "path")

    def __init__(self, path: str) -> None:
        self.path, self.leaf = path, True
        self.parts: list[str] = []
