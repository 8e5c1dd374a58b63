-- Later statements on what is still in the queue of a window: its names are
-- taken, what it drops is gone, DROP takes a step out, what needs one lines up
-- behind it
SET client_min_messages = warning;
CREATE SCHEMA defer_names;
SET search_path = defer_names, public;
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION steps() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(': ', p.phase, p.state, p.sql, 'undo: ' || regexp_replace(p.undo_sql, '(?<= )t\.', '', 'g'))
	FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
	WHERE w.name = 'names' AND w.state <> 'aborted' AND p.deferred ORDER BY p.id $$;
-- what there is in a schema, without its name
CREATE FUNCTION catalog(schema regnamespace) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT replace(line, schema::text || '.', '') FROM (
		SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod),
			CASE WHEN attnotnull THEN 'not null' END, pg_get_expr(adbin, adrelid), attstattarget)
		FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
			LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE relnamespace = schema AND attnum > 0 AND NOT attisdropped
		UNION ALL
		SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid),
			convalidated, obj_description(oid, 'pg_constraint'))
		FROM pg_constraint WHERE connamespace = schema
		UNION ALL
		SELECT concat_ws(' ', pg_get_indexdef(oid), indisvalid, indisclustered, indisreplident,
			obj_description(oid, 'pg_class'))
		FROM pg_class JOIN pg_index ON indexrelid = oid WHERE relnamespace = schema
		UNION ALL
		SELECT concat_ws(' ', 'view', oid::regclass, pg_get_viewdef(oid)) FROM pg_class
		WHERE relnamespace = schema AND relkind = 'v'
		UNION ALL
		SELECT concat_ws(' ', 'function', oid::regprocedure, prosrc) FROM pg_proc
		WHERE pronamespace = schema
	) AS l (line) $$;

CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int NOT NULL DEFAULT 3,
	CONSTRAINT t_c UNIQUE (c), CONSTRAINT t_check CHECK (a > 0));
CREATE TABLE u (id int, t_a int);
CREATE VIEW v AS SELECT id, a FROM t;
CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE TYPE mood AS ENUM ('sad');
CREATE SEQUENCE s;
INSERT INTO t SELECT g, g, g::text, g FROM generate_series(1, 50) g;
INSERT INTO u SELECT g, g FROM generate_series(1, 50) g;
SELECT zdm_begin_window('names', 'defer') > 0;
SELECT zdm_pause('names');
SET zdm."window" = 'names';
\set VERBOSITY terse
SET client_min_messages = notice;

-- a name that a step will make is taken
BEGIN;
CREATE INDEX t_a_idx ON t (a);
CREATE INDEX IF NOT EXISTS t_a_idx ON t (b);
CREATE TABLE IF NOT EXISTS t_a_idx (i int);
SAVEPOINT a;
CREATE INDEX t_a_idx ON t (b);
ROLLBACK TO a;
CREATE VIEW t_a_idx AS SELECT 1 AS one;
ROLLBACK TO a;
CREATE SEQUENCE t_a_idx;
ROLLBACK TO a;
ALTER TABLE u RENAME TO t_a_idx;
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT t_a_idx UNIQUE (b);
ROLLBACK TO a;
-- but not in another schema
CREATE TEMPORARY TABLE t_a_idx (i int);
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT later CHECK (a > 1);
ALTER TABLE u ADD CONSTRAINT later CHECK (id > 1);
SAVEPOINT a;
ALTER TABLE t ADD CONSTRAINT later CHECK (a > 2);
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT later UNIQUE (a);
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT new_key PRIMARY KEY (a);
ROLLBACK;

-- and none that the server would choose
BEGIN;
CREATE INDEX ON t (a);
CREATE INDEX ON t (a);
ALTER TABLE t ADD CHECK (c > 0), ADD CHECK (c > 1);
ALTER TABLE t ADD CHECK (c > 2);
SET LOCAL zdm.small_table = '1GB';
CREATE INDEX ON t (a);
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 't'::regclass ORDER BY indexrelid;
SELECT steps();
ROLLBACK;

-- DROP takes a step out, with what is said of the thing; the rest goes on
BEGIN;
CREATE INDEX t_a_idx ON t (a);
COMMENT ON INDEX t_a_idx IS 'of a';
ALTER INDEX t_a_idx RENAME TO t_a;
SAVEPOINT a;
DROP INDEX t_a_idx;
ROLLBACK TO a;
CREATE INDEX t_b ON t (b);
DROP INDEX IF EXISTS t_a, nothing, t_b;
SELECT steps();
DROP INDEX IF EXISTS t_a;
DROP INDEX t_a;
ROLLBACK;
BEGIN;
ALTER TABLE t ADD CONSTRAINT later UNIQUE (a);
SAVEPOINT a;
DROP INDEX later;
ROLLBACK TO a;
ALTER TABLE t DROP CONSTRAINT later, ALTER b SET DEFAULT 'x', DROP CONSTRAINT IF EXISTS nothing;
SELECT steps();
ROLLBACK;

-- what is said of a queued thing lines up behind it
BEGIN;
CREATE INDEX t_a_idx ON t (a);
ALTER INDEX t_a_idx SET (fillfactor = 70);
ALTER TABLE t CLUSTER ON t_a_idx;
ALTER INDEX t_a_idx RENAME TO t_a;
CREATE UNIQUE INDEX t_a_u ON t (a);
ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE USING INDEX t_a_u;
COMMENT ON CONSTRAINT t_a_key ON t IS 'one each';
ALTER TABLE t RENAME CONSTRAINT t_a_key TO t_a_once;
ALTER TABLE u ADD FOREIGN KEY (t_a) REFERENCES t (a), ADD COLUMN z int;
SELECT steps();
SAVEPOINT a;
DROP INDEX t_a_u;
ROLLBACK TO a;
ALTER TABLE t DROP CONSTRAINT t_a_once;
ROLLBACK TO a;
ALTER TABLE t DROP CONSTRAINT t_a_once CASCADE;
ROLLBACK TO a;
ALTER INDEX t_a SET TABLESPACE pg_default;
ROLLBACK TO a;
REINDEX INDEX t_a;
ROLLBACK TO a;
CLUSTER t USING t_a;
ROLLBACK TO a;
CREATE TABLE x (i int REFERENCES t (a));
ROLLBACK TO a;
CREATE TABLE x (LIKE t INCLUDING ALL);
ROLLBACK TO a;
CREATE TABLE x (LIKE t INCLUDING DEFAULTS);
ROLLBACK;

-- and could be built upon at all
BEGIN;
CREATE INDEX plain_idx ON t (a);
CREATE UNIQUE INDEX part_idx ON t (a) WHERE a > 0;
CREATE UNIQUE INDEX expr_idx ON t (lower(b));
CREATE UNIQUE INDEX same ON t (a);
SAVEPOINT a;
ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX plain_idx;
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX part_idx;
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX expr_idx;
ROLLBACK TO a;
ALTER TABLE u ADD CONSTRAINT x UNIQUE USING INDEX same;
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT same UNIQUE USING INDEX same;
DROP INDEX same;
ROLLBACK TO a;
ROLLBACK;

-- what is due for removal is gone
BEGIN;
ALTER TABLE t DROP COLUMN b;
ALTER TABLE t DROP COLUMN IF EXISTS b, ADD COLUMN y int;
SAVEPOINT a;
ALTER TABLE t DROP COLUMN b;
ROLLBACK TO a;
ALTER TABLE t ALTER b SET NOT NULL;
ROLLBACK TO a;
CREATE INDEX ON t (lower(b));
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT x CHECK (b > '');
ROLLBACK TO a;
ALTER TABLE t ADD CONSTRAINT x UNIQUE (b);
ROLLBACK TO a;
CREATE VIEW x AS SELECT b FROM t;
ROLLBACK TO a;
ALTER TABLE t RENAME b TO x;
ROLLBACK TO a;
-- and its name is not free
ALTER TABLE t ADD COLUMN b int;
ROLLBACK TO a;
ALTER TABLE t RENAME y TO b;
ROLLBACK;
BEGIN;
DROP TABLE u;
DROP TYPE mood;
DROP SEQUENCE s;
DROP FUNCTION f(int);
DROP TABLE IF EXISTS u;
DROP FUNCTION IF EXISTS f(int);
SAVEPOINT a;
DROP TABLE u;
ROLLBACK TO a;
DROP TYPE mood;
ROLLBACK TO a;
ALTER TABLE u ADD COLUMN y int;
ROLLBACK TO a;
CREATE INDEX ON u (id);
ROLLBACK TO a;
CREATE VIEW x AS SELECT * FROM u;
ROLLBACK TO a;
CREATE TABLE x (i int DEFAULT nextval('s'));
ROLLBACK TO a;
CREATE TABLE x (i mood);
ROLLBACK TO a;
CREATE TABLE u (id int);
ROLLBACK TO a;
CREATE TYPE mood AS ENUM ('glad');
ROLLBACK TO a;
CREATE SEQUENCE s;
ROLLBACK TO a;
-- those who still know it can use it
LOCK TABLE u IN SHARE MODE;
SELECT count(*) FROM u;
ROLLBACK;

-- the name of an index is free, that of a constraint for what comes later
BEGIN;
ALTER TABLE t DROP CONSTRAINT t_c;
ALTER TABLE t ADD CONSTRAINT t_c UNIQUE (c, a);
SELECT steps();
SAVEPOINT a;
ALTER TABLE t DROP CONSTRAINT t_c;
SELECT steps();
ROLLBACK TO a;
CREATE TABLE t_c (i int);
ROLLBACK;
BEGIN;
ALTER TABLE t DROP CONSTRAINT t_c;
ALTER TABLE t ADD COLUMN y int;
ALTER TABLE t ADD CONSTRAINT t_c UNIQUE (y);
SELECT steps();
SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'u';
ROLLBACK;

-- a view or function that keeps its shape is replaced
SET client_min_messages = error;
BEGIN;
DROP VIEW v;
DROP FUNCTION f(int);
CREATE VIEW v AS SELECT id, a, b FROM t;
CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2; END';
SELECT steps();
SELECT f(1), (SELECT b FROM v WHERE id = 7);
ROLLBACK;
BEGIN;
DROP VIEW v;
CREATE VIEW v AS SELECT id FROM t;
ROLLBACK;
BEGIN;
DROP FUNCTION f(int);
CREATE OR REPLACE FUNCTION f(x int) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN 2; END';
ROLLBACK;
SET client_min_messages = notice;

-- two changes of one column
BEGIN;
ALTER TABLE t ALTER a SET NOT NULL;
ALTER TABLE t ALTER a SET NOT NULL;
SAVEPOINT a;
ALTER TABLE t RENAME a TO aa;
ROLLBACK TO a;
CREATE INDEX t_b ON t (b);
ALTER TABLE t ALTER b TYPE varchar;
ALTER TABLE t ALTER a DROP NOT NULL;
SELECT steps();
ROLLBACK;
BEGIN;
ALTER TABLE t ALTER c DROP DEFAULT;
ALTER TABLE t ALTER c DROP DEFAULT;
SAVEPOINT a;
ALTER TABLE t ALTER c TYPE bigint;
ROLLBACK TO a;
SET LOCAL client_min_messages = error;
ALTER TABLE t ALTER c SET DEFAULT 9;
SELECT steps();
ROLLBACK;
BEGIN;
ALTER TABLE t ADD COLUMN token text DEFAULT md5(random()::text);
SAVEPOINT a;
ALTER TABLE t ALTER token SET DEFAULT '';
ROLLBACK TO a;
ALTER TABLE t ALTER token DROP DEFAULT;
SELECT regexp_replace(steps(), '^expand.*', 'expand');
ROLLBACK;

-- what the window has made goes at once, with the steps on it
BEGIN;
CREATE TABLE born (id int PRIMARY KEY, a int, b int);
COMMIT;
INSERT INTO born SELECT g, g, g FROM generate_series(1, 10) g;
BEGIN;
CREATE INDEX born_a ON born (a);
ALTER TABLE born ADD CHECK (b > 0);
ALTER TABLE u ADD CONSTRAINT u_born FOREIGN KEY (id) REFERENCES born;
SAVEPOINT a;
ALTER TABLE born DROP COLUMN a;
ROLLBACK TO a;
DROP TABLE born;
ROLLBACK TO a;
DROP TABLE born CASCADE;
SELECT steps();
ROLLBACK TO a;
-- it is found under another name
ALTER TABLE born RENAME TO reborn;
CREATE INDEX born_b ON reborn (b);
ROLLBACK;

-- outside a transaction block too
CREATE UNIQUE INDEX t_a_u ON t (a);
ALTER TABLE t ADD CONSTRAINT t_a_key UNIQUE USING INDEX t_a_u;
CREATE INDEX CONCURRENTLY t_a_key ON t (a);
ALTER TABLE t DROP CONSTRAINT t_a_key, ADD COLUMN y int;
SELECT steps();

-- the queue is its owner's
CREATE ROLE regress_names_stranger;
GRANT ALL ON SCHEMA defer_names TO regress_names_stranger;
CREATE UNIQUE INDEX t_a_u ON t (a);
SET ROLE regress_names_stranger;
DROP INDEX t_a_u;
ALTER TABLE t DROP CONSTRAINT t_a_u;
COMMENT ON INDEX t_a_u IS 'mine';
ALTER INDEX t_a_u RENAME TO mine;
ALTER INDEX t_a_u SET (fillfactor = 70);
ALTER TABLE t ADD CONSTRAINT mine UNIQUE USING INDEX t_a_u;
ALTER TABLE u ADD FOREIGN KEY (t_a) REFERENCES t (a);
CREATE TABLE mine (nothing int, t_a int);
ALTER TABLE mine ADD FOREIGN KEY (t_a) REFERENCES t (a);
ALTER TABLE mine ADD FOREIGN KEY (none) REFERENCES t (a);
DROP TABLE mine;
RESET ROLE;
REVOKE ALL ON SCHEMA defer_names FROM regress_names_stranger;

-- given up, it has no effect any more
SET client_min_messages = warning;
SELECT zdm_abort_window('names', force => true) >= 0;
SELECT zdm_resume('names') FROM zdm_windows WHERE name = 'names' AND state = 'aborting';
CALL zdm_run('names');
SELECT state FROM zdm_windows WHERE name = 'names';
RESET zdm."window";
CREATE INDEX t_a_u ON t (b);
DROP INDEX t_a_u;
REVOKE ALL ON SCHEMA defer_names FROM regress_names_stranger;
DROP ROLE regress_names_stranger;

-- all of it comes to what plain DDL makes
CREATE TABLE migration (n int GENERATED ALWAYS AS IDENTITY, sql text);
INSERT INTO migration (sql) VALUES
	('CREATE INDEX t_a_idx ON t (a)'),
	('COMMENT ON INDEX t_a_idx IS ''of a'''),
	('ALTER INDEX t_a_idx SET (fillfactor = 70)'),
	('ALTER TABLE t CLUSTER ON t_a_idx'),
	('ALTER INDEX t_a_idx RENAME TO t_a'),
	('CREATE INDEX never ON t (a)'),
	('DROP INDEX never'),
	('CREATE INDEX t_a_idx ON t (a, id)'),
	('CREATE INDEX ON t (c)'),
	('CREATE INDEX ON t (c)'),
	('CREATE UNIQUE INDEX t_id_a ON t (id, a)'),
	('ALTER TABLE t ADD CONSTRAINT t_id_a_key UNIQUE USING INDEX t_id_a'),
	('CREATE UNIQUE INDEX same ON t (a, id)'),
	('ALTER TABLE t ADD CONSTRAINT same UNIQUE USING INDEX same'),
	('COMMENT ON CONSTRAINT t_id_a_key ON t IS ''one each'''),
	('ALTER TABLE t RENAME CONSTRAINT t_id_a_key TO t_id_a_once'),
	('ALTER TABLE u ADD FOREIGN KEY (id, t_a) REFERENCES t (id, a) NOT VALID'),
	('ALTER TABLE u VALIDATE CONSTRAINT u_id_t_a_fkey'),
	('ALTER TABLE t DROP CONSTRAINT t_c, ADD CONSTRAINT t_c UNIQUE (c, a)'),
	('ALTER TABLE t DROP CONSTRAINT t_check'),
	('ALTER TABLE t ADD CONSTRAINT t_check CHECK (a >= 0), ADD CHECK (a < 100)'),
	('ALTER TABLE t ADD CHECK (a < 200)'),
	('ALTER TABLE t ALTER a SET NOT NULL'),
	('ALTER TABLE t ALTER a DROP NOT NULL'),
	('ALTER TABLE t ALTER b SET NOT NULL'),
	('ALTER TABLE t ALTER b SET NOT NULL'),
	('DROP INDEX t_old'),
	('CREATE INDEX t_old ON t (b, a)'),
	('DROP VIEW v'),
	('CREATE VIEW v AS SELECT id, a, c FROM t'),
	('DROP FUNCTION f(int)'),
	('CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql AS ''BEGIN RETURN 2; END'''),
	('CREATE TABLE born (id int PRIMARY KEY, x int)'),
	('CREATE INDEX ON born (x)'),
	('ALTER TABLE born DROP COLUMN x');
CREATE FUNCTION make(target text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE SCHEMA %I', target);
	PERFORM set_config('search_path', target, true);
	CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int NOT NULL DEFAULT 3,
		CONSTRAINT t_c UNIQUE (c), CONSTRAINT t_check CHECK (a > 0));
	CREATE TABLE u (id int, t_a int);
	CREATE INDEX t_old ON t (b);
	CREATE VIEW v AS SELECT id, a FROM t;
	CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
	INSERT INTO t SELECT g, g, g::text, g FROM generate_series(1, 50) g;
	INSERT INTO u SELECT g, g FROM generate_series(1, 50) g;
END $$;
CREATE FUNCTION migrate(target text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	statement text;
BEGIN
	PERFORM set_config('search_path', target, true);
	FOR statement IN SELECT sql FROM defer_names.migration ORDER BY n LOOP
		EXECUTE statement;
	END LOOP;
END $$;
SELECT make('plain');
SELECT make('staged');
SET zdm.mode = off;
SELECT migrate('plain');
RESET zdm.mode;
SET client_min_messages = error;
SELECT zdm_begin_window('names', 'defer') > 0;
SELECT migrate('staged');
CALL zdm_run('names');
CALL zdm_wait('names');
SELECT zdm_end_window('names') > 0;
CALL zdm_run('names');
CALL zdm_wait('names');
SELECT state FROM zdm_windows WHERE name = 'names' ORDER BY id;
SELECT steps() EXCEPT SELECT s FROM steps() s WHERE s ~ '^\w+: (done|cancelled)';
SELECT count(*) > 20 FROM catalog('plain');
SELECT 'missing', c FROM catalog('plain') c EXCEPT ALL SELECT 'missing', c FROM catalog('staged') c;
SELECT 'not in plain', c FROM catalog('staged') c EXCEPT ALL SELECT 'not in plain', c FROM catalog('plain') c;

-- and an abort takes it back
CREATE TABLE before AS SELECT catalog('staged') AS c;
SELECT zdm_begin_window('names', 'defer') > 0;
BEGIN;
SET LOCAL search_path = staged;
CREATE INDEX t_b_idx ON t (b);
COMMENT ON INDEX t_b_idx IS 'of b';
ALTER INDEX t_b_idx RENAME TO t_b;
ALTER TABLE t ADD COLUMN k int;
CREATE UNIQUE INDEX t_k ON t (k);
ALTER TABLE t ADD CONSTRAINT t_k UNIQUE USING INDEX t_k;
ALTER TABLE t RENAME CONSTRAINT t_k TO t_k_once;
ALTER TABLE u ADD COLUMN tk int;
ALTER TABLE u ADD FOREIGN KEY (tk) REFERENCES t (k);
ALTER TABLE t DROP CONSTRAINT t_c;
ALTER TABLE t ADD CONSTRAINT t_c UNIQUE (k, id);
COMMIT;
CALL zdm_run('names');
CALL zdm_wait('names');
SELECT count(*) FROM (SELECT catalog('staged') EXCEPT SELECT c FROM before) AS new;
SELECT zdm_abort_window('names') > 0;
CALL zdm_run('names');
CALL zdm_wait('names');
SELECT state FROM zdm_windows WHERE name = 'names' ORDER BY id;
SELECT 'missing', c FROM before EXCEPT ALL SELECT 'missing', c FROM catalog('staged') c;
SELECT 'new', c FROM catalog('staged') c EXCEPT ALL SELECT 'new', c FROM before;

-- a table that waits because the default partition is to be read
SET search_path = defer_names, public;
SET zdm.small_table = 0;
\set VERBOSITY sqlstate
CREATE TABLE key_of_due (id int PRIMARY KEY);
CREATE TABLE events (id int) PARTITION BY RANGE (id);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events VALUES (1);
SELECT zdm_begin_window('queued tables', 'defer') > 0;
BEGIN;
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
\set ON_ERROR_ROLLBACK on
CREATE INDEX ON events_2 (id);
ALTER TABLE defer_names.events_2 ADD CHECK (id > 0);
ALTER TABLE IF EXISTS events_2 RENAME TO events_two;
ALTER TABLE events_2 SET SCHEMA public;
COMMENT ON TABLE events_2 IS 'two';
COMMENT ON COLUMN events_2.id IS 'two';
GRANT SELECT ON events_2 TO PUBLIC;
CREATE TABLE part (id int REFERENCES events_2);
CREATE TRIGGER tr BEFORE INSERT ON events_2 FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger();
CREATE POLICY p ON events_2;
CREATE STATISTICS st ON id, tableoid FROM events_2;
TRUNCATE events_2;
ALTER TABLE events DETACH PARTITION events_2;
-- other names are the server's
CREATE INDEX ON elsewhere (id);
CREATE INDEX ON plain.events_2 (id);
\set ON_ERROR_ROLLBACK off
DROP TABLE events_2;
COMMIT;
-- a table that is due for removal has its rows still, though its foreign key is gone
CREATE TABLE due (id int REFERENCES key_of_due);
SELECT zdm_end_window('queued tables');
SELECT zdm_begin_window('queued tables', 'defer') > 0;
BEGIN;
DROP TABLE due;
CREATE TABLE due (id int);
ROLLBACK;
-- IF EXISTS of what is as good as gone does nothing, also when it is sent again
CREATE TABLE moved (id int);
SELECT zdm_end_window('queued tables');
SELECT zdm_begin_window('queued tables', 'defer') > 0;
DROP TABLE due;
ALTER TABLE IF EXISTS due ADD COLUMN a int;
ALTER TABLE IF EXISTS due RENAME TO overdue;
ALTER TABLE due ADD COLUMN a int;
ALTER TABLE IF EXISTS moved RENAME TO gone_on;
ALTER TABLE IF EXISTS moved RENAME TO gone_on;
ALTER TABLE IF EXISTS moved SET SCHEMA public;
ALTER TABLE IF EXISTS moved ADD COLUMN a int;
ALTER TABLE IF EXISTS gone_on ADD COLUMN b int;
SELECT relname, attname FROM pg_class c JOIN pg_attribute ON attrelid = c.oid WHERE relname IN ('moved', 'gone_on', 'due') AND relkind = 'r' AND attnum > 0 ORDER BY 1, 2;
\set VERBOSITY default
SELECT zdm_end_window('queued tables');
CALL zdm_wait('queued tables', '60s');
DROP SCHEMA defer_names, plain, staged CASCADE;
