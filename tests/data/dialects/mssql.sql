-- SQL Server: a reading
SET TRANSACTION ISOLATION LEVEL SNAPSHOT
-- partition 3 of 4: (CAST(CHECKSUM([id], [level]) AS bigint) & 2147483647) % 4 = 3
-- columns
-- tinyint: [v]
-- smallint: [v]
-- int: [v]
-- bigint: [v]
-- bit: CAST([v] AS smallint)
-- decimal: [v]
-- numeric: [v]
-- money: CAST([v] AS decimal(19, 4))
-- smallmoney: CAST([v] AS decimal(19, 4))
-- char: RTRIM(CAST([v] AS nvarchar(max)))
-- nchar: RTRIM(CAST([v] AS nvarchar(max)))
-- varchar: CAST([v] AS nvarchar(max))
-- nvarchar: [v]
-- text: CAST([v] AS nvarchar(max))
-- ntext: CAST([v] AS nvarchar(max))
-- sysname: [v]
-- uniqueidentifier: CONVERT(nvarchar(36), [v])
-- time: CONVERT(nvarchar(16), [v], 121)
-- date: CONVERT(nvarchar(10), [v], 23)
--   v >= CAST('2026-11-01' AS date)
-- smalldatetime: CONVERT(nvarchar(33), [v], 121)
--   v >= CAST(CAST('2026-11-01' AS date) AS smalldatetime)
-- datetime: CONVERT(nvarchar(33), [v], 121)
--   v >= CAST(CAST('2026-11-01 08:00:00.127456' AS datetime2(3)) AS datetime)
-- datetime2: CONVERT(nvarchar(33), [v], 121)
--   v >= CAST('2026-11-01 08:00:00.127456' AS datetime2(6))
-- datetimeoffset: CONVERT(nvarchar(33), CAST(SWITCHOFFSET([v], '+00:00') AS datetime2(7)), 121)
--   v >= CAST('2026-11-01 08:00:00.127456 +00:00' AS datetimeoffset(6))
-- an inbox
SET ANSI_WARNINGS ON
SET ARITHABORT ON
SET ANSI_PADDING ON
SET XACT_ABORT ON
SET IMPLICIT_TRANSACTIONS OFF
CREATE TABLE card_status (
	id NVARCHAR(190) COLLATE Latin1_General_100_BIN2 NOT NULL, 
	level BIGINT NOT NULL, 
	name NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL, 
	amount NUMERIC(16, 2) NULL, 
	born DATE NULL, 
	at DATETIME2(6) NULL, 
	share DOUBLE PRECISION NULL, 
	yes BIT NULL, 
	delivery_id NVARCHAR(190) COLLATE Latin1_General_100_BIN2 NULL, 
	received_at DATETIME2(0) NULL, 
	PRIMARY KEY (id, level)
)
CREATE TABLE onecard_delivery (
	delivery_id NVARCHAR(190) COLLATE Latin1_General_100_BIN2 NOT NULL, 
	agreement NVARCHAR(190) COLLATE Latin1_General_100_BIN2 NULL, 
	rows BIGINT NULL, 
	digest NVARCHAR(190) COLLATE Latin1_General_100_BIN2 NULL, 
	manifest NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL, 
	received_at DATETIME2(0) NULL, 
	PRIMARY KEY (delivery_id)
)
-- a delivery
SELECT TOP 1 card_status.delivery_id FROM card_status
DELETE FROM card_status WHERE card_status.id = %(id_1)s AND card_status.level = %(level_1)s AND CAST(CAST(card_status.id AS NVARCHAR(max)) AS VARBINARY(max)) IN (%(param_1_1)s)
SELECT count(*) AS count_1 FROM card_status WHERE card_status.id = %(id_1)s AND card_status.level = %(level_1)s
DELETE FROM card_status WHERE (card_status.id = %(id_1)s AND card_status.level = %(level_1)s OR card_status.id = %(id_2)s AND card_status.level = %(level_2)s) AND CAST(CAST(card_status.id AS NVARCHAR(max)) AS VARBINARY(max)) IN (%(param_1_1)s, %(param_1_2)s)
INSERT INTO card_status (id, level, name, amount, born, at, share, yes, delivery_id, received_at) VALUES (%(id__0)s, %(level__0)s, %(name__0)s, %(amount__0)s, %(born__0)s, %(at__0)s, %(share__0)s, %(yes__0)s, %(delivery_id__0)s, %(received_at__0)s), (%(id__1)s, %(level__1)s, %(name__1)s, %(amount__1)s, %(born__1)s, %(at__1)s, %(share__1)s, %(yes__1)s, %(delivery_id__1)s, %(received_at__1)s)
SELECT id, level, name, amount, born, at, share, yes FROM card_status WHERE card_status.id = %(id_1)s AND card_status.level = %(level_1)s OR card_status.id = %(id_2)s AND card_status.level = %(level_2)s
SELECT onecard_delivery.digest FROM onecard_delivery WHERE onecard_delivery.delivery_id = %(delivery_id_1)s
DELETE FROM onecard_delivery WHERE onecard_delivery.delivery_id = %(delivery_id_1)s
INSERT INTO onecard_delivery (delivery_id, agreement, rows, digest, manifest, received_at) VALUES (%(delivery_id)s, %(agreement)s, %(rows)s, %(digest)s, %(manifest)s, %(received_at)s)
SELECT onecard_delivery.digest FROM onecard_delivery WHERE onecard_delivery.delivery_id = %(delivery_id_1)s
