/*-------------------------------------------------------------------------
 *
 * index_advice.c
 *	  What to do instead of index statements that have no plan.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "utils/builtins.h"

static char *
create_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	if (hazard->rel->relkind == RELKIND_PARTITIONED_TABLE)
		return psprintf("Build the index on each partition of %s with CREATE INDEX CONCURRENTLY; the statement then takes those in and builds nothing.",
						ddl_rel_qualified(hazard->rel));
	return psprintf("%s;", zdm_sql_insert_after(ddl->sql, "index",
												"CONCURRENTLY"));
}

/* Of several indexes each hazard has the same statement. */
static char *
drop_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const DropStmt *stmt = castNode(DropStmt, hazard->node);
	ZdmDdl		scratch = *ddl;
	StringInfoData buf;
	ListCell   *lc;

	if (hazard->cap < ZDM_SEVERITY_ERROR)
		return pstrdup("There is no concurrent form of it; zdm bounds the wait for its locks.");
	initStringInfo(&buf);
	foreach(lc, stmt->objects)
	{
		ZdmRel	   *index = ddl_rel_by_names(&scratch, lfirst_node(List, lc), true);

		if (index != NULL)
			appendStringInfo(&buf, "%sDROP INDEX %s%s;", buf.len > 0 ? " " : "",
							 index->relkind == RELKIND_PARTITIONED_INDEX ? "" : "CONCURRENTLY ",
							 ddl_rel_qualified(index));
	}
	return buf.data;
}

static char *
drop_index_in_window(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Leave index %s until the window has ended.", hazard->name);
}

static char *
reindex(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Rebuild the other indexes of %s one by one with REINDEX INDEX CONCURRENTLY; that of an exclusion constraint, or of somebody else's table, has no concurrent form.",
					hazard->name);
}

static char *
concurrently_in_transaction(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("%s;", zdm_sql_trim(ddl->sql));
}

static char *
concurrently_unsupported(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	switch (nodeTag(hazard->node))
	{
		case T_IndexStmt:
			return pstrdup("Leave out CONCURRENTLY: outside a transaction block zdm builds the index of each partition concurrently.");
		case T_DropStmt:
			if (((DropStmt *) hazard->node)->behavior == DROP_CASCADE)
				return psprintf("Drop what depends on the index first; then: DROP INDEX CONCURRENTLY %s;",
								hazard->name);
			if (list_length(((DropStmt *) hazard->node)->objects) > 1)
				return psprintf("DROP INDEX CONCURRENTLY %s;", hazard->name);
			return psprintf("DROP INDEX %s;", hazard->name);
		case T_RefreshMatViewStmt:
			return psprintf("Create a unique index on plain columns of %s first, with CREATE UNIQUE INDEX CONCURRENTLY; then: %s;",
							ddl_rel_qualified(hazard->rel), zdm_sql_trim(ddl->sql));
		default:
			return psprintf("ALTER TABLE %s DETACH PARTITION %s;",
							ddl_rel_qualified(hazard->rel), hazard->name);
	}
}

static char *
invalid_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Look at what index %s is; if it is of no use, drop it: DROP INDEX %s; then send the statement again.",
					hazard->name, hazard->name);
}

static char *
replace_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return pstrdup("Create the new index with CONCURRENTLY first, then drop the old one.");
}

const ZdmAdvice zdm_index_advice[] = {
	{ZDM_RULE_CREATE_INDEX, create_index},
	{ZDM_RULE_DROP_INDEX, drop_index},
	{ZDM_RULE_DROP_INDEX_IN_WINDOW, drop_index_in_window},
	{ZDM_RULE_REINDEX, reindex},
	{ZDM_RULE_CONCURRENTLY_IN_TRANSACTION, concurrently_in_transaction},
	{ZDM_RULE_CONCURRENTLY_UNSUPPORTED, concurrently_unsupported},
	{ZDM_RULE_INVALID_INDEX, invalid_index},
	{ZDM_RULE_REPLACE_INDEX, replace_index},
	{ZDM_RULE_COUNT, NULL}
};
