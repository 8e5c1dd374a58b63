-- Every rule has a statement that meets it, and advice for it.
CREATE SCHEMA rules_test;
SET search_path = rules_test, public;
SET client_min_messages = warning;
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE parent (id int PRIMARY KEY, name text, kind text, d posint, m mood, g int GENERATED ALWAYS AS (1) STORED);
INSERT INTO parent SELECT g, 'name ' || g, 'k', 1, 'ok' FROM generate_series(1, 100) g;
CREATE TABLE child (id int PRIMARY KEY, parent_id smallint, other_id int, v varchar(10) NOT NULL DEFAULT 'x', c varchar(10) CHECK (c <> ''), e varchar(10), n int);
CREATE UNIQUE INDEX child_n ON child (n);
CREATE INDEX child_e_lower ON child (lower(e));
CREATE INDEX child_two ON child (n, other_id);
INSERT INTO child SELECT g, g, g, 'v', 'c', 'e', g FROM generate_series(1, 100) g;
ALTER TABLE child ADD CONSTRAINT child_n_positive CHECK (n > 0) NOT VALID;
CREATE VIEW v AS SELECT id, name FROM parent;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE MATERIALIZED VIEW mv AS SELECT id FROM parent WITH NO DATA;
CREATE UNIQUE INDEX ON mv (id);
REFRESH MATERIALIZED VIEW mv;
CREATE TABLE part (id int, t text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (100);
CREATE TABLE part_default PARTITION OF part DEFAULT;
INSERT INTO part SELECT g, 't' FROM generate_series(1, 200) g;
CREATE TABLE part_2 (id int, t text);
INSERT INTO part_2 SELECT g, 't' FROM generate_series(1000, 1100) g;
CREATE TABLE keyless (a int);
INSERT INTO keyless SELECT generate_series(1, 100);
ANALYZE parent, child;
SET zdm.max_dml_rows = 10;
-- an index that an interrupted build has left behind
SET zdm.mode = off;
INSERT INTO keyless VALUES (1), (1);
\set VERBOSITY sqlstate
CREATE UNIQUE INDEX CONCURRENTLY keyless_a ON keyless (a);
\set VERBOSITY default
RESET zdm.mode;
SET zdm.rules = 'prepared_plan_invalidation=note';

CREATE TEMP TABLE found AS SELECT rule, class, verdict, hint FROM zdm_check($s$
CREATE INDEX i1 ON child (v);
DROP INDEX child_two;
REINDEX TABLE child;
CREATE INDEX CONCURRENTLY i2 ON part (t);
CREATE INDEX IF NOT EXISTS keyless_a ON keyless (a);
CREATE INDEX IF NOT EXISTS child_n ON child (n);
ALTER TABLE child ADD COLUMN c1 float DEFAULT random();
ALTER TABLE child ADD COLUMN c2 serial;
ALTER TABLE child ADD COLUMN c3 int GENERATED ALWAYS AS (id + 1) STORED;
ALTER TABLE child ADD COLUMN c4 posint;
ALTER TABLE child ADD COLUMN c5 int CHECK (c5 > 0);
ALTER TABLE child ADD COLUMN c6 int NOT NULL;
ALTER TABLE child ADD COLUMN c7 json;
ALTER TABLE child ALTER COLUMN v DROP DEFAULT;
ALTER TABLE child ALTER COLUMN v SET DEFAULT 'y';
ALTER TABLE child DROP CONSTRAINT child_pkey;
ALTER TABLE child ADD PRIMARY KEY USING INDEX child_n;
ALTER TABLE child ALTER COLUMN n SET NOT NULL;
ALTER TABLE child ADD CONSTRAINT k1 CHECK (n > 1);
ALTER TABLE child ADD FOREIGN KEY (other_id) REFERENCES parent;
ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent NOT VALID;
ALTER TABLE child ADD UNIQUE (other_id);
ALTER TABLE keyless ADD PRIMARY KEY (a);
ALTER TABLE child ADD EXCLUDE USING btree (other_id WITH =);
BEGIN;
ALTER TABLE child ADD CONSTRAINT k2 CHECK (n > 2) NOT VALID;
ALTER TABLE child VALIDATE CONSTRAINT child_n_positive;
UPDATE child SET n = n + 1;
ALTER TABLE keyless ALTER COLUMN a SET NOT NULL;
ALTER TABLE keyless ALTER COLUMN a TYPE bigint;
COMMIT;
ALTER DOMAIN posint ADD CONSTRAINT small CHECK (VALUE < 1000);
ALTER TABLE keyless ALTER COLUMN a TYPE text;
ALTER TABLE child ALTER COLUMN e TYPE varchar(20);
ALTER TABLE child ALTER COLUMN c TYPE varchar(20);
ALTER TABLE parent ALTER COLUMN id DROP NOT NULL;
ALTER TABLE child ALTER COLUMN v DROP NOT NULL;
ALTER TABLE child DROP COLUMN other_id;
DROP SCHEMA rules_test CASCADE;
DROP VIEW v;
ALTER TABLE parent RENAME COLUMN name TO title;
ALTER TABLE parent RENAME TO parents;
ALTER TYPE mood RENAME VALUE 'ok' TO 'fine';
ALTER FUNCTION f() RENAME TO f2;
ALTER SCHEMA rules_test RENAME TO rules_test_2;
$s$)
UNION ALL SELECT rule, class, verdict, hint FROM zdm_check($s$
BEGIN;
DROP TABLE parent CASCADE;
CREATE TABLE parent (id int);
COMMIT;
ALTER TABLE keyless SET UNLOGGED;
ALTER TABLE keyless SET TABLESPACE pg_global;
ALTER TABLE keyless SET ACCESS METHOD no_such_method;
VACUUM FULL keyless;
REFRESH MATERIALIZED VIEW mv;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM (1000) TO (2000);
CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM (2000) TO (3000);
ALTER TABLE part DETACH PARTITION part_1;
TRUNCATE keyless;
ALTER TYPE mood ADD VALUE 'great';
CREATE TRIGGER t BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE child ENABLE ROW LEVEL SECURITY;
CREATE OR REPLACE VIEW v AS SELECT id, upper(name) AS name FROM rules_test.child, (SELECT '' AS name) x;
CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE PUBLICATION p FOR TABLE keyless;
CREATE EXTENSION pg_no_such_extension;
$s$)
UNION ALL SELECT rule, class, verdict, hint FROM zdm_check($s$
BEGIN;
ALTER TABLE keyless ADD COLUMN x int;
ALTER TABLE child ADD COLUMN x int;
ALTER TYPE mood ADD VALUE 'new';
ALTER TABLE parent ALTER COLUMN m SET DEFAULT 'new';
DROP INDEX child_two;
CREATE INDEX i1 ON child (n);
CREATE INDEX CONCURRENTLY i3 ON child (v);
LOCK TABLE parent IN EXCLUSIVE MODE;
CREATE TABLE fk (a int REFERENCES parent, b int REFERENCES child);
ALTER TABLE keyless ALTER COLUMN a SET STORAGE PLAIN;
COMMIT;
$s$);

-- rules that no statement above has met; some need a newer server, or what
-- another session does
SELECT rule FROM zdm_rules()
EXCEPT SELECT rule FROM found
EXCEPT SELECT 'blocked_by_long_transaction'
EXCEPT SELECT unnest(ARRAY['enforce_constraint', 'set_generated_expression'])
ORDER BY 1;
-- findings without a hint
SELECT DISTINCT rule FROM found WHERE rule IN (SELECT rule FROM zdm_rules()) AND coalesce(hint, '') = '';
-- the table of rules
SELECT class, severity, count(*) > 0 AS some FROM zdm_rules() GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM zdm_rules() WHERE rule = 'drop_column';

SET client_min_messages = error;
DROP SCHEMA rules_test CASCADE;
