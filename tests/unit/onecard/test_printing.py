"""Printing to PDF: which program, what it must leave behind, and what is said where it does not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from onecard.errors import ConfigError, SourceUnavailable
from onecard.operations import printing


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "monthly-2026-11.zh.html"
    file.write_text("<!doctype html><title>月报</title>", encoding="utf-8")
    return file


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path on which only what a test puts there is found, and the shell's own programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    program(folder, "fc-list", "echo 'Noto Sans CJK SC'")
    return folder


PRINTS = """for word in "$@"; do case "$word" in
--print-to-pdf=*) printf '%s' "%PDF-1.7 whole %%EOF" > "${word#--print-to-pdf=}";; esac; done"""


def test_without_a_browser_it_is_said_what_to_install(programs: Path, page: Path) -> None:
    with pytest.raises(ConfigError, match="apt-get install chromium fonts-noto-cjk"):
        printing.print_all([page])


def test_without_a_chinese_font_nothing_is_printed_as_boxes(programs: Path, page: Path) -> None:
    program(programs, "chromium", PRINTS)
    program(programs, "fc-list", "exit 0")
    with pytest.raises(ConfigError, match="Chinese font"):
        printing.print_all([page])


def test_pages_are_printed_beside_themselves_and_other_files_are_not(
    programs: Path, page: Path
) -> None:
    program(programs, "google-chrome", PRINTS)
    (file,) = printing.print_all([page, page.with_suffix(".xlsx")])
    assert file == page.with_suffix(".pdf")
    assert file.read_bytes() == b"%PDF-1.7 whole %%EOF"
    assert printing.print_all([page.with_suffix(".xlsx")]) == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "ended with 3"),
        ("exit 0", "left no whole PDF"),
        (PRINTS.replace(" %%EOF", ""), "left no whole PDF"),
    ],
    ids=["fails", "nothing", "cut-off"],
)
def test_a_browser_that_leaves_no_whole_file_leaves_the_old_one(
    programs: Path, page: Path, script: str, message: str
) -> None:
    program(programs, "chromium", script)
    old = page.with_suffix(".pdf")
    old.write_bytes(b"%PDF-1.7 old %%EOF")
    with pytest.raises(SourceUnavailable, match=message):
        printing.print_all([page])
    assert old.read_bytes() == b"%PDF-1.7 old %%EOF"
    assert list(page.parent.glob(".*.part")) == []


def test_a_browser_that_hangs_is_ended(
    programs: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing, "SECONDS", 0.5)
    program(programs, "chromium", "while :; do :; done")
    with pytest.raises(SourceUnavailable, match="did not end"):
        printing.print_all([page])
