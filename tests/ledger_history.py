"""Synthetic history for the benchmarks: written by SQL, as no transfer has made it.

Statements on the hub's own tables stand in `onecard.store`; these stand here because no command of
the hub may write a past that never was.
"""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import Connection, sql

from onecard.base.sql_text import query

_NIGHTS = (
    "INSERT INTO history SELECT d + interval '2 hours', 'collect', s,"
    " CASE WHEN (d::date - DATE '2025-10-01' + length(s)) %% 97 = 0 THEN 'failed' ELSE 'published'"
    " END, 2000 + 37 * length(s), 12, true FROM generate_series(%(first)s::timestamp, %(last)s,"
    " '1 day') d, unnest(%(datasets)s::text[]) s"
)
_LANE = (
    "INSERT INTO history SELECT d, 'collect', %(event)s, 'published', 5, 0.4, false"
    " FROM generate_series(%(first)s::timestamp, %(last)s::timestamp + interval '1439 minutes',"
    " '1 minute') d"
)
_SENT = (
    "INSERT INTO history SELECT d + interval '3 hours', 'deliver', a, 'confirmed', 900, 3, true"
    " FROM generate_series(%(first)s::timestamp, %(last)s, '1 day') d,"
    " unnest(%(batch)s::text[]) a"
)
_SENT_EVENTS = (
    "INSERT INTO history SELECT d + interval '20 seconds', 'deliver', a, CASE WHEN"
    " extract(epoch FROM d)::bigint %% 7177 = 0 THEN 'failed' ELSE 'confirmed' END, 7, 0.6, false"
    " FROM generate_series(%(first)s::timestamp, %(last)s::timestamp + interval '1439 minutes',"
    " '1 minute') d, unnest(%(events)s::text[]) a WHERE extract(hour FROM d) BETWEEN 6 AND 21"
)
_TRANSFERS = (
    "INSERT INTO ledger.transfer (direction, subject, status, policy_version, started_at,"
    " finished_at, hub_time, rows_read, published, quarantined, version, sent_rows)"
    " SELECT direction, subject, status, '1.0.0', at, at + make_interval(secs => seconds +"
    " (random() * seconds)), at, n, n - n / 500, n / 500,"
    " (at::date - DATE '2025-10-01') * 1440 + extract(hour FROM at) * 60 + extract(minute FROM at),"
    " n FROM (SELECT at AT TIME ZONE 'Asia/Shanghai' AS at, direction, subject, status, seconds,"
    " CASE WHEN status = 'failed' THEN 0 ELSE n END AS n FROM history) h ORDER BY at"
)
_NIGHTLY = (
    "CREATE TEMP TABLE nightly AS SELECT id, direction, subject FROM ledger.transfer t"
    " WHERE extract(hour FROM hub_time AT TIME ZONE 'Asia/Shanghai') IN (2, 3)"
    " AND (direction = 'collect' AND subject <> %(event)s OR subject = ANY(%(batch)s))"
    " AND status <> 'failed'"
)
_PARTS = (
    (
        "INSERT INTO ledger.rule_count SELECT id, f.field, f.rule, f.severity, 1 + (id + f.n) %% 5"
        " FROM nightly JOIN rules f ON f.dataset = subject WHERE (id + f.n) %% 3 = 0"
    ),
    (
        "INSERT INTO ledger.finding SELECT id, f.name, f.severity, (id + f.n) %% 41 <> 0, 0.99, ''"
        " FROM nightly JOIN findings f ON f.dataset = subject"
    ),
    (
        "INSERT INTO ledger.county_count SELECT id, c, 100 + id %% 40, id %% 3 FROM nightly,"
        " unnest(%(counties)s::text[]) c WHERE direction = 'collect'"
    ),
    (
        "INSERT INTO ledger.privacy_result SELECT id, r, 'block', 'passed', 900, 0, '' FROM nightly,"
        " unnest(%(rules)s::text[]) r WHERE direction = 'deliver'"
    ),
    # Of the lane, results of the last two months: reports compare a month with the one before.
    (
        "INSERT INTO ledger.privacy_result SELECT id, r, 'warn', 'passed', 7, 0, ''"
        " FROM ledger.transfer, unnest(%(rules)s::text[]) r WHERE direction = 'deliver'"
        " AND subject = ANY(%(events)s) AND hub_time >= %(lane_from)s"
    ),
    (
        "INSERT INTO ledger.receipt SELECT id, CAST(jsonb_build_object('rows', sent_rows, 'versions',"
        " jsonb_build_object(%(event)s::text, version)) AS text), 'international', '2026', ''"
        " FROM ledger.transfer WHERE direction = 'deliver' AND status = 'confirmed'"
    ),
    (
        "INSERT INTO quarantine.record (dataset, fingerprint, origin, row_number, reasons, payload,"
        " key_epoch, first_transfer, last_transfer) SELECT subject, decode(md5(id || '/' || n), 'hex'),"
        " 'night', n, jsonb_build_array(jsonb_build_array('', 'required')), '', '2026', id, id"
        " FROM nightly, generate_series(1, 12) n WHERE direction = 'collect'"
    ),
    "INSERT INTO ledger.dataset (dataset, version) SELECT unnest(%(datasets)s::text[]), 395 * 1440",
    (
        "INSERT INTO ledger.ticket (agency, opened_for, opened_by, kind, dataset, rule, statement,"
        " opened_at, due_on, clock) SELECT split_part(d, '/', 1), 'bureau', 'bench', 'finding', d,"
        " 'required', '-', %(first)s::timestamptz + n * interval '285 minutes',"
        " (%(first)s::timestamptz + n * interval '285 minutes' + interval '7 days')::date, 'holidays'"
        " FROM generate_series(1, 2000) n, LATERAL (SELECT (%(datasets)s::text[])[1 + n %% 17]) x(d)"
    ),
    (
        "CREATE TABLE registry.hrss__card_status_event AS SELECT v AS _version,"
        " CASE WHEN (v + k) %% 3 = 0 THEN '06' ELSE '03' END AS event_type,"
        " %(first)s::timestamp AT TIME ZONE 'Asia/Shanghai' + v * interval '1 minute'"
        " - interval '20 seconds' AS effective_at FROM generate_series(1, 395 * 1440) v,"
        " generate_series(1, 5) k"
    ),
    (
        "INSERT INTO ledger.delivered SELECT a, %(event)s, 395 * 1440 - 60"
        " FROM unnest(%(cards)s::text[]) a"
    ),
)

COUNTED = ("transfer", "rule_count", "finding", "county_count", "privacy_result")


def fill(
    connection: Connection[tuple[object, ...]], values: Mapping[str, object]
) -> dict[str, int]:
    """Write thirteen months of transfers and what belongs to them; returns rows by table.

    The temporary tables `rules` (dataset, field, rule, severity, n) and `findings` (dataset, name,
    severity, n) say what may be found; `values` are named as in the statements.
    """
    connection.execute("SET session_replication_role = replica")  # no look-up of each parent
    connection.execute(
        "CREATE TEMP TABLE history (at timestamp, direction text, subject text, status text,"
        " n bigint, seconds float8, nightly boolean)"
    )
    for statement in (_NIGHTS, _LANE, _SENT, _SENT_EVENTS, _TRANSFERS, _NIGHTLY, *_PARTS):
        connection.execute(statement, values)
    connection.execute("DROP TABLE history")
    connection.execute("VACUUM ANALYZE")
    return {table: count(connection, table) for table in COUNTED}


def count(connection: Connection[tuple[object, ...]], table: str) -> int:
    """Rows of a table of the ledger."""
    statement = query("SELECT count(*) FROM {t}", t=sql.Identifier("ledger", table))
    row = connection.execute(statement).fetchone()
    return int(str(row[0])) if row else 0


def forget_deliveries(connection: Connection[tuple[object, ...]], agreement: str) -> None:
    """Let the agreement's next delivery be its first: none is usual, nothing is held.

    Args:
        connection: of the hub's database, in autocommit.
        agreement: its id.
    """
    for statement in (
        "DELETE FROM ledger.delivered WHERE agreement = %(id)s",
        "UPDATE ledger.transfer SET replay = true WHERE subject = %(id)s AND direction = 'deliver'",
        (
            "DELETE FROM ledger.holding WHERE holder IN (SELECT number FROM ledger.holding_head"
            " WHERE agreement = %(id)s UNION ALL SELECT holder FROM ledger.holding_pending"
            " WHERE agreement = %(id)s)"
        ),
        "DELETE FROM ledger.holding_pending WHERE agreement = %(id)s",
        "DELETE FROM ledger.holding_head WHERE agreement = %(id)s",
    ):
        connection.execute(statement, {"id": agreement})
    connection.execute("VACUUM ledger.holding, ledger.holding_pending")


def move_watermarks(connection: Connection[tuple[object, ...]]) -> None:
    """Move every watermark ten years on: nothing that is planted now waits for a collect."""
    connection.execute(
        "UPDATE ledger.dataset SET checkpoint = jsonb_set(checkpoint, '{cursor}',"
        " to_jsonb((now() + interval '10 years')::text))"
    )


def pack_disclosures(
    connection: Connection[tuple[object, ...]], agreements: list[str], deliveries: int, each: int
) -> int:
    """Write deliveries of the year 2025 that held persons; how many packed rows these are.

    Args:
        connection: of the hub's database, in autocommit.
        agreements: under which they were, in turn.
        deliveries: how many.
        each: packed rows of each.
    """
    values = {"of": agreements, "all": deliveries, "each": each}
    connection.execute(
        "INSERT INTO ledger.transfer (id, direction, subject, status, policy_version, hub_time)"
        " OVERRIDING SYSTEM VALUE SELECT 1000000 + t, 'deliver',"
        " (CAST(%(of)s AS text[]))[1 + t %% cardinality(%(of)s)], 'confirmed', '1.0.0',"
        " timestamptz '2025-01-01 02:00+08' + interval '364 days' * t / %(all)s"
        " FROM generate_series(1, %(all)s) t",
        values,
    )
    connection.execute(
        "INSERT INTO ledger.disclosure (month, bucket, transfer, part, refs)"
        " SELECT CAST(date_trunc('month', t.hub_time AT TIME ZONE 'Etc/GMT-8') AS date), n.bucket,"
        " t.id, 1, decode(lpad(to_hex(n.bucket), 4, '0') || left(md5(b::text || t.id), 12), 'hex')"
        " FROM ledger.transfer t CROSS JOIN generate_series(0, %(each)s - 1) b"
        " CROSS JOIN LATERAL (SELECT CAST((b * 7919 + t.id * 31) %% 65536 AS integer)) n (bucket)"
        " WHERE t.id > 1000000 ORDER BY t.id, n.bucket",
        values,
    )
    connection.execute("VACUUM ANALYZE ledger.transfer, ledger.disclosure")
    return count(connection, "disclosure")
