# Copyright (c) 2026, the zdm developers

# Recovery takes away only what is unfinished, and takes it away before
# somebody builds on it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZdmStops;

my $node = ZdmStops::new_node('recovery', "zdm.lock_wait_max = 60s\n");

sub wait_for_stop
{
	my ($dbname, $stop) = @_;
	return $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = '$dbname' AND application_name = 'stopped at $stop'");
}

# Run a statement up to a stop and end its session there.
sub lose
{
	my ($dbname, $stop, $sql) = @_;
	my $lost = ZdmStops::start_script($node, $dbname, ZdmStops::stop_at($stop) . "$sql;");

	wait_for_stop($dbname, $stop);
	$node->safe_psql('postgres',
		"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '$dbname' AND application_name = 'stopped at $stop'");
	$lost->finish;
	return $node->safe_psql($dbname, 'SELECT stops.differences()');
}

# --- a statement that ends while others are recovered is not undone

my $add_column = 'ADD COLUMN n int DEFAULT stops.value() NOT NULL';

ZdmStops::make_databases($node, 'race');
my $live = ZdmStops::start_script($node, 'race',
	ZdmStops::stop_at(4) . "ALTER TABLE t $add_column;\n\\echo :SQLSTATE\n");
wait_for_stop('race', 4);
isnt(lose('race', 3, "ALTER TABLE nokey $add_column"), '', 'of two statements one is lost');

# Its table stays locked until the other one has ended; zdm_run() knows of both.
my $reader = ZdmStops::start_script($node, 'race', <<'SQL', application_name => 'reader');
BEGIN;
LOCK nokey IN ACCESS SHARE MODE;
SET application_name = 'holds';
DO $$
BEGIN
	WHILE EXISTS (SELECT FROM zdm.step WHERE state <> 'done' AND sql ~ 'public\.t ') LOOP
		PERFORM pg_sleep(0.05);
	END LOOP;
END $$;
COMMIT;
SQL
$node->poll_query_until('race', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holds'");
my $recovery = ZdmStops::start_script($node, 'race', "CALL zdm_run();\n\\echo :SQLSTATE\n", application_name => 'recovery');
$node->poll_query_until('race', q{SELECT count(*) = 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
	WHERE application_name = 'recovery' AND relation = 'nokey'::regclass AND NOT granted});
$node->safe_psql('race', 'INSERT INTO stops.go VALUES (true)');
like($live->finish, qr/^00000$/m, 'the other one is carried out meanwhile');
like($recovery->finish, qr/^00000$/m, 'zdm_run() ends');
$reader->finish;
is($node->safe_psql('race', q{SELECT string_agg(attrelid::regclass || ' ' || attnotnull, ',') FROM pg_attribute WHERE attname = 'n' AND attnum > 0}),
	't true', 'what was carried out is there, what was lost is not');
is($node->safe_psql('race', q{SELECT count(*) > 1, bool_and(state = 'done') FROM zdm.step}), 't|t', 'and in the ledger');

# --- a migration that is run again does not take what is half done for its own

ZdmStops::make_databases($node, qw(again_column again_index renamed));
isnt(lose('again_column', 3, "ALTER TABLE t ADD COLUMN IF NOT EXISTS n int DEFAULT stops.value() NOT NULL"), '', 'a lost ADD COLUMN IF NOT EXISTS');
$node->safe_psql('again_column', 'ALTER TABLE t ADD COLUMN IF NOT EXISTS n int DEFAULT stops.value() NOT NULL; CALL zdm_run()');
is($node->safe_psql('again_column', 'SELECT count(n), min(n) FROM t'), '2|7', 'is carried out by the next one');

isnt(lose('again_index', 2, 'CREATE INDEX IF NOT EXISTS t_same ON t (stops.same(a))'), '', 'a lost CREATE INDEX IF NOT EXISTS');
$node->safe_psql('again_index', 'CREATE INDEX IF NOT EXISTS t_same ON t (stops.same(a)); CALL zdm_run()');
is($node->safe_psql('again_index', "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_same'::regclass"), 't', 'is carried out by the next one');

isnt(lose('renamed', 3, "ALTER TABLE t $add_column"), '', 'a lost ADD COLUMN');
isnt($node->psql('renamed', 'ALTER TABLE t RENAME n TO m'), 0, 'its column cannot be renamed');
is($node->safe_psql('renamed', 'SELECT stops.differences()'), '', 'it is not there any more');

# --- what cannot be undone is in the way of nothing but statements in steps

ZdmStops::make_databases($node, 'stuck');
isnt(lose('stuck', 3, "ALTER TABLE t $add_column"), '', 'a lost ADD COLUMN');
$node->safe_psql('stuck', 'CREATE VIEW uses_n AS SELECT n FROM t');
my ($result, undef, $said) = $node->psql('stuck', 'ALTER TABLE other ADD COLUMN harmless int');
is($result, 0, 'whose column is used by now');
like($said, qr/WARNING:  what a lost session had left half done is not undone yet: cannot drop column n/, 'which a harmless statement says');
isnt($node->psql('stuck', 'CREATE INDEX other_harmless ON other (harmless)'), 0, 'one in steps does not begin');
$node->safe_psql('stuck', 'DROP VIEW uses_n; CREATE INDEX other_harmless ON other (harmless)');
is($node->safe_psql('stuck', "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'n'"), '0', 'without the view it is undone');

# --- steps turn out to be needed when the lock is there at last

ZdmStops::make_databases($node, 'late');
my $dropper = ZdmStops::start_script($node, 'late', <<'SQL');
SET zdm.mode = off;
BEGIN;
DROP INDEX t_b;
SET application_name = 'dropping';
SELECT pg_sleep(1);
COMMIT;
SQL
$node->poll_query_until('late', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'dropping'");
is($node->psql('late', 'CREATE INDEX IF NOT EXISTS t_b ON t (b)'), 0, 'CREATE INDEX IF NOT EXISTS of one that is being dropped');
$dropper->finish;
is($node->safe_psql('late', "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('t_b')"), 't', 'makes it');

# --- what has to be completed is, whatever has become of the table since

my $detach = 'ALTER TABLE q DETACH PARTITION q_1';
foreach my $case (
	[ 'dropped', 'DROP TABLE q_1', '' ],
	[ 'another', 'DROP TABLE q_1; CREATE TABLE q_1 (k int, CONSTRAINT q_1_k_check CHECK (k > 0))', 'q_1_k_check' ],
	[ 'renamed', 'ALTER TABLE q_1 RENAME TO q_moved', '' ],
	[ 'cleaned', q{DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE q_1 DROP CONSTRAINT %I', conname) FROM pg_constraint
		WHERE conrelid = 'q_1'::regclass AND contype = 'c' AND conname NOT IN (SELECT conname FROM q_before)); END $$}, '' ])
{
	my ($name, $since, $left) = @$case;
	my $dbname = "detached_$name";

	ZdmStops::make_databases($node, $dbname);
	$node->safe_psql($dbname, q{SET zdm.mode = off; CREATE TABLE q_before AS
		SELECT conname FROM pg_constraint WHERE conrelid = 'q_1'::regclass});
	lose($dbname, 3, $detach);
	is($node->safe_psql($dbname, q{SELECT count(*) FROM pg_inherits WHERE inhrelid = 'q_1'::regclass}), '0', "$name: a partition is detached");
	is($node->safe_psql($dbname, q{SELECT string_agg(state, ' ' ORDER BY ordinal) FROM zdm.step}), 'done queued', 'and no more than that');
	$node->safe_psql($dbname, "SET zdm.mode = off; $since");
	is($node->psql($dbname, 'CALL zdm_run()'), 0, 'zdm_run() completes it');
	is($node->safe_psql($dbname, q{SELECT string_agg(DISTINCT state, ' ') FROM zdm.step}), 'done', 'it is over');
	is( $node->safe_psql($dbname, q{SELECT coalesce(string_agg(conname, ' '), '') FROM pg_constraint
			WHERE conrelid IN (to_regclass('q_1'), to_regclass('q_moved')) AND contype = 'c' AND conname NOT IN (SELECT conname FROM q_before)}),
		$left, 'and the CHECK of the bounds is gone, and no other');
}

# --- what event triggers make is not the step's

ZdmStops::make_databases($node, 'audited');
$node->safe_psql('audited', <<'SQL');
SET zdm.mode = off;
CREATE FUNCTION stops.audit() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
	name text := 'stops.audit_' || txid_current();
BEGIN
	IF to_regclass(name) IS NULL THEN
		EXECUTE format('CREATE TABLE %s (id serial PRIMARY KEY, what text); CREATE INDEX ON %s (what)', name, name);
	END IF;
END $$;
CREATE EVENT TRIGGER audit ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'CREATE INDEX') EXECUTE FUNCTION stops.audit();
INSERT INTO t SELECT 5, a, b, c, o FROM t LIMIT 1;
SELECT stops.remember();
SQL
my (undef, undef, $errors) = $node->psql('audited', 'ALTER TABLE t ADD COLUMN n bigserial, ADD UNIQUE (a)', on_error_stop => 0);
like($errors, qr/could not create unique index "t_a_key"/, 'a statement fails where an event trigger makes tables');
unlike($errors, qr/is not undone yet/, 'it is undone');
is($node->safe_psql('audited', 'SELECT stops.differences()'), '', 'nothing is left of it');
is( $node->safe_psql('audited', q{SELECT count(*) > 0, count(*) FILTER (WHERE 2 <> (SELECT count(*) FROM pg_index WHERE indrelid = c.oid))
	FROM pg_class c WHERE relname LIKE 'audit_%' AND relkind = 'r'}), 't|0', 'and the tables of the event trigger have their indexes');

# --- the ledger stays while there is something to undo

ZdmStops::make_databases($node, 'dropped');
isnt(lose('dropped', 3, "ALTER TABLE t $add_column"), '', 'an unfinished statement');
foreach my $drop ('DROP EXTENSION zdm', 'DROP EXTENSION zdm CASCADE', 'DROP SCHEMA zdm CASCADE')
{
	my ($result, $stdout, $stderr) = $node->psql('dropped', $drop, on_error_stop => 0);
	like($stderr, qr/cannot drop extension "zdm" while a statement is carried out|cannot drop schema zdm because extension/, $drop);
}
$node->safe_psql('dropped', 'CALL zdm_run()');
is($node->safe_psql('dropped', 'SELECT stops.differences()'), '', 'nothing is left of it');
$node->safe_psql('dropped', 'DROP EXTENSION zdm');
is($node->safe_psql('dropped', "SELECT count(*) FROM pg_namespace WHERE nspname = 'zdm'"), '0', 'and the extension can go');

$node->stop;
done_testing();
