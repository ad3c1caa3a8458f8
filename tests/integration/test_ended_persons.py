"""Who has ended (PR-29), as the control column of a delivery says it."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from onecard.base.sql_text import query
from onecard.deliver.gate_input_sql import GateInputSql
from onecard.model import gate_inputs
from schemas.models import catalogue, registers

CARDS = (
    ("dead", "1", None),
    ("alive", "1", None),
    ("cancelled", "9", None),
    ("cancelled", "9", None),
    ("replaced", "9", None),
    ("replaced", "1", None),
    ("withdrawn", "9", None),
    ("withdrawn", "1", "2026-01-01"),
    ("undone", "9", "2026-01-01"),
)
"""Persons, status of a card of theirs, and since when it is deleted."""


@pytest.mark.parametrize("everybody", [True, False])
def test_who_died_or_has_only_cancelled_cards_has_ended(
    private_database: str, *, everybody: bool
) -> None:
    known, people = catalogue.load(), registers.load().people
    wanted = known.agreement("f16-hrss-bank-subsidy-payment")
    inputs = GateInputSql(wanted, known.contracts, people, lambda _: query("o.person_id18"))
    cards, deaths = (
        sql.Identifier("registry", known.contract(d).table) for d in (people.cards, people.deaths)
    )
    with psycopg.connect(private_database) as connection:
        connection.execute("CREATE SCHEMA registry")
        for table in (cards, deaths):
            columns = "(person_id18 text, card_status text, _deleted_at date)"
            connection.execute(query("CREATE TABLE {t} " + columns, t=table))
            connection.execute(query("CREATE INDEX ON {t} (person_id18)", t=table))
        with connection.cursor() as cursor:
            cursor.executemany(query("INSERT INTO {t} VALUES (%s, %s, %s)", t=cards), CARDS)
        connection.execute(query("INSERT INTO {t} VALUES ('dead', NULL, NULL)", t=deaths))
        connection.execute(query("INSERT INTO {t} VALUES ('alive', NULL, '2026-01-01')", t=deaths))
        asked = query(
            "SELECT o.person_id18 FROM (SELECT DISTINCT person_id18 FROM {t} {one}) o WHERE {e}",
            t=cards,
            one=query("" if everybody else "WHERE person_id18 = 'withdrawn'"),
            e=inputs.all([])[gate_inputs.ENDED],
        )
        found = {person for (person,) in connection.execute(asked)}
        listed = {person for (person,) in connection.execute(inputs.ended_persons)}
    assert found == ({"dead", "cancelled", "withdrawn"} if everybody else {"withdrawn"})
    assert listed == {"dead", "cancelled", "withdrawn"}
