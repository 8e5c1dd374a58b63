# Copyright (c) 2026, the zdm developers

# The steps that zdm_explain prints, run one by one by hand, come to what the
# plain statement comes to: while zdm looks on, and while it is off.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZdmEquivalence qw(start_node run_streams compare_results case_text plainly by_hand only_numbered);
use ZdmStatements qw(made_by_hand);

my $plain = start_node('plain', '', '');
my $guarded = start_node('guarded', <<'CONF', 'CREATE EXTENSION zdm;');
shared_preload_libraries = 'zdm'
zdm.small_table = 0
zdm.lock_wait_max = 5s
CONF

# by hand, triggers and rules of the table have their part in an UPDATE
my @cases = grep { !$_->{by_row} } made_by_hand(1);
@cases = only_numbered($ENV{ZDM_CASE}, @cases) if $ENV{ZDM_CASE};
my @modes = qw(off enforce);
my ($expected, @reached) = run_streams(
	{ node => $plain, cases => \@cases, script => \&plainly },
	map {
		my $mode = $_;
		{
			node => $guarded, script => sub { by_hand($_[0], $mode) },
			cases => [ map { { %$_, group => $mode . ($_->{group} // int($_->{number} / 40)) } } @cases ]
		}
	} @modes);
my $rewritten = 0;

foreach my $case (@cases)
{
	my $number = $case->{number};

	# what fails is no plan to follow
	next if ($expected->{$number}{outcome} // '') ne '00000';
	foreach my $i (0 .. $#modes)
	{
		my $result = $reached[$i]{$number};
		my @steps = @{ $result->{step} // [] };
		my @complaints;

		next unless @steps || $result->{lost};
		$rewritten++;
		@complaints = (
			compare_results($expected->{$number}, $result),
			grep { /ERROR|WARNING|rewr/ } @{ $result->{messages} // [] });
		is(scalar(@complaints), 0, "by hand, zdm.mode = $modes[$i]: $case->{sql}")
		  or diag("ZDM_CASE=$number\n" . case_text($case) . join("\n", '-- steps:', @steps, @complaints));
	}
}
cmp_ok($rewritten, '>', @cases * 0.8, 'many plans were followed: ' . $rewritten) unless $ENV{ZDM_CASE};

$plain->stop;
$guarded->stop;
done_testing();
