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

#include "lib/stringinfo.h"
#include "parser/parser.h"
#include "plan/advice.h"
#include "plan/column_plan.h"
#include "plan/constraint_plan.h"
#include "plan/plan.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static const ZdmPlanner *const planner_tables[] = {
	zdm_index_planners,
	zdm_constraint_planners,
	zdm_column_planners,
	zdm_partition_planners,
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
char *
zdm_plan_format(const char *fmt, va_list args)
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
		(list) = lappend((list), zdm_plan_format(fmt, args)); \
		va_end(args); \
	} while (0)

ZdmStep *
zdm_plan_step(ZdmPlan *plan, ZdmPass pass, const char *fmt,...)
{
	ZdmStep    *step;
	va_list		args;

	va_start(args, fmt);
	step = zdm_step_make(zdm_plan_format(fmt, args));
	va_end(args);
	step->phase = plan->phase;
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

/*
 * Does the hazard come from this command of the ALTER TABLE?  That of a
 * constraint in the definition of a column has a copy of it, with its columns.
 */
bool
zdm_plan_belongs_to(const ZdmHazard *hazard, const AlterTableCmd *cmd)
{
	ListCell   *lc;

	if (hazard->node == (const Node *) cmd || hazard->node == cmd->def)
		return true;
	if (cmd->subtype != AT_AddColumn || hazard->node == NULL || !IsA(hazard->node, Constraint))
		return false;
	foreach(lc, castNode(ColumnDef, cmd->def)->constraints)
	{
		const Constraint *con = lfirst(lc);
		const Constraint *other = (const Constraint *) hazard->node;

		if (con->contype == other->contype && con->location == other->location)
			return true;
	}
	return false;
}

/* The first hazard of the command that is planned for, or NULL. */
static const ZdmHazard *
hazard_of(const ZdmPlan *plan, const AlterTableCmd *cmd)
{
	ListCell   *lc;

	foreach(lc, plan->ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if (planner_of(hazard) != NULL && zdm_plan_belongs_to(hazard, cmd))
			return hazard;
	}
	return NULL;
}

/* The passes in which PostgreSQL carries out the commands of an ALTER TABLE */
static int
pass_of(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_DropColumn:
		case AT_DropConstraint:
		case AT_DropNotNull:
		case AT_DropIdentity:
			return 0;
		case AT_AlterColumnType:
			return 1;
		case AT_AddColumn:
			return 2;
		case AT_SetNotNull:
			return 3;
		case AT_AddConstraint:
			switch (castNode(Constraint, cmd->def)->contype)
			{
				case CONSTR_PRIMARY:
				case CONSTR_UNIQUE:
				case CONSTR_EXCLUSION:
					return castNode(Constraint, cmd->def)->indexname != NULL ? 4 : 5;
				default:
					return 6;
			}
		default:
			return 7;
	}
}

/* The commands in the order in which they name what they make */
List *
zdm_plan_commands_by_pass(const AlterTableStmt *stmt)
{
	List	   *result = NIL;

	for (int pass = 0; pass <= 7; pass++)
	{
		ListCell   *lc;

		foreach(lc, stmt->cmds)
		{
			if (pass_of(lfirst(lc)) == pass)
				result = lappend(result, lfirst(lc));
		}
	}
	return result;
}

/* Take over a command without a hazard as it is written. */
static bool
take_over(ZdmPlan *plan, AlterTableCmd *cmd)
{
	char	   *action = zdm_sql_action(plan->ddl, (Node *) cmd);

	if (strcmp(action, plan->ddl->sql) == 0)
		return false;			/* the parse tree is not of this text */

	if (cmd->subtype == AT_AddConstraint && zdm_plan_validates(plan, cmd))
		return zdm_plan_add_constraint(plan, cmd);
	if (cmd->subtype == AT_AddConstraint)
		(void) zdm_plan_name_constraint(plan, plan->rel, castNode(Constraint, cmd->def));
	zdm_plan_final(plan, "%s", action);
	return true;
}

/*
 * A new column is planned as a whole, whatever its hazards are; another
 * command by the planner of its hazard.
 */
static bool
plan_command(ZdmPlan *plan, AlterTableCmd *cmd)
{
	const ZdmHazard *hazard = hazard_of(plan, cmd);

	if (cmd->subtype == AT_AddColumn)
		return zdm_plan_add_column(plan, cmd, hazard != NULL);
	if (hazard == NULL)
		return take_over(plan, cmd);
	return planner_of(hazard) (plan, hazard);
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
			placed |= zdm_plan_belongs_to(hazard, lfirst(lcmd));
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

	/* the actions of ALTER TYPE and ALTER VIEW are none of ALTER TABLE */
	if (stmt->objtype != OBJECT_TABLE && stmt->objtype != OBJECT_FOREIGN_TABLE &&
		stmt->objtype != OBJECT_MATVIEW)
		return false;
	plan->rel = ddl_rel(&scratch, stmt->relation, true);
	if (plan->rel == NULL || !all_hazards_placed(plan))
		return false;
	zdm_plan_target(plan, plan->rel);
	zdm_plan_note_dropped(plan);
	foreach(lc, zdm_plan_commands_by_pass(stmt))
	{
		if (!plan_command(plan, lfirst(lc)))
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
void
zdm_plan_make_step(ZdmPlan *plan, ZdmPass pass, List *before, List *actions, List *after)
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

/*
 * Line the steps up.  False if one that cannot be undone is not the last,
 * unless what follows it is then done in any case.
 */
static bool
line_up(ZdmPlan *plan)
{
	ListCell   *lc;

	zdm_plan_make_step(plan, ZDM_PASS_COLUMN, plan->before_columns, plan->columns,
					   plan->after_columns);
	zdm_plan_make_step(plan, ZDM_PASS_FINAL, plan->before_final, plan->final, plan->after_final);
	for (int pass = 0; pass < ZDM_PASS_COUNT; pass++)
	{
		foreach(lc, plan->passes[pass])
			((ZdmStep *) lfirst(lc))->phase = pass == ZDM_PASS_COLUMN ?
			ZDM_PHASE_EXPAND : ZDM_PHASE_MIGRATE;
		plan->steps = list_concat(plan->steps, plan->passes[pass]);
	}
	foreach(lc, plan->steps)
	{
		const ZdmStep *step = lfirst(lc);

		if (step->cannot_undo && !step->forward && lnext(plan->steps, lc) != NULL)
			return false;
	}
	return plan->steps != NIL;
}

/* Has the statement a hazard with a planner? */
static bool
is_plannable(const ZdmDdl *ddl)
{
	ListCell   *lc;

	foreach(lc, ddl->hazards)
	{
		if (planner_of(lfirst(lc)) != NULL)
			return true;
	}
	return false;
}

/*
 * Is the text that of the statement?  C code may have handed in any, with a
 * parse tree of its own; what the grammar finds wrong with it is no error then.
 */
bool
zdm_plan_is_text_of(const char *sql, const Node *stmt)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool result = false;

	PG_TRY();
	{
		List	   *parsed = raw_parser(sql, RAW_PARSE_DEFAULT);

		result = list_length(parsed) == 1 &&
			equal(linitial_node(RawStmt, parsed)->stmt, stmt);
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		if (category != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION &&
			category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_FEATURE_NOT_SUPPORTED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return result;
}

static ZdmPlan *
make_plan(const ZdmDdl *ddl)
{
	ZdmPlan    *plan;
	bool		planned;

	if (ddl->undefined != NULL || !is_plannable(ddl) || !zdm_plan_is_text_of(ddl->sql, ddl->stmt))
		return NULL;
	plan = palloc0(sizeof(ZdmPlan));
	plan->ddl = ddl;
	if (IsA(ddl->stmt, AlterTableStmt))
		planned = plan_alter_table(plan, (const AlterTableStmt *) ddl->stmt);
	else
		planned = plan_simple(plan);
	return planned && line_up(plan) ? plan : NULL;
}

/* Made once: each hazard of a long statement asks for it. */
ZdmPlan *
zdm_plan(const ZdmDdl *ddl)
{
	if (ddl->hazards != NIL && !ddl->is_planned)
	{
		ZdmDdl	   *memo = unconstify(ZdmDdl *, ddl);
		MemoryContext oldcontext = MemoryContextSwitchTo(GetMemoryChunkContext(ddl->hazards));

		memo->plan = make_plan(ddl);
		memo->is_planned = true;
		MemoryContextSwitchTo(oldcontext);
	}
	return ddl->plan;
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
