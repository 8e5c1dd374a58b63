/*-------------------------------------------------------------------------
 *
 * constraint_plan.c
 *	  Plans for adding and changing constraints.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/plan.h"

const ZdmPlanner zdm_constraint_planners[] = {
	{ZDM_RULE_COUNT, NULL}
};
