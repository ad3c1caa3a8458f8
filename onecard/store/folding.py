"""Folds old transfers of the event lane: a line a day in their place, their evidence in packs.

Tables `ledger.lane_*` (ADR 0037). What is folded is moved, not lost: every receipt stands in a
pack, word for word with its signature, and the database refuses to drop one that does not; the
audit log is not touched. Only what ended well, and what nobody may still ask for by itself, is
folded: no transfer that failed, is held or was released, read a whole source, is named by a row in
quarantine, an incident or a ticket, or is among the newest of its subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, LiteralString

from onecard.base.sql_text import query
from onecard.store import locks
from onecard.store.database import Connection, fetch_one, one_scalar, scalar, scalars
from onecard.store.days import DAY
from onecard.store.locks import Kind

NEWEST = 20
"""So many transfers of a subject that moved rows, and so many collects that know how many rows the
source has, stay: what is usual is told by fourteen."""
LEAST = 24
"""A day with fewer transfers stays as it is: a line in the place of a few spares nothing."""
PACK = 1_000
"""Transfers in a pack: one receipt is read by unpacking so many, some two megabytes."""

_OLD: LiteralString = (
    " FROM ledger.transfer t WHERE t.direction = %(direction)s AND t.subject = %(subject)s"
    " AND t.status = %(ended)s AND NOT t.replay AND NOT t.whole AND t.finished_at IS NOT NULL"
    " AND t.hub_time < %(before)s AND t.id < %(kept)s AND t.id > %(folded)s"
    " AND t.id NOT IN (SELECT id FROM ledger.transfer WHERE direction = %(direction)s"
    " AND subject = %(subject)s AND status = %(ended)s AND NOT replay AND source_rows > 0"
    " ORDER BY id DESC LIMIT %(newest)s)"
    " AND EXISTS (SELECT FROM ledger.receipt r WHERE r.transfer = t.id)"
    " AND NOT EXISTS (SELECT FROM ledger.partition_plan n WHERE n.transfer = t.id)"
    " AND NOT EXISTS (SELECT FROM ledger.release a WHERE a.transfer = t.id)"
    " AND NOT EXISTS (SELECT FROM ledger.incident i WHERE i.transfer = t.id)"
    " AND NOT EXISTS (SELECT FROM ledger.ticket_event e WHERE e.transfer = t.id)"
    " AND NOT EXISTS (SELECT FROM quarantine.record q WHERE q.first_transfer = t.id)"
    " AND NOT EXISTS (SELECT FROM quarantine.record q WHERE q.last_transfer = t.id)"
    " AND NOT EXISTS (SELECT FROM quarantine.record q WHERE q.ended_by = t.id)"
)
_KEPT: LiteralString = (
    "SELECT min(id) FROM (SELECT id FROM ledger.transfer WHERE"
    " direction = %(direction)s AND subject = %(subject)s AND status = %(ended)s AND NOT replay"
    " AND CASE direction WHEN 'collect' THEN rows_read ELSE sent_rows END > 0"
    " ORDER BY id DESC LIMIT %(newest)s) n"
)
_FOLDED: LiteralString = (
    "SELECT coalesce(max(last), 0) FROM ledger.lane_pack WHERE direction = %(direction)s"
    " AND subject = %(subject)s"
)
_DAYS = query(
    "SELECT {day} AS day" + _OLD + " GROUP BY 1 HAVING count(*) >= %(least)s ORDER BY 1",
    day=DAY,
)
_TABLE: LiteralString = (
    "CREATE TEMP TABLE folding ON COMMIT DROP AS SELECT t.*, r.body, r.suite, r.key_epoch,"
    " r.signature, t.version AS of_dataset, t.id AS pack"
    " FROM ledger.transfer t JOIN ledger.receipt r ON r.transfer = t.id WITH NO DATA"
)
_CHOSEN = query(
    "INSERT INTO folding SELECT t.*, r.body, r.suite, r.key_epoch, r.signature,"
    " CASE t.direction WHEN 'collect' THEN t.version ELSE"
    " CAST(CAST(r.body AS jsonb) #>> ARRAY['versions', %(dataset)s] AS bigint) END,"
    " (row_number() OVER (ORDER BY t.id) - 1) / %(pack)s"
    " FROM (SELECT t.*" + _OLD + " AND {day} = %(day)s AND t.hub_time BETWEEN"
    " (CAST(%(day)s AS timestamp) AT TIME ZONE 'Asia/Shanghai')"
    " AND (CAST(%(day)s + 1 AS timestamp) AT TIME ZONE 'Asia/Shanghai')) t"
    " JOIN ledger.receipt r ON r.transfer = t.id",
    day=DAY,
)
"""The day is looked for by its moments too: they have an index."""

_DAY: LiteralString = (
    "WITH took AS (SELECT CAST(round(extract(epoch FROM finished_at - started_at) * 1000)"
    " AS bigint) AS ms, count(*) AS times FROM folding GROUP BY 1)"
    " INSERT INTO ledger.lane_day (direction, subject, day, first, last, transfers, first_time,"
    " rows_read, published, unchanged, quarantined, deduplicated, filtered_by_policy, sent_rows,"
    " sent_parts, deleted_rows, took_ms, took_times, digest)"
    " SELECT %(direction)s, %(subject)s, %(day)s, min(id), max(id), count(*), min(hub_time),"
    " sum(rows_read), sum(published), sum(unchanged), sum(quarantined), sum(deduplicated),"
    " sum(filtered_by_policy), sum(sent_rows), sum(sent_parts), sum(deleted_rows),"
    " (SELECT array_agg(ms ORDER BY ms) FROM took),"
    " (SELECT array_agg(times ORDER BY ms) FROM took),"
    " sha256(string_agg(sha256(convert_to(body, 'UTF8')) || signature, ''::bytea ORDER BY id))"
    " FROM folding RETURNING first, last, transfers, rows_read, sent_rows,"
    " encode(digest, 'hex') AS digest"
)
_PACKS: LiteralString = (
    "INSERT INTO ledger.lane_pack (direction, subject, day, first, last, dataset, first_finished,"
    " last_finished, first_expires, sent, transfers, started_at, finished_at, hub_time, versions,"
    " sent_rows, deleted_rows, deliveries, expires_at, suites, key_epochs, signatures, bodies)"
    " SELECT %(direction)s, %(subject)s, %(day)s, min(id), max(id), %(dataset)s, min(finished_at),"
    " max(finished_at), min(expires_at), count(*) FILTER (WHERE sent_rows > 0),"
    " array_agg(id ORDER BY id), array_agg(started_at ORDER BY id),"
    " array_agg(finished_at ORDER BY id), array_agg(hub_time ORDER BY id),"
    " array_agg(of_dataset ORDER BY id), array_agg(sent_rows ORDER BY id),"
    " array_agg(deleted_rows ORDER BY id), array_agg(delivery_id ORDER BY id),"
    " array_agg(expires_at ORDER BY id), array_agg(suite ORDER BY id),"
    " array_agg(key_epoch ORDER BY id), array_agg(signature ORDER BY id),"
    " array_agg(body ORDER BY id) FROM folding GROUP BY pack"
)
_FINDINGS: LiteralString = (
    "INSERT INTO ledger.lane_finding (dataset, day, first, name, severity, runs, failed, last,"
    " observed, last_failed) SELECT %(subject)s, %(day)s, %(first)s, f.name, f.severity, count(*),"
    " count(*) FILTER (WHERE NOT f.passed), max(f.transfer),"
    " (array_agg(f.observed ORDER BY f.transfer DESC))[1],"
    " max(f.transfer) FILTER (WHERE NOT f.passed)"
    " FROM ledger.finding f JOIN folding t ON t.id = f.transfer GROUP BY f.name, f.severity"
)
_RULES: LiteralString = (
    "INSERT INTO ledger.lane_rule (dataset, day, first, field, rule, severity, failed,"
    " first_broken, last_broken, last_failed, last_read)"
    " SELECT %(subject)s, %(day)s, %(first)s, c.field, c.rule, c.severity,"
    " sum(c.failed), min(c.transfer), max(c.transfer),"
    " (array_agg(c.failed ORDER BY c.transfer DESC))[1],"
    " (array_agg(t.rows_read ORDER BY c.transfer DESC))[1]"
    " FROM ledger.rule_count c JOIN folding t ON t.id = c.transfer"
    " GROUP BY c.field, c.rule, c.severity"
)
_COUNTIES: LiteralString = (
    "INSERT INTO ledger.lane_county (dataset, day, first, county, rows_read, quarantined)"
    " SELECT %(subject)s, %(day)s, %(first)s, c.county, sum(c.rows_read), sum(c.quarantined)"
    " FROM ledger.county_count c JOIN folding t ON t.id = c.transfer GROUP BY c.county"
)
_PRIVACY: LiteralString = (
    "INSERT INTO ledger.privacy_day AS d (agreement, day, rule, action, runs, checked, hits)"
    " SELECT %(subject)s, %(day)s, v.rule, v.action, count(*), sum(v.checked), sum(v.hits)"
    " FROM ledger.privacy_result v JOIN folding t ON t.id = v.transfer GROUP BY v.rule, v.action"
    " ON CONFLICT (agreement, day, rule, action) DO UPDATE SET runs = d.runs + excluded.runs,"
    " checked = d.checked + excluded.checked, hits = d.hits + excluded.hits"
)
_DISCLOSURES: LiteralString = (
    "INSERT INTO ledger.lane_disclosure (agreement, month, bucket, first, entries)"
    " SELECT %(subject)s, d.month, get_byte(e.ref, 0), %(first)s,"
    " string_agg(e.ref || int8send(d.transfer), ''::bytea ORDER BY e.ref, d.transfer)"
    " FROM ledger.disclosure d JOIN folding t ON t.id = d.transfer CROSS JOIN LATERAL"
    " (SELECT substring(d.refs FROM n * 8 + 1 FOR 8) AS ref"
    " FROM generate_series(0, length(d.refs) / 8 - 1) n) e"
    " WHERE d.month BETWEEN date_trunc('month', CAST(%(day)s AS date) - 1)"
    " AND date_trunc('month', CAST(%(day)s AS date) + 1) GROUP BY d.month, get_byte(e.ref, 0)"
)
_GONE: tuple[LiteralString, ...] = (
    (
        "DELETE FROM ledger.disclosure d USING folding t WHERE t.id = d.transfer"
        " AND d.month BETWEEN date_trunc('month', CAST(%(day)s AS date) - 1)"
        " AND date_trunc('month', CAST(%(day)s AS date) + 1)"
    ),
    "DELETE FROM ledger.privacy_result v USING folding t WHERE t.id = v.transfer",
    "DELETE FROM ledger.finding f USING folding t WHERE t.id = f.transfer",
    "DELETE FROM ledger.rule_count c USING folding t WHERE t.id = c.transfer",
    "DELETE FROM ledger.county_count c USING folding t WHERE t.id = c.transfer",
    "DELETE FROM ledger.receipt r USING folding t WHERE t.id = r.transfer",
    "DELETE FROM ledger.transfer o USING folding t WHERE t.id = o.id",
)


@dataclass(frozen=True, slots=True)
class LaneSubject:
    """One dataset or agreement of the event lane.

    Attributes:
        subject: its id.
        dataset: of which versions are told: the dataset itself, or the agreement's own.
    """

    direction: Literal["collect", "deliver"]
    subject: str
    dataset: str


@dataclass(frozen=True, slots=True)
class FoldedDay:
    """The line that stands for a day's transfers of one subject.

    Attributes:
        first: the lowest id of a transfer.
        last: the highest.
        digest: over their receipts, hexadecimal.
    """

    first: int
    last: int
    transfers: int
    rows_read: int
    sent_rows: int
    digest: str


def days(connection: Connection, lane: LaneSubject, before: datetime) -> list[date]:
    """The days of a subject that can be folded, oldest first.

    Args:
        connection: of the hub's database.
        lane: the subject.
        before: only transfers of an earlier moment of the hub's clock.
    """
    return scalars(connection, date, _DAYS, _values(connection, lane, before))


def fold(
    connection: Connection, lane: LaneSubject, before: datetime, day: date
) -> FoldedDay | None:
    """Fold one day of a subject, inside the caller's transaction; others who fold wait for its end.

    Args:
        connection: with an open transaction.
        lane: the subject.
        before: as for `days`.
        day: of the hub's clock.

    Returns:
        None: another has folded it meanwhile.
    """
    locks.hold_in_transaction(connection, Kind.FOLDING)
    values = {**_values(connection, lane, before), "day": day, "pack": PACK}
    values["dataset"] = lane.dataset
    connection.execute(_TABLE)
    if connection.execute(_CHOSEN, values).rowcount < LEAST:
        connection.execute("DROP TABLE folding")
        return None
    connection.execute("ANALYZE folding")
    connection.execute(_PACKS, values)
    made = fetch_one(connection, FoldedDay, _DAY, values)
    values["first"] = made.first if made else 0
    for statement in (_FINDINGS, _RULES, _COUNTIES, _PRIVACY, _DISCLOSURES, *_GONE):
        connection.execute(statement, values)
    connection.execute("DROP TABLE folding")
    return made


def _values(connection: Connection, lane: LaneSubject, before: datetime) -> dict[str, object]:
    values: dict[str, object] = {
        "direction": lane.direction,
        "subject": lane.subject,
        "ended": "published" if lane.direction == "collect" else "confirmed",
        "before": before,
        "newest": NEWEST,
        "least": LEAST,
    }
    values["kept"] = scalar(connection, int, _KEPT, values) or 0
    values["folded"] = one_scalar(connection, int, _FOLDED, values)
    return values
