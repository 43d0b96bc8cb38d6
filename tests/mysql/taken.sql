-- What MySQL 8 takes and looks like what it does not: a measure that refuses everything measures nothing.
INSERT INTO `t` (`a`, `b`) VALUES (1, -2.5e-7), ('it''s \\ ?', NULL) ON DUPLICATE KEY UPDATE `b` = VALUES(`b`)
CREATE OR REPLACE VIEW `v` AS SELECT 1 AS a
CREATE TABLE `rank` (`lead` TEXT DEFAULT NULL, `system` LONGTEXT, `of` VARCHAR(5) DEFAULT 'x', KEY (`lead`(5)))
CREATE INDEX x ON t (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
CREATE TABLE t (a INT) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
SELECT t.rank, returning FROM t ORDER BY 1 LIMIT 5 OFFSET 1
SELECT a FROM t /* all "t" */ FOR UPDATE SKIP LOCKED
SELECT a FROM t WHERE (a, b) > (?, ?) AND a IN (1, 2, 3) AND b IS NOT NULL LOCK IN SHARE MODE
SELECT 1 /*!40100 + 1 */
SET SESSION sql_mode = 'STRICT_ALL_TABLES'
SET NAMES utf8mb4 COLLATE utf8mb4_bin
WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < 5) SELECT a FROM n
GRANT SELECT, CREATE TEMPORARY TABLES ON `a\_b`.* TO 'u'@'%';
SELECT `a "b" ``c```, '`', "it's" FROM `t``s` WHERE `'` = 1
