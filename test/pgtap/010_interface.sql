-- The functions and views of zdm: names, arguments, defaults, result columns,
-- and who may use them.
SET client_min_messages = warning;
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS zdm;
SELECT * FROM no_plan();

CREATE ROLE zdm_tap_nobody;
CREATE ROLE zdm_tap_deployer;

-- where the objects are
SELECT is(extnamespace::regnamespace::text, 'public', 'the functions are in the schema of CREATE EXTENSION')
	FROM pg_extension WHERE extname = 'zdm';
SELECT has_schema('zdm');
SELECT tables_are('zdm', ARRAY['window', 'object', 'statement', 'step', 'made', 'claim'], 'the tables are in schema zdm');
-- pg_available_extensions does not list what a private folder holds
\set default_version `sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" zdm.control`
SELECT is(extversion, :'default_version', 'the installed version is the default one')
	FROM pg_extension WHERE extname = 'zdm';

-- each function as it is called
CREATE FUNCTION pg_temp.signature(function regprocedure) RETURNS text LANGUAGE sql AS $$
	SELECT pg_get_function_arguments(function) || ' -> ' || pg_get_function_result(function) $$;
SELECT is(pg_temp.signature('zdm_begin_window(text, text, text, interval)'),
	'name text, on_unsafe text DEFAULT ''refuse''::text, old_clients text DEFAULT NULL::text, quiet_period interval DEFAULT ''00:00:00''::interval -> bigint',
	'zdm_begin_window');
SELECT is(pg_temp.signature('zdm_end_window(text, boolean)'),
	'name text DEFAULT NULL::text, force boolean DEFAULT false -> bigint', 'zdm_end_window');
SELECT is(pg_temp.signature('zdm_abort_window(text, boolean)'),
	'name text DEFAULT NULL::text, force boolean DEFAULT false -> bigint', 'zdm_abort_window');
SELECT is(pg_temp.signature('zdm_window_status(text)'),
	'name text DEFAULT NULL::text -> TABLE(condition text, ok boolean, detail text)', 'zdm_window_status');
SELECT is(pg_temp.signature((name || '(text)')::regprocedure), 'name text -> void', name) FROM unnest(ARRAY['zdm_pause', 'zdm_resume']) AS name;
SELECT is(pg_temp.signature((name || '(bigint)')::regprocedure), 'step bigint -> void', name) FROM unnest(ARRAY['zdm_retry', 'zdm_cancel']) AS name;
SELECT is(pg_temp.signature('zdm_check(text)'),
	'script text -> TABLE(statement integer, line integer, command text, object text, rule text, class text, lock_mode text, rewrites boolean, scans boolean, verdict text, message text, hint text)',
	'zdm_check');
SELECT is(pg_temp.signature('zdm_explain(text)'),
	'statement text -> TABLE(step integer, phase text, sql text, lock_mode text, note text)', 'zdm_explain');
SELECT is(pg_temp.signature('zdm_rules()'),
	' -> TABLE(rule text, class text, severity text, description text)', 'zdm_rules');
SELECT is(pg_get_function_arguments('zdm_run(text)'::regprocedure), 'IN name text DEFAULT NULL::text', 'zdm_run');
SELECT is_procedure('zdm_run', ARRAY['text']);
SELECT is(pg_get_function_arguments('zdm_wait(text, interval)'::regprocedure),
	'IN name text DEFAULT NULL::text, IN timeout interval DEFAULT NULL::interval', 'zdm_wait');
SELECT is_procedure('zdm_wait', ARRAY['text', 'interval']);
SELECT is((SELECT count(*) FROM pg_proc WHERE proname = p.proname), 1::bigint, p.proname || ' is not overloaded')
	FROM pg_proc p WHERE proname ~ '^zdm_' ORDER BY proname;

-- each says in psql what it is for
SELECT isnt(obj_description(p.oid, 'pg_proc'), NULL, p.proname || ' has a comment')
	FROM pg_proc p WHERE proname ~ '^zdm_' ORDER BY proname;
SELECT isnt(obj_description(c.oid, 'pg_class'), NULL, c.relname || ' has a comment')
	FROM pg_class c WHERE relnamespace = 'zdm'::regnamespace AND relkind = 'r' OR
		relnamespace = 'public'::regnamespace AND relname ~ '^zdm_' AND relkind = 'v'
	ORDER BY relname;

-- what they return
SELECT is(pg_typeof(zdm_begin_window('tap interface'))::text, 'bigint', 'zdm_begin_window returns a bigint');
SELECT results_eq('SELECT name, state COLLATE "default", on_unsafe, old_clients, quiet_period, ended_at FROM zdm_windows WHERE name = ''tap interface''',
	$$VALUES ('tap interface', 'open', 'refuse', NULL::text, interval '0', NULL::timestamptz)$$,
	'zdm_windows shows the open window');
SELECT bag_has('SELECT condition, ok FROM zdm_window_status(''tap interface'')',
	$$VALUES ('migrate steps done', true), ('no failed step', true), ('old clients gone', true), ('quiet period over', true),
		('no row in the way', true)$$,
	'zdm_window_status has a row for each condition');
SELECT is(zdm_end_window('tap interface'), 0::bigint, 'zdm_end_window returns the number of contract steps');
SELECT is((SELECT state FROM zdm_windows WHERE name = 'tap interface'), 'closed', 'the window is closed');
SELECT lives_ok('SELECT zdm_begin_window(''tap interface'')', 'the name of a closed window can be used again');
SELECT is(zdm_abort_window(), 0::bigint, 'zdm_abort_window takes the only open window');
SELECT results_eq('SELECT state COLLATE "default" FROM zdm_windows WHERE name = ''tap interface'' ORDER BY id',
	ARRAY['closed', 'aborted'], 'both remain in zdm_windows');
SELECT results_eq('SELECT statement, line, command, object, rule, class, lock_mode, rewrites, scans, verdict, message, hint FROM zdm_check(''SELECT 1'')',
	$$VALUES (1, 1, 'SELECT', NULL::text, NULL::text, NULL::text, NULL::text, false, false, 'run', NULL::text, NULL::text)$$,
	'a statement without a hazard has one row, rule NULL, verdict run');
SELECT is_empty('SELECT * FROM zdm_check('''')', 'an empty script has no statement');
SELECT is_empty('SELECT * FROM zdm_check(''-- a comment; and no more'')', 'a comment is no statement');
SELECT is_empty('SELECT * FROM zdm_check(NULL)', 'NULL is no script');
SELECT is((SELECT count(*) FROM zdm_rules()), (SELECT count(DISTINCT rule) FROM zdm_rules()), 'rules have unique names');
SELECT is_empty('SELECT rule FROM zdm_rules() WHERE class NOT IN (''lock'', ''compat'', ''data'') OR severity NOT IN (''off'', ''note'', ''warn'', ''error'') OR description = '''' OR rule !~ ''^[a-z_]+$''',
	'rules have a class, a severity, a description and a plain name');
SELECT is((SELECT row(class, severity) FROM zdm_rules() WHERE rule = 'drop_column'), row('compat'::text, 'error'::text),
	'drop_column is a compat rule taken seriously');
SELECT results_eq('SELECT step, phase, sql, lock_mode FROM zdm_explain(''CREATE TABLE zdm_tap_new (a int)'')',
	$$VALUES (1, NULL::text, 'CREATE TABLE zdm_tap_new (a int)', NULL::text)$$,
	'zdm_explain of a harmless statement is the statement');

-- columns of the views
SELECT columns_are('public', 'zdm_windows', ARRAY['id', 'name', 'state', 'on_unsafe', 'old_clients',
	'quiet_period', 'opened_at', 'opened_by', 'ended_at', 'ended_by', 'paused']);
SELECT columns_are('public', 'zdm_history', ARRAY['id', 'at', 'window_name', 'role', 'session_role',
	'application', 'command', 'decision', 'rules', 'sql']);

-- who may call what
SELECT function_privs_are('public', name, args, 'zdm_tap_nobody', '{}'::text[], name || ' is not for everybody')
	FROM (VALUES ('zdm_begin_window', ARRAY['text', 'text', 'text', 'interval']),
		('zdm_end_window', ARRAY['text', 'boolean']),
		('zdm_abort_window', ARRAY['text', 'boolean']), ('zdm_pause', ARRAY['text']), ('zdm_resume', ARRAY['text']),
		('zdm_retry', ARRAY['bigint']), ('zdm_cancel', ARRAY['bigint'])) AS f (name, args);
SELECT function_privs_are('public', name, args, 'zdm_tap_nobody', ARRAY['EXECUTE'], name || ' is for everybody')
	FROM (VALUES ('zdm_check', ARRAY['text']), ('zdm_explain', ARRAY['text']),
		('zdm_rules', '{}'::text[]), ('zdm_window_status', ARRAY['text'])) AS f (name, args);
SELECT schema_privs_are('zdm', r, '{}'::text[]) FROM unnest(ARRAY['zdm_tap_nobody', 'zdm_tap_deployer']) AS r;
SELECT table_privs_are('zdm', relname, 'zdm_tap_deployer', '{}'::text[])
	FROM pg_class WHERE relnamespace = 'zdm'::regnamespace AND relkind = 'r' ORDER BY relname;
SELECT is_empty('SELECT c.oid FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE c.relnamespace = ''zdm''::regnamespace AND has_sequence_privilege(''zdm_tap_deployer'', s.seqrelid, ''USAGE, SELECT, UPDATE'')',
	'nobody else may use the sequences');
SELECT columns_are('public', 'zdm_steps', ARRAY['id', 'statement_id', 'window_name', 'role', 'step', 'phase', 'sql',
	'undo_sql', 'lock_mode', 'state', 'pid', 'done', 'total', 'rate', 'eta', 'waits_for', 'attempts', 'last_error',
	'retry_at', 'reason'],
	'columns of zdm_steps');
SELECT table_privs_are('public', 'zdm_steps', 'zdm_tap_nobody', '{}'::text[]);
SELECT table_privs_are('public', 'zdm_steps', 'pg_read_all_stats', ARRAY['SELECT']);
SELECT table_privs_are('public', 'zdm_windows', 'zdm_tap_nobody', ARRAY['SELECT']);
SELECT table_privs_are('public', 'zdm_history', 'zdm_tap_nobody', '{}'::text[]);
SELECT table_privs_are('public', 'zdm_history', 'pg_read_all_stats', ARRAY['SELECT']);

-- a deployer needs EXECUTE and nothing else
GRANT EXECUTE ON FUNCTION zdm_begin_window(text, text, text, interval), zdm_end_window(text, boolean)
	TO zdm_tap_deployer;
GRANT USAGE ON SCHEMA tap TO zdm_tap_deployer, zdm_tap_nobody;
SET LOCAL ROLE zdm_tap_deployer;
SELECT lives_ok('SELECT zdm_begin_window(''tap deployer'')', 'who may execute zdm_begin_window can open a window');
SELECT throws_ok('UPDATE zdm.window SET state = ''closed''', '42501', NULL, 'but cannot write the tables');
SELECT throws_ok('INSERT INTO zdm.object VALUES (1, 1, 1, 0, '''', 1)', '42501', NULL, 'nor say what is new');
SELECT throws_ok('UPDATE zdm_windows SET state = ''closed''', '42501', NULL, 'nor through the view');
SELECT throws_ok('SELECT zdm_abort_window(''tap deployer'')', '42501', NULL, 'nor call what was not granted');
SELECT lives_ok('SELECT * FROM zdm_windows', 'everybody sees the windows');
SELECT throws_ok('SELECT * FROM zdm_history', '42501', NULL, 'but not what others sent');
SELECT lives_ok('SELECT * FROM zdm_window_status()', 'everybody sees the conditions');
SET LOCAL ROLE zdm_tap_nobody;
SELECT throws_ok('SELECT zdm_end_window(''tap deployer'')', '42501', NULL, 'who was granted nothing cannot end it');
SELECT throws_ok('SELECT zdm_begin_window(''tap nobody'')', '42501', NULL, 'nor open one');
SELECT lives_ok('SELECT * FROM zdm_check(''DROP TABLE nope; SELECT 1'')', 'but can check a script');
SELECT lives_ok('SELECT * FROM zdm_rules()', 'and read the rules');
SET LOCAL ROLE zdm_tap_deployer;
SELECT is(zdm_end_window('tap deployer'), 0::bigint, 'the deployer ends his window');
RESET ROLE;
SELECT is((SELECT opened_by FROM zdm_windows WHERE name = 'tap deployer'), session_user,
	'the window names the session''s user');

SELECT * FROM finish();
ROLLBACK;
