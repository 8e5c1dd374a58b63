-- What an abort takes away goes after what uses it, though that may be older
SET client_min_messages = warning;
CREATE SCHEMA abort_order;
SET search_path = abort_order, public;
SET zdm.small_table = 0;
\pset format unaligned
\pset tuples_only on
SELECT zdm_begin_window('abort_order', on_unsafe => 'defer') > 0;
BEGIN;
-- foreign keys in a circle, one of them within CREATE TABLE
CREATE TABLE a (id serial PRIMARY KEY, b_id int);
CREATE TABLE b (id serial PRIMARY KEY, a_id int REFERENCES a);
ALTER TABLE a ADD CONSTRAINT f1 FOREIGN KEY (b_id) REFERENCES b;
-- triggers of a table and of a view
CREATE TABLE n (id int);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER noted BEFORE INSERT ON n FOR EACH ROW EXECUTE FUNCTION noted();
CREATE VIEW nv AS SELECT 1 AS id;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER instead INSTEAD OF INSERT ON nv FOR EACH ROW EXECUTE FUNCTION instead();
-- a default, a CHECK, a policy, a column's type
CREATE TABLE a2 (id int);
CREATE FUNCTION number() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER TABLE a2 ALTER id SET DEFAULT number();
CREATE TABLE a3 (id int);
CREATE FUNCTION number3() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER TABLE a3 ADD CHECK (number3() > 0);
CREATE POLICY p ON a3 USING (number3() = 1);
CREATE TABLE a4 (id int);
CREATE TYPE ty AS ENUM ('x');
ALTER TABLE a4 ADD COLUMN t ty;
-- what is replaced
CREATE VIEW va AS SELECT 1 AS id;
CREATE TABLE a5 (id int);
CREATE OR REPLACE VIEW va AS SELECT id FROM a5;
CREATE FUNCTION cf() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT 1::bigint; END;
CREATE TABLE a6 (id int);
CREATE OR REPLACE FUNCTION cf() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM a6; END;
-- a parent, a schema
CREATE TABLE k (id int);
CREATE TABLE pp (id int);
ALTER TABLE k INHERIT pp;
CREATE TABLE a7 (id int);
CREATE SCHEMA abort_order_ns;
ALTER TABLE a7 SET SCHEMA abort_order_ns;
CREATE TABLE a8 (id int) PARTITION BY RANGE (id);
CREATE TABLE a8_1 (id int);
ALTER TABLE a8 ATTACH PARTITION a8_1 FOR VALUES FROM (1) TO (5);
ALTER TABLE a8 ADD COLUMN r int REFERENCES b;
COMMIT;
SELECT zdm_abort_window('abort_order') > 0;
CALL zdm_wait('abort_order', '60s');
SELECT state FROM zdm.window WHERE name = 'abort_order';
SELECT undo_sql, last_error FROM zdm.step JOIN zdm.window w ON w.id = window_id WHERE w.name = 'abort_order' AND step.state <> 'undone';
SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text ~ '^abort_order';
SELECT proname FROM pg_proc WHERE pronamespace = 'abort_order'::regnamespace;
SELECT nspname FROM pg_namespace WHERE nspname = 'abort_order_ns';
-- it has gone empty, without CASCADE
DROP SCHEMA abort_order;
