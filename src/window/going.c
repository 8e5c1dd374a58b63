/*-------------------------------------------------------------------------
 *
 * going.c
 *	  Objects that deferred steps will drop: for what follows in the same
 *	  migration they are gone.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "window/claims.h"
#include "window/queue.h"

/* A step that renames something gives up one name and makes another. */
static bool
makes_anything(const ZdmPending *pending)
{
	ListCell   *lc;

	foreach(lc, pending->claims)
	{
		if (strcmp(((const ZdmClaim *) lfirst(lc))->action, "make") == 0)
			return true;
	}
	return false;
}

static ZdmClaim *
make_drop(const char *kind, Oid relid, const char *name)
{
	ZdmClaim   *claim = palloc0(sizeof(ZdmClaim));

	claim->action = "drop";
	claim->kind = kind;
	claim->relid = relid;
	claim->name = name;
	return claim;
}

/* What an ALTER TABLE takes from a column, and what it does not claim itself */
static List *
add_command(List *result, const AlterTableStmt *stmt, const AlterTableCmd *cmd, Oid relid)
{
	const char *kind;
	List	   *relids;
	ListCell   *lc;

	if (cmd->subtype == AT_DropInherit)
	{
		Oid			parent = RangeVarGetRelid(castNode(RangeVar, cmd->def), NoLock, true);

		return OidIsValid(parent) ?
			lappend(result, make_drop("parent", relid,
									  quote_qualified_identifier(get_namespace_name(get_rel_namespace(parent)),
																 get_rel_name(parent)))) : result;
	}
	if (cmd->subtype == AT_DropColumn)
		kind = "column";
	else if ((cmd->subtype == AT_ColumnDefault && cmd->def == NULL) ||
			 cmd->subtype == AT_DropExpression)
		kind = "default";
	else
		return result;
	relids = stmt->relation->inh ? find_all_inheritors(relid, NoLock, NULL) : list_make1_oid(relid);
	foreach(lc, relids)
		result = lappend(result, make_drop(kind, lfirst_oid(lc), cmd->name));
	return result;
}

/* A relation moves out of its schema. */
static List *
add_move(List *result, const AlterObjectSchemaStmt *stmt)
{
	Oid			relid = stmt->relation != NULL ?
		RangeVarGetRelid(stmt->relation, NoLock, true) : InvalidOid;

	if (!OidIsValid(relid))
		return result;
	return lappend(result, make_drop("schema", relid,
									 get_namespace_name(get_rel_namespace(relid))));
}

/* Likewise of the steps that are an ALTER TABLE */
static List *
add_commands(List *result, const ZdmPending *pending)
{
	const ZdmPlanTarget *target = pending->targets ? linitial(pending->targets) : NULL;
	ListCell   *lc;
	ListCell   *lc2;

	if (target == NULL || !OidIsValid(target->relid))
		return result;
	foreach(lc, raw_parser(pending->sql, RAW_PARSE_DEFAULT))
	{
		const Node *stmt = lfirst_node(RawStmt, lc)->stmt;

		if (IsA(stmt, AlterObjectSchemaStmt))
			result = add_move(result, (const AlterObjectSchemaStmt *) stmt);
		foreach(lc2, IsA(stmt, AlterTableStmt) ? ((const AlterTableStmt *) stmt)->cmds : NIL)
			result = add_command(result, (const AlterTableStmt *) stmt,
								 lfirst_node(AlterTableCmd, lc2), target->relid);
	}
	return result;
}

List *
queue_going(void)
{
	List	   *result = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, claims_pending())
	{
		const ZdmPending *pending = lfirst(lc);

		result = add_commands(result, pending);
		foreach(lc2, makes_anything(pending) ? NIL : pending->claims)
		{
			if (strcmp(((const ZdmClaim *) lfirst(lc2))->action, "drop") == 0)
				result = lappend(result, lfirst(lc2));
		}
	}
	return result;
}
