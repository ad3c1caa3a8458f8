"""Readiness is asked for once a second at most, and a question without an answer is a no."""

from __future__ import annotations

import asyncio
import threading

import pytest

from onecard.daemon import readiness
from onecard.daemon.readiness import Readiness
from tests.waking import Clocks


def test_an_answer_counts_for_a_second() -> None:
    clocks, asked = Clocks(), []

    async def look() -> list[bool]:
        ready = Readiness(lambda: bool(asked.append(1)) or len(asked) == 1, clocks.steady)
        found = [await ready(), await ready()]
        clocks.go_on(1.0)
        return [*found, await ready()]

    assert asyncio.run(look()) == [True, True, False]
    assert len(asked) == 2


def test_a_question_that_hangs_is_asked_once_and_answered_with_no(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness, "PATIENCE_S", 0.01)
    free, asked = threading.Event(), []

    def ready() -> bool:
        asked.append(1)
        return free.wait(30)

    async def look() -> list[bool]:
        found = Readiness(ready)
        hanging = [await found() for _ in range(3)]
        free.set()
        monkeypatch.setattr(readiness, "PATIENCE_S", 30)
        return [*hanging, await found()]

    assert asyncio.run(look()) == [False, False, False, True]
    assert len(asked) == 1


def test_a_question_that_fails_is_a_no(caplog: pytest.LogCaptureFixture) -> None:
    def ready() -> bool:
        msg = "password of the database"
        raise RuntimeError(msg)

    async def look() -> bool:
        return await Readiness(ready)()

    assert asyncio.run(look()) is False
    assert "RuntimeError" in caplog.text
    assert "password" not in caplog.text
