# Copyright (c) 2026, the zdm developers

# A table is renamed in a deployment window while both versions of an
# application work: the old one on the table, the new one on the name to come,
# through the end of the window.  What of that is in a dump, a prepared
# transaction or a crash is there afterwards.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('rename');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'zdm'
zdm.small_table = 0
max_prepared_transactions = 5
max_connections = 40
CONF
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE customer (id serial PRIMARY KEY, name text UNIQUE, visits int NOT NULL DEFAULT 0);
CREATE TABLE invoice (id serial PRIMARY KEY, customer_id int);
INSERT INTO customer (name) SELECT 'c' || g FROM generate_series(1, 1000) g;
INSERT INTO invoice (customer_id) SELECT g FROM generate_series(1, 1000) g;
SQL

# a version of the application: what it does to its table, over and over
my $load_timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);
sub load
{
	my ($table, $version, $mode) = @_;
	my $path = "$PostgreSQL::Test::Utils::tmp_check/$version.sql";
	my %load = (version => $version, out => '', err => '');

	append_to_file($path, <<"SQL") unless -e $path;
\\set id random(1, 1000)
\\set other random(1, 1000)
BEGIN;
SELECT id, name, visits FROM $table WHERE id = :id FOR UPDATE;
UPDATE $table SET visits = visits + 1 WHERE id = :id RETURNING visits;
COMMIT;
INSERT INTO $table (name) VALUES ('$version' || :other) ON CONFLICT (name) DO UPDATE SET visits = $table.visits + 1;
SELECT c.name, count(*) FROM $table c JOIN invoice i ON i.customer_id = c.id WHERE c.id = :other GROUP BY c.name;
INSERT INTO $table DEFAULT VALUES;
DELETE FROM $table WHERE id > 1000 AND name IS NULL;
SQL
	$load{run} = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '2', '-T', '600', '-M', $mode, '-f', $path, $node->connstr('postgres') . " application_name=$version" ],
		'<', \undef, '>', \$load{out}, '2>', \$load{err}, $load_timer);
	$node->poll_query_until('postgres',
		"SELECT count(*) >= 2 FROM pg_stat_activity WHERE application_name = '$version'")
	  or die "$version did not start";
	return \%load;
}

# Its sessions are ended from outside, which is FATAL to them, but no ERROR.
sub stop_load
{
	my ($load) = @_;

	ok($load->{run}->pumpable, "$load->{version} works to its end");
	$node->safe_psql('postgres',
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$load->{version}'");
	$load->{run}->finish;
	is_deeply([ grep { /ERROR/ } split /\n/, $load->{err} ], [], 'without an error');
}

my $old = load('customer', 'v1', 'prepared');
$node->safe_psql('postgres', "SELECT zdm_begin_window('v2', 'defer', old_clients => 'v1%')");

# an ordinary, atomic migration
my ($rc, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 1);
BEGIN;
ALTER TABLE "customer" RENAME TO "client";
ALTER TABLE "client" ADD COLUMN "email" text;
CREATE INDEX "client_email" ON "client" ("email");
ALTER TABLE "invoice" ADD CONSTRAINT "invoice_client_fk" FOREIGN KEY ("customer_id") REFERENCES "client" ("id") DEFERRABLE INITIALLY DEFERRED;
CREATE VIEW busy AS SELECT id, name FROM client WHERE visits > 0;
COMMIT;
CALL zdm_wait();
SQL
is($rc, 0, 'the migration of the new version');
like($err, qr/DETAIL:  Until then a view has the new name, on which these fail: .*ON CONFLICT ON CONSTRAINT/, 'says what does not work yet');
my $new = load('client', 'v2_prepared', 'prepared');
my $simple = load('client', 'v2_simple', 'simple');
my $extended = load('client', 'v2_extended', 'extended');
$node->safe_psql('postgres', 'ALTER TABLE client ADD COLUMN phone text');
$node->safe_psql('postgres', 'ALTER TABLE client ALTER COLUMN phone TYPE varchar');
is($node->safe_psql('postgres', 'UPDATE client SET phone = email WHERE id = 1 RETURNING phone IS NULL'), 't',
	'a column that is added meanwhile is there under the new name');

($rc, $out, $err) = $node->psql('postgres', 'SELECT zdm_end_window()');
like($err, qr/cannot be ended yet/, 'while old clients are connected the window does not end');
stop_load($old);
$node->safe_psql('postgres', 'SELECT zdm_end_window()');
$node->safe_psql('postgres', 'CALL zdm_wait()');
is($node->safe_psql('postgres', q{SELECT relname, relkind FROM pg_class WHERE relname IN ('customer', 'client')}),
	'client|r', 'the table has its new name');
my $visits = $node->safe_psql('postgres', 'SELECT sum(visits) FROM client');
$node->poll_query_until('postgres', "SELECT sum(visits) > $visits FROM client");
stop_load($_) foreach ($new, $simple, $extended);
# from 16 on the server leaves out the name of the only table
(my $built = $node->safe_psql('postgres', q{SELECT pg_get_viewdef('busy'), (SELECT confrelid::regclass FROM pg_constraint WHERE conname = 'invoice_client_fk' AND convalidated), (SELECT indrelid::regclass FROM pg_index WHERE indexrelid = 'client_email'::regclass AND indisvalid)})) =~ s/(?<=[ (])client\.//g;
is($built,
	" SELECT id,\n    name\n   FROM client\n  WHERE (visits > 0);|client|client", 'and so has all that was built on it');

# Plans that were made before the end hold after it, wherever they are.
$node->safe_psql('postgres', <<'SQL');
SELECT zdm_begin_window('v3', 'defer');
ALTER TABLE client RENAME TO person;
CREATE FUNCTION by_plpgsql(int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	whole person;
BEGIN
	SELECT * INTO whole FROM person WHERE id = $1;
	UPDATE person SET visits = visits + 1 WHERE id = $1;
	RETURN whole.name;
END $$;
CREATE FUNCTION by_sql(int) RETURNS text LANGUAGE sql AS 'SELECT name FROM person WHERE id = $1';
SQL
my ($in, $sout, $serr) = ('', '', '');
my $psql = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres') ],
	'<', \$in, '>', \$sout, '2>', \$serr, IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
my $work = <<'SQL';
EXECUTE all_of_it(7);
SELECT by_plpgsql(7), by_sql(7);
EXECUTE change(7);
\echo done
SQL
$in .= "SET plan_cache_mode = force_generic_plan;\nPREPARE all_of_it AS SELECT id, name FROM person WHERE id = \$1;\nPREPARE change AS UPDATE person SET visits = 0 WHERE id = \$1 RETURNING name;\n$work";
$psql->pump until $sout =~ /done/;
is($sout, "7|c7\nc7|c7\nc7\ndone\n", 'plans through the view');
$sout = '';
$node->safe_psql('postgres', 'SELECT zdm_end_window()');
$node->safe_psql('postgres', 'CALL zdm_wait()');
$in .= $work;
$psql->pump until $sout =~ /done/ || $serr =~ /ERROR/;
is($sout . $serr, "7|c7\nc7|c7\nc7\ndone\n", 'the same on the table');
$in .= "\\q\n";
$psql->finish;

# a prepared transaction, across a crash
$node->safe_psql('postgres', <<'SQL');
SELECT zdm_begin_window('v4', 'defer');
BEGIN;
ALTER TABLE person RENAME TO human;
ALTER TABLE human ADD COLUMN age int;
PREPARE TRANSACTION 'renames';
SQL
$node->stop('immediate');
$node->start;
($rc, $out, $err) = $node->psql('postgres', 'SELECT count(*) FROM human');
like($err, qr/relation "human" does not exist/, 'nothing of it before the commit');
$node->safe_psql('postgres', "COMMIT PREPARED 'renames'");
is($node->safe_psql('postgres', 'SELECT age IS NULL FROM human WHERE id = 7'), 't', 'all of it after');
$node->safe_psql('postgres', 'CREATE INDEX ON human (age)');
is($node->safe_psql('postgres', q{SELECT tablename FROM pg_indexes WHERE indexname = 'human_age_idx'}), 'person',
	'where later statements reach the table');

# a dump while the window is open: in the copy other OIDs say the same
my $dump = "$PostgreSQL::Test::Utils::tmp_check/renamed.sql";
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql('copy', 'CREATE TABLE shift_1 (a int); CREATE TABLE shift_2 (a serial PRIMARY KEY)');
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
$node->command_ok(
	[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy') . ' options=-czdm.mode=off', '-f', $dump ],
	'restore');
is($node->safe_psql('copy', 'COPY human (name) TO STDOUT') =~ /^c7$/m, 1, 'COPY by the new name in the copy');
$node->safe_psql('copy', "SELECT zdm_resume('v4')");
$node->safe_psql('copy', 'CREATE INDEX by_name ON human (name, age)');
is($node->safe_psql('copy', q{SELECT tablename FROM pg_indexes WHERE indexname = 'by_name'}), 'person',
	'and a statement that has to reach the table');
$node->safe_psql('copy', 'SELECT zdm_end_window()');
$node->safe_psql('copy', 'CALL zdm_wait()');
is($node->safe_psql('copy', q{SELECT relname, relkind FROM pg_class WHERE relname IN ('person', 'human')}),
	'human|r', 'the window of the copy ends');

# a standby: what is read there is read under the new name too
$node->backup('renamed');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'renamed', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', 'SELECT name FROM human WHERE id = 7; COPY human (name) TO STDOUT') =~ /^c7\n(.*\n)*c7$/m, 1,
	'SELECT and COPY on a standby');
$standby->stop;

# given up: the view goes, while clients use the table
$old = load('person', 'v3_again', 'prepared');
$node->safe_psql('postgres', 'SELECT zdm_abort_window(force => true)');
$node->safe_psql('postgres', 'CALL zdm_wait()');
is($node->safe_psql('postgres', q{SELECT relname, relkind FROM pg_class WHERE relname IN ('person', 'human')}),
	'person|r', 'the table is what it was');
stop_load($old);

$node->stop;
done_testing();
