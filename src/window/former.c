/*-------------------------------------------------------------------------
 *
 * former.c
 *	  What several statements of a window have changed one after the other.
 *
 * The undo of the second one goes back to what the first one left, which may
 * name something that was made in the window and dropped again.  So each goes
 * back to what there was before the window.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "utils/lsyscache.h"
#include "window/taking.h"

/* What the undo of a step changes, and the undo of the first that changed it */
typedef struct Former
{
	const char *property;
	const char *undo_sql;
} Former;

static char *
default_of(const AlterTableStmt *stmt)
{
	const AlterTableCmd *cmd = linitial_node(AlterTableCmd, stmt->cmds);
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);

	if (list_length(stmt->cmds) != 1 || cmd->subtype != AT_ColumnDefault || !OidIsValid(relid))
		return NULL;
	return psprintf("default %u %d", relid, get_attnum(relid, cmd->name));
}

/* With the types of its arguments, in which routines of one name differ */
static char *
routine_of(const CreateFunctionStmt *stmt)
{
	StringInfoData buf;
	ListCell   *lc;

	if (!stmt->replace)
		return NULL;
	initStringInfo(&buf);
	appendStringInfo(&buf, "routine %s", NameListToQuotedString(stmt->funcname));
	foreach(lc, stmt->parameters)
	{
		const FunctionParameter *parameter = lfirst_node(FunctionParameter, lc);

		if (parameter->mode != FUNC_PARAM_OUT && parameter->mode != FUNC_PARAM_TABLE)
			appendStringInfo(&buf, ", %s", TypeNameToString(parameter->argType));
	}
	return buf.data;
}

/* Text that is the same for what changes the same; NULL for other statements */
static char *
property_of(const char *undo_sql)
{
	List	   *stmts = raw_parser(undo_sql, RAW_PARSE_DEFAULT);
	const Node *stmt = linitial_node(RawStmt, stmts)->stmt;
	Oid			relid;

	if (list_length(stmts) != 1)
		return NULL;
	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			return default_of((const AlterTableStmt *) stmt);
		case T_CreateFunctionStmt:
			return routine_of((const CreateFunctionStmt *) stmt);
		case T_ViewStmt:
			relid = RangeVarGetRelid(((const ViewStmt *) stmt)->view, NoLock, true);
			return ((const ViewStmt *) stmt)->replace ? psprintf("view %u", relid) : NULL;
		case T_CreateTrigStmt:
			relid = RangeVarGetRelid(((const CreateTrigStmt *) stmt)->relation, NoLock, true);
			return ((const CreateTrigStmt *) stmt)->replace ?
				psprintf("trigger %u %s", relid, ((const CreateTrigStmt *) stmt)->trigname) : NULL;
		default:
			return NULL;
	}
}

const char *
former_undo(List **known, const char *undo_sql)
{
	const char *property = property_of(undo_sql);
	Former	   *former;
	ListCell   *lc;

	if (property == NULL)
		return undo_sql;
	foreach(lc, *known)
	{
		former = lfirst(lc);
		if (strcmp(former->property, property) == 0)
			return former->undo_sql;
	}
	former = palloc(sizeof(Former));
	former->property = property;
	former->undo_sql = undo_sql;
	*known = lappend(*known, former);
	return undo_sql;
}
