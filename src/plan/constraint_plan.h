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
 * Has another command of the statement first to drop a constraint of the
 * table, so that this one can have its name?
 */
extern bool zdm_plan_replaces(const ZdmPlan *plan, const char *name);

/* ADD CONSTRAINT ... NOT VALID of what the same statement validates */
extern bool zdm_plan_validates(const ZdmPlan *plan, const AlterTableCmd *add);
extern bool zdm_plan_add_constraint(ZdmPlan *plan, AlterTableCmd *cmd);

/*
 * Has the relation a not-null constraint of the column that waits to be
 * validated?  Its name, or NULL.
 */
extern const char *zdm_unvalidated_not_null(ZdmRel *rel, const char *column);

/* As zdm_plan_not_null(), among the steps of that pass */
extern bool zdm_plan_not_null_in(ZdmPlan *plan, ZdmPass pass, const char *column);

/* Add it NOT VALID, and validate it; returns the latter step. */
extern ZdmStep *zdm_plan_validated(ZdmPlan *plan, ZdmPass pass, const char *alter,
								   const char *name, const char *definition);

/* Add it as it is, in a plan that is plain; true. */
extern bool zdm_plan_plain_constraint(ZdmPlan *plan, ZdmPass pass, const char *name,
									  const char *definition);

/* The step's constraint or index gets that name in the end. */
extern void zdm_plan_made_for(ZdmStep *step, const char *made_as, const char *name);

/* key_plan.c */
extern ZdmStep *zdm_plan_build_key(ZdmPlan *plan, const ZdmRel *rel, const char *name,
								   const Constraint *con);
extern char *zdm_using_index_text(const Constraint *con, const char *name, const char *index);

/* partitioned_constraint_plan.c: for the partitions of the plan's table */
extern bool zdm_plan_lacks_partition_key(const ZdmRel *rel, const Constraint *con);

/* The statement does not ask who owns the partitions, but the steps do. */
extern bool zdm_plan_is_owned(const ZdmRel *rel);
extern bool zdm_plan_partition_keys(ZdmPlan *plan, const Constraint *con);
extern bool zdm_plan_partition_foreign_keys(ZdmPlan *plan, const Constraint *con,
											ZdmRel *target, const char *name,
											const char *definition);

/* key_plan.c, foreign_key_plan.c: planners */
extern bool zdm_plan_add_key(ZdmPlan *plan, const ZdmHazard *hazard);
extern bool zdm_plan_primary_key_index(ZdmPlan *plan, const ZdmHazard *hazard);
extern bool zdm_plan_add_foreign_key(ZdmPlan *plan, const ZdmHazard *hazard);

#endif							/* ZDM_CONSTRAINT_PLAN_H */
