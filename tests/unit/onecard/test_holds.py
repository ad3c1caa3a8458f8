"""What a hold says: why, who may release it, and the command; without a database."""

from __future__ import annotations

import pytest

from onecard.model.holds import Hold, audit_failed, collect_hold, reading_remarks
from schemas.models import catalogue

CARDS, EVENTS = "hrss/card_master", "hrss/card_status_event"


def made(dataset: str, **more: object) -> Hold:
    return collect_hold(catalogue.load().contract(dataset), 7, **more)


def test_a_collect_is_released_by_its_number_and_in_the_fast_lane_by_its_dataset() -> None:
    assert made(CARDS).release == "onecard release 7 --by … --reason …"
    assert made(EVENTS).release == f"onecard release {EVENTS} --by … --reason …"
    assert made(CARDS).who == "hrss, with the engineer on duty"


@pytest.mark.parametrize(
    ("hold", "says"),
    [
        (
            made(CARDS, findings=("shrinkage",)),
            "`onecard release 7 --by … --reason …` publishes it",
        ),
        (made(CARDS, findings=("key_unique",)), "mend the source or the contract, then `onecard c"),
        (made(CARDS, released=True), "released, but cut off before it was published: `onecard rel"),
        (Hold("deliver", 8, "f01", "who", ""), "reason …`, then `onecard deliver f01`"),
        (Hold("deliver", 8, "f01", "who", "", released=True), "released; `onecard deliver f01` or"),
        (
            Hold("reconcile", 2, CARDS, "who", ""),
            f"`onecard reconcile {CARDS} --release --by … --reason …`",
        ),
        (Hold("reconcile", 2, CARDS, "who", "", emptied=True), "mend the source"),
    ],
)
def test_what_to_do(hold: Hold, says: str) -> None:
    assert says in hold.todo
    assert hold.releasable is ("mend the source or" not in hold.todo)


def test_what_the_reading_remarked_is_told_apart_from_the_hold() -> None:
    contract = catalogue.load().contract(CARDS)
    said = audit_failed(contract, 7, ["shrinkage"])
    assert said.startswith(f"{CARDS}: transfer 7 is held: shrinkage. hrss, with")
    assert reading_remarks(f"waiting for a.csv; {said}", CARDS, 7) == "waiting for a.csv"
    assert reading_remarks(said, CARDS, 7) == ""
    assert reading_remarks("waiting for a.csv", CARDS, 7) == "waiting for a.csv"
    assert "nobody can release key_unique" in audit_failed(contract, 7, ["key_unique"])
