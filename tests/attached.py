"""Files as people attach them to tickets, right and hostile, made by hand."""

from __future__ import annotations

import struct
import zlib

from tests.workbooks import SheetMade, relations, xlsx


def png(width: int = 2, height: int = 2, *more: bytes) -> bytes:
    """A grey picture; `more` are chunks before its end."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    picture = png_chunk(b"IDAT", zlib.compress(b"\0\0\0" * 2))
    return b"\x89PNG\r\n\x1a\n" + header + picture + b"".join(more) + png_chunk(b"IEND", b"")


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk with its length and its sum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def jpeg(width: int = 2, height: int = 2, comment: bytes = b"") -> bytes:
    """The bones of a picture: a comment, a frame, a scan with a stuffed byte."""
    said = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"
    scan = b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\x01\0\0\x3f\0" + b"\x12\xff\0\x34"
    return b"\xff\xd8" + said + frame + scan + b"\xff\xd9"


def pdf(*objects: bytes, packed: bytes = b"", more: bytes = b"") -> bytes:
    """A document of an empty page; `objects` stand in the clear, `packed` in an object stream."""
    found = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R " + more + b">>\nendobj\n"
    found += b"2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\n"
    for number, body in enumerate(objects, start=3):
        found += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    if packed:
        found += object_stream(packed)
    return found + b"trailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"


def object_stream(body: bytes, about: bytes = b"/Filter /FlateDecode") -> bytes:
    """Objects in a stream, packed by deflate."""
    data = zlib.compress(b"9 0 " + body)
    head = b"90 0 obj\n<< /Type /ObjStm /N 1 /First 4 " + about + b" /Length %d >>\n" % len(data)
    return head + b"stream\n" + data + b"\nendstream\nendobj\n"


def formula(text: bytes, tag: bytes = b"f") -> bytes:
    """A sheet with a formula, as XML says it."""
    return b"<worksheet><sheetData><row><c><%s>%s</%s></c></row></sheetData></worksheet>" % (
        tag,
        text,
        tag,
    )


def workbook(**more: bytes) -> bytes:
    """A workbook of one sheet; `more` are further parts."""
    return xlsx(SheetMade([["姓名", "结论"], ["甲", "已核对"]]), more=more)


def linked(kind: str, target: str) -> dict[str, bytes]:
    """The part that gives the sheet a link out of the workbook."""
    part = relations([("rId9", kind, target)])
    return {
        "xl/worksheets/_rels/sheet1.xml.rels": part.replace(b"/>", b' TargetMode="External"/>', 1)
    }
