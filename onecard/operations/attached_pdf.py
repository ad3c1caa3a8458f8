"""PDF without anything that acts (ISO 32000-2): no script, launched program, embedded file, form.

There is no reader of PDF here that could be deceived: names of what acts are looked for in all
bytes of the file, with their escapes undone, and in all object streams, the one place where objects
stand packed. Which streams those are is not left to the words around them alone: whatever unpacks
to the beginning of an object stream is looked through as one, and a file that has object streams
has no stream packed in a way that is not known here.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from onecard.model.attachments import UnfitFile

MOST_UNPACKED = 64 * 1024**2
"""Bytes that all object streams of a file may unpack to."""
_NAME_ENDS = rb"(?![A-Za-z0-9])"
_ACTING = re.compile(
    rb"/(?:JavaScript|Launch|EmbeddedFiles?|RichMedia|XFA|GoToE|GoToR|ImportData|SubmitForm"
    rb"|Rendition|FileAttachment)" + _NAME_ENDS
)
"""Names of actions and parts that run, open or send something (12.6.4, 7.11.4)."""
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb">>[\0\s]*stream[ \t]*(?:\r\n|\n|\r)")
"""Where a dictionary is over and its stream begins (7.3.8)."""
_WORD = re.compile(rb"(?<!end)stream[ \t]*(?:\r\n|\n|\r)?")
"""Wherever a reader might see a stream begin."""
_OBJECT = re.compile(rb"\d[\0\s]+obj" + _NAME_ENDS)
_FILTER = re.compile(rb"/Filter" + _NAME_ENDS)
_FLATE = re.compile(rb"/Filter\s*(?:/FlateDecode|\[\s*/FlateDecode\s*\])" + _NAME_ENDS)
_PICTURE = rb"/(?:DCT|JPX|CCITTFax|JBIG2)Decode"
_NO_OBJECTS = re.compile(
    rb"/Filter\s*(?:" + _PICTURE + _NAME_ENDS + rb"|/[A-Za-z]+\.[A-Za-z.]+"
    rb"|\[\s*(?:/FlateDecode\s*)?" + _PICTURE + rb"\s*\])"
)
"""How pictures are packed, and the names of those who signed (12.8.1), which pack nothing."""
_REFERRED = re.compile(rb"/First\s+\d+\s+\d+\s+R" + _NAME_ENDS)
_OBJECTS = re.compile(rb"/(?:ObjStm|First)" + _NAME_ENDS)
"""What an object stream's dictionary has (7.5.7); outlines have a `/First`, too: a reference."""
_PACKED = re.compile(rb"/(?:ObjStm|XRef|XRefStm)" + _NAME_ENDS)
"""What a document with object streams has."""
_BLANK = b"\0\t\n\f\r "
_NUMBERS = re.compile(rb"%|[+\-.\d]+(?:[\0\s%]|\Z)")
"""How an object stream begins: with a number, or a comment before it."""
_HEAD, _LONGEST_HEAD = 16, 1 << 16
"""Bytes that tell how something begins, and packed bytes in which they must come."""
_BLANKS = rb"[\0\s]"
_NUMBER = rb"(?<!\d)(?P<%b>\d{1,10})" + _BLANKS + rb"+\d{1,5}" + _BLANKS + rb"+"
_REFERENCE = _NUMBER + rb"R" + _NAME_ENDS
_LINK = re.compile(rb"/URI" + _NAME_ENDS)
_OPENING = re.compile(
    rb"/(?:OpenAction|AA)" + _NAME_ENDS + _BLANKS + rb"*"
    rb"(?:(?P<opens><<)|" + _REFERENCE % b"opened" + rb"|(?P<place>\[)|(?P<odd>))"
    rb"|(?P<link>/URI" + _NAME_ENDS + rb")|" + _REFERENCE % b"named" + rb"|(?P<remark>%)|<<|>>"
)
"""What is done without being asked (12.6.3): a dictionary, or a reference to one, or a place in the
document. Links and references to other objects in such a dictionary."""
_NAMED = re.compile(_REFERENCE % b"named")
_NUMBERED = re.compile(_NUMBER % b"number" + rb"obj" + _NAME_ENDS)
_PAGE = re.compile(rb"/Type" + _BLANKS + rb"*/(?:Pages?|Catalog)" + _NAME_ENDS)
"""Where a document goes when it is opened; what a page opens by itself is looked at there."""
_INDEX = re.compile(rb"[\0\s]*(?:\d{1,10}[\0\s]+\d{1,10}[\0\s]+)+")
"""Numbers and places of the objects of an object stream, before the first of them (7.5.7)."""


def check(data: bytes) -> None:
    """Look through a PDF.

    Args:
        data: all of it; it begins as one.

    Raises:
        UnfitFile: it is encrypted, not whole, acts, or unpacks to too much.
    """
    if not data.rstrip(b"\0\r\n\t ").endswith(b"%%EOF"):
        if b"%%EOF" in data:
            msg = "something stands behind the end of the document"
            raise UnfitFile(msg, "mixed")
        raise _damaged()
    names = _unescaped(data)
    if re.search(rb"/Encrypt" + _NAME_ENDS, names):
        msg = "the document is encrypted"
        raise UnfitFile(msg, "sealed")
    _check_names(names)
    streams = _object_streams(data, packed=_PACKED.search(names) is not None)
    packed = [_unescaped(part) for part in streams]
    for part in packed:
        _check_names(part)
    _check_opened(names, packed)


def _unescaped(data: bytes) -> bytes:
    """`/J#61vaScript` is `/JavaScript` (7.3.5)."""
    return _ESCAPED.sub(lambda m: bytes([int(m[1], 16)]), data)


def _check_names(data: bytes) -> None:
    if _ACTING.search(data):
        raise _active()


def _check_opened(names: bytes, packed: Sequence[bytes]) -> None:
    """Refuse a link that is followed by itself, when the document or a page is opened.

    Args:
        names: all of the document.
        packed: its object streams.

    Raises:
        UnfitFile: there is one, or what is opened cannot be found in a document with links.
    """
    parts = [names, *packed]
    if not any(_LINK.search(part) for part in parts):
        return
    objects = _objects(names, packed)
    left = {number for part in parts for number in _opened(part)}
    seen = set[int]()
    while left:
        number = left.pop()
        seen.add(number)
        if number not in objects:
            raise _active()
        for found in objects[number]:
            # also of one that says that it is a page; a remark could part a reference
            if _LINK.search(found) or b"%" in found:
                raise _active()
            if not _PAGE.search(found):
                left |= {int(m["named"]) for m in _NAMED.finditer(found)} - seen


def _opened(data: bytes) -> set[int]:
    """Numbers of the objects that are named where something is done without being asked.

    Raises:
        UnfitFile: a link stands there.
    """
    depth, opened, named = 0, 0, set[int]()
    for found in _OPENING.finditer(data):
        if found["odd"] is not None or (opened and (found["link"] or found["remark"])):
            raise _active()
        if found["opened"]:
            named.add(int(found["opened"]))
        elif found["named"]:
            named |= {int(found["named"])} if opened else set()
        elif found[0] == b">>":
            depth -= 1
            opened = opened if depth >= opened else 0
        elif found[0].endswith(b"<<"):
            depth = depth + 1 if opened else 1
            opened = opened or (1 if found["opens"] else 0)
    return named


def _objects(names: bytes, packed: Sequence[bytes]) -> dict[int, list[bytes]]:
    """All objects that have a number, with each text that a reader may take for them.

    One in the clear ends where the next begins: `endobj` may stand in a text, or be missing.

    Args:
        names: all of the document.
        packed: its object streams.
    """
    found = defaultdict[int, list[bytes]](list)
    begun = list(_NUMBERED.finditer(names))
    ends = [m.start() for m in begun[1:]] + [len(names)]
    for begin, end in zip(begun, ends, strict=True):
        found[int(begin["number"])].append(names[begin.end() : end].replace(b"%%EOF", b""))
    for part in packed:
        index = _INDEX.match(part)
        numbers = [int(n) for n in index[0].split()] if index else []
        body = part[index.end() :] if index else b""
        places = [*numbers[1::2], len(body)]
        for number, begin_at, end_at in zip(numbers[::2], places, places[1:], strict=False):
            found[number].append(body[begin_at:end_at])
    return found


def _object_streams(data: bytes, *, packed: bool) -> Iterator[bytes]:
    """What object streams hold, unpacked.

    Args:
        data: all of the document.
        packed: it has object streams, as its names say.
    """
    sure = _places(data, packed=packed)
    left, all_of_it = MOST_UNPACKED, memoryview(data)
    for found in _WORD.finditer(data):
        begin = found.end()
        if begin in sure or _begins_so(all_of_it, begin):
            unpacked = _inflated(all_of_it, begin, left)
            left -= len(unpacked)
            yield unpacked


def _places(data: bytes, *, packed: bool) -> set[int]:
    """Where streams begin that are object streams by their dictionaries.

    Args:
        data: all of the document.
        packed: as in `_object_streams`.

    Raises:
        UnfitFile: one is, or may be, packed in a way that is not looked through.
    """
    found, before = set[int](), 0
    for stream in _STREAM.finditer(data):
        about = _unescaped(data[before : stream.end()])
        before = stream.end()
        own = about[max((o.end() for o in _OBJECT.finditer(about)), default=0) :]
        certain = _OBJECTS.search(_REFERRED.sub(b"", about)) is not None or b"/First" in own
        if certain:
            found.add(before)
        _check_packing(about, own, certain=certain, packed=packed)
    _check_packing(_unescaped(data[before:]), b"", certain=False, packed=packed)
    return found


def _check_packing(about: bytes, own: bytes, *, certain: bool, packed: bool) -> None:
    """Refuse what is, or may be, an object stream, and is not plainly deflated.

    Args:
        about: all that stands before a stream.
        own: its dictionary, as far as can be told.
        certain: it is an object stream.
        packed: as in `_object_streams`.
    """
    deflated, others = len(_FLATE.findall(about)), len(_NO_OBJECTS.findall(about))
    plain = deflated + others == len(_FILTER.findall(about)) and b"/FFilter" not in about
    treated = b"/DecodeParms" in about
    whole = own.count(b"<<") == own.count(b">>") > 0
    if (certain and (treated or not plain or not deflated)) or (
        packed and (not plain or (treated and not whole))
    ):
        msg = "a part of the document is packed in a way that is not looked through"
        raise UnfitFile(msg, "damaged")


def _begins_so(data: memoryview, begin: int) -> bool:
    """Whether packed bytes begin here that unpack to the beginning of an object stream.

    Args:
        data: all of the document.
        begin: of what may be packed.
    """
    mark = int.from_bytes(data[begin : begin + 2], "big")
    if mark % 31 or (mark >> 8) & 0xF != 8:
        return False
    found, head, end = zlib.decompressobj(), b"", min(len(data), begin + _LONGEST_HEAD)
    for place in range(begin, end):
        try:
            head = (head + found.decompress(data[place : place + 1])).lstrip(_BLANK)
        except zlib.error:
            break
        if len(head) >= _HEAD or found.eof:
            break
    else:
        return end == begin + _LONGEST_HEAD
    return _NUMBERS.match(head[:_HEAD]) is not None


def _inflated(data: memoryview, begin: int, most: int) -> bytes:
    """What is packed here, read in growing pieces, so that little behind its end is touched.

    Args:
        data: all of the document.
        begin: of what is packed.
        most: bytes that it may unpack to.
    """
    found, unpacked, step = zlib.decompressobj(), bytearray(), 1 << 10
    while not found.eof:
        piece = data[begin : begin + step]
        begin, step = begin + step, min(2 * step, 1 << 20)
        try:
            unpacked += found.decompress(piece, most + 1 - len(unpacked))
        except zlib.error:
            raise _damaged() from None
        if len(unpacked) > most:
            msg = "the document unpacks to too much"
            raise UnfitFile(msg, "unpacks")
        if not piece:
            raise _damaged()
    return bytes(unpacked)


def _active() -> UnfitFile:
    msg = "the document holds a script, an action, a form or an embedded file"
    return UnfitFile(msg, "active")


def _damaged() -> UnfitFile:
    return UnfitFile("the document is not whole", "damaged")
