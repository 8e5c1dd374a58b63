/*-------------------------------------------------------------------------
 *
 * index_plan.h
 *	  Shared by the files that plan index statements and maintenance.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_INDEX_PLAN_H
#define ZDM_INDEX_PLAN_H

#include "plan/plan.h"

/*
 * What is to be made.  definition is what stands after the table's name, in
 * the words of the user; columns are the names of the index's columns.
 */
typedef struct ZdmNewIndex
{
	const IndexStmt *stmt;
	const char *definition;
	List	   *columns;		/* char * */
	List	   *taken;			/* char *: qualified names chosen so far */
} ZdmNewIndex;

/* index_plan.c */
extern bool zdm_new_index(ZdmNewIndex *made, const IndexStmt *stmt, const char *sql);
extern char *zdm_new_index_name(ZdmNewIndex *made, const ZdmRel *rel);
extern char *zdm_new_index_sql(const ZdmNewIndex *made, const char *options,
							   const char *name, const char *only, const ZdmRel *rel);

/* partitioned_index_plan.c */
extern bool zdm_plan_partitioned_index(ZdmPlan *plan, ZdmNewIndex *made, ZdmRel *rel);
extern bool zdm_plan_partitioned_leftover(ZdmPlan *plan, ZdmRel *index, ZdmRel *rel);

/* maintenance_plan.c */
extern bool zdm_plan_reindex(ZdmPlan *plan, const ZdmHazard *hazard);
extern bool zdm_plan_refresh(ZdmPlan *plan, const ZdmHazard *hazard);
extern bool zdm_plan_detach(ZdmPlan *plan, const ZdmHazard *hazard);

#endif							/* ZDM_INDEX_PLAN_H */
