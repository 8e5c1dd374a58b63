-- Hints quote the user's own text: comments, quoted names, dollar quotes and
-- operators in it must not be mistaken for syntax.
CREATE SCHEMA advice_text;
SET search_path = advice_text, public;
\pset format unaligned
\pset tuples_only on

CREATE TABLE t (id int PRIMARY KEY, a int, b text);
CREATE TABLE view (a int, b text);
CREATE TABLE if (a int, b text);
CREATE TABLE "T, ADD (" ("a, b" int, "index" int);
CREATE DOMAIN d AS text;
CREATE TABLE domain_user (d d);
INSERT INTO domain_user VALUES ('d');
INSERT INTO t VALUES (1, 1, 'b');
INSERT INTO view VALUES (1, 'b');
INSERT INTO if VALUES (1, 'b');
INSERT INTO "T, ADD (" VALUES (1, 1);

-- one command of several
SELECT rule, hint FROM zdm_check($q$
ALTER TABLE t
	ADD COLUMN x int DEFAULT 1, -- a comment, with a comma
	ADD CONSTRAINT c1 CHECK (b <> 'it''s, (a) quote' AND b <> $$dollar, $$), /* another, */
	ADD CONSTRAINT named CHECK (a IN (1, 2, 3) AND ARRAY[a, 1] <> ARRAY[2, 3]) -- the end
$q$) WHERE rule = 'add_check_constraint';
SELECT rule, hint FROM zdm_check('ALTER TABLE view ADD CONSTRAINT c2 CHECK (a > 0), ADD CONSTRAINT c3 CHECK (a > 1)') WHERE rule = 'add_check_constraint';
SELECT rule, hint FROM zdm_check('ALTER TABLE if ADD CONSTRAINT c4 CHECK (a > 0), ADD CONSTRAINT c5 CHECK (a > 1)') WHERE rule = 'add_check_constraint';
SELECT rule, hint FROM zdm_check('ALTER TABLE IF EXISTS if ADD CONSTRAINT c6 CHECK (a > 0), ADD CONSTRAINT c7 CHECK (a > 1)') WHERE rule = 'add_check_constraint';
SELECT rule, hint FROM zdm_check('ALTER/**/TABLE/*x*/IF EXISTS ONLY(advice_text./*.*/t)ADD CONSTRAINT c8 CHECK(a>0),ADD CONSTRAINT c9 CHECK(a>1);') WHERE rule = 'add_check_constraint';
SELECT rule, hint FROM zdm_check('ALTER TABLE t * ADD CONSTRAINT c10 CHECK (a > 0), ADD CONSTRAINT c11 CHECK (a > 1)') WHERE rule = 'add_check_constraint';
SELECT rule, hint FROM zdm_check('ALTER TABLE "T, ADD (" ADD CONSTRAINT c12 CHECK ("a, b" > 0), ADD CONSTRAINT c13 CHECK ("index" > 1)') WHERE rule = 'add_check_constraint';
SELECT rule, hint FROM zdm_check(E'ALTER TABLE t ADD CONSTRAINT c14 CHECK (b <> E''\\'', '' AND a > 0), ADD CONSTRAINT c15 CHECK (b <> U&''\\002C'')') WHERE rule = 'add_check_constraint';

-- a word put in
SELECT rule, hint FROM zdm_check('CREATE INDEX ON t (a)');
SELECT rule, hint FROM zdm_check('create /* index */ unique index "index" on t (a) where b <> ''index'' -- index') WHERE rule = 'create_index';
SELECT rule, hint FROM zdm_check('CREATE INDEX IF NOT EXISTS "on" ON "T, ADD (" ("index")');
SELECT rule, hint FROM zdm_check('CREATE INDEX i ON t (lower(b), (a + 1)) INCLUDE (id) WHERE b LIKE $$%index%$$') WHERE rule = 'create_index';

SELECT rule, hint FROM zdm_check('alter domain d add check (value <> $$;$$); -- ; trailing comment') WHERE rule = 'domain_constraint';

-- names that need quotes, of 63 bytes, and of two bytes a letter
CREATE TABLE "ß name of sixty-three bytes, which is all that there is room f" ("ä ö" int);
INSERT INTO "ß name of sixty-three bytes, which is all that there is room f" VALUES (1);
SELECT rule, replace(split_part(hint, ';', 1), 'CHECK ("ä ö" IS NOT NULL)', 'NOT NULL "ä ö"') FROM zdm_check('ALTER TABLE "ß name of sixty-three bytes, which is all that there is room f" ALTER "ä ö" SET NOT NULL') WHERE rule = 'set_not_null'; -- from 18 on as a constraint
SELECT rule, hint FROM zdm_check('CREATE INDEX ON "ß name of sixty-three bytes, which is all that there is room f" ("ä ö")');

SET client_min_messages = warning;
DROP SCHEMA advice_text CASCADE;
