/*-------------------------------------------------------------------------
 *
 * table_advice.c
 *	  What to do instead about whole tables, views, functions, and the shape
 *	  of transactions.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "plan/advice.h"
#include "utils/builtins.h"

static const char *
relation_name(const ZdmHazard *hazard)
{
	return hazard->rel != NULL ? ddl_rel_qualified(hazard->rel) : "the table";
}

static char *
vacuum_full_cluster(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	if (hazard->rel->relkind == RELKIND_MATVIEW)
		return psprintf("VACUUM %s; without FULL; REFRESH MATERIALIZED VIEW CONCURRENTLY keeps it compact.",
						relation_name(hazard));
	return psprintf("VACUUM %s; without FULL lets reads and writes go on; to shrink or reorder the table use the external tools pg_repack or pg_squeeze.",
					relation_name(hazard));
}

/* Without an index that CONCURRENTLY could use: with one there is a plan. */
static char *
refresh_materialized_view(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Create a unique index on plain columns of %s, once and with CREATE UNIQUE INDEX CONCURRENTLY; then: REFRESH MATERIALIZED VIEW CONCURRENTLY %s;",
					relation_name(hazard), relation_name(hazard));
}

static char *
truncate_table(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	if (hazard->rel->relkind == RELKIND_MATVIEW)
		return psprintf("REFRESH MATERIALIZED VIEW CONCURRENTLY %s;", relation_name(hazard));
	return psprintf("DELETE FROM %s in batches of some thousand rows, each committed by itself.",
					relation_name(hazard));
}

static char *
bulk_dml(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Change %s in batches of some thousand rows, in a script of its own that commits each batch.",
					relation_name(hazard));
}

static char *
recreate_table(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Keep the rows: change %s with ALTER TABLE, or create the new table under another name and copy.",
					hazard->name);
}

/* SET LOGGED, UNLOGGED, ACCESS METHOD */
static char *
rewrite_table(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("No form of it lets reads and writes go on: make a new table as wanted, copy the rows in batches while a trigger keeps both equal, and exchange their names.");
}

/* SET TABLESPACE of one relation, or of all in a tablespace */
static char *
set_tablespace(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const char *tablespace = IsA(hazard->node, AlterTableMoveAllStmt) ?
		((AlterTableMoveAllStmt *) hazard->node)->new_tablespacename :
		castNode(AlterTableCmd, hazard->node)->name;

	if (hazard->rel->relkind == RELKIND_INDEX)
		return psprintf("REINDEX (TABLESPACE %s) INDEX CONCURRENTLY %s;",
						quote_identifier(tablespace), relation_name(hazard));
	return pstrdup("No form of it lets reads and writes go on; the external tools pg_repack and pg_squeeze move a table to another tablespace while it is in use.");
}

static char *
statement_after_access_exclusive(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("COMMIT first, so that the lock on %s is released.", relation_name(hazard));
}

static char *
wide_lock_window(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Use one transaction for each table.");
}

static char *
multiple_alter_table(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Put the commands into one: ALTER TABLE %s ..., ...;", relation_name(hazard));
}

static char *
explicit_lock(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Lock only the rows, with SELECT ... FOR UPDATE, or use an advisory lock; else keep the transaction short.");
}

static char *
other_access_exclusive(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("It is brief, and zdm bounds the wait for its locks; keep the rest of the transaction short.");
}

static char *
noop_ddl_takes_lock(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Look the object up in the catalog first, and leave the statement out.");
}

static char *
blocked_by_long_transaction(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Wait for that transaction to end, or end it with pg_terminate_backend().");
}

static char *
create_or_replace_view(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("If the old version needs the old definition of %s, create the new one under another name.",
					relation_name(hazard));
}

static char *
create_or_replace_function(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("If the old version needs the old definition of %s, create the new one under another name.",
					hazard->name);
}

static char *
trigger_change(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Make sure that the old version's writes to %s still succeed and mean the same.",
					relation_name(hazard));
}

static char *
publish_without_identity(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Give the table a primary key, or a unique index on NOT NULL columns and REPLICA IDENTITY USING INDEX; failing that: ALTER TABLE %s REPLICA IDENTITY FULL;",
					relation_name(hazard));
}

static char *
create_extension(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Read the script of the extension for locks on tables that are in use.");
}

const ZdmAdvice zdm_table_advice[] = {
	{ZDM_RULE_SET_LOGGED_UNLOGGED, rewrite_table},
	{ZDM_RULE_SET_TABLESPACE, set_tablespace},
	{ZDM_RULE_SET_ACCESS_METHOD, rewrite_table},
	{ZDM_RULE_VACUUM_FULL_CLUSTER, vacuum_full_cluster},
	{ZDM_RULE_REFRESH_MATERIALIZED_VIEW, refresh_materialized_view},
	{ZDM_RULE_TRUNCATE, truncate_table},
	{ZDM_RULE_BULK_DML, bulk_dml},
	{ZDM_RULE_RECREATE_TABLE, recreate_table},
	{ZDM_RULE_STATEMENT_AFTER_ACCESS_EXCLUSIVE, statement_after_access_exclusive},
	{ZDM_RULE_WIDE_LOCK_WINDOW, wide_lock_window},
	{ZDM_RULE_MULTIPLE_ALTER_TABLE, multiple_alter_table},
	{ZDM_RULE_EXPLICIT_LOCK, explicit_lock},
	{ZDM_RULE_OTHER_ACCESS_EXCLUSIVE, other_access_exclusive},
	{ZDM_RULE_NOOP_DDL_TAKES_LOCK, noop_ddl_takes_lock},
	{ZDM_RULE_BLOCKED_BY_LONG_TRANSACTION, blocked_by_long_transaction},
	{ZDM_RULE_CREATE_OR_REPLACE_VIEW, create_or_replace_view},
	{ZDM_RULE_CREATE_OR_REPLACE_FUNCTION, create_or_replace_function},
	{ZDM_RULE_TRIGGER_CHANGE, trigger_change},
	{ZDM_RULE_PUBLISH_WITHOUT_IDENTITY, publish_without_identity},
	{ZDM_RULE_CREATE_EXTENSION, create_extension},
	{ZDM_RULE_COUNT, NULL}
};
