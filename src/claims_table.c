/*-------------------------------------------------------------------------
 *
 * claims_table.c
 *	  Statements on a table that a deferred step will make, and IF EXISTS of
 *	  one that it takes away.
 *
 * CREATE TABLE ... PARTITION OF waits where rows of the default partition have
 * to be read.  The table is not there until then, as the server would say; why
 * that is so, it does not know.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "claims.h"
#include "utils/lsyscache.h"

/* Does the unqualified name, or the one with that schema, stand for it? */
static bool
names_table(const RangeVar *name, const RangeVar *table)
{
	if (strcmp(name->relname, table->relname) != 0 || table->schemaname == NULL)
		return false;
	if (name->schemaname != NULL)
		return strcmp(name->schemaname, table->schemaname) == 0;
	return list_member_oid(fetch_search_path(false),
						   get_namespace_oid(table->schemaname, true));
}

/* The table that a step will make, if it is to be of this relation; or NULL */
static const RangeVar *
table_made_by(const Node *stmt)
{
	return IsA(stmt, CreateStmt) || IsA(stmt, CreateForeignTableStmt) ?
		((const CreateStmt *) stmt)->relation : NULL;
}

static void
check_name(const ZdmConflict *conflict, const RangeVar *name)
{
	ListCell   *lc;
	ListCell   *lc2;

	if (name == NULL || OidIsValid(RangeVarGetRelid(name, NoLock, true)))
		return;
	foreach(lc, conflict->pending)
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, pending->stmts)
		{
			const RangeVar *table = table_made_by(lfirst_node(RawStmt, lc2)->stmt);

			if (table != NULL && names_table(name, table))
				claims_report(pending, psprintf("table \"%s\" is not there yet", name->relname));
		}
	}
}

/* The keys that the commands of a table reference */
static void
check_references(const ZdmConflict *conflict, List *constraints)
{
	ListCell   *lc;

	foreach(lc, constraints)
	{
		if (IsA(lfirst(lc), Constraint))
			check_name(conflict, lfirst_node(Constraint, lc)->pktable);
		else if (IsA(lfirst(lc), ColumnDef))
			check_references(conflict, lfirst_node(ColumnDef, lc)->constraints);
	}
}

static void
check_alter_table(const ZdmConflict *conflict, const AlterTableStmt *stmt)
{
	ListCell   *lc;

	if (stmt->objtype != OBJECT_INDEX)
		check_name(conflict, stmt->relation);
	foreach(lc, stmt->cmds)
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->def == NULL)
			continue;
		if (IsA(cmd->def, PartitionCmd))
			check_name(conflict, ((PartitionCmd *) cmd->def)->name);
		else
			check_references(conflict, list_make1(cmd->def));
	}
}

/* COMMENT ON TABLE t, COLUMN t.c, CONSTRAINT c ON t */
static void
check_comment(const ZdmConflict *conflict, const CommentStmt *stmt)
{
	List	   *names = IsA(stmt->object, List) ? (List *) stmt->object : NIL;

	if (stmt->objtype == OBJECT_COLUMN || stmt->objtype == OBJECT_TABCONSTRAINT)
		names = list_truncate(list_copy(names), list_length(names) - 1);
	else if (stmt->objtype != OBJECT_TABLE)
		return;
	if (names != NIL)
		check_name(conflict, makeRangeVarFromNameList(names));
}

static void
check_listed(const ZdmConflict *conflict, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (IsA(lfirst(lc), RangeVar))
			check_name(conflict, lfirst(lc));
	}
}

void
claims_check_made_tables(const ZdmConflict *conflict, const Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			check_alter_table(conflict, (const AlterTableStmt *) stmt);
			break;
		case T_IndexStmt:
			check_name(conflict, ((const IndexStmt *) stmt)->relation);
			break;
		case T_CreateStmt:
			check_listed(conflict, ((const CreateStmt *) stmt)->inhRelations);
			check_references(conflict, ((const CreateStmt *) stmt)->tableElts);
			check_references(conflict, ((const CreateStmt *) stmt)->constraints);
			break;
		case T_RenameStmt:
			check_name(conflict, ((const RenameStmt *) stmt)->relation);
			break;
		case T_AlterObjectSchemaStmt:
			check_name(conflict, ((const AlterObjectSchemaStmt *) stmt)->relation);
			break;
		case T_CreateTrigStmt:
			check_name(conflict, ((const CreateTrigStmt *) stmt)->relation);
			break;
		case T_RuleStmt:
			check_name(conflict, ((const RuleStmt *) stmt)->relation);
			break;
		case T_CreatePolicyStmt:
			check_name(conflict, ((const CreatePolicyStmt *) stmt)->table);
			break;
		case T_CommentStmt:
			check_comment(conflict, (const CommentStmt *) stmt);
			break;
		case T_GrantStmt:
			if (((const GrantStmt *) stmt)->objtype == OBJECT_TABLE &&
				((const GrantStmt *) stmt)->targtype == ACL_TARGET_OBJECT)
				check_listed(conflict, ((const GrantStmt *) stmt)->objects);
			break;
		case T_CreateStatsStmt:
			check_listed(conflict, ((const CreateStatsStmt *) stmt)->relations);
			break;
		case T_TruncateStmt:
			check_listed(conflict, ((const TruncateStmt *) stmt)->relations);
			break;
		case T_LockStmt:
			check_listed(conflict, ((const LockStmt *) stmt)->relations);
			break;
		default:
			break;
	}
}

/* The relation that the statement does nothing to if there is none; or NULL */
static const RangeVar *
optional_relation(const Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			return ((const AlterTableStmt *) stmt)->missing_ok ?
				((const AlterTableStmt *) stmt)->relation : NULL;
		case T_RenameStmt:
			return ((const RenameStmt *) stmt)->missing_ok ?
				((const RenameStmt *) stmt)->relation : NULL;
		case T_AlterObjectSchemaStmt:
			return ((const AlterObjectSchemaStmt *) stmt)->missing_ok ?
				((const AlterObjectSchemaStmt *) stmt)->relation : NULL;
		default:
			return NULL;
	}
}

bool
claims_finds_none(const ZdmConflict *conflict, const Node *stmt)
{
	const RangeVar *name = optional_relation(stmt);
	Oid			relid = name != NULL ? RangeVarGetRelid(name, NoLock, true) : InvalidOid;
	const ZdmPending *pending;
	bool		is_made;

	if (!OidIsValid(relid))
		return false;
	pending = claims_on_relation(conflict, get_namespace_name(get_rel_namespace(relid)),
								 get_rel_name(relid), &is_made);
	if (pending == NULL || is_made ||
		(claims_renames(pending) && list_member_oid(conflict->redirected, relid)))
		return false;
	ereport(NOTICE,
			(errmsg("relation \"%s\" does not exist, skipping", name->relname),
			 errdetail("%s", claims_describe(pending))));
	return true;
}
