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

#include "plan/advice.h"

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

/*
 * The safe form of the hazardous statement.  Every rule has its advice; the
 * regression test "rules" sees to that.
 */
char *
zdm_advice(const ZdmDdl *ddl, const ZdmHazard *hazard)
{
	ZdmAdviceFunc advise = advice_function(hazard->rule);

	if (advise == NULL)
		elog(ERROR, "no advice for rule \"%s\"", zdm_rules[hazard->rule].name);
	return advise(ddl, hazard);
}
