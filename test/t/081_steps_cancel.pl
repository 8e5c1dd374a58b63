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
use ZdmStops;

my @plans = @ZdmStops::plans;
if ($ENV{ZDM_STOPS_PLANS})
{
	my %wanted = map { $_ => 1 } split / /, $ENV{ZDM_STOPS_PLANS};
	@plans = grep { $wanted{ $_->[0] } } @plans;
}
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

$node->stop;
done_testing();
