-- Columns that a migration drops, or that it makes required, in a window that
-- defers: what runs at once, what waits, and what it comes to
SET client_min_messages = error;
CREATE SCHEMA defer_columns;
SET search_path = defer_columns, public;
\pset format unaligned
\pset tuples_only on

CREATE TABLE tables (n int GENERATED ALWAYS AS IDENTITY, sql text);
CREATE TABLE migration (n int GENERATED ALWAYS AS IDENTITY, sql text);
-- what there is in a schema, without its name
CREATE FUNCTION catalog(schema regnamespace) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT replace(line, schema::text || '.', '') FROM (
		SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod),
			CASE WHEN attnotnull THEN 'not null' END, pg_get_expr(adbin, adrelid), attidentity)
		FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
			LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE relnamespace = schema AND relkind IN ('r', 'v', 'p') AND attnum > 0 AND NOT attisdropped
		UNION ALL
		SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE connamespace = schema
		UNION ALL
		SELECT pg_get_indexdef(oid) FROM pg_class WHERE relnamespace = schema AND relkind IN ('i', 'I')
	) AS l (line) $$;
CREATE FUNCTION make(target text, statements regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	statement text;
BEGIN
	PERFORM set_config('search_path', target, true);
	FOR statement IN EXECUTE format('SELECT sql FROM %s ORDER BY n', statements) LOOP
		EXECUTE statement;
	END LOOP;
END $$;
CREATE FUNCTION steps() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(E'\n    ', p.phase || ', ' || p.state || ': ' || p.sql,
		'undo: ' || regexp_replace(p.undo_sql, 'ADD CONSTRAINT ("[^"]*"|\w+) NOT NULL ("[^"]*"|\w+)', 'ALTER COLUMN \2 SET NOT NULL', 'g'),
		'verify: ' || p.verify_sql)
	FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
	WHERE w.name = 'defer_columns' AND p.deferred ORDER BY p.statement_id, p.ordinal $$;

INSERT INTO tables (sql) VALUES
	('CREATE TABLE u (id int PRIMARY KEY)'),
	('CREATE TABLE t (id int PRIMARY KEY, required int NOT NULL, filled int NOT NULL DEFAULT 1,
		optional int, checked int NOT NULL CONSTRAINT checked_there CHECK (checked IS NOT NULL),
		u_id int NOT NULL CONSTRAINT to_u REFERENCES u,
		soft_id int CONSTRAINT softly REFERENCES u ON DELETE SET NULL,
		viewed int, old int, "Old one" int NOT NULL, pair_1 int NOT NULL, pair_2 int,
		kept int DEFAULT 3, kept_too int DEFAULT 4)'),
	('CREATE INDEX required_idx ON t (required)'),
	('CREATE INDEX pair_idx ON t (pair_1, pair_2)'),
	('CREATE VIEW v AS SELECT viewed FROM t'),
	('INSERT INTO u VALUES (1), (2)'),
	('INSERT INTO t SELECT g, g, g, g, g, 1, 1, g, g, g, g, g FROM generate_series(1, 20) g'),
	('CREATE TABLE p (id int, part int NOT NULL, gone text NOT NULL) PARTITION BY RANGE (id)'),
	('CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)'),
	('INSERT INTO p VALUES (1, 1, ''x'')');
INSERT INTO migration (sql) VALUES
	('ALTER TABLE t DROP COLUMN required'),
	('ALTER TABLE t DROP COLUMN filled, DROP COLUMN IF EXISTS optional, DROP COLUMN IF EXISTS none'),
	('ALTER TABLE t DROP COLUMN checked'),
	('ALTER TABLE t DROP COLUMN u_id, DROP COLUMN soft_id'),
	('ALTER TABLE t DROP COLUMN viewed CASCADE'),
	('DROP INDEX pair_idx'),
	('ALTER TABLE t DROP COLUMN pair_1'),
	('ALTER TABLE p DROP COLUMN gone'),
	-- a column that is required in the end
	('ALTER TABLE t ADD COLUMN needed int NOT NULL'),
	('ALTER TABLE t ADD COLUMN "Code" text CONSTRAINT code_known UNIQUE CONSTRAINT code_short CHECK (length("Code") < 5)'),
	('ALTER TABLE t ADD COLUMN django int DEFAULT 5 NOT NULL'),
	('ALTER TABLE t ALTER COLUMN django DROP DEFAULT'),
	('ALTER TABLE t ALTER COLUMN old SET NOT NULL, ADD COLUMN free int'),
	-- its default goes when it is required, not before
	('ALTER TABLE t ALTER COLUMN kept SET NOT NULL'),
	('ALTER TABLE t ALTER COLUMN kept DROP DEFAULT'),
	('ALTER TABLE t ALTER COLUMN kept_too DROP DEFAULT, ALTER COLUMN kept_too SET NOT NULL'),
	('ALTER TABLE t DROP COLUMN "Old one"');

CREATE SCHEMA plain;
CREATE SCHEMA staged;
SELECT make('plain', 'tables');
SELECT make('staged', 'tables');
SET zdm.mode = off;
-- what the server would not take with rows there
UPDATE migration SET sql = sql || ' DEFAULT 1' WHERE sql LIKE '%needed%';
SELECT make('plain', 'migration');
ALTER TABLE plain.t ALTER needed DROP DEFAULT;
UPDATE migration SET sql = replace(sql, ' DEFAULT 1', '') WHERE sql LIKE '%needed%';
RESET zdm.mode;

SELECT zdm_begin_window('defer_columns', 'defer') IS NOT NULL AS open;
SET search_path = staged;
SELECT e.phase, e.sql, regexp_replace(e.note, 'ADD CONSTRAINT ("[^"]*"|\w+) NOT NULL ("[^"]*"|\w+)', 'ALTER COLUMN \2 SET NOT NULL', 'g')
FROM defer_columns.migration m, public.zdm_explain(m.sql) e
WHERE m.sql LIKE '%DROP COLUMN%' ORDER BY m.n, e.step;

BEGIN;
SELECT sql FROM defer_columns.migration ORDER BY n \gexec
COMMIT;
CALL public.zdm_wait('defer_columns');
SELECT defer_columns.steps();

-- either version can write; what the new one has deleted was referenced
INSERT INTO t VALUES (21, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
INSERT INTO t (id, old, needed, django) VALUES (22, 1, 1, 1);
DELETE FROM u WHERE id = 1;
SELECT id, u_id, soft_id, filled, required, django, kept, kept_too FROM t WHERE id > 20 ORDER BY id;

-- rows that are in the way are found before anything is removed
\set VERBOSITY terse
SELECT public.zdm_end_window('defer_columns') > 0 AS ended;
SELECT substring(detail FROM 'found by: .*') FROM public.zdm_window_status('defer_columns') WHERE NOT ok;
SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname IN ('required', 'filled');
UPDATE t SET needed = 0 WHERE needed IS NULL;
SELECT public.zdm_end_window('defer_columns') > 0 AS ended;
CALL public.zdm_run('defer_columns');
CALL public.zdm_wait('defer_columns');
SELECT state FROM public.zdm_windows WHERE name = 'defer_columns';
SELECT step FROM defer_columns.steps() step WHERE step !~ '^\w+, done';
SELECT 'missing', c FROM defer_columns.catalog('plain') c EXCEPT ALL SELECT 'missing', c FROM defer_columns.catalog('staged') c;
SELECT 'not in plain', c FROM defer_columns.catalog('staged') c EXCEPT ALL SELECT 'not in plain', c FROM defer_columns.catalog('plain') c;

-- abort gives back what was taken
DROP SCHEMA staged CASCADE;
CREATE SCHEMA staged;
SELECT defer_columns.make('staged', 'defer_columns.tables');
CREATE TABLE defer_columns.before AS SELECT c FROM defer_columns.catalog('staged') c;
SELECT public.zdm_begin_window('defer_columns', 'defer') IS NOT NULL AS open;
BEGIN;
SELECT sql FROM defer_columns.migration ORDER BY n \gexec
COMMIT;
CALL public.zdm_wait('defer_columns');
SELECT public.zdm_abort_window('defer_columns') > 0 AS aborted;
CALL public.zdm_run('defer_columns');
CALL public.zdm_wait('defer_columns');
SELECT state FROM public.zdm_windows WHERE name = 'defer_columns' ORDER BY id;
SELECT 'missing', c FROM defer_columns.before EXCEPT ALL SELECT 'missing', c FROM defer_columns.catalog('staged') c;
SELECT 'not there before', c FROM defer_columns.catalog('staged') c EXCEPT ALL SELECT 'not there before', c FROM defer_columns.before;

-- what cannot wait is refused: a key needs its value
CREATE DOMAIN defer_columns.there AS int NOT NULL;
CREATE TABLE defer_columns.with_domain (a int, d defer_columns.there);
SELECT public.zdm_begin_window('defer_columns', 'defer') IS NOT NULL AS open;
SELECT e.phase, e.note FROM public.zdm_explain('ALTER TABLE defer_columns.with_domain DROP COLUMN d') e;
SELECT e.phase, e.note FROM public.zdm_explain('ALTER TABLE t DROP COLUMN id') e;
SELECT rule, verdict FROM public.zdm_check('ALTER TABLE t DROP COLUMN pair_2');
SELECT rule, verdict FROM public.zdm_check('ALTER TABLE t ALTER COLUMN optional TYPE text');
SELECT rule, verdict FROM public.zdm_check('ALTER TABLE t RENAME COLUMN optional TO other');
-- and the server's own errors come at once
ALTER TABLE t DROP COLUMN viewed;
ALTER TABLE p1 DROP COLUMN gone;
ALTER TABLE t DROP COLUMN nowhere;
SELECT count(*) FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id WHERE w.state = 'open';
SELECT public.zdm_end_window('defer_columns');
SET client_min_messages = warning;
DROP SCHEMA plain, staged, defer_columns CASCADE;
