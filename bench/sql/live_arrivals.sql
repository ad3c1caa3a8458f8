-- name: events
SELECT event_id, _version FROM registry.hrss__card_status_event WHERE event_id ~ '^0194'

-- name: published
SELECT count(*) FROM registry.hrss__card_status_event WHERE event_id ~ '^0194'

-- name: confirmed
SELECT t.subject, CAST(CAST(r.body AS jsonb) #>> ARRAY['versions', %(dataset)s] AS bigint),
    extract(epoch FROM t.finished_at)::float8
FROM ledger.transfer t
JOIN ledger.receipt r ON r.transfer = t.id
WHERE t.subject = ANY(%(agreements)s) AND t.direction = 'deliver' AND t.status = 'confirmed'

-- name: waiting
SELECT count(*)
FROM unnest(%(agreements)s::text[]) AS a
LEFT JOIN ledger.delivered d ON d.agreement = a AND d.dataset = %(dataset)s
WHERE coalesce(d.version, 0)
    < (SELECT version FROM ledger.dataset WHERE dataset = %(dataset)s)

-- name: held
SELECT count(*) FROM ledger.transfer WHERE status = 'held'
