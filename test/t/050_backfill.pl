# Copyright (c) 2026, the zdm developers

# The backfill of a new column: every row gets its value, in many small
# transactions, whatever others do to the rows meanwhile; and nothing plays a
# part in it that plays none in ALTER TABLE ... ADD COLUMN ... DEFAULT.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('backfill');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
autovacuum = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
zdm.backfill_batch = 1
CONF
$node->start;

# A default that waits while somebody holds advisory lock 1: a backfill stands
# still at its first row.
$node->safe_psql('postgres', <<'SQL');
SET zdm.mode = off;
CREATE EXTENSION zdm;
CREATE FUNCTION gate() RETURNS int VOLATILE LANGUAGE plpgsql AS
'BEGIN PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1); RETURN 7; END';
CREATE FUNCTION slowly() RETURNS int VOLATILE LANGUAGE plpgsql AS
'BEGIN PERFORM pg_sleep(0.002); RETURN 7; END';
CREATE FUNCTION forbidden() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'trigger % fired', TG_NAME; END$$;
SQL

# A session that stays open; the result is what ask() and end_of() take.
sub session
{
	my ($first, @options) = @_;
	my %self = (in => '', out => '', err => '');

	$self{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), @options, '-f', '-' ],
		'<' => \$self{in},
		'>' => \$self{out},
		'2>' => \$self{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$self{in} .= "$first\n";
	$self{run}->pump_nb;
	return \%self;
}

# Send SQL and wait for its end.
sub ask
{
	my ($self, $sql) = @_;

	$self->{in} .= "$sql\n\\echo ready\n";
	$self->{run}->pump until $self->{out} =~ s/^ready\n//m;
	return;
}

# Close the session and wait for its end; what it wrote to stderr.
sub end_of
{
	my ($self) = @_;

	$self->{run}->finish;
	return $self->{err};
}

sub wait_until
{
	my ($query, $what) = @_;

	ok($node->poll_query_until('postgres', $query), $what);
	return;
}

sub query
{
	return $node->safe_psql('postgres', shift);
}

# Nothing is left of the steps of any statement.
sub is_clean
{
	my ($what) = @_;

	is(query(q{SELECT count(*) FROM zdm.step WHERE state <> 'done'}), '0', "$what: no step is open");
	return;
}

# A statement that stands still at the first row of its backfill, or has got
# there and on if the gate is open.
my $altering = q{SELECT count(*) = 1 FROM pg_stat_activity
	WHERE query LIKE 'ALTER TABLE%' AND state = 'active'};
my $at_gate = q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted};

# ---- what plays no part: rights, row security, rules, triggers, constraints on other columns

$node->safe_psql('postgres', <<'SQL');
SET zdm.mode = off;
CREATE ROLE builder LOGIN;
GRANT CREATE ON SCHEMA public TO builder;
SET ROLE builder;
CREATE TABLE t (id int PRIMARY KEY, a int, long text);
ALTER TABLE t ALTER long SET STORAGE EXTERNAL;
INSERT INTO t SELECT i, -1, 'short' FROM generate_series(1, 30000) i;
INSERT INTO t VALUES (0, -1, repeat('long', 5000));
CREATE INDEX t_a ON t (a);
ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID;
CREATE TRIGGER before_row BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION forbidden();
CREATE TRIGGER after_row AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION forbidden();
CREATE TRIGGER always BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION forbidden();
ALTER TABLE t ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER after_statement AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION forbidden();
CREATE RULE nothing AS ON UPDATE TO t DO INSTEAD NOTHING;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
ALTER TABLE t FORCE ROW LEVEL SECURITY;
REVOKE ALL ON t FROM builder;
SQL
my $toast = query(q{SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = 't'});
my $transactions = query('SELECT count(DISTINCT xmin::text) FROM t');
is($transactions, 2, 'the rows are of two transactions');
query(q{SELECT pg_create_logical_replication_slot('decoded', 'test_decoding')});
$node->command_ok(
	[ 'psql', '-X', '-U', 'builder', '-d', $node->connstr('postgres'), '-c', 'ALTER TABLE t ADD COLUMN x uuid DEFAULT gen_random_uuid()' ],
	'an owner without the right to UPDATE adds a column');
is(query('SELECT count(*), count(x), count(DISTINCT x) FROM t'), '30001|30001|30001', 'each row has a value of its own');
cmp_ok(query('SELECT count(DISTINCT xmin::text) FROM t'), '>', 3, 'which many transactions have written');
is(query(q{SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = 't'}), $toast, 'long values are not copied');
is(query(q{SELECT bool_and(a = -1 AND long = CASE id WHEN 0 THEN repeat('long', 5000) ELSE 'short' END) FROM t}), 't', 'the other columns are as they were');
is(query('SET enable_seqscan = off; SELECT count(*) FROM t WHERE a = -1'), '30001', 'an index finds the rows');
is( query(q{SELECT count(DISTINCT d.xid::text) > 3, count(*) FROM pg_logical_slot_get_changes('decoded', NULL, NULL) d
		WHERE data LIKE 'table public.t: UPDATE:%'}),
	't|30001', 'logical decoding sees updates');
query(q{SELECT pg_drop_replication_slot('decoded')});
is_clean('after a backfill');

# ---- kinds of tables and of defaults

$node->safe_psql('postgres', <<'SQL');
SET zdm.mode = off;
CREATE TABLE p (id int, k int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (junk text, k int, id int);
ALTER TABLE p2 DROP COLUMN junk;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY LIST (k);
CREATE TABLE p3_rest PARTITION OF p3 DEFAULT;
INSERT INTO p SELECT i, i % 30 FROM generate_series(1, 3000) i;
CREATE TABLE base (id int);
CREATE TABLE derived (more int) INHERITS (base);
INSERT INTO base SELECT generate_series(1, 500);
INSERT INTO derived SELECT generate_series(1, 500), 1;
CREATE TABLE d (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO d SELECT generate_series(1, 1000);
CREATE SEQUENCE failing START 1500;
CREATE TABLE gap (id int);
INSERT INTO gap SELECT generate_series(1, 1000);
DELETE FROM gap;
SQL
query('ALTER TABLE p ADD COLUMN x uuid DEFAULT gen_random_uuid()');
is(query('SELECT count(*), count(x), count(DISTINCT x), bool_and(k = id % 30) FROM p'), '3000|3000|3000|t', 'partitions, also of other shape');
query('ALTER TABLE base ADD COLUMN x uuid DEFAULT gen_random_uuid()');
is(query('SELECT count(*), count(x), count(DISTINCT x) FROM base'), '1000|1000|1000', 'inheritance children');
query('ALTER TABLE d ADD COLUMN n bigserial');
is(query('SELECT count(*), count(DISTINCT n), min(n), max(n) FROM d'), '1000|1000|1|1000', 'a serial, beside a deferrable constraint');
query('INSERT INTO d VALUES (1001)');
is(query('SELECT max(n) FROM d'), '1001', 'which counts on');
query('ALTER TABLE gap ADD COLUMN x uuid DEFAULT gen_random_uuid()');
is(query(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'gap'::regclass AND attname = 'x'}), '1', 'pages without rows');

my ($status, $stdout, $stderr) = $node->psql('postgres', q{ALTER TABLE d ADD COLUMN wrong int DEFAULT 10 / (2000 - nextval('failing'))});
like($stderr, qr{division by zero}, 'a default that fails for one row');
is(query(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'd'::regclass AND attname = 'wrong'}), '0', 'and leaves no column');
is_clean('after an error');

$node->safe_psql('postgres', <<'SQL');
SET zdm.mode = off;
CREATE TABLE published (id int);
INSERT INTO published SELECT generate_series(1, 1000);
CREATE PUBLICATION pub FOR TABLE published;
SQL
($status, $stdout, $stderr) = $node->psql('postgres', 'ALTER TABLE published ADD COLUMN x uuid DEFAULT gen_random_uuid()');
like($stderr, qr/cannot update table "published" because it does not have a replica identity/, 'a published table needs a replica identity');
is(query(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'published'::regclass AND attname = 'x'}), '0', 'else there is no column');
query('SET zdm.mode = off; ALTER TABLE published REPLICA IDENTITY FULL');
query('ALTER TABLE published ADD COLUMN x uuid DEFAULT gen_random_uuid()');
is(query('SELECT count(x) FROM published'), '1000', 'with one it is filled');

# ---- progress, and a cancel

query('CREATE TABLE slow (id int, b text)');
query(q{INSERT INTO slow SELECT i, repeat('b', 2000) FROM generate_series(1, 1000) i});
my $alter = session(q{ALTER TABLE slow ADD COLUMN x int DEFAULT slowly();});
my (%done, $total);
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	if (query(q{SELECT done, total FROM zdm_steps WHERE state = 'running' AND done IS NOT NULL}) =~ /^(\d+)\|(\d+)$/)
	{
		$done{$1} = 1;
		$total = $2;
	}
	last if keys %done >= 3;
	usleep(20_000);
}
my @done = sort { $a <=> $b } keys %done;
cmp_ok(scalar(@done), '>=', 3, 'the position in the ledger advances');
cmp_ok($done[-1], '<', $total, 'and says how much is to do');
my $filled = query('SELECT count(x) FROM slow');
cmp_ok($filled, '>', 0, 'rows that are filled are committed');
cmp_ok($filled, '<', 1000, 'while others are not filled yet');
query(qq{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE slow%' AND state = 'active'});
like(end_of($alter), qr/canceling statement due to user request/, 'a cancel ends it');
is(query(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'slow'::regclass AND attnum > 0 AND NOT attisdropped}), '2', 'and leaves no column');
is(query('SELECT count(*) FROM slow'), '1000', 'but all rows');
is_clean('after a cancel');

# ---- rows that somebody holds

query('CREATE TABLE held (id int PRIMARY KEY, a int)');
query('INSERT INTO held SELECT i, 0 FROM generate_series(1, 1000) i');
my $gate = session('SELECT pg_advisory_lock(1);');
ask($gate, '');
my $session = session('ALTER TABLE held ADD COLUMN x int DEFAULT gate();');
wait_until($at_gate, 'the backfill has begun');
my $holder = session('BEGIN;');
ask($holder, 'UPDATE held SET a = 1 WHERE id = 700; DELETE FROM held WHERE id = 800; SELECT 1 FROM held WHERE id = 900 FOR UPDATE;');
end_of($gate);
wait_until('SELECT count(x) = 997 FROM held', 'all but the held rows are filled');
is(query(q{SET lock_timeout = '10s'; UPDATE held SET a = 2 WHERE x IS NOT NULL AND id < 700; SELECT count(*) FROM held WHERE a = 2}), '699', 'others write the rows meanwhile');
is(query($altering), 't', 'the statement waits');
usleep(1_500_000);
ask($holder, 'COMMIT;');
end_of($holder);
like(end_of($session), qr/NOTICE:  waiting for a row of table "held".*\nDETAIL:  Process \d+ holds it/, 'and has said for whom');
is_clean('after a wait');
is(query('SELECT count(*), count(x), sum(a) FROM held'), '999|999|1399', 'all rows are filled, and what the others wrote stays');

# ---- DDL of others meanwhile

query('CREATE TABLE tree (k int) PARTITION BY LIST (k)');
query('CREATE TABLE tree_1 PARTITION OF tree FOR VALUES IN (1)');
query('INSERT INTO tree SELECT 1 FROM generate_series(1, 1000)');
$gate = session('SELECT pg_advisory_lock(1);');
ask($gate, '');
$session = session('ALTER TABLE tree ADD COLUMN x int DEFAULT gate();');
wait_until($at_gate, 'the backfill has begun');
query(q{SET zdm.mode = off; CREATE TABLE tree_2 (LIKE tree); INSERT INTO tree_2 SELECT 2 FROM generate_series(1, 1000); ALTER TABLE tree ATTACH PARTITION tree_2 FOR VALUES IN (2)});
end_of($gate);
is(end_of($session) =~ /ERROR/, '', 'a partition is attached meanwhile');
is(query('SELECT count(*), count(x) FROM tree'), '2000|2000', 'and filled too');

query('CREATE TABLE doomed (id int)');
query('INSERT INTO doomed SELECT generate_series(1, 1000)');
$session = session('ALTER TABLE doomed ADD COLUMN x int DEFAULT slowly();');
wait_until('SELECT count(*) = 1 FROM zdm_steps WHERE state = \'running\' AND done IS NOT NULL', 'the backfill has begun');
query('SET zdm.mode = off; DROP TABLE doomed');
like(end_of($session), qr/ERROR:  .*doomed.* was dropped/, 'a table that is dropped meanwhile is an error');
is_clean('after a drop');

# ---- writers: rows move between blocks and partitions, one is updated by all clients all the time

query(q{SET zdm.mode = off; CREATE TABLE busy (id int, k int, a int, b text) PARTITION BY RANGE (k)});
query(qq{SET zdm.mode = off; CREATE TABLE busy_$_ PARTITION OF busy FOR VALUES FROM ($_) TO ($_ + 1)}) for (0 .. 2);
query(q{INSERT INTO busy SELECT i, i % 3, 0, 'b' FROM generate_series(1, 20000) i});
query(q{SET zdm.mode = off; CREATE INDEX busy_id ON busy (id)});
append_to_file($node->basedir . '/writes.sql', <<'SQL');
\set id random(2, 20000)
\set other random(2, 20000)
UPDATE busy SET b = b || 'b', a = a + 1 WHERE id = :id;
UPDATE busy SET k = (k + 1) % 3 WHERE id = :other;
UPDATE busy SET a = a + 1 WHERE id = 1;
SQL
my $writers = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '4', '-T', '1000', '-f', $node->basedir . '/writes.sql', $node->connstr('postgres') ],
	'>' => \my $pgbench_out,
	'2>' => \my $pgbench_err);
wait_until('SELECT sum(a) > 100 FROM busy', 'writers are at work');
query('ALTER TABLE busy ADD COLUMN x uuid NOT NULL DEFAULT gen_random_uuid()');
is(query('SELECT count(*), count(x), count(DISTINCT x) FROM busy'), '20000|20000|20000', 'rows that are written and moved meanwhile are filled');
my $writes = query('SELECT sum(a) FROM busy');
wait_until("SELECT sum(a) > $writes FROM busy", 'the writers go on');
is($writers->pumpable ? 1 : 0, 1, 'none of them has failed');
$writers->signal('TERM');
eval { $writers->finish; };
unlike($pgbench_err, qr/ERROR/, 'nor met an error');

# ---- a standby that falls behind

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('backfill_standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'flush', $node->lsn('flush'));
query(q{SET zdm.mode = off; CREATE TABLE wide (id int, b text)});
query(q{INSERT INTO wide SELECT i, repeat('b', 1000) FROM generate_series(1, 20000) i});
$node->wait_for_catchup($standby, 'flush', $node->lsn('flush'));
my $receiver = $standby->safe_psql('postgres', 'SELECT pid FROM pg_stat_wal_receiver');
my $lag = 'SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn) FROM pg_stat_replication';
kill 'STOP', $receiver;
$session = session(q{SET zdm.backfill_max_lag = '2MB'; ALTER TABLE wide ADD COLUMN x uuid DEFAULT gen_random_uuid();});
wait_until("SELECT ($lag) > 2 * 1024 * 1024", 'the standby is behind');
usleep(3_000_000);
cmp_ok(query($lag), '<', 8 * 1024 * 1024, 'the backfill waits for it');
is(query($altering), 't', 'and is not at its end');
kill 'CONT', $receiver;
end_of($session);
is(query('SELECT count(*), count(x) FROM wide'), '20000|20000', 'it goes on when the standby has caught up');

$standby->stop;
$node->stop;
done_testing();
