"""The library is used where it is made of these sources, and never otherwise."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from onecard import native
from onecard.errors import ConfigError
from onecard.native import sources
from tools import build_native


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A room whose sources and library a test may change; what is loaded is forgotten."""
    for file in sources.found():
        shutil.copy(file, tmp_path / file.name)
    shutil.copy(sources.FOLDER / "sources.py", tmp_path / "sources.py")
    monkeypatch.setattr(build_native, "ROOM", tmp_path)
    monkeypatch.setattr(sources, "LIBRARY", tmp_path / "_library.so")
    monkeypatch.setattr(sources.digest, "__defaults__", (tmp_path,))
    native._loaded.cache_clear()
    yield tmp_path
    native._loaded.cache_clear()


def test_the_library_is_there_and_bears_its_sources() -> None:
    found = native.library()
    assert found is not None, "a compiler is part of the environment: make setup"
    assert native.absence() == ""


def test_off_takes_the_plain_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_NATIVE", "off")
    assert native.library() is None
    assert native.absence() == "ONECARD_NATIVE is off"


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_NATIVE", "no")
    with pytest.raises(ConfigError, match="ONECARD_NATIVE"):
        native.library()


def test_what_is_not_built_is_said(elsewhere: Path) -> None:
    assert native.library() is None
    assert native.absence() == "the library is not built"


def test_one_that_is_built_is_used(elsewhere: Path) -> None:
    assert build_native.main() == 0
    assert native.library() is not None


def test_a_library_of_older_sources_is_not_used_and_said_once(
    elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build_native.main()
    with (elsewhere / "library.c").open("a") as file:
        file.write("/* changed */\n")
    with caplog.at_level(logging.WARNING):
        assert native.library() is None
        assert native.library() is None
    assert "not made of these sources" in native.absence()
    assert len(caplog.records) == 1


def test_what_is_no_library_is_not_used(elsewhere: Path) -> None:
    (elsewhere / "_library.so").write_bytes(b"no library")
    assert native.library() is None
    assert "OSError" in native.absence()


def test_without_a_compiler_everything_goes_on(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_native, "compiler", list)
    assert build_native.main() == 0
    assert "plain paths" in capsys.readouterr().err
    assert native.library() is None


def test_a_compiler_that_fails_leaves_no_library(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "false")
    assert build_native.main() == 0
    assert [file.name for file in elsewhere.glob("*.so")] == []
