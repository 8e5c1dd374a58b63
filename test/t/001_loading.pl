# Copyright (c) 2026, the zdm developers

# The guard works however the library comes into a session: for the whole
# cluster, by session_preload_libraries, by LOAD, or with the first function.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('loading');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

# Run SQL; returns the SQLSTATE of the last error, or an empty string.
sub sqlstate
{
	my ($sql, %options) = @_;
	my ($stdout, $stderr) = ('', '');
	my $dbname = delete $options{dbname} // 'postgres';

	$node->psql(
		$dbname, $sql,
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 1,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ],
		%options);
	return $stderr =~ /ERROR:\s+(\w{5})/ ? $1 : '';
}

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, d int, e int, f int);
INSERT INTO t VALUES (1, 1, 1, 1, 1, 1, 1);
SELECT zdm_begin_window('loading');
SQL

# not loaded: no guard
is(sqlstate('ALTER TABLE t DROP COLUMN a'), '', 'a session without the library is not guarded');

# loaded in the session
is(sqlstate("LOAD 'zdm'; ALTER TABLE t DROP COLUMN b"), 'ZDM01', 'LOAD loads the guard');
is(sqlstate('SELECT count(*) FROM zdm_rules(); ALTER TABLE t DROP COLUMN b'),
	'ZDM01', 'so does the first call of a function');
is(sqlstate("BEGIN; LOAD 'zdm'; SAVEPOINT s; ALTER TABLE t DROP COLUMN b"),
	'ZDM01', 'LOAD inside a transaction too');
is( $node->safe_psql(
		'postgres', "SET zdm.mode = warn; LOAD 'zdm'; SHOW zdm.mode"),
	'warn',
	'a setting made before the library is loaded is kept');
is(sqlstate("SET zdm.mode = nonsense; LOAD 'zdm'; ALTER TABLE t DROP COLUMN b"),
	'ZDM01', 'a wrong one is dropped, and the guard stands');
is(sqlstate("LOAD 'zdm'; LOAD 'zdm'; ALTER TABLE t DROP COLUMN b"),
	'ZDM01', 'twice is no harm');

# by role, by database, for the cluster
$node->safe_psql('postgres', <<'SQL');
ALTER DATABASE postgres SET session_preload_libraries = 'zdm';
SQL
is(sqlstate('ALTER TABLE t DROP COLUMN b'), 'ZDM01', 'session_preload_libraries of the database');
is($node->safe_psql('postgres', 'SHOW zdm.lock_timeout'), '200ms', 'the settings are there');
$node->safe_psql('postgres', <<'SQL');
SET zdm.mode = off;
ALTER DATABASE postgres RESET session_preload_libraries;
CREATE ROLE deployer SUPERUSER LOGIN;
ALTER ROLE deployer SET session_preload_libraries = 'zdm';
SQL
is(sqlstate('ALTER TABLE t DROP COLUMN c', extra_params => [ '-v', 'VERBOSITY=sqlstate', '-U', 'deployer' ]),
	'ZDM01', 'session_preload_libraries of the role');
is(sqlstate('ALTER TABLE t DROP COLUMN c'), '', 'and of no other');

$node->append_conf('postgresql.conf', "session_preload_libraries = 'zdm'\n");
$node->reload;
is(sqlstate('ALTER TABLE t DROP COLUMN d'), 'ZDM01', 'session_preload_libraries of the cluster');

$node->append_conf('postgresql.conf',
	"session_preload_libraries = ''\nshared_preload_libraries = 'zdm'\n");
$node->restart;
is(sqlstate('ALTER TABLE t DROP COLUMN d'), 'ZDM01', 'shared_preload_libraries');

# other databases
$node->safe_psql('postgres', 'CREATE DATABASE without');
is( sqlstate(
		'CREATE TABLE u (a int, b int); INSERT INTO u VALUES (1, 1); ALTER TABLE u DROP COLUMN a; CREATE INDEX ON u (b)',
		dbname => 'without'),
	'',
	'a database without the extension is left alone');
is(sqlstate("SET zdm.small_table = 0; CREATE EXTENSION zdm; BEGIN; CREATE INDEX ON u (b)", dbname => 'without'),
	'ZDM01', 'until the extension is created there');
is(sqlstate('BEGIN; DROP EXTENSION zdm; ROLLBACK; SET zdm.small_table = 0; BEGIN; CREATE INDEX ON u (b)', dbname => 'without'),
	'ZDM01', 'a drop that is rolled back changes nothing');
is(sqlstate('SET zdm.small_table = 0; DROP EXTENSION zdm; CREATE INDEX ON u (b)', dbname => 'without'),
	'', 'and after it is dropped');

# the schema of the functions is free
$node->safe_psql('without', 'CREATE SCHEMA "My Tools"; CREATE EXTENSION zdm SCHEMA "My Tools"');
is($node->safe_psql('without', q{SELECT "My Tools".zdm_begin_window('w') > 0}),
	't', 'the functions work in a schema of the user\'s choice');
is(sqlstate('ALTER TABLE u DROP COLUMN b', dbname => 'without'), 'ZDM01', 'and so does the guard');
is($node->safe_psql('without', q{SELECT "My Tools".zdm_end_window()}), '0', 'the window is ended');

$node->stop;
done_testing();
