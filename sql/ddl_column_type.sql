-- ALTER COLUMN ... TYPE: what PostgreSQL rewrites, rebuilds and checks again.
CREATE SCHEMA ddl_column_type;
SET search_path = ddl_column_type, fixture, public;
SET timezone = 'UTC';
\pset format unaligned

SET zdm.mode = off;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN free_domain AS int;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE u (id int PRIMARY KEY, code varchar(10) UNIQUE);
INSERT INTO u VALUES (1, 'a');
CREATE TABLE t (id int PRIMARY KEY, v varchar(10), v_indexed varchar(10), v_expr varchar(10),
	v_partial varchar(10), v_included varchar(10), v_checked varchar(10), v_unchecked varchar(10),
	txt text, txt_indexed text, padded char(5), n numeric(8,2), i int, dom free_domain, pos positive,
	ts timestamp, ts_indexed timestamp, tz timestamptz(6), iv interval(3), b bit(8), vb varbit(8),
	net cidr, arr varchar(10)[], m mood, x xml, seen int, uid int REFERENCES u,
	code varchar(10) REFERENCES u (code), gen int GENERATED ALWAYS AS (id * 2) STORED,
	CONSTRAINT checked CHECK (v_checked <> ''));
INSERT INTO t (id, v_checked, uid, code) VALUES (1, 'x', 1, 'a');
ALTER TABLE t ADD CONSTRAINT unchecked CHECK (v_unchecked <> '') NOT VALID;
CREATE INDEX t_v_indexed ON t (v_indexed);
CREATE INDEX t_v_hash ON t USING hash (v_indexed);
CREATE INDEX t_v_pattern ON t (v_indexed varchar_pattern_ops);
CREATE INDEX t_expr ON t (lower(v_expr));
CREATE INDEX t_partial ON t (id) WHERE v_partial IS NOT NULL;
CREATE INDEX t_included ON t (id) INCLUDE (v_included);
CREATE INDEX t_txt ON t (txt_indexed);
CREATE INDEX t_ts ON t (ts_indexed);
CREATE INDEX t_net ON t (net inet_ops);
CREATE TABLE small_key (id int PRIMARY KEY);
INSERT INTO small_key VALUES (1);
CREATE TABLE large_ref AS SELECT 1 AS key, repeat('x', 200) AS filler FROM generate_series(1, 10000);
ALTER TABLE large_ref ADD CONSTRAINT large_ref_key FOREIGN KEY (key) REFERENCES small_key;
CREATE VIEW t_view AS SELECT seen FROM t;
CREATE TABLE empty_table (a int);
CREATE TABLE "Mixed Case" ("The Column" varchar(5) CHECK ("The Column" <> ''));
INSERT INTO "Mixed Case" VALUES ('a');
CREATE TABLE parted (id int, k int, v varchar(10)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO parted VALUES (1, 1, 'a');
CREATE INDEX parted_v ON parted (v);
RESET zdm.mode;

-- no row changes
SELECT sql, rule, rewrites, scans, verdict FROM check_each($$
ALTER TABLE t ALTER COLUMN v TYPE varchar(10)
ALTER TABLE t ALTER COLUMN v TYPE varchar(20)
ALTER TABLE t ALTER v SET DATA TYPE varchar
ALTER TABLE t ALTER COLUMN v TYPE text
ALTER TABLE t ALTER COLUMN v TYPE text USING v
ALTER TABLE t ALTER COLUMN v TYPE text USING v::text
ALTER TABLE t ALTER COLUMN v TYPE text USING CAST(t.v AS varchar)
ALTER TABLE t ALTER COLUMN v_indexed TYPE text
ALTER TABLE t ALTER COLUMN v_included TYPE text
ALTER TABLE t ALTER COLUMN v_unchecked TYPE text
ALTER TABLE t ALTER COLUMN txt TYPE varchar
ALTER TABLE t ALTER COLUMN txt TYPE text COLLATE "C"
ALTER TABLE t ALTER COLUMN n TYPE numeric(10,2)
ALTER TABLE t ALTER COLUMN n TYPE numeric
ALTER TABLE t ALTER COLUMN i TYPE oid
ALTER TABLE t ALTER COLUMN i TYPE free_domain
ALTER TABLE t ALTER COLUMN dom TYPE int
ALTER TABLE t ALTER COLUMN pos TYPE int
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz
ALTER TABLE t ALTER COLUMN tz TYPE timestamp
ALTER TABLE t ALTER COLUMN tz TYPE timestamptz
ALTER TABLE t ALTER COLUMN iv TYPE interval(6)
ALTER TABLE t ALTER COLUMN b TYPE varbit
ALTER TABLE t ALTER COLUMN vb TYPE varbit(16)
ALTER TABLE t ALTER COLUMN net TYPE inet
ALTER TABLE t ALTER COLUMN x TYPE text
$$) WHERE rule IS DISTINCT FROM 'alter_column_type_in_window' OR rewrites OR scans;

-- every row changes
SELECT sql, rule, lock_mode, rewrites, verdict FROM check_each($$
ALTER TABLE t ALTER COLUMN v TYPE varchar(5)
ALTER TABLE t ALTER COLUMN txt TYPE varchar(5)
ALTER TABLE t ALTER COLUMN v TYPE text USING upper(v)
ALTER TABLE t ALTER COLUMN i TYPE int USING i + 0
ALTER TABLE t ALTER COLUMN i TYPE int USING id
ALTER TABLE t ALTER COLUMN i TYPE bigint
ALTER TABLE t ALTER COLUMN i TYPE positive
ALTER TABLE t ALTER COLUMN padded TYPE char(10)
ALTER TABLE t ALTER COLUMN padded TYPE text
ALTER TABLE t ALTER COLUMN n TYPE numeric(10,3)
ALTER TABLE t ALTER COLUMN tz TYPE timestamptz(3)
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz USING ts AT TIME ZONE 'UTC'
ALTER TABLE t ALTER COLUMN b TYPE varbit(8)
ALTER TABLE t ALTER COLUMN arr TYPE text[]
ALTER TABLE t ALTER COLUMN m TYPE text
ALTER TABLE t ALTER COLUMN uid TYPE bigint
ALTER TABLE u ALTER COLUMN id TYPE bigint
ALTER TABLE t ALTER COLUMN gen TYPE bigint
ALTER TABLE parted ALTER COLUMN k TYPE bigint
$$) WHERE rule = 'alter_column_type' OR rule IS NULL;
SET timezone = 'Europe/London';
SELECT rule, rewrites FROM zdm_check('ALTER TABLE t ALTER COLUMN ts TYPE timestamptz') WHERE class = 'lock';
SET timezone = 'UTC';

-- an index is rebuilt, a constraint checked again
SELECT sql, rule, lock_mode, rewrites, scans, verdict, message FROM check_each($$
ALTER TABLE t ALTER COLUMN v_expr TYPE varchar(20)
ALTER TABLE t ALTER COLUMN v_partial TYPE text
ALTER TABLE t ALTER COLUMN txt_indexed TYPE text COLLATE "C"
ALTER TABLE t ALTER COLUMN ts_indexed TYPE timestamptz
ALTER TABLE t ALTER COLUMN v_checked TYPE varchar(20)
ALTER TABLE "Mixed Case" ALTER COLUMN "The Column" TYPE varchar(20)
ALTER TABLE t ALTER COLUMN code TYPE text
ALTER TABLE u ALTER COLUMN code TYPE text
ALTER TABLE t ALTER COLUMN uid TYPE oid
ALTER TABLE parted ALTER COLUMN v TYPE text
$$) WHERE class = 'lock' OR rule IS NULL;

-- a small table whose key a large one references
SET zdm.small_table = '1MB';
SELECT rule, object, rewrites, scans, verdict FROM zdm_check('ALTER TABLE small_key ALTER COLUMN id TYPE bigint');
SELECT rule, object, rewrites, scans, verdict FROM zdm_check('ALTER TABLE t ALTER COLUMN i TYPE bigint');
RESET zdm.small_table;

-- small and empty tables; what PostgreSQL refuses by itself; what is missing
SELECT sql, rule, rewrites, verdict, message FROM check_each($$
ALTER TABLE empty_table ALTER COLUMN a TYPE bigint
ALTER TABLE t ALTER COLUMN seen TYPE bigint
ALTER TABLE t ALTER COLUMN id TYPE bigint
ALTER TABLE t ALTER COLUMN i TYPE uuid
ALTER TABLE t ALTER COLUMN nope TYPE bigint
ALTER TABLE t ALTER COLUMN i TYPE no_such_type
ALTER TABLE t ALTER COLUMN txt TYPE text COLLATE no_such_collation
$$);

-- which changes old clients notice
SELECT sql, coalesce(bool_or(rule = 'alter_column_type_in_window'), false) AS noticed
FROM check_each($$
ALTER TABLE t ALTER COLUMN v TYPE varchar(20)
ALTER TABLE t ALTER COLUMN v TYPE varchar(5)
ALTER TABLE t ALTER COLUMN v TYPE text
ALTER TABLE t ALTER COLUMN txt TYPE varchar
ALTER TABLE t ALTER COLUMN txt TYPE varchar(20)
ALTER TABLE t ALTER COLUMN txt TYPE text COLLATE "C"
ALTER TABLE t ALTER COLUMN txt TYPE text USING upper(txt)
ALTER TABLE t ALTER COLUMN n TYPE numeric(10,2)
ALTER TABLE t ALTER COLUMN n TYPE numeric(7,2)
ALTER TABLE t ALTER COLUMN n TYPE numeric(10,3)
ALTER TABLE t ALTER COLUMN n TYPE numeric
ALTER TABLE t ALTER COLUMN i TYPE bigint
ALTER TABLE t ALTER COLUMN i TYPE bigint USING i::bigint
ALTER TABLE t ALTER COLUMN i TYPE smallint
ALTER TABLE t ALTER COLUMN i TYPE text
ALTER TABLE t ALTER COLUMN i TYPE positive
ALTER TABLE t ALTER COLUMN pos TYPE int
ALTER TABLE t ALTER COLUMN padded TYPE text
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz
ALTER TABLE t ALTER COLUMN m TYPE text
ALTER TABLE t ALTER COLUMN iv TYPE interval
$$) GROUP BY sql ORDER BY sql COLLATE "C";

-- the safe form
SELECT sql, hint FROM check_each($$
ALTER TABLE t ALTER COLUMN i TYPE bigint
ALTER TABLE t ALTER COLUMN v_expr TYPE varchar(20)
ALTER TABLE t ALTER COLUMN v_checked TYPE varchar(20)
ALTER TABLE "Mixed Case" ALTER COLUMN "The Column" TYPE varchar(20)
ALTER TABLE t ALTER COLUMN uid TYPE oid
ALTER TABLE u ALTER COLUMN id TYPE oid
$$) WHERE class = 'lock';

-- the hook
\set VERBOSITY terse
ALTER TABLE t ALTER COLUMN i TYPE bigint;
ALTER TABLE t ALTER COLUMN v_expr TYPE text;
ALTER TABLE t ALTER COLUMN v_checked TYPE text;
ALTER TABLE t ALTER COLUMN v TYPE text;
ALTER TABLE empty_table ALTER COLUMN a TYPE bigint;
ALTER TABLE t ALTER COLUMN seen TYPE bigint;
SELECT zdm_begin_window('types') > 0 AS open;
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz;
ALTER TABLE t ALTER COLUMN n TYPE numeric(20,2);
ALTER TABLE t ADD COLUMN born timestamp;
ALTER TABLE t ALTER COLUMN born TYPE timestamptz;
SELECT zdm_end_window('types', force => true) >= 0 AS ended;

SET client_min_messages = warning;
DROP SCHEMA ddl_column_type CASCADE;
