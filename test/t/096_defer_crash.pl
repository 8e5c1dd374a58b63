# Copyright (c) 2026, the zdm developers

# Whatever happens to a backend or to the server while a migration within a
# window that defers is sent, and while what it has left for later is carried
# out, taken away or undone: the next zdm_run() goes on, and in the end the
# schema is the one that plain DDL makes or, after an abort, the one from before.
#
# Each migration has databases of its own, one for each phase, which are copied
# for every crash.  All migrations stand at their n-th stop at once.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IPC::Run;
use List::Util qw(max min);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use ZdmStops;

# name, statements of one transaction
my @migrations = (
	[ 'index', 'CREATE INDEX t_expression ON t (stops.same(a)); CREATE UNIQUE INDEX t_unique ON t (a) INCLUDE (c)' ],
	[ 'partitioned', 'CREATE INDEX p_x ON p (x); ALTER TABLE p ADD CHECK (x > 0)' ],
	[ 'constraints',
		'ALTER TABLE t ADD CONSTRAINT t_a_check CHECK (stops.same(a) > 0), ADD UNIQUE (a, c), ALTER COLUMN a SET NOT NULL;'
		. ' ALTER TABLE t ADD FOREIGN KEY (o) REFERENCES other ON DELETE CASCADE' ],
	[ 'volatile', 'ALTER TABLE t ADD COLUMN n int DEFAULT stops.value()' ],
	[ 'required',
		'ALTER TABLE t ADD COLUMN n int DEFAULT 1 NOT NULL CHECK (n > 0); ALTER TABLE t ALTER COLUMN n DROP DEFAULT;'
		. ' CREATE INDEX t_n ON t (n)' ],
	[ 'dropping', 'ALTER TABLE t DROP COLUMN c; DROP INDEX t_b; DROP TABLE uses_dom' ],
	[ 'several',
		'ALTER TABLE t ADD COLUMN n int, ADD CHECK (b > 0), DROP COLUMN c, ADD FOREIGN KEY (o) REFERENCES other;'
		. ' CREATE TABLE born (id int PRIMARY KEY, t int REFERENCES t)' ]);
my %wanted = map { $_ => 1 } split / /, $ENV{ZDM_STOPS_PLANS} // '';
@migrations = grep { !%wanted || $wanted{ $_->[0] } } @migrations;
my @names = map { $_->[0] } @migrations;
my %sql = map { $_->[0] => "BEGIN;\n$_->[1];\nCOMMIT;\n" } @migrations;

# without room for workers, so that only zdm_run() carries steps out
my $node = ZdmStops::new_node('defer_crash', <<'CONF');
zdm.lock_wait_max = 10min
max_worker_processes = 1
max_logical_replication_workers = 0
max_parallel_workers_per_gather = 0
CONF
my $before = $node->safe_psql('fixture', 'SELECT stops.state()') . "\n";

# A copy is another database, whose windows come up paused; it is to go on
# where the original was.
my $go_on = <<'SQL';
UPDATE zdm.window SET database_oid = (SELECT oid FROM pg_database WHERE datname = current_database());
UPDATE zdm.step SET database_oid = (SELECT oid FROM pg_database WHERE datname = current_database());
SQL

# Databases that are copies of others: name => original
sub copy_databases
{
	my (%original) = @_;
	my $sql = "SET client_min_messages = error;\n";

	foreach my $name (sort keys %original)
	{
		$sql .= "DROP DATABASE IF EXISTS $name WITH (FORCE);\nCREATE DATABASE $name TEMPLATE $original{$name};\n";
	}
	$node->safe_psql('postgres', $sql);
	ZdmStops::run_everywhere($node, $go_on, sort keys %original);
	return;
}

my $begin = "SELECT zdm_begin_window('w', 'defer');\n";
my $look = "\\echo \@\@ state\nSELECT stops.state();\n\\echo \@\@ window\nSELECT state FROM zdm.window ORDER BY id DESC LIMIT 1;\n";
my $count = "\\echo \@\@ events\nSELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM pg_temp.stops_event;\n";

# What is done in a phase, the phase whose database it starts from, and what
# is done before in the same session
my @phases = (
	[ 'expand', 'opened', sub { $sql{ $_[0] } } ],
	[ 'migrate', 'queued', sub { "CALL zdm_run();\n" } ],
	[ 'contract', 'ended', sub { "CALL zdm_run();\n" } ],
	[ 'abort', 'aborting', sub { "CALL zdm_run();\n" } ]);

# Go through the phases without a crash: the states that are to be reached, and
# the number of stops on the way.
my (%plain, %after, %events);

sub go_through
{
	my ($phase, $from, $to, $sql) = @_;
	my $result;

	copy_databases(map { $_ . "_$to" => $_ . "_$from" } @names);
	$result = ZdmStops::run_everywhere(
		$node,
		sub {
			my $name = shift =~ s/_$to$//r;
			return ZdmStops::stop_at() . $sql->($name) . "\\echo \@\@ error :SQLSTATE :LAST_ERROR_MESSAGE\n$count$look";
		},
		map { $_ . "_$to" } @names);
	foreach my $name (@names)
	{
		my $of = $result->{"${name}_$to"};

		like($of->{error} // '', qr/^00000/, "$name: $phase works") or diag($result->{stderr});
		$after{$name}{$phase} = $of->{state};
		$after{$name}{"window $phase"} = $of->{window};
		$events{$name}{$phase} = $of->{events} + 0;
	}
	return;
}

$node->safe_psql('postgres', join('', map { "CREATE DATABASE ${_}_plain TEMPLATE fixture;\nCREATE DATABASE ${_}_opened TEMPLATE fixture;\n" } @names));
my $result = ZdmStops::run_everywhere($node,
	sub { my $name = shift =~ s/_plain$//r; return "SET zdm.mode = off;\n$sql{$name}$look" },
	map { "${_}_plain" } @names);
$plain{$_} = $result->{"${_}_plain"}{state} foreach @names;
ZdmStops::run_everywhere($node, $begin, map { "${_}_opened" } @names);
go_through('expand', 'opened', 'queued', sub { $sql{ $_[0] } });
go_through('migrate', 'queued', 'migrated', sub { "CALL zdm_run();\n" });
go_through('end', 'migrated', 'ended', sub { "SELECT zdm_end_window('w');\n" });
go_through('contract', 'ended', 'closed', sub { "CALL zdm_run();\n" });
# values of a new column would be lost
go_through('giving up', 'migrated', 'aborting',
	sub { ($_[0] eq 'volatile' ? "UPDATE t SET n = NULL;\n" : '') . "SELECT zdm_abort_window('w');\n" });
go_through('abort', 'aborting', 'aborted', sub { "CALL zdm_run();\n" });
foreach my $name (@names)
{
	is(ZdmStops::differences($plain{$name}, $after{$name}{contract}), '', "$name: the end is that of plain DDL");
	is($after{$name}{'window contract'}, "closed\n", "$name: the window is closed");
	is(ZdmStops::differences($before, $after{$name}{abort}), '', "$name: the abort gives back the schema from before");
	is($after{$name}{'window abort'}, "aborted\n", "$name: the window is aborted");
	note("$name: " . join(', ', map { "$_: $events{$name}{$_} stops" } map { $_->[0] } @phases));
}

sub count_sessions
{
	my ($condition) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'run\\_%' AND $condition");
}

# Wait until every session is at its stop or has ended.
sub wait_for_stops
{
	my ($stop, @victims) = @_;

	foreach (1 .. 1200)
	{
		my $open = grep { !$_->finished } @victims;
		my $stopped = count_sessions("application_name = 'stopped at $stop'");

		return $stopped if $stopped >= $open;
		usleep(50_000);
	}
	die "sessions did not come to their stop $stop:\n"
	  . $node->safe_psql('postgres', 'SELECT datname, application_name, wait_event, query FROM pg_stat_activity');
}

sub kill_one
{
	return ZdmStops::kill_one($node, @_);
}

sub stop_server
{
	$node->stop('immediate');
	$node->start;
	return;
}

# Ends the command, which undoes its current step.
sub cancel_all
{
	$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^stopped'");
	return;
}

my %failures;
my $half_done = 0;

# What is left must be whole after an error, and in any case be brought to its
# end by the next zdm_run().
sub finish_phase
{
	my ($what, $phase, $is_whole, @run) = @_;
	my $expand = $phase eq 'expand';
	my $found;

	$node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name ~ '^(client|stopped)'");
	$found = ZdmStops::run_everywhere($node,
		"\\echo \@\@ found\nSELECT stops.state();\nCALL zdm_run();\n\\echo \@\@ run :SQLSTATE :LAST_ERROR_MESSAGE\n$look", @run);
	foreach my $dbname (@run)
	{
		my $name = $dbname =~ s/^run_//r;
		my $of = $found->{$dbname};
		my $expected = $expand ? $before : $after{$name}{$phase};
		my $differences = ZdmStops::differences($expected, $of->{state} // '');

		# a transaction that was not committed has left nothing
		if ($expand)
		{
			push @{ $failures{$name} }, "$what: found\n" . ZdmStops::differences($before, $of->{found})
			  if $of->{found} ne $before;
		}
		elsif ($of->{found} ne $expected)
		{
			$half_done++;
		}
		push @{ $failures{$name} }, "$what: half-done after an error:\n$of->{found}"
		  if $is_whole && $of->{found} =~ /^index .* (?:valid|ready|live) f|^constraint .* validated f/m;
		push @{ $failures{$name} }, "$what: zdm_run: $of->{run}" if $of->{run} !~ /^00000/;
		push @{ $failures{$name} }, "$what:\n$differences" if $differences ne '';
		push @{ $failures{$name} }, "$what: the window is $of->{window}"
		  if !$expand && $of->{window} ne $after{$name}{"window $phase"};
	}
	return;
}

my $seed = $ENV{ZDM_STOPS_SEED} // time;
srand($seed);
note("ZDM_STOPS_SEED=$seed");

# How it ends, at each stop or at each second or third one, and whether that
# is an error, which must leave nothing half done.
foreach my $way (
	[ 'a backend is killed', \&kill_one, 1, 0 ],
	[ 'the server is stopped', \&stop_server, 3, 0 ],
	[ 'the command is cancelled', \&cancel_all, 3, 1 ])
{
	my ($what, $crash, $stride, $is_whole) = @$way;

	foreach my $of_phase (@phases)
	{
		my ($phase, $from, $sql) = @$of_phase;
		my ($started, $crashes) = (time, 0);
		my $last = max(map { $_->{$phase} } values %events);

		for (my $stop = 1 + int(rand(min($stride, $last))); $stop <= $last; $stop += $stride)
		{
			my @stopping = grep { $events{$_}{$phase} >= $stop } @names;
			my @victims;

			copy_databases(map { ("run_$_" => "${_}_$from") } @stopping);
			@victims = map { ZdmStops::start_script($node, "run_$_", ZdmStops::stop_at($stop) . $sql->($_)) } @stopping;
			if (wait_for_stops($stop, @victims) > 0)
			{
				&$crash(@victims);
				$crashes++;
			}
			foreach my $i (0 .. $#stopping)
			{
				push @{ $failures{ $stopping[$i] } }, "stop $stop was not reached: " . $victims[$i]->errors
				  if $victims[$i]->finish =~ /^finished/m && !$is_whole;
			}
			finish_phase("stop $stop", $phase, $is_whole, map { "run_$_" } @stopping);
		}
		note("$what in $phase: $crashes crashes, " . (time - $started) . ' s');
		ok($crashes > 0, "$what in $phase: it happened");
		is(join("\n", @{ $failures{$_} // [] }), '', "$_: $what in $phase") foreach @names;
		%failures = ();
	}
}
ok($half_done > 0, 'there was something to go on with');

# at random times, also between the steps
foreach my $of_phase (@phases)
{
	my ($phase, $from, $sql) = @$of_phase;

	foreach my $round (1, 2)
	{
		my @victims;
		my $delay = int(rand(400_000));

		copy_databases(map { ("run_$_" => "${_}_$from") } @names);
		@victims = map { ZdmStops::start_script($node, "run_$_", "SET client_min_messages = error;\n" . $sql->($_)) } @names;
		usleep($delay);
		$round == 1 ? kill_one(@victims) : stop_server();
		$_->finish foreach @victims;

		# the transaction of a migration has been committed, or not
		if ($phase eq 'expand')
		{
			my $found = ZdmStops::run_everywhere($node, $look, map { "run_$_" } @names);

			foreach my $name (@names)
			{
				my $state = $found->{"run_$name"}{state};

				push @{ $failures{$name} }, "after $delay microseconds:\n" . ZdmStops::differences($before, $state)
				  if $state ne $before && $state ne $after{$name}{expand};
			}
			next;
		}
		finish_phase("after $delay microseconds", $phase, 0, map { "run_$_" } @names);
	}
	is(join("\n", @{ $failures{$_} // [] }), '', "$_: killed at a random time in $phase (seed $seed)") foreach @names;
	%failures = ();
}

# A worker that is killed: the next one goes on.  The databases that are copied
# must have none.
$node->safe_psql('postgres', join('', map { my $name = $_; map { "ALTER DATABASE ${name}_$_ ALLOW_CONNECTIONS false;\n" }
	qw(opened queued migrated ended closed aborting aborted) } @names));
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->restart;
foreach my $of_phase (@phases[ 1 .. 3 ])
{
	my ($phase, $from) = @$of_phase;
	my @working = grep { $events{$_}{$phase} } @names;
	my (@waiting, $found, $pid);

	copy_databases(map { ("run_$_" => "${_}_$from") } @working);
	@waiting = map { ZdmStops::start_script($node, "run_$_", 'CALL zdm_wait();') } @working;
	foreach (1 .. 1000)
	{
		$pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'zdm worker' LIMIT 1");
		last if $pid ne '';
	}
	isnt($pid, '', "$phase: there is a worker");
	ZdmStops::kill_process($node, $pid) if $pid ne '';
	$_->finish foreach @waiting;
	$found = ZdmStops::run_everywhere($node, "CALL zdm_wait();\n\\echo \@\@ wait :SQLSTATE :LAST_ERROR_MESSAGE\n$look", map { "run_$_" } @working);
	foreach my $name (@working)
	{
		my $of = $found->{"run_$name"};

		is("$of->{wait}$of->{window}" . ZdmStops::differences($after{$name}{$phase}, $of->{state}),
			"00000 \n" . $after{$name}{"window $phase"}, "$name: a worker is killed in $phase");
	}
}

$node->stop;
done_testing();
