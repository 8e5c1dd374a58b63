# Copyright (c) 2026, the zdm developers

# What a statement comes to by zdm is what it comes to without zdm: the same
# error, or the same catalog by name and the same rows, and nothing left over.
#
# The statements are a list made by hand and random ones on random tables.
# ZDM_SEED gives other random ones, ZDM_CASES how many; ZDM_CASE runs those of
# the given numbers alone.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZdmCatalog qw(differences);
use ZdmEquivalence qw(start_node run_streams compare_results case_text plainly by_zdm
  dump_schemas databases_of only_numbered);
use ZdmRandom qw(random_case);
use ZdmStatements qw(made_by_hand planted_differences);

my $seed = $ENV{ZDM_SEED} || 1;
my $count = $ENV{ZDM_CASES} || 500;

# What zdm has no plan for: it may refuse these, and nothing else.
my %no_plan = map { $_ => 1 } qw(
  add_column_constrained_domain
  add_column_generated_stored
  add_exclusion_constraint
  alter_column_type
  alter_column_type_index_rebuild
  alter_column_type_recheck
  domain_constraint
  set_access_method
  set_logged_unlogged
  set_tablespace
  vacuum_full_cluster);

my $plain = start_node('plain', '', '');
my $guarded = start_node('guarded', <<'CONF', 'CREATE EXTENSION zdm;');
shared_preload_libraries = 'zdm'
zdm.small_table = 0
zdm.lock_wait_max = 5s
CONF
note("ZDM_SEED=$seed");
# A key of a partition of its own would make its not-null constraints local.
my $local_not_null = $guarded->safe_psql('postgres', 'SHOW server_version_num') >= 180000;

# Nor for these, in the company or on the objects that they come with.
my %refused = map { $_ => 1 } split /\n/, <<'LIST';
ALTER TABLE t DROP COLUMN d, ADD COLUMN d serial
ALTER TABLE t ALTER COLUMN code TYPE varchar(40), ADD UNIQUE (code)
ALTER TABLE t ALTER COLUMN txt TYPE varchar, ADD CHECK (txt <> '')
ALTER TABLE par ADD COLUMN own int CHECK (own > 0)
ALTER TABLE flat ADD FOREIGN KEY (pid) REFERENCES pu
ALTER TABLE flat ADD CONSTRAINT fp FOREIGN KEY (p2id) REFERENCES pu ON DELETE SET NULL
REFRESH MATERIALIZED VIEW m_bare
REFRESH MATERIALIZED VIEW m_partial
LIST

# The comparison sees what it is there to see.
my @planted = planted_differences(1);
my ($as_planted, $as_given) = run_streams(
	{ node => $plain, cases => \@planted, script => \&plainly },
	{ node => $guarded, script => \&plainly, cases => [ map { { %$_, sql => $_->{other}, group => 'planted' } } @planted ] });
foreach my $case (@planted)
{
	my @seen = compare_results($as_planted->{ $case->{number} }, $as_given->{ $case->{number} });

	ok(@seen > 0 && !grep({ /lost|broken/ } @seen), "a difference is seen: $case->{other}");
}

my @cases = made_by_hand(1);
my $by_hand = @cases;
cmp_ok($by_hand, '>=', 200, 'statements made by hand');
push @cases, map { random_case($seed, $_) } 1001 .. 1000 + $count;
@cases = only_numbered($ENV{ZDM_CASE}, @cases) if $ENV{ZDM_CASE};
my ($expected, $reached) = run_streams(
	{ node => $plain, cases => \@cases, script => \&plainly },
	{ node => $guarded, cases => \@cases, script => \&by_zdm });

my %tally = (same => 0, refused => 0, failed => 0, rewritten => 0, 'other error' => 0);

# What is wrong with a case, as lines; none if all is well.
sub complaints_of
{
	my ($case) = @_;
	my ($one, $two) = map { $_->{ $case->{number} } } ($expected, $reached);
	my @check = @{ $two->{check} // [] };
	my $rewrites = grep { /^rewrite / } @check;
	my @complaints;

	if (($two->{outcome} // '') eq 'ZDM01')
	{
		my @rules = map { /^refuse (.*)/ ? $1 : () } @check;
		my $reason = grep { $no_plan{$_} || (defined $case->{no_plan} && /^$case->{no_plan}/) } @rules;

		$reason ||= $local_not_null && grep({ $_ eq 'add_primary_key' } @rules)
		  && grep({ /\bPARTITION\b/ } @{ $case->{fixture} });

		push @complaints, "  refused, though there is a plan: $two->{message}"
		  unless $reason || $refused{ $case->{sql} };
		push @complaints, "  refused, though zdm_check said no such thing" unless @rules;
		return (@complaints, differences($one->{before}, $two->{catalog}));
	}
	# of several mistakes in one statement either may be named
	if ($case->{several} && !grep { ($_->{outcome} // '00000') eq '00000' } $one, $two)
	{
		$tally{'other error'}++ if $one->{message} ne $two->{message};
		$_->{outcome} = $_->{message} = '' foreach $one, $two;
	}
	@complaints = compare_results($one, $two);
	push @complaints, "  zdm_check says \"@check\", but the ledger \"@{ $two->{decision} // [] }\""
	  if ($two->{outcome} // '') eq '00000' && !$rewrites != !grep({ $_ eq 'rewrite' } @{ $two->{decision} // [] });
	return @complaints;
}

my @dumped;
foreach my $case (@cases)
{
	my $result = $reached->{ $case->{number} };
	my @complaints = complaints_of($case);
	my $outcome = $result->{outcome} // '';

	$tally{$outcome eq '00000' ? 'same' : $outcome eq 'ZDM01' ? 'refused' : 'failed'}++;
	$tally{rewritten}++ if grep { $_ eq 'rewrite' } @{ $result->{decision} // [] };
	push @dumped, $case
	  if $outcome eq '00000' && ($case->{number} <= $by_hand || $case->{number} % 20 == 0);
	is(scalar(@complaints), 0, "$case->{number}: $case->{sql}")
	  or diag("ZDM_SEED=$seed ZDM_CASE=$case->{number}\n" . case_text($case)
		. join("\n", @complaints, @{ $result->{messages} // [] }));
}
note(join(', ', map { "$_ $tally{$_}" } sort keys %tally));
unless ($ENV{ZDM_CASE})
{
	cmp_ok($tally{rewritten}, '>', @cases / 3, 'a good part of the statements was rewritten');
	cmp_ok($tally{failed}, '>', 20, 'some failed, with zdm as without it');
	cmp_ok($tally{refused}, '<', @cases / 10, 'few were refused');
	cmp_ok($tally{'other error'}, '<', @cases / 20, 'few had another of their mistakes named');
}

my ($dump, $guarded_dump) = map { dump_schemas($_, @dumped) } ($plain, $guarded);
is(join("\n", map { differences($dump->{$_}, $guarded_dump->{$_} // []) } sort keys %$dump),
	'', 'pg_dump prints the same of ' . scalar(@dumped) . ' schemas');

# Outside of the cases' own schemas nothing has come into being.
my $outside = <<'SQL';
SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY c.oid::regclass::text)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'case\_%' AND n.nspname !~ '^pg_(toast|temp)'
SQL
my $at_first = $guarded->safe_psql('equivalence', $outside);
is($guarded->safe_psql($_, $outside), $at_first, "no object is left outside in $_")
  foreach databases_of(@cases);

$plain->stop;
$guarded->stop;
done_testing();
