/*-------------------------------------------------------------------------
 *
 * partition_plan.c
 *	  Plans for attaching, creating and detaching partitions.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/plan.h"

const ZdmPlanner zdm_partition_planners[] = {
	{ZDM_RULE_COUNT, NULL}
};
