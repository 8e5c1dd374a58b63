# Copyright (c) 2026, the zdm developers

# What zdm never touches: mode off, temporary tables, catalogs, extension
# scripts, pg_restore, single-user mode; and what mode warn does.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('exemptions');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
max_prepared_transactions = 5
shared_preload_libraries = 'zdm'
zdm.small_table = 0
CONF
$node->start;

sub run_sql
{
	my ($sql, %options) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql(
		$options{dbname} // 'postgres', $sql,
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 1,
		extra_params => [ '-v', 'VERBOSITY=verbose', @{ $options{extra} // [] } ]);
	return $stderr;
}

sub sqlstate
{
	return run_sql(@_) =~ /ERROR:\s+(\w{5})/ ? $1 : '';
}

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int);
INSERT INTO t SELECT g, g, g, g FROM generate_series(1, 100) g;
SELECT zdm_begin_window('exemptions');
SQL
is(sqlstate('BEGIN; CREATE INDEX ON t (a)'), 'ZDM01', 'the guard is there');
is(sqlstate('ALTER TABLE t DROP COLUMN b'), 'ZDM01', 'and the window');

# modes
is(run_sql('SET zdm.mode = off; BEGIN; CREATE INDEX ON t (a); ALTER TABLE t DROP COLUMN b; ROLLBACK'),
	'', 'mode off says nothing and runs everything');
my $stderr = run_sql('SET zdm.mode = warn; BEGIN; CREATE INDEX ON t (a); ALTER TABLE t DROP COLUMN b; ROLLBACK');
unlike($stderr, qr/ERROR/, 'mode warn runs everything');
like($stderr, qr/WARNING:\s+ZDM01: unsafe CREATE INDEX: .*t.*\n.*DETAIL:.*create_index.*\n.*HINT:.*CONCURRENTLY/m,
	'but warns with the rule and the safe form');
like($stderr, qr/WARNING:\s+ZDM01: unsafe ALTER TABLE: dropping column "b"/, 'of each hazard');
is($node->safe_psql('postgres', q{SET client_min_messages = error; SET zdm.mode = warn; CREATE INDEX warned ON t (a);
		SELECT decision FROM zdm_history WHERE sql ~ 'warned'}),
	'warn', 'and keeps a trace in zdm_history');
is(sqlstate('SET zdm.mode = off; DROP INDEX warned'), '', 'without a trace in mode off');
is($node->safe_psql('postgres', q{SELECT count(*) FROM zdm_history WHERE sql ~ 'DROP INDEX'}), '0', 'none');
is($node->safe_psql('postgres', q{SET zdm.mode = off; SELECT DISTINCT verdict FROM zdm_check('CREATE INDEX ON t (a)')}),
	'run', 'zdm_check knows the mode');

# temporary tables, new tables, catalogs
is( sqlstate(q{CREATE TEMP TABLE tt (a int, b int); INSERT INTO tt VALUES (1, 1);
		CREATE INDEX ON tt (a); ALTER TABLE tt DROP COLUMN b; ALTER TABLE tt ALTER a TYPE text; TRUNCATE tt; DROP TABLE tt}),
	'',
	'temporary tables');
is( sqlstate(q{BEGIN; CREATE TABLE made (a int, b int); INSERT INTO made VALUES (1, 1); CREATE INDEX ON made (a);
		ALTER TABLE made ALTER a TYPE text; TRUNCATE made; ALTER TABLE made DROP COLUMN b; DROP TABLE made; COMMIT}),
	'',
	'tables of the same transaction');
is(sqlstate('VACUUM FULL pg_description; REINDEX TABLE pg_description; REINDEX INDEX pg_class_oid_index'),
	'', 'system catalogs');
is(sqlstate('CREATE TABLE empty_table (a int, b int); CREATE INDEX ON empty_table (a); ALTER TABLE empty_table ALTER a TYPE text'),
	'', 'empty tables have no lock hazard');

# two-phase commit
is( sqlstate(
		q{BEGIN; CREATE TABLE two_phase (a int); INSERT INTO two_phase VALUES (1); PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'; ALTER TABLE two_phase RENAME a TO b}),
	'',
	'what a prepared transaction has made in the window is born in it');

# pg_restore of a whole database, with the guard and an open window
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dump.custom", $node->connstr('postgres') ], 'pg_dump, custom');
$node->command_ok([ 'pg_dump', '-f', "$dump.sql", $node->connstr('postgres') ], 'pg_dump, plain');
$node->safe_psql('postgres', 'CREATE DATABASE restored; CREATE DATABASE restored_plain; CREATE DATABASE restored_off');
{
	# pg_restore is known by the application_name that it gives itself
	delete local $ENV{PGAPPNAME};
	$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), "$dump.custom" ],
		'pg_restore is let through');
}
$node->command_ok([ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored_plain'), '-f', "$dump.sql" ],
	'psql -1 of a plain dump: all tables are new');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored_off') . q{ options='-c zdm.mode=off'}, '-f', "$dump.sql" ],
	'psql with zdm.mode off');
for my $db ('restored', 'restored_plain', 'restored_off')
{
	is($node->safe_psql($db, 'SELECT name, state, on_unsafe FROM zdm_windows'),
		'exemptions|open|refuse', "$db: the window is there");
	is($node->safe_psql($db, q{SELECT count(*) > 0 FROM zdm_history}), 't', "$db: and the history");
	is($node->safe_psql($db, 'SELECT count(*), sum(a) FROM t'), '100|5050', "$db: and the data");
	is(sqlstate('ALTER TABLE t DROP COLUMN b', dbname => $db), 'ZDM01', "$db: and the guard");
	is($node->safe_psql($db, q{SELECT zdm_end_window('exemptions'), zdm_begin_window('next') > 1}),
		'0|t', "$db: the window can be ended, the sequence goes on");
}
is($node->safe_psql('postgres', q{SELECT state FROM zdm_windows}), 'open', 'the original is as it was');

# an extension's script runs unchecked
is(sqlstate('CREATE EXTENSION pgtap; DROP EXTENSION pgtap'),
	'', 'extension scripts; an extension that the window has made can go');
is(sqlstate('DROP EXTENSION plpgsql CASCADE'), 'ZDM01', 'an older one cannot');

# single-user mode: no window, no guard
$node->stop;
my ($in, $out, $err) = ("CREATE INDEX single ON t (a)\nALTER TABLE t DROP COLUMN c\nSELECT count(*) AS checked FROM zdm_check('DROP TABLE t')\n", '', '');
my $result = run_log([ 'postgres', '--single', '-D', $node->data_dir, '-F', 'postgres' ], '<', \$in, '>', \$out, '2>', \$err);
ok($result, 'single-user mode ends well');
unlike($err, qr/ERROR|FATAL|PANIC/, 'nothing is refused in it');
like($out, qr/checked = "1"/, 'zdm_check works in it');
$node->start;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'single'}), '1', 'the statements have run');
is(sqlstate('ALTER TABLE t DROP COLUMN b'), 'ZDM01', 'the window is open after that');

# a crash does not lose the window either
$node->stop('immediate');
$node->start;
is(sqlstate('ALTER TABLE t DROP COLUMN b'), 'ZDM01', 'nor after a crash');
is($node->safe_psql('postgres', 'SELECT zdm_end_window()'), '0', 'it is ended');
is(sqlstate('ALTER TABLE t DROP COLUMN b'), '', 'and the column dropped');

$node->stop;
done_testing();
