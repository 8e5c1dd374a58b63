/*-------------------------------------------------------------------------
 *
 * index_plan.c
 *	  Plans for index statements.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/plan.h"

const ZdmPlanner zdm_index_planners[] = {
	{ZDM_RULE_COUNT, NULL}
};
