# Copyright (c) 2026, the zdm developers

# Runs a deployment in a window that defers, with clients of the old and of the
# new version of an application around it, and tells which promises were broken.
#
# A case is a hash:
#
#   name      letters, digits, underscores
#   fixture   SQL that makes what the case needs besides the tables of base()
#   ddl       the migration, a list of statements
#   plain     statements that come to the same without zdm, if these do not
#   old, new  pgbench scripts, lists of statements, or functions of the number
#             of a client; :id is new in each loop, :k from 1 to 100
#
# and what is expected of it:
#
#   refused   the SQLSTATE with which the migration is refused; nothing else is
#             looked at but that old clients do not notice
#   in_the_way  what zdm_end_window() has to say (a regular expression) before
#   clear     SQL that takes rows out of its way
#   loses, restore  likewise for zdm_abort_window()
#   true      an expression that holds at the end of the window
#   block     the migration makes sense only in a transaction block
#
# A run is a case with an ending (plain: only the migration, without zdm or
# clients; end; abort), block (the migration is sent in a transaction block),
# rogues (a client keeps a transaction open across the migration, another one
# across the ending), unguarded (the migration is sent without zdm, though there
# are clients).

package ZdmPromises;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Storable ();
use Time::HiRes qw(time);
use ZdmCatalog qw(catalog_functions differences);
our @EXPORT_OK = qw(start_node run_all $bound);

# Longest wait for a lock of a client's statement that is borne, in milliseconds:
# far above zdm.lock_timeout, far below the life of an open transaction.
our $bound = 2000;
our $rogue_seconds = 3;

my $give_up = 180;				# seconds that anything may take

my $set_up = <<'SQL';
CREATE ROLE deployer LOGIN;
CREATE ROLE app LOGIN;
CREATE ROLE auditor;
GRANT auditor TO deployer;
ALTER ROLE app SET deadlock_timeout = '250ms';
ALTER ROLE app SET log_lock_waits = on;
ALTER ROLE app SET search_path = app, elsewhere, public;
ALTER ROLE deployer SET search_path = app, elsewhere, public;
CREATE DATABASE promises;
\connect promises
CREATE EXTENSION zdm;
GRANT EXECUTE ON FUNCTION zdm_begin_window, zdm_end_window, zdm_abort_window, zdm_retry TO deployer;
CREATE SCHEMA load;
GRANT USAGE ON SCHEMA load TO PUBLIC;
CREATE SEQUENCE load.ids START 1000000;
CREATE TABLE load.beat (client int PRIMARY KEY, n bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO load.beat SELECT i, 0 FROM generate_series(1, 9) i;
-- Until each of the clients has gone through its script some times more.  It
-- holds no snapshot for long, which would keep indexes from being built.
CREATE PROCEDURE load.wait(clients int[], seconds int) LANGUAGE plpgsql AS $$
DECLARE
	wanted jsonb := (SELECT jsonb_object_agg(client, n + 3) FROM load.beat WHERE client = ANY (clients));
	give_up timestamptz := clock_timestamp() + make_interval(secs => seconds);
	connected timestamptz := clock_timestamp() + interval '10 s';
BEGIN
	WHILE EXISTS (SELECT FROM load.beat WHERE n < (wanted ->> client::text)::bigint) LOOP
		IF clock_timestamp() > give_up THEN
			RAISE EXCEPTION 'a client does not get on';
		ELSIF clock_timestamp() > connected AND (SELECT count(*) < cardinality(clients) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name ~ '_(simple|prepared)$') THEN
			RAISE EXCEPTION 'a client has stopped';
		END IF;
		COMMIT;
		PERFORM pg_sleep(0.1);
		COMMIT;
	END LOOP;
END $$;
CREATE PROCEDURE load.until(query text, seconds int) LANGUAGE plpgsql AS $$
DECLARE
	give_up timestamptz := clock_timestamp() + make_interval(secs => seconds);
	so boolean;
BEGIN
	LOOP
		EXECUTE query INTO so;
		EXIT WHEN so;
		IF clock_timestamp() > give_up THEN
			RAISE EXCEPTION 'waited in vain';
		END IF;
		COMMIT;
		PERFORM pg_sleep(0.05);
		COMMIT;
	END LOOP;
END $$;
GRANT ALL ON ALL TABLES IN SCHEMA load TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA load TO PUBLIC;
CREATE FUNCTION load.expect(as_expected boolean, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF as_expected IS NOT TRUE THEN
		RAISE EXCEPTION 'not as expected: %', what;
	END IF;
END $$;
CREATE SCHEMA app AUTHORIZATION deployer;
CREATE SCHEMA elsewhere AUTHORIZATION deployer;
SQL

# What most cases are about: mandatory and optional columns, with and without
# default.
my $base = <<'SQL';
SET ROLE deployer;
SET search_path = app, elsewhere, public;
GRANT USAGE ON SCHEMA app, elsewhere TO app;
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLES TO app;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO app;
CREATE TABLE parent (id int PRIMARY KEY, note text NOT NULL DEFAULT 'none');
INSERT INTO parent SELECT i FROM generate_series(1, 200) i;
CREATE TABLE item (id bigint PRIMARY KEY, code text NOT NULL, label text,
	kind text NOT NULL DEFAULT 'plain', amount int DEFAULT 0, ref int);
INSERT INTO item SELECT i, 'c' || i, 'item ' || i, 'plain', i, i FROM generate_series(1, 200) i;
CREATE INDEX item_label ON item (label);
CREATE TABLE event (id bigint NOT NULL, ref int, note text) PARTITION BY RANGE (id);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (1000000);
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (1000000) TO (2000000);
INSERT INTO event SELECT i, i, 'event' FROM generate_series(1, 200) i;
SQL

# What a deployment must leave as it is, or as the plain migration makes it.
my $describe = <<'SQL';
SELECT translate(line, E'\n', ' ')
  FROM (SELECT compare.describe(n.nspname) FROM pg_namespace n WHERE n.nspname IN ('app', 'elsewhere', 'gone')) d (line)
 WHERE line !~ '^(rows|values) '
UNION ALL
SELECT format('relation outside: %s', c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^(app|elsewhere|gone|pg_toast|pg_temp)'
UNION ALL
SELECT format('schema %s %s %s', nspname, nspowner::regrole, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
UNION ALL
SELECT format('label %s of %s', e.enumlabel, e.enumtypid::regtype) FROM pg_enum e
UNION ALL
SELECT format('acl %s %s %s', p.oid::regprocedure, p.proacl, md5(p.prosrc)) FROM pg_proc p
 WHERE p.pronamespace IN ('app'::regnamespace, 'elsewhere'::regnamespace)
SQL

sub start_node
{
	my $node = PostgreSQL::Test::Cluster->new('promises');

	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
full_page_writes = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
zdm.max_workers = 12
max_worker_processes = 24
max_connections = 200
autovacuum = off
max_wal_size = 4GB
log_statement = none
log_line_prefix = '%m [%p] %q%d/%a '
CONF
	$node->start;
	$node->safe_psql('postgres', $set_up . catalog_functions() . "GRANT USAGE ON SCHEMA compare TO PUBLIC;\n$base");
	return $node;
}

#
# The parts of one run.  A run is a hash: node, case, name of the database,
# complaints (what is wrong, lines), clients, from (offset in the server's log).
#

sub complain
{
	my ($run, @lines) = @_;

	push @{ $run->{complaints} }, @lines;
	return;
}

# Run SQL; returns whether it went well, the output and the messages.
sub sql
{
	my ($run, $sql, $user) = @_;
	my ($stdout, $stderr) = ('', '');
	my $timed_out;
	my $status = $run->{node}->psql(
		$run->{database}, $sql,
		extra_params => [ '--username', $user // 'deployer' ],
		stdout => \$stdout, stderr => \$stderr,
		on_error_stop => 1, timeout => $give_up, timed_out => \$timed_out);

	$stderr .= "\ntimed out" if $timed_out;
	push @{ $run->{messages} }, $stderr if $stderr ne '';
	return (defined $status && $status == 0 && !$timed_out, $stdout, $stderr);
}

# The same, of SQL that has to go well.  Returns the output.
sub must
{
	my ($run, $what, $sql, $user) = @_;
	my ($ok, $stdout, $stderr) = sql($run, $sql, $user);

	die "$what: $stderr\n" if !$ok;
	return $stdout;
}

sub wait_for
{
	my ($run, $what, $query) = @_;

	must($run, $what, "CALL load.until(\$\$$query\$\$, $give_up)", 'postgres');
	return;
}

# Start a pgbench: version is old or new, mode simple or prepared.
sub start_client
{
	my ($run, $number, $version, $mode, $script) = @_;
	my $file = "$run->{folder}/$run->{database}_${version}_$mode.sql";
	my $client = { number => $number, version => $version, output => '' };

	append_to_file($file, join('', "\\set k random(1, 100)\nSELECT nextval('load.ids') AS id \\gset\n",
		map({ /^\\/ || /\\gset$/ ? "$_\n" : "$_;\n" } @$script),
		"UPDATE load.beat SET n = n + 1 WHERE client = $number;\n"));
	local $ENV{PGAPPNAME} = "${version}_$mode";
	$client->{run} = IPC::Run::start(
		[
			'pgbench', '--no-vacuum', '--client=1', "--protocol=$mode", '--rate=7', '--time=3600', "--file=$file",
			$run->{node}->connstr($run->{database}) . ' user=app'
		],
		'>&', \$client->{output});
	push @{ $run->{clients} }, $client;
	return;
}

sub clients_of
{
	my ($run, $version) = @_;

	return grep { $_->{version} eq $version } @{ $run->{clients} };
}

# Wait until each client of a version has gone through its script some times more.
sub let_work
{
	my ($run, $when, @versions) = @_;
	my @clients = map { clients_of($run, $_) } @versions;
	my $numbers = join(',', map { $_->{number} } @clients);
	my ($ok, undef, $messages) = sql($run, "CALL load.wait('{$numbers}', $give_up)", 'postgres');

	return if $ok;
	$_->{run}->pump_nb foreach @clients;
	die join("\n", "$when: $messages", map { $_->{output} } @clients);
}

sub start_version
{
	my ($run, $version) = @_;
	my $script = $run->{case}{$version} or return;
	my $number = $version eq 'old' ? 1 : 3;

	start_client($run, $number, $version, 'simple', $script);
	start_client($run, $number + 1, $version, 'prepared', $script);
	return;
}

sub stop_version
{
	my ($run, $version) = @_;

	foreach my $client (clients_of($run, $version))
	{
		$client->{run}->signal('TERM');
		eval { $client->{run}->finish };
	}
	$run->{clients} = [ grep { $_->{version} ne $version } @{ $run->{clients} } ];
	wait_for($run, "clients of the $version version go away",
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ '^$version'");
	return;
}

# A client that has begun a transaction with its version's script, pauses, goes
# through the script once more and commits.
sub start_rogue
{
	my ($run, $version) = @_;
	my $file = "$run->{folder}/$run->{database}_${version}_rogue.sql";
	my $script = $run->{rogues} && $run->{case}{$version} or return;
	my $loop = join('', "SELECT nextval('load.ids') AS id, 177 AS k \\gset\n",
		map { /^\\/ || /\\gset$/ ? "$_\n" : "$_;\n" } @$script);

	append_to_file($file, "BEGIN;\n$loop\\! sleep $rogue_seconds\n${loop}COMMIT;\n");
	local $ENV{PGAPPNAME} = "${version}_rogue";
	$run->{rogue} = IPC::Run::start(
		[
			'psql', '--no-psqlrc', '--quiet', '-v', 'ON_ERROR_STOP=1', '--file', $file,
			$run->{node}->connstr($run->{database}) . ' user=app'
		],
		'>&', \$run->{rogue_output});
	wait_for($run, 'the open transaction is there',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = '${version}_rogue' AND state = 'idle in transaction' AND clock_timestamp() - state_change > '0.1 s'");
	return;
}

sub finish_rogue
{
	my ($run) = @_;
	my $rogue = delete $run->{rogue} or return;

	$rogue->finish or die "the client with an open transaction failed: $run->{rogue_output}\n";
	return;
}

# The errors of clients, and their longest wait, in the server's log.
sub read_log
{
	my ($run) = @_;
	my $longest = 0;

	foreach my $line (split /\n/, slurp_file($run->{node}->logfile, $run->{from}))
	{
		next if $line !~ m{\] $run->{database}/(?:old|new)_\w+ (.*)};
		my $message = $1;

		complain($run, "a client met $message: $line")
		  if $message =~ /^(?:ERROR|FATAL|PANIC)/ && $message !~ /connection to client lost/;
		$longest = $1 if $message =~ /after ([0-9.]+) ms/ && $1 > $longest;
	}
	$run->{longest} = $longest;
	return;
}

sub described
{
	my ($run) = @_;
	my @lines = split /\n/, must($run, 'description', $describe, 'postgres');

	s/^(sequence .*) \d+$/$1/ foreach @lines;
	return \@lines;
}

# pg_dump's view of the schemas
sub dumped
{
	my ($run) = @_;
	my ($stdout, $stderr) = ('', '');

	IPC::Run::run(
		[ 'pg_dump', '--schema-only', '--schema=app|elsewhere|gone', $run->{node}->connstr($run->{database}) ],
		'>', \$stdout, '2>', \$stderr)
	  or die "pg_dump: $stderr\n";
	return [ map { s/\s+/ /gr } grep { !/unrestrict|restrict/ } split /\n\n+/, $stdout ];
}

# What must be true, or a complaint
sub check
{
	my ($run, $what, $query, $wanted) = @_;
	my $found = must($run, $what, $query, 'postgres');

	complain($run, "$what: $found") if $found ne ($wanted // '');
	return;
}

sub as_deployer_unguarded
{
	return "SET zdm.mode = off;\nSET ROLE deployer;\nSET search_path = app, elsewhere, public;\n";
}

sub make_database
{
	my ($run) = @_;
	my $case = $run->{case};
	my %other = (%$run, database => 'postgres');

	must(\%other, 'CREATE DATABASE', "CREATE DATABASE $run->{database} TEMPLATE promises", 'postgres');
	must($run, 'fixture', as_deployer_unguarded() . $case->{fixture}, 'postgres')
	  if $case->{fixture};
	return;
}

sub migration
{
	my ($run, $plain) = @_;
	my $case = $run->{case};
	my $sql = join('', map { "$_;\n" } @{ $plain && $case->{plain} || $case->{ddl} });

	return $run->{block} || $case->{block} ? "BEGIN;\n${sql}COMMIT;\n" : $sql;
}

# Carry queued work out, and wait for what others carry out.
sub wait_for_queue
{
	my ($run) = @_;
	my $when = 'CALL zdm_wait()';

	must($run, $when, "CALL zdm_wait('w', '$give_up s')");
	return;
}

# Before and after the plain migration
sub run_plain
{
	my ($run) = @_;
	my $before = {};
	my $after = {};

	$before->{catalog} = described($run);
	$before->{dump} = dumped($run);
	if (!$run->{case}{refused})
	{
		must($run, 'the migration without zdm',
			as_deployer_unguarded() . migration($run, 1), 'postgres');
		$after->{catalog} = described($run);
		$after->{dump} = dumped($run);
	}
	$run->{before} = $before;
	$run->{after} = $after;
	return;
}

# End or abort the window; first that has to be refused if rows are in its way.
# A client of the version that stays keeps a transaction open meanwhile.
sub end_by
{
	my ($run, $call, $stays, $reason, $mend) = @_;

	if ($reason)
	{
		my ($ok, undef, $messages) = sql($run, "\\set VERBOSITY verbose\nSELECT $call('w')");

		complain($run, "$call() should have said \"$reason\", but: $messages")
		  if $ok || $messages !~ /ZDM03/ || $messages !~ /$reason/;
	}
	must($run, 'mending', $mend) if $mend;
	start_rogue($run, $stays);
	must($run, $call, "SELECT $call('w')");
	return;
}

sub compare
{
	my ($run, $expected) = @_;

	foreach my $what (qw(catalog dump))
	{
		complain($run, differences($expected->{$what}, $what eq 'catalog' ? described($run) : dumped($run)));
	}
	return;
}

sub is_over
{
	my ($run, $state) = @_;

	check($run, 'the state of the window', q{SELECT string_agg(state, ' ') FROM zdm.window}, $state);
	check($run, 'steps that are left', q{SELECT state || ': ' || sql || ': ' || coalesce(last_error, '') FROM zdm.step WHERE state NOT IN ('done', 'undone', 'cancelled')});
	check($run, 'relations outside', q{SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c WHERE c.relname ~ '^(pg_temp_|zdm_)' AND c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('app', 'elsewhere'))});
	return;
}

# A migration that is refused: nobody notices, nothing changes.
sub run_refused
{
	my ($run) = @_;
	my $case = $run->{case};

	my ($ok, undef, $messages) = sql($run, "\\set VERBOSITY verbose\n" . migration($run));
	complain($run, "the migration should have been refused with $case->{refused}, but: $messages")
	  if $ok || $messages !~ /$case->{refused}/;
	let_work($run, 'after the refusal', 'old');
	finish_rogue($run);
	stop_version($run, 'old');
	must($run, 'the end', "SELECT zdm_end_window('w')");
	compare($run, $run->{plain}{before});
	return;
}

sub run_deployment
{
	my ($run) = @_;
	my $case = $run->{case};
	my $ends = $run->{ending} eq 'end';

	start_version($run, 'old');
	let_work($run, 'before the window', 'old');
	must($run, 'zdm_begin_window', "SELECT zdm_begin_window('w', 'defer')");
	start_rogue($run, 'old');
	return run_refused($run) if $case->{refused};

	if ($run->{unguarded})
	{
		must($run, 'the migration', as_deployer_unguarded() . migration($run, 1), 'postgres');
		finish_rogue($run);
	}
	else
	{
		must($run, 'the migration', migration($run));
	}
	let_work($run, 'after the migration', 'old');
	wait_for_queue($run);
	finish_rogue($run);
	start_version($run, 'new');
	let_work($run, 'in the window', 'old', 'new');
	stop_version($run, $ends ? 'old' : 'new');
	if ($ends)
	{
		end_by($run, 'zdm_end_window', 'new', $case->{in_the_way}, $case->{clear});
	}
	else
	{
		end_by($run, 'zdm_abort_window', 'old', $case->{loses}, $case->{restore});
	}
	wait_for_queue($run);
	finish_rogue($run);
	let_work($run, "after the $run->{ending}", $ends ? 'new' : 'old');
	stop_version($run, $ends ? 'new' : 'old');
	is_over($run, $ends ? 'closed' : 'aborted');
	compare($run, $ends ? $run->{plain}{after} : $run->{plain}{before});
	check($run, 'the data', "SET search_path = app, elsewhere, public; SELECT NOT ($case->{true})", 'f') if $ends && $case->{true};
	return;
}

# In a process of its own; what came of it goes to a file.
sub run_alone
{
	my ($run, $file) = @_;
	my $started = time;

	$run->{from} = -s $run->{node}->logfile;
	$run->{complaints} = [];
	$run->{messages} = [];
	$run->{clients} = [];
	eval {
		make_database($run);
		$run->{ending} eq 'plain' ? run_plain($run) : run_deployment($run);
		1;
	} or complain($run, $@);
	eval { stop_version($run, $_) } foreach 'old', 'new';
	eval { $run->{rogue}->kill_kill } if $run->{rogue};
	read_log($run);
	complain($run, "a client waited $run->{longest} ms") if $run->{longest} > $bound;
	Storable::store(
		{
			seconds => time - $started,
			map { $_ => $run->{$_} } grep { exists $run->{$_} } qw(complaints messages longest before after)
		},
		$file);
	return;
}

# Run all, some at a time; returns what came of each.
sub run_all
{
	my ($node, $at_once, @runs) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();	# children would all choose the same
	my %children;

	while (my ($i, $run) = each @runs)
	{
		reap(\%children) while keys %children >= $at_once;
		my $pid = fork() // die "cannot fork: $!";

		if ($pid == 0)
		{
			$run->{node} = $node;
			$run->{folder} = $folder;
			eval { run_alone($run, "$folder/$i"); 1 } or warn $@;
			POSIX::_exit(0);
		}
		$children{$pid} = 1;
	}
	reap(\%children) while %children;
	return map { -e "$folder/$_" ? Storable::retrieve("$folder/$_") : { complaints => ['nothing came of it'], longest => 0 } } 0 .. $#runs;
}

sub reap
{
	my ($children) = @_;
	my $pid = waitpid(-1, 0);

	delete $children->{$pid};
	return;
}

1;
