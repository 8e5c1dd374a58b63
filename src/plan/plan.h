/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  How a statement is carried out safely: its steps.
 *
 * A plan is made of SQL.  What else is to be known of a step (whether it can
 * share a transaction, which lock it takes, how it is undone) follows from
 * the parse tree of its SQL, in step.c, so that what zdm_explain() prints is
 * what runs.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_PLAN_H
#define ZDM_PLAN_H

#include "ddl/ddl.h"
#include "step.h"

/*
 * Steps of a plan in the order of their passes; those of one pass in the
 * order in which they were added.  A key must be there before a foreign key
 * that references it, a column before what is said of it.
 */
typedef enum ZdmPass
{
	ZDM_PASS_COLUMN,			/* new columns; filled by the builder */
	ZDM_PASS_BACKFILL,
	ZDM_PASS_CHECK,				/* CHECK and NOT NULL */
	ZDM_PASS_KEY,				/* indexes, UNIQUE, PRIMARY KEY */
	ZDM_PASS_FOREIGN_KEY,
	ZDM_PASS_PARTITION,
	ZDM_PASS_FINAL,				/* filled by the builder */
	ZDM_PASS_COUNT
} ZdmPass;

/* A plan, while it is made and after. */
typedef struct ZdmPlan
{
	const ZdmDdl *ddl;
	ZdmRel	   *rel;			/* that ALTER TABLE names, or NULL */
	List	   *targets;		/* ZdmPlanTarget */
	List	   *steps;			/* ZdmStep, in the order in which they run */

	/* while it is made */
	List	   *passes[ZDM_PASS_COUNT]; /* ZdmStep */
	List	   *before_columns; /* char *: commands */
	List	   *columns;		/* char *: actions of one ALTER TABLE */
	List	   *after_columns;	/* char *: commands */
	List	   *before_final;	/* char *: commands */
	List	   *final;			/* char *: actions of one ALTER TABLE */
	List	   *after_final;	/* char *: commands */
	List	   *names;			/* char *: names chosen so far, qualified */
	List	   *dropped;		/* ZdmConstraint: those of rel, and of its
								 * children, that the statement drops */
	List	   *not_null;		/* char *: columns made NOT NULL so far */

	/*
	 * For a statement that is deferred, planners add plain statements, whose
	 * names are chosen, instead of the steps of their safe form: that is
	 * planned when their turn has come.
	 */
	bool		plain;
	ZdmPhase	phase;			/* of the steps that are added */
	ZdmPhase	(*phase_of) (void *arg, const Constraint *con); /* of one in the
																 * definition of a
																 * column */
	void	   *phase_arg;
	bool		columns_are_final;	/* new columns are for the last step: they
									 * stand behind one that takes the place
									 * of one dropped there */
} ZdmPlan;

/*
 * plan.c: a plan for the statement under analysis, or NULL if there is none.
 * All its locks are those of steps that stall nobody.  Reads catalogs only.
 */
extern ZdmPlan *zdm_plan(const ZdmDdl *ddl);

/* Is there a plan for the rule, in general?  Where not, zdm_plan() is NULL. */
extern bool zdm_plan_knows(ZdmRuleId rule);

/* Could it run inside a transaction block, as no step needs its own? */
extern bool zdm_plan_fits_in_block(const ZdmPlan *plan);

/*
 * Planners, one for each rule of the lock class that has a plan.  Called once
 * for each part of the statement (hazard->node) that has such a hazard; adds
 * steps; returns false if there is no safe way after all.
 *
 * In an ALTER TABLE the command with that node is replaced by what the planner
 * adds; all other commands are carried out in the transaction of the last
 * step, and ADD COLUMN in that of the first.  What cannot be undone is for the
 * last step only.
 */
typedef bool (*ZdmPlanFunc) (ZdmPlan *plan, const ZdmHazard *hazard);

typedef struct ZdmPlanner
{
	ZdmRuleId	rule;
	ZdmPlanFunc plan;
} ZdmPlanner;

/* each ends with a NULL function */
extern const ZdmPlanner zdm_index_planners[];	/* index_plan.c */
extern const ZdmPlanner zdm_constraint_planners[];	/* constraint_plan.c */
extern const ZdmPlanner zdm_column_planners[];	/* column_plan.c */
extern const ZdmPlanner zdm_partition_planners[];	/* partition_plan.c */

/*
 * For planners.  SQL names everything that the plan makes or alters with its
 * schema; what is taken over from the statement's own text keeps its meaning,
 * since the steps run with the session's search_path.
 *
 * zdm_plan_step: one step of its own, of one or several commands ("a; b").
 * zdm_plan_column, zdm_plan_final: an action of the ALTER TABLE of the first
 * or last step, without "ALTER TABLE t".  The others: a whole command in the
 * same transaction as that, before or after it.
 */
extern ZdmStep *zdm_plan_step(ZdmPlan *plan, ZdmPass pass, const char *fmt,...) pg_attribute_printf(3, 4);
extern void zdm_plan_before_columns(ZdmPlan *plan, const char *fmt,...) pg_attribute_printf(2, 3);
extern void zdm_plan_column(ZdmPlan *plan, const char *fmt,...) pg_attribute_printf(2, 3);
extern void zdm_plan_after_columns(ZdmPlan *plan, const char *fmt,...) pg_attribute_printf(2, 3);
extern void zdm_plan_before_final(ZdmPlan *plan, const char *fmt,...) pg_attribute_printf(2, 3);
extern void zdm_plan_final(ZdmPlan *plan, const char *fmt,...) pg_attribute_printf(2, 3);
extern void zdm_plan_after_final(ZdmPlan *plan, const char *fmt,...) pg_attribute_printf(2, 3);

/* Another existing relation that the plan's SQL names. */
extern void zdm_plan_target(ZdmPlan *plan, const ZdmRel *rel);

/*
 * names.c: the unquoted name that PostgreSQL would choose for a constraint
 * ("check", "fkey", "not_null") or for an index and its constraint ("key",
 * "pkey", "idx", "excl") after what the plan has made before it.  A name that
 * the statement gives itself is taken from then on by zdm_plan_take_name().
 *
 * zdm_plan_spare_name: a name that nothing has and that is used for a while.
 */
extern char *zdm_plan_choose_name(ZdmPlan *plan, const ZdmRel *rel, const char *column,
								  const char *label);
extern void zdm_plan_take_name(ZdmPlan *plan, const ZdmRel *rel, const char *name);
extern char *zdm_plan_spare_name(ZdmPlan *plan, const char *column, const char *label);

/* Names of the constraints that an ALTER TABLE drops and adds; the name chosen */
extern void zdm_plan_note_dropped(ZdmPlan *plan);
extern char *zdm_plan_name_constraint(ZdmPlan *plan, const ZdmRel *rel,
									  const Constraint *con);

/* Does the statement have a command of this kind?  Of ALTER TABLE. */
extern bool zdm_plan_has_command(const ZdmPlan *plan, AlterTableType subtype);

/* For defer.c: text of the right size, and pieces of how an ALTER TABLE is planned */
extern char *zdm_plan_format(const char *fmt, va_list args) pg_attribute_printf(1, 0);
extern List *zdm_plan_commands_by_pass(const AlterTableStmt *stmt);
extern bool zdm_plan_belongs_to(const ZdmHazard *hazard, const AlterTableCmd *cmd);
extern bool zdm_plan_is_text_of(const char *sql, const Node *stmt);
extern void zdm_plan_make_step(ZdmPlan *plan, ZdmPass pass, List *before, List *actions,
							   List *after);

/* "ALTER TABLE public.t" or "ALTER TABLE ONLY public.t", as the statement says */
extern char *zdm_plan_alter(const ZdmPlan *plan);

/*
 * constraint_plan.c, key_plan.c, foreign_key_plan.c: the parts of constraints
 * that new columns need too; all on plan->rel.  keys or fk_attrs of con are
 * set, also where it stands in the definition of a column; expression is the
 * text of a CHECK with its parentheses.  False if there is no safe way.  Where
 * the definition of a new column says that it is NOT NULL, its planner sees
 * to that, also if it says so by PRIMARY KEY.
 */
extern bool zdm_plan_not_null(ZdmPlan *plan, const char *column);
extern bool zdm_plan_check(ZdmPlan *plan, const Constraint *con, const char *expression);
extern bool zdm_plan_key(ZdmPlan *plan, const Constraint *con);
extern bool zdm_plan_foreign_key(ZdmPlan *plan, const Constraint *con);
extern bool zdm_plan_unchecked_foreign_key(ZdmPlan *plan, const Constraint *con);

/* step.c: what follows from the SQL; raises an error if it does not parse */
extern ZdmStep *zdm_step_make(const char *sql);
extern char *zdm_step_note(const ZdmStep *step);	/* how it runs, for people */

#endif							/* ZDM_PLAN_H */
