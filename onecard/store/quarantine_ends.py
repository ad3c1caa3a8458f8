"""How quarantined rows of a source end without a person: by what a later collect has seen.

    mended      its record was read as a good row
    superseded  its record was rejected again, with other values or under a new key
    gone        a complete reading of the source did not find it, and its record is not published

A row that was not read does not end: neither an increment nor a folder of news says anything of it.
A row whose own reading has overtaken it ends with the transfer that brought it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store import staging
from onecard.store.database import Connection, fetch_all, scalars
from schemas.models.contract import Contract

_END: LiteralString = (
    "UPDATE quarantine.record r SET status = {status}, ended_by = {transfer},"
    " resolved_at = clock_timestamp() WHERE r.dataset = {dataset} AND r.agreement IS NULL"
    " AND r.status IN ('held', 'purged') AND r.last_transfer < {transfer} AND {where}"
)
_SUPERSEDED: LiteralString = (
    "EXISTS (SELECT FROM quarantine.record n WHERE n.dataset = r.dataset AND n.agreement IS NULL"
    " AND n.record_ref = r.record_ref AND n.last_transfer = {transfer})"
)
_OVERTAKEN: LiteralString = (
    "UPDATE quarantine.record r SET status = b.ended, ended_by = {transfer},"
    " resolved_at = clock_timestamp() FROM (SELECT fingerprint,"
    " (array_agg(ended ORDER BY place DESC))[1] AS ended FROM {bad} GROUP BY fingerprint"
    " HAVING bool_and(ended IS NOT NULL)) b WHERE r.dataset = {dataset} AND r.agreement IS NULL"
    " AND r.fingerprint = b.fingerprint AND r.status = 'held' AND r.last_transfer = {transfer}"
)
"""A row that stood there several times has ended when nothing is left of it."""
_NOTED: LiteralString = "r.id IN (SELECT record FROM {mended} WHERE status = {status})"


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A quarantined row that has not ended, and the reference of its record."""

    id: int
    record_ref: bytes
    key_epoch: str
    suite: str


def open_records(connection: Connection, dataset: str) -> list[OpenRecord]:
    """Rows of a source that have not ended and whose record is known by its key.

    Args:
        connection: of the hub's database.
        dataset: whose rows.
    """
    return fetch_all(
        connection,
        OpenRecord,
        "SELECT id, record_ref, key_epoch, suite FROM quarantine.record WHERE dataset = %s"
        " AND agreement IS NULL AND status IN ('held', 'purged') AND record_ref IS NOT NULL"
        " ORDER BY id",
        (dataset,),
    )


def note(
    connection: Connection,
    contract: Contract,
    transfer: int,
    records: Collection[int],
    status: Literal["mended", "superseded"],
) -> None:
    """Note which quarantined rows' records a transfer has read anew.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: that has staged them.
        records: ids of the quarantined rows.
        status: `mended` where it was read as a good row, `superseded` where it was rejected.
    """
    if not records:
        return
    connection.execute(
        query(
            "INSERT INTO {t} SELECT unnest(%s::bigint[]), %s",
            t=staging.mended(contract, transfer),
        ),
        (sorted(records), status),
    )


def settle(connection: Connection, contract: Contract, transfer: int) -> None:
    """End what the transfer has seen as a good row, or rejected anew with other values.

    So end rows of its own as well that others of the reading have overtaken
    (`onecard.store.overtaken`).

    Args:
        connection: in the transaction that publishes, with the rejected rows absorbed.
        contract: of the dataset.
        transfer: that is published.
    """
    _end(connection, contract, transfer, "superseded", query(_SUPERSEDED, transfer=_id(transfer)))
    for status in ("superseded", "mended"):
        table = staging.mended(contract, transfer)
        noted = query(_NOTED, mended=table, status=sql.Literal(status))
        _end(connection, contract, transfer, status, noted)
    connection.execute(
        query(
            _OVERTAKEN,
            bad=staging.rejected(contract, transfer),
            dataset=sql.Literal(contract.id),
            transfer=_id(transfer),
        )
    )


def unseen(connection: Connection, contract: Contract, transfer: int) -> list[int]:
    """Rows with values that have not ended and were not seen by this transfer.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: a complete reading of the source.
    """
    return scalars(
        connection,
        int,
        "SELECT id FROM quarantine.record WHERE dataset = %s AND agreement IS NULL"
        " AND status = 'held' AND payload IS NOT NULL AND last_transfer < %s ORDER BY id",
        (contract.id, transfer),
    )


def settle_whole(
    connection: Connection, contract: Contract, transfer: int, mended: Collection[int]
) -> None:
    """End everything that a complete reading of the source has not found any more.

    Args:
        connection: in the transaction that publishes, after `settle`.
        contract: of the dataset.
        transfer: that is published.
        mended: ids of those whose record is published; the others are gone.
    """
    chosen = query("r.id = ANY({ids})", ids=sql.Literal(sorted(mended)))
    _end(connection, contract, transfer, "mended", chosen)
    _end(connection, contract, transfer, "gone", query("true"))


def _end(
    connection: Connection, contract: Contract, transfer: int, status: str, where: sql.Composed
) -> None:
    connection.execute(
        query(
            _END,
            status=sql.Literal(status),
            transfer=_id(transfer),
            dataset=sql.Literal(contract.id),
            where=where,
        )
    )


def _id(transfer: int) -> sql.Literal:
    return sql.Literal(transfer)
