-- What goes by itself with a table, column or default that is due for removal
-- is gone as well, and what depends on it is free to go
SET client_min_messages = warning;
CREATE SCHEMA defer_going;
SET search_path = defer_going, public;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse

CREATE FUNCTION steps() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT p.phase || ', ' || p.state || ': ' || p.sql
	FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
	WHERE w.name = 'defer_going' AND w.state = 'open' AND p.deferred ORDER BY p.statement_id, p.ordinal $$;
-- what there is in the schemas of the test, by kind and name
CREATE FUNCTION objects() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', relkind, oid::regclass) FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'going%'
	UNION ALL SELECT 'type ' || oid::regtype FROM pg_type WHERE typnamespace::regnamespace::text LIKE 'going%'
	UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE pronamespace::regnamespace::text LIKE 'going%'
	UNION ALL SELECT 'default ' || adrelid::regclass || '.' || adnum FROM pg_attrdef
		WHERE adrelid IN (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'going%')
	UNION ALL SELECT 'column ' || attrelid::regclass || '.' || attname FROM pg_attribute
		WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'going%' AND relkind IN ('r', 'p', 'v'))
			AND attnum > 0 AND NOT attisdropped
	UNION ALL SELECT 'constraint ' || conname FROM pg_constraint
		WHERE connamespace::regnamespace::text LIKE 'going%' AND contype <> 'n'
	UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'going%'
	UNION ALL SELECT 'statistics ' || stxname FROM pg_statistic_ext WHERE stxnamespace::regnamespace::text LIKE 'going%'
	UNION ALL SELECT 'policy ' || polname FROM pg_policy
		WHERE polrelid IN (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'going%')
	UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
		AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'going%')
	UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname LIKE 'going%' $$;

-- the same objects for each of the ways
CREATE PROCEDURE make() LANGUAGE plpgsql SET client_min_messages = error AS $$
BEGIN
	DROP SCHEMA IF EXISTS going, going_a, going_b, going_c CASCADE;
	DROP PUBLICATION IF EXISTS going_pub;
	CREATE SCHEMA going;
	CREATE SCHEMA going_a;
	CREATE SCHEMA going_b;
	CREATE SCHEMA going_c;
	CREATE TYPE going.mood AS ENUM ('a', 'b');
	CREATE FUNCTION going.norm(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';
	CREATE FUNCTION going.visible() RETURNS boolean STABLE LANGUAGE sql AS 'SELECT true';
	CREATE FUNCTION going.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
	CREATE TABLE going.c (id int PRIMARY KEY, m going.mood DEFAULT 'a', name text, b int);
	CREATE INDEX c_name ON going.c (going.norm(name));
	ALTER TABLE going.c ADD CONSTRAINT c_b_key UNIQUE (b);
	INSERT INTO going.c VALUES (1);
	CREATE TABLE going_a.l (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, long text);
	CREATE TABLE going.tree (id serial PRIMARY KEY);
	CREATE TABLE going.parent (id int, m going.mood DEFAULT 'b');
	CREATE TABLE going.child () INHERITS (going.parent);
	CREATE TABLE going.parted (id int, m going.mood DEFAULT 'a') PARTITION BY LIST (m);
	CREATE TABLE going.part PARTITION OF going.parted FOR VALUES IN ('a');
	CREATE TABLE going.guarded (id int, x int);
	CREATE POLICY p ON going.guarded USING (going.visible());
	CREATE TRIGGER t BEFORE INSERT ON going.guarded FOR EACH ROW EXECUTE FUNCTION going.fire();
	CREATE TABLE going.stats (x int, y int, z int);
	CREATE STATISTICS going.st ON x, y FROM going.stats;
	CREATE STATISTICS going.st2 ON y, z FROM going.stats;
	CREATE TABLE going.silent (id int);
	CREATE POLICY quiet ON going.silent USING (true);
	CREATE TABLE going_c.moved (id serial PRIMARY KEY, long text);
	CREATE TABLE going.base (id int);
	CREATE TABLE going.heir () INHERITS (going.base);
	CREATE PUBLICATION going_pub FOR TABLE going.silent;
END $$;
CREATE TABLE migration (n int GENERATED ALWAYS AS IDENTITY, sql text);
INSERT INTO migration (sql) VALUES
	-- a column with a default, and its type
	('ALTER TABLE going.c DROP COLUMN m'),
	('ALTER TABLE going.parent DROP COLUMN m'),
	('DROP TABLE going.parted'),
	('DROP TYPE going.mood'),
	-- a column with an index, and the function in it
	('ALTER TABLE going.c DROP COLUMN name'),
	('DROP INDEX IF EXISTS going.c_name'),
	('DROP FUNCTION going.norm(text)'),
	-- a table with sequences, indexes, a table for long values and a row type, and its schema
	('DROP TABLE going_a.l'),
	('DROP SEQUENCE IF EXISTS going_a.l_id_seq, going_a.l_n_seq'),
	('DROP SCHEMA going_a'),
	-- a default that a required column has, and its sequence
	('ALTER TABLE going.tree ALTER id DROP DEFAULT'),
	('DROP SEQUENCE going.tree_id_seq'),
	-- a table with a policy and a trigger, and their functions
	('DROP TABLE going.guarded'),
	('DROP FUNCTION going.visible(), going.fire()'),
	-- a table that moves or leaves its parent, and what it leaves
	('ALTER TABLE going_c.moved SET SCHEMA going'),
	('DROP SCHEMA going_c'),
	('ALTER TABLE going.heir NO INHERIT going.base'),
	('DROP TABLE going.base'),
	-- what no statement of a client needs waits as well
	('DROP SCHEMA going_b'),
	('DROP STATISTICS going.st'),
	('ALTER TABLE going.stats DROP COLUMN z'),
	('DROP STATISTICS IF EXISTS going.st2'),
	('DROP POLICY quiet ON going.silent'),
	('DROP PUBLICATION going_pub');

CALL make();
CREATE TABLE objects_before AS SELECT objects() AS o;
SELECT sql FROM migration ORDER BY n \gexec
CREATE TABLE objects_plain AS SELECT objects() AS o;

CALL make();
SELECT zdm_begin_window('defer_going', 'defer') IS NOT NULL AS open;
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
COMMIT;
SELECT steps();
-- the old version has all of it
SELECT o FROM objects_before EXCEPT ALL SELECT objects();

-- the names are not free yet, nor is it there any more
DROP SEQUENCE going_a.l_id_seq;
ALTER INDEX going_a.l_pkey RENAME TO other;
DROP INDEX going.c_name;
ALTER TABLE going.c DROP COLUMN b;
ALTER TABLE going.c DROP CONSTRAINT c_b_key;
ALTER TABLE going.c ADD CONSTRAINT c_b_key UNIQUE (id);
CREATE INDEX c_name ON going.c (id);
CREATE SEQUENCE going.tree_id_seq;
CREATE SEQUENCE going_a.l_id_seq;
CREATE TABLE defer_going.uses (id int DEFAULT nextval('going_a.l_id_seq'));
CREATE TABLE going_b.made (id int);
CREATE SCHEMA going_b;
DROP SCHEMA going_b;

-- given up, it is as it was
SELECT zdm_abort_window('defer_going') IS NOT NULL AS aborted;
CALL zdm_run('defer_going');
CALL zdm_wait('defer_going');
SELECT o FROM objects_before EXCEPT ALL SELECT objects();
SELECT objects() EXCEPT ALL SELECT o FROM objects_before;

-- carried out, as by plain statements
SELECT zdm_begin_window('defer_going', 'defer') IS NOT NULL AS open;
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
COMMIT;
SELECT zdm_end_window('defer_going');
CALL zdm_run('defer_going');
CALL zdm_wait('defer_going');
SELECT o FROM objects_plain EXCEPT ALL SELECT objects();
SELECT objects() EXCEPT ALL SELECT o FROM objects_plain;

-- what the window has made waits, too, while something due for removal needs it
CALL make();
SELECT zdm_begin_window('defer_going', 'defer') IS NOT NULL AS open;
CREATE SEQUENCE going.sq;
ALTER TABLE going.c ADD COLUMN zz int NOT NULL DEFAULT nextval('going.sq');
CALL zdm_run('defer_going');
ALTER TABLE going.c ALTER zz DROP DEFAULT;
DROP SEQUENCE going.sq;
SELECT zdm_end_window('defer_going');
CALL zdm_run('defer_going');
CALL zdm_wait('defer_going');
SELECT count(*) FROM pg_class WHERE oid = to_regclass('going.sq');
SELECT count(*) FROM pg_attrdef WHERE adrelid = 'going.c'::regclass AND adnum = 5;

-- but what stays is in the way, as ever
SELECT zdm_begin_window('defer_going', 'defer') IS NOT NULL AS open;
ALTER TABLE ONLY going.parent DROP COLUMN m;
DROP TYPE going.mood;
DROP SEQUENCE going.tree_id_seq;
DROP SCHEMA going_a;
CREATE TABLE going_c.other (id int);
ALTER TABLE going_c.moved SET SCHEMA going;
DROP SCHEMA going_c;
SELECT steps();
SELECT zdm_abort_window('defer_going') IS NOT NULL AS aborted;
CALL zdm_run('defer_going');

-- a window that refuses lets go what no client can miss
SELECT zdm_begin_window('defer_going_refuse') IS NOT NULL AS open;
DROP SCHEMA going_b;
DROP STATISTICS going.st;
DROP POLICY quiet ON going.silent;
SELECT zdm_abort_window('defer_going_refuse') IS NOT NULL AS aborted;
CALL zdm_run('defer_going_refuse');
DROP PUBLICATION going_pub;
DROP SCHEMA going, going_a, going_c, defer_going CASCADE;
