-- What REVOKE, policies, owners and comments do: rights that vanish, locks.
CREATE SCHEMA ddl_security;
SET search_path = ddl_security, fixture, public;
\pset format unaligned

CREATE ROLE regress_zdm_app;
CREATE ROLE regress_zdm_group;
CREATE ROLE regress_zdm_other;
GRANT regress_zdm_group TO regress_zdm_app;
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1);
CREATE TABLE secured (id int);
INSERT INTO secured VALUES (1);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY secured_policy ON secured USING (true);
CREATE POLICY t_policy ON t USING (true);
CREATE TABLE "Mixed Case" (id int);
CREATE VIEW v AS SELECT * FROM t;
CREATE SEQUENCE seq;
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE TYPE pair AS (x int);
CREATE TYPE mood AS ENUM ('sad');
CREATE FUNCTION trigger_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t_trigger BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trigger_function();
CREATE DOMAIN positive AS int CONSTRAINT positive_check CHECK (VALUE > 0);
GRANT SELECT, INSERT ON t, "Mixed Case" TO regress_zdm_app;
GRANT SELECT (a) ON t TO regress_zdm_group;
GRANT USAGE ON SEQUENCE seq TO regress_zdm_app;
GRANT USAGE ON SCHEMA ddl_security TO regress_zdm_app;

-- GRANT and REVOKE; from 18 on they take ACCESS SHARE on relations
SELECT sql, object, rule, class, verdict, message,
	lock_mode IS NOT DISTINCT FROM CASE WHEN current_setting('server_version_num')::int >= 180000 AND
		object ~ 'table|sequence' THEN 'AccessShareLock' END AS lock_is_right
FROM check_each($$
GRANT SELECT ON t TO PUBLIC;
GRANT ALL ON FUNCTION f(int) TO regress_zdm_app;
GRANT regress_zdm_other TO regress_zdm_app;
REVOKE INSERT ON t FROM regress_zdm_app;
REVOKE ALL ON TABLE "Mixed Case" FROM regress_zdm_app, regress_zdm_other;
REVOKE ALL ON t FROM PUBLIC;
REVOKE ALL ON t FROM regress_zdm_other;
REVOKE SELECT (a) ON t FROM regress_zdm_group;
REVOKE GRANT OPTION FOR SELECT ON t FROM regress_zdm_app;
REVOKE USAGE ON SEQUENCE seq FROM regress_zdm_app;
REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION f FROM regress_zdm_app;
REVOKE USAGE ON SCHEMA ddl_security FROM regress_zdm_app;
REVOKE USAGE ON SCHEMA ddl_security FROM PUBLIC;
REVOKE USAGE ON TYPE mood FROM PUBLIC;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
REVOKE regress_zdm_group FROM regress_zdm_app;
REVOKE regress_zdm_group FROM regress_zdm_other;
REVOKE ADMIN OPTION FOR regress_zdm_group FROM regress_zdm_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA ddl_security REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
$$);
SELECT object, rule, message FROM zdm_check('REVOKE ALL ON ALL TABLES IN SCHEMA ddl_security FROM regress_zdm_app') ORDER BY message;
SELECT object, rule, message FROM zdm_check('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ddl_security FROM PUBLIC');
SELECT object, rule, message FROM zdm_check('GRANT ALL ON ALL SEQUENCES IN SCHEMA ddl_security TO regress_zdm_app');

-- policies and row security
SELECT sql, rule, class, lock_mode, verdict, message FROM check_each($$
CREATE POLICY p ON t USING (id > 0);
CREATE POLICY p ON secured USING (id > 0);
CREATE POLICY p ON secured AS RESTRICTIVE USING (id > 0);
ALTER POLICY t_policy ON t USING (id > 0);
ALTER POLICY secured_policy ON secured USING (id > 0);
DROP POLICY t_policy ON t;
DROP POLICY secured_policy ON secured;
$$);

-- owners
SELECT sql, object, rule, class, lock_mode, verdict, message FROM check_each($$
ALTER FUNCTION f(int) OWNER TO regress_zdm_other;
ALTER FUNCTION f(int) OWNER TO CURRENT_USER;
ALTER SCHEMA ddl_security OWNER TO regress_zdm_other;
ALTER TYPE pair OWNER TO regress_zdm_other;
ALTER TYPE mood OWNER TO regress_zdm_other;
ALTER DOMAIN positive OWNER TO regress_zdm_other;
ALTER LANGUAGE plpgsql OWNER TO regress_zdm_other;
$$);
CREATE TABLE owned (id int);
CREATE SEQUENCE owned_seq;
ALTER TABLE owned OWNER TO regress_zdm_other;
ALTER SEQUENCE owned_seq OWNER TO regress_zdm_other;
SELECT object, rule, lock_mode, verdict, message FROM zdm_check('REASSIGN OWNED BY regress_zdm_other TO regress_zdm_app');
SELECT object, rule, lock_mode, verdict, message FROM zdm_check('REASSIGN OWNED BY regress_zdm_group TO regress_zdm_app');

-- comments: no hazard, but a lock
SELECT sql, object, rule, lock_mode, verdict FROM check_each($$
COMMENT ON TABLE t IS 'c';
COMMENT ON COLUMN t.a IS 'c';
COMMENT ON COLUMN "Mixed Case".id IS NULL;
COMMENT ON VIEW v IS 'c';
COMMENT ON INDEX t_pkey IS 'c';
COMMENT ON SEQUENCE seq IS 'c';
COMMENT ON CONSTRAINT t_pkey ON t IS 'c';
COMMENT ON TRIGGER t_trigger ON t IS 'c';
COMMENT ON POLICY t_policy ON t IS 'c';
COMMENT ON COLUMN pair.x IS 'c';
COMMENT ON FUNCTION f(int) IS 'c';
COMMENT ON TYPE mood IS 'c';
COMMENT ON DOMAIN positive IS 'c';
COMMENT ON CONSTRAINT positive_check ON DOMAIN positive IS 'c';
COMMENT ON SCHEMA ddl_security IS 'c';
COMMENT ON ROLE regress_zdm_app IS 'c';
COMMENT ON LARGE OBJECT 0 IS 'c';
$$);

-- what is not there
SELECT sql, rule, message FROM check_each($$
GRANT SELECT ON nope TO PUBLIC;
GRANT SELECT ON t TO nope;
GRANT nope TO regress_zdm_app;
GRANT EXECUTE ON FUNCTION nope(int) TO PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA nope FROM PUBLIC;
REVOKE USAGE ON SCHEMA nope FROM PUBLIC;
CREATE POLICY p ON nope;
ALTER POLICY nope ON t USING (true);
ALTER FUNCTION nope() OWNER TO CURRENT_USER;
ALTER FUNCTION f(int) OWNER TO nope;
REASSIGN OWNED BY nope TO regress_zdm_app;
COMMENT ON TABLE nope IS 'c';
COMMENT ON COLUMN t.nope IS 'c';
COMMENT ON TRIGGER nope ON t IS 'c';
COMMENT ON CONSTRAINT nope ON t IS 'c';
COMMENT ON CONSTRAINT nope ON DOMAIN positive IS 'c';
COMMENT ON FUNCTION nope() IS 'c';
COMMENT ON CAST (text AS nope) IS 'c';
COMMENT ON LARGE OBJECT 99999999999999 IS 'c';
$$);

-- new objects
BEGIN;
CREATE TABLE made_here (id int);
GRANT ALL ON made_here TO regress_zdm_app;
CREATE FUNCTION made_here() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT sql, rule, lock_mode, verdict FROM check_each($$
REVOKE ALL ON made_here FROM regress_zdm_app;
REVOKE EXECUTE ON FUNCTION made_here() FROM PUBLIC;
ALTER FUNCTION made_here() OWNER TO regress_zdm_app;
CREATE POLICY p ON made_here;
$$);
ROLLBACK;
SELECT statement, rule, lock_mode, message FROM zdm_check($$
CREATE FUNCTION scripted() RETURNS int LANGUAGE sql AS 'SELECT 1';
REVOKE ALL ON FUNCTION scripted() FROM PUBLIC;
CREATE TABLE scripted (id int);
CREATE POLICY scripted_policy ON scripted;
ALTER POLICY scripted_policy ON scripted USING (true);
COMMENT ON POLICY scripted_policy ON scripted IS 'c';
CREATE ROLE regress_zdm_scripted;
GRANT SELECT ON scripted TO regress_zdm_scripted;
$$);

-- in a window
SELECT zdm_begin_window('security') > 0 AS opened;
\set VERBOSITY terse
REVOKE INSERT ON t FROM regress_zdm_app;
REVOKE ALL ON t FROM PUBLIC;
REVOKE regress_zdm_group FROM regress_zdm_app;
CREATE POLICY p ON secured AS RESTRICTIVE USING (id > 0);
CREATE POLICY p ON t;
ALTER FUNCTION f(int) OWNER TO regress_zdm_other;
REASSIGN OWNED BY regress_zdm_other TO regress_zdm_app;
COMMENT ON TABLE t IS 'c';
GRANT ALL ON t TO regress_zdm_other;
SELECT zdm_end_window('security');
REVOKE INSERT ON t FROM regress_zdm_app;
SELECT hint FROM zdm_check('REVOKE SELECT ON t FROM regress_zdm_app');

SET client_min_messages = warning;
DROP SCHEMA ddl_security CASCADE;
DROP OWNED BY regress_zdm_app, regress_zdm_group, regress_zdm_other;
DROP ROLE regress_zdm_app, regress_zdm_group, regress_zdm_other;
