/*-------------------------------------------------------------------------
 *
 * verdict.c
 *	  What happens to a statement with a hazard: the table of DESIGN's
 *	  section "What happens to a statement" as code.
 *
 * Copyright (c) 2026, the zdm developers
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "plan/defer.h"
#include "plan/verdict.h"

const char *
zdm_verdict_name(ZdmVerdict verdict)
{
	switch (verdict)
	{
		case ZDM_VERDICT_RUN:
			return "run";
		case ZDM_VERDICT_WARN:
			return "warn";
		case ZDM_VERDICT_REWRITE:
			return "rewrite";
		case ZDM_VERDICT_QUEUE:
			return "queue";
		case ZDM_VERDICT_DEFER:
			return "defer";
		case ZDM_VERDICT_REFUSE:
			return "refuse";
	}
	return NULL;				/* keep compiler quiet */
}

/*
 * Did the object that suffers come into being in the window?  Of a table
 * born in it old clients know nothing.  Of a column neither, but their
 * INSERT can still be rejected by it.
 */
static bool
is_born_in_window(const ZdmPolicy *policy, const ZdmHazard *hazard)
{
	ObjectAddress whole = hazard->subject;

	if (!OidIsValid(whole.objectId))
		return false;
	if (!(hazard->rejects_writes && whole.objectSubId != 0) &&
		policy->is_born(policy->window_id, &whole))
		return true;
	if (whole.objectSubId == 0)
		return false;
	whole.objectSubId = 0;
	return policy->is_born(policy->window_id, &whole);
}

/* What the verdicts on the hazards of one statement have in common. */
typedef struct Judge
{
	const ZdmPolicy *policy;
	const ZdmDdl *ddl;
	const ZdmPlan *plan;		/* that can be carried out in steps, or NULL */
	bool		can_defer;		/* it is sent within a window that defers, and
								 * can be taken apart as far as is known */
} Judge;

static ZdmVerdict
lock_verdict(const Judge *judge, const ZdmHazard *hazard)
{
	const ZdmPolicy *policy = judge->policy;
	bool		in_window = policy->window_id != 0 || policy->open_windows != NULL;

	if (judge->plan != NULL && zdm_plan_knows(hazard->rule))
		return ZDM_VERDICT_REWRITE;
	if (judge->can_defer && zdm_plan_knows(hazard->rule))
		return ZDM_VERDICT_QUEUE;
	if (hazard->warn_outside_window && !in_window)
		return ZDM_VERDICT_WARN;
	return ZDM_VERDICT_REFUSE;
}

/* The verdict of a hazard whose rule is taken fully seriously. */
static ZdmVerdict
strict_verdict(const Judge *judge, const ZdmHazard *hazard)
{
	const ZdmPolicy *policy = judge->policy;
	ZdmClass	class = zdm_rules[hazard->rule].class;
	bool		in_window = policy->window_id != 0 || policy->open_windows != NULL;

	if (class == ZDM_CLASS_LOCK)
		return lock_verdict(judge, hazard);
	if (policy->carries_out != 0)
		return ZDM_VERDICT_RUN;
	if (class == ZDM_CLASS_COMPAT && judge->can_defer && zdm_defer_knows(hazard->rule))
		return ZDM_VERDICT_DEFER;
	if (in_window)
		return ZDM_VERDICT_REFUSE;
	if (class == ZDM_CLASS_COMPAT)
		return policy->require_window ? ZDM_VERDICT_REFUSE : ZDM_VERDICT_RUN;
	return ZDM_VERDICT_WARN;
}

/* Is it kept back only so that an abort has nothing to give back? */
static bool
waits_for_abort(const Judge *judge, const ZdmHazard *hazard)
{
	return hazard->can_wait && judge->can_defer && zdm_defer_knows(hazard->rule) &&
		zdm_guc_severity(hazard->rule) == ZDM_SEVERITY_ERROR && !zdm_guc_is_allowed(hazard->rule);
}

static void
judge_hazard(const Judge *judge, ZdmJudgement *judgement)
{
	const ZdmPolicy *policy = judge->policy;
	const ZdmHazard *hazard = judgement->hazard;
	ZdmSeverity severity = Min(zdm_guc_severity(hazard->rule), hazard->cap);

	judgement->verdict = ZDM_VERDICT_RUN;
	if (waits_for_abort(judge, hazard))
		severity = ZDM_SEVERITY_ERROR;
	if (policy->mode == ZDM_MODE_OFF || severity <= ZDM_SEVERITY_NOTE)
		return;
	if (zdm_rules[hazard->rule].class != ZDM_CLASS_LOCK &&
		policy->knows_births && is_born_in_window(policy, hazard) &&
		!(hazard->awaits_going && judge->can_defer))
		return;

	judgement->is_counted = true;
	judgement->verdict = strict_verdict(judge, hazard);
	if (judgement->verdict == ZDM_VERDICT_RUN)
		return;
	if (zdm_guc_is_allowed(hazard->rule))
	{
		judgement->is_allowed = true;
		judgement->verdict = ZDM_VERDICT_RUN;
		return;
	}
	if (severity == ZDM_SEVERITY_WARN || policy->mode == ZDM_MODE_WARN)
		judgement->verdict = Min(judgement->verdict, ZDM_VERDICT_WARN);
}

/*
 * The plan, where one may be carried out: its steps are transactions of their
 * own, so not inside another one, unless none of them needs that.
 */
static ZdmPlan *
usable_plan(const ZdmPolicy *policy, const ZdmDdl *ddl)
{
	ZdmPlan    *plan;

	if (policy->mode != ZDM_MODE_ENFORCE || ddl->hazards == NIL)
		return NULL;
	plan = zdm_plan(ddl);
	if (plan == NULL || (ddl->in_block && !zdm_plan_fits_in_block(plan)))
		return NULL;
	return plan;
}

static List *
judge_all(const Judge *judge)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, judge->ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);
		ZdmJudgement *judgement;

		if (zdm_guc_severity(hazard->rule) == ZDM_SEVERITY_OFF)
			continue;
		judgement = palloc0(sizeof(ZdmJudgement));
		judgement->hazard = hazard;
		judge_hazard(judge, judgement);
		result = lappend(result, judgement);
	}
	return result;
}

/*
 * May the statement wait?  In autocommit, what is only a matter of locks is
 * carried out at once.
 */
static bool
may_defer(const ZdmPolicy *policy, const ZdmDdl *ddl)
{
	ListCell   *lc;

	if (!policy->defers || policy->mode != ZDM_MODE_ENFORCE || policy->carries_out != 0)
		return false;
	if (ddl->in_block)
		return true;
	foreach(lc, ddl->hazards)
	{
		if (zdm_rules[((const ZdmHazard *) lfirst(lc))->rule].class == ZDM_CLASS_COMPAT)
			return true;
	}
	return false;
}

List *
zdm_judge(const ZdmPolicy *policy, const ZdmDdl *ddl, ZdmPlan **plan,
		  struct ZdmDeferral **deferral)
{
	Judge		judge = {policy, ddl};
	List	   *result;
	ZdmVerdict	verdict;

	*deferral = NULL;
	*plan = usable_plan(policy, ddl);
	judge.plan = *plan;
	judge.can_defer = may_defer(policy, ddl);
	result = judge_all(&judge);
	verdict = zdm_strictest(result);
	if (verdict == ZDM_VERDICT_QUEUE || verdict == ZDM_VERDICT_DEFER)
	{
		*deferral = zdm_defer(policy, ddl, result);
		if (*deferral == NULL)
		{
			judge.can_defer = false;
			result = judge_all(&judge);
			verdict = zdm_strictest(result);
		}
	}
	if (verdict != ZDM_VERDICT_REWRITE)
		*plan = NULL;
	return result;
}

ZdmVerdict
zdm_strictest(List *judgements)
{
	ZdmVerdict	strictest = ZDM_VERDICT_RUN;
	ListCell   *lc;

	foreach(lc, judgements)
		strictest = Max(strictest, ((ZdmJudgement *) lfirst(lc))->verdict);
	return strictest;
}

bool
zdm_waits_for_end(const ZdmPolicy *policy, List *judgements)
{
	ListCell   *lc;

	if (policy->window_state == NULL || strcmp(policy->window_state, "open") == 0)
		return false;
	foreach(lc, judgements)
	{
		const ZdmJudgement *judgement = lfirst(lc);

		if (judgement->verdict == ZDM_VERDICT_REFUSE &&
			zdm_rules[judgement->hazard->rule].class != ZDM_CLASS_LOCK)
			return true;
	}
	return false;
}

bool
zdm_needs_window(const ZdmDdl *ddl)
{
	ListCell   *lc;

	foreach(lc, ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if ((zdm_rules[hazard->rule].class != ZDM_CLASS_LOCK ||
			 hazard->warn_outside_window) &&
			(hazard->can_wait ||
			 Min(zdm_guc_severity(hazard->rule), hazard->cap) > ZDM_SEVERITY_NOTE))
			return true;
	}
	return false;
}
