"""An XML part by the places of its outermost elements, so that a few bytes of it can be changed.

Whatever is not changed stays byte for byte what it was.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any
from xml.parsers import expat

from connectors.common.xml_stream import SEPARATOR, Refused, refuse_doctype

PIECE = 1 << 20
"""Bytes that are parsed at once."""
_DECLARED = re.compile(rb"^<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_TAG = re.compile(rb"<[^\s/>]+(?=[\s/>])(?:\"[^\"]*\"|'[^']*'|[^\"'>])*>")
_LONGEST_HEAD = 1 << 16
"""Bytes of one of these tags; a workbook's root has a few hundred."""

Data = bytes | mmap
Edit = tuple[int, int, bytes]
"""Begin and end of what goes, and what comes instead."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element by its places among the bytes.

    Attributes:
        uri: of its namespace.
        name: without a prefix.
        attributes: by name; with a namespace by its URI, `}` and the name.
        begin: of its first tag.
        inner: end of its first tag.
        last: begin of its last tag; where it is one with the first, its end.
        end: of its last tag.
    """

    uri: str
    name: str
    attributes: dict[str, str]
    begin: int
    inner: int
    last: int
    end: int


@dataclass(frozen=True, slots=True)
class Outline:
    """A document: its root and the root's own elements, in their order."""

    root: Element
    children: tuple[Element, ...]

    def first(self, name: str) -> Element | None:
        """The first of the root's elements with a name."""
        return next((c for c in self.children if c.name == name), None)

    def before(self, names: Sequence[str]) -> int:
        """Where an element goes that stands before all of these.

        Args:
            names: of elements that stand behind it.
        """
        return next((c.begin for c in self.children if c.name in names), self.root.last)


def outline(data: Data) -> Outline:
    """Read a part's outline.

    Args:
        data: of the part, UTF-8.

    Raises:
        Refused: another encoding, a document type, not well formed, or a root that holds nothing.
    """
    head = data[:512]
    said = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    if said and said[1].lower() not in (b"utf-8", b"us-ascii", b"ascii"):
        msg = "a part of it is not UTF-8"
        raise Refused(msg)
    found = _Places(data)
    try:
        for start in range(0, len(data), PIECE):
            found.parser.Parse(data[start : start + PIECE], False)  # noqa: FBT003 - expat's
        found.parser.Parse(b"", True)  # noqa: FBT003 - expat's
    except expat.ExpatError:
        msg = "a part of it is no well-formed XML"
        raise Refused(msg) from None
    root, *_ = found.whole[0]
    if root.inner == root.end:
        msg = "a part of it holds nothing"
        raise Refused(msg)
    return Outline(root, tuple(found.whole[1]))


class _Places:
    """Takes down where the elements of the two outer levels begin and end."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._open: list[Element] = []
        self._depth = 0
        self.whole: tuple[list[Element], list[Element]] = ([], [])
        self.parser: Any = expat.ParserCreate(namespace_separator=SEPARATOR)
        self.parser.StartDoctypeDeclHandler = refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > 2:
            return
        begin = self.parser.CurrentByteIndex
        inner = self._tag_end(begin)
        uri, _, local = name.rpartition(SEPARATOR)
        self._open.append(Element(uri, local, attributes, begin, inner, inner, inner))

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._depth > 1:
            return
        found = self._open.pop()
        if self._data[found.inner - 2 : found.inner] != b"/>":
            last = self.parser.CurrentByteIndex
            end = self._data.find(b">", last) + 1
            found = Element(
                found.uri, found.name, found.attributes, found.begin, found.inner, last, end
            )
        self.whole[self._depth].append(found)

    def _tag_end(self, begin: int) -> int:
        match = _TAG.match(self._data[begin : begin + _LONGEST_HEAD])
        if match is None:
            msg = f"a tag in it is longer than {_LONGEST_HEAD} bytes"
            raise Refused(msg)
        return begin + match.end()


def inside(data: Data, element: Element, inner: bytes, count: str = "") -> Edit:
    """The edit that puts something at the end of an element.

    Args:
        data: of the part.
        element: of it.
        inner: that is put in.
        count: name of an attribute that counts the element's own ones and becomes one more.
    """
    tag = data[element.begin : element.inner]
    if count:
        number = int(element.attributes.get(count, "0") or "0") + 1
        tag = re.sub(rb"\s" + count.encode() + rb"\s*=\s*(\"[^\"]*\"|'[^']*')", b"", tag)
        close = b"/>" if tag.endswith(b"/>") else b">"
        tag = tag.removesuffix(close) + b' %s="%d"' % (count.encode(), number) + close
    if element.inner == element.end:
        name = re.split(rb"[\s/>]", tag[1:], maxsplit=1)[0]
        return element.begin, element.end, tag[:-2].rstrip() + b">" + inner + b"</" + name + b">"
    return element.begin, element.last, tag + data[element.inner : element.last] + inner


def edited(data: Data, edits: Sequence[Edit]) -> Iterator[bytes]:
    """The part with the edits made, piece by piece.

    Args:
        data: of the part.
        edits: that do not overlap.
    """
    place = 0
    for begin, end, instead in sorted(edits):
        for start in range(place, begin, PIECE):
            yield data[start : min(begin, start + PIECE)]
        yield instead
        place = end
    for start in range(place, len(data), PIECE):
        yield data[start : start + PIECE]
