# Copyright (c) 2026, the zdm developers

# What a statement leaves of a session: its settings, its user, its timeouts
# and what it knows of sequences are as without zdm, however the statement ends.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('session');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
max_prepared_transactions = 5
zdm.lock_timeout = 50ms
zdm.lock_wait_max = 300ms
CONF
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE t (id serial, a text, b text);
CREATE TABLE other (a int);
CREATE ROLE bob;
GRANT bob TO CURRENT_USER;
SQL

sub run
{
	my ($sql) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($stdout, $stderr);
}

# the history of a statement does not count as the client's use of a sequence
my ($stdout, $stderr) = run(<<'SQL');
INSERT INTO t (a) VALUES ('x');
INSERT INTO t (a) VALUES ('y');
ALTER TABLE t DROP COLUMN b;
SELECT lastval(), count(*) FROM zdm_history WHERE 'drop_column' = ANY (rules);
SQL
is("$stdout$stderr", '2|1', 'lastval() after DDL that is written down');
is($node->safe_psql('postgres', <<'SQL'), '3|t', 'rows of the history have keys of their own, in order');
SET client_min_messages = error;
TRUNCATE t;
INSERT INTO t (a) VALUES ('z');
DO $$ BEGIN TRUNCATE t; END $$;
SELECT count(*), array_agg(id ORDER BY id) = array_agg(id ORDER BY at) FROM zdm_history;
SQL

my $state = q{SELECT current_setting('lock_timeout'), current_setting('deadlock_timeout'),
	current_setting('statement_timeout'), current_user = session_user;};
my $fresh = '0|1s|0|t';
my $blocker = $node->background_psql('postgres');
$blocker->query_safe('BEGIN');
$blocker->query_safe('LOCK TABLE t IN ACCESS SHARE MODE');

($stdout, $stderr) = run("ALTER TABLE t ADD COLUMN c int;\n$state");
like($stderr, qr/ERROR:  55P03: could not obtain locks on table "public.t"/, 'no lock at top level');
is($stdout, $fresh, 'settings after it');
($stdout, $stderr) = run("BEGIN; SAVEPOINT s; ALTER TABLE t ADD COLUMN c int; ROLLBACK TO s;\n$state SELECT 1; COMMIT;");
like($stderr, qr/ERROR:  55P03/, 'no lock in a block');
is($stdout, "$fresh\n1", 'settings after it, and the transaction goes on');
($stdout, $stderr) = run(<<"SQL");
DO \$\$ BEGIN BEGIN ALTER TABLE t ADD COLUMN c int; EXCEPTION WHEN lock_not_available THEN RAISE NOTICE 'caught'; END; END \$\$;
$state
SQL
like($stderr, qr/caught/, 'no lock in a function, whose handler sees it');
is($stdout, $fresh, 'settings after it');

# timeouts of the client go on while zdm waits and pauses, and work afterwards
for my $begin ('', 'BEGIN;')
{
	($stdout, $stderr) = run(<<"SQL");
SET zdm.lock_wait_max = '60s';
SET statement_timeout = '400ms';
$begin
ALTER TABLE t ADD COLUMN c int;
ROLLBACK;
SELECT 'pause' FROM pg_sleep(0.3);
SELECT pg_sleep(10);
SET statement_timeout = 0;
$state
SQL
	is(() = $stderr =~ /canceling statement due to statement timeout/g, 2, "statement_timeout $begin");
	is($stdout, "pause\n$fresh", 'settings after it');
}
($stdout, $stderr) = run("SET lock_timeout = '20ms'; ALTER TABLE t ADD COLUMN c int; SHOW lock_timeout; SHOW deadlock_timeout");
is($stdout, "20ms\n1s", 'the client keeps its own lock_timeout');

# a cancel or a termination ends the wait at once, wherever it hits
for my $call ('pg_cancel_backend', 'pg_terminate_backend')
{
	for my $delay (0.02, 0.07, 0.2)
	{
		my $other = $node->background_psql('postgres', on_error_stop => 0);

		my $pid = $other->query('SELECT pg_backend_pid()');
		my $in = "SELECT pg_sleep($delay); SELECT $call($pid);";
		my $killer = IPC::Run::start([ 'psql', '-X', '-q', '-c', $in, $node->connstr('postgres') ], '>', \my $ignored);

		if ($call eq 'pg_cancel_backend')
		{
			my $output = $other->query("SET zdm.lock_wait_max = '60s'; ALTER TABLE t ADD COLUMN c int;");

			is($other->query(q{SELECT concat_ws('|', current_setting('lock_timeout'), current_setting('deadlock_timeout'), current_user = session_user)}),
				'0|1s|t', "the session goes on after a cancel at ${delay}s");
			$other->quit;
		}
		else
		{
			eval { $other->query("SET zdm.lock_wait_max = '60s'; ALTER TABLE t ADD COLUMN c int;"); };
			ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"),
				"the session is gone after a termination at ${delay}s");
			eval { $other->quit; };
		}
		$killer->finish;
	}
}

# a blocker that nobody expected: a trigger wants it
$blocker->query_safe('LOCK TABLE other IN ACCESS SHARE MODE');
$blocker->query_safe('COMMIT');
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN LOCK TABLE other; END';
CREATE EVENT TRIGGER on_ddl ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION on_ddl();
SQL
$blocker->query_safe('BEGIN');
$blocker->query_safe('LOCK TABLE other IN ACCESS SHARE MODE');
($stdout, $stderr) = run("ALTER TABLE t ADD COLUMN c int;\n$state");
like($stderr, qr/ERROR:  55P03.*LOCK TABLE other IN ACCESS SHARE MODE/s, 'no lock inside an event trigger, and who has it');
is($stdout, $fresh, 'settings after it');
$blocker->query_safe('COMMIT');
$node->safe_psql('postgres', 'DROP EVENT TRIGGER on_ddl');

# a prepared transaction is nobody's session
$node->safe_psql('postgres', "BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; PREPARE TRANSACTION 'p'");
($stdout, $stderr) = run('ALTER TABLE t ADD COLUMN c int');
like($stderr, qr/DETAIL:  A prepared transaction holds a conflicting lock\.\n/, 'a prepared transaction in the way');
$node->safe_psql('postgres', "COMMIT PREPARED 'p'");

# DDL that runs as another user ends as the session's own
($stdout, $stderr) = run(<<"SQL");
CREATE FUNCTION definer() RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN ALTER TABLE t ADD COLUMN d int; END';
ALTER FUNCTION definer() OWNER TO bob;
SELECT definer();
$state
ALTER TABLE t OWNER TO bob;
SELECT definer();
$state
SQL
like($stderr, qr/must be owner of table t/, 'the rights of another user count');
is($stdout, "$fresh\n\n$fresh", 'and are given back');

$blocker->quit;
my $log = slurp_file($node->logfile);
unlike($log, qr/was terminated by|PANIC:|TRAP:|still active|reference leak/, 'no crash and no leak');
$node->stop;
done_testing();
