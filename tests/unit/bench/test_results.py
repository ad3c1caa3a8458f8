"""bench/RESULTS.md: sections that keep each other, limits that hold or are missed."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

import pytest

from bench import floor, results
from bench.registry import PROGRAMS
from bench.results import Limit, Section

PAGE = "# Benchmark results\n\n<!-- a -->\nold a\n<!-- end of a -->\n\n<!-- b -->\nb\n<!-- end of b -->\n"
BY_HAND = {"waiting"}


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("a", PAGE.replace("old a", "new")),
        ("b", PAGE.replace("\nb\n", "\nnew\n")),
        ("c", f"{PAGE}\n<!-- c -->\nnew\n<!-- end of c -->\n"),
    ],
)
def test_a_section_is_written_and_the_others_are_kept(
    tmp_path: Path, name: str, after: str
) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text(PAGE)
    for _ in range(2):
        results.put(file, name, "new\n\n")
        assert file.read_text() == after


def test_the_page_in_the_repository_has_sections_of_known_programs_once() -> None:
    page = results.FILE.read_text(encoding="utf-8")
    begun = re.findall(r"<!-- (?!end of )(.*) -->", page)
    assert begun == re.findall(r"<!-- end of (.*) -->", page)
    assert len(begun) == len(set(begun))
    assert {"transfers", "governed deliveries"} <= set(begun)
    assert set(begun) <= BY_HAND | {program.section for program in PROGRAMS}


@pytest.mark.parametrize(
    ("limit", "cells"),
    [
        (Limit("a", 1.8, 1.8), ("a", "1.8", "1.80", "yes")),
        (Limit("a", 1.8, 2.7), ("a", "1.8", "2.70", "no, missed by 50%")),
        (Limit("a", 1.3, 1.3, at_least=True), ("a", "at least 1.3", "1.30", "yes")),
        (Limit("a", 2, 1.5, at_least=True), ("a", "at least 2", "1.50", "no, missed by 25%")),
        (Limit("a", 400, 1234.4), ("a", "400", "1,234", "no, missed by 209%")),
    ],
)
def test_a_limit_says_whether_it_holds(limit: Limit, cells: tuple[str, ...]) -> None:
    assert limit.cells() == cells
    assert limit.holds == (cells[-1] == "yes")


def section(**more: object) -> Section:
    given = {
        "name": "x",
        "title": "X",
        "module": "x",
        "about": "Measured.",
        "columns": ("what", "seconds"),
        "rows": [("COPY | COPY", "1")],
    }
    return Section(**{**given, **more})


def test_a_section_says_machine_floor_limits_and_notes() -> None:
    made = section(limits=[Limit("seconds", 2, 3)], notes=["sling: cannot be had."])
    text = made.text("COPY | COPY: 1 s.")
    assert "Machine: " in text
    assert "load when it ended" in text
    assert "COPY | COPY: 1 s. Measured. Made by `python -m bench.x`." in text
    assert "|---|---:|\n| COPY \\| COPY | 1 |" in text
    assert "| seconds | 2 | 3.00 | no, missed by 50% |" in text
    assert text.endswith("\n\nsling: cannot be had.")


def test_a_row_with_a_cell_too_few_is_no_table() -> None:
    with pytest.raises(ValueError, match="2 cells"):
        section(rows=[("alone",)]).text("")


@pytest.mark.parametrize(
    ("options", "rows"), [({"rows": 5}, 5), ({"rows": 10**9}, floor.FULL), ({}, 0)]
)
def test_a_published_section_names_the_floor_of_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, int], rows: int
) -> None:
    asked = []

    def today(home: Path, rows: int) -> floor.Floor:
        asked.append((home, rows))
        return floor.Floor(7, 1.0, 2.0, 3.0, 4.0, "")

    monkeypatch.setattr(floor, "today", today)
    page = tmp_path / "RESULTS.md"
    results.publish(Namespace(home=tmp_path, results=page, **options), section())
    assert asked == [(tmp_path, rows)]
    said = "COPY | COPY of 7 cards there that day: 1.0 s (2.0 CPU s), with primary key 3.0 s (4.0 CPU s)."
    assert said in page.read_text()
