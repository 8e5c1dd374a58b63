-- What ALTER ... RENAME and SET SCHEMA do: who uses the old name, which locks.
CREATE SCHEMA ddl_rename;
CREATE SCHEMA ddl_rename_to;
SET search_path = ddl_rename, fixture, public;
\pset format unaligned

CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(20) UNIQUE, k serial,
	CONSTRAINT t_check CHECK (a > 0));
CREATE TABLE "Mixed Case" ("The Column" int);
CREATE TABLE parted (id int, x int, CONSTRAINT parted_check CHECK (x > 0)) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE base (a int);
CREATE TABLE derived () INHERITS (base);
CREATE TABLE ref (t_id int CONSTRAINT ref_t_id_fkey REFERENCES t);
CREATE TABLE name_of_sixty_three_bytes_which_is_the_longest_that_there_can_b (a int);
CREATE INDEX t_a ON t (a);
CREATE VIEW v AS SELECT id, a FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS one;
CREATE SEQUENCE seq;
INSERT INTO t VALUES (1, 1, 'x');
INSERT INTO "Mixed Case" VALUES (1);
INSERT INTO parted VALUES (1, 1);
INSERT INTO derived VALUES (1);
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int);
CREATE FUNCTION trigger_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t_trigger BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trigger_function();
CREATE TRIGGER parted_trigger AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION trigger_function();
CREATE RULE t_rule AS ON DELETE TO t DO ALSO NOTIFY t;
CREATE POLICY t_policy ON t;
CREATE STATISTICS t_stat ON a, b FROM t;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (x int, y int);
CREATE TABLE pairs OF pair;
INSERT INTO pairs VALUES (1, 2);
CREATE DOMAIN positive AS int CONSTRAINT positive_check CHECK (VALUE > 0);
CREATE COLLATION coll FROM "C";
CREATE CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH CONFIGURATION ts (COPY = simple);
CREATE ROLE regress_zdm_rename;

-- relations
SELECT sql, object, rule, class, lock_mode, rewrites, scans, verdict, message FROM check_each($$
ALTER TABLE t RENAME TO u;
ALTER TABLE "Mixed Case" RENAME TO "Other Case";
ALTER TABLE parted RENAME TO u;
ALTER TABLE parted_1 RENAME TO u;
ALTER TABLE name_of_sixty_three_bytes_which_is_the_longest_that_there_can_b RENAME TO u;
ALTER VIEW v RENAME TO w;
ALTER TABLE v RENAME TO w;
ALTER MATERIALIZED VIEW mv RENAME TO mw;
ALTER SEQUENCE seq RENAME TO qes;
ALTER INDEX t_a RENAME TO t_b;
ALTER TABLE t_a RENAME TO t_b;
ALTER INDEX t_pkey RENAME TO t_key;
ALTER TABLE IF EXISTS nope RENAME TO u;
ALTER INDEX IF EXISTS nope RENAME TO u;
ALTER TABLE nope RENAME TO u;
$$);

-- columns, attributes, constraints
SELECT sql, rule, class, lock_mode, verdict, message FROM check_each($$
ALTER TABLE t RENAME a TO z;
ALTER TABLE t RENAME COLUMN k TO z;
ALTER TABLE "Mixed Case" RENAME "The Column" TO "Other Column";
ALTER TABLE parted RENAME x TO z;
ALTER TABLE base RENAME a TO z;
ALTER VIEW v RENAME COLUMN a TO z;
ALTER MATERIALIZED VIEW mv RENAME COLUMN one TO two;
ALTER TABLE t RENAME nope TO z;
ALTER TABLE nope RENAME nope TO z;
ALTER TABLE IF EXISTS nope RENAME nope TO z;
ALTER TYPE pair RENAME ATTRIBUTE x TO z;
ALTER TYPE pair RENAME ATTRIBUTE x TO z CASCADE;
ALTER TABLE t RENAME CONSTRAINT t_check TO z;
ALTER TABLE t RENAME CONSTRAINT t_pkey TO z;
ALTER TABLE t RENAME CONSTRAINT t_b_key TO z;
ALTER TABLE ref RENAME CONSTRAINT ref_t_id_fkey TO z;
ALTER TABLE parted RENAME CONSTRAINT parted_check TO z;
ALTER TABLE t RENAME CONSTRAINT nope TO z;
ALTER DOMAIN positive RENAME CONSTRAINT positive_check TO z;
$$);

-- the rest
SELECT sql, object, rule, class, lock_mode, verdict, message FROM check_each($$
ALTER FUNCTION f(int) RENAME TO g;
ALTER PROCEDURE p() RENAME TO q;
ALTER ROUTINE p() RENAME TO q;
ALTER AGGREGATE total(int) RENAME TO sums;
ALTER TYPE mood RENAME TO feeling;
ALTER TYPE pair RENAME TO couple;
ALTER DOMAIN positive RENAME TO natural_number;
ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy';
ALTER SCHEMA ddl_rename RENAME TO z;
ALTER ROLE regress_zdm_rename RENAME TO regress_zdm_renamed;
ALTER DATABASE template1 RENAME TO z;
ALTER TRIGGER t_trigger ON t RENAME TO z;
ALTER TRIGGER parted_trigger ON parted RENAME TO z;
ALTER RULE t_rule ON t RENAME TO z;
ALTER POLICY t_policy ON t RENAME TO z;
ALTER STATISTICS t_stat RENAME TO z;
ALTER COLLATION coll RENAME TO z;
ALTER CONVERSION conv RENAME TO z;
ALTER TEXT SEARCH CONFIGURATION ts RENAME TO z;
ALTER LANGUAGE plpgsql RENAME TO z;
$$);

-- SET SCHEMA
SELECT sql, rule, class, lock_mode, verdict, message FROM check_each($$
ALTER TABLE t SET SCHEMA ddl_rename_to;
ALTER TABLE t SET SCHEMA ddl_rename;
ALTER VIEW v SET SCHEMA ddl_rename_to;
ALTER SEQUENCE seq SET SCHEMA ddl_rename_to;
ALTER FUNCTION f(int) SET SCHEMA ddl_rename_to;
ALTER FUNCTION f(int) SET SCHEMA ddl_rename;
ALTER TYPE mood SET SCHEMA ddl_rename_to;
ALTER CONVERSION conv SET SCHEMA ddl_rename_to;
ALTER TABLE IF EXISTS nope SET SCHEMA ddl_rename_to;
ALTER FUNCTION nope(int) SET SCHEMA ddl_rename_to;
$$);

-- what is not there
SELECT sql, rule, lock_mode, message FROM check_each($$
ALTER FUNCTION nope(int) RENAME TO g;
ALTER TYPE nope RENAME TO g;
ALTER TYPE nope RENAME VALUE 'a' TO 'b';
ALTER SCHEMA nope RENAME TO z;
ALTER ROLE nope RENAME TO z;
ALTER DATABASE nope RENAME TO z;
ALTER TABLESPACE nope RENAME TO z;
ALTER TRIGGER nope ON t RENAME TO z;
ALTER TRIGGER nope ON nope RENAME TO z;
ALTER RULE nope ON t RENAME TO z;
ALTER POLICY nope ON t RENAME TO z;
ALTER POLICY IF EXISTS nope ON nope RENAME TO z;
ALTER COLLATION nope RENAME TO z;
ALTER PUBLICATION nope RENAME TO z;
ALTER SUBSCRIPTION nope RENAME TO z;
ALTER EVENT TRIGGER nope RENAME TO z;
ALTER OPERATOR CLASS nope USING btree RENAME TO z;
ALTER DOMAIN nope RENAME CONSTRAINT a TO z;
ALTER DOMAIN positive RENAME CONSTRAINT nope TO z;
$$);

-- made earlier in the script, or renamed in it
SELECT statement, rule, lock_mode, message FROM zdm_check($$
CREATE TABLE scripted (a int);
ALTER TABLE scripted RENAME a TO b;
ALTER TABLE scripted RENAME TO scripted_2;
ALTER TABLE scripted_2 RENAME b TO c;
CREATE TYPE scripted_type AS ENUM ('a');
ALTER TYPE scripted_type RENAME TO other_type;
CREATE FUNCTION scripted() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION scripted() RENAME TO other;
ALTER FUNCTION other() RENAME TO scripted;
CREATE TEMP TABLE temporary (a int);
ALTER TABLE temporary RENAME TO other_temporary;
$$);

-- the safe form
SELECT sql, rule, hint FROM check_each($$
ALTER TABLE t RENAME b TO z;
ALTER TABLE "Mixed Case" RENAME "The Column" TO "Other Column";
ALTER VIEW v RENAME COLUMN a TO z;
ALTER TABLE "Mixed Case" RENAME TO "Other Case";
ALTER TABLE t SET SCHEMA ddl_rename_to;
ALTER TYPE mood RENAME VALUE 'sad' TO 'un''happy';
ALTER FUNCTION f(int) RENAME TO "G";
ALTER TABLE t RENAME CONSTRAINT t_pkey TO z;
ALTER SCHEMA ddl_rename RENAME TO z;
$$);

-- in a window
SELECT zdm_begin_window('rename') > 0 AS opened;
\set VERBOSITY terse
ALTER TABLE t RENAME a TO z;
ALTER TABLE t RENAME TO z;
ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy';
ALTER FUNCTION f(int) RENAME TO g;
ALTER SCHEMA ddl_rename_to RENAME TO z;
ALTER TABLE t SET SCHEMA ddl_rename_to;
-- what no client names is renamed
ALTER INDEX t_a RENAME TO t_a_index;
ALTER TABLE t RENAME CONSTRAINT t_check TO t_a_check;
ALTER TRIGGER t_trigger ON t RENAME TO t_before_insert;
-- and what the window has made
CREATE TABLE born (a int);
ALTER TABLE born RENAME a TO b;
ALTER TABLE born RENAME TO born_2;
ALTER TABLE t ADD COLUMN born int;
ALTER TABLE t RENAME born TO born_2;
SELECT zdm_end_window('rename');
ALTER TABLE t RENAME a TO z;
ALTER TABLE t RENAME TO u;
ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy';

SET client_min_messages = warning;
DROP ROLE regress_zdm_rename;
DROP SCHEMA ddl_rename, ddl_rename_to CASCADE;
