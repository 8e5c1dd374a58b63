-- What a migration changes at once in a window that defers, since no client of
-- the old version minds, is given back when the window is given up
SET client_min_messages = error;
CREATE SCHEMA defer_undo;
SET search_path = defer_undo, public;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse

CREATE ROLE regress_undo_app;
CREATE ROLE regress_undo_group;
CREATE TABLE u (id int PRIMARY KEY);
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL DEFAULT 5 CONSTRAINT positive CHECK (a > 0),
	b int CONSTRAINT to_u REFERENCES u DEFERRABLE, "M" mood DEFAULT 'a', old int) WITH (fillfactor = 90);
INSERT INTO t (id) VALUES (1);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER always BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fire();
CREATE TRIGGER plain BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fire();
ALTER TABLE t ENABLE ALWAYS TRIGGER always;
CREATE FUNCTION f(a int, OUT b mood) LANGUAGE sql AS $$ SELECT 'a'::defer_undo.mood $$;
CREATE VIEW v WITH (security_barrier) AS SELECT a, "M" FROM t WHERE "M" = 'a';
CREATE VIEW wider AS SELECT a FROM t;
COMMENT ON TABLE t IS 'it''s old';
COMMENT ON FUNCTION f(int) IS 'old';
GRANT SELECT ON u TO regress_undo_app;

CREATE FUNCTION catalog() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod),
		CASE WHEN attnotnull THEN 'not null' END, pg_get_expr(adbin, adrelid), nullif(attstattarget, -1))
	FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
		LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	WHERE relnamespace = 'defer_undo'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped
		AND relname NOT IN ('before', 'found')
	UNION ALL
	SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
	FROM pg_constraint WHERE connamespace = 'defer_undo'::regnamespace
	UNION ALL
	SELECT concat_ws(' ', 'function', oid::regprocedure, pg_get_functiondef(oid))
	FROM pg_proc WHERE pronamespace = 'defer_undo'::regnamespace
	UNION ALL
	SELECT concat_ws(' ', 'relation', oid::regclass, reloptions, regexp_replace(pg_get_viewdef(oid), 't\.', '', 'g'))
	FROM pg_class WHERE relnamespace = 'defer_undo'::regnamespace AND relkind IN ('r', 'v') AND relname NOT IN ('before', 'found')
	UNION ALL
	SELECT concat_ws(' ', 'comment', (pg_identify_object(classoid, objoid, objsubid)).identity, description)
	FROM pg_description WHERE classoid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_constraint'::regclass)
		AND (pg_identify_object(classoid, objoid, objsubid)).identity LIKE '%defer_undo.%'
	UNION ALL
	SELECT concat_ws(' ', 'right', table_name, privilege_type) FROM information_schema.role_table_grants
	WHERE grantee = 'regress_undo_app'
	UNION ALL
	SELECT concat_ws(' ', 'right', table_name, column_name, privilege_type) FROM information_schema.role_column_grants
	WHERE grantee = 'regress_undo_app'
	UNION ALL
	SELECT 'member ' || pg_has_role('regress_undo_app', 'regress_undo_group', 'member')
	UNION ALL
	SELECT concat_ws(' ', 'trigger', tgname, tgenabled)
	FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal $$;
CREATE TABLE found (query text);
CREATE TABLE before AS SELECT catalog() AS c;
SELECT zdm_begin_window('defer_undo', 'defer') IS NOT NULL AS open;
BEGIN;
ALTER TABLE t DROP CONSTRAINT positive, ALTER a DROP NOT NULL;
ALTER TABLE t DROP CONSTRAINT to_u;
ALTER TABLE t ALTER a SET DEFAULT 7, ALTER "M" DROP DEFAULT, ALTER b SET DEFAULT 1;
ALTER TABLE t SET (fillfactor = 50, autovacuum_enabled = off), ALTER a SET STATISTICS 500;
ALTER TABLE t RESET (fillfactor);
ALTER TABLE t DISABLE TRIGGER always, DISABLE TRIGGER plain;
CREATE OR REPLACE FUNCTION f(a int, OUT b mood) LANGUAGE sql AS $$ SELECT 'b'::defer_undo.mood $$;
CREATE OR REPLACE VIEW v AS SELECT a, "M" FROM t;
COMMENT ON TABLE t IS 'new';
COMMENT ON COLUMN t.a IS 'is new';
COMMENT ON CONSTRAINT t_pkey ON t IS 'new';
COMMENT ON FUNCTION f(int) IS NULL;
GRANT SELECT, UPDATE ON t TO regress_undo_app WITH GRANT OPTION;
GRANT INSERT (id) ON u TO "regress_undo_app";
GRANT regress_undo_group TO regress_undo_app;
-- beside what waits
ALTER TABLE t DROP COLUMN old, ALTER a SET DEFAULT 8, ADD COLUMN z int;
-- of what is new nothing but the thing itself is taken back
CREATE TABLE fresh (a int);
ALTER TABLE fresh ALTER a SET DEFAULT 1;
ALTER TABLE t ALTER z SET DEFAULT 1;
-- of rights those that were not there before; a view that has more columns is made anew
GRANT SELECT, DELETE ON u TO regress_undo_app;
CREATE OR REPLACE VIEW wider AS SELECT a, b FROM t;
COMMIT;
SELECT p.sql, regexp_replace(split_part(split_part(p.undo_sql, E'\n', 1), ' AS ', 1),
	'ADD CONSTRAINT ("[^"]*"|\w+) NOT NULL ("[^"]*"|\w+)', 'ALTER COLUMN \2 SET NOT NULL')
FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
WHERE w.name = 'defer_undo' AND p.phase = 'expand' ORDER BY p.statement_id, p.ordinal;

-- rows that are in the way are found before anything is undone
UPDATE t SET a = -1, b = 7;
INSERT INTO t (id, a) VALUES (2, NULL);
DO $$
DECLARE
	detail text;
BEGIN
	PERFORM zdm_abort_window('defer_undo');
EXCEPTION WHEN SQLSTATE 'ZDM03' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	INSERT INTO found SELECT m[1] FROM regexp_matches(detail, 'found by: ([^\n]*)', 'g') m;
END $$;
SELECT query FROM found;
UPDATE t SET a = 1, b = NULL;
SELECT zdm_abort_window('defer_undo') > 0 AS aborted;
CALL zdm_run('defer_undo');
CALL zdm_wait('defer_undo');
SELECT c FROM before EXCEPT ALL SELECT catalog();
SELECT catalog() EXCEPT ALL SELECT c FROM before;

-- not where DDL is refused, or runs unguarded
SELECT zdm_begin_window('defer_undo', 'refuse') IS NOT NULL AS open;
SELECT count(*) AS steps FROM zdm.step \gset
ALTER TABLE t DROP CONSTRAINT positive;
SELECT count(*) = :steps AS nothing_is_noted FROM zdm.step;
SELECT zdm_end_window('defer_undo');
DROP SCHEMA defer_undo CASCADE;
DROP ROLE regress_undo_app;
DROP ROLE regress_undo_group;
