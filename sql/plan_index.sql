-- Plans of CREATE, DROP and REINDEX of indexes, REFRESH, DETACH PARTITION:
-- their steps, and what they come to
SET client_min_messages = warning;
CREATE SCHEMA plan_index;
CREATE SCHEMA plan_index2;
SET search_path = plan_index, public;
SET zdm.small_table = 0;
\pset format unaligned
\pset tuples_only on
\set explain 'SELECT step, sql, lock_mode FROM zdm_explain'

-- what has become of indexes whose name is like this
CREATE FUNCTION indexes(pattern text) RETURNS TABLE (definition text, valid boolean, parent regclass)
LANGUAGE sql AS $$
	SELECT pg_get_indexdef(indexrelid), indisvalid AND indisready AND indislive,
		(SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid)
	FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
	WHERE relnamespace IN ('plan_index'::regnamespace, 'plan_index2'::regnamespace)
		AND relname LIKE pattern
	ORDER BY relnamespace::regnamespace::text, relname $$;

CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int, r int4range, j jsonb, "Odd one" int);
INSERT INTO t SELECT g, g, g, g % 3, int4range(g, g + 1), '{}' FROM generate_series(1, 10) g;
CREATE MATERIALIZED VIEW mv AS SELECT a, b FROM t;
CREATE TABLE p (k int NOT NULL, v int, s text) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (s text, k int NOT NULL, v int) PARTITION BY LIST (v);
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN (1, 2);
CREATE TABLE plan_index2.p1 PARTITION OF p FOR VALUES FROM (20) TO (30);
CREATE INDEX p2a_v ON p2a (v DESC);
CREATE INDEX p1_lower ON p1 (lower(s)) WHERE v > 1 + 1;
INSERT INTO p VALUES (1, 1, 'x'), (11, 1, 'x'), (21, 1, 'x');

--
-- CREATE INDEX: the names that PostgreSQL would choose, and all that the
-- statement says of the index
--
:explain ('CREATE INDEX ON t (a)');
CREATE INDEX ON t (a);
CREATE INDEX ON t (a);
CREATE INDEX ON t ((a + c), lower(b), a, a) INCLUDE (id) WITH (fillfactor = 70) WHERE a > 3;
CREATE UNIQUE INDEX IF NOT EXISTS t_own ON plan_index.t USING btree (a DESC NULLS LAST, b COLLATE "C" text_pattern_ops)
	NULLS NOT DISTINCT TABLESPACE pg_default;
CREATE INDEX ON ONLY t ("Odd one");
CREATE INDEX t_gin ON t USING gin (j jsonb_path_ops);
CREATE INDEX t_gist ON t USING gist (r);
CREATE INDEX t_brin ON t USING brin (a int4_minmax_ops) WITH (pages_per_range = 4);
CREATE INDEX t_hash ON t USING hash (b);
CREATE INDEX t_self ON t ((t.a + plan_index.t.c)) WHERE t.* IS NOT NULL;
CREATE INDEX ON mv (a);
SELECT * FROM indexes('t\_%');
SELECT * FROM indexes('mv\_%');
-- the server's own errors, and nothing is left behind
\set VERBOSITY terse
CREATE UNIQUE INDEX ON t (c);
CREATE UNIQUE INDEX t_own ON t (c);
CREATE INDEX ON t (nope);
CREATE INDEX ON t ((random()));
CREATE INDEX ON t USING gin (a);
CREATE UNIQUE INDEX ON p (v);
SELECT count(*) FROM pg_index WHERE NOT indisvalid;
SELECT count(*) FROM zdm.step WHERE NOT deferred AND state::text <> 'done';
-- with it what the definition is taken from
:explain ($$create /* on */ unique index "On" on /* on */ t(a)where b<>';' -- on$$);

--
-- an index that an earlier build has left invalid
--
CREATE TABLE broken (a int, b int);
INSERT INTO broken VALUES (1, 1), (1, 2);
CREATE UNIQUE INDEX CONCURRENTLY broken_a ON broken (a);
:explain ('CREATE UNIQUE INDEX IF NOT EXISTS broken_a ON broken (a)');
CREATE UNIQUE INDEX IF NOT EXISTS broken_a ON broken (a);
SELECT * FROM indexes('broken%');
DELETE FROM broken WHERE b = 1;
CREATE UNIQUE INDEX IF NOT EXISTS broken_a ON broken (a);
SELECT * FROM indexes('broken%');
CREATE INDEX p_left ON ONLY p (s, v);
CREATE INDEX p1_left ON p1 (s, v);
ALTER INDEX p_left ATTACH PARTITION p1_left;
:explain ('CREATE INDEX IF NOT EXISTS p_left ON p (s, v)');
CREATE INDEX IF NOT EXISTS p_left ON p (s, v);
SELECT * FROM indexes('p%\_s\_v%');
SELECT * FROM indexes('p%\_left');
DROP INDEX p_left;

--
-- partitioned tables: what a partition has is taken in
--
:explain ('CREATE INDEX ON p (v)');
CREATE INDEX ON p (v);
SELECT * FROM indexes('p%\_v%');
:explain ('CREATE INDEX p_low ON p (lower(s)) WHERE v > 2');
CREATE INDEX p_low ON p (lower(s)) WHERE v > 2;
SELECT * FROM indexes('p%\_low%');
:explain ('CREATE UNIQUE INDEX ON p2 (v, k) INCLUDE (s)');
CREATE UNIQUE INDEX ON p2 (v, k) INCLUDE (s);
SELECT * FROM indexes('p2%\_v\_k%');
-- a partition whose rows make it fail: the others' indexes go too
DROP INDEX p2_v_k_s_idx;
INSERT INTO p VALUES (12, 2, 'dup'), (12, 2, 'dup');
CREATE UNIQUE INDEX ON p (k, v);
SELECT * FROM indexes('p%\_k\_v%');
SELECT count(*) FROM zdm.step WHERE NOT deferred AND state::text <> 'done';
-- names that differ by what is cut off
CREATE TABLE a23456789_123456789_123456789_123456789_123456789_1234567 (k int) PARTITION BY RANGE (k);
CREATE TABLE a23456789_123456789_123456789_123456789_123456789_12345672 PARTITION OF a23456789_123456789_123456789_123456789_123456789_1234567 FOR VALUES FROM (10) TO (20);
CREATE TABLE a23456789_123456789_123456789_123456789_123456789_12345671 PARTITION OF a23456789_123456789_123456789_123456789_123456789_1234567 FOR VALUES FROM (0) TO (10);
INSERT INTO a23456789_123456789_123456789_123456789_123456789_1234567 VALUES (1), (11);
CREATE INDEX ON a23456789_123456789_123456789_123456789_123456789_1234567 (k);
SELECT * FROM indexes('a234%');
-- an expression that names the table means nothing to a partition
CREATE INDEX ON p ((p.v + 1));

--
-- DROP INDEX: one without a lock that blocks, several at once
--
:explain ('DROP INDEX t_gin');
:explain ('DROP INDEX IF EXISTS t_gist, nope, t_brin');
BEGIN;
DROP INDEX t_gist, t_brin;
ROLLBACK;
DROP INDEX t_gin;
DROP INDEX IF EXISTS t_gist, nope, t_brin;
CREATE UNIQUE INDEX t_au ON t (a);
CREATE TABLE fk (c int REFERENCES t (a));
DROP INDEX t_hash, t_pkey;
DROP INDEX t_hash, t_au;
DROP INDEX t_au;
DROP INDEX p_v_idx;
SELECT * FROM indexes('t\_%i%');
SELECT * FROM indexes('t\_hash');

--
-- REINDEX: also of what CONCURRENTLY leaves out
--
:explain ('REINDEX TABLE t');
:explain ('REINDEX (VERBOSE, TABLESPACE pg_default) INDEX t_own');
:explain ('REINDEX TABLE p2');
:explain ('REINDEX INDEX p_low');
:explain ('REINDEX SCHEMA plan_index2');
CREATE FUNCTION files() RETURNS TABLE (nspname text, relname name, relfilenode oid) LANGUAGE sql AS $$
	SELECT relnamespace::regnamespace::text, relname, relfilenode FROM pg_class
	WHERE relkind = 'i' AND relnamespace::regnamespace::text LIKE 'plan_index%' $$;
CREATE TABLE before AS SELECT * FROM files();
DROP INDEX broken_a;
CREATE INDEX broken_b ON broken (b);
INSERT INTO broken VALUES (1, 3);
CREATE UNIQUE INDEX CONCURRENTLY broken_again ON broken (a);
DELETE FROM broken WHERE b = 3;
:explain ('REINDEX TABLE broken');
REINDEX TABLE broken;
REINDEX TABLE p;
REINDEX INDEX t_own;
SELECT * FROM indexes('broken%');
SELECT nspname, relname FROM before JOIN files() USING (nspname, relname) WHERE before.relfilenode <> files.relfilenode ORDER BY 1, 2;
SELECT relname FROM pg_class WHERE relname LIKE '%\_cc%';
-- an exclusion constraint has no concurrent form
CREATE TABLE excluded (r int4range, EXCLUDE USING gist (r WITH &&));
:explain ('REINDEX TABLE excluded');
INSERT INTO excluded VALUES ('[1,2)');
\set VERBOSITY sqlstate
REINDEX TABLE excluded;
REINDEX SCHEMA plan_index;
\set VERBOSITY terse
DROP TABLE excluded;
REINDEX SCHEMA plan_index;
SELECT count(*) FROM pg_index WHERE NOT indisvalid;

--
-- REFRESH MATERIALIZED VIEW: also in a function
--
REFRESH MATERIALIZED VIEW mv;
CREATE UNIQUE INDEX mv_b ON mv (b);
:explain ('REFRESH MATERIALIZED VIEW mv');
UPDATE t SET a = 100 WHERE id = 10;
REFRESH MATERIALIZED VIEW mv;
UPDATE t SET a = 101 WHERE id = 9;
DO $$BEGIN REFRESH MATERIALIZED VIEW plan_index.mv; END$$;
SELECT a FROM mv WHERE a >= 100 ORDER BY a;

--
-- DETACH PARTITION: the partition is as the plain form leaves it
--
CREATE TABLE d (k int NOT NULL, v int, CONSTRAINT d_pkey PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE d1 PARTITION OF d FOR VALUES FROM (0) TO (10);
CREATE TABLE d2 PARTITION OF d FOR VALUES FROM (10) TO (20);
ALTER TABLE d2 ADD CONSTRAINT d2_has CHECK (k IS NOT NULL AND k >= 10 AND k < 20);
CREATE TABLE d3 (k int NOT NULL, v int, CONSTRAINT d3_k_check CHECK (v > 0));
ALTER TABLE d ATTACH PARTITION d3 FOR VALUES FROM (20) TO (30);
CREATE TABLE h (k int) PARTITION BY HASH (k);
CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO d VALUES (1, 1), (11, 1), (21, 1);
INSERT INTO h VALUES (1);
:explain ('ALTER TABLE d DETACH PARTITION d1');
:explain ('ALTER TABLE d DETACH PARTITION d2');
:explain ('ALTER TABLE d DETACH PARTITION d3');
:explain ('ALTER TABLE h DETACH PARTITION h1');
:explain ('ALTER TABLE p2 DETACH PARTITION p2a');
ALTER TABLE d DETACH PARTITION d1;
ALTER TABLE d DETACH PARTITION d2;
ALTER TABLE d DETACH PARTITION d3;
ALTER TABLE h DETACH PARTITION h1;
ALTER TABLE p2 DETACH PARTITION p2a;
ALTER TABLE d DETACH PARTITION t;
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
	WHERE conrelid IN ('d1'::regclass, 'd2'::regclass, 'd3'::regclass, 'h1'::regclass, 'p2a'::regclass) AND contype <> 'n' ORDER BY 1, 2;
SELECT relname, relispartition FROM pg_class WHERE relname IN ('d1', 'd2', 'd3', 'h1', 'p2a') AND relnamespace = 'plan_index'::regnamespace ORDER BY 1;
SELECT count(*) FROM zdm.step WHERE NOT deferred AND state::text <> 'done';

DROP SCHEMA plan_index, plan_index2 CASCADE;
