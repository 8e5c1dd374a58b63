-- plans of attaching and creating partitions, and what they come to
SET client_min_messages = warning;
CREATE SCHEMA plan_partition;
SET search_path = plan_partition, public;
SET zdm.small_table = 0;
SET datestyle = ISO;
\pset format unaligned
\set explain 'SELECT step, phase, sql, lock_mode FROM zdm_explain'
CREATE VIEW made AS
SELECT conrelid::regclass AS rel, conname AS name, pg_get_constraintdef(c.oid) AS definition,
       convalidated AS valid, conislocal AS local, coninhcount AS inherited
FROM pg_constraint c JOIN pg_class r ON r.oid = conrelid
WHERE r.relnamespace = 'plan_partition'::regnamespace AND contype <> 'n'
UNION ALL
SELECT indrelid::regclass, indexrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid,
       NOT r.relispartition, r.relispartition::int
FROM pg_index JOIN pg_class r ON r.oid = indexrelid
WHERE r.relnamespace = 'plan_partition'::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'));
CREATE VIEW attached AS
SELECT inhparent::regclass AS parent, inhrelid::regclass AS partition,
       pg_get_expr(relpartbound, inhrelid) AS bounds
FROM pg_inherits JOIN pg_class r ON r.oid = inhrelid
WHERE r.relnamespace = 'plan_partition'::regnamespace AND r.relkind IN ('r', 'p');
CREATE TABLE r (id int PRIMARY KEY);
INSERT INTO r SELECT generate_series(1, 9);

-- bounds, of the partition and against the default partition
CREATE TABLE p (k int, v int, t text) PARTITION BY RANGE (k);
CREATE TABLE pd PARTITION OF p DEFAULT;
INSERT INTO p VALUES (1000, 1, 'x');
CREATE TABLE "The Part" (t text, gone int, k int, v int);
ALTER TABLE "The Part" DROP COLUMN gone;
INSERT INTO "The Part" VALUES ('y', 11, 2);
:explain ($$ALTER TABLE p ATTACH PARTITION "The Part" FOR VALUES FROM (10) TO (20)$$);
ALTER TABLE IF EXISTS p /* , */ ATTACH PARTITION "The Part" FOR VALUES FROM (10) TO (20); -- done
SELECT * FROM attached ORDER BY 1, 2;
SELECT * FROM made ORDER BY rel::text, name;
:explain ($$CREATE TABLE plan_partition.p30 PARTITION OF p FOR VALUES FROM (30) TO (40) -- end$$);
CREATE TABLE p30 PARTITION OF p (v DEFAULT 7) FOR VALUES FROM (30) TO (40);
SELECT * FROM attached ORDER BY 1, 2;
SELECT * FROM made ORDER BY rel::text, name;
SELECT command, decision, rules FROM zdm_history WHERE sql LIKE '%p30%' OR sql LIKE '%The Part%' ORDER BY id;

-- indexes, constraints and foreign keys that the partition lacks
CREATE TABLE f (k int NOT NULL, v int, t text, CONSTRAINT f_v FOREIGN KEY (v) REFERENCES r ON DELETE SET NULL
  DEFERRABLE INITIALLY DEFERRED, CONSTRAINT taken FOREIGN KEY (k) REFERENCES r, PRIMARY KEY (k),
  UNIQUE (k, v) DEFERRABLE) PARTITION BY LIST (k);
CREATE INDEX ON f (lower(t), (k + v) DESC, t COLLATE "C" text_pattern_ops NULLS FIRST) INCLUDE (v)
  WITH (fillfactor = 70) WHERE v > 0;
CREATE UNIQUE INDEX f_nulls ON f (k, t) NULLS NOT DISTINCT;
CREATE INDEX f_words ON f USING gist (to_tsvector('simple', t) tsvector_ops (siglen = 100));
CREATE INDEX f_one ON f (v);
CREATE INDEX f_two ON f (v);
CREATE TABLE f1 (k int NOT NULL CONSTRAINT taken CHECK (k > 0), v int, t text);
CREATE INDEX f1_other ON f1 (v);
CREATE TABLE f1_k_t_idx (i int);
INSERT INTO f1 VALUES (1, 2, 'x');
:explain ($$ALTER TABLE f ATTACH PARTITION f1 FOR VALUES IN (1, 3)$$);
ALTER TABLE f ATTACH PARTITION f1 FOR VALUES IN (1, 3);
SELECT * FROM made WHERE rel::text = 'f1' ORDER BY name;

-- a partition and a default partition that are partitioned
CREATE TABLE s (k int, l int REFERENCES r, UNIQUE (k, l)) PARTITION BY RANGE (k);
CREATE TABLE sd PARTITION OF s DEFAULT PARTITION BY LIST (l);
CREATE TABLE sd1 PARTITION OF sd FOR VALUES IN (1);
INSERT INTO s VALUES (100, 1);
CREATE TABLE t (k int, l int) PARTITION BY LIST (l);
CREATE TABLE t1 (l int, k int);
ALTER TABLE t ATTACH PARTITION t1 FOR VALUES IN (1);
INSERT INTO t VALUES (1, 1);
:explain ($$ALTER TABLE s ATTACH PARTITION t FOR VALUES FROM (0) TO (10)$$);
ALTER TABLE s ATTACH PARTITION t FOR VALUES FROM (0) TO (10);
SELECT * FROM made WHERE rel::text LIKE 't%' ORDER BY rel::text, name;
SELECT * FROM attached WHERE parent::text IN ('s', 't') ORDER BY 1, 2;

-- kinds of bounds
CREATE TABLE l (k text, v date) PARTITION BY LIST (k);
CREATE TABLE lc (k text, v date);
INSERT INTO lc VALUES (NULL, '2026-01-01');
CREATE TABLE ld (LIKE lc);
INSERT INTO ld VALUES ('z', '2026-01-01');
CREATE TABLE m (k text, v date, w int) PARTITION BY RANGE (lower(k), v, w);
CREATE TABLE mc (w int, v date, k text);
INSERT INTO mc VALUES (1, '2026-01-01', 'b');
CREATE TABLE h (k int, v bigint) PARTITION BY HASH (k, v);
CREATE TABLE hc (k int, v bigint);
INSERT INTO hc VALUES (1, 1);
CREATE TABLE ht (k text) PARTITION BY HASH (k);
CREATE TABLE htc (k text);
INSERT INTO htc VALUES ('a');
\set conditions 'SELECT step, regexp_replace(sql, $$\\d{4,}$$, $$NNN$$) FROM zdm_explain'
:conditions ($$ALTER TABLE l ATTACH PARTITION lc FOR VALUES IN (NULL)$$);
:conditions ($$ALTER TABLE l ATTACH PARTITION lc FOR VALUES IN (NULL, 'O''Hara', $q$%s$q$)$$);
ALTER TABLE l ATTACH PARTITION lc FOR VALUES IN (NULL, 'O''Hara', $q$%s$q$);
:conditions ($$ALTER TABLE l ATTACH PARTITION ld DEFAULT$$);
ALTER TABLE l ATTACH PARTITION ld DEFAULT;
:conditions ($$ALTER TABLE m ATTACH PARTITION mc FOR VALUES FROM ('a', MINVALUE, MINVALUE) TO ('c', '2026-01-01', MAXVALUE)$$);
ALTER TABLE m ATTACH PARTITION mc FOR VALUES FROM ('a', MINVALUE, MINVALUE) TO ('c', '2026-01-01', MAXVALUE);
:conditions ($$ALTER TABLE h ATTACH PARTITION hc FOR VALUES WITH (MODULUS 1, REMAINDER 0)$$);
ALTER TABLE h ATTACH PARTITION hc FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT * FROM attached WHERE parent::text IN ('l', 'm', 'h') ORDER BY 1, 2;
SELECT count(*) FROM made WHERE rel::text IN ('lc', 'ld', 'mc', 'hc');
-- what cannot be proven by a CHECK: the server does not recognize it
SELECT rule, verdict, hint FROM zdm_check($$ALTER TABLE ht ATTACH PARTITION htc FOR VALUES WITH (MODULUS 1, REMAINDER 0)$$);
SELECT rule, verdict, hint FROM zdm_check($$ALTER TABLE p ATTACH PARTITION mc FOR VALUES FROM (abs(50)) TO (60);
CREATE TABLE p50 PARTITION OF p FOR VALUES FROM (abs(50)) TO (60)$$);

-- rows in the wrong place: the errors of the plain statements, and nothing is left
CREATE TABLE bad (k int, v int, t text);
INSERT INTO bad VALUES (1, 99, 'x'), (1, 99, 'x');
\set VERBOSITY terse
ALTER TABLE p ATTACH PARTITION bad FOR VALUES FROM (50) TO (60);
ALTER TABLE p ATTACH PARTITION bad FOR VALUES FROM (1) TO (25);
CREATE TABLE p1000 PARTITION OF p FOR VALUES FROM (1000) TO (1001);
CREATE TABLE p30 PARTITION OF p FOR VALUES FROM (1000) TO (1001);
CREATE UNIQUE INDEX ON ONLY p (k);
ALTER TABLE p ATTACH PARTITION bad FOR VALUES FROM (0) TO (5);
DROP INDEX p_k_idx;
\set VERBOSITY sqlstate
ALTER TABLE f ATTACH PARTITION bad FOR VALUES IN (5);
\set VERBOSITY terse
ALTER TABLE bad ALTER COLUMN k SET NOT NULL;
DELETE FROM bad;
INSERT INTO bad VALUES (5, 99, 'x');
ALTER TABLE bad ADD CONSTRAINT one PRIMARY KEY (v, k, t);
ALTER TABLE f ATTACH PARTITION bad FOR VALUES IN (5);
ALTER TABLE bad DROP CONSTRAINT one;
ALTER TABLE f ATTACH PARTITION bad FOR VALUES IN (5);
SELECT * FROM made WHERE rel::text IN ('bad', 'pd') ORDER BY rel::text, name;
SELECT state, count(*) FROM zdm.step WHERE NOT deferred AND state <> 'done' GROUP BY 1;
SELECT count(*) FROM zdm.made;

-- what does not fit fails at once, before any row is read
CREATE TABLE child () INHERITS (bad);
INSERT INTO child VALUES (50, 1, 'x');
SELECT rule, verdict, scans FROM zdm_check($$ALTER TABLE p ATTACH PARTITION bad FOR VALUES FROM (50) TO (60)$$);
ALTER TABLE p ATTACH PARTITION bad FOR VALUES FROM (50) TO (60);
ALTER TABLE p ATTACH PARTITION child FOR VALUES FROM (50) TO (60);
ALTER TABLE p ATTACH PARTITION p FOR VALUES FROM (50) TO (60);
DROP TABLE child;

-- the steps take the rights of the owner of each table, the statement does not
CREATE ROLE regress_plan_partition;
GRANT ALL ON SCHEMA plan_partition TO regress_plan_partition;
ALTER TABLE p OWNER TO regress_plan_partition;
SET ROLE regress_plan_partition;
SELECT rule, verdict FROM zdm_check($$CREATE TABLE p60 PARTITION OF p FOR VALUES FROM (60) TO (70);
ALTER TABLE p ATTACH PARTITION bad FOR VALUES FROM (50) TO (60)$$);
ALTER TABLE p ATTACH PARTITION bad FOR VALUES FROM (50) TO (60);
RESET ROLE;
ALTER TABLE p OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA plan_partition FROM regress_plan_partition;
DROP ROLE regress_plan_partition;

-- in a transaction block the plan is the hint
\set VERBOSITY default
BEGIN;
CREATE TABLE p40 PARTITION OF p FOR VALUES FROM (40) TO (50);
ROLLBACK;
-- in a script that has changed the table the plan goes by the catalog
SELECT statement, rule, verdict FROM zdm_check($$ALTER TABLE bad DROP COLUMN t;
ALTER TABLE p ATTACH PARTITION bad FOR VALUES FROM (50) TO (60);
ALTER TABLE bad ADD COLUMN t text;
ALTER TABLE p DETACH PARTITION p30;
CREATE TABLE p31 PARTITION OF p FOR VALUES FROM (30) TO (40)$$) WHERE class = 'lock' OR rule IS NULL;
DROP SCHEMA plan_partition CASCADE;
