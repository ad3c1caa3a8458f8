"""A problem is gone when its own rows came right or left the source, and not because none was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onecard.operations.housekeeping import keep_house
from onecard.reconcile.dataset import reconcile
from onecard.stewardship import challenges
from onecard.stewardship.challenges import Challenge
from onecard.store import database, quality_problems
from quality.reports import content, scheme
from quality.reports.problems import ListedProblem
from quality.rows.rule_titles import title
from tests.small_hub import DATASET, SmallHub, small_hub

AT = "2026-11-09T10:00:00+08:00"


def later(day: int) -> str:
    return f"2026-11-{day}T12:00:00+08:00"


@pytest.fixture
def small(tmp_path: Path, hub_database: str, private_database: str) -> Iterator[SmallHub]:
    with small_hub(tmp_path, hub_database, private_database) as found:
        yield found


def problems(small: SmallHub) -> dict[str, ListedProblem]:
    """The month's list, by rule."""
    hub = small.hub
    now = hub.settings.now()
    with database.connect(small.hub_url, autocommit=True) as connection:
        month = now.date().replace(day=1)
        maker = content.Maker(connection, hub.catalogue, scheme.load(), month, now)
        return {p.rule: p for p in maker.content("hrss").problems}


def statuses(small: SmallHub) -> dict[str, str]:
    """By rule, what the month's list says; the portal's problems say the same.

    A rule that the contract calls something else since is another problem there (ADR 0054).
    """
    found = {rule: listed.status for rule, listed in problems(small).items()}
    with database.connect(small.hub_url, autocommit=True) as connection:
        known = quality_problems.of_datasets(connection, [DATASET])
    ended = {p.rule: p.ended_at is not None for p in known}
    own = {rule.name for rule in small.hub.catalogue.contract(DATASET).rules}
    for rule, status in found.items():
        if rule in own or title(rule) != rule:
            assert ended[rule] == (status == "gone"), rule
    return found


def filled(small: SmallHub) -> None:
    small.insert([(f"K{n:02}", "x" if n < 3 else "1", AT) for n in range(30)])


@pytest.mark.case("older-2", "an increment that reads none of the rows does not say 已消除")
def test_an_increment_does_not_end_a_problem(small: SmallHub) -> None:
    small.table(cursor=True)
    filled(small)
    small.collect()
    assert statuses(small) == {"type": "open"}
    small.insert([("N1", "1", later(11))])
    small.collect()
    small.collect()
    assert statuses(small) == {"type": "open"}
    mend = "UPDATE small SET amount = '7', updated = %s WHERE code = ANY(%s)"
    small.agency(mend, later(13), ["K00", "K01"])
    small.collect()
    assert statuses(small) == {"type": "open"}, "one of its rows is still wrong"
    small.agency(mend, later(14), ["K02"])
    small.collect()
    assert statuses(small) == {"type": "gone"}


@pytest.mark.case("older-2", "no new file: still open; mended in a later file: gone")
def test_no_new_file_does_not_end_a_problem(small: SmallHub) -> None:
    small.files()
    small.put("01.csv", [("K1", "x", AT), ("K2", "1", AT)])
    for _ in range(3):
        small.collect()
        assert statuses(small) == {"type": "open"}
    small.put("02.csv", [("K1", "3", AT)])
    small.collect()
    assert statuses(small) == {"type": "gone"}


@pytest.mark.case("older-2", "rows that left the source end it, found by a whole reading")
def test_rows_that_left_the_source(small: SmallHub) -> None:
    small.table(cursor=True)
    filled(small)
    small.collect()
    small.agency("DELETE FROM small WHERE amount = 'x'")
    small.collect()
    assert statuses(small) == {"type": "open"}
    small.collect(whole=True)
    assert statuses(small) == {"type": "gone"}


@pytest.mark.case("older-2", "purged after their time, or superseded by the same mistake: not gone")
def test_neither_time_nor_another_mistake_ends_it(small: SmallHub) -> None:
    small.environment["ONECARD_QUARANTINE_DAYS"] = "2"
    small.table(cursor=True)
    filled(small)
    small.collect()
    small.agency("UPDATE small SET amount = 'y', updated = %s WHERE code = 'K00'", later(11))
    small.collect()
    assert statuses(small) == {"type": "open"}
    small.night += 6
    assert keep_house(small.hub).purged == 4
    assert {status for _, status in small.records()} == {"purged", "superseded"}
    assert statuses(small)["type"] != "gone"


def ranged(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": "不超过五十",
        "type": "custom",
        "engine": "onecard",
        "dimension": "accuracy",
        "severity": "error",
        "implementation": {"check": "range", "field": "amount", "max": 50},
    }


@pytest.mark.case("older-2", "a rule with a new name resolves nothing of the old one's")
def test_a_renamed_rule(small: SmallHub) -> None:
    small.table(quality=[ranged("most")])
    small.insert([(f"K{n}", "99" if n < 3 else "1", AT) for n in range(30)])
    small.collect()
    small.table(quality=[ranged("at_most")])
    small.collect()
    assert statuses(small) == {"most": "open", "at_most": "open"}
    small.agency("UPDATE small SET amount = '2'")
    small.collect()
    assert statuses(small) == {"most": "gone", "at_most": "gone"}


@pytest.mark.case("older-2", "a rule that only warns is gone by a whole reading alone")
def test_a_warning(small: SmallHub) -> None:
    small.table(cursor=True, quality=[{**ranged("most"), "severity": "warning"}])
    small.insert([(f"K{n}", "99" if n < 3 else "1", AT) for n in range(30)])
    small.collect()
    small.insert([("N1", "1", later(11))])
    small.collect()
    assert statuses(small) == {"most": "open"}
    small.agency("UPDATE small SET amount = '2'")
    small.collect(whole=True)
    assert statuses(small) == {"most": "gone"}


@pytest.mark.case("older-2", "a ticket of a finding sees no correction where none was read")
def test_a_ticket_of_a_finding(small: SmallHub) -> None:
    small.table(cursor=True)
    filled(small)
    small.collect()
    hub = small.hub
    challenges.open_challenge(hub, Challenge(DATASET, "hrss", "有误", rule="type"))
    small.insert([(f"N{n}", "1", later(11)) for n in range(40)])
    small.collect()
    assert challenges.review(small.hub) == []
    small.agency("UPDATE small SET amount = '7', updated = %s WHERE code = 'K00'", later(12))
    done = small.collect()
    (seen,) = challenges.review(small.hub)
    assert (seen.transfer, seen.detail) == (done.transfer, {"how": "fewer", "failed": 2, "was": 3})


@pytest.mark.case("value-2", "rows that the gate refuses while they are published stay published")
def test_a_reconciliation_leaves_sound_rows_alone(small: SmallHub) -> None:
    small.table(cursor=True)
    long_ago = "2026-10-01T10:00:00+08:00"
    small.insert([(f"K{n:03}", "1", AT if n == 199 else long_ago) for n in range(200)])
    small.collect()
    small.agency("UPDATE small SET amount = 'x' WHERE code < 'K150'")
    before = small.amounts()
    done = reconcile(small.hub, DATASET)
    assert (done.outcome, done.healed) == ("open", 0)
    assert (done.differing, done.waiting, len(done.refs["rejected"])) == (150, 0, 20)
    assert (small.amounts(), small.records()) == (before, [])
    code, said = small.onecard("collect", DATASET, "--whole")
    assert (code, "150 of 200 new rows were rejected" in said) == (3, True)


@pytest.mark.case("value-2", "a handful that no collect has seen is quarantined, a flood is not")
@pytest.mark.parametrize(("rows", "kept"), [(100, 100), (101, 0)])
def test_a_flood_of_rejected_rows_is_left_alone(small: SmallHub, rows: int, kept: int) -> None:
    small.table(cursor=True)
    small.insert([(f"K{n:03}", "1", AT) for n in range(200)])
    small.collect()
    small.insert([(f"X{n:03}", "x", "2025-01-01T00:00:00+08:00") for n in range(rows)])
    done = reconcile(small.hub, DATASET)
    assert (done.missing, done.healed, len(small.records())) == (rows, kept, kept)
    assert done.outcome == ("healed" if kept else "open")
