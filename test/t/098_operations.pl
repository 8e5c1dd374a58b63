# Copyright (c) 2026, the zdm developers

# An open window and what waits in it survive what administrators do: dump and
# restore, pg_upgrade, failover to a standby, a publication of all tables.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $conf = <<'CONF';
shared_preload_libraries = 'zdm'
zdm.small_table = 0
autovacuum = off
CONF

# A database with a window, in which steps of each phase wait, as it is paused.
my $fixture = <<'SQL';
CREATE EXTENSION zdm;
CREATE SCHEMA "Mixed Case";
CREATE TABLE "Mixed Case".t (id int PRIMARY KEY, a int, b text NOT NULL);
INSERT INTO "Mixed Case".t SELECT g, g, 'b' FROM generate_series(1, 1000) g;
SELECT zdm_begin_window('w', 'defer');
SELECT zdm_pause('w');
SET search_path = "Mixed Case", public;
BEGIN;
CREATE INDEX t_a ON t (a);
ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid() NOT NULL;
ALTER TABLE t DROP COLUMN b;
COMMIT;
SQL

my $is_before = q{SELECT count(*) FILTER (WHERE attname = 'b'), to_regclass('"Mixed Case".t_a') IS NULL
	FROM pg_attribute WHERE attrelid = '"Mixed Case".t'::regclass AND NOT attisdropped};
my $is_after = q{SELECT count(*) FILTER (WHERE attname = 'b'), to_regclass('"Mixed Case".t_a') IS NOT NULL,
	bool_and(attnotnull) FILTER (WHERE attname = 'c')
	FROM pg_attribute WHERE attrelid = '"Mixed Case".t'::regclass AND NOT attisdropped};
my $all_filled = 'SELECT count(DISTINCT c) FROM "Mixed Case".t';

# The window of a copy is paused; it is resumed, and comes to its end.
sub finish_window
{
	my ($node, $database, $what) = @_;

	is($node->safe_psql($database, $is_before), '1|t', "$what: nothing has been carried out");
	is($node->safe_psql($database, "SELECT paused FROM zdm_windows WHERE name = 'w'"), 't', "$what: the window is paused");
	$node->safe_psql($database, "SELECT zdm_resume('w')");
	$node->safe_psql($database, "CALL zdm_wait('w')");
	is($node->safe_psql($database, $all_filled), '1000', "$what: the backfill is carried out");
	is($node->safe_psql($database, "SELECT zdm_end_window('w')"), '1', "$what: the window ends");
	$node->safe_psql($database, "CALL zdm_wait('w')");
	is($node->safe_psql($database, $is_after), '0|t|t', "$what: all is as the plain statements would have made it");
	is($node->safe_psql($database, "SELECT state FROM zdm_windows WHERE name = 'w'"), 'closed', "$what: and the window closed");
}

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', $conf);
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(original copy);
$node->safe_psql('original', $fixture);

# Dump and restore: relations without a meaning give the copy's tables other OIDs.
$node->safe_psql('copy', 'CREATE TABLE shift_1 (a serial PRIMARY KEY)');
my $dump = "$PostgreSQL::Test::Utils::tmp_check/window.dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('original') ], 'dump');
{
	local $ENV{PGAPPNAME};
	delete $ENV{PGAPPNAME};
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), $dump ], 'restore');
}
my ($rc, $stdout, $stderr) = $node->psql('copy', 'ALTER TABLE "Mixed Case".t DROP COLUMN a');
like($stderr, qr/dropping column "a" .* would break clients/, 'what the window of a copy protects is refused');
finish_window($node, 'copy', 'a restored copy');

# A standby is read only, and takes over.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('original', "SELECT count(*) FROM zdm_steps WHERE state = 'queued'"), '4', 'a standby shows what waits');
($rc, $stdout, $stderr) = $standby->psql('original', 'CALL zdm_run()');
like($stderr, qr/cannot execute .*during recovery/, 'and carries nothing out');
$node->wait_for_catchup($standby);
$node->stop;
$standby->promote;
finish_window($standby, 'original', 'after failover');
$standby->stop;

# pg_upgrade: the old primary, as it was before the failover.
my $upgraded = PostgreSQL::Test::Cluster->new('upgraded');
$upgraded->init;
$upgraded->append_conf('postgresql.conf', $conf);
my $bindir = $node->config_data('--bindir');
my ($out, $err) = run_command(
	[ "$bindir/pg_upgrade", '-d', $node->data_dir, '-D', $upgraded->data_dir, '-b', $bindir, '-B', $bindir,
		'-s', $node->host, '-p', $node->port, '-P', $upgraded->port ]);
like($out, qr/^Upgrade Complete/m, 'pg_upgrade') or diag("$out\n$err");
$upgraded->start;
finish_window($upgraded, 'original', 'after pg_upgrade');
$upgraded->stop;

# A publisher of all tables, and a subscriber that has the extension too.
my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->append_conf('postgresql.conf', $conf);
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->append_conf('postgresql.conf', $conf);
$subscriber->start;
$_->safe_psql('postgres', 'CREATE EXTENSION zdm; CREATE TABLE t (id int PRIMARY KEY, a int, b text)') foreach $publisher, $subscriber;
$publisher->safe_psql('postgres', q{INSERT INTO t SELECT g, g, 'b' FROM generate_series(1, 1000) g; CREATE PUBLICATION everything FOR ALL TABLES});
my $connstr = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$connstr' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 's');
$publisher->safe_psql('postgres', <<'SQL');
SELECT zdm_begin_window('w', 'defer');
BEGIN;
CREATE INDEX t_a ON t (a);
ALTER TABLE t DROP COLUMN b;
COMMIT;
CALL zdm_wait();
SELECT zdm_end_window();
CALL zdm_wait();
INSERT INTO t VALUES (1001, 1);
SQL
$publisher->wait_for_catchup('s');
is($publisher->safe_psql('postgres', 'SELECT state FROM zdm_windows'), 'closed', 'a publisher carries its window to the end');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM t'), '1001', 'and replication goes on');
is($subscriber->safe_psql('postgres', "SELECT to_regclass('t_a') IS NULL"), 't', 'while the subscriber carries nothing out');
$subscriber->stop;
$publisher->stop;

done_testing();
