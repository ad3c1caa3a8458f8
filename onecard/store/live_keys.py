"""Which of some records, by the texts of their keys, are published now."""

from __future__ import annotations

from collections.abc import Mapping

from onecard.base.sql_text import query
from onecard.store import registry, wanted_keys
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
    statement = query(
        "SELECT k.number FROM unnest(%s::bigint[], {arrays}) AS k (number, {columns})"
        " JOIN {t} t ON {same} WHERE t._deleted_at IS NULL",
        arrays=wanted_keys.arrays(contract),
        columns=wanted_keys.columns(contract),
        t=registry.published(contract),
        same=wanted_keys.same(contract),
    )
    values = wanted_keys.values(contract, list(keys.values()))
    return set(scalars(connection, int, statement, (list(keys), *values)))
