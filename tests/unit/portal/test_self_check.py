"""The self-check: what is wrong with a file, said before it is sent; nothing of it stays."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from fastapi import HTTPException, Request

from onecard.errors import StorageError
from onecard.operations import upload_check
from onecard.operations.upload_check import MOST_BYTES
from onecard.portal import security, self_check_views, uploads
from onecard.portal.uploads import SentFile
from tests.unit.portal.conftest import NOW, Portal
from tests.unit.portal.test_pages import text, token
from tests.workbooks import SheetMade, xlsx, zipped

pytestmark = pytest.mark.filterwarnings("ignore:Workbook contains no default style")
DEATHS = "health/death_notice"
PAGE = "/health/self_check"
COPY = f"{PAGE}/copy"
PERSON = "410105199001010015"
"""An invented number; its check digit is wrong."""
NAMED = "410105190001010010"
"""An invented number that is right: nobody born in 1900 has one."""
HEADER = "person_id18,person_name,death_date,source_updated_at,source_seq"
ROWS = (
    f"{PERSON},甲某某,2026-11-01,2026-11-02T08:00:00+08:00,1",
    "41010519900101001X,,2026-12-31,2026-11-02T08:00:00+08:00,2",
    "41010519900101001X,乙某某,不详,2026-11-02T08:00:00+08:00,3",
)
LINES = "\n".join([HEADER, *ROWS, ""]).encode()
BOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
VALUES = (PERSON, "甲某某", "乙某某", "不详", "41010519900101001X")


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files would be seen; each test leaves it empty."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield folder
    assert list(folder.iterdir()) == []


def send(
    portal: Portal, data: bytes, name: str = "deaths.csv", address: str = PAGE, **form: str
) -> Any:
    """A file as the page's form sends it."""
    user = form.pop("user", "health")
    sent = {"csrf": security.token(portal.site.secret, user, NOW), "dataset": DEATHS, **form}
    return portal.client(user).post(address, data=sent, files={"file": (name, data)})


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Cells of the table below a heading."""
    table = page.partition(f"<h3>{heading}</h3>")[2].partition("</table>")[0]
    lines = table.partition("<tbody>")[2].split("</tr>")
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in lines if "<t" in line]


def test_the_page_has_a_form_that_works_without_script(portal: Portal) -> None:
    page = portal.client("health").get(PAGE).text
    assert token(page)
    assert 'enctype="multipart/form-data"' in page
    assert f'formaction="{COPY}"' in page
    assert page.index('name="csrf"') < page.index('type="file"')  # the token must come first
    assert 'value="health/health_visit"' in page
    assert 'value="hrss/card_master"' not in page
    assert "256 MB" in page
    english = portal.client("health").get(f"{PAGE}?lang=en").text
    assert f'formaction="{COPY}?lang=en"' in english
    assert "Self-check" in english
    assert "selected>死亡登记通报<" in portal.client("health").get(f"{PAGE}?dataset={DEATHS}").text


def test_what_is_wrong_is_said_by_rule_and_by_row_without_a_value(portal: Portal) -> None:
    done = send(portal, LINES)
    assert done.status_code == 200
    assert "读取 3 行，合格 0 行，不合格 3 行" in text(done.text)
    by_rule = {(field, rule): (form, n) for field, rule, form, n in rows_of(done.text, "按规则")}
    assert by_rule["姓名", "必填项为空"] == ("—", "1")
    assert by_rule["死亡日期", "死亡日期不晚于今天"] == ("—", "1")
    assert by_rule["死亡日期", "不能解析为约定类型"] == ("日期，如 2026-01-31", "1")
    listed = rows_of(done.text, "按行")
    assert ["2", "姓名", "必填项为空", "—"] in listed
    assert [row[0] for row in listed] == sorted(row[0] for row in listed)
    for value in VALUES:
        assert value not in done.text
    english = send(portal, LINES, address=f"{PAGE}?lang=en")
    assert "3 rows read, 0 right, 3 wrong" in text(english.text)
    assert ["3", "death_date", "cannot be read as its type", "a date, as 2026-01-31"] in rows_of(
        english.text, "By row"
    )
    said = text(english.text.partition("</style>")[2]).replace("中文", "")
    assert not re.search(r"[一-鿿]", said)


def test_a_copy_comes_back_with_the_marks(portal: Portal) -> None:
    done = send(portal, LINES, address=COPY)
    assert (done.status_code, done.headers["content-type"]) == (200, BOOK)
    assert done.headers["content-disposition"] == (
        'attachment; filename="checked-health-death_notice.xlsx"'
    )
    assert done.headers["cache-control"] == "no-store"
    assert int(done.headers["content-length"]) == len(done.content)
    sheet = openpyxl.load_workbook(io.BytesIO(done.content)).worksheets[0]
    assert "必填项为空" in sheet["B3"].comment.text
    assert sheet["D3"].comment is None
    assert "不能解析为约定类型" in sheet["C4"].comment.text


def test_a_right_file_has_no_copy(portal: Portal) -> None:
    right = ROWS[0].replace(PERSON, NAMED)
    for lines, says in (
        ([HEADER, right], "读取 1 行，合格 1 行，不合格 0 行。 没有不合格的行"),
        ([HEADER], "读取 0 行，合格 0 行，不合格 0 行。 文件中没有数据行"),
    ):
        done = send(portal, "\n".join([*lines, ""]).encode(), address=COPY)
        assert (done.status_code, says in text(done.text)) == (200, True)
        assert done.headers["content-type"] == "text/html; charset=utf-8"


def test_a_long_list_is_cut_and_says_so(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check_views, "LISTED", 2)
    done = send(portal, LINES)
    assert len(rows_of(done.text, "按行")) == 2
    assert re.search(r"只列出前 2 条，另有 \d+ 条", done.text)
    assert len(rows_of(done.text, "按规则")) > 2


def test_that_it_was_checked_is_on_record_without_name_or_value(portal: Portal) -> None:
    name = f"{NAMED} 死亡.csv"
    before = len(portal.audit())
    shown = send(portal, LINES, name)
    send(portal, LINES, name, address=COPY)
    send(portal, b"MZ\x90\x00", "deaths.xlsx")
    entries = portal.audit()[before:]
    assert [(kind, subject, actor) for kind, subject, actor, _ in entries] == (
        [("access.check", DEATHS, "health")] * 3
    )
    bodies = [json.loads(str(body)) for *_, body in entries]
    counts = {"bytes": len(LINES), "read": 3, "rejected": 3}
    assert bodies[0] == {"copy": False, **counts}
    assert bodies[1] == {"copy": True, **counts}
    assert bodies[2] == {"copy": False, "bytes": 4, "refused": "ProtocolError"}
    for value in (*VALUES, NAMED):
        assert value not in str(entries) + shown.text


@pytest.mark.parametrize(
    ("name", "data", "code", "says"),
    [
        ("deaths.jsonl", b'{"a":' * 100_000, 200, "不合格"),
        ("deaths.xml", b"<a/>", 422, "不支持这种格式"),
        ("deaths.csv", b"", 422, "文件是空的"),
        ("deaths.exe", b"MZ\x90\x00", 422, "不支持这种格式"),
        (f"a.{NAMED}", b"x", 422, "不支持这种格式"),
        ("deaths.xlsx", b"MZ\x90\x00" * 99, 422, "文件内容与格式不符"),
        ("deaths.csv", b"MZ\x90\x00\x03" * 99, 422, "不"),
        ("deaths.xlsx", zipped({"a.txt": b"x"}), 422, "文件内容与格式不符"),
        ("deaths.csv", b"name,when\n" + PERSON.encode() + b",2\n", 422, "文件的列与契约不符"),
        ("deaths.csv", b"\xff\xfe\x00" * 40, 422, "不"),
        ("deaths.csv", b"\0" * 2_000_000, 422, "文件内容与格式不符"),
        ("deaths.csv", b"x" * 2_000_000, 422, "文件内容与格式不符"),
        ("deaths.parquet", b"PAR1 and no more", 422, "文件内容与格式不符"),
        ("deaths.jsonl", b'{"person_id18": ' * 500, 200, "不合格"),
    ],
)
def test_what_is_no_such_file_is_refused_in_words(
    portal: Portal, name: str, data: bytes, code: int, says: str
) -> None:
    for address in (PAGE, COPY):
        done = send(portal, data, name, address)
        if code == 200 and address == COPY and done.headers["content-type"] == BOOK:
            continue
        assert (done.status_code, says in text(done.text)) == (code, True), text(done.text)
        assert {n for n in (PERSON, NAMED) if n in done.text} == set()
        assert "/proc/" not in done.text


def test_a_bomb_is_refused(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    book = xlsx(SheetMade([HEADER.split(","), *([ROWS[0].split(",")] * 20_000)]))
    least = upload_check.UploadedFile
    monkeypatch.setattr(
        self_check_views, "UploadedFile", lambda name, stream: least(name, stream, len(book) + 1)
    )
    done = send(portal, book, "deaths.xlsx")
    assert (done.status_code, "超过大小" in done.text) == (422, True)


def test_formulas_are_told_and_do_not_run(portal: Portal) -> None:
    line = f'{PERSON},"=HYPERLINK(""http://evil.example"",""x"")",2026-11-01,x,1'
    done = send(portal, "\n".join([HEADER, line, ""]).encode(), address=COPY)
    sheet = openpyxl.load_workbook(io.BytesIO(done.content)).worksheets[0]
    assert (sheet["B2"].data_type, sheet["B2"].value[:10]) == ("s", "=HYPERLINK")


def test_only_datasets_of_the_pages_agency(portal: Portal) -> None:
    for dataset in ("hrss/card_master", "education/edu_enrolment", "health/nothing", ""):
        for address in (PAGE, COPY):
            done = send(portal, LINES, address=address, dataset=dataset, user="both")
            assert (done.status_code, "请选择本部门的数据资源" in done.text) == (422, True)
    before = portal.audit()
    assert send(portal, LINES, user="education").status_code == 404
    assert send(portal, LINES, user="stranger").status_code == 403
    assert portal.client().post(PAGE, files={"file": ("a.csv", LINES)}).status_code == 401
    assert portal.audit() == before
    assert send(portal, LINES, user="engineer", dataset=DEATHS).status_code == 403
    assert portal.client("x/Admin").get(PAGE).status_code == 200


def test_a_form_needs_its_token_and_a_file(portal: Portal) -> None:
    before = portal.audit()
    for address in (PAGE, COPY):
        for mark in ("", "1.2", security.token(portal.site.secret, "hrss", NOW)):
            assert send(portal, LINES, address=address, csrf=mark).status_code == 403
        headers = {"sec-fetch-site": "cross-site"}
        form = {"csrf": security.token(portal.site.secret, "health", NOW), "dataset": DEATHS}
        client = portal.client("health")
        file = {"file": ("a.csv", LINES)}
        refused = client.post(address, data=form, files=file, headers=headers)
        assert refused.status_code == 403
        for none in ({}, {"files": {"other": ("a.csv", LINES)}}, {"files": {"file": ("", b"")}}):
            done = client.post(address, data=form, **none)
            assert (done.status_code, "没有选择文件" in done.text) == (422, True)
    assert portal.audit() == before


def test_a_form_with_a_file_is_taken_nowhere_else(portal: Portal) -> None:
    assert send(portal, LINES, address="/health/problems").status_code == 415
    number = portal.ticket()
    assert send(portal, LINES, address=f"/health/tickets/{number}/acknowledge").status_code == 415


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx"),
        ("multipart/form-data; boundary=b", b"no parts"),
        ("multipart/form-data; boundary=b; charset=undefined", b"--b\r\n" + b"A: b\r\n" * 20),
        (
            "multipart/form-data; boundary=b; charset=undefined",
            b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n1\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b"".join(
                b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n' for _ in range(100)
            )
            + b"--b--\r\n",
        ),
        (
            "multipart/form-data; boundary=b",
            b"".join(
                b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n1\r\n'
                for _ in range(2)
            )
            + b"--b--\r\n",
        ),
    ],
)
def test_what_is_no_form_is_refused(portal: Portal, kind: str, body: bytes) -> None:
    done = portal.client("health").post(PAGE, content=body, headers={"content-type": kind})
    assert done.status_code in (400, 403)


def part(name: str, value: bytes, file: str = "") -> bytes:
    more = f'; filename="{file}"' if file else ""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


class Sender:
    """A browser that sends a beginning and then pieces without an end, and counts them."""

    def __init__(self, start: bytes, most: int, length: str = "") -> None:
        self.sent = 0
        self._start, self._most = start, most
        headers = [(b"content-type", b"multipart/form-data; boundary=b")]
        headers += [(b"content-length", length.encode())] if length else []
        scope = {"type": "http", "method": "POST", "path": PAGE, "headers": headers}
        self.request = Request(scope, self._receive)

    async def _receive(self) -> dict[str, Any]:
        piece = self._start if not self.sent else b"1,1\n" * 2048
        self.sent += len(piece)
        return {"type": "http.request", "body": piece, "more_body": self.sent < self._most}


def trusted(form: Any) -> None:
    if form.get("csrf") != "right":
        raise HTTPException(403, "form")


def read(sender: Sender, most: int) -> SentFile | None:
    """Read a form; gives what came, with its file closed already."""

    async def reading() -> SentFile | None:
        async with uploads.read(sender.request, trusted, most) as found:
            return found.file

    return asyncio.run(reading())


FILE_BEGINS = part("csrf", b"right") + part("file", b"", "a.csv")[:-2]


def test_bytes_are_bounded_as_they_come() -> None:
    endless = Sender(FILE_BEGINS, 1 << 40)
    with pytest.raises(HTTPException) as refused:
        read(endless, 1_000_000)
    assert (refused.value.status_code, refused.value.detail) == (413, "large")
    assert endless.sent < 1_100_000
    told = Sender(FILE_BEGINS, 1 << 40, length=str(1 << 30))
    with pytest.raises(HTTPException) as refused:
        read(told, 1_000_000)
    assert (refused.value.status_code, told.sent) == (413, 0)


@pytest.mark.parametrize(
    "start", [part("file", b"", "a.csv")[:-2], FILE_BEGINS.replace(b"right", b"wrong")]
)
def test_who_has_no_token_sends_no_more_than_a_form(start: bytes) -> None:
    sender = Sender(start, 1 << 40)
    with pytest.raises(HTTPException) as refused:
        read(sender, 1_000_000)
    assert refused.value.status_code == 403
    assert sender.sent < security.LONGEST_FORM + 10_000


def test_a_file_lies_on_the_disk_without_a_name_for_its_owner_only(spool: Path) -> None:
    sender = Sender(FILE_BEGINS + b"1" * 2_000_000 + b"\r\n--b--\r\n", 1)
    seen: list[os.stat_result] = []

    async def reading() -> SentFile:
        async with uploads.read(sender.request, trusted, MOST_BYTES) as found:
            assert found.file is not None
            kept = (found.file.stream, found.file.copy)
            seen.extend(os.fstat(file.fileno()) for file in kept)
            assert list(spool.iterdir()) == []
            return found.file

    kept = asyncio.run(reading())
    assert kept.size == 2_000_000
    assert [(s.st_nlink, s.st_mode & 0o777) for s in seen] == [(0, 0o600)] * 2
    assert (kept.stream.closed, kept.copy.closed) == (True, True)


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    whole = FILE_BEGINS + b"1" * 10 + b"\r\n--b--\r\n"
    with pytest.raises(StorageError, match="a temporary file cannot be written"):
        read(Sender(whole, 1), 1_000_000)


def test_a_defect_quotes_nothing(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        msg = f"cannot parse {PERSON}"
        raise ValueError(msg)

    monkeypatch.setattr(self_check_views, "check_upload", broken)
    with caplog.at_level(logging.DEBUG):
        done = send(portal, LINES)
    assert done.status_code == 500
    assert PERSON not in done.text + caplog.text + str(portal.audit())
    assert "InternalError" in str(portal.audit()[-1])


def test_others_are_being_checked(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = SimpleNamespace(acquire=lambda *, blocking: blocking, release=lambda: None)
    monkeypatch.setattr(self_check_views, "AT_ONCE", taken)
    done = send(portal, LINES)
    assert (done.status_code, "正在检查" in done.text) == (429, True)


def test_a_place_is_free_again_whatever_happened(portal: Portal) -> None:
    for _ in range(4):
        send(portal, b"MZ\x90\x00", "deaths.xlsx")
    assert send(portal, LINES).status_code == 200
