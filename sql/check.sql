-- zdm_check on scripts: what is made earlier is new, and nothing is hidden by an error.
CREATE SCHEMA check_test;
SET search_path = check_test, public;
SET client_min_messages = warning;
CREATE TABLE customer (id int PRIMARY KEY, company_name text, plan text NOT NULL DEFAULT 'free');
INSERT INTO customer SELECT g, 'company ' || g FROM generate_series(1, 10) g;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FUNCTION verdicts(script text) RETURNS TABLE (s int, l int, command text, rule text, verdict text, message text)
LANGUAGE sql AS $$
	SELECT statement, line, command, rule, verdict, message FROM zdm_check(script)
$$;

-- every column
SELECT * FROM zdm_check('CREATE INDEX customer_plan ON customer (plan)') \gx

-- nothing at all
SELECT count(*) FROM zdm_check(NULL);
SELECT count(*) FROM zdm_check('');
SELECT count(*) FROM zdm_check(E' \n\t;;; -- a comment\n/* and /* another */ */ ;');

-- cut where it can be cut, with the line of the first token
SELECT * FROM verdicts($s$
SELECT 'a;b', "c;d", $x$ ; $x$; -- not here ;
/* nor ; here */ CREATE TABLE
	t1 (a int);
CREATE RULE r AS ON INSERT TO t1 DO ALSO (SELECT 1; SELECT 2);
CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 ELSE 2 END; SELECT 3; END;
CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END; SELECT 4
$s$);

-- syntax errors do not hide what follows
SELECT s, l, rule, verdict, message FROM verdicts($s$
ALTER TABLE customer DROP;
CREATE INDEX i1 ON customer (plan);
SELEC 1;
SELECT 1a;
CREATE INDEX i2 ON customer (plan)
$s$);
SELECT s, l, rule, message FROM verdicts('SELECT 1; SELECT ''unterminated');
SELECT s, l, rule, message FROM verdicts('SELECT $x$ unterminated; SELECT 1');
SELECT s, l, rule, message FROM verdicts('SELECT 1 /* unterminated; SELECT 1');
SELECT s, l, rule, message FROM verdicts('SELECT "unterminated; SELECT 1');
SELECT s, l, rule, message FROM verdicts('SELECT ""; SELECT 1');
SELECT s, l, rule, message FROM verdicts(E'\\d customer\nSELECT 1;');
SELECT s, l, rule, message FROM verdicts('SELECT ((((1; SELECT 2');

-- names that do not exist
SELECT s, rule, verdict, message FROM verdicts($s$
ALTER TABLE nope ADD COLUMN a int;
ALTER TABLE customer DROP COLUMN nope;
ALTER TABLE customer ADD COLUMN a no_such_type;
ALTER TABLE customer ADD COLUMN b int DEFAULT no_such_function();
CREATE INDEX i ON nope.nope (a);
DROP TABLE nope;
ALTER TABLE IF EXISTS nope ADD COLUMN a int;
DROP TABLE IF EXISTS nope;
$s$);

-- what the script makes is new: tables, columns, types, functions, schemas
SELECT s, command, rule, verdict, message FROM verdicts($s$
CREATE TABLE t2 (a int, b text);
CREATE INDEX ON t2 (a);
ALTER TABLE t2 ADD CONSTRAINT t2_a CHECK (a > 0), ALTER COLUMN b SET NOT NULL;
ALTER TABLE t2 RENAME COLUMN a TO c;
ALTER TABLE t2 DROP COLUMN c;
ALTER TABLE t2 DROP COLUMN no_such_column;
DROP TABLE t2;
ALTER TABLE t2 ADD COLUMN z int;
CREATE SCHEMA extra;
CREATE TABLE extra.t3 AS SELECT 1 AS a;
VACUUM FULL extra.t3;
CREATE TYPE shade AS ENUM ('light', 'dark');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE FUNCTION stable_one() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION volatile_one() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER TABLE customer ADD COLUMN s shade;
ALTER TABLE customer ADD COLUMN one int DEFAULT stable_one();
ALTER TABLE customer ADD COLUMN two int DEFAULT volatile_one();
ALTER TABLE customer RENAME TO client;
CREATE INDEX ON client (plan);
SELECT 1 INTO t4;
CREATE INDEX ON t4 ("?column?");
SET search_path = extra;
ALTER TABLE t3 ADD COLUMN b int;
ALTER TABLE check_test.client ALTER COLUMN plan SET NOT NULL;
$s$);

-- a CHECK that the script adds and validates proves NOT NULL
SELECT s, rule, verdict FROM verdicts($s$
ALTER TABLE customer ALTER COLUMN company_name SET NOT NULL;
ALTER TABLE customer ADD CONSTRAINT nn CHECK (company_name IS NOT NULL) NOT VALID;
ALTER TABLE customer VALIDATE CONSTRAINT nn;
ALTER TABLE customer ALTER COLUMN company_name SET NOT NULL;
$s$) WHERE rule = 'set_not_null' OR rule IS NULL;

-- transactions in the script
SELECT s, command, rule, verdict FROM verdicts($s$
CREATE INDEX CONCURRENTLY i1 ON customer (plan);
BEGIN;
CREATE INDEX CONCURRENTLY i2 ON customer (plan);
COMMIT;
CREATE INDEX CONCURRENTLY i3 ON customer (plan);
$s$);
SELECT s, command, rule FROM verdicts($s$
BEGIN;
ALTER TABLE customer ADD COLUMN x int;
UPDATE customer SET x = 1;
ROLLBACK;
UPDATE customer SET x = 1;
$s$) WHERE command = 'UPDATE';

-- what runs unseen code may make anything
SELECT s, command, rule FROM verdicts($s$
DO 'BEGIN CREATE TABLE made_in_do (a int); END';
ALTER TABLE made_in_do ADD COLUMN b int;
$s$);

-- nothing was executed
SELECT relname FROM pg_class WHERE relnamespace = 'check_test'::regnamespace AND relkind = 'r' ORDER BY 1;

-- no lock is taken on a table that is looked at
BEGIN;
SELECT count(*) > 0 AS found FROM zdm_check('ALTER TABLE customer DROP COLUMN plan; DROP TABLE customer');
SELECT count(*) FROM pg_locks WHERE relation = 'customer'::regclass AND pid = pg_backend_pid();
COMMIT;

-- a long script, a long statement, and text that is no SQL at all
SELECT count(*), count(*) FILTER (WHERE verdict = 'run') FROM zdm_check(repeat('SELECT 1;', 20000));
SELECT count(*) FROM zdm_check(repeat(';', 100000));
SELECT rule, verdict FROM zdm_check('SELECT ' || repeat('1+', 2000) || '1');
SELECT rule, message FROM zdm_check('SELECT ' || repeat('(', 100000) || '1');
SELECT count(*) > 0 AS answers FROM zdm_check(repeat(chr(1) || chr(7) || '''$' || chr(8364), 1000));

-- zdm_explain
SELECT * FROM zdm_explain('ALTER TABLE customer ADD COLUMN note text');
SELECT step, phase, sql, lock_mode, note FROM zdm_explain('CREATE INDEX i ON customer (plan)') \gx
SELECT * FROM zdm_explain('SELECT 1');
SELECT * FROM zdm_explain('');
SELECT * FROM zdm_explain('SELECT 1; SELECT 2');
SELECT * FROM zdm_explain('SELEC 1');
SELECT * FROM zdm_explain('DROP TABLE nope');
SELECT count(*) FROM zdm_explain(NULL);

DROP SCHEMA check_test CASCADE;
