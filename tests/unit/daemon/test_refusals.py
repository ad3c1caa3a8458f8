"""Refused calls: all counted, one line a minute at most."""

from __future__ import annotations

import pytest

from onecard.daemon.refusals import Refusals
from tests.waking import Clocks


def test_one_line_a_minute_with_all_that_was_refused(caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    refusals = Refusals(clocks.steady)
    refusals.count("body")
    for _ in range(1000):
        refusals.count("not proved")
    clocks.go_on(60)
    refusals.count("body")
    refusals.count("replayed")
    refusals.say()
    refusals.say()
    assert caplog.messages == [
        "calls refused: body 1",
        "calls refused: body 1, not proved 1000",
        "calls refused: replayed 1",
    ]
    assert refusals.counts == {"body": 2, "not proved": 1000, "replayed": 1}
