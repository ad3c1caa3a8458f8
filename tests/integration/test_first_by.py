"""One row of each key: of several in scope the first by `first_by` is what the consumer holds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onecard.deliver.context import Replay
from onecard.reconcile.inbox import reconcile_inbox
from tests.cities import Cities
from tests.faults.harness import Harness
from tests.integration.test_holding import CARDS, F14, F15, PUPILS, Side, approve, city_with, edit

INBOX = "inbox.f15_education_hrss_graduates"
CHANGED = {
    F14: (("  connection: transport_files\n", "  connection: transport_files\n  deletes: rows\n"),),
    F15: (
        ("    - {field: person_id18, min_age: 16}\n", ""),
        ("  connection: hrss_db\n", "  connection: hrss_db\n  deletes: rows\n"),
    ),
}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city whose datasets are collected; F14 and F15 tell deletes."""
    with city_with(tmp_path_factory.mktemp("first"), cities, CHANGED) as made:
        yield made


@pytest.fixture
def side(city: Harness) -> Iterator[Side]:
    city.fresh()
    yield Side(city, city.hub())
    city.drop()


def graduate(side: Side) -> tuple[str, str]:
    """School number and ID number of somebody who graduated once."""
    (found,) = side.ask(
        "SELECT min(student_no), person_id18 FROM registry.education__edu_enrolment"
        " WHERE enrol_status = '07' GROUP BY 2 HAVING count(*) = 1 ORDER BY 2 LIMIT 1"
    )
    return str(found[0]), str(found[1])


def again(side: Side, school_no: str, number: str, **values: str) -> None:
    """The same person graduates under another school number."""
    assert side.publish(PUPILS, f"student_no = '{school_no}'", student_no=f"'{number}'", **values)


def of(side: Side, person: str, field: str) -> list[Any]:
    """What the consumer's table has of one person."""
    return [r[field] for r in side.table(INBOX) if r["person_id18"] == person]


def agreed(side: Side) -> bool:
    return reconcile_inbox(side.hub, F15).outcome == "agreed"


@pytest.mark.case("holding-4", "two rows of one key: the first leaves, comes back, goes")
def test_the_next_row_takes_the_place_of_a_first_one_that_leaves(side: Side) -> None:
    old, person = graduate(side)
    rows = side.deliver(F15).rows
    (before,) = of(side, person, "status_date")
    again(side, old, "T0001", status_date="t.status_date + 30")
    assert side.told(F15) == (1, 0)
    (newest,) = of(side, person, "status_date")
    assert newest > before

    def first(**values: str) -> None:
        assert side.publish(PUPILS, "student_no = 'T0001'", **values) == 1

    first(enrol_status="'01'")
    assert side.told(F15) == (1, 0)
    assert of(side, person, "status_date") == [before]
    first(enrol_status="'07'")
    assert side.told(F15) == (1, 0)
    assert of(side, person, "status_date") == [newest]
    side.publish(PUPILS, f"student_no = '{old}'", stage="t.stage")  # who does not count is no news
    assert side.told(F15) == (0, 0)
    side.delete(PUPILS, "student_no = 'T0001'")
    assert side.told(F15) == (1, 0)
    assert of(side, person, "status_date") == [before]
    side.delete(PUPILS, f"student_no = '{old}'")
    assert side.told(F15) == (0, 1)
    assert of(side, person, "status_date") == []
    assert len(side.table(INBOX)) == rows - 1
    assert agreed(side)


@pytest.mark.case("holding-4", "a row that changes its key leaves its place to the next")
def test_the_first_row_goes_to_another_person(side: Side) -> None:
    old, person = graduate(side)
    again(side, old, "T0001", status_date="t.status_date + 30")
    rows = side.deliver(F15).rows
    other = "110101190001010000"
    side.publish(PUPILS, "student_no = 'T0001'", person_id18=f"'{other}'")
    assert side.told(F15) == (2, 0)
    assert (len(of(side, person, "stage")), len(of(side, other, "stage"))) == (1, 1)
    assert len(side.table(INBOX)) == rows + 1
    assert agreed(side)


@pytest.mark.case("holding-4", "ties end with the key of the dataset, whatever came last")
def test_of_equal_rows_the_one_with_the_least_key_counts(side: Side) -> None:
    old, person = graduate(side)
    stage = "CASE t.stage WHEN '11' THEN '21' ELSE '11' END"
    again(side, old, "0001", stage=stage)
    side.deliver(F15)
    (mine,) = side.ask(
        "SELECT stage FROM registry.education__edu_enrolment WHERE student_no = '0001'"
    )
    assert of(side, person, "stage") == [mine[0]]
    again(side, old, "ZZZZ", stage="t.stage")
    for number in ("ZZZZ", old):
        side.publish(PUPILS, f"student_no = '{number}'", source_seq="t.source_seq + 1")
        assert side.told(F15) == (0, 0)
    assert of(side, person, "stage") == [mine[0]]
    assert side.told(F15, Replay(whole=True)) == (len(side.expected(F15)), 0)
    assert side.deliver(F15, Replay(keys=("ZZZZ",))).rows == 0
    assert side.deliver(F15, Replay(keys=("0001",))).rows == 1
    assert of(side, person, "stage") == [mine[0]]


@pytest.mark.case("holding-4", "the first by rising, falling and joined values, NULL last")
@pytest.mark.parametrize(
    ("order", "chosen"),
    [
        ("[expected_grad_date]", "early"),
        ("[-expected_grad_date]", "late"),
        ("[-status_date, expected_grad_date]", "none"),
        ("[card.issue_date, -expected_grad_date]", "late"),
    ],
)
def test_rows_are_ordered_as_the_agreement_says(
    side: Side, tmp_path: Path, order: str, chosen: str
) -> None:
    old, person = graduate(side)
    side.publish(PUPILS, f"student_no = '{old}'", expected_grad_date="NULL", stage="'11'")
    again(side, old, "T1", expected_grad_date="date '2020-01-01'", stage="'21'")
    again(side, old, "T2", expected_grad_date="date '2021-01-01'", stage="'31'")
    side.publish(PUPILS, f"student_no = '{old}'", status_date="t.status_date + 1")
    root = tmp_path / "schemas"
    shutil.copytree(side.harness.environment["ONECARD_SCHEMAS"], root)
    changes = [("first_by: [-status_date]", f"first_by: {order}")]
    if "card." in order:
        match = "match: {person_id18: person_id18}"
        join = f"{{alias: card, dataset: {CARDS}, {match}, first_by: [-issue_date]}}"
        changes.append(("\nscope:", f"\njoins:\n  - {join}\nscope:"))
    edit(root, F15, *changes, version="2.1.0")
    other = side.at(side.hub.settings.now(), ONECARD_SCHEMAS=str(root))
    approve(other, F15)
    wanted = {"none": "11", "early": "21", "late": "31"}[chosen]
    found = {r["person_id18"]: r["stage"] for r in other.expected(F15)}
    assert found[person] == wanted
    assert other.deliver(F15).rows == len(other.expected(F15)) == len(found)
    assert of(other, person, "stage") == [wanted]


@pytest.mark.case("holding-4", "two holders of one transit account: one concession")
def test_a_key_that_a_join_gives_has_one_row(side: Side) -> None:
    rows = side.deliver(F14).rows
    held = {tuple(r[k] for k in ("transit_account_no", "concession_group")): r["valid_from"]
            for r in side.expected(F14)}  # fmt: skip
    assert len(held) == rows >= 2
    group = next(g for _, g in held if sum(g == other for _, other in held) >= 2)
    one, other = sorted(account for account, g in held if g == group)[:2]
    side.publish(CARDS, f"transit_account_no = '{other}'", transit_account_no=f"'{one}'")
    done = side.deliver(F14)
    assert (done.deleted >= 1, done.quarantined) == (True, 0)
    now = side.expected(F14)
    (left,) = [r["valid_from"] for r in now
               if (r["transit_account_no"], r["concession_group"]) == (one, group)]  # fmt: skip
    assert left == max(held[one, group], held[other, group])
    assert other not in {r["transit_account_no"] for r in now}
    assert side.told(F14) == (0, 0)
