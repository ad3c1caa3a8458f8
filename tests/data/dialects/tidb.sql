-- TiDB: a reading
SET time_zone = '+00:00'
SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', '')
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
START TRANSACTION WITH CONSISTENT SNAPSHOT
-- partition 3 of 4: coalesce(crc32(concat_ws(char(31 USING utf8mb4), `id`, `level`)), 0) % 4 = 3
-- columns
-- tinyint: `v`
-- smallint: `v`
-- mediumint: `v`
-- int: `v`
-- bigint: `v`
-- zerofill: CAST(`v` AS CHAR)
-- decimal: `v`
-- year: CAST(`v` AS CHAR)
-- bit: CAST(`v` AS UNSIGNED INTEGER)
-- char: `v`
-- varchar: `v`
-- tinytext: `v`
-- text: `v`
-- mediumtext: `v`
-- longtext: `v`
-- enum: `v`
-- set: `v`
-- uuid: CAST(`v` AS CHAR)
-- time: CAST(`v` AS CHAR)
-- date: `v`
-- datetime: `v`
-- timestamp: `v`
-- an inbox
SET SESSION sql_mode = 'STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'
SET SESSION time_zone = '+08:00', unique_checks = 1, foreign_key_checks = 1
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ
CREATE TABLE card_status (
	id VARCHAR(190) NOT NULL, 
	level BIGINT NOT NULL, 
	name LONGTEXT, 
	amount NUMERIC(16, 2), 
	born DATE, 
	at DATETIME(6), 
	share DOUBLE, 
	yes BOOL, 
	delivery_id VARCHAR(190), 
	received_at DATETIME, 
	PRIMARY KEY (id, level)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
CREATE TABLE onecard_delivery (
	delivery_id VARCHAR(190) NOT NULL, 
	agreement VARCHAR(190), 
	`rows` BIGINT, 
	digest VARCHAR(190), 
	manifest LONGTEXT, 
	received_at DATETIME, 
	PRIMARY KEY (delivery_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin
