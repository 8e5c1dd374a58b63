# Copyright (c) 2026, the zdm developers

# A check never waits: it locks nothing of the user's, so that it answers also
# for tables that someone holds in ACCESS EXCLUSIVE mode.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('no_wait');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
CONF
$node->start;

$node->safe_psql('postgres', <<'SQL');
SET zdm.mode = off;
CREATE EXTENSION zdm;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (x int, y int);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id serial PRIMARY KEY, a int, b text NOT NULL DEFAULT 'b', p int REFERENCES parent,
	d positive, m mood, g int GENERATED ALWAYS AS (a + 1) STORED, CONSTRAINT t_check CHECK (a > 0));
ALTER TABLE t ADD CONSTRAINT t_not_valid CHECK (a > 1) NOT VALID;
CREATE INDEX t_a ON t (a);
CREATE INDEX t_expr ON t (lower(b)) WHERE a > 0;
CREATE TABLE parted (id int, x int) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_default PARTITION OF parted DEFAULT;
CREATE TABLE attached (id int, x int);
CREATE TABLE base (a int);
CREATE TABLE derived () INHERITS (base);
CREATE TABLE typed OF pair;
CREATE VIEW v AS SELECT id, a FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT id, a FROM t;
CREATE UNIQUE INDEX ON mv (id);
CREATE SEQUENCE seq;
CREATE STATISTICS stat ON a, b FROM t;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER trig BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
CREATE RULE ru AS ON DELETE TO t DO ALSO NOTIFY t;
CREATE POLICY po ON t USING (a > 0);
INSERT INTO parent VALUES (1);
INSERT INTO t (a, p, d, m) VALUES (2, 1, 1, 'sad');
INSERT INTO parted VALUES (1, 1), (2, 2);
INSERT INTO derived VALUES (1);
INSERT INTO typed VALUES (1, 1);
REFRESH MATERIALIZED VIEW mv;
CREATE ROLE reader;
GRANT SELECT ON t TO reader;
SQL

my $script = <<'SQL';
ALTER TABLE t ADD COLUMN z int DEFAULT random();
ALTER TABLE t ADD COLUMN z positive CHECK (z > 0);
ALTER TABLE t ALTER a SET NOT NULL;
ALTER TABLE t ALTER b TYPE varchar(10), ALTER a TYPE bigint;
ALTER TABLE t ADD CHECK (a > 2);
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES parent;
ALTER TABLE t ADD UNIQUE (a), ADD EXCLUDE (a WITH =);
ALTER TABLE t VALIDATE CONSTRAINT t_not_valid;
ALTER TABLE t DROP CONSTRAINT t_check;
ALTER TABLE t DROP COLUMN a CASCADE;
ALTER TABLE t DROP COLUMN g;
ALTER TABLE t SET UNLOGGED;
ALTER TABLE t RENAME COLUMN b TO c;
ALTER TABLE t RENAME CONSTRAINT t_check TO c;
ALTER TABLE t OWNER TO reader;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
ALTER TABLE t DISABLE TRIGGER trig;
ALTER TABLE t CLUSTER ON t_a;
ALTER TABLE parted ATTACH PARTITION attached FOR VALUES IN (3);
ALTER TABLE parted DETACH PARTITION parted_1;
CREATE TABLE parted_4 PARTITION OF parted FOR VALUES IN (4);
ALTER TABLE base ADD COLUMN z int NOT NULL;
ALTER TABLE base ADD CHECK (a > 0);
CREATE INDEX ON t (b);
CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);
CREATE INDEX ON parted (x);
DROP INDEX t_expr;
REINDEX TABLE t;
REINDEX INDEX t_a;
CLUSTER t;
VACUUM FULL t;
TRUNCATE parent CASCADE;
LOCK TABLE t;
REFRESH MATERIALIZED VIEW mv;
REFRESH MATERIALIZED VIEW CONCURRENTLY mv;
CREATE OR REPLACE VIEW v AS SELECT id, a FROM t WHERE a > 0;
CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
CREATE TRIGGER trig_2 AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
CREATE RULE ru_2 AS ON UPDATE TO t DO ALSO NOTIFY t;
CREATE POLICY po_2 ON t;
ALTER POLICY po ON t USING (true);
CREATE STATISTICS stat_2 ON a, d FROM t;
CREATE PUBLICATION pub FOR TABLE t;
COMMENT ON COLUMN t.b IS 'c';
COMMENT ON TRIGGER trig ON t IS 'c';
GRANT SELECT ON t TO PUBLIC;
REVOKE SELECT ON t FROM reader;
REASSIGN OWNED BY CURRENT_USER TO reader;
ALTER DOMAIN positive ADD CHECK (VALUE < 100);
ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy';
ALTER TYPE pair ADD ATTRIBUTE z int CASCADE;
ALTER SEQUENCE seq RESTART;
ALTER TRIGGER trig ON t RENAME TO trig_3;
ALTER INDEX t_a RENAME TO t_b;
UPDATE t SET a = 1;
DELETE FROM t;
SELECT * FROM t;
INSERT INTO t (a) VALUES (1);
COPY t FROM STDIN;
CREATE TABLE child (id int REFERENCES parent, LIKE t INCLUDING ALL);
CREATE TABLE copy AS SELECT * FROM t;
DROP TRIGGER trig ON t;
DROP POLICY po ON t;
DROP STATISTICS stat;
DROP VIEW v;
DROP TYPE mood CASCADE;
DROP FUNCTION f() CASCADE;
DROP TABLE parted_1;
DROP TABLE parent CASCADE;
DROP OWNED BY reader;
DROP SCHEMA public CASCADE;
SQL
my $lines = () = $script =~ /;$/mg;

# what a check locks: catalogs, zdm's own tables, and nothing else
is( $node->safe_psql(
		'postgres', <<SQL),
BEGIN;
SELECT count(DISTINCT statement) FROM zdm_check(\$check\$$script\$check\$);
SELECT locktype, mode, relation::regclass FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid' AND
	(locktype <> 'relation' OR mode <> 'AccessShareLock' OR
	 relation >= 16384 AND relation::regclass::text !~ '^zdm\\.');
COMMIT;
SQL
	$lines, 'a check of every kind of statement locks catalogs only, and weakly');

# each statement by itself, while all of it is locked
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN');
$holder->query_safe(<<'SQL');
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT oid::regclass AS name, relkind FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relname !~ '^zdm'
	LOOP
		IF r.relkind IN ('r', 'p', 'v') THEN
			EXECUTE format('LOCK TABLE %s', r.name);
		ELSIF r.relkind = 'S' THEN
			EXECUTE format('ALTER SEQUENCE %s OWNER TO CURRENT_USER', r.name);
		ELSIF r.relkind = 'm' THEN
			EXECUTE format('ALTER MATERIALIZED VIEW %s SET SCHEMA public', r.name);
		END IF;
	END LOOP;
END $$;
SQL
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation::regclass::text IN ('t', 'parent', 'mv', 'v', 'seq')}),
	'5', 'tables, views and sequences are held');

my $failed = 0;
my $sql = "SET statement_timeout = '10s';\n";
$sql .= "SELECT 1 FROM zdm_check(\$check\$$_\$check\$) LIMIT 1;\n" for split /\n/, $script;
my ($stdout, $stderr) = ('', '');
$node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
is($stderr, '', 'no check waits, nor fails');
is(scalar(my @answers = split /\n/, $stdout), $lines, 'each is answered');
is($node->safe_psql('postgres', q{SET statement_timeout = '10s'; SELECT count(*) FROM zdm_explain('ALTER TABLE t DROP COLUMN a')}),
	'1', 'zdm_explain does not wait');
is($node->safe_psql('postgres', q{SET statement_timeout = '10s'; SELECT zdm_begin_window('w') > 0}), 't', 'nor does a window');
is($node->safe_psql('postgres', q{SET statement_timeout = '10s'; SELECT bool_and(ok) FROM zdm_window_status()}), 't', 'nor its status');

# a statement that is refused is refused at once, without a lock
$node->psql('postgres', q{SET statement_timeout = '10s'; ALTER TABLE t DROP COLUMN a}, stderr => \$stderr);
like($stderr, qr/ALTER TABLE refused/, 'a refusal does not wait for the table');

$holder->query_safe('ROLLBACK');
$holder->quit;
$node->stop;
done_testing();
