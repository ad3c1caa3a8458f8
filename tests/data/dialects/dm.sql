-- DM8: a reading
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
-- partition 3 of 4: no hash, = 3
-- columns
-- tinyint: CAST("v" AS VARCHAR(64))
-- byte: CAST("v" AS VARCHAR(64))
-- smallint: CAST("v" AS VARCHAR(64))
-- int: CAST("v" AS VARCHAR(64))
-- integer: CAST("v" AS VARCHAR(64))
-- bigint: CAST("v" AS VARCHAR(64))
-- number: CAST("v" AS VARCHAR(64))
-- numeric: CAST("v" AS VARCHAR(64))
-- decimal: CAST("v" AS VARCHAR(64))
-- dec: CAST("v" AS VARCHAR(64))
-- bit: CAST("v" AS VARCHAR(64))
-- varchar: "v"
-- varchar2: "v"
-- nvarchar: "v"
-- nvarchar2: "v"
-- char: RTRIM("v")
-- character: RTRIM("v")
-- nchar: RTRIM("v")
-- clob: "v"
-- text: "v"
-- longvarchar: "v"
-- time: CAST("v" AS VARCHAR(32))
-- date: CASE WHEN "v" < DATE '0001-01-01' THEN 'before the year 1' ELSE TO_CHAR("v", 'YYYY-MM-DD HH24:MI:SS') END
--   v >= DATE '2026-11-01'
-- timestamp: CASE WHEN "v" < TIMESTAMP '0001-01-01 00:00:00' THEN 'before the year 1' WHEN "v" <> CAST("v" AS TIMESTAMP(6)) THEN 'finer than microseconds' ELSE TO_CHAR("v", 'YYYY-MM-DD HH24:MI:SS.FF6') END
--   v >= TIMESTAMP '2026-11-01 08:00:00.127456'
-- datetime: CASE WHEN "v" < TIMESTAMP '0001-01-01 00:00:00' THEN 'before the year 1' WHEN "v" <> CAST("v" AS TIMESTAMP(6)) THEN 'finer than microseconds' ELSE TO_CHAR("v", 'YYYY-MM-DD HH24:MI:SS.FF6') END
--   v >= TIMESTAMP '2026-11-01 08:00:00.127456'
-- an inbox
CREATE TABLE card_status (
	id VARCHAR2(190 CHAR) NOT NULL, 
	"level" NUMBER(19) NOT NULL, 
	name CLOB, 
	amount NUMERIC(16, 2), 
	born DATE, 
	at TIMESTAMP, 
	"share" DOUBLE PRECISION, 
	yes SMALLINT, 
	delivery_id VARCHAR2(190 CHAR), 
	received_at TIMESTAMP, 
	PRIMARY KEY (id, "level")
)
CREATE TABLE onecard_delivery (
	delivery_id VARCHAR2(190 CHAR) NOT NULL, 
	agreement VARCHAR2(190 CHAR), 
	"rows" NUMBER(19), 
	digest VARCHAR2(190 CHAR), 
	"manifest" CLOB, 
	received_at TIMESTAMP, 
	PRIMARY KEY (delivery_id)
)
-- a delivery
SELECT anon_1.delivery_id FROM (SELECT card_status.delivery_id AS delivery_id FROM card_status) anon_1 WHERE ROWNUM <= 1
DELETE FROM card_status WHERE (card_status.id, card_status."level") IN ((?, ?)) AND (card_status.id || '.') IN ((?))
SELECT count(*) AS count_1 FROM card_status WHERE (card_status.id, card_status."level") IN ((?, ?))
DELETE FROM card_status WHERE (card_status.id, card_status."level") IN ((?, ?), (?, ?)) AND (card_status.id || '.') IN ((?), (?))
INSERT INTO card_status (id, "level", name, amount, born, at, "share", yes, delivery_id, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
SELECT id, "level", name, amount, born, at, "share", yes FROM card_status WHERE (card_status.id, card_status."level") IN ((?, ?), (?, ?))
SELECT onecard_delivery.digest FROM onecard_delivery WHERE onecard_delivery.delivery_id = ?
DELETE FROM onecard_delivery WHERE onecard_delivery.delivery_id = ?
INSERT INTO onecard_delivery (delivery_id, agreement, "rows", digest, "manifest", received_at) VALUES (?, ?, ?, ?, ?, ?)
SELECT onecard_delivery.digest FROM onecard_delivery WHERE onecard_delivery.delivery_id = ?
