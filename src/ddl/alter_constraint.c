/*-------------------------------------------------------------------------
 *
 * alter_constraint.c
 *	  VALIDATE, DROP and ALTER CONSTRAINT.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "ddl/ddl.h"
#include "ddl/script.h"
#include "ddl/xact.h"
#include "storage/lock.h"

/*
 * The constraint of that name.  NULL where there is none, which is noted
 * unless missing_ok, or where an earlier statement of the script made it:
 * then *in_script is true.
 */
static ZdmConstraint *
find_constraint(ZdmDdl *ddl, ZdmRel *rel, const char *name, bool missing_ok, bool *in_script)
{
	ZdmConstraint *con = ddl_constraint(rel, name);
	bool		dropped = false;

	*in_script = con == NULL && rel->script != NULL &&
		ddl_script_has_constraint(rel, name, &dropped) && !dropped;
	if (con == NULL && !*in_script && !missing_ok)
		ddl_undefined(ddl, "constraint \"%s\" of relation \"%s\" does not exist",
					  name, rel->relname);
	return con;
}

/* Does the same ALTER TABLE add the constraint?  It validates last. */
static bool
is_added_here(const ZdmDdl *ddl, const char *name)
{
	ListCell   *lc;

	foreach(lc, ddl->alter->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);
		Constraint *con;

		if (cmd->subtype != AT_AddConstraint)
			continue;
		con = castNode(Constraint, cmd->def);
		if (con->conname != NULL && strcmp(con->conname, name) == 0)
			return true;
	}
	return false;
}

/* The strongest lock that the transaction holds while it validates. */
static LOCKMODE
held_while_validating(ZdmDdl *ddl, ZdmRel *rel, ZdmRel *target)
{
	LOCKMODE	held = ddl_alter_lock(ddl->alter);
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(ddl, rel))
		held = Max(held, ddl_xact_lock_on(ddl->xact, ((ZdmRel *) lfirst(lc))->relid));
	if (target != NULL)
		held = Max(held, ddl_xact_lock_on(ddl->xact, target->relid));
	return held;
}

/* VALIDATE CONSTRAINT: its own lock blocks nobody, an earlier one does */
void
ddl_validate_constraint(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	bool		is_added = is_added_here(ddl, cmd->name);
	bool		in_script;
	ZdmConstraint *con = find_constraint(ddl, rel, cmd->name, is_added, &in_script);
	ZdmRel	   *target = NULL;

	in_script |= con == NULL && is_added;
	if ((con == NULL && !in_script) || (con != NULL && (con->is_valid || !con->is_enforced)))
		return;
	ddl_scan(ddl, rel);
	if (con != NULL && con->contype == CONSTRAINT_FOREIGN)
	{
		target = ddl_rel_by_oid(ddl, con->confrelid);
		ddl_lock(ddl, target, RowShareLock);
		ddl_scan(ddl, target);
	}
	if (!DoLockModesConflict(held_while_validating(ddl, rel, target), RowExclusiveLock))
		return;
	ddl_lock_hazard(ddl, ZDM_RULE_VALIDATE_WHILE_LOCKED, rel, (Node *) cmd, NULL,
					"validating constraint \"%s\" would read all of %s while the transaction holds a lock that blocks writes",
					cmd->name, ddl_rel_describe(rel));
}

/* The tables whose foreign keys need this key: locked, if not in the way */
static void
lock_referencing(ZdmDdl *ddl, ZdmRel *rel, const ZdmConstraint *con)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_referencing(rel))
	{
		ZdmConstraint *fk = lfirst(lc);

		if (fk->conindid == con->conindid)
			ddl_lock_tree(ddl, ddl_rel_by_oid(ddl, fk->conrelid), AccessExclusiveLock);
	}
}

/* DROP CONSTRAINT */
void
ddl_drop_constraint(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	bool		in_script;
	ZdmConstraint *con = find_constraint(ddl, rel, cmd->name, cmd->missing_ok, &in_script);
	ZdmHazard  *hazard;
	bool		is_key;

	if (con == NULL)
	{
		if (!in_script && cmd->missing_ok)
			ddl_hazard(ddl, ZDM_RULE_NOOP_DDL_TAKES_LOCK, rel, (Node *) cmd, NULL,
					   "%s has no constraint \"%s\": nothing would change, but reads and writes would be blocked for a moment",
					   ddl_rel_describe(rel), cmd->name);
		return;
	}

	if (con->contype == CONSTRAINT_FOREIGN)
	{
		ZdmRel	   *target = ddl_rel_by_oid(ddl, con->confrelid);

		if (target != NULL && target->relkind == RELKIND_PARTITIONED_TABLE)
			ddl_lock_tree(ddl, target, AccessExclusiveLock);
		else
			ddl_lock(ddl, target, AccessExclusiveLock);
	}
	is_key = con->contype == CONSTRAINT_PRIMARY || con->contype == CONSTRAINT_UNIQUE ||
		con->contype == CONSTRAINT_EXCLUSION;
	if (is_key && cmd->behavior == DROP_CASCADE)
		lock_referencing(ddl, rel, con);

	hazard = ddl_hazard(ddl, ZDM_RULE_DROP_CONSTRAINT, rel, (Node *) cmd, NULL,
						is_key ?
						"dropping constraint \"%s\" of %s would break clients that rely on it, for ON CONFLICT or its index" :
						"dropping constraint \"%s\" of %s would let clients write what it forbids",
						cmd->name, ddl_rel_describe(rel));
	if (hazard == NULL)
		return;
	hazard->name = con->name;
	ObjectAddressSet(hazard->subject, ConstraintRelationId, con->oid);
	if (!is_key)
		hazard->cap = ZDM_SEVERITY_NOTE;
}

/* ALTER CONSTRAINT ... ENFORCED checks the rows that are there. */
static void
enforce_constraint(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, ZdmConstraint *con)
{
	ZdmRel	   *target = ddl_rel_by_oid(ddl, con->confrelid);

	ddl_lock(ddl, target, ShareRowExclusiveLock);
	ddl_scan(ddl, rel);
	ddl_scan(ddl, target);
	ddl_lock_hazard(ddl, ZDM_RULE_ENFORCE_CONSTRAINT, rel, (Node *) cmd, NULL,
					"enforcing constraint \"%s\" would read all of %s",
					con->name, ddl_rel_describe(rel));
	ddl_hazard(ddl, ZDM_RULE_CONSTRAINT_REJECTS_OLD_WRITERS, rel, (Node *) cmd, NULL,
			   "enforced constraint \"%s\" of %s could reject rows that old clients write",
			   con->name, ddl_rel_describe(rel));
}

/* ALTER CONSTRAINT ... INHERIT puts NOT NULL on the children too. */
static void
inherit_constraint(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd, ZdmConstraint *con)
{
	ddl_lock_tree(ddl, rel, AccessExclusiveLock);
	if (!rel->has_children)
		return;
	ddl_scan(ddl, rel);
	ddl_lock_hazard(ddl, ZDM_RULE_SET_NOT_NULL, rel, (Node *) cmd,
					con->nkeys > 0 ? ddl_attname(rel, con->conkey[0]) : NULL,
					"letting children inherit NOT NULL constraint \"%s\" of %s would read all of them",
					con->name, ddl_rel_describe(rel));
}

/* ALTER CONSTRAINT */
void
ddl_alter_constraint(ZdmDdl *ddl, ZdmRel *rel, AlterTableCmd *cmd)
{
	CompatAlterConstraint alter = compat_alter_constraint(cmd->def);
	bool		in_script;
	ZdmConstraint *con = find_constraint(ddl, rel, alter.conname, false, &in_script);

	if (con == NULL)
		return;
	if (alter.alter_enforced && alter.enforced != con->is_enforced)
	{
		if (alter.enforced)
			enforce_constraint(ddl, rel, cmd, con);
		else
			ddl_lock(ddl, ddl_rel_by_oid(ddl, con->confrelid), AccessExclusiveLock);
		return;
	}
	if (alter.alter_inherit && !alter.no_inherit)
		inherit_constraint(ddl, rel, cmd, con);
	else
		ddl_note_brief_lock(ddl, rel, cmd, "ALTER CONSTRAINT");
}
