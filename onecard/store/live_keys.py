"""Which of some records, by the texts of their keys, are published now."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store import registry
from onecard.store.database import Connection, scalars
from schemas.models.contract import Contract


def live(
    connection: Connection, contract: Contract, keys: Mapping[int, tuple[str, ...]]
) -> set[int]:
    """Numbers of those whose key the registry has, not deleted.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        keys: the key's values as texts, by a number of the caller's.
    """
    if not keys or not registry.exists(connection, contract):
        return set()
    columns = [sql.Identifier(f"k{i}") for i in range(len(contract.key))]
    pairs = [
        query("{t}::text = {k}", t=sql.Identifier("t", name), k=sql.Identifier("k", f"k{i}"))
        for i, name in enumerate(contract.key)
    ]
    statement = query(
        "SELECT k.number FROM unnest(%s::bigint[], {arrays}) AS k (number, {columns})"
        " JOIN {t} t ON {on} WHERE t._deleted_at IS NULL",
        arrays=sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(columns)),
        columns=sql.SQL(", ").join(columns),
        t=registry.published(contract),
        on=sql.SQL(" AND ").join(pairs),
    )
    values = [list(column) for column in zip(*keys.values(), strict=True)]
    return set(scalars(connection, int, statement, (list(keys), *values)))
