-- What ALTER DOMAIN, ALTER TYPE and ALTER SEQUENCE do.
CREATE SCHEMA ddl_type;
SET search_path = ddl_type, fixture, public;
\pset format unaligned

CREATE DOMAIN unused AS int;
CREATE DOMAIN empty_domain AS int;
CREATE DOMAIN used AS int;
CREATE DOMAIN nested AS used;
CREATE DOMAIN "Mixed Case" AS text NOT NULL;
CREATE DOMAIN array_used AS int;
CREATE TABLE empty_user (x empty_domain);
CREATE TABLE d1 (x used);
CREATE TABLE d2 (id int, y nested, filler text);
CREATE TABLE parted (k int, z used) PARTITION BY LIST (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE mixed (x "Mixed Case");
CREATE TABLE arrays (x array_used[]);
INSERT INTO d1 VALUES (1);
INSERT INTO d2 SELECT 1, 1, repeat('x', 100) FROM generate_series(1, 1000);
INSERT INTO parted VALUES (1, 1);
INSERT INTO mixed VALUES ('x');
INSERT INTO arrays VALUES ('{1}');
ALTER DOMAIN used ADD CONSTRAINT used_old CHECK (VALUE > -10) NOT VALID;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE feeling (m mood);
INSERT INTO feeling VALUES ('sad');
CREATE TYPE pair AS (x int, y varchar(10));
CREATE TYPE typed AS (x int, y varchar(10));
CREATE TABLE typed_table OF typed;
INSERT INTO typed_table VALUES (1, 'y');
CREATE SEQUENCE seq;
CREATE TABLE t (id serial);
CREATE TEMP SEQUENCE temp_seq;

-- domains
SELECT sql, object, rule, class, lock_mode, rewrites, scans, verdict, message FROM check_each($$
ALTER DOMAIN used ADD CHECK (VALUE > 0);
ALTER DOMAIN used ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID;
ALTER DOMAIN used VALIDATE CONSTRAINT used_old;
ALTER DOMAIN used SET NOT NULL;
ALTER DOMAIN used DROP NOT NULL;
ALTER DOMAIN used SET DEFAULT 5;
ALTER DOMAIN used DROP DEFAULT;
ALTER DOMAIN used DROP CONSTRAINT used_old;
ALTER DOMAIN nested ADD CHECK (VALUE > 0);
ALTER DOMAIN "Mixed Case" ADD CHECK (VALUE <> '');
ALTER DOMAIN "Mixed Case" SET NOT NULL;
ALTER DOMAIN "Mixed Case" DROP NOT NULL;
ALTER DOMAIN unused ADD CHECK (VALUE > 0);
ALTER DOMAIN unused SET NOT NULL;
ALTER DOMAIN unused SET DEFAULT 1;
ALTER DOMAIN empty_domain ADD CHECK (VALUE > 0);
ALTER DOMAIN array_used ADD CHECK (VALUE > 0);
ALTER DOMAIN nope ADD CHECK (VALUE > 0);
ALTER DOMAIN used VALIDATE CONSTRAINT nope;
ALTER DOMAIN used DROP CONSTRAINT nope;
ALTER DOMAIN used DROP CONSTRAINT IF EXISTS nope;
$$);
SELECT sql, rule, hint FROM check_each($$
ALTER DOMAIN used ADD CHECK (VALUE > 0);
ALTER DOMAIN used SET NOT NULL;
ALTER DOMAIN used VALIDATE CONSTRAINT used_old;
$$) WHERE rule = 'domain_constraint';

-- enums
SELECT sql, object, rule, class, lock_mode, verdict, message, hint FROM check_each($$
ALTER TYPE mood ADD VALUE 'ok';
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'sad';
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'ok' BEFORE 'happy';
ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy';
ALTER TYPE nope ADD VALUE 'ok';
$$);
SELECT statement, rule, verdict, message FROM zdm_check($$
BEGIN;
ALTER TYPE mood ADD VALUE 'ok';
COMMIT;
CREATE TYPE scripted AS ENUM ('a');
ALTER TYPE scripted ADD VALUE 'b';
$$);
BEGIN;
CREATE TYPE made_here AS ENUM ('a');
CREATE DOMAIN made_domain AS int;
SELECT sql, rule, verdict FROM check_each($$
ALTER TYPE made_here ADD VALUE 'b';
ALTER TYPE made_here RENAME VALUE 'a' TO 'b';
ALTER DOMAIN made_domain ADD CHECK (VALUE > 0);
$$);
ROLLBACK;

-- composite types, and tables of them
SELECT sql, rule, class, lock_mode, rewrites, scans, verdict, message FROM check_each($$
ALTER TYPE pair ADD ATTRIBUTE z int;
ALTER TYPE pair DROP ATTRIBUTE x;
ALTER TYPE pair DROP ATTRIBUTE IF EXISTS nope;
ALTER TYPE pair ALTER ATTRIBUTE x TYPE text;
ALTER TYPE pair ALTER ATTRIBUTE nope TYPE text;
ALTER TYPE typed ADD ATTRIBUTE z int CASCADE;
ALTER TYPE typed DROP ATTRIBUTE x CASCADE;
ALTER TYPE typed ALTER ATTRIBUTE x TYPE text CASCADE;
ALTER TYPE typed ALTER ATTRIBUTE y TYPE varchar(20) CASCADE;
ALTER TYPE typed ADD ATTRIBUTE z int;
$$) WHERE rule IS DISTINCT FROM 'prepared_plan_invalidation';

-- sequences
SELECT sql, object, rule, class, lock_mode, rewrites, scans, verdict, message FROM check_each($$
ALTER SEQUENCE seq RESTART;
ALTER SEQUENCE seq INCREMENT 2;
ALTER SEQUENCE seq AS smallint;
ALTER SEQUENCE seq CACHE 10;
ALTER SEQUENCE seq OWNED BY NONE;
ALTER SEQUENCE t_id_seq RESTART WITH 5;
ALTER SEQUENCE nope RESTART;
ALTER SEQUENCE IF EXISTS nope RESTART;
$$);

SELECT rule, lock_mode FROM zdm_check('ALTER SEQUENCE temp_seq RESTART');

-- through the hook: what would read a table under lock is refused, always
\set VERBOSITY terse
ALTER DOMAIN used ADD CHECK (VALUE > 0);
ALTER DOMAIN used SET NOT NULL;
ALTER TYPE typed ALTER ATTRIBUTE x TYPE text CASCADE;
ALTER DOMAIN used ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID;
ALTER DOMAIN unused ADD CHECK (VALUE > 0);
ALTER DOMAIN empty_domain ADD CHECK (VALUE > 0);
-- but for tables that are small, if they all are
SET zdm.small_table = '1MB';
ALTER DOMAIN used ADD CONSTRAINT of_small CHECK (VALUE > -5);
ALTER DOMAIN used SET NOT NULL;
ALTER DOMAIN used VALIDATE CONSTRAINT used_old;
RESET zdm.small_table;
-- in a window, what breaks clients too
SELECT zdm_begin_window('type') > 0 AS opened;
ALTER DOMAIN used ADD CONSTRAINT c2 CHECK (VALUE > 0) NOT VALID;
ALTER TYPE mood RENAME VALUE 'sad' TO 'unhappy';
ALTER TYPE mood ADD VALUE 'ok';
ALTER SEQUENCE seq RESTART;
ALTER TYPE pair DROP ATTRIBUTE x;
CREATE DOMAIN born AS int;
ALTER DOMAIN born ADD CHECK (VALUE > 0);
CREATE TYPE born_mood AS ENUM ('a');
ALTER TYPE born_mood RENAME VALUE 'a' TO 'b';
SELECT zdm_end_window('type');

SET client_min_messages = warning;
DROP SCHEMA ddl_type CASCADE;
