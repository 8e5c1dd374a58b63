/*-------------------------------------------------------------------------
 *
 * defer.h
 *	  What of a statement runs now, after commit, and at the end of a window
 *	  that defers.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_DEFER_H
#define ZDM_DEFER_H

#include "plan/plan.h"
#include "plan/verdict.h"

/* A statement that is taken apart, while it is and after. */
typedef struct ZdmDeferral
{
	const ZdmPolicy *policy;
	const ZdmDdl *ddl;
	List	   *judgements;		/* ZdmJudgement */
	ZdmPlan    *plan;			/* for names, and for the parts of ALTER TABLE */
	List	   *parts;			/* ZdmPart, in the order in which they run */
} ZdmDeferral;

/*
 * Take the statement apart, whose strictest verdict is to queue or defer.
 * NULL if that is not possible.  Reads catalogs only.
 */
extern ZdmDeferral *zdm_defer(const ZdmPolicy *policy, const ZdmDdl *ddl, List *judgements);

/*
 * The plan by which the part would be carried out now, or NULL: as it is, or
 * it names what only an earlier part makes.  *feasible is false if that is not
 * possible at all.
 */
extern ZdmPlan *zdm_defer_plan(const ZdmDeferral *deferral, const ZdmPart *part, bool *feasible);

/*
 * The part that a statement is which runs at once as it is, if an abort of the
 * window has something to give back that is not dropped by itself; else NULL.
 * To be asked before it has run.
 */
extern ZdmPart *zdm_defer_done(const ZdmPolicy *policy, const ZdmDdl *ddl);

/* Can a statement with a hazard of the rule, of the compat class, wait at all? */
extern bool zdm_defer_knows(ZdmRuleId rule);

/*
 * Deferrers, one for each rule of the compat class that needs more than its
 * statement, or its command of an ALTER TABLE, to wait for the end of the
 * window.  Called once for each hazard with that verdict; adds the parts of
 * its command; returns false if it cannot be deferred after all.
 */
typedef bool (*ZdmDeferFunc) (ZdmDeferral *deferral, const ZdmHazard *hazard);

typedef struct ZdmDeferrer
{
	ZdmRuleId	rule;
	ZdmDeferFunc defer;
} ZdmDeferrer;

/* each ends with a NULL function */
extern const ZdmDeferrer zdm_column_deferrers[];	/* column_defer.c */
extern const ZdmDeferrer zdm_constraint_deferrers[];	/* constraint_defer.c */
extern const ZdmDeferrer zdm_object_deferrers[];	/* object_defer.c */
extern const ZdmDeferrer zdm_rename_deferrers[];	/* rename_defer.c */

/*
 * For deferrers: a part, to be filled further.  zdm_defer_action: an ALTER
 * TABLE of the statement's table with that action.  zdm_defer_statement: the
 * statement itself, its relations qualified.  undo_sql is set where the parse
 * tree tells what takes it back, targets to the statement's own table.
 */
extern ZdmPart *zdm_defer_part(ZdmDeferral *deferral, ZdmPhase phase,
							   const char *fmt,...) pg_attribute_printf(3, 4);
extern ZdmPart *zdm_defer_action(ZdmDeferral *deferral, ZdmPhase phase,
								 const char *fmt,...) pg_attribute_printf(3, 4);
extern ZdmPart *zdm_defer_statement(ZdmDeferral *deferral, ZdmPhase phase);
extern void zdm_defer_claim(ZdmPart *part, const char *action, const char *kind,
							const char *nspname, Oid relid, const char *name);

/* claim.c: what follows from the SQL of a part */
extern void zdm_defer_add_claims(ZdmPart *part);

/* verify.c: the query for the rows in its way, or in that of its undo_sql */
extern void zdm_defer_add_verify(const ZdmDeferral *deferral, ZdmPart *part);

/* verify.c: the same for SQL that is queued; see verify_init() */
extern char *zdm_verify_now(const char *sql, Oid role);

#endif							/* ZDM_DEFER_H */
