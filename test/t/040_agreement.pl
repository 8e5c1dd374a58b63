# Copyright (c) 2026, the zdm developers

# What zdm_check says of a statement is what then happens to it: refuse is
# ZDM01, rewrite a NOTICE and steps, warn a WARNING, run none of these; in each
# context a statement can be in.
# The list below also says which verdict is right.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('agreement');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
autovacuum = off
TimeZone = 'UTC'
CONF
$node->start;
my $version = int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);

# A statement that got through is stopped at its end by an event trigger, so
# that the next one meets the same tables outside a transaction block too.
# What commits by itself is stopped at its start.  Of a statement in steps the
# first command is stopped, and what undoes it is not.  TRUNCATE fires no event
# trigger: it is always in a block, which is rolled back.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION zdm;
CREATE ROLE regress_reader;
CREATE ROLE regress_nobody;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE ts1 LOCATION '';
CREATE FUNCTION vol_fn() RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN 1; END';
CREATE FUNCTION stb_fn() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION trg_fn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE SEQUENCE stops;
CREATE FUNCTION stop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	IF current_setting('agreement.stop', true) = TG_EVENT AND nextval('public.stops') = 1 THEN
		RAISE EXCEPTION 'it ran' USING ERRCODE = 'RAN00';
	END IF;
END $$;
CREATE EVENT TRIGGER stop_at_start ON ddl_command_start EXECUTE FUNCTION stop();
CREATE EVENT TRIGGER stop_at_end ON ddl_command_end EXECUTE FUNCTION stop();
SQL

# The same objects in several schemas; "+" marks what fills the tables.
my $objects = <<'SQL';
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN anyint AS int;
CREATE DOMAIN dvol AS uuid DEFAULT gen_random_uuid();
CREATE DOMAIN ddef AS int DEFAULT 5;
CREATE DOMAIN useddom AS int;
CREATE SEQUENCE sq;
CREATE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION tfn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE u (id int PRIMARY KEY, code text NOT NULL UNIQUE, big bigint);
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int NOT NULL DEFAULT 7, req int NOT NULL, proven int, unproven int, s varchar(20), e varchar(20), w varchar(20), ck varchar(20), txt text, ch char(8), n numeric(10,2), ts timestamp, tz timestamptz, d date, m mood, dom useddom, free int, uid int, gen int GENERATED ALWAYS AS (a * 2) STORED, excl int4range);
+ INSERT INTO u SELECT g, 'c' || g, g FROM generate_series(1, 200) g;
+ INSERT INTO t (id, a, b, req, proven, unproven, s, e, w, ck, txt, ch, n, ts, tz, d, m, dom, free, uid, excl) SELECT g, g, g, g, g, g, 's' || g, 'e' || g, 'w' || g, 'k' || g, 't', 'x', g, now(), now(), now(), 'ok', g, g, g, int4range(g, g + 1) FROM generate_series(1, 200) g;
ALTER TABLE t ADD CONSTRAINT t_proven CHECK (proven IS NOT NULL AND proven > 0);
ALTER TABLE t ADD CONSTRAINT t_nv CHECK (unproven IS NOT NULL) NOT VALID;
ALTER TABLE t ADD CONSTRAINT t_ck CHECK (ck <> '');
ALTER TABLE t ADD CONSTRAINT t_b_fkey FOREIGN KEY (b) REFERENCES u;
ALTER TABLE t ADD CONSTRAINT t_a_fkey FOREIGN KEY (a) REFERENCES u NOT VALID;
CREATE INDEX t_s_idx ON t (s);
CREATE INDEX t_e_expr ON t (lower(e));
CREATE INDEX t_w_partial ON t (id) WHERE w <> '';
CREATE INDEX t_ab_idx ON t (a, b);
CREATE INDEX t_d_idx ON t (d);
CREATE UNIQUE INDEX t_uid_idx ON t (uid);
CREATE TRIGGER t_trg BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trg_fn();
CREATE TRIGGER t_trg2 BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tfn();
CREATE RULE t_rule AS ON DELETE TO t WHERE old.id < 0 DO INSTEAD NOTHING;
CREATE POLICY t_pol ON t USING (true);
CREATE STATISTICS t_stat ON a, b FROM t;
CREATE VIEW t_view AS SELECT id, gen FROM t;
CREATE VIEW t_vv AS SELECT id FROM t_view;
CREATE MATERIALIZED VIEW t_mat AS SELECT id, a FROM t;
CREATE UNIQUE INDEX t_mat_idx ON t_mat (id);
CREATE MATERIALIZED VIEW t_mat0 AS SELECT id, a FROM t;
GRANT SELECT ON t TO regress_reader;
CREATE TABLE nopk (id int NOT NULL, n2 int, x int);
+ INSERT INTO nopk SELECT g, g, g FROM generate_series(1, 200) g;
CREATE UNIQUE INDEX nopk_id_idx ON nopk (id);
CREATE UNIQUE INDEX nopk_n2_idx ON nopk (n2);
CREATE TABLE fkc (id int PRIMARY KEY, uid int REFERENCES u, ucode text REFERENCES u (code));
+ INSERT INTO fkc SELECT g, g, 'c' || g FROM generate_series(1, 200) g;
CREATE TABLE sr (id serial PRIMARY KEY, ident int GENERATED ALWAYS AS IDENTITY, x int);
+ INSERT INTO sr (x) SELECT g FROM generate_series(1, 200) g;
CREATE TABLE p (id int NOT NULL, k int, v varchar(10)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000) PARTITION BY RANGE (k);
CREATE TABLE p2a PARTITION OF p2 FOR VALUES FROM (0) TO (5000);
CREATE TABLE pdef PARTITION OF p DEFAULT;
+ INSERT INTO p SELECT g, g, g FROM generate_series(1, 2000, 7) g; INSERT INTO p VALUES (3000, 1, 'x');
CREATE INDEX p_v_idx ON p (v);
CREATE TABLE pnew (id int NOT NULL, k int, v varchar(10));
+ INSERT INTO pnew SELECT g, g, g FROM generate_series(5000, 5100) g;
CREATE TABLE q (id int NOT NULL, k int) PARTITION BY RANGE (id);
CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (5000);
CREATE TABLE q2 PARTITION OF q FOR VALUES FROM (5000) TO (6000);
+ INSERT INTO q SELECT g, g FROM generate_series(1, 200) g;
CREATE TABLE qnew (id int NOT NULL, k int);
+ INSERT INTO qnew SELECT g, g FROM generate_series(6000, 6100) g;
CREATE TABLE qprov (id int NOT NULL, k int, CHECK (id >= 7000 AND id < 8000));
+ INSERT INTO qprov SELECT g, g FROM generate_series(7000, 7100) g;
CREATE TABLE par (id int, x int);
CREATE TABLE kid (y int) INHERITS (par);
+ INSERT INTO par SELECT g, g FROM generate_series(1, 200) g; INSERT INTO kid SELECT g, g, g FROM generate_series(1, 200) g;
CREATE TABLE orphan (id int, x int, y int);
CREATE UNLOGGED TABLE ul (id int);
+ INSERT INTO ul SELECT g FROM generate_series(1, 200) g;
CREATE TABLE typed OF pair;
+ INSERT INTO typed SELECT g, g FROM generate_series(1, 200) g;
CREATE TABLE "Mixed ""Case" (id int, "My Col" int, "select" text);
+ INSERT INTO "Mixed ""Case" SELECT g, g, g FROM generate_series(1, 200) g;
CREATE INDEX "Mixed Idx" ON "Mixed ""Case" ("My Col");
CREATE TABLE abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk (abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk int);
+ INSERT INTO abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk SELECT g FROM generate_series(1, 200) g;
CREATE TABLE tp (id int PRIMARY KEY);
CREATE TABLE tc (id int REFERENCES tp);
+ INSERT INTO tp SELECT g FROM generate_series(1,200) g; INSERT INTO tc SELECT g FROM generate_series(1,200) g;
CREATE TABLE rls (id int);
ALTER TABLE rls ENABLE ROW LEVEL SECURITY;
CREATE POLICY rls_pol ON rls USING (id > 0);
CREATE TABLE inv (id int, a int);
+ INSERT INTO inv SELECT g, g FROM generate_series(1,200) g;
CREATE TABLE mp (id int, k int, v varchar(10)) PARTITION BY RANGE (id);
CREATE TABLE mp1 PARTITION OF mp FOR VALUES FROM (0) TO (1000) PARTITION BY RANGE (k);
CREATE TABLE mp1a PARTITION OF mp1 FOR VALUES FROM (0) TO (1000);
+ INSERT INTO mp SELECT g, g, g FROM generate_series(1,200) g;
CREATE TABLE gp (id int, x int);
CREATE TABLE gp1 () INHERITS (gp);
CREATE TABLE gp11 () INHERITS (gp1);
+ INSERT INTO gp11 SELECT g, g FROM generate_series(1,200) g;
SQL

sub objects
{
	my ($filled) = @_;

	return join '', map { s/^\+ // ? ($filled ? $_ : ()) : $_ } split /^/, $objects;
}

# Two letters before each statement: its verdict without a window and in one.
# r runs, w warns, s in steps, R refused, e fails for a reason of the server's
# own.  "17 " or "18 " before them: from that version on; "-17 ": up to it.
# "!": not about one schema only.
my $list = <<'LIST';
ss  CREATE INDEX i ON t (a)
ss  CREATE INDEX ON t (a)
sR  CREATE UNIQUE INDEX i ON t (a)
sR  CREATE UNIQUE INDEX i ON t (free) WHERE free > 0
ss  CREATE INDEX i ON p (k)
rr  CREATE INDEX i ON ONLY p (k)
ss  CREATE INDEX i ON t_mat (a)
rr  CREATE INDEX IF NOT EXISTS t_s_idx ON t (s)
ss  CREATE INDEX IF NOT EXISTS i ON t (s)
rr  CREATE INDEX CONCURRENTLY i ON t (a)
rR  CREATE UNIQUE INDEX CONCURRENTLY i ON t (free)
RR  CREATE INDEX CONCURRENTLY i ON p (k)
ss  CREATE INDEX "I x" ON "Mixed ""Case" ("My Col")
ss  CREATE INDEX ON abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk (abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk)
sR  DROP INDEX t_s_idx
sR  DROP INDEX t_s_idx, t_d_idx
sR  DROP INDEX t_uid_idx
rr  DROP INDEX IF EXISTS nope_idx
ee  DROP INDEX u_code_key
rR  DROP INDEX p_v_idx
rR  DROP INDEX CONCURRENTLY t_s_idx
RR  DROP INDEX CONCURRENTLY p_v_idx
sR  DROP INDEX "Mixed Idx"
ss  REINDEX INDEX t_s_idx
ss  REINDEX TABLE t
ss  REINDEX TABLE p
ss  REINDEX INDEX p_v_idx
rr  REINDEX INDEX CONCURRENTLY t_s_idx
rr  REINDEX (CONCURRENTLY) TABLE nopk
RR  ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY
rR  ALTER TABLE q DETACH PARTITION q1 CONCURRENTLY
rr  ALTER TABLE t ADD COLUMN z int
rr  ALTER TABLE t ADD z int
rr  ALTER TABLE t ADD COLUMN z int DEFAULT 5
rr  ALTER TABLE t ADD COLUMN z int NOT NULL DEFAULT 5
rr  ALTER TABLE t ADD COLUMN z int DEFAULT NULL
eR  ALTER TABLE t ADD COLUMN z int NOT NULL DEFAULT NULL
rr  ALTER TABLE t ADD COLUMN z timestamptz DEFAULT now()
rr  ALTER TABLE t ADD COLUMN z timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
rr  ALTER TABLE t ADD COLUMN z date DEFAULT CURRENT_DATE
rr  ALTER TABLE t ADD COLUMN z timestamptz DEFAULT date_trunc('day', now())
rr  ALTER TABLE t ADD COLUMN z text DEFAULT concat('a','b')
rr  ALTER TABLE t ADD COLUMN z int DEFAULT (-1)
rr  ALTER TABLE t ADD COLUMN z int DEFAULT stb_fn()
ss  ALTER TABLE t ADD COLUMN z int DEFAULT vol_fn()
ss  ALTER TABLE t ADD COLUMN z int NOT NULL DEFAULT vol_fn()
ss  ALTER TABLE t ADD COLUMN z uuid DEFAULT gen_random_uuid()
ss  ALTER TABLE t ADD COLUMN z timestamptz DEFAULT clock_timestamp()
ss  ALTER TABLE t ADD COLUMN z serial
ss  ALTER TABLE t ADD COLUMN z bigserial NOT NULL
ss  ALTER TABLE nopk ADD COLUMN z bigserial PRIMARY KEY
ss  ALTER TABLE t ADD COLUMN z int GENERATED BY DEFAULT AS IDENTITY
ss  ALTER TABLE t ADD COLUMN z int DEFAULT nextval('sq')
RR  ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (a + 1) STORED
RR  ALTER TABLE t ADD COLUMN z posint
RR  ALTER TABLE t ADD COLUMN z posint DEFAULT 3
rr  ALTER TABLE t ADD COLUMN z anyint
ss  ALTER TABLE t ADD COLUMN z int CHECK (z > 0)
ss  ALTER TABLE t ADD COLUMN z int DEFAULT 1 CHECK (z > 0)
eR  ALTER TABLE t ADD COLUMN z int NOT NULL
ss  ALTER TABLE t ADD COLUMN z int UNIQUE
sR  ALTER TABLE t ADD COLUMN z int DEFAULT 4 UNIQUE
rr  ALTER TABLE t ADD COLUMN z int REFERENCES u
sR  ALTER TABLE t ADD COLUMN z int DEFAULT 1 REFERENCES u
sR  ALTER TABLE t ADD COLUMN z int NOT NULL DEFAULT 1 REFERENCES u
rr  ALTER TABLE t ADD COLUMN z json
rr  ALTER TABLE t ADD COLUMN z jsonb DEFAULT '{}'
rr  ALTER TABLE t ADD COLUMN IF NOT EXISTS a int
rr  ALTER TABLE t ADD COLUMN IF NOT EXISTS z int
rr  ALTER TABLE t ADD COLUMN z int, ADD COLUMN y int
rr  ALTER TABLE t ADD COLUMN z int, ADD CONSTRAINT zc CHECK (z > 0) NOT VALID
ss  ALTER TABLE t ADD COLUMN z int DEFAULT 5, ALTER COLUMN z SET NOT NULL
eR  ALTER TABLE t ADD COLUMN z int DEFAULT 5 NOT NULL, ALTER COLUMN z DROP DEFAULT
rr  ALTER TABLE par ADD COLUMN z int
rr  ALTER TABLE p ADD COLUMN z int
ss  ALTER TABLE p ADD COLUMN z int NOT NULL DEFAULT vol_fn()
ee  ALTER TABLE typed ADD COLUMN z int
rR  ALTER TABLE t ALTER COLUMN c DROP DEFAULT
rr  ALTER TABLE t ALTER COLUMN a DROP DEFAULT
rr  ALTER TABLE t ALTER COLUMN req DROP DEFAULT
rR  ALTER TABLE sr ALTER COLUMN id DROP DEFAULT
rR  ALTER TABLE sr ALTER COLUMN ident DROP IDENTITY
rr  ALTER TABLE sr ALTER COLUMN ident SET GENERATED BY DEFAULT
sR  ALTER TABLE t ALTER COLUMN a SET NOT NULL
sR  ALTER TABLE t ALTER a SET NOT NULL
rr  ALTER TABLE t ALTER COLUMN c SET NOT NULL
rr  ALTER TABLE t ALTER COLUMN proven SET NOT NULL
ss  ALTER TABLE t ALTER COLUMN unproven SET NOT NULL
sR  ALTER TABLE t ALTER COLUMN proven SET NOT NULL, DROP CONSTRAINT t_proven
sR  ALTER TABLE p ALTER COLUMN k SET NOT NULL
sR  ALTER TABLE p1 ALTER COLUMN k SET NOT NULL
sR  ALTER TABLE par ALTER COLUMN x SET NOT NULL
sR  ALTER TABLE ONLY par ALTER COLUMN x SET NOT NULL
sR  ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)
sR  ALTER TABLE t ADD CHECK (a > 0)
rR  ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID
sR  ALTER TABLE t ADD CONSTRAINT k CHECK (true)
sR  ALTER TABLE p ADD CONSTRAINT k CHECK (k > 0)
sR  ALTER TABLE nopk ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u
sR  ALTER TABLE nopk ADD FOREIGN KEY (id) REFERENCES u
rR  ALTER TABLE nopk ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u NOT VALID
sR  ALTER TABLE q ADD CONSTRAINT k FOREIGN KEY (k) REFERENCES u
sR  ALTER TABLE nopk ADD UNIQUE (id)
sR  ALTER TABLE nopk ADD CONSTRAINT k UNIQUE (n2)
rr  ALTER TABLE nopk ADD CONSTRAINT k UNIQUE USING INDEX nopk_n2_idx
sR  ALTER TABLE nopk ADD PRIMARY KEY (id)
sR  ALTER TABLE nopk ADD PRIMARY KEY (n2)
rr  ALTER TABLE nopk ADD CONSTRAINT k PRIMARY KEY USING INDEX nopk_id_idx
sR  ALTER TABLE nopk ADD CONSTRAINT k PRIMARY KEY USING INDEX nopk_n2_idx
-17 sR  ALTER TABLE q ADD PRIMARY KEY (id)
18 RR  ALTER TABLE q ADD PRIMARY KEY (id)
RR  ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING gist (excl WITH &&)
rr  ALTER TABLE t VALIDATE CONSTRAINT t_nv
rr  ALTER TABLE t VALIDATE CONSTRAINT t_a_fkey
sR  ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT k
rr  ALTER TABLE t DROP CONSTRAINT t_ck
rr  ALTER TABLE t DROP CONSTRAINT t_b_fkey
rR  ALTER TABLE t DROP CONSTRAINT t_pkey
rR  ALTER TABLE u DROP CONSTRAINT u_code_key CASCADE
eR  ALTER TABLE u DROP CONSTRAINT u_code_key
rr  ALTER TABLE t DROP CONSTRAINT IF EXISTS nope
rr  ALTER TABLE t ALTER CONSTRAINT t_b_fkey DEFERRABLE
RR  ALTER DOMAIN useddom ADD CHECK (VALUE > 0)
rR  ALTER DOMAIN useddom ADD CONSTRAINT k CHECK (VALUE > 0) NOT VALID
RR  ALTER DOMAIN useddom SET NOT NULL
rr  ALTER DOMAIN anyint ADD CHECK (VALUE > 0)
rr  ALTER DOMAIN anyint SET NOT NULL
rr  ALTER DOMAIN posint DROP CONSTRAINT posint_check
rw  ALTER DOMAIN useddom SET DEFAULT 3
rR  ALTER DOMAIN useddom RENAME TO useddom2
RR  ALTER TABLE t ALTER COLUMN free TYPE bigint
rr  ALTER TABLE t ALTER COLUMN free TYPE int
RR  ALTER TABLE t ALTER COLUMN free TYPE smallint
RR  ALTER TABLE t ALTER COLUMN free TYPE text USING free::text
rr  ALTER TABLE t ALTER COLUMN s TYPE varchar(50)
rr  ALTER TABLE t ALTER COLUMN s TYPE varchar
rr  ALTER TABLE t ALTER COLUMN s TYPE text
RR  ALTER TABLE t ALTER COLUMN s TYPE varchar(10)
RR  ALTER TABLE t ALTER COLUMN s TYPE text USING upper(s)
rr  ALTER TABLE t ALTER COLUMN txt TYPE varchar
RR  ALTER TABLE t ALTER COLUMN txt TYPE varchar(100)
rr  ALTER TABLE t ALTER COLUMN txt TYPE text COLLATE "C"
rr  ALTER TABLE t ALTER COLUMN n TYPE numeric(12,2)
RR  ALTER TABLE t ALTER COLUMN n TYPE numeric(12,3)
rr  ALTER TABLE t ALTER COLUMN n TYPE numeric
rR  ALTER TABLE t ALTER COLUMN ts TYPE timestamptz
rR  ALTER TABLE t ALTER COLUMN tz TYPE timestamp
RR  ALTER TABLE t ALTER COLUMN tz TYPE timestamptz(3)
RR  ALTER TABLE t ALTER COLUMN e TYPE varchar(50)
RR  ALTER TABLE t ALTER COLUMN w TYPE varchar(50)
RR  ALTER TABLE t ALTER COLUMN ck TYPE varchar(50)
RR  ALTER TABLE t ALTER COLUMN ch TYPE char(20)
RR  ALTER TABLE t ALTER COLUMN ch TYPE text
rr  ALTER TABLE t ALTER COLUMN dom TYPE int
RR  ALTER TABLE t ALTER COLUMN m TYPE text
RR  ALTER TABLE t ALTER COLUMN b TYPE bigint
rr  ALTER TABLE fkc ALTER COLUMN ucode TYPE varchar
RR  ALTER TABLE u ALTER COLUMN id TYPE bigint
RR  ALTER TABLE p ALTER COLUMN v TYPE varchar(20)
RR  ALTER TABLE p ALTER COLUMN v TYPE text
RR  ALTER TABLE par ALTER COLUMN x TYPE bigint
rw  ALTER TABLE t ALTER COLUMN gen DROP EXPRESSION
RR  ALTER TABLE t SET UNLOGGED
RR  ALTER TABLE u SET UNLOGGED
RR  ALTER TABLE nopk SET UNLOGGED
RR  ALTER TABLE ul SET LOGGED
rr  ALTER TABLE nopk SET LOGGED
RR  ALTER TABLE nopk SET TABLESPACE ts1
rr  ALTER TABLE nopk SET TABLESPACE pg_default
RR  ALTER INDEX t_s_idx SET TABLESPACE ts1
rr  ALTER TABLE p SET TABLESPACE ts1
rr! ALTER TABLE ALL IN TABLESPACE ts1 SET TABLESPACE pg_default
RR  ALTER TABLE nopk SET ACCESS METHOD heap2
rr  ALTER TABLE nopk SET ACCESS METHOD heap
RR  CLUSTER nopk USING nopk_id_idx
RR  VACUUM FULL nopk
rr  VACUUM nopk
rr  VACUUM (ANALYZE) nopk
rr  ANALYZE nopk
ss  REFRESH MATERIALIZED VIEW t_mat
RR  REFRESH MATERIALIZED VIEW t_mat0
rr  REFRESH MATERIALIZED VIEW CONCURRENTLY t_mat
wR  REFRESH MATERIALIZED VIEW t_mat WITH NO DATA
ss  ALTER TABLE p ATTACH PARTITION pnew FOR VALUES FROM (5000) TO (6000)
ss  ALTER TABLE q ATTACH PARTITION qnew FOR VALUES FROM (6000) TO (7000)
rr  ALTER TABLE q ATTACH PARTITION qprov FOR VALUES FROM (7000) TO (8000)
ss  CREATE TABLE p9 PARTITION OF p FOR VALUES FROM (8000) TO (9000)
rr  CREATE TABLE q9 PARTITION OF q FOR VALUES FROM (8000) TO (9000)
rr  CREATE TABLE IF NOT EXISTS q1 PARTITION OF q FOR VALUES FROM (0) TO (5000)
rR  ALTER TABLE p DETACH PARTITION p1
sR  ALTER TABLE q DETACH PARTITION q1
sR  ALTER TABLE q DETACH PARTITION q2
rR  DROP TABLE q2
rR  DROP TABLE q1
rR  ALTER TABLE t DROP COLUMN free
rR  ALTER TABLE t DROP free
wR  ALTER TABLE t DROP COLUMN b
rR  ALTER TABLE t DROP COLUMN s
rR  ALTER TABLE t DROP COLUMN d, DROP COLUMN txt
eR  ALTER TABLE t DROP COLUMN a
wR  ALTER TABLE t DROP COLUMN a CASCADE
rr  ALTER TABLE t DROP COLUMN IF EXISTS nope
rR  ALTER TABLE t DROP COLUMN IF EXISTS free
rR  ALTER TABLE par DROP COLUMN x
rR  ALTER TABLE p DROP COLUMN v
rR  ALTER TABLE t ADD COLUMN z int, DROP COLUMN free
rR  ALTER TABLE t DROP COLUMN free, ADD COLUMN free bigint
sR  ALTER TABLE t ADD COLUMN z int, ALTER COLUMN a SET NOT NULL
rR  ALTER TABLE "Mixed ""Case" DROP COLUMN "My Col"
rR  DROP TABLE nopk
eR  DROP TABLE t
rR  DROP TABLE t CASCADE
rR  DROP TABLE nopk, orphan
eR  DROP TABLE u
rR  DROP TABLE u CASCADE
rR  DROP TABLE fkc
eR  DROP TABLE par
rR  DROP TABLE par CASCADE
rR  DROP TABLE kid
rr  DROP TABLE IF EXISTS nope
rR  DROP TABLE IF EXISTS nope, nopk
rR  DROP TABLE "Mixed ""Case"
rR  DROP TABLE abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk
rR  DROP VIEW t_vv
eR  DROP VIEW t_view
rR  DROP VIEW t_view CASCADE
rR  DROP MATERIALIZED VIEW t_mat
rR  DROP FUNCTION fn()
eR  DROP FUNCTION tfn()
rR  DROP FUNCTION tfn() CASCADE
eR  DROP TYPE mood
rR  DROP TYPE mood CASCADE
rR  DROP TYPE pair CASCADE
eR  DROP DOMAIN useddom
rR  DROP DOMAIN useddom CASCADE
rR  DROP DOMAIN anyint
rR  DROP SEQUENCE sq
eR  DROP SEQUENCE sr_id_seq
rR  DROP SEQUENCE sr_id_seq CASCADE
rR  DROP TRIGGER t_trg ON t
rR  DROP RULE t_rule ON t
rr  DROP STATISTICS t_stat
rr  DROP POLICY t_pol ON t
rr  DROP POLICY IF EXISTS nope ON t
rR  ALTER TABLE t RENAME COLUMN a TO a2
rR  ALTER TABLE t RENAME a TO a2
rR  ALTER TABLE p RENAME COLUMN k TO k2
rR  ALTER TABLE par RENAME COLUMN x TO x2
rR  ALTER VIEW t_view RENAME COLUMN id TO id2
rR  ALTER TABLE t_view RENAME COLUMN id TO id2
rR  ALTER TYPE pair RENAME ATTRIBUTE a TO a2 CASCADE
rR  ALTER TABLE t RENAME TO t2
rR  ALTER TABLE nopk RENAME TO nopk2
rR  ALTER VIEW t_view RENAME TO t_view2
rR  ALTER TABLE t_view RENAME TO t_view2
rR  ALTER MATERIALIZED VIEW t_mat RENAME TO t_mat2
rr  ALTER INDEX t_s_idx RENAME TO t_s_idx2
rr  ALTER TABLE t_s_idx RENAME TO t_s_idx2
rR  ALTER SEQUENCE sq RENAME TO sq2
rR  ALTER TABLE sq RENAME TO sq2
rr  ALTER TABLE t RENAME CONSTRAINT t_ck TO t_ck2
rR  ALTER TABLE t SET SCHEMA public
rR  ALTER VIEW t_view SET SCHEMA public
rR  ALTER FUNCTION fn() RENAME TO fn2
rR  ALTER FUNCTION fn() SET SCHEMA public
rR  ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'
rR  ALTER TYPE mood RENAME TO mood2
rw  ALTER TYPE mood ADD VALUE 'great'
rr  ALTER TYPE mood ADD VALUE IF NOT EXISTS 'sad'
rr  ALTER TRIGGER t_trg ON t RENAME TO t_trg9
rr  ALTER POLICY t_pol ON t RENAME TO t_pol9
rr  ALTER RULE t_rule ON t RENAME TO t_rule9
rr  ALTER TABLE t ALTER COLUMN c DROP NOT NULL
rr  ALTER TABLE t ALTER COLUMN req DROP NOT NULL
rr  ALTER TABLE t ALTER COLUMN a DROP NOT NULL
rw  ALTER TABLE t ALTER COLUMN a SET DEFAULT 5
rw  ALTER TABLE t ALTER COLUMN c SET DEFAULT 8
rw  ALTER TABLE t ALTER COLUMN c SET DEFAULT 7
rr  ALTER TABLE t ALTER COLUMN a SET DEFAULT NULL
rR  ALTER TABLE t ALTER COLUMN c SET DEFAULT NULL
wR  TRUNCATE nopk
wR  TRUNCATE tp CASCADE
eR  TRUNCATE u
ee  LOCK TABLE nopk
rw  CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trg_fn()
rw  ALTER TABLE t DISABLE TRIGGER t_trg
rw  ALTER TABLE t ENABLE ALWAYS TRIGGER t_trg
rw  ALTER TABLE t DISABLE TRIGGER ALL
rR  ALTER TABLE t ENABLE ROW LEVEL SECURITY
rR  ALTER TABLE t DISABLE ROW LEVEL SECURITY
rR  ALTER TABLE t FORCE ROW LEVEL SECURITY
rr  CREATE POLICY pp ON t USING (true)
rr  ALTER POLICY t_pol ON t USING (id > 0)
rR  REVOKE SELECT ON t FROM regress_reader
rr  REVOKE SELECT ON nopk FROM regress_reader
rr  REVOKE ALL ON t FROM PUBLIC
rr  GRANT SELECT ON t TO regress_reader
rr  GRANT SELECT (a) ON t TO regress_nobody
rr  GRANT USAGE ON SEQUENCE sq TO regress_reader
rr  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO regress_reader
rr  ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM regress_reader
rR  ALTER TABLE t OWNER TO regress_reader
rr  ALTER TABLE nopk OWNER TO CURRENT_USER
rR  ALTER SEQUENCE sq OWNER TO regress_reader
rR  ALTER FUNCTION fn() OWNER TO regress_reader
rr  ALTER TABLE t ALTER COLUMN txt SET STORAGE EXTERNAL
rr  ALTER TABLE t ALTER COLUMN txt SET COMPRESSION pglz
rr  ALTER TABLE t ALTER COLUMN a SET STATISTICS 500
rr  ALTER TABLE t ALTER COLUMN a SET (n_distinct = 5)
rr  ALTER TABLE t SET (fillfactor = 80)
rr  ALTER TABLE t SET (autovacuum_enabled = false)
rr  ALTER TABLE t RESET (fillfactor)
rr  ALTER TABLE t CLUSTER ON t_s_idx
rr  ALTER TABLE t REPLICA IDENTITY FULL
rr  ALTER TABLE t REPLICA IDENTITY NOTHING
rr  ALTER TABLE orphan INHERIT par
rR  ALTER TABLE kid NO INHERIT par
rr  ALTER TABLE typed NOT OF
rw  ALTER SEQUENCE sq RESTART
rr  ALTER SEQUENCE sq OWNED BY t.id
rw  ALTER SEQUENCE sq INCREMENT 5
rR  ALTER TABLE sq OWNER TO regress_reader
rw  CREATE RULE rr AS ON DELETE TO t DO ALSO NOTHING
rw  CREATE RULE rr AS ON DELETE TO t DO INSTEAD NOTHING
rw  CREATE OR REPLACE VIEW t_vv AS SELECT id, 1 AS one FROM t_view
rr  CREATE OR REPLACE VIEW v_new AS SELECT id FROM t
rr  CREATE VIEW v_new AS SELECT id FROM t
rw  CREATE OR REPLACE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 2'
rr  CREATE OR REPLACE FUNCTION fn_new() RETURNS int LANGUAGE sql AS 'SELECT 2'
rr  CREATE FUNCTION fn(int) RETURNS int LANGUAGE sql AS 'SELECT 2'
rw  ALTER FUNCTION fn() STABLE
rr  ALTER VIEW t_view SET (security_barrier = true)
rw  ALTER VIEW t_view ALTER COLUMN id SET DEFAULT 3
rR  ALTER TYPE pair ADD ATTRIBUTE z int CASCADE
rR  ALTER TYPE pair DROP ATTRIBUTE b CASCADE
RR  ALTER TYPE pair ALTER ATTRIBUTE a TYPE bigint CASCADE
rr  CREATE TABLE x1 (id int PRIMARY KEY, a text NOT NULL, b int CHECK (b > 0))
rr  CREATE TABLE IF NOT EXISTS x1 (id serial PRIMARY KEY)
rr  CREATE TABLE IF NOT EXISTS nopk (id int)
rr  CREATE TABLE x1 (id int, uid int REFERENCES u)
rr  CREATE TABLE x1 (id int, uid int REFERENCES u, f int REFERENCES fkc)
rr  CREATE TABLE x1 (LIKE t INCLUDING ALL)
rr  CREATE TABLE x1 () INHERITS (par)
rr  CREATE TABLE x1 AS SELECT 1 AS one
rr  CREATE TABLE x1 AS TABLE u
rr  SELECT 1 AS one INTO x1
rr  CREATE TEMP TABLE x1 (id int)
rr  CREATE TABLE x1 OF pair
rr  CREATE TABLE x1 (id int) PARTITION BY RANGE (id)
rr  CREATE MATERIALIZED VIEW x1 AS SELECT id FROM t
rr  CREATE SEQUENCE x1
rr  CREATE SEQUENCE x1 OWNED BY t.id
rr  CREATE SCHEMA x1
rr  CREATE SCHEMA x1 CREATE TABLE y (id int) CREATE INDEX ON y (id) CREATE VIEW yv AS SELECT 1 AS one
rr  CREATE TYPE x1 AS ENUM ('a')
rr  CREATE TYPE x1 AS (a int)
rr  CREATE DOMAIN x1 AS int CHECK (VALUE > 0)
rr  CREATE STATISTICS x1 ON a, c FROM t
rr  CREATE AGGREGATE x1 (int) (SFUNC = int4pl, STYPE = int)
rr  CREATE PUBLICATION pub1
rr  CREATE PUBLICATION pub1 FOR TABLE u
rR  CREATE PUBLICATION pub1 FOR TABLE nopk
rr  CREATE PUBLICATION pub1 FOR TABLE nopk WITH (publish = 'insert')
rR! CREATE PUBLICATION pub1 FOR ALL TABLES
rr  COMMENT ON TABLE t IS 'x'
rr  COMMENT ON COLUMN t.a IS 'x'
rr  COMMENT ON FUNCTION fn() IS 'x'
rr  COMMENT ON INDEX t_s_idx IS 'x'
rr  ALTER TABLE IF EXISTS nope ADD COLUMN z int
rr  ALTER TABLE IF EXISTS nope DROP COLUMN z
rr  ALTER TABLE IF EXISTS nope RENAME TO nope2
rr  ALTER INDEX IF EXISTS nope RENAME TO nope2
rr  DROP VIEW IF EXISTS nope
rr  DROP FUNCTION IF EXISTS nope()
rr  DROP SCHEMA IF EXISTS nope
rr  DROP TYPE IF EXISTS nope
rr  ALTER INDEX t_s_idx SET (fillfactor = 70)
rr  ALTER TABLE t_s_idx SET (fillfactor = 70)
rr  ALTER INDEX t_e_expr ALTER COLUMN 1 SET STATISTICS 100
ee  ALTER TABLE nope ADD COLUMN z int
ee  ALTER TABLE t RENAME COLUMN nope TO nope2
ee  ALTER TABLE t ADD COLUMN a int
eR  ALTER TABLE t RENAME TO u
ee  DROP TABLE nope
ee  DROP VIEW t
eR  ALTER VIEW t RENAME TO t2
rR  ALTER INDEX t RENAME TO t2
ee  CREATE INDEX i ON nope (a)
ee  CREATE INDEX t_s_idx ON t (a)
ee  CREATE TABLE t (id int)
eR  ALTER TABLE t ADD CONSTRAINT t_ck CHECK (a > 0)
ee  ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES nope
ee  ALTER TABLE t VALIDATE CONSTRAINT nope
ee  REINDEX TABLE t_view
ee  CLUSTER t_view USING t_s_idx
sR  ALTER TABLE nopk ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u NOT VALID, VALIDATE CONSTRAINT k
ee  ALTER TABLE t ADD UNIQUE (nope)
ee  ALTER TABLE t ADD FOREIGN KEY (nope) REFERENCES u
ee  ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX nope
ee  ALTER TABLE t ALTER COLUMN a SET NOT NULL, DROP COLUMN nope
ee  ALTER TABLE t DROP COLUMN nope, ALTER COLUMN a SET NOT NULL
ee  ALTER TABLE t ALTER COLUMN a TYPE nope, ALTER COLUMN b SET NOT NULL
ee  ALTER TABLE t ADD COLUMN z int DEFAULT nope()
ee  ALTER TABLE t ADD COLUMN z serial CHECK (nope > 0)
ee  ALTER TABLE t ADD UNIQUE (free), ADD CHECK (nope > 0)
ee  ALTER TABLE t DROP COLUMN free, ADD UNIQUE (free)
RR  ALTER TABLE t ADD UNIQUE (free), ADD FOREIGN KEY (a) REFERENCES t (free), ADD CHECK (nope > 0)
RR  ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (nope + 1) STORED
ee  CREATE INDEX i ON t (nope(a))
ee  CREATE INDEX i ON t ((nope + 1))
ee  CREATE INDEX i ON t USING nope (a)
ee  CREATE INDEX i ON t (a nope_ops)
ee  CREATE INDEX i ON t (a) WHERE nope > 0
ee  CREATE INDEX i ON t (a COLLATE nope)
ee  ALTER TABLE p ATTACH PARTITION nope FOR VALUES FROM (5000) TO (6000)
ee  ALTER TABLE p DETACH PARTITION nopk
ee  CREATE TABLE x PARTITION OF nope FOR VALUES FROM (1) TO (2)
ee  ALTER TABLE t SET SCHEMA nope
ee  ALTER TABLE t SET TABLESPACE nope
ee  ALTER TABLE t OWNER TO nope
ee  REVOKE SELECT ON nope FROM regress_reader
ee  GRANT SELECT ON t TO nope
ee  DROP TABLE nope.nopk
ee  DROP SEQUENCE t
ee  DROP TRIGGER t_trg ON nope
ee  DROP RULE nope ON t
ee  DROP FUNCTION nope()
ee  ALTER TYPE nope ADD VALUE 'x'
eR  ALTER TYPE mood RENAME VALUE 'nope' TO 'y'
ee  ALTER DOMAIN nope SET NOT NULL
ee  ALTER DOMAIN useddom VALIDATE CONSTRAINT nope
RR  CLUSTER nopk USING nope
RR  CLUSTER nopk
ee  REINDEX TABLE nope
ee  REFRESH MATERIALIZED VIEW nope
RR  REFRESH MATERIALIZED VIEW CONCURRENTLY t_mat0
ee  LOCK TABLE nope
ee  CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nope()
rw  CREATE OR REPLACE TRIGGER t_trg BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trg_fn()
rw  CREATE POLICY pp ON rls USING (true)
rR  CREATE POLICY pp ON rls AS RESTRICTIVE USING (id > 0)
rR  ALTER POLICY rls_pol ON rls USING (id > 5)
rR  DROP POLICY rls_pol ON rls
rR  ALTER TABLE rls DISABLE ROW LEVEL SECURITY
ee  COMMENT ON TABLE nope IS 'x'
ee  ALTER VIEW nope RENAME TO n2
ee  ALTER FUNCTION nope() RENAME TO n2
eR  ALTER FUNCTION fn() RENAME TO tfn
ee  CREATE PUBLICATION pubx FOR TABLE nope
rR  ALTER TABLE gp1 NO INHERIT gp
rr  ALTER TABLE gp ADD COLUMN z int
ss  ALTER TABLE gp ADD COLUMN z serial
sR  ALTER TABLE gp ALTER COLUMN x SET NOT NULL
RR  ALTER TABLE gp ALTER COLUMN x TYPE bigint
rR  ALTER TABLE gp DROP COLUMN x
rR  ALTER TABLE gp RENAME COLUMN x TO x2
sR  ALTER TABLE gp ADD CONSTRAINT k CHECK (x > 0)
sR  ALTER TABLE gp ADD CONSTRAINT k CHECK (x > 0) NO INHERIT
ee  ALTER TABLE ONLY gp ADD COLUMN z int
rR  ALTER TABLE ONLY gp DROP COLUMN x
rr  CREATE INDEX ON gp (x)
sR  ALTER TABLE gp ADD UNIQUE (x)
rR  DROP TABLE gp CASCADE
ss  ALTER TABLE mp ADD COLUMN z int DEFAULT vol_fn()
sR  ALTER TABLE mp ALTER COLUMN v SET NOT NULL
rr  ALTER TABLE mp ALTER COLUMN v TYPE text
sR  ALTER TABLE mp ADD UNIQUE (id, k)
rR  ALTER TABLE mp DROP COLUMN v
eR  ALTER TABLE mp1 DROP COLUMN v
sR  ALTER TABLE mp1a ADD CONSTRAINT k CHECK (id > 0)
sR  ALTER TABLE mp DETACH PARTITION mp1
sR  ALTER TABLE mp1 DETACH PARTITION mp1a
rr  CREATE TABLE mp2 PARTITION OF mp FOR VALUES FROM (5000) TO (6000)
rR  DROP TABLE mp1
rR  DROP TABLE mp1a
ss  CREATE INDEX ON mp (v)
rr  CREATE INDEX CONCURRENTLY ON mp1a (v)
rR  ALTER TABLE u RENAME CONSTRAINT u_code_key TO u2
rR  ALTER INDEX u_code_key RENAME TO u2
rR  ALTER TABLE u REPLICA IDENTITY NOTHING
rw  ALTER TABLE t ADD COLUMN z int NOT NULL DEFAULT 5, ADD COLUMN y text, ALTER COLUMN a SET DEFAULT 4
ss  ALTER TABLE t ADD COLUMN z int, ADD COLUMN y serial
rR  ALTER TABLE t DROP CONSTRAINT t_ck, ADD CONSTRAINT t_ck CHECK (ck <> 'x') NOT VALID
sR  ALTER TABLE t DROP CONSTRAINT t_ck, ADD CONSTRAINT t_ck CHECK (ck <> 'x')
sR  ALTER TABLE t ALTER COLUMN s TYPE varchar(40), ALTER COLUMN s SET NOT NULL
rr  ALTER TABLE t ALTER COLUMN s TYPE varchar(40), ALTER COLUMN n TYPE numeric(20,2), ALTER COLUMN txt TYPE varchar
RR  ALTER TABLE t ALTER COLUMN s TYPE varchar(40), ALTER COLUMN free TYPE bigint
RR  ALTER TABLE t ALTER COLUMN free TYPE bigint, ADD COLUMN z int
sR  ALTER TABLE t DROP COLUMN free, DROP COLUMN uid, ADD COLUMN z int CHECK (z > 0)
rw  ALTER TABLE t ALTER COLUMN c DROP DEFAULT, ALTER COLUMN c DROP NOT NULL
rw  ALTER TABLE t ALTER COLUMN c DROP NOT NULL, ALTER COLUMN c DROP DEFAULT
rw  ALTER TABLE t ALTER COLUMN c DROP DEFAULT, ALTER COLUMN c SET DEFAULT 9
eR  ALTER TABLE t RENAME COLUMN a TO b
ee  CREATE TABLE x1 (LIKE nope)
rr  CREATE TABLE x1 () INHERITS (gp, gp1)
ee  CREATE TABLE x1 AS SELECT * FROM nope
ee  CREATE VIEW x1 AS SELECT nope FROM t
rr  CREATE TEMP TABLE t (id int)
rr  CREATE TEMP VIEW tv AS SELECT 1 AS one
rr  CREATE SCHEMA x1 AUTHORIZATION regress_reader
rr  CREATE PROCEDURE pr1() LANGUAGE sql AS 'SELECT 1'
rr  CREATE OR REPLACE PROCEDURE pr1() LANGUAGE sql AS 'SELECT 1'
rr  CREATE OR REPLACE AGGREGATE x1 (int) (SFUNC = int4pl, STYPE = int)
rr  CREATE EXTENSION IF NOT EXISTS plpgsql
rR! REVOKE USAGE ON SCHEMA public FROM PUBLIC
rr! REVOKE CREATE ON SCHEMA public FROM PUBLIC
rr! REVOKE ALL ON SCHEMA public FROM regress_reader
rR  REVOKE EXECUTE ON FUNCTION fn() FROM PUBLIC
rR  REVOKE USAGE ON TYPE mood FROM PUBLIC
rr  REVOKE GRANT OPTION FOR SELECT ON t FROM regress_reader
rR  REVOKE SELECT (a) ON t FROM regress_reader
rr  REVOKE INSERT ON t FROM regress_reader
rr  DROP CAST IF EXISTS (pair AS text)
rr  DROP OPERATOR IF EXISTS === (int, int)
ss  ALTER TABLE t ADD COLUMN z dvol
rr  ALTER TABLE t ADD COLUMN z dvol DEFAULT NULL
rr  ALTER TABLE t ADD COLUMN z ddef
rr  ALTER TABLE t ADD COLUMN z ddef NOT NULL
18 rr  ALTER TABLE t ADD COLUMN z int GENERATED ALWAYS AS (a + 1) VIRTUAL
18 sR  ALTER TABLE t ADD CONSTRAINT k NOT NULL a
18 rR  ALTER TABLE t ADD CONSTRAINT k NOT NULL a NOT VALID
18 rr  ALTER TABLE t ADD CONSTRAINT k NOT NULL proven
18 rr  ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT ENFORCED
18 rr  ALTER TABLE nopk ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u NOT ENFORCED
17 RR  ALTER TABLE t ALTER COLUMN gen SET EXPRESSION AS (a * 3)
LIST

my @cases;
foreach my $line (split /\n/, $list)
{
	die "wrong line: $line"
	  unless $line =~ /^(?:(-?)(\d\d) )?([rwsRe])([rwsRe])(!?) +(.*)$/;
	push @cases, { plain => $3, window => $4, global => $5 ne '', sql => $6 }
	  if !defined $2 || ($1 eq '' ? $version >= $2 : $version <= $2);
}
cmp_ok(scalar @cases, '>=', 150, 'there are at least 150 statements');

# Where a statement can be; each with the name of the schema that it sees.
my @contexts = (
	{ name => 'autocommit', schema => 'filled' },
	{ name => 'block', schema => 'filled', block => 1 },
	{ name => 'function', schema => 'filled', block => 1, function => 1 },
	{ name => 'string', schema => 'filled', string => 1 },
	{ name => 'empty', schema => 'empty' },
	{ name => 'temporary', schema => 'pg_temp', set_up => 'temporary' },
	{ name => 'same transaction', schema => 'made', block => 1, set_up => 'transaction' },
	{ name => 'window', schema => 'filled', window => 1 },
	{ name => 'window, block', schema => 'filled', window => 1, block => 1 },
	{ name => 'born', schema => 'born', window => 1 },
	{ name => 'window, temporary', schema => 'pg_temp', window => 1, set_up => 'temporary' },
	{ name => 'mode', schema => 'filled', window => 1, set => "SET zdm.mode = 'warn';" },
	{ name => 'rules', schema => 'filled', window => 1, by_rule => 'zdm.rules' },
	{ name => 'allow', schema => 'filled', window => 1, by_rule => 'zdm.allow' });

# The verdict in one word, and which of those rows are of a statement that
# cannot run.
my $verdict = <<'SQL';
SELECT coalesce(max(CASE verdict WHEN 'refuse' THEN 4 WHEN 'rewrite' THEN 3
								WHEN 'warn' THEN 2 ELSE 1 END)
				FILTER (WHERE class IS NOT NULL), 1) AS verdict,
	   count(*) FILTER (WHERE class IS NULL AND rule IS NOT NULL) AS broken
  FROM zdm_check(:'sql') \gset
SQL

# The script of one statement in one context.  Marks go where the messages go.
sub script
{
	my ($context, $number, $case) = @_;
	my $sql = $case->{sql};
	my $alone = $sql =~ /CONCURRENTLY/ && $sql !~ /^REFRESH/;
	my $cannot_undo = $sql =~ /^DROP INDEX|^REINDEX|DETACH/;
	my $in_transaction = ($context->{set_up} // '') eq 'transaction';
	my $in_block = $context->{block} || $sql =~ /^TRUNCATE/;
	my $script = "\\warn \@begin $number\n\\set sql '" . ($sql =~ s/'/''/gr) . "'\n";

	if ($context->{by_rule})
	{
		my $item = $context->{by_rule} eq 'zdm.rules' ? "rule || '=off'" : 'rule';

		$script .= "SET $context->{by_rule} = '';\n"
		  . "SELECT coalesce(string_agg(DISTINCT $item, ', '), '') AS rules\n"
		  . "  FROM zdm_check(:'sql') WHERE class IS NOT NULL \\gset\n"
		  . "SET $context->{by_rule} = :'rules';\n";
	}
	$script .= $in_transaction ? "SAVEPOINT s;\n" : $in_block || $context->{string} ? "BEGIN;\n" : '';
	$script .= $verdict . "\\warn \@check :verdict :broken\n";
	$script .= "COMMIT;\n" if $context->{string} && !$in_block;
	$script .= "SELECT setval('public.stops', 1, false) \\g /dev/null\n";
	$script .= "SET agreement.stop = ddl_command_" . ($alone ? 'start' : 'end') . ";\n";
	$script .= "SELECT set_config('agreement.stop', 'ddl_command_start', false) WHERE :verdict = 3 \\g /dev/null\n"
	  if $cannot_undo;
	$script .= $context->{function} ? "DO \$do\$ BEGIN $sql; END \$do\$;\n"
	  : $context->{string} ? "SELECT\\; $sql;\n" : "$sql;\n";
	$script .= "\\warn \@end :SQLSTATE\n";
	$script .= $in_transaction ? "ROLLBACK TO s;\n" : $in_block ? "ROLLBACK;\n" : '';
	$script .= "SET agreement.stop = '';\n";
	return $script;
}

# What comes before the statements of a context.
sub set_up
{
	my ($context) = @_;
	my $kind = $context->{set_up} // '';
	my $path = "SET search_path = $context->{schema}, public;\n";

	return "SET zdm.mode = off;\n$path" . objects(1) . "RESET zdm.mode;\n"
	  if $kind eq 'temporary';
	return "BEGIN;\nCREATE SCHEMA made;\n$path" . objects(1) if $kind eq 'transaction';
	return $path;
}

# Run all statements in a context; for each a hash of check, broken, warnings,
# sqlstate.
sub run_context
{
	my ($context) = @_;
	my $script = "SET client_min_messages = error;\n" . set_up($context)
	  . "SET client_min_messages = notice;\n" . ($context->{set} // '') . "\n";
	my ($stdout, $stderr) = ('', '');
	my @results;
	my $result = {};

	$script .= script($context, $_, $cases[$_]) foreach 0 .. $#cases;
	$node->psql(
		'postgres', $script,
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	foreach my $line (split /\n/, $stderr)
	{
		$results[$1] = $result = { warnings => 0, steps => 0 } if $line =~ /^\@begin (\d+)/;
		($result->{check}, $result->{broken}) = ($1, $2) if $line =~ /^\@check (\d+) (\d+)/;
		$result->{sqlstate} = $1 if $line =~ /^\@end (\w+)/;
		$result->{warnings}++ if $line =~ /WARNING:  ZDM01:/;
		$result->{steps}++ if $line =~ /NOTICE:  00000: .* is carried out /;
		$result->{error} = $1 if $line =~ /ERROR:  (.*)/;
	}
	return @results;
}

# One letter, as in the list, for what happened.
sub letter
{
	my ($result) = @_;

	return 'R' if $result->{sqlstate} eq 'ZDM01';
	return 'e' if $result->{sqlstate} !~ /^(RAN00|00000)$/;
	return 's' if $result->{steps} > 0;
	return $result->{warnings} > 0 ? 'w' : 'r';
}

# The letter that zdm_check foretells; 'e' only from broken statements.
sub foretold
{
	my ($result) = @_;

	return $result->{broken} ? 'e' : qw(? r w s R) [ $result->{check} ];
}

# Maintenance inside functions is not refused while no window is open: it only
# warns, which zdm_check does not foretell, as it is asked for the client's own
# statement.  CONCURRENTLY fails there.
sub is_maintenance
{
	return $_[0] =~ /^(REINDEX|REFRESH)|(ATTACH|DETACH) PARTITION|PARTITION OF|CONCURRENTLY/;
}

# Is the outcome wrong for the context, though zdm_check may agree with it?
sub is_wrong
{
	my ($context, $case, $letter) = @_;
	my $name = $context->{name};

	return $letter ne $case->{plain} if $name eq 'autocommit';
	return $letter ne $case->{window} if $name eq 'window';
	return 0 if $case->{global};
	return $letter !~ /[re]/ if $context->{set_up} || $context->{by_rule};
	return $letter =~ /[sR]/ if $name eq 'mode';
	return $letter eq 's' if $context->{block} || $context->{string};
	return $letter =~ /[sR]/ && $case->{sql} !~ /CONCURRENTLY/ if $name eq 'empty';
	return $letter !~ /[re]/ && $letter ne $case->{plain} if $name eq 'born';
	return 0;
}

# What stopped steps may not leave.
my $left_over = <<'SQL';
SELECT 'step', sql FROM zdm.step WHERE state <> 'done'
UNION ALL SELECT 'made', to_jsonb(made)::text FROM zdm.made
UNION ALL SELECT 'index', indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
UNION ALL SELECT 'constraint', format('%s of %s', conname, conrelid::regclass) FROM pg_constraint
	WHERE NOT convalidated AND conname NOT IN ('t_nv', 't_a_fkey');
SQL

sub check_context
{
	my ($context) = @_;
	my @results = run_context($context);
	my @complaints;

	foreach my $number (0 .. $#cases)
	{
		my ($case, $result) = ($cases[$number], $results[$number]);
		my $sql = $case->{sql};
		my ($letter, $foretold);

		if (!defined $result || !defined $result->{check} || !defined $result->{sqlstate})
		{
			push @complaints, "$sql: was not run";
			next;
		}
		($letter, $foretold) = (letter($result), foretold($result));
		push @complaints, "$sql: $letter, which is wrong (" . ($result->{error} // '') . ')'
		  if is_wrong($context, $case, $letter);
		next if $context->{function} && is_maintenance($sql);
		# the server may refuse on its own account what zdm lets through or
		# warns of; and of what names nothing that exists zdm_check lists all
		push @complaints,
		  "$sql: zdm_check foretells $foretold, but it is $letter (" . ($result->{error} // '') . ')'
		  unless $letter eq $foretold
		  || ($letter eq 'e' && $foretold =~ /[rws]/)
		  || ($letter eq 'R' && $foretold eq 'e' && $result->{check} == 4)
		  # the one step that runs inside a transaction
		  || ($letter eq 'r' && $foretold eq 's' && $sql =~ /^REFRESH/
			&& ($context->{block} || $context->{string}));
	}
	is(join("\n", @complaints), '', "$context->{name}: " . scalar(@cases) . ' statements');
	is($node->safe_psql('postgres', $left_over), '', "$context->{name}: nothing is left of steps");
}

$node->safe_psql('postgres',
	"SET zdm.mode = off; CREATE SCHEMA filled; SET search_path = filled, public;"
	  . objects(1) . 'CREATE PUBLICATION published FOR TABLE u');
$node->safe_psql('postgres',
	"SET zdm.mode = off; CREATE SCHEMA empty; SET search_path = empty, public;" . objects(0));
check_context($_) foreach grep { !$_->{window} } @contexts;

# Run SQL in the filled schema; returns what it prints.
sub filled
{
	my ($sql) = @_;

	return $node->safe_psql('postgres',
		"SET client_min_messages = error; SET search_path = filled, public; $sql");
}

is( filled(
		"BEGIN; ALTER TABLE t ADD CONSTRAINT nv CHECK (a > 0) NOT VALID;
		SELECT rule FROM zdm_check('ALTER TABLE t VALIDATE CONSTRAINT nv') WHERE verdict = 'refuse'"),
	'validate_while_locked',
	'zdm_check knows what the transaction has done before');

is( filled("SELECT hint FROM zdm_check('ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID,
			VALIDATE CONSTRAINT k') WHERE rule = 'validate_while_locked'"),
	'ALTER TABLE filled.t ADD CONSTRAINT k CHECK (a > 0) NOT VALID; '
	  . 'ALTER TABLE filled.t VALIDATE CONSTRAINT k;',
	'the advice takes one ALTER TABLE apart');

$node->safe_psql('postgres', "SELECT zdm_begin_window('agreement')");
$node->safe_psql('postgres',
	"BEGIN; CREATE SCHEMA born; SET search_path = born, public;" . objects(1) . 'COMMIT;');
check_context($_) foreach grep { $_->{window} } @contexts;

# What a statement rebuilds or replaces was there before: it is not born.
filled('REINDEX INDEX CONCURRENTLY t_d_idx');
filled('ALTER TABLE t ALTER COLUMN s TYPE varchar(60)');
filled("CREATE OR REPLACE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 3'");
filled('CREATE OR REPLACE TRIGGER t_trg BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trg_fn()');
foreach my $sql (
	'DROP INDEX CONCURRENTLY t_d_idx',
	'DROP INDEX CONCURRENTLY t_s_idx',
	'DROP FUNCTION fn()',
	'DROP TRIGGER t_trg ON t')
{
	is(filled("SELECT verdict FROM zdm_check('$sql')"), 'refuse', "$sql after a replacement");
}

# Whom the server would not let has the server's error, who may is guarded.
sub sqlstate_of
{
	my ($role, $sql) = @_;
	my $stderr = '';

	$node->psql(
		'postgres', "SET client_min_messages = error; SET search_path = filled, public; SET ROLE $role; $sql",
		stderr => \$stderr,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	return $stderr =~ /ERROR:\s+(\w{5})/ ? $1 : '';
}

filled('GRANT USAGE ON SCHEMA filled TO regress_reader, regress_nobody;
	GRANT SELECT ON nopk TO regress_reader WITH GRANT OPTION;
	SET ROLE regress_reader; GRANT SELECT ON nopk TO regress_nobody');
foreach my $sql (
	'ALTER TABLE t DROP COLUMN a',
	'CREATE INDEX ON t (a)',
	'DROP FUNCTION fn()',
	'DROP TYPE mood CASCADE',
	'DROP SCHEMA filled CASCADE',
	'ALTER TYPE mood RENAME TO mood2',
	'DROP OWNED BY regress_reader',
	'REASSIGN OWNED BY regress_reader TO regress_nobody',
	'REVOKE SELECT ON t FROM regress_reader')
{
	is(sqlstate_of('regress_nobody', $sql), '42501', "$sql, without the right to");
}
is(sqlstate_of('regress_reader', 'REVOKE SELECT ON nopk FROM regress_nobody'),
	'ZDM01', 'REVOKE by who has only the grant option is guarded');

# The server asks for rights on what a statement names, not on all that it
# reaches: that is guarded whosever it is.
filled('SELECT zdm_end_window(); CREATE SCHEMA theirs AUTHORIZATION regress_reader;
	SET search_path = theirs, public; SET ROLE regress_reader;
	CREATE TABLE parent (id int NOT NULL) PARTITION BY RANGE (id);
	CREATE TABLE part (id int NOT NULL);
	CREATE DOMAIN dom AS int;
	RESET ROLE;
	CREATE TABLE others PARTITION OF parent DEFAULT;
	INSERT INTO others SELECT generate_series(1000, 2000);
	CREATE TABLE domain_user (d dom);
	INSERT INTO domain_user SELECT generate_series(1, 100);
	ALTER SCHEMA theirs OWNER TO CURRENT_USER;
	GRANT ALL ON SCHEMA theirs TO regress_reader');
foreach my $sql (
	'ALTER TABLE theirs.parent ATTACH PARTITION theirs.part FOR VALUES FROM (1) TO (9)',
	'CREATE TABLE theirs.new PARTITION OF theirs.parent FOR VALUES FROM (1) TO (9)',
	'ALTER DOMAIN theirs.dom ADD CHECK (VALUE > 0)')
{
	is(sqlstate_of('regress_reader', $sql), 'ZDM01', "$sql, which reads another's table");
}

# A look at a default runs nobody else's function, though it is IMMUTABLE.
filled('GRANT ALL ON SCHEMA theirs TO regress_reader; SET ROLE regress_reader;
	CREATE SEQUENCE theirs.runs;
	CREATE FUNCTION theirs.imm() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
		$$BEGIN RETURN nextval(\'theirs.runs\'); END$$;
	CREATE DOMAIN theirs.imm_dom AS int DEFAULT theirs.imm()');
filled("SELECT count(*) FROM zdm_check('ALTER TABLE t ADD COLUMN z int DEFAULT theirs.imm();
	ALTER TABLE t ADD COLUMN z theirs.imm_dom')");
is(filled('SELECT is_called FROM theirs.runs'), 'f', 'zdm_check runs no function of another role');

$node->stop;
done_testing();
