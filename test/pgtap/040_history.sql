-- What zdm_history keeps: who waived a rule, was warned, or ran in a window.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS zdm;
-- made before the transaction: a table that the transaction makes is exempt
CREATE TABLE public.zdm_tap_history (id int PRIMARY KEY, a int, b int, c int, d int, e int);
INSERT INTO public.zdm_tap_history VALUES (1, 1, 1, 1, 1, 1);
SET client_min_messages = error;
BEGIN;
SELECT * FROM no_plan();
SELECT is((SELECT count(*) FROM zdm_history WHERE sql ~ 'zdm_tap_history'), 0::bigint, 'no hazard, no row');

SELECT lives_ok('ALTER TABLE zdm_tap_history DROP COLUMN e', 'without a window a column is dropped');
SELECT lives_ok('SELECT zdm_begin_window(''tap history'')', 'with one');
SELECT throws_ok('ALTER TABLE zdm_tap_history DROP COLUMN d', 'ZDM01', NULL, 'it is not');
SET LOCAL zdm.allow = 'drop_column';
SELECT lives_ok('ALTER TABLE zdm_tap_history DROP COLUMN a', 'zdm.allow waives the rule');
SELECT throws_ok('ALTER TABLE zdm_tap_history RENAME b TO z', 'ZDM01', NULL, 'but no other');
SET LOCAL zdm.allow = '';
SET LOCAL zdm.rules = 'drop_column=warn';
SELECT lives_ok('ALTER TABLE zdm_tap_history DROP COLUMN b', 'a severity of warn lets it run');
SET LOCAL zdm.rules = 'drop_column=off';
SELECT lives_ok('ALTER TABLE zdm_tap_history DROP COLUMN c', 'a severity of off too');
RESET zdm.rules;
SET LOCAL zdm.mode = 'warn';
SELECT lives_ok('ALTER TABLE zdm_tap_history RENAME TO zdm_tap_history_2', 'and zdm.mode warn');
RESET zdm.mode;

SELECT results_eq($$SELECT window_name, command, decision, rules FROM zdm_history
		WHERE sql ~ 'zdm_tap_history' AND decision <> 'run' ORDER BY id$$,
	$$VALUES ('tap history', 'ALTER TABLE', 'allow', ARRAY['drop_column']),
		('tap history', 'ALTER TABLE', 'warn', ARRAY['drop_column']),
		('tap history', 'ALTER TABLE', 'warn', ARRAY['rename_table'])$$,
	'what was waived and what was warned of is in zdm_history');
SELECT results_eq($$SELECT DISTINCT role, session_role FROM zdm_history WHERE sql ~ 'zdm_tap_history'$$,
	$$VALUES (current_user::name, session_user::name)$$, 'with who sent it');
SELECT is((SELECT sql FROM zdm_history WHERE decision = 'allow' AND sql ~ 'zdm_tap_history'),
	'ALTER TABLE zdm_tap_history DROP COLUMN a', 'and its text');
SAVEPOINT s;
SET LOCAL zdm.allow = 'drop_column';
ALTER TABLE zdm_tap_history_2 DROP COLUMN d;
ROLLBACK TO SAVEPOINT s;
SELECT is((SELECT count(*) FROM zdm_history WHERE sql ~ 'DROP COLUMN d'), 0::bigint, 'what was rolled back is not');

SELECT * FROM finish();
ROLLBACK;
DROP TABLE public.zdm_tap_history;
