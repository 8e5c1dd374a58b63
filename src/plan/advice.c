/*-------------------------------------------------------------------------
 *
 * advice.c
 *	  Finds the advice for a hazard among the tables of the rules' files.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "plan/advice.h"
#include "plan/plan.h"

#define MAX_STEPS_SHOWN 32

static const ZdmAdvice *const advice_tables[] = {
	zdm_column_advice,
	zdm_constraint_advice,
	zdm_index_advice,
	zdm_partition_advice,
	zdm_object_advice,
	zdm_table_advice,
};

/* The function that advises on a rule, or NULL. */
static ZdmAdviceFunc
advice_function(ZdmRuleId rule)
{
	for (int i = 0; i < lengthof(advice_tables); i++)
	{
		for (const ZdmAdvice *entry = advice_tables[i]; entry->advise != NULL; entry++)
		{
			if (entry->rule == rule)
				return entry->advise;
		}
	}
	return NULL;
}

/* The steps of a plan, but of hundreds of partitions' only the first. */
static char *
plan_text(const ZdmPlan *plan)
{
	int			count = list_length(plan->steps);
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < Min(count, MAX_STEPS_SHOWN); i++)
		appendStringInfo(&buf, "%s%s;", i > 0 ? " " : "",
						 ((ZdmStep *) list_nth(plan->steps, i))->sql);
	if (count > MAX_STEPS_SHOWN)
		appendStringInfo(&buf, " And %d further steps, which zdm_explain() lists.",
						 count - MAX_STEPS_SHOWN);
	return buf.data;
}

/*
 * The safe form of the hazardous statement: the steps of its plan, or what
 * there is to say where it has none.  Every rule has its advice; the
 * regression test "rules" sees to that.
 */
char *
zdm_advice(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmAdviceFunc advise = advice_function(hazard->rule);
	ZdmPlan    *plan = NULL;

	if (zdm_plan_knows(hazard->rule) && hazard->cap == ZDM_SEVERITY_ERROR)
		plan = zdm_plan(ddl);
	if (plan != NULL)
		return plan_text(plan);

	if (advise == NULL)
		elog(ERROR, "no advice for rule \"%s\"", zdm_rules[hazard->rule].name);
	return advise(ddl, hazard);
}
