# Copyright (c) 2026, the zdm developers

# Modules with hooks of their own, loaded before and after zdm, see each
# command once, and an attempt that failed for want of a lock not as one that
# still runs.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $libdir = `$ENV{PG_CONFIG} --pkglibdir`;
chomp $libdir;
my @modules = grep { -e "$libdir/$_.so" } 'pg_stat_statements', 'auto_explain', 'pgaudit';
plan skip_all => 'no other module is installed' if !@modules;

for my $order ([ @modules, 'zdm' ], [ 'zdm', @modules ])
{
	my $libraries = join(',', @$order);
	my $node = PostgreSQL::Test::Cluster->new('modules' . (Test::More->builder->current_test));

	$node->init;
	$node->append_conf('postgresql.conf', <<"CONF");
fsync = off
shared_preload_libraries = '$libraries'
zdm.lock_timeout = 50ms
zdm.lock_wait_max = 60s
pg_stat_statements.track = all
pg_stat_statements.track_utility = on
auto_explain.log_min_duration = 0
pgaudit.log = 'ddl'
CONF
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION zdm; CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
	$node->safe_psql('postgres', "CREATE EXTENSION $_")
	  for grep { $_ ne 'auto_explain' } @modules;

	my $blocker = $node->background_psql('postgres');
	my $sql = 'ALTER TABLE t ADD COLUMN';
	my $number = 0;
	for my $statement ("$sql c1 int", "BEGIN; $sql c2 int; COMMIT", "DO \$\$ BEGIN $sql c3 int; END \$\$",
		'ALTER TABLE t ALTER a SET DEFAULT 1', 'DROP TABLE t')
	{
		$blocker->query_safe('BEGIN');
		$blocker->query_safe('LOCK TABLE t IN ACCESS SHARE MODE');
		my $client = IPC::Run::start([ 'psql', '-X', '-q', '-c', $statement, $node->connstr('postgres') ],
			'>', \my $out, '2>', \my $err);

		# the second attempt, at least
		sleep(1);
		$blocker->query_safe('COMMIT');
		$client->finish;
		is($err, '', "$libraries: $statement");
	}
	$blocker->quit;

	is( $node->safe_psql('postgres', q{SELECT calls FROM pg_stat_statements WHERE query ~ '^ALTER TABLE t ADD COLUMN c1'}),
		'1', "$libraries: one command")
	  if grep { $_ eq 'pg_stat_statements' } @modules;

	my $log = slurp_file($node->logfile);
	like($log, qr/AUDIT: SESSION,\d+,\d+,DDL,DROP TABLE/, "$libraries: audited")
	  if grep { $_ eq 'pgaudit' } @modules;
	unlike($log, qr/stack is not empty|was terminated by|TRAP:|reference leak/, "$libraries: no confusion");
	$node->stop;
}
done_testing();
