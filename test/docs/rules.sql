-- One example for each rule, for docs/rules.md.  "-- # title" begins a group,
-- "-- rule" an example, "-- rule 15-17" or "-- rule 18-" one for some server
-- versions.

-- # Indexes
-- create_index
CREATE INDEX orders_total_idx ON orders (total);
-- drop_index
DROP INDEX customer_company_idx;
-- drop_index_in_window
DROP INDEX CONCURRENTLY customer_company_idx;
-- reindex
REINDEX INDEX customer_company_idx;
-- concurrently_in_transaction
BEGIN;
CREATE INDEX CONCURRENTLY orders_total_idx ON orders (total);
-- concurrently_unsupported
CREATE INDEX CONCURRENTLY event_at_idx ON event (at);
-- invalid_index
CREATE INDEX CONCURRENTLY IF NOT EXISTS customer_rating_idx ON customer (rating);
-- replace_index
BEGIN;
DROP INDEX customer_company_idx;
CREATE INDEX customer_company_lower_idx ON customer (lower(company_name));
-- # Adding columns
-- add_column_volatile_default
ALTER TABLE customer ADD COLUMN token uuid DEFAULT gen_random_uuid();
-- add_column_auto_increment 15-17
ALTER TABLE payment ADD COLUMN id bigserial;
-- add_column_auto_increment 18-
ALTER TABLE payment ADD COLUMN id bigserial;
-- add_column_generated_stored 15-17
ALTER TABLE orders ADD COLUMN tax numeric GENERATED ALWAYS AS (total * 0.2) STORED;
-- add_column_generated_stored 18-
ALTER TABLE orders ADD COLUMN tax numeric GENERATED ALWAYS AS (total * 0.2) STORED;
-- add_column_constrained_domain
ALTER TABLE customer ADD COLUMN stars positive DEFAULT 1;
-- add_column_inline_check
ALTER TABLE customer ADD COLUMN stars integer DEFAULT 1 CHECK (stars BETWEEN 1 AND 5);
-- add_required_column 15-17
ALTER TABLE customer ADD COLUMN region text NOT NULL;
-- add_required_column 18-
ALTER TABLE customer ADD COLUMN region text NOT NULL;
-- drop_default_on_required_column
ALTER TABLE customer ALTER COLUMN plan DROP DEFAULT;
-- add_column_json
ALTER TABLE customer ADD COLUMN settings json;
-- prepared_plan_invalidation
ALTER TABLE customer ADD COLUMN region text;
-- # Constraints
-- set_not_null 15-17
ALTER TABLE customer ALTER COLUMN rating SET NOT NULL;
-- set_not_null 18-
ALTER TABLE customer ALTER COLUMN rating SET NOT NULL;
-- add_check_constraint
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0);
-- add_foreign_key
ALTER TABLE payment ADD CONSTRAINT payment_order_fk FOREIGN KEY (order_id) REFERENCES orders (id);
-- add_unique_constraint
ALTER TABLE customer ADD CONSTRAINT customer_email_key UNIQUE (email);
-- add_primary_key
ALTER TABLE event_2026 ADD PRIMARY KEY (at);
-- primary_key_nullable_index 15-17
ALTER TABLE payment ADD CONSTRAINT payment_pkey PRIMARY KEY USING INDEX payment_order_id_idx;
-- primary_key_nullable_index 18-
ALTER TABLE payment ADD CONSTRAINT payment_pkey PRIMARY KEY USING INDEX payment_order_id_idx;
-- add_exclusion_constraint
ALTER TABLE orders ADD CONSTRAINT one_per_moment EXCLUDE USING btree (created_at WITH =);
-- validate_while_locked
BEGIN;
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;
-- enforce_constraint 18-
ALTER TABLE parcel ALTER CONSTRAINT parcel_country_fk ENFORCED;
-- constraint_rejects_old_writers
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;
-- foreign_key_without_index
ALTER TABLE orders ADD CONSTRAINT orders_total_fk FOREIGN KEY (total) REFERENCES invoice (total) NOT VALID;
-- mismatched_foreign_key_type
ALTER TABLE customer ADD CONSTRAINT customer_rating_fk FOREIGN KEY (rating) REFERENCES orders (id) NOT VALID;
-- multiple_foreign_keys
BEGIN;
ALTER TABLE payment ADD CONSTRAINT payment_order_fk FOREIGN KEY (order_id) REFERENCES orders (id) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT orders_owner_fk FOREIGN KEY (customer_id) REFERENCES customer (id) NOT VALID;
-- drop_constraint
ALTER TABLE payment DROP CONSTRAINT payment_limit;
-- domain_constraint
ALTER DOMAIN percent ADD CONSTRAINT percent_range CHECK (VALUE BETWEEN 0 AND 100);
-- # Changing columns
-- alter_column_type
ALTER TABLE customer ALTER COLUMN rating TYPE bigint;
-- alter_column_type_index_rebuild
ALTER TABLE customer ALTER COLUMN company_name TYPE text COLLATE "C";
-- alter_column_type_recheck
ALTER TABLE payment ALTER COLUMN amount TYPE numeric(12,2);
-- alter_column_type_in_window
ALTER TABLE country ALTER COLUMN name TYPE varchar(40);
-- set_generated_expression 17-
ALTER TABLE invoice ALTER COLUMN tax SET EXPRESSION AS (total * 0.21);
-- drop_not_null
ALTER TABLE customer ALTER COLUMN email DROP NOT NULL;
-- change_column_default
ALTER TABLE customer ALTER COLUMN plan SET DEFAULT 'trial';
-- # Taking away and renaming
-- drop_column
ALTER TABLE customer DROP COLUMN company_name;
-- drop_column_drops_index
ALTER TABLE customer DROP COLUMN phone;
-- drop_table
DROP TABLE orders;
-- recreate_table
BEGIN;
DROP TABLE orders;
CREATE TABLE orders (id bigint PRIMARY KEY);
-- drop_schema_database
DROP SCHEMA reporting CASCADE;
-- drop_object_in_use
DROP VIEW active_customer;
-- rename_column
ALTER TABLE customer RENAME COLUMN plan TO tariff;
-- rename_table
ALTER TABLE customer RENAME TO client;
-- rename_schema
ALTER SCHEMA reporting RENAME TO statistics;
-- rename_enum_value
ALTER TYPE order_status RENAME VALUE 'paid' TO 'settled';
-- rename_object
ALTER FUNCTION tax(numeric) RENAME TO vat;
-- # Whole tables
-- set_logged_unlogged
ALTER TABLE customer SET UNLOGGED;
-- set_tablespace
ALTER TABLE customer SET TABLESPACE fast_disk;
-- set_access_method
ALTER TABLE customer SET ACCESS METHOD columnar;
-- vacuum_full_cluster
VACUUM FULL customer;
-- refresh_materialized_view
REFRESH MATERIALIZED VIEW order_totals;
-- attach_partition
ALTER TABLE event ATTACH PARTITION event_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
-- create_partition_of
CREATE TABLE event_2027 PARTITION OF event FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
-- detach_partition
ALTER TABLE metric DETACH PARTITION metric_2025;
-- detach_partition_in_window
ALTER TABLE metric DETACH PARTITION metric_2025 CONCURRENTLY;
-- truncate
TRUNCATE payment;
-- bulk_dml
BEGIN;
ALTER TABLE customer ADD COLUMN region text;
UPDATE customer SET region = 'eu';
-- # Other objects
-- enum_value_same_transaction
BEGIN;
ALTER TYPE order_status ADD VALUE 'returned';
ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'returned';
-- add_enum_value
ALTER TYPE order_status ADD VALUE 'returned';
-- trigger_change
CREATE TRIGGER customer_stamp BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION stamp();
-- security_change
REVOKE SELECT ON customer FROM app;
-- create_or_replace_view
CREATE OR REPLACE VIEW active_customer AS SELECT id, email FROM customer WHERE plan = 'paid';
-- create_or_replace_function
CREATE OR REPLACE FUNCTION tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 0.21';
-- publish_without_identity
CREATE PUBLICATION app FOR TABLE payment;
-- create_extension
ALTER EXTENSION plpgsql UPDATE;
-- # Transactions and locks
-- statement_after_access_exclusive
BEGIN;
ALTER TABLE customer ADD COLUMN region text;
UPDATE orders SET total = 0 WHERE id = 7;
-- wide_lock_window
BEGIN;
ALTER TABLE customer ADD COLUMN region text;
ALTER TABLE payment ADD COLUMN currency text;
-- multiple_alter_table
BEGIN;
ALTER TABLE payment ALTER COLUMN amount SET NOT NULL;
ALTER TABLE payment ADD CONSTRAINT payment_amount_check CHECK (amount >= 0);
-- explicit_lock
LOCK TABLE orders IN ACCESS EXCLUSIVE MODE;
-- other_access_exclusive
ALTER TABLE customer REPLICA IDENTITY FULL;
-- noop_ddl_takes_lock
CREATE INDEX IF NOT EXISTS customer_company_idx ON customer (company_name);
-- blocked_by_long_transaction
ALTER TABLE draft ADD COLUMN author text;
