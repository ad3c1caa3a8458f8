-- name: deliveries
SELECT DISTINCT d FROM ledger.lane_pack, unnest(deliveries) AS d WHERE subject = %s
