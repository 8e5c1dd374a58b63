-- Bad arguments: the right SQLSTATE, and nothing changed.
SET client_min_messages = warning;
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS zdm;
SELECT * FROM no_plan();

CREATE TEMP TABLE before AS SELECT * FROM zdm.window;

-- zdm_begin_window
SELECT throws_ok('SELECT zdm_begin_window(NULL)', '22004', 'window name must not be null', 'NULL as name');
SELECT throws_ok('SELECT zdm_begin_window('''')', '22023', 'window name must not be empty', 'empty name');
SELECT throws_ok('SELECT zdm_begin_window(E'' \t\n'')', '22023', 'window name must not be empty', 'blank name');
SELECT throws_ok('SELECT zdm_begin_window(repeat(''x'', 64))', '42622', NULL, 'name of 64 bytes');
SELECT throws_ok('SELECT zdm_begin_window(repeat(''x'', 10000000))', '42622', NULL, 'huge name');
SELECT throws_ok('SELECT zdm_begin_window(''w'', old_clients => ''v1\'')', '22025', NULL, 'old_clients that is no pattern');
SELECT throws_ok(format('SELECT zdm_begin_window(''w'', %L)', v), '22023', NULL, format('on_unsafe %L', v))
	FROM unnest(ARRAY['', 'REFUSE', 'allow', 'refuse ', E'\x01\x7f', repeat('r', 1000000)]) AS v;
SELECT throws_ok('SELECT zdm_begin_window(''w'', NULL)', '22004', NULL, 'NULL as on_unsafe');
SELECT throws_ok('SELECT zdm_begin_window(''w'', quiet_period => NULL)', '22004', NULL, 'NULL as quiet_period');
SELECT throws_ok('SELECT zdm_begin_window(''w'', quiet_period => ''-1 s'')', '22023', NULL, 'negative quiet_period');
SELECT throws_ok('SELECT zdm_begin_window()', '42883', NULL, 'no name');
SELECT set_eq('SELECT * FROM zdm.window', 'SELECT * FROM before', 'nothing was changed by that');

-- ending what is not open
SELECT throws_ok(format('SELECT %s', call), 'ZDM02', NULL, call) FROM unnest(ARRAY[
	'zdm_end_window()', 'zdm_end_window(NULL)', 'zdm_end_window(NULL, NULL)', 'zdm_end_window(''nope'')',
	'zdm_end_window('''')', 'zdm_end_window(''nope'', true)', 'zdm_abort_window()',
	'zdm_abort_window(''nope'', true)', 'zdm_window_status()', 'zdm_window_status(''nope'')',
	'zdm_window_status(E''\x01'')']) AS call;

-- pausing, and steps that are not there
SELECT throws_ok(format('SELECT %s', call), 'ZDM02', NULL, call) FROM unnest(ARRAY[
	'zdm_pause(NULL)', 'zdm_pause(''nope'')', 'zdm_pause('''')', 'zdm_resume(NULL)', 'zdm_resume(''nope'')']) AS call;
SELECT throws_ok(format('SELECT %s', call), '42704', NULL, call) FROM unnest(ARRAY[
	'zdm_retry(0)', 'zdm_retry(-1)', 'zdm_retry(9223372036854775807)', 'zdm_cancel(0)', 'zdm_cancel(-9223372036854775808)']) AS call;

-- a name twice
SELECT lives_ok('SELECT zdm_begin_window(''twice'')', 'a window is opened');
SELECT throws_ok('SELECT zdm_begin_window(''twice'')', 'ZDM02', 'window "twice" is already open', 'and not twice');
SELECT is((SELECT count(*) FROM zdm_windows WHERE name = 'twice'), 1::bigint, 'there is one of that name');

-- names are taken as they are
SELECT lives_ok(format('SELECT zdm_begin_window(%L)', n), format('a window called %s', n))
	FROM unnest(ARRAY['Twice', 'with "quotes" and ''apostrophes''', 'with; semicolon -- and comment', repeat('ä', 31), ' lead']) AS n;
SELECT throws_ok('SELECT zdm_end_window()', 'ZDM02', NULL, 'with several open, the name is needed');
SELECT throws_like('SELECT zdm_window_status()', '%none is chosen%', 'and the error says so');
SELECT lives_ok('SET LOCAL zdm."window" = ''Twice''', 'zdm.window chooses one');
SELECT is(zdm_end_window(), 0::bigint, 'which is then ended');
SELECT is((SELECT state FROM zdm_windows WHERE name = 'Twice'), 'closed', 'the chosen one');
SELECT is((SELECT state FROM zdm_windows WHERE name = 'twice'), 'open', 'and no other');
SELECT throws_ok('SELECT zdm_end_window()', 'ZDM02', NULL, 'zdm.window now names what is not open');
SELECT lives_ok('SET LOCAL zdm."window" = ''''', 'zdm.window is emptied');
SELECT lives_ok(format('SELECT zdm_end_window(%L)', name), format('%s is ended', name))
	FROM zdm_windows WHERE state = 'open';
SELECT throws_ok('SELECT zdm_end_window()', 'ZDM02', 'no window is open', 'then none is open');

-- conditions that are not met: a session like old_clients is there, this one
SELECT lives_ok('SELECT zdm_begin_window(''clients'', old_clients => ''%'')', 'a window with old clients');
SELECT throws_ok('SELECT zdm_end_window(''clients'')', 'ZDM03', NULL, 'does not end while they are there');
SELECT is((SELECT ok FROM zdm_window_status('clients') WHERE condition = 'old clients gone'), false,
	'zdm_window_status says which condition it is');
SELECT is((SELECT state FROM zdm_windows WHERE name = 'clients'), 'open', 'it stays open');
SELECT is(zdm_end_window('clients', true), 0::bigint, 'force ends it');
SELECT lives_ok('SELECT zdm_begin_window(''no clients'', old_clients => ''no such application'')', 'old clients that are gone');
SELECT is(zdm_end_window('no clients'), 0::bigint, 'stand in nobody''s way');

-- zdm_check
CREATE FUNCTION pg_temp.check_rules(script text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(statement || ':' || coalesce(rule, verdict), ' ' ORDER BY statement, rule) FROM zdm_check(script) $$;
SELECT is(pg_temp.check_rules('SELEC 1'), '1:syntax_error', 'a syntax error has a row');
SELECT is(pg_temp.check_rules('SELEC 1; SELECT 1; CREATE TABEL x (a int); SELECT 2'),
	'1:syntax_error 2:run 3:syntax_error 4:run', 'later statements are looked at all the same');
SELECT is(pg_temp.check_rules('DROP TABLE nope; ALTER TABLE nope.nope ADD a int; SELECT 1'),
	'1:undefined_object 2:undefined_object 3:run', 'what does not exist has a row');
SELECT is(pg_temp.check_rules('SELECT ''open'), '1:syntax_error', 'an open quote');
SELECT is(pg_temp.check_rules('SELECT $$open'), '1:syntax_error', 'an open dollar quote');
SELECT is(pg_temp.check_rules('SELECT "open'), '1:syntax_error', 'an open identifier');
SELECT is(pg_temp.check_rules('SELECT 1 /* open'), '1:syntax_error', 'an open comment');
SELECT is(pg_temp.check_rules('SELECT (((1'), '1:syntax_error', 'an open parenthesis');
SELECT is(pg_temp.check_rules(';;;'), NULL, 'nothing but semicolons');
SELECT is(pg_temp.check_rules(E'\x01\x02\x7f'), '1:syntax_error', 'control characters');
SELECT is(pg_temp.check_rules('SELECT U&''\FFFF'''), '1:run', 'an odd but good literal');
SELECT is(pg_temp.check_rules('SELECT U&''\DXXX'''), '1:syntax_error', 'a bad escape');
SELECT lives_ok($$SELECT * FROM zdm_check('DROP TABLE ' || repeat('a.', 1000) || 'b')$$, 'a name of a thousand parts');
SELECT lives_ok($$SELECT * FROM zdm_check('CREATE TABLE t (' || repeat('x', 1000000) || ' int)')$$, 'a name of a million letters');
SELECT lives_ok($$SELECT count(*) FROM zdm_check(repeat(E'SELECT 1;\n', 10000))$$, 'ten thousand statements');
SELECT is((SELECT max(line) FROM zdm_check(repeat(E'SELECT 1;\n', 1000))), 1000, 'lines are counted');
SELECT is((SELECT line FROM zdm_check(E'\n\n-- first\nSELECT 1')), 4, 'a statement begins after its comment');

-- zdm_explain
SELECT throws_ok('SELECT * FROM zdm_explain(''SELEC 1'')', '42601', NULL, 'zdm_explain of a syntax error');
SELECT throws_ok('SELECT * FROM zdm_explain('''')', '22023', NULL, 'zdm_explain of nothing');
SELECT throws_ok('SELECT * FROM zdm_explain(''SELECT 1; SELECT 2'')', '22023', NULL, 'zdm_explain of two statements');
SELECT throws_ok('SELECT * FROM zdm_explain(''DROP TABLE nope'')', '42704', NULL, 'zdm_explain of what is not there');
SELECT is_empty('SELECT * FROM zdm_explain(NULL)', 'zdm_explain of NULL');

SELECT * FROM finish();
ROLLBACK;
