/*-------------------------------------------------------------------------
 *
 * index_advice.c
 *	  The safe forms of index statements.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "utils/builtins.h"

/* Advice goes into a HINT: of many partitions a few show the pattern. */
#define MAX_PARTITIONS_SHOWN	16

/* A name for the index on the table, as the server would choose it. */
static char *
index_name(const IndexStmt *stmt, const char *relname)
{
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, stmt->indexParams)
	{
		const IndexElem *elem = lfirst(lc);

		appendStringInfo(&columns, "%s%s", columns.len > 0 ? "_" : "",
						 elem->name != NULL ? elem->name : "expr");
	}
	return makeObjectName(relname, columns.data, "idx");
}

/*
 * One index of a partition tree: ON ONLY for a partitioned table, which is
 * catalog rows only, CONCURRENTLY for a leaf; then ATTACH to the parent's.
 */
static void
append_partition(StringInfo buf, const IndexStmt *stmt, const char *definition,
				 const ZdmRel *rel, const char *parent_index)
{
	char	   *name = index_name(stmt, rel->relname);
	bool		partitioned = rel->relkind == RELKIND_PARTITIONED_TABLE;

	appendStringInfo(buf, " CREATE %sINDEX %s%s ON %s%s %s;",
					 stmt->unique ? "UNIQUE " : "",
					 partitioned ? "" : "CONCURRENTLY ", quote_identifier(name),
					 partitioned ? "ONLY " : "", ddl_rel_qualified(rel), definition);
	appendStringInfo(buf, " ALTER INDEX %s ATTACH PARTITION %s;", parent_index,
					 quote_qualified_identifier(rel->nspname, name));
}

/* The same, with the partitions under it. */
static int
append_tree(StringInfo buf, ZdmDdl *ddl, const IndexStmt *stmt, const char *definition,
			ZdmRel *rel, const char *index, int shown)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		ZdmRel	   *child = lfirst(lc);
		ZdmRel	   *parent = ddl_rel_parent(ddl, child);

		if (parent == NULL || parent->relid != rel->relid)
			continue;
		if (child->relkind == RELKIND_FOREIGN_TABLE)
			continue;			/* has no indexes of its own */
		if (shown++ < MAX_PARTITIONS_SHOWN)
			append_partition(buf, stmt, definition, child, index);
		if (child->relkind == RELKIND_PARTITIONED_TABLE)
			shown = append_tree(buf, ddl, stmt, definition, child,
								quote_qualified_identifier(child->nspname,
														   index_name(stmt, child->relname)),
								shown);
	}
	return shown;
}

static void
append_not_shown(StringInfo buf, int shown)
{
	if (shown > MAX_PARTITIONS_SHOWN)
		appendStringInfo(buf, " And so on for %d further partitions.",
						 shown - MAX_PARTITIONS_SHOWN);
}

static char *
partitioned_index(const ZdmDdl *ddl, const ZdmHazard *hazard, const IndexStmt *stmt)
{
	ZdmDdl		scratch = *ddl;
	char	   *definition = zdm_sql_index_definition(ddl->sql);
	const char *name = stmt->idxname ? stmt->idxname :
		index_name(stmt, hazard->rel->relname);
	StringInfoData buf;
	int			shown;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE %sINDEX %s ON ONLY %s %s;",
					 stmt->unique ? "UNIQUE " : "", quote_identifier(name),
					 ddl_rel_qualified(hazard->rel), definition);
	shown = append_tree(&buf, &scratch, stmt, definition, hazard->rel,
						quote_qualified_identifier(hazard->rel->nspname, name), 0);
	append_not_shown(&buf, shown);
	return buf.data;
}

static char *
create_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const IndexStmt *stmt = castNode(IndexStmt, hazard->node);

	if (hazard->rel->relkind == RELKIND_PARTITIONED_TABLE)
		return partitioned_index(ddl, hazard, stmt);
	return psprintf("%s;", zdm_sql_insert_after(ddl->sql, "index",
												"CONCURRENTLY"));
}

static char *
drop_index(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	if (hazard->cap < ZDM_SEVERITY_ERROR)
		return pstrdup("There is no concurrent form of it; zdm bounds the wait for its locks.");
	return psprintf("DROP INDEX CONCURRENTLY %s;", hazard->name);
}

static char *
drop_index_in_window(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	return psprintf("Leave index %s until the window has ended.", hazard->name);
}

/* REINDEX of each leaf of a partition tree */
static char *
reindex_partitions(const ZdmDdl *ddl, ZdmRel *table)
{
	ZdmDdl		scratch = *ddl;
	StringInfoData buf;
	int			shown = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, ddl_rel_tree(&scratch, table))
	{
		ZdmRel	   *rel = lfirst(lc);

		if (rel->relkind != RELKIND_RELATION)
			continue;
		if (shown++ < MAX_PARTITIONS_SHOWN)
			appendStringInfo(&buf, "%sREINDEX TABLE CONCURRENTLY %s;",
							 buf.len > 0 ? " " : "", ddl_rel_qualified(rel));
	}
	append_not_shown(&buf, shown);
	return buf.data;
}

static char *
reindex(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	const ReindexStmt *stmt = castNode(ReindexStmt, hazard->node);

	if (stmt->relation != NULL && hazard->rel->relkind == RELKIND_PARTITIONED_TABLE)
		return reindex_partitions(ddl, hazard->rel);
	switch (stmt->kind)
	{
		case REINDEX_OBJECT_INDEX:
			return psprintf("REINDEX INDEX CONCURRENTLY %s;", hazard->name);
		case REINDEX_OBJECT_TABLE:
			return psprintf("REINDEX TABLE CONCURRENTLY %s;", hazard->name);
		case REINDEX_OBJECT_SCHEMA:
			return psprintf("REINDEX SCHEMA CONCURRENTLY %s;", hazard->name);
		default:
			return psprintf("REINDEX DATABASE CONCURRENTLY %s;", hazard->name);
	}
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
			return partitioned_index(ddl, hazard, (IndexStmt *) hazard->node);
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
	if (hazard->rel->relkind == RELKIND_PARTITIONED_TABLE)
		return psprintf("Give every partition its index and attach it with ALTER INDEX %s ATTACH PARTITION; that makes the index valid.",
						hazard->name);
	return psprintf("REINDEX INDEX CONCURRENTLY %s; or, to build it anew: DROP INDEX CONCURRENTLY %s; then the statement with CONCURRENTLY.",
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
