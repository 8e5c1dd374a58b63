# Copyright (c) 2026, the zdm developers

# Whatever happens to a backend or to the server while a plan is carried out:
# after the clean-up the schema is that from before the statement or that from
# after it, and the statement can be sent again.
#
# All plans stand at their n-th stop at once, each in a database of its own,
# when the backend of one is killed or the server is stopped; then come the
# next stops.

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

my $node = ZdmStops::new_node('crash', "zdm.lock_wait_max = 10min\n");
my $before = $node->safe_psql('fixture', 'SELECT stops.state()') . "\n";

# What each statement makes, without zdm and with it, and how often it could
# be stopped on its way.
sub uninterrupted
{
	my (%after, %events);

	ZdmStops::make_databases($node, map { ("plain_$_", "zdm_$_") } @names);
	my $plain = ZdmStops::run_everywhere(
		$node,
		sub {
			my $name = shift =~ s/^plain_//r;
			return "SET zdm.mode = off;\n$sql{$name}\n\\echo \@\@ state\nSELECT stops.state();";
		},
		map { "plain_$_" } @names);
	my $zdm = ZdmStops::run_everywhere(
		$node,
		sub {
			my $name = shift =~ s/^zdm_//r;
			return ZdmStops::stop_at() . <<"SQL";
$sql{$name}
\\echo \@\@ error :SQLSTATE :LAST_ERROR_MESSAGE
\\echo \@\@ events
SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM pg_temp.stops_event;
\\echo \@\@ decision
SELECT decision FROM zdm.statement;
\\echo \@\@ state
SELECT stops.state();
SQL
		},
		map { "zdm_$_" } @names);
	foreach my $name (@names)
	{
		my $result = $zdm->{"zdm_$name"};

		$after{$name} = $result->{state};
		$events{$name} = $result->{decision} eq "rewrite\n" ? $result->{events} + 0 : 0;
		is("$result->{decision}" . ZdmStops::differences($plain->{"plain_$name"}{state}, $after{$name}),
			"rewrite\n", "$name is carried out in steps, with the result of the plain statement")
		  or diag($result->{error});
	}
	$node->safe_psql('postgres', join('', map { "DROP DATABASE plain_$_;\nDROP DATABASE zdm_$_;\n" } @names));
	return (\%after, \%events);
}
my ($after, $events) = uninterrupted();
@names = grep { $events->{$_} } @names;
note(join(', ', map { "$_: $events->{$_} stops" } @names));

ZdmStops::make_databases($node, @names);
my ($half_done, $look_before, %failures) = (0, 1);

sub count_sessions
{
	my ($condition) = @_;
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE datname NOT IN ('postgres', 'fixture') AND $condition");
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

sub terminate_all
{
	$node->safe_psql('postgres',
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^(client|stopped)'");
	return;
}

sub cancel_all
{
	$node->safe_psql('postgres',
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^stopped'");
	return;
}

# After the crash: clean up and look.
sub clean_up
{
	my ($what, @dbnames) = @_;
	my (@spoilt, $result);
	my $found = $look_before ? "\\echo \@\@ found\nSELECT stops.state();\n" : '';

	$node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name ~ '^(client|stopped)'");
	$result = ZdmStops::run_everywhere($node, $found . <<'SQL', @dbnames);
\echo @@ after
CALL zdm_run();
\echo @@ run :SQLSTATE :LAST_ERROR_MESSAGE
\echo @@ left
SELECT stops.state();
SQL
	foreach my $name (@dbnames)
	{
		my ($found, $run, $left) = map { $result->{$name}{$_} // '' } qw(found run left);

		$half_done++ if $look_before && $found ne $before && $found ne $after->{$name};
		next if $left eq $before && $run =~ /^00000/;
		push @spoilt, $name;
		next if $left eq $after->{$name} && $run =~ /^00000/;
		push @{ $failures{$name} },
			"$what: zdm_run: " . $run . ZdmStops::differences($before, $left)
			. ($found eq $left ? ', as found' : !$look_before ? '' : "\nfound:\n" . ZdmStops::differences($before, $found));
	}
	ZdmStops::make_databases($node, @spoilt);
	return;
}

sub start_statements
{
	my ($stops, @dbnames) = @_;

	return map { ZdmStops::start_script($node, $_, ZdmStops::stop_at(@$stops) . $sql{$_}) } @dbnames;
}

sub report
{
	my ($what) = @_;

	foreach my $name (@names)
	{
		is(join("\n", @{ $failures{$name} // [] }), '', "$name: $what");
	}
	%failures = ();
	return;
}

my $seed = $ENV{ZDM_STOPS_SEED} // time;
srand($seed);
note("ZDM_STOPS_SEED=$seed");

# What happens at the stops; at each of them or at each second one; whether
# the statement is cancelled first, so that the crash hits the clean-up of the
# session itself.
foreach my $way (
	[ 'a backend is killed', \&kill_one, 1 ],
	[ 'the server is stopped', \&stop_server, 1 ],
	[ 'the backend is terminated', \&terminate_all, 2 ],
	[ 'a backend is killed while it undoes its steps', \&kill_one, 2, 1 ])
{
	my ($what, $crash, $stride, $cancel) = @$way;
	my ($started, $crashes) = (time, 0);

	for (my $stop = 1 + int(rand($stride)); $stop <= max(values %$events); $stop += $stride)
	{
		my @dbnames = grep { $events->{$_} >= $stop } @names;
		my @victims = start_statements([ $stop, $cancel ? $stop + 1 : () ], @dbnames);
		my $stopped = wait_for_stops($stop, @victims);

		if ($cancel)
		{
			cancel_all();
			$node->poll_query_until('postgres',
				"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'stopped at $stop'");
			$stopped = wait_for_stops($stop + 1, @victims);
		}
		if ($stopped > 0)
		{
			&$crash(@victims);
			$crashes++;
		}
		foreach my $i (0 .. $#dbnames)
		{
			push @{ $failures{ $dbnames[$i] } }, "stop $stop was not reached: " . $victims[$i]->errors
				if $victims[$i]->finish =~ /^finished/m && !$cancel;
		}
		clean_up("stop $stop", @dbnames);
	}
	note("$what: $crashes crashes, " . (time - $started) . ' s');
	ok($crashes > 0, "$what: it happened");
	report($what);
	$look_before = 0;
}
ok($half_done > @names, 'there was something to clean up');
note("$half_done times");

# In the waits for other sessions, and at random times.
my @blockers = (
	[ 'it waits for writers', 'BEGIN; LOCK TABLE t, nokey, other, p, q, p_new, q_new, uses_dom IN ROW EXCLUSIVE MODE; SELECT FROM mv' ],
	[ 'it waits for an old snapshot', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM other' ],
	[ 'it waits for readers', 'BEGIN; SELECT FROM t, nokey, other, p, q, p_new, q_new, uses_dom, mv' ]);
foreach my $blocker (@blockers)
{
	my ($what, $block) = @$blocker;
	my @blockers = map {
		ZdmStops::start_script($node, $_, "$block;\nSELECT pg_sleep(600);", application_name => 'blocker')
	} @names;

	$node->poll_query_until('postgres',
		"SELECT count(*) = " . @names . " FROM pg_stat_activity WHERE application_name = 'blocker' AND wait_event = 'PgSleep'");
	my @victims = start_statements([], @names);
	foreach (1 .. 100)
	{
		my $open = grep { !$_->finished } @victims;
		last if count_sessions("application_name = 'client' AND wait_event_type IN ('Lock', 'Extension')") >= $open;
		usleep(50_000);
	}
	kill_one(@victims, @blockers);
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'blocker'");
	$_->finish foreach @victims, @blockers;
	clean_up($what, @names);
	report("a backend is killed while $what");
}

foreach my $round (1 .. 4)
{
	my @victims = start_statements([], @names);
	my $delay = int(rand(500_000));

	usleep($delay);
	$round % 2 ? kill_one(@victims) : stop_server();
	$_->finish foreach @victims;
	clean_up("after $delay microseconds", @names);
}
report("killed at a random time (seed $seed)");

# in the end each statement succeeds
my $result = ZdmStops::run_everywhere(
	$node,
	sub {
		my ($name) = @_;
		return "$sql{$name}\n\\echo \@\@ error :SQLSTATE :LAST_ERROR_MESSAGE\n"
			. "\\echo \@\@ state\nSELECT stops.state();";
	},
	@names);
foreach my $name (@names)
{
	is(ZdmStops::differences($after->{$name}, $result->{$name}{state}), '', "$name: it succeeds after all the crashes")
	  or diag($result->{$name}{error});
}

$node->stop;
done_testing();
