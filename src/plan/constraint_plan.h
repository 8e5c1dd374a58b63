/*-------------------------------------------------------------------------
 *
 * constraint_plan.h
 *	  What the files that plan constraints share.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_CONSTRAINT_PLAN_H
#define ZDM_CONSTRAINT_PLAN_H

#include "plan/plan.h"

/* constraint_plan.c */
extern char *zdm_columns_text(List *columns);	/* of String: a, "B" */
extern char *zdm_columns_in_name(List *columns);
extern char *zdm_deferrable_text(const Constraint *con);
extern List *zdm_plan_tree(const ZdmPlan *plan);

/* Do the statement's other commands leave these columns, of String, as they are? */
extern bool zdm_plan_keeps_columns(const ZdmPlan *plan, List *columns);

/*
 * A constraint takes the name that another command of the statement frees.
 * Then it is made under another name; else *made_as is the name itself.
 */
extern bool zdm_plan_replaces(ZdmPlan *plan, const char *name, const char *column,
							  const char *label, const char **made_as);

/* key_plan.c, foreign_key_plan.c: planners */
extern bool zdm_plan_add_key(ZdmPlan *plan, const ZdmHazard *hazard);
extern bool zdm_plan_primary_key_index(ZdmPlan *plan, const ZdmHazard *hazard);
extern bool zdm_plan_add_foreign_key(ZdmPlan *plan, const ZdmHazard *hazard);

#endif							/* ZDM_CONSTRAINT_PLAN_H */
