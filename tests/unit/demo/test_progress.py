"""Progress of a rehearsal: lines in a pipe, a bar on a terminal, nothing for programs."""

from __future__ import annotations

import io
import sys

import pytest

from demo import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_a_line_for_the_beginning_and_for_each_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.progress("set-up", 2, shown=True):
        progress.ended("databases")
        progress.ended("hrss/card_master")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "set-up …",
        "set-up: 1/2 databases",
        "set-up: 2/2 hrss/card_master",
    ]


def test_programs_get_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress("set-up", 2, shown=False) as ended:
        ended("databases")
        progress.ended("hrss/card_master")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.progress("night 0", 41, shown=True):
        progress.ended("hrss/card_master")
    assert "night 0" in terminal.getvalue()
    assert "1/41" in terminal.getvalue()


def test_nobody_listens_outside(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress("set-up", 1, shown=True):
        pass
    progress.ended("databases")
    assert capsys.readouterr().err == "set-up …\n"
