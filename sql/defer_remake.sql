-- A view or function that a migration drops and makes anew: what the old one
-- had stays for the old version, and goes when the window ends
SET client_min_messages = warning;
CREATE SCHEMA defer_remake;
SET search_path = defer_remake, public;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse

CREATE ROLE regress_remake_owner;
CREATE ROLE regress_remake_reader;
CREATE ROLE regress_remake_other;
CREATE FUNCTION steps() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(E'\n    ', p.phase || ', ' || p.state || ': ' || p.sql)
	FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
	WHERE w.name = 'defer_remake' AND w.state = 'open' AND p.deferred ORDER BY p.statement_id, p.ordinal $$;
-- what hangs on the views and functions of schema remake
CREATE FUNCTION state() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', 'relation', c.oid::regclass, pg_get_userbyid(relowner), reloptions, pg_get_viewdef(c.oid)) FROM pg_class c
		WHERE relnamespace = to_regnamespace('remake') AND relkind = 'v'
	UNION ALL SELECT concat_ws(' ', 'function', p.oid::regprocedure, pg_get_userbyid(proowner), proconfig, prosecdef, prosrc) FROM pg_proc p
		WHERE pronamespace = to_regnamespace('remake') AND proname <> 'fire'
	UNION ALL SELECT concat_ws(' ', 'right', c.oid::regclass, privilege_type, is_grantable, grantee::regrole, grantor::regrole)
		FROM pg_class c, aclexplode(coalesce(relacl, acldefault('r', relowner))) a
		WHERE relnamespace = to_regnamespace('remake') AND relkind = 'v' AND privilege_type <> 'MAINTAIN'
	UNION ALL SELECT concat_ws(' ', 'right', p.oid::regprocedure, privilege_type, is_grantable, grantee::regrole, grantor::regrole)
		FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
		WHERE pronamespace = to_regnamespace('remake') AND proname <> 'fire'
	UNION ALL SELECT concat_ws(' ', 'right', attrelid::regclass, attname, privilege_type, is_grantable, grantee::regrole, grantor::regrole)
		FROM pg_attribute, aclexplode(attacl) a WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace('remake'))
	UNION ALL SELECT concat_ws(' ', 'comment', i.type, i.identity, description)
		FROM pg_description, pg_identify_object(classoid, objoid, objsubid) i WHERE i.identity LIKE '%remake.%'
	UNION ALL SELECT concat_ws(' ', 'default', adrelid::regclass, adnum, pg_get_expr(adbin, adrelid)) FROM pg_attrdef
		WHERE adrelid IN (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace('remake'))
	UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
		AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace('remake'))
	UNION ALL SELECT concat_ws(' ', 'rule', ev_enabled, pg_get_ruledef(oid)) FROM pg_rewrite WHERE rulename <> '_RETURN'
		AND ev_class IN (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace('remake')) $$;

CREATE PROCEDURE make() LANGUAGE plpgsql SET client_min_messages = error AS $$
BEGIN
	DROP SCHEMA IF EXISTS remake CASCADE;
	CREATE SCHEMA remake;
	GRANT USAGE, CREATE ON SCHEMA remake TO regress_remake_owner, regress_remake_reader;
	CREATE TABLE remake.customer (id int PRIMARY KEY, email text);
	GRANT ALL ON remake.customer TO regress_remake_owner;
	CREATE FUNCTION remake.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
	CREATE VIEW remake.active WITH (security_barrier) AS SELECT id, email FROM remake.customer;
	ALTER VIEW remake.active ALTER email SET DEFAULT 'none', ALTER id SET DEFAULT 0;
	CREATE VIEW remake."a second" AS SELECT 1 AS one;
	COMMENT ON VIEW remake.active IS 'the old one';
	COMMENT ON COLUMN remake.active.email IS 'old column';
	COMMENT ON COLUMN remake.active.id IS 'old key';
	CREATE TRIGGER trig INSTEAD OF INSERT ON remake.active FOR EACH ROW EXECUTE FUNCTION remake.fire();
	CREATE TRIGGER again INSTEAD OF DELETE ON remake.active FOR EACH ROW EXECUTE FUNCTION remake.fire();
	CREATE RULE quiet AS ON UPDATE TO remake.active DO INSTEAD NOTHING;
	ALTER VIEW remake.active OWNER TO regress_remake_owner;
	SET LOCAL ROLE regress_remake_owner;
	GRANT SELECT, INSERT ON remake.active TO regress_remake_reader WITH GRANT OPTION;
	GRANT UPDATE (email), REFERENCES (id) ON remake.active TO regress_remake_other;
	GRANT SELECT ON remake.active TO PUBLIC;
	SET LOCAL ROLE regress_remake_reader;
	GRANT SELECT ON remake.active TO regress_remake_other;
	RESET ROLE;
	CREATE FUNCTION remake.f(a int) RETURNS int LANGUAGE sql SECURITY DEFINER SET work_mem = '1MB' AS 'SELECT 1';
	COMMENT ON FUNCTION remake.f(int) IS 'the old one';
	GRANT EXECUTE ON FUNCTION remake.f(int) TO regress_remake_reader;
	REVOKE EXECUTE ON FUNCTION remake.f(int) FROM PUBLIC;
	CREATE PROCEDURE remake.p() LANGUAGE sql AS 'SELECT 1';
	COMMENT ON PROCEDURE remake.p() IS 'the old one';
	ALTER PROCEDURE remake.p() OWNER TO regress_remake_owner;
	CREATE TRIGGER on_table BEFORE INSERT ON remake.customer FOR EACH ROW EXECUTE FUNCTION remake.fire();
	COMMENT ON TRIGGER on_table ON remake.customer IS 'the old one';
	CREATE RULE on_table AS ON DELETE TO remake.customer DO ALSO SELECT 1;
	COMMENT ON RULE on_table ON remake.customer IS 'the old one';
	ALTER TABLE remake.customer DISABLE RULE on_table;
END $$;
CREATE TABLE migration (n int GENERATED ALWAYS AS IDENTITY, sql text);
INSERT INTO migration (sql) VALUES
	('DROP VIEW remake."a second", remake.active'),
	('CREATE VIEW remake.active AS SELECT id, email FROM remake.customer WHERE id > 0'),
	('DROP FUNCTION remake.f(int)'),
	('CREATE FUNCTION remake.f(a int) RETURNS int LANGUAGE sql AS ''SELECT 2'''),
	('DROP PROCEDURE remake.p()'),
	('CREATE PROCEDURE remake.p() LANGUAGE sql AS ''SELECT 2'''),
	('DROP TRIGGER on_table ON remake.customer'),
	('CREATE TRIGGER on_table AFTER INSERT ON remake.customer FOR EACH ROW EXECUTE FUNCTION remake.fire()'),
	('DROP RULE on_table ON remake.customer'),
	('CREATE RULE on_table AS ON DELETE TO remake.customer DO ALSO SELECT 2');
-- what a migration may give to the new ones
CREATE TABLE given (n int GENERATED ALWAYS AS IDENTITY, sql text);
INSERT INTO given (sql) VALUES
	('GRANT SELECT ON remake.active TO regress_remake_reader'),
	('COMMENT ON VIEW remake.active IS ''the new one'''),
	('COMMENT ON COLUMN remake.active.email IS ''new column'''),
	('ALTER VIEW remake.active ALTER email SET DEFAULT ''any'''),
	('CREATE TRIGGER again INSTEAD OF DELETE ON remake.active FOR EACH ROW EXECUTE FUNCTION remake.fire()'),
	('COMMENT ON FUNCTION remake.f IS ''the new one'''),
	('GRANT EXECUTE ON FUNCTION remake.f(int) TO regress_remake_other'),
	('COMMENT ON TRIGGER on_table ON remake.customer IS ''the new one'''),
	('COMMENT ON RULE on_table ON remake.customer IS ''the new one''');

CALL make();
CREATE TABLE state_before AS SELECT state() AS s;
SELECT sql FROM migration ORDER BY n \gexec
CREATE TABLE state_plain AS SELECT state() AS s;
SELECT sql FROM given ORDER BY n \gexec
CREATE TABLE state_given AS SELECT state() AS s;

-- given up
CALL make();
SELECT zdm_begin_window('defer_remake', 'defer') IS NOT NULL AS open;
SET client_min_messages = error;
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
COMMIT;
SET client_min_messages = warning;
SELECT steps();
-- the old version has its rights, and what the view is used by
SELECT has_table_privilege('regress_remake_reader', 'remake.active', 'INSERT'), count(*) FROM pg_trigger WHERE tgrelid = 'remake.active'::regclass;
SELECT zdm_abort_window('defer_remake') IS NOT NULL AS aborted;
CALL zdm_run('defer_remake');
CALL zdm_wait('defer_remake');
SELECT s FROM state_before EXCEPT ALL SELECT state();
SELECT state() EXCEPT ALL SELECT s FROM state_before;

-- carried out
CALL make();
SELECT zdm_begin_window('defer_remake', 'defer') IS NOT NULL AS open;
SET client_min_messages = error;
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
COMMIT;
-- once more changes nothing
BEGIN;
DROP VIEW remake.active;
SELECT sql FROM migration WHERE n > 1 ORDER BY n \gexec
COMMIT;
SELECT zdm_end_window('defer_remake');
CALL zdm_run('defer_remake');
CALL zdm_wait('defer_remake');
SELECT s FROM state_plain EXCEPT ALL SELECT state();
SELECT state() EXCEPT ALL SELECT s FROM state_plain;

-- what the new ones are given stays
CALL make();
SELECT zdm_begin_window('defer_remake', 'defer') IS NOT NULL AS open;
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
SELECT sql FROM given ORDER BY n \gexec
COMMIT;
SELECT zdm_end_window('defer_remake');
CALL zdm_run('defer_remake');
CALL zdm_wait('defer_remake');
SELECT s FROM state_given EXCEPT ALL SELECT state();
SELECT state() EXCEPT ALL SELECT s FROM state_given;

-- rights by default
ALTER DEFAULT PRIVILEGES IN SCHEMA remake GRANT SELECT ON TABLES TO regress_remake_reader;
DROP VIEW remake.active;
CREATE VIEW remake.active AS SELECT id FROM remake.customer;
GRANT INSERT ON remake.active TO regress_remake_reader, regress_remake_other;
ALTER DEFAULT PRIVILEGES IN SCHEMA remake GRANT UPDATE ON TABLES TO regress_remake_other;
SELECT zdm_begin_window('defer_remake', 'defer') IS NOT NULL AS open;
DROP VIEW remake.active;
SET client_min_messages = notice;
\set VERBOSITY default
CREATE VIEW remake.active AS SELECT id FROM remake.customer WHERE id > 1;
\set VERBOSITY terse
SET client_min_messages = error;
SELECT zdm_end_window('defer_remake');
CALL zdm_run('defer_remake');
CALL zdm_wait('defer_remake');
SELECT privilege_type, grantee::regrole FROM pg_class c, aclexplode(relacl)
WHERE c.oid = 'remake.active'::regclass AND grantee::regrole::text LIKE 'regress_remake%';
ALTER DEFAULT PRIVILEGES IN SCHEMA remake REVOKE ALL ON TABLES FROM regress_remake_reader, regress_remake_other;
DROP SCHEMA remake, defer_remake CASCADE;
DROP ROLE regress_remake_owner, regress_remake_reader, regress_remake_other;
