/*-------------------------------------------------------------------------
 *
 * claims_settle.c
 *	  What deferred steps make and drop, for those who ask beside the
 *	  statement that meets them; and the end of steps that have become void.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"
#include "claims.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Does a column that the step names not exist any more? */
static bool
lacks_column(const ZdmPending *pending, Oid relid)
{
	ListCell   *lc;

	foreach(lc, claims_columns_of(pending, relid))
	{
		if (get_attnum(relid, strVal(lfirst(lc))) == InvalidAttrNumber)
			return true;
	}
	return false;
}

/* Has all that the step drops been dropped? */
static bool
has_nothing_to_drop(const ZdmPending *pending)
{
	bool		drops = false;
	ListCell   *lc;

	foreach(lc, pending->claims)
	{
		const ZdmClaim *claim = lfirst(lc);

		if (strcmp(claim->action, "drop") != 0 || strcmp(claim->kind, "relation") != 0 ||
			!OidIsValid(claim->relid) ||
			SearchSysCacheExists1(RELOID, ObjectIdGetDatum(claim->relid)))
			return false;
		drops = true;
	}
	return drops;
}

/* Does the step say something of a constraint that is gone? */
static bool
lacks_constraint(const ZdmConflict *conflict, const ZdmPending *pending, Oid relid)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending->stmts)
	{
		Node	   *stmt = lfirst_node(RawStmt, lc)->stmt;

		foreach(lc2, IsA(stmt, AlterTableStmt) ? ((AlterTableStmt *) stmt)->cmds : NIL)
		{
			const AlterTableCmd *cmd = lfirst(lc2);
			bool		is_made;

			if ((cmd->subtype == AT_ValidateConstraint || cmd->subtype == AT_DropConstraint) &&
				!OidIsValid(get_relation_constraint_oid(relid, cmd->name, true)) &&
				(claims_on_part(conflict, "constraint", relid, cmd->name, &is_made) == NULL ||
				 (!is_made && cmd->subtype == AT_DropConstraint)))
				return true;
		}
	}
	return false;
}

/* Does the step add a foreign key to a table that is gone? */
static bool
lacks_referenced_table(const ZdmPending *pending)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, pending->stmts)
	{
		Node	   *stmt = lfirst_node(RawStmt, lc)->stmt;

		foreach(lc2, IsA(stmt, AlterTableStmt) ? ((AlterTableStmt *) stmt)->cmds : NIL)
		{
			const AlterTableCmd *cmd = lfirst(lc2);

			if (cmd->subtype == AT_AddConstraint &&
				castNode(Constraint, cmd->def)->contype == CONSTR_FOREIGN &&
				!OidIsValid(claims_target_relid(pending, castNode(Constraint, cmd->def)->pktable)))
				return true;
		}
	}
	return false;
}

/* Does the step attach a partition that is gone? */
static bool
lacks_partition(const ZdmPending *pending)
{
	const Node *stmt = linitial_node(RawStmt, pending->stmts)->stmt;
	const AlterTableCmd *cmd = IsA(stmt, AlterTableStmt) ?
		linitial(((const AlterTableStmt *) stmt)->cmds) : NULL;

	return cmd != NULL && cmd->subtype == AT_AttachPartition &&
		!OidIsValid(claims_target_relid(pending, castNode(PartitionCmd, cmd->def)->name));
}

/* RESTRICT, which is the default of all statements that drop something */
static bool
is_cascade(const Node *stmt)
{
	ListCell   *lc;

	if (IsA(stmt, DropStmt))
		return ((const DropStmt *) stmt)->behavior == DROP_CASCADE;
	if (IsA(stmt, DropOwnedStmt))
		return ((const DropOwnedStmt *) stmt)->behavior == DROP_CASCADE;
	foreach(lc, ((const AlterTableStmt *) stmt)->cmds)
	{
		if (((AlterTableCmd *) lfirst(lc))->behavior == DROP_CASCADE)
			return true;
	}
	return false;
}

static void
settle_step(const ZdmConflict *conflict, const ZdmPending *pending, bool cascade)
{
	const ZdmPlanTarget *target = pending->targets ? linitial(pending->targets) : NULL;
	bool		is_void = has_nothing_to_drop(pending) || lacks_partition(pending);

	if (!is_void && target != NULL && !OidIsValid(target->relid))
		is_void = true;
	else if (!is_void && target != NULL)
		is_void = lacks_column(pending, target->relid) ||
			lacks_constraint(conflict, pending, target->relid);
	if (!is_void && lacks_referenced_table(pending))
	{
		is_void = true;
		if (!cascade)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("cannot drop a table because a queued foreign key references it"),
					 errdetail("%s", claims_describe(pending)),
					 errhint("Use DROP ... CASCADE to drop the dependent objects too.")));
	}
	if (!is_void)
		return;
	if (!claims_cancel(pending->id))
		claims_report(pending, "cannot drop what a step that is running works on");
	ereport(NOTICE,
			(errmsg("a step is taken out of the queue, as what it is about is gone: %s",
					pending->sql)));
}

void
claims_settle(const Node *stmt)
{
	ZdmConflict conflict = {0};
	ListCell   *lc;

	if (!IsA(stmt, DropStmt) && !IsA(stmt, DropOwnedStmt) && !IsA(stmt, AlterTableStmt))
		return;
	conflict.pending = claims_parsed_pending();
	foreach(lc, conflict.pending)
		settle_step(&conflict, lfirst(lc), is_cascade(stmt));
}

List *
claims_reserved(void)
{
	List	   *result = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, claims_pending())
	{
		const ZdmPending *pending = lfirst(lc);

		foreach(lc2, pending->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);
			const char *nspname = claim->nspname;

			if (strcmp(claim->action, "make") != 0)
				continue;
			if (nspname == NULL && OidIsValid(claim->relid))
				nspname = get_namespace_name(get_rel_namespace(claim->relid));
			if (nspname != NULL)
				result = lappend(result, quote_qualified_identifier(nspname, claim->name));
		}
	}
	return result;
}

/* The constraints (char *) that go with the column */
static List *
constraints_of_column(Oid relid, const char *column)
{
	ZdmXact		xact = {0};
	ZdmDdl		ddl = {.xact = &xact};
	ZdmRel	   *rel = ddl_rel_by_oid(&ddl, relid);
	AttrNumber	attnum = get_attnum(relid, column);
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, rel != NULL && attnum > 0 ? ddl_rel_constraints(rel) : NIL)
	{
		const ZdmConstraint *con = lfirst(lc);

		if (bms_is_member(attnum, ddl_constraint_columns(con)))
			result = lappend(result, unconstify(char *, con->name));
	}
	return result;
}

List *
claims_due_on(Oid relid)
{
	List	   *result = NIL;
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, claims_pending())
	{
		foreach(lc2, ((ZdmPending *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->action, "drop") != 0 || claim->relid != relid)
				continue;
			if (strcmp(claim->kind, "constraint") == 0)
				result = lappend(result, unconstify(char *, claim->name));
			else if (strcmp(claim->kind, "column") == 0)
				result = list_concat(result, constraints_of_column(relid, claim->name));
		}
	}
	return result;
}

bool
claims_relation_is_due(Oid relid)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, claims_parsed_pending())
	{
		foreach(lc2, ((ZdmPending *) lfirst(lc))->claims)
		{
			const ZdmClaim *claim = lfirst(lc2);

			if (strcmp(claim->action, "drop") == 0 && strcmp(claim->kind, "relation") == 0 &&
				claim->relid == relid && !claims_renames(lfirst(lc)))
				return true;
		}
	}
	return false;
}
