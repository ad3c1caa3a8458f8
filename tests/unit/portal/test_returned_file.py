"""Rows that were downloaded for correction are checked as the file that they came in."""

from __future__ import annotations

import csv
import io

import pytest
from openpyxl import load_workbook

from onecard.operations.own_columns import OWN
from onecard.portal import security
from onecard.store import quality_problems
from tests.unit.portal.conftest import NOW, Portal, row
from tests.unit.portal.test_pages import text

DEATHS = "health/death_notice"
RIGHT = {
    "person_id18": "410105190001010010",  # an invented number: nobody born in 1900 has one
    "person_name": "甲某某",
    "death_date": "2026-11-01",
    "source_updated_at": "2026-11-02T08:00:00+08:00",
    "source_seq": "8",
}


@pytest.fixture
def problem(portal: Portal) -> int:
    """A problem with one row that has no name."""
    portal.forget()
    portal.reject(DEATHS, [row("a")])
    with portal.connect() as connection:
        (found,) = quality_problems.of_datasets(connection, [DEATHS])
    return found.id


def download(portal: Portal, problem: int, kind: str) -> bytes:
    form = {"csrf": security.token(portal.site.secret, "health", NOW), "format": kind}
    done = portal.client("health").post(f"/health/problems/{problem}/rows", data=form)
    assert done.status_code == 200
    return done.content


def check(portal: Portal, data: bytes, name: str, address: str = "") -> str:
    form = {"csrf": security.token(portal.site.secret, "health", NOW), "dataset": DEATHS}
    done = portal.client("health").post(
        f"/health/self_check{address}", data=form, files={"file": (name, data)}
    )
    return text(done.text)


def corrected_book(data: bytes) -> bytes:
    """The workbook with the right values below its own heads."""
    book = load_workbook(io.BytesIO(data))
    sheet = book.worksheets[0]
    for cell in sheet[1]:
        name = str(cell.value).split(" ")[-1]
        if name in RIGHT:
            sheet.cell(2, cell.column, RIGHT[name])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def test_a_workbook_is_checked_with_the_heads_it_was_given(portal: Portal, problem: int) -> None:
    book = download(portal, problem, "xlsx")
    heads = [str(cell.value) for cell in load_workbook(io.BytesIO(book)).worksheets[0][1]]
    assert "姓名 person_name" in heads
    assert "读取 1 行，合格 0 行，不合格 1 行" in check(portal, book, "rows.xlsx")
    found = check(portal, corrected_book(book), "rows.xlsx")
    assert "读取 1 行，合格 1 行，不合格 0 行。 没有不合格的行" in found


def test_so_is_a_csv(portal: Portal, problem: int) -> None:
    data = download(portal, problem, "csv").decode("utf-8-sig")
    (given,) = csv.DictReader(io.StringIO(data))
    assert set(OWN) < set(given)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(given))
    writer.writeheader()
    writer.writerow({**given, **RIGHT})
    assert "不合格 1 行" in check(portal, data.encode(), "rows.csv")
    assert "合格 1 行，不合格 0 行" in check(portal, written.getvalue().encode(), "rows.csv")


def test_bad_cells_of_the_workbook_are_marked_in_it(portal: Portal, problem: int) -> None:
    book = download(portal, problem, "xlsx")
    form = {"csrf": security.token(portal.site.secret, "health", NOW), "dataset": DEATHS}
    done = portal.client("health").post(
        "/health/self_check/copy", data=form, files={"file": ("rows.xlsx", book)}
    )
    sheet = load_workbook(io.BytesIO(done.content)).worksheets[0]
    (place,) = [c.column for c in sheet[1] if c.value == "姓名 person_name"]
    assert "必填项为空" in sheet.cell(2, place).comment.text
    assert sheet.cell(2, 1).comment is None


def test_other_columns_are_refused_as_before(portal: Portal, problem: int) -> None:
    book = load_workbook(io.BytesIO(download(portal, problem, "xlsx")))
    sheet = book.worksheets[0]
    sheet.cell(1, sheet.max_column + 1, "备注 note")
    written = io.BytesIO()
    book.save(written)
    assert "文件的列与契约不符" in check(portal, written.getvalue(), "rows.xlsx")
