"""Which files of an agency the portal serves: those of the reports' names, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from onecard.portal import reports


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "reports" / "health"
    folder.mkdir(parents=True)
    for name in (
        "monthly-2026-11.zh.html",
        "monthly-2026-11.zh.pdf",
        "weekly-2026-W45.en.html",
        "weekly-2026-W45.en.pdf",
        "weekly-2026-W45.xlsx",
        "daily-2026-11-05.zh.html",
        "problems-2026-11.xlsx",
        ".monthly-2026-11.zh.html.part",
        "monthly-2026-11.zh.html.bak",
        "weekly-2026-45.xlsx",
        "monthly-2026-11.pdf",
        "keys.json",
    ):
        (folder / name).write_bytes(b"x")
    return tmp_path


def test_reports_of_every_kind_are_listed_with_kind_period_and_language(home: Path) -> None:
    assert {(r.name, r.kind, r.period, r.language) for r in reports.listed(home, "health")} == {
        ("monthly-2026-11.zh.html", "monthly", "2026-11", "zh"),
        ("monthly-2026-11.zh.pdf", "monthly", "2026-11", "zh"),
        ("weekly-2026-W45.en.html", "weekly", "2026-W45", "en"),
        ("weekly-2026-W45.en.pdf", "weekly", "2026-W45", "en"),
        ("weekly-2026-W45.xlsx", "weekly", "2026-W45", ""),
        ("daily-2026-11-05.zh.html", "daily", "2026-11-05", "zh"),
        ("problems-2026-11.xlsx", "problems", "2026-11", ""),
    }


@pytest.mark.parametrize("name", ["keys.json", "monthly-2026-11.pdf", "../health/keys.json", ""])
def test_no_other_file_is_looked_for(home: Path, name: str) -> None:
    assert reports.get(home, "health", name) is None


def test_a_pdf_is_served_as_one(home: Path) -> None:
    found = reports.get(home, "health", "weekly-2026-W45.en.pdf")
    assert found is not None
    assert found.media == "application/pdf"
