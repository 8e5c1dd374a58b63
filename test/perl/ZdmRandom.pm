# Copyright (c) 2026, the zdm developers

# Random tables, and random statements on them: the same ones for the same seed.

package ZdmRandom;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
our @EXPORT_OK = qw(random_case);

# For each type: an expression of g that gives distinct values, and what a
# CHECK can say of them, the last of it wrong for some row.
my %types = (
	int => { value => 'g', checks => [ '%s > 0', '%s < 1000', '%s <> 13' ], default => '5', volatile => 'steady()', number => 1 },
	bigint => { value => 'g * 10', checks => [ '%s >= 0', '%s <> 70' ], default => '50', volatile => 'steady() * 10', number => 1 },
	'numeric(10,2)' => { value => 'g + 0.5', checks => [ '%s > 0', '%s > 3' ], default => '1.5', volatile => 'random()' },
	text => { value => "'text ' || g", checks => [ "%s <> ''", "length(%s) > 2", "%s <> 'text 7'" ], default => "'it''s'", volatile => "steady() || 'x'", text => 1 },
	'varchar(20)' => { value => "'v' || g", checks => [ "%s <> ''", "%s <> 'v9'" ], default => "'d'", volatile => "'v' || steady()", text => 1 },
	'timestamp' => { value => "timestamp '2020-01-01' + g * interval '1 hour'", checks => [ "%s > '2019-01-01'", "%s > '2020-01-01 06:00'" ], default => "'2020-01-01'", volatile => 'clock_timestamp()' },
	date => { value => "date '2020-01-01' + g", checks => [ "%s > '2019-01-01'", "%s <> '2020-01-11'" ], default => "'2020-01-01'", volatile => 'clock_timestamp()::date' },
	boolean => { value => 'g % 2 = 0', checks => [ '%s OR NOT %1$s', '%s' ], default => 'true', volatile => 'random() < 2', few => 1 },
	uuid => { value => 'md5(g::text)::uuid', checks => [ "%s <> '00000000-0000-0000-0000-000000000000'" ], default => "'00000000-0000-0000-0000-000000000001'", volatile => 'gen_random_uuid()' },
	jsonb => { value => "jsonb_build_object('k', g)", checks => [ "%s ? 'k'", "%s ->> 'k' <> '8'" ], default => "'{}'", volatile => "jsonb_build_object('k', steady())" },
	'int[]' => { value => 'ARRAY[g, g + 1]', checks => [ 'cardinality(%s) > 0', '%s[1] > 2' ], default => "'{1}'", volatile => 'ARRAY[steady()]' },
	point => { value => 'point(g, g)', checks => [ '%s[0] >= 0' ], default => "'(1,2)'", volatile => 'point(steady(), 1)' },
	int4range => { value => 'int4range(g, g + 2)', checks => [ 'NOT isempty(%s)', 'lower(%s) > 3' ], default => "'[1,5)'", volatile => 'int4range(steady(), 10)' },
	mood => { value => "(enum_range(NULL::mood))[1 + g % 3]", checks => [ "%s >= 'sad'", "%s <> 'ok'" ], default => "'ok'", volatile => "(enum_range(NULL::mood))[1 + steady() % 3]", few => 1 },
	posint => { value => 'g', checks => [ '%s < 1000' ], default => '3', volatile => 'steady()', number => 1 },
	anyint => { value => 'g', checks => [ '%s < 1000', '%s <> 4' ], default => '3', volatile => 'steady()', number => 1 },
	'double precision' => { value => 'g / 4.0', checks => [ '%s > 0', '%s <> 2' ], default => '0.5', volatile => 'random()' });
my @type_names = sort keys %types;

my $common = <<'SQL';
CREATE FUNCTION steady() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 7'
CREATE FUNCTION even(anyelement) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT length($1::text) % 2 = 0'
CREATE FUNCTION trg_fn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')
CREATE DOMAIN posint AS int CHECK (VALUE > 0)
CREATE DOMAIN anyint AS int
CREATE SEQUENCE free_seq
CREATE TABLE u (id int PRIMARY KEY, code varchar(20) UNIQUE, big bigint UNIQUE)
INSERT INTO u SELECT g, 'v' || g, g * 10 FROM generate_series(1, 45) g
SQL

sub chance { return rand() < $_[0] }
sub pick { return $_[ int(rand(@_)) ] }

sub shuffled
{
	my @list = @_;

	for (my $i = @list; --$i > 0;)
	{
		my $j = int(rand($i + 1));
		@list[ $i, $j ] = @list[ $j, $i ];
	}
	return @list;
}

sub quoted
{
	my ($name) = @_;

	return $name =~ /^[a-z_][a-z0-9_]*$/ && $name !~ /^(select|order|user|check|table)$/
	  ? $name : '"' . ($name =~ s/"/""/gr) . '"';
}

# Ordinary names mostly, but also those that need quotes or that are cut off.
sub new_name
{
	my ($case, $stem) = @_;
	my $name = $stem;
	my $roll = rand();

	$name = ucfirst($stem) . ' ' . pick('Mixed', 'Case', 'C"q', "it's", 'a;b', 'x--y', '100%')
	  if $roll < 0.12;
	$name = pick('select', 'order', 'user', 'check', 'table') if $roll >= 0.12 && $roll < 0.16;
	$name = $stem . '_' . 'long' x 14 if $roll >= 0.16 && $roll < 0.22;
	$name = $stem . '_' . "\x{c3}\x{a9}" x 25 if $roll >= 0.22 && $roll < 0.25;
	$name = $stem . '$1' if $roll >= 0.25 && $roll < 0.27;
	$name = substr($name, 0, 63) if $name !~ /[^\x00-\x7f]/;
	$name .= $case->{names}{$name}++ if exists $case->{names}{$name};
	$case->{names}{$name}++;
	return $name;
}

sub new_column
{
	my ($case, $stem) = @_;
	my $type = chance(0.4) ? 'int' : pick(@type_names);

	return {
		name => quoted(new_name($case, $stem)),
		type => $type,
		info => $types{$type},
		how => pick(qw(distinct distinct distinct nulls nulls repeated)) };
}

# A column's value in the row g.
sub value
{
	my ($column) = @_;
	my $value = $column->{info}{value};

	$value =~ s/\bg\b/(g % 6 + 1)/g if $column->{how} eq 'repeated';
	return $column->{how} eq 'nulls' ? "CASE WHEN g % 7 <> 0 THEN $value END" : $value;
}

sub columns_of
{
	my ($table) = @_;

	return @{ $table->{columns} };
}

sub some_column
{
	my ($table, $wanted) = @_;
	my @fit = grep { !$wanted || $wanted->($_) } columns_of($table);

	return @fit ? pick(@fit) : undef;
}

sub insert_rows
{
	my ($table, $from, $to) = @_;

	return "INSERT INTO $table->{name} ("
	  . join(', ', map { $_->{name} } columns_of($table)) . ') SELECT '
	  . join(', ', map { value($_) } columns_of($table))
	  . " FROM generate_series($from, $to) g";
}

sub definition
{
	my ($column) = @_;

	return "$column->{name} $column->{type}"
	  . ($column->{collation} ? " COLLATE $column->{collation}" : '')
	  . ($column->{notnull} ? ' NOT NULL' : '')
	  . ($column->{default} ? " DEFAULT $column->{default}" : '');
}

# A table with columns; what becomes of it is up to the caller.
sub new_table
{
	my ($case, $stem) = @_;
	my $table = { name => quoted(new_name($case, $stem)), columns => [], indexes => [] };
	my $count = 1 + int(rand(7));

	push @{ $table->{columns} },
	  { name => quoted(new_name($case, 'id')), type => 'int', info => $types{int}, how => 'distinct',
		notnull => chance(0.6) };
	foreach my $i (1 .. $count)
	{
		my $column = new_column($case, pick(qw(a b c d e f)) . $i);

		$column->{notnull} = 1 if $column->{how} ne 'nulls' && chance(0.3);
		$column->{default} = $column->{info}{default} if chance(0.2);
		$column->{collation} = '"C"' if $column->{info}{text} && chance(0.2);
		push @{ $table->{columns} }, $column;
	}
	return $table;
}

sub create_table
{
	my ($table, $tail) = @_;

	return "CREATE TABLE $table->{name} (" . join(', ', map { definition($_) } columns_of($table)) . ")$tail";
}

# The same columns in another order, with numbers that dropped ones leave out.
sub create_like
{
	my ($table, $name) = @_;
	my @columns = shuffled(columns_of($table));
	my @commands;

	push @commands, "CREATE TABLE $name (gone1 int, "
	  . join(', gone2 int, ', map { definition($_) } $columns[0])
	  . join('', map { ', ' . definition($_) } @columns[ 1 .. $#columns ]) . ', gone3 int)';
	push @commands, "ALTER TABLE $name DROP COLUMN gone1, DROP COLUMN gone3";
	return @commands;
}

# A key column of a partitioned table, and what its partitions are.
sub partition
{
	my ($case, $table) = @_;
	my $key = $table->{columns}[0];
	my $name = $key->{name};
	my $kind = $table->{kind};
	my @leaves = map { quoted(new_name($case, "part$_")) } 1 .. 3;
	my %bounds = (
		range => [ 'FROM (0) TO (20)', 'FROM (20) TO (40)', 'FROM (60) TO (80)' ],
		list => [ 'IN (' . join(', ', 1 .. 20) . ')', 'IN (' . join(', ', 21 .. 35) . ')', 'IN (' . join(', ', 60 .. 70) . ')' ],
		hash => [ map { "WITH (MODULUS 3, REMAINDER $_)" } 0 .. 2 ]);
	my @commands;

	push @commands, create_table($table, " PARTITION BY $kind ($name)");
	foreach my $i (0 .. ($kind eq 'hash' ? 2 : 1))
	{
		my $bound = "FOR VALUES $bounds{$kind}[$i]";

		if (chance(0.35))
		{
			push @commands, create_like($table, $leaves[$i]),
			  "ALTER TABLE $table->{name} ATTACH PARTITION $leaves[$i] $bound";
		}
		elsif (chance(0.25))
		{
			my @below = map { quoted(new_name($case, "below$i$_")) } 1 .. 2;

			push @commands, "CREATE TABLE $leaves[$i] PARTITION OF $table->{name} $bound PARTITION BY HASH ($name)",
			  "CREATE TABLE $below[0] PARTITION OF $leaves[$i] FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
			  "CREATE TABLE $below[1] PARTITION OF $leaves[$i] FOR VALUES WITH (MODULUS 2, REMAINDER 1)";
			push @{ $table->{leaves} }, @below;
			push @{ $table->{middle} }, $leaves[$i];
			next;
		}
		else
		{
			push @commands, "CREATE TABLE $leaves[$i] PARTITION OF $table->{name} $bound";
		}
		push @{ $table->{leaves} }, $leaves[$i];
	}
	$table->{partitions} = [ $kind eq 'hash' ? @leaves : @leaves[ 0, 1 ] ];
	$table->{rows} = $kind eq 'range' ? 39 : 35;
	if ($kind ne 'hash' && chance(0.6))
	{
		my $default = quoted(new_name($case, 'rest'));

		push @commands, "CREATE TABLE $default PARTITION OF $table->{name} DEFAULT";
		push @{ $table->{leaves} }, $default;
		push @{ $table->{partitions} }, $default;
		$table->{default_partition} = $default;
		$table->{rows} = pick(45, 62);
	}
	$table->{rows} = 0 if chance(0.05);
	# what can be attached
	if ($kind ne 'hash')
	{
		my $new = quoted(new_name($case, 'new'));
		my $other = { %$table, name => $new };

		push @commands, chance(0.5) ? create_like($table, $new)
		  : "CREATE TABLE $new (LIKE $table->{name}" . pick('', ' INCLUDING DEFAULTS', ' INCLUDING ALL') . ')';
		push @commands, insert_rows($other, 60, pick(65, 69, 69, 75)) if chance(0.8);
		push @commands, "CREATE INDEX ON $new (" . some_column($table, sub { $_[0]{type} ne 'point' })->{name} . ')'
		  if chance(0.4);
		push @commands, "ALTER TABLE $new ADD CHECK ($name >= 60 AND $name < 80)" if chance(0.2);
		push @commands, "ALTER TABLE $new ALTER COLUMN $name SET NOT NULL" if $key->{notnull} == 1 || chance(0.3);
		$table->{new} = $new;
		$table->{new_bound} = "FOR VALUES $bounds{$kind}[2]";
	}
	return @commands;
}

# The main table of a case.
sub main_table
{
	my ($case) = @_;
	my $table = new_table($case, 't');
	my $roll = rand();
	my @commands;

	$table->{kind} = $roll < 0.55 ? 'plain' : $roll < 0.68 ? 'range' : $roll < 0.8 ? 'list'
	  : $roll < 0.87 ? 'hash' : 'parent';
	$table->{columns}[0]{notnull} ||= 0;
	if ($table->{kind} =~ /range|list|hash/)
	{
		push @commands, partition($case, $table);
	}
	else
	{
		$table->{rows} = chance(0.06) ? 0 : chance(0.1) ? 1 : 44;
		push @commands, create_table($table, '');
		if ($table->{kind} eq 'parent')
		{
			my ($kid, $other, $grandkid) = map { quoted(new_name($case, $_)) } qw(kid other grandkid);

			push @commands, "CREATE TABLE $kid (own int) INHERITS ($table->{name})",
			  create_like($table, $other), "ALTER TABLE $other INHERIT $table->{name}",
			  insert_rows({ %$table, name => $kid }, 50, 60), insert_rows({ %$table, name => $other }, 61, 70);
			push @commands, "CREATE TABLE $grandkid () INHERITS ($kid, $other)",
			  insert_rows({ %$table, name => $grandkid }, 71, 75) if chance(0.4);
			$table->{children} = [ $kid, $other ];
		}
	}
	push @commands, insert_rows($table, 1, $table->{rows}) if $table->{rows} > 0;
	return ($table, @commands);
}

sub indexable { return $_[0]{type} ne 'point' }

# Something that an index can be on, as it stands in parentheses.
sub index_element
{
	my ($table, $method, $daring) = @_;
	my $column = some_column($table, $method eq 'gin' ? sub { $_[0]{type} =~ /jsonb|\[\]/ }
		: $method eq 'brin' ? sub { $_[0]{type} !~ /jsonb|\[\]|point|boolean|mood/ || rand() < $daring }
		: $method =~ /gist|spgist/ ? sub { $_[0]{type} =~ /point|range/ }
		: sub { indexable($_[0]) || rand() < $daring });
	my $element;

	return undef unless defined $column;
	$element = $column->{name};
	return $element if $method =~ /gin|gist/;
	if ($method ne 'brin' && chance(0.25))
	{
		$element = $column->{info}{text} ? pick("lower($element)", "($element || 'x')", "even($element)")
		  : $column->{info}{number} ? pick("($element + 1)", "abs($element)", "(10 / ($element - 100))")
		  : "even($element)";
	}
	elsif ($method ne 'brin' && $column->{info}{text} && chance(0.3))
	{
		$element .= pick(' COLLATE "C"', ' text_pattern_ops', ' COLLATE "POSIX" text_pattern_ops');
	}
	$element .= pick(' DESC', ' ASC NULLS FIRST', ' DESC NULLS LAST') if $method eq 'btree' && chance(0.25);
	return $element;
}

sub create_index
{
	my ($case, $table, $for_fixture) = @_;
	my $method = chance(0.75) ? 'btree' : pick(qw(hash brin gin gist spgist));
	my $unique = $method eq 'btree' && chance(0.3);
	my @elements = grep { defined } map { index_element($table, $method, $for_fixture ? 0 : 0.1) }
	  1 .. ($method =~ /hash|spgist/ || chance(0.6) ? 1 : 2 + int(rand(2)));
	my ($name, $target, $sql);

	return undef unless @elements;
	# so that it is certain of its uniqueness, or that it may be on partitions
	@elements = ($table->{columns}[0]{name}, @elements) if $unique && chance(0.7);
	$name = chance(0.5) || $for_fixture ? quoted(new_name($case, 'idx')) : '';
	$name = pick(@{ $table->{indexes} }) if !$for_fixture && @{ $table->{indexes} } && chance(0.05);
	$target = $table->{name};
	$target = pick(@{ $table->{middle} }) if $table->{middle} && chance(0.2);
	$target = pick(@{ $table->{leaves} }) if $table->{leaves} && chance(0.1);
	$sql = 'CREATE ' . ($unique ? 'UNIQUE ' : '') . 'INDEX '
	  . ($name ne '' && !$for_fixture && chance(0.2) ? 'IF NOT EXISTS ' : '')
	  . ($name ne '' ? "$name " : '') . 'ON ' . (chance(0.04) ? 'ONLY ' : '') . "$target USING $method ("
	  . join(', ', @elements) . ')';
	$sql .= ' INCLUDE (' . some_column($table)->{name} . ')' if $method eq 'btree' && chance(0.15);
	$sql .= ' NULLS NOT DISTINCT' if $unique && chance(0.2);
	$sql .= pick(' WITH (fillfactor = 60)', ' WITH (deduplicate_items = off)') if $method eq 'btree' && chance(0.15);
	$sql .= ' TABLESPACE equivalence_space' if chance(0.08);
	if (chance(0.2))
	{
		my $column = some_column($table);

		$sql .= ' WHERE ' . sprintf(pick(@{ $column->{info}{checks} }, '%s IS NOT NULL'), $column->{name});
	}
	push @{ $table->{indexes} }, $name if $for_fixture;
	return $sql;
}

# Constraints and indexes that are there already, comments, rights, and names
# in the way of those that the server would choose.
sub furnish
{
	my ($case, $table) = @_;
	my $name = $table->{name};
	my $plain = $table->{kind} !~ /range|list|hash/;
	my $column = some_column($table);
	my @commands;

	foreach my $i (1 .. int(rand(4)))
	{
		my $sql = create_index($case, $table, 1);

		push @commands, $sql if defined $sql && $sql !~ /UNIQUE|10 \/|ON ONLY/;
	}
	push @commands, "ALTER TABLE $name ADD "
	  . pick('', 'CONSTRAINT "Old Key" ') . pick('PRIMARY KEY', 'UNIQUE') . " ($table->{columns}[0]{name})"
	  if chance(0.45);
	push @commands, "ALTER TABLE $name ADD CONSTRAINT " . quoted(new_name($case, 'chk'))
	  . ' CHECK (' . sprintf($column->{info}{checks}[0], $column->{name}) . ')' . pick('', '', ' NOT VALID')
	  if chance(0.35);
	push @commands, "ALTER TABLE $name ADD CONSTRAINT old_fk FOREIGN KEY ($table->{columns}[0]{name}) REFERENCES u"
	  if $table->{rows} < 45 && $table->{kind} ne 'parent' && chance(0.25);
	push @commands, "CREATE TRIGGER trg AFTER INSERT ON $name FOR EACH ROW EXECUTE FUNCTION trg_fn()"
	  if chance(0.15);
	push @commands, "CREATE VIEW " . quoted(new_name($case, 'view')) . " AS SELECT * FROM $name" if chance(0.1);
	push @commands, "CREATE STATISTICS st ON $table->{columns}[0]{name}, $table->{columns}[1]{name} FROM $name"
	  if $plain && $table->{columns}[1]{type} !~ /point/ && chance(0.1);
	push @commands, "ALTER TABLE $name ALTER COLUMN $column->{name} SET STATISTICS 77" if chance(0.15);
	push @commands, "COMMENT ON COLUMN $name.$column->{name} IS 'of it'" if chance(0.15);
	push @commands, "GRANT SELECT ($column->{name}) ON $name TO equivalence_reader", "GRANT INSERT ON $name TO equivalence_reader"
	  if chance(0.15);
	push @commands, "ALTER TABLE $name ENABLE ROW LEVEL SECURITY", "CREATE POLICY pol ON $name USING (true)"
	  if chance(0.05);
	if ($plain && chance(0.2))
	{
		my $of = some_column($table, sub { $_[0]{type} ne 'point' });
		my $view = quoted(new_name($case, 'mat'));

		push @commands, "CREATE MATERIALIZED VIEW $view AS SELECT * FROM $name";
		# without one it cannot be refreshed concurrently
		if (chance(0.7)) { push @commands, "CREATE UNIQUE INDEX ON $view ($table->{columns}[0]{name})"; }
		else { $case->{no_plan} = 'refresh_materialized_view'; }
		push @commands, "CREATE INDEX ON $view ($of->{name})" if chance(0.5);
		push @commands, "DELETE FROM ONLY $name WHERE $table->{columns}[0]{name} < 5" if chance(0.5);
		$table->{view} = $view;
	}
	if (chance(0.4) && $name =~ /^\w+$/ && $column->{name} =~ /^\w+$/)
	{
		my $taken = "${name}_$column->{name}_";

		push @commands, "CREATE SEQUENCE IF NOT EXISTS ${taken}idx", "CREATE SEQUENCE IF NOT EXISTS ${taken}key" if length($taken) < 59;
		push @commands, "CREATE SEQUENCE IF NOT EXISTS ${name}_pkey" if chance(0.5) && !grep { /PRIMARY KEY/ } @commands;
		push @commands, "ALTER TABLE $name ADD CONSTRAINT ${taken}check CHECK (1 > 0)" if length($taken) < 57;
	}
	return @commands;
}

# Phrases of ALTER TABLE.  Each gets the case and the table, and returns undef
# where the table has nothing fit.
sub add_check
{
	my ($case, $table) = @_;
	my $column = some_column($table);
	my $check = sprintf(pick(@{ $column->{info}{checks} }), $column->{name});

	$check .= ' AND ' . $table->{columns}[0]{name} . ' IS NOT NULL' if chance(0.2);
	return 'ADD ' . (chance(0.4) ? 'CONSTRAINT ' . quoted(new_name($case, 'ck')) . ' ' : '')
	  . "CHECK ($check)" . (chance(0.06) ? ' NO INHERIT' : '') . (chance(0.06) ? ' NOT VALID' : '');
}

sub key_actions
{
	return (chance(0.3) ? ' ON DELETE ' . pick('CASCADE', 'SET NULL', 'SET DEFAULT', 'RESTRICT') : '')
	  . (chance(0.2) ? ' ON UPDATE ' . pick('CASCADE', 'NO ACTION') : '')
	  . (chance(0.2) ? pick(' DEFERRABLE', ' DEFERRABLE INITIALLY DEFERRED') : '');
}

sub add_foreign_key
{
	my ($case, $table) = @_;
	my $column = some_column($table, sub { $_[0]{type} =~ /^(int|anyint|posint|bigint|varchar.*)$/ });
	my $target = $column->{type} eq 'bigint' ? 'u (big)' : $column->{type} =~ /varchar/ ? 'u (code)' : 'u';

	if ($column->{type} eq 'int' && chance(0.15))
	{
		$target = $table->{name} . " ($table->{columns}[0]{name})";
		# the part of it on each partition cannot be validated
		$case->{no_plan} = 'add_foreign_key' if $table->{kind} =~ /range|list|hash/;
	}
	return 'ADD ' . (chance(0.4) ? 'CONSTRAINT ' . quoted(new_name($case, 'fk')) . ' ' : '')
	  . "FOREIGN KEY ($column->{name}) REFERENCES $target" . (chance(0.1) ? ' MATCH FULL' : '')
	  . key_actions() . (chance(0.05) ? ' NOT VALID' : '');
}

sub add_unique
{
	my ($case, $table) = @_;
	my $column = some_column($table, \&indexable);
	my @key = map { $_->{name} } $column;

	push @key, some_column($table, \&indexable)->{name} if chance(0.3);
	unshift @key, $table->{columns}[0]{name}
	  if chance($table->{kind} =~ /range|list|hash/ ? 0.85 : 0.3);
	@key = do { my %seen; grep { !$seen{$_}++ } @key };
	return 'ADD ' . (chance(0.35) ? 'CONSTRAINT ' . quoted(new_name($case, 'uq')) . ' ' : '')
	  . (chance(0.3) ? 'PRIMARY KEY' : 'UNIQUE' . (chance(0.15) ? ' NULLS NOT DISTINCT' : ''))
	  . ' (' . join(', ', @key) . ')'
	  . (chance(0.15) ? ' INCLUDE (' . some_column($table)->{name} . ')' : '')
	  . (chance(0.1) ? ' WITH (fillfactor = 70)' : '')
	  . (chance(0.1) ? ' USING INDEX TABLESPACE equivalence_space' : '')
	  . (chance(0.2) ? pick(' DEFERRABLE', ' DEFERRABLE INITIALLY DEFERRED') : '');
}

sub set_not_null
{
	my ($case, $table) = @_;

	return 'ALTER ' . pick('COLUMN ', '') . some_column($table)->{name} . ' SET NOT NULL';
}

sub add_column
{
	my ($case, $table) = @_;
	my $column = new_column($case, 'z');
	my $name = $column->{name};
	my $sql = 'ADD COLUMN ' . (chance(0.08) ? 'IF NOT EXISTS ' : '') . "$name ";
	my $roll = rand();
	my $check = sprintf(pick(@{ $column->{info}{checks} }), $name);

	if ($roll < 0.15)
	{
		$sql .= pick(qw(serial bigserial smallserial));
		$check = "$name > 0";
	}
	elsif ($roll < 0.28)
	{
		$sql .= pick(qw(int bigint)) . ' GENERATED ' . pick('ALWAYS', 'BY DEFAULT') . ' AS IDENTITY'
		  . (chance(0.3) ? ' (START 100 INCREMENT 3)' : '');
		$check = "$name > 0";
	}
	else
	{
		$sql .= $column->{type};
		$sql .= " DEFAULT $column->{info}{default}" if $roll < 0.5;
		$sql .= " DEFAULT $column->{info}{volatile}" if $roll >= 0.5 && $roll < 0.75;
	}
	$sql .= ' NOT NULL' if chance(0.25);
	$sql .= (chance(0.3) ? ' CONSTRAINT ' . quoted(new_name($case, 'zc')) : '') . " CHECK ($check)" if chance(0.25);
	$sql .= (chance(0.3) ? ' CONSTRAINT ' . quoted(new_name($case, 'zu')) : '') . pick(' UNIQUE', ' UNIQUE', ' PRIMARY KEY')
	  if chance(0.25);
	$sql .= ' REFERENCES u' . key_actions() if $column->{type} =~ /int$/ && chance(0.3);
	# other phrases may use it
	push @{ $case->{born} }, $column if $sql !~ /serial|IDENTITY/;
	return $sql;
}

sub harmless
{
	my ($case, $table) = @_;
	my $column = some_column($table);

	return pick(
		"ALTER COLUMN $column->{name} SET DEFAULT $column->{info}{default}",
		"ALTER COLUMN $column->{name} DROP DEFAULT",
		"ALTER COLUMN $column->{name} SET STATISTICS 33",
		"ALTER COLUMN $column->{name} DROP NOT NULL",
		'OWNER TO equivalence_owner',
		'REPLICA IDENTITY FULL',
		$table->{kind} =~ /plain|parent/ ? 'SET (fillfactor = 81)' : 'OWNER TO equivalence_owner',
		"DROP COLUMN " . $table->{columns}[-1]{name},
		'DROP CONSTRAINT IF EXISTS old_fk',
		'ENABLE ROW LEVEL SECURITY');
}

sub widen
{
	my ($case, $table) = @_;
	my $column = some_column($table, sub { $_[0]{type} =~ /varchar|numeric|anyint/ });

	return undef unless defined $column;
	return "ALTER COLUMN $column->{name} TYPE "
	  . ($column->{type} =~ /varchar/ ? pick('varchar(30)', 'text') : $column->{type} =~ /numeric/ ? 'numeric(12,2)' : 'int');
}

my @phrases = (
	\&add_check, \&add_check, \&add_foreign_key, \&add_foreign_key, \&add_unique, \&add_unique, \&add_unique,
	\&set_not_null, \&set_not_null, \&add_column, \&add_column, \&add_column, \&add_column);

sub alter_table
{
	my ($case, $table) = @_;
	my $count = chance(0.55) ? 1 : 2 + int(rand(3));
	my $target = $table->{name};
	my @parts;

	while (@parts < $count)
	{
		my $phrase = $count > 1 && chance(0.25) ? pick(\&harmless, \&widen) : pick(@phrases);
		my $part = $phrase->($case, $table);

		push @parts, $part if defined $part;
		# a phrase on the column that an earlier one adds; PostgreSQL 15 does
		# not find it to be NOT NULL in children
		if ($case->{born} && @parts < $count && chance(0.3))
		{
			local $table->{columns} = $case->{born};
			push @parts, ($table->{kind} eq 'plain' ? pick(\&add_check, \&set_not_null) : \&add_check)->($case, $table);
		}
	}
	# nor does it give a new sequence to the new owner
	return undef if grep({ /OWNER TO/ } @parts) && grep({ /serial|IDENTITY/ } @parts);
	$case->{several} = 1 if @parts > 1 || (() = $parts[0] =~ /CHECK|UNIQUE|KEY|NOT NULL|REFERENCES|, /g) > 1;
	# constraints on a column that goes or changes its type wait for that
	$case->{no_plan} = '' if @parts > 1 && grep { / TYPE |DROP COLUMN/ } @parts;
	$target = pick(@{ $table->{middle} }) if $table->{middle} && chance(0.15);
	$target = pick(@{ $table->{leaves} }) if $table->{leaves} && chance(0.08);
	$target = pick(@{ $table->{children} }) if $table->{children} && chance(0.15);
	return 'ALTER TABLE ' . (chance(0.05) ? 'IF EXISTS ' : '') . (chance(0.03) ? 'ONLY ' : '')
	  . "$target " . join(', ', @parts);
}

sub drop_index
{
	my ($case, $table) = @_;
	my @names = shuffled(@{ $table->{indexes} });

	return undef unless @names;
	@names = @names[ 0 .. int(rand(@names)) ];
	push @names, 'nope' if chance(0.1);
	return 'DROP INDEX ' . (chance(0.2) ? 'IF EXISTS ' : '') . join(', ', @names)
	  . pick('', '', '', ' RESTRICT', ' CASCADE');
}

sub reindex
{
	my ($case, $table) = @_;
	my @targets = ("TABLE $table->{name}", "TABLE $table->{name}", 'TABLE u', 'INDEX u_pkey', "SCHEMA case_$case->{number}");

	push @targets, map { "INDEX $_" } @{ $table->{indexes} };
	push @targets, map { "TABLE $_" } @{ $table->{leaves} // [] };
	push @targets, "TABLE $table->{view}" if $table->{view};
	return 'REINDEX ' . pick('', '', '', '(VERBOSE) ', '(TABLESPACE equivalence_space) ') . pick(@targets);
}

sub refresh
{
	my ($case, $table) = @_;

	return undef unless $table->{view};
	return "REFRESH MATERIALIZED VIEW $table->{view}" . pick('', '', '', ' WITH DATA', ' WITH NO DATA');
}

sub detach
{
	my ($case, $table) = @_;

	return undef unless $table->{partitions};
	return "ALTER TABLE $table->{name} DETACH PARTITION " . pick(@{ $table->{partitions} });
}

sub attach
{
	my ($case, $table) = @_;

	return undef unless $table->{new};
	return "ALTER TABLE $table->{name} ATTACH PARTITION $table->{new} "
	  . (chance(0.1) ? 'DEFAULT' : $table->{new_bound});
}

sub create_partition
{
	my ($case, $table) = @_;
	my $name = quoted(new_name($case, 'made'));

	return undef unless $table->{new};
	return 'CREATE TABLE ' . (chance(0.1) ? 'IF NOT EXISTS ' : '') . "$name PARTITION OF $table->{name}"
	  . (chance(0.15) ? ' (UNIQUE (' . $table->{columns}[0]{name} . '))' : '') . " $table->{new_bound}"
	  . (chance(0.15) ? ' PARTITION BY RANGE (' . $table->{columns}[0]{name} . ')' : '');
}

sub create_referencing
{
	my ($case, $table) = @_;
	my $name = quoted(new_name($case, 'made'));

	return 'CREATE TABLE ' . (chance(0.1) ? 'IF NOT EXISTS ' : '') . "$name (a "
	  . pick('int', 'serial', 'bigint GENERATED ALWAYS AS IDENTITY') . pick('', ' PRIMARY KEY', ' UNIQUE') . ', b int REFERENCES '
	  . pick('u', 'u (id)', "$table->{name} ($table->{columns}[0]{name})") . key_actions()
	  . pick('', ', CHECK (b > 0)', ', c varchar(20) REFERENCES u (code)', ", LIKE $table->{name} INCLUDING ALL") . ')';
}

sub alter_domain
{
	my ($case) = @_;
	my $domain = pick(qw(posint anyint));

	return "ALTER DOMAIN $domain "
	  . (chance(0.3) ? 'SET NOT NULL'
		: 'ADD ' . (chance(0.5) ? 'CONSTRAINT ' . quoted(new_name($case, 'dc')) . ' ' : '')
		  . 'CHECK (VALUE ' . pick('> 0', '< 1000', '<> 9') . ')' . (chance(0.1) ? ' NOT VALID' : ''));
}

my @statements = (
	(\&alter_table) x 12, (\&create_index) x 6, \&drop_index, \&reindex, \&refresh, \&refresh, \&detach, (\&attach) x 3,
	\&create_partition, \&create_partition, \&create_referencing, \&alter_domain);

# A case whose every choice follows from the seed and the number.
sub random_case
{
	my ($seed, $number) = @_;
	my $case = { number => $number, names => {} };
	my ($table, @commands);

	srand($seed * 1_000_003 + $number);
	($table, @commands) = main_table($case);
	$case->{fixture} = [ split(/\n/, $common), @commands, furnish($case, $table) ];
	until (defined $case->{sql})
	{
		$case->{sql} = pick(@statements)->($case, $table);
	}
	$case->{role} = 'equivalence_owner' if chance(0.1);
	return $case;
}

1;
