# Copyright (c) 2026, the zdm developers

# Windows that end or are aborted while other sessions are at work: DDL that is
# not committed, steps that run, clients that stay; and in a copy of the database.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('windows');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
zdm.lock_timeout = '5s'
CONF
$node->start;

my @sessions;

# A session that runs a script and goes on in the background.
sub start_session
{
	my ($dbname, $name, $script) = @_;
	my %session = (out => '', err => '');
	my $file = $node->basedir . '/session_' . @sessions . '.sql';

	append_to_file($file, $script);
	$session{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr($dbname) . " application_name='$name'", '-f', $file ],
		'<', \undef, '>', \$session{out}, '2>', \$session{err});
	push @sessions, \%session;
	return \%session;
}

sub finish_session
{
	my ($session) = @_;

	$session->{run}->finish;
	return $session->{out} . $session->{err};
}

# Wait until a session waits, for whatever.
sub wait_for_state
{
	my ($name, $condition) = @_;

	ok($node->poll_query_until('postgres',
			"SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = '$name' AND $condition"),
		"$name: $condition");
	return;
}

# A session that does something in a transaction, and commits when there is a
# row in the table go.
sub hold_open
{
	my ($dbname, $name, $script) = @_;
	my $session = start_session($dbname, $name, <<"SQL");
BEGIN;
$script
SET LOCAL application_name = '$name holds';
DO \$\$
BEGIN
	WHILE NOT EXISTS (SELECT FROM go) LOOP
		PERFORM pg_sleep(0.05);
	END LOOP;
END \$\$;
COMMIT;
SQL

	wait_for_state("$name holds", q(wait_event = 'PgSleep'));
	return $session;
}

sub let_go
{
	my ($dbname) = @_;

	$node->safe_psql($dbname, 'INSERT INTO go VALUES (true)');
	return;
}

sub make_database
{
	my ($dbname) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $dbname");
	$node->safe_psql($dbname, <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int);
INSERT INTO t SELECT g, g, g FROM generate_series(1, 100) g;
CREATE TABLE go (go boolean);
SQL
	return;
}

# What psql says to stderr.
sub messages_of
{
	my ($dbname, $sql) = @_;
	my ($code, $out, $err) = $node->psql($dbname, "\\set VERBOSITY verbose\n$sql");

	return $err;
}

sub schema_of
{
	my ($dbname) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '--schema-only', $node->connstr($dbname) ]);

	$out =~ s/^\\(un)?restrict .*\n//mg;
	return $out;
}

sub columns_of
{
	my ($dbname) = @_;

	return $node->safe_psql($dbname,
		q{SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped});
}

# --- the end waits for DDL that is on its way: it belongs to the window

make_database('ends');
$node->safe_psql('ends', q{SELECT zdm_begin_window('w', 'defer')});
my $ddl = hold_open('ends', 'ddl', 'ALTER TABLE t DROP COLUMN a;');
my $end = start_session('ends', 'end', q{SELECT zdm_end_window()});
wait_for_state('end', q(wait_event_type = 'Lock'));
let_go('ends');
finish_session($ddl);
is(finish_session($end), "1\n", 'a statement that was not committed yet is counted');
$node->safe_psql('ends', 'CALL zdm_wait()');
is(columns_of('ends'), 'id b', 'and carried out');
is($node->safe_psql('ends', 'SELECT state FROM zdm_windows'), 'closed', 'then the window is closed');

# what it brings is checked too
make_database('checks');
$node->safe_psql('checks', q{SELECT zdm_begin_window('w', 'defer'); UPDATE t SET b = NULL WHERE id < 4});
$ddl = hold_open('checks', 'ddl', 'ALTER TABLE t ALTER COLUMN b SET NOT NULL;');
$end = start_session('checks', 'end', q{SELECT zdm_end_window()});
wait_for_state('end', q(wait_event_type = 'Lock'));
let_go('checks');
finish_session($ddl);
like(finish_session($end), qr/cannot be ended yet.*rows in its way: 3/s, 'its conditions are checked again');
is($node->safe_psql('checks', 'SELECT state FROM zdm_windows'), 'open', 'and the window stays open');

# --- so does the abort, even for what has no hazard

make_database('aborts');
my $before = schema_of('aborts');
$node->safe_psql('aborts', q{SELECT zdm_begin_window('w', 'defer')});
$ddl = hold_open('aborts', 'ddl', 'CREATE TABLE fresh (id int); ALTER TABLE t ADD COLUMN c int; ALTER TABLE t DROP COLUMN a;');
my $abort = start_session('aborts', 'abort', q{SELECT zdm_abort_window()});
wait_for_state('abort', q(wait_event_type = 'Lock'));
my $second = start_session('aborts', 'second', q{SELECT zdm_abort_window()});
wait_for_state('second', q(wait_event_type = 'Lock'));
let_go('aborts');
finish_session($ddl);
is(finish_session($abort), "3\n", 'an abort waits for a table that was not committed yet');
like(finish_session($second), qr/already aborting|is not open/, 'a second one at the same time finds the window aborted');
$node->safe_psql('aborts', 'CALL zdm_wait(); DELETE FROM go');
is(schema_of('aborts'), $before, 'and the schema is what it was');

# --- a step that runs: the abort names it, zdm_cancel() ends it

make_database('runs');
$before = schema_of('runs');
$node->safe_psql('runs', q{SELECT zdm_begin_window('w', 'defer')});
my $old = hold_open('runs', 'writer', 'LOCK t IN ROW EXCLUSIVE MODE;');
$node->safe_psql('runs', 'BEGIN; CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (b); COMMIT;');
ok($node->poll_query_until('runs', q{SELECT count(*) = 1 FROM zdm_steps WHERE state = 'running' AND sql LIKE 'CREATE INDEX t_a%'}),
	'an index build waits for a writer');
like(messages_of('runs', 'SELECT zdm_abort_window()'), qr/ERROR:  ZDM03: .*while steps are running\nDETAIL:  .*CREATE INDEX.* t_a.*zdm_cancel/s,
	'the abort says what runs');
my $id = $node->safe_psql('runs', q{SELECT id FROM zdm_steps WHERE sql LIKE 'CREATE INDEX t_a%'});
$node->safe_psql('runs', "SELECT zdm_cancel($id)");
is($node->safe_psql('runs', "SELECT state FROM zdm_steps WHERE id = $id"), 'cancelled', 'a step that runs can be cancelled');
let_go('runs');
finish_session($old);
$node->safe_psql('runs', 'CALL zdm_wait()');
ok($node->poll_query_until('runs', q{SELECT count(*) = 0 FROM pg_class WHERE relname LIKE 't\_a%'}), 'what it has built is taken away');
is($node->safe_psql('runs', q{SELECT string_agg(state, ' ' ORDER BY id) FROM zdm.step WHERE deferred}), 'cancelled done', 'it stays cancelled, and the next one is carried out');
$node->safe_psql('runs', 'SELECT zdm_abort_window()');
$node->safe_psql('runs', 'CALL zdm_wait()');
is(schema_of('runs'), $before, 'the abort undoes that one');

# --- old clients

make_database('clients');
$node->safe_psql('clients', q{SELECT zdm_begin_window('w', 'defer', 'shop-v1%'); ALTER TABLE t DROP COLUMN a});
my $client = hold_open('clients', 'shop-v1.4', 'SELECT 1;');
like(messages_of('clients', 'SELECT zdm_end_window()'), qr/ZDM03.*old clients gone.*application "shop-v1.4 holds"/s, 'an old client keeps the window open');
like($node->safe_psql('postgres', 'SELECT 1'), qr/1/, 'sessions of other databases are none');
let_go('clients');
finish_session($client);
ok($node->poll_query_until('clients', q{SELECT ok FROM zdm_window_status() WHERE condition = 'old clients gone'}), 'until it has gone');
is($node->safe_psql('clients', 'SELECT zdm_end_window()'), '1', 'then it ends');

# --- the quiet period: since what is due for removal was sent, and since the last
# old client was there

make_database('quiet');
$node->safe_psql('quiet', q{SELECT zdm_begin_window('w', 'defer', 'shop-v1%', '1 hour'); ALTER TABLE t DROP COLUMN a; UPDATE zdm.statement SET at = at - interval '2 hours'});
my $quiet = q{SELECT ok, detail FROM zdm_window_status() WHERE condition = 'quiet period over'};
like($node->safe_psql('quiet', $quiet), qr/^t\|the last of what is due for removal was sent at [-0-9:+ ]+, the quiet period is 01:00:00$/, 'the quiet period is over');
$client = hold_open('quiet', 'shop-v1.4', 'SELECT 1;');
like($node->safe_psql('quiet', $quiet), qr/^f\|.*; sessions like "shop-v1%" are connected, the quiet period is 01:00:00$/, 'not with an old client');
let_go('quiet');
finish_session($client);
command_ok([ 'psql', '-Xqc', 'SELECT', '-d', $node->connstr('clients') . ' application_name=shop-v1.5' ], 'one of another database is none');
ok($node->poll_query_until('quiet', q{SELECT ok FROM zdm_window_status() WHERE condition = 'old clients gone'}), 'which goes');
like($node->safe_psql('quiet', $quiet), qr/^f\|.*; the last session like "shop-v1%" was seen at 2[-0-9:+ ]+, the quiet/, 'nor right after one');
like(messages_of('quiet', 'SELECT zdm_end_window()'), qr/ERROR:  ZDM03:.*\nDETAIL:  Unmet condition "quiet period over": [^\n]*was seen at[^\n]*\n(?!Unmet)/, 'so the window does not end');
$node->safe_psql('quiet', q{UPDATE zdm.window SET quiet_period = '100 ms'; SELECT pg_sleep(0.2)});
like($node->safe_psql('quiet', $quiet), qr/^t\|.*was seen at/, 'but when it has passed');
$node->safe_psql('quiet', q{UPDATE zdm.window SET quiet_period = '1 hour', old_clients = 'web%'});
like($node->safe_psql('quiet', $quiet), qr/^t\|(?!.*was seen at)/, 'clients of other names do not count');
# a pool gives its connection to one client after the other
$node->safe_psql('quiet', q{SET application_name = 'web'; SET application_name = 'pool'; SELECT 1});
like($node->safe_psql('quiet', $quiet), qr/^f\|.*; the last session like "web%" was seen at 2/, 'a name that the session had before does');
# who was there before the server started is not known
$node->restart;
like($node->safe_psql('quiet', $quiet), qr/^f\|.*; which sessions there were before 2[-0-9:+ ]+ is not known, the quiet/, 'a restart begins the quiet period anew');
$node->safe_psql('quiet', q{UPDATE zdm.window SET opened_at = clock_timestamp()});
like($node->safe_psql('quiet', $quiet), qr/^t\|(?!.*not known)/, 'if the window was open then');
# of very many names the oldest are forgotten
$node->safe_psql('quiet', q{UPDATE zdm.window SET opened_at = clock_timestamp() - interval '1 s'});
my $names = $node->basedir . '/names.sql';
append_to_file($names, join('', map { "\\c -reuse-previous=on 'application_name=name$_'\n" } 1 .. 520));
command_ok([ 'psql', '-Xq', '-d', $node->connstr('quiet'), '-f', $names ], 'many clients');
like($node->safe_psql('quiet', $quiet), qr/^f\|.*is not known/, 'and that is known');
is($node->safe_psql('quiet', 'SELECT zdm_end_window(force => true)'), '1', 'the quiet period can be forced');
$node->safe_psql('quiet', 'CALL zdm_wait()');

# --- a copy of the database: its windows are paused until zdm_resume()

make_database('original');
$before = schema_of('original');
$node->safe_psql('original', q{SELECT zdm_begin_window('w', 'defer')});
$node->safe_psql('original', q{SELECT zdm_pause('w')});
$node->safe_psql('original', <<'SQL');
BEGIN;
CREATE SCHEMA "odd schema";
CREATE TYPE "odd schema".mood AS ENUM ('good', 'bad');
CREATE FUNCTION f(int, "odd schema".mood) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE TABLE "odd schema"."odd table" (id serial PRIMARY KEY, "odd column" "odd schema".mood, CONSTRAINT positive CHECK (id > 0));
CREATE TABLE gone (id int);
ALTER TABLE t ADD COLUMN c int, ADD COLUMN "c 2" int;
CREATE VIEW v AS SELECT id, c FROM t;
CREATE TRIGGER nothing BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE INDEX t_b ON t (b);
ALTER TABLE t DROP COLUMN a;
ALTER TABLE t ALTER COLUMN b SET NOT NULL;
COMMIT;
SQL
my $births = q{SELECT identity FROM zdm.object o WHERE identity <> 'public.t_b' AND identity = (pg_identify_object(classid, objid, objsubid)).identity AND identity !~ 'RI_Constraint' ORDER BY 1};
my $dump = $node->basedir . '/original.sql';
command_ok([ 'pg_dump', '-f', $dump, $node->connstr('original') ], 'dump');
foreach my $copy ('copy', 'copy_that_ends')
{
	$node->safe_psql('postgres', "CREATE DATABASE $copy");
	command_ok([ 'psql', '-Xq1', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($copy), '-f', $dump ], "restore into $copy");
}
$node->safe_psql('original', q{SELECT zdm_resume('w')});
$node->safe_psql('original', 'CALL zdm_wait()');
my $steps = q{SELECT phase, state, sql FROM zdm.step WHERE deferred ORDER BY id};
my $waiting = "migrate|queued|CREATE INDEX t_b ON public.t (b)";
$node->safe_psql('copy', q{UPDATE zdm.window SET paused = false});
is($node->safe_psql('copy', 'SELECT name, state, paused FROM zdm_windows'), 'w|open|t', 'a copy comes up paused');
like(messages_of('copy', 'CALL zdm_run()'), qr/NOTICE:  00000: window "w" was opened in another database.*\nDETAIL:  .*not carried out: 1\.\nHINT:  SELECT zdm_resume\('w'\);/, 'zdm_run() says why it does nothing');
is($node->safe_psql('copy', q{SELECT reason FROM zdm_steps WHERE phase = 'migrate'}), 'the window was opened in another database', 'so does zdm_steps');
like($node->safe_psql('copy', $steps), qr/^\Q$waiting\E$/m, 'no step of it is carried out');
like(messages_of('copy', 'SELECT zdm_abort_window()'), qr/ERROR:  ZDM02: .*restored.*\nHINT:  SELECT zdm_resume\('w'\)/, 'nor undone');
isnt(messages_of('copy', q{DROP EXTENSION zdm}), '', 'but it is protected');
# what the copy has lost since is no birth any more
$node->safe_psql('copy', q{SET zdm.mode = off; DROP TABLE gone});
$node->safe_psql('copy', q{SELECT zdm_resume('w')});
is($node->safe_psql('copy', 'SELECT paused FROM zdm_windows'), 'f', 'zdm_resume() makes it a window of the copy');
is($node->safe_psql('copy', $births), $node->safe_psql('original', "SELECT * FROM ($births) AS b WHERE identity <> 'public.gone'"),
	'which knows what was made in it');
is($node->safe_psql('copy', q{SELECT count(*) FROM zdm.object WHERE pg_identify_object(classid, objid, objsubid) IS NULL}), '0', 'and nothing else');
is($node->safe_psql('copy', q{SELECT DISTINCT relids = ARRAY['t'::regclass::oid] FROM zdm.step WHERE deferred}), 't', 'and its tables');
is($node->safe_psql('copy', q{SELECT count(*) FROM zdm.claim WHERE kind = 'column' AND relid <> 't'::regclass}), '0', 'also in claims');
$node->safe_psql('copy', 'CALL zdm_wait()');
is($node->safe_psql('copy', q{SELECT indisvalid FROM pg_index WHERE indexrelid = 't_b'::regclass}), 't', 'its steps are carried out then');
$node->safe_psql('copy', 'SELECT zdm_abort_window()');
$node->safe_psql('copy', 'CALL zdm_wait()');
is(schema_of('copy'), $before, 'and undone');

$node->safe_psql('copy_that_ends', q{SELECT zdm_resume('w')});
$node->safe_psql('copy_that_ends', 'CALL zdm_wait()');
$node->safe_psql($_, 'SELECT zdm_end_window()') foreach ('original', 'copy_that_ends');
$node->safe_psql($_, 'CALL zdm_wait()') foreach ('original', 'copy_that_ends');
is($node->safe_psql('original', 'SELECT state FROM zdm_windows'), 'closed', 'the original has gone its own way');
is(schema_of('copy_that_ends'), schema_of('original'), 'another copy comes to the same end');

# --- ALTER EXTENSION UPDATE, to a version that changes zdm's tables

SKIP:
{
	my $share = $node->config_data('--sharedir');
	my ($setting, $folder) = split(/\|/,
		$node->safe_psql('postgres', q{SELECT name, setting FROM pg_settings WHERE name IN ('extension_destdir', 'extension_control_path') AND setting LIKE '/%'}));

	skip 'zdm is not in a folder of its own', 7 if !defined $setting;
	my $copy = $node->basedir . '/extensions';
	run_command([ 'mkdir', '-p', "$copy$share" ]);
	command_ok(
		$setting eq 'extension_destdir' ? [ 'cp', '-r', "$folder/.", $copy ] :
			[ 'cp', '-r', (split /:/, $folder)[0] . '/extension', "$copy$share/extension" ], 'a copy of the extension');
	append_to_file("$copy$share/extension/zdm--1.0--99.sql", <<'SQL');
ALTER TABLE zdm.window ADD COLUMN later int NOT NULL DEFAULT 1;
ALTER TABLE zdm.step ADD COLUMN later text;
CREATE INDEX step_later ON zdm.step (later);
SQL
	# the former has $libdir in it too
	$node->append_conf('postgresql.conf', $setting eq 'extension_destdir' ?
			"extension_destdir = '$copy'\ndynamic_library_path = '$copy" . $node->config_data('--pkglibdir') . ":\$libdir'\n" :
			"extension_control_path = '$copy$share:\$system'\n");
	$node->restart;
	make_database('updated');
	$node->safe_psql('updated', q{SELECT zdm_begin_window('w', 'defer'); SELECT zdm_pause('w'); BEGIN; CREATE INDEX t_b ON t (b); ALTER TABLE t DROP COLUMN a; COMMIT});
	is(messages_of('updated', q{ALTER EXTENSION zdm UPDATE TO '99'}), '', 'ALTER EXTENSION UPDATE with an open window');
	is($node->safe_psql('updated', q{SELECT state, paused FROM zdm_windows}), 'open|t', 'the window survives it');
	is($node->safe_psql('updated', q{SELECT count(*) FROM zdm_steps WHERE state = 'queued'}), '2', 'and what waits in it');
	$node->safe_psql('updated', q{ALTER TABLE t DROP COLUMN b; SELECT zdm_resume('w')});
	$node->safe_psql('updated', 'CALL zdm_wait()');
	is($node->safe_psql('updated', 'SELECT zdm_end_window()'), '2', 'it goes on');
	$node->safe_psql('updated', 'CALL zdm_wait()');
	is(columns_of('updated'), 'id', 'to its end');
	is($node->safe_psql('updated', 'SELECT state, later FROM zdm.window'), 'closed|1', 'in the tables of the new version');
}

# --- the extension of an owner who is dropped

$node->safe_psql('postgres', 'CREATE ROLE owner SUPERUSER; CREATE DATABASE owned');
$node->safe_psql('owned', q{SET ROLE owner; CREATE EXTENSION zdm; SELECT zdm_begin_window('w', 'defer')});
like(messages_of('owned', q{SET zdm.allow = 'drop_schema_database, drop_object_in_use, drop_table, security_change'; DROP OWNED BY owner CASCADE}), qr/ERROR:  ZDM02: cannot drop extension "zdm" while a window is open/, 'DROP OWNED does not take the ledger of an open window');
$node->safe_psql('owned', q{SELECT zdm_end_window()});
is(messages_of('owned', 'SET client_min_messages = error; DROP OWNED BY owner CASCADE'), '', 'but that of a closed one');

# --- without workers: not preloaded

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\nsession_preload_libraries = 'zdm'");
$node->restart;
make_database('no_workers');
$before = schema_of('no_workers');
like(messages_of('no_workers', q{SELECT zdm_begin_window('w', 'defer')}), qr/ERROR:  55000: .*needs zdm in shared_preload_libraries.*HINT:  Add zdm/s, 'no window defers without workers');
$node->safe_psql('no_workers', q{SELECT zdm_begin_window('w')});
$node->safe_psql('no_workers', q{CREATE TABLE fresh (id int); CREATE VIEW fresh_view AS SELECT * FROM fresh});
like(messages_of('no_workers', 'SELECT zdm_abort_window()'), qr/NOTICE: .*wait for zdm_run\(\)/, 'the abort says who undoes');
is($node->safe_psql('no_workers', 'SELECT state FROM zdm_windows'), 'aborting', 'and waits for it');
$node->safe_psql('no_workers', 'CALL zdm_run()');
is($node->safe_psql('no_workers', 'SELECT state FROM zdm_windows'), 'aborted', 'zdm_run() does it');
is(schema_of('no_workers'), $before, 'all of it');

$node->stop;
done_testing();
