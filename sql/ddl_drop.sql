-- What DROP does: who uses the object, which locks, what goes with it.
CREATE SCHEMA ddl_drop;
SET search_path = ddl_drop, fixture, public;
\pset format unaligned

CREATE TABLE parent (id int PRIMARY KEY, note text);
CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent,
	a int NOT NULL, b int NOT NULL DEFAULT 1, c int, k serial,
	CONSTRAINT child_check CHECK (a < b), CONSTRAINT child_c_check CHECK (c > 0));
CREATE UNIQUE INDEX child_a_b ON child (a, b);
CREATE INDEX child_a ON child (a);
CREATE INDEX child_c_part ON child (c) WHERE c > 1;
CREATE INDEX child_expr ON child ((a + c));
CREATE INDEX child_incl ON child (id) INCLUDE (b);
CREATE STATISTICS child_stat ON a, b FROM child;
CREATE VIEW child_view AS SELECT id, a FROM child;
CREATE MATERIALIZED VIEW child_matview AS SELECT count(*) AS n FROM child;
CREATE TABLE "Mixed Case" ("The Column" int NOT NULL);
CREATE TABLE parted (id int, x int) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_default PARTITION OF parted DEFAULT;
CREATE TABLE empty_table (id int);
INSERT INTO parent VALUES (1);
INSERT INTO child (id, parent_id, a, b, c) VALUES (1, 1, 1, 2, 3);
INSERT INTO "Mixed Case" VALUES (1);
INSERT INTO parted VALUES (1, 1), (2, 2);
CREATE FUNCTION trigger_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER child_trigger BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION trigger_function();
CREATE TRIGGER parted_trigger AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION trigger_function();
CREATE RULE child_rule AS ON DELETE TO child DO ALSO NOTIFY child;
CREATE POLICY child_policy ON child;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE feeling (m mood);
INSERT INTO feeling VALUES ('sad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION f(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION g(int, OUT x int) LANGUAGE sql AS 'SELECT $1';
CREATE PROCEDURE p(int) LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE COLLATION coll FROM "C";
CREATE CAST (mood AS int) WITH INOUT;
CREATE TEXT SEARCH CONFIGURATION ts (COPY = simple);
CREATE SEQUENCE seq;
CREATE SCHEMA ddl_drop_empty;
CREATE SCHEMA "Ddl Drop";
CREATE TABLE "Ddl Drop".t (id int);
CREATE VIEW "Ddl Drop".v AS SELECT * FROM "Ddl Drop".t;

-- tables
SELECT sql, object, rule, class, lock_mode, rewrites, scans, verdict, message FROM check_each($$
DROP TABLE parent;
DROP TABLE child CASCADE;
DROP TABLE "Mixed Case";
DROP TABLE parted_1;
DROP TABLE parted;
DROP TABLE empty_table;
DROP TABLE IF EXISTS nope;
DROP TABLE IF EXISTS nope.nope;
DROP TABLE nope;
DROP TABLE empty_table, "Mixed Case";
$$);

-- a table of several: what depends on it goes with the statement anyway
SELECT object, rule, lock_mode, message FROM zdm_check('DROP TABLE child, parent CASCADE');

-- new and temporary tables
BEGIN;
CREATE TABLE made_here (id int);
CREATE TEMP TABLE temporary (id int);
CREATE FUNCTION made_here() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE made_type AS ENUM ('a');
SELECT statement, rule, lock_mode, verdict FROM zdm_check($$
DROP TABLE made_here;
DROP TABLE temporary;
DROP FUNCTION made_here();
DROP TYPE made_type;
CREATE TABLE scripted (id int, v int);
CREATE VIEW scripted_view AS SELECT 1 AS one;
CREATE FUNCTION scripted() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE scripted_type AS ENUM ('a');
CREATE SCHEMA scripted_schema;
CREATE TRIGGER scripted_trigger BEFORE INSERT ON scripted FOR EACH ROW EXECUTE FUNCTION trigger_function();
ALTER TABLE scripted DROP COLUMN v;
DROP TRIGGER scripted_trigger ON scripted;
DROP VIEW scripted_view;
DROP FUNCTION scripted();
DROP TYPE scripted_type;
DROP SCHEMA scripted_schema;
DROP TABLE scripted;
DROP TABLE scripted;
$$);
ROLLBACK;

-- views, sequences, functions, types and the rest
SELECT sql, object, rule, class, lock_mode, verdict, message FROM check_each($$
DROP VIEW child_view;
DROP MATERIALIZED VIEW child_matview;
DROP SEQUENCE seq;
DROP SEQUENCE child_k_seq CASCADE;
DROP FUNCTION f(int);
DROP FUNCTION f;
DROP FUNCTION g(int);
DROP FUNCTION g;
DROP FUNCTION trigger_function() CASCADE;
DROP FUNCTION trigger_function();
DROP PROCEDURE p(int);
DROP ROUTINE p;
DROP AGGREGATE total(int);
DROP OPERATOR === (int, int);
DROP TYPE mood CASCADE;
DROP TYPE mood;
DROP DOMAIN positive;
DROP COLLATION coll;
DROP CAST (mood AS int);
DROP TEXT SEARCH CONFIGURATION ts;
DROP STATISTICS child_stat;
DROP TRIGGER child_trigger ON child;
DROP TRIGGER parted_trigger ON parted;
DROP RULE child_rule ON child;
DROP POLICY child_policy ON child;
DROP EXTENSION plpgsql;
DROP LANGUAGE plpgsql;
$$);

-- what is not there
SELECT sql, rule, lock_mode, message FROM check_each($$
DROP VIEW nope;
DROP FUNCTION nope(int);
DROP FUNCTION f(nope);
DROP FUNCTION f(text, text);
DROP FUNCTION nope.f(int);
DROP FUNCTION a.b.c.d(int);
DROP TYPE nope;
DROP SCHEMA nope;
DROP TRIGGER nope ON child;
DROP TRIGGER nope ON nope;
DROP RULE nope ON child;
DROP POLICY nope ON child;
DROP AGGREGATE nope(*);
DROP OPERATOR === (text, text);
DROP CAST (mood AS nope);
DROP CAST (mood AS text);
DROP OPERATOR CLASS nope USING btree;
DROP OPERATOR FAMILY nope USING nope;
DROP COLLATION nope;
DROP TRANSFORM FOR int LANGUAGE sql;
DROP EXTENSION nope;
DROP PUBLICATION nope;
DROP DATABASE nope;
DROP OWNED BY nope;
DROP VIEW IF EXISTS nope;
DROP FUNCTION IF EXISTS nope(nope), f(nope.nope);
DROP TYPE IF EXISTS nope;
DROP SCHEMA IF EXISTS nope;
DROP TRIGGER IF EXISTS nope ON child;
DROP TRIGGER IF EXISTS nope ON nope;
DROP POLICY IF EXISTS nope ON child;
DROP RULE IF EXISTS nope ON child;
DROP CAST IF EXISTS (nope AS nope);
DROP AGGREGATE IF EXISTS nope.nope(nope);
DROP DATABASE IF EXISTS nope;
$$);

-- schemas, owners, databases
CREATE ROLE regress_zdm_drop;
CREATE ROLE regress_zdm_nothing;
CREATE TABLE owned (id int);
INSERT INTO owned VALUES (1);
ALTER TABLE owned OWNER TO regress_zdm_drop;
GRANT SELECT ON empty_table TO regress_zdm_drop;
SELECT sql, object, rule, class, verdict, message FROM check_each($$
DROP SCHEMA ddl_drop_empty;
DROP SCHEMA "Ddl Drop" CASCADE;
DROP SCHEMA "Ddl Drop";
DROP OWNED BY regress_zdm_drop;
DROP OWNED BY regress_zdm_nothing;
DROP DATABASE template1;
$$);
SELECT DISTINCT lock_mode FROM zdm_check('DROP SCHEMA "Ddl Drop" CASCADE');
SELECT DISTINCT lock_mode FROM zdm_check('DROP OWNED BY regress_zdm_drop');
DROP OWNED BY regress_zdm_drop;
DROP ROLE regress_zdm_drop, regress_zdm_nothing;

-- columns
SELECT sql, object, rule, class, lock_mode, rewrites, scans, verdict, message FROM check_each($$
ALTER TABLE parent DROP COLUMN note;
ALTER TABLE child DROP COLUMN parent_id;
ALTER TABLE child DROP COLUMN a;
ALTER TABLE child DROP COLUMN a CASCADE;
ALTER TABLE child DROP COLUMN b, DROP CONSTRAINT child_check;
ALTER TABLE child DROP COLUMN c;
ALTER TABLE child DROP COLUMN k;
ALTER TABLE parent DROP COLUMN id CASCADE;
ALTER TABLE "Mixed Case" DROP COLUMN "The Column";
ALTER TABLE parted DROP COLUMN x;
ALTER TABLE empty_table DROP COLUMN id;
ALTER TABLE child DROP COLUMN nope;
ALTER TABLE child DROP COLUMN IF EXISTS nope;
ALTER TABLE IF EXISTS nope DROP COLUMN nope;
$$);
SELECT sql, rule, hint FROM check_each($$
ALTER TABLE child DROP COLUMN a;
ALTER TABLE child DROP COLUMN id;
ALTER TABLE "Mixed Case" DROP COLUMN "The Column";
DROP TABLE child;
DROP VIEW child_view;
DROP SCHEMA "Ddl Drop";
$$);

-- the locks as the server takes them
CREATE FUNCTION locks_differ(script text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	foreseen text;
	taken text;
BEGIN
	SELECT max(lock_mode) INTO foreseen FROM zdm_check(script);
	BEGIN
		SET LOCAL zdm.mode = off;
		EXECUTE script;
		SELECT 'AccessExclusiveLock' INTO taken FROM pg_locks
			WHERE pid = pg_backend_pid() AND locktype = 'relation' AND
				mode = 'AccessExclusiveLock' AND relation >= 16384;
		RAISE EXCEPTION USING errcode = 'P0099';
	EXCEPTION WHEN SQLSTATE 'P0099' THEN NULL;
	END;
	IF coalesce(foreseen = 'AccessExclusiveLock', false) <> (taken IS NOT NULL) THEN
		RETURN NEXT format('%s: foreseen %s, taken %s', script, foreseen, taken);
	END IF;
END $$;
SET client_min_messages = warning;
SELECT locks_differ(s) FROM unnest(ARRAY[
	'DROP TABLE child CASCADE', 'DROP TABLE parent CASCADE', 'DROP TABLE parted_1',
	'DROP VIEW child_view', 'DROP FUNCTION trigger_function() CASCADE',
	'DROP FUNCTION f(int)', 'DROP TYPE mood CASCADE', 'DROP DOMAIN positive',
	'DROP STATISTICS child_stat', 'DROP TRIGGER child_trigger ON child',
	'DROP TRIGGER IF EXISTS nope ON child', 'DROP RULE child_rule ON child',
	'DROP POLICY child_policy ON child', 'DROP SCHEMA "Ddl Drop" CASCADE',
	'DROP SCHEMA ddl_drop_empty', 'ALTER TABLE child DROP COLUMN IF EXISTS nope',
	'DROP COLLATION coll', 'DROP CAST (mood AS int)', 'DROP SEQUENCE seq']) AS s;

RESET client_min_messages;

-- in a window they are refused; nothing changes
SELECT zdm_begin_window('drop') > 0 AS opened;
\set VERBOSITY terse
DROP TABLE "Mixed Case";
ALTER TABLE parent DROP COLUMN note;
DROP VIEW child_view;
DROP FUNCTION f(int);
DROP TRIGGER child_trigger ON child;
DROP SCHEMA "Ddl Drop" CASCADE;
DROP POLICY child_policy ON child;
\set VERBOSITY default
DROP TABLE child CASCADE;
\echo :LAST_ERROR_SQLSTATE
-- what the window has made can go
CREATE TABLE born (id int, v int);
CREATE FUNCTION born() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER TABLE born DROP COLUMN v;
DROP TABLE born;
DROP FUNCTION born();
DROP TABLE IF EXISTS nope;
-- but not what CASCADE takes with it, if that is older
CREATE FUNCTION born_function(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION born_trigger_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE SEQUENCE born_sequence;
SET client_min_messages = error;
CREATE OR REPLACE VIEW child_view AS SELECT id, a FROM child WHERE born_function(a);
CREATE TRIGGER born_trigger AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION born_trigger_function();
ALTER TABLE empty_table ALTER id SET DEFAULT nextval('born_sequence');
ALTER TABLE child ALTER a SET DEFAULT nextval('born_sequence');
RESET client_min_messages;
\set VERBOSITY terse
DROP FUNCTION born_function(int) CASCADE;
DROP FUNCTION born_trigger_function() CASCADE;
DROP SEQUENCE born_sequence CASCADE;
\set VERBOSITY default
SELECT zdm_end_window('drop');
-- and without one
DROP TABLE "Mixed Case";
ALTER TABLE parent DROP COLUMN note;
DROP FUNCTION born_function(int) CASCADE;

SET client_min_messages = warning;
DROP SCHEMA ddl_drop, ddl_drop_empty, "Ddl Drop" CASCADE;
