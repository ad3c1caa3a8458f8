"""The ledger: what every transfer did, what is published, what was delivered.

All functions take an open connection, so that what belongs together is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from onecard.base import logs
from onecard.errors import SupersededError
from onecard.model.transfers import LIVE, Counts, DatasetState, Transfer
from onecard.ports.auditor import Finding
from onecard.ports.inbox import Sending
from onecard.ports.row_gate import Reason
from onecard.store.database import Connection

if TYPE_CHECKING:
    from onecard.ports.privacy_gate import RuleResult


def open_transfer(
    connection: Connection, direction: str, subject: str, policy_version: str, at: datetime
) -> int:
    """Write the first line of a transfer and return its id; `at` is the hub's time."""
    row = connection.execute(
        "INSERT INTO ledger.transfer (direction, subject, status, policy_version, hub_time)"
        " VALUES (%s, %s, 'running', %s, %s) RETURNING id",
        (direction, subject, policy_version, at),
    ).fetchone()
    transfer = int(str(row[0])) if row else 0
    logs.note(transfer=transfer)
    return transfer


def claim(connection: Connection, dataset: str, transfer: int) -> DatasetState:
    """Claim a dataset for a transfer: from now on no older transfer can publish it."""
    row = connection.execute(
        "INSERT INTO ledger.dataset (dataset, claim) VALUES (%s, %s)"
        " ON CONFLICT (dataset) DO UPDATE"
        " SET claim = greatest(ledger.dataset.claim, excluded.claim)"
        " RETURNING version, claim, checkpoint",
        (dataset, transfer),
    ).fetchone()
    return _state(row)


def state(connection: Connection, dataset: str) -> DatasetState:
    """What the hub holds of a dataset."""
    row = connection.execute(
        "SELECT version, claim, checkpoint FROM ledger.dataset WHERE dataset = %s", (dataset,)
    ).fetchone()
    return _state(row)


def lock_claimed(connection: Connection, dataset: str, transfer: int) -> DatasetState:
    """Lock the dataset for publishing.

    Raises:
        SupersededError: a newer transfer has claimed it.
    """
    row = connection.execute(
        "SELECT version, claim, checkpoint FROM ledger.dataset WHERE dataset = %s FOR UPDATE",
        (dataset,),
    ).fetchone()
    state = _state(row)
    if state.claim != transfer:
        msg = f"{dataset}: transfer {transfer} was overtaken by {state.claim}; nothing published"
        raise SupersededError(msg)
    return state


def _state(row: tuple[object, ...] | None) -> DatasetState:
    if row is None:
        return DatasetState()
    version, claimed, checkpoint = row
    return DatasetState(int(str(version)), int(str(claimed)), dict(checkpoint))  # type: ignore[call-overload]


def status(connection: Connection, transfer: int, *, lock: bool = False) -> str:
    """State of a transfer; empty when there is none. `lock`: until the transaction ends."""
    statement = b"SELECT status FROM ledger.transfer WHERE id = %s"
    row = connection.execute(statement + b" FOR UPDATE" * lock, (transfer,)).fetchone()
    return str(row[0]) if row else ""


def message(connection: Connection, transfer: int) -> str:
    """What was last said of a transfer."""
    row = connection.execute(
        "SELECT message FROM ledger.transfer WHERE id = %s", (transfer,)
    ).fetchone()
    return str(row[0]) if row else ""


def fail_abandoned(
    connection: Connection, direction: str, subject: str, before: int
) -> list[tuple[int, str]]:
    """Mark older transfers of a subject that never ended as failed: who ran them is gone.

    Call it with the subject claimed or locked, so that none of them can end well any more.

    Returns:
        Their ids, and the ids of their deliveries (empty for a collect).
    """
    rows = connection.execute(
        "UPDATE ledger.transfer SET status = 'failed', finished_at = clock_timestamp(),"
        " message = 'cut off; transfer ' || %(before)s || ' took over'"
        " WHERE direction = %(direction)s AND subject = %(subject)s AND id < %(before)s"
        " AND status = ANY(%(live)s) RETURNING id, coalesce(delivery_id, '')",
        {"direction": direction, "subject": subject, "before": before, "live": list(LIVE)},
    ).fetchall()
    return sorted((int(str(number)), str(delivery)) for number, delivery in rows)


def cut_off(connection: Connection, direction: str, subject: str) -> bool:
    """Whether a transfer of a subject never ended; with the subject locked, nobody runs it."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM ledger.transfer WHERE direction = %s AND subject = %s"
        " AND status = ANY(%s))",
        (direction, subject, list(LIVE)),
    ).fetchone()
    return bool(row and row[0])


def update(connection: Connection, transfer: int, values: Mapping[str, Any]) -> None:
    """Set columns of a transfer; `counts` spreads to its columns."""
    plain = dict(values)
    counts = plain.pop("counts", None)
    if isinstance(counts, Counts):
        found = {name: getattr(counts, name) for name in Counts.__slots__}
        plain |= found
        logs.note(counts=found)
    if "checkpoint" in plain:
        plain["checkpoint"] = json.dumps(plain["checkpoint"])
    ended = plain.get("status") in ("published", "confirmed", "failed", "held")
    assignments = ", ".join(f"{name} = %s" for name in plain)
    finish = ", finished_at = clock_timestamp()" if ended else ""
    statement = f"UPDATE ledger.transfer SET {assignments}{finish} WHERE id = %s"  # noqa: S608
    connection.execute(statement.encode(), [*plain.values(), transfer])


def record_rules(
    connection: Connection, transfer: int, counts: Mapping[Reason, int], severity: str
) -> None:
    """Add how many rows failed each rule."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.rule_count (transfer, field, rule, severity, failed)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (transfer, field, rule)"
            " DO UPDATE SET failed = ledger.rule_count.failed + excluded.failed",
            [(transfer, r.field, r.rule, severity, n) for r, n in sorted(counts.items())],
        )


def record_counties(
    connection: Connection, transfer: int, read: Mapping[str, int], quarantined: Mapping[str, int]
) -> None:
    """Add rows read and rows quarantined by county (six digits; empty: another place)."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.county_count (transfer, county, rows_read, quarantined)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (transfer, county) DO UPDATE SET"
            " rows_read = ledger.county_count.rows_read + excluded.rows_read,"
            " quarantined = ledger.county_count.quarantined + excluded.quarantined",
            [
                (transfer, county, read.get(county, 0), quarantined.get(county, 0))
                for county in sorted({*read, *quarantined})
            ],
        )


def record_findings(connection: Connection, transfer: int, findings: Iterable[Finding]) -> None:
    """Write the outcome of the dataset-level expectations."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.finding (transfer, name, severity, passed, observed, field)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (transfer, name) DO UPDATE"
            " SET severity = excluded.severity, passed = excluded.passed,"
            " observed = excluded.observed",
            [(transfer, f.name, f.severity, f.passed, f.observed, f.field) for f in findings],
        )


def staged(connection: Connection, transfer: int) -> tuple[int, int]:
    """How many rows a transfer has staged, and how many it has rejected."""
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT rows_read - unchanged - quarantined - deduplicated, quarantined"
        " FROM ledger.transfer WHERE id = %s",
        (transfer,),
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def published_already(connection: Connection, transfer: int) -> tuple[int, Counts] | None:
    """Version and counts of a transfer that is published, else None (a lost acknowledgement)."""
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT version, rows_read, published, unchanged, quarantined, deduplicated,"
        " filtered_by_policy FROM ledger.transfer WHERE id = %s AND status = 'published'",
        (transfer,),
    ).fetchone()
    return (row[0], Counts(*row[1:])) if row else None


def record_privacy(connection: Connection, transfer: int, results: Iterable[RuleResult]) -> None:
    """Write what each rule of the privacy gate found."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.privacy_result (transfer, rule, action, outcome, checked, hits,"
            " detail) VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(transfer, r.rule, r.action, r.outcome, r.checked, r.hits, r.detail) for r in results],
        )


def delivered_rows(connection: Connection, agreement: str, last: int = 14) -> list[int]:
    """Rows of the agreement's last confirmed deliveries that sent any, newest first."""
    rows = connection.execute(
        "SELECT sent_rows FROM ledger.transfer WHERE subject = %s AND direction = 'deliver'"
        " AND status = 'confirmed' AND sent_rows > 0 AND NOT replay ORDER BY id DESC LIMIT %s",
        (agreement, last),
    ).fetchall()
    return [int(str(row[0])) for row in rows]


def sendings(connection: Connection, agreement: str, now: datetime) -> tuple[Sending, ...]:
    """Deliveries that may have reached the consumer, oldest first.

    Those whose retention is over, or that the consumer says it has erased, need not be there.
    """
    rows = connection.execute(
        "SELECT t.delivery_id, bool_or(t.status = 'confirmed' AND t.sent_rows + t.deleted_rows > 0"
        " AND CAST(r.body::jsonb ->> 'expiresAt' AS timestamptz) > %s AND NOT EXISTS"
        " (SELECT FROM ledger.erasure e WHERE e.delivery_id = t.delivery_id))"
        " FROM ledger.transfer t LEFT JOIN ledger.receipt r ON r.transfer = t.id"
        " WHERE t.subject = %s AND t.direction = 'deliver' AND t.delivery_id IS NOT NULL"
        " GROUP BY 1 ORDER BY max(t.id)",
        (now, agreement),
    ).fetchall()
    return tuple(Sending(str(delivery), bool(there)) for delivery, there in rows)


def keep_cells(connection: Connection, agreement: str, cells: Mapping[str, int]) -> None:
    """Remember the statistical cells that a consumer now holds."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.statistic (agreement, cell, value) VALUES (%s, %s, %s)"
            " ON CONFLICT (agreement, cell) DO UPDATE SET value = excluded.value",
            [(agreement, cell, value) for cell, value in sorted(cells.items())],
        )


def open_incident(
    connection: Connection, agreement: str, transfer: int, what: tuple[str, int]
) -> None:
    """Open an incident: a rule blocked, and so many rows had left already."""
    connection.execute(
        "INSERT INTO ledger.incident (agreement, transfer, rule, delivered_rows)"
        " VALUES (%s, %s, %s, %s)",
        (agreement, transfer, *what),
    )


def incidents(connection: Connection) -> list[tuple[Any, ...]]:
    """Open incidents: id, agreement, transfer, rule, delivered rows, when."""
    return connection.execute(
        "SELECT id, agreement, transfer, rule, delivered_rows, opened_at FROM ledger.incident"
        " WHERE status = 'open' ORDER BY id"
    ).fetchall()


def close_incident(connection: Connection, incident: int) -> str | None:
    """Close an incident; returns its agreement, or None when no open one has that id."""
    row = connection.execute(
        "UPDATE ledger.incident SET status = 'closed' WHERE id = %s AND status = 'open'"
        " RETURNING agreement",
        (incident,),
    ).fetchone()
    return str(row[0]) if row else None


def publish_state(
    connection: Connection, dataset: str, state: DatasetState, contract_version: str
) -> None:
    """Write version, checkpoint and contract version of what is now published."""
    connection.execute(
        "UPDATE ledger.dataset SET version = %s, checkpoint = %s, contract_version = %s,"
        " published_at = clock_timestamp() WHERE dataset = %s",
        (state.version, json.dumps(state.checkpoint), contract_version, dataset),
    )


def transfers(connection: Connection, since: int = 0) -> list[Transfer]:
    """All transfers with a higher id than `since`, oldest first."""
    rows = connection.execute(
        "SELECT id, direction, subject, status, started_at, finished_at, rows_read, published,"
        " unchanged, quarantined, deduplicated, filtered_by_policy, version, sent_rows,"
        " sent_parts, delivery_id, message FROM ledger.transfer WHERE id > %s ORDER BY id",
        (since,),
    ).fetchall()
    return [_transfer(row) for row in rows]


def first_time(connection: Connection) -> datetime | None:
    """The hub's time of its first transfer; None before any."""
    row = connection.execute("SELECT min(hub_time) FROM ledger.transfer").fetchone()
    return row[0] if row and isinstance(row[0], datetime) else None


def latest(connection: Connection) -> list[Transfer]:
    """The newest transfer of every dataset and agreement."""
    rows = connection.execute(
        "SELECT DISTINCT ON (direction, subject) id, direction, subject, status, started_at,"
        " finished_at, rows_read, published, unchanged, quarantined, deduplicated,"
        " filtered_by_policy, version, sent_rows, sent_parts, delivery_id, message"
        " FROM ledger.transfer ORDER BY direction, subject, id DESC"
    ).fetchall()
    return [_transfer(row) for row in rows]


def _transfer(row: tuple[Any, ...]) -> Transfer:
    plain: tuple[Any, ...] = (*row[:6], Counts(*row[6:12]), *row[12:])
    return Transfer(*plain)
