"""A person's disclosures: found among the consumer's deliveries, in the month in which they stand."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pytest

from onecard.base.times import ZONE
from onecard.store import database, disclosures, migrate, transfers

BUSES, BANK = "f01-hrss-transport-card-status", "f05-hrss-bank-card-event"
PERSON, OTHER, STRANGER = (bytes([n]) * 32 for n in (1, 2, 3))


def delivered(
    connection: database.Connection, agreement: str, at: datetime, on: date, *persons: bytes
) -> int:
    """A delivery that was opened at one time, and wrote its disclosures on some day."""
    transfer = transfers.open_transfer(connection, "deliver", agreement, "1.0.0", at)
    recorder = disclosures.Recorder(connection, transfer, on)
    digests = np.frombuffer(b"".join(persons), np.uint8).reshape(-1, 32)
    recorder.add(disclosures.references(digests))
    recorder.flush()
    return transfer


def of(connection: database.Connection, agreements: list[str], *persons: bytes) -> list[int]:
    return [d.transfer for d in disclosures.of_person(connection, agreements, persons)]


@pytest.mark.parametrize(
    ("at", "on"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=ZONE), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=ZONE), date(2027, 1, 1)),
        (datetime(2027, 1, 1, 0, 0, 1, tzinfo=ZONE), date(2027, 1, 1)),
        (datetime(2026, 11, 15, 2, tzinfo=ZONE), date(2026, 11, 15)),
    ],
)
def test_whatever_the_month_a_delivery_is_found(hub_database: str, at: datetime, on: date) -> None:
    with database.connect(hub_database, autocommit=True) as connection:
        number = delivered(connection, BUSES, at, on, PERSON, OTHER)
        assert of(connection, [BUSES], PERSON) == [number]
        assert of(connection, [BUSES], OTHER, STRANGER) == [number]
        assert of(connection, [BUSES], STRANGER) == []


def test_each_consumer_is_answered_by_its_own_deliveries(hub_database: str) -> None:
    first, second = (datetime(2026, month, 3, 2, tzinfo=ZONE) for month in (10, 11))
    with database.connect(hub_database, autocommit=True) as connection:
        one = delivered(connection, BUSES, first, first.date(), PERSON)
        two = delivered(connection, BANK, first, first.date(), PERSON, OTHER)
        three = delivered(connection, BUSES, second, second.date(), OTHER, PERSON)
        assert of(connection, [BUSES], PERSON) == [one, three]
        assert of(connection, [BANK], PERSON) == [two]
        assert of(connection, [BUSES, BANK], PERSON) == [one, two, three]
        assert of(connection, [], PERSON) == []


def keys_of(connection: database.Connection) -> set[str]:
    """How the indexes of all months are ordered."""
    found = database.scalars(
        connection,
        str,
        "SELECT pg_get_indexdef(x.indexrelid) FROM pg_index x JOIN pg_inherits i"
        " ON i.inhrelid = x.indrelid WHERE i.inhparent = 'ledger.disclosure'::regclass",
    )
    return {key.partition(" USING ")[2] for key in found}


def test_a_delivery_is_written_behind_all_others(hub_database: str) -> None:
    with database.connect(hub_database, autocommit=True) as connection:
        at = datetime(2026, 11, 3, 2, tzinfo=ZONE)
        delivered(connection, BUSES, at, at.date(), PERSON)
        assert keys_of(connection) == {"btree (transfer, bucket, part, month)"}


def test_months_that_were_there_before_the_upgrade_are_ordered_anew(hub_database: str) -> None:
    first, second = (datetime(2026, month, 3, 2, tzinfo=ZONE) for month in (10, 11))
    with database.connect(hub_database, autocommit=True) as connection:
        one = delivered(connection, BUSES, first, first.date(), PERSON)
        two = delivered(connection, BUSES, second, second.date(), PERSON, OTHER)
        connection.execute(
            "ALTER TABLE ledger.disclosure DROP CONSTRAINT disclosure_pkey,"
            " ADD PRIMARY KEY (bucket, month, transfer, part) INCLUDE (refs)"
        )
        connection.execute("UPDATE ledger.schema_version SET version_num = '0031'")
        assert keys_of(connection) == {"btree (bucket, month, transfer, part) INCLUDE (refs)"}
    migrate.upgrade(hub_database)
    with database.connect(hub_database, autocommit=True) as connection:
        assert keys_of(connection) == {"btree (transfer, bucket, part, month)"}
        assert of(connection, [BUSES], PERSON) == [one, two]
        three = delivered(connection, BUSES, second, second.date(), OTHER)
        assert of(connection, [BUSES], OTHER) == [two, three]
