# Copyright (c) 2026, the zdm developers

# Modules with hooks of their own, loaded before and after zdm, see each
# command once, and an attempt that failed for want of a lock not as one that
# still runs; a statement in steps works beside them.

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

	# in steps, whose commands the audit log has
	my ($out, $err);
	$node->psql('postgres', <<'SQL', stdout => \$out, stderr => \$err, on_error_stop => 1);
SET zdm.small_table = 0;
CREATE TABLE large (a int);
INSERT INTO large SELECT generate_series(1, 100);
ALTER TABLE large ALTER a SET NOT NULL, ADD COLUMN token uuid DEFAULT gen_random_uuid();
CREATE INDEX large_a ON large (a);
SELECT attnotnull, (SELECT count(token) FROM large), indisvalid
FROM pg_attribute JOIN pg_index ON indrelid = attrelid WHERE attrelid = 'large'::regclass AND attname = 'a';
SELECT count(*) FROM zdm.step WHERE state <> 'done';
SQL
	unlike($err, qr/ERROR|WARNING/, "$libraries: in steps");
	is($out, "t|100|t\n0", "$libraries: and to the end");

	is( $node->safe_psql('postgres', q{SELECT calls FROM pg_stat_statements WHERE query ~ '^ALTER TABLE t ADD COLUMN c1'}),
		'1', "$libraries: one command")
	  if grep { $_ eq 'pg_stat_statements' } @modules;

	my $log = slurp_file($node->logfile);
	like($log, qr/AUDIT: SESSION,\d+,\d+,DDL,DROP TABLE/, "$libraries: audited")
	  if grep { $_ eq 'pgaudit' } @modules;
	like($log, qr/AUDIT: SESSION,\d+,\d+,DDL,CREATE INDEX,[^\n]*CONCURRENTLY large_a/, "$libraries: steps are audited")
	  if grep { $_ eq 'pgaudit' } @modules;
	unlike($log, qr/stack is not empty|was terminated by|TRAP:|reference leak/, "$libraries: no confusion");
	$node->stop;
}
done_testing();
