# Copyright (c) 2026, the zdm developers

# Runs cases - a fixture and one statement - in several servers or databases
# at once, and compares what each of them has come to.
#
# A case is a hash: number, fixture (SQL commands, run in a schema of the
# case's own, which is in the search_path), sql, and if need be role and set
# (settings for the statement alone).

package ZdmEquivalence;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use ZdmCatalog qw(catalog_functions differences);
our @EXPORT_OK = qw(start_node run_streams compare_results case_text
  plainly by_zdm by_hand dump_schemas databases_of only_numbered);

# Cases that share a database: catalogs that grow make everything slow.
my $group_size = 40;

# A server with a database that those of the cases are copied from.
sub start_node
{
	my ($name, $settings, $set_up) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf', <<"CONF");
autovacuum = off
full_page_writes = off
log_statement = none
log_min_duration_statement = 1s
restart_after_crash = on
max_locks_per_transaction = 1000
allow_in_place_tablespaces = on
statement_timeout = 60s
TimeZone = 'UTC'
$settings
CONF
	$node->start;
	$node->safe_psql('postgres', "CREATE DATABASE equivalence");
	$node->safe_psql('equivalence', $set_up . catalog_functions());
	$node->safe_psql('equivalence', <<'SQL');
CREATE ROLE equivalence_owner;
CREATE ROLE equivalence_reader;
CREATE TABLESPACE equivalence_space LOCATION '';
GRANT CREATE ON TABLESPACE equivalence_space TO equivalence_owner;
GRANT USAGE ON SCHEMA compare TO PUBLIC;
SQL
	return $node;
}

sub schema_of
{
	return "case_$_[0]{number}";
}

# The database of a case.
sub database_of
{
	my ($case) = @_;

	return 'cases_' . ($case->{group} // int($case->{number} / $group_size));
}

# The cases of a list of numbers and ranges, as in "7,30-40".
sub only_numbered
{
	my ($list, @cases) = @_;
	my %wanted = map { my ($from, $to) = /(\d+)(?:-(\d+))?/; map { $_ => 1 } $from .. $to // $from } split /,/, $list;

	return grep { $wanted{ $_->{number} } } @cases;
}

sub databases_of
{
	my %seen = map { database_of($_) => 1 } @_;

	return sort keys %seen;
}

sub connect_to
{
	my ($database) = @_;

	return <<"SQL";
\\connect postgres
SELECT 'CREATE DATABASE $database TEMPLATE equivalence'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '$database') \\gexec
SELECT 'GRANT CREATE ON DATABASE $database TO equivalence_owner' \\gexec
\\connect $database
SQL
}

# The command that makes a case's objects: one query string, so one commit.
sub fixture
{
	my ($case) = @_;
	my $schema = schema_of($case);

	return join(
		"\\;\n",
		'SET client_min_messages = error',
		'SET zdm.mode = off',
		"DROP SCHEMA IF EXISTS $schema CASCADE",
		'SET ROLE ' . ($case->{role} // 'none'),
		"CREATE SCHEMA $schema",
		"SET search_path = $schema",
		@{ $case->{fixture} },
		'RESET ROLE') . ";\n\\if :ERROR\n\\echo \@broken :LAST_ERROR_MESSAGE\n\\endif\n";
}

my $describe = "SELECT translate(line, E'\\n', ' ') FROM compare.describe('%s') line;\n";

# What a statement must not leave in the session.
my $session = <<'SQL';
SELECT '@session', current_user, session_user, current_setting('search_path'),
	current_setting('lock_timeout'), current_setting('statement_timeout'), current_setting('deadlock_timeout'),
	current_setting('idle_in_transaction_session_timeout'), current_setting('transaction_isolation'),
	pg_current_xact_id_if_assigned(), now() = statement_timestamp(),
	(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND
		locktype <> 'virtualxid' AND mode <> 'AccessShareLock');
SQL

# The script of a case: mode is zdm's while the statement runs, commands are
# what is run in the place of the statement.
sub script
{
	my ($case, $mode, $before, $commands, $after) = @_;
	my $schema = schema_of($case);
	my $set = join('', map { "SET $_;\n" } @{ $case->{set} // [] });

	return "\\warn \@case $case->{number}\n\\echo \@case $case->{number}\n"
	  . fixture($case)
	  . "SET zdm.mode = $mode;\n"
	  . $before
	  . ($case->{role} ? "SET ROLE $case->{role};\n" : '')
	  . $set
	  . $commands
	  . "\\echo \@outcome :SQLSTATE\n\\if :ERROR\n\\echo \@message :LAST_ERROR_MESSAGE\n\\endif\n"
	  . $session
	  . "RESET ALL;\nRESET ROLE;\nSET search_path = $schema;\nSET client_min_messages = error;\n"
	  . $after
	  . "\\echo \@catalog\n"
	  . sprintf($describe, $schema)
	  . "RESET ALL;\n\\echo \@end\n";
}

# The statement as it is; what there was before it is of use where zdm refuses.
sub plainly
{
	my ($case) = @_;

	return script($case, 'off', "\\echo \@before\n" . sprintf($describe, schema_of($case)),
		"$case->{sql};\n", '');
}

# A question to zdm about the statement.
sub asked
{
	my ($function, $case) = @_;

	return "public.$function(\$zdm\$$case->{sql}\$zdm\$)";
}

# The statement by zdm, with the verdict before and the decision that the ledger
# shows after it, and what is left of its steps.
sub by_zdm
{
	my ($case) = @_;

	return script(
		$case, 'enforce',
		"SELECT coalesce(max(id), 0) AS last FROM zdm.statement \\gset\n",
		"SELECT '\@check', coalesce(verdict, 'run'), coalesce(rule, '') FROM " . asked('zdm_check', $case) . ";\n"
		  . "$case->{sql};\n",
		"SELECT '\@decision', decision FROM zdm.statement WHERE id > :last;\n"
		  . "SELECT '\@left', state, sql FROM zdm.step WHERE state <> 'done';\n");
}

# The steps that zdm_explain prints, by hand: a statement that is not rewritten
# has none.  Its role may not set the mode.
sub by_hand
{
	my ($case, $mode) = @_;
	my $role = $case->{role} // 'none';

	return script(
		$case, 'enforce', '',
		"SELECT coalesce(bool_or(verdict = 'rewrite') AND NOT bool_or(verdict = 'refuse'), false) AS rewritten\n"
		  . "  FROM " . asked('zdm_check', $case) . " \\gset\n"
		  . "\\if :rewritten\n"
		  . "SELECT '\@step', step, phase, lock_mode, translate(sql, E'\\n', ' ') FROM " . asked('zdm_explain', $case) . ";\n"
		  . "SELECT sql FROM (VALUES (-3, 'RESET ROLE'), (-2, 'SET zdm.mode = $mode'), (-1, 'SET ROLE $role')) s (step, sql)\n"
		  . "  UNION ALL (SELECT sql FROM " . asked('zdm_explain', $case) . " ORDER BY step) \\gexec\n"
		  . "\\endif\n",
		"SELECT '\@left', state, sql FROM zdm.step WHERE state <> 'done';\n");
}

# One run of psql over the cases of a stream that are left.
sub start_stream
{
	my ($stream) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/stream.sql";
	my @left = @{ $stream->{cases} }[ $stream->{done} .. $#{ $stream->{cases} } ];
	my $database = '';

	foreach my $case (@left)
	{
		if (database_of($case) ne $database)
		{
			$database = database_of($case);
			append_to_file($file, connect_to($database));
		}
		append_to_file($file, $stream->{script}->($case));
	}
	$stream->{stdout} = $stream->{stderr} = '';
	$stream->{run} = IPC::Run::start(
		[
			'psql', '--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--field-separator', ' ',
			'-v', 'ON_ERROR_STOP=0', '--file', $file, $stream->{node}->connstr('postgres')
		],
		'>', \$stream->{stdout}, '2>', \$stream->{stderr});
}

# Take a stream's output apart; result by number of the case.
sub read_stream
{
	my ($stream) = @_;
	my ($result, $section);

	foreach my $line (split /\n/, $stream->{stdout})
	{
		if ($line =~ /^\@case (\d+)/)
		{
			$result = $stream->{results}{$1} = { lost => 1 };
			$section = undef;
		}
		elsif ($line =~ /^\@end/)
		{
			delete $result->{lost};
			$stream->{done}++;
		}
		elsif ($line =~ /^\@(broken|outcome|message|session) ?(.*)/)
		{
			$result->{$1} = $2;
			$section = undef;
		}
		elsif ($line =~ /^\@(check|decision|left|step) (.*)/)
		{
			push @{ $result->{$1} }, $2;
		}
		elsif ($line =~ /^\@(before|catalog)/)
		{
			$section = $1;
			$result->{$section} = [];
		}
		elsif (defined $section && $line ne '')
		{
			push @{ $result->{$section} }, $line;
		}
	}
	$result = undef;
	foreach my $line (split /\n/, $stream->{stderr})
	{
		if ($line =~ /^\@case (\d+)/)
		{
			$result = $stream->{results}{$1};
		}
		elsif (defined $result)
		{
			push @{ $result->{messages} }, $line =~ s/^psql:\S+ //r;
		}
	}
}

# Run streams side by side: hashes of node, cases and script (a function that
# makes the script of a case).  Returns for each a hash from the number of a
# case to what came of it.  A stream whose connection breaks goes on with the
# next case.
sub run_streams
{
	my @streams = map { { %$_, done => 0, results => {} } } @_;

	while (my @open = grep { $_->{done} < @{ $_->{cases} } } @streams)
	{
		start_stream($_) foreach @open;
		$_->{run}->finish foreach @open;
		foreach my $stream (@open)
		{
			read_stream($stream);
			next if $stream->{done} == @{ $stream->{cases} };
			$stream->{node}->poll_query_until('postgres', 'SELECT true')
			  or die 'the server does not come back';
			$stream->{results}{ $stream->{cases}[ $stream->{done} ]{number} } = { lost => 1 };
			$stream->{done}++;
		}
	}
	return map { $_->{results} } @streams;
}

# What two runs of a case differ in, as lines; none if they are alike.
sub compare_results
{
	my ($plain, $other) = @_;
	my @complaints;

	foreach my $result ($plain, $other)
	{
		return ("  the connection was lost") if !defined $result || $result->{lost};
		return ("  the fixture is broken: $result->{broken}") if defined $result->{broken};
	}
	foreach my $what (qw(outcome message session))
	{
		my ($one, $two) = map { $_->{$what} // '' } ($plain, $other);

		push @complaints, "  $what: plain \"$one\", other \"$two\"" if $one ne $two;
	}
	push @complaints, map { "  left in zdm.step: $_" } @{ $other->{left} // [] };
	push @complaints, differences($plain->{catalog}, $other->{catalog});
	return @complaints;
}

# A case as a script for the reader of a failure.
sub case_text
{
	my ($case) = @_;

	return join('', map { "$_;\n" } @{ $case->{fixture} })
	  . ($case->{role} ? "-- as a role that owns it all, without being superuser\n" : '')
	  . join('', map { "SET $_;\n" } @{ $case->{set} // [] })
	  . "$case->{sql};\n";
}

# What pg_dump prints of some cases, a hash from the number of a case to its entries.
sub dump_schemas
{
	my ($node, @cases) = @_;
	my (%wanted, %dump);

	push @{ $wanted{ database_of($_) } }, $_ foreach @cases;
	foreach my $database (sort keys %wanted)
	{
		my ($stdout, $stderr) = ('', '');

		IPC::Run::run(
			[
				'pg_dump', '--schema-only', (map { ('--schema', schema_of($_)) } @{ $wanted{$database} }),
				$node->connstr($database)
			],
			'>', \$stdout, '2>', \$stderr) or die "pg_dump: $stderr";
		foreach my $entry (split /^(?=-- Name: )/m, $stdout)
		{
			push @{ $dump{$1} }, $entry =~ s/\s+/ /gr =~ s/(-- PostgreSQL database dump complete|\\unrestrict).*//r
			  if $entry =~ /^-- Name: .*case_(\d+)/;
		}
	}
	return \%dump;
}

1;
