/*-------------------------------------------------------------------------
 *
 * domain_plan.c
 *	  Plans for constraints of domains.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/plan.h"

const ZdmPlanner zdm_domain_planners[] = {
	{ZDM_RULE_COUNT, NULL}
};
