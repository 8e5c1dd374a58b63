/*-------------------------------------------------------------------------
 *
 * column_plan.c
 *	  Plans for adding and changing columns.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/plan.h"

const ZdmPlanner zdm_column_planners[] = {
	{ZDM_RULE_COUNT, NULL}
};
