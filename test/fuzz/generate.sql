-- Functions that make random statements out of corpus.sql.  All randomness is
-- random() after setseed(), so a round is repeated by its seed.

CREATE SCHEMA fuzz;

CREATE TABLE fuzz.corpus (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	sql text NOT NULL,
	tokens text[]
);

-- Words, quoted things, operators; whatever else is a token of one character.
CREATE FUNCTION fuzz.tokens_of(sql text) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $f$
	SELECT array_agg(m[1]) FROM regexp_matches(sql,
		$$((?:[eE]|[uU]&)?'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$[^$]*\$\$|[[:alpha:]_][[:alnum:]_]*|[0-9.]+|[-+*/<>=~!@#%^&|`?:]+|[^[:space:]])$$,
		'g') m;
$f$;

CREATE FUNCTION fuzz.below(n integer) RETURNS integer
LANGUAGE sql VOLATILE AS 'SELECT floor(random() * n)::integer';

-- Every token of the corpus once, and what is hard on a parser or a catalog.
CREATE TABLE fuzz.pool (id integer PRIMARY KEY, token text NOT NULL);

CREATE FUNCTION fuzz.prepare() RETURNS void
LANGUAGE plpgsql AS $f$
BEGIN
	UPDATE fuzz.corpus SET tokens = fuzz.tokens_of(sql);
	INSERT INTO fuzz.pool
		SELECT row_number() OVER (ORDER BY token COLLATE "C") - 1, token
		FROM (SELECT DISTINCT unnest(tokens) AS token FROM fuzz.corpus) AS t;
END
$f$;

CREATE FUNCTION fuzz.oddity() RETURNS text
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	odd text[] := ARRAY['"a b"', '"Odd ""name"', '""', '"', '''', '''''', '$$', '$x$', '/*', '*/', '--',
		E'\n', E'\t', chr(1), chr(27), chr(127), chr(160), chr(8238), chr(65279), chr(120171),
		'été', '"Ünïcödé"', 'U&"\0441"', 'U&''\d800''', 'E''\x00''', '\', '\.', '$1', '$999999999',
		'0', '-1', '1', '2147483648', '99999999999999999999', '1e400', '.5', 'NULL', 'DEFAULT', 'ALL', '*',
		'(', ')', '[', ']', ',', ';', '.', '::', ':=', '%', '%s%n', '%TYPE', 'ctid', 'tableoid', 'xmin', 'oid',
		'CURRENT_USER', 'PUBLIC', 'pg_temp', 'public', 'nowhere', 'only', 'CONCURRENTLY', 'CASCADE',
		'IF EXISTS', 'IF NOT EXISTS', 'BEGIN ATOMIC', 'CASE', 'END', 'integer', 'pair', 'mood', 'posint',
		'record', 'anyelement', 'unknown', 'void', 'trigger', 'customer', 'part', 'parent', 's.t'];
BEGIN
	CASE fuzz.below(12)
		WHEN 0 THEN RETURN repeat('x', 64 + fuzz.below(80));
		WHEN 1 THEN RETURN '"' || repeat('y"" ', 20 + fuzz.below(2000)) || '"';
		WHEN 2 THEN RETURN '''' || repeat('é', fuzz.below(5000)) || '''';
		ELSE RETURN odd[1 + fuzz.below(array_length(odd, 1))];
	END CASE;
END
$f$;

CREATE FUNCTION fuzz.any_token() RETURNS text
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	chosen integer := fuzz.below((SELECT count(*)::integer FROM fuzz.pool));
BEGIN
	RETURN (SELECT token FROM fuzz.pool WHERE id = chosen);
END
$f$;

CREATE FUNCTION fuzz.any_tokens() RETURNS text[]
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	chosen integer := 1 + fuzz.below((SELECT count(*)::integer FROM fuzz.corpus));
BEGIN
	RETURN (SELECT tokens FROM fuzz.corpus WHERE id = chosen);
END
$f$;

-- A name of fixture.sql, so that many a changed statement still means something.
CREATE FUNCTION fuzz.any_name() RETURNS text
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	names text[] := ARRAY['customer', 'orders', 'empty_table', 'part', 'part_1', 'part_2', 'part_2_a', 'part_default',
		'part_new', 'hash_part', 'hash_part_0', 'parent', 'child', 's."Odd ""name"', 'of_type', 'unlogged',
		'customer_view', 'customer_mat', 'customer_mat_id', 'customer_name', 'customer_lower', 'customer_pkey',
		'customer_email_key', 'part_k', 'part_1_k_idx', 'orders_pkey', 'foreign_table', 'seq', 'orders_id_seq', 'mood', 'pair',
		'posint', 'plain_domain', 'imm', 'vol', 'tg', 'proc', 'agg', 's', 'public', 'id', 'name', 'email', 'plan',
		'feeling', 'amount', 'born', 'seen', 'tags', 'doc', 'small', 'twice', 'customer_id', 'total', 'note', 'a', 'b',
		'c', 'k', 'v', 'd', 'name_filled', 'customer_amount_check', 'orders_customer_id_fkey', 'customer_trigger',
		'customer_rule', 'customer_policy', 'customer_stats', 'pub', 'server', 'fdw', 'coll', 'integer', 'bigint',
		'text', 'varchar(5)', 'numeric', 'timestamptz', 'jsonb', 'integer[]', 'pg_description',
		'information_schema.tables', 't', 'x', 'extra'];
BEGIN
	RETURN names[1 + fuzz.below(array_length(names, 1))];
END
$f$;

-- One change to a statement, as tokens.
CREATE FUNCTION fuzz.change(t text[]) RETURNS text[]
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	n integer := coalesce(array_length(t, 1), 0);
	i integer := 1 + fuzz.below(greatest(n, 1));
	j integer := 1 + fuzz.below(greatest(n, 1));
	depth integer;
	other text[];
	lower_case integer[];
BEGIN
	-- half of the changes put one name for another
	SELECT array_agg(place) INTO lower_case
		FROM unnest(t) WITH ORDINALITY AS u(token, place) WHERE token ~ '^[a-z"]';
	IF lower_case IS NOT NULL AND fuzz.below(2) = 0 THEN
		i := lower_case[1 + fuzz.below(array_length(lower_case, 1))];
		RETURN t[:i - 1] || fuzz.any_name() || t[i + 1:];
	END IF;

	CASE fuzz.below(12)
		WHEN 0 THEN
			RETURN t[:i - 1] || t[i + 1:];
		WHEN 1 THEN
			RETURN t[:i] || t[i:];
		WHEN 2 THEN
			other := t;
			other[i] := t[j];
			other[j] := t[i];
			RETURN other;
		WHEN 3, 4 THEN
			RETURN t[:i - 1] || fuzz.any_token() || t[i + 1:];
		WHEN 5 THEN
			RETURN t[:i] || fuzz.any_token() || t[i + 1:];
		WHEN 6 THEN
			other := fuzz.any_tokens();
			RETURN t[:i] || other[1 + fuzz.below(array_length(other, 1)):];
		WHEN 7, 8 THEN
			RETURN t[:i - 1] || fuzz.oddity() || t[i + 1:];
		WHEN 9 THEN
			RETURN t[:i] || fuzz.oddity() || t[i + 1:];
		WHEN 10 THEN
			depth := CASE WHEN fuzz.below(20) = 0 THEN 20000 ELSE 1 + fuzz.below(60) END;
			RETURN t[:i - 1] || repeat('(', depth) || t[i] || repeat(')', depth) || t[i + 1:];
		ELSE
			-- a list grown long: from token i, some times over
			RETURN t[:i - 1] || array_to_string(array_fill(
				array_to_string(t[i:least(n, i + 3)], ' '), ARRAY[2 + fuzz.below(60)]), ' ') || t[i + 4:];
	END CASE;
END
$f$;

-- A statement of the corpus after none to four changes, mostly one or two.
CREATE FUNCTION fuzz.statement() RETURNS text
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	t text[] := fuzz.any_tokens();
	result text;
	i integer;
BEGIN
	FOR i IN 1..(ARRAY[0, 1, 1, 1, 1, 2, 2, 2, 3, 4])[1 + fuzz.below(10)] LOOP
		t := fuzz.change(t);
	END LOOP;
	result := array_to_string(t, ' ');
	IF fuzz.below(25) = 0 AND length(result) > 0 THEN
		i := fuzz.below(length(result));
		result := left(result, i) || chr(1 + fuzz.below(126)) || substr(result, i + 1 + fuzz.below(2));
	END IF;
	RETURN result;
END
$f$;

-- What joins the statements of a script.
CREATE FUNCTION fuzz.script(statements integer) RETURNS text
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	separators text[] := ARRAY[';', ';;', E';\n', E'; -- it''s "odd\n', ' ; /* /* a */ ; */ ', E';\r\n\t', E';\\q\n', ''];
	result text := '';
BEGIN
	FOR i IN 1..statements LOOP
		result := result || fuzz.statement() ||
			separators[1 + least(fuzz.below(60), array_length(separators, 1) - 1 - (fuzz.below(30) > 0)::integer)];
	END LOOP;
	RETURN result;
END
$f$;

-- Messages of the server's internal errors, which no statement may cause.
CREATE FUNCTION fuzz.is_internal(message text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $f$
	SELECT message ~ ('^(cache lookup|could not (open relation with OID|find|open file)|unrecognized|unexpected|unsupported|' ||
		'invalid (memory|attribute|attnum|node)|attribute [0-9]|missing|null |no |tuple|snapshot|unknown|bogus|' ||
		'invalid page|failed to|attempt|out of|requested|relcache|SPI_)') AND
		message !~ '^(no collation was derived|no schema has been selected|no unique or exclusion|unrecognized (parameter|privilege|column|role option|object|index|access|reset|SECURITY|conversion|format|CREATE|ALTER|EXPLAIN|VACUUM|value|subscription|collation|partitioning|server|publication|.*option|configuration|aggregate|function|CLUSTER|ANALYZE|REINDEX|type attribute|XML|text search|authentication|section|statistics|time zone|event|lock|weight|headline)|unexpected end of|out of range)';
$f$;

/*
 * Scripts through zdm_check() until n statements are done.  Returns what went
 * wrong: an error of zdm_check() itself, or a row that tells an internal one.
 */
CREATE FUNCTION fuzz.check_round(seed integer, n integer) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	done integer := 0;
	size integer;
	script text;
	internal text;
BEGIN
	PERFORM setseed((seed % 1000003) / 1000003.0);
	WHILE done < n LOOP
		size := least(1 + fuzz.below(12), n - done);
		script := fuzz.script(size);
		done := done + size;
		BEGIN
			SELECT string_agg(coalesce(c.message, 'line ' || c.line), '; ') INTO internal FROM zdm_check(script) c
				WHERE c.rule = 'invalid_statement' AND fuzz.is_internal(c.message)
				OR c.message IS NULL AND c.rule IS NOT NULL
				OR c.statement IS NULL OR c.line IS NULL OR c.verdict IS NULL
				OR c.rewrites IS NULL OR c.scans IS NULL
				-- a statement ends with a semicolon, a command of psql with its line
				OR c.statement > 1 + length(regexp_replace(script, '[^;\\]', '', 'g'))
				OR c.line > 1 + length(regexp_replace(script, '[^\n]', '', 'g'));
			IF internal IS NOT NULL THEN
				RETURN NEXT format('check, seed %s: %s: %s', seed, internal, script);
			END IF;
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT format('check, seed %s: %s %s: %s', seed, SQLSTATE, SQLERRM, script);
		END;
		IF size = 1 THEN
			BEGIN
				PERFORM count(*) FROM zdm_explain(script);
			EXCEPTION
				WHEN internal_error OR data_corrupted OR index_corrupted THEN
					RETURN NEXT format('explain, seed %s: %s %s: %s', seed, SQLSTATE, SQLERRM, script);
				WHEN OTHERS THEN
					NULL;
			END;
		END IF;
	END LOOP;
END
$f$;

-- Runs a statement from inside a function, in a subtransaction.
CREATE FUNCTION fuzz.run(sql text) RETURNS text
LANGUAGE plpgsql VOLATILE AS $f$
BEGIN
	EXECUTE sql;
	RETURN 'done';
EXCEPTION
	WHEN internal_error OR data_corrupted OR index_corrupted THEN
		RAISE;
	WHEN OTHERS THEN
		RETURN SQLSTATE;
END
$f$;

-- Statements for a client to send one by one, in every kind of place.
CREATE FUNCTION fuzz.hook_round(seed integer, n integer) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE AS $f$
DECLARE
	done integer := 0;
	sql text;
BEGIN
	PERFORM setseed((seed % 1000003) / 1000003.0);
	WHILE done < n LOOP
		sql := fuzz.statement();
		done := done + 1;
		CONTINUE WHEN sql ~* '^\W*(begin|start|commit|rollback|prepare|end|abort)\M';
		CASE fuzz.below(8)
			WHEN 0, 1, 2 THEN
				RETURN NEXT sql;
			WHEN 3 THEN
				RETURN NEXT format('SELECT fuzz.run(%L)', sql);
			WHEN 4 THEN
				RETURN NEXT format('DO %L', format('BEGIN EXECUTE %L; END', sql));
			WHEN 5 THEN
				RETURN NEXT sql || ';' || fuzz.statement();
				done := done + 1;
			ELSE
				RETURN NEXT 'BEGIN';
				RETURN NEXT sql;
				IF fuzz.below(2) = 0 THEN
					RETURN NEXT 'SAVEPOINT a';
				END IF;
				FOR i IN 1..fuzz.below(4) LOOP
					RETURN NEXT fuzz.statement();
					done := done + 1;
				END LOOP;
				CASE fuzz.below(5)
					WHEN 0 THEN
						RETURN NEXT 'ROLLBACK TO a';
						RETURN NEXT fuzz.statement();
						RETURN NEXT 'COMMIT';
						done := done + 1;
					WHEN 1 THEN
						RETURN NEXT 'ROLLBACK';
					WHEN 2 THEN
						RETURN NEXT 'PREPARE TRANSACTION ''fuzz''';
						RETURN NEXT 'ROLLBACK';
						RETURN NEXT 'COMMIT PREPARED ''fuzz''';
					ELSE
						RETURN NEXT 'COMMIT';
				END CASE;
		END CASE;
	END LOOP;
	RETURN NEXT 'ROLLBACK';
END
$f$;
