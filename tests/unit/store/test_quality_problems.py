"""Problems follow the quarantine: whatever happens to a row, its problems say the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from onecard.base.times import ZONE
from onecard.model.quality_problems import ChangedMeanwhile, KnownProblem
from onecard.store import audit, database, quality_problems, quarantine
from onecard.store.database import Connection
from onecard.store.quality_problems import Said
from tests.waiting import until

DATASET = "hrss/card_master"
NOW = datetime(2026, 11, 24, 9, tzinfo=ZONE)
REASONS = ("a required", "b type", " record.cells", "a type")


@pytest.fixture
def hub(hub_database: str) -> Iterator[Connection]:
    with database.connect(hub_database, autocommit=True) as connection:
        yield connection


OTHER = "hrss/card_status"


def transfer(
    hub: Connection, at: datetime = NOW, *, whole: bool = False, dataset: str = DATASET
) -> int:
    """A published collect; one that is whole has read all of its source."""
    row = hub.execute(
        "INSERT INTO ledger.transfer (direction, subject, status, policy_version, hub_time, whole,"
        " source_rows, rows_read, published) VALUES ('collect', %s, 'published', '1', %s, %s, 9, 9, 9)"
        " RETURNING id",
        (dataset, at, whole),
    ).fetchone()
    assert row
    return int(str(row[0]))


def counted(hub: Connection, at: datetime, rules: dict[str, int], *, whole: bool = False) -> int:
    """A collect in which rows broke rules of severity warning."""
    made = transfer(hub, at, whole=whole)
    for rule, failed in rules.items():
        hub.execute(
            "INSERT INTO ledger.rule_count VALUES (%s, 'a', %s, 'warning', %s)",
            (made, rule, failed),
        )
    quality_problems.note(hub, made)
    return made


def as_json(reasons: list[str]) -> str:
    pairs = [reason.partition(" ")[::2] for reason in reasons]
    return "[" + ",".join(f'["{field}","{rule}"]' for field, rule in pairs) + "]"


def reject(
    hub: Connection, name: str, reasons: list[str], at: datetime = NOW, dataset: str = DATASET
) -> int:
    """A row of a source that is rejected, or rejected again."""
    made = transfer(hub, at, dataset=dataset)
    row = hub.execute(
        "INSERT INTO quarantine.record AS r (dataset, fingerprint, origin, row_number, reasons,"
        " payload, key_epoch, first_transfer, last_transfer, first_seen, last_seen)"
        " VALUES (%s, %s, 'o', 1, %s, 'x', '2026', %s, %s, %s, %s)"
        " ON CONFLICT (dataset, fingerprint) DO UPDATE SET reasons = excluded.reasons,"
        " status = 'held', last_seen = excluded.last_seen, ended_by = NULL RETURNING id",
        (dataset, name.encode(), as_json(reasons), made, made, at, at),
    ).fetchone()
    assert row
    return int(str(row[0]))


def end(hub: Connection, record: int, status: str = "mended", at: datetime = NOW) -> int:
    made = transfer(hub, at)
    statement = "UPDATE quarantine.record SET status = %s, ended_by = %s WHERE id = %s"
    hub.execute(statement, (status, made, record))
    return made


def one(hub: Connection, name: str, dataset: str = DATASET) -> KnownProblem:
    field, _, rule = name.partition(" ")
    found = quality_problems.of_datasets(hub, [dataset])
    return next(p for p in found if (p.field, p.rule) == (field, rule))


def recounted(hub: Connection) -> dict[str, int]:
    """Open rows of each problem, counted from the rows themselves."""
    rows = hub.execute(
        "SELECT x ->> 0, x ->> 1 FROM quarantine.record r, jsonb_array_elements(reasons) x"
        " WHERE agreement IS NULL AND status IN ('held', 'purged')"
    ).fetchall()
    return dict(Counter(f"{field} {rule}" for field, rule in rows))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_open_rows_are_what_stands_in_quarantine(
    hub: Connection, seed: int
) -> None:
    chance = random.Random(seed)
    known: dict[str, int] = {}
    for step in range(60):
        at = NOW + timedelta(hours=step)
        name = f"row {chance.randrange(8)}"
        what = chance.randrange(5)
        if what <= 1 or name not in known:
            reasons = sorted(chance.sample(REASONS, chance.randrange(1, 4)))
            known[name] = reject(hub, name, reasons, at)
        elif what == 2:
            end(hub, known[name], chance.choice(["mended", "gone", "superseded", "replayed"]), at)
        elif what == 3:
            purge = "UPDATE quarantine.record SET status = 'purged', payload = NULL WHERE id = %s"
            hub.execute(purge + " AND status = 'held'", (known[name],))
        else:
            hub.execute("DELETE FROM quarantine.record WHERE id = %s", (known.pop(name),))
        found = quality_problems.of_datasets(hub, [DATASET])
        said = {f"{p.field} {p.rule}": p.open_rows for p in found if p.open_rows}
        assert said == recounted(hub), step
        for problem in found:
            assert (problem.ended_at is None) == (problem.open_rows > 0)
            kept = quality_problems.rows(hub, problem.id, 0, 99)
            assert len(kept) == problem.open_rows


def test_rows_under_agreements_are_no_problem_of_the_source(hub: Connection) -> None:
    record = reject(hub, "r", ["a required"])
    hub.execute("UPDATE quarantine.record SET agreement = 'f01' WHERE id = %s", (record,))
    made = transfer(hub)
    hub.execute(
        "INSERT INTO quarantine.record (dataset, fingerprint, origin, row_number, reasons, payload,"
        " key_epoch, first_transfer, last_transfer, agreement)"
        " VALUES (%s, 'y', 'o', 1, '[[\"\", \"PR-10\"]]', 'x', '2026', %s, %s, 'f01')",
        (DATASET, made, made),
    )
    assert "PR-10" not in {p.rule for p in quality_problems.of_datasets(hub, [DATASET])}


def test_a_problem_begins_ends_and_begins_anew(hub: Connection) -> None:
    first = reject(hub, "r", ["a required"])
    quality_problems.acknowledge(hub, [one(hub, "a required")], Said("li", NOW))
    ended = end(hub, first, "mended", NOW + timedelta(days=1))
    found = one(hub, "a required")
    assert (found.ended_at, found.ended_by) == (NOW + timedelta(days=1), ended)
    assert (found.times, found.open_rows, found.rows) == (1, 0, 0)
    reject(hub, "r", ["a required"], NOW + timedelta(days=2))
    again = one(hub, "a required")
    assert (again.times, again.ended_at, again.state) == (2, None, "open")
    assert again.since == NOW + timedelta(days=2)
    assert again.first_seen == NOW
    assert again.owner == "li"


def test_a_row_whose_reasons_change_neither_ends_nor_begins_what_stays(hub: Connection) -> None:
    reject(hub, "r", ["a required", "b type"])
    reject(hub, "r", ["a required"], NOW + timedelta(days=1))
    stays, ended = one(hub, "a required"), one(hub, "b type")
    assert (stays.times, stays.since, stays.open_rows) == (1, NOW, 1)
    assert (ended.open_rows, ended.ended_at is not None) == (0, True)


def test_what_was_accepted_stays_so_until_its_day_though_it_begins_anew(hub: Connection) -> None:
    record = reject(hub, "r", ["a required"])
    said = Said("li", NOW, "x", (NOW + timedelta(days=5)).date())
    quality_problems.accept(hub, [one(hub, "a required")], said)
    end(hub, record)
    record = reject(hub, "r", ["a required"], NOW + timedelta(days=3))
    assert one(hub, "a required").state == "accepted"
    end(hub, record)
    reject(hub, "r", ["a required"], NOW + timedelta(days=9))
    assert (one(hub, "a required").state, one(hub, "a required").accepted_until) == ("open", None)


def test_a_warning_ends_by_a_whole_reading_that_finds_it_no_more(hub: Connection) -> None:
    counted(hub, NOW, {"listed": 3})
    found = one(hub, "a listed")
    assert (found.severity, found.rows, found.kept, found.times) == ("warning", 3, False, 1)
    counted(hub, NOW + timedelta(days=1), {})
    assert one(hub, "a listed").ended_at is None, "an increment says nothing"
    counted(hub, NOW + timedelta(days=2), {"listed": 2}, whole=True)
    assert one(hub, "a listed").rows == 2
    ended = counted(hub, NOW + timedelta(days=3), {}, whole=True)
    assert (one(hub, "a listed").ended_by, one(hub, "a listed").rows) == (ended, 0)
    counted(hub, NOW + timedelta(days=4), {"listed": 1})
    again = one(hub, "a listed")
    assert (again.times, again.since) == (2, NOW + timedelta(days=4))


def test_days_add_up_and_weeks_are_compared(hub: Connection) -> None:
    for day, failed in ((20, 4), (9, 1), (3, 2), (3, 5), (0, 1)):
        counted(hub, NOW - timedelta(days=day), {"listed": failed})
    problem = one(hub, "a listed").id
    found = quality_problems.days(hub, [problem], NOW.date() - timedelta(days=10)).all()
    assert [(d.failed, d.rows_read) for d in found] == [(1, 9), (7, 18), (1, 9)]
    today = NOW.date()
    start, week, first = (today - timedelta(days=n) for n in (14, 7, 20))
    weeks = quality_problems.Weeks(start, week, today, first)
    (worse,) = quality_problems.worse(hub, [DATASET], weeks, 5).all()
    assert (worse.now, worse.before) == (8, 1)
    told = {
        (today - day).days: failed for day, failed in zip(worse.days, worse.failed, strict=True)
    }
    assert told == {20: 4, 9: 1, 3: 7, 0: 1}


def test_a_ledger_of_before_is_gathered_as_if_it_had_been_noted(hub: Connection) -> None:
    """The migration's own statement, over what triggers and `note` have written by themselves."""
    first = reject(hub, "r", ["a required", "b type"])
    reject(hub, "s", ["a required"], NOW + timedelta(days=1))
    counted(hub, NOW, {"listed": 2})
    counted(hub, NOW + timedelta(days=1), {"unlisted": 2})
    counted(hub, NOW + timedelta(days=2), {"listed": 1}, whole=True)
    end(hub, first, "mended", NOW + timedelta(days=3))
    before = quality_problems.of_datasets(hub, [DATASET])
    hub.execute("DELETE FROM quarantine.reason")
    hub.execute("DELETE FROM ledger.problem_day")
    hub.execute("DELETE FROM ledger.problem")
    hub.execute("SELECT ledger.gather_problems()")

    def facts(found: list[KnownProblem]) -> set[tuple[object, ...]]:
        return {
            (p.field, p.rule, p.open_rows, p.kept, p.ended_at is None, p.severity)
            for p in found
            if p.open_rows or not p.kept
        }

    assert facts(quality_problems.of_datasets(hub, [DATASET])) == facts(before)


def test_the_second_word_of_two_is_refused(hub: Connection) -> None:
    reject(hub, "r", ["a required"])
    seen = one(hub, "a required")
    quality_problems.acknowledge(hub, [seen], Said("li", NOW))
    with pytest.raises(ChangedMeanwhile, match="read it again"):
        quality_problems.acknowledge(hub, [seen], Said("wang", NOW))
    quality_problems.comment(
        hub, seen, Said("wang", NOW, "x")
    )  # a comment takes nothing from anybody
    assert one(hub, "a required").owner == "li"


def waits(hub: Connection, session: int) -> bool:
    """Whether a session waits for somebody's lock."""
    row = hub.execute("SELECT cardinality(pg_blocking_pids(%s))", (session,)).fetchone()
    return bool(row and row[0])


def test_a_word_about_several_problems_and_a_publication_wait_for_each_other_in_one_order(
    hub: Connection, hub_database: str
) -> None:
    """Else the one holds the audit log's end and wants a problem, and the other the reverse."""
    reject(hub, "r", ["a required"])
    record = reject(hub, "s", ["b type"], dataset=OTHER)
    seen = [one(hub, "a required"), one(hub, "b type", OTHER)]
    with (
        database.connect(hub_database) as publishing,
        database.connect(hub_database, autocommit=True) as speaking,
        ThreadPoolExecutor(1) as pool,
    ):
        publishing.execute(
            "UPDATE quarantine.record SET status = 'mended' WHERE id = %s", (record,)
        )
        said = pool.submit(quality_problems.acknowledge, speaking, seen, Said("li", NOW))
        until(lambda: waits(hub, speaking.info.backend_pid), "the second problem is wanted")
        audit.append(publishing, "collect.published", OTHER, "test", {})
        publishing.commit()
        with pytest.raises(ChangedMeanwhile):  # the second of them has ended by then
            said.result(timeout=30)
    assert one(hub, "a required").state == "open", "all of them or none"


def test_a_count_and_a_word_lock_problems_in_the_same_order(
    hub: Connection, hub_database: str
) -> None:
    """The names of rules are in another order than the numbers of their problems."""
    counted(hub, NOW, {"z": 1})
    counted(hub, NOW, {"b": 1})
    made = transfer(hub)
    for rule in ("b", "z"):
        hub.execute(
            "INSERT INTO ledger.rule_count VALUES (%s, 'a', %s, 'warning', 1)", (made, rule)
        )
    first, second = one(hub, "a z").id, one(hub, "a b").id
    lock = "SELECT FROM ledger.problem WHERE id = %s FOR UPDATE"
    with (
        database.connect(hub_database) as speaking,
        database.connect(hub_database) as publishing,
        ThreadPoolExecutor(1) as pool,
    ):
        speaking.execute(lock, (first,))
        noted = pool.submit(quality_problems.note, publishing, made)
        until(lambda: waits(hub, publishing.info.backend_pid), "the first problem is wanted")
        speaking.execute(lock, (second,))
        speaking.commit()
        noted.result(timeout=30)


def test_a_person_and_a_publication_that_end_the_same_row_wait_in_one_order(
    hub: Connection, hub_database: str
) -> None:
    first, second = reject(hub, "r", ["a required"]), reject(hub, "s", ["a required"])
    ended = "UPDATE quarantine.record SET status = 'gone' WHERE id = %s"

    def replayed(connection: Connection) -> None:
        with connection.transaction():
            quarantine.resolve(connection, second, "replayed", "li")

    with (
        database.connect(hub_database) as publishing,
        database.connect(hub_database, autocommit=True) as speaking,
        ThreadPoolExecutor(1) as pool,
    ):
        publishing.execute(ended, (first,))
        done = pool.submit(replayed, speaking)
        until(lambda: waits(hub, speaking.info.backend_pid), "the problem is wanted")
        publishing.execute(ended, (second,))
        publishing.commit()
        done.result(timeout=30)
    assert one(hub, "a required").ended_at is not None


def test_a_rule_that_only_warns_since_is_a_problem_as_long_as_it_is_counted(
    hub: Connection,
) -> None:
    record = reject(hub, "r", ["a listed"])
    end(hub, record, "mended", NOW + timedelta(days=1))
    assert one(hub, "a listed").ended_at is not None
    counted(hub, NOW + timedelta(days=1), {"listed": 4})
    found = one(hub, "a listed")
    assert (found.severity, found.ended_at, found.kept, found.rows) == ("warning", None, False, 4)
    counted(hub, NOW + timedelta(days=2), {}, whole=True)
    assert one(hub, "a listed").ended_at is not None
    reject(hub, "r", ["a listed"], NOW + timedelta(days=3))  # it rejects again
    counted(hub, NOW + timedelta(days=4), {"listed": 9})
    assert (one(hub, "a listed").kept, one(hub, "a listed").rows) == (True, 1)
