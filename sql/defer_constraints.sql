-- Constraints and indexes that a migration makes or drops in a window that
-- defers: what waits, which rows are in its way, and what it comes to
SET client_min_messages = warning;
CREATE SCHEMA defer_constraints;
SET search_path = defer_constraints, public;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse

CREATE FUNCTION steps() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(E'\n    ', p.phase || ', ' || p.state || ': ' || p.sql, 'undo: ' || p.undo_sql,
		'verify: ' || p.verify_sql)
	FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
	WHERE w.name = 'defer_constraints' AND w.state = 'open' AND p.deferred AND p.phase <> 'migrate'
	ORDER BY p.statement_id, p.ordinal $$;
-- how many rows the queries find, by their steps
CREATE FUNCTION rows_in_the_way() RETURNS TABLE (step text, in_the_way bigint) LANGUAGE plpgsql AS $$
DECLARE
	verify text;
BEGIN
	FOR step, verify IN SELECT p.sql, p.verify_sql
		FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
		WHERE w.name = 'defer_constraints' AND w.state = 'open' AND p.phase = 'contract' AND p.verify_sql IS NOT NULL
		ORDER BY p.statement_id, p.ordinal
	LOOP
		EXECUTE format('SELECT count(*) FROM (%s) AS found', verify) INTO in_the_way;
		RETURN NEXT;
	END LOOP;
END $$;
CREATE FUNCTION catalog() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))
	FROM pg_constraint WHERE connamespace = 'defer_constraints'::regnamespace AND contype <> 'n'
	UNION ALL
	SELECT concat_ws(' ', indisvalid, pg_get_indexdef(indexrelid)) FROM pg_index
	WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'defer_constraints'::regnamespace)
	UNION ALL
	SELECT concat_ws(' ', attrelid::regclass, attname, 'not null') FROM pg_attribute
	WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'defer_constraints'::regnamespace AND relkind = 'r')
		AND attnum > 0 AND attnotnull $$;

CREATE TABLE u (a int, b int, UNIQUE (a, b));
INSERT INTO u VALUES (1, 1), (2, 2);
CREATE TYPE pair AS (x int, y int);
CREATE TABLE t (id int, a int, b int, "C d" text, e pair, r int4range, n int);
INSERT INTO t VALUES (1, 1, 1, 'a', (1, NULL), '[1,3)', 1), (2, 1, 1, 'A', (NULL, NULL), '[2,4)', NULL),
	(3, 3, 3, 'b', NULL, '[5,6)', NULL), (3, NULL, 7, NULL, NULL, NULL, 3), (NULL, NULL, NULL, 'c', NULL, NULL, 4);
CREATE TABLE par (x int);
CREATE TABLE kid () INHERITS (par);
INSERT INTO kid VALUES (NULL), (-1), (-1);
CREATE TABLE p (id int, x int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
INSERT INTO p VALUES (1, 1), (1, 1);

SELECT zdm_begin_window('defer_constraints', 'defer') IS NOT NULL AS open;
BEGIN;
ALTER TABLE t ALTER n SET NOT NULL, ALTER e SET NOT NULL;
ALTER TABLE t ADD CHECK (a < 3), ADD CONSTRAINT "C is short" CHECK (length("C d") < 9) NOT VALID;
ALTER TABLE t ADD UNIQUE (a, b);
ALTER TABLE t ADD PRIMARY KEY (id);
ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES u (a, b),
	ADD CONSTRAINT fully FOREIGN KEY (a, b) REFERENCES u (a, b) MATCH FULL ON DELETE CASCADE DEFERRABLE;
CREATE UNIQUE INDEX ON t (lower("C d") COLLATE "C" text_pattern_ops DESC, (a + 1)) WHERE b < 2;
ALTER TABLE par ALTER x SET NOT NULL, ADD CONSTRAINT positive CHECK (x > 0), ADD CONSTRAINT only_here CHECK (x > 1) NO INHERIT;
ALTER TABLE par ADD UNIQUE (x);
ALTER TABLE p ADD CONSTRAINT p_key UNIQUE (id, x);
COMMIT;
SELECT steps();
SELECT * FROM rows_in_the_way();

-- the end waits until there are none
SELECT zdm_end_window('defer_constraints');
DELETE FROM t;
DELETE FROM kid;
DELETE FROM p;
INSERT INTO t VALUES (1, 1, 1, 'a', (1, 1), NULL, 1);
SELECT * FROM rows_in_the_way() WHERE in_the_way > 0;
SELECT zdm_end_window('defer_constraints');
CALL zdm_run('defer_constraints');
CALL zdm_wait('defer_constraints');
SELECT catalog() ORDER BY 1;
CREATE INDEX t_a ON t (a);
ALTER TABLE t DROP CONSTRAINT fully;

-- EXCLUDE, where the table is small
SET zdm.small_table = '1MB';
SELECT zdm_begin_window('defer_constraints', 'defer') IS NOT NULL AS open;
INSERT INTO t VALUES (2, 2, 2, 'x', (2, 2), '[1,5)', 2), (5, 1, NULL, 'y', (2, 2), '[2,5)', 2), (6, 1, NULL, 'z', (2, 2), '[7,9)', 2);
ALTER TABLE t ADD CONSTRAINT apart EXCLUDE USING gist (r WITH OPERATOR(pg_catalog.&&)) WHERE (a > 0);
SELECT * FROM rows_in_the_way();
SELECT zdm_cancel(p.id) FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
WHERE w.name = 'defer_constraints' AND p.state = 'queued';
RESET zdm.small_table;

-- what is dropped: an index's name is free at once, its use is not over
SELECT e.phase, e.sql, e.note FROM zdm_explain('DROP INDEX t_a') e ORDER BY e.step;
SELECT e.phase, e.sql, e.note FROM zdm_explain('ALTER TABLE u DROP CONSTRAINT u_a_b_key CASCADE') e ORDER BY e.step;
SELECT e.phase, e.sql, e.note FROM zdm_explain('ALTER TABLE p DETACH PARTITION p1') e ORDER BY e.step;
SELECT e.phase, e.sql, e.note FROM zdm_explain('ALTER TABLE kid NO INHERIT par') e ORDER BY e.step;
BEGIN;
DROP INDEX IF EXISTS t_a, nowhere;
CREATE INDEX t_a ON t (a DESC);
ALTER TABLE t DROP CONSTRAINT t_a_b_key;
ALTER TABLE u DROP CONSTRAINT u_a_b_key CASCADE;
ALTER TABLE p DETACH PARTITION p1;
ALTER TABLE kid NO INHERIT par;
COMMIT;
CALL zdm_wait('defer_constraints');
SELECT steps();
SELECT c.action, c.kind, c.relid::regclass, c.name FROM zdm.claim c JOIN zdm.step p ON p.id = c.step_id JOIN zdm.window w ON w.id = p.window_id
WHERE w.name = 'defer_constraints' AND p.state = 'queued' ORDER BY c.step_id, c.kind, c.name;
INSERT INTO t VALUES (7, 1, 1, 'w', (2, 2), NULL, 2) ON CONFLICT (a, b) DO NOTHING RETURNING id;
SELECT catalog() ORDER BY 1;
SELECT zdm_end_window('defer_constraints');
CALL zdm_run('defer_constraints');
CALL zdm_wait('defer_constraints');
SELECT catalog() ORDER BY 1;

-- given up, all is as it was
CREATE TABLE before AS SELECT c FROM catalog() c;
SELECT zdm_begin_window('defer_constraints', 'defer') IS NOT NULL AS open;
BEGIN;
DROP INDEX t_a;
CREATE INDEX t_a ON t (n);
ALTER TABLE t DROP CONSTRAINT t_pkey;
ALTER TABLE t ADD UNIQUE (n);
COMMIT;
CALL zdm_wait('defer_constraints');
SELECT zdm_abort_window('defer_constraints') > 0 AS aborted;
CALL zdm_run('defer_constraints');
CALL zdm_wait('defer_constraints');
SELECT c FROM before EXCEPT ALL SELECT c FROM catalog() c;
SELECT c FROM catalog() c WHERE c !~ '^before' EXCEPT ALL SELECT c FROM before;

-- NOT VALID and without a name; what is meant is what the name means now
CREATE TABLE target AS SELECT DISTINCT a AS id FROM t WHERE a IS NOT NULL;
ALTER TABLE target ADD PRIMARY KEY (id);
CREATE SCHEMA defer_constraints_2;
SELECT zdm_begin_window('defer_constraints', 'defer') IS NOT NULL AS open;
BEGIN;
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES target (id) ON DELETE CASCADE NOT VALID;
ALTER TABLE t ADD CHECK (a > 0) NOT VALID;
CREATE TABLE defer_constraints_2.target (id int PRIMARY KEY);
SET LOCAL search_path = defer_constraints_2, defer_constraints, public;
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES target NOT VALID, VALIDATE CONSTRAINT t_a_fkey;
COMMIT;
SELECT steps();
SELECT zdm_end_window('defer_constraints') > 0 AS ended;
CALL zdm_run('defer_constraints');
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype IN ('f', 'c') ORDER BY 1;
ALTER TABLE t DROP CONSTRAINT t_a_fkey, DROP CONSTRAINT t_a_fkey1, DROP CONSTRAINT t_a_check1;
DROP SCHEMA defer_constraints_2 CASCADE;

-- the server's errors come at once
SELECT zdm_begin_window('defer_constraints', 'defer') IS NOT NULL AS open;
ALTER TABLE t ADD CHECK (nowhere > 0);
ALTER TABLE t ADD CHECK (a + 1);
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (a);
ALTER TABLE t ADD PRIMARY KEY (a);
ALTER TABLE t ADD UNIQUE (a, a);
DROP INDEX t_pkey;
ALTER TABLE t DROP CONSTRAINT nowhere;
SELECT steps();
SELECT zdm_end_window('defer_constraints');
DROP SCHEMA defer_constraints CASCADE;
