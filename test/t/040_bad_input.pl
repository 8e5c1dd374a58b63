# Copyright (c) 2026, the zdm developers

# Whatever text zdm_check() and zdm_explain() are given, the answer is rows or
# a clear error, and the session goes on.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('bad_input');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
shared_preload_libraries = 'zdm'
zdm.small_table = 0
client_min_messages = warning
CONF
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION zdm;
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'a');
CREATE TABLE "Ünï ""t;" ("Sp alte" int);
INSERT INTO "Ünï ""t;" VALUES (1);
SQL

# What a check of the SQL expression answers, as line|rule|verdict, or its SQLSTATE.
sub check
{
	my ($expression, $columns, $database) = @_;
	my ($stdout, $stderr) = ('', '');

	$columns //= q{line || '|' || coalesce(rule, '') || '|' || verdict};
	$node->psql(
		$database // 'postgres',
		"SELECT $columns FROM zdm_check($expression)",
		stdout => \$stdout,
		stderr => \$stderr,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	return $stderr =~ /(?:ERROR|FATAL):\s+(\w{5})/ ? $1 : $stderr ne '' ? $stderr : $stdout;
}

# nothing to look at
is(check('NULL'), '', 'NULL');
is(check(q{''}), '', 'empty');
is(check(q{E' \t\r\n\f '}), '', 'white space');
is(check(q{E'-- only\n/* comments /* nested */ */ -- at the end'}), '', 'comments');
is(check(q{repeat(';', 100000)}, 'count(*)'), '0', 'semicolons');

# what does not end
is(check(q{E'SELECT 1;\nSELECT ''x'}), "1||run\n2|syntax_error|refuse", 'quote that does not end');
is(check(q{'SELECT 1; SELECT "x'}), "1||run\n1|syntax_error|refuse", 'identifier that does not end');
is(check(q{E'DO $x$ BEGIN END; $y$;\nDROP TABLE t'}), "1|syntax_error|refuse\n1|syntax_error|refuse\n2|drop_table|run",
	'dollar quote that does not end; the rest is looked at');
is(check(q{E'SELECT 1;\nSELECT 2;\nSELECT 3;\n\n''x'}), "1||run\n2||run\n3||run\n5|syntax_error|refuse",
	'nothing is looked at twice');
is(check(q{E'SELECT 1; /* /* */\nDROP TABLE t'}), "1||run\n1|syntax_error|refuse", 'comment that does not end');
is(check(q{E'SELECT (1;\nDROP TABLE t;'}), "1|syntax_error|refuse\n2|drop_table|run", 'parenthesis that does not end');
is(check(q{'SELECT 1);DROP TABLE t'}), "1|syntax_error|refuse\n1|drop_table|run", 'parenthesis that does not begin');
is(check(q{E'SELECT E''\\\\'}), '1|syntax_error|refuse', 'backslash that does not end');
is(check(q{'""'}), '1|syntax_error|refuse', 'identifier without a character');
is(check(q{E'U&"\\\\d800"'}), '1|syntax_error|refuse', 'half a surrogate pair');

# semicolons inside statements
is( check(q{'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN 1 > 0 THEN 1 END; SELECT 2; END; DROP TABLE t'}),
	"1||run\n1|drop_table|run", 'body of SQL');
is( check(q{'CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2); DROP TABLE t'}, q{count(DISTINCT statement)}),
	'2', 'actions of a rule');
is( check(q{'BEGIN; SELECT CASE WHEN true THEN 1 END; END; DROP TABLE t'}, q{count(DISTINCT statement)}),
	'4', 'BEGIN and END of a transaction');

# names
is( check(q{'DROP TABLE "Ünï ""t;"; ALTER TABLE "Ünï ""t;" DROP COLUMN "Sp alte"'}, q{rule || '|' || coalesce(object, message)}),
	qq{drop_table|table "public.Ünï "t;"\nundefined_object|relation "Ünï "t;" does not exist}, 'quoted names that are not ASCII');
is(check(q{format('ALTER TABLE %I DROP COLUMN %I', repeat('x', 10000), repeat('y', 10000))}),
	'1|undefined_object|refuse', 'huge names');
is(check(q{'DROP TABLE nowhere.t, a.b.c.d; DROP TABLE t'}, q{count(*) FILTER (WHERE rule = 'drop_table')}),
	'1', 'names of too many parts');
is(check(q{format(E'CREATE TABLE n ("a\x01\x7f%s" int, b text DEFAULT ''%s'')', chr(8238), chr(65279))}), '1||run',
	'control characters');

# what psql would not send
is(check(q{E'\\\\set x 1\nDROP TABLE t;'}, q{max(line) || '|' || bool_or(rule = 'drop_table')}), '2|true', 'backslash command');
is(check(q{E'COPY t FROM STDIN;\n1\tit''s\n\\\\.\nDROP TABLE t;'}, q{min(line) || '|' || (count(*) > 1)}), '1|true', 'data of COPY');

# deep and wide
for my $depth (1000, 100_000)
{
	like(check(qq{'SELECT ' || repeat('(', $depth) || '1' || repeat(')', $depth)}),
		qr/^1\|(syntax_error|invalid_statement)?\|/, "$depth parentheses");
	like(check(qq{'ALTER TABLE t ADD COLUMN n int DEFAULT 1' || repeat(' + 1', $depth)}),
		qr/^1\|\w*\|(run|refuse)/, "a sum of $depth terms");
	like(check(qq{'ALTER TABLE t ADD CHECK (' || repeat('NOT ', $depth) || 'true)'}),
		qr/^1\|\w*\|(run|rewrite|refuse)/, "$depth negations");
	like(check(qq{'CREATE VIEW v AS SELECT 1' || repeat(' UNION SELECT 1', $depth)}),
		qr/^1\|\w*\|(run|refuse)/, "a union of $depth");
}
is(check(q{repeat('/*', 1000)}), '1|syntax_error|refuse', 'nested comments');
is(check(q{(SELECT 'CREATE TABLE n (' || string_agg('c' || i || ' int', ', ') || ')' FROM generate_series(1, 20000) i)}),
	'1||run', 'a table of 20000 columns');
is(check(q{(SELECT 'ALTER TABLE t ' || string_agg('ADD COLUMN c' || i || ' int', ', ') FROM generate_series(1, 5000) i)}, q{DISTINCT verdict}),
	'run', '5000 actions');
is(check(q{'SELECT ''' || repeat('x', 5000000) || ''''}), '1||run', 'one statement of 5 MB');
is(check(q{'SELECT ' || repeat('1,', 2500000) || '1'}), '1||run', 'one list of 5 MB');
is(check(q{repeat('ALTER TABLE t ADD COLUMN n int; ', 330000)}, q{count(*) || '|' || max(statement)}),
	'330000|330000', 'a script of 10 MB');
is(check(q{repeat(E'DROP TABLE t;\n''\n', 500)}, 'count(*) > 200'), 't', 'many quotes that do not end');
is(check(q{repeat(E'SELECT (1;\n', 100000)}, 'count(*) > 100'), 't', 'many parentheses that do not end');

# every byte, in a database that takes any
$node->safe_psql('postgres', q{CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$node->safe_psql('bytes', 'CREATE EXTENSION zdm; CREATE TABLE t (a int)');
is( check(q{(SELECT convert_from(string_agg(set_byte('\x00', 0, i), ''), 'SQL_ASCII') FROM generate_series(1, 255) i)},
		'count(*) > 0', 'bytes'),
	't', 'every byte');
is( check(q{convert_from('\x44524f50205441424c4520742c2022ff80c3282022', 'SQL_ASCII')}, 'rule', 'bytes'),
	"drop_table\nundefined_object", 'names that are no characters');

# the other functions
sub sqlstate
{
	my ($sql) = @_;
	my $stderr = '';

	$node->psql('postgres', $sql, stderr => \$stderr, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	return $stderr =~ /ERROR:\s+(\w{5})/ ? $1 : $stderr;
}
is(sqlstate(q{SELECT zdm_explain(NULL)}), '', 'NULL explained');
is(sqlstate(q{SELECT zdm_explain('')}), '22023', 'nothing explained');
is(sqlstate(q{SELECT zdm_explain('SELECT 1; SELECT 2')}), '22023', 'two statements explained');
is(sqlstate(q{SELECT zdm_explain('no such statement')}), '42601', 'no statement explained');
is(sqlstate(q{SELECT zdm_explain('SELECT ' || repeat('(', 1000000))}), '42601', 'deep statement explained');
is(sqlstate(q{SELECT zdm_explain('DROP TABLE nowhere')}), '42704', 'unknown table explained');
is(sqlstate(q{SELECT zdm_begin_window(NULL)}), '22004', 'window without a name');
is(sqlstate(q{SELECT zdm_begin_window('')}), '22023', 'window with an empty name');
is(sqlstate(q{SELECT zdm_begin_window('w', 'maybe')}), '22023', 'unknown on_unsafe');
is(sqlstate(q{SELECT zdm_begin_window('w', NULL)}), '22004', 'no on_unsafe');
is(sqlstate(q{SELECT zdm_begin_window('w', quiet_period => '-1 day')}), '22023', 'negative quiet period');
is(sqlstate(q{SELECT zdm_begin_window('w', quiet_period => NULL)}), '22004', 'no quiet period');
is(sqlstate(q{SELECT zdm_end_window()}), 'ZDM02', 'nothing to end');
is(sqlstate(q{SELECT zdm_end_window('nowhere')}), 'ZDM02', 'unknown window to end');
is(sqlstate(q{SELECT zdm_abort_window(repeat('x', 100000))}), 'ZDM02', 'huge name to abort');
is(sqlstate(q{SELECT * FROM zdm_window_status('nowhere')}), 'ZDM02', 'unknown window to ask for');
is(sqlstate(q{SELECT zdm_begin_window(E'q"u''o\n%s %n;\u00fc', old_clients => '%\')}), '22025', 'a pattern that ends in an escape');
is(sqlstate(q{SELECT zdm_begin_window(E'q"u''o\n%s %n;\u00fc', old_clients => '%_"%')}), '', 'odd name');
is(sqlstate(q{DROP TABLE t}), 'ZDM01', 'refused under the odd name');
is(sqlstate(q{SELECT zdm_begin_window(E'q"u''o\n%s %n;\u00fc')}), 'ZDM02', 'the same name twice');
is(sqlstate(q{SET zdm."window" = 'nowhere'; DROP TABLE t}), 'ZDM02', 'session in a window that is not open');
is(sqlstate(q{SELECT zdm_abort_window(force => true)}), '', 'ended');

is(sqlstate($_), '22023', $_)
  for q{SET zdm.rules = 'no_such_rule=off'}, q{SET zdm.rules = 'drop_table'}, q{SET zdm.rules = 'drop_table=maybe'},
	q{SET zdm.rules = ','}, q{SET zdm.rules = '=off'}, q{SET zdm.allow = 'no_such_rule'}, q{SET zdm.allow = 'drop_table,,'},
	q{SET zdm.mode = 'maybe'}, q{SET zdm.lock_timeout = 0}, q{SET zdm.lock_timeout = '-1'}, q{SET zdm.lock_wait_max = 'long'},
	q{SET zdm.small_table = '-1'}, q{SET zdm.max_dml_rows = -1};
is(sqlstate(q{SET zdm.no_such_setting = 1}), '42602', 'unknown setting');

# none of it ended a session the hard way, or left anything behind
my $log = slurp_file($node->logfile);
unlike($log, qr/was terminated by|PANIC:|TRAP:|still active|reference leak/, 'no crash and no leak');
$node->stop;
done_testing();
