"""The published row of one record: when it was published last, or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store import registry
from onecard.store.database import Connection, fetch_one
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """What the registry says of a record, without its values.

    Attributes:
        transfer: that published it last.
        at: the hub's time of it.
        deleted_at: when it was published as deleted; None: it was not.
        sequence: the value that orders its versions; None where the contract names none.
    """

    transfer: int
    at: datetime
    deleted_at: datetime | None
    sequence: int | None


def of(
    connection: Connection, contract: Contract, key: Mapping[str, object]
) -> PublishedRow | None:
    """The published row of a key; None where there never was one.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        key: the key's typed values by field.
    """
    if not registry.exists(connection, contract):
        return None
    sequence = sql.SQL("NULL::bigint")
    return fetch_one(
        connection,
        PublishedRow,
        query(
            "SELECT * FROM (SELECT t._transfer_id AS transfer, coalesce(r.hub_time, (SELECT"
            " p.hub_time[array_position(p.transfers, t._transfer_id)] FROM ledger.lane_pack p"
            " WHERE p.direction = 'collect' AND p.subject = {dataset} AND t._transfer_id BETWEEN"
            " p.first AND p.last AND t._transfer_id = ANY(p.transfers))) AS at,"
            " t._deleted_at AS deleted_at, {sequence} AS sequence"
            " FROM {t} t LEFT JOIN ledger.transfer r ON r.id = t._transfer_id WHERE {where})"
            " p WHERE at IS NOT NULL",
            dataset=sql.Literal(contract.id),
            sequence=sql.Identifier("t", contract.sequence) if contract.sequence else sequence,
            t=registry.published(contract),
            where=sql.SQL(" AND ").join(
                query("{c} = %s", c=sql.Identifier("t", name)) for name in contract.key
            ),
        ),
        [key[name] for name in contract.key],
    )
