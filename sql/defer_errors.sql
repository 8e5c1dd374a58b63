-- The errors of statements that are put off: those that plain DDL raises, and
-- at the statement
SET client_min_messages = warning;
CREATE SCHEMA defer_errors;
SET search_path = defer_errors, public;
\pset format unaligned
\pset tuples_only on

CREATE ROLE regress_errors_owner;
CREATE ROLE regress_errors_other;
GRANT ALL ON SCHEMA defer_errors TO regress_errors_owner;
GRANT SET ON PARAMETER zdm.mode TO regress_errors_owner, regress_errors_other;
CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int NOT NULL DEFAULT 3, d json,
	e int GENERATED ALWAYS AS (a + 1) STORED,
	CONSTRAINT t_a_check CHECK (a > -5), CONSTRAINT t_b_key UNIQUE (b));
CREATE INDEX t_a_i ON t (a);
CREATE POLICY readers ON t USING (true);
CREATE TABLE u (x int UNIQUE, y text, z int);
CREATE TABLE no_key (k int, n text);
CREATE VIEW v AS SELECT a FROM t;
CREATE VIEW w AS SELECT * FROM u;
CREATE TABLE p (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE theirs (k int UNIQUE);
CREATE SEQUENCE s;
CREATE TABLE par (x int, y int);
CREATE TABLE kid (z int,
	CONSTRAINT known CHECK (y < 10000), CONSTRAINT not_passed_on CHECK (y < 9001) NO INHERIT) INHERITS (par);
ALTER TABLE kid ADD CONSTRAINT unproven CHECK (y < 9002) NOT VALID;
ALTER TABLE kid ADD CONSTRAINT kid_key UNIQUE (z);
CREATE TABLE grandkid (CONSTRAINT deep CHECK (y < 10001)) INHERITS (kid);
ALTER TABLE p1 ADD CONSTRAINT known CHECK (v < 10000);
CREATE TABLE deep (k int, v int, w int) PARTITION BY RANGE (k);
CREATE TABLE deep_1 PARTITION OF deep FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (v);
CREATE TABLE deep_11 PARTITION OF deep_1 FOR VALUES FROM (0) TO (10);
CREATE TABLE deep_2 PARTITION OF deep FOR VALUES FROM (10) TO (20);
CREATE TABLE deep_e (k int, v int, w int) PARTITION BY RANGE (k);
CREATE TABLE deep_e_1 PARTITION OF deep_e FOR VALUES FROM (0) TO (10) PARTITION BY RANGE ((v + 1));
INSERT INTO deep VALUES (1, 1, 1);
INSERT INTO par SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO kid SELECT g, g, g FROM generate_series(1, 100) g;
CREATE DOMAIN short AS text;
CREATE DOMAIN shorter AS short CONSTRAINT named CHECK (value > '');
CREATE TABLE tag (v short, w shorter);
INSERT INTO tag VALUES ('a', 'b');
CREATE DOMAIN listed AS int;
CREATE TABLE lists (n listed, a listed[]);
INSERT INTO lists VALUES (1, '{1}');
CREATE DOMAIN part AS int;
CREATE TYPE pair AS (a int, b part);
CREATE TABLE pairs (n part, q pair[]);
INSERT INTO pairs VALUES (1, NULL);
CREATE FUNCTION changing(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION of_row(no_key) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
INSERT INTO t SELECT g, g, g::text, g, '{}' FROM generate_series(1, 100) g;
INSERT INTO u SELECT g, g::text, g FROM generate_series(1, 100) g;
INSERT INTO no_key SELECT g, g::text FROM generate_series(1, 100) g;
INSERT INTO p SELECT 1, 1;
INSERT INTO theirs SELECT g FROM generate_series(1, 100) g;
ALTER TABLE t OWNER TO regress_errors_owner;
-- whose owner can neither read it nor make anything beside it
CREATE SCHEMA closed;
CREATE TABLE closed.t (id int, a int);
INSERT INTO closed.t VALUES (1, 1);
ALTER TABLE closed.t OWNER TO regress_errors_owner;
REVOKE ALL ON closed.t FROM regress_errors_owner;
GRANT USAGE ON SCHEMA closed TO regress_errors_owner;
GRANT TRUNCATE ON t TO regress_errors_other;
GRANT USAGE ON SCHEMA defer_errors TO regress_errors_other;

-- functions that tell, by what is not rolled back, when another calls them
CREATE SEQUENCE closed.calls;
GRANT USAGE ON SEQUENCE closed.calls TO PUBLIC;
CREATE FUNCTION closed.spy(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF current_user <> 'regress_errors_owner' THEN
		PERFORM nextval('closed.calls');
	END IF;
	RETURN $1;
END $$;
CREATE TABLE closed.watched (id int UNIQUE, a int DEFAULT closed.spy(1),
	g int GENERATED ALWAYS AS (closed.spy(1)) STORED, CHECK (a >= closed.spy(1)));
INSERT INTO closed.watched VALUES (1);
CREATE INDEX ON closed.watched (closed.spy(1));
CREATE UNIQUE INDEX ON closed.watched (a) WHERE a > closed.spy(0);
ALTER TABLE closed.watched OWNER TO regress_errors_owner;

-- what the statement fails with, without zdm or in the window; nothing stays
CREATE FUNCTION error_of(statement text, mode text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	failure text;
	detail text;
	hint text;
	message text;
BEGIN
	PERFORM set_config('zdm.mode', mode, true);
	BEGIN
		EXECUTE statement;
		RAISE EXCEPTION USING ERRCODE = 'ZZZZZ', MESSAGE = 'it runs';
	EXCEPTION WHEN others THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, message = MESSAGE_TEXT;
		failure := concat_ws(' | ', sqlstate, message, nullif(detail, ''), nullif(hint, ''));
	END;
	PERFORM set_config('zdm.mode', 'enforce', true);
	RETURN failure;
END $$;
CREATE FUNCTION compare(statement text, OUT result text) LANGUAGE plpgsql AS $$
DECLARE
	plain text := defer_errors.error_of(statement, 'off');
	queued text := defer_errors.error_of(statement, 'enforce');
BEGIN
	result := CASE WHEN plain <> queued
		THEN format(E'%s\n  plain: %s\n  queued: %s', statement, plain, queued)
		WHEN plain LIKE 'ZZZZZ%' THEN 'runs: ' || statement
		ELSE split_part(plain, ' ', 1) || ': ' || statement END;
END $$;
SELECT zdm_begin_window('errors', 'defer') > 0;
SELECT zdm_pause('errors');
SET zdm."window" = 'errors';

SELECT compare(statement) FROM unnest(ARRAY[
	'CREATE INDEX ON t (a)',
	'CREATE INDEX ON nowhere (a)',
	'CREATE INDEX ON t (nothing)',
	'CREATE INDEX t_a_i ON t (b)',
	'CREATE INDEX u ON t (b)',
	'CREATE INDEX x ON t (d)',
	'CREATE INDEX x ON t (changing(a))',
	'CREATE INDEX x ON t (sum(a))',
	'CREATE INDEX x ON t (nothing(a))',
	'CREATE INDEX x ON t (a text_ops)',
	'CREATE INDEX x ON t (a nothing_ops)',
	'CREATE INDEX x ON t USING nothing (a)',
	'CREATE INDEX x ON t USING gin (a)',
	'CREATE INDEX x ON t USING hash (a, b)',
	'CREATE INDEX x ON t (a) WITH (nothing = 1)',
	'CREATE INDEX x ON t (a) WITH (fillfactor = 1000)',
	'CREATE INDEX x ON t (a) TABLESPACE nothing',
	'CREATE INDEX x ON t (a) WHERE b > 1',
	'CREATE INDEX x ON t (a) WHERE nothing > 1',
	'CREATE INDEX x ON t (a) INCLUDE (nothing)',
	'CREATE INDEX x ON t (a COLLATE "C")',
	'CREATE INDEX x ON v (a)',
	'CREATE UNIQUE INDEX t_pkey ON t (a)',
	'CREATE UNIQUE INDEX x ON p (v)',
	-- the row type of a copy is another one, so it is not asked
	'CREATE INDEX x ON no_key (of_row(no_key))']) AS statement;

SELECT compare(statement) FROM unnest(ARRAY[
	'ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0)',
	'ALTER TABLE t ADD CONSTRAINT t_a_check CHECK (a > 0)',
	'ALTER TABLE t ADD CONSTRAINT x CHECK (nothing > 0)',
	'ALTER TABLE t ADD CONSTRAINT x CHECK (b + 1 > 0)',
	'ALTER TABLE t ADD CONSTRAINT x CHECK (a)',
	'ALTER TABLE t ADD CONSTRAINT x CHECK (a > (SELECT 1))',
	'ALTER TABLE t ADD CONSTRAINT t_b_key UNIQUE (a)',
	'ALTER TABLE t ADD CONSTRAINT t_a_check UNIQUE (a)',
	'ALTER TABLE t ADD CONSTRAINT t_a_i UNIQUE (a)',
	'ALTER TABLE t ADD CONSTRAINT x UNIQUE (nothing)',
	'ALTER TABLE t ADD CONSTRAINT x UNIQUE (a, a)',
	'ALTER TABLE t ADD CONSTRAINT x UNIQUE (d)',
	'ALTER TABLE t ADD PRIMARY KEY (a)',
	'ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (a)',
	'ALTER TABLE t DROP CONSTRAINT t_b_key, ADD CONSTRAINT t_b_key UNIQUE (a)',
	'ALTER TABLE t DROP CONSTRAINT t_a_check, ADD CONSTRAINT t_a_check CHECK (a > 0)',
	'ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX nothing',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES u (x)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES t (id)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES nowhere (x)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES no_key (k)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (b) REFERENCES u (x)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES u',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES u (nothing)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (nothing) REFERENCES u (x)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a, c) REFERENCES u (x)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES v (a)',
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES t (c)',
	'ALTER TABLE t ADD CONSTRAINT t_pkey FOREIGN KEY (a) REFERENCES u (x)',
	'ALTER TABLE p ADD UNIQUE (v)',
	'ALTER TABLE p ADD PRIMARY KEY (v)']) AS statement;

SELECT compare(statement) FROM unnest(ARRAY[
	'ALTER TABLE t ALTER a SET NOT NULL',
	'ALTER TABLE t ALTER nothing SET NOT NULL',
	'ALTER TABLE t ALTER a SET NOT NULL, ALTER nothing SET NOT NULL',
	'ALTER TABLE t ALTER a SET NOT NULL, ADD CHECK (nothing > 0)',
	'ALTER TABLE t ALTER COLUMN nothing DROP DEFAULT',
	'ALTER TABLE t DROP COLUMN nothing',
	'ALTER TABLE t DROP COLUMN xmin',
	'ALTER TABLE t DROP COLUMN a',
	'ALTER TABLE p DROP COLUMN k',
	'ALTER TABLE p1 DROP COLUMN v',
	'ALTER TABLE t DROP CONSTRAINT nothing',
	'ALTER TABLE t ADD COLUMN b int NOT NULL',
	'ALTER TABLE t ADD COLUMN z nothing NOT NULL',
	'ALTER TABLE t ADD COLUMN z int NOT NULL REFERENCES nowhere',
	'ALTER TABLE t ADD COLUMN z int NOT NULL REFERENCES no_key (k)',
	'ALTER TABLE t ADD COLUMN z serial PRIMARY KEY',
	'ALTER TABLE t ADD COLUMN z int, ADD UNIQUE (z, nothing)',
	'ALTER TABLE t NO INHERIT u',
	'ALTER TABLE p DETACH PARTITION u',
	'ALTER TABLE t ADD COLUMN z int, ADD CONSTRAINT zz UNIQUE (z), ADD CONSTRAINT zz CHECK (z > 0)',
	'CREATE POLICY readers ON t USING (true)',
	'CREATE POLICY writers ON t USING (nothing)',
	'CREATE POLICY writers ON t USING (a)']) AS statement;

-- children, which the copies have not
SELECT compare(statement) FROM unnest(ARRAY[
	'ALTER TABLE p ADD UNIQUE (v, k)',
	'ALTER TABLE deep ADD UNIQUE (w, k)',
	'ALTER TABLE deep ADD UNIQUE (v, w, k)',
	'ALTER TABLE deep ADD PRIMARY KEY (k)',
	'ALTER TABLE deep ADD COLUMN z int, ADD UNIQUE (k, z)',
	'ALTER TABLE deep ADD COLUMN z int UNIQUE',
	'ALTER TABLE deep_2 ADD UNIQUE (w)',
	'CREATE UNIQUE INDEX ON deep (k)',
	'CREATE UNIQUE INDEX ON ONLY deep (k)',
	'CREATE UNIQUE INDEX ON deep (k, v)',
	'CREATE INDEX ON deep (k)',
	'CREATE UNIQUE INDEX ON deep_e (k, v)',
	'ALTER TABLE ONLY p ADD CHECK (k >= 0)',
	'ALTER TABLE ONLY p ADD CHECK (k >= 0) NO INHERIT',
	'ALTER TABLE ONLY p ALTER v SET NOT NULL',
	'ALTER TABLE ONLY p DROP COLUMN v',
	'ALTER TABLE ONLY par ADD CHECK (x > 0)',
	'ALTER TABLE ONLY par ADD CHECK (x > 0) NO INHERIT',
	'ALTER TABLE ONLY par ALTER x SET NOT NULL',
	'ALTER TABLE ONLY par DROP COLUMN x',
	'ALTER TABLE ONLY grandkid ADD CHECK (x > 0)',
	'ALTER TABLE par ADD CONSTRAINT known CHECK (y < 1000)',
	'ALTER TABLE par ADD CONSTRAINT known CHECK (y < 10000)',
	'ALTER TABLE par ADD CONSTRAINT known CHECK (y < 1000) NO INHERIT',
	'ALTER TABLE par ADD CONSTRAINT not_passed_on CHECK (y < 9001)',
	'ALTER TABLE par ADD CONSTRAINT unproven CHECK (y < 9002)',
	'ALTER TABLE par ADD CONSTRAINT kid_key CHECK (y < 9002)',
	'ALTER TABLE par ADD CONSTRAINT deep CHECK (y < 1000)',
	'ALTER TABLE par ADD CONSTRAINT deep CHECK (nothing < 1000)',
	'ALTER TABLE p ADD CONSTRAINT known CHECK (v < 10)',
	'ALTER TABLE p ADD CONSTRAINT known CHECK (v < 10000)']) AS statement;

-- names that the statement itself makes, or finds taken
SELECT compare(statement) FROM unnest(ARRAY[
	'ALTER TABLE t ADD COLUMN z int GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME s)',
	'ALTER TABLE t ADD COLUMN z int GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME defer_errors.s)',
	'ALTER TABLE t ADD COLUMN z int GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME nowhere.s)',
	'ALTER TABLE t ADD COLUMN z int GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME s2)',
	'ALTER TABLE t ADD UNIQUE (a), CLUSTER ON t_a_key',
	'ALTER TABLE t CLUSTER ON x, ADD CONSTRAINT x UNIQUE (a)',
	'ALTER TABLE t CLUSTER ON t_a_i',
	'ALTER TABLE t ADD UNIQUE (a), CLUSTER ON nothing',
	'ALTER TABLE t ADD UNIQUE (a), REPLICA IDENTITY USING INDEX t_a_key',
	'ALTER TABLE t ALTER a SET NOT NULL, ADD UNIQUE (a), REPLICA IDENTITY USING INDEX t_a_key',
	'ALTER TABLE p ADD UNIQUE (k, v), CLUSTER ON p_k_v_key',
	'DROP INDEX t_a_i, t_a_i',
	'DROP INDEX t_a_i, defer_errors.t_a_i']) AS statement;

-- domains; small tables, as there is no safe form for large ones
SET zdm.small_table = '1MB';
SELECT compare(statement) FROM unnest(ARRAY[
	'ALTER DOMAIN short ADD CHECK (length(value) < 10)',
	'ALTER DOMAIN short ADD CHECK (length(value) < 10) NOT VALID',
	'ALTER DOMAIN short ADD CHECK (value + 1 > 0)',
	'ALTER DOMAIN short ADD CHECK (nothing > 0)',
	'ALTER DOMAIN short ADD CHECK (nothing(value))',
	'ALTER DOMAIN short ADD CHECK (value)',
	'ALTER DOMAIN short ADD CHECK (value > (SELECT ''a''))',
	'ALTER DOMAIN shorter ADD CONSTRAINT named CHECK (value > ''a'')',
	'ALTER DOMAIN short SET NOT NULL',
	'ALTER DOMAIN listed ADD CHECK (value > 0)',
	'ALTER DOMAIN listed ADD CHECK (value > 0) NOT VALID',
	'ALTER DOMAIN listed SET NOT NULL',
	'ALTER DOMAIN part ADD CHECK (value > 0)',
	'ALTER DOMAIN part SET NOT NULL']) AS statement;
RESET zdm.small_table;

SELECT compare(statement) FROM unnest(ARRAY[
	'DROP TABLE u, nowhere',
	'DROP TABLE u',
	'DROP TABLE v',
	'DROP VIEW u',
	'DROP INDEX nothing',
	'DROP INDEX t',
	'DROP SEQUENCE t',
	'DROP VIEW v',
	'DROP VIEW w, v',
	'DROP INDEX t_a_i, t_b_key',
	'DROP FUNCTION nothing()']) AS statement;

-- rights
SET ROLE regress_errors_owner;
SELECT defer_errors.compare(statement) FROM unnest(ARRAY[
	'ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES theirs (k)',
	'ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0)',
	'CREATE INDEX x ON theirs (k)',
	'CREATE INDEX x ON closed.t (a)',
	'ALTER TABLE closed.t ADD CONSTRAINT x UNIQUE (a)',
	'ALTER TABLE closed.t ALTER a SET NOT NULL',
	'ALTER TABLE closed.t ADD CONSTRAINT x CHECK (nothing > 0)']) AS statement;
SET ROLE regress_errors_other;
SELECT defer_errors.compare('ALTER TABLE t ALTER a SET NOT NULL');
SELECT defer_errors.compare('DROP TABLE t CASCADE');
RESET ROLE;

-- nobody else's rights are lent to the functions of a table
SELECT setval('closed.calls', 1, false);
BEGIN;
ALTER TABLE closed.watched ADD CONSTRAINT x UNIQUE (a);
ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES closed.watched (id);
SELECT is_called FROM closed.calls;
ROLLBACK;

-- it leaves nothing, and a transaction that can still be prepared
\set VERBOSITY terse
SET client_min_messages = notice;
CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE '% %', tg_event, tg_tag;
END $$;
CREATE EVENT TRIGGER log_ddl ON ddl_command_start EXECUTE FUNCTION log_ddl();
BEGIN;
ALTER TABLE t ADD CONSTRAINT x UNIQUE (a);
SELECT nspname FROM pg_namespace WHERE nspname LIKE 'zdm %' OR nspname LIKE 'zdm\_s%';
SELECT mode FROM pg_locks JOIN pg_class ON oid = relation WHERE relname IN ('t', 'u', 'v') AND pid = pg_backend_pid();
SELECT current_user = session_user, current_setting('client_min_messages'), current_setting('lock_timeout');
PREPARE TRANSACTION 'defer_errors';
ROLLBACK PREPARED 'defer_errors';
DROP EVENT TRIGGER log_ddl;
SELECT sql FROM zdm.step AS step JOIN zdm.window w ON w.id = window_id WHERE deferred AND w.name = 'errors' AND step.phase <> 'expand';

SET client_min_messages = warning;
SELECT zdm_abort_window('errors', force => true) >= 0;
SELECT zdm_resume('errors') FROM zdm_windows WHERE name = 'errors' AND state = 'aborting';
CALL zdm_run('errors');
SELECT state FROM zdm_windows WHERE name = 'errors';
RESET zdm."window";
DROP SCHEMA defer_errors, closed CASCADE;
REVOKE SET ON PARAMETER zdm.mode FROM regress_errors_owner, regress_errors_other;
DROP ROLE regress_errors_owner, regress_errors_other;
