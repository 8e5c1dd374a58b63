/*-------------------------------------------------------------------------
 *
 * rules_list.h
 *	  The table of rules: ZDM_RULE(id, name, class, severity, description)
 *
 * Included several times with different definitions of ZDM_RULE, so there is
 * no include guard.  Grouped by kind of statement: it is the order of
 * docs/rules.md.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */

/* indexes */
ZDM_RULE(CREATE_INDEX, "create_index", LOCK, ERROR,
		 "CREATE INDEX blocks writes while it reads the whole table")
ZDM_RULE(DROP_INDEX, "drop_index", LOCK, ERROR,
		 "DROP INDEX takes ACCESS EXCLUSIVE on the table behind every running query")
ZDM_RULE(DROP_INDEX_IN_WINDOW, "drop_index_in_window", COMPAT, ERROR,
		 "the old version still relies on the index, for speed or for ON CONFLICT")
ZDM_RULE(REINDEX, "reindex", LOCK, ERROR,
		 "REINDEX blocks writes, and reads through the index, while it rebuilds")
ZDM_RULE(CONCURRENTLY_IN_TRANSACTION, "concurrently_in_transaction", LOCK, ERROR,
		 "a CONCURRENTLY form fails inside a transaction block or function")
ZDM_RULE(CONCURRENTLY_UNSUPPORTED, "concurrently_unsupported", LOCK, ERROR,
		 "PostgreSQL refuses CONCURRENTLY on this object")
ZDM_RULE(INVALID_INDEX, "invalid_index", LOCK, ERROR,
		 "IF NOT EXISTS would keep an INVALID index that an earlier build left behind")
ZDM_RULE(REPLACE_INDEX, "replace_index", LOCK, NOTE,
		 "an index is dropped before its replacement exists")

/* columns: adding */
ZDM_RULE(ADD_COLUMN_VOLATILE_DEFAULT, "add_column_volatile_default", LOCK, ERROR,
		 "a volatile default rewrites the table under ACCESS EXCLUSIVE")
ZDM_RULE(ADD_COLUMN_AUTO_INCREMENT, "add_column_auto_increment", LOCK, ERROR,
		 "a serial or identity column rewrites the table under ACCESS EXCLUSIVE")
ZDM_RULE(ADD_COLUMN_GENERATED_STORED, "add_column_generated_stored", LOCK, ERROR,
		 "a stored generated column rewrites the table under ACCESS EXCLUSIVE")
ZDM_RULE(ADD_COLUMN_CONSTRAINED_DOMAIN, "add_column_constrained_domain", LOCK, ERROR,
		 "a column of a domain with constraints rewrites the table under ACCESS EXCLUSIVE")
ZDM_RULE(ADD_COLUMN_INLINE_CHECK, "add_column_inline_check", LOCK, ERROR,
		 "a CHECK or NOT NULL that has to be proven for the new column reads the whole table under ACCESS EXCLUSIVE")
ZDM_RULE(ADD_REQUIRED_COLUMN, "add_required_column", COMPAT, ERROR,
		 "the old version's INSERT does not know the new column, and it has no default")
ZDM_RULE(DROP_DEFAULT_ON_REQUIRED_COLUMN, "drop_default_on_required_column", COMPAT, ERROR,
		 "the old version's INSERT relies on the default of a NOT NULL column")
ZDM_RULE(ADD_COLUMN_JSON, "add_column_json", COMPAT, NOTE,
		 "json has no equality: SELECT DISTINCT of the whole row begins to fail")
ZDM_RULE(PREPARED_PLAN_INVALIDATION, "prepared_plan_invalidation", COMPAT, OFF,
		 "a prepared SELECT * of a running client fails once after the columns change")

/* constraints */
ZDM_RULE(SET_NOT_NULL, "set_not_null", LOCK, ERROR,
		 "SET NOT NULL reads the whole table under ACCESS EXCLUSIVE unless a valid CHECK proves it")
ZDM_RULE(ADD_CHECK_CONSTRAINT, "add_check_constraint", LOCK, ERROR,
		 "a CHECK constraint reads the whole table under ACCESS EXCLUSIVE")
ZDM_RULE(ADD_FOREIGN_KEY, "add_foreign_key", LOCK, ERROR,
		 "a FOREIGN KEY reads the whole table while writes to both tables are blocked")
ZDM_RULE(ADD_UNIQUE_CONSTRAINT, "add_unique_constraint", LOCK, ERROR,
		 "a UNIQUE constraint builds its index under ACCESS EXCLUSIVE")
ZDM_RULE(ADD_PRIMARY_KEY, "add_primary_key", LOCK, ERROR,
		 "a PRIMARY KEY builds its index, and proves NOT NULL, under ACCESS EXCLUSIVE")
ZDM_RULE(PRIMARY_KEY_NULLABLE_INDEX, "primary_key_nullable_index", LOCK, ERROR,
		 "PRIMARY KEY USING INDEX over a nullable column reads the whole table under ACCESS EXCLUSIVE")
ZDM_RULE(ADD_EXCLUSION_CONSTRAINT, "add_exclusion_constraint", LOCK, ERROR,
		 "an EXCLUDE constraint builds its index under ACCESS EXCLUSIVE")
ZDM_RULE(VALIDATE_WHILE_LOCKED, "validate_while_locked", LOCK, ERROR,
		 "VALIDATE CONSTRAINT reads the whole table while the transaction holds a stronger lock")
ZDM_RULE(ENFORCE_CONSTRAINT, "enforce_constraint", LOCK, ERROR,
		 "ALTER CONSTRAINT ... ENFORCED reads the whole table under ACCESS EXCLUSIVE")
ZDM_RULE(CONSTRAINT_REJECTS_OLD_WRITERS, "constraint_rejects_old_writers", COMPAT, ERROR,
		 "the new constraint rejects rows that the old version may still write")
ZDM_RULE(FOREIGN_KEY_WITHOUT_INDEX, "foreign_key_without_index", LOCK, NOTE,
		 "no index begins with the referencing columns: each delete of a referenced row reads the table")
ZDM_RULE(MISMATCHED_FOREIGN_KEY_TYPE, "mismatched_foreign_key_type", LOCK, NOTE,
		 "the referencing column has a narrower type than the referenced one")
ZDM_RULE(MULTIPLE_FOREIGN_KEYS, "multiple_foreign_keys", LOCK, NOTE,
		 "one transaction blocks writes to several referenced tables at once")
ZDM_RULE(DROP_CONSTRAINT, "drop_constraint", COMPAT, ERROR,
		 "the old version may rely on the constraint, for ON CONFLICT or for what it forbids")
ZDM_RULE(DOMAIN_CONSTRAINT, "domain_constraint", LOCK, ERROR,
		 "a domain constraint reads every table that uses the domain while writes to them are blocked")

/* columns: changing */
ZDM_RULE(ALTER_COLUMN_TYPE, "alter_column_type", LOCK, ERROR,
		 "the type change rewrites the table and its indexes under ACCESS EXCLUSIVE")
ZDM_RULE(ALTER_COLUMN_TYPE_INDEX_REBUILD, "alter_column_type_index_rebuild", LOCK, ERROR,
		 "the type change keeps the rows but rebuilds an index under ACCESS EXCLUSIVE")
ZDM_RULE(ALTER_COLUMN_TYPE_RECHECK, "alter_column_type_recheck", LOCK, ERROR,
		 "the type change keeps the rows but checks a constraint again under ACCESS EXCLUSIVE")
ZDM_RULE(ALTER_COLUMN_TYPE_IN_WINDOW, "alter_column_type_in_window", COMPAT, ERROR,
		 "the old version reads or writes values that the new type does not have")
ZDM_RULE(SET_GENERATED_EXPRESSION, "set_generated_expression", LOCK, ERROR,
		 "a new expression of a stored generated column rewrites the table under ACCESS EXCLUSIVE")
ZDM_RULE(DROP_NOT_NULL, "drop_not_null", COMPAT, NOTE,
		 "the old version will read NULLs that the new version writes")
ZDM_RULE(CHANGE_COLUMN_DEFAULT, "change_column_default", COMPAT, WARN,
		 "rows that the old version inserts get the new default")

/* columns and tables: taking away, renaming */
ZDM_RULE(DROP_COLUMN, "drop_column", COMPAT, ERROR,
		 "the old version still reads or writes the column")
ZDM_RULE(DROP_COLUMN_DROPS_INDEX, "drop_column_drops_index", DATA, ERROR,
		 "indexes and constraints that also cover other columns go silently with the column")
ZDM_RULE(DROP_TABLE, "drop_table", COMPAT, ERROR,
		 "the old version still reads or writes the table")
ZDM_RULE(RECREATE_TABLE, "recreate_table", DATA, ERROR,
		 "a table is dropped and created again: its rows are lost")
ZDM_RULE(DROP_SCHEMA_DATABASE, "drop_schema_database", COMPAT, ERROR,
		 "everything in the schema or database goes, whoever uses it")
ZDM_RULE(DROP_OBJECT_IN_USE, "drop_object_in_use", COMPAT, ERROR,
		 "the old version may still use the view, function, type, sequence or trigger")
ZDM_RULE(RENAME_COLUMN, "rename_column", COMPAT, ERROR,
		 "the old version still uses the old name of the column")
ZDM_RULE(RENAME_TABLE, "rename_table", COMPAT, ERROR,
		 "the old version still uses the old name of the table or view")
ZDM_RULE(RENAME_SCHEMA, "rename_schema", COMPAT, ERROR,
		 "the old version still uses the old schema name")
ZDM_RULE(RENAME_ENUM_VALUE, "rename_enum_value", COMPAT, ERROR,
		 "the old version still reads and writes the old enum value")
ZDM_RULE(RENAME_OBJECT, "rename_object", COMPAT, ERROR,
		 "the old version still uses the old name of the function, type, sequence or constraint")

/* whole tables */
ZDM_RULE(SET_LOGGED_UNLOGGED, "set_logged_unlogged", LOCK, ERROR,
		 "SET LOGGED and SET UNLOGGED rewrite the table under ACCESS EXCLUSIVE")
ZDM_RULE(SET_TABLESPACE, "set_tablespace", LOCK, ERROR,
		 "SET TABLESPACE copies the table or index under ACCESS EXCLUSIVE")
ZDM_RULE(SET_ACCESS_METHOD, "set_access_method", LOCK, ERROR,
		 "SET ACCESS METHOD rewrites the table under ACCESS EXCLUSIVE")
ZDM_RULE(VACUUM_FULL_CLUSTER, "vacuum_full_cluster", LOCK, ERROR,
		 "VACUUM FULL and CLUSTER rewrite the table under ACCESS EXCLUSIVE")
ZDM_RULE(REFRESH_MATERIALIZED_VIEW, "refresh_materialized_view", LOCK, ERROR,
		 "REFRESH blocks reads of the materialized view while its query runs")
ZDM_RULE(ATTACH_PARTITION, "attach_partition", LOCK, ERROR,
		 "ATTACH PARTITION reads the new or the default partition under ACCESS EXCLUSIVE")
ZDM_RULE(CREATE_PARTITION_OF, "create_partition_of", LOCK, ERROR,
		 "CREATE TABLE ... PARTITION OF reads the default partition under ACCESS EXCLUSIVE on the parent")
ZDM_RULE(DETACH_PARTITION, "detach_partition", LOCK, ERROR,
		 "DETACH PARTITION takes ACCESS EXCLUSIVE on the parent behind every running query")
ZDM_RULE(DETACH_PARTITION_IN_WINDOW, "detach_partition_in_window", COMPAT, ERROR,
		 "the rows of the partition vanish from what the old version reads")
ZDM_RULE(TRUNCATE, "truncate", DATA, ERROR,
		 "TRUNCATE removes all rows at once")
ZDM_RULE(BULK_DML, "bulk_dml", DATA, ERROR,
		 "an UPDATE or DELETE of very many rows in a migration holds their locks to its end")

/* other objects */
ZDM_RULE(ENUM_VALUE_SAME_TRANSACTION, "enum_value_same_transaction", LOCK, NOTE,
		 "a new enum value cannot be used in the transaction that adds it")
ZDM_RULE(ADD_ENUM_VALUE, "add_enum_value", COMPAT, WARN,
		 "the old version may read an enum value that it does not know")
ZDM_RULE(TRIGGER_CHANGE, "trigger_change", COMPAT, WARN,
		 "the old version's writes begin or cease to fire a trigger or rule")
ZDM_RULE(SECURITY_CHANGE, "security_change", COMPAT, ERROR,
		 "rows or rights vanish for the old version")
ZDM_RULE(CREATE_OR_REPLACE_VIEW, "create_or_replace_view", COMPAT, WARN,
		 "the old version reads the view's new definition at once")
ZDM_RULE(CREATE_OR_REPLACE_FUNCTION, "create_or_replace_function", COMPAT, WARN,
		 "the old version calls the function's new definition at once")
ZDM_RULE(PUBLISH_WITHOUT_IDENTITY, "publish_without_identity", COMPAT, ERROR,
		 "UPDATE and DELETE fail on a published table that has no replica identity")
ZDM_RULE(CREATE_EXTENSION, "create_extension", LOCK, NOTE,
		 "an extension's script runs unchecked, with the locks it takes")

/* transactions and locks */
ZDM_RULE(STATEMENT_AFTER_ACCESS_EXCLUSIVE, "statement_after_access_exclusive", LOCK, NOTE,
		 "a statement of unknown length runs while the transaction holds a lock that blocks reads")
ZDM_RULE(WIDE_LOCK_WINDOW, "wide_lock_window", LOCK, NOTE,
		 "one transaction holds locks that block reads of several tables")
ZDM_RULE(MULTIPLE_ALTER_TABLE, "multiple_alter_table", LOCK, NOTE,
		 "several ALTER TABLE commands read or rewrite the same table, where one would do")
ZDM_RULE(EXPLICIT_LOCK, "explicit_lock", LOCK, NOTE,
		 "LOCK TABLE blocks reads or writes until the transaction ends")
ZDM_RULE(OTHER_ACCESS_EXCLUSIVE, "other_access_exclusive", LOCK, NOTE,
		 "the statement takes ACCESS EXCLUSIVE, but only for a moment")
ZDM_RULE(NOOP_DDL_TAKES_LOCK, "noop_ddl_takes_lock", LOCK, NOTE,
		 "IF [NOT] EXISTS changes nothing here, but takes the lock all the same")
ZDM_RULE(BLOCKED_BY_LONG_TRANSACTION, "blocked_by_long_transaction", LOCK, NOTE,
		 "a transaction that runs now holds the lock that the statement needs")
