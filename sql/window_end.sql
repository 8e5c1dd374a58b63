-- The end of a window that defers: its conditions, and what is carried out.
\set VERBOSITY default
CREATE SCHEMA window_end;
SET search_path = window_end, public;
SET client_min_messages = warning;
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, plan text, "Odd ""name" int);
INSERT INTO customer SELECT g, 'company ' || g, nullif('plan ' || g, 'plan 3') FROM generate_series(1, 10) g;

-- numbers and times differ from run to run
CREATE VIEW status AS
	SELECT condition, ok, regexp_replace(regexp_replace(detail, 'step \d+', 'step N', 'g'), '(sent|seen) at .*, the', '\1 at T, the') AS detail
	FROM zdm_window_status();
CREATE VIEW steps AS
	SELECT phase, state, sql, verify_sql FROM zdm.step WHERE deferred
	AND window_id = (SELECT max(id) FROM zdm.window WHERE name = 'end_2') ORDER BY id;
-- the contract steps of the window
CREATE FUNCTION step(pattern text) RETURNS bigint LANGUAGE sql AS $$
	SELECT id FROM zdm.step WHERE phase = 'contract' AND sql LIKE pattern AND window_id = (SELECT max(id) FROM zdm.window)
$$;
-- an error with the numbers of steps left out
CREATE PROCEDURE try(statement text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RAISE WARNING 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RAISE WARNING USING MESSAGE = SQLSTATE || ' ' || SQLERRM,
		DETAIL = regexp_replace(regexp_replace(regexp_replace(detail, '[Ss]tep \d+', 'step N', 'g'), '(sent|seen) at .*, the', '\1 at T, the'), 'pid \d+, user [^,]+', 'pid N, user U'), HINT = hint;
END $$;

-- each condition
SELECT zdm_begin_window('end_2', 'defer', 'shop v1%', '1 hour') IS NOT NULL AS opened;
SELECT * FROM status;
ALTER TABLE customer ALTER COLUMN plan SET NOT NULL;
ALTER TABLE customer DROP COLUMN name;
SELECT * FROM status;
SET application_name = 'shop v1';
CALL try('SELECT zdm_end_window()');
-- clients and quiet period can be forced, rows cannot
CALL try('SELECT zdm_end_window(force => true)');
SELECT state FROM zdm_windows WHERE name = 'end_2';
RESET application_name;
UPDATE customer SET plan = 'free' WHERE plan IS NULL;
CALL try('SELECT zdm_end_window()');

-- the query is run with the rights and settings of the statement's role
CREATE ROLE zdm_window_end;
GRANT ALL ON SCHEMA window_end TO zdm_window_end;
CREATE FUNCTION who() RETURNS text LANGUAGE sql AS 'SELECT current_user || '' '' || current_setting(''search_path'') || '' '' || current_setting(''row_security'')';
-- as if the role had sent this one
UPDATE zdm.step SET verify_sql = $$SELECT FROM pg_catalog.generate_series(1, 3) WHERE window_end.who() = 'zdm_window_end window_end, public off'$$,
	settings = '{search_path=window_end\, public,row_security=on}' WHERE id = step('%plan%');
UPDATE zdm.statement SET role = 'zdm_window_end' WHERE id = (SELECT statement_id FROM zdm.step WHERE id = step('%plan%'));
SELECT ok, detail FROM status WHERE condition = 'no row in the way';
SELECT current_user = session_user AS still_me, current_setting('search_path');
-- one that fails is no error of the status, and leaves nothing behind
UPDATE zdm.step SET verify_sql = 'SELECT FROM window_end.customer' WHERE id = step('%plan%');
SELECT ok, detail FROM status WHERE condition = 'no row in the way';
UPDATE zdm.step SET verify_sql = 'SELECT FROM pg_class WHERE 1 / (relpages - relpages) = 1' WHERE id = step('%plan%');
SELECT ok, detail FROM status WHERE condition = 'no row in the way';
UPDATE zdm.step SET verify_sql = 'SELECT 1 WHERE false', settings = '{no_such_setting=1}' WHERE id = step('%plan%');
SELECT ok, detail FROM status WHERE condition = 'no row in the way';
UPDATE zdm.statement SET role = 'zdm_gone' WHERE role = 'zdm_window_end';
SELECT ok, detail FROM status WHERE condition = 'no row in the way';
UPDATE zdm.statement SET role = session_role WHERE role = 'zdm_gone';
UPDATE zdm.step SET settings = NULL WHERE id = step('%plan%');
SELECT ok, detail FROM status WHERE condition = 'no row in the way';

-- who asks sees no more of it than he may: queries of others are not run for
-- him, unless he may end the window
SET zdm.mode = off;
CREATE ROLE zdm_window_asks;
CREATE ROLE zdm_window_reads IN ROLE pg_read_all_stats;
CREATE ROLE zdm_window_acts IN ROLE zdm_window_end;
CREATE ROLE zdm_window_ends;
GRANT EXECUTE ON FUNCTION zdm_end_window TO zdm_window_ends;
RESET zdm.mode;
CREATE FUNCTION asked() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'asked'; RETURN false; END $$;
UPDATE zdm.step SET verify_sql = 'SELECT 1 WHERE window_end.asked()', state = 'failed', last_error = 'secret' WHERE id = step('%plan%');
UPDATE zdm.statement SET role = 'zdm_window_end' WHERE id = (SELECT statement_id FROM zdm.step WHERE id = step('%plan%'));
SET ROLE zdm_window_asks;
SELECT condition, ok, regexp_replace(detail, 'step \d+', 'step N') AS detail FROM zdm_window_status() WHERE condition ~ 'step|row';
SET ROLE zdm_window_reads;
SELECT condition, ok, regexp_replace(detail, 'step \d+', 'step N') AS detail FROM zdm_window_status() WHERE condition ~ 'step|row';
SET ROLE zdm_window_acts;
SELECT condition, ok, regexp_replace(detail, 'step \d+', 'step N') AS detail FROM zdm_window_status() WHERE condition ~ 'step|row';
SET ROLE zdm_window_ends;
SELECT condition, ok, regexp_replace(detail, 'step \d+', 'step N') AS detail FROM zdm_window_status() WHERE condition ~ 'step|row';
RESET ROLE;
UPDATE zdm.step SET state = 'queued', last_error = NULL, verify_sql = NULL WHERE id = step('%plan%');
UPDATE zdm.statement SET role = session_role WHERE role = 'zdm_window_end';
-- where there is no query, all is known
SET ROLE zdm_window_asks;
SELECT ok, detail FROM zdm_window_status() WHERE condition ~ 'row';
RESET ROLE;

-- a step that has failed
SELECT zdm_pause('end_2');
UPDATE zdm.step SET state = 'failed', last_error = 'disk full' WHERE id = step('%plan%');
SELECT condition, ok, detail FROM status WHERE NOT ok;
CALL try('SELECT zdm_end_window(force => true)');
SELECT zdm_retry(step('%plan%'));

-- a paused window can be ended; its steps wait
SET client_min_messages = notice;
SELECT zdm_end_window(force => true);
SET client_min_messages = warning;
SELECT state, paused, ended_by = session_user AS by_me FROM zdm_windows WHERE name = 'end_2';
CALL try('SELECT zdm_end_window()');
CALL try('SELECT zdm_begin_window(''end_2'')');
-- until they are done unsafe DDL is refused, and what is safe runs
CALL try('ALTER TABLE customer DROP COLUMN plan');
SELECT rule, verdict, hint FROM zdm_check('ALTER TABLE customer DROP COLUMN plan');
ALTER TABLE customer ADD COLUMN later int;
ALTER TABLE customer DROP COLUMN later;
-- another window that is open is the one that counts
SELECT zdm_begin_window('end_2b', 'defer') IS NOT NULL AS opened;
SELECT rule, verdict FROM zdm_check('ALTER TABLE customer DROP COLUMN "Odd ""name"');
SET zdm."window" = 'end_2';
CALL try('ALTER TABLE customer DROP COLUMN plan');
RESET zdm."window";
SELECT zdm_end_window();
SELECT zdm_resume('end_2');
CALL zdm_wait('end_2');
SELECT state, paused FROM zdm_windows WHERE name = 'end_2';
SELECT * FROM steps;
SELECT attname, attnotnull FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- nothing to do: closed at once
SELECT zdm_begin_window('end_3', 'defer') IS NOT NULL AS opened;
SELECT zdm_end_window();
SELECT state FROM zdm_windows WHERE name = 'end_3';

-- the quiet period counts from the last statement that takes something away,
-- and from when the last old client was there: this session is one
SELECT zdm_begin_window('end_4', 'defer', NULL, '1 hour') IS NOT NULL AS opened;
ALTER TABLE customer DROP COLUMN plan;
SELECT ok FROM status WHERE condition = 'quiet period over';
UPDATE zdm.statement SET at = at - interval '61 min' WHERE id = (SELECT statement_id FROM zdm.step WHERE id = step('%plan%'));
SELECT ok FROM status WHERE condition = 'quiet period over';
SELECT zdm_end_window();
CALL zdm_wait();
SELECT name, state FROM zdm_windows WHERE name = 'end_4';

SELECT zdm_begin_window('end_5', 'defer', 'shop v1%', '1 hour') IS NOT NULL AS opened;
SET application_name = 'shop v1';
SELECT ok, detail FROM status WHERE condition = 'quiet period over';
ALTER TABLE customer DROP COLUMN "Odd ""name";
UPDATE zdm.statement SET at = at - interval '61 min' WHERE id = (SELECT statement_id FROM zdm.step WHERE id = step('%Odd%'));
SELECT ok, detail FROM status WHERE condition = 'quiet period over';
RESET application_name;
-- which it was a moment ago
SELECT ok FROM status WHERE condition = 'quiet period over';
SELECT zdm_abort_window();
-- what would take zdm's tables away at the end is refused at once
SELECT zdm_begin_window('end_7', 'defer') IS NOT NULL AS opened;
CALL try('DROP SCHEMA public CASCADE');
CALL try('DROP EXTENSION zdm CASCADE');
CALL try('ALTER TABLE zdm.step RENAME TO steps');
SELECT zdm_end_window();
-- in one that does not defer all can be removed later
SELECT zdm_begin_window('end_6', 'refuse', 'shop v3%', '1 hour') IS NOT NULL AS opened;
SELECT ok, detail FROM status WHERE condition = 'quiet period over';
SET application_name = 'shop v3';
SELECT ok, detail FROM status WHERE condition = 'quiet period over';
RESET application_name;
SELECT ok, detail FROM status WHERE condition = 'quiet period over';
SELECT zdm_end_window(force => true);

DROP OWNED BY zdm_window_end, zdm_window_ends;
DROP ROLE zdm_window_end, zdm_window_asks, zdm_window_reads, zdm_window_acts, zdm_window_ends;
DROP SCHEMA window_end CASCADE;
