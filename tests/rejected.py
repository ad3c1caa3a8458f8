"""Rejected rows in the quarantine, as a collect that is published leaves them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from onecard.model.transfers import Counts
from onecard.ports.desk import Desk
from onecard.ports.row_gate import Reason, Rejected
from onecard.store import quality_problems, quarantine_intake, rule_results, transfers
from onecard.store.database import Connection
from onecard.store.sealing import Sealer


@dataclass(frozen=True)
class Row:
    """A row that a source gives and the gate rejects."""

    values: dict[str, str | None]
    reasons: tuple[Reason, ...]


def reject(
    connection: Connection, desk: Desk, dataset: str, rows: Sequence[Row], at: datetime
) -> int:
    """A published collect whose rejected rows stand in quarantine; returns its transfer.

    Args:
        connection: of the hub's database.
        desk: has the keys.
        dataset: whose rows.
        rows: of 1,000 that were read.
        at: the hub's time.
    """
    contract = desk.catalogue.contract(dataset)
    sealer = Sealer(desk.keys.quarantine(), desk.suite, contract)
    counted = Counter(reason for row in rows for reason in row.reasons)
    with connection.transaction():
        transfer = transfers.open_transfer(connection, "collect", dataset, "1", at)
        sealed = [
            sealer.seal(dataset, "in/01.csv", Rejected(number, row.values, row.reasons))
            for number, row in enumerate(rows, start=1)
        ]
        connection.execute(
            "CREATE TEMP TABLE rejected AS SELECT fingerprint, origin, row_number, reasons,"
            " payload, key_epoch, suite, record_ref, NULL::bigint AS place"
            " FROM quarantine.record WITH NO DATA"
        )
        table = sql.Identifier("pg_temp", "rejected")
        quarantine_intake.append(connection, table, sealed)
        quarantine_intake.absorb(connection, table, dataset, transfer, timedelta(days=90))
        connection.execute("DROP TABLE pg_temp.rejected")
        rule_results.record_rules(connection, transfer, counted, "error")
        counts = Counts(1_000, 1_000 - len(rows), 0, len(rows), 0, 0)
        transfers.record_published(connection, transfer, 1, counts)
        quality_problems.note(connection, transfer)
    return transfer
