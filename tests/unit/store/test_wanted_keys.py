"""Records by the texts of their keys: found exactly where PostgreSQL would write them so."""

from __future__ import annotations

import pytest

from onecard.base.sql_text import query
from onecard.store import database, staging, wanted_keys
from schemas.models.contract import Contract

ODD = (
    *("7", "07", "+7", " 7", "\uff17", "7_0", "-7", "-0", "9223372036854775807", "x", "", "K\0"),
    *("9223372036854775808", "-9223372036854775808", "-9223372036854775809", "9" * 5000),
    *("2026-02-28", "20260228", "2026-02-30", "2026-W09-6", "infinity", "\ud800", "1.50", "1.5"),
    "2026-02-28 00:00:00+00",
)
HELD = {
    "string": [t for t in ODD if "\0" not in t and "\ud800" not in t],
    "integer": ["7", "70", "-7", "0", "9223372036854775807", "-9223372036854775808"],
    "date": ["2026-02-28"],
    "number": ["1.5", "7"],
    "timestamp": ["2026-02-28 00:00:00+00"],
}
SEMANTIC = {"date": "date", "timestamp": "instant", "integer": "sequence", "number": "money"}


def contract(kind: str) -> Contract:
    """A dataset whose key is a text and a value of a type."""
    more = {"precision": 10, "scale": 2} if kind == "number" else {}
    fields = [
        {"name": name, "type": t, "semantic": SEMANTIC.get(t, "text"), **extra}
        for name, t, extra in (("k", "string", {}), ("v", kind, more))
    ]
    for place, field in enumerate(fields, start=1):
        field |= {"title": "t", "native": field["name"], "level": "L1", "pii": "NONE"}
        field |= {"required": True, "key_position": place}
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
        }
    )


@pytest.mark.parametrize("kind", HELD)
def test_keys_are_found_by_their_texts(kind: str, private_database: str) -> None:
    made = contract(kind)
    with database.connect(private_database, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        column = staging.column_type(made.field("v"))
        connection.execute(query("CREATE TABLE rows (k text, v {t})", t=column))
        for text in HELD[kind]:
            connection.execute(query("INSERT INTO rows VALUES ('a', %s::{t})", t=column), (text,))
        written = set(database.scalars(connection, str, "SELECT v::text FROM rows"))
        found = database.scalars(
            connection,
            int,
            query(
                "SELECT k.number FROM unnest({arrays}) WITH ORDINALITY AS k ({columns}, number)"
                " JOIN rows t ON {same}",
                arrays=wanted_keys.arrays(made),
                columns=wanted_keys.columns(made),
                same=wanted_keys.same(made),
            ),
            wanted_keys.values(made, [*(("a", t) for t in ODD), *(("b", t) for t in ODD)]),
        )
    assert sorted(ODD[n - 1] for n in found) == sorted(t for t in ODD if t in written)
    assert found
