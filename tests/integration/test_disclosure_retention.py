"""Retention: each table has one, and with the clock moved what is too old goes (ADR 0012)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psycopg
import pytest
from typer.testing import CliRunner

from onecard.base.settings import Settings
from onecard.cli.app import app
from onecard.crypto import keys
from onecard.crypto.audit_format import canonical_json
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.errors import PolicyError
from onecard.operations.housekeeping import expire, keep_house
from onecard.store import (
    audit,
    database,
    disclosures,
    expiry,
    locks,
    migrate,
    months,
    retention,
    transfers,
)
from tests.unit.test_repository import ROOT

NOW = datetime(2031, 5, 17, 2, tzinfo=UTC)
EDGE = date(2028, 5, 1)
"""First day that is kept."""
OLD, YOUNG = EDGE - timedelta(days=1), EDGE


@pytest.fixture
def address(private_database: str) -> str:
    """A hub with disclosures of months around the edge of the retention."""
    migrate.upgrade(private_database)
    with database.connect(private_database, autocommit=True) as connection:
        transfer = transfers.open_transfer(connection, "deliver", "f01", "1", NOW)
        for month in (date(2027, 12, 1), date(2028, 4, 30), date(2028, 5, 1), date(2031, 5, 17)):
            recorder = disclosures.Recorder(connection, transfer, month)
            recorder.add(np.array([month.toordinal()], np.uint64))
            recorder.flush()
    return private_database


def desk(address: str, home: Path, now: datetime = NOW) -> Any:
    """A desk with a signing key, and the clock at a moment."""
    file = home / "keys.json"
    if not file.exists():
        keys.create(file, ["bank"], "2026")
    settings = Settings(home=home, keys_file=file, fixed_now=now)
    catalogue = SimpleNamespace(contracts={}, agreements={})
    signer = Signer("international", KeyStore(file))
    return SimpleNamespace(address=address, settings=settings, signer=signer, catalogue=catalogue)


def months_of(address: str) -> list[date]:
    with database.connect(address, autocommit=True) as connection:
        return database.scalars(
            connection, date, "SELECT DISTINCT month FROM ledger.disclosure ORDER BY 1"
        )


def expired(address: str, now: datetime) -> tuple[str, ...]:
    with database.connect(address, autocommit=True) as connection:
        return expiry.expire(connection, now).months


def test_months_that_are_wholly_older_than_three_years_go(address: str) -> None:
    assert expired(address, NOW) == ("disclosure_2027_12", "disclosure_2028_04")
    assert months_of(address) == [date(2028, 5, 1), date(2031, 5, 1)]


def test_a_second_run_finds_nothing_and_a_day_before_nothing_more(address: str) -> None:
    april = datetime(2031, 4, 30, 2, tzinfo=UTC)
    assert expired(address, april) == ("disclosure_2027_12",)
    assert expired(address, april) == ()
    assert expired(address, datetime(2031, 5, 1, tzinfo=UTC)) == ("disclosure_2028_04",)


def test_a_leap_day_has_a_day_three_years_ago(address: str) -> None:
    assert expired(address, datetime(2032, 2, 29, 2, tzinfo=UTC)) == (
        "disclosure_2027_12",
        "disclosure_2028_04",
        "disclosure_2028_05",
    )


# --- every table


def test_every_table_of_the_hub_has_a_retention(address: str) -> None:
    with database.connect(address, autocommit=True) as connection:
        there = database.scalars(
            connection,
            str,
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
        )
    known = {entry.name for entry in retention.TABLES}
    assert len(known) == len(retention.TABLES), "each table stands once"
    assert set(there) - known == set(), "say in onecard/store/retention.py how long they are kept"
    assert {n for n in known if not n.endswith("*")} - set(there) == set(), "no such tables"
    assert retention.of("registry.hrss__card_master") == retention.of("registry.*")
    assert retention.of("nowhere.x") is None


NOTICE = (
    "WITH v AS (SELECT %s::timestamptz AS at), t AS (INSERT INTO ledger.ticket (agency, opened_for,"
    " opened_by, kind, dataset, field, rule, statement, opened_at, due_on, clock) SELECT 'a', 'b',"
    " 'p', 'finding', 'd', 'f', 'r', 's', at, at::date, 'holidays' FROM v RETURNING id),"
    " n AS (INSERT INTO ledger.ticket_notice (ticket, kind, due_on, made_at)"
    " SELECT id, 'overdue', at::date, at FROM t, v RETURNING id)"
)
"""A notice of a ticket."""
ROWS = {
    "ledger.disclosure_delay": (
        "INSERT INTO ledger.disclosure_delay (agreement, case_no, until, basis, actor)"
        " VALUES ('f09', 'c', %s, 'b', 'a')"
    ),
    "ledger.lane_disclosure": (
        "INSERT INTO ledger.lane_disclosure (agreement, month, bucket, first, entries)"
        " VALUES ('f01', date_trunc('month', %s::date), 1, 1, '')"
    ),
    "ledger.operator_suspension": (
        "INSERT INTO ledger.operator_suspension (agency, caller, operator, rule, at, until, number,"
        " allowed, agreements, line) VALUES ('a', 'c', 'o', 'order', '2020-01-01', %s, 2, 1, '{}', 1)"
    ),
    "ledger.question_call": (
        "INSERT INTO ledger.question_call (caller, rid, at, request_id, repeated)"
        " VALUES ('c', md5(random()::text), %s, 'r', false)"
    ),
    "ledger.question_count": (
        "INSERT INTO ledger.question_count (scope, name, since, span, calls)"
        " VALUES ('s', 'n', extract(epoch FROM %s::timestamptz)::bigint - 3600, 3600, 1)"
    ),
    "ledger.question_group": (
        "INSERT INTO ledger.question_group (month, size, statement, suite, key_epoch, signature)"
        " VALUES (date_trunc('month', %s::date), 1, '{}', 'international', '2026', '')"
    ),
    "ledger.question_refusal": "INSERT INTO ledger.question_refusal VALUES (%s, 'c', 'f09', '61', 1)",
    "ledger.question_time": (
        "INSERT INTO ledger.question_time (since, agreement, caller, found, at_most_ms, calls)"
        " VALUES (%s, 'f09', 'c', false, 100, 1)"
    ),
    "ledger.question_watch": (
        "INSERT INTO ledger.question_watch (at, agreement, caller, operator, person, series,"
        " answered) VALUES (%s, 'f09', 'c', 'o', '', '', true)"
    ),
    "ledger.ticket_notice": f"{NOTICE} SELECT id FROM n",
    "ledger.ticket_told": (
        f"{NOTICE} INSERT INTO ledger.ticket_told (notice, receiver, told_at)"
        " SELECT id, 'r', at FROM n, v"
    ),
    "ledger.upload": (
        "INSERT INTO ledger.upload (dataset, upload, caller, digest, length, state, opened_at,"
        " ended_at) VALUES ('d', gen_random_uuid(), 'c', decode(repeat('0', 64), 'hex'), 1,"
        " 'refused', '2020-01-01', %s)"
    ),
}
"""A row of each table that housekeeping drops from, whose age is told by the one value."""


def fill(connection: psycopg.Connection[Any], name: str, at: date | datetime) -> None:
    """A row of that age."""
    if name in ("ledger.disclosure", "ledger.question"):
        return  # by the month, above and below
    connection.execute(ROWS[name].encode(), (at,))


def count(connection: psycopg.Connection[Any], name: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone()
    assert row
    return int(row[0])


@pytest.mark.parametrize("entry", [e for e in retention.TABLES if e.age], ids=lambda e: e.name)
def test_with_the_clock_moved_the_old_row_goes_and_the_young_one_stays(
    address: str, tmp_path: Path, entry: retention.Retention
) -> None:
    if entry.age is not None and entry.age.by_month:
        with database.connect(address, autocommit=True) as connection:
            for day in (OLD, YOUNG):
                months.make(connection, entry.name.partition(".")[2], months.first_of(day))
            keep_house(desk(address, tmp_path))
            kept = database.scalars(
                connection,
                str,
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = to_regclass(%s)",
                (entry.name,),
            )
        name = entry.name.partition(".")[2]
        assert f"{name}_2028_04" not in kept
        assert f"{name}_2028_05" in kept
        return
    assert entry.age is not None
    old: date | datetime = OLD
    young: date | datetime = YOUNG
    if entry.age.kept is not None:
        old, young = NOW - entry.age.kept - timedelta(seconds=1), NOW - entry.age.kept
    with psycopg.connect(address, autocommit=True) as connection:
        fill(connection, entry.name, old)
        fill(connection, entry.name, young)
        assert count(connection, entry.name) == 2
        keep_house(desk(address, tmp_path))
        assert count(connection, entry.name) == 1
        keep_house(desk(address, tmp_path, NOW.replace(year=2036)))
        assert count(connection, entry.name) == 0


def test_the_page_says_what_the_module_says() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_retention.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "run tools/make_retention.py"


# --- receipts


def test_what_is_dropped_has_a_receipt_that_holds(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = desk(address, tmp_path)
    with psycopg.connect(address, autocommit=True) as connection:
        fill(connection, "ledger.lane_disclosure", OLD)
        fill(connection, "ledger.disclosure_delay", OLD)
    done = keep_house(hub)
    assert (done.expired_months, done.expired_rows) == (2, 4)
    assert keep_house(hub).expired_rows == 0
    with database.connect(address, autocommit=True) as connection:
        (receipt,) = expiry.receipts(connection, 10)
    body = json.loads(receipt.body)
    assert body["months"] == ["disclosure_2027_12", "disclosure_2028_04"]
    assert body["before"] == EDGE.isoformat()
    assert body["rows"] == {
        "ledger.disclosure": 2,
        "ledger.disclosure_delay": 1,
        "ledger.lane_disclosure": 1,
    }
    assert receipt.holds(hub.signer)
    forged = canonical_json({**body, "rows": {"ledger.disclosure": 1}})
    assert not expiry.ExpiryReceipt(receipt.seq, receipt.at, forged).holds(hub.signer)
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path))
    monkeypatch.setenv("ONECARD_KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("ONECARD_DATABASE_URL", address)
    shown = CliRunner().invoke(app, ["receipts", "expired", "--json"])
    assert shown.exit_code == 0, shown.output
    (line,) = json.loads(shown.stdout)["receipts"]
    assert (line["signature"], line["receipt"]) == ("valid", body)
    assert CliRunner().invoke(app, ["receipts", "expired"]).exit_code == 0


def test_without_a_key_for_the_receipt_nothing_is_dropped(address: str, tmp_path: Path) -> None:
    hub = desk(address, tmp_path)
    hub.signer = Signer("international", KeyStore(tmp_path / "none.json"))
    with (
        database.connect(address, autocommit=True) as connection,
        pytest.raises(PolicyError, match="key file"),
    ):
        expire(hub, connection)
    assert len(months_of(address)) == 4


# --- two at once


def waits(address: str) -> bool:
    with database.connect(address, autocommit=True) as connection:
        return database.one_scalar(
            connection,
            bool,
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database())",
        )


def until_one_waits(address: str) -> None:
    end = time.monotonic() + 60
    while not waits(address):
        assert time.monotonic() < end, "nobody waits"
        time.sleep(0.02)


def test_who_folds_and_who_drops_a_month_take_turns(address: str, tmp_path: Path) -> None:
    hub = desk(address, tmp_path)

    def run() -> int:
        with database.connect(address, autocommit=True) as connection:
            return len(expire(hub, connection).months)

    with database.connect(address, autocommit=True) as folds, ThreadPoolExecutor(1) as beside:
        with folds.transaction():
            locks.hold_in_transaction(folds, locks.Kind.FOLDING)
            folds.execute("DELETE FROM ledger.disclosure WHERE part < 0")
            dropped = beside.submit(run)
            until_one_waits(address)
            audit.append(folds, "transfers.folded", "hrss/card_status_event", "test", {})
        assert dropped.result() == 2


def test_a_second_housekeeping_waits_for_the_first(address: str, tmp_path: Path) -> None:
    hub = desk(address, tmp_path)
    with ThreadPoolExecutor(2) as beside:
        with database.connect(address, autocommit=True) as first:
            locks.hold(first, locks.Kind.HOUSEKEEPING, "")
            both = [beside.submit(keep_house, hub) for _ in range(2)]
            until_one_waits(address)
            assert not any(done.done() for done in both)
            assert len(months_of(address)) == 4
        assert sorted(done.result().expired_months for done in both) == [0, 2]
