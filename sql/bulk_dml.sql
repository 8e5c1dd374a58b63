-- UPDATE and DELETE of very many rows in a transaction that has run DDL
SET client_min_messages = warning;
CREATE SCHEMA bulk_dml;
SET search_path = bulk_dml, public;
SET zdm.max_dml_rows = 20;
CREATE TABLE t (id int PRIMARY KEY, a int) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT g, g FROM generate_series(1, 50) g;
CREATE TABLE part (id int, a int) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100)
	WITH (autovacuum_enabled = off);
INSERT INTO part SELECT g, g FROM generate_series(1, 50) g;
CREATE TABLE few (id int) WITH (autovacuum_enabled = off);
INSERT INTO few VALUES (1);
ANALYZE t, part, part_1, few;

-- without DDL before it: the application's own business
BEGIN;
UPDATE t SET a = 0;
ROLLBACK;

-- with DDL before it
BEGIN;
ALTER TABLE few ADD COLUMN b int;
UPDATE t SET a = id;
UPDATE part SET a = 0;
WITH changed AS (UPDATE part SET a = 1 RETURNING id) SELECT count(*) FROM changed;
-- a large table read from end to end, though one row is expected
UPDATE few SET b = 1 FROM t WHERE t.a = few.id;
UPDATE t SET a = 0 WHERE a = 1;
-- few rows, by an index
SET LOCAL enable_seqscan = off;
UPDATE t SET a = 0 WHERE id = 1;
RESET enable_seqscan;
-- no change of rows that others use
INSERT INTO t SELECT id + 100, a FROM t;
CREATE TABLE made AS SELECT * FROM t;
UPDATE made SET a = 0;
EXPLAIN (COSTS off) UPDATE t SET a = 0;
DELETE FROM t;
ROLLBACK;

-- the savepoint takes the DDL back
BEGIN;
SAVEPOINT s;
ALTER TABLE few ADD COLUMN b int;
ROLLBACK TO s;
UPDATE t SET a = 0;
ROLLBACK;

-- switched off, waived, or not an error
BEGIN;
ALTER TABLE few ADD COLUMN b int;
SET LOCAL zdm.max_dml_rows = 0;
UPDATE t SET a = 1;
SET LOCAL zdm.max_dml_rows = 20;
SET LOCAL zdm.rules = 'bulk_dml=note';
UPDATE t SET a = 2;
ROLLBACK;

-- in a window
SELECT zdm_begin_window('bulk') > 0 AS opened;
BEGIN;
ALTER TABLE few ADD COLUMN b int;
UPDATE t SET a = 3;
ROLLBACK;
BEGIN;
ALTER TABLE few ADD COLUMN b int;
SET LOCAL zdm.allow = 'bulk_dml';
UPDATE t SET a = 4;
COMMIT;
BEGIN;
ALTER TABLE few ADD COLUMN c int;
SET LOCAL zdm.mode = 'warn';
SELECT 1; UPDATE t SET a = 5; SELECT 2;
COMMIT;
SELECT zdm_end_window('bulk');
SELECT window_name, command, decision, rules, sql FROM zdm_history
	WHERE 'bulk_dml' = ANY (rules) ORDER BY id;
SELECT DISTINCT a FROM t;

DROP SCHEMA bulk_dml CASCADE;
