-- Plans of NOT NULL, CHECK, keys and foreign keys: their steps, and what they
-- come to
SET client_min_messages = warning;
CREATE SCHEMA plan_constraint;
SET search_path = plan_constraint, public;
\pset format unaligned
\pset tuples_only on

CREATE TABLE u (id int PRIMARY KEY, x int, y int, UNIQUE (x, y));
INSERT INTO u SELECT g, g, g FROM generate_series(1, 50) g;
CREATE TABLE t (id int, a int, b int, n int, d int, up int, "Odd one" int);
INSERT INTO t SELECT g, g, g, nullif(g % 5, 0), g % 10, g, g FROM generate_series(1, 50) g;
CREATE TABLE p (id int NOT NULL, k int, n int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (n int, k int, id int NOT NULL) PARTITION BY LIST (k);
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN (1, 2);
CREATE TABLE p2b PARTITION OF p2 DEFAULT;
INSERT INTO p SELECT g, g % 4, nullif(g % 3, 0) FROM generate_series(1, 19) g;
CREATE TABLE pu (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE pu1 PARTITION OF pu FOR VALUES FROM (0) TO (30);
INSERT INTO pu SELECT g FROM generate_series(1, 29) g;
CREATE TABLE par (id int, x int);
CREATE TABLE kid (own int) INHERITS (par);
CREATE TABLE grandkid () INHERITS (kid);
INSERT INTO par VALUES (1, 1);
INSERT INTO kid VALUES (2, 2, 2);
INSERT INTO grandkid VALUES (3, NULL, 3);

-- the steps without those of NOT NULL, which differ between versions
CREATE FUNCTION steps(statement text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT rest FROM zdm_explain(statement), regexp_replace(sql,
		'ALTER TABLE [^;]* SET NOT NULL; ALTER TABLE [^;]* DROP CONSTRAINT [^;]*_not_null\d*"?(; )?', '', 'g') AS rest
	WHERE rest !~ '_not_null' AND rest <> ''
	ORDER BY step $$;
-- constraints, with their parents; NOT NULL is one of the column
CREATE FUNCTION constraints(pattern text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', c.conrelid::regclass, quote_ident(c.conname), pg_get_constraintdef(c.oid),
		CASE WHEN c.conislocal THEN 'local' END, CASE WHEN c.coninhcount > 0 THEN 'inherited' END,
		'of ' || parent.conname)
	FROM pg_constraint c LEFT JOIN pg_constraint parent ON parent.oid = c.conparentid
	WHERE c.connamespace = 'plan_constraint'::regnamespace AND c.conrelid::regclass::text LIKE pattern
		AND c.contype <> 'n'
	ORDER BY c.conrelid::regclass::text, c.conname $$;
CREATE FUNCTION not_null(pattern text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT attrelid::regclass || '.' || attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
	WHERE relnamespace = 'plan_constraint'::regnamespace AND relkind IN ('r', 'p')
		AND attrelid::regclass::text LIKE pattern AND attnum > 0 AND attnotnull
	ORDER BY attrelid::regclass::text, attname $$;
-- what an interrupted plan would leave
CREATE FUNCTION left_over() RETURNS bigint LANGUAGE sql AS $$
	SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid) +
		(SELECT count(*) FROM pg_constraint WHERE NOT convalidated
			AND connamespace = 'plan_constraint'::regnamespace) +
		(SELECT count(*) FROM zdm.step WHERE NOT deferred AND state::text <> 'done') $$;

--
-- SET NOT NULL
--
SELECT string_agg(sql, '; ' ORDER BY step) = CASE WHEN current_setting('server_version_num')::int >= 180000
	THEN 'ALTER TABLE plan_constraint.t ADD CONSTRAINT "t_Odd one_not_null" NOT NULL "Odd one" NOT VALID; ALTER TABLE plan_constraint.t VALIDATE CONSTRAINT "t_Odd one_not_null"'
	ELSE 'ALTER TABLE plan_constraint.t ADD CONSTRAINT "t_Odd one_not_null" CHECK ("Odd one" IS NOT NULL) NOT VALID; ALTER TABLE plan_constraint.t VALIDATE CONSTRAINT "t_Odd one_not_null"; ALTER TABLE plan_constraint.t ALTER COLUMN "Odd one" SET NOT NULL; ALTER TABLE plan_constraint.t DROP CONSTRAINT "t_Odd one_not_null"'
	END AS steps_are_right
FROM zdm_explain('ALTER TABLE t ALTER COLUMN "Odd one" SET NOT NULL');
ALTER TABLE t ALTER COLUMN "Odd one" SET NOT NULL;
ALTER TABLE t ADD CONSTRAINT t_b_not_null CHECK (b > 0) NOT VALID;
ALTER TABLE t ALTER a SET NOT NULL, ALTER b SET NOT NULL;
ALTER TABLE t DROP CONSTRAINT t_b_not_null;
SELECT not_null('t');
SELECT constraints('t');
\set VERBOSITY terse
ALTER TABLE t ALTER n SET NOT NULL;
ALTER TABLE t ALTER up SET NOT NULL, ALTER n SET NOT NULL;
SELECT not_null('t'), left_over();
ALTER TABLE ONLY par ALTER x SET NOT NULL;
SELECT not_null('%');
ALTER TABLE ONLY par ALTER x DROP NOT NULL;
ALTER TABLE par ALTER x SET NOT NULL;
ALTER TABLE par ALTER id SET NOT NULL;
ALTER TABLE p ALTER k SET NOT NULL;
ALTER TABLE p ALTER n SET NOT NULL;
SELECT not_null('%');
SELECT constraints('%'), left_over();

--
-- CHECK
--
SELECT steps('ALTER TABLE t ADD CHECK (a > 0), ADD CHECK (a > -1), ADD CHECK (a < b + 1), ADD CONSTRAINT "C" CHECK (d >= 0) NO INHERIT');
ALTER TABLE t ADD CHECK (a > 0), ADD CHECK (a > -1), ADD CHECK (a < b + 1), ADD CONSTRAINT "C" CHECK (d >= 0) NO INHERIT;
SELECT constraints('t');
ALTER TABLE t ADD CHECK (a > 1);
ALTER TABLE t ADD CONSTRAINT "C" CHECK (a > 0);
ALTER TABLE t ADD CHECK (nope > 0);
ALTER TABLE t ADD CHECK (a);
ALTER TABLE p ADD CHECK (k >= 0);
ALTER TABLE p ADD CHECK (k >= 1);
-- a child that has it, one whose own is not valid, one that inherits it
ALTER TABLE kid ADD CONSTRAINT c1 CHECK (id > 0);
ALTER TABLE par ADD CONSTRAINT c1 CHECK (id > 0);
ALTER TABLE kid ADD CONSTRAINT c2 CHECK (id > 1) NOT VALID;
ALTER TABLE par ADD CONSTRAINT c2 CHECK (id > 1);
ALTER TABLE kid DROP CONSTRAINT c2;
ALTER TABLE par ADD CONSTRAINT c3 CHECK (id >= 1);
ALTER TABLE kid ADD CONSTRAINT c3 CHECK (id >= 1);
ALTER TABLE ONLY par ADD CONSTRAINT c4 CHECK (id < 2) NO INHERIT;
ALTER TABLE ONLY par ADD CONSTRAINT c5 CHECK (id < 2);
SELECT constraints('%kid'), left_over();
SELECT constraints('par');
SELECT constraints('p_%');

--
-- UNIQUE and PRIMARY KEY
--
SELECT steps('ALTER TABLE t ADD CONSTRAINT "K" UNIQUE (a, b) INCLUDE (d) WITH (fillfactor = 70) USING INDEX TABLESPACE pg_default DEFERRABLE INITIALLY DEFERRED');
ALTER TABLE t ADD CONSTRAINT "K" UNIQUE (a, b) INCLUDE (d) WITH (fillfactor = 70) USING INDEX TABLESPACE pg_default DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE t ADD UNIQUE (a), ADD UNIQUE NULLS NOT DISTINCT (up);
SELECT pg_get_indexdef(indexrelid), indimmediate FROM pg_index WHERE indrelid = 't'::regclass ORDER BY indexrelid::regclass::text COLLATE "C";
ALTER TABLE t ADD UNIQUE (d);
ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (n);
ALTER TABLE t ADD CONSTRAINT u UNIQUE (b);
ALTER TABLE t ADD UNIQUE (nope);
SELECT left_over();
-- columns that are nullable
ALTER TABLE t ADD PRIMARY KEY (b, n);
ALTER TABLE t ADD PRIMARY KEY (b, d, id, up) DEFERRABLE;
SELECT not_null('t');
SELECT steps('ALTER TABLE t ADD PRIMARY KEY (id)');
ALTER TABLE t ADD PRIMARY KEY (id);
SELECT constraints('t');
ALTER TABLE par ADD PRIMARY KEY (id);
SELECT not_null('%');
-- an index that is there
CREATE TABLE built (a int, b int);
INSERT INTO built VALUES (1, 1), (2, NULL);
CREATE UNIQUE INDEX built_a ON built (a);
CREATE UNIQUE INDEX built_b ON built (b);
SELECT steps('ALTER TABLE built ADD CONSTRAINT built_key PRIMARY KEY USING INDEX built_a');
ALTER TABLE built ADD PRIMARY KEY USING INDEX built_b;
ALTER TABLE built ADD CONSTRAINT built_key PRIMARY KEY USING INDEX built_a;
SELECT constraints('built');
SELECT not_null('built'), left_over();
-- partitions, one of which has such a key already; a partitioned one
ALTER TABLE p1 ADD CONSTRAINT own UNIQUE (id, k, n);
SELECT steps('ALTER TABLE p ADD UNIQUE (id, k, n)');
ALTER TABLE p ADD UNIQUE (id, k, n);
-- the primary key only before 18, where it leaves no trace in the partitions
SELECT CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'off' ELSE 'enforce' END AS mode,
	CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'refuse' ELSE 'rewrite' END AS verdict \gset
SELECT verdict = :'verdict' FROM zdm_check('ALTER TABLE p ADD CONSTRAINT pk PRIMARY KEY (id, k)') WHERE rule = 'add_primary_key';
SET zdm.mode = :mode;
ALTER TABLE p ADD CONSTRAINT pk PRIMARY KEY (id, k) DEFERRABLE;
RESET zdm.mode;
ALTER TABLE p ADD UNIQUE (k);
SELECT * FROM constraints('p_%') c WHERE c NOT LIKE '%CHECK%';
SELECT constraints('p') , left_over();
SELECT inhrelid::regclass, inhparent::regclass FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE relkind IN ('i', 'I') AND relnamespace = 'plan_constraint'::regnamespace AND relname NOT LIKE 'pu%'
ORDER BY 1::text;

--
-- FOREIGN KEY
--
SELECT steps('ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES u (x, y) MATCH FULL ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE');
ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES u (x, y) MATCH FULL ON DELETE CASCADE ON UPDATE SET DEFAULT DEFERRABLE;
ALTER TABLE t ADD FOREIGN KEY (a, n) REFERENCES u (x, y);
ALTER TABLE u ADD FOREIGN KEY (x, y) REFERENCES u (x, y) ON DELETE SET NULL (y) ON UPDATE RESTRICT;
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u, ADD FOREIGN KEY (a) REFERENCES u ON DELETE RESTRICT, ADD CONSTRAINT "Self" FOREIGN KEY (up) REFERENCES t (a);
SELECT * FROM constraints('t') c WHERE c LIKE '%FOREIGN%';
DELETE FROM u WHERE id = 3;
ALTER TABLE t DROP CONSTRAINT t_a_b_fkey, DROP CONSTRAINT t_a_fkey, DROP CONSTRAINT t_a_fkey1;
ALTER TABLE u DROP CONSTRAINT u_x_y_fkey;
DELETE FROM u WHERE id = 3;
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u;
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (x);
ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES nope;
SELECT * FROM constraints('t') c WHERE c LIKE '%FOREIGN%';
INSERT INTO u VALUES (3, 3, 3);
-- partitions, one of which has it already
ALTER TABLE p1 ADD CONSTRAINT own_fkey FOREIGN KEY (id) REFERENCES u;
ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES u;
ALTER TABLE p ADD CONSTRAINT to_parts FOREIGN KEY (id) REFERENCES pu ON DELETE CASCADE;
ALTER TABLE p1 ADD CONSTRAINT small CHECK (id < 1000);
\set VERBOSITY sqlstate
ALTER TABLE p ADD CONSTRAINT small FOREIGN KEY (k) REFERENCES u;
\set VERBOSITY terse
SELECT * FROM constraints('p%') c WHERE c LIKE '%REFERENCES u%';
SELECT count(*), bool_and(convalidated) FROM pg_constraint
WHERE conrelid IN ('p'::regclass, 'p1'::regclass, 'p2a'::regclass) AND confrelid IN ('pu'::regclass, 'pu1'::regclass);
DELETE FROM pu WHERE id = 11;
SELECT count(*) FROM p WHERE id = 11;
SELECT left_over();
-- a single table that references partitions: refused before 18
SELECT verdict = CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'rewrite' ELSE 'refuse' END
FROM zdm_check('ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES pu') WHERE rule = 'add_foreign_key';

--
-- refused in a block, with the same form
--
BEGIN;
\set VERBOSITY default
ALTER TABLE u ADD CHECK (x > 0);
ROLLBACK;
\set VERBOSITY terse
-- without a plan
ALTER TABLE u ADD EXCLUDE USING btree (x WITH =);

DROP SCHEMA plan_constraint CASCADE;
