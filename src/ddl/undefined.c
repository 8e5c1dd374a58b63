/*-------------------------------------------------------------------------
 *
 * undefined.c
 *	  What to run of a statement that names what does not exist, so that the
 *	  server raises its error before it does any work.
 *
 * PostgreSQL carries out an ALTER TABLE in passes, and reads and rewrites rows
 * after all of them.  Only indexes are built in a pass, ahead of that in which
 * CHECK and FOREIGN KEY are looked at: so keys are left out.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ddl/ddl.h"

/* One command on its way into what is run */
typedef struct FutilePart
{
	const AlterTableStmt *alter;
	List	   *cmds;			/* AlterTableCmd */
	bool		leaves_out;		/* has a key been left out? */
	bool		could_use_key;	/* is there what could refer to one? */
} FutilePart;

static bool
is_key(const Constraint *con)
{
	return con->contype == CONSTR_PRIMARY || con->contype == CONSTR_UNIQUE ||
		con->contype == CONSTR_EXCLUSION;
}

static bool
is_attribute(const Constraint *con)
{
	return con->contype == CONSTR_ATTR_DEFERRABLE || con->contype == CONSTR_ATTR_NOT_DEFERRABLE ||
		con->contype == CONSTR_ATTR_DEFERRED || con->contype == CONSTR_ATTR_IMMEDIATE ||
		compat_is_enforced_attribute(con);
}

/* Could the constraint need a key of the table itself? */
static void
note_foreign_key(FutilePart *part, const Constraint *con)
{
	if (con->contype == CONSTR_FOREIGN &&
		strcmp(con->pktable->relname, part->alter->relation->relname) == 0)
		part->could_use_key = true;
}

/* ADD COLUMN without its keys */
static bool
take_column(FutilePart *part, const AlterTableCmd *cmd)
{
	AlterTableCmd *copy = copyObject(unconstify(AlterTableCmd *, cmd));
	ColumnDef  *def = castNode(ColumnDef, copy->def);
	bool		has_key = false;
	bool		has_attribute = false;
	ListCell   *lc;

	foreach(lc, def->constraints)
	{
		const Constraint *con = lfirst_node(Constraint, lc);

		note_foreign_key(part, con);
		has_attribute |= is_attribute(con);
		if (!is_key(con))
			continue;
		has_key = true;
		def->constraints = foreach_delete_current(def->constraints, lc);
	}
	if (has_key && has_attribute)
		return false;			/* it would stand after something else */
	part->leaves_out |= has_key;
	part->cmds = lappend(part->cmds, copy);
	return true;
}

/*
 * A key that names what does not exist is found out when it is first looked
 * at, before any index is built.
 */
static bool
take_constraint(FutilePart *part, const AlterTableCmd *cmd, bool fails)
{
	const Constraint *con = castNode(Constraint, cmd->def);

	if (con->indexname != NULL)
		return false;
	note_foreign_key(part, con);
	if (is_key(con) && !fails)
		part->leaves_out = true;
	else
		part->cmds = lappend(part->cmds, unconstify(AlterTableCmd *, cmd));
	return true;
}

/* Take a command over; false if it could be long before another's error. */
static bool
take_command(FutilePart *part, const AlterTableCmd *cmd, bool fails)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			return take_column(part, cmd);
		case AT_AddConstraint:
			return take_constraint(part, cmd, fails);
		case AT_AlterColumnType:
			if (!fails)
				return false;	/* it can build indexes anew */
			break;
		case AT_AddIdentity:
		case AT_AlterConstraint:
		case AT_ClusterOn:
		case AT_ReplicaIdentity:
			part->could_use_key = true;
			break;
		case AT_ColumnDefault:
		case AT_DropColumn:
		case AT_DropConstraint:
		case AT_DropIdentity:
		case AT_DropNotNull:
		case AT_SetIdentity:
		case AT_SetNotNull:
		case AT_SetStatistics:
		case AT_SetStorage:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
		case AT_ChangeOwner:
		case AT_ValidateConstraint:
			break;
		default:
			return false;
	}
	part->cmds = lappend(part->cmds, unconstify(AlterTableCmd *, cmd));
	return true;
}

Node *
ddl_futile_part(const ZdmDdl *ddl)
{
	FutilePart	part = {0};
	AlterTableStmt *result;
	ListCell   *lc;

	if (ddl->undefined == NULL || ddl->runs_alone)
		return NULL;
	if (!IsA(ddl->stmt, AlterTableStmt))
		return ddl->stmt;
	part.alter = (const AlterTableStmt *) ddl->stmt;
	if (list_length(part.alter->cmds) == 1 &&
		(ddl->undefined_in == NIL ||
		 linitial_node(AlterTableCmd, part.alter->cmds)->subtype != AT_AddColumn))
		return ddl->stmt;
	if (ddl->undefined_in == NIL)
		return NULL;
	foreach(lc, part.alter->cmds)
	{
		if (!take_command(&part, lfirst(lc), list_member_ptr(ddl->undefined_in, lfirst(lc))))
			return NULL;
	}
	if (!part.leaves_out)
		return ddl->stmt;
	if (part.could_use_key)
		return NULL;
	result = makeNode(AlterTableStmt);
	*result = *part.alter;
	result->cmds = part.cmds;
	return (Node *) result;
}
