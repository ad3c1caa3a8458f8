-- Oracle: a reading
ALTER SESSION SET TIME_ZONE = '+00:00'
ALTER SESSION SET NLS_CALENDAR = 'GREGORIAN'
SET TRANSACTION READ ONLY
-- partition 3 of 4: COALESCE(MOD(ORA_HASH("id" || CHR(31) || "level"), 4), 0) = 3
-- columns
-- number: TO_CHAR("v", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')
-- float: TO_CHAR("v", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')
-- varchar2: "v"
-- nvarchar2: "v"
-- char: RTRIM("v")
-- nchar: RTRIM("v")
-- clob: "v"
-- nclob: "v"
-- long: "v"
-- date: CASE WHEN "v" < DATE '0001-01-01' THEN 'before the year 1' ELSE TO_CHAR("v", 'YYYY-MM-DD HH24:MI:SS') END
--   v >= TO_DATE('2026-11-01 08:00:00', 'YYYY-MM-DD HH24:MI:SS')
-- timestamp: CASE WHEN "v" < TIMESTAMP '0001-01-01 00:00:00' THEN 'before the year 1' ELSE TO_CHAR("v", 'YYYY-MM-DD HH24:MI:SS.FF9') END
--   v >= TIMESTAMP '2026-11-01 08:00:00.127456'
-- timestamp with time zone: CASE WHEN SYS_EXTRACT_UTC("v") < TIMESTAMP '0001-01-01 00:00:00' THEN 'before the year 1' ELSE TO_CHAR(SYS_EXTRACT_UTC("v"), 'YYYY-MM-DD HH24:MI:SS.FF9') END
--   v >= TIMESTAMP '2026-11-01 08:00:00.127456 +00:00'
-- timestamp with local time zone: CASE WHEN SYS_EXTRACT_UTC(CAST("v" AS TIMESTAMP(9) WITH TIME ZONE)) < TIMESTAMP '0001-01-01 00:00:00' THEN 'before the year 1' ELSE TO_CHAR(SYS_EXTRACT_UTC(CAST("v" AS TIMESTAMP(9) WITH TIME ZONE)), 'YYYY-MM-DD HH24:MI:SS.FF9') END
--   v >= TIMESTAMP '2026-11-01 08:00:00.127456 +00:00'
-- an inbox
ALTER SESSION SET TIME_ZONE = '+08:00'
ALTER SESSION SET NLS_CALENDAR = 'GREGORIAN'
ALTER SESSION SET NLS_COMP = 'BINARY'
ALTER SESSION SET COMMIT_WAIT = 'WAIT'
ALTER SESSION SET COMMIT_LOGGING = 'IMMEDIATE'
CREATE TABLE card_status (
	id VARCHAR2(190 CHAR) NOT NULL, 
	"level" NUMBER(19) NOT NULL, 
	name CLOB, 
	amount NUMERIC(16, 2), 
	born DATE, 
	at TIMESTAMP, 
	"share" BINARY_DOUBLE, 
	yes SMALLINT, 
	delivery_id VARCHAR2(190 CHAR), 
	received_at DATE, 
	PRIMARY KEY (id, "level")
)
CREATE TABLE onecard_delivery (
	delivery_id VARCHAR2(190 CHAR) NOT NULL, 
	agreement VARCHAR2(190 CHAR), 
	rows NUMBER(19), 
	digest VARCHAR2(190 CHAR), 
	manifest CLOB, 
	received_at DATE, 
	PRIMARY KEY (delivery_id)
)
-- a delivery
SELECT card_status.delivery_id FROM card_status FETCH FIRST 1 ROWS ONLY
DELETE FROM card_status WHERE (card_status.id, card_status."level") IN ((:param_1_1_1, :param_1_1_2))
SELECT count(*) AS count_1 FROM card_status WHERE (card_status.id, card_status."level") IN ((:param_1_1_1, :param_1_1_2))
DELETE FROM card_status WHERE (card_status.id, card_status."level") IN ((:param_1_1_1, :param_1_1_2), (:param_1_2_1, :param_1_2_2))
INSERT INTO card_status (id, "level", name, amount, born, at, "share", yes, delivery_id, received_at) VALUES (:id, :"level", :name, :amount, :born, :at, :"share", :yes, :delivery_id, :received_at)
SELECT id, "level", name, amount, born, at, "share", yes FROM card_status WHERE (card_status.id, card_status."level") IN ((:param_1_1_1, :param_1_1_2), (:param_1_2_1, :param_1_2_2))
SELECT onecard_delivery.digest FROM onecard_delivery WHERE onecard_delivery.delivery_id = :delivery_id_1
DELETE FROM onecard_delivery WHERE onecard_delivery.delivery_id = :delivery_id_1
INSERT INTO onecard_delivery (delivery_id, agreement, rows, digest, manifest, received_at) VALUES (:delivery_id, :agreement, :rows, :digest, :manifest, :received_at)
SELECT onecard_delivery.digest FROM onecard_delivery WHERE onecard_delivery.delivery_id = :delivery_id_1
