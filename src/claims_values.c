/*-------------------------------------------------------------------------
 *
 * claims_values.c
 *	  Columns that must have a value once deferred steps are done.
 *
 * Clients that do not know such a column leave it out and rely on its
 * default.  So where NOT NULL, a primary key or a CHECK that rejects NULL is
 * queued, its default goes when the window ends and not before, in whatever
 * order the statements come.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "claims.h"
#include "plan/advice.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static bool
is_key_of_index(ZdmRel *rel, const char *indexname, const char *column)
{
	AttrNumber	attnum = get_attnum(rel->relid, column);
	ListCell   *lc;

	foreach(lc, ddl_rel_indexes(rel))
	{
		const ZdmIndex *index = lfirst(lc);

		for (int i = 0; strcmp(index->name, indexname) == 0 && i < index->nkeyatts; i++)
		{
			if (index->attnums[i] == attnum)
				return true;
		}
	}
	return false;
}

static bool
constraint_requires_value(ZdmDdl *ddl, ZdmRel *rel, const Constraint *con, const char *column)
{
	switch (con->contype)
	{
		case CONSTR_PRIMARY:
			return con->indexname ? is_key_of_index(rel, con->indexname, column) :
				claims_is_listed(con->keys, column);
		case CONSTR_NOTNULL:
			return claims_is_listed(con->keys, column);
		case CONSTR_CHECK:
			return con->raw_expr != NULL &&
				claims_is_listed(ddl_check_columns(con->raw_expr), column) &&
				ddl_check_rejects_null(ddl, rel, con->raw_expr, column);
		default:
			return false;
	}
}

/* Does the command reject rows without a value in the column? */
static bool
requires_value(ZdmDdl *ddl, ZdmRel *rel, const AlterTableCmd *cmd, const char *column)
{
	if (cmd->subtype == AT_SetNotNull)
		return strcmp(cmd->name, column) == 0;
	return cmd->subtype == AT_AddConstraint &&
		constraint_requires_value(ddl, rel, castNode(Constraint, cmd->def), column);
}

static bool
any_requires_value(const ZdmConflict *conflict, Oid relid, List *cmds, const char *column)
{
	ZdmDdl		scratch = conflict->ddl;
	ZdmRel	   *rel = ddl_rel_by_oid(&scratch, relid);
	ListCell   *lc;

	foreach(lc, rel ? cmds : NIL)
	{
		if (requires_value(&scratch, rel, lfirst(lc), column))
			return true;
	}
	return false;
}

const ZdmPending *
claims_value_required_by(const ZdmConflict *conflict, Oid relid, const char *column)
{
	const ZdmPending *result = NULL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, list_member_ptr(conflict->cancels, pending) ? NIL : pending->stmts)
		{
			const AlterTableStmt *stmt = (AlterTableStmt *) lfirst_node(RawStmt, lc2)->stmt;

			if (IsA(stmt, AlterTableStmt) && stmt->objtype == OBJECT_TABLE &&
				claims_target_relid(pending, stmt->relation) == relid &&
				any_requires_value(conflict, relid, stmt->cmds, column))
				result = pending;
		}
	}
	return result;
}

bool
claims_statement_requires_value(const ZdmConflict *conflict, Oid relid,
								const AlterTableStmt *stmt, const char *column)
{
	return any_requires_value(conflict, relid, stmt->cmds, column);
}

/* Is that a DROP DEFAULT which comes before the window ends? */
static const AlterTableCmd *
early_drop_default(const ZdmPending *pending, Oid relid)
{
	const AlterTableStmt *stmt;
	const AlterTableCmd *cmd;

	if (pending->phase == ZDM_PHASE_CONTRACT || list_length(pending->stmts) != 1)
		return NULL;
	stmt = (AlterTableStmt *) linitial_node(RawStmt, pending->stmts)->stmt;
	if (!IsA(stmt, AlterTableStmt) || list_length(stmt->cmds) != 1 ||
		claims_target_relid(pending, stmt->relation) != relid)
		return NULL;
	cmd = linitial_node(AlterTableCmd, stmt->cmds);
	return cmd->subtype == AT_ColumnDefault && cmd->def == NULL ? cmd : NULL;
}

void
claims_keep_defaults(ZdmConflict *conflict, Oid relid, const AlterTableCmd *cmd)
{
	ListCell   *lc;

	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);
		const AlterTableCmd *drop = early_drop_default(pending, relid);
		ZdmPart    *part;

		if (drop == NULL || list_member_ptr(conflict->cancels, pending) ||
			!any_requires_value(conflict, relid, list_make1(unconstify(AlterTableCmd *, cmd)),
								drop->name))
			continue;
		claims_cancel_made(conflict, pending, DROP_RESTRICT);
		part = claims_line_up(conflict, pending, ZDM_PHASE_CONTRACT, pstrdup(pending->sql));
		claims_claim(part, "change", "column", NULL, relid, drop->name);
	}
}
