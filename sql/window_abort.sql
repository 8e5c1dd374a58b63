-- The abort of a window: what was deferred is cancelled or undone, what was
-- made directly is taken away, and what holds data is not.
\set VERBOSITY default
CREATE SCHEMA window_abort;
SET search_path = window_abort, public;
SET client_min_messages = warning;
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, plan text);
INSERT INTO customer SELECT g, 'company ' || g, 'plan ' || g FROM generate_series(1, 10) g;
CREATE TYPE address AS (street text, town text);
CREATE TYPE tariff AS ENUM ('free', 'basic');
CREATE SEQUENCE counter;
-- from 18 on NOT NULL is a constraint with a name
CREATE FUNCTION public.window_abort_plain(sql text) RETURNS text LANGUAGE sql
	AS $$SELECT regexp_replace(sql, 'ADD CONSTRAINT \w+_not_null NOT NULL (\w+)', 'ALTER COLUMN \1 SET NOT NULL', 'g')$$;
CREATE VIEW steps AS
	SELECT phase, state, is_undo, sql, public.window_abort_plain(undo_sql) AS undo_sql FROM zdm.step WHERE deferred
	AND window_id = (SELECT max(id) FROM zdm.window) ORDER BY id;
-- all that is in the schema, by name
CREATE VIEW public.window_abort_schema AS
	SELECT i.type || ' ' || i.identity AS object FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) AS i
	WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'window_abort'::regnamespace
	UNION ALL
	SELECT attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' '
		|| coalesce((SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum), '')
	FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
	WHERE relnamespace = 'window_abort'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'c') AND attnum > 0 AND NOT attisdropped
	UNION ALL
	SELECT 'constraint ' || pg_get_constraintdef(oid) || ' ' || convalidated FROM pg_constraint
	WHERE connamespace = 'window_abort'::regnamespace AND contype <> 'n'
	UNION ALL
	SELECT pg_get_indexdef(indexrelid) || ' ' || indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
	WHERE relnamespace = 'window_abort'::regnamespace
	UNION ALL
	SELECT 'trigger ' || tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
	WHERE relnamespace = 'window_abort'::regnamespace AND NOT tgisinternal
	UNION ALL
	SELECT 'policy ' || polname FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
	WHERE relnamespace = 'window_abort'::regnamespace;
CREATE TABLE public.window_abort_before AS SELECT object FROM window_abort_schema;
CREATE VIEW public.window_abort_differences AS
	SELECT 'lost' AS what, * FROM (SELECT object FROM window_abort_before EXCEPT ALL SELECT object FROM window_abort_schema) AS lost
	UNION ALL
	SELECT 'left', * FROM (SELECT object FROM window_abort_schema EXCEPT ALL SELECT object FROM window_abort_before) AS rest;
-- an error with the numbers of steps left out
CREATE PROCEDURE public.window_abort_try(statement text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RAISE WARNING 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RAISE WARNING USING MESSAGE = SQLSTATE || ' ' || SQLERRM, DETAIL = public.window_abort_plain(regexp_replace(replace(detail, session_user, 'SESSION_USER'), '[Ss]tep \d+', 'step N', 'g')), HINT = hint;
END $$;
SELECT * FROM window_abort_differences;

-- everything that can be made, one thing on another
SELECT zdm_begin_window('abort_1', 'defer') IS NOT NULL AS opened;
CREATE SCHEMA window_abort_other;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (a int, b mood);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE span AS RANGE (subtype = int);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
CREATE PROCEDURE nothing() LANGUAGE sql AS '';
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
CREATE AGGREGATE number_of (*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE OPERATOR #+# (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE CAST (pair AS text) WITH INOUT;
CREATE COLLATION plain (LOCALE = 'C');
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
CREATE SEQUENCE "Odd ""one";
CREATE TABLE invoice (id serial PRIMARY KEY, customer_id int REFERENCES customer, total positive DEFAULT twice(1), mood mood,
	next int DEFAULT nextval('"Odd ""one"'));
CREATE INDEX ON invoice (customer_id);
CREATE TABLE line (id int GENERATED ALWAYS AS IDENTITY, invoice_id int REFERENCES invoice, CHECK (id > 0));
CREATE TABLE log (at date, note text) PARTITION BY RANGE (at);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE INDEX ON log (note);
CREATE VIEW invoices AS SELECT id, total FROM invoice;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM invoices;
CREATE UNIQUE INDEX ON totals (n);
CREATE TRIGGER touch BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY mine ON customer USING (true);
CREATE STATISTICS both_of ON name, plan FROM customer;
CREATE RULE no_delete AS ON DELETE TO invoice DO INSTEAD NOTHING;
ALTER TABLE customer ADD COLUMN note text;
ALTER TABLE customer ADD COLUMN vip boolean NOT NULL DEFAULT false, ADD COLUMN invoice_id int REFERENCES invoice;
CREATE INDEX customer_note ON customer (note);
CREATE INDEX customer_name ON customer (lower(name));
ALTER TABLE customer ADD CONSTRAINT note_unique UNIQUE (note);
CREATE TABLE renamed (id int);
ALTER TABLE renamed RENAME TO has_another_name;
CREATE TABLE window_abort_other.far (id int REFERENCES customer);
CREATE TABLE dropped (id int);
DROP TABLE dropped;
-- and what waits or has given way
ALTER TABLE customer DROP COLUMN name;
ALTER TABLE customer ALTER COLUMN plan SET NOT NULL;
ALTER TABLE customer ADD CONSTRAINT plan_check CHECK (plan <> '');
CALL zdm_wait();
SELECT count(*) > 50 AS much FROM window_abort_differences;
SELECT zdm_abort_window() > 20 AS undone;
CALL zdm_wait();
SELECT * FROM window_abort_differences;
SELECT to_regnamespace('window_abort_other');
SELECT state FROM zdm_windows WHERE name = 'abort_1';
SELECT state, is_undo, sql FROM steps WHERE sql !~ '^-- made' AND phase <> 'contract';
SELECT state, count(*) FROM steps WHERE phase = 'contract' GROUP BY 1;

-- what holds data is found first
SELECT zdm_begin_window('abort_2', 'defer') IS NOT NULL AS opened;
CREATE TYPE kind AS ENUM ('a');
CREATE TABLE unused (id int);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE used (id int PRIMARY KEY, parent_id int REFERENCES parent, kind kind, n int DEFAULT nextval('counter'));
INSERT INTO used VALUES (1), (2);
ALTER TABLE customer ADD COLUMN only_default int NOT NULL DEFAULT 7;
ALTER TABLE customer ADD COLUMN only_null json;
ALTER TABLE customer ADD COLUMN address address DEFAULT ('x', NULL);
ALTER TABLE customer ADD COLUMN written json;
ALTER TABLE customer ADD COLUMN other_than_default int DEFAULT 7;
ALTER TABLE customer ADD COLUMN generated int GENERATED ALWAYS AS IDENTITY;
ALTER TABLE customer ADD COLUMN "Odd ""domain" numeric(5, 2) DEFAULT 1;
UPDATE customer SET written = '{}' WHERE id = 1;
UPDATE customer SET other_than_default = 8 WHERE id = 1;
UPDATE customer SET address = (NULL, NULL) WHERE id = 1;
ALTER TABLE customer DROP COLUMN name;
ALTER TYPE tariff ADD VALUE 'gold';
CREATE FUNCTION helper() RETURNS int LANGUAGE sql AS 'SELECT 1';
CALL zdm_wait();
UPDATE customer SET name = NULL WHERE id IN (2, 3);
-- a change of the default is none of the value that old rows have
ALTER TABLE customer ALTER COLUMN only_default SET DEFAULT 8;
CALL window_abort_try('SELECT zdm_abort_window()');
SELECT state FROM zdm_windows WHERE name = 'abort_2';
-- what could be lost may be filled in or removed
UPDATE customer SET name = 'x' WHERE name IS NULL;
DELETE FROM used;
UPDATE customer SET written = NULL, other_than_default = 7, address = NULL WHERE id < 3;
CALL window_abort_try('SELECT zdm_abort_window()');
-- or be left in place, with all that it needs
INSERT INTO used VALUES (1);
UPDATE customer SET name = NULL WHERE id = 2;
CALL window_abort_try('SELECT zdm_abort_window()');
SELECT zdm_pause('abort_2');
\set VERBOSITY terse
SELECT zdm_abort_window(force => true) > 0 AS undone;
\set VERBOSITY default
SELECT state, is_undo, sql, undo_sql FROM steps;
SELECT zdm_resume('abort_2');
CALL zdm_wait();
SELECT state FROM zdm_windows WHERE name = 'abort_2';
SELECT * FROM window_abort_differences ORDER BY 1, 2;
DROP TABLE used, parent CASCADE;
DROP TYPE kind;
ALTER TABLE customer DROP COLUMN generated;
UPDATE customer SET name = 'x' WHERE name IS NULL;
ALTER TABLE customer ALTER COLUMN name SET NOT NULL;
SELECT * FROM window_abort_differences ORDER BY 1, 2;

-- nothing to undo: aborted at once
SELECT zdm_begin_window('abort_3', 'defer') IS NOT NULL AS opened;
SELECT zdm_abort_window();
SELECT state FROM zdm_windows WHERE name = 'abort_3';

-- aborted twice, ended while it is aborted
SELECT zdm_begin_window('abort_4', 'defer') IS NOT NULL AS opened;
CREATE TABLE fresh (id int);
SELECT zdm_pause('abort_4');
SELECT zdm_abort_window();
CALL window_abort_try('SELECT zdm_abort_window()');
CALL window_abort_try('SELECT zdm_end_window()');
CALL window_abort_try('ALTER TABLE customer DROP COLUMN plan');
SELECT zdm_resume('abort_4');
CALL zdm_wait();
SELECT * FROM window_abort_differences;

-- while it ends: until the first step has run for good
SELECT zdm_begin_window('abort_5', 'defer') IS NOT NULL AS opened;
ALTER TABLE customer DROP COLUMN name;
SELECT zdm_pause('abort_5');
SELECT zdm_end_window();
SELECT zdm_abort_window();
SELECT zdm_resume('abort_5');
CALL zdm_wait();
SELECT state FROM zdm_windows WHERE name = 'abort_5';
SELECT * FROM window_abort_differences;
SELECT zdm_begin_window('abort_6', 'defer') IS NOT NULL AS opened;
CREATE TABLE fresh (id int);
ALTER TABLE customer DROP COLUMN plan;
ALTER TABLE customer ADD CHECK (id > 0);
SELECT zdm_pause('abort_6');
SELECT zdm_end_window();
-- as if the second one had failed
UPDATE zdm.step SET state = 'failed', last_error = 'as a test' WHERE state = 'queued' AND sql LIKE '%window_abort.customer%CHECK%';
SELECT zdm_resume('abort_6');
DO $$
BEGIN
	FOR i IN 1 .. 600 LOOP
		EXIT WHEN EXISTS (SELECT FROM zdm.step WHERE state = 'done' AND sql LIKE '%window_abort.customer DROP COLUMN plan');
		PERFORM pg_sleep(0.1);
		COMMIT;
	END LOOP;
END $$;
CALL window_abort_try('SELECT zdm_abort_window()');
\set VERBOSITY terse
SELECT zdm_abort_window(force => true);
\set VERBOSITY default
CALL zdm_wait();
SELECT * FROM window_abort_differences;
SELECT state FROM zdm_windows WHERE name = 'abort_6';

-- what was made directly is taken away with the rights of who aborts the window
CREATE ROLE zdm_window_abort;
GRANT ALL ON SCHEMA window_abort TO zdm_window_abort;
GRANT EXECUTE ON FUNCTION zdm_abort_window TO zdm_window_abort;
SELECT zdm_begin_window('abort_8', 'defer') IS NOT NULL AS opened;
CREATE TABLE fresh (id int PRIMARY KEY);
CREATE INDEX on_plan ON customer (id, name);
CREATE TRIGGER fires BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE FUNCTION helper() RETURNS int LANGUAGE sql AS 'SELECT 1';
SET ROLE zdm_window_abort;
CREATE TABLE my_own (id int PRIMARY KEY, CHECK (id > 0));
CREATE VIEW my_view AS SELECT * FROM my_own;
CREATE TYPE my_type AS ENUM ('a');
CALL window_abort_try('SELECT zdm_abort_window()');
RESET ROLE;
SELECT zdm_abort_window() > 0 AS undone;
CALL zdm_wait();
SELECT * FROM window_abort_differences;
SELECT zdm_begin_window('abort_9', 'defer') IS NOT NULL AS opened;
SET ROLE zdm_window_abort;
CREATE TABLE my_own (id int PRIMARY KEY, CHECK (id > 0));
CREATE VIEW my_view AS SELECT * FROM my_own;
CREATE TYPE my_type AS ENUM ('a');
SELECT zdm_abort_window();
RESET ROLE;
CALL zdm_wait();
SELECT * FROM window_abort_differences;
REVOKE ALL ON FUNCTION zdm_abort_window FROM zdm_window_abort;
REVOKE ALL ON SCHEMA window_abort FROM zdm_window_abort;
DROP ROLE zdm_window_abort;

-- rolled back with its transaction
SELECT zdm_begin_window('abort_7', 'defer') IS NOT NULL AS opened;
BEGIN;
CREATE TABLE fresh (id int);
SELECT zdm_abort_window();
ROLLBACK;
SELECT state FROM zdm_windows WHERE name = 'abort_7';
SELECT zdm_abort_window('abort_7');

-- an index from before the window does not go with a constraint that it was given to
CREATE TABLE older (id int);
CREATE UNIQUE INDEX older_index ON older (id);
SELECT zdm_begin_window('abort_9', 'defer') > 0 AS begun;
ALTER TABLE older ADD CONSTRAINT older_index UNIQUE USING INDEX older_index;
SELECT zdm_abort_window('abort_9');
SELECT zdm_end_window('abort_9');

DROP VIEW public.window_abort_differences, public.window_abort_schema;
DROP SCHEMA window_abort CASCADE;
DROP TABLE public.window_abort_before;
DROP PROCEDURE public.window_abort_try;
DROP FUNCTION public.window_abort_plain;
