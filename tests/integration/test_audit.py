"""Both audit engines on PostgreSQL: every kind of expectation, passing and failing, found alike."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from onecard.errors import FatalError, OnecardError
from onecard.ports.auditor import Auditor, Behind, Finding, Staged
from onecard.store import database
from quality.datasets import sql_audit
from quality.datasets.gx_audit import GxAuditor
from quality.datasets.invariants import invariants
from quality.datasets.sql_audit import SqlAuditor
from schemas.models import catalogue
from schemas.models.contract import Contract
from schemas.models.dataset_checks import Expectation

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
CANARY = "11010519491231002X"
EXPECTATIONS: dict[str, dict[str, Any]] = {
    "volume": {"check": "volume", "min_ratio": 0.5, "max_ratio": 2.0},
    "filled": {"check": "completeness", "field": "mobile", "min": 0.9},
    "key_filled": {"check": "completeness", "field": "person", "min": 1.0},
    "codes": {"check": "distribution", "field": "status", "max_shift": 0.2},
}
ENGINES: dict[str, Auditor] = {"sql": SqlAuditor(), "gx": GxAuditor()}


@pytest.fixture(scope="module")
def address(quick_postgres: str) -> Iterator[str]:
    name = f"t_{os.urandom(6).hex()}"
    made = database.create_database(quick_postgres, name)
    with psycopg.connect(made, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA staging")
        connection.execute("CREATE SCHEMA registry")
    yield made
    database.drop_database(quick_postgres, name)


def contract(key: tuple[str, ...] = ("person", "item")) -> Contract:
    fields = [
        {
            "name": name,
            "title": name,
            "native": name,
            "type": "string",
            "semantic": "text",
            "level": "L1",
            "pii": "NONE",
            "required": name in key,
            "key_position": key.index(name) + 1 if name in key else None,
        }
        for name in ("person", "item", "status", "mobile")
    ]
    return Contract.model_validate(
        {
            "id": "hrss/made",
            "version": "1.0.0",
            "title": "t",
            "description": "d",
            "status": "active",
            "freshness": "PT24H",
            "fields": fields,
            "source": {"connector": "sql", "connection": "made"},
            "expectations": [
                {"name": name, "title": name, "dimension": "accuracy", "check": check}
                for name, check in EXPECTATIONS.items()
            ],
        }
    )


Row = tuple[str, str, str | None, str | None]


def rows(statuses: str, missing: int = 0) -> list[Row]:
    """One row per status letter (`-` is NULL); the first `missing` have no mobile."""
    return [
        (f"{CANARY}{i}", "a", None if s == "-" else s, None if i < missing else "13812345678")
        for i, s in enumerate(statuses)
    ]


def stage(
    address: str, staged: list[Row], published: list[Row] | None = None, key: str = ""
) -> None:
    body = "(person text, item text, status text, mobile text"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute('DROP TABLE IF EXISTS staging."hrss__made__1", registry.hrss__made')
        connection.execute(f'CREATE TABLE staging."hrss__made__1" {body}{key})')
        with connection.cursor() as cursor:
            cursor.executemany('INSERT INTO staging."hrss__made__1" VALUES (%s,%s,%s,%s)', staged)
            if published is not None:
                cursor.execute(f"CREATE TABLE registry.hrss__made {body}, _deleted_at timestamptz)")
                cursor.executemany(
                    "INSERT INTO registry.hrss__made VALUES (%s,%s,%s,%s,NULL)", published
                )


def both(
    address: str,
    *,
    read: int = 100,
    history: tuple[int, ...] = (),
    published: bool = False,
    made: Contract | None = None,
    **more: Any,
) -> dict[str, Finding]:
    """The findings of both engines, which must agree."""
    url = database.sqlalchemy_url(address)
    what = made or contract()
    staged = Staged(url, what, "hrss__made__1", read, history, published, NOW, **more)
    by_sql, by_gx = (engine.audit(staged) for engine in ENGINES.values())
    assert by_sql == by_gx
    assert [f.name for f in by_sql] == [
        "key_unique",
        *(e.name for e in staged.contract.expectations),
    ]
    return {f.name: f for f in by_sql}


def observed(found: dict[str, Finding], name: str) -> tuple[bool, float | None]:
    return found[name].passed, found[name].observed


def test_everything_in_order(address: str) -> None:
    stage(address, rows("1" * 60 + "2" * 40), rows("1" * 50 + "2" * 50))
    found = both(address, history=(100, 90, 110), published=True)
    assert all(f.passed for f in found.values())
    assert observed(found, "volume") == (True, 1.0)
    assert observed(found, "filled") == (True, 1.0)
    assert found["codes"].observed == pytest.approx(0.1)
    assert found["codes"].field == "status"
    assert observed(found, "key_unique") == (True, 0.0)


@pytest.mark.parametrize(
    ("read", "history", "expected"),
    [
        (100, (), (True, None)),
        (100, (0, 0), (True, None)),
        (50, (100,), (True, 0.5)),
        (49, (100,), (False, 0.49)),
        (200, (100,), (True, 2.0)),
        (201, (100,), (False, 2.01)),
        (0, (100, 90, 95), (False, 0.0)),
        (100, (1, 40, 60, 1000), (True, 2.0)),
    ],
)
def test_volume(address: str, read: int, history: tuple[int, ...], expected: object) -> None:
    stage(address, rows("1"))
    assert observed(both(address, read=read, history=history), "volume") == expected


SHRUNK = Expectation(
    name="shrunk", title="来源未骤减", dimension="coverage", check={"check": "shrinkage"}
)


@pytest.mark.parametrize(
    ("there", "before", "expected"),
    [
        (0, (), (True, None)),
        (50, (100, 100, 99), (False, 0.5)),
        (51, (100, 100, 99), (True, 0.51)),
        (0, (100,), (False, 0.0)),
        (900, (100,), (True, 9.0)),
        (None, (100,), (True, None)),
    ],
)
def test_a_source_that_has_shrunk(
    address: str, there: int | None, before: tuple[int, ...], expected: object
) -> None:
    stage(address, rows("1"))
    made = contract().model_copy(update={"expectations": (SHRUNK,)})
    found = both(address, made=made, rows_there=there, there_before=before)
    assert observed(found, "shrunk") == expected


@pytest.mark.parametrize(
    ("read", "before", "cursor", "expected"),
    [
        (0, 5, "mobile", (False, 0.0)),
        (0, 0, "mobile", (True, None)),  # as empty as the last time: released, or the first one
        (1, 100, "mobile", (True, None)),  # the size of an increment says nothing
        (0, 5, None, (True, None)),  # no new file
    ],
)
def test_an_increment_that_is_empty(
    address: str, read: int, before: int, cursor: str | None, expected: object
) -> None:
    stage(address, rows("1"))
    source = contract().source.model_copy(update={"cursor": cursor})
    made = contract().model_copy(update={"expectations": (SHRUNK,), "source": source})
    found = both(address, read=read, history=(100,), made=made, rows_before=before)
    assert observed(found, "shrunk") == expected


MOSTLY = Expectation(
    name="mostly", title="多数合格", dimension="conformity", check={"check": "rejected_share"}
)


@pytest.mark.parametrize(
    ("read", "rejected", "known", "again", "pending", "expected"),
    [
        (100, 50, 0, 0, False, (True, 0.5)),
        (100, 51, 0, 0, False, (False, 0.51)),
        (19, 19, 0, 0, False, (True, None)),
        (19, 19, 0, 0, True, (False, 1.0)),
        (0, 0, 0, 0, True, (True, None)),
        (100, 45, 45, 0, False, (False, 45 / 55)),
        (130, 30, 0, 100, False, (False, 1.0)),
        (100, 0, 100, 0, False, (True, None)),
    ],
)
@pytest.mark.case("value-4", "both engines measure the share among what is news")
def test_a_share_of_rejected_rows(
    address: str,
    read: int,
    rejected: int,
    known: int,
    again: int,
    expected: object,
    *,
    pending: bool,
) -> None:
    stage(address, rows("1"))
    made = contract().model_copy(update={"expectations": (MOSTLY,)})
    more = {"rejected": rejected, "rejected_known": known, "rows_again": again}
    names = frozenset({"mostly"} if pending else ())
    found = both(address, read=read, made=made, pending=names, **more)
    assert observed(found, "mostly") == expected


@pytest.mark.parametrize(
    ("behind", "pending", "expected"),
    [
        (Behind(100, 0), False, (False, 0.0)),
        (Behind(1, 0), False, (True, None)),  # its agency may have deleted it
        (Behind(100, 40), False, (True, None)),
        (Behind(100, 40), True, (False, 0.4)),
        (Behind(100, 60), True, (True, 0.6)),
    ],
)
@pytest.mark.case("older-3", "rows behind a watermark that are not given again")
def test_rows_behind_the_watermark(
    address: str, behind: Behind, expected: object, *, pending: bool
) -> None:
    stage(address, rows("1"))
    source = contract().source.model_copy(update={"cursor": "mobile"})
    made = contract().model_copy(update={"expectations": (SHRUNK,), "source": source})
    names = frozenset({"shrunk"} if pending else ())
    found = both(address, read=1, made=made, rows_before=9, behind=behind, pending=names)
    assert observed(found, "shrunk") == expected


@pytest.mark.parametrize(
    ("missing", "expected"), [(0, (True, 1.0)), (10, (True, 0.9)), (11, (False, 0.89))]
)
def test_completeness(address: str, missing: int, expected: object) -> None:
    stage(address, rows("1" * 100, missing))
    assert observed(both(address), "filled") == expected


@pytest.mark.parametrize(
    ("staged", "published", "expected"),
    [
        ("1" * 100, "1" * 80 + "2" * 20, (True, 0.2)),
        ("1" * 100, "1" * 75 + "2" * 25, (False, 0.25)),
        ("1" * 75 + "3" * 25, "1" * 100, (False, 0.25)),
        ("1" * 50 + "-" * 50, "1" * 50 + "-" * 50, (True, 0.0)),
        ("1" * 50 + "-" * 50, "1" * 100, (False, 0.5)),
        ("1" * 99, "2" * 100, (True, None)),
        ("1" * 100, "", (True, None)),
        ("1" * 100, None, (True, None)),
    ],
)
def test_distribution(address: str, staged: str, published: str | None, expected: Any) -> None:
    stage(address, rows(staged), None if published is None else rows(published))
    found = both(address, published=published is not None)
    passed, shift = observed(found, "codes")
    assert (passed, shift) == (expected[0], pytest.approx(expected[1]) if shift else expected[1])


def test_deleted_rows_are_not_what_is_published(address: str) -> None:
    stage(address, rows("1" * 100), rows("1" * 100 + "2" * 100))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("UPDATE registry.hrss__made SET _deleted_at = now() WHERE status = '2'")
    assert observed(both(address, published=True), "codes") == (True, 0.0)


def test_repeated_keys(address: str) -> None:
    stage(address, [*rows("111"), *rows("22")])
    found = both(address)
    assert observed(found, "key_unique") == (False, 4.0)
    assert found["key_unique"].severity == "critical"


def test_a_key_of_one_column(address: str) -> None:
    made = contract(("person",))
    stage(address, [*rows("111"), *rows("2")])
    assert observed(both(address, made=made), "key_unique") == (False, 2.0)
    stage(address, rows("111"))
    assert observed(both(address, made=made), "key_unique") == (True, 0.0)


def test_only_a_primary_key_on_the_same_columns_proves_uniqueness(address: str) -> None:
    stage(address, rows("111"), key=", PRIMARY KEY (item, person)")
    assert observed(both(address), "key_unique") == (True, 0.0)
    other = [("p", "a", "1", str(i)) for i in range(3)]
    stage(address, other, key=", PRIMARY KEY (mobile)")
    assert observed(both(address), "key_unique") == (False, 3.0)


def test_an_empty_table_passes(address: str) -> None:
    stage(address, [], rows("1"))
    found = both(address, read=0, published=True)
    assert all(f.passed for f in found.values())
    assert observed(found, "filled") == (True, None)


def test_a_contract_without_expectations(address: str) -> None:
    made = contract().model_copy(update={"expectations": ()})
    stage(address, rows("11"))
    assert list(both(address, made=made)) == ["key_unique"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_check_that_cannot_run_does_not_pass(address: str, engine: str) -> None:
    stage(address, rows("1"))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute('ALTER TABLE staging."hrss__made__1" DROP COLUMN mobile')
    staged = Staged(
        database.sqlalchemy_url(address), contract(), "hrss__made__1", 1, (), False, NOW
    )
    with pytest.raises(FatalError):
        ENGINES[engine].audit(staged)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_absent_database_is_an_error_of_the_hub(address: str, engine: str) -> None:
    url = database.sqlalchemy_url(address).rsplit("/", 1)[0] + "/no_such_database"
    with pytest.raises(OnecardError):
        ENGINES[engine].audit(Staged(url, contract(), "hrss__made__1", 1, (), False, NOW))


@pytest.mark.parametrize("engine", ENGINES)
def test_no_value_of_a_row_is_found_or_logged(
    address: str, engine: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    stage(address, [*rows("12", 2), *rows("12")])
    with caplog.at_level(logging.DEBUG):
        staged = Staged(
            database.sqlalchemy_url(address), contract(), "hrss__made__1", 4, (9,), False, NOW
        )
        found = ENGINES[engine].audit(staged)
    out, err = capfd.readouterr()
    for text in (repr(found), caplog.text, out, err):
        assert CANARY not in text
        assert "13812345678" not in text


# --- invariants between rows and between datasets

INVARIANTS: dict[str, dict[str, Any]] = {
    "same_mobile": {
        "check": "matches",
        "dataset": "hrss/other",
        "by": {"person": "holder"},
        "same": {"mobile": "phone"},
        "max_share": 0.25,
    },
    "not_there": {
        "check": "none_in",
        "dataset": "hrss/other",
        "by": {"person": "holder"},
        "where": [{"field": "status", "in": ["1"]}],
        "there": [{"field": "state", "not_in": ["9"]}],
    },
    "one_each": {
        "check": "at_most_one",
        "per": ["mobile"],
        "where": [{"field": "status", "in": ["1"]}],
    },
    "in_and_out": {
        "check": "paired",
        "field": "status",
        "first": "I",
        "second": "O",
        "per": ["person"],
        "max_share": 0.5,
    },
}


def with_invariants() -> Contract:
    made = contract().model_dump(mode="json", by_alias=True)
    made["expectations"] = [
        {"name": n, "title": n, "severity": "warning", "dimension": "consistency", "check": check}
        for n, check in INVARIANTS.items()
    ]
    return Contract.model_validate(made)


def partners(address: str, others: list[tuple[str, str | None, str]] | None) -> None:
    """The published rows of the other dataset (holder, phone, state); None: it has no table."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS registry.hrss__other")
        if others is not None:
            connection.execute(
                "CREATE TABLE registry.hrss__other"
                " (holder text, phone text, state text, _deleted_at timestamptz)"
            )
            with connection.cursor() as cursor:
                statement = "INSERT INTO registry.hrss__other VALUES (%s, %s, %s, NULL)"
                cursor.executemany(statement, others)


def invariant(
    address: str, name: str, *, published: bool = False, before: frozenset[str] = frozenset()
) -> tuple[bool, float | None]:
    made = with_invariants()
    return observed(both(address, published=published, made=made, failed_before=before), name)


@pytest.mark.parametrize(
    ("mobiles", "others", "expected"),
    [
        ("ab", None, (True, None)),
        ("ab", [], (True, None)),
        ("ab", [("p0", "a", "1"), ("p1", "b", "1")], (True, 0.0)),
        ("ab", [("p0", "a", "1"), ("p1", "x", "1")], (False, 0.5)),
        ("ab", [("p0", "a", "1"), ("p1", "x", "9"), ("p1", "b", "1")], (True, 0.0)),
        ("ab", [("p0", "a", "1"), ("p1", None, "1")], (False, 0.5)),
        ("a-", [("p0", "a", "1"), ("p1", "x", "1")], (True, 0.0)),
        ("abcd", [(f"p{i}", m, "1") for i, m in enumerate("abcx")], (True, 0.25)),
    ],
)
def test_matches(address: str, mobiles: str, others: Any, expected: object) -> None:
    stage(address, [(f"p{i}", "a", "1", None if m == "-" else m) for i, m in enumerate(mobiles)])
    partners(address, others)
    assert invariant(address, "same_mobile") == expected


@pytest.mark.parametrize(
    ("statuses", "others", "expected"),
    [
        ("11", None, (True, None)),
        ("22", [("p0", None, "1")], (True, None)),
        ("11", [], (True, 0.0)),
        ("11", [("p0", None, "1")], (False, 0.5)),
        ("11", [("p0", None, "9")], (True, 0.0)),
        ("21", [("p0", None, "1")], (True, 0.0)),
    ],
)
def test_none_in(address: str, statuses: str, others: Any, expected: object) -> None:
    stage(address, [(f"p{i}", "a", s, None) for i, s in enumerate(statuses)])
    partners(address, others)
    assert invariant(address, "not_there") == expected


def test_another_dataset_is_never_asked_row_by_row(address: str) -> None:
    """Without an index, which a first load does not make, all of it would be read for each row."""
    stage(address, [("p0", "a", "1", "a")])
    partners(address, [("p0", "x", "1")])
    url = database.sqlalchemy_url(address)
    staged = Staged(url, with_invariants(), "hrss__made__1", 1, (), published=False, now=NOW)
    with database.connect(address) as connection:
        statement = invariants(staged, connection)
        assert statement is not None
        plan = connection.execute(sql.SQL("EXPLAIN ") + statement).fetchall()
    text = "\n".join(str(line[0]) for line in plan)
    assert text.count("hrss__other") == 3
    assert "SubPlan" not in text


def test_a_deleted_partner_is_none(address: str) -> None:
    stage(address, [("p0", "a", "1", "a")])
    partners(address, [("p0", "x", "1")])
    assert invariant(address, "not_there") == (False, 1.0)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("UPDATE registry.hrss__other SET _deleted_at = now()")
    assert invariant(address, "not_there") == (True, 0.0)
    assert invariant(address, "same_mobile") == (True, None)


@pytest.mark.parametrize(
    ("staged", "published", "expected"),
    [
        ([("p", "1", "a"), ("q", "1", "b")], None, (True, 0.0)),
        ([("p", "1", "a"), ("q", "1", "a")], None, (False, 1.0)),
        ([("p", "1", "a"), ("q", "2", "a")], None, (True, 0.0)),
        ([("p", "1", "a"), ("q", "1", "b")], [("r", "1", "a")], (False, 0.5)),
        ([("p", "1", "a")], [("p", "1", "a")], (True, 0.0)),
        ([("p", "2", "a")], [("p", "1", "a"), ("q", "1", "a")], (True, 0.0)),
        ([("p", "1", "b")], [("q", "1", "a"), ("r", "1", "a")], (True, 0.0)),
        ([], None, (True, None)),
    ],
)
def test_at_most_one(address: str, staged: Any, published: Any, expected: object) -> None:
    rows_of = [
        None if side is None else [(p, "a", s, m) for p, s, m in side]
        for side in (staged, published)
    ]
    stage(address, rows_of[0] or [], rows_of[1])
    partners(address, None)
    found = invariant(address, "one_each", published=published is not None)
    assert found == expected


def test_at_most_one_that_was_found_is_found_until_it_is_mended(address: str) -> None:
    stage(address, [("p", "a", "1", "b")], [("q", "a", "1", "a"), ("r", "a", "1", "a")])
    partners(address, None)
    before = frozenset({"one_each"})
    assert invariant(address, "one_each", published=True) == (True, 0.0), "nothing touched"
    assert invariant(address, "one_each", published=True, before=before) == (False, 0.5)
    stage(address, [("r", "a", "2", "a")], [("q", "a", "1", "a"), ("r", "a", "1", "a")])
    assert invariant(address, "one_each", published=True, before=before) == (True, 0.0)


@pytest.mark.parametrize(
    ("rides", "expected"),
    [
        (["pI", "pO"], (True, 0.0)),
        (["pI", "qO"], (False, 1.0)),
        (["pI", "pO", "pI", "qO"], (True, 0.5)),
        (["pO", "pO"], (True, None)),
        (["pI", "pO", "pO", "qI", "qI"], (False, pytest.approx(2 / 3))),
    ],
)
def test_paired(address: str, rides: list[str], expected: object) -> None:
    stage(address, [(r[0], str(i), r[1], None) for i, r in enumerate(rides)])
    partners(address, None)
    assert invariant(address, "in_and_out") == expected


# --- a large registry


def test_a_distribution_looks_at_a_part_of_a_large_table(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_audit, "MOST_BLOCKS", 15)
    published = [(f"p{i}", "a", "12"[i % 2], None) for i in range(6_000)]
    stage(address, [(f"s{i}", "a", "1", None) for i in range(200)], published)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_reset()")
    found = both(address, published=True)["codes"]
    assert found.observed == pytest.approx(0.5, abs=0.02)
    with psycopg.connect(address, autocommit=True) as connection:
        statement = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'registry'"
        read = connection.execute(statement + " AND relname = 'hrss__made'").fetchone()
    assert read is not None
    assert 0 < read[0] < 2 * 6_000


# --- freshness


@pytest.mark.parametrize(
    ("hours", "passed", "observed"), [(12, True, 0.5), (24, True, 1.0), (36, False, 1.5)]
)
def test_the_newest_staged_row_is_recent(
    address: str, hours: int, passed: bool, observed: float
) -> None:
    stage(address, rows("12"))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute('ALTER TABLE staging."hrss__made__1" ADD COLUMN at timestamptz')
        newest = NOW - timedelta(hours=hours)
        older = NOW - timedelta(days=9)
        table = 'staging."hrss__made__1"'
        connection.execute(f"UPDATE {table} SET at = %s", (older,))
        connection.execute(
            f"UPDATE {table} SET at = %s WHERE ctid = (SELECT min(ctid) FROM {table})", (newest,)
        )
    check = {"check": "freshness", "field": "at", "limit": "PT24H"}
    fresh = Expectation.model_validate(
        {"name": "fresh", "title": "t", "severity": "warning", "dimension": "x", "check": check}
    )
    found = both(address, made=contract().model_copy(update={"expectations": (fresh,)}))["fresh"]
    assert (found.passed, found.observed) == (passed, pytest.approx(observed))


def test_nothing_staged_says_nothing_about_freshness(address: str) -> None:
    stage(address, [])
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute('ALTER TABLE staging."hrss__made__1" ADD COLUMN at timestamptz')
    check = {"check": "freshness", "field": "at", "limit": "PT24H"}
    fresh = Expectation.model_validate(
        {"name": "fresh", "title": "t", "severity": "warning", "dimension": "x", "check": check}
    )
    found = both(address, made=contract().model_copy(update={"expectations": (fresh,)}))["fresh"]
    assert (found.passed, found.observed) == (True, None)


def test_every_contract_whose_rows_have_a_time_has_its_freshness_checked() -> None:
    known = catalogue.load().contracts.values()
    checked = {c.id: e.check for c in known for e in c.expectations if e.name == "freshness"}
    assert len(checked) > 10
    assert checked["hrss/card_master"].limit == "PT24H"
