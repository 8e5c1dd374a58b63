-- What a migration takes away and gives anew in a window that defers: rights,
-- policies, triggers and rules
SET client_min_messages = error;
CREATE SCHEMA defer_rights;
SET search_path = defer_rights, public;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse

CREATE ROLE regress_rights_app;
CREATE ROLE regress_rights_group;
CREATE TABLE t (a int, b int);
CREATE TABLE log (a int);
GRANT ALL ON t TO regress_rights_app;
GRANT regress_rights_group TO regress_rights_app;
GRANT USAGE ON SCHEMA defer_rights TO regress_rights_app;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (true);
CREATE FUNCTION old_one() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE FUNCTION new_one() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER "Tr" BEFORE INSERT ON t FOR EACH ROW WHEN (new.a > 0) EXECUTE FUNCTION old_one();
CREATE CONSTRAINT TRIGGER checks AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION old_one();
CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (1);
CREATE FUNCTION catalog() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 't'::regclass
	UNION ALL SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = 't'::regclass
	UNION ALL SELECT concat_ws(' ', polname, pg_get_expr(polqual, polrelid)) FROM pg_policy
	UNION ALL SELECT concat_ws(' ', p, has_table_privilege('regress_rights_app', 't', p))
		FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p
	UNION ALL SELECT 'insert a ' || has_column_privilege('regress_rights_app', 't', 'a', 'INSERT')
	UNION ALL SELECT 'group ' || pg_has_role('regress_rights_app', 'regress_rights_group', 'member') $$;

CREATE TABLE migration (n int GENERATED ALWAYS AS IDENTITY, sql text);
INSERT INTO migration (sql) VALUES
	('REVOKE ALL ON t FROM regress_rights_app'),
	('GRANT SELECT ON t TO regress_rights_app'),
	('GRANT INSERT (a) ON defer_rights.t TO regress_rights_app'),
	('GRANT SELECT ON log TO regress_rights_app'),
	('REVOKE regress_rights_group FROM regress_rights_app'),
	('GRANT regress_rights_group TO regress_rights_app'),
	('DROP POLICY IF EXISTS p ON t'),
	('CREATE POLICY p ON t USING (a > 0)'),
	('DROP TRIGGER IF EXISTS "Tr" ON t'),
	('CREATE TRIGGER "Tr" BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION new_one()'),
	('DROP TRIGGER checks ON t'),
	('CREATE CONSTRAINT TRIGGER checks AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION new_one()'),
	('DROP RULE r ON t'),
	('CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (2)');

-- given up
CREATE TABLE before AS SELECT catalog() AS c;
SELECT zdm_begin_window('defer_rights', 'defer') IS NOT NULL AS open;
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
COMMIT;
SELECT concat_ws(E'\n    ', p.phase || ', ' || p.state || ': ' || p.sql, 'undo: ' || p.undo_sql)
FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id
WHERE w.name = 'defer_rights' AND p.deferred AND p.state <> 'cancelled' ORDER BY p.statement_id, p.ordinal;
-- the old version has what it had, the new one what it is given
SELECT catalog() ORDER BY 1;
SELECT zdm_abort_window('defer_rights') > 0 AS aborted;
CALL zdm_run('defer_rights');
CALL zdm_wait('defer_rights');
SELECT c FROM before EXCEPT ALL SELECT catalog();
SELECT catalog() EXCEPT ALL SELECT c FROM before;

-- carried out
SELECT zdm_begin_window('defer_rights', 'defer') IS NOT NULL AS open;
BEGIN;
SELECT sql FROM migration ORDER BY n \gexec
COMMIT;
SELECT zdm_end_window('defer_rights');
CALL zdm_run('defer_rights');
CALL zdm_wait('defer_rights');
SELECT catalog() ORDER BY 1;

-- not by a stranger
SELECT zdm_begin_window('defer_rights', 'defer') IS NOT NULL AS open;
DROP POLICY p ON t;
SET ROLE regress_rights_app;
CREATE POLICY p ON t USING (true);
RESET ROLE;
SELECT p.sql FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id WHERE w.name = 'defer_rights' AND w.state = 'open' AND p.state = 'queued';
SELECT zdm_end_window('defer_rights');
CALL zdm_run('defer_rights');
CALL zdm_wait('defer_rights');

-- ALL ... IN SCHEMA is what is there when it is sent, wherever it is by then
CREATE SCHEMA "Defer rights";
SET search_path = "Defer rights", public;
CREATE TABLE stays (a int);
CREATE TABLE "goes Away" (a int);
CREATE TABLE moves (a int);
CREATE TABLE moved (a int);
CREATE TABLE renamed (a int);
CREATE TABLE defer_rights.moved_in (a int);
GRANT SELECT ON defer_rights.moved_in TO regress_rights_app;
CREATE FUNCTION f(a int, b text DEFAULT '') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE p() LANGUAGE sql AS '';
CREATE SCHEMA rights_gone;
CREATE TABLE gone (a serial);
CREATE FUNCTION f_gone() RETURNS int LANGUAGE sql AS 'SELECT 1';
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA "Defer rights" TO regress_rights_app, CURRENT_USER WITH GRANT OPTION;
SELECT zdm_begin_window('defer_rights', 'defer') IS NOT NULL AS open;
BEGIN;
DROP TABLE gone;
DROP FUNCTION f_gone;
ALTER TABLE moved SET SCHEMA defer_rights;
ALTER TABLE renamed RENAME TO new_name;
ALTER TABLE defer_rights.moved_in SET SCHEMA "Defer rights";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA "Defer rights" FROM regress_rights_app;
\set ON_ERROR_ROLLBACK on
REVOKE SELECT ON gone FROM regress_rights_app;
GRANT USAGE ON SEQUENCE gone_a_seq TO regress_rights_app;
DROP SCHEMA rights_gone;
REVOKE USAGE ON SCHEMA rights_gone FROM regress_rights_app;
REVOKE ALL ON ALL TABLES IN SCHEMA rights_gone FROM regress_rights_app;
\set ON_ERROR_ROLLBACK off
REVOKE GRANT OPTION FOR INSERT ON ALL TABLES IN SCHEMA "Defer rights" FROM regress_rights_app CASCADE;
REVOKE SELECT ON ALL TABLES IN SCHEMA "Defer rights" FROM regress_rights_app CASCADE;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA "Defer rights" FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA "Defer rights" FROM PUBLIC;
CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP TABLE "goes Away";
ALTER TABLE moves SET SCHEMA defer_rights;
COMMIT;
SELECT p.sql FROM zdm.step p JOIN zdm.window w ON w.id = p.window_id WHERE w.name = 'defer_rights' AND w.state = 'open' AND p.sql ~ 'REVOKE' ORDER BY p.id;
SELECT zdm_end_window('defer_rights') > 0 AS ended;
CALL zdm_run('defer_rights');
CALL zdm_wait('defer_rights');
SELECT n.nspname, c.relname, string_agg(privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, ' ' ORDER BY 1)
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace, aclexplode(relacl)
 WHERE grantee = 'regress_rights_app'::regrole AND relname IN ('stays', 'moves', 'moved', 'moved_in', 'new_name') GROUP BY 1, 2 ORDER BY 2;
SELECT proname, has_function_privilege('regress_rights_app', oid, 'EXECUTE') FROM pg_proc WHERE pronamespace = '"Defer rights"'::regnamespace ORDER BY 1;
DROP SCHEMA "Defer rights" CASCADE;
DROP SCHEMA defer_rights CASCADE;
DROP ROLE regress_rights_app;
DROP ROLE regress_rights_group;
