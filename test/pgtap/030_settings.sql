-- The settings: their defaults, who may change them, and wrong values.
SET client_min_messages = warning;
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS zdm;
SELECT * FROM no_plan();

SELECT is((SELECT row(boot_val, coalesce(unit, ''), context) FROM pg_settings WHERE name = s.name),
	row(s.value, s.unit, s.context), s.name)
FROM (VALUES
	('zdm.mode', 'enforce', '', 'superuser'),
	('zdm.rules', '', '', 'superuser'),
	('zdm.allow', '', '', 'superuser'),
	('zdm.window', '', '', 'user'),
	('zdm.require_window', 'off', '', 'superuser'),
	('zdm.backfill_batch', '50', 'ms', 'superuser'),
	('zdm.backfill_max_lag', '16384', 'kB', 'superuser'),
	('zdm.lock_timeout', '200', 'ms', 'user'),
	('zdm.lock_wait_max', '60000', 'ms', 'user'),
	('zdm.small_table', '1024', 'kB', 'superuser')) AS s (name, value, unit, context);
SELECT isnt(short_desc, NULL, name || ' has a description') FROM pg_settings WHERE name ~ '^zdm\.';
SELECT throws_ok('SET zdm.no_such_setting = 1', '42602', NULL, 'the prefix is reserved');

-- nonsense
CREATE FUNCTION pg_temp.hint_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
	detail text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
	RETURN detail || ' ' || hint;
END $$;
SELECT throws_ok(statement, '22023', NULL, statement) FROM unnest(ARRAY[
	'SET LOCAL zdm.rules = ''no_such_rule=off''',
	'SET LOCAL zdm.rules = ''drop_column''',
	'SET LOCAL zdm.rules = ''drop_column=''',
	'SET LOCAL zdm.rules = ''drop_column=maybe''',
	'SET LOCAL zdm.rules = ''=off''',
	'SET LOCAL zdm.rules = '',''',
	'SET LOCAL zdm.rules = ''drop_column=off,''',
	'SET LOCAL zdm.rules = ''drop_column=off rename_table=off''',
	'SET LOCAL zdm.rules = ''drop_column=off;''',
	'SET LOCAL zdm.allow = ''no_such_rule''',
	'SET LOCAL zdm.allow = ''drop_column=off''',
	'SET LOCAL zdm.allow = ''*''',
	'SET LOCAL zdm.allow = E''\x01\x02''',
	'SET LOCAL zdm.mode = ''nonsense''',
	'SET LOCAL zdm.mode = ''''',
	'SET LOCAL zdm.require_window = ''sometimes''',
	'SET LOCAL zdm.backfill_batch = ''0''',
	'SET LOCAL zdm.backfill_batch = ''16MB''',
	'SET LOCAL zdm.backfill_max_lag = ''-1''',
	'SET LOCAL zdm.backfill_max_lag = ''50ms''',
	'SET LOCAL zdm.lock_timeout = ''0''',
	'SET LOCAL zdm.lock_timeout = ''-1''',
	'SET LOCAL zdm.lock_timeout = ''1 lightyear''',
	'SET LOCAL zdm.lock_wait_max = ''-1''',
	'SET LOCAL zdm.small_table = ''-1''',
	'SET LOCAL zdm.small_table = ''big''']) AS statement;
SELECT throws_ok(format('SET LOCAL zdm.rules = %L', repeat('x', 1000000)), '22023', NULL, 'a huge value');
SELECT alike(pg_temp.hint_of('SET LOCAL zdm.rules = ''no_such_rule=off'''),
	'%no_such_rule%create_index, drop_index%blocked_by_long_transaction%', 'a wrong rule in zdm.rules names the valid ones');
SELECT alike(pg_temp.hint_of('SET LOCAL zdm.allow = ''no_such_rule'''),
	'%no_such_rule%create_index, drop_index%blocked_by_long_transaction%', 'a wrong rule in zdm.allow names the valid ones');
SELECT alike(pg_temp.hint_of('SET LOCAL zdm.rules = ''drop_column=maybe'''),
	'%maybe%off, note, warn, error%', 'a wrong severity names the valid ones');
SELECT alike(pg_temp.hint_of('SET LOCAL zdm.mode = ''nonsense'''),
	'%off, warn, enforce%', 'a wrong mode names the valid ones');
SELECT is(current_setting('zdm.rules') || current_setting('zdm.allow') || current_setting('zdm.mode'), 'enforce',
	'nothing was changed by that');

-- good values
SELECT lives_ok(statement, statement) FROM unnest(ARRAY[
	'SET LOCAL zdm.rules = ''''',
	'SET LOCAL zdm.rules = '' ''',
	'SET LOCAL zdm.rules = ''drop_column=warn''',
	'SET LOCAL zdm.rules = '' DROP_Column = Warn , rename_table=off''',
	'SET LOCAL zdm.allow = ''drop_column , rename_table''',
	'SET LOCAL zdm.allow = drop_column, rename_table',
	'SET LOCAL zdm.mode = warn',
	'SET LOCAL zdm.backfill_batch = ''1 s''',
	'SET LOCAL zdm.backfill_max_lag = ''0''',
	'SET LOCAL zdm.small_table = ''1GB''',
	'SET LOCAL zdm.lock_timeout = ''1 s''']) AS statement;
SELECT is((SELECT severity FROM zdm_rules() WHERE rule = 'drop_column'), 'warn', 'zdm_rules shows the severity of this session');
SELECT is((SELECT severity FROM zdm_rules() WHERE rule = 'rename_table'), 'off', 'of each rule that is set');
SELECT is((SELECT severity FROM zdm_rules() WHERE rule = 'rename_column'), 'error', 'and the rule''s own of the others');
SELECT lives_ok('SET LOCAL zdm.rules = ''drop_column=warn, drop_column=off''', 'the last of two wins');
SELECT is((SELECT severity FROM zdm_rules() WHERE rule = 'drop_column'), 'off', 'the last of two has won');
SELECT lives_ok('RESET zdm.rules', 'RESET zdm.rules');
SELECT is((SELECT severity FROM zdm_rules() WHERE rule = 'drop_column'), 'error', 'RESET gives the rule''s own back');
RESET zdm.mode;

-- per role and database
CREATE ROLE zdm_tap_user;
CREATE ROLE zdm_tap_trusted;
GRANT USAGE ON SCHEMA tap TO zdm_tap_user, zdm_tap_trusted;
SELECT lives_ok('ALTER ROLE zdm_tap_user SET zdm.rules = ''drop_column=warn''', 'severity by role');
SELECT throws_ok('ALTER ROLE zdm_tap_user SET zdm.rules = ''nope=warn''', '22023', NULL, 'which is checked');
GRANT SET ON PARAMETER zdm.allow TO zdm_tap_trusted;
SET LOCAL ROLE zdm_tap_user;
SELECT throws_ok(statement, '42501', NULL, 'not for everybody: ' || statement) FROM unnest(ARRAY[
	'SET LOCAL zdm.allow = ''drop_column''', 'SET LOCAL zdm.rules = ''drop_column=off''',
	'SET LOCAL zdm.mode = off', 'SET LOCAL zdm.small_table = ''1GB''', 'SET LOCAL zdm.require_window = off',
	'SET LOCAL zdm.backfill_batch = ''1 s''', 'SET LOCAL zdm.backfill_max_lag = ''0''']) AS statement;
SELECT throws_ok('ALTER ROLE zdm_tap_user SET zdm.mode = off', '42501', NULL, 'nor by ALTER ROLE of oneself');
SELECT lives_ok('SET LOCAL zdm.lock_timeout = ''1 s''', 'everybody may set zdm.lock_timeout');
SELECT lives_ok('SET LOCAL zdm."window" = ''w''', 'and zdm.window');
RESET zdm."window";
SET LOCAL ROLE zdm_tap_trusted;
SELECT lives_ok('SET LOCAL zdm.allow = ''drop_column''', 'GRANT SET ON PARAMETER zdm.allow suffices');
SELECT throws_ok('SET LOCAL zdm.allow = ''nope''', '22023', NULL, 'and its values are checked for him too');
SELECT throws_ok('SET LOCAL zdm.mode = off', '42501', NULL, 'it is not a right to anything else');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
