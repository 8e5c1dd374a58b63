/*-------------------------------------------------------------------------
 *
 * partition_plan.h
 *	  What the files that plan for partitions share.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_PARTITION_PLAN_H
#define ZDM_PARTITION_PLAN_H

#include "plan/plan.h"

/* partition_plan.c */
extern List *zdm_partitions(ZdmDdl *ddl, const ZdmRel *rel);	/* of ZdmRel */

/*
 * partition_index.c: build on the table, or on its partitions, what it lacks
 * of the parent's indexes.  False if there is no safe way.
 */
extern bool zdm_plan_indexes_like(ZdmPlan *plan, ZdmDdl *ddl, ZdmRel *parent, ZdmRel *child);

#endif							/* ZDM_PARTITION_PLAN_H */
