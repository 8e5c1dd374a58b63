# Copyright (c) 2026, the zdm developers

# Deferred steps are carried out by background workers: after commit, in each
# database, with the rights of who has sent the statement; whatever happens to
# worker, server and role.  zdm_wait() waits for them and is in nobody's way.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $settings = <<'CONF';
fsync = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
max_prepared_transactions = 10
log_line_prefix = '%m [%p] %b %q%a '
CONF
my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'zdm worker'};

my $node = PostgreSQL::Test::Cluster->new('workers');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', $settings);
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE other LOGIN;
CREATE ROLE keeper;
GRANT keeper TO app;
SQL

# A database with an open window that defers, and a table of each role.
sub make_database
{
	my ($on, $dbname) = @_;

	$on->safe_psql('postgres', "CREATE DATABASE $dbname");
	$on->safe_psql($dbname, <<"SQL");
CREATE EXTENSION zdm;
GRANT CREATE ON SCHEMA public TO app, other, keeper;
SET ROLE app;
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 1), (2, 2, 2);
SET ROLE other;
CREATE TABLE u (id int PRIMARY KEY, a int);
INSERT INTO u VALUES (1, 1);
SET ROLE keeper;
CREATE TABLE v (id int PRIMARY KEY, a int);
INSERT INTO v VALUES (1, 1);
RESET ROLE;
SELECT zdm_begin_window('w', 'defer');
SQL
	return;
}

# As a session user, in a transaction block.
sub send_as
{
	my ($dbname, $user, @statements) = @_;

	$node->safe_psql($dbname, join(";\n", 'BEGIN', @statements, 'COMMIT'), extra_params => [ '-U', $user ]);
	return;
}

# A transaction that has written to t: CREATE INDEX CONCURRENTLY waits for its end.
sub block
{
	my ($on, $dbname) = @_;
	my $session = $on->background_psql($dbname);

	$session->query_safe('BEGIN');
	$session->query_safe('INSERT INTO t SELECT max(id) + 1, 0, 0 FROM t');
	return $session;
}

sub unblock
{
	my ($session) = @_;

	$session->query_safe('COMMIT');
	$session->quit;
	return;
}

sub wait_until
{
	my ($on, $dbname, $query, $name) = @_;

	ok($on->poll_query_until($dbname, $query), $name);
	return;
}

my $a_step_runs = q{SELECT count(*) = 1 FROM zdm_steps WHERE state = 'running' AND cardinality(waits_for) > 0};

sub sqlstate_and_text
{
	my ($dbname, $sql) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql($dbname, $sql, stdout => \$stdout, stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $stderr;
}

sub is_valid
{
	my ($on, $dbname, $index) = @_;
	return $on->safe_psql($dbname, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('$index')");
}

# --- the launcher

is($node->safe_psql('postgres', q{SELECT count(*), count(datname), count(backend_xmin) FROM pg_stat_activity WHERE backend_type = 'zdm launcher'}),
	'1|0|0', 'there is a launcher, in no database, without a snapshot');
is($node->safe_psql('postgres', q{SELECT setting, context FROM pg_settings WHERE name = 'zdm.max_workers'}), '2|postmaster', 'zdm.max_workers');

# --- after commit, as the session user; not after a rollback

make_database($node, 'plain');
send_as('plain', 'app', 'CREATE INDEX t_a ON t (a)');
$node->safe_psql('plain', 'CALL zdm_wait()');
is(is_valid($node, 'plain', 't_a'), 't', 'a queued CREATE INDEX is carried out after commit');
is( $node->safe_psql('plain', 'SELECT session_role, role, application FROM zdm.statement WHERE part_of IS NOT NULL'),
	'app|app|zdm worker', 'by a worker that is connected as who has sent it');
is($node->safe_psql('plain', q{SELECT state, attempts, last_error IS NULL FROM zdm_steps WHERE sql ~ 't_a'}), 'done|1|t', 'and zdm_steps says that it is done, in one row');
wait_until($node, 'postgres', "SELECT ($workers) = 0", 'which ends when there is nothing to do');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'plain'}), '0', 'and leaves nobody in the database');

$node->safe_psql('plain', 'BEGIN; CREATE INDEX t_back ON t (a); ROLLBACK; BEGIN; SAVEPOINT s; CREATE INDEX t_back ON t (a); ROLLBACK TO s; CREATE INDEX t_b ON t (b); COMMIT; CALL zdm_wait()');
is(is_valid($node, 'plain', 't_back') . is_valid($node, 'plain', 't_b'), 't', 'what is rolled back is not carried out');

# --- prepared transactions

$node->safe_psql('plain', q{BEGIN; CREATE INDEX t_2pc ON t (b, a); PREPARE TRANSACTION 'p'});
$node->safe_psql('plain', 'CALL zdm_wait()');
is(is_valid($node, 'plain', 't_2pc'), '', 'a prepared transaction has sent nothing yet');
my $began = time;
$node->safe_psql('plain', q{COMMIT PREPARED 'p'});
wait_until($node, 'plain', q{SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('t_2pc')}, 'COMMIT PREPARED starts the worker');
cmp_ok(time - $began, '<', 8, 'at once');

# --- SET ROLE, and a role that is lost

send_as('plain', 'app', 'SET LOCAL ROLE keeper', 'CREATE INDEX v_a ON v (a)');
$node->safe_psql('plain', 'CALL zdm_wait()');
is( $node->safe_psql('plain', q{SELECT session_role, role FROM zdm.statement WHERE part_of IS NOT NULL AND sql ~ 'v_a'}),
	'app|keeper', 'a worker has the role that the session had');

$node->safe_psql('plain', q{SELECT zdm_pause('w')});
send_as('plain', 'app', 'SET LOCAL ROLE keeper', 'CREATE INDEX v_lost ON v (a)');
is($node->safe_psql('plain', q{SELECT state, reason FROM zdm_steps WHERE sql ~ 'v_lost'}), 'queued|the window is paused', 'a paused window');
like(sqlstate_and_text('plain', 'CALL zdm_wait()'), qr/ERROR:  55000: window "w" is paused.*DETAIL:  Paused by \w+ at 2\d.* 1 deferred step is not carried out.*SELECT zdm_resume\('w'\);/s, 'is not waited for');
like(sqlstate_and_text('plain', $_), qr/NOTICE:  00000: window "w" is paused.*DETAIL:  Paused by \w+ at 2\d.* carried out: 1.*SELECT zdm_resume\('w'\);/s, "nor carried out: $_")
	foreach 'CALL zdm_run()', q{CALL zdm_run('w')};
is($node->safe_psql('plain', q{SELECT state FROM zdm_steps WHERE sql ~ 'v_lost'}), 'queued', 'and stays as it was');
$node->safe_psql('plain', q{SET zdm.mode = off; REVOKE keeper FROM app; SELECT zdm_resume('w')});
like(sqlstate_and_text('plain', 'CALL zdm_wait()'),
	qr/ERROR:  55000: step \d+ of window "w" has failed: .*permission denied to set role "keeper".*CREATE INDEX v_lost.*zdm_retry\(\d+\).*zdm_cancel\(\d+\)/s,
	'a step is not run with a role that its author has lost');
is(is_valid($node, 'plain', 'v_lost'), '', 'and has done nothing');
like(sqlstate_and_text('plain', 'CALL zdm_run()'), qr/ERROR:  55000: step \d+ of window "w" has failed: .*permission denied to set role/, 'zdm_run() says so too');
$node->safe_psql('plain', q{GRANT keeper TO app; SELECT zdm_retry(id) FROM zdm_steps WHERE state = 'failed'; CALL zdm_wait()});
is(is_valid($node, 'plain', 'v_lost'), 't', 'with it, it is');

# --- session users that no worker can act for

# Let $change happen between queue and run; what becomes of the index?
sub unfit
{
	my ($user, $change, $restore, $index, $error, $name) = @_;

	$node->safe_psql('plain', q{SELECT zdm_pause('w')});
	send_as('plain', $user, "CREATE INDEX $index ON " . ($user eq 'app' ? 't' : 'v') . ' (a, id)');
	$node->poll_query_until('postgres', "SELECT ($workers) = 0");
	$node->safe_psql('plain', "SET zdm.mode = off; $change; SELECT zdm_resume('w')");
	if ($error)
	{
		like(sqlstate_and_text('plain', 'CALL zdm_wait()'), $error, $name);
		like(sqlstate_and_text('plain', 'CALL zdm_run()'), qr/^(?!.*ERROR).*NOTICE:  00000: deferred step \d+ is carried out: CREATE INDEX $index/s, "$name: zdm_run() says what it does");
		is($node->safe_psql('plain', q{SELECT count(*) FROM zdm_steps WHERE state <> 'done'}), '0', "$name: zdm_run() does it");
	}
	else
	{
		$node->safe_psql('plain', 'CALL zdm_wait()');
	}
	is(is_valid($node, 'plain', $index), 't', "$name: carried out in the end");
	$node->safe_psql('plain', $restore) if $restore;
	return;
}

unfit('app', 'ALTER ROLE app NOLOGIN', 'ALTER ROLE app LOGIN', 't_nologin',
	$node->pg_version >= 17 ? undef :
	qr/ERROR:  55000: .*no worker can act for role "app", which had sent the statement: the role is not permitted to log in; .*zdm_retry\(\d+\), or CALL zdm_run\(\)/,
	'NOLOGIN');
unfit('app', 'REVOKE CONNECT ON DATABASE plain FROM PUBLIC', 'GRANT CONNECT ON DATABASE plain TO PUBLIC', 't_noconnect',
	qr/no worker can act for role "app".*the role has no CONNECT privilege on database "plain"/, 'no CONNECT');
$node->safe_psql('plain', 'CREATE ROLE gone LOGIN SUPERUSER');
$node->safe_psql('plain', q{SELECT zdm_pause('w')});
send_as('plain', 'gone', 'CREATE INDEX t_gone ON t (a, b, id)');
$node->safe_psql('plain', q{SET zdm.mode = off; DROP ROLE gone; SELECT zdm_resume('w')});
like(sqlstate_and_text('plain', 'CALL zdm_wait()'), qr/no worker can act for role "gone".*the role does not exist/, 'a dropped role');
$node->safe_psql('plain', q{SELECT zdm_cancel(id) FROM zdm_steps WHERE state = 'failed'});
is(is_valid($node, 'plain', 't_gone'), '', 'its step is not carried out');

# --- settings of role and database that are meant for clients

$node->safe_psql('plain', <<'SQL');
ALTER ROLE app SET statement_timeout = '300ms';
ALTER ROLE app SET lock_timeout = '100ms';
ALTER ROLE app SET idle_in_transaction_session_timeout = '100ms';
ALTER ROLE app SET idle_session_timeout = '100ms';
ALTER DATABASE plain SET default_transaction_read_only = on;
ALTER ROLE app SET default_transaction_isolation = 'serializable';
ALTER ROLE app SET default_transaction_deferrable = on;
SQL
$node->safe_psql('plain', <<'SQL', extra_params => [ '-U', 'app' ]);
SET default_transaction_read_only = off;
SET statement_timeout = 0;
BEGIN;
CREATE INDEX t_timeouts ON t (b, id);
COMMIT;
SQL
$node->safe_psql('plain', 'CALL zdm_wait()');
is(is_valid($node, 'plain', 't_timeouts'), 't', 'timeouts, isolation and read-only defaults do not break a worker');
$node->safe_psql('plain', q{SET default_transaction_read_only = off; SELECT zdm_pause('w')});
$node->safe_psql('plain', <<'SQL', extra_params => [ '-U', 'app' ]);
SET default_transaction_read_only = off;
SET statement_timeout = 0;
BEGIN;
CREATE INDEX t_patient ON t (b, a, id);
COMMIT;
SQL
$node->safe_psql('plain', 'SET default_transaction_read_only = off; ALTER DATABASE plain RESET ALL');
my $blocker = block($node, 'plain');
$node->safe_psql('plain', q{SELECT zdm_resume('w')});
wait_until($node, 'plain', $a_step_runs, 'a step that waits');
usleep(600_000);
is($node->safe_psql('plain', q{SELECT state, attempts FROM zdm_steps WHERE sql ~ 't_patient'}), 'running|1', 'waits for longer than the timeouts');
unblock($blocker);
$node->safe_psql('plain', 'CALL zdm_wait(); ALTER ROLE app RESET ALL');
is(is_valid($node, 'plain', 't_patient'), 't', 'and is carried out');

# --- several databases and users; zdm.max_workers

make_database($node, "busy$_") for 1 .. 3;
my @blockers = map { block($node, "busy$_") } 1 .. 3;
send_as("busy$_", 'app', 'CREATE INDEX t_a ON t (a)') for 1 .. 3;
wait_until($node, 'postgres', "SELECT ($workers) = 2", 'workers in several databases');
usleep(500_000);
is($node->safe_psql('postgres', $workers), '2', 'and no more than zdm.max_workers');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT query, ',') FROM pg_stat_activity WHERE backend_type = 'zdm worker' AND state = 'active' AND application_name = 'zdm worker'}),
	'CREATE INDEX t_a ON public.t (a)', 'pg_stat_activity shows what they carry out');
unblock($_) for @blockers;
for my $number (1 .. 3)
{
	$node->safe_psql("busy$number", 'CALL zdm_wait()');
	is(is_valid($node, "busy$number", 't_a'), 't', "database $number has its turn");
}

$blocker = block($node, 'busy1');
send_as('busy1', 'app', 'CREATE INDEX t_b ON t (b)');
wait_until($node, 'busy1', $a_step_runs, 'one user waits');
send_as('busy1', 'other', 'CREATE INDEX u_a ON u (a)');
wait_until($node, 'busy1', q{SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('u_a')}, 'another one has a worker of his own');
is(is_valid($node, 'busy1', 't_b'), 'f', 'and does not wait');

# a paused window beside one that goes on: told at once, an error in the end
$node->safe_psql('busy1', q{SELECT zdm_begin_window('idle', 'defer'); SELECT zdm_pause('idle'); SET zdm."window" = 'idle'; BEGIN; CREATE INDEX u_idle ON u (a, id); COMMIT});
like(sqlstate_and_text('busy1', q{CALL zdm_wait(timeout => '1500 ms')}), qr/NOTICE:  00000: window "idle" is paused.*zdm_resume\('idle'\);.*ERROR:  55P03/s, 'zdm_wait() says which window is paused while it waits for another one');
like(sqlstate_and_text('busy1', q{CALL zdm_wait('idle')}), qr/ERROR:  55000: window "idle" is paused/, 'and does not wait for that one');
$node->safe_psql('busy1', q{SELECT zdm_cancel(id) FROM zdm_steps WHERE sql ~ 'u_idle'; SELECT zdm_abort_window('idle')});

# --- zdm_wait() while it waits

my ($said, $said_err) = ('', '');
my $waiter = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('busy1') . " application_name='waiter'", '-c', "CALL zdm_wait('w')" ],
	'>', \$said, '2>', \$said_err);
wait_until($node, 'busy1', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'waiter' AND wait_event = 'Extension'}, 'zdm_wait() waits');
is( $node->safe_psql('busy1', q{SELECT count(*) FROM generate_series(1, 20) AS n, pg_sleep(0.02 + n * 0) JOIN pg_stat_activity ON application_name = 'waiter' AND wait_event = 'Extension'
	AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR xact_start IS NOT NULL)}), '0', 'without a transaction');
is( $node->safe_psql('busy1', q{SELECT count(*) FROM pg_locks JOIN pg_stat_activity a USING (pid) WHERE application_name = 'waiter' AND wait_event = 'Extension'}),
	'0', 'and without a lock');
usleep(1_500_000);
unblock($blocker);
$waiter->finish;
is($said, "CALL\n", 'it ends when the steps are done');
is(is_valid($node, 'busy1', 't_b'), 't', 'not earlier');
my @notices = $said_err =~ /(NOTICE:  \d+ of \d+ deferred steps are done)/g;
cmp_ok(scalar(@notices), '>=', 1, 'it tells how far they are');
cmp_ok(scalar(@notices), '<=', 4, 'not all the time');
like($said_err, qr/DETAIL:  Step \d+ of window "w" runs in process \d+.*, waiting for process \d+: CREATE INDEX t_b ON public.t \(b\)/, 'what runs, and what it waits for');

# --- how zdm_wait() ends otherwise

$blocker = block($node, 'busy1');
send_as('busy1', 'app', 'CREATE INDEX t_late ON t (b, a)');
wait_until($node, 'busy1', $a_step_runs, 'a step that waits');
$began = time;
like(sqlstate_and_text('busy1', q{CALL zdm_wait(timeout => '300 ms')}), qr/ERROR:  55P03: timeout while waiting for 1 deferred step.*DETAIL:  Step \d+.*CREATE INDEX t_late/s, 'a timeout');
cmp_ok(time - $began, '<', 5, 'is kept');
like(sqlstate_and_text('busy1', q{SET SESSION AUTHORIZATION other; CALL zdm_wait(timeout => '100 ms')}), qr/DETAIL:  Step \d+.*: <insufficient privilege>/, 'who is not its author does not see it');
like(sqlstate_and_text('busy1', q{SET statement_timeout = '300ms'; CALL zdm_wait()}), qr/ERROR:  57014/, 'statement_timeout');
is($node->safe_psql('busy1', q{SELECT state FROM zdm_steps WHERE sql ~ 't_late'}), 'running', 'the step goes on');
unblock($blocker);
for my $call (
	'BEGIN; CALL zdm_wait(); COMMIT',
	'DO $$ BEGIN CALL zdm_wait(); END $$',
	'SELECT 1\; CALL zdm_wait()')
{
	like(sqlstate_and_text('busy1', $call), qr/ERROR:  ZDM02: zdm_wait\(\) cannot be called where it cannot commit/, $call);
}
like(sqlstate_and_text('busy1', q{CALL zdm_wait('nothing')}), qr/ERROR:  ZDM02: window "nothing" does not exist/, 'an unknown window');
like(sqlstate_and_text('busy1', q{CALL zdm_wait(timeout => '-1 s')}), qr/ERROR:  22023: timeout must not be negative/, 'a negative timeout');
like(sqlstate_and_text('postgres', 'CREATE EXTENSION zdm; CALL zdm_wait()'), qr/^$/, 'nothing to wait for');

# the extended protocol
my $script = $node->basedir . '/wait.sql';
PostgreSQL::Test::Utils::append_to_file($script, "CALL zdm_wait();\n");
send_as('busy1', 'app', 'CREATE INDEX t_extended ON t (id, a)');
$node->command_ok([ 'pgbench', '-n', '-M', $_, '-t', '2', '-f', $script, '-h', $node->host, '-p', $node->port, 'busy1' ], "pgbench -M $_")
	for qw(simple extended prepared);
is(is_valid($node, 'busy1', 't_extended'), 't', 'it has waited');

# --- the worker is ended

$blocker = block($node, 'busy2');
send_as('busy2', 'app', 'CREATE INDEX t_ended ON t (b)');
wait_until($node, 'busy2', $a_step_runs, 'a step that waits');
is($node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'zdm worker' AND datname = 'busy2'}), 't', 'its worker is terminated');
unblock($blocker);
$node->safe_psql('busy2', 'CALL zdm_wait()');
is(is_valid($node, 'busy2', 't_ended'), 't', 'another one carries the step out');
is($node->safe_psql('busy2', 'SELECT count(*) FROM pg_index WHERE NOT indisvalid'), '0', 'and nothing half done is left');

# --- the worker is cancelled

$blocker = block($node, 'busy2');
send_as('busy2', 'app', 'CREATE INDEX t_cancelled ON t (b, a, id)');
wait_until($node, 'busy2', $a_step_runs, 'a step that waits');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'zdm worker' AND datname = 'busy2'});
wait_until($node, 'busy2', q{SELECT count(*) = 1 FROM zdm_steps WHERE sql ~ 't_cancelled' AND state = 'running' AND attempts > 1}, 'a step that is cancelled is tried again');
unblock($blocker);
$node->safe_psql('busy2', 'CALL zdm_wait()');
is(is_valid($node, 'busy2', 't_cancelled'), 't', 'and carried out');

# --- a window without steps that nobody has ended

$node->safe_psql('busy3', q{UPDATE zdm.window SET state = 'closing'; CALL zdm_wait('w'); CALL zdm_wait('w')});
is($node->safe_psql('busy3', q{SELECT state FROM zdm.window}), 'closed', 'a window that has nothing left to do is ended');
$node->safe_psql('busy3', q{SELECT zdm_begin_window('x', 'defer')});

# --- the server is restarted, and crashes

for my $how (qw(fast immediate))
{
	$blocker = block($node, 'busy2');
	send_as('busy2', 'app', "CREATE INDEX t_$how ON t (b, id)");
	wait_until($node, 'busy2', $a_step_runs, 'a step that waits');
	$node->stop($how);
	$blocker->{run}->kill_kill;
	$node->start;
	$node->safe_psql('busy2', 'CALL zdm_wait()');
	is(is_valid($node, 'busy2', "t_$how"), 't', "the step is carried out after a restart ($how)");
	is($node->safe_psql('busy2', 'SELECT count(*) FROM pg_index WHERE NOT indisvalid'), '0', 'and nothing half done is left');
}

# --- the launcher is ended

my $launcher = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'zdm launcher'};
my $pid = $node->safe_psql('postgres', $launcher);
$blocker = block($node, 'busy2');
send_as('busy2', 'app', 'CREATE INDEX t_launcher ON t (a, b)');
wait_until($node, 'busy2', $a_step_runs, 'a step that waits');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
send_as('busy2', 'other', 'CREATE INDEX u_launcher ON u (a)');
wait_until($node, 'busy2', q{SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('u_launcher')}, 'a new launcher goes on');
is($node->safe_psql('postgres', $workers), '2', 'beside the workers of the last one');
unblock($blocker);
$node->safe_psql('busy2', 'CALL zdm_wait()');
is(is_valid($node, 'busy2', 't_launcher'), 't', 'which end what they do');
isnt($node->safe_psql('postgres', $launcher), $pid, 'in another process');
$node->reload;

# --- DROP DATABASE

$node->safe_psql('busy3', <<'SQL');
CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN $1; END';
SQL
send_as('busy3', 'app', 'CREATE INDEX t_slow ON t (slow(a))');
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'zdm worker' AND datname = 'busy3' AND wait_event = 'PgSleep'}, 'a step that takes long');
is($node->safe_psql('busy3', q{SELECT count(*), sum(done) >= 0, sum(total) > 0, bool_and(pid IS NOT NULL AND lock_mode IS NOT NULL) FROM zdm_steps WHERE state = 'running'}), '1|t|t|t', 'zdm_steps passes the figures of the index build on');
$node->safe_psql('postgres', 'DROP DATABASE busy3');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'busy3'}), '0', 'DROP DATABASE is not held up by a worker');
wait_until($node, 'postgres', "SELECT ($workers) = 0", 'which has ended');

# --- a standby that is promoted

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('workers_standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$blocker = block($node, 'busy2');
send_as('busy2', 'app', 'CREATE INDEX t_promoted ON t (id, b)');
wait_until($node, 'busy2', $a_step_runs, 'a step that waits');
$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
is($standby->safe_psql('busy2', q{SELECT state FROM zdm_steps WHERE sql ~ 't_promoted'}), 'running', 'zdm_steps on a standby');
is($standby->safe_psql('busy2', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'zdm%'}), '0', 'which has no launcher');
my ($stdout, $stderr);
$standby->psql('busy2', 'CALL zdm_wait()', stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($stderr, qr/ERROR:  25006: cannot execute zdm_wait\(\) during recovery/, 'and no zdm_wait()');
$node->stop('immediate');
$blocker->{run}->kill_kill;
$standby->promote;
$standby->safe_psql('busy2', 'CALL zdm_wait()');
is(is_valid($standby, 'busy2', 't_promoted'), 't', 'the new primary goes on');
is($standby->safe_psql('busy2', 'SELECT count(*) FROM pg_index WHERE NOT indisvalid'), '0', 'and nothing half done is left');
$standby->stop;

# --- no process is left for launcher or worker

for my $processes (1, 2)
{
	$node->append_conf('postgresql.conf', "max_worker_processes = $processes\n");
	$node->start;
	send_as('busy2', 'app', "CREATE INDEX t_none_$processes ON t (id, b, b)");
	like(sqlstate_and_text('busy2', q{CALL zdm_wait(timeout => '2500 ms')}),
		qr/WARNING:  53400: no background process is left for the deferred steps.*Raise max_worker_processes.*ERROR:  55P03/s, "max_worker_processes = $processes");
	$node->safe_psql('busy2', 'CALL zdm_run()');
	is(is_valid($node, 'busy2', "t_none_$processes"), 't', 'zdm_run() needs none');
	$node->stop;
}

# --- a server without workers

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\nsession_preload_libraries = 'zdm'\n");
$node->start;
$node->safe_psql('busy2', 'CALL zdm_run()');
send_as('busy2', 'app', 'CREATE INDEX t_alone ON t (id, b, a)');
like(sqlstate_and_text('busy2', 'CALL zdm_wait()'), qr/ERROR:  55000: 1 deferred step waits, and this server has no workers.*CALL zdm_run\(\)/s, 'zdm_wait() says what to do where there is no worker');
$node->safe_psql('busy2', 'CALL zdm_run(); CALL zdm_wait()');
is(is_valid($node, 'busy2', 't_alone'), 't', 'zdm_run() does it');
$node->stop;

done_testing();
