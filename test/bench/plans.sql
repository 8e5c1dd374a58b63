-- What the part "plans" of the benchmark measures.  Of each plan: the statement
-- itself, the SQL that an expert would write in its place, and what undoes it.
-- An expert's tools are there: brief() repeats a statement until it gets its
-- locks in time, in_batches() commits after every 5000 ids of a table.

-- plan create_index CREATE INDEX
CREATE INDEX item_a ON item (a);
-- safe
CREATE INDEX CONCURRENTLY item_a ON item (a);
-- undo
DROP INDEX item_a;

-- plan create_unique_index CREATE UNIQUE INDEX
CREATE UNIQUE INDEX item_code ON item (code);
-- safe
CREATE UNIQUE INDEX CONCURRENTLY item_code ON item (code);
-- undo
DROP INDEX item_code;

-- plan create_index_partitioned CREATE INDEX, partitioned table
CREATE INDEX event_a ON event (a);
-- safe
CALL brief('CREATE INDEX event_a ON ONLY event (a)');
CREATE INDEX CONCURRENTLY event_1_a_idx ON event_1 (a);
CALL brief('ALTER INDEX event_a ATTACH PARTITION event_1_a_idx');
CREATE INDEX CONCURRENTLY event_2_a_idx ON event_2 (a);
CALL brief('ALTER INDEX event_a ATTACH PARTITION event_2_a_idx');
CREATE INDEX CONCURRENTLY event_3_a_idx ON event_3 (a);
CALL brief('ALTER INDEX event_a ATTACH PARTITION event_3_a_idx');
CREATE INDEX CONCURRENTLY event_rest_a_idx ON event_rest (a);
CALL brief('ALTER INDEX event_a ATTACH PARTITION event_rest_a_idx');
-- undo
DROP INDEX event_a;

-- plan drop_index DROP INDEX
DROP INDEX item_ref;
-- safe
DROP INDEX CONCURRENTLY item_ref;
-- undo
CREATE INDEX item_ref ON item (ref);

-- plan reindex REINDEX TABLE
REINDEX TABLE item;
-- safe
REINDEX TABLE CONCURRENTLY item;
-- undo
SELECT;

-- plan refresh REFRESH MATERIALIZED VIEW
REFRESH MATERIALIZED VIEW summary;
-- safe
REFRESH MATERIALIZED VIEW CONCURRENTLY summary;
-- undo
REFRESH MATERIALIZED VIEW summary;

-- plan add_check ADD CHECK
ALTER TABLE item ADD CONSTRAINT item_check CHECK (a >= 0 AND length(b) < 100);
-- safe
CALL brief('ALTER TABLE item ADD CONSTRAINT item_check CHECK (a >= 0 AND length(b) < 100) NOT VALID');
ALTER TABLE item VALIDATE CONSTRAINT item_check;
-- undo
ALTER TABLE item DROP CONSTRAINT item_check;

-- plan add_foreign_key ADD FOREIGN KEY
ALTER TABLE item ADD CONSTRAINT item_ref_fkey FOREIGN KEY (ref) REFERENCES parent;
-- safe
CALL brief('ALTER TABLE item ADD CONSTRAINT item_ref_fkey FOREIGN KEY (ref) REFERENCES parent NOT VALID');
ALTER TABLE item VALIDATE CONSTRAINT item_ref_fkey;
-- undo
ALTER TABLE item DROP CONSTRAINT item_ref_fkey;

-- plan set_not_null SET NOT NULL
ALTER TABLE item ALTER COLUMN a SET NOT NULL;
-- safe
CALL brief('ALTER TABLE item ADD CONSTRAINT item_a_present CHECK (a IS NOT NULL) NOT VALID');
ALTER TABLE item VALIDATE CONSTRAINT item_a_present;
CALL brief('ALTER TABLE item ALTER COLUMN a SET NOT NULL');
CALL brief('ALTER TABLE item DROP CONSTRAINT item_a_present');
-- undo
ALTER TABLE item ALTER COLUMN a DROP NOT NULL;

-- plan add_unique ADD UNIQUE
ALTER TABLE item ADD CONSTRAINT item_code_key UNIQUE (code);
-- safe
CREATE UNIQUE INDEX CONCURRENTLY item_code_key ON item (code);
CALL brief('ALTER TABLE item ADD CONSTRAINT item_code_key UNIQUE USING INDEX item_code_key');
-- undo
ALTER TABLE item DROP CONSTRAINT item_code_key;

-- plan add_primary_key ADD PRIMARY KEY
ALTER TABLE item ADD PRIMARY KEY (id);
-- safe
CALL brief('ALTER TABLE item ADD CONSTRAINT item_id_present CHECK (id IS NOT NULL) NOT VALID');
ALTER TABLE item VALIDATE CONSTRAINT item_id_present;
CREATE UNIQUE INDEX CONCURRENTLY item_pkey ON item (id);
CALL brief('ALTER TABLE item ADD CONSTRAINT item_pkey PRIMARY KEY USING INDEX item_pkey');
CALL brief('ALTER TABLE item DROP CONSTRAINT item_id_present');
-- undo
ALTER TABLE item DROP CONSTRAINT item_pkey, ALTER COLUMN id DROP NOT NULL;

-- plan add_column_constraints ADD COLUMN with CHECK and REFERENCES
ALTER TABLE item ADD COLUMN kind int NOT NULL DEFAULT 1 CHECK (kind > 0) REFERENCES parent;
-- safe
CALL brief('ALTER TABLE item ADD COLUMN kind int NOT NULL DEFAULT 1');
CALL brief('ALTER TABLE item ADD CONSTRAINT item_kind_check CHECK (kind > 0) NOT VALID');
ALTER TABLE item VALIDATE CONSTRAINT item_kind_check;
CALL brief('ALTER TABLE item ADD CONSTRAINT item_kind_fkey FOREIGN KEY (kind) REFERENCES parent NOT VALID');
ALTER TABLE item VALIDATE CONSTRAINT item_kind_fkey;
-- undo
ALTER TABLE item DROP COLUMN kind;

-- plan several ALTER TABLE with three actions
ALTER TABLE item ADD COLUMN state text, ALTER COLUMN a SET NOT NULL, ADD CONSTRAINT item_check CHECK (a >= 0);
-- safe
CALL brief('ALTER TABLE item ADD COLUMN state text, ADD CONSTRAINT item_check CHECK (a >= 0) NOT VALID, ADD CONSTRAINT item_a_present CHECK (a IS NOT NULL) NOT VALID');
ALTER TABLE item VALIDATE CONSTRAINT item_check;
ALTER TABLE item VALIDATE CONSTRAINT item_a_present;
CALL brief('ALTER TABLE item ALTER COLUMN a SET NOT NULL');
CALL brief('ALTER TABLE item DROP CONSTRAINT item_a_present');
-- undo
ALTER TABLE item DROP COLUMN state, DROP CONSTRAINT item_check, ALTER COLUMN a DROP NOT NULL;

-- plan attach ATTACH PARTITION, beside a default partition
ALTER TABLE event ATTACH PARTITION event_next FOR VALUES FROM (:next) TO (:next_end);
-- safe
CALL brief('ALTER TABLE event_next ADD CONSTRAINT bounds CHECK (id >= :next AND id < :next_end) NOT VALID');
ALTER TABLE event_next VALIDATE CONSTRAINT bounds;
CALL brief('ALTER TABLE event_rest ADD CONSTRAINT not_next CHECK (NOT (id >= :next AND id < :next_end)) NOT VALID');
ALTER TABLE event_rest VALIDATE CONSTRAINT not_next;
CREATE UNIQUE INDEX CONCURRENTLY event_next_id_idx ON event_next (id);
CALL brief('ALTER TABLE event ATTACH PARTITION event_next FOR VALUES FROM (:next) TO (:next_end)');
CALL brief('ALTER TABLE event_next DROP CONSTRAINT bounds');
CALL brief('ALTER TABLE event_rest DROP CONSTRAINT not_next');
-- undo
ALTER TABLE event DETACH PARTITION event_next;
DROP INDEX event_next_id_idx;

-- plan detach DETACH PARTITION
ALTER TABLE log DETACH PARTITION log_old;
-- safe
ALTER TABLE log DETACH PARTITION log_old CONCURRENTLY;
-- undo
ALTER TABLE log_old DROP CONSTRAINT IF EXISTS log_old_id_check;
ALTER TABLE log ATTACH PARTITION log_old FOR VALUES FROM (MINVALUE) TO (1);

-- plan create_partition CREATE TABLE PARTITION OF, beside a default partition
CREATE TABLE event_far PARTITION OF event FOR VALUES FROM (:far) TO (:far_end);
-- safe
CALL brief('ALTER TABLE event_rest ADD CONSTRAINT not_far CHECK (NOT (id >= :far AND id < :far_end)) NOT VALID');
ALTER TABLE event_rest VALIDATE CONSTRAINT not_far;
CREATE TABLE event_far (LIKE event INCLUDING ALL);
ALTER TABLE event_far ADD CONSTRAINT bounds CHECK (id >= :far AND id < :far_end);
CALL brief('ALTER TABLE event ATTACH PARTITION event_far FOR VALUES FROM (:far) TO (:far_end)');
CALL brief('ALTER TABLE event_far DROP CONSTRAINT bounds');
CALL brief('ALTER TABLE event_rest DROP CONSTRAINT not_far');
-- undo
DROP TABLE event_far;

-- plan volatile_default ADD COLUMN with a volatile default
ALTER TABLE item ADD COLUMN token float8 DEFAULT random();
-- safe
CALL brief('ALTER TABLE item ADD COLUMN token float8');
CALL brief('ALTER TABLE item ALTER COLUMN token SET DEFAULT random()');
CALL in_batches('item', 'UPDATE item SET token = DEFAULT WHERE token IS NULL AND id BETWEEN $1 AND $2');
-- undo
ALTER TABLE item DROP COLUMN token;
VACUUM (FULL, ANALYZE) item;

-- plan identity ADD COLUMN, identity (a fifth of the rows)
ALTER TABLE event_next ADD COLUMN n bigint GENERATED BY DEFAULT AS IDENTITY;
-- safe
CALL brief('ALTER TABLE event_next ADD COLUMN n bigint');
CREATE SEQUENCE event_next_n_seq;
CALL brief('ALTER TABLE event_next ALTER COLUMN n SET DEFAULT nextval(''event_next_n_seq'')');
CALL in_batches('event_next', 'UPDATE event_next SET n = DEFAULT WHERE n IS NULL AND id BETWEEN $1 AND $2');
CALL brief('ALTER TABLE event_next ADD CONSTRAINT event_next_n_present CHECK (n IS NOT NULL) NOT VALID');
ALTER TABLE event_next VALIDATE CONSTRAINT event_next_n_present;
CALL brief('ALTER TABLE event_next ALTER COLUMN n SET NOT NULL, ALTER COLUMN n DROP DEFAULT, ALTER COLUMN n ADD GENERATED BY DEFAULT AS IDENTITY (START 100000000)');
CALL brief('ALTER TABLE event_next DROP CONSTRAINT event_next_n_present');
DROP SEQUENCE event_next_n_seq;
-- undo
ALTER TABLE event_next DROP COLUMN n;
VACUUM (FULL, ANALYZE) event_next;
