-- A default that goes, of a column that has to have a value: clients of the
-- old version leave the column out until the window ends
SET client_min_messages = warning;
CREATE SCHEMA defer_defaults;
SET search_path = defer_defaults, public;
SET zdm.small_table = 0;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION number() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 7; END $$;
CREATE TABLE item (id int PRIMARY KEY, checked int DEFAULT 1 CHECK (checked IS NOT NULL),
	positive int DEFAULT 1 CHECK (positive > 0));
INSERT INTO item VALUES (1);
CREATE TABLE keyless (note text);
INSERT INTO keyless VALUES ('old');
SELECT zdm_begin_window('defer_defaults', on_unsafe => 'defer') > 0;

-- by a CHECK that is there; not by one that NULL passes
ALTER TABLE item ALTER checked DROP DEFAULT;
ALTER TABLE item ALTER positive DROP DEFAULT;
-- the value is required by what is queued
BEGIN;
ALTER TABLE item ADD COLUMN a int DEFAULT number() NOT NULL;
ALTER TABLE item ALTER COLUMN a DROP DEFAULT;
ALTER TABLE item ADD COLUMN b int DEFAULT number();
ALTER TABLE item ALTER b SET NOT NULL, ALTER b DROP DEFAULT;
ALTER TABLE item ADD COLUMN c int DEFAULT 1;
ALTER TABLE item ADD CONSTRAINT c_there CHECK (c IS NOT NULL);
ALTER TABLE item ALTER c DROP DEFAULT;
ALTER TABLE keyless ADD COLUMN id serial;
ALTER TABLE keyless ADD PRIMARY KEY (id);
ALTER TABLE keyless ALTER id DROP DEFAULT;
COMMIT;
-- by what comes later
BEGIN;
ALTER TABLE item ADD COLUMN d int DEFAULT number();
ALTER TABLE item ALTER d DROP DEFAULT;
ALTER TABLE item ALTER d SET NOT NULL;
ALTER TABLE item ADD COLUMN e int DEFAULT number();
ALTER TABLE item ALTER e DROP DEFAULT;
ALTER TABLE item ADD CONSTRAINT e_there CHECK (e IS NOT NULL AND e > 0);
COMMIT;
-- not by a CHECK that NULL passes
BEGIN;
ALTER TABLE item ADD COLUMN f int DEFAULT number();
ALTER TABLE item ADD CONSTRAINT f_positive CHECK (f > 0);
ALTER TABLE item ALTER f DROP DEFAULT;
COMMIT;

CALL zdm_wait('defer_defaults', '60s');
-- clients of the old version go on
INSERT INTO item (id) VALUES (2);
INSERT INTO keyless VALUES ('old client');
SELECT * FROM item ORDER BY id;
SELECT * FROM keyless ORDER BY id;
SELECT phase, state, sql FROM zdm.step WHERE sql ~* 'drop default' AND deferred AND window_id = (SELECT max(id) FROM zdm.window) ORDER BY sql, id;

SELECT zdm_end_window('defer_defaults');
CALL zdm_wait('defer_defaults', '60s');
-- as the plain statements leave it
SELECT attrelid::regclass, attname, attnotnull, atthasdef FROM pg_attribute
 WHERE attrelid IN ('item'::regclass, 'keyless'::regclass) AND attnum > 0 ORDER BY attrelid::regclass::text, attnum;
INSERT INTO item (id) VALUES (3);
DROP SCHEMA defer_defaults CASCADE;
