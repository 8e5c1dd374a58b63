/*-------------------------------------------------------------------------
 *
 * claim.c
 *	  What a deferred part will make, drop or change, by its parse tree.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "parser/parser.h"
#include "plan/defer.h"
#include "utils/lsyscache.h"

/* An index of the constraint has its name too. */
static void
claim_constraint(ZdmPart *part, Oid relid, const char *nspname, const Constraint *con)
{
	const char *name = con->conname ? con->conname : con->indexname;

	if (name == NULL)
		return;
	zdm_defer_claim(part, "make", "constraint", NULL, relid, name);
	if (con->contype == CONSTR_UNIQUE || con->contype == CONSTR_PRIMARY ||
		con->contype == CONSTR_EXCLUSION)
		zdm_defer_claim(part, "make", "relation", nspname, InvalidOid, name);
}

static void
claim_action(ZdmPart *part, Oid relid, const char *nspname, const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddConstraint:
			claim_constraint(part, relid, nspname, castNode(Constraint, cmd->def));
			break;
		case AT_DropConstraint:
			zdm_defer_claim(part, "drop", "constraint", NULL, relid, cmd->name);
			break;
		case AT_DropColumn:
			zdm_defer_claim(part, "drop", "column", NULL, relid, cmd->name);
			break;
		case AT_SetNotNull:
		case AT_DropNotNull:
		case AT_ColumnDefault:
		case AT_AlterColumnType:
		case AT_AddIdentity:
			zdm_defer_claim(part, "change", "column", NULL, relid, cmd->name);
			break;
		default:
			break;
	}
}

static void
claim_alter_table(ZdmPart *part, const AlterTableStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	const char *nspname = OidIsValid(relid) ? get_namespace_name(get_rel_namespace(relid)) :
		stmt->relation->schemaname;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
		claim_action(part, relid, nspname, lfirst_node(AlterTableCmd, lc));
}

static void
claim_drop(ZdmPart *part, const DropStmt *stmt)
{
	ListCell   *lc;

	switch (stmt->removeType)
	{
		case OBJECT_TABLE:
		case OBJECT_INDEX:
		case OBJECT_SEQUENCE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_FOREIGN_TABLE:
			break;
		default:
			return;
	}
	foreach(lc, stmt->objects)
	{
		RangeVar   *rv = makeRangeVarFromNameList(lfirst_node(List, lc));

		zdm_defer_claim(part, "drop", "relation", rv->schemaname,
						RangeVarGetRelid(rv, NoLock, true), rv->relname);
	}
}

void
zdm_defer_add_claims(ZdmPart *part)
{
	ListCell   *lc;

	foreach(lc, raw_parser(part->sql, RAW_PARSE_DEFAULT))
	{
		Node	   *stmt = lfirst_node(RawStmt, lc)->stmt;

		if (IsA(stmt, IndexStmt))
			zdm_defer_claim(part, "make", "relation", ((IndexStmt *) stmt)->relation->schemaname,
							InvalidOid, ((IndexStmt *) stmt)->idxname);
		else if (IsA(stmt, AlterTableStmt))
			claim_alter_table(part, (AlterTableStmt *) stmt);
		else if (IsA(stmt, DropStmt))
			claim_drop(part, (DropStmt *) stmt);
		else if (IsA(stmt, CreateStmt))
			zdm_defer_claim(part, "make", "relation", ((CreateStmt *) stmt)->relation->schemaname,
							InvalidOid, ((CreateStmt *) stmt)->relation->relname);
	}
}
