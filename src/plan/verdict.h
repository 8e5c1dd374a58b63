/*-------------------------------------------------------------------------
 *
 * verdict.h
 *	  What happens to a statement with a hazard.
 *
 * The facts that a verdict rests on are handed in, so that it can be asked
 * for by the hook and by zdm_check alike, and is the same for both.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#ifndef ZDM_VERDICT_H
#define ZDM_VERDICT_H

#include "ddl/ddl.h"
#include "guc.h"
#include "plan/plan.h"

typedef struct ZdmPolicy
{
	ZdmMode		mode;
	bool		require_window;
	int64		window_id;		/* 0: none open, or none chosen */
	const char *window_name;	/* NULL with window_id 0 */
	const char *window_state;	/* likewise; "open", "closing" or "aborting" */
	bool		defers;			/* that window has unsafe DDL wait */
	int64		carries_out;	/* the deferred step that is carried out: what
								 * it waited for is over; or 0 */
	bool		undoes;			/* it is one that an abort has queued */
	const char *open_windows;	/* several are open and none is chosen: their
								 * names; else NULL */

	/*
	 * Has the object come into being in that window?  Asked only where
	 * knows_births: a restored copy of the database has other OIDs.
	 */
	bool		knows_births;
	bool		(*is_born) (int64 window_id, const ObjectAddress *object);

	/* the relation that the relation stands for, or InvalidOid */
	Oid			(*alias_of) (Oid relid);
} ZdmPolicy;

typedef struct ZdmJudgement
{
	const ZdmHazard *hazard;
	ZdmVerdict	verdict;
	bool		is_allowed;		/* runs because zdm.allow waives the rule */
	bool		is_counted;		/* worth a row in zdm_history */
} ZdmJudgement;

struct ZdmDeferral;

/*
 * One judgement for each hazard whose rule is not off, in their order.  If the
 * strictest verdict is ZDM_VERDICT_REWRITE, *plan is how; if it is
 * ZDM_VERDICT_QUEUE or ZDM_VERDICT_DEFER, *deferral is; else they are NULL.
 */
extern List *zdm_judge(const ZdmPolicy *policy, const ZdmDdl *ddl, ZdmPlan **plan,
					   struct ZdmDeferral **deferral);
extern ZdmVerdict zdm_strictest(List *judgements);
extern const char *zdm_verdict_name(ZdmVerdict verdict);

/*
 * Is one refused because of a window that is about to be over?  It can be sent
 * again then.
 */
extern bool zdm_waits_for_end(const ZdmPolicy *policy, List *judgements);

/* does any hazard depend on which window is open? */
extern bool zdm_needs_window(const ZdmDdl *ddl);

/* report.c */
extern char *zdm_report_hint(const ZdmPolicy *policy, const ZdmDdl *ddl,
							 const ZdmJudgement *judgement, List *judgements);
extern void zdm_report_warnings(const ZdmPolicy *policy, const ZdmDdl *ddl,
								List *judgements);
pg_noreturn extern void zdm_report_refusal(const ZdmPolicy *policy, const ZdmDdl *ddl,
										   List *judgements);
extern const char *zdm_lock_name(LOCKMODE mode);

#endif							/* ZDM_VERDICT_H */
