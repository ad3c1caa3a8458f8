-- Days before the newest folded one, like it, each with as many transfers as a whole day has; their
-- receipts repeat those of the batches, one after the other. Ids of a day stand so far (apart) from
-- those of the next.

-- name: one shape of disclosures
DELETE FROM ledger.lane_disclosure WHERE first NOT IN (
    SELECT first FROM ledger.lane_day WHERE day = (SELECT max(day) FROM ledger.lane_day))

-- name: one shape of findings
DELETE FROM ledger.lane_finding WHERE first NOT IN (
    SELECT first FROM ledger.lane_day WHERE day = (SELECT max(day) FROM ledger.lane_day))

-- name: packs of a thousand transfers
CREATE TEMP TABLE pattern AS
SELECT p.*, m,
    ARRAY(SELECT x + r * 100000 FROM generate_series(0, m - 1) r, unnest(p.transfers) x
        ORDER BY r, x) AS ids,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.started_at) AS v) AS started_at_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.finished_at) AS v) AS finished_at_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.hub_time) AS v) AS hub_time_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.versions) AS v) AS versions_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.sent_rows) AS v) AS sent_rows_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.deleted_rows) AS v) AS deleted_rows_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.deliveries) AS v) AS deliveries_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.expires_at) AS v) AS expires_at_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.suites) AS v) AS suites_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.key_epochs) AS v) AS key_epochs_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.signatures) AS v) AS signatures_,
    ARRAY(SELECT v FROM generate_series(1, m), unnest(p.bodies) AS v) AS bodies_
FROM ledger.lane_pack p, LATERAL (SELECT 1000 / cardinality(p.transfers) AS m) w
WHERE p.day = (SELECT max(day) FROM ledger.lane_day)

-- name: days
INSERT INTO ledger.lane_day (direction, subject, day, first, last, transfers, first_time,
    rows_read, published, unchanged, quarantined, deduplicated, filtered_by_policy, sent_rows,
    sent_parts, deleted_rows, took_ms, took_times, digest)
SELECT direction, subject, day - n, first - n * %(apart)s::bigint, last - n * %(apart)s::bigint, transfers * f,
    first_time - n * interval '1 day', rows_read * f, published * f, unchanged * f,
    quarantined * f, deduplicated * f, filtered_by_policy * f, sent_rows * f, sent_parts * f,
    deleted_rows * f, took_ms, took_times, digest
FROM ledger.lane_day, LATERAL (SELECT %(packs)s * 1000 / transfers AS f) x,
    generate_series(1, %(days)s) n
WHERE day = (SELECT max(day) FROM ledger.lane_day)

-- name: packs
INSERT INTO ledger.lane_pack
SELECT direction, subject, day - n, ids[1] + b, ids[cardinality(ids)] + b, dataset,
    first_finished - n * interval '1 day', last_finished - n * interval '1 day',
    first_expires - n * interval '1 day', sent * m,
    ARRAY(SELECT x + b FROM unnest(ids) x), started_at_, finished_at_,
    ARRAY(SELECT x - n * interval '1 day' FROM unnest(hub_time_) x), versions_, sent_rows_,
    deleted_rows_, deliveries_, ARRAY(SELECT x - n * interval '1 day' FROM unnest(expires_at_) x),
    suites_, key_epochs_, signatures_, bodies_
FROM pattern, generate_series(1, %(days)s) n, generate_series(0, %(packs)s - 1) k,
    LATERAL (SELECT k * %(apart)s::bigint / 10 - n * %(apart)s::bigint AS b) w

-- name: findings
INSERT INTO ledger.lane_finding
SELECT dataset, day - n, first - n * %(apart)s::bigint, name, severity, runs, failed,
    last - n * %(apart)s::bigint, observed, last_failed
FROM ledger.lane_finding, generate_series(1, %(days)s) n

-- name: privacy results
INSERT INTO ledger.privacy_day
SELECT agreement, day - n, rule, action, runs, checked, hits
FROM ledger.privacy_day, generate_series(1, %(days)s) n ON CONFLICT DO NOTHING

-- name: disclosures
INSERT INTO ledger.lane_disclosure
SELECT d.agreement, d.month, d.bucket, d.first - n * %(apart)s::bigint, d.many
FROM (SELECT l.*, (SELECT string_agg(e, ''::bytea) FROM
        (SELECT l.entries AS e FROM generate_series(1, %(packs)s * 1000 / %(batches)s)) z) AS many
    FROM ledger.lane_disclosure l) d, generate_series(1, %(days)s) n

-- name: oldest pack
SELECT min(first) FROM ledger.lane_pack
