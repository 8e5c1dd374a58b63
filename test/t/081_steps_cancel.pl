# Copyright (c) 2026, the zdm developers

# A statement that is carried out in steps is one statement for the client: it
# is cancelled, times out and fails like one, and leaves nothing of itself and
# the session as it was.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use ZdmStops;

my @plans = ZdmStops::wanted();
my @names = map { $_->[0] } @plans;
my %sql = map { $_->[0] => "$_->[1];" } @plans;

my $node = ZdmStops::new_node('cancel', "zdm.lock_wait_max = 20s\n");
my ($script, $result);

# What of a session must not change.
my $session = q{SELECT md5(string_agg(name || ' ' || setting, ',' ORDER BY name)), current_user, session_user,
	(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')
	FROM pg_settings WHERE name NOT LIKE 'stops.%' AND name NOT LIKE 'application_name';};

# --- every stop: a cancel, a timeout, a cancel and another one in the undo

ZdmStops::make_databases($node, @names);
$result = ZdmStops::run_everywhere(
	$node,
	sub {
		my ($name) = @_;
		return ZdmStops::stop_at() . <<"SQL";
$sql{$name}
\\echo \@\@ events
SELECT last_value FROM pg_temp.stops_event;
\\echo \@\@ after
SELECT stops.differences();
SQL
	},
	@names);
my %events = map { $_ => $result->{$_}{events} + 0 } @names;
ZdmStops::make_databases($node, @names);

sub sorted
{
	return join("\n", sort split /\n/, shift);
}

sub at_each_stop
{
	my ($name, $last) = @_;
	my $restore = $ZdmStops::restore{$name} ? "SET zdm.mode = off; $ZdmStops::restore{$name} RESET zdm.mode;" : '';
	my $script = ZdmStops::stop_at() . "\\echo \@\@ 0 session\n$session\n";

	foreach my $stop (1 .. $last)
	{
		my $next = $stop + 1;

		# "how": settings, the stops, and what comes after the error
		foreach my $how (
			[ 'cancel', "SET stops.how = 'cancel';", $stop, '' ],
			[ 'timeout', "SET stops.how = 'wait'; SET statement_timeout = '300ms';", $stop, '' ],
			[ 'twice', "SET stops.how = 'cancel';", "$stop, $next", 'CALL zdm_run();' ])
		{
			my ($what, $settings, $stops, $after) = @$how;

			$script .= <<"SQL";
SET stops.at = '{$stops}';
SELECT setval('pg_temp.stops_event', 1, false) AS ignored \\gset
$settings
$sql{$name}
\\echo \@\@ $stop $what :SQLSTATE :LAST_ERROR_MESSAGE
RESET statement_timeout;
SET stops.at = '';
$after
SELECT stops.differences();
$restore
\\echo \@\@ $stop session
SET stops.at = '{}';
RESET stops.how;
$session
SQL
		}
	}
	return $script;
}
my %running = map {
	my $script = at_each_stop($_, $events{$_});
	$_ => ZdmStops::start_script($node, $_, $script)
} @names;
foreach my $name (@names)
{
	my $output = $running{$name}->finish;
	my ($fresh) = $output =~ /^\@\@ 0 session\n(.*)\n/m;
	my ($count, @wrong) = (0);

	while ($output =~ /^\@\@ (\d+) (cancel|timeout|twice) (\w+) ?(.*)\n((?:.*\n)*?)\@\@ \1 session\n(.*)\n/mg)
	{
		my ($stop, $what, $sqlstate, $message, $left, $now) = ($1, $2, $3, $4, $5, $6);

		$count++;
		$left = '' if $ZdmStops::restore{$name} && sorted($left) eq sorted($result->{$name}{after});
		push @wrong, "stop $stop, $what: $sqlstate $message\n$left" if $sqlstate ne '57014' || $left ne '';
		push @wrong, "stop $stop, $what: the session was $fresh, is $now" if $now ne $fresh;
	}
	is(join("\n", @wrong), '', "$name: nothing is left of it after a cancel or a timeout");
	is($count, 3 * $events{$name}, "$name: at each of its stops, in one session");
}

# --- errors: those of the plain statement, and nothing is left

ZdmStops::make_databases($node, 'errors');
$node->safe_psql('errors', <<'SQL');
SET zdm.mode = off;
CREATE TABLE e (id int PRIMARY KEY, dup int, nul int, neg int, txt text, fk int,
	CONSTRAINT taken CHECK (id > 0));
INSERT INTO e VALUES (1, 1, 1, -1, 'x', 1), (2, 1, NULL, -1, 'y', 99);
CREATE TABLE e_nokey AS SELECT * FROM e;
CREATE TABLE pe (k int, dup int, fk int) PARTITION BY LIST (k);
CREATE TABLE pe_1 PARTITION OF pe FOR VALUES IN (1);
CREATE TABLE pe_2 PARTITION OF pe FOR VALUES IN (2);
CREATE TABLE pe_default PARTITION OF pe DEFAULT;
INSERT INTO pe VALUES (1, 1, 1), (2, 1, 99), (2, 1, 1), (9, 1, 1);
CREATE TABLE pe_wrong (k int, dup int, fk int);
INSERT INTO pe_wrong VALUES (5, 5, 5), (6, 6, 6);
CREATE MATERIALIZED VIEW me AS SELECT id, neg + id AS value FROM e;
CREATE UNIQUE INDEX me_value ON me (value);
UPDATE e SET neg = -id;
SELECT stops.remember();
SQL
my @failing = split /\n/, <<'SQL';
CREATE UNIQUE INDEX e_u ON e (dup)
CREATE INDEX ON e ((1 / (neg + 1)))
CREATE INDEX e_pkey ON e (dup)
CREATE INDEX ON e (nothing)
CREATE INDEX ON e USING gin (dup)
CREATE UNIQUE INDEX ON pe (k, dup)
CREATE UNIQUE INDEX ON pe (dup)
ALTER TABLE e ADD UNIQUE (dup)
ALTER TABLE e ADD PRIMARY KEY (dup)
ALTER TABLE e_nokey ADD PRIMARY KEY (dup)
ALTER TABLE e_nokey ADD PRIMARY KEY (nul)
ALTER TABLE e ADD CHECK (neg > 0)
ALTER TABLE e ADD CONSTRAINT taken CHECK (neg < 0)
ALTER TABLE e ADD CHECK (1 / (neg + 2) > 0)
ALTER TABLE e ADD FOREIGN KEY (fk) REFERENCES other
ALTER TABLE e ADD FOREIGN KEY (txt) REFERENCES other
ALTER TABLE e ADD FOREIGN KEY (fk) REFERENCES e_nokey (id)
ALTER TABLE e ALTER COLUMN nul SET NOT NULL
ALTER TABLE e ADD COLUMN n int NOT NULL
ALTER TABLE e ADD COLUMN n int DEFAULT 1 / (random() * 0)::int
ALTER TABLE e ADD COLUMN n int DEFAULT (random() * 0)::int CHECK (n > 0)
ALTER TABLE e ADD COLUMN n int DEFAULT (random() * 0)::int UNIQUE
ALTER TABLE e ADD COLUMN n int DEFAULT 0 REFERENCES other
ALTER TABLE e ADD COLUMN id int UNIQUE
ALTER TABLE e ADD COLUMN n serial, ADD CHECK (neg > 0)
ALTER TABLE e ADD COLUMN n int UNIQUE, ADD UNIQUE (id, txt), ADD FOREIGN KEY (fk) REFERENCES other
ALTER TABLE pe ATTACH PARTITION pe_wrong FOR VALUES IN (5)
ALTER TABLE pe DETACH PARTITION pe_wrong
CREATE TABLE pe_9 PARTITION OF pe FOR VALUES IN (9)
ALTER TABLE pe ADD CHECK (dup > 1)
ALTER TABLE pe ADD FOREIGN KEY (fk) REFERENCES other
ALTER TABLE pe ALTER COLUMN fk SET NOT NULL, ADD CHECK (fk < 50)
DROP INDEX e_pkey
DROP INDEX nothing
REINDEX TABLE nothing
SQL
$script = '';
foreach my $i (0 .. $#failing)
{
	$script .= <<"SQL";
SET zdm.mode = off;
$failing[$i];
\\echo \@\@ $i plain :SQLSTATE :LAST_ERROR_MESSAGE
RESET zdm.mode;
$failing[$i];
\\echo \@\@ $i zdm :SQLSTATE :LAST_ERROR_MESSAGE
SELECT stops.differences();
SQL
}
my $output = ZdmStops::start_script($node, 'errors', $script)->finish;
foreach my $i (0 .. $#failing)
{
	my ($plain) = $output =~ /^\@\@ $i plain (.*)/m;
	my ($zdm, $left) = $output =~ /^\@\@ $i zdm (.*)\n((?:[-+] .*\n)*)/m;

	is("$zdm\n$left", "$plain\n", "the error of: $failing[$i]");
}

# --- the session is as before, however the statement came

ZdmStops::make_databases($node, 'protocol');
$node->safe_psql('protocol', "CREATE TABLE log (id serial, what text); INSERT INTO log (what) VALUES ('first')");
is(ZdmStops::start_script($node, 'protocol', <<"SQL")->finish, <<'OUT', 'what a session has beside its settings');
SELECT pg_advisory_lock(7) AS ignored \\gset
PREPARE p AS SELECT count(*) FROM t;
CREATE TEMP TABLE tt AS SELECT 1 AS one;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id;
COMMIT;
INSERT INTO log (what) VALUES ('second');
SET search_path = public, stops;
LISTEN here;
CREATE INDEX t_a ON t (a);
ALTER TABLE t ADD COLUMN n int DEFAULT stops.value() NOT NULL;
EXECUTE p;
FETCH 2 FROM c;
SELECT one FROM tt;
SHOW search_path;
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
SELECT pg_listening_channels();
SELECT lastval();
SQL
2
1
2
1
public, stops
1
here
2
finished
OUT

sub sqlstate
{
	my ($dbname, $sql, @extra) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql($dbname, $sql, stdout => \$stdout, stderr => \$stderr, on_error_stop => 1,
		extra_params => [ '-v', 'VERBOSITY=sqlstate', @extra ]);
	return $stderr =~ /ERROR:\s+(\w{5})/ ? $1 : $stderr =~ /FATAL|server closed/ ? $stderr : '';
}

my $refused = 'ALTER TABLE t ADD CHECK (b > 0)';
$node->safe_psql('protocol', 'SET zdm.mode = off; DROP INDEX t_a; SELECT stops.remember()');
is(sqlstate('protocol', "BEGIN; $refused; COMMIT"), 'ZDM01', 'refused in a block');
is(sqlstate('protocol', "BEGIN; SAVEPOINT s; $refused; COMMIT"), 'ZDM01', 'after a savepoint');
is(sqlstate('protocol', "BEGIN; $refused; PREPARE TRANSACTION 'p'"), 'ZDM01', 'in a transaction to be prepared');
is(sqlstate('protocol', "DO \$\$ BEGIN $refused; END \$\$"), 'ZDM01', 'in DO');
is(sqlstate('protocol', "DO \$\$ BEGIN COMMIT; $refused; END \$\$"), 'ZDM01', 'in DO that commits');
is( sqlstate('protocol',
		"CREATE PROCEDURE pg_temp.c() LANGUAGE plpgsql AS \$\$ BEGIN COMMIT; $refused; END \$\$; CALL pg_temp.c()"),
	'ZDM01', 'in a procedure');
is( sqlstate('protocol',
		"CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE plpgsql AS \$\$ BEGIN $refused; RETURN 1; END \$\$; SELECT pg_temp.f()"),
	'ZDM01', 'in a function');
is(sqlstate('protocol', '', '-c', "INSERT INTO log (what) VALUES ('lost'); $refused"), 'ZDM01', 'in a string of two');
is(sqlstate('protocol', '', '-c', "$refused; INSERT INTO log (what) VALUES ('lost')"), 'ZDM01', 'first in a string of two');
is($node->safe_psql('protocol', 'SELECT stops.differences()'), '', 'none of which leaves anything');

sub pgbench
{
	my ($mode, $script, @extra) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/script';
	my ($stdout, $stderr);

	append_to_file($file, $script);
	IPC::Run::run([ 'pgbench', '-n', '-t', '1', '-M', $mode, '-f', $file, @extra, $node->connstr('protocol') ],
		'>', \$stdout, '2>', \$stderr);
	return $stderr =~ s/^pgbench \(.*\n//rm =~ s/^.*(NOTICE|DETAIL|\d\. ).*\n//rmg;
}

foreach my $mode (qw(simple extended prepared))
{
	is(pgbench($mode, "CREATE INDEX t_a ON t (a);\nINSERT INTO log (what) VALUES ('$mode');\nDROP INDEX t_a;\nCALL zdm_run();\n"),
		'', "-M $mode");
	is($node->safe_psql('protocol', "DELETE FROM log WHERE what = '$mode' RETURNING what"), $mode, 'and what follows is kept');
}
foreach my $mode (qw(extended prepared))
{
	is( pgbench($mode, "\\startpipeline\nCREATE INDEX t_a ON t (a);\nINSERT INTO log (what) VALUES ('pipeline');\n\\endpipeline\n"),
		'', "first in a pipeline, -M $mode");
	is($node->safe_psql('protocol', "DELETE FROM log WHERE what = 'pipeline' RETURNING what"), 'pipeline', 'and what follows it is kept');
	$node->safe_psql('protocol', 'DROP INDEX t_a');
	like(pgbench($mode, "\\startpipeline\nINSERT INTO log (what) VALUES ('pipeline');\nCREATE INDEX t_a ON t (a);\n\\endpipeline\n"),
		qr/CREATE INDEX refused/, "later in a pipeline, -M $mode");
	like( pgbench($mode, "\\startpipeline\nCREATE INDEX t_a ON t (a);\nCREATE UNIQUE INDEX t_o ON t (o);\n\\endpipeline\n"),
		qr/could not create unique index "t_o"|CREATE INDEX refused/, "two in a pipeline, -M $mode");
	$node->safe_psql('protocol', 'SET client_min_messages = error; DROP INDEX IF EXISTS t_a');
	is($node->safe_psql('protocol', 'SELECT stops.differences()'), '', 'nothing is left');
}

# --- zdm_run

sub wait_for_stop
{
	my ($dbname, $stop) = @_;
	return $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = '$dbname' AND application_name = 'stopped at $stop'");
}

sub terminate
{
	my ($dbname) = @_;
	my $sql = "FROM pg_stat_activity WHERE datname = '$dbname' AND application_name ~ '^stopped'";

	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) $sql");
	return $node->poll_query_until('postgres', "SELECT count(*) = 0 $sql");
}

my $all_of_it = 'ALTER TABLE t ADD COLUMN n int DEFAULT stops.value() NOT NULL, ADD UNIQUE (n, a), ADD CHECK (a > 0);';

ZdmStops::make_databases($node, 'run');
is(sqlstate('run', 'BEGIN; CALL zdm_run(); COMMIT'), 'ZDM02', 'zdm_run() in a block');
is(sqlstate('run', 'DO $$ BEGIN CALL zdm_run(); END $$'), 'ZDM02', 'in DO');
is( sqlstate('run', 'CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CALL zdm_run(); RETURN 1; END $$; SELECT pg_temp.f()'),
	'ZDM02', 'in a function');
is( sqlstate('run', 'CREATE PROCEDURE pg_temp.c() LANGUAGE plpgsql AS $$ BEGIN COMMIT; CALL zdm_run(); END $$; CALL pg_temp.c()'),
	'ZDM02', 'in a procedure');
is(sqlstate('run', '', '-c', 'SELECT 1; CALL zdm_run()'), 'ZDM02', 'in a string of two');
is(sqlstate('run', 'CALL zdm_run()'), '', 'zdm_run() with nothing to do');

# A statement on its way is left alone, also by another statement.
my $live = ZdmStops::start_script($node, 'run', ZdmStops::stop_at(4) . $all_of_it);
wait_for_stop('run', 4);
isnt($node->safe_psql('run', 'SELECT stops.differences()'), '', 'a statement stands half-way');
is(sqlstate('run', 'CALL zdm_run()'), '', 'zdm_run() meanwhile');
is(sqlstate('run', 'ALTER TABLE nokey ADD CHECK (a > 0)'), '', 'another statement meanwhile');
$node->safe_psql('run', 'INSERT INTO stops.go VALUES (true)');
$live->finish;
is($live->errors =~ s/^.*NOTICE(?:.*\n)(?:\S.*\n)*//r, '', 'it ends well');
is($node->safe_psql('run', q{SELECT count(n), (SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype <> 'n' AND convalidated) FROM t}),
	'2|3', 'with all that it was to make');

# Who may clean up.
ZdmStops::make_databases($node, 'roles');
$node->safe_psql('roles', <<'SQL');
CREATE ROLE author LOGIN;
CREATE ROLE colleague LOGIN IN ROLE author;
CREATE ROLE stranger LOGIN;
SET zdm.mode = off;
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{t, nokey}'::text[] LOOP
		EXECUTE format('ALTER TABLE %I OWNER TO author', name);
	END LOOP;
END $$;
GRANT CREATE ON SCHEMA public TO author;
SELECT stops.remember();
SQL
foreach my $case (
	[ 'author', 'the author', '' ],
	[ 'colleague', 'a member of the role', '' ],
	[ 'postgres', 'a superuser', '' ],
	[ 'stranger', 'a stranger', '42501' ])
{
	my ($user, $who, $error) = @$case;
	my $victim = ZdmStops::start_script($node, 'roles', ZdmStops::stop_at(4) . $all_of_it, user => 'author');

	wait_for_stop('roles', 4);
	terminate('roles');
	$victim->finish;
	isnt($node->safe_psql('roles', 'SELECT stops.differences()'), '', "a plan is half done before the clean-up by $who");
	is(sqlstate('roles', 'CALL zdm_run()', '-U', $user), $error, "clean-up by $who");
	if ($error)
	{
		isnt($node->safe_psql('roles', 'SELECT stops.differences()'), '', 'who changes nothing');
		is(sqlstate('roles', 'CALL zdm_run()'), '', 'which somebody else does then');
	}
	is($node->safe_psql('roles', 'SELECT stops.differences()'), '', 'nothing is left');
}

# The author's next statement cleans up too.
my $victim = ZdmStops::start_script($node, 'roles', ZdmStops::stop_at(4) . $all_of_it, user => 'author');
wait_for_stop('roles', 4);
terminate('roles');
$victim->finish;
is(sqlstate('roles', 'ALTER TABLE nokey ADD CONSTRAINT temporary CHECK (a > 0)', '-U', 'author'), '', 'a statement after the crash');
is(sqlstate('roles', 'ALTER TABLE nokey DROP CONSTRAINT temporary'), '', 'is carried out');
is($node->safe_psql('roles', 'SELECT stops.differences()'), '', 'and has cleaned up before');

# Who loses the right to the table between two steps fails; what is left of
# his statement is cleaned up by someone who may.
$victim = ZdmStops::start_script($node, 'roles', ZdmStops::stop_at(5) . "$all_of_it\n\\echo :SQLSTATE", user => 'author');
wait_for_stop('roles', 5);
$script = ZdmStops::start_script($node, 'roles', "SET zdm.mode = off; ALTER TABLE t OWNER TO stranger;\nSELECT stops.remember()");
usleep(200_000);
$node->safe_psql('roles', 'INSERT INTO stops.go VALUES (true)');
like($victim->finish, qr/^42501$/m, 'rights lost between two steps');
$script->finish;
is(sqlstate('roles', 'CALL zdm_run()'), '', 'zdm_run() of a superuser then');
is($node->safe_psql('roles', q{SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'n'}), '0',
	'nothing is left');
is($node->safe_psql('roles', q{SELECT count(*) FROM zdm.step WHERE state <> 'done'}), '0', 'nor in the ledger');

# --- another session changes the table between two steps

my %changes = (
	dropped => 'DROP TABLE t CASCADE',
	renamed => 'ALTER TABLE t RENAME TO renamed',
	moved => 'CREATE SCHEMA elsewhere; ALTER TABLE t SET SCHEMA elsewhere',
	replaced => 'DROP TABLE t CASCADE; CREATE TABLE t (id int PRIMARY KEY, a int, b int, c text, o int); INSERT INTO t VALUES (1, 1, 1)',
	swapped => 'ALTER TABLE t RENAME TO old_t; CREATE TABLE t (id int, a int, b int, c text, o int, n int); INSERT INTO t VALUES (1, 1, 1)',
	column_dropped => 'ALTER TABLE t DROP COLUMN a CASCADE',
	column_renamed => 'ALTER TABLE t RENAME COLUMN a TO renamed');
my @changed = grep { /^(create_index_expression|add_check|set_not_null|add_unique|add_column_volatile_not_null|several_actions)$/ } @names;

sub changing
{
	my ($change) = @_;
	return '' if $change eq 'unchanged';
	return "SET zdm.mode = off; SET lock_timeout = '30s';\nBEGIN;\n$changes{$change};\nCOMMIT;\n";
}

# the state after the change, perhaps with the statement before it or after it
my %expected;

sub expected_state
{
	my ($change, $statement, $later) = @_;
	my $dbname = "expected_$change";
	my $key = "$change $statement $later";

	return $expected{$key} if $expected{$key};
	ZdmStops::make_databases($node, $dbname);
	$result = ZdmStops::run_everywhere($node,
		"SET zdm.mode = off;\n$statement\n" . changing($change) . "$later\n\\echo \@\@ state\nSELECT stops.state();", $dbname);
	return $expected{$key} = sorted($result->{$dbname}{state});
}

my $seed = $ENV{ZDM_STOPS_SEED} // time;
srand($seed);
note("ZDM_STOPS_SEED=$seed");
foreach my $change (sort keys %changes)
{
	my @cases;

	foreach my $name (@changed)
	{
		push @cases, { name => $name, stop => 1 + int(rand($events{$name})), db => "changed_$change" . @cases };
	}
	ZdmStops::make_databases($node, map { $_->{db} } @cases);
	$_->{victim} = ZdmStops::start_script($node, $_->{db},
		ZdmStops::stop_at($_->{stop}) . "$sql{$_->{name}}\n\\echo :SQLSTATE :LAST_ERROR_MESSAGE") foreach @cases;
	wait_for_stop($_->{db}, $_->{stop}) foreach @cases;
	$_->{changer} = ZdmStops::start_script($node, $_->{db}, changing($change)) foreach @cases;
	foreach (1 .. 100)
	{
		last if !grep { !$_->{changer}->finished } @cases;
		last
		  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'client' AND wait_event_type = 'Lock'")
		  >= grep { !$_->{changer}->finished } @cases;
		usleep(50_000);
	}
	ZdmStops::run_everywhere($node, 'INSERT INTO stops.go VALUES (true);', map { $_->{db} } @cases);
	foreach my $case (@cases)
	{
		$case->{outcome} = $case->{victim}->finish =~ s/^finished\n//mr;
		$case->{changer}->finish;
	}
	my $states = ZdmStops::run_everywhere($node, "\\echo \@\@ state\nSELECT stops.state();", map { $_->{db} } @cases);
	foreach my $case (@cases)
	{
		my ($name, $sqlstate) = ($case->{name}, substr($case->{outcome}, 0, 5));
		my $what = "$name, table $change at stop $case->{stop} of $events{$name}";
		my $state = sorted($states->{ $case->{db} }{state});

		# CREATE INDEX CONCURRENTLY and a change can end in a deadlock, by
		# which the change fails.  A first command that has not yet looked
		# its table up finds the one of now.
		my $happened = $case->{changer}->errors =~ /ERROR/ ? 'unchanged' : $change;
		my $done = $sqlstate eq '00000' ? $sql{$name} : '';
		my $expected = expected_state($happened, $done, '');

		$expected = expected_state($happened, '', $done)
		  if $case->{stop} == 1 && $done ne '' && $expected ne $state;
		is(ZdmStops::differences($expected, $state), '', "$what: it ends with $sqlstate, and nothing is left of it")
		  or diag("$case->{outcome}\n" . $case->{victim}->errors . $case->{changer}->errors);
	}
}

$node->stop;
done_testing();
