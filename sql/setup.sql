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
SELECT extname, extversion FROM pg_extension WHERE extname = 'zdm';
