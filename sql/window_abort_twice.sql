-- What a window changes more than once is, after an abort, what it was before
-- it, though the states in between name what is gone
SET client_min_messages = error;
CREATE SCHEMA abort_twice;
SET search_path = abort_twice, public;
SET zdm.small_table = 0;
\pset format unaligned
\pset tuples_only on
CREATE TABLE customer (id int PRIMARY KEY, name text);
INSERT INTO customer VALUES (1, 'a');
CREATE INDEX customer_name ON customer (name);
CREATE TABLE orders (id int PRIMARY KEY, ref int DEFAULT 9);
INSERT INTO orders VALUES (1, 1);
CREATE VIEW v AS SELECT id FROM orders;
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 0';
CREATE FUNCTION f(a text) RETURNS int LANGUAGE sql AS 'SELECT 10';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER noted BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noted();
CREATE FUNCTION catalog() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT pg_get_indexdef(c.oid) FROM pg_class c WHERE relnamespace = 'abort_twice'::regnamespace AND relkind = 'i'
	UNION ALL SELECT pg_get_viewdef('abort_twice.v'::regclass)
	UNION ALL SELECT concat_ws(' ', oid::regprocedure, pg_get_function_sqlbody(oid), prosrc) FROM pg_proc WHERE pronamespace = 'abort_twice'::regnamespace
	UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'abort_twice.orders'::regclass
	UNION ALL SELECT concat_ws(' ', adrelid::regclass, adnum, pg_get_expr(adbin, adrelid)) FROM pg_attrdef WHERE adrelid = 'abort_twice.orders'::regclass
	UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'abort_twice'::regnamespace
$$;
CREATE TABLE before AS SELECT catalog() AS c;

SELECT zdm_begin_window('abort_twice', on_unsafe => 'defer') > 0;
-- an index of the window that is dropped again; an older one made anew twice
CREATE INDEX again ON customer (name);
BEGIN;
DROP INDEX again;
COMMIT;
BEGIN;
DROP INDEX customer_name;
CREATE INDEX customer_name ON customer (name, id);
COMMIT;
CALL zdm_wait('abort_twice', '60s');
BEGIN;
DROP INDEX customer_name;
CREATE INDEX customer_name ON customer (id, name);
COMMIT;
CALL zdm_wait('abort_twice', '60s');
-- what uses something new, and then does not
BEGIN;
CREATE FUNCTION number() RETURNS int LANGUAGE sql AS 'SELECT 5';
ALTER TABLE orders ALTER ref SET DEFAULT number();
CREATE TABLE made (id int);
CREATE OR REPLACE VIEW v AS SELECT id FROM made;
CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT id FROM made; END;
CREATE OR REPLACE FUNCTION f(a text) RETURNS int LANGUAGE sql AS 'SELECT 11';
CREATE FUNCTION noted_anew() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE OR REPLACE TRIGGER noted BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noted_anew();
COMMIT;
BEGIN;
ALTER TABLE orders ALTER ref DROP DEFAULT;
DROP FUNCTION number();
CREATE OR REPLACE VIEW v AS SELECT id + 0 AS id FROM orders;
CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE OR REPLACE TRIGGER noted BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noted();
DROP FUNCTION noted_anew();
DROP TABLE made;
COMMIT;
-- a default that is set back does not keep the function that it uses
CREATE FUNCTION number() RETURNS int LANGUAGE sql AS 'SELECT 6';
ALTER TABLE orders ALTER ref SET DEFAULT number();

SELECT zdm_abort_window('abort_twice') > 0;
CALL zdm_wait('abort_twice', '60s');
SELECT state FROM zdm_windows WHERE name = 'abort_twice';
SELECT 'new', catalog() EXCEPT ALL SELECT 'new', c FROM before;
SELECT 'missing', c FROM before EXCEPT ALL SELECT 'missing', catalog();
DROP SCHEMA abort_twice CASCADE;
