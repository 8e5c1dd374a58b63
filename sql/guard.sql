-- The hook: what is refused, what passes, and which settings decide.
CREATE SCHEMA guard_test;
SET search_path = guard_test, public;
SET client_min_messages = warning;
CREATE TABLE big (id int PRIMARY KEY, a int, b text DEFAULT 'x' NOT NULL);
INSERT INTO big SELECT g, g FROM generate_series(1, 1000) g;
CREATE TABLE "Mixed ""Case""" ("Col umn" int);
INSERT INTO "Mixed ""Case""" SELECT g FROM generate_series(1, 1000) g;
SET client_min_messages = notice;

-- a lock hazard that has no safe form is refused
ALTER TABLE big ALTER COLUMN a TYPE bigint;
\set VERBOSITY sqlstate
VACUUM FULL big;
CLUSTER big USING big_pkey;
-- so is one that has, where its steps cannot commit
BEGIN;
CREATE INDEX big_a ON big (a);
ROLLBACK;
DO 'BEGIN CREATE INDEX big_a ON guard_test.big (a); END';
CREATE FUNCTION make_index() RETURNS void LANGUAGE plpgsql AS 'BEGIN CREATE INDEX big_a ON guard_test.big (a); END';
SELECT make_index();
CREATE PROCEDURE make_index_too() LANGUAGE plpgsql AS 'BEGIN COMMIT; CREATE INDEX big_a ON guard_test.big (a); END';
CALL make_index_too();
SELECT 1 \; CREATE INDEX big_a ON big (a);
BEGIN \; ALTER TABLE big ADD COLUMN c serial;
ROLLBACK;
BEGIN \; ALTER TABLE big ADD CONSTRAINT big_a_positive CHECK (a > 0);
ROLLBACK;
BEGIN \; ALTER TABLE big ADD UNIQUE (a);
ROLLBACK;
BEGIN \; ALTER TABLE big ADD FOREIGN KEY (a) REFERENCES big;
ROLLBACK;
BEGIN \; ALTER TABLE big ALTER COLUMN a SET NOT NULL;
ROLLBACK;
BEGIN \; REINDEX TABLE big;
ROLLBACK;
\set VERBOSITY default
SELECT count(*) FROM pg_index WHERE indrelid = 'big'::regclass;
-- where the safe form has to run
BEGIN;
CREATE INDEX big_a ON big (a);
ROLLBACK;
-- a PL/pgSQL block can catch it
DO $$
BEGIN
	CREATE INDEX big_a ON guard_test.big (a);
EXCEPTION WHEN SQLSTATE 'ZDM01' THEN
	RAISE NOTICE 'caught: %', SQLERRM;
END
$$;

-- alone and in autocommit it is carried out in its steps
CREATE INDEX big_a ON big (a);
CREATE INDEX ON "Mixed ""Case""" ("Col umn");
ALTER TABLE big ADD CONSTRAINT big_positive CHECK (id > 0), ADD CONSTRAINT big_key UNIQUE (a, id);
\d big
SELECT step, phase, sql, undo_sql, lock_mode, state, pid, done, waits_for FROM zdm_steps
WHERE statement_id = (SELECT max(id) FROM zdm_history) ORDER BY step;
-- with the error of the plain statement, and nothing left
ALTER TABLE big ADD CONSTRAINT big_few CHECK (id < 500), ADD UNIQUE (b);
UPDATE big SET b = 'y' WHERE id = 1;
ALTER TABLE big ADD COLUMN d int UNIQUE, ADD UNIQUE (b);
ALTER TABLE "Mixed ""Case""" ADD COLUMN "Second" float8 DEFAULT random() CHECK ("Second" > 10);
\d big
\d "Mixed ""Case"""
SELECT count(*) FROM zdm.step WHERE NOT deferred AND state <> 'done';
SELECT count(*) FROM zdm.made;
SELECT decision, rules, sql FROM zdm_history ORDER BY id DESC LIMIT 1;
-- t.f can be f(t): it is no column that does not exist
CREATE FUNCTION half(big) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.id / 2';
ALTER TABLE big ADD CONSTRAINT big_half CHECK (big.half >= 0);
ALTER TABLE big DROP CONSTRAINT big_half;
DROP FUNCTION half;
-- not in a read-only session
SET default_transaction_read_only = on;
CREATE INDEX big_b ON big (b);
RESET default_transaction_read_only;
SET default_transaction_isolation = 'serializable';
CREATE TABLE spare AS SELECT g FROM generate_series(1, 1000) g;
ALTER TABLE spare ADD COLUMN d uuid DEFAULT gen_random_uuid();
SELECT count(DISTINCT d), current_setting('transaction_isolation') FROM spare;
RESET default_transaction_isolation;
-- nothing to recover
CALL zdm_run();
CALL zdm_run('none of that name');
BEGIN;
CALL zdm_run();
ROLLBACK;
DO 'BEGIN CALL zdm_run(); END';
ALTER TABLE big DROP CONSTRAINT big_positive, DROP CONSTRAINT big_key;
DROP INDEX big_a;
DROP INDEX "Mixed ""Case""_Col umn_idx";

-- the safe forms run
CREATE INDEX CONCURRENTLY big_a ON big (a);
REINDEX INDEX CONCURRENTLY big_a;
DROP INDEX CONCURRENTLY big_a;
ALTER TABLE big ADD CONSTRAINT big_a_set CHECK (a IS NOT NULL) NOT VALID;
ALTER TABLE big VALIDATE CONSTRAINT big_a_set;
ALTER TABLE big ALTER COLUMN a SET NOT NULL;
ALTER TABLE big DROP CONSTRAINT big_a_set;

-- no hazard: new, temporary and empty tables, and what nobody notices
BEGIN;
CREATE TABLE fresh AS SELECT g AS a FROM generate_series(1, 1000) g;
CREATE INDEX ON fresh (a);
ALTER TABLE fresh ADD COLUMN b serial, ALTER COLUMN a TYPE bigint, ADD PRIMARY KEY (a);
COMMIT;
CREATE TEMP TABLE scratch AS SELECT g AS a FROM generate_series(1, 1000) g;
CREATE INDEX ON scratch (a);
VACUUM FULL scratch;
CREATE TABLE nothing (a int);
CREATE INDEX ON nothing (a);
ALTER TABLE nothing ALTER COLUMN a TYPE bigint;
CREATE TABLE IF NOT EXISTS big (id int);
CREATE SCHEMA guard_more CREATE TABLE t (a int) CREATE INDEX t_a ON t (a) CREATE VIEW v AS SELECT a FROM t;
DROP SCHEMA guard_more CASCADE;
-- it is the size that counts
SET zdm.small_table = '10MB';
CREATE INDEX big_small ON big (a);
DROP INDEX big_small;
RESET zdm.small_table;

-- zdm.mode
SET zdm.mode = warn;
CREATE INDEX big_warned ON big (a);
SET zdm.mode = off;
CREATE INDEX big_off ON big (a);
SELECT rule, verdict FROM zdm_check('CREATE INDEX i ON big (a)');
RESET zdm.mode;
SELECT command, decision, rules, sql FROM zdm_history WHERE sql LIKE '%big\_%' ORDER BY id;

-- zdm.rules
SET zdm.rules = 'create_index=warn, DROP_INDEX = off';
CREATE INDEX big_ruled ON big (a);
DROP INDEX big_ruled;
SELECT rule, verdict FROM zdm_check('CREATE INDEX i ON big (a); DROP INDEX big_warned');
SELECT rule, severity FROM zdm_rules() WHERE rule IN ('create_index', 'drop_index', 'drop_column');
SET zdm.rules = 'drop_column=error';
RESET zdm.rules;

-- zdm.allow waives a rule, and leaves a trace
BEGIN;
SET LOCAL zdm.allow = 'create_index, drop_index';
CREATE INDEX big_allowed ON big (a);
COMMIT;
SELECT decision, rules, sql, role = current_user AS mine, application FROM zdm_history ORDER BY id DESC LIMIT 1;
DROP INDEX big_allowed;

-- nonsense
SET zdm.mode = 'nonsense';
SET zdm.lock_timeout = '1 parsec';
SET zdm.nonsense = 1;
\set VERBOSITY sqlstate
SET zdm.lock_timeout = 0;
SET zdm.lock_wait_max = -1;
SET zdm.small_table = '-1';
\set VERBOSITY terse
SET zdm.rules = 'no_such_rule=off';
SET zdm.rules = 'create_index';
SET zdm.rules = 'create_index=maybe';
SET zdm.rules = 'create_index=warn,,';
SET zdm.allow = 'no_such_rule';
\set VERBOSITY default
SHOW zdm.rules;

-- who may set what
CREATE ROLE zdm_guard_user;
GRANT ALL ON SCHEMA guard_test TO zdm_guard_user;
SET ROLE zdm_guard_user;
SET zdm.mode = off;
SET zdm.allow = 'create_index';
SET zdm.lock_timeout = '100ms';
RESET zdm.lock_timeout;
-- on the table of another the server's own error comes first
CREATE INDEX big_stolen ON big (a);
ALTER TABLE big ADD COLUMN c serial;
DROP TABLE big;
RESET ROLE;
GRANT SET ON PARAMETER zdm.allow TO zdm_guard_user;
ALTER TABLE "Mixed ""Case""" OWNER TO zdm_guard_user;
SET ROLE zdm_guard_user;
BEGIN;
SET LOCAL zdm.allow = 'create_index';
CREATE INDEX ON "Mixed ""Case""" ("Col umn");
COMMIT;
RESET ROLE;
REVOKE SET ON PARAMETER zdm.allow FROM zdm_guard_user;

-- DML in a transaction that has run DDL
ANALYZE big;
\set VERBOSITY sqlstate
SET zdm.max_dml_rows = 500;
UPDATE big SET a = a + 1;
BEGIN;
ALTER TABLE big ADD COLUMN c int;
UPDATE big SET c = 1 WHERE id = 7;
UPDATE big SET c = 1;
DELETE FROM big WHERE a < 0;
ROLLBACK;
BEGIN;
SAVEPOINT s;
ALTER TABLE big ADD COLUMN c int;
ROLLBACK TO s;
UPDATE big SET a = a + 1;
ROLLBACK;
SELECT zdm_begin_window('guard') IS NOT NULL AS opened;
BEGIN;
ALTER TABLE big ADD COLUMN c int;
WITH changed AS (UPDATE big SET c = 1 RETURNING id) SELECT count(*) FROM changed;
ROLLBACK;
SELECT zdm_end_window('guard');
SET zdm.max_dml_rows = 0;
BEGIN;
ALTER TABLE big ADD COLUMN c int;
UPDATE big SET c = 1;
ROLLBACK;
RESET zdm.max_dml_rows;
\set VERBOSITY default

-- settings that the attempts change are as they were
SET lock_timeout = '7s';
SET deadlock_timeout = '3s';
ALTER TABLE big ADD COLUMN d int;
SHOW lock_timeout;
SHOW deadlock_timeout;
BEGIN;
ALTER TABLE big ADD COLUMN e int;
SHOW lock_timeout;
SHOW deadlock_timeout;
COMMIT;
RESET lock_timeout;
RESET deadlock_timeout;

-- an error of the statement is the server's own
ALTER TABLE big ADD COLUMN d int;
ALTER TABLE big DROP COLUMN no_such_column;
ALTER TABLE no_such_table ADD COLUMN d int;
CREATE INDEX ON big (no_such_column);
ALTER TABLE big ADD COLUMN f no_such_type;

-- a failed transaction
BEGIN;
SELECT 1 / 0;
ALTER TABLE big ADD COLUMN g int;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA guard_test CASCADE;
DROP ROLE zdm_guard_user;
