# Copyright (c) 2026, the zdm developers

# A statement is seen however it comes: in the simple, the extended and the
# pipelined protocol, in functions, procedures, DO and strings of several
# statements, with event triggers around it.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('protocols');
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
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
CREATE TABLE log (what text);
SQL

sub sqlstate
{
	my ($sql, @extra) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql(
		'postgres', $sql,
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 1,
		extra_params => [ '-v', 'VERBOSITY=sqlstate', @extra ]);
	return $stderr =~ /ERROR:\s+(\w{5})/ ? $1 : '';
}

# What the index would have left behind; each test starts without it.
sub indexes
{
	return $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass");
}

# simple protocol
is(sqlstate('BEGIN; CREATE INDEX ON t (a); COMMIT'), 'ZDM01', 'transaction block');
is(sqlstate('BEGIN; SAVEPOINT s; CREATE INDEX ON t (a)'), 'ZDM01', 'subtransaction');
is(sqlstate('', '-c', "INSERT INTO log VALUES ('multi'); CREATE INDEX ON t (a)"),
	'ZDM01', 'string of several statements');
is($node->safe_psql('postgres', 'SELECT count(*) FROM log'), '0', 'which is one transaction, and rolled back');
is(sqlstate('', '-c', 'CREATE TABLE new_1 (a int); CREATE INDEX ON new_1 (a); DROP TABLE new_1'),
	'', 'in which a new table is new');
is( sqlstate(q{BEGIN; SAVEPOINT s; CREATE TABLE new_2 (a int); ROLLBACK TO s; SAVEPOINT s;
		CREATE TABLE new_2 AS SELECT 1 AS a; RELEASE s; CREATE INDEX ON new_2 (a); ROLLBACK}),
	'',
	'and one of a subtransaction too');

# carried out in steps: alone, by each protocol
sub runs_in_steps
{
	my ($mode, $script, $name) = @_;

	$node->pgbench(
		"--no-vacuum -n -t 2 -M $mode",
		0, [qr{processed: 2/2}],
		[qr/ALTER TABLE is carried out in \d+ steps/],
		$name, { "001_protocols_$name" =~ s/\W/_/gr => $script });
	is( $node->safe_psql(
			'postgres', q{SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND conname IN ('in_steps', 'key')}),
		'0', "$name: nothing is left but what was asked for");
}
my $in_steps = <<'SQL';
ALTER TABLE t ADD CONSTRAINT in_steps CHECK (a > 0), ADD CONSTRAINT key UNIQUE (a);
ALTER TABLE t DROP CONSTRAINT in_steps, DROP CONSTRAINT key;
SQL
runs_in_steps($_, $in_steps, "steps by the $_ protocol") for qw(simple extended prepared);
# a pipeline is a transaction from its second statement on; a statement in
# steps is committed before that
$node->pgbench(
	'--no-vacuum -n -t 1 -M extended',
	2,
	[qr{processed: 0/1}],
	[qr/carried out.*division by zero/s],
	'the first statement of a pipeline',
	{ '001_protocols_first' => <<'SQL' });
\startpipeline
ALTER TABLE t ADD CONSTRAINT in_steps CHECK (a > 0);
INSERT INTO log VALUES ('after');
SELECT 1 / 0;
\endpipeline
SQL
is( $node->safe_psql(
		'postgres', q{SELECT (SELECT count(*) FROM log), count(*) FROM pg_constraint WHERE conname = 'in_steps' AND convalidated}),
	'0|1', 'is committed by itself, and what comes after it is not with it');
$node->safe_psql('postgres', 'ALTER TABLE t DROP CONSTRAINT in_steps');

# a refusal leaves the session usable
is( $node->safe_psql(
		'postgres', <<'SQL'),
\set ON_ERROR_STOP 0
BEGIN;
SAVEPOINT s;
CREATE INDEX ON t (a);
SELECT 'still failed';
ROLLBACK TO s;
INSERT INTO log VALUES ('after');
COMMIT;
SELECT count(*) FROM log;
DELETE FROM log;
SQL
	'1',
	'ROLLBACK TO SAVEPOINT after a refusal');
is( sqlstate(
		"\\set ON_ERROR_STOP 0\nBEGIN;\nSELECT 1/0;\nCREATE INDEX ON t (a);\n"),
	'22012',
	'in a failed transaction the server says so first');

# extended protocol, by pgbench: unnamed and named statements, pipelines
sub pgbench_fails
{
	my ($mode, $script, $expected, $name) = @_;

	$node->pgbench(
		"--no-vacuum -n -t 1 -M $mode",
		2,
		[qr{processed: 0/1}],
		[$expected],
		$name,
		{ "001_protocols_$name" =~ s/\W/_/gr => $script });
}
pgbench_fails('extended',
	"\\startpipeline\nINSERT INTO log VALUES ('pipe');\nCREATE INDEX ON t (a);\nSELECT 1;\n\\endpipeline\n",
	qr/CREATE INDEX refused/,
	'pipeline');
is($node->safe_psql('postgres', 'SELECT count(*) FROM log'), '0', 'a pipeline is one transaction');
foreach my $procedure (qw(zdm_run zdm_wait))
{
	pgbench_fails('extended',
		"\\startpipeline\nINSERT INTO log VALUES ('pipe');\nCALL $procedure();\n\\endpipeline\n",
		qr/$procedure\(\) cannot be called where it cannot commit/,
		"$procedure() within a pipeline");
}
$node->pgbench(
	'--no-vacuum -n -t 2 -M prepared',
	0,
	[qr{processed: 2/2}],
	[qr{^$}],
	'harmless DDL, prepared and run twice',
	{ '001_protocols_good' => <<'SQL' });
CREATE TABLE IF NOT EXISTS pipelined (a int);
ALTER TABLE pipelined ADD COLUMN IF NOT EXISTS b int;
DROP TABLE pipelined;
SQL
$node->pgbench(
	'--no-vacuum -n -t 1 -M extended',
	0,
	[qr{processed: 1/1}],
	[qr{^$}],
	'harmless DDL on a table in use, in a pipeline',
	{ '001_protocols_good_pipe' => <<'SQL' });
\startpipeline
ALTER TABLE t ADD COLUMN piped int;
ALTER TABLE t ADD COLUMN piped_2 int DEFAULT 5;
INSERT INTO log VALUES ('pipe');
\endpipeline
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM log'), '1', 'of which all has run');
$node->safe_psql('postgres', 'DELETE FROM log');

# code in the server
is(sqlstate('DO $$ BEGIN CREATE INDEX ON t (a); END $$'), 'ZDM01', 'DO');
is(sqlstate(q{DO $$ BEGIN EXECUTE 'CREATE INDEX ON t (a)'; END $$}), 'ZDM01', 'EXECUTE in DO');
is(sqlstate('DO $$ BEGIN COMMIT; CREATE INDEX ON t (a); END $$'), 'ZDM01', 'DO with COMMIT');
is( sqlstate(q{DO $$ BEGIN CREATE INDEX ON t (a);
		EXCEPTION WHEN SQLSTATE 'ZDM01' THEN INSERT INTO log VALUES ('caught'); END $$}),
	'',
	'the error can be caught');
is($node->safe_psql('postgres', 'SELECT what FROM log'), 'caught', 'and the block goes on');
$node->safe_psql('postgres', <<'SQL');
DELETE FROM log;
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE INDEX ON t (a); END $$;
CREATE FUNCTION g() RETURNS void LANGUAGE sql AS $$ CREATE INDEX ON t (a) $$;
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES ('before');
	COMMIT;
	CREATE INDEX ON t (a);
END $$;
CREATE FUNCTION secure() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	CREATE INDEX ON t (a);
END $$;
CREATE FUNCTION adds() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	ALTER TABLE t ADD COLUMN added int;
	CREATE TABLE made_by_function AS SELECT 1 AS a;
	CREATE INDEX ON made_by_function (a);
END $$;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CREATE INDEX ON t (a); RETURN NEW; END $$;
CREATE TABLE firing (a int);
CREATE TRIGGER fire BEFORE INSERT ON firing FOR EACH ROW EXECUTE FUNCTION fires();
SQL
is(sqlstate('SELECT f()'), 'ZDM01', 'PL/pgSQL function');
is(sqlstate('SELECT g()'), 'ZDM01', 'SQL function');
is(sqlstate('SELECT secure()'), 'ZDM01', 'SECURITY DEFINER function');
is(sqlstate('CALL p()'), 'ZDM01', 'procedure that commits');
is($node->safe_psql('postgres', 'SELECT what FROM log'), 'before', 'what it committed before remains');
is(sqlstate('INSERT INTO firing VALUES (1)'), 'ZDM01', 'trigger');
is(sqlstate('SELECT adds()'), '', 'harmless DDL in a function');
is(sqlstate("PREPARE x AS SELECT f(); EXECUTE x"), 'ZDM01', 'function in a prepared statement');
is(sqlstate('BEGIN; DECLARE c CURSOR FOR SELECT f(); FETCH c'), 'ZDM01', 'function in a cursor');
is(sqlstate('COPY (SELECT f()) TO STDOUT'), 'ZDM01', 'function in COPY');
is(sqlstate('EXPLAIN ANALYZE SELECT f()'), 'ZDM01', 'function in EXPLAIN ANALYZE');
is(sqlstate('EXPLAIN ANALYZE CREATE TABLE t2 AS SELECT 1 AS a'), '', 'CREATE TABLE AS in EXPLAIN ANALYZE');

# elements of CREATE SCHEMA
is( sqlstate(
		'CREATE SCHEMA s CREATE TABLE st (a int PRIMARY KEY, b int) CREATE INDEX ON st (b) CREATE VIEW sv AS SELECT * FROM st'),
	'',
	'new objects of CREATE SCHEMA');
is(sqlstate('BEGIN; CREATE SCHEMA s2; CREATE TABLE s2.st (a int REFERENCES t); ROLLBACK'), '',
	'a reference to a table in use is a lock, not a refusal');

# prepared transactions, listen, and other commands that pass
is(sqlstate('BEGIN; CREATE TABLE t3 (a int); LISTEN c; NOTIFY c; COMMIT; DROP TABLE t3; CHECKPOINT; DISCARD ALL'),
	'', 'what is no DDL passes');

# event triggers see the statement, and can run their own
$node->safe_psql('postgres', <<'SQL');
DELETE FROM log;
CREATE FUNCTION note_start() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log VALUES ('start ' || tg_tag); END $$;
CREATE FUNCTION note_end() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
		INSERT INTO log VALUES ('end ' || r.command_tag || ' ' || r.object_identity);
	END LOOP;
END $$;
CREATE FUNCTION note_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log SELECT 'drop ' || object_identity FROM pg_event_trigger_dropped_objects() WHERE original;
END $$;
CREATE EVENT TRIGGER a_start ON ddl_command_start EXECUTE FUNCTION note_start();
CREATE EVENT TRIGGER a_end ON ddl_command_end EXECUTE FUNCTION note_end();
CREATE EVENT TRIGGER a_drop ON sql_drop EXECUTE FUNCTION note_drop();
DELETE FROM log;
ALTER TABLE t ADD COLUMN evented int;
ALTER TABLE t DROP COLUMN evented;
SQL
is($node->safe_psql('postgres', q{SELECT string_agg(what, '; ') FROM log}),
	'start ALTER TABLE; end ALTER TABLE public.t; start ALTER TABLE; drop public.t.evented; end ALTER TABLE public.t',
	'event triggers fire around what runs');
$node->safe_psql('postgres', 'DELETE FROM log');
is(sqlstate('BEGIN; CREATE INDEX ON t (a)'), 'ZDM01', 'what is refused');
is($node->safe_psql('postgres', 'SELECT count(*) FROM log'), '0', 'fires none');
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION ddl_in_trigger() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF tg_tag = 'CREATE VIEW' THEN CREATE INDEX ON t (a); END IF;
END $$;
CREATE EVENT TRIGGER z_ddl ON ddl_command_end EXECUTE FUNCTION ddl_in_trigger();
SQL
is(sqlstate('CREATE VIEW v AS SELECT 1 AS one'), 'ZDM01', 'DDL of an event trigger is seen');
$node->safe_psql('postgres', 'DROP EVENT TRIGGER z_ddl; DROP EVENT TRIGGER a_start; DROP EVENT TRIGGER a_end; DROP EVENT TRIGGER a_drop');

# in a window, in each of them
$node->safe_psql('postgres', "SELECT zdm_begin_window('protocols')");
is(sqlstate('ALTER TABLE t DROP COLUMN a'), 'ZDM01', 'window: simple protocol');
is(sqlstate('DO $$ BEGIN ALTER TABLE t DROP COLUMN a; END $$'), 'ZDM01', 'window: DO');
pgbench_fails('prepared', "ALTER TABLE t DROP COLUMN a;\n", qr/ALTER TABLE refused/, 'window, prepared statement');
is(sqlstate('BEGIN; CREATE TABLE born (a int, b int); ALTER TABLE born DROP COLUMN a; COMMIT'),
	'', 'window: a new table');
is(sqlstate('ALTER TABLE born DROP COLUMN b'), '', 'window: a table that it has made, later');
is(sqlstate('BEGIN; ALTER TABLE t ADD COLUMN x int; ROLLBACK'), '', 'window: a column rolled back');
is(sqlstate('ALTER TABLE t ADD COLUMN x int; ALTER TABLE t DROP COLUMN x'), '', 'window: a column that it has made');
$node->safe_psql('postgres', "SELECT zdm_end_window('protocols')");

is(indexes(), '1', 'no refused statement has left anything behind');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'"),
	'1', 'nor taken anything away');

$node->stop;
done_testing();
