# Copyright (c) 2026, the zdm developers

# A dump that is taken while a statement is carried out holds what its steps
# have done so far, and the ledger.  In the restored copy zdm_run() undoes
# that, by names, since OIDs mean something else there.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('copy');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'zdm'
zdm.small_table = 0
autovacuum = off
CONF
$node->start;

# Relations without a meaning give the copy's tables other OIDs.
$node->safe_psql('postgres', 'CREATE DATABASE original');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql('copy', 'CREATE TABLE shift_1 (a int); CREATE TABLE shift_2 (a serial PRIMARY KEY)');
$node->safe_psql('original', <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE t (id int, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;
CREATE TABLE innocent (a int CONSTRAINT fine CHECK (a > 5));
SQL

# CREATE INDEX CONCURRENTLY, the third step, waits for an old snapshot.
my $psql_timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);
sub session
{
	my %session = (in => '', out => '', err => '');

	$session{run} = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('original') ],
		'<', \$session{in}, '>', \$session{out}, '2>', \$session{err}, $psql_timer);
	return \%session;
}
my $old = session();
$old->{in} .= "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM innocent;\n\\echo begun\n";
$old->{run}->pump until $old->{out} =~ /begun/;
my $ddl = session();
$ddl->{in} .= "ALTER TABLE t ADD CHECK (a > 0), ADD UNIQUE (id);\n\\echo over\n";
$ddl->{run}->pump_nb;
ok($node->poll_query_until('original', "SELECT state = 'running' AND waits_for <> '{}' FROM zdm_steps WHERE step = 3"),
	'the statement is half way');

my $dump = "$PostgreSQL::Test::Utils::tmp_check/half_way.sql";
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('original') ], 'dump');
$old->{in} .= "ROLLBACK;\n\\q\n";
$old->{run}->finish;
$ddl->{run}->pump until $ddl->{out} =~ /over/;
unlike($ddl->{err}, qr/ERROR/, 'the statement is carried out in the original');
$ddl->{in} .= "\\q\n";
$ddl->{run}->finish;

$node->command_ok(
	[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy') . ' options=-czdm.mode=off', '-f', $dump ],
	'restore');
my $constraints = "SELECT conrelid::regclass, conname, contype FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conrelid::regclass::text !~ 'shift' ORDER BY conname COLLATE \"C\" DESC";
is($node->safe_psql('copy', $constraints), "t|t_a_check|c\ninnocent|fine|c", 'the copy has half of it');
is($node->safe_psql('copy', 'SELECT step, state FROM zdm_steps ORDER BY 1'),
	"1|done\n2|done\n3|running\n4|queued", 'and knows');
my ($rc, $stdout, $stderr) = $node->psql('copy', 'CALL zdm_run()');
is($rc, 0, 'zdm_run in the copy');
like($stderr, qr/ended what a lost session had left of: ALTER TABLE t ADD CHECK/, 'says what it ends');
is($node->safe_psql('copy', $constraints), 'innocent|fine|c', 'and undoes the statement, and nothing else');
is($node->safe_psql('copy', 'SELECT count(*) FROM zdm_steps'), '0', 'which the ledger has forgotten');
is($node->safe_psql('copy', 'SELECT count(*) FROM pg_class WHERE relname ~ $$^shift$$ AND relkind = $$r$$'), '2', 'whatever the OIDs');

is($node->safe_psql('original', $constraints), "t|t_id_key|u\nt|t_a_check|c\ninnocent|fine|c", 'the original has all of it');
is($node->safe_psql('original', q{CALL zdm_run(); SELECT count(*) FROM zdm_steps WHERE state <> 'done'}), '0', 'and nothing to end');

$node->stop;
done_testing();
