"""The catalogue is read anew when a file has changed, and again when it could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from onecard.daemon.watcher import Watcher
from onecard.errors import ConfigError, SourceUnavailable
from onecard.live.job import LaneDesk
from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import UNREADABLE


@dataclass
class Texts:
    """Files of a catalogue, what a reading of them finds, and what the lane was told."""

    root: Path
    problems: tuple[Problem, ...] = ()
    error: Exception | None = None
    made: int = 0
    while_read: Callable[[], object] = lambda: None
    told: list[str] = field(default_factory=list)

    def make(self) -> LaneDesk:
        self.made += 1
        if self.error is not None:
            raise self.error
        return cast("LaneDesk", Desk(self))

    def adopt(self, _desk: LaneDesk) -> None:
        self.told.append("adopt")

    def deny(self) -> None:
        self.told.append("deny")

    def watcher(self) -> Watcher[LaneDesk]:
        return Watcher(self.make, self.make(), self.adopt, self.deny)

    def write(self) -> None:
        (self.root / f"{self.made}.yaml").write_text("one: 1")

    def looks(self, watcher: Watcher[LaneDesk], times: int = 3) -> list[str]:
        """What the lane is told by so many looks."""
        self.told.clear()
        for _ in range(times):
            watcher.look()
        return list(self.told)


class Desk:
    """A desk that reads its catalogue when it is asked for it."""

    address = ""

    def __init__(self, texts: Texts) -> None:
        self._texts, self.root = texts, texts.root
        self.settings = SimpleNamespace(keys_file=texts.root / "keys.json")

    @cached_property
    def catalogue(self) -> SimpleNamespace:
        self._texts.while_read()
        return SimpleNamespace(problems=self._texts.problems, registers=None)


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    return Texts(tmp_path)


def problem(rule: str) -> Problem:
    return Problem(Path("agencies.yaml"), 1, "", rule, "it is so")


def test_it_is_read_once_for_each_change(texts: Texts) -> None:
    watcher = texts.watcher()
    assert texts.looks(watcher) == []
    texts.write()
    assert texts.looks(watcher) == ["adopt"]


def test_what_changes_while_it_is_read_for_the_first_time_is_read_again(texts: Texts) -> None:
    texts.while_read = texts.write
    watcher = texts.watcher()
    texts.while_read = lambda: None
    assert texts.looks(watcher) == ["adopt"]


def test_files_that_are_wrong_are_read_again_when_one_has_changed(
    texts: Texts, caplog: pytest.LogCaptureFixture
) -> None:
    watcher, texts.error = texts.watcher(), InvalidFile([problem("yaml.syntax")])
    texts.write()
    assert texts.looks(watcher) == ["deny"]
    texts.error = None
    assert texts.looks(watcher) == []
    texts.write()
    assert texts.looks(watcher) == ["adopt"]
    assert caplog.text.count("nothing moves") == 1


@pytest.mark.parametrize(
    ("error", "told", "said"),
    [
        (ConfigError("the database refuses"), ["deny"] * 3, "nothing moves: the database refuses"),
        (ZeroDivisionError(), ["deny"] * 3, "nothing moves: internal error: ZeroDivisionError"),
        (InvalidFile([problem(UNREADABLE)]), ["deny"] * 3, "nothing moves: agencies.yaml:1"),
        (SourceUnavailable("it is away"), [], "is read again later: it is away"),
    ],
)
def test_anything_else_may_be_over_at_the_next_look_and_is_said_once(
    texts: Texts,
    error: Exception,
    told: list[str],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    watcher, texts.error = texts.watcher(), error
    texts.write()
    assert texts.looks(watcher) == told
    assert caplog.text.count(said) == 1
    texts.error = None
    assert texts.looks(watcher) == ["adopt"]


def test_a_file_that_cannot_be_opened_is_tried_at_each_look(texts: Texts) -> None:
    texts.problems = (problem(UNREADABLE),)
    watcher = texts.watcher()
    assert texts.looks(watcher, 2) == ["adopt", "adopt"]
    texts.problems = ()
    assert texts.looks(watcher) == ["adopt"]


def test_a_catalogue_that_cannot_be_adopted_moves_nothing(texts: Texts) -> None:
    def fails(_desk: LaneDesk) -> None:
        raise KeyError

    watcher = texts.watcher()
    _set(watcher, fails)
    texts.write()
    assert texts.looks(watcher, 1) == ["deny"]
    _set(watcher, texts.adopt)
    assert texts.looks(watcher) == ["adopt"]


def _set(watcher: Any, adopt: Callable[[LaneDesk], None]) -> None:
    watcher._adopt = adopt
