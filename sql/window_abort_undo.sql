-- The abort of a window gives back what statements have changed that ran at
-- once, in a transaction block or in steps, or names what it cannot.
\set VERBOSITY default
SET client_min_messages = warning;
SET zdm.rules = 'create_or_replace_view=off,change_column_default=off,create_or_replace_function=off';
CREATE SCHEMA abort_undo;
SET search_path = abort_undo, public;
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_abort_app;
CREATE ROLE regress_abort_owner;
GRANT ALL ON SCHEMA abort_undo TO regress_abort_owner;
SET allow_in_place_tablespaces = on;
-- for workers too, of which one can be left of what was before
CREATE PROCEDURE small_table(value text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER DATABASE %I SET zdm.small_table = %L', current_database(), value);
	FOR i IN 1 .. 600 LOOP
		COMMIT;
		EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type LIKE 'zdm%');
		PERFORM pg_sleep(0.1);
	END LOOP;
END $$;
CALL small_table('8MB');
SET zdm.small_table = '8MB';
CREATE PROCEDURE await_failure() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN EXISTS (SELECT FROM zdm.step WHERE state = 'failed');
		PERFORM pg_sleep(0.1);
		COMMIT;
	END LOOP;
END $$;
CREATE TABLESPACE regress_abort_space LOCATION '';

-- all that is in the schema, by name
CREATE FUNCTION acl(items aclitem[], kind "char", owner oid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', g.grantee::regrole, g.privilege_type, g.is_grantable), ',' ORDER BY g.grantee::regrole::text, g.privilege_type)
	FROM aclexplode(coalesce(items, acldefault(kind, owner))) AS g $$;
SET check_function_bodies = off;
CREATE FUNCTION catalog() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', 'relation', c.oid::regclass, relkind, relowner::regrole, t.spcname, reloptions, relispartition, pg_get_expr(relpartbound, c.oid),
		acl(relacl, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner), obj_description(c.oid, 'pg_class'),
		CASE relkind WHEN 'v' THEN pg_get_viewdef(c.oid) WHEN 'i' THEN pg_get_indexdef(c.oid) END)
	FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = reltablespace
	WHERE relnamespace = 'abort_undo'::regnamespace AND relname <> 'before'
	UNION ALL
	SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attstorage, attidentity,
		(SELECT collname FROM pg_collation WHERE oid = attcollation), attislocal, attinhcount,
		pg_get_expr(adbin, adrelid), acl(attacl, 'c', relowner), col_description(attrelid, attnum))
	FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	WHERE relnamespace = 'abort_undo'::regnamespace AND relname <> 'before' AND attnum > 0 AND NOT attisdropped
	UNION ALL
	SELECT concat_ws(' ', 'constraint', coalesce(conrelid::regclass::text, contypid::regtype::text), conname, pg_get_constraintdef(oid), convalidated,
		condeferrable, conislocal, coninhcount, obj_description(oid, 'pg_constraint'))
	FROM pg_constraint WHERE connamespace = 'abort_undo'::regnamespace
	UNION ALL
	SELECT concat_ws(' ', 'function', oid::regprocedure, provolatile, proisstrict, proconfig, acl(proacl, 'f', proowner)) FROM pg_proc WHERE pronamespace = 'abort_undo'::regnamespace
	UNION ALL
	SELECT concat_ws(' ', 'trigger', tgname, tgenabled) FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal
	UNION ALL
	SELECT concat_ws(' ', 'policy', polname) FROM pg_policy WHERE polrelid = 't'::regclass
	UNION ALL
	SELECT concat_ws(' ', 'schema', nspname, acl(nspacl, 'n', nspowner)) FROM pg_namespace WHERE nspname = 'abort_undo'
	UNION ALL
	SELECT concat_ws(' ', 'member', roleid::regrole, member::regrole) FROM pg_auth_members WHERE member = 'regress_abort_app'::regrole $$;
RESET check_function_bodies;
CREATE TABLE before (c text);
CREATE FUNCTION differences() RETURNS SETOF text LANGUAGE sql AS $$
	(SELECT 'lost: ' || b.c FROM before b EXCEPT ALL SELECT 'lost: ' || c FROM catalog() c)
	UNION ALL
	(SELECT 'left: ' || c FROM catalog() c EXCEPT ALL SELECT 'left: ' || b.c FROM before b) $$;
-- an error with the numbers of steps left out
CREATE PROCEDURE try(statement text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RAISE WARNING 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE WARNING USING MESSAGE = SQLSTATE || ' ' || SQLERRM, DETAIL = regexp_replace(detail, '[Ss]tep \d+', 'step N', 'g');
END $$;

CREATE TABLE key (id int PRIMARY KEY);
CREATE TABLE parent (id int, b int, PRIMARY KEY (id), FOREIGN KEY (b) REFERENCES key) PARTITION BY RANGE (id);
CREATE INDEX ON parent (b);
CREATE TABLE part_1 (id int NOT NULL, b int);
INSERT INTO part_1 VALUES (1, NULL);
CREATE TABLE part_2 (id int NOT NULL, b int);
CREATE UNIQUE INDEX part_2_own ON part_2 (id);
CREATE INDEX part_2_b ON part_2 (b);
INSERT INTO part_2 VALUES (11, NULL);
CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 5, short varchar(40) COLLATE "C" DEFAULT 'x', n numeric(5, 2), k text, small varchar(10));
CREATE INDEX t_short ON t (short);
INSERT INTO t (id, n) VALUES (1, 'NaN'), (2, 1.25);
ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID;
ALTER TABLE t ADD CONSTRAINT to_key FOREIGN KEY (a) REFERENCES key DEFERRABLE NOT VALID;
COMMENT ON CONSTRAINT positive ON t IS 'it''s old';
UPDATE t SET a = NULL;
CREATE TABLE child () INHERITS (t);
CREATE TABLE plain (id int);
CREATE DOMAIN d AS int;
ALTER DOMAIN d ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE UNIQUE INDEX ON m (id);
CREATE TABLE alone (id int);
INSERT INTO alone VALUES (1);
CREATE VIEW v WITH (security_barrier) AS SELECT id, a FROM t;
ALTER VIEW v OWNER TO regress_abort_owner;
GRANT SELECT ON t TO regress_abort_owner;
COMMENT ON VIEW v IS 'old';
COMMENT ON COLUMN v.a IS 'old column';
ALTER VIEW v ALTER a SET DEFAULT 3;
GRANT SELECT ON v TO PUBLIC;
GRANT INSERT ON v TO regress_abort_app WITH GRANT OPTION;
GRANT UPDATE (a) ON v TO regress_abort_app;
CREATE VIEW v_again AS SELECT id FROM t;
CREATE VIEW v_used AS SELECT id FROM t;
CREATE VIEW v_user AS SELECT id FROM v_used;
CREATE SEQUENCE s;
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION f(int) FROM PUBLIC;
GRANT SELECT ON t TO regress_abort_app;
GRANT INSERT (id), UPDATE (id) ON t TO regress_abort_app;
CREATE STATISTICS t_stat ON a, n FROM t;
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER fires BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION fire();
CREATE POLICY mine ON t;
CREATE TABLE logs (id int, note text) PARTITION BY RANGE (id);
CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (1) TO (10);
CREATE INDEX logs_1_note ON logs_1 (note);
CREATE TABLE logs_2 (id int, note text);
CREATE INDEX logs_2_note ON logs_2 (note);
INSERT INTO before SELECT catalog();
SELECT * FROM differences();

-- what autocommit carries out in steps, as each table with rows is large
SELECT zdm_begin_window('steps', 'defer') IS NOT NULL AS opened;
SET zdm.small_table = 0;
ALTER TABLE parent ATTACH PARTITION part_1 FOR VALUES FROM (1) TO (10);
BEGIN;
ALTER TABLE parent ATTACH PARTITION part_2 FOR VALUES FROM (10) TO (20);
COMMIT;
ALTER TABLE t ADD COLUMN token uuid DEFAULT gen_random_uuid(), ALTER k SET DEFAULT 'd';
ALTER TABLE t ADD COLUMN y int CHECK (y > 0) REFERENCES key;
ALTER TABLE t ADD CHECK (n > 0), ALTER k SET STORAGE EXTERNAL;
CREATE INDEX ON t (n);
CREATE INDEX ON parent (b, id);
ALTER TABLE t VALIDATE CONSTRAINT to_key;
ALTER DOMAIN d VALIDATE CONSTRAINT positive;
REINDEX TABLE t;
REINDEX (TABLESPACE regress_abort_space) INDEX t_short;
REFRESH MATERIALIZED VIEW m;
SET zdm.small_table = '8MB';
CALL zdm_wait('steps');
SELECT count(*) > 20 AS much FROM differences();
UPDATE t SET token = NULL;
SELECT zdm_abort_window('steps') > 0 AS undone;
CALL zdm_wait('steps');
SELECT * FROM differences();

-- the same for what is validated after commit, or has been put right by hand
SELECT zdm_begin_window('validate', 'defer') IS NOT NULL AS opened;
BEGIN;
ALTER TABLE t VALIDATE CONSTRAINT to_key;
ALTER DOMAIN d VALIDATE CONSTRAINT positive;
COMMIT;
ALTER TABLE ONLY plain ADD CONSTRAINT fresh CHECK (id > 0) NOT VALID;
ALTER TABLE plain VALIDATE CONSTRAINT fresh;
CALL zdm_wait('validate');
SELECT zdm_abort_window('validate') > 0 AS undone;
CALL zdm_wait('validate');
SELECT * FROM differences();

-- a column gets its former type if all values fit
SELECT zdm_begin_window('types', 'defer') IS NOT NULL AS opened;
ALTER TABLE ONLY plain ADD CHECK (id > 0);
ALTER TABLE t ALTER short TYPE varchar(80), ALTER n TYPE numeric(8, 2), ALTER k SET STORAGE EXTERNAL;
BEGIN;
ALTER TABLE t ALTER small TYPE text, ALTER k SET DEFAULT 'd';
COMMIT;
CALL zdm_wait('types');
INSERT INTO t (id, a, n) VALUES (3, NULL, 1000);
INSERT INTO t (id, a, short) VALUES (4, NULL, repeat('x', 41));
INSERT INTO child (id, a, small) VALUES (5, NULL, repeat('x', 11));
CALL try('SELECT zdm_abort_window()');
DELETE FROM t WHERE id > 2;
-- not if that would rewrite a large table
SET zdm.small_table = 0;
CALL try('SELECT zdm_abort_window()');
SET zdm.small_table = '8MB';
SELECT zdm_abort_window('types') > 0 AS undone;
CALL zdm_wait('types');
SELECT * FROM differences();

-- views that have got more columns
SELECT zdm_begin_window('views', 'defer') IS NOT NULL AS opened;
ALTER TABLE t ADD COLUMN fresh int;
CREATE VIEW v_between AS SELECT a FROM v;
CREATE VIEW v_above AS SELECT a FROM v_between;
CREATE OR REPLACE VIEW v AS SELECT id, a, fresh FROM t;
BEGIN;
DROP VIEW v_again;
CREATE VIEW v_again AS SELECT id, a FROM t;
COMMIT;
CREATE VIEW v_fresh AS SELECT id FROM t;
CREATE OR REPLACE VIEW v_fresh AS SELECT id, a FROM t;
CALL zdm_wait('views');
CREATE OR REPLACE VIEW v_used AS SELECT id, a FROM t;
CALL try('SELECT zdm_abort_window()');
\set VERBOSITY terse
SELECT zdm_abort_window('views', force => true) > 0 AS undone;
\set VERBOSITY default
CALL zdm_wait('views');
-- by hand
DROP VIEW v_user, v_used;
CREATE VIEW v_used AS SELECT id FROM t;
CREATE VIEW v_user AS SELECT id FROM v_used;
SELECT * FROM differences();

-- rights that were not there before
SELECT zdm_begin_window('rights', 'defer') IS NOT NULL AS opened;
GRANT SELECT, DELETE ON t TO regress_abort_app;
GRANT SELECT ON t TO regress_abort_app WITH GRANT OPTION;
GRANT INSERT, UPDATE ON t TO regress_abort_app;
GRANT ALL (n) ON t TO regress_abort_app;
GRANT UPDATE (n, id) ON t TO regress_abort_app;
GRANT ALL ON ALL TABLES IN SCHEMA abort_undo TO regress_abort_app, PUBLIC;
GRANT USAGE ON SEQUENCE s TO regress_abort_app;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA abort_undo TO regress_abort_app;
GRANT USAGE, CREATE ON SCHEMA abort_undo TO regress_abort_app WITH GRANT OPTION;
GRANT regress_abort_owner TO regress_abort_app;
SELECT count(*) > 10 AS much FROM differences();
SELECT zdm_abort_window('rights') > 0 AS undone;
CALL zdm_wait('rights');
SELECT * FROM differences();

-- names that no client uses, and settings
SELECT zdm_begin_window('renamed', 'defer') IS NOT NULL AS opened;
ALTER INDEX t_short RENAME TO t_long;
ALTER TRIGGER fires ON t RENAME TO "Fires";
ALTER POLICY mine ON t RENAME TO ours;
ALTER FUNCTION f(int) IMMUTABLE STRICT SET work_mem = '1MB';
ALTER INDEX t_long SET (fillfactor = 60);
ALTER MATERIALIZED VIEW m SET (fillfactor = 60);
CREATE TABLE fresh (id int);
CREATE INDEX fresh_id ON fresh (id);
ALTER INDEX fresh_id RENAME TO fresh_key;
ALTER TABLE alone ALTER id SET NOT NULL;
SELECT count(*) > 5 AS much FROM differences();
SELECT zdm_abort_window('renamed') > 0 AS undone;
CALL zdm_wait('renamed');
SELECT * FROM differences();

-- an index that a table got as a partition, of a new one that goes after the table has left
SELECT zdm_begin_window('index', 'defer') IS NOT NULL AS opened;
CREATE INDEX logs_both ON logs (note, id);
ALTER TABLE logs ATTACH PARTITION logs_2 FOR VALUES FROM (10) TO (20);
CREATE INDEX logs_later ON logs (id, note);
CALL zdm_wait('index');
SELECT count(*) FROM pg_indexes WHERE tablename = 'logs_2' AND schemaname = current_schema;
SELECT zdm_abort_window() > 0 AS undone;
CALL zdm_wait('index');
SELECT * FROM differences();

-- an older index that has become one of a new partitioned index
SELECT zdm_begin_window('index', 'defer') IS NOT NULL AS opened;
CREATE INDEX logs_note ON logs (note);
ALTER TABLE logs ATTACH PARTITION logs_2 FOR VALUES FROM (10) TO (20);
CALL zdm_wait('index');
CALL try('SELECT zdm_abort_window()');
\set VERBOSITY terse
SELECT zdm_abort_window('index', force => true) > 0 AS undone;
\set VERBOSITY default
CALL zdm_wait('index');
SELECT regexp_replace(d, '^(\S+ \S+ \S+) .*', '\1') FROM differences() d ORDER BY 1;
DROP TABLE logs, logs_2;
DELETE FROM before;
INSERT INTO before SELECT catalog();

-- what does not come back is named, unless it is of what goes
SELECT zdm_begin_window('named', 'defer') IS NOT NULL AS opened;
CREATE TABLE fresh (id serial);
ALTER SEQUENCE fresh_id_seq INCREMENT 2;
ALTER TABLE fresh REPLICA IDENTITY FULL;
CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION g() IMMUTABLE;
DROP FUNCTION g();
ALTER SEQUENCE s INCREMENT 2;
ALTER TABLE t CLUSTER ON t_short;
ALTER TABLE t VALIDATE CONSTRAINT positive;
ALTER STATISTICS t_stat SET STATISTICS 100;
ALTER STATISTICS t_stat RENAME TO t_other;
ALTER DOMAIN d SET DEFAULT 7;
CLUSTER t USING t_short;
REINDEX (TABLESPACE regress_abort_space) TABLE t;
CALL zdm_wait('named');
CALL try('SELECT zdm_abort_window()');
ALTER SEQUENCE s INCREMENT 1;
ALTER TABLE t SET WITHOUT CLUSTER;
ALTER STATISTICS t_other RENAME TO t_stat;
\set VERBOSITY terse
SELECT zdm_abort_window('named', force => true) > 0 AS undone;
\set VERBOSITY default
CALL zdm_wait('named');
SELECT regexp_replace(d, ' .*', '') AS what, count(*) FROM differences() d GROUP BY 1 ORDER BY 1;
DELETE FROM before;
INSERT INTO before SELECT catalog();

-- what stays, stays as it is
SELECT zdm_begin_window('stays', 'defer') IS NOT NULL AS opened;
BEGIN;
ALTER TABLE alone ADD COLUMN number int GENERATED BY DEFAULT AS IDENTITY;
COMMIT;
CALL zdm_wait('stays');
\set VERBOSITY terse
SELECT zdm_abort_window('stays', force => true);
\set VERBOSITY default
SELECT state FROM zdm_windows WHERE name = 'stays';
ALTER TABLE alone DROP COLUMN number;
SELECT * FROM differences();

-- rows that are written after the abort has looked
SELECT zdm_begin_window('late', 'defer') IS NOT NULL AS opened;
CREATE TABLE written (id int);
CREATE TABLE unwritten (id int);
ALTER TABLE t ADD COLUMN note text;
SELECT zdm_pause('late');
SELECT zdm_abort_window('late');
INSERT INTO written VALUES (1);
UPDATE t SET note = 'kept' WHERE id = 1;
SELECT zdm_resume('late');
CALL await_failure();
SELECT sql, last_error FROM zdm.step WHERE state = 'failed';
UPDATE t SET note = NULL;
DO $$ BEGIN PERFORM zdm_retry(id) FROM zdm.step WHERE state = 'failed'; END $$;
CALL await_failure();
SELECT sql, last_error FROM zdm.step WHERE state = 'failed';
DO $$ BEGIN PERFORM zdm_cancel(id) FROM zdm.step WHERE state = 'failed'; END $$;
CALL zdm_wait('late');
SELECT state FROM zdm_windows WHERE name = 'late';
TABLE written;
DROP TABLE written;
SELECT * FROM differences();

CALL small_table('0');
DROP SCHEMA abort_undo CASCADE;
DROP TABLESPACE regress_abort_space;
DROP ROLE regress_abort_app;
DROP ROLE regress_abort_owner;
