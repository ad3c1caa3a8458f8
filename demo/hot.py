"""The bench's table: a card master of any size, and a share of it changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import psycopg

from demo.calendar import Day
from demo.people import BLOCK, block
from demo.rows_hrss import card_master
from demo.tables import append_postgres, create_postgres, index_postgres
from schemas import catalogue

DATASET = "hrss/card_master"


def fill_card_master(address: str, schema: str, rows: int, seed: int = 1) -> None:
    """Make the native card table with exactly `rows` clean rows."""
    contract = catalogue.load().contract(DATASET)
    table = str(contract.source.options["table"])
    create_postgres(address, schema, table, contract)
    append_postgres(address, (schema, table), contract, _cards(rows, seed))
    index_postgres(address, schema, table, contract.field("source_updated_at").native)


def _cards(rows: int, seed: int) -> Iterator[pl.DataFrame]:
    day, start = Day(0), 0
    while rows > 0:
        frame = card_master(block(seed, start, BLOCK, day.date), day).head(rows)
        yield frame
        rows -= len(frame)
        start += BLOCK


def touch(address: str, schema: str, share: float) -> int:
    """Give a share of the rows a new street and update time; returns how many."""
    contract = catalogue.load().contract(DATASET)
    table = str(contract.source.options["table"])
    later = Day(0).closing + timedelta(minutes=30)
    every = round(1 / share)
    statement = (
        f'UPDATE "{schema}"."{table}" SET "AAC301" = \'410105001\', source_updated_at = %s,'
        f' source_seq = source_seq + 1 WHERE right("AAZ500", 6)::int %% {every} = 0'
    )
    with psycopg.connect(address) as connection:
        return connection.execute(statement.encode(), (later,)).rowcount
