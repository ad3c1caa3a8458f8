"""Limits by consumer and kind of event: one file, read strictly, linted."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from onecard.base.times import ZONE
from schemas.lint import reaction as lint
from schemas.models import catalogue, reaction
from schemas.models.problem import InvalidFile
from schemas.models.reaction import Limit

KNOWN = catalogue.load()
EVENTS = KNOWN.contract("hrss/card_status_event")
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=ZONE)
GOOD = """\
datasets:
  hrss/card_status_event:
    since: effective_at
    kinds:
      loss: {title: 挂失, title_en: Loss, when: {event_type: ['08']}}
limits:
  transport: {loss: PT60S}
others: {loss: PT15M}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "reaction.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "latest", "shown"),
    [
        ("PT60S", NOW - timedelta(seconds=60), "60"),
        ("P1D", NOW - timedelta(days=1), "86,400"),
        ("T+0", datetime(2026, 11, 24, tzinfo=ZONE), "T+0"),
        ("T+1", datetime(2026, 11, 23, tzinfo=ZONE), "T+1"),
    ],
)
def test_a_limit_says_which_events_are_late_now(text: str, latest: datetime, shown: str) -> None:
    limit = Limit(text)
    assert (limit.latest(NOW), limit.shown, str(limit)) == (latest, shown, text)
    assert limit.latest(NOW.astimezone(tz=None)) == latest


@pytest.mark.parametrize("text", ["", "60", "PT0S", "T+", "T+100", "T-1", "P1Y"])
def test_what_is_no_limit_is_refused_with_the_choices(text: str) -> None:
    with pytest.raises(ValueError, match=r"write PT60S .* or T\+1"):
        Limit(text)


def test_a_consumer_without_a_line_has_the_limits_of_the_others(tmp_path: Path) -> None:
    found = reaction.load(written(tmp_path, GOOD))
    limits = {}
    for name in ("f01-hrss-transport-card-status", "f07-hrss-operator-card-status"):
        expected = found.expected(KNOWN.agreement(name), EVENTS)
        assert expected is not None
        limits[name] = dict(expected.limits)
    assert list(limits.values()) == [{"loss": "PT60S"}, {"loss": "PT15M"}]


def test_a_dataset_that_is_not_named_or_lacks_the_fields_is_not_measured(tmp_path: Path) -> None:
    agreement = KNOWN.agreement("f01-hrss-transport-card-status")
    for since in ("no_such_field", "event_seq", "expires_at"):  # the last one may be NULL
        other = reaction.load(written(tmp_path, GOOD.replace("effective_at", since)))
        assert other.expected(agreement, EVENTS) is None
    cards = KNOWN.agreement("f08-hrss-operator-ecard")
    assert KNOWN.reaction.expected(cards, KNOWN.contract(cards.dataset)) is None


@pytest.mark.parametrize(
    ("old", "new", "rule", "line"),
    [
        ("hrss/card_status_event", "hrss/card_status_evnt", "reaction.unknown_dataset", 3),
        ("since: effective_at", "since: event_seq", "reaction.since", 3),
        ("since: effective_at", "since: expires_at", "reaction.since", 3),
        ("event_type:", "event_kind:", "reaction.unknown_field", 5),
        ("['08']", "['08', '98']", "reaction.unknown_code", 5),
        ("transport:", "trains:", "reaction.unknown_agency", 7),
        ("transport: {loss:", "transport: {los:", "reaction.unknown_kind", 7),
        ("others: {loss:", "others: {los:", "reaction.unknown_kind", 8),
        ("PT60S", "60 s", "model.value_error", 7),
        ("title: 挂失, ", "", "model.missing_key", 5),
        ("others:", "strangers:", "model.unknown_key", 8),
    ],
)
def test_a_defect_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, rule: str, line: int
) -> None:
    assert old in GOOD
    file = written(tmp_path, GOOD.replace(old, new))
    found = list(lint.check(file, KNOWN))
    assert (rule, line) in {(p.rule, p.line) for p in found}


def test_a_kind_of_two_datasets_is_refused(tmp_path: Path) -> None:
    death = (
        "  health/death_notice:\n    since: source_updated_at\n"
        "    kinds:\n      loss: {title: 死亡, title_en: Death}\n"
    )
    file = written(tmp_path, GOOD.replace("limits:", f"{death}limits:", 1))
    assert [p.rule for p in lint.check(file, KNOWN)] == ["reaction.repeated_kind"]


def test_a_broken_file_measures_nothing_and_stops_nothing(tmp_path: Path) -> None:
    root = tmp_path / "schemas"
    root.mkdir()
    (root / "agencies.yaml").write_text(
        (catalogue.ROOT / "agencies.yaml").read_text("utf-8"), "utf-8"
    )
    written(root, GOOD.replace("PT60S", "soon"))
    found = catalogue.load(root)
    assert [p.rule for p in found.problems] == ["model.value_error"]
    assert found.reaction.datasets == {}
    with pytest.raises(InvalidFile):
        reaction.load(root / "reaction.yaml")


def test_the_houses_own_file_is_right_and_a_folder_may_have_none(tmp_path: Path) -> None:
    assert list(lint.check(reaction.FILE, KNOWN)) == []
    assert list(lint.check(tmp_path / "reaction.yaml", KNOWN)) == []


def test_every_agreement_on_the_cards_status_has_a_limit_for_losses() -> None:
    found = {
        a.id: KNOWN.reaction.expected(a, EVENTS)
        for a in KNOWN.agreements.values()
        if a.dataset == EVENTS.id and a.mode == "event"
    }
    assert len(found) == 7
    assert all(e is not None and "loss" in e.limits for e in found.values())
