# Copyright (c) 2026, the zdm developers

# A deployment in a window that defers: the migration is plain DDL, clients of
# the old version run from before it until the window is to end, clients of the
# new one from after it until after the end.  Nobody meets an error, nobody
# waits long, and in the end the catalogs are what the plain migration makes of
# them; or, if the window is aborted, what they were at the start.
#
#   ZDM_PROMISES='drop_(mandatory|optional)' ZDM_TAP=test/t/095_promises.pl test/bin/run-suites tap
#
# runs the cases whose names match.  ZDM_PROMISES_AT_ONCE says how many
# deployments run at the same time, each in a database of its own.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZdmCatalog qw(differences);
use ZdmPromises qw(start_node run_all $bound);

# What a version does with a table that has the columns of "item".
sub uses
{
	my ($table, %write) = @_;
	my @columns = ('id', sort keys %write);
	my $columns = join(', ', @columns);
	my $values = join(', ', ':id', map { $write{$_} } sort keys %write);
	my $row = join(' AND ', map { "$_ = $write{$_}" } sort keys %write);
	my $set = join(', ', map { "$_ = excluded.$_" } sort keys %write);

	return [
		"INSERT INTO $table ($columns) VALUES ($values)",
		"SELECT load.expect(count(*) = 1, 'a row written') FROM $table WHERE id = :id AND $row",
		"UPDATE $table SET amount = amount + 1 WHERE id = :id RETURNING $columns",
		"INSERT INTO $table ($columns) VALUES ($values) ON CONFLICT (id) DO UPDATE SET $set",
		"SELECT $columns FROM $table WHERE id BETWEEN :k AND :k + 10 ORDER BY id",
		"UPDATE $table SET amount = amount + 1 WHERE id = :k",
		"SELECT load.expect(count(*) = 1, 'still one row') FROM $table WHERE id = :id",
		"SELECT id FROM $table WHERE id = :id FOR UPDATE",
		"DELETE FROM $table WHERE id = :id AND id % 3 = 0" ];
}

my %all = (code => "'c'", label => "'l'", kind => "'k'", amount => 1, ref => ':k');
my @without_code = map { $_ => $all{$_} } grep { $_ ne 'code' } keys %all;
my @without_label = map { $_ => $all{$_} } grep { $_ ne 'label' } keys %all;
my @without_kind = map { $_ => $all{$_} } grep { $_ ne 'kind' } keys %all;
my $item = uses('item', %all);
my $event = [
	"INSERT INTO event (id, ref, note) VALUES (:id, :k, 'e')",
	"SELECT load.expect(count(*) = 1, 'a row written') FROM event WHERE id = :id AND note = 'e'",
	"SELECT id, note FROM event WHERE id = :k",
	"UPDATE event SET note = note WHERE id = :k" ];

my @cases = (

	# The cheat sheet
	{
		name => 'mandatory_to_optional',
		ddl => ['ALTER TABLE item ALTER COLUMN code DROP NOT NULL'],
		old => $item,
		new => [ @{ uses('item', @without_code) }, 'SELECT code FROM item WHERE code IS NULL LIMIT 1' ],
		true => 'EXISTS (SELECT FROM item WHERE code IS NULL)',
		loses => 'NULL',
		restore => "UPDATE item SET code = '' WHERE code IS NULL",
	},
	{
		name => 'add_optional',
		ddl => ['ALTER TABLE item ADD COLUMN note text'],
		old => $item,
		new => uses('item', %all, note => "'n'"),
		true => q{EXISTS (SELECT FROM item WHERE note = 'n')},
		loses => 'note',
		restore => 'UPDATE item SET note = NULL',
	},
	{
		name => 'drop_optional',
		ddl => ['ALTER TABLE item DROP COLUMN ref'],
		old => $item,
		new => uses('item', map { $_ => $all{$_} } grep { $_ ne 'ref' } keys %all),
	},
	{
		name => 'optional_to_mandatory',
		ddl => ['ALTER TABLE item ALTER COLUMN label SET NOT NULL'],
		old => uses('item', @without_label),
		new => $item,
		in_the_way => 'label',
		clear => "UPDATE item SET label = '' WHERE label IS NULL",
		true => q{EXISTS (SELECT FROM item WHERE label = '')},
	},
	{
		name => 'add_mandatory',
		ddl => ['ALTER TABLE item ADD COLUMN region text NOT NULL'],
		plain => [ 'ALTER TABLE item ADD COLUMN region text', q{UPDATE item SET region = 'r'}, 'ALTER TABLE item ALTER COLUMN region SET NOT NULL' ],
		old => $item,
		new => uses('item', %all, region => "'r'"),
		in_the_way => 'region',
		clear => "UPDATE item SET region = '' WHERE region IS NULL",
		loses => 'region',
		restore => 'UPDATE item SET region = NULL',
	},
	{
		name => 'drop_mandatory',
		ddl => ['ALTER TABLE item DROP COLUMN code'],
		old => $item,
		new => uses('item', @without_code),
		loses => 'NULL',
		restore => "UPDATE item SET code = '' WHERE code IS NULL",
	},
	{
		name => 'rename_table',
		ddl => ['ALTER TABLE item RENAME TO product'],
		old => $item,
		new => uses('product', %all),
	},
	{
		name => 'rename_mandatory_column',
		ddl => ['ALTER TABLE item RENAME COLUMN code TO sku'],
		old => $item,
		refused => 'ZDM01',
	},
	{
		name => 'rename_optional_column',
		ddl => ['ALTER TABLE item RENAME COLUMN label TO title'],
		old => $item,
		refused => 'ZDM01',
	},

	# Indexes
	{
		name => 'create_index',
		ddl => ['CREATE INDEX ON item (kind, lower(code)) WHERE amount > 0'],
		old => $item,
		new => $item,
	},
	{
		name => 'create_index_partitioned',
		ddl => ['CREATE INDEX event_note ON event (note)'],
		old => $event,
		new => $event,
	},
	{
		name => 'create_unique_index',
		ddl => ['CREATE UNIQUE INDEX item_code ON item (code)'],
		old => $item,
		new => uses('item', %all, code => "'c' || :id"),
		in_the_way => 'code',
		clear => "UPDATE item SET code = 'unique ' || id WHERE code = 'c'",
	},
	{
		name => 'create_unique_index_on_new_column',
		ddl => [ 'ALTER TABLE item ADD COLUMN slug text', 'CREATE UNIQUE INDEX item_slug ON item (slug)' ],
		old => $item,
		new => uses('item', %all, slug => "'s' || :id"),
		loses => 'slug',
		restore => 'UPDATE item SET slug = NULL',
	},
	{
		name => 'add_unique',
		ddl => ['ALTER TABLE item ADD CONSTRAINT item_code UNIQUE (code, amount)'],
		old => $item,
		new => uses('item', %all, code => "'c' || :id"),
		in_the_way => 'code',
		clear => "UPDATE item SET code = 'unique ' || id WHERE code = 'c'",
	},
	{
		name => 'add_primary_key',
		fixture => 'CREATE TABLE nokey (a bigint, b bigint); INSERT INTO nokey SELECT i, i FROM generate_series(1, 200) i;',
		ddl => ['ALTER TABLE nokey ADD PRIMARY KEY (a)'],
		old => [ 'INSERT INTO nokey (b) VALUES (:id)', 'UPDATE nokey SET b = b + 1 WHERE a = :k' ],
		new => [ 'INSERT INTO nokey (a, b) VALUES (:id, :id)', 'UPDATE nokey SET b = b + 1 WHERE a = :id' ],
		in_the_way => 'nokey',
		clear => 'DELETE FROM nokey WHERE a IS NULL',
	},
	{
		name => 'drop_index',
		ddl => ['DROP INDEX item_label'],
		old => $item,
		new => $item,
	},
	{
		name => 'drop_and_create_index',
		ddl => [ 'DROP INDEX item_label', 'CREATE INDEX item_label ON item (label, kind)' ],
		old => $item,
		new => $item,
	},
	{
		name => 'reindex',
		same => 1,
		ddl => [ 'REINDEX INDEX item_label', 'REINDEX TABLE item' ],
		old => $item,
		new => $item,
	},
	{
		name => 'refresh',
		same => 1,
		fixture => 'CREATE MATERIALIZED VIEW summary AS SELECT id, label FROM item; CREATE UNIQUE INDEX ON summary (id);',
		ddl => ['REFRESH MATERIALIZED VIEW summary'],
		old => [ @$item, 'SELECT label FROM summary WHERE id = :k' ],
		new => [ @$item, 'SELECT label FROM summary WHERE id = :k' ],
	},

	# Partitions
	{
		name => 'detach_partition',
		ddl => ['ALTER TABLE event DETACH PARTITION event_1'],
		old => [ @$event, q{SELECT load.expect(count(*) = 1, 'a row of the partition') FROM event WHERE id = :k} ],
		new => [ @$event[ 0, 1 ], 'SELECT FROM event_1 WHERE id = :k' ],
	},
	{
		name => 'attach_partition',
		fixture => 'CREATE TABLE event_3 (id bigint NOT NULL, ref int, note text); INSERT INTO event_3 SELECT 3000000 + i, i FROM generate_series(1, 200) i;',
		ddl => ['ALTER TABLE event ATTACH PARTITION event_3 FOR VALUES FROM (3000000) TO (4000000)'],
		old => [ @$event, 'UPDATE event_3 SET ref = ref + 1 WHERE id = 3000000 + :k' ],
		new => [ @$event, q{SELECT load.expect(count(*) = 1, 'a row of the partition') FROM event WHERE id = 3000000 + :k} ],
	},
	{
		name => 'create_partition',
		ddl => ['CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM (3000000) TO (4000000)'],
		old => $event,
		new => [ @$event, q{INSERT INTO event (id, note) VALUES (2000000 + :id, 'new')} ],
		loses => 'event_3',
		restore => 'DELETE FROM event WHERE id >= 3000000',
	},
	{
		name => 'create_partition_beside_default',
		fixture => 'CREATE TABLE event_rest PARTITION OF event DEFAULT; INSERT INTO event VALUES (9000000);',
		ddl => ['CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM (3000000) TO (4000000)'],
		old => $event,
		new => $event,
	},

	# Constraints
	{
		name => 'add_check',
		ddl => ['ALTER TABLE item ADD CONSTRAINT item_positive CHECK (amount > 0)'],
		old => uses('item', %all, amount => -7),
		new => $item,
		in_the_way => 'amount',
		clear => 'UPDATE item SET amount = 1 WHERE amount <= 0',
	},
	{
		name => 'add_foreign_key',
		ddl => ['ALTER TABLE item ADD FOREIGN KEY (ref) REFERENCES parent'],
		old => [ @{ uses('item', %all, ref => ':k + 1000') }, 'INSERT INTO parent (id) VALUES (:id)', 'DELETE FROM parent WHERE id = :id' ],
		new => [ @$item, 'UPDATE parent SET note = note WHERE id = :k' ],
		in_the_way => 'ref',
		clear => 'UPDATE item SET ref = NULL WHERE ref > 200',
	},
	{
		name => 'add_foreign_key_partitioned',
		ddl => ['ALTER TABLE event ADD CONSTRAINT event_parent FOREIGN KEY (ref) REFERENCES parent'],
		old => $event,
		new => $event,
	},
	{
		name => 'constraints_on_new_column',
		ddl => [
			'ALTER TABLE item ADD COLUMN size int',
			'ALTER TABLE item ADD CONSTRAINT item_size CHECK (size > 0)',
			'ALTER TABLE item ADD CONSTRAINT item_size_ref FOREIGN KEY (size) REFERENCES parent DEFERRABLE INITIALLY DEFERRED',
			'ALTER TABLE item ADD CONSTRAINT item_size_unique UNIQUE (size, id)' ],
		old => $item,
		new => uses('item', %all, size => ':k'),
		loses => 'size',
		restore => 'UPDATE item SET size = NULL',
	},
	{
		name => 'drop_constraint',
		fixture => 'ALTER TABLE item ADD CONSTRAINT item_code UNIQUE (code, id), ADD CONSTRAINT item_amount CHECK (amount >= 0)',
		ddl => [ 'ALTER TABLE item DROP CONSTRAINT item_code', 'ALTER TABLE item DROP CONSTRAINT item_amount' ],
		old => [ @$item, q{INSERT INTO item (id, code) VALUES (:id, 'c') ON CONFLICT (code, id) DO NOTHING} ],
		new => $item,
	},
	{
		name => 'set_not_null_partitioned',
		ddl => ['ALTER TABLE event ALTER COLUMN note SET NOT NULL'],
		old => $event,
		new => $event,
	},

	# Columns
	{
		name => 'add_column_default',
		ddl => [q{ALTER TABLE item ADD COLUMN state text NOT NULL DEFAULT 'fresh'}],
		old => [ @$item, q{SELECT state_of(:k)} ],
		fixture => q{CREATE FUNCTION state_of(int) RETURNS text LANGUAGE sql AS $$ SELECT 'none' $$;},
		new => uses('item', %all, state => "'s'"),
		loses => 'state',
		restore => "UPDATE item SET state = 'fresh'",
	},
	{
		name => 'add_then_drop_default',
		ddl => [ q{ALTER TABLE item ADD COLUMN state text DEFAULT 'fresh' NOT NULL}, 'ALTER TABLE item ALTER COLUMN state DROP DEFAULT' ],
		old => $item,
		new => uses('item', %all, state => "'s'"),
		true => q{EXISTS (SELECT FROM item WHERE id > 200 AND state = 'fresh')},
		loses => 'state',
		restore => "UPDATE item SET state = 'fresh'",
	},
	{
		name => 'add_column_volatile_default',
		ddl => ['ALTER TABLE item ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()'],
		old => $item,
		new => [ @$item, 'SELECT token FROM item WHERE id = :k', 'UPDATE item SET token = gen_random_uuid() WHERE id = :id' ],
		true => '(SELECT count(*) = count(DISTINCT token) FROM item)',
		loses => 'token',
		restore => 'ALTER TABLE item DROP COLUMN token',
	},
	{
		name => 'add_column_serial',
		ddl => ['ALTER TABLE item ADD COLUMN n bigserial'],
		old => $item,
		new => [ @$item, 'SELECT n FROM item WHERE id = :k' ],
		true => '(SELECT count(*) = count(DISTINCT n) FROM item)',
		loses => 'column n|Column n',
		restore => 'ALTER TABLE item DROP COLUMN n',
	},
	{
		name => 'add_column_identity',
		ddl => ['ALTER TABLE item ADD COLUMN n int GENERATED BY DEFAULT AS IDENTITY'],
		old => $item,
		new => [ @$item, 'SELECT n FROM item WHERE id = :k' ],
		true => '(SELECT count(*) = count(DISTINCT n) FROM item)',
		loses => 'column n|Column n',
		restore => 'ALTER TABLE item DROP COLUMN n',
	},
	{
		name => 'add_column_inline_constraints',
		ddl => ['ALTER TABLE item ADD COLUMN size int DEFAULT 5 CHECK (size > 0) REFERENCES parent ON DELETE SET NULL'],
		old => $item,
		new => uses('item', %all, size => ':k'),
		loses => 'size',
		restore => 'UPDATE item SET size = 5',
	},
	{
		name => 'add_column_references',
		ddl => ['ALTER TABLE item ADD COLUMN parent_id int NULL REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED', 'CREATE INDEX item_parent_id ON item (parent_id)'],
		old => $item,
		new => uses('item', %all, parent_id => ':k'),
		loses => 'parent_id',
		restore => 'UPDATE item SET parent_id = NULL',
	},
	{
		name => 'drop_column_with_default',
		ddl => ['ALTER TABLE item DROP COLUMN kind'],
		old => $item,
		new => uses('item', @without_kind),
		true => '(SELECT count(*) > 200 FROM item)',
	},
	{
		name => 'drop_column_with_index',
		ddl => ['ALTER TABLE item DROP COLUMN label'],
		old => $item,
		new => uses('item', @without_label),
	},
	{
		name => 'drop_column_with_constraints',
		fixture => 'ALTER TABLE item ADD FOREIGN KEY (ref) REFERENCES parent, ALTER COLUMN ref SET NOT NULL, ADD CHECK (ref > 0)',
		ddl => ['ALTER TABLE item DROP COLUMN ref'],
		old => $item,
		new => uses('item', map { $_ => $all{$_} } grep { $_ ne 'ref' } keys %all),
		loses => 'NULL',
		restore => 'UPDATE item SET ref = 1 WHERE ref IS NULL',
	},
	{
		name => 'drop_default',
		ddl => ['ALTER TABLE item ALTER COLUMN kind DROP DEFAULT'],
		old => uses('item', @without_kind),
		new => $item,
	},
	{
		name => 'set_default',
		ddl => [q{ALTER TABLE item ALTER COLUMN kind SET DEFAULT 'other'}],
		old => $item,
		new => $item,
	},
	{
		name => 'widen_type',
		fixture => q{ALTER TABLE item ADD COLUMN short varchar(10);
			RESET ROLE; DO $$ BEGIN EXECUTE format('ALTER ROLE deployer IN DATABASE %I SET zdm.small_table = ''8MB''', current_database()); END $$},
		ddl => ['ALTER TABLE item ALTER COLUMN short TYPE varchar(20)'],
		old => [ @$item, q{UPDATE item SET short = '0123456789' WHERE id = :k}, q{SELECT load.expect(short = '0123456789', 'short') FROM item WHERE id = :k} ],
		new => [ @$item, q{UPDATE item SET short = '01234567890123456789' WHERE id = :id} ],
		loses => 'short',
		restore => q{UPDATE item SET short = '0123456789' WHERE length(short) > 10},
	},
	{
		name => 'several_actions',
		ddl => [
			q{ALTER TABLE item ADD COLUMN note text, DROP COLUMN code, ALTER COLUMN label SET NOT NULL,
			  ALTER COLUMN kind SET DEFAULT 'other', ADD CHECK (amount > 0), ADD COLUMN state int NOT NULL DEFAULT 1}
		],
		old => $item,
		new => uses('item', @without_code, note => "'n'", state => 2),
		loses => 'NULL(.|\n)*note|note(.|\n)*NULL',
		restore => "UPDATE item SET note = NULL, state = 1, code = coalesce(code, '')",
	},

	{
		name => 'domain_check',
		fixture => q{CREATE DOMAIN short AS text; CREATE TABLE tag (id bigint PRIMARY KEY, t short); INSERT INTO tag VALUES (1, 'a');
			RESET ROLE; DO $$ BEGIN EXECUTE format('ALTER ROLE deployer IN DATABASE %I SET zdm.small_table = ''1MB''', current_database()); END $$},
		ddl => [q{ALTER DOMAIN short ADD CONSTRAINT short_length CHECK (length(value) < 10)}],
		old => [q{INSERT INTO tag VALUES (:id, 'more than ten characters')}],
		new => [q{INSERT INTO tag VALUES (:id, 'few')}],
		in_the_way => 'app\.tag',
		clear => q{UPDATE tag SET t = 'few' WHERE length(t) >= 10},
	},

	# Names
	{
		name => 'rename_view',
		fixture => 'CREATE VIEW listing AS SELECT id, code, label, kind, amount, ref FROM item',
		ddl => ['ALTER VIEW listing RENAME TO catalog'],
		old => [ @$item, 'SELECT id, label FROM listing WHERE id = :k', 'UPDATE listing SET label = label WHERE id = :k' ],
		new => [ @$item, 'SELECT id, label FROM catalog WHERE id = :k', 'UPDATE catalog SET label = label WHERE id = :k' ],
	},
	{
		name => 'set_schema',
		ddl => ['ALTER TABLE item SET SCHEMA elsewhere'],
		old => uses('app.item', %all),
		new => uses('elsewhere.item', %all),
	},
	{
		name => 'rename_and_go_on',
		ddl => [
			'ALTER TABLE item RENAME TO product',
			'ALTER TABLE product ADD COLUMN sku text',
			'CREATE INDEX product_sku ON product (sku)',
			'CREATE TABLE sale (id bigint PRIMARY KEY, product bigint REFERENCES product)',
			'CREATE VIEW skus AS SELECT id, sku FROM product' ],
		block => 1,
		old => $item,
		new => [ @{ uses('product', %all, sku => "'s'") }[ 0 .. 7 ], 'SELECT id, sku FROM skus WHERE id = :k', 'INSERT INTO sale VALUES (:id, :id)' ],
		loses => 'sale',
		restore => 'TRUNCATE sale; UPDATE item SET sku = NULL',
	},

	# Whole objects
	{
		name => 'create_table',
		ddl => [ 'CREATE TABLE sale (id bigint PRIMARY KEY, item bigint NOT NULL REFERENCES item ON DELETE CASCADE)', 'CREATE INDEX sale_item ON sale (item)' ],
		old => $item,
		new => [ 'INSERT INTO sale VALUES (:id, :k)', 'DELETE FROM sale WHERE id = :id AND id % 3 = 0' ],
		loses => 'sale',
		restore => 'TRUNCATE sale',
	},
	{
		name => 'drop_table',
		fixture => 'CREATE TABLE old_news (id bigserial PRIMARY KEY, item bigint REFERENCES item ON DELETE CASCADE, note text); INSERT INTO old_news (note) SELECT i FROM generate_series(1, 200) i;',
		ddl => ['DROP TABLE old_news'],
		old => [ q{INSERT INTO old_news (item, note) VALUES (:k, 'n')}, 'SELECT note FROM old_news WHERE id = :k', q{DELETE FROM old_news WHERE id = currval('old_news_id_seq')} ],
		new => $item,
	},
	{
		name => 'drop_table_cascade',
		fixture => 'ALTER TABLE item ADD FOREIGN KEY (ref) REFERENCES parent; CREATE VIEW parents AS SELECT id FROM parent;',
		ddl => ['DROP TABLE parent CASCADE'],
		old => [ @$item, 'SELECT id FROM parents WHERE id = :k', 'UPDATE parent SET note = note WHERE id = :k' ],
		new => $item,
	},
	{
		name => 'drop_view',
		fixture => 'CREATE VIEW listing AS SELECT id, label FROM item',
		ddl => ['DROP VIEW listing'],
		old => [ @$item, 'SELECT label FROM listing WHERE id = :k' ],
		new => $item,
	},
	{
		name => 'drop_function',
		fixture => 'CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS $$ SELECT 2 * $1 $$',
		ddl => ['DROP FUNCTION twice(int)'],
		old => [ @$item, 'SELECT twice(:k)' ],
		new => $item,
	},
	{
		name => 'drop_type',
		fixture => q{CREATE TYPE colour AS ENUM ('red', 'green')},
		ddl => ['DROP TYPE colour'],
		old => [ @$item, q{SELECT 'red'::colour} ],
		new => $item,
	},
	{
		name => 'drop_sequence',
		fixture => 'CREATE SEQUENCE numbers',
		ddl => ['DROP SEQUENCE numbers'],
		old => [ @$item, q{SELECT nextval('numbers')} ],
		new => $item,
	},
	{
		name => 'drop_schema',
		fixture => 'RESET ROLE; CREATE SCHEMA gone AUTHORIZATION deployer; SET ROLE deployer; CREATE TABLE gone.t (a int); INSERT INTO gone.t VALUES (1); GRANT USAGE ON SCHEMA gone TO app;',
		ddl => ['DROP SCHEMA gone CASCADE'],
		old => [ @$item, 'SELECT a FROM gone.t', 'INSERT INTO gone.t VALUES (:k)' ],
		new => $item,
	},
	{
		name => 'replace_view',
		fixture => 'CREATE VIEW listing AS SELECT id, label FROM item',
		ddl => [ 'DROP VIEW listing', 'CREATE VIEW listing AS SELECT id, label, kind FROM item' ],
		block => 1,
		old => [ @$item, 'SELECT id, label FROM listing WHERE id = :k' ],
		new => [ @$item, 'SELECT kind FROM listing WHERE id = :k' ],
	},
	{
		name => 'replace_function',
		fixture => 'CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS $$ SELECT 2 * $1 $$',
		ddl => [ 'DROP FUNCTION twice(int)', 'CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS $$ SELECT $1 + $1 $$' ],
		block => 1,
		old => [ @$item, 'SELECT load.expect(twice(:k::int) % 2 = 0, $$twice$$)' ],
		new => [ @$item, 'SELECT twice(:k::int)' ],
	},
	{
		name => 'create_or_replace',
		fixture => 'CREATE VIEW listing AS SELECT id, label FROM item; CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS $$ SELECT 2 * $1 $$',
		ddl => [ 'CREATE OR REPLACE VIEW listing AS SELECT id, upper(label) AS label, kind FROM item', 'CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE sql AS $$ SELECT $1 + $1 $$',
			'CREATE OR REPLACE VIEW twins AS SELECT id, twice(amount) AS t FROM item' ],
		old => [ @$item, 'SELECT id, label FROM listing WHERE id = :k', 'SELECT twice(:k::int)' ],
		new => [ @$item, 'SELECT label, kind FROM listing WHERE id = :k', 'SELECT t FROM twins WHERE id = :k' ],
	},
	{
		name => 'create_trigger',
		fixture => 'CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$',
		ddl => ['CREATE TRIGGER noted BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION noted()'],
		old => $item,
		new => $item,
	},
	{
		name => 'add_enum_value',
		fixture => q{CREATE TYPE colour AS ENUM ('red', 'green'); CREATE TABLE paint (id bigint, c colour)},
		ddl => [q{ALTER TYPE colour ADD VALUE 'blue'}],
		old => [q{INSERT INTO paint VALUES (:id, 'red')}],
		new => [q{INSERT INTO paint VALUES (:id, 'blue')}],
		endings => ['end'],
	},

	# Rights
	{
		name => 'revoke',
		ddl => [ 'REVOKE UPDATE, DELETE ON item FROM app' ],
		old => $item,
		new => [ q{INSERT INTO item (id, code) VALUES (:id, 'new')}, 'SELECT label FROM item WHERE id = :k' ],
		true => q{NOT has_table_privilege('app', 'item', 'UPDATE')},
	},
	{
		name => 'row_security',
		ddl => [ 'CREATE POLICY app_rows ON item FOR ALL TO app USING (id > 200)', 'ALTER TABLE item ENABLE ROW LEVEL SECURITY' ],
		old => [ @$item, q{SELECT load.expect(count(*) = 1, 'each row is seen') FROM item WHERE id = :k} ],
		new => [ q{INSERT INTO item (id, code) VALUES (:id, 'new')}, 'SELECT label FROM item WHERE id = :k' ],
	},
	{
		name => 'drop_policy',
		fixture => q{CREATE POLICY app_rows ON item TO app USING (true); CREATE POLICY more_rows ON item TO app USING (id > 5); ALTER TABLE item ENABLE ROW LEVEL SECURITY},
		ddl => ['DROP POLICY app_rows ON item'],
		old => [ @$item, q{SELECT load.expect(count(*) = 1, 'each row is seen') FROM item WHERE id = :k} ],
		new => [ q{INSERT INTO item (id, code) VALUES (:id, 'new')}, 'SELECT label FROM item WHERE id = :k' ],
	},
	{
		name => 'owner',
		fixture => 'RESET ROLE; GRANT CREATE, USAGE ON SCHEMA app TO auditor; SET ROLE deployer',
		ddl => ['ALTER TABLE parent OWNER TO auditor'],
		old => ['SELECT note FROM parent WHERE id = :k'],
		new => ['SELECT note FROM parent WHERE id = :k'],
	},

	# What is refused
	(
		map { { name => "refused_$_->[0]", ddl => [ $_->[1] ], fixture => $_->[2], old => $item, refused => 'ZDM01' } }
			[ type => 'ALTER TABLE item ALTER COLUMN amount TYPE text' ],
			[ truncate => 'TRUNCATE item' ],
			[ large_domain => q{ALTER DOMAIN short ADD CHECK (length(value) < 10)}, q{CREATE DOMAIN short AS text; CREATE TABLE tag (t short); INSERT INTO tag VALUES ('a')} ],
			[ rename_constraint => 'ALTER TABLE item RENAME CONSTRAINT item_pkey TO item_key' ],
			[ rename_function => 'ALTER FUNCTION twice(int) RENAME TO double', 'CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS $$ SELECT 2 * $1 $$' ],
			[ rename_sequence => 'ALTER SEQUENCE numbers RENAME TO ordinals', 'CREATE SEQUENCE numbers' ],
			[ rename_enum_value => q{ALTER TYPE colour RENAME VALUE 'red' TO 'rot'}, q{CREATE TYPE colour AS ENUM ('red', 'green')} ])
);

my $wanted = $ENV{ZDM_PROMISES} || '.';
@cases = grep { $_->{name} =~ /^(?:$wanted)/ } @cases;

# Each case without zdm; then its window ended, with the migration in a
# transaction block and with clients that keep transactions open, and aborted,
# with the migration in autocommit.  ZDM_PROMISES_ALL=1: both ends both ways.
my $node = start_node();
my $at_once = $ENV{ZDM_PROMISES_AT_ONCE} || 8;
my @plain = map { { case => $_, database => "$_->{name}_plain", ending => 'plain' } } @cases;
my %plain;
my @results = run_all($node, $at_once, @plain);

foreach my $i (0 .. $#plain)
{
	is(join("\n", @{ $results[$i]{complaints} }), '', "$cases[$i]{name}: runs without zdm");
	ok($cases[$i]{refused} || $cases[$i]{same} || differences($results[$i]{before}{catalog}, $results[$i]{after}{catalog}),
		"$cases[$i]{name}: changes the catalog");
	$plain{ $cases[$i]{name} } = $results[$i];
}

# The harness sees errors, stalls and differences.
my @unguarded = map { { case => $_, plain => $plain{ $_->{name} }, database => "$_->{name}_unguarded", ending => 'end', block => 1, rogues => 1, unguarded => 1 } }
  grep { $_->{name} =~ /^(add|drop)_optional$/ } @cases;
@results = run_all($node, $at_once, @unguarded);
foreach my $i (0 .. $#unguarded)
{
	my $complaints = join("\n", @{ $results[$i]{complaints} });

	cmp_ok($results[$i]{longest}, '>', $bound, "$unguarded[$i]{database}: a client waits for the open transaction");
	like($complaints, qr/a client met ERROR/, "$unguarded[$i]{database}: a client meets an error")
	  if $unguarded[$i]{case}{name} eq 'drop_optional';
}

sub run_of
{
	my ($case, $ending, $block) = @_;

	return {
		case => $case, plain => $plain{ $case->{name} }, ending => $ending, block => $block, rogues => $block,
		database => join('_', $case->{name}, $ending, $block ? 'block' : 'auto'),
	};
}

my @runs;
foreach my $case (@cases)
{
	my @endings = $case->{refused} ? qw(end) : @{ $case->{endings} // [qw(end abort)] };

	foreach my $ending (@endings)
	{
		my $block = $case->{block} || $ending eq 'end' ? 1 : 0;

		push @runs, run_of($case, $ending, $block);
		push @runs, run_of($case, $ending, !$block || 0) if $ENV{ZDM_PROMISES_ALL} && !$case->{block};
	}
}
@results = run_all($node, $at_once, @runs);

my $longest = 0;
foreach my $i (0 .. $#runs)
{
	my $result = $results[$i];
	my $messages = join('', @{ $result->{messages} // [] });

	note sprintf('%s: %.1f s, longest wait %d ms', $runs[$i]{database}, $result->{seconds} // 0, $result->{longest});
	is(join("\n", @{ $result->{complaints} }), '', "$runs[$i]{database}: the promises are kept") or diag($messages);
	$longest = $result->{longest} if $result->{longest} > $longest;
}
note "longest wait $longest ms";
$node->stop('fast');
done_testing();
