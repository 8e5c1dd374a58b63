-- a statement of many hazards is planned once, not once for each of them
SET client_min_messages = warning;
CREATE SCHEMA plan_limits;
SET search_path = plan_limits, public;
SET zdm.small_table = 0;
CREATE TABLE many (a int);
INSERT INTO many VALUES (1000);
SET statement_timeout = '30s';
SELECT verdict, count(*), max(length(hint)) < 4000 AS brief
FROM zdm_check((SELECT 'ALTER TABLE many ' || string_agg(format('ADD CHECK (a > %s)', n), ', ')
                FROM generate_series(1, 400) AS n))
WHERE class = 'lock'
GROUP BY verdict;
RESET statement_timeout;
-- and all of it is carried out
SELECT 'ALTER TABLE many ' || string_agg(format('ADD CHECK (a > %s)', n), ', ') AS sql
FROM generate_series(1, 40) AS n \gset
:sql;
SELECT count(*), bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'many'::regclass AND contype = 'c';
DROP SCHEMA plan_limits CASCADE;
