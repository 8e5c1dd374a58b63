-- What zdm_check() and zdm_explain() say of statements that meet the queue; they leave it as it is.
\set VERBOSITY default
SET client_min_messages = warning;
CREATE SCHEMA defer_check;
SET search_path = defer_check, public;
\pset format unaligned
\pset tuples_only on

CREATE TABLE t (id int PRIMARY KEY, a int, b text, CONSTRAINT b_key UNIQUE (b));
CREATE TABLE gone (id int);
CREATE TABLE stays (id int PRIMARY KEY, a int, CONSTRAINT once UNIQUE (a));
INSERT INTO t SELECT g, g, g::text FROM generate_series(1, 10) g;
INSERT INTO stays SELECT g, g FROM generate_series(1, 10) g;
INSERT INTO gone VALUES (1);

CREATE FUNCTION look(script text) RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT regexp_replace(concat_ws(' | ', statement, object, rule, verdict, message, hint), '(step |Step |cancel\()\d+', '\1N', 'g')
	FROM zdm_check(script) $$;
CREATE FUNCTION steps_of(statement text) RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT concat_ws(' | ', step, phase, sql, note) FROM zdm_explain(statement) $$;
SELECT zdm_begin_window('check', 'defer') > 0;
SELECT zdm_pause('check');
BEGIN;
CREATE INDEX t_a ON t (a);
DROP TABLE gone;
ALTER TABLE t DROP COLUMN b;
ALTER TABLE t ADD CONSTRAINT a_is_positive CHECK (a > 0);
CREATE INDEX ON stays (a);
ALTER TABLE stays DROP CONSTRAINT once;
COMMIT;
SET client_min_messages = notice;
SELECT phase, sql FROM zdm_steps WHERE window_name = 'check' AND state = 'queued' ORDER BY id;
CREATE TEMPORARY TABLE before AS SELECT (SELECT array_agg(s ORDER BY id) FROM zdm.step s) AS steps, (SELECT array_agg(c ORDER BY c) FROM zdm.claim c) AS claims,
	(SELECT array_agg(h ORDER BY id) FROM zdm.statement h) AS statements;

-- refused: what has the name is dropped at the end only
SELECT look('CREATE TABLE gone (id int)');
SELECT look('CREATE VIEW gone AS SELECT 1 AS id');
SELECT look('ALTER TABLE t ADD COLUMN b int');
-- the error of who takes what is queued for done
SELECT look('CREATE INDEX t_a ON t (b)');
SELECT look('CREATE INDEX t_a ON t (id)');
SELECT look('ALTER TABLE gone ADD COLUMN more int');
SELECT look('ALTER TABLE t DROP COLUMN b');
-- it takes steps out of the queue
SELECT look('DROP INDEX t_a');
SELECT look('ALTER TABLE t DROP CONSTRAINT a_is_positive');
SELECT look('CREATE INDEX IF NOT EXISTS t_a ON t (id)');
-- and then its name is free
SELECT look('DROP INDEX t_a; CREATE INDEX t_a ON t (id)');
-- it lines up behind what it needs
SELECT look('ALTER INDEX t_a RENAME TO t_a_too');
SELECT look('ALTER TABLE t RENAME CONSTRAINT a_is_positive TO a_is_fine');
SELECT look('ALTER TABLE t VALIDATE CONSTRAINT a_is_positive');
SELECT look('COMMENT ON INDEX t_a IS ''comment''');
-- what has its name makes way
SELECT look('ALTER TABLE stays ADD COLUMN z int, ADD CONSTRAINT once UNIQUE (z)');
SELECT look('ALTER TABLE stays ADD CONSTRAINT once UNIQUE (id, a)');
-- names that are chosen are not those that are reserved
SELECT look('CREATE INDEX ON stays (a)');
-- nothing to do with it
SELECT look('CREATE TABLE fresh (id int); ALTER TABLE stays ADD COLUMN z int');

SELECT steps_of('DROP INDEX t_a');
SELECT steps_of('ALTER INDEX t_a RENAME TO t_a_too');
SELECT steps_of('ALTER TABLE stays ADD COLUMN z int, ADD CONSTRAINT once UNIQUE (z)');
SELECT steps_of('CREATE INDEX IF NOT EXISTS t_a ON t (id)');
SELECT steps_of('BEGIN');
\set VERBOSITY terse
DO $$
BEGIN
	PERFORM defer_check.steps_of('CREATE TABLE gone (id int)');
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING '% %', sqlstate, sqlerrm;
END $$;
\set VERBOSITY default
SELECT current_setting('client_min_messages');

-- what is not guarded has nothing to do with the queue
SET zdm.mode = off;
SELECT look('DROP INDEX t_a');
SELECT look('CREATE TABLE gone (id int)');
RESET zdm.mode;

-- all is as it was
SELECT before = (SELECT array_agg(s ORDER BY id) FROM zdm.step s), claims = (SELECT array_agg(c ORDER BY c) FROM zdm.claim c),
	statements = (SELECT array_agg(h ORDER BY id) FROM zdm.statement h)
FROM (SELECT steps AS before, claims, statements FROM before) AS b;
-- and what was said is what happens
BEGIN;
DROP INDEX t_a;
CREATE INDEX t_a ON t (id);
ALTER TABLE t RENAME CONSTRAINT a_is_positive TO a_is_fine;
ROLLBACK;

SET client_min_messages = warning;
SELECT zdm_abort_window('check', force => true) >= 0;
SELECT zdm_resume('check') FROM zdm_windows WHERE name = 'check' AND state = 'aborting';
CALL zdm_run('check');
SELECT state FROM zdm_windows WHERE name = 'check';
DROP SCHEMA defer_check CASCADE;
