-- Constraints of a table that exists: what adding, validating and dropping
-- them costs, and whom it hurts.
CREATE SCHEMA ddl_constraint;
SET search_path = ddl_constraint, fixture, public;
\pset format unaligned

SET zdm.mode = off;
CREATE TABLE u (id int PRIMARY KEY, code text UNIQUE, small smallint UNIQUE);
INSERT INTO u SELECT g, 'c' || g, g FROM generate_series(1, 10) g;
CREATE TABLE t (id int, a int, b int NOT NULL, proven int, implied int, almost int, unproven int,
	d int NOT NULL DEFAULT 1, big bigint, r int4range, uid int,
	CONSTRAINT proves CHECK (proven IS NOT NULL),
	CONSTRAINT implies CHECK (implied > 0 AND implied IS NOT NULL),
	CONSTRAINT does_not CHECK (almost > 0));
INSERT INTO t SELECT g, g, g, g, g, g, g, g, g, int4range(g, g + 1), g FROM generate_series(1, 10) g;
ALTER TABLE t ADD CONSTRAINT not_yet CHECK (unproven IS NOT NULL) NOT VALID;
ALTER TABLE t ADD CONSTRAINT fk_not_yet FOREIGN KEY (a) REFERENCES u NOT VALID;
ALTER TABLE t ADD CONSTRAINT uid_key UNIQUE (uid);
CREATE UNIQUE INDEX t_b_idx ON t (b);
CREATE UNIQUE INDEX t_proven_idx ON t (proven);
CREATE UNIQUE INDEX t_a_idx ON t (a);
CREATE TABLE ref (id int PRIMARY KEY, uid int REFERENCES u, tid int REFERENCES t (uid));
INSERT INTO ref VALUES (1, 1, 1);
CREATE TABLE empty_table (id int, a int);
CREATE TABLE "Mixed Case" ("The Column" int, "The Other" int);
INSERT INTO "Mixed Case" VALUES (1, 1);
CREATE TABLE parted (id int NOT NULL, k int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted VALUES (1, 1), (11, 1);
CREATE TABLE parent (id int, x int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1, 1);
ALTER TABLE child ADD CONSTRAINT child_only CHECK (x IS NOT NULL);
RESET zdm.mode;

-- SET NOT NULL reads the table unless a valid CHECK proves it
SELECT sql, rule, lock_mode, scans, verdict FROM check_each($$
ALTER TABLE t ALTER COLUMN a SET NOT NULL
ALTER TABLE t ALTER COLUMN b SET NOT NULL
ALTER TABLE t ALTER COLUMN proven SET NOT NULL
ALTER TABLE t ALTER COLUMN implied SET NOT NULL
ALTER TABLE t ALTER COLUMN almost SET NOT NULL
ALTER TABLE t ALTER COLUMN unproven SET NOT NULL
ALTER TABLE t ALTER COLUMN proven SET NOT NULL, DROP CONSTRAINT proves
ALTER TABLE t DROP CONSTRAINT proves, ALTER COLUMN proven SET NOT NULL
ALTER TABLE t ALTER COLUMN proven SET NOT NULL, ALTER COLUMN a SET NOT NULL
ALTER TABLE parted ALTER COLUMN k SET NOT NULL
ALTER TABLE parent ALTER COLUMN x SET NOT NULL
ALTER TABLE ONLY parent ALTER COLUMN x SET NOT NULL
ALTER TABLE child ALTER COLUMN x SET NOT NULL
ALTER TABLE "Mixed Case" ALTER COLUMN "The Column" SET NOT NULL
ALTER TABLE empty_table ALTER COLUMN a SET NOT NULL
ALTER TABLE t ALTER COLUMN nope SET NOT NULL
$$) WHERE rule IS NULL OR rule NOT IN ('constraint_rejects_old_writers', 'drop_constraint');

-- CHECK
SELECT sql, rule, lock_mode, scans, verdict, message FROM check_each($$
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)
ALTER TABLE t ADD CHECK (a > 0)
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID
ALTER TABLE t ADD CONSTRAINT k CHECK (t IS NOT NULL) NOT VALID
ALTER TABLE t ADD CONSTRAINT k CHECK (nope > 0) NOT VALID
ALTER TABLE parted ADD CONSTRAINT k CHECK (k > 0)
ALTER TABLE empty_table ADD CONSTRAINT k CHECK (a > 0)
$$) WHERE class = 'lock' OR rule IS NULL OR sql LIKE '%NOT VALID';

-- UNIQUE, PRIMARY KEY, EXCLUDE
SELECT sql, rule, lock_mode, scans, verdict, message FROM check_each($$
ALTER TABLE t ADD UNIQUE (a)
ALTER TABLE t ADD CONSTRAINT k UNIQUE (a, b)
ALTER TABLE t ADD PRIMARY KEY (id)
ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX t_a_idx
ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX t_b_idx
ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX t_proven_idx
ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY USING INDEX t_a_idx
ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING gist (r WITH &&)
ALTER TABLE parted ADD UNIQUE (id)
ALTER TABLE ONLY parted ADD UNIQUE (id)
ALTER TABLE empty_table ADD PRIMARY KEY (id)
ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX nope
ALTER TABLE t ADD UNIQUE (nope)
$$) WHERE class = 'lock' OR rule IS NULL OR class IS NULL;

-- FOREIGN KEY
SELECT sql, rule, lock_mode, scans, verdict, message FROM check_each($$
ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES u
ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES u NOT VALID
ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u
ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (big) REFERENCES u NOT VALID
ALTER TABLE u ADD CONSTRAINT k FOREIGN KEY (small) REFERENCES t (uid) NOT VALID
ALTER TABLE parted ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES u
ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES nope
ALTER TABLE empty_table ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u
CREATE TABLE fresh (id int, uid int REFERENCES u)
CREATE TABLE fresh (id int PRIMARY KEY, self int REFERENCES fresh)
$$) WHERE class = 'lock' OR class IS NULL;

-- several referenced tables in one transaction
SELECT statement, rule, object FROM zdm_check($$
BEGIN;
CREATE TABLE fresh (id int, uid int REFERENCES u, tid int REFERENCES t (uid));
COMMIT;
BEGIN;
CREATE TABLE fresh2 (id int, uid int REFERENCES u);
CREATE TABLE fresh3 (id int, uid int REFERENCES u);
CREATE TABLE fresh4 (id int, uid int REFERENCES ref);
COMMIT;
$$) WHERE rule = 'multiple_foreign_keys';

-- VALIDATE blocks nobody, unless the transaction does already
SELECT sql, rule, lock_mode, scans, verdict FROM check_each($$
ALTER TABLE t VALIDATE CONSTRAINT not_yet
ALTER TABLE t VALIDATE CONSTRAINT fk_not_yet
ALTER TABLE t VALIDATE CONSTRAINT proves
ALTER TABLE t VALIDATE CONSTRAINT nope
ALTER TABLE t VALIDATE CONSTRAINT not_yet, ADD COLUMN z int
BEGIN; ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k
BEGIN; ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID; COMMIT; BEGIN; ALTER TABLE t VALIDATE CONSTRAINT k
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k; ALTER TABLE t ALTER COLUMN a SET NOT NULL
$$) WHERE rule IS DISTINCT FROM 'constraint_rejects_old_writers';

-- a script that proves NOT NULL first
SELECT statement, rule, scans, verdict FROM zdm_check($$
ALTER TABLE t ADD CONSTRAINT k CHECK (a IS NOT NULL) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT k;
ALTER TABLE t ALTER COLUMN a SET NOT NULL;
ALTER TABLE t DROP CONSTRAINT k;
$$) WHERE rule IS DISTINCT FROM 'constraint_rejects_old_writers';

-- DROP and ALTER CONSTRAINT
SELECT sql, rule, lock_mode, verdict, message FROM check_each($$
ALTER TABLE t DROP CONSTRAINT proves
ALTER TABLE t DROP CONSTRAINT fk_not_yet
ALTER TABLE t DROP CONSTRAINT uid_key CASCADE
ALTER TABLE t DROP CONSTRAINT nope
ALTER TABLE t DROP CONSTRAINT IF EXISTS nope
ALTER TABLE IF EXISTS nope DROP CONSTRAINT nope
ALTER TABLE t ALTER CONSTRAINT fk_not_yet DEFERRABLE
ALTER TABLE t ALTER CONSTRAINT nope DEFERRABLE
$$);

-- the safe form, where the statement is refused
SELECT sql, hint FROM check_each($$
BEGIN; ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0 AND b IN (1, 2))
BEGIN; ALTER TABLE t ADD CHECK (a > 0)
BEGIN; ALTER TABLE t ADD UNIQUE (a)
BEGIN; ALTER TABLE t ADD CONSTRAINT "My Key" UNIQUE (a, b) INCLUDE (d) DEFERRABLE INITIALLY DEFERRED
BEGIN; ALTER TABLE t ADD PRIMARY KEY (b)
BEGIN; ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES u (id) ON DELETE CASCADE DEFERRABLE
BEGIN; ALTER TABLE "Mixed Case" ADD FOREIGN KEY ("The Column") REFERENCES u
BEGIN; ALTER TABLE ref ADD FOREIGN KEY (tid, uid) REFERENCES t (uid, b) MATCH FULL ON UPDATE SET NULL
BEGIN; ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING gist (r WITH &&)
BEGIN; ALTER TABLE t ADD COLUMN z int CONSTRAINT named UNIQUE
BEGIN; ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT k
$$) WHERE class = 'lock' AND verdict = 'refuse' AND rule <> 'foreign_key_without_index';
SELECT hint FROM zdm_check('ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES u NOT VALID')
WHERE rule = 'foreign_key_without_index';
SELECT hint = CASE WHEN current_setting('server_version_num')::int >= 180000
	THEN 'ALTER TABLE ddl_constraint."Mixed Case" ADD CONSTRAINT "Mixed Case_The Column_not_null" NOT NULL "The Column" NOT VALID; ALTER TABLE ddl_constraint."Mixed Case" VALIDATE CONSTRAINT "Mixed Case_The Column_not_null";'
	ELSE 'ALTER TABLE ddl_constraint."Mixed Case" ADD CONSTRAINT "Mixed Case_The Column_not_null" CHECK ("The Column" IS NOT NULL) NOT VALID; ALTER TABLE ddl_constraint."Mixed Case" VALIDATE CONSTRAINT "Mixed Case_The Column_not_null"; ALTER TABLE ddl_constraint."Mixed Case" ALTER COLUMN "The Column" SET NOT NULL; ALTER TABLE ddl_constraint."Mixed Case" DROP CONSTRAINT "Mixed Case_The Column_not_null";'
	END AS hint_is_right
FROM zdm_check('ALTER TABLE "Mixed Case" ALTER COLUMN "The Column" SET NOT NULL') WHERE rule = 'set_not_null';

-- the hook: in steps at top level, refused in a block
BEGIN;
\set VERBOSITY default
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);
ROLLBACK;
\set VERBOSITY sqlstate
BEGIN;
ALTER TABLE t ADD UNIQUE (a);
ROLLBACK;
BEGIN;
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT k;
ROLLBACK;
\set VERBOSITY terse
ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT k;
ALTER TABLE t ALTER COLUMN proven SET NOT NULL;
ALTER TABLE t ADD CONSTRAINT pk PRIMARY KEY USING INDEX t_proven_idx;
ALTER TABLE t VALIDATE CONSTRAINT fk_not_yet;
ALTER TABLE empty_table ADD PRIMARY KEY (id);

ALTER TABLE t ADD COLUMN zero int DEFAULT 0;
ALTER TABLE t ADD CONSTRAINT divides CHECK (10 / zero > 0) NOT VALID;

-- in a window: what can reject an INSERT of the old version is refused
SELECT zdm_begin_window('constraints') > 0 AS open;
ALTER TABLE t ADD CONSTRAINT k2 CHECK (b > 0) NOT VALID;
ALTER TABLE ref ALTER COLUMN id DROP NOT NULL;
-- NULL is rejected already
ALTER TABLE t ALTER COLUMN implied SET NOT NULL;
ALTER TABLE t DROP CONSTRAINT uid_key CASCADE;
ALTER TABLE t ADD COLUMN n int, ADD COLUMN c int NOT NULL DEFAULT 0, ADD COLUMN v float;
-- columns born in it: NULL passes, the constant need not
ALTER TABLE t ADD CONSTRAINT n_positive CHECK (n > 0) NOT VALID;
ALTER TABLE t ADD CONSTRAINT n_there CHECK (n IS NOT NULL) NOT VALID;
ALTER TABLE t ADD CONSTRAINT c_positive CHECK (c > 0) NOT VALID;
ALTER TABLE t ADD CONSTRAINT c_fine CHECK (c >= 0) NOT VALID;
-- what cannot be evaluated may be rejected
ALTER TABLE t ADD CONSTRAINT c_divides CHECK (10 / c > 0) NOT VALID;
ALTER TABLE t ADD CONSTRAINT n_mixed CHECK (n < b) NOT VALID;
ALTER TABLE t ADD CONSTRAINT n_fkey FOREIGN KEY (n) REFERENCES u NOT VALID;
ALTER TABLE t ADD CONSTRAINT c_fkey FOREIGN KEY (c) REFERENCES u NOT VALID;
ALTER TABLE t DROP CONSTRAINT n_fkey;
CREATE TABLE born (id int PRIMARY KEY, a int);
ALTER TABLE born ADD CONSTRAINT k CHECK (a > 0), ALTER COLUMN a SET NOT NULL;
SELECT verdict, rule FROM zdm_check('ALTER TABLE t ADD UNIQUE (n)') ORDER BY rule;
SELECT verdict, rule FROM zdm_check('ALTER TABLE t ADD UNIQUE (c)') ORDER BY rule;
SELECT verdict, rule FROM zdm_check('ALTER TABLE t ADD UNIQUE (b, n)') ORDER BY rule;
SELECT zdm_end_window('constraints', force => true) >= 0 AS ended;

SET client_min_messages = warning;
DROP SCHEMA ddl_constraint CASCADE;
