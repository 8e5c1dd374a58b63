-- Indexes in a window that defers: what else a statement says of an index that it makes, one
-- that is named twice, and the rows in the way of EXCLUDE.
\set VERBOSITY default
SET client_min_messages = warning;
CREATE SCHEMA defer_indexes;
SET search_path = defer_indexes, public;
-- what has no safe form waits if its tables are small; for workers they are not
SET zdm.small_table = '1MB';
\pset format unaligned
\pset tuples_only on

CREATE TABLE t (id int PRIMARY KEY, a int, b text);
CREATE INDEX t_b ON t (b);
CREATE TABLE booking (id int, room text, during int4range);
INSERT INTO t SELECT g, g, g::text FROM generate_series(1, 100) g;
INSERT INTO booking VALUES (1, 'A', '[1,5)'), (2, 'b', '[3,7)');

SELECT zdm_begin_window('indexes', 'defer') > 0;
-- the order of the actions does not matter
ALTER TABLE t CLUSTER ON t_a_key, ADD UNIQUE (a);
ALTER TABLE t ALTER COLUMN b SET NOT NULL, ADD CONSTRAINT t_b_too UNIQUE (b), REPLICA IDENTITY USING INDEX t_b_too;
DROP INDEX t_b, defer_indexes.t_b;
SELECT phase, state, sql FROM zdm_steps WHERE window_name = 'indexes' ORDER BY id;
-- keys that are expressions, of the rows that the condition lets in
ALTER TABLE booking ADD CONSTRAINT by_name EXCLUDE USING btree (lower(room) COLLATE "C" WITH =, (id % 2) WITH OPERATOR(pg_catalog.=)) WHERE (id > 0);
ALTER TABLE booking ADD CONSTRAINT by_time EXCLUDE USING gist (during WITH &&);
INSERT INTO booking VALUES (3, 'a', '[10,20)'), (5, NULL, '[20,30)'), (-1, 'a', NULL);
SELECT regexp_replace(detail, 'step \d+', 'step N', 'g') FROM zdm_window_status() WHERE condition = 'no row in the way';
SELECT format('SELECT id FROM (%s) AS f ORDER BY id', verify_sql) FROM zdm.step WHERE sql LIKE '%by_name%' \gexec
\set VERBOSITY terse
SELECT zdm_end_window('indexes');
SELECT zdm_cancel(id) FROM zdm_steps WHERE window_name = 'indexes' AND state = 'queued' AND sql LIKE '%booking%';
SELECT zdm_end_window('indexes');
CALL zdm_wait('indexes');
SELECT state FROM zdm_windows WHERE name = 'indexes';
SELECT indexrelid::regclass, indisclustered, indisreplident FROM pg_index WHERE indrelid IN ('t'::regclass, 'booking'::regclass) ORDER BY indexrelid;
DROP SCHEMA defer_indexes CASCADE;
