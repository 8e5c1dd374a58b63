/*-------------------------------------------------------------------------
 *
 * partition_plan.c
 *	  Plans for attaching, creating and detaching partitions.
 *
 * ATTACH PARTITION reads rows and builds indexes under locks that block all
 * reads and writes, unless it finds that this has been done.  So it is done
 * before: the bounds are proven by CHECK constraints, which go in the
 * transaction of ATTACH, and what the partition lacks is made by the names
 * that ATTACH would give, for it to take over.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "compat.h"
#include "miscadmin.h"
#include "plan/advice.h"
#include "plan/constraint_plan.h"
#include "plan/partition_plan.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/*
 * Prove that the rows of a table are where they belong, if they would be read
 * for that.  is_default: of the default partition, that none of its rows
 * belongs to the new one.
 */
static bool
prove(ZdmPlan *plan, ZdmDdl *ddl, ZdmRel *parent, ZdmRel *rel, PartitionBoundSpec *bound,
	  bool is_default)
{
	const char *table = ddl_rel_qualified(rel);
	char	   *condition;
	const char *name;
	ZdmStep    *step;

	if (!ddl_is_read_for_bounds(ddl, parent, rel, bound, is_default))
		return true;
	condition = ddl_bounds_condition(ddl, parent, rel, bound, is_default);
	if (condition == NULL)
		return false;
	name = quote_identifier(zdm_plan_choose_name(plan, rel,
												 is_default ? "excluded" : "bounds",
												 "check"));
	(void) zdm_plan_step(plan, ZDM_PASS_CHECK,
						 "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID",
						 table, name, condition);
	step = zdm_plan_step(plan, ZDM_PASS_CHECK, "ALTER TABLE %s VALIDATE CONSTRAINT %s",
						 table, name);
	step->proves = is_default ? ZDM_PROVES_DEFAULT : ZDM_PROVES_BOUNDS;
	zdm_plan_after_final(plan, "ALTER TABLE %s DROP CONSTRAINT %s", table, name);
	return true;
}

/*
 * The steps alter the table and its partitions, which takes their owner; the
 * statement does not ask who owns the partitions of what it names.
 */
static bool
owns_tree(ZdmDdl *ddl, ZdmRel *rel, bool and_itself)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_tree(ddl, rel))
	{
		const ZdmRel *member = lfirst(lc);

		if ((and_itself || member->relid != rel->relid) &&
			!object_ownercheck(RelationRelationId, member->relid, GetUserId()))
			return false;
	}
	return true;
}

/* Was this hazard of the statement's found on the relation? */
static bool
is_at_risk(const ZdmPlan *plan, ZdmRuleId rule, const ZdmRel *rel)
{
	ListCell   *lc;

	foreach(lc, plan->ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if (hazard->rule == rule && hazard->rel->relid == rel->relid)
			return true;
	}
	return false;
}

/* The partitions of a partitioned table, without theirs. */
List *
zdm_partitions(ZdmDdl *ddl, const ZdmRel *rel)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, find_inheritance_children(rel->relid, NoLock))
	{
		ZdmRel	   *part = ddl_rel_by_oid(ddl, lfirst_oid(lc));

		CHECK_FOR_INTERRUPTS();
		if (part != NULL)
			result = lappend(result, part);
	}
	return result;
}

/* The name that ATTACH gives its copy of the parent's foreign key. */
static char *
foreign_key_name(ZdmPlan *plan, ZdmRel *parent, ZdmRel *rel, const ZdmConstraint *con)
{
	List	   *columns = NIL;

	if (!ConstraintNameIsUsed(CONSTRAINT_RELATION, rel->relid, con->name))
		return pstrdup(con->name);
	for (int i = 0; i < con->nkeys; i++)
		columns = lappend(columns,
						  makeString(pstrdup(ddl_attname(parent, con->conkey[i]))));
	return zdm_plan_choose_name(plan, rel, zdm_columns_in_name(columns), "fkey");
}

/*
 * Make the counterpart of a foreign key on the table, or on each partition of
 * it: NOT VALID is for the latter alone before 18, and ATTACH takes them over.
 */
static bool
add_foreign_key(ZdmPlan *plan, ZdmDdl *ddl, ZdmRel *parent, ZdmRel *rel,
				const ZdmConstraint *con)
{
	const char *table = ddl_rel_qualified(rel);
	const char *name;
	ListCell   *lc;

	check_stack_depth();
	if (ddl_has_foreign_key_like(rel, parent, con))
		return true;
	if (rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		foreach(lc, zdm_partitions(ddl, rel))
		{
			if (!add_foreign_key(plan, ddl, parent, lfirst(lc), con))
				return false;
		}
		return true;
	}
	if (rel->relkind != RELKIND_RELATION)
		return true;			/* ATTACH's error */

	name = quote_identifier(foreign_key_name(plan, parent, rel, con));
	zdm_plan_target(plan, rel);
	(void) zdm_plan_step(plan, ZDM_PASS_FOREIGN_KEY, "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID",
						 table, name,
						 TextDatumGetCString(DirectFunctionCall1(pg_get_constraintdef,
																 ObjectIdGetDatum(con->oid))));
	(void) zdm_plan_step(plan, ZDM_PASS_FOREIGN_KEY, "ALTER TABLE %s VALIDATE CONSTRAINT %s",
						 table, name);
	return true;
}

/*
 * ATTACH needs no right on the referenced table, but ADD CONSTRAINT does; and
 * what is not valid in the parent is not to become so here.
 */
static bool
add_foreign_keys(ZdmPlan *plan, ZdmDdl *ddl, ZdmRel *parent, ZdmRel *child)
{
	ListCell   *lc;

	foreach(lc, ddl_own_foreign_keys(parent))
	{
		const ZdmConstraint *con = lfirst(lc);
		ZdmRel	   *referenced = ddl_rel_by_oid(ddl, con->confrelid);

		if (ddl_has_foreign_key_like(child, parent, con))
			continue;
		if (referenced == NULL || !con->is_valid || !con->is_enforced ||
			pg_class_aclcheck(con->confrelid, GetUserId(), ACL_REFERENCES) != ACLCHECK_OK)
			return false;
		zdm_plan_target(plan, referenced);
		if (!add_foreign_key(plan, ddl, parent, child, con))
			return false;
	}
	return true;
}

/* ALTER TABLE ... ATTACH PARTITION */
static bool
attach_partition(ZdmPlan *plan, const ZdmHazard *hazard)
{
	AlterTableCmd *cmd = castNode(AlterTableCmd, hazard->node);
	PartitionCmd *attach = castNode(PartitionCmd, cmd->def);
	ZdmDdl		scratch = *plan->ddl;
	ZdmRel	   *child = ddl_rel(&scratch, attach->name, true);
	ZdmRel	   *dflt = ddl_default_partition(&scratch, plan->rel);
	char	   *action = zdm_sql_action(plan->ddl, (Node *) cmd);

	if (child == NULL || !OidIsValid(child->relid) || !OidIsValid(plan->rel->relid) ||
		strcmp(action, plan->ddl->sql) == 0 || !ddl_fits_as_partition(child, plan->rel))
		return false;

	if (scratch.script == NULL)
		ddl_check_overlap(&scratch, plan->rel, child->relname, attach->bound);
	zdm_plan_target(plan, child);
	zdm_plan_final(plan, "%s", action);
	if (is_at_risk(plan, hazard->rule, child) &&
		!(owns_tree(&scratch, child, false) &&
		  prove(plan, &scratch, plan->rel, child, attach->bound, false) &&
		  zdm_plan_indexes_like(plan, &scratch, plan->rel, child) &&
		  add_foreign_keys(plan, &scratch, plan->rel, child)))
		return false;
	if (dflt == NULL || !is_at_risk(plan, hazard->rule, dflt))
		return true;
	zdm_plan_target(plan, dflt);
	return owns_tree(&scratch, dflt, true) &&
		prove(plan, &scratch, plan->rel, dflt, attach->bound, true);
}

/*
 * CREATE TABLE ... PARTITION OF: with the proof on the default partition it
 * reads nothing.  stmt is that of a foreign table too, which begins alike.
 */
static bool
create_partition_of(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const CreateStmt *stmt = (const CreateStmt *) hazard->node;
	ZdmDdl		scratch = *plan->ddl;
	ZdmRel	   *parent = ddl_rel(&scratch, linitial(stmt->inhRelations), true);
	ZdmRel	   *dflt;
	char	   *command = zdm_sql_trim(plan->ddl->sql);

	if (parent == NULL || !OidIsValid(parent->relid))
		return false;
	dflt = ddl_default_partition(&scratch, parent);
	if (dflt == NULL)
		return false;
	if (scratch.script == NULL)
		ddl_check_overlap(&scratch, parent, stmt->relation->relname, stmt->partbound);
	zdm_plan_target(plan, parent);
	zdm_plan_target(plan, dflt);
	zdm_plan_before_final(plan, "%s", command);
	return owns_tree(&scratch, dflt, true) &&
		prove(plan, &scratch, parent, dflt, stmt->partbound, true);
}

const ZdmPlanner zdm_partition_planners[] = {
	{ZDM_RULE_ATTACH_PARTITION, attach_partition},
	{ZDM_RULE_CREATE_PARTITION_OF, create_partition_of},
	{ZDM_RULE_COUNT, NULL}
};
