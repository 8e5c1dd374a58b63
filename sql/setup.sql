-- The database that the other files use: every table that is not empty
-- counts as large, and messages are the same on every server version.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS zdm;
DO $$
BEGIN
	EXECUTE format('ALTER DATABASE %I SET zdm.small_table = 0', current_database());
	EXECUTE format('ALTER DATABASE %I SET zdm.lock_wait_max = ''2s''', current_database());
END
$$;

CREATE SCHEMA fixture;
-- each line checked by itself, as the first statement of a session
CREATE FUNCTION fixture.check_each(lines text)
RETURNS TABLE (sql text, object text, rule text, class text, lock_mode text,
	rewrites boolean, scans boolean, verdict text, message text, hint text)
LANGUAGE sql AS $$
	SELECT line, c.object, c.rule, c.class, c.lock_mode, c.rewrites, c.scans,
		c.verdict, c.message, c.hint
	FROM regexp_split_to_table(btrim(lines, E'\n'), E'\n') WITH ORDINALITY AS l (line, n),
		zdm_check(line) WITH ORDINALITY AS c (statement, line_number, command, object, rule,
			class, lock_mode, rewrites, scans, verdict, message, hint, m)
	ORDER BY l.n, c.m $$;

SELECT extname, extversion FROM pg_extension WHERE extname = 'zdm';
