/*-------------------------------------------------------------------------
 *
 * foreign_key_plan.c
 *	  Plans for foreign keys.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "plan/constraint_plan.h"
#include "utils/builtins.h"

static void
append_action(StringInfo buf, const char *event, char action, List *columns)
{
	const char *verb;

	switch (action)
	{
		case FKCONSTR_ACTION_RESTRICT:
			verb = "RESTRICT";
			break;
		case FKCONSTR_ACTION_CASCADE:
			verb = "CASCADE";
			break;
		case FKCONSTR_ACTION_SETNULL:
			verb = "SET NULL";
			break;
		case FKCONSTR_ACTION_SETDEFAULT:
			verb = "SET DEFAULT";
			break;
		default:
			return;
	}
	appendStringInfo(buf, " ON %s %s", event, verb);
	if (columns != NIL)
		appendStringInfo(buf, " (%s)", zdm_columns_text(columns));
}

/* FOREIGN KEY (a) REFERENCES u (id) ..., from its parse tree */
static char *
foreign_key_text(const Constraint *con, const ZdmRel *target)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "FOREIGN KEY (%s) REFERENCES %s",
					 zdm_columns_text(con->fk_attrs), ddl_rel_qualified(target));
	if (con->pk_attrs != NIL)
		appendStringInfo(&buf, " (%s)", zdm_columns_text(con->pk_attrs));
	if (con->fk_matchtype == FKCONSTR_MATCH_FULL)
		appendStringInfoString(&buf, " MATCH FULL");
	append_action(&buf, "UPDATE", con->fk_upd_action, NIL);
	append_action(&buf, "DELETE", con->fk_del_action, con->fk_del_set_cols);
	appendStringInfoString(&buf, zdm_deferrable_text(con));
	return buf.data;
}

/*
 * Before 18 a foreign key on a partitioned table has a row of pg_constraint for
 * each of its partitions, with a name of its own; those that reference it from
 * a table with rows stay NOT VALID for ever if they once were.
 */
static bool
reference_partitions(ZdmPlan *plan, ZdmRel *target, const char *columns)
{
	ZdmDdl		scratch = *plan->ddl;
	ListCell   *lc;

	if (COMPAT_NOT_NULL_HAS_CONSTRAINT || target->relkind != RELKIND_PARTITIONED_TABLE)
		return true;
	if (plan->rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	foreach(lc, ddl_rel_tree(&scratch, target))
	{
		if (((ZdmRel *) lfirst(lc))->relid != target->relid)
			(void) zdm_plan_choose_name(plan, plan->rel, columns, "fkey");
	}
	return true;
}

/* Does the statement drop the key that a foreign key of its table is to use? */
static bool
drops_key(const ZdmPlan *plan, const ZdmRel *target)
{
	ListCell   *lc;

	foreach(lc, target->relid == plan->rel->relid ? plan->dropped : NIL)
	{
		if (((ZdmConstraint *) lfirst(lc))->contype == CONSTRAINT_PRIMARY ||
			((ZdmConstraint *) lfirst(lc))->contype == CONSTRAINT_UNIQUE)
			return true;
	}
	return false;
}

bool
zdm_plan_foreign_key(ZdmPlan *plan, const Constraint *con)
{
	ZdmDdl		scratch = *plan->ddl;
	bool		partitioned = plan->rel->relkind == RELKIND_PARTITIONED_TABLE;
	ZdmRel	   *target = ddl_fk_target(&scratch, plan->rel, con);
	const char *name = zdm_plan_name_constraint(plan, plan->rel, con);
	const char *made_as = name;
	char	   *definition;

	if (target == NULL || compat_is_temporal_key(con) || drops_key(plan, target) ||
		!zdm_plan_keeps_columns(plan, con->fk_attrs) ||
		(target->relid == plan->rel->relid && !zdm_plan_keeps_columns(plan, con->pk_attrs)))
		return false;
	zdm_plan_target(plan, target);
	definition = foreign_key_text(con, target);
	if (plan->plain)
		return zdm_plan_plain_constraint(plan, ZDM_PASS_FOREIGN_KEY, name, definition);
	if (zdm_plan_replaces(plan, name))
	{
		if (partitioned)
			return false;		/* RENAME does not reach the partitions */
		made_as = zdm_plan_spare_name(plan, name, "new");
		zdm_plan_after_final(plan, "%s RENAME CONSTRAINT %s TO %s", zdm_plan_alter(plan),
							 quote_identifier(made_as), quote_identifier(name));
	}
	if (!reference_partitions(plan, target, zdm_columns_in_name(con->fk_attrs)))
		return false;
	if (partitioned && !COMPAT_NOT_NULL_HAS_CONSTRAINT)
		return zdm_plan_partition_foreign_keys(plan, con, target, name, definition);
	zdm_plan_made_for(zdm_plan_validated(plan, ZDM_PASS_FOREIGN_KEY, zdm_plan_alter(plan),
										 made_as, definition), made_as, name);
	return true;
}

/* ADD FOREIGN KEY ... NOT VALID, or NOT ENFORCED, as one step */
bool
zdm_plan_unchecked_foreign_key(ZdmPlan *plan, const Constraint *con)
{
	ZdmDdl		scratch = *plan->ddl;
	ZdmRel	   *target = ddl_fk_target(&scratch, plan->rel, con);
	const char *name = zdm_plan_name_constraint(plan, plan->rel, con);

	if (target == NULL || compat_is_temporal_key(con))
		return false;
	zdm_plan_target(plan, target);
	return zdm_plan_plain_constraint(plan, ZDM_PASS_FOREIGN_KEY, name,
									 psprintf("%s %s", foreign_key_text(con, target),
											  compat_constraint_node_is_enforced(con) ?
											  "NOT VALID" : "NOT ENFORCED"));
}

/* ADD FOREIGN KEY */
bool
zdm_plan_add_foreign_key(ZdmPlan *plan, const ZdmHazard *hazard)
{
	return zdm_plan_foreign_key(plan, castNode(Constraint, hazard->node));
}
