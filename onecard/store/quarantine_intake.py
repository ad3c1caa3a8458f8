"""How rejected rows come into the quarantine: from a transfer's own table, or from a delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from datetime import timedelta
from operator import attrgetter

from psycopg import sql

from onecard.base.sql_text import names, query
from onecard.store.database import Connection, scalars
from onecard.store.sealing import Sealed
from schemas.models.agreement import Agreement

_COLUMNS = tuple(field.name for field in fields(Sealed))
_cells: Callable[[Sealed], tuple[object, ...]] = attrgetter(*_COLUMNS)
MANY = 1_000
"""From so many rejected rows on the next statement does not wait for autovacuum's statistics."""


def gather_statistics(connection: Connection) -> None:
    """Tell the planner of rows that have just come: what it takes for few it compares one by one.

    Left to autovacuum where another session holds the tables.

    Args:
        connection: of the hub's database, without an open transaction.
    """
    connection.execute("ANALYZE (SKIP_LOCKED) quarantine.record, quarantine.reason")


def known(connection: Connection, dataset: str, fingerprints: Iterable[bytes]) -> set[bytes]:
    """Those of some rejected rows of a source that stand in quarantine already.

    Args:
        connection: of the hub's database.
        dataset: whose rows they are.
        fingerprints: of the rows (`onecard.store.sealing.fingerprint`).
    """
    return set(
        scalars(
            connection,
            bytes,
            "SELECT fingerprint FROM quarantine.record WHERE dataset = %s"
            " AND fingerprint = ANY(%s)",
            (dataset, list(fingerprints)),
        )
    )


def hold(
    connection: Connection,
    agreement: Agreement,
    transfer: int,
    rows: Iterable[Sealed],
    keep: timedelta,
) -> None:
    """Keep rows that the privacy gate found fault with, until a person decides.

    Args:
        connection: in the transaction that confirms.
        agreement: under which they would have left.
        transfer: the delivery.
        rows: sealed.
        keep: how long they are kept.
    """
    statement = (
        "INSERT INTO quarantine.record (dataset, agreement, first_transfer, last_transfer,"
        " first_seen, last_seen, expires_at, fingerprint, origin, row_number, reasons,"
        " first_reasons, payload, key_epoch, suite) SELECT %(dataset)s, %(agreement)s, id, id,"
        " hub_time, hub_time, hub_time + %(keep)s, %(fingerprint)s, %(origin)s, %(row_number)s,"
        " %(reasons)s::jsonb, %(reasons)s::jsonb, %(payload)s, %(key_epoch)s, %(suite)s"
        " FROM ledger.transfer WHERE id = %(transfer)s"
        " ON CONFLICT (dataset, fingerprint) DO UPDATE SET last_seen = excluded.last_seen,"
        " last_transfer = excluded.last_transfer, reasons = excluded.reasons,"
        " payload = excluded.payload, status = 'held', expires_at = excluded.expires_at"
    )
    same = {
        "dataset": agreement.dataset,
        "agreement": agreement.id,
        "keep": keep,
        "transfer": transfer,
    }
    with connection.cursor() as cursor:
        cursor.executemany(statement, [asdict(row) | same for row in rows])


def append(connection: Connection, table: sql.Identifier, rows: Iterable[Sealed]) -> None:
    """COPY sealed rows into a transfer's own table of rejected rows.

    Args:
        connection: of the hub's database.
        table: `onecard.store.staging.bad`.
        rows: sealed.
    """
    copy = query("COPY {t} ({columns}) FROM STDIN", t=table, columns=names(_COLUMNS))
    with connection.cursor() as cursor, cursor.copy(copy) as target:
        for row in rows:
            target.write_row(_cells(row))


def absorb(
    connection: Connection, table: sql.Identifier, dataset: str, transfer: int, keep: timedelta
) -> None:
    """Move a transfer's rejected rows into the quarantine; a row seen before is seen again.

    A single row that is tried again out of the quarantine is not seen again: its source was not
    asked.

    Args:
        connection: in the transaction that publishes.
        table: the transfer's own table of rejected rows.
        dataset: whose rows they are.
        transfer: that saw them.
        keep: how long they are kept after this.
    """
    connection.execute(
        query(
            "INSERT INTO quarantine.record AS r (dataset, fingerprint, origin, row_number, reasons,"
            " first_reasons, payload, key_epoch, suite, record_ref, first_transfer, last_transfer,"
            " first_seen, last_seen, expires_at)"
            " SELECT DISTINCT ON (fingerprint) {dataset}, fingerprint, origin, row_number, reasons,"
            " reasons, payload, key_epoch, suite, record_ref, id, id, hub_time, hub_time,"
            " hub_time + {keep} FROM {t}, ledger.transfer WHERE id = {transfer}"
            " ORDER BY fingerprint, origin, row_number"
            " ON CONFLICT (dataset, fingerprint) DO UPDATE SET last_seen = excluded.last_seen,"
            " last_transfer = excluded.last_transfer, reasons = excluded.reasons,"
            " payload = excluded.payload, key_epoch = excluded.key_epoch, suite = excluded.suite,"
            " record_ref = excluded.record_ref, expires_at = excluded.expires_at, status = 'held',"
            " resolved_at = NULL, resolved_by = '', ended_by = NULL",
            dataset=sql.Literal(dataset),
            keep=sql.Literal(keep),
            transfer=sql.Literal(transfer),
            t=table,
        )
    )


def tried(connection: Connection, table: sql.Identifier, dataset: str) -> None:
    """A row out of the quarantine broke rules again: note which, and leave it as it is.

    Args:
        connection: in the transaction that publishes.
        table: the transfer's own table of rejected rows.
        dataset: whose row it is.
    """
    connection.execute(
        query(
            "UPDATE quarantine.record r SET reasons = b.reasons FROM {t} b"
            " WHERE r.dataset = {dataset} AND r.fingerprint = b.fingerprint",
            dataset=sql.Literal(dataset),
            t=table,
        )
    )
