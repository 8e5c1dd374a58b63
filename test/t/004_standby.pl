# Copyright (c) 2026, the zdm developers

# On a standby what only reads works; after failover the window is open and
# the guard stands on the new primary.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
CONF
$primary->start;
$primary->safe_psql('postgres', <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
INSERT INTO t VALUES (1, 1, 1);
SQL
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->safe_psql('postgres', <<'SQL');
SELECT zdm_begin_window('standby');
CREATE TABLE born (a int, b int);
SQL
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));

sub sqlstate
{
	my ($node, $sql) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql(
		'postgres', $sql,
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 1,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	return $stderr =~ /ERROR:\s+(\w{5})/ ? $1 : '';
}

# what reads
is($standby->safe_psql('postgres', 'SELECT name, state FROM zdm_windows'), 'standby|open', 'zdm_windows');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM zdm_history'), '0', 'zdm_history');
is($standby->safe_psql('postgres', 'SELECT bool_and(ok) FROM zdm_window_status()'), 't', 'zdm_window_status');
is( $standby->safe_psql(
		'postgres',
		q{SELECT rule, lock_mode, verdict FROM zdm_check('ALTER TABLE t DROP COLUMN a; CREATE INDEX ON t (a); ALTER TABLE born DROP COLUMN a')}),
	"drop_column|AccessExclusiveLock|refuse\ncreate_index|ShareLock|rewrite\ndrop_column|AccessExclusiveLock|run",
	'zdm_check judges as the primary would');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM zdm_explain('ALTER TABLE t ADD COLUMN c int')}), '1', 'zdm_explain');
is($standby->safe_psql('postgres', q{SELECT count(*) > 50 FROM zdm_rules()}), 't', 'zdm_rules');

# what writes: the server's own word
for my $sql (
	q{SELECT zdm_begin_window('other')}, 'SELECT zdm_end_window()',
	'SELECT zdm_abort_window()', 'ALTER TABLE t DROP COLUMN a',
	'CREATE INDEX ON t (a)', 'CREATE TABLE u (a int)')
{
	is(sqlstate($standby, $sql), '25006', "read-only: $sql");
}

# failover
$primary->stop('immediate');
$standby->promote;
is(sqlstate($standby, 'ALTER TABLE t DROP COLUMN a'), 'ZDM01', 'the new primary refuses what the old one did');
is(sqlstate($standby, 'ALTER TABLE born DROP COLUMN a'), '', 'and knows what was born in the window');
is($standby->safe_psql('postgres', 'SELECT zdm_end_window()'), '0', 'the window is ended there');
is(sqlstate($standby, 'ALTER TABLE t DROP COLUMN a'), '', 'and the column dropped');

$standby->stop;
done_testing();
