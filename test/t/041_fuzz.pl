# Copyright (c) 2026, the zdm developers

# The short form of "make fuzz": a few thousand changed statements, the same
# ones every time.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('fuzz');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
max_prepared_transactions = 5
restart_after_crash = on
log_statement = none
CONF
$node->start;

$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{ZDM_WORK} = PostgreSQL::Test::Utils::tempdir();
$ENV{FUZZ_LOG} = $node->logfile;
$ENV{FUZZ_SEED} = 1;
$ENV{FUZZ_STATEMENTS} = 5000;
my ($stdout, $stderr);
my $result = IPC::Run::run [ 'test/fuzz/run' ], '>', \$stdout, '2>', \$stderr;
is($stderr, '', 'nothing that the fuzz did not expect');
like($stdout, qr/\bno crash, no internal error, no leak, nothing half done\b/, '5000 statements');
ok($result, 'exit status');

# what it claims to have done, it has
my $log = slurp_file($node->logfile);
cmp_ok(() = $log =~ /^LOG:  fuzz: seed/mg, '>=', 10, 'rounds');
cmp_ok(() = $log =~ / ZDM01 /g, '>', 20, 'statements that were refused or warned of');
cmp_ok(() = $log =~ / 42601 ERROR/g, '>', 100, 'syntax errors');
cmp_ok($node->safe_psql('fuzz_check', q{SELECT count(*) FROM fuzz.corpus WHERE cardinality(tokens) > 1}), '>', 400, 'a corpus');

cmp_ok(-s "$ENV{ZDM_WORK}/fuzz.warn", '>', 5000, 'statements that failed with zdm as without it');

$node->stop;
done_testing();
