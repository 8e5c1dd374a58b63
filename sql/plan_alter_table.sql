-- Plans of ALTER TABLE with several actions: which of them are steps of their
-- own, which share the last one, and which have no plan together
SET client_min_messages = warning;
CREATE SCHEMA plan_alter_table;
SET search_path = plan_alter_table, public;
\pset format unaligned
\pset tuples_only on

CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO u SELECT g FROM generate_series(1, 50) g;
CREATE TABLE few (id int PRIMARY KEY);
CREATE TABLE t (id int, a int NOT NULL, b int NOT NULL, v varchar(10) NOT NULL, up int, same int DEFAULT 1,
	CONSTRAINT old CHECK (a > 0), CONSTRAINT key UNIQUE (a), CONSTRAINT later CHECK (b > 0) NOT VALID);
ALTER TABLE t ADD CONSTRAINT later_fkey FOREIGN KEY (b) REFERENCES u NOT VALID;
INSERT INTO t SELECT g, g, g, g, g FROM generate_series(1, 50) g;

CREATE FUNCTION steps(statement text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT rest FROM zdm_explain(statement), regexp_replace(sql,
		'ALTER TABLE [^;]* SET NOT NULL; ALTER TABLE [^;]* DROP CONSTRAINT [^;]*_not_null\d*"?(; )?', '', 'g') AS rest
	WHERE rest !~ '_not_null' AND rest <> ''
	ORDER BY step $$;
CREATE FUNCTION constraints() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', quote_ident(conname), pg_get_constraintdef(oid), conindid::regclass)
	FROM pg_constraint WHERE conrelid = 't'::regclass AND contype <> 'n' ORDER BY conname $$;
CREATE FUNCTION columns() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' END,
		pg_get_expr(adbin, adrelid))
	FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum $$;

-- columns first, then constraints, the rest together at the end
SELECT steps('ALTER TABLE t ALTER b SET DEFAULT 5, ADD CHECK (x > 0), ADD x int, SET (fillfactor = 60), ALTER v TYPE varchar(20), DROP CONSTRAINT old');
ALTER TABLE IF EXISTS ONLY t ALTER b SET DEFAULT 5, ADD CHECK (x > 0), ADD x int, SET (fillfactor = 60), ALTER v TYPE varchar(20), DROP CONSTRAINT old;
SELECT columns();
SELECT constraints();
-- a constraint takes the name of one that goes
SELECT steps('ALTER TABLE t DROP CONSTRAINT t_x_check, ADD CONSTRAINT t_x_check CHECK (x > 1), DROP CONSTRAINT key, ADD CONSTRAINT key UNIQUE (b), ADD CHECK (x > 2)');
ALTER TABLE t DROP CONSTRAINT t_x_check, ADD CONSTRAINT t_x_check CHECK (x > 1), DROP CONSTRAINT key, ADD CONSTRAINT key UNIQUE (b), ADD CHECK (x > 2);
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u, DROP CONSTRAINT later, ADD CONSTRAINT later FOREIGN KEY (b) REFERENCES u ON DELETE CASCADE;
SELECT constraints();
-- names in the order in which PostgreSQL chooses them
SELECT steps('ALTER TABLE t ADD CHECK (b > 1) NOT VALID, ADD CHECK (b > 0), ADD CONSTRAINT t_b_check1 UNIQUE (a)');
ALTER TABLE t ADD CHECK (b > 1) NOT VALID, ADD CHECK (b > 0), ADD CONSTRAINT t_b_check1 UNIQUE (a);
SELECT constraints();
-- the primary key changes, and its column too; a key that a foreign key needs
ALTER TABLE t ALTER id SET NOT NULL, ADD PRIMARY KEY (id), ADD FOREIGN KEY (up) REFERENCES t;
SELECT steps('ALTER TABLE t DROP CONSTRAINT t_up_fkey, DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (a)');
ALTER TABLE t DROP CONSTRAINT t_up_fkey, DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (a);
\set VERBOSITY terse
ALTER TABLE t DROP CONSTRAINT t_x_check, ADD CONSTRAINT t_x_check CHECK (a > 1);
ALTER TABLE t DROP CONSTRAINT later, ADD CONSTRAINT later FOREIGN KEY (b) REFERENCES few;
ALTER TABLE t DROP CONSTRAINT key, ADD CONSTRAINT key UNIQUE (same);
ALTER TABLE t ADD PRIMARY KEY (id);
SELECT * FROM constraints() c WHERE c LIKE '%KEY%';
SELECT steps('ALTER TABLE t ADD UNIQUE (id), ADD FOREIGN KEY (up) REFERENCES t (id)');
-- the type changes, and NOT NULL is set
ALTER TABLE t ALTER v DROP NOT NULL;
SELECT steps('ALTER TABLE t ALTER v TYPE varchar(30), ALTER v SET NOT NULL, ALTER v SET DEFAULT 1');
ALTER TABLE t ALTER v TYPE varchar(30), ALTER v SET NOT NULL, ALTER v SET DEFAULT 1;
SELECT columns();
-- VALIDATE beside others: ahead of them; with its own ADD
SELECT steps('ALTER TABLE t ADD CONSTRAINT pair CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT pair, VALIDATE CONSTRAINT later_fkey, ALTER b DROP DEFAULT');
ALTER TABLE t ADD CONSTRAINT pair CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT pair, VALIDATE CONSTRAINT later_fkey, ALTER b DROP DEFAULT;
SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 't'::regclass AND conname IN ('pair', 'later_fkey', 't_b_check') ORDER BY 1;
-- columns that go or come in the same statement
SELECT steps('ALTER TABLE t DROP COLUMN x, ADD CHECK (b < 1000)');
SELECT steps('ALTER TABLE t DROP COLUMN x, ADD COLUMN x int, ADD CHECK (b < 1000)');
SELECT verdict, rule FROM zdm_check('ALTER TABLE t DROP COLUMN x, ADD COLUMN x int, ADD CHECK (x > 0)') WHERE class = 'lock';
SELECT verdict, rule FROM zdm_check('ALTER TABLE t ALTER v TYPE varchar(40), ADD UNIQUE (v)') WHERE class = 'lock';
SELECT verdict, rule FROM zdm_check('ALTER TABLE t DROP COLUMN v, ALTER v SET NOT NULL') WHERE class = 'lock';
-- an action without a plan: none of them is carried out
ALTER TABLE t ADD CHECK (b > -1), ADD EXCLUDE USING btree (b WITH =);
-- the error of a later action takes back the earlier ones
ALTER TABLE t ADD y int DEFAULT 1, ADD UNIQUE (id), ADD CHECK (b > -2), ADD CHECK (y > 1);
ALTER TABLE t ADD y int DEFAULT 1, ADD UNIQUE (id), ADD CHECK (b > -2), ALTER COLUMN nope DROP DEFAULT;
-- what does not exist is found before an index is built that cannot be
ALTER TABLE t ADD UNIQUE (same), ADD CHECK (nope > 0);
ALTER TABLE t ADD UNIQUE (same), ADD FOREIGN KEY (b) REFERENCES t (same), ADD CHECK (nope > 0);
ALTER TABLE t ADD y int DEFAULT 1, ADD CHECK (b > -2), RESET (fillfactor), ALTER b SET DEFAULT 'x';
SELECT columns();
SELECT constraints();
SELECT count(*) FROM zdm.step WHERE NOT deferred AND state::text <> 'done';

DROP SCHEMA plan_alter_table CASCADE;
