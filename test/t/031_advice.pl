# Copyright (c) 2026, the zdm developers

# The SQL that zdm advises is run as it stands, guarded by zdm itself, and has
# to reach what the plain statement reaches: columns, defaults, constraints,
# indexes and rows, by name.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('advice');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'zdm'
zdm.small_table = 0
autovacuum = off
CONF
$node->start;
my $version = int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);
$node->safe_psql('postgres', 'CREATE EXTENSION zdm');

my $fixture = <<'SQL';
SET client_min_messages = warning;
SET zdm.mode = off;
DROP SCHEMA IF EXISTS o CASCADE;
CREATE SCHEMA o;
SET search_path = o;
CREATE TABLE u (id int PRIMARY KEY, code varchar(10) UNIQUE);
INSERT INTO u SELECT g, g FROM generate_series(1, 50) g;
CREATE TABLE t (id int, a int, b int NOT NULL, "Mixed" int, v varchar(10), ck varchar(10),
	code varchar(10), CONSTRAINT checked CHECK (ck <> ''));
INSERT INTO t SELECT g, g, g, g, g, g, g FROM generate_series(1, 50) g;
ALTER TABLE t ADD CONSTRAINT t_a_check CHECK (a IS NULL OR a < 1000);
CREATE INDEX t_v ON t (lower(v)) WHERE v <> '';
CREATE INDEX t_code ON t (code);
CREATE UNIQUE INDEX t_a_idx ON t (a);
CREATE TABLE parted (id int NOT NULL, k int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (30);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (30) TO (100);
INSERT INTO parted SELECT g, g FROM generate_series(1, 50) g;
SQL

# What there is in the schema, one line a thing.  Whether a partition has its
# not-null constraint by itself too differs with the way a primary key came
# about, and makes no difference.
my $description = <<'SQL';
SELECT 'column', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull,
	pg_get_expr(adbin, adrelid)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
	LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'o'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
ORDER BY 2, 3;
SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated,
	condeferrable, condeferred, contype <> 'n' AND conislocal, coninhcount
FROM pg_constraint WHERE connamespace = 'o'::regnamespace ORDER BY conrelid::regclass::text, conname;
SELECT 'index', indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid, indisready
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace = 'o'::regnamespace ORDER BY indexrelid::regclass::text;
SELECT 'sequence', oid::regclass FROM pg_class WHERE relkind = 'S' AND relnamespace = 'o'::regnamespace;
SELECT 'row', t.* FROM o.t ORDER BY id;
SQL

my @statements = (
	'ALTER TABLE o.t ADD COLUMN z float DEFAULT power(0, random() + 1)',
	'ALTER TABLE o.t ADD COLUMN z serial',
	'ALTER TABLE o.t ADD COLUMN z int DEFAULT 1 NOT NULL CHECK (z > 0)',
	'ALTER TABLE o.t ADD COLUMN z int UNIQUE',
	'ALTER TABLE o.t ADD COLUMN z int CONSTRAINT named UNIQUE',
	'ALTER TABLE o.t ADD COLUMN z int DEFAULT 1 REFERENCES o.u',
	'ALTER TABLE o.t ALTER COLUMN "Mixed" SET NOT NULL',
	'ALTER TABLE o.t ADD CHECK (a > 0)',
	'ALTER TABLE o.t ADD CHECK (a > 0 AND id > 0)',
	'ALTER TABLE o.t ADD CONSTRAINT "My Check" CHECK ("Mixed" IN (SELECT_LIST))',
	'ALTER TABLE o.t ADD UNIQUE (a)',
	'ALTER TABLE o.t ADD UNIQUE (a, "Mixed") INCLUDE (b)',
	'ALTER TABLE o.t ADD CONSTRAINT k UNIQUE (a) DEFERRABLE INITIALLY DEFERRED',
	'ALTER TABLE o.t ADD UNIQUE NULLS NOT DISTINCT (a)',
	'ALTER TABLE o.t ADD PRIMARY KEY (b)',
	'ALTER TABLE o.t ADD PRIMARY KEY (id, "Mixed")',
	'ALTER TABLE o.t ADD CONSTRAINT pk PRIMARY KEY USING INDEX t_a_idx',
	'ALTER TABLE o.t ADD FOREIGN KEY (a) REFERENCES o.u',
	'ALTER TABLE o.t ADD CONSTRAINT "My Key" FOREIGN KEY (code) REFERENCES o.u (code) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE',
	'ALTER TABLE o.t ALTER COLUMN v TYPE varchar(20)',
	'ALTER TABLE o.t ALTER COLUMN ck TYPE varchar(20)',
	'ALTER TABLE o.t ALTER COLUMN code TYPE text COLLATE "C"',
	'ALTER TABLE o.parted ADD UNIQUE (id)',
	'ALTER TABLE o.parted ADD CHECK (k > 0)',
	'CREATE INDEX new_idx ON o.t (a)',
	'CREATE UNIQUE INDEX ON o.t (a) WHERE b > 0',
	'CREATE INDEX ON o.parted (k)',
	'DROP INDEX o.t_v',
	'REINDEX TABLE o.t',
	'ALTER TABLE o.parted ALTER COLUMN k SET NOT NULL',
);
push @statements, 'ALTER TABLE o.parted ADD CONSTRAINT k FOREIGN KEY (k) REFERENCES o.u'
  if $version >= 18;
# from 18 on it makes the not-null constraints of partitions local
push @statements,
  'ALTER TABLE o.parted ADD CONSTRAINT k PRIMARY KEY (id)',
  'ALTER TABLE o.parted ADD PRIMARY KEY (id, k) DEFERRABLE'
  if $version < 18;

foreach my $statement (@statements)
{
	$statement =~ s/SELECT_LIST/join(', ', 1 .. 50)/e;

	my ($plain, $hint, $advised, $stderr);

	$node->safe_psql('postgres', $fixture . "RESET search_path;\n$statement;");
	$plain = $node->safe_psql('postgres', $description);

	$node->safe_psql('postgres', $fixture);
	# the rows of one statement advise on each other: the first is enough
	$hint = $node->safe_psql('postgres',
		"SELECT hint FROM zdm_check(\$q\$$statement\$q\$) WHERE class = 'lock' AND verdict IN ('refuse', 'rewrite') LIMIT 1"
	);
	isnt($hint, '', "advice on: $statement");
	$stderr = '';
	is( $node->psql('postgres', $hint, stderr => \$stderr, on_error_stop => 1),
		0, "it runs: $hint");
	unlike($stderr, qr/ERROR|WARNING/, 'without an error or a warning');
	$advised = $node->safe_psql('postgres', $description);
	is($advised, $plain, 'and reaches what the plain statement does');
}

$node->stop;
done_testing();
