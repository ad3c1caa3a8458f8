"""Which approval counts where two people are asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from onecard.model import approvals
from onecard.model.agreements import AgreementEvent, LifeEvent
from schemas.models import catalogue

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
TEXT = catalogue.load().agreement("f20-health-hrss-death")


def life(*lines: tuple[LifeEvent, str, str, int]) -> approvals.Standing:
    """Events as event, text, person and the people that the text asks for; oldest first."""
    found = [
        AgreementEvent(n, event, "1.0.0", text, who, "文号", {"approvers": asked}, NOW)
        for n, (event, text, who, asked) in enumerate(lines, 1)
    ]
    return approvals.standing(found[::-1])


def approved(*lines: tuple[LifeEvent, str, str, int]) -> str | None:
    found = life(*lines).approval
    return found.fingerprint if found else None


def test_one_person_is_enough_where_no_more_are_asked_for() -> None:
    assert approved(("approved", "a", "li", 1)) == "a"


@pytest.mark.parametrize(
    "lines",
    [
        [("endorsed", "a", "li", 2)],
        [("approved", "a", "li", 2)],
        [("endorsed", "a", "li", 2), ("approved", "a", "li", 2)],
        [("endorsed", "a", "li", 2), ("approved", "a", " ＬＩ ", 2)],
        [("endorsed", "a", "li", 2), ("approved", "b", "wang", 2)],
        [("endorsed", "a", "li", 2), ("withdrawn", "a", "li", 2), ("approved", "a", "wang", 2)],
        [("endorsed", "a", "li", 2), ("suspended", "a", "zhao", 2), ("approved", "a", "wang", 2)],
        [("endorsed", "a", "li", 2), ("endorsed", "b", "li", 2), ("approved", "a", "wang", 2)],
    ],
    ids=[
        *("the first alone", "a second alone", "one person twice", "written otherwise"),
        *("another text", "withdrawn", "suspended between", "another text's first between"),
    ],
)
def test_less_than_two_people_open_nothing(lines: list[tuple[LifeEvent, str, str, int]]) -> None:
    assert approved(*lines) is None


def test_two_people_approve_one_text() -> None:
    found = life(("endorsed", "a", "li", 2), ("approved", "a", "wang", 2))
    assert found.approval is not None
    assert (found.approval.actor, found.first, found.newest) == ("wang", None, found.approval)


def test_a_text_alone_cannot_ask_for_fewer_than_the_one_before() -> None:
    two = (("endorsed", "a", "li", 2), ("approved", "a", "wang", 2))
    assert approved(*two, ("approved", "b", "li", 1)) == "a"
    lowered = (*two, ("endorsed", "b", "li", 1), ("approved", "b", "wang", 1))
    assert approved(*lowered) == "b"
    assert approved(*lowered, ("approved", "c", "li", 1)) == "c"
    assert life(*two).approvers(TEXT) == 2
    assert life(*lowered).approvers(TEXT) == 1


def test_a_first_approval_of_a_later_text_leaves_the_one_in_force_alone() -> None:
    found = life(("approved", "a", "li", 1), ("endorsed", "b", "li", 2))
    assert found.approval is found.newest is not None
    assert found.waiting("a") is None
    first = found.waiting("b")
    assert first is not None
    assert first.actor == "li"


def test_texts_of_before_there_were_two_ask_for_one() -> None:
    event = AgreementEvent(1, "approved", "1.0.0", "a", "li", "文号", {}, NOW)
    assert approvals.standing([event]).approval is event


@pytest.mark.parametrize(
    "other",
    [
        "Ｌｉ Ming",
        "LI  MING",
        "li\u200bMing",
        "li\u00ad ming\ufeff",
        "\u2066li\u3164ming\x7f",
        "li\u034fming",
    ],
)
def test_what_is_not_seen_of_a_name_makes_no_other_person(other: str) -> None:
    assert approvals.same_person("Li Ming", other)
    assert not approvals.same_person("Li Ming", other + "2")
