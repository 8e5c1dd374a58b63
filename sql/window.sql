-- Deployment windows: begin, status, end, abort, several at once.
\set VERBOSITY default
CREATE SCHEMA window_test;
SET search_path = window_test, public;
SET client_min_messages = warning;
SELECT coalesce(max(id), 0) AS before FROM zdm_windows \gset
CREATE TABLE customer (id int PRIMARY KEY, company_name text NOT NULL, plan text DEFAULT 'free');
INSERT INTO customer SELECT g, 'company ' || g FROM generate_series(1, 10) g;

-- no window: compat hazards run
SELECT rule, class, verdict FROM zdm_check('ALTER TABLE customer DROP COLUMN plan');
SELECT zdm_end_window();
SELECT * FROM zdm_window_status();
SELECT zdm_abort_window('v2');

-- bad input changes nothing
SELECT zdm_begin_window(NULL);
SELECT zdm_begin_window('');
SELECT zdm_begin_window(E' \t\n');
SELECT zdm_begin_window(repeat('x', 64));
SELECT zdm_begin_window('v2', NULL);
SELECT zdm_begin_window('v2', 'refuses');
SELECT zdm_begin_window('v2', old_clients => 'v1\');
SELECT zdm_begin_window('v2', quiet_period => NULL);
SELECT zdm_begin_window('v2', quiet_period => '-1 s');
SELECT count(*) FROM zdm_windows WHERE id > :before;

-- one window
SELECT zdm_begin_window('v2') IS NOT NULL AS opened;
SELECT zdm_begin_window('v2');
SELECT name, state, on_unsafe, old_clients, quiet_period, opened_by = session_user AS by_me, ended_at
FROM zdm_windows WHERE id > :before;
SELECT * FROM zdm_window_status();
ALTER TABLE customer DROP COLUMN plan;
ALTER TABLE customer RENAME COLUMN plan TO tariff;
DROP TABLE customer;
TRUNCATE customer;
-- what is additive runs
ALTER TABLE customer ADD COLUMN company_address text;
-- a warning only
ALTER TABLE customer ALTER COLUMN plan SET DEFAULT 'basic';
SELECT plan FROM customer WHERE id = 1;

-- an object that is born in the window is unknown to old clients
CREATE TABLE invoice (id int PRIMARY KEY, note text);
INSERT INTO invoice VALUES (1, 'x');
ALTER TABLE invoice RENAME COLUMN note TO remark;
ALTER TABLE invoice DROP COLUMN remark;
DROP TABLE invoice;
-- so is a column, for those who read it
ALTER TABLE customer RENAME COLUMN company_address TO address;
ALTER TABLE customer DROP COLUMN address;
-- but not where it can reject their INSERT: what Django's AddField does
ALTER TABLE customer ADD COLUMN vip boolean DEFAULT false NOT NULL;
ALTER TABLE customer ALTER COLUMN vip DROP DEFAULT;
-- nothing is left of a savepoint that is rolled back
BEGIN;
SAVEPOINT s;
CREATE TABLE gone (id int);
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM zdm.object WHERE identity LIKE 'window_test.gone%';

-- history: the statements that ran, with why
SELECT command, window_name, decision, rules, sql FROM zdm_history WHERE window_name = 'v2' ORDER BY id;

-- two windows, and none is chosen
SELECT zdm_begin_window('Mixed "Case"') IS NOT NULL AS opened;
ALTER TABLE customer DROP COLUMN plan;
SELECT rule, verdict, hint FROM zdm_check('ALTER TABLE customer DROP COLUMN plan');
SELECT zdm_end_window();
ALTER TABLE customer ADD COLUMN note text;
SET zdm."window" = 'Mixed "Case"';
ALTER TABLE customer DROP COLUMN plan;
SELECT zdm_end_window();
ALTER TABLE customer DROP COLUMN plan;
RESET zdm."window";
SELECT zdm_end_window('nope');
SELECT zdm_end_window('v2');
SELECT zdm_end_window('v2');
ALTER TABLE customer DROP COLUMN plan;
SELECT name, state, ended_by = session_user AS by_me FROM zdm_windows WHERE id > :before ORDER BY id;

-- a name is free again when its window is over
SELECT zdm_begin_window('v2') IS NOT NULL AS opened;
SELECT zdm_end_window('v2');

-- old clients
SET application_name = 'shop v1';
SELECT zdm_begin_window('v3', old_clients => 'shop v1%', quiet_period => '1 min') IS NOT NULL AS opened;
SELECT condition, ok FROM zdm_window_status();
\set VERBOSITY sqlstate
SELECT zdm_end_window();
\set VERBOSITY default
SET application_name = 'shop v2';
SELECT condition, ok, regexp_replace(detail, 'seen at .*, the', 'seen at T, the') AS detail FROM zdm_window_status('v3');
SET application_name = 'shop v1';
SELECT zdm_end_window(force => true);
RESET application_name;

-- old_clients is a LIKE pattern
SET application_name = 'shop v1\';
SELECT zdm_begin_window('patterns', old_clients => 'shop v1\\') IS NOT NULL AS opened;
SELECT ok, regexp_replace(detail, 'pid \d+, user [^,]+', 'pid N, user U') AS detail FROM zdm_window_status('patterns') WHERE condition = 'old clients gone';
SELECT zdm_end_window('patterns', force => true);
SELECT zdm_begin_window('patterns', old_clients => '') IS NOT NULL AS opened;
SELECT ok, detail FROM zdm_window_status('patterns') WHERE condition = 'old clients gone';
SELECT zdm_end_window('patterns');
SELECT zdm_begin_window('patterns', old_clients => 'shop\_v_%') IS NOT NULL AS opened;
SELECT ok, detail FROM zdm_window_status('patterns') WHERE condition = 'old clients gone';
SELECT zdm_end_window('patterns');
SELECT zdm_begin_window('patterns', old_clients => 'shop_v_%') IS NOT NULL AS opened;
SELECT ok FROM zdm_window_status('patterns') WHERE condition = 'old clients gone';
SELECT zdm_end_window('patterns', force => true);
RESET application_name;

-- abort: what cannot be undone without losing data is listed, the rest is undone
SELECT zdm_begin_window('v4') IS NOT NULL AS opened;
CREATE TABLE ledger (id int);
INSERT INTO ledger VALUES (1);
CREATE TABLE still_empty (id int);
ALTER TABLE customer ADD COLUMN rating int;
\set VERBOSITY terse
SELECT zdm_abort_window();
\set VERBOSITY default
SELECT zdm_abort_window(force => true);
CALL zdm_wait();
SELECT to_regclass('ledger'), to_regclass('still_empty');
SELECT count(*) FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attname = 'rating';
SELECT zdm_abort_window();
SELECT name, state FROM zdm_windows WHERE id > :before ORDER BY id;
SELECT zdm_begin_window('v5') IS NOT NULL AS opened;
SELECT zdm_abort_window('v5');

-- begin and its rollback
BEGIN;
SELECT zdm_begin_window('v6') IS NOT NULL AS opened;
ROLLBACK;
SELECT zdm_end_window('v6');
BEGIN READ ONLY;
SELECT zdm_begin_window('v6');
ROLLBACK;

-- who may
CREATE ROLE zdm_window_user;
GRANT USAGE ON SCHEMA window_test TO zdm_window_user;
SET ROLE zdm_window_user;
SELECT zdm_begin_window('v7');
INSERT INTO zdm.window (name) VALUES ('v7');
SELECT count(*) > 0 AS can_read FROM zdm_windows;
SELECT count(*) FROM zdm_history;
RESET ROLE;
GRANT EXECUTE ON FUNCTION zdm_begin_window, zdm_end_window, zdm_abort_window TO zdm_window_user;
SET ROLE zdm_window_user;
SELECT zdm_begin_window('v7') IS NOT NULL AS opened;
SELECT zdm_end_window('v7');
RESET ROLE;

-- the ledger is not dropped under an open window, by whatever command
BEGIN;
SET LOCAL zdm.lock_timeout = '10s';	-- a worker may be looking at it
SET LOCAL zdm.allow = 'drop_schema_database, drop_object_in_use, drop_table, security_change';
SELECT zdm_begin_window('v8') IS NOT NULL AS opened;
SAVEPOINT s;
DROP EXTENSION zdm;
ROLLBACK TO s;
SET LOCAL client_min_messages = error;
DROP EXTENSION zdm CASCADE;
ROLLBACK TO s;
DROP SCHEMA public CASCADE;
ROLLBACK TO s;
SET LOCAL client_min_messages = error;
DROP SCHEMA zdm CASCADE;
ROLLBACK TO s;
-- the owner of a table of the extension
CREATE ROLE zdm_window_owner;
ALTER TABLE zdm.window OWNER TO zdm_window_owner;
SET LOCAL client_min_messages = error;
DROP OWNED BY zdm_window_owner CASCADE;
ROLLBACK TO s;
-- nor while it ends or is aborted
UPDATE zdm.window SET state = 'closing' WHERE name = 'v8';
DROP EXTENSION zdm;
ROLLBACK TO s;
UPDATE zdm.window SET state = 'aborting' WHERE name = 'v8';
DROP EXTENSION zdm;
ROLLBACK TO s;
SELECT zdm_end_window('v8');
DROP EXTENSION zdm;
SELECT to_regclass('zdm.window');
ROLLBACK;

-- require_window
SET zdm.require_window = on;
ALTER TABLE customer RENAME TO client;
BEGIN;
SET LOCAL zdm.allow = 'rename_table';
ALTER TABLE customer RENAME TO client;
COMMIT;
SELECT decision, rules, sql FROM zdm_history ORDER BY id DESC LIMIT 1;
RESET zdm.require_window;

REVOKE ALL ON FUNCTION zdm_begin_window, zdm_end_window, zdm_abort_window FROM zdm_window_user;
DROP SCHEMA window_test CASCADE;
DROP ROLE zdm_window_user;
