/*-------------------------------------------------------------------------
 *
 * constraint_plan.c
 *	  Plans for constraints: NOT NULL, CHECK, VALIDATE, and what the plans of
 *	  keys and foreign keys need too.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "plan/advice.h"
#include "plan/constraint_plan.h"
#include "utils/builtins.h"

char *
zdm_columns_text(List *columns)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 quote_identifier(strVal(lfirst(lc))));
	return buf.data;
}

/* The columns joined as in names that PostgreSQL chooses; see ChooseIndexName() */
char *
zdm_columns_in_name(List *columns)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
	{
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "_" : "", strVal(lfirst(lc)));
		if (buf.len >= NAMEDATALEN)
			break;
	}
	return buf.data;
}

char *
zdm_deferrable_text(const Constraint *con)
{
	return psprintf("%s%s", con->deferrable ? " DEFERRABLE" : "",
					con->initdeferred ? " INITIALLY DEFERRED" : "");
}

/* The table of the ALTER TABLE, and its children unless it says ONLY. */
List *
zdm_plan_tree(const ZdmPlan *plan)
{
	ZdmDdl		scratch = *plan->ddl;

	if (!castNode(AlterTableStmt, plan->ddl->stmt)->relation->inh)
		return list_make1(plan->rel);
	return ddl_rel_tree(&scratch, plan->rel);
}

static List *
commands_of(const ZdmPlan *plan)
{
	return castNode(AlterTableStmt, plan->ddl->stmt)->cmds;
}

static bool
names_column(List *columns, const char *name)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		if (strcmp(strVal(lfirst(lc)), name) == 0)
			return true;
	}
	return false;
}

static bool
keeps_columns(const ZdmPlan *plan, List *columns, bool types_may_change)
{
	ListCell   *lc;

	foreach(lc, commands_of(plan))
	{
		const AlterTableCmd *cmd = lfirst(lc);

		switch (cmd->subtype)
		{
			case AT_AlterColumnType:
				if (!types_may_change && names_column(columns, cmd->name))
					return false;
				break;
			case AT_DropColumn:
			case AT_DropNotNull:
			case COMPAT_AT_EXPRESSION:
				if (names_column(columns, cmd->name))
					return false;
				break;
			default:
				break;
		}
	}
	return true;
}

/*
 * What concerns a column that the statement drops or alters is not done ahead
 * of that.
 */
bool
zdm_plan_keeps_columns(const ZdmPlan *plan, List *columns)
{
	return keeps_columns(plan, columns, false);
}

bool
zdm_plan_replaces(const ZdmPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, plan->dropped)
	{
		const ZdmConstraint *con = lfirst(lc);

		if (con->conrelid == plan->rel->relid && strcmp(con->name, name) == 0)
			return true;
	}
	return false;
}

const char *
zdm_unvalidated_not_null(ZdmRel *rel, const char *column)
{
	ListCell   *lc;

	foreach(lc, ddl_rel_constraints(rel))
	{
		ZdmConstraint *con = lfirst(lc);

		if (con->contype == CONSTRAINT_NOTNULL && !con->is_valid && con->nkeys == 1 &&
			strcmp(ddl_attname(rel, con->conkey[0]), column) == 0)
			return con->name;
	}
	return NULL;
}

ZdmStep *
zdm_plan_validated(ZdmPlan *plan, ZdmPass pass, const char *alter, const char *name,
				   const char *definition)
{
	zdm_plan_step(plan, pass, "%s ADD CONSTRAINT %s %s NOT VALID",
				  alter, quote_identifier(name), definition);
	return zdm_plan_step(plan, pass, "%s VALIDATE CONSTRAINT %s",
						 alter, quote_identifier(name));
}

bool
zdm_plan_plain_constraint(ZdmPlan *plan, ZdmPass pass, const char *name, const char *definition)
{
	(void) zdm_plan_step(plan, pass, "%s ADD CONSTRAINT %s %s", zdm_plan_alter(plan),
						 quote_identifier(name), definition);
	return true;
}

void
zdm_plan_made_for(ZdmStep *step, const char *made_as, const char *name)
{
	if (made_as == name)
		return;
	step->made_as = made_as;
	step->made_for = name;
}

/*
 * From 18 on NOT NULL is a constraint that can be NOT VALID.  ONLY a parent it
 * can only be without inheritance.
 */
static bool
add_not_null_constraint(ZdmPlan *plan, ZdmPass pass, const char *column, const char *name,
						bool no_inherit)
{
	const char *waiting = zdm_unvalidated_not_null(plan->rel, column);
	ListCell   *lc;

	if (waiting != NULL)
	{
		zdm_plan_step(plan, pass, "%s VALIDATE CONSTRAINT %s",
					  zdm_plan_alter(plan), quote_identifier(waiting));
		return true;
	}
	foreach(lc, zdm_plan_tree(plan))
	{
		if (zdm_unvalidated_not_null(lfirst(lc), column) != NULL)
			return false;		/* to be left as it is */
	}
	if (name == NULL)
		name = zdm_plan_choose_name(plan, plan->rel, column, "not_null");
	(void) zdm_plan_validated(plan, pass, zdm_plan_alter(plan), name,
							  psprintf("NOT NULL %s%s", quote_identifier(column),
									   no_inherit ? " NO INHERIT" : ""));
	return true;
}

/*
 * Before 18 a validated CHECK spares SET NOT NULL the scan.  SET NOT NULL runs
 * as a command of its own before the others of the last step: they may drop
 * the CHECK's column type or the owner's rights from under it.
 */
static void
add_not_null_check(ZdmPlan *plan, ZdmPass pass, const char *column, bool no_inherit)
{
	const char *alter = zdm_plan_alter(plan);
	const char *quoted = quote_identifier(column);
	const char *name = zdm_plan_spare_name(plan, column, "not_null");
	ZdmStep    *step;

	step = zdm_plan_validated(plan, pass, alter, name,
							  psprintf("CHECK (%s IS NOT NULL)%s", quoted,
									   no_inherit ? " NO INHERIT" : ""));
	step->null_column = column;
	step->null_table = plan->rel->relname;
	zdm_plan_before_final(plan, "%s ALTER COLUMN %s SET NOT NULL", alter, quoted);
	zdm_plan_before_final(plan, "%s DROP CONSTRAINT %s", alter, quote_identifier(name));
}

bool
zdm_plan_not_null(ZdmPlan *plan, const char *column)
{
	return zdm_plan_not_null_in(plan, ZDM_PASS_CHECK, column);
}

bool
zdm_plan_not_null_in(ZdmPlan *plan, ZdmPass pass, const char *column)
{
	bool		no_inherit = plan->rel->has_children &&
		!castNode(AlterTableStmt, plan->ddl->stmt)->relation->inh;

	ListCell   *lc;

	if (!keeps_columns(plan, list_make1(makeString(unconstify(char *, column))), true))
		return false;
	foreach(lc, plan->not_null)
	{
		if (strcmp(lfirst(lc), column) == 0)
			return true;
	}
	plan->not_null = lappend(plan->not_null, unconstify(char *, column));
	if (plan->plain)
	{
		(void) zdm_plan_step(plan, pass, "%s ALTER COLUMN %s SET NOT NULL",
							 zdm_plan_alter(plan), quote_identifier(column));
		return true;
	}
	if (COMPAT_NOT_NULL_HAS_CONSTRAINT)
		return add_not_null_constraint(plan, pass, column, NULL, no_inherit);
	add_not_null_check(plan, pass, column, no_inherit);
	return true;
}

/* SET NOT NULL, and from 18 on ADD NOT NULL */
static bool
set_not_null(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const Constraint *con;

	if (hazard->column == NULL)
		return false;
	if (IsA(hazard->node, AlterTableCmd))
		return ((AlterTableCmd *) hazard->node)->subtype == AT_SetNotNull &&
			zdm_plan_not_null(plan, hazard->column);

	con = castNode(Constraint, hazard->node);
	if (zdm_unvalidated_not_null(plan->rel, hazard->column) != NULL ||
		!zdm_plan_keeps_columns(plan, con->keys))
		return false;
	return add_not_null_constraint(plan, ZDM_PASS_CHECK, hazard->column,
								   zdm_plan_name_constraint(plan, plan->rel, con),
								   con->is_no_inherit);
}

/*
 * Does PostgreSQL merge the constraint with one of the same name, inherited by
 * the table, without reading a row; or find at once that it cannot merge it
 * with a child's, which is not valid?
 */
static bool
reads_nothing(const ZdmPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, zdm_plan_tree(plan))
	{
		ZdmRel	   *rel = lfirst(lc);
		ZdmConstraint *con = ddl_constraint(rel, name);

		if (con == NULL || zdm_plan_replaces(plan, name))
			continue;
		if (rel->relid == plan->rel->relid ? con->is_inherited : !con->is_valid)
			return true;
	}
	return false;
}

/*
 * Is it known which columns the expression uses?  A name in it can also be
 * that of the table, for all of them.
 */
static bool
knows_columns(const ZdmPlan *plan, List *columns)
{
	ZdmDdl		scratch = *plan->ddl;
	ListCell   *lc;

	scratch.alter = castNode(AlterTableStmt, plan->ddl->stmt);
	foreach(lc, columns)
	{
		if (ddl_alter_col(&scratch, plan->rel, strVal(lfirst(lc)), true) == NULL)
			return false;
	}
	return true;
}

bool
zdm_plan_check(ZdmPlan *plan, const Constraint *con, const char *expression)
{
	const char *name = zdm_plan_name_constraint(plan, plan->rel, con);
	const char *made_as = name;
	List	   *columns = ddl_check_columns(con->raw_expr);
	const char *definition = psprintf("CHECK %s%s", expression,
									  con->is_no_inherit ? " NO INHERIT" : "");

	if (!zdm_plan_keeps_columns(plan, columns) ||
		(con->conname == NULL && !knows_columns(plan, columns)))
		return false;
	if (plan->plain)
		return zdm_plan_plain_constraint(plan, ZDM_PASS_CHECK, name, definition);
	if (zdm_plan_replaces(plan, name))
	{
		made_as = zdm_plan_spare_name(plan, name, "new");
		zdm_plan_after_final(plan, "%s RENAME CONSTRAINT %s TO %s", zdm_plan_alter(plan),
							 quote_identifier(made_as), quote_identifier(name));
	}
	else if (reads_nothing(plan, name))
	{
		zdm_plan_final(plan, "ADD CONSTRAINT %s %s", quote_identifier(name), definition);
		return true;
	}
	zdm_plan_made_for(zdm_plan_validated(plan, ZDM_PASS_CHECK, zdm_plan_alter(plan), made_as,
										 definition), made_as, name);
	return true;
}

/* The command of the ALTER TABLE that a constraint stands in, or NULL. */
static AlterTableCmd *
command_of(const ZdmPlan *plan, const Node *con)
{
	ListCell   *lc;

	foreach(lc, commands_of(plan))
	{
		AlterTableCmd *cmd = lfirst(lc);

		if (cmd->def == con)
			return cmd;
	}
	return NULL;
}

static bool
add_check_command(ZdmPlan *plan, AlterTableCmd *cmd)
{
	char	   *action = zdm_sql_action(plan->ddl, (Node *) cmd);
	char	   *expression;

	if (strcmp(action, plan->ddl->sql) == 0)
		return false;			/* the parse tree is not of this text */
	expression = zdm_sql_parenthesis(action, "check");
	return expression != NULL &&
		zdm_plan_check(plan, castNode(Constraint, cmd->def), expression);
}

static bool
add_check(ZdmPlan *plan, const ZdmHazard *hazard)
{
	AlterTableCmd *cmd = command_of(plan, hazard->node);

	return cmd != NULL && add_check_command(plan, cmd);
}

/* Does the statement add the constraint NOT VALID and validate it? */
bool
zdm_plan_validates(const ZdmPlan *plan, const AlterTableCmd *add)
{
	const Constraint *con = castNode(Constraint, add->def);
	ListCell   *lc;

	if (!con->skip_validation || con->conname == NULL)
		return false;
	foreach(lc, commands_of(plan))
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_ValidateConstraint && strcmp(cmd->name, con->conname) == 0)
			return true;
	}
	return false;
}

bool
zdm_plan_add_constraint(ZdmPlan *plan, AlterTableCmd *cmd)
{
	const Constraint *con = castNode(Constraint, cmd->def);

	switch (con->contype)
	{
		case CONSTR_CHECK:
			return add_check_command(plan, cmd);
		case CONSTR_FOREIGN:
			return zdm_plan_foreign_key(plan, con);
		default:
			return false;
	}
}

/* Does the statement itself add the constraint that it validates? */
static bool
is_added_here(const ZdmPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, commands_of(plan))
	{
		const AlterTableCmd *cmd = lfirst(lc);

		if (cmd->subtype == AT_AddConstraint &&
			castNode(Constraint, cmd->def)->conname != NULL &&
			strcmp(castNode(Constraint, cmd->def)->conname, name) == 0)
			return true;
	}
	return false;
}

/* VALIDATE CONSTRAINT beside commands that take a strong lock */
static bool
validate_while_locked(ZdmPlan *plan, const ZdmHazard *hazard)
{
	const AlterTableCmd *cmd = castNode(AlterTableCmd, hazard->node);

	if (is_added_here(plan, cmd->name))
		return true;			/* ADD has been planned with it */
	if (zdm_plan_replaces(plan, cmd->name))
		return false;
	zdm_plan_step(plan, ZDM_PASS_CHECK, "%s VALIDATE CONSTRAINT %s",
				  zdm_plan_alter(plan), quote_identifier(cmd->name));
	return true;
}

const ZdmPlanner zdm_constraint_planners[] = {
	{ZDM_RULE_SET_NOT_NULL, set_not_null},
	{ZDM_RULE_ADD_CHECK_CONSTRAINT, add_check},
	{ZDM_RULE_ADD_FOREIGN_KEY, zdm_plan_add_foreign_key},
	{ZDM_RULE_ADD_UNIQUE_CONSTRAINT, zdm_plan_add_key},
	{ZDM_RULE_ADD_PRIMARY_KEY, zdm_plan_add_key},
	{ZDM_RULE_PRIMARY_KEY_NULLABLE_INDEX, zdm_plan_primary_key_index},
	{ZDM_RULE_VALIDATE_WHILE_LOCKED, validate_while_locked},
	{ZDM_RULE_COUNT, NULL}
};
