-- name: quotas as new
DELETE FROM ledger.question_count

-- name: recorded
SELECT request_id FROM ledger.question
