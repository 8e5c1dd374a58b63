-- Copies of a table that has queued changes: what makes them differ is said.
\set VERBOSITY terse
SET client_min_messages = error;
CREATE SCHEMA defer_copy;
SET search_path = defer_copy, public;
\pset format unaligned
\pset tuples_only on

CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int DEFAULT 3, d int, CONSTRAINT d_is_positive CHECK (d > 0), CONSTRAINT b_key UNIQUE (b));
CREATE TABLE other (id int PRIMARY KEY, e int);
CREATE TABLE quiet (id int, b int);
CREATE TABLE par (x int, y int, n int);
CREATE TABLE p (k int, v int, w int DEFAULT 1) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
INSERT INTO t SELECT g, g, g::text, g, g FROM generate_series(1, 10) g;
INSERT INTO other SELECT g, g FROM generate_series(1, 10) g;
INSERT INTO p SELECT g, g FROM generate_series(1, 9) g;
INSERT INTO par SELECT g, g, g FROM generate_series(1, 9) g;
SELECT zdm_begin_window('copy', 'defer') > 0;
SELECT zdm_pause('copy');
ALTER TABLE t DROP COLUMN b;
ALTER TABLE t ALTER COLUMN a SET NOT NULL;
ALTER TABLE other ADD CONSTRAINT refers FOREIGN KEY (e) REFERENCES t;
BEGIN;
CREATE INDEX ON other (e);
COMMIT;
ALTER TABLE p DROP COLUMN v;
ALTER TABLE par ALTER COLUMN y SET NOT NULL;
ALTER TABLE par DROP COLUMN n;
ALTER TABLE ONLY par ALTER COLUMN x SET NOT NULL;
SELECT phase, sql FROM zdm_steps WHERE window_name = 'copy' AND state = 'queued' ORDER BY id;

SET client_min_messages = warning;
CREATE TABLE like_1 (LIKE t);
CREATE TABLE like_2 (LIKE t INCLUDING ALL);
CREATE TABLE like_3 (LIKE quiet INCLUDING ALL);
-- a foreign key is never copied, an index only if it is asked for
CREATE TABLE like_4 (LIKE other INCLUDING CONSTRAINTS);
CREATE TABLE like_5 (LIKE other INCLUDING ALL);
CREATE TABLE as_1 AS SELECT * FROM t;
CREATE TABLE as_2 AS SELECT id, a FROM t;
CREATE TABLE as_3 AS WITH w AS (SELECT length(b) FROM t WHERE id > 3) TABLE w;
SELECT x.b INTO as_4 FROM quiet x;
SELECT b INTO as_5 FROM (SELECT * FROM quiet) AS y WHERE id IN (SELECT t.id FROM t);
CREATE MATERIALIZED VIEW as_6 AS SELECT count(b) AS n FROM t;
-- what is queued for a parent comes to its children
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
CREATE TABLE p3 PARTITION OF p (w DEFAULT 2) FOR VALUES FROM (20) TO (30);
-- but not to what a child has of its own, and not with ONLY
CREATE TABLE p4 PARTITION OF p (v DEFAULT 2) FOR VALUES FROM (30) TO (40);
CREATE UNIQUE INDEX p_unique ON ONLY p (k, w);
CREATE TABLE p5 PARTITION OF p FOR VALUES FROM (40) TO (50);
CREATE TABLE kid_1 () INHERITS (par);
CREATE TABLE kid_2 (n int) INHERITS (par);
-- it is there already
CREATE TABLE IF NOT EXISTS like_3 (LIKE t INCLUDING ALL);

-- which steps
\set VERBOSITY default
DO $$
DECLARE
	line text;
BEGIN
	FOREACH line IN ARRAY ARRAY['CREATE TABLE x (LIKE t)', 'CREATE TABLE x (LIKE t INCLUDING ALL)', 'CREATE TABLE x AS SELECT * FROM t',
		'CREATE TABLE x (n int) INHERITS (par)', 'CREATE TABLE x (LIKE other INCLUDING ALL)'] LOOP
		RAISE INFO '%: %', line, (SELECT string_agg(concat_ws(' | ', rule, verdict, regexp_replace(message, 'Step \d+', 'Step N', 'g')), E'\n')
			FROM zdm_check(line) WHERE rule IS NOT NULL);
	END LOOP;
END $$;

-- at the end the children are as they would be without zdm, but for what was said
SET client_min_messages = error;
SELECT zdm_resume('copy');
CALL zdm_wait('copy');
SELECT zdm_end_window('copy');
CALL zdm_wait('copy');
SELECT state FROM zdm_windows WHERE name = 'copy';
SELECT attrelid::regclass, string_agg(attname || CASE WHEN attnotnull THEN '!' ELSE '' END, ' ' ORDER BY attnum)
FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid IN ('p2'::regclass, 'p3'::regclass, 'p4'::regclass, 'par'::regclass, 'kid_1'::regclass, 'kid_2'::regclass)
GROUP BY attrelid ORDER BY attrelid;
DROP SCHEMA defer_copy CASCADE;
