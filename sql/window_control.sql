-- zdm_pause(), zdm_resume(), zdm_retry(), zdm_cancel()
\set VERBOSITY default
CREATE SCHEMA window_control;
SET search_path = window_control, public;
SET client_min_messages = warning;
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, plan text);
INSERT INTO customer SELECT g, 'company ' || g, 'plan ' || g FROM generate_series(1, 10) g;
CREATE VIEW steps AS
	SELECT phase, state, sql FROM zdm.step WHERE deferred
	AND window_id = (SELECT max(id) FROM zdm.window) ORDER BY id;
-- the messages, with the numbers of steps left out
CREATE PROCEDURE try(statement text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RAISE WARNING 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RAISE WARNING USING MESSAGE = SQLSTATE || ' ' || regexp_replace(SQLERRM, 'step \d+', 'step N'), DETAIL = detail,
		HINT = regexp_replace(hint, '\((\d+)\)', '(N)');
END $$;

-- the last step like that
CREATE FUNCTION step(pattern text) RETURNS bigint LANGUAGE sql AS 'SELECT max(id) FROM zdm.step WHERE deferred AND sql LIKE pattern AND sql LIKE ''%window_control.%''';

-- no window, no step
SELECT zdm_pause('none');
SELECT zdm_resume('none');
SELECT zdm_pause(NULL);
SELECT zdm_retry(0);
SELECT zdm_cancel(0);
SELECT zdm_retry(NULL), zdm_cancel(NULL);

-- paused: what is sent waits
SELECT zdm_begin_window('control_1', 'defer') IS NOT NULL AS opened;
SELECT zdm_pause('control_1');
SELECT zdm_pause('control_1');
SELECT paused FROM zdm_windows WHERE name = 'control_1';
BEGIN;
CREATE INDEX customer_name ON customer (name);
CREATE INDEX customer_plan ON customer (plan);
COMMIT;
-- nothing is carried out, and that is said
\set VERBOSITY terse
SET client_min_messages = notice;
CALL zdm_run('control_1');
CALL zdm_run();
SET client_min_messages = warning;
\set VERBOSITY default
SELECT paused_by = session_user AS by_me, paused_at > opened_at AS since FROM zdm.window WHERE name = 'control_1';
SELECT * FROM steps;
SELECT condition, ok FROM zdm_window_status() WHERE condition = 'migrate steps done';
-- a step that waits is not one to be tried again
CALL try(format('SELECT zdm_retry(%s)', step('%customer_name%')));
-- given up: the index is never built
SELECT zdm_cancel(step('%customer_plan%'));
CALL try(format('SELECT zdm_cancel(%s)', step('%customer_plan%')));
CALL try(format('SELECT zdm_retry(%s)', step('%customer_plan%')));
SELECT zdm_resume('control_1');
SELECT zdm_resume('control_1');
SELECT paused FROM zdm_windows WHERE name = 'control_1';
SELECT paused_by, paused_at FROM zdm.window WHERE name = 'control_1';
CALL zdm_wait('control_1');
SELECT * FROM steps;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'customer'::regclass ORDER BY 1;
CALL try(format('SELECT zdm_cancel(%s)', step('%customer_name%')));
-- a step of a statement that is no deferred one
INSERT INTO zdm.statement SELECT 1, NULL, now(), role, session_role, application, command, decision, rules, sql FROM zdm.statement LIMIT 1;
INSERT INTO zdm.step (id, statement_id, ordinal, phase, sql, state, system_identifier, database_oid)
	VALUES (1, 1, 1, 'migrate', 'SELECT', 'failed', 0, 0);
SELECT zdm_retry(1);
SELECT zdm_cancel(1);
DELETE FROM zdm.step WHERE id = 1;
DELETE FROM zdm.statement WHERE id = 1;

-- a step that fails, and its retry
SELECT zdm_pause('control_1');
INSERT INTO customer VALUES (11, 'company 1', NULL);
ALTER TABLE customer ADD COLUMN note text;
UPDATE customer SET note = 'same';
BEGIN;
CREATE UNIQUE INDEX customer_note ON customer (note);
COMMIT;
SELECT zdm_resume('control_1');
\set VERBOSITY sqlstate
CALL zdm_wait('control_1');
\set VERBOSITY default
SELECT * FROM steps;
SELECT last_error FROM zdm.step WHERE id = step('%customer_note%');
UPDATE customer SET note = id;
SELECT zdm_retry(step('%customer_note%'));
CALL zdm_wait('control_1');
SELECT * FROM steps;
SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 'customer'::regclass ORDER BY 1;

-- later parts of the statement go with it, what is done stays and is told
SET client_min_messages = notice;
ALTER TABLE customer DROP COLUMN name;
\set VERBOSITY terse
SELECT zdm_cancel(step('%DROP COLUMN name'));
\set VERBOSITY default
SET client_min_messages = warning;
SELECT * FROM steps WHERE sql LIKE '%name%' AND phase <> 'migrate';
INSERT INTO zdm.statement SELECT 1, window_id, now(), role, session_role, application, command, decision, rules, sql
	FROM zdm.statement WHERE sql LIKE '%DROP COLUMN name' AND window_id = (SELECT max(id) FROM zdm.window) LIMIT 1;
INSERT INTO zdm.step (id, statement_id, window_id, ordinal, phase, sql, state, deferred, system_identifier, database_oid)
	SELECT n, 1, (SELECT max(id) FROM zdm.window), n, 'contract', 'SELECT ' || n, CASE n WHEN 2 THEN 'done' ELSE 'queued' END, true, 0, 0
	FROM generate_series(1, 5) n;
SET client_min_messages = notice;
SELECT zdm_cancel(3);
SET client_min_messages = warning;
SELECT id, state FROM zdm.step WHERE id <= 5 ORDER BY id;
DELETE FROM zdm.step WHERE id <= 5;
DELETE FROM zdm.statement WHERE id = 1;

-- the last step of a window that ends
ALTER TABLE customer DROP COLUMN plan;
SELECT zdm_pause('control_1');
SELECT zdm_end_window();
UPDATE zdm.step SET state = 'failed', last_error = 'as a test' WHERE id = step('%DROP COLUMN plan');
SELECT zdm_cancel(step('%DROP COLUMN plan'));
SELECT state FROM zdm_windows WHERE name = 'control_1';
-- its window is over
CALL try(format('SELECT zdm_retry(%s)', step('%DROP COLUMN plan')));

-- a rename that is given up: the view goes that has the new name
CREATE TABLE invoice (id int PRIMARY KEY, total int);
SELECT zdm_begin_window('control_rename', 'defer') IS NOT NULL AS opened;
ALTER TABLE invoice RENAME TO bill;
ALTER TABLE bill ADD COLUMN note text;
CREATE VIEW unpaid AS SELECT id, note FROM bill;
SELECT count(note) FROM bill;
SET client_min_messages = notice;
SELECT zdm_cancel(max(id)) FROM zdm.step WHERE sql LIKE '%RENAME TO bill';
SET client_min_messages = warning;
-- which the end of the window waits for too
CALL zdm_wait('control_rename');
SELECT phase, state, sql, undo_sql FROM zdm.step WHERE deferred AND window_id = (SELECT max(id) FROM zdm.window) ORDER BY id;
SELECT to_regclass('bill') AS bill, to_regclass('invoice') AS invoice;
SELECT * FROM unpaid;
-- the name is free; there is no other way back
ALTER TABLE invoice RENAME TO bill;
CALL try('ALTER TABLE bill RENAME TO invoice');
SELECT zdm_pause('control_rename');
SELECT zdm_end_window();
SELECT zdm_cancel(max(id)) FROM zdm.step WHERE sql LIKE '%RENAME TO bill';
SELECT state FROM zdm_windows WHERE name = 'control_rename';
SELECT zdm_resume('control_rename');
CALL zdm_wait('control_rename');
SELECT state FROM zdm_windows WHERE name = 'control_rename';
SELECT to_regclass('bill') AS bill, to_regclass('invoice') AS invoice;
-- what uses the view keeps it, and the step says so
SELECT zdm_begin_window('control_rename', 'defer') IS NOT NULL AS opened;
ALTER TABLE invoice RENAME TO bill;
SET zdm.mode = off;
CREATE VIEW uses AS SELECT * FROM bill;
RESET zdm.mode;
SELECT zdm_cancel(max(id)) FROM zdm.step WHERE sql LIKE '%RENAME TO bill';
\set VERBOSITY sqlstate
CALL zdm_wait('control_rename');
\set VERBOSITY default
SELECT state, last_error FROM zdm.step WHERE undo_sql LIKE 'DROP VIEW%bill' AND window_id = (SELECT max(id) FROM zdm.window);
SET zdm.mode = off;
DROP VIEW uses;
RESET zdm.mode;
SELECT zdm_retry(max(id)) FROM zdm.step WHERE undo_sql LIKE 'DROP VIEW%bill';
CALL zdm_wait('control_rename');
SELECT to_regclass('bill') AS bill;
SELECT zdm_end_window();

-- who may
CREATE ROLE zdm_window_control;
SET ROLE zdm_window_control;
SELECT zdm_pause('x');
SELECT zdm_resume('x');
SELECT zdm_retry(1);
SELECT zdm_cancel(1);
RESET ROLE;
GRANT EXECUTE ON FUNCTION zdm_pause, zdm_resume, zdm_retry, zdm_cancel TO zdm_window_control;
SELECT zdm_begin_window('control_2', 'defer') IS NOT NULL AS opened;
SET ROLE zdm_window_control;
SELECT zdm_pause('control_2');
SELECT paused FROM zdm_windows WHERE name = 'control_2';
SELECT zdm_resume('control_2');
RESET ROLE;
BEGIN READ ONLY;
SELECT zdm_pause('control_2');
ROLLBACK;
SELECT zdm_end_window('control_2');

REVOKE ALL ON FUNCTION zdm_pause, zdm_resume, zdm_retry, zdm_cancel FROM zdm_window_control;
DROP ROLE zdm_window_control;
DROP SCHEMA window_control CASCADE;
