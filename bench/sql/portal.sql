-- name: transfer
INSERT INTO ledger.transfer (direction, subject, status, policy_version, hub_time, finished_at,
    rows_read, published, quarantined)
VALUES ('collect', %(dataset)s, 'published', '1.0.0', %(at)s, clock_timestamp(), 0, 0, 0) RETURNING id

-- name: rows
CREATE TEMP TABLE rejected (fingerprint bytea, row_number bigint, reasons jsonb, payload bytea,
    key_epoch text) ON COMMIT DROP

-- name: copy
COPY rejected FROM STDIN

-- name: reject
INSERT INTO quarantine.record (dataset, fingerprint, origin, row_number, reasons, payload, key_epoch,
    first_transfer, last_transfer, first_seen, last_seen)
SELECT %(dataset)s, fingerprint, 'bench', row_number, reasons, payload, key_epoch, %(transfer)s,
    %(transfer)s, %(at)s, %(at)s FROM rejected

-- name: ticket
SELECT max(id) FROM ledger.ticket WHERE agency = %(agency)s


-- name: span
SELECT max(record), min(record), max(record) FILTER (WHERE place * 2 <= rows) FROM (
    SELECT record, row_number() OVER (ORDER BY record) AS place, count(*) OVER () AS rows
    FROM quarantine.reason WHERE problem = %(problem)s) r

-- name: problems
SELECT ledger.gather_problems();
