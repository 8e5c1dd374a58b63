/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  Makes the plan of a statement from what the planners of its hazards add.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "plan/plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static const ZdmPlanner *const planner_tables[] = {
	zdm_index_planners,
	zdm_constraint_planners,
	zdm_column_planners,
	zdm_partition_planners,
	zdm_domain_planners,
};

static ZdmPlanFunc
planner_function(ZdmRuleId rule)
{
	for (int i = 0; i < lengthof(planner_tables); i++)
	{
		for (const ZdmPlanner *entry = planner_tables[i]; entry->plan != NULL; entry++)
		{
			if (entry->rule == rule)
				return entry->plan;
		}
	}
	return NULL;
}

bool
zdm_plan_knows(ZdmRuleId rule)
{
	return planner_function(rule) != NULL;
}

/* The planner of a hazard that is to be planned for, or NULL. */
static ZdmPlanFunc
planner_of(const ZdmHazard *hazard)
{
	if (zdm_rules[hazard->rule].class != ZDM_CLASS_LOCK || hazard->cap < ZDM_SEVERITY_ERROR)
		return NULL;
	return planner_function(hazard->rule);
}

/* Format into a string of the right size. */
static char *format(const char *fmt, va_list args) pg_attribute_printf(1, 0);

static char *
format(const char *fmt, va_list args)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		va_list		copy;
		int			needed;

		va_copy(copy, args);
		needed = appendStringInfoVA(&buf, fmt, copy);
		va_end(copy);
		if (needed == 0)
			return buf.data;
		enlargeStringInfo(&buf, needed);
	}
}

#define ADD_FORMATTED(list) \
	do { \
		va_list		args; \
		va_start(args, fmt); \
		(list) = lappend((list), format(fmt, args)); \
		va_end(args); \
	} while (0)

ZdmStep *
zdm_plan_step(ZdmPlan *plan, ZdmPass pass, const char *fmt,...)
{
	ZdmStep    *step;
	va_list		args;

	va_start(args, fmt);
	step = zdm_step_make(format(fmt, args));
	va_end(args);
	plan->passes[pass] = lappend(plan->passes[pass], step);
	return step;
}

void
zdm_plan_before_columns(ZdmPlan *plan, const char *fmt,...)
{
	ADD_FORMATTED(plan->before_columns);
}

void
zdm_plan_column(ZdmPlan *plan, const char *fmt,...)
{
	ADD_FORMATTED(plan->columns);
}

void
zdm_plan_after_columns(ZdmPlan *plan, const char *fmt,...)
{
	ADD_FORMATTED(plan->after_columns);
}

void
zdm_plan_before_final(ZdmPlan *plan, const char *fmt,...)
{
	ADD_FORMATTED(plan->before_final);
}

void
zdm_plan_final(ZdmPlan *plan, const char *fmt,...)
{
	ADD_FORMATTED(plan->final);
}

void
zdm_plan_after_final(ZdmPlan *plan, const char *fmt,...)
{
	ADD_FORMATTED(plan->after_final);
}

void
zdm_plan_target(ZdmPlan *plan, const ZdmRel *rel)
{
	ZdmPlanTarget *target;

	if (!OidIsValid(rel->relid))
		return;
	target = palloc(sizeof(ZdmPlanTarget));
	target->relid = rel->relid;
	target->nspname = pstrdup(rel->nspname);
	target->relname = pstrdup(rel->relname);
	plan->targets = lappend(plan->targets, target);
}

/* Has the plan chosen this name for something in the schema already? */
static bool
is_chosen(const ZdmPlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, plan->names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* Does PostgreSQL see to it that a name with this label is no relation's? */
static bool
names_relation(const char *label)
{
	return strcmp(label, "idx") == 0 || strcmp(label, "key") == 0 ||
		strcmp(label, "pkey") == 0 || strcmp(label, "excl") == 0 ||
		strcmp(label, "seq") == 0;
}

/*
 * As ChooseRelationName() and ChooseConstraintName(), which number the label
 * until the name is free.
 */
char *
zdm_plan_choose_name(ZdmPlan *plan, const ZdmRel *rel, const char *column, const char *label)
{
	Oid			nspoid = get_namespace_oid(rel->nspname, true);
	bool		is_relation = names_relation(label);
	bool		is_constraint = strcmp(label, "idx") != 0 && strcmp(label, "seq") != 0;
	char		numbered[NAMEDATALEN];
	char	   *name;

	strlcpy(numbered, label, sizeof(numbered));
	for (int pass = 1;; pass++)
	{
		name = makeObjectName(rel->relname, column, numbered);
		if (!is_chosen(plan, name) &&
			!(OidIsValid(nspoid) && is_relation &&
			  OidIsValid(get_relname_relid(name, nspoid))) &&
			!(OidIsValid(nspoid) && is_constraint &&
			  ConstraintNameExists(name, nspoid)))
			break;
		snprintf(numbered, sizeof(numbered), "%s%d", label, pass);
	}
	plan->names = lappend(plan->names, name);
	return name;
}

static List *
commands_of(const ZdmPlan *plan)
{
	if (!IsA(plan->ddl->stmt, AlterTableStmt))
		return NIL;
	return ((AlterTableStmt *) plan->ddl->stmt)->cmds;
}

bool
zdm_plan_has_command(const ZdmPlan *plan, AlterTableType subtype)
{
	ListCell   *lc;

	foreach(lc, commands_of(plan))
	{
		if (((AlterTableCmd *) lfirst(lc))->subtype == subtype)
			return true;
	}
	return false;
}

char *
zdm_plan_alter(const ZdmPlan *plan)
{
	const AlterTableStmt *stmt = castNode(AlterTableStmt, plan->ddl->stmt);
	const char *kind = stmt->objtype == OBJECT_FOREIGN_TABLE ? "FOREIGN TABLE" :
		stmt->objtype == OBJECT_MATVIEW ? "MATERIALIZED VIEW" : "TABLE";

	return psprintf("ALTER %s %s%s", kind, stmt->relation->inh ? "" : "ONLY ",
					ddl_rel_qualified(plan->rel));
}

/* Does the hazard come from this command of the ALTER TABLE? */
static bool
belongs_to(const ZdmHazard *hazard, const AlterTableCmd *cmd)
{
	if (hazard->node == (const Node *) cmd || hazard->node == cmd->def)
		return true;
	if (cmd->subtype != AT_AddColumn)
		return false;
	return list_member_ptr(castNode(ColumnDef, cmd->def)->constraints, hazard->node);
}

/*
 * The hazard of the command that says how it is planned, or NULL.  For a new
 * column that is one of the column as a whole, where there is one: its planner
 * sees to the constraints in it.
 */
static const ZdmHazard *
hazard_of(const ZdmPlan *plan, const AlterTableCmd *cmd)
{
	const ZdmHazard *found = NULL;
	ListCell   *lc;

	foreach(lc, plan->ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if (planner_of(hazard) == NULL || !belongs_to(hazard, cmd))
			continue;
		if (found == NULL || hazard->node == (const Node *) cmd)
			found = hazard;
	}
	return found;
}

/* Take over a command without a hazard as it is written. */
static bool
take_over(ZdmPlan *plan, AlterTableCmd *cmd)
{
	char	   *action = zdm_sql_action(plan->ddl, (Node *) cmd);

	if (strcmp(action, plan->ddl->sql) == 0)
		return false;			/* the parse tree is not of this text */

	/*
	 * IF NOT EXISTS can meet a column that is there, and to take back a step
	 * must not take that away.
	 */
	if (cmd->subtype == AT_AddColumn && !cmd->missing_ok)
		zdm_plan_column(plan, "%s", action);
	else
		zdm_plan_final(plan, "%s", action);
	return true;
}

/* Is each hazard that is planned for one of a command? */
static bool
all_hazards_placed(const ZdmPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);
		bool		placed = false;
		ListCell   *lcmd;

		foreach(lcmd, commands_of(plan))
			placed |= belongs_to(hazard, lfirst(lcmd));
		if (planner_of(hazard) != NULL && !placed)
			return false;
	}
	return true;
}

static bool
plan_alter_table(ZdmPlan *plan, const AlterTableStmt *stmt)
{
	ZdmDdl		scratch = *plan->ddl;
	ListCell   *lc;

	plan->rel = ddl_rel(&scratch, stmt->relation, true);
	if (plan->rel == NULL || !all_hazards_placed(plan))
		return false;
	zdm_plan_target(plan, plan->rel);
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst(lc);
		const ZdmHazard *hazard = hazard_of(plan, cmd);

		if (hazard == NULL ? !take_over(plan, cmd) :
			!(hazard->node != (Node *) cmd && cmd->subtype == AT_AddColumn ?
			  planner_function(ZDM_RULE_ADD_COLUMN_INLINE_CHECK) :
			  planner_of(hazard)) (plan, hazard))
			return false;
	}
	return true;
}

/* A statement of one part: the first hazard's planner plans all of it. */
static bool
plan_simple(ZdmPlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->ddl->hazards)
	{
		ZdmPlanFunc planner = planner_of(lfirst(lc));

		if (planner != NULL)
			return planner(plan, lfirst(lc));
	}
	return false;
}

/* Put commands and the actions of one ALTER TABLE into one step. */
static void
make_step(ZdmPlan *plan, ZdmPass pass, List *before, List *actions, List *after)
{
	StringInfoData buf;
	const char *separator = "";
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, before)
	{
		appendStringInfo(&buf, "%s%s", separator, (char *) lfirst(lc));
		separator = "; ";
	}
	if (actions != NIL)
		appendStringInfo(&buf, "%s%s ", separator, zdm_plan_alter(plan));
	foreach(lc, actions)
		appendStringInfo(&buf, "%s%s", lc == list_head(actions) ? "" : ", ",
						 (char *) lfirst(lc));
	if (actions != NIL)
		separator = "; ";
	foreach(lc, after)
	{
		appendStringInfo(&buf, "%s%s", separator, (char *) lfirst(lc));
		separator = "; ";
	}
	if (buf.len > 0)
		(void) zdm_plan_step(plan, pass, "%s", buf.data);
}

/* Line the steps up.  False if one that cannot be undone is not the last. */
static bool
line_up(ZdmPlan *plan)
{
	ListCell   *lc;

	make_step(plan, ZDM_PASS_COLUMN, plan->before_columns, plan->columns,
			  plan->after_columns);
	make_step(plan, ZDM_PASS_FINAL, plan->before_final, plan->final, plan->after_final);
	for (int pass = 0; pass < ZDM_PASS_COUNT; pass++)
	{
		foreach(lc, plan->passes[pass])
			((ZdmStep *) lfirst(lc))->phase = pass == ZDM_PASS_COLUMN ?
				ZDM_PHASE_EXPAND : ZDM_PHASE_MIGRATE;
		plan->steps = list_concat(plan->steps, plan->passes[pass]);
	}
	foreach(lc, plan->steps)
	{
		if (((ZdmStep *) lfirst(lc))->cannot_undo && lnext(plan->steps, lc) != NULL)
			return false;
	}
	return plan->steps != NIL;
}

ZdmPlan *
zdm_plan(const ZdmDdl *ddl)
{
	ZdmPlan    *plan = palloc0(sizeof(ZdmPlan));
	bool		planned;

	plan->ddl = ddl;
	if (ddl->undefined != NULL)
		return NULL;
	if (IsA(ddl->stmt, AlterTableStmt))
		planned = plan_alter_table(plan, (const AlterTableStmt *) ddl->stmt);
	else
		planned = plan_simple(plan);
	return planned && line_up(plan) ? plan : NULL;
}

/*
 * Only REFRESH MATERIALIZED VIEW CONCURRENTLY, which blocks nobody for
 * however long: a VALIDATE would wait for the transaction's other locks.
 */
bool
zdm_plan_fits_in_block(const ZdmPlan *plan)
{
	return IsA(plan->ddl->stmt, RefreshMatViewStmt);
}
