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

/* The verdict of a hazard whose rule is taken fully seriously. */
static ZdmVerdict
strict_verdict(const ZdmPolicy *policy, const ZdmHazard *hazard, const ZdmPlan *plan)
{
	bool		in_window = policy->window_id != 0 || policy->open_windows != NULL;

	switch (zdm_rules[hazard->rule].class)
	{
		case ZDM_CLASS_LOCK:
			if (plan != NULL && zdm_plan_knows(hazard->rule))
				return ZDM_VERDICT_REWRITE;
			if (hazard->warn_outside_window && !in_window)
				return ZDM_VERDICT_WARN;
			return ZDM_VERDICT_REFUSE;
		case ZDM_CLASS_COMPAT:
			if (!in_window)
				return policy->require_window ? ZDM_VERDICT_REFUSE : ZDM_VERDICT_RUN;
			break;
		case ZDM_CLASS_DATA:
			if (!in_window)
				return ZDM_VERDICT_WARN;
			break;
	}
	return ZDM_VERDICT_REFUSE;
}

static void
judge_hazard(const ZdmPolicy *policy, ZdmJudgement *judgement, const ZdmPlan *plan)
{
	const ZdmHazard *hazard = judgement->hazard;
	ZdmSeverity severity = Min(zdm_guc_severity(hazard->rule), hazard->cap);

	judgement->verdict = ZDM_VERDICT_RUN;
	if (policy->mode == ZDM_MODE_OFF || severity <= ZDM_SEVERITY_NOTE)
		return;
	if (zdm_rules[hazard->rule].class != ZDM_CLASS_LOCK &&
		policy->knows_births && is_born_in_window(policy, hazard))
		return;

	judgement->is_counted = true;
	judgement->verdict = strict_verdict(policy, hazard, plan);
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

List *
zdm_judge(const ZdmPolicy *policy, const ZdmDdl *ddl, ZdmPlan **plan)
{
	List	   *result = NIL;
	ListCell   *lc;

	*plan = usable_plan(policy, ddl);
	foreach(lc, ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);
		ZdmJudgement *judgement;

		if (zdm_guc_severity(hazard->rule) == ZDM_SEVERITY_OFF)
			continue;
		judgement = palloc0(sizeof(ZdmJudgement));
		judgement->hazard = hazard;
		judge_hazard(policy, judgement, *plan);
		result = lappend(result, judgement);
	}
	if (zdm_strictest(result) != ZDM_VERDICT_REWRITE)
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
zdm_needs_window(const ZdmDdl *ddl)
{
	ListCell   *lc;

	foreach(lc, ddl->hazards)
	{
		const ZdmHazard *hazard = lfirst(lc);

		if ((zdm_rules[hazard->rule].class != ZDM_CLASS_LOCK ||
			 hazard->warn_outside_window) &&
			Min(zdm_guc_severity(hazard->rule), hazard->cap) > ZDM_SEVERITY_NOTE)
			return true;
	}
	return false;
}
