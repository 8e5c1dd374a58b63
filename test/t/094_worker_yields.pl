# Copyright (c) 2026, the zdm developers

# A worker that carries a deferred step out makes room for DDL on the same
# table, as autovacuum does, and comes again: else the second file of a
# migration would wait for the index that the first one has queued, and that
# index build for the second file's transaction.  But not without end.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('yields');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
CONF
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO other VALUES (1);
SELECT zdm_begin_window('w', 'defer');
SQL

# A worker in the middle of an index build on t, which waits for an old reader.
my $reader;

sub begin_build
{
	my ($name) = @_;

	$reader = $node->background_psql('postgres');
	$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	$node->safe_psql('postgres', "BEGIN; CREATE INDEX $name ON t (a); COMMIT");
	$node->poll_query_until('postgres', <<'SQL') or die 'no build';
SELECT EXISTS (SELECT FROM pg_stat_activity a JOIN pg_locks l USING (pid)
	WHERE a.backend_type = 'zdm worker' AND l.relation = 't'::regclass AND l.mode = 'ShareUpdateExclusiveLock'
	AND l.granted AND a.wait_event = 'virtualxid')
SQL
	return;
}

# While the build goes on
sub send_beside
{
	my ($sql) = @_;
	my $stderr;

	$node->psql('postgres', "SET zdm.lock_wait_max = '5s'; $sql", stderr => \$stderr);
	$reader->query_safe('COMMIT');
	$reader->quit;
	return $stderr;
}

# Each build is done in the end, and valid.
sub is_built
{
	my ($name) = @_;

	$node->safe_psql('postgres', 'CALL zdm_wait()');
	is($node->safe_psql('postgres', "SELECT indisvalid FROM pg_index WHERE indexrelid = '$name'::regclass"),
		't', "$name is built in the end");
	is( $node->safe_psql('postgres', q{SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND NOT indisvalid}),
		0, 'nothing half-built is left');
	return;
}

my %ddl = (
	t_in_block => 'BEGIN; INSERT INTO other VALUES (2); ALTER TABLE t ADD COLUMN in_block int; COMMIT',
	t_locked => 'BEGIN; LOCK TABLE other; ALTER TABLE t ADD COLUMN locked int; COMMIT',
	t_alone => 'ALTER TABLE t ADD COLUMN alone int');

foreach my $index (sort keys %ddl)
{
	begin_build($index);
	is(send_beside($ddl{$index}), '', "DDL goes first: $ddl{$index}");
	is_built($index);
}

# Why it is to be tried again
begin_build('t_paused');
$node->safe_psql('postgres', q{SELECT zdm_pause('w')});
is(send_beside('ALTER TABLE t ADD COLUMN paused int'), '', 'DDL goes first in a paused window');
ok($node->poll_query_until('postgres', q{SELECT state = 'queued' FROM zdm_steps WHERE sql ~ 't_paused'}), 'the step waits again');
like($node->safe_psql('postgres', q{SELECT last_error FROM zdm_steps WHERE sql ~ 't_paused'}),
	qr/^made way for process \d+, which needs a lock that the step held$/, 'and says why');
$node->safe_psql('postgres', q{SELECT zdm_resume('w')});
is_built('t_paused');

# DDL on the table again and again: the build makes way a few times, then stands
# its ground long enough to be done; no DDL fails.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE slow (id int PRIMARY KEY);
INSERT INTO slow SELECT generate_series(1, 20);
CREATE FUNCTION slowly(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN $1; END';
BEGIN;
CREATE INDEX slow_idx ON slow (slowly(id));
COMMIT;
SQL
my $built = 0;
my @failed;
my ($sent, $until) = (0, time + 120);
while (!$built && time < $until)
{
	my $stderr;

	$node->psql('postgres', "ALTER TABLE slow ALTER COLUMN id SET DEFAULT $sent", stderr => \$stderr);
	push @failed, $stderr if $stderr =~ /ERROR/;
	$sent++;
	$built = $node->safe_psql('postgres', q{SELECT count(*) FROM zdm_steps WHERE sql ~ 'slow_idx' AND state = 'done'});
	usleep(100_000);
}
is($built, 1, 'an index is built though DDL on its table comes all the time');
is("@failed", '', 'and that gets on too');
like($node->safe_psql('postgres', q{SELECT attempts FROM zdm_steps WHERE sql ~ 'slow_idx'}), qr/^[456]$/, 'it has made way three times, or a little more where all is slow');
is($node->safe_psql('postgres', q{SELECT indisvalid FROM pg_index WHERE indexrelid = 'slow_idx'::regclass}), 't', 'slow_idx is built in the end');

# One that stands its ground makes way for the transaction that it waits for.
$node->safe_psql('postgres', q{SELECT zdm_pause('w'); BEGIN; CREATE INDEX t_firm ON t (a, id); COMMIT; UPDATE zdm.step SET attempts = 3 WHERE sql ~ 't_firm'});
my $writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN; LOCK TABLE other; UPDATE t SET id = id');
$node->safe_psql('postgres', q{SELECT zdm_resume('w')});
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM zdm_steps WHERE sql ~ 't_firm' AND cardinality(waits_for) > 0}) or die 'no build';
$writer->query_safe('ALTER TABLE t ADD COLUMN firm int');
$writer->query_safe('COMMIT');
$writer->quit;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'firm'}),
	1, 'DDL of a transaction that the build waits for goes first, however often it has been tried');
is_built('t_firm');

is($node->safe_psql('postgres', q{SELECT count(*) FROM zdm_steps WHERE state NOT IN ('done')}),
	0, 'all steps are done');

$node->stop;
done_testing();
