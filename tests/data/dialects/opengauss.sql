-- openGauss, GaussDB: a reading
SET DateStyle = 'ISO, YMD'
SET TimeZone = 'UTC'
SET client_encoding = 'UTF8'
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY
-- partition 3 of 4: coalesce((hashtext(concat_ws(E'\x1f', CAST("id" AS text), CAST("level" AS text)) COLLATE "C") & 2147483647) % 4, 0) = 3
-- columns
-- smallint: "v"
-- integer: "v"
-- bigint: "v"
-- numeric: "v"
-- text: "v"
-- character varying: "v"
-- character: CAST("v" AS text)
-- citext: CAST("v" AS text)
-- enum: CAST("v" AS text)
-- uuid: CAST("v" AS text)
-- boolean: CAST("v" AS text)
-- time without time zone: CAST("v" AS text)
-- time with time zone: CAST("v" AS text)
-- date: CAST("v" AS text)
--   v >= DATE '2026-11-01'
-- timestamp without time zone: CAST("v" AS text)
--   v >= TIMESTAMP '2026-11-01 08:00:00.127456'
-- timestamp with time zone: CAST("v" AS text)
--   v >= TIMESTAMPTZ '2026-11-01 08:00:00.127456+00'
-- smalldatetime: CAST("v" AS text)
--   v >= TIMESTAMP '2026-11-01 08:00:00.127456'
-- tinyint: "v"
-- nvarchar2: CAST("v" AS text)
-- clob: CAST("v" AS text)
-- an inbox
SET TimeZone = 'Etc/GMT-8'
SET DateStyle = 'ISO, YMD'
SET standard_conforming_strings = on
SET client_encoding = 'UTF8'
SET synchronous_commit = on
SET default_transaction_isolation = 'read committed'
SET enable_seqscan = off
CREATE TABLE card_status (
	id VARCHAR(190) NOT NULL, 
	level BIGINT NOT NULL, 
	name TEXT, 
	amount NUMERIC(16, 2), 
	born DATE, 
	at TIMESTAMP WITH TIME ZONE, 
	share DOUBLE PRECISION, 
	yes BOOLEAN, 
	delivery_id VARCHAR(190), 
	received_at TIMESTAMP WITHOUT TIME ZONE, 
	PRIMARY KEY (id, level)
)
CREATE TABLE onecard_delivery (
	delivery_id VARCHAR(190) NOT NULL, 
	agreement VARCHAR(190), 
	rows BIGINT, 
	digest VARCHAR(190), 
	manifest TEXT, 
	received_at TIMESTAMP WITHOUT TIME ZONE, 
	PRIMARY KEY (delivery_id)
)
