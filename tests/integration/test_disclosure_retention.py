"""ADR 0012: the disclosure ledger keeps three years, by month."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onecard.base.settings import Settings
from onecard.operations.housekeeping import expire_disclosures
from onecard.store import audit, database, disclosures, locks, migrate, transfers

TODAY = date(2031, 5, 17)


@pytest.fixture
def address(private_database: str) -> str:
    """A hub with disclosures of five months around the edge of the retention."""
    migrate.upgrade(private_database)
    now = datetime(2031, 5, 17, 2, tzinfo=UTC)
    with database.connect(private_database, autocommit=True) as connection:
        transfer = transfers.open_transfer(connection, "deliver", "f01", "1", now)
        for month in (date(2027, 12, 1), date(2028, 4, 30), date(2028, 5, 1), date(2031, 5, 17)):
            recorder = disclosures.Recorder(connection, transfer, month)
            recorder.add(np.array([month.toordinal()], np.uint64))
            recorder.flush()
    return private_database


def months(address: str) -> list[date]:
    with database.connect(address, autocommit=True) as connection:
        return database.scalars(
            connection, date, "SELECT DISTINCT month FROM ledger.disclosure ORDER BY 1"
        )


def test_months_that_are_wholly_older_than_three_years_go(address: str) -> None:
    with database.connect(address, autocommit=True) as connection:
        gone = disclosures.expire(connection, TODAY)
    assert gone == ["disclosure_2027_12", "disclosure_2028_04"]
    assert months(address) == [date(2028, 5, 1), date(2031, 5, 1)]


def test_a_second_run_finds_nothing_and_a_day_before_nothing_more(address: str) -> None:
    with database.connect(address, autocommit=True) as connection:
        assert disclosures.expire(connection, date(2031, 4, 30)) == ["disclosure_2027_12"]
        assert disclosures.expire(connection, date(2031, 4, 30)) == []
        assert disclosures.expire(connection, date(2031, 5, 1)) == ["disclosure_2028_04"]


def test_a_leap_day_has_a_day_three_years_ago(address: str) -> None:
    with database.connect(address, autocommit=True) as connection:
        assert disclosures.expire(connection, date(2032, 2, 29)) == [
            "disclosure_2027_12",
            "disclosure_2028_04",
            "disclosure_2028_05",
        ]


def test_who_folds_and_who_drops_a_month_take_turns(address: str, tmp_path: Path) -> None:
    now = datetime(2031, 5, 17, 2, tzinfo=UTC)
    settings = Settings(home=tmp_path, keys_file=tmp_path / "keys.json", fixed_now=now)
    desk: Any = SimpleNamespace(settings=settings)

    def expire() -> int:
        with database.connect(address, autocommit=True) as connection:
            return expire_disclosures(desk, connection)

    def waits() -> bool:
        with database.connect(address, autocommit=True) as connection:
            return database.one_scalar(
                connection,
                bool,
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database())",
            )

    with database.connect(address, autocommit=True) as folds, ThreadPoolExecutor(1) as beside:
        with folds.transaction():
            locks.hold_in_transaction(folds, locks.Kind.FOLDING)
            folds.execute("DELETE FROM ledger.disclosure WHERE part < 0")
            dropped = beside.submit(expire)
            end = time.monotonic() + 60
            while not waits() and time.monotonic() < end:
                time.sleep(0.02)
            audit.append(folds, "transfers.folded", "hrss/card_status_event", "test", {})
        assert dropped.result() == 2
