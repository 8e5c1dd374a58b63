/*-------------------------------------------------------------------------
 *
 * rename_defer.c
 *	  Renaming a table or view, or moving it to another schema, within a
 *	  window that defers.
 *
 * The old version keeps the relation under its name.  The new one gets a view
 * under the new name, which makes way for the relation when the window ends.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "plan/alias_view.h"
#include "plan/defer.h"
#include "utils/builtins.h"

/* The word for the relation in ALTER, or NULL if a view cannot stand for it. */
static const char *
kind_word(char relkind)
{
	switch (relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return "TABLE";
		case RELKIND_FOREIGN_TABLE:
			return "FOREIGN TABLE";
		case RELKIND_VIEW:
			return "VIEW";
		case RELKIND_MATVIEW:
			return "MATERIALIZED VIEW";
		default:
			return NULL;
	}
}

static bool
defer_new_name(ZdmDeferral *deferral, ZdmRel *rel, const char *nspname, const char *relname,
			   const char *action)
{
	const char *kind = kind_word(rel->relkind);
	const char *view = quote_qualified_identifier(nspname, relname);
	ZdmPart    *part;

	if (kind == NULL || !OidIsValid(rel->relid) || !zdm_alias_view_serves(rel->relid))
		return false;
	deferral->plan->rel = rel;
	part = zdm_defer_part(deferral, ZDM_PHASE_EXPAND, "%s",
						  zdm_alias_view_sql(rel->relid, nspname, relname));
	part->undo_sql = psprintf("DROP VIEW %s", view);
	part = zdm_defer_part(deferral, ZDM_PHASE_CONTRACT, "DROP VIEW %s; ALTER %s %s %s", view,
						  kind, ddl_rel_qualified(rel), action);
	part->note = zdm_alias_view_note(rel->relid);
	zdm_defer_claim(part, "make", "relation", nspname, InvalidOid, relname);
	zdm_defer_claim(part, "drop", "relation", rel->nspname, rel->relid, rel->relname);
	return true;
}

static bool
defer_rename(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	const RenameStmt *stmt;

	if (hazard->rel == NULL || !IsA(deferral->ddl->stmt, RenameStmt))
		return false;
	stmt = (const RenameStmt *) deferral->ddl->stmt;
	return defer_new_name(deferral, hazard->rel, hazard->rel->nspname, stmt->newname,
						  psprintf("RENAME TO %s", quote_identifier(stmt->newname)));
}

static bool
defer_set_schema(ZdmDeferral *deferral, const ZdmHazard *hazard)
{
	const AlterObjectSchemaStmt *stmt;

	if (hazard->rel == NULL || !IsA(deferral->ddl->stmt, AlterObjectSchemaStmt))
		return false;
	stmt = (const AlterObjectSchemaStmt *) deferral->ddl->stmt;
	return defer_new_name(deferral, hazard->rel, stmt->newschema, hazard->rel->relname,
						  psprintf("SET SCHEMA %s", quote_identifier(stmt->newschema)));
}

const ZdmDeferrer zdm_rename_deferrers[] = {
	{ZDM_RULE_RENAME_TABLE, defer_rename},
	{ZDM_RULE_RENAME_SCHEMA, defer_set_schema},
	{ZDM_RULE_COUNT, NULL}
};
