"""Short lives of the tiny city, each of one wrong value that was seen or can be made by hand.

`test_city` finds such lives by itself; here they stand with their names, for people and for
`make mutations`. What must hold is compared after each step, as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.property.city_reference import CONSENTED
from tests.property.test_city import CARDS, EVENTS, F03, MOBILE, PEOPLE, Life

ADULT, OTHER, LEAP_CHILD = PEOPLE[2], PEOPLE[3], PEOPLE[0]
F01, F02 = "f01-hrss-insurance-person", "f02-hrss-bank-payment"
F04, F08 = "f04-hrss-fund-active", "f08-transport-bank-event"


@pytest.fixture(scope="module")
def life(quick_postgres: str, shared_folder: Path) -> Iterator[Life]:
    """A city after its first night; each test goes on from where the last one ended."""
    Life.server, Life.templates = quick_postgres, shared_folder
    made = Life()
    made.begin()
    yield made
    made.teardown()


@pytest.mark.case("order-1", "two files of one night say B and A of what is A: it stays A")
def test_the_last_line_of_a_reading_decides(life: Life) -> None:
    for note in ("A", "A"):
        life.issue_a_file(rows=[(0, CARDS[2], "1", note, 0)])
        life.collect(dataset=EVENTS)
    life.issue_a_file(rows=[(0, CARDS[2], "1", "B", 0)])
    life.issue_a_file(rows=[(0, CARDS[2], "1", "A", 0)])
    life.collect(dataset=EVENTS)
    assert life.city.published(EVENTS)[("e-0",)]["note"] == "A"


@pytest.mark.case(
    "older-8", "an event of the future, and behind it one of the past: that one stays"
)
def test_a_rejected_line_does_not_come_back_over_a_later_one(life: Life) -> None:
    life.issue_a_file(rows=[(1, CARDS[1], "1", "early", 6), (1, CARDS[2], "1", "A", 0)])
    life.issue_a_file(rows=[(2, CARDS[2], "1", "A", 0), (2, CARDS[1], "1", "early", 6)])
    life.night()
    life.a_later_night(days=7)
    for _ in range(2):
        life.replay(which=0)
    found = life.city.published(EVENTS)
    assert [found[(key,)]["note"] for key in ("e-1", "e-2")] == ["A", "early"]


def test_an_older_state_of_a_row_replaces_nothing(life: Life) -> None:
    for status in "01":
        life.payment(number=1, who=ADULT, account=2, status=status)
        life.collect(dataset="hrss/payment")
        life.registry.rows["hrss/payment"][("pay-1",)]["pay_status"] = status
    older = dict(life.registry.rows["hrss/payment"][("pay-1",)], pay_status="0", seq=1, _order=1)
    life.city.put_back("hrss/payment", older)
    life.collect(dataset="hrss/payment")
    assert life.city.published("hrss/payment")[("pay-1",)]["pay_status"] == "1"


@pytest.mark.case("holding-2", "an account that is lost takes back the yes, and gives it back")
def test_a_yes_is_taken_back(life: Life) -> None:
    for fin, there in (("3", False), ("2", True)):
        life.card(number=2, who=ADULT, card="1", account=2, fin=fin, bad=False)
        life.collect(dataset="hrss/card")
        life.deliver(agreement=F04)
        assert ((ADULT,) in life.city.held(F04)) == there


@pytest.mark.case("holding-1", "a payment is sent the night after its account is activated")
def test_a_payment_waits_for_its_account(life: Life) -> None:
    life.card(number=2, who=ADULT, card="1", account=2, fin="1", bad=False)
    life.payment(number=7, who=ADULT, account=2)
    life.night()
    assert ("pay-7",) not in life.city.held(F02)
    life.card(number=2, who=ADULT, card="1", account=2, fin="2", bad=False)
    life.a_later_night(days=1)
    assert ("pay-7",) in life.city.held(F02)


def test_a_joined_row_changes(life: Life) -> None:
    life.issue_a_file(rows=[(2, CARDS[4], "1", "", 0)])
    for status in "12":
        life.card(number=4, who=PEOPLE[4], card=status, account=1, bad=False)
        life.night()
        assert life.city.held(F03)[("e-2",)][0]["card_status"] == status


@pytest.mark.case("holding-6", "the newest consent is withdrawn, an older one is not: no consent")
def test_the_newest_consent_decides(life: Life) -> None:
    for _ in range(2):
        life.consent(who=OTHER, kind="1", other=False)
    life.night()
    there = len(life.city.held(CONSENTED))
    given = life.city.sources["hrss/consent"]
    life.city.put("hrss/consent", {**given[-1], "withdrawn_at": life.city.tick()})
    life.night()
    assert len(life.city.held(CONSENTED)) == there - 1


@pytest.mark.case("holding-3", "a death noted by mistake withholds, and gives back when withdrawn")
def test_a_death_is_taken_back(life: Life) -> None:
    life.note_a_death(who=ADULT, bad=False)
    life.night()
    assert (ADULT,) not in life.city.held(F04)
    life.city.drop("health/death", {"person_id18": ADULT})
    life.reconcile(dataset="health/death")
    life.night()
    assert (ADULT,) in life.city.held(F04)


def test_a_row_that_waits_to_be_dropped_stays_on_record(life: Life) -> None:
    life.note_a_death(who=ADULT, bad=False)
    life.collect(dataset="health/death")
    life.reconcile_an_inbox(agreement=F04, damaged=False)
    assert (ADULT,) not in life.city.held(F04)
    life.city.drop("health/death", {"person_id18": ADULT})
    life.reconcile(dataset="health/death")
    life.night()


def test_what_a_consumer_has_is_not_sent_again(life: Life) -> None:
    """`on_change: ignore`: a joined row changed, and the row of the agreement did not."""
    life.issue_a_file(rows=[(3, CARDS[3], "1", "", 0)])
    life.night()
    before = life.city.held(F08)
    life.card(number=3, who=OTHER, card="1", account=3, fin="3", bad=False)
    life.night()
    assert life.city.held(F08) == before


@pytest.mark.case("holding-5", "a widened scope and a new column reach the old rows")
def test_a_wider_text_reaches_old_rows(life: Life) -> None:
    life.person(who=ADULT, status="2")
    life.night()
    assert (ADULT,) not in life.city.held(F01)
    life.rewrite(statuses=2, told=True, at_once=True)
    life.deliver(agreement=F01)
    today = life.city.now.date().isoformat()
    assert life.city.held(F01)[(ADULT,)][0]["changed_on"] == today


def test_a_released_row_is_on_record(life: Life) -> None:
    """A person vouches for it, it leaves once, and is withdrawn when its card is gone."""
    life.issue_a_file(rows=[(4, CARDS[3], "1", f"call {MOBILE}", 0)])
    life.collect(dataset=EVENTS)
    life.deliver(agreement=F03)
    assert ("e-4",) not in life.city.held(F03)
    life.release(which=0)
    row, sent = life.city.held(F03)[("e-4",)]
    assert MOBILE in row["note"]
    life.deliver(agreement=F03)
    assert life.city.held(F03)[("e-4",)] == (row, sent)
    life.city.drop("hrss/card", {"card_no": CARDS[3]})
    life.reconcile(dataset="hrss/card")
    life.deliver(agreement=F03)
    assert ("e-4",) not in life.city.held(F03)


@pytest.mark.case("holding-7", "born on 29 February: a child until 1 March, and due on that day")
def test_who_was_born_on_a_leap_day_comes_of_age(life: Life) -> None:
    life.card(number=5, who=LEAP_CHILD, card="1", account=0, bad=False)
    for day, grown in ((date(2026, 2, 28), False), (date(2026, 3, 1), True)):
        life.pass_time(days=(day - life.city.now.date()).days)
        life.night()
        assert ((CARDS[5],) in life.city.held("f07-hrss-health-card")) == grown
        assert (len(life.city.held("f06-hrss-transport-elder")) == 1) == grown
