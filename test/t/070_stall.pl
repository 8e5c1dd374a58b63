# Copyright (c) 2026, the zdm developers

# No plan makes the application wait.  Eight clients read and write the tables
# while each statement is carried out: none of their statements fails, and none
# waits long for a lock, whatever else is in the way of the statement: a
# transaction that has read the tables and stays open, or autovacuum.
#
#   ZDM_TAP=test/t/070_stall.pl ZDM_STALL_ROWS=1000000 test/bin/run-suites tap
#
# runs it with a million rows, and with the open transaction during every plan
# and for 5 seconds; ZDM_STALL_PLANS is a regular expression that chooses plans.
#
# What counts is what the server's log says of lock waits.  The bound is far
# above zdm.lock_timeout, for a machine that does other things as well, and far
# below what the same statements do without zdm, which is tried too.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rows = $ENV{ZDM_STALL_ROWS} || 200_000;
my $full = $rows >= 1_000_000;
my $rogue_seconds = $full ? 5 : 3;
my $bound = 1500;
my $quarter = int($rows / 4);
my $slow = int($rows / 250);
my $far = 100 * $rows;

my $node = PostgreSQL::Test::Cluster->new('stall');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
log_lock_waits = on
log_statement = none
zdm.lock_timeout = 200ms
max_wal_size = 4GB
CONF
$node->start;

# slow() makes each scan that evaluates it take 2.5 seconds, however many rows
# there are; the application's own values do not meet it.
$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION zdm;
SET zdm.mode = off;
CREATE ROLE app LOGIN;
ALTER ROLE app SET deadlock_timeout = '250ms';
ALTER ROLE app SET search_path = public;
CREATE FUNCTION slow(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
	\$\$ BEGIN IF v % $slow = 0 THEN PERFORM pg_sleep(0.01); END IF; RETURN v; END \$\$;
CREATE FUNCTION slow_default() RETURNS int LANGUAGE plpgsql VOLATILE AS
	\$\$ BEGIN IF random() * $slow < 1 THEN PERFORM pg_sleep(0.01); END IF; RETURN 1; END \$\$;
CREATE TABLE parent (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO parent SELECT i FROM generate_series(1, 1000) i;
CREATE TABLE item (id bigint, code bigint, ref int, a int, b text NOT NULL DEFAULT '');
INSERT INTO item SELECT i, i, 1 + i % 1000, i, 'item ' || i FROM generate_series(1, $rows) i;
CREATE UNIQUE INDEX item_id ON item (id);
CREATE INDEX item_slow ON item (slow(a));
CREATE SEQUENCE item_seq START @{[ $rows + 1 ]};
CREATE MATERIALIZED VIEW summary AS SELECT id, slow(a) AS a FROM item WHERE id <= $quarter OR a % $slow = 0;
CREATE UNIQUE INDEX ON summary (id);
CREATE TABLE event (id bigint NOT NULL, ref int, a int, b text) PARTITION BY RANGE (id);
CREATE UNIQUE INDEX event_id ON event (id);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO ($quarter + 1);
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ($quarter + 1) TO (2 * $quarter + 1);
CREATE TABLE event_rest PARTITION OF event DEFAULT;
INSERT INTO event SELECT i, 1 + i % 1000, i, 'event ' || i FROM generate_series(1, 2 * $quarter) i;
INSERT INTO event SELECT 10 * $rows + i, 1 + i % 1000, i, 'event ' || i FROM generate_series(1, $quarter) i;
CREATE SEQUENCE event_seq START @{[ 11 * $rows ]};
CREATE TABLE event_next (id bigint NOT NULL, ref int, a int, b text);
INSERT INTO event_next SELECT 2 * $quarter + i, 1 + i % 1000, i, 'event ' || i FROM generate_series(1, $quarter) i;
CREATE TABLE log (id bigint NOT NULL, a int) PARTITION BY RANGE (id);
CREATE TABLE log_old PARTITION OF log FOR VALUES FROM (MINVALUE) TO (1);
CREATE TABLE log_new PARTITION OF log FOR VALUES FROM (1) TO (MAXVALUE);
INSERT INTO log SELECT i - $quarter, i FROM generate_series(1, 2 * $quarter) i;
CREATE INDEX ON log (id);
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO app;
SQL
$node->safe_psql('postgres', 'VACUUM (ANALYZE)');

# What the application does, with weights.  A client deletes and upserts rows of
# its own: PostgreSQL's upsert of a row that another session is inserting can
# fail while an index is being built concurrently, without zdm as well.
my $own = "\\set id random(1, $rows / 8 - 1) * 8 + :client_id\n";
my $any = "\\set id random(1, $rows)\n\\set a random(1, $slow - 1)\n";
my %application = (
	item_select => [ 8, "${any}SELECT a, b FROM item WHERE id = :id" ],
	item_update => [ 8, "${any}UPDATE item SET a = :a WHERE id = :id" ],
	item_insert => [ 4, "${any}INSERT INTO item (id, code, ref, a) SELECT n, n, 1 + n % 1000, :a FROM nextval('item_seq') n" ],
	item_delete => [ 2, "${own}DELETE FROM item WHERE id = :id" ],
	item_upsert => [ 4, "${own}${any}" =~ s/\\set id random\(1, $rows\)\n//r
		  . 'INSERT INTO item (id, code, ref, a) VALUES (:id, :id, 1 + :id % 1000, :a) ON CONFLICT (id) DO UPDATE SET a = excluded.a' ],
	event_select => [ 3, "${any}SELECT a, b FROM event WHERE id = :id" ],
	event_update => [ 3, "${any}UPDATE event SET a = :a WHERE id = :id" ],
	event_insert => [ 2, "${any}INSERT INTO event (id, ref, a) SELECT n, 1 + n % 1000, :a FROM nextval('event_seq') n" ],
	event_delete => [ 1, "${own}DELETE FROM event WHERE id = :id" ],
	event_next => [ 1, "${any}UPDATE event_next SET a = :a WHERE id = :id AND ctid = '(0,1)'" ],
	parent_update => [ 2, "\\set id random(1, 1000)\nUPDATE parent SET n = n + 1 WHERE id = :id" ],
	summary_select => [ 1, "${any}SELECT a FROM summary WHERE id = :id" ],
	log_select => [ 1, "${any}SELECT a FROM log WHERE id = :id - $quarter" ],
	log_insert => [ 1, "${any}INSERT INTO log (id, a) VALUES (:id, :a)" ],);

my ($load, $load_output);

sub start_load
{
	my @scripts;

	for my $name (sort keys %application)
	{
		my ($weight, $sql) = @{ $application{$name} };
		my $file = $node->basedir . "/$name.sql";

		append_to_file($file, "$sql;\n") if !-e $file;
		push @scripts, '-f', "$file\@$weight";
	}
	$load_output = '';
	$load = IPC::Run::start(
		[ 'pgbench', '-n', '-c', 8, '-j', 2, '-M', 'prepared', '-R', 300, '-T', 3600, @scripts,
			$node->connstr('postgres') . ' user=app application_name=app' ],
		'>&', \$load_output);
	for (1 .. 100)
	{
		sleep(0.1);
		last if $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'app'}) == 8;
	}
	$load->pump_nb;
	diag "the application does not run: $load_output" if $load_output =~ /error:/;
	sleep(0.3);
}

sub stop_load
{
	$load->signal('TERM');
	eval { $load->finish };
	$node->poll_query_until('postgres',
		q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'app'});
}

# The application's part of the log from an offset on: its longest wait for a
# lock in milliseconds (0: less than its deadlock_timeout), its errors, and all
# of the log for a look.
sub application_log
{
	my $log = slurp_file($node->logfile, shift);
	my $longest = 0;

	for ($log =~ /\] app LOG: .* after ([0-9.]+) ms/g)
	{
		$longest = $_ if $_ > $longest;
	}
	return ($longest, join("\n", $log =~ /\] app (?:ERROR|FATAL): .*/g), $log);
}

# A client that has read the tables and leaves its transaction open.  It uses
# psql's sleep: while a statement of its own ran, it would hold a snapshot too.
sub start_rogue
{
	my $seconds = shift;
	my $rogue = IPC::Run::start(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1',
			'-c', 'BEGIN', '-c', 'SELECT FROM item, event, event_next, parent, summary, log LIMIT 0',
			'-c', "\\! sleep $seconds", '-c', 'COMMIT', $node->connstr('postgres') . ' application_name=rogue' ],
		'>&', \my $output);
	$node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'rogue' AND state = 'idle in transaction'});
	return $rogue;
}

# Run a statement under load.  Returns what psql says, and the application's
# longest wait and errors; starts clients that broke again.
sub under_load
{
	my ($sql, $seconds) = @_;
	my ($stdout, $stderr) = ('', '');
	my $rogue = $seconds ? start_rogue($seconds) : undef;
	my $offset = -s $node->logfile;
	my $started = time;

	$node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr, timeout => 180, on_error_stop => 1);
	my $took = time - $started;
	$rogue->finish if $rogue;
	sleep(0.1);
	my ($longest, $errors, $log) = application_log($offset);
	note sprintf('at %d s: %.1f s, longest wait %d ms: %s', $started - $^T, $took, $longest, $sql);
	note $stderr if $stderr;
	if ($errors)
	{
		stop_load();
		start_load();
	}
	return { stderr => $stderr, longest => $longest, errors => $errors, log => $log };
}

# What a statement must not leave behind
my $leftovers = <<'SQL';
SELECT 'index ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid OR NOT indisready
UNION ALL
SELECT 'constraint ' || conname FROM pg_constraint WHERE NOT convalidated
UNION ALL
SELECT 'step ' || step::text FROM zdm.step WHERE state <> 'done'
SQL

# is_smooth NAME, RESULT: nobody else noticed
sub is_smooth
{
	my ($name, $result) = @_;
	my $smooth = ok($result->{errors} eq '' && $result->{longest} <= $bound,
		"$name: no error, no stall of the application");

	if (!$smooth)
	{
		diag "longest wait $result->{longest} ms\n$result->{errors}";
		diag join("\n", grep { /\] app |DETAIL|psql/ } split /\n/, $result->{log});
	}
	is($node->safe_psql('postgres', $leftovers), '', "$name: nothing is left behind");
}

# plan NAME, SQL, QUERY whose result is true afterwards, SQL that undoes it,
# whether the open transaction is there in a short test too
sub plan_test
{
	my ($name, $sql, $true, $undo, $with_rogue) = @_;
	my $result = under_load($sql, $with_rogue || $full ? $rogue_seconds : 0);

	unlike($result->{stderr}, qr/ERROR|WARNING/, "$name: runs");
	$node->psql('postgres', "SELECT $true", stdout => \my $stdout);
	is($stdout, 't', "$name: does what it says");
	is_smooth($name, $result);
	if ($undo)
	{
		$result = under_load($undo);
		unlike($result->{stderr}, qr/ERROR|WARNING/, "$name: $undo");
		is_smooth("$name: $undo", $result);
	}
}

sub constraint_is_valid
{
	return "(SELECT bool_and(convalidated) FROM pg_constraint WHERE conname = '$_[0]')";
}

sub index_is_valid
{
	return "(SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('$_[0]'))";
}

my @plans = (
	[ 'CREATE INDEX', 'CREATE INDEX item_new ON item (slow(a))', index_is_valid('item_new'), 'DROP INDEX item_new', 1 ],
	[ 'CREATE UNIQUE INDEX', 'CREATE UNIQUE INDEX item_code ON item (code)', index_is_valid('item_code'), 'DROP INDEX item_code' ],
	[ 'CREATE INDEX, partitioned', 'CREATE INDEX event_slow ON event (slow(a))', index_is_valid('event_slow'), 'DROP INDEX event_slow', 1 ],
	[ 'DROP INDEX', 'DROP INDEX item_slow', "to_regclass('item_slow') IS NULL", 'CREATE INDEX item_slow ON item (slow(a))', 1 ],
	[ 'REINDEX INDEX', 'REINDEX INDEX item_slow', index_is_valid('item_slow'), undef, 1 ],
	[ 'REINDEX TABLE', 'REINDEX TABLE item', index_is_valid('item_slow') ],
	[ 'REINDEX, partitioned', 'REINDEX TABLE event', index_is_valid('event_id') ],
	[ 'REFRESH MATERIALIZED VIEW', 'REFRESH MATERIALIZED VIEW summary', "(SELECT relispopulated FROM pg_class WHERE relname = 'summary')", undef, 1 ],
	[ 'ADD CHECK', 'ALTER TABLE item ADD CONSTRAINT item_check CHECK (slow(a) >= 0)', constraint_is_valid('item_check'), 'ALTER TABLE item DROP CONSTRAINT item_check', 1 ],
	[ 'ADD CHECK, partitioned', 'ALTER TABLE event ADD CONSTRAINT event_check CHECK (slow(a) >= 0)', constraint_is_valid('event_check'), 'ALTER TABLE event DROP CONSTRAINT event_check' ],
	[ 'ADD FOREIGN KEY', 'ALTER TABLE item ADD FOREIGN KEY (ref) REFERENCES parent', constraint_is_valid('item_ref_fkey'), 'ALTER TABLE item DROP CONSTRAINT item_ref_fkey', 1 ],
	[ 'ADD FOREIGN KEY, partitioned', 'ALTER TABLE event ADD FOREIGN KEY (ref) REFERENCES parent', constraint_is_valid('event_ref_fkey'), 'ALTER TABLE event DROP CONSTRAINT event_ref_fkey' ],
	[ 'SET NOT NULL', 'ALTER TABLE item ALTER a SET NOT NULL', "(SELECT attnotnull FROM pg_attribute WHERE attrelid = 'item'::regclass AND attname = 'a')", 'ALTER TABLE item ALTER a DROP NOT NULL', 1 ],
	[ 'ADD UNIQUE', 'ALTER TABLE item ADD CONSTRAINT item_code UNIQUE (code)', constraint_is_valid('item_code') . ' AND ' . index_is_valid('item_code'), 'ALTER TABLE item DROP CONSTRAINT item_code', 1 ],
	[ 'ADD UNIQUE, partitioned', 'ALTER TABLE event ADD CONSTRAINT event_unique UNIQUE (id, ref)', index_is_valid('event_unique'), 'ALTER TABLE event DROP CONSTRAINT event_unique' ],
	[ 'ADD PRIMARY KEY', 'ALTER TABLE item ADD PRIMARY KEY (id)', index_is_valid('item_pkey'), 'ALTER TABLE item DROP CONSTRAINT item_pkey, ALTER id DROP NOT NULL', 1 ],
	[ 'ADD COLUMN with constraints', 'ALTER TABLE item ADD kind int NOT NULL DEFAULT 1 REFERENCES parent CHECK (kind + slow(a) > 0)', constraint_is_valid('item_kind_fkey'), 'ALTER TABLE item DROP CONSTRAINT item_check, DROP kind', 1 ],
	[ 'ADD COLUMN with a volatile default', 'ALTER TABLE item ADD token int NOT NULL DEFAULT slow_default()', 'NOT EXISTS (SELECT FROM item WHERE token IS NULL)', 'ALTER TABLE item DROP token', 1 ],
	[ 'ADD COLUMN serial', 'ALTER TABLE item ADD n bigserial', '(SELECT count(*) = count(DISTINCT n) FROM item)', 'ALTER TABLE item DROP n' ],
	[ 'ADD COLUMN identity', 'ALTER TABLE item ADD n bigint GENERATED ALWAYS AS IDENTITY UNIQUE', '(SELECT count(*) = count(DISTINCT n) FROM item)', 'ALTER TABLE item DROP n' ],
	[ 'ATTACH PARTITION', "ALTER TABLE event ATTACH PARTITION event_next FOR VALUES FROM (2 * $quarter + 1) TO (3 * $quarter + 1)", "(SELECT relispartition FROM pg_class WHERE relname = 'event_next')", 'ALTER TABLE event DETACH PARTITION event_next', 1 ],
	[ 'DETACH PARTITION', 'ALTER TABLE log DETACH PARTITION log_old', "(SELECT NOT relispartition FROM pg_class WHERE relname = 'log_old')", 'ALTER TABLE log ATTACH PARTITION log_old FOR VALUES FROM (MINVALUE) TO (1)', 1 ],
	[ 'CREATE TABLE PARTITION OF', "CREATE TABLE event_far PARTITION OF event FOR VALUES FROM ($far) TO (2 * $far)", "(SELECT relispartition FROM pg_class WHERE relname = 'event_far')", 'DROP TABLE event_far' ],
	[ 'several actions', 'ALTER TABLE item ADD state text, ALTER a SET NOT NULL, ADD CONSTRAINT item_check CHECK (slow(a) >= 0), ALTER b DROP NOT NULL', constraint_is_valid('item_check'), 'ALTER TABLE item DROP state, ALTER a DROP NOT NULL, DROP CONSTRAINT item_check, ALTER b SET NOT NULL', 1 ],
);

start_load();

# Without zdm the harness sees the stalls.
my $off = 'SET zdm.mode = off';
my $result = under_load("$off; ALTER TABLE item ADD CONSTRAINT item_check CHECK (slow(a) >= 0)");
cmp_ok($result->{longest}, '>', $bound, 'plain: the application waits for the scan of a CHECK');
$result = under_load("$off; ALTER TABLE item DROP CONSTRAINT item_check", $rogue_seconds);
cmp_ok($result->{longest}, '>', $bound, 'plain: the application waits behind the statement for the open transaction');
$result = under_load("$off; CREATE INDEX item_new ON item (slow(a)); DROP INDEX item_new");
cmp_ok($result->{longest}, '>', $bound, 'plain: the application waits for CREATE INDEX');

my $wanted = $ENV{ZDM_STALL_PLANS} || '.';
plan_test(@$_) for grep { $_->[0] =~ /$wanted/ } @plans;

# Autovacuum is cancelled, as it is for plain DDL.
$node->append_conf('postgresql.conf', 'autovacuum_naptime = 1s');
$node->reload;

# sub wait_for_autovacuum ENDING-OF-ITS-QUERY
sub wait_for_autovacuum
{
	$node->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE query ~ '^autovacuum: VACUUM (ANALYZE )?public.item\\M$_[0]'")
	  or die 'autovacuum does not come';
}

$node->safe_psql('postgres', <<SQL);
ALTER TABLE item SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1,
	autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)
SQL
for (
	[ 'ADD COLUMN', 'ALTER TABLE item ADD state text', 'ALTER TABLE item DROP state' ],
	[ 'SET NOT NULL', 'ALTER TABLE item ALTER a SET NOT NULL', 'ALTER TABLE item ALTER a DROP NOT NULL' ],
	[ 'CREATE INDEX', 'CREATE INDEX item_new ON item (a)', 'DROP INDEX item_new' ])
{
	my ($name, $sql, $undo) = @$_;

	wait_for_autovacuum('');
	$result = under_load($sql);
	is_smooth("$name beside autovacuum", $result);
	unlike($result->{stderr}, qr/ERROR|WARNING/, "$name beside autovacuum: runs");
	like($result->{log}, qr/canceling autovacuum task/, "$name beside autovacuum: cancels it");
	wait_for_autovacuum('');
	is_smooth("$undo beside autovacuum", under_load($undo));
}

# Autovacuum against wraparound is not cancelled.  The statement waits outside
# the queue, and in the end fails without a trace.
$node->safe_psql('postgres',
	'DO $$ BEGIN FOR i IN 1..101000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
$node->safe_psql('postgres', 'ALTER TABLE item SET (autovacuum_freeze_max_age = 100000)');
wait_for_autovacuum('.*wraparound');
$result = under_load("$off; SET lock_timeout = '3s'; ALTER TABLE item ADD state text");
cmp_ok($result->{longest}, '>', $bound, 'plain: the application waits behind the statement for autovacuum against wraparound');
for (
	[ 'ADD COLUMN', "SET zdm.lock_wait_max = '2s'", 'ALTER TABLE item ADD state text', qr/could not obtain|lock/ ],
	[ 'SET NOT NULL', "SET zdm.lock_wait_max = '2s'", 'ALTER TABLE item ALTER a SET NOT NULL', qr/could not obtain|lock/ ],
	[ 'CREATE INDEX', "SET statement_timeout = '3s'", 'CREATE INDEX item_new ON item (a)', qr/statement timeout/ ])
{
	my ($name, $setting, $sql, $error) = @$_;

	$result = under_load("$setting; $sql");
	like($result->{stderr}, $error, "$name beside autovacuum against wraparound: gives up");
	is_smooth("$name beside autovacuum against wraparound", $result);
	unlike($result->{log}, qr/canceling autovacuum task/, "$name beside autovacuum against wraparound: leaves it alone");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND query ~ 'item .to prevent wraparound'}), '1',
	'autovacuum against wraparound was there all the time');

# The load has been one.
ok($load->pumpable, 'the application runs to the end');
stop_load();
cmp_ok($node->safe_psql('postgres', "SELECT last_value - $rows FROM item_seq"), '>', 500, 'the application has worked');
$node->stop('immediate');
done_testing();
