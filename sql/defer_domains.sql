-- Constraints of domains in a window that defers: they wait for its end, which
-- finds the values in their way in all columns of the domain.
\set VERBOSITY default
SET client_min_messages = warning;
CREATE SCHEMA defer_domains;
SET search_path = defer_domains, public;
-- what has no safe form waits if its tables are small; for workers they are not
SET zdm.small_table = '1MB';
\pset format unaligned
\pset tuples_only on

CREATE DOMAIN short AS varchar(30);
CREATE DOMAIN shorter AS short;
CREATE TABLE tag (id int PRIMARY KEY, "Name" short, other short);
CREATE TABLE heir () INHERITS (tag);
CREATE TABLE p (k int, v shorter) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE VIEW v AS SELECT "Name" FROM tag;
CREATE MATERIALIZED VIEW m AS SELECT "Name" AS value FROM tag;
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN pairs AS pair;
CREATE TABLE paired (q pairs);
CREATE ROLE regress_domain_owner;
GRANT ALL ON SCHEMA defer_domains TO regress_domain_owner;
CREATE DOMAIN lent AS int;
CREATE TABLE hidden (v lent);
CREATE TABLE shown (v lent);
INSERT INTO hidden VALUES (-1);
INSERT INTO shown VALUES (-1);
GRANT SELECT ON shown TO regress_domain_owner;
ALTER DOMAIN lent OWNER TO regress_domain_owner;

CREATE VIEW status AS
	SELECT ok, regexp_replace(detail, 'step \d+', 'step N', 'g') FROM zdm_window_status()
	WHERE condition = 'no row in the way';
CREATE PROCEDURE try_to_end() LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM zdm_end_window();
	RAISE EXCEPTION 'it ends';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE WARNING USING MESSAGE = SQLSTATE || ' ' || SQLERRM,
		DETAIL = regexp_replace(detail, 'step \d+', 'step N', 'g');
END $$;

CREATE PROCEDURE give_up() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM zdm_cancel(id) FROM zdm_steps WHERE window_name = 'domains' AND state = 'queued';
	PERFORM zdm_end_window();
END $$;

-- CHECK
SELECT zdm_begin_window('domains', 'defer') > 0;
ALTER DOMAIN short ADD CONSTRAINT short_length CHECK (length(value) < 10 AND value <> ')');
SELECT * FROM status;
INSERT INTO tag VALUES (1, 'more than ten characters', 'few'), (2, ')', NULL), (3, 'few', 'and also here too many');
INSERT INTO heir VALUES (4, 'too many characters', NULL);
INSERT INTO p VALUES (1, 'partitions have columns, too');
REFRESH MATERIALIZED VIEW m;
SELECT * FROM status;
CALL try_to_end();
-- the query is one that finds them
SELECT substring((SELECT regexp_replace FROM status) FROM 'found by: (.*)') \gexec
-- a table that is newer than the statement is read as well, a temporary one is not
DELETE FROM tag;
DELETE FROM p;
REFRESH MATERIALIZED VIEW m;
CREATE TABLE newer (v short);
INSERT INTO newer VALUES ('but not a better one');
CREATE TEMPORARY TABLE passing (v short);
CALL try_to_end();
DELETE FROM newer;
DROP TABLE passing;
SELECT * FROM status;
CALL give_up();

-- NOT NULL; of a composite type a row of NULLs is none
SELECT zdm_begin_window('domains', 'defer') > 0;
INSERT INTO tag VALUES (1, NULL, 'few');
INSERT INTO paired VALUES (NULL), (ROW(NULL, NULL));
ALTER DOMAIN short SET NOT NULL;
ALTER DOMAIN pairs SET NOT NULL;
CALL try_to_end();
DELETE FROM tag;
DELETE FROM paired;
INSERT INTO paired VALUES (ROW(NULL, NULL));
SELECT * FROM status;
CALL give_up();

-- the owner of a domain need not be able to read the tables that use it
SELECT zdm_begin_window('domains', 'defer') > 0;
SET ROLE regress_domain_owner;
ALTER DOMAIN lent ADD CHECK (value > 0);
RESET ROLE;
CALL try_to_end();
DELETE FROM hidden;
DELETE FROM shown;
SELECT * FROM status;
CALL give_up();

DROP SCHEMA defer_domains CASCADE;
DROP ROLE regress_domain_owner;
