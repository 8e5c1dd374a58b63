# Copyright (c) 2026, the zdm developers

# What zdm_check says of a statement's lock, rewrite and scan is compared with
# what the server is seen to do when it runs the plain statement.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('oracle');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'zdm'
zdm.small_table = 0
autovacuum = off
TimeZone = 'UTC'
CONF
$node->start;

my $version = $node->safe_psql('postgres', 'SHOW server_version_num') / 10000;
$version = int($version);

# The tables are filled, so that a scan or a rewrite has something to do.
$node->safe_psql('postgres', <<'SQL');
SET zdm.mode = off;
CREATE EXTENSION zdm;
CREATE ROLE oracle_role;
CREATE SCHEMA o;
SET search_path = o, public;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN anyint AS int;
CREATE DOMAIN useddom AS int;
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION stable_fn() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION volatile_fn() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION trg_fn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE SEQUENCE seq1;

CREATE TABLE u (id int PRIMARY KEY, code text NOT NULL UNIQUE, big bigint);
INSERT INTO u SELECT g, 'c' || g, g FROM generate_series(1, 2000) g;

CREATE TABLE t (
	id int PRIMARY KEY,
	a int, b int, c int NOT NULL DEFAULT 7,
	proven int, unproven int,
	s varchar(20), e varchar(20), w varchar(20), ck varchar(20), cknv varchar(20),
	txt text, ch char(8), n numeric(10,2), ts timestamp, tz timestamptz, tsi timestamp,
	d date, bit8 bit(8), net cidr, iv interval(3), arr varchar(20)[],
	m mood, dom useddom, free int, j jsonb, gen int GENERATED ALWAYS AS (a * 2) STORED,
	excl int4range, uid int);
INSERT INTO t (id, a, b, proven, unproven, s, e, w, ck, cknv, txt, ch, n, ts, tz, tsi, d, bit8,
	net, iv, arr, m, dom, free, excl, uid)
	SELECT g, g, g, g, g, 's' || g, 'e' || g, 'w' || g, 'k' || g, 'k' || g, 't', 'x', g, now(),
		now(), now(), now(), B'10101010', '10.0.0.0/8', '1 day', '{a}', 'ok', g, g,
		int4range(g, g + 1), g
	FROM generate_series(1, 2000) g;
ALTER TABLE t ADD CONSTRAINT t_proven CHECK (proven IS NOT NULL AND proven > 0);
ALTER TABLE t ADD CONSTRAINT t_nv CHECK (unproven IS NOT NULL) NOT VALID;
ALTER TABLE t ADD CONSTRAINT t_ck CHECK (ck <> '');
ALTER TABLE t ADD CONSTRAINT t_cknv CHECK (cknv <> '') NOT VALID;
ALTER TABLE t ADD CONSTRAINT t_b_fkey FOREIGN KEY (b) REFERENCES u;
ALTER TABLE t ADD CONSTRAINT t_a_fkey FOREIGN KEY (a) REFERENCES u NOT VALID;
CREATE INDEX t_s_idx ON t (s);
CREATE INDEX t_s_pattern ON t (s varchar_pattern_ops);
CREATE INDEX t_e_expr ON t (lower(e));
CREATE INDEX t_w_partial ON t (id) WHERE w <> '';
CREATE INDEX t_b_incl ON t (b) INCLUDE (n);
CREATE INDEX t_tsi_idx ON t (tsi);
CREATE INDEX t_net_idx ON t (net inet_ops);
CREATE INDEX t_d_idx ON t (d);
CREATE INDEX t_gin ON t USING gin (j);
CREATE INDEX t_txt_idx ON t (txt);
CREATE UNIQUE INDEX t_uid_idx ON t (uid);
CREATE UNIQUE INDEX t_c_id_idx ON t (c, id);
CREATE UNIQUE INDEX t_a_uidx ON t (a);
CREATE TRIGGER t_trg BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trg_fn();
CREATE RULE t_rule AS ON DELETE TO t WHERE old.id < 0 DO INSTEAD NOTHING;
CREATE POLICY t_pol ON t USING (true);
CREATE STATISTICS t_stat ON a, b FROM t;
CREATE VIEW t_view AS SELECT id, gen FROM t;
CREATE MATERIALIZED VIEW t_mat AS SELECT id, a FROM t;
CREATE UNIQUE INDEX t_mat_idx ON t_mat (id);
COMMENT ON TABLE t IS 'filled';

CREATE TABLE nopk (id int NOT NULL, n2 int, x int);
INSERT INTO nopk SELECT g, g, g FROM generate_series(1, 2000) g;
CREATE UNIQUE INDEX nopk_id_idx ON nopk (id);
CREATE UNIQUE INDEX nopk_n2_idx ON nopk (n2);
CREATE TABLE fkc (id int PRIMARY KEY, uid int REFERENCES u, ucode text REFERENCES u (code));
INSERT INTO fkc SELECT g, g, 'c' || g FROM generate_series(1, 2000) g;
CREATE TABLE sr (id serial PRIMARY KEY, ident int GENERATED ALWAYS AS IDENTITY, x int);
INSERT INTO sr (x) SELECT g FROM generate_series(1, 2000) g;
CREATE UNLOGGED TABLE ul (id int);
INSERT INTO ul SELECT g FROM generate_series(1, 2000) g;

CREATE TABLE p (id int NOT NULL, k int, v varchar(10)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000);
CREATE TABLE pdef PARTITION OF p DEFAULT;
INSERT INTO p SELECT g, g, g FROM generate_series(1, 3000) g;
CREATE INDEX p_v_idx ON p (v);
CREATE TABLE pnew (id int NOT NULL, k int, v varchar(10));
INSERT INTO pnew SELECT g, g, g FROM generate_series(5000, 5999) g;
CREATE TABLE pproven (id int NOT NULL, k int, v varchar(10), CHECK (id >= 6000 AND id < 7000));
INSERT INTO pproven SELECT g, g, g FROM generate_series(6000, 6999) g;
CREATE TABLE q (id int NOT NULL, k int) PARTITION BY RANGE (id);
CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (5000);
INSERT INTO q SELECT g, g FROM generate_series(1, 2000) g;
CREATE TABLE qnew (id int NOT NULL, k int);
INSERT INTO qnew SELECT g, g FROM generate_series(5000, 5999) g;

CREATE TABLE par (id int, x int);
CREATE TABLE kid (y int) INHERITS (par);
INSERT INTO par SELECT g, g FROM generate_series(1, 2000) g;
INSERT INTO kid SELECT g, g, g FROM generate_series(1, 2000) g;
CREATE TABLE orphan (id int, x int, y int);

-- Runs a statement in a subtransaction that is rolled back, and says what it
-- did to relations that were there before.
CREATE FUNCTION public.observe(stmt text, OUT lock_mode text, OUT rewrites boolean,
							   OUT scans boolean, OUT error text)
LANGUAGE plpgsql AS $$
DECLARE
	nodes_before jsonb;
	scans_before jsonb;
	modes text[] := ARRAY['AccessShareLock', 'RowShareLock', 'RowExclusiveLock',
		'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
		'AccessExclusiveLock'];
BEGIN
	SELECT jsonb_object_agg(c.oid::text, pg_relation_filenode(c.oid)),
		   jsonb_object_agg(c.oid::text, pg_stat_get_xact_numscans(c.oid))
	  INTO nodes_before, scans_before
	  FROM pg_class c WHERE relnamespace = 'o'::regnamespace;
	BEGIN
		EXECUTE stmt;
		SELECT modes[max(array_position(modes, mode))] INTO lock_mode
		  FROM pg_locks
		 WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND
			   nodes_before ? relation::text;
		SELECT coalesce(bool_or(c.relkind IN ('r', 'm') AND
								pg_relation_filenode(c.oid)::text IS DISTINCT FROM
								nodes_before ->> c.oid::text), false),
			   coalesce(bool_or(pg_stat_get_xact_numscans(c.oid) >
								(scans_before ->> c.oid::text)::bigint), false)
		  INTO rewrites, scans
		  FROM pg_class c
		 WHERE nodes_before ? c.oid::text AND c.relkind IN ('r', 'm', 'p');
		RAISE EXCEPTION 'undo' USING ERRCODE = 'OR001';
	EXCEPTION
		WHEN SQLSTATE 'OR001' THEN NULL;
		WHEN OTHERS THEN error := SQLERRM;
	END;
	IF array_position(modes, lock_mode) < 4 THEN
		lock_mode := NULL;
	END IF;
	scans := scans AND NOT rewrites;
END $$;

CREATE FUNCTION public.judged(script text, OUT lock_mode text, OUT rewrites boolean,
							  OUT scans boolean, OUT undefined text)
LANGUAGE sql AS $$
	SELECT CASE WHEN max(lock_mode) IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
				THEN NULL ELSE max(lock_mode) END,
		   coalesce(bool_or(rewrites), false),
		   coalesce(bool_or(scans) AND NOT bool_or(rewrites), false),
		   max(message) FILTER (WHERE rule IN ('undefined_object', 'syntax_error'))
	  FROM public.zdm_check(script);
$$;
SQL

# One statement a line; "17 " or "18 " before it: from that version on.
my $statements = <<'LIST';
ALTER TABLE t ADD COLUMN z int
ALTER TABLE t ADD COLUMN z int DEFAULT 5
ALTER TABLE t ADD COLUMN z int NOT NULL DEFAULT 5
ALTER TABLE t ADD COLUMN z timestamptz DEFAULT now()
ALTER TABLE t ADD COLUMN z date DEFAULT CURRENT_DATE
ALTER TABLE t ADD COLUMN z int DEFAULT stable_fn()
ALTER TABLE t ADD COLUMN z int DEFAULT volatile_fn()
ALTER TABLE t ADD COLUMN z uuid DEFAULT gen_random_uuid()
ALTER TABLE t ADD COLUMN z float DEFAULT random()
ALTER TABLE t ADD COLUMN z int DEFAULT (-1)
ALTER TABLE t ADD COLUMN z int DEFAULT NULL
ALTER TABLE t ADD COLUMN z serial
ALTER TABLE t ADD COLUMN z bigserial
ALTER TABLE t ADD COLUMN z int DEFAULT nextval('seq1')
ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS IDENTITY
ALTER TABLE t ADD COLUMN z int GENERATED BY DEFAULT AS IDENTITY
ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (a + 1) STORED
18 ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (a + 1) VIRTUAL
18 ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (a + 1)
18 ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (id + 1) VIRTUAL NOT NULL
18 ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (id + 1) VIRTUAL CHECK (z > 0)
ALTER TABLE t ADD COLUMN z posint
ALTER TABLE t ADD COLUMN z posint DEFAULT 1
ALTER TABLE t ADD COLUMN z anyint
ALTER TABLE t ADD COLUMN z int CHECK (z > 0)
ALTER TABLE t ADD COLUMN z int DEFAULT 1 CHECK (z > 0)
ALTER TABLE t ADD COLUMN z int UNIQUE
ALTER TABLE nopk ADD COLUMN z serial PRIMARY KEY
ALTER TABLE t ADD COLUMN z int REFERENCES u
ALTER TABLE t ADD COLUMN z int DEFAULT 1 REFERENCES u
ALTER TABLE t ADD COLUMN z int DEFAULT NULL REFERENCES u
ALTER TABLE t ADD COLUMN z int REFERENCES u, ADD COLUMN y int DEFAULT 5
ALTER TABLE t ADD COLUMN z json
ALTER TABLE t ADD COLUMN z jsonb DEFAULT '{}'
ALTER TABLE t ADD COLUMN z text COLLATE "C"
ALTER TABLE t ADD COLUMN IF NOT EXISTS a int
ALTER TABLE t ADD COLUMN IF NOT EXISTS z int
ALTER TABLE t ADD COLUMN z int, ADD CONSTRAINT z_ck CHECK (z > 0) NOT VALID
ALTER TABLE t ADD COLUMN z int, ADD CONSTRAINT z_ck CHECK (z > 0)
ALTER TABLE t ADD COLUMN z int DEFAULT 5, ALTER COLUMN z SET NOT NULL
ALTER TABLE t ADD COLUMN z int, ADD COLUMN y int
ALTER TABLE p ADD COLUMN z int
ALTER TABLE p ADD COLUMN z int DEFAULT volatile_fn()
ALTER TABLE p ADD COLUMN z int CHECK (z > 0)
ALTER TABLE par ADD COLUMN z int
ALTER TABLE par ADD COLUMN z serial
ALTER TABLE t_mat SET (fillfactor = 80)
ALTER TABLE t ALTER COLUMN a SET NOT NULL
ALTER TABLE t ALTER COLUMN c SET NOT NULL
ALTER TABLE t ALTER COLUMN proven SET NOT NULL
ALTER TABLE t ALTER COLUMN unproven SET NOT NULL
ALTER TABLE t ALTER COLUMN proven SET NOT NULL, DROP CONSTRAINT t_proven
ALTER TABLE t ALTER COLUMN proven SET NOT NULL, ALTER COLUMN a SET NOT NULL
ALTER TABLE p ALTER COLUMN k SET NOT NULL
ALTER TABLE p ALTER COLUMN id SET NOT NULL
ALTER TABLE par ALTER COLUMN x SET NOT NULL
ALTER TABLE t ALTER COLUMN c DROP NOT NULL
ALTER TABLE t ALTER COLUMN a DROP NOT NULL
ALTER TABLE t ALTER COLUMN a SET DEFAULT 5
ALTER TABLE t ALTER COLUMN c DROP DEFAULT
ALTER TABLE p ALTER COLUMN k SET DEFAULT 5
ALTER TABLE t ALTER COLUMN a SET STATISTICS 500
ALTER TABLE t ALTER COLUMN a SET (n_distinct = 5)
ALTER TABLE t ALTER COLUMN a RESET (n_distinct)
ALTER TABLE t ALTER COLUMN txt SET STORAGE EXTERNAL
ALTER TABLE t ALTER COLUMN txt SET COMPRESSION pglz
ALTER TABLE t ALTER COLUMN gen DROP EXPRESSION
17 ALTER TABLE t ALTER COLUMN gen SET EXPRESSION AS (a * 3)
ALTER TABLE sr ALTER COLUMN ident DROP IDENTITY
ALTER TABLE sr ALTER COLUMN ident SET GENERATED BY DEFAULT
ALTER TABLE sr ALTER COLUMN ident RESTART WITH 100000
ALTER TABLE nopk ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY
ALTER TABLE q ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)
ALTER TABLE t ADD CHECK (a > 0)
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID
18 ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT ENFORCED
ALTER TABLE p ADD CONSTRAINT k CHECK (k > 0)
ALTER TABLE par ADD CONSTRAINT k CHECK (x > 0)
ALTER TABLE par ADD CONSTRAINT k CHECK (x > 0) NO INHERIT
ALTER TABLE ONLY par ADD CONSTRAINT k CHECK (x > 0) NO INHERIT
18 ALTER TABLE t ADD CONSTRAINT k NOT NULL a
18 ALTER TABLE t ADD CONSTRAINT k NOT NULL a NOT VALID
18 ALTER TABLE t ADD CONSTRAINT k NOT NULL proven
18 ALTER TABLE p ADD CONSTRAINT k NOT NULL k
ALTER TABLE nopk ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u
ALTER TABLE nopk ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u NOT VALID
18 ALTER TABLE nopk ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u NOT ENFORCED
ALTER TABLE q ADD CONSTRAINT k FOREIGN KEY (k) REFERENCES u
18 ALTER TABLE q ADD CONSTRAINT k FOREIGN KEY (k) REFERENCES u NOT VALID
ALTER TABLE nopk ADD UNIQUE (id)
ALTER TABLE nopk ADD UNIQUE (id), ADD UNIQUE (n2)
ALTER TABLE nopk ADD PRIMARY KEY (id)
ALTER TABLE nopk ADD PRIMARY KEY (n2)
ALTER TABLE nopk ADD CONSTRAINT k UNIQUE USING INDEX nopk_n2_idx
ALTER TABLE nopk ADD CONSTRAINT k PRIMARY KEY USING INDEX nopk_id_idx
ALTER TABLE nopk ADD CONSTRAINT k PRIMARY KEY USING INDEX nopk_n2_idx
ALTER TABLE q ADD UNIQUE (id)
ALTER TABLE q ADD PRIMARY KEY (id)
ALTER TABLE ONLY q ADD UNIQUE (id)
ALTER TABLE par ADD UNIQUE (id)
ALTER TABLE par ADD PRIMARY KEY (id)
ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING gist (excl WITH &&)
ALTER TABLE t VALIDATE CONSTRAINT t_nv
ALTER TABLE t VALIDATE CONSTRAINT t_a_fkey
ALTER TABLE t VALIDATE CONSTRAINT t_b_fkey
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT t_nv
ALTER TABLE t DROP CONSTRAINT t_ck
ALTER TABLE t DROP CONSTRAINT t_b_fkey
ALTER TABLE u DROP CONSTRAINT u_code_key CASCADE
ALTER TABLE t DROP CONSTRAINT IF EXISTS nope
ALTER TABLE t ALTER CONSTRAINT t_b_fkey DEFERRABLE
18 ALTER TABLE t ALTER CONSTRAINT t_b_fkey NOT ENFORCED
ALTER TABLE t ALTER COLUMN s TYPE varchar(50)
ALTER TABLE t ALTER COLUMN s TYPE text
ALTER TABLE t ALTER COLUMN s TYPE varchar(20)
ALTER TABLE t ALTER COLUMN s TYPE varchar(10)
ALTER TABLE t ALTER COLUMN e TYPE varchar(50)
ALTER TABLE t ALTER COLUMN w TYPE text
ALTER TABLE t ALTER COLUMN ck TYPE varchar(50)
ALTER TABLE t ALTER COLUMN cknv TYPE varchar(50)
ALTER TABLE t ALTER COLUMN txt TYPE varchar
ALTER TABLE t ALTER COLUMN txt TYPE varchar(10)
ALTER TABLE t ALTER COLUMN txt TYPE text COLLATE "C"
ALTER TABLE t ALTER COLUMN ch TYPE char(20)
ALTER TABLE t ALTER COLUMN ch TYPE text
ALTER TABLE t ALTER COLUMN n TYPE numeric(12,2)
ALTER TABLE t ALTER COLUMN n TYPE numeric
ALTER TABLE t ALTER COLUMN n TYPE numeric(12,4)
ALTER TABLE t ALTER COLUMN free TYPE bigint
ALTER TABLE t ALTER COLUMN free TYPE oid
ALTER TABLE t ALTER COLUMN free TYPE posint
ALTER TABLE t ALTER COLUMN free TYPE anyint
ALTER TABLE t ALTER COLUMN dom TYPE int
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz
ALTER TABLE t ALTER COLUMN tsi TYPE timestamptz
ALTER TABLE t ALTER COLUMN tz TYPE timestamp
ALTER TABLE t ALTER COLUMN tz TYPE timestamptz(3)
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz USING ts AT TIME ZONE 'UTC'
ALTER TABLE t ALTER COLUMN d TYPE timestamp
ALTER TABLE t ALTER COLUMN bit8 TYPE varbit
ALTER TABLE t ALTER COLUMN bit8 TYPE varbit(8)
ALTER TABLE t ALTER COLUMN net TYPE inet
ALTER TABLE t ALTER COLUMN iv TYPE interval(6)
ALTER TABLE t ALTER COLUMN arr TYPE varchar(40)[]
ALTER TABLE t ALTER COLUMN arr TYPE text[]
ALTER TABLE t ALTER COLUMN m TYPE text
ALTER TABLE t ALTER COLUMN s TYPE text USING s
ALTER TABLE t ALTER COLUMN s TYPE text USING s::text
ALTER TABLE t ALTER COLUMN s TYPE text USING upper(s)
ALTER TABLE t ALTER COLUMN free TYPE int USING free + 0
ALTER TABLE t ALTER COLUMN b TYPE bigint
ALTER TABLE u ALTER COLUMN id TYPE bigint
ALTER TABLE u ALTER COLUMN code TYPE varchar
ALTER TABLE fkc ALTER COLUMN ucode TYPE varchar
ALTER TABLE p ALTER COLUMN v TYPE varchar(20)
ALTER TABLE p ALTER COLUMN v TYPE text
ALTER TABLE p ALTER COLUMN k TYPE bigint
ALTER TABLE par ALTER COLUMN x TYPE bigint
ALTER TABLE t ALTER COLUMN s TYPE text, ALTER COLUMN n TYPE numeric
ALTER TABLE t DROP COLUMN a CASCADE
ALTER TABLE t DROP COLUMN txt
ALTER TABLE t DROP COLUMN b
ALTER TABLE t DROP COLUMN IF EXISTS nope
ALTER TABLE p DROP COLUMN k
ALTER TABLE par DROP COLUMN x
ALTER TABLE u DROP COLUMN code CASCADE
ALTER TABLE t RENAME COLUMN a TO a2
ALTER TABLE p RENAME COLUMN k TO k2
ALTER TABLE par RENAME COLUMN x TO x2
ALTER TABLE t RENAME TO t9
ALTER TABLE t RENAME CONSTRAINT t_ck TO t_ck2
ALTER TABLE t SET SCHEMA public
ALTER INDEX t_s_idx RENAME TO t_s_idx2
ALTER TABLE t_s_idx RENAME TO t_s_idx2
ALTER INDEX t_s_idx SET (fillfactor = 70)
ALTER INDEX t_gin SET (fastupdate = off)
ALTER INDEX t_e_expr ALTER COLUMN 1 SET STATISTICS 100
ALTER VIEW t_view RENAME TO t_view2
ALTER VIEW t_view SET (security_barrier = true)
ALTER VIEW t_view ALTER COLUMN id SET DEFAULT 3
ALTER MATERIALIZED VIEW t_mat RENAME TO t_mat2
ALTER MATERIALIZED VIEW t_mat CLUSTER ON t_mat_idx
ALTER SEQUENCE seq1 RESTART
ALTER SEQUENCE seq1 INCREMENT 5
ALTER SEQUENCE seq1 OWNED BY t.id
ALTER SEQUENCE seq1 OWNER TO oracle_role
ALTER TABLE t OWNER TO oracle_role
ALTER TABLE t SET UNLOGGED
ALTER TABLE t SET LOGGED
ALTER TABLE ul SET LOGGED
ALTER TABLE t SET ACCESS METHOD heap
ALTER TABLE t SET TABLESPACE pg_default
ALTER TABLE t SET (fillfactor = 80)
ALTER TABLE t SET (autovacuum_enabled = false)
ALTER TABLE t SET (toast_tuple_target = 256)
ALTER TABLE t SET (user_catalog_table = true)
ALTER TABLE t RESET (fillfactor)
ALTER TABLE t CLUSTER ON t_s_idx
ALTER TABLE t SET WITHOUT CLUSTER
ALTER TABLE t SET WITHOUT OIDS
ALTER TABLE t REPLICA IDENTITY FULL
ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey
ALTER TABLE t ENABLE ROW LEVEL SECURITY
ALTER TABLE t FORCE ROW LEVEL SECURITY
ALTER TABLE t DISABLE TRIGGER t_trg
ALTER TABLE t DISABLE TRIGGER ALL
ALTER TABLE p DISABLE TRIGGER USER
ALTER TABLE t ENABLE ALWAYS TRIGGER t_trg
ALTER TABLE t DISABLE RULE t_rule
ALTER TABLE orphan INHERIT par
ALTER TABLE kid NO INHERIT par
ALTER TABLE t ALTER COLUMN a SET STATISTICS 100, ADD COLUMN z int
ALTER TABLE t SET (fillfactor = 80), VALIDATE CONSTRAINT t_nv
ALTER TABLE t RENAME COLUMN nope TO nope2; SELECT 1
ALTER TABLE IF EXISTS nope ADD COLUMN z int
ALTER TABLE p ATTACH PARTITION pnew FOR VALUES FROM (5000) TO (6000)
ALTER TABLE p ATTACH PARTITION pproven FOR VALUES FROM (6000) TO (7000)
ALTER TABLE q ATTACH PARTITION qnew FOR VALUES FROM (5000) TO (6000)
ALTER TABLE p DETACH PARTITION p1
ALTER TABLE q DETACH PARTITION q1
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (7000) TO (8000)
CREATE TABLE q3 PARTITION OF q FOR VALUES FROM (7000) TO (8000)
DROP TABLE p1
CREATE INDEX i ON t (a)
CREATE UNIQUE INDEX i ON t (a)
CREATE INDEX IF NOT EXISTS t_s_idx ON t (s)
CREATE INDEX i ON p (k)
CREATE INDEX i ON ONLY p (k)
CREATE INDEX i ON t_mat (a)
DROP INDEX t_s_idx
DROP INDEX IF EXISTS nope_idx
DROP INDEX p_v_idx
REINDEX INDEX t_s_idx
REINDEX TABLE t
REFRESH MATERIALIZED VIEW t_mat
REFRESH MATERIALIZED VIEW CONCURRENTLY t_mat
LOCK TABLE t
LOCK TABLE t IN SHARE MODE
CREATE TABLE x1 (id int)
CREATE TABLE x1 (id int, uid int REFERENCES u)
CREATE TABLE x1 (LIKE t INCLUDING ALL)
CREATE TABLE x1 () INHERITS (par)
CREATE TABLE x1 AS SELECT 1 AS one
CREATE TABLE IF NOT EXISTS t (id int)
CREATE TABLE x1 (id int, self int, PRIMARY KEY (id), FOREIGN KEY (self) REFERENCES x1)
CREATE VIEW x1 AS SELECT id FROM t
CREATE OR REPLACE VIEW t_view AS SELECT id, gen, 1 AS one FROM t
CREATE TRIGGER trg2 BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trg_fn()
CREATE TRIGGER trg2 AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION trg_fn()
CREATE RULE r2 AS ON DELETE TO t DO ALSO NOTHING
CREATE POLICY pol2 ON t USING (true)
ALTER POLICY t_pol ON t USING (id > 0)
CREATE STATISTICS st2 ON a, c FROM t
CREATE PUBLICATION pub1 FOR TABLE t
CREATE FUNCTION f1() RETURNS int LANGUAGE sql AS 'SELECT 1'
CREATE OR REPLACE FUNCTION stable_fn() RETURNS int LANGUAGE sql STABLE AS 'SELECT 2'
CREATE SCHEMA o2 CREATE TABLE y (id int)
COMMENT ON TABLE t IS 'x'
COMMENT ON COLUMN t.a IS 'x'
GRANT SELECT ON u TO oracle_role
DROP TABLE t CASCADE
DROP TABLE fkc
DROP TABLE u CASCADE
DROP TABLE IF EXISTS nope
DROP VIEW t_view
DROP MATERIALIZED VIEW t_mat
DROP SEQUENCE seq1
DROP TRIGGER t_trg ON t
ALTER TRIGGER t_trg ON t RENAME TO t_trg2
DROP RULE t_rule ON t
DROP POLICY t_pol ON t
ALTER POLICY t_pol ON t RENAME TO t_pol2
DROP STATISTICS t_stat
DROP TYPE mood CASCADE
DROP FUNCTION trg_fn() CASCADE
DROP SCHEMA o CASCADE
ALTER DOMAIN useddom ADD CONSTRAINT k CHECK (VALUE > 0)
ALTER DOMAIN useddom ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID
ALTER DOMAIN useddom SET NOT NULL
ALTER DOMAIN anyint ADD CONSTRAINT k CHECK (VALUE > 0)
ALTER DOMAIN useddom SET DEFAULT 3
ALTER TYPE mood ADD VALUE 'great'
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'
ALTER TYPE mood RENAME TO mood2
ALTER TYPE pair ADD ATTRIBUTE c int
ALTER SCHEMA o RENAME TO o3
CLUSTER t USING t_s_idx
LIST

my @cases;
foreach my $line (split /\n/, $statements)
{
	my $from = 15;

	($from, $line) = ($1, $2) if $line =~ /^(\d\d) (.*)$/;
	push @cases, $line if $version >= $from && $line !~ /nope2/;
}
cmp_ok(scalar @cases, '>=', 150, 'at least 150 statements are compared');

# One session for all: its script prints both verdicts of each statement.
my $script = "SET search_path = o, public;\n\\pset format unaligned\n\\pset tuples_only on\n"
  . "\\pset null -\n\\pset fieldsep ' '\n";
foreach my $case (@cases)
{
	$script .= "SET zdm.mode = enforce;\n"
	  . "SELECT lock_mode, rewrites, scans, replace(undefined, E'\\n', ' ') FROM judged(\$q\$$case\$q\$);\n"
	  . "SET zdm.mode = off;\n"
	  . "SELECT lock_mode, rewrites, scans, replace(error, E'\\n', ' ') FROM observe(\$q\$$case\$q\$);\n";
}
my ($stdout, $stderr) = ('', '');
$node->psql('postgres', $script, stdout => \$stdout, stderr => \$stderr,
	extra_params => [ '-v', 'VERBOSITY=terse' ]);
my @lines = grep { !/^SET$/ } split /\n/, $stdout;
is(scalar @lines, 2 * @cases, 'every statement was judged and observed');

foreach my $case (@cases)
{
	my $judged = shift @lines;
	my $observed = shift @lines;

	is($judged, $observed, $case);
}

$node->stop;
done_testing();
