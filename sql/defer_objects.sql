-- Tables and other objects that a migration drops, and rights that it takes
-- away, in a window that defers
SET client_min_messages = warning;
CREATE SCHEMA defer_objects;
SET search_path = defer_objects, public;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse

CREATE FUNCTION steps() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(E'\n    ', p.phase || ', ' || p.state || ': ' || p.sql, 'undo: ' || p.undo_sql)
	FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
	WHERE w.name = 'defer_objects' AND w.state = 'open' AND p.deferred ORDER BY p.statement_id, p.ordinal $$;
CREATE FUNCTION claims() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', c.action, c.kind, c.schema_name, c.relid::regclass, c.name)
	FROM zdm.claim c JOIN zdm.step p ON p.id = c.step_id JOIN zdm.window w ON w.id = p.window_id
	WHERE w.name = 'defer_objects' AND p.state = 'queued' ORDER BY c.step_id, c.kind, c.name $$;
CREATE FUNCTION objects() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', i.type, i.identity) FROM (
		SELECT 'pg_class'::regclass::oid, oid, 0 FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'S', 'f')
			AND relnamespace::regnamespace::text IN ('defer_objects', 'other')
		UNION ALL SELECT 'pg_proc'::regclass, oid, 0 FROM pg_proc
			WHERE pronamespace::regnamespace::text IN ('defer_objects', 'other')
		UNION ALL SELECT 'pg_type'::regclass, oid, 0 FROM pg_type
			WHERE typnamespace::regnamespace::text IN ('defer_objects', 'other') AND typtype IN ('e', 'd')
		UNION ALL SELECT 'pg_trigger'::regclass, oid, 0 FROM pg_trigger
			WHERE tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'defer_objects'::regnamespace) AND NOT tgisinternal
		UNION ALL SELECT 'pg_policy'::regclass, oid, 0 FROM pg_policy
			WHERE polrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'defer_objects'::regnamespace)
		UNION ALL SELECT 'pg_constraint'::regclass, oid, 0 FROM pg_constraint
			WHERE connamespace = 'defer_objects'::regnamespace AND contype = 'f'
		UNION ALL SELECT 'pg_namespace'::regclass, oid, 0 FROM pg_namespace WHERE nspname = 'other'
	) AS o (classid, objid, subid), pg_identify_object(classid, objid, subid) i $$;

CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, parent_id int CONSTRAINT strict REFERENCES parent,
	kept_id int CONSTRAINT cascades REFERENCES parent ON DELETE CASCADE, next int CONSTRAINT itself REFERENCES child);
CREATE TABLE grandchild (child_id int CONSTRAINT up REFERENCES child);
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (1, 1, 1);
CREATE TABLE t (id int, mood text);
CREATE VIEW v AS SELECT id FROM t;
CREATE VIEW "V two" AS SELECT * FROM v;
CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;
CREATE SEQUENCE s;
CREATE TYPE mood AS ENUM ('fine');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE FUNCTION f(int, mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE PROCEDURE pr() LANGUAGE sql AS '';
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE AGGREGATE counted(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
CREATE TRIGGER "On insert" BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fire();
CREATE POLICY everybody ON t USING (true);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE ROLE regress_defer_reader;
GRANT SELECT, INSERT ON t TO regress_defer_reader;
CREATE SCHEMA other;
CREATE TABLE other.inside (id int);
CREATE TABLE with_default (id int NOT NULL DEFAULT nextval('s'));
CREATE TABLE renamed (id int PRIMARY KEY, s_id int);
CREATE TABLE referenced (id int PRIMARY KEY);
ALTER TABLE renamed ADD FOREIGN KEY (s_id) REFERENCES referenced;

CREATE TABLE migration (n int GENERATED ALWAYS AS IDENTITY, sql text);
CREATE TABLE objects_before AS SELECT objects() AS o;
INSERT INTO migration (sql) VALUES
	('DROP TABLE IF EXISTS grandchild, nowhere'), ('DROP TABLE child'), ('DROP VIEW "V two"'), ('DROP VIEW v'),
	('DROP MATERIALIZED VIEW m'), ('DROP FUNCTION f(int, mood[])'), ('DROP TYPE mood'), ('DROP DOMAIN positive'),
	('DROP ROUTINE f(text)'), ('DROP PROCEDURE pr()'), ('DROP AGGREGATE counted(*)'), ('DROP SEQUENCE s CASCADE'),
	('DROP TRIGGER "On insert" ON t'), ('DROP FUNCTION fire()'), ('DROP POLICY everybody ON t'),
	('ALTER TABLE t DISABLE ROW LEVEL SECURITY, OWNER TO regress_defer_reader'),
	('REVOKE INSERT ON t FROM regress_defer_reader'), ('DROP SCHEMA other CASCADE');

SELECT zdm_begin_window('defer_objects', 'defer') IS NOT NULL AS open;
SELECT e.phase, e.sql, e.note FROM zdm_explain('DROP TABLE IF EXISTS child, nowhere CASCADE') e ORDER BY e.step;
SELECT e.phase, e.sql, e.note FROM zdm_explain('DROP SCHEMA other CASCADE') e ORDER BY e.step;
SELECT e.phase, e.sql, e.note FROM zdm_explain('DROP FUNCTION f(int, mood[])') e ORDER BY e.step;
SELECT e.phase, e.sql, e.note FROM zdm_explain('REVOKE INSERT ON t FROM regress_defer_reader') e ORDER BY e.step;

-- what would fail, fails at once
DROP TABLE child;
DROP VIEW v;
DROP SEQUENCE s;
DROP SCHEMA other;
DROP TABLE v;
DROP FUNCTION f;
DROP TYPE mood;
SELECT count(*) FROM steps();
-- what cannot wait is refused
DROP OWNED BY regress_defer_reader;
REASSIGN OWNED BY regress_defer_reader TO CURRENT_USER;
ALTER TYPE mood RENAME VALUE 'fine' TO 'well';
ALTER SEQUENCE s RENAME TO other_name;
ALTER FUNCTION f(text) RENAME TO g;

-- a migration, given up and then carried out
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
COMMIT;
SELECT steps();
SELECT claims();
-- the old version still has all of it, and the new one may delete what it referenced
SELECT f('x'), nextval('s'), count(*) FROM "V two";
INSERT INTO child VALUES (2, 2, 2);
DELETE FROM parent WHERE id = 1;
SELECT id FROM child;
SELECT has_table_privilege('regress_defer_reader', 't', 'INSERT'), relrowsecurity FROM pg_class WHERE oid = 't'::regclass;
SELECT zdm_abort_window('defer_objects') IS NOT NULL AS aborted;
CALL zdm_run('defer_objects');
CALL zdm_wait('defer_objects');
SELECT o FROM objects_before EXCEPT ALL SELECT objects();

SELECT zdm_begin_window('defer_objects', 'defer') IS NOT NULL AS open;
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
COMMIT;
SELECT zdm_end_window('defer_objects');
CALL zdm_run('defer_objects');
CALL zdm_wait('defer_objects');
SELECT objects() ORDER BY 1;
SELECT relowner::regrole, has_table_privilege(relowner, oid, 'INSERT'), has_table_privilege(relowner, oid, 'SELECT'), relrowsecurity FROM pg_class WHERE oid = 't'::regclass;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'with_default'::regclass;

-- what gets another name is not gone
SELECT zdm_begin_window('defer_objects', 'defer') IS NOT NULL AS open;
ALTER TABLE renamed RENAME TO other_name;
DROP TABLE referenced;
SELECT zdm_abort_window('defer_objects') IS NOT NULL AS aborted;
CALL zdm_run('defer_objects');
CALL zdm_wait('defer_objects');
DROP SCHEMA defer_objects CASCADE;
DROP ROLE regress_defer_reader;
