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

static void
add_and_validate(ZdmPlan *plan, const char *alter, const char *name, const char *definition)
{
	zdm_plan_step(plan, ZDM_PASS_FOREIGN_KEY, "%s ADD CONSTRAINT %s %s NOT VALID",
				  alter, quote_identifier(name), definition);
	zdm_plan_step(plan, ZDM_PASS_FOREIGN_KEY, "%s VALIDATE CONSTRAINT %s",
				  alter, quote_identifier(name));
}

/*
 * Before 18 a partitioned table takes no foreign key that is NOT VALID; but
 * it adopts what its partitions have.
 */
static bool
add_partitioned(ZdmPlan *plan, const char *name, const char *definition)
{
	ListCell   *lc;

	foreach(lc, zdm_plan_tree(plan))
	{
		ZdmRel	   *leaf = lfirst(lc);

		if (leaf->relkind == RELKIND_PARTITIONED_TABLE)
			continue;
		if (leaf->relkind != RELKIND_RELATION || ddl_constraint(leaf, name) != NULL)
			return false;
		zdm_plan_target(plan, leaf);
		add_and_validate(plan, psprintf("ALTER TABLE %s", ddl_rel_qualified(leaf)),
						 name, definition);
	}
	zdm_plan_step(plan, ZDM_PASS_FOREIGN_KEY, "%s ADD CONSTRAINT %s %s",
				  zdm_plan_alter(plan), quote_identifier(name), definition);
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
	char	   *definition;

	if (target == NULL || drops_key(plan, target) ||
		!zdm_plan_keeps_columns(plan, con->fk_attrs) ||
		(target->relid == plan->rel->relid && !zdm_plan_keeps_columns(plan, con->pk_attrs)))
		return false;
	zdm_plan_target(plan, target);
	definition = foreign_key_text(con, target);
	if (zdm_plan_replaces(plan, name))
	{
		char	   *made_as = zdm_plan_spare_name(plan, name, "new");

		if (partitioned)
			return false;		/* RENAME does not reach the partitions */
		zdm_plan_after_final(plan, "%s RENAME CONSTRAINT %s TO %s", zdm_plan_alter(plan),
							 quote_identifier(made_as), quote_identifier(name));
		name = made_as;
	}
	if (partitioned && !COMPAT_NOT_NULL_HAS_CONSTRAINT)
		return add_partitioned(plan, name, definition);
	add_and_validate(plan, zdm_plan_alter(plan), name, definition);
	return true;
}

/* ADD FOREIGN KEY */
bool
zdm_plan_add_foreign_key(ZdmPlan *plan, const ZdmHazard *hazard)
{
	return zdm_plan_foreign_key(plan, castNode(Constraint, hazard->node));
}
