"""Staged rows that repeat another: by the key, or by the columns of a `unique` rule."""

from __future__ import annotations

import json
from collections.abc import Mapping

from psycopg import sql

from onecard.store import staging
from onecard.store.database import Connection, names, query, scalars
from schemas.models.contract import Contract
from schemas.models.rules import Unique


def deduplicate(connection: Connection, contract: Contract, transfer: int) -> int:
    """Keep the newest version of each key among the staged rows; return how many were dropped.

    Args:
        connection: of the hub's database.
        contract: names key, sequence and cursor.
        transfer: whose table it is.
    """
    order = [n for n in (contract.sequence, contract.source.cursor) if n]
    ranked = sql.SQL(", ").join(
        [query("{c} DESC NULLS LAST", c=sql.Identifier(n)) for n in order] + [sql.SQL("ctid DESC")]
    )
    cursor = connection.execute(
        query(
            "DELETE FROM {t} s USING (SELECT ctid AS place, row_number() OVER (PARTITION BY {key}"
            " ORDER BY {ranked}) AS n FROM {t}) d WHERE s.ctid = d.place AND d.n > 1",
            t=staging.table(contract, transfer),
            key=names(contract.key),
            ranked=ranked,
        )
    )
    return cursor.rowcount


def _places(
    contract: Contract, transfer: int, rule: Unique, *, against_registry: bool
) -> sql.Composed:
    """Query: ctid of staged rows that repeat another row's unique columns and came later."""
    order = names(
        [n for n in (contract.sequence, contract.source.cursor) if n] + list(contract.key)
    )
    inside = query(
        "SELECT place FROM (SELECT ctid AS place, row_number() OVER (PARTITION BY {columns}"
        " ORDER BY {order}) AS n FROM {t}) d WHERE n > 1",
        columns=names(rule.columns),
        order=order,
        t=staging.table(contract, transfer),
    )
    if not against_registry:
        return inside
    same = staging.pairs(rule.columns)
    other_key = query("({t}) <> ({s})", t=names(contract.key, "t."), s=names(contract.key, "s."))
    replaced = query(
        "EXISTS (SELECT FROM {staging} r WHERE {same_key})",
        staging=staging.table(contract, transfer),
        same_key=sql.SQL(" AND ").join(
            query("r.{c} = t.{c}", c=sql.Identifier(c)) for c in contract.key
        ),
    )
    return inside + query(
        " UNION SELECT s.ctid FROM {staging} s JOIN {registry} t ON {same} AND {other}"
        " AND t._deleted_at IS NULL AND NOT {replaced}",
        staging=staging.table(contract, transfer),
        registry=sql.Identifier("registry", contract.table),
        same=same,
        other=other_key,
        replaced=replaced,
    )


def take_repeated(
    connection: Connection,
    contract: Contract,
    transfer: int,
    rule: Unique,
    *,
    against_registry: bool,
) -> list[dict[str, str | None]]:
    """Take out staged rows that repeat another row's unique columns and came later.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose table it is.
        rule: names the columns.
        against_registry: compare with published rows too.

    Returns:
        Their values by field, as text.
    """
    statement = query(
        "DELETE FROM {t} x WHERE x.ctid IN ({places}) RETURNING to_jsonb(x) - '_row_hash'",
        t=staging.table(contract, transfer),
        places=_places(contract, transfer, rule, against_registry=against_registry),
    )
    return [_texts(values) for values in scalars(connection, dict, statement)]


def _texts(values: Mapping[str, object]) -> dict[str, str | None]:
    return {k: v if v is None or isinstance(v, str) else json.dumps(v) for k, v in values.items()}
