"""The bench's table: a card master of any size, and a share of it changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl
import psycopg
from psycopg import sql

from demo.calendar import Day
from demo.people import BLOCK, block
from demo.planting import Planter
from demo.rows_hrss import card_master
from demo.tables import append_postgres, create_postgres, index_postgres
from schemas.models import catalogue

DATASET = "hrss/card_master"


def fill_card_master(
    address: str, schema: str, rows: int, seed: int = 1, defect_rate: float = 0.0
) -> int:
    """Make the native card table with `rows` rows; returns how many of them are spoilt.

    Args:
        address: of the database.
        schema: of the table, which is made anew.
        rows: exactly so many (with defects: and the repeats that come with them).
        seed: of the population.
        defect_rate: share of rows that the gate must reject; 0 gives clean rows only.
    """
    contract = catalogue.load().contract(DATASET)
    table = str(contract.source.options["table"])
    create_postgres(address, schema, table, contract)
    planter = Planter(contract, seed, 0, as_text=False, rate=defect_rate)
    frames = cards(rows, seed)
    if defect_rate:
        frames = (part for frame in frames for part in planter.spoil(frame))
    append_postgres(address, schema, table, contract, frames)
    index_postgres(address, schema, table, contract.field("source_updated_at").native)
    return len(planter.truth.defects)


def cards(rows: int, seed: int) -> Iterator[pl.DataFrame]:
    """Clean card rows, typed, in blocks.

    Args:
        rows: exactly so many.
        seed: of the population.
    """
    day, start = Day(0), 0
    while rows > 0:
        frame = card_master(block(seed, start, BLOCK, day.date), day).head(rows)
        yield frame
        rows -= len(frame)
        start += BLOCK


def touch(address: str, schema: str, share: float, now: datetime | None = None) -> int:
    """Give a share of the rows a new street and update time; returns how many.

    Args:
        address: of the database.
        schema: of the table.
        share: of the rows, spread evenly over the card numbers.
        now: the new update time; default: half an hour after day 0 closed.
    """
    contract = catalogue.load().contract(DATASET)
    later = now or Day(0).closing + timedelta(minutes=30)
    statement = sql.SQL(
        "UPDATE {table} SET {street} = '410105001', source_updated_at = %s,"
        " source_seq = source_seq + 1 WHERE right({card}, 6)::int %% %s = 0"
    ).format(
        table=sql.Identifier(schema, str(contract.source.options["table"])),
        street=sql.Identifier(contract.field("resid_division").native),
        card=sql.Identifier(contract.field("card_no").native),
    )
    with psycopg.connect(address) as connection:
        return connection.execute(statement, (later, round(1 / share))).rowcount
