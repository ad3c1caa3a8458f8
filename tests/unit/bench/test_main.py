"""`python -m bench`: every section by one command; one that fails keeps the others."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as program
from bench import server
from bench.registry import PROGRAMS

ROOT = Path(__file__).parents[3] / "bench"
ADDRESS = "postgresql://postgres@127.0.0.1/postgres"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Words of each program that was started; `holding` fails."""
    asked: list[list[str]] = []

    def run(
        words: list[str], *, env: dict[str, str], check: bool
    ) -> subprocess.CompletedProcess[str]:
        assert env[server.GIVEN] == ADDRESS
        asked.append(words[2:])
        return subprocess.CompletedProcess(words, int("bench.holding" in words))

    monkeypatch.setattr(program.subprocess, "run", run)
    monkeypatch.setenv(server.GIVEN, ADDRESS)
    return asked


def bench(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    return program.main()


def test_every_section_runs_and_a_failed_one_is_said_at_the_end(
    started: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench(monkeypatch) == 1
    assert [words[0] for words in started] == [f"bench.{p.word}" for p in PROGRAMS]
    assert "failed: holding;" in capsys.readouterr().out.splitlines()[-1]


def test_some_sections_run_in_the_order_of_the_page(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["start", "transfers", "--quick", "--no-peers", "--home", str(tmp_path)]
    assert bench(monkeypatch, *words) == 0
    transfers, start = started
    assert transfers[:3] == ["bench.transfers", "--home", str(tmp_path)]
    assert transfers[-5:] == ["--no-peers", "--rows", "20000", "--rounds", "1"]
    assert start[0] == "bench.start"
    assert "--no-peers" not in start


def test_an_unknown_section_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="no such section: nothing; known are transfers, "):
        bench(monkeypatch, "nothing")


def test_every_program_that_writes_a_section_is_registered() -> None:
    writes = re.compile(r"^def main\(.*^ +(publish|results\.put)\(", re.DOTALL | re.MULTILINE)
    texts = {file.stem: file.read_text(encoding="utf-8") for file in ROOT.glob("*.py")}
    writing = {word for word, text in texts.items() if writes.search(text)}
    assert writing == {program.word for program in PROGRAMS}


def test_the_chart_of_the_page_is_there_when_the_page_shows_it() -> None:
    shown = "](results.svg)" in (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert shown <= (ROOT / "results.svg").exists()


@pytest.mark.parametrize("word", [p.word for p in PROGRAMS])
def test_every_section_s_program_is_there(word: str) -> None:
    assert importlib.util.find_spec(f"bench.{word}")
