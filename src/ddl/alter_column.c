/*-------------------------------------------------------------------------
 *
 * alter_column.c
 *	  ALTER COLUMN, except for its type: defaults, NULLs, identity, storage.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "commands/defrem.h"
#include "ddl/ddl.h"

/* Does the column have to have a value, by its NOT NULL or a CHECK? */
static bool
is_required(ZdmDdl *ddl, ZdmRel *rel, const ZdmCol *col)
{
	return col->not_null || (col->attnum != 0 && ddl_col_rejects_null(ddl, rel, col));
}

/* The default of such a column goes: old INSERTs that omit it fail. */
static void
drop_required_default(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, const ZdmCol *col)
{
	ZdmHazard  *hazard;

	hazard = ddl_hazard(ddl, ZDM_RULE_DROP_DEFAULT_ON_REQUIRED_COLUMN, rel, (Node *) cmd,
						cmd->name,
						"without its default, %s column \"%s\" of %s would reject each INSERT that does not name it",
						col->not_null ? "NOT NULL" : "checked", cmd->name,
						ddl_rel_describe(rel));
	if (hazard != NULL)
		hazard->rejects_writes = true;
}

/*
 * Does the same ALTER TABLE give the column another default, or let it be
 * NULL?  Defaults are dropped before any is set.
 */
static bool
is_default_replaced(const ZdmDdl *ddl, const char *column)
{
	ListCell   *lc;

	foreach(lc, ddl->alter->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->name == NULL || strcmp(cmd->name, column) != 0)
			continue;
		if (cmd->subtype == AT_DropNotNull ||
			(cmd->subtype == AT_ColumnDefault && !ddl_expr_is_null_constant(cmd->def)))
			return true;
	}
	return false;
}

/* ALTER COLUMN ... SET DEFAULT, DROP DEFAULT */
static void
alter_default(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	bool		drops = ddl_expr_is_null_constant(cmd->def);
	ZdmCol	   *col = ddl_alter_col(ddl, rel, cmd->name, false);

	if (col == NULL || (drops && !col->has_default))
		return;
	if (drops && is_required(ddl, rel, col))
	{
		if (!is_default_replaced(ddl, cmd->name))
			drop_required_default(ddl, rel, cmd, col);
	}
	else if (!col->is_new && (col->has_default || !col->not_null))
		ddl_hazard(ddl, ZDM_RULE_CHANGE_COLUMN_DEFAULT, rel, (Node *) cmd, cmd->name,
				   "rows that old clients insert without column \"%s\" of %s would get another value",
				   cmd->name, ddl_rel_describe(rel));
}

/* ALTER COLUMN ... DROP NOT NULL */
static void
drop_not_null(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ZdmCol	   *col = ddl_col(ddl, rel, cmd->name, false);

	if (col != NULL && col->not_null && !col->is_new)
		ddl_hazard(ddl, ZDM_RULE_DROP_NOT_NULL, rel, (Node *) cmd, cmd->name,
				   "old clients could read NULL from column \"%s\" of %s",
				   cmd->name, ddl_rel_describe(rel));
}

/* ALTER COLUMN ... SET EXPRESSION, from PostgreSQL 17 on */
static void
set_expression(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ZdmCol	   *col = ddl_alter_col(ddl, rel, cmd->name, false);

	ddl->rebuilds = true;
	if (col == NULL)
		return;
	if (col->generated == ATTRIBUTE_GENERATED_STORED)
	{
		ddl_rewrite(ddl, rel);
		ddl_lock_hazard(ddl, ZDM_RULE_SET_GENERATED_EXPRESSION, rel, (Node *) cmd, cmd->name,
						"a new expression for stored generated column \"%s\" would rewrite %s",
						cmd->name, ddl_rel_describe(rel));
	}
	else if (col->not_null)
	{
		ddl_scan(ddl, rel);
		ddl_lock_hazard(ddl, ZDM_RULE_SET_GENERATED_EXPRESSION, rel, (Node *) cmd, cmd->name,
						"a new expression for NOT NULL column \"%s\" would read all of %s",
						cmd->name, ddl_rel_describe(rel));
	}
	if (!col->is_new)
		ddl_hazard(ddl, ZDM_RULE_CHANGE_COLUMN_DEFAULT, rel, (Node *) cmd, cmd->name,
				   "old clients would read other values from generated column \"%s\" of %s",
				   cmd->name, ddl_rel_describe(rel));
}

/* DROP EXPRESSION, DROP IDENTITY: the column is no longer filled by itself */
static void
drop_generation(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, const char *what)
{
	ZdmCol	   *col = ddl_alter_col(ddl, rel, cmd->name, false);

	if (col == NULL)
		return;
	ddl_note_brief_lock(ddl, rel, cmd, what);
	if (col->generated == '\0' && col->identity == '\0')
		return;
	if (is_required(ddl, rel, col))
		drop_required_default(ddl, rel, cmd, col);
	else
		ddl_hazard(ddl, ZDM_RULE_CHANGE_COLUMN_DEFAULT, rel, (Node *) cmd, cmd->name,
				   "rows that old clients insert would have NULL in column \"%s\" of %s",
				   cmd->name, ddl_rel_describe(rel));
}

/* ADD GENERATED AS IDENTITY, SET GENERATED: GENERATED ALWAYS rejects values */
static void
change_identity(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	ZdmCol	   *col = ddl_alter_col(ddl, rel, cmd->name, false);
	bool		always = false;
	ListCell   *lc;

	if (col == NULL)
		return;
	ddl_note_brief_lock(ddl, rel, cmd, "changing an identity column");
	if (cmd->subtype == AT_AddIdentity)
		always = castNode(Constraint, cmd->def)->generated_when == ATTRIBUTE_IDENTITY_ALWAYS;
	else
	{
		foreach(lc, (List *) cmd->def)
		{
			DefElem    *elem = lfirst_node(DefElem, lc);

			if (strcmp(elem->defname, "generated") == 0)
				always = defGetInt32(elem) == ATTRIBUTE_IDENTITY_ALWAYS;
		}
	}
	if (always && col->identity != ATTRIBUTE_IDENTITY_ALWAYS && !col->is_new)
		ddl_hazard(ddl, ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, rel, (Node *) cmd, cmd->name,
				   "identity column \"%s\" of %s would reject each value that old clients write to it",
				   cmd->name, ddl_rel_describe(rel));
}

/* Commands that change the definition of an existing column. */
void
ddl_alter_column(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_ColumnDefault:
			alter_default(ddl, rel, cmd);
			break;
		case AT_DropNotNull:
			drop_not_null(ddl, rel, cmd);
			break;
		case COMPAT_AT_EXPRESSION:
			if (cmd->subtype == AT_DropExpression)
				drop_generation(ddl, rel, cmd, "DROP EXPRESSION");
			else
				set_expression(ddl, rel, cmd);
			break;
		case AT_DropIdentity:
			drop_generation(ddl, rel, cmd, "DROP IDENTITY");
			break;
		case AT_AddIdentity:
		case AT_SetIdentity:
			change_identity(ddl, rel, cmd);
			break;
		case AT_SetStorage:
		case AT_SetCompression:
			if (ddl_alter_col(ddl, rel, cmd->name, false) != NULL)
				ddl_note_brief_lock(ddl, rel, cmd, cmd->subtype == AT_SetStorage ?
									"SET STORAGE" : "SET COMPRESSION");
			break;
		default:				/* SET STATISTICS and attribute options; by
								 * number where the column is of an index */
			if (cmd->name != NULL)
				(void) ddl_alter_col(ddl, rel, cmd->name, false);
			break;
	}
}
