"""A hold stands until a person decides, or a reading shows that it is right again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.errors import AuditFailed, OnecardError
from onecard.model.holds import Hold
from onecard.model.signoffs import SignOff
from onecard.operations import attention
from onecard.operations.night_report import write_report
from onecard.operations.release import release
from onecard.operations.reports import write_daily
from onecard.store import database, holds
from tests.small_hub import DATASET, SmallHub, small_hub

AT, NEW = "2026-11-09T10:00:00+08:00", "2026-11-12T10:00:00+08:00"
HOW = SignOff("市人社局 张主任", "来函核实")


@pytest.fixture
def small(tmp_path: Path, hub_database: str, private_database: str) -> Iterator[SmallHub]:
    with small_hub(tmp_path, hub_database, private_database) as found:
        yield found


def held(small: SmallHub) -> list[Hold]:
    with database.connect(small.hub_url, autocommit=True) as connection:
        return holds.holds(connection, small.hub.catalogue)


def released(small: SmallHub, transfer: int | None = None) -> None:
    release(small.hub, str(transfer or held(small)[0].number), HOW)
    assert held(small) == []


def filled(small: SmallHub, rows: int = 100, bad: int = 0) -> None:
    small.insert([(f"K{n:03}", "x" if n < bad else "1", AT) for n in range(rows)])


@pytest.mark.case(
    "value-4", "most rows rejected, on the first load: held, told everywhere, released"
)
def test_a_rejected_chunk_is_held(small: SmallHub) -> None:
    small.table()
    filled(small, 100, bad=60)
    code, said = small.onecard("collect", DATASET)
    assert code == 3
    assert "is held: rejected_share (60 of 100 new rows were rejected: type of amount 60)" in said
    assert small.ask("SELECT to_regclass('registry.hrss__small')::text") == [(None,)]
    assert small.records() == []
    (hold,) = held(small)
    assert (hold.findings, hold.releasable) == (("rejected_share",), True)
    with database.connect(small.hub_url, autocommit=True) as connection:
        told = [i.subject for i in attention.issues(connection, small.hub) if i.kind == "held"]
    assert told == [DATASET]
    pages = [
        write_report(small.hub),
        *write_daily(small.hub, small.hub.settings.now().date(), ["hrss"]),
    ]
    for page in pages:
        assert hold.release in page.read_text(encoding="utf-8"), page
    code, said = small.onecard("release", DATASET, "--by", HOW.by, "--reason", HOW.reason)
    assert code == 0, said
    assert len(small.amounts()) == 40
    assert len(small.records()) == 60
    assert small.collect().counts.quarantined == 60, "what a person has let pass is known"


@pytest.mark.case("value-4", "half of the rows pass, one more does not, few say nothing")
@pytest.mark.parametrize(
    ("rows", "bad", "passes"),
    [(100, 50, True), (100, 51, False), (19, 19, True), (20, 20, False), (20, 11, False)],
)
def test_where_the_limit_lies(small: SmallHub, rows: int, bad: int, *, passes: bool) -> None:
    small.table()
    filled(small, rows, bad)
    if passes:
        assert small.collect().counts.quarantined == bad
    else:
        with pytest.raises(AuditFailed, match="is held: rejected_share"):
            small.collect()


@pytest.mark.case("value-4", "a rule that rejected nobody before rejects the next increment")
def test_an_increment_that_is_rejected_is_held(small: SmallHub) -> None:
    small.table(cursor=True)
    filled(small)
    small.collect()
    small.insert([(f"N{n}", "x", NEW) for n in range(30)])
    with pytest.raises(AuditFailed, match=r"30 of \d+ new rows were rejected: type of amount 30"):
        small.collect()
    small.agency("UPDATE small SET amount = '2' WHERE code LIKE 'N%%'")
    assert small.collect().counts.published == 30
    assert held(small) == []


@pytest.mark.case("value-4", "half of the table breaks today, the other half tomorrow")
def test_known_rows_do_not_dilute_new_ones(small: SmallHub) -> None:
    small.table()
    filled(small, 100, bad=45)
    assert small.collect().counts.quarantined == 45
    small.agency("UPDATE small SET amount = 'y' WHERE code BETWEEN 'K050' AND 'K094'")
    with pytest.raises(AuditFailed, match="45 of 55 new rows were rejected"):
        small.collect()


@pytest.mark.case("value-4", "a contract may ask for less, and says why; another limit holds")
def test_a_contract_has_its_own_limit(small: SmallHub) -> None:
    own = {
        "name": "mostly_right",
        "description": "多数行合格",
        "type": "custom",
        "engine": "onecard",
        "dimension": "conformity",
        "severity": "critical",
        "implementation": {"check": "rejected_share", "max_share": 0.1, "at_least": 5},
    }
    small.table(quality=[own])
    filled(small, 10, bad=2)
    with pytest.raises(AuditFailed, match=r"is held: mostly_right \(2 of 10 new rows"):
        small.collect()
    code, said = small.onecard("lint", str(small.home / "schemas"))
    assert "rule.relaxed" not in said
    own["implementation"] = {"check": "rejected_share", "max_share": 0.9}
    small.table(quality=[own])
    code, said = small.onecard("lint", str(small.home / "schemas"))
    assert (code, "rule.relaxed" in said, "say in `reason`" in said) == (1, True, True)


@pytest.mark.case("older-3", "times set back a year, then one new row: held until all is read")
@pytest.mark.parametrize("same_night", [False, True])
def test_times_that_are_set_back(small: SmallHub, *, same_night: bool) -> None:
    small.table(cursor=True)
    filled(small)
    small.collect()
    small.agency("UPDATE small SET amount = '2', updated = updated - interval '1 year'")
    if not same_night:
        with pytest.raises(AuditFailed, match="is held: shrinkage"):
            small.collect()
    small.insert([("NEW", "3", NEW)])
    for _ in range(2):
        with pytest.raises(AuditFailed, match="is held: shrinkage"):
            small.collect()
        (hold,) = held(small)
        assert f"`onecard reconcile {DATASET}` shows rows whose times were set back" in hold.todo
    with pytest.raises(AuditFailed, match="is held: shrinkage"):
        small.collect(whole=True)
    assert set(small.amounts().values()) == {"1.00"}
    code, said = small.onecard(
        *("reconcile", DATASET, "--accept-older", "all", "--by", HOW.by, "--reason", HOW.reason)
    )
    assert code == 0, said
    small.collect()
    assert held(small) == []
    assert small.amounts() == {**{f"K{n:03}": "2.00" for n in range(100)}, "NEW": "3.00"}
    assert small.collect().counts.published == 0


@pytest.mark.case("older-3", "the old rows are there again: the hold ends by itself")
def test_times_that_are_put_right(small: SmallHub) -> None:
    small.table(cursor=True)
    filled(small)
    small.collect()
    small.agency("UPDATE small SET updated = updated - interval '1 year'")
    with pytest.raises(AuditFailed):
        small.collect()
    small.agency("UPDATE small SET updated = updated + interval '1 year'")
    small.insert([("NEW", "3", NEW)])
    assert small.collect().counts.published == 1
    assert held(small) == []


@pytest.mark.case("older-3", "a person decides: released, and the next nights are as usual")
def test_times_that_a_person_believes(small: SmallHub) -> None:
    small.table(cursor=True)
    filled(small)
    small.collect()
    small.agency("UPDATE small SET updated = updated - interval '1 year'")
    with pytest.raises(AuditFailed):
        small.collect()
    small.insert([("NEW", "3", NEW)])
    with pytest.raises(AuditFailed):
        small.collect()
    released(small)
    assert small.amounts()["NEW"] == "3.00"
    assert small.collect().counts.published == 0
    assert held(small) == []


@pytest.mark.case("older-3", "a reading that fails decides nothing, and takes the rows away")
def test_a_failure_does_not_end_a_hold(small: SmallHub) -> None:
    small.table()
    filled(small, 40, bad=30)
    with pytest.raises(AuditFailed):
        small.collect()
    small.agency("ALTER TABLE small RENAME TO elsewhere")
    with pytest.raises(OnecardError):
        small.collect()
    (hold,) = held(small)
    assert (hold.number, hold.overtaken, hold.releasable) == (1, 2, False)
    assert f"`onecard collect {DATASET}` reads it again" in hold.todo
    assert "已被之后失败的传输取代" in write_report(small.hub).read_text(encoding="utf-8")
    small.agency("ALTER TABLE elsewhere RENAME TO small")
    with pytest.raises(AuditFailed, match="is held: rejected_share"):
        small.collect()
    released(small, 3)


@pytest.mark.case("older-3", "the file whose rows were rejected is gone: still a person decides")
def test_a_reading_that_says_nothing_does_not_end_a_hold(small: SmallHub) -> None:
    small.files()
    small.put("01.csv", [("K1", "1", AT)])
    small.collect()
    small.put("02.csv", [(f"A{n}", "x", AT) for n in range(30)])
    with pytest.raises(AuditFailed):
        small.collect()
    (small.home / "files" / "in" / "02.csv").unlink()
    with pytest.raises(AuditFailed, match="is held: rejected_share"):
        small.collect()
    small.put("03.csv", [("K2", "2", AT)])
    assert small.collect().counts.published == 1, "read, and nothing of it was rejected"
    assert held(small) == []


@pytest.mark.case("older-3", "a halved source is held also by increments that cannot count it")
def test_a_halved_source_stays_held(small: SmallHub) -> None:
    small.table(cursor=True)
    source = {
        "connector": "sql",
        "connection": "small_db",
        "cursor": "updated",
        "options": {"table": "small", "count": False},
    }
    small.write(source)
    filled(small)
    small.collect()
    small.agency("DELETE FROM small WHERE code >= 'K040'")
    with pytest.raises(AuditFailed, match="is held: shrinkage"):
        small.collect(whole=True)
    small.insert([("NEW", "3", NEW)])
    with pytest.raises(AuditFailed, match="is held: shrinkage"):
        small.collect()
    small.agency("INSERT INTO small SELECT 'K' || lpad(n::text, 3, '0'), '1', %s FROM"
                 " generate_series(40, 99) n", AT)  # fmt: skip
    assert small.collect().counts.published == 1
    assert held(small) == []


@pytest.mark.case("older-3", "two different holds, one after the other, each released for itself")
def test_a_second_hold_after_the_first(small: SmallHub) -> None:
    small.table(cursor=True)
    filled(small)
    small.collect()
    small.insert([(f"N{n}", "x", NEW) for n in range(300)])
    with pytest.raises(AuditFailed, match="rejected_share"):
        small.collect()
    small.agency("TRUNCATE small")
    with pytest.raises(AuditFailed, match="is held: shrinkage, rejected_share"):
        small.collect()
    (hold,) = held(small)
    assert set(hold.findings) == {"shrinkage", "rejected_share"}
    released(small)
