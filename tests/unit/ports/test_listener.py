"""Who is told of a transfer's steps: in order, of each end, and without a say in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from onecard.errors import HoldError
from onecard.observe.log import LogListener
from onecard.ports.listener import Step, Telling


@dataclass
class Notes:
    """A listener that remembers what it was told."""

    told: list[object] = field(default_factory=list)

    def started(self, step: Step) -> None:
        self.told.append(("started", step.name))

    def opened(self, step: Step, transfer: int) -> None:
        self.told.append(("opened", transfer))

    def counted(self, step: Step, counts: Mapping[str, int]) -> None:
        self.told.append(("counted", dict(counts)))

    def ended(self, step: Step) -> None:
        self.told.append("ended")

    def failed(self, step: Step, error: Exception) -> None:
        self.told.append(("failed", type(error)))


class Broken(Notes):
    """A listener that fails whatever it is told."""

    def started(self, *_: object) -> None:
        raise RuntimeError

    opened = counted = ended = failed = started  # type: ignore[assignment]


STEP = Step("collect.stage", "hrss/card_master", "王工")


def test_a_step_that_ends_well_is_told_from_its_start_to_its_end() -> None:
    notes = Notes()
    with Telling(STEP, (notes,)).running() as telling:
        telling.opened(7)
        telling.counted({"rows_read": 3})
    assert notes.told == [
        ("started", "collect.stage"),
        ("opened", 7),
        ("counted", {"rows_read": 3}),
        "ended",
    ]


def test_a_failure_is_told_and_goes_on() -> None:
    notes = Notes()
    with pytest.raises(HoldError), Telling(STEP, (notes,)).running():
        msg = "a person must decide"
        raise HoldError(msg)
    assert notes.told == [("started", "collect.stage"), ("failed", HoldError)]


def test_a_listener_that_fails_fails_nothing_and_silences_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes = Notes()
    with Telling(STEP, (Broken(), notes)).running() as telling:
        telling.opened(7)
    assert notes.told == [("started", "collect.stage"), ("opened", 7), "ended"]
    assert caplog.messages == ["a listener failed (RuntimeError)"] * 3


def test_the_log_has_one_event_at_the_start_and_one_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level(logging.INFO, "onecard.steps"),
        Telling(STEP, (LogListener(),)).running() as telling,
    ):
        telling.opened(7)
        telling.counted({"rows_read": 3})
    first, last = caplog.records
    assert vars(first)["event"] == "started"
    assert "transfer" not in vars(first)
    known = {name: vars(last)[name] for name in ("event", "outcome", "transfer", "counts")}
    assert known == {"event": "ended", "outcome": "done", "transfer": 7, "counts": {"rows_read": 3}}
    assert (vars(last)["dataset"], vars(last)["actor"]) == ("hrss/card_master", "王工")
