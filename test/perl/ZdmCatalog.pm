# Copyright (c) 2026, the zdm developers

# What there is in a schema, said by name: one line a fact, so that two
# databases can be compared.  It covers what pg_dump prints and what it leaves
# out: the validity of indexes, internal triggers, dependencies, statistics
# targets, the values of sequences, and the rows.

package ZdmCatalog;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
our @EXPORT_OK = qw(catalog_functions differences);

# Flags are taken from the catalogs' rows as a whole, so that those of a newer
# server are compared too; OIDs, hints, and expressions are said in other ways.
my $functions = <<'SQL';
CREATE SCHEMA compare;

CREATE FUNCTION compare.objects(schema oid) RETURNS TABLE (classid oid, objid oid)
LANGUAGE sql STABLE AS $$
	SELECT tableoid, oid FROM pg_catalog.pg_class WHERE relnamespace = schema
	UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_type WHERE typnamespace = schema
	UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_constraint WHERE connamespace = schema
	UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_proc WHERE pronamespace = schema
	UNION ALL SELECT tableoid, oid FROM pg_catalog.pg_statistic_ext WHERE stxnamespace = schema
	UNION ALL SELECT d.tableoid, d.oid FROM pg_catalog.pg_attrdef d
		JOIN pg_catalog.pg_class c ON c.oid = d.adrelid WHERE c.relnamespace = schema
	UNION ALL SELECT t.tableoid, t.oid FROM pg_catalog.pg_trigger t
		JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = schema
	UNION ALL SELECT r.tableoid, r.oid FROM pg_catalog.pg_rewrite r
		JOIN pg_catalog.pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = schema
	UNION ALL SELECT p.tableoid, p.oid FROM pg_catalog.pg_policy p
		JOIN pg_catalog.pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = schema
$$;

-- The names of internal triggers hold an OID.
CREATE FUNCTION compare.named(classid oid, objid oid, objsubid int) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT regexp_replace(pg_catalog.pg_describe_object(classid, objid, objsubid),
		'(_ConstraintTrigger(_[ac])?)_\d+', '\1', 'g')
$$;

-- The rows of a table.  Of what a default generates only that it is there, and
-- of keys in how many values.
CREATE FUNCTION compare.rows(t oid) RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	given text[] := '{}';
	made text[] := '{}';
	of_column record;
BEGIN
	FOR of_column IN
		SELECT quote_ident(a.attname) AS name,
			a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid), y.typdefault, '') ~*
				'nextval|random|clock_timestamp|now\(|CURRENT_' AS generated,
			a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) ~ 'nextval|uuid' AS unique_values
		  FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
			LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		 WHERE a.attrelid = t AND a.attnum > 0 AND NOT a.attisdropped
		 ORDER BY a.attname
	LOOP
		given := given || format(CASE WHEN of_column.generated THEN '(%s IS NULL)' ELSE '%s::text' END,
			of_column.name);
		IF of_column.unique_values THEN
			made := made || format('%L || count(DISTINCT %s)', of_column.name || ' ', of_column.name);
		END IF;
	END LOOP;
	RETURN QUERY EXECUTE format('SELECT format(%L, count(*), md5(string_agg(r, %L ORDER BY r)))
			FROM (SELECT ROW(%s)::text AS r FROM ONLY %s x) s',
		'rows ' || t::regclass || ': %s %s', ',', array_to_string(given, ', '), t::regclass);
	IF made <> '{}' THEN
		RETURN QUERY EXECUTE format('SELECT concat_ws(%L, %L, %s) FROM ONLY %s', ' ',
			'values ' || t::regclass, array_to_string(made, ', '), t::regclass);
	END IF;
END $$;

CREATE FUNCTION compare.describe(schema_name text) RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	schema oid := (SELECT oid FROM pg_namespace WHERE nspname = schema_name);
	t oid;
BEGIN
	RETURN QUERY
	SELECT format('relation %s %s', c.oid::regclass,
			jsonb_strip_nulls(to_jsonb(c) - ARRAY['oid', 'relname', 'relnamespace', 'reltype', 'reloftype', 'relowner',
				'relam', 'relfilenode', 'reltablespace', 'relpages', 'reltuples', 'relallvisible',
				'relnatts', 'relallfrozen', 'reltoastrelid', 'relhasindex', 'relhasrules', 'relhastriggers',
				'relhassubclass', 'relrewrite', 'relfrozenxid', 'relminmxid', 'relpartbound'] ||
				jsonb_build_object('owner', c.relowner::regrole, 'of', nullif(c.reloftype, 0)::regtype,
					'am', am.amname, 'tablespace', s.spcname,
					'bound', pg_get_expr(c.relpartbound, c.oid),
					'view', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
					'key', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END)))
	  FROM pg_class c LEFT JOIN pg_am am ON am.oid = c.relam
		LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
	 WHERE c.relnamespace = schema;

	-- columns in order, but not by number, as dropped ones may come between;
	-- recent servers note a version beside the options of a column
	RETURN QUERY
	SELECT regexp_replace(format('column %s.%I %s', c.oid::regclass, a.attname, jsonb_strip_nulls(to_jsonb(a) - ARRAY['attrelid', 'attname', 'attnum', 'atttypid', 'attcacheoff', 'attcollation',
				'atthasmissing', 'attmissingval', 'attndims'] ||
				jsonb_build_object('type', format_type(a.atttypid, a.atttypmod),
					'order', rank() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
					'collation', nullif(a.attcollation, 0)::regcollation,
					'default', pg_get_expr(d.adbin, d.adrelid)))), '"pg_attver=\d+"', '"pg_attver"')
	  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	 WHERE c.relnamespace = schema AND a.attnum > 0 AND NOT a.attisdropped;

	RETURN QUERY
	SELECT format('constraint %s on %s %s', quote_ident(o.conname),
			coalesce(nullif(o.conrelid, 0)::regclass::text, o.contypid::regtype::text),
			jsonb_strip_nulls(to_jsonb(o) - ARRAY['oid', 'conname', 'connamespace', 'conrelid', 'contypid', 'conindid',
				'conparentid', 'confrelid', 'conpfeqop', 'conppeqop', 'conffeqop', 'conexclop', 'conbin',
				'conkey', 'confkey', 'confdelsetcols',
				-- a word of CHECK and NOT NULL; a key that was attached differs in it
				CASE WHEN o.contype NOT IN ('c', 'n') THEN 'connoinherit' ELSE 'oid' END] ||
				jsonb_build_object('is', pg_get_constraintdef(o.oid), 'index', nullif(o.conindid, 0)::regclass,
					'parent', parent.conrelid::regclass || ' ' || parent.conname)))
	  FROM pg_constraint o LEFT JOIN pg_constraint parent ON parent.oid = o.conparentid
	 WHERE o.connamespace = schema;

	RETURN QUERY
	SELECT format('index %s %s %s', i.indexrelid::regclass, pg_get_indexdef(i.indexrelid),
			to_jsonb(i) - ARRAY['indexrelid', 'indrelid', 'indcheckxmin', 'indkey', 'indcollation', 'indclass',
				'indexprs', 'indpred', 'indoption'])
	  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
	 WHERE c.relnamespace = schema;

	RETURN QUERY
	SELECT format('child %s of %s %s %s', i.inhrelid::regclass, i.inhparent::regclass, i.inhseqno,
			i.inhdetachpending)
	  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	 WHERE c.relnamespace = schema;

	RETURN QUERY
	SELECT format('sequence %s %s %s', s.seqrelid::regclass, s.seqtypid::regtype,
			to_jsonb(s) - ARRAY['seqrelid', 'seqtypid']) || ' ' || coalesce(pg_sequence_last_value(s.seqrelid), 0)
	  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
	 WHERE c.relnamespace = schema;

	RETURN QUERY
	SELECT format('trigger %s on %s %s', compare.named(g.tableoid, g.oid, 0), g.tgrelid::regclass,
			jsonb_strip_nulls(to_jsonb(g) - ARRAY['oid', 'tgrelid', 'tgparentid', 'tgname', 'tgfoid', 'tgconstrrelid', 'tgconstrindid',
				'tgconstraint', 'tgqual', 'tgattr'] ||
				jsonb_build_object('function', g.tgfoid::regproc, 'on', nullif(g.tgconstrrelid, 0)::regclass,
					'index', nullif(g.tgconstrindid, 0)::regclass,
					'constraint', compare.named('pg_constraint'::regclass, nullif(g.tgconstraint, 0), 0),
					'is', CASE WHEN NOT g.tgisinternal THEN pg_get_triggerdef(g.oid) END,
					'parent', compare.named(g.tableoid, nullif(g.tgparentid, 0), 0))))
	  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
	 WHERE c.relnamespace = schema;

	RETURN QUERY
	SELECT format('type %I %s %s %s %s', y.typname, y.typtype, y.typnotnull, y.typdefault,
			format_type(nullif(y.typbasetype, 0), y.typtypmod))
	  FROM pg_type y WHERE y.typnamespace = schema;

	RETURN QUERY
	SELECT format('rule %s on %s %s', r.rulename, r.ev_class::regclass, r.ev_enabled) || pg_get_ruledef(r.oid)
	  FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
	 WHERE c.relnamespace = schema AND r.rulename <> '_RETURN';

	RETURN QUERY
	SELECT format('policy %s on %s %s %s', p.polname, p.polrelid::regclass, p.polcmd,
			pg_get_expr(p.polqual, p.polrelid))
	  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
	 WHERE c.relnamespace = schema;

	RETURN QUERY
	SELECT format('statistics %s %s %s', e.stxname, pg_get_statisticsobjdef(e.oid),
			to_jsonb(e) -> 'stxstattarget')
	  FROM pg_statistic_ext e WHERE e.stxnamespace = schema;

	RETURN QUERY
	SELECT format('published %s by %s', r.prrelid::regclass, b.pubname)
	  FROM pg_publication_rel r JOIN pg_publication b ON b.oid = r.prpubid
		JOIN pg_class c ON c.oid = r.prrelid
	 WHERE c.relnamespace = schema;

	RETURN QUERY
	SELECT format('comment on %s: %s', compare.named(m.classoid, m.objoid, m.objsubid), m.description)
	  FROM compare.objects(schema) o JOIN pg_description m ON m.classoid = o.classid AND m.objoid = o.objid;

	RETURN QUERY
	SELECT format('%s needs %s: %s', compare.named(d.classid, d.objid, d.objsubid),
			compare.named(d.refclassid, d.refobjid, d.refobjsubid), d.deptype)
	  FROM compare.objects(schema) o JOIN pg_depend d ON d.classid = o.classid AND d.objid = o.objid
	 WHERE d.refclassid NOT IN ('pg_namespace'::regclass, 'pg_extension'::regclass)
		-- the triggers of a foreign key that was attached have them
		AND NOT (d.deptype IN ('P', 'S') AND EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objid
			AND d.classid = 'pg_trigger'::regclass AND g.tgconstraint <> 0));

	FOR t IN SELECT oid FROM pg_class WHERE relnamespace = schema AND relkind IN ('r', 'm') AND relispopulated
	LOOP
		RETURN QUERY SELECT compare.rows(t);
	END LOOP;
END $$;
SQL

# The SQL that makes compare.describe(schema), which returns the lines.
sub catalog_functions
{
	return $functions;
}

# The lines that only one of two descriptions has, each marked by its side.
sub differences
{
	my ($plain, $other) = @_;
	my %count;
	my @result;

	$count{$_}++ foreach @$plain;
	$count{$_}-- foreach @$other;
	foreach my $line (sort keys %count)
	{
		push @result, "  plain only: $line" if $count{$line} > 0;
		push @result, "  other only: $line" if $count{$line} < 0;
	}
	return @result;
}

1;
