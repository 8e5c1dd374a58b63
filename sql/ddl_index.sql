-- CREATE INDEX, DROP INDEX, REINDEX
SET client_min_messages = warning;
CREATE SCHEMA ddl_index;
SET search_path = ddl_index, public;
\set judge 'SELECT statement, object, rule, class, lock_mode, rewrites, scans, verdict FROM zdm_check'
\set advise 'SELECT rule, message, hint FROM zdm_check'

CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int NOT NULL DEFAULT 7,
	u uuid DEFAULT gen_random_uuid());
CREATE INDEX t_a ON t (a);
CREATE INDEX t_b ON t (b);
CREATE UNIQUE INDEX t_u ON t (u);
INSERT INTO t (id, a, b) SELECT g, g, g FROM generate_series(1, 10) g;
CREATE TABLE fk (t_u uuid REFERENCES t (u));
CREATE TABLE empty (a int);
CREATE INDEX empty_a ON empty (a);
CREATE TABLE "Mixed Case" ("A b" int);
CREATE INDEX "Mixed Index" ON "Mixed Case" ("A b");
INSERT INTO "Mixed Case" VALUES (1);
CREATE TABLE a23456789_123456789_123456789_123456789_123456789_123456789_123 (a int);
INSERT INTO a23456789_123456789_123456789_123456789_123456789_123456789_123 VALUES (1);
CREATE TABLE p (k int NOT NULL, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (v);
CREATE TABLE p2a PARTITION OF p2 FOR VALUES FROM (0) TO (10);
CREATE INDEX p_v ON p (v);
INSERT INTO p VALUES (1, 1), (11, 2);
CREATE TABLE noparts (k int) PARTITION BY RANGE (k);
CREATE TABLE parent (a int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1);
CREATE MATERIALIZED VIEW mv AS SELECT * FROM t WITH NO DATA;
CREATE INDEX mv_a ON mv (a);
REFRESH MATERIALIZED VIEW mv;
CREATE TEMPORARY TABLE tmp (a int);
INSERT INTO tmp VALUES (1);
CREATE INDEX tmp_a ON tmp (a);

-- what is built under which lock
:judge ($$CREATE INDEX ON t (a);
CREATE INDEX t_a2 ON t (a) WHERE b > '';
CREATE INDEX ON t USING hash ((a + 1));
CREATE INDEX CONCURRENTLY ON t (a);
CREATE INDEX ON empty (a);
CREATE INDEX ON "Mixed Case" ("A b");
CREATE INDEX ON a23456789_123456789_123456789_123456789_123456789_123456789_123 (a);
CREATE INDEX ON parent (a);
CREATE INDEX ON child (a);
CREATE INDEX ON mv (a)$$);
:judge ($$CREATE INDEX ON p (v);
CREATE INDEX ON ONLY p (v);
CREATE INDEX CONCURRENTLY ON p (v);
CREATE INDEX ON p1 (v);
CREATE INDEX ON noparts (k)$$);

-- partitions that have the index already: nothing is built
CREATE INDEX CONCURRENTLY p1_kv ON p1 (k, v DESC);
:judge ($$CREATE INDEX ON p (k, v)$$);
CREATE INDEX CONCURRENTLY p2a_kv ON p2a (k, v);
:judge ($$CREATE INDEX ON p (k, v);
CREATE INDEX ON p (v, k);
CREATE UNIQUE INDEX ON p (k, v);
CREATE INDEX ON p (k, v) WHERE v > 0;
CREATE INDEX ON p USING hash (k)$$);
DROP INDEX CONCURRENTLY p1_kv;
DROP INDEX CONCURRENTLY p2a_kv;

-- tables made earlier in the script are nobody's yet
:judge ($$CREATE TABLE n (a int);
CREATE INDEX ON n (a);
CREATE UNIQUE INDEX ON n (a);
DROP TABLE t;
CREATE TABLE t (a int);
CREATE INDEX ON t (a)$$);

-- temporary tables are nobody else's
SELECT statement, rule, class, lock_mode, rewrites, scans, verdict
FROM zdm_check($$CREATE INDEX ON tmp (a);
CREATE UNIQUE INDEX ON tmp (a);
CREATE INDEX IF NOT EXISTS tmp_a ON tmp (a);
REINDEX TABLE tmp;
DROP INDEX CONCURRENTLY tmp_a;
DROP INDEX tmp_a$$);

-- what does not exist
:judge ($$CREATE INDEX ON nope (a);
CREATE INDEX ON t (nope);
CREATE INDEX ON t (a) INCLUDE (nope);
CREATE INDEX ON nope.t (a);
DROP INDEX nope;
DROP INDEX IF EXISTS nope;
REINDEX INDEX nope;
REINDEX TABLE nope;
REINDEX SCHEMA nope$$);

-- a taken name: nothing is built, the lock is taken all the same
:judge ($$CREATE INDEX IF NOT EXISTS t_a ON t (a);
CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);
CREATE INDEX t_a ON t (a);
CREATE INDEX IF NOT EXISTS t_new ON t (a);
CREATE INDEX IF NOT EXISTS t_new ON t (a)$$);

-- an index that a failed build has left behind
INSERT INTO t (id, a, b) VALUES (11, 10, 'double');
CREATE UNIQUE INDEX CONCURRENTLY t_broken ON t (a);
:judge ($$CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_broken ON t (a)$$);
:advise ($$CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_broken ON t (a)$$);
DROP INDEX CONCURRENTLY t_broken;
DELETE FROM t WHERE id = 11;

-- a unique index rejects rows that clients write
:judge ($$CREATE UNIQUE INDEX CONCURRENTLY ON t (b);
CREATE UNIQUE INDEX CONCURRENTLY ON t (a, b);
CREATE UNIQUE INDEX ON empty (a)$$);

-- inside a transaction block
:judge ($$BEGIN;
CREATE INDEX CONCURRENTLY ON t (a);
DROP INDEX CONCURRENTLY t_b;
REINDEX TABLE CONCURRENTLY t;
REINDEX SCHEMA CONCURRENTLY ddl_index;
CREATE INDEX ON empty (a);
COMMIT$$);

-- DROP INDEX
:judge ($$DROP INDEX t_a;
DROP INDEX CONCURRENTLY t_b;
DROP INDEX IF EXISTS mv_a, nope;
DROP INDEX t_u CASCADE;
DROP INDEX empty_a;
DROP INDEX "Mixed Index"$$);
:judge ($$DROP INDEX p_v$$);
:judge ($$DROP INDEX CONCURRENTLY p_v;
DROP INDEX CONCURRENTLY t_a, t_b;
DROP INDEX CONCURRENTLY t_a CASCADE;
DROP INDEX p1_v_idx;
DROP INDEX t_pkey$$);
:judge ($$DROP INDEX t_a; CREATE INDEX ON t (a);
DROP INDEX t_b; CREATE INDEX ON mv (b)$$);
:judge ($$BEGIN; DROP INDEX t_a; CREATE INDEX ON t (a); COMMIT$$);

-- REINDEX
:judge ($$REINDEX TABLE t;
REINDEX INDEX t_a;
REINDEX TABLE CONCURRENTLY t;
REINDEX (CONCURRENTLY) INDEX t_a;
REINDEX (CONCURRENTLY false) INDEX t_a;
REINDEX TABLE empty;
REINDEX TABLE parent;
REINDEX TABLE child;
REINDEX TABLE fk;
REINDEX TABLE p;
REINDEX INDEX p_v;
REINDEX TABLE CONCURRENTLY p;
REINDEX TABLE pg_class;
REINDEX SCHEMA CONCURRENTLY ddl_index;
REINDEX SYSTEM CONCURRENTLY regression;
REINDEX SCHEMA pg_catalog$$);
SELECT rule, class, lock_mode, rewrites, scans, verdict
FROM zdm_check($$REINDEX SCHEMA ddl_index$$);

-- what to do instead
:advise ($$CREATE INDEX ON t (a);
create unique index /* index */ if not exists "On" on ddl_index.t using btree (b desc) -- on
	where a > 0;
DROP INDEX t_a, t_b;
REINDEX TABLE t;
REINDEX INDEX "Mixed Index";
REINDEX TABLE p$$);
SELECT rule, hint FROM zdm_check($$REINDEX SCHEMA ddl_index$$);
:advise ($$CREATE INDEX ON p (v, k) WITH (fillfactor = 70)$$);
:advise ($$CREATE UNIQUE INDEX CONCURRENTLY p_kv ON p (k, v)$$);
:advise ($$BEGIN; CREATE INDEX CONCURRENTLY ON t (a)$$);
:advise ($$DROP INDEX CONCURRENTLY p_v; DROP INDEX CONCURRENTLY t_a, t_b; DROP INDEX CONCURRENTLY t_b CASCADE; DROP INDEX t_u CASCADE$$);

-- through the hook
\set VERBOSITY sqlstate
BEGIN;
CREATE INDEX ON t (a);
ROLLBACK;
BEGIN;
CREATE INDEX ON p (v);
ROLLBACK;
BEGIN;
DROP INDEX t_a;
ROLLBACK;
BEGIN;
DROP INDEX t_a, t_b;
ROLLBACK;
BEGIN;
REINDEX INDEX t_a;
ROLLBACK;
BEGIN;
CREATE INDEX CONCURRENTLY ON t (a);
ROLLBACK;
CREATE INDEX CONCURRENTLY ON p (v);
CREATE INDEX IF NOT EXISTS t_a ON t (a);
CREATE INDEX CONCURRENTLY t_a2 ON t (a);
DROP INDEX CONCURRENTLY t_a2;
CREATE INDEX t_a ON empty (a);
BEGIN;
CREATE TABLE n (a int);
INSERT INTO n VALUES (1);
CREATE INDEX n_a ON n (a);
DROP INDEX n_a;
ROLLBACK;
-- the recipe for a partitioned table, as advised
CREATE INDEX p_k ON ONLY p (k);
CREATE INDEX CONCURRENTLY p1_k ON p1 (k);
ALTER INDEX p_k ATTACH PARTITION p1_k;
CREATE INDEX p2_k ON ONLY p2 (k);
CREATE INDEX CONCURRENTLY p2a_k ON p2a (k);
ALTER INDEX p2_k ATTACH PARTITION p2a_k;
ALTER INDEX p_k ATTACH PARTITION p2_k;
SELECT indisvalid FROM pg_index WHERE indexrelid = 'p_k'::regclass;
-- in a function REINDEX of a table only warns while no window is open
DO $$BEGIN REINDEX TABLE t; END$$;
DO $$BEGIN CREATE INDEX ON t (a); END$$;

-- in a window
\set VERBOSITY default
SELECT zdm_begin_window('ddl_index') > 0 AS opened;
DROP INDEX CONCURRENTLY t_b;
CREATE UNIQUE INDEX CONCURRENTLY t_b_key ON t (b);
\set VERBOSITY sqlstate
DO $$BEGIN REINDEX TABLE t; END$$;
CREATE INDEX CONCURRENTLY t_new ON t (b);
DROP INDEX CONCURRENTLY t_new;
ALTER TABLE t ADD COLUMN late int, ADD COLUMN constant int DEFAULT 1;
CREATE UNIQUE INDEX CONCURRENTLY t_late ON t (late);
CREATE UNIQUE INDEX CONCURRENTLY t_late_a ON t (a, late);
CREATE UNIQUE INDEX CONCURRENTLY t_constant ON t (constant);
SELECT zdm_end_window('ddl_index');
DROP INDEX CONCURRENTLY t_b;
DROP SCHEMA ddl_index CASCADE;
