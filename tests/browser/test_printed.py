"""`onecard report --pdf`, page by page: one sheet first, running heads, whole rows, Chinese text."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from pathlib import Path

import pytest
from pypdf import PdfReader

from demo.history import live
from tests import forked
from tests.cities import Cities
from tests.integration.report_page import Page

pytestmark = pytest.mark.nightly
NIGHTS = (0, 1, 6, 20)
ASKED = (
    ("--month", "2026-11", "hrss", "transport", "bureau"),
    ("--week", "2026-W45", "bureau"),
    ("--day", "2026-11-05", "hrss"),
)
"""What is printed, of which time, of whom."""
RADICALS = str.maketrans(
    "⺠⻔⻋⻓⻅⻚⻢⻜⻛⻝⻣⻰⻦⻬⻮⻄⻩⻘⻆⻉⼾", "民门车长见页马飞风食骨龙鸟齐齿西黄青角贝户"
)
A4 = (595, 842)
"""Points, portrait (ISO 216)."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Path:
    """Printed reports of a small city over two months."""
    if shutil.which("chromium") is None:
        pytest.skip("Chromium absent: install Debian's chromium")
    home = tmp_path_factory.mktemp("printed")
    with cities.start(home / "stage", persons=1_000, seed=5) as stage:
        live(stage, NIGHTS)
        files: list[str] = []
        for kind, when, *agencies in ASKED:
            named = [word for agency in agencies for word in ("--agency", agency)]
            words = ("report", kind, when, *named, "--pdf", "--json")
            done = forked.onecard(stage.at(NIGHTS[-1]), *words)
            assert done.returncode == 0, done.stderr
            files += json.loads(done.stdout)["files"]
        for suffix in (".html", ".pdf"):
            assert sum(f.endswith(suffix) for f in files) == 10, files
        return Path(shutil.copytree(stage.home / "reports", home / "reports"))


def pages(file: Path) -> list[str]:
    return [squeezed(page.extract_text()) for page in PdfReader(file).pages]


def squeezed(text: str) -> str:
    """Without blanks and line ends: where a line breaks is the browser's choice.

    Fonts draw some characters with the glyph of their radical, and a PDF tells the one that comes
    first in Unicode; those of the Kangxi block are folded by NFKC, others are listed.
    """
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text.translate(RADICALS)))


def printed(folder: Path, kind: str) -> list[Path]:
    found = sorted(folder.rglob(f"{kind}-*.pdf"))
    assert found
    return found


def test_every_page_is_a_sheet_of_a4_with_something_on_it(folder: Path) -> None:
    for kind in ("monthly", "weekly", "daily"):
        for file in printed(folder, kind):
            for number, page in enumerate(PdfReader(file).pages, start=1):
                size = (round(float(page.mediabox.width)), round(float(page.mediabox.height)))
                assert size in (A4, A4[::-1]), (file.name, number)
                assert page.rotation == 0
            heads = len(squeezed(Page(file.with_suffix(".html").read_text()).tagged("h1")[0].text))
            least = min(len(text) for text in pages(file))
            assert least > heads + 20, (file.name, "a page with its running head alone")


def test_the_first_page_is_one_sheet_of_a4_and_the_tables_come_after(folder: Path) -> None:
    for file in printed(folder, "monthly"):
        reader = PdfReader(file)
        sizes = [
            (round(float(p.mediabox.width)), round(float(p.mediabox.height))) for p in reader.pages
        ]
        assert sizes[0] == A4, file.name
        assert set(sizes[1:]) == {A4[::-1]}, file.name
        html = Page(file.with_suffix(".html").read_text(encoding="utf-8"))
        texts = pages(file)
        lead = html.of_class("lead")[0]
        assert squeezed(lead.text) in texts[0], file.name
        first = [e for e in html.tagged("tr") if e.section == "s1"]
        assert len(first) >= 10
        for row in first:
            assert squeezed(row.text) in texts[0], (file.name, row.text)
        (head, *_) = (e for e in html.tagged("tr") if e.section == "k1")
        assert squeezed(head.text) not in texts[0]
        assert squeezed(head.text) in texts[1]


def test_every_page_has_its_head_and_number(folder: Path) -> None:
    for kind in ("monthly", "weekly", "daily"):
        for file in printed(folder, kind):
            html = Page(file.with_suffix(".html").read_text(encoding="utf-8"))
            heading = squeezed(html.tagged("h1")[0].text)
            texts = pages(file)
            for number, text in enumerate(texts, start=1):
                assert heading in text, (file.name, number)
                wanted = (
                    f"第{number}页共{len(texts)}页"
                    if ".zh." in file.name
                    else f"Page{number}of{len(texts)}"
                )
                assert wanted in text, (file.name, number)


def test_no_row_is_split_and_heads_of_tables_are_repeated(folder: Path) -> None:
    """Each line of the problem list stands on one page, below the head of its table."""
    for file in printed(folder, "monthly"):
        html = Page(file.with_suffix(".html").read_text(encoding="utf-8"))
        texts = pages(file)
        rows = [e for e in html.tagged("tr") if e.section == "s6"]
        head, lines = squeezed(rows[0].text), [squeezed(r.text) for r in rows[1:]]
        for line in lines:
            on = [text for text in texts if line in text]
            assert on, (file.name, line)
            assert all(head in text for text in on), (file.name, line)


def test_charts_are_printed_with_unit_sample_and_target(folder: Path) -> None:
    (file,) = (
        f for f in printed(folder, "monthly") if f.parent.name == "bureau" and ".zh." in f.name
    )
    text = "".join(pages(file))
    assert squeezed("记录完整率（%）") in text
    assert squeezed("目标≥99.0%") in text
    assert re.search(r"n=[\d,]+行", text)
    assert "2026-10*" in text
    assert "按2.0.0版方案重新计算" in text


def test_chinese_is_text_and_its_glyphs_are_in_the_file(folder: Path) -> None:
    """Whoever opens it has no font to look for, and can search for a word."""
    for file in printed(folder, "monthly"):
        for page in PdfReader(file).pages:
            for name in page["/Resources"]["/Font"].values():
                font = name.get_object()
                assert "/ToUnicode" in font
                if font["/Subtype"] == "/Type3":
                    assert font["/CharProcs"]
                else:
                    (part,) = font["/DescendantFonts"]
                    inside = set(part.get_object()["/FontDescriptor"].get_object())
                    assert {"/FontFile2", "/FontFile3"} & inside
        assert "\ufffd" not in "".join(pages(file))
    (file,) = (f for f in printed(folder, "weekly") if ".zh." in f.name)
    assert "周调度清单" in pages(file)[0]
