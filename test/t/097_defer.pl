# Copyright (c) 2026, the zdm developers

# A window that defers, whatever way the statements come, whoever sends them,
# and whatever happens between that and the time when they are carried out.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use ZdmStops;

# without room for workers: what is carried out is so by zdm_run()
my $node = ZdmStops::new_node('defer', <<'CONF');
zdm.lock_timeout = 100ms
zdm.lock_wait_max = 300ms
max_worker_processes = 1
max_logical_replication_workers = 0
max_parallel_workers_per_gather = 0
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE owner LOGIN;
CREATE ROLE deployer LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE team NOLOGIN;
GRANT owner TO deployer;
SQL
$node->safe_psql('fixture', <<'SQL');
SET zdm.mode = off;
GRANT CREATE ON SCHEMA public TO owner, deployer, team;
CREATE TABLE owned (id int PRIMARY KEY, a int, b int);
INSERT INTO owned VALUES (1, 1, 1), (2, 2, 2);
ALTER TABLE owned OWNER TO owner;
CREATE SCHEMA elsewhere;
CREATE SCHEMA elsewhere_2;
CREATE TABLE elsewhere.t (id int PRIMARY KEY, a int);
INSERT INTO elsewhere.t VALUES (1, 1);
CREATE TABLE log (what text);
SQL
my $number = 0;

# A database with an open window, and one without zdm; both are copies of the
# fixture.
sub new_database
{
	my $name = 'case_' . ++$number;

	ZdmStops::make_databases($node, $name);
	$node->safe_psql($name, "SELECT zdm_begin_window('w', 'defer')");
	return $name;
}

sub new_plain_database
{
	my $name = 'plain_' . $number;

	ZdmStops::make_databases($node, $name);
	$node->safe_psql('postgres', "ALTER DATABASE $name SET zdm.mode = off");
	return $name;
}

# Run a script; returns what it has printed, and its first error
sub run_script
{
	my ($dbname, $sql, %options) = @_;
	my ($stdout, $stderr) = ('', '');
	my $connstr = $node->connstr($dbname) . ($options{user} ? " user=$options{user}" : '');

	IPC::Run::run(
		[ 'psql', '-XAtq', '-d', $connstr, '-v', 'VERBOSITY=verbose', $options{string} ? ('-c', $sql) : ('-f', '-') ],
		'<', \($options{string} ? '' : $sql), '>', \$stdout, '2>', \$stderr);
	return ($stdout, $stderr =~ /ERROR:\s+(.*)/ ? $1 : '', $stderr);
}

sub query
{
	my ($dbname, $sql) = @_;
	return $node->safe_psql($dbname, $sql);
}

# state and phase of the steps of a database
sub steps
{
	my ($dbname) = @_;
	return query($dbname,
		"SELECT string_agg(phase || ' ' || state, ', ' ORDER BY id) FROM zdm.step WHERE deferred");
}

sub end_window
{
	my ($dbname, $what) = @_;
	my (undef, $error, $all) = run_script($dbname, "CALL zdm_run();\nSELECT zdm_end_window('w');\nCALL zdm_run();");

	is($error, '', "$what: carried out and ended") or diag($all);
	is(query($dbname, 'SELECT state FROM zdm.window'), 'closed', "$what: the window is closed");
	return;
}

# The database is in the end as after plain DDL.
sub is_as_plain
{
	my ($dbname, $what, $script, %options) = @_;
	my $plain = new_plain_database();
	my (undef, $error) = run_script($plain, $script, %options);

	is($error, '', "$what: plain DDL has no error");
	end_window($dbname, $what);
	is(ZdmStops::differences(query($plain, 'SELECT stops.state()'), query($dbname, 'SELECT stops.state()')),
		'', "$what: the result is that of plain DDL");
	return;
}

# How statements come.
my $mixed = 'CREATE INDEX t_a ON t (a); ALTER TABLE t ADD COLUMN n int NOT NULL DEFAULT 3, DROP COLUMN c, ADD CHECK (b > 0);';
foreach my $way (
	[ 'a transaction block', "BEGIN; $mixed COMMIT;" ],
	[ 'autocommit', $mixed ],
	[ 'a released savepoint', "BEGIN; SAVEPOINT s; $mixed RELEASE s; COMMIT;" ],
	[ 'a savepoint rolled back to', "BEGIN; SAVEPOINT s; $mixed ROLLBACK TO s; CREATE INDEX t_o ON t (o); COMMIT;" ],
	[ 'savepoints in a savepoint',
		"BEGIN; SAVEPOINT s; CREATE INDEX t_o ON t (o); SAVEPOINT s2; ALTER TABLE t DROP COLUMN b; ROLLBACK TO s2; ALTER TABLE t DROP COLUMN c; RELEASE s; COMMIT;" ],
	[ 'a prepared transaction', "BEGIN; $mixed PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p';" ],
	[ 'a string of statements', $mixed, string => 1 ],
	[ 'a function', "CREATE FUNCTION migrate() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN $mixed END \$\$; SELECT migrate();" ],
	[ 'a function in SQL', 'CREATE FUNCTION migrate() RETURNS void LANGUAGE sql AS $$ CREATE INDEX t_a ON t (a); $$; SELECT migrate();' ],
	[ 'a block with an exception handler',
		"DO \$\$ BEGIN $mixed EXCEPTION WHEN division_by_zero THEN RAISE; END \$\$;" ],
	[ 'a block whose exception is caught',
		"DO \$\$ BEGIN BEGIN $mixed PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END; CREATE INDEX t_o ON t (o); END \$\$;" ],
	[ 'DDL of a cached plan, twice',
		'CREATE FUNCTION migrate() RETURNS void LANGUAGE plpgsql AS $$ BEGIN'
		. ' CREATE INDEX ON t (a); ALTER TABLE other ADD CHECK (id > 0); END $$;'
		. ' BEGIN; SELECT migrate(); SELECT migrate(); COMMIT;' ],
	[ 'dynamic DDL', q{DO $$ BEGIN FOR i IN 1 .. 3 LOOP EXECUTE format('CREATE INDEX %I ON t (a)', 'Index ' || i); END LOOP; END $$;} ],
	[ 'a procedure that commits',
		'CREATE PROCEDURE migrate() LANGUAGE plpgsql AS $$ BEGIN CREATE INDEX t_a ON t (a); COMMIT; ALTER TABLE t DROP COLUMN c; COMMIT; CREATE INDEX t_o ON t (o); END $$; CALL migrate();' ],
	[ 'a new search_path afterwards',
		"BEGIN; SET LOCAL search_path = elsewhere, public; CREATE INDEX ON t (a); ALTER TABLE t ADD CHECK (a > 0); COMMIT; SET search_path = pg_catalog;" ],
	[ 'settings that matter',
		"SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET standard_conforming_strings = off; SET escape_string_warning = off;"
		. " BEGIN; ALTER TABLE t ADD CHECK (c <> 'a\\\\b\\'c'), ADD CONSTRAINT t_date CHECK (c <> '' OR now() > '01.02.2003 04:05'::timestamptz); COMMIT;" ],
	[ 'names to be quoted',
		qq{BEGIN; CREATE TABLE "Mixed ""Case"" it's" (id int PRIMARY KEY, "A b" int, "C'd" int); COMMIT;}
		. qq{INSERT INTO "Mixed ""Case"" it's" VALUES (1, 1, 1);}
		. qq{BEGIN; CREATE INDEX "I '""x" ON "Mixed ""Case"" it's" ("A b"); ALTER TABLE "Mixed ""Case"" it's" ADD CONSTRAINT "c""'h" CHECK ("C'd" > 0), ADD FOREIGN KEY ("A b") REFERENCES other; COMMIT;} ],
	[ 'names of 63 bytes',
		'CREATE TABLE ' . ('l' x 63) . ' (' . ('c' x 63) . ' int, ' . ('d' x 63) . ' int); INSERT INTO ' . ('l' x 63) . ' VALUES (1, 1);'
		. 'BEGIN; CREATE INDEX ON ' . ('l' x 63) . ' (' . ('c' x 63) . '); ALTER TABLE ' . ('l' x 63) . ' ADD CHECK (' . ('d' x 63) . ' > 0), ADD UNIQUE (' . ('d' x 63) . '); COMMIT;' ],
	[ 'partitioned tables',
		'BEGIN; CREATE INDEX p_x ON p (x); ALTER TABLE p ADD CHECK (x > 0), ADD COLUMN n int DEFAULT 2; ALTER TABLE p ADD FOREIGN KEY (o) REFERENCES other; COMMIT;' ],
	[ 'many actions of all kinds',
		q{BEGIN; ALTER TABLE t ADD COLUMN n int DEFAULT 7, ADD COLUMN m text NOT NULL DEFAULT 'x', ADD COLUMN v int DEFAULT stops.value(),}
		. q{ DROP COLUMN c, ALTER COLUMN a SET DEFAULT 5, ALTER COLUMN a SET NOT NULL, ALTER COLUMN b SET STATISTICS 50, ADD CHECK (b > 0),}
		. q{ ADD CONSTRAINT t_ab UNIQUE (a, b), ADD FOREIGN KEY (o) REFERENCES other, SET (fillfactor = 70), REPLICA IDENTITY FULL; COMMIT;} ],
	[ 'objects born in the window', 'BEGIN; CREATE TABLE born (id int, a int); CREATE INDEX ON born (a); ALTER TABLE born DROP COLUMN a; ALTER TABLE born ADD PRIMARY KEY (id); COMMIT;' ],
	[ 'temporary tables', 'BEGIN; CREATE TEMP TABLE temp (a int); INSERT INTO temp VALUES (1); CREATE INDEX ON temp (a); ALTER TABLE temp DROP COLUMN a; COMMIT;' ])
{
	my ($what, $script, %options) = @$way;
	my $dbname = new_database();
	my (undef, $error, $all) = run_script($dbname, $script, %options);

	is($error, '', "$what: no error") or diag($all);
	is_as_plain($dbname, $what, $script, %options);
}

# Statements in the extended protocol, and in a pipeline
foreach my $mode ('extended', 'prepared')
{
	foreach my $pipeline (0, 1)
	{
		my $what = "the $mode protocol" . ($pipeline ? ' in a pipeline' : '');
		my $dbname = new_database();
		my $file = $node->basedir . "/$mode$pipeline.sql";
		my @statements = ('BEGIN;', 'CREATE INDEX t_a ON t (a);', 'ALTER TABLE t DROP COLUMN c, ADD CHECK (b > 0);', 'COMMIT;');

		append_to_file($file, join("\n", ($pipeline ? '\startpipeline' : ()), @statements, ($pipeline ? '\endpipeline' : ()), ''));
		IPC::Run::run([ 'pgbench', '-n', '-t', '1', '-M', $mode, '-f', $file, $node->connstr($dbname) ], '>', \my $out, '2>', \my $err);
		unlike($err, qr/ERROR|abort/, "$what: no error");
		is_as_plain($dbname, $what, join("\n", @statements));
	}
}

# What is rolled back leaves nothing.
foreach my $way (
	[ 'a rollback', "BEGIN; $mixed ROLLBACK;" ],
	[ 'an error', "BEGIN; $mixed SELECT 1 / 0; COMMIT;" ],
	[ 'a prepared transaction rolled back', "BEGIN; $mixed PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p';" ],
	[ 'a string of statements with an error', "$mixed SELECT 1 / 0;", string => 1 ],
	[ 'a session that ends', "BEGIN; $mixed" ])
{
	my ($what, $script, %options) = @$way;
	my $dbname = new_database();

	run_script($dbname, $script, %options);
	is(steps($dbname), '', "$what: no steps are left");
	is(query($dbname, 'SELECT count(*) FROM zdm.statement'), '0', "$what: nothing is in the history");
	is(ZdmStops::differences(query('fixture', 'SELECT stops.state()'), query($dbname, 'SELECT stops.state()')),
		'', "$what: nothing has changed");
}

# Where nothing can be written, or nothing can be committed
my $dbname = new_database();
my (undef, $error) = run_script($dbname, 'BEGIN READ ONLY; CREATE INDEX ON t (a); COMMIT;');
like($error, qr/^25006/, 'a read-only transaction');
(undef, $error) = run_script($dbname, 'BEGIN; CALL zdm_run(); COMMIT;');
like($error, qr/^ZDM02/, 'zdm_run() in a transaction block');
(undef, $error) = run_script($dbname, 'DO $$ BEGIN CALL zdm_run(); END $$;');
like($error, qr/^ZDM02/, 'zdm_run() in a DO block');
(undef, $error) = run_script($dbname, 'SELECT 1; CALL zdm_run();', string => 1);
like($error, qr/^ZDM02/, 'zdm_run() in a string of statements');

# Rights
sub last_error
{
	my ($dbname) = @_;
	return query($dbname, 'SELECT last_error FROM zdm.step WHERE deferred ORDER BY id LIMIT 1');
}

$dbname = new_database();
(undef, $error) = run_script($dbname, 'BEGIN; SET LOCAL ROLE owner; CREATE INDEX ON owned (a); ALTER TABLE owned DROP COLUMN b; COMMIT;', user => 'deployer');
is($error, '', 'SET ROLE: no error');
is(query($dbname, 'SELECT DISTINCT role, session_role FROM zdm.statement'), 'owner|deployer', 'SET ROLE: both are noted');
end_window($dbname, 'SET ROLE');
is(query($dbname, "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relname LIKE 'owned%'"), 'owner', 'SET ROLE: the index is the owner\'s');

$dbname = new_database();
(undef, $error) = run_script($dbname, 'SET SESSION AUTHORIZATION owner; BEGIN; CREATE INDEX ON owned (a); COMMIT;');
is($error, '', 'SET SESSION AUTHORIZATION: no error');
is(query($dbname, 'SELECT role, session_role FROM zdm.statement'), 'owner|owner', 'SET SESSION AUTHORIZATION: it is the author');
end_window($dbname, 'SET SESSION AUTHORIZATION');

$dbname = new_database();
run_script($dbname, 'CREATE FUNCTION migrate() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN CREATE INDEX ON owned (a); END $$;', user => 'owner');
(undef, $error) = run_script($dbname, 'SELECT migrate();', user => 'stranger');
like($error, qr/^ZDM01.*no worker/, 'SECURITY DEFINER: refused where the session user could not do it');
(undef, $error) = run_script($dbname, 'SELECT migrate();', user => 'deployer');
is($error, '', 'SECURITY DEFINER: not where he could');
end_window($dbname, 'SECURITY DEFINER');

# a function of the author's must not get the rights of who carries it out
$dbname = new_database();
run_script($dbname, <<'SQL', user => 'owner');
CREATE FUNCTION wants_more(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	BEGIN
		PERFORM set_config('role', 'none', false);
		RAISE WARNING 'got %', current_user;
	EXCEPTION WHEN insufficient_privilege THEN
		RAISE WARNING 'denied';
	END;
	PERFORM set_config('search_path', 'pg_temp', false);
	RETURN true;
END $$;
BEGIN;
ALTER TABLE owned ADD CHECK (wants_more(a));
COMMIT;
SQL
(my $out, $error, my $all) = run_script($dbname, "CALL zdm_run();\nDO 'BEGIN PERFORM zdm_end_window(''w''); END';\nCALL zdm_run();\nSELECT current_user, current_setting('search_path');");
is($error, '', 'a function that wants more: carried out');
unlike($all, qr/got/, 'a function that wants more: gets no more');
like($all, qr/denied/, 'a function that wants more: has tried');
is($out, "postgres|\"\$user\", public\n", 'a function that wants more: the session is as before');

# who may not act for the author does not spoil his step
$dbname = new_database();
run_script($dbname, 'BEGIN; CREATE INDEX owned_a ON owned (a); COMMIT;', user => 'owner');
(undef, $error) = run_script($dbname, 'CALL zdm_run();', user => 'stranger');
like($error, qr/^42501.*"owner"/, 'a stranger cannot carry a step out');
is(steps($dbname), 'migrate queued', '... which waits on');
(undef, $error) = run_script($dbname, 'CALL zdm_run();', user => 'deployer');
is($error, '', 'a member of the role can');
is(steps($dbname), 'migrate done', '... and it is done');

# a role that loses its right, or is gone
foreach my $way (
	[ 'the table has another owner', 'ALTER TABLE owned OWNER TO team', 'owner', '', 'must be owner of table owned',
		'ALTER TABLE owned OWNER TO owner' ],
	[ 'no right to create in the schema', 'REVOKE CREATE ON SCHEMA public FROM owner; REVOKE CREATE ON SCHEMA public FROM PUBLIC', 'owner', '',
		'permission denied for schema public', 'GRANT CREATE ON SCHEMA public TO owner' ],
	[ 'the role is gone', 'ALTER TABLE t OWNER TO leaver; REASSIGN OWNED BY leaver TO owner; DROP OWNED BY leaver; DROP ROLE leaver', 'leaver',
		'CREATE ROLE leaver LOGIN; GRANT CREATE ON SCHEMA public TO leaver; ALTER TABLE owned OWNER TO leaver', 'role "leaver" does not exist', undef ])
{
	my ($what, $loss, $user, $setup, $reason, $mend) = @$way;

	$dbname = new_database();
	query($dbname, "SET zdm.mode = off; $setup") if $setup ne '';
	(undef, $error) = run_script($dbname, 'BEGIN; CREATE INDEX owned_a ON owned (a); COMMIT;', user => $user);
	is($error, '', "$what: queued");
	query($dbname, "SET zdm.mode = off; $loss");
	(undef, $error) = run_script($dbname, 'CALL zdm_run();');
	like($error, qr/\Q$reason\E/, "$what: zdm_run() says so");
	is(steps($dbname), 'migrate failed', "$what: the step has failed");
	like(last_error($dbname), qr/\Q$reason\E/, "$what: the step says why");
	is(query($dbname, "SELECT to_regclass('owned_a')"), '', "$what: and was not carried out");
	next unless defined $mend;
	query($dbname, "SET zdm.mode = off; $mend; RESET zdm.mode; SELECT zdm_retry(id) FROM zdm.step WHERE deferred");
	end_window($dbname, $what);
	is(query($dbname, "SELECT to_regclass('owned_a')"), 'owned_a', "$what: carried out after mending");
}

# What happens to tables meanwhile, by hand
$dbname = new_database();
run_script($dbname, 'BEGIN; CREATE INDEX t_a ON t (a); ALTER TABLE t ADD CONSTRAINT t_fk FOREIGN KEY (o) REFERENCES other; ALTER TABLE nokey ADD CONSTRAINT n CHECK (a > 0); COMMIT;');
query($dbname, 'SET zdm.mode = off; ALTER TABLE t RENAME TO "T 2"; ALTER TABLE "T 2" SET SCHEMA elsewhere_2; ALTER TABLE other RENAME TO t;'
	. ' ALTER TABLE nokey RENAME TO nokey_2; CREATE TABLE nokey (a int);');
end_window($dbname, 'renamed and moved tables');
is(query($dbname, "SELECT conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE conname = 't_fk'"), 'elsewhere_2."T 2"|t', 'renamed and moved tables: the constraint is on them');
is(query($dbname, "SELECT indrelid::regclass FROM pg_index WHERE indexrelid = 'elsewhere_2.t_a'::regclass"), 'elsewhere_2."T 2"', 'renamed and moved tables: the index too');
is(query($dbname, "SELECT conrelid::regclass FROM pg_constraint WHERE conname = 'n'"), 'nokey_2', 'renamed and moved tables: not on one that took the name');

# two that have changed their names with each other
$dbname = new_database();
run_script($dbname, 'BEGIN; ALTER TABLE t ADD CONSTRAINT t_fk FOREIGN KEY (o) REFERENCES other; COMMIT;');
query($dbname, 'SET zdm.mode = off; ALTER TABLE t RENAME TO x; ALTER TABLE other RENAME TO t; ALTER TABLE x RENAME TO other;');
end_window($dbname, 'swapped names');
is(query($dbname, "SELECT conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE conname = 't_fk'"), 'other|t', 'swapped names: each is the one it was');

$dbname = new_database();
run_script($dbname, 'BEGIN; CREATE INDEX t_a ON t (a); CREATE INDEX other_note ON other (note); COMMIT;');
query($dbname, 'SET zdm.mode = off; DROP TABLE t CASCADE');
(undef, $error) = run_script($dbname, 'CALL zdm_run();');
like($error, qr/^42P01/, 'a dropped table: the step fails');
is(steps($dbname), 'migrate failed, migrate done', 'a dropped table: the other one is carried out');
query($dbname, 'SET zdm.mode = off; CREATE TABLE t (a int); INSERT INTO t VALUES (1); RESET zdm.mode; SELECT zdm_retry(id) FROM zdm.step WHERE state = \'failed\'');
(undef, $error) = run_script($dbname, 'CALL zdm_run();');
like($error, qr/^42P01.*made anew/, 'a table made anew: it is not the one');
is(query($dbname, "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"), '0', 'a table made anew: untouched');
query($dbname, "SELECT zdm_cancel(id) FROM zdm.step WHERE state = 'failed'");
end_window($dbname, 'a cancelled step');

# Steps that fail: nothing of them is left, the others go on, and after mending
# they are carried out.
$dbname = new_database();
run_script($dbname, <<'SQL');
BEGIN;
ALTER TABLE t ADD CONSTRAINT t_check CHECK (a < 5);
CREATE INDEX t_inverse ON t ((10 / a));
CREATE INDEX t_o ON t (o);
ALTER TABLE other ALTER COLUMN note SET NOT NULL;
CREATE INDEX nokey_a ON nokey (a);
COMMIT;
INSERT INTO t VALUES (9, 9, 9, 'c', 1), (10, 0, 0, 'c', 1);
INSERT INTO other VALUES (100, NULL);
SQL
(undef, $error) = run_script($dbname, 'CALL zdm_run();');
like($error, qr/^22012: deferred step \d+ failed: division by zero/, 'rows in the way: zdm_run() raises the error');
is(query($dbname, "SELECT string_agg(state, ', ' ORDER BY id) FROM zdm.step WHERE deferred AND phase = 'migrate'"),
	'failed, queued, done', 'rows in the way: the next on the same table waits, the one on another table does not');
like(query($dbname, "SELECT last_error FROM zdm.step WHERE state = 'failed'"), qr/division by zero/, 'rows in the way: the step says why');
(undef, $error) = run_script($dbname, "SELECT zdm_end_window('w');");
like($error, qr/^ZDM03/, 'rows in the way: the window cannot be ended');
is(query($dbname, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated"), '0', 'rows in the way: no constraint is left half done');
is(query($dbname, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), '0', 'rows in the way: nor an index');
is(query($dbname, "SELECT to_regclass('nokey_a')"), 'nokey_a', 'rows in the way: what is independent is carried out');
query($dbname, "DELETE FROM t WHERE a IN (0, 9); DELETE FROM other WHERE id = 100; SELECT zdm_retry(id) FROM zdm.step WHERE state = 'failed'");
end_window($dbname, 'rows in the way, mended');
is(query($dbname, "SELECT count(*) FROM pg_constraint WHERE conname = 't_check' AND convalidated"), '1', 'rows in the way, mended: the constraint is there');

# the same when the window ends: rows that come between its look and the step
$dbname = new_database();
run_script($dbname, 'BEGIN; CREATE UNIQUE INDEX nokey_a ON nokey (a); ALTER TABLE nokey DROP COLUMN c; COMMIT; CALL zdm_run(); SELECT zdm_end_window(\'w\'); INSERT INTO nokey VALUES (1, 1);');
(undef, $error) = run_script($dbname, 'CALL zdm_run();');
like($error, qr/^23505/, 'duplicates at the end: zdm_run() raises the error');
is(query($dbname, 'SELECT state FROM zdm.window'), 'closing', 'duplicates at the end: the window is closing');
is(query($dbname, 'SELECT count(*) FROM pg_index WHERE NOT indisvalid'), '0', 'duplicates at the end: no invalid index');
query($dbname, "DELETE FROM nokey WHERE a = 1; SELECT zdm_retry(id) FROM zdm.step WHERE state = 'failed'");
(undef, $error) = run_script($dbname, 'CALL zdm_run();');
is($error, '', 'duplicates at the end, mended: carried out');
is(query($dbname, 'SELECT state FROM zdm.window'), 'closed', 'duplicates at the end, mended: the window is closed');

# Locks
sub start_blocker
{
	my ($dbname, $sql) = @_;
	my $session = ZdmStops::start_script($node, $dbname, "BEGIN; $sql; SELECT pg_sleep(600);", application_name => 'blocker');

	$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'blocker' AND wait_event = 'PgSleep'");
	return $session;
}

sub end_blocker
{
	my ($session) = @_;
	query('postgres', "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'blocker'");
	$session->finish;
	return;
}

$dbname = new_database();
run_script($dbname, "BEGIN; ALTER TABLE t DROP COLUMN c; COMMIT; CALL zdm_run(); SELECT zdm_end_window('w');");
my $blocker = start_blocker($dbname, 'SELECT FROM t');
(undef, $error) = run_script($dbname, 'CALL zdm_run();');
like($error, qr/^55P03/, 'a lock that is not to be had: zdm_run() says so');
is(steps($dbname), 'contract queued', 'a lock that is not to be had: the step waits');
is(query($dbname, 'SELECT retry_at IS NOT NULL AND last_error IS NOT NULL FROM zdm.step WHERE deferred'), 't', '... to be tried again');
end_blocker($blocker);
(undef, $error) = run_script($dbname, 'CALL zdm_run();');
is($error, '', 'a lock that is free again: at once');
is(query($dbname, 'SELECT state FROM zdm.window'), 'closed', 'a lock that is free again: the window is closed');

# Cancel and timeout: of the command, not of the step
sub wait_for_wait
{
	my ($dbname) = @_;
	return $node->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = '$dbname' AND application_name = 'client' AND wait_event_type = 'Lock'");
}
foreach my $way ([ 'statement_timeout', "SET statement_timeout = '300ms';" ], [ 'cancel', '' ])
{
	my ($what, $setting) = @$way;

	$dbname = new_database();
	run_script($dbname, 'BEGIN; CREATE INDEX t_a ON t (a); COMMIT;');
	$blocker = start_blocker($dbname, 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT FROM other');
	my $victim = ZdmStops::start_script($node, $dbname, "${setting}CALL zdm_run();\n\\echo error :SQLSTATE\nSELECT 'user ' || current_user;");
	wait_for_wait($dbname);
	query('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = '$dbname' AND application_name = 'client'") if $setting eq '';
	$out = $victim->finish;
	like($out, qr/error 57014/, "$what: zdm_run() is ended");
	is(steps($dbname), 'migrate queued', "$what: the step waits on");
	is(query($dbname, 'SELECT count(*) FROM pg_index WHERE NOT indisvalid'), '0', "$what: nothing is half done");
	is(query($dbname, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), '0', "$what: no lock is left");
	end_blocker($blocker);
	end_window($dbname, $what);
	is(query($dbname, "SELECT to_regclass('t_a')"), 't_a', "$what: carried out later");
}

# Two sessions at once: each step once
$dbname = new_database();
run_script($dbname, join(' ', 'BEGIN;', (map { "CREATE INDEX t_$_ ON t (a); CREATE INDEX other_$_ ON other (note);" } 1 .. 4), 'COMMIT;'));
my @sessions = map { ZdmStops::start_script($node, $dbname, "CALL zdm_run();\n\\echo error :SQLSTATE") } 1 .. 3;
like($_->finish, qr/error 00000/, 'several sessions at once: no error') foreach @sessions;
is(query($dbname, "SELECT DISTINCT state, attempts FROM zdm.step WHERE deferred"), 'done|1', 'several sessions at once: each step once');

# Modes and severities
$dbname = new_database();
run_script($dbname, 'BEGIN; SET LOCAL zdm.mode = warn; CREATE INDEX t_a ON t (a); SET LOCAL zdm.mode = off; CREATE INDEX t_o ON t (o); COMMIT;');
is(steps($dbname), '', 'zdm.mode = warn, off: nothing is deferred');
is(query($dbname, "SELECT to_regclass('t_a'), to_regclass('t_o')"), 't_a|t_o', 'zdm.mode = warn, off: all runs at once');
run_script($dbname, "BEGIN; SET LOCAL zdm.rules = 'drop_column=warn'; ALTER TABLE t DROP COLUMN c; COMMIT;");
is(query($dbname, "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'c'"), '0', 'zdm.rules: a rule that only warns');
run_script($dbname, "BEGIN; SET LOCAL zdm.allow = 'create_index'; CREATE INDEX t_f2 ON t (b, a); COMMIT;");
is(query($dbname, "SELECT to_regclass('t_f2')"), 't_f2', 'zdm.allow: a rule that is waived');
# what an abort cannot give back is noted
is(steps($dbname), 'expand done', 'zdm.rules, zdm.allow: nothing is deferred');

# Several windows
query($dbname, "SELECT zdm_begin_window('second', 'defer')");
(undef, $error) = run_script($dbname, 'BEGIN; CREATE INDEX nokey_b ON nokey (b); COMMIT;');
like($error, qr/^ZDM02/, 'several windows: one has to be chosen');
(undef, $error) = run_script($dbname, "SET zdm.\"window\" = 'second'; BEGIN; CREATE INDEX nokey_b ON nokey (b); COMMIT;");
is($error, '', 'several windows: one is chosen');
run_script($dbname, "CALL zdm_run('w');");
is(steps($dbname), 'expand done, migrate queued', 'several windows: zdm_run() of another one');
run_script($dbname, "CALL zdm_run('second');");
is(steps($dbname), 'expand done, migrate done', 'several windows: zdm_run() of this one');

# zdm_check() says what happens: the strictest verdict
$dbname = new_database();
foreach my $case (
	[ 'CREATE INDEX t_a ON t (a)', 'queue', 'migrate queued' ],
	[ 'ALTER TABLE nokey ADD CONSTRAINT n CHECK (a > 0)', undef, undef ],
	[ 'DROP INDEX t_c', 'defer', undef ],
	[ 'ALTER TABLE t DROP COLUMN c', 'defer', undef ],
	[ 'ALTER TABLE t ADD COLUMN n int', 'run', undef ],
	[ 'DROP TABLE uses_dom', 'defer', 'contract queued' ],
	[ 'CREATE VIEW uses_dom AS SELECT 1 AS a', 'refuse', undef ],
	[ 'ALTER TABLE t ALTER COLUMN a SET NOT NULL', 'defer', undef ],
	[ 'ALTER TABLE t RENAME b TO b2', 'refuse', undef ],
	[ 'CLUSTER t USING t_pkey', 'refuse', undef ],
	[ 'TRUNCATE t', 'refuse', undef ])
{
	my ($sql, $verdict, $left) = @$case;
	my $checked = query($dbname, "BEGIN; SELECT (array_agg(verdict ORDER BY array_position('{run,warn,rewrite,queue,defer,refuse}'::text[], verdict) DESC))[1] FROM zdm_check(\$check\$$sql\$check\$); COMMIT");
	my $before = query($dbname, 'SELECT count(*) FROM zdm.step WHERE deferred');
	my $state = query($dbname, 'SELECT stops.state()');
	my $now;

	(undef, $error) = run_script($dbname, "BEGIN; $sql; COMMIT;");
	$now = query($dbname, "SELECT coalesce(string_agg(DISTINCT phase || ' ' || state, ', '), '') FROM (SELECT * FROM zdm.step WHERE deferred ORDER BY id OFFSET $before) s");
	is($checked, $verdict, "zdm_check('$sql')") if defined $verdict;
	is($now, $left, "$sql: steps") if defined $left;
	if ($checked =~ /refuse/)
	{
		like($error, qr/^ZDM0/, "$sql: refused as zdm_check() says");
		is(query($dbname, 'SELECT stops.state()'), $state, "$sql: and nothing has changed");
	}
	elsif ($checked =~ /defer/)
	{
		like($now, qr/contract queued/, "$sql: deferred as zdm_check() says");
	}
	elsif ($checked =~ /queue/)
	{
		like($now, qr/migrate queued/, "$sql: queued as zdm_check() says");
	}
	else
	{
		is($now, '', "$sql: runs as zdm_check() says");
	}
}

$node->stop;
done_testing();
